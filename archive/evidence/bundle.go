package evidence

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"iter"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/fineprint-archive/fineprint/warc"
)

// Names of the files of a bundle. docs/FORMATS.md describes each.
const (
	nameSums           = "SHA256SUMS"
	nameReadme         = "README.txt"
	nameReport         = "REPORT.html"
	nameScript         = "verify.sh"
	nameAbsent         = "NOT-PRESENT.txt"
	nameLeaf           = "leaf.json"
	nameProof          = "leaf.tlog-proof"
	namePrev           = "prev.json"
	namePrevProof      = "prev.tlog-proof"
	nameCheckpoint     = "checkpoint"
	nameCosigned       = "checkpoint.cosigned"
	nameNewer          = "consistency.txt"
	nameWARC           = "capture.warc.gz"
	nameWACZ           = "capture.wacz"
	nameMembers        = "members.txt"
	nameDeclaration    = "declaration.json"
	nameChain          = "tls/chain.pem"
	nameHandshake      = "tls/proof.bin"
	nameTLSReadme      = "tls/README.txt"
	nameList           = "tls/anchor.list"
	nameOldCheck       = "tls/checkpoint"
	nameOldProof       = "tls/consistency.txt"
	namePolicy         = "policy.txt"
	nameKey            = "log.vkey"
	nameCitation       = "citation.txt"
	nameCertificate    = "certificate-902.txt"
	nameRun            = "run.json"
	nameSalt           = "private.salt"
	nameDerived        = "derived.json"
	nameWayback        = dirWayback + "records.warc.gz"
	nameWaybackMembers = dirWayback + "members.txt"

	dirAnchors   = "anchors/"
	dirCommitted = "tls/anchors/"
	dirBetween   = "leaves/"
	dirRefers    = "refers/"
	dirWayback   = "wayback/"

	suffixLeaf     = ".json"
	suffixProof    = ".tlog-proof"
	suffixManifest = ".manifest.gz"
	suffixReceipt  = ".receipt"
)

// WriteBundle writes a bundle: a ZIP file without compression, files sorted by
// name, no times. The same parts give the same bytes. What does not fit together
// is an error that names it; then what was written is to be thrown away.
func WriteBundle(w io.Writer, p Parts) error {
	pl, err := p.read()
	if err != nil {
		return fmt.Errorf("bundle: %w", err)
	}
	files, err := pl.files()
	if err != nil {
		return fmt.Errorf("bundle: %w", err)
	}
	slices.SortFunc(files, func(a, b *content) int { return strings.Compare(a.name, b.name) })
	z := zip.NewWriter(w)
	for i, f := range files {
		if i > 0 && files[i-1].name == f.name {
			return fmt.Errorf("bundle: two files are named %s", f.name)
		}
		if err := f.writeTo(z); err != nil {
			return fmt.Errorf("bundle: %s: %w", f.name, err)
		}
	}
	if err := z.Close(); err != nil {
		return fmt.Errorf("bundle: %w", err)
	}
	return nil
}

// content is a file of the bundle. Its bytes are written twice: to learn their
// digest, and into the ZIP.
type content struct {
	name   string
	write  func(io.Writer) error
	size   uint64
	crc    uint32
	sha256 [sha256.Size]byte
}

func newContent(name string, write func(io.Writer) error) (*content, error) {
	if !fileName(name) {
		return nil, fmt.Errorf("file name %.100q", name)
	}
	c := &content{name: name, write: write}
	sum, crc, n := sha256.New(), crc32.NewIEEE(), new(counter)
	if err := write(io.MultiWriter(sum, crc, n)); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	c.size, c.crc = uint64(*n), crc.Sum32()
	sum.Sum(c.sha256[:0])
	return c, nil
}

type counter uint64

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}

