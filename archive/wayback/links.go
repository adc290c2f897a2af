package wayback

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"
	"unicode/utf8"
)

// maxLink bounds one link of a list, in bytes, and one of its parameters.
const maxLink = 2*maxURL + 4096

// Link is one link of a header Link or of a TimeMap (RFC 8288, section 3;
// application/link-format: RFC 6690, section 2).
type Link struct {
	Target string
	Rel    []string          // relation types, lower case
	Params map[string]string // the other parameters by their names in lower case; the first of each
}

// Is tells whether the link has a relation type.
func (l Link) Is(rel string) bool { return slices.Contains(l.Rel, rel) }

// ReadLinks reads links one by one, in constant memory. It is tolerant: of line
// breaks, of missing quotes, of empty elements. After an error it ends.
func ReadLinks(r io.Reader) iter.Seq2[Link, error] {
	return func(yield func(Link, error) bool) {
		s := linkScanner{r: bufio.NewReader(r)}
		for n := 1; ; n++ {
			l, err := s.link()
			if err == io.EOF {
				return
			}
			if err != nil {
				yield(Link{}, fmt.Errorf("read link %d: %w", n, err))
				return
			}
			if !yield(l, nil) {
				return
			}
		}
	}
}

// linkScanner reads links byte by byte.
type linkScanner struct {
	r    *bufio.Reader
	size int // of the present link
}

// link reads one link with its separator; io.EOF if there is none.
func (s *linkScanner) link() (Link, error) {
	s.size = 0
	var c byte
	var err error
	for c = ','; c == ','; { // empty elements (RFC 9110, section 5.6.1)
		if c, err = s.token(); err != nil {
			return Link{}, err
		}
		s.size = 0
	}
	if c != '<' {
		return Link{}, fmt.Errorf("a link begins with %q instead of <", c)
	}
	target, err := s.until('>', false)
	if err != nil {
		return Link{}, err
	}
	l := Link{Target: strings.TrimSpace(target)}
	for {
		c, err = s.token()
		switch {
		case err == io.EOF || err == nil && c == ',':
			return l, nil
		case err != nil:
			return Link{}, err
		case c != ';':
			return Link{}, fmt.Errorf("%q behind a link", c)
		}
		if err := s.param(&l); err != nil {
			return Link{}, err
		}
	}
}

// param reads one parameter, which may be empty.
func (s *linkScanner) param(l *Link) error {
	name, err := s.word()
	if err != nil {
		return err
	}
	name = strings.ToLower(strings.TrimSpace(name))
	c, err := s.token()
	if err == io.EOF {
		return nil
	}
	if err != nil {
		return err
	}
	value := ""
	if c != '=' {
		s.back()
	} else if value, err = s.value(); err != nil {
		return err
	}
	switch {
	case name == "":
	case name == "rel" && l.Rel == nil:
		l.Rel = strings.Fields(strings.ToLower(value))
	default:
		if l.Params == nil {
			l.Params = make(map[string]string)
		}
		if _, ok := l.Params[name]; !ok && name != "rel" {
			l.Params[name] = value
		}
	}
	return nil
}

// value reads a quoted text or a word.
func (s *linkScanner) value() (string, error) {
	c, err := s.token()
	if err == io.EOF {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	if c == '"' {
		return s.until('"', true)
	}
	s.back()
	return s.word()
}

// word reads up to a separator, which stays.
func (s *linkScanner) word() (string, error) {
	var b strings.Builder
	for {
		c, err := s.byte()
		if err == io.EOF {
			return b.String(), nil
		}
		if err != nil {
			return "", err
		}
		if strings.IndexByte("=;,", c) >= 0 {
			s.back()
			return strings.TrimSpace(b.String()), nil
		}
		b.WriteByte(c)
	}
}

// until reads up to an end, which must come; with quoted, a backslash escapes.
func (s *linkScanner) until(end byte, quoted bool) (string, error) {
	var b strings.Builder
	for {
		c, err := s.byte()
		if quoted && c == '\\' && err == nil {
			if c, err = s.byte(); err == nil {
				b.WriteByte(c)
				continue
			}
		}
		switch {
		case err == io.EOF:
			return "", fmt.Errorf("no %q before the end", end)
		case err != nil:
			return "", err
		case c == end && !utf8.ValidString(b.String()):
			return "", errors.New("not UTF-8")
		case c == end:
			return b.String(), nil
		}
		b.WriteByte(c)
	}
}

// token returns the next byte that is not white space.
func (s *linkScanner) token() (byte, error) {
	for {
		c, err := s.byte()
		if err != nil || strings.IndexByte(" \t\r\n", c) < 0 {
			return c, err
		}
	}
}

// byte returns the next byte of a link that is not too long.
func (s *linkScanner) byte() (byte, error) {
	if s.size++; s.size > maxLink {
		return 0, fmt.Errorf("longer than %d bytes", maxLink)
	}
	return s.r.ReadByte()
}

// back takes the last byte back. It follows a successful read, so it can't fail.
func (s *linkScanner) back() {
	s.size--
	s.r.UnreadByte()
}

// findLink returns the target of the first link with a relation type in the
// fields of a header, "" if there is none.
func findLink(fields []string, rel string) string {
	for _, field := range fields {
		for l, err := range ReadLinks(strings.NewReader(field)) {
			if err != nil {
				break
			}
			if l.Is(rel) {
				return bounded(l.Target)
			}
		}
	}
	return ""
}
