package terms

import (
	"math"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// pdfMargin is the part of a page's height, above and below, in which running
// lines are looked for.
const pdfMargin = 0.13

// pdfNumbers finds what differs in a running line from page to page.
var pdfNumbers = regexp.MustCompile(`[0-9]+`)

// pdfPageNumber is a line that only counts pages.
var pdfPageNumber = regexp.MustCompile(`(?i)^\W*(page|seite|página|pagina|p\.?)?\W*#\W*((of|de|von|sur|di|/)?\W*#)?\W*$`)

// pdfRunning is a line that stands at the same height of several pages, numbers
// aside.
type pdfRunning struct {
	text string
	y    int // in steps of 4 points
}

// pdfDropRunning takes out the lines that stand in the margin of more than half of
// the pages, and page numbers. Of a running line that is the same on each, such as
// the version of the terms in a footer, the first is kept.
func pdfDropRunning(sheets []pdfSheet) {
	pages, same := map[pdfRunning]int{}, map[string]int{}
	for i := range sheets {
		once := map[pdfRunning]bool{}
		for _, l := range sheets[i].lines {
			keys := sheets[i].running(l)
			if len(keys) > 0 {
				same[l.text]++
			}
			for _, k := range keys {
				if !once[k] {
					once[k] = true
					pages[k]++
				}
			}
		}
	}
	kept := map[string]bool{}
	for i := range sheets {
		s := &sheets[i]
		s.lines = slices.DeleteFunc(s.lines, func(l pdfLine) bool {
			n := 0
			for _, k := range s.running(l) {
				n = max(n, pages[k])
			}
			if n < 2 || 2*n <= len(sheets) {
				return false
			}
			shape := pdfNumbers.ReplaceAllString(l.text, "#")
			if pdfPageNumber.MatchString(shape) {
				return true
			}
			if same[l.text] < 2 {
				return n > 2
			}
			first := !kept[l.text]
			kept[l.text] = true
			return !first
		})
	}
}

// running returns under what a line is counted: two neighbouring heights, so that
// rounding does not part equal ones; nothing outside the margins.
func (s *pdfSheet) running(l pdfLine) []pdfRunning {
	if l.y1 > s.height*pdfMargin && l.y0 < s.height*(1-pdfMargin) {
		return nil
	}
	shape := pdfNumbers.ReplaceAllString(l.text, "#")
	y := int(l.y0 / 4)
	if math.Mod(l.y0, 4) < 2 {
		return []pdfRunning{{shape, y - 1}, {shape, y}}
	}
	return []pdfRunning{{shape, y}, {shape, y + 1}}
}

// pdfPart is a paragraph before it is known what it is.
type pdfPart struct {
	text      string
	size      float64 // of its first line
	x0        float64
	lines     int
	above     float64 // gap to the line before it, in sizes; large at the top of a page
	centered  bool
	list      pdfMark
	last      pdfLine
	lastSheet int
}

// pdfParts joins the lines of wrapped paragraphs.
func pdfParts(sheets []pdfSheet) []pdfPart {
	leading := pdfLeading(sheets)
	known := pdfWords(sheets)
	var parts []pdfPart
	for i := range sheets {
		rights := sheets[i].rights()
		for j, l := range sheets[i].lines {
			var cur *pdfPart
			if len(parts) > 0 {
				cur = &parts[len(parts)-1]
			}
			if cur != nil && cur.takes(l, i, leading, rights[j]) {
				cur.text = pdfJoin(cur.text, l.text, known)
				cur.lines++
			} else {
				p := pdfPart{text: l.text, size: l.size(), x0: l.x0, lines: 1, above: 9, list: pdfMarkOf(l.text)}
				if j > 0 {
					p.above = (l.y0 - sheets[i].lines[j-1].y0) / max(l.size(), 1)
				}
				mid := sheets[i].width / 2
				p.centered = math.Abs((l.x0+l.x1)/2-mid) < 6 && l.x0 > 0.2*sheets[i].width
				parts = append(parts, p)
				cur = &parts[len(parts)-1]
			}
			cur.last, cur.lastSheet = l, i
		}
	}
	return parts
}

// takes says whether a line goes on with the paragraph.
func (p *pdfPart) takes(l pdfLine, sheet int, leading float64, right float64) bool {
	if math.Abs(l.size()-p.last.size()) > 0.12*p.last.size() {
		return false
	}
	down := l.y0 - p.last.y0
	beside := math.Abs(down) < 0.5*l.size()
	if sheet == p.lastSheet && beside && l.x0 >= p.last.x1-1 {
		return true // the rest of the same line: a number and its paragraph
	}
	if pdfMarkOf(l.text).any() {
		return false
	}
	if sheet != p.lastSheet || down < 0 {
		return pdfUnfinished(p.last.text, l.text) && p.lines > 1
	}
	if down > (leading+0.35)*l.size() {
		return false
	}
	if p.fits(l, right) {
		return false
	}
	return l.x0 > p.x0-1.5*l.size() || p.lines == 1
}

// fits says that the first word of a line had room on the one before it: then a
// writer ended that one, not its width.
func (p *pdfPart) fits(l pdfLine, right float64) bool {
	r, _ := utf8.DecodeRuneInString(l.text)
	first := l.first
	if pdfSpaceless(r) {
		first = 1.2 * l.size()
	}
	return p.last.x1+first+0.3*l.size() < right-0.06*(right-p.last.x0)
}

// rights returns for each line where lines of its column end: the furthest end of
// those that begin at the same place or have the same middle, of the page if there
// are fewer than three of them.
func (s *pdfSheet) rights() []float64 {
	page, starts, middles := pdfEnds{}, map[int]pdfEnds{}, map[int]pdfEnds{}
	for _, l := range s.lines {
		page = page.with(l)
		starts[pdfPlace(l.x0)] = starts[pdfPlace(l.x0)].with(l)
		middles[pdfPlace((l.x0+l.x1)/2)] = middles[pdfPlace((l.x0+l.x1)/2)].with(l)
	}
	all := make([]float64, len(s.lines))
	for i, l := range s.lines {
		e := starts[pdfPlace(l.x0)]
		if m := middles[pdfPlace((l.x0+l.x1)/2)]; m.lines > e.lines {
			e = m
		}
		if e.lines < 3 {
			e = page
		}
		all[i] = e.right
	}
	return all
}

// pdfEnds are lines, and the furthest end of them.
type pdfEnds struct {
	lines int
	right float64
}

func (e pdfEnds) with(l pdfLine) pdfEnds { return pdfEnds{e.lines + 1, max(e.right, l.x1)} }

// pdfPlace is a horizontal place, in steps of 4 points.
func pdfPlace(x float64) int { return int(math.Floor(x/4 + 0.5)) }

// pdfLeading is the usual distance of two lines of a paragraph, in sizes.
func pdfLeading(sheets []pdfSheet) float64 {
	count := map[int]int{}
	for i := range sheets {
		for j := 1; j < len(sheets[i].lines); j++ {
			a, b := &sheets[i].lines[j-1], &sheets[i].lines[j]
			if d := (b.y0 - a.y0) / max(b.size(), 1); d > 0.7 && d < 2.6 && math.Abs(a.size()-b.size()) < 0.5 {
				count[int(d*10)] += min(len(a.text), len(b.text))
			}
		}
	}
	best, most := 12, 0
	for d := 7; d <= 26; d++ {
		if count[d] > most {
			best, most = d, count[d]
		}
	}
	return float64(best)/10 + 0.05
}

// pdfWords is the set of words that stand inside lines: it tells a word divided at
// the end of a line from a compound.
func pdfWords(sheets []pdfSheet) map[string]bool {
	known := map[string]bool{}
	for i := range sheets {
		for _, l := range sheets[i].lines {
			for w := range strings.FieldsSeq(l.text) {
				known[pdfBare(w)] = true
			}
		}
	}
	return known
}

func pdfBare(w string) string {
	return strings.TrimFunc(strings.ToLower(w), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsNumber(r) })
}

