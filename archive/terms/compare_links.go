package terms

// linksOf lists the links of a block with their words and, as New, their address.
func linksOf(b *Block) []LinkChange {
	var all []LinkChange
	for _, m := range b.Marks {
		if m.Kind == Link && 0 <= m.Start && m.Start <= m.End && m.End <= len(b.Text) {
			all = append(all, LinkChange{Text: b.Text[m.Start:m.End], New: m.URL})
		}
	}
	return all
}

// linkChanges tells which links of a block differ. A link whose address is still
// there counts as kept whatever it is called; of the others, those with the same
// words have changed their target.
func linkChanges(old, new *Block) []LinkChange {
	was, is := linksOf(old), linksOf(new)
	address := func(l LinkChange) string { return l.New }
	was, _, is = pairLinks(was, is, address)
	was, changed, is := pairLinks(was, is, func(l LinkChange) string { return l.Text })
	return append(append(changed, is...), lostLinks(was)...)
}

// pairLinks pairs links that have the same key, the first with the first, and
// returns those of each side that are left and the pairs.
func pairLinks(was, is []LinkChange, key func(LinkChange) string) (left, pairs, rest []LinkChange) {
	if len(was) == 0 || len(is) == 0 {
		return was, nil, is
	}
	at := make(map[string][]int)
	for k, l := range was {
		at[key(l)] = append(at[key(l)], k)
	}
	taken := make([]bool, len(was))
	for _, l := range is {
		same := at[key(l)]
		if len(same) == 0 {
			rest = append(rest, l)
			continue
		}
		taken[same[0]], at[key(l)] = true, same[1:]
		pairs = append(pairs, LinkChange{Text: l.Text, Old: was[same[0]].New, New: l.New})
	}
	for k, l := range was {
		if !taken[k] {
			left = append(left, l)
		}
	}
	return left, pairs, rest
}

// lostLinks turns links of the old block into changes.
func lostLinks(was []LinkChange) []LinkChange {
	for k, l := range was {
		was[k] = LinkChange{Text: l.Text, Old: l.New}
	}
	return was
}
