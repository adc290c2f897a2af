package crawler

import (
	"context"
	"errors"
	"log/slog"
	"net/url"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// memoryLeases is a lease store in memory.
type memoryLeases struct {
	mu    sync.Mutex
	rows  map[string]*leaseRow
	calls int
	fail  error
	hang  bool // renewals get no answer
}

type leaseRow struct {
	owner string
	until time.Time
	next  time.Time
}

func (l *memoryLeases) row(host string) *leaseRow {
	if l.rows == nil {
		l.rows = map[string]*leaseRow{}
	}
	if l.rows[host] == nil {
		l.rows[host] = &leaseRow{}
	}
	return l.rows[host]
}

func (l *memoryLeases) TakeLease(_ context.Context, host, owner string, ttl time.Duration) (time.Time, bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.calls++
	if l.fail != nil {
		return time.Time{}, false, l.fail
	}
	r := l.row(host)
	if r.owner != "" && r.owner != owner && time.Now().Before(r.until) {
		return time.Time{}, false, nil
	}
	r.owner, r.until = owner, time.Now().Add(ttl)
	return r.next, true, nil
}

func (l *memoryLeases) RenewLeases(ctx context.Context, owner string, ttl time.Duration, next map[string]time.Time) error {
	l.mu.Lock()
	if l.hang {
		l.mu.Unlock()
		<-ctx.Done()
		return ctx.Err()
	}
	defer l.mu.Unlock()
	l.calls++
	if l.fail != nil {
		return l.fail
	}
	for host, t := range next {
		if r := l.row(host); r.owner == owner {
			r.until, r.next = time.Now().Add(ttl), t
		}
	}
	return nil
}

func (l *memoryLeases) DropLease(_ context.Context, host, owner string, next time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.calls++
	if r := l.row(host); r.owner == owner {
		r.owner, r.next = "", next
	}
	return nil
}

func (l *memoryLeases) owner(host string) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	r := l.row(host)
	if time.Now().Before(r.until) {
		return r.owner
	}
	return ""
}

func testHosts(leases Leases, owner string, delay time.Duration) *hostTurns {
	return newHosts(leases, owner, delay, func() float64 { return 0.5 }, slog.New(slog.DiscardHandler))
}

func far() time.Time { return time.Now().Add(time.Hour) }

func TestHostKey(t *testing.T) {
	for in, want := range map[string]string{
		"https://X.com/en/tos":     "x.com",
		"http://x.com:80/":         "x.com",
		"https://x.com:443/":       "x.com",
		"http://127.0.0.1:8080/a":  "127.0.0.1:8080",
		"https://[::1]:8443/":      "::1:8443",
		"https://xn--fsqu00a.com/": "xn--fsqu00a.com",
	} {
		u, err := url.Parse(in)
		if err != nil {
			t.Fatal(err)
		}
		if got := HostKey(u); got != want {
			t.Errorf("HostKey(%s) = %q, want %q", in, got, want)
		}
	}
}

func TestHostsIntervalAndOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := testHosts(nil, "a", time.Second)
		defer h.close(t.Context())
		var mu sync.Mutex
		var order []int
		var starts []time.Time
		inFlight := 0
		var wg sync.WaitGroup
		for i := range 5 {
			wg.Go(func() {
				turn, err := h.acquire(t.Context(), "x.com", far())
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				order, starts = append(order, i), append(starts, time.Now())
				if inFlight++; inFlight > 1 {
					t.Error("two exchanges in flight")
				}
				mu.Unlock()
				time.Sleep(300 * time.Millisecond) // the exchange
				mu.Lock()
				inFlight--
				mu.Unlock()
				turn.done(turn.start, time.Time{})
			})
			synctest.Wait() // in the queue before the next one comes
		}
		begin := time.Now()
		other, err := h.acquire(t.Context(), "y.com", far())
		if err != nil || time.Since(begin) != 0 {
			t.Errorf("another host waited %s (%v)", time.Since(begin), err)
		}
		other.done(time.Time{}, time.Time{})
		wg.Wait()
		for i := range order {
			if order[i] != i {
				t.Errorf("order = %v, want first come first served", order)
				break
			}
			if i > 0 && starts[i].Sub(starts[i-1]) < time.Second {
				t.Errorf("request %d came %s after the one before", i, starts[i].Sub(starts[i-1]))
			}
		}
		if total := starts[4].Sub(starts[0]); total > 4*1300*time.Millisecond {
			t.Errorf("5 requests took %s", total)
		}
		if h.nextAllowed("x.com").IsZero() || !h.nextAllowed("z.com").IsZero() {
			t.Error("nextAllowed does not know the interval")
		}
		time.Sleep(2 * time.Second)
		if next := h.nextAllowed("x.com"); !next.IsZero() {
			t.Errorf("nextAllowed = %s after the interval", next)
		}
	})
}

