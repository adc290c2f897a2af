package evidence

import (
	"fmt"
	"html"
	"slices"
	"strings"
)

// said is a receipt as the papers tell it. Of one about the first look of a range
// it says so.
func (pl *plan) said(r *planReceipt) (words string, agrees bool) {
	words, agrees = agreement(r.entry.Facts, r.manifest.Memento.Grade)
	if n := r.manifest.Memento.N; n != pl.look.N {
		words += fmt.Sprintf(" (at look %d)", n)
	}
	return words, agrees
}

// shown returns the receipts that the first page of a paper names: the newest of
// all, and every one that disagrees.
func (pl *plan) shown() (list []planReceipt) {
	for i := range pl.receipts {
		if _, agrees := pl.said(&pl.receipts[i]); i == 0 || !agrees {
			list = append(list, pl.receipts[i])
		}
	}
	return list
}

// observedLines says in the README what the Wayback Machine has. Lines are up to 80
// characters wide but for addresses.
func (pl *plan) observedLines() string {
	if len(pl.receipts) == 0 {
		return "No capture of the Wayback Machine was read back for this look. Ask it yourself:\nhttps://web.archive.org/"
	}
	var b strings.Builder
	for _, r := range pl.shown() {
		words, _ := pl.said(&r)
		fmt.Fprintf(&b, "%s\n  captured %s, asked for %s:\n  %s\n", oneLine(r.entry.Capture), stamp(r.entry.Time), stamp(r.manifest.Time), oneLine(words))
	}
	b.WriteString(`The Internet Archive fetched the page itself, at its own time, and its copy is
public: open that address and compare. For what it answered us (wayback/) you
trust the operator's recorder; for the copy there, the Internet Archive alone.`)
	return b.String()
}

// alone says what stands against a page made up by the operator.
func (pl *plan) alone() string {
	if len(pl.receipts) == 0 {
		return "the operator of the archive saw them alone. A second, independent observer would answer that; this bundle has none."
	}
	return "the operator of the archive could have made them up, and the answers kept in wayback/ too. Against that stands the second observer's own copy: look at it where it is."
}

// sameRow is what the first page says about the second observer.
func (pl *plan) sameRow() string {
	if len(pl.receipts) == 0 {
		return `<span class="no">not present</span>`
	}
	var all []string
	for _, r := range pl.shown() {
		words, agrees := pl.said(&r)
		text := html.EscapeString(oneLine(words))
		if !agrees {
			text = "<b>No.</b> " + text
		}
		all = append(all, text)
	}
	return strings.Join(slices.Compact(all), "<br>") + " (wayback/)"
}

// observedRows are the rows of REPORT.html about the receipts.
func (pl *plan) observedRows() (b string) {
	for i := range pl.receipts {
		r := &pl.receipts[i]
		words, _ := pl.said(r)
		facts := html.EscapeString(factWords(r.entry.Facts))
		if g := r.manifest.Memento.Grade; g != "" {
			facts += "; its page graded " + html.EscapeString(oneLine(g))
		}
		b += row(code(r.entry.Capture)+"<br>captured "+stamp(r.entry.Time), stamp(r.manifest.Time), "<b>"+html.EscapeString(oneLine(words))+"</b><br>"+facts)
	}
	if b == "" {
		return row(`<span class="no">nobody asked</span>`, "", "")
	}
	return b
}
