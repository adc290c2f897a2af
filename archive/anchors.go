package archive

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/fineprint-archive/fineprint/archive/catalog"
	"github.com/fineprint-archive/fineprint/archive/evidence"
	"github.com/fineprint-archive/fineprint/archive/store"
	"github.com/fineprint-archive/fineprint/warc"
)

// anchorPrefix is where the statements of outside parties stand.
const anchorPrefix = "anchors/"

// maxAnchorFile bounds a file about a checkpoint, in bytes.
const maxAnchorFile = 9 << 20

// restoreAnchors enters the anchor lists of the store.
func restoreAnchors(ctx context.Context, s store.Store, db *catalog.DB) error {
	for info, err := range s.List(ctx, anchorPrefix, "") {
		if err != nil {
			return fmt.Errorf("list anchors: %w", err)
		}
		if !strings.HasSuffix(info.Key, ".list") {
			continue
		}
		text, err := readObject(ctx, s, info.Key, maxAnchorFile)
		if err != nil {
			return fmt.Errorf("%s: %w", info.Key, err)
		}
		list, err := evidence.ParseAnchorList(text)
		if err != nil {
			return fmt.Errorf("%s: %w", info.Key, err)
		}
		if err := db.EnterAnchor(ctx, anchorRow(info.Key, text, list)); err != nil {
			return err
		}
	}
	return nil
}

// anchorRow is the catalog's row of an anchor list that has no entry yet.
func anchorRow(key string, text []byte, list evidence.AnchorList) catalog.AnchorRow {
	return catalog.AnchorRow{
		List: key, SHA256: warc.SumSHA256(text), Size: list.Size, Checkpoint: list.Checkpoint,
		Files: int64(len(list.Files)), LogFrom: list.Size, Index: -1,
	}
}

// unlogged are anchor lists without an entry in the log, and the entries.
type unlogged struct {
	rows  []catalog.AnchorRow
	lines [][]byte
}

// maxUnlogged bounds the anchor entries of one batch.
const maxUnlogged = 1000

// unloggedAnchors makes the entries of the lists that have none. They go with a
// batch of looks, never by themselves: each batch is anchored, and an anchor that
// made a batch would never end.
func (a *Archive) unloggedAnchors(ctx context.Context) (u unlogged, err error) {
	if u.rows, err = a.cfg.Catalog.UnloggedAnchors(ctx, maxUnlogged); err != nil {
		return u, err
	}
	u.lines = make([][]byte, len(u.rows))
	for i, row := range u.rows {
		if u.lines[i], err = entryOf(row).Encode(); err != nil {
			return u, fmt.Errorf("%s: %w", row.List, err)
		}
	}
	return u, nil
}

// from returns the index from which on the log may hold the entries, or leaves
// that may be in it from size on: a crash may have come between log and catalog.
func (u *unlogged) from(size int64) int64 {
	for _, row := range u.rows {
		size = min(size, max(row.Size, row.LogFrom))
	}
	return size
}

// enterAnchors notes where the entries of lists stand in the log.
func (a *Archive) enterAnchors(ctx context.Context, u unlogged, indexes []int64) error {
	if len(u.rows) == 0 {
		return nil
	}
	a.cfg.Step("anchor-logged")
	for i, row := range u.rows {
		row.Index = indexes[i]
		if err := a.cfg.Catalog.EnterAnchor(ctx, row); err != nil {
			return err
		}
	}
	return nil
}

// AnchoredSum returns the SHA-256 of the anchor list of the newest anchored
// checkpoint, which handshake proofs commit to; !ok says that nothing is
// anchored yet. It knows what the catalog held when the archive was opened and
// what Anchor entered since. It may be called from several goroutines.
func (a *Archive) AnchoredSum() (sum [32]byte, ok bool) {
	p := a.anchored.Load()
	if p == nil {
		return sum, false
	}
	return *p, true
}

// readAnchored reads the newest list from the catalog.
func (a *Archive) readAnchored(ctx context.Context) error {
	if a.log == nil {
		return nil
	}
	rows, err := a.cfg.Catalog.Anchors(ctx, 1, false)
	if err != nil || len(rows) == 0 {
		return err
	}
	var sum [32]byte
	copy(sum[:], rows[0].SHA256.Sum)
	a.anchored.Store(&sum)
	return nil
}

// Anchor has parties state that they saw the newest checkpoint, see Anchorer.Run,
// and lets AnchoredSum know. An archive without a log has nothing to anchor.
func (a *Archive) Anchor(ctx context.Context, parties AnchorParties) (AnchorReport, error) {
	if a.log == nil {
		return AnchorReport{Outcomes: []AnchorOutcome{}}, nil
	}
	x, err := NewAnchorer(AnchorerConfig{
		Parties: parties, Store: a.cfg.Store, Mutable: a.cfg.Log.Mutable, Catalog: a.cfg.Catalog, Reader: a.reader, Log: a.log,
		Logger: a.cfg.Logger, Now: a.cfg.Now, Step: a.cfg.Step,
	})
	if err != nil {
		return AnchorReport{Outcomes: []AnchorOutcome{}}, err
	}
	report, err := x.Run(ctx)
	return report, errors.Join(err, a.readAnchored(context.WithoutCancel(ctx)))
}

// readObject reads a small object whole.
func readObject(ctx context.Context, s store.Store, key string, limit int64) (_ []byte, err error) {
	r, err := s.Get(ctx, key, 0, -1)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	data, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = fmt.Errorf("object is larger than %d bytes", limit)
	}
	return data, err
}
