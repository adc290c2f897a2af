package terms

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Header says what a rendering is of. Empty fields are left out.
type Header struct {
	Document string // name of the document, or of both
	// OldTime and NewTime are when the texts were captured.
	OldTime, NewTime time.Time
	// OldDigest and NewDigest name the texts; those of the Diff if empty.
	OldDigest, NewDigest string
}

// sides returns what is known of the two texts, a line each.
func (h *Header) sides(d *Diff) (old, new string) {
	line := func(t time.Time, digest, title string) string {
		var parts []string
		if !t.IsZero() {
			parts = append(parts, t.UTC().Format("2006-01-02 15:04:05 UTC"))
		}
		if title != "" {
			parts = append(parts, title)
		}
		return strings.Join(append(parts, "sha256:"+digest), "  ")
	}
	return line(h.OldTime, cmp.Or(h.OldDigest, d.Old.Digest), d.Old.Title),
		line(h.NewTime, cmp.Or(h.NewDigest, d.New.Digest), d.New.Title)
}

// tally counts what differs, for the head of a rendering.
func (d *Diff) tally() string {
	if d.Same() {
		return "no difference"
	}
	s := d.Stats()
	if s.AddedWords == 0 && s.RemovedWords == 0 {
		return d.counts()
	}
	return fmt.Sprintf("%s; words: %d added, %d removed", d.counts(), s.AddedWords, s.RemovedWords)
}

// stretch is a part of a rendering: blocks of one change, or a fold.
type stretch struct {
	change *Change
	first  int // of the blocks of the change
	count  int
	folded bool // not to be shown but by their number
}

// stretches divides the changes into what is shown and what is folded: of
// unchanged blocks, those further than context from a change; of blocks that moved
// or were copied as they are, all between the first and the last. A negative
// context folds nothing.
func (d *Diff) stretches(context int) []stretch {
	var all []stretch
	for k := range d.Changes {
		ch := &d.Changes[k]
		head, tail := ch.Count, 0
		switch {
		case context < 0 || ch.Blocks != nil || ch.Op == MovedAway:
		case ch.Op != Equal:
			head, tail = max(context, 1), max(context, 1)
		default:
			head, tail = context, context
			if k == 0 {
				head = 0
			}
			if k == len(d.Changes)-1 {
				tail = 0
			}
		}
		if fold := ch.Count - head - tail; fold > 1 {
			all = append(all,
				stretch{ch, 0, head, false},
				stretch{ch, head, fold, true},
				stretch{ch, head + fold, tail, false})
			continue
		}
		all = append(all, stretch{ch, 0, ch.Count, false})
	}
	return slices.DeleteFunc(all, func(s stretch) bool { return s.count == 0 })
}

// block returns the block at an offset of a change, as it is shown: the new one,
// or the old one of Deleted and MovedAway.
func (d *Diff) block(ch *Change, k int) *Block {
	switch {
	case k < len(ch.Blocks):
		return &ch.Blocks[k]
	case ch.Op == MovedAway:
		return &d.OldText.Blocks[ch.Old+k]
	}
	return &d.NewText.Blocks[ch.New+k]
}

// check reports whether there is all that a rendering needs.
func (d *Diff) check() error {
	if d.OldText == nil || d.NewText == nil {
		return fmt.Errorf("render diff of %s and %s: set OldText and NewText to these texts", d.Old.Digest, d.New.Digest)
	}
	if len(d.OldText.Blocks) != d.Old.Blocks || len(d.NewText.Blocks) != d.New.Blocks {
		return fmt.Errorf("render diff: it is of texts of %d and %d blocks, these have %d and %d",
			d.Old.Blocks, d.New.Blocks, len(d.OldText.Blocks), len(d.NewText.Blocks))
	}
	return nil
}

// numbers names blocks by their place, from 1.
func numbers(first, count int) string {
	if count == 1 {
		return fmt.Sprintf("block %d", first+1)
	}
	return fmt.Sprintf("blocks %d-%d", first+1, first+count)
}

// origins says, for the first change of each passage that was derived from a passage
// of the old text, from which blocks. Changes that are not named belong to the
// passage before them.
func (d *Diff) origins() map[*Change]string {
	all := make(map[*Change]string)
	changed, excerpts := d.changed(), d.excerpts()
	var first *Change
	next := -1
	name := func() {
		if first == nil {
			return
		}
		whole := true
		for i := first.Old; i < next; i++ {
			whole = whole && !changed[i]
		}
		made := "made from old "
		if excerpts[first] {
			made = "split off old "
		}
		all[first] = made + numbers(first.Old, next-first.Old) + ", " + origin(next-first.Old == 1, whole)
		first = nil
	}
	for k := range d.Changes {
		ch := &d.Changes[k]
		switch {
		case excerpts[ch]:
			name()
			first, next = ch, ch.Old+ch.Count
			name()
		case ch.Op == Derived && first != nil && ch.Old >= next && ch.Old <= next+2:
			next = ch.Old + ch.Count
		case ch.Op == Derived:
			name()
			first, next = ch, ch.Old+ch.Count
		case ch.Op != Inserted:
			name()
		}
	}
	name()
	return all
}

