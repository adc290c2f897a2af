package crawler

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	whatwg "github.com/nlnwa/whatwg-url/url"
	"golang.org/x/net/http/httpguts"

	"github.com/fineprint-archive/fineprint/crawler/declaration"
	"github.com/fineprint-archive/fineprint/warc"
)

const (
	// maxRedirects is how many redirects of a page are followed.
	maxRedirects = 10
	// maxPageForColly bounds the decoded body that is searched for requisites.
	// What is archived has its own limit, see WireConfig.MaxBody.
	maxPageForColly = 32 << 20
	// accept is what a browser sends for a document; the kinds of a page's
	// parts are asked for by */*.
	accept = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
)

// look is the state of one Visit. It is used by one goroutine: Colly runs
// synchronously.
type look struct {
	c    *Crawler
	src  declaration.Source
	sink Sink
	ask  Ask

	m       warc.Manifest
	failure *Error        // why the look failed, the first reason counts
	fatal   *Error        // nothing more can be done in this look: stopped, or storage failed
	waited  time.Duration // for hosts so far, see Config.MaxWait

	hops hops       // of the page, or of the requisite at hand
	page *pageFacts // of the last response of the page, nil if there is none
	want bool       // requisites are wanted: Colly gets the body

	spent Budget // on requisites
}

// pageFacts are what conclude needs of the page's last exchange.
type pageFacts struct {
	ex          warc.Exchange // without blocks
	stored      warc.Stored
	header      http.Header
	err         *Error // of the exchange
	conditional bool   // it was asked with validators
	note        int    // index of its note
}

// hops is the chain of redirects from one address on.
type hops struct {
	kind  warc.Kind
	via   string // record id of the response that led here
	from  string // address of that response
	count int    // redirects followed
	seen  []string
	open  *Recorded // the last exchange, whose body may still be read

	blamed bool // the note of an exchange says what went wrong
}

// close frees the exchange whose body was handed out.
func (h *hops) close() {
	if h.open != nil {
		h.open.Close()
		h.open = nil
	}
}

// RoundTrip is the transport under Colly: one hop of a page or requisite. It
// asks robots.txt, waits for the host, makes the exchange, has it stored, and
// only then hands out a decoded copy. The error is an *Error.
func (l *look) RoundTrip(req *http.Request) (*http.Response, error) {
	l.hops.close()
	resp, err := l.hop(req)
	if err != nil {
		l.fail(err)
		return nil, err
	}
	return resp, nil
}

// fail notes why the page, not a requisite, failed.
func (l *look) fail(err *Error) {
	if l.hops.kind == warc.KindPage && l.failure == nil {
		l.failure = err
	}
}

// hop makes the exchange for one address.
func (l *look) hop(req *http.Request) (*http.Response, *Error) {
	ctx := req.Context()
	u := *req.URL
	u.Fragment, u.RawFragment, u.User = "", "", nil
	if err := l.admit(req, &u); err != nil {
		return nil, err
	}
	if err := l.obey(ctx, &u); err != nil {
		return nil, err
	}
	mine, conditional := l.request(req, &u)
	rec, stored, err := l.exchange(ctx, l.hops.kind, mine, l.hops.via)
	if err != nil {
		return nil, err
	}
	l.hops.open = rec
	l.hops.via, l.hops.from, l.hops.blamed = stored.ResponseID, rec.URI, rec.Err != nil
	if l.hops.kind == warc.KindPage {
		l.remember(rec, stored, conditional)
	}
	if rec.Header == nil {
		return nil, rec.Err
	}
	return l.answer(req, rec)
}

// admit refuses endless and impossible redirects. An address may be asked for
// twice if the cookies have changed in between: that is how consent walls work.
func (l *look) admit(req *http.Request, u *url.URL) *Error {
	h := &l.hops
	if u.Scheme != "http" && u.Scheme != "https" {
		return errorf(CodeBadRedirect, "leads to the scheme %.20q, which is not http or https", u.Scheme)
	}
	if u.Host == "" {
		return errorf(CodeBadRedirect, "leads to an address without a host")
	}
	if req.Response != nil {
		if h.count++; h.count > maxRedirects {
			return errorf(CodeRedirectLimit, "more than %d redirects", maxRedirects)
		}
	}
	key := u.String() + "\n" + strings.Join(req.Header["Cookie"], "; ")
	if slices.Contains(h.seen, key) {
		return errorf(CodeRedirectLoop, "leads back to %s", u)
	}
	h.seen = append(h.seen, key)
	return nil
}

