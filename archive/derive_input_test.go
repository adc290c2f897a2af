package archive_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fineprint-archive/fineprint/archive"
	"github.com/fineprint-archive/fineprint/archive/catalog"
	"github.com/fineprint-archive/fineprint/archive/store"
	"github.com/fineprint-archive/fineprint/archive/terms"
	"github.com/fineprint-archive/fineprint/crawler/declaration"
)

// TestDeriveBadPages has a page answer what cannot be read: the look gets a grade
// and a reason, and the next good one goes on.
func TestDeriveBadPages(t *testing.T) {
	t.Parallel()
	good := page("Terms of Service")
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	_, err := io.WriteString(z, good)
	must(t, err)
	must(t, z.Close())
	tests := []struct {
		name, want, reason string
		visit              visit
	}{
		{"empty", "empty suspect", "empty body", visit{}},
		{"no gzip", "unreadable suspect", "gzip", visit{body: "this is no gzip at all", header: []string{"Content-Encoding: gzip"}}},
		{"gzip cut off", "unreadable suspect", "after ", visit{body: zipped.String()[:zipped.Len()/2], header: []string{"Content-Encoding: gzip"}}},
		{"whole gzip", " unchanged", "", visit{body: zipped.String(), header: []string{"Content-Encoding: gzip"}}},
		{"unknown coding", " unchanged", "", visit{body: good, header: []string{"Content-Encoding: x-own"}}},
		{"a charset that it is not in", " unchanged", "", visit{body: good, header: []string{"Content-Type: text/html; charset=shift_jis"}}},
		{"a charset that does not exist", " unchanged", "", visit{body: good, header: []string{"Content-Type: text/html; charset=of-our-own"}}},
		{"a picture", "unreadable suspect", "", visit{body: "\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00", header: []string{"Content-Type: image/png"}}},
		{"no HTML", "empty suspect", "", visit{body: "\x00\x00\x00\x00"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			b := newDeriveBench(t, oneDocument)
			v := test.visit
			v.hour = 1
			b.looks(t, 0, good)
			b.look(t, v)
			b.looks(t, 2, good)
			b.derive(t)
			want := "1  first, 2 " + test.want + ", 3  unchanged"
			if test.want == " unchanged" {
				want = "1  first, 2-3  unchanged"
			}
			if got := b.outcomes(t); got != want {
				t.Errorf("outcomes %s, want %s", got, want)
			}
			if reason := query(t, b.db, 1, "SELECT reason FROM readings WHERE n_from = 2"); !strings.Contains(reason, test.reason) {
				t.Errorf("reason %q, want one with %q", reason, test.reason)
			}
			b.check(t)
		})
	}
}

// twoDocuments declares two pages.
const twoDocuments = `{name: Example, terms: {
  Terms of Service: [{url: "https://example.org/terms", lang: en}], Privacy Policy: [{url: "https://example.org/privacy", lang: en}]}}`

// faulty is a store some of whose objects cannot be read.
type faulty struct {
	store.Store
	fault func(key string, r io.ReadCloser) (io.ReadCloser, error)
}

func (f *faulty) Get(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	r, err := f.Store.Get(ctx, key, offset, length)
	if err != nil || f.fault == nil || !strings.HasPrefix(key, "warc/") {
		return r, err
	}
	return f.fault(key, r)
}

