package archive_test

import (
	"bytes"
	"context"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fineprint-archive/fineprint/archive"
	"github.com/fineprint-archive/fineprint/archive/catalog"
	"github.com/fineprint-archive/fineprint/archive/store"
	"github.com/fineprint-archive/fineprint/archive/terms"
	"github.com/fineprint-archive/fineprint/crawler/declaration"
	"github.com/fineprint-archive/fineprint/warc"
)

// deriveBench is an archive in which looks with given answers are made.
type deriveBench struct {
	store store.Store
	db    *catalog.DB
	arch  *archive.Archive
	set   *declaration.Set
	cfg   archive.DeriveConfig
}

// visit is the answer to one look.
type visit struct {
	url    string // declared; the first source without one
	hour   float64
	body   string
	status int      // default 200
	header []string // beside Content-Type: text/html
	failed string   // error of a failed look; "-" for one without an answer
	same   bool     // 304
	final  string   // address that answered, if another
}

// oneDocument declares one page in English.
const oneDocument = `{name: Example, terms: {Terms of Service: [{url: "https://example.org/terms", lang: en}]}}`

func newDeriveBench(t testing.TB, declarations string) *deriveBench {
	t.Helper()
	return newDeriveBenchOn(t, store.NewMemory(), declarations)
}

func newDeriveBenchOn(t testing.TB, s store.Store, declarations string) *deriveBench {
	t.Helper()
	b := &deriveBench{store: s, db: openCatalog(t, filepath.Join(t.TempDir(), "catalog.sqlite"))}
	watch, err := terms.NewWatch([]string{"train*", "machine learning", "训练", "人工智能"})
	must(t, err)
	b.cfg = archive.DeriveConfig{Store: s, Catalog: b.db, Watch: watch, Workers: 1}
	b.arch, err = archive.Open(context.Background(), archive.Config{Store: s, Catalog: b.db, Spool: filepath.Join(t.TempDir(), "spool"), Tool: "test/1"})
	must(t, err)
	t.Cleanup(func() { must(t, b.arch.Close()) })
	b.declare(t, declarations)
	return b
}

// declare makes other declarations those in force.
func (b *deriveBench) declare(t testing.TB, text string) {
	t.Helper()
	set, err := declaration.Parse("web.yaml", []byte(text), declaration.Options{})
	must(t, err)
	b.set = set
	var in catalog.DeclaredSet
	for _, s := range set.Sources {
		line := set.Canonical(s.ID)
		in.Sources = append(in.Sources, catalog.SourceRow{ID: s.ID, URL: s.URL, Host: "example.org", AcceptLanguage: s.AcceptLanguage,
			Canonical: line, CanonicalSHA256: warc.SumSHA256(line).Hex()})
	}
	_, err = b.db.SyncDeclarations(context.Background(), map[string]string{"web.yaml": warc.SumSHA256([]byte(text)).Hex()}, in)
	must(t, err)
}

// hours returns a time of the tests.
func hours(h float64) time.Time {
	return time.Date(2024, 10, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(h * float64(time.Hour)))
}

// source finds a declared source by its address, or by its address and language.
func (b *deriveBench) source(t testing.TB, address string) declaration.Source {
	t.Helper()
	for _, s := range b.set.Sources {
		if address == "" || s.URL == address || s.URL+" "+s.AcceptLanguage == address {
			return s
		}
	}
	t.Fatalf("no source %q is declared", address)
	return declaration.Source{}
}

// look makes one look; the catalog knows it when it returns.
func (b *deriveBench) look(t testing.TB, v visit) {
	t.Helper()
	source := b.source(t, v.url)
	l, err := b.arch.Begin(context.Background(), source, b.set.Canonical(source.ID), nil)
	must(t, err)
	at := hours(v.hour)
	m := &warc.Manifest{Time: at, Ended: at.Add(time.Second), Result: warc.Captured}
	if v.status == 0 {
		v.status = 200
	}
	switch {
	case v.same:
		m.Result, m.Status = warc.NotModified, 304
	case v.failed != "":
		m.Result, m.Error = warc.Failed, v.failed
	}
	if v.failed == "-" {
		m.Error = "dns"
	} else if !v.same {
		b.exchange(t, l, source, v, m)
	}
	entered := make(chan error, 1)
	must(t, l.Finish(context.Background(), m, archive.Plan{NextAt: at.Add(24 * time.Hour)}, func(_ catalog.LookRow, err error) { entered <- err }))
	b.arch.Flush()
	must(t, <-entered)
}