func (c *content) writeTo(z *zip.Writer) error {
	h := &zip.FileHeader{Name: c.name, Method: zip.Store, CRC32: c.crc, CompressedSize64: c.size, UncompressedSize64: c.size}
	mode := uint32(0o100644)
	if c.name == nameScript {
		mode = 0o100755
	}
	h.CreatorVersion, h.ReaderVersion = 3<<8|20, 20 // Unix, so that the mode counts
	h.ExternalAttrs = mode << 16
	//lint:ignore SA1019 CreateRaw writes this field as it is and does not look at Modified
	h.ModifiedDate = 1<<5 | 1 // 1980-01-01, the first day that a ZIP knows
	w, err := z.CreateRaw(h)
	if err != nil {
		return err
	}
	n := new(counter)
	if err := c.write(io.MultiWriter(w, n)); err != nil {
		return err
	}
	if uint64(*n) != c.size {
		return fmt.Errorf("%d bytes at the second reading, %d at the first", *n, c.size)
	}
	return nil
}

// files returns all files of the bundle, in any order.
func (pl *plan) files() (all []*content, err error) {
	var errs []error
	add := func(name string, write func(io.Writer) error) {
		c, err := newContent(name, write)
		errs = append(errs, err)
		all = append(all, c)
	}
	data := func(name string, b []byte) {
		if b != nil {
			add(name, func(w io.Writer) error { _, err := w.Write(b); return err })
		}
	}
	pl.proofs(data)
	pl.anchors(data)
	pl.tls(data)
	pl.wayback(add, data)
	add(nameWARC, pl.writeWARC)
	add(nameWACZ, pl.writeWACZ)
	data(nameMembers, pl.warc.table())
	if b, ok := pl.warc.blocks[pl.manifest.Declaration]; ok {
		data(nameDeclaration, b.data)
	}
	if pl.Salt != nil {
		data(nameSalt, fmt.Appendf(nil, "%x\n", pl.Salt))
	}
	errs = append(errs, pl.derive(data))
	papers, err := pl.papers()
	errs = append(errs, err)
	for _, f := range papers {
		data(f.Name, f.Data)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	add(nameSums, func(w io.Writer) error { return writeSums(w, all) })
	return all, errors.Join(errs...)
}

func writeSums(w io.Writer, files []*content) error {
	lines := make([]string, 0, len(files))
	byName := map[string]*content{}
	for _, f := range files {
		if f != nil && f.name != nameSums {
			byName[f.name] = f
			lines = append(lines, f.name)
		}
	}
	slices.Sort(lines)
	for _, name := range lines {
		if _, err := fmt.Fprintf(w, "%x  %s\n", byName[name].sha256, name); err != nil {
			return err
		}
	}
	return nil
}

// proofs adds leaves and proofs.
func (pl *plan) proofs(data func(string, []byte)) {
	data(nameLeaf, pl.Look.Leaf)
	data(nameProof, pl.Look.Proof)
	if pl.Prev != nil {
		data(namePrev, pl.Prev.Leaf)
		data(namePrevProof, pl.Prev.Proof)
	}
	data(nameCheckpoint, pl.Checkpoint)
	data(nameCosigned, pl.Cosigned)
	data(nameNewer, pl.Newer)
	for i, e := range pl.between {
		name := fmt.Sprintf("%s%d", dirBetween, e.N)
		data(name+suffixLeaf, pl.Between[i].Leaf)
		data(name+suffixProof, pl.Between[i].Proof)
	}
	for i, r := range pl.Refers {
		name := fmt.Sprintf("%s%d", dirRefers, i+1)
		data(name+suffixLeaf, r.Leaf)
		data(name+suffixProof, r.Proof)
		data(name+suffixManifest, r.Manifest)
	}
}

// anchors adds what outside parties said, and whom the operator trusts.
func (pl *plan) anchors(data func(string, []byte)) {
	for _, f := range pl.Anchors {
		data(dirAnchors+f.Name, f.Data)
	}
	if pl.Policy != "" {
		data(namePolicy, []byte(pl.Policy))
	}
	if pl.LogKey != "" {
		data(nameKey, []byte(strings.TrimSpace(pl.LogKey)+"\n"))
	}
}

// tls adds the certificate chain and the handshake proof of the page's
// connection, both as they stand in the WARC.
func (pl *plan) tls(data func(string, []byte)) {
	t := pl.manifest.TLS
	if t == nil {
		return
	}
	data(nameTLSReadme, []byte(tlsReadme))
	data(nameChain, pl.warc.chains[t.Chain])
	if t.Proof.IsZero() {
		return
	}
	data(nameHandshake, pl.warc.blocks[t.Proof].data)
	if c := pl.Committed; c != nil {
		data(nameList, c.List)
		data(nameOldCheck, c.Checkpoint)
		data(nameOldProof, c.Consistency)
		for _, f := range c.Files {
			data(dirCommitted+f.Name, f.Data)
		}
	}
}

// stemReceipt and stemReadBack return the names of the leaves of a receipt, and of
// the look that it follows from, without their endings. k counts from 1.
func stemReceipt(k int) string  { return stemReadBack(k) + suffixReceipt }
func stemReadBack(k int) string { return dirWayback + strconv.Itoa(k) }

// wayback adds the receipts and the records that they follow from.
func (pl *plan) wayback(add func(string, func(io.Writer) error), data func(string, []byte)) {
	if len(pl.Receipts) == 0 {
		return
	}
	for i, r := range pl.Receipts {
		data(stemReceipt(i+1)+suffixLeaf, r.Receipt.Leaf)
		data(stemReceipt(i+1)+suffixProof, r.Receipt.Proof)
		data(stemReadBack(i+1)+suffixLeaf, r.Look.Leaf)
		data(stemReadBack(i+1)+suffixProof, r.Look.Proof)
	}
	add(nameWayback, func(w io.Writer) error { return copyAll(w, pl.Wayback, pl.WaybackSize) })
	data(nameWaybackMembers, pl.readBack.table())
}

func (pl *plan) records() io.Reader { return io.NewSectionReader(pl.WARC, 0, pl.WARCSize) }

func (pl *plan) writeWARC(w io.Writer) error {
	return copyAll(w, pl.WARC, pl.WARCSize)
}

func copyAll(w io.Writer, r io.ReaderAt, size int64) error {
	n, err := io.Copy(w, io.NewSectionReader(r, 0, size))
	if err == nil && n != size {
		err = fmt.Errorf("%d bytes, want %d", n, size)
	}
	return err
}

func (pl *plan) writeWACZ(w io.Writer) error {
	c := warc.WACZ{Records: pl.allRecords(), Title: pl.title(), Software: pl.Tool, Created: pl.manifest.Ended}
	for _, m := range pl.manifests() {
		if m.Result == warc.Captured {
			address := m.FinalURL
			if address == "" {
				address = m.URL
			}
			c.Pages = append(c.Pages, warc.Page{URL: address, TS: m.Time, Title: pl.title()})
		}
	}
	return warc.WriteWACZ(w, c)
}

func (pl *plan) allRecords() iter.Seq2[io.Reader, error] {
	return func(yield func(io.Reader, error) bool) { yield(pl.records(), nil) }
}

// manifests returns those of the WARC by time.
func (pl *plan) manifests() []*warc.Manifest {
	var all []*warc.Manifest
	for _, r := range pl.warc.manifests {
		all = append(all, r.manifest)
	}
	slices.SortFunc(all, func(a, b *warc.Manifest) int { return a.Time.Compare(b.Time) })
	return all
}

func (pl *plan) title() string {
	if pl.Document != "" {
		return pl.Document
	}
	return pl.manifest.URL
}

// stamp prints a time as the papers do.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }

// trimmed cuts trailing white space of each line, so that templates may have it.
func trimmed(b []byte) []byte {
	lines := bytes.Split(b, []byte("\n"))
	for i, l := range lines {
		lines[i] = bytes.TrimRight(l, " \t")
	}
	return append(bytes.TrimRight(bytes.Join(lines, []byte("\n")), "\n"), '\n')
}
