package catalog_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fineprint-archive/fineprint/archive/catalog"
	"github.com/fineprint-archive/fineprint/warc"
)

func TestLookLife(t *testing.T) {
	eachDatabase(t, func(t *testing.T, dsn string) {
		db := open(t, dsn)
		declare(t, db, 2)
		openWARC(t, db)

		b := begin(t, db, "s0", noon)
		if b.N != 1 || b.Prev != nil || !b.Last.SHA256.IsZero() {
			t.Fatalf("first BeginLook = %+v, want n 1 and nothing before it", b)
		}
		begun, err := db.UnfinishedLooks(ctx, "spool1")
		must(t, err)
		want := []catalog.LookRow{{ID: "urn:test:s0:1", Source: "s0", N: 1, Index: -1, URL: "https://host0.example/terms/0", AcceptLanguage: "en", Time: noon, Run: "run1", Spool: "spool1", State: catalog.LookBegun, WARC: "a.warc.gz"}}
		if d := cmp.Diff(want, begun); d != "" {
			t.Fatalf("UnfinishedLooks (-want +got):\n%s", d)
		}
		if rows := list(t, db, catalog.LookFilter{}); len(rows) != 0 {
			t.Fatalf("Looks shows %d looks that have only begun", len(rows))
		}

		l := captured("s0", 1, noon, "v1")
		l.URL = "https://host0.example/terms/0"
		l.SameAs = "urn:test:earlier"
		finish := catalog.Finish{Look: l, Records: []catalog.RecordRow{recordOf(l)}, NextAt: noon.Add(time.Hour), Requisites: true}
		must(t, db.FinishLook(ctx, finish))
		must(t, db.FinishLook(ctx, finish)) // repeated after an unclear answer
		l.State, l.Documents, l.Service, l.ServiceID, l.Terms, l.Lang = catalog.LookSpooled, []string{"svc0/terms-of-service/en"}, "Service 0", "svc0", "Terms of Service", "en"
		if d := cmp.Diff([]catalog.LookRow{l}, list(t, db, catalog.LookFilter{})); d != "" {
			t.Fatalf("Looks (-want +got):\n%s", d)
		}
		if begun, err := db.UnfinishedLooks(ctx, "spool1"); err != nil || len(begun) != 0 {
			t.Fatalf("UnfinishedLooks after FinishLook = %v, %v, want none", begun, err)
		}

		b = begin(t, db, "s0", noon.Add(time.Hour))
		wantBegun := catalog.Begun{N: 2, Prev: &warc.Prev{Manifest: l.ID, SHA256: l.ManifestSHA256}, Last: catalog.LastPayload{
			N: 1, SHA256: l.PayloadSHA256, Size: 2, DecodedSHA256: l.DecodedSHA256, RecordID: l.RecordID, URL: l.FinalURL, Time: noon, ETag: l.ETag, LastModified: l.LastModified}}
		if d := cmp.Diff(wantBegun, b); d != "" {
			t.Fatalf("second BeginLook (-want +got):\n%s", d)
		}
		f := failed("s0", 2, noon.Add(time.Hour), "timeout")
		must(t, db.FinishLook(ctx, catalog.Finish{Look: f, NextAt: noon.Add(2 * time.Hour), Attempt: 1}))

		if n := seal(t, db); n != 2 {
			t.Errorf("SealWARC = %d looks, want 2", n)
		}
		if n, err := db.SealWARC(ctx, "a.warc.gz", noon, nil); n != 2 || err != nil {
			t.Errorf("SealWARC again = %d, %v, want 2, nil", n, err)
		}
		for _, l := range list(t, db, catalog.LookFilter{}) {
			if l.State != catalog.LookSealed {
				t.Errorf("look %d is %s after SealWARC", l.N, l.State)
			}
		}
		var states []catalog.SourceState
		for s, err := range db.Sources(ctx, catalog.SourceFilter{IDs: []string{"s0"}}) {
			must(t, err)
			states = append(states, s)
		}
		wantState := catalog.SourceState{SourceRow: declared(1).Sources[0], Declared: true, NextAt: noon.Add(2 * time.Hour), Attempt: 1, LastN: 2, RequisitesAt: noon,
			N: 2, LookedAt: noon.Add(time.Hour), Result: warc.Failed, Error: "timeout", Manifest: f.ID, ManifestSHA256: f.ManifestSHA256, FailingSince: noon.Add(time.Hour), Last: wantBegun.Last}
		if d := cmp.Diff([]catalog.SourceState{wantState}, states); d != "" {
			t.Errorf("Sources (-want +got):\n%s", d)
		}
	})
}

