package s3

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/fineprint-archive/fineprint/archive/store"
	"github.com/fineprint-archive/fineprint/archive/store/storetest"
	"github.com/fineprint-archive/fineprint/archive/store/storetest/faultproxy"
	"github.com/fineprint-archive/fineprint/archive/store/storetest/s3server"
)

// faulty returns a bucket behind a fault proxy, and the same without it. Where
// the proxy is going to be silent, silence is given up fast.
func faulty(t *testing.T, srv *s3server.Server, kind faultproxy.Kind) (*Bucket, *Bucket, *faultproxy.Proxy) {
	t.Helper()
	p := faultproxy.Start(t, srv.Endpoint)
	cfg := testConfig(srv)
	direct := openBucket(t, cfg)
	cfg.Endpoint = p.URL()
	cfg.Attempts = 3
	switch kind {
	case faultproxy.Stall, faultproxy.StallAfter, faultproxy.StallBody:
		cfg.Timeout = 300 * time.Millisecond
	}
	return openBucket(t, cfg), direct, p
}

// writeFaults are ways a write can fail, before or after the server did it.
func writeFaults() map[string]faultproxy.Fault {
	faults := map[string]faultproxy.Fault{
		"cut before":  {Kind: faultproxy.CutBefore},
		"cut after":   {Kind: faultproxy.CutAfter},
		"stall":       {Kind: faultproxy.Stall},
		"stall after": {Kind: faultproxy.StallAfter},
	}
	for status, code := range map[int]string{
		500: "InternalError", 503: "SlowDown", 412: "PreconditionFailed", 409: "ConditionalRequestConflict", 429: "", 502: "",
	} {
		faults[fmt.Sprint(status, " before")] = faultproxy.Fault{Kind: faultproxy.Answer, Status: status, Code: code}
		faults[fmt.Sprint(status, " after")] = faultproxy.Fault{Kind: faultproxy.AnswerAfter, Status: status, Code: code}
	}
	return faults
}

// checkError checks that an error says enough and not too much.
func checkError(t *testing.T, srv *s3server.Server, err error) {
	t.Helper()
	text := err.Error()
	for _, secret := range []string{srv.SecretKey, srv.AccessKey, "X-Amz-Signature", "Signature="} {
		if strings.Contains(text, secret) {
			t.Errorf("the error holds %q: %s", secret, text)
		}
	}
	if !strings.Contains(text, srv.Bucket) {
		t.Errorf("the error does not name the bucket: %s", text)
	}
}

// One failure of any kind is got over: nil is returned and the object is there.
// Failure at every try gives an error, or nil if the object is there all the
// same: never a false success.
func TestPutFaults(t *testing.T) {
	srv := s3server.Start(t, s3server.Options{})
	for name, fault := range writeFaults() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, direct, p := faulty(t, srv, fault.Kind)
			data := bytes.Repeat([]byte(name), 9000)
			fault.Method = http.MethodPut
			p.Set(fault)
			if err := putBytes(t.Context(), b, "once", data); err != nil {
				t.Errorf("Put with one failure: %v", err)
			}
			checkObject(t, direct, "once", data)

			fault.Times = -1
			p.Set(fault)
			err := putBytes(t.Context(), b, "always", data)
			_, statErr := direct.Stat(t.Context(), "always")
			reached := strings.HasSuffix(name, "after")
			if reached != (statErr == nil) {
				t.Fatalf("the object is there: %v, want %v", statErr == nil, reached)
			}
			if reached {
				if err != nil {
					t.Errorf("Put whose answers are all lost: %v, want nil, for the object is there", err)
				}
				checkObject(t, direct, "always", data)
				return
			}
			if !errors.Is(err, store.ErrUnavailable) {
				t.Fatalf("Put that never gets through: error = %v, want ErrUnavailable", err)
			}
			checkError(t, srv, err)
			p.Set()
			if err := putBytes(t.Context(), b, "always", data); err != nil {
				t.Errorf("the same Put later: %v", err)
			}
		})
	}
}

func checkObject(t *testing.T, b *Bucket, key string, data []byte) {
	t.Helper()
	rc, err := b.Get(t.Context(), key, 0, -1)
	if err != nil {
		t.Errorf("Get(%s): %v", key, err)
		return
	}
	got, err := io.ReadAll(rc)
	if err := errors.Join(err, rc.Close()); err != nil || !bytes.Equal(got, data) {
		t.Errorf("Get(%s) = %d bytes, %v, want %d", key, len(got), err, len(data))
	}
}

