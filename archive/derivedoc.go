package archive

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/fineprint-archive/fineprint/archive/catalog"
	"github.com/fineprint-archive/fineprint/archive/terms"
	"github.com/fineprint-archive/fineprint/crawler/declaration"
	"github.com/fineprint-archive/fineprint/warc"
)

// docState is what is remembered of a document between two derivations.
type docState struct {
	Tracker terms.State           `json:"tracker"`
	Parts   map[string]*partState `json:"parts"`           // by index and source
	Made    map[string][]made     `json:"made"`            // by look: captures that its text was made of
	Temp    []string              `json:"temp,omitempty"`  // stored texts that no version has
	Current time.Time             `json:"current"`         // of the version in force, as its row names it
	Waits   int                   `json:"waits,omitempty"` // looks in a row that ask for another one
	Reread  time.Time             `json:"reread"`          // of its row of kind rules, zero without one
	Redo    *redo                 `json:"redo,omitempty"`  // under way: not all looks are taken in
}

// partState is what is remembered of one source of a document.
type partState struct {
	Key    string   `json:"key"` // what Newest was read from
	Newest capture  `json:"newest"`
	Last   *capture `json:"last,omitempty"` // the newest of a look that did not fail: what 304 speaks of
	Good   *capture `json:"good,omitempty"` // the newest that counts as terms
	Source string   `json:"source"`
}

// capture is a page of a look, read.
type capture struct {
	made
	Text     string             `json:"text"`
	Prints   terms.Fingerprints `json:"prints"`
	Verdict  terms.Verdict      `json:"verdict"`
	Rules    string             `json:"rules"`
	Followed declaration.Part   `json:"followed"`
	Problems string             `json:"problems,omitempty"`
}

// made names a capture that a text was made of.
type made struct {
	Part   string    `json:"part"`
	Source string    `json:"source"`
	N      int64     `json:"n"`
	Time   time.Time `json:"time"`
}

// lookName is how the tracker names a look.
func lookName(source string, n int64) string { return source + " " + strconv.FormatInt(n, 10) }

// parseLookName is the inverse of lookName.
func parseLookName(name string) (source string, n int64, err error) {
	source, number, ok := strings.Cut(name, " ")
	n, err = strconv.ParseInt(number, 10, 64)
	if !ok || err != nil {
		return "", 0, fmt.Errorf("%q names no look", name)
	}
	return source, n, nil
}

// docWalk takes in the looks at one document, in their order.
type docWalk struct {
	*deriver
	ctx   context.Context
	task  task
	state docState
	texts map[string]*terms.Text // by name: those that may be asked for again
	fresh map[string]bool        // names of looks that were never derived
	late  bool                   // the document is redone because one of them is older than what was
	out   catalog.Derivation

	stored catalog.Tracked
	told   []catalog.ChangeRow // before
}

// maxLooks bounds the looks that are entered at a time.
const maxLooks = 500

// document takes in what is new of a document, or all of it.
func (d *deriver) document(ctx context.Context, t task) error {
	w := &docWalk{deriver: d, ctx: ctx, task: t, texts: map[string]*terms.Text{}, fresh: map[string]bool{}}
	looks, again, err := w.begin()
	if err != nil || len(looks) == 0 {
		return err
	}
	w.count(func(s *DeriveStats) { s.Documents++ })
	w.reset(again)
	for i := range looks {
		if err := w.look(&looks[i]); err != nil {
			return fmt.Errorf("look %d at %s: %w", looks[i].N, looks[i].URL, err)
		}
		if (i+1)%maxLooks == 0 || i+1 == len(looks) {
			if err := w.hand(i+1 == len(looks)); err != nil {
				return err
			}
		}
	}
	return nil
}

// reset begins the rows of a derivation.
func (w *docWalk) reset(again bool) {
	w.out = catalog.Derivation{Again: again}
	if !again {
		w.out.Tracked = w.stored
	}
}

// look takes in one look.
func (w *docWalk) look(l *catalog.LookRow) error {
	declared, err := w.declared(l.Declaration, func() ([]byte, error) { return w.cfg.Catalog.Canonical(w.ctx, l.Declaration) })
	if err != nil {
		return err
	}
	documents := declared.documents
	i := slices.IndexFunc(documents, func(d declaration.Document) bool { return d.ID == w.task.document.ID })
	if i < 0 {
		return nil // at that time the source was none of the document's
	}
	doc := documents[i]
	w.describe(doc, declared.source.URL, l)
	w.count(func(s *DeriveStats) { s.Looks++ })
	r := catalog.Reading{Document: doc.ID, Source: l.Source, NFrom: l.N, NTo: l.N, From: l.Time, To: l.Time}
	if err := w.read(l, doc, &r); err != nil {
		return err
	}
	w.addReading(r)
	return nil
}