// TestDeriveBadObjects has one WARC of two that cannot be read: missing, damaged
// or short, its looks are unreadable and the others go on; if the store does not
// answer, that is an error, and nothing is lost.
func TestDeriveBadObjects(t *testing.T) {
	t.Parallel()
	refuses := errors.New("the store is away")
	tests := []struct {
		name   string
		fault  func(r io.ReadCloser) (io.ReadCloser, error)
		reason string // "" for an error
	}{
		{"missing", func(io.ReadCloser) (io.ReadCloser, error) { return nil, fmt.Errorf("get: %w", store.ErrNotExist) }, "is missing"},
		{"damaged", func(r io.ReadCloser) (io.ReadCloser, error) {
			data, err := io.ReadAll(r)
			clear(data[len(data)/2:])
			return io.NopCloser(bytes.NewReader(data)), errors.Join(err, r.Close())
		}, "cut"},
		{"short", func(r io.ReadCloser) (io.ReadCloser, error) {
			return struct {
				io.Reader
				io.Closer
			}{io.LimitReader(r, 100), r}, nil
		}, "EOF"},
		{"away", func(io.ReadCloser) (io.ReadCloser, error) { return nil, refuses }, ""},
		{"away in the middle", func(r io.ReadCloser) (io.ReadCloser, error) {
			return struct {
				io.Reader
				io.Closer
			}{io.MultiReader(io.LimitReader(r, 100), failing{refuses}), r}, nil
		}, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			objects := &faulty{Store: store.NewMemory()}
			b := newDeriveBenchOn(t, objects, twoDocuments)
			b.look(t, visit{url: "https://example.org/privacy", hour: 0, body: page("Privacy Policy")})
			b.seal(t)
			bad := query(t, b.db, 1, "SELECT key FROM warcs")
			b.look(t, visit{url: "https://example.org/privacy", hour: 1, body: page("Privacy Policy", "We sell it.")})
			b.look(t, visit{url: "https://example.org/terms", hour: 2, body: page("Terms of Service")})
			b.seal(t)
			objects.fault = func(key string, r io.ReadCloser) (io.ReadCloser, error) {
				if key != bad {
					return r, nil
				}
				return test.fault(r)
			}
			_, err := archive.Derive(t.Context(), b.cfg)
			objects.fault = nil
			if test.reason == "" {
				if !errors.Is(err, refuses) {
					t.Errorf("error %v, want that of the store", err)
				}
				if got := query(t, b.db, 1, "SELECT key FROM warcs WHERE derived = 1"); got != "" {
					t.Errorf("%s was marked as derived", got)
				}
				b.derive(t)
				if got := b.kinds(t); got != "first 1, first 1" {
					t.Errorf("versions when the store is back: %s", got)
				}
				b.check(t)
				return
			}
			must(t, err)
			if got := b.outcomes(t); got != "1 unreadable suspect, 2  first, 1  first" {
				t.Errorf("outcomes %s", got)
			}
			if reason := query(t, b.db, 1, "SELECT reason FROM readings WHERE grade = 'unreadable'"); !strings.Contains(reason, test.reason) {
				t.Errorf("reason %q, want one with %q", reason, test.reason)
			}
			// Brought back, it is read when everything is derived again.
			b.derive(t, func(c *archive.DeriveConfig) { c.Again = true })
			b.check(t)
		})
	}
}

// failing is a reader that fails.
type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// TestDeriveOutbox wants first and changed texts to be submitted, and, now and then,
// unchanged ones and pages whose text a browser makes, whether they ever had a text
// or not.
func TestDeriveOutbox(t *testing.T) {
	t.Parallel()
	old, changed := page("Terms of Service"), page("Terms of Service", "We show your posts to others.")
	const shell = "<title>Terms</title><div id=app></div><script>start()</script>"
	tests := []struct {
		name   string
		visits []visit
		want   string
	}{
		{"texts", []visit{{hour: 0, body: old}, {hour: 1, body: old + "<!-- 1 -->"}, {hour: 2, body: changed}, {hour: 3, body: changed}, {hour: 4, body: changed}}, "1 first 0, 4 changed 0"},
		{"passing", []visit{{hour: 0, body: old}, {hour: 1, body: changed}, {hour: 2, body: old}}, "1 first 0"},
		{"a shell", []visit{{hour: 0, body: shell}, {hour: 1, body: shell}, {hour: 23, body: shell}, {hour: 25, body: shell}, {hour: 26, body: shell}}, "1 browser 1, 4 browser 1"},
		{"a shell that was none", []visit{{hour: 0, body: old}, {hour: 30, body: shell}, {hour: 31, body: shell}, {hour: 55, body: shell}}, "1 first 0, 2 browser 1, 4 browser 1"},
		{"unchanged", []visit{{hour: 0, body: old}, {hour: 23, body: old}, {hour: 25, body: old + "<!-- 1 -->"}, {hour: 26, body: old}, {hour: 50, body: old}}, "1 first 0, 3 unchanged 0, 5 unchanged 0"},
		{"a challenge", []visit{{hour: 0, body: "<title>Just a moment...</title><p>Checking your browser before accessing"}}, ""},
		{"a failure", []visit{{hour: 0, body: "gone", status: 404, failed: "http-status"}}, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			submit := func(c *archive.DeriveConfig) { c.Submit, c.SubmitEvery = true, 24*time.Hour }
			once, each := newDeriveBench(t, oneDocument), newDeriveBench(t, oneDocument)
			for _, v := range test.visits {
				once.look(t, v)
				each.look(t, v)
				each.derive(t, submit)
			}
			once.derive(t, submit)
			for _, b := range []*deriveBench{once, each} {
				if got := b.outbox(t); got != test.want {
					t.Errorf("outbox %s, want %s; outcomes %s", got, test.want, b.outcomes(t))
				}
			}
			again, cfg := once.rebuilt(t, t.TempDir()+"/again.sqlite")
			_, err := archive.Derive(t.Context(), cfg)
			must(t, err)
			if n := query(t, again, 1, "SELECT COUNT(*) FROM outbox"); n != "0" {
				t.Errorf("a rebuild submitted %s pages", n)
			}
		})
	}
}

