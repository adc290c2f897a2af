package wayback

import (
	"context"
	"crypto/md5"
	"encoding/hex"
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

// Where items of archive.org are written and read.
const (
	DefaultS3URL      = "https://s3.us.archive.org"
	DefaultArchiveURL = "https://archive.org"
)

// TestCollection is the collection of archive.org for trials: what is in it is
// removed after about a month. Names of items are global there, too.
const TestCollection = "test_collection"

const (
	maxRedirects     = 5
	maxMetadata      = 32 << 20 // bytes of an item's metadata: some 80,000 files
	continueTimeout  = 10 * time.Second
	defaultStall     = 2 * time.Minute
	defaultReadLimit = time.Minute
)

// ItemsConfig configures NewItems. Keys and UserAgent are required.
type ItemsConfig struct {
	S3URL      string // DefaultS3URL if empty
	ArchiveURL string // DefaultArchiveURL if empty: where metadata is read
	Keys       Keys
	UserAgent  string
	// Transport carries the requests; nil for one that speaks HTTP/1.1 and waits
	// for "100 Continue" before it sends a body.
	Transport http.RoundTripper
	// Stall is how long a PUT may go without a byte sent or an answer; default 2 minutes.
	Stall  time.Duration
	Logger *slog.Logger
}

// Items speaks the S3-like interface of archive.org, in which a bucket is an item
// ("Internet Archive S3 interface", https://archive.org/developers/ias3.html),
// and reads its metadata interface. It differs from S3: authorization is
// "LOW access:secret", a body has a Content-Length and is never chunked, there is
// no multipart upload worth its name and a PUT is not resumed but repeated, and
// redirects to the node that stores the item are usual. Safe for concurrent use;
// it does not pace itself.
type Items struct {
	s3, meta string
	host     *url.URL // of s3
	keys     Keys
	agent    string
	http     *http.Client
	stall    time.Duration
	log      *slog.Logger
}

// NewItems returns a client. The error is ErrNoKeys if there are none.
func NewItems(cfg ItemsConfig) (*Items, error) {
	if err := cfg.Keys.check(); err != nil {
		return nil, err
	}
	if strings.TrimSpace(cfg.UserAgent) == "" || strings.ContainsAny(cfg.UserAgent, "\r\n\x00") {
		return nil, errors.New("wayback: a User-Agent of one line, with a contact, is required")
	}
	s3, err := serviceURL("wayback.s3_url", cfg.S3URL, DefaultS3URL)
	if err != nil {
		return nil, err
	}
	meta, err := serviceURL("wayback.archive_url", cfg.ArchiveURL, DefaultArchiveURL)
	if err != nil {
		return nil, err
	}
	if cfg.Transport == nil {
		cfg.Transport = itemsTransport()
	}
	if cfg.Stall <= 0 {
		cfg.Stall = defaultStall
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return &Items{
		s3: strings.TrimSuffix(s3.String(), "/"), meta: strings.TrimSuffix(meta.String(), "/"), host: s3,
		keys: cfg.Keys, agent: cfg.UserAgent, stall: cfg.Stall, log: cfg.Logger,
		http: &http.Client{
			Transport: cfg.Transport,
			// Each hop is judged first: the keys go to the Archive alone.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}, nil
}

// serviceURL checks a configured address.
func serviceURL(name, address, standard string) (*url.URL, error) {
	if address == "" {
		address = standard
	}
	u, err := url.Parse(address)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, fmt.Errorf("%s %q: want an address like %s", name, redactURL(address), standard)
	}
	return u, nil
}

// itemsTransport is the default transport without HTTP/2, which the interface
// does not have, and with patience for "100 Continue".
func itemsTransport() http.RoundTripper {
	t := &http.Transport{Proxy: http.ProxyFromEnvironment}
	if standard, ok := http.DefaultTransport.(*http.Transport); ok {
		t = standard.Clone()
	}
	t.Protocols = new(http.Protocols)
	t.Protocols.SetHTTP1(true)
	t.ForceAttemptHTTP2 = false
	t.ExpectContinueTimeout = continueTimeout
	return t
}

// ItemFile is a file to be put into an item.
type ItemFile struct {
	Item string // see ItemName
	Name string // of the file in the item: of A-Z a-z 0-9 . _ -
	Size int64  // bytes
	MD5  string // of the bytes, 32 lower-case hexadecimal digits
	// Open returns the bytes from the first one. It is called once for each
	// time they are sent; the reader is closed.
	Open func(ctx context.Context) (io.ReadCloser, error)
	Type string // media type, "" for application/octet-stream
	// ItemSize is what the item will hold in the end, in bytes: a hint for where
	// to put it; 0 for not known.
	ItemSize int64
	// Meta describes the item. It counts only when the file is its first one.
	Meta []MetaField
	// Progress is told how many bytes were handed to the network so far, of the
	// present try; nil for nobody. It is called from another goroutine.
	Progress func(sent int64)
}

// Put stores a file, whole, into an item, which is made if it is not there. A
// file of the same name is kept as an older version. The body is streamed; if its
// bytes turn out not to be those that were announced, the last of them are not
// sent and the error is of class ItemChanged. A nil error means that the service
// has taken the bytes and their MD5 agreed; that they are stored and public only
// its metadata says, minutes to hours later ([Items.Metadata]).
//
// Errors are *ItemError, or ctx's. After ItemLost, or ctx's error, the file may be
// there all the same. Repeating a Put is safe: it stores the same bytes again.
func (c *Items) Put(ctx context.Context, f ItemFile) error {
	if err := f.check(); err != nil {
		return err
	}
	target := c.s3 + "/" + f.Item + "/" + f.Name
	for range maxRedirects + 1 {
		next, err := c.put(ctx, target, &f)
		if err != nil || next == "" {
			return err
		}
		target = next
	}
	return c.fault(ItemOutage, "put "+f.Name, 0, "", fmt.Sprintf("more than %d redirects", maxRedirects), nil)
}

// check refuses what must not be sent.
func (f *ItemFile) check() error {
	if err := CheckItem(f.Item); err != nil {
		return err
	}
	if err := checkFileName(f.Name); err != nil {
		return err
	}
	if sum, err := hex.DecodeString(f.MD5); err != nil || len(sum) != md5.Size || strings.ToLower(f.MD5) != f.MD5 {
		return fmt.Errorf("%s: %q is no MD5 in lower-case hexadecimal digits", f.Name, f.MD5)
	}
	if f.Size < 0 {
		return fmt.Errorf("%s: size %d is negative", f.Name, f.Size)
	}
	return nil
}

// put makes one hop: it sends the file, or learns where to send it. The
// connection is watched: a PUT ends when nothing moves for c.stall.
func (c *Items) put(ctx context.Context, target string, f *ItemFile) (next string, err error) {
	op := "put " + f.Name
	attempt, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	watch := time.AfterFunc(c.stall, func() { cancel(errStalled) })
	defer watch.Stop()
	body := &itemBody{ctx: attempt, file: f, hash: md5.New(), moved: func() { watch.Reset(c.stall) }}
	req, err := http.NewRequestWithContext(attempt, http.MethodPut, target, nil)
	if err != nil {
		return "", c.fault(ItemOutage, op, 0, "", "the address cannot be used", err)
	}
	req.ContentLength = f.Size // never chunked
	req.Body = http.NoBody
	if f.Size > 0 {
		req.Body = body
		req.Header.Set("Expect", "100-continue") // a redirect comes before the body is sent
	}
	c.describe(req.Header, f)
	resp, err := c.http.Do(req)
	if err != nil {
		return "", c.putError(ctx, attempt, op, body, err)
	}
	defer resp.Body.Close() // what follows the error's text is nobody's matter
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxErrorXML))
	c.log.Debug("item put", "file", f.Name, "status", resp.StatusCode, "sent", body.n.Load())
	switch {
	case resp.StatusCode >= 300 && resp.StatusCode < 400:
		return c.follow(op, target, resp)
	case resp.StatusCode < 200 || resp.StatusCode > 299:
		return "", c.refused(op, resp, text)
	case err != nil:
		return "", c.putError(ctx, attempt, op, body, err)
	case f.Size > 0 && body.n.Load() < f.Size:
		// A success for bytes that were never sent is somebody else's answer.
		return "", c.fault(ItemOutage, op, resp.StatusCode, "", "success was told before the file was sent", nil)
	}
	return "", nil
}

var errStalled = errors.New("nothing moved for too long")

// describe sets the headers of a PUT.
func (c *Items) describe(h http.Header, f *ItemFile) {
	h.Set("Authorization", "LOW "+c.keys.Access+":"+c.keys.Secret)
	h.Set("User-Agent", c.agent)
	h.Set("Content-MD5", f.MD5) // hexadecimal here, unlike in S3
	if f.Type != "" {
		h.Set("Content-Type", f.Type)
	}
	h.Set("X-Archive-Auto-Make-Bucket", "1")
	// WARCs of ordinary accounts do not enter the Wayback Machine's index, and an
	// index of our own goes with them: a derive task would be work for nobody.
	h.Set("X-Archive-Queue-Derive", "0")
	h.Set("X-Archive-Keep-Old-Version", "1")
	if f.ItemSize > 0 {
		h.Set("X-Archive-Size-Hint", strconv.FormatInt(f.ItemSize, 10))
	}
	setMeta(h, f.Meta)
}

// follow returns where a redirect leads, if the keys may go there.
func (c *Items) follow(op, from string, resp *http.Response) (string, error) {
	base, err := url.Parse(from)
	if err != nil {
		return "", c.fault(ItemOutage, op, resp.StatusCode, "", "the address cannot be used", err)
	}
	to, err := base.Parse(resp.Header.Get("Location"))
	if err != nil || resp.Header.Get("Location") == "" || resp.StatusCode != http.StatusTemporaryRedirect && resp.StatusCode != http.StatusPermanentRedirect {
		return "", c.fault(ItemOutage, op, resp.StatusCode, "", "a redirect that a PUT cannot follow", nil)
	}
	if !c.ours(base, to) {
		return "", c.fault(ItemOutage, op, resp.StatusCode, "", fmt.Sprintf("a redirect to %q, where the keys are not sent", to.Host), nil)
	}
	return to.String(), nil
}

// ours tells whether the keys may be sent to an address: to the configured
// service, to a host below us.archive.org, or, where the service is one of this
// machine, to its other ports. Never from https to http.
func (c *Items) ours(from, to *url.URL) bool {
	if to.User != nil || to.Scheme != "https" && (to.Scheme != "http" || from.Scheme == "https") {
		return false
	}
	host := strings.ToLower(to.Hostname())
	if strings.EqualFold(to.Host, c.host.Host) || strings.HasSuffix(host, ".us.archive.org") {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback() && host == c.host.Hostname()
}

// putError tells what ended a PUT that got no whole answer.
func (c *Items) putError(ctx, attempt context.Context, op string, body *itemBody, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("%s: %w", op, ctx.Err())
	}
	if own := body.failure(); own != nil {
		if errors.Is(own, errChanged) {
			return c.fault(ItemChanged, op, 0, "", own.Error(), own)
		}
		return fmt.Errorf("%s: %w", op, own)
	}
	if cause := context.Cause(attempt); errors.Is(cause, errStalled) {
		return c.fault(ItemLost, op, 0, "", fmt.Sprintf("nothing moved for %s", c.stall), cause)
	}
	return c.network(op, err)
}

// network judges the error of a request without an answer. Its address is left
// out: it may hold a key.
func (c *Items) network(op string, err error) error {
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		err = wrapped.Err
	}
	class := ItemLost
	if neverSent(err) {
		class = ItemOutage
	}
	return c.fault(class, op, 0, "", err.Error(), err)
}

