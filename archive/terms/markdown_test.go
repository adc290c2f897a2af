package terms

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestMarkdown(t *testing.T) {
	text := &Text{Blocks: []Block{
		{Kind: Heading, Level: 1, Text: "Terms #1 #"},
		{Kind: Paragraph, Text: "1. is no list, * nor _this_; AT&T &amp; <b>", Marks: []Mark{{Start: 0, End: 2, Kind: Strong}}},
		{Kind: Paragraph, Text: "See the policy (v2)!", Marks: []Mark{{Start: 4, End: 14, Kind: Link, URL: "https://example.com/a b(c)"}, {Start: 8, End: 14, Kind: Em}}},
		{Kind: Item, Level: 1, Text: "- first"},
		{Kind: Item, Level: 2, Marker: "3.", Text: "third"},
		{Kind: Item, Level: 2, Marker: "4.", Text: "fourth"},
		{Kind: Item, Level: 2, Marker: "7.", Text: "seventh"},
		{Kind: Item, Level: 1, Marker: "b.", Text: "lettered"},
		{Kind: Row, Text: "name | a|b"},
		{Kind: Row, Text: "x | y | z", Marks: []Mark{{Start: 0, End: 5, Kind: Strong}}},
		{Kind: Paragraph, Text: "run `x` now!more", Marks: []Mark{{Start: 4, End: 7, Kind: Code}, {Start: 12, End: 16, Kind: Link, URL: "/m"}}},
		{Kind: Paragraph, Text: "old new", Marks: []Mark{{Start: 0, End: 3, Kind: Del}}},
	}}
	want := strings.ReplaceAll(`# Terms #1 \#

**1.** is no list, \* nor \_this\_; AT&T \&amp; \<b\>

See [the *policy*](https://example.com/a%20b\(c\)) (v2)!

- \- first

  3. third
  4. fourth

  <!-- -->

  7. seventh
- b. lettered

| name | a\|b | |
| --- | --- | --- |
| **x** | **y** | z |

run ’’ ’x’ ’’ now\![more](/m)

~~old~~ new
`, "’", "`")
	if d := cmp.Diff(want, text.Markdown()); d != "" {
		t.Errorf("Markdown (-want +got):\n%s", d)
	}
}

// Emphasis stands only where CommonMark can read it: this is section 6.2 of
// version 0.31.2.
func TestMarkdownFlanking(t *testing.T) {
	for name, c := range map[string]struct {
		text, mark string
		kind       MarkKind
		want       string
	}{
		"whole":               {"all", "all", Strong, "**all**"},
		"word":                {"a word here", "word", Em, "a *word* here"},
		"inside a word":       {"unbelievable", "believ", Strong, "un**believ**able"},
		"CJK letters":         {"这是重点内容", "重点", Strong, "这是**重点**内容"},
		"CJK quotes":          {"这是“重点”内容", "“重点”", Strong, "这是“重点”内容"},
		"CJK ends with stop":  {"重点：内容", "重点：", Strong, "重点：内容"},
		"stop before a space": {"Note: read", "Note:", Strong, "**Note:** read"},
		"stop before a word":  {"(a)b", "(a)", Em, "(a)b"},
		"spaces at its ends":  {"a b c", " b ", Em, "a *b* c"},
		"only a space":        {"a b", " ", Em, "a b"},
		"symbol":              {"a$b$c", "$b$", Em, "a$b$c"},
	} {
		t.Run(name, func(t *testing.T) {
			start := strings.Index(c.text, c.mark)
			got := mdInline(c.text, []Mark{{Start: start, End: start + len(c.mark), Kind: c.kind}}, false)
			if got != c.want {
				t.Errorf("mdInline(%q, %q) = %q, want %q", c.text, c.mark, got, c.want)
			}
		})
	}
}

