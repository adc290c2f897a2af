package terms

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// alignedFold is a string folded as by foldPhrase, but with its white space, in
// which each byte knows where it comes from.
type alignedFold struct {
	original string
	s        string
	from     []int // per byte of s, and one more: offset in original
}

func foldAligned(original string) *alignedFold {
	a := &alignedFold{original: original, from: make([]int, 0, len(original)+1)}
	var b strings.Builder
	for i, r := range original {
		n := b.Len()
		switch {
		case r < utf8.RuneSelf:
			b.WriteRune(unicode.ToLower(r))
		case unicode.IsSpace(r):
			b.WriteByte(' ')
		default:
			b.WriteString(foldRune(r))
		}
		for ; n < b.Len(); n++ {
			a.from = append(a.from, i)
		}
	}
	a.from = append(a.from, len(original))
	a.s = b.String()
	return a
}

// foldRune folds one character above ASCII.
func foldRune(r rune) string {
	var b strings.Builder
	for _, d := range norm.NFKD.String(string(r)) {
		d = unicode.ToLower(d)
		if f, ok := foldedLetters[d]; ok {
			b.WriteString(f)
		} else if !isDiacritic(d) {
			b.WriteRune(d)
		}
	}
	return norm.NFC.String(b.String())
}

// quote returns the original of a stretch of the folded string, with whole
// characters at both ends.
func (a *alignedFold) quote(start, end int) string {
	from, to := a.from[start], a.from[end]
	if end > start && to == a.from[end-1] { // the middle of a character
		_, n := utf8.DecodeRuneInString(a.original[to:])
		to += n
	}
	return a.original[from:to]
}

// wordSet makes a set of the words of a string.
func wordSet(words string) map[string]bool {
	set := map[string]bool{}
	for w := range strings.FieldsSeq(words) {
		set[w] = true
	}
	return set
}
