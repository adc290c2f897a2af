package crawler

import (
	"context"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"path"
	"runtime"
	"strings"
	"time"

	"github.com/gocolly/colly/v2"
	"golang.org/x/net/publicsuffix"

	"github.com/fineprint-archive/fineprint/crawler/declaration"
	"github.com/fineprint-archive/fineprint/warc"
)

// Visit looks at a source once: its page with all redirects, the robots.txt of
// every host on the way, and, if wanted, the page's requisites. Every exchange
// goes to the sink. Whatever happens, the result is a manifest with the facts of
// the look; what only the archive knows (N, Prev, Bytes, SameAs, Declaration,
// Run, Tool, Members) is left out. When the context ends, the exchange under way
// is cut, stored and labelled interrupted.
func (c *Crawler) Visit(ctx context.Context, src declaration.Source, sink Sink, ask Ask) warc.Manifest {
	l := &look{c: c, src: src, sink: sink, ask: ask}
	l.m = warc.Manifest{
		Version:        warc.ManifestVersion,
		Type:           "look",
		Source:         src.ID,
		URL:            src.URL,
		AcceptLanguage: src.AcceptLanguage,
		Vantage:        src.Vantage,
		Time:           time.Now().UTC(),
	}
	if src.IgnoreRobots {
		l.m.Robots = &warc.Robots{Policy: "ignore", Reason: src.RobotsReason}
	}
	v := &visitor{look: l}
	err := v.visitPage(ctx)
	l.conclude(err)
	if l.m.Result == warc.Captured && len(v.found) > 0 {
		v.requisites(ctx)
	}
	l.hops.close()
	l.settle()
	l.m.Ended = time.Now().UTC()
	return l.m
}

// visitor drives Colly for one look.
type visitor struct {
	*look
	jar   *cookiejar.Jar
	found []requisite // on the page, in the order in which they are fetched
}

// visitPage fetches the page through Colly. A panic on the way is an error of ours
// and ends this look only.
func (v *visitor) visitPage(ctx context.Context) (err *Error) {
	defer v.recovered(&err)
	jar, jerr := cookiejar.New(&cookiejar.Options{PublicSuffixList: publicsuffix.List})
	if jerr != nil {
		return newError(CodeInternal, jerr)
	}
	v.jar = jar // fresh: no look is coloured by another
	v.hops = hops{kind: warc.KindPage}
	col := v.collector(ctx)
	col.OnResponse(func(*colly.Response) {
		if v.want { // parsing is paid for only then
			col.OnHTML("html", v.collect)
		}
	})
	if verr := col.Visit(v.src.URL); verr != nil {
		return v.visitError(verr)
	}
	return nil
}

// collector returns a Colly collector on top of our transport. Everything Colly
// could do about limits, robots, caches and sizes is switched off: ours come first.
func (v *visitor) collector(ctx context.Context) *colly.Collector {
	col := colly.NewCollector(
		colly.StdlibContext(ctx),
		colly.UserAgent(v.c.userAgent),
		colly.AllowURLRevisit(),
		colly.MaxBodySize(0),
		colly.ParseHTTPErrorResponse(),
		colly.IgnoreRobotsTxt(),
	)
	col.WithTransport(v.look)
	col.SetRequestTimeout(0) // each exchange has its own limits
	col.SetCookieJar(v.jar)
	// Redirects are counted and checked in RoundTrip.
	col.SetRedirectHandler(func(*http.Request, []*http.Request) error { return nil })
	return col
}

// visitError gives an error that came through Colly its code. Errors of our
// transport are in the chain; what remains is an address that Colly or net/http
// refused.
func (v *visitor) visitError(err error) *Error {
	if e := Classify(err); e.Code != CodeInternal {
		return e
	}
	if len(v.hops.seen) == 0 {
		return newError(CodeUnsupported, err)
	}
	return newError(CodeBadRedirect, err)
}

// recovered turns a panic into an error.
func (v *visitor) recovered(err **Error) {
	if p := recover(); p != nil {
		e := panicked(p)
		v.failure, v.fatal = e, e
		*err = e
	}
}

// panicked is the error of a recovered panic. It names where the panic was: a
// manifest is all that is left of it. Called by the deferred function itself.
func panicked(p any) *Error {
	pcs := make([]uintptr, 32)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(3, pcs)])
	for {
		f, more := frames.Next()
		if !strings.HasPrefix(f.Function, "runtime.") {
			return errorf(CodeInternal, "panic: %v (in %s, %s:%d)", p, f.Function, path.Base(f.File), f.Line)
		}
		if !more {
			return errorf(CodeInternal, "panic: %v", p)
		}
	}
}

