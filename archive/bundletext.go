package archive

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/fineprint-archive/fineprint/archive/catalog"
	"github.com/fineprint-archive/fineprint/archive/evidence"
	"github.com/fineprint-archive/fineprint/archive/terms"
	"github.com/fineprint-archive/fineprint/crawler/declaration"
	"github.com/fineprint-archive/fineprint/warc"
)

// redlineContext is how many unchanged blocks a bundle's redline shows around each
// change.
const redlineContext = 2

// derive makes, for each document that the look is at, the text that it shows and a
// redline. The texts are extracted from the payloads by this program's rules and
// the look's declaration, whether or not the catalog holds the same text, so that
// what stands in the bundle is what anybody makes of the records.
//
// What there is none of has a reason. The error is about reading the archive.
func (b *bundler) derive(ctx context.Context) ([]evidence.Derived, error) {
	if b.Look.Declaration.IsZero() {
		return nil, nil
	}
	canonical, err := b.Catalog.Canonical(ctx, b.Look.Declaration)
	if err != nil || canonical == nil {
		return nil, err
	}
	_, documents, err := declaration.ParseCanonical(canonical)
	if err != nil {
		return nil, fmt.Errorf("declaration %s: %w", b.Look.Declaration, err)
	}
	var all []evidence.Derived
	for _, doc := range documents {
		if !slices.ContainsFunc(doc.Parts, func(p declaration.Part) bool { return p.Source == b.Look.Source }) {
			continue
		}
		d, err := b.deriveDocument(ctx, doc)
		if err != nil {
			return nil, fmt.Errorf("text of %s: %w", doc.ID, err)
		}
		all = append(all, d)
	}
	return all, nil
}

// deriveDocument makes what is derived of one document.
func (b *bundler) deriveDocument(ctx context.Context, doc declaration.Document) (evidence.Derived, error) {
	d := evidence.Derived{Document: doc.ID, Title: documentTitle(doc)}
	reason, err := b.judge(ctx, doc.ID, b.Look, &d)
	if err != nil || reason != "" {
		d.NoText = reason
		return d, err
	}
	text, captures, reason, err := b.textAt(ctx, doc, b.Look.Time)
	if err != nil || reason != "" {
		d.NoText = reason
		return d, err
	}
	if d.Text, err = b.textFiles(text, captures); err != nil {
		return d, err
	}
	old, reason, err := b.compared(ctx, doc, d.Outcome, text)
	if err != nil || reason != "" {
		d.NoLine = reason
		return d, err
	}
	d.Redline, d.NoLine, err = b.redline(d.Title, old)
	return d, err
}

// documentTitle is what a reader calls a document.
func documentTitle(doc declaration.Document) string {
	if doc.Lang == "" {
		return doc.Service + ", " + doc.Terms
	}
	return fmt.Sprintf("%s, %s (%s)", doc.Service, doc.Terms, doc.Lang)
}

// judge fills in what a look was found to say of a document. The reason says why
// no text is to be made of it, "" if one is.
func (b *bundler) judge(ctx context.Context, document string, look catalog.LookRow, d *evidence.Derived) (reason string, err error) {
	found := catalog.LookRow{}
	for row, err := range b.Catalog.Looks(ctx, catalog.LookFilter{Document: document, Source: look.Source, N: look.N}) {
		if err != nil {
			return "", err
		}
		found = row
	}
	switch {
	case found.Grade == "" && look.RecordID == "":
		return "the look brought no page", nil
	case found.Grade == "":
		return "no text is derived from this look; `fineprint derive` takes in what is new", nil
	}
	tracked, _, err := b.Catalog.Tracked(ctx, document)
	if err != nil {
		return "", err
	}
	d.Grade, d.Outcome, d.Reason, d.Rules = found.Grade, found.Outcome, found.Reason, tracked.Rules
	if d.Grade != string(terms.GradeTerms) {
		reason = "the page shows no terms (grade " + d.Grade + ")"
		if m := terms.Grade(d.Grade).Meaning(); m != "" {
			reason += ": " + m
		}
		return reason, nil
	}
	return "", nil
}

