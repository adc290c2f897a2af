package catalog

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/fineprint-archive/fineprint/warc"
)

// ErrLookBegun says that another look at the source is under way, in this
// process or another. Its number and manifest would have to come first.
var ErrLookBegun = errors.New("another look at the source is under way")

// begunLives is how long a begun look keeps others away. No look takes so long:
// an older one is of a process that died with its machine.
const begunLives = time.Hour

// BeginLook allocates the next number of a source durably and enters the look
// as begun: the number after the highest one at the source, begun or finished.
// With Alone the error is ErrLookBegun while another look at the source is under
// way. A crash after it leaves a row that UnfinishedLooks lists. The source itself is
// not written.
func (db *DB) BeginLook(ctx context.Context, b Begin) (Begun, error) {
	var begun Begun
	err := db.Write(ctx, func(ctx context.Context, tx *Tx) (err error) {
		known := false
		if b.Known != nil && b.Known.ID == b.Source {
			if begun, known, err = beginKnown(ctx, tx, &b); err != nil || known {
				return err
			}
		}
		begun, err = beginNext(ctx, tx, &b)
		return err
	})
	if err != nil {
		return Begun{}, fmt.Errorf("begin look at source %s: %w", b.Source, err)
	}
	return begun, nil
}

const begunColumns = "source, n, id, spool, run, url, time, warc"

// args returns the values of begunColumns.
func (b *Begin) args(n int64, address string) ([]any, error) {
	id := b.ManifestID(n)
	if err := checkKey("manifest id", id); err != nil {
		return nil, err
	}
	return []any{clean(b.Source), n, id, clean(b.Spool), clean(b.Run), address, timeText(b.At), clean(b.WARC)}, nil
}

// beginKnown takes the number after the newest finished look, in one statement,
// and reports whether what the caller knows of the source was still true and
// no look has begun since.
//
// The lock makes PostgreSQL look again at a source that another process changed
// while we waited for it, so a number that was begun and finished meanwhile is
// not given twice; one that is still begun is met by the key.
func beginKnown(ctx context.Context, tx *Tx, b *Begin) (begun Begun, ok bool, err error) {
	k := b.Known
	args, err := b.args(k.LastN+1, clean(k.URL))
	if err != nil {
		return Begun{}, false, err
	}
	query := "INSERT INTO begun (" + begunColumns + `) SELECT id, $2, $3, $4, $5, $6, $7, $8 FROM sources
		WHERE id = $1 AND last_n = $9 AND done_n = $10 AND NOT EXISTS (SELECT 1 FROM lost WHERE source = $1 AND n > $9)` + tx.lock() + " ON CONFLICT (source, n) DO NOTHING"
	count, err := tx.Exec(ctx, query, append(args, k.LastN, k.N)...)
	if err != nil || count == 0 {
		return Begun{}, false, err
	}
	begun = Begun{N: k.LastN + 1, Last: k.Last}
	if k.Manifest != "" {
		begun.Prev = &warc.Prev{Manifest: k.Manifest, SHA256: k.ManifestSHA256}
	}
	return begun, true, nil
}

// lock is what a SELECT of one source ends with, so that no other transaction
// begins or finishes looks of it. On SQLite a transaction that writes is alone.
func (tx *Tx) lock() string {
	if tx.db.dialect == Postgres {
		return " FOR NO KEY UPDATE"
	}
	return ""
}

// beginNext takes the next number of the source, and says what came before.
func beginNext(ctx context.Context, tx *Tx, b *Begin) (begun Begun, err error) {
	var (
		address           string
		prev              warc.Prev
		finished, highest int64
	)
	dest := append([]any{&finished, &address, &prev.Manifest, scanDigest{warc.SHA256, &prev.SHA256}}, begun.Last.dest()...)
	ok, err := one(tx.QueryRow(ctx, "SELECT last_n, url, manifest, manifest_sha256, "+lastColumns+" FROM sources WHERE id = $1"+tx.lock(), clean(b.Source)), dest...)
	switch {
	case err != nil:
		return Begun{}, err
	case !ok:
		return Begun{}, ErrUnknownSource
	}
	// Asked under the lock: a statement sees what was committed before it began.
	var newest string
	var lost int64
	if err := tx.QueryRow(ctx, `SELECT COALESCE(MAX(n), 0), COALESCE(MAX(time), ''), (SELECT COALESCE(MAX(n), 0) FROM lost WHERE source = $1)
		FROM begun WHERE source = $1`, clean(b.Source)).Scan(&highest, &newest, &lost); err != nil {
		return Begun{}, err
	}
	if b.Alone && newest > timeText(b.At.Add(-begunLives)) {
		return Begun{}, ErrLookBegun
	}
	begun.N = max(finished, highest, lost) + 1
	if prev.Manifest != "" {
		begun.Prev = &prev
	}
	args, err := b.args(begun.N, address)
	if err != nil {
		return Begun{}, err
	}
	_, err = tx.Exec(ctx, "INSERT INTO begun ("+begunColumns+") VALUES ($1, $2, $3, $4, $5, $6, $7, $8)", args...)
	return begun, err
}
