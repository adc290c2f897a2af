package catalog_test

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fineprint-archive/fineprint/archive/catalog"
	"github.com/fineprint-archive/fineprint/archive/catalog/pgtest"
	"github.com/fineprint-archive/fineprint/warc"
)

var update = flag.Bool("update", false, "rewrite golden files")

func TestFindPayload(t *testing.T) {
	eachDatabase(t, func(t *testing.T, dsn string) {
		db := open(t, dsn)
		declare(t, db, 1)
		openWARC(t, db)
		l := look(t, db, "s0", noon, "body")
		find := func(uri string, size int64, open string) string {
			t.Helper()
			ref, ok, err := db.FindPayload(ctx, uri, l.PayloadSHA256, size, open)
			must(t, err)
			if !ok {
				return ""
			}
			want := warc.Reference{Record: l.RecordID, URI: l.FinalURL, Date: noon, WARC: "warc/a.warc.gz"}
			if d := cmp.Diff(&want, ref); d != "" {
				t.Errorf("FindPayload (-want +got):\n%s", d)
			}
			return ref.Record
		}
		if got := find(l.FinalURL, 4, "a.warc.gz"); got != l.RecordID {
			t.Errorf("FindPayload in the same file = %q, want %q", got, l.RecordID)
		}
		if got := find(l.FinalURL, 4, "b.warc.gz"); got != "" {
			t.Errorf("FindPayload referred to an unsealed file: %q", got)
		}
		seal(t, db)
		if got := find(l.FinalURL, 4, "b.warc.gz"); got != l.RecordID {
			t.Errorf("FindPayload in a sealed file = %q, want %q", got, l.RecordID)
		}
		if got := find(l.FinalURL+"x", 4, ""); got != "" {
			t.Errorf("FindPayload of another address = %q", got)
		}
		if got := find(l.FinalURL, 5, ""); got != "" {
			t.Errorf("FindPayload of another size = %q", got)
		}
	})
}

func TestDeclarationStored(t *testing.T) {
	eachDatabase(t, func(t *testing.T, dsn string) {
		db := open(t, dsn)
		openWARC(t, db)
		sum := warc.SumSHA256([]byte("d"))
		must(t, db.StoreDeclaration(ctx, catalog.DeclarationRow{SHA256: sum, Canonical: []byte("d"), WARC: "a.warc.gz", RecordID: "urn:d"}))
		stored := func(open string) bool {
			t.Helper()
			ok, err := db.DeclarationStored(ctx, sum, open)
			must(t, err)
			return ok
		}
		if !stored("a.warc.gz") || stored("b.warc.gz") {
			t.Error("a declaration in an open file counts for that file alone")
		}
		seal(t, db)
		if !stored("b.warc.gz") {
			t.Error("a declaration in a sealed file counts")
		}
	})
}

func TestWARCSteps(t *testing.T) {
	eachDatabase(t, func(t *testing.T, dsn string) {
		db := open(t, dsn)
		sum := warc.SumSHA256([]byte("file"))
		if err := db.CloseWARC(ctx, "a.warc.gz", 1, sum, 1); err == nil {
			t.Error("CloseWARC of an unknown file succeeded")
		}
		openWARC(t, db)
		if _, err := db.SealWARC(ctx, "a.warc.gz", noon, nil); err == nil || !strings.Contains(err.Error(), "still open") {
			t.Errorf("SealWARC of an open file: %v, want a refusal", err)
		}
		must(t, db.CloseWARC(ctx, "a.warc.gz", 10, sum, 3))
		must(t, db.CloseWARC(ctx, "a.warc.gz", 10, sum, 3))
		waiting, err := db.WARCs(ctx, catalog.WARCFilter{Spool: "spool1", Unsealed: true})
		must(t, err)
		want := []catalog.WARCRow{{Name: "a.warc.gz", Key: "warc/a.warc.gz", Run: "run1", Spool: "spool1", State: catalog.WARCClosed, Size: 10, SHA256: sum, Records: 3, OpenedAt: noon}}
		if d := cmp.Diff(want, waiting); d != "" {
			t.Errorf("WARCs (-want +got):\n%s", d)
		}
		_, err = db.SealWARC(ctx, "a.warc.gz", noon, nil)
		must(t, err)
		if waiting, err = db.WARCs(ctx, catalog.WARCFilter{Unsealed: true}); len(waiting) != 0 || err != nil {
			t.Errorf("unsealed files = %v, %v, want none", waiting, err)
		}
		if err := db.OpenWARC(ctx, want[0]); err == nil {
			t.Error("OpenWARC of a sealed file succeeded")
		}
		row, ok, err := db.WARC(ctx, "a.warc.gz")
		if !ok || err != nil || row.State != catalog.WARCSealed || !row.SealedAt.Equal(noon) {
			t.Errorf("WARC = %+v, %v, %v, want sealed", row, ok, err)
		}

		declare(t, db, 1)
		must(t, db.OpenWARC(ctx, catalog.WARCRow{Name: "b.warc.gz", Key: "warc/b.warc.gz", Spool: "spool1", OpenedAt: noon}))
		must(t, db.DropWARC(ctx, "b.warc.gz"))
		if _, ok, err := db.WARC(ctx, "b.warc.gz"); ok || err != nil {
			t.Errorf("WARC after DropWARC = %v, %v, want gone", ok, err)
		}
		must(t, db.OpenWARC(ctx, catalog.WARCRow{Name: "c.warc.gz", Key: "warc/c.warc.gz", Spool: "spool1", OpenedAt: noon}))
		b := begin(t, db, "s0", noon)
		l := failed("s0", b.N, noon, "dns")
		l.WARC = "warc/c.warc.gz"
		must(t, db.FinishLook(ctx, catalog.Finish{Look: l, NextAt: noon}))
		if err := db.DropWARC(ctx, "c.warc.gz"); err == nil {
			t.Error("DropWARC of a file with looks succeeded")
		}
	})
}

