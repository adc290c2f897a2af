package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
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
	p := newProgram(t, "declarations: [declarations]\ncrawl: {delay: 0s, allow_private_networks: true, retry_delay: 10ms}\n",
		"name: Example\nterms:\n  Terms of Service:\n    - {url: "+server.URL+"/terms, lang: en, select: [.gone]}\n"+
			"  Privacy Policy:\n    - {url: "+server.URL+"/missing, lang: en}\n")
	o := p.must(t, []int{exitPartly}, "--json", "check", "--fetch") // a page is missing
	got := map[string]probed{}
	for line := range strings.Lines(o.stdout) {
		var page probed
		if err := json.Unmarshal([]byte(line), &page); err == nil && page.Document != "" {
			got[page.Document] = page
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
	left, err := os.ReadDir(p.dir)
	if err != nil || len(left) != 2 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}
