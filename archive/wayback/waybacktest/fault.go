package waybacktest

import (
	"maps"
	"slices"
	"time"
)

// Kind is a way to go wrong.
type Kind string

// The kinds that any request can meet. "Before" means that the request has no
// effect, "after" that it has.
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
	// Dripping sends half of the answer, and the rest after Fault.Delay.
	Dripping Kind = "dripping"
	// Refused refuses all connections for Fault.Delay; 0 means 5 minutes.
	Refused Kind = "refused"
	// UnknownFields adds fields that no document names; where JSON objects are answered.
	UnknownFields Kind = "unknown-fields"
	// WrongClock answers with a Date that is off by Fault.Delay.
	WrongClock Kind = "wrong-clock"
)

// The kinds of jobs. All but Forgotten concern submits only.
const (
	// Forgotten answers questions about jobs with "pending", for ever with
	// Times < 0. On a submit it makes the new job one that is pending for ever,
	// although it captures the page.
	Forgotten Kind = "forgotten"
	// Stuck makes the new job one that never ends and captures nothing.
	Stuck Kind = "stuck"
	// Delayed makes the new job start after Fault.Delay, and says so.
	Delayed Kind = "delayed"
	// JobError makes the new job end with Fault.Code.
	JobError Kind = "job-error"
	// JobErrorCaptured is JobError for a job that captured the page all the same.
	JobErrorCaptured Kind = "job-error-captured"
	// PartialSuccess makes the new job's original_url lose its host.
	PartialSuccess Kind = "partial-success"
	// OtherURL captures the page Fault.Location, to which the page redirects.
	OtherURL Kind = "other-url"
	// WrongTime makes the capture's timestamp off by Fault.Delay.
	WrongTime Kind = "wrong-time"
)

// The kinds of captures. On a submit they concern its capture, for ever.
const (
	// NotIndexed keeps the capture out of the index for Fault.Delay more; for ever
	// if that is 0. It can be replayed.
	NotIndexed Kind = "not-indexed"
	// NotKept reports success for a capture that is nowhere.
	NotKept Kind = "not-kept"
	// Vanished lets the capture vanish from index and replay after Fault.Delay; 0
	// means 12 hours for a submit, and at once for [Server.Spoil].
	Vanished Kind = "vanished"
	// AlteredBytes replays other bytes than those of the index' digest; also on a
	// replay, once.
	AlteredBytes Kind = "altered-bytes"
	// AlteredWords captures other words: Fault.Body, or the page with a paragraph more.
	AlteredWords Kind = "altered-words"
	// AlteredNonce captures the same words with other bytes around them.
	AlteredNonce Kind = "altered-nonce"
	// BlockPage captures Fault.Body, or a page that asks for a proof of being human.
	BlockPage Kind = "block-page"
	// OddDigest shows Fault.Body, or "error", as the digest of the capture.
	OddDigest Kind = "odd-digest"
)

// The kinds of the read side.
const (
	// Missing answers as if there were no capture: an index without rows, a replay
	// with 404.
	Missing Kind = "missing"
	// Redirected answers a replay with a redirect to another capture, or to
	// Fault.Location.
	Redirected Kind = "redirected"
	// WrongMemento answers a replay with the Memento-Datetime of another moment.
	WrongMemento Kind = "wrong-memento"
	// AccessControl answers that the site is blocked.
	AccessControl Kind = "access-control"
)

// Fault is something to go wrong.
type Fault struct {
	Kind Kind
	// On is the request it concerns, one of Request.Op; "read" for all of the read
	// side; "" for all. A fault waits for a request that its Kind can concern.
	On string
	// URL limits it to submits of an address, and to questions about it; empty for all.
	URL string
	// Times is how often; 0 means once, below 0 for ever.
	Times int

	RetryAfter time.Duration // TooMany and HTTPStatus, whole seconds
	Status     int           // HTTPStatus, StatusAfter: 0 means 520; AccessControl: 0 means 403
	Code       string        // JobError: status_ext, with its prefix "error:"
	Message    string        // JobError: the message
	Body       string        // see the kinds
	Location   string        // OtherURL, Redirected
	Delay      time.Duration // see the kinds
}

// kindOps names the requests that a kind can concern; the others concern all.
func kindOps(k Kind) []string {
	switch k {
	case Forgotten:
		return []string{opSubmit, opStatus}
	case Stuck, Delayed, JobError, JobErrorCaptured, PartialSuccess, OtherURL, WrongTime, NotIndexed, NotKept,
		Vanished, AlteredWords, AlteredNonce, BlockPage, OddDigest:
		return []string{opSubmit}
	case AlteredBytes:
		return []string{opSubmit, opReplay}
	case Redirected, WrongMemento:
		return []string{opReplay}
	case Missing, AccessControl:
		return readOps
	case UnknownFields:
		return []string{opSubmit, opStatus, opUser, opSystem, opAvailability}
	}
	return nil
}

// concerns tells whether a request can meet a fault.
func (f *Fault) concerns(c *call) bool {
	ops := kindOps(f.Kind)
	return (ops == nil || slices.Contains(ops, c.op)) && (f.URL == "" || sameAddress(f.URL, c.url)) &&
		(f.On == "" || f.On == c.op || f.On == "read" && slices.Contains(readOps, c.op))
}

// Inject adds a fault. Faults are tried in the order in which they were added;
// a request meets at most one.
func (s *Server) Inject(f Fault) {
	if f.Times == 0 {
		f.Times = 1
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, &f)
}

// Heal removes all faults that wait, and the mix. Jobs and captures that were
// spoilt stay so.
func (s *Server) Heal() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults, s.mix = nil, mix{}
}

// Met returns how often each kind of fault was met.
func (s *Server) Met() map[Kind]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.met)
}

// fault takes the next fault for a request; the zero Fault if there is none.
// s.mu is held.
func (s *Server) fault(c *call) Fault {
	var taken Fault
	for i, f := range s.faults {
		if !f.concerns(c) {
			continue
		}
		taken = *f
		if f.Times > 0 {
			f.Times--
		}
		if f.Times == 0 {
			s.faults = slices.Delete(s.faults, i, i+1)
		}
		break
	}
	if taken.Kind == "" {
		taken = s.mix.draw(c)
	}
	if taken.Kind != "" {
		s.met[taken.Kind]++
	}
	return taken
}