// pdfJoin puts a line after the text of a paragraph. No space comes between two
// characters of a script that has none, none after a hyphen, and a hyphen goes if
// the whole word stands elsewhere in the document.
func pdfJoin(text, next string, known map[string]bool) string {
	last, _ := utf8.DecodeLastRuneInString(text)
	first, _ := utf8.DecodeRuneInString(next)
	if pdfSpaceless(last) && pdfSpaceless(first) {
		return text + next
	}
	if last != '-' && last != '\u2010' {
		return text + " " + next
	}
	before := strings.TrimRight(text, "-\u2010")
	if r, _ := utf8.DecodeLastRuneInString(before); !unicode.IsLetter(r) || !unicode.IsLetter(first) {
		return text + " " + next
	}
	head := before[strings.LastIndexByte(before, ' ')+1:]
	tail, _, _ := strings.Cut(next, " ")
	if known[pdfBare(head+tail)] {
		return before + next
	}
	return text + next
}

// pdfSpaceless is true of scripts that put no space between words.
func pdfSpaceless(r rune) bool {
	return unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Thai, unicode.Lao, unicode.Khmer, unicode.Myanmar) ||
		r >= '\u3000' && r <= '\u303F' || r >= '\uFF00' && r <= '\uFFEF'
}

// pdfUnfinished says that a text breaks off and the next goes on with it.
func pdfUnfinished(text, next string) bool {
	last, _ := utf8.DecodeLastRuneInString(text)
	first, _ := utf8.DecodeRuneInString(next)
	if strings.ContainsRune(".!?:;。！？：；", last) {
		return false
	}
	return unicode.IsLower(first) || pdfSpaceless(last) && pdfSpaceless(first) || strings.ContainsRune(",-(–", last)
}
