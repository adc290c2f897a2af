package catalog_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fineprint-archive/fineprint/archive/catalog"
	"github.com/fineprint-archive/fineprint/archive/terms"
)

// said is a version of a document in a test.
type said struct {
	time  time.Time
	lines []string
}

// passages are the lines of a version as they are entered.
func passages(lines []string) []catalog.Passage {
	text := terms.Text{}
	for _, line := range lines {
		text.Blocks = append(text.Blocks, terms.Block{Kind: terms.Paragraph, Text: line})
	}
	var all []catalog.Passage
	for _, p := range text.SearchPassages() {
		all = append(all, catalog.Passage{Hash: p.Hash, Text: p.Text, Tokens: p.Tokens, Kind: string(p.Kind), Block: p.Block})
	}
	return all
}

// tell enters a document and its versions. Each version is seen again an hour
// after it came.
func tell(t testing.TB, db *catalog.DB, document string, versions ...said) {
	t.Helper()
	service := strings.Split(document, "/")[0]
	d := catalog.Derivation{Tracked: catalog.Tracked{
		Document: document, Service: strings.ToUpper(service), ServiceID: service, Terms: "Terms of Service", Lang: strings.Split(document, "/")[2],
		URL: "https://" + service + ".example/tos", State: []byte("{}"),
	}}
	var all []catalog.VersionPassages
	for i, v := range versions {
		d.Versions = append(d.Versions, catalog.VersionRow{
			Document: document, Look: fmt.Sprint("s ", i), Time: v.time, LastSeen: v.time.Add(time.Hour), Kind: "changed", Text: fmt.Sprint("t", i),
		})
		all = append(all, catalog.VersionPassages{Time: v.time, Passages: passages(v.lines)})
	}
	must(t, db.EnterDerivations(ctx, []catalog.Derivation{d}))
	must(t, db.Write(ctx, func(ctx context.Context, tx *catalog.Tx) error {
		return catalog.EnterPassages(ctx, tx, document, all)
	}))
}

func day(n int) time.Time { return noon.AddDate(0, 0, n) }

// ask parses a query and searches.
func ask(t testing.TB, db *catalog.DB, query string, f catalog.SearchFilter) []catalog.Found {
	t.Helper()
	f.Query = termsOf(t, query)
	found, err := db.Search(ctx, f)
	must(t, err)
	return found
}

func termsOf(t testing.TB, query string) []catalog.SearchTerm {
	t.Helper()
	q, err := terms.ParseQuery(query)
	must(t, err)
	var all []catalog.SearchTerm
	for _, term := range q {
		all = append(all, catalog.SearchTerm(term))
	}
	return all
}

// brief prints what was found: text, days of first and last seen and of going.
func brief(found []catalog.Found) []string {
	list := []string{}
	days := func(d time.Time) string {
		if d.IsZero() {
			return "-"
		}
		return fmt.Sprint(d.Sub(noon).Hours() / 24)
	}
	for _, f := range found {
		list = append(list, fmt.Sprintf("%s: %s %s..%s gone %s", f.Document, f.Text, days(f.FirstSeen), days(f.LastSeen.Add(-time.Hour)), days(f.Gone)))
	}
	return list
}

