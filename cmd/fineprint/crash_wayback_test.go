package main

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fineprint-archive/fineprint/archive/catalog"
	"github.com/fineprint-archive/fineprint/archive/wayback/waybacktest"
)

// waybackSteps are the durable steps of `wayback submit`, in their order: the row
// is saved and the request not sent; it is answered and the job id not saved; the
// job is asked for; a capture is read back; of that look the steps of package
// archive; what came of it is not saved in the row; then those of sealing.
var waybackSteps = []string{"wayback-row", "wayback-post", "wayback-poll", "wayback-read", "exchange", "manifest", "transaction", "wayback-state",
	"append", "receipt-logged", "catalog"}

// waybackLanes archives are killed side by side.
const waybackLanes = 4

// TestWaybackCrash kills `wayback submit`, on each database, with SIGKILL inside each named step, a
// fifth of FINEPRINT_CRASH_ROUNDS times each, lets the next ones mend it, and wants
// no job lost, no page captured twice for one row, at most one extra submit for
// each kill, and an archive of which the audit finds nothing wrong.
func TestWaybackCrash(t *testing.T) {
	t.Parallel()
	_, each := crashRounds(t)
	steps := slices.Repeat(waybackSteps, each)
	if raceDetector {
		steps = []string{"wayback-post", "wayback-state"}
	}
	rand.New(rand.NewPCG(1, 2)).Shuffle(len(steps), func(i, j int) { steps[i], steps[j] = steps[j], steps[i] })
	lanes := min(waybackLanes, len(steps))
	eachDatabase(t, func(t *testing.T, dsn func(*testing.T) string) {
		for i := range lanes {
			t.Run(fmt.Sprint(i), func(t *testing.T) {
				t.Parallel()
				l := newWaybackLane(t, dsn(t))
				for k := i; k < len(steps); k += lanes {
					l.round(t, steps[k], 1+k%2)
				}
				l.end(t)
			})
		}
	})
}

// waybackLane is one archive whose submissions are killed again and again.
type waybackLane struct {
	*program
	dsn   string
	web   *testWeb
	saver *waybacktest.Server
	kills map[string]int // by step
}

func newWaybackLane(t *testing.T, dsn string) *waybackLane {
	l := &waybackLane{dsn: dsn, web: startWeb(t, 1), kills: map[string]int{}}
	// A day is twelve seconds.
	l.saver = waybacktest.New(waybacktest.Config{TimeScale: 7200, PerURLDay: 100, FetchPage: waybacktest.FetchFrom(http.DefaultTransport)})
	server := httptest.NewServer(l.saver)
	t.Cleanup(server.Close)
	l.program = newProgram(t, fmt.Sprintf(`archive: archive
database: %s
declarations: [declarations]
operator: crash test
crawl: {delay: 0s, retry_delay: 50ms, timeout: 10s, concurrency: 4, allow_private_networks: true}
wayback: {base_url: %q, access_key: crash-access, secret_key: crash-secret, time_scale: 7200}
`, dsn, server.URL), l.web.declarations())
	l.must(t, []int{exitPartly}, "crawl", "-q") // a page is gone
	l.mend(t, "nothing")                        // before pages change
	return l
}

// round lets pages change, has a submission killed in a step, and mends it.
func (l *waybackLane) round(t *testing.T, step string, count int) {
	t.Helper()
	for try := 0; ; try++ {
		l.web.next()
		l.must(t, []int{exitPartly}, "crawl", "-q", "--confirm-after", "0s", "--set", "wayback.enabled=true")
		cmd := l.command(t, "wayback", "submit", "-q")
		cmd.Env = append(cmd.Env, fmt.Sprintf("%s=%s:%d", killEnv, step, count))
		o := finish(t, cmd, nil)
		if o.killed {
			break
		}
		o.want(t, []int{exitDone}, "wayback submit, to be killed at", step)
		if try == 10 {
			t.Fatalf("no submission was killed at %s", step)
		}
		// Too few pages had changed, or were submitted too often on this day.
		count = 1
		time.Sleep(time.Duration(try) * 500 * time.Millisecond)
	}
	l.kills[step]++
	l.mend(t, step)
}

// mend works the outbox until every row has come back, and checks the rows.
func (l *waybackLane) mend(t *testing.T, step string) {
	t.Helper()
	var rows []catalog.OutboxRow
	for range 100 {
		l.must(t, []int{exitDone}, "wayback", "submit", "-q")
		rows = l.rows(t)
		if !slices.ContainsFunc(rows, func(r catalog.OutboxRow) bool {
			// A page that had changed by then heals at a later look.
			return !slices.Contains([]string{"replayed", "confirmed", "refused", "failed", "gone-again"}, r.State)
		}) {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	kills := 0
	for _, n := range l.kills {
		kills += n
	}
	perURL := map[string]int{}
	for _, r := range rows {
		perURL[r.OriginalURL]++
		if r.State != "replayed" && r.State != "confirmed" {
			t.Errorf("killed at %s: look %d of %s ended as %s: %s %s", step, r.N, r.URL, r.State, r.LastCode, r.LastError)
		}
		if r.Snapshot == "" || !strings.Contains(r.Facts, `"text":"same"`) && !strings.Contains(r.Facts, `"text":"variant"`) {
			t.Errorf("killed at %s: look %d of %s: snapshot %q, facts %s", step, r.N, r.URL, r.Snapshot, r.Facts)
		}
	}
	captures, submits := map[string]int{}, 0
	for _, c := range l.saver.Captures() {
		captures[c.URL]++
	}
	for url, n := range captures {
		submits += l.saver.Submits(url)
		if n > perURL[url] {
			t.Errorf("killed at %s: %d captures of %s for %d rows", step, n, url, perURL[url])
		}
	}
	if submits > len(rows)+kills {
		t.Errorf("killed at %s: %d submits for %d rows and %d kills", step, submits, len(rows), kills)
	}
}

// rows returns the rows of the outbox.
func (l *waybackLane) rows(t *testing.T) []catalog.OutboxRow {
	t.Helper()
	db, err := catalog.Open(t.Context(), l.dsn, catalog.Options{})
	must(t, err)
	rows, err := db.ListOutbox(t.Context(), catalog.OutboxFilter{})
	must(t, err)
	must(t, db.Close())
	return rows
}

// end wants nothing wrong in the archive, and all receipts in its log.
func (l *waybackLane) end(t *testing.T) {
	t.Helper()
	l.must(t, []int{exitPartly}, "crawl", "-q")
	l.must(t, []int{exitDone}, "seal", "-q")
	l.must(t, []int{exitDone}, "audit", "-q")
	db, err := catalog.Open(t.Context(), l.dsn, catalog.Options{})
	must(t, err)
	mementos, err := db.Mementos(t.Context(), catalog.MementoFilter{})
	must(t, err)
	must(t, db.Close())
	if len(mementos) == 0 {
		t.Error("nothing was read back")
	}
	for _, m := range mementos {
		if len(m.Leaf) > 0 && m.Index < 0 {
			t.Errorf("the receipt of %s is not in the log", m.Look)
		}
	}
	t.Logf("kills %v, %d read-backs, %d submits", l.kills, len(mementos), l.saver.Submits(""))
}
