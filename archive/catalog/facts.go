package catalog

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
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

// Keys of table meta that a rebuild writes.
const (
	keyRebuild = "rebuild"  // present from RebuildBegin until RebuildEnd; its value names the archive
	keyDamaged = "damaged:" // and the key of an object that could not be read; its value is the reason
)

// Conflict is a look that has the number of another one.
type Conflict struct {
	Source string `json:"source"`
	N      int64  `json:"n"`
	Kept   string `json:"kept"`     // manifest of the look that is entered
	Out    string `json:"left_out"` // manifest of the one that is not
}

// ConflictError says that looks of a WARC file were left out because others
// have their numbers. All else of the file is entered.
type ConflictError struct {
	WARC      string // name of the file
	Conflicts []Conflict
}

// Error names the first conflict.
func (e *ConflictError) Error() string {
	c := e.Conflicts[0]
	text := fmt.Sprintf("WARC %s: two looks have number %d at source %s: manifest %s is kept, %s is left out", e.WARC, c.N, c.Source, c.Kept, c.Out)
	if more := len(e.Conflicts) - 1; more > 0 {
		text += fmt.Sprintf(" (and %d more)", more)
	}
	return text
}

// RebuildBegin checks that the catalog holds no looks and no WARC files, so
// that facts can be put into it, and notes that a rebuild of the archive with
// the given name is under way. A catalog in which a rebuild of the same archive
// did not come to its end holds facts of that one alone: it is gone on with.
func (db *DB) RebuildBegin(ctx context.Context, archive string) error {
	err := db.Write(ctx, func(ctx context.Context, tx *Tx) error {
		begun, unfinished, err := getMeta(ctx, tx, keyRebuild)
		if err != nil {
			return err
		}
		if !unfinished || begun != clean(archive) {
			if err := checkEmpty(ctx, tx); err != nil {
				return err
			}
		}
		if _, err := tx.Exec(ctx, "DELETE FROM meta WHERE key >= $1 AND key < $2", keyDamaged, afterDamaged); err != nil {
			return err
		}
		return setMeta(ctx, tx, keyRebuild, clean(archive))
	})
	if errors.Is(err, ErrNotEmpty) {
		return fmt.Errorf("rebuild: %w: %s: name another database, or move this one away; what is in it stays as it is", ErrNotEmpty, db.name)
	}
	return wrap("rebuild catalog", db.explain(db.redact(err)))
}

// afterDamaged is greater than every key that begins with keyDamaged.
const afterDamaged = "damaged;"

func checkEmpty(ctx context.Context, tx *Tx) error {
	for _, table := range []string{"looks", "begun", "warcs", "records", "declarations"} {
		var found int64
		ok, err := one(tx.QueryRow(ctx, "SELECT 1 FROM "+table+" LIMIT 1"), &found)
		if err != nil {
			return err
		}
		if ok {
			return ErrNotEmpty
		}
	}
	return nil
}

// Rebuilding reports whether a rebuild began and did not end: it runs, or it
// was killed, and the catalog holds a part of the facts.
func (db *DB) Rebuilding(ctx context.Context) (bool, error) {
	_, found, err := getMeta(ctx, reader{db}, keyRebuild)
	return found, wrap("look up rebuild", db.redact(err))
}

// NoteDamaged notes during a rebuild that the object cannot be read, so that
// the catalog holds none of its facts.
func (db *DB) NoteDamaged(ctx context.Context, key, reason string) error {
	err := checkKey("object key", key)
	if err == nil {
		err = db.Write(ctx, func(ctx context.Context, tx *Tx) error { return setMeta(ctx, tx, keyDamaged+key, clean(reason)) })
	}
	return wrap("note damaged "+key, err)
}

// LastWARC returns the greatest key of a sealed WARC file, "" if there is none.
func (db *DB) LastWARC(ctx context.Context) (string, error) {
	var key string
	_, err := one(reader{db}.QueryRow(ctx, "SELECT key FROM warcs WHERE state = 'sealed' ORDER BY key DESC LIMIT 1"), &key)
	return key, wrap("look up last WARC", db.redact(err))
}

