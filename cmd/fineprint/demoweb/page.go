package demoweb

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"golang.org/x/text/language"
)

// trouble is what goes wrong at the first request for a page since Set.
type trouble int

const (
	none        trouble = iota
	unavailable         // 503 with Retry-After: 1
	cut                 // the connection ends after half of the body
)

// page is one answer of the site. It is not changed once built.
type page struct {
	host, path  string
	status      int // 0 is 200
	contentType string
	lang        string // Content-Language, "" without
	location    string // of a redirect
	mitigated   bool   // carries the field that names it a challenge
	body        []byte
	gzipped     []byte // body in gzip, nil if it is sent as it is
	etag        string // "" without

	chunked bool    // sent in several chunks, without a Content-Length
	noise   bool    // a comment that differs each time comes after the body
	first   trouble // at the first request

	chinese *page // what a reader who prefers Chinese gets instead; nil: the same
}

// of returns the representation that a request prefers (RFC 9110, section 12.5.4).
func (p *page) of(r *http.Request) *page {
	if p.chinese == nil {
		return p
	}
	// The first tag is the answer to a reader who takes neither.
	matcher := language.NewMatcher([]language.Tag{language.English, language.SimplifiedChinese})
	if _, i := language.MatchStrings(matcher, r.Header.Get("Accept-Language")); i == 1 {
		return p.chinese
	}
	return p
}

// send writes the answer to one request.
func (p *page) send(w http.ResponseWriter, r *http.Request, q request) {
	if q.hit == 1 && p.first == unavailable {
		w.Header().Set("Retry-After", "1")
		p = troublePage(http.StatusServiceUnavailable, "Service Unavailable", "We are moving a server. Please come back in a moment.")
	}
	h := w.Header()
	p.setHeader(h)
	if p.etag != "" && strings.Contains(r.Header.Get("If-None-Match"), p.etag) {
		h.Del("Content-Type")
		w.WriteHeader(http.StatusNotModified)
		return
	}
	body := p.body
	if p.noise {
		body = fmt.Appendf(bytes.Clone(body), "<!-- request %s -->\n", q.id)
	}
	if p.gzipped != nil && acceptsGzip(r) {
		h.Set("Content-Encoding", "gzip")
		if body = p.gzipped; p.noise {
			body = compress(fmt.Appendf(bytes.Clone(p.body), "<!-- request %s -->\n", q.id))
		}
	}
	if !p.chunked {
		h.Set("Content-Length", strconv.Itoa(len(body)))
	}
	w.WriteHeader(max(p.status, http.StatusOK))
	if r.Method == http.MethodHead {
		return
	}
	half := p.first == cut && q.hit == 1
	if half {
		body = body[:len(body)/2]
	}
	p.write(w, body)
	if half {
		panic(http.ErrAbortHandler) // closes the connection, as its comment says
	}
}

// setHeader sets the fields that are the same at each request.
func (p *page) setHeader(h http.Header) {
	for _, f := range []struct{ name, value string }{
		{"Content-Type", p.contentType}, {"Content-Language", p.lang}, {"Location", p.location}, {"ETag", p.etag},
	} {
		if f.value != "" {
			h.Set(f.name, f.value)
		}
	}
	if p.mitigated {
		h.Set("Cf-Mitigated", "challenge")
	}
	if p.gzipped != nil {
		h.Add("Vary", "Accept-Encoding")
	}
	if p.lang != "" && p.path == cookiesPath {
		h.Add("Vary", "Accept-Language")
	}
}

// write sends a body. Errors are those of a reader who went away: there is
// nobody left to tell.
func (p *page) write(w http.ResponseWriter, body []byte) {
	const piece = 1500 // below the server's buffer, so that each becomes one chunk
	flusher, _ := w.(http.Flusher)
	if flusher == nil || !p.chunked && p.first != cut {
		w.Write(body)
		return
	}
	for len(body) > 0 {
		n := min(piece, len(body))
		if _, err := w.Write(body[:n]); err != nil {
			return
		}
		flusher.Flush()
		body = body[n:]
	}
}

// acceptsGzip reports whether a request takes the content coding gzip (RFC 9110,
// section 12.5.3).
func acceptsGzip(r *http.Request) bool {
	for item := range strings.SplitSeq(r.Header.Get("Accept-Encoding"), ",") {
		coding, weight, _ := strings.Cut(strings.TrimSpace(item), ";")
		if !strings.EqualFold(strings.TrimSpace(coding), "gzip") {
			continue
		}
		q, weighted := strings.CutPrefix(strings.ReplaceAll(weight, " ", ""), "q=")
		if !weighted {
			return true
		}
		value, err := strconv.ParseFloat(q, 64)
		return err == nil && value > 0
	}
	return false
}

// compress returns b in gzip, without a time or name in its header.
func compress(b []byte) []byte {
	var buf bytes.Buffer
	z := gzip.NewWriter(&buf)
	if _, err := z.Write(b); err != nil {
		panic(fmt.Sprintf("demoweb: gzip into memory: %v", err))
	}
	if err := z.Close(); err != nil {
		panic(fmt.Sprintf("demoweb: gzip into memory: %v", err))
	}
	return buf.Bytes()
}

// entityTag returns a weak tag: the two codings of a body share it (RFC 9110,
// section 8.8.3).
func entityTag(body []byte) string {
	sum := sha256.Sum256(body)
	return fmt.Sprintf(`W/"%x"`, sum[:8])
}
