package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestCheckFetch: a page is shown before there is an archive, also one that does
// not fit into memory, and none is made.
func TestCheckFetch(t *testing.T) {
	t.Parallel()
	mux := http.NewServeMux()
	visits := 0
	mux.HandleFunc("GET /terms", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		visits++
		fmt.Fprintf(w, "<main><h1>Terms</h1>%s<!-- %d --></main>", strings.Repeat("<p>We keep what you enter for as long as you are a member of the service.</p>", 8<<10), visits)
	})
	server := httptest.NewServer(mux)
	defer server.Close()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"fineprint.yaml": "archive: archive\ndeclarations: [web.yaml]\ncrawl: {delay: 0s, allow_private_networks: true, retry_delay: 10ms}\n",
		"web.yaml": "name: Example\nterms:\n  Terms of Service:\n    - {url: " + server.URL + "/terms, lang: en, select: [.gone]}\n" +
			"  Privacy Policy:\n    - {url: " + server.URL + "/missing, lang: en}\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var stdout, stderr bytes.Buffer
	code := run(t.Context(), []string{"--config", filepath.Join(dir, "fineprint.yaml"), "--json", "check", "--fetch"}, nil, &stdout, &stderr)
	if code != exitPartly {
		t.Errorf("exit code %d, want %d for the page that is missing: %s", code, exitPartly, stderr.String())
	}
	got := map[string]probed{}
	for line := range strings.Lines(stdout.String()) {
		var p probed
		if err := json.Unmarshal([]byte(line), &p); err == nil && p.Document != "" {
			got[p.Document] = p
		}
	}
	terms, missing := got["example/terms-of-service/en"], got["example/privacy-policy/en"]
	if terms.Result != "captured" || terms.Stable || terms.StableText == nil || !*terms.StableText || terms.Grade == nil || *terms.Grade != "terms" ||
		terms.Words == nil || *terms.Words != 16*(8<<10)+1 || len(terms.Problems) != 1 || terms.Problems[0].Code != "select-nothing" {
		terms.Text = nil
		t.Errorf("terms: %+v", terms)
	}
	if missing.Result != "failed" || missing.Error == nil || *missing.Error != "http-status" || missing.Grade == nil || *missing.Grade == "terms" {
		t.Errorf("missing: %+v", missing)
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 2 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}
