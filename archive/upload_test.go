package archive_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fineprint-archive/fineprint/archive"
	"github.com/fineprint-archive/fineprint/archive/catalog"
	"github.com/fineprint-archive/fineprint/archive/store"
	"github.com/fineprint-archive/fineprint/archive/wayback"
	"github.com/fineprint-archive/fineprint/archive/wayback/waybacktest"
	"github.com/fineprint-archive/fineprint/crawler/declaration"
	"github.com/fineprint-archive/fineprint/warc"
)

// uploadLab is an archive, archive.org, and the clock of both.
type uploadLab struct {
	*bench
	items *waybacktest.Items
	cfg   archive.UploadConfig

	mu    sync.Mutex
	now   time.Time
	waits []time.Duration
	said  []string
}

// lag is how long the stand-in does not list what was put.
const lag = 2 * time.Hour

func newUploadLab(t *testing.T) *uploadLab {
	t.Helper()
	l := &uploadLab{bench: newBench(t, store.NewMemory()), now: time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)}
	keys := wayback.Keys{Access: "test-access-key", Secret: "test-secret-key"}
	server, address := waybacktest.StartItems(t, waybacktest.ItemsConfig{Access: keys.Access, Secret: keys.Secret, Lag: lag, Now: l.clock})
	client, err := wayback.NewItems(wayback.ItemsConfig{S3URL: address, ArchiveURL: address, Keys: keys, UserAgent: "fineprint-test (+mailto:a@example.org)"})
	must(t, err)
	l.items = server
	l.cfg = archive.UploadConfig{
		Store: l.store, Catalog: l.db, Items: client, Item: "example-terms", Collection: "opensource", Operator: "Example", Tool: "test/1",
		Now: l.clock, Say: func(line string) { l.said = append(l.said, line) },
		Wait: func(ctx context.Context, d time.Duration) error {
			l.waits = append(l.waits, d)
			l.advance(d)
			return ctx.Err()
		},
	}
	return l
}

func (l *uploadLab) clock() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.now
}

func (l *uploadLab) advance(d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.now = l.now.Add(d)
}

// seal makes a WARC with one look, at the time of the clock.
func (l *uploadLab) seal(t *testing.T) archive.Sealed {
	t.Helper()
	a, err := archive.Open(t.Context(), archive.Config{Store: l.store, Catalog: l.db, Spool: l.spool, Tool: "test/1", Now: l.clock})
	must(t, err)
	l.look(t, a)
	sealed, err := a.Seal(t.Context())
	must(t, err)
	must(t, a.Close())
	return sealed[0]
}

// upload uploads and wants these counts of states.
func (l *uploadLab) upload(t *testing.T, want string) archive.UploadReport {
	t.Helper()
	r, err := archive.Upload(t.Context(), l.cfg)
	must(t, err)
	var got []string
	for _, s := range catalog.UploadStates() {
		if n := r.States[s]; n > 0 {
			got = append(got, fmt.Sprintf("%s %d", s, n))
		}
	}
	if text := strings.Join(got, ", "); text != want {
		t.Errorf("Upload: states %q, want %q (%+v, said %q)", text, want, r, l.said)
	}
	return r
}

// faultless wants a client that broke no rule.
func (l *uploadLab) faultless(t *testing.T) {
	t.Helper()
	if diff := cmp.Diff(map[string]int{}, l.items.Breaches()); diff != "" {
		t.Errorf("breaches (-want +got):\n%s", diff)
	}
}

