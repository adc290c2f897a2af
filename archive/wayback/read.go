package wayback

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// Codes of errors of the read methods, besides the service's own.
const (
	// CodeExcluded marks an address that the Archive does not show to anybody, at
	// its site's wish or by a rule (ClassPermanent). Captures may exist.
	CodeExcluded = "excluded"
	// CodeForbidden marks an HTTP 401 or 403 that does not say why (ClassOutage):
	// the Archive turns us away for a while.
	CodeForbidden = "forbidden"
	// CodeTooLong marks an answer beyond MaxBody (ClassPermanent).
	CodeTooLong = "too-long"
)

// replayPatience is how many times longer than other requests a replay may take:
// it carries the page.
const replayPatience = 5

// read makes one exchange of a kind after waiting for its turn: without our keys,
// and without redirects. rec may be nil. Errors are judged already.
func (c *Client) read(ctx context.Context, kind Kind, op, address string, header http.Header, rec Recorder) (*Answered, error) {
	if rec == nil {
		rec = carrier{c.http}
	}
	req, err := http.NewRequest(http.MethodGet, address, nil)
	if err != nil {
		return nil, &Error{Op: op, Class: ClassPermanent, Code: "invalid-url-syntax", Message: clean(err.Error(), maxMessage), cause: err}
	}
	if header != nil {
		req.Header = header
	}
	req.Header.Set("Accept-Encoding", "gzip")
	req.Header.Set("User-Agent", c.agent)
	if err := c.pacer.Turn(ctx, kind); err != nil {
		return nil, err
	}
	limit := c.limit
	if kind == KindReplay {
		limit *= replayPatience
	}
	attempt, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	start := time.Now()
	a, err := rec.Record(attempt, req.WithContext(attempt))
	if err != nil {
		return nil, c.readError(ctx, op, err)
	}
	c.log.Debug("wayback request", "op", op, "status", a.Status, "bytes", len(a.Body), "elapsed", time.Since(start))
	return a, nil
}

// readError judges an exchange that brought no answer.
func (c *Client) readError(ctx context.Context, op string, err error) error {
	keep, isKeep := errors.AsType[*KeepError](err)
	switch {
	case isKeep:
		return keep
	case ctx.Err() != nil:
		return fmt.Errorf("%s: %w", op, ctx.Err())
	case errors.Is(err, ErrTooLong):
		return c.judge(&Error{Op: op, Class: ClassPermanent, Code: CodeTooLong, Message: ErrTooLong.Error(), cause: err}, 0, nil)
	}
	return c.networkError(ctx, op, err)
}

// turnedAway classifies an answer of a read method that is not about its question,
// by its status and by what it says of an exclusion; nil if it may be about it.
func turnedAway(op string, a *Answered) *Error {
	bad := func(class Class, code, message string) *Error {
		return &Error{Op: op, Class: class, Code: code, Message: message}
	}
	switch {
	case excluded(a):
		return bad(ClassPermanent, CodeExcluded, "the Archive does not show this address (access control)")
	case a.Status == http.StatusTooManyRequests:
		return bad(ClassSlot, "", "too many requests")
	case a.Status == http.StatusUnauthorized, a.Status == http.StatusForbidden:
		return bad(ClassOutage, CodeForbidden, "the Archive turns us away, without saying why")
	case a.Status == http.StatusBadRequest:
		return bad(ClassPermanent, "bad-request", firstLine(a))
	case a.Status >= 500:
		return bad(ClassOutage, "", "the service is in trouble")
	}
	return nil
}

// excluded finds the words for addresses that are not shown: the exception of the
// index and of the replay, and the text of its page.
func excluded(a *Answered) bool {
	if strings.Contains(a.Header.Get("X-Archive-Wayback-Runtime-Error"), "AccessControlException") {
		return true
	}
	if a.Status < 400 && !plainText(a) {
		return false // a capture or a list may well contain the words
	}
	begin := a.Body[:min(len(a.Body), 64<<10)]
	for _, words := range []string{"AccessControlException", "excluded from the Wayback Machine"} {
		if bytes.Contains(begin, []byte(words)) {
			return true
		}
	}
	return false
}

// plainText tells an answer whose body begins with a letter: no list, no markup.
func plainText(a *Answered) bool {
	b := bytes.TrimSpace(a.Body)
	return len(b) > 0 && (b[0]|0x20 >= 'a' && b[0]|0x20 <= 'z') && len(b) < 64<<10
}

// firstLine returns the beginning of an answer in words.
func firstLine(a *Answered) string {
	line, _, _ := strings.Cut(strings.TrimSpace(string(a.Body[:min(len(a.Body), 4096)])), "\n")
	if line == "" || strings.HasPrefix(line, "<") {
		return http.StatusText(a.Status)
	}
	return clean(line, maxMessage)
}

// refuse judges an unwelcome answer of a read method.
func (c *Client) refuse(e *Error, a *Answered) *Error { return c.judge(e, a.Status, a.Header) }
