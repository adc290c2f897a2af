package crawler

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// cssRef is an address named in a stylesheet.
type cssRef struct {
	address string // as written, escapes resolved
	sheet   bool   // by @import
}

// cssURLs returns the addresses that a stylesheet, or the value of a style
// attribute, names by url(…) and @import, in their order and each as often as it
// stands there. Comments and strings are known, nothing else of the grammar is
// (CSS Syntax Module, level 3, section 4): what is no address costs at most a
// request that fails. data: addresses and empty ones are left out.
func cssURLs(css string) []cssRef {
	s := cssScanner{css: css}
	for s.pos < len(s.css) && len(s.refs) < maxFound {
		s.step()
	}
	return s.refs
}

// cssScanner walks over a stylesheet once.
type cssScanner struct {
	css    string
	pos    int
	sheet  bool // the next address is that of an @import
	inName bool // the byte before belongs to an identifier
	refs   []cssRef
}

// step moves over one token, or one byte of no interest.
func (s *cssScanner) step() {
	rest := s.css[s.pos:]
	c := rest[0]
	switch {
	case strings.HasPrefix(rest, "/*"):
		end := strings.Index(rest[2:], "*/")
		if end < 0 {
			s.pos = len(s.css)
			return
		}
		s.pos += end + 4
		s.inName = false
	case c == '"' || c == '\'':
		value := s.quoted(c)
		if s.sheet {
			s.found(value)
		}
		s.inName = false
	case c == '\\':
		s.pos += min(2, len(rest))
		s.inName = true
	case c == '@' && hasFold(rest[1:], "import") && !nameByteAt(rest, len("@import")):
		s.pos += len("@import")
		s.sheet, s.inName = true, false
	case !s.inName && hasFold(rest, "url("):
		s.pos += len("url(")
		s.found(s.urlValue())
		s.inName = false
	default:
		if c == ';' || c == '{' || c == '}' {
			s.sheet = false
		}
		s.pos++
		s.inName = isNameByte(c)
	}
}

// found notes an address.
func (s *cssScanner) found(value string) {
	sheet := s.sheet
	s.sheet = false
	value = strings.TrimSpace(value)
	if value == "" || value[0] == '#' || hasFold(value, "data:") {
		return
	}
	s.refs = append(s.refs, cssRef{value, sheet})
}

// quoted reads a string, whose opening quote is at pos. A line break ends a bad
// string.
func (s *cssScanner) quoted(quote byte) string {
	s.pos++
	var b strings.Builder
	for s.pos < len(s.css) {
		c := s.css[s.pos]
		switch c {
		case quote:
			s.pos++
			return b.String()
		case '\n', '\f', '\r':
			return ""
		case '\\':
			s.escape(&b)
		default:
			b.WriteByte(c)
			s.pos++
		}
	}
	return b.String()
}

// urlValue reads what follows "url(", up to and with the closing parenthesis.
func (s *cssScanner) urlValue() string {
	s.space()
	if s.pos < len(s.css) && (s.css[s.pos] == '"' || s.css[s.pos] == '\'') {
		value := s.quoted(s.css[s.pos])
		s.space()
		if s.pos < len(s.css) && s.css[s.pos] == ')' {
			s.pos++
		}
		return value
	}
	var b strings.Builder
	for s.pos < len(s.css) {
		switch c := s.css[s.pos]; c {
		case ')':
			s.pos++
			return b.String()
		case '\\':
			s.escape(&b)
		case '"', '\'', '(': // a bad url: skipped as a whole
			if end := strings.IndexByte(s.css[s.pos:], ')'); end >= 0 {
				s.pos += end + 1
			} else {
				s.pos = len(s.css)
			}
			return ""
		default:
			b.WriteByte(c)
			s.pos++
		}
	}
	return b.String()
}

// space skips white space.
func (s *cssScanner) space() {
	for s.pos < len(s.css) && strings.IndexByte(" \t\n\f\r", s.css[s.pos]) >= 0 {
		s.pos++
	}
}

// escape resolves the escape at pos: up to six hexadecimal digits and one white
// space, a line break (nothing), or the character itself.
func (s *cssScanner) escape(b *strings.Builder) {
	s.pos++
	start := s.pos
	for s.pos < len(s.css) && s.pos-start < 6 && isHex(s.css[s.pos]) {
		s.pos++
	}
	if s.pos > start {
		v, err := strconv.ParseUint(s.css[start:s.pos], 16, 32)
		if err != nil || v == 0 || v > utf8.MaxRune {
			v = utf8.RuneError
		}
		b.WriteRune(rune(v))
		if s.pos < len(s.css) && strings.IndexByte(" \t\n\f\r", s.css[s.pos]) >= 0 {
			s.pos++
		}
		return
	}
	if s.pos == len(s.css) {
		return
	}
	if c := s.css[s.pos]; c != '\n' && c != '\r' && c != '\f' {
		b.WriteByte(c)
	}
	s.pos++
}

// hasFold reports whether s begins with the lower-case ASCII prefix in any case.
func hasFold(s, prefix string) bool {
	return len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix)
}

func nameByteAt(s string, i int) bool { return i < len(s) && isNameByte(s[i]) }

// isNameByte reports whether c can stand in an identifier.
func isNameByte(c byte) bool {
	return c >= 0x80 || c == '-' || c == '_' || 'a' <= c|0x20 && c|0x20 <= 'z' || '0' <= c && c <= '9'
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'f'
}
