package waybacktest

import (
	"bytes"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// replay answers with a capture: as it was stored with the flag "id_", as a page
// of the archive without. A timestamp that no capture has leads to the closest
// one, another form of the address to the capture of its key.
func (s *Server) replay(r *http.Request, c *call) reply {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := s.replays(c.url)
	base := s.base(r)
	if c.fault.Kind == Redirected {
		if to := c.fault.Location; to != "" {
			return found(to, c.stamp)
		}
		others := slices.DeleteFunc(slices.Clone(list), func(m *capture) bool { return m.Timestamp == c.stamp })
		if m := closest(others, c.stamp); m != nil {
			return found(m.address(base, c.flags), m.Timestamp)
		}
		return found(base+"/web/20010911000000"+c.flags+"/"+c.url, "20010911000000")
	}
	if len(list) == 0 || c.fault.Kind == Missing {
		return notArchived()
	}
	m := exact(list, c.stamp, c.url)
	if m == nil {
		m = closest(list, c.stamp)
		return found(m.address(base, c.flags), m.Timestamp)
	}
	return s.memento(r, c, m, list)
}

// memento sends a capture. s.mu is held.
func (s *Server) memento(r *http.Request, c *call, m *capture, list []*capture) reply {
	base := s.base(r)
	a := reply{status: m.Status, header: m.replayHeader(base, c.flags), body: s.body(m), chunked: m.Chunked}
	a.header.Set("Link", links(base, m, list))
	moment := m.at
	switch c.fault.Kind {
	case WrongMemento:
		moment = moment.Add(-26 * time.Hour)
	case AlteredBytes:
		a.body = alterBytes(a.body)
	}
	a.header.Set("Memento-Datetime", moment.Format(http.TimeFormat))
	switch {
	case c.flags != "id_":
		a.body, a.chunked = page(a), true
		a.header.Del("Content-Encoding")
	case r.Header.Get("Range") != "" && a.status == http.StatusOK:
		return ranged(a, r.Header.Get("Range"))
	case s.cfg.GzipReplay && a.header.Get("Content-Encoding") == "" && len(a.body) > 0 && acceptsGzip(r):
		a.body, a.chunked = zip(a.body), true
		a.header.Set("Content-Encoding", "gzip")
		a.header.Set("Vary", "Accept-Encoding")
	}
	return a
}

// replayHeader makes the headers of a replay: the original ones under other
// names, and those that the body needs.
func (m *capture) replayHeader(base, flags string) http.Header {
	h := http.Header{"Server": {"nginx"}, "X-App-Server": {"wwwb-app201"}, "X-Ts": {strconv.Itoa(m.Status)},
		"X-Archive-Src": {m.Src}, "Cache-Control": {"max-age=1800"}}
	for name, values := range m.Header {
		h["X-Archive-Orig-"+http.CanonicalHeaderKey(name)] = values
	}
	if m.Chunked {
		h.Set("X-Archive-Orig-Transfer-Encoding", "chunked")
	} else if h.Get("X-Archive-Orig-Content-Length") == "" {
		h.Set("X-Archive-Orig-Content-Length", strconv.Itoa(len(m.Body)))
	}
	h.Set("Content-Type", m.Header.Get("Content-Type"))
	if coding := m.Header.Get("Content-Encoding"); coding != "" {
		h.Set("Content-Encoding", coding)
	}
	if target, err := url.Parse(m.URL); err == nil && m.Header.Get("Location") != "" {
		if target, err = target.Parse(m.Header.Get("Location")); err == nil {
			h.Set("Location", base+"/web/"+m.Timestamp+flags+"/"+target.String())
		}
	}
	return h
}

// page is a replay as a page of the archive, with its banner.
func page(a reply) []byte {
	b := a.body
	if strings.EqualFold(a.header.Get("Content-Encoding"), "gzip") {
		b = unzip(b)
	}
	if !strings.Contains(a.header.Get("Content-Type"), "html") {
		return b
	}
	return append([]byte("<!-- BEGIN WAYBACK TOOLBAR INSERT --><div id=\"wm-ipp-base\">Wayback Machine</div><!-- END WAYBACK TOOLBAR INSERT -->\n"), b...)
}

// ranged cuts a reply to one range of bytes (RFC 9110, section 14.2); a form that
// it cannot read is ignored.
func ranged(a reply, value string) reply {
	first, last, ok := strings.Cut(strings.TrimPrefix(value, "bytes="), "-")
	from, err := strconv.Atoi(first)
	if !ok || err != nil {
		return a
	}
	to := len(a.body) - 1
	if n, err := strconv.Atoi(last); err == nil {
		to = min(to, n)
	}
	if from < 0 || from > to {
		a.header.Set("Content-Range", fmt.Sprintf("bytes */%d", len(a.body)))
		a.status, a.body, a.chunked = http.StatusRequestedRangeNotSatisfiable, nil, false
		return a
	}
	a.header.Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, to, len(a.body)))
	a.status, a.body, a.chunked = http.StatusPartialContent, bytes.Clone(a.body[from:to+1]), false
	return a
}

// exact returns the capture of a moment, the one of the very address if several
// share its key.
func exact(list []*capture, ts, address string) *capture {
	var m *capture
	for _, c := range list {
		if c.Timestamp == ts && (m == nil || c.URL == address) {
			m = c
		}
	}
	return m
}

// closest returns the capture whose time is closest to digits of a moment; nil
// if there are none.
func closest(list []*capture, digits string) *capture {
	want := moment(digits).Unix()
	away := func(c *capture) int64 { return max(want-c.at.Unix(), c.at.Unix()-want) }
	var best *capture
	for _, c := range list {
		if best == nil || away(c) < away(best) {
			best = c
		}
	}
	return best
}

// moment reads 1 to 14 digits; what is not told is the beginning. The newest
// moment if they are not a time.
func moment(digits string) time.Time {
	const first = "19960101000000"
	if len(digits) < len(first) {
		digits += first[len(digits):]
	}
	t, err := time.Parse(stampLayout, digits)
	if err != nil {
		return time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	return t
}

// address is where a capture is replayed.
func (m *capture) address(base, flags string) string {
	return base + "/web/" + m.Timestamp + flags + "/" + m.URL
}

// base is the address under which the service names itself.
func (s *Server) base(r *http.Request) string {
	switch {
	case s.cfg.BaseURL != "":
		return strings.TrimSuffix(s.cfg.BaseURL, "/")
	case r.TLS != nil, r.Host == "web.archive.org":
		return "https://" + r.Host
	}
	return "http://" + r.Host
}

// found redirects to a capture.
func found(to, ts string) reply {
	a := reply{status: http.StatusFound, header: http.Header{"Content-Type": {"text/plain; charset=utf-8"}}}
	a.header.Set("Location", to)
	a.header.Set("X-Archive-Redirect-Reason", "found capture at "+ts)
	return a
}

// notArchived is the page about an address without captures.
func notArchived() reply {
	a := htmlReply(http.StatusNotFound, "The Wayback Machine has not archived that URL.")
	maps.Copy(a.header, http.Header{"X-Archive-Wayback-Runtime-Error": {"ResourceNotInArchiveException: the resource is not in the archive"}})
	return a
}
