package tlog

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/fineprint-archive/fineprint/archive/store"
	"golang.org/x/mod/sumdb/tlog"
)

// maxFindings ends a check: more would say nothing new.
const maxFindings = 100

// CheckOptions are what a Check may do beyond the tree itself.
type CheckOptions struct {
	// From is a checkpoint up to which an earlier Check found nothing, to go on
	// from there; zero: from the first entry.
	From Checkpoint
	// Partial also compares the partial tiles of every kept checkpoint, not
	// only those of the newest.
	Partial bool
	// Visit is called with each entry in order, after it was verified. An error
	// of it ends the check and is returned.
	Visit func(Entry) error
	// Progress is called now and then, and at the end, with the number of
	// entries done.
	Progress func(done int64)
}

// CheckReport is what a Check saw.
type CheckReport struct {
	Checkpoint  Checkpoint      // the newest published; what was checked against
	Entries     int64           // checked now
	Bytes       int64           // of these entries
	Checkpoints int             // kept ones whose root was computed again
	Tiles       int64           // hash tiles and bundles compared
	Findings    []*CorruptError // what is false; empty if the log is whole
}

// Check reads the whole log again: it hashes every entry, computes every tile
// and the root of every kept checkpoint from them, and compares. The error is
// about the check itself; what is false is in the report. It goes on behind a
// false object as long as the tree lets it know the true hashes, up to 100
// findings.
func Check(ctx context.Context, r *Reader, opt CheckOptions) (CheckReport, error) {
	c := &checker{r: NewReader(r.store, r.verifier), opt: opt, e: &edge{}}
	if err := c.run(ctx); err != nil {
		return c.report, fmt.Errorf("check log: %w", err)
	}
	return c.report, nil
}

var errEnough = errors.New("enough findings")

type checker struct {
	r      *Reader
	opt    CheckOptions
	report CheckReport

	v     *view // of the newest checkpoint; nil if its edge is false
	e     *edge // computed so far
	lost  bool  // an entry could not be told, so no root can be computed any more
	kept  func() (keptCheckpoint, error, bool)
	next  keptCheckpoint // the next kept checkpoint that was not reached yet
	ended bool           // there is none
}

func (c *checker) run(ctx context.Context) error {
	err := c.start(ctx)
	if err == nil {
		var stop func()
		if c.kept, stop, err = c.keptCheckpoints(ctx); err == nil {
			defer stop()
			err = c.stream(ctx)
		}
	}
	if errors.Is(err, errEnough) {
		return nil
	}
	return err
}

// start reads the newest checkpoint and the edges to begin and to end with.
func (c *checker) start(ctx context.Context) error {
	cp, err := c.r.Checkpoint(ctx)
	if err != nil {
		return err
	}
	c.report.Checkpoint = cp
	if c.v, err = c.r.at(ctx, cp); err != nil {
		c.v = nil
		if err := c.find(err); err != nil {
			return err
		}
	}
	from := c.opt.From
	if from.Size > cp.Size {
		return fmt.Errorf("it was checked up to size %d before, but the public checkpoint has size %d now: it was put back", from.Size, cp.Size)
	}
	if from.Size > 0 {
		v, err := c.r.at(ctx, from)
		if err != nil {
			return err
		}
		c.e = v.edge.clone()
	}
	return nil
}

// stream takes the entries bundle by bundle.
func (c *checker) stream(ctx context.Context) error {
	size := c.report.Checkpoint.Size
	if err := c.boundary(ctx, nil); err != nil {
		return err
	}
	work := func(ctx context.Context, n int64) (checkedBundle, error) { return c.readBundle(ctx, n, size) }
	for b, err := range ordered(ctx, c.e.size/tileWidth, (size+tileWidth-1)/tileWidth, work) {
		if err == nil {
			err = c.bundle(ctx, b)
		}
		if err != nil {
			return err
		}
		if c.opt.Progress != nil && (b.n%16 == 15 || c.e.size == size) {
			c.opt.Progress(c.e.size)
		}
	}
	for level := range maxLevels { // the partial tiles of the newest checkpoint
		if err := c.partial(ctx, level); err != nil {
			return err
		}
	}
	if !c.lost && c.e.root() != c.report.Checkpoint.Root {
		return c.find(corrupt(publicKey, "it commits to other entries than the %d of the log", size))
	}
	return nil
}

// checkedBundle is a bundle, read, beside its hash tile, or why not.
type checkedBundle struct {
	readBundle
	fault error     // *CorruptError: the bundle cannot be read
	row   objectRow // stored tile of level 0, of a full bundle
}