// What the caller knows of the source is used if it is still true.
func TestBeginLookKnown(t *testing.T) {
	eachDatabase(t, func(t *testing.T, dsn string) {
		db := openWith(t, dsn, catalog.Options{Now: func() time.Time { return noon }})
		declare(t, db, 1)
		openWARC(t, db)
		first := look(t, db, "s0", noon.Add(-24*time.Hour), "v1")
		due, err := db.DueSources(ctx, "", "host0.example", noon, 1)
		must(t, err)
		beginKnown := func() catalog.Begun {
			t.Helper()
			b, err := db.BeginLook(ctx, catalog.Begin{Source: "s0", Run: "run1", Spool: "spool1", At: noon, Known: &due[0], ManifestID: manifestID("s0")})
			must(t, err)
			return b
		}
		second := beginKnown()
		if second.N != 2 || second.Prev.Manifest != first.ID || second.Last.SHA256 != first.PayloadSHA256 || second.Last.RecordID != first.RecordID {
			t.Errorf("BeginLook = %+v, want n 2 after look 1", second)
		}
		if third := beginKnown(); third.N != 3 || third.Prev.Manifest != first.ID {
			t.Errorf("BeginLook with old knowledge = %+v, want n 3 after look 1", third)
		}
		must(t, db.FinishLook(ctx, catalog.Finish{Look: captured("s0", 3, noon, "v3"), NextAt: noon}))
		if fourth := beginKnown(); fourth.N != 4 || fourth.Prev.Manifest != manifestID("s0")(3) || fourth.Last.N != 3 {
			t.Errorf("BeginLook with old knowledge = %+v, want n 4 after look 3", fourth)
		}
		if looks, err := db.UnfinishedLooks(ctx, "spool1"); err != nil || len(looks) != 2 || looks[0].URL != "https://host0.example/terms/0" {
			t.Errorf("UnfinishedLooks = %+v, %v, want two at the address of the source", looks, err)
		}
	})
}

func TestBeginLookUnknownSource(t *testing.T) {
	eachDatabase(t, func(t *testing.T, dsn string) {
		db := open(t, dsn)
		_, err := db.BeginLook(ctx, catalog.Begin{Source: "nowhere", At: noon, ManifestID: manifestID("nowhere")})
		if !errors.Is(err, catalog.ErrUnknownSource) {
			t.Errorf("BeginLook of an unknown source: %v, want ErrUnknownSource", err)
		}
	})
}

// A look that ended with its process is entered after a newer one: it must not
// undo what the newer one said.
func TestFinishLookLate(t *testing.T) {
	eachDatabase(t, func(t *testing.T, dsn string) {
		db := open(t, dsn)
		declare(t, db, 1)
		openWARC(t, db)
		first := look(t, db, "s0", noon, "v1")
		begin(t, db, "s0", noon.Add(time.Hour)) // dies
		third := look(t, db, "s0", noon.Add(2*time.Hour), "v3")

		prev, last, source, err := db.SourceBefore(ctx, "s0", 2)
		must(t, err)
		if prev == nil || prev.Manifest != first.ID || prev.SHA256 != first.ManifestSHA256 {
			t.Errorf("SourceBefore look 2: prev = %+v, want that of look 1", prev)
		}
		if last.N != 1 || last.SHA256 != first.PayloadSHA256 || last.RecordID != first.RecordID {
			t.Errorf("SourceBefore look 2: last = %+v, want that of look 1", last)
		}
		if d := cmp.Diff(declared(1).Sources[0], source); d != "" {
			t.Errorf("SourceBefore (-want +got):\n%s", d)
		}
		must(t, db.FinishLook(ctx, catalog.Finish{Look: failed("s0", 2, noon.Add(time.Hour), "interrupted"), NextAt: noon}))
		b := begin(t, db, "s0", noon.Add(3*time.Hour))
		if b.N != 4 || b.Prev.Manifest != third.ID || b.Last.N != 3 {
			t.Errorf("BeginLook after a late look = %+v, want n 4 after look 3", b)
		}
		var results []warc.Result
		for _, l := range list(t, db, catalog.LookFilter{}) {
			results = append(results, l.Result)
		}
		if want := []warc.Result{warc.Captured, warc.Failed, warc.Captured}; !slices.Equal(results, want) {
			t.Errorf("results = %v, want %v", results, want)
		}
	})
}

// After the catalog was lost a spool still holds looks of unknown sources.
func TestFinishLookUnknown(t *testing.T) {
	eachDatabase(t, func(t *testing.T, dsn string) {
		db := open(t, dsn)
		openWARC(t, db)
		l := captured("lost", 7, noon, "v")
		must(t, db.FinishLook(ctx, catalog.Finish{Look: l, NextAt: noon}))
		if ok, err := db.HasLook(ctx, "lost", 7); !ok || err != nil {
			t.Errorf("HasLook = %v, %v, want true", ok, err)
		}
		if b := begin(t, db, "lost", noon); b.N != 8 || b.Prev == nil || b.Prev.Manifest != l.ID {
			t.Errorf("BeginLook after an entered look 7 = %+v, want n 8 after it", b)
		}
		other := l
		other.ID = "urn:test:impostor"
		if err := db.FinishLook(ctx, catalog.Finish{Look: other, NextAt: noon}); err == nil {
			t.Error("FinishLook of a second look 7 succeeded")
		}
	})
}

