package terms

import "znkr.io/diff"

// none stands where a block has no counterpart.
const none = int32(-1)

// comparer holds what is known of two lists of blocks while they are compared.
type comparer struct {
	old, new []Block
	// ids of the texts: equal numbers, equal texts.
	oldID, newID []uint32
	// oldOp and newOp say what became of each block; Deleted and Inserted until
	// something better is found. Old blocks are never Derived or Moved, but
	// MovedAway.
	oldOp, newOp []Op
	// to is the new block that took the place of an old one, from the old block that
	// a new one was made of.
	to, from []int32
	// sketches and their index are made when first needed.
	oldSketch, newSketch *sketches
	index                sketchIndex
	cands                candidates
	inline               inliner
}

func newComparer(old, new []Block) *comparer {
	c := &comparer{
		old: old, new: new,
		oldOp: make([]Op, len(old)), newOp: make([]Op, len(new)),
		to: make([]int32, len(old)), from: make([]int32, len(new)),
	}
	for i := range old {
		c.oldOp[i], c.to[i] = Deleted, none
	}
	for j := range new {
		c.newOp[j], c.from[j] = Inserted, none
	}
	c.number()
	return c
}

// number gives each different text its number.
func (c *comparer) number() {
	seen := make(map[string]uint32)
	number := func(blocks []Block) []uint32 {
		ids := make([]uint32, len(blocks))
		for i := range blocks {
			id, ok := seen[blocks[i].Text]
			if !ok {
				id = uint32(len(seen))
				seen[blocks[i].Text] = id
			}
			ids[i] = id
		}
		return ids
	}
	c.oldID, c.newID = number(c.old), number(c.new)
}

// match notes that a new block stands for an old one, in the same place or moved.
func (c *comparer) match(i, j int, old, new Op) {
	c.oldOp[i], c.newOp[j] = old, new
	c.to[i], c.from[j] = int32(j), int32(i)
}

// align matches blocks with the same words in the same order.
func (c *comparer) align() {
	for _, p := range alignIDs(c.oldID, c.newID) {
		c.match(int(p.x), int(p.y), Equal, Equal)
	}
	c.slide(c.newID, c.newOp, c.from, c.to, c.new)
	c.slide(c.oldID, c.oldOp, c.to, c.from, c.old)
}

// maxSearch is how many elements times elements are searched for a nearly longest
// common subsequence. Above, a quick one will do.
const maxSearch = 100_000_000

// pairXY is a position in each of two sequences.
type pairXY struct{ x, y int32 }

// alignIDs returns a long common subsequence of two sequences. What they do not
// share at all is left out before they are compared: unrelated ones cost nothing.
func alignIDs(x, y []uint32) []pairXY {
	n := 0
	for n < len(x) && n < len(y) && x[n] == y[n] {
		n++
	}
	ex, ey := len(x), len(y)
	for ex > n && ey > n && x[ex-1] == y[ey-1] {
		ex, ey = ex-1, ey-1
	}
	all := make([]pairXY, 0, n+len(x)-ex)
	for k := range n {
		all = append(all, pairXY{int32(k), int32(k)})
	}
	all = alignShared(all, x[:ex], y[:ey], n)
	for k := range len(x) - ex {
		all = append(all, pairXY{int32(ex + k), int32(ey + k)})
	}
	return all
}

// alignShared adds the pairs of what is at or after position n.
func alignShared(all []pairXY, x, y []uint32, n int) []pairXY {
	inX, inY := make(map[uint32]bool), make(map[uint32]bool)
	for _, id := range x[n:] {
		inX[id] = true
	}
	for _, id := range y[n:] {
		inY[id] = true
	}
	sx, px := inBoth(x, n, inY)
	sy, py := inBoth(y, n, inX)
	if len(sx) == 0 || len(sy) == 0 {
		return all
	}
	var options []diff.Option
	if len(sx)*len(sy) > maxSearch {
		options = append(options, diff.Fast())
	}
	for _, e := range diff.Edits(sx, sy, options...) {
		if e.Op == diff.Match {
			all = append(all, pairXY{px[e.PosX], py[e.PosY]})
		}
	}
	return all
}

// inBoth returns the elements from position n on that the other side has, and where
// they stand.
func inBoth(x []uint32, n int, other map[uint32]bool) (ids []uint32, at []int32) {
	for k, id := range x[n:] {
		if other[id] {
			ids = append(ids, id)
			at = append(at, int32(n+k))
		}
	}
	return ids, at
}

// slide moves each run of blocks that only this side has to where a reader would
// see it begin. A run between equal blocks can often begin earlier and end with
// blocks of the same words instead: of "A B | A B C", either A B is new. It is the
// one that begins with the highest heading, else the last one.
func (c *comparer) slide(ids []uint32, ops []Op, mine, theirs []int32, blocks []Block) {
	for end := len(ids); end > 0; end-- {
		if ops[end-1] == Equal {
			continue
		}
		start := end - 1
		for start > 0 && ops[start-1] != Equal {
			start--
		}
		best, bestRank := 0, slideRank(blocks, start)
		for k := 1; start-k >= 0 && ops[start-k] == Equal && ids[start-k] == ids[end-k] && joined(mine, len(theirs), start, end, k); k++ {
			if r := slideRank(blocks, start-k); r < bestRank {
				best, bestRank = k, r
			}
		}
		for k := range best {
			from, to := start-1-k, end-1-k
			ops[from], ops[to] = ops[to], ops[from]
			mine[from], mine[to] = mine[to], mine[from]
			theirs[mine[to]] = int32(to)
		}
		end = start - best + 1
	}
}

// joined reports whether the equal block k before a run and the one after it, with
// the run left out, follow each other on the other side as well.
func joined(mine []int32, theirs, start, end, k int) bool {
	next := int32(theirs)
	switch {
	case k > 1:
		next = mine[start-k+1]
	case end < len(mine):
		next = mine[end]
	}
	return mine[start-k]+1 == next
}

// slideRank is lower the better a run begins at a block.
func slideRank(blocks []Block, at int) int {
	if b := &blocks[at]; b.Kind == Heading {
		return b.Level
	}
	return 7
}
