package catalog

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/fineprint-archive/fineprint/warc"
)

// MementoRow is a look at a web archive: what it has of a page of ours.
type MementoRow struct {
	Look    string // id of the look's manifest
	Source  string // of the page, not of the look
	N       int64  // read-back: number of our look at the page that it is compared with
	Purpose warc.Purpose
	URL     string      // the archived address
	Time    time.Time   // of the capture, as the web archive has it
	Made    time.Time   // of the look
	Status  int         // of the page, by the index
	MIME    string      // likewise
	Digest  warc.Digest // of the payload, likewise
	Src     string      // the web archive's WARC
	Facts   warc.Facts
	Grade   string
	Rules   string // by which the texts were made that were compared
	WARC    string // key of the object with the look
	Leaf    []byte // the receipt entry; empty for none
	Index   int64  // of that entry in the log, -1 while it is not in it
}

// noReceipt stands in log_index where there will be no entry.
const noReceipt = -2

const mementoColumns = "look, source, n, purpose, url, time, made, status, mime, digest, src, facts, grade, rules, warc, leaf, log_index"

func (m *MementoRow) args() ([]any, error) {
	facts, err := json.Marshal(m.Facts)
	if err != nil {
		return nil, err
	}
	index := m.Index
	if len(m.Leaf) == 0 {
		index = noReceipt
	}
	return []any{m.Look, m.Source, m.N, string(m.Purpose), clean(m.URL), timeText(m.Time), timeText(m.Made), m.Status, clean(m.MIME), digestText(m.Digest),
		clean(m.Src), string(facts), clean(m.Grade), clean(m.Rules), m.WARC, nonNil(m.Leaf), index}, errors.Join(checkKey("manifest id", m.Look), checkKey("source id", m.Source), checkKey("WARC key", m.WARC))
}

func (m *MementoRow) dest() []any {
	return []any{&m.Look, &m.Source, &m.N, &m.Purpose, &m.URL, scanTime{&m.Time}, scanTime{&m.Made}, &m.Status, &m.MIME, scanDigest{warc.SHA1, &m.Digest},
		&m.Src, scanJSON{&m.Facts}, &m.Grade, &m.Rules, &m.WARC, &m.Leaf, &m.Index}
}

// scanJSON reads a column of JSON text.
type scanJSON struct{ to any }

// Scan implements sql.Scanner.
func (s scanJSON) Scan(v any) error {
	switch v := v.(type) {
	case string:
		return json.Unmarshal([]byte(v), s.to)
	case []byte:
		return json.Unmarshal(v, s.to)
	}
	return fmt.Errorf("%T is no JSON text", v)
}

// insertMementos enters what looks say of mementos; what is entered stays.
func insertMementos(ctx context.Context, tx *Tx, looks []LookRow) error {
	var rows [][]any
	for i := range looks {
		m := looks[i].Memento
		if m == nil {
			continue
		}
		args, err := m.args()
		if err != nil {
			return fmt.Errorf("enter memento: %w", err)
		}
		rows = append(rows, args)
	}
	err := insertRows(ctx, tx, "INSERT INTO mementos ("+mementoColumns+") VALUES ", " ON CONFLICT (look) DO NOTHING", distinct(rows, []int{0}, nil))
	return wrap("enter mementos", err)
}

// MementoFilter selects mementos; what is zero selects all.
type MementoFilter struct {
	Source  string
	N       int64
	Purpose warc.Purpose
	Look    string
	Sealed  bool // only those in sealed WARC files
	Newest  bool // by the time of our look, the newest first; else by that of the capture
}

// Mementos returns what is known of captures in web archives, in the order of
// their times there.
func (db *DB) Mementos(ctx context.Context, f MementoFilter) ([]MementoRow, error) {
	var w where
	if f.Source != "" {
		w.add("source = ?", clean(f.Source))
	}
	if f.N != 0 {
		w.add("n = ?", f.N)
	}
	if f.Purpose != "" {
		w.add("purpose = ?", string(f.Purpose))
	}
	if f.Look != "" {
		w.add("look = ?", clean(f.Look))
	}
	if f.Sealed {
		w.add("EXISTS (SELECT 1 FROM warcs k WHERE k.key = mementos.warc AND k.state = 'sealed')")
	}
	query := "SELECT " + mementoColumns + " FROM mementos" + w.sql()
	if f.Newest {
		query += " ORDER BY made DESC, look DESC"
	} else {
		query += " ORDER BY time, made, look"
	}
	rows, err := collect(ctx, reader{db}, (*MementoRow).dest, query, w.args...)
	return rows, wrap("list mementos", db.redact(err))
}

// UnloggedReceipt is a receipt that has no index in the log.
type UnloggedReceipt struct {
	Look string // id of the manifest that it follows from
	Leaf []byte
	From int64 // the log may hold it from this index on; -1: from where the entries of the WARC named may stand
}

// UnloggedReceipts returns at most limit receipts that are not in the log though
// their WARC file is, or is the one with this name, in the order in which their
// looks were made.
func (db *DB) UnloggedReceipts(ctx context.Context, name string, limit int) ([]UnloggedReceipt, error) {
	rows, err := collect(ctx, reader{db}, func(r *UnloggedReceipt) []any { return []any{&r.Look, &r.Leaf, &r.From} },
		`SELECT m.look, m.leaf, CASE WHEN w.name = $1 THEN -1 ELSE w.log_index END FROM mementos m JOIN warcs w ON w.key = m.warc
			WHERE m.log_index = -1 AND (w.name = $1 OR w.state = 'sealed' AND w.log_index >= 0) ORDER BY m.made, m.look LIMIT `+fmt.Sprint(limit), clean(name))
	return rows, wrap("list receipts without a log entry", db.redact(err))
}

// LogReceipts enters where receipts stand in the log, by the manifests that they
// follow from. One that the catalog does not hold is passed over.
func (db *DB) LogReceipts(ctx context.Context, indexes map[string]int64) error {
	if len(indexes) == 0 {
		return nil
	}
	err := db.Write(ctx, func(ctx context.Context, tx *Tx) error {
		for look, index := range indexes {
			if _, err := tx.Exec(ctx, "UPDATE mementos SET log_index = $2 WHERE look = $1 AND log_index = -1", clean(look), index); err != nil {
				return err
			}
		}
		return nil
	})
	return wrap("enter log indexes of receipts", err)
}

// EnterSource enters a source that nobody declared, if it is not known: it is
// never visited by itself.
func (db *DB) EnterSource(ctx context.Context, in SourceRow, now time.Time) error {
	err := db.Write(ctx, func(ctx context.Context, tx *Tx) error {
		return insertRows(ctx, tx, upsertSource, " ON CONFLICT (id) DO NOTHING", [][]any{in.args(0, now)})
	})
	return wrap("enter source "+in.URL, err)
}
