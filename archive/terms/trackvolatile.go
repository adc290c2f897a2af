package terms

import "slices"

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
