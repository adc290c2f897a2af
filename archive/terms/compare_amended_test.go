package terms

import (
	"slices"
	"strings"
	"testing"
)

// TestAmendedTerms checks what matters most: while amended terms stand beside the old
// ones, just the words of the amendment are an insertion, in a paragraph known to be
// made of an old one; and a sentence that went is told once it is gone.
func TestAmendedTerms(t *testing.T) {
	for _, c := range []struct {
		name               string
		old, both, amended *Text
		words, lost        string
		origin             int
	}{
		{"english", englishOld, englishBoth, englishAmended,
			"for use with and training of our machine learning and artificial intelligence models, whether generative or another type,",
			"We do not sell your data.", 6},
		{"chinese", chineseOld, chineseBoth, chineseAmended,
			"用于训练我们的机器学习和人工智能模型", "我们不出售您的数据。", 4},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := checkDiff(t, c.old, c.both)
			k := slices.IndexFunc(d.Changes, func(ch Change) bool { return ch.Op == Derived && ch.Old == c.origin })
			if k < 0 {
				t.Fatalf("nothing is derived from old block %d: %q", c.origin, outline(d))
			}
			var inserted []string
			for _, p := range d.Changes[k].Pieces {
				if p.Op != Equal {
					inserted = append(inserted, string(p.Op)+" "+strings.Trim(p.Text, " ，"))
				}
			}
			if want := []string{"inserted " + c.words}; !slices.Equal(inserted, want) {
				t.Errorf("pieces of the derived paragraph = %q, want %q", inserted, want)
			}
			if s := d.Stats(); s.Equal != len(c.old.Blocks) || s.Removed != 0 || s.Added != 1 {
				t.Errorf("Stats of old to both = %+v", s)
			}
			if !told(d.Added(), func(p Passage) bool {
				return strings.Contains(p.Text, c.words) && len(p.Words) == 1 && strings.Contains(p.Text[p.Words[0].Start:p.Words[0].End], c.words)
			}) {
				t.Errorf("Added = %+v lacks the words of the amendment", d.Added())
			}
			lost := func(p Passage) bool { return p.Text == c.lost }
			if told(d.Removed(), lost) {
				t.Error("the sentence is told as lost while it still stands")
			}
			for _, d := range []*Diff{checkDiff(t, c.both, c.amended), checkDiff(t, c.old, c.amended)} {
				if !told(d.Removed(), lost) {
					t.Errorf("Removed = %+v lacks the sentence that went", d.Removed())
				}
			}
			line := checkDiff(t, c.both, c.amended).SummaryOf(120, lost)
			if !strings.HasSuffix(line, `- "`+c.lost+`"`) {
				t.Errorf("SummaryOf, with the sentence preferred = %q", line)
			}
		})
	}
}

func told(all []Passage, is func(Passage) bool) bool { return slices.ContainsFunc(all, is) }
