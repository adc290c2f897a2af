package terms

import (
	"slices"
	"strings"
)

// move finds where the new blocks come from that are left.
func (c *comparer) move() {
	gone := c.places(func(i int) bool { return c.oldOp[i] == Deleted })
	c.moveSame(gone)
	if c.prepare() {
		c.deriveSame()
		c.deriveAlike()
		c.spread()
	}
}

// places lists, by the number of their text, the old blocks that are wanted.
func (c *comparer) places(wanted func(i int) bool) map[uint32][]int32 {
	all := make(map[uint32][]int32)
	for i, id := range c.oldID {
		if wanted(i) {
			all[id] = append(all[id], int32(i))
		}
	}
	return all
}

// moveSame matches blocks with the same words in another place: the first with the
// first. Short ones ("Yes") count only if there is one of each.
func (c *comparer) moveSame(gone map[uint32][]int32) {
	left := make(map[uint32]int)
	for j, id := range c.newID {
		if c.newOp[j] == Inserted {
			left[id]++
		}
	}
	for j, id := range c.newID {
		if c.newOp[j] != Inserted || len(gone[id]) == 0 {
			continue
		}
		if short := len(c.new[j].Text) < 24; short && (left[id] > 1 || len(gone[id]) > 1) {
			continue
		}
		c.match(int(gone[id][0]), j, MovedAway, Moved)
		if gone[id] = gone[id][1:]; len(gone[id]) == 0 {
			delete(gone, id)
			left[id] = 0
		}
	}
}

// deriveSame finds new blocks that repeat an old one that still stands.
func (c *comparer) deriveSame() {
	stands := c.places(func(i int) bool { return c.oldOp[i] != Deleted })
	last := none
	for j, id := range c.newID {
		if c.newOp[j] != Inserted {
			continue
		}
		if at := stands[id]; len(at) > 0 && int(c.newSketch.words[j]) >= minWords {
			k, _ := slices.BinarySearch(at, last+1)
			if k == len(at) {
				k = 0
			}
			last = at[k]
			c.newOp[j], c.from[j] = Derived, last
		}
	}
}

// onward is how far after the origin of the last block that of the next one is
// looked for first, and favour how much it may be less alike for it.
const (
	onward = 30
	favour = 30
)

// deriveAlike finds the old block that each new one is most like. One that is gone
// has moved; one that stands is an origin. Where old blocks resemble each other, it
// is the one that goes on after the origin of the block before. A part of an old
// block is derived from it.
func (c *comparer) deriveAlike() {
	last := none
	for j := range c.new {
		if c.newOp[j] == Inserted && int(c.newSketch.words[j]) >= minWords {
			c.deriveBlock(j, last)
		}
		if c.newOp[j] == Derived {
			last = c.from[j]
		}
	}
}

func (c *comparer) deriveBlock(j int, last int32) {
	best, most := none, 0
	mine := c.newSketch.of(j)
	for _, i := range c.cands.best(mine, 0, len(c.old), 6) {
		w := likeness(c.oldSketch.of(int(i)), mine)
		if strings.Contains(c.old[i].Text, c.new[j].Text) {
			w = certain
		}
		if w < derivedLike {
			continue
		}
		if last != none && i > last && i <= last+onward {
			w += favour
		}
		if w > most || w == most && c.oldOp[i] == Deleted && c.oldOp[best] != Deleted {
			best, most = i, w
		}
	}
	switch {
	case best == none:
	case c.oldOp[best] == Deleted:
		c.match(int(best), j, MovedAway, Moved)
	default:
		c.newOp[j], c.from[j] = Derived, best
	}
}

// spread takes short blocks along: the heading over a copied paragraph was copied
// with it. From a moved or derived block on, in either direction, blocks follow that
// have the words of the old block next to its origin, or some of them.
func (c *comparer) spread() {
	for j := range c.new {
		c.follow(j, -1)
	}
	for j := len(c.new) - 1; j >= 0; j-- {
		c.follow(j, 1)
	}
}

// follow looks whether block j goes with the one next to it (step -1: before it).
func (c *comparer) follow(j, step int) {
	n := j + step
	if c.newOp[j] != Inserted || n < 0 || n >= len(c.new) || c.newOp[n] != Derived && c.newOp[n] != Moved {
		return
	}
	i := int(c.from[n]) - step
	if i < 0 || i >= len(c.old) || c.old[i].Kind != c.new[j].Kind {
		return
	}
	like, least := certain, pairLike
	if c.oldID[i] != c.newID[j] {
		like = likeness(c.oldSketch.of(i), c.newSketch.of(j))
	}
	if max(c.oldSketch.words[i], c.newSketch.words[j]) < 2*minWords {
		least = onlyLike
	}
	switch {
	case c.oldOp[i] == Deleted && like >= pairLike:
		c.match(i, j, MovedAway, Moved)
	case c.oldOp[i] != Deleted && like >= least:
		c.newOp[j], c.from[j] = Derived, int32(i)
	}
}
