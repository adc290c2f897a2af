package archive_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fineprint-archive/fineprint/archive"
	"github.com/fineprint-archive/fineprint/archive/catalog"
	"github.com/fineprint-archive/fineprint/archive/terms"
	"github.com/fineprint-archive/fineprint/archive/wayback"
	"github.com/fineprint-archive/fineprint/crawler/declaration"
	"github.com/fineprint-archive/fineprint/warc"
)

// archivedPage is a capture in the tests' web archive.
type archivedPage struct {
	hour    float64 // of the capture, see hours
	body    string
	url     string // default the first declared source
	status  int    // default 200
	revisit bool
	digest  string   // overrides that of the index
	replays string   // other bytes that the replay has
	header  []string // of the replay
	absent  bool     // the replay is not there
}

func (p archivedPage) row() wayback.IndexRow {
	r := wayback.IndexRow{Timestamp: hours(p.hour).Format("20060102150405"), Original: p.url, MIME: "text/html", Status: p.status, Digest: warc.SumSHA1([]byte(p.body)), Revisit: p.revisit}
	if r.Original == "" {
		r.Original = "https://example.org/terms"
	}
	if r.Status == 0 {
		r.Status = 200
	}
	if p.revisit {
		r.MIME, r.Status = "warc/revisit", 0
	}
	r.RawDigest = r.Digest.Base32()
	if p.digest != "" {
		r.Digest, r.RawDigest = warc.Digest{}, p.digest
	}
	return r
}

// webArchive is an Importer that keeps what it holds as looks, as an Observer
// does, without a network.
type webArchive struct {
	t     testing.TB
	bench *deriveBench
	pages []archivedPage

	indexed, replayed int
	fail              func() error // called before each request
	lost              bool         // the look is kept, and the caller is not told
}

var errLost = errors.New("killed")

func (w *webArchive) Index(ctx context.Context, source string, q wayback.IndexQuery) ([]wayback.IndexRow, error) {
	if w.fail != nil {
		if err := w.fail(); err != nil {
			return nil, err
		}
	}
	w.indexed++
	var rows []wayback.IndexRow
	lines := [][]string{{"timestamp", "original", "mimetype", "statuscode", "digest"}}
	for _, p := range w.pages {
		r := p.row()
		if q.From != "" && r.Timestamp < q.From || q.To != "" && r.Timestamp > q.To {
			continue
		}
		status := strconv.Itoa(r.Status)
		if r.Status == 0 {
			status = "-"
		}
		rows = append(rows, r)
		lines = append(lines, []string{r.Timestamp, r.Original, r.MIME, status, r.RawDigest})
	}
	body, err := json.Marshal(lines)
	must(w.t, err)
	w.keep("https://web.archive.org/cdx/search/cdx?url="+q.URL, warc.KindIndex, string(body), nil,
		&warc.Memento{Purpose: warc.PurposeIndex, Source: source, URL: q.URL})
	return rows, nil
}

func (w *webArchive) Import(ctx context.Context, want archive.ImportRequest) (catalog.MementoRow, error) {
	if w.fail != nil {
		if err := w.fail(); err != nil {
			return catalog.MementoRow{}, err
		}
	}
	w.replayed++
	at, err := time.Parse("20060102150405", want.Row.Timestamp)
	must(w.t, err)
	m := &warc.Memento{Purpose: warc.PurposeImport, Source: want.Source, URL: want.Row.Original, Time: at, Status: want.Row.Status, MIME: want.Row.MIME, Digest: want.Row.Digest, Src: "spn2-test.warc.gz",
		Facts: &warc.Facts{Replay: warc.FactSame}}
	page := w.page(want)
	body := page.body
	switch {
	case page.absent:
		m.Facts.Replay, m.Src, body = warc.FactAbsent, "", "not in the archive"
	case page.replays != "":
		m.Facts.Replay, body = warc.FactDifferent, page.replays
	case want.Row.Digest.IsZero():
		m.Facts = nil
	}
	id := w.keep("https://web.archive.org/web/"+want.Row.Timestamp+"id_/"+want.Row.Original, warc.KindPage, body, page.header, m)
	if w.lost {
		return catalog.MementoRow{}, errLost
	}
	rows, err := w.bench.db.Mementos(ctx, catalog.MementoFilter{Look: id})
	must(w.t, err)
	if len(rows) != 1 {
		w.t.Fatalf("%d mementos of look %s", len(rows), id)
	}
	return rows[0], nil
}

