package evidence

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/fineprint-archive/fineprint/warc"
)

// Proven is a leaf of the log with its inclusion proof (C2SP tlog-proof@v1), as
// tlog.Reader makes it. The checkpoint inside the proof is that of the bundle.
type Proven struct {
	Leaf  []byte // exact bytes
	Proof []byte
}

// Referred is an earlier look, one of whose records a revisit record of the
// bundle refers to.
type Referred struct {
	Proven
	Manifest []byte // gzip member of its manifest record, byte-copied
}

// ReceiptPart is what a web archive has of the page: the receipt in the log, and
// the look at that archive which the receipt follows from. Both proofs are under
// the checkpoint that Parts.Newer leads to, or without that under Parts.Checkpoint.
type ReceiptPart struct {
	Receipt, Look Proven
}

// maxReceipts bounds the receipts of a bundle.
const maxReceipts = 20

// File is a small file with its name, without folders.
type File struct {
	Name string
	Data []byte
}

// Committed is the anchored checkpoint that a handshake proof commits to.
type Committed struct {
	List        []byte // EncodeAnchorList
	Checkpoint  []byte // bytes of log/checkpoints/<size>
	Files       []File // those that the list names
	Consistency []byte // from Checkpoint to that of the bundle; nil if it is the same
}

// Parts is all that a bundle is made of. Whoever exports brings it; no catalog is
// needed. Byte slices are not changed and may be shared.
type Parts struct {
	Look Proven  // the leaf of the look
	Prev *Proven // the leaf of the look before at the same source; nil if there is none

	// Between holds the leaves from an earlier look on, that one included, up to
	// the one before Look, in the order of their numbers. The records of the
	// first of them belong into WARC too. Nil without a range.
	Between []Proven

	// Refers holds the looks that revisit records of WARC refer to, but for those
	// whose leaves are Look or in Between.
	Refers []Referred

	// WARC holds the gzip members of the look, byte-copied, and what belongs to
	// them: archive.ExportWARC makes it. It is read several times.
	WARC     io.ReaderAt
	WARCSize int64 // bytes

	// Receipts holds what web archives have of the page of the look, and of that of
	// the first one of a range, the newest first for each. Wayback is a WARC with the
	// records of the looks that they follow from, byte-copied, as WARC is for the
	// look; nil without receipts.
	Receipts    []ReceiptPart
	Wayback     io.ReaderAt
	WaybackSize int64 // bytes

	Checkpoint []byte // bytes of log/checkpoints/<size>, what outside parties stamped
	Cosigned   []byte // the same checkpoint with the signature lines of witnesses; nil if there are none
	Newer      []byte // consistency from Checkpoint to a newer one; nil if there is none
	Anchors    []File // about Checkpoint: NAME.tsr, NAME.pem, NAME.ots

	Committed *Committed // nil if there is no handshake proof

	Salt []byte // of a private source; nil for others. Who holds the bundle then knows the address

	LogKey string // verifier key of the log, for convenience
	Policy string // C2SP tlog-policy of the operator, for convenience; "" for none

	// Derived holds what was made of the records for readers, one for each document
	// that the look is at; nil if nothing was. File names have no number yet.
	Derived []Derived

	Document string    // what a reader calls it ("X, Terms of Service, zh-CN"); "" to use the address
	Operator string    // who runs the archive
	Contact  string    // how to reach them
	Tool     string    // program and version that writes the bundle
	Created  time.Time // when it is written: stands in the papers

	// Run tells about the run that made the look, as JSON, for run.json; nil
	// leaves it to what the manifest says.
	Run []byte
}

// Suffix ends the file names of bundles.
const Suffix = ".evidence.zip"

// Name returns the file name of the bundle: <source>-<time>-<n>.evidence.zip.
func (p *Parts) Name() (string, error) {
	e, err := ParseEntry(p.Look.Leaf)
	if err != nil {
		return "", fmt.Errorf("bundle: %w", err)
	}
	source := strings.TrimPrefix(e.Source, "private:")
	return fmt.Sprintf("%s-%s-%d%s", source[:min(len(source), 16)], e.Time.Format("20060102150405"), e.N, Suffix), nil
}

// plan is what the parts turned out to be.
type plan struct {
	*Parts
	look     Entry
	between  []Entry
	warc     *contents
	manifest *warc.Manifest
	derived  []Derived // with names and digests of the files
	receipts []planReceipt
	readBack *contents // of Wayback; nil without receipts
}

// planReceipt is a receipt with the manifest that it follows from.
type planReceipt struct {
	entry    Entry
	manifest *warc.Manifest
}

// read parses the parts and checks that they belong together, as far as that
// costs nothing: Verify is the judge.
func (p *Parts) read() (*plan, error) {
	e, err := ParseEntry(p.Look.Leaf)
	if err != nil {
		return nil, err
	}
	if e.Type != TypeLook {
		return nil, fmt.Errorf("the leaf is of type %q, want %q", e.Type, TypeLook)
	}
	pl := &plan{Parts: p, look: e, derived: fileDerived(p.Derived)}
	for i, b := range p.Between {
		other, err := ParseEntry(b.Leaf)
		if err != nil {
			return nil, fmt.Errorf("leaf %d of the range: %w", i+1, err)
		}
		pl.between = append(pl.between, other)
	}
	if !slices.IsSortedFunc(pl.between, func(a, b Entry) int { return int(a.N - b.N) }) {
		return nil, fmt.Errorf("the leaves of the range are not in the order of their numbers")
	}
	if pl.warc, err = readContents(io.NewSectionReader(p.WARC, 0, p.WARCSize)); err != nil {
		return nil, err
	}
	found := pl.warc.manifests[e.Manifest.Record]
	if found == nil {
		return nil, fmt.Errorf("the WARC does not hold manifest %s", e.Manifest.Record)
	}
	pl.manifest = found.manifest
	return pl, pl.readReceipts()
}

// readReceipts parses the receipts.
func (pl *plan) readReceipts() (err error) {
	if len(pl.Receipts) == 0 {
		return nil
	}
	if len(pl.Receipts) > maxReceipts {
		return fmt.Errorf("%d receipts, a bundle has at most %d", len(pl.Receipts), maxReceipts)
	}
	if pl.readBack, err = readContents(io.NewSectionReader(pl.Wayback, 0, pl.WaybackSize)); err != nil {
		return fmt.Errorf("records of receipts: %w", err)
	}
	for i, r := range pl.Receipts {
		receipt, err := ParseEntry(r.Receipt.Leaf)
		if err != nil {
			return fmt.Errorf("receipt %d: %w", i+1, err)
		}
		look, err := ParseEntry(r.Look.Leaf)
		if err != nil {
			return fmt.Errorf("look of receipt %d: %w", i+1, err)
		}
		if receipt.Type != TypeReceipt || look.Type != TypeLook || receipt.Facts == nil {
			return fmt.Errorf("receipt %d: entries of types %q and %q, want a receipt with facts and a look", i+1, receipt.Type, look.Type)
		}
		found := pl.readBack.manifests[look.Manifest.Record]
		if found == nil || found.manifest.Memento == nil {
			return fmt.Errorf("receipt %d: the WARC does not hold %s, a look at a web archive", i+1, look.Manifest.Record)
		}
		pl.receipts = append(pl.receipts, planReceipt{receipt, found.manifest})
	}
	return nil
}
