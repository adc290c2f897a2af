package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/fineprint-archive/fineprint/archive/terms"
)

// findings are what one page, or all of them, give.
type findings struct {
	Pages     int            `json:"pages"`
	Versions  int            `json:"versions"`
	Bytes     int64          `json:"bytes"`
	MBPerS    float64        `json:"mb_per_s"` // 10^6 bytes a second of one worker
	Grades    map[string]int `json:"grades"`
	NotTerms  []finding      `json:"not_terms"`
	Unchanged pairs          `json:"unchanged"` // by label
	Labelled  pairs          `json:"changed"`   // by label
	HTML      fidelity       `json:"html"`
	PDF       fidelity       `json:"pdf"`
	Replay    [2]replayed    `json:"replay"` // with one look at each version, with two

	spent time.Duration
}

// grade counts the grade of a version.
func (f *findings) grade(v *version) {
	if f.Grades == nil {
		f.Grades = map[string]int{}
	}
	f.Grades[string(v.verdict.Grade)]++
	if v.verdict.Grade != terms.GradeTerms {
		f.NotTerms = append(f.NotTerms, finding{Page: v.Page, Time: v.name(), Reason: string(v.verdict.Grade) + ": " + v.verdict.Reason})
	}
}

// report is all findings, and the bounds that they break.
type report struct {
	findings
	Broken []string `json:"broken"`
}

func newReport(found []*findings, accepted map[string]string) *report {
	r := &report{Broken: []string{}}
	r.Grades = map[string]int{}
	for _, f := range found {
		r.Pages++
		r.Versions += f.Versions
		r.Bytes += f.Bytes
		r.spent += f.spent
		for g, n := range f.Grades {
			r.Grades[g] += n
		}
		r.NotTerms = append(r.NotTerms, f.NotTerms...)
		r.Unchanged.add(&f.Unchanged)
		r.Labelled.add(&f.Labelled)
		r.HTML.add(&f.HTML)
		r.PDF.add(&f.PDF)
		for i := range r.Replay {
			r.Replay[i].add(&f.Replay[i])
		}
	}
	r.HTML.mean()
	r.PDF.mean()
	if r.spent > 0 {
		r.MBPerS = float64(r.Bytes) / 1e6 / r.spent.Seconds()
	}
	for _, list := range [][]finding{r.Unchanged.Listed, r.Labelled.Listed, r.HTML.Listed, r.PDF.Listed} {
		for i := range list {
			list[i].Reviewed = accepted[list[i].Page+" "+list[i].Time]
		}
	}
	r.judge()
	return r
}

func (p *pairs) add(o *pairs) {
	p.Pairs += o.Pairs
	p.Changed += o.Changed
	p.Listed = append(p.Listed, o.Listed...)
	p.Refuted = append(p.Refuted, o.Refuted...)
	for reason, n := range o.Apart {
		for range n {
			p.apart(reason)
		}
	}
}

// noise counts the pairs labelled as unchanged whose words differ, and all of them,
// without those that a person found to be changes.
func (r *report) noise() (noise, pairs int) {
	noise, pairs = r.Unchanged.Changed, r.Unchanged.Pairs
	for _, f := range r.Unchanged.Listed {
		if f.Reviewed != "" {
			noise, pairs = noise-1, pairs-1
		}
	}
	return noise, pairs
}

// judge lists the broken bounds.
func (r *report) judge() {
	broken := func(format string, args ...any) { r.Broken = append(r.Broken, fmt.Sprintf(format, args...)) }
	noise, pairs := r.noise()
	if noise*100 > pairs {
		broken("noise: %d of %d pairs, more than 1 %%", noise, pairs)
	}
	missed := 0
	for _, f := range r.Labelled.Listed {
		if f.Class == visible && f.Reviewed == "" {
			missed++
		}
	}
	if missed > 0 {
		broken("ignored: %d changes that the page shows, not reviewed", missed)
	}
	if r.HTML.Texts > 0 && r.HTML.Recall < 0.995 {
		broken("recall: mean %.4f, below 0.995", r.HTML.Recall)
	}
	low := 0
	for _, f := range slices.Concat(r.HTML.Listed, r.PDF.Listed) {
		if f.Reviewed == "" {
			low++
		}
	}
	if low > 0 {
		broken("recall: %d texts below 0.95, not reviewed", low)
	}
	for i := range r.Replay {
		if n := len(r.Replay[i].Again); n > 0 {
			broken("replay, looks at each %d: %d announced as new again", i+1, n)
		}
		if n := len(r.Replay[i].Lost); n > 0 {
			broken("replay, looks at each %d: %d states lost", i+1, n)
		}
	}
}

