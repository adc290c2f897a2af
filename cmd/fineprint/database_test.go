package main

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fineprint-archive/fineprint/archive/catalog/pgtest"
)

// TestDatabasesAgree crawls the same web into SQLite and into PostgreSQL, side
// by side over several rounds: `captures --json` says the same on both, but for
// what a run makes up (ids, times, runs, and the places of records, whose order
// in the file is up to the workers), and a store rebuilt into either gives the
// same dump and the very same lines.
func TestDatabasesAgree(t *testing.T) {
	t.Parallel()
	web := startWeb(t, 3)
	databases := map[string]string{"sqlite": "catalog.sqlite", "postgres": pgtest.Start(t)}
	programs := map[string]*program{}
	for _, name := range slices.Sorted(maps.Keys(databases)) {
		programs[name] = newProgram(t, fmt.Sprintf(`archive: archive
database: %q
declarations: [declarations]
crawl: {delay: 0s, retry_delay: 10ms, allow_private_networks: true}
`, databases[name]), web.declarations())
	}
	for range 4 {
		web.next()
		for _, name := range slices.Sorted(maps.Keys(programs)) {
			programs[name].must(t, []int{exitPartly}, "crawl", "-q")
		}
	}
	for _, args := range [][]string{
		{}, {"--all"}, {"--failed"}, {"--service", "Service 2"}, {"--lang", "zh-CN"}, {"--terms", "Privacy Policy"},
		{"--since", "2020"}, {"--until", "2020"}, {"--url", web.hosts[0] + "/terms"}, {"service-1/terms-of-service/en"},
	} {
		args = append([]string{"captures", "--json"}, args...)
		want := invariant(programs["sqlite"].must(t, []int{exitDone}, args...).stdout)
		got := invariant(programs["postgres"].must(t, []int{exitDone}, args...).stdout)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q: (-sqlite +postgres):\n%s", args, diff)
		}
	}

	// One store in both databases: nothing at all may differ.
	p := programs["sqlite"]
	again := map[string]string{"sqlite": p.path("again.sqlite"), "postgres": pgtest.Start(t)}
	outputs := map[string]string{}
	for name, dsn := range again {
		p.must(t, []int{exitDone}, "rebuild", "--database", dsn, "--dump", "dump-"+name)
		outputs[name] = p.must(t, []int{exitDone}, "captures", "--json", "--set", "database="+dsn).stdout
	}
	if outputs["sqlite"] != outputs["postgres"] || strings.Count(outputs["sqlite"], "\n") < 60 {
		t.Errorf("captures of the same store: (-sqlite +postgres):\n%s", cmp.Diff(outputs["sqlite"], outputs["postgres"]))
	}
	if a, b := p.read(t, "dump-sqlite"), p.read(t, "dump-postgres"); a != b {
		t.Errorf("dumps of the same store: %s", firstDifference(b, a))
	}
}

// invariant returns the lines of `captures --json` without what each run makes
// up, sorted: looks of one run have times that depend on the workers.
func invariant(output string) []string {
	madeUp := regexp.MustCompile(`"(id|time|run|warc|record|same_as)":("[^"]*"|null)|"(offset|length|record_offset|record_length|index)":(\d+|null)`)
	var lines []string
	for line := range strings.Lines(output) {
		lines = append(lines, madeUp.ReplaceAllString(line, ""))
	}
	slices.Sort(lines)
	return lines
}
