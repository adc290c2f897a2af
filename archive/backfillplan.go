package archive

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/fineprint-archive/fineprint/archive/catalog"
	"github.com/fineprint-archive/fineprint/archive/wayback"
)

// BackfillEstimate says what the index of a web archive lists of a page, and what
// a backfill of it would ask for.
type BackfillEstimate struct {
	Rows     int64            `json:"rows"`     // of the index
	Captures int64            `json:"captures"` // of the page: its address, and status 200 or a revisit of such
	Revisits int64            `json:"revisits"` // of them
	Others   map[string]int64 `json:"others"`   // left out: by status, and "address" for rows of another address
	First    *time.Time       `json:"first"`    // of the captures; null without any
	Last     *time.Time       `json:"last"`
	Distinct int64            `json:"distinct"` // bodies
	Known    int64            `json:"known"`    // of them that are in the archive already
	Requests int64            `json:"requests"` // replays to be made
}

// maxOthers bounds the captures with the same body that are turned to when the
// first is absent.
const maxOthers = 3

// EstimateBackfill says what a backfill would do. It changes nothing.
func EstimateBackfill(ctx context.Context, db *catalog.DB, source, address string, list []wayback.IndexRow) (BackfillEstimate, error) {
	rows, estimate := planImports(source, address, list, time.Time{})
	err := estimate.known(ctx, db, source, rows)
	return estimate, err
}

// known counts the bodies that are in the archive already.
func (e *BackfillEstimate) known(ctx context.Context, db *catalog.DB, source string, rows []catalog.ImportRow) error {
	digests, times, err := db.ImportedDigests(ctx, source)
	if err != nil {
		return err
	}
	byKey := make(map[string]bool, len(digests))
	for d := range digests {
		byKey[d.Hex()] = true
	}
	for _, r := range rows {
		if byKey[r.Key] || strings.Contains(r.Key, ":") && times[r.Time] {
			e.Known++
		}
	}
	e.Requests = e.Distinct - e.Known
	return nil
}

// planImports finds the bodies that an index lists of an address, each with the
// capture by which it is best replayed: the first one that is stored whole, else
// the first. The rows are in the order of their times.
func planImports(source, address string, list []wayback.IndexRow, now time.Time) ([]catalog.ImportRow, BackfillEstimate) {
	e := BackfillEstimate{Rows: int64(len(list)), Others: map[string]int64{}}
	seen := newIndexView(address, list)
	byKey := map[string]*catalog.ImportRow{}
	for i := range list {
		r := &list[i]
		c, kind := seen.capture(r)
		if kind != "" {
			e.Others[kind]++
			continue
		}
		e.count(r, c.Time)
		row := byKey[c.key]
		if row == nil {
			row = &catalog.ImportRow{Source: source, Key: c.key, ImportCapture: c.ImportCapture, Status: r.Status, MIME: r.MIME, State: catalog.ImportWaiting, NextAt: now}
			byKey[c.key] = row
			continue
		}
		addCapture(row, c.ImportCapture, r)
	}
	rows := make([]catalog.ImportRow, 0, len(byKey))
	for _, row := range byKey {
		rows = append(rows, *row)
	}
	slices.SortFunc(rows, func(a, b catalog.ImportRow) int {
		return cmp.Or(a.Time.Compare(b.Time), strings.Compare(a.Key, b.Key))
	})
	e.Distinct = int64(len(rows))
	e.Requests = e.Distinct
	return rows, e
}

// addCapture adds a further capture of a body.
func addCapture(row *catalog.ImportRow, c catalog.ImportCapture, r *wayback.IndexRow) {
	if row.Revisit && !c.Revisit {
		row.ImportCapture, c = c, row.ImportCapture
		row.Status, row.MIME = r.Status, r.MIME
	}
	if len(row.Others) < maxOthers {
		row.Others = append(row.Others, c)
	}
}

// count counts a capture.
func (e *BackfillEstimate) count(r *wayback.IndexRow, at time.Time) {
	e.Captures++
	if r.Revisit {
		e.Revisits++
	}
	if e.First == nil || at.Before(*e.First) {
		e.First = &at
	}
	if e.Last == nil || at.After(*e.Last) {
		e.Last = &at
	}
}