func TestSearch(t *testing.T) {
	eachDatabase(t, func(t *testing.T, dsn string) {
		db := open(t, dsn)
		tell(t, db, "a/tos/en",
			said{day(0), []string{"Welcome", "We do not sell your data.", "AI is not used", "Welcome"}},
			said{day(2), []string{"Welcome", "Wir nutzen Cookies zur Datenschutzerklärung."}},
			said{day(4), []string{"We do not sell your data.", "Welcome", "The Data we sell"}})
		tell(t, db, "b/tos/zh-CN",
			said{day(1), []string{"我们使用您的内容训练人工智能模型", "练训"}},
			said{day(3), []string{"我们不使用您的内容", "练训"}})
		tell(t, db, "c/tos/th", said{day(1), []string{"ช้า", "ช่า", "𠮷", "हिन्दी"}})
		for _, c := range []struct {
			name, query string
			filter      catalog.SearchFilter
			want        []string
		}{
			{"when it came, went and came back", `"do not sell"`, catalog.SearchFilter{}, []string{
				"a/tos/en: We do not sell your data. 0..0 gone 2", "a/tos/en: We do not sell your data. 4..4 gone -"}},
			{"words in any order", "sell data", catalog.SearchFilter{}, []string{
				"a/tos/en: We do not sell your data. 0..0 gone 2", "a/tos/en: We do not sell your data. 4..4 gone -", "a/tos/en: The Data we sell 4..4 gone -"}},
			{"phrase", `"data we"`, catalog.SearchFilter{}, []string{"a/tos/en: The Data we sell 4..4 gone -"}},
			{"excluded", "sell -not", catalog.SearchFilter{}, []string{"a/tos/en: The Data we sell 4..4 gone -"}},
			{"excluded phrase", `sell -"your data" -"x y"`, catalog.SearchFilter{}, []string{"a/tos/en: The Data we sell 4..4 gone -"}},
			{"two letters", "ai", catalog.SearchFilter{}, []string{"a/tos/en: AI is not used 0..0 gone 2"}},
			{"beginning of a word, without its diacritic", "datenschutzerkla*", catalog.SearchFilter{}, []string{"a/tos/en: Wir nutzen Cookies zur Datenschutzerklärung. 2..2 gone 4"}},
			{"beginning of the last word of a phrase", `"zur daten"*`, catalog.SearchFilter{}, []string{"a/tos/en: Wir nutzen Cookies zur Datenschutzerklärung. 2..2 gone 4"}},
			{"two characters", "训练", catalog.SearchFilter{}, []string{"b/tos/zh-CN: 我们使用您的内容训练人工智能模型 1..1 gone 3"}},
			{"two characters, the other way", "练训", catalog.SearchFilter{}, []string{"b/tos/zh-CN: 练训 1..3 gone -"}},
			{"one character", "练", catalog.SearchFilter{}, []string{"b/tos/zh-CN: 我们使用您的内容训练人工智能模型 1..1 gone 3", "b/tos/zh-CN: 练训 1..3 gone -"}},
			{"marks count where they are letters", "ช้า", catalog.SearchFilter{}, []string{"c/tos/th: ช้า 1..1 gone -"}},
			{"vowel signs in a word", "हिन्दी", catalog.SearchFilter{}, []string{"c/tos/th: हिन्दी 1..1 gone -"}},
			{"other vowel signs", "हनद", catalog.SearchFilter{}, []string{}},
			{"beyond the first plane", "𠮷", catalog.SearchFilter{}, []string{"c/tos/th: 𠮷 1..1 gone -"}},
			{"nothing", "blockchain", catalog.SearchFilter{}, []string{}},
			{"stands today", "sell", catalog.SearchFilter{Present: true}, []string{"a/tos/en: We do not sell your data. 4..4 gone -", "a/tos/en: The Data we sell 4..4 gone -"}},
			{"stood until", "sell", catalog.SearchFilter{Until: day(4)}, []string{"a/tos/en: We do not sell your data. 0..0 gone 2"}},
			{"stood since", "welcome", catalog.SearchFilter{Since: day(9)}, []string{"a/tos/en: Welcome 0..4 gone -"}},
			{"was gone since", "ai", catalog.SearchFilter{Since: day(2)}, []string{}},
			{"stood within", "ai", catalog.SearchFilter{Since: day(1), Until: day(2)}, []string{"a/tos/en: AI is not used 0..0 gone 2"}},
			{"service by its id", "we", catalog.SearchFilter{Service: "b"}, []string{}},
			{"service by its name", "练", catalog.SearchFilter{Service: "B", Limit: 1}, []string{"b/tos/zh-CN: 我们使用您的内容训练人工智能模型 1..1 gone 3"}},
			{"another language", "练", catalog.SearchFilter{Lang: "en"}, []string{}},
			{"another kind of terms", "练", catalog.SearchFilter{Terms: "Privacy Policy"}, []string{}},
			{"another document", "练", catalog.SearchFilter{Documents: []string{"a/tos/en", "c"}}, []string{}},
			{"limit", "we", catalog.SearchFilter{Limit: 1}, []string{"a/tos/en: We do not sell your data. 0..0 gone 2"}},
		} {
			if diff := cmp.Diff(c.want, brief(ask(t, db, c.query, c.filter))); diff != "" {
				t.Errorf("%s: Search(%s): %s", c.name, c.query, diff)
			}
		}
		f := ask(t, db, "训练", catalog.SearchFilter{})[0]
		want := catalog.Found{
			Document: "b/tos/zh-CN", Service: "B", ServiceID: "b", Terms: "Terms of Service", Lang: "zh-CN", URL: "https://b.example/tos",
			Text: "我们使用您的内容训练人工智能模型", Kind: "paragraph", FirstSeen: day(1), LastSeen: day(1).Add(time.Hour), Gone: day(3),
		}
		if diff := cmp.Diff(want, f); diff != "" {
			t.Error(diff)
		}
	})
}

