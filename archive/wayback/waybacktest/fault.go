package waybacktest

import (
	"slices"
	"strings"
	"time"
)

// Kind is a way to go wrong.
type Kind string

// The kinds. "Before" means that the request has no effect, "after" that it has.
const (
	// TooMany answers 429, before; with Retry-After if Fault.RetryAfter is set.
	TooMany Kind = "too-many"
	// HTTPStatus answers Fault.Status with a page of HTML, before.
	HTTPStatus Kind = "http-status"
	// StatusAfter is HTTPStatus after: an error for a job that exists.
	StatusAfter Kind = "status-after"
	// HTML answers 200 with a page of HTML ("Temporarily Offline"), before.
	HTML Kind = "html"
	// Body answers 200 with Fault.Body, before.
	Body Kind = "body"
	// Reset cuts the connection before.
	Reset Kind = "reset"
	// Lost cuts the connection after: the job exists, its id is lost.
	Lost Kind = "lost"
	// Truncated cuts the answer in its middle, after.
	Truncated Kind = "truncated"
	// Slow answers after Fault.Delay.
	Slow Kind = "slow"
	// Forgotten answers questions about jobs with "pending", for ever with
	// Times < 0. On a submit it makes the new job one that never ends.
	Forgotten Kind = "forgotten"
	// Delayed makes the new job start after Fault.Delay, and says so; on a submit.
	Delayed Kind = "delayed"
	// JobError makes the new job end with Fault.Code; on a submit.
	JobError Kind = "job-error"
	// JobErrorCaptured is JobError for a job that captured the page all the same.
	JobErrorCaptured Kind = "job-error-captured"
	// PartialSuccess makes the new job's original_url lose its host; on a submit.
	PartialSuccess Kind = "partial-success"
)

// Fault is something to go wrong.
type Fault struct {
	Kind Kind
	// On is the request it concerns: "submit", "status", "user", or "" for all.
	On string
	// URL limits it to submits of an address; empty for all.
	URL string
	// Times is how often; 0 means once, below 0 for ever.
	Times int

	RetryAfter time.Duration // TooMany and HTTPStatus, whole seconds
	Status     int           // HTTPStatus, StatusAfter; 0 means 520
	Code       string        // JobError: status_ext, with its prefix "error:"
	Message    string        // JobError: the message
	Body       string        // Body
	Delay      time.Duration // Slow, Delayed
}

// Inject adds a fault. Faults are tried in the order in which they were added;
// a request meets at most one.
func (s *Server) Inject(f Fault) {
	if f.Times == 0 {
		f.Times = 1
	}
	if f.Status == 0 {
		f.Status = 520
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, &f)
}

// Heal removes all faults that wait. Jobs that were spoilt stay so.
func (s *Server) Heal() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = nil
}

// fault takes the next fault for a request; the zero Fault if there is none.
// s.mu is held.
func (s *Server) fault(op, address string) Fault {
	for i, f := range s.faults {
		if (f.On != "" && f.On != op) || (f.URL != "" && f.URL != address) {
			continue
		}
		taken := *f
		if f.Times > 0 {
			f.Times--
		}
		if f.Times == 0 {
			s.faults = slices.Delete(s.faults, i, i+1)
		}
		return taken
	}
	return Fault{}
}

// spoil applies the faults that concern a new job.
func (f Fault) spoil(j *job) {
	switch f.Kind {
	case Forgotten:
		j.forgotten = true
	case JobError, JobErrorCaptured:
		j.failed, j.code, j.message = true, f.Code, f.Message
		j.captured = f.Kind == JobErrorCaptured
	case PartialSuccess:
		j.partial = true
	}
}

// path returns what follows the host of an address.
func path(address string) string {
	_, rest, _ := strings.Cut(address, "://")
	if i := strings.IndexByte(rest, '/'); i >= 0 {
		return rest[i:]
	}
	return "/"
}
