package terms

import (
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// pdfMark is what a line of a list begins with.
type pdfMark struct {
	length int    // bytes of it and the space after it; 0 if there is none
	marker string // for Block.Marker, "" of a bullet
}

func (m pdfMark) any() bool { return m.length > 0 }

var (
	pdfBullet    = regexp.MustCompile(`^(?:[•‣◦●○▪▫■□➢➤⁃∙·\x{F0B7}\x{F0A7}*o]|[-–—])\s+`)
	pdfNumber    = regexp.MustCompile(`^(\(?(?:[0-9]{1,3}|[a-zA-Z]|[ivxIVX]{1,5})[.)])\s+`)
	pdfMarkAlone = regexp.MustCompile(`^(?:[•‣◦●○▪▫■□➢➤⃁∙·\x{F0B7}\x{F0A7}*o]|[-–—]|\(?(?:[0-9]{1,3}|[a-zA-Z]|[ivxIVX]{1,5})[.)])$`)
	pdfSection   = regexp.MustCompile(`^(?i:(?:article|section|chapter|annex|annexe|artikel|abschnitt|anlage|§)\s*[0-9IVX]+|[0-9]+(?:\.[0-9]+)*[.)]?\s|第[0-9一二三四五六七八九十百]+[条章節节])`)
)

// pdfMarkOf finds the bullet or number that a line begins with.
func pdfMarkOf(s string) pdfMark {
	if m := pdfBullet.FindString(s); m != "" && len(m) < len(s) {
		return pdfMark{len(m), ""}
	}
	if m := pdfNumber.FindStringSubmatch(s); m != nil && len(m[0]) < len(s) {
		return pdfMark{len(m[0]), m[1]}
	}
	return pdfMark{}
}

// pdfBlocks makes blocks of the lines of a file.
//
//   - Lines that repeat in the margins of most pages and page numbers go.
//   - A page without columns is read from top to bottom; the order that the file
//     or the tool gives counts on others. A bullet or number that stands alone
//     belongs to the line beside it.
//   - A line goes on with the paragraph before it if it is of the same size, no
//     further below than lines of this file usually are, begins with no bullet or
//     number, and its first word had no room on the line before. Over the end of a
//     page or column a paragraph goes on if it stops in mid-sentence.
//   - A heading is short and of larger type than most of the text, or short, apart
//     and in capitals or numbered. Its level is the rank of its size.
//   - A list item begins with a bullet or number, and its level is its indentation.
func pdfBlocks(sheets []pdfSheet) []Block {
	pdfDropRunning(sheets)
	for i := range sheets {
		sheets[i].arrange()
	}
	parts := pdfParts(sheets)
	body := pdfBody(parts)
	sizes := pdfSizes(parts, body)
	blocks := make([]Block, 0, len(parts))
	var indents []float64
	for i := range parts {
		p := &parts[i]
		b := Block{Kind: Paragraph, Text: p.text}
		switch level := p.heading(body, sizes, i+1 < len(parts) && parts[i+1].list.any()); {
		case level > 0:
			b.Kind, b.Level, indents = Heading, level, nil
		case p.list.any():
			for len(indents) > 0 && indents[len(indents)-1] > p.x0+3 {
				indents = indents[:len(indents)-1]
			}
			if len(indents) == 0 || indents[len(indents)-1] < p.x0-3 {
				indents = append(indents, p.x0)
			}
			b.Kind, b.Level, b.Marker = Item, min(len(indents), 6), p.list.marker
			b.Text = b.Text[p.list.length:]
		}
		blocks = append(blocks, b)
	}
	return blocks
}

// pdfBody is the size of most of the text.
func pdfBody(parts []pdfPart) float64 {
	count := map[float64]int{}
	body := 0.0
	for i := range parts {
		k := pdfStep(parts[i].size)
		count[k] += len(parts[i].text)
	}
	for k, n := range count {
		if n > count[body] || n == count[body] && k > body {
			body = k
		}
	}
	return body
}

// pdfStep rounds a size to half a point.
func pdfStep(size float64) float64 { return float64(int(2*size+0.5)) / 2 }

// pdfSizes returns the sizes of headings, the largest first.
func pdfSizes(parts []pdfPart, body float64) []float64 {
	var all []float64
	for i := range parts {
		if k := pdfStep(parts[i].size); parts[i].large(body) && !slices.Contains(all, k) {
			all = append(all, k)
		}
	}
	slices.SortFunc(all, func(a, b float64) int { return int(2 * (b - a)) })
	return all
}

// large is true of a short part in larger type.
func (p *pdfPart) large(body float64) bool {
	return p.size > 1.12*body && utf8.RuneCountInString(p.text) <= 200
}

// heading returns the level of a heading, 0 of anything else. Numbered lines that
// follow one another are a list.
func (p *pdfPart) heading(body float64, sizes []float64, listFollows bool) int {
	if p.large(body) {
		return min(slices.Index(sizes, pdfStep(p.size))+1, 6)
	}
	last, _ := utf8.DecodeLastRuneInString(p.text)
	if p.lines > 1 || p.above < 1.3 || utf8.RuneCountInString(p.text) > 90 || strings.ContainsRune(".,;:。，；：", last) || !pdfLetters(p.text) {
		return 0
	}
	level := min(len(sizes)+1, 6)
	if pdfSection.MatchString(p.text) && p.list.marker == "" {
		return level
	}
	if pdfCapitals(p.text) && (p.list.marker != "" || !p.list.any()) {
		return level
	}
	if p.list.marker != "" && p.list.marker[0] >= '0' && p.list.marker[0] <= '9' && !listFollows {
		return level
	}
	return 0
}

// pdfLetters is true of a text with at least three letters.
func pdfLetters(s string) bool {
	n := 0
	for _, r := range s {
		if unicode.IsLetter(r) {
			n++
		}
	}
	return n >= 3
}

// pdfCapitals is true of a text in capitals.
func pdfCapitals(s string) bool {
	return strings.ToUpper(s) == s && strings.ToLower(s) != s
}
