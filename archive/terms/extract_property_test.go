package terms

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/text/unicode/norm"
	"pgregory.net/rapid"

	"github.com/fineprint-archive/fineprint/crawler/declaration"
)

// checkBlocks tells what is wrong with blocks, "" if nothing is.
func checkBlocks(blocks []Block) string {
	for i := range blocks {
		b := &blocks[i]
		switch {
		case b.Text == "" || strings.TrimSpace(b.Text) != b.Text || strings.Contains(b.Text, "  ") || strings.ContainsAny(b.Text, "\n\r\t\x00\u00A0\u00AD"):
			return fmt.Sprintf("text %q is not collapsed", b.Text)
		case !utf8.ValidString(b.Text) || !norm.NFC.IsNormalString(b.Text):
			return fmt.Sprintf("text %q is not NFC", b.Text)
		case (b.Kind == Heading || b.Kind == Item) != (b.Level > 0):
			return fmt.Sprintf("%s of level %d", b.Kind, b.Level)
		}
		var open []int // ends of the marks around
		last := 0
		for _, m := range b.Marks {
			for len(open) > 0 && open[len(open)-1] <= m.Start {
				open = open[:len(open)-1]
			}
			switch {
			case m.Start < last || m.Start >= m.End || m.End > len(b.Text):
				return fmt.Sprintf("mark %v in %q", m, b.Text)
			case !utf8.RuneStart(b.Text[m.Start]) || m.End < len(b.Text) && !utf8.RuneStart(b.Text[m.End]):
				return fmt.Sprintf("mark %v cuts a character of %q", m, b.Text)
			case len(open) > 0 && m.End > open[len(open)-1]:
				return fmt.Sprintf("marks %v of %q overlap", b.Marks, b.Text)
			case (m.Kind == Link) != (m.URL != ""):
				return fmt.Sprintf("mark %v", m)
			}
			last = m.Start
			open = append(open, m.End)
		}
	}
	return ""
}

// checkExtract tells what is wrong with the extraction of a body.
func checkExtract(body []byte, rules declaration.Part) string {
	in := Input{Body: body, ContentType: "text/html; charset=utf-8", URL: "https://example.com/a/b", Rules: rules}
	kept := bytes.Clone(body)
	text, page, err := Extract(context.Background(), in)
	if err != nil {
		return err.Error()
	}
	again, pageAgain, _ := Extract(context.Background(), in)
	if diff := cmp.Diff(text, again) + cmp.Diff(page, pageAgain); diff != "" {
		return "the second time differs: " + diff
	}
	if !bytes.Equal(kept, body) {
		return "the body was written to"
	}
	return checkBlocks(text.Blocks)
}

func TestExtractProperties(t *testing.T) {
	tags := rapid.SampledFrom([]string{
		"p", "div", "b", "i", "a href=/x", "li", "ol", "ul", "table", "tr", "td", "h2", "pre", "br", "span", "main", "article",
		"nav", "button", "details", "summary", "del", "code", "em", "dl", "dt", "section", "footer class=footer", "div class=sidebar",
		"template", "select", "option", "textarea", "noscript", "svg", "math", "div id=onetrust-banner-sdk", "script", "h1 role=heading",
	})
	words := rapid.SampledFrom([]string{
		"terms ", "of", " use\n", "训练", "e\u0301", "\u0301", "می\u200Cخواهم", "\u200B", " ", "\u00A0", "&amp;", "&#0;", "&shy;", "\x00", "a|b", "שלום",
	})
	piece := rapid.Custom(func(t *rapid.T) string {
		switch rapid.IntRange(0, 4).Draw(t, "kind") {
		case 0:
			return "<" + tags.Draw(t, "tag") + ">"
		case 1:
			name, _, _ := strings.Cut(tags.Draw(t, "tag"), " ")
			return "</" + name + ">"
		default:
			return words.Draw(t, "word")
		}
	})
	selector := rapid.SampledFrom([]string{"p", "li", "div, td", "h2 + p", "main", "b", "ol > li:nth-child(2)", "tr"})
	rapid.Check(t, func(t *rapid.T) {
		body := strings.Join(rapid.SliceOfN(piece, 0, 60).Draw(t, "pieces"), "")
		var rules declaration.Part
		switch rapid.IntRange(0, 3).Draw(t, "rules") {
		case 1:
			rules.Select = css(selector.Draw(t, "select"), selector.Draw(t, "select"))
		case 2:
			rules.Select = []declaration.Selector{{StartBefore: selector.Draw(t, "start"), EndAfter: selector.Draw(t, "end")}}
			rules.Remove = css(selector.Draw(t, "remove"))
		case 3:
			rules.Remove = []declaration.Selector{{StartAfter: selector.Draw(t, "start"), EndBefore: selector.Draw(t, "end")}}
		}
		if wrong := checkExtract([]byte(body), rules); wrong != "" {
			t.Fatalf("%q: %s", body, wrong)
		}
	})
}

