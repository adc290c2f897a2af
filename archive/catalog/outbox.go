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

// OutboxWork is what a worker does about a row.
type OutboxWork int

// The kinds of work.
const (
	OutboxEnded  OutboxWork = iota // nothing more
	OutboxSubmit                   // it is to become a capture
	OutboxRead                     // its capture is to be read back
)

// ErrOutboxLease says that an outbox row is leased to another owner by now.
var ErrOutboxLease = errors.New("the outbox row is leased to another owner")

// OutboxNew asks for an outbox row, within the transaction of its cause.
type OutboxNew struct {
	Source string
	N      int64
	URL    string
	// Cause says why, and orders what waits: "requested" comes first, then
	// "changed" and "different", then "first" and "reverted", then all others.
	Cause string
	At    time.Time
	// AtMostEvery makes no row if the source has one younger than this; 0 is no
	// limit. Rows whose page is not in the Archive after all do not count: those
	// that failed or whose capture is gone, and those refused 30 days ago.
	AtMostEvery  time.Duration
	NeedsBrowser bool
	FinalURL     string // where redirects led the look, "" for nowhere else
}

// priorities orders the causes: 0 is the most important.
var priorities = map[string]int{"requested": 0, "changed": 1, "different": 1, "first": 2, "reverted": 2}

// lowestPriority is that of a cause which is not in the table.
const lowestPriority = 3

func priority(cause string) int {
	if p, ok := priorities[cause]; ok {
		return p
	}
	return lowestPriority
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
	Priority     int // 0 is the most important
	NeedsBrowser bool
	FinalURL     string // where redirects led the look, "" for nowhere else

	State    string
	Work     OutboxWork // what is to be done at NextAt
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

	// Of reading back.
	Digest, Src                                string
	Facts                                      string // JSON
	Grade                                      string
	Readback                                   string // id of a manifest
	ReadAt, IndexedAt, ReplayedAt, ConfirmedAt time.Time
	Absent                                     int
	AbsentAt                                   time.Time

	Owner      string
	LeaseUntil time.Time
}

const outboxColumns = `id, source, n, url, final_url, cause, created, priority, needs_browser, state, work, job_id, attempts, waits, next_at, reused,
	last_class, last_code, last_error, submitted_at, accepted_at, reported_at, snapshot, original_url, http_status, receipt,
	digest, src, facts, grade, readback, read_at, indexed_at, replayed_at, confirmed_at, absent, absent_at, lease_owner, lease_until`

func (o *OutboxRow) dest() []any {
	return []any{&o.ID, &o.Source, &o.N, &o.URL, &o.FinalURL, &o.Cause, scanTime{&o.Created}, &o.Priority, &o.NeedsBrowser, &o.State, &o.Work, &o.JobID,
		&o.Attempts, &o.Waits, scanTime{&o.NextAt}, &o.Reused, &o.LastClass, &o.LastCode, &o.LastError,
		scanTime{&o.SubmittedAt}, scanTime{&o.AcceptedAt}, scanTime{&o.ReportedAt}, &o.Snapshot, &o.OriginalURL, &o.HTTPStatus, &o.Receipt,
		&o.Digest, &o.Src, &o.Facts, &o.Grade, &o.Readback, scanTime{&o.ReadAt}, scanTime{&o.IndexedAt}, scanTime{&o.ReplayedAt},
		scanTime{&o.ConfirmedAt}, &o.Absent, scanTime{&o.AbsentAt}, &o.Owner, scanTime{&o.LeaseUntil}}
}

// scan reads a row; a receipt is nil or not empty.
func (o *OutboxRow) scan(r Row) (bool, error) {
	ok, err := one(r, o.dest()...)
	o.trim()
	return ok, err
}

func (o *OutboxRow) trim() {
	if len(o.Receipt) == 0 {
		o.Receipt = nil
	}
}

// AddOutbox enters a row for something that is no look, unless the source has one
// that is too young or of the same number.
func (db *DB) AddOutbox(ctx context.Context, o OutboxNew) error {
	return wrap("enter into outbox", db.Write(ctx, func(ctx context.Context, tx *Tx) error { return insertOutbox(ctx, tx, &o) }))
}

