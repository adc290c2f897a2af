package wayback

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// DefaultBaseURL is where Save Page Now, the index and the replay are.
const DefaultBaseURL = "https://web.archive.org"

// Config configures a Client.
type Config struct {
	// BaseURL is DefaultBaseURL if empty; else an http or https address whose
	// path, if any, is put before /save, /cdx and /web.
	BaseURL string
	// ArchiveURL is where the Availability API is; DefaultArchiveURL if empty.
	ArchiveURL string
	// Keys are required for saving and for asking about jobs and the account, see
	// FindKeys. The zero value is for reading only: the index, replay, TimeMap,
	// TimeGate and Availability need none and are never sent any.
	Keys Keys
	// UserAgent names us truthfully, with a contact. Required.
	UserAgent string
	// Transport carries the requests; http.DefaultTransport if nil.
	Transport http.RoundTripper
	// Timeout bounds one request, from dialling to the last byte; default 60 s.
	Timeout time.Duration
	// Pacer is shared by all clients of the process; a new one with the default
	// limits if nil.
	Pacer *Pacer
	// Logger gets what passes by; nothing is logged if nil.
	Logger *slog.Logger
}

// Client speaks to Save Page Now 2, and reads what the Wayback Machine has. It is
// safe for concurrent use. Every request passes the pacer, no redirect is
// followed, every answer is bounded.
type Client struct {
	base    string
	archive string
	keys    Keys
	agent   string
	http    *http.Client
	limit   time.Duration
	pacer   *Pacer
	log     *slog.Logger
	random  func() string
}

