package archive

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"

	"github.com/fineprint-archive/fineprint/archive/catalog"
	"github.com/fineprint-archive/fineprint/archive/store"
	"github.com/fineprint-archive/fineprint/archive/terms"
	"github.com/fineprint-archive/fineprint/archive/wayback"
	"github.com/fineprint-archive/fineprint/crawler/declaration"
	"github.com/fineprint-archive/fineprint/warc"
)

// archivedWalk derives one document from its imported captures.
type archivedWalk struct {
	*deriver
	ctx   context.Context
	task  archivedTask
	facts map[string]textFacts // of texts, by name
	// composed names the texts that were put together, by the names of their parts.
	composed map[string]string
	out      catalog.ArchivedDerivation
}

// textFacts are what versions say of their texts.
type textFacts struct {
	words     string // fingerprint
	sha256    string
	lang      string
	count     int64
	extractor string
}

func factsOf(t *terms.Text) textFacts {
	return textFacts{t.Fingerprints().Words, t.Digest(), t.Lang, int64(t.Words()), t.Extractor}
}

// read reads the imported captures for each part of the document.
func (w *archivedWalk) read() (readings, error) {
	stored, err := w.cfg.Catalog.ArchivedReadings(w.ctx, w.task.document.ID)
	if err != nil {
		return nil, err
	}
	type place struct {
		part int
		look string
	}
	before := map[place]catalog.ArchivedReading{}
	for _, r := range stored {
		before[place{r.Part, r.Look}] = r
	}
	all := make(readings, len(w.task.document.Parts))
	for i, part := range w.task.document.Parts {
		all[i] = map[string]*catalog.ArchivedReading{}
		mementos, err := w.cfg.Catalog.Mementos(w.ctx, catalog.MementoFilter{Source: part.Source, Purpose: warc.PurposeImport, Sealed: true})
		if err != nil {
			return nil, err
		}
		for _, m := range mementos {
			if had, err := w.had(m); err != nil {
				return nil, err
			} else if !had {
				continue
			}
			r, ok := before[place{i, m.Look}]
			if !ok || w.cfg.Again || r.Rules != partRules(part) {
				if r, err = w.readOne(i, part, m); err != nil {
					return nil, err
				}
			}
			w.out.Readings = append(w.out.Readings, r)
			if known := all[i][r.Key]; known == nil || known.Replay == warc.FactDifferent && r.Replay != warc.FactDifferent {
				all[i][r.Key] = &r
			}
		}
	}
	return all, nil
}

// had reports whether a look brought a body in.
func (w *archivedWalk) had(m catalog.MementoRow) (bool, error) {
	if m.Facts.Replay != "" {
		return m.Facts.Replay != warc.FactAbsent, nil
	}
	look, ok, err := w.cfg.Catalog.LookByID(w.ctx, m.Look)
	return ok && look.Result == warc.Captured, err
}

// readOne reads an imported capture by the rules of a part.
func (w *archivedWalk) readOne(i int, part declaration.Part, m catalog.MementoRow) (catalog.ArchivedReading, error) {
	r := catalog.ArchivedReading{Part: i, Look: m.Look, Source: m.Source, URL: m.URL, Time: m.Time, Replay: m.Facts.Replay, Rules: partRules(part)}
	var err error
	if r.Key, err = w.key(m); err != nil {
		return r, err
	}
	if err := w.cfg.Catalog.EnterSightings(w.ctx, "", []catalog.Sighting{{Source: m.Source, Time: m.Time, Key: r.Key}}); err != nil {
		return r, err
	}
	read, err := readMemento(w.ctx, w.cfg.Store, w.cfg.Catalog, m, part)
	if err != nil {
		return r, fmt.Errorf("capture of %s at %s: %w", m.URL, m.Time.Format(stampForm), err)
	}
	w.count(func(s *DeriveStats) { s.Payloads++; s.Bytes += read.Bytes })
	r.Grade, r.Reason = string(read.Verdict.Grade), read.Verdict.Reason
	r.Text = read.Text.Fingerprints().Name()
	return r, w.keep(r.Text, read.Text)
}

// key names the body of an imported capture as the sightings do.
func (w *archivedWalk) key(m catalog.MementoRow) (string, error) {
	if !m.Digest.IsZero() {
		return m.Digest.Hex(), nil
	}
	key, ok, err := w.cfg.Catalog.SightedWithoutSHA1(w.ctx, m.Source, m.Time)
	if !ok {
		key = "at:" + m.Time.UTC().Format(stampForm)
	}
	return key, err
}

// keep has a text stored.
func (w *archivedWalk) keep(name string, t *terms.Text) error {
	if _, ok := w.facts[name]; ok {
		return nil
	}
	w.facts[name] = factsOf(t)
	body, err := packText(t)
	w.out.Texts = append(w.out.Texts, catalog.TextRow{Name: name, Body: body})
	return err
}