func TestUpload(t *testing.T) {
	t.Parallel()
	l := newUploadLab(t)
	for range 2 {
		l.seal(t)
	}
	l.advance(15 * 24 * time.Hour) // December
	l.seal(t)
	plan, err := archive.PlanUpload(t.Context(), l.cfg)
	if err != nil || len(plan) != 6 || plan[0].Item != "example-terms-2026-11" || plan[5].Item != "example-terms-2026-12" || len(l.items.Puts()) != 0 {
		t.Fatalf("PlanUpload = %+v, %v", plan, err)
	}
	r := l.upload(t, "sent 6")
	if r.Sent != 6 || r.Held != "" || r.Stopped != "" || !r.NextAt.Equal(l.now.Add(10*time.Minute)) {
		t.Errorf("Upload = %+v", r)
	}
	// Listed after two hours: the looks after ten minutes and one hour find nothing.
	for _, step := range []struct {
		pass time.Duration
		want string
		next time.Duration
	}{{9 * time.Minute, "sent 6", time.Minute}, {2 * time.Minute, "sent 6", 49 * time.Minute}, {50 * time.Minute, "sent 6", 299 * time.Minute}} {
		l.advance(step.pass)
		if r := l.upload(t, step.want); !r.NextAt.Equal(l.now.Add(step.next)) || r.Sent > 0 {
			t.Errorf("after %s: %+v, want the next look in %s", step.pass, r, step.next)
		}
	}
	l.advance(5 * time.Hour)
	l.upload(t, "verified 6")
	l.upload(t, "verified 6")
	if n := len(l.items.Puts()); n != 6 {
		t.Errorf("%d files were put, want 6", n)
	}
	meta := l.items.Meta("example-terms-2026-11")
	if cmp.Diff([]string{"web"}, meta["mediatype"]) != "" || cmp.Diff([]string{"opensource"}, meta["collection"]) != "" || len(meta["subject"]) < 2 || meta["date"][0] != "2026-11" {
		t.Errorf("metadata %v", meta)
	}
	l.faultless(t)

	// A catalog that was made again knows nothing of uploads, the items do.
	again := openCatalog(t, filepath.Join(t.TempDir(), "again.sqlite"))
	_, err = archive.Rebuild(t.Context(), l.store, again, nil, nil)
	must(t, err)
	l.cfg.Catalog = again
	if r := l.upload(t, "verified 6"); r.Present != 6 || r.Sent != 0 {
		t.Errorf("after a rebuild: %+v", r)
	}
	// A look at all of them finds what has gone since.
	l.items.Drop("example-terms-2026-11", plan[0].Name)
	l.cfg.VerifyOnly = true
	l.upload(t, "verified 5, altered 1")
	l.faultless(t)
}

// Passing faults are waited for and cost nothing but a repeated PUT.
func TestUploadPassing(t *testing.T) {
	t.Parallel()
	for _, kind := range []waybacktest.ItemsKind{waybacktest.ItemsSlowDown, waybacktest.ItemsOverLimit, waybacktest.ItemsReset, waybacktest.ItemsLost,
		waybacktest.ItemsRedirect, waybacktest.ItemsHTML, waybacktest.ItemsBadDigest, waybacktest.ItemsDown} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			l := newUploadLab(t)
			l.seal(t)
			l.items.Inject(waybacktest.ItemsFault{Kind: kind, After: 100})
			l.upload(t, "sent 2")
			if waited := len(l.waits); waited != 1 && kind != waybacktest.ItemsRedirect {
				t.Errorf("waited %v", l.waits)
			}
			l.advance(25 * time.Hour)
			l.upload(t, "verified 2")
			l.faultless(t)
		})
	}
	t.Run("for good", func(t *testing.T) {
		t.Parallel()
		l := newUploadLab(t)
		l.seal(t)
		l.items.Inject(waybacktest.ItemsFault{Kind: waybacktest.ItemsSlowDown, Times: 6})
		if r := l.upload(t, "waiting 2"); r.Held == "" || len(l.waits) != 5 {
			t.Errorf("Upload = %+v after waits %v", r, l.waits)
		}
		l.upload(t, "sent 2")
		l.faultless(t)
	})
}

// A wait that the service asks for is kept if it is short; a long one is left to the
// next call.
func TestUploadRetryAfter(t *testing.T) {
	t.Parallel()
	l := newUploadLab(t)
	l.seal(t)
	l.items.Inject(waybacktest.ItemsFault{Kind: waybacktest.ItemsSlowDown, RetryAfter: "1800"}, waybacktest.ItemsFault{Kind: waybacktest.ItemsSlowDown, RetryAfter: "86400"})
	if r := l.upload(t, "waiting 2"); r.Held == "" || !slices.Equal(l.waits, []time.Duration{30 * time.Minute}) {
		t.Errorf("Upload = %+v after waits %v, want one of 30 minutes and the rest left", r, l.waits)
	}
	l.upload(t, "sent 2")
	l.faultless(t)
}

