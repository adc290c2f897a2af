package demoweb

import (
	"fmt"
	"hash/fnv"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

// Names of the two hosts. The domain is reserved (RFC 2606, section 3).
const (
	WWW    = "www.plumvane.example"
	Static = "static.plumvane.example"
)

// Base has the addresses, scheme and authority without a path, at which the two
// hosts are reached.
type Base struct {
	WWW    string // such as "http://127.0.0.1:40001"
	Static string
}

// Names returns the base of a site that is reached by the names of its hosts: a
// Site as the crawler's HTTP proxy, or a resolver that knows them.
func Names() Base { return Base{WWW: "http://" + WWW, Static: "http://" + Static} }

// Site serves the web of one moment. It is safe for concurrent use.
type Site struct {
	mu     sync.Mutex
	base   Base             // guarded by mu
	moment Moment           // guarded by mu
	pages  map[string]*page // by host and path; the map is replaced, never changed
	hits   map[string]int   // by host and path, requests since Set; guarded by mu
	total  int              // requests since Set; guarded by mu
}

// New returns a site at the moment Before that is reached by its names. Start
// makes it reachable on loopback. It panics if the embedded files are broken.
func New() *Site {
	s := &Site{base: Names()}
	s.Set(Before)
	return s
}

// Set moves the site to a moment, or to the beginning of the same one: what
// fails once fails once more. It panics on a Moment that there is none of.
func (s *Site) Set(m Moment) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reset(s.base, m)
}

// Moment returns the moment that is served.
func (s *Site) Moment() Moment {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.moment
}

// Base returns the addresses that the pages name.
func (s *Site) Base() Base {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.base
}

// reset is called with mu held.
func (s *Site) reset(base Base, m Moment) {
	pages := make(map[string]*page)
	for _, p := range build(base, m) {
		pages[p.host+p.path] = p
	}
	s.base, s.moment, s.pages = base, m, pages
	s.hits, s.total = make(map[string]int), 0
}

// request is one request as counted.
type request struct {
	page *page // nil: there is no such page
	hit  int   // 1 for the first request for the page since Set
	id   string
	date time.Time
}

// count looks up what a request asks for. known is false for a host that is not
// of this site.
func (s *Site) count(host, path string) (q request, known bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	name := s.base.name(host)
	if name == "" {
		return request{}, false
	}
	key := name + path
	s.total++
	q.date = s.moment.Time().Add(time.Duration(s.total) * time.Second)
	q.page = s.pages[key]
	if q.page != nil { // unknown addresses must not fill the map
		s.hits[key]++
		q.hit = s.hits[key]
	}
	h := fnv.New64a()
	fmt.Fprintf(h, "%s %s %d %d", s.moment, key, q.hit, s.total)
	q.id = fmt.Sprintf("%016x", h.Sum64())
	return q, true
}

// name returns which of the two hosts a Host field means, "" for neither.
func (b Base) name(host string) string {
	host = strings.ToLower(host)
	for _, h := range []struct{ name, base string }{{WWW, b.WWW}, {Static, b.Static}} {
		if host == h.name || host == h.name+":80" || host == authority(h.base) {
			return h.name
		}
	}
	return ""
}

// authority returns the host and port of an address.
func authority(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return "" // equal to no Host field that arrives
	}
	return strings.ToLower(u.Host)
}

// ServeHTTP answers a request for either host, chosen by the Host field; other
// hosts get 421. Requests in absolute form, as a proxy gets them, are answered
// alike. To cut a connection it panics with http.ErrAbortHandler, which
// http.Server expects.
func (s *Site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	q, known := s.count(r.Host, r.URL.Path)
	if !known {
		http.Error(w, "this server does not know "+r.Host, http.StatusMisdirectedRequest)
		return
	}
	h := w.Header()
	h.Set("Date", q.date.Format(http.TimeFormat))
	h.Set("Server", "edge")
	h.Set("X-Request-Id", q.id)
	switch {
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		h.Set("Allow", "GET, HEAD")
		troublePage(http.StatusMethodNotAllowed, "Method Not Allowed", "Only GET and HEAD are understood.").send(w, r, q)
	case q.page == nil:
		troublePage(http.StatusNotFound, "Not Found", "There is no such page.").send(w, r, q)
	default:
		q.page.of(r).send(w, r, q)
	}
}