// New returns a client. Keys that are there must be both there and well formed.
func New(cfg Config) (*Client, error) {
	if cfg.Keys != (Keys{}) {
		if err := cfg.Keys.check(); err != nil {
			return nil, err
		}
	}
	if strings.TrimSpace(cfg.UserAgent) == "" || strings.ContainsAny(cfg.UserAgent, "\r\n\x00") {
		return nil, errors.New("wayback: a User-Agent of one line, with a contact, is required")
	}
	base, err := serviceURL("wayback.base_url", cfg.BaseURL, DefaultBaseURL)
	if err != nil {
		return nil, err
	}
	archive, err := serviceURL("wayback.archive_url", cfg.ArchiveURL, DefaultArchiveURL)
	if err != nil {
		return nil, err
	}
	if cfg.Timeout <= 0 {
		cfg.Timeout = time.Minute
	}
	if cfg.Pacer == nil {
		cfg.Pacer = NewPacer(Limits{})
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return &Client{
		base:    strings.TrimSuffix(base.String(), "/"),
		archive: strings.TrimSuffix(archive.String(), "/"),
		keys:    cfg.Keys,
		agent:   cfg.UserAgent,
		http: &http.Client{
			Transport: cfg.Transport,
			// A redirect of a save would capture something else, or repeat it; one
			// of a replay leads to another capture.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		limit:  cfg.Timeout,
		pacer:  cfg.Pacer,
		log:    cfg.Logger,
		random: rand.Text,
	}, nil
}

// Pacer returns the pacer that the client uses.
func (c *Client) Pacer() *Pacer { return c.pacer }

// Request is one page to be saved.
type Request struct {
	URL string // http or https, without user information
	// ForceGet fetches the page without a browser: right for pages whose text
	// is in their HTML, and the form whose bytes can be compared with ours.
	ForceGet bool
	// Screenshot asks for a picture of the page as well.
	Screenshot bool
}

// form lists the parameters. Only "1" switches one on; the ones that are off are
// left out, since some explicit zeros met errors in the service.
// if_not_archived_within is never sent: a hit is answered without a job and
// without the capture's name, and whether to save was decided by our queue.
func (r Request) form() url.Values {
	v := url.Values{"url": {r.URL}, "skip_first_archive": {"1"}}
	if r.ForceGet {
		v.Set("force_get", "1")
	}
	if r.Screenshot {
		v.Set("capture_screenshot", "1")
	}
	return v
}

// check refuses what must not or cannot be sent.
func (r Request) check() *Error {
	bad := func(why string) *Error {
		return &Error{Op: "submit", Class: ClassPermanent, Code: "invalid-url-syntax", Message: why}
	}
	u, err := url.Parse(r.URL)
	switch {
	case err != nil || !webAddress(r.URL) || u.Host == "":
		return bad("not a whole http or https address")
	case u.User != nil:
		return bad("the address contains a user name or password, which must not reach a third party")
	}
	return nil
}

// Submit asks for a capture, after waiting for the pacer. A nil error means the
// service has taken the job (or, with an empty JobID, has a recent capture).
// Errors are *Error, *HeldError when the pacer is in a longer pause, or ctx's; an
// *Error of ClassKeysRefused that wraps ErrNoKeys if the client has no keys. After an *Error of ClassLost, or ctx's error, the job may exist all the same;
// submitting once more is safe within the hour.
func (c *Client) Submit(ctx context.Context, r Request) (Accepted, error) {
	if err := r.check(); err != nil {
		return Accepted{}, err
	}
	if err := c.needKeys("submit"); err != nil {
		return Accepted{}, err
	}
	if err := c.pacer.Submit(ctx); err != nil {
		return Accepted{}, err
	}
	return c.submit(ctx, r)
}

// submit is Submit for a caller who has waited for the pacer.
func (c *Client) submit(ctx context.Context, r Request) (Accepted, error) {
	if err := r.check(); err != nil {
		return Accepted{}, err
	}
	got, err := c.do(ctx, "submit", http.MethodPost, "/save", r.form())
	if err != nil {
		return Accepted{}, err
	}
	a, e := parseSubmit(got.status, got.body)
	if e != nil {
		return Accepted{}, c.judge(e, got.status, got.header)
	}
	c.pacer.fine("submit")
	a.Message, a.Receipt = c.redact(a.Message), c.redactBytes(a.Receipt)
	return a, nil
}

// Status asks for a job, after waiting for the pacer. A job in state error is
// not an error of Status: see Status.Err. Errors are as with Submit; ClassLost
// with the code "partial-success" means a capture exists whose name is unknown.
func (c *Client) Status(ctx context.Context, jobID string) (Status, error) {
	if !usableID(jobID) {
		return Status{}, &Error{Op: "status", Class: ClassPermanent, Code: "job-id", Message: "not a usable job id"}
	}
	if err := c.needKeys("status"); err != nil {
		return Status{}, err
	}
	if err := c.pacer.Request(ctx); err != nil {
		return Status{}, err
	}
	got, err := c.do(ctx, "status", http.MethodGet, "/save/status/"+url.PathEscape(jobID), nil)
	if err != nil {
		return Status{}, err
	}
	s, e := parseStatus(got.status, got.body)
	if e != nil {
		return Status{}, c.judge(e, got.status, got.header)
	}
	c.pacer.fine("status")
	s.Message, s.Receipt = c.redact(s.Message), c.redactBytes(s.Receipt)
	return s, nil
}

// UserStatus asks for the account's slots and daily numbers, after waiting for
// the pacer, which is told. Errors are as with Submit.
func (c *Client) UserStatus(ctx context.Context) (UserStatus, error) {
	if err := c.needKeys("user status"); err != nil {
		return UserStatus{}, err
	}
	if err := c.pacer.Request(ctx); err != nil {
		return UserStatus{}, err
	}
	// The random parameter keeps caches out (the service's own advice).
	got, err := c.do(ctx, "user status", http.MethodGet, "/save/status/user?_t="+c.random(), nil)
	if err != nil {
		return UserStatus{}, err
	}
	u, e := parseUserStatus(got.status, got.body)
	if e != nil {
		return UserStatus{}, c.judge(e, got.status, got.header)
	}
	c.pacer.fine("user status")
	c.pacer.Account(u)
	return u, nil
}

// needKeys refuses what the service would answer with 401.
func (c *Client) needKeys(op string) error {
	if c.keys == (Keys{}) {
		return &Error{Op: op, Class: ClassKeysRefused, Code: "no-keys", Message: ErrNoKeys.Error(), cause: ErrNoKeys}
	}
	return nil
}

// reply is an answer that came whole.
type reply struct {
	status int
	header http.Header
	body   []byte
}

// do sends one request and reads its bounded answer. The errors it returns are
// judged already. The caller has seen to it that there are keys.
func (c *Client) do(ctx context.Context, op, method, path string, form url.Values) (reply, error) {
	attempt, cancel := context.WithTimeout(ctx, c.limit)
	defer cancel()
	var body io.Reader
	if form != nil {
		body = strings.NewReader(form.Encode())
	}
	req, err := http.NewRequestWithContext(attempt, method, c.base+path, body)
	if err != nil {
		return reply{}, c.judge(&Error{Op: op, Class: ClassPermanent, Message: err.Error(), cause: err}, 0, nil)
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("Authorization", "LOW "+c.keys.Access+":"+c.keys.Secret)
	req.Header.Set("User-Agent", c.agent)
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	start := time.Now()
	resp, err := c.http.Do(req)
	if err != nil {
		return reply{}, c.networkError(ctx, op, err)
	}
	defer resp.Body.Close() // the answer was read or given up: nothing more to learn
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	c.log.Debug("wayback request", "op", op, "status", resp.StatusCode, "bytes", len(b), "elapsed", time.Since(start))
	switch {
	case resp.StatusCode == http.StatusUnauthorized || resp.StatusCode == http.StatusForbidden:
		m, _ := parseObject(b) // what could be read of the service's words
		return reply{}, c.judge(&Error{Op: op, Class: ClassKeysRefused, Message: text(m, "message")}, resp.StatusCode, resp.Header)
	case err != nil:
		return reply{}, c.networkError(ctx, op, err)
	case len(b) > maxAnswer:
		return reply{}, c.judge(&Error{Op: op, Class: ClassOutage, Message: fmt.Sprintf("the answer is longer than %d bytes", maxAnswer)}, resp.StatusCode, resp.Header)
	}
	return reply{resp.StatusCode, resp.Header, b}, nil
}

// networkError judges a request that got no whole answer.
func (c *Client) networkError(ctx context.Context, op string, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("%s: %w", op, ctx.Err())
	}
	e := &Error{Op: op, Class: ClassLost, Message: err.Error(), cause: err}
	if neverSent(err) {
		e.Class, e.Code = ClassOutage, codeUnreachable
	}
	return c.judge(e, 0, nil)
}

// codeUnreachable marks an outage in which no request was sent: the service's
// per-address limit shows as refused connections for some minutes.
const codeUnreachable = "unreachable"

// neverSent tells the errors that come before a request is written.
func neverSent(err error) bool {
	if op, ok := errors.AsType[*net.OpError](err); ok && (op.Op == "dial" || op.Op == "proxyconnect" || op.Op == "socks connect") {
		return true
	}
	if _, ok := errors.AsType[*net.DNSError](err); ok {
		return true
	}
	return isTLSError(err)
}

// judge completes an error (redacted, with the wait that was asked for) and
// tells the pacer what all other requests have to wait for.
func (c *Client) judge(e *Error, httpStatus int, h http.Header) *Error {
	e.HTTPStatus = httpStatus
	e.Message = clean(c.redact(e.Message), maxMessage)
	e.Code = c.redact(e.Code)
	e.Receipt = c.redactBytes(e.Receipt)
	if h != nil {
		now := time.Now()
		if t, err := http.ParseTime(h.Get("Date")); err == nil {
			now = t // a date to wait for is one of the service's clock, not of ours
		}
		e.RetryAfter = retryAfter(h.Get("Retry-After"), now)
	}
	c.pacer.judge(e)
	return e
}

// maxRetryAfter bounds what a header can make us wait.
const maxRetryAfter = 24 * time.Hour

// retryAfter reads the header Retry-After (RFC 9110, section 10.2.3): seconds or
// a date. 0 means absent or unreadable.
func retryAfter(value string, now time.Time) time.Duration {
	if n, err := strconv.ParseInt(strings.TrimSpace(value), 10, 64); err == nil {
		return time.Duration(max(0, min(n, int64(maxRetryAfter/time.Second)))) * time.Second
	}
	t, err := http.ParseTime(value)
	if err != nil {
		return 0
	}
	return max(0, min(t.Sub(now), maxRetryAfter))
}

// redact removes our keys from foreign words.
func (c *Client) redact(s string) string {
	if c.keys == (Keys{}) {
		return s
	}
	return strings.NewReplacer(c.keys.Secret, "[hidden]", c.keys.Access, "[hidden]").Replace(s)
}

// redactBytes is redact for an answer; nil stays nil.
func (c *Client) redactBytes(b []byte) []byte {
	if b == nil || c.keys == (Keys{}) {
		return b
	}
	return []byte(c.redact(string(b)))
}

// redactURL shows an address without user information.
func redactURL(s string) string {
	u, err := url.Parse(s)
	if err != nil {
		return "(not an address)"
	}
	return u.Redacted()
}
