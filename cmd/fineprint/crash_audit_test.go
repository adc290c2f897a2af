package main

import (
	"encoding/json"
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestAuditKilled kills audits with SIGKILL at random moments, one behind the
// other until one has left its state file half way, kills some of those that go
// on from it as well, and lets the next come to its end: it takes from the file
// what that holds and says what an audit says that nobody stopped. So it is of
// an archive that is sound, and of one with a WARC changed and one gone.
// FINEPRINT_CRASH_ROUNDS says how often.
func TestAuditKilled(t *testing.T) {
	t.Parallel()
	rounds := 6
	if raceDetector {
		rounds = 2
	}
	l := newAuditLane(t)
	l.rounds(t, rounds, exitDone)
	l.damage(t)
	l.rounds(t, rounds, exitFailed)
	t.Logf("%d kills, %d of them with the state half way, at %v; an audit of %d WARCs takes %v", l.kills, len(l.half), l.half, l.warcs, l.took)
}

// auditLane is an archive whose audit is killed again and again.
type auditLane struct {
	*program
	random *rand.Rand
	took   time.Duration // of an undisturbed audit
	warcs  int           // that such an audit reads
	kills  int
	half   []int // WARCs that the state held behind a kill in the middle
}

// newAuditLane makes an archive with a WARC for every page or two.
func newAuditLane(t *testing.T) *auditLane {
	t.Helper()
	web := startWeb(t, 8)
	l := &auditLane{random: rand.New(rand.NewPCG(2024_10_17, 3))}
	l.program = newProgram(t, `archive: archive
declarations: [declarations]
crawl: {delay: 0s, retry_delay: 50ms, timeout: 10s, concurrency: 4, allow_private_networks: true}
seal: {max_bytes: 1KiB}
`, web.declarations())
	for range 3 {
		l.must(t, []int{exitPartly}, "crawl", "-q") // each host has a page that is gone
		web.next()
	}
	return l
}

// damage changes a byte of one WARC and takes another one away.
func (l *auditLane) damage(t *testing.T) {
	t.Helper()
	var keys []string
	for key := range l.objects(t) {
		if strings.HasSuffix(key, ".warc.gz") {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	name := l.path("archive/" + keys[len(keys)/3])
	data, err := os.ReadFile(name)
	must(t, err)
	data[len(data)/2] ^= 1
	must(t, os.Remove(name)) // objects are read-only
	must(t, os.WriteFile(name, data, 0o444))
	must(t, os.Remove(l.path("archive/"+keys[len(keys)/2])))
}

// rounds lets an audit come to its end, and then many that were killed before.
func (l *auditLane) rounds(t *testing.T, rounds, code int) {
	t.Helper()
	began := time.Now()
	want, findings, _ := l.end(t, code)
	l.took, l.warcs = time.Since(began), int(want["warcs_read"].(float64))
	if (len(findings) == 0) != (code == exitDone) {
		t.Fatalf("an undisturbed audit ended with %d and found %q", code, findings)
	}
	for round := range rounds {
		kept := l.killHalfWay(t)
		if round%2 == 1 {
			l.kill(t)
			kept = l.kept(t) // none if that audit came to its end
		}
		sum, found, resumed := l.end(t, code)
		if resumed != len(kept) {
			t.Errorf("round %d: %d WARCs were taken from the state file, which held %d", round, resumed, len(kept))
		}
		if diff := cmp.Diff(want, sum) + cmp.Diff(findings, found); diff != "" {
			t.Errorf("round %d, %d WARCs in the state file: an audit that was killed says otherwise (-undisturbed +killed):\n%s", round, len(kept), diff)
		}
	}
}

// end lets an audit come to its end. It returns its summary without what differs
// from one audit to the next, its findings, and how many WARCs it took from the
// state file.
func (l *auditLane) end(t *testing.T, code int) (sum map[string]any, findings []string, resumed int) {
	t.Helper()
	o := l.must(t, []int{code}, "audit", "--json")
	sum = summaryOf(t, o)
	resumed = int(sum["warcs_resumed"].(float64))
	delete(sum, "warcs_resumed")
	delete(sum, "elapsed_s")
	lines := strings.Split(strings.TrimSpace(o.stdout), "\n")
	findings = lines[:len(lines)-1]
	slices.Sort(findings)
	if _, err := os.Stat(l.path("audit.state")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the state file of an audit that came to its end: %v", err)
	}
	return sum, findings, resumed
}

// killHalfWay kills audits until one has left some WARCs in the state file and
// not all of them, and returns these.
func (l *auditLane) killHalfWay(t *testing.T) map[string]bool {
	t.Helper()
	for range 200 {
		if !l.kill(t) {
			continue
		}
		if kept := l.kept(t); len(kept) > 0 && len(kept) < l.warcs {
			l.half = append(l.half, len(kept))
			return kept
		}
	}
	t.Fatal("no audit was killed with its state half way")
	return nil
}

// kill starts an audit, kills it at a random moment, and reports whether that
// came before its end.
func (l *auditLane) kill(t *testing.T) bool {
	t.Helper()
	after := time.Duration(l.random.Int64N(int64(l.took)))
	o := l.runWith(t, func(p *os.Process) {
		timer := time.AfterFunc(after, func() { p.Kill() })
		t.Cleanup(func() { timer.Stop() })
	}, "audit", "--json")
	if o.killed {
		l.kills++
	}
	return o.killed
}

// kept returns the WARCs that the state file holds; a line that was cut holds
// none.
func (l *auditLane) kept(t *testing.T) map[string]bool {
	t.Helper()
	kept := map[string]bool{}
	data, err := os.ReadFile(l.path("audit.state"))
	if errors.Is(err, fs.ErrNotExist) {
		return kept
	}
	must(t, err)
	for line := range strings.Lines(string(data)) {
		var row struct{ Key string }
		if strings.HasSuffix(line, "\n") && json.Unmarshal([]byte(line), &row) == nil && row.Key != "" {
			kept[row.Key] = true
		}
	}
	return kept
}
