package main

import (
	"bytes"
	"regexp"
	"sort"
	"strings"
	"unicode"

	"github.com/fineprint-archive/fineprint/archive/terms"
	"golang.org/x/net/html"
	"golang.org/x/text/unicode/norm"
)

// bag counts words.
type bag map[string]int

// words counts the words of a text: runs of letters and digits without regard to
// case; characters of scripts without spaces one by one.
func words(s string) bag {
	b := bag{}
	start := -1
	s = strings.ToLower(norm.NFKC.String(s))
	end := func(i int) {
		if start >= 0 {
			b[s[start:i]]++
		}
		start = -1
	}
	for i, r := range s {
		switch {
		case unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Thai):
			end(i)
			b[string(r)]++
		case unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r):
			if start < 0 {
				start = i
			}
		default:
			end(i)
		}
	}
	end(len(s))
	return b
}

// grams counts runs of five letters or digits, whatever stands between them: the
// measure where the other text has lost its spaces.
func grams(s string) bag {
	var r []rune
	for _, c := range strings.ToLower(norm.NFKC.String(s)) {
		if unicode.IsLetter(c) || unicode.IsDigit(c) {
			r = append(r, c)
		}
	}
	b := bag{}
	for i := 0; i+5 <= len(r); i++ {
		b[string(r[i:i+5])]++
	}
	return b
}

func (b bag) total() int {
	n := 0
	for _, c := range b {
		n += c
	}
	return n
}

// common counts what two bags share.
func (b bag) common(o bag) int {
	n := 0
	for w, c := range b {
		n += min(c, o[w])
	}
	return n
}

// without lists what b has more often than o, sorted, each once.
func (b bag) without(o bag) []string {
	var all []string
	for w, c := range b {
		if c > o[w] {
			all = append(all, w)
		}
	}
	sort.Strings(all)
	return all
}

// share of b that stands in o, 1 of nothing.
func (b bag) share(o bag) float64 {
	n := b.total()
	if n == 0 {
		return 1
	}
	return float64(b.common(o)) / float64(n)
}

// blind are the elements whose text nobody sees.
var blind = map[string]bool{"script": true, "style": true, "noscript": true, "template": true, "svg": true, "iframe": true, "head": true}

// inline are the elements that do not divide words.
var inline = map[string]bool{"a": true, "abbr": true, "b": true, "bdi": true, "bdo": true, "cite": true, "code": true, "em": true, "font": true, "i": true, "ins": true, "del": true, "mark": true, "q": true, "s": true, "small": true, "span": true, "strong": true, "sub": true, "sup": true, "u": true, "wbr": true}

// bodyText is all text of an HTML page outside of scripts and the like: by another
// way than that of extraction, for it says what extraction could have found.
func bodyText(body []byte) string {
	var b strings.Builder
	z := html.NewTokenizer(bytes.NewReader(body))
	skip := ""
	depth := 0
	for {
		switch kind := z.Next(); kind {
		case html.ErrorToken:
			return b.String()
		case html.TextToken:
			if skip == "" {
				b.Write(z.Text())
			}
		case html.StartTagToken, html.EndTagToken, html.SelfClosingTagToken:
			raw, _ := z.TagName()
			name := string(raw)
			if !inline[name] {
				b.WriteByte(' ')
			}
			switch {
			case skip == "" && kind == html.StartTagToken && blind[name]:
				skip, depth = name, 1
			case skip == name && kind == html.StartTagToken:
				depth++
			case skip == name && kind == html.EndTagToken:
				if depth--; depth == 0 {
					skip = ""
				}
			case skip == "head" && name == "body":
				skip = ""
			}
		}
	}
}

var (
	mdImage   = regexp.MustCompile(`!\[[^\]]*\]\([^)]*\)`)
	mdLink    = regexp.MustCompile(`\]\((?:[^()\\]|\\.|\([^()]*\))*\)`)
	mdAuto    = regexp.MustCompile(`<(?:https?:|mailto:)[^>]*>`)
	mdOrdered = regexp.MustCompile(`(?m)^(\s*(?:[*>-]\s+)*)\d+\.\s+`)
	mdEscape  = regexp.MustCompile(`\\([!-/:-@\[-` + "`" + `{-~])`)
	mdDivider = regexp.MustCompile(`(?m)^[|\s:=-]+$`)
	mdMarks   = strings.NewReplacer("**", "", "__", "", "~~", "", "`", "")
	mdEm      = regexp.MustCompile(`(^|[^\pL\pN])_([^_\n]+)_([^\pL\pN]|$)`)
)

// oracleText takes the Markdown out of the other system's text.
func oracleText(md string) string {
	s := mdImage.ReplaceAllString(md, " ")
	s = mdLink.ReplaceAllString(s, "]")
	s = mdAuto.ReplaceAllString(s, " ")
	s = mdOrdered.ReplaceAllString(s, "$1")
	s = mdDivider.ReplaceAllString(s, " ")
	s = mdMarks.Replace(s)
	s = mdEm.ReplaceAllString(s, "$1$2$3")
	return mdEscape.ReplaceAllString(s, "$1")
}

// ourText is what a text shows, the numbers before list items included.
func ourText(t *terms.Text) string {
	var b strings.Builder
	for i := range t.Blocks {
		b.WriteString(t.Blocks[i].Marker + " " + t.Blocks[i].Text + "\n")
	}
	return b.String()
}

// shown is everything that the page itself shows.
func (v *version) shown() string {
	if v.body != nil {
		v.visible = ourText(v.text)
		if !v.isPDF() {
			v.visible = bodyText(v.body)
		}
		v.body = nil
	}
	return v.visible
}
