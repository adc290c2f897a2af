package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fineprint-archive/fineprint/archive/wayback/waybacktest"
)

// backfillScale makes an hour of the Archive's rates a second.
const backfillScale = 3600

// backfillPage is a page whose history the stand-in has: state n of its terms.
const backfillPage = "https://www.example.org/terms?lang=en"

func backfillBody(t *testing.T, n int) []byte {
	t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "<html lang=en><head><title>Terms of Service</title></head><body><h1>Terms of Service</h1>")
	for i := range 6 {
		fmt.Fprintf(&b, "<p>Clause %d says on which terms you may use this service, and what we may do if you do not keep to them.</p>", i)
	}
	fmt.Fprintf(&b, "<p>This is edition %d of these terms.</p></body></html>", n)
	if n%2 == 0 {
		return []byte(b.String())
	}
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	_, err := z.Write([]byte(b.String()))
	must(t, err)
	must(t, z.Close())
	return zipped.Bytes()
}

// backfillProgram is a program with a declared page that nobody has visited, and a
// stand-in with 500 captures of it, hour after hour, of 40 bodies: each is seen
// twelve or thirteen times in a row, and the first ten once more at the end.
func backfillProgram(t *testing.T) (*program, *waybacktest.Server) {
	t.Helper()
	archive := waybacktest.New(waybacktest.Config{TimeScale: backfillScale})
	server := httptest.NewServer(archive)
	t.Cleanup(server.Close)
	begin := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
	for i := range 500 {
		n := i / 12
		if n >= 40 {
			n = i % 10
		}
		c := waybacktest.Capture{URL: backfillPage, Timestamp: begin.Add(time.Duration(i) * time.Hour).Format("20060102150405"), Body: backfillBody(t, n), Header: http.Header{}}
		if n%2 == 1 {
			c.Header.Set("Content-Encoding", "gzip")
		}
		c.Revisit = i%12 == 7
		archive.AddCapture(c)
	}
	archive.AddCapture(
		waybacktest.Capture{URL: backfillPage, Timestamp: "20191231000000", Status: 404, Body: []byte("gone")},
		waybacktest.Capture{URL: "https://example.org/terms?lang=en", Timestamp: "20191230000000", Body: []byte("another site")})
	p := newProgram(t, fmt.Sprintf(`archive: archive
declarations: [declarations]
crawl: {allow_private_networks: true}
contact: test@example.org
wayback: {base_url: %q, time_scale: %d}
`, server.URL, backfillScale), fmt.Sprintf("name: Example\nterms:\n  Terms of Service:\n    - {url: %q, lang: en}\n", backfillPage))
	return p, archive
}

// replays counts the replays that the stand-in was asked for.
func replays(s *waybacktest.Server) (n int) {
	for _, r := range s.Requests() {
		if r.Op == "replay" {
			n++
		}
	}
	return n
}

// readLast reads the last line of an output.
func readLast(t *testing.T, o outcome, v any) {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(o.stdout), "\n")
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), v); err != nil {
		t.Fatalf("%v: %s", err, o)
	}
}