// request builds what is sent, from scratch: of the request that came through
// Colly and net/http only the address and the cookies of this look are taken.
func (l *look) request(from *http.Request, u *url.URL) (req *http.Request, conditional bool) {
	req = l.plainRequest(u)
	if l.hops.kind == warc.KindPage {
		req.Header["Accept"] = []string{accept}
		if l.ask.ValidatorsFor == "" || l.ask.ValidatorsFor == u.String() {
			if sendable(l.ask.ETag) {
				req.Header["If-None-Match"] = []string{l.ask.ETag}
				conditional = true
			}
			if sendable(l.ask.LastModified) {
				req.Header["If-Modified-Since"] = []string{l.ask.LastModified}
				conditional = true
			}
		}
	}
	if cookies := from.Header["Cookie"]; len(cookies) > 0 {
		req.Header["Cookie"] = cookies
	}
	return req, conditional
}

// maxValidator bounds the validators that are sent back: servers refuse requests
// with long fields.
const maxValidator = 1 << 10

// sendable reports whether a validator, which a server chose, can be sent back.
// One that cannot is left out: the page is then fetched whole.
func sendable(validator string) bool {
	return validator != "" && len(validator) <= maxValidator && httpguts.ValidHeaderFieldValue(validator)
}

// plainRequest returns a GET with the fields that all requests have.
func (l *look) plainRequest(u *url.URL) *http.Request {
	h := http.Header{"User-Agent": {l.c.userAgent}, "Accept": {"*/*"}}
	if l.src.AcceptLanguage != "" {
		h["Accept-Language"] = []string{l.src.AcceptLanguage}
	}
	if l.src.AcceptEncoding != "" {
		h["Accept-Encoding"] = []string{l.src.AcceptEncoding}
	}
	return &http.Request{Method: http.MethodGet, URL: u, Host: u.Host, Header: h}
}

// exchange waits for the host, makes the exchange and has it stored. What went
// wrong on the wire stands in rec, which the caller closes; err says that there
// was no exchange, or that it could not be stored.
func (l *look) exchange(ctx context.Context, kind warc.Kind, req *http.Request, via string) (rec *Recorded, stored warc.Stored, err *Error) {
	if l.fatal != nil {
		return nil, stored, l.fatal
	}
	asked := time.Now()
	turn, werr := l.c.hosts.acquire(ctx, HostKey(req.URL), asked.Add(l.c.maxWait-l.waited))
	if werr != nil {
		e := Classify(werr)
		if e.Code == CodeStorage || e.Code == CodeInterrupted {
			l.fatal = e
		}
		l.waited += time.Since(asked)
		return nil, stored, e
	}
	l.waited += turn.start.Sub(asked)
	var began, until time.Time
	// The turn ends when the exchange is durable, also if the sink panics.
	defer func() { turn.done(began, until) }()
	rec = l.c.wires.of(kind).Exchange(ctx, req)
	began = rec.Began
	if rec.Header != nil {
		until = pauseAfter(rec.Status, rec.Header, time.Now())
	}
	defer func() {
		if err != nil {
			rec.Close()
		}
	}()
	if rec.Err != nil && (rec.Err.Code == CodeStorage || rec.Err.Code == CodeInterrupted) {
		l.fatal = rec.Err
	}
	for _, before := range rec.Retried {
		if _, err := l.store(ctx, kind, before, via); err != nil {
			return nil, stored, err
		}
	}
	stored, err = l.store(ctx, kind, rec, via)
	return rec, stored, err
}

