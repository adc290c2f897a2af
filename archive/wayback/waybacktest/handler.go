package waybacktest

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// The requests that the service knows: Request.Op.
const (
	opSubmit       = "submit"
	opStatus       = "status"
	opUser         = "user"
	opSystem       = "system"
	opIndex        = "index"
	opReplay       = "replay"
	opTimeMap      = "timemap"
	opTimeGate     = "timegate"
	opAvailability = "availability"
	opOther        = "other"
)

// readOps are the requests of the read side.
var readOps = []string{opIndex, opReplay, opTimeMap, opTimeGate, opAvailability}

// needsKeys tells the requests that are answered to an account only.
func needsKeys(op string) bool { return op == opSubmit || op == opStatus || op == opUser }

// call is a request that is being answered.
type call struct {
	op         string
	url        string // the address it is about, if it names one
	stamp      string // replay: the digits; availability: the parameter
	flags      string // replay: "id_" and the like
	form       string // timemap: "link" or "json"
	query      url.Values
	authorized bool
	fault      Fault
	over       bool // beyond a limit of requests
}

// ServeHTTP answers as the service would.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if s.refusing() {
		panic(http.ErrAbortHandler)
	}
	c := s.read(r)
	if c.op == opSubmit || c.op == opStatus {
		r.Body = http.MaxBytesReader(w, r.Body, 1<<20)
		if err := r.ParseForm(); err != nil {
			jsonReply(http.StatusBadRequest, object{"message": "bad form"}).write(w, r)
			return
		}
		if c.op == opSubmit {
			c.url = r.PostForm.Get("url")
		}
	}
	s.settle()
	s.record(r, c)
	defer s.leave(c.op)
	if c.op == opOther {
		http.NotFound(w, r)
		return
	}
	if s.before(w, r, c) {
		return
	}
	s.after(w, r, c, s.answer(r, c))
}

// answer does what a request asks for.
func (s *Server) answer(r *http.Request, c *call) reply {
	switch {
	case needsKeys(c.op) && !c.authorized:
		return jsonReply(http.StatusUnauthorized, object{"message": "You need to be logged in to use Save Page Now."})
	case c.over && s.cfg.Enforce:
		return jsonReply(http.StatusTooManyRequests, object{"message": "Too many requests"})
	case c.fault.Kind == AccessControl:
		return accessControl(c)
	}
	switch c.op {
	case opSubmit:
		return s.submit(r.PostForm, c.fault)
	case opStatus:
		return jsonReply(http.StatusOK, s.statuses(r, c.fault))
	case opUser:
		return s.user()
	case opIndex:
		return s.index(r, c)
	case opReplay:
		return s.replay(r, c)
	case opTimeMap:
		return s.timeMap(r, c)
	case opTimeGate:
		return s.timeGate(r, c)
	case opAvailability:
		return s.available(r, c)
	}
	return jsonReply(http.StatusOK, object{"status": "ok"})
}

// read names what a request asks for.
func (s *Server) read(r *http.Request) *call {
	c := &call{op: opOther, authorized: s.authorized(r)}
	p := strings.TrimSuffix(r.URL.Path, "/")
	get := r.Method == http.MethodGet || r.Method == http.MethodHead
	switch {
	case r.Method == http.MethodPost && p == "/save":
		c.op = opSubmit
	case get && p == "/save/status/user":
		c.op, c.query = opUser, r.URL.Query()
	case get && p == "/save/status/system":
		c.op = opSystem
	case r.Method == http.MethodPost && p == "/save/status", get && strings.HasPrefix(p, "/save/status/"):
		c.op = opStatus
	case get && (p == "/cdx/search/cdx" || p == "/cdx/search"):
		c.op, c.query = opIndex, r.URL.Query()
		c.url = c.query.Get("url")
	case get && p == "/wayback/available":
		c.op, c.query = opAvailability, r.URL.Query()
		c.url, c.stamp = c.query.Get("url"), c.query.Get("timestamp")
	case get && strings.HasPrefix(p, "/web/"):
		c.readWeb(r)
	}
	return c
}

// readWeb reads an address below /web/. The address of the page is the rest of
// the path as it was sent, and the query.
func (c *call) readWeb(r *http.Request) {
	rest := strings.TrimPrefix(r.URL.EscapedPath(), "/web/")
	query := ""
	if r.URL.RawQuery != "" || r.URL.ForceQuery {
		query = "?" + r.URL.RawQuery
	}
	if form, ok := strings.CutPrefix(rest, "timemap/"); ok {
		form, target, _ := strings.Cut(form, "/")
		c.op, c.form, c.url = opTimeMap, form, target+query
		if target == "" {
			c.url = r.URL.Query().Get("url")
		}
		return
	}
	if moment, target, ok := strings.Cut(rest, "/"); ok && target != "" {
		digits := strings.TrimRight(moment, "abcdefghijklmnopqrstuvwxyz_")
		flags := moment[len(digits):]
		if len(digits) >= 1 && len(digits) <= 14 && strings.Trim(digits, "0123456789") == "" && (flags == "" || len(flags) == 3 && flags[2] == '_') {
			c.op, c.stamp, c.flags, c.url = opReplay, digits, flags, wholeAddress(target+query)
			return
		}
	}
	c.op, c.url = opTimeGate, wholeAddress(rest+query)
}

// wholeAddress mends an address in a path: a lost slash, or no scheme.
func wholeAddress(address string) string {
	if strings.HasPrefix(address, "http://") || strings.HasPrefix(address, "https://") {
		return address
	}
	return withScheme(address)
}

// record remembers a request, counts what it breaks, and takes its fault.
func (s *Server) record(r *http.Request, c *call) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c.fault = s.fault(c)
	header := r.Header.Clone()
	if scheme, _, ok := strings.Cut(header.Get("Authorization"), " "); ok {
		header.Set("Authorization", scheme+" (hidden)")
	}
	if len(s.requests) < maxRequests {
		s.requests = append(s.requests, Request{Time: time.Now(), Op: c.op, Method: r.Method, Path: r.URL.Path,
			URL: c.url, Timestamp: c.stamp, Query: c.query, Form: r.PostForm, Header: header,
			Authorized: c.authorized, Fault: c.fault.Kind})
	}
	if c.op == opSubmit {
		s.submits[c.url]++
	}
	s.checkRules(r, c)
	rated, parallel := s.checkRate(c.op), s.enter(c.op)
	c.over = rated || parallel
	s.checkLoad()
}

// checkParameters counts what the service's document forbids or warns of.
// s.mu is held.
func (s *Server) checkParameters(form url.Values) {
	for name, values := range form {
		switch name {
		case "url":
			continue
		case "capture_all", "capture_outlinks", "capture_screenshot", "delay_wb_availability", "force_get",
			"skip_first_archive", "outlinks_availability", "email_result", "wacz":
			if slices.Contains(switchedOn, values[0]) {
				continue
			}
		case "js_behavior_timeout", "if_not_archived_within":
			continue
		}
		s.breaches["parameter"]++
	}
}

// switchedOn are the values that switch a parameter on.
var switchedOn = []string{"1", "on"}

// authorized tells whether a request has keys, and the right ones.
func (s *Server) authorized(r *http.Request) bool {
	access, secret, ok := strings.Cut(strings.TrimPrefix(r.Header.Get("Authorization"), "LOW "), ":")
	if !ok || !strings.HasPrefix(r.Header.Get("Authorization"), "LOW ") || access == "" || secret == "" {
		return false
	}
	return (s.cfg.Access == "" || access == s.cfg.Access) && (s.cfg.Secret == "" || secret == s.cfg.Secret)
}
