package declaration

import (
	"fmt"
	"slices"
	"time"

	"go.yaml.in/yaml/v3"
)

// The keys of the form of Open Terms Archive, as its JSON schema has them.
var (
	otaServiceKeys = []string{"name", "terms", "importedFrom"}
	otaSourceKeys  = []string{"fetch", "select", "remove", "filter", "executeClientScripts"}
	otaTermsKeys   = append([]string{"combine"}, otaSourceKeys...)
	otaRangeKeys   = rangeKeys{"startBefore", "startAfter", "endBefore", "endAfter"}

	pastSourceKeys = append(slices.Clone(otaSourceKeys), "validUntil")
	pastTermsKeys  = append(slices.Clone(otaTermsKeys), "validUntil")
)

// removeQueryParams is the one filter that Open Terms Archive brings along.
const removeQueryParams = "removeQueryParams"

// parseOTA reads the declaration of the service with the given id.
func parseOTA(w *walker, id string, data []byte) *parsed {
	p := &parsed{file: w.file}
	root, line, err := jsonTree(data)
	if err != nil {
		w.fail(line, err.Error(), "correct the JSON")
		return p
	}
	s := service{line: root.Line, id: w.slugOf(0, id)}
	var terms *yaml.Node
	before := w.errors
	ok := w.mapping(root, otaServiceKeys, func(key string, line int, v *yaml.Node) {
		switch key {
		case "name":
			s.name, _ = w.text(v)
			s.line = line
		case "terms":
			terms = v
		case "importedFrom":
			w.text(v)
		}
	})
	if !ok {
		return p
	}
	if s.name == "" && w.errors == before {
		w.fail(root.Line, "service has no name", `add "name"`)
	}
	if terms == nil {
		w.fail(root.Line, "service has no terms", `add "terms", or "terms": {} for a service that has ended`)
		return p
	}
	w.push(step{key: "terms"})
	w.mapping(terms, nil, func(name string, line int, v *yaml.Node) {
		w.count(&s, func() {
			before := w.errors
			past, ok := w.otaTerms(s.name, s.id, name, line, v, otaTermsKeys, otaSourceKeys)
			if ok && w.errors == before {
				s.entries = append(s.entries, past.entry)
			}
		})
	})
	w.pop()
	if s.id != "" {
		p.services = append(p.services, s)
	}
	return p
}

// pastEntry is an entry and until when it held.
type pastEntry struct {
	entry
	validUntil time.Time // zero in a current declaration
}

// otaTerms reads the declaration of one terms type. It reports whether one could
// be made.
func (w *walker) otaTerms(service, id, name string, line int, n *yaml.Node, termsKeys, sourceKeys []string) (pastEntry, bool) {
	name = w.termsType(line, name)
	e := pastEntry{entry: entry{line: line, document: Document{
		Service: service, ServiceID: id, Terms: name, Lang: w.opt.Lang,
		ID: documentID(id, w.slugOf(line, name), w.opt.Lang),
	}}}
	var shared spec
	var combine *yaml.Node
	ok := w.otaSpec(n, termsKeys, &shared, func(key string, v *yaml.Node) {
		switch key {
		case "combine":
			combine = v
		case "validUntil":
			e.validUntil = w.moment(v)
		}
	})
	switch {
	case !ok:
		return e, false
	case combine != nil:
		w.push(step{key: "combine"})
		w.otaCombine(&e, &shared, combine, sourceKeys)
		w.pop()
	case shared.line == 0:
		w.fail(line, "terms have no address", `add "fetch", or "combine" with several`)
	default:
		w.otaPart(&e.entry, &shared)
	}
	return e, len(e.document.Parts) > 0
}

// otaCombine reads the parts of a document of several addresses.
func (w *walker) otaCombine(e *pastEntry, shared *spec, n *yaml.Node, keys []string) {
	n = w.follow(n)
	if !w.isParts(n) {
		return
	}
	w.list(n, func(item *yaml.Node) {
		part := *shared
		before := w.errors
		ok := w.otaSpec(item, keys, &part, func(_ string, v *yaml.Node) {
			if until := w.moment(v); until.After(e.validUntil) {
				e.validUntil = until
			}
		})
		switch {
		case !ok || w.errors > before:
		case part.line == 0:
			w.fail(item.Line, "part has no address", `add "fetch"`)
		default:
			w.otaPart(&e.entry, &part)
		}
	})
}

// otaPart adds a part, of which Open Terms Archive wants to know what to keep
// unless it is a PDF.
func (w *walker) otaPart(e *entry, s *spec) {
	if s.source.URL != "" && !s.selectSet && !isPDF(s.source.URL) {
		w.warn(s.line, "nothing is selected", `the whole page is kept; add "select" for less`)
	}
	w.addPart(e, s)
}

// otaSpec reads the keys of a terms declaration or of a part of one into s;
// those that are none of a spec go to other.
func (w *walker) otaSpec(n *yaml.Node, known []string, s *spec, other func(key string, v *yaml.Node)) bool {
	return w.mapping(n, known, func(key string, _ int, v *yaml.Node) {
		switch key {
		case "fetch":
			w.address(v, s)
			s.line = v.Line
		case "select":
			s.part.Select = w.selectors(v, otaRangeKeys)
			s.selectSet = true
		case "remove":
			s.part.Remove = w.selectors(v, otaRangeKeys)
		case "filter":
			s.part.Filters, s.part.RemoveQueryParams = nil, nil
			w.filters(v, s)
		case "executeClientScripts":
			if b, ok := w.flag(v); ok {
				s.part.ExecuteClientScripts = &b
			}
		default:
			other(key, v)
		}
	})
}

// filters reads a list of filters, each a name or a mapping of one name to its
// parameters.
func (w *walker) filters(n *yaml.Node, s *spec) {
	if n.Kind != yaml.SequenceNode {
		w.fail(n.Line, "want a list of filters, got "+describe(n), "put the names into a list")
		return
	}
	w.list(n, func(item *yaml.Node) {
		if item.Kind != yaml.MappingNode {
			name, ok := w.text(item)
			switch {
			case !ok:
			case name == removeQueryParams:
				w.warn(item.Line, "filter removeQueryParams names no parameters and does nothing",
					`write {"removeQueryParams": ["name"]}`)
			default:
				s.part.Filters = append(s.part.Filters, name)
			}
			return
		}
		if len(item.Content) != 2 {
			w.fail(item.Line, fmt.Sprintf("filter has %d names", len(item.Content)/2), "write one mapping for each filter")
			return
		}
		w.mapping(item, nil, func(name string, _ int, params *yaml.Node) {
			if name == removeQueryParams {
				s.part.RemoveQueryParams = append(s.part.RemoveQueryParams, w.texts(params)...)
			} else {
				s.part.Filters = append(s.part.Filters, name)
			}
		})
	})
}

// moment reads a date and time of RFC 3339.
func (w *walker) moment(n *yaml.Node) time.Time {
	s, ok := w.text(n)
	if !ok {
		return time.Time{}
	}
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		w.fail(n.Line, fmt.Sprintf("%q is not a date and time", s), "write it like 2024-10-17T00:00:00Z")
	}
	return t.UTC()
}
