package terms

import (
	"slices"
	"strings"
	"time"
	"unicode"
)

// Edition is one of several versions of a document standing on one page, such as
// the terms in force and, below them, those that come next month.
type Edition struct {
	From  int          `json:"from"` // first block
	To    int          `json:"to"`   // one after the last block
	Title string       `json:"title,omitempty"`
	Dates []StatedDate `json:"dates,omitempty"` // those stated in its blocks
}

// Limits of what counts as an edition.
const (
	editionWords = 100 // in the least one
	// The smaller edition has at least so many hundredths of the words of the
	// largest, and so many hundredths of its lines, by bytes, stand there too: two
	// editions of one document share most, two documents on one page hardly any.
	editionShared = 25
	editionTitle  = 4 // first blocks in which a heading is the title
	editionsMost  = 12
)

// previousPhrases announce another edition, in a heading or a line of its own.
var previousPhrases = []string{
	"previous version", "prior version", "earlier version", "old version", "older version", "archived version", "former version", "superseded version",
	"upcoming version", "new version", "future version", "current version",
	"vorherige version", "fruhere version", "alte fassung", "vorherige fassung", "fruhere fassung", "neue fassung", "version precedente", "ancienne version", "nouvelle version", "version anterior", "versao anterior", "versione precedente", "vorige versie", "предыдущая версия", "предыдущая редакция", "прежняя редакция",
	"旧版", "旧版本", "历史版本", "以前的版本", "舊版", "先前版本", "旧規約", "以前のバージョン", "改定前", "이전 버전", "이전 약관",
}

// regionPhrases begin terms that hold in a part of the world only.
var regionPhrases = []string{
	"if you live in", "if you reside in", "if you live outside", "residents of", "users in the", "users outside", "outside the european union", "european union",
	"si vous vivez", "si vous residez", "si usted reside", "si vives", "se vive", "se voce mora", "wenn sie in", "europaischen union", "union europeenne", "union europea", "欧盟", "歐盟", "居住", "お住まい", "거주",
}

// Editions returns the editions standing on one page, in its order; nil if there
// is only one. Each begins with the same line, its title; or with lines of the same
// form that state dates ("Effective: November 15, 2024" and "Effective: September
// 29, 2023"); or, but the first, with a line such as "Previous version". Each must
// be long, have much in common with the longest, and state another date than the
// one before it. Terms for two regions of the world on one page are no editions:
// lines near their beginnings do not name the same region. What stands before the
// first is part of none. Captured is as for Dates.
func Editions(t *Text, captured time.Time) []Edition {
	dates := Dates(t, captured)
	if len(dates) < 2 {
		return nil
	}
	p := newPageLines(t, dates)
	for _, starts := range append(p.titleStarts(), p.datedStarts(), p.markedStarts()) {
		if all := p.divide(starts); all != nil {
			return all
		}
	}
	return nil
}

// pageLines is a text with what is asked of its blocks again and again.
type pageLines struct {
	t     *Text
	dates []StatedDate
	words []int    // of each block
	lines []string // each block folded
}

func newPageLines(t *Text, dates []StatedDate) *pageLines {
	p := &pageLines{t, dates, make([]int, len(t.Blocks)), make([]string, len(t.Blocks))}
	for i := range t.Blocks {
		p.words[i], p.lines[i] = gradeWords(t.Blocks[i].Text), foldPhrase(t.Blocks[i].Text)
	}
	return p
}

// titleStarts returns, for each line near the top that stands again further down,
// where it stands.
func (p *pageLines) titleStarts() [][]int {
	at := map[string][]int{} // a heading is another line than an item of a list
	var order []string
	for i, line := range p.lines {
		if len(line) > 200 || p.words[i] > dateLine {
			continue
		}
		line = string(p.t.Blocks[i].Kind) + " " + line
		if i < dateTop && at[line] == nil {
			order = append(order, line)
		}
		if i < dateTop || at[line] != nil {
			at[line] = append(at[line], i)
		}
	}
	var all [][]int
	for _, line := range order {
		if n := len(at[line]); n > 1 && n <= editionsMost {
			all = append(all, at[line])
		}
	}
	return all
}

// datedStarts returns the lines that state dates in the form of which there are
// most different dates, each with the heading right before it.
func (p *pageLines) datedStarts() []int {
	at := map[string][]int{}
	seen := map[string]map[string]bool{}
	best := ""
	for _, d := range p.dates {
		form := dateForm(p.t.Blocks[d.Block].Text, d)
		if seen[form] == nil {
			seen[form] = map[string]bool{}
		}
		seen[form][d.Quote] = true
		start := d.Block
		if start > 0 && p.t.Blocks[start-1].Kind == Heading {
			start--
		}
		if n := len(at[form]); n == 0 || at[form][n-1] < start {
			at[form] = append(at[form], start)
		}
		if len(seen[form]) > 1 && len(seen[form]) > len(seen[best]) {
			best = form
		}
	}
	if len(at[best]) > editionsMost {
		return nil
	}
	return at[best]
}

