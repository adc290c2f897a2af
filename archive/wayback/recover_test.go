package wayback

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fineprint-archive/fineprint/archive/wayback/waybacktest"
)

// sleepTo sleeps to a time of today (UTC); a bubble begins at midnight.
func sleepTo(hour time.Duration) {
	now := time.Now().UTC()
	time.Sleep(time.Until(now.Truncate(day).Add(hour)))
}

// TestCrashReadBack drops the worker before and after each single Save of a life
// from the submit to the confirmation and goes on with a new one: nothing is lost,
// and nothing is captured twice.
func TestCrashReadBack(t *testing.T) {
	t.Parallel()
	for _, owner := range []string{"same", "other"} {
		for _, after := range []bool{false, true} {
			for at := 1; ; at++ {
				crashed := false
				synctest.Test(t, func(t *testing.T) {
					l := newLab(t, waybacktest.Config{Enforce: true, FetchPage: origin}, Limits{}, nil)
					o := newOutbox(addresses(2)...)
					ctx, cancel := context.WithCancel(t.Context())
					defer cancel()
					o.kill = cancel
					o.onSave = func(n int, item Item) (bool, bool) {
						crashed = crashed || n == at
						return n == at, after
					}
					start := time.Now()
					first := l.readingWorker(l.client, o, "same", &testReader{client: l.client})
					for !crashed {
						stats, err := first.Run(ctx, nil)
						if crashed || stats.NextAction.After(start.Add(3*day)) {
							break
						}
						if err != nil {
							t.Fatal(err)
						}
						time.Sleep(time.Until(stats.NextAction))
					}
					o.revive()
					c := l.newClient(Limits{})
					work(t, l.readingWorker(c, o, owner, &testReader{client: c}), start.Add(3*day))
					if diff := cmp.Diff(map[State]int{StateConfirmed: 2}, o.states()); diff != "" {
						t.Errorf("states (-want +got):\n%s", diff)
					}
					if n := len(l.server.Captures()); n != 2 {
						t.Errorf("captures = %d, want 2", n)
					}
					if n := l.server.Submits(""); n > 3 {
						t.Errorf("submits = %d, want one for each page, and one for the answer that was lost", n)
					}
					if b := l.server.Breaches(); len(b) != 0 {
						t.Errorf("breaches = %v, want none", b)
					}
				})
				if t.Failed() {
					t.Fatalf("crash at save %d (after storing: %v), owner %s", at, after, owner)
				}
				if !crashed {
					if at < 15 {
						t.Errorf("only %d saves for 2 pages", at-1)
					}
					break
				}
			}
		}
	}
}

// TestIndexBeforeRepeat: each repeated submit is preceded by a look into the index
// for its address.
func TestIndexBeforeRepeat(t *testing.T) {
	for _, f := range []waybacktest.Fault{
		{Kind: waybacktest.Lost, On: "submit"},
		{Kind: waybacktest.StatusAfter, On: "submit"},
		{Kind: waybacktest.HTTPStatus, On: "submit"},
		{Kind: waybacktest.JobError, On: "submit", Message: "Job failed", Times: 2},
		{Kind: waybacktest.JobError, On: "submit", Code: "error:who-knows", Times: 2},
		{Kind: waybacktest.JobError, On: "submit", Code: "error:no-access"},
	} {
		t.Run(fmt.Sprint(f.Kind, f.Code), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLab(t, waybacktest.Config{Enforce: true, FetchPage: origin}, Limits{}, nil)
				l.server.Inject(f)
				o := newOutbox(addresses(1)...)
				drain(t, l.worker(l.client, o, "w"))
				submits, looked := 0, false
				for _, r := range l.server.Requests() {
					switch r.Op {
					case "index":
						looked = true
					case "submit":
						if submits > 0 && !looked {
							t.Errorf("submit %d without a look into the index", submits+1)
						}
						submits, looked = submits+1, false
					}
				}
				if submits < 2 || o.item(1).State != StateReported {
					t.Errorf("%d submits, item %s, want a repetition and a report", submits, o.item(1).State)
				}
			})
		})
	}
}

// TestForgottenAfterRestart: a job whose id is too old to mean anything is looked
// for in the index, and its capture found.
func TestForgottenAfterRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, waybacktest.Config{Enforce: true, FetchPage: origin}, Limits{}, nil)
		o := newOutbox(addresses(1)...)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		o.kill = cancel
		o.onSave = func(_ int, item Item) (bool, bool) { return item.State == StateAccepted, true }
		l.worker(l.client, o, "w").Run(ctx, nil) // killed with the job id stored
		o.revive()
		time.Sleep(5 * time.Hour)
		drain(t, l.worker(l.newClient(Limits{}), o, "w"))
		if item := o.item(1); item.State != StateReported || item.Snapshot == "" || l.server.Submits("") != 1 {
			t.Errorf("item = %s %s after %d submits, want it reported after 1", item.State, item.Snapshot, l.server.Submits(""))
		}
		for _, r := range l.server.Requests() {
			if r.Op == "status" {
				t.Error("a job was asked for that is older than its id's life")
			}
		}
	})
}