// The interval counts from when the request was sent, which may be long after
// the turn began (resolving, connecting).
func TestHostsIntervalFromSending(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := testHosts(nil, "a", time.Second)
		turn, err := h.acquire(t.Context(), "x.com", far())
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(900 * time.Millisecond)
		began := time.Now()
		turn.done(began, time.Time{})
		if _, err := h.acquire(t.Context(), "x.com", far()); err != nil {
			t.Fatal(err)
		}
		if d := time.Since(began); d < time.Second {
			t.Errorf("the next request came %s after this one was sent", d)
		}
	})
}

func TestHostsZeroDelayCostsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		leases := &memoryLeases{}
		h := testHosts(leases, "a", 0)
		begin := time.Now()
		for range 1000 {
			turn, err := h.acquire(t.Context(), "x.com", far())
			if err != nil {
				t.Fatal(err)
			}
			turn.done(time.Now(), time.Time{})
		}
		if leases.calls != 1 || time.Since(begin) != 0 {
			t.Errorf("1000 turns: %d calls of the lease store in %s, want 1 in no time", leases.calls, time.Since(begin))
		}
		if err := h.close(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
}

func TestHostsPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := testHosts(nil, "a", 0)
		turn, err := h.acquire(t.Context(), "x.com", far())
		if err != nil {
			t.Fatal(err)
		}
		until := time.Now().Add(10 * time.Minute)
		turn.done(time.Now(), until)
		if got := h.nextAllowed("x.com"); !got.Equal(until) {
			t.Errorf("nextAllowed = %s, want %s", got, until)
		}
		begin := time.Now()
		_, err = h.acquire(t.Context(), "x.com", time.Now().Add(2*time.Minute))
		if e := Classify(err); e.Code != CodeRateLimited || e.RetryAfter != 10*time.Minute || time.Since(begin) != 0 {
			t.Errorf("acquire = %v after %s, want rate-limited at once", err, time.Since(begin))
		}
		// A pause that fits is waited for.
		if _, err := h.acquire(t.Context(), "x.com", far()); err != nil || time.Now().Before(until) {
			t.Errorf("acquire = %v at %s, want the end of the pause", err, time.Now())
		}
	})
}

func TestHostsWaitIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := testHosts(nil, "a", 0)
		turn, err := h.acquire(t.Context(), "x.com", far())
		if err != nil {
			t.Fatal(err)
		}
		begin := time.Now()
		_, err = h.acquire(t.Context(), "x.com", begin.Add(time.Minute))
		if Classify(err).Code != CodeHostBusy || time.Since(begin) != time.Minute {
			t.Errorf("acquire = %v after %s, want host-busy after a minute", err, time.Since(begin))
		}
		ctx, cancel := context.WithCancel(t.Context())
		go cancel()
		if _, err := h.acquire(ctx, "x.com", far()); Classify(err).Code != CodeInterrupted {
			t.Errorf("acquire = %v, want interrupted", err)
		}
		// Who gave up does not hold the turn.
		turn.done(time.Now(), time.Time{})
		if _, err := h.acquire(t.Context(), "x.com", begin); err != nil {
			t.Errorf("acquire of a free host: %v", err)
		}
	})
}

func TestHostsCrawlDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := testHosts(nil, "a", time.Second)
		h.setCrawlDelay("x.com", 20*time.Second)
		for i := range 2 {
			begin := time.Now()
			turn, err := h.acquire(t.Context(), "x.com", far())
			if err != nil {
				t.Fatal(err)
			}
			if d := time.Since(begin); i == 1 && d != 20*time.Second {
				t.Errorf("waited %s, want the crawl delay", d)
			}
			turn.done(time.Now(), time.Time{})
		}
	})
}

func TestHostsCrawlDelayCountsFromRobots(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := testHosts(nil, "a", 0)
		robots, err := h.acquire(t.Context(), "x.com", far())
		if err != nil {
			t.Fatal(err)
		}
		begin := time.Now()
		robots.done(begin, time.Time{})
		time.Sleep(time.Second)
		h.setCrawlDelay("x.com", 20*time.Second)
		page, err := h.acquire(t.Context(), "x.com", far())
		if err != nil {
			t.Fatal(err)
		}
		if d := time.Since(begin); d != 20*time.Second {
			t.Errorf("the page was asked for %s after robots.txt, want the crawl delay", d)
		}
		page.done(time.Now(), time.Time{})
	})
}

func TestLeaseOfAClockAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		leases := &memoryLeases{}
		leases.row("x.com").next = time.Now().AddDate(10, 0, 0)
		h := testHosts(leases, "a", time.Second)
		turn, err := h.acquire(t.Context(), "x.com", time.Now().Add(time.Minute))
		if err != nil {
			t.Fatalf("acquire = %v, want the impossible pause ignored", err)
		}
		turn.done(time.Now(), time.Time{})
		if err := h.close(t.Context()); err != nil {
			t.Fatal(err)
		}
		if next := leases.row("x.com").next; next.After(time.Now().Add(time.Minute)) {
			t.Errorf("next = %s, want it mended in the store", next)
		}
	})
}

