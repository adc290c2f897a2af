package archive

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/fineprint-archive/fineprint/archive/catalog"
	"github.com/fineprint-archive/fineprint/archive/evidence"
)

// lostKey names a look that is lost as its entry does.
type lostKey struct {
	source string
	n      int64
}

// lostEntry is the rest of its entry.
type lostEntry struct {
	index int64
	run   string
	time  time.Time
}

// addLost takes the entry of a lost look. That two say the same is for the
// numbering to find.
func (a *auditor) addLost(index int64, e *evidence.Entry) {
	key := lostKey{e.Source, e.N}
	if _, twice := a.lost[key]; !twice {
		a.lost[key] = lostEntry{index, e.Run, e.Time}
	}
}

// compareLost compares the lost looks of the catalog with those of the log. Rows
// that were entered since the log was read are passed over.
func (a *auditor) compareLost(ctx context.Context) error {
	rows, err := a.cfg.Catalog.LostLooks(ctx)
	if err != nil {
		return err
	}
	met := map[lostKey]bool{}
	for _, row := range rows {
		key := lostKey{row.Source, row.N}
		entry, logged := a.lost[key]
		f := AuditFinding{Kind: AuditCatalog, Index: row.Index, Source: row.Source, N: row.N}
		met[key] = true
		switch {
		case logged && entry.index == row.Index && entry.run == row.Run && entry.time.Equal(row.Time):
			continue
		case logged:
			f.Index, f.Detail = entry.index, fmt.Sprintf("its row says that it was lost in run %.40q, begun %s, entry %d; the log says otherwise", row.Run, row.Time.Format(time.RFC3339Nano), row.Index)
		case row.Index >= a.report.Checkpoint.Size:
			continue
		case a.gaps > 0:
			f.Kind, f.Detail = AuditUnreadable, "the catalog calls this look lost, and the log has no such entry that can be read"
		default:
			f.Detail = "the catalog calls this look lost, and the log has no such entry"
		}
		a.find(f)
	}
	var left []lostKey
	for key := range a.lost {
		if !met[key] {
			left = append(left, key)
		}
	}
	slices.SortFunc(left, func(x, y lostKey) int { return cmp.Compare(a.lost[x].index, a.lost[y].index) })
	for _, key := range left {
		if err := a.notLost(ctx, key, a.lost[key]); err != nil {
			return err
		}
	}
	return nil
}

// notLost judges a lost look that the catalog does not call so: it may stand
// there as begun still, if the declaration of the loss did not come to its end.
func (a *auditor) notLost(ctx context.Context, key lostKey, entry lostEntry) error {
	f := AuditFinding{Kind: AuditCatalog, Index: entry.index, Source: key.source, N: key.n, Detail: "the log calls this look lost, and the catalog has no such row"}
	for row, err := range a.cfg.Catalog.Looks(ctx, catalog.LookFilter{Run: entry.run, N: key.n, Unfinished: true}) {
		if err != nil {
			return err
		}
		if row.State != catalog.LookSealed && row.Time.Equal(entry.time) {
			f.Kind = AuditPending
			f.Detail = fmt.Sprintf("the log calls this look lost, and the catalog still waits for spool %s; declare that lost again", row.Spool)
		}
	}
	a.find(f)
	return nil
}
