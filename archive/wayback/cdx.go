package wayback

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/fineprint-archive/fineprint/warc"
)

// Bounds of the index.
const (
	defaultRows = 3000    // rows of a page
	maxRows     = 150_000 // the service's own bound
	maxColumns  = 64
	maxPages    = 10_000 // of one IndexAll
)

// IndexQuery asks the index for the captures of one address.
//
// The service's own filters and its collapsing are not used: it folds addresses
// that differ (see SameAddress) to one key and would let a row of one stand for
// that of another, and filtered queries were seen empty while captures existed.
type IndexQuery struct {
	URL string // http or https
	// From and To are the first and the last moment: 1 to 14 digits of a time in
	// UTC, both inclusive; "" is open.
	From, To string
	// Limit is the most rows of one page, before those of other addresses are
	// left out: 3000 if 0, at most 150,000. Below 0 the latest -Limit rows are asked for.
	Limit int
	// CollapseDigest leaves out a row with the same digest as the row before it
	// (IndexAll only).
	CollapseDigest bool
	// Folded keeps the rows of all addresses that the index folds to the same key
	// (IndexAll only).
	Folded bool
	Resume string // IndexPage.Resume of the page before (Index only)
}

// IndexRow is a capture as the index lists it.
type IndexRow struct {
	URLKey    string
	Timestamp string // 14 digits, a time in UTC
	Original  string // the captured address
	MIME      string // as told; "warc/revisit" if Revisit
	Status    int    // of the page; 0 if not told, as in revisit rows
	// Digest is that of the entity body as the page's server sent it (SHA-1), or
	// zero if RawDigest is something else.
	Digest    warc.Digest
	RawDigest string // as listed
	Length    int64  // bytes of the compressed record; 0 if not told
	// Revisit tells that the Archive got the same body as once before: a capture
	// like any other.
	Revisit bool
}

// Time returns the moment of the capture.
func (r IndexRow) Time() time.Time {
	t, _ := ParseTimestamp(r.Timestamp) // checked when it was read
	return t
}

// IndexPage is one answer of the index.
type IndexPage struct {
	Rows []IndexRow // in the order of the index: by time
	// Resume asks for the next page; empty after the last. The service leaves out
	// the rest of the moment at which the page ends: IndexAll does not.
	Resume string
	// Last is the timestamp of the last row of any address; empty without rows.
	Last    string
	Skipped int // rows that could not be read

	one bool // all rows are of one moment
}

// Capture returns the row of a capture, nil if there is none. Of several it is
// that with the very address, or with a status of success. A redirect from another
// form of the address (http) led to the capture, often in the same second, and is none.
func (p IndexPage) Capture(timestamp, address string) *IndexRow {
	var best *IndexRow
	rank := func(r *IndexRow) (n int) {
		if r.Original == address {
			n += 2
		}
		if r.Revisit || r.Status/100 == 2 {
			n++
		}
		return n
	}
	for i := range p.Rows {
		r := &p.Rows[i]
		if r.Status/100 == 3 && r.Original != address {
			continue
		}
		if r.Timestamp == timestamp && SameAddress(r.Original, address) && (best == nil || rank(r) > rank(best)) {
			best = r
		}
	}
	return best
}

// Index asks the index (CDX server) for one page: the rows of all addresses that
// it folds to the same key, see SameAddress and IndexPage.Capture. No rows is not
// proof of absence: the index is late by minutes to days, and at times denies what
// it has; at least one other way (Replay, TimeMap) and another moment are needed.
// Errors are as with Submit, with CodeExcluded for addresses that are not shown,
// and *KeepError. rec may be nil.
func (c *Client) Index(ctx context.Context, q IndexQuery, rec Recorder) (IndexPage, error) {
	const op = "index"
	v, e := q.form()
	if e != nil {
		return IndexPage{}, e
	}
	a, err := c.read(ctx, KindIndex, op, c.base+"/cdx/search/cdx?"+v.Encode(), nil, rec)
	if err != nil {
		return IndexPage{}, err
	}
	p, e := parseIndex(a)
	if e != nil {
		return IndexPage{}, c.refuse(e, a)
	}
	c.pacer.fine(op)
	return p, nil
}

