package catalog

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"time"

	"github.com/fineprint-archive/fineprint/warc"
)

// SourceState is a source with its place in the schedule and what its newest
// looks said.
type SourceState struct {
	SourceRow
	Declared     bool
	NextAt       time.Time
	Attempt      int    // as given to FinishLook
	WantedRun    string // run that wants it, "" if none does
	LastN        int64  // highest number of a finished look
	RequisitesAt time.Time

	// Of the newest finished look; N is 0 if there is none.
	N              int64
	LookedAt       time.Time
	Result         warc.Result
	Error          string
	Status         int
	Manifest       string
	ManifestSHA256 warc.Digest
	FailingSince   time.Time // start of the first of the failed looks in a row, zero if the newest did not fail

	Last LastPayload // newest captured page
}

const stateColumns = sourceColumns + `, declared, next_at, attempt, wanted_run, last_n, requisites_at,
	done_n, looked_at, result, error, status, manifest, manifest_sha256, failing_since, ` + lastColumns

func (s *SourceState) dest() []any {
	d := append(s.SourceRow.dest(), &s.Declared, scanTime{&s.NextAt}, &s.Attempt, &s.WantedRun, &s.LastN, scanTime{&s.RequisitesAt},
		&s.N, scanTime{&s.LookedAt}, &s.Result, &s.Error, &s.Status, &s.Manifest, scanDigest{warc.SHA256, &s.ManifestSHA256}, scanTime{&s.FailingSince})
	return append(d, s.Last.dest()...)
}

// SourceFilter selects sources: those that any of the lists names, or all if
// the lists are empty.
type SourceFilter struct {
	Services  []string // ids or names
	Documents []string // ids
	IDs       []string
	URLs      []string

	Due bool      // only those due at Now
	Now time.Time // also the time at which wanted sources become due
}

// conditions adds the filter to w.
func (f *SourceFilter) conditions(w *where) {
	if n := len(f.Services) + len(f.Documents) + len(f.IDs) + len(f.URLs); n > 0 {
		var any where
		any.args = w.args
		any.in("id", f.IDs)
		hashes := make([]string, len(f.URLs))
		for i, u := range f.URLs {
			hashes[i] = hashKey(u)
		}
		any.in("url_hash", hashes)
		if len(f.Documents) > 0 {
			var d where
			d.args = any.args
			d.in("document", f.Documents)
			any.args = d.args
			any.add("id IN (SELECT source FROM source_documents" + d.sql() + ")")
		}
		for _, column := range []string{"service_id", "service"} {
			if len(f.Services) > 0 {
				var d where
				d.args = any.args
				d.in("d."+column, f.Services)
				any.args = d.args
				any.add("id IN (SELECT sd.source FROM source_documents sd JOIN documents d ON d.id = sd.document" + d.sql() + ")")
			}
		}
		w.args = any.args
		w.add("(" + strings.Join(any.conds, " OR ") + ")")
	}
	if f.Due {
		w.add("next_at <= ?", timeText(f.Now))
	}
}

// Want marks the declared sources that the filter selects as wanted by the run
// and due now, and returns their number.
func (db *DB) Want(ctx context.Context, run string, f SourceFilter) (n int64, err error) {
	if err := checkKey("run id", run); err != nil {
		return 0, err
	}
	now := timeText(f.Now)
	w := where{args: []any{run, now}}
	w.add("declared = 1")
	f.conditions(&w)
	err = db.Write(ctx, func(ctx context.Context, tx *Tx) error {
		n, err = tx.Exec(ctx, "UPDATE sources SET wanted_run = $1, next_at = CASE WHEN next_at > $2 THEN $2 ELSE next_at END"+w.sql(), w.args...)
		return err
	})
	return n, wrap("select sources for run "+run, err)
}

// WantAgain marks sources that the run has visited as wanted by it once more and
// due at a time, and returns their number. Those that another run wants are left
// to it.
func (db *DB) WantAgain(ctx context.Context, run string, ids []string, at time.Time) (n int64, err error) {
	if len(ids) == 0 {
		return 0, nil
	}
	w := where{args: []any{run, timeText(at)}}
	w.add("wanted_run = ''")
	w.in("id", ids)
	err = db.Write(ctx, func(ctx context.Context, tx *Tx) error {
		n, err = tx.Exec(ctx, "UPDATE sources SET wanted_run = $1, next_at = $2, attempt = 0"+w.sql(), w.args...)
		return err
	})
	return n, wrap("select sources for run "+run, err)
}

// Postpone takes sources from a run, those of a host or the one named by source
// ("" for all of the host), and makes them due at a later time if they are due
// before. It returns their number.
func (db *DB) Postpone(ctx context.Context, run, host, source string, at time.Time) (n int64, err error) {
	w := where{args: []any{timeText(at)}}
	w.add("wanted_run = ?", run)
	w.add("wanted_run <> ''")
	w.equal("host", host)
	w.equal("id", source)
	err = db.Write(ctx, func(ctx context.Context, tx *Tx) error {
		n, err = tx.Exec(ctx, "UPDATE sources SET wanted_run = '', next_at = CASE WHEN next_at < $1 THEN $1 ELSE next_at END"+w.sql(), w.args...)
		return err
	})
	return n, wrap("postpone sources of "+host, err)
}