// refusedFor is how long a page that was refused is not offered again where
// nothing is known to be new.
const refusedFor = 30 * 24 * time.Hour

// insertOutbox enters a row unless the source has one that is too young.
func insertOutbox(ctx context.Context, tx *Tx, o *OutboxNew) error {
	if o.AtMostEvery > 0 {
		var found int64
		young, err := one(tx.QueryRow(ctx, `SELECT 1 FROM outbox WHERE source = $1 AND created > $2
			AND state NOT IN ('failed', 'gone-again') AND (state <> 'refused' OR created > $3) LIMIT 1`,
			o.Source, timeText(o.At.Add(-o.AtMostEvery)), timeText(o.At.Add(-refusedFor))), &found)
		if err != nil || young {
			return err
		}
	}
	p, final := priority(o.Cause), o.FinalURL
	if final == o.URL {
		final = ""
	}
	_, err := tx.Exec(ctx, `INSERT INTO outbox (source, n, url, cause, created, needs_browser, state, work, next_at, receipt, priority, urgency, final_url)
		VALUES ($1, $2, $3, $4, $5, $6, 'waiting', 1, $5, $7, $8, $9, $10) ON CONFLICT (source, n) DO UPDATE
		SET cause = excluded.cause, priority = excluded.priority, urgency = excluded.urgency
		WHERE outbox.state = 'waiting' AND outbox.priority > excluded.priority`, // it is a look at several documents
		o.Source, o.N, clean(o.URL), clean(o.Cause), timeText(o.At), truth(o.NeedsBrowser), []byte{}, p, p+1, clean(final))
	return err
}

// RequestOutbox asks for a look's page to be submitted before all others, however
// young the source's last row is. If the look has a row, that one is returned:
// one that waits now comes first, and one that ended without a capture (or whose
// capture is divergent or gone) begins anew. entered is false if there was
// nothing to do, because it is being submitted or its capture is there.
func (db *DB) RequestOutbox(ctx context.Context, o OutboxNew) (row OutboxRow, entered bool, err error) {
	if err := checkKey("source id", o.Source); err != nil {
		return row, false, err
	}
	o.AtMostEvery = 0
	p := priority(o.Cause)
	err = db.Write(ctx, func(ctx context.Context, tx *Tx) error {
		row = OutboxRow{}
		if err := insertOutbox(ctx, tx, &o); err != nil {
			return err
		}
		n, err := tx.Exec(ctx, `UPDATE outbox SET cause = $3, state = 'waiting', work = 1, priority = $4, urgency = $5, next_at = $6,
				attempts = CASE WHEN work = 1 THEN attempts ELSE 0 END, waits = 0, absent = 0, absent_at = '', job_id = '', snapshot = '',
				digest = '', src = '', facts = '', grade = '', readback = '', read_at = '', indexed_at = '', replayed_at = '', confirmed_at = ''
			WHERE source = $1 AND n = $2 AND (work = 0 OR state = 'waiting')`, o.Source, o.N, clean(o.Cause), p, p+1, timeText(o.At))
		if err != nil {
			return err
		}
		entered = n > 0
		_, err = row.scan(tx.QueryRow(ctx, "SELECT "+outboxColumns+" FROM outbox WHERE source = $1 AND n = $2", o.Source, o.N))
		return err
	})
	return row, entered, wrap("enter into outbox", err)
}

