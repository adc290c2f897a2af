package archive_test

import (
	"context"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/fineprint-archive/fineprint/archive"
	"github.com/fineprint-archive/fineprint/archive/store"
	"github.com/fineprint-archive/fineprint/archive/store/s3"
	"github.com/fineprint-archive/fineprint/archive/store/storetest/faultproxy"
	"github.com/fineprint-archive/fineprint/archive/store/storetest/s3server"
)

// holed is a store in which one object reads as if its second half were zero.
type holed struct {
	*store.Memory
	hole string
}

func (h *holed) Get(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	r, err := h.Memory.Get(ctx, key, offset, length)
	if err != nil || key != h.hole {
		return r, err
	}
	data, err := io.ReadAll(r)
	if err != nil {
		return nil, err
	}
	clear(data[len(data)/2:])
	return io.NopCloser(strings.NewReader(string(data))), r.Close()
}

// watched is a store that tells of each reading before it.
type watched struct {
	*store.Memory
	watch func(key string)
}

func (w *watched) Get(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	if w.watch != nil {
		w.watch(key)
	}
	return w.Memory.Get(ctx, key, offset, length)
}

// forgetful ignores every condition, as some servers do.
type forgetful struct{ store.Mutable }

func (f forgetful) PutIfMatch(ctx context.Context, key string, data []byte, tag string) (string, error) {
	if _, now, err := f.Get(ctx, key); err == nil {
		tag = now
	}
	return f.Mutable.PutIfMatch(ctx, key, data, tag)
}

// On a store that ignores If-Match no log is begun, and nothing is written into
// one that is there; the message says what to do.
func TestLogOnForgetfulStore(t *testing.T) {
	t.Parallel()
	b := newLogBench(t)
	good := b.mutable
	for _, begun := range []bool{false, true} {
		if begun {
			a := b.open(t, nil)
			b.look(t, a)
			seal(t, a)
			must(t, a.Close())
		}
		before := len(b.keys(t, "log/"))
		b.mutable = forgetful{good}
		_, err := archive.Open(t.Context(), b.config(nil))
		b.mutable = good
		if err == nil || !strings.Contains(err.Error(), "the log is not written") || !strings.Contains(err.Error(), "use another store, or a version that honours") {
			t.Errorf("Open on a store that ignores conditions: %v, want what to do", err)
		}
		if after := len(b.keys(t, "log/")); after != before {
			t.Errorf("%d objects of the log before, %d behind the refusal", before, after)
		}
	}
	b.check(t, 1)
}

// A server that fails at any object of the seal, before or after it did the
// work: Seal says so, nothing is lost, and the next one makes one entry.
func TestLogStoreFails(t *testing.T) {
	t.Parallel()
	srv := s3server.Start(t, s3server.Options{})
	kinds := map[string]faultproxy.Kind{"before": faultproxy.Answer, "after": faultproxy.AnswerAfter, "cut": faultproxy.CutAfter}
	for name, kind := range kinds {
		for _, path := range []string{"/pending/", "/log/staging/", "/log/lock", "/log/tile/", "/log/checkpoints/", "/log/checkpoint"} {
			t.Run(name+path, func(t *testing.T) {
				t.Parallel()
				proxy := faultproxy.Start(t, srv.Endpoint)
				bucket, err := s3.Open(t.Context(), s3.Config{
					Bucket: srv.Bucket, Prefix: name + strings.ReplaceAll(path, "/", "-"), Endpoint: proxy.URL(), Region: srv.Region,
					Credentials: srv.Credentials(), Attempts: 2, Timeout: 5 * time.Second, RetryDelay: time.Millisecond,
				})
				must(t, err)
				b := newLogBenchOn(t, bucket, bucket.Mutable())
				a := b.open(t, nil)
				b.look(t, a)
				seal(t, a)
				b.grew(t)

				left, err := b.sealThrough(t, a, proxy, faultproxy.Fault{Method: "PUT", Path: path, Kind: kind, Status: 503, Code: "SlowDown"})
				if err != nil && !staysInSpool(err, left) {
					t.Errorf("Seal with a failing server: error %v, spool %q", err, left)
				}
				if err == nil && (len(left) > 0 || kind == faultproxy.Answer) {
					t.Errorf("Seal with a failing server gave no error and left %q", left)
				}
				b.grew(t)
				seal(t, a)
				must(t, a.Close())
				b.check(t, 3)
			})
		}
	}
}