// exchange writes the page of a look.
func (b *deriveBench) exchange(t testing.TB, l *archive.Look, source declaration.Source, v visit, m *warc.Manifest) {
	t.Helper()
	address := source.URL
	if v.final != "" {
		address, m.FinalURL = v.final, v.final
	}
	u, err := url.Parse(address)
	must(t, err)
	head := fmt.Sprintf("HTTP/1.1 %d Status\r\nContent-Length: %d\r\n", v.status, len(v.body))
	if !strings.Contains(strings.Join(v.header, "\n"), "Content-Type") {
		head += "Content-Type: text/html; charset=utf-8\r\n"
	}
	for _, h := range v.header {
		head += h + "\r\n"
	}
	head += "\r\n"
	body := []byte(v.body)
	ex := &warc.Exchange{
		Kind: warc.KindPage, URI: address, Began: m.Time, Ended: m.Ended, Method: "GET", Status: v.status, MIME: "text/html",
		Request:  warc.Bytes("GET " + u.RequestURI() + " HTTP/1.1\r\nHost: " + u.Host + "\r\n\r\n"),
		Response: warc.Bytes(head + v.body), Head: int64(len(head)),
		PayloadSize: int64(len(body)), PayloadSHA256: warc.SumSHA256(body), PayloadSHA1: warc.SumSHA1(body),
	}
	if v.failed == "truncated" {
		ex.Truncated = warc.TruncatedDisconnect
	}
	stored, err := l.Exchange(context.Background(), ex)
	must(t, err)
	m.Status = v.status
	m.Payload = &warc.Payload{Record: stored.ResponseID, Size: ex.PayloadSize, SHA256: ex.PayloadSHA256, SHA1: ex.PayloadSHA1}
	m.Exchanges = []warc.ExchangeNote{{Kind: warc.KindPage, Request: stored.RequestID, Response: stored.ResponseID, Truncated: ex.Truncated}}
}

// looks makes looks an hour apart from an hour on, each with a page.
func (b *deriveBench) looks(t testing.TB, from float64, pages ...string) {
	t.Helper()
	for i, page := range pages {
		b.look(t, visit{hour: from + float64(i), body: page})
	}
}

func (b *deriveBench) seal(t testing.TB) {
	t.Helper()
	_, err := b.arch.Seal(context.Background())
	must(t, err)
}

// derive seals and derives.
func (b *deriveBench) derive(t testing.TB, change ...func(*archive.DeriveConfig)) archive.DeriveStats {
	t.Helper()
	b.seal(t)
	cfg := b.cfg
	for _, f := range change {
		f(&cfg)
	}
	stats, err := archive.Derive(context.Background(), cfg)
	must(t, err)
	return stats
}

// dump returns the canonical dump of a catalog.
func dump(t testing.TB, db *catalog.DB) string {
	t.Helper()
	var out bytes.Buffer
	must(t, db.Dump(context.Background(), &out))
	return out.String()
}

// rebuilt makes a catalog of the store, and returns it with what derives into it.
func (b *deriveBench) rebuilt(t testing.TB, dsn string) (*catalog.DB, archive.DeriveConfig) {
	t.Helper()
	db := openCatalog(t, dsn)
	stats, err := archive.Rebuild(context.Background(), b.store, db, nil, nil)
	must(t, err)
	if len(stats.Damaged)+len(stats.Conflicts) > 0 {
		t.Fatalf("rebuild left out %v %v", stats.Damaged, stats.Conflicts)
	}
	cfg := b.cfg
	cfg.Catalog, cfg.Submit = db, false
	return db, cfg
}

// check wants a rebuilt and derived catalog to have the dump of the live one.
func (b *deriveBench) check(t testing.TB) {
	t.Helper()
	db, cfg := b.rebuilt(t, filepath.Join(t.TempDir(), "again.sqlite"))
	_, err := archive.Derive(context.Background(), cfg)
	must(t, err)
	sameDump(t, "rebuilt", dump(t, db), dump(t, b.db))
}

