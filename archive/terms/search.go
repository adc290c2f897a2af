package terms

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// maxSearchToken is the number of characters of a token; what is longer is cut.
const maxSearchToken = 64

// SearchTokens returns what a text can be found by, in order: its words and
// numbers, folded as watch phrases are (compatibility forms, case, diacritics of
// alphabets, Arabic vowel points and tatweel, ß as ss, İ and ı as i). A word is
// letters, numbers and their marks alone, so "don't" is two. Each character of
// Chinese, kana, Hangul, Thai, Lao, Khmer and Myanmar is a token, since words are
// not divided there or grow particles: what is looked for is a phrase of
// characters. No token is longer than 64 characters, and its only ASCII
// characters are a to z and 0 to 9. The tokens of tokens are the same.
func SearchTokens(s string) []string {
	var all []string
	searchTokens(s, func(token string, _, _ int) { all = append(all, token) })
	return all
}

// searchTokens calls emit for each token of a string, with the stretch of bytes
// it was made of.
func searchTokens(s string, emit func(token string, start, end int)) {
	t := searchTokenizer{emit: emit}
	for i := 0; i < len(s); {
		if c := s[i]; c < utf8.RuneSelf && (i+1 == len(s) || s[i+1] < utf8.RuneSelf) {
			if 'A' <= c && c <= 'Z' {
				c += 'a' - 'A'
			}
			t.add(rune(c), i, i+1)
			i++
			continue
		}
		// A character outside ASCII, and one before that it may combine with.
		n := 1 + strings.IndexFunc(s[i+1:], func(r rune) bool { return r < utf8.RuneSelf })
		if n == 0 {
			n = len(s) - i
		}
		t.addFolded(s[i:i+n], i)
		i += n
	}
	t.flush()
}

// searchTokenizer gathers the characters of a word.
type searchTokenizer struct {
	emit       func(token string, start, end int)
	word       strings.Builder
	wide       bool // the word has characters outside ASCII
	start, end int
}

// addFolded adds a string that stands at a place, folded piece by piece so that
// places are kept: a piece is what may combine to one character.
func (t *searchTokenizer) addFolded(s string, at int) {
	for len(s) > 0 {
		n := norm.NFKC.NextBoundaryInString(s, true)
		if n <= 0 {
			n = len(s)
		}
		piece, end := s[:n], at+n
		r, size := utf8.DecodeRuneInString(piece)
		switch {
		case size == n && foldsToItself(r):
			t.add(r, at, end)
		case !isSearchable(r):
			t.flush() // also if it folds to white space, which folding trims
			fallthrough
		default:
			for _, r := range foldPhrase(piece) {
				t.add(r, at, end)
			}
		}
		s, at = s[n:], end
	}
}

// isSearchable reports whether a character can be a part of a token, or stand
// within one unseen.
func isSearchable(r rune) bool {
	return unicode.IsLetter(r) || unicode.IsNumber(r) || unicode.IsMark(r) || unicode.Is(unicode.Cf, r)
}

// foldsToItself knows the many characters that folding leaves as they are.
func foldsToItself(r rune) bool {
	return 0x4e00 <= r && r <= 0x9fff || 0x3041 <= r && r <= 0x3096 || 0x30a1 <= r && r <= 0x30fa || 0xac00 <= r && r <= 0xd7a3
}

// add adds a folded character.
func (t *searchTokenizer) add(r rune, start, end int) {
	switch {
	case isSearchUnit(r):
		t.flush()
		t.emit(string(r), start, end)
	case unicode.IsLetter(r), unicode.IsNumber(r):
		if t.word.Len() == 0 {
			t.start = start
		}
		t.put(r, end)
	case r < utf8.RuneSelf:
		t.flush()
	case unicode.Is(unicode.Cf, r), unicode.Is(unicode.Variation_Selector, r):
		// Joiners and the like stand within words and are no part of them.
	case unicode.IsMark(r):
		if t.word.Len() > 0 {
			t.put(r, end)
		}
	default:
		t.flush()
	}
}

func (t *searchTokenizer) put(r rune, end int) {
	t.word.WriteRune(r)
	t.wide = t.wide || r >= utf8.RuneSelf
	t.end = end
}

// flush ends the word.
func (t *searchTokenizer) flush() {
	if t.word.Len() == 0 {
		return
	}
	token := t.word.String()
	if t.wide {
		token = norm.NFC.String(token) // what was between its characters is gone
	}
	t.emit(cutSearchToken(token), t.start, t.end)
	t.word.Reset()
	t.wide = false
}

// cutSearchToken returns the beginning of a token.
func cutSearchToken(s string) string {
	if len(s) <= maxSearchToken {
		return s
	}
	n := 0
	for i := range s {
		if n == maxSearchToken {
			return s[:i]
		}
		n++
	}
	return s
}

// isSearchUnit reports whether a character is a token of its own.
func isSearchUnit(r rune) bool {
	switch {
	case r < 0xe00:
		return false
	case foldsToItself(r):
		return true
	}
	return isUnspaced(r) || unicode.In(r, unicode.Hangul, unicode.Bopomofo) || r == 'ー'
}
