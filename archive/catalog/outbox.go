package catalog

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// OutboxWaiting is the state of an outbox row that nobody has worked at yet.
// All other states are the worker's.
const OutboxWaiting = "waiting"

// ErrOutboxLease says that an outbox row is leased to another owner by now.
var ErrOutboxLease = errors.New("the outbox row is leased to another owner")

// OutboxNew asks for an outbox row, within the transaction of its cause.
type OutboxNew struct {
	Source       string
	N            int64
	URL          string
	Cause        string // "first", "different" or "checkpoint"
	At           time.Time
	AtMostEvery  time.Duration // no row if the source has one younger than this; 0 is no limit
	NeedsBrowser bool
}

// OutboxRow is a look whose page is to be submitted to the Wayback Machine, and
// what came of it so far.
type OutboxRow struct {
	ID           int64
	Source       string
	N            int64
	URL          string
	Cause        string
	Created      time.Time
	NeedsBrowser bool

	State    string
	Open     bool // the worker has something to do at NextAt
	JobID    string
	Attempts int
	Waits    int
	NextAt   time.Time
	Reused   bool

	LastClass, LastCode, LastError      string
	SubmittedAt, AcceptedAt, ReportedAt time.Time

	Snapshot    string
	OriginalURL string
	HTTPStatus  int
	Receipt     []byte // nil before the first

	Owner      string
	LeaseUntil time.Time
}

const outboxColumns = `id, source, n, url, cause, created, needs_browser, state, open, job_id, attempts, waits, next_at, reused,
	last_class, last_code, last_error, submitted_at, accepted_at, reported_at, snapshot, original_url, http_status, receipt, lease_owner, lease_until`

func (o *OutboxRow) dest() []any {
	return []any{&o.ID, &o.Source, &o.N, &o.URL, &o.Cause, scanTime{&o.Created}, &o.NeedsBrowser, &o.State, &o.Open, &o.JobID,
		&o.Attempts, &o.Waits, scanTime{&o.NextAt}, &o.Reused, &o.LastClass, &o.LastCode, &o.LastError,
		scanTime{&o.SubmittedAt}, scanTime{&o.AcceptedAt}, scanTime{&o.ReportedAt}, &o.Snapshot, &o.OriginalURL, &o.HTTPStatus,
		&o.Receipt, &o.Owner, scanTime{&o.LeaseUntil}}
}

// scan reads a row; a receipt is nil or not empty.
func (o *OutboxRow) scan(r Row) (bool, error) {
	ok, err := one(r, o.dest()...)
	if len(o.Receipt) == 0 {
		o.Receipt = nil
	}
	return ok, err
}

// AddOutbox enters a row for something that is no look, unless the source has one
// that is too young or of the same number.
func (db *DB) AddOutbox(ctx context.Context, o OutboxNew) error {
	return wrap("enter into outbox", db.Write(ctx, func(ctx context.Context, tx *Tx) error { return insertOutbox(ctx, tx, &o) }))
}

// insertOutbox enters a row unless the source has one that is too young.
func insertOutbox(ctx context.Context, tx *Tx, o *OutboxNew) error {
	if o.AtMostEvery > 0 {
		var found int64
		young, err := one(tx.QueryRow(ctx, "SELECT 1 FROM outbox WHERE source = $1 AND created > $2 LIMIT 1", o.Source, timeText(o.At.Add(-o.AtMostEvery))), &found)
		if err != nil || young {
			return err
		}
	}
	_, err := tx.Exec(ctx, `INSERT INTO outbox (source, n, url, cause, created, needs_browser, state, open, next_at, receipt)
		VALUES ($1, $2, $3, $4, $5, $6, 'waiting', 1, $5, $7) ON CONFLICT (source, n) DO NOTHING`,
		o.Source, o.N, clean(o.URL), clean(o.Cause), timeText(o.At), truth(o.NeedsBrowser), []byte{})
	return err
}

// ClaimOutbox leases the next due row to owner until now+lease and returns it.
// Due is an open row whose NextAt is not after now and that nobody else has
// leased: a lease of the same owner is left over from a crash. Rows that were
// begun come first, then the oldest. If nothing is due, ok is false and
// row.NextAt is when something will be, zero if never.
func (db *DB) ClaimOutbox(ctx context.Context, now time.Time, owner string, lease time.Duration) (row OutboxRow, ok bool, err error) {
	if err := checkKey("outbox owner", owner); err != nil {
		return row, false, err
	}
	err = db.Write(ctx, func(ctx context.Context, tx *Tx) error {
		for {
			row = OutboxRow{}
			ok, err = claim(ctx, tx, &row, timeText(now), owner, timeText(now.Add(lease)))
			if err != nil || ok || row.NextAt.IsZero() || row.NextAt.After(now) {
				return err
			}
			// Another process took the chosen row first; there are more.
		}
	})
	if err != nil {
		return OutboxRow{}, false, fmt.Errorf("claim from outbox: %w", err)
	}
	return row, ok, nil
}

