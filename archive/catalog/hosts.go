package catalog

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// ErrLeaseLost says that a host lease is not the caller's: it ran out and was
// taken by another owner, or was given back.
var ErrLeaseLost = errors.New("host lease lost")

// serverClock is what we know of the clock of a PostgreSQL server.
type serverClock struct {
	mu    sync.Mutex
	asked time.Time     // by our clock; zero before the first time
	ahead time.Duration // of our clock
}

// askAgain is how long the difference of two clocks is believed.
const askAgain = 10 * time.Second

// clock returns the time of the clock by which leases go, and how far it is
// ahead of ours: the server's on PostgreSQL, where machines may disagree, and
// ours on SQLite.
func (db *DB) clock(ctx context.Context) (now time.Time, ahead time.Duration, err error) {
	ours := db.now()
	if db.dialect == SQLite {
		return ours, 0, nil
	}
	c := &db.server
	c.mu.Lock()
	defer c.mu.Unlock()
	if age := ours.Sub(c.asked); c.asked.IsZero() || age < 0 || age > askAgain {
		var text string
		err = reader{db}.QueryRow(ctx, `SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"000Z"')`).Scan(&text)
		if err != nil {
			return now, 0, fmt.Errorf("read clock: %w", err)
		}
		if now, err = parseTime(text); err != nil {
			return now, 0, fmt.Errorf("read clock: %w", err)
		}
		// The answer took a while: of its two ends ours is the nearer one.
		ours = db.now()
		c.asked, c.ahead = ours, now.Sub(ours)
	}
	return ours.Add(c.ahead), c.ahead, nil
}

// execer runs statements that need no common transaction.
type execer interface {
	Exec(ctx context.Context, query string, args ...any) (int64, error)
	QueryRow(ctx context.Context, query string, args ...any) Row
}

// direct commits each statement.
type direct struct{ reader }