// ClaimOutbox leases the next due row of one kind of work to owner until
// now+lease and returns it. Due is a row whose NextAt is not after now and that
// nobody else has leased: a lease of the same owner is left over from a crash.
// Of what is to be submitted, rows that were begun come first, then the most
// important, then the oldest; of what is to be read back, the longest due. If
// nothing is due, ok is false and row.NextAt is when something will be, zero if
// never.
func (db *DB) ClaimOutbox(ctx context.Context, work OutboxWork, now time.Time, owner string, lease time.Duration) (row OutboxRow, ok bool, err error) {
	if err := checkKey("outbox owner", owner); err != nil {
		return row, false, err
	}
	q, known := claims[work]
	if !known {
		return row, false, fmt.Errorf("claim from outbox: work %d is not one that is claimed", work)
	}
	err = db.Write(ctx, func(ctx context.Context, tx *Tx) error {
		for {
			row = OutboxRow{}
			ok, err = q.claim(ctx, tx, &row, timeText(now), owner, timeText(now.Add(lease)))
			if err != nil || ok || row.NextAt.IsZero() || row.NextAt.After(now) {
				return err
			}
			// Another process took the chosen row first; there are more.
		}
	})
	if err != nil {
		return OutboxRow{}, false, fmt.Errorf("claim from outbox: %w", err)
	}
	row.trim()
	return row, ok, nil
}

// claimQueries are the statements about one kind of work. The kind is written
// into them, since its index holds no other rows.
type claimQueries struct {
	choose string // $1 now, $2 owner: the id of the best row
	take   string // likewise, and $3 until: leases it
	free   string // $1 owner: when the next row without a lease is due
	leased string // $1 owner: when the next leased one is
	first  string // the row that is due first, leased or not
}

// claims are the statements by kind of work.
var claims = map[OutboxWork]claimQueries{
	// An expression, so that the rows are taken in their order from its index: by
	// default SQLite takes all that are due from another one, and sorts them.
	OutboxSubmit: claimOf("1", "next_at || ''", "urgency, created, id"),
	OutboxRead:   claimOf("2", "next_at", "next_at, id"),
}

func claimOf(work, due, order string) claimQueries {
	// The condition of the choice is repeated outside it: on PostgreSQL another
	// process may have taken the row since.
	free := "work = " + work + " AND " + due + " <= $1 AND (lease_until <= $1 OR lease_owner = $2)"
	choose := "SELECT id FROM outbox WHERE " + free + " ORDER BY " + order + " LIMIT 1"
	return claimQueries{
		choose: choose,
		take:   "UPDATE outbox SET lease_owner = $2, lease_until = $3 WHERE id = (" + choose + ") AND " + free + " RETURNING " + outboxColumns,
		free:   "SELECT next_at FROM outbox WHERE work = " + work + " AND (lease_until = '' OR lease_owner = $1) ORDER BY next_at LIMIT 1",
		leased: "SELECT COALESCE(MIN(CASE WHEN lease_until > next_at THEN lease_until ELSE next_at END), '') FROM outbox WHERE work = " + work + " AND lease_until <> '' AND lease_owner <> $1",
		first:  "SELECT " + outboxColumns + " FROM outbox WHERE work = " + work + " ORDER BY next_at LIMIT 1",
	}
}

// claim leases the best row, or sets row.NextAt to when there will be one.
func (q claimQueries) claim(ctx context.Context, tx *Tx, row *OutboxRow, now, owner, until string) (bool, error) {
	ok, err := row.scan(tx.QueryRow(ctx, q.take, now, owner, until))
	if err != nil || ok {
		return ok, err
	}
	var leased time.Time
	if _, err := one(tx.QueryRow(ctx, q.free, owner), scanTime{&row.NextAt}); err != nil {
		return false, err
	}
	if _, err := one(tx.QueryRow(ctx, q.leased, owner), scanTime{&leased}); err != nil {
		return false, err
	}
	if !leased.IsZero() && (row.NextAt.IsZero() || leased.Before(row.NextAt)) {
		row.NextAt = leased
	}
	return false, nil
}

// submitsKept is how long submits are counted.
const submitsKept = 72 * time.Hour

