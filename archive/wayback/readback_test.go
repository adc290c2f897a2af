package wayback

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fineprint-archive/fineprint/archive/wayback/waybacktest"
	"github.com/fineprint-archive/fineprint/warc"
)

// origin answers with the terms of an address, whatever its query.
func origin(address string) waybacktest.Page {
	address, _, _ = strings.Cut(address, "?")
	body := "<html><body><h1>Terms of " + address + "</h1>\n<p>You may read this page.</p>\n<p>We may change it.</p>\n</body></html>\n"
	return waybacktest.Page{Header: http.Header{"Content-Type": {"text/html"}}, Body: []byte(body)}
}

// testReader compares what the client reads with origin.
type testReader struct {
	client *Client
	looks  func(item Item) // if set, called before each look
}

var noise = regexp.MustCompile(`(?s)<!--.*?-->|<script.*?</script>`)

func words(body []byte) string {
	return strings.Join(strings.Fields(noise.ReplaceAllString(string(body), "")), " ")
}

func sameFact(same bool) warc.Fact {
	if same {
		return warc.FactSame
	}
	return warc.FactDifferent
}

func (r *testReader) ReadBack(ctx context.Context, item Item) (Reading, error) {
	if r.looks != nil {
		r.looks(item)
	}
	got := Reading{At: time.Now(), Manifest: "urn:look:" + time.Now().Format(time.RFC3339Nano)}
	query := IndexQuery{URL: item.OriginalURL, From: item.Snapshot, To: item.Snapshot}
	for row, err := range r.client.IndexAll(ctx, query, nil) {
		if err != nil {
			return Reading{}, err
		}
		if row.Timestamp == item.Snapshot {
			got.Row = &row
		}
	}
	rep, err := r.client.Replay(ctx, item.Snapshot, item.OriginalURL, nil)
	if err != nil {
		return Reading{}, err
	}
	ours := origin(item.URL).Body
	got.Facts.Index = warc.FactAbsent
	if got.Row != nil {
		got.Facts.Index = sameFact(got.Row.Digest == warc.SumSHA1(ours))
	}
	if !rep.Found {
		got.Facts.Replay = warc.FactAbsent
		return got, nil
	}
	got.Found, got.Src, got.Grade = true, rep.Src, "terms"
	if got.Row != nil && !got.Row.Digest.IsZero() {
		got.Facts.Replay = sameFact(got.Row.Digest == rep.PayloadSHA1 || got.Row.Digest == warc.SumSHA1(rep.Body))
	}
	got.Facts.Content = sameFact(bytes.Equal(rep.Body, ours))
	got.Facts.Text = sameFact(words(rep.Body) == words(ours))
	if bytes.Contains(rep.Body, []byte("Checking your browser")) {
		got.Grade = "blocked"
	}
	return got, nil
}

// readingWorker is a worker that reads back, too.
func (l *lab) readingWorker(c *Client, o Outbox, owner string, reader Reader) *Worker {
	l.t.Helper()
	w, err := NewWorker(WorkerConfig{Client: c, Outbox: o, Owner: owner, Logger: l.log, Reader: reader})
	if err != nil {
		l.t.Fatal(err)
	}
	return w
}

// work runs w again and again, as a timer does, until nothing is to be done
// before the end.
func work(t *testing.T, w *Worker, end time.Time) (runs int, total Stats) {
	t.Helper()
	for runs = 1; runs <= 600; runs++ {
		stats, err := w.Run(t.Context(), nil)
		if err != nil {
			t.Fatalf("run %d: %v", runs, err)
		}
		total.Submits += stats.Submits
		total.Repeats += stats.Repeats
		total.Linked += stats.Linked
		total.Looks += stats.Looks
		if stats.NextAction.IsZero() || stats.NextAction.After(end) {
			return runs, total
		}
		time.Sleep(max(time.Until(stats.NextAction), time.Millisecond))
	}
	t.Fatal("600 runs did not come to an end")
	return 0, total
}

const day = 24 * time.Hour

