package main

import (
	"bytes"
	"compress/gzip"
	"crypto/rand"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/fineprint-archive/fineprint/archive/catalog"
	"github.com/fineprint-archive/fineprint/archive/wayback/waybacktest"
)

// TestWaybackFacts compares captures of a stand-in that fetches the pages itself
// with our own, through the real program: bodies in each coding, pages that differ
// in a nonce, and captures with altered bytes, altered words, and a block page.
func TestWaybackFacts(t *testing.T) {
	t.Parallel()
	web := httptest.NewServer(http.HandlerFunc(serveCodings))
	t.Cleanup(web.Close)
	const same = `{"content":"same","index":"same","replay":"same","text":"same"}`
	const other = `{"content":"different","index":"different","replay":"same","text":"different"}`
	tests := []struct {
		path               string
		fault              waybacktest.Kind
		facts, state, code string
	}{
		{"identity", "", same, "replayed", ""},
		{"gzip", "", same, "replayed", ""},
		{"chunked", "", same, "replayed", ""},
		{"chunked-gzip", "", same, "replayed", ""},
		{"nonce", "", `{"content":"different","index":"different","replay":"same","text":"same"}`, "replayed", ""},
		{"bytes", waybacktest.AlteredBytes, `{"content":"different","index":"same","replay":"different","text":"*"}`, "divergent", "altered-bytes"},
		{"words", waybacktest.AlteredWords, other, "divergent", "other-text"},
		{"block", waybacktest.BlockPage, other, "divergent", "grade-blocked"},
	}
	for _, compress := range []bool{false, true} {
		t.Run(fmt.Sprintf("compressed on the way %t", compress), func(t *testing.T) {
			t.Parallel()
			saver := waybacktest.New(waybacktest.Config{TimeScale: 86400, IndexLag: -1, ReplayLag: -1, GzipReplay: compress, FetchPage: waybacktest.FetchFrom(nil)})
			server := httptest.NewServer(saver)
			t.Cleanup(server.Close)
			declarations := "name: Codings\nterms:\n"
			for i, tt := range tests {
				declarations += fmt.Sprintf("  %s:\n    - {url: %s/%s, lang: en}\n", []string{"Terms of Service", "Privacy Policy", "Community Guidelines", "Copyright Claims Policy",
					"Acceptable Use Policy", "Developer Terms", "Trackers Policy", "Commercial Terms"}[i], web.URL, tt.path)
				if tt.fault != "" {
					saver.Inject(waybacktest.Fault{Kind: tt.fault, On: "submit", URL: web.URL + "/" + tt.path, Times: 1})
				}
			}
			p := newProgram(t, fmt.Sprintf(`archive: archive
database: catalog.sqlite
declarations: [declarations]
crawl: {delay: 0s, allow_private_networks: true}
wayback: {base_url: %q, access_key: facts-access, secret_key: facts-secret, time_scale: 86400}
`, server.URL), declarations)
			p.must(t, []int{exitDone}, "crawl", "-q")
			rows := map[string]catalog.OutboxRow{}
			for range 100 { // how much one call gets done depends on the machine
				p.must(t, []int{exitDone}, "wayback", "submit", "-q")
				rows = outboxRows(t, p.path("catalog.sqlite"))
				if !slices.ContainsFunc(slices.Collect(maps.Values(rows)), func(r catalog.OutboxRow) bool { return r.Facts == "" }) {
					break
				}
			}
			for _, tt := range tests {
				r := rows[web.URL+"/"+tt.path]
				facts := r.Facts
				if head, _, ok := strings.Cut(tt.facts, `"*"`); ok && strings.HasPrefix(facts, head) {
					facts = tt.facts
				}
				if facts != tt.facts || r.State != tt.state && !(tt.state == "replayed" && r.State == "confirmed") || r.LastCode != tt.code {
					t.Errorf("%s: %s %q, facts %s, want %s %q, %s", tt.path, r.State, r.LastCode, r.Facts, tt.state, tt.code, tt.facts)
				}
			}
			o := p.must(t, []int{exitDone}, "wayback", "diff", web.URL+"/words", "--plain", "--context", "0")
			if !strings.Contains(o.stdout, "{+") && !strings.Contains(o.stdout, "[-") {
				t.Errorf("wayback diff shows no difference:\n%s", o)
			}
			p.must(t, []int{exitUsage}, "wayback", "diff", web.URL+"/never")
			p.must(t, []int{exitDone}, "audit", "-q")
			if b := saver.Breaches(); b["redirect"] > 0 || b["keys"] > 0 || b["user-agent"] > 0 {
				t.Errorf("breaches %v", b)
			}
		})
	}
}

// outboxRows returns the rows of an outbox by address.
func outboxRows(t *testing.T, database string) map[string]catalog.OutboxRow {
	t.Helper()
	db, err := catalog.Open(t.Context(), database, catalog.Options{})
	must(t, err)
	list, err := db.ListOutbox(t.Context(), catalog.OutboxFilter{})
	must(t, err)
	must(t, db.Close())
	rows := map[string]catalog.OutboxRow{}
	for _, r := range list {
		rows[r.URL] = r
	}
	return rows
}

// serveCodings serves terms in the coding that the path names.
func serveCodings(w http.ResponseWriter, r *http.Request) {
	nonce := ""
	if r.URL.Path == "/nonce" {
		nonce = ` data-nonce="` + rand.Text() + `"`
	}
	page := []byte(fmt.Sprintf(`<html lang=en><title>Terms</title><body%s><h1>Terms of %s</h1>
<p>These are the words on which we offer you this service, and you accept them by using it, as they stand on this page on the day on which you use it.</p>
<p>You keep what you post, and may leave at any time. We tell you thirty days before we change these terms.</p>`, nonce, r.URL.Path[1:]))
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	if strings.HasSuffix(r.URL.Path, "gzip") {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		z.Write(page) // into memory
		z.Close()
		page = b.Bytes()
		w.Header().Set("Content-Encoding", "gzip")
	}
	if strings.HasPrefix(r.URL.Path, "/chunked") {
		w.Write(page[:50]) // a client that went away is no matter of the server
		w.(http.Flusher).Flush()
		page = page[50:]
	} else {
		w.Header().Set("Content-Length", fmt.Sprint(len(page)))
	}
	w.Write(page)
}
