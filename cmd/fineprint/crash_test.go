package main

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fineprint-archive/fineprint/archive/catalog/pgtest"
	"github.com/fineprint-archive/fineprint/archive/wayback/waybacktest"
)

// crashSteps are the durable steps of a run, in their order. "response" is not
// one of package archive: the web kills the program while a response is half
// sent.
var crashSteps = []string{"response", "exchange", "manifest", "transaction", "close", "put", "pending", "append",
	"log-stage", "log-lock", "log-tiles", "log-checkpoint", "log-publish", "log-drop", "catalog", "drop-pending", "drop", "derive", "derived"}

// perPage are the steps that come once or more for each page; the others come
// once for each WARC.
const perPage = 4

// crashRounds returns how often the program is killed at random (from
// FINEPRINT_CRASH_ROUNDS, default 5), and how often inside each named step: a
// fifth of that.
func crashRounds(t *testing.T) (random, each int) {
	t.Helper()
	random = 5
	if s := os.Getenv("FINEPRINT_CRASH_ROUNDS"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 {
			t.Fatalf("FINEPRINT_CRASH_ROUNDS=%q: want a number above 0", s)
		}
		random = n
	}
	return random, max(1, random/5)
}

// crash is one kill: inside a step, or at random.
type crash struct {
	step  string // "" for at random
	count int    // which time that step is reached
}

func (c crash) String() string {
	if c.step == "" {
		return "random"
	}
	return fmt.Sprintf("%s:%d", c.step, c.count)
}

// crashes lists the kills of one database, shuffled.
func crashes(random, each int, r *rand.Rand) []crash {
	if raceDetector {
		return []crash{{}, {"response", 3}, {"transaction", 2}, {"put", 1}, {"log-tiles", 1}, {"derive", 1}}
	}
	var list []crash
	for range random {
		list = append(list, crash{})
	}
	for i, step := range crashSteps {
		for range each {
			count := 1 + r.IntN(2)
			if i < perPage {
				count = 1 + r.IntN(12)
			}
			if strings.HasPrefix(step, "derive") {
				count = 1 // they come once for each run
			}
			list = append(list, crash{step, count})
		}
	}
	r.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	return list
}

// Up to crashLanes archives are killed side by side on each database, each at
// least laneKills times: after a kill the program waits for the leases of the dead
// one, which costs time and no work, and every check takes longer as an archive
// grows.
const crashLanes, laneKills = 9, 5

// TestCrash kills crawls of a changing web with SIGKILL, at random and inside
// each named step, lets the next run mend what is left, which in every second
// round is killed too, and checks then that nothing is lost or doubled
// (lane.check). FINEPRINT_CRASH_ROUNDS says how often.
func TestCrash(t *testing.T) {
	t.Parallel()
	random, each := crashRounds(t)
	const seed = 2024_10_17
	eachDatabase(t, func(t *testing.T, dsn func(*testing.T) string) {
		kills := crashes(random, each, rand.New(rand.NewPCG(seed, uint64(len(t.Name())))))
		total := &crashCounts{kills: map[string]int{}}
		t.Cleanup(func() { t.Log(total) })
		lanes := min(crashLanes, max(1, len(kills)/laneKills))
		if raceDetector {
			lanes = 1
		}
		for i := range lanes {
			t.Run(fmt.Sprint(i), func(t *testing.T) {
				t.Parallel()
				l := newLane(t, dsn(t), i, total)
				var mine []crash
				for k := i; k < len(kills); k += lanes {
					mine = append(mine, kills[k])
				}
				for number := i; len(mine) > 0; number++ {
					n := min(1+number%2, len(mine))
					l.round(t, mine[:n], number)
					mine = mine[n:]
				}
				l.end(t)
			})
		}
	})
}

// crashCounts is what the rounds of one database add up to.
type crashCounts struct {
	mu          sync.Mutex
	kills       map[string]int // by step
	checks      int
	looks       int64         // at the ends
	entries     int64         // of the logs at the ends
	interrupted int           // looks entered as interrupted
	recovered   int           // begun looks whose manifest was found
	slowest     time.Duration // from a kill to the first request to the host that was asked last
}

func (c *crashCounts) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	kills := 0
	var parts []string
	for _, step := range slices.Sorted(maps.Keys(c.kills)) {
		kills += c.kills[step]
		parts = append(parts, fmt.Sprintf("%s %d", step, c.kills[step]))
	}
	return fmt.Sprintf("%d kills (%s), %d checks, %d log entries, %d looks, of them interrupted %d, recovered with their manifest %d; every host asked again at most %.1f s after a kill",
		kills, strings.Join(parts, ", "), c.checks, c.entries, c.looks, c.interrupted, c.recovered, c.slowest.Seconds())
}

// lane is one archive that is killed again and again.
type lane struct {
	*program
	web    *testWeb
	dsn    string
	total  *crashCounts
	random *rand.Rand
	took   time.Duration // of the last crawl that nothing killed

	objects   map[string]string         // SHA-256 of every object seen that never changes, by key
	shown     int64                     // size of the largest checkpoint that was public
	manifests map[string][]lookManifest // of every WARC seen, by key
	mended    map[string]bool           // "source n" of the looks entered as interrupted
}