func TestMarkdownNesting(t *testing.T) {
	for name, c := range map[string]struct {
		text  string
		marks []Mark
		want  string
	}{
		"both":               {"ab", []Mark{{Start: 0, End: 2, Kind: Strong}, {Start: 0, End: 2, Kind: Em}}, "***ab***"},
		"touching":           {"ab", []Mark{{Start: 0, End: 1, Kind: Strong}, {Start: 1, End: 2, Kind: Strong}}, "**ab**"},
		"same kind inside":   {"a b c", []Mark{{Start: 0, End: 5, Kind: Strong}, {Start: 2, End: 3, Kind: Strong}}, "**a b c**"},
		"inside code":        {"a b c", []Mark{{Start: 0, End: 5, Kind: Code}, {Start: 2, End: 3, Kind: Em}}, "`a b c`"},
		"link inside code":   {"a b c", []Mark{{Start: 0, End: 5, Kind: Code}, {Start: 2, End: 3, Kind: Link, URL: "/x"}}, "a [b](/x) c"},
		"code inside a link": {"a b c", []Mark{{Start: 2, End: 5, Kind: Link, URL: "/x"}, {Start: 4, End: 5, Kind: Code}}, "a [b `c`](/x)"},
		"ticks":              {"``x`", []Mark{{Start: 0, End: 4, Kind: Code}}, "``` ``x` ```"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := mdInline(c.text, c.marks, false); got != c.want {
				t.Errorf("mdInline(%q) = %q, want %q", c.text, got, c.want)
			}
		})
	}
}

// mdPieces are what the generated texts are made of: everything that Markdown
// reads, and letters of several scripts.
var mdPieces = []string{"a", "Wort", "字", "。", "“", "”", "é", "1", "1.", "12)", " ", " ", " ", "*", "**", "_", "`", "``", "~", "~~", "[", "]", "(", ")", "](x)", "<", ">", "<b>", "&", "&amp;", "&#42;", "\\", "#", "##", "-", "---", "+", "=", "!", "|", ":", ";", "http://x", "$", "—", "\u200d", "www.x.org", "@"}

func mdText() *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		s := strings.Join(rapid.SliceOfN(rapid.SampledFrom(mdPieces), 1, 12).Draw(t, "pieces"), "")
		if s = plainClean(s); s == "" {
			s = "x"
		}
		return s
	})
}

// mdMarks draws marks that nest, at places where characters begin.
func mdMarks(t *rapid.T, text string, from, to, depth int) []Mark {
	var places []int
	for i := range text[from:to] {
		places = append(places, from+i)
	}
	places = append(places, to)
	var all []Mark
	for at := 0; at < len(places)-1 && depth < 3; {
		start := rapid.IntRange(at, len(places)-1).Draw(t, "start")
		end := rapid.IntRange(start, len(places)-1).Draw(t, "end")
		if start == end {
			break
		}
		m := Mark{Start: places[start], End: places[end], Kind: rapid.SampledFrom([]MarkKind{Strong, Em, Code, Del, Link}).Draw(t, "kind")}
		if m.Kind == Link {
			m.URL = rapid.SampledFrom([]string{"https://example.com/", "", "/a(b", "/a b", "/x)y\\", "/q?a=1&amp;b=2|3", "/`t`*_<>"}).Draw(t, "url")
		}
		all = append(append(all, m), mdMarks(t, text, m.Start, m.End, depth+1)...)
		at = end
	}
	return all
}

func mdBlocks() *rapid.Generator[[]Block] {
	return rapid.Custom(func(t *rapid.T) []Block {
		return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Block {
			b := Block{Kind: rapid.SampledFrom([]Kind{Heading, Paragraph, Item, Row}).Draw(t, "kind"), Text: mdText().Draw(t, "text")}
			switch b.Kind {
			case Heading:
				b.Level = rapid.IntRange(1, 6).Draw(t, "level")
			case Item:
				b.Level = rapid.IntRange(1, 4).Draw(t, "level")
				b.Marker = rapid.SampledFrom([]string{"", "", "1.", "2.", "3)", "0.", "b.", "(iv)", "*", "007."}).Draw(t, "marker")
			case Row:
				b.Text = plainClean(b.Text + CellSeparator + mdText().Draw(t, "cell"))
			}
			b.Marks = mdMarks(t, b.Text, 0, len(b.Text), 0)
			return b
		}), 1, 5).Draw(t, "blocks")
	})
}