// Faults that do not pass are told, and never tried again by themselves.
func TestUploadRefused(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		kind  waybacktest.ItemsKind
		state string
		word  string
	}{
		{waybacktest.ItemsSpam, "waiting 2, refused 1", "spam"}, // its index waits with it
		{waybacktest.ItemsForbidden, "waiting 4", "collection"},
		{waybacktest.ItemsBadKeys, "waiting 4", "keys"},
		{waybacktest.ItemsBadBucket, "waiting 4", "wayback.item"},
	} {
		t.Run(string(test.kind), func(t *testing.T) {
			t.Parallel()
			l := newUploadLab(t)
			for range 2 {
				l.seal(t)
			}
			l.items.Inject(waybacktest.ItemsFault{Kind: test.kind})
			r := l.upload(t, test.state)
			if !strings.Contains(r.Stopped, test.word) || len(l.waits) > 0 || len(l.said) == 0 || r.Sent > 0 {
				t.Errorf("Upload = %+v, waited %v, said %q", r, l.waits, l.said)
			}
			if test.kind == waybacktest.ItemsSpam {
				if r := l.upload(t, test.state); r.Stopped == "" || r.Sent > 0 {
					t.Errorf("the next Upload = %+v", r)
				}
				l.items.Forgive()
				l.cfg.Again = true
			}
			l.upload(t, "sent 4")
			l.faultless(t)
		})
	}
}

// A file that is stored with other bytes is noticed, and sent again when a person
// wants it.
func TestUploadAltered(t *testing.T) {
	t.Parallel()
	for _, kind := range []waybacktest.ItemsKind{waybacktest.ItemsCorrupt, waybacktest.ItemsShort} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			l := newUploadLab(t)
			l.seal(t)
			l.items.Inject(waybacktest.ItemsFault{Kind: kind})
			l.upload(t, "sent 2")
			l.advance(7 * time.Hour)
			l.upload(t, "verified 1, altered 1")
			if len(l.said) != 1 || !strings.HasPrefix(l.said[0], "ALTERED: https://archive.org/download/example-terms-2026-11/") {
				t.Errorf("said %q", l.said)
			}
			l.upload(t, "verified 1, altered 1")
			l.cfg.Again = true
			l.upload(t, "sent 1, verified 1")
			l.cfg.Again = false
			l.advance(25 * time.Hour)
			l.upload(t, "verified 2")
			if n := len(l.items.Puts()); n != 3 {
				t.Errorf("%d files were put, want 3", n)
			}
			l.faultless(t)
		})
	}
}

// A file that never appears is sent three times.
func TestUploadUnlisted(t *testing.T) {
	t.Parallel()
	l := newUploadLab(t)
	sealed := l.seal(t)
	l.items.Inject(waybacktest.ItemsFault{Kind: waybacktest.ItemsUnlisted, Name: filepath.Base(sealed.Object), Times: 3})
	for range 40 {
		_, err := archive.Upload(t.Context(), l.cfg)
		must(t, err)
		l.advance(5 * time.Hour)
	}
	if r := l.upload(t, "verified 1, refused 1"); r.Failed != 1 || len(l.items.Puts()) != 4 {
		t.Errorf("Upload = %+v after %d puts", r, len(l.items.Puts()))
	}
	// An item that was taken from the public takes nothing more.
	l.seal(t)
	l.items.Inject(waybacktest.ItemsFault{Kind: waybacktest.ItemsDark})
	if r := l.upload(t, "waiting 2, verified 1, refused 1"); !strings.Contains(r.Stopped, "taken from the public") {
		t.Errorf("Upload = %+v", r)
	}
	l.faultless(t)
}

// What a source was private for, or is, stays here.
func TestUploadPrivate(t *testing.T) {
	t.Parallel()
	t.Run("then", func(t *testing.T) {
		t.Parallel()
		l := newUploadLab(t)
		l.seal(t)
		l.source.Private = true
		private := l.seal(t)
		l.source.Private = false
		l.seal(t)
		l.wantPrivate(t, private, "was declared private", "sent 4, refused 1")
	})
	t.Run("declared then", func(t *testing.T) {
		t.Parallel()
		l := newUploadLab(t)
		l.seal(t)
		secret := l.source
		secret.Private = true
		open := l.canonical
		l.canonical = declaration.CanonicalSource(secret)
		private := l.seal(t)
		l.canonical = open
		l.wantPrivate(t, private, "was declared private", "sent 2, refused 1")
	})
	t.Run("now", func(t *testing.T) {
		t.Parallel()
		l := newUploadLab(t)
		private := l.seal(t)
		secret := l.source
		secret.Private = true
		canonical := declaration.CanonicalSource(secret)
		_, err := l.db.SyncDeclarations(t.Context(), map[string]string{"a": "2"}, catalog.DeclaredSet{Sources: []catalog.SourceRow{
			{ID: secret.ID, URL: secret.URL, Host: "example.org", Canonical: canonical, CanonicalSHA256: warc.SumSHA256(canonical).Hex()}}})
		must(t, err)
		l.wantPrivate(t, private, "is declared private now", "refused 1")
	})
}

