package declaration

import (
	"context"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// collection is a small Open Terms Archive collection.
func collection() fstest.MapFS {
	file := func(s string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(s)} }
	return fstest.MapFS{
		"metadata.yml": file("id: test\nlanguages: [fr]\n"),
		"package.json": file(`{"name": "not a declaration"}`),
		"declarations/A.json": file(`{"name": "Service A", "terms": {
			"Terms of Service": {"fetch": "https://a.example/tos", "select": "main", "filter": ["clean", "renamed", "typo"]},
			"Privacy Policy": {"fetch": "https://a.example/privacy", "select": "main"},
			"Imprint": {"combine": [{"fetch": "https://a.example/1"}, {"fetch": "https://a.example/2.pdf"}], "select": "main", "executeClientScripts": true},
			"Live Policy": {"fetch": "gopher://a.example", "select": "main"}
		}}`),
		"declarations/A.history.json": file(`{"Terms of Service": [
			{"fetch": "https://a.example/2020", "select": "main", "validUntil": "2020-12-31T23:59:59Z"},
			{"fetch": "https://a.example/2018", "select": "main", "filter": ["gone"], "validUntil": "2018-12-31T23:59:59+02:00"}
		]}`),
		"declarations/A.filters.js":         file("export async function clean(document) {}\nfunction typo() {}\nexport { other as renamed } from './B.filters.js';\n"),
		"declarations/A.filters.history.js": file("export const gone = [];"),
		"declarations/B.json":               file(`{"name": "B", "terms": {}}`),
	}
}

func TestReadCollection(t *testing.T) {
	t.Parallel()
	for _, dir := range []string{".", "declarations"} {
		set, got, err := ReadCollection(context.Background(), dir, Options{FS: collection()})
		if err != nil {
			t.Fatal(err)
		}
		want := Counts{
			Services: 2, Terminated: 1, Terms: 4, Accepted: 1, Reported: 2, Refused: 1,
			Parts: 4, Sources: 4, Combined: 1, PDF: 1, NeedsFilter: 1, NeedsBrowser: 1,
			Histories: 1, Past: 2, FilterFiles: 2, PastFilters: 1, FilterNames: 2, MissingNames: 1,
			Errors: 1, Warnings: 6, Files: 3,
		}
		if dir == "." {
			want.Languages, want.DefaultLang = []string{"fr"}, "fr"
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("counts of %s (-want +got):\n%s", dir, diff)
		}
		for _, d := range set.Documents {
			if d.Lang != want.DefaultLang {
				t.Errorf("document %s has the language %q, want %q", d.ID, d.Lang, want.DefaultLang)
			}
		}
		checkSet(t, set)
	}
	if _, _, err := ReadCollection(context.Background(), "gone", Options{FS: collection()}); err == nil {
		t.Error("a collection that is not there was read")
	}
}

func TestHistory(t *testing.T) {
	t.Parallel()
	set, _, err := ReadCollection(context.Background(), ".", Options{FS: collection()})
	if err != nil {
		t.Fatal(err)
	}
	const id = "a/terms-of-service/fr"
	for at, want := range map[string]string{
		"2010-01-01T00:00:00Z": "https://a.example/2018",
		"2018-12-31T21:59:59Z": "https://a.example/2018", // inclusive
		"2018-12-31T22:00:00Z": "https://a.example/2020",
		"2020-12-31T23:59:59Z": "https://a.example/2020",
		"2021-01-01T00:00:00Z": "https://a.example/tos",
	} {
		moment, err := time.Parse(time.RFC3339, at)
		if err != nil {
			t.Fatal(err)
		}
		d, sources, ok := set.DocumentAt(id, moment)
		if !ok || len(sources) != 1 || sources[0].URL != want {
			t.Errorf("DocumentAt(%s) has the sources %v, %v, want %s", at, sources, ok, want)
			continue
		}
		if d.ID != id || d.Service != "Service A" || d.Parts[0].Source != sources[0].ID {
			t.Errorf("DocumentAt(%s) = %+v", at, d)
		}
	}
	if _, _, ok := set.DocumentAt("a/privacy-policy/en", time.Now()); ok {
		t.Error("DocumentAt of an unknown document")
	}
	for _, s := range set.Sources {
		if s.URL == "https://a.example/2018" || s.URL == "https://a.example/2020" {
			t.Errorf("%s, of an earlier declaration, is a source to fetch", s.URL)
		}
	}
}

func TestExportedNames(t *testing.T) {
	t.Parallel()
	got := exportedNames([]byte(`
import x from 'y';
export function one(document) {}
export async function two() {}
  export const $three = () => {}
export function* four() {}
export { five, six as seven,
  eight } from './other.js';
// export function nine() {}
function ten() {}
`))
	want := map[string]bool{"one": true, "two": true, "$three": true, "four": true, "five": true, "seven": true, "eight": true}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
}
