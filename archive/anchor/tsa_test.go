package anchor

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fineprint-archive/fineprint/archive/anchor/anchortest"
)

// tsaData is what the tests have stamped.
var tsaData = []byte("example.org/log\n1000\nAAAA\n\n— example.org/log BBBB\n")

func newTestTSA(t *testing.T, cfg anchortest.TSAConfig) (*anchortest.TSA, Authority) {
	t.Helper()
	tsa, err := anchortest.NewTSA(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := tsa.Close(); err != nil {
			t.Error(err)
		}
	})
	return tsa, Authority{Name: "one", URL: tsa.URL, Roots: mustRoots(t, tsa.Roots)}
}

func mustRoots(t *testing.T, pem []byte) Roots {
	t.Helper()
	roots, err := ParseRoots(pem)
	if err != nil {
		t.Fatal(err)
	}
	return roots
}

func mustStamp(t *testing.T, s *Stamper, a Authority) Token {
	t.Helper()
	token, err := s.Stamp(t.Context(), a, tsaData)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// opensslVerify asks openssl for its verdict, nil or its words. Extra arguments
// go to `openssl ts -verify`.
func opensslVerify(t *testing.T, roots, tsr, data []byte, extra ...string) error {
	t.Helper()
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Skip("needs openssl")
	}
	dir := t.TempDir()
	for name, content := range map[string][]byte{"roots.pem": roots, "token.tsr": tsr, "data": data} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), "openssl", append([]string{"ts", "-verify", "-data", "data", "-in", "token.tsr", "-CAfile", "roots.pem"}, extra...)...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	if !bytes.Contains(out, []byte("Verification: OK")) {
		return fmt.Errorf("openssl says %s", out)
	}
	return nil
}

func attime(at time.Time) []string { return []string{"-attime", fmt.Sprint(at.Unix())} }

func TestStamp(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		cfg    anchortest.TSAConfig
		source string
		notes  int
	}{
		{"CRL", anchortest.TSAConfig{}, "crl", 0},
		{"OCSP", anchortest.TSAConfig{OCSP: true}, "ocsp", 0},
		{"no revocation data", anchortest.TSAConfig{NoCRL: true}, "", 2},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			tsa, a := newTestTSA(t, tc.cfg)
			token := mustStamp(t, &Stamper{}, a)
			if len(token.Notes) != tc.notes {
				t.Errorf("notes = %q, want %d", token.Notes, tc.notes)
			}
			if err := opensslVerify(t, tsa.Roots, token.TSR, tsaData, attime(token.Info.Time)...); err != nil {
				t.Error(err)
			}
			info, err := VerifyToken(token.TSR, tsaData, token.Evidence, a.Roots)
			if err != nil {
				t.Fatal(err)
			}
			if since := time.Since(info.Time); since < 0 || since > time.Minute || info.Accuracy != time.Second {
				t.Errorf("time %s ± %s", info.Time, info.Accuracy)
			}
			if len(info.Chain) != 3 || info.Policy != "1.3.6.1.4.1.32473.1" || info.Hash != "SHA-256" ||
				!strings.Contains(info.Signer, "CN=test signer") || !strings.Contains(info.Root, "CN=test root") {
				t.Errorf("info = %+v", info)
			}
			if r := info.Revocation; len(r) != 2 || r[0].Source != tc.source || (r[0].State == RevocationGood) != (tc.source != "") {
				t.Errorf("revocation = %+v, want the signer's from %q", r, tc.source)
			}
		})
	}
}

