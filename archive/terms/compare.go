package terms

// Op is what became of a stretch of blocks or, inside a block, of words.
type Op string

// What becomes of blocks; Equal, Inserted and Deleted also of words in a Piece.
const (
	Equal     Op = "equal"
	Edited    Op = "edited"     // other words in the same place
	Inserted  Op = "inserted"   // stands in the new text only
	Deleted   Op = "deleted"    // stands in the old text only
	Moved     Op = "moved"      // stands elsewhere now, perhaps with other words
	MovedAway Op = "moved-away" // where a moved block stood
	Derived   Op = "derived"    // made from an old block that found its own place in the new text
	Formatted Op = "formatted"  // the same words in another form or with other links
)

// What of the form of a block changed, as listed in Change.Form.
const (
	FormKind   = "kind"
	FormLevel  = "level"
	FormMarker = "marker"
	FormMarks  = "marks" // strong, em, code or del; told of blocks with the same words only
	FormLinks  = "links" // which ones: Change.Links
)

// Diff is what makes the new text of the old one. It marshals to JSON, and what
// comes back is enough for Apply; to render it, set OldText and NewText again.
//
// A Diff is not changed after Compare and may be used by several goroutines. It
// shares memory with the texts it was made from.
type Diff struct {
	Old Side `json:"old"`
	New Side `json:"new"`
	// Changes are in the order of a reader of the new text. What is gone stands
	// where it stood, before what came in its place. Every block of the new text is
	// in one change that is not MovedAway or Deleted, every block of the old text in
	// one that is Equal, Edited, Formatted, Deleted or MovedAway.
	Changes []Change `json:"changes"`

	OldText *Text `json:"-"`
	NewText *Text `json:"-"`
}

// Side names one of the two texts.
type Side struct {
	Title  string `json:"title,omitempty"`
	Lang   string `json:"lang,omitempty"`
	Blocks int    `json:"blocks"`
	Digest string `json:"digest"` // Text.Digest
}

// Change is what became of one block or, where all of them fare alike, of several
// that follow each other.
type Change struct {
	Op Op `json:"op"`
	// Old and New are the indexes of the first block in the old and in the new text;
	// -1 where there is none. Of Moved and MovedAway both are set: from where and
	// where to. Of Derived, Old is the origin.
	Old   int `json:"old"`
	New   int `json:"new"`
	Count int `json:"count"` // of blocks, at least 1
	// Blocks are the blocks in full: of Deleted the old ones, of Inserted the new
	// ones, else the one new block if it differs from its old one. Equal, MovedAway
	// and what moved or was copied as it is have none.
	Blocks []Block `json:"blocks,omitempty"`
	// Pieces, in order, cover the text of the old block and that of the new one. None
	// if the words are the same.
	Pieces []Piece `json:"pieces,omitempty"`
	// Form lists what else changed, in the order of the constants Form….
	Form []string `json:"form,omitempty"`
	// Links lists links gained, lost and changed in their target, unless the block
	// itself was.
	Links []LinkChange `json:"links,omitempty"`
}

// Piece is a stretch of words inside a block. Offsets are bytes in the text of the
// old block (the origin, of a derived one) and of the new block; each piece begins
// where the one before it ends. They never break a grapheme that both have.
type Piece struct {
	Op     Op     `json:"op"` // Equal, Deleted or Inserted; Deleted comes before Inserted
	Old    int    `json:"old"`
	OldEnd int    `json:"old_end"`
	New    int    `json:"new"`
	NewEnd int    `json:"new_end"`
	Text   string `json:"text,omitempty"` // of Deleted and Inserted
}

// LinkChange is a link that leads elsewhere, is gone (New is "") or is new (Old is
// "").
type LinkChange struct {
	Text string `json:"text"`
	Old  string `json:"old,omitempty"`
	New  string `json:"new,omitempty"`
}

// Compare tells how the new text came of the old one. They may be any two texts,
// also of different documents; nil is a text without blocks. The same texts give
// the same Diff on every run and machine.
//
//  1. Blocks with the same words are aligned.
//  2. Between them, blocks that share many words are paired, in order: Edited.
//  3. Of what is left, blocks with the same or similar words are Moved.
//  4. A new block that is left and is similar to any old block, or repeats it, is
//     Derived from it. That is how amended terms look while they stand on one page
//     beside those still in force: only what the amendment says is an insertion.
//  5. Inside pairs, words are compared: those of Unicode Standard Annex 29, which
//     are single characters in Chinese, Japanese and Thai.
//
// Time and memory are bounded for any input: where two texts are so unlike that
// comparing words has no end, whole sentences or blocks are exchanged.
func Compare(old, new *Text) *Diff {
	if old == nil {
		old = &Text{}
	}
	if new == nil {
		new = &Text{}
	}
	d := &Diff{Old: side(old), New: side(new), OldText: old, NewText: new}
	c := newComparer(old.Blocks, new.Blocks)
	c.align()
	c.pair()
	c.move()
	d.Changes = c.emit()
	return d
}

func side(t *Text) Side {
	return Side{Title: t.Title, Lang: t.Lang, Blocks: len(t.Blocks), Digest: t.Digest()}
}