// TestDeriveTransaction has the outbox refuse a row: then nothing of the derivation
// is entered, and the next one enters all of it.
func TestDeriveTransaction(t *testing.T) {
	t.Parallel()
	b := newDeriveBench(t, oneDocument)
	old, changed := page("Terms of Service"), page("Terms of Service", "We show your posts to others.")
	b.looks(t, 0, old, changed, changed)
	b.seal(t)
	exec := func(query string) {
		t.Helper()
		must(t, b.db.Write(t.Context(), func(ctx context.Context, tx *catalog.Tx) error {
			_, err := tx.Exec(ctx, query)
			return err
		}))
	}
	exec("CREATE TRIGGER full BEFORE INSERT ON outbox WHEN NEW.n = 3 BEGIN SELECT RAISE(ABORT, 'the outbox is full'); END")
	cfg := b.cfg
	cfg.Submit = true
	_, err := archive.Derive(t.Context(), cfg)
	if err == nil || !strings.Contains(err.Error(), "the outbox is full") {
		t.Errorf("error %v, want that of the outbox", err)
	}
	for _, table := range []string{"tracked", "readings", "texts", "versions", "changes", "passages", "outbox", "warcs WHERE derived = 1"} {
		if n := query(t, b.db, 1, "SELECT COUNT(*) FROM "+table); n != "0" {
			t.Errorf("%s: %s rows of a derivation that failed", table, n)
		}
	}
	exec("DROP TRIGGER full")
	stats := b.derive(t, func(c *archive.DeriveConfig) { c.Submit = true })
	if len(stats.News) != 1 || b.outbox(t) != "1 first 0, 3 changed 0" {
		t.Errorf("%d changes told, outbox %s", len(stats.News), b.outbox(t))
	}
}

// TestDeriveRecheck wants the next visit of a page brought forward while its newest
// text waits for another look, and no other.
func TestDeriveRecheck(t *testing.T) {
	t.Parallel()
	b := newDeriveBench(t, twoDocuments)
	now := hours(2)
	confirm := func(c *archive.DeriveConfig) {
		c.ConfirmAfter, c.Now = 20*time.Minute, func() time.Time { return now }
	}
	terms, privacy := b.source(t, "https://example.org/terms"), b.source(t, "https://example.org/privacy")
	next := func(id string) string {
		return query(t, b.db, 1, "SELECT next_at FROM sources WHERE id = '"+id+"'")
	}
	b.look(t, visit{url: privacy.URL, hour: 1, body: page("Privacy Policy")})
	b.look(t, visit{url: terms.URL, hour: 0, body: page("Terms of Service")})
	b.look(t, visit{url: terms.URL, hour: 1, body: page("Terms of Service", "We sell it.")})
	later := next(privacy.ID)
	stats := b.derive(t, confirm)
	if !slices.Equal(stats.Unsettled, []string{terms.ID}) {
		t.Errorf("unsettled %q, want %s", stats.Unsettled, terms.ID)
	}
	if got := next(terms.ID); !strings.HasPrefix(got, "2024-10-01T02:20:00") {
		t.Errorf("the next visit is at %s, want 20 minutes from now", got)
	}
	if got := next(privacy.ID); got != later {
		t.Errorf("the next visit of a settled page moved from %s to %s", later, got)
	}
	b.look(t, visit{url: terms.URL, hour: 3, body: page("Terms of Service", "We sell it.")})
	if stats := b.derive(t, confirm); len(stats.Unsettled) > 0 || len(stats.News) != 1 {
		t.Errorf("unsettled %q, %d changes", stats.Unsettled, len(stats.News))
	}
}

// panics is a body that brings out a fault of the program.
type panics struct{}

func (panics) Read([]byte) (int, error) { panic("made for a test") }

// A page that brings out a fault of the program is graded, and ends nothing.
func TestReadCapturePanic(t *testing.T) {
	t.Parallel()
	r, err := archive.ReadCapture(t.Context(), captureOf("https://example.org/terms"), panics{}, declaration.Part{})
	if err != nil || r.Verdict.Grade != terms.GradeUnreadable || !strings.Contains(r.Verdict.Reason, "fault of this program") ||
		!strings.Contains(r.Verdict.Reason, "made for a test") || r.Text == nil {
		t.Errorf("grade %q, reason %q, error %v", r.Verdict.Grade, r.Verdict.Reason, err)
	}
}
