package s3

import (
	"context"
	"errors"
	"io"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go/middleware"
)

// bodyError is an error of the bytes to send, not of the server.
type bodyError struct{ err error }

func (e *bodyError) Error() string { return "read the body: " + e.err.Error() }
func (e *bodyError) Unwrap() error { return e.err }

var errRevoked = errors.New("the try this body belonged to is over")

// body lends a reader to one try. An HTTP transport may go on reading a body
// after its request has failed; once revoked, it can't disturb the next try.
type body struct {
	mu sync.Mutex
	r  io.ReadSeeker // nil once revoked; guarded by mu
}

func (b *body) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.r == nil {
		return 0, errRevoked
	}
	n, err := b.r.Read(p)
	if err != nil && err != io.EOF {
		err = &bodyError{err}
	}
	return n, err
}

func (b *body) Seek(offset int64, whence int) (int64, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.r == nil {
		return 0, errRevoked
	}
	n, err := b.r.Seek(offset, whence)
	if err != nil {
		err = &bodyError{err}
	}
	return n, err
}

// revoke ends the loan. When it returns the reader is not in use.
func (b *body) revoke() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.r = nil
}

// signedAs lets the SDK sign a body by a SHA-256 that is already known, which
// saves reading it once more and makes a server that speaks signature version
// 4 check it, over https, too.
func signedAs(sha256hex string) func(*s3.Options) {
	return s3.WithAPIOptions(func(stack *middleware.Stack) error {
		return stack.Initialize.Add(middleware.InitializeMiddlewareFunc("KnownPayloadHash",
			func(ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler) (
				middleware.InitializeOutput, middleware.Metadata, error) {
				return next.HandleInitialize(v4.SetPayloadHash(ctx, sha256hex), in)
			}), middleware.Before)
	})
}
