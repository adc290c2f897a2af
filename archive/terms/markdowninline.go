package terms

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// mdInline writes a text with its marks; cell says that it stands in a table.
func mdInline(text string, marks []Mark, cell bool) string {
	p := &mdPrinter{text: text, marks: mdReadable(text, marks), cell: cell}
	p.until(len(text))
	for len(p.open) > 0 {
		p.close()
	}
	return p.out.String()
}

// mdPrinter walks over a text and opens and closes marks.
type mdPrinter struct {
	text  string
	marks []Mark // not yet opened
	open  []Mark
	at    int
	cell  bool
	out   strings.Builder
}

// until writes all up to a place.
func (p *mdPrinter) until(end int) {
	for {
		next, closes := end, false
		if n := len(p.open); n > 0 && p.open[n-1].End <= next {
			next, closes = p.open[n-1].End, true
		}
		if len(p.marks) > 0 && p.marks[0].Start < next {
			p.plain(p.marks[0].Start)
			p.begin()
			continue
		}
		p.plain(next)
		if !closes {
			return
		}
		p.close()
	}
}

// begin opens the next mark, or writes it whole if it is code.
func (p *mdPrinter) begin() {
	m := p.marks[0]
	p.marks = p.marks[1:]
	if m.Kind == Code {
		p.code(p.text[m.Start:m.End])
		p.at = m.End
		return
	}
	p.out.WriteString(mdDelimiter(m.Kind))
	p.open = append(p.open, m)
}

// close ends the mark that was opened last.
func (p *mdPrinter) close() {
	m := p.open[len(p.open)-1]
	p.open = p.open[:len(p.open)-1]
	if m.Kind == Link {
		p.out.WriteString("](" + mdAddress(m.URL, p.cell) + ")")
		return
	}
	p.out.WriteString(mdDelimiter(m.Kind))
}

func mdDelimiter(k MarkKind) string {
	switch k {
	case Strong:
		return "**"
	case Em:
		return "*"
	case Del:
		return "~~"
	case Link:
		return "["
	}
	return ""
}

// plain writes text up to a place, escaped.
func (p *mdPrinter) plain(end int) {
	for p.at < end {
		c := p.text[p.at]
		switch {
		case strings.IndexByte("\\`*_[]<>~", c) >= 0,
			c == '|' && p.cell,
			c == '!' && p.at+1 == end && len(p.marks) > 0 && p.marks[0].Start == end, // before a link: an image
			c == '&' && mdEntity.MatchString(p.text[p.at:]):
			p.out.WriteByte('\\')
		}
		p.out.WriteByte(c)
		p.at++
	}
}

// code writes a code span, between more backticks than follow each other in it.
func (p *mdPrinter) code(s string) {
	fence, run := 1, 0
	for i := range len(s) {
		if s[i] != '`' {
			run = 0
			continue
		}
		run++
		fence = max(fence, run+1)
	}
	ticks := strings.Repeat("`", fence)
	if s[0] == '`' || s[len(s)-1] == '`' {
		s = " " + s + " "
	}
	if p.cell {
		s = strings.ReplaceAll(s, "|", `\|`)
	}
	p.out.WriteString(ticks + s + ticks)
}