// describe notes how the document is declared.
func (w *docWalk) describe(doc declaration.Document, url string, l *catalog.LookRow) {
	t := &w.out.Tracked
	t.Document, t.Service, t.ServiceID, t.Terms, t.Lang, t.Rules = doc.ID, doc.Service, doc.ServiceID, doc.Terms, doc.Lang, DerivationVersion
	if doc.Parts[0].Source == l.Source || t.URL == "" {
		t.URL = url
	}
	if l.Time.After(t.Cursor) {
		t.Cursor = l.Time
	}
}

// count changes the statistics.
func (d *deriver) count(f func(*DeriveStats)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	f(&d.stats)
}

// read finds out what a look says of the document.
func (w *docWalk) read(l *catalog.LookRow, doc declaration.Document, r *catalog.Reading) error {
	verdict := terms.Verdict{}
	for i, part := range doc.Parts {
		if part.Source != l.Source {
			continue
		}
		c, err := w.capture(l, part, strconv.Itoa(i)+" "+part.Source)
		if err != nil || c == nil {
			return err
		}
		r.Problems = c.Problems
		if verdict.Grade == "" || verdict.Grade == terms.GradeTerms {
			verdict = c.Verdict
		}
	}
	r.Grade = string(verdict.Grade)
	if l.Result == warc.Failed {
		r.Reason = verdict.Reason // a failure is no word on the text
		return nil
	}
	w.count(func(s *DeriveStats) { s.Grades[r.Grade]++ })
	o := terms.Observation{Look: lookName(l.Source, l.N), Time: l.Time, Verdict: verdict}
	if verdict.Grade == terms.GradeTerms {
		if missing := w.missing(doc); missing != "" {
			r.Reason = "waits for a good capture of " + missing
			return nil
		}
		if err := w.compose(doc, &o); err != nil {
			return err
		}
		r.Text = o.Text
	}
	return w.observe(l, o, r)
}

// capture reads the page of a look for one part; nil if nothing came that could
// have a text.
func (w *docWalk) capture(l *catalog.LookRow, part declaration.Part, key string) (*capture, error) {
	p := w.state.Parts[key]
	if p == nil {
		p = &partState{Source: l.Source}
		w.state.Parts[key] = p
	}
	from := made{key, l.Source, l.N, l.Time}
	switch {
	case l.Result == warc.NotModified && p.Last != nil:
		c := *p.Last // the bytes are still those of that look
		if c.Verdict.Grade == terms.GradeTerms {
			p.Good = &c
		}
		return &c, nil
	case l.Result == warc.NotModified, l.RecordID == "", l.PayloadSHA256.IsZero():
		return nil, nil
	}
	what := strings.Join([]string{l.PayloadSHA256.Hex(), strconv.Itoa(l.Status), l.Error, l.FinalURL, rulesDigest(part)}, " ")
	if p.Key == what {
		p.Newest.made = from
	} else {
		c, err := w.extract(l, part)
		if err != nil {
			return nil, err
		}
		c.made = from
		p.Key, p.Newest = what, c
	}
	c := p.Newest
	if l.Result == warc.Failed {
		return &c, nil // whatever came is not what the page says
	}
	p.Last = &c
	if c.Verdict.Grade == terms.GradeTerms {
		p.Good = &c
	}
	return &c, nil
}

// extract reads a page by the rules of a part.
func (w *docWalk) extract(l *catalog.LookRow, part declaration.Part) (capture, error) {
	read, err := readLook(w.ctx, w.cfg.Store, w.cfg.Catalog, *l, part)
	if err != nil {
		return capture{}, err
	}
	w.count(func(s *DeriveStats) { s.Payloads++; s.Bytes += read.Bytes })
	prints := read.Text.Fingerprints()
	c := capture{Text: prints.Name(), Prints: prints, Verdict: read.Verdict, Rules: read.Rules, Followed: read.Followed}
	w.texts[c.Text] = read.Text
	if len(read.Page.Problems) > 0 {
		b, err := json.Marshal(read.Page.Problems)
		if err != nil {
			return capture{}, err
		}
		c.Problems = string(b)
	}
	return c, nil
}

// missing returns the source of the first part without a good capture.
func (w *docWalk) missing(doc declaration.Document) string {
	for i, part := range doc.Parts {
		if p := w.state.Parts[strconv.Itoa(i)+" "+part.Source]; p == nil || p.Good == nil {
			return part.Source
		}
	}
	return ""
}

// compose makes the document's text of the newest good captures of its parts.
func (w *docWalk) compose(doc declaration.Document, o *terms.Observation) error {
	var captures []*capture
	for i, part := range doc.Parts {
		captures = append(captures, w.state.Parts[strconv.Itoa(i)+" "+part.Source].Good)
	}
	return w.join(captures, o)
}

