package wayback

import (
	"context"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fineprint-archive/fineprint/archive/wayback/waybacktest"
)

// TestWorkerMixed meets all passing faults in one queue, in random order, with a
// service that enforces its limits.
func TestWorkerMixed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const pages = 100
		l := newLab(t, waybacktest.Config{Enforce: true}, Limits{}, nil)
		random := rand.New(rand.NewPCG(1, 2))
		kinds := []waybacktest.Fault{
			{Kind: waybacktest.TooMany}, {Kind: waybacktest.TooMany, RetryAfter: time.Minute},
			{Kind: waybacktest.HTTPStatus}, {Kind: waybacktest.HTTPStatus, Status: 503, RetryAfter: 10 * time.Minute},
			{Kind: waybacktest.HTML}, {Kind: waybacktest.Reset}, {Kind: waybacktest.Lost}, {Kind: waybacktest.Truncated},
			{Kind: waybacktest.StatusAfter}, {Kind: waybacktest.Slow, Delay: 30 * time.Second}, {Kind: waybacktest.Forgotten},
			{Kind: waybacktest.PartialSuccess}, {Kind: waybacktest.JobError, Code: "error:proxy-error"},
			{Kind: waybacktest.JobError, Code: "error:no-access"}, {Kind: waybacktest.Delayed, Delay: 3 * time.Hour},
		}
		urls := addresses(pages)
		lost := 0
		for i, u := range urls {
			if i%2 == 0 {
				f := kinds[random.IntN(len(kinds))]
				f.URL = u
				l.server.Inject(f)
				lost++
			}
		}
		for range 20 {
			l.server.Inject(waybacktest.Fault{Kind: waybacktest.Reset, On: "status"})
			l.server.Inject(waybacktest.Fault{Kind: waybacktest.TooMany, On: "user"})
		}
		o := newOutbox(urls...)
		drain(t, l.worker(l.client, o, "w"))
		if diff := cmp.Diff(map[State]int{StateReported: pages}, o.states()); diff != "" {
			t.Errorf("states (-want +got):\n%s", diff)
		}
		if b := l.server.Breaches(); len(b) != 0 {
			t.Errorf("breaches = %v, want none", b)
		}
		if n := l.server.Submits(""); n > pages+lost {
			t.Errorf("submits = %d, want at most %d and one for each of %d faults", n, pages, lost)
		}
	})
}

// TestWorkersShare: two workers of one process work one outbox with one pacer.
func TestWorkersShare(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, waybacktest.Config{}, Limits{}, nil)
		o := newOutbox(addresses(12)...)
		var wg sync.WaitGroup
		for _, owner := range []string{"a", "b"} {
			wg.Go(func() {
				if _, err := l.worker(l.client, o, owner).Run(t.Context(), nil); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if o.states()[StateReported] != 12 || l.server.Submits("") != 12 {
			t.Errorf("states %v after %d submits, want 12 reported after 12", o.states(), l.server.Submits(""))
		}
		if b := l.server.Breaches(); len(b) != 0 {
			t.Errorf("breaches = %v, want none", b)
		}
	})
}

// TestLoopback runs once over real sockets and in real time, at 600 times the
// speed, as the demonstration does.
func TestLoopback(t *testing.T) {
	t.Parallel()
	const scale = 600
	server, address := waybacktest.Start(t, waybacktest.Config{TimeScale: scale, PendingFor: 10 * time.Second})
	c, err := New(Config{BaseURL: address + "/", Keys: Keys{testAccess, testSecret}, UserAgent: testAgent,
		Pacer: NewPacer(Limits{TimeScale: scale})})
	if err != nil {
		t.Fatal(err)
	}
	server.Inject(waybacktest.Fault{Kind: waybacktest.Lost, On: "submit"})
	o := newOutbox(addresses(4)...)
	w, err := NewWorker(WorkerConfig{Client: c, Outbox: o, Owner: "w"})
	if err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	runs, _ := drain(t, w)
	if n := server.Submits(""); o.states()[StateReported] != 4 || n > 5 || len(server.Captures()) != 4 {
		t.Errorf("states %v after %d submits, want 4 reported after at most 5", o.states(), n)
	}
	t.Logf("%d runs took %v", runs, time.Since(start))
}

// TestWorkerOriginalJob: a job that shares another's capture is reported with
// that one's time, and with its own if the other is forgotten.
func TestWorkerOriginalJob(t *testing.T) {
	answers := map[string]string{
		"/save":             `{"job_id":"second"}`,
		"/save/status/user": `{"available":3}`,
		"/save/status/second": `{"status":"success","original_url":"https://x.example/","timestamp":"20261122103000",
			"http_status":200,"original_job_id":"first"}`,
		"/save/status/first": `{"status":"success","original_url":"https://x.example/","timestamp":"20261122100000","http_status":200}`,
	}
	for _, forgotten := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			l := newLab(t, waybacktest.Config{}, Limits{}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if forgotten && r.URL.Path == "/save/status/first" {
					io.WriteString(w, `{"status":"pending"}`)
					return
				}
				io.WriteString(w, answers[r.URL.Path])
			}))
			o := newOutbox("https://x.example/")
			drain(t, l.worker(l.client, o, "w"))
			want := "20261122100000"
			if forgotten {
				want = "20261122103000"
			}
			if item := o.item(1); item.State != StateReported || item.Snapshot != want || !strings.Contains(string(item.Receipt), want) {
				t.Errorf("item = %s %s %s, want reported %s", item.State, item.Snapshot, item.Receipt, want)
			}
		})
	}
}