func (w *webArchive) page(want archive.ImportRequest) archivedPage {
	for _, p := range w.pages {
		if r := p.row(); r.Timestamp == want.Row.Timestamp && r.Original == want.Row.Original {
			return p
		}
	}
	w.t.Fatalf("no capture %s of %s", want.Row.Timestamp, want.Row.Original)
	return archivedPage{}
}

// keep makes a look at the web archive and returns the id of its manifest.
func (w *webArchive) keep(address string, kind warc.Kind, body string, header []string, memento *warc.Memento) string {
	b, t := w.bench, w.t
	source := declaration.Source{ID: declaration.SourceID(address, "", ""), URL: address}
	canonical := declaration.CanonicalSource(source)
	must(t, b.db.EnterSource(context.Background(), catalog.SourceRow{ID: source.ID, URL: address, Canonical: canonical}, time.Now()))
	l, err := b.arch.Begin(context.Background(), source, canonical, nil)
	must(t, err)
	m := &warc.Manifest{Time: time.Now(), Ended: time.Now(), Result: warc.Captured, Memento: memento}
	v := visit{body: body, status: 200, header: append([]string{"X-Archive-Orig-Content-Type: text/html; charset=utf-8"}, header...)}
	b.exchange(t, l, source, v, m)
	if kind == warc.KindIndex {
		m.Payload = nil
		m.Exchanges[0].Kind, m.Exchanges[0].Size, m.Exchanges[0].SHA256 = kind, int64(len(body)), warc.SumSHA256([]byte(body))
	}
	entered := make(chan catalog.LookRow, 1)
	must(t, l.Finish(context.Background(), m, archive.Plan{}, func(row catalog.LookRow, err error) { must(t, err); entered <- row }))
	b.arch.Flush()
	return (<-entered).ID
}

// backfillBench is a bench with a web archive.
func backfillBench(t testing.TB, pages ...archivedPage) (*deriveBench, *webArchive) {
	b := newDeriveBench(t, oneDocument)
	return b, &webArchive{t: t, bench: b, pages: pages}
}

// config is a backfill of the first declared source.
func (w *webArchive) config() archive.BackfillConfig {
	source := w.bench.source(w.t, "")
	return archive.BackfillConfig{Catalog: w.bench.db, Importer: w, Source: source.ID, URL: source.URL}
}

func (w *webArchive) backfill(change ...func(*archive.BackfillConfig)) archive.BackfillStats {
	w.t.Helper()
	cfg := w.config()
	for _, f := range change {
		f(&cfg)
	}
	stats, err := archive.Backfill(context.Background(), cfg)
	must(w.t, err)
	return stats
}

// archivedVersions lists the imported versions: grade, hours first and last seen,
// sightings.
func (b *deriveBench) archivedVersions(t testing.TB, all bool) string {
	t.Helper()
	var list []string
	for v, err := range b.db.ArchivedVersions(context.Background(), catalog.TextFilter{All: all}) {
		must(t, err)
		grade := v.Grade
		if v.Replay == warc.FactDifferent {
			grade = "altered"
		}
		list = append(list, fmt.Sprintf("%s %.4s %g-%g %d", grade, v.TextSHA256, v.Time.Sub(hours(0)).Hours(), v.LastSeen.Sub(hours(0)).Hours(), v.Captures))
	}
	return strings.Join(list, ", ")
}

