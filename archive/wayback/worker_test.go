package wayback

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fineprint-archive/fineprint/archive/wayback/waybacktest"
)

func addresses(n int) []string {
	var urls []string
	for i := range n {
		urls = append(urls, fmt.Sprintf("https://h%d.example/条款/%d", i, i))
	}
	return urls
}

func TestWorkerPlain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, waybacktest.Config{Enforce: true}, Limits{}, nil)
		urls := addresses(30)
		o := newOutbox(urls...)
		start := time.Now()
		stats, err := l.worker(l.client, o, "w").Run(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		want := Stats{Submits: 30, Accepted: 30, Reported: 30}
		if diff := cmp.Diff(want, stats); diff != "" {
			t.Errorf("stats (-want +got):\n%s", diff)
		}
		if b := l.server.Breaches(); len(b) != 0 {
			t.Errorf("breaches = %v, want none", b)
		}
		if n := len(l.server.Captures()); n != 30 {
			t.Errorf("captures = %d, want 30", n)
		}
		// 30 submits at 6 a minute, and slots of about 20 s.
		if took := time.Since(start); took < 4*time.Minute+50*time.Second || took > 8*time.Minute {
			t.Errorf("30 pages took %v, want about 5 minutes", took)
		}
		item := o.item(1)
		if item.OriginalURL != urls[0] || len(item.Snapshot) != 14 || item.HTTPStatus != 200 ||
			!strings.Contains(string(item.Receipt), item.Snapshot) || item.JobID == "" ||
			item.SubmittedAt.IsZero() || item.AcceptedAt.IsZero() || item.ReportedAt.IsZero() || !item.LeaseUntil.IsZero() {
			t.Errorf("item = %+v, want a whole receipt and no lease", item)
		}
		if diff := cmp.Diff([]State{StateSubmitted, StateAccepted, StateReported}, o.history[1]); diff != "" {
			t.Errorf("states saved (-want +got):\n%s", diff)
		}
		form := l.server.Requests()[1].Form
		if got := form.Get("force_get") + form.Get("skip_first_archive") + form.Get("capture_all") + form.Get("if_not_archived_within"); got != "11" {
			t.Errorf("form = %v, want force_get and skip_first_archive alone", form)
		}
	})
}

