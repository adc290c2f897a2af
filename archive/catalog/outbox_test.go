package catalog_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fineprint-archive/fineprint/archive/catalog"
)

// lookWithOutbox enters a look that asks for an outbox row.
func lookWithOutbox(t *testing.T, db *catalog.DB, source string, at time.Time) {
	t.Helper()
	b := begin(t, db, source, at)
	l := captured(source, b.N, at, fmt.Sprint(source, b.N))
	must(t, db.FinishLook(ctx, catalog.Finish{Look: l, NextAt: at, Outbox: &catalog.OutboxNew{
		Source: source, N: b.N, URL: l.URL, Cause: "different", At: at, AtMostEvery: 7 * 24 * time.Hour, NeedsBrowser: b.N == 1}}))
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
		want := catalog.OutboxStats{States: map[string]int64{"waiting": 3}, Open: 3, NextAt: noon}
		if d := cmp.Diff(want, stats); d != "" {
			t.Errorf("OutboxStats (-want +got):\n%s", d)
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
		if row, ok, err := db.ClaimOutbox(ctx, noon, "w1", time.Minute); ok || err != nil || !row.NextAt.IsZero() {
			t.Fatalf("ClaimOutbox of an empty outbox = %+v, %v, %v", row, ok, err)
		}
		lookWithOutbox(t, db, "s0", noon)
		lookWithOutbox(t, db, "s1", noon.Add(time.Second))

		if row, ok, err := db.ClaimOutbox(ctx, noon.Add(-1), "w1", time.Minute); ok || err != nil || !row.NextAt.Equal(noon) {
			t.Errorf("ClaimOutbox too early = next %v, %v, %v, want %v", row.NextAt, ok, err, noon)
		}
		now := noon.Add(time.Minute)
		row, ok, err := db.ClaimOutbox(ctx, now, "w1", time.Minute)
		must(t, err)
		want := catalog.OutboxRow{ID: row.ID, Source: "s0", N: 1, URL: "https://host0.example/s0", Cause: "different", Created: noon, NeedsBrowser: true,
			State: "waiting", Open: true, NextAt: noon, Owner: "w1", LeaseUntil: now.Add(time.Minute)}
		if d := cmp.Diff(want, row); !ok || d != "" {
			t.Fatalf("ClaimOutbox = %v (-want +got):\n%s", ok, d)
		}
		second, ok, err := db.ClaimOutbox(ctx, now, "w2", time.Minute)
		if !ok || err != nil || second.Source != "s1" {
			t.Fatalf("second ClaimOutbox = %+v, %v, %v, want s1", second, ok, err)
		}
		if row, ok, err := db.ClaimOutbox(ctx, now, "w3", time.Minute); ok || err != nil || !row.NextAt.Equal(now.Add(time.Minute)) {
			t.Errorf("ClaimOutbox of leased rows = next %v, %v, %v, want the end of the leases", row.NextAt, ok, err)
		}
		again, ok, err := db.ClaimOutbox(ctx, now, "w1", time.Minute)
		if !ok || err != nil || again.ID != row.ID {
			t.Errorf("ClaimOutbox of the same owner = %+v, %v, %v, want its own row again", again, ok, err)
		}

		row.State, row.Open, row.JobID, row.Attempts, row.Waits, row.Reused = "accepted", true, "spn2-é", 1, 2, true
		row.LastClass, row.LastCode, row.LastError = "wait", "429", "日本\x00語"
		row.SubmittedAt, row.AcceptedAt, row.ReportedAt = noon, noon.Add(1), noon.Add(2)
		row.Snapshot, row.OriginalURL, row.HTTPStatus, row.Receipt = "20260301120000", "https://x.example/", 200, []byte(`{"a":1}`)
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
		taken, ok, err := db.ClaimOutbox(ctx, late, "w3", time.Minute)
		if !ok || err != nil || taken.ID != second.ID {
			t.Fatalf("ClaimOutbox after a lease = %+v, %v, %v, want s1", taken, ok, err)
		}
		if err := db.SaveOutbox(ctx, second); !errors.Is(err, catalog.ErrOutboxLease) {
			t.Errorf("SaveOutbox of a lost lease: %v, want ErrOutboxLease", err)
		}
		taken.Open, taken.State, taken.LeaseUntil = false, "reported", time.Time{}
		must(t, db.SaveOutbox(ctx, taken))
		// What was begun comes before what waits.
		lookWithOutbox(t, db, "s1", noon.Add(8*24*time.Hour))
		row, ok, err = db.ClaimOutbox(ctx, noon.Add(9*24*time.Hour), "w1", time.Minute)
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
					row, ok, err := dbs[w%2].ClaimOutbox(ctx, noon, fmt.Sprint("w", w), time.Minute)
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
					row.Open, row.LeaseUntil = false, time.Time{}
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