// TestOpensslReadsEvidence uses the evidence file by hand, as doc.go describes.
func TestOpensslReadsEvidence(t *testing.T) {
	t.Parallel()
	tsa, a := newTestTSA(t, anchortest.TSAConfig{OCSP: true})
	token := mustStamp(t, &Stamper{}, a)
	file := filepath.Join(t.TempDir(), "one.pem")
	if err := os.WriteFile(file, token.Evidence, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := opensslVerify(t, tsa.Roots, token.TSR, tsaData, "-untrusted", file); err != nil {
		t.Error(err)
	}
}

func TestStampRefuses(t *testing.T) {
	t.Parallel()
	tsa, a := newTestTSA(t, anchortest.TSAConfig{})
	for _, tc := range []struct {
		fault anchortest.TSAFault
		want  error
		words string
	}{
		{anchortest.Refuse, ErrTokenAnswer, "time source is not available"},
		{anchortest.ServerError, ErrTokenAnswer, "HTTP status 503"},
		{anchortest.WebPage, ErrTokenAnswer, "text/html"},
		{anchortest.Redirect, ErrTokenAnswer, "configure the address"},
		{anchortest.Garbage, ErrTokenFormat, "not DER"},
		{anchortest.Huge, ErrTokenAnswer, "more than 65536 bytes"},
		{anchortest.Endless, ErrTokenAnswer, "more than 65536 bytes"},
		{anchortest.Lie, ErrTokenImprint, "SHA-256"},
		{anchortest.WrongNonce, ErrTokenNonce, "another one"},
		{anchortest.NoNonce, ErrTokenNonce, "no nonce"},
		{anchortest.Rogue, ErrTokenUntrusted, "test signer"},
		{anchortest.NoSigner, ErrTokenFormat, "certReq"},
		{anchortest.OtherSigner, ErrTokenFormat, "signing certificate attribute"},
		{anchortest.WeakDigest, ErrTokenFormat, "1.3.14.3.2.26"},
		{anchortest.OtherContent, ErrTokenFormat, "not a timestamp"},
		{anchortest.OtherUsage, ErrTokenFormat, "not made for time stamping"},
		{anchortest.LooseUsage, ErrTokenFormat, "critical"},
		{anchortest.BadSignature, ErrTokenFormat, "verification"},
	} {
		tsa.SetFault(tc.fault)
		token, err := (&Stamper{}).Stamp(t.Context(), a, tsaData)
		if !errors.Is(err, tc.want) || !strings.Contains(err.Error(), tc.words) || !strings.Contains(err.Error(), "authority one") {
			t.Errorf("%s: error = %v, want %q with %q", tc.fault, err, tc.want, tc.words)
		}
		if token.TSR != nil && tc.want != nil {
			t.Errorf("%s: a token came with the error", tc.fault)
		}
	}
	tsa.SetFault(anchortest.NoFault)
	mustStamp(t, &Stamper{}, a)
}

func TestStampHanging(t *testing.T) {
	t.Parallel()
	tsa, a := newTestTSA(t, anchortest.TSAConfig{})
	tsa.SetFault(anchortest.Hang)
	_, err := (&Stamper{Timeout: 30 * time.Millisecond}).Stamp(t.Context(), a, tsaData)
	if !errors.Is(err, ErrTokenAnswer) || !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "no whole answer") {
		t.Errorf("by its own limit: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	s := &Stamper{HTTP: &http.Client{Transport: onRequest(cancel)}}
	if _, err := s.Stamp(ctx, a, tsaData); !errors.Is(err, context.Canceled) {
		t.Errorf("by the caller: %v", err)
	}
}

// onRequest is a transport that calls f once the request is on its way.
type onRequest func()

func (f onRequest) RoundTrip(r *http.Request) (*http.Response, error) {
	go f()
	return http.DefaultTransport.RoundTrip(r)
}

func TestStampSendsUserAgent(t *testing.T) {
	t.Parallel()
	agents := make(chan string, 1)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		agents <- r.UserAgent()
		w.WriteHeader(http.StatusTeapot)
	}))
	defer srv.Close()
	_, a := newTestTSA(t, anchortest.TSAConfig{})
	a.URL = strings.Replace(srv.URL, "http://", "http://user:secret@", 1) + "/?key=secret"
	_, err := (&Stamper{UserAgent: "fineprint/1 (+mailto:a@example.org)"}).Stamp(t.Context(), a, tsaData)
	if got := <-agents; got != "fineprint/1 (+mailto:a@example.org)" {
		t.Errorf("user agent = %q", got)
	}
	srv.Close()
	_, gone := (&Stamper{}).Stamp(t.Context(), a, tsaData)
	for _, err := range []error{err, gone} {
		if err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("error = %v, want one without the address", err)
		}
	}
}

func TestStampClock(t *testing.T) {
	t.Parallel()
	_, a := newTestTSA(t, anchortest.TSAConfig{})
	s := &Stamper{Now: func() time.Time { return time.Now().Add(-3 * time.Hour) }}
	token := mustStamp(t, s, a)
	if len(token.Notes) != 1 || !strings.Contains(token.Notes[0], "one of the two is wrong") {
		t.Errorf("notes = %q, want one about the clocks", token.Notes)
	}
	if token.Skew < 2*time.Hour {
		t.Errorf("skew = %s, want about 3h", token.Skew)
	}
}

