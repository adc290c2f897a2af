package s3

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"
)

const (
	maxWait = 30 * time.Second // longest pause, also when Retry-After asks for more
	topWait = 10 * time.Second // longest pause of our own

	// A try may take Config.Timeout and this much more, however well it moves.
	slowest = 64 << 10 // bytes a second
)

// call makes a request, repeating it while that may help. It is for requests
// that may be repeated blindly: those that only read. It returns the output,
// or the failure of the last try, or the context's error.
func call[T any](ctx context.Context, b *Bucket, size int64, request func(context.Context) (T, error)) (T, *failure, error) {
	for n := 1; ; n++ {
		out, f, err := once(ctx, b, size, request)
		if err != nil || f == nil || !f.retriable() || n >= b.cfg.Attempts {
			return out, f, err
		}
		if err := b.pause(ctx, n, f); err != nil {
			return out, nil, err
		}
	}
}

// once makes a request once. size is what moves, in bytes.
func once[T any](ctx context.Context, b *Bucket, size int64, request func(context.Context) (T, error)) (T, *failure, error) {
	if err := ctx.Err(); err != nil {
		var none T
		return none, nil, err
	}
	try, cancel := context.WithTimeout(ctx, b.limit(size))
	defer cancel()
	out, err := request(try)
	if err == nil {
		b.answered.Store(true)
		return out, nil, nil
	}
	if err := ctx.Err(); err != nil {
		return out, nil, err
	}
	if own, ok := errors.AsType[*bodyError](err); ok {
		return out, nil, own.err
	}
	return out, b.read(err), nil
}

// limit returns the longest time one try may take.
func (b *Bucket) limit(size int64) time.Duration {
	return 2*b.cfg.Timeout + time.Duration(size/slowest)*time.Second
}

// pause waits before try n+1: around RetryDelay doubled n-1 times, or as long
// as the server asked for.
func (b *Bucket) pause(ctx context.Context, n int, f *failure) error {
	wait := min(b.cfg.RetryDelay<<min(n-1, 16), topWait)
	wait = wait/2 + rand.N(wait+1)
	wait = max(wait, f.wait)
	b.cfg.Logger.WarnContext(ctx, "s3 request failed, trying again", "bucket", b.cfg.Bucket, "try", n,
		"of", b.cfg.Attempts, "wait", wait, "err", f.Error())
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
