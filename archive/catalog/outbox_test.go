package catalog_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fineprint-archive/fineprint/archive/catalog"
	"github.com/fineprint-archive/fineprint/archive/catalog/pgtest"
)

// lookWithOutbox enters a look that asks for an outbox row.
func lookWithOutbox(t *testing.T, db *catalog.DB, source string, at time.Time) {
	t.Helper()
	b := begin(t, db, source, at)
	l := captured(source, b.N, at, fmt.Sprint(source, b.N))
	must(t, db.FinishLook(ctx, catalog.Finish{Look: l, NextAt: at}))
	must(t, db.AddOutbox(ctx, catalog.OutboxNew{
		Source: source, N: b.N, URL: l.URL, Cause: "different", At: at, AtMostEvery: 7 * 24 * time.Hour, NeedsBrowser: b.N == 1}))
}

func TestOutboxOncePerWeek(t *testing.T) {
	eachDatabase(t, func(t *testing.T, dsn string) {
		db := open(t, dsn)
		declare(t, db, 2)
		const day = 24 * time.Hour
		for _, after := range []time.Duration{0, day, 7*day - 1, 7 * day, 8 * day} {
			lookWithOutbox(t, db, "s0", noon.Add(after))
		}
		lookWithOutbox(t, db, "s1", noon)
		stats, err := db.OutboxStats(ctx)
		must(t, err)
		if stats.States["waiting"] != 3 || stats.Open != 3 || !stats.NextAt.Equal(noon) {
			t.Errorf("OutboxStats = %+v, want 3 that wait", stats)
		}
		row, ok, err := db.LastOutbox(ctx, "s0")
		if !ok || err != nil || row.N != 4 || !row.Created.Equal(noon.Add(7*day)) {
			t.Errorf("LastOutbox = %+v, %v, %v, want that of look 4", row, ok, err)
		}
	})
}

func TestOutboxLife(t *testing.T) {
	eachDatabase(t, func(t *testing.T, dsn string) {
		db := open(t, dsn)
		declare(t, db, 2)
		if row, ok, err := db.ClaimOutbox(ctx, catalog.OutboxSubmit, noon, "w1", time.Minute); ok || err != nil || !row.NextAt.IsZero() {
			t.Fatalf("ClaimOutbox of an empty outbox = %+v, %v, %v", row, ok, err)
		}
		lookWithOutbox(t, db, "s0", noon)
		lookWithOutbox(t, db, "s1", noon.Add(time.Second))

		if row, ok, err := db.ClaimOutbox(ctx, catalog.OutboxSubmit, noon.Add(-1), "w1", time.Minute); ok || err != nil || !row.NextAt.Equal(noon) {
			t.Errorf("ClaimOutbox too early = next %v, %v, %v, want %v", row.NextAt, ok, err, noon)
		}
		now := noon.Add(time.Minute)
		row, ok, err := db.ClaimOutbox(ctx, catalog.OutboxSubmit, now, "w1", time.Minute)
		must(t, err)
		want := catalog.OutboxRow{ID: row.ID, Source: "s0", N: 1, URL: "https://host0.example/s0", Cause: "different", Created: noon, NeedsBrowser: true,
			Priority: 1, State: "waiting", Work: catalog.OutboxSubmit, NextAt: noon, Owner: "w1", LeaseUntil: now.Add(time.Minute)}
		if d := cmp.Diff(want, row); !ok || d != "" {
			t.Fatalf("ClaimOutbox = %v (-want +got):\n%s", ok, d)
		}
		second, ok, err := db.ClaimOutbox(ctx, catalog.OutboxSubmit, now, "w2", time.Minute)
		if !ok || err != nil || second.Source != "s1" {
			t.Fatalf("second ClaimOutbox = %+v, %v, %v, want s1", second, ok, err)
		}
		if row, ok, err := db.ClaimOutbox(ctx, catalog.OutboxSubmit, now, "w3", time.Minute); ok || err != nil || !row.NextAt.Equal(now.Add(time.Minute)) {
			t.Errorf("ClaimOutbox of leased rows = next %v, %v, %v, want the end of the leases", row.NextAt, ok, err)
		}
		again, ok, err := db.ClaimOutbox(ctx, catalog.OutboxSubmit, now, "w1", time.Minute)
		if !ok || err != nil || again.ID != row.ID {
			t.Errorf("ClaimOutbox of the same owner = %+v, %v, %v, want its own row again", again, ok, err)
		}

		row.State, row.JobID, row.Attempts, row.Waits, row.Reused = "accepted", "spn2-é", 1, 2, true
		row.LastClass, row.LastCode, row.LastError = "wait", "429", "日本\x00語"
		row.SubmittedAt, row.AcceptedAt, row.ReportedAt = noon, noon.Add(1), noon.Add(2)
		row.Snapshot, row.OriginalURL, row.HTTPStatus, row.Receipt = "20260301120000", "https://x.example/", 200, []byte(`{"a":1}`)
		row.Digest, row.Src, row.Facts, row.Grade, row.Readback = "SHA", "spn2-x.warc.gz", `{"text":"same"}`, "terms", "urn:look"
		row.ReadAt, row.IndexedAt, row.ReplayedAt, row.ConfirmedAt = noon.Add(3), noon.Add(4), noon.Add(5), noon.Add(6)
		row.Absent, row.AbsentAt = 2, noon.Add(7)
		row.NextAt, row.LeaseUntil = now.Add(time.Hour), time.Time{}
		must(t, db.SaveOutbox(ctx, row))
		row.Owner, row.LastError = "", "日本\uFFFD語"
		got, _, err := db.LastOutbox(ctx, "s0")
		must(t, err)
		if d := cmp.Diff(row, got); d != "" {
			t.Errorf("LastOutbox (-want +got):\n%s", d)
		}
		// A lease that ran out belongs to whoever took it.
		late := now.Add(2 * time.Minute)
		taken, ok, err := db.ClaimOutbox(ctx, catalog.OutboxSubmit, late, "w3", time.Minute)
		if !ok || err != nil || taken.ID != second.ID {
			t.Fatalf("ClaimOutbox after a lease = %+v, %v, %v, want s1", taken, ok, err)
		}
		if err := db.SaveOutbox(ctx, second); !errors.Is(err, catalog.ErrOutboxLease) {
			t.Errorf("SaveOutbox of a lost lease: %v, want ErrOutboxLease", err)
		}
		taken.Work, taken.State, taken.LeaseUntil = catalog.OutboxEnded, "failed", time.Time{}
		must(t, db.SaveOutbox(ctx, taken))
		// What was begun comes before what waits.
		lookWithOutbox(t, db, "s1", noon.Add(8*24*time.Hour))
		row, ok, err = db.ClaimOutbox(ctx, catalog.OutboxSubmit, noon.Add(9*24*time.Hour), "w1", time.Minute)
		if !ok || err != nil || row.State != "accepted" {
			t.Errorf("ClaimOutbox = %q, %v, %v, want the row that was begun", row.State, ok, err)
		}
	})
}

