package archive

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/fineprint-archive/fineprint/archive/catalog"
	"github.com/fineprint-archive/fineprint/archive/terms"
	"github.com/fineprint-archive/fineprint/crawler/declaration"
	"github.com/fineprint-archive/fineprint/warc"
)

// Kinds of versions beside terms.First, terms.Changed and terms.Reverted.
const kindRules = "rules" // the version before it, read by other rules

// causes of submissions to the Wayback Machine.
const (
	causeFirst     = "first"
	causeChanged   = "changed"
	causeBrowser   = "browser" // a browser makes the text: whether it is new is not known
	causeUnchanged = "unchanged"
)

// observe gives the tracker an observation and enters what it says.
func (w *docWalk) observe(l *catalog.LookRow, o terms.Observation, r *catalog.Reading) error {
	t := terms.Tracker{State: w.state.Tracker, Library: w, Watch: w.cfg.Watch}
	if o.Verdict.Grade == terms.GradeTerms && t.State.Rules != o.Rules && len(t.State.Versions) > 0 {
		if err := w.rebase(&t, o); err != nil {
			return err
		}
	}
	step, err := t.Observe(o)
	if err != nil {
		return err
	}
	w.state.Tracker = t.State
	r.Outcome, r.Reason = string(step.Outcome), step.Reason
	w.count(func(s *DeriveStats) { s.Outcomes[r.Outcome]++ })
	for _, n := range step.News {
		if err := w.tell(l, o, n); err != nil {
			return err
		}
	}
	w.state.Waits++
	if step.Outcome != terms.Unconfirmed && step.Outcome != terms.Suspect {
		w.state.Waits = 0
	}
	switch step.Outcome {
	case terms.Suspect:
		if o.Verdict.Grade == terms.GradeNeedsBrowser && w.fresh[o.Look] {
			return w.submit(l, causeBrowser) // the Wayback Machine has one
		}
	case terms.First:
		if w.fresh[o.Look] {
			if err := w.submit(l, causeFirst); err != nil {
				return err
			}
		}
		return w.version(o, string(terms.First), time.Time{})
	case terms.Unchanged, terms.LinksOnly, terms.VolatileOnly:
		w.seen(o.Time)
		if w.fresh[o.Look] && l.Result == warc.Captured {
			return w.submit(l, causeUnchanged)
		}
	}
	return nil
}

// rebase goes over to the rules that made an observation.
func (w *docWalk) rebase(t *terms.Tracker, o terms.Observation) error {
	before := t.State.Versions[len(t.State.Versions)-1].Text
	err := t.Rebase(o, func(look string) (terms.Observation, bool, error) { return w.again(look, o) })
	if err != nil {
		return fmt.Errorf("read earlier captures by other rules: %w", err)
	}
	v := t.State.Versions[len(t.State.Versions)-1]
	if v.Text == before {
		return nil
	}
	return w.version(terms.Observation{Look: o.Look, Time: o.Time, Text: v.Text}, kindRules, time.Time{})
}

// again reads the captures that a look's text was made of once more, by the rules
// of an observation. They do not fit if that makes no text by the same rules.
func (w *docWalk) again(look string, by terms.Observation) (terms.Observation, bool, error) {
	var captures []*capture
	verdict := terms.Verdict{Grade: terms.GradeTerms}
	for _, m := range w.state.Made[by.Look] {
		i := slices.IndexFunc(w.state.Made[look], func(old made) bool { return old.Part == m.Part })
		if i < 0 {
			return terms.Observation{}, false, nil
		}
		old := w.state.Made[look][i]
		row, ok, err := w.cfg.Catalog.Look(w.ctx, old.Source, old.N)
		if err != nil || !ok {
			return terms.Observation{}, false, err
		}
		c, err := w.extract(&row, w.state.Parts[m.Part].Good.Followed)
		if err != nil {
			return terms.Observation{}, false, err
		}
		if c.Verdict.Grade != terms.GradeTerms {
			verdict = c.Verdict
		}
		c.made = old
		captures = append(captures, &c)
	}
	if len(captures) == 0 {
		return terms.Observation{}, false, nil
	}
	o := terms.Observation{Look: look, Time: captures[len(captures)-1].Time, Verdict: verdict}
	if err := w.join(captures, &o); err != nil {
		return o, false, err
	}
	return o, o.Rules == by.Rules, nil
}

