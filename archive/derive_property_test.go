package archive_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"

	"github.com/fineprint-archive/fineprint/archive"
	"github.com/fineprint-archive/fineprint/archive/catalog"
	"github.com/fineprint-archive/fineprint/archive/catalog/pgtest"
	"github.com/fineprint-archive/fineprint/archive/store"
)

// Declarations of a page that is a document and part of a combined one, by rules
// that differ.
const (
	sharedPage = `{name: Example, terms: {
  Terms of Service: [{url: "https://example.org/terms", lang: en}],
  Privacy Policy: [{lang: en, combine: [{url: "https://example.org/terms"}, {url: "https://example.org/more"}]}]}}`
	sharedSelected = `{name: Example, terms: {
  Terms of Service: [{url: "https://example.org/terms", lang: en, select: main}],
  Privacy Policy: [{lang: en, combine: [{url: "https://example.org/more"}, {url: "https://example.org/terms", remove: h1}]}]}}`
)

// randomHistory is a random series of looks, sealed in between, of which some come
// late: made at a time before that of looks that were sealed earlier.
type randomHistory struct {
	rng   *rand.Rand
	late  []visit
	hour  float64
	round int
}

// answer returns a random answer. Most pages are one of few states.
func (h *randomHistory) answer() visit {
	h.round++
	h.hour += []float64{0.5, 1, 24, 200}[h.rng.IntN(4)]
	v := visit{url: []string{"https://example.org/terms", "https://example.org/more"}[h.rng.IntN(2)], hour: h.hour}
	var lines []string
	for i := range 2 {
		if h.rng.IntN(3) == 0 {
			lines = append(lines, fmt.Sprintf("We may do thing number %d with what you post.", i))
		}
	}
	switch h.rng.IntN(14) {
	case 0:
		v.body, v.status, v.failed = "no such page", 404, "http-status"
	case 1:
		v.failed = "-"
	case 2, 3:
		v.same = true
	case 4:
		v.body = "<title>Just a moment...</title><p>Checking your browser before accessing this site"
	case 5:
		v.body = "<h1>Terms of Service</h1><p>We are sorry: something here went wrong, and we are at work on it now.</p>"
	case 6:
		v.body = page("Terms of Service", fmt.Sprintf(`Read <a href="/%d">more</a>.`, h.rng.IntN(3)))
	case 7, 8:
		v.body = page("Terms of Service", append(lines, fmt.Sprintf("Trace id %d.", h.round))...)
	case 9:
		v.body = "<script>app()</script><div id=app></div>"
	default:
		v.body = page("Terms of Service", lines...)
	}
	return v
}

// step makes looks for one WARC.
func (h *randomHistory) step(t testing.TB, b *deriveBench) {
	t.Helper()
	if h.rng.IntN(4) == 0 {
		b.declare(t, []string{sharedPage, sharedSelected}[h.rng.IntN(2)])
	}
	var now []visit
	if h.rng.IntN(3) == 0 {
		now, h.late = h.late, nil
	}
	for range 1 + h.rng.IntN(5) {
		if v := h.answer(); h.rng.IntN(8) == 0 {
			h.late = append(h.late, v)
		} else {
			now = append(now, v)
		}
	}
	for _, v := range now {
		b.look(t, v)
	}
	b.seal(t)
}

// interrupting ends a context at a reading of the store.
type interrupting struct {
	store.Store
	left   int
	cancel context.CancelFunc
}

