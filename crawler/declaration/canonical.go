package declaration

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// canonicalVersion is the version of the canonical form.
const canonicalVersion = 1

// The canonical form: one line of JSON without line feed, keys sorted, values
// that are empty left out, documents sorted by id, times as time.Duration writes
// them, and no HTML escapes. Fields stand here in the order of their keys.
type (
	canonicalLine struct {
		Documents []canonicalDocument `json:"documents,omitempty"`
		Source    canonicalSource     `json:"source"`
		V         int                 `json:"v"`
	}
	canonicalSource struct {
		AcceptEncoding string `json:"accept_encoding,omitempty"`
		AcceptLanguage string `json:"accept_language,omitempty"`
		Every          string `json:"every,omitempty"`
		FullEvery      string `json:"full_every,omitempty"`
		ID             string `json:"id"`
		IgnoreRobots   bool   `json:"ignore_robots,omitempty"`
		Private        bool   `json:"private,omitempty"`
		RobotsReason   string `json:"robots_reason,omitempty"`
		URL            string `json:"url"`
		Vantage        string `json:"vantage,omitempty"`
	}
	canonicalDocument struct {
		ID        string          `json:"id"`
		Lang      string          `json:"lang,omitempty"`
		MovedFrom string          `json:"moved_from,omitempty"`
		Parts     []canonicalPart `json:"parts,omitempty"`
		Service   string          `json:"service"`
		ServiceID string          `json:"service_id"`
		Terms     string          `json:"terms"`
	}
	canonicalPart struct {
		ExecuteClientScripts *bool               `json:"execute_client_scripts,omitempty"`
		Filters              []string            `json:"filters,omitempty"`
		PDF                  bool                `json:"pdf,omitempty"`
		Remove               []canonicalSelector `json:"remove,omitempty"`
		RemoveQueryParams    []string            `json:"remove_query_params,omitempty"`
		Select               []canonicalSelector `json:"select,omitempty"`
		Source               string              `json:"source"`
	}
	canonicalSelector struct {
		CSS         string `json:"css,omitempty"`
		EndAfter    string `json:"end_after,omitempty"`
		EndBefore   string `json:"end_before,omitempty"`
		StartAfter  string `json:"start_after,omitempty"`
		StartBefore string `json:"start_before,omitempty"`
	}
)

// Canonical returns a source and the documents that use it as one line of JSON
// that depends on nothing else in the set:
//
//	{"documents":[{"id":…,"parts":[{"select":[{"css":…}],"source":…}],…}],"source":{…},"v":1}
//
// It is what an archive stores, once per digest, as the declaration in force; of
// the other sources of a combined document it holds the ids. It returns nil for a
// source that is not in the set.
func (s *Set) Canonical(sourceID string) []byte {
	i, ok := s.sources[sourceID]
	if !ok {
		return nil
	}
	return encodeCanonical(s.Sources[i], s.pick(s.uses[i]))
}

// CanonicalSource returns the canonical form of a source that no document uses.
func CanonicalSource(s Source) []byte { return encodeCanonical(s, nil) }

// ParseCanonical is the inverse of Canonical. It takes nothing else: a line that
// Canonical would have written otherwise is an error.
func ParseCanonical(line []byte) (Source, []Document, error) {
	var version struct{ V int }
	if err := json.Unmarshal(line, &version); err != nil {
		return Source{}, nil, fmt.Errorf("canonical declaration: %w", err)
	}
	if version.V != canonicalVersion {
		return Source{}, nil, fmt.Errorf("canonical declaration of version %d: want %d; a newer program may have written it", version.V, canonicalVersion)
	}
	var c canonicalLine
	dec := json.NewDecoder(bytes.NewReader(line))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&c); err != nil {
		return Source{}, nil, fmt.Errorf("canonical declaration: %w", err)
	}
	source, err := c.Source.decode()
	if err != nil {
		return Source{}, nil, fmt.Errorf("canonical declaration: %w", err)
	}
	documents := convert(c.Documents, canonicalDocument.decode)
	if !bytes.Equal(encodeCanonical(source, documents), line) {
		return Source{}, nil, errors.New("canonical declaration: not in canonical form")
	}
	return source, documents, nil
}

