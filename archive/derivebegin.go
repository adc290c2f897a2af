package archive

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/fineprint-archive/fineprint/archive/catalog"
)

// redo is what a derivation from the first look on has to know of the one before,
// whose rows are gone.
type redo struct {
	Covered map[string][][2]int64 `json:"covered"` // looks that it had taken in, as runs, by source
	Told    []catalog.ChangeRow   `json:"told"`
	Late    bool                  `json:"late"`
}

// begin returns the looks to take in; again says that they are all there are.
func (w *docWalk) begin() (looks []catalog.LookRow, again bool, err error) {
	db := w.cfg.Catalog
	begun := false
	if w.stored, begun, err = db.Tracked(w.ctx, w.task.document.ID); err != nil {
		return nil, false, err
	}
	same := begun && w.stored.Rules == DerivationVersion
	if w.state, err = restoreState(w.stored, same); err != nil {
		return nil, false, err
	}
	before := redo{}
	if w.state.Redo != nil {
		before = *w.state.Redo
	}
	if looks, err = db.LooksToDerive(w.ctx, w.task.sources, false); err != nil {
		return nil, false, err
	}
	if w.state.Redo == nil && begun {
		if before.Covered, err = w.covered(lowest(looks)); err != nil {
			return nil, false, err
		}
	}
	looks = slices.DeleteFunc(looks, before.covers)
	forced := w.cfg.Again || w.state.Redo != nil
	if len(looks) == 0 && !forced {
		return nil, false, nil
	}
	if same && !w.cfg.Again {
		// Of two looks at the same time either may come first.
		before.Late = before.Late || slices.ContainsFunc(looks, func(l catalog.LookRow) bool { return !l.Time.After(w.stored.Cursor) })
	}
	if again = !same || forced || before.Late; again {
		looks, err = w.redo(begun, &before)
	}
	for i := range looks {
		if !before.covers(looks[i]) {
			w.fresh[lookName(looks[i].Source, looks[i].N)] = true
		}
	}
	w.told, w.late = before.Told, before.Late
	return looks, again, err
}

// redo returns all looks at the document, and completes what is known of an
// earlier derivation.
func (w *docWalk) redo(begun bool, before *redo) ([]catalog.LookRow, error) {
	db, document := w.cfg.Catalog, w.task.document.ID
	cutOff := w.state.Redo != nil
	w.state = newDocState()
	if begun {
		w.state.Redo = before
		w.count(func(s *DeriveStats) { s.Redone++ })
	}
	if begun && !cutOff {
		sources, err := db.SourcesRead(w.ctx, document)
		if err != nil {
			return nil, err
		}
		all := map[string]int64{}
		for _, source := range sources {
			all[source] = 0
		}
		if before.Covered, err = w.covered(all); err != nil {
			return nil, err
		}
		if before.Told, err = db.ChangesDerived(w.ctx, document); err != nil {
			return nil, err
		}
	}
	return db.LooksToDerive(w.ctx, before.sources(w.task.sources), true)
}

// lowest returns the smallest number of the looks at each source.
func lowest(looks []catalog.LookRow) map[string]int64 {
	from := map[string]int64{}
	for i := range looks {
		if n, ok := from[looks[i].Source]; !ok || looks[i].N < n {
			from[looks[i].Source] = looks[i].N
		}
	}
	return from
}

// covered returns the looks at sources, each from a number on, that are taken in.
func (w *docWalk) covered(from map[string]int64) (map[string][][2]int64, error) {
	runs := map[string][][2]int64{}
	for source, n := range from {
		var err error
		if runs[source], err = w.cfg.Catalog.Derived(w.ctx, w.task.document.ID, source, n); err != nil {
			return nil, err
		}
	}
	return runs, nil
}

// covers reports whether a look was taken in.
func (b *redo) covers(l catalog.LookRow) bool {
	return slices.ContainsFunc(b.Covered[l.Source], func(r [2]int64) bool { return r[0] <= l.N && l.N <= r[1] })
}

// sources returns those of the document then and now.
func (b *redo) sources(now []string) []string {
	all := slices.AppendSeq(slices.Clone(now), maps.Keys(b.Covered))
	slices.Sort(all)
	return slices.Compact(all)
}

// newDocState returns the state of a document without looks.
func newDocState() docState {
	return docState{Parts: map[string]*partState{}, Made: map[string][]made{}}
}

// restoreState reads a stored state. Of one by other rules nothing is of use but
// what was to be redone.
func restoreState(t catalog.Tracked, same bool) (docState, error) {
	fresh, stored := newDocState(), docState{}
	if len(t.State) == 0 {
		return fresh, nil
	}
	b, err := unpack(t.State)
	if err == nil {
		err = json.Unmarshal(b, &stored)
	}
	if !same {
		if err == nil {
			fresh.Redo = stored.Redo
		}
		return fresh, nil
	}
	if err != nil {
		return fresh, fmt.Errorf("stored state: %w", err)
	}
	if stored.Parts == nil || stored.Made == nil {
		return fresh, errors.New("stored state: incomplete; `fineprint derive --again` makes it again")
	}
	return stored, nil
}
