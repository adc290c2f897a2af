package wayback

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"time"
)

// Availability is the answer of the Availability API: a capture that exists.
type Availability struct {
	Found     bool
	Timestamp string // 14 digits
	Original  string // the captured address
	Status    int    // of the captured page, which may be an error; 0 if not told
	Answer    *Answered
}

// Availability asks archive.org for the capture closest to a moment, or for the
// latest one if at is zero. It is a hint: what it names exists in the index, and
// what it does not name may exist as well. Errors are as with Index. rec may be nil.
func (c *Client) Availability(ctx context.Context, address string, at time.Time, rec Recorder) (Availability, error) {
	const op = "availability"
	if e := checkAddress(op, address); e != nil {
		return Availability{}, e
	}
	v := url.Values{"url": {address}}
	if !at.IsZero() {
		v.Set("timestamp", Timestamp(at))
	}
	a, err := c.read(ctx, KindOther, op, c.archive+"/wayback/available?"+v.Encode(), nil, rec)
	if err != nil {
		return Availability{}, err
	}
	got, e := parseAvailability(a)
	if e != nil {
		return Availability{Answer: a}, c.refuse(e, a)
	}
	c.pacer.fine(op)
	return got, nil
}

// parseAvailability reads {"archived_snapshots":{"closest":{…}}}.
func parseAvailability(a *Answered) (Availability, *Error) {
	const op = "availability"
	if e := turnedAway(op, a); e != nil {
		return Availability{}, e
	}
	m, ok := parseObject(a.Body)
	var snapshots map[string]json.RawMessage
	if !ok || a.Status != http.StatusOK || json.Unmarshal(m["archived_snapshots"], &snapshots) != nil {
		return Availability{}, &Error{Op: op, Class: ClassOutage, Message: "the answer has no list of snapshots"}
	}
	got := Availability{Answer: a}
	closest, ok := parseObject(snapshots["closest"])
	if !ok || string(closest["available"]) != "true" {
		return got, nil
	}
	ts, original, ok := ParseReplayURL(text(closest, "url"))
	if !ok || ts != text(closest, "timestamp") {
		return Availability{}, &Error{Op: op, Class: ClassOutage, Message: "the snapshot has no usable address and time"}
	}
	got.Found, got.Timestamp, got.Original = true, ts, original
	if n := int(number(closest, "status", 0)); n >= 100 && n <= 999 {
		got.Status = n
	}
	return got, nil
}
