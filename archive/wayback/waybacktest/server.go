package waybacktest

import (
	"context"
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Config configures a Server. The zero value is a service that takes any keys
// and has the limits of the service's document of 2026-07-22.
type Config struct {
	// Access and Secret are the only keys accepted, if set.
	Access, Secret string

	PerMinute   int           // submits in any 60 s; default 7
	Slots       int           // default 3
	PerDay      int           // captures of the account; default 30000
	PerURLDay   int           // captures of one address; default 5
	StatusLimit int           // other requests in any 60 s; default 60
	PendingFor  time.Duration // from submit to the end of a job; default 20 s
	Window      time.Duration // how long an address is answered with the same job; default 1 h
	// Enforce answers a breach as the service does instead of only counting it.
	Enforce bool
	// TimeScale divides all durations; 0 means 1. See wayback.Limits.TimeScale.
	TimeScale float64
	// Fetch returns the page that a capture holds; nil captures an empty page with
	// status 200. A status of 400 or more ends the job in an error. It is called
	// once for a capture, without locks held.
	Fetch func(address string) (status int, body []byte)
}

// Request is a request as it came, without its keys.
type Request struct {
	Time       time.Time
	Op         string // "submit", "status", "user", "system", "other"
	Method     string
	Path       string
	Form       url.Values
	Header     http.Header // Authorization is reduced to its scheme
	Authorized bool
	Fault      Kind // met, empty if none
}

// Capture is what a job has captured.
type Capture struct {
	JobID     string
	URL       string
	Timestamp string // 14 digits
	Status    int
	Body      []byte
}

// maxRequests bounds the requests that are remembered.
const maxRequests = 100_000

// Server is the stand-in. It is an http.Handler, safe for concurrent use.
type Server struct {
	cfg Config

	mu       sync.Mutex
	faults   []*Fault
	jobs     map[string]*job // by id
	last     map[string]*job // by address: the newest
	order    []*job
	recent   map[string][]time.Time // times of the last minute, "submit" and "status"
	requests []Request
	breaches map[string]int
	serial   int
}

// job is one submit that was taken.
type job struct {
	id, url   string
	began     time.Time
	ends      time.Time
	forgotten bool
	partial   bool
	failed    bool
	code      string // status_ext of a job that failed; may be empty
	message   string
	captured  bool // although it failed
	fetched   bool
	status    int
	body      []byte
}

// New returns a stand-in that has seen nothing.
func New(cfg Config) *Server {
	set := func(n *int, def int) {
		if *n <= 0 {
			*n = def
		}
	}
	set(&cfg.PerMinute, 7)
	set(&cfg.Slots, 3)
	set(&cfg.PerDay, 30000)
	set(&cfg.PerURLDay, 5)
	set(&cfg.StatusLimit, 60)
	if cfg.PendingFor <= 0 {
		cfg.PendingFor = 20 * time.Second
	}
	if cfg.Window <= 0 {
		cfg.Window = time.Hour
	}
	if !(cfg.TimeScale > 0) {
		cfg.TimeScale = 1
	}
	return &Server{cfg: cfg, jobs: make(map[string]*job), last: make(map[string]*job),
		recent: make(map[string][]time.Time), breaches: make(map[string]int)}
}

// Start serves s on a loopback port until ctx ends and returns its address,
// for wayback.Config.BaseURL. stop ends it earlier and waits.
func (s *Server) Start(ctx context.Context) (address string, stop func(), err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, fmt.Errorf("start Save Page Now stand-in: %w", err)
	}
	srv := &http.Server{Handler: s, ReadHeaderTimeout: 10 * time.Second}
	var wg sync.WaitGroup
	wg.Go(func() { srv.Serve(l) }) // ends with ErrServerClosed
	shut := sync.OnceFunc(func() {
		srv.Close() // the connections' errors concern their clients
		wg.Wait()
	})
	unhook := context.AfterFunc(ctx, shut)
	return "http://" + l.Addr().String(), func() { unhook(); shut() }, nil
}