// print writes the report for people.
func (r *report) print(w io.Writer) {
	fmt.Fprintf(w, "%d versions of %d pages, %.1f MB; extraction %.1f MB/s per worker\n", r.Versions, r.Pages, float64(r.Bytes)/1e6, r.MBPerS)
	fmt.Fprintf(w, "grades: %s\n", counts(r.Grades))
	list(w, r.NotTerms)
	noise, pairs := r.noise()
	fmt.Fprintf(w, "\nlabelled unchanged: %d pairs, %d novel by words, %d of them reviewed as changes; noise %d of %d (%.2f %%); apart: %s\n", r.Unchanged.Pairs, r.Unchanged.Changed, r.Unchanged.Changed-noise, noise, pairs, percent(noise, pairs), counts(r.Unchanged.Apart))
	list(w, r.Unchanged.Listed)
	fmt.Fprintf(w, "  label refuted by its own text, counted apart: %d\n", len(r.Unchanged.Refuted))
	list(w, r.Unchanged.Refuted)
	fmt.Fprintf(w, "\nlabelled changed: %d pairs, %d novel by words, %d ignored (%s); apart: %s\n", r.Labelled.Pairs, r.Labelled.Changed, len(r.Labelled.Listed), classes(r.Labelled.Listed), counts(r.Labelled.Apart))
	list(w, r.Labelled.Listed)
	r.HTML.print(w, "recall of words, HTML")
	r.PDF.print(w, "recall of runs of five letters, PDF")
	for i := range r.Replay {
		p := &r.Replay[i]
		fmt.Fprintf(w, "\nreplay, looks at each version %d: %d looks, %d states; announced changed %d, reverted %d; as new again %d, lost %d; %s\n", i+1, p.Looks, p.States, p.Changed, p.Reverted, len(p.Again), len(p.Lost), counts(p.Outcomes))
		list(w, p.Again)
		list(w, p.Lost)
	}
	if len(r.Broken) == 0 {
		fmt.Fprintln(w, "\nall bounds hold")
		return
	}
	fmt.Fprintf(w, "\nbroken:\n  %s\n", strings.Join(r.Broken, "\n  "))
}

func (r *fidelity) print(w io.Writer, title string) {
	fmt.Fprintf(w, "\n%s: %d texts, mean %.4f, minimum %.4f, below 0.95 %d; precision %.4f; apart: page lacks the text %d, no good capture %d\n", title, r.Texts, r.Recall, r.Minimum, len(r.Listed), r.Precision, r.NotHeld, r.NotGood)
	list(w, r.Listed)
}

func list(w io.Writer, all []finding) {
	for _, f := range all {
		s := "  " + f.Page + " " + f.Time
		if f.Value > 0 {
			s += fmt.Sprintf(" %.3f", f.Value)
		}
		if f.Class != "" {
			s += " " + f.Class + ":"
		}
		s += " " + f.Reason
		if f.Reviewed != "" {
			s += " (reviewed: " + f.Reviewed + ")"
		}
		fmt.Fprintln(w, s)
	}
}

func counts(m map[string]int) string {
	var all []string
	for _, k := range slices.Sorted(maps.Keys(m)) {
		all = append(all, fmt.Sprintf("%s %d", k, m[k]))
	}
	if all == nil {
		return "none"
	}
	return strings.Join(all, ", ")
}

// classes counts the classes of findings.
func classes(all []finding) string {
	m := map[string]int{}
	for _, f := range all {
		m[f.Class]++
	}
	return counts(m)
}

func percent(n, of int) float64 {
	if of == 0 {
		return 0
	}
	return 100 * float64(n) / float64(of)
}