// origin says what is with the old blocks that others were made from.
func origin(one, whole bool) string {
	switch {
	case one && whole:
		return "which still stands"
	case one:
		return "which was changed itself"
	case whole:
		return "which still stand"
	}
	return "which were changed themselves in part"
}

// changed returns the old blocks that do not stand as they did.
func (d *Diff) changed() map[int]bool {
	all := make(map[int]bool)
	for k := range d.Changes {
		switch ch := &d.Changes[k]; ch.Op {
		case Edited, Deleted, MovedAway:
			for n := range ch.Count {
				all[ch.Old+n] = true
			}
		}
	}
	return all
}

// moves says where a change has blocks from or has taken them; "" if it has not.
func moves(ch *Change) string {
	switch ch.Op {
	case Moved:
		return "moved here from old " + numbers(ch.Old, ch.Count)
	case MovedAway:
		return "moved to new " + numbers(ch.New, ch.Count)
	}
	return ""
}

// splitReach is how many blocks apart the parts of a split block may stand.
const splitReach = 3

// excerpts finds derived blocks that were split off: they are a part of an old block
// whose other parts stand close by, in a block that was made of it as well. These are
// then not shown as removed.
func (d *Diff) excerpts() map[*Change]bool {
	made := make(map[int][]*Change)
	for k := range d.Changes {
		if ch := &d.Changes[k]; len(ch.Pieces) > 0 && (ch.Op == Edited || ch.Op == Derived) {
			made[ch.Old] = append(made[ch.Old], ch)
		}
	}
	all := make(map[*Change]bool)
	for _, siblings := range made { // in the order of New
		for k, ch := range siblings {
			for _, other := range siblings[max(k-splitReach, 0):min(k+splitReach+1, len(siblings))] {
				apart := max(other.New-ch.New, ch.New-other.New)
				if ch.Op == Derived && 0 < apart && apart <= splitReach && splitOff(ch.Pieces, other.Blocks[0].Text) {
					all[ch] = true
				}
			}
		}
	}
	return all
}

// splitOff reports whether pieces leave one part of a text and most words of the
// others stand in rest.
func splitOff(pieces []Piece, rest string) bool {
	equal := 0
	for _, p := range pieces {
		switch p.Op {
		case Equal:
			equal++
		case Inserted:
			return false
		case Deleted:
			if !mostlyIn(p.Text, rest) {
				return false
			}
		}
	}
	return equal == 1
}

// mostlyIn reports whether a text has most of the shingles of another.
func mostlyIn(s, text string) bool {
	small, _ := shingles(nil, s)
	all, _ := shingles(nil, text)
	n := 0
	for _, h := range small {
		if _, ok := slices.BinarySearch(all, h); ok {
			n++
		}
	}
	return 3*n >= 2*len(small)
}

// forms says what a reader cannot see from the words of a change.
func (d *Diff) forms(ch *Change) string {
	if ch.Blocks == nil || ch.Op == Inserted || ch.Op == Deleted {
		return ""
	}
	var parts []string
	old, new := &d.OldText.Blocks[ch.Old], &ch.Blocks[0]
	for _, f := range ch.Form {
		parts = append(parts, formNote(f, old, new)...)
	}
	for _, l := range ch.Links {
		parts = append(parts, linkNote(l))
	}
	return strings.Join(parts, "; ")
}

// formNote says what changed in the form of a block.
func formNote(form string, old, new *Block) []string {
	arrow := func(what string, a, b any) []string {
		return []string{fmt.Sprintf("%s: %v -> %v", what, a, b)}
	}
	switch form {
	case FormKind:
		return arrow("form", old.Kind, new.Kind)
	case FormLevel:
		return arrow("level", old.Level, new.Level)
	case FormMarker:
		return arrow("number", cmp.Or(old.Marker, "none"), cmp.Or(new.Marker, "none"))
	case FormMarks:
		return []string{"emphasis or extent of links changed"}
	}
	return nil // of links, each is told
}

// linkNote says what became of a link.
func linkNote(l LinkChange) string {
	switch {
	case l.Old == "":
		return fmt.Sprintf("link added: %q to %s", l.Text, l.New)
	case l.New == "":
		return fmt.Sprintf("link removed: %q to %s", l.Text, l.Old)
	}
	return fmt.Sprintf("link changed: %q from %s to %s", l.Text, l.Old, l.New)
}

// lead is what stands before the text of a block on a page without markup.
func lead(b *Block) string {
	switch b.Kind {
	case Heading:
		return strings.Repeat("#", max(b.Level, 1)) + " "
	case Item:
		return strings.Repeat("  ", min(max(b.Level-1, 0), 8)) + cmp.Or(b.Marker, "*") + " "
	}
	return ""
}
