package terms

import (
	"fmt"
	"slices"
	"strings"

	"github.com/clipperhouse/uax29/v2/graphemes"
)

// Summary says in one line what differs, in at most about limit characters as a
// reader counts them (graphemes), such as
//
//	3 added, 1 changed, 1 removed: + "We may train models." - "We do not sell your data."
//
// with the sentence gained and the sentence lost that have the most words, and pairs
// of words, which the other text has nowhere. They are shortened around the words
// that are new or gone. The counts are of blocks and are never shortened. Control
// characters are shown as U+FFFD. It needs OldText and NewText for the sentences.
func (d *Diff) Summary(limit int) string {
	return d.SummaryOf(limit, func(Passage) bool { return false })
}

// SummaryOf is Summary with a taste of its own: it quotes a sentence that is
// preferred, such as one with a watch phrase among its new words, if there is any.
func (d *Diff) SummaryOf(limit int, prefer func(Passage) bool) string {
	if d.Same() {
		return "no difference"
	}
	head := d.counts()
	if d.OldText == nil || d.NewText == nil {
		return head
	}
	added := telling(d.Added(), shinglesOf(d.OldText), prefer)
	removed := telling(d.Removed(), shinglesOf(d.NewText), prefer)
	if removed != nil && len(removed.Words) == 0 {
		removed = nil // it only grew: what it grew to says more
	}
	room := limit - len(head) - len(`: + "" - ""`)
	switch {
	case room < 20 || added == nil && removed == nil:
		return head
	case removed == nil:
		return printable(head + ": + " + quote(added, room))
	case added == nil:
		return printable(head + ": - " + quote(removed, room))
	}
	half := room / 2
	if n := countGraphemes(removed.Text); n < half {
		half = room - n
	} else if n := countGraphemes(added.Text); n < half {
		half = n
	}
	return printable(head + ": + " + quote(added, half) + " - " + quote(removed, room-half))
}

// counts says how many blocks of each kind of change there are.
func (d *Diff) counts() string {
	s := d.Stats()
	var all []string
	for _, n := range []struct {
		count int
		name  string
	}{
		{s.Added, "added"}, {s.Derived, "derived from earlier text"}, {s.Edited, "changed"},
		{s.Removed, "removed"}, {s.Moved, "moved"}, {s.Formatted, "in another form"},
	} {
		if n.count > 0 {
			all = append(all, fmt.Sprintf("%d %s", n.count, n.name))
		}
	}
	return strings.Join(all, ", ")
}

// shinglesOf returns the sketch of a whole text.
func shinglesOf(t *Text) []uint32 {
	all := sketch(t.Blocks, func(int) bool { return true }).hashes
	slices.Sort(all)
	return slices.Compact(all)
}

// telling returns the passage with the most shingles that the other text has not.
// Preferred ones come before all others, those that differ by nothing of their own
// after them. Of equal ones it is the first; nil if there is none.
func telling(all []Passage, other []uint32, prefer func(Passage) bool) *Passage {
	var best *Passage
	var set []uint32
	most := -1
	for k := range all {
		n := 0
		if len(all[k].Words) > 0 {
			set, _ = shingles(set[:0], all[k].Text)
			for _, h := range set {
				if _, known := slices.BinarySearch(other, h); !known {
					n++
				}
			}
		}
		if prefer(all[k]) {
			n += 4 * maxSketch
		}
		if n > most {
			best, most = &all[k], n
		}
	}
	return best
}

// quote returns a passage in quotation marks, at most limit graphemes of it: from its
// start if its first changed words are among them, else from a little before them.
func quote(p *Passage, limit int) string {
	at := graphemeStarts(p.Text)
	if len(at) <= limit {
		return `"` + p.Text + `"`
	}
	from := 0
	if len(p.Words) > 0 {
		first, _ := slices.BinarySearch(at, p.Words[0].Start)
		last, _ := slices.BinarySearch(at, p.Words[0].End)
		if last > limit {
			from = min(max(first-limit/5, 0), len(at)-limit)
		}
	}
	s := p.Text[at[from]:]
	if to := from + limit; to < len(at) {
		s = p.Text[at[from]:at[to]]
		if cut := strings.LastIndexByte(s, ' '); cut > len(s)*3/4 {
			s = s[:cut]
		}
		s += "…"
	}
	if from > 0 {
		if cut := strings.IndexByte(s, ' '); cut >= 0 && cut < len(s)/8 {
			s = s[cut+1:]
		}
		s = "…" + s
	}
	return `"` + s + `"`
}

// graphemeStarts returns the byte at which each grapheme begins.
func graphemeStarts(s string) []int {
	var at []int
	n := 0
	for it := graphemes.FromString(s); it.Next(); {
		at = append(at, n)
		n += len(it.Value())
	}
	return at
}

func countGraphemes(s string) int {
	n := 0
	for it := graphemes.FromString(s); it.Next(); {
		n++
	}
	return n
}
