package catalog_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fineprint-archive/fineprint/archive/catalog"
)

// names lists looks as "source n state".
func names(rows []catalog.LookRow) []string {
	var out []string
	for _, l := range rows {
		out = append(out, fmt.Sprint(l.Source, " ", l.N, " ", l.State))
	}
	return out
}

// batch begins a look at each source and returns what finishes them.
func batch(t *testing.T, db *catalog.DB, sources ...string) []catalog.Finish {
	t.Helper()
	var out []catalog.Finish
	for i, source := range sources {
		at := noon.Add(time.Duration(i) * time.Minute)
		l := captured(source, begin(t, db, source, at).N, at, source)
		out = append(out, catalog.Finish{Look: l, Records: []catalog.RecordRow{recordOf(l)}, NextAt: at.Add(time.Hour),
			Declarations: []catalog.DeclarationRow{{SHA256: l.Declaration, WARC: "a.warc.gz", RecordID: "urn:decl:" + source}}})
	}
	return out
}

func TestFinishLooks(t *testing.T) {
	eachDatabase(t, func(t *testing.T, dsn string) {
		db := open(t, dsn)
		declare(t, db, 3)
		openWARC(t, db)
		must(t, db.FinishLooks(ctx, nil))
		looks := batch(t, db, "s0", "s1", "s0")
		lost := looks[1]
		lost.Look = captured("lost", 4, noon.Add(time.Hour), "lost") // never begun here
		must(t, db.FinishLook(ctx, looks[1]))
		// One is finished already, one stands there twice.
		must(t, db.FinishLooks(ctx, append(looks, looks[0], lost)))
		want := []string{"s0 1 spooled", "s1 1 spooled", "s0 2 spooled", "lost 4 spooled"}
		if d := cmp.Diff(want, names(list(t, db, catalog.LookFilter{Unfinished: true}))); d != "" {
			t.Errorf("Looks (-want +got):\n%s", d)
		}
		if s := sourceState(t, db, "s0"); s.N != 2 || s.LastN != 2 || !s.NextAt.Equal(looks[2].NextAt) || s.Last.N != 2 {
			t.Errorf("source after looks 1 and 2 = %+v, want what look 2 says", s)
		}
		if s := sourceState(t, db, "lost"); s.N != 4 || s.LastN != 4 {
			t.Errorf("source of the unknown look = %+v, want look 4", s)
		}
		for _, f := range looks {
			l := f.Look
			if _, ok, err := db.FindPayload(ctx, l.FinalURL, l.PayloadSHA256, l.PayloadSize, "a.warc.gz"); !ok || err != nil {
				t.Errorf("record of look %d of %s: %v, %v, want found", l.N, l.Source, ok, err)
			}
			if ok, err := db.DeclarationStored(ctx, l.Declaration, "a.warc.gz"); !ok || err != nil {
				t.Errorf("declaration of %s: %v, %v, want found", l.Source, ok, err)
			}
		}
	})
}

// A list with a look whose number is taken does nothing.
func TestFinishLooksConflict(t *testing.T) {
	eachDatabase(t, func(t *testing.T, dsn string) {
		db := open(t, dsn)
		declare(t, db, 2)
		openWARC(t, db)
		look(t, db, "s1", noon, "v1")
		looks := batch(t, db, "s0", "s1")
		for name, n := range map[string]int64{"finished": 1, "begun": 2} {
			impostor := looks[1]
			impostor.Look.ID, impostor.Look.N = "urn:test:impostor", n
			err := db.FinishLooks(ctx, []catalog.Finish{looks[0], impostor})
			if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("look %d at source s1", n)) {
				t.Errorf("FinishLooks with another look of a %s number: %v, want an error that names the look", name, err)
			}
		}
		want := []string{"s1 1 spooled", "s0 1 begun", "s1 2 begun"}
		if d := cmp.Diff(want, names(list(t, db, catalog.LookFilter{Unfinished: true}))); d != "" {
			t.Errorf("Looks (-want +got):\n%s", d)
		}
		must(t, db.FinishLooks(ctx, looks))
	})
}

// Begun looks come after the finished ones, whatever their time.
func TestLooksUnfinished(t *testing.T) {
	eachDatabase(t, func(t *testing.T, dsn string) {
		db := open(t, dsn)
		declare(t, db, 2)
		openWARC(t, db)
		begin(t, db, "s0", noon)
		look(t, db, "s1", noon.Add(time.Hour), "v1")
		begin(t, db, "s1", noon.Add(2*time.Hour))
		tests := []struct {
			name   string
			filter catalog.LookFilter
			want   []string
		}{
			{"finished", catalog.LookFilter{}, []string{"s1 1 spooled"}},
			{"all", catalog.LookFilter{Unfinished: true}, []string{"s1 1 spooled", "s0 1 begun", "s1 2 begun"}},
			{"newest", catalog.LookFilter{Unfinished: true, Newest: true}, []string{"s1 2 begun", "s0 1 begun", "s1 1 spooled"}},
			{"limit", catalog.LookFilter{Unfinished: true, Limit: 2}, []string{"s1 1 spooled", "s0 1 begun"}},
			{"limit is met", catalog.LookFilter{Unfinished: true, Limit: 1}, []string{"s1 1 spooled"}},
			{"begun", catalog.LookFilter{State: catalog.LookBegun}, []string{"s0 1 begun", "s1 2 begun"}},
			{"begun of a service", catalog.LookFilter{State: catalog.LookBegun, Service: "svc1", Run: "run1", Spool: "spool1"}, []string{"s1 2 begun"}},
			{"failed", catalog.LookFilter{Unfinished: true, Failed: true}, nil},
		}
		for _, test := range tests {
			if d := cmp.Diff(test.want, names(list(t, db, test.filter))); d != "" {
				t.Errorf("%s: Looks (-want +got):\n%s", test.name, d)
			}
		}
		if ok, err := db.HasLook(ctx, "s0", 1); !ok || err != nil {
			t.Errorf("HasLook of a begun look = %v, %v, want true", ok, err)
		}
		for range db.Looks(ctx, catalog.LookFilter{Unfinished: true}) {
			break
		}
	})
}