func (s *interrupting) Get(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	if s.left--; s.left == 0 {
		s.cancel()
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return s.Store.Get(ctx, key, offset, length)
}

// deriveInterrupted derives with interruptions until it came to its end.
func deriveInterrupted(t testing.TB, rng *rand.Rand, cfg archive.DeriveConfig) {
	t.Helper()
	for range 100 {
		ctx, cancel := context.WithCancel(context.Background())
		c := cfg
		c.Store = &interrupting{cfg.Store, 1 + rng.IntN(60), cancel}
		_, err := archive.Derive(ctx, c)
		cancel()
		if err == nil {
			return
		}
		if !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
	}
	must(t, errors.New("a derivation with interruptions never came to its end"))
}

// newsTold collects news, of which each is to come once.
type newsTold map[string]bool

func (l newsTold) add(t testing.TB, when string, stats archive.DeriveStats) {
	t.Helper()
	for _, c := range stats.News {
		for _, name := range []string{c.ID, c.Document + c.Kind + c.FromText + c.Text} {
			if c.Kind == "reverted" && name != c.ID {
				continue
			}
			if l[name] {
				t.Errorf("%s: told again: %s %s: %s", when, c.Kind, c.Document, c.Summary)
			}
			l[name] = true
		}
	}
}

// derivedTimes lists when changes were found.
func derivedTimes(t testing.TB, db *catalog.DB) string {
	t.Helper()
	return query(t, db, 2, "SELECT id, derived FROM changes ORDER BY id")
}

// seeds is the number of random histories: one under the race detector.
func seeds(n uint64) uint64 {
	if raceDetector {
		return 1
	}
	return n
}

// TestDeriveDeterministic replays random histories, and holds that what is derived
// depends on them alone: not on when it was derived, by how many workers, on which
// database, nor on interruptions; that deriving again changes nothing; and that
// nothing is told twice.
func TestDeriveDeterministic(t *testing.T) {
	t.Parallel()
	for seed := range seeds(4) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			h := &randomHistory{rng: rand.New(rand.NewPCG(seed, 3))}
			b := newDeriveBench(t, sharedPage)
			news := newsTold{}
			submit := func(c *archive.DeriveConfig) { c.Submit = true }
			for range 8 {
				h.step(t, b)
				news.add(t, "live", b.derive(t, submit))
			}
			want, times, outbox := dump(t, b.db), derivedTimes(t, b.db), b.outbox(t)

			for _, workers := range []int{1, 4} {
				db, cfg := b.rebuilt(t, filepath.Join(t.TempDir(), "once.sqlite"))
				cfg.Workers = workers
				_, err := archive.Derive(t.Context(), cfg)
				must(t, err)
				sameDump(t, fmt.Sprintf("at once, %d workers", workers), dump(t, db), want)
			}
			db, cfg := b.rebuilt(t, filepath.Join(t.TempDir(), "interrupted.sqlite"))
			deriveInterrupted(t, h.rng, cfg)
			sameDump(t, "interrupted", dump(t, db), want)

			stats := b.derive(t, submit, func(c *archive.DeriveConfig) { c.Again = true })
			sameDump(t, "again", dump(t, b.db), want)
			if len(stats.News) > 0 {
				t.Errorf("derived again, it told %d changes", len(stats.News))
			}
			if got := derivedTimes(t, b.db); got != times {
				t.Errorf("derived again, changes were found at\n%s\nbefore at\n%s", got, times)
			}
			if got := b.outbox(t); got != outbox {
				t.Errorf("derived again, the outbox holds\n%s\nbefore\n%s", got, outbox)
			}
		})
	}
}

// TestDerivePostgres holds that both databases come to the same.
func TestDerivePostgres(t *testing.T) {
	t.Parallel()
	for seed := range seeds(2) {
		h := &randomHistory{rng: rand.New(rand.NewPCG(seed, 4))}
		b := newDeriveBench(t, sharedPage)
		for range 8 {
			h.step(t, b)
		}
		b.derive(t)
		db, cfg := b.rebuilt(t, pgtest.Start(t))
		cfg.Workers = 4
		_, err := archive.Derive(t.Context(), cfg)
		must(t, err)
		sameDump(t, "PostgreSQL", dump(t, db), dump(t, b.db))

		must(t, db.Underive(t.Context()))
		deriveInterrupted(t, h.rng, cfg)
		sameDump(t, "PostgreSQL, again with interruptions", dump(t, db), dump(t, b.db))
	}
}