func (d direct) Exec(ctx context.Context, query string, args ...any) (int64, error) {
	res, err := d.db.write.ExecContext(ctx, query, args...)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

// leases runs f. On PostgreSQL each of its statements is committed by itself:
// a taker never waits for another with rows in hand.
func (db *DB) leases(ctx context.Context, f func(ctx context.Context, e execer, now time.Time, ahead time.Duration) error) error {
	if db.dialect == SQLite {
		return db.Write(ctx, func(ctx context.Context, tx *Tx) error { return f(ctx, tx, db.now(), 0) })
	}
	now, ahead, err := db.clock(ctx)
	if err == nil {
		err = f(ctx, direct{reader{db}}, now, ahead)
	}
	return db.redact(err)
}

// maxLease bounds what is believed of a lease: leases last seconds, so one that
// ends later was written by a clock that was ahead, and its owner's processes
// are long dead or will find it lost.
const maxLease = time.Hour

// TakeLease gives the host to owner for ttl if nobody has it, and returns when
// the next request may be sent to it (zero or past: at once). While another
// lease lasts, also one of the same owner, ok is false and next is its end. A
// dead owner's host is free when its ttl is over.
func (db *DB) TakeLease(ctx context.Context, host, owner string, ttl time.Duration) (next time.Time, ok bool, err error) {
	if err := errors.Join(checkKey("host", host), checkKey("lease owner", owner)); err != nil {
		return time.Time{}, false, fmt.Errorf("take lease: %w", err)
	}
	err = db.leases(ctx, func(ctx context.Context, tx execer, now time.Time, ahead time.Duration) error {
		ok, err = one(tx.QueryRow(ctx, `INSERT INTO hosts (host, owner, lease_until, next_allowed_at) VALUES ($1, $2, $3, '')
			ON CONFLICT (host) DO UPDATE SET owner = excluded.owner, lease_until = excluded.lease_until WHERE hosts.lease_until <= $4 OR hosts.lease_until > $5
			RETURNING next_allowed_at`, host, owner, timeText(now.Add(ttl)), timeText(now), timeText(now.Add(maxLease))), scanTime{&next})
		if err == nil && !ok {
			_, err = one(tx.QueryRow(ctx, "SELECT lease_until FROM hosts WHERE host = $1", host), scanTime{&next})
		}
		next = shift(next, -ahead)
		return err
	})
	if err != nil {
		return time.Time{}, false, fmt.Errorf("take lease of %s: %w", host, err)
	}
	return next, ok, nil
}

// shift moves a time between our clock and that of the leases.
func shift(t time.Time, d time.Duration) time.Time {
	if t.IsZero() {
		return t
	}
	return t.Add(d)
}

// RenewLeases prolongs the owner's leases of the hosts in next by ttl from now,
// and notes when the next request may be sent to each. Leases that are lost are
// named in an error that is ErrLeaseLost; the others are renewed nevertheless.
func (db *DB) RenewLeases(ctx context.Context, owner string, ttl time.Duration, next map[string]time.Time) error {
	if len(next) == 0 {
		return nil
	}
	hosts := make([]string, 0, len(next))
	for host := range next {
		hosts = append(hosts, host)
	}
	slices.Sort(hosts) // one order of locks for all processes
	var lost []string
	err := db.leases(ctx, func(ctx context.Context, tx execer, now time.Time, ahead time.Duration) error {
		lost = nil
		for _, host := range hosts {
			n, err := tx.Exec(ctx, "UPDATE hosts SET lease_until = $1, next_allowed_at = $2 WHERE host = $3 AND owner = $4",
				timeText(now.Add(ttl)), timeText(shift(next[host], ahead)), clean(host), clean(owner))
			if err != nil {
				return err
			}
			if n == 0 {
				lost = append(lost, host)
			}
		}
		return nil
	})
	if err == nil && len(lost) > 0 {
		err = fmt.Errorf("%s: %w", strings.Join(lost, ", "), ErrLeaseLost)
	}
	return wrap("renew leases", err)
}

// DropLease gives the host back and notes when the next request may be sent to
// it. A lease that is lost already is left to its owner.
func (db *DB) DropLease(ctx context.Context, host, owner string, next time.Time) error {
	err := db.leases(ctx, func(ctx context.Context, tx execer, _ time.Time, ahead time.Duration) error {
		_, err := tx.Exec(ctx, "UPDATE hosts SET owner = '', lease_until = '', next_allowed_at = $1 WHERE host = $2 AND owner = $3",
			timeText(shift(next, ahead)), clean(host), clean(owner))
		return err
	})
	return wrap("drop lease of "+host, err)
}

// LoadRobots returns the robots.txt of an origin as SaveRobots kept it; ok is
// false if there is none.
func (db *DB) LoadRobots(ctx context.Context, origin string) (body []byte, status int, fetched time.Time, ok bool, err error) {
	ok, err = one(reader{db}.QueryRow(ctx, "SELECT body, status, fetched FROM robots WHERE origin = $1", clean(origin)), &body, &status, scanTime{&fetched})
	return body, status, fetched, ok, wrap("load robots.txt of "+origin, db.redact(err))
}

// SaveRobots keeps the robots.txt of an origin, so that it outlives the process.
func (db *DB) SaveRobots(ctx context.Context, origin string, body []byte, status int, fetched time.Time) error {
	err := checkKey("origin", origin)
	if err == nil {
		err = db.Write(ctx, func(ctx context.Context, tx *Tx) error {
			_, err := tx.Exec(ctx, `INSERT INTO robots (origin, body, status, fetched) VALUES ($1, $2, $3, $4)
				ON CONFLICT (origin) DO UPDATE SET body = excluded.body, status = excluded.status, fetched = excluded.fetched`,
				origin, nonNil(body), status, timeText(fetched))
			return err
		})
	}
	return wrap("save robots.txt of "+origin, err)
}