// Two processes: every row is claimed exactly once.
func TestOutboxExclusive(t *testing.T) {
	eachDatabase(t, func(t *testing.T, dsn string) {
		dbs := []*catalog.DB{open(t, dsn), open(t, dsn)}
		const n = 20
		declare(t, dbs[0], n)
		for i := range n {
			lookWithOutbox(t, dbs[0], fmt.Sprint("s", i), noon)
		}
		var (
			mu      sync.Mutex
			claimed = map[int64]int{}
			wg      sync.WaitGroup
		)
		for w := range 6 {
			wg.Go(func() {
				for {
					row, ok, err := dbs[w%2].ClaimOutbox(ctx, catalog.OutboxSubmit, noon, fmt.Sprint("w", w), time.Minute)
					if err != nil {
						t.Error(err)
						return
					}
					if !ok {
						return
					}
					mu.Lock()
					claimed[row.ID]++
					mu.Unlock()
					row.Work, row.LeaseUntil = catalog.OutboxEnded, time.Time{}
					if err := dbs[w%2].SaveOutbox(ctx, row); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		for id, times := range claimed {
			if times != 1 {
				t.Errorf("row %d was claimed %d times", id, times)
			}
		}
		if len(claimed) != n {
			t.Errorf("%d rows were claimed, want %d", len(claimed), n)
		}
	})
}

// enter enters rows of sources s0 … without looks.
func enter(t testing.TB, db *catalog.DB, list ...catalog.OutboxNew) {
	t.Helper()
	for _, o := range list {
		must(t, db.AddOutbox(ctx, o))
	}
}

// claim claims a row that must be there.
func claim(t testing.TB, db *catalog.DB, work catalog.OutboxWork, now time.Time, owner string) catalog.OutboxRow {
	t.Helper()
	row, ok, err := db.ClaimOutbox(ctx, work, now, owner, time.Minute)
	if err != nil || !ok {
		t.Fatalf("ClaimOutbox = %v, %v, want a row", ok, err)
	}
	return row
}

// What waits is claimed by importance, then age; what was begun comes before, and
// neither kind of work sees the other's rows.
func TestOutboxOrder(t *testing.T) {
	eachDatabase(t, func(t *testing.T, dsn string) {
		db := open(t, dsn)
		causes := []string{"unchanged", "first", "changed", "checkpoint", "requested", "first", "different", "browser"}
		for i, cause := range causes {
			enter(t, db, catalog.OutboxNew{Source: fmt.Sprint("s", i), N: 1, URL: "https://x.example/", Cause: cause, At: noon.Add(time.Duration(i) * time.Second)})
		}
		now := noon.Add(time.Hour)
		var order []string
		for i := range causes {
			row := claim(t, db, catalog.OutboxSubmit, now, fmt.Sprint("w", i))
			order = append(order, fmt.Sprint(row.Source, " ", row.Cause))
		}
		want := []string{"s4 requested", "s2 changed", "s6 different", "s1 first", "s5 first", "s0 unchanged", "s3 checkpoint", "s7 browser"}
		if d := cmp.Diff(want, order); d != "" {
			t.Errorf("order of claims (-want +got):\n%s", d)
		}
		// Leases are over: s0 was begun, s1 and s3 are to be read back.
		for _, change := range []struct {
			owner, state string
			work         catalog.OutboxWork
			next         time.Time
		}{{"w5", "accepted", catalog.OutboxSubmit, now.Add(3)}, {"w3", "reported", catalog.OutboxRead, now.Add(2)}, {"w6", "confirmed", catalog.OutboxRead, now.Add(1)}} {
			row := claim(t, db, catalog.OutboxSubmit, now, change.owner)
			row.State, row.Work, row.NextAt, row.LeaseUntil = change.state, change.work, change.next, time.Time{}
			must(t, db.SaveOutbox(ctx, row))
		}
		if _, ok, err := db.ClaimOutbox(ctx, catalog.OutboxRead, now, "r", time.Minute); ok || err != nil {
			t.Errorf("ClaimOutbox of what is not due = %v, %v", ok, err)
		}
		later := now.Add(time.Hour)
		if row := claim(t, db, catalog.OutboxSubmit, later, "x"); row.Source != "s0" {
			t.Errorf("claimed %s to submit, want s0, which was begun", row.Source)
		}
		if row := claim(t, db, catalog.OutboxRead, later, "r1"); row.Source != "s3" {
			t.Errorf("claimed %s to read, want s3, which is due for longer", row.Source)
		}
		if row := claim(t, db, catalog.OutboxRead, later, "r2"); row.Source != "s1" {
			t.Errorf("claimed %s to read, want s1", row.Source)
		}
		if row, ok, err := db.ClaimOutbox(ctx, catalog.OutboxRead, later, "r3", time.Minute); ok || err != nil || !row.NextAt.Equal(later.Add(time.Minute)) {
			t.Errorf("ClaimOutbox = %v, %v, next %v, want the end of the leases", ok, err, row.NextAt)
		}
	})
}

// A source whose last page did not get into the Archive is offered with its next
// look; one that did, after the interval.
func TestOutboxAgain(t *testing.T) {
	const day = 24 * time.Hour
	eachDatabase(t, func(t *testing.T, dsn string) {
		db := open(t, dsn)
		for i, tt := range []struct {
			state string
			after time.Duration
			again bool
		}{
			{"waiting", day, false}, {"confirmed", day, false}, {"divergent", day, false}, {"refused", day, false},
			{"refused", 31 * day, true}, {"failed", day, true}, {"gone-again", day, true}, {"confirmed", 60 * day, true},
		} {
			source := fmt.Sprint("s", i)
			enter(t, db, catalog.OutboxNew{Source: source, N: 1, URL: "https://x.example/", Cause: "first", At: noon})
			row := claim(t, db, catalog.OutboxSubmit, noon, source)
			row.State, row.LeaseUntil = tt.state, time.Time{}
			row.Work = catalog.OutboxEnded // so that the next source is claimed
			must(t, db.SaveOutbox(ctx, row))
			enter(t, db, catalog.OutboxNew{Source: source, N: 2, URL: "https://x.example/", Cause: "unchanged", At: noon.Add(tt.after), AtMostEvery: 60 * day})
			last, _, err := db.LastOutbox(ctx, source)
			must(t, err)
			if again := last.N == 2; again != tt.again {
				t.Errorf("%s after %v: offered again %v, want %v", tt.state, tt.after, again, tt.again)
			}
		}
	})
}

// Submits are counted once, whichever row they are for, and not if refused.
func TestOutboxSubmits(t *testing.T) {
	eachDatabase(t, func(t *testing.T, dsn string) {
		db := open(t, dsn)
		count := func(url string, since time.Time, ofURL, all int) {
			t.Helper()
			gotURL, gotAll, err := db.OutboxSubmits(ctx, url, since)
			if err != nil || gotURL != ofURL || gotAll != all {
				t.Errorf("OutboxSubmits(%s) = %d, %d, %v, want %d, %d", url, gotURL, gotAll, err, ofURL, all)
			}
		}
		const a, b = "https://a.example/", "https://b.example/"
		enter(t, db, catalog.OutboxNew{Source: "s0", N: 1, URL: a, At: noon}, catalog.OutboxNew{Source: "s1", N: 1, URL: a, At: noon}, catalog.OutboxNew{Source: "s2", N: 1, URL: b, At: noon})
		rows := []catalog.OutboxRow{claim(t, db, catalog.OutboxSubmit, noon, "w0"), claim(t, db, catalog.OutboxSubmit, noon, "w1"), claim(t, db, catalog.OutboxSubmit, noon, "w2")}
		save := func(i int, at time.Time) {
			t.Helper()
			rows[i].SubmittedAt, rows[i].LeaseUntil = at, noon.Add(time.Hour)
			must(t, db.SaveOutbox(ctx, rows[i]))
		}
		save(0, noon)
		save(0, noon) // the job id came
		save(1, noon.Add(1))
		save(2, noon.Add(2))
		count(a, noon, 2, 3)
		count(b, noon.Add(2), 1, 1)
		save(1, time.Time{})
		count(a, noon, 1, 2)
		save(0, noon.Add(3))
		count(a, noon, 2, 3)
		save(2, noon.Add(80*time.Hour)) // the old ones are dropped
		count(a, noon, 0, 1)
		rows[0].Owner = "thief"
		rows[0].SubmittedAt = noon.Add(81 * time.Hour)
		if err := db.SaveOutbox(ctx, rows[0]); !errors.Is(err, catalog.ErrOutboxLease) {
			t.Errorf("SaveOutbox without the lease: %v", err)
		}
		count(a, noon, 0, 1)
	})
}

// An operator's request comes first, and begins what ended without a capture anew.
func TestOutboxRequest(t *testing.T) {
	eachDatabase(t, func(t *testing.T, dsn string) {
		db := open(t, dsn)
		now := noon.Add(time.Hour)
		request := func(source string, n int64) (catalog.OutboxRow, bool) {
			t.Helper()
			row, entered, err := db.RequestOutbox(ctx, catalog.OutboxNew{Source: source, N: n, URL: "https://x.example/", Cause: "requested", At: now, AtMostEvery: time.Hour})
			must(t, err)
			return row, entered
		}
		enter(t, db, catalog.OutboxNew{Source: "s0", N: 1, URL: "https://x.example/", Cause: "changed", At: noon})
		if row, entered := request("new", 3); !entered || row.Priority != 0 || row.N != 3 || row.Work != catalog.OutboxSubmit {
			t.Errorf("request of a new look = %+v, %v", row, entered)
		}
		if row, entered := request("s0", 1); !entered || row.Priority != 0 || row.State != "waiting" || !row.NextAt.Equal(now) {
			t.Errorf("request of a look that waits = %+v, %v", row, entered)
		}
		for _, tt := range []struct {
			state   string
			work    catalog.OutboxWork
			entered bool
		}{{"accepted", catalog.OutboxSubmit, false}, {"confirmed", catalog.OutboxRead, false}, {"gone-again", catalog.OutboxEnded, true}, {"failed", catalog.OutboxEnded, true}} {
			row := claim(t, db, catalog.OutboxSubmit, now.Add(time.Hour), "w")
			row.State, row.Work, row.Attempts, row.Snapshot, row.IndexedAt, row.LeaseUntil = tt.state, tt.work, 4, "20260301120000", noon, time.Time{}
			must(t, db.SaveOutbox(ctx, row))
			got, entered := request(row.Source, row.N)
			if entered != tt.entered {
				t.Errorf("request of a row that is %s: %v, want %v", tt.state, entered, tt.entered)
			}
			if entered && (got.State != "waiting" || got.Attempts != 0 || got.Snapshot != "" || !got.IndexedAt.IsZero() || got.Work != catalog.OutboxSubmit) {
				t.Errorf("row that was %s = %+v, want it begun anew", tt.state, got)
			}
			if !entered { // for the next turn
				must(t, db.Write(ctx, func(ctx context.Context, tx *catalog.Tx) error {
					_, err := tx.Exec(ctx, "UPDATE outbox SET work = 1, state = 'waiting', next_at = $1 WHERE id = $2", "", row.ID)
					return err
				}))
			}
		}
	})
}

// The figures of the status, the list, and making captures due by hand.
func TestOutboxStatus(t *testing.T) {
	eachDatabase(t, func(t *testing.T, dsn string) {
		now := noon.Add(time.Hour)
		db := openWith(t, dsn, catalog.Options{Now: func() time.Time { return now }})
		for i := range 6 {
			source := fmt.Sprint("s", i)
			enter(t, db, catalog.OutboxNew{Source: source, N: 1, URL: "https://x.example/" + source, Cause: "first", At: noon.Add(time.Duration(i) * time.Second)})
		}
		for i, change := range []struct {
			state string
			work  catalog.OutboxWork
			next  time.Time
		}{{"reported", catalog.OutboxRead, now.Add(-time.Minute)}, {"confirmed", catalog.OutboxRead, now.Add(time.Hour)}, {"divergent", 0, time.Time{}}, {"failed", 0, time.Time{}}} {
			row := claim(t, db, catalog.OutboxSubmit, now, fmt.Sprint("w", i))
			row.State, row.Work, row.NextAt, row.LeaseUntil, row.SubmittedAt = change.state, change.work, change.next, time.Time{}, now.Add(-time.Duration(i)*11*time.Hour)
			if change.state != "failed" {
				row.Snapshot = "20260301120000"
			}
			must(t, db.SaveOutbox(ctx, row))
		}
		s, err := db.OutboxStats(ctx)
		must(t, err)
		if d := cmp.Diff(map[string]int64{"waiting": 2, "reported": 1, "confirmed": 1, "divergent": 1, "failed": 1}, s.States); d != "" {
			t.Errorf("states (-want +got):\n%s", d)
		}
		if s.Open != 4 || s.ReadsDue != 1 || s.Submits != 3 || !s.Oldest.Equal(noon.Add(4*time.Second)) || s.Next.State != "waiting" || !s.NextAt.Equal(s.Oldest) {
			t.Errorf("OutboxStats = %+v, want 4 open, 1 to read, 3 submits in a day", s)
		}
		rows, err := db.ListOutbox(ctx, catalog.OutboxFilter{States: []string{"waiting", "failed"}, Limit: 2})
		if err != nil || len(rows) != 2 || rows[0].Source != "s5" || rows[1].Source != "s4" || rows[0].Receipt != nil {
			t.Errorf("ListOutbox = %+v, %v, want the newest two", rows, err)
		}
		if rows, err = db.ListOutbox(ctx, catalog.OutboxFilter{Source: "s0"}); err != nil || len(rows) != 1 {
			t.Errorf("ListOutbox of s0 = %d rows, %v", len(rows), err)
		}
		if n, err := db.DueNow(ctx, catalog.OutboxFilter{Source: "s1"}, now); n != 1 || err != nil {
			t.Errorf("DueNow of a source = %d, %v, want 1", n, err)
		}
		if n, err := db.DueNow(ctx, catalog.OutboxFilter{}, now); n != 3 || err != nil {
			t.Errorf("DueNow = %d, %v, want 3", n, err)
		}
		for i := range 3 {
			row := claim(t, db, catalog.OutboxRead, now, fmt.Sprint("r", i))
			row.ReadAt = now.Add(time.Duration(i-1) * time.Nanosecond)
			must(t, db.SaveOutbox(ctx, row))
		}
		if read, unread, err := db.ReadsSince(ctx, catalog.OutboxFilter{}, now); read != 2 || unread != 1 || err != nil {
			t.Errorf("ReadsSince = %d, %d, %v, want 2 and 1", read, unread, err)
		}
		if read, unread, err := db.ReadsSince(ctx, catalog.OutboxFilter{States: []string{"failed"}}, now); read != 0 || unread != 0 || err != nil {
			t.Errorf("ReadsSince of rows without captures = %d, %d, %v, want none", read, unread, err)
		}
		if s, err = db.OutboxStats(ctx); err != nil || s.ReadsDue != 3 {
			t.Errorf("OutboxStats = %+v, %v, want 3 due", s, err)
		}
	})
}

// The pacer's state comes back as it was.
func TestPacerState(t *testing.T) {
	eachDatabase(t, func(t *testing.T, dsn string) {
		db := open(t, dsn)
		if state, err := db.LoadPacer(ctx); state != nil || err != nil {
			t.Errorf("LoadPacer of a new catalog = %q, %v", state, err)
		}
		for _, want := range []string{`{"until":"2026"}`, `{}`} {
			must(t, db.SavePacer(ctx, []byte(want)))
			if state, err := db.LoadPacer(ctx); string(state) != want || err != nil {
				t.Errorf("LoadPacer = %q, %v, want %q", state, err, want)
			}
		}
	})
}

// Claims and the status read indexes, and sort nothing.
func TestOutboxPlans(t *testing.T) {
	eachDatabase(t, func(t *testing.T, dsn string) {
		db := open(t, dsn)
		must(t, db.Write(ctx, func(ctx context.Context, tx *catalog.Tx) error { return fillOutbox(ctx, tx, 3000) }))
		if db.Dialect() == "postgres" {
			_, err := db.SQL().Exec("VACUUM ANALYZE")
			must(t, err)
		}
		for _, q := range catalog.OutboxQueries() {
			text := plan(t, db, q.SQL, q.Args...)
			if (q.Name == "states" || q.Name == "counts") && db.Dialect() == "postgres" {
				continue // to count, it may read a table of few pages instead
			}
			if !strings.Contains(text, q.Index) || strings.Contains(text, "Seq Scan") || strings.Contains(text, "TEMP B-TREE") || strings.Contains(text, "Sort") {
				t.Errorf("%s does not use index %s alone:\n%s", q.Name, q.Index, text)
			}
		}
	})
}

// BenchmarkOutbox asks for the status of, and claims from, an outbox of 10,000
// rows that wait and 10,000 that are read back monthly, with a day's 30,000
// submits.
func BenchmarkOutbox(b *testing.B) {
	for name, dsn := range map[string]func(testing.TB) string{"sqlite": tempFile, "postgres": func(t testing.TB) string { return pgtest.Start(t) }} {
		b.Run(name, func(b *testing.B) {
			now := noon.Add(time.Hour)
			db := openWith(b, dsn(b), catalog.Options{Now: func() time.Time { return now }})
			must(b, db.Write(ctx, func(ctx context.Context, tx *catalog.Tx) error { return fillOutbox(ctx, tx, 10_000) }))
			b.Run("status", func(b *testing.B) {
				for b.Loop() {
					if s, err := db.OutboxStats(ctx); err != nil || s.Open != 20_000 {
						b.Fatalf("OutboxStats = %+v, %v", s, err)
					}
				}
			})
			b.Run("claim", func(b *testing.B) {
				for b.Loop() {
					claim(b, db, catalog.OutboxSubmit, now, "w")
				}
			})
			b.Run("claim-nothing", func(b *testing.B) {
				for b.Loop() {
					if _, ok, err := db.ClaimOutbox(ctx, catalog.OutboxRead, now, "r", time.Minute); ok || err != nil {
						b.Fatal(ok, err)
					}
				}
			})
		})
	}
}

// fillOutbox enters n rows that wait, n that were confirmed, and 3n submits.
func fillOutbox(ctx context.Context, tx *catalog.Tx, n int) error {
	numbers := fmt.Sprintf("WITH RECURSIVE k(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM k WHERE i < %d) ", n-1)
	for _, row := range []string{"1, 'waiting', 1, '2026-03-01T12:00:00.' || (100000000 + i) || 'Z'", "2, 'confirmed', 2, '2026-04-01T12:00:00.' || (100000000 + i) || 'Z'"} {
		_, err := tx.Exec(ctx, numbers+`INSERT INTO outbox (source, url, cause, created, receipt, priority, urgency, n, state, work, next_at)
			SELECT 's' || i, 'https://h' || i || '.example/terms', 'first', '2026-03-01T12:00:00.' || (100000000 + i) || 'Z', $1, 2, 3, `+row+" FROM k", []byte(`{"status":"success"}`))
		if err != nil {
			return err
		}
	}
	for range 3 {
		_, err := tx.Exec(ctx, numbers+"INSERT INTO submits (at, url_hash) SELECT '2026-03-01T12:00:00.' || (100000000 + i) || 'Z', 'h' || i FROM k")
		if err != nil {
			return err
		}
	}
	return nil
}