// history fills a catalog with two sealed files and things that are no facts,
// and returns what the files say.
func history(t *testing.T, db *catalog.DB) []catalog.WARCFacts {
	t.Helper()
	declare(t, db, 3)
	var files []catalog.WARCFacts
	n := map[string]int64{}
	for f, name := range []string{"a.warc.gz", "b.warc.gz"} {
		row := catalog.WARCRow{Name: name, Key: "warc/" + name, Run: "run1", Spool: "spool1", OpenedAt: noon}
		must(t, db.OpenWARC(ctx, row))
		facts := catalog.WARCFacts{Declarations: []catalog.DeclarationRow{
			{SHA256: warc.SumSHA256([]byte{0xff, byte(f)}), Canonical: []byte{0xff, byte(f)}, WARC: name, RecordID: "urn:decl:2" + name},
			{SHA256: warc.SumSHA256([]byte("{}")), Canonical: []byte("{}"), WARC: name, RecordID: "urn:decl:1" + name},
			{SHA256: warc.SumSHA256([]byte("{}")), Canonical: []byte("{}"), WARC: name, RecordID: "urn:decl:0" + name},
		}}
		for _, d := range facts.Declarations {
			must(t, db.StoreDeclaration(ctx, d))
		}
		for i, source := range []string{"s0", "s1", "s0", "s2"} {
			n[source]++
			at := noon.Add(time.Duration(f*100+i) * time.Minute)
			l := captured(source, n[source], at, fmt.Sprint(source, i%2))
			l.URL, l.Detail = declared(3).Sources[source[1]-'0'].URL, "<&> 日本語 \x00 \xff"
			switch {
			case source == "s1":
				l = failed(source, n[source], at, "timeout")
				l.URL = declared(3).Sources[1].URL
			case i == 2:
				l.SameAs = "urn:test:s0:1:response"
			}
			l.WARC = row.Key
			finish := catalog.Finish{Look: l, NextAt: at.Add(time.Hour)}
			if l.Result == warc.Captured {
				r := recordOf(l)
				r.WARC = name
				late := r // the same payload twice in one file: the first one stands for both
				late.Date, late.RecordID = r.Date.Add(time.Second), r.RecordID+"-again"
				finish.Records = []catalog.RecordRow{late, r}
			}
			b, err := db.BeginLook(ctx, catalog.Begin{Source: source, Run: "run1", Spool: "spool1", WARC: name, At: at, ManifestID: manifestID(source)})
			must(t, err)
			if b.N != l.N {
				t.Fatalf("n = %d, want %d", b.N, l.N)
			}
			must(t, db.FinishLook(ctx, finish))
			facts.Looks = append(facts.Looks, l)
			facts.Records = append(facts.Records, finish.Records...)
		}
		must(t, db.CloseWARC(ctx, name, 100, warc.SumSHA256([]byte(name)), 9))
		looks, err := db.SealWARC(ctx, name, noon, nil)
		must(t, err)
		facts.WARC = catalog.WARCRow{Name: name, Key: row.Key, State: catalog.WARCSealed, Size: 100, SHA256: warc.SumSHA256([]byte(name)), Records: 9, Looks: looks}
		files = append(files, facts)
	}
	return files
}

