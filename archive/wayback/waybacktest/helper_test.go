package waybacktest

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

// get asks s without a socket; header is "Name: value" lines.
func get(s *Server, method, target string, header ...string) *http.Response {
	r := httptest.NewRequest(method, target, nil)
	r.Header.Set("User-Agent", "test")
	for _, line := range header {
		name, value, _ := strings.Cut(line, ": ")
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w.Result()
}

// bodyOf reads an answer; s with the content coding as it came.
func bodyOf(t *testing.T, resp *http.Response) string {
	t.Helper()
	var b bytes.Buffer
	if _, err := b.ReadFrom(resp.Body); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// query asks the index with more parameters than the address.
func query(t *testing.T, s *Server, address string, more ...string) string {
	t.Helper()
	target := "/cdx/search/cdx?url=" + url.QueryEscape(address)
	for _, m := range more {
		name, value, _ := strings.Cut(m, "=")
		target += "&" + name + "=" + url.QueryEscape(value)
	}
	resp := get(s, "GET", target)
	if resp.StatusCode != 200 {
		t.Fatalf("GET %s: %d", target, resp.StatusCode)
	}
	return bodyOf(t, resp)
}

const terms = "https://x.example/terms"

// saved saves a page and waits until its capture can be seen everywhere.
func saved(t *testing.T, s *Server, address string) Capture {
	t.Helper()
	m := save(s, address)
	id, ok := m["job_id"].(string)
	if !ok {
		t.Fatalf("submit = %v", m)
	}
	time.Sleep(2 * time.Minute)
	for _, c := range s.Captures() {
		if c.JobID == id {
			return c
		}
	}
	return Capture{}
}

// raw is where a capture is replayed as it was stored.
func raw(ts, address string) string { return "/web/" + ts + "id_/" + address }

// words is a page of a given text.
func words(text string) string {
	return "<html><body><h1>Terms</h1><p>" + text + "</p><p>End.</p></body></html>"
}

// history adds n captures of terms, one a day from 2020 on, with bodies that
// change every few captures, distinct in sum.
func history(s *Server, n, distinct int) {
	day := time.Date(2020, 1, 1, 12, 0, 0, 0, time.UTC)
	for i := range n {
		s.AddCapture(Capture{URL: terms, Timestamp: stamp(day.AddDate(0, 0, i)),
			Body: []byte(words(fmt.Sprintf("version %d", i*distinct/n)))})
	}
}
