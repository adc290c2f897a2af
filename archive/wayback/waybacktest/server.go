package waybacktest

import (
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"
)

// Config configures a Server. The zero value is a service that takes any keys
// and has the limits of the service's document of 2026-07-22. A limit of 0 is
// the default; [Server.SetLimits] moves them later.
type Config struct {
	// Access and Secret are the only keys accepted, if set.
	Access, Secret string
	// BaseURL is how the service names itself in Location and Link; if empty, as
	// the request's Host does.
	BaseURL string

	PerMinute       int // submits in any 60 s; default 7
	Slots           int // default 3
	PerDay          int // captures of the account; default 30000
	PerURLDay       int // captures of one address; default 5
	StatusLimit     int // other requests in any 60 s; default 60
	IndexPerMinute  int // index requests in any 60 s; default 30
	ReplayPerMinute int // replays in any 60 s; default 600
	ParallelReplays int // default 4
	// RefuseAfter is how many requests in any 60 s make the service refuse
	// connections for RefuseFor (default 5 minutes); 0 means never.
	RefuseAfter int
	RefuseFor   time.Duration

	PendingFor time.Duration // from submit to the end of a job; default 20 s
	Window     time.Duration // how long an address is answered with the same job; default 1 h
	// IndexLag and ReplayLag are the times from the end of a job to when its
	// capture is in the index, and to when it can be replayed; default 1 minute
	// and 30 s, below 0 none.
	IndexLag, ReplayLag time.Duration
	// IndexCap is the most rows of one index answer; default 150000.
	IndexCap int
	// GzipReplay compresses replays of pages that came without content coding, if
	// the client takes gzip.
	GzipReplay bool
	// Enforce answers a breach as the service does instead of only counting it.
	Enforce bool
	// Clock is how far the service's clock is off, in Date and timestamps.
	Clock time.Duration
	// TimeScale divides all durations, Clock excepted; 0 means 1. Days are divided,
	// too. See wayback.Limits.TimeScale.
	TimeScale float64
	// Fetch returns the page that a capture holds, FetchPage the same with its
	// headers (it is used if both are set), see [FetchFrom]; an empty page with status 200 if both
	// are nil. A status of 400 or more ends the job in an error, a redirect is
	// followed three times. It is called once for a capture, without locks held,
	// when the first request after the job's end comes.
	Fetch     func(address string) (status int, body []byte)
	FetchPage func(address string) Page
}

// Request is a request as it came, without its keys.
type Request struct {
	Time time.Time
	// Op is submit, status, user, system, index, replay, timemap, timegate,
	// availability or other.
	Op         string
	Method     string
	Path       string
	URL        string      // the address that it is about: of a submit, a query or a replay
	Timestamp  string      // of a replay: its digits
	Query      url.Values  // of an index, availability or user request
	Form       url.Values  // of a POST
	Header     http.Header // Authorization is reduced to its scheme
	Authorized bool
	Fault      Kind // met, empty if none
}

// maxRequests bounds the requests that are remembered.
const maxRequests = 100_000

// Server is the stand-in. It is an http.Handler, safe for concurrent use.
type Server struct {
	cfg Config

	mu       sync.Mutex
	limits   Limits
	clock    time.Duration
	faults   []*Fault
	mix      mix
	met      map[Kind]int
	requests []Request
	submits  map[string]int // by address
	breaches map[string]int
	serial   int

	jobs       map[string]*job // by id
	last       map[string]*job // by address: the newest
	open       []*job          // that run, or have ended and are not settled
	made       []*capture      // by jobs, in order of their ends
	countedDay int64
	dayTotal   int            // jobs of the day
	dayOf      map[string]int // by address

	captures map[string][]*capture // by key, in order of time
	bodies   map[string][]byte     // by digest

	recent       map[string][]time.Time // times of the last minute, by rate
	retryAt      map[string]held        // by operation: what Retry-After told
	replaying    int
	redirects    map[string]redirect // by path and query of Location
	doors        []*door
	refuseUntil  time.Time
	firstRefused time.Time
	refusals     int
}

// New returns a stand-in that has seen nothing.
func New(cfg Config) *Server {
	set := func(d *time.Duration, def time.Duration) {
		if *d == 0 {
			*d = def
		}
		*d = max(*d, 0)
	}
	set(&cfg.IndexLag, time.Minute)
	set(&cfg.ReplayLag, 30*time.Second)
	if cfg.PendingFor <= 0 {
		cfg.PendingFor = 20 * time.Second
	}
	if cfg.Window <= 0 {
		cfg.Window = time.Hour
	}
	if cfg.IndexCap <= 0 {
		cfg.IndexCap = 150_000
	}
	if !(cfg.TimeScale > 0) {
		cfg.TimeScale = 1
	}
	limits := defaults().with(Limits{PerMinute: cfg.PerMinute, Slots: cfg.Slots, PerDay: cfg.PerDay,
		PerURLDay: cfg.PerURLDay, StatusLimit: cfg.StatusLimit, IndexPerMinute: cfg.IndexPerMinute,
		ReplayPerMinute: cfg.ReplayPerMinute, ParallelReplays: cfg.ParallelReplays})
	return &Server{cfg: cfg, limits: limits, clock: cfg.Clock,
		met: make(map[Kind]int), submits: make(map[string]int), breaches: make(map[string]int),
		jobs: make(map[string]*job), last: make(map[string]*job), dayOf: make(map[string]int),
		captures: make(map[string][]*capture), bodies: make(map[string][]byte),
		recent: make(map[string][]time.Time), retryAt: make(map[string]held), redirects: make(map[string]redirect)}
}

// SetClock sets how far the service's clock is off from now on.
func (s *Server) SetClock(off time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clock = off
}

// Requests returns the requests so far, in order; the first 100,000.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

// Submits returns how many submits of an address came; of all if it is empty.
func (s *Server) Submits(address string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if address != "" {
		return s.submits[address]
	}
	n := 0
	for _, of := range s.submits {
		n += of
	}
	return n
}

// Captures returns the captures that submits have made by now, one for each job,
// in order of the jobs' ends: also those that are not visible yet, not any more,
// or never were.
func (s *Server) Captures() []Capture {
	s.settle()
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]Capture, 0, len(s.made))
	for _, c := range s.made {
		list = append(list, c.Capture)
	}
	return list
}

// scaled turns an interval of the service into one of the clock.
func (s *Server) scaled(d time.Duration) time.Duration {
	return time.Duration(float64(d) / s.cfg.TimeScale)
}