// mdAddress writes the address of a link. Characters that would end it are written
// in percent encoding, which leads to the same place.
func mdAddress(url string, cell bool) string {
	var b strings.Builder
	for i := range len(url) {
		switch c := url[i]; {
		case c <= ' ' || c == 0x7F || c == '<' || c == '>' || c == '\\' || c == '`' || c == '|' && cell:
			const hex = "0123456789ABCDEF"
			b.WriteString("%" + string(hex[c>>4]) + string(hex[c&15]))
		case c == '(' || c == ')' || c == '&' && mdEntity.MatchString(url[i:]):
			b.WriteByte('\\')
			b.WriteByte(c)
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// mdReadable returns the marks that CommonMark can read, in their order: neither
// beginning nor ending with a space, none within one of its kind, none in code but
// instead of it where that has links, and emphasis only where both ends flank and
// no other begins or ends beside it.
func mdReadable(text string, marks []Mark) []Mark {
	marks = mdTrimmed(text, marks)
	var kept, open []Mark
	var stars []Mark // kept emphasis that ends here or later
	for i, m := range marks {
		for len(open) > 0 && open[len(open)-1].End <= m.Start {
			open = open[:len(open)-1]
		}
		within := func(o Mark) bool { return o.Kind == m.Kind || o.Kind == Code }
		if slices.ContainsFunc(open, within) || m.Kind == Code && mdHasLink(marks[i+1:], m.End) {
			continue
		}
		if m.Kind != Code && m.Kind != Link && !mdFlanks(text, marks, i) {
			continue
		}
		if m.Kind == Strong || m.Kind == Em {
			stars = slices.DeleteFunc(stars, func(o Mark) bool { return o.End < m.Start })
			if slices.ContainsFunc(stars, m.tangles) {
				continue
			}
			stars = append(stars, m)
		}
		kept, open = append(kept, m), append(open, m)
	}
	return mdJoined(kept)
}

// tangles says that the asterisks of two marks would stand side by side. They are
// read well only if the two cover the same text, or are joined.
func (m Mark) tangles(o Mark) bool {
	if o.Start == m.Start && o.End == m.End || o.End == m.Start && o.Kind == m.Kind {
		return false
	}
	return o.Start == m.Start || o.End == m.End || o.End == m.Start
}

// mdHasLink says whether one of the marks is a link before the end.
func mdHasLink(marks []Mark, end int) bool {
	for _, m := range marks {
		if m.Start >= end {
			return false
		}
		if m.Kind == Link {
			return true
		}
	}
	return false
}

// mdTrimmed takes the spaces off the ends of marks.
func mdTrimmed(text string, marks []Mark) []Mark {
	var all []Mark
	for _, m := range marks {
		for m.Start < m.End && text[m.Start] == ' ' {
			m.Start++
		}
		for m.Start < m.End && text[m.End-1] == ' ' {
			m.End--
		}
		if m.Start < m.End && (mdDelimiter(m.Kind) != "" || m.Kind == Code) {
			all = append(all, m)
		}
	}
	slices.SortStableFunc(all, func(a, b Mark) int {
		if a.Start != b.Start {
			return a.Start - b.Start
		}
		return b.End - a.End
	})
	return all
}

// mdJoined joins marks of one kind that touch within the same mark: "**a****b**"
// is read as neither.
func mdJoined(marks []Mark) []Mark {
	var all []Mark
	var open []int          // of all; the marks around the next one
	newest := map[int]int{} // within each of them, and at -1 within none
	for _, m := range marks {
		for len(open) > 0 && all[open[len(open)-1]].End <= m.Start {
			open = open[:len(open)-1]
		}
		parent := -1
		if len(open) > 0 {
			parent = open[len(open)-1]
		}
		i, ok := newest[parent]
		if !ok || m.Kind == Link || all[i].Kind != m.Kind || all[i].End != m.Start {
			i = len(all)
			all = append(all, m)
		}
		all[i].End = m.End
		newest[parent] = i
		open = append(open, i)
	}
	return all
}

// mdFlanks says whether the delimiters of mark i can open and close: CommonMark
// 0.31.2, section 6.2. What stands inside is taken for punctuation if another mark
// begins or ends there too. Symbols count as punctuation since version 0.31 only:
// they are taken for what forbids more.
func mdFlanks(text string, marks []Mark, i int) bool {
	m := marks[i]
	before, _ := utf8.DecodeLastRuneInString(text[:m.Start])
	first, _ := utf8.DecodeRuneInString(text[m.Start:])
	last, _ := utf8.DecodeLastRuneInString(text[:m.End])
	after, _ := utf8.DecodeRuneInString(text[m.End:])
	firstMark, lastMark := false, false
	for _, o := range marks[i+1:] {
		if o.Start >= m.End {
			break
		}
		firstMark = firstMark || o.Start == m.Start
		lastMark = lastMark || o.End == m.End
	}
	free := func(outer rune, atEnd bool) bool { return atEnd || unicode.IsSpace(outer) || unicode.IsPunct(outer) }
	opens := !(firstMark || mdSign(first)) || free(before, m.Start == 0)
	closes := !(lastMark || mdSign(last)) || free(after, m.End == len(text))
	return opens && closes
}

func mdSign(r rune) bool { return unicode.IsPunct(r) || unicode.IsSymbol(r) }
