package catalog

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/fineprint-archive/fineprint/warc"
)

// LogIndex says where the entry of a look stands in the log.
type LogIndex struct {
	Source   string // id, or what stands for it in the entry of a private source
	N        int64
	Manifest string // record id
	WARC     string // key of the object and
	Offset   int64  // place of the manifest in it, by which a private look is found
	Index    int64  // from 0
}

// Logged says where a WARC file stands in the log: its own entry and those of
// its looks.
type Logged struct {
	WARC  int64 // index, from 0
	Looks []LogIndex
}

// UnloggedWARCs returns the sealed WARC files without an entry in the log, by
// name.
func (db *DB) UnloggedWARCs(ctx context.Context) ([]WARCRow, error) {
	rows, err := collect(ctx, reader{db}, (*WARCRow).dest, "SELECT "+warcColumns+" FROM warcs WHERE state = 'sealed' AND log_index < 0 ORDER BY name")
	return rows, wrap("list WARCs without a log entry", db.redact(err))
}

// WARCLogged reports whether a WARC file is sealed and its place in the log
// entered.
func (db *DB) WARCLogged(ctx context.Context, name string) (logged bool, err error) {
	var n int64
	_, err = one(reader{db}.QueryRow(ctx, "SELECT COUNT(*) FROM warcs WHERE name = $1 AND state = 'sealed' AND log_index >= 0", name), &n)
	return n > 0, wrapWARC("look up log index of", name, db.redact(err))
}

// KnownLog returns a size that the log has had, by the newest sealed WARC files;
// 0 if none of them is entered.
func (db *DB) KnownLog(ctx context.Context) (size int64, err error) {
	_, err = one(reader{db}.QueryRow(ctx, `SELECT COALESCE(MAX(log_index), -1) + 1 FROM
		(SELECT log_index FROM warcs WHERE state = 'sealed' ORDER BY key DESC LIMIT 100) x`), &size)
	return max(size, 0), wrap("look up the size of the log", db.redact(err))
}

// LogWARC enters where a sealed WARC file and its looks stand in the log. It
// may be repeated.
func (db *DB) LogWARC(ctx context.Context, name string, in Logged) error {
	err := inTurn(in.Looks, func(part []LogIndex) error { return db.LogLooks(ctx, part) })
	if err == nil {
		// Last, so that a WARC that is entered has all its looks entered.
		err = db.Write(ctx, func(ctx context.Context, tx *Tx) error { return logWARC(ctx, tx, name, in.WARC) })
	}
	return wrapWARC("enter log index of", name, err)
}

func logWARC(ctx context.Context, tx *Tx, name string, index int64) error {
	_, err := tx.Exec(ctx, "UPDATE warcs SET log_index = $2 WHERE name = $1 AND state = 'sealed'", name, index)
	return err
}

// LogLooks enters where looks stand in the log. A look that the catalog does
// not hold under this manifest is passed over: it was left out as a conflict.
func (db *DB) LogLooks(ctx context.Context, looks []LogIndex) error {
	return db.Write(ctx, func(ctx context.Context, tx *Tx) error { return logLooks(ctx, tx, looks) })
}

func logLooks(ctx context.Context, tx *Tx, looks []LogIndex) error {
	for _, l := range looks {
		query, args := "UPDATE looks SET log_index = $4 WHERE source = $1 AND n = $2 AND id = $3", []any{l.Source, l.N, l.Manifest, l.Index}
		if strings.HasPrefix(l.Source, "private:") {
			query, args = "UPDATE looks SET log_index = $4 WHERE warc = $1 AND warc_offset = $2 AND id = $3", []any{l.WARC, l.Offset, l.Manifest, l.Index}
		}
		if _, err := tx.Exec(ctx, query, args...); err != nil {
			return err
		}
	}
	return nil
}

// LogWARCKey enters the index of the entry of a sealed WARC file by its key, and
// reports whether there is such a file.
func (db *DB) LogWARCKey(ctx context.Context, key string, index int64) (ok bool, err error) {
	err = db.Write(ctx, func(ctx context.Context, tx *Tx) error {
		n, err := tx.Exec(ctx, "UPDATE warcs SET log_index = $2 WHERE key = $1 AND state = 'sealed'", key, index)
		ok = n > 0
		return err
	})
	return ok, wrap("enter log index of "+key, err)
}

// LostRow is a look that was begun and of which nothing is left.
type LostRow struct {
	Source string
	As     string // what stands for a private source in its entry, "" for others
	N      int64
	Run    string
	Time   time.Time // when it began
	Index  int64     // in the log
}

