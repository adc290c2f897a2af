package catalog_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fineprint-archive/fineprint/archive/catalog"
	"github.com/fineprint-archive/fineprint/warc"
)

// Whatever became of a look, it stands under its number.
func TestSeries(t *testing.T) {
	eachDatabase(t, func(t *testing.T, dsn string) {
		db := open(t, dsn)
		declare(t, db, 2)
		openWARC(t, db)
		first := look(t, db, "s0", noon, "v1")
		look(t, db, "s1", noon, "v1")
		seal(t, db)
		must(t, db.LogLooks(ctx, []catalog.LogIndex{{Source: "s0", N: 1, Manifest: first.ID, Index: 7}}))
		begin(t, db, "s0", noon.Add(time.Hour))
		must(t, db.EnterLost(ctx, []catalog.LostRow{{Source: "s0", N: 2, Run: "run1", Time: noon.Add(time.Hour), Index: 9}}))
		begun := begin(t, db, "s0", noon.Add(2*time.Hour))

		got, err := db.Series(ctx, "s0", 1, 3)
		must(t, err)
		want := []catalog.Numbered{
			{N: 1, State: catalog.LookSealed, Time: noon, ID: first.ID, Index: 7},
			{N: 2, Time: noon.Add(time.Hour), Index: 9},
			{N: begun.N, State: catalog.LookBegun, Time: noon.Add(2 * time.Hour), ID: manifestID("s0")(3), Index: -1},
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("Series (-want +got):\n%s", d)
		}
		if got, err := db.Series(ctx, "s0", 2, 2); err != nil || len(got) != 1 || got[0].N != 2 {
			t.Errorf("Series of one number = %v, %v", got, err)
		}

		key := list(t, db, catalog.LookFilter{Source: "s0"})[0].WARC
		row, ok, err := db.LookInWARC(ctx, key, first.ID)
		if err != nil || !ok || row.N != 1 || row.Source != "s0" || row.Index != 7 {
			t.Errorf("LookInWARC = %+v, %t, %v", row, ok, err)
		}
		if _, ok, err := db.LookInWARC(ctx, "another.warc.gz", first.ID); ok || err != nil {
			t.Errorf("LookInWARC of another object = %t, %v, want false, nil", ok, err)
		}
	})
}

// Anchors are found from the smallest checkpoint on, and by their digest.
func TestAnchorsOver(t *testing.T) {
	eachDatabase(t, func(t *testing.T, dsn string) {
		db := open(t, dsn)
		row := func(name string, size, files int64) catalog.AnchorRow {
			return catalog.AnchorRow{List: name, SHA256: warc.SumSHA256([]byte(name)), Size: size, Checkpoint: warc.SumSHA256([]byte("c")), Files: files, Index: -1}
		}
		small, few, many, large := row("a", 5, 1), row("b", 10, 1), row("c", 10, 3), row("d", 20, 2)
		for _, r := range []catalog.AnchorRow{large, few, small, many} {
			must(t, db.EnterAnchor(ctx, r))
		}
		got, err := db.AnchorsOver(ctx, 6, 10)
		must(t, err)
		if d := cmp.Diff([]catalog.AnchorRow{many, few, large}, got); d != "" {
			t.Errorf("AnchorsOver (-want +got):\n%s", d)
		}
		if got, err := db.AnchorsOver(ctx, 0, 1); err != nil || len(got) != 1 || got[0].List != "a" {
			t.Errorf("AnchorsOver with a limit = %v, %v", got, err)
		}
		found, ok, err := db.AnchorList(ctx, few.SHA256)
		if err != nil || !ok || found != few {
			t.Errorf("AnchorList = %+v, %t, %v", found, ok, err)
		}
		if _, ok, err := db.AnchorList(ctx, warc.SumSHA256([]byte("x"))); ok || err != nil {
			t.Errorf("AnchorList of another digest = %t, %v, want false, nil", ok, err)
		}
	})
}
