package terms

import (
	"fmt"
	"slices"
	"time"
)

// Outcome is what an observation means after those before it.
type Outcome string

// The outcomes.
const (
	First        Outcome = "first"         // the first text of the document
	Unchanged    Outcome = "unchanged"     // the words of the version in force
	Changed      Outcome = "changed"       // a state never met before, confirmed by a later look
	Reverted     Outcome = "reverted"      // an earlier state again, and it stays
	KnownVariant Outcome = "known-variant" // a state met before that has not come to stay
	VolatileOnly Outcome = "volatile-only" // differs in short passages that keep changing, or were seen once
	LinksOnly    Outcome = "links-only"    // the same words lead to other addresses
	Suspect      Outcome = "suspect"       // the capture does not count as terms
	Unconfirmed  Outcome = "unconfirmed"   // a state never met before that no later look has confirmed
)

// Rules of the tracker. They are part of TrackerVersion.
const (
	holdLooks     = 3                  // so often in a row an earlier or a suspect state is met before it counts
	holdVolatile  = 7 * 24 * time.Hour // so long a volatile passage stands still before it counts
	volatileIn    = 10                 // of so many looks …
	volatileTimes = 3                  // … a passage has so many different contents: it is volatile
	volatileRunes = 200                // and none is longer

	maxPending = 20 // states that wait for confirmation and are remembered
	maxVariant = 50 // variants that are
)

// TrackerVersion is the version of the rules by which outcomes are found.
const TrackerVersion = "1"

// Observation is one look at a document: a capture that was read.
type Observation struct {
	Look    string // names the look; opaque
	Time    time.Time
	Verdict Verdict // by Assess
	Rules   string  // names what made the text: extractor and declared rules
	Text    string  // name of the text in the library; what follows is of it
	Prints  Fingerprints
}

// Known says how a state was met before.
type Known struct {
	Key     string      `json:"key"` // Fingerprints.Words, or "core:" and a digest (see core)
	Role    Role        `json:"role"`
	Version string      `json:"version,omitempty"` // words of the version that it is, or is a variant of
	First   Observation `json:"first,omitzero"`    // where it was met first; "core:" has none
}

// Role is what a state met before is to the document.
type Role string

// The roles.
const (
	RoleVersion Role = "version" // a version, in force or earlier
	RoleVariant Role = "variant" // of a version: differs in volatile passages
	RolePending Role = "pending" // not confirmed
)

// Library returns texts by the names in observations: those of the observation
// at hand and of State.Texts.
type Library interface {
	Text(name string) (*Text, error)
}

// Version is a state that was announced.
type Version struct {
	Look   string       `json:"look"` // where it was met first: names it
	Last   string       `json:"last"` // where its words were met last
	Text   string       `json:"text"`
	Prints Fingerprints `json:"prints"`
}

// State is what the tracker remembers of one document between observations. It
// is JSON, and grows with the number of versions alone.
type State struct {
	Tracker   string                `json:"tracker"` // TrackerVersion
	Rules     string                `json:"rules"`
	Good      int                   `json:"good"`     // observations that count as terms
	Versions  []Version             `json:"versions"` // the last one is in force
	Known     []Known               `json:"known,omitempty"`
	Settled   bool                  `json:"settled"` // the version in force was met twice, Loose aside
	Loose     []string              `json:"loose,omitempty"`
	Candidate *Observation          `json:"candidate,omitempty"`
	Holding   *Holding              `json:"holding,omitempty"`   // a state that is not in force
	Returning *Holding              `json:"returning,omitempty"` // an earlier version, beside what rotates
	Slots     map[string][]Filling  `json:"slots,omitempty"`
	Volatile  map[string]VolatileAt `json:"volatile,omitempty"` // passages learned, by slot
}

// known returns how a state was met before, and whether it was.
func (s *State) known(key string) (Known, bool) {
	for _, k := range s.Known {
		if k.Key == key {
			return k, true
		}
	}
	return Known{}, false
}

// put remembers how a state was met, and forgets the oldest of its role if there
// are too many: met again, it is judged again.
func (s *State) put(k Known) {
	s.Known = slices.DeleteFunc(s.Known, func(old Known) bool { return old.Key == k.Key })
	s.Known = append(s.Known, k)
	limit := map[Role]int{RolePending: maxPending, RoleVariant: maxVariant}[k.Role]
	n := 0
	for i := len(s.Known) - 1; i >= 0 && limit > 0; i-- {
		if s.Known[i].Role != k.Role {
			continue
		}
		if n++; n > limit {
			s.Known = slices.Delete(s.Known, i, i+1)
			return
		}
	}
}

