package archive

import (
	"context"
	"fmt"

	"github.com/fineprint-archive/fineprint/archive/catalog"
	"github.com/fineprint-archive/fineprint/archive/evidence"
	"github.com/fineprint-archive/fineprint/archive/tlog"
)

// logFollower enters what the log says into the catalog, entry by entry.
type logFollower struct {
	db     *catalog.DB
	wanted func(warc string) bool // objects whose indexes are entered
	looks  []catalog.LogIndex
	lost   []catalog.LostRow
	counts map[evidence.Type]int64
}

// followBatch is the number of looks that are entered together.
const followBatch = 2000

func newLogFollower(db *catalog.DB, wanted func(string) bool) *logFollower {
	return &logFollower{db: db, wanted: wanted, counts: map[evidence.Type]int64{}}
}

func (f *logFollower) add(ctx context.Context, leaf tlog.Entry) error {
	e, err := evidence.ParseEntry(leaf.Data)
	if err != nil {
		return fmt.Errorf("log entry %d: %w", leaf.Index, err)
	}
	f.counts[e.Type]++
	switch e.Type {
	case evidence.TypeLook:
		if f.wanted(e.WARC) {
			f.looks = append(f.looks, catalog.LogIndex{Source: e.Source, N: e.N, Manifest: e.Manifest.Record, WARC: e.WARC, Offset: e.Offset, Index: leaf.Index})
		}
	case evidence.TypeWARCFile:
		if f.wanted(e.WARC) {
			if err := f.flush(ctx); err != nil {
				return err
			}
			_, err = f.db.LogWARCKey(ctx, e.WARC, leaf.Index)
		}
	case evidence.TypeReceipt:
		at := make(map[string]int64, len(e.Records)) // one of them is the manifest
		for _, id := range e.Records {
			at[id] = leaf.Index
		}
		err = f.db.LogReceipts(ctx, at)
	case evidence.TypeLost:
		f.lost = append(f.lost, catalog.LostRow{Source: e.Source, N: e.N, Run: e.Run, Time: e.Time, Index: leaf.Index})
	case evidence.TypeAnchor:
		err = f.db.EnterAnchor(ctx, catalog.AnchorRow{
			List: e.List, SHA256: e.ListSHA256, Size: e.TreeSize, Checkpoint: e.CheckpointSHA256, Index: leaf.Index,
		})
	}
	if err == nil && len(f.looks)+len(f.lost) >= followBatch {
		err = f.flush(ctx)
	}
	return err
}

func (f *logFollower) flush(ctx context.Context) error {
	looks, lost := f.looks, f.lost
	f.looks, f.lost = nil, nil
	if err := f.db.LogLooks(ctx, looks); err != nil {
		return err
	}
	return f.db.EnterLost(ctx, lost)
}
