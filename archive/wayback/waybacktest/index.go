package waybacktest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// indexQuery is a query of the index (CDX server).
type indexQuery struct {
	key       string // of the url
	matchType string
	from, to  string
	filters   []indexFilter
	collapse  []indexCollapse
	fields    []int // of indexFields
	limit     int   // rows; below 0: the last ones
	offset    int
	showKey   bool
	resume    string // "urlkey timestamp!"
	json      bool
}

// indexFilter keeps the rows whose field matches a pattern as a whole, or the others.
type indexFilter struct {
	field   int
	pattern *regexp.Regexp
	not     bool
}

// indexCollapse leaves out rows that begin, in a field, as the row before them.
type indexCollapse struct{ field, digits int }

// index answers a query of the index.
func (s *Server) index(r *http.Request, c *call) reply {
	q, err := parseIndexQuery(c.query)
	if err != nil {
		return textReply(http.StatusBadRequest, err.Error())
	}
	var rows [][]string
	key := ""
	if c.fault.Kind != Missing {
		s.mu.Lock()
		rows, key = q.run(s.indexRows(q), s.cfg.IndexCap)
		s.mu.Unlock()
	}
	a := textReply(http.StatusOK, "")
	if q.json {
		a.header.Set("Content-Type", "application/json")
	}
	a.body, a.chunked = q.write(rows, key), true
	if c.query.Get("gzip") != "false" && acceptsGzip(r) {
		a.header.Set("Content-Encoding", "gzip")
		a.body = zip(a.body)
	}
	return a
}

// parseIndexQuery reads the parameters. What it does not know it ignores, as the
// service does.
func parseIndexQuery(v url.Values) (indexQuery, error) {
	q := indexQuery{matchType: "exact", from: v.Get("from"), to: v.Get("to"), json: v.Get("output") == "json",
		showKey: v.Get("showResumeKey") == "true"}
	address := v.Get("url")
	if address == "" {
		return q, fmt.Errorf("url param is required")
	}
	if rest, ok := strings.CutSuffix(address, "*"); ok {
		address, q.matchType = rest, "prefix"
	} else if rest, ok := strings.CutPrefix(address, "*."); ok {
		address, q.matchType = rest, "domain"
	}
	if m := v.Get("matchType"); m != "" {
		q.matchType = m
	}
	q.key = URLKey(address)
	for _, n := range []struct {
		name string
		to   *int
	}{{"limit", &q.limit}, {"offset", &q.offset}} {
		if text := v.Get(n.name); text != "" {
			number, err := strconv.Atoi(text)
			if err != nil {
				return q, fmt.Errorf("%s: not a number", n.name)
			}
			*n.to = number
		}
	}
	q.resume = v.Get("resumeKey")
	if key, err := url.QueryUnescape(q.resume); err == nil && !strings.Contains(q.resume, " ") {
		q.resume = key // it is printed escaped, and users escape it once more
	}
	q.setFields(v.Get("fl"))
	return q, q.setFilters(v)
}

// setFields reads fl; unknown names are left out.
func (q *indexQuery) setFields(list string) {
	for name := range strings.SplitSeq(list, ",") {
		if i := slices.Index(indexFields, name); i >= 0 {
			q.fields = append(q.fields, i)
		}
	}
	for i := range indexFields {
		if list == "" {
			q.fields = append(q.fields, i)
		}
	}
}

// setFilters reads filter=[!]field:regex and collapse=field[:digits].
func (q *indexQuery) setFilters(v url.Values) error {
	for _, text := range v["filter"] {
		rest, not := strings.CutPrefix(text, "!")
		name, pattern, _ := strings.Cut(rest, ":")
		re, err := regexp.Compile("^(?:" + pattern + ")$")
		if err != nil {
			return fmt.Errorf("filter %s: not a pattern", text)
		}
		if i := slices.Index(indexFields, strings.TrimPrefix(name, "=")); i >= 0 {
			q.filters = append(q.filters, indexFilter{i, re, not})
		}
	}
	for _, text := range v["collapse"] {
		name, digits, _ := strings.Cut(text, ":")
		n, _ := strconv.Atoi(digits) // 0: the whole field
		if i := slices.Index(indexFields, name); i >= 0 {
			q.collapse = append(q.collapse, indexCollapse{i, n})
		}
	}
	return nil
}

