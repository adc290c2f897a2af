package terms

import (
	"cmp"
	"slices"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// line is the text of a block as it grows: white space of any kind collapsed, what
// shows nothing and joins nothing dropped.
type line struct {
	buf     []byte
	pending bool // a space stands before the next character
	wide    bool // has characters beyond ASCII
	visible bool // has a character that shows
}

func (l *line) space() { l.pending = len(l.buf) > 0 }

// write adds text and returns where its first character stands, -1 if it has none.
func (l *line) write(s string) int {
	first := -1
	for i := 0; i < len(s); {
		c := s[i]
		switch {
		case isSpaceByte(c):
			l.pending = l.pending || len(l.buf) > 0
			i++
		case c < ' ' || c == 0x7F:
			i++
		case c < utf8.RuneSelf:
			j := i + 1
			for j < len(s) && s[j] > ' ' && s[j] < 0x7F {
				j++
			}
			first = l.put(s[i:j], first)
			l.visible = true
			i = j
		default:
			r, n := utf8.DecodeRuneInString(s[i:])
			switch {
			case unicode.IsSpace(r):
				l.pending = l.pending || len(l.buf) > 0
			case isDroppedRune(r), (r == 0x200C || r == 0x200D) && !l.joins(s[i+n:]):
			case r == utf8.RuneError:
				first = l.put("\uFFFD", first)
				l.wide, l.visible = true, true
			default:
				first = l.put(s[i:i+n], first)
				l.wide = true
				l.visible = l.visible || !isFormatRune(r)
			}
			i += n
		}
	}
	return first
}

// joins reports whether ZWNJ or ZWJ does something here: beside a letter that changes
// shape, or in an emoji. Elsewhere editors leave them behind.
func (l *line) joins(after string) bool {
	if r, _ := utf8.DecodeLastRune(l.buf); !l.pending && isShaped(r) {
		return true
	}
	r, _ := utf8.DecodeRuneInString(after)
	return isShaped(r)
}

// isShaped reports whether a character is of a script whose letters join, or of one
// that emoji are made of.
func isShaped(r rune) bool {
	switch {
	case r < 0x600:
		return false
	case r < 0x1D00: // Arabic, Syriac, the scripts of India and South-East Asia, Mongolian
		return r < 0x10A0 || r >= 0x1700
	case r >= 0x2190 && r < 0x2C00, r == 0xFE0F, r >= 0x1F000 && r < 0x20000: // symbols
		return true
	}
	return r >= 0xA800 && r < 0xAC00 || r >= 0xFB50 && r < 0xFE00 || r >= 0xFE70 && r < 0xFEFF ||
		r >= 0x10A00 && r < 0x12000 || r >= 0x1E900 && r < 0x1F000
}

func (l *line) put(s string, first int) int {
	if l.pending {
		l.buf = append(l.buf, ' ')
		l.pending = false
	}
	if first < 0 {
		first = len(l.buf)
	}
	l.buf = append(l.buf, s...)
	return first
}

// isDroppedRune reports whether a character shows nothing and changes neither the
// shape nor the direction of those beside it.
func isDroppedRune(r rune) bool {
	switch r {
	case 0x00AD, 0x200B, 0x2060, 0xFEFF:
		return true
	}
	return r >= 0x80 && r < 0xA0 && r != 0x85
}

// isFormatRune reports whether a character shows nothing by itself, such as ZWNJ and
// the marks of direction.
func isFormatRune(r rune) bool {
	return r >= 0x200C && r <= 0x200F || r >= 0x202A && r <= 0x202E || r >= 0x2061 && r <= 0x206F ||
		r == 0x061C || r == 0x034F || r >= 0xFE00 && r <= 0xFE0F
}

// end returns the text and its marks and begins anew; ok is false if nothing shows.
func (l *line) end(marks *markStack) (text string, all []Mark, ok bool) {
	all = marks.cut(len(l.buf))
	buf, wide, visible := l.buf, l.wide, l.visible
	*l = line{buf: l.buf[:0]}
	if !visible {
		return "", nil, false
	}
	if wide && !norm.NFC.IsNormal(buf) {
		return normalised(buf, all)
	}
	return string(buf), all, true
}

// normalised returns a text in NFC with its marks moved along. A mark that began
// within a character begins before it.
func normalised(buf []byte, marks []Mark) (string, []Mark, bool) {
	ends := make([]*int, 0, 2*len(marks))
	for i := range marks {
		ends = append(ends, &marks[i].Start, &marks[i].End)
	}
	slices.SortFunc(ends, func(a, b *int) int { return cmp.Compare(*a, *b) })
	out := make([]byte, 0, len(buf))
	for at := 0; at < len(buf); {
		n := norm.NFC.NextBoundary(buf[at:], true)
		for len(ends) > 0 && *ends[0] < at+n {
			*ends[0], ends = len(out), ends[1:]
		}
		out = norm.NFC.Append(out, buf[at:at+n]...)
		at += n
	}
	for _, e := range ends {
		*e = len(out)
	}
	marks = slices.DeleteFunc(marks, func(m Mark) bool { return m.Start >= m.End })
	if len(marks) == 0 {
		marks = nil
	}
	return string(out), marks, true
}

// markStack holds the open marks of a text and those of the block that ended.
type markStack struct {
	open  []openMark
	done  []doneMark
	fresh int // open marks without a character yet
	order int
}

// openMark is a mark whose element is open.
type openMark struct {
	kind  MarkKind
	url   string
	start int // in the text of the block; -1 before its first character
	order int
}

type doneMark struct {
	Mark
	order int // in which marks were opened
}

// push opens a mark; it reports false if one of that kind is open.
func (m *markStack) push(kind MarkKind, url string) bool {
	for i := range m.open {
		if m.open[i].kind == kind {
			return false
		}
	}
	m.order++
	m.open = append(m.open, openMark{kind, url, -1, m.order})
	m.fresh++
	return true
}

// started notes where the first character of the open marks stands.
func (m *markStack) started(at int) {
	if at < 0 || m.fresh == 0 {
		return
	}
	for i := range m.open {
		if m.open[i].start < 0 {
			m.open[i].start = at
		}
	}
	m.fresh = 0
}

// pop ends the last mark opened.
func (m *markStack) pop(end int) {
	last := m.open[len(m.open)-1]
	m.open = m.open[:len(m.open)-1]
	if last.start < 0 {
		m.fresh--
		return
	}
	m.add(last, end)
}

func (m *markStack) add(o openMark, end int) {
	if o.start < end {
		m.done = append(m.done, doneMark{Mark{o.start, end, o.kind, o.url}, o.order})
	}
}

// cut returns the marks of a block that ends; those still open go on in the next.
func (m *markStack) cut(end int) []Mark {
	for i := range m.open {
		if m.open[i].start >= 0 {
			m.add(m.open[i], end)
			m.open[i].start = -1
			m.fresh++
		}
	}
	if len(m.done) == 0 {
		return nil
	}
	slices.SortFunc(m.done, func(a, b doneMark) int {
		return cmp.Or(cmp.Compare(a.Start, b.Start), cmp.Compare(b.End, a.End), cmp.Compare(a.order, b.order))
	})
	marks := make([]Mark, len(m.done))
	for i := range m.done {
		marks[i] = m.done[i].Mark
	}
	m.done = m.done[:0]
	return marks
}
