package terms

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

func TestSearchTokens(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"words", "We do NOT sell, your data.", "we do not sell your data"},
		{"two letters and numbers", "AI: 3.5 % in 2024", "ai 3 5 in 2024"},
		{"apostrophes and hyphens divide", "don’t e-mail l'utilisateur AT&T snake_case", "don t e mail l utilisateur at t snake case"},
		{"diacritics", "Datenschutzerklärung dǎ été Ελλάδα", "datenschutzerklarung da ete ελλαδα"},
		{"combining ones after ASCII", "e\u0301te\u0301", "ete"},
		{"sharp s, ligatures, strokes", "Straße STRASSE œuvre ﬁnd Łódź", "strasse strasse oeuvre find lodz"},
		{"Turkish i", "İstanbul ISTANBUL ısı", "istanbul istanbul isi"},
		{"final sigma", "ΟΔΟΣ οδός", "οδοσ οδοσ"},
		{"wide and narrow forms", "ＡＩ １２ ﾃﾞｰﾀ", "ai 12 デ ー タ"},
		{"Chinese, one token each", "训练AI模型,第12条", "训 练 ai 模 型 第 12 条"},
		{"characters beyond the first plane", "𠮷野家", "𠮷 野 家"},
		{"compatibility forms", "㈱ ½ Ⅳ ①", "株 1 2 iv 1"},
		{"kana keep their marks", "データの利用 がか か\u3099", "デ ー タ の 利 用 が か が"},
		{"Hangul", "개인정보를 \u1100\u1161", "개 인 정 보 를 가"},
		{"Thai", "กี่น้ำ", "ก ี ่ น ้ ํ า"},
		{"Khmer without its breaks", "ខ្ញុំ\u200bទៅ", "ខ ្ ញ ុ ំ ទ ៅ"},
		{"Arabic points and tatweel", "مُحَـــمَّد كتاب أحمد", "محمد کتاب احمد"},
		{"joiners and soft hyphens", "می\u200cخواهیم Daten\u00adschutz a\u2060b", "میخواهیم datenschutz ab"},
		{"Hebrew points", "שָׁלוֹם", "שלום"},
		{"Devanagari keeps its vowels", "हिन्दी भाषा", "हिन्दी भाषा"},
		{"signs that a joiner kept apart", "\u0995\u09c7\u200c\u09be", "\u0995\u09cb"},
		{"variation selectors", "葛\U000e0100城", "葛 城"},
		{"spaces and accents of their own", "a\u00a0b\u3000c d´e é f", "a b c d e e f"},
		{"nothing", " § — ★ € \u00ad\u0301", ""},
		{"not UTF-8", "a\xffb\x00c", "a b c"},
		{"long", strings.Repeat("x", 100) + " " + strings.Repeat("é", 64) + strings.Repeat("я", 65), strings.Repeat("x", 64) + " " + strings.Repeat("e", 64)},
	} {
		if got := strings.Join(SearchTokens(c.in), " "); got != c.want {
			t.Errorf("%s: SearchTokens(%q) = %q, want %q", c.name, c.in, got, c.want)
		}
	}
}

// printQuery prints a query's terms.
func printQuery(q Query) string {
	var all []string
	for _, term := range q {
		s := strings.Join(term.Tokens, "+")
		if term.Prefix {
			s += "*"
		}
		if term.Exclude {
			s = "-" + s
		}
		all = append(all, s)
	}
	return strings.Join(all, " ")
}