// clutter adds what is no fact.
func clutter(t *testing.T, db *catalog.DB) {
	t.Helper()
	must(t, db.OpenWARC(ctx, catalog.WARCRow{Name: "c.warc.gz", Key: "warc/c.warc.gz", Run: "run1", Spool: "spool1", OpenedAt: noon}))
	b := begin(t, db, "s0", noon)
	l := captured("s0", b.N, noon, "spooled")
	l.WARC = "warc/c.warc.gz"
	r := recordOf(l)
	r.WARC = "c.warc.gz"
	must(t, db.FinishLook(ctx, catalog.Finish{Look: l, Records: []catalog.RecordRow{r}, NextAt: noon}))
	begin(t, db, "s1", noon)
	must(t, db.StoreDeclaration(ctx, catalog.DeclarationRow{SHA256: warc.SumSHA256([]byte("c")), WARC: "c.warc.gz", RecordID: "urn:c"}))
	must(t, db.SaveRobots(ctx, "https://a.example", []byte("x"), 200, noon))
	_, _, err := db.TakeLease(ctx, "h", "o", time.Minute)
	must(t, err)
	must(t, db.BeginRun(ctx, catalog.RunRow{ID: "run1", Started: noon}))
}

func dump(t *testing.T, db *catalog.DB) string {
	t.Helper()
	var b bytes.Buffer
	must(t, db.Dump(ctx, &b))
	return b.String()
}

// TestDump is the promise of a rebuild: the dump is the same on both databases,
// live and rebuilt, whatever else the catalog holds and in whatever order the
// facts came.
func TestDump(t *testing.T) {
	dsns := map[string]func() string{
		"sqlite":   func() string { return filepath.Join(t.TempDir(), "catalog.db") },
		"postgres": func() string { return pgtest.Start(t) },
	}
	var want string
	for name, dsn := range dsns {
		live := open(t, dsn())
		files := history(t, live)
		got := dump(t, live)
		if want == "" {
			want = got
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s live differs from the other database (-want +got):\n%s", name, d)
		}
		clutter(t, live)
		if d := cmp.Diff(want, dump(t, live)); d != "" {
			t.Errorf("%s: what is no fact changes the dump (-want +got):\n%s", name, d)
		}
		rebuilt := open(t, dsn())
		must(t, rebuilt.RebuildBegin(ctx, "archive"))
		for _, i := range []int{1, 0, 1} { // the wrong way round, and one twice as after a crash
			must(t, rebuilt.InsertFacts(ctx, files[i]))
		}
		must(t, rebuilt.RebuildEnd(ctx))
		if d := cmp.Diff(want, dump(t, rebuilt)); d != "" {
			t.Errorf("%s rebuilt (-want +got):\n%s", name, d)
		}
		if err := rebuilt.RebuildBegin(ctx, "archive"); err == nil || !strings.Contains(err.Error(), "not empty") {
			t.Errorf("RebuildBegin of a full catalog: %v, want a refusal", err)
		}
		// What sources say of their looks comes back with them.
		_, err := rebuilt.SyncDeclarations(ctx, nil, declared(3))
		must(t, err)
		live = open(t, dsn())
		history(t, live)
		for _, id := range []string{"s0", "s1", "s2"} {
			before, after := sourceState(t, live, id), sourceState(t, rebuilt, id)
			before.NextAt, after.NextAt = time.Time{}, time.Time{} // the schedule is not a fact
			if d := cmp.Diff(before, after); d != "" {
				t.Errorf("%s: source %s after the rebuild (-live +rebuilt):\n%s", name, id, d)
			}
		}
		if b := begin(t, rebuilt, "s0", noon); b.N != 5 || b.Prev.Manifest != "urn:test:s0:4" {
			t.Errorf("%s: next look after the rebuild = %+v, want n 5 after 4", name, b)
		}
	}
	golden := filepath.Join("testdata", "dump.jsonl")
	if *update {
		must(t, os.WriteFile(golden, []byte(want), 0o644))
	}
	text, err := os.ReadFile(golden)
	must(t, err)
	if d := cmp.Diff(string(text), want); d != "" {
		t.Errorf("the dump's form changed (-%s +got):\n%s", golden, d)
	}
}