// wantPrivate wants the WARC refused, for good.
func (l *uploadLab) wantPrivate(t *testing.T, private archive.Sealed, reason, want string) {
	t.Helper()
	for _, again := range []bool{false, true} {
		l.cfg.Again = again
		if r := l.upload(t, want); r.Failed != 0 || r.Stopped != "" {
			t.Errorf("Upload = %+v", r)
		}
	}
	rows, err := l.db.Uploads(t.Context(), catalog.UploadFilter{State: catalog.UploadRefused})
	if err != nil || len(rows) != 1 || rows[0].Key != private.Object || rows[0].Class != "private" || !strings.Contains(rows[0].Error, reason) {
		t.Errorf("refused %+v, %v", rows, err)
	}
	stem := strings.TrimSuffix(filepath.Base(private.Object), ".warc.gz")
	for _, p := range l.items.Puts() {
		if strings.Contains(p.Name, stem) {
			t.Errorf("%s was put", p.Name)
		}
	}
	l.faultless(t)
}

// spoiled is a store in which one object has another byte.
type spoiled struct {
	store.Store
	key string
}

func (s spoiled) Get(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	r, err := s.Store.Get(ctx, key, offset, length)
	if err != nil || key != s.key {
		return r, err
	}
	defer r.Close() // of memory
	data, err := io.ReadAll(r)
	if len(data) > 9 {
		data[9] ^= 1 // of the gzip header: the operating system
	}
	return io.NopCloser(bytes.NewReader(data)), err
}

func TestUploadDamaged(t *testing.T) {
	t.Parallel()
	l := newUploadLab(t)
	damaged := l.seal(t)
	l.seal(t)
	l.cfg.Store = spoiled{l.store, damaged.Object}
	if r := l.upload(t, "sent 2, refused 1"); r.Failed != 1 || len(l.said) != 1 || !strings.Contains(l.said[0], "fineprint audit") {
		t.Errorf("Upload = %+v, said %q", r, l.said)
	}
	l.cfg.Store, l.cfg.Again = l.store, true // put back from a copy
	l.upload(t, "sent 4")
	l.faultless(t)
}

// No more than five new items a day.
func TestUploadNewItems(t *testing.T) {
	t.Parallel()
	l := newUploadLab(t)
	for range 7 {
		l.seal(t)
		l.advance(31 * 24 * time.Hour)
	}
	if r := l.upload(t, "waiting 4, sent 10"); !strings.Contains(r.Held, "new items") {
		t.Errorf("Upload = %+v", r)
	}
	l.advance(25 * time.Hour)
	l.upload(t, "sent 4, verified 10")
	l.cfg.Month = "2027-01"
	l.upload(t, "verified 2")
	l.cfg.Month, l.cfg.Test = "", true
	l.upload(t, "waiting 8, sent 6") // two more of today's five
	if meta := l.items.Meta("example-terms-test-2026-11"); meta["collection"][0] != "test_collection" || !strings.HasPrefix(meta["title"][0], "TEST") {
		t.Errorf("metadata of a trial %v", meta)
	}
	l.faultless(t)
}

// A process that dies at any durable step loses nothing, and repeats at most the
// PUT that was under way.
func TestUploadKilled(t *testing.T) {
	t.Parallel()
	killed := errors.New("killed")
	steps := map[string]int{} // in the run of one that is not killed
	for _, at := range []string{"", "upload-sending", "upload-put", "upload-failed", "upload-sent", "upload-absent", "upload-verified"} {
		for count := 1; count <= max(1, steps[at]); count++ {
			l := newUploadLab(t)
			l.seal(t)
			l.items.Inject(waybacktest.ItemsFault{Kind: waybacktest.ItemsReset, After: 50})
			left := count
			l.cfg.Step = func(name string) {
				if at == "" {
					steps[name]++
				} else if name == at {
					if left--; left == 0 {
						panic(killed)
					}
				}
			}
			for range 8 {
				l.run(t, killed)
				l.advance(time.Hour)
			}
			l.upload(t, "verified 2")
			extra := 0
			if at == "upload-sent" {
				extra = 1
			}
			if n := len(l.items.Puts()); n != 2+extra {
				t.Errorf("killed at %s, %d: %d files were put, want %d", at, count, n, 2+extra)
			}
			if left > 0 && at != "" {
				t.Errorf("step %s was reached less than %d times", at, count)
			}
			l.faultless(t)
		}
	}
}

// run uploads until it ends or is killed.
func (l *uploadLab) run(t *testing.T, killed error) {
	t.Helper()
	defer func() {
		if r := recover(); r != nil && r != killed {
			panic(r)
		}
	}()
	_, err := archive.Upload(t.Context(), l.cfg)
	must(t, err)
}