// TestLinkToday: an address that was captured often enough today gets the day's
// capture; one that has changed only if that was made after our look.
func TestLinkToday(t *testing.T) {
	for _, tt := range []struct {
		name     string
		priority int
		capture  time.Duration // of the day
		linked   bool
	}{
		{"unchanged, before", 3, 2 * time.Hour, true},
		{"changed, before", 1, 2 * time.Hour, false},
		{"changed, after", 1, 11*time.Hour + 30*time.Minute, true},
		{"of yesterday", 3, -2 * time.Hour, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLab(t, waybacktest.Config{Enforce: true, FetchPage: origin}, Limits{}, nil)
				sleepTo(11 * time.Hour)
				o := newOutbox(addresses(1)...)
				item := o.items[1]
				item.Priority = tt.priority
				o.items[1] = item
				sleepTo(12 * time.Hour)
				at := time.Now().UTC().Truncate(day).Add(tt.capture)
				l.server.AddCapture(waybacktest.Capture{URL: item.URL, Timestamp: at.Format(stampForm), Body: origin(item.URL).Body})
				l.server.Inject(waybacktest.Fault{Kind: waybacktest.Body, On: "submit", Body: `{"status":"error","status_ext":"error:too-many-daily-captures","message":"This URL has been already captured 5 times today."}`})
				start := time.Now()
				drain(t, l.worker(l.client, o, "w"))
				got := o.item(1)
				if got.State != StateReported || got.Reused != tt.linked || (got.Snapshot == at.Format(stampForm)) != tt.linked {
					t.Errorf("item = %s %s, reused %v, want linked %v", got.State, got.Snapshot, got.Reused, tt.linked)
				}
				if today := time.Since(start) < 12*time.Hour; today != tt.linked {
					t.Errorf("took %v, want the wait for tomorrow: %v", time.Since(start), !tt.linked)
				}
			})
		})
	}
}

// TestURLGuard: an address is submitted at most four times a day, whichever items
// want it; the next item gets the day's capture.
func TestURLGuard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, waybacktest.Config{Enforce: true, FetchPage: origin}, Limits{}, nil)
		one := addresses(1)[0]
		o := newOutbox(one, one, one, one, one, one)
		for id, item := range o.items {
			item.NextAt = time.Now().Add(time.Duration(id) * 2 * time.Hour)
			o.items[id] = item
		}
		drain(t, l.worker(l.client, o, "w"))
		if n := l.server.Submits(one); n != maxURLDay {
			t.Errorf("submits = %d, want %d", n, maxURLDay)
		}
		for id := range o.items {
			item := o.item(id)
			if item.State != StateReported || item.Reused != (id > maxURLDay) {
				t.Errorf("item %d = %s, reused %v, want it reported, the last two by the day's capture", id, item.State, item.Reused)
			}
		}
	})
}

// TestDailyBudget: the smaller one of our limit and the account's is kept, with a
// clear stop until 00:00 UTC, while captures are read back all the same.
func TestDailyBudget(t *testing.T) {
	for _, tt := range []struct {
		name          string
		ours, service int
		code          string
	}{
		{"ours", 5, 100, "daily-captures"},
		{"the account's", 50, 5, "daily-captures-limit"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLab(t, waybacktest.Config{Enforce: true, FetchPage: origin, PerDay: tt.service}, Limits{}, nil)
				sleepTo(9 * time.Hour)
				o := newOutbox(addresses(12)...)
				for id, item := range o.items {
					item.Priority = 3 - int(id)%3
					o.items[id] = item
				}
				w, err := NewWorker(WorkerConfig{Client: l.client, Outbox: o, Owner: "w", Logger: l.log, DailyCaptures: tt.ours,
					Reader: &testReader{client: l.client}})
				if err != nil {
					t.Fatal(err)
				}
				stats, err := w.Run(t.Context(), nil)
				if err != nil || stats.Stopped != ClassTomorrowAccount || stats.Submits != 5 || stats.Looks < 5 {
					t.Errorf("Run = %+v, %v, want a stop after 5 submits, and looks at 5 captures", stats, err)
				}
				for id := range o.items {
					if item := o.item(id); (item.Priority == 1) != (item.State != StateWaiting) && item.Priority != 2 {
						t.Errorf("item %d of priority %d is %s", id, item.Priority, item.State)
					}
				}
				midnight := time.Now().UTC().Truncate(day).Add(day)
				for time.Now().Before(midnight) {
					time.Sleep(time.Hour)
					if _, err := w.Run(t.Context(), nil); err != nil {
						t.Fatal(err)
					}
					if n := l.server.Submits(""); time.Now().Before(midnight) && n != 5 {
						t.Fatalf("%d submits at %v, want 5 until midnight", n, time.Now().UTC())
					}
				}
				work(t, w, midnight.Add(8*day))
				if diff := cmp.Diff(map[State]int{StateConfirmed: 12}, o.states()); diff != "" {
					t.Errorf("states (-want +got):\n%s", diff)
				}
				if b := l.server.Breaches(); len(b) != 0 {
					t.Errorf("breaches = %v, want none", b)
				}
			})
		})
	}
}
