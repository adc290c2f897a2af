package waybacktest

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// object is a JSON object.
type object = map[string]any

// reply is an answer before it is sent.
type reply struct {
	status  int
	header  http.Header
	body    []byte
	chunked bool   // send it so
	fields  object // of a JSON object: body is made of it
}

// jsonReply answers with JSON.
func jsonReply(status int, answer any) reply {
	a := reply{status: status, header: http.Header{"Content-Type": {"application/json"}}}
	if fields, ok := answer.(object); ok {
		a.fields = fields
		return a
	}
	a.body, _ = json.Marshal(answer) // of our own types
	return a
}

// htmlReply answers with a page of HTML.
func htmlReply(status int, words string) reply {
	return reply{status: status, header: http.Header{"Content-Type": {"text/html; charset=utf-8"}},
		body: fmt.Appendf(nil, "<!DOCTYPE html><title>%s</title><h1>%s</h1>", words, words)}
}

// textReply answers with a line of text.
func textReply(status int, words string) reply {
	return reply{status: status, header: http.Header{"Content-Type": {"text/plain;charset=UTF-8"}}, body: []byte(words + "\n")}
}

// complete makes the body.
func (a reply) complete() reply {
	if a.fields != nil {
		a.body, _ = json.Marshal(a.fields) // of our own types
	}
	return a
}

// write sends an answer; the client's going away is its own business.
func (a reply) write(w http.ResponseWriter, r *http.Request) {
	a = a.complete()
	a.head(w)
	if r.Method == http.MethodHead {
		return
	}
	w.Write(a.body)
	if a.chunked {
		http.NewResponseController(w).Flush()
	}
}

// head sends the status and the headers.
func (a reply) head(w http.ResponseWriter) {
	maps.Copy(w.Header(), a.header)
	if !a.chunked {
		w.Header().Set("Content-Length", strconv.Itoa(len(a.body)))
	}
	w.WriteHeader(a.status)
	if a.chunked {
		http.NewResponseController(w).Flush() // so that net/http cannot know the length
	}
}

// before does the faults in which the request has no effect; true if it answered.
func (s *Server) before(w http.ResponseWriter, r *http.Request, c *call) bool {
	f := c.fault
	s.setDate(w, f)
	switch f.Kind {
	case TooMany:
		s.retryAfter(w, c)
		jsonReply(http.StatusTooManyRequests, object{"message": "Too many requests"}).write(w, r)
	case HTTPStatus:
		s.retryAfter(w, c)
		f.page().write(w, r)
	case HTML:
		htmlReply(http.StatusOK, "Temporarily Offline").write(w, r)
	case Body:
		reply{status: http.StatusOK, header: http.Header{"Content-Type": {"application/json"}}, body: []byte(f.Body)}.write(w, r)
	case Reset:
		panic(http.ErrAbortHandler)
	case Refused:
		delay := f.Delay
		if delay <= 0 {
			delay = refusedFor
		}
		s.Refuse(delay)
		panic(http.ErrAbortHandler)
	case Slow:
		s.wait(r, f.Delay)
		return false
	default:
		return false
	}
	return true
}

// page is the page of an error; 520 if the fault names no status.
func (f Fault) page() reply {
	status := f.Status
	if status == 0 {
		status = 520
	}
	return htmlReply(status, http.StatusText(status))
}

// after writes the answer, or does what prevents it.
func (s *Server) after(w http.ResponseWriter, r *http.Request, c *call, a reply) {
	f := c.fault
	if f.Kind == UnknownFields && a.fields != nil {
		a.fields["zz_new"] = object{"a": []any{1, "b", nil}}
		a.fields["counter_2"], a.fields["warnings"] = 18446744073709551615.0, nil
	}
	a = a.complete()
	switch f.Kind {
	case Lost:
		panic(http.ErrAbortHandler)
	case StatusAfter:
		a = f.page()
	case Truncated, Dripping:
		if len(a.body) == 0 {
			panic(http.ErrAbortHandler) // there is no middle
		}
		a.head(w)
		w.Write(a.body[:len(a.body)/2])
		http.NewResponseController(w).Flush()
		if f.Kind == Truncated {
			panic(http.ErrAbortHandler)
		}
		s.wait(r, f.Delay)
		w.Write(a.body[len(a.body)/2:])
		return
	}
	s.noteRedirect(r, a)
	a.write(w, r)
}

// wait waits for an interval of the service, or for the client's end.
func (s *Server) wait(r *http.Request, d time.Duration) {
	t := time.NewTimer(s.scaled(d))
	defer t.Stop()
	select {
	case <-t.C:
	case <-r.Context().Done():
	}
}

// setDate sets Date if the service's clock is wrong; net/http sets it otherwise.
func (s *Server) setDate(w http.ResponseWriter, f Fault) {
	s.mu.Lock()
	off := s.clock
	s.mu.Unlock()
	if f.Kind == WrongClock {
		off += f.Delay
	}
	if off != 0 {
		w.Header().Set("Date", time.Now().Add(off).UTC().Format(http.TimeFormat))
	}
}

// retryAfter sets the header, in whole seconds, and remembers it.
func (s *Server) retryAfter(w http.ResponseWriter, c *call) {
	if d := c.fault.RetryAfter; d > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(d.Seconds()))))
		s.mu.Lock()
		defer s.mu.Unlock()
		s.retryAt[c.op] = held{from: time.Now().Add(max(s.scaled(heldGrace), heldGrace/100)), until: time.Now().Add(s.scaled(d))}
	}
}

// noteRedirect remembers a redirect, see checkRedirect.
func (s *Server) noteRedirect(r *http.Request, a reply) {
	location := a.header.Get("Location")
	if location == "" {
		return
	}
	_, rest, _ := strings.Cut(location, "://")
	if i := strings.IndexByte(rest, '/'); i >= 0 {
		s.mu.Lock()
		defer s.mu.Unlock()
		if len(s.redirects) > maxRedirectsKept {
			clear(s.redirects)
		}
		s.redirects[rest[i:]] = redirect{remote: r.RemoteAddr, at: time.Now()}
	}
}

// accessControl is the answer about a site that is blocked.
func accessControl(c *call) reply {
	status := c.fault.Status
	if status == 0 {
		status = http.StatusForbidden
	}
	const words = "org.archive.wayback.exception.AdministrativeAccessControlException: Blocked Site Error"
	a := textReply(status, "org.archive.util.io.RuntimeIOException: "+words)
	if c.op == opReplay || c.op == opTimeGate {
		a = htmlReply(status, "Blocked Site Error")
	}
	a.header.Set("X-Archive-Wayback-Runtime-Error", strings.TrimPrefix(words, "org.archive.wayback.exception."))
	return a
}