type objectRow struct {
	row   []tlog.Hash
	fault error // *CorruptError
}

// readBundle reads and hashes; it runs on several goroutines.
func (c *checker) readBundle(ctx context.Context, n, size int64) (checkedBundle, error) {
	b, err := c.r.hashedBundle(ctx, n, size)
	out := checkedBundle{readBundle: b}
	if err != nil {
		if !isCorrupt(err) {
			return out, err
		}
		out.fault = err
	}
	if size-n*tileWidth >= tileWidth {
		if out.row, err = c.objectRow(ctx, 0, n); err != nil {
			return out, err
		}
	}
	return out, nil
}

// objectRow reads a full tile.
func (c *checker) objectRow(ctx context.Context, level int, n int64) (objectRow, error) {
	row, _, err := c.r.row(ctx, level, n, tileWidth)
	if isCorrupt(err) {
		return objectRow{fault: err}, nil
	}
	return objectRow{row: row}, err
}

func isCorrupt(err error) bool {
	_, ok := errors.AsType[*CorruptError](err)
	return ok
}

// bundle checks one bundle and continues the tree by it.
func (c *checker) bundle(ctx context.Context, b checkedBundle) error {
	hashes, good, err := c.trueHashes(ctx, b)
	if err != nil {
		return err
	}
	if hashes == nil {
		// What stood here is not known any more, and neither is any later root.
		c.lost = true
		hashes = make([]tlog.Hash, min(tileWidth, c.report.Checkpoint.Size-b.n*tileWidth))
	}
	c.report.Tiles++
	var failure error
	full := func(level int, n int64, row []tlog.Hash) {
		if failure == nil {
			failure = c.fullTile(ctx, level, n, row, b)
		}
	}
	end := 0 // of the entries so far, in b.raw
	for i, h := range hashes {
		if good {
			end += 2 + len(b.entries[i])
		}
		index := b.n*tileWidth + int64(i)
		if index < c.e.size {
			continue // before From
		}
		if good {
			if err := c.visit(Entry{Index: index, Data: b.entries[i]}); err != nil {
				return err
			}
		}
		c.e.add(h, full)
		if failure != nil {
			return failure
		}
		var raw []byte
		if good {
			raw = b.raw[:end]
		}
		if err := c.boundary(ctx, raw); err != nil {
			return err
		}
	}
	return nil
}

func (c *checker) visit(e Entry) error {
	c.report.Entries++
	c.report.Bytes += int64(len(e.Data))
	if c.opt.Visit == nil {
		return nil
	}
	return c.opt.Visit(e)
}

// trueHashes returns the leaf hashes of a bundle and whether its entries are
// good. Those of a false or missing bundle come from the hash tile, if the
// tree vouches for it; nil if nothing does.
func (c *checker) trueHashes(ctx context.Context, b checkedBundle) (hashes []tlog.Hash, good bool, err error) {
	if c.v == nil {
		if b.fault != nil {
			return nil, false, c.find(b.fault)
		}
		return b.hashes, true, nil
	}
	if b.fault == nil {
		err := c.v.verify(ctx, b.readBundle)
		if err == nil {
			return b.hashes, true, nil
		}
		b.fault = err
	}
	if err := c.find(b.fault); err != nil {
		return nil, false, err
	}
	row, err := c.v.row(ctx, 0, b.n)
	if err == nil {
		return row, false, nil
	}
	if err := c.find(err); err != nil {
		return nil, false, err
	}
	return nil, false, nil
}

// fullTile compares a computed tile with the stored one.
func (c *checker) fullTile(ctx context.Context, level int, n int64, row []tlog.Hash, b checkedBundle) error {
	if c.lost {
		return nil
	}
	stored := b.row
	if level > 0 {
		var err error
		if stored, err = c.objectRow(ctx, level, n); err != nil {
			return err
		}
	}
	c.report.Tiles++
	if stored.fault != nil {
		return c.find(stored.fault)
	}
	if !slices.Equal(stored.row, row) {
		return c.find(corrupt(tileKey(level, n, tileWidth), "it does not hold the hashes of the entries below it"))
	}
	return nil
}

// partial compares the partial tile of a level at the present size. One whose
// full tile exists may be missing.
func (c *checker) partial(ctx context.Context, level int) error {
	w := width(c.e.size, level)
	if w == 0 || c.lost {
		return nil
	}
	n := c.e.size >> (tileHeight * (level + 1))
	row, key, err := c.r.row(ctx, level, n, w)
	if err != nil {
		return c.find(err)
	}
	c.report.Tiles++
	if !slices.Equal(row, c.e.rows[level]) {
		return c.find(corrupt(key, "it does not hold the hashes of the entries below it"))
	}
	return nil
}

