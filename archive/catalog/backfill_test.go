package catalog_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/fineprint-archive/fineprint/archive/catalog"
	"github.com/fineprint-archive/fineprint/warc"
)

// importRow is a body that is to be imported.
func importRow(key string, at time.Time) catalog.ImportRow {
	return catalog.ImportRow{Source: "s0", Key: key, ImportCapture: catalog.ImportCapture{Time: at, Original: "https://host0.example/terms/0", Digest: "sha1:" + key},
		Status: 200, MIME: "text/html", State: catalog.ImportWaiting, NextAt: noon}
}

// lookAtArchive enters a sealed look at a web archive.
func lookAtArchive(t *testing.T, db *catalog.DB, source string, m catalog.MementoRow) catalog.LookRow {
	t.Helper()
	must(t, db.EnterSource(ctx, sourceRow(source, "https://archive.example/"+source, "archive.example"), noon))
	b := begin(t, db, source, noon)
	l := captured(source, b.N, noon, "replay")
	m.Look, m.Source, m.Made, m.WARC, m.Index = l.ID, "s0", noon, l.WARC, -1
	l.Memento = &m
	must(t, db.FinishLook(ctx, catalog.Finish{Look: l, NextAt: noon}))
	return l
}

// TestImports plans imports, works at them, and plans them again.
func TestImports(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, dsn string) {
		db := open(t, dsn)
		declare(t, db, 1)
		openWARC(t, db)
		one, two, three := warc.SumSHA1([]byte("1")).Hex(), warc.SumSHA1([]byte("2")).Hex(), "at:20200101000000"
		rows := []catalog.ImportRow{importRow(two, noon.Add(-time.Hour)), importRow(one, noon.Add(-2*time.Hour)), importRow(three, noon.Add(-3*time.Hour))}
		rows[0].Others = []catalog.ImportCapture{{Time: noon.Add(-time.Minute), Original: "http://host0.example/terms/0", Revisit: true}}
		plan := catalog.ImportPlan{Source: "s0", Planned: noon, Estimate: "{}"}
		must(t, db.PlanImports(ctx, plan, rows))
		got, ok, err := db.ImportPlan(ctx, "s0")
		must(t, err)
		if !ok || !got.Planned.Equal(noon) || !got.From.IsZero() || got.Estimate != "{}" {
			t.Errorf("ImportPlan = %+v, %t", got, ok)
		}

		next := func(plan catalog.ImportPlan) catalog.ImportRow {
			t.Helper()
			row, ok, err := db.NextImport(ctx, plan, noon)
			must(t, err)
			if ok != (row.Key != "") {
				t.Errorf("NextImport = %+v, %t", row, ok)
			}
			return row
		}
		if row := next(plan); row.Key != three {
			t.Errorf("first is %s, want the oldest", row.Key)
		}
		later := plan
		later.From, later.Until = noon.Add(-90*time.Minute), noon
		if row := next(later); row.Key != two || len(row.Others) != 1 || !row.Others[0].Revisit || row.MIME != "text/html" {
			t.Errorf("first of the last 90 minutes is %+v", row)
		}

		// What a finished look brought is settled, by digest or by time; what was
		// absent is not.
		lookAtArchive(t, db, "m1", catalog.MementoRow{Purpose: warc.PurposeImport, URL: rows[1].Original, Time: noon, Digest: warc.SumSHA1([]byte("1"))})
		lookAtArchive(t, db, "m2", catalog.MementoRow{Purpose: warc.PurposeImport, URL: rows[2].Original, Time: rows[2].Time})
		lookAtArchive(t, db, "m3", catalog.MementoRow{Purpose: warc.PurposeImport, URL: rows[0].Original, Time: rows[0].Time, Digest: warc.SumSHA1([]byte("2")), Facts: warc.Facts{Replay: warc.FactAbsent}})
		if n, err := db.SettleImports(ctx, "s0"); n != 2 || err != nil {
			t.Errorf("SettleImports = %d, %v, want 2", n, err)
		}
		digests, times, err := db.ImportedDigests(ctx, "s0")
		must(t, err)
		if len(digests) != 1 || !digests[warc.SumSHA1([]byte("1"))] || len(times) != 1 || !times[rows[2].Time.UTC()] {
			t.Errorf("ImportedDigests = %v, %v", digests, times)
		}
		row := next(plan)
		if row.Key != two {
			t.Errorf("next is %s", row.Key)
		}
		row.State, row.Attempts, row.Error, row.NextAt = catalog.ImportAbsent, 3, "gone", noon.Add(time.Hour)
		must(t, db.SaveImport(ctx, row))
		if row := next(plan); !row.NextAt.IsZero() {
			t.Errorf("nothing waits, and NextImport = %+v", row)
		}
		counts, err := db.ImportCounts(ctx, plan)
		must(t, err)
		if counts[catalog.ImportDone] != 2 || counts[catalog.ImportAbsent] != 1 {
			t.Errorf("counts %v", counts)
		}

		// A further plan leaves what is done alone, and what is absent until its time.
		must(t, db.PlanImports(ctx, plan, rows))
		if row := next(plan); row.Key != "" {
			t.Errorf("planned again at once: %+v", row)
		}
		for i := range rows {
			rows[i].NextAt = noon.Add(2 * time.Hour)
		}
		must(t, db.PlanImports(ctx, plan, rows))
		row = next(plan)
		if !row.NextAt.Equal(noon.Add(2 * time.Hour)) {
			t.Errorf("planned again later: %+v", row)
		}
		row, _, err = db.NextImport(ctx, plan, noon.Add(2*time.Hour))
		must(t, err)
		if row.Key != two || row.Attempts != 0 || row.Error != "" {
			t.Errorf("planned again later: %+v", row)
		}
		if err := db.SaveImport(ctx, catalog.ImportRow{Source: "s0", Key: strings.Repeat("k", 1000)}); err == nil {
			t.Error("a key of 1000 bytes was saved")
		}
	})
}