func TestLeaseExcludesOtherProcesses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		leases := &memoryLeases{}
		a, b := testHosts(leases, "a", time.Second), testHosts(leases, "b", time.Second)
		turn, err := a.acquire(t.Context(), "x.com", far())
		if err != nil {
			t.Fatal(err)
		}
		begin := time.Now()
		_, err = b.acquire(t.Context(), "x.com", begin.Add(20*time.Second))
		if Classify(err).Code != CodeHostBusy || time.Since(begin) < 19*time.Second {
			t.Errorf("acquire = %v after %s, want host-busy after 20 s: the heartbeat holds the lease", err, time.Since(begin))
		}
		turn.done(time.Now(), time.Time{})
		ended := time.Now()
		got, err := b.acquire(t.Context(), "x.com", far())
		if err != nil {
			t.Fatal(err)
		}
		if d := time.Since(ended); d > leaseIdle+leaseRenew+2*leasePoll {
			t.Errorf("an idle host was given over after %s", d)
		}
		got.done(time.Now(), time.Time{})
		last := time.Now()
		// Close gives it back at once, with the time of the next request.
		if err := b.close(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := a.acquire(t.Context(), "x.com", far()); err != nil || time.Since(last) < time.Second {
			t.Errorf("acquire = %v after %s, want the interval kept across processes", err, time.Since(last))
		}
		if err := a.close(t.Context()); err != nil {
			t.Fatal(err)
		}
		if o := leases.owner("x.com"); o != "" {
			t.Errorf("lease is still %s's", o)
		}
	})
}

func TestLeaseOfADeadOwner(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		leases := &memoryLeases{}
		if _, ok, err := leases.TakeLease(t.Context(), "x.com", "killed", leaseTTL); !ok || err != nil {
			t.Fatal(ok, err)
		}
		h := testHosts(leases, "a", 0)
		begin := time.Now()
		if _, err := h.acquire(t.Context(), "x.com", far()); err != nil {
			t.Fatal(err)
		}
		if d := time.Since(begin); d > 10*time.Second || d < leaseTTL {
			t.Errorf("took over after %s, want after %s and within 10 s", d, leaseTTL)
		}
		h.close(t.Context())
	})
}

// A process that could not renew for the length of a lease asks again, since the
// host may be another's by now.
func TestLeaseLostIsTakenAgain(t *testing.T) {
	for _, tc := range []struct {
		name  string
		away  time.Duration // how long the store is of no use
		hang  bool          // it gives no answer, instead of an error
		after time.Duration // from its return to the next request
	}{
		{"asked at once", 20 * time.Second, false, 0},
		{"asked after a heartbeat", 20 * time.Second, false, 3 * time.Second},
		{"heartbeat hangs", 9 * time.Second, true, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				leases := &memoryLeases{}
				h := testHosts(leases, "a", 0)
				turn, err := h.acquire(t.Context(), "x.com", far())
				if err != nil {
					t.Fatal(err)
				}
				broken := errors.New("database is away")
				set := func(fail error, hang bool) {
					leases.mu.Lock()
					defer leases.mu.Unlock()
					leases.fail, leases.hang = fail, hang
				}
				set(broken, tc.hang)
				time.Sleep(tc.away)
				set(nil, tc.hang)
				leases.mu.Lock()
				leases.rows["x.com"] = &leaseRow{owner: "b", until: time.Now().Add(tc.after + 5*time.Second)}
				leases.mu.Unlock()
				time.Sleep(tc.after)
				turn.done(time.Now(), time.Time{})
				begin := time.Now()
				if _, err := h.acquire(t.Context(), "x.com", far()); err != nil {
					t.Fatal(err)
				}
				if d := time.Since(begin); d < 5*time.Second {
					t.Errorf("used a lost lease after %s", d)
				}
				set(nil, false)
				if err := h.close(t.Context()); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

func TestLeaseStoreFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := testHosts(&memoryLeases{fail: errors.New("database is away")}, "a", 0)
		_, err := h.acquire(t.Context(), "x.com", far())
		if e := Classify(err); e.Code != CodeStorage {
			t.Errorf("acquire = %v, want storage", err)
		}
	})
}

func TestHostsForget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := testHosts(&memoryLeases{}, "a", 0)
		defer h.close(t.Context())
		for _, key := range []string{"a", "b", "c"} {
			turn, err := h.acquire(t.Context(), key, far())
			if err != nil {
				t.Fatal(err)
			}
			turn.done(time.Now(), time.Time{})
		}
		time.Sleep(10 * time.Minute)
		turn, err := h.acquire(t.Context(), "d", far())
		if err != nil {
			t.Fatal(err)
		}
		turn.done(time.Now(), time.Time{})
		if n := len(h.hosts); n != 1 {
			t.Errorf("%d hosts are remembered, want 1", n)
		}
	})
}

func BenchmarkHostsTurn(b *testing.B) {
	h := testHosts(nil, "a", 0)
	deadline := far()
	for b.Loop() {
		turn, err := h.acquire(b.Context(), "x.com", deadline)
		if err != nil {
			b.Fatal(err)
		}
		turn.done(turn.start, time.Time{})
	}
}