// TestBackfillHistory imports a page with 500 captures of 40 distinct bodies, is
// stopped in the middle, and goes on: 40 replays, and versions in order.
func TestBackfillHistory(t *testing.T) {
	t.Parallel()
	b, w := backfillBench(t)
	for i := range 500 {
		// Every fifth text returns once, later.
		state := i / 25 * 2
		if i%25 == 12 {
			state++
		}
		w.pages = append(w.pages, archivedPage{hour: float64(i), body: page("Terms of Service", fmt.Sprintf("This is state %d of the terms.", state))})
	}
	b.look(t, visit{hour: 600, body: page("Terms of Service")})
	left := 17
	w.fail = func() error {
		if left--; left < 0 {
			return errLost
		}
		return nil
	}
	if _, err := archive.Backfill(t.Context(), w.config()); !errors.Is(err, errLost) {
		t.Fatalf("interrupted: error %v", err)
	}
	b.derive(t)
	w.fail = nil
	stats := w.backfill()
	if w.replayed != 40 || w.indexed != 1 {
		t.Errorf("%d replays and %d questions to the index, want 40 and 1", w.replayed, w.indexed)
	}
	if stats.Captures != 500 || stats.Distinct != 40 || stats.Waiting+stats.Absent+stats.Failed != 0 || stats.Replayed != 24 || !stats.Resumed {
		t.Errorf("statistics %+v", stats)
	}
	before := dumpOf(t, b, "versions", "changes", "readings")
	b.derive(t)
	if after := dumpOf(t, b, "versions", "changes", "readings"); after != before {
		t.Errorf("our own versions changed:\n%s\n%s", before, after)
	}
	versions := strings.Split(b.archivedVersions(t, false), ", ")
	if len(versions) != 60 { // state n, the one in between, and n again
		t.Fatalf("%d versions, want 60: %s", len(versions), versions)
	}
	for i := 0; i+2 < len(versions); i += 3 {
		hour := i / 3 * 25
		for j, want := range []string{fmt.Sprintf("%d-%d 12", hour, hour+11), fmt.Sprintf("%d-%d 1", hour+12, hour+12), fmt.Sprintf("%d-%d 12", hour+13, hour+24)} {
			if got := strings.SplitN(versions[i+j], " ", 3); got[2] != want {
				t.Errorf("version %d: %s, want %s", i+j, versions[i+j], want)
			}
		}
		if versions[i][:10] != versions[i+2][:10] || versions[i][:10] == versions[i+1][:10] {
			t.Errorf("texts %q", versions[i:i+3])
		}
	}
	if got := query(t, b.db, 1, "SELECT COUNT(*) FROM outbox"); got != "0" {
		t.Errorf("%s pages are to be submitted", got)
	}
	b.check(t)
	// All of it is known, also to a catalog that was rebuilt.
	if stats := w.backfill(); stats.Known != 40 || stats.Replayed != 0 || w.replayed != 40 {
		t.Errorf("again: %+v", stats)
	}
	b.seal(t)
	b.db, b.cfg = b.rebuilt(t, filepath.Join(t.TempDir(), "again.sqlite"))
	cfg := w.config()
	cfg.Catalog = b.db
	rebuilt, err := archive.Backfill(t.Context(), archive.BackfillConfig{Catalog: b.db, Importer: indexOnly{w.pages}, Source: cfg.Source, URL: cfg.URL})
	must(t, err)
	if rebuilt.Known != 40 || rebuilt.Requests != 0 || rebuilt.Waiting != 0 {
		t.Errorf("after a rebuild: %+v", rebuilt)
	}
}

// indexOnly is an Importer that keeps nothing, and has no replays.
type indexOnly struct{ pages []archivedPage }

func (i indexOnly) Index(context.Context, string, wayback.IndexQuery) ([]wayback.IndexRow, error) {
	var rows []wayback.IndexRow
	for _, p := range i.pages {
		rows = append(rows, p.row())
	}
	return rows, nil
}

func (indexOnly) Import(context.Context, archive.ImportRequest) (catalog.MementoRow, error) {
	return catalog.MementoRow{}, errors.New("a replay that is not needed")
}

// dumpOf returns the lines of some tables of the dump.
func dumpOf(t testing.TB, b *deriveBench, tables ...string) string {
	t.Helper()
	var out strings.Builder
	for line := range strings.Lines(dump(t, b.db)) {
		for _, table := range tables {
			if strings.HasPrefix(line, `{"table":"`+table+`"`) {
				out.WriteString(line)
			}
		}
	}
	return out.String()
}

