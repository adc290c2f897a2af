package terms

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
)

// The bounds of a passage: within them a database keeps the place of every token
// (PostgreSQL's manual, section 12.11).
const (
	maxPassageTokens = 4000
	maxPassageSame   = 250 // tokens that are the same
)

// SearchPassage is a block, or a part of one that is too long, as it is searched.
type SearchPassage struct {
	Hash   string // of Text: 16 bytes of its SHA-256 in hexadecimal
	Text   string
	Tokens string // those of Text, divided by single spaces, never empty
	Kind   Kind
	Block  int // the block's place in the text, from 0
}

// SearchPassages returns the passages of the text in their order, but for blocks
// without a letter or digit. A block of more than 4,000 tokens, or more than 250
// that are the same, is cut, after a sentence if one ends: a phrase that goes over
// a cut is not found.
func (t *Text) SearchPassages() []SearchPassage {
	var all []SearchPassage
	for i := range t.Blocks {
		b := &t.Blocks[i]
		for _, s := range passageSpans(b.Text) {
			text := strings.TrimSpace(b.Text[s.Start:s.End])
			if tokens := SearchTokens(text); len(tokens) > 0 {
				all = append(all, SearchPassage{Hash: searchHash(text), Text: text, Tokens: strings.Join(tokens, " "), Kind: b.Kind, Block: i})
			}
		}
	}
	return all
}

func searchHash(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:16])
}

// mostTokens returns a number that the tokens of a text do not exceed: each ends
// before a byte that is no ASCII letter or digit, or at the end.
func mostTokens(s string) int {
	n := 1
	for i := range len(s) {
		if c := s[i] | 0x20; (c < 'a' || c > 'z') && (s[i] < '0' || s[i] > '9') {
			n++
		}
	}
	return n
}

// passageSpans divides a text at the bounds of a passage.
func passageSpans(s string) []Span {
	if mostTokens(s) <= maxPassageSame {
		return []Span{{0, len(s)}}
	}
	var (
		cuts      []int
		sentences []Span // found when they are needed
		start, n  int
		same      = map[string]int{}
	)
	searchTokens(s, func(token string, at, _ int) {
		if n >= maxPassageTokens || same[token] >= maxPassageSame {
			if sentences == nil {
				sentences = Sentences(s)
			}
			start = lastSentence(sentences, start, at)
			cuts = append(cuts, start)
			n, same = 0, map[string]int{}
			searchTokens(s[start:at], func(token string, _, _ int) { n, same[token] = n+1, same[token]+1 })
		}
		n, same[token] = n+1, same[token]+1
	})
	return spansBetween(cuts, len(s))
}

// lastSentence returns where the last sentence up to at begins, or at if that is
// not in the second half from start to at.
func lastSentence(sentences []Span, start, at int) int {
	i, found := slices.BinarySearchFunc(sentences, at, func(s Span, at int) int { return s.Start - at })
	if !found {
		i--
	}
	if i < 0 || sentences[i].Start <= start+(at-start)/2 {
		return at
	}
	return sentences[i].Start
}

func spansBetween(cuts []int, end int) []Span {
	var all []Span
	start := 0
	for _, c := range cuts {
		all = append(all, Span{start, c})
		start = c
	}
	return append(all, Span{start, end})
}
