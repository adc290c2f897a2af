package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/fineprint-archive/fineprint/archive/catalog"
	"github.com/fineprint-archive/fineprint/archive/wayback"
	"github.com/fineprint-archive/fineprint/archive/wayback/waybacktest"
	"github.com/fineprint-archive/fineprint/warc"
)

// verifyProgram is a program that has looked at a page and submitted it, and a
// stand-in that has captured it.
func verifyProgram(t *testing.T) (p *program, archive *waybacktest.Server, page string) {
	t.Helper()
	web := httptest.NewServer(http.HandlerFunc(serveCodings))
	t.Cleanup(web.Close)
	archive = waybacktest.New(waybacktest.Config{TimeScale: 86400, IndexLag: -1, ReplayLag: -1, FetchPage: waybacktest.FetchFrom(nil)})
	server := httptest.NewServer(archive)
	t.Cleanup(server.Close)
	page = web.URL + "/identity"
	p = newProgram(t, fmt.Sprintf(`archive: archive
database: catalog.sqlite
declarations: [declarations]
crawl: {delay: 0s, allow_private_networks: true}
contact: test@example.org
wayback: {base_url: %q, access_key: verify-access, secret_key: verify-secret, time_scale: 86400}
`, server.URL), fmt.Sprintf("name: Example\nterms:\n  Terms of Service:\n    - {url: %q, lang: en}\n", page))
	p.must(t, []int{exitDone}, "--set", "wayback.enabled=false", "crawl")
	p.submitted(t, page)
	return p, archive, page
}

// submitted submits a page, or what waits, until its capture was read back.
func (p *program) submitted(t *testing.T, pages ...string) {
	t.Helper()
	var s waybackState
	for range 100 { // at this pace a run may end before the turn of the submit
		readLast(t, p.must(t, []int{exitDone}, append([]string{"--json", "wayback", "submit"}, pages...)...), &s)
		if s.Waiting+s.States["accepted"]+s.States["unresolved"]+s.States["reported"]+s.States["indexed"] == 0 {
			return
		}
	}
	t.Fatalf("not read back: %+v", s)
}

// TestWaybackVerify ends with 1 as long as a capture comes back wrong, not only at
// the first time, and with 4 if the Archive does not answer.
func TestWaybackVerify(t *testing.T) {
	t.Parallel()
	p, archive, page := verifyProgram(t)
	verify := func(code int, says string, more ...string) {
		t.Helper()
		o := p.must(t, []int{code}, append(append([]string{}, more...), "wayback", "verify", "--all", page)...)
		if !strings.Contains(o.stderr, says) {
			t.Errorf("verify: want %q, got %s", says, o)
		}
	}
	verify(exitDone, "1 captures are to be read back")
	verify(exitIncomplete, "1 captures could not be read back now", "--set", "wayback.base_url=http://127.0.0.1:1")
	if n := archive.Spoil(page, "", waybacktest.Fault{Kind: waybacktest.AlteredWords}); n != 1 {
		t.Fatalf("%d captures were spoilt, want 1", n)
	}
	verify(exitFailed, "1 captures came back with other bytes or another text")
	verify(exitFailed, "1 captures came back with other bytes or another text")
}