// store hands an exchange to the sink and notes it. It is stored also if the
// look was told to stop in between.
func (l *look) store(ctx context.Context, kind warc.Kind, rec *Recorded, via string) (warc.Stored, *Error) {
	rec.Kind, rec.Via = kind, via
	stored, err := l.sink.Exchange(context.WithoutCancel(ctx), &rec.Exchange)
	if err != nil {
		l.fatal = errorf(CodeStorage, "store the exchange with %s: %w", rec.URI, err)
		return stored, l.fatal
	}
	l.note(rec, stored)
	return stored, nil
}

// note adds what the records of an exchange do not say.
func (l *look) note(rec *Recorded, stored warc.Stored) {
	n := warc.ExchangeNote{
		Kind:      rec.Kind,
		Request:   stored.RequestID,
		Response:  stored.ResponseID,
		Via:       rec.Via,
		Ms:        rec.Ended.Sub(rec.Began).Milliseconds(),
		Status:    rec.Status,
		TLS:       warc.SessionOf(rec.TLS),
		Truncated: rec.Truncated,
		Error:     rec.Error,
		Detail:    rec.Detail,
	}
	if stored.RequestID == "" {
		n.URI = rec.URI
	}
	if rec.Exchange.Response != nil {
		n.Size, n.SHA256 = rec.PayloadSize, rec.PayloadSHA256
	}
	if rec.Peer.IsValid() {
		n.Peer = rec.Peer.String()
	}
	if n.Detail == "" && strings.HasPrefix(rec.URI, "http://") && strings.HasPrefix(l.hops.from, "https://") && rec.Kind != warc.KindRobots {
		n.Detail = "redirected from https to http"
	}
	l.m.Exchanges = append(l.m.Exchanges, n)
	if rec.Kind == warc.KindRequisite {
		l.spent.Count++
		if rec.Exchange.Response != nil {
			l.spent.Bytes += rec.Exchange.Response.Size() - rec.Head
		}
	}
}

// remember keeps the facts of the page's last exchange.
func (l *look) remember(rec *Recorded, stored warc.Stored, conditional bool) {
	ex := rec.Exchange
	ex.Request, ex.Response = nil, nil
	l.page = &pageFacts{
		ex: ex, stored: stored, header: rec.Header, err: rec.Err,
		conditional: conditional, note: len(l.m.Exchanges) - 1,
	}
	l.want = l.c.requisites && rec.Err == nil && rec.Status >= 200 && rec.Status < 300 &&
		(rec.MIME == "text/html" || rec.MIME == "application/xhtml+xml") &&
		(!stored.Revisit || l.ask.AlwaysRequisites)
}

// answer makes the response for net/http and Colly. Its body is empty unless
// somebody will look at it: pages whose requisites are wanted, stylesheets.
func (l *look) answer(req *http.Request, rec *Recorded) (*http.Response, *Error) {
	if isRedirect(rec.Status) && rec.Header.Get("Location") != "" {
		if rec.Err != nil && l.fatal != nil {
			return nil, rec.Err
		}
	} else if rec.Err != nil {
		return nil, rec.Err
	}
	resp, err := rec.Response(maxPageForColly)
	if err != nil {
		return nil, Classify(err)
	}
	resp.Request = req
	if isRedirect(rec.Status) {
		if err := fixLocation(resp, rec.URI); err != nil {
			return nil, err
		}
	}
	if !l.wantsBody(rec) {
		resp.Body, resp.ContentLength = http.NoBody, 0
		return resp, nil
	}
	body, rerr := io.ReadAll(resp.Body)
	if rerr != nil {
		// A page that cannot be decoded is archived all the same; it only has
		// no requisites.
		body = nil
	}
	resp.Body, resp.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	return resp, nil
}

// wantsBody reports whether the body of an exchange will be looked at.
func (l *look) wantsBody(rec *Recorded) bool {
	if l.hops.kind == warc.KindPage {
		return l.want
	}
	return rec.Status >= 200 && rec.Status < 300 && rec.MIME == "text/css"
}

// isRedirect reports whether net/http follows the status.
func isRedirect(status int) bool {
	switch status {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		return true
	}
	return false
}