// TestBackfillVersions imports few captures and wants what becomes of them.
func TestBackfillVersions(t *testing.T) {
	t.Parallel()
	a, b := page("Terms of Service"), page("Terms of Service", "We show your posts to others.")
	const challenge = "<html><head><title>Just a moment...</title></head><body><h1>Checking your browser before accessing</h1></body></html>"
	nonce := func(n string) string { return a + "<!-- " + n + " -->" }
	tests := []struct {
		name      string
		pages     []archivedPage
		replays   int
		want, all string // all: with those that do not count, "" if there are none
	}{
		{"one returns", []archivedPage{{hour: 0, body: a}, {hour: 1, body: b}, {hour: 2, body: a}}, 2, "terms A 0-0 1, terms B 1-1 1, terms A 2-2 1", ""},
		{"other bytes, equal words", []archivedPage{{hour: 0, body: nonce("1")}, {hour: 1, body: nonce("2")}, {hour: 2, body: b}}, 3, "terms A 0-1 2, terms B 2-2 1", ""},
		{"revisits", []archivedPage{{hour: 0, body: a}, {hour: 1, body: a, revisit: true}, {hour: 2, body: b, revisit: true}, {hour: 3, body: b}, {hour: 4, body: a, revisit: true}},
			2, "terms A 0-1 2, terms B 2-3 2, terms A 4-4 1", ""},
		{"a block page", []archivedPage{{hour: 0, body: a}, {hour: 1, body: challenge}, {hour: 2, body: a}}, 2, "terms A 0-2 2", "terms A 0-2 2, blocked  1-1 1"},
		{"a block page by its header", []archivedPage{{hour: 0, body: a}, {hour: 1, body: b, header: []string{"X-Archive-Orig-Cf-Mitigated: challenge"}}}, 2, "terms A 0-0 1", "terms A 0-0 1, blocked  1-1 1"},
		{"altered", []archivedPage{{hour: 0, body: a}, {hour: 1, body: b, replays: page("Terms of Service", "This was never said.")}, {hour: 2, body: a}},
			2, "terms A 0-2 2", "terms A 0-2 2, altered  1-1 1"},
		{"errors and redirects", []archivedPage{{hour: 0, body: a}, {hour: 1, body: "gone", status: 404}, {hour: 2, status: 301}, {hour: 3, body: "gone", revisit: true}, {hour: 4, body: b}},
			2, "terms A 0-0 1, terms B 4-4 1", ""},
		{"another address", []archivedPage{{hour: 0, body: a, url: "http://example.org/terms"}, {hour: 1, body: b, url: "https://www.example.org/terms"}}, 1, "terms A 0-0 1", ""},
		{"no SHA-1", []archivedPage{{hour: 0, body: a, digest: "sha-256:00"}, {hour: 1, body: a, digest: "sha-256:00"}, {hour: 2, body: b, digest: "error"}, {hour: 3, body: a, digest: "error"}},
			3, "terms A 0-1 2, terms B 2-2 1, terms A 3-3 1", ""},
		{"nothing", nil, 0, "", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			bench, w := backfillBench(t, test.pages...)
			bench.look(t, visit{hour: 100, body: a})
			stats := w.backfill()
			bench.derive(t)
			if w.replayed != test.replays || stats.Requests != int64(test.replays) || stats.Replayed != int64(test.replays) {
				t.Errorf("%d replays, want %d; %+v", w.replayed, test.replays, stats)
			}
			if test.all == "" {
				test.all = test.want
			}
			named := bench.nameTexts(t, a, b)
			if got := named(bench.archivedVersions(t, false)); got != test.want {
				t.Errorf("versions %s\n    want %s", got, test.want)
			}
			if got := named(bench.archivedVersions(t, true)); got != test.all {
				t.Errorf("all %s\nwant %s", got, test.all)
			}
			if got := bench.kinds(t); got != "first 1" {
				t.Errorf("our own versions: %s", got)
			}
			bench.check(t)
			// Derived again, and by nothing new, it is the same.
			before := dump(t, bench.db)
			bench.derive(t)
			bench.derive(t, func(c *archive.DeriveConfig) { c.Again = true })
			sameDump(t, "again", dump(t, bench.db), before)
		})
	}
}

// nameTexts names the texts of two pages A and B in a list of versions.
func (b *deriveBench) nameTexts(t testing.TB, pages ...string) func(string) string {
	t.Helper()
	var pairs []string
	for i, name := range []string{"A", "B"} {
		read, err := archive.ReadCapture(t.Context(), captureOf("https://example.org/terms"), strings.NewReader(pages[i]), declaration.Part{})
		must(t, err)
		pairs = append(pairs, " "+read.Text.Digest()[:4]+" ", " "+name+" ")
	}
	return strings.NewReplacer(pairs...).Replace
}

// TestBackfillKilled stops the process at every durable step, and between a replay
// and the note of it: nothing is replayed twice.
func TestBackfillKilled(t *testing.T) {
	t.Parallel()
	var pages []archivedPage
	for i := range 6 {
		pages = append(pages, archivedPage{hour: float64(i), body: page("Terms of Service", fmt.Sprintf("State %d.", i))})
	}
	b, w := backfillBench(t, pages...)
	type killed struct{}
	for stop := 1; ; stop++ {
		if stop > 100 {
			t.Fatal("it never came to its end")
		}
		steps := 0
		ended := func() (ended bool) {
			defer func() {
				if p := recover(); p != nil && p != any(killed{}) {
					panic(p)
				}
			}()
			cfg := w.config()
			cfg.Step = func(string) {
				if steps++; steps == 2 {
					panic(killed{})
				}
			}
			w.lost = stop%2 == 0
			_, err := archive.Backfill(context.Background(), cfg)
			if err != nil && !errors.Is(err, errLost) {
				t.Fatal(err)
			}
			return err == nil
		}()
		if ended {
			break
		}
	}
	if w.replayed != 6 {
		t.Errorf("%d replays, want 6", w.replayed)
	}
	b.derive(t)
	if n := len(strings.Split(b.archivedVersions(t, false), ", ")); n != 6 {
		t.Errorf("%d versions, want 6", n)
	}
}

