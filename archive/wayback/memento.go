package wayback

import (
	"bytes"
	"context"
	"net/http"
	"time"
)

// maxMementos bounds the captures of one TimeMap that are kept.
const maxMementos = 1_000_000

// TimeMap lists the captures of an address as RFC 7089, section 5 has it.
type TimeMap struct {
	Original, TimeGate string // as the list names them
	Mementos           []MementoLink
	Skipped            int       // mementos that could not be read
	Answer             *Answered // the exchange
}

// MementoLink is a capture in a TimeMap.
type MementoLink struct {
	URL       string // where it is replayed
	Original  string // the captured address, as in URL
	Timestamp string // 14 digits, as in URL
	At        time.Time
}

// TimeMap asks for all captures of an address, also of the forms that the Archive
// takes for the same (see SameAddress). An empty list is not proof of absence, see
// Index. Errors are as with Index. rec may be nil. A long list is held in memory,
// bounded by MaxBody; ReadLinks reads one without.
func (c *Client) TimeMap(ctx context.Context, address string, rec Recorder) (TimeMap, error) {
	const op = "timemap"
	if e := checkAddress(op, address); e != nil {
		return TimeMap{}, e
	}
	a, err := c.read(ctx, KindIndex, op, mementoURL(c.base, "timemap/link", "", address), nil, rec)
	if err != nil {
		return TimeMap{}, err
	}
	m, e := parseTimeMap(a)
	if e != nil {
		return TimeMap{Answer: a}, c.refuse(e, a)
	}
	c.pacer.fine(op)
	return m, nil
}

// parseTimeMap reads an answer that should be a TimeMap.
func parseTimeMap(a *Answered) (TimeMap, *Error) {
	const op = "timemap"
	if e := turnedAway(op, a); e != nil {
		return TimeMap{}, e
	}
	m := TimeMap{Answer: a}
	switch {
	case a.Status == http.StatusNotFound:
		return m, nil
	case a.Status != http.StatusOK:
		return TimeMap{}, &Error{Op: op, Class: ClassOutage, Message: "an unexpected answer instead of a TimeMap"}
	case len(bytes.TrimSpace(a.Body)) == 0:
		return m, nil
	}
	for l, err := range ReadLinks(bytes.NewReader(a.Body)) {
		if err != nil {
			return TimeMap{}, &Error{Op: op, Class: ClassOutage, Message: clean(err.Error(), maxMessage)}
		}
		switch {
		case l.Is("original"):
			m.Original = bounded(l.Target)
		case l.Is("timegate"):
			m.TimeGate = bounded(l.Target)
		case l.Is("memento"):
			if v, ok := mementoLink(l); ok && len(m.Mementos) < maxMementos {
				m.Mementos = append(m.Mementos, v)
			} else {
				m.Skipped++
			}
		}
	}
	if m.Original == "" { // RFC 7089, section 5: required
		return TimeMap{}, &Error{Op: op, Class: ClassOutage, Message: "the answer is not a TimeMap"}
	}
	return m, nil
}

// mementoLink reads a link to a capture. Its address says what was captured and
// when, with its parameter datetime saying the same.
func mementoLink(l Link) (MementoLink, bool) {
	ts, original, ok := ParseReplayURL(l.Target)
	if !ok {
		return MementoLink{}, false
	}
	at, err := http.ParseTime(l.Params["datetime"])
	if err != nil || Timestamp(at) != ts {
		return MementoLink{}, false
	}
	return MementoLink{URL: l.Target, Original: original, Timestamp: ts, At: at.UTC()}, true
}

// Gate is the answer of a TimeGate: the capture closest to a moment.
type Gate struct {
	Found     bool
	Timestamp string // 14 digits
	Original  string // the captured address
	Answer    *Answered
}

// TimeGate asks for the capture closest to a moment, or for the latest one if at
// is zero (RFC 7089, section 4; the redirect is not followed). Errors are as with
// Index. rec may be nil.
func (c *Client) TimeGate(ctx context.Context, address string, at time.Time, rec Recorder) (Gate, error) {
	const op = "timegate"
	if e := checkAddress(op, address); e != nil {
		return Gate{}, e
	}
	h := make(http.Header)
	if !at.IsZero() {
		h.Set("Accept-Datetime", at.UTC().Format(http.TimeFormat))
	}
	a, err := c.read(ctx, KindReplay, op, mementoURL(c.base, "", "", address), h, rec)
	if err != nil {
		return Gate{}, err
	}
	g, e := parseGate(a)
	if e != nil {
		return Gate{Answer: a}, c.refuse(e, a)
	}
	c.pacer.fine(op)
	return g, nil
}

// parseGate reads an answer of a TimeGate: a redirect, or the capture itself with
// its own address (RFC 7089, section 4.2.1 and 4.2.2).
func parseGate(a *Answered) (Gate, *Error) {
	const op = "timegate"
	g := Gate{Answer: a}
	to := a.Header.Get("Location")
	if a.Header.Get("Memento-Datetime") != "" && to == "" {
		to = a.Header.Get("Content-Location")
	} else if e := turnedAway(op, a); e != nil {
		return Gate{}, e
	} else if a.Status == http.StatusNotFound {
		return g, nil
	}
	g.Timestamp, g.Original, g.Found = ParseReplayURL(to)
	if !g.Found {
		return Gate{}, &Error{Op: op, Class: ClassOutage, Message: "the answer does not name a capture"}
	}
	return g, nil
}
