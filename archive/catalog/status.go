package catalog

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/fineprint-archive/fineprint/warc"
)

// Overview is what an operator asks first.
type Overview struct {
	Sources int64     // declared
	Due     int64     // of them, due now
	Late    int64     // of them, due for longer than an interval
	NextDue time.Time // of the first declared source; zero if none is declared
	Spooled int64     // finished looks whose WARC is not sealed

	Running []LookRow     // looks that have begun, or whose process died
	Failing []SourceState // declared sources whose newest look failed, the longest failing first
	Streaks []int64       // of each of Failing: failed looks in a row
}

// Overview counts and lists what stands out at the time now. every is how long a
// source may be due before it is late.
func (db *DB) Overview(ctx context.Context, now time.Time, every time.Duration) (Overview, error) {
	var o Overview
	err := db.Read(ctx, func(ctx context.Context, q Querier) error {
		err := q.QueryRow(ctx, `SELECT COUNT(*), COALESCE(SUM(CASE WHEN next_at <= $1 THEN 1 ELSE 0 END), 0),
			COALESCE(SUM(CASE WHEN next_at <= $2 THEN 1 ELSE 0 END), 0), COALESCE(MIN(next_at), '') FROM sources WHERE declared = 1`,
			timeText(now), timeText(now.Add(-every))).Scan(&o.Sources, &o.Due, &o.Late, scanTime{&o.NextDue})
		if err != nil {
			return err
		}
		return q.QueryRow(ctx, `SELECT COUNT(*) FROM looks WHERE state = 'spooled' AND warc IN (SELECT key FROM warcs WHERE state <> 'sealed')`).Scan(&o.Spooled)
	})
	if err != nil {
		return o, fmt.Errorf("overview: %w", db.explain(db.redact(err)))
	}
	for look, err := range db.Looks(ctx, LookFilter{State: LookBegun}) {
		if err != nil {
			return o, err
		}
		o.Running = append(o.Running, look)
	}
	o.Failing, err = db.sourceList(ctx, "SELECT "+stateColumns+` FROM sources WHERE declared = 1 AND result = 'failed' ORDER BY failing_since, id`, nil)
	if err != nil {
		return o, fmt.Errorf("list what fails: %w", db.redact(err))
	}
	for _, s := range o.Failing {
		var n int64
		err := reader{db}.QueryRow(ctx, `SELECT COUNT(*) FROM looks WHERE source = $1 AND time >= $2 AND result = 'failed'`, s.ID, timeText(s.FailingSince)).Scan(&n)
		if err != nil {
			return o, fmt.Errorf("count failed looks: %w", db.redact(err))
		}
		o.Streaks = append(o.Streaks, n)
	}
	return o, nil
}

// ResolveSource returns the ids of the sources meant by a source id, a document
// id (all its parts) or an address, sorted; none if nothing has that name.
func (db *DB) ResolveSource(ctx context.Context, name string) ([]string, error) {
	name = clean(name)
	ids, err := collect(ctx, reader{db}, column[string], `SELECT id FROM sources WHERE id = $1 UNION SELECT id FROM sources WHERE url_hash = $2 AND url = $1
		UNION SELECT source FROM source_documents WHERE document = $1 ORDER BY 1`, name, hashKey(name))
	return ids, wrap("look up source "+name, db.redact(err))
}

// Forget ends the wishes of a run and returns how many sources it still wanted.
// They keep their place in the schedule.
func (db *DB) Forget(ctx context.Context, run string) (left int64, err error) {
	err = db.Write(ctx, func(ctx context.Context, tx *Tx) error {
		left, err = tx.Exec(ctx, "UPDATE sources SET wanted_run = '' WHERE wanted_run = $1 AND wanted_run <> ''", run)
		return err
	})
	return left, wrap("end the wishes of run "+run, err)
}

// DeclarationWARCs returns the keys of the sealed WARC files that hold the
// declaration, sorted.
func (db *DB) DeclarationWARCs(ctx context.Context, sha256 warc.Digest) ([]string, error) {
	keys, err := collect(ctx, reader{db}, column[string], `SELECT w.key FROM declarations d JOIN warcs w ON w.name = d.warc WHERE d.sha256 = $1 AND w.state = 'sealed' ORDER BY w.key`, digestText(sha256))
	return keys, wrap("look up declaration", db.redact(err))
}

// ErrNotEmpty says that a rebuild was asked to write into a catalog that holds
// facts already.
var ErrNotEmpty = errors.New("catalog is not empty")
