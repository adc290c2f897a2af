package catalog

import (
	"context"
	"fmt"
	"time"

	"github.com/fineprint-archive/fineprint/warc"
)

// WARCState says how far a WARC file is on its way into the store.
type WARCState string

// The states of a WARC file, in their order.
const (
	WARCOpen   WARCState = "open"   // looks are written to it
	WARCClosed WARCState = "closed" // whole and hashed, in the spool
	WARCSealed WARCState = "sealed" // entered: its looks and records count
)

// WARCRow is one WARC file. Name is its file name and unique, Key that of the
// object it is or will be.
type WARCRow struct {
	Name     string
	Key      string
	Run      string
	Spool    string // identity of the folder in which it is written, "" after a rebuild
	State    WARCState
	Size     int64 // bytes, once closed
	SHA256   warc.Digest
	Records  int64
	Looks    int64 // once sealed
	OpenedAt time.Time
	SealedAt time.Time // not a fact: zero after a rebuild
}

const warcColumns = "name, key, run, spool, state, size, sha256, records, looks, opened_at, sealed_at"

func (w *WARCRow) dest() []any {
	return []any{&w.Name, &w.Key, &w.Run, &w.Spool, &w.State, &w.Size, scanDigest{warc.SHA256, &w.SHA256},
		&w.Records, &w.Looks, scanTime{&w.OpenedAt}, scanTime{&w.SealedAt}}
}

// NextSerial returns the next number, from 1, for a WARC file of the run.
func (db *DB) NextSerial(ctx context.Context, run string) (serial int, err error) {
	if err := checkKey("run id", run); err != nil {
		return 0, err
	}
	err = db.Write(ctx, func(ctx context.Context, tx *Tx) error {
		return tx.QueryRow(ctx, `INSERT INTO runs (id, started, host, pid, args, warcs) VALUES ($1, $2, '', 0, '', 1)
			ON CONFLICT (id) DO UPDATE SET warcs = runs.warcs + 1 RETURNING warcs`, run, timeText(db.now())).Scan(&serial)
	})
	if err != nil {
		return 0, fmt.Errorf("next WARC of run %s: %w", run, err)
	}
	return serial, nil
}

// OpenWARC enters a file that is about to be made, or one that was found in a
// spool and is not sealed yet. It comes before the file: a file without a row
// would be nobody's after a crash.
func (db *DB) OpenWARC(ctx context.Context, w WARCRow) error {
	if err := checkKey("WARC name", w.Name); err != nil {
		return err
	}
	if err := checkKey("key of WARC "+w.Name, w.Key); err != nil {
		return err
	}
	return db.Write(ctx, func(ctx context.Context, tx *Tx) error {
		n, err := tx.Exec(ctx, `INSERT INTO warcs (name, key, run, spool, state, opened_at) VALUES ($1, $2, $3, $4, 'open', $5)
			ON CONFLICT (name) DO UPDATE SET key = excluded.key, spool = excluded.spool, state = 'open' WHERE warcs.state <> 'sealed'`,
			w.Name, w.Key, clean(w.Run), clean(w.Spool), timeText(w.OpenedAt))
		if err == nil && n == 0 {
			err = fmt.Errorf("it is sealed already")
		}
		return wrapWARC("open", w.Name, err)
	})
}

// CloseWARC enters that the file is whole: nothing will be appended.
func (db *DB) CloseWARC(ctx context.Context, name string, size int64, sha256 warc.Digest, records int64) error {
	return db.stepWARC(ctx, "close", name, `UPDATE warcs SET state = 'closed', size = $2, sha256 = $3, records = $4
		WHERE name = $1 AND state IN ('open', 'closed')`, size, digestText(sha256), records)
}

func (db *DB) stepWARC(ctx context.Context, step, name, query string, args ...any) error {
	return db.Write(ctx, func(ctx context.Context, tx *Tx) error {
		n, err := tx.Exec(ctx, query, append([]any{name}, args...)...)
		if err == nil && n == 0 {
			err = fmt.Errorf("it is not at the step before")
		}
		return wrapWARC(step, name, err)
	})
}