// tokenAt makes a token of a TSA whose certificates are valid from -1h to +1h
// around noon, at another time.
func tokenAt(t *testing.T, offset time.Duration) (*anchortest.TSA, Roots, []byte, time.Time) {
	t.Helper()
	noon := time.Date(2020, 3, 1, 12, 0, 0, 0, time.UTC)
	at := noon.Add(offset)
	tsa, a := newTestTSA(t, anchortest.TSAConfig{
		Now: func() time.Time { return at }, NotBefore: noon.Add(-time.Hour), NotAfter: noon.Add(time.Hour),
	})
	tsr, err := tsa.Respond(mustQuery(t, tsaData, nil), anchortest.NoFault)
	if err != nil {
		t.Fatal(err)
	}
	return tsa, a.Roots, tsr, at
}

// TestExpiry holds the rule that the chain counts at the time stated, and that
// openssl agrees.
func TestExpiry(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		offset time.Duration
		want   error
	}{
		{"expired since", 0, nil},
		{"expired then", 2 * time.Hour, ErrTokenExpired},
		{"not valid yet", -2 * time.Hour, ErrTokenExpired},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			tsa, roots, tsr, at := tokenAt(t, tc.offset)
			info, err := VerifyToken(tsr, tsaData, nil, roots)
			if !errors.Is(err, tc.want) {
				t.Fatalf("error = %v, want %v", err, tc.want)
			}
			if err == nil && (!info.Time.Equal(at) || info.Expires.After(time.Now())) {
				t.Errorf("info = %+v", info)
			}
			if err := opensslVerify(t, tsa.Roots, tsr, tsaData, attime(at)...); (err == nil) != (tc.want == nil) {
				t.Errorf("openssl at that time: %v", err)
			}
			if err := opensslVerify(t, tsa.Roots, tsr, tsaData); err == nil {
				t.Error("openssl today: accepted, want refused without -attime")
			}
		})
	}
}

// TestExpiredIssuer has the signer outlive its issuer.
func TestExpiredIssuer(t *testing.T) {
	t.Parallel()
	d := newTestPKI(t)
	noon := time.Date(2020, 3, 1, 12, 0, 0, 0, time.UTC)
	d.caUntil = noon
	d.build(t)
	for _, tc := range []struct {
		at   time.Time
		want error
	}{
		{noon.Add(-time.Minute), nil},
		{noon.Add(time.Minute), ErrTokenExpired},
	} {
		if _, err := d.roots(t).chains(d.leaf, nil, tc.at); (err == nil) != (tc.want == nil) {
			t.Errorf("chain at %s: %v", tc.at, err)
		} else if err != nil {
			p := &parsedToken{signer: d.leaf}
			p.info.Time = tc.at
			if err := chainError(p, err); !errors.Is(err, tc.want) || !strings.Contains(err.Error(), "test ca") {
				t.Errorf("error at %s = %v, want %v naming the issuer", tc.at, err, tc.want)
			}
		}
	}
}

