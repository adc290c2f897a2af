package terms

import "slices"

// Thresholds of likeness, in thousandths.
const (
	pairLike    = 400 // of blocks between the same neighbours
	onlyLike    = 200 // of two blocks of a kind that are alone between them
	derivedLike = 600 // of blocks in other places
)

// minWords is how many words a block needs to be recognised in another place by
// its likeness.
const minWords = 8

// prepare makes sketches of the blocks without counterpart, if both sides have any.
func (c *comparer) prepare() bool {
	if c.index != nil {
		return true
	}
	if len(c.old) == 0 || !slices.Contains(c.newOp, Inserted) {
		return false
	}
	c.oldSketch = sketch(c.old, func(int) bool { return true })
	c.newSketch = sketch(c.new, func(j int) bool { return c.newOp[j] == Inserted })
	c.index = c.oldSketch.index()
	c.cands = candidates{index: c.index, counts: make([]int32, len(c.old))}
	return true
}

// pair finds edited blocks in each gap between aligned ones.
func (c *comparer) pair() {
	i, j := 0, 0
	for i < len(c.old) || j < len(c.new) {
		a, b := i, j
		for i < len(c.old) && c.oldOp[i] == Deleted {
			i++
		}
		for j < len(c.new) && c.newOp[j] == Inserted {
			j++
		}
		if i > a && j > b && c.prepare() {
			c.pairGap(a, i, b, j)
		}
		if i == a && j == b { // an aligned pair
			i, j = i+1, j+1
		}
	}
}

// edge says how alike an old and a new block of a gap are, and which edge it best
// follows in a chain that goes on in both.
type edge struct {
	i, j   int32
	weight int32
	before int32 // -1: none
	total  int64
}

// pairGap matches old blocks [a, b) with new ones [p, q) that are alike, in order,
// so that the sum of likeness is greatest.
func (c *comparer) pairGap(a, b, p, q int) {
	edges := c.edges(a, b, p, q)
	if len(edges) == 0 {
		return
	}
	best := chain(edges, a, b)
	for k := best; k >= 0; k = edges[k].before {
		c.match(int(edges[k].i), int(edges[k].j), Edited, Edited)
	}
}

// edges returns the pairs worth considering, by new block and then by falling old
// block.
func (c *comparer) edges(a, b, p, q int) []edge {
	k := 8
	if q-p > 10_000 {
		k = 2
	}
	least := pairLike
	if b-a == 1 && q-p == 1 && c.old[a].Kind == c.new[p].Kind {
		least = onlyLike
	}
	var edges []edge
	for j := p; j < q; j++ {
		mine := c.newSketch.of(j)
		found := c.cands.best(mine, a, b, k)
		// What is common to all blocks of the gap is no trace: then those in the same
		// place, counted from either end.
		for _, i := range [...]int{a + j - p, b - (q - j)} {
			if i >= a && i < b && !slices.Contains(found, int32(i)) {
				found = append(found, int32(i))
			}
		}
		slices.SortFunc(found, func(x, y int32) int { return int(y - x) })
		for _, i := range found {
			if w := likeness(c.oldSketch.of(int(i)), mine); w >= least {
				edges = append(edges, edge{i: i, j: int32(j), weight: int32(w), before: -1})
			}
		}
	}
	return edges
}

// chain links the edges of old blocks [a, b) to the chain of greatest weight and
// returns its last edge. It is a longest increasing subsequence by weight, with the
// best chains that end before an old block in a binary indexed tree.
func chain(edges []edge, a, b int) int32 {
	tree := make([]int32, b-a+1)
	for k := range tree {
		tree[k] = -1
	}
	better := func(x, y int32) bool { return y < 0 || x >= 0 && edges[x].total > edges[y].total }
	best := int32(-1)
	for k := range edges {
		e := &edges[k]
		before := int32(-1)
		for n := int(e.i) - a; n > 0; n -= n & -n {
			if better(tree[n], before) {
				before = tree[n]
			}
		}
		e.before, e.total = before, int64(e.weight)
		if before >= 0 {
			e.total += edges[before].total
		}
		for n := int(e.i) - a + 1; n < len(tree); n += n & -n {
			if better(int32(k), tree[n]) {
				tree[n] = int32(k)
			}
		}
		if better(int32(k), best) {
			best = int32(k)
		}
	}
	return best
}