// TestDeriveInterruptedRedo interrupts the redoing of a document with more looks
// than are entered at a time, and wants nothing to be told or submitted again, and
// nothing lost.
func TestDeriveInterruptedRedo(t *testing.T) {
	t.Parallel()
	b := newDeriveBench(t, oneDocument)
	old, changed := page("Terms of Service"), page("Terms of Service", "We show your posts to others.")
	b.looks(t, 0, old, changed, changed)
	for i := range 510 {
		b.look(t, visit{hour: float64(10 + i), same: true})
	}
	b.looks(t, 600, page("Terms of Service", "We sell them."), page("Terms of Service", "We sell them."))
	submit := func(c *archive.DeriveConfig) { c.Submit = true }
	if stats := b.derive(t, submit); len(stats.News) != 2 {
		t.Fatalf("told %d changes, want 2", len(stats.News))
	}
	want, times, outbox := dump(t, b.db), derivedTimes(t, b.db), b.outbox(t)

	for _, left := range []int{1, 2, 3} {
		ctx, cancel := context.WithCancel(t.Context())
		cfg := b.cfg
		cfg.Again, cfg.Submit, cfg.Store = true, true, &interrupting{b.store, left, cancel}
		_, err := archive.Derive(ctx, cfg)
		cancel()
		if !errors.Is(err, context.Canceled) {
			t.Fatalf("interrupted at reading %d: error %v", left, err)
		}
		if stats := b.derive(t, submit); len(stats.News) > 0 {
			t.Errorf("interrupted at reading %d, it told %d changes", left, len(stats.News))
		}
		sameDump(t, "interrupted", dump(t, b.db), want)
		if got := derivedTimes(t, b.db); got != times {
			t.Errorf("changes were found at %s, before at %s", got, times)
		}
		if got := b.outbox(t); got != outbox {
			t.Errorf("the outbox holds %s, before %s", got, outbox)
		}
	}
}

// TestDeriveLate seals looks that are older than those derived: the document is
// redone, and what is news because of it is told, once.
func TestDeriveLate(t *testing.T) {
	t.Parallel()
	old, changed := page("Terms of Service"), page("Terms of Service", "We show your posts to others.")
	third := page("Terms of Service", "We sell them.")
	tests := []struct {
		name     string
		early    []string // an hour apart
		late     visit
		news     int // after the late look
		versions string
		outbox   string
	}{
		{"the same change, seen earlier", []string{old, "", changed, changed}, visit{hour: 1, body: changed}, 0, "first 1, changed 4", "1 first 0, 3 changed 0"},
		{"it confirms a state that was gone", []string{old, changed, "", old}, visit{hour: 2, body: changed}, 1, "first 1, changed 2", "1 first 0, 4 changed 0"},
		{"it confirms a change earlier", []string{old, changed, "", changed}, visit{hour: 2, body: changed}, 0, "first 1, changed 2", "1 first 0, 3 changed 0"},
		{"it confirms with another late one", []string{old, "", "", changed}, visit{hour: 2, body: changed}, 1, "first 1, changed 3", "1 first 0, 2 changed 0"},
		{"an earlier first text", []string{"", changed, changed}, visit{hour: 0, body: old}, 1, "first 3, changed 1", "1 first 0, 2 changed 0, 3 first 0"},
		{"it says nothing new", []string{old, "", changed, changed}, visit{hour: 1, body: old}, 0, "first 1, changed 2", "1 first 0, 3 changed 0"},
		{"a state in between", []string{old, "", changed, changed}, visit{hour: 1, body: third}, 0, "first 1, changed 2", "1 first 0, 3 changed 0"},
		{"at the very time of another", []string{old, changed}, visit{hour: 1, body: changed}, 1, "first 1, changed 2", "1 first 0, 3 changed 0"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			b := newDeriveBench(t, oneDocument)
			for i, body := range test.early {
				if body != "" {
					b.look(t, visit{hour: float64(i), body: body})
				}
			}
			submit := func(c *archive.DeriveConfig) { c.Submit = true }
			first := b.derive(t, submit)
			b.look(t, test.late)
			stats := b.derive(t, submit)
			if len(stats.News) != test.news {
				t.Errorf("the late look told %d changes, want %d", len(stats.News), test.news)
			}
			if got := b.kinds(t); got != test.versions {
				t.Errorf("versions %s, want %s", got, test.versions)
			}
			if got := b.outbox(t); got != test.outbox {
				t.Errorf("outbox %s, want %s", got, test.outbox)
			}
			b.check(t)
			if again := b.derive(t, submit); again.Looks > 0 || len(again.News) > 0 {
				t.Errorf("with nothing new %d looks were derived, %d changes told", again.Looks, len(again.News))
			}
			if slices.ContainsFunc(first.News, func(c catalog.ChangeRow) bool {
				return slices.ContainsFunc(stats.News, func(d catalog.ChangeRow) bool { return c.Text == d.Text })
			}) {
				t.Error("a change was told twice")
			}
		})
	}
}