func TestVerifyTokenRefuses(t *testing.T) {
	t.Parallel()
	tsa, a := newTestTSA(t, anchortest.TSAConfig{})
	other, b := newTestTSA(t, anchortest.TSAConfig{Name: "other"})
	token := mustStamp(t, &Stamper{}, a)
	altered := bytes.Replace(tsaData, []byte("1000"), []byte("1001"), 1)
	for _, tc := range []struct {
		name     string
		tsr      []byte
		data     []byte
		evidence []byte
		roots    Roots
		pem      []byte
		want     error
	}{
		{"good", token.TSR, tsaData, token.Evidence, a.Roots, tsa.Roots, nil},
		{"good without evidence", token.TSR, tsaData, nil, a.Roots, tsa.Roots, nil},
		{"good among several roots", token.TSR, tsaData, nil, MergeRoots(b.Roots, a.Roots), append(other.Roots, tsa.Roots...), nil},
		{"altered data", token.TSR, altered, token.Evidence, a.Roots, tsa.Roots, ErrTokenImprint},
		{"a byte more", token.TSR, append(tsaData[:len(tsaData):len(tsaData)], '\n'), token.Evidence, a.Roots, tsa.Roots, ErrTokenImprint},
		{"other authority", token.TSR, tsaData, token.Evidence, b.Roots, other.Roots, ErrTokenUntrusted},
		{"roots in the evidence do not count", token.TSR, tsaData, append(tsa.Roots, token.Evidence...), b.Roots, other.Roots, ErrTokenUntrusted},
		{"trailing byte", append(token.TSR[:len(token.TSR):len(token.TSR)], 0x05, 0x00), tsaData, nil, a.Roots, nil, ErrTokenFormat},
		{"cut short", token.TSR[:len(token.TSR)-1], tsaData, nil, a.Roots, nil, ErrTokenFormat},
		{"empty", nil, tsaData, nil, a.Roots, nil, ErrTokenFormat},
		{"too long", make([]byte, MaxTSR+1), tsaData, nil, a.Roots, nil, ErrTokenFormat},
		{"nested", bytes.Repeat([]byte{0x30, 0x80}, 30000), tsaData, nil, a.Roots, nil, ErrTokenFormat},
		{"broken evidence", token.TSR, tsaData, []byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"), a.Roots, nil, ErrTokenFormat},
		{"no PEM as evidence", token.TSR, tsaData, []byte("hello"), a.Roots, nil, ErrTokenFormat},
	} {
		_, err := VerifyToken(tc.tsr, tc.data, tc.evidence, tc.roots)
		if !errors.Is(err, tc.want) || (tc.want == nil) != (err == nil) {
			t.Errorf("%s: error = %v, want %v", tc.name, err, tc.want)
		}
		if tc.pem != nil {
			if err := opensslVerify(t, tc.pem, tc.tsr, tc.data); (err == nil) != (tc.want == nil) {
				t.Errorf("%s: openssl says %v", tc.name, err)
			}
		}
	}
}

// TestBadSignatureIsFalse: a token that is broken by itself is so for a verifier
// without its root, too, for whom a sound one would only be unknown.
func TestBadSignatureIsFalse(t *testing.T) {
	t.Parallel()
	tsa, _ := newTestTSA(t, anchortest.TSAConfig{})
	_, other := newTestTSA(t, anchortest.TSAConfig{Name: "other"})
	tsr, err := tsa.Respond(mustQuery(t, tsaData, nil), anchortest.BadSignature)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := VerifyToken(tsr, tsaData, nil, other.Roots); !errors.Is(err, ErrTokenFormat) {
		t.Errorf("error = %v, want %v", err, ErrTokenFormat)
	}
}

// TestEveryByteCounts flips each bit-0 of a token: no variant may verify with
// another meaning.
func TestEveryByteCounts(t *testing.T) {
	t.Parallel()
	_, a := newTestTSA(t, anchortest.TSAConfig{NoCRL: true})
	token := mustStamp(t, &Stamper{}, a)
	for i := range token.TSR {
		bad := bytes.Clone(token.TSR)
		bad[i] ^= 1
		info, err := VerifyToken(bad, tsaData, nil, a.Roots)
		if err == nil && (!info.Time.Equal(token.Info.Time) || info.Serial != token.Info.Serial || info.Signer != token.Info.Signer) {
			t.Errorf("byte %d of %d: verifies and states %s, serial %s", i, len(bad), info.Time, info.Serial)
		}
	}
}

// TestSystemRoots gives a pool instead of a list of roots.
func TestSystemRoots(t *testing.T) {
	t.Parallel()
	_, a := newTestTSA(t, anchortest.TSAConfig{NoCRL: true})
	token := mustStamp(t, &Stamper{}, a)
	system, err := ReadRoots(SystemRootsName)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := VerifyToken(token.TSR, tsaData, nil, system); !errors.Is(err, ErrTokenUntrusted) {
		t.Errorf("with this machine's roots: %v, want %v", err, ErrTokenUntrusted)
	}
	system.system = system.system.Clone()
	system.system.AddCert(a.Roots.anchors[0])
	if _, err := VerifyToken(token.TSR, tsaData, nil, system); err != nil {
		t.Errorf("with a pool that holds the root: %v", err)
	}
	if _, err := VerifyToken(token.TSR, tsaData, nil, Roots{}); !errors.Is(err, ErrTokenUntrusted) {
		t.Errorf("with no roots: %v, want %v", err, ErrTokenUntrusted)
	}
}

func TestNonceIsPositive(t *testing.T) {
	t.Parallel()
	n, err := (&Stamper{Rand: bytes.NewReader(bytes.Repeat([]byte{0xff}, 8))}).nonce()
	if err != nil || n.Cmp(big.NewInt(1<<63-1)) != 0 {
		t.Errorf("nonce = %v, %v, want 2^63-1", n, err)
	}
	if _, err := (&Stamper{Rand: strings.NewReader("short")}).nonce(); err == nil {
		t.Error("a short source of randomness: no error")
	}
}