// TestBackfillTrouble has the web archive give no answers: what passes is waited
// for, what does not is said.
func TestBackfillTrouble(t *testing.T) {
	t.Parallel()
	pages := []archivedPage{{hour: 0, body: page("A")}, {hour: 1, body: page("B")}}
	outage := &wayback.Error{Op: "replay", Class: wayback.ClassOutage, HTTPStatus: 503}
	tests := []struct {
		name    string
		pages   []archivedPage
		fail    func(n int) error // n counts requests from 1, the index first
		want    string            // replayed waiting absent failed stopped
		replays int
	}{
		{"passes", pages, func(n int) error {
			if n == 1 || n == 3 {
				return outage
			}
			return nil
		}, "2 0 0 0 false", 2},
		{"held for a while", pages, func(n int) error {
			if n == 3 {
				return &wayback.HeldError{Until: time.Now().Add(10 * time.Minute)}
			}
			return nil
		}, "2 0 0 0 false", 2},
		{"held for long", pages, func(n int) error {
			if n == 3 {
				return &wayback.HeldError{Until: time.Now().Add(10 * time.Hour)}
			}
			return nil
		}, "1 1 0 0 true", 1},
		{"away for days", pages, func(int) error { return outage }, "0 0 0 0 true", 0},
		{"away after the index", pages, func(n int) error {
			if n > 1 {
				return outage
			}
			return nil
		}, "0 0 0 2 true", 0},
		{"excluded", pages, func(int) error {
			return &wayback.Error{Op: "index", Class: wayback.ClassPermanent, Code: wayback.CodeExcluded}
		}, "0 0 0 0 true", 0},
		{"one is absent", []archivedPage{{hour: 0, body: page("A"), absent: true}, {hour: 1, body: page("B")}}, nil, "1 0 1 0 false", 2},
		{"one is absent at first", []archivedPage{{hour: 0, body: page("A"), absent: true}, {hour: 1, body: page("A")}, {hour: 2, body: page("A")}}, nil, "1 0 0 0 false", 2},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := &brief{pages: test.pages, db: openCatalog(t, filepath.Join(t.TempDir(), "catalog.sqlite")), fail: test.fail}
				stats, err := archive.Backfill(t.Context(), archive.BackfillConfig{Catalog: w.db, Importer: w, Source: "s", URL: "https://example.org/terms"})
				must(t, err)
				got := fmt.Sprint(stats.Replayed, " ", stats.Waiting, " ", stats.Absent, " ", stats.Failed, " ", stats.Stopped != "")
				if got != test.want || w.replays != test.replays {
					t.Errorf("%s and %d replays, want %s and %d; %s", got, w.replays, test.want, test.replays, stats.Stopped)
				}
				if stats.Stopped != "" && stats.Resume.Before(time.Now()) {
					t.Errorf("to be gone on with at %s", stats.Resume)
				}
			})
		})
	}
}

// brief is an Importer that keeps nothing.
type brief struct {
	db      *catalog.DB
	pages   []archivedPage
	fail    func(n int) error
	n       int
	replays int
}

func (w *brief) ask() error {
	if w.n++; w.fail == nil {
		return nil
	}
	return w.fail(w.n)
}

func (w *brief) Index(ctx context.Context, source string, q wayback.IndexQuery) ([]wayback.IndexRow, error) {
	if err := w.ask(); err != nil {
		return nil, err
	}
	return indexOnly{w.pages}.Index(ctx, source, q)
}

func (w *brief) Import(_ context.Context, want archive.ImportRequest) (catalog.MementoRow, error) {
	if err := w.ask(); err != nil {
		return catalog.MementoRow{}, err
	}
	w.replays++
	row := catalog.MementoRow{Look: "look", Facts: warc.Facts{Replay: warc.FactSame}}
	for _, p := range w.pages {
		if p.row().Timestamp == want.Row.Timestamp && p.absent {
			row.Facts.Replay = warc.FactAbsent
		}
	}
	return row, nil
}

// captureOf is a plain capture of an address.
func captureOf(address string) terms.Capture {
	return terms.Capture{Status: 200, Header: http.Header{"Content-Type": {"text/html; charset=utf-8"}}, URL: address}
}