// TestReadBack follows one capture through its schedule, and months on.
func TestReadBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, waybacktest.Config{Enforce: true, FetchPage: origin}, Limits{}, nil)
		o := newOutbox(addresses(1)...)
		var after []time.Duration
		reader := &testReader{client: l.client, looks: func(item Item) {
			after = append(after, time.Since(item.ReportedAt).Round(time.Minute))
		}}
		_, total := work(t, l.readingWorker(l.client, o, "w", reader), time.Now().Add(95*day))
		last := 36*time.Hour + 0
		want := []time.Duration{time.Minute, 10 * time.Minute, time.Hour, 12 * time.Hour, last, last + 30*day, last + 60*day, last + 90*day}
		if diff := cmp.Diff(want, after); diff != "" {
			t.Errorf("looks after the report (-want +got):\n%s", diff)
		}
		states := []State{StateSubmitted, StateAccepted, StateReported, StateReplayed, StateConfirmed}
		if diff := cmp.Diff(states, o.history[1]); diff != "" {
			t.Errorf("states saved (-want +got):\n%s", diff)
		}
		item := o.item(1)
		if item.IndexedAt.IsZero() || item.ReplayedAt.IsZero() || !strings.HasPrefix(item.Src, "spn2-") || item.Grade != "terms" || item.Readback == "" ||
			item.Facts != `{"content":"same","index":"same","replay":"same","text":"same"}` || "sha1:"+item.Digest != warc.SumSHA1(origin(item.URL).Body).String() {
			t.Errorf("item = %+v, want all facts of the read-backs", item)
		}
		if d := item.ConfirmedAt.Sub(item.ReportedAt); d < day {
			t.Errorf("confirmed %v after the report, want more than a day", d)
		}
		if total.Submits != 1 || total.Looks != len(want) || len(l.server.Breaches()) != 0 {
			t.Errorf("%+v, breaches %v, want one submit and none", total, l.server.Breaches())
		}
	})
}

// TestReadBackEnds says in which state an item ends whose capture goes wrong in
// one way, and at what cost.
func TestReadBackEnds(t *testing.T) {
	type F = waybacktest.Fault
	tests := []struct {
		name    string
		fault   F
		submits int
		state   State
		code    string
		within  time.Duration // from the start to the end
	}{
		{"plain", F{Kind: waybacktest.UnknownFields, On: "submit"}, 1, StateConfirmed, "", 37 * time.Hour},
		{"indexed late", F{Kind: waybacktest.NotIndexed, On: "submit", Delay: 6 * time.Hour}, 1, StateConfirmed, "", 37 * time.Hour},
		{"never indexed", F{Kind: waybacktest.NotIndexed, On: "submit"}, 1, StateConfirmed, "", 37 * time.Hour},
		{"not kept", F{Kind: waybacktest.NotKept, On: "submit"}, 1, StateGoneAgain, "never-appeared", 37 * time.Hour},
		{"vanished after a day", F{Kind: waybacktest.Vanished, On: "submit", Delay: 20 * time.Hour}, 1, StateGoneAgain, "vanished", 61 * time.Hour},
		{"altered bytes", F{Kind: waybacktest.AlteredBytes, On: "submit"}, 1, StateDivergent, "altered-bytes", 37 * time.Hour},
		{"altered words", F{Kind: waybacktest.AlteredWords, On: "submit"}, 1, StateDivergent, "other-text", 37 * time.Hour},
		{"a nonce alone", F{Kind: waybacktest.AlteredNonce, On: "submit"}, 1, StateConfirmed, "", 37 * time.Hour},
		{"block page", F{Kind: waybacktest.BlockPage, On: "submit"}, 1, StateDivergent, "grade-blocked", 37 * time.Hour},
		{"odd digest", F{Kind: waybacktest.OddDigest, On: "submit"}, 1, StateConfirmed, "", 37 * time.Hour},
		{"other address, same words", F{Kind: waybacktest.OtherURL, On: "submit"}, 1, StateConfirmed, "", 37 * time.Hour},
		{"wrong time", F{Kind: waybacktest.WrongTime, On: "submit", Delay: -3 * time.Hour}, 1, StateConfirmed, "", 37 * time.Hour},
		{"error for a capture that exists", F{Kind: waybacktest.JobErrorCaptured, On: "submit", Code: "error:celery"}, 1, StateConfirmed, "", 37 * time.Hour},
		{"unknown error for a capture that exists", F{Kind: waybacktest.JobErrorCaptured, On: "submit", Code: "error:who-knows"}, 1, StateConfirmed, "", 37 * time.Hour},
		{"520 for a job that exists", F{Kind: waybacktest.StatusAfter, On: "submit"}, 2, StateConfirmed, "", 37 * time.Hour},
		{"success without a name", F{Kind: waybacktest.PartialSuccess, On: "submit"}, 1, StateConfirmed, "", 37 * time.Hour},
		{"job forgotten", F{Kind: waybacktest.Forgotten, On: "submit", Times: -1}, 1, StateConfirmed, "", 37 * time.Hour},
		{"lost answer", F{Kind: waybacktest.Lost, On: "submit"}, 2, StateConfirmed, "", 37 * time.Hour},
		{"fails always", F{Kind: waybacktest.JobError, On: "submit", Times: -1, Message: "Job failed"}, 4, StateFailed, "job-failed", 2 * time.Hour},
		{"redirected once", F{Kind: waybacktest.Redirected, On: "replay"}, 1, StateConfirmed, "", 37 * time.Hour},
		{"excluded", F{Kind: waybacktest.AccessControl, On: "read", Times: -1}, 1, StateReported, "excluded", 9 * day},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLab(t, waybacktest.Config{Enforce: true, FetchPage: origin}, Limits{}, nil)
				l.server.Inject(tt.fault)
				o := newOutbox(addresses(1)...)
				start := time.Now()
				_, total := work(t, l.readingWorker(l.client, o, "w", &testReader{client: l.client}), start.Add(10*day))
				item := o.item(1)
				if item.State != tt.state || item.LastCode != tt.code {
					t.Errorf("item = %s (%s: %s) by way of %v, want %s (%s)", item.State, item.LastCode, item.LastError, o.history[1], tt.state, tt.code)
				}
				if total.Submits != tt.submits || l.server.Submits("") != tt.submits {
					t.Errorf("submits = %d, want %d", total.Submits, tt.submits)
				}
				if took := time.Since(start); took > tt.within {
					t.Errorf("took %v, want at most %v", took, tt.within)
				}
				if b := l.server.Breaches(); len(b) != 0 {
					t.Errorf("breaches = %v, want none", b)
				}
				if n := len(l.server.Requests()); n > 60 {
					t.Errorf("requests = %d, want few", n)
				}
			})
		})
	}
}