// IndexAll asks for one page after the other and yields every row of the address
// once, in the order of the index. After an error it ends. See Index.
//
// A page begins again at the last moment of the page before, and rows that came
// before are dropped: the service's resume key would leave out the rest of that
// moment, and captures of http and https often share one. The key is used where
// more rows share a moment than fit a page.
func (c *Client) IndexAll(ctx context.Context, q IndexQuery, rec Recorder) iter.Seq2[IndexRow, error] {
	return func(yield func(IndexRow, error) bool) {
		q.Limit = max(q.Limit, 0)
		at := cursor{ask: q, keys: map[string]bool{q.Resume: true}}
		var seen map[IndexRow]bool
		digest := ""
		for {
			p, err := c.Index(ctx, at.ask, rec)
			if err != nil {
				yield(IndexRow{}, err)
				return
			}
			page := make(map[IndexRow]bool, len(p.Rows))
			for _, r := range p.Rows {
				repeated := seen[r] || page[r]
				page[r] = true
				if repeated || !q.Folded && !SameAddress(r.Original, q.URL) {
					continue
				}
				same := sameDigest(r.RawDigest, digest)
				digest = r.RawDigest
				if same && q.CollapseDigest {
					continue
				}
				if !yield(r, nil) {
					return
				}
			}
			seen = page
			if p.Resume == "" {
				return
			}
			if e := at.pass(q, p); e != nil {
				yield(IndexRow{}, c.judge(e, http.StatusOK, nil))
				return
			}
		}
	}
}

// cursor walks the pages of the index.
type cursor struct {
	ask     IndexQuery
	reached string          // the last moment of all pages
	keys    map[string]bool // the resume keys that were used
	pages   int
}

// pass turns ask into the question for the page after p. It ends, since each page
// reaches a later moment or brings a new key, and there are at most maxPages.
func (at *cursor) pass(q IndexQuery, p IndexPage) *Error {
	at.pages++
	switch {
	case at.pages >= maxPages:
	case p.Last > at.reached && !p.one:
		at.reached, at.ask.Resume, at.ask.From = p.Last, "", p.Last
		return nil
	case !at.keys[p.Resume]:
		at.reached = max(at.reached, p.Last)
		at.keys[p.Resume] = true
		at.ask.Resume, at.ask.From = p.Resume, q.From
		return nil
	}
	return &Error{Op: "index", Class: ClassOutage, Code: "resume-loop", Message: "the index repeats itself instead of going on"}
}

// form lists the parameters of the query.
func (q IndexQuery) form() (url.Values, *Error) {
	if e := checkAddress("index", q.URL); e != nil {
		return nil, e
	}
	address, _, _ := strings.Cut(q.URL, "#")
	limit := q.Limit
	if limit == 0 {
		limit = defaultRows
	}
	v := url.Values{
		"url": {address}, "matchType": {"exact"}, "output": {"json"},
		"fl":            {"urlkey,timestamp,original,mimetype,statuscode,digest,length"},
		"limit":         {strconv.Itoa(max(-maxRows, min(limit, maxRows)))},
		"showResumeKey": {"true"},
	}
	for name, value := range map[string]string{"from": q.From, "to": q.To} {
		if value != "" && !someDigits(value) {
			return nil, &Error{Op: "index", Class: ClassPermanent, Code: "timestamp", Message: name + ": want 1 to 14 digits of a time"}
		}
		if value != "" {
			v.Set(name, value)
		}
	}
	if q.Resume != "" {
		v.Set("resumeKey", q.Resume)
	}
	return v, nil
}

// someDigits tells the beginning of a timestamp.
func someDigits(s string) bool {
	return len(s) <= len(stampForm) && strings.Trim(s, "0123456789") == ""
}

// checkAddress refuses what can't be asked for.
func checkAddress(op, address string) *Error {
	e := Request{URL: address}.check()
	if e != nil {
		e.Op = op
	}
	return e
}

// parseIndex reads an answer of the index.
func parseIndex(a *Answered) (IndexPage, *Error) {
	const op = "index"
	if e := turnedAway(op, a); e != nil {
		return IndexPage{}, e
	}
	if a.Status != http.StatusOK {
		return IndexPage{}, &Error{Op: op, Class: ClassOutage, Message: "an unexpected answer of the index"}
	}
	p, err := ParseIndex(a.Body)
	if err != nil {
		return IndexPage{}, &Error{Op: op, Class: ClassOutage, Message: clean(err.Error(), maxMessage)}
	}
	return p, nil
}

// ParseIndex reads an answer of the index as Index asks for it: the body, content
// codings undone. It is for answers that were kept. An empty body has no rows.
func ParseIndex(body []byte) (IndexPage, error) {
	body = bytes.TrimSpace(body)
	switch {
	case len(body) == 0:
		return IndexPage{}, nil
	case body[0] != '[':
		return IndexPage{}, errors.New("the answer of the index is not JSON")
	}
	return parseRows(body)
}