// Entering the same versions again, or one that is older than what is there,
// changes nothing; deleting leaves nothing that is found.
func TestSearchAgain(t *testing.T) {
	eachDatabase(t, func(t *testing.T, dsn string) {
		db := open(t, dsn)
		versions := []said{{day(0), []string{"one", "two"}}, {day(1), []string{"two", "three"}}, {day(2), []string{"one", "three"}}}
		tell(t, db, "a/tos/en", versions...)
		all := func() []string {
			return slices.Concat(brief(ask(t, db, "one", catalog.SearchFilter{})), brief(ask(t, db, "two", catalog.SearchFilter{})), brief(ask(t, db, "three", catalog.SearchFilter{})))
		}
		want := []string{"a/tos/en: one 0..0 gone 1", "a/tos/en: one 2..2 gone -", "a/tos/en: two 0..1 gone 2", "a/tos/en: three 1..2 gone -"}
		if diff := cmp.Diff(want, all()); diff != "" {
			t.Error(diff)
		}
		tell(t, db, "a/tos/en", versions...)
		tell(t, db, "a/tos/en", versions[1])
		if diff := cmp.Diff(want, all()); diff != "" {
			t.Error("entered again:", diff)
		}
		grown := []said{{day(0), []string{"four"}}, {day(1), []string{"four", "five"}}}
		tell(t, db, "b/tos/en", grown...)
		tell(t, db, "b/tos/en", grown[0])
		if diff := cmp.Diff([]string{"b/tos/en: five 1..1 gone -"}, brief(ask(t, db, "five", catalog.SearchFilter{}))); diff != "" {
			t.Error("an older version entered again:", diff)
		}
		must(t, db.Write(ctx, func(ctx context.Context, tx *catalog.Tx) error { return catalog.DeletePassages(ctx, tx, "a/tos/en") }))
		if diff := cmp.Diff([]string(nil), all()); diff != "" {
			t.Error("deleted:", diff)
		}
		tell(t, db, "a/tos/en", versions...)
		if diff := cmp.Diff(want, all()); diff != "" {
			t.Error("entered after deletion:", diff)
		}
	})
}

// Of two versions of one time the second counts.
func TestSearchSameTime(t *testing.T) {
	eachDatabase(t, func(t *testing.T, dsn string) {
		db := open(t, dsn)
		tell(t, db, "a/tos/en", said{day(0), []string{"word one", "word two"}})
		enter := func(at time.Time, lines ...string) {
			must(t, db.Write(ctx, func(ctx context.Context, tx *catalog.Tx) error {
				return catalog.EnterPassages(ctx, tx, "a/tos/en", []catalog.VersionPassages{{Time: at, Passages: passages(lines)}})
			}))
		}
		enter(day(1), "word two", "word three")
		enter(day(1), "word one", "word four")
		want := []string{"a/tos/en: word one 0..0 gone -", "a/tos/en: word two 0..0 gone 1", "a/tos/en: word four 1..0 gone -"}
		if diff := cmp.Diff(want, brief(ask(t, db, "word", catalog.SearchFilter{}))); diff != "" {
			t.Error(diff)
		}
	})
}

// model is what a search must find, told by reading everything.
func model(documents map[string][]said, query []catalog.SearchTerm) []string {
	type hit struct {
		at    time.Time
		order string
		text  string
	}
	var hits []hit
	for document, versions := range documents {
		for i, v := range versions {
			for block, line := range v.lines {
				if slices.Index(v.lines, line) < block || i > 0 && slices.Contains(versions[i-1].lines, line) || !matches(line, query) {
					continue
				}
				last := i
				for last+1 < len(versions) && slices.Contains(versions[last+1].lines, line) {
					last++
				}
				f := catalog.Found{Document: document, Text: line, FirstSeen: v.time, LastSeen: versions[last].time.Add(time.Hour)}
				if last+1 < len(versions) {
					f.Gone = versions[last+1].time
				}
				hits = append(hits, hit{v.time, fmt.Sprintf("%s %03d", document, block), brief([]catalog.Found{f})[0]})
			}
		}
	}
	slices.SortFunc(hits, func(a, b hit) int {
		if c := a.at.Compare(b.at); c != 0 {
			return c
		}
		return strings.Compare(a.order, b.order)
	})
	list := []string{}
	for _, h := range hits {
		list = append(list, h.text)
	}
	return list
}

func matches(line string, query []catalog.SearchTerm) bool {
	for _, term := range query {
		q := terms.QueryTerm(term)
		q.Exclude = false
		if (len(terms.Query{q}.Hits(line)) > 0) == term.Exclude {
			return false
		}
	}
	return true
}