// TestWorkerFaults meets one fault at a time, each on a queue of four pages, and
// says how it ends.
func TestWorkerFaults(t *testing.T) {
	type F = waybacktest.Fault
	bad := addresses(4)[1]
	tests := []struct {
		name    string
		fault   F
		submits int           // all, at most; 4 without repetition
		within  time.Duration // all done
		state   State         // of the page that met it; "" = reported
	}{
		{"429", F{Kind: waybacktest.TooMany, On: "submit"}, 5, 5 * time.Minute, ""},
		{"429 with Retry-After", F{Kind: waybacktest.TooMany, On: "submit", RetryAfter: 90 * time.Second}, 5, 6 * time.Minute, ""},
		{"429 ten times", F{Kind: waybacktest.TooMany, On: "submit", Times: 10}, 14, 4 * time.Hour, ""},
		{"429 on status", F{Kind: waybacktest.TooMany, On: "status"}, 4, 5 * time.Minute, ""},
		{"429 on user status", F{Kind: waybacktest.TooMany, On: "user", Times: 5}, 4, 2 * time.Hour, ""},
		{"502", F{Kind: waybacktest.HTTPStatus, Status: 502, On: "submit"}, 5, 10 * time.Minute, ""},
		{"503 with Retry-After", F{Kind: waybacktest.HTTPStatus, Status: 503, RetryAfter: time.Hour, On: "submit"}, 5, 80 * time.Minute, ""},
		{"520 for one page, often", F{Kind: waybacktest.HTTPStatus, On: "submit", URL: bad, Times: 6}, 10, 27 * time.Hour, ""}, // four submits a day
		{"520 after", F{Kind: waybacktest.StatusAfter, On: "submit"}, 5, 10 * time.Minute, ""},
		{"520 on status", F{Kind: waybacktest.HTTPStatus, On: "status"}, 4, 10 * time.Minute, ""},
		{"HTML with 200", F{Kind: waybacktest.HTML, On: "submit"}, 5, 20 * time.Minute, ""},
		{"HTML with 200 on status", F{Kind: waybacktest.HTML, On: "status"}, 4, 20 * time.Minute, ""},
		{"HTML for everything, for long", F{Kind: waybacktest.HTML, Times: 30}, 40, 40 * time.Hour, ""},
		{"reset", F{Kind: waybacktest.Reset, On: "submit"}, 5, 5 * time.Minute, ""},
		{"reset on status", F{Kind: waybacktest.Reset, On: "status", Times: 3}, 4, 90 * time.Minute, ""},
		{"lost answer", F{Kind: waybacktest.Lost, On: "submit"}, 5, 5 * time.Minute, ""},
		{"lost answers", F{Kind: waybacktest.Lost, On: "submit", Times: 4}, 8, 3 * time.Hour, ""},
		{"truncated answer", F{Kind: waybacktest.Truncated, On: "submit"}, 5, 5 * time.Minute, ""},
		{"slow answer", F{Kind: waybacktest.Slow, On: "submit", Delay: 50 * time.Second}, 4, 5 * time.Minute, ""},
		{"answer too slow", F{Kind: waybacktest.Slow, On: "submit", Delay: 90 * time.Second}, 5, 10 * time.Minute, ""},
		{"job forgotten", F{Kind: waybacktest.Forgotten, On: "submit", URL: bad}, 5, 2 * time.Hour, ""},
		{"jobs always forgotten", F{Kind: waybacktest.Forgotten, On: "submit", URL: bad, Times: -1}, 4, 2 * time.Hour, ""}, // the index has their captures
		{"pending for ever", F{Kind: waybacktest.Forgotten, On: "status", Times: -1}, 4, 2 * time.Hour, ""},
		{"partial success", F{Kind: waybacktest.PartialSuccess, On: "submit", URL: bad}, 5, 2 * time.Hour, ""},
		{"job fails once", F{Kind: waybacktest.JobError, On: "submit", URL: bad, Code: "error:celery"}, 5, 20 * time.Minute, ""},
		{"job fails always", F{Kind: waybacktest.JobError, On: "submit", URL: bad, Times: -1, Message: "Job failed"}, 7, 3 * time.Hour, StateFailed},
		{"unknown code always", F{Kind: waybacktest.JobError, On: "submit", URL: bad, Times: -1, Code: "error:who-knows"}, 6, 3 * time.Hour, StateFailed},
		{"refused", F{Kind: waybacktest.JobError, On: "submit", URL: bad, Code: "error:blocked-url"}, 4, 5 * time.Minute, StateRefused},
		{"divergent", F{Kind: waybacktest.JobError, On: "submit", URL: bad, Times: -1, Code: "error:not-found"}, 6, 26 * time.Hour, StateDivergent},
		{"divergent once", F{Kind: waybacktest.JobError, On: "submit", URL: bad, Code: "error:no-access"}, 5, 2 * time.Hour, ""},
		{"no session", F{Kind: waybacktest.Body, On: "submit", Body: `{"message":"You have already reached the limit of active Save Page Now sessions. Please wait for a minute and then try again."}`}, 5, 5 * time.Minute, ""},
		{"daily limit of the account", F{Kind: waybacktest.Body, On: "submit", Body: `{"message":"You cannot make more than 100 captures per day"}`}, 5, 25 * time.Hour, ""},
		{"daily limit of the page", F{Kind: waybacktest.Body, On: "submit", Body: `{"status":"error","status_ext":"error:too-many-daily-captures","message":"x"}`}, 5, 25 * time.Hour, ""},
		{"host paused", F{Kind: waybacktest.Body, On: "submit", Body: `{"message":"Crawling this host is paused for 10 minutes"}`}, 5, 20 * time.Minute, ""},
		{"our address blocked", F{Kind: waybacktest.Body, On: "submit", Body: `{"status":"error","status_ext":"error:blocked-client-ip","message":"x"}`}, 5, 25 * time.Hour, ""},
		{"recent capture without a job", F{Kind: waybacktest.Body, On: "submit", Body: `{"url":"x","job_id":null,"message":"The same snapshot had been made 3 minutes ago."}`}, 5, 2 * time.Hour, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLab(t, waybacktest.Config{}, Limits{}, nil)
				l.server.Inject(tt.fault)
				o := newOutbox(addresses(4)...)
				start := time.Now()
				runs, total := drain(t, l.worker(l.client, o, "w"))
				if took := time.Since(start); took > tt.within {
					t.Errorf("took %v, want at most %v", took, tt.within)
				}
				if n := l.server.Submits(""); n > tt.submits || n != total.Submits {
					t.Errorf("submits = %d (counted %d), want at most %d", n, total.Submits, tt.submits)
				}
				if b := l.server.Breaches(); len(b) != 0 {
					t.Errorf("breaches = %v, want none", b)
				}
				want := map[State]int{StateReported: 4}
				if tt.state != "" {
					want = map[State]int{StateReported: 3, tt.state: 1}
					if tt.fault.URL == "" {
						want = map[State]int{tt.state: 4}
					}
				}
				if diff := cmp.Diff(want, o.states()); diff != "" {
					t.Errorf("states (-want +got):\n%s", diff)
				}
				if n := len(l.server.Requests()); n > 400 || runs > 60 {
					t.Errorf("%d requests in %d runs, want few: nothing polls for ever", n, runs)
				}
				noSecrets(t, l.logs.String())
				for id := range o.items {
					noSecrets(t, fmt.Sprintf("%+v %s", o.item(id), o.item(id).Receipt))
				}
			})
		})
	}
}

