package declaration

import "strings"

// Set is everything that is watched. It is made by Load, Parse, FromURLs or
// ReadCollection, is not changed afterwards and is safe for concurrent use; its
// slices belong to it and must not be altered.
type Set struct {
	Sources   []Source   // each once, in order of first appearance
	Documents []Document // in order of appearance
	Histories []History  // of Open Terms Archive declarations, see History
	Problems  []Problem  // warnings and errors, by file and line
	Services  int        // services with a different id, ended ones included

	sources   map[string]int32   // by id
	documents map[string]int32   // by id
	addresses map[string][]int32 // sources by address; several differ in language or vantage
	former    map[string][]int32 // documents by address before
	uses      [][]int32          // documents of each source
	histories map[string]int32   // by service id
}

// Source returns the source of an id.
func (s *Set) Source(id string) (Source, bool) {
	i, ok := s.sources[id]
	if !ok {
		return Source{}, false
	}
	return s.Sources[i], true
}

// Document returns the document of an id.
func (s *Set) Document(id string) (Document, bool) {
	i, ok := s.documents[id]
	if !ok {
		return Document{}, false
	}
	return s.Documents[i], true
}

// DocumentsOf returns the documents that use a source, in order of appearance.
func (s *Set) DocumentsOf(sourceID string) []Document {
	i, ok := s.sources[sourceID]
	if !ok {
		return nil
	}
	return s.pick(s.uses[i])
}

// DocumentsOfService returns the documents of a service named by its id or, in any
// case, by its display name, in order of appearance.
func (s *Set) DocumentsOfService(name string) []Document {
	name = strings.TrimSpace(name)
	var found []Document
	for _, d := range s.Documents {
		if d.ServiceID == name || strings.EqualFold(d.Service, name) || strings.EqualFold(d.ServiceID, name) {
			found = append(found, d)
		}
	}
	return found
}

// Find returns the documents meant by a document id, a source id or an address,
// nil if there are none. An address that several documents use, or under several
// languages, gives all of them; one that is used no longer gives those that
// moved from it.
func (s *Set) Find(query string) []Document {
	query = strings.TrimSpace(query)
	if i, ok := s.documents[query]; ok {
		return s.pick([]int32{i})
	}
	if i, ok := s.documents[strings.ToLower(query)]; ok {
		return s.pick([]int32{i})
	}
	if i, ok := s.sources[query]; ok {
		return s.pick(s.uses[i])
	}
	u, err := Normalize(query)
	if err != nil {
		return nil
	}
	var found []int32
	seen := make(map[int32]bool)
	for _, source := range s.addresses[u] {
		for _, d := range s.uses[source] {
			if !seen[d] {
				seen[d] = true
				found = append(found, d)
			}
		}
	}
	if len(found) == 0 {
		found = s.former[u]
	}
	return s.pick(found)
}

// pick returns the documents at the given places.
func (s *Set) pick(places []int32) []Document {
	if len(places) == 0 {
		return nil
	}
	picked := make([]Document, len(places))
	for i, at := range places {
		picked[i] = s.Documents[at]
	}
	return picked
}

// index builds the look-up tables that the builder has not, in time linear in
// the number of parts.
func (s *Set) index() {
	s.addresses = make(map[string][]int32, len(s.Sources))
	s.former = make(map[string][]int32)
	places := make([]int32, len(s.Sources))
	for i := range s.Sources {
		places[i] = int32(i)
		u := s.Sources[i].URL
		if have, ok := s.addresses[u]; ok {
			s.addresses[u] = append(have, int32(i))
		} else {
			s.addresses[u] = places[i : i+1 : i+1]
		}
	}
	s.uses = s.usesOf()
	for i, d := range s.Documents {
		if d.MovedFrom != "" {
			s.former[d.MovedFrom] = append(s.former[d.MovedFrom], int32(i))
		}
	}
}

// usesOf returns for each source the documents that use it, cut from one slice.
func (s *Set) usesOf() [][]int32 {
	counts := make([]int32, len(s.Sources)+1)
	each := func(visit func(source, document int32)) {
		for i, d := range s.Documents {
			for j, p := range d.Parts {
				if !usedBefore(d.Parts[:j], p.Source) {
					visit(s.sources[p.Source], int32(i))
				}
			}
		}
	}
	total := 0
	each(func(source, _ int32) { counts[source]++; total++ })
	all := make([]int32, 0, total)
	uses := make([][]int32, len(s.Sources))
	for i := range uses {
		start := len(all)
		all = all[:start+int(counts[i])]
		uses[i] = all[start:start:len(all)]
	}
	each(func(source, document int32) { uses[source] = append(uses[source], document) })
	return uses
}

// usedBefore reports whether a source is among the earlier parts of a document.
func usedBefore(parts []Part, source string) bool {
	for _, p := range parts {
		if p.Source == source {
			return true
		}
	}
	return false
}
