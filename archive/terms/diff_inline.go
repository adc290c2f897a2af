package terms

import (
	"slices"
	"strings"

	"github.com/clipperhouse/uax29/v2/words"
)

// Bounds of comparing words, for one Compare. A cell is a word of one side met by a
// word of the other.
const (
	wholeCells = 1_000_000   // two blocks compared as a whole
	partCells  = 4_000_000   // a stretch of them between equal sentences
	freeCells  = 16_384      // a stretch so short that it is not counted
	allCells   = 120_000_000 // all that are counted
	maxPieces  = 100_000     // of all blocks together
	chunkWords = 64          // how long a part of a long sentence is, about
)

// inliner compares the words of pairs of blocks. Its bounds are for all of them.
type inliner struct {
	cells, made int
}

// tokens are the words, spaces and punctuation of a string.
type tokens struct {
	s   string
	ids []uint32 // equal numbers, equal tokens
	end []int32  // bytes, where each ends
	*vocabulary
}

// vocabulary numbers the tokens of a pair.
type vocabulary struct {
	ids  map[string]uint32
	word []bool // by number: no space or punctuation
}

func (v *vocabulary) tokens(s string) *tokens {
	t := &tokens{s: s, vocabulary: v}
	at := 0
	for it := words.FromString(s); it.Next(); {
		w := it.Value()
		at += len(w)
		id, ok := v.ids[w]
		if !ok {
			id = uint32(len(v.word))
			v.ids[w] = id
			v.word = append(v.word, isWord(w))
		}
		t.ids = append(t.ids, id)
		t.end = append(t.end, int32(at))
	}
	return t
}

// start returns the byte where token k begins; the length of the string after the
// last one.
func (t *tokens) start(k int) int {
	if k == 0 {
		return 0
	}
	return int(t.end[k-1])
}

// text returns the string of tokens [a, b).
func (t *tokens) text(a, b int) string { return t.s[t.start(a):t.start(b)] }

// words counts the words among tokens [a, b).
func (t *tokens) words(a, b int) int {
	n := 0
	for _, id := range t.ids[a:b] {
		if t.word[id] {
			n++
		}
	}
	return n
}

// gap is a stretch of tokens of each side that are not equal.
type gap struct{ x0, x1, y0, y1 int }

// pieces tells what differs between two texts.
func (n *inliner) pieces(old, new string) []Piece {
	v := &vocabulary{ids: make(map[string]uint32)}
	x, y := v.tokens(old), v.tokens(new)
	gaps := n.gaps(x, y)
	gaps = touch(x, y, gaps)
	for k := range gaps {
		slideGap(x, y, gaps, k)
	}
	gaps = swallow(x, y, gaps)
	if n.made += 3*len(gaps) + 1; n.made > maxPieces {
		gaps = []gap{{0, len(x.ids), 0, len(y.ids)}}
	}
	return cut(x, y, gaps)
}

// gaps aligns the tokens: all at once, or if there are too many first the sentences
// and parts of long ones, then the tokens between those that are equal.
func (n *inliner) gaps(x, y *tokens) []gap {
	g := gap{0, len(x.ids), 0, len(y.ids)}
	for g.x0 < g.x1 && g.y0 < g.y1 && x.ids[g.x0] == y.ids[g.y0] {
		g.x0, g.y0 = g.x0+1, g.y0+1
	}
	for g.x0 < g.x1 && g.y0 < g.y1 && x.ids[g.x1-1] == y.ids[g.y1-1] {
		g.x1, g.y1 = g.x1-1, g.y1-1
	}
	if n.affords(g, wholeCells) {
		return between(nil, g, alignIDs(x.ids[g.x0:g.x1], y.ids[g.y0:g.y1]))
	}
	var all []gap
	for _, part := range chunkGaps(x, y, g) {
		if !n.affords(part, partCells) {
			all = append(all, part)
			continue
		}
		all = between(all, part, alignIDs(x.ids[part.x0:part.x1], y.ids[part.y0:part.y1]))
	}
	return all
}

// affords takes a stretch off what may still be compared, if it is at most that
// many cells and there is as much left.
func (n *inliner) affords(g gap, most int) bool {
	cells := (g.x1 - g.x0) * (g.y1 - g.y0)
	if cells <= freeCells {
		return true
	}
	if cells > most || n.cells+cells > allCells {
		return false
	}
	n.cells += cells
	return true
}

