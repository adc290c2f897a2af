package terms

import (
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/text/unicode/norm"
)

func TestPlainText(t *testing.T) {
	for name, c := range map[string]struct {
		body string
		want []Block
	}{
		"paragraphs":         {"One\ntwo.\r\n\r\nThree\ffour", []Block{{Kind: Paragraph, Text: "One two."}, {Kind: Paragraph, Text: "Three"}, {Kind: Paragraph, Text: "four"}}},
		"scripts":            {"第一行\n第二行 and\nmore", []Block{{Kind: Paragraph, Text: "第一行第二行 and more"}}},
		"underlined":         {"Terms\n=====\nText\n\nPart\n---\nmore", []Block{{Kind: Heading, Level: 1, Text: "Terms"}, {Kind: Paragraph, Text: "Text"}, {Kind: Heading, Level: 2, Text: "Part"}, {Kind: Paragraph, Text: "more"}}},
		"a ruler":            {"One\n\n-----\n\ntwo\nthree\n----\nfour", []Block{{Kind: Paragraph, Text: "One"}, {Kind: Paragraph, Text: "two three"}, {Kind: Paragraph, Text: "four"}}},
		"marked":             {"## Part 2 ##\ntext", []Block{{Kind: Heading, Level: 2, Text: "Part 2"}, {Kind: Paragraph, Text: "text"}}},
		"no heading":         {"#1 rule\n#", []Block{{Kind: Paragraph, Text: "#1 rule #"}}},
		"bullets":            {"You may:\n- read\n  it\n  * all\n- write\n\nEnd", []Block{{Kind: Paragraph, Text: "You may:"}, {Kind: Item, Level: 1, Text: "read it"}, {Kind: Item, Level: 2, Text: "all"}, {Kind: Item, Level: 1, Text: "write"}, {Kind: Paragraph, Text: "End"}}},
		"numbers":            {"1. one\n2) two\n\n(a) three", []Block{{Kind: Item, Level: 1, Marker: "1.", Text: "one"}, {Kind: Item, Level: 1, Marker: "2)", Text: "two"}, {Kind: Item, Level: 1, Marker: "(a)", Text: "three"}}},
		"a number that ends": {"It began on March\n12. It ended later", []Block{{Kind: Paragraph, Text: "It began on March 12. It ended later"}}},
		"Markdown stays":     {"See **this** [link](x)", []Block{{Kind: Paragraph, Text: "See **this** [link](x)"}}},
		"invisible":          {"a\u200bb\u00adc \u200d\u200c d\x00e", []Block{{Kind: Paragraph, Text: "abc \u200d\u200c de"}}},
		"marked nothing":     {"A) \b\n\n- \u00ad\n\n# \x01", []Block{{Kind: Paragraph, Text: "A)"}, {Kind: Paragraph, Text: "-"}, {Kind: Paragraph, Text: "#"}}},
		"nothing":            {" \n\t\n\u200b\n", nil},
	} {
		t.Run(name, func(t *testing.T) {
			text, page := extractPlainText(Input{Body: []byte(c.body), ContentType: "text/plain; charset=utf-8"})
			if d := cmp.Diff(c.want, text.Blocks); d != "" {
				t.Errorf("blocks of %q (-want +got):\n%s", c.body, d)
			}
			if page.Mime != "text/plain" || page.Charset != "utf-8" {
				t.Errorf("page is %s in %s, want text/plain in utf-8", page.Mime, page.Charset)
			}
		})
	}
}

func TestPlainTextCharset(t *testing.T) {
	text, page := extractPlainText(Input{Body: []byte("Gr\xfc\xdfe"), ContentType: "text/plain; charset=iso-8859-1"})
	if got := text.Plain(); got != "Grüße\n" || page.Charset != "windows-1252" {
		t.Errorf("text = %q in %s, want Grüße in windows-1252", got, page.Charset)
	}
}

func TestPlainTextOpening(t *testing.T) {
	_, page := extractPlainText(Input{Body: []byte(strings.Repeat("字", 3000))})
	if page.Visible != 3001 || page.Opening != strings.Repeat("字", 2000) {
		t.Errorf("%d characters, opening of %d; want 3001 and 2000", page.Visible, len([]rune(page.Opening)))
	}
}

// plainLetters are the letters and digits of a text in their order.
func plainLetters(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return r
		}
		return -1
	}, norm.NFD.String(s))
}

// No letter of a text is lost or moved.
func FuzzPlainText(f *testing.F) {
	f.Add("Terms\n=====\n\n- one\n  two\n1. three\n\n# four #\n--\n")
	f.Add("a)\n\n(b) c\r\nd\u2028e\x0c第\n一")
	f.Fuzz(func(t *testing.T, body string) {
		in := Input{Body: []byte(body), ContentType: "text/plain; charset=utf-8"}
		text, _ := extractPlainText(in)
		var all strings.Builder
		for _, b := range text.Blocks {
			all.WriteString(b.Marker + "\n" + b.Text + "\n")
		}
		if got, want := plainLetters(all.String()), plainLetters(string(decodeBody(in, false).text)); got != want {
			t.Errorf("letters of %q are %q, want %q", body, got, want)
		}
		pdfSoundBlocks(t, text)
	})
}
