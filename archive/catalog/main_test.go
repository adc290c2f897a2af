package catalog_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/fineprint-archive/fineprint/archive/catalog"
	"github.com/fineprint-archive/fineprint/archive/catalog/pgtest"
	"github.com/fineprint-archive/fineprint/warc"
)

func TestMain(m *testing.M) {
	if mode := os.Getenv("CATALOG_TEST_CHILD"); mode != "" {
		child(mode)
	}
	stop := pgtest.Keep()
	code := m.Run()
	if err := stop(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// eachDatabase runs a test on SQLite and on PostgreSQL. dsn names a new
// database, to be opened any number of times.
func eachDatabase(t *testing.T, test func(t *testing.T, dsn string)) {
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		test(t, filepath.Join(t.TempDir(), "catalog.db"))
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		test(t, pgtest.Start(t))
	})
}

// open opens a catalog until the end of the test.
func open(t testing.TB, dsn string) *catalog.DB {
	t.Helper()
	return openWith(t, dsn, catalog.Options{})
}

func openWith(t testing.TB, dsn string, opt catalog.Options) *catalog.DB {
	t.Helper()
	db, err := catalog.Open(t.Context(), dsn, opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

var ctx = context.Background()

// noon is when tests happen.
var noon = time.Date(2026, 3, 1, 12, 0, 0, 123456789, time.UTC)

// must fails the test on an error.
func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// declare enters sources s0 … with one document each, on two hosts.
func declare(t testing.TB, db *catalog.DB, n int) []catalog.SourceRow {
	t.Helper()
	set := declared(n)
	if _, err := db.SyncDeclarations(ctx, map[string]string{"a.yaml": "00"}, set); err != nil {
		t.Fatal(err)
	}
	return set.Sources
}

func declared(n int) catalog.DeclaredSet {
	var set catalog.DeclaredSet
	for i := range n {
		s := sourceRow(fmt.Sprintf("s%d", i), fmt.Sprintf("https://host%d.example/terms/%d", i%2, i), fmt.Sprintf("host%d.example", i%2))
		set.Sources = append(set.Sources, s)
		set.Documents = append(set.Documents, catalog.DocumentRow{
			ID: fmt.Sprintf("svc%d/terms-of-service/en", i), Service: fmt.Sprintf("Service %d", i), ServiceID: fmt.Sprintf("svc%d", i),
			Terms: "Terms of Service", Lang: "en", Sources: []string{s.ID},
		})
	}
	return set
}

func sourceRow(id, url, host string) catalog.SourceRow {
	canonical := []byte(`{"url":"` + url + `"}`)
	sum := sha256.Sum256(canonical)
	return catalog.SourceRow{ID: id, URL: url, Host: host, AcceptLanguage: "en", Canonical: canonical, CanonicalSHA256: hex.EncodeToString(sum[:])}
}

// manifestID is the record id of a look's manifest.
func manifestID(source string) func(int64) string {
	return func(n int64) string { return fmt.Sprintf("urn:test:%s:%d", source, n) }
}

// begin begins a look.
func begin(t testing.TB, db *catalog.DB, source string, at time.Time) catalog.Begun {
	t.Helper()
	b, err := db.BeginLook(ctx, catalog.Begin{Source: source, Run: "run1", Spool: "spool1", WARC: "a.warc.gz", At: at, ManifestID: manifestID(source)})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// captured is a look that captured the page body.
func captured(source string, n int64, at time.Time, body string) catalog.LookRow {
	sum := warc.SumSHA256([]byte(body))
	return catalog.LookRow{
		ID: manifestID(source)(n), Source: source, N: n, Index: -1, URL: "https://host0.example/" + source, AcceptLanguage: "en", FinalURL: "https://host0.example/" + source + "/final",
		Time: at, Ended: at.Add(time.Second), Run: "run1", Spool: "spool1",
		Result: warc.Captured, Status: 200, Bytes: warc.BytesFirst,
		WARC: "warc/a.warc.gz", Offset: 1000 * n, Length: 500, ManifestSHA256: warc.SumSHA256([]byte(fmt.Sprint(source, n))),
		RecordID: fmt.Sprintf("urn:test:%s:%d:response", source, n), RecordOffset: 1000*n - 400, RecordLength: 300, MIME: "text/html",
		PayloadSHA1: warc.SumSHA1([]byte(body)), PayloadSHA256: sum, PayloadSize: int64(len(body)), DecodedSHA256: sum, DecodedSize: int64(len(body)),
		ETag: `"e` + fmt.Sprint(n) + `"`, LastModified: "Sun, 01 Mar 2026 12:00:00 GMT", Declaration: warc.SumSHA256([]byte("declaration of " + source)),
	}
}

// failed is a look that failed.
func failed(source string, n int64, at time.Time, kind string) catalog.LookRow {
	l := captured(source, n, at, "")
	return catalog.LookRow{
		ID: l.ID, Source: source, N: n, Index: -1, URL: l.URL, AcceptLanguage: "en", Time: at, Ended: l.Ended, Run: l.Run, Spool: l.Spool, Result: warc.Failed, Error: kind,
		WARC: l.WARC, Offset: l.Offset, Length: l.Length, ManifestSHA256: l.ManifestSHA256, Declaration: l.Declaration,
	}
}

// recordOf is the record that a captured look brought.
func recordOf(l catalog.LookRow) catalog.RecordRow {
	return catalog.RecordRow{URI: l.FinalURL, SHA256: l.PayloadSHA256, Size: l.PayloadSize, RecordID: l.RecordID, Date: l.Time, WARC: "a.warc.gz"}
}

// look begins and finishes a look.
func look(t testing.TB, db *catalog.DB, source string, at time.Time, body string) catalog.LookRow {
	t.Helper()
	b := begin(t, db, source, at)
	l := captured(source, b.N, at, body)
	must(t, db.FinishLook(ctx, catalog.Finish{Look: l, Records: []catalog.RecordRow{recordOf(l)}, NextAt: at.Add(24 * time.Hour)}))
	return l
}

// openWARC enters the WARC file of the tests.
func openWARC(t testing.TB, db *catalog.DB) {
	t.Helper()
	must(t, db.OpenWARC(ctx, catalog.WARCRow{Name: "a.warc.gz", Key: "warc/a.warc.gz", Run: "run1", Spool: "spool1", OpenedAt: noon}))
}

// seal closes and seals it.
func seal(t testing.TB, db *catalog.DB) int64 {
	t.Helper()
	must(t, db.CloseWARC(ctx, "a.warc.gz", 12345, warc.SumSHA256([]byte("file")), 7))
	looks, err := db.SealWARC(ctx, "a.warc.gz", noon, nil)
	must(t, err)
	return looks
}

// list collects looks.
func list(t testing.TB, db *catalog.DB, f catalog.LookFilter) []catalog.LookRow {
	t.Helper()
	var rows []catalog.LookRow
	for l, err := range db.Looks(ctx, f) {
		must(t, err)
		rows = append(rows, l)
	}
	return rows
}