// noSecrets fails if a key shows in text.
func noSecrets(t *testing.T, text string) {
	t.Helper()
	for _, secret := range []string{testAccess, testSecret} {
		if i := strings.Index(text, secret); i >= 0 {
			t.Fatalf("a key shows in %q", text[max(0, i-60):min(len(text), i+60)])
		}
	}
}

// TestWorkerRefusedConnections: no capture is missed and nothing is asked for
// five minutes when the service refuses connections.
func TestWorkerRefusedConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, waybacktest.Config{}, Limits{}, nil)
		l.net.setRefuse(true)
		o := newOutbox(addresses(3)...)
		w := l.worker(l.client, o, "w")
		start := time.Now()
		stats, err := w.Run(t.Context(), nil)
		if err != nil || stats.Stopped != ClassOutage {
			t.Fatalf("Run = %+v, %v, want stopped by an outage", stats, err)
		}
		if d := stats.NextAction.Sub(start); d < 5*time.Minute {
			t.Errorf("next action after %v, want at least 5 minutes", d)
		}
		time.Sleep(3 * 24 * time.Hour)
		l.net.setRefuse(false)
		drain(t, w)
		if diff := cmp.Diff(map[State]int{StateReported: 3}, o.states()); diff != "" {
			t.Errorf("states (-want +got):\n%s", diff)
		}
		if n := l.server.Submits(""); n != 3 {
			t.Errorf("submits = %d, want 3", n)
		}
	})
}

func TestWorkerKeysRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, waybacktest.Config{}, Limits{}, nil)
		bad, err := New(Config{BaseURL: "http://spn.test", Keys: Keys{"wrongwrongwrong", testSecret}, UserAgent: testAgent, Transport: l.tr})
		if err != nil {
			t.Fatal(err)
		}
		o := newOutbox(addresses(5)...)
		stats, err := l.worker(bad, o, "w").Run(t.Context(), nil)
		e, ok := errors.AsType[*Error](err)
		if !ok || e.Class != ClassKeysRefused || stats.Stopped != ClassKeysRefused {
			t.Fatalf("Run = %+v, %v, want the keys refused", stats, err)
		}
		noSecrets(t, err.Error())
		if n := len(l.server.Requests()); n > 3 {
			t.Errorf("requests = %d, want at most one for each slot", n)
		}
		drain(t, l.worker(l.client, o, "w"))
		if diff := cmp.Diff(map[State]int{StateReported: 5}, o.states()); diff != "" {
			t.Errorf("states with good keys (-want +got):\n%s", diff)
		}
	})
}

// TestWorkerCrash drops the worker before and after each single Save, and then
// goes on with a new one: no page is lost, no page is captured twice, and there
// is at most one more submit for each page that was being submitted.
func TestWorkerCrash(t *testing.T) {
	for _, owner := range []string{"same", "other"} {
		for _, after := range []bool{false, true} {
			for at := 1; ; at++ {
				crashed := false
				synctest.Test(t, func(t *testing.T) {
					crashed = crashOnce(t, owner, at, after)
				})
				if t.Failed() {
					t.Fatalf("crash at save %d (after storing: %v), owner %s", at, after, owner)
				}
				if !crashed {
					if at < 12 {
						t.Errorf("only %d saves for 4 pages", at-1)
					}
					break
				}
			}
		}
	}
}

func crashOnce(t *testing.T, owner string, at int, after bool) (crashed bool) {
	l := newLab(t, waybacktest.Config{}, Limits{}, nil)
	o := newOutbox(addresses(4)...)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	o.kill = cancel
	inFlight := 0
	o.onSave = func(n int, item Item) (bool, bool) {
		crashed = n == at
		return crashed, after
	}
	l.worker(l.client, o, "same").Run(ctx, nil) // its end is not looked at: it is killed
	for _, item := range o.items {
		if item.State == StateSubmitted {
			inFlight++
		}
	}
	before := l.server.Submits("")
	accepted := 0
	for _, item := range o.items {
		if item.JobID != "" {
			accepted++
		}
	}
	o.revive()
	start := time.Now()
	drain(t, l.worker(l.newClient(Limits{}), o, owner))
	if diff := cmp.Diff(map[State]int{StateReported: 4}, o.states()); diff != "" {
		t.Errorf("states (-want +got):\n%s", diff)
	}
	if n := len(l.server.Captures()); n != 4 {
		t.Errorf("captures = %d, want 4", n)
	}
	if n, most := l.server.Submits("")-before, 4-accepted; n > most {
		t.Errorf("submits after the crash = %d, want at most %d", n, most)
	}
	if n := l.server.Submits(""); n > 4+max(inFlight, 1) {
		t.Errorf("submits = %d, want at most 4 and one for each of %d lost", n, inFlight)
	}
	if b := l.server.Breaches(); len(b) != 0 {
		t.Errorf("breaches = %v, want none", b)
	}
	if took := time.Since(start); took > 10*time.Minute {
		t.Errorf("recovery took %v", took)
	}
	return crashed
}

