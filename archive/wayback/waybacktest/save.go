package waybacktest

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// submit takes a job, or answers with the one of the window.
func (s *Server) submit(form url.Values, fault Fault) reply {
	address := form.Get("url")
	if u, err := url.Parse(address); err != nil || u.Host == "" {
		return jsonReply(http.StatusOK, object{"status": "error", "status_ext": "error:invalid-url-syntax", "message": "Invalid URL"})
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	if j := s.last[address]; j != nil && now.Before(j.began.Add(s.scaled(s.cfg.Window))) && !(j.failed && s.over(j)) {
		minutes := int(now.Sub(j.began).Minutes() * s.cfg.TimeScale)
		return jsonReply(http.StatusOK, object{"url": address, "job_id": j.id, "message": fmt.Sprintf(
			"The same snapshot had been made %d minutes ago. You can make new capture of this URL after 1 hour.", minutes)})
	}
	if refusal := s.refuseJob(address); refusal != nil {
		return jsonReply(http.StatusOK, refusal)
	}
	on := func(name string) bool { return slices.Contains(switchedOn, form.Get(name)) }
	j := &job{id: s.jobID(address), url: address, began: now, ends: now.Add(s.scaled(s.cfg.PendingFor)),
		screenshot: on("capture_screenshot"), errorsToo: on("capture_all"), fault: fault}
	if on("delay_wb_availability") {
		j.lag = 12 * time.Hour
	}
	if fault.Kind == JobError || fault.Kind == JobErrorCaptured {
		j.failed, j.code, j.message = true, fault.Code, fault.Message
	}
	answer := object{"url": address, "job_id": j.id}
	if fault.Kind == Delayed {
		j.ends = j.ends.Add(s.scaled(fault.Delay))
		answer["message"] = fmt.Sprintf("The capture will start in ~%d hours, %d minutes because our service is currently overloaded.",
			int(fault.Delay.Hours()), int(fault.Delay.Minutes())%60)
	}
	s.today(address) // turns the day over, if it has ended
	s.dayTotal, s.dayOf[address] = s.dayTotal+1, s.dayOf[address]+1
	s.jobs[j.id], s.last[address], s.open = j, j, append(s.open, j)
	return jsonReply(http.StatusOK, answer)
}

// refuseJob counts the limits that a new job breaks and, with Config.Enforce,
// returns what the service says then. s.mu is held.
func (s *Server) refuseJob(address string) object {
	var refusal object
	breach := func(name string, answer object) {
		s.breaches[name]++
		if s.cfg.Enforce && refusal == nil {
			refusal = answer
		}
	}
	today, ofURL := s.today(address)
	if s.active() >= s.limits.Slots {
		breach("slots", object{"message": "You have already reached the limit of active Save Page Now sessions. Please wait for a minute and then try again."})
	}
	if today >= s.limits.PerDay {
		breach("per-day", object{"message": fmt.Sprintf("You cannot make more than %d captures per day.", s.limits.PerDay)})
	}
	if ofURL >= s.limits.PerURLDay {
		breach("per-url-day", object{"status": "error", "status_ext": "error:too-many-daily-captures",
			"message": fmt.Sprintf("This URL has been already captured %d times today.", s.limits.PerURLDay)})
	}
	return refusal
}

// user answers for the account.
func (s *Server) user() reply {
	s.mu.Lock()
	defer s.mu.Unlock()
	today, _ := s.today("")
	active := s.active()
	return jsonReply(http.StatusOK, object{"available": max(0, s.limits.Slots-active), "processing": active,
		"daily_captures": today, "daily_captures_limit": s.limits.PerDay, "daily_status_limit": s.limits.DailyStatus})
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
	if r.Method != http.MethodPost {
		id = strings.TrimPrefix(strings.TrimSuffix(r.URL.Path, "/"), "/save/status/")
	}
	return s.status(id, fault)
}

// maxLatePolls is how often a job may be asked for after its window.
const maxLatePolls = 20

// status answers for one job. An id that was never given out, and one older than
// the window, is pending for ever.
func (s *Server) status(id string, fault Fault) object {
	s.mu.Lock()
	defer s.mu.Unlock()
	pending := object{"status": "pending", "job_id": id, "resources": []string{}}
	j := s.jobs[id]
	if j == nil {
		return pending
	}
	if time.Now().After(j.ends.Add(s.scaled(s.cfg.Window))) {
		if j.polls++; j.polls > maxLatePolls {
			s.breaches["polling"]++
		}
		return pending
	}
	if !j.settled || j.fault.Kind == Forgotten || j.fault.Kind == Stuck || fault.Kind == Forgotten {
		return pending
	}
	if j.failed {
		answer := object{"status": "error", "job_id": id, "message": j.message, "resources": []string{}}
		if j.code != "" {
			answer["status_ext"], answer["exception"] = j.code, j.code
		}
		return answer
	}
	original := j.original
	if j.fault.Kind == PartialSuccess {
		original = path(j.original)
	}
	answer := object{"status": "success", "job_id": id, "original_url": original, "timestamp": j.stamp,
		"duration_sec": s.cfg.PendingFor.Seconds(), "resources": []string{j.original}, "outlinks": []string{},
		"counters": object{"embeds": 0, "outlinks": 0}, "http_status": j.status}
	if j.screenshot {
		answer["screenshot"] = screenshotURL(j.url)
	}
	return answer
}

// path returns what follows the host of an address.
func path(address string) string {
	_, rest, _ := strings.Cut(address, "://")
	if i := strings.IndexByte(rest, '/'); i >= 0 {
		return rest[i:]
	}
	return "/"
}
