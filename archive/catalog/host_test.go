package catalog_test

import (
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

// clock is a clock that tests move.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) time() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func TestLease(t *testing.T) {
	eachDatabase(t, func(t *testing.T, dsn string) {
		c := &clock{now: noon}
		db := openWith(t, dsn, catalog.Options{Now: c.time})
		// A lease that is over: on PostgreSQL the clock is the server's.
		over, ttl := -time.Second, 30*time.Minute

		next, ok, err := db.TakeLease(ctx, "h", "a", ttl)
		if !ok || err != nil || !next.IsZero() {
			t.Fatalf("TakeLease of a new host = %v, %v, %v, want at once", next, ok, err)
		}
		for _, owner := range []string{"a", "b"} {
			until, ok, err := db.TakeLease(ctx, "h", owner, ttl)
			if ok || err != nil {
				t.Fatalf("TakeLease of a leased host for %s = %v, %v, want refused", owner, ok, err)
			}
			if d := until.Sub(noon.Add(ttl)).Abs(); d > time.Minute {
				t.Errorf("refused lease says that it ends at %v, want about %v", until, noon.Add(ttl))
			}
		}
		allowed := noon.Add(90 * time.Second)
		must(t, db.RenewLeases(ctx, "a", over, map[string]time.Time{"h": allowed}))
		next, ok, err = db.TakeLease(ctx, "h", "b", ttl)
		if !ok || err != nil {
			t.Fatalf("TakeLease of a dead owner's host = %v, %v, want taken", ok, err)
		}
		if d := next.Sub(allowed).Abs(); d > time.Minute {
			t.Errorf("next request allowed at %v, want about %v", next, allowed)
		}
		err = db.RenewLeases(ctx, "a", ttl, map[string]time.Time{"h": noon, "other": noon})
		if !errors.Is(err, catalog.ErrLeaseLost) || !strings.Contains(err.Error(), "h, other") {
			t.Errorf("RenewLeases of a lost lease: %v, want ErrLeaseLost naming h, other", err)
		}
		must(t, db.DropLease(ctx, "h", "a", noon)) // not a's
		if _, ok, err := db.TakeLease(ctx, "h", "c", ttl); ok || err != nil {
			t.Errorf("b's lease ended when a dropped its own: %v, %v", ok, err)
		}
		must(t, db.DropLease(ctx, "h", "b", noon.Add(-time.Minute)))
		if _, ok, err := db.TakeLease(ctx, "h", "c", ttl); !ok || err != nil {
			t.Errorf("TakeLease of a dropped host = %v, %v, want taken", ok, err)
		}
	})
}

// A lease written by a clock that was ahead does not keep its host for ever.
func TestLeaseFromTheFuture(t *testing.T) {
	eachDatabase(t, func(t *testing.T, dsn string) {
		db := open(t, dsn)
		for host, ttl := range map[string]time.Duration{"sane": 50 * time.Minute, "ahead": 70 * time.Minute, "far": 30 * 365 * 24 * time.Hour} {
			if _, ok, err := db.TakeLease(ctx, host, "a", ttl); !ok || err != nil {
				t.Fatal(host, ok, err)
			}
		}
		for host, want := range map[string]bool{"sane": false, "ahead": true, "far": true} {
			if _, ok, err := db.TakeLease(ctx, host, "b", 10*time.Second); ok != want || err != nil {
				t.Errorf("TakeLease of %s = %v, %v, want %v", host, ok, err, want)
			}
			if _, ok, err := db.TakeLease(ctx, host, "c", 10*time.Second); ok || err != nil {
				t.Errorf("TakeLease of %s once more = %v, %v, want refused", host, ok, err)
			}
		}
	})
}

