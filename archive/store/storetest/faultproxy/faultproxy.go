// Package faultproxy stands between a client and an HTTP server in tests and
// makes chosen requests fail in chosen ways: statuses that were never or
// falsely meant, connections cut before or after the server did the work,
// answers cut in the middle, silence.
//
//	p := faultproxy.Start(t, server.Endpoint)
//	p.Set(faultproxy.Fault{Method: "PUT", Kind: faultproxy.CutAfter})
//	... use p.URL() instead of server.Endpoint
package faultproxy

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// Kind is a way to fail.
type Kind int

const (
	// Answer answers with Fault.Status; the server never sees the request.
	Answer Kind = iota
	// AnswerAfter lets the server do the work, then answers with Fault.Status.
	AnswerAfter
	// CutBefore closes the connection; the server never sees the request.
	CutBefore
	// CutAfter lets the server do the work, then closes the connection
	// without a byte of the answer.
	CutAfter
	// CutBody sends the head and the first half of the answer's body, then
	// closes the connection.
	CutBody
	// Stall never answers; the server never sees the request.
	Stall
	// StallAfter lets the server do the work, then never answers.
	StallAfter
	// StallBody sends the head and the first half of the answer's body, then
	// nothing more.
	StallBody
)

// Fault says which requests fail and how.
type Fault struct {
	Method string // "" for any
	Path   string // what the path must contain, "" for any
	Kind   Kind
	Status int         // for Answer and AnswerAfter
	Code   string      // S3 error code in the answer's XML body, "" for no body
	Header http.Header // more fields of the answer
	Skip   int         // matching requests to let pass first
	Times  int         // matching requests that fail; 0 for 1, negative for all
}

// Proxy is a running proxy.
type Proxy struct {
	server  *httptest.Server
	forward *httputil.ReverseProxy
	closed  chan struct{} // closed at the end of the test: stalled requests give up

	mu     sync.Mutex
	faults []Fault        // guarded by mu; counters run down in place
	counts map[string]int // requests per method; guarded by mu
}

// Start runs a proxy before the server at target ("http://host:port") until
// the test ends. The Host field reaches the server as the client sent it, so
// that signatures over it hold.
func Start(t testing.TB, target string) *Proxy {
	t.Helper()
	u, err := url.Parse(target)
	if err != nil {
		t.Fatalf("fault proxy: %v", err)
	}
	p := &Proxy{closed: make(chan struct{}), counts: make(map[string]int)}
	p.forward = &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(u)
			r.Out.Host = r.In.Host
		},
		// A server that is gone is an answer of its own: the connection ends.
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
	}
	p.server = httptest.NewServer(p)
	t.Cleanup(func() {
		close(p.closed)
		p.server.CloseClientConnections()
		p.server.Close()
	})
	return p
}

// URL returns the address of the proxy, "http://127.0.0.1:port".
func (p *Proxy) URL() string { return p.server.URL }

// Set replaces all faults; without arguments every request passes.
func (p *Proxy) Set(faults ...Fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults = append([]Fault(nil), faults...)
	for i := range p.faults {
		if p.faults[i].Times == 0 {
			p.faults[i].Times = 1
		}
	}
}

// Requests returns how many requests with the method came so far, failed ones
// included.
func (p *Proxy) Requests(method string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.counts[method]
}

// ServeHTTP passes a request on or makes it fail.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f, ok := p.take(r)
	if !ok {
		p.forward.ServeHTTP(w, r)
		return
	}
	switch f.Kind {
	case AnswerAfter, CutAfter, StallAfter:
		p.forward.ServeHTTP(httptest.NewRecorder(), r)
	case CutBody, StallBody:
		p.half(w, r)
	case Answer:
		io.Copy(io.Discard, r.Body) // so that the client gets to read the answer
	}
	switch f.Kind {
	case Answer, AnswerAfter:
		answer(w, f)
	case Stall, StallAfter, StallBody:
		select {
		case <-p.closed:
		case <-r.Context().Done():
		}
		panic(http.ErrAbortHandler)
	default:
		panic(http.ErrAbortHandler) // closes the connection
	}
}

// take returns the fault that a request meets.
func (p *Proxy) take(r *http.Request) (Fault, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.counts[r.Method]++
	for i := range p.faults {
		f := &p.faults[i]
		if f.Times == 0 || f.Method != "" && f.Method != r.Method || !strings.Contains(r.URL.Path, f.Path) {
			continue
		}
		if f.Skip > 0 {
			f.Skip--
			continue
		}
		if f.Times > 0 {
			f.Times--
		}
		return *f, true
	}
	return Fault{}, false
}

// half sends the head of the server's answer and half of its body.
func (p *Proxy) half(w http.ResponseWriter, r *http.Request) {
	rec := httptest.NewRecorder()
	p.forward.ServeHTTP(rec, r)
	for name, values := range rec.Header() {
		w.Header()[name] = values
	}
	body := rec.Body.Bytes()
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(rec.Code)
	w.Write(body[:len(body)/2])
	http.NewResponseController(w).Flush()
}

// answer sends an error as an S3 server would.
func answer(w http.ResponseWriter, f Fault) {
	for name, values := range f.Header {
		w.Header()[name] = values
	}
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(f.Status)
	if f.Code != "" {
		io.WriteString(w, "<?xml version=\"1.0\"?><Error><Code>"+f.Code+"</Code><Message>made by the fault proxy</Message></Error>")
	}
}