// indexRows returns the rows that a query's address and match type mean, in the
// order of the index. s.mu is held.
func (s *Server) indexRows(q indexQuery) [][]string {
	keys := []string{q.key}
	if q.matchType != "exact" {
		keys = slices.Sorted(maps.Keys(s.captures))
		keys = slices.DeleteFunc(keys, func(key string) bool { return !q.covers(key) })
	}
	now := time.Now()
	var rows [][]string
	for _, key := range keys {
		for _, c := range s.captures[key] {
			if c.inIndex(now) {
				rows = append(rows, c.row())
			}
		}
	}
	return rows
}

// covers tells whether a key is below that of the query.
func (q indexQuery) covers(key string) bool {
	host, _, _ := strings.Cut(q.key, ")")
	switch q.matchType {
	case "prefix":
		return strings.HasPrefix(key, q.key)
	case "host":
		return strings.HasPrefix(key, host+")")
	case "domain":
		return strings.HasPrefix(key, host+")") || strings.HasPrefix(key, host+",")
	}
	return key == q.key
}

// run filters, collapses and cuts rows. The key to resume with is that of the
// last row, if more rows would follow and keys are wanted. Resumption starts with
// the row before the key once more, where that is not all there would be.
func (q indexQuery) run(rows [][]string, most int) (out [][]string, key string) {
	if q.resume != "" {
		i := slices.IndexFunc(rows, func(row []string) bool { return row[0]+" "+row[1]+" "+row[2] >= q.resume })
		if i < 0 {
			return nil, ""
		}
		if i > 0 && (q.limit == 0 || q.limit > 1) {
			i--
		}
		rows = rows[i:]
	}
	rows = slices.DeleteFunc(rows, func(row []string) bool { return !q.keeps(row) })
	rows = q.collapsed(rows)
	if q.limit < 0 {
		return rows[max(0, len(rows)+q.limit):], ""
	}
	rows = rows[min(max(q.offset, 0), len(rows)):]
	if q.limit > 0 {
		most = min(most, q.limit)
	}
	if len(rows) <= most {
		return rows, ""
	}
	rows = rows[:most]
	if last := rows[most-1]; q.showKey {
		key = url.QueryEscape(last[0] + " " + last[1] + "!")
	}
	return rows, key
}

// keeps applies from, to and the filters.
func (q indexQuery) keeps(row []string) bool {
	ts := row[1]
	if ts[:min(len(q.from), 14)] < q.from || ts[:min(len(q.to), 14)] > q.to {
		return false
	}
	for _, f := range q.filters {
		if f.pattern.MatchString(row[f.field]) == f.not {
			return false
		}
	}
	return true
}

// collapsed leaves out rows that are like the row before them.
func (q indexQuery) collapsed(rows [][]string) [][]string {
	for _, c := range q.collapse {
		begin := func(row []string) string {
			if c.digits > 0 && c.digits < len(row[c.field]) {
				return row[c.field][:c.digits]
			}
			return row[c.field]
		}
		rows = slices.CompactFunc(rows, func(a, b []string) bool { return begin(a) == begin(b) })
	}
	return rows
}

// write prints rows, and the key behind a blank row.
func (q indexQuery) write(rows [][]string, key string) []byte {
	picked := make([][]string, 0, len(rows)+3)
	pick := func(row []string) []string {
		out := make([]string, 0, len(q.fields))
		for _, i := range q.fields {
			out = append(out, row[i])
		}
		return out
	}
	if q.json && len(rows) > 0 {
		picked = append(picked, pick(indexFields))
	}
	for _, row := range rows {
		picked = append(picked, pick(row))
	}
	if key != "" {
		picked = append(picked, []string{}, []string{key})
	}
	var b bytes.Buffer
	if !q.json {
		for _, row := range picked {
			fmt.Fprintln(&b, strings.Join(row, " "))
		}
		return b.Bytes()
	}
	b.WriteByte('[')
	for i, row := range picked {
		if i > 0 {
			b.WriteString(",\n ")
		}
		line, _ := json.Marshal(row) // strings
		b.Write(line)
	}
	b.WriteString("]\n")
	return b.Bytes()
}

// acceptsGzip tells whether a request allows the content coding.
func acceptsGzip(r *http.Request) bool {
	for part := range strings.SplitSeq(r.Header.Get("Accept-Encoding"), ",") {
		name, quality, _ := strings.Cut(strings.TrimSpace(part), ";")
		if strings.EqualFold(name, "gzip") && strings.ReplaceAll(quality, " ", "") != "q=0" {
			return true
		}
	}
	return false
}
