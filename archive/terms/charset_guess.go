package terms

import (
	"bytes"
	"strings"
	"unicode/utf8"
)

// guessSample is how much of a body is looked at to guess its character set.
const guessSample = 256 << 10

// guessUTF16 recognises UTF-16 without a byte order mark by its markup: every
// other byte of an ASCII character is zero.
func guessUTF16(body []byte) string {
	head := body[:min(len(body), 1024)]
	even, odd := 0, 0
	for i, c := range head {
		if c == 0 {
			if i%2 == 0 {
				even++
			} else {
				odd++
			}
		}
	}
	switch n := len(head) / 2; {
	case n < 4:
	case odd*2 > n && even*10 < n:
		return "utf-16le"
	case even*2 > n && odd*10 < n:
		return "utf-16be"
	}
	return ""
}

// guessCharset returns the character set that bytes look like that are no UTF-8:
// by the language that the page or the server names, then by which bytes are
// frequent. It is windows-1252 when nothing speaks for another.
func guessCharset(body []byte, language string) string {
	sample := body[:min(len(body), guessSample)]
	if isEscaped(sample) {
		return "iso-2022-jp"
	}
	b := countBytes(sample)
	lang := strings.ToLower(markedLanguage(sample, language))
	switch base, _, _ := strings.Cut(lang, "-"); base {
	case "zh":
		if strings.HasSuffix(lang, "-tw") || strings.HasSuffix(lang, "-hk") || strings.Contains(lang, "-hant") {
			return "big5"
		}
		return "gb18030"
	case "ja":
		if b.euc*10 >= b.pairs*9 && b.kanaEUC > b.kanaSJIS {
			return "euc-jp"
		}
		return "shift_jis"
	case "ko":
		return "euc-kr"
	case "":
	default:
		if name, ok := singleByte(base, b); ok {
			return name
		}
	}
	return guessByBytes(b)
}

// singleByte returns the usual one-byte character set of a language.
func singleByte(lang string, b byteCounts) (name string, ok bool) {
	switch lang {
	case "ru", "uk", "bg", "be", "sr", "mk":
		if b.lowerKOI8 > b.lower1251 {
			return "koi8-r", true
		}
		return "windows-1251", true
	case "pl", "cs", "sk", "hu", "hr", "sl", "ro", "sq":
		return "windows-1250", true
	case "el":
		return "windows-1253", true
	case "tr", "az":
		return "windows-1254", true
	case "he", "yi":
		return "windows-1255", true
	case "ar", "fa", "ur":
		return "windows-1256", true
	case "lt", "lv", "et":
		return "windows-1257", true
	case "vi":
		return "windows-1258", true
	case "th":
		return "windows-874", true
	case "en", "de", "fr", "es", "it", "pt", "nl", "da", "sv", "nb", "no", "fi", "is":
		return "windows-1252", true
	}
	return "", false
}

// byteCounts counts what tells character sets apart.
type byteCounts struct {
	ascii, high int
	pairs       int // bytes from 0x81 with the one behind them
	euc         int // pairs of two bytes from 0xA1
	gbCommon    int // pairs in the first plane of GB 2312
	hangul      int // pairs in the Hangul of EUC-KR
	kanaEUC     int
	kanaSJIS    int
	big5Common  int
	lower1251   int // bytes that are small Cyrillic letters in windows-1251
	lowerKOI8   int // and in koi8-r
}

func countBytes(sample []byte) byteCounts {
	var b byteCounts
	for i := 0; i < len(sample); i++ {
		c := sample[i]
		if c < 0x80 {
			b.ascii++
			continue
		}
		b.high++
		switch {
		case c >= 0xE0:
			b.lower1251++
		case c >= 0xC0:
			b.lowerKOI8++
		}
		if i+1 == len(sample) || c == 0x80 || c == 0xFF {
			continue
		}
		b.pair(c, sample[i+1])
		if sample[i+1] >= 0x40 {
			if d := sample[i+1]; d >= 0x80 {
				b.high++
				switch {
				case d >= 0xE0:
					b.lower1251++
				case d >= 0xC0:
					b.lowerKOI8++
				}
			}
			i++
		}
	}
	return b
}