// Texts returns the names of the texts that the tracker may ask for again.
func (s *State) Texts() []string {
	var names []string
	for _, v := range s.Versions {
		names = append(names, v.Text)
	}
	for _, k := range s.Known {
		if k.Role == RolePending {
			names = append(names, k.First.Text)
		}
	}
	for _, o := range []*Observation{s.Candidate, s.Holding.first(), s.Returning.first()} {
		if o != nil {
			names = append(names, o.Text)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func (h *Holding) first() *Observation {
	if h == nil {
		return nil
	}
	return &h.First
}

// Holding counts how often a state is met in a row.
type Holding struct {
	Key   string      `json:"key"` // as in Known
	Count int         `json:"count"`
	First Observation `json:"first"`
}

// meet counts an observation of a state.
func meet(h *Holding, key string, o Observation) *Holding {
	if h == nil || h.Key != key {
		h = &Holding{Key: key, First: o}
	}
	h.Count++
	return h
}

// Filling is what stood in a slot at an observation.
type Filling struct {
	Good    int    `json:"good"`    // number of the observation
	Content string `json:"content"` // digest
}

// VolatileAt is a passage that keeps changing.
type VolatileAt struct {
	Good    int    `json:"good"` // observation by which it was learned
	Example string `json:"example"`
}

// Announcement is news of a document.
type Announcement struct {
	Kind      Outcome     // Changed or Reverted
	From, To  Version     // To.Look is where the state was met first; of Reverted, where it came back
	At        Observation // of To.Look
	Confirmed string      // look that confirmed it
	Return    string      // of Reverted: look of the version that came back
}

// Step is what came of an observation.
type Step struct {
	Outcome Outcome
	Reason  string // why it is not told, or what it differs in
	News    []Announcement
}

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
	step := Step{Outcome: KnownVariant, Reason: fmt.Sprintf("met before, first at %s", known.First.Look)}
	if known.Version == cur.Prints.Words {
		if o.Time.Sub(hold.First.Time) < holdVolatile || hold.Count < holdLooks {
			return step, nil
		}
		// What was volatile stands still: it is a state like any other.
		clear(s.Slots)
		clear(s.Volatile)
		return t.confirm(hold.First, o, nil)
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
	if v := AssessAgainst(o.Verdict, text, old); v.Grade != GradeTerms && hold.Count < holdLooks && !(v.Grade == GradeShrunk && partOf(text, old)) {
		return Step{Outcome: Suspect, Reason: fmt.Sprintf("%s: %s; %d of %d looks in a row", v.Grade, v.Reason, hold.Count, holdLooks)}, nil
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
		return t.confirm(known.First, o, nil)
	case hold.Count > 1:
		return t.confirm(hold.First, o, nil)
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
	first, err := t.confirm(c, o, both)
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

// confirm announces a state: first is where it was met, by confirms it.
func (t *Tracker) confirm(first, by Observation, both *sightings) (Step, error) {
	from := *t.current()
	if err := t.enforce(first, both); err != nil {
		return Step{}, err
	}
	news := Announcement{Kind: Changed, From: from, To: *t.current(), At: first, Confirmed: by.Look}
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

// learn notes what stands in the short passages that differ, and which of them
// keep changing.
func (t *Tracker) learn(all []hunk) {
	s := &t.State
	if slices.ContainsFunc(all, func(h hunk) bool { return !t.short(&h) }) {
		return
	}
	if s.Slots == nil {
		s.Slots = map[string][]Filling{}
	}
	for i := range all {
		h := &all[i]
		list := slices.DeleteFunc(s.Slots[h.slot()], func(f Filling) bool { return f.Good <= s.Good-volatileIn })
		list = append(list, Filling{s.Good, h.content()})
		s.Slots[h.slot()] = list
		distinct := map[string]bool{}
		for _, f := range list {
			distinct[f.Content] = true
		}
		if len(distinct) >= volatileTimes {
			if s.Volatile == nil {
				s.Volatile = map[string]VolatileAt{}
			}
			s.Volatile[h.slot()] = VolatileAt{s.Good, h.quote()}
		}
	}
}

// short reports whether a passage may be volatile at all.
func (t *Tracker) short(h *hunk) bool {
	for _, side := range [][]unit{h.lost, h.added} {
		n := 0
		for _, u := range side {
			n += len([]rune(u.text))
			if t.Watch != nil && len(t.Watch.Match(u.text)) > 0 {
				return false
			}
		}
		if n > volatileRunes {
			return false
		}
	}
	return true
}

// significant returns the hunks that are not volatile.
func (t *Tracker) significant(all []hunk) []hunk {
	var left []hunk
	for _, h := range all {
		if _, volatile := t.State.Volatile[h.slot()]; volatile && t.short(&h) {
			continue
		}
		left = append(left, h)
	}
	return left
}

// shares reports whether two comparisons with the version in force have news in
// common: a passage that is new in both, or lost in both. A lost passage that was
// seen once only counts where nothing stands in its place: else it may be one that
// is another one each time.
func (t *Tracker) shares(a, b []hunk) bool {
	added, lost := map[string]bool{}, map[string]bool{}
	for _, h := range a {
		for _, u := range h.added {
			added[u.hash] = true
		}
		for _, u := range h.lost {
			if t.counts(&h, u) {
				lost[u.hash] = true
			}
		}
	}
	for _, h := range b {
		if slices.ContainsFunc(h.added, func(u unit) bool { return added[u.hash] }) {
			return true
		}
		if slices.ContainsFunc(h.lost, func(u unit) bool { return lost[u.hash] && t.counts(&h, u) }) {
			return true
		}
	}
	return false
}

func (t *Tracker) counts(h *hunk, lost unit) bool {
	return len(h.added) == 0 || t.State.Settled && !slices.Contains(t.State.Loose, lost.hash)
}
