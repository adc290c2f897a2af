package anchortest

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"
)

// TSAFault is a way in which a TSA misbehaves.
type TSAFault string

// The faults. NoFault is good behaviour.
const (
	NoFault      TSAFault = ""
	Hang         TSAFault = "hang"          // takes the request and never answers
	Refuse       TSAFault = "refuse"        // a proper answer that says no
	ServerError  TSAFault = "server-error"  // HTTP status 503
	WebPage      TSAFault = "web-page"      // status 200 and HTML
	Redirect     TSAFault = "redirect"      // HTTP status 302
	Garbage      TSAFault = "garbage"       // the right media type, random-looking bytes
	Huge         TSAFault = "huge"          // a good token followed by megabytes
	Endless      TSAFault = "endless"       // an answer without end
	Lie          TSAFault = "lie"           // a token over other bytes
	WrongNonce   TSAFault = "wrong-nonce"   // a token for another request
	NoNonce      TSAFault = "no-nonce"      // a token that could be an old one
	Rogue        TSAFault = "rogue"         // a token of an unknown authority that uses the same names
	NoSigner     TSAFault = "no-signer"     // the certificates are left out
	OtherSigner  TSAFault = "other-signer"  // the signed attributes name another certificate
	WeakDigest   TSAFault = "weak-digest"   // signed over SHA-1
	OtherContent TSAFault = "other-content" // signed as plain data, not as a timestamp
	OtherUsage   TSAFault = "other-usage"   // signed under a certificate for web servers
	LooseUsage   TSAFault = "loose-usage"   // the certificate's extended key usage is not critical
	BadSignature TSAFault = "bad-signature" // one bit of the signature is wrong
)

// TSAConfig describes a TSA.
type TSAConfig struct {
	Name      string           // stands in the subjects of its certificates; default "test"
	Now       func() time.Time // what it states; default time.Now
	NotBefore time.Time        // validity of all its certificates; default one hour ago
	NotAfter  time.Time        // default ten years from now
	OCSP      bool             // its signing certificate names an OCSP responder, too
	NoCRL     bool             // its certificates name no CRL
}

// TSA is a timestamp authority on loopback. Its methods may be called from
// several goroutines.
type TSA struct {
	URL   string // takes POST requests
	Roots []byte // its root certificate, PEM

	cfg    TSAConfig
	pki    *pki
	rogue  *pki
	server *http.Server
	done   chan struct{} // closed by Close; ends hanging answers
	served chan struct{} // closed when the server has ended

	closing sync.Once

	mu      sync.Mutex // guards fault, asked, revoked
	fault   TSAFault
	asked   int
	revoked *revocation

	end error // why the server ended by itself; written before served is closed
}

type revocation struct {
	at     time.Time
	reason int
}

// NewTSA makes the certificates of a TSA and starts to listen.
func NewTSA(cfg TSAConfig) (*TSA, error) {
	if cfg.Name == "" {
		cfg.Name = "test"
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.NotBefore.IsZero() {
		cfg.NotBefore = cfg.Now().Add(-time.Hour)
	}
	if cfg.NotAfter.IsZero() {
		cfg.NotAfter = cfg.Now().AddDate(10, 0, 0)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("test timestamp authority: %w", err)
	}
	t := &TSA{URL: "http://" + l.Addr().String() + "/tsr", cfg: cfg, done: make(chan struct{}), served: make(chan struct{})}
	base := "http://" + l.Addr().String()
	if t.pki, err = newPKI(cfg, base); err == nil {
		t.rogue, err = newPKI(cfg, base)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("test timestamp authority: %w", err), l.Close())
	}
	t.Roots = t.pki.rootPEM()
	t.server = &http.Server{Handler: t.handler(), ReadHeaderTimeout: 10 * time.Second}
	go func() {
		defer close(t.served)
		if err := t.server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			t.end = err
		}
	}()
	return t, nil
}

// Close stops listening and cuts the answers under way. It may be called again.
func (t *TSA) Close() error {
	t.closing.Do(func() { close(t.done) })
	err := t.server.Close()
	<-t.served
	return errors.Join(err, t.end)
}

// SetFault makes all later answers wrong in one way, or right again.
func (t *TSA) SetFault(f TSAFault) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.fault = f
}

// Asked returns how many requests for tokens came in.
func (t *TSA) Asked() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.asked
}

// Revoke makes CRL and OCSP say that the signing certificate was revoked at the
// time at, for a reason of RFC 5280 section 5.3.1; 0 writes none down.
func (t *TSA) Revoke(at time.Time, reason int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.revoked = &revocation{at: at, reason: reason}
}

func (t *TSA) revocation() *revocation {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.revoked
}

// receive counts a request and returns the fault that is set.
func (t *TSA) receive() TSAFault {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.asked++
	return t.fault
}
