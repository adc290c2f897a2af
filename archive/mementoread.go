package archive

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/fineprint-archive/fineprint/archive/catalog"
	"github.com/fineprint-archive/fineprint/archive/terms"
	"github.com/fineprint-archive/fineprint/archive/wayback"
	"github.com/fineprint-archive/fineprint/crawler/declaration"
	"github.com/fineprint-archive/fineprint/warc"
)

// ReadBack reads a capture that was asked for back: what the index says of it, then
// its raw replay, both kept byte for byte, and compares them with our own look
// (wayback.Reader). An outage is an *wayback.Error, and what came of it is kept.
func (o *Observer) ReadBack(ctx context.Context, item wayback.Item) (wayback.Reading, error) {
	address := item.OriginalURL
	if address == "" {
		address = item.URL
	}
	at, err := time.Parse(stampForm, item.Snapshot)
	if err != nil {
		return wayback.Reading{}, &wayback.Error{Op: "read back", Class: wayback.ClassPermanent, Code: "no-snapshot", Message: "the item names no capture"}
	}
	ours, err := o.ours(ctx, item.Source, item.LookN)
	if err != nil && !errors.Is(err, errNoLook) {
		return wayback.Reading{}, err
	}
	known := err == nil
	memento := &warc.Memento{Purpose: warc.PurposeReadBack, Source: item.Source, URL: address, Time: at}
	if known {
		memento.N, memento.Look = ours.N, &warc.Prev{Manifest: ours.ID, SHA256: ours.ManifestSHA256}
	}
	l, err := o.begin(ctx, o.cfg.Client.ReplayURL(item.Snapshot, address), memento)
	if err != nil {
		return wayback.Reading{}, err
	}
	reading := wayback.Reading{At: l.m.Time}
	cause := l.readBack(ctx, item.Snapshot, address, &reading)
	if cause == nil && known && reading.Found {
		cause = l.compare(ctx, ours, &reading)
	}
	if facts := reading.Facts; facts != (warc.Facts{}) && cause == nil {
		memento.Facts = &facts
	}
	memento.Src, memento.Grade = reading.Src, reading.Grade
	if reading.Manifest, err = l.finish(ctx, cause); err != nil {
		return wayback.Reading{}, err
	}
	return reading, cause
}

// stampForm is the form of the times of the Wayback Machine.
const stampForm = "20060102150405"

// readBack asks the index and the replay.
func (l *mementoLook) readBack(ctx context.Context, stamp, address string, out *wayback.Reading) error {
	l.kind = warc.KindIndex
	page, err := l.cfg.Client.Index(ctx, wayback.IndexQuery{URL: address, From: stamp, To: stamp}, l)
	if err != nil {
		return l.because(err)
	}
	// A redirect from http to https often shares its moment with the page: the first
	// row would be that of the redirect.
	if row := page.Capture(stamp, address); row != nil {
		out.Row = row
		l.m.Memento.Status, l.m.Memento.MIME, l.m.Memento.Digest = row.Status, row.MIME, row.Digest
	}
	return l.replay(ctx, stamp, address, out)
}

// replay asks for the raw replay, and compares it with the index.
func (l *mementoLook) replay(ctx context.Context, stamp, address string, out *wayback.Reading) error {
	l.kind = warc.KindPage
	replay, err := l.cfg.Client.Replay(ctx, stamp, address, l)
	if err != nil {
		return l.because(err)
	}
	out.Found, out.Src = replay.Found, replay.Src
	l.take(replay, out)
	return nil
}

// because returns what kept an exchange from being archived rather than what the
// client made of it.
func (l *mementoLook) because(err error) error {
	if l.broken != nil {
		return l.broken
	}
	return err
}

// take compares a replay with the index.
func (l *mementoLook) take(replay wayback.Replay, out *wayback.Reading) {
	f := &out.Facts
	if out.Row == nil {
		f.Index = warc.FactAbsent
	}
	if !replay.Found {
		f.Replay = warc.FactAbsent
		return
	}
	l.replayed = &replay
	f.Replay = warc.CompareBodies(l.m.Memento.Digest, l.theirs(), warc.Body{}).Replay
}

// theirs has the digests of the replayed body.
func (l *mementoLook) theirs() warc.Body {
	r := l.replayed
	return warc.Body{SHA1: r.PayloadSHA1, DecodedSHA1: warc.SumSHA1(r.Body), DecodedSHA256: warc.SumSHA256(r.Body)}
}

// compare compares a replay with our own look.
func (l *mementoLook) compare(ctx context.Context, ours catalog.LookRow, out *wayback.Reading) error {
	facts := warc.CompareBodies(l.m.Memento.Digest, l.theirs(), warc.Body{SHA1: ours.PayloadSHA1, DecodedSHA256: ours.DecodedSHA256})
	if out.Row == nil {
		facts.Index = warc.FactAbsent
	}
	out.Facts = facts
	return l.compareTexts(ctx, ours, out)
}

