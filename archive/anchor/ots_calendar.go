package anchor

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

const (
	otsMaxAnswer = 10_000 // bytes of a calendar's answer, as in the reference client
	otsNonceSize = 16     // bytes, likewise
	otsMediaType = "application/vnd.opentimestamps.v1"
)

// errOTSNotYet: the calendar took the commitment, and its Bitcoin transaction
// is not confirmed yet.
var errOTSNotYet = errors.New("not confirmed yet")

// DefaultOTSTrusted are the public calendars that may be asked for upgrades
// besides those configured. (The public pools hand digests on to them.)
func DefaultOTSTrusted() []string {
	return []string{
		"https://*.calendar.opentimestamps.org",
		"https://*.calendar.eternitywall.com",
		"https://*.calendar.catallaxy.com",
	}
}

// OTSClient submits digests to OpenTimestamps calendars. It is safe for
// concurrent use.
type OTSClient struct {
	HTTP      *http.Client
	Calendars []string // addresses that take digests
	Trusted   []string // further calendars that may be asked for upgrades; "*." stands for labels at the front of the host; nil: DefaultOTSTrusted
}

// Stamp submits a SHA-256 digest to every calendar. Calendars learn only a hash
// of the digest and a random nonce. The proof is pending: keep its bytes and
// call Upgrade some hours later.
//
// err is nil if one calendar at least took the digest; failed then holds what
// the others said, for the caller to report.
func (c *OTSClient) Stamp(ctx context.Context, digest [sha256.Size]byte) (p *OTSProof, failed []error, err error) {
	if len(c.Calendars) == 0 {
		return nil, nil, errors.New("OpenTimestamps: no calendar is configured")
	}
	nonce := make([]byte, otsNonceSize)
	rand.Read(nonce) // never fails
	p = &OTSProof{digest: digest, root: &otsNode{}}
	sum := sha256.Sum256(slices.Concat(digest[:], nonce))
	p.root.child(otsTagAppend, string(nonce)).child(otsTagSHA256, "")
	for _, calendar := range c.Calendars {
		stamp, err := c.submit(ctx, calendar, sum[:])
		if err == nil {
			_, err = p.add(sum[:], stamp)
		}
		if err != nil {
			failed = append(failed, fmt.Errorf("OpenTimestamps calendar %s: %w", calendar, err))
		}
	}
	if len(failed) == len(c.Calendars) {
		return nil, nil, fmt.Errorf("no calendar took the digest: %w", errors.Join(failed...))
	}
	return p, failed, nil
}

func (c *OTSClient) submit(ctx context.Context, calendar string, digest []byte) (*otsNode, error) {
	if err := checkHTTPURL(calendar); err != nil {
		return nil, err
	}
	return c.call(ctx, http.MethodPost, calendar, "digest", digest, digest)
}

// Upgrade asks the calendars of pending attestations for their Bitcoin
// attestations and adds what they say to the proof. changed tells whether the
// proof has to be stored again, which can be so with an error as well: err joins
// the failures of single calendars. A calendar that is not done yet is no
// failure (Heights stays empty). The answers are not checked against the chain;
// Verify does that.
//
// A proof names its calendars itself, so only trusted ones are asked: others
// are an error.
func (c *OTSClient) Upgrade(ctx context.Context, p *OTSProof) (changed bool, err error) {
	type pending struct {
		msg []byte
		uri string
	}
	var todo []pending
	for node, msg := range p.nodes() {
		for _, a := range node.attestations {
			if a.kind == otsPendingKind && !node.settled() {
				todo = append(todo, pending{msg, a.uri})
			}
		}
	}
	var failed []error
	for _, t := range todo {
		stamp, err := c.ask(ctx, t.uri, t.msg)
		if errors.Is(err, errOTSNotYet) {
			continue
		}
		added := false
		if err == nil {
			added, err = p.add(t.msg, stamp)
		}
		if err != nil {
			failed = append(failed, fmt.Errorf("upgrade OpenTimestamps proof at calendar %s: %w", t.uri, err))
		}
		changed = changed || added
	}
	return changed, errors.Join(failed...)
}

func (c *OTSClient) ask(ctx context.Context, calendar string, commitment []byte) (*otsNode, error) {
	if !c.trusts(calendar) {
		return nil, errors.New("it is neither configured nor trusted, and is not asked")
	}
	return c.call(ctx, http.MethodGet, calendar, "timestamp/"+hex.EncodeToString(commitment), nil, commitment)
}

// call makes a request and reads a stamp over msg.
func (c *OTSClient) call(ctx context.Context, method, calendar, path string, body, msg []byte) (*otsNode, error) {
	req, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(calendar, "/")+"/"+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", otsMediaType)
	resp, err := c.HTTP.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, otsMaxAnswer+1))
	switch {
	case err != nil:
		return nil, err
	case method == http.MethodGet && resp.StatusCode == http.StatusNotFound:
		return nil, errOTSNotYet
	case resp.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("HTTP status %d: %q", resp.StatusCode, clip(answer))
	case len(answer) > otsMaxAnswer:
		return nil, fmt.Errorf("answer has more than %d bytes", otsMaxAnswer)
	}
	return parseOTSStamp(answer, msg)
}

// trusts tells whether a calendar that a proof names may be asked.
func (c *OTSClient) trusts(calendar string) bool {
	trusted := c.Trusted
	if trusted == nil {
		trusted = DefaultOTSTrusted()
	}
	return slices.ContainsFunc(slices.Concat(c.Calendars, trusted), func(pattern string) bool {
		return matchCalendar(pattern, calendar)
	})
}

// matchCalendar compares scheme, host with port, and path. A pattern's host may
// begin with "*.", which stands for one or more labels.
func matchCalendar(trusted, calendar string) bool {
	if checkHTTPURL(calendar) != nil {
		return false
	}
	want, err1 := url.Parse(trusted)
	got, err2 := url.Parse(calendar)
	if err1 != nil || err2 != nil || want.Scheme != got.Scheme ||
		strings.TrimSuffix(want.Path, "/") != strings.TrimSuffix(got.Path, "/") {
		return false
	}
	pattern, host := strings.ToLower(want.Host), strings.ToLower(got.Host)
	if domain, wild := strings.CutPrefix(pattern, "*"); wild {
		return strings.HasPrefix(domain, ".") && strings.HasSuffix(host, domain) && host != domain
	}
	return host == pattern
}
