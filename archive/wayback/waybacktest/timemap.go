package waybacktest

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// links is the header Link of a memento, or of a TimeGate if m is nil (RFC 7089,
// section 2.2).
func links(base string, m *capture, list []*capture) string {
	shown := list[len(list)-1]
	if m != nil {
		shown = m
	}
	out := []string{
		fmt.Sprintf(`<%s>; rel="original"`, shown.URL),
		fmt.Sprintf(`<%s/web/timemap/link/%s>; rel="timemap"; type="application/link-format"`, base, shown.URL),
		fmt.Sprintf(`<%s/web/%s>; rel="timegate"`, base, shown.URL),
	}
	at := slices.Index(list, m)
	for i, c := range list {
		var words []string
		for _, rel := range []struct {
			is   bool
			word string
		}{{i == 0, "first"}, {i == len(list)-1, "last"}, {m != nil && i == at-1, "prev"}, {m != nil && i == at+1, "next"}} {
			if rel.is {
				words = append(words, rel.word)
			}
		}
		if len(words) > 0 || i == at {
			out = append(out, c.link(base, words))
		}
	}
	return strings.Join(out, ", ")
}

// link is one memento of a list.
func (m *capture) link(base string, words []string) string {
	return fmt.Sprintf(`<%s>; rel="%s"; datetime="%s"`, m.address(base, ""),
		strings.Join(append(words, "memento"), " "), m.at.Format(http.TimeFormat))
}

// timeMap lists the captures of an address: as application/link-format (RFC
// 7089, section 5), or as JSON with the columns of the service.
func (s *Server) timeMap(r *http.Request, c *call) reply {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	list := slices.DeleteFunc(slices.Clone(s.captures[URLKey(c.url)]), func(m *capture) bool { return !m.inIndex(now) })
	if c.fault.Kind == Missing {
		list = nil
	}
	switch {
	case c.form == "json":
		return timeMapJSON(list)
	case len(list) == 0:
		return notArchived()
	}
	base := s.base(r)
	out := []string{
		fmt.Sprintf(`<%s>; rel="original"`, list[0].URL),
		fmt.Sprintf(`<%s/web/timemap/link/%s>; rel="self"; type="application/link-format"; from="%s"; until="%s"`, base, c.url,
			list[0].at.Format(http.TimeFormat), list[len(list)-1].at.Format(http.TimeFormat)),
		fmt.Sprintf(`<%s/web/%s>; rel="timegate"`, base, c.url),
	}
	for i, m := range list {
		var words []string
		if i == 0 {
			words = append(words, "first")
		}
		if i == len(list)-1 {
			words = append(words, "last")
		}
		out = append(out, m.link(base, words))
	}
	return reply{status: http.StatusOK, header: http.Header{"Content-Type": {"application/link-format"}},
		body: []byte(strings.Join(out, ",\n") + "\n"), chunked: true}
}

// timeMapJSON lists captures in the columns of the service.
func timeMapJSON(list []*capture) reply {
	rows := [][]string{}
	if len(list) > 0 {
		rows = append(rows, []string{"urlkey", "timestamp", "original", "mimetype", "statuscode", "digest",
			"redirect", "robotflags", "length", "offset", "filename"})
	}
	for _, m := range list {
		row := m.row()
		rows = append(rows, append(row[:6:6], "-", "-", row[6], "0", m.Src))
	}
	a := jsonReply(http.StatusOK, rows)
	a.chunked = true
	return a
}

// timeGate redirects to the capture that is closest to Accept-Datetime, or to
// the newest (RFC 7089, section 4.1).
func (s *Server) timeGate(r *http.Request, c *call) reply {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := s.replays(c.url)
	if len(list) == 0 || c.fault.Kind == Missing {
		return notArchived()
	}
	m := list[len(list)-1]
	if wanted := r.Header.Get("Accept-Datetime"); wanted != "" {
		t, err := http.ParseTime(wanted)
		if err != nil {
			return htmlReply(http.StatusBadRequest, "Bad Accept-Datetime")
		}
		m = closest(list, stamp(t))
	}
	base := s.base(r)
	a := found(m.address(base, ""), m.Timestamp)
	a.header.Set("Vary", "accept-datetime")
	a.header.Set("Link", links(base, nil, list))
	return a
}

// available answers the Availability API: the closest capture that can be replayed.
func (s *Server) available(r *http.Request, c *call) reply {
	s.mu.Lock()
	defer s.mu.Unlock()
	snapshots := object{}
	list := slices.DeleteFunc(s.replays(c.url), func(m *capture) bool { return !m.inIndex(time.Now()) })
	if m := closest(list, cmp.Or(c.stamp, "99991231")); m != nil && c.fault.Kind != Missing {
		snapshots["closest"] = object{"available": true, "url": m.address("http:"+s.base(r)[strings.Index(s.base(r), "//"):], ""),
			"timestamp": m.Timestamp, "status": m.row()[4]}
	}
	answer := object{"url": c.url, "archived_snapshots": snapshots}
	if c.stamp != "" {
		answer["timestamp"] = c.stamp
	}
	return jsonReply(http.StatusOK, answer)
}