// join puts the texts of captures behind one another.
func (w *docWalk) join(captures []*capture, o *terms.Observation) error {
	list := make([]made, len(captures))
	rules := make([]string, len(captures))
	for i, c := range captures {
		list[i], rules[i] = c.made, c.Rules
	}
	w.state.Made[o.Look] = list
	o.Rules = strings.Join(rules, ", ")
	o.Text, o.Prints = captures[0].Text, captures[0].Prints
	if len(captures) == 1 {
		return nil
	}
	var whole terms.Text
	for i, c := range captures {
		t, err := w.Text(c.Text)
		if err != nil {
			return err
		}
		if i == 0 {
			whole = terms.Text{Extractor: t.Extractor, Lang: t.Lang, Title: t.Title}
		}
		whole.Blocks = append(whole.Blocks, t.Blocks...)
	}
	o.Prints = whole.Fingerprints()
	o.Text = o.Prints.Name()
	w.texts[o.Text] = &whole
	return nil
}

// Text returns a text of the document: one at hand, or a stored one.
func (w *docWalk) Text(name string) (*terms.Text, error) {
	if t := w.texts[name]; t != nil {
		return t, nil
	}
	t, err := StoredText(w.ctx, w.cfg.Catalog, w.task.document.ID, name)
	if err != nil {
		return nil, err
	}
	w.texts[name] = t
	return t, nil
}

// addReading adds what a look said, to the last row if that says the same.
func (w *docWalk) addReading(r catalog.Reading) {
	if n := len(w.out.Readings); n > 0 {
		last := &w.out.Readings[n-1]
		if last.Source == r.Source && last.NTo == r.NFrom-1 && r.Repeats() && last.Grade == r.Grade && last.Outcome == r.Outcome &&
			last.Reason == r.Reason && last.Text == r.Text && last.Problems == r.Problems {
			last.NTo, last.To = r.NTo, r.To
			return
		}
	}
	w.out.Readings = append(w.out.Readings, r)
}

// hand gives what was found to the batch and goes on with an empty one.
func (w *docWalk) hand(end bool) error {
	if w.out.Tracked.Document == "" {
		return nil // no look was at the document
	}
	if err := w.packTexts(); err != nil {
		return err
	}
	if end {
		w.follow()
	}
	if end {
		w.state.Redo = nil
	}
	state, err := json.Marshal(w.state)
	if err == nil {
		w.out.Tracked.State, err = pack(state)
	}
	if err != nil {
		return err
	}
	tracked := w.out.Tracked
	tracked.State = nil
	if err := w.enter(w.ctx, w.out); err != nil {
		return err
	}
	w.out = catalog.Derivation{Tracked: tracked}
	return nil
}

// packTexts stores the texts that may be asked for again and drops the others.
func (w *docWalk) packTexts() error {
	s := &w.state
	needed := s.Tracker.Texts()
	for _, key := range slices.Sorted(maps.Keys(s.Parts)) {
		// The next look may bring the same again, and it is not read twice.
		if good := s.Parts[key].Good; good != nil {
			needed = append(needed, good.Text)
		}
	}
	inVersions := map[string]bool{}
	for _, v := range s.Tracker.Versions {
		inVersions[v.Text] = true
	}
	for _, v := range w.out.Versions {
		inVersions[v.Text] = true
		needed = append(needed, v.Text)
	}
	for _, c := range w.out.Changes {
		inVersions[c.FromText] = true
		needed = append(needed, c.FromText)
	}
	slices.Sort(needed)
	needed = slices.Compact(needed)
	before := s.Temp
	s.Temp = nil
	for _, name := range needed {
		if !inVersions[name] {
			s.Temp = append(s.Temp, name)
		}
		t := w.texts[name]
		if t == nil {
			continue // stored already
		}
		body, err := packText(t)
		if err != nil {
			return err
		}
		w.out.Texts = append(w.out.Texts, catalog.TextRow{Name: name, Body: body})
	}
	for _, name := range before {
		if !slices.Contains(needed, name) {
			w.out.Drop = append(w.out.Drop, name)
		}
	}
	w.forget(needed)
	return nil
}

// forget drops what no look may ask for again.
func (w *docWalk) forget(needed []string) {
	maps.DeleteFunc(w.texts, func(name string, _ *terms.Text) bool { return !slices.Contains(needed, name) })
	named := map[string]bool{}
	s := &w.state.Tracker
	for _, v := range s.Versions {
		named[v.Look], named[v.Last] = true, true
	}
	for _, k := range s.Known {
		named[k.First.Look] = true
	}
	for _, h := range []*terms.Holding{s.Holding, s.Returning} {
		if h != nil {
			named[h.First.Look] = true
		}
	}
	if s.Candidate != nil {
		named[s.Candidate.Look] = true
	}
	maps.DeleteFunc(w.state.Made, func(look string, _ []made) bool { return !named[look] })
}