// TestWorkerCancel: the end of ctx leaves everything saved, without leases.
func TestWorkerCancel(t *testing.T) {
	for _, after := range []time.Duration{time.Millisecond, 3 * time.Second, 12 * time.Second, 25 * time.Second, 40 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			l := newLab(t, waybacktest.Config{}, Limits{}, nil)
			l.server.Inject(waybacktest.Fault{Kind: waybacktest.Slow, On: "submit", Delay: 5 * time.Second, Times: -1})
			o := newOutbox(addresses(5)...)
			ctx, cancel := context.WithTimeout(t.Context(), after)
			defer cancel()
			w := l.worker(l.client, o, "w")
			if _, err := w.Run(ctx, nil); err != nil {
				t.Fatalf("Run cancelled after %v: %v", after, err)
			}
			for id := range o.items {
				if item := o.item(id); !item.LeaseUntil.IsZero() {
					t.Errorf("after %v item %d is still leased in state %s", after, id, item.State)
				}
			}
			drain(t, w)
			if n := len(l.server.Captures()); n != 5 || o.states()[StateReported] != 5 {
				t.Errorf("after %v: %d captures, states %v, want 5 reported", after, n, o.states())
			}
		})
	}
}

// TestWorkerAnnouncedDelay does not ask for a job before it starts.
func TestWorkerAnnouncedDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, waybacktest.Config{}, Limits{}, nil)
		l.server.Inject(waybacktest.Fault{Kind: waybacktest.Delayed, Delay: 10*time.Hour + 5*time.Minute, On: "submit"})
		o := newOutbox(addresses(1)...)
		w := l.worker(l.client, o, "w")
		stats, err := w.Run(t.Context(), nil)
		if d := time.Until(stats.NextAction); err != nil || d < 10*time.Hour || d > 10*time.Hour+5*time.Minute {
			t.Errorf("Run = %+v, %v, want the next action in 10 hours and 5 minutes", stats, err)
		}
		drain(t, w)
		if o.states()[StateReported] != 1 || l.server.Submits("") != 1 {
			t.Errorf("states %v after %d submits, want 1 reported after 1", o.states(), l.server.Submits(""))
		}
		if n := len(l.server.Requests()); n > 10 {
			t.Errorf("requests = %d, want few", n)
		}
	})
}

// TestWorkerUntil ends the run between items.
func TestWorkerUntil(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, waybacktest.Config{}, Limits{}, nil)
		o := newOutbox(addresses(9)...)
		stats, err := l.worker(l.client, o, "w").Run(t.Context(), func() bool { return o.states()[StateReported] > 0 })
		if err != nil || stats.Reported == 0 || stats.Reported > 3 {
			t.Errorf("Run = %+v, %v, want the items in hand reported and no more", stats, err)
		}
	})
}

// TestWorkerHostPause: a throttled host holds back its own pages only.
func TestWorkerHostPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, waybacktest.Config{}, Limits{}, nil)
		o := newOutbox("https://slow.example/a", "https://slow.example/b", "https://slow.example/c", "https://quick.example/")
		l.server.Inject(waybacktest.Fault{Kind: waybacktest.Body, URL: "https://slow.example/a", Body: `{"message":"Crawling this host is paused"}`})
		w := l.worker(l.client, o, "w")
		if _, err := w.Run(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		if o.item(4).State != StateReported {
			t.Errorf("the other host's page is %s, want reported", o.item(4).State)
		}
		if at := time.Until(o.item(1).NextAt); at <= 0 || o.item(1).LastClass != ClassTargetThrottled {
			t.Errorf("the throttled page waits %v with class %s", at, o.item(1).LastClass)
		}
		drain(t, w)
		if o.states()[StateReported] != 4 {
			t.Errorf("states = %v, want 4 reported", o.states())
		}
	})
}

// TestWorkerOutboxError ends the run and names the item.
func TestWorkerOutboxError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, waybacktest.Config{}, Limits{}, nil)
		o := newOutbox(addresses(1)...)
		o.kill = func() {}
		o.onSave = func(int, Item) (bool, bool) { return true, false }
		_, err := l.worker(l.client, o, "w").Run(t.Context(), nil)
		if !errors.Is(err, errCrashed) || !strings.Contains(err.Error(), "item 1") {
			t.Errorf("Run error = %v, want the outbox's with the item", err)
		}
		if n := l.server.Submits(""); n != 0 {
			t.Errorf("submits = %d without a durable row, want 0", n)
		}
	})
}
