package crawler

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Code names what went wrong with an exchange or a look. The list is closed:
// the values stand in manifests, in the catalog and in JSON for ever, and each
// one's meaning is in the table that Codes returns.
type Code string

// The codes.
const (
	CodeDNS               Code = "dns"
	CodeConnect           Code = "connect"
	CodeTLS               Code = "tls"
	CodeProxy             Code = "proxy"
	CodeTimeout           Code = "timeout"
	CodeTruncated         Code = "truncated"
	CodeTooLarge          Code = "too-large"
	CodeProtocol          Code = "protocol"
	CodeHTTPStatus        Code = "http-status"
	CodeRateLimited       Code = "rate-limited"
	CodeRobots            Code = "robots"
	CodeRobotsUnreachable Code = "robots-unreachable"
	CodeRedirectLoop      Code = "redirect-loop"
	CodeRedirectLimit     Code = "redirect-limit"
	CodeBadRedirect       Code = "bad-redirect"
	CodePrivateAddress    Code = "private-address"
	CodeUnsupported       Code = "unsupported"
	CodeHostBusy          Code = "host-busy"
	CodeInterrupted       Code = "interrupted"
	CodeStorage           Code = "storage"
	CodeInternal          Code = "internal"
)

// CodeInfo explains a code.
type CodeInfo struct {
	Code Code
	// Meaning is one sentence for people.
	Meaning string
	// Transient says that the same attempt may well succeed within minutes or
	// hours. A single error may know better: see Error.Transient.
	Transient bool
}

// codeTable is the closed list. Order: along the path of an exchange, then of a
// look, then ourselves.
var codeTable = []CodeInfo{
	{CodeDNS, "The host name could not be resolved; transient unless the name server said that it does not exist.", true},
	{CodeConnect, "No connection to any address of the host: refused, unreachable or reset while it was opened.", true},
	{CodeTLS, "No trusted TLS session: the certificate was refused or the handshake failed; transient only if the connection broke.", false},
	{CodeProxy, "The configured proxy could not be reached, refused us or did not open a tunnel; not transient if it wants credentials.", true},
	{CodeTimeout, "The exchange, or one step of it, took longer than allowed; what had come is kept.", true},
	{CodeTruncated, "The connection ended before the response was whole; what had come is kept.", true},
	{CodeTooLarge, "The header block or the body is larger than allowed; what had come by then is kept.", false},
	{CodeProtocol, "What the server sent is not a well-formed HTTP/1.1 response; its bytes are kept.", true},
	{CodeHTTPStatus, "The server answered with a status that is not the page; transient for 408, 425 and 5xx.", false},
	{CodeRateLimited, "The server asked to come back later (429, or 503 with Retry-After).", true},
	{CodeRobots, "The host's robots.txt disallows the address.", false},
	{CodeRobotsUnreachable, "The host's robots.txt could not be had, which counts as disallowed (RFC 9309, section 2.3.1.4).", true},
	{CodeRedirectLoop, "The redirects lead back to an address that this look already asked for.", false},
	{CodeRedirectLimit, "More redirects in a row than allowed.", false},
	{CodeBadRedirect, "A redirect without a usable http or https target.", false},
	{CodePrivateAddress, "The host is or resolves to an address that is not public, and such addresses are not allowed.", false},
	{CodeUnsupported, "The request cannot be made: not http or https, or not expressible in HTTP/1.1.", false},
	{CodeHostBusy, "Another look held the host for longer than this one could wait.", true},
	{CodeInterrupted, "We were told to stop, or stopped without being told, before the look was over.", true},
	{CodeStorage, "Our own disk or archive failed; nothing is said about the page.", true},
	{CodeInternal, "A fault of this program; nothing is said about the page.", false},
}

// Codes returns the closed list of error codes with their meanings.
func Codes() []CodeInfo { return append([]CodeInfo(nil), codeTable...) }

// transientCode returns the table's default for c.
func transientCode(c Code) bool {
	for _, i := range codeTable {
		if i.Code == c {
			return i.Transient
		}
	}
	return false
}

// Error is what went wrong with an exchange or a look. Its text never contains
// credentials.
type Error struct {
	Code       Code
	Transient  bool          // another attempt soon may succeed
	RetryAfter time.Duration // the server's own wish; 0 if it named none
	Err        error         // the cause, never nil
}

// Error returns the code and the cause.
func (e *Error) Error() string { return string(e.Code) + ": " + e.Err.Error() }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Detail returns the cause's text without the code, for Exchange.Detail.
func (e *Error) Detail() string { return e.Err.Error() }

// newError returns an error of the given code with the table's transience.
func newError(c Code, err error) *Error {
	return &Error{Code: c, Transient: transientCode(c), Err: err}
}

