package catalog_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fineprint-archive/fineprint/archive/catalog"
)

// TestSearchFrequent wants the first passages of a word that nearly all have to be
// those that sorting all of them gives, in pages of any size.
func TestSearchFrequent(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, dsn string) {
		db := open(t, dsn)
		for n := range 6 {
			document := fmt.Sprintf("s%d/tos/zh", n)
			var texts, others []string
			for i := range 900 {
				texts = append(texts, fmt.Sprintf("服务条款 %d 文件 %d", i, n))
				if i%3 == n%3 {
					others = append(others, texts[i])
				}
			}
			others = append(others, "隐私")
			d := catalog.Derivation{Tracked: catalog.Tracked{Document: document, Service: document, ServiceID: document, State: []byte("{}")}}
			for v := range 2 {
				at := day(10*v + n*7%5)
				d.Versions = append(d.Versions, catalog.VersionRow{Document: document, Look: fmt.Sprint("s ", v), Time: at, LastSeen: at, Kind: "changed"})
			}
			must(t, db.EnterDerivations(ctx, []catalog.Derivation{d}))
			must(t, db.Write(ctx, func(ctx context.Context, tx *catalog.Tx) error {
				return catalog.EnterPassages(ctx, tx, document, []catalog.VersionPassages{
					{Time: d.Versions[0].Time, Passages: passages(texts)}, {Time: d.Versions[1].Time, Passages: passages(others)},
				})
			}))
		}
		for _, f := range []catalog.SearchFilter{{Query: termsOf(t, "条款")}, {Query: termsOf(t, "条款"), Present: true}, {Query: termsOf(t, "隐私")}} {
			all, err := db.Search(ctx, f)
			must(t, err)
			for _, limit := range []int{1, 100, 3000} {
				f.Limit = limit
				walked, err := db.SearchFrequent(ctx, f)
				must(t, err)
				if want := len(all) != 6; walked != want {
					t.Errorf("walked %t with %d found, want %t", walked, len(all), want)
				}
				got, err := db.Search(ctx, f)
				must(t, err)
				if diff := cmp.Diff(all[:min(limit, len(all))], got); diff != "" {
					t.Errorf("limit %d of %d (-sorted +walked):\n%.600s", limit, len(all), diff)
				}
			}
		}
	})
}