// SaveOutbox stores the fields of a row from State on, lease included, durably.
// It is ErrOutboxLease, and stores nothing, if the row's owner is not row.Owner.
// With a zero LeaseUntil the owner is cleared as well. A SubmittedAt other than
// the stored one counts as one more submit of row.URL; a zero one takes the last
// back, which was refused.
func (db *DB) SaveOutbox(ctx context.Context, row OutboxRow) error {
	err := db.Write(ctx, func(ctx context.Context, tx *Tx) error {
		if err := countSubmit(ctx, tx, &row); err != nil {
			return err
		}
		n, err := tx.Exec(ctx, `UPDATE outbox SET state = $3, work = $4, urgency = $5, job_id = $6, attempts = $7, waits = $8, next_at = $9, reused = $10,
			last_class = $11, last_code = $12, last_error = $13, submitted_at = $14, accepted_at = $15, reported_at = $16,
			snapshot = $17, original_url = $18, http_status = $19, receipt = $20, digest = $21, src = $22, facts = $23, grade = $24, readback = $25,
			read_at = $26, indexed_at = $27, replayed_at = $28, confirmed_at = $29, absent = $30, absent_at = $31, lease_owner = $32, lease_until = $33
			WHERE id = $1 AND lease_owner = $2`, row.saved()...)
		if err == nil && n == 0 {
			err = ErrOutboxLease
		}
		return err
	})
	return wrap(fmt.Sprintf("save outbox row %d", row.ID), err)
}

// saved returns the arguments of SaveOutbox.
func (o *OutboxRow) saved() []any {
	owner, urgency := clean(o.Owner), 0
	if o.LeaseUntil.IsZero() {
		owner = ""
	}
	if o.State == OutboxWaiting {
		urgency = o.Priority + 1
	}
	return []any{o.ID, clean(o.Owner), clean(o.State), int(o.Work), urgency, clean(o.JobID), o.Attempts, o.Waits, timeText(o.NextAt), truth(o.Reused),
		clean(o.LastClass), clean(o.LastCode), clean(o.LastError), timeText(o.SubmittedAt), timeText(o.AcceptedAt), timeText(o.ReportedAt),
		clean(o.Snapshot), clean(o.OriginalURL), o.HTTPStatus, nonNil(o.Receipt), clean(o.Digest), clean(o.Src), clean(o.Facts), clean(o.Grade), clean(o.Readback),
		timeText(o.ReadAt), timeText(o.IndexedAt), timeText(o.ReplayedAt), timeText(o.ConfirmedAt), o.Absent, timeText(o.AbsentAt), owner, timeText(o.LeaseUntil)}
}

// countSubmit enters the submit that a row tells of, if it is a new one, or takes
// the last one out that was refused.
func countSubmit(ctx context.Context, tx *Tx, row *OutboxRow) error {
	at := timeText(row.SubmittedAt)
	var before string
	ok, err := one(tx.QueryRow(ctx, "SELECT submitted_at FROM outbox WHERE id = $1 AND lease_owner = $2", row.ID, clean(row.Owner)), &before)
	switch {
	case err != nil || !ok || at == before:
		return err
	case at == "":
		_, err = tx.Exec(ctx, "DELETE FROM submits WHERE url_hash = $1 AND at = $2", hashKey(row.URL), before)
		return err
	}
	if _, err := tx.Exec(ctx, "INSERT INTO submits (at, url_hash) VALUES ($1, $2)", at, hashKey(row.URL)); err != nil {
		return err
	}
	_, err = tx.Exec(ctx, "DELETE FROM submits WHERE at < $1", timeText(row.SubmittedAt.Add(-submitsKept)))
	return err
}

// OutboxSubmits returns how many submits were saved since a moment at most two
// days ago: those of an address, for any row, and all.
func (db *DB) OutboxSubmits(ctx context.Context, url string, since time.Time) (ofURL, all int, err error) {
	err = reader{db}.QueryRow(ctx, `SELECT (SELECT COUNT(*) FROM submits WHERE url_hash = $1 AND at >= $2), (SELECT COUNT(*) FROM submits WHERE at >= $2)`,
		hashKey(url), timeText(since)).Scan(&ofURL, &all)
	return ofURL, all, wrap("count submits", db.redact(err))
}

// LastOutbox returns the newest row of a source.
func (db *DB) LastOutbox(ctx context.Context, source string) (OutboxRow, bool, error) {
	var row OutboxRow
	ok, err := row.scan(reader{db}.QueryRow(ctx, "SELECT "+outboxColumns+" FROM outbox WHERE source = $1 ORDER BY created DESC, n DESC LIMIT 1", clean(source)))
	return row, ok, wrap("look up outbox of "+source, db.redact(err))
}
