package archive

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/fineprint-archive/fineprint/archive/catalog"
	"github.com/fineprint-archive/fineprint/archive/terms"
	"github.com/fineprint-archive/fineprint/warc"
)

// archivedPart names an imported capture that a text was made from.
type archivedPart struct {
	Source string    `json:"source"`
	Look   string    `json:"look"` // manifest id of the look that replayed it
	URL    string    `json:"url"`  // the archived address
	Time   time.Time `json:"time"` // of the capture, by the web archive
}

// order goes through the sightings by time and makes a version of each run of
// captures with equal words. What is no text of the document stands between the
// versions and parts none; a body that was not imported is passed over.
func (w *archivedWalk) order(all readings) error {
	good := make([]*catalog.ArchivedReading, len(all)) // newest of each part
	version := -1                                      // index of the last one that counts
	for s, err := range w.cfg.Catalog.Sightings(w.ctx, w.task.sources()) {
		if err != nil {
			return err
		}
		if !w.see(all, good, s) {
			continue
		}
		name, err := w.compose(good)
		if err != nil {
			return err
		}
		if version >= 0 && w.facts[w.out.Versions[version].Text].words == w.facts[name].words {
			w.out.Versions[version].LastSeen = s.Time
			w.out.Versions[version].Captures++
			continue
		}
		w.begin(name, good, s.Time)
		version = len(w.out.Versions) - 1
	}
	return nil
}

// see takes in one sighting. It reports whether it is one of a text of the
// document, and each part has been seen.
func (w *archivedWalk) see(all readings, good []*catalog.ArchivedReading, s catalog.Sighting) bool {
	seen := false
	for i, part := range w.task.document.Parts {
		r := all[i][s.Key]
		switch {
		case part.Source != s.Source || r == nil:
		case r.Grade == string(terms.GradeTerms) && r.Replay != warc.FactDifferent:
			good[i], seen = r, true
		default:
			w.between(r, s.Time)
		}
	}
	return seen && !slices.Contains(good, nil)
}

// between enters a capture that does not count.
func (w *archivedWalk) between(r *catalog.ArchivedReading, at time.Time) {
	if n := len(w.out.Versions); n > 0 {
		last := &w.out.Versions[n-1]
		if last.Grade == r.Grade && last.Replay == r.Replay && last.Text == r.Text && last.Reason == r.Reason {
			last.LastSeen = at
			last.Captures++
			return
		}
	}
	w.add(catalog.ArchivedVersion{Time: at, Grade: r.Grade, Reason: r.Reason, Replay: r.Replay, Text: r.Text, Parts: partsJSON(r)})
}

// begin enters a version.
func (w *archivedWalk) begin(name string, good []*catalog.ArchivedReading, at time.Time) {
	f := w.facts[name]
	replay := warc.FactSame
	for _, r := range good {
		if r.Replay != warc.FactSame {
			replay = r.Replay
		}
	}
	w.add(catalog.ArchivedVersion{
		Time: at, Grade: string(terms.GradeTerms), Replay: replay, Text: name, TextSHA256: f.sha256, Lang: f.lang, Words: f.count, Extractor: f.extractor,
		Parts: partsJSON(good...),
	})
}

func (w *archivedWalk) add(v catalog.ArchivedVersion) {
	v.Document, v.N, v.LastSeen, v.Captures = w.task.document.ID, int64(len(w.out.Versions)+1), v.Time, 1
	w.out.Versions = append(w.out.Versions, v)
}

// partsJSON names the captures that a text was made from.
func partsJSON(list ...*catalog.ArchivedReading) string {
	parts := make([]archivedPart, len(list))
	for i, r := range list {
		parts[i] = archivedPart{r.Source, r.Look, r.URL, r.Time}
	}
	b, err := json.Marshal(parts)
	if err != nil {
		panic("captures of strings and times: " + err.Error())
	}
	return string(b)
}

// compose makes the document's text of captures of its parts, and returns its name.
func (w *archivedWalk) compose(good []*catalog.ArchivedReading) (string, error) {
	names := make([]string, len(good))
	for i, r := range good {
		names[i] = r.Text
	}
	if len(names) == 1 {
		return names[0], w.know(names[0])
	}
	key := strings.Join(names, " ")
	if name, ok := w.composed[key]; ok {
		return name, nil
	}
	var whole terms.Text
	for i, name := range names {
		t, err := w.text(name)
		if err != nil {
			return "", err
		}
		if i == 0 {
			whole = terms.Text{Extractor: t.Extractor, Lang: t.Lang, Title: t.Title}
		}
		whole.Blocks = append(whole.Blocks, t.Blocks...)
	}
	name := whole.Fingerprints().Name()
	w.composed[key] = name
	return name, w.keep(name, &whole)
}

// know finds out the facts of a text that was read before.
func (w *archivedWalk) know(name string) error {
	if _, ok := w.facts[name]; ok {
		return nil
	}
	t, err := w.text(name)
	if err != nil {
		return err
	}
	w.facts[name] = factsOf(t)
	return nil
}