// TB is the part of testing.TB that Start needs.
type TB interface {
	Helper()
	Fatal(args ...any)
	Cleanup(func())
}

// Start serves a new stand-in for the time of a test.
func Start(t TB, cfg Config) (s *Server, address string) {
	t.Helper()
	s = New(cfg)
	address, stop, err := s.Start(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	return s, address
}

// Requests returns the requests so far, in order.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

// Submits returns how many submits of an address came; of all if it is empty.
func (s *Server) Submits(address string) int {
	n := 0
	for _, r := range s.Requests() {
		if r.Op == "submit" && (address == "" || r.Form.Get("url") == address) {
			n++
		}
	}
	return n
}

// Captures returns the captures that exist by now, in order of their submits.
func (s *Server) Captures() []Capture {
	s.mu.Lock()
	jobs := slices.Clone(s.order)
	s.mu.Unlock()
	var out []Capture
	for _, j := range jobs {
		if !s.over(j) {
			continue
		}
		s.fetch(j)
		s.mu.Lock()
		if !j.failed || j.captured {
			out = append(out, Capture{JobID: j.id, URL: j.url, Timestamp: stamp(j.ends), Status: j.status, Body: j.body})
		}
		s.mu.Unlock()
	}
	return out
}

// Breaches returns how often each limit or rule was broken: submits-per-minute,
// status-per-minute, slots, per-day, per-url-day, keys, user-agent, parameter.
// It is empty for a client without fault.
func (s *Server) Breaches() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.breaches)
}

// over tells whether a job has ended; a forgotten one gives its slot back too,
// but is never reported.
func (s *Server) over(j *job) bool { return !j.ends.After(time.Now()) }

// scaled turns an interval of the service into one of the clock.
func (s *Server) scaled(d time.Duration) time.Duration {
	return time.Duration(float64(d) / s.cfg.TimeScale)
}

// fetch asks Fetch once for the page of a job that has ended.
func (s *Server) fetch(j *job) {
	s.mu.Lock()
	need := !j.fetched
	j.fetched = true
	s.mu.Unlock()
	if !need {
		return
	}
	status, body := 200, []byte(nil)
	if s.cfg.Fetch != nil {
		status, body = s.cfg.Fetch(j.url)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	j.status, j.body = status, body
	if status < 400 || j.failed {
		return
	}
	j.failed, j.code, j.message = true, "error:job-failed", "Job failed"
	if code, ok := pageErrors[status]; ok {
		j.code, j.message = code, "The target answered HTTP "+strconv.Itoa(status)
	}
}

// pageErrors are the status_ext of pages that answer with an error.
var pageErrors = map[int]string{
	400: "error:bad-request", 401: "error:unauthorized", 403: "error:no-access", 404: "error:not-found",
	405: "error:method-not-allowed", 429: "error:too-many-requests", 500: "error:internal-server-error",
	502: "error:bad-gateway", 503: "error:service-unavailable", 504: "error:gateway-timeout",
}

// jobID makes an id of the service's form. s.mu is held.
func (s *Server) jobID(address string) string {
	s.serial++
	sum := sha1.Sum([]byte(strconv.Itoa(s.serial) + " " + address))
	return "spn2-" + hex.EncodeToString(sum[:])
}

// stamp writes a time with 14 digits.
func stamp(t time.Time) string { return t.UTC().Format("20060102150405") }

// authorized tells whether a request has keys, and the right ones.
func (s *Server) authorized(r *http.Request) bool {
	access, secret, ok := strings.Cut(strings.TrimPrefix(r.Header.Get("Authorization"), "LOW "), ":")
	if !ok || !strings.HasPrefix(r.Header.Get("Authorization"), "LOW ") || access == "" || secret == "" {
		return false
	}
	return (s.cfg.Access == "" || access == s.cfg.Access) && (s.cfg.Secret == "" || secret == s.cfg.Secret)
}
