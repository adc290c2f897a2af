package s3

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/aws/smithy-go"
	"github.com/fineprint-archive/fineprint/archive/store"
)

// failure is what one request came to. Servers differ in their error codes for
// the same thing, so what to do hangs on the HTTP status; codes serve for
// remedies and for two cases the status does not tell apart.
type failure struct {
	where   string // "s3://bucket at endpoint", for remedies
	bucket  string
	status  int           // HTTP status; 0 if no answer came
	code    string        // S3 error code, "" if unknown (a HEAD has none)
	message string        // the server's or the network's words, fit to print, no secrets
	region  string        // where the server says the bucket is, "" if it does not say
	wait    time.Duration // what Retry-After asks for
	timeout bool
	trust   bool // the server's certificate was refused
}

// read makes a failure of an SDK error. The error itself is left behind: what
// it would print is not in our hands.
func (b *Bucket) read(err error) *failure {
	f := &failure{where: b.where(), bucket: b.cfg.Bucket}
	if re, ok := errors.AsType[*smithyhttp.ResponseError](err); ok && re.Response != nil && re.Response.Response != nil {
		f.status = re.Response.StatusCode
		f.region = printable(re.Response.Header.Get("X-Amz-Bucket-Region"), 64)
		f.wait = retryAfter(re.Response.Header.Get("Retry-After"))
	}
	if ae, ok := errors.AsType[smithy.APIError](err); ok && f.status != 0 {
		f.code = printable(ae.ErrorCode(), 64)
		f.message = printable(b.redact(ae.ErrorMessage()), 200)
		if f.message == f.code || f.message == "UnknownError" {
			f.message = ""
		}
		return f
	}
	if f.status != 0 {
		f.message = "the answer is not that of an S3 server"
		return f
	}
	cause := err
	if ue, ok := errors.AsType[*url.Error](err); ok {
		cause = ue.Err // without the address, which may be a signed one
	}
	netErr, isNet := errors.AsType[net.Error](cause)
	f.timeout = errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded) || isNet && netErr.Timeout()
	_, f.trust = errors.AsType[*tls.CertificateVerificationError](err)
	f.message = printable(b.redact(cause.Error()), 200)
	return f
}

// retriable tells whether the same request may do better later.
func (f *failure) retriable() bool {
	switch {
	case f.status == 0:
		return !f.trust
	case f.status == http.StatusRequestTimeout, f.status == http.StatusTooManyRequests,
		f.code == "RequestTimeout": // Amazon S3 sends 400 for it
		return true
	case f.status == http.StatusNotImplemented, f.status == http.StatusInsufficientStorage:
		return false
	}
	return f.status >= 500
}

// noBucket tells whether it is the bucket that is missing.
func (f *failure) noBucket() bool {
	return f.status == http.StatusNotFound && f.code == "NoSuchBucket"
}

// absent tells whether a 404 is about the object (or, without a body to say
// so, about the bucket). Servers also answer 404 for unknown credentials.
func (f *failure) absent() bool {
	return f.status == http.StatusNotFound && slices.Contains([]string{"", "NotFound", "NoSuchKey", "NoSuchVersion"}, f.code)
}

// kind returns the sentinel of package store that says what a caller can do.
func (f *failure) kind() error {
	switch {
	case f.status == http.StatusNotFound && !f.absent(), f.trust, f.status == http.StatusUnauthorized, f.status == http.StatusForbidden,
		f.status >= 300 && f.status < 400, f.region != "" && f.status == http.StatusBadRequest:
		return store.ErrDenied
	case f.status == http.StatusNotFound:
		return store.ErrNotExist
	case f.status == http.StatusPreconditionFailed:
		return store.ErrPrecondition
	case f.status == http.StatusInsufficientStorage:
		return store.ErrNoSpace
	case f.status == http.StatusRequestEntityTooLarge:
		return store.ErrTooLarge
	case f.retriable(), f.status == http.StatusConflict:
		return store.ErrUnavailable
	}
	return errRefused
}

// errRefused is the kind of an answer no caller can do anything about.
var errRefused = errors.New("request refused")

// remedy says what a person can do.
func (f *failure) remedy() string {
	switch {
	case f.trust:
		return "its certificate is not trusted by this machine: correct the endpoint, or install the CA certificate"
	case f.status == http.StatusNotFound && !f.absent() && !f.noBucket():
		return "check the bucket, the endpoint and the credentials"
	case f.noBucket():
		return "make the bucket or correct its name"
	case f.code == "RequestTimeTooSkewed":
		return "set the clock of this machine"
	case f.code == "InvalidAccessKeyId", f.code == "SignatureDoesNotMatch", f.status == http.StatusUnauthorized:
		return "check the credentials in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or in ~/.aws/credentials"
	case f.region != "" && (f.status == http.StatusBadRequest || f.status >= 300 && f.status < 400):
		return "the bucket is in another region: set region=" + f.region
	case f.status >= 300 && f.status < 400, f.code == "AuthorizationHeaderMalformed":
		return "set endpoint and region to those of the bucket"
	case f.status == http.StatusForbidden:
		return "check the credentials: they need s3:GetObject, s3:PutObject, s3:DeleteObject and s3:ListBucket for it " +
			"(with Object Lock also s3:PutObjectRetention)"
	case f.status == http.StatusNotImplemented:
		return "the server lacks a feature; fineprint doctor says which"
	case f.status == 0 && f.timeout:
		return "it is too slow or hangs: check the server and the network, then repeat"
	case f.status == 0:
		return "check the endpoint, the server and the network, then repeat"
	case f.retriable():
		return "repeat later"
	}
	return ""
}

// Error describes the failure with its remedy, for example
// "store refused access: s3://bucket at https://host answered 403 AccessDenied
// (Access Denied.): check the credentials: ...".
func (f *failure) Error() string {
	var s strings.Builder
	fmt.Fprintf(&s, "%v: %s", f.kind(), f.where)
	switch {
	case f.status != 0:
		fmt.Fprintf(&s, " answered %d", f.status)
		if f.code != "" {
			s.WriteString(" " + f.code)
		}
		if f.message != "" {
			s.WriteString(" (" + f.message + ")")
		}
	case f.timeout:
		s.WriteString(" did not answer in time")
	default:
		s.WriteString(" gave no answer (" + f.message + ")")
	}
	if r := f.remedy(); r != "" {
		s.WriteString(": " + r)
	}
	return s.String()
}

// Unwrap returns the kind.
func (f *failure) Unwrap() error { return f.kind() }

// redact takes the credentials in use out of a text that others wrote.
func (b *Bucket) redact(s string) string {
	for _, secret := range b.secrets {
		if secret != "" {
			s = strings.ReplaceAll(s, secret, "[redacted]")
		}
	}
	return s
}

// printable returns at most limit bytes of s on one line.
func printable(s string, limit int) string {
	s = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
	if len(s) > limit {
		s = strings.ToValidUTF8(s[:limit], "") + "..."
	}
	return strings.TrimSpace(s)
}

// retryAfter reads the field of RFC 9110, section 10.2.3, in its seconds form.
func retryAfter(value string) time.Duration {
	n, err := strconv.Atoi(value)
	if err != nil || n < 0 {
		return 0
	}
	return min(time.Duration(n)*time.Second, maxWait)
}