// A key with other bytes is a clash, also when answers get lost; the object of
// the first stays.
func TestPutFaultsClash(t *testing.T) {
	srv := s3server.Start(t, s3server.Options{})
	for name, fault := range writeFaults() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, direct, p := faulty(t, srv, fault.Kind)
			first, second := []byte("first"), []byte("second")
			// The other writer comes between our look and our upload.
			r := &hooked{Reader: bytes.NewReader(second), before: func() {
				if err := putBytes(context.Background(), direct, "a", first); err != nil {
					t.Error(err)
				}
			}}
			fault.Method = http.MethodPut
			p.Set(fault)
			err := b.Put(t.Context(), "a", r, int64(len(second)), storetest.Sum(second), store.PutOptions{})
			if !errors.Is(err, store.ErrExists) {
				t.Errorf("Put error = %v, want ErrExists", err)
			}
			checkObject(t, direct, "a", first)
		})
	}
}

// hooked is a body whose first reading does something.
type hooked struct {
	*bytes.Reader
	before func()
}

func (h *hooked) Read(p []byte) (int, error) {
	if h.before != nil {
		h.before()
		h.before = nil
	}
	return h.Reader.Read(p)
}

// One failure of any kind is got over by PutIfMatch, which never claims a
// write that did not take place nor takes its own for another's.
func TestPutIfMatchFaults(t *testing.T) {
	srv := s3server.Start(t, s3server.Options{})
	for name, fault := range writeFaults() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, direct, p := faulty(t, srv, fault.Kind)
			m, reached := b.Mutable(), strings.HasSuffix(name, "after")
			fault.Method = http.MethodPut
			tag := ""
			for _, content := range []string{"created", "replaced"} {
				p.Set(fault)
				newTag, err := m.PutIfMatch(t.Context(), "lock", []byte(content), tag)
				if err != nil {
					t.Fatalf("PutIfMatch(%s) with one failure: %v", content, err)
				}
				data, now, err := direct.Mutable().Get(t.Context(), "lock")
				if err != nil || string(data) != content || now != newTag {
					t.Fatalf("Get = %q, %q, %v, want %q, %q", data, now, err, content, newTag)
				}
				tag = newTag
			}
			fault.Times = -1
			p.Set(fault)
			_, err := m.PutIfMatch(t.Context(), "lock", []byte("last"), tag)
			data, _, getErr := direct.Mutable().Get(t.Context(), "lock")
			if getErr != nil {
				t.Fatal(getErr)
			}
			want := "replaced"
			if reached {
				want = "last"
			}
			if string(data) != want || (err == nil) != reached || err != nil && !errors.Is(err, store.ErrUnavailable) {
				t.Errorf("PutIfMatch that always fails = %v, content %q, want %q", err, data, want)
			}
			if err != nil {
				checkError(t, srv, err)
			}
		})
	}
}

// When an answer was lost and another writer came, nobody can know what became
// of the write, and the error says so; without a loss it is a plain clash.
func TestPutIfMatchLostAndOvertaken(t *testing.T) {
	srv := s3server.Start(t, s3server.Options{})
	b, direct, p := faulty(t, srv, faultproxy.Answer)
	tag, err := direct.Mutable().PutIfMatch(t.Context(), "lock", []byte("one"), "")
	if err != nil {
		t.Fatal(err)
	}
	// The retry waits as long as Retry-After says; meanwhile another writes.
	p.Set(faultproxy.Fault{Method: "PUT", Kind: faultproxy.Answer, Status: 503, Header: http.Header{"Retry-After": {"1"}}})
	done := make(chan error)
	go func() {
		_, err := b.Mutable().PutIfMatch(t.Context(), "lock", []byte("two"), tag)
		done <- err
	}()
	for p.Requests("PUT") == 0 {
		time.Sleep(time.Millisecond)
	}
	if _, err := direct.Mutable().PutIfMatch(t.Context(), "lock", []byte("three"), tag); err != nil {
		t.Fatal(err)
	}
	if err := <-done; !errors.Is(err, store.ErrUnavailable) || errors.Is(err, store.ErrPrecondition) {
		t.Errorf("PutIfMatch error = %v, want ErrUnavailable", err)
	}
	if _, err := b.Mutable().PutIfMatch(t.Context(), "lock", []byte("four"), tag); !errors.Is(err, store.ErrPrecondition) {
		t.Errorf("PutIfMatch with an old tag: error = %v, want ErrPrecondition", err)
	}
}