// compareTexts makes the texts of both by the declaration of our look, for every
// document that the page belongs to; the worst of the answers counts.
func (l *mementoLook) compareTexts(ctx context.Context, ours catalog.LookRow, out *wayback.Reading) error {
	parts, err := partsOf(ctx, l.cfg.Archive.cfg.Catalog, ours)
	if err != nil {
		return err
	}
	for _, p := range parts {
		mine, err := readLook(ctx, l.cfg.Archive.cfg.Store, l.cfg.Archive.cfg.Catalog, ours, p.rules)
		if err != nil {
			return err
		}
		theirs, err := l.readReplay(ctx, p.rules)
		if err != nil {
			return err
		}
		l.m.Memento.Rules = theirs.Rules
		if out.Grade == "" || theirs.Verdict.Grade != terms.GradeTerms {
			out.Grade = string(theirs.Verdict.Grade)
		}
		if mine.Verdict.Grade != terms.GradeTerms {
			continue // we have no terms to compare with
		}
		fact := warc.FactDifferent
		switch {
		case theirs.Text.Fingerprints().Words == mine.Text.Fingerprints().Words:
			fact = warc.FactSame
		case theirs.Verdict.Grade == terms.GradeTerms:
			if fact, err = l.variant(ctx, p, theirs); err != nil {
				return err
			}
		}
		out.Facts.Text = worse(out.Facts.Text, fact)
	}
	return nil
}

// worse returns the answer that is further from "same".
func worse(a, b warc.Fact) warc.Fact {
	order := []warc.Fact{"", warc.FactSame, warc.FactVariant, warc.FactDifferent}
	if slices.Index(order, a) > slices.Index(order, b) {
		return a
	}
	return b
}

// readReplay makes the text of the replayed page and grades it as it was served.
func (l *mementoLook) readReplay(ctx context.Context, rules declaration.Part) (Reading, error) {
	r := l.replayed
	return ReadCapture(ctx, terms.Capture{
		Status: r.Status, Header: original(r.Header), URL: l.m.Memento.URL, FinalURL: l.m.Memento.URL, Size: int64(len(r.Body)),
	}, bytes.NewReader(r.Body), rules)
}

// variant finds out whether another text is one that we know of the document: what
// our own looks would call a variant of it, or an earlier version.
func (l *mementoLook) variant(ctx context.Context, p documentPart, theirs Reading) (warc.Fact, error) {
	db := l.cfg.Archive.cfg.Catalog
	tracked, ok, err := db.Tracked(ctx, p.document)
	if err != nil || !ok || p.combined || tracked.Rules != DerivationVersion {
		return warc.FactDifferent, err
	}
	state, err := restoreState(tracked, true)
	if err != nil {
		return "", err
	}
	prints := theirs.Text.Fingerprints()
	texts := textsOf{ctx: ctx, db: db, document: p.document, own: map[string]*terms.Text{prints.Name(): theirs.Text}}
	tracker := terms.Tracker{State: state.Tracker, Library: texts}
	step, err := tracker.Observe(terms.Observation{
		Look: "replay", Time: l.m.Time, Verdict: theirs.Verdict, Rules: state.Tracker.Rules, Text: prints.Name(), Prints: prints,
	})
	if err != nil {
		return "", err
	}
	switch step.Outcome {
	case terms.Unchanged, terms.LinksOnly, terms.VolatileOnly, terms.KnownVariant, terms.Reverted, terms.Changed: // the last one: a look of ours saw it once
		return warc.FactVariant, nil
	}
	return warc.FactDifferent, nil
}

// textsOf is the library of a document, with texts that are not stored.
type textsOf struct {
	ctx      context.Context
	db       *catalog.DB
	document string
	own      map[string]*terms.Text
}

// Text returns a text by its name.
func (t textsOf) Text(name string) (*terms.Text, error) {
	if own := t.own[name]; own != nil {
		return own, nil
	}
	return StoredText(t.ctx, t.db, t.document, name)
}

// documentPart is what a document makes of a page.
type documentPart struct {
	document string
	rules    declaration.Part
	combined bool // the document has other pages too
}

// partsOf returns what the declaration of a look makes of its page; without one
// all of the page.
func partsOf(ctx context.Context, db *catalog.DB, look catalog.LookRow) ([]documentPart, error) {
	canonical, err := db.Canonical(ctx, look.Declaration)
	if err != nil {
		return nil, err
	}
	if len(canonical) == 0 {
		return []documentPart{{}}, nil
	}
	_, documents, err := declaration.ParseCanonical(canonical)
	if err != nil {
		return nil, err
	}
	var parts []documentPart
	for _, doc := range documents {
		for _, part := range doc.Parts {
			if part.Source == look.Source {
				parts = append(parts, documentPart{doc.ID, part, len(doc.Parts) > 1})
			}
		}
	}
	if len(parts) == 0 {
		parts = []documentPart{{}}
	}
	return parts, nil
}
