package terms

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// Kind is what a block is on its page.
type Kind string

// The kinds of blocks.
const (
	Heading   Kind = "heading"
	Paragraph Kind = "paragraph"
	Item      Kind = "item" // of a list
	Row       Kind = "row"  // of a table
)

// CellSeparator stands between the cells of a row.
const CellSeparator = " | "

// Block is one heading, paragraph, list item or table row.
type Block struct {
	Kind Kind `json:"kind"`
	// Level is 1 to 6 of a heading and the depth of a list item, from 1; 0 of
	// other blocks.
	Level int `json:"level,omitempty"`
	// Marker is the number that a browser shows before an item of an ordered
	// list, such as "3." or "b.". It is no part of Text.
	Marker string `json:"marker,omitempty"`
	// Text is what the block says, on one line: NFC, white space collapsed to
	// single spaces, none at the ends, never empty.
	Text string `json:"text"`
	// Marks are ordered by Start, then by falling End; they nest and never
	// overlap otherwise.
	Marks []Mark `json:"marks,omitempty"`
}

// MarkKind is what a mark does to its stretch of text.
type MarkKind string

// The kinds of marks.
const (
	Strong MarkKind = "strong"
	Em     MarkKind = "em"
	Code   MarkKind = "code"
	Del    MarkKind = "del"
	Link   MarkKind = "link"
)

// Mark is a stretch of a block's text, in bytes, with its form or the address it
// leads to.
type Mark struct {
	Start int      `json:"start"`
	End   int      `json:"end"`
	Kind  MarkKind `json:"kind"`
	URL   string   `json:"url,omitempty"` // of a link: absolute, tracking parameters removed
}

// Text is what one page, or several that make one document, says.
type Text struct {
	// Extractor names the rules that made it: ExtractorVersion, and the name and
	// version of an outside tool that took part.
	Extractor string `json:"extractor"`
	// Lang is the language in BCP 47, as the page says or as its script and words
	// show; "" if unknown.
	Lang   string  `json:"lang,omitempty"`
	Title  string  `json:"title,omitempty"`
	Blocks []Block `json:"blocks"`
}

// Plain returns the text alone: a line for each block, each ended by a line feed.
func (t *Text) Plain() string {
	var b strings.Builder
	for i := range t.Blocks {
		b.WriteString(t.Blocks[i].Text)
		b.WriteByte('\n')
	}
	return b.String()
}

// Words counts the words of the text. Each character of Chinese, Japanese kana and
// Thai is one.
func (t *Text) Words() int {
	n := 0
	for i := range t.Blocks {
		n += countWords(t.Blocks[i].Text)
	}
	return n
}

// Digest returns the SHA-256 of Plain in hexadecimal: what names a text to the
// outside.
func (t *Text) Digest() string {
	sum := sha256.Sum256([]byte(t.Plain()))
	return hex.EncodeToString(sum[:])
}

// Fingerprints tell two texts apart in one respect each. Equal means equal in
// that respect.
type Fingerprints struct {
	// Words is over the words in their order: how they are divided into blocks
	// does not count.
	Words string
	// Links is over the addresses that the text leads to, in their order.
	Links string
	// Form is over kinds, levels, markers, marks and division into blocks.
	Form string
}

// Fingerprints returns those of the text, SHA-256 in hexadecimal.
func (t *Text) Fingerprints() Fingerprints {
	words, links, form := sha256.New(), sha256.New(), sha256.New()
	for i := range t.Blocks {
		t.Blocks[i].hash(words, links, form)
	}
	return Fingerprints{sum(words), sum(links), sum(form)}
}