// TestReadBackLater looks at captures that were confirmed, a month on.
func TestReadBackLater(t *testing.T) {
	tests := []struct {
		name  string
		spoil func(l *lab, item Item)
		state State
	}{
		{"stays", func(*lab, Item) {}, StateConfirmed},
		{"vanished", func(l *lab, item Item) {
			l.server.Spoil(item.OriginalURL, item.Snapshot, waybacktest.Fault{Kind: waybacktest.Vanished})
		}, StateGoneAgain},
		{"missing twice", func(l *lab, item Item) {
			l.server.Inject(waybacktest.Fault{Kind: waybacktest.Missing, On: "index", Times: 2})
			l.server.Inject(waybacktest.Fault{Kind: waybacktest.Missing, On: "replay", Times: 2})
		}, StateConfirmed},
		{"out of the index only", func(l *lab, item Item) {
			l.server.Spoil(item.OriginalURL, item.Snapshot, waybacktest.Fault{Kind: waybacktest.NotIndexed})
		}, StateConfirmed},
		{"altered", func(l *lab, item Item) {
			l.server.Spoil(item.OriginalURL, item.Snapshot, waybacktest.Fault{Kind: waybacktest.AlteredBytes})
		}, StateDivergent},
		{"an outage of days", func(l *lab, item Item) { l.server.Refuse(40 * day) }, StateConfirmed},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLab(t, waybacktest.Config{Enforce: true, FetchPage: origin}, Limits{}, nil)
				o := newOutbox(addresses(1)...)
				start := time.Now()
				w := l.readingWorker(l.client, o, "w", &testReader{client: l.client})
				work(t, w, start.Add(10*day))
				tt.spoil(l, o.item(1))
				before := len(l.server.Requests())
				work(t, w, start.Add(80*day))
				if item := o.item(1); item.State != tt.state {
					t.Errorf("item = %s (%s), want %s", item.State, item.LastCode, tt.state)
				}
				if n := len(l.server.Requests()) - before; n > 12 {
					t.Errorf("requests = %d, want few", n)
				}
			})
		})
	}
}

// failingReader fails in a way that is not the Archive's.
type failingReader struct{ err error }

func (f failingReader) ReadBack(context.Context, Item) (Reading, error) { return Reading{}, f.err }

