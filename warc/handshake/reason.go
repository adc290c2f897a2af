package handshake

import (
	"errors"
	"fmt"
)

// Reason says in one word why a connection has no proof. The list is closed.
type Reason string

// The reasons.
const (
	// NoAnchor: there was no anchored checkpoint to commit to. Never written.
	NoAnchor Reason = "no-anchor"
	// PlainHTTP: there was no TLS. Never written.
	PlainHTTP Reason = "plain-http"
	// UnsupportedSuite: a version, cipher suite or signature scheme outside the
	// lists of the package comment.
	UnsupportedSuite Reason = "unsupported-suite"
	// NoSignature: the server signed nothing (RSA key exchange, resumption).
	NoSignature Reason = "no-signature"
	// RandomNotOurs: the TLS library put other bytes into ClientHello.random.
	RandomNotOurs Reason = "random-not-ours"
	// Malformed: the handshake is not one of RFC 8446 or RFC 5246.
	Malformed Reason = "malformed"
	// TooLarge: the handshake or the proof exceeds MaxProof or MaxFlight.
	TooLarge Reason = "too-large"
	// Failed: there was no whole handshake, or its signature did not hold.
	Failed Reason = "failed"
)

// Error is why Build made no proof.
type Error struct {
	Reason Reason
	Err    error
}

// Error returns the reason and what was found.
func (e *Error) Error() string { return fmt.Sprintf("no handshake proof (%s): %v", e.Reason, e.Err) }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// errorf returns an Error.
func errorf(r Reason, format string, args ...any) error {
	return &Error{r, fmt.Errorf(format, args...)}
}

// ReasonOf returns the reason of an error of Build or Recorder.Proof: Failed if
// it names none, "" for nil.
func ReasonOf(err error) Reason {
	if err == nil {
		return ""
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Reason
	}
	return Failed
}