// bigStore has one WARC of a size that no memory should hold: one record of zeros.
type bigStore struct {
	store.Store
	key, head string
	size      int64 // of the block
}

func (s bigStore) Get(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	if key != s.key {
		return s.Store.Get(ctx, key, offset, length)
	}
	return io.NopCloser(io.MultiReader(strings.NewReader(s.head), io.LimitReader(zeros{}, s.size), strings.NewReader("\r\n\r\n"))), nil
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// A WARC of a gigabyte (8 MiB unless FINEPRINT_TEST_LONG is set) is uploaded,
// interrupted and resumed with memory that does not grow with it.
func TestUploadBig(t *testing.T) {
	size := int64(8 << 20)
	if os.Getenv("FINEPRINT_TEST_LONG") != "" {
		size = 1 << 30
	}
	l := newUploadLab(t)
	name := warc.FileName(archive.NewRunID(l.now, strings.NewReader("1234")), l.now, 1)
	big := bigStore{Store: l.store, key: "warc/" + name, size: size, head: fmt.Sprintf("WARC/1.1\r\nWARC-Type: resource\r\nWARC-Record-ID: <urn:uuid:00000000-0000-4000-8000-000000000001>\r\n"+
		"WARC-Date: 2026-11-20T12:00:00Z\r\nWARC-Target-URI: https://example.org/big\r\nContent-Type: application/octet-stream\r\nContent-Length: %d\r\n\r\n", size)}
	r, err := big.Get(t.Context(), big.key, 0, -1)
	must(t, err)
	sum := sha256.New()
	n, err := io.Copy(sum, r)
	must(t, err)
	digest, err := warc.ParseDigest(fmt.Sprintf("sha256:%x", sum.Sum(nil)))
	must(t, err)
	must(t, l.db.OpenWARC(t.Context(), catalog.WARCRow{Name: name, Key: big.key, Run: "run", Spool: "s", OpenedAt: l.now}))
	must(t, l.db.CloseWARC(t.Context(), name, n, digest, 1))
	_, err = l.db.SealWARC(t.Context(), name, l.now, nil)
	must(t, err)
	index := []byte("index\n")
	must(t, l.store.Put(t.Context(), strings.TrimSuffix(big.key, ".warc.gz")+".cdxj", bytes.NewReader(index), int64(len(index)), warc.SumSHA256(index).Hex(), store.PutOptions{}))
	l.cfg.Store = big

	var before, now runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	var most uint64
	mark := n / 8
	ctx, cancel := context.WithCancel(t.Context())
	l.cfg.Progress = func(f archive.UploadFile, sent int64) {
		if sent >= mark {
			mark += n / 8
			runtime.ReadMemStats(&now)
			most = max(most, now.HeapAlloc)
		}
		if sent > n/2 {
			cancel()
		}
	}
	start := time.Now()
	if _, err := archive.Upload(ctx, l.cfg); !errors.Is(err, context.Canceled) {
		t.Fatalf("Upload = %v, want context.Canceled", err)
	}
	mark = n / 8
	l.upload(t, "sent 2")
	runtime.ReadMemStats(&now)
	grown, total := int64(most)-int64(before.HeapAlloc), now.TotalAlloc-before.TotalAlloc
	t.Logf("%d MiB, interrupted half way and sent again: %.1f s, heap grew by %d KiB at most, %d KiB allocated in all", n>>20, time.Since(start).Seconds(), grown>>10, total>>10)
	if grown > 4<<20 {
		t.Errorf("heap grew by %d bytes", grown)
	}
	l.advance(7 * time.Hour)
	l.upload(t, "verified 2")
	if len(l.items.Puts()) != 2 {
		t.Errorf("%d files were put, want 2", len(l.items.Puts()))
	}
	l.faultless(t)
}

func TestUploadConfig(t *testing.T) {
	t.Parallel()
	l := newUploadLab(t)
	for want, change := range map[string]func(c *archive.UploadConfig){
		"wayback.item":       func(c *archive.UploadConfig) { c.Item = "no spaces" },
		"wayback.collection": func(c *archive.UploadConfig) { c.Collection = "" },
		"YYYY-MM":            func(c *archive.UploadConfig) { c.Month = "2026-13" },
	} {
		cfg := l.cfg
		change(&cfg)
		if _, err := archive.Upload(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Upload = %v, want an error about %s", err, want)
		}
	}
	if r := l.upload(t, ""); r.Sent != 0 || len(r.Items) != 0 {
		t.Errorf("Upload of nothing = %+v", r)
	}
}
