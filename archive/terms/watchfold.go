package terms

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// foldedLetters are letters that no decomposition takes apart, with what they are
// compared as.
var foldedLetters = map[rune]string{
	'ß': "ss", 'ẞ': "ss", 'æ': "ae", 'œ': "oe", 'ø': "o", 'ł': "l", 'đ': "d", 'ð': "d",
	'þ': "th", 'ı': "i", 'ς': "σ",
	'ي': "ی", 'ى': "ی", 'ك': "ک", 'ة': "ه", // Arabic forms of Persian letters
	'’': "'", '‘': "'", 'ʼ': "'", '‐': "-", '‑': "-", '–': "-", '—': "-",
	'\u00ad': "", '\u200b': "", '\u200c': "", '\u200d': "", '\u2060': "", '\ufeff': "", 'ـ': "",
}

// foldPhrase returns a string as it is compared: compatibility forms composed
// (NFKC: full-width letters, ligatures), case and diacritics of alphabets gone,
// white space single. Kana and Hangul keep their marks, which make another letter
// of them, as do the vowel signs of Indic scripts.
func foldPhrase(s string) string {
	var b strings.Builder
	b.Grow(len(s))
	if plain, ok := foldASCII(&b, s); ok {
		return plain
	}
	b.Reset()
	space, ascii := true, true
	for _, r := range norm.NFKD.String(strings.ToValidUTF8(s, "\uFFFD")) { // it leaves what follows a wrong byte composed
		switch {
		case unicode.IsSpace(r):
			if !space {
				b.WriteByte(' ')
			}
			space = true
			continue
		case isDiacritic(r):
			continue
		}
		r = unicode.ToLower(r)
		space, ascii = false, ascii && r < utf8.RuneSelf
		if f, ok := foldedLetters[r]; ok && r >= utf8.RuneSelf {
			b.WriteString(f)
			continue
		}
		b.WriteRune(r)
	}
	folded := strings.TrimSuffix(b.String(), " ")
	if ascii {
		return folded
	}
	return norm.NFC.String(folded)
}

// foldASCII does the same for a string of ASCII only, into an empty builder.
func foldASCII(b *strings.Builder, s string) (string, bool) {
	space := true
	for i := range len(s) {
		switch c := s[i]; {
		case c >= utf8.RuneSelf:
			return "", false
		case c == ' ', '\t' <= c && c <= '\r':
			if !space {
				b.WriteByte(' ')
			}
			space = true
		default:
			if 'A' <= c && c <= 'Z' {
				c += 'a' - 'A'
			}
			b.WriteByte(c)
			space = false
		}
	}
	return strings.TrimSuffix(b.String(), " "), true
}

// isDiacritic reports whether a mark is left out in comparing: those of Latin,
// Greek and Cyrillic, and the points of Hebrew and Arabic.
func isDiacritic(r rune) bool {
	switch {
	case r < 0x300:
		return false
	case r <= 0x36f, 0x591 <= r && r <= 0x5bd, r == 0x5bf, r == 0x5c1, r == 0x5c2, r == 0x5c4, r == 0x5c5, r == 0x5c7:
		return true
	case 0x64b <= r && r <= 0x65f, r == 0x670:
		return true
	}
	return false
}

// isUnspaced reports whether words of the script of r are not divided by spaces.
func isUnspaced(r rune) bool {
	return r >= 0xe00 && unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Thai, unicode.Lao, unicode.Khmer, unicode.Myanmar)
}