func TestLookFilter(t *testing.T) {
	eachDatabase(t, func(t *testing.T, dsn string) {
		db := open(t, dsn)
		set := declared(4)
		// One source serves two documents, in two languages.
		set.Documents = append(set.Documents, catalog.DocumentRow{ID: "svc0/privacy-policy/ja", Service: "Service 0", ServiceID: "svc0", Terms: "Privacy Policy", Lang: "ja", Sources: []string{"s0", "s1", "s0"}})
		_, err := db.SyncDeclarations(ctx, nil, set)
		must(t, err)
		openWARC(t, db)
		for i, id := range []string{"s0", "s1", "s2", "s0"} {
			at := noon.Add(time.Duration(i) * time.Hour)
			b := begin(t, db, id, at)
			l := captured(id, b.N, at, id)
			if id == "s2" {
				l = failed(id, b.N, at, "dns")
			}
			must(t, db.FinishLook(ctx, catalog.Finish{Look: l, NextAt: at}))
		}
		tests := []struct {
			name   string
			filter catalog.LookFilter
			want   []string
		}{
			{"all", catalog.LookFilter{}, []string{"s0 1", "s1 1", "s2 1", "s0 2"}},
			{"newest", catalog.LookFilter{Newest: true, Limit: 2}, []string{"s0 2", "s2 1"}},
			{"source", catalog.LookFilter{Source: "s0"}, []string{"s0 1", "s0 2"}},
			{"service name", catalog.LookFilter{Service: "Service 0"}, []string{"s0 1", "s1 1", "s0 2"}},
			{"service id", catalog.LookFilter{Service: "svc2"}, []string{"s2 1"}},
			{"terms and lang", catalog.LookFilter{Terms: "Privacy Policy", Lang: "ja"}, []string{"s0 1", "s1 1", "s0 2"}},
			{"no such language", catalog.LookFilter{Terms: "Privacy Policy", Lang: "en"}, nil},
			{"document", catalog.LookFilter{Document: "svc1/terms-of-service/en"}, []string{"s1 1"}},
			{"address", catalog.LookFilter{URL: "https://host1.example/terms/1"}, []string{"s1 1"}},
			{"final address", catalog.LookFilter{URL: "https://host0.example/s0/final"}, []string{"s0 1", "s0 2"}},
			{"since", catalog.LookFilter{Since: noon.Add(time.Hour)}, []string{"s1 1", "s2 1", "s0 2"}},
			{"until", catalog.LookFilter{Until: noon.Add(time.Hour)}, []string{"s0 1"}},
			{"nanosecond", catalog.LookFilter{Until: noon.Add(time.Hour + 1)}, []string{"s0 1", "s1 1"}},
			{"failed", catalog.LookFilter{Failed: true}, []string{"s2 1"}},
			{"run", catalog.LookFilter{Run: "run2"}, nil},
			{"spooled", catalog.LookFilter{State: catalog.LookSpooled, WARC: "warc/a.warc.gz", Limit: 1}, []string{"s0 1"}},
			{"injection", catalog.LookFilter{Service: "' OR 1=1 --"}, nil},
		}
		for _, test := range tests {
			t.Run(test.name, func(t *testing.T) {
				var got []string
				for _, l := range list(t, db, test.filter) {
					got = append(got, l.Source+" "+string(rune('0'+l.N)))
				}
				if d := cmp.Diff(test.want, got); d != "" {
					t.Errorf("Looks(%+v) (-want +got):\n%s", test.filter, d)
				}
			})
		}
		l := list(t, db, catalog.LookFilter{Terms: "Terms of Service", Source: "s0"})[0]
		if want := []string{"svc0/privacy-policy/ja", "svc0/terms-of-service/en"}; !slices.Equal(l.Documents, want) || l.Lang != "en" {
			t.Errorf("look of two documents: documents %v, lang %q, want %v and that of the one asked for, en", l.Documents, l.Lang, want)
		}
		for range db.Looks(ctx, catalog.LookFilter{}) {
			break // gives its connection back
		}

		for _, test := range []struct {
			at   time.Time
			want int64 // n, 0 for none
		}{
			{noon.Add(-1), 0}, {noon, 1}, {noon.Add(3*time.Hour - 1), 1}, {noon.Add(3 * time.Hour), 2}, {time.Time{}, 2},
		} {
			l, ok, err := db.LookAt(ctx, "s0", test.at)
			if err != nil || l.N != test.want || ok != (test.want > 0) {
				t.Errorf("LookAt(s0, %v) = %d, %v, %v, want %d", test.at, l.N, ok, err, test.want)
			}
		}
	})
}