// encodeCanonical writes the canonical form.
func encodeCanonical(s Source, documents []Document) []byte {
	slices.SortFunc(documents, func(a, b Document) int { return strings.Compare(a.ID, b.ID) })
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(canonicalLine{
		Documents: convert(documents, encodeDocument), Source: encodeSource(s), V: canonicalVersion,
	})
	if err != nil {
		panic("declaration: canonical form of strings and booleans: " + err.Error())
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// convert maps a slice, an empty one to nil.
func convert[A, B any](from []A, each func(A) B) []B {
	if len(from) == 0 {
		return nil
	}
	to := make([]B, len(from))
	for i, v := range from {
		to[i] = each(v)
	}
	return to
}

func encodeSource(s Source) canonicalSource {
	return canonicalSource{
		AcceptEncoding: s.AcceptEncoding, AcceptLanguage: s.AcceptLanguage,
		Every: encodeDuration(s.Every), FullEvery: encodeDuration(s.FullEvery),
		ID: s.ID, IgnoreRobots: s.IgnoreRobots, Private: s.Private,
		RobotsReason: s.RobotsReason, URL: s.URL, Vantage: s.Vantage,
	}
}

func (c canonicalSource) decode() (Source, error) {
	s := Source{
		ID: c.ID, URL: c.URL, AcceptLanguage: c.AcceptLanguage, Vantage: c.Vantage,
		AcceptEncoding: c.AcceptEncoding, IgnoreRobots: c.IgnoreRobots,
		RobotsReason: c.RobotsReason, Private: c.Private,
	}
	if want := SourceID(s.URL, s.AcceptLanguage, s.Vantage); s.ID != want {
		return Source{}, fmt.Errorf("source id %q is not that of its address, which is %s", s.ID, want)
	}
	var err error
	if s.Every, err = decodeDuration(c.Every); err != nil {
		return Source{}, fmt.Errorf("every: %w", err)
	}
	if s.FullEvery, err = decodeDuration(c.FullEvery); err != nil {
		return Source{}, fmt.Errorf("full_every: %w", err)
	}
	return s, nil
}

func encodeDuration(d time.Duration) string {
	if d == 0 {
		return ""
	}
	return d.String()
}

func decodeDuration(s string) (time.Duration, error) {
	if s == "" {
		return 0, nil
	}
	return time.ParseDuration(s)
}

func encodeDocument(d Document) canonicalDocument {
	return canonicalDocument{
		ID: d.ID, Lang: d.Lang, MovedFrom: d.MovedFrom, Parts: convert(d.Parts, encodePart),
		Service: d.Service, ServiceID: d.ServiceID, Terms: d.Terms,
	}
}

func (c canonicalDocument) decode() Document {
	return Document{
		ID: c.ID, Service: c.Service, ServiceID: c.ServiceID, Terms: c.Terms, Lang: c.Lang,
		Parts: convert(c.Parts, canonicalPart.decode), MovedFrom: c.MovedFrom,
	}
}

func encodePart(p Part) canonicalPart {
	return canonicalPart{
		ExecuteClientScripts: p.ExecuteClientScripts, Filters: p.Filters, PDF: p.PDF,
		Remove: convert(p.Remove, encodeSelector), RemoveQueryParams: p.RemoveQueryParams,
		Select: convert(p.Select, encodeSelector), Source: p.Source,
	}
}

func (c canonicalPart) decode() Part {
	return Part{
		Source: c.Source,
		Select: convert(c.Select, canonicalSelector.decode), Remove: convert(c.Remove, canonicalSelector.decode),
		RemoveQueryParams: c.RemoveQueryParams, Filters: c.Filters,
		ExecuteClientScripts: c.ExecuteClientScripts, PDF: c.PDF,
	}
}

func encodeSelector(s Selector) canonicalSelector {
	return canonicalSelector{
		CSS: s.CSS, EndAfter: s.EndAfter, EndBefore: s.EndBefore,
		StartAfter: s.StartAfter, StartBefore: s.StartBefore,
	}
}

func (c canonicalSelector) decode() Selector {
	return Selector{
		CSS: c.CSS, StartBefore: c.StartBefore, StartAfter: c.StartAfter,
		EndBefore: c.EndBefore, EndAfter: c.EndAfter,
	}
}
