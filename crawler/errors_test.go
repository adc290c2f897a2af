package crawler

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode/utf8"
)

func TestClassify(t *testing.T) {
	dial := func(err error) error {
		return &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", err)}
	}
	for _, c := range []struct {
		err       error
		code      Code
		transient bool
	}{
		{context.Canceled, CodeInterrupted, true},
		{&net.DNSError{Err: "no such host", IsNotFound: true}, CodeDNS, false},
		{&net.DNSError{Err: "server misbehaving", IsTemporary: true}, CodeDNS, true},
		{&net.DNSError{Err: "timeout", IsTimeout: true}, CodeDNS, true},
		{context.DeadlineExceeded, CodeTimeout, true},
		{os.ErrDeadlineExceeded, CodeTimeout, true},
		{dial(syscall.ETIMEDOUT), CodeTimeout, true},
		{dial(syscall.ECONNREFUSED), CodeConnect, true},
		{dial(syscall.EHOSTUNREACH), CodeConnect, true},
		{dial(syscall.EPERM), CodeConnect, true},
		{&net.OpError{Op: "read", Err: syscall.ECONNRESET}, CodeTruncated, true},
		{&net.OpError{Op: "write", Err: syscall.EPIPE}, CodeTruncated, true},
		{io.ErrUnexpectedEOF, CodeTruncated, true},
		{x509.UnknownAuthorityError{}, CodeTLS, false},
		{x509.HostnameError{Certificate: &x509.Certificate{}, Host: "a"}, CodeTLS, false},
		{&net.OpError{Op: "remote error", Err: errors.New("tls: bad certificate")}, CodeTLS, false},
		{&os.PathError{Op: "write", Err: syscall.ENOSPC}, CodeStorage, true},
		{errorf(CodeRobots, "disallowed"), CodeRobots, false},
		{errors.New("what?"), CodeInternal, false},
	} {
		for _, err := range []error{c.err, fmt.Errorf("fetch: %w", c.err)} {
			if e := Classify(err); e.Code != c.code || e.Transient != c.transient || !errors.Is(e, c.err) {
				t.Errorf("Classify(%v) = %+v, want %s, transient %v", err, e, c.code, c.transient)
			}
		}
	}
	if Classify(nil) != nil {
		t.Error("Classify(nil) is an error")
	}
}

func TestClassifyStatus(t *testing.T) {
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		status    int
		after     string
		code      Code
		transient bool
		wait      time.Duration
	}{
		{200, "", "", false, 0},
		{301, "", "", false, 0},
		{304, "", "", false, 0},
		{403, "", CodeHTTPStatus, false, 0},
		{404, "", CodeHTTPStatus, false, 0},
		{408, "", CodeHTTPStatus, true, 0},
		{429, "", CodeRateLimited, true, 0},
		{429, "120", CodeRateLimited, true, 2 * time.Minute},
		{429, "Fri, 01 May 2026 13:00:00 GMT", CodeRateLimited, true, time.Hour},
		{429, "Fri, 01 May 2026 11:00:00 GMT", CodeRateLimited, true, 0},
		{429, "99999999999999999999", CodeRateLimited, true, maxRetryAfter},
		{429, "-1", CodeRateLimited, true, 0},
		{429, "soon", CodeRateLimited, true, 0},
		{500, "", CodeHTTPStatus, true, 0},
		{501, "", CodeHTTPStatus, false, 0},
		{503, "", CodeHTTPStatus, true, 0},
		{503, "7", CodeRateLimited, true, 7 * time.Second},
		{999, "", CodeHTTPStatus, false, 0},
		{101, "", CodeHTTPStatus, false, 0},
	} {
		e := ClassifyStatus(c.status, http.Header{"Retry-After": {c.after}}, now)
		if e == nil {
			if c.code != "" {
				t.Errorf("status %d: no error, want %s", c.status, c.code)
			}
			continue
		}
		if e.Code != c.code || e.Transient != c.transient || e.RetryAfter != c.wait {
			t.Errorf("status %d, Retry-After %q: %+v, want %s, %v, %v", c.status, c.after, e, c.code, c.transient, c.wait)
		}
	}
}

// TestCodes holds the list closed and explained: every code of the source is in
// the table, once, with one sentence.
func TestCodes(t *testing.T) {
	src, err := os.ReadFile("errors.go")
	if err != nil {
		t.Fatal(err)
	}
	constants := strings.Count(string(src), "Code = \"")
	seen := map[Code]bool{}
	for _, c := range Codes() {
		if seen[c.Code] || c.Code == "" || !strings.HasSuffix(c.Meaning, ".") || strings.Contains(strings.TrimSuffix(c.Meaning, "."), ". ") {
			t.Errorf("code %q: %q", c.Code, c.Meaning)
		}
		seen[c.Code] = true
	}
	if len(seen) != constants {
		t.Errorf("%d codes in the table, %d in the source", len(seen), constants)
	}
}

// A text for people that is too long keeps how it begins and how it ends.
func TestDetail(t *testing.T) {
	for name, c := range map[string]struct{ text, begin, end string }{
		"short":   {"write a\nfile: no space left on device", "write a file: ", "a file: no space left on device"},
		"long":    {"write " + strings.Repeat("/folder", 100) + ": no space left on device", "write /folder/", "/folder: no space left on device"},
		"Chinese": {"写入" + strings.Repeat("文件夹", 100) + "：磁盘已满", "写入文件夹", "文件夹：磁盘已满"},
	} {
		t.Run(name, func(t *testing.T) {
			got := detail(errorf(CodeTimeout, "%s", c.text))
			if !strings.HasPrefix(got, c.begin) || !strings.HasSuffix(got, c.end) || !utf8.ValidString(got) || len(got) > maxDetail+len("…") {
				t.Errorf("detail = %q (%d bytes), want %q … %q", got, len(got), c.begin, c.end)
			}
			if cut := len(c.text) > maxDetail; strings.Contains(got, "…") != cut {
				t.Errorf("detail = %q, want it cut: %v", got, cut)
			}
		})
	}
}