// TestWaybackBackfill imports a history: 40 replays, however often it is killed, and
// versions in order, which a rebuilt catalog has too.
func TestWaybackBackfill(t *testing.T) {
	t.Parallel()
	p, archive := backfillProgram(t)
	backfill := []string{"--json", "wayback", "backfill", backfillPage}
	var s backfillSummary
	readLast(t, p.must(t, []int{exitDone}, append(backfill, "--dry-run")...), &s)
	if s.Captures != 500 || s.Distinct != 40 || s.Requests != 40 || s.Minutes != 0.4 || !s.DryRun || replays(archive) != 0 {
		t.Errorf("dry run %+v, %d replays", s, replays(archive))
	}
	for _, step := range []string{"plan:1", "replay:3", "replayed:5", "manifest:9", "close:1", "sight:1", "archived:1"} {
		p.env = []string{killEnv + "=" + step}
		if o := p.run(t, backfill...); !o.killed {
			t.Fatalf("%s: %s", step, o)
		}
	}
	p.env = nil
	readLast(t, p.must(t, []int{exitDone}, backfill...), &s)
	// The manifest that was not written costs a replay: nothing had been brought in.
	if n := replays(archive); n != 41 || s.Waiting+s.Absent+s.Failed != 0 || s.Stopped != nil {
		t.Errorf("%d replays, want 41; %+v", n, s)
	}
	if diff := cmp.Diff(map[string]int{}, archive.Breaches()); diff != "" {
		t.Errorf("breaches (-want +got):\n%s", diff)
	}
	listed := p.must(t, []int{exitDone}, "--json", "versions", "--archived", backfillPage)
	lines := strings.Split(strings.TrimSpace(listed.stdout), "\n")
	if len(lines) != 40+20+1 { // the last twenty captures are each another text than the one before
		t.Fatalf("%d lines: %s", len(lines), listed.stdout)
	}
	var v archivedLine
	must(t, json.Unmarshal([]byte(lines[1]), &v))
	if v.Observer != observerWayback || v.Kind != kindArchived || v.FirstSeen != "2020-01-01T12:00:00Z" || v.LastSeen != "2020-01-01T23:00:00Z" || v.Captures != 12 || v.Version != "ia:2020-01-01T12:00:00Z" {
		t.Errorf("version %s", lines[1])
	}
	if o := p.must(t, []int{exitDone}, "show", "--format", "plain", backfillPage+"@ia:2020-01-01T12:30:00Z"); !strings.Contains(o.stdout, "edition 1 of") {
		t.Errorf("show: %s", o)
	}
	if o := p.must(t, []int{exitDone}, "diff", "--format", "unified", backfillPage+"@ia:20200101", backfillPage+"@ia:20200102"); !strings.Contains(o.stdout, "edition 3 of") {
		t.Errorf("diff: %s", o)
	}
	if o := p.run(t, "show", backfillPage+"@ia:2019"); o.code != exitFailed || !strings.Contains(o.stderr, "had no text") {
		t.Errorf("show before the first: %s", o)
	}
	if o := p.run(t, "show", backfillPage); o.code != exitUsage {
		t.Errorf("an imported version was shown as our own: %s", o)
	}
	var count struct{ Captures int }
	readLast(t, p.must(t, []int{exitDone}, "--json", "captures"), &count)
	if count.Captures != 0 {
		t.Errorf("%d looks at the page, want none", count.Captures)
	}
	readLast(t, p.must(t, []int{exitDone}, "--json", "captures", "--archived"), &count)
	if count.Captures < 41 {
		t.Errorf("%d looks at the Archive, want 41 and those that were cut off", count.Captures)
	}
	p.checkReimported(t, archive)
}

// checkReimported wants a rebuilt catalog to come to the same imported versions without
// another replay.
func (p *program) checkReimported(t *testing.T, archive *waybacktest.Server) {
	t.Helper()
	of := func(text string) (list []string) {
		for line := range strings.Lines(text) {
			if strings.HasPrefix(line, `{"table":"archived_`) || strings.HasPrefix(line, `{"table":"sightings"`) {
				list = append(list, line)
			}
		}
		return list
	}
	before, n := of(dump(t, p.path("catalog.sqlite"))), replays(archive)
	p.env = []string{"FINEPRINT_DATABASE=" + p.path("again.sqlite")}
	p.must(t, []int{exitDone}, "rebuild")
	p.must(t, []int{exitDone}, "wayback", "backfill", backfillPage)
	p.env = nil
	if diff := cmp.Diff(before, of(dump(t, p.path("again.sqlite")))); diff != "" || len(before) < 500 {
		t.Errorf("%d rows, rebuilt (-before +after):\n%s", len(before), diff)
	}
	if again := replays(archive); again != n {
		t.Errorf("%d replays after the rebuild", again-n)
	}
}

// TestWaybackBackfillTrouble has the Archive away, and bad input.
func TestWaybackBackfillTrouble(t *testing.T) {
	t.Parallel()
	p := newProgram(t, "archive: archive\ndeclarations: [declarations]\ncontact: test@example.org\nwayback: {base_url: \"http://127.0.0.1:1\", time_scale: 100000}\n",
		"name: Example\nterms:\n  Terms of Service: [{url: \"https://www.example.org/terms\", lang: en}]\n")
	tests := []struct {
		args []string
		code int
		says string
	}{
		{[]string{"https://www.example.org/terms"}, exitIncomplete, "run it again after"},
		{[]string{"--dry-run", "https://www.example.org/terms"}, exitIncomplete, "index of the Wayback Machine"},
		{[]string{"https://www.example.org/other"}, exitUsage, "is no declared document"},
		{[]string{"--from", "soon", "https://www.example.org/terms"}, exitUsage, "--from"},
		{[]string{"--limit", "-1", "https://www.example.org/terms"}, exitUsage, "--limit"},
		{nil, exitUsage, "arg"},
	}
	for _, test := range tests {
		if o := p.run(t, append([]string{"wayback", "backfill"}, test.args...)...); o.code != test.code || !strings.Contains(o.stderr, test.says) {
			t.Errorf("%q: want exit code %d and %q, got %s", test.args, test.code, test.says, o)
		} else if strings.Contains(o.stdout, "no capture") {
			t.Errorf("%q: says that there is nothing, which nobody knows: %s", test.args, o)
		}
	}
}