// errorf is newError with a formatted cause.
func errorf(c Code, format string, args ...any) *Error {
	return newError(c, fmt.Errorf(format, args...))
}

// Classify finds the code of err: an *Error in its chain as it is, otherwise by
// the errors that net, crypto/tls and the operating system report. It returns
// nil for nil, and code internal for what it does not know.
func Classify(err error) *Error {
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	if errors.Is(err, context.Canceled) {
		return newError(CodeInterrupted, err)
	}
	if e, ok := errors.AsType[*net.DNSError](err); ok {
		return &Error{Code: CodeDNS, Transient: !e.IsNotFound, Err: err}
	}
	if isTimeout(err) {
		return newError(CodeTimeout, err)
	}
	if isTLS(err) {
		return newError(CodeTLS, err)
	}
	for _, k := range errnoCodes {
		if errors.Is(err, k.errno) {
			return newError(k.code, err)
		}
	}
	if e, ok := errors.AsType[*net.OpError](err); ok && e.Op == "dial" {
		return newError(CodeConnect, err)
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) {
		return newError(CodeTruncated, err)
	}
	return newError(CodeInternal, err)
}

// errnoCodes maps errors of the operating system to codes.
var errnoCodes = []struct {
	errno syscall.Errno
	code  Code
}{
	{syscall.ECONNREFUSED, CodeConnect},
	{syscall.EHOSTUNREACH, CodeConnect},
	{syscall.ENETUNREACH, CodeConnect},
	{syscall.EADDRNOTAVAIL, CodeConnect},
	{syscall.ECONNRESET, CodeTruncated},
	{syscall.ECONNABORTED, CodeTruncated},
	{syscall.EPIPE, CodeTruncated},
	{syscall.ENOSPC, CodeStorage},
	{syscall.EDQUOT, CodeStorage},
	{syscall.EROFS, CodeStorage},
	{syscall.EIO, CodeStorage},
	{syscall.EMFILE, CodeStorage},
	{syscall.ENFILE, CodeStorage},
}

// isTimeout reports whether err is any kind of expired deadline.
func isTimeout(err error) bool {
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded) {
		return true
	}
	e, ok := errors.AsType[net.Error](err)
	return ok && e.Timeout()
}

// isTLS reports whether err comes from the TLS handshake itself rather than
// from the connection below it.
func isTLS(err error) bool {
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return true
	}
	if isAlert(err) {
		return true
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return true
	}
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return true
	}
	if _, ok := errors.AsType[x509.CertificateInvalidError](err); ok {
		return true
	}
	_, ok := errors.AsType[x509.HostnameError](err)
	return ok
}

// isAlert reports whether one side ended a TLS session with an alert. crypto/tls
// does not export the type that says so, only the operation around it.
func isAlert(err error) bool {
	e, ok := errors.AsType[*net.OpError](err)
	return ok && (e.Op == "remote error" || e.Op == "local error")
}

// ClassifyStatus returns the error that a final HTTP status is for a page, nil
// for 2xx and for redirects. 304 is an error only to those who asked without
// conditions; they say so themselves. now is what Retry-After dates count from.
func ClassifyStatus(status int, h http.Header, now time.Time) *Error {
	if status >= 200 && status < 400 {
		return nil
	}
	e := errorf(CodeHTTPStatus, "HTTP status %d", status)
	e.RetryAfter = RetryAfter(h, now)
	switch {
	case status == http.StatusTooManyRequests,
		status == http.StatusServiceUnavailable && h.Get("Retry-After") != "":
		e.Code, e.Transient = CodeRateLimited, true
	case status == http.StatusProxyAuthRequired:
		e.Code = CodeProxy
	case status == http.StatusNotImplemented, status == http.StatusHTTPVersionNotSupported:
	case status >= 500 && status < 600,
		status == http.StatusRequestTimeout, status == http.StatusTooEarly:
		e.Transient = true
	}
	return e
}

// maxRetryAfter bounds what a server can ask for.
const maxRetryAfter = 30 * 24 * time.Hour

// RetryAfter reads the header field of that name (RFC 9110, section 10.2.3):
// seconds or a date. It returns 0 without a usable value, and never more than 30 days.
func RetryAfter(h http.Header, now time.Time) time.Duration {
	v := strings.TrimSpace(h.Get("Retry-After"))
	if v == "" {
		return 0
	}
	if s, err := strconv.ParseUint(v, 10, 64); err == nil || errors.Is(err, strconv.ErrRange) {
		return time.Duration(min(s, uint64(maxRetryAfter/time.Second))) * time.Second
	}
	t, err := http.ParseTime(v)
	if err != nil {
		return 0
	}
	return min(max(t.Sub(now), 0), maxRetryAfter)
}
