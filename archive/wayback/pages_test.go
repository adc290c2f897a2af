package wayback

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fineprint-archive/fineprint/archive/wayback/waybacktest"
)

// soundly checks what holds for every queue, whatever went wrong: no limit was
// exceeded, nothing is left to do, nothing polls for ever. It returns how often
// each page was captured more than once.
func soundly(t *testing.T, l *lab, o *memOutbox, requests int) (twice int) {
	t.Helper()
	if b := l.server.Breaches(); len(b) != 0 {
		t.Errorf("breaches = %v, want none", b)
	}
	if n := len(l.server.Requests()); n > requests {
		t.Errorf("requests = %d, want at most %d: nothing polls for ever", n, requests)
	}
	captures := make(map[string]int)
	for _, c := range l.server.Captures() {
		if captures[c.URL]++; captures[c.URL] > 1 {
			twice++
		}
	}
	for id := range o.items {
		if item := o.item(id); item.State.Work() == WorkSubmit || item.State == StateReplayed || !item.LeaseUntil.IsZero() {
			t.Errorf("item %d = %s (%s %s), want it at an end: %+v", id, item.State, item.LastClass, item.LastCode, item)
		}
	}
	return twice
}

// TestPagesPlain works many pages without a fault: each is submitted once.
func TestPagesPlain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, waybacktest.Config{Enforce: true, FetchPage: origin, GzipReplay: true}, Limits{}, nil)
		o := newOutbox(addresses(pages)...)
		_, total := work(t, l.readingWorker(l.client, o, "w", &testReader{client: l.client}), time.Now().Add(20*day))
		twice := soundly(t, l, o, pages*20)
		if diff := cmp.Diff(map[State]int{StateConfirmed: pages}, o.states()); diff != "" {
			t.Errorf("states (-want +got):\n%s", diff)
		}
		if n := l.server.Submits(""); n != pages || total.Repeats != 0 || twice != 0 {
			t.Errorf("submits = %d with %d repeated, %d captured twice, want %d and none", n, total.Repeats, twice, pages)
		}
		if total.Looks != 5*pages {
			t.Errorf("looks = %d, want 5 for each page", total.Looks)
		}
	})
}

// TestPagesFaults works many pages, of which each meets one of all passing faults
// in turn: all are confirmed in the end.
func TestPagesFaults(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, waybacktest.Config{Enforce: true, FetchPage: origin}, Limits{}, nil)
		faults := waybacktest.PassingFaults()
		urls := addresses(pages)
		for i, u := range urls {
			f := faults[i%len(faults)]
			f.URL = u
			l.server.Inject(f)
		}
		o := newOutbox(urls...)
		work(t, l.readingWorker(l.client, o, "w", &testReader{client: l.client}), time.Now().Add(20*day))
		met := 0
		for _, n := range l.server.Met() {
			met += n
		}
		twice := soundly(t, l, o, pages*25)
		if diff := cmp.Diff(map[State]int{StateConfirmed: pages}, o.states()); diff != "" {
			t.Errorf("states (-want +got):\n%s", diff)
		}
		if n := l.server.Submits(""); n > pages+met || twice > 0 {
			t.Errorf("submits = %d after %d faults, %d captured twice, want at most one more for each and none twice", n, met, twice)
		}
		t.Logf("%d submits, %d requests, %d faults met", l.server.Submits(""), len(l.server.Requests()), met)
	})
}

// TestPagesMixed works many pages while any request may meet any passing fault.
func TestPagesMixed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, waybacktest.Config{Enforce: true, FetchPage: origin}, Limits{}, nil)
		l.server.Mix(7, 0.05)
		o := newOutbox(addresses(pages)...)
		start := time.Now()
		work(t, l.readingWorker(l.client, o, "w", &testReader{client: l.client}), start.Add(25*day))
		met := 0
		for _, n := range l.server.Met() {
			met += n
		}
		twice := soundly(t, l, o, pages*40)
		if diff := cmp.Diff(map[State]int{StateConfirmed: pages}, o.states()); diff != "" {
			t.Errorf("states (-want +got):\n%s", diff)
		}
		if n := l.server.Submits(""); n > pages+met || twice > met/10 {
			t.Errorf("submits = %d after %d faults, %d captured twice", n, met, twice)
		}
		t.Logf("%d submits, %d requests, %d faults met, %d captured twice, %v", l.server.Submits(""), len(l.server.Requests()), met, twice, time.Since(start))
	})
}

// TestPagesLasting works many pages, of which each meets one of the faults in turn
// that stay: each ends in the state that is the truth about it.
func TestPagesLasting(t *testing.T) {
	t.Parallel()
	ends := map[waybacktest.Kind]State{
		waybacktest.NotIndexed: StateConfirmed, waybacktest.NotKept: StateGoneAgain, waybacktest.Vanished: StateGoneAgain,
		waybacktest.AlteredBytes: StateDivergent, waybacktest.AlteredWords: StateDivergent, waybacktest.BlockPage: StateDivergent,
		waybacktest.OddDigest: StateConfirmed, waybacktest.OtherURL: StateConfirmed, waybacktest.WrongTime: StateConfirmed,
		waybacktest.JobError: StateRefused,
	}
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, waybacktest.Config{Enforce: true, FetchPage: origin}, Limits{}, nil)
		faults := waybacktest.LastingFaults()
		urls := addresses(pages)
		for i, u := range urls {
			f := faults[i%len(faults)]
			f.URL = u
			l.server.Inject(f)
		}
		o := newOutbox(urls...)
		work(t, l.readingWorker(l.client, o, "w", &testReader{client: l.client}), time.Now().Add(20*day))
		soundly(t, l, o, pages*20)
		for i := range urls {
			kind := faults[i%len(faults)].Kind
			if item := o.item(int64(i + 1)); item.State != ends[kind] {
				t.Errorf("page with %s = %s (%s), want %s", kind, item.State, item.LastCode, ends[kind])
			}
		}
		if n := l.server.Submits(""); n != pages {
			t.Errorf("submits = %d, want %d", n, pages)
		}
	})
}