// UnknownServices returns those of the names that no declared service has, as
// its id or its display name.
func (db *DB) UnknownServices(ctx context.Context, names []string) ([]string, error) {
	var unknown []string
	for _, name := range names {
		var found int64
		ok, err := one(reader{db}.QueryRow(ctx, "SELECT 1 FROM documents WHERE declared = 1 AND (service_id = $1 OR service = $1) LIMIT 1", clean(name)), &found)
		if err != nil {
			return nil, wrap("look up service", db.redact(err))
		}
		if !ok {
			unknown = append(unknown, name)
		}
	}
	return unknown, nil
}

// HostDue is a host with sources that are due.
type HostDue struct {
	Host     string
	Sources  int
	Earliest time.Time // when the first of them became due
}

// scope returns the condition for the sources of a run: those it wants, or for
// the run "" all that are declared.
func scope(w *where, run string) {
	if run == "" {
		w.add("declared = 1")
		return
	}
	w.add("wanted_run = ?", run)
	w.add("wanted_run <> ''") // names the partial index
}

// DueHosts returns the hosts with sources of the run that are due, the longest
// waiting first. The run "" stands for all declared sources.
func (db *DB) DueHosts(ctx context.Context, run string, now time.Time) ([]HostDue, error) {
	var w where
	scope(&w, run)
	w.add("next_at <= ?", timeText(now))
	dest := func(h *HostDue) []any { return []any{&h.Host, &h.Sources, scanTime{&h.Earliest}} }
	list, err := collect(ctx, reader{db}, dest, "SELECT host, COUNT(*), MIN(next_at) FROM sources"+w.sql()+" GROUP BY host ORDER BY MIN(next_at), host", w.args...)
	if err != nil {
		return nil, fmt.Errorf("list hosts that are due: %w", db.explain(db.redact(err)))
	}
	return list, nil
}

// DueSources returns up to limit sources of the run at the host that are due,
// the longest waiting first.
func (db *DB) DueSources(ctx context.Context, run, host string, now time.Time, limit int) ([]SourceState, error) {
	query, args := dueSources(run, host, timeText(now), limit)
	list, err := db.sourceList(ctx, query, args)
	return list, wrap("list sources of "+host+" that are due", err)
}

func (db *DB) sourceList(ctx context.Context, query string, args []any) ([]SourceState, error) {
	list, err := collect(ctx, reader{db}, (*SourceState).dest, query, args...)
	return list, db.explain(db.redact(err))
}

func dueSources(run, host, now string, limit int) (string, []any) {
	var w where
	scope(&w, run)
	w.add("host = ?", clean(host))
	w.add("next_at <= ?", now)
	w.args = append(w.args, limit)
	return "SELECT " + stateColumns + " FROM sources" + w.sql() + fmt.Sprintf(" ORDER BY next_at, id LIMIT $%d", len(w.args)), w.args
}

// Remaining counts the sources of a run that are due now and those due later,
// and returns when the first of the latter will be; zero without any.
func (db *DB) Remaining(ctx context.Context, run string, now time.Time) (due, later int, next time.Time, err error) {
	w := where{args: []any{timeText(now)}}
	scope(&w, run)
	err = reader{db}.QueryRow(ctx, `SELECT COALESCE(SUM(CASE WHEN next_at <= $1 THEN 1 ELSE 0 END), 0), COALESCE(SUM(CASE WHEN next_at > $1 THEN 1 ELSE 0 END), 0),
		COALESCE(MIN(CASE WHEN next_at > $1 THEN next_at END), '') FROM sources`+w.sql(), w.args...).Scan(&due, &later, scanTime{&next})
	return due, later, next, wrap("count what remains", db.explain(db.redact(err)))
}

// nothingDue looks at one entry of an index.
const nothingDue = "SELECT next_at FROM sources WHERE declared = 1 ORDER BY next_at LIMIT 1"

// NothingDue reports whether no declared source is due, and when the first one
// is or was; zero if none is declared.
func (db *DB) NothingDue(ctx context.Context, now time.Time) (nothing bool, next time.Time, err error) {
	var text string
	ok, err := one(reader{db}.QueryRow(ctx, nothingDue), &text)
	if err == nil && ok {
		next, err = parseTime(text)
	}
	if err != nil {
		return false, time.Time{}, fmt.Errorf("look up what is due: %w", db.explain(db.redact(err)))
	}
	return !ok || text > timeText(now), next, nil
}

// Sources returns the sources that the filter selects, declared or not, by
// address and id, one in memory at a time. The first error ends the sequence.
func (db *DB) Sources(ctx context.Context, f SourceFilter) iter.Seq2[SourceState, error] {
	var w where
	f.conditions(&w)
	return func(yield func(SourceState, error) bool) {
		var stop error // marks that the caller wants no more
		err := each(ctx, reader{db}, func(scan func(...any) error) error {
			var s SourceState
			if err := scan(s.dest()...); err != nil {
				return err
			}
			if !yield(s, nil) {
				stop = errors.New("stop")
				return stop
			}
			return nil
		}, "SELECT "+stateColumns+" FROM sources"+w.sql()+" ORDER BY url, id", w.args...)
		if err != nil && stop == nil {
			yield(SourceState{}, fmt.Errorf("list sources: %w", db.explain(db.redact(err))))
		}
	}
}
