package terms

import (
	"strings"
	"testing"
)

func TestApplyErrors(t *testing.T) {
	old := lines("# Terms", "We keep the data that you give us.", "We may change the terms.", "Old clause.")
	new := lines("# Terms", "We keep and sell the data that you give us.", "We may change the terms.", "Something else entirely here.")
	edited := func(d *Diff) *Change {
		for k := range d.Changes {
			if d.Changes[k].Op == Edited {
				d.Changes[k].Pieces = append([]Piece{}, d.Changes[k].Pieces...)
				return &d.Changes[k]
			}
		}
		t.Fatalf("nothing edited: %v", outline(d))
		return nil
	}
	for _, c := range []struct {
		name  string
		spoil func(d *Diff) []Block
		want  string
	}{
		{"another text", func(*Diff) []Block { return new.Blocks }, "take the version it was made from"},
		{"fewer blocks", func(*Diff) []Block { return old.Blocks[:2] }, "take the version it was made from"},
		{"change left out", func(d *Diff) []Block { d.Changes = d.Changes[1:]; return old.Blocks }, "changed after it was made"},
		{"unknown operation", func(d *Diff) []Block { d.Changes[0].Op = "copy"; return old.Blocks }, `unknown operation "copy"`},
		{"block that is not there", func(d *Diff) []Block { d.Changes[0].Old = 99; return old.Blocks }, "of 4"},
		{"count too great", func(d *Diff) []Block { d.Changes[0].Count = 1 << 62; return old.Blocks }, "of 4"},
		{"negative block", func(d *Diff) []Block { d.Changes[0].Old = -1; return old.Blocks }, "of 4"},
		{"other words inserted", func(d *Diff) []Block {
			ch := edited(d)
			for k := range ch.Pieces {
				if p := &ch.Pieces[k]; p.Op == Inserted {
					p.Text = strings.Repeat("x", len(p.Text))
				}
			}
			return old.Blocks
		}, "do not make the text of block 1"},
		{"offset beyond the text", func(d *Diff) []Block {
			ch := edited(d)
			ch.Pieces[len(ch.Pieces)-1].OldEnd += 100
			return old.Blocks
		}, "apply change 2"},
		{"piece left out", func(d *Diff) []Block {
			ch := edited(d)
			ch.Pieces = ch.Pieces[:len(ch.Pieces)-1]
			return old.Blocks
		}, "pieces of"},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := Compare(old, new)
			got, err := d.Apply(c.spoil(d))
			if err == nil || got != nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("Apply = %d blocks, error %v, want one with %q", len(got), err, c.want)
			}
		})
	}
}
