package terms

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/clipperhouse/uax29/v2/sentences"
	"github.com/clipperhouse/uax29/v2/words"
)

// Span is a stretch of a string in bytes.
type Span struct {
	Start int `json:"start"`
	End   int `json:"end"`
}

// Sentences divides a string into sentences by Unicode Standard Annex 29, section
// 5, with the white space around them left out. What that rule breaks after an
// initial or a number of a section ("U.S. law", "3. Fees") is put together again.
// The spans are in order; every character but white space is in one.
func Sentences(s string) []Span {
	var all []Span
	start, at := 0, 0
	for it := sentences.FromString(s); it.Next(); {
		at += len(it.Value())
		if at < len(s) && unfinished(s[start:at]) {
			continue
		}
		all = appendTrimmed(all, s, start, at)
		start = at
	}
	return appendTrimmed(all, s, start, len(s))
}

// appendTrimmed adds a span without the white space at its ends, if any is left.
func appendTrimmed(all []Span, s string, start, end int) []Span {
	start += len(s[start:end]) - len(strings.TrimLeftFunc(s[start:end], unicode.IsSpace))
	end = start + len(strings.TrimRightFunc(s[start:end], unicode.IsSpace))
	if start == end {
		return all
	}
	return append(all, Span{start, end})
}

// unfinished reports whether a sentence cannot end here: it has no letters, or it
// ends in a full stop after a single letter that is no word of its own.
func unfinished(s string) bool {
	s = strings.TrimRightFunc(s, unicode.IsSpace)
	if len(s) < 40 && strings.IndexFunc(s, unicode.IsLetter) < 0 {
		return true
	}
	before, stop := strings.CutSuffix(s, ".")
	if !stop {
		return false
	}
	last, n := utf8.DecodeLastRuneInString(before)
	if !unicode.IsUpper(last) {
		return false
	}
	prev, _ := utf8.DecodeLastRuneInString(before[:len(before)-n])
	return !unicode.IsLetter(prev) && !unicode.IsNumber(prev)
}

// countWords counts words by Unicode Standard Annex 29: letters and numbers, each
// character of Chinese, Japanese kana and Thai being one.
func countWords(s string) int {
	n := 0
	for it := words.FromString(s); it.Next(); {
		if isWord(it.Value()) {
			n++
		}
	}
	return n
}

// isWord reports whether a token is no white space, punctuation or symbol.
func isWord(token string) bool {
	if token == "" {
		return false
	}
	if c := token[0]; c < utf8.RuneSelf {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
			return true
		case len(token) == 1:
			return false
		}
	}
	return strings.IndexFunc(token, func(r rune) bool {
		return unicode.IsLetter(r) || unicode.IsNumber(r)
	}) >= 0
}
