package terms

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// failer is what testing.TB and rapid.T have in common.
type failer interface {
	Helper()
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}

// checkDiff checks all that must hold of any comparison.
func checkDiff(t failer, old, new *Text) *Diff {
	t.Helper()
	d := Compare(old, new)
	made, err := d.Apply(old.Blocks)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(new.Blocks, made, equateEmpty); diff != "" {
		t.Fatalf("Apply(old, Compare(old, new)) differs from new (-want +got):\n%s", diff)
	}
	checkCover(t, d)
	raw, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	again, err := json.Marshal(Compare(old, new))
	if err != nil {
		t.Fatal(err)
	}
	if string(raw) != string(again) {
		t.Fatal("a second Compare gives another Diff")
	}
	var back Diff
	if err := json.Unmarshal(raw, &back); err != nil {
		t.Fatal(err)
	}
	if made, err = back.Apply(old.Blocks); err != nil {
		t.Fatalf("after JSON: %v", err)
	}
	if diff := cmp.Diff(new.Blocks, made, equateEmpty); diff != "" {
		t.Fatalf("Apply after JSON differs from new (-want +got):\n%s", diff)
	}
	if want := old.Digest() == new.Digest() && len(d.Changes) <= 1; d.Same() && !want {
		t.Fatal("Same() of different texts")
	}
	return d
}

// equateEmpty takes a list without elements for none.
var equateEmpty = cmp.Transformer("empty", func(b []Block) []Block {
	if len(b) == 0 {
		return nil
	}
	return b
})

// checkCover checks that the changes cover both texts once and in order, and that
// the pieces cover their blocks.
func checkCover(t failer, d *Diff) {
	t.Helper()
	old, new := 0, 0
	away, here := map[int]int{}, map[int]int{}
	for _, ch := range d.Changes {
		onOld := ch.Op == Equal || ch.Op == Edited || ch.Op == Formatted || ch.Op == Deleted || ch.Op == MovedAway
		onNew := ch.Op != Deleted && ch.Op != MovedAway
		if ch.Count < 1 || onOld && ch.Old != old || onNew && ch.New != new {
			t.Fatalf("change %+v where old block %d and new block %d are next", ch, old, new)
		}
		for k := range ch.Count {
			if ch.Op == MovedAway {
				away[ch.Old+k] = ch.New + k
			}
			if ch.Op == Moved {
				here[ch.Old+k] = ch.New + k
			}
		}
		if onOld {
			old += ch.Count
		}
		if onNew {
			new += ch.Count
		}
		if len(ch.Pieces) > 0 {
			checkPieces(t, d.OldText.Blocks[ch.Old].Text, d.NewText.Blocks[ch.New].Text, ch.Pieces)
		}
	}
	if old != len(d.OldText.Blocks) || new != len(d.NewText.Blocks) {
		t.Fatalf("changes cover %d and %d blocks of %d and %d", old, new, len(d.OldText.Blocks), len(d.NewText.Blocks))
	}
	if diff := cmp.Diff(away, here); diff != "" {
		t.Fatalf("blocks moved away are not those moved here:\n%s", diff)
	}
}

func checkPieces(t failer, old, new string, pieces []Piece) {
	t.Helper()
	x, y := 0, 0
	last := Equal
	for _, p := range pieces {
		if p.Old != x || p.New != y || p.OldEnd < p.Old || p.NewEnd < p.New {
			t.Fatalf("piece %+v where bytes %d and %d are next", p, x, y)
		}
		x, y = p.OldEnd, p.NewEnd
		was, is := old[p.Old:p.OldEnd], new[p.New:p.NewEnd]
		switch {
		case p.Op == Equal && was == is && was != "" && p.Text == "":
		case p.Op == Deleted && is == "" && was == p.Text && was != "" && last != Inserted:
		case p.Op == Inserted && was == "" && is == p.Text && is != "":
		default:
			t.Fatalf("piece %+v after %s of %q and %q", p, last, was, is)
		}
		if p.Op == last && x != p.OldEnd {
			t.Fatalf("two pieces %s in a row", p.Op)
		}
		last = p.Op
	}
	if x != len(old) || y != len(new) {
		t.Fatalf("pieces cover %d and %d bytes of %d and %d", x, y, len(old), len(new))
	}
}