// sameDump wants two dumps to be equal and shows where they are not.
func sameDump(t testing.TB, what, got, want string) {
	t.Helper()
	if got == want && want != "" {
		return
	}
	in := func(list string) map[string]bool {
		m := map[string]bool{}
		for line := range strings.Lines(list) {
			m[line] = true
		}
		return m
	}
	var out strings.Builder
	for mark, pair := range map[string][2]string{"-": {want, got}, "+": {got, want}} {
		other := in(pair[1])
		for line := range strings.Lines(pair[0]) {
			if !other[line] {
				fmt.Fprintf(&out, "%s %s", mark, line)
			}
		}
	}
	t.Errorf("%s: the dump differs:\n%s", what, out.String())
}

// query returns the rows of a query, columns divided by a space, rows by a comma.
func query(t testing.TB, db *catalog.DB, columns int, text string) string {
	t.Helper()
	var list []string
	must(t, db.Read(context.Background(), func(ctx context.Context, q catalog.Querier) error {
		list = nil
		rows, err := q.Query(ctx, text)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			cells := make([]string, columns)
			dest := make([]any, columns)
			for i := range cells {
				dest[i] = &cells[i]
			}
			if err := rows.Scan(dest...); err != nil {
				return err
			}
			list = append(list, strings.Join(cells, " "))
		}
		return rows.Err()
	}))
	return strings.Join(list, ", ")
}

// outcomes lists what the looks at a source came to, or all of them.
func (b *deriveBench) outcomes(t testing.TB) string {
	t.Helper()
	return query(t, b.db, 3, `SELECT CASE WHEN n_from = n_to THEN '' || n_from ELSE n_from || '-' || n_to END,
		CASE WHEN grade = '' THEN 'none' WHEN grade = 'terms' THEN '' ELSE grade END, outcome FROM readings ORDER BY document, source, n_from`)
}

// outbox lists what was submitted: source number, cause, and whether a browser is needed.
func (b *deriveBench) outbox(t testing.TB) string {
	t.Helper()
	return query(t, b.db, 3, "SELECT n, cause, needs_browser FROM outbox ORDER BY n")
}

func (b *deriveBench) changes(t testing.TB) []catalog.ChangeRow {
	t.Helper()
	var list []catalog.ChangeRow
	for c, err := range b.db.Changes(context.Background(), catalog.TextFilter{}) {
		must(t, err)
		list = append(list, c)
	}
	return list
}

func (b *deriveBench) versions(t testing.TB, document string) []catalog.VersionRow {
	t.Helper()
	f := catalog.TextFilter{All: true}
	if document != "" {
		f.Documents = []string{document}
	}
	var list []catalog.VersionRow
	for v, err := range b.db.Versions(context.Background(), f) {
		must(t, err)
		list = append(list, v)
	}
	return list
}

// kinds lists the kinds of versions with their looks.
func (b *deriveBench) kinds(t testing.TB) string {
	t.Helper()
	var list []string
	for _, v := range b.versions(t, "") {
		_, n, _ := strings.Cut(v.Look, " ")
		list = append(list, v.Kind+" "+n)
	}
	return strings.Join(list, ", ")
}

// plain returns the text of a version.
func (b *deriveBench) plain(t testing.TB, document, name string) string {
	t.Helper()
	text, err := archive.StoredText(context.Background(), b.db, document, name)
	must(t, err)
	return text.Plain()
}

// page is a policy: a title, and paragraphs that stand in every page of the tests
// with those of this one between them.
func page(title string, paragraphs ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "<!doctype html><html lang=en><head><title>%s</title></head><body><main><h1>%[1]s</h1>\n", title)
	for i := range 6 {
		fmt.Fprintf(&b, "<p>Clause %d says on which terms you may use this service, and what we may do if you do not keep to them.</p>\n", i+1)
	}
	for _, p := range paragraphs {
		b.WriteString("<p>" + p + "</p>\n")
	}
	b.WriteString("<p>You may leave this service at any time, and we may end it.</p></main></body></html>\n")
	return b.String()
}
