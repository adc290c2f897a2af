package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/fineprint-archive/fineprint/archive/terms"
)

// finding is a pair of versions, or one, that a person may want to look at.
type finding struct {
	Page   string  `json:"page"`
	Time   string  `json:"time"`
	Reason string  `json:"reason"`
	Value  float64 `json:"value,omitempty"`
	// Class of an ignored change: see the constants.
	Class    string `json:"class,omitempty"`
	Reviewed string `json:"reviewed,omitempty"`
}

// What the page shows of a change that the other system saw and we ignore.
const (
	samePage   = "same visible page"        // every word, in its order
	sameOracle = "same words by the oracle" // which saw links or markup
	notVisible = "words not in the page"    // the page does not show those that differ
	visible    = "the page shows it"        // outside the policy, or missed
)

// pairs counts the pairs of one label.
type pairs struct {
	Pairs   int            `json:"pairs"`   // that count
	Changed int            `json:"changed"` // of them, by our words
	Apart   map[string]int `json:"apart"`   // that do not count, by reason
	Listed  []finding      `json:"listed"`
	// Refuted are pairs labelled as unchanged that count as neither: the second
	// page lacks words of the text that the label says to be in force, and the
	// first had them.
	Refuted []finding `json:"refuted,omitempty"`
}

func (p *pairs) apart(reason string) {
	if p.Apart == nil {
		p.Apart = map[string]int{}
	}
	p.Apart[reason]++
}

// pair measures two consecutive versions.
func (f *findings) pair(a, b *version) {
	if b.Changed == nil {
		return
	}
	p := &f.Unchanged
	if *b.Changed {
		p = &f.Labelled
	}
	same := a.prints.Words == b.prints.Words
	switch {
	case !*b.Changed && b.Recorded == "change":
		p.apart("recorded as a change all the same")
		return
	case b.OracleFlap != "":
		p.apart("oracle text " + b.OracleFlap)
		return
	case a.verdict.Grade != terms.GradeTerms:
		p.apart("before: " + string(a.verdict.Grade))
		return
	case b.verdict.Grade != terms.GradeTerms:
		p.apart("after: " + string(b.verdict.Grade))
		return
	}
	if !*b.Changed && !same {
		if gone := refutes(a, b); len(gone) > 0 {
			p.Refuted = append(p.Refuted, finding{Page: b.Page, Time: b.name(), Reason: "the page lost " + few(gone) + " of the text said to be in force"})
			return
		}
	}
	p.Pairs++
	if !same {
		p.Changed++
	}
	switch {
	case *b.Changed && same:
		p.Listed = append(p.Listed, whyIgnored(a, b))
	case !*b.Changed && !same:
		p.Listed = append(p.Listed, finding{Page: b.Page, Time: b.name(), Reason: difference(a.text, b.text)})
	}
}

// refutes returns the words of the other system's text that the second page shows
// less often than that text has them, though the first page showed them all.
func refutes(a, b *version) []string {
	if b.oracle == "" {
		return nil
	}
	before, after := words(a.shown()), words(b.shown())
	var gone []string
	for w, n := range words(oracleText(b.oracle)) {
		if before[w] >= n && after[w] < n {
			gone = append(gone, w)
		}
	}
	slices.Sort(gone)
	return gone
}

// whyIgnored says what the other system saw where our words are the same, and
// whether the page shows it.
func whyIgnored(a, b *version) finding {
	f := finding{Page: b.Page, Time: b.name(), Reason: "we: nothing"}
	switch {
	case a.prints.Links != b.prints.Links:
		f.Reason = "we: other links"
	case a.prints.Form != b.prints.Form:
		f.Reason = "we: other form"
	}
	if slices.Equal(strings.Fields(a.shown()), strings.Fields(b.shown())) {
		f.Class = samePage
		return f
	}
	pageBefore, pageAfter := words(a.shown()), words(b.shown())
	before, after := words(oracleText(a.oracle)), words(oracleText(b.oracle))
	if a.oracle == "" || b.oracle == "" {
		before, after = pageBefore, pageAfter
	}
	lost, added := before.without(after), after.without(before)
	if len(lost)+len(added) == 0 {
		f.Class = sameOracle
		return f
	}
	var seen []string
	for _, w := range lost {
		if pageBefore[w] > pageAfter[w] {
			seen = append(seen, "-"+w)
		}
	}
	for _, w := range added {
		if pageAfter[w] > pageBefore[w] {
			seen = append(seen, "+"+w)
		}
	}
	f.Reason += fmt.Sprintf("; oracle: -%s +%s", few(lost), few(added))
	f.Class = notVisible
	if len(seen) > 0 {
		f.Class = visible
		f.Reason += "; the page: " + few(seen)
	}
	return f
}

// few shows some of a list.
func few(all []string) string {
	if n := len(all); n > 8 {
		return fmt.Sprintf("[%s … %d]", strings.Join(all[:8], " "), n)
	}
	return "[" + strings.Join(all, " ") + "]"
}

// difference shows where two texts differ first.
func difference(a, b *terms.Text) string {
	in := func(t *terms.Text) map[string]int {
		m := map[string]int{}
		for i := range t.Blocks {
			m[t.Blocks[i].Text]++
		}
		return m
	}
	before, after := in(a), in(b)
	lost, added := 0, 0
	var first, second string
	for i := range a.Blocks {
		if s := a.Blocks[i].Text; after[s] == 0 {
			if lost++; lost == 1 {
				first = s
			}
		}
	}
	for i := range b.Blocks {
		if s := b.Blocks[i].Text; before[s] == 0 {
			if added++; added == 1 {
				second = s
			}
		}
	}
	x, y := trimCommon([]rune(first), []rune(second))
	return fmt.Sprintf("blocks -%d +%d: -“%s” +“%s”", lost, added, x, y)
}

// trimCommon cuts what two texts have in common at their ends, but for a few
// characters, and shortens what is left.
func trimCommon(a, b []rune) (string, string) {
	i := 0
	for i < len(a) && i < len(b) && a[i] == b[i] {
		i++
	}
	j := 0
	for j < len(a)-i && j < len(b)-i && a[len(a)-1-j] == b[len(b)-1-j] {
		j++
	}
	cut := func(r []rune) string {
		from, to := max(0, i-12), min(len(r), len(r)-j+12)
		if to-from > 90 {
			return string(r[from:from+90]) + "…"
		}
		return string(r[from:to])
	}
	return cut(a), cut(b)
}