// between adds what is left of a gap around the aligned pairs, counted from its
// start.
func between(all []gap, g gap, pairs []pairXY) []gap {
	x, y := g.x0, g.y0
	for _, p := range pairs {
		px, py := g.x0+int(p.x), g.y0+int(p.y)
		if px > x || py > y {
			all = append(all, gap{x, px, y, py})
		}
		x, y = px+1, py+1
	}
	if x < g.x1 || y < g.y1 {
		all = append(all, gap{x, g.x1, y, g.y1})
	}
	return all
}

// chunkGaps aligns a stretch by chunks of tokens.
func chunkGaps(x, y *tokens, g gap) []gap {
	seen := make(map[string]uint32)
	number := func(t *tokens, a, b int) (ids []uint32, ends []int) {
		ends = chunks(t, a, b)
		for _, end := range ends {
			s := t.text(a, end)
			id, ok := seen[s]
			if !ok {
				id = uint32(len(seen))
				seen[s] = id
			}
			ids = append(ids, id)
			a = end
		}
		return ids, ends
	}
	xIDs, xEnds := number(x, g.x0, g.x1)
	yIDs, yEnds := number(y, g.y0, g.y1)
	at := func(ends []int, first, k int) int {
		if k == 0 {
			return first
		}
		return ends[k-1]
	}
	var all []gap
	for _, c := range between(nil, gap{0, len(xIDs), 0, len(yIDs)}, alignIDs(xIDs, yIDs)) {
		all = append(all, gap{
			at(xEnds, g.x0, c.x0), at(xEnds, g.x0, c.x1),
			at(yEnds, g.y0, c.y0), at(yEnds, g.y0, c.y1),
		})
	}
	return all
}

// chunks divides tokens [a, b) and returns where each chunk ends: after a sentence
// that is not all too short, or where the content says so in a long one, so that an insertion does not shift
// all that follow.
func chunks(t *tokens, a, b int) []int {
	var ends []int
	start := a
	for k := a; k < b; k++ {
		w := t.text(k, k+1)
		stop := k-start >= 8 && !t.word[t.ids[k]] && strings.ContainsAny(w, ".!?;。！？；؟।")
		long := k-start >= chunkWords/2 && foldedHash(w)%(chunkWords/2) == 0
		if stop || long || k-start >= 4*chunkWords || k == b-1 {
			ends = append(ends, k+1)
			start = k + 1
		}
	}
	return ends
}

// Bounds of touch, in tokens.
const (
	touchIsland = 3
	touchReach  = 400
)

// touch brings two insertions together that only a word keeps apart, if the same
// word stands elsewhere in them and so can be the one that was there before: of
// "data and to" -> "data, for x and y; and (ii) to" the second "and" is the old one. It
// is the one that leaves the most in one piece. The same of deletions.
func touch(x, y *tokens, gaps []gap) []gap {
	if len(gaps) == 0 {
		return nil
	}
	all := gaps[:1]
	for _, g := range gaps[1:] {
		last := all[len(all)-1]
		n := g.x0 - last.x1
		switch {
		case n > touchIsland || n == 0:
			all = append(all, g)
		case last.x0 == last.x1 && g.x0 == g.x1:
			at := island(y.ids[last.y0:g.y1], last.y1-last.y0, n) + last.y0
			all = appendGaps(all[:len(all)-1],
				gap{last.x0, last.x0, last.y0, at}, gap{g.x0, g.x0, at + n, g.y1})
		case last.y0 == last.y1 && g.y0 == g.y1:
			at := island(x.ids[last.x0:g.x1], last.x1-last.x0, n) + last.x0
			all = appendGaps(all[:len(all)-1],
				gap{last.x0, at, last.y0, last.y0}, gap{at + n, g.x1, g.y0, g.y0})
		default:
			all = append(all, g)
		}
	}
	return all
}

// island returns where in a stretch the n tokens at position at are best taken to
// stand.
func island(ids []uint32, at, n int) int {
	if len(ids) > touchReach {
		return at
	}
	less := func(k int) int { return min(k, len(ids)-n-k) }
	best := at
	for k := range len(ids) - n + 1 {
		if less(k) < less(best) && slices.Equal(ids[k:k+n], ids[at:at+n]) {
			best = k
		}
	}
	return best
}

// appendGaps appends gaps that are not empty.
func appendGaps(all []gap, gaps ...gap) []gap {
	for _, g := range gaps {
		if g.x0 < g.x1 || g.y0 < g.y1 {
			all = append(all, g)
		}
	}
	return all
}

