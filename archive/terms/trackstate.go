package terms

import (
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

// TrackerVersion is the version of the rules by which outcomes are found, and what
// is said of a version and a change beside the text: dates, editions, the summary.
const TrackerVersion = "2"

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
	Doubt     string      // of Changed: why its looks would not count as terms, had not holdLooks of them shown it; else ""
}

// Step is what came of an observation.
type Step struct {
	Outcome Outcome
	Reason  string // why it is not told, or what it differs in
	News    []Announcement
}
