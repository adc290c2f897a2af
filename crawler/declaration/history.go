package declaration

import (
	"slices"
	"time"

	"go.yaml.in/yaml/v3"
)

// History is the earlier forms of a service's declarations, as Open Terms
// Archive keeps them in NAME.history.json. They say how the captures of their
// time are to be read; nothing is fetched by them.
type History struct {
	ServiceID string
	Terms     map[string][]Past // by terms type, earliest ValidUntil first
}

// Past is a declaration that was in force up to and including a moment.
type Past struct {
	ValidUntil time.Time // UTC
	Document   Document
	Sources    []Source // of the document's parts, in their order
}

// At returns the declaration of a terms type in force at a time: the first whose
// ValidUntil is not before it. Without one, the current declaration was in force
// already.
func (h History) At(terms string, t time.Time) (Past, bool) {
	for _, p := range h.Terms[terms] {
		if !t.After(p.ValidUntil) {
			return p, true
		}
	}
	return Past{}, false
}

// DocumentAt returns a document and its sources as declared at a time.
func (s *Set) DocumentAt(id string, t time.Time) (Document, []Source, bool) {
	d, ok := s.Document(id)
	if !ok {
		return Document{}, nil, false
	}
	if i, ok := s.histories[d.ServiceID]; ok {
		if past, ok := s.Histories[i].At(d.Terms, t); ok {
			return past.Document, past.Sources, true
		}
	}
	sources := make([]Source, len(d.Parts))
	for i, p := range d.Parts {
		sources[i], _ = s.Source(p.Source)
	}
	return d, sources, true
}

// parseHistory reads the earlier declarations of the service with the given id.
// Their documents bear the id as service name: the file does not say the name.
func parseHistory(w *walker, id string, data []byte) *parsed {
	p := &parsed{file: w.file}
	root, line, err := jsonTree(data)
	if err != nil {
		w.fail(line, err.Error(), "correct the JSON")
		return p
	}
	h := History{ServiceID: w.slugOf(0, id), Terms: make(map[string][]Past)}
	w.mapping(root, nil, func(name string, line int, v *yaml.Node) {
		if v.Kind != yaml.SequenceNode {
			w.fail(v.Line, "want a list of earlier declarations, got "+describe(v), "put them into a list")
			return
		}
		w.list(v, func(item *yaml.Node) { w.past(&h, id, name, item) })
	})
	for _, all := range h.Terms {
		slices.SortStableFunc(all, func(a, b Past) int { return a.ValidUntil.Compare(b.ValidUntil) })
	}
	if h.ServiceID != "" {
		p.histories = append(p.histories, h)
	}
	return p
}

// past reads one earlier declaration of a terms type.
func (w *walker) past(h *History, service, name string, n *yaml.Node) {
	before, earlier := w.errors, len(w.problems)
	e, ok := w.otaTerms(service, h.ServiceID, name, n.Line, n, pastTermsKeys, pastSourceKeys)
	w.dropWarnings(earlier)
	if !ok || w.errors > before {
		return
	}
	if e.validUntil.IsZero() {
		w.fail(n.Line, "earlier declaration has no validUntil", `add "validUntil": the last moment it was right`)
		return
	}
	terms := e.document.Terms
	h.Terms[terms] = append(h.Terms[terms], Past{ValidUntil: e.validUntil, Document: e.document, Sources: e.sources})
}

// dropWarnings takes back the warnings from the given place on: what an earlier
// declaration asked for is not asked for any more.
func (w *walker) dropWarnings(from int) {
	kept := slices.DeleteFunc(w.problems[from:], func(p Problem) bool { return p.Severity == SeverityWarning })
	w.problems = w.problems[:from+len(kept)]
}