// A reader that only knows what we write gets every text back: nothing is lost and
// nothing added. Whether CommonMark reads the same is asked of real parsers by hand:
// this writes what to ask to the file named by FINEPRINT_MARKDOWN_CASES.
func TestMarkdownShowsText(t *testing.T) {
	var cases []any
	rapid.Check(t, func(t *rapid.T) {
		text := &Text{Blocks: mdBlocks().Draw(t, "text")}
		md := text.Markdown()
		if again := text.Markdown(); again != md {
			t.Fatal("two answers for one text")
		}
		var want strings.Builder
		for _, b := range text.Blocks {
			if b.Kind == Item && b.Marker != "" && !mdCountable.MatchString(b.Marker) {
				want.WriteString(b.Marker + " ")
			}
			want.WriteString(b.Text + "\n")
		}
		if d := cmp.Diff(want.String(), readOurMarkdown(md)); d != "" {
			t.Fatalf("read back (-want +got):\n%s\nfrom %q", d, md)
		}
		cases = append(cases, map[string]any{"md": md, "blocks": text.Blocks})
	})
	if name := os.Getenv("FINEPRINT_MARKDOWN_CASES"); name != "" {
		data, err := json.Marshal(cases)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Clean(name), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

var (
	ourItem  = regexp.MustCompile(`^(-|[0-9]+[.)]) `)
	ourCode  = regexp.MustCompile("^`+")
	ourLink  = regexp.MustCompile(`^\]\((?:[^()\\]|\\[()&])*\)`)
	ourRuler = regexp.MustCompile(`^(\| --- )+\|$`)
)

// readOurMarkdown takes markers, delimiters and escapes out of what Markdown
// writes.
func readOurMarkdown(md string) string {
	var out strings.Builder
	for s := range strings.SplitSeq(strings.TrimSuffix(md, "\n"), "\n") {
		s = strings.TrimLeft(s, " ")
		switch {
		case s == "" || s == "<!-- -->" || ourRuler.MatchString(s):
			continue
		case strings.HasPrefix(s, "| "):
			var cells []string
			for _, c := range splitOurRow(s) {
				cells = append(cells, readOurInline(strings.TrimSpace(c)))
			}
			for len(cells) > 1 && cells[len(cells)-1] == "" {
				cells = cells[:len(cells)-1]
			}
			s = strings.Join(cells, CellSeparator)
		default:
			s = strings.TrimPrefix(strings.TrimLeft(s, "#"), " ")
			s = readOurInline(ourItem.ReplaceAllString(s, ""))
		}
		out.WriteString(s + "\n")
	}
	return out.String()
}

// splitOurRow divides a row at the pipes that are not escaped, and unescapes the
// others.
func splitOurRow(s string) []string {
	var cells []string
	cell := ""
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == '\\' && s[i+1] == '|':
			cell += "|"
			i++
		case s[i] == '\\':
			cell += s[i : i+2]
			i++
		case s[i] == '|':
			cells, cell = append(cells, cell), ""
		default:
			cell += s[i : i+1]
		}
	}
	return cells
}

func readOurInline(s string) string {
	var out strings.Builder
	for s != "" {
		switch {
		case s[0] == '\\' && len(s) > 1:
			out.WriteByte(s[1])
			s = s[2:]
		case s[0] == '`':
			ticks := ourCode.FindString(s)
			rest := s[len(ticks):]
			end := 0
			for {
				run := ourCode.FindString(rest[end:])
				if run == ticks {
					break
				}
				end += max(len(run), 1)
			}
			code := rest[:end]
			if len(code) > 2 && code[0] == ' ' && code[len(code)-1] == ' ' {
				code = code[1 : len(code)-1]
			}
			out.WriteString(code)
			s = rest[end+len(ticks):]
		case s[0] == '*' || s[0] == '~' || s[0] == '[':
			s = s[1:]
		case ourLink.MatchString(s):
			s = s[len(ourLink.FindString(s)):]
		default:
			out.WriteByte(s[0])
			s = s[1:]
		}
	}
	return out.String()
}