func (b *byteCounts) pair(c, d byte) {
	b.pairs++
	if c == 0x82 && d >= 0x9F && d <= 0xF1 || c == 0x83 && d >= 0x40 && d <= 0x96 {
		b.kanaSJIS++
	}
	if c >= 0xA4 && c <= 0xC6 && (d >= 0x40 && d < 0x7F || d >= 0xA1) {
		b.big5Common++
	}
	if c < 0xA1 || d < 0xA1 {
		return
	}
	b.euc++
	if c == 0xA4 || c == 0xA5 {
		b.kanaEUC++
	}
	if c >= 0xB0 && c <= 0xD7 {
		b.gbCommon++
	}
	if c >= 0xB0 && c <= 0xC8 {
		b.hangul++
	}
}

// guessByBytes guesses without knowing the language.
func guessByBytes(b byteCounts) string {
	switch {
	case b.high == 0:
		return "windows-1252"
	case b.kanaSJIS*10 >= b.pairs && b.kanaSJIS > 2:
		return "shift_jis"
	case b.kanaEUC*10 >= b.pairs && b.kanaEUC > 2 && b.euc*10 >= b.pairs*9:
		return "euc-jp"
	case b.high*3 > b.ascii && b.lower1251*10 >= b.high*7:
		return "windows-1251"
	case b.high*3 > b.ascii && b.lowerKOI8*10 >= b.high*7 && b.euc*10 < b.pairs*9:
		return "koi8-r"
	case b.high < 2*b.pairs-b.pairs/2 && b.euc*2 < b.pairs && b.big5Common*10 < b.pairs*8:
		return "windows-1252" // single high bytes between ASCII letters
	case b.euc*10 >= b.pairs*9 && b.hangul*100 >= b.gbCommon*92 && b.hangul > 4:
		return "euc-kr"
	case b.gbCommon*10 >= b.pairs*6 && b.euc*10 >= b.pairs*8:
		return "gb18030"
	case b.big5Common*10 >= b.pairs*7:
		return "big5"
	case b.euc*10 >= b.pairs*6:
		return "gb18030"
	}
	return "windows-1252"
}

// markedLanguage returns what <html lang> says, else the given one.
func markedLanguage(sample []byte, language string) string {
	head := lowerASCII(sample[:min(len(sample), 4096)])
	if i := bytes.Index(head, []byte("<html")); i >= 0 {
		tag, _, _ := bytes.Cut(head[i:], []byte(">"))
		if _, value, found := bytes.Cut(tag, []byte("lang=")); found {
			value = bytes.TrimLeft(value, "\"'")
			if j := bytes.IndexAny(value, "\"' /"); j >= 0 {
				value = value[:j]
			}
			return string(value)
		}
	}
	first, _, _ := strings.Cut(language, ",")
	return strings.TrimSpace(first)
}

// lowerASCII makes A to Z small. Unlike bytes.ToLower it keeps the place of
// everything, also in what is no UTF-8.
func lowerASCII(s []byte) []byte {
	low := bytes.Clone(s)
	for i, c := range low {
		if 'A' <= c && c <= 'Z' {
			low[i] = c | 0x20
		}
	}
	return low
}

// isEscaped reports whether a body switches to Japanese by escape sequences.
func isEscaped(body []byte) bool {
	return bytes.Contains(body, []byte("\x1b$B")) || bytes.Contains(body, []byte("\x1b$@"))
}

func isDoubleByte(name string) bool {
	switch name {
	case "gbk", "gb18030", "big5", "shift_jis", "euc-jp", "euc-kr":
		return true
	}
	return false
}

// multibyte counts characters of more than one byte in UTF-8, up to most.
func multibyte(body []byte, most int) int {
	n := 0
	for i := 0; i < len(body) && n < most; i++ {
		if body[i] >= 0xC0 {
			n++
		}
	}
	return n
}

// brokenUTF8 counts the bytes that begin no character of UTF-8, and all characters
// beyond ASCII, broken or not.
func brokenUTF8(body []byte) (broken, high int) {
	sample := body[:min(len(body), guessSample)]
	for i := 0; i < len(sample); {
		if sample[i] < 0x80 {
			i++
			continue
		}
		r, n := utf8.DecodeRune(sample[i:])
		if r == utf8.RuneError && n == 1 {
			broken++
		}
		high++
		i += n
	}
	return broken, high
}
