package wayback

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fineprint-archive/fineprint/archive/wayback/waybacktest"
)

func TestNew(t *testing.T) {
	good := Config{Keys: Keys{testAccess, testSecret}, UserAgent: testAgent}
	tests := []struct {
		name   string
		change func(*Config)
		err    string
	}{
		{"good", func(*Config) {}, ""},
		{"no keys, for reading", func(c *Config) { c.Keys = Keys{} }, ""},
		{"half of the keys", func(c *Config) { c.Keys.Secret = "" }, "secret key is missing"},
		{"other half", func(c *Config) { c.Keys.Access = "" }, "access key is missing"},
		{"bad archive", func(c *Config) { c.ArchiveURL = "archive.org" }, "wayback.archive_url"},
		{"no agent", func(c *Config) { c.UserAgent = " " }, "User-Agent"},
		{"agent of two lines", func(c *Config) { c.UserAgent = "a\r\nX: y" }, "User-Agent"},
		{"other scheme", func(c *Config) { c.BaseURL = "ftp://web.archive.org" }, "wayback.base_url"},
		{"no host", func(c *Config) { c.BaseURL = "web.archive.org" }, "wayback.base_url"},
		{"password", func(c *Config) { c.BaseURL = "https://u:topsecret@web.archive.org" }, "wayback.base_url"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cfg := good
			tt.change(&cfg)
			c, err := New(cfg)
			switch {
			case tt.err == "" && (err != nil || c.base != DefaultBaseURL):
				t.Errorf("New: %v", err)
			case tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)):
				t.Errorf("New error = %v, want %q in it", err, tt.err)
			case err != nil && strings.Contains(err.Error(), "topsecret"):
				t.Errorf("New error = %v shows a password", err)
			}
		})
	}
}

func TestClientRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, waybacktest.Config{}, Limits{}, nil)
		ctx, address := t.Context(), "https://例え.example/規約?a=1&b=شروط#x"
		a, err := l.client.Submit(ctx, Request{URL: address, Screenshot: true})
		if err != nil || !strings.HasPrefix(a.JobID, "spn2-") || len(a.JobID) != 45 || a.Reused {
			t.Fatalf("Submit = %+v, %v", a, err)
		}
		again, err := l.client.Submit(ctx, Request{URL: address, ForceGet: true})
		if err != nil || again.JobID != a.JobID || !again.Reused || again.Message == "" {
			t.Errorf("Submit again = %+v, %v, want the same job", again, err)
		}
		u, err := l.client.UserStatus(ctx)
		if want := (UserStatus{2, 1, 1, 30000, 70000}); err != nil || u != want {
			t.Errorf("UserStatus = %+v, %v, want %+v", u, err, want)
		}
		if s, err := l.client.Status(ctx, a.JobID); err != nil || s.State != JobPending {
			t.Errorf("Status = %+v, %v, want pending", s, err)
		}
		time.Sleep(time.Minute)
		if s, err := l.client.Status(ctx, a.JobID); err != nil || s.State != JobSuccess || s.OriginalURL != address {
			t.Errorf("Status = %+v, %v, want success of %s", s, err, address)
		}
		if b := l.server.Breaches(); len(b) != 0 {
			t.Errorf("breaches = %v, want none", b)
		}
		first := l.server.Requests()[0]
		if first.Header.Get("User-Agent") != testAgent || first.Header.Get("Accept") != "application/json" ||
			first.Method != "POST" || first.Path != "/save" {
			t.Errorf("first request = %+v", first)
		}
		want := url.Values{"url": {address}, "skip_first_archive": {"1"}, "capture_screenshot": {"1"}}
		if diff := cmp.Diff(want, first.Form); diff != "" {
			t.Errorf("form (-want +got):\n%s", diff)
		}
		noSecrets(t, fmt.Sprintf("%+v", l.server.Requests()))
		noSecrets(t, l.logs.String())
	})
}

func TestClientRefusesAddresses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, waybacktest.Config{}, Limits{}, nil)
		for _, address := range []string{"", "x", "/tos", "ftp://x.example/", "https://", "https://user:pw@x.example/",
			"https://x.example/\n", "javascript:alert(1)", "https://x.example/" + strings.Repeat("a", maxURL)} {
			_, err := l.client.Submit(t.Context(), Request{URL: address})
			if e, ok := errors.AsType[*Error](err); !ok || e.Class != ClassPermanent || strings.Contains(err.Error(), "pw") {
				t.Errorf("Submit(%.40q) = %v, want a permanent error", address, err)
			}
		}
		if n := len(l.server.Requests()); n != 0 {
			t.Errorf("%d requests were sent, want none", n)
		}
	})
}

