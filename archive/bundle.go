package archive

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/fineprint-archive/fineprint/archive/catalog"
	"github.com/fineprint-archive/fineprint/archive/evidence"
	"github.com/fineprint-archive/fineprint/archive/store"
	"github.com/fineprint-archive/fineprint/archive/tlog"
	"github.com/fineprint-archive/fineprint/warc"
)

// ErrUnlogged says that a look is sealed and not in the log yet.
var ErrUnlogged = errors.New("look is not in the log yet; run `fineprint seal`")

// Scratch takes the WARC of a bundle while it is put together: an empty file of
// the caller, who removes it when the bundle is written.
type Scratch interface {
	io.Writer
	io.ReaderAt
}

// BundleRequest names the look that a bundle is about, and where to find what
// belongs to it. All fields up to Scratch are required.
type BundleRequest struct {
	Store   store.Store
	Catalog *catalog.DB
	Log     *tlog.Reader
	Look    catalog.LookRow
	Scratch Scratch

	From *catalog.LookRow // first look of a range, at the same source and before Look; nil for none

	// Secret is that of LogConfig; it is needed for a private source alone.
	Secret []byte

	LogKey   string // verifier key of the log, for convenience
	Policy   string // C2SP tlog-policy of the operator, likewise
	Operator string
	Contact  string
	Tool     string
	Created  time.Time

	Progress func(done, total int) // told of each proven leaf; may be nil
}

// CollectBundle brings together what a bundle consists of: the records of the
// look, byte for byte, those that they refer to, the leaves with their proofs
// under one checkpoint, what outside parties said about that, what the look shows
// of its documents as text, and what web archives have of the page by the receipts
// in the log. With a range also the records of its first look, and every leaf
// between. What it reads grows with the range and the records, not with the log.
//
// The checkpoint is the earliest one that holds all the leaves and bears a
// timestamp: nothing later bounds the time of the look as well. A proof of
// consistency leads from there to the newest one, under which the receipts are
// proven. Without a timestamp it is the earliest one with any anchor, else the
// newest.
//
// A look that still lies in a spool is ErrUnsealed, one without an entry
// ErrUnlogged. The parts may be used until Scratch is closed.
func CollectBundle(ctx context.Context, r BundleRequest) (evidence.Parts, error) {
	p, err := (&bundler{BundleRequest: r}).collect(ctx)
	if err != nil {
		return evidence.Parts{}, fmt.Errorf("look %d at %s: %w", r.Look.N, r.Look.URL, err)
	}
	return p, nil
}

// bundler holds what the steps of CollectBundle share.
type bundler struct {
	BundleRequest
	manifest *warc.Manifest // of Look
	series   []catalog.Numbered
	refers   []referredLook
	cp       tlog.Checkpoint // bytes of log/checkpoints/<size>
	newest   tlog.Checkpoint // with its cosignatures
	done     int

	readBacks []readBackLook // with receipts
}

// referredLook is a look one of whose records a revisit record refers to.
type referredLook struct {
	row      catalog.LookRow
	manifest []byte // gzip member
}

func (b *bundler) collect(ctx context.Context) (p evidence.Parts, err error) {
	for _, step := range []func(context.Context) error{b.checkLooks, b.findSeries, b.findReferred} {
		if err := step(ctx); err != nil {
			return p, err
		}
	}
	anchors, err := b.findCheckpoint(ctx)
	if err != nil {
		return p, err
	}
	if err := b.findReceipts(ctx); err != nil {
		return p, err
	}
	p = evidence.Parts{
		Checkpoint: b.cp.Raw, LogKey: b.LogKey, Policy: b.Policy, Document: pageName(b.Look),
		Operator: b.Operator, Contact: b.Contact, Tool: b.Tool, Created: b.Created,
	}
	if b.manifest.Private {
		if len(b.Secret) == 0 {
			return p, errors.New("the source is private: who shows it needs the log's private key (log.key_file)")
		}
		p.Salt = evidence.SourceSalt(b.Secret, b.manifest.Source)
	}
	p.Cosigned, p.Anchors = b.split(anchors)
	if p.Committed, err = b.committed(ctx); err != nil {
		return p, err
	}
	if b.newest.Size > b.cp.Size {
		if p.Newer, err = b.Log.ConsistencyProof(ctx, b.cp.Size, b.newest); err != nil {
			return p, err
		}
	}
	if err := b.proveAll(ctx, &p); err != nil {
		return p, err
	}
	p.WARC = b.Scratch
	if p.WARCSize, err = b.copyRecords(ctx); err != nil {
		return p, err
	}
	if err := b.proveReceipts(ctx, &p, p.WARCSize); err != nil {
		return p, err
	}
	p.Derived, err = b.derive(ctx)
	return p, err
}

// pageName is what a reader calls the document of a look.
func pageName(row catalog.LookRow) string {
	var parts []string
	for _, s := range []string{row.Service, row.Terms, row.Lang} {
		if s != "" {
			parts = append(parts, s)
		}
	}
	return strings.Join(parts, ", ")
}

// checkLooks reads the manifest of the look and checks the ends of the range.
func (b *bundler) checkLooks(ctx context.Context) (err error) {
	if b.manifest, err = manifestOf(ctx, b.Store, b.Look); err != nil {
		return err
	}
	from := b.From
	switch {
	case from == nil:
		return nil
	case from.Source != b.Look.Source:
		return fmt.Errorf("the range begins at another source (%s): numbers are those of one source", from.URL)
	case from.N >= b.Look.N:
		return fmt.Errorf("the range begins with look %d, which is not before it", from.N)
	case from.State != catalog.LookSealed:
		return fmt.Errorf("look %d, where the range begins: %w", from.N, ErrUnsealed)
	}
	return nil
}

