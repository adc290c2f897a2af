package terms

import (
	"fmt"
	"slices"
)

// Tracker follows one document. It must be given its observations in the order
// of their times. It is not safe for concurrent use.
type Tracker struct {
	State   State
	Library Library
	Watch   *Watch // phrases that are never volatile; nil for none
}

// current returns the version in force.
func (t *Tracker) current() *Version {
	if n := len(t.State.Versions); n > 0 {
		return &t.State.Versions[n-1]
	}
	return nil
}

// Observe takes the next observation. An error is one of the library, and leaves
// the tracker as it is not to be used further.
func (t *Tracker) Observe(o Observation) (Step, error) {
	s := &t.State
	s.Tracker = TrackerVersion
	if o.Verdict.Grade != GradeTerms {
		return Step{Outcome: Suspect, Reason: string(o.Verdict.Grade) + ": " + o.Verdict.Reason}, nil
	}
	s.Good++
	cur := t.current()
	if cur == nil {
		s.Rules = o.Rules
		return Step{Outcome: First}, t.enforce(o, nil)
	}
	if o.Prints.Words == cur.Prints.Words {
		return t.same(o, cur)
	}
	known, met := t.State.known(o.Prints.Words)
	if met && known.Role != RolePending {
		return t.again(o, known)
	}
	return t.novel(o, known, met)
}

// same is an observation of the words in force.
func (t *Tracker) same(o Observation, cur *Version) (Step, error) {
	s := &t.State
	s.Holding, s.Returning = nil, nil
	if !s.Settled || len(s.Loose) > 0 {
		// All of it stood there twice.
		s.Settled, s.Loose = true, nil
		if err := t.putCore(nil, *cur); err != nil {
			return Step{}, err
		}
	}
	step := Step{Outcome: Unchanged}
	switch {
	case o.Prints.Links != cur.Prints.Links:
		step = Step{Outcome: LinksOnly, Reason: "the words lead to other addresses"}
	case o.Prints.Form != cur.Prints.Form:
		step.Reason = "formatting differs"
	}
	cur.Prints.Links, cur.Prints.Form = o.Prints.Links, o.Prints.Form
	cur.Last = o.Look
	return step, nil
}

// again is an observation of a state that was met before.
func (t *Tracker) again(o Observation, known Known) (Step, error) {
	s := &t.State
	cur := t.current()
	s.Holding = meet(s.Holding, known.Key, o)
	hold := s.Holding
	step := Step{Outcome: KnownVariant, Reason: "met before, first at " + known.First.Time.UTC().Format("2006-01-02 15:04:05 UTC")}
	if known.Version == cur.Prints.Words {
		if o.Time.Sub(hold.First.Time) < holdVolatile || hold.Count < holdLooks {
			return step, nil
		}
		// What was volatile stands still: it is a state like any other.
		clear(s.Slots)
		clear(s.Volatile)
		return t.confirm(hold.First, o, nil, "")
	}
	if hold.Count < holdLooks {
		step.Reason += fmt.Sprintf("; %d of %d looks in a row", hold.Count, holdLooks)
		return step, nil
	}
	return t.revert(hold.First, o, known)
}

// revert announces that an earlier state is in force again since first.
func (t *Tracker) revert(first, o Observation, known Known) (Step, error) {
	from, back := *t.current(), t.lookOf(known.Version)
	if err := t.enforce(first, nil); err != nil {
		return Step{}, err
	}
	news := Announcement{Kind: Reverted, From: from, To: *t.current(), At: first, Confirmed: o.Look, Return: back}
	return Step{Outcome: Unchanged, News: []Announcement{news}}, nil
}

// lookOf returns the look of the newest version with these words.
func (t *Tracker) lookOf(words string) string {
	for _, v := range slices.Backward(t.State.Versions) {
		if v.Prints.Words == words {
			return v.Look
		}
	}
	return ""
}

// novel is an observation of a state never met, or met and not confirmed.
func (t *Tracker) novel(o Observation, known Known, met bool) (Step, error) {
	s := &t.State
	old, err := t.Library.Text(t.current().Text)
	if err != nil {
		return Step{}, err
	}
	text, err := t.Library.Text(o.Text)
	if err != nil {
		return Step{}, err
	}
	s.Holding = meet(s.Holding, o.Prints.Words, o)
	hold := s.Holding
	doubt := ""
	if v := AssessAgainst(o.Verdict, text, old); v.Grade != GradeTerms && !(v.Grade == GradeShrunk && partOf(text, old)) {
		doubt = fmt.Sprintf("%s: %s", v.Grade, v.Reason)
		if hold.Count < holdLooks {
			return Step{Outcome: Suspect, Reason: fmt.Sprintf("%s; %d of %d looks in a row", doubt, hold.Count, holdLooks)}, nil
		}
	}
	if err := t.settle(old, text); err != nil {
		return Step{}, err
	}
	all := compareUnits(old, text)
	t.learn(all)
	left := t.significant(all)
	if len(left) == 0 {
		reason := "differs only where it keeps changing: " + quoteHunks(all)
		s.put(Known{Key: o.Prints.Words, Role: RoleVariant, Version: t.current().Prints.Words, First: o})
		return Step{Outcome: VolatileOnly, Reason: reason}, nil
	}
	switch {
	// The same words twice: nothing rotates in them.
	case met:
		return t.confirm(known.First, o, nil, doubt)
	case hold.Count > 1:
		return t.confirm(hold.First, o, nil, doubt)
	}
	if c := s.Candidate; c != nil {
		before, err := t.Library.Text(c.Text)
		if err != nil {
			return Step{}, err
		}
		if t.shares(t.significant(compareUnits(old, before)), left) {
			return t.promote(*c, before, o, text)
		}
	}
	s.Candidate = &o
	s.put(Known{Key: o.Prints.Words, Role: RolePending, First: o})
	return Step{Outcome: Unconfirmed, Reason: "new: " + quoteHunks(left)}, nil
}