func TestDeleteFaults(t *testing.T) {
	srv := s3server.Start(t, s3server.Options{})
	faults := writeFaults()
	faults["501 before"] = faultproxy.Fault{Kind: faultproxy.Answer, Status: 501, Code: "NotImplemented"}
	for name, fault := range faults {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, direct, p := faulty(t, srv, fault.Kind)
			tag, err := direct.Mutable().PutIfMatch(t.Context(), "a", []byte("x"), "")
			if err != nil {
				t.Fatal(err)
			}
			fault.Method = http.MethodDelete
			p.Set(fault)
			if err := b.Mutable().Delete(t.Context(), "a", tag); err != nil {
				t.Errorf("Delete with one failure: %v", err)
			}
			if _, err := direct.Stat(t.Context(), "a"); !errors.Is(err, store.ErrNotExist) {
				t.Errorf("Stat after Delete: error = %v, want ErrNotExist", err)
			}
		})
	}
}

// Reading goes on where a connection broke, and gives up in the end.
func TestGetFaults(t *testing.T) {
	srv := s3server.Start(t, s3server.Options{})
	for name, fault := range map[string]faultproxy.Fault{
		"500":        {Kind: faultproxy.Answer, Status: 500},
		"cut before": {Kind: faultproxy.CutBefore},
		"cut body":   {Kind: faultproxy.CutBody},
		"stall":      {Kind: faultproxy.Stall},
		"stall body": {Kind: faultproxy.StallBody},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, direct, p := faulty(t, srv, fault.Kind)
			data := bytes.Repeat([]byte("0123456789"), 50_000)
			if err := putBytes(t.Context(), direct, "a", data); err != nil {
				t.Fatal(err)
			}
			fault.Method = http.MethodGet
			fault.Times = 2
			p.Set(fault)
			checkObject(t, b, "a", data)
			p.Set(fault)
			rc, err := b.Get(t.Context(), "a", 1000, 400_000)
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(rc)
			if err := errors.Join(err, rc.Close()); err != nil || !bytes.Equal(got, data[1000:401_000]) {
				t.Errorf("Get(a, 1000, 400000) = %d bytes, %v", len(got), err)
			}
			fault.Times = -1
			p.Set(fault)
			rc, err = b.Get(t.Context(), "a", 0, -1)
			if err == nil {
				got, err = io.ReadAll(rc)
				rc.Close()
				if !bytes.HasPrefix(data, got) {
					t.Error("wrong bytes before the error")
				}
			}
			if !errors.Is(err, store.ErrUnavailable) {
				t.Errorf("reading that always fails: error = %v, want ErrUnavailable", err)
			}
			if err != nil {
				checkError(t, srv, err)
			}
		})
	}
}

// A listing that fails in its middle ends with an error.
func TestListFaults(t *testing.T) {
	srv := s3server.Start(t, s3server.Options{})
	b, direct, p := faulty(t, srv, faultproxy.Answer)
	b.cfg.pageSize = 2
	for i := range 6 {
		if err := putBytes(t.Context(), direct, fmt.Sprint("k", i), nil); err != nil {
			t.Fatal(err)
		}
	}
	read := func() (n int, last error) {
		for _, err := range b.List(t.Context(), "", "") {
			if last = err; err == nil {
				n++
			}
		}
		return n, last
	}
	p.Set(faultproxy.Fault{Method: "GET", Kind: faultproxy.CutBefore, Skip: 1, Times: 2})
	if n, err := read(); n != 6 || err != nil {
		t.Errorf("a listing with two failures = %d objects, %v, want 6", n, err)
	}
	p.Set(faultproxy.Fault{Method: "GET", Kind: faultproxy.Answer, Status: 503, Skip: 1, Times: -1})
	if n, err := read(); n != 2 || !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("a listing that fails at its second page = %d objects, %v, want 2 and ErrUnavailable", n, err)
	}
}