// boundary compares the kept checkpoint of the present size, if there is one,
// and the partial objects that it needs. raw is the bundle up to here, nil if
// it is not known.
func (c *checker) boundary(ctx context.Context, raw []byte) error {
	for !c.ended && c.next.size <= c.e.size {
		if k := c.next; k.cp.Raw != nil && k.size == c.e.size && !c.lost {
			c.report.Checkpoints++
			if k.cp.Root != c.e.root() {
				if err := c.find(corrupt(keptKey(k.size), "it commits to other entries than the first %d of the log", k.size)); err != nil {
					return err
				}
			} else if c.opt.Partial {
				if err := c.partials(ctx, raw); err != nil {
					return err
				}
			}
		}
		if err := c.advance(); err != nil {
			return err
		}
	}
	return nil
}

func (c *checker) partials(ctx context.Context, raw []byte) error {
	for level := range maxLevels {
		if err := c.partial(ctx, level); err != nil {
			return err
		}
	}
	w := width(c.e.size, 0)
	if w == 0 || raw == nil {
		return nil
	}
	_, stored, key, err := c.r.bundle(ctx, c.e.size/tileWidth, w)
	if err != nil {
		return c.find(err)
	}
	c.report.Tiles++
	if !bytes.Equal(stored, raw) {
		return c.find(corrupt(key, "it does not hold the entries of the log"))
	}
	return nil
}

// keptCheckpoint is one that is kept; cp is zero if it is false.
type keptCheckpoint struct {
	size int64
	cp   Checkpoint
	err  error
}

// keptCheckpoints lists the kept checkpoints, judges their sizes, and returns a
// function that reads those from From on in order.
func (c *checker) keptCheckpoints(ctx context.Context) (next func() (keptCheckpoint, error, bool), stop func(), err error) {
	sizes, err := c.r.sizes(ctx)
	if err != nil {
		return nil, nil, err
	}
	newest := c.report.Checkpoint.Size
	at, found := slices.BinarySearch(sizes, newest)
	if !found {
		if err := c.find(corrupt(keptKey(newest), "it is missing, though it is the public checkpoint")); err != nil {
			return nil, nil, err
		}
	} else {
		at++
	}
	if beyond := sizes[at:]; len(beyond) > 0 {
		if err := c.beyond(ctx, beyond[len(beyond)-1]); err != nil {
			return nil, nil, err
		}
	}
	from, _ := slices.BinarySearch(sizes, c.e.size)
	sizes = sizes[from:at]
	read := func(ctx context.Context, i int64) (keptCheckpoint, error) {
		k := keptCheckpoint{size: sizes[i]}
		k.cp, k.err = c.r.CheckpointAt(ctx, k.size)
		if k.err != nil && !isCorrupt(k.err) && !errors.Is(k.err, store.ErrNotExist) {
			return k, k.err
		}
		return k, nil
	}
	next, stop = iter.Pull2(ordered(ctx, 0, int64(len(sizes)), read))
	return next, stop, nil
}

// beyond judges a kept checkpoint that is larger than the public one: a batch
// between the two steps, whose staging still exists, or a public checkpoint
// that was put back. Publishing comes before the end of staging, so they are
// looked at in the other order.
func (c *checker) beyond(ctx context.Context, largest int64) error {
	for _, err := range c.r.store.List(ctx, fmt.Sprintf("%s%d-", stagingPrefix, largest), "") {
		return err // nil: it is on its way
	}
	now, err := c.r.Checkpoint(ctx)
	if err != nil || now.Size >= largest {
		return err
	}
	return c.find(corrupt(publicKey, "it has size %d, but a checkpoint of size %d was published: it was put back", now.Size, largest))
}

// advance takes the next kept checkpoint.
func (c *checker) advance() error {
	k, err, ok := c.kept()
	if err != nil {
		return err
	}
	c.next, c.ended = k, !ok
	if !ok || k.err == nil {
		return nil
	}
	return c.find(missing(keptKey(k.size), k.err))
}

// find notes a finding and returns any other error.
func (c *checker) find(err error) error {
	f, ok := errors.AsType[*CorruptError](err)
	if !ok {
		return err
	}
	for _, g := range c.report.Findings {
		if slices.Equal(f.Objects, g.Objects) {
			return nil // one finding for each object is enough
		}
	}
	c.report.Findings = append(c.report.Findings, f)
	if len(c.report.Findings) == maxFindings {
		return errEnough
	}
	return nil
}