// TestClientAnswers: every kind of bad answer gets its class, its wait, and never
// shows a key, even when the service repeats it.
func TestClientAnswers(t *testing.T) {
	echo := `"` + testAccess + " LOW " + testAccess + ":" + testSecret + `"`
	tests := []struct {
		name    string
		handler http.HandlerFunc
		class   Class
		retry   time.Duration
	}{
		{"401 echo", func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(401)
			io.WriteString(w, `{"message":`+echo+`}`)
		}, ClassKeysRefused, 0},
		{"403 without words", func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(403) }, ClassKeysRefused, 0},
		{"200 echo", func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, `{"message":`+echo+`,"status_ext":"error:`+testSecret+`"}`)
		}, ClassUnknown, 0},
		{"429 with wait", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Retry-After", "33")
			w.WriteHeader(429)
		}, ClassSlot, 33 * time.Second},
		{"503 with wait", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Retry-After", "120")
			w.WriteHeader(503)
		}, ClassOutage, 2 * time.Minute},
		{"message with wait", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Retry-After", "60")
			io.WriteString(w, `{"message":"Crawling this host is paused"}`)
		}, ClassTargetThrottled, time.Minute},
		{"redirect", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://elsewhere.test/", http.StatusTemporaryRedirect)
		}, ClassOutage, 0},
		{"too long", func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, `{"job_id":"a","x":"`+strings.Repeat("x", maxAnswer)+`"}`)
		}, ClassOutage, 0},
		{"cut", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "1000")
			io.WriteString(w, `{"job_id":"a"}`)
		}, ClassLost, 0},
		{"no answer", func(w http.ResponseWriter, r *http.Request) { panic(http.ErrAbortHandler) }, ClassLost, 0},
		{"not HTTP", func(w http.ResponseWriter, r *http.Request) {
			c, _, err := http.NewResponseController(w).Hijack()
			if err == nil {
				io.WriteString(c, "HELLO "+testSecret+"\r\n\r\n")
				c.Close()
			}
		}, ClassLost, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := 0
				l := newLab(t, waybacktest.Config{}, Limits{}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					n++
					if r.Host != "spn.test" {
						t.Errorf("request to %s: a redirect was followed", r.Host)
					}
					tt.handler(w, r)
				}))
				_, err := l.client.Submit(t.Context(), Request{URL: "https://x.example/"})
				e, ok := errors.AsType[*Error](err)
				if !ok || e.Class != tt.class || e.RetryAfter != tt.retry {
					t.Fatalf("Submit error = %v (%+v), want class %s, wait %v", err, e, tt.class, tt.retry)
				}
				if n != 1 {
					t.Errorf("%d requests, want 1", n)
				}
				noSecrets(t, fmt.Sprintf("%v %+v %s %s", err, e.Message, e.Code, e.Receipt))
				noSecrets(t, l.logs.String())
			})
		})
	}
}

// TestNeverSent: what comes before a request is an outage, not a lost answer.
func TestNeverSent(t *testing.T) {
	sent := errors.New("read: connection reset by peer")
	tests := []struct {
		err  error
		want bool
	}{
		{&net.OpError{Op: "dial", Err: errors.New("connection refused")}, true},
		{&net.OpError{Op: "proxyconnect", Err: errors.New("x")}, true},
		{&net.DNSError{Err: "no such host"}, true},
		{&tls.CertificateVerificationError{Err: errors.New("x")}, true},
		{x509.UnknownAuthorityError{}, true},
		{tls.RecordHeaderError{Msg: "x"}, true},
		{&net.OpError{Op: "read", Err: sent}, false},
		{io.ErrUnexpectedEOF, false},
		{sent, false},
	}
	for _, tt := range tests {
		if got := neverSent(&url.Error{Op: "Post", URL: "https://web.archive.org/save", Err: tt.err}); got != tt.want {
			t.Errorf("neverSent(%T %v) = %v, want %v", tt.err, tt.err, got, tt.want)
		}
	}
}