// fixLocation rewrites the Location of the copy as browsers read it (WHATWG
// URL): backslashes, spaces and letters of all scripts are everyday input.
func fixLocation(resp *http.Response, base string) *Error {
	location := resp.Header.Get("Location")
	if location == "" {
		return nil // conclude calls it by its name
	}
	u, err := whatwg.ParseRef(base, location)
	if err != nil {
		return errorf(CodeBadRedirect, "Location %.200q: %w", location, err)
	}
	resp.Header.Set("Location", u.Href(true))
	return nil
}

// obey asks robots.txt whether u may be fetched.
func (l *look) obey(ctx context.Context, u *url.URL) *Error {
	if l.src.IgnoreRobots {
		return nil
	}
	site := origin(u)
	file, err := l.c.robots.file(ctx, site, func(ctx context.Context) (robotsAnswer, *Error) {
		return l.fetchRobots(ctx, site)
	})
	if err != nil {
		return err
	}
	verdict := warc.Robots{Policy: "obey", Verdict: "allowed"}
	defer func() {
		if l.hops.kind == warc.KindPage {
			l.m.Robots = &verdict
		}
	}()
	if e := file.unreachable; e != nil {
		verdict.Verdict = "unreachable"
		// A host that cannot be reached at all is called so.
		return &Error{Code: e.Code, Transient: e.Transient, RetryAfter: e.RetryAfter, Err: fmt.Errorf("%s/robots.txt: %w", site, e.Err)}
	}
	l.c.hosts.setCrawlDelay(HostKey(u), file.rules.delay)
	var allowed bool
	allowed, verdict.Rule = file.rules.verdict(u)
	if allowed {
		return nil
	}
	verdict.Verdict = "disallowed"
	return errorf(CodeRobots, "%s/robots.txt says %q", site, verdict.Rule)
}

// fetchRobots asks an origin for its robots.txt.
func (l *look) fetchRobots(ctx context.Context, site string) (robotsAnswer, *Error) {
	u, perr := url.Parse(site + "/robots.txt")
	if perr != nil {
		return robotsAnswer{}, newError(CodeUnsupported, perr)
	}
	via := ""
	for redirects := 0; ; redirects++ {
		answer, next, id, err := l.robotsHop(ctx, u, via)
		if err != nil || next == nil || redirects == robotsRedirects {
			return answer, err
		}
		u, via = next, id
	}
}

// robotsHop makes one exchange for a robots.txt; next is where it leads, nil if
// nowhere.
func (l *look) robotsHop(ctx context.Context, u *url.URL, via string) (answer robotsAnswer, next *url.URL, id string, err *Error) {
	rec, stored, err := l.exchange(ctx, warc.KindRobots, l.plainRequest(u), via)
	if err != nil {
		return answer, nil, "", err
	}
	defer rec.Close()
	if l.fatal != nil {
		return answer, nil, "", l.fatal
	}
	answer.status = rec.Status
	if rec.Err != nil && !(rec.Err.Code == CodeTooLarge && rec.Header != nil) {
		answer.err = rec.Err
		return answer, nil, "", nil
	}
	if isRedirect(rec.Status) {
		return answer, redirectTarget(rec), stored.ResponseID, nil
	}
	if rec.Status < 200 || rec.Status >= 300 {
		return answer, nil, "", nil
	}
	resp, rerr := rec.Response(4 * robotsMaxBytes)
	if rerr == nil {
		answer.body, rerr = io.ReadAll(io.LimitReader(resp.Body, robotsMaxBytes+1))
	}
	if rerr != nil && Classify(rerr).Code != CodeTooLarge {
		answer.err = Classify(rerr)
	}
	return answer, nil, "", nil
}

// redirectTarget returns where a redirect leads, nil if it is no web address.
func redirectTarget(rec *Recorded) *url.URL {
	location := rec.Header.Get("Location")
	if location == "" {
		return nil
	}
	parsed, err := whatwg.ParseRef(rec.URI, location)
	if err != nil {
		return nil
	}
	u, err := url.Parse(parsed.Href(true))
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil
	}
	u.User = nil
	return u
}
