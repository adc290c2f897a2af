package anchor

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"math/big"
	"mime"
	"net/http"
	"net/url"
	"time"

	"github.com/digitorus/timestamp"
)

// MaxSkew is how far an authority's clock and this machine's may differ before
// Stamp leaves a note about it.
const MaxSkew = 5 * time.Minute

// Stamper asks timestamp authorities. Its zero value works. It may be used from
// several goroutines.
type Stamper struct {
	// HTTP carries the requests, with the caller's transport and its rules about
	// proxies and private networks. nil means http.DefaultClient.
	HTTP *http.Client
	// UserAgent is sent with each request; empty leaves Go's own.
	UserAgent string
	// Timeout bounds the request for a token; default 30 s.
	Timeout time.Duration
	// Now is the clock; default time.Now.
	Now func() time.Time
	// Rand makes nonces; default crypto/rand.Reader.
	Rand io.Reader
}

// Stamp asks the authority a for a timestamp over data, verifies the answer
// against a.Roots and the request's nonce, and fetches the revocation data that
// the certificates name. It makes one attempt; the caller repeats it.
//
// A nil error means a token for which VerifyToken succeeds with a.Roots. Missing
// revocation data and clocks that differ are no errors but Notes. Errors name the
// authority and are of the ErrToken kinds or that of ctx.
func (s *Stamper) Stamp(ctx context.Context, a Authority, data []byte) (Token, error) {
	if err := a.Check(); err != nil {
		return Token{}, err
	}
	t, err := s.stamp(ctx, a, data)
	if err != nil {
		return Token{}, fmt.Errorf("timestamp authority %s: %w", a.Name, err)
	}
	return t, nil
}

func (s *Stamper) stamp(ctx context.Context, a Authority, data []byte) (Token, error) {
	nonce, err := s.nonce()
	if err != nil {
		return Token{}, err
	}
	query, err := timestamp.CreateRequest(bytes.NewReader(data), &timestamp.RequestOptions{
		Hash: crypto.SHA256, Certificates: true, Nonce: nonce,
	})
	if err != nil {
		return Token{}, fmt.Errorf("request: %w", err)
	}
	t := Token{Authority: a.Name}
	if t.TSR, err = s.ask(ctx, a, query); err != nil {
		return Token{}, err
	}
	received := s.now()
	if t.Info, err = verifyToken(t.TSR, data, nil, a.Roots, nonce); err != nil {
		return Token{}, err
	}
	if t.Info.Hash != crypto.SHA256.String() {
		return Token{}, fmt.Errorf("%w: asked for SHA-256, got %s", ErrTokenImprint, t.Info.Hash)
	}
	t.Skew = t.Info.Time.Sub(received)
	if apart := t.Skew.Abs() - t.Info.Accuracy; apart > MaxSkew {
		t.Notes = append(t.Notes, fmt.Sprintf("it states %s when this machine's clock said %s: one of the two is wrong",
			t.Info.Time.Format(time.RFC3339), received.UTC().Format(time.RFC3339)))
	}
	ev, notes := s.gather(ctx, t.Info.Chain, t.Info.Time)
	t.Evidence, t.Notes = ev.encode(), append(t.Notes, notes...)
	t.Info, err = verifyToken(t.TSR, data, t.Evidence, a.Roots, nonce)
	return t, err
}

// nonce returns a positive number of at most 63 bits, the size that all
// authorities take.
func (s *Stamper) nonce() (*big.Int, error) {
	r := s.Rand
	if r == nil {
		r = rand.Reader
	}
	var b [8]byte
	if _, err := io.ReadFull(r, b[:]); err != nil {
		return nil, fmt.Errorf("nonce: %w", err)
	}
	b[0] &= 0x7f
	return new(big.Int).SetBytes(b[:]), nil
}

// ask sends the query by RFC 3161 section 3.4.
func (s *Stamper) ask(ctx context.Context, a Authority, query []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, cmpDuration(s.Timeout, 30*time.Second))
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, a.URL, bytes.NewReader(query))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrTokenAnswer, plainError(err))
	}
	req.Header.Set("Content-Type", "application/timestamp-query")
	req.Header.Set("Accept", "application/timestamp-reply")
	client := *s.client()
	// A redirect would turn the POST into a GET, and its answer into a web page.
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	body, err := s.fetch(&client, req, "application/timestamp-reply", MaxTSR)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrTokenAnswer, err)
	}
	return body, nil
}

// fetch makes one request and returns a body of at most limit bytes and, unless
// kind is empty, of that media type.
func (s *Stamper) fetch(client *http.Client, req *http.Request, kind string, limit int64) ([]byte, error) {
	if s.UserAgent != "" {
		req.Header.Set("User-Agent", s.UserAgent)
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, plainError(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		if to, err := resp.Location(); err == nil {
			return nil, fmt.Errorf("HTTP status %d: it sends us to %.200q; configure the address that answers itself", resp.StatusCode, to.Redacted())
		}
		return nil, fmt.Errorf("HTTP status %d", resp.StatusCode)
	}
	got, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if kind != "" && (err != nil || got != kind) {
		return nil, fmt.Errorf("content type %.100q, want %q", resp.Header.Get("Content-Type"), kind)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, limit+1))
	if err != nil {
		return nil, plainError(err)
	}
	if int64(len(body)) > limit {
		return nil, fmt.Errorf("more than %d bytes", limit)
	}
	return body, nil
}

// plainError leaves out the address, which may hold a key, and puts a missed
// deadline into words.
func plainError(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("no whole answer in the time allowed: %w", err)
	}
	return err
}

func (s *Stamper) client() *http.Client {
	if s.HTTP == nil {
		return http.DefaultClient
	}
	return s.HTTP
}

func (s *Stamper) now() time.Time {
	if s.Now == nil {
		return time.Now()
	}
	return s.Now()
}

func cmpDuration(d, otherwise time.Duration) time.Duration {
	if d > 0 {
		return d
	}
	return otherwise
}