// Both databases find what reading all of it finds, in the same order.
func TestSearchModel(t *testing.T) {
	vocabulary := []string{"we", "sell", "data", "database", "da", "AI", "训", "练", "训练", "の", "ช้", "é", "don't", "2024", "ﷺ", "x-ray"}
	eachDatabase(t, func(t *testing.T, dsn string) {
		rnd := rand.New(rand.NewPCG(1, 2))
		word := func() string { return vocabulary[rnd.IntN(len(vocabulary))] }
		line := func() string {
			words := make([]string, 1+rnd.IntN(6))
			for i := range words {
				words[i] = word()
			}
			return strings.Join(words, " ")
		}
		db := open(t, dsn)
		documents := map[string][]said{}
		for d := range 6 {
			lines := []string{line(), line(), line(), line(), line(), line()}
			for v := range 8 {
				lines = slices.Clone(lines)
				lines[rnd.IntN(len(lines))] = line()
				if rnd.IntN(3) == 0 && v > 1 {
					lines = slices.Clone(documents[fmt.Sprintf("d%d/tos/en", d)][v-2].lines)
				}
				name := fmt.Sprintf("d%d/tos/en", d)
				documents[name] = append(documents[name], said{day(v), lines})
			}
		}
		for name, versions := range documents {
			tell(t, db, name, versions[:3]...)
			tell(t, db, name, versions[3:]...)
		}
		found := 0
		for range 150 {
			var parts []string
			for range 1 + rnd.IntN(3) {
				p := word()
				switch rnd.IntN(6) {
				case 0:
					p += "*"
				case 1:
					p = `"` + p + " " + word() + `"`
				case 2:
					p = `"` + p + " " + word() + `"*`
				case 3:
					if len(parts) > 0 {
						p = "-" + p
					}
				}
				parts = append(parts, p)
			}
			query := strings.Join(parts, " ")
			want := model(documents, termsOf(t, query))
			if diff := cmp.Diff(want, brief(ask(t, db, query, catalog.SearchFilter{}))); diff != "" {
				t.Fatalf("Search(%s): %s", query, diff)
			}
			found += len(want)
		}
		if found < 100 {
			t.Errorf("only %d passages were found by all queries together", found)
		}
	})
}

// What is not made by archive/terms is refused before a database sees it, and a
// passage may hold anything.
func TestSearchHostile(t *testing.T) {
	eachDatabase(t, func(t *testing.T, dsn string) {
		db := open(t, dsn)
		odd := "a' b\" c\\ \x00\xff (d) & | ! :* é 训 '; DROP TABLE passages; --"
		sum := sha256.Sum256([]byte(odd))
		tell(t, db, "a/tos/en", said{day(0), []string{"one"}})
		must(t, db.Write(ctx, func(ctx context.Context, tx *catalog.Tx) error {
			return catalog.EnterPassages(ctx, tx, "a/tos/en", []catalog.VersionPassages{
				{Time: day(1), Passages: []catalog.Passage{{Hash: hex.EncodeToString(sum[:16]), Text: odd, Tokens: odd}}}})
		}))
		if found := ask(t, db, "训", catalog.SearchFilter{}); len(found) != 1 {
			t.Errorf("Search found %d passages, want 1", len(found))
		}
		for _, query := range [][]catalog.SearchTerm{
			nil, {{}}, {{Tokens: []string{""}}}, {{Tokens: []string{"a b"}}}, {{Tokens: []string{`a"b`}}}, {{Tokens: []string{"a'b"}}}, {{Tokens: []string{`a\`}}},
			{{Tokens: []string{"A"}}}, {{Tokens: []string{"a*"}}}, {{Tokens: []string{"NEAR("}}}, {{Tokens: []string{"'; DROP"}}}, {{Tokens: []string{"\x00"}}},
			{{Tokens: []string{"\xff"}}}, {{Tokens: []string{"a"}, Exclude: true}},
		} {
			if found, err := db.Search(ctx, catalog.SearchFilter{Query: query}); err == nil {
				t.Errorf("Search(%v) = %d passages, want an error", query, len(found))
			}
		}
		for _, query := range []string{`"`, `*`, `NEAR(a b)`, `'; DROP TABLE passages; --`, `a OR b`, `a AND`, `^a`, `{tokens}: a`, `tokens:a`, `a + b`, `-a b`, "a\x00b", "\xff a", `a:*`, `!a`, `<->`, `\`} {
			q, err := terms.ParseQuery(query)
			if err != nil {
				continue
			}
			var list []catalog.SearchTerm
			for _, term := range q {
				list = append(list, catalog.SearchTerm(term))
			}
			if _, err := db.Search(ctx, catalog.SearchFilter{Query: list, Documents: []string{"a", "b"}, Service: query, Terms: query, Lang: query}); err != nil {
				t.Errorf("Search(%s) = %v", query, err)
			}
		}
	})
}
