package declaration

import (
	"cmp"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// place is where something was declared.
type place struct {
	file string
	line int
}

func (p place) String() string { return fmt.Sprintf("%s:%d", p.file, p.line) }

// builder puts files together into a Set.
type builder struct {
	set       *Set
	sourceAt  []place // of set.Sources
	docAt     []place // of set.Documents
	services  map[string]service
	serviceAt map[string]place
}

// build puts files together, in their order. Of two entries that contradict each
// other the first is kept and the second reported.
func build(files []*parsed, found []Problem) *Set {
	n, services := 0, 0
	for _, f := range files {
		services += len(f.services)
		for i := range f.services {
			n += len(f.services[i].entries)
		}
	}
	b := &builder{
		set: &Set{
			Sources: make([]Source, 0, n), Documents: make([]Document, 0, n), Problems: found,
			sources: make(map[string]int32, n), documents: make(map[string]int32, n),
			histories: make(map[string]int32),
		},
		sourceAt: make([]place, 0, n), docAt: make([]place, 0, n),
		services: make(map[string]service, services), serviceAt: make(map[string]place, services),
	}
	for _, f := range files {
		b.set.Problems = append(b.set.Problems, f.problems...)
		for i := range f.services {
			b.addService(f.file, &f.services[i])
		}
		for _, h := range f.histories {
			b.addHistory(f.file, h)
		}
	}
	b.nameHistories()
	b.set.Services = len(b.services)
	b.set.index()
	slices.SortStableFunc(b.set.Problems, func(x, y Problem) int {
		return cmp.Or(strings.Compare(x.File, y.File), cmp.Compare(x.Line, y.Line))
	})
	return b.set
}

func (b *builder) problem(at place, field, severity, message, fix string) {
	b.set.Problems = append(b.set.Problems, Problem{
		File: at.file, Line: at.line, Field: field, Severity: severity, Message: message, Fix: fix,
	})
}

// addService adds the documents of a service, unless its id is another's.
func (b *builder) addService(file string, s *service) {
	at := place{file, s.line}
	if first, ok := b.services[s.id]; ok && first.name != s.name {
		b.problem(at, "name", SeverityError,
			fmt.Sprintf("service %q has the id %q of service %q declared at %s", s.name, s.id, first.name, b.serviceAt[s.id]),
			"give one of them an id: of its own, or both the same name")
		return
	} else if !ok {
		b.services[s.id] = service{name: s.name}
		b.serviceAt[s.id] = at
	}
	for i := range s.entries {
		b.addEntry(file, &s.entries[i])
	}
}

// addEntry adds a document and its sources, unless it clashes with one before.
func (b *builder) addEntry(file string, e *entry) {
	d := &e.document
	at := place{file, e.line}
	field := "terms." + d.Terms
	if i, ok := b.set.documents[d.ID]; ok {
		if reflect.DeepEqual(b.set.Documents[i], *d) {
			b.problem(at, field, SeverityWarning,
				fmt.Sprintf("document %s is declared alike at %s", d.ID, b.docAt[i]), "delete one of them")
		} else {
			b.problem(at, field, SeverityError,
				fmt.Sprintf("document %s is declared otherwise at %s", d.ID, b.docAt[i]),
				"give one of them a lang: or an id: of its own, such as id: "+otherID(d.ID))
			return
		}
	}
	fits := true
	for i := range e.sources {
		fits = b.fits(place{file, e.lines[i]}, field, &e.sources[i]) && fits
	}
	if !fits {
		return
	}
	for i := range e.sources {
		b.addSource(place{file, e.lines[i]}, &e.sources[i])
	}
	if _, ok := b.set.documents[d.ID]; !ok {
		b.set.documents[d.ID] = int32(len(b.set.Documents))
		b.set.Documents = append(b.set.Documents, *d)
		b.docAt = append(b.docAt, at)
	}
}

// otherID suggests what to write under id: to tell a document from its double.
func otherID(id string) string {
	parts := strings.Split(id, "/")
	return parts[1] + "-2"
}

// fits reports whether a source agrees with its declaration elsewhere.
func (b *builder) fits(at place, field string, s *Source) bool {
	i, ok := b.set.sources[s.ID]
	if !ok || b.set.Sources[i] == *s {
		return true
	}
	first := &b.set.Sources[i]
	what, fix := contradiction(first, s)
	b.problem(at, field, SeverityError,
		fmt.Sprintf("address %s is fetched once, but its %s differs from %s", s.URL, what, b.sourceAt[i]), fix)
	return false
}

// contradiction names what two declarations of one source disagree about.
func contradiction(a, b *Source) (what, fix string) {
	switch {
	case a.IgnoreRobots != b.IgnoreRobots:
		return "robots", "write robots: the same at both places"
	case a.RobotsReason != b.RobotsReason:
		return "reason", "write the same reason: at both places"
	case a.Private != b.Private:
		return "private", "write private: the same at both places"
	case a.AcceptEncoding != b.AcceptEncoding:
		return "accept_encoding", "write accept_encoding: the same at both places"
	case a.Every != b.Every:
		return "every", "write every: the same at both places"
	}
	return "full_every", "write full_every: the same at both places"
}

func (b *builder) addSource(at place, s *Source) {
	if _, ok := b.set.sources[s.ID]; ok {
		return
	}
	b.set.sources[s.ID] = int32(len(b.set.Sources))
	b.set.Sources = append(b.set.Sources, *s)
	b.sourceAt = append(b.sourceAt, at)
}

func (b *builder) addHistory(file string, h History) {
	if _, ok := b.set.histories[h.ServiceID]; ok {
		b.problem(place{file, 1}, "", SeverityError,
			fmt.Sprintf("service %q has a second history", h.ServiceID), "keep one history file of a service")
		return
	}
	b.set.histories[h.ServiceID] = int32(len(b.set.Histories))
	b.set.Histories = append(b.set.Histories, h)
}

// nameHistories gives earlier documents the display names of their services, which
// their own files do not say.
func (b *builder) nameHistories() {
	for _, h := range b.set.Histories {
		s, ok := b.services[h.ServiceID]
		if !ok {
			continue
		}
		for _, past := range h.Terms {
			for i := range past {
				past[i].Document.Service = s.name
			}
		}
	}
}

// failure returns all problems of severity error joined, nil without any.
func (s *Set) failure() error {
	var errs []error
	for _, p := range s.Problems {
		if p.Severity == SeverityError {
			errs = append(errs, p)
		}
	}
	return errors.Join(errs...)
}
