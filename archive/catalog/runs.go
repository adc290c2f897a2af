package catalog

import (
	"context"
	"fmt"
	"time"
)

// RunRow is one run of the program. Runs are not facts.
type RunRow struct {
	ID      string
	Started time.Time
	Ended   time.Time // zero while it runs, or if it died
	Host    string
	PID     int
	Args    string
	Summary []byte // JSON, nil until it ends
}

// BeginRun enters a run.
func (db *DB) BeginRun(ctx context.Context, r RunRow) error {
	err := checkKey("run id", r.ID)
	if err == nil {
		err = db.Write(ctx, func(ctx context.Context, tx *Tx) error {
			_, err := tx.Exec(ctx, `INSERT INTO runs (id, started, host, pid, args) VALUES ($1, $2, $3, $4, $5)
				ON CONFLICT (id) DO UPDATE SET started = excluded.started, host = excluded.host, pid = excluded.pid, args = excluded.args`,
				r.ID, timeText(r.Started), clean(r.Host), r.PID, clean(r.Args))
			return err
		})
	}
	return wrap("begin run "+r.ID, err)
}

// EndRun enters the end of a run and its summary.
func (db *DB) EndRun(ctx context.Context, id string, at time.Time, summary []byte) error {
	return wrap("end run "+id, db.Write(ctx, func(ctx context.Context, tx *Tx) error {
		n, err := tx.Exec(ctx, "UPDATE runs SET ended = $2, summary = $3 WHERE id = $1", id, timeText(at), clean(string(summary)))
		if err == nil && n == 0 {
			err = fmt.Errorf("there is no such run")
		}
		return err
	}))
}

// Runs returns up to limit runs that were begun (BeginRun), the newest first. A
// process that keeps something without visiting pages has a row of numbers alone.
func (db *DB) Runs(ctx context.Context, limit int) ([]RunRow, error) {
	dest := func(r *RunRow) []any {
		return []any{&r.ID, scanTime{&r.Started}, scanTime{&r.Ended}, &r.Host, &r.PID, &r.Args, &r.Summary}
	}
	list, err := collect(ctx, reader{db}, dest, "SELECT id, started, ended, host, pid, args, summary FROM runs WHERE pid <> 0 ORDER BY started DESC, id DESC LIMIT $1", limit)
	if err != nil {
		return nil, fmt.Errorf("list runs: %w", db.redact(err))
	}
	for i := range list {
		if len(list[i].Summary) == 0 {
			list[i].Summary = nil
		}
	}
	return list, nil
}
