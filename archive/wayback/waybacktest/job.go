package waybacktest

import (
	"crypto/sha1"
	"encoding/hex"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"sync"
	"time"
)

// job is one submit that was taken. Its fields are guarded by Server.mu, except
// the ones that never change.
type job struct {
	id, url    string
	began      time.Time
	ends       time.Time
	screenshot bool
	errorsToo  bool          // capture_all
	lag        time.Duration // delay_wb_availability
	fault      Fault         // that the capture is to suffer

	once     sync.Once // settles
	settled  bool
	failed   bool
	code     string // status_ext of a job that failed; may be empty
	message  string
	original string // the address captured, after redirects
	stamp    string
	status   int
	polls    int // after the window
}

// jobID makes an id of the service's form. s.mu is held.
func (s *Server) jobID(address string) string {
	s.serial++
	sum := sha1.Sum([]byte(strconv.Itoa(s.serial) + " " + address))
	return "spn2-" + hex.EncodeToString(sum[:])
}

// over tells whether a job has ended; a forgotten one gives its slot back too,
// but is never reported.
func (s *Server) over(j *job) bool { return !j.ends.After(time.Now()) }

// settle makes the captures of all jobs that have ended. It returns when they
// are made, also if another request makes them.
func (s *Server) settle() {
	s.mu.Lock()
	var ended []*job
	for _, j := range s.open {
		if s.over(j) {
			ended = append(ended, j)
		}
	}
	s.mu.Unlock()
	if len(ended) == 0 {
		return
	}
	for _, j := range ended {
		j.once.Do(func() { s.finish(j) })
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open = slices.DeleteFunc(s.open, func(j *job) bool { return j.settled })
}

// active counts the jobs that run. s.mu is held.
func (s *Server) active() int {
	n := 0
	for _, j := range s.open {
		if !s.over(j) {
			n++
		}
	}
	return n
}

// visit is an address with its page.
type visit struct {
	url  string
	page Page
}

// maxRedirects is how many the service follows.
const maxRedirects = 3

// finish fetches the page of a job that has ended and makes its captures.
func (s *Server) finish(j *job) {
	visits := s.visits(j)
	last := visits[len(visits)-1]
	s.mu.Lock()
	defer s.mu.Unlock()
	j.settled, j.status, j.original = true, last.page.Status, last.url
	switch code, bad := pageErrors[last.page.Status]; {
	case j.failed || last.page.Status < 400 && len(visits) <= maxRedirects+1 || j.errorsToo:
	case len(visits) > maxRedirects+1:
		j.failed, j.code, j.message = true, "error:too-many-redirects", "The target redirects too often"
	case bad:
		j.failed, j.code, j.message = true, code, "The target answered HTTP "+strconv.Itoa(last.page.Status)
	default:
		j.failed, j.code, j.message = true, "error:job-failed", "Job failed"
	}
	at := s.freeTime(j)
	j.stamp = stamp(at)
	if j.failed && j.fault.Kind != JobErrorCaptured || j.fault.Kind == Stuck {
		return
	}
	for _, v := range visits {
		s.keep(j, v, at)
	}
	if j.screenshot {
		s.keep(j, visit{screenshotURL(j.url), Page{Status: 200, Header: http.Header{"Content-Type": {"image/png"}}, Body: picture()}}, at)
	}
}

// visits asks for the page of a job, and for those to which it redirects.
func (s *Server) visits(j *job) []visit {
	if j.fault.Kind == OtherURL {
		other := j.fault.Location
		if other == "" {
			other = j.url + "?lang=other"
		}
		return []visit{{j.url, Page{Status: 302, Header: http.Header{"Location": {other}}}}, {other, s.page(other)}}
	}
	var list []visit
	address := j.url
	for {
		p := s.page(address)
		list = append(list, visit{address, p})
		target, err := url.Parse(address)
		if err == nil && p.Header.Get("Location") != "" {
			target, err = target.Parse(p.Header.Get("Location"))
		}
		if err != nil || p.Status < 300 || p.Status > 399 || p.Header.Get("Location") == "" || len(list) > maxRedirects+1 {
			return list
		}
		address = target.String()
	}
}

// page asks the hooks. No lock is held.
func (s *Server) page(address string) Page {
	p := Page{}
	switch {
	case s.cfg.FetchPage != nil:
		p = s.cfg.FetchPage(address)
	case s.cfg.Fetch != nil:
		p.Status, p.Body = s.cfg.Fetch(address)
	}
	if p.Status == 0 {
		p.Status = http.StatusOK
	}
	return p
}

// freeTime is the moment of a job's capture: its end by the service's clock,
// later by seconds if the address has a capture of that second. s.mu is held.
func (s *Server) freeTime(j *job) time.Time {
	at := j.ends.Add(s.clock)
	if j.fault.Kind == WrongTime {
		at = at.Add(j.fault.Delay)
	}
	taken := func(c *capture) bool { return c.Timestamp == stamp(at) }
	for slices.ContainsFunc(s.captures[URLKey(j.url)], taken) {
		at = at.Add(time.Second)
	}
	return at
}

// keep makes the capture of a visit. s.mu is held.
func (s *Server) keep(j *job, v visit, at time.Time) {
	c := &capture{at: at.UTC().Truncate(time.Second),
		indexed: j.ends.Add(s.scaled(s.cfg.IndexLag + j.lag)), replayable: j.ends.Add(s.scaled(s.cfg.ReplayLag + j.lag)),
		Capture: Capture{JobID: j.id, URL: v.url, Timestamp: stamp(at), Status: v.page.Status,
			Header: v.page.Header, Body: v.page.Body, Chunked: v.page.Chunked,
			Src: "spn2-" + stamp(j.began.Add(s.clock)) + "-wwwb-spn22.us.archive.org-8002.warc.gz"}}
	f := j.fault
	if f.Kind == Vanished && f.Delay == 0 {
		f.Delay = 12 * time.Hour
	}
	s.mark(c, f, j.ends)
	if v.url == j.original {
		s.rewrite(c, j.fault)
	}
	if sum := digest(c.Body); c.Digest == "" && len(c.Body) > 0 {
		c.Revisit = slices.ContainsFunc(s.captures[URLKey(v.url)], func(old *capture) bool {
			return old.Digest == sum && old.JobID != ""
		})
	}
	s.store(c)
	if v.url == j.original {
		j.status = c.Status
		s.made = append(s.made, c)
	}
}

// pageErrors are the status_ext of pages that answer with an error.
var pageErrors = map[int]string{
	400: "error:bad-request", 401: "error:unauthorized", 403: "error:no-access", 404: "error:not-found",
	405: "error:method-not-allowed", 429: "error:too-many-requests", 500: "error:internal-server-error",
	502: "error:bad-gateway", 503: "error:service-unavailable", 504: "error:gateway-timeout",
}