// Configurations that a person must correct are told so, at once.
func TestDenied(t *testing.T) {
	srv := s3server.Start(t, s3server.Options{})
	for _, tc := range []struct {
		name   string
		fault  faultproxy.Fault
		change func(*Config)
		want   string
	}{
		{"missing bucket", faultproxy.Fault{}, func(c *Config) { c.Bucket = "archive-test-missing" }, "make the bucket or correct its name"},
		{"wrong secret", faultproxy.Fault{}, func(c *Config) { c.Credentials = static(srv.AccessKey, "wrong") }, "check the credentials"},
		{"unknown key", faultproxy.Fault{}, func(c *Config) { c.Credentials = static("AKIDWRONG", "wrong") }, "the credentials"},
		{"no permission", faultproxy.Fault{Status: 403, Code: "AccessDenied", Times: -1}, nil, "s3:GetObject"},
		{"wrong region", faultproxy.Fault{Status: 301, Code: "PermanentRedirect", Times: -1,
			Header: http.Header{"X-Amz-Bucket-Region": {"eu-west-3"}}}, nil, "set region=eu-west-3"},
		{"malformed region", faultproxy.Fault{Status: 400, Code: "AuthorizationHeaderMalformed", Times: -1,
			Header: http.Header{"X-Amz-Bucket-Region": {"eu-west-3"}}}, nil, "set region=eu-west-3"},
		{"no longer S3", faultproxy.Fault{Status: 302, Times: -1, Header: http.Header{"Location": {"/login"}}}, nil, "endpoint and region"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			p := faultproxy.Start(t, srv.Endpoint)
			cfg := testConfig(srv)
			cfg.Endpoint = p.URL()
			if tc.change != nil {
				tc.change(&cfg)
			}
			if tc.fault.Status != 0 {
				p.Set(tc.fault)
			}
			b := openBucket(t, cfg)
			_, _, getErr := b.Mutable().Get(t.Context(), "a")
			_, swapErr := b.Mutable().PutIfMatch(t.Context(), "a", nil, "")
			_, openErr := b.Get(t.Context(), "a", 0, -1)
			var listErr error
			for _, err := range b.List(t.Context(), "", "") {
				listErr = err
			}
			for what, err := range map[string]error{
				"Check": b.Check(t.Context()), "Put": putBytes(t.Context(), b, "a", []byte("x")), "Get": openErr,
				"List": listErr, "Mutable.Get": getErr, "PutIfMatch": swapErr, "Delete": b.Mutable().Delete(t.Context(), "a", "t"),
			} {
				if !errors.Is(err, store.ErrDenied) || errors.Is(err, store.ErrNotExist) || !strings.Contains(err.Error(), tc.want) {
					t.Errorf("%s error = %v, want ErrDenied that says %q", what, err, tc.want)
				} else {
					checkError(t, srv, err)
				}
			}
			if n := p.Requests("PUT") + p.Requests("HEAD") + p.Requests("GET"); n > 20 {
				t.Errorf("%d requests: it was tried again and again", n)
			}
		})
	}
}

// A server that is not there, is not trusted, or is none of S3.
func TestOtherServers(t *testing.T) {
	secure := httptest.NewUnstartedServer(http.NotFoundHandler())
	secure.Config.ErrorLog = log.New(io.Discard, "", 0)
	secure.StartTLS()
	defer secure.Close()
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	page := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "<html>Welcome to nginx!</html>")
	}))
	defer page.Close()
	for _, tc := range []struct {
		endpoint string
		kind     error
		want     string
	}{
		{secure.URL, store.ErrDenied, "certificate is not trusted"},
		{gone.URL, store.ErrUnavailable, "check the endpoint"},
		{page.URL, nil, ""},
	} {
		cfg := Config{Bucket: "bucket", Endpoint: tc.endpoint, Credentials: static("AKID", "secret"), RetryDelay: time.Millisecond, Attempts: 2}
		b := openBucket(t, cfg)
		err := putBytes(t.Context(), b, "a", []byte("x"))
		if err == nil || !errors.Is(err, tc.kind) && tc.kind != nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("Put to %s: error = %v, want %v that says %q", tc.endpoint, err, tc.kind, tc.want)
		}
	}
}

// What a server says about credentials is not repeated.
func TestErrorRedacted(t *testing.T) {
	b := openBucket(t, Config{Bucket: "bucket", Endpoint: "http://127.0.0.1:1", Credentials: static("AKIDABC", "s3cr3t")})
	if got := b.redact("key AKIDABC with s3cr3t"); got != "key [redacted] with [redacted]" {
		t.Errorf("redact = %q", got)
	}
	if got := printable("a\x1b[31m\nb\xff"+strings.Repeat("条", 100), 20); strings.ContainsAny(got, "\x1b\n") || !utf8.ValidString(got) || len(got) > 24 {
		t.Errorf("printable = %q", got)
	}
}
