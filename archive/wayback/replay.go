package wayback

import (
	"bytes"
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/fineprint-archive/fineprint/warc"
)

// Replay is what the raw replay of a capture brought.
type Replay struct {
	// Found tells that the answer is the very capture: its Memento-Datetime is the
	// timestamp, the original that it names is the address, and no redirect leads
	// elsewhere. All but Other and OtherURL is of the capture then, else zero.
	Found    bool
	Status   int         // of the page as it was captured
	Header   http.Header // of the answer; the page's own fields are x-archive-orig-*
	Body     []byte      // content codings undone, see Answered.Coding
	At       time.Time   // Memento-Datetime
	Original string      // rel="original" of the header Link; empty if not named
	// PayloadSHA1 is of the body as it was sent; what the Archive compresses on the
	// way has another one than the index, see Answered.Carries.
	PayloadSHA1, DecodedSHA256 warc.Digest
	Src                        string // x-archive-src: the Archive's WARC
	Record                     string // see Answered
	// Other and OtherURL name the capture that the Archive offered instead, if it
	// named one. The same timestamp with another form of the address means: ask
	// with that one.
	Other, OtherURL string
}

// Replay asks for a capture as it was stored (the form "id_"). Not found is not
// proof of absence, see Index: a capture that is not in the index yet is answered
// with a redirect to another. Redirects are not followed, but a captured page may
// itself be a redirect, or an error: Memento-Datetime tells (RFC 7089, section
// 2.1.1). Errors are as with Index. rec may be nil.
func (c *Client) Replay(ctx context.Context, timestamp, address string, rec Recorder) (Replay, error) {
	const op = "replay"
	if _, err := ParseTimestamp(timestamp); err != nil {
		return Replay{}, &Error{Op: op, Class: ClassPermanent, Code: "timestamp", Message: err.Error()}
	}
	if e := checkAddress(op, address); e != nil {
		return Replay{}, e
	}
	a, err := c.read(ctx, KindReplay, op, mementoURL(c.base, timestamp, "id_", address), nil, rec)
	if err != nil {
		return Replay{}, err
	}
	r, e := parseReplay(timestamp, address, a)
	if e != nil {
		return Replay{}, c.refuse(e, a)
	}
	c.pacer.fine(op)
	return r, nil
}

// parseReplay reads an answer of the replay.
func parseReplay(timestamp, address string, a *Answered) (Replay, *Error) {
	const op = "replay"
	if value := a.Header.Get("Memento-Datetime"); value != "" {
		at, err := http.ParseTime(value)
		if err != nil {
			return Replay{}, &Error{Op: op, Class: ClassOutage, Message: "the Memento-Datetime is not a time"}
		}
		return capture(timestamp, address, at.UTC(), a), nil
	}
	if e := turnedAway(op, a); e != nil {
		return Replay{}, e
	}
	switch {
	case a.Status == http.StatusNotFound:
		return Replay{}, nil
	case a.Status >= 300 && a.Status < 400:
		ts, original, ok := ParseReplayURL(a.Header.Get("Location"))
		if !ok {
			return Replay{}, &Error{Op: op, Class: ClassOutage, Message: "a redirect to something that is not a capture"}
		}
		return Replay{Other: ts, OtherURL: original}, nil
	case bytes.HasPrefix(bytes.TrimSpace(a.Body), []byte("<")):
		return Replay{}, &Error{Op: op, Class: ClassOutage, Message: "a page of the service instead of a capture"}
	}
	return Replay{}, &Error{Op: op, Class: ClassOutage, Message: "an answer without Memento-Datetime, which no capture is"}
}

// capture reads an answer that is a capture of a moment, if perhaps not the one
// asked for. The Location of a captured redirect is rewritten and names the same
// moment; one that names another is the Archive's own.
func capture(timestamp, address string, at time.Time, a *Answered) Replay {
	original := findLink(a.Header.Values("Link"), "original")
	if ts := Timestamp(at); ts != timestamp || original != "" && !SameAddress(original, address) {
		return Replay{Other: ts, OtherURL: original}
	}
	if ts, to, ok := ParseReplayURL(a.Header.Get("Location")); ok && ts != timestamp && a.Status >= 300 && a.Status < 400 {
		return Replay{Other: ts, OtherURL: to}
	}
	return Replay{
		Found: true, Status: archived(a), Header: a.Header, Body: a.Body, At: at, Original: original,
		PayloadSHA1: a.PayloadSHA1, DecodedSHA256: a.DecodedSHA256,
		Src: clean(a.Header.Get("X-Archive-Src"), maxMessage), Record: a.Record,
	}
}

// archived is the status of the page as it was captured, which the replay tells
// apart from its own.
func archived(a *Answered) int {
	if n, err := strconv.Atoi(a.Header.Get("X-Ts")); err == nil && n >= 100 && n <= 599 {
		return n
	}
	return a.Status
}
