package catalog

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/fineprint-archive/fineprint/warc"
)

// RecordRow is a whole response record that later looks may refer to with a
// revisit record (WARC 1.1, section 6.7).
type RecordRow struct {
	URI      string
	SHA256   warc.Digest // of the payload
	Size     int64       // of the payload, bytes
	RecordID string
	Date     time.Time
	WARC     string // name of its file
}

// DeclarationRow is a canonical declaration kept as a WARC record.
type DeclarationRow struct {
	SHA256    warc.Digest
	Canonical []byte
	WARC      string // name of its file
	RecordID  string
}

// FindPayload returns the oldest record of uri with the given payload that a
// revisit record in the file openWARC may refer to: it lies in a sealed file or
// in that one. Others may still vanish with their spool. The WARC of the
// reference is the key of its object, also if it is openWARC's.
func (db *DB) FindPayload(ctx context.Context, uri string, sha256 warc.Digest, size int64, openWARC string) (*warc.Reference, bool, error) {
	var ref warc.Reference
	ok, err := one(reader{db}.QueryRow(ctx, `SELECT r.id, r.uri, r.date, w.key FROM records r JOIN warcs w ON w.name = r.warc
		WHERE r.url_hash = $1 AND r.payload_sha256 = $2 AND r.payload_size = $3 AND (w.state = 'sealed' OR w.name = $4)
		ORDER BY r.date, r.warc LIMIT 1`,
		hashKey(uri), digestText(sha256), size, openWARC), &ref.Record, &ref.URI, scanTime{&ref.Date}, &ref.WARC)
	if err != nil || !ok {
		return nil, false, wrap("find payload", db.redact(err))
	}
	return &ref, true, nil
}

// StoreDeclaration enters a declaration that was written to a WARC file.
func (db *DB) StoreDeclaration(ctx context.Context, d DeclarationRow) error {
	if d.SHA256.IsZero() {
		return fmt.Errorf("declaration %s has no digest", d.RecordID)
	}
	return db.Write(ctx, func(ctx context.Context, tx *Tx) error {
		return wrap("enter declaration "+d.SHA256.Hex(), insertDeclarations(ctx, tx, []DeclarationRow{d}))
	})
}

// DeclarationStored reports whether a sealed WARC file, or the one named, holds
// the declaration with the given digest.
func (db *DB) DeclarationStored(ctx context.Context, sha256 warc.Digest, openWARC string) (bool, error) {
	var found int64
	ok, err := one(reader{db}.QueryRow(ctx, `SELECT 1 FROM declarations d JOIN warcs w ON w.name = d.warc
		WHERE d.sha256 = $1 AND (w.state = 'sealed' OR w.name = $2) LIMIT 1`, digestText(sha256), openWARC), &found)
	return ok, wrap("find declaration", db.redact(err))
}

// insertDeclarations keeps the smallest record id where a file holds a
// declaration twice, so that the order of insertion does not matter.
func insertDeclarations(ctx context.Context, tx *Tx, list []DeclarationRow) error {
	rows := make([][]any, 0, len(list))
	for _, d := range list {
		rows = append(rows, []any{digestText(d.SHA256), clean(d.WARC), clean(d.RecordID), nonNil(d.Canonical)})
	}
	return insertRows(ctx, tx, "INSERT INTO declarations (sha256, warc, record_id, canonical) VALUES ",
		" ON CONFLICT (sha256, warc) DO UPDATE SET record_id = excluded.record_id WHERE excluded.record_id < declarations.record_id",
		distinct(rows, []int{0, 1}, []int{2}))
}

// insertRecords keeps the oldest record where a file holds a payload of one
// address twice, so that the order of insertion does not matter.
func insertRecords(ctx context.Context, tx *Tx, list []RecordRow) error {
	rows := make([][]any, 0, len(list))
	for _, r := range list {
		rows = append(rows, []any{hashKey(r.URI), digestText(r.SHA256), clean(r.WARC), timeText(r.Date), clean(r.RecordID), r.Size, clean(r.URI)})
	}
	return insertRows(ctx, tx, "INSERT INTO records (url_hash, payload_sha256, warc, date, id, payload_size, uri) VALUES ",
		` ON CONFLICT (url_hash, payload_sha256, warc) DO UPDATE SET date = excluded.date, id = excluded.id, payload_size = excluded.payload_size, uri = excluded.uri
		WHERE (excluded.date, excluded.id) < (records.date, records.id)`,
		distinct(rows, []int{0, 1, 2}, []int{3, 4}))
}

// distinct sorts rows by the text columns key and then order, and keeps the
// first of each key: one statement must not touch a row twice.
func distinct(rows [][]any, key, order []int) [][]any {
	if len(rows) < 2 {
		return rows
	}
	compare := func(a, b []any, columns []int) int {
		for _, c := range columns {
			if d := strings.Compare(a[c].(string), b[c].(string)); d != 0 {
				return d
			}
		}
		return 0
	}
	slices.SortFunc(rows, func(a, b []any) int {
		return cmp.Or(compare(a, b, key), compare(a, b, order))
	})
	return slices.CompactFunc(rows, func(a, b []any) bool { return compare(a, b, key) == 0 })
}

// nonNil returns b, or an empty slice for nil: columns hold no NULL.
func nonNil(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

func wrap(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", what, err)
}