// dateForm is a line that states a date up to the date's own words: what stands
// before the quote, and the first word of it.
func dateForm(block string, d StatedDate) string {
	before, _, _ := strings.Cut(block, d.Quote)
	words := strings.FieldsFunc(foldPhrase(d.Quote), func(r rune) bool { return notWord(r) || unicode.IsDigit(r) })
	if len(words) > 0 {
		before += " " + words[0]
	}
	return string(d.Kind) + " " + foldPhrase(before)
}

// markedStarts returns the beginning of the page and the lines that announce
// another edition. A link leads to one that is elsewhere.
func (p *pageLines) markedStarts() []int {
	starts := []int{0}
	for i := 1; i < len(p.lines) && len(starts) <= editionsMost; i++ {
		isLink := func(m Mark) bool { return m.Kind == Link }
		if len(p.lines[i]) > 200 || p.words[i] > sentenceWords/2 || slices.ContainsFunc(p.t.Blocks[i].Marks, isLink) {
			continue
		}
		if containsAny(p.lines[i], previousPhrases) != "" {
			starts = append(starts, i)
		}
	}
	if len(starts) > editionsMost {
		return nil
	}
	return starts
}

// divide makes an edition of what follows each start; nil if not all that
// are long are editions of one document.
func (p *pageLines) divide(starts []int) []Edition {
	var all []Edition
	longest, most, least := 0, 0, 0
	for i, from := range starts {
		to := len(p.lines)
		if i+1 < len(starts) {
			to = starts[i+1]
		}
		n := 0
		for _, words := range p.words[from:to] {
			n += words
		}
		if n < editionWords {
			continue
		}
		if n > most {
			longest, most = len(all), n
		}
		if least == 0 || n < least {
			least = n
		}
		e := Edition{From: from, To: to, Dates: datesWithin(p.dates, from, to)}
		e.Title = editionTitleOf(p.t, e)
		all = append(all, e)
	}
	if len(all) < 2 || least*100 < most*editionShared {
		return nil
	}
	for i := range all {
		if len(all[i].Dates) == 0 || p.regionOf(all[i]) != p.regionOf(all[0]) || i > 0 && sameDates(all[i-1], all[i]) || i != longest && !p.shares(all[i], all[longest]) {
			return nil
		}
	}
	return all
}

// regionOf returns the line that names the region an edition is for, "" if there is
// none: among its first lines, else the nearest of those before it. Items are no
// lines: tables of contents name regions of their own, and stand between.
func (p *pageLines) regionOf(e Edition) string {
	for i := e.From; i < min(e.From+editionTitle, e.To); i++ {
		if p.namesRegion(i) {
			return p.lines[i]
		}
	}
	for i, seen := e.From-1, 0; i >= 0 && seen < 3*editionTitle; i-- {
		if p.namesRegion(i) {
			return p.lines[i]
		}
		if p.t.Blocks[i].Kind != Item {
			seen++
		}
	}
	return ""
}

// namesRegion reports whether a block is a heading or a short line that names a
// region.
func (p *pageLines) namesRegion(i int) bool {
	kind := p.t.Blocks[i].Kind
	return kind != Item && len(p.lines[i]) < 200 && (kind == Heading || p.words[i] <= dateLine) && containsAny(p.lines[i], regionPhrases) != ""
}

// sameDates reports whether two editions state the same dates.
func sameDates(a, b Edition) bool {
	set := func(e Edition) []string {
		var all []string
		for _, d := range e.Dates {
			all = append(all, string(d.Kind)+d.Date+d.Note)
		}
		slices.Sort(all)
		return slices.Compact(all)
	}
	return slices.Equal(set(a), set(b))
}

// shares reports whether two parts of a page have enough lines in common.
func (p *pageLines) shares(a, b Edition) bool {
	lines := map[string]int{}
	sizeA, sizeB, shared := 0, 0, 0
	for _, line := range p.lines[a.From:a.To] {
		lines[line]++
		sizeA += len(line)
	}
	for _, line := range p.lines[b.From:b.To] {
		sizeB += len(line)
		if lines[line] > 0 {
			lines[line]--
			shared += len(line)
		}
	}
	return shared*100 >= min(sizeA, sizeB)*editionShared
}

// editionTitleOf returns the first heading among the first lines of an edition,
// else its first line if that is short.
func editionTitleOf(t *Text, e Edition) string {
	for i := e.From; i < min(e.From+editionTitle, e.To); i++ {
		if t.Blocks[i].Kind == Heading {
			return t.Blocks[i].Text
		}
	}
	if s := t.Blocks[e.From].Text; len(s) < 120 {
		return s
	}
	return ""
}

func datesWithin(all []StatedDate, from, to int) []StatedDate {
	var within []StatedDate
	for _, d := range all {
		if from <= d.Block && d.Block < to {
			within = append(within, d)
		}
	}
	return within
}