// version enters a state of the text that is in force from now on.
func (w *docWalk) version(o terms.Observation, kind string, confirmed time.Time) error {
	text, err := w.Text(o.Text)
	if err != nil {
		return err
	}
	parts, err := json.Marshal(w.state.Made[o.Look])
	if err != nil {
		return err
	}
	dates, err := json.Marshal(terms.Dates(text, o.Time))
	if err != nil {
		return err
	}
	editions, err := json.Marshal(terms.Editions(text, o.Time))
	if err != nil {
		return err
	}
	last := o.Time
	if confirmed.After(last) {
		last = confirmed
	}
	if kind == kindRules {
		w.state.Reread = o.Time // its words are not new
	} else {
		w.state.Current, w.state.Reread = o.Time, time.Time{}
		w.out.Passages = append(w.out.Passages, passages(text, o.Time))
	}
	w.out.Versions = append(w.out.Versions, catalog.VersionRow{
		Document: w.task.document.ID, Look: o.Look, Time: o.Time, LastSeen: last, Kind: kind, Text: o.Text, TextSHA256: text.Digest(),
		Lang: text.Lang, Words: int64(text.Words()), Extractor: text.Extractor, Confirmed: confirmed, Parts: string(parts), Dates: string(dates), Editions: string(editions),
	})
	return nil
}

// passages returns what of a version is searched.
func passages(text *terms.Text, at time.Time) catalog.VersionPassages {
	v := catalog.VersionPassages{Time: at}
	for _, p := range text.SearchPassages() {
		v.Passages = append(v.Passages, catalog.Passage{Hash: p.Hash, Text: p.Text, Tokens: p.Tokens, Kind: string(p.Kind), Block: p.Block})
	}
	return v
}

// seen notes that the version in force was seen.
func (w *docWalk) seen(at time.Time) {
	now := catalog.Seen{Version: w.state.Current, Reread: w.state.Reread, At: at}
	if n := len(w.out.Seen); n > 0 && w.out.Seen[n-1].Version.Equal(now.Version) && w.out.Seen[n-1].Reread.Equal(now.Reread) {
		w.out.Seen[n-1].At = at
		return
	}
	w.out.Seen = append(w.out.Seen, now)
}

// toldBefore returns when a change was found by an earlier derivation. An earlier
// look at the same change gives it another id.
func toldBefore(told []catalog.ChangeRow, c catalog.ChangeRow) (time.Time, bool) {
	for i := range told {
		b := &told[i]
		// A state is new once, but may come back more than once.
		again := b.Kind == string(terms.Changed) || !b.Time.After(c.Confirmed) && !c.Time.After(b.Confirmed)
		if b.ID == c.ID || again && b.Kind == c.Kind && b.FromText == c.FromText && b.Text == c.Text {
			return b.Derived, true
		}
	}
	return time.Time{}, false
}

// tell enters a change.
func (w *docWalk) tell(l *catalog.LookRow, by terms.Observation, n terms.Announcement) error {
	from, err := w.Text(n.From.Text)
	if err != nil {
		return err
	}
	to, err := w.Text(n.To.Text)
	if err != nil {
		return err
	}
	c := catalog.ChangeRow{
		ID: changeID(w.task.document.ID, n), Document: w.task.document.ID, Time: n.At.Time, From: w.state.Current,
		FromText: n.From.Text, Text: n.To.Text, Kind: string(n.Kind), Confirmed: by.Time, Doubt: n.Doubt, Derived: w.cfg.Now(),
	}
	before, known := toldBefore(w.told, c)
	if known {
		c.Derived = before
	}
	if err := describeChange(&c, terms.Compare(from, to), to, w.cfg.Watch); err != nil {
		return err
	}
	w.out.Changes = append(w.out.Changes, c)
	// A late look may show that what came after it is a change.
	if !known && (w.fresh[by.Look] || w.late) {
		c.Service, c.ServiceID, c.Terms, c.Lang, c.URL = w.out.Tracked.Service, w.out.Tracked.ServiceID, w.out.Tracked.Terms, w.out.Tracked.Lang, w.out.Tracked.URL
		w.count(func(s *DeriveStats) { s.News = append(s.News, c) })
		if err := w.submit(l, causeChanged); err != nil {
			return err
		}
	}
	if err := w.judge(n.At.Look, n.Kind); err != nil {
		return err
	}
	return w.version(n.At, string(n.Kind), by.Time)
}

// changeID names a change by what it is, so that a derivation that finds it again
// finds it under the same name.
func changeID(document string, n terms.Announcement) string {
	sum := sha256.Sum256([]byte("fineprint change v1\n" + document + "\n" + n.At.Look + "\n" + string(n.Kind) + "\n"))
	return hex.EncodeToString(sum[:8])
}

