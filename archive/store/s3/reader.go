package s3

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/fineprint-archive/fineprint/archive/store"
)

// Get implements store.Store. A connection that breaks while the object is
// read is replaced by another that goes on where it stopped.
func (b *Bucket) Get(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	if err := store.ValidKey(key); err != nil {
		return nil, fmt.Errorf("get: %w", err)
	}
	rc, err := b.get(ctx, key, offset, length)
	if err != nil {
		return nil, fmt.Errorf("get %s: %w", key, err)
	}
	return rc, nil
}

func (b *Bucket) get(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	if offset < 0 {
		return nil, fmt.Errorf("offset %d is negative", offset)
	}
	if length != 0 {
		r, err := b.open(ctx, key, offset, length, "")
		if f, ok := errors.AsType[*failure](err); !ok || f.status != http.StatusRequestedRangeNotSatisfiable {
			if err != nil {
				return nil, err
			}
			return r, nil
		}
	}
	// Nothing to read, or the server says so: right only up to the end.
	head, err := b.head(ctx, key)
	if err != nil {
		return nil, err
	}
	if size := aws.ToInt64(head.ContentLength); offset > size || offset < size && length != 0 {
		return nil, fmt.Errorf("offset %d is outside its %d bytes", offset, size)
	}
	return io.NopCloser(strings.NewReader("")), nil
}

// reader reads a part of an object, over as many connections as it takes.
type reader struct {
	b    *Bucket
	ctx  context.Context // of the call that opened it: reading is a part of that
	key  string
	etag string // all pieces are of this state

	pos, end int64 // what is left to read: bytes pos to end, exclusive
	tries    int   // broken connections so far

	piece  io.ReadCloser // nil when there is no connection
	cancel context.CancelFunc
}

// open starts reading. With an etag it reads only that state of the object.
func (b *Bucket) open(ctx context.Context, key string, offset, length int64, etag string) (*reader, error) {
	r := &reader{b: b, ctx: ctx, key: key, etag: etag, pos: offset, end: math.MaxInt64}
	if length >= 0 && length < math.MaxInt64-offset {
		r.end = offset + length
	}
	if r.pos == r.end {
		return r, nil
	}
	for n := 1; ; n++ {
		f, err := r.connect()
		if err != nil {
			return nil, err
		}
		if f == nil {
			return r, nil
		}
		if !f.retriable() || n >= b.cfg.Attempts {
			return nil, b.missing(ctx, f)
		}
		if err := b.pause(ctx, n, f); err != nil {
			return nil, err
		}
	}
}

// connect asks for what is left.
func (r *reader) connect() (*failure, error) {
	in := &s3.GetObjectInput{Bucket: &r.b.cfg.Bucket, Key: r.b.key(r.key)}
	ranged := r.pos > 0 || r.end < math.MaxInt64
	if ranged {
		in.Range = aws.String(byteRange(r.pos, r.end))
	}
	if r.etag != "" {
		in.IfMatch = &r.etag
	}
	ctx, cancel := context.WithCancel(r.ctx)
	// The head of the answer has a time limit; the body has none but that of
	// a silent connection.
	limit := time.AfterFunc(r.b.limit(0), cancel)
	out, err := r.b.client.GetObject(ctx, in)
	inTime := limit.Stop()
	if err != nil {
		defer cancel()
		if err := r.ctx.Err(); err != nil {
			return nil, err
		}
		f := r.b.read(err)
		f.timeout = f.timeout || !inTime
		return f, nil
	}
	r.b.answered.Store(true)
	end, err := partEnd(out, r.pos, ranged)
	if err != nil {
		out.Body.Close() // nothing of it is used
		cancel()
		return nil, fmt.Errorf("%s: %w", r.b.where(), err)
	}
	r.end = min(r.end, end)
	r.etag = aws.ToString(out.ETag)
	r.piece, r.cancel = out.Body, cancel
	return nil, nil
}

// byteRange returns the field of RFC 9110, section 14.2.
func byteRange(pos, end int64) string {
	if end == math.MaxInt64 {
		return fmt.Sprintf("bytes=%d-", pos)
	}
	return fmt.Sprintf("bytes=%d-%d", pos, end-1)
}

// partEnd returns where the part that a server sent ends, after checking that
// it begins at pos.
func partEnd(out *s3.GetObjectOutput, pos int64, ranged bool) (int64, error) {
	if out.ContentLength == nil || *out.ContentLength < 0 {
		return 0, errors.New("the answer has no length")
	}
	from := int64(0)
	if field := aws.ToString(out.ContentRange); ranged && field != "" {
		var err error
		part := strings.TrimPrefix(field, "bytes ")
		first, _, _ := strings.Cut(part, "-")
		if from, err = strconv.ParseInt(first, 10, 64); err != nil {
			return 0, fmt.Errorf("the answer has the range %q", field)
		}
	}
	if from != pos {
		return 0, fmt.Errorf("bytes from %d were asked for, those from %d were sent", pos, from)
	}
	return from + *out.ContentLength, nil
}

// Read implements io.Reader.
func (r *reader) Read(p []byte) (int, error) {
	for {
		if r.pos >= r.end {
			return 0, io.EOF
		}
		if err := r.ctx.Err(); err != nil {
			return 0, fmt.Errorf("get %s: %w", r.key, err)
		}
		if r.piece == nil {
			if err := r.reconnect(); err != nil {
				return 0, fmt.Errorf("get %s at byte %d: %w", r.key, r.pos, err)
			}
		}
		n, err := r.piece.Read(p[:min(int64(len(p)), r.end-r.pos)])
		r.pos += int64(n)
		if err == nil || n > 0 && r.pos == r.end {
			return n, nil
		}
		// An end before the end is a broken connection, too.
		r.drop()
		if err := r.broken(err); err != nil {
			return n, err
		}
		if n > 0 {
			return n, nil
		}
	}
}

// broken counts a broken connection and waits; too many are an error.
func (r *reader) broken(cause error) error {
	if r.pos >= r.end {
		return nil
	}
	if r.ctx.Err() != nil {
		return nil // the next turn reports it
	}
	if cause == io.EOF {
		cause = io.ErrUnexpectedEOF
	}
	f := r.b.read(cause)
	r.tries++
	if r.tries >= r.b.cfg.Attempts {
		return fmt.Errorf("get %s: broken off at byte %d of %d, %d times in all: %w", r.key, r.pos, r.end, r.tries, f)
	}
	return r.b.pause(r.ctx, r.tries, f)
}

// reconnect goes on with another connection.
func (r *reader) reconnect() error {
	for {
		f, err := r.connect()
		if err != nil {
			return err
		}
		if f == nil {
			return nil
		}
		if f.status == http.StatusPreconditionFailed {
			return errors.New("the object was replaced while it was read")
		}
		r.tries++
		if !f.retriable() || r.tries >= r.b.cfg.Attempts {
			return r.b.missing(r.ctx, f)
		}
		if err := r.b.pause(r.ctx, r.tries, f); err != nil {
			return err
		}
	}
}

// drop gives the connection up.
func (r *reader) drop() {
	if r.piece == nil {
		return
	}
	r.cancel()      // first: closing alone would read the rest of a large body
	r.piece.Close() // what is lost is read again
	r.piece = nil
}

// Close implements io.Closer.
func (r *reader) Close() error {
	r.drop()
	r.pos = r.end
	return nil
}
