package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// testWeb is a small web of several hosts on loopback, each with a few legal
// pages. What a page says depends on the round: some change at every round, some
// at every second, some never.
type testWeb struct {
	hosts []string // http://127.0.0.x:port

	mu     sync.Mutex
	round  int
	served map[string]map[string]bool // by address: SHA-256 of the bodies that were served
	first  map[string]time.Time       // by host: its first request since mark
	half   int                        // responses until one is cut in half; 0 for none
	cut    func()                     // called when half of that response is out
}

func startWeb(t *testing.T, hosts int) *testWeb {
	t.Helper()
	w := &testWeb{round: 1, served: map[string]map[string]bool{}, first: map[string]time.Time{}}
	for i := range hosts {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.%d:0", i+1))
		must(t, err)
		s := httptest.NewUnstartedServer(nil)
		must(t, s.Listener.Close())
		s.Listener = l
		host := "http://" + l.Addr().String()
		s.Config.Handler = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { w.serve(host, rw, r) })
		s.Start()
		t.Cleanup(s.Close)
		w.hosts = append(w.hosts, host)
	}
	return w
}

// declarations declares the pages of all hosts, one service per host.
func (w *testWeb) declarations() string {
	var b strings.Builder
	for i, host := range w.hosts {
		fmt.Fprintf(&b, `---
name: Service %[1]d
terms:
  Terms of Service:
    - {url: %[2]s/terms, lang: en}
    - {url: %[2]s/zh/terms, lang: zh-CN}
  Privacy Policy:
    - {url: %[2]s/privacy, lang: en}
  Community Guidelines:
    - {url: %[2]s/moved, lang: en}
  Copyright Claims Policy:
    - {url: %[2]s/gone, lang: en}
`, i+1, host)
	}
	return b.String()
}

// next begins the next round: pages change.
func (w *testWeb) next() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.round++
}

// mark forgets which hosts were asked.
func (w *testWeb) mark() {
	w.mu.Lock()
	defer w.mu.Unlock()
	clear(w.first)
}

// asked returns when each host was first asked since mark.
func (w *testWeb) asked() map[string]time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	m := map[string]time.Time{}
	for host, at := range w.first {
		m[host] = at
	}
	return m
}

// cutHalf calls f while the count-th response from now is half sent, and then
// cuts it. A count of 0 stops that.
func (w *testWeb) cutHalf(count int, f func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.half, w.cut = count, f
}

// servedBody tells whether the address ever answered with a body of this
// SHA-256.
func (w *testWeb) servedBody(address, sum string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.served[address][sum]
}

func (w *testWeb) serve(host string, rw http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	if _, ok := w.first[host]; !ok {
		w.first[host] = time.Now()
	}
	round := w.round
	w.mu.Unlock()
	header := rw.Header()
	header.Set("Content-Type", "text/html; charset=utf-8")
	status, body := http.StatusOK, ""
	switch r.URL.Path {
	case "/terms": // other bytes at every round
		body = legalPage(host, "Terms of Service", round, 16)
	case "/zh/terms": // at every second
		body = legalPage(host, "服务条款", round/2, 24)
	case "/privacy": // never; answers 304
		header.Set("ETag", `"v1"`)
		if r.Header.Get("If-None-Match") == `"v1"` {
			rw.WriteHeader(http.StatusNotModified)
			return
		}
		body = legalPage(host, "Privacy Policy", 0, 60)
	case "/moved":
		header.Set("Location", "/guidelines")
		status, body = http.StatusFound, "moved\n"
	case "/guidelines":
		body = legalPage(host, "Guidelines", round/3, 12)
	case "/style.css":
		header.Set("Content-Type", "text/css")
		body = fmt.Sprintf("/* %d */ body { font: 16px serif }\n", round/2)
	default: // /gone, /robots.txt
		status, body = http.StatusNotFound, "there is no such page\n"
	}
	header.Set("Content-Length", fmt.Sprint(len(body)))
	w.send(rw, host+r.URL.Path, status, body)
}

func (w *testWeb) send(rw http.ResponseWriter, address string, status int, body string) {
	sum := sha256.Sum256([]byte(body))
	w.mu.Lock()
	if w.served[address] == nil {
		w.served[address] = map[string]bool{}
	}
	w.served[address][hex.EncodeToString(sum[:])] = true
	var cut func()
	if w.half > 0 {
		if w.half--; w.half == 0 {
			cut = w.cut
		}
	}
	w.mu.Unlock()
	rw.WriteHeader(status)
	if cut == nil {
		fmt.Fprint(rw, body)
		return
	}
	fmt.Fprint(rw, body[:len(body)/2])
	rw.(http.Flusher).Flush()
	cut()
	panic(http.ErrAbortHandler)
}

// legalPage is a page with a stylesheet and some paragraphs, of which every
// eighth says something else in each version.
func legalPage(host, title string, version, paragraphs int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "<!doctype html><html><head><title>%s</title><link rel=stylesheet href=/style.css></head><body><main><h1>%[1]s</h1>\n", title)
	fmt.Fprintf(&b, "<p>Version %d of what %s asks you to agree to.</p>\n", version, host)
	for i := range paragraphs {
		edition := 0
		if i%8 == version%8 {
			edition = version
		}
		fmt.Fprintf(&b, "<p>%d.%d The service may change clause %x; 条款 %d applies from then on.</p>\n", edition, i, (edition*7919+i*104729)%65536, i)
	}
	b.WriteString("</main></body></html>\n")
	return b.String()
}
