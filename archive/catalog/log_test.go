package catalog_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fineprint-archive/fineprint/archive/catalog"
	"github.com/fineprint-archive/fineprint/warc"
)

// TestLogIndexes checks that looks and WARC files get their places in the log,
// with the seal or after it, and those of private sources by their place.
func TestLogIndexes(t *testing.T) {
	eachDatabase(t, func(t *testing.T, dsn string) {
		db := open(t, dsn)
		declare(t, db, 2)
		openWARC(t, db)
		a, b := look(t, db, "s0", noon, "one"), look(t, db, "s1", noon.Add(time.Minute), "two")
		must(t, db.CloseWARC(ctx, "a.warc.gz", 12345, warc.SumSHA256([]byte("file")), 7))
		if _, err := db.SealWARC(ctx, "a.warc.gz", noon, nil); err != nil {
			t.Fatal(err)
		}
		rows, err := db.UnloggedWARCs(ctx)
		if len(rows) != 1 || err != nil {
			t.Fatalf("UnloggedWARCs = %+v, %v, want one", rows, err)
		}
		in := catalog.Logged{WARC: 9, Looks: []catalog.LogIndex{
			{Source: a.Source, N: a.N, Manifest: a.ID, Index: 7},
			{Source: "private:00", N: b.N, Manifest: b.ID, WARC: b.WARC, Offset: b.Offset, Index: 8},
			{Source: b.Source, N: b.N, Manifest: "another manifest", Index: 1}, // left out as a conflict
		}}
		for range 2 {
			must(t, db.LogWARC(ctx, "a.warc.gz", in))
		}
		for i, l := range list(t, db, catalog.LookFilter{}) {
			if l.Index != int64(7+i) {
				t.Errorf("look %d of %s has index %d, want %d", l.N, l.Source, l.Index, 7+i)
			}
		}
		if rows, err = db.UnloggedWARCs(ctx); len(rows) != 0 || err != nil {
			t.Errorf("UnloggedWARCs = %+v, %v, want none", rows, err)
		}
	})
}

// TestLost checks that lost looks leave nothing waiting and that their numbers
// are not given again, also by a catalog that knows them from the log alone.
func TestLost(t *testing.T) {
	eachDatabase(t, func(t *testing.T, dsn string) {
		db := open(t, dsn)
		declare(t, db, 2)
		openWARC(t, db)
		look(t, db, "s0", noon, "one")
		begin(t, db, "s0", noon.Add(time.Minute))
		spools, err := db.Spools(ctx)
		must(t, err)
		if d := cmp.Diff([]catalog.SpoolRow{{Spool: "spool1", Looks: 2, Oldest: noon}}, spools); d != "" {
			t.Errorf("Spools (-want +got):\n%s", d)
		}
		rows, err := db.LooksOfSpool(ctx, "spool1")
		must(t, err)
		if len(rows) != 2 || rows[0].N != 1 || rows[1].N != 2 || rows[0].Run != "run1" {
			t.Fatalf("LooksOfSpool = %+v, want looks 1 and 2", rows)
		}
		rows = append(rows, catalog.LostRow{Source: "s1", N: 4, Run: "run0", Time: noon, Index: 2}) // of a spool long gone
		for range 2 {
			must(t, db.EnterLost(ctx, rows))
		}
		must(t, db.DropSpool(ctx, "spool1"))
		if spools, err = db.Spools(ctx); len(spools) != 0 || err != nil {
			t.Errorf("Spools = %+v, %v, want none", spools, err)
		}
		openWARC(t, db)
		for source, want := range map[string]int64{"s0": 3, "s1": 5} {
			if b := begin(t, db, source, noon.Add(time.Hour)); b.N != want {
				t.Errorf("next look at %s is number %d, want %d", source, b.N, want)
			}
		}
	})
}
