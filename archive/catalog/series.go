package catalog

import (
	"context"
	"fmt"
	"time"

	"github.com/fineprint-archive/fineprint/warc"
)

// Numbered is what stands under one number of a source.
type Numbered struct {
	N     int64
	State LookState // LookBegun, LookSpooled, LookSealed; "" of a lost look
	Time  time.Time
	ID    string // record id of the manifest; "" of a lost look
	Index int64  // in the log, -1 if it is not entered yet
}

// Series returns what stands under the numbers first to last of a source, in
// their order. Numbers under which nothing stands are left out.
func (db *DB) Series(ctx context.Context, source string, first, last int64) ([]Numbered, error) {
	dest := func(r *Numbered) []any { return []any{&r.N, &r.State, scanTime{&r.Time}, &r.ID, &r.Index} }
	rows, err := collect(ctx, reader{db}, dest, `SELECT n, state, time, id, log_index FROM looks WHERE source = $1 AND n >= $2 AND n <= $3
		UNION ALL SELECT n, 'begun', time, id, -1 FROM begun WHERE source = $1 AND n >= $2 AND n <= $3
		UNION ALL SELECT n, '', time, '', log_index FROM lost WHERE source = $1 AND n >= $2 AND n <= $3
		ORDER BY n`, clean(source), first, last)
	return rows, wrap(fmt.Sprintf("list looks %d to %d at %s", first, last, source), db.redact(err))
}

// LookInWARC returns the sealed look whose manifest has a record id and lies in
// the object with a key.
func (db *DB) LookInWARC(ctx context.Context, key, manifest string) (LookRow, bool, error) {
	var source string
	var n int64
	ok, err := one(reader{db}.QueryRow(ctx, "SELECT source, n FROM looks WHERE warc = $1 AND id = $2", key, clean(manifest)), &source, &n)
	if err != nil || !ok {
		return LookRow{}, false, wrap("look up look "+manifest, db.redact(err))
	}
	for l, err := range db.Looks(ctx, LookFilter{Source: source, N: n}) {
		return l, err == nil, err
	}
	return LookRow{}, false, nil
}

// AnchorsOver lists the anchor lists of checkpoints over at least size entries,
// the smallest first, and of one size the list with the most files first. limit
// bounds them.
func (db *DB) AnchorsOver(ctx context.Context, size int64, limit int) ([]AnchorRow, error) {
	rows, err := db.anchors(ctx, fmt.Sprintf(" WHERE tree_size >= $1 ORDER BY tree_size, files DESC, list LIMIT %d", limit), size)
	return rows, wrap("list anchors", err)
}

// AnchorList returns the anchor list whose text has a SHA-256.
func (db *DB) AnchorList(ctx context.Context, sha256 warc.Digest) (AnchorRow, bool, error) {
	rows, err := db.anchors(ctx, " WHERE sha256 = $1 LIMIT 1", digestText(sha256))
	if err != nil || len(rows) == 0 {
		return AnchorRow{}, false, wrap("look up anchor list "+sha256.Hex(), err)
	}
	return rows[0], true, nil
}

// anchors selects anchor lists by the end of a statement.
func (db *DB) anchors(ctx context.Context, end string, args ...any) ([]AnchorRow, error) {
	rows, err := collect(ctx, reader{db}, (*AnchorRow).dest, "SELECT "+anchorColumns+" FROM anchors"+end, args...)
	return rows, db.redact(err)
}
