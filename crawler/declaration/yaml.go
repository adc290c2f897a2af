package declaration

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// The keys of our own form.
var (
	serviceKeys = []string{"name", "id", "terms"}
	partKeys    = []string{
		"url", "select", "remove", "remove_query_params", "execute_client_scripts", "pdf",
		"robots", "reason", "private", "every", "full_every",
		"accept_language", "accept_encoding", "vantage",
	}
	entryKeys     = slices.Concat([]string{"url", "lang", "combine", "id", "moved_from"}, partKeys[1:])
	yamlRangeKeys = rangeKeys{"start_before", "start_after", "end_before", "end_after"}
)

// parseYAML reads a file in our own form.
func parseYAML(w *walker, data []byte) *parsed {
	p := &parsed{file: w.file}
	dec := yaml.NewDecoder(bytes.NewReader(data))
	for {
		var doc yaml.Node
		err := dec.Decode(&doc)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			line, message := yamlError(err)
			w.fail(line, message, "correct the YAML")
			break
		}
		if len(doc.Content) == 1 && doc.Content[0].Tag != "!!null" {
			w.yamlService(p, doc.Content[0])
		}
	}
	if len(p.services) == 0 && len(w.problems) == 0 {
		w.warn(0, "file declares nothing", "add name: and terms:, or delete it")
	}
	return p
}

// yamlError splits an error of the YAML parser into its line and its message.
func yamlError(err error) (int, string) {
	message := strings.TrimPrefix(err.Error(), "yaml: ")
	if rest, found := strings.CutPrefix(message, "line "); found {
		if number, text, found := strings.Cut(rest, ": "); found {
			if line, err := strconv.Atoi(number); err == nil {
				return line, "not YAML: " + text
			}
		}
	}
	return 0, "not YAML: " + message
}

// yamlService reads one YAML document, which is one service.
func (w *walker) yamlService(p *parsed, n *yaml.Node) {
	s := service{line: n.Line}
	var terms *yaml.Node
	var idLine int
	before := w.errors
	if !w.mapping(n, serviceKeys, func(key string, line int, v *yaml.Node) {
		switch key {
		case "name":
			s.name, _ = w.text(v)
			s.line = line
		case "id":
			s.id, _ = w.text(v)
			idLine = v.Line
		case "terms":
			terms = v
		}
	}) {
		return
	}
	switch {
	case s.name == "" && w.errors == before:
		w.fail(n.Line, "service has no name", "add name:")
	case s.id != "":
		w.push(step{key: "id"})
		s.id = w.givenID(idLine, s.id)
		w.pop()
	case s.name != "":
		w.push(step{key: "name"})
		s.id = w.slugOf(s.line, s.name)
		w.pop()
	}
	if terms == nil {
		w.fail(n.Line, "service has no terms", "add terms:, or terms: {} for a service that has ended")
		return
	}
	w.push(step{key: "terms"})
	w.mapping(terms, nil, func(name string, line int, v *yaml.Node) { w.yamlTerms(&s, name, line, v) })
	w.pop()
	if s.id != "" {
		p.services = append(p.services, s)
	}
}

// givenID checks an id that was written down.
func (w *walker) givenID(line int, id string) string {
	s := w.slugOf(line, id)
	if s != "" && s != id {
		w.fail(line, fmt.Sprintf("%q is not an id", id), fmt.Sprintf("write id: %s", s))
		return ""
	}
	return s
}

// yamlTerms reads the entries of one terms type: a list, or one alone.
func (w *walker) yamlTerms(s *service, name string, line int, n *yaml.Node) {
	name = w.termsType(line, name)
	n = w.follow(n)
	switch {
	case n == nil:
	case n.Kind == yaml.MappingNode:
		w.count(s, func() { w.yamlEntry(s, name, n) })
	case n.Kind != yaml.SequenceNode:
		w.count(s, func() { w.fail(n.Line, "want a list of entries, got "+describe(n), "write - url: … below it") })
	case len(n.Content) == 0:
		w.count(s, func() { w.fail(n.Line, "list is empty", "add - url: … below it, or delete the terms type") })
	default:
		w.list(n, func(item *yaml.Node) { w.count(s, func() { w.yamlEntry(s, name, item) }) })
	}
}

