package terms

import (
	"regexp"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

var (
	plainHeading  = regexp.MustCompile(`^(#{1,6})\s+(.*?)\s*#*$`)
	plainLine     = regexp.MustCompile(`^\s*(={3,}|-{3,})\s*$`)
	plainBullet   = regexp.MustCompile(`^(\s*)[-*+•‣◦●▪]\s+(\S.*)$`)
	plainNumber   = regexp.MustCompile(`^(\s*)(\(?(?:[0-9]{1,3}|[a-zA-Z]|[ivxIVX]{1,5})[.)])\s+(\S.*)$`)
	plainLineEnds = strings.NewReplacer("\r\n", "\n", "\r", "\n", "\f", "\n\n", "\v", "\n", "\u0085", "\n", "\u2028", "\n", "\u2029", "\n\n")
)

// extractPlainText makes the text of a text/plain body. A blank line ends a
// paragraph; the lines of one are joined. A heading is underlined by === or ---, or
// begins with "# "; a list item begins with a bullet, or with a number where a
// paragraph or another item could begin. Other markup, such as that of Markdown, is
// text.
func extractPlainText(in Input) (*Text, *Page) {
	d := decodeBody(in, false)
	p := &Page{Charset: d.charset, Mime: "text/plain", Lang: in.Language, Problems: d.problems}
	r := &plainReader{}
	for line := range strings.SplitSeq(plainLineEnds.Replace(string(d.text)), "\n") {
		r.line(line)
	}
	r.end()
	t := &Text{Extractor: ExtractorVersion, Blocks: r.blocks}
	if len(t.Blocks) > 0 && t.Blocks[0].Kind == Heading {
		t.Title, p.Title = t.Blocks[0].Text, t.Blocks[0].Text
	}
	showPlain(p, t)
	return t, p
}

// plainReader makes blocks of lines.
type plainReader struct {
	blocks  []Block
	open    Block // being read; without a kind there is none
	pieces  []string
	indents []int // of the items around the last one
}

// line takes the next line.
func (r *plainReader) line(s string) {
	if plainBlank(s) {
		r.end()
		return
	}
	if m := plainLine.FindStringSubmatch(s); m != nil {
		if r.open.Kind == Paragraph && len(r.pieces) == 1 {
			r.open.Kind, r.open.Level = Heading, 1
			if m[1][0] == '-' {
				r.open.Level = 2
			}
		}
		r.end() // alone it only divides
		return
	}
	if m := plainHeading.FindStringSubmatch(s); m != nil && !plainBlank(m[2]) {
		r.begin(Block{Kind: Heading, Level: len(m[1])}, m[2])
		r.end()
		return
	}
	if m := plainBullet.FindStringSubmatch(s); m != nil && !plainBlank(m[2]) {
		r.begin(Block{Kind: Item, Level: r.level(len(m[1]))}, m[2])
		return
	}
	if m := plainNumber.FindStringSubmatch(s); m != nil && !plainBlank(m[3]) && r.open.Kind != Paragraph {
		r.begin(Block{Kind: Item, Level: r.level(len(m[1])), Marker: m[2]}, m[3])
		return
	}
	if r.open.Kind == "" {
		r.begin(Block{Kind: Paragraph}, s)
		return
	}
	r.pieces = append(r.pieces, s)
}

// level returns the level of an item by its indentation.
func (r *plainReader) level(indent int) int {
	for len(r.indents) > 0 && r.indents[len(r.indents)-1] >= indent {
		r.indents = r.indents[:len(r.indents)-1]
	}
	r.indents = append(r.indents, indent)
	return min(len(r.indents), 6)
}

// begin ends the open block and opens another.
func (r *plainReader) begin(b Block, first string) {
	r.end()
	r.open, r.pieces = b, append(r.pieces[:0], first)
	if b.Kind != Item {
		r.indents = r.indents[:0]
	}
}

// end closes the open block.
func (r *plainReader) end() {
	if r.open.Kind == "" {
		return
	}
	r.open.Text = plainJoin(r.pieces)
	if r.open.Text != "" {
		r.blocks = append(r.blocks, r.open)
	}
	r.open = Block{}
}

// plainJoin joins the lines of a paragraph: with a space, but not between two
// characters of a script that has none.
func plainJoin(lines []string) string {
	var b strings.Builder
	last := ' '
	for _, s := range lines {
		s = plainClean(s)
		if s == "" {
			continue
		}
		first, _ := utf8.DecodeRuneInString(s)
		if b.Len() > 0 && !(pdfSpaceless(last) && pdfSpaceless(first)) {
			b.WriteByte(' ')
		}
		b.WriteString(s)
		last, _ = utf8.DecodeLastRuneInString(s)
	}
	return norm.NFC.String(b.String())
}

// plainBlank is true of a line without anything to read.
func plainBlank(s string) bool { return plainClean(s) == "" }

// plainClean brings a line into the form of Block.Text: zero-width spaces and soft
// hyphens go, joiners stay, control characters and runs of white space become one
// space.
func plainClean(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case r == '\u00AD' || r == '\u200B' || r == '\u2060' || r == '\uFEFF' || r == 0:
			return -1
		case r < ' ' || r == '\u007F':
			return ' '
		}
		return r
	}, s)
	return norm.NFC.String(strings.Join(strings.Fields(s), " "))
}
