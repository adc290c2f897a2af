package catalog

import (
	"context"
	"fmt"
	"time"
)

// OutboxStats says where the outbox stands.
type OutboxStats struct {
	States map[string]int64 // rows by state
	Open   int64            // rows that a worker has something to do for
	// Oldest is when the oldest row was entered that waits to be submitted; zero
	// if none waits.
	Oldest time.Time
	// NextAt is when the next row may be worked at, zero if none; Next is that row,
	// of its kind the one that is due first. A pause of the pacer comes on top.
	NextAt   time.Time
	Next     OutboxRow
	ReadsDue int64 // captures that are due to be read back
	Submits  int64 // of the last 24 hours
}

// OutboxStats counts the rows. All of it is read from indexes.
func (db *DB) OutboxStats(ctx context.Context) (OutboxStats, error) {
	s := OutboxStats{States: map[string]int64{}}
	now := db.now()
	err := each(ctx, reader{db}, func(scan func(...any) error) error {
		var (
			state  string
			work   OutboxWork
			n      int64
			oldest time.Time
		)
		if err := scan(&state, &work, &n, scanTime{&oldest}); err != nil {
			return err
		}
		s.States[state] += n
		if work != OutboxEnded {
			s.Open += n
		}
		if state == OutboxWaiting {
			s.Oldest = oldest
		}
		return nil
	}, outboxStates)
	if err == nil {
		err = s.next(ctx, reader{db})
	}
	if err == nil {
		err = reader{db}.QueryRow(ctx, outboxCounts, timeText(now), timeText(now.Add(-24*time.Hour))).Scan(&s.ReadsDue, &s.Submits)
	}
	if err != nil {
		return OutboxStats{}, fmt.Errorf("count outbox: %w", db.redact(err))
	}
	return s, nil
}

const (
	outboxStates = "SELECT state, work, COUNT(*), MIN(created) FROM outbox GROUP BY state, work"
	outboxCounts = "SELECT (SELECT COUNT(*) FROM outbox WHERE work = 2 AND next_at <= $1), (SELECT COUNT(*) FROM submits WHERE at > $2)"
)

// next finds the row that is due first.
func (s *OutboxStats) next(ctx context.Context, q Querier) error {
	for _, c := range claims {
		var row OutboxRow
		ok, err := row.scan(q.QueryRow(ctx, c.first))
		if err != nil {
			return err
		}
		if ok && (s.NextAt.IsZero() || row.NextAt.Before(s.NextAt)) {
			s.NextAt, s.Next = row.NextAt, row
		}
	}
	return nil
}

// OutboxFilter selects rows. Zero fields select all.
type OutboxFilter struct {
	States []string
	Source string
	Limit  int // 0 means no limit
}

func (f *OutboxFilter) where() where {
	var w where
	w.in("state", f.States)
	w.equal("source", clean(f.Source))
	return w
}

// ListOutbox returns rows, the newest first.
func (db *DB) ListOutbox(ctx context.Context, f OutboxFilter) ([]OutboxRow, error) {
	w := f.where()
	query := "SELECT " + outboxColumns + " FROM outbox" + w.sql() + " ORDER BY created DESC, id DESC"
	if f.Limit > 0 {
		query += fmt.Sprintf(" LIMIT %d", f.Limit)
	}
	rows, err := collect(ctx, reader{db}, (*OutboxRow).dest, query, w.args...)
	for i := range rows {
		rows[i].trim()
	}
	return rows, wrap("list outbox", db.redact(err))
}

// verifiable are the states of rows that name a capture to be looked at.
var verifiable = []string{"reported", "indexed", "replayed", "confirmed", "divergent"}

// DueNow makes the captures that a filter selects due to be read back, whatever
// their schedule says, and returns how many. States other than those of a capture,
// and Limit, count for nothing.
func (db *DB) DueNow(ctx context.Context, f OutboxFilter, now time.Time) (n int64, err error) {
	err = db.Write(ctx, func(ctx context.Context, tx *Tx) error {
		w := f.where()
		w.in("state", verifiable)
		w.add("snapshot <> ''")
		w.args = append(w.args, timeText(now))
		n, err = tx.Exec(ctx, fmt.Sprintf("UPDATE outbox SET work = 2, next_at = $%d", len(w.args))+w.sql(), w.args...)
		return err
	})
	return n, wrap("make captures due", err)
}

// ReadsSince counts the captures that a filter selects: those that were read back
// at or after a moment, and those that were not. Limit counts for nothing.
func (db *DB) ReadsSince(ctx context.Context, f OutboxFilter, since time.Time) (read, unread int64, err error) {
	w := f.where()
	w.add("snapshot <> ''")
	w.args = append(w.args, timeText(since))
	query := fmt.Sprintf("SELECT COALESCE(SUM(CASE WHEN read_at >= $%d THEN 1 ELSE 0 END), 0), COUNT(*) FROM outbox", len(w.args)) + w.sql()
	var all int64
	err = reader{db}.QueryRow(ctx, query, w.args...).Scan(&read, &all)
	return read, all - read, wrap("count captures that were read back", db.redact(err))
}

// keyPacer is the key of table meta that holds the state of the pacer.
const keyPacer = "wayback-pacer"

// SavePacer keeps the state of the pacer of requests to the Archive, a text of
// its own, for the next process that speaks to it.
func (db *DB) SavePacer(ctx context.Context, state []byte) error {
	return wrap("save pacer", db.Write(ctx, func(ctx context.Context, tx *Tx) error { return setMeta(ctx, tx, keyPacer, clean(string(state))) }))
}

// LoadPacer returns what SavePacer kept, nil if nothing.
func (db *DB) LoadPacer(ctx context.Context) ([]byte, error) {
	state, ok, err := getMeta(ctx, reader{db}, keyPacer)
	if err != nil || !ok {
		return nil, wrap("load pacer", db.redact(err))
	}
	return []byte(state), nil
}