// yamlEntry reads one document.
func (w *walker) yamlEntry(s *service, terms string, n *yaml.Node) {
	n = w.follow(n)
	if n == nil {
		return
	}
	before := w.errors
	e := entry{line: n.Line, document: Document{Service: s.name, ServiceID: s.id, Terms: terms}}
	var shared spec
	var combine *yaml.Node
	slugged := ""
	own := w.yamlSpec(n, entryKeys, &shared, func(key string, v *yaml.Node) {
		switch key {
		case "lang":
			e.document.Lang = w.lang(v)
		case "id":
			if id, ok := w.text(v); ok {
				slugged = w.givenID(v.Line, id)
			}
		case "moved_from":
			e.document.MovedFrom = w.formerAddress(v)
		case "combine":
			combine = v
		}
	})
	if !own {
		return
	}
	if slugged == "" {
		slugged = w.slugOf(n.Line, terms)
	}
	switch {
	case combine == nil && shared.line == 0 && w.errors > before:
		return // the address may be what was misspelt
	case combine == nil && shared.line == 0:
		w.fail(n.Line, "entry has no address", "add url:, or combine: with several")
	case combine != nil && shared.line > 0:
		w.fail(n.Line, "entry has both url and combine", "move the url into the list of combine")
	case combine == nil:
		w.addPart(&e, &shared)
	default:
		w.push(step{key: "combine"})
		w.yamlCombine(&e, &shared, combine)
		w.pop()
	}
	if w.errors > before {
		return
	}
	e.document.ID = documentID(s.id, slugged, e.document.Lang)
	s.entries = append(s.entries, e)
}

// yamlCombine reads the parts of a document of several addresses.
func (w *walker) yamlCombine(e *entry, shared *spec, n *yaml.Node) {
	n = w.follow(n)
	if !w.isParts(n) {
		return
	}
	w.list(n, func(item *yaml.Node) {
		part := *shared
		before := w.errors
		if !w.yamlSpec(item, partKeys, &part, nil) || w.errors > before {
			return
		}
		if part.line == 0 {
			w.fail(item.Line, "part has no address", "add url:")
			return
		}
		w.addPart(e, &part)
	})
}

// maxParts is the most parts that one document is made of.
const maxParts = 1000

// isParts reports whether a combine is a list of something.
func (w *walker) isParts(n *yaml.Node) bool {
	switch {
	case n == nil:
		return false
	case n.Kind != yaml.SequenceNode:
		w.fail(n.Line, "want a list of parts, got "+describe(n), "write one mapping with an address for each part")
		return false
	case len(n.Content) == 0:
		w.fail(n.Line, "list is empty", "add a part with an address")
		return false
	case len(n.Content) > maxParts:
		w.fail(n.Line, fmt.Sprintf("document has %d parts, more than %d", len(n.Content), maxParts), "make several documents of it")
		return false
	}
	return true
}

// addPart completes a part and adds it to its document.
func (w *walker) addPart(e *entry, s *spec) {
	if s.source.URL == "" {
		return // reported where it was read
	}
	w.finish(s, e.document.Lang)
	if slices.ContainsFunc(e.document.Parts, func(p Part) bool { return p.Source == s.source.ID }) {
		w.warn(s.line, "address stands twice in one document", "put both selections into one part")
	}
	e.document.Parts = append(e.document.Parts, s.part)
	e.sources = append(e.sources, s.source)
	e.lines = append(e.lines, s.line)
}

// yamlSpec reads the keys of an entry or part into s; those that are none of a
// spec go to other. It reports whether n is a mapping.
func (w *walker) yamlSpec(n *yaml.Node, known []string, s *spec, other func(key string, v *yaml.Node)) bool {
	robots, reason := "", ""
	var robotsLine, reasonLine int
	ok := w.mapping(n, known, func(key string, _ int, v *yaml.Node) {
		switch key {
		case "url":
			w.address(v, s)
			s.line = v.Line
		case "select":
			s.part.Select = w.selectors(v, yamlRangeKeys)
		case "remove":
			s.part.Remove = w.selectors(v, yamlRangeKeys)
		case "remove_query_params":
			s.part.RemoveQueryParams = w.texts(v)
		case "execute_client_scripts":
			if b, ok := w.flag(v); ok {
				s.part.ExecuteClientScripts = &b
			}
		case "pdf":
			s.part.PDF, s.pdfSet = w.flag(v)
		case "robots":
			robots, robotsLine = w.robots(v), v.Line
		case "reason":
			reason, _ = w.text(v)
			reasonLine = v.Line
		case "private":
			s.source.Private, _ = w.flag(v)
		case "every":
			s.source.Every = w.duration(v)
		case "full_every":
			s.source.FullEvery = w.duration(v)
		case "accept_language":
			s.source.AcceptLanguage = w.header(v, "zh-CN,zh;q=0.9")
			s.acceptLanguageSet = true
		case "accept_encoding":
			s.source.AcceptEncoding = w.header(v, "gzip")
		case "vantage":
			s.source.Vantage = w.vantage(v)
		default:
			other(key, v)
		}
	})
	if ok {
		w.setRobots(s, robots, reason, robotsLine, reasonLine)
	}
	return ok
}