// TestExtractInvents checks that every word of a text stands in its page.
func TestExtractInvents(t *testing.T) {
	word := rapid.StringMatching(`[a-z]{1,8}`)
	rapid.Check(t, func(t *rapid.T) {
		all := rapid.SliceOfN(word, 1, 40).Draw(t, "words")
		var b strings.Builder
		counts := map[string]int{}
		for _, w := range all {
			counts[w]++
			fmt.Fprintf(&b, rapid.SampledFrom([]string{"<p>%s ", "<li>%s </li>", "<b>%s</b> ", "<td>%s </td>", "<h3>%s </h3>", "<nav>%s </nav>"}).Draw(t, "form"), w)
		}
		text, _, err := Extract(context.Background(), Input{Body: []byte(b.String()), ContentType: "text/html"})
		if err != nil {
			t.Fatal(err)
		}
		for _, w := range strings.Fields(strings.ReplaceAll(text.Plain(), CellSeparator, " ")) {
			if counts[w]--; counts[w] < 0 {
				t.Fatalf("%q stands in the text and not, or not as often, in %s", w, b.String())
			}
		}
	})
}

func FuzzExtract(f *testing.F) {
	for _, seed := range []string{
		"", "<p>Terms", selectPage, "<table><tr><td>a<td>b<table><tr><td>c", "\xEF\xBB\xBF<b>\xFF</b>", "<ol reversed><li value=x>a",
		"<a href='%zz'>x</a><base href=':'>", "<a data-cfemail=4203>x</a>", "\x1b$B%+", "<pre>\na\n\nb", "<plaintext>a</p>",
		"<frameset><frame>", "<svg><p>x</svg>y", "<select><option>a<p>b", "<template shadowrootmode=open>a</template>",
	} {
		f.Add([]byte(seed), "p", "h1")
	}
	f.Fuzz(func(t *testing.T, body []byte, selects, end string) {
		for _, rules := range []declaration.Part{
			{},
			{Select: css(selects + " "), Remove: css(end + " ")},
			{Select: []declaration.Selector{{StartBefore: selects + " ", EndAfter: end + " "}}},
		} {
			if len(selects)+len(end) > 40 && len(rules.Select) > 0 {
				continue // selectors are the operator's
			}
			if wrong := checkExtract(body, rules); wrong != "" {
				t.Fatal(wrong)
			}
		}
	})
}

func FuzzDecodeBody(f *testing.F) {
	f.Add([]byte("<meta charset=gbk>\xC4\xE3"), "text/html; charset=utf-8")
	f.Add([]byte("\xFE\xFF\x00a\xD8"), "")
	f.Add([]byte("<?xml encoding='"), "text/html; charset")
	f.Fuzz(func(t *testing.T, body []byte, contentType string) {
		d := decodeBody(Input{Body: body, ContentType: contentType}, true)
		if !utf8.Valid(d.text) || bytes.IndexByte(d.text, 0) >= 0 || d.charset == "" {
			t.Fatalf("%q read as %s: %q", body, d.charset, d.text)
		}
	})
}
