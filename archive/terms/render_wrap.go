package terms

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/clipperhouse/uax29/v2/graphemes"
	"github.com/clipperhouse/uax29/v2/words"
	"golang.org/x/text/width"
)

// wrapper fills lines with words. A line breaks at a space, or before a character
// of Chinese, Japanese and the like; punctuation stays with what it belongs to.
type wrapper struct {
	t      *terminal
	indent int
	room   int // columns of a line; not wrapped below 1
	used   int
	line   []run // fits
	word   []run // not yet known to fit
	opened bool  // word ends in an opening mark: what follows belongs to it
}

// open begins a run with a mark that belongs to the word after it.
func (l *wrapper) open(r run) {
	if r.text != "" {
		l.word = append(l.word, r)
		l.opened = true
	}
}

// stick adds a mark that belongs to the word before it.
func (l *wrapper) stick(r run) {
	if r.text != "" {
		l.word = append(l.word, r)
	}
}

// all adds the words of a run.
func (l *wrapper) all(r run) {
	for it := words.FromString(r.text); it.Next(); {
		l.add(run{r.style, it.Value()})
	}
}

// add adds a word, a space or a punctuation mark.
func (l *wrapper) add(r run) {
	first, _ := utf8.DecodeRuneInString(r.text)
	switch {
	case unicode.IsSpace(first) && first != '\u00a0':
		l.flush()
		l.word = append(l.word, r)
		l.flush()
		return
	case unicode.In(first, unicode.Ps, unicode.Pi):
		if !l.opened {
			l.flush()
		}
		l.word = append(l.word, r)
		l.opened = true
		return
	case single(r.text) && isWord(r.text) && !l.opened:
		l.flush()
	}
	l.word = append(l.word, r)
	l.opened = false
}

// flush puts the word on the line, or on the next if it does not fit. A space that
// does not fit is the break.
func (l *wrapper) flush() {
	columns := 0
	for _, r := range l.word {
		columns += columnsOf(r.text)
	}
	switch {
	case l.room < 1 || l.used+columns <= l.room:
		l.line = append(l.line, l.word...)
		l.used += columns
	case len(l.word) == 1 && strings.TrimSpace(l.word[0].text) == "":
		l.next()
	default:
		if l.used > 0 {
			l.next()
		}
		l.breakUp()
	}
	l.word, l.opened = l.word[:0], false
}

// breakUp puts the word on as many lines as it needs.
func (l *wrapper) breakUp() {
	for _, r := range l.word {
		for it := graphemes.FromString(r.text); it.Next(); {
			n := columnsOf(it.Value())
			if l.used > 0 && l.used+n > l.room {
				l.next()
			}
			l.line = append(l.line, run{r.style, it.Value()})
			l.used += n
		}
	}
}

// next ends the line and begins another.
func (l *wrapper) next() {
	l.end()
	l.t.w.WriteString(strings.Repeat(" ", l.indent))
}

// end writes the line, each style begun and ended in it. No space ends a line.
func (l *wrapper) end() {
	last := len(l.line)
	for last > 0 && strings.TrimSpace(l.line[last-1].text) == "" {
		last--
	}
	before := plainStyle
	change := func(s style) {
		if l.t.color && s != before && before != plainStyle {
			l.t.w.WriteString("\x1b[0m")
		}
		if l.t.color && s != before && s != plainStyle {
			l.t.w.WriteString("\x1b[" + sgr[s] + "m")
		}
		before = s
	}
	for _, r := range l.line[:last] {
		change(r.style)
		l.t.w.WriteString(r.text)
	}
	change(plainStyle)
	l.t.w.WriteByte('\n')
	l.line, l.used = l.line[:0], 0
}

// columnsOf is how wide a string is in a terminal: two columns for each wide or
// fullwidth character (Unicode Standard Annex 11), and what combines with another
// takes none.
func columnsOf(s string) int {
	n := 0
	for it := graphemes.FromString(s); it.Next(); {
		first, _ := utf8.DecodeRuneInString(it.Value())
		switch k := width.LookupRune(first).Kind(); {
		case k == width.EastAsianWide || k == width.EastAsianFullwidth:
			n += 2
		case unicode.In(first, unicode.Mn, unicode.Me, unicode.Cf):
		default:
			n++
		}
	}
	return n
}

// printable replaces control characters, which could command a terminal, those that
// override the direction of writing, and bytes that are no UTF-8 by U+FFFD.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == '\u202d' || r == '\u202e' {
			return utf8.RuneError
		}
		return r
	}, s)
}
