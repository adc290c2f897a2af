package declaration

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"
	"unicode/utf8"
)

// listName stands for the file in the problems of an address list, whose name
// FromURLs is not told.
const listName = "urls"

// FromURLs reads a plain list: one address a line, optionally followed by a tab
// and its language; empty lines and lines beginning with '#' are skipped. Each
// address is a document of terms type "Page" of the service named by its host. An
// address given twice is read once. The set holds what is right in the list, the
// error joins all that is not, by line; it is another error if r fails.
func FromURLs(r io.Reader, opt Options) (*Set, error) {
	opt, err := opt.check()
	if err != nil {
		return nil, err
	}
	l := &list{
		walker: newWalker(listName, 0, opt), parsed: &parsed{file: listName},
		at: make(map[string]int), seen: make(map[string]bool),
	}
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 2*maxAddress)
	n := 0
	for lines.Scan() {
		n++
		l.line(n, strings.TrimPrefix(lines.Text(), "\uFEFF"))
	}
	switch err := lines.Err(); {
	case errors.Is(err, bufio.ErrTooLong):
		l.fail(n+1, fmt.Sprintf("line is longer than %d bytes", 2*maxAddress), "write one address a line")
	case err != nil:
		return nil, fmt.Errorf("read address list: %w", err)
	}
	l.parsed.problems = l.problems
	set := build([]*parsed{l.parsed}, nil)
	return set, set.failure()
}

// list reads the lines of an address list.
type list struct {
	*walker
	parsed *parsed
	at     map[string]int // of each service in parsed.services, by host
	seen   map[string]bool
}

// line reads one line.
func (l *list) line(n int, text string) {
	text = strings.TrimSpace(text)
	if text == "" || text[0] == '#' {
		return
	}
	if !utf8.ValidString(text) {
		l.fail(n, "line is not UTF-8", "save the list as UTF-8")
		return
	}
	raw, lang, declared := strings.Cut(text, "\t")
	if lang = strings.TrimSpace(lang); !declared || lang == "" {
		lang = l.opt.Lang
	}
	lang, err := parseLang(lang)
	if err != nil {
		l.fail(n, err.Error(), "write a BCP 47 tag such as en, zh-CN or pt-BR after the tab")
		return
	}
	address, err := Normalize(raw)
	if err != nil {
		l.fail(n, err.Error(), fixAddress(err))
		return
	}
	l.add(n, address, lang)
}

// add adds an address as a document.
func (l *list) add(n int, address, lang string) {
	s := spec{line: n}
	s.source.URL = address
	l.finish(&s, lang)
	if l.seen[s.source.ID+lang] {
		return
	}
	l.seen[s.source.ID+lang] = true
	host, page := splitAddress(address)
	i, ok := l.at[host]
	if !ok {
		i = len(l.parsed.services)
		l.at[host] = i
		l.parsed.services = append(l.parsed.services, service{name: host, id: slug(host), line: n})
	}
	owner := &l.parsed.services[i]
	owner.entries = append(owner.entries, entry{
		document: Document{
			ID: documentID(owner.id, page+"-"+s.source.ID, lang), Service: host, ServiceID: owner.id,
			Terms: "Page", Lang: lang, Parts: []Part{s.part},
		},
		sources: []Source{s.source}, lines: []int{n}, line: n,
	})
}

// splitAddress returns the host of an address, with a port that is not the
// scheme's, and a short readable slug of the rest. The slug is not unique.
func splitAddress(address string) (host, page string) {
	_, rest, _ := strings.Cut(address, "://")
	host, path, _ := strings.Cut(rest, "/")
	path, _, _ = strings.Cut(path, "?")
	if readable, err := url.PathUnescape(path); err == nil && utf8.ValidString(readable) {
		path = readable
	}
	page = slug("page " + path)
	if runes := []rune(page); len(runes) > 60 {
		page = strings.TrimRight(string(runes[:60]), "-")
	}
	return host, page
}
