package catalog_test

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fineprint-archive/fineprint/archive/catalog"
)

// Two processes and 16 goroutines allocate numbers: none is missing, none comes
// twice.
func TestBeginLookTogether(t *testing.T) {
	eachDatabase(t, func(t *testing.T, dsn string) {
		dbs := []*catalog.DB{open(t, dsn), open(t, dsn)}
		declare(t, dbs[0], 3)
		const workers, each = 16, 12
		var (
			mu  sync.Mutex
			got = map[string]map[int64]bool{}
			wg  sync.WaitGroup
		)
		for w := range workers {
			wg.Go(func() {
				for i := range each {
					source := fmt.Sprint("s", i%3)
					b, err := dbs[w%2].BeginLook(ctx, catalog.Begin{Source: source, Run: "run1", Spool: "spool1", At: noon, ManifestID: manifestID(source)})
					if err != nil {
						t.Error(err)
						continue
					}
					mu.Lock()
					if got[source] == nil {
						got[source] = map[int64]bool{}
					}
					if got[source][b.N] {
						t.Errorf("look %d of %s was given twice", b.N, source)
					}
					got[source][b.N] = true
					mu.Unlock()
				}
			})
		}
		wg.Wait()
		for source, numbers := range got {
			for n := int64(1); n <= workers*each/3; n++ {
				if !numbers[n] {
					t.Errorf("look %d of %s is missing", n, source)
				}
			}
		}
		unfinished, err := dbs[1].UnfinishedLooks(ctx, "spool1")
		must(t, err)
		if len(unfinished) != workers*each {
			t.Errorf("%d rows are there, want %d", len(unfinished), workers*each)
		}
	})
}

// Two processes begin and finish looks of one source with what they knew of it
// a while ago: a number that is begun and finished meanwhile is not given again.
func TestBeginLookKnownTogether(t *testing.T) {
	eachDatabase(t, func(t *testing.T, dsn string) {
		c := &clock{now: noon}
		dbs := []*catalog.DB{openWith(t, dsn, catalog.Options{Now: c.time}), openWith(t, dsn, catalog.Options{Now: c.time})}
		declare(t, dbs[0], 1)
		openWARC(t, dbs[0])
		const workers, each = 8, 10
		var wg sync.WaitGroup
		for w := range workers {
			wg.Go(func() {
				db := dbs[w%2]
				for range each {
					due, err := db.DueSources(ctx, "", "host0.example", noon, 1)
					if err != nil || len(due) != 1 {
						t.Errorf("DueSources = %d, %v, want 1", len(due), err)
						return
					}
					b, err := db.BeginLook(ctx, catalog.Begin{Source: "s0", Spool: "spool1", At: noon, Known: &due[0], ManifestID: func(n int64) string {
						return fmt.Sprint("urn:test:", w, ":", n)
					}})
					if err != nil {
						t.Error(err)
						return
					}
					l := failed("s0", b.N, noon, "dns")
					l.ID = fmt.Sprint("urn:test:", w, ":", b.N)
					if err := db.FinishLook(ctx, catalog.Finish{Look: l, NextAt: noon}); err != nil {
						t.Error(err) // says so if the number was given twice
					}
				}
			})
		}
		wg.Wait()
		if rows := list(t, dbs[0], catalog.LookFilter{Unfinished: true}); len(rows) != workers*each {
			t.Errorf("%d looks are there, want %d", len(rows), workers*each)
		}
		if s := sourceState(t, dbs[0], "s0"); s.LastN != workers*each || s.N != workers*each {
			t.Errorf("newest look is %d, %d, want %d", s.LastN, s.N, workers*each)
		}
	})
}