// A look whose number is taken is left out and named; the rest of its file is
// entered, and doing it again changes nothing.
func TestInsertFactsConflict(t *testing.T) {
	eachDatabase(t, func(t *testing.T, dsn string) {
		db := open(t, dsn)
		must(t, db.RebuildBegin(ctx, "archive"))
		l := captured("s0", 1, noon, "v")
		file := catalog.WARCFacts{WARC: catalog.WARCRow{Name: "a.warc.gz", Key: "warc/a.warc.gz", Looks: 1}, Looks: []catalog.LookRow{l}}
		must(t, db.InsertFacts(ctx, file))
		other, next := captured("s0", 1, noon, "w"), captured("s0", 2, noon, "w")
		other.ID = "urn:test:other"
		twice := next
		twice.ID = "urn:test:twice"
		other.WARC, next.WARC, twice.WARC = "warc/b.warc.gz", "warc/b.warc.gz", "warc/b.warc.gz"
		file = catalog.WARCFacts{WARC: catalog.WARCRow{Name: "b.warc.gz", Key: "warc/b.warc.gz", Looks: 3}, Looks: []catalog.LookRow{other, next, twice}}
		for range 2 {
			err := db.InsertFacts(ctx, file)
			conflict, ok := errors.AsType[*catalog.ConflictError](err)
			if !ok || !strings.Contains(err.Error(), "two looks have number 1") {
				t.Fatalf("InsertFacts of a second look 1: %v, want a *ConflictError that names it", err)
			}
			want := []catalog.Conflict{{Source: "s0", N: 1, Kept: l.ID, Out: other.ID}, {Source: "s0", N: 2, Kept: next.ID, Out: twice.ID}}
			if d := cmp.Diff(want, conflict.Conflicts); d != "" {
				t.Errorf("conflicts (-want +got):\n%s", d)
			}
		}
		must(t, db.RebuildEnd(ctx))
		var ids []string
		for _, row := range list(t, db, catalog.LookFilter{}) {
			ids = append(ids, row.ID)
		}
		if d := cmp.Diff([]string{l.ID, next.ID}, ids); d != "" {
			t.Errorf("looks (-want +got):\n%s", d)
		}
		row, ok, err := db.WARC(ctx, "b.warc.gz")
		if !ok || err != nil || row.Looks != 1 {
			t.Errorf("WARC = %+v, %v, %v, want one look", row, ok, err)
		}
	})
}

// Until it has come to its end a rebuild may be begun again, but not that of
// another archive; what it found damaged is known afterwards.
func TestRebuildUnfinished(t *testing.T) {
	eachDatabase(t, func(t *testing.T, dsn string) {
		db := open(t, dsn)
		rebuilding := func(want bool) {
			t.Helper()
			if got, err := db.Rebuilding(ctx); got != want || err != nil {
				t.Errorf("Rebuilding = %v, %v, want %v", got, err, want)
			}
		}
		rebuilding(false)
		must(t, db.RebuildBegin(ctx, "one"))
		file := catalog.WARCFacts{WARC: catalog.WARCRow{Name: "a.warc.gz", Key: "warc/a.warc.gz"}, Looks: []catalog.LookRow{captured("s0", 1, noon, "v")}}
		must(t, db.InsertFacts(ctx, file))
		must(t, db.NoteDamaged(ctx, "warc/gone.warc.gz", "unreadable"))
		rebuilding(true)
		if err := db.RebuildBegin(ctx, "two"); !errors.Is(err, catalog.ErrNotEmpty) {
			t.Errorf("RebuildBegin of another archive: %v, want ErrNotEmpty", err)
		}
		must(t, db.RebuildBegin(ctx, "one"))
		must(t, db.InsertFacts(ctx, file))
		must(t, db.NoteDamaged(ctx, "warc/bad.warc.gz", "unreadable \x00\xff"))
		must(t, db.RebuildEnd(ctx))
		rebuilding(false)
		known, err := db.KnownWARCs(ctx, []string{"warc/new.warc.gz", "warc/gone.warc.gz", "warc/bad.warc.gz", "warc/a.warc.gz"})
		must(t, err)
		if d := cmp.Diff(map[string]bool{"warc/a.warc.gz": true, "warc/bad.warc.gz": true}, known); d != "" {
			t.Errorf("KnownWARCs (-want +got):\n%s", d)
		}
		if last, err := db.LastWARC(ctx); last != "warc/a.warc.gz" || err != nil {
			t.Errorf("LastWARC = %q, %v", last, err)
		}
		if err := db.RebuildBegin(ctx, "one"); !errors.Is(err, catalog.ErrNotEmpty) {
			t.Errorf("RebuildBegin after the end: %v, want ErrNotEmpty", err)
		}
	})
}