// settle notes what of the first version a second text has too.
func (t *Tracker) settle(old, text *Text) error {
	s := &t.State
	if s.Settled {
		return nil
	}
	s.Settled, s.Loose = true, unitsOnlyIn(old, text)
	return t.putCore(&sightings{old, text}, *t.current())
}

// promote announces the candidate, part of whose news a later look has shown
// too, and then sees what that look says beyond it.
func (t *Tracker) promote(c Observation, before *Text, o Observation, text *Text) (Step, error) {
	both := &sightings{before, text}
	if earlier, met := t.State.known(core(before, text)); met {
		return t.comeBack(o, earlier)
	}
	first, err := t.confirm(c, o, both, "")
	if err != nil {
		return Step{}, err
	}
	t.State.Good-- // o is counted once
	then, err := t.Observe(o)
	then.News = append(first.News, then.News...)
	return then, err
}

// comeBack is an observation that is an earlier version beside what rotates in
// it.
func (t *Tracker) comeBack(o Observation, earlier Known) (Step, error) {
	s := &t.State
	step := Step{Outcome: KnownVariant, Reason: fmt.Sprintf("as at %s, but for what keeps changing", t.lookOf(earlier.Version))}
	s.Candidate = &o
	s.put(Known{Key: o.Prints.Words, Role: RoleVariant, Version: earlier.Version, First: o})
	if earlier.Version == t.current().Prints.Words {
		return step, nil
	}
	s.Returning = meet(s.Returning, earlier.Key, o)
	// The candidate before was the first of them.
	if s.Returning.Count+1 < holdLooks {
		return step, nil
	}
	return t.revert(s.Returning.First, o, earlier)
}

// sightings are the two texts that confirmed each other.
type sightings struct{ first, second *Text }

// confirm announces a state: first is where it was met, by confirms it. doubt is
// why it was suspect, "" if it was not.
func (t *Tracker) confirm(first, by Observation, both *sightings, doubt string) (Step, error) {
	from := *t.current()
	if err := t.enforce(first, both); err != nil {
		return Step{}, err
	}
	news := Announcement{Kind: Changed, From: from, To: *t.current(), At: first, Confirmed: by.Look, Doubt: doubt}
	return Step{Outcome: Unchanged, News: []Announcement{news}}, nil
}

// enforce puts a state in force. both are the texts that confirmed it, if they
// differ.
func (t *Tracker) enforce(o Observation, both *sightings) error {
	s := &t.State
	v := Version{Look: o.Look, Last: o.Look, Text: o.Text, Prints: o.Prints}
	s.Settled = len(s.Versions) > 0
	s.Versions = append(s.Versions, v)
	s.Candidate, s.Holding, s.Returning, s.Slots, s.Loose = nil, nil, nil, nil, nil
	if both != nil {
		s.Loose = unitsOnlyIn(both.first, both.second)
	}
	s.put(Known{Key: o.Prints.Words, Role: RoleVersion, Version: o.Prints.Words, First: o})
	if !s.Settled {
		return nil
	}
	return t.putCore(both, v)
}

// putCore remembers what of a version two looks have in common.
func (t *Tracker) putCore(both *sightings, v Version) error {
	if both == nil {
		text, err := t.Library.Text(v.Text)
		if err != nil {
			return err
		}
		both = &sightings{text, text}
	}
	t.State.put(Known{Key: core(both.first, both.second), Role: RoleVersion, Version: v.Prints.Words})
	return nil
}

// Rebase goes over to the rules that made o, without news: again reads the capture
// of a look once more by these rules; ok is false if they do not fit it. The
// version in force, if its capture cannot be read so, is o itself from now on: a
// rule never becomes a change.
func (t *Tracker) Rebase(o Observation, again func(look string) (o Observation, ok bool, err error)) error {
	s := &t.State
	s.Rules = o.Rules
	s.Known = slices.DeleteFunc(s.Known, func(k Known) bool { return k.Role != RoleVersion })
	s.Holding, s.Returning, s.Slots, s.Volatile, s.Loose = nil, nil, nil, nil, nil
	for i := range s.Versions {
		v := &s.Versions[i]
		read, ok, err := again(v.Last)
		if err == nil && v.Look != v.Last && !(ok && read.Verdict.Grade == GradeTerms) {
			read, ok, err = again(v.Look) // a page of a time when these rules fitted
		}
		if err != nil {
			return err
		}
		switch {
		case ok && read.Verdict.Grade == GradeTerms:
		case i == len(s.Versions)-1:
			read = o
		default:
			continue
		}
		v.Text, v.Prints = read.Text, read.Prints
		s.put(Known{Key: v.Prints.Words, Role: RoleVersion, Version: v.Prints.Words, First: read})
		if err := t.putCore(nil, *v); err != nil {
			return err
		}
	}
	if s.Candidate == nil {
		return nil
	}
	read, ok, err := again(s.Candidate.Look)
	if err != nil || !ok {
		s.Candidate = nil
		return err
	}
	s.Candidate = &read
	s.put(Known{Key: read.Prints.Words, Role: RolePending, First: read})
	return nil
}