// textAt makes the text of a document at a time: of the newest good captures of its
// sources until then. The reason says why there is none.
func (b *bundler) textAt(ctx context.Context, doc declaration.Document, at time.Time) (_ *terms.Text, captures []evidence.DerivedCapture, reason string, err error) {
	var texts []*terms.Text
	for _, part := range doc.Parts {
		row, ok, err := b.goodCapture(ctx, doc.ID, part.Source, at)
		if err != nil {
			return nil, nil, "", err
		}
		if !ok {
			return nil, nil, "no good capture of source " + part.Source + " is as old as that", nil
		}
		read, err := readLook(ctx, b.Store, b.Catalog, row, part)
		if err != nil {
			return nil, nil, "", err
		}
		if read.Verdict.Grade != terms.GradeTerms {
			return nil, nil, fmt.Sprintf("look %d of %s, read again, shows no terms (grade %s)", row.N, row.URL, read.Verdict.Grade), nil
		}
		texts = append(texts, read.Text)
		captures = append(captures, evidence.DerivedCapture{Source: row.Source, N: row.N, URL: row.URL, Time: row.Time, Record: cmp.Or(row.SameAs, row.RecordID), Payload: row.PayloadSHA256})
	}
	return joinTexts(texts), captures, "", nil
}

// goodCapture returns the newest look at a source until a time whose page counts as
// the terms of a document.
func (b *bundler) goodCapture(ctx context.Context, document, source string, at time.Time) (catalog.LookRow, bool, error) {
	filter := catalog.LookFilter{Document: document, Source: source, Until: at.Add(time.Nanosecond), State: catalog.LookSealed, Newest: true}
	for row, err := range b.Catalog.Looks(ctx, filter) {
		if err != nil {
			return row, false, err
		}
		if row.Grade == string(terms.GradeTerms) && row.Result != warc.NotModified && row.RecordID != "" && !row.PayloadSHA256.IsZero() {
			return row, true, nil
		}
	}
	return catalog.LookRow{}, false, nil
}

// joinTexts puts the texts of a combined document behind one another.
func joinTexts(texts []*terms.Text) *terms.Text {
	if len(texts) == 1 {
		return texts[0]
	}
	whole := &terms.Text{Extractor: texts[0].Extractor, Lang: texts[0].Lang, Title: texts[0].Title}
	for _, t := range texts {
		whole.Blocks = append(whole.Blocks, t.Blocks...)
	}
	return whole
}

// textFiles writes a text in its three forms.
func (b *bundler) textFiles(text *terms.Text, captures []evidence.DerivedCapture) (*evidence.DerivedText, error) {
	blocks, err := json.MarshalIndent(text, "", " ")
	if err != nil {
		return nil, err
	}
	return &evidence.DerivedText{
		Extractor: text.Extractor, Made: b.Created.UTC(), Lang: text.Lang, Words: text.Words(), Captures: captures,
		Files: []evidence.DerivedFile{
			{Name: "text.md", Data: []byte(text.Markdown())},
			{Name: "text.txt", Data: []byte(text.Plain())},
			{Name: "text.json", Data: append(blocks, '\n')},
		},
	}, nil
}

// comparison is what a redline is made of.
type comparison struct {
	kind     string
	old, new *terms.Text
	from, to time.Time
}

// compared finds the text that the look's text is compared with. The reason says
// why there is none.
func (b *bundler) compared(ctx context.Context, doc declaration.Document, outcome string, text *terms.Text) (comparison, string, error) {
	if b.From != nil {
		return b.comparedRange(ctx, doc, text)
	}
	v, ok, err := b.Catalog.VersionAt(ctx, doc.ID, b.Look.Time, true)
	if err != nil {
		return comparison{}, "", err
	}
	switch {
	case !ok:
		return comparison{}, "no version of the document is known at that time", nil
	case v.TextSHA256 == text.Digest():
		return b.comparedChange(ctx, doc.ID)
	case outcome != string(terms.Unconfirmed):
		return comparison{}, fmt.Sprintf("its text is no version of its own (outcome %s)", outcome), nil
	case v.Extractor != text.Extractor:
		return comparison{}, "the version in force was extracted by other rules; `fineprint derive` makes it again", nil
	}
	old, reason, err := b.stored(ctx, doc.ID, v.Text)
	return comparison{kind: evidence.RedlineUnconfirmed, old: old, new: text, from: v.Time, to: b.Look.Time}, reason, err
}

