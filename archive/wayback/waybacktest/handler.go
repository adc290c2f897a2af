package waybacktest

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// ServeHTTP answers as the service would.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 1<<20)
	if err := r.ParseForm(); err != nil {
		writeJSON(w, http.StatusBadRequest, object{"message": "bad form"})
		return
	}
	op := operation(r)
	authorized := s.authorized(r)
	fault := s.record(r, op, authorized)
	if op == "other" {
		http.NotFound(w, r)
		return
	}
	if s.before(w, r, fault) {
		return
	}
	status, answer := http.StatusOK, any(object{"status": "ok"})
	switch {
	case op == "system":
	case !authorized:
		status, answer = http.StatusUnauthorized, object{"message": "You need to be logged in to use Save Page Now."}
	case op == "submit":
		status, answer = s.submit(r.PostForm, fault)
	case op == "user":
		answer = s.user()
	default:
		answer = s.statuses(r, fault)
	}
	s.after(w, fault, status, answer)
}

// object is a JSON object.
type object = map[string]any

// operation names what a request asks for.
func operation(r *http.Request) string {
	p := strings.TrimSuffix(r.URL.Path, "/")
	switch {
	case r.Method == http.MethodPost && p == "/save":
		return "submit"
	case r.Method == http.MethodGet && p == "/save/status/user":
		return "user"
	case r.Method == http.MethodGet && p == "/save/status/system":
		return "system"
	case r.Method == http.MethodPost && p == "/save/status",
		r.Method == http.MethodGet && strings.HasPrefix(p, "/save/status/"):
		return "status"
	}
	return "other"
}

// record remembers a request, counts what it breaks, and takes its fault.
func (s *Server) record(r *http.Request, op string, authorized bool) Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	fault := s.fault(op, r.PostForm.Get("url"))
	header := r.Header.Clone()
	if scheme, _, ok := strings.Cut(header.Get("Authorization"), " "); ok {
		header.Set("Authorization", scheme+" (hidden)")
	}
	if len(s.requests) < maxRequests {
		s.requests = append(s.requests, Request{Time: time.Now(), Op: op, Method: r.Method, Path: r.URL.Path,
			Form: r.PostForm, Header: header, Authorized: authorized, Fault: fault.Kind})
	}
	if !authorized && op != "system" {
		s.breaches["keys"]++
	}
	if agent := r.UserAgent(); agent == "" || strings.HasPrefix(agent, "Go-http-client") {
		s.breaches["user-agent"]++
	}
	if op == "submit" {
		s.checkParameters(r.PostForm)
	}
	kind, limit := "status", s.cfg.StatusLimit
	if op == "submit" {
		kind, limit = "submit", s.cfg.PerMinute
	}
	if s.rate(kind) > limit {
		s.breaches[map[string]string{"submit": "submits-per-minute", "status": "status-per-minute"}[kind]]++
	}
	return fault
}

// rate counts a request and returns how many came in the last minute. s.mu is held.
func (s *Server) rate(kind string) int {
	now := time.Now()
	since := now.Add(-s.scaled(time.Minute))
	times := append(s.recent[kind], now)
	i := slices.IndexFunc(times, func(t time.Time) bool { return t.After(since) })
	times = times[i:]
	s.recent[kind] = times
	return len(times)
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
			if values[0] == "1" || values[0] == "on" {
				continue
			}
		case "js_behavior_timeout", "if_not_archived_within":
			continue
		}
		s.breaches["parameter"]++
	}
}

// before does the faults in which the request has no effect; true if it answered.
func (s *Server) before(w http.ResponseWriter, r *http.Request, f Fault) bool {
	switch f.Kind {
	case TooMany:
		retryAfter(w, f.RetryAfter)
		writeJSON(w, http.StatusTooManyRequests, object{"message": "Too many requests"})
	case HTTPStatus:
		retryAfter(w, f.RetryAfter)
		writeHTML(w, f.Status, http.StatusText(f.Status))
	case HTML:
		writeHTML(w, http.StatusOK, "Temporarily Offline")
	case Body:
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, f.Body)
	case Reset:
		panic(http.ErrAbortHandler)
	case Slow:
		t := time.NewTimer(s.scaled(f.Delay))
		defer t.Stop()
		select {
		case <-t.C:
		case <-r.Context().Done():
		}
		return false
	default:
		return false
	}
	return true
}

// after writes the answer, or does what prevents it.
func (s *Server) after(w http.ResponseWriter, f Fault, status int, answer any) {
	switch f.Kind {
	case Lost:
		panic(http.ErrAbortHandler)
	case StatusAfter:
		writeHTML(w, f.Status, http.StatusText(f.Status))
	case Truncated:
		b, _ := json.Marshal(answer) // of our own types
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Length", strconv.Itoa(len(b)))
		w.Write(b[:len(b)/2])
		http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	default:
		writeJSON(w, status, answer)
	}
}

