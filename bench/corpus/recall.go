package main

import (
	"fmt"

	"github.com/fineprint-archive/fineprint/archive/terms"
)

// held is the share of the other system's words that a page must show before it
// is asked how many of them we keep.
const held = 0.97

// fidelity is how our texts compare with the other system's.
type fidelity struct {
	Texts     int       `json:"texts"`     // compared
	NotHeld   int       `json:"not_held"`  // pages that do not show that text
	NotGood   int       `json:"not_good"`  // captures that are no terms by our grade
	Recall    float64   `json:"recall"`    // mean
	Minimum   float64   `json:"minimum"`   // recall
	Precision float64   `json:"precision"` // mean
	Listed    []finding `json:"listed"`    // recall below 0.95
}

// recall compares our text of a version with the other system's.
func (f *findings) recall(v *version) {
	if v.oracle == "" {
		return
	}
	r, count := &f.HTML, words
	if v.isPDF() {
		r, count = &f.PDF, grams
	}
	theirs := count(oracleText(v.oracle))
	if theirs.total() == 0 || theirs.share(count(v.shown())) < held {
		r.NotHeld++
		return
	}
	if v.verdict.Grade != terms.GradeTerms {
		r.NotGood++
		return
	}
	ours := count(ourText(v.text))
	recall := theirs.share(ours)
	if r.Texts == 0 || recall < r.Minimum {
		r.Minimum = recall
	}
	r.Texts++
	r.Recall += recall
	r.Precision += ours.share(theirs)
	if recall < 0.95 {
		missing := theirs.without(ours)
		r.Listed = append(r.Listed, finding{Page: v.Page, Time: v.name(), Value: recall, Reason: fmt.Sprintf("lacks %s", few(missing))})
	}
}

// add takes another page's figures; sums stay sums until mean.
func (r *fidelity) add(o *fidelity) {
	if o.Texts > 0 && (r.Texts == 0 || o.Minimum < r.Minimum) {
		r.Minimum = o.Minimum
	}
	r.Texts += o.Texts
	r.NotHeld += o.NotHeld
	r.NotGood += o.NotGood
	r.Recall += o.Recall
	r.Precision += o.Precision
	r.Listed = append(r.Listed, o.Listed...)
}

// mean makes means of the sums.
func (r *fidelity) mean() {
	if r.Texts > 0 {
		r.Recall /= float64(r.Texts)
		r.Precision /= float64(r.Texts)
	}
}