// findSeries finds the entries from the begin of the range, or of the look
// before, up to the look.
func (b *bundler) findSeries(ctx context.Context) (err error) {
	first := max(b.Look.N-1, 1)
	if b.From != nil {
		first = b.From.N
	}
	b.series, err = b.Catalog.Series(ctx, b.Look.Source, first, b.Look.N)
	if err != nil {
		return err
	}
	if last := len(b.series) - 1; last < 0 || b.series[last].N != b.Look.N || b.series[last].Index < 0 {
		return ErrUnlogged
	}
	if b.From == nil {
		if b.series[0].Index < 0 {
			b.series = b.series[1:] // the look before lies elsewhere still: a bundle can do without
		}
		return nil
	}
	for i, s := range b.series {
		switch want := first + int64(i); {
		case s.N != want:
			return fmt.Errorf("nothing stands under numbers %d to %d: `fineprint audit` says more", want, s.N-1)
		case s.State != "" && s.State != catalog.LookSealed:
			return fmt.Errorf("look %d of the range: %w", s.N, ErrUnsealed)
		case s.Index < 0:
			return fmt.Errorf("look %d of the range: %w", s.N, ErrUnlogged)
		}
	}
	return nil
}

// findReferred finds the looks whose records the revisit records repeat, but for
// those whose manifests are copied anyway.
func (b *bundler) findReferred(ctx context.Context) error {
	seen := map[string]bool{b.Look.ID: true}
	if b.From != nil {
		seen[b.From.ID] = true
		m, err := manifestOf(ctx, b.Store, *b.From)
		if err == nil {
			err = b.addReferred(ctx, m, *b.From, seen)
		}
		if err != nil {
			return fmt.Errorf("look %d, where the range begins: %w", b.From.N, err)
		}
	}
	return b.addReferred(ctx, b.manifest, b.Look, seen)
}

func (b *bundler) addReferred(ctx context.Context, m *warc.Manifest, of catalog.LookRow, seen map[string]bool) error {
	refs := []*warc.Reference{m.SameAs}
	for _, note := range m.Exchanges {
		refs = append(refs, note.SameAs)
	}
	for _, ref := range refs {
		if ref == nil {
			continue
		}
		id, err := warc.ManifestOf(ref.Record)
		if err != nil {
			return fmt.Errorf("a revisit record refers to %s: %w", ref.Record, err)
		}
		if seen[id] {
			continue
		}
		seen[id] = true
		row, found, err := b.Catalog.LookInWARC(ctx, cmp.Or(ref.WARC, of.WARC), id)
		switch {
		case err != nil:
			return err
		case !found:
			return fmt.Errorf("the catalog does not know look %s, one of whose records a revisit record refers to: `fineprint audit` says more", id)
		case row.Index < 0:
			return fmt.Errorf("look %d at %s, one of whose records a revisit record refers to: %w", row.N, row.URL, ErrUnlogged)
		}
		member, err := readPiece(ctx, b.Store, piece{row.WARC, row.Offset, row.Length})
		if err != nil {
			return err
		}
		b.refers = append(b.refers, referredLook{row, member})
	}
	return nil
}

// readPiece reads a small part of an object whole.
func readPiece(ctx context.Context, s store.Store, p piece) (_ []byte, err error) {
	r, err := s.Get(ctx, p.key, p.offset, p.length)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	data, err := io.ReadAll(r)
	if err == nil && int64(len(data)) != p.length {
		err = fmt.Errorf("%s ends at %d, want %d", p.key, p.offset+int64(len(data)), p.offset+p.length)
	}
	return data, err
}

// proveAll fills in the leaves with their proofs.
func (b *bundler) proveAll(ctx context.Context, p *evidence.Parts) error {
	for i, s := range b.series {
		proven, err := b.prove(ctx, s.Index)
		if err != nil {
			return err
		}
		switch {
		case i == len(b.series)-1:
			p.Look = proven
		case b.From != nil:
			p.Between = append(p.Between, proven)
		}
		if i == len(b.series)-2 {
			p.Prev = &proven
		}
	}
	for _, r := range b.refers {
		proven, err := b.prove(ctx, r.row.Index)
		if err != nil {
			return err
		}
		p.Refers = append(p.Refers, evidence.Referred{Proven: proven, Manifest: r.manifest})
	}
	return nil
}

func (b *bundler) prove(ctx context.Context, index int64) (evidence.Proven, error) {
	return b.proveUnder(ctx, b.cp, index)
}

func (b *bundler) proveUnder(ctx context.Context, cp tlog.Checkpoint, index int64) (p evidence.Proven, err error) {
	if p.Leaf, err = b.Log.Entry(ctx, cp, index); err != nil {
		return p, err
	}
	if p.Proof, err = b.Log.InclusionProof(ctx, cp, index); err != nil {
		return p, err
	}
	if b.done++; b.Progress != nil {
		b.Progress(b.done, len(b.series)+len(b.refers)+2*len(b.readBacks))
	}
	return p, nil
}

// copyRecords writes the WARC into the scratch file and returns its size.
func (b *bundler) copyRecords(ctx context.Context) (int64, error) {
	rows := []catalog.LookRow{b.Look}
	if b.From != nil {
		rows = slices.Insert(rows, 0, *b.From)
	}
	n := &countingWriter{w: b.Scratch}
	err := ExportWARC(ctx, b.Store, b.Catalog, rows, n)
	return n.n, err
}

type countingWriter struct {
	w io.Writer
	n int64
}

func (c *countingWriter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}

// lines returns the signature lines of a signed checkpoint.
func lines(signed []byte) [][]byte {
	_, sigs, _ := bytes.Cut(signed, []byte("\n\n"))
	return slices.Collect(bytes.Lines(sigs))
}