// EnterLost notes that looks are lost: their numbers are never given again, and
// nothing waits for them any more. It may be repeated.
func (db *DB) EnterLost(ctx context.Context, rows []LostRow) error {
	return db.Write(ctx, func(ctx context.Context, tx *Tx) error {
		for _, r := range rows {
			if err := checkKey("source id", r.Source); err != nil {
				return err
			}
			if _, err := tx.Exec(ctx, `INSERT INTO lost (source, n, run, time, log_index) VALUES ($1, $2, $3, $4, $5)
				ON CONFLICT (source, n) DO UPDATE SET run = excluded.run, time = excluded.time, log_index = excluded.log_index`,
				cmp.Or(r.As, r.Source), r.N, clean(r.Run), timeText(r.Time), r.Index); err != nil {
				return err
			}
			for _, statement := range []string{
				"DELETE FROM begun WHERE source = $1 AND n = $2",
				"DELETE FROM mementos WHERE look IN (SELECT id FROM looks WHERE source = $1 AND n = $2 AND state <> 'sealed')",
				"DELETE FROM looks WHERE source = $1 AND n = $2 AND state <> 'sealed'",
				"UPDATE sources SET last_n = CASE WHEN last_n > $2 THEN last_n ELSE $2 END WHERE id = $1",
			} {
				if _, err := tx.Exec(ctx, statement, r.Source, r.N); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// SpoolRow is a spool with looks that are not sealed.
type SpoolRow struct {
	Spool  string
	Looks  int64
	Oldest time.Time // start of the oldest of them
}

// Spools lists the spools with looks that are not sealed, by identity.
func (db *DB) Spools(ctx context.Context) ([]SpoolRow, error) {
	dest := func(r *SpoolRow) []any { return []any{&r.Spool, &r.Looks, scanTime{&r.Oldest}} }
	rows, err := collect(ctx, reader{db}, dest, `SELECT spool, COUNT(*), MIN(time) FROM (SELECT spool, time FROM looks WHERE state = 'spooled' UNION ALL SELECT spool, time FROM begun) u
		GROUP BY spool ORDER BY spool`)
	return rows, wrap("list spools", db.redact(err))
}

// LooksOfSpool lists the looks of a spool that are not sealed, by source and
// number: what is lost if the spool is.
func (db *DB) LooksOfSpool(ctx context.Context, spool string) ([]LostRow, error) {
	dest := func(r *LostRow) []any { return []any{&r.Source, &r.N, &r.Run, scanTime{&r.Time}, &r.Index} }
	rows, err := collect(ctx, reader{db}, dest, `SELECT source, n, run, time, -1 FROM (SELECT source, n, run, time FROM looks WHERE state = 'spooled' AND spool = $1
		UNION ALL SELECT source, n, run, time FROM begun WHERE spool = $1) u ORDER BY source, n`, spool)
	return rows, wrap("list looks of spool "+spool, db.redact(err))
}

// DropSpool forgets the unsealed WARC files of a spool that is gone. Looks must
// not lie in them any more.
func (db *DB) DropSpool(ctx context.Context, spool string) error {
	rows, err := db.WARCs(ctx, WARCFilter{Spool: spool, Unsealed: true})
	for _, w := range rows {
		err = errors.Join(err, db.DropWARC(ctx, w.Name))
	}
	return err
}

// AnchorRow is an anchor list in the store.
type AnchorRow struct {
	List       string // key
	SHA256     warc.Digest
	Size       int64       // entries under the checkpoint
	Checkpoint warc.Digest // SHA-256 of its bytes
	Files      int64       // that the list names
	Made       time.Time   // not a fact: zero after a rebuild
	LogFrom    int64       // not a fact: its entry in the log stands at this index or later
	Index      int64       // of its entry in the log, -1 if there is none yet
}

const anchorColumns = "list, sha256, tree_size, checkpoint_sha256, files, made, log_from, log_index"

func (a *AnchorRow) dest() []any {
	return []any{&a.List, scanDigest{warc.SHA256, &a.SHA256}, &a.Size, scanDigest{warc.SHA256, &a.Checkpoint}, &a.Files, scanTime{&a.Made}, &a.LogFrom, &a.Index}
}

// EnterAnchor enters an anchor list; one that is there gets its log index.
func (db *DB) EnterAnchor(ctx context.Context, a AnchorRow) error {
	return wrap("enter anchor list "+a.List, db.Write(ctx, func(ctx context.Context, tx *Tx) error {
		_, err := tx.Exec(ctx, "INSERT INTO anchors ("+anchorColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
			ON CONFLICT (list) DO UPDATE SET log_index = CASE WHEN excluded.log_index < 0 THEN anchors.log_index ELSE excluded.log_index END`,
			a.List, digestText(a.SHA256), a.Size, digestText(a.Checkpoint), a.Files, timeText(a.Made), a.LogFrom, a.Index)
		return err
	}))
}

// Anchors lists the anchor lists by tree size, the largest first, and of one
// size the one with the most files first. limit 0 means all; unlogged leaves out
// those with an entry in the log.
func (db *DB) Anchors(ctx context.Context, limit int, unlogged bool) ([]AnchorRow, error) {
	end := " ORDER BY tree_size DESC, files DESC, list"
	if unlogged {
		end = " WHERE log_index < 0" + end
	}
	if limit > 0 {
		end += fmt.Sprintf(" LIMIT %d", limit)
	}
	rows, err := db.anchors(ctx, end)
	return rows, wrap("list anchors", err)
}