// text returns a text: one just read, or a stored one.
func (w *archivedWalk) text(name string) (*terms.Text, error) {
	i := slices.IndexFunc(w.out.Texts, func(t catalog.TextRow) bool { return t.Name == name })
	if i >= 0 {
		return unpackText(w.out.Texts[i].Body)
	}
	return StoredArchivedText(w.ctx, w.cfg.Catalog, w.task.document.ID, name)
}

// StoredArchivedText returns a text of a document that an archived version names.
func StoredArchivedText(ctx context.Context, db *catalog.DB, document, name string) (*terms.Text, error) {
	body, ok, err := db.ArchivedText(ctx, document, name)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, fmt.Errorf("archived text %s of %s is not stored; `fineprint derive --again` makes it again", name, document)
	}
	return unpackText(body)
}

// readMemento reads the page of an imported capture, as the web archive replayed
// it. A damaged record is a grade.
func readMemento(ctx context.Context, s store.Store, db *catalog.DB, m catalog.MementoRow, rules declaration.Part) (Reading, error) {
	look, ok, err := db.LookByID(ctx, m.Look)
	if err != nil {
		return Reading{}, err
	}
	if !ok {
		return unreadable("the look that replayed it is not in the catalog"), nil
	}
	resp, problem, err := lookResponse(ctx, s, db, look)
	if err != nil {
		return Reading{}, err
	}
	if problem != "" {
		return unreadable(problem), nil
	}
	defer resp.Body.Close() // only read
	return ReadCapture(ctx, terms.Capture{
		Status: m.Status, Header: originalHeader(resp.Header), URL: m.URL, FinalURL: m.URL, Truncated: look.Error == "truncated", Size: look.DecodedSize,
	}, resp.Body, rules)
}

// originalHeader returns the header fields of the page that was archived. Which
// content coding the stored body has the replay alone knows: the web archive may
// undo or change it on the way.
func originalHeader(replay http.Header) http.Header {
	h := original(replay)
	if coding := replay.Values("Content-Encoding"); len(coding) > 0 {
		h["Content-Encoding"] = coding
	}
	return h
}

// readIndex returns the rows of the answers that a look at the index holds.
func readIndex(ctx context.Context, s store.Store, look catalog.LookRow) ([]wayback.IndexRow, error) {
	m, err := manifestOf(ctx, s, look)
	if err != nil {
		return nil, fmt.Errorf("manifest of the look at the index: %w", err)
	}
	var all []wayback.IndexRow
	for _, note := range m.Exchanges {
		if note.Kind != warc.KindIndex || note.Response == "" {
			continue
		}
		body, err := exchangeBody(ctx, s, look.WARC, m, note)
		if err != nil {
			return nil, fmt.Errorf("answer of the index, record %s: %w", note.Response, err)
		}
		page, err := wayback.ParseIndex(body)
		if err != nil {
			continue // an outage page, kept like any answer
		}
		all = append(all, page.Rows...)
	}
	return all, nil
}

// exchangeBody returns the body of a response of a look, content codings undone.
func exchangeBody(ctx context.Context, s store.Store, key string, m *warc.Manifest, note warc.ExchangeNote) (_ []byte, err error) {
	at, err := exchangeRecord(ctx, s, key, m, note)
	if err != nil {
		return nil, err
	}
	r, err := s.Get(ctx, at.key, at.offset, at.length)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	rec, err := warc.ReadRecord(r, at.offset)
	if err != nil {
		return nil, err
	}
	resp, err := rec.HTTPResponse()
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close() // only read
	decoded, err := warc.Decode(resp.Body, resp.Header.Get("Content-Encoding"), maxPage)
	if err != nil {
		return nil, err
	}
	defer decoded.Close() // only read
	var out bytes.Buffer
	_, err = io.Copy(&out, decoded)
	return out.Bytes(), err
}

// exchangeRecord finds the full record of a response of a look.
func exchangeRecord(ctx context.Context, s store.Store, key string, m *warc.Manifest, note warc.ExchangeNote) (piece, error) {
	same := note.SameAs
	if same == nil && m.Payload != nil && m.Payload.Record == note.Response {
		same = m.SameAs
	}
	if same != nil {
		if same.WARC != "" {
			key = same.WARC
		}
		at, err := findRecord(ctx, s, key, same.Record)
		if err == nil && at.length == 0 {
			err = fmt.Errorf("the record %s that it refers to is not in %s", same.Record, key)
		}
		return at, err
	}
	for _, member := range m.Members {
		if member.Record == note.Response {
			return piece{key, member.Offset, member.Length}, nil
		}
	}
	return piece{}, errors.New("the manifest does not list it")
}