// KnownWARCs returns those of the object keys that the catalog knows: WARC
// files in any state, and objects that a rebuild noted as damaged.
func (db *DB) KnownWARCs(ctx context.Context, keys []string) (map[string]bool, error) {
	known := map[string]bool{}
	enter := func(scan func(...any) error) error {
		var key string
		err := scan(&key)
		known[strings.TrimPrefix(key, keyDamaged)] = true
		return err
	}
	err := inBatches(slices.Clone(keys), func(batch []string) error {
		var w where
		w.in("key", batch)
		if err := each(ctx, reader{db}, enter, "SELECT key FROM warcs"+w.sql(), w.args...); err != nil {
			return err
		}
		for i := range batch {
			batch[i] = keyDamaged + batch[i]
		}
		w = where{}
		w.in("key", batch)
		return each(ctx, reader{db}, enter, "SELECT key FROM meta"+w.sql(), w.args...)
	})
	return known, wrap("look up WARCs", db.redact(err))
}

// InsertFacts enters a sealed WARC file and all it holds. It may be repeated
// after a crash. A look whose number another one has is left out and named in a
// [*ConflictError]; the rest is entered nevertheless. Call RebuildEnd when all
// files are in.
func (db *DB) InsertFacts(ctx context.Context, f WARCFacts) error {
	w := &f.WARC
	if err := errors.Join(checkKey("WARC name", w.Name), checkKey("WARC key", w.Key)); err != nil {
		return err
	}
	var conflicts []Conflict
	err := inTurn(f.Looks, func(looks []LookRow) error {
		out, err := db.insertFactLooks(ctx, looks)
		conflicts = append(conflicts, out...)
		return err
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
				w.Name, w.Key, clean(w.Run), w.Size, digestText(w.SHA256), w.Records, w.Looks-int64(len(conflicts)), timeText(w.OpenedAt))
			return err
		})
	}
	if err == nil && len(conflicts) > 0 {
		return &ConflictError{w.Name, conflicts}
	}
	return wrapWARC("enter facts of", w.Name, err)
}

// insertFactLooks enters looks that were sealed and returns those that it left
// out. Conflicts are rare: they are looked for only when the looks cannot be
// entered as they are.
func (db *DB) insertFactLooks(ctx context.Context, looks []LookRow) (conflicts []Conflict, err error) {
	err = db.Write(ctx, func(ctx context.Context, tx *Tx) error { return insertLooks(ctx, tx, looks, LookSealed) })
	if err == nil {
		return nil, nil
	}
	asItWas := err
	err = db.Write(ctx, func(ctx context.Context, tx *Tx) error {
		var rest []LookRow
		if rest, conflicts, err = unclaimed(ctx, tx, looks); err != nil {
			return err
		}
		if len(conflicts) == 0 {
			return asItWas
		}
		return insertLooks(ctx, tx, rest, LookSealed)
	})
	if err != nil {
		return nil, err
	}
	return conflicts, nil
}

// unclaimed parts looks into those whose number no other look has, here or
// earlier in the list, and the rest.
func unclaimed(ctx context.Context, tx *Tx, looks []LookRow) (rest []LookRow, conflicts []Conflict, err error) {
	type number struct {
		source string
		n      int64
	}
	kept := map[number]string{}
	for _, l := range looks {
		at := number{l.Source, l.N}
		id, taken := kept[at]
		if !taken {
			taken, err = one(tx.QueryRow(ctx, "SELECT id FROM looks WHERE source = $1 AND n = $2", l.Source, l.N), &id)
			if err != nil {
				return nil, nil, err
			}
		}
		if taken && id != l.ID {
			conflicts = append(conflicts, Conflict{Source: l.Source, N: l.N, Kept: id, Out: l.ID})
			continue
		}
		kept[at] = l.ID
		rest = append(rest, l)
	}
	return rest, conflicts, nil
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

// RebuildEnd derives from the looks what sources say of them, and notes that the
// rebuild came to its end.
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
		_, err := tx.Exec(ctx, "DELETE FROM meta WHERE key = $1", keyRebuild)
		return err
	}))
}
