package catalog

import (
	"context"
	"strings"
	"time"
)

// AnchorCover says how much of the log is covered by an anchored checkpoint.
type AnchorCover struct {
	Logged   bool      // something is entered in a log
	Anchored int64     // entries under the newest anchored checkpoint, 0 if there is none
	WARCs    int64     // sealed WARC files whose entry it does not cover: batches that nobody outside has seen
	Oldest   time.Time // start of the oldest look with an entry that it does not cover; zero if there is none
}

// AnchorCover reads how much of the log is anchored.
func (db *DB) AnchorCover(ctx context.Context) (AnchorCover, error) {
	var c AnchorCover
	err := db.Read(ctx, func(ctx context.Context, q Querier) error {
		var last int64
		err := q.QueryRow(ctx, "SELECT (SELECT COALESCE(MAX(tree_size), 0) FROM anchors), COALESCE(MAX(log_index), -1) FROM warcs WHERE state = 'sealed'").
			Scan(&c.Anchored, &last)
		if err != nil || last < 0 {
			return err
		}
		c.Logged = true
		if c.Anchored == 0 {
			// Nearly every look has an entry: the oldest one is found at once.
			err = q.QueryRow(ctx, "SELECT COALESCE((SELECT time FROM looks WHERE state = 'sealed' AND log_index >= 0 ORDER BY time LIMIT 1), '')").Scan(scanTime{&c.Oldest})
		} else {
			err = q.QueryRow(ctx, `SELECT COALESCE(MIN(l.time), '') FROM warcs w JOIN looks l ON l.warc = w.key
				WHERE w.state = 'sealed' AND w.log_index >= $1 AND l.log_index >= $1`, c.Anchored).Scan(scanTime{&c.Oldest})
		}
		if err != nil {
			return err
		}
		return q.QueryRow(ctx, "SELECT COUNT(*) FROM warcs WHERE state = 'sealed' AND log_index >= $1", c.Anchored).Scan(&c.WARCs)
	})
	return c, wrap("read how much of the log is anchored", db.redact(err))
}

// UnloggedAnchors returns the anchor lists without an entry in the log, the
// oldest checkpoint first, at most limit.
func (db *DB) UnloggedAnchors(ctx context.Context, limit int) ([]AnchorRow, error) {
	rows, err := db.anchors(ctx, " WHERE log_index < 0 ORDER BY tree_size, files, list LIMIT $1", limit)
	return rows, wrap("list anchors without a log entry", err)
}

// keyWitness begins the keys of table meta about witnesses that contradict the
// log; the name of the witness follows.
const (
	keyWitness   = "witness:"
	afterWitness = "witness;"
)

// NoteWitness notes what a witness said that contradicts the log, or with "" that
// it does not, or no longer.
func (db *DB) NoteWitness(ctx context.Context, name, said string) error {
	before, known, err := getMeta(ctx, reader{db}, keyWitness+clean(name))
	if err == nil && (said != "" && before != clean(said) || said == "" && known) {
		err = db.Write(ctx, func(ctx context.Context, tx *Tx) error {
			if said != "" {
				return setMeta(ctx, tx, keyWitness+clean(name), clean(said))
			}
			_, err := tx.Exec(ctx, "DELETE FROM meta WHERE key = $1", keyWitness+clean(name))
			return err
		})
	}
	return wrap("note what witness "+name+" says", db.redact(err))
}

// Contradictions returns what witnesses said that contradicts the log, by name.
func (db *DB) Contradictions(ctx context.Context) (map[string]string, error) {
	said := map[string]string{}
	type pair struct{ key, value string }
	for row, err := range stream(ctx, db, "list contradictions", func(p *pair) []any {
		return []any{&p.key, &p.value}
	}, "SELECT key, value FROM meta WHERE key > $1 AND key < $2", keyWitness, afterWitness) {
		if err != nil {
			return nil, err
		}
		said[strings.TrimPrefix(row.key, keyWitness)] = row.value
	}
	return said, nil
}
