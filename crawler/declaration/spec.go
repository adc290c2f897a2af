package declaration

import (
	"errors"
	"fmt"
	"strings"

	"github.com/andybalholm/cascadia"
	"go.yaml.in/yaml/v3"
)

// spec gathers what an entry, or a part of one, says in either form. A part
// begins as a copy of its entry's spec, whose values are its defaults.
type spec struct {
	source Source // without ID
	part   Part   // without Source
	line   int    // of the address

	acceptLanguageSet bool
	selectSet         bool
	pdfSet            bool
}

// fixAddress returns the remedy for an error of Normalize.
func fixAddress(err error) string {
	if errors.Is(err, errUserInfo) {
		return "delete what stands before the @: only public pages are declared"
	}
	return "write the whole address, such as https://example.org/terms"
}

// address sets the address.
func (w *walker) address(n *yaml.Node, s *spec) {
	raw, ok := w.text(n)
	if !ok {
		return
	}
	s.line = n.Line
	u, err := Normalize(raw)
	if err != nil {
		w.fail(n.Line, err.Error(), fixAddress(err))
		return
	}
	s.source.URL = u
}

// finish completes the source and the part of an entry in the given language and
// reports what of it cannot be done. The address must be set.
func (w *walker) finish(s *spec, lang string) {
	if !s.acceptLanguageSet {
		s.source.AcceptLanguage = acceptLanguage(lang)
	}
	if s.source.Vantage == "" {
		s.source.Vantage = w.opt.Vantage
	}
	if !s.pdfSet {
		s.part.PDF = isPDF(s.source.URL)
	}
	s.source.ID = SourceID(s.source.URL, s.source.AcceptLanguage, s.source.Vantage)
	s.part.Source = s.source.ID
	for _, name := range s.part.Filters {
		w.report(Problem{
			Line: s.line, Severity: SeverityWarning, Source: s.source.ID, Code: CodeNeedsFilter,
			Message: fmt.Sprintf("%s: the JavaScript filter %q is not run", CodeNeedsFilter, name),
			Fix:     "say the same with remove, if it can be",
		})
	}
	if e := s.part.ExecuteClientScripts; e != nil && *e {
		w.report(Problem{
			Line: s.line, Severity: SeverityWarning, Source: s.source.ID, Code: CodeNeedsBrowser,
			Message: CodeNeedsBrowser + ": the page asks for its scripts to be executed",
			Fix:     "its bytes are kept as served; its text may be missing",
		})
	}
}

// isPDF reports whether an address's path ends in .pdf.
func isPDF(address string) bool {
	path, _, _ := strings.Cut(address, "?")
	return len(path) > 4 && strings.EqualFold(path[len(path)-4:], ".pdf")
}

// rangeKeys are the names of a range's ends in one of the forms.
type rangeKeys struct {
	startBefore, startAfter, endBefore, endAfter string
}

func (k rangeKeys) all() []string {
	return []string{k.startBefore, k.startAfter, k.endBefore, k.endAfter}
}

// selectors reads one selector or a list of them, never returning an empty
// slice but nil.
func (w *walker) selectors(n *yaml.Node, keys rangeKeys) []Selector {
	n = w.follow(n)
	if n == nil {
		return nil
	}
	if n.Kind != yaml.SequenceNode {
		if s, ok := w.selector(n, keys); ok {
			return []Selector{s}
		}
		return nil
	}
	if len(n.Content) == 0 {
		w.fail(n.Line, "list is empty", "name a selector or leave the key out")
		return nil
	}
	all := make([]Selector, 0, len(n.Content))
	w.list(n, func(item *yaml.Node) {
		if s, ok := w.selector(item, keys); ok {
			all = append(all, s)
		}
	})
	return all
}

// selector reads a CSS selector or a range.
func (w *walker) selector(n *yaml.Node, keys rangeKeys) (Selector, bool) {
	n = w.follow(n)
	switch {
	case n == nil:
		return Selector{}, false
	case n.Kind != yaml.MappingNode:
		css, ok := w.compile(n)
		return Selector{CSS: css}, ok
	}
	var s Selector
	before := w.errors
	w.mapping(n, keys.all(), func(key string, _ int, value *yaml.Node) {
		css, _ := w.compile(value)
		switch key {
		case keys.startBefore:
			s.StartBefore = css
		case keys.startAfter:
			s.StartAfter = css
		case keys.endBefore:
			s.EndBefore = css
		case keys.endAfter:
			s.EndAfter = css
		}
	})
	if w.errors > before {
		return Selector{}, false
	}
	w.oneEnd(n.Line, s.StartBefore, s.StartAfter, "start", keys.startBefore, keys.startAfter)
	w.oneEnd(n.Line, s.EndBefore, s.EndAfter, "end", keys.endBefore, keys.endAfter)
	return s, w.errors == before
}

// oneEnd reports unless exactly one of two ends of a range is given.
func (w *walker) oneEnd(line int, a, b, end, keyA, keyB string) {
	switch {
	case a == "" && b == "":
		w.fail(line, "range has no "+end, "add "+keyA+" or "+keyB)
	case a != "" && b != "":
		w.fail(line, "range has two "+end+"s", "keep one of "+keyA+" and "+keyB)
	}
}

// compile reads a CSS selector and checks that it can be matched.
func (w *walker) compile(n *yaml.Node) (string, bool) {
	css, ok := w.text(n)
	if !ok {
		return "", false
	}
	err, done := w.css[css]
	if !done {
		_, err = cascadia.ParseGroup(css)
		w.css[css] = err
	}
	if err != nil {
		w.fail(n.Line, fmt.Sprintf("%q is not a CSS selector: %v", css, err), "correct the selector")
		return "", false
	}
	return css, true
}

// texts reads one text or a list of them.
func (w *walker) texts(n *yaml.Node) []string {
	n = w.follow(n)
	if n == nil {
		return nil
	}
	if n.Kind != yaml.SequenceNode {
		if s, ok := w.text(n); ok {
			return []string{s}
		}
		return nil
	}
	var all []string
	w.list(n, func(item *yaml.Node) {
		if s, ok := w.text(item); ok {
			all = append(all, s)
		}
	})
	return all
}

// slugOf returns the slug of the name of a service or terms type, "" after
// reporting one that has none.
func (w *walker) slugOf(line int, name string) string {
	if len(name) > 200 {
		w.fail(line, fmt.Sprintf("name of %d bytes is longer than 200", len(name)), "shorten it")
		return ""
	}
	s := slug(name)
	if s == "" {
		w.fail(line, fmt.Sprintf("name %q has no letter or digit to make an id of", name), "add id: with letters")
	}
	return s
}

// termsType returns the canonical name of a terms type, and warns of one that is
// not known.
func (w *walker) termsType(line int, name string) string {
	t, done := w.terms[name]
	if !done {
		t.name, t.known = TermsType(name)
		if !t.known {
			t.fix = "it is kept as written"
			if near := w.guess(name, TermsTypes()); near != "" {
				t.fix = fmt.Sprintf("did you mean %q?", near)
			}
		}
		w.terms[name] = t
	}
	if !t.known {
		w.report(Problem{
			Line: line, Severity: SeverityWarning, Code: CodeUnknownTerms,
			Message: fmt.Sprintf("%q is not a known terms type", t.name), Fix: t.fix,
		})
	}
	return t.name
}