// describeChange says in figures and one line what a change is.
func describeChange(c *catalog.ChangeRow, d *terms.Diff, to *terms.Text, watch *terms.Watch) error {
	stats := d.Stats()
	c.AddedWords, c.RemovedWords = int64(stats.AddedWords), int64(stats.RemovedWords)
	c.Summary = d.SummaryOf(maxSummary, func(p terms.Passage) bool { return watch != nil && len(watch.Match(newWords(p))) > 0 })
	c.Editions = int64(len(terms.Editions(to, c.Time)))
	for _, date := range terms.Dates(to, c.Time) {
		if date.Kind == terms.DateEffective && date.Date > c.Effective {
			c.Effective = date.Date // of two editions on a page the later one is new
		}
	}
	if watch == nil {
		return nil
	}
	found := map[string]bool{}
	phrases := []string{}
	for _, list := range [][]terms.Passage{d.Added(), d.Removed()} {
		for _, p := range list {
			for _, phrase := range watch.Match(p.Text) {
				if !found[phrase] {
					found[phrase] = true
					phrases = append(phrases, phrase)
				}
			}
		}
	}
	slices.Sort(phrases)
	b, err := json.Marshal(phrases)
	c.Watch = string(b)
	return err
}

// newWords returns what of a passage was gained or lost.
func newWords(p terms.Passage) string {
	var b strings.Builder
	for _, span := range p.Words {
		b.WriteString(p.Text[span.Start:span.End])
		b.WriteByte(' ')
	}
	return b.String()
}

// maxSummary bounds the line that says what a change is, in characters.
const maxSummary = 400

// judge gives a look that was entered as unconfirmed its outcome.
func (w *docWalk) judge(look string, outcome terms.Outcome) error {
	source, n, err := parseLookName(look)
	if err != nil {
		return err
	}
	for i := range w.out.Readings {
		r := &w.out.Readings[i]
		if r.Source == source && r.NFrom == n {
			r.Outcome, r.Reason = string(outcome), ""
			return nil
		}
	}
	w.out.Judged = append(w.out.Judged, catalog.Judgement{Source: source, N: n, Outcome: string(outcome)})
	return nil
}

// submit asks the Wayback Machine for the page of a look, but never for a private
// one: once in a while where nothing is known to be new.
func (w *docWalk) submit(l *catalog.LookRow, cause string) error {
	if !w.cfg.Submit || l.Time.Before(w.cfg.SubmitSince) {
		return nil
	}
	declared, err := w.declared(l.Declaration, func() ([]byte, error) { return w.cfg.Catalog.Canonical(w.ctx, l.Declaration) })
	if err != nil || declared.source.Private {
		return err
	}
	row := catalog.OutboxNew{Source: l.Source, N: l.N, URL: l.URL, Cause: cause, At: l.Ended, NeedsBrowser: cause == causeBrowser, FinalURL: l.FinalURL}
	if cause == causeUnchanged || cause == causeBrowser {
		if w.cfg.SubmitEvery == 0 {
			return nil
		}
		row.AtMostEvery = w.cfg.SubmitEvery
	}
	w.out.Outbox = append(w.out.Outbox, row)
	return nil
}

// maxWaits is how often in a row another look is asked for: a page that is never
// the same, or never shows its terms, is visited no more often than others.
const maxWaits = 2

// follow brings the next visit of the source forward whose newest text waits for
// another look.
func (w *docWalk) follow() {
	if len(w.out.Readings) == 0 {
		return
	}
	last := w.out.Readings[len(w.out.Readings)-1]
	if w.state.Waits > maxWaits || !w.fresh[lookName(last.Source, last.NTo)] || last.Outcome != string(terms.Unconfirmed) && last.Outcome != string(terms.Suspect) {
		return
	}
	w.count(func(s *DeriveStats) { s.Unsettled = append(s.Unsettled, last.Source) })
	if w.cfg.ConfirmAfter > 0 {
		w.out.Recheck = append(w.out.Recheck, catalog.Recheck{Source: last.Source, At: w.cfg.Now().Add(w.cfg.ConfirmAfter)})
	}
}

// declared returns what a declaration says; it is parsed once.
func (d *deriver) declared(digest warc.Digest, load func() ([]byte, error)) (parsedDeclaration, error) {
	d.mu.Lock()
	p, known := d.declarations[digest]
	d.mu.Unlock()
	if known {
		return p, nil
	}
	canonical, err := load()
	if err != nil || canonical == nil {
		return p, err
	}
	p.source, p.documents, err = declaration.ParseCanonical(canonical)
	if err != nil {
		return p, fmt.Errorf("declaration %s: %w", digest, err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.declarations[digest] = p
	return p, nil
}

// parsedDeclaration is a declaration as an archive holds it.
type parsedDeclaration struct {
	source    declaration.Source
	documents []declaration.Document
}
