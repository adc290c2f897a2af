package wayback

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/fineprint-archive/fineprint/warc"
)

// MaxBody bounds the body of an answer, in bytes, as sent and decoded alike.
const MaxBody = 256 << 20

// ErrTooLong says that a body has more than MaxBody bytes, or would have when
// decoded. It is the same at every try.
var ErrTooLong = fmt.Errorf("the answer is longer than %d MiB", MaxBody>>20)

// Answered is an answer that came whole.
type Answered struct {
	Status int
	Header http.Header
	// Body is the entity body with its content codings undone; see Coding.
	Body []byte
	// Coding lists the content codings that could not be undone, since they are
	// unknown here or the body is not what the header says; empty if there are
	// none. Captures are replayed with what their sites sent.
	Coding string
	// PayloadSHA1 and PayloadSHA256 are digests of the entity body as it was sent
	// (without transfer coding, with content codings): what web archives index.
	// DecodedSHA256 is that of Body.
	PayloadSHA1, PayloadSHA256, DecodedSHA256 warc.Digest
	Record                                    string // id of its response record, "" if it was not recorded
}

// Carries tells whether the digest, a SHA-1 or SHA-256, is that of the body as
// sent or decoded. An archive stores the body that the site sent; if that had no
// content coding, the answer may have got one on its way to us.
func (a *Answered) Carries(d warc.Digest) bool {
	switch d.Algorithm {
	case warc.SHA1:
		return d == a.PayloadSHA1 || d == warc.SumSHA1(a.Body)
	case warc.SHA256:
		return d == a.PayloadSHA256 || d == a.DecodedSHA256
	}
	return false
}

// NewAnswered makes an answer of an entity body as sent. The error is ErrTooLong.
func NewAnswered(status int, header http.Header, payload []byte) (*Answered, error) {
	a := &Answered{Status: status, Header: header, PayloadSHA1: warc.SumSHA1(payload), PayloadSHA256: warc.SumSHA256(payload)}
	var err error
	a.Body, a.Coding, err = undo(header, payload)
	if err != nil {
		return nil, err
	}
	a.DecodedSHA256 = warc.SumSHA256(a.Body)
	return a, nil
}

// Recorder makes one exchange, keeps it byte for byte, and returns what came. It
// follows no redirect and changes nothing in the request, which carries its own
// Accept-Encoding. It reads bodies up to MaxBody or a bound of its own.
//
// When it can't keep what came, the error is a *KeepError: no word about the
// Archive, and passed on as it is. A body that is too long wraps ErrTooLong. Any
// other error says that no whole answer came: nobody there, a reset, a body cut
// short, the time of ctx is up. Recorders are called by several goroutines at once
// if the client is.
type Recorder interface {
	Record(ctx context.Context, req *http.Request) (*Answered, error)
}

// KeepError is what a Recorder returns when it cannot keep what came: that is no
// trouble with the Archive.
type KeepError struct{ Err error }

// Error returns the cause's words.
func (e *KeepError) Error() string { return "keep an answer of the Wayback Machine: " + e.Err.Error() }

// Unwrap returns the cause.
func (e *KeepError) Unwrap() error { return e.Err }

// carrier is the Recorder that keeps nothing.
type carrier struct{ http *http.Client }

// Record makes one exchange.
func (c carrier) Record(ctx context.Context, req *http.Request) (*Answered, error) {
	resp, err := c.http.Do(req.WithContext(ctx))
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close() // the answer was read or given up: nothing more to learn
	b, err := io.ReadAll(io.LimitReader(resp.Body, MaxBody+1))
	if err != nil {
		return nil, err
	}
	if len(b) > MaxBody {
		return nil, ErrTooLong
	}
	return NewAnswered(resp.StatusCode, resp.Header, b)
}

// undo removes the content codings of a body. A body that is not what its header
// says is left as it came, with the names of the codings.
func undo(h http.Header, b []byte) (body []byte, left string, err error) {
	codings := strings.Join(h.Values("Content-Encoding"), ",")
	if codings == "" || len(b) == 0 {
		return b, "", nil
	}
	r, err := warc.Decode(bytes.NewReader(b), codings, MaxBody)
	if err != nil {
		return b, clean(codings, maxMessage), nil // one that is not known
	}
	defer r.Close() // only read
	body, err = io.ReadAll(r)
	switch {
	case errors.Is(err, warc.ErrTooLarge):
		return nil, "", ErrTooLong
	case err != nil:
		return b, clean(codings, maxMessage), nil
	}
	return body, "", nil
}