func TestParseQuery(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"machine Learning", "machine learning"},
		{`"machine learning" x`, "machine+learning x"},
		{`“we do not”sell „Daten“ «a b» 「人工」 ＂c d＂`, "we+do+not sell daten a+b 人+工 c+d"},
		{"daten* -cookies", "daten* -cookies"},
		{`"terms of serv"* -"third part"*`, "terms+of+serv* -third+part*"},
		{"人工智能", "人+工+智+能"},
		{"AI训练　数据＊", "ai+训+练 数+据*"},
		{"don't e-mail", "don+t e+mail"},
		{"salt & pepper - * § -§", "salt pepper"},
		{"a OR b NEAR(c", "a or b near+c"},
		{`5"x"`, "5 x"},
		{"--a b", "-a b"},
		{"'; DROP TABLE passages; --", "drop table passages"},
		{"a*b*", "a+b*"},
	} {
		q, err := ParseQuery(c.in)
		if err != nil || printQuery(q) != c.want {
			t.Errorf("ParseQuery(%s) = %s, %v, want %s", c.in, printQuery(q), err, c.want)
		}
	}
	for _, c := range []struct{ in, want string }{
		{"", "is empty"},
		{" \u3000\n", "is empty"},
		{"§ *", "holds no letter and no digit"},
		{`""`, "holds no letter and no digit"},
		{"-a", "names nothing that must occur"},
		{`-a -"b c"`, "names nothing that must occur"},
		{`a "b c`, "is not closed"},
		{"“b c", "is not closed"},
		{strings.Repeat("a ", 33), "33 terms"},
		{strings.Repeat("训", 1001), "1001 characters"},
	} {
		if q, err := ParseQuery(c.in); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("ParseQuery(%s) = %s, %v, want an error with %q", c.in, printQuery(q), err, c.want)
		}
	}
}

func TestQueryHits(t *testing.T) {
	for _, c := range []struct{ query, in, want string }{
		{"sell data", "We SELL your Dàta, data.", "We [SELL] your [Dàta], [data]."},
		{`"not sell"`, "not to sell; not sell", "not to sell; [not sell]"},
		{"daten*", "Datenschutz und daten", "[Datenschutz] und [daten]"},
		{"训练", "练训训练训练。", "练训[训练训练]。"},
		{"straße", "STRASSE", "[STRASSE]"},
		{"a -b", "a b", "[a] b"},
		{"データ", "ﾃﾞｰﾀの", "[ﾃﾞｰﾀ]の"},
		{"ete", "l'e\u0301te\u0301.", "l'[e\u0301te\u0301]."},
		{"没有", "nothing", "nothing"},
	} {
		q, err := ParseQuery(c.query)
		if err != nil {
			t.Fatal(err)
		}
		got, end := "", 0
		for _, s := range q.Hits(c.in) {
			got += c.in[end:s.Start] + "[" + c.in[s.Start:s.End] + "]"
			end = s.End
		}
		if got += c.in[end:]; got != c.want {
			t.Errorf("Hits of %s = %s, want %s", c.query, got, c.want)
		}
	}
}

func TestSearchPassages(t *testing.T) {
	text := Text{Blocks: []Block{
		{Kind: Heading, Text: "Terms"},
		{Kind: Paragraph, Text: "—"},
		{Kind: Item, Text: "We sell data."},
	}}
	want := []SearchPassage{
		{Hash: searchHash("Terms"), Text: "Terms", Tokens: "terms", Kind: Heading, Block: 0},
		{Hash: searchHash("We sell data."), Text: "We sell data.", Tokens: "we sell data", Kind: Item, Block: 2},
	}
	if diff := cmp.Diff(want, text.SearchPassages()); diff != "" {
		t.Error(diff)
	}
}