func newLane(t *testing.T, dsn string, number int, total *crashCounts) *lane {
	t.Helper()
	l := &lane{web: startWeb(t, 4), dsn: dsn, total: total, random: rand.New(rand.NewPCG(7, uint64(number))),
		objects: map[string]string{}, manifests: map[string][]lookManifest{}, mended: map[string]bool{}}
	saver := httptest.NewServer(waybacktest.New(waybacktest.Config{TimeScale: 600}))
	t.Cleanup(saver.Close)
	l.program = newProgram(t, fmt.Sprintf(`archive: archive
database: %s
declarations: [declarations]
operator: crash test
crawl: {delay: 0s, retry_delay: 50ms, timeout: 10s, concurrency: 4, allow_private_networks: true}
seal: {max_bytes: 16KiB}
wayback: {base_url: %q, access_key: crash-access, secret_key: crash-secret}
`, dsn, saver.URL), l.web.declarations())
	began := time.Now()
	l.must(t, []int{exitPartly}, "crawl", "-q") // each host has a page that is gone
	l.took = time.Since(began)
	l.check(t)
	return l
}

// round lets the program be killed, again and again if there are several kills,
// lets it mend itself, and checks.
func (l *lane) round(t *testing.T, kills []crash, number int) {
	t.Helper()
	last := kills[len(kills)-1]
	var at time.Time
	begun := make([][]string, len(kills))
	for i, c := range kills {
		l.web.next()
		at = l.kill(t, c)
		l.grew(t)
		if c.step != "" {
			begun[i] = l.begun(t, at)
		}
	}
	l.web.mark()
	mend := "seal"
	if number%4 < 2 {
		mend = "crawl"
	}
	after := l.must(t, []int{exitDone, exitPartly}, mend, "-q")
	if mend == "crawl" {
		l.hostsFree(t, last, at, after)
	}
	l.check(t)
	if number%5 == 0 { // in turn behind each way to mend and each number of kills
		l.checkRebuild(t)
	}
	for i, c := range kills {
		l.settled(t, c, begun[i])
	}
}

// kill runs crawls until one is killed as c says, and returns when that was.
func (l *lane) kill(t *testing.T, c crash) time.Time {
	t.Helper()
	for try := range 20 {
		cmd := l.command(t, "crawl", "-q")
		started := func(*os.Process) {}
		switch c.step {
		case "":
			after := time.Duration(l.random.Int64N(int64(l.took) * 5 / 4))
			started = func(p *os.Process) {
				timer := time.AfterFunc(after, func() { p.Kill() })
				t.Cleanup(func() { timer.Stop() })
			}
		case "response":
			started = func(p *os.Process) { l.web.cutHalf(c.count, func() { p.Kill() }) }
		default:
			cmd.Env = append(cmd.Env, fmt.Sprintf("%s=%s:%d", killEnv, c.step, max(1, c.count-try)))
		}
		began := time.Now()
		o := finish(t, cmd, started)
		at := time.Now()
		l.web.cutHalf(0, nil)
		if o.killed {
			l.total.mu.Lock()
			defer l.total.mu.Unlock()
			l.total.kills[strings.Split(c.String(), ":")[0]]++
			return at
		}
		// The run was over before it was to be killed. The machine may be less
		// loaded than before.
		l.took = at.Sub(began)
		o.want(t, []int{exitDone, exitPartly}, "crawl, to be killed at", c.String())
		l.web.next()
	}
	t.Fatalf("no crawl was killed at %s", c)
	return time.Time{}
}

// hostsFree checks that every host was asked again. When each lease ends is
// checked to the second by checkLeases; here a loaded machine gets its time.
func (l *lane) hostsFree(t *testing.T, c crash, at time.Time, after outcome) {
	t.Helper()
	asked := l.web.asked()
	for _, host := range l.web.hosts {
		first, ok := asked[host]
		took := first.Sub(at)
		if !ok || took > 30*time.Second && !raceDetector {
			t.Errorf("killed at %s: host %s was asked again after %v (asked %v)\n%s", c, host, took, ok, after)
			continue
		}
		l.total.mu.Lock()
		l.total.slowest = max(l.total.slowest, took)
		l.total.mu.Unlock()
	}
}

// end makes an undisturbed crawl, and rebuilds the archive into both databases.
func (l *lane) end(t *testing.T) {
	t.Helper()
	l.web.next()
	l.must(t, []int{exitPartly}, "crawl", "-q")
	l.check(t)
	want := dump(t, l.dsn)
	for name, dsn := range map[string]string{"sqlite": filepath.Join(t.TempDir(), "again.sqlite"), "postgres": pgtest.Start(t)} {
		file := l.path("dump-" + name)
		l.must(t, []int{exitDone}, "rebuild", "--database", dsn, "--dump", file)
		got, err := os.ReadFile(file)
		must(t, err)
		if string(got) != want {
			t.Errorf("rebuilt into %s: the dump differs from that of the live catalog: %s", name, firstDifference(string(got), want))
		}
	}
	l.total.mu.Lock()
	defer l.total.mu.Unlock()
	l.total.entries += l.shown
	l.total.looks += int64(strings.Count(want, `{"table":"looks"`))
	l.total.interrupted += len(l.mended)
}