// texts draws texts of few words, so that there is much to align, with forms and
// marks.
func drawText(t *rapid.T, label string) *Text {
	word := rapid.SampledFrom([]string{
		"we", "may", "sell", "data", "train", "models", "the", "a", "of", "your", "content", "。", "，", "我", "们", "的",
		"数", "据", "ไทย", "البيانات", "בית", "e\u0301", "👩‍👧", "3.5", "U.S.", "x@y.z", "\u200d", "don't",
	})
	line := rapid.Custom(func(t *rapid.T) Block {
		n := rapid.IntRange(1, 30).Draw(t, "words")
		var words []string
		for range n {
			words = append(words, word.Draw(t, "word"))
		}
		b := Block{
			Kind:  rapid.SampledFrom([]Kind{Heading, Paragraph, Item, Row}).Draw(t, "kind"),
			Level: rapid.IntRange(0, 2).Draw(t, "level"),
			Text:  strings.Join(words, rapid.SampledFrom([]string{" ", " ", ""}).Draw(t, "space")),
		}
		if rapid.Bool().Draw(t, "marked") {
			end := rapid.IntRange(0, len(b.Text)).Draw(t, "end")
			b.Marks = []Mark{{Start: end / 2, End: end, Kind: Link, URL: "https://a.example/" + words[0]}}
		}
		return b
	})
	return &Text{Blocks: rapid.SliceOfN(line, 0, 12).Draw(t, label)}
}

// rework makes a text of another by what people do to texts.
func rework(t *rapid.T, old *Text) *Text {
	blocks := append([]Block{}, old.Blocks...)
	for range rapid.IntRange(0, 6).Draw(t, "steps") {
		if len(blocks) == 0 {
			break
		}
		i := rapid.IntRange(0, len(blocks)-1).Draw(t, "i")
		j := rapid.IntRange(0, len(blocks)-1).Draw(t, "j")
		b := blocks[i]
		switch rapid.IntRange(0, 4).Draw(t, "what") {
		case 0:
			blocks = append(blocks[:i:i], blocks[i+1:]...)
		case 1:
			blocks[i], blocks[j] = blocks[j], blocks[i]
		case 2:
			blocks = append(blocks[:j:j], append([]Block{b}, blocks[j:]...)...)
		case 3:
			b.Text, b.Marks = b.Text+" and more", nil
			blocks = append(blocks[:j:j], append([]Block{b}, blocks[j:]...)...)
		case 4:
			b.Marker += "1."
			blocks[i] = b
		}
	}
	return &Text{Blocks: blocks}
}

func TestCompareProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		old := drawText(t, "old")
		checkDiff(t, old, drawText(t, "new"))
		checkDiff(t, old, rework(t, old))
	})
}

func TestCompareSame(t *testing.T) {
	text := lines("# Terms", "We keep data.")
	if d := checkDiff(t, text, text); !d.Same() || len(d.Changes) != 1 || d.Changes[0].Count != 2 {
		t.Errorf("Compare of a text with itself = %+v", d.Changes)
	}
	if d := Compare(nil, nil); !d.Same() || d.Summary(100) != "no difference" {
		t.Errorf("Compare(nil, nil) = %+v", d.Changes)
	}
}

// lines makes a text: "# " begins a heading, "* " and "1. " an item, "| " a row.
func lines(all ...string) *Text {
	t := &Text{}
	for _, s := range all {
		first, rest, _ := strings.Cut(s, " ")
		b := Block{Kind: Paragraph, Text: s}
		switch {
		case first == "*":
			b = Block{Kind: Item, Level: 1, Text: rest}
		case strings.Trim(first, "#") == "":
			b = Block{Kind: Heading, Level: len(first), Text: rest}
		case first == "|":
			b = Block{Kind: Row, Text: rest}
		case strings.Trim(first, "0123456789") == ".":
			b = Block{Kind: Item, Level: 1, Marker: first, Text: rest}
		}
		t.Blocks = append(t.Blocks, b)
	}
	return t
}

