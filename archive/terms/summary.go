package terms

// Passage is a sentence gained or lost.
type Passage struct {
	Block int    `json:"block"` // index in the new text of one gained, in the old text of one lost
	Start int    `json:"start"` // bytes in the text of that block
	End   int    `json:"end"`
	Text  string `json:"text"`
	// Words are the words that were inserted or deleted, in bytes of Text; the whole
	// sentence if all of it was. None if the sentence differs only by what it lost or
	// gained on the other side.
	Words []Span `json:"words,omitempty"`
}

// Stats counts blocks by what became of them, and words.
type Stats struct {
	Equal     int `json:"equal"`
	Edited    int `json:"edited"`
	Added     int `json:"added"`
	Removed   int `json:"removed"`
	Moved     int `json:"moved"`
	Derived   int `json:"derived"`
	Formatted int `json:"formatted"`
	// AddedWords and RemovedWords are of blocks added and removed and of what differs
	// inside the others. Each character of Chinese, Japanese kana and Thai is a word.
	AddedWords   int `json:"added_words"`
	RemovedWords int `json:"removed_words"`
}

// Stats counts. A Diff that came back from JSON will do.
func (d *Diff) Stats() Stats {
	var s Stats
	for k := range d.Changes {
		ch := &d.Changes[k]
		if n := s.of(ch.Op); n != nil {
			*n += ch.Count
		}
		for _, p := range ch.Pieces {
			switch p.Op {
			case Inserted:
				s.AddedWords += countWords(p.Text)
			case Deleted:
				s.RemovedWords += countWords(p.Text)
			}
		}
		for j := range ch.Blocks {
			switch ch.Op {
			case Inserted:
				s.AddedWords += countWords(ch.Blocks[j].Text)
			case Deleted:
				s.RemovedWords += countWords(ch.Blocks[j].Text)
			}
		}
	}
	return s
}

// of returns the count of an operation; nil if it is not counted.
func (s *Stats) of(op Op) *int {
	switch op {
	case Equal:
		return &s.Equal
	case Edited:
		return &s.Edited
	case Inserted:
		return &s.Added
	case Deleted:
		return &s.Removed
	case Moved:
		return &s.Moved
	case Derived:
		return &s.Derived
	case Formatted:
		return &s.Formatted
	}
	return nil
}

// Same reports whether the texts are equal in all: words, order, form and links.
func (d *Diff) Same() bool {
	for k := range d.Changes {
		if d.Changes[k].Op != Equal {
			return false
		}
	}
	return true
}

// Added returns the sentences of the new text that the old one had nowhere, in
// their order. A sentence that moved, or was copied as it is, is none of them. It
// needs OldText and NewText.
func (d *Diff) Added() []Passage {
	if d.OldText == nil || d.NewText == nil {
		return nil
	}
	known := sentenceSet(d.OldText)
	var all []Passage
	for k := range d.Changes {
		ch := &d.Changes[k]
		switch ch.Op {
		case Inserted:
			for j := range ch.Blocks {
				all = appendPassages(all, ch.New+j, ch.Blocks[j].Text, nil, known)
			}
		case Edited, Moved, Derived:
			if len(ch.Pieces) > 0 {
				all = appendPassages(all, ch.New, ch.Blocks[0].Text, ch.spans(Inserted), known)
			}
		}
	}
	return all
}

// Removed returns the sentences of the old text that the new one has nowhere, in
// the order of the changes. It needs OldText and NewText.
func (d *Diff) Removed() []Passage {
	if d.OldText == nil || d.NewText == nil {
		return nil
	}
	known := sentenceSet(d.NewText)
	var all []Passage
	for k := range d.Changes {
		ch := &d.Changes[k]
		switch ch.Op {
		case Deleted:
			for j := range ch.Blocks {
				all = appendPassages(all, ch.Old+j, ch.Blocks[j].Text, nil, known)
			}
		case Edited, Moved:
			if len(ch.Pieces) > 0 {
				all = appendPassages(all, ch.Old, d.OldText.Blocks[ch.Old].Text, ch.spans(Deleted), known)
			}
		}
	}
	return all
}

// sentenceSet holds the sentences of a text.
func sentenceSet(t *Text) map[string]bool {
	set := make(map[string]bool)
	for i := range t.Blocks {
		s := t.Blocks[i].Text
		for _, sp := range Sentences(s) {
			set[s[sp.Start:sp.End]] = true
		}
	}
	return set
}

// spans returns where the pieces of a kind stand in their text; never nil.
func (ch *Change) spans(op Op) []Span {
	all := []Span{}
	for _, p := range ch.Pieces {
		switch {
		case p.Op != op:
		case op == Deleted:
			all = append(all, Span{p.Old, p.OldEnd})
		default:
			all = append(all, Span{p.New, p.NewEnd})
		}
	}
	return all
}

// appendPassages adds the sentences of a block that are not known. changed are the
// stretches that differ, in order; nil is the whole block.
func appendPassages(all []Passage, block int, s string, changed []Span, known map[string]bool) []Passage {
	for _, sp := range Sentences(s) {
		text := s[sp.Start:sp.End]
		for len(changed) > 0 && changed[0].End <= sp.Start {
			changed = changed[1:]
		}
		if known[text] {
			continue
		}
		p := Passage{Block: block, Start: sp.Start, End: sp.End, Text: text}
		if changed == nil {
			p.Words = []Span{{0, len(text)}}
		}
		for _, c := range changed {
			if c.Start >= sp.End {
				break
			}
			p.Words = appendTrimmed(p.Words, text, max(c.Start-sp.Start, 0), min(c.End, sp.End)-sp.Start)
		}
		all = append(all, p)
	}
	return all
}
