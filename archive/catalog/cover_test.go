package catalog_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fineprint-archive/fineprint/archive/catalog"
	"github.com/fineprint-archive/fineprint/warc"
)

// What no anchored checkpoint covers is counted from the entries alone, with or
// without any anchor.
func TestAnchorCover(t *testing.T) {
	eachDatabase(t, func(t *testing.T, dsn string) {
		db := open(t, dsn)
		want := func(w catalog.AnchorCover) {
			t.Helper()
			c, err := db.AnchorCover(t.Context())
			must(t, err)
			if diff := cmp.Diff(w, c); diff != "" {
				t.Error(diff)
			}
		}
		want(catalog.AnchorCover{})
		files := history(t, db) // two WARCs of four looks
		want(catalog.AnchorCover{})
		index := int64(0)
		for _, f := range files {
			in := catalog.Logged{WARC: index + int64(len(f.Looks))}
			for i, l := range f.Looks {
				in.Looks = append(in.Looks, catalog.LogIndex{Source: l.Source, N: l.N, Manifest: l.ID, Index: index + int64(i)})
			}
			index = in.WARC + 1
			must(t, db.LogWARC(t.Context(), f.WARC.Name, in))
		}
		want(catalog.AnchorCover{Logged: true, WARCs: 2, Oldest: noon})
		row := catalog.AnchorRow{
			List: "anchors/5/a.list", SHA256: warc.SumSHA256([]byte("list")), Size: 5, Checkpoint: warc.SumSHA256([]byte("cp")),
			Files: 2, Made: noon, LogFrom: 5, Index: -1,
		}
		must(t, db.EnterAnchor(t.Context(), row))
		want(catalog.AnchorCover{Logged: true, Anchored: 5, WARCs: 1, Oldest: noon.Add(100 * time.Minute)})
		later := row
		later.List, later.Size, later.LogFrom = "anchors/10/b.list", 10, 10
		must(t, db.EnterAnchor(t.Context(), later))
		want(catalog.AnchorCover{Logged: true, Anchored: 10})

		// Lists without an entry, the oldest checkpoint first, as they were entered.
		unlogged := func(limit int, want ...catalog.AnchorRow) {
			t.Helper()
			rows, err := db.UnloggedAnchors(t.Context(), limit)
			must(t, err)
			if diff := cmp.Diff(want, rows); diff != "" {
				t.Error(diff)
			}
		}
		unlogged(10, row, later)
		unlogged(1, row)
		again := row
		again.LogFrom, again.Made, again.Index = 9, noon.Add(time.Hour), 10 // the first LogFrom stays
		must(t, db.EnterAnchor(t.Context(), again))
		unlogged(10, later)
	})
}

// What a witness says is remembered until it says otherwise.
func TestContradictions(t *testing.T) {
	eachDatabase(t, func(t *testing.T, dsn string) {
		db := open(t, dsn)
		want := func(w map[string]string) {
			t.Helper()
			said, err := db.Contradictions(t.Context())
			must(t, err)
			if diff := cmp.Diff(w, said); diff != "" {
				t.Error(diff)
			}
		}
		must(t, db.NoteWitness(t.Context(), "peer", ""))
		want(map[string]string{})
		must(t, db.NoteWitness(t.Context(), "peer", "another history"))
		must(t, db.NoteWitness(t.Context(), "见证", "409"))
		must(t, db.NoteWitness(t.Context(), "peer", "more"))
		want(map[string]string{"peer": "more", "见证": "409"})
		must(t, db.NoteWitness(t.Context(), "peer", ""))
		want(map[string]string{"见证": "409"})
	})
}