// redact removes our keys from foreign words.
func (c *Items) redact(s string) string {
	return strings.NewReplacer(c.keys.Secret, "[hidden]", c.keys.Access, "[hidden]").Replace(s)
}

// get reads one bounded answer of a question.
func (c *Items) get(ctx context.Context, op, address string, limit int64) (status int, body []byte, err error) {
	attempt, cancel := context.WithTimeout(ctx, defaultReadLimit)
	defer cancel()
	req, err := http.NewRequestWithContext(attempt, http.MethodGet, address, nil)
	if err != nil {
		return 0, nil, c.fault(ItemOutage, op, 0, "", "the address cannot be used", nil)
	}
	req.Header.Set("User-Agent", c.agent)
	req.Header.Set("Accept", "application/json")
	resp, err := c.http.Do(req)
	if err == nil {
		defer resp.Body.Close() // the answer was read or given up
		body, err = io.ReadAll(io.LimitReader(resp.Body, limit+1))
	}
	switch {
	case ctx.Err() != nil:
		return 0, nil, fmt.Errorf("%s: %w", op, ctx.Err())
	case err != nil:
		return 0, nil, c.network(op, err)
	case int64(len(body)) > limit:
		return 0, nil, c.fault(ItemOutage, op, resp.StatusCode, "", fmt.Sprintf("the answer is longer than %d bytes", limit), nil)
	case resp.StatusCode != http.StatusOK:
		return 0, nil, c.refused(op, resp, body)
	}
	return resp.StatusCode, body, nil
}