// conclude says what the look brought.
func (l *look) conclude(err *Error) {
	m := &l.m
	if l.failure != nil {
		err = l.failure
	}
	if p := l.page; p != nil {
		m.Status = p.ex.Status
		m.FinalURL = p.ex.URI
		l.payload(p)
		if err == nil {
			err = p.verdict()
		}
	} else if err == nil {
		err = errorf(CodeInternal, "no exchange was made")
	}
	if err != nil {
		m.Result, m.Error, m.Detail, m.Transient = warc.Failed, string(err.Code), detail(err), err.Transient
		return
	}
	m.Result = warc.Captured
	if m.Status == http.StatusNotModified {
		m.Result = warc.NotModified
	}
}

// verdict says why the page's last response is not the page, nil if it is.
func (p *pageFacts) verdict() *Error {
	switch {
	case p.err != nil:
		return p.err
	case p.ex.Status == http.StatusNotModified && p.conditional:
		return nil
	case p.ex.Status == http.StatusNotModified:
		return errorf(CodeHTTPStatus, "HTTP status 304 without a condition in the request")
	case p.ex.Status == http.StatusPartialContent:
		return errorf(CodeHTTPStatus, "HTTP status 206 without a range in the request")
	case isRedirect(p.ex.Status):
		return errorf(CodeBadRedirect, "HTTP status %d without a Location", p.ex.Status)
	case p.ex.Status >= 300 && p.ex.Status < 400:
		return errorf(CodeHTTPStatus, "HTTP status %d", p.ex.Status)
	}
	return ClassifyStatus(p.ex.Status, p.header, p.ex.Ended)
}

// payload describes the body of the page's last response. A 304 has none.
func (l *look) payload(p *pageFacts) {
	ex := &p.ex
	if ex.Head == 0 || ex.Status == http.StatusNotModified {
		return
	}
	l.m.Payload = &warc.Payload{
		Record:        p.stored.ResponseID,
		MIME:          ex.MIME,
		Size:          ex.PayloadSize,
		SHA256:        ex.PayloadSHA256,
		SHA1:          ex.PayloadSHA1,
		DecodedSize:   ex.DecodedSize,
		DecodedSHA256: ex.DecodedSHA256,
		ETag:          p.header.Get("ETag"),
		LastModified:  p.header.Get("Last-Modified"),
	}
}

// settle moves what the manifest says of the page itself out of the notes: the
// digest of its payload, and its TLS session, also where other exchanges had
// the same.
func (l *look) settle() {
	if l.page == nil {
		return
	}
	notes := l.m.Exchanges
	page := &notes[l.page.note]
	if l.m.Payload != nil {
		page.Size, page.SHA256 = 0, warc.Digest{}
	}
	l.m.TLS = page.TLS
	if l.m.TLS == nil {
		return
	}
	// Requisites and robots.txt have no handshake proof.
	bare := *l.m.TLS
	bare.Proof, bare.Anchor, bare.ProofMissing = warc.Digest{}, warc.Digest{}, ""
	for i := range notes {
		if s := notes[i].TLS; s != nil && (*s == *l.m.TLS || *s == bare) {
			notes[i].TLS = nil
		}
	}
}

// maxDetail bounds the text for people in a manifest, in bytes.
const maxDetail = 400

// detail returns the text of an error for a manifest: valid UTF-8, one line. Of a
// longer one both ends are kept: it begins with what was done and ends with why
// that is not possible.
func detail(err *Error) string {
	s := strings.ToValidUTF8(err.Detail(), "\ufffd")
	s = strings.Map(func(r rune) rune {
		if r < ' ' {
			return ' '
		}
		return r
	}, s)
	if len(s) > maxDetail {
		s = strings.ToValidUTF8(s[:maxDetail/2], "") + "…" + strings.ToValidUTF8(s[len(s)-maxDetail/2:], "")
	}
	return s
}

// absolute resolves an address found on a page, nil if it is none of the web.
func absolute(r *colly.Request, ref string) *url.URL {
	ref = strings.TrimSpace(ref)
	if ref == "" {
		return nil
	}
	u, err := url.Parse(r.AbsoluteURL(ref))
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil
	}
	u.Fragment, u.RawFragment, u.User = "", "", nil
	return u
}