// A long block is cut after sentences and keeps all its text; every part is within
// the bounds of a database.
func TestSearchPassagesLong(t *testing.T) {
	sentences := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, "Sentence %d says number%d and more. ", i, i%1000)
		}
		return strings.TrimSpace(b.String())
	}
	for _, c := range []struct {
		name, text string
		atEnd      string // of every part
	}{
		{"many sentences", sentences(3000), "."},
		{"few that are the same", sentences(251), "."},
		{"one token for ever", strings.Repeat("和", 10_000), "和"},
		{"no sentence ends", strings.Repeat("a b c d e f g h ", 5000), ""},
		{"short sentences", strings.Repeat("A. ", 100_000), ""},
		{"many tokens of a character", strings.Repeat("ﷺ ", 3000), ""},
	} {
		text := Text{Blocks: []Block{{Kind: Paragraph, Text: c.text}}}
		parts := text.SearchPassages()
		if len(parts) < 2 {
			t.Errorf("%s: %d parts, want more", c.name, len(parts))
		}
		var all []string
		for _, p := range parts {
			tokens := strings.Fields(p.Tokens)
			same := map[string]int{}
			for _, token := range tokens {
				same[token]++
				if same[token] > 255 {
					t.Fatalf("%s: %q is more than 255 times in one part", c.name, token)
				}
			}
			if len(tokens) > maxPassageTokens+20 {
				t.Errorf("%s: a part has %d tokens", c.name, len(tokens))
			}
			if !strings.HasSuffix(p.Text, c.atEnd) {
				t.Errorf("%s: a part ends in %q", c.name, p.Text[len(p.Text)-10:])
			}
			all = append(all, tokens...)
		}
		if strings.Join(all, " ") != strings.Join(SearchTokens(c.text), " ") {
			t.Errorf("%s: the parts together have other tokens", c.name)
		}
	}
}

func FuzzSearchTokens(f *testing.F) {
	for _, s := range []string{"We sell data", "训练AI模型", "ﾃﾞｰﾀ İß ½ ﷺ", "กี่น้ำ ខ្ញុំ", "e\u0301\u200d\u0300", "ে\u200cা", "\xff\x00\u1100\u200d\u1161"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		tokens := SearchTokens(s)
		line := strings.Join(tokens, " ")
		if diff := cmp.Diff(tokens, SearchTokens(line)); diff != "" {
			t.Errorf("tokens of the tokens of %q: %s", s, diff)
		}
		for _, token := range tokens {
			if token == "" || utf8.RuneCountInString(token) > maxSearchToken || !utf8.ValidString(token) {
				t.Errorf("token %q", token)
			}
			for _, c := range []byte(token) {
				if c < utf8.RuneSelf && (c < '0' || c > '9') && (c < 'a' || c > 'z') {
					t.Errorf("token %q holds %q", token, c)
				}
			}
		}
		end := 0
		searchTokens(s, func(token string, from, to int) {
			if from < 0 || from >= to || to > len(s) || to < end {
				t.Errorf("token %q is at %d to %d of %d", token, from, to, len(s))
			}
			end = to
		})
	})
}

func FuzzParseQuery(f *testing.F) {
	for _, s := range []string{`"`, "*", "NEAR(", "'; DROP TABLE x; --", `-"a b"* c`, "“人工”智能*", "a - b", "\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		q, err := ParseQuery(s)
		if err != nil {
			return
		}
		wanted := false
		var text []string
		for _, term := range q {
			if len(term.Tokens) == 0 {
				t.Errorf("ParseQuery(%q): a term without tokens", s)
			}
			wanted = wanted || !term.Exclude
			part := `"` + strings.Join(term.Tokens, " ") + `"`
			if term.Prefix {
				part += "*"
			}
			if term.Exclude {
				part = "-" + part
			} else if len(Query{term}.Hits(strings.Join(term.Tokens, " "))) == 0 {
				t.Errorf("ParseQuery(%q): %v does not match itself", s, term)
			}
			text = append(text, part)
		}
		if !wanted {
			t.Errorf("ParseQuery(%q) names nothing that must occur", s)
		}
		again := strings.Join(text, " ")
		if utf8.RuneCountInString(again) > maxQuery {
			return
		}
		q2, err := ParseQuery(again)
		if err != nil || cmp.Diff(q, q2) != "" {
			t.Errorf("ParseQuery(%q) = %v, %v; that of its terms %v", s, q, q2, err)
		}
	})
}