// submit takes a job, or answers with the one of the window.
func (s *Server) submit(form url.Values, fault Fault) (int, any) {
	address := form.Get("url")
	if u, err := url.Parse(address); err != nil || u.Host == "" {
		return http.StatusOK, object{"status": "error", "status_ext": "error:invalid-url-syntax", "message": "Invalid URL"}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	if j := s.last[address]; j != nil && now.Before(j.began.Add(s.scaled(s.cfg.Window))) && !(j.failed && s.over(j)) {
		minutes := int(now.Sub(j.began).Minutes() * s.cfg.TimeScale)
		return http.StatusOK, object{"url": address, "job_id": j.id, "message": fmt.Sprintf(
			"The same snapshot had been made %d minutes ago. You can make new capture of this URL after 1 hour.", minutes)}
	}
	if refusal := s.refuse(address); refusal != nil {
		return http.StatusOK, refusal
	}
	j := &job{id: s.jobID(address), url: address, began: now, ends: now.Add(s.scaled(s.cfg.PendingFor))}
	fault.spoil(j)
	s.jobs[j.id], s.last[address], s.order = j, j, append(s.order, j)
	answer := object{"url": address, "job_id": j.id}
	if fault.Kind == Delayed {
		j.ends = j.ends.Add(s.scaled(fault.Delay))
		answer["message"] = fmt.Sprintf("The capture will start in ~%d hours, %d minutes because our service is currently overloaded.",
			int(fault.Delay.Hours()), int(fault.Delay.Minutes())%60)
	}
	return http.StatusOK, answer
}

// refuse counts the limits that a new job breaks and, with Config.Enforce,
// returns what the service says then. s.mu is held.
func (s *Server) refuse(address string) object {
	var refusal object
	breach := func(name string, answer object) {
		s.breaches[name]++
		if s.cfg.Enforce && refusal == nil {
			refusal = answer
		}
	}
	today, ofURL := s.today(address)
	if s.active() >= s.cfg.Slots {
		breach("slots", object{"message": "You have already reached the limit of active Save Page Now sessions. Please wait for a minute and then try again."})
	}
	if today >= s.cfg.PerDay {
		breach("per-day", object{"message": fmt.Sprintf("You cannot make more than %d captures per day.", s.cfg.PerDay)})
	}
	if ofURL >= s.cfg.PerURLDay {
		breach("per-url-day", object{"status": "error", "status_ext": "error:too-many-daily-captures",
			"message": fmt.Sprintf("This URL has been already captured %d times today.", s.cfg.PerURLDay)})
	}
	return refusal
}

// active counts the jobs that run. s.mu is held.
func (s *Server) active() int {
	n := 0
	for _, j := range slices.Backward(s.order) {
		if !s.over(j) {
			n++
		}
	}
	return n
}

// today counts the jobs of the UTC day, all and of one address. s.mu is held.
func (s *Server) today(address string) (all, ofURL int) {
	day := stamp(time.Now())[:8]
	for _, j := range s.order {
		if stamp(j.began)[:8] == day {
			all++
			if j.url == address {
				ofURL++
			}
		}
	}
	return all, ofURL
}

// user answers for the account.
func (s *Server) user() any {
	s.mu.Lock()
	defer s.mu.Unlock()
	today, _ := s.today("")
	active := s.active()
	return object{"available": max(0, s.cfg.Slots-active), "processing": active,
		"daily_captures": today, "daily_captures_limit": s.cfg.PerDay, "daily_status_limit": 70000}
}

// statuses answers for one job or several.
func (s *Server) statuses(r *http.Request, fault Fault) any {
	if ids := r.PostForm.Get("job_ids"); ids != "" {
		all := []any{}
		for id := range strings.SplitSeq(ids, ",") {
			all = append(all, s.status(id, fault))
		}
		return all
	}
	id := r.PostForm.Get("job_id")
	if r.Method == http.MethodGet {
		id = strings.TrimPrefix(strings.TrimSuffix(r.URL.Path, "/"), "/save/status/")
	}
	return s.status(id, fault)
}

// status answers for one job. An id that was never given out, and one older than
// the window, is pending for ever.
func (s *Server) status(id string, fault Fault) any {
	pending := object{"status": "pending", "job_id": id, "resources": []string{}}
	s.mu.Lock()
	j := s.jobs[id]
	waits := j == nil || j.forgotten || fault.Kind == Forgotten || !s.over(j) ||
		time.Now().After(j.ends.Add(s.scaled(s.cfg.Window)))
	s.mu.Unlock()
	if waits {
		return pending
	}
	s.fetch(j)
	s.mu.Lock()
	defer s.mu.Unlock()
	if j.failed {
		answer := object{"status": "error", "job_id": id, "message": j.message, "resources": []string{}}
		if j.code != "" {
			answer["status_ext"], answer["exception"] = j.code, j.code
		}
		return answer
	}
	original := j.url
	if j.partial {
		original = path(j.url)
	}
	return object{"status": "success", "job_id": id, "original_url": original, "timestamp": stamp(j.ends),
		"duration_sec": s.cfg.PendingFor.Seconds(), "resources": []string{j.url}, "outlinks": []string{},
		"counters": object{"embeds": 0, "outlinks": 0}, "http_status": j.status}
}

// retryAfter sets the header, in whole seconds.
func retryAfter(w http.ResponseWriter, d time.Duration) {
	if d > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(d.Seconds()))))
	}
}

// writeJSON writes an answer; the client's going away is its own business.
func writeJSON(w http.ResponseWriter, status int, answer any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(answer)
}

// writeHTML writes a page of HTML instead of an answer.
func writeHTML(w http.ResponseWriter, status int, words string) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	fmt.Fprintf(w, "<!DOCTYPE html><title>%s</title><h1>%s</h1>", words, words)
}
