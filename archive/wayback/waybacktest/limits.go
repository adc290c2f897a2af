package waybacktest

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Limits are the limits that may move while the service runs.
type Limits struct {
	PerMinute       int // submits in any 60 s
	Slots           int // jobs at the same time
	PerDay          int // captures of the account in a day
	PerURLDay       int // captures of one address in a day
	StatusLimit     int // requests in any 60 s that are no submit, index or replay
	IndexPerMinute  int // index requests in any 60 s
	ReplayPerMinute int // replays and TimeGate requests in any 60 s
	ParallelReplays int // replays at the same time
	DailyStatus     int // only reported, as daily_status_limit
}

// defaults are the limits of the service's document of 2026-07-22, and those
// that its staff asked a reader of its index to keep.
func defaults() Limits {
	return Limits{PerMinute: 7, Slots: 3, PerDay: 30000, PerURLDay: 5, StatusLimit: 60,
		IndexPerMinute: 30, ReplayPerMinute: 600, ParallelReplays: 4, DailyStatus: 70000}
}

// with returns l with the limits of m that are not 0; below 0 means none at all.
func (l Limits) with(m Limits) Limits {
	set := func(to *int, n int) {
		if n != 0 {
			*to = max(n, 0)
		}
	}
	set(&l.PerMinute, m.PerMinute)
	set(&l.Slots, m.Slots)
	set(&l.PerDay, m.PerDay)
	set(&l.PerURLDay, m.PerURLDay)
	set(&l.StatusLimit, m.StatusLimit)
	set(&l.IndexPerMinute, m.IndexPerMinute)
	set(&l.ReplayPerMinute, m.ReplayPerMinute)
	set(&l.ParallelReplays, m.ParallelReplays)
	set(&l.DailyStatus, m.DailyStatus)
	return l
}

// SetLimits moves limits from now on. A limit of 0 stays as it is; one below 0
// allows nothing. The slots and the daily numbers show in /save/status/user.
func (s *Server) SetLimits(l Limits) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.limits = s.limits.with(l)
}

// Limits returns the limits in force.
func (s *Server) Limits() Limits {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.limits
}

// Breaches returns how often each limit or rule was broken. It is empty for a
// client without fault. The keys:
//
//	submits-per-minute, status-per-minute, index-per-minute, replay-per-minute
//	slots, per-day, per-url-day, parallel-replays
//	keys               a submit or status without the account's keys
//	keys-to-reads      the keys were sent where none are needed
//	user-agent         none, or that of a library
//	parameter          a parameter of a submit that the document warns of
//	redirect-followed  a redirect of the read side was followed
//	all-per-minute     so many requests that connections are refused
//	retry-after        asked again before the time that a Retry-After told
//	polling            a job's status was asked for more than 20 times after
//	                   its window had ended
//	refused            a dialer tried again and again while connections were
//	                   refused: more than three times, or later than a minute
//	                   after the first; see [Server.Refusing]
func (s *Server) Breaches() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.breaches)
}

// rateOf names the rate that counts an operation.
func rateOf(op string) string {
	switch op {
	case opSubmit:
		return "submits-per-minute"
	case opIndex:
		return "index-per-minute"
	case opReplay, opTimeGate:
		return "replay-per-minute"
	}
	return "status-per-minute"
}

// checkRate counts a request and tells whether its rate is exceeded. s.mu is held.
func (s *Server) checkRate(op string) bool {
	name := rateOf(op)
	limit := map[string]int{"submits-per-minute": s.limits.PerMinute, "index-per-minute": s.limits.IndexPerMinute,
		"replay-per-minute": s.limits.ReplayPerMinute, "status-per-minute": s.limits.StatusLimit}[name]
	if s.rate(name) <= limit {
		return false
	}
	s.breaches[name]++
	return true
}

// rate counts a request and returns how many of its kind came in the last
// minute. s.mu is held.
func (s *Server) rate(kind string) int {
	now := time.Now()
	since := now.Add(-s.scaled(time.Minute))
	times := append(s.recent[kind], now)
	i := slices.IndexFunc(times, func(t time.Time) bool { return t.After(since) })
	s.recent[kind] = times[i:]
	return len(times) - i
}

// checkRules counts what a request breaks besides its rate. s.mu is held.
func (s *Server) checkRules(r *http.Request, c *call) {
	if needsKeys(c.op) && !c.authorized {
		s.breaches["keys"]++
	}
	if !needsKeys(c.op) && c.op != opSystem && r.Header.Get("Authorization") != "" {
		s.breaches["keys-to-reads"]++
	}
	if agent := r.UserAgent(); agent == "" || strings.HasPrefix(agent, "Go-http-client") {
		s.breaches["user-agent"]++
	}
	if c.op == opSubmit {
		s.checkParameters(r.PostForm)
	}
	if h, now := s.retryAt[c.op], time.Now(); now.After(h.from) && now.Before(h.until) {
		s.breaches["retry-after"]++
	}
	s.checkRedirect(r)
}

// checkRedirect counts a redirect that was followed: a library says where it
// comes from, or asks at once, on the same connection. s.mu is held.
func (s *Server) checkRedirect(r *http.Request) {
	to := r.URL.RequestURI()
	last, ok := s.redirects[to]
	if !ok {
		return
	}
	delete(s.redirects, to)
	soon := time.Since(last.at) <= s.scaled(followedWithin) && last.remote == r.RemoteAddr
	if r.Referer() != "" || soon {
		s.breaches["redirect-followed"]++
	}
}

// followedWithin is shorter than the pause of a paced client.
const followedWithin = 250 * time.Millisecond

// redirect is a redirect that was answered.
type redirect struct {
	remote string
	at     time.Time
}

// maxRedirectsKept bounds the redirects that are remembered.
const maxRedirectsKept = 1000

// held is the time in which a Retry-After lets nothing come. It begins a little
// later than the answer, since other requests may be on their way.
type held struct{ from, until time.Time }

// heldGrace is that little; it is never scaled to less than a hundredth.
const heldGrace = 5 * time.Second

// enter takes a place among the replays at the same time; leave gives it back.
// over tells that there were too many. s.mu is held.
func (s *Server) enter(op string) (over bool) {
	if op != opReplay {
		return false
	}
	s.replaying++
	if s.replaying <= s.limits.ParallelReplays {
		return false
	}
	s.breaches["parallel-replays"]++
	return true
}

func (s *Server) leave(op string) {
	if op != opReplay {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.replaying--
}

// day numbers the days: those of UTC with TimeScale 1.
func (s *Server) day() int64 { return time.Now().UnixNano() / int64(s.scaled(24*time.Hour)) }

// today returns how many jobs the day has, all and of one address. s.mu is held.
func (s *Server) today(address string) (all, ofURL int) {
	if day := s.day(); day != s.countedDay {
		s.countedDay, s.dayTotal, s.dayOf = day, 0, make(map[string]int)
	}
	return s.dayTotal, s.dayOf[address]
}
