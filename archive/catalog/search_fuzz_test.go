package catalog_test

import (
	"testing"

	"github.com/fineprint-archive/fineprint/archive/catalog"
	"github.com/fineprint-archive/fineprint/archive/terms"
)

// No query that can be parsed is an error to the database, and one for the text
// itself finds it.
func FuzzSearch(f *testing.F) {
	for _, s := range []string{`"`, "*", "a* b", "NEAR(a b, 2)", "'; DROP TABLE passages; --", `-"a b"* c`, "训练 AI", "AND OR NOT", "a\x00\xff", "{x}:^y", "\U000e0100葛"} {
		f.Add(s)
	}
	db := open(f, tempFile(f))
	tell(f, db, "a/tos/en", said{day(0), []string{"We sell data.", "训练 AI"}})
	f.Fuzz(func(t *testing.T, s string) {
		q, err := terms.ParseQuery(s)
		if err != nil {
			return
		}
		var filter catalog.SearchFilter
		for _, term := range q {
			filter.Query = append(filter.Query, catalog.SearchTerm(term))
		}
		found, err := db.Search(ctx, filter)
		if err != nil {
			t.Errorf("Search(%q): %v", s, err)
		}
		for _, p := range found {
			if !matches(p.Text, filter.Query) {
				t.Errorf("Search(%q) found %q", s, p.Text)
			}
		}
		for _, text := range []string{"We sell data.", "训练 AI"} {
			if matches(text, filter.Query) && len(found) == 0 {
				t.Errorf("Search(%q) did not find %q", s, text)
			}
		}
	})
}