// On SQLite leases go by our clock, exactly.
func TestLeaseClock(t *testing.T) {
	c := &clock{now: noon}
	db := openWith(t, t.TempDir()+"/catalog.db", catalog.Options{Now: c.time})
	_, _, err := db.TakeLease(ctx, "h", "a", 5*time.Second)
	must(t, err)
	c.add(5*time.Second - 1)
	until, ok, err := db.TakeLease(ctx, "h", "b", 5*time.Second)
	if ok || err != nil || !until.Equal(noon.Add(5*time.Second)) {
		t.Errorf("TakeLease 1 ns before its end = %v, %v, %v, want refused until its end", until, ok, err)
	}
	c.add(1)
	if _, ok, err := db.TakeLease(ctx, "h", "b", 5*time.Second); !ok || err != nil {
		t.Errorf("TakeLease at its end = %v, %v, want taken", ok, err)
	}
	must(t, db.DropLease(ctx, "h", "b", noon.Add(time.Minute+1)))
	if next, ok, err := db.TakeLease(ctx, "h", "c", time.Second); !ok || err != nil || !next.Equal(noon.Add(time.Minute+1)) {
		t.Errorf("TakeLease = %v, %v, %v, want the noted time to the nanosecond", next, ok, err)
	}
}

// Machines with wrong clocks agree through the server's.
func TestLeaseClocksDiffer(t *testing.T) {
	// A SQLite file has one machine and one clock.
	dsn := pgtest.Start(t)
	slow := openWith(t, dsn, catalog.Options{Now: func() time.Time { return time.Now().Add(-time.Hour) }})
	fast := openWith(t, dsn, catalog.Options{Now: func() time.Time { return time.Now().Add(time.Hour) }})
	_, ok, err := slow.TakeLease(ctx, "h", "slow", 10*time.Minute)
	if !ok || err != nil {
		t.Fatal(ok, err)
	}
	if _, ok, err := fast.TakeLease(ctx, "h", "fast", time.Minute); ok || err != nil {
		t.Errorf("a machine whose clock is fast took a running lease: %v, %v", ok, err)
	}
	must(t, slow.DropLease(ctx, "h", "slow", time.Now().Add(-time.Hour).Add(30*time.Second)))
	next, ok, err := fast.TakeLease(ctx, "h", "fast", time.Minute)
	if !ok || err != nil {
		t.Fatal(ok, err)
	}
	if wait := next.Sub(time.Now().Add(time.Hour)); wait < 20*time.Second || wait > 31*time.Second {
		t.Errorf("the fast machine is told to wait %v, want about 30s", wait)
	}
}

// Two processes: many takers of few hosts, each host with exactly one owner.
func TestLeaseExclusive(t *testing.T) {
	eachDatabase(t, func(t *testing.T, dsn string) {
		dbs := []*catalog.DB{open(t, dsn), open(t, dsn)}
		for round := range 3 {
			const hosts = 10
			var (
				mu   sync.Mutex
				took [hosts][]string
				wg   sync.WaitGroup
			)
			for worker := range 8 {
				wg.Go(func() {
					owner := fmt.Sprint("owner", worker)
					for i := range hosts {
						_, ok, err := dbs[worker%2].TakeLease(ctx, fmt.Sprintf("host%d-%d", round, i), owner, time.Minute)
						if err != nil {
							t.Error(err)
						}
						if ok {
							mu.Lock()
							took[i] = append(took[i], owner)
							mu.Unlock()
						}
					}
				})
			}
			wg.Wait()
			for i, owners := range took {
				if len(owners) != 1 {
					t.Errorf("round %d: host %d was taken by %v, want exactly one", round, i, owners)
				}
			}
		}
	})
}

func TestRobots(t *testing.T) {
	eachDatabase(t, func(t *testing.T, dsn string) {
		db := open(t, dsn)
		if _, _, _, ok, err := db.LoadRobots(ctx, "https://a.example"); ok || err != nil {
			t.Fatalf("LoadRobots of nothing = %v, %v", ok, err)
		}
		for _, body := range []string{"User-agent: *\nDisallow: /\n", "\x00\xff any bytes", ""} {
			must(t, db.SaveRobots(ctx, "https://a.example", []byte(body), 200, noon))
			got, status, fetched, ok, err := db.LoadRobots(ctx, "https://a.example")
			if d := cmp.Diff(body, string(got)); d != "" || status != 200 || !fetched.Equal(noon) || !ok || err != nil {
				t.Errorf("LoadRobots = %q, %d, %v, %v, %v, want %q as saved", got, status, fetched, ok, err, body)
			}
		}
	})
}