// claim leases the best row, or sets row.NextAt to when there will be one.
func claim(ctx context.Context, tx *Tx, row *OutboxRow, now, owner, until string) (bool, error) {
	// The condition of the choice is repeated outside it: on PostgreSQL another
	// process may have taken the row since.
	const free = "open = 1 AND next_at <= $1 AND (lease_until <= $1 OR lease_owner = $2)"
	ok, err := row.scan(tx.QueryRow(ctx, `UPDATE outbox SET lease_owner = $2, lease_until = $3 WHERE id = (
		SELECT id FROM outbox WHERE `+free+` ORDER BY CASE WHEN state = 'waiting' THEN 1 ELSE 0 END, next_at, id LIMIT 1
		) AND `+free+` RETURNING `+outboxColumns, now, owner, until))
	if err != nil || ok {
		return ok, err
	}
	_, err = one(tx.QueryRow(ctx, `SELECT COALESCE(MIN(CASE WHEN lease_until > next_at AND lease_owner <> $1 THEN lease_until ELSE next_at END), '')
		FROM outbox WHERE open = 1`, owner), scanTime{&row.NextAt})
	return false, err
}

// SaveOutbox stores the fields of a row from State on, lease included, durably.
// It is ErrOutboxLease, and stores nothing, if the row's owner is not row.Owner.
// With a zero LeaseUntil the owner is cleared as well.
func (db *DB) SaveOutbox(ctx context.Context, row OutboxRow) error {
	owner := clean(row.Owner)
	if row.LeaseUntil.IsZero() {
		owner = ""
	}
	err := db.Write(ctx, func(ctx context.Context, tx *Tx) error {
		n, err := tx.Exec(ctx, `UPDATE outbox SET state = $3, open = $4, job_id = $5, attempts = $6, waits = $7, next_at = $8, reused = $9,
			last_class = $10, last_code = $11, last_error = $12, submitted_at = $13, accepted_at = $14, reported_at = $15,
			snapshot = $16, original_url = $17, http_status = $18, receipt = $19, lease_owner = $20, lease_until = $21
			WHERE id = $1 AND lease_owner = $2`, row.ID, clean(row.Owner),
			clean(row.State), truth(row.Open), clean(row.JobID), row.Attempts, row.Waits, timeText(row.NextAt), truth(row.Reused),
			clean(row.LastClass), clean(row.LastCode), clean(row.LastError), timeText(row.SubmittedAt), timeText(row.AcceptedAt), timeText(row.ReportedAt),
			clean(row.Snapshot), clean(row.OriginalURL), row.HTTPStatus, nonNil(row.Receipt), owner, timeText(row.LeaseUntil))
		if err == nil && n == 0 {
			err = ErrOutboxLease
		}
		return err
	})
	return wrap(fmt.Sprintf("save outbox row %d", row.ID), err)
}

// OutboxStats counts the rows of the outbox.
type OutboxStats struct {
	States map[string]int64 // by state
	Open   int64            // that a worker has something to do for
	NextAt time.Time        // when the next one may be worked at; zero if none
}

// OutboxStats counts the rows by state.
func (db *DB) OutboxStats(ctx context.Context) (OutboxStats, error) {
	s := OutboxStats{States: map[string]int64{}}
	err := each(ctx, reader{db}, func(scan func(...any) error) error {
		var (
			state   string
			n, open int64
			next    time.Time
		)
		if err := scan(&state, &n, &open, scanTime{&next}); err != nil {
			return err
		}
		s.States[state] += n
		s.Open += open
		if open > 0 && (s.NextAt.IsZero() || next.Before(s.NextAt)) {
			s.NextAt = next
		}
		return nil
	}, "SELECT state, COUNT(*), SUM(open), COALESCE(MIN(CASE WHEN open = 1 THEN next_at END), '') FROM outbox GROUP BY state")
	if err != nil {
		return OutboxStats{}, fmt.Errorf("count outbox: %w", db.redact(err))
	}
	return s, nil
}

// LastOutbox returns the newest row of a source.
func (db *DB) LastOutbox(ctx context.Context, source string) (OutboxRow, bool, error) {
	var row OutboxRow
	ok, err := row.scan(reader{db}.QueryRow(ctx, "SELECT "+outboxColumns+" FROM outbox WHERE source = $1 ORDER BY created DESC, n DESC LIMIT 1", clean(source)))
	return row, ok, wrap("look up outbox of "+source, db.redact(err))
}