// TestReadBackErrors: trouble with the Archive postpones; any other error ends the
// run and names the capture.
func TestReadBackErrors(t *testing.T) {
	for _, tt := range []struct {
		name  string
		err   error
		fatal bool
		next  time.Duration // from the look to the next one
	}{
		{"outage", &Error{Op: "index", Class: ClassOutage}, false, 5 * time.Minute},
		{"unknown", &Error{Op: "replay", Class: ClassUnknown}, false, 5 * time.Minute},
		{"wait asked for", &Error{Op: "index", Class: ClassSlot, RetryAfter: time.Hour}, false, time.Hour},
		{"our disk", errors.New("disk full"), true, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLab(t, waybacktest.Config{}, Limits{Patience: time.Second}, nil)
				o := newOutbox(addresses(1)...)
				item := o.items[1]
				item.State, item.Snapshot, item.OriginalURL, item.ReportedAt = StateReplayed, "20261122100000", item.URL, time.Now()
				o.items[1] = item
				_, err := l.readingWorker(l.client, o, "w", failingReader{tt.err}).Run(t.Context(), nil)
				if (err != nil) != tt.fatal || tt.fatal && (!errors.Is(err, tt.err) || !strings.Contains(err.Error(), item.Snapshot)) {
					t.Errorf("Run error = %v, fatal %v wanted", err, tt.fatal)
				}
				got := o.item(1)
				if got.State != StateReplayed || got.Absent != 0 || !got.LeaseUntil.IsZero() || got.NextAt.Sub(item.NextAt) != tt.next {
					t.Errorf("item = %+v, want it replayed and without a lease, next after %v", got, tt.next)
				}
			})
		})
	}
}

// TestReadBackPause: while all requests have to wait, the captures that are due
// are left alone, and the run tells when to come again.
func TestReadBackPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, waybacktest.Config{FetchPage: origin}, Limits{}, nil)
		o := newOutbox(addresses(20)...)
		for id, item := range o.items {
			item.State, item.Snapshot, item.OriginalURL, item.ReportedAt = StateReported, "20261122100000", item.URL, time.Now()
			o.items[id] = item
		}
		l.client.Pacer().Hold(6*time.Hour, &Error{Op: "index", Class: ClassOutage})
		stats, err := l.readingWorker(l.client, o, "w", &testReader{client: l.client}).Run(t.Context(), nil)
		if d := time.Until(stats.NextAction); err != nil || d != 6*time.Hour || stats.Looks != 0 || o.saves > 4 {
			t.Errorf("Run = %+v, %v after %d saves, want the end of the pause and few saves", stats, err, o.saves)
		}
		for id := range o.items {
			if item := o.item(id); item.State != StateReported || item.Absent != 0 {
				t.Errorf("item %d = %s, absent %d, want it as it was", id, item.State, item.Absent)
			}
		}
	})
}

// TestWorkerWithoutKeys reads back, and leaves alone what waits to be submitted.
func TestWorkerWithoutKeys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, waybacktest.Config{FetchPage: origin}, Limits{}, nil)
		c, err := New(Config{BaseURL: "http://spn.test", UserAgent: testAgent, Transport: l.tr})
		if err != nil {
			t.Fatal(err)
		}
		l.server.AddCapture(waybacktest.Capture{URL: addresses(1)[0], Timestamp: "19990101000000", Body: origin(addresses(1)[0]).Body})
		o := newOutbox(addresses(2)...)
		item := o.items[1]
		item.State, item.Snapshot, item.OriginalURL = StateReported, "19990101000000", item.URL
		item.ReportedAt = time.Now().Add(-20 * day)
		o.items[1] = item
		stats, err := l.readingWorker(c, o, "w", &testReader{client: c}).Run(t.Context(), nil)
		if err != nil || stats.Confirmed != 1 || stats.Submits != 0 || o.item(2).State != StateWaiting {
			t.Errorf("Run = %+v, %v; item 2 %s, want one confirmed and one left", stats, err, o.item(2).State)
		}
	})
}

// TestDivergence is the table of what counts as divergence.
func TestDivergence(t *testing.T) {
	const same, different = warc.FactSame, warc.FactDifferent
	for _, tt := range []struct {
		facts   warc.Facts
		grade   string
		browser bool
		code    string
	}{
		{warc.Facts{Content: same, Index: same, Replay: same, Text: same}, "terms", false, ""},
		{warc.Facts{Content: different, Index: different, Replay: same, Text: same}, "terms", false, ""},
		{warc.Facts{Text: warc.FactVariant}, "terms", false, ""},
		{warc.Facts{}, "", false, ""},
		{warc.Facts{Index: warc.FactAbsent, Text: same}, "terms", false, ""},
		{warc.Facts{Replay: different, Text: different}, "blocked", false, "altered-bytes"},
		{warc.Facts{Replay: same, Text: different}, "terms", false, "other-text"},
		{warc.Facts{Replay: same}, "login", false, "grade-login"},
		{warc.Facts{Replay: same}, "needs-browser", true, ""},
		{warc.Facts{Replay: same}, "needs-browser", false, "grade-needs-browser"},
	} {
		item := Item{NeedsBrowser: tt.browser}
		if code, _ := divergence(&item, Reading{Facts: tt.facts, Grade: tt.grade}); code != tt.code {
			t.Errorf("divergence(%+v, %q) = %q, want %q", tt.facts, tt.grade, code, tt.code)
		}
	}
}