func TestCompare(t *testing.T) {
	for _, c := range []struct {
		name     string
		old, new *Text
		want     []string
	}{
		{"a section is inserted before the heading that follows it",
			lines("## Fees", "You pay.", "## Law", "The law applies."),
			lines("## Fees", "You pay.", "## Law", "Another law applies to models.", "## Law", "The law applies."),
			[]string{"equal 0 0 2", "inserted -1 2 2", "equal 2 4 2"}},
		{"two paragraphs changed, one between them went",
			lines("We keep the data that you give us.", "This clause is short.", "You may close your account at any time."),
			lines("We keep and sell the data that you give us.", "You may close your paid account at any time."),
			[]string{"edited 0 0 1 {+and sell +}", "deleted 1 -1 1", "edited 2 1 1 {+paid +}"}},
		{"halves swapped",
			lines("First clause of the terms.", "Second clause of the terms.", "Third clause of the notice.", "Fourth clause of the notice."),
			lines("Third clause of the notice.", "Fourth clause of the notice.", "First clause of the terms.", "Second clause of the terms."),
			[]string{"moved 2 0 2", "equal 0 2 2", "moved-away 2 0 2"}},
		{"moved and edited",
			lines("# A", "We share what you post with other companies in our group.", "# B", "Courts of Example decide all disputes about these terms.", "# C", "Nothing else."),
			lines("# A", "# B", "Courts of Example decide all disputes about these terms.", "# C", "Nothing else.", "We share what you post with any other companies in our group."),
			[]string{"equal 0 0 1", "moved-away 1 5 1", "equal 2 1 4", "moved 1 5 1 {+any +}"}},
		{"short words that come back are no move",
			lines("| Cookies", "Yes", "| Ads", "No", "| Models", "No"),
			lines("| Cookies", "| Ads", "No", "Yes", "| Models", "Yes"),
			[]string{"equal 0 0 1", "deleted 1 -1 1", "equal 2 1 2", "inserted -1 3 1", "equal 4 4 1", "deleted 5 -1 1", "inserted -1 5 1"}},
		{"a paragraph is split",
			lines("We keep the data that you give us. You may close your account at any time."),
			lines("We keep the data that you give us.", "You may close your account at any time."),
			[]string{"edited 0 0 1 [- You may close your account at any time.-]", "derived 0 1 1 [-We keep the data that you give us. -]"}},
		{"a paragraph is another",
			lines("We keep the data that you give us."), lines("Prices include all taxes."),
			[]string{"deleted 0 -1 1", "inserted -1 0 1"}},
		{"insertions that a word keeps apart",
			lines("It lets us improve the service and pass it on to others in the world."),
			lines("It lets us improve the service, for models and programs of any type; and (ii) pass it on to others in the world."),
			[]string{"edited 0 0 1 {+, for models and programs of any type;+} {+(ii) +}"}},
		{"exchanged words with one between them",
			lines("Then the user shall pay the agreed fee to the company within a month."),
			lines("Then the client shall give the agreed fee to the company within a month."),
			[]string{"edited 0 0 1 [-user shall pay-] {+client shall give+}"}},
		{"thai", lines("เราไม่ขายข้อมูลของคุณให้ผู้อื่น"), lines("เราขายข้อมูลของคุณให้ผู้อื่น"),
			[]string{"edited 0 0 1 [-ไม่-]"}},
		{"everything gone", lines("a", "b"), &Text{},
			[]string{"deleted 0 -1 2"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := checkDiff(t, c.old, c.new)
			if diff := cmp.Diff(c.want, outline(d)); diff != "" {
				t.Errorf("Compare (-want +got):\n%s", diff)
			}
		})
	}
}

// outline writes the changes briefly, to compare with what is expected.
func outline(d *Diff) []string {
	var all []string
	for _, ch := range d.Changes {
		words := []string{fmt.Sprintf("%s %d %d %d", ch.Op, ch.Old, ch.New, ch.Count)}
		for _, p := range ch.Pieces {
			switch p.Op {
			case Inserted:
				words = append(words, "{+"+p.Text+"+}")
			case Deleted:
				words = append(words, "[-"+p.Text+"-]")
			}
		}
		all = append(all, strings.Join(append(words, ch.Form...), " "))
	}
	return all
}

func TestSwallow(t *testing.T) {
	v := &vocabulary{ids: map[string]uint32{}}
	x, y := v.tokens("a b c d e f g"), v.tokens("a b c d e f g")
	for _, c := range []struct {
		name string
		gaps []gap
		want []gap
	}{
		{"a deletion after an insertion is one exchange", []gap{{2, 2, 2, 3}, {2, 4, 3, 3}}, []gap{{2, 4, 2, 3}}},
		{"a word between exchanges", []gap{{0, 1, 0, 1}, {4, 5, 4, 5}}, []gap{{0, 5, 0, 5}}},
		{"two words between exchanges", []gap{{0, 1, 0, 1}, {6, 7, 6, 7}}, []gap{{0, 1, 0, 1}, {6, 7, 6, 7}}},
		{"a word between insertions", []gap{{2, 2, 2, 4}, {5, 5, 7, 8}}, []gap{{2, 2, 2, 4}, {5, 5, 7, 8}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := swallow(x, y, c.gaps)
			if diff := cmp.Diff(c.want, got, cmp.AllowUnexported(gap{})); diff != "" {
				t.Errorf("swallow (-want +got):\n%s", diff)
			}
		})
	}
}

func FuzzCompare(f *testing.F) {
	f.Add("a b c\nd", "a x c\nd\ne")
	f.Add("我们不出售您的数据。\n第二条", "第二条\n我们出售您的数据。")
	f.Add("a a a a a a a a\na", "a a a\na a a a a a a a a a a\na")
	f.Fuzz(func(t *testing.T, a, b string) {
		if len(a)+len(b) > 4000 {
			t.Skip("long")
		}
		text := func(s string) *Text {
			t := &Text{}
			for l := range strings.SplitSeq(strings.ToValidUTF8(s, "\ufffd"), "\n") {
				t.Blocks = append(t.Blocks, Block{Kind: Paragraph, Text: l})
			}
			return t
		}
		old, new := text(a), text(b)
		d := checkDiff(t, old, new)
		d.Added()
		d.Removed()
		d.Summary(100)
		checkRenderings(t, d)
	})
}