// TestWorkerHeldByAnother: a pause that one page's daily limit brought holds the
// others until it is over, and does not make them wait for tomorrow.
func TestWorkerHeldByAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, waybacktest.Config{}, Limits{}, nil)
		l.client.Pacer().HoldSubmits(10*time.Minute, &Error{Op: "submit", Class: ClassTomorrowURL, Code: "too-many-daily-captures"})
		o := newOutbox(addresses(2)...)
		start := time.Now()
		drain(t, l.worker(l.client, o, "w"))
		if d := time.Since(start); d < 10*time.Minute || d > time.Hour {
			t.Errorf("done after %v, want soon after the pause of 10 minutes", d)
		}
		for id := range int64(2) {
			if item := o.item(id + 1); item.State != StateReported {
				t.Errorf("item = %s, want reported", item.State)
			}
		}
	})
}

// TestWorkerMaxAge: an item that was never accepted is given up at last.
func TestWorkerMaxAge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, waybacktest.Config{}, Limits{MaxAge: 5 * 24 * time.Hour}, nil)
		l.server.Inject(waybacktest.Fault{Kind: waybacktest.Body, On: "submit", Times: -1,
			Body: `{"status":"error","status_ext":"error:too-many-daily-captures"}`})
		o := newOutbox(addresses(1)...)
		start := time.Now()
		drain(t, l.worker(l.client, o, "w"))
		if d := time.Since(start); d < 5*24*time.Hour || d > 7*24*time.Hour {
			t.Errorf("given up after %v, want 5 to 7 days", d)
		}
		if item := o.item(1); item.State != StateFailed || item.LastClass != ClassTomorrowURL {
			t.Errorf("item = %s, %s, want failed with its last class", item.State, item.LastClass)
		}
	})
}

// TestWorkerLostLease: another worker took the item over; ours submits nothing
// and goes on.
func TestWorkerLostLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, waybacktest.Config{}, Limits{Slots: 1}, nil)
		o := newOutbox(addresses(2)...)
		o.onSave = func(n int, item Item) (bool, bool) {
			if n == 1 { // the first item's lease went away before this save
				stolen := o.items[item.ID]
				stolen.Owner, stolen.LeaseUntil, stolen.NextAt = "thief", time.Now().Add(time.Hour), time.Now().Add(time.Hour)
				o.items[item.ID] = stolen
			}
			return false, false
		}
		stats, err := l.worker(l.client, &checkingOutbox{o}, "w").Run(t.Context(), nil)
		if err != nil || stats.Submits != 1 || o.item(1).Owner != "thief" || o.item(2).State != StateReported {
			t.Errorf("Run = %+v, %v; items %s of %q, %s", stats, err, o.item(1).State, o.item(1).Owner, o.item(2).State)
		}
	})
}

// checkingOutbox looks at the owner after onSave has run as well.
type checkingOutbox struct{ *memOutbox }

func (c *checkingOutbox) Save(ctx context.Context, item Item) error {
	c.mu.Lock()
	if c.onSave != nil && c.saves == 0 {
		c.onSave(1, item)
		c.onSave = nil
	}
	c.mu.Unlock()
	return c.memOutbox.Save(ctx, item)
}

// TestWorkerLostAnswer: one more submit, which is answered with the same job.
func TestWorkerLostAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, waybacktest.Config{}, Limits{}, nil)
		l.server.Inject(waybacktest.Fault{Kind: waybacktest.Lost, On: "submit"})
		o := newOutbox(addresses(1)...)
		_, total := drain(t, l.worker(l.client, o, "w"))
		item := o.item(1)
		if total.Submits != 2 || total.Repeats != 1 || item.Attempts != 1 || !item.Reused || item.State != StateReported {
			t.Errorf("%+v, item %+v, want one repetition, answered with the same job", total, item)
		}
		if diff := cmp.Diff([]State{StateSubmitted, StateAccepted, StateReported}, o.history[1]); diff != "" {
			t.Errorf("states saved (-want +got):\n%s", diff)
		}
		if n := len(l.server.Captures()); n != 1 {
			t.Errorf("captures = %d, want 1", n)
		}
	})
}

// TestWorkerOneSlot: while a submit is slow, no other takes the slot that it asked for.
func TestWorkerOneSlot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, waybacktest.Config{Slots: 1}, Limits{}, nil)
		l.server.Inject(waybacktest.Fault{Kind: waybacktest.Slow, On: "submit", Delay: 15 * time.Second, Times: -1})
		o := newOutbox(addresses(6)...)
		drain(t, l.worker(l.client, o, "w"))
		if b := l.server.Breaches(); len(b) != 0 || o.states()[StateReported] != 6 {
			t.Errorf("breaches = %v, states = %v, want none and 6 reported", b, o.states())
		}
	})
}

// TestWorkerRestartPace: what an earlier process submitted counts for the pace.
func TestWorkerRestartPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, waybacktest.Config{}, Limits{}, nil)
		o := newOutbox(addresses(1)...)
		item := o.items[1]
		item.State, item.SubmittedAt, item.Attempts = StateSubmitted, time.Now().Add(-2*time.Second), 1
		o.items[1] = item
		start := time.Now()
		drain(t, l.worker(l.client, o, "w"))
		for _, r := range l.server.Requests() {
			if r.Op == "submit" && r.Time.Sub(start) < 8*time.Second {
				t.Errorf("submitted again %v after the start, want 8 s or more", r.Time.Sub(start))
			}
		}
		if got := o.item(1); got.State != StateReported || got.Attempts != 1 {
			t.Errorf("item = %s after %d attempts, want reported after 1", got.State, got.Attempts)
		}
	})
}
