package terms

import "slices"

// emit lists the changes in the order of a reader.
func (c *comparer) emit() []Change {
	all := make([]Change, 0, c.runs())
	i, j := 0, 0
	for i < len(c.old) || j < len(c.new) {
		switch {
		case i < len(c.old) && (c.oldOp[i] == Deleted || c.oldOp[i] == MovedAway):
			all = c.addOld(all, i)
			i++
		case c.newOp[j] == Inserted || c.newOp[j] == Moved || c.newOp[j] == Derived:
			all = c.addNew(all, j)
			j++
		default:
			all = c.addBoth(all, i, j)
			i, j = i+1, j+1
		}
	}
	return all
}

// runs counts how many changes there will be at most, so that the list of them is
// made once.
func (c *comparer) runs() int {
	n := 0
	for i, op := range c.oldOp {
		gone := op == Deleted || op == MovedAway
		if gone && (i == 0 || c.oldOp[i-1] != op || op == MovedAway && c.to[i-1]+1 != c.to[i]) {
			n++
		}
	}
	for j, op := range c.newOp {
		on := j > 0 && c.newOp[j-1] == op && (op == Inserted || c.oldID[c.from[j]] == c.newID[j] && c.from[j-1]+1 == c.from[j])
		if !on {
			n++
		}
	}
	return n
}

// addOld adds a block that is not here any more.
func (c *comparer) addOld(all []Change, i int) []Change {
	if c.oldOp[i] == MovedAway {
		return extend(all, Change{Op: MovedAway, Old: i, New: int(c.to[i]), Count: 1})
	}
	return extend(all, Change{Op: Deleted, Old: i, New: -1, Count: 1, Blocks: c.old[i : i+1]})
}

// addNew adds a block that was not here before.
func (c *comparer) addNew(all []Change, j int) []Change {
	if c.newOp[j] == Inserted {
		return extend(all, Change{Op: Inserted, Old: -1, New: j, Count: 1, Blocks: c.new[j : j+1]})
	}
	return c.addMade(all, Change{Op: c.newOp[j], Old: int(c.from[j]), New: j, Count: 1})
}

// addBoth adds a block in its old place.
func (c *comparer) addBoth(all []Change, i, j int) []Change {
	return c.addMade(all, Change{Op: c.newOp[j], Old: i, New: j, Count: 1})
}

// addMade adds a new block that was made of an old one, with what differs.
func (c *comparer) addMade(all []Change, ch Change) []Change {
	old, new := &c.old[ch.Old], &c.new[ch.New]
	if c.oldID[ch.Old] != c.newID[ch.New] {
		ch.Pieces = c.inline.pieces(old.Text, new.Text)
	}
	ch.Form, ch.Links = formOf(old, new)
	if ch.Pieces == nil && ch.Form == nil && sameBlock(old, new) {
		return extend(all, ch)
	}
	if ch.Op == Equal {
		ch.Op = Formatted
	}
	ch.Blocks = c.new[ch.New : ch.New+1]
	return append(all, ch)
}

// extend adds a change, to the last one if it goes on there.
func extend(all []Change, ch Change) []Change {
	if len(all) == 0 {
		return append(all, ch)
	}
	last := &all[len(all)-1]
	follows := func(a, b int) bool { return a < 0 && b < 0 || a >= 0 && a+last.Count == b }
	whole := last.Pieces == nil && last.Form == nil && (last.Blocks == nil) == (ch.Blocks == nil)
	if last.Op != ch.Op || !whole || !follows(last.Old, ch.Old) || !follows(last.New, ch.New) {
		return append(all, ch)
	}
	last.Count++
	if ch.Blocks != nil { // of the same list: the next one of it
		last.Blocks = last.Blocks[:last.Count]
	}
	return all
}

// sameBlock reports whether two blocks are equal in all.
func sameBlock(a, b *Block) bool {
	return a.Kind == b.Kind && a.Level == b.Level && a.Marker == b.Marker && a.Text == b.Text &&
		slices.Equal(a.Marks, b.Marks)
}

// formOf tells what differs between two blocks beside their words.
func formOf(old, new *Block) (form []string, links []LinkChange) {
	add := func(differs bool, name string) {
		if differs {
			form = append(form, name)
		}
	}
	add(old.Kind != new.Kind, FormKind)
	add(old.Level != new.Level, FormLevel)
	add(old.Marker != new.Marker, FormMarker)
	add(old.Text == new.Text && !slices.Equal(shapes(old), shapes(new)), FormMarks)
	links = linkChanges(old, new)
	add(len(links) > 0, FormLinks)
	if form == nil && old.Text == new.Text && !sameBlock(old, new) {
		form = []string{FormMarks} // of links: the same addresses on other words
	}
	return form, links
}

// shapes returns the marks of a block that are no links.
func shapes(b *Block) []Mark {
	if len(b.Marks) == 0 {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(b.Marks), func(m Mark) bool { return m.Kind == Link })
}