// SealWARC enters in one transaction that the stored file and all its looks
// count, and where they stand in the log (nil: there is none); it returns the
// number of the looks. Sealing again does nothing.
func (db *DB) SealWARC(ctx context.Context, name string, at time.Time, in *Logged) (looks int64, err error) {
	err = db.Write(ctx, func(ctx context.Context, tx *Tx) error {
		var w WARCRow
		ok, err := one(tx.QueryRow(ctx, "SELECT "+warcColumns+" FROM warcs WHERE name = $1", name), w.dest()...)
		switch {
		case err != nil:
			return err
		case !ok:
			return fmt.Errorf("there is no such WARC")
		case w.State == WARCSealed:
			looks = w.Looks
			return nil
		case w.State == WARCOpen:
			return fmt.Errorf("it is still open")
		}
		if _, err := tx.Exec(ctx, "UPDATE looks SET state = 'sealed' WHERE warc = $1 AND state = 'spooled'", w.Key); err != nil {
			return err
		}
		if err := tx.QueryRow(ctx, "SELECT COUNT(*) FROM looks WHERE warc = $1 AND state = 'sealed'", w.Key).Scan(&looks); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, "UPDATE warcs SET state = 'sealed', looks = $2, sealed_at = $3 WHERE name = $1", name, looks, timeText(at)); err != nil {
			return err
		}
		if in == nil {
			return nil
		}
		if err := logLooks(ctx, tx, in.Looks); err != nil {
			return err
		}
		return logWARC(ctx, tx, name, in.WARC)
	})
	return looks, wrapWARC("seal", name, err)
}

// DropWARC removes the row of a file that never held a record, together with
// what refers to it. It refuses while looks lie in the file.
func (db *DB) DropWARC(ctx context.Context, name string) error {
	return db.Write(ctx, func(ctx context.Context, tx *Tx) error {
		var looks int64
		err := tx.QueryRow(ctx, "SELECT COUNT(*) FROM looks WHERE warc IN (SELECT key FROM warcs WHERE name = $1)", name).Scan(&looks)
		if err == nil && looks > 0 {
			err = fmt.Errorf("%d looks lie in it", looks)
		}
		for _, table := range []string{"records WHERE warc", "declarations WHERE warc", "warcs WHERE state <> 'sealed' AND name"} {
			if err == nil {
				_, err = tx.Exec(ctx, "DELETE FROM "+table+" = $1", name)
			}
		}
		return wrapWARC("drop", name, err)
	})
}

func wrapWARC(step, name string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s WARC %s: %w", step, name, err)
}

// WARC returns the row of a file.
func (db *DB) WARC(ctx context.Context, name string) (WARCRow, bool, error) {
	var w WARCRow
	ok, err := one(reader{db}.QueryRow(ctx, "SELECT "+warcColumns+" FROM warcs WHERE name = $1", name), w.dest()...)
	return w, ok, wrapWARC("look up", name, db.redact(err))
}

// WARCFilter selects WARC files; zero fields select all.
type WARCFilter struct {
	Spool    string
	Run      string
	State    WARCState
	Unsealed bool
}

// WARCs returns the files that the filter selects, by name. Without Unsealed, a
// state before sealed, or a run these may be many.
func (db *DB) WARCs(ctx context.Context, f WARCFilter) ([]WARCRow, error) {
	var w where
	w.equal("spool", f.Spool)
	w.equal("run", f.Run)
	w.equal("state", string(f.State))
	if f.Unsealed {
		w.add("state <> 'sealed'")
	}
	list, err := collect(ctx, reader{db}, (*WARCRow).dest, "SELECT "+warcColumns+" FROM warcs"+w.sql()+" ORDER BY name", w.args...)
	if err != nil {
		return nil, fmt.Errorf("list WARCs: %w", db.redact(err))
	}
	return list, nil
}