// A process is killed while it begins and finishes looks: what it was told is
// kept, and every look is either begun or finished with everything that belongs
// to it. FINEPRINT_CRASH_ROUNDS sets the number of kills.
func TestFinishLookKilled(t *testing.T) {
	rounds := 3
	if s := os.Getenv("FINEPRINT_CRASH_ROUNDS"); s != "" {
		var err error
		rounds, err = strconv.Atoi(s)
		must(t, err)
	}
	self, err := os.Executable()
	must(t, err)
	eachDatabase(t, func(t *testing.T, dsn string) {
		db := open(t, dsn)
		const sources = 6
		declare(t, db, sources)
		openWARC(t, db)
		var names []string
		for i := range sources {
			names = append(names, fmt.Sprint("s", i))
		}
		begun, finished := map[string]int64{}, map[string]int64{} // newest that was acknowledged
		for range rounds {
			cmd := exec.Command(self)
			cmd.Env = append(os.Environ(), "CATALOG_TEST_CHILD=looks", "CATALOG_TEST_DSN="+dsn, "CATALOG_TEST_SOURCES="+strings.Join(names, " "))
			out, err := cmd.StdoutPipe()
			must(t, err)
			must(t, cmd.Start())
			kill := 20 + rand.IntN(200) // acknowledgements
			scanner := bufio.NewScanner(out)
			for i := 0; scanner.Scan(); i++ {
				var what, source string
				var n int64
				if _, err := fmt.Sscan(scanner.Text(), &what, &source, &n); err != nil {
					t.Fatalf("child says %q", scanner.Text())
				}
				if what == "begun" {
					begun[source] = max(begun[source], n)
				} else {
					finished[source] = max(finished[source], n)
				}
				if i == kill {
					must(t, cmd.Process.Kill())
				}
			}
			_ = cmd.Wait() // killed
			checkLooks(t, db, names, begun, finished)
		}
	})
}

// checkLooks checks every invariant of a catalog whose looks were all made by
// looksUntilKilled.
func checkLooks(t *testing.T, db *catalog.DB, sources []string, begun, finished map[string]int64) {
	t.Helper()
	unfinished, err := db.UnfinishedLooks(ctx, "spool1")
	must(t, err)
	open := map[string]bool{}
	highest := map[string]int64{} // begun
	for _, l := range unfinished {
		highest[l.Source] = max(highest[l.Source], l.N)
		open[fmt.Sprint(l.Source, " ", l.N)] = true
		if l.N == finished[l.Source] {
			t.Errorf("look %d of %s was acknowledged as finished and is not", l.N, l.Source)
		}
	}
	for _, source := range sources {
		rows := map[int64]catalog.LookRow{}
		for _, l := range list(t, db, catalog.LookFilter{Source: source}) {
			rows[l.N] = l
		}
		state := sourceState(t, db, source)
		last := max(state.LastN, highest[source])
		if last < begun[source] {
			t.Errorf("%s: newest look is %d, %d was acknowledged", source, last, begun[source])
		}
		var newest int64
		for n := int64(1); n <= last; n++ {
			l, done := rows[n]
			if done == open[fmt.Sprint(source, " ", n)] {
				t.Errorf("look %d of %s: finished is %v and begun is %v, want exactly one", n, source, done, !done)
			}
			if !done {
				continue
			}
			newest = n
			_, found, err := db.FindPayload(ctx, l.FinalURL, l.PayloadSHA256, l.PayloadSize, "a.warc.gz")
			must(t, err)
			if !found {
				t.Errorf("look %d of %s is finished without its record", n, source)
			}
		}
		if newest < finished[source] {
			t.Errorf("%s: newest finished look is %d, %d was acknowledged", source, newest, finished[source])
		}
		if newest == 0 {
			continue
		}
		if state.N != newest || state.Attempt != int(newest) || !state.NextAt.Equal(rows[newest].Time.Add(time.Hour)) {
			t.Errorf("%s: its schedule is of look %d, its newest finished look is %d", source, state.N, newest)
		}
		row, ok, err := db.LastOutbox(ctx, source)
		if err != nil || ok != (row.N > 0) || row.N < finished[source] || row.N > newest {
			t.Errorf("%s: newest outbox row is of look %d, %v, %v, want %d to %d", source, row.N, ok, err, finished[source], newest)
		}
	}
}