// TestWaybackRedirectRow reads a capture back whose moment the index lists twice: as
// the redirect that led to it, and as itself. The digest is that of the page.
func TestWaybackRedirectRow(t *testing.T) {
	t.Parallel()
	p, archive, page := verifyProgram(t)
	c := archive.Captures()[0]
	row := func(url, status, digest string) string {
		return fmt.Sprintf(`["k",%q,%q,"text/html",%q,%q,"500"]`, c.Timestamp, url, status, digest)
	}
	archive.Inject(waybacktest.Fault{Kind: waybacktest.Body, On: "index", Body: `[["urlkey","timestamp","original","mimetype","statuscode","digest","length"],` +
		row("https"+strings.TrimPrefix(page, "http"), "301", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA") + "," + row(page, "200", warc.SumSHA1(c.Body).Base32()) + "]"})
	p.must(t, []int{exitDone}, "wayback", "verify", "--all", page)
	if r := outboxRows(t, p.path("catalog.sqlite"))[page]; r.State == "divergent" || !strings.Contains(r.Facts, `"replay":"same"`) {
		t.Errorf("%s %s, facts %s", r.State, r.LastCode, r.Facts)
	}
}

// TestWaybackBeside asks for a submit, and for a read-back, while another process
// works the outbox: the first is entered for that one, the second is not done.
func TestWaybackBeside(t *testing.T) {
	t.Parallel()
	p, archive, page := verifyProgram(t)
	p.must(t, []int{exitDone}, "--set", "wayback.enabled=false", "crawl")
	db, err := catalog.Open(t.Context(), p.path("catalog.sqlite"), catalog.Options{})
	must(t, err)
	t.Cleanup(func() { must(t, db.Close()) })
	release, alone, err := db.LockOutbox(t.Context())
	if err != nil || !alone {
		t.Fatalf("LockOutbox = %v, %v", alone, err)
	}
	o := p.must(t, []int{exitDone}, "wayback", "submit", page)
	if !strings.Contains(o.stdout, "waiting          1 ") || !strings.Contains(o.stderr, "another process") {
		t.Errorf("submit beside another: %s", o)
	}
	p.must(t, []int{exitIncomplete}, "wayback", "verify", "--all")
	must(t, release())
	p.submitted(t)
	if n := archive.Submits(page); n != 2 {
		t.Errorf("%d submits, want 2", n)
	}
}

// TestWaybackPausedStatus asks the service for nothing while it has told us to wait
// with everything.
func TestWaybackPausedStatus(t *testing.T) {
	t.Parallel()
	p, archive, _ := verifyProgram(t)
	db, err := catalog.Open(t.Context(), p.path("catalog.sqlite"), catalog.Options{})
	must(t, err)
	t.Cleanup(func() { must(t, db.Close()) })
	for _, tt := range []struct {
		pause string
		asked int
	}{{"all", 0}, {"submits", 1}} {
		must(t, db.SavePacer(t.Context(), fmt.Appendf(nil, `{%q: {"until": %q, "op": "submit", "class": "slot"}}`, tt.pause, time.Now().Add(time.Hour).UTC().Format(time.RFC3339))))
		before := len(archive.Requests())
		var s waybackState
		readLast(t, p.must(t, []int{exitDone}, "--json", "wayback", "status"), &s)
		if n := len(archive.Requests()) - before; n != tt.asked || s.Paused == nil || (s.BudgetLeft != nil) != (tt.asked > 0) {
			t.Errorf("pause of %s: %d requests, want %d; %+v", tt.pause, n, tt.asked, s)
		}
	}
}

// TestBudgetLeft has numbers that the service did not tell, and limits that shrink.
func TestBudgetLeft(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ limit, used, daily, submits, want int }{
		{30000, 5, 0, 0, 29995},
		{30000, 5, 100, 40, 60},
		{30000, 29990, 100, 40, 10},
		{10000, 12000, 0, 0, 0},
		{30000, 5, 100, 140, 0},
		{-1, 5, 100, 0, -1},
		{30000, -1, 0, 0, -1},
	} {
		got := -1
		if left := budgetLeft(wayback.UserStatus{DailyCapturesLimit: tt.limit, DailyCaptures: tt.used}, tt.daily, tt.submits); left != nil {
			got = int(*left)
		}
		if got != tt.want {
			t.Errorf("budgetLeft of %+v = %d, want %d (-1: unknown)", tt, got, tt.want)
		}
	}
}

// TestWaybackPrivateSince: a page that waits, and whose source is declared private
// before its turn comes, is told to nobody, by no command.
func TestWaybackPrivateSince(t *testing.T) {
	t.Parallel()
	p, archive, page := verifyProgram(t)
	p.must(t, []int{exitDone}, "--set", "wayback.enabled=false", "crawl")
	p.must(t, []int{exitDone}, "--set", "wayback.base_url=http://127.0.0.1:1", "wayback", "submit", page)
	p.write(t, "declarations/web.yaml", fmt.Sprintf("name: Example\nterms:\n  Terms of Service:\n    - {url: %q, lang: en, private: true}\n", page))
	before := len(archive.Requests())
	p.must(t, []int{exitUsage}, "wayback", "backfill", page)
	p.must(t, []int{exitUsage}, "wayback", "submit", page)
	refused := false
	for i := 0; i < 100 && !refused; i++ { // until the pause for the dead address is over
		var state waybackState
		readLast(t, p.must(t, []int{exitDone}, "--json", "wayback", "submit"), &state)
		refused = state.States["refused"] == 1
	}
	for _, r := range archive.Requests()[before:] {
		if r.Op == "submit" || r.Op == "index" && r.Query.Get("from") == "" {
			t.Errorf("%s of %s", r.Op, r.URL)
		}
	}
	o := p.must(t, []int{exitDone}, "wayback", "status", "--state", "refused")
	if !refused || !strings.Contains(o.stdout, "declared private by now") {
		t.Errorf("status: %s", o)
	}
}
