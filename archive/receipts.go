package archive

import (
	"context"

	"github.com/fineprint-archive/fineprint/archive/catalog"
)

// unloggedLeaves are receipts without an entry in the log.
type unloggedLeaves struct {
	rows  []catalog.UnloggedReceipt
	lines [][]byte
}

// unloggedReceipts returns the receipts that follow from the WARC file with this
// name, or from one that is in the log already. They go with a batch of looks,
// after the looks that they follow from.
func (a *Archive) unloggedReceipts(ctx context.Context, name string) (u unloggedLeaves, err error) {
	u.rows, err = a.cfg.Catalog.UnloggedReceipts(ctx, name, maxLeaves)
	for _, row := range u.rows {
		u.lines = append(u.lines, row.Leaf)
	}
	return u, err
}

// from returns the index from which on the log may hold the receipts, or leaves
// that may be in it from size on: a crash may have come between log and catalog.
func (u *unloggedLeaves) from(size int64) int64 {
	for _, row := range u.rows {
		if row.From >= 0 {
			size = min(size, row.From)
		}
	}
	return size
}

// enterReceipts notes where receipts stand in the log.
func (a *Archive) enterReceipts(ctx context.Context, u unloggedLeaves, indexes []int64) error {
	if len(u.rows) == 0 {
		return nil
	}
	a.cfg.Step("receipt-logged")
	at := make(map[string]int64, len(u.rows))
	for i, row := range u.rows {
		at[row.Look] = indexes[i]
	}
	return a.cfg.Catalog.LogReceipts(ctx, at)
}
