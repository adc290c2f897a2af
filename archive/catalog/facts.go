package catalog

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// WARCFacts is everything that a sealed WARC file says to the catalog.
type WARCFacts struct {
	WARC         WARCRow
	Declarations []DeclarationRow
	Looks        []LookRow
	Records      []RecordRow
}

// factsPerTx bounds the rows of one transaction while a catalog is rebuilt.
const factsPerTx = 5000

// RebuildBegin checks that the catalog holds no looks and no WARC files, so
// that facts can be put into it.
func (db *DB) RebuildBegin(ctx context.Context) error {
	for _, table := range []string{"looks", "begun", "warcs", "records", "declarations"} {
		var found int64
		ok, err := one(reader{db}.QueryRow(ctx, "SELECT 1 FROM "+table+" LIMIT 1"), &found)
		if err != nil {
			return fmt.Errorf("rebuild catalog: %w", db.explain(db.redact(err)))
		}
		if ok {
			return fmt.Errorf("rebuild: %w: %s: name another database, the old one stays as it is", ErrNotEmpty, db.name)
		}
	}
	return nil
}

// InsertFacts enters a sealed WARC file and all it holds. It may be repeated
// after a crash. Call RebuildEnd when all files are in.
func (db *DB) InsertFacts(ctx context.Context, f WARCFacts) error {
	w := &f.WARC
	if err := errors.Join(checkKey("WARC name", w.Name), checkKey("WARC key", w.Key)); err != nil {
		return err
	}
	err := inTurn(f.Looks, func(looks []LookRow) error {
		return db.Write(ctx, func(ctx context.Context, tx *Tx) error { return insertLooks(ctx, tx, looks, LookSealed) })
	})
	if err == nil {
		err = inTurn(f.Records, func(records []RecordRow) error {
			return db.Write(ctx, func(ctx context.Context, tx *Tx) error { return insertRecords(ctx, tx, slices.Clone(records)) })
		})
	}
	if err == nil {
		err = inTurn(f.Declarations, func(list []DeclarationRow) error {
			return db.Write(ctx, func(ctx context.Context, tx *Tx) error { return insertDeclarations(ctx, tx, list) })
		})
	}
	if err == nil {
		// Last, so that a row says that all of the file is in.
		err = db.Write(ctx, func(ctx context.Context, tx *Tx) error {
			_, err := tx.Exec(ctx, `INSERT INTO warcs (name, key, run, spool, state, size, sha256, records, looks, opened_at)
				VALUES ($1, $2, $3, '', 'sealed', $4, $5, $6, $7, $8) ON CONFLICT (name) DO UPDATE SET key = excluded.key, state = excluded.state,
				size = excluded.size, sha256 = excluded.sha256, records = excluded.records, looks = excluded.looks`,
				w.Name, w.Key, clean(w.Run), w.Size, digestText(w.SHA256), w.Records, w.Looks, timeText(w.OpenedAt))
			return err
		})
	}
	return wrapWARC("enter facts of", w.Name, err)
}

// inTurn calls f with parts of a list.
func inTurn[T any](list []T, f func([]T) error) error {
	for part := range slices.Chunk(list, factsPerTx) {
		if err := f(part); err != nil {
			return err
		}
	}
	return nil
}

// RebuildEnd derives from the looks what sources say of them.
func (db *DB) RebuildEnd(ctx context.Context) error {
	return wrap("rebuild catalog", db.Write(ctx, func(ctx context.Context, tx *Tx) error {
		for _, statement := range []string{
			`UPDATE sources SET done_n = l.n, last_n = CASE WHEN last_n > l.n THEN last_n ELSE l.n END, looked_at = l.time, result = l.result, error = l.error,
				status = l.status, manifest = l.id, manifest_sha256 = l.manifest_sha256
				FROM looks l WHERE l.source = sources.id AND l.n = (SELECT MAX(m.n) FROM looks m WHERE m.source = sources.id)`,
			`UPDATE sources SET payload_n = l.n, payload_record = l.record_id, payload_sha256 = l.payload_sha256, payload_size = l.payload_size,
				decoded_sha256 = l.decoded_sha256, payload_url = CASE WHEN l.final_url = '' THEN l.url ELSE l.final_url END,
				etag = l.etag, last_modified = l.last_modified, full_at = l.time
				FROM looks l WHERE l.source = sources.id AND l.n = (SELECT MAX(m.n) FROM looks m
					WHERE m.source = sources.id AND m.result = 'captured' AND m.payload_sha256 <> '')`,
			`UPDATE sources SET failing_since = COALESCE((SELECT MIN(l.time) FROM looks l WHERE l.source = sources.id AND l.n > COALESCE(
				(SELECT MAX(m.n) FROM looks m WHERE m.source = sources.id AND m.result <> 'failed'), 0)), '')
				WHERE result = 'failed'`,
		} {
			if _, err := tx.Exec(ctx, statement); err != nil {
				return err
			}
		}
		return nil
	}))
}