// stored returns a stored text. That it is gone is a reason: the evidence does not
// need it.
func (b *bundler) stored(ctx context.Context, document, name string) (*terms.Text, string, error) {
	body, ok, err := b.Catalog.Text(ctx, document, name)
	if err != nil {
		return nil, "", err
	}
	if !ok {
		return nil, "the text to compare it with is not stored; `fineprint derive --again` makes it again", nil
	}
	text, err := unpackText(body)
	return text, "", err
}

// comparedRange takes the text at the first look of the range, by the rules that
// the last one declares.
func (b *bundler) comparedRange(ctx context.Context, doc declaration.Document, text *terms.Text) (comparison, string, error) {
	var d evidence.Derived
	reason, err := b.judge(ctx, doc.ID, *b.From, &d)
	var old *terms.Text
	if err == nil && reason == "" {
		old, _, reason, err = b.textAt(ctx, doc, b.From.Time)
	}
	if err != nil || reason != "" {
		return comparison{}, "first look of the range: " + reason, err
	}
	return comparison{kind: evidence.RedlineRange, old: old, new: text, from: b.From.Time, to: b.Look.Time}, "", nil
}

// comparedChange takes the change by which the version in force began.
func (b *bundler) comparedChange(ctx context.Context, document string) (comparison, string, error) {
	v, ok, err := b.Catalog.VersionAt(ctx, document, b.Look.Time, false)
	if err != nil {
		return comparison{}, "", err
	}
	change := catalog.ChangeRow{}
	if ok {
		filter := catalog.TextFilter{Documents: []string{document}, Since: v.Time, Until: v.Time.Add(time.Nanosecond)}
		for c, err := range b.Catalog.Changes(ctx, filter) {
			if err != nil {
				return comparison{}, "", err
			}
			change = c
		}
	}
	if change.ID == "" {
		return comparison{}, "this is the first version of the document that the archive has", nil
	}
	c := comparison{kind: change.Kind, from: change.From, to: change.Time}
	reason := ""
	if c.old, reason, err = b.stored(ctx, document, change.FromText); err != nil || reason != "" {
		return c, reason, err
	}
	c.new, reason, err = b.stored(ctx, document, change.Text)
	return c, reason, err
}

// redline compares two texts, printable and plain. The reason says why there is
// nothing to show.
func (b *bundler) redline(title string, c comparison) (*evidence.DerivedRedline, string, error) {
	d := terms.Compare(c.old, c.new)
	if d.Same() {
		return nil, "the text is the same as on " + c.from.UTC().Format("2006-01-02 15:04:05 UTC"), nil
	}
	header := terms.Header{Document: title, OldTime: c.from, NewTime: c.to}
	var page, plain bytes.Buffer
	if err := terms.RenderHTML(&page, d, terms.HTMLOptions{Header: header, Context: redlineContext}); err != nil {
		return nil, "", err
	}
	if err := terms.RenderTerminal(&plain, d, terms.TerminalOptions{Header: header, Context: redlineContext}); err != nil {
		return nil, "", err
	}
	return &evidence.DerivedRedline{
		Kind: c.kind, From: c.from.UTC(), OldSHA256: c.old.Digest(), NewSHA256: c.new.Digest(), Summary: strings.TrimSpace(d.Summary(maxSummary)),
		Files: []evidence.DerivedFile{{Name: "redline.html", Data: page.Bytes()}, {Name: "redline.txt", Data: plain.Bytes()}},
	}, "", nil
}
