package main

import (
	"fmt"
	"time"

	"github.com/fineprint-archive/fineprint/archive/terms"
)

// replayed is what the tracker makes of sequences of versions.
type replayed struct {
	Looks    int            `json:"looks"`
	States   int            `json:"states"` // different good texts, page by page
	Outcomes map[string]int `json:"outcomes"`
	Changed  int            `json:"changed"`  // announced
	Reverted int            `json:"reverted"` // announced
	Again    []finding      `json:"again"`    // announced as new, though announced before
	Lost     []finding      `json:"lost"`     // called unchanged, though not the words in force
}

// replay gives the tracker each version so many times, 20 minutes apart.
func (r *replayed) replay(all []*version, looks int) error {
	if r.Outcomes == nil {
		r.Outcomes = map[string]int{}
	}
	library := terms.NewMemory()
	tracker := &terms.Tracker{Library: library}
	states, told := map[string]bool{}, map[string]bool{}
	for _, v := range all {
		for n := range looks {
			o := terms.Observation{
				Look: fmt.Sprintf("%s#%d", v.name(), n+1), Time: v.Time.Add(time.Duration(n) * 20 * time.Minute),
				Verdict: v.verdict, Rules: v.text.Extractor, Text: library.Add(v.text), Prints: v.prints,
			}
			step, err := tracker.Observe(o)
			if err != nil {
				return fmt.Errorf("replay of %s at %s: %w", v.Page, o.Look, err)
			}
			r.Looks++
			r.Outcomes[string(step.Outcome)]++
			if o.Verdict.Grade == terms.GradeTerms && !states[o.Prints.Words] {
				states[o.Prints.Words] = true
				r.States++
			}
			r.news(v, step, told)
			inForce := tracker.State.Versions
			if calm := step.Outcome == terms.Unchanged || step.Outcome == terms.First || step.Outcome == terms.LinksOnly; calm {
				words := inForce[len(inForce)-1].Prints.Words
				told[words] = true
				if words != o.Prints.Words {
					r.Lost = append(r.Lost, finding{Page: v.Page, Time: v.name(), Reason: string(step.Outcome) + ", but not the words in force"})
				}
			}
		}
	}
	return nil
}

// news counts announcements.
func (r *replayed) news(v *version, step terms.Step, told map[string]bool) {
	for _, a := range step.News {
		words := a.To.Prints.Words
		if a.Kind == terms.Reverted {
			r.Reverted++
			continue
		}
		r.Changed++
		if told[words] {
			r.Again = append(r.Again, finding{Page: v.Page, Time: v.name(), Reason: "announced as new, though it was in force before"})
		}
		told[words] = true
	}
}

// add takes another page's figures.
func (r *replayed) add(o *replayed) {
	r.Looks += o.Looks
	r.States += o.States
	r.Changed += o.Changed
	r.Reverted += o.Reverted
	r.Again = append(r.Again, o.Again...)
	r.Lost = append(r.Lost, o.Lost...)
	if r.Outcomes == nil {
		r.Outcomes = map[string]int{}
	}
	for k, n := range o.Outcomes {
		r.Outcomes[k] += n
	}
}
