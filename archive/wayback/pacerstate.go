package wayback

import "time"

// longestPause is longer than any pause that is ever set: a day for Retry-After,
// less until 00:00 UTC. A restored pause beyond it comes from a clock that was
// wrong by hours, then or now, and is dropped; the next answer sets it again.
const longestPause = 25 * time.Hour

// PacerState is what a Pacer knows about the service, for the next process.
type PacerState struct {
	SavedAt time.Time          `json:"saved_at"`
	Next    map[Kind]time.Time `json:"next,omitempty"` // the earliest moment of the next turn
	All     PauseState         `json:"all,omitzero"`   // holds every request
	Submits PauseState         `json:"submits,omitzero"`
	// Trouble counts the outages since the last good answer, Refusals the "too
	// fast" answers in a row by operation: the next pauses grow from there.
	Trouble  int            `json:"trouble,omitempty"`
	Refusals map[string]int `json:"refusals,omitempty"`
}

// PauseState is a pause and the answer that caused it.
type PauseState struct {
	Until      time.Time `json:"until"`
	Op         string    `json:"op,omitempty"`
	Class      Class     `json:"class,omitempty"`
	Code       string    `json:"code,omitempty"`
	Message    string    `json:"message,omitempty"`
	HTTPStatus int       `json:"http_status,omitempty"`
}

// State returns what is to be saved. Pauses that are over are left out.
func (p *Pacer) State() PacerState {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	s := PacerState{SavedAt: now.UTC(), Next: make(map[Kind]time.Time), All: p.all.state(now), Submits: p.submits.state(now),
		Trouble: p.trouble, Refusals: make(map[string]int)}
	for kind, l := range p.lines {
		if l.next.After(now) {
			s.Next[kind] = l.next.UTC()
		}
	}
	for op, n := range p.refusals {
		s.Refusals[op] = n
	}
	return s
}

// Restore takes over the state of the process before, for a new pacer. What is on
// already is prolonged, never shortened.
func (p *Pacer) Restore(s PacerState) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	for kind, next := range s.Next {
		l, ok := p.lines[kind]
		if !ok {
			continue
		}
		if at := now.Add(s.left(next, now, p.limits.scaled(l.interval))); at.After(l.next) {
			l.next = at
		}
	}
	for _, r := range []struct {
		on   *pause
		from PauseState
	}{{&p.all, s.All}, {&p.submits, s.Submits}} {
		left := s.left(r.from.Until, now, p.limits.scaled(longestPause))
		if until := now.Add(left); left > 0 && until.After(r.on.until) {
			*r.on = pause{until: until, cause: r.from.cause()}
		}
	}
	p.trouble = max(p.trouble, min(s.Trouble, 100))
	for op, n := range s.Refusals {
		p.refusals[op] = max(p.refusals[op], min(n, 100))
	}
}

// left returns how much of a saved wait is left, 0 if it is longer than it can be.
// If our clock is behind the moment of saving, it was set back: then the wait
// begins anew, since what has passed of it is not known.
func (s PacerState) left(until, now time.Time, most time.Duration) time.Duration {
	if now.Before(s.SavedAt) {
		now = s.SavedAt
	}
	left := until.Sub(now.Round(0)) // wall clocks: until has nothing else
	if left < 0 || left > most {
		return 0
	}
	return left
}

// state is the pause as saved; zero if it is over.
func (on pause) state(now time.Time) PauseState {
	if !on.until.After(now) {
		return PauseState{}
	}
	s := PauseState{Until: on.until.UTC()}
	if e := on.cause; e != nil {
		s.Op, s.Class, s.Code, s.Message, s.HTTPStatus = e.Op, e.Class, e.Code, e.Message, e.HTTPStatus
	}
	return s
}

// cause is the answer as restored; nil if none was known.
func (s PauseState) cause() *Error {
	if s.Class == "" {
		return nil
	}
	return &Error{Op: s.Op, Class: s.Class, Code: clean(s.Code, maxCode), Message: clean(s.Message, maxMessage), HTTPStatus: s.HTTPStatus}
}

// OnChange sets what is called, by the goroutine that learned of it, whenever a
// pause begins or grows, and when a series of bad answers ends; not for each
// request. f gets the newest state, one call at a time; it must not make a
// request, nor change the pacer.
func (p *Pacer) OnChange(f func(PacerState)) {
	p.told.Lock()
	defer p.told.Unlock()
	p.onChange = f
}

// tell calls what OnChange has set.
func (p *Pacer) tell() {
	p.told.Lock()
	defer p.told.Unlock()
	if p.onChange != nil {
		p.onChange(p.State())
	}
}
