package terms

import (
	"fmt"
	"strings"
)

// Apply makes the new blocks of the old ones: exactly those that were compared,
// marks included. It needs nothing but what the JSON of the Diff holds. An error
// says that the old blocks are not those that were compared, or that the Diff was
// changed; then no blocks are returned.
func (d *Diff) Apply(old []Block) ([]Block, error) {
	if got := (&Text{Blocks: old}).Digest(); len(old) != d.Old.Blocks || got != d.Old.Digest {
		return nil, fmt.Errorf("apply diff: it starts from the text %s of %d blocks, this one is %s of %d: take the version it was made from",
			d.Old.Digest, d.Old.Blocks, got, len(old))
	}
	made := make([]Block, 0, min(d.New.Blocks, len(old)+len(d.Changes)))
	for k := range d.Changes {
		ch := &d.Changes[k]
		blocks, err := ch.apply(old)
		if err != nil {
			return nil, fmt.Errorf("apply change %d of %d (%s): %w", k+1, len(d.Changes), ch.Op, err)
		}
		made = append(made, blocks...)
	}
	if got := (&Text{Blocks: made}).Digest(); len(made) != d.New.Blocks || got != d.New.Digest {
		return nil, fmt.Errorf("apply diff: it makes the text %s of %d blocks, not %s of %d: it was changed after it was made",
			got, len(made), d.New.Digest, d.New.Blocks)
	}
	return made, nil
}

// apply returns the new blocks that a change makes.
func (ch *Change) apply(old []Block) ([]Block, error) {
	switch ch.Op {
	case Deleted, MovedAway:
		return nil, nil
	case Inserted:
		return ch.Blocks, nil
	case Equal, Edited, Moved, Derived, Formatted:
	default:
		return nil, fmt.Errorf("unknown operation %q", ch.Op)
	}
	if ch.Old < 0 || ch.Count < 1 || ch.Old > len(old) || ch.Count > len(old)-ch.Old {
		return nil, fmt.Errorf("blocks %d to %d of %d", ch.Old, ch.Old+ch.Count, len(old))
	}
	from := old[ch.Old : ch.Old+ch.Count]
	if len(ch.Blocks) == 0 {
		return from, nil
	}
	if len(ch.Blocks) != 1 || ch.Count != 1 {
		return nil, fmt.Errorf("%d blocks made of %d", len(ch.Blocks), ch.Count)
	}
	b := ch.Blocks[0]
	text, err := assemble(from[0].Text, ch.Pieces)
	if err != nil {
		return nil, err
	}
	if text != b.Text {
		return nil, fmt.Errorf("the pieces do not make the text of block %d", ch.New)
	}
	return []Block{b}, nil
}

// assemble makes a text of an old one and pieces; no pieces leave it as it is.
func assemble(old string, pieces []Piece) (string, error) {
	if len(pieces) == 0 {
		return old, nil
	}
	var b strings.Builder
	at := 0
	for _, p := range pieces {
		if p.Old != at || p.OldEnd < p.Old || p.OldEnd > len(old) || p.New != b.Len() {
			return "", fmt.Errorf("a piece of bytes %d to %d where byte %d of %d is next", p.Old, p.OldEnd, at, len(old))
		}
		was := old[p.Old:p.OldEnd]
		switch {
		case p.Op == Equal:
			b.WriteString(was)
		case p.Op == Deleted && p.Text == was:
		case p.Op == Inserted && was == "":
			b.WriteString(p.Text)
		default:
			return "", fmt.Errorf("a piece %q at byte %d that does not fit the old text", p.Op, p.Old)
		}
		if p.NewEnd != b.Len() {
			return "", fmt.Errorf("a piece ends at byte %d of the new text, not at %d", b.Len(), p.NewEnd)
		}
		at = p.OldEnd
	}
	if at != len(old) {
		return "", fmt.Errorf("pieces of %d bytes of %d", at, len(old))
	}
	return b.String(), nil
}