// parseRows reads a list of rows: the first names the columns; behind an empty
// one comes the resume key. Unknown columns are ignored.
func parseRows(body []byte) (IndexPage, error) {
	var p IndexPage
	d := json.NewDecoder(bytes.NewReader(body))
	if _, err := d.Token(); err != nil { // the bracket
		return p, fmt.Errorf("read index rows: %w", err)
	}
	var columns map[string]int
	first := ""
	for n := 0; d.More(); n++ {
		var row []json.RawMessage
		if err := d.Decode(&row); err != nil {
			return p, fmt.Errorf("read index row %d: %w", n, err)
		}
		switch {
		case n > maxRows+2:
			return p, fmt.Errorf("more than %d index rows", maxRows)
		case len(row) == 0:
			key, err := resumeKey(d)
			if err != nil {
				return p, err
			}
			p.Resume = key
		case columns == nil:
			if columns = header(row); columns == nil {
				return p, fmt.Errorf("the index answer does not name its columns")
			}
		default:
			r, ok := indexRow(columns, row)
			if !ok {
				p.Skipped++
				continue
			}
			if first == "" {
				first, p.one = r.Timestamp, true
			}
			p.one = p.one && r.Timestamp == first
			p.Rows, p.Last = append(p.Rows, r), max(p.Last, r.Timestamp)
		}
	}
	if _, err := d.Token(); err != nil {
		return p, fmt.Errorf("the index answer is cut short: %w", err)
	}
	if d.More() {
		return p, fmt.Errorf("the index answer goes on behind its end")
	}
	return p, nil
}

// resumeKey reads the row behind the empty one, which is the last.
func resumeKey(d *json.Decoder) (string, error) {
	if !d.More() {
		return "", nil // as written with no key
	}
	var row []string
	if err := d.Decode(&row); err != nil || len(row) != 1 || len(row[0]) > 2*maxURL {
		return "", fmt.Errorf("the index answer has no resume key where it belongs")
	}
	if d.More() {
		return "", fmt.Errorf("the index answer has rows behind its resume key")
	}
	if key, err := url.QueryUnescape(row[0]); err == nil {
		return key, nil // it is printed escaped, to be put into an address as it is
	}
	return row[0], nil
}

// header maps the names of columns to their places; nil without the ones needed.
func header(row []json.RawMessage) map[string]int {
	if len(row) > maxColumns {
		return nil
	}
	at := make(map[string]int, len(row))
	for i, raw := range row {
		if name := cell(raw); name != "" {
			at[name] = i
		}
	}
	for _, name := range []string{"timestamp", "original", "digest"} {
		if _, ok := at[name]; !ok {
			return nil
		}
	}
	return at
}

// indexRow reads one row; false if it does not name a capture.
func indexRow(columns map[string]int, row []json.RawMessage) (IndexRow, bool) {
	get := func(name string) string {
		i, ok := columns[name]
		if !ok || i >= len(row) {
			return ""
		}
		return cell(row[i])
	}
	r := IndexRow{
		URLKey:    bounded(get("urlkey")),
		Timestamp: get("timestamp"),
		Original:  get("original"),
		MIME:      clean(get("mimetype"), 200),
		RawDigest: clean(get("digest"), 200),
	}
	if _, err := ParseTimestamp(r.Timestamp); err != nil || !webAddress(r.Original) {
		return IndexRow{}, false
	}
	r.Revisit = r.MIME == "warc/revisit"
	if n, err := strconv.Atoi(get("statuscode")); err == nil && n >= 100 && n <= 999 {
		r.Status = n
	}
	if n, err := strconv.ParseInt(get("length"), 10, 64); err == nil && n > 0 {
		r.Length = n
	}
	if len(r.RawDigest) == 32 { // base32 of 20 bytes, without label
		r.Digest, _ = warc.ParseDigest("sha1:" + r.RawDigest) // else zero
	}
	return r, true
}

// cell reads a text or a number; "-" and null are nothing.
func cell(raw json.RawMessage) string {
	s := text(map[string]json.RawMessage{"": raw}, "")
	if s == "-" {
		return ""
	}
	return s
}

// sameDigest tells whether two digests are known and equal.
func sameDigest(a, b string) bool { return a != "" && a != "error" && a == b }