// TestArchived enters what imported captures came to and finds it again.
func TestArchived(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, dsn string) {
		db := open(t, dsn)
		declare(t, db, 1)
		openWARC(t, db)
		own := look(t, db, "s0", noon, "page")
		index := lookAtArchive(t, db, "m1", catalog.MementoRow{Purpose: warc.PurposeIndex, URL: own.URL})
		replay := lookAtArchive(t, db, "m2", catalog.MementoRow{Purpose: warc.PurposeImport, URL: own.URL, Time: noon})
		if state, err := db.MementoSources(ctx); len(state) != 0 || err != nil {
			t.Errorf("before they are sealed: %v, %v", state, err)
		}
		seal(t, db)
		state, err := db.MementoSources(ctx)
		must(t, err)
		if len(state) != 1 || state["s0"] == "" {
			t.Errorf("MementoSources = %v", state)
		}
		if n := len(list(t, db, catalog.LookFilter{})); n != 3 {
			t.Errorf("%d looks, want 3", n)
		}
		if l := list(t, db, catalog.LookFilter{Own: true}); len(l) != 1 || l[0].ID != own.ID {
			t.Errorf("our own looks: %v", l)
		}

		at := func(hours int) time.Time { return noon.Add(time.Duration(hours) * time.Hour).Truncate(time.Second) }
		looks, err := db.LooksAtIndex(ctx, "s0")
		must(t, err)
		if len(looks) != 1 || looks[0].ID != index.ID {
			t.Fatalf("LooksAtIndex = %v", looks)
		}
		seen := []catalog.Sighting{{Source: "s0", Time: at(1), Key: "raw:x"}, {Source: "s0", Time: at(0), Key: "k"}, {Source: "s0", Time: at(0), Key: "k"}}
		must(t, db.EnterSightings(ctx, index.ID, seen))
		must(t, db.EnterSightings(ctx, "", seen))
		if looks, err = db.LooksAtIndex(ctx, "s0"); len(looks) != 0 || err != nil {
			t.Errorf("LooksAtIndex = %v, %v when it is taken in", looks, err)
		}
		var keys []string
		for s, err := range db.Sightings(ctx, []string{"s0"}) {
			must(t, err)
			keys = append(keys, s.Key)
		}
		if strings.Join(keys, " ") != "k raw:x" {
			t.Errorf("sightings %v", keys)
		}
		if key, ok, err := db.SightedWithoutSHA1(ctx, "s0", at(1)); key != "raw:x" || !ok || err != nil {
			t.Errorf("SightedWithoutSHA1 = %s, %t, %v", key, ok, err)
		}

		const document = "svc0/terms-of-service/en"
		d := catalog.ArchivedDerivation{
			Document: catalog.ArchivedDocument{Document: document, Service: "Service 0", ServiceID: "svc0", Terms: "Terms of Service", Lang: "en", URL: own.URL, MadeOf: "x"},
			Readings: []catalog.ArchivedReading{{Look: replay.ID, Source: "s0", URL: own.URL, Key: "k", Time: at(0), Grade: "terms", Replay: warc.FactSame, Text: "t1", Rules: "r"}},
			Texts:    []catalog.TextRow{{Name: "t1", Body: []byte{1}}, {Name: "unused", Body: []byte{2}}},
			Versions: []catalog.ArchivedVersion{
				{N: 1, Time: at(0), LastSeen: at(1), Captures: 2, Grade: "terms", Replay: warc.FactSame, Text: "t1", TextSHA256: "00", Words: 3},
				{N: 2, Time: at(2), LastSeen: at(2), Captures: 1, Grade: "blocked", Text: "t2"},
				{N: 3, Time: at(3), LastSeen: at(3), Captures: 1, Grade: "terms", Replay: warc.FactDifferent, Text: "t3"},
			},
		}
		for range 2 {
			must(t, db.EnterArchived(ctx, d))
		}
		versions := func(f catalog.TextFilter) (n []int64) {
			t.Helper()
			for v, err := range db.ArchivedVersions(ctx, f) {
				must(t, err)
				if v.Document != document || v.Service != "Service 0" || v.DocumentLang != "en" {
					t.Errorf("version %+v", v)
				}
				n = append(n, v.N)
			}
			return n
		}
		if n := versions(catalog.TextFilter{Service: "svc0"}); len(n) != 1 || n[0] != 1 {
			t.Errorf("versions %v", n)
		}
		if n := versions(catalog.TextFilter{All: true}); len(n) != 3 {
			t.Errorf("all versions %v", n)
		}
		if v, ok, err := db.ArchivedVersionAt(ctx, document, at(100)); v.N != 1 || !ok || err != nil {
			t.Errorf("ArchivedVersionAt = %+v, %t, %v", v, ok, err)
		}
		if _, ok, err := db.ArchivedVersionAt(ctx, document, at(-1)); ok || err != nil {
			t.Errorf("ArchivedVersionAt before the first = %t, %v", ok, err)
		}
		if _, ok, err := db.ArchivedText(ctx, document, "t1"); !ok || err != nil {
			t.Errorf("text t1: %t, %v", ok, err)
		}
		if _, ok, err := db.ArchivedText(ctx, document, "unused"); ok || err != nil {
			t.Errorf("a text that nothing has: %t, %v", ok, err)
		}
		for _, name := range []string{document, "s0", "https://host0.example/terms/0"} {
			if ids, err := db.ResolveArchived(ctx, name); len(ids) != 1 || ids[0] != document || err != nil {
				t.Errorf("ResolveArchived(%s) = %v, %v", name, ids, err)
			}
		}
		if ids, err := db.ResolveDocuments(ctx, document); len(ids) != 0 || err != nil {
			t.Errorf("ResolveDocuments = %v, %v: an imported text is none of our own", ids, err)
		}
		var out bytes.Buffer
		must(t, db.Dump(ctx, &out))
		for _, table := range []string{"archived_readings", "archived_versions", "sightings"} {
			if !strings.Contains(out.String(), `{"table":"`+table+`"`) {
				t.Errorf("the dump has no %s", table)
			}
		}
		must(t, db.DropArchived(ctx, []string{document}))
		must(t, db.ForgetSightings(ctx, "s0"))
		if madeOf, err := db.ArchivedMadeOf(ctx); len(madeOf) != 0 || err != nil {
			t.Errorf("dropped, and there is %v, %v", madeOf, err)
		}
		if looks, err = db.LooksAtIndex(ctx, "s0"); len(looks) != 1 || err != nil {
			t.Errorf("forgotten, and LooksAtIndex = %v, %v", looks, err)
		}
	})
}