// setRobots applies robots and reason, which belong together.
func (w *walker) setRobots(s *spec, robots, reason string, robotsLine, reasonLine int) {
	switch {
	case robots == "ignore" && reason == "" && reasonLine == 0:
		w.push(step{key: "robots"})
		w.fail(robotsLine, "robots: ignore has no reason", "add reason: saying why the rules of the site are not followed")
		w.pop()
	case robots == "ignore":
		s.source.IgnoreRobots, s.source.RobotsReason = true, reason
	case robots == "obey":
		s.source.IgnoreRobots, s.source.RobotsReason = false, ""
		fallthrough
	default:
		if reasonLine == 0 {
			return
		}
		if robots == "" && s.source.IgnoreRobots {
			s.source.RobotsReason = reason
			return
		}
		w.push(step{key: "reason"})
		w.fail(reasonLine, "reason stands without robots: ignore", "add robots: ignore or delete the reason")
		w.pop()
	}
}

// robots reads what is done about robots.txt.
func (w *walker) robots(n *yaml.Node) string {
	s, ok := w.text(n)
	if ok && s != "ignore" && s != "obey" {
		w.fail(n.Line, fmt.Sprintf("%q is neither obey nor ignore", s), "write robots: obey, or robots: ignore with a reason:")
		return ""
	}
	return s
}

// lang reads a language tag.
func (w *walker) lang(n *yaml.Node) string {
	s, ok := w.text(n)
	if !ok {
		return ""
	}
	if tag, done := w.langs[s]; done {
		return tag
	}
	tag, err := parseLang(s)
	if err != nil {
		w.fail(n.Line, err.Error(), "write a BCP 47 tag such as en, zh-CN or pt-BR")
		return ""
	}
	w.langs[s] = tag
	return tag
}

// duration reads a time between looks.
func (w *walker) duration(n *yaml.Node) time.Duration {
	n = w.follow(n)
	if n == nil {
		return 0
	}
	if n.Kind == yaml.ScalarNode && (n.Tag == "!!int" || n.Tag == "!!float") {
		w.fail(n.Line, fmt.Sprintf("duration %s has no unit", n.Value), fmt.Sprintf("write %sh or %sd", n.Value, n.Value))
		return 0
	}
	s, ok := w.text(n)
	if !ok {
		return 0
	}
	d, err := parseEvery(s)
	if err != nil {
		w.fail(n.Line, err.Error(), "write it like 12h or 7d")
	}
	return d
}

// header reads the value of a request header.
func (w *walker) header(n *yaml.Node, example string) string {
	s, ok := w.text(n)
	if !ok {
		return ""
	}
	if err := checkHeader(s); err != nil {
		w.fail(n.Line, err.Error(), "write it like "+example)
		return ""
	}
	return s
}

// vantage reads the name of a place.
func (w *walker) vantage(n *yaml.Node) string {
	s, ok := w.text(n)
	if !ok {
		return ""
	}
	if err := checkVantage(s); err != nil {
		w.fail(n.Line, err.Error(), "write it like frankfurt-1")
		return ""
	}
	return s
}

// formerAddress reads the address a document had before.
func (w *walker) formerAddress(n *yaml.Node) string {
	var s spec
	w.address(n, &s)
	return s.source.URL
}

// count calls read for one declared document and counts whether it met a problem.
func (w *walker) count(s *service, read func()) {
	s.terms++
	before := len(w.problems)
	read()
	if len(w.problems) > before {
		s.reported++
	}
}