// slideGap moves an insertion or deletion to where a reader would see it begin: of
// "a b, a c" after "a b" either "a c" or ", a c" may be new. It begins best after the
// end of a sentence, then at a word after a space or a punctuation mark.
func slideGap(x, y *tokens, gaps []gap, k int) {
	g := gaps[k]
	low, high := 0, len(x.ids)-g.x1 // how far the equal tokens before and after reach
	if k > 0 {
		low = g.x0 - gaps[k-1].x1
	} else {
		low = g.x0
	}
	if k+1 < len(gaps) {
		high = gaps[k+1].x0 - g.x1
	}
	t, start, end := y, g.y0, g.y1
	switch {
	case g.y0 == g.y1:
		t, start, end = x, g.x0, g.x1
	case g.x0 != g.x1:
		return
	}
	best, bestRank := 0, startRank(t, start)
	for n := 1; n <= high && t.ids[start+n-1] == t.ids[end+n-1]; n++ {
		if r := startRank(t, start+n); r <= bestRank {
			best, bestRank = n, r
		}
	}
	for n := 1; n <= low && t.ids[start-n] == t.ids[end-n]; n++ {
		if r := startRank(t, start-n); r < bestRank {
			best, bestRank = -n, r
		}
	}
	gaps[k] = gap{g.x0 + best, g.x1 + best, g.y0 + best, g.y1 + best}
}

// startRank is lower the better something begins at token k.
func startRank(t *tokens, k int) int {
	if k == 0 {
		return 0
	}
	before := strings.TrimSpace(t.text(max(0, k-2), k))
	word := k < len(t.ids) && t.word[t.ids[k]]
	switch {
	case !word:
		return 3
	case strings.HasSuffix(before, ".") || strings.HasSuffix(before, "。"):
		return 0
	case !t.word[t.ids[k-1]]:
		return 1
	}
	return 2
}

// swallow joins exchanges that little keeps apart: "shall the user" -> "may the
// client" reads better as one than as two, and what two long passages have in common
// here and there is chance. Insertions and deletions stay as they are.
func swallow(x, y *tokens, gaps []gap) []gap {
	if len(gaps) == 0 {
		return nil
	}
	all := gaps[:1]
	for _, g := range gaps[1:] {
		last := &all[len(all)-1]
		if g.x0 == last.x1 || incidental(x, y, *last, g) {
			last.x1, last.y1 = g.x1, g.y1
			continue
		}
		all = append(all, g)
	}
	return all
}

// maxIsland is how many tokens between two exchanges are looked at.
const maxIsland = 24

// incidental reports whether what is equal between two gaps is too little to keep
// them apart: a word if one of them is an exchange, a third of the shorter one if
// both are.
func incidental(x, y *tokens, last, g gap) bool {
	exchange := func(g gap) bool { return g.x0 < g.x1 && g.y0 < g.y1 }
	a, b := exchange(last), exchange(g)
	if g.x0-last.x1 > maxIsland || !a && !b {
		return false
	}
	words := x.words(last.x1, g.x0)
	if words < 2 {
		return g.x0-last.x1 <= 4
	}
	size := func(g gap) int { return max(x.words(g.x0, g.x1), y.words(g.y0, g.y1)) }
	return a && b && 3*words <= min(size(last), size(g))
}

// cut makes pieces of the gaps and what is between them.
func cut(x, y *tokens, gaps []gap) []Piece {
	all := make([]Piece, 0, 3*len(gaps)+1)
	add := func(op Op, g gap) {
		p := Piece{Op: op, Old: x.start(g.x0), OldEnd: x.start(g.x1), New: y.start(g.y0), NewEnd: y.start(g.y1)}
		switch {
		case p.Old == p.OldEnd && p.New == p.NewEnd:
			return
		case op == Deleted:
			p.Text = x.s[p.Old:p.OldEnd]
		case op == Inserted:
			p.Text = y.s[p.New:p.NewEnd]
		}
		all = append(all, p)
	}
	i, j := 0, 0
	for _, g := range gaps {
		add(Equal, gap{i, g.x0, j, g.y0})
		add(Deleted, gap{g.x0, g.x1, g.y0, g.y0})
		add(Inserted, gap{g.x1, g.x1, g.y0, g.y1})
		i, j = g.x1, g.y1
	}
	add(Equal, gap{i, len(x.ids), j, len(y.ids)})
	return all
}
