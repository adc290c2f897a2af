package archive

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/fineprint-archive/fineprint/archive/catalog"
	"github.com/fineprint-archive/fineprint/crawler/declaration"
	"github.com/fineprint-archive/fineprint/warc"
)

// Look is one attempt at one source while it is being written. It is used by one
// goroutine at a time: Exchange any number of times, then Finish or Abandon.
type Look struct {
	a      *Archive
	w      *openWARC
	source declaration.Source
	decl   []byte // canonical declaration
	ids    *warc.Look
	n      int64
	prev   *warc.Prev
	last   catalog.LastPayload

	members  []warc.Member
	rows     lookRows
	stored   map[payloadKey]warc.Reference // full responses of this very look
	revisits map[string]*warc.Reference    // by id of the revisit record
}

// lookRows are what the catalog enters together with a look.
type lookRows struct {
	records      []catalog.RecordRow
	declarations []catalog.DeclarationRow
	requisites   bool // were visited
}

type payloadKey struct {
	uri    string
	sha256 warc.Digest
	size   int64
}

// Plan is what the catalog enters together with a finished look.
type Plan struct {
	NextAt  time.Time // the source's next visit
	Attempt int       // 0 after a success, else how often it failed in a row
	Retry   bool      // NextAt is a further look of the same run
}

// Begin allocates the next number of the source and opens a look. decl is the
// source's canonical declaration, stored once per digest; known is what the
// catalog said of the source when it was due, nil to ask again.
func (a *Archive) Begin(ctx context.Context, source declaration.Source, decl []byte, known *catalog.SourceState) (*Look, error) {
	w, err := a.acquire(ctx)
	if err != nil {
		return nil, err
	}
	l := &Look{a: a, w: w, source: source, decl: decl, stored: map[payloadKey]warc.Reference{}, revisits: map[string]*warc.Reference{}}
	begun, err := a.cfg.Catalog.BeginLook(ctx, catalog.Begin{
		Source: source.ID, Run: a.cfg.Run, Spool: a.spool, WARC: w.name, At: a.cfg.Now(), Alone: true, Known: known,
		ManifestID: func(n int64) string {
			l.ids = warc.NewLook(source.ID, n, a.cfg.Rand)
			return l.ids.ManifestID()
		},
	})
	if err != nil {
		w.looks.Done()
		return nil, fmt.Errorf("begin look at %s: %w", source.URL, err)
	}
	l.n, l.prev, l.last = begun.N, begun.Prev, begun.Last
	return l, nil
}

// Exchange writes the records of ex to the spool and returns when they are
// durable. It is the method of crawler.Sink.
func (l *Look) Exchange(ctx context.Context, ex *warc.Exchange) (warc.Stored, error) {
	var opt warc.RecordOptions
	opt.WarcinfoID = l.w.info
	ref, err := l.findPayload(ctx, ex)
	if err != nil {
		return warc.Stored{}, err
	}
	opt.Revisit = ref
	records, stored, err := l.ids.Records(ex, opt)
	if err != nil {
		return warc.Stored{}, fmt.Errorf("records of %s: %w", ex.URI, err)
	}
	if ex.TLS != nil {
		chain, err := l.w.chainRecord(ex.TLS.Chain, warc.Meta{ID: warc.NewID(l.a.cfg.Rand), Date: ex.Began})
		if err != nil {
			return warc.Stored{}, err
		}
		if chain != nil {
			// Not a member of the look: later looks of the file refer to it too.
			if _, err := l.w.append(chain); err != nil {
				return warc.Stored{}, err
			}
			l.w.keepChain(warc.ChainDigest(ex.TLS.Chain))
		}
	}
	if len(records) > 0 {
		l.a.cfg.Step("exchange")
		placed, err := l.w.append(records...)
		if err != nil {
			return warc.Stored{}, err
		}
		if err := l.w.file.SyncTo(end(placed)); err != nil {
			return warc.Stored{}, fmt.Errorf("sync spool: %w", err)
		}
		l.note(records, placed)
	}
	l.remember(ex, stored, ref)
	return stored, nil
}

// findPayload returns the earlier record that a revisit may refer to: equal
// SHA-256 and length, of the same address, sealed or in the same file.
func (l *Look) findPayload(ctx context.Context, ex *warc.Exchange) (*warc.Reference, error) {
	if ex.Response == nil || ex.Truncated != "" {
		return nil, nil
	}
	if ex.Status == http.StatusNotModified && ex.Kind == warc.KindPage && ex.URI == l.last.URL {
		// The validators of the request came from that capture.
		ref, _, err := l.a.cfg.Catalog.FindPayload(ctx, ex.URI, l.last.SHA256, l.last.Size, l.w.name)
		return ref, err
	}
	if ex.PayloadSize == 0 || l.n == 1 && ex.Kind == warc.KindPage && len(l.stored) == 0 {
		return nil, nil // the first look at a source is stored whole
	}
	key := payloadKey{ex.URI, ex.PayloadSHA256, ex.PayloadSize}
	if ref, ok := l.stored[key]; ok {
		return &ref, nil
	}
	ref, ok, err := l.a.cfg.Catalog.FindPayload(ctx, ex.URI, ex.PayloadSHA256, ex.PayloadSize, l.w.name)
	if err != nil {
		return nil, fmt.Errorf("look up payload of %s: %w", ex.URI, err)
	}
	if !ok {
		return nil, nil
	}
	return ref, nil
}

// note lists written records as members of the look.
func (l *Look) note(records []*warc.Record, placed []warc.Placed) {
	for i, r := range records {
		l.members = append(l.members, warc.Member{
			Record: r.ID(), Type: r.Type(), SHA256: placed[i].SHA256,
			Offset: placed[i].Offset, Length: placed[i].Length,
		})
	}
}

// remember keeps what Finish needs to know of a stored exchange.
func (l *Look) remember(ex *warc.Exchange, stored warc.Stored, ref *warc.Reference) {
	if stored.ResponseID == "" {
		return
	}
	if ref != nil && stored.Revisit {
		if ref.WARC == l.w.key {
			same := *ref
			same.WARC = ""
			ref = &same
		}
		l.revisits[stored.ResponseID] = ref
		return
	}
	if ex.Truncated != "" || ex.PayloadSize == 0 {
		return
	}
	l.stored[payloadKey{ex.URI, ex.PayloadSHA256, ex.PayloadSize}] = warc.Reference{
		Record: stored.ResponseID, URI: ex.URI, Date: ex.Began,
	}
	l.rows.records = append(l.rows.records, catalog.RecordRow{
		URI: ex.URI, SHA256: ex.PayloadSHA256, Size: ex.PayloadSize,
		RecordID: stored.ResponseID, Date: ex.Began, WARC: l.w.name,
	})
}

// Finish completes the manifest and writes it as the last record of the look.
// Then the look is entered in the catalog together with the source's next visit
// and, if the bytes are first or different, an outbox row; done is called, by
// another goroutine, when that is durable or has failed. m carries what the
// crawler knows; Finish fills in N, Prev, Bytes, SameAs, Members, Run, Tool and
// Declaration. After an error done is not called, and the look stays begun.
func (l *Look) Finish(ctx context.Context, m *warc.Manifest, plan Plan, done func(catalog.LookRow, error)) (err error) {
	defer func() {
		if err != nil {
			l.Abandon()
		}
	}()
	if err := l.declare(ctx, m); err != nil {
		return err
	}
	l.complete(m)
	record, err := warc.ManifestRecord(warc.Meta{Look: l.ids, Date: m.Ended, WarcinfoID: l.w.info}, m)
	if err != nil {
		return fmt.Errorf("manifest of %s: %w", m.URL, err)
	}
	l.a.cfg.Step("manifest")
	placed, err := l.w.append(record)
	if err != nil {
		return err
	}
	if l.a.log != nil {
		entry, err := l.a.leafOf(m, l.ids.ManifestID(), placed[0], l.w.key)
		if err != nil {
			return fmt.Errorf("log entry of %s: %w", m.URL, err)
		}
		l.w.keepLeaf(entry)
	}
	l.rows.requisites = requisites(m)
	row := lookRow(m, l.ids.ManifestID(), placed[0], l.w.key)
	l.a.finisher.looks <- finished{w: l.w, end: end(placed), entry: entry(row, l.rows, plan), done: done}
	return nil
}

// Abandon gives up a look whose records could not be written. Its row stays
// begun; the next Open enters it as interrupted.
func (l *Look) Abandon() {
	l.w.half.Store(true)
	l.w.looks.Done()
}

// declare stores the declaration if no sealed WARC nor this one holds it.
func (l *Look) declare(ctx context.Context, m *warc.Manifest) error {
	m.Declaration = warc.SumSHA256(l.decl)
	if l.n > 1 { // it names the source, so nobody else can have stored it
		known, err := l.a.cfg.Catalog.DeclarationStored(ctx, m.Declaration, l.w.name)
		if err != nil {
			return fmt.Errorf("look up declaration: %w", err)
		}
		if known {
			return nil
		}
	}
	record, err := warc.DeclarationRecord(warc.Meta{ID: warc.NewID(l.a.cfg.Rand), Date: l.a.cfg.Now(), WarcinfoID: l.w.info}, l.decl)
	if err != nil {
		return fmt.Errorf("declaration record: %w", err)
	}
	if _, err := l.w.append(record); err != nil {
		return err
	}
	l.rows.declarations = append(l.rows.declarations, catalog.DeclarationRow{
		SHA256: m.Declaration, Canonical: l.decl, WARC: l.w.name, RecordID: record.ID(),
	})
	return nil
}

// complete fills in what only the archive knows.
func (l *Look) complete(m *warc.Manifest) {
	m.Version, m.Type = warc.ManifestVersion, "look"
	m.Source, m.URL, m.AcceptLanguage, m.Vantage = l.source.ID, l.source.URL, l.source.AcceptLanguage, l.source.Vantage
	m.Private = l.source.Private
	m.N, m.Prev = l.n, l.prev
	m.Run, m.Tool = l.a.cfg.Run, l.a.cfg.Tool
	m.Members = l.members
	l.refer(m)
	terse(m)
	if m.Payload == nil || m.Result != warc.Captured {
		return // an error page is not compared with the page
	}
	switch {
	case l.last.SHA256.IsZero():
		m.Bytes = warc.BytesFirst
	case l.last.SHA256 == m.Payload.SHA256 && l.last.Size == m.Payload.Size:
		m.Bytes = warc.BytesSame
	default:
		m.Bytes = warc.BytesDifferent
	}
}

// refer names the full records behind revisit records. The revisit record itself
// says their address and date.
func (l *Look) refer(m *warc.Manifest) {
	for i := range m.Exchanges {
		note := &m.Exchanges[i]
		ref := l.revisits[note.Response]
		switch {
		case ref == nil:
		case m.Payload != nil && m.Payload.Record == note.Response, m.Result == warc.NotModified && note.Kind == warc.KindPage:
			m.SameAs = &warc.Reference{Record: ref.Record, WARC: ref.WARC}
		default:
			note.SameAs = &warc.Reference{Record: ref.Record, WARC: ref.WARC}
		}
	}
}

// terse drops from a manifest what stands in the records that it names and what
// goes without saying (docs/FORMATS.md): manifests are most of what an unchanged
// page costs.
func terse(m *warc.Manifest) {
	for i := range m.Exchanges {
		note := &m.Exchanges[i]
		if note.Kind == warc.KindPage {
			note.Kind = ""
		}
		if note.Response != "" {
			note.Request, note.Status = "", 0
			terseSession(note.TLS)
		}
	}
	if m.Payload != nil {
		terseSession(m.TLS)
	}
	if r := m.Robots; r != nil && r.Policy == "obey" && r.Verdict == "allowed" {
		m.Robots = nil
	}
}

// terseSession leaves what the response record does not say.
func terseSession(s *warc.Session) {
	if s != nil {
		s.Version, s.Cipher, s.ALPN = "", "", ""
	}
}

// entry is what the catalog enters of a finished look.
func entry(row catalog.LookRow, rows lookRows, plan Plan) catalog.Finish {
	return catalog.Finish{
		Look: row, Records: rows.records, Declarations: rows.declarations, Requisites: rows.requisites,
		NextAt: plan.NextAt, Attempt: plan.Attempt, Retry: plan.Retry,
	}
}

// enter writes a recovered look into the catalog.
func (a *Archive) enter(ctx context.Context, row catalog.LookRow, rows lookRows, plan Plan) error {
	if err := a.cfg.Catalog.FinishLook(ctx, entry(row, rows, plan)); err != nil {
		return fmt.Errorf("enter look %d of %s: %w", row.N, row.URL, err)
	}
	return nil
}

// requisites tells whether a look visited page requisites.
func requisites(m *warc.Manifest) bool {
	return slices.ContainsFunc(m.Exchanges, func(note warc.ExchangeNote) bool { return note.Kind == warc.KindRequisite })
}

// lookRow is the catalog's row of a manifest: the same from a look just
// finished, from a recovered spool and from a WARC in the store.
func lookRow(m *warc.Manifest, id string, at warc.Placed, key string) catalog.LookRow {
	row := catalog.LookRow{
		ID: id, Source: m.Source, URL: m.URL, AcceptLanguage: m.AcceptLanguage, Vantage: m.Vantage, FinalURL: m.FinalURL, Time: m.Time, Ended: m.Ended, N: m.N, Run: m.Run,
		Result: m.Result, Error: m.Error, Detail: m.Detail, Status: m.Status, Bytes: m.Bytes,
		WARC: key, Offset: at.Offset, Length: at.Length, ManifestSHA256: at.SHA256,
		Declaration: m.Declaration, Index: -1, Memento: mementoRow(m, id, key),
	}
	if m.SameAs != nil {
		row.SameAs = m.SameAs.Record
	}
	if p := m.Payload; p != nil {
		row.RecordID, row.MIME = p.Record, p.MIME
		row.PayloadSHA1, row.PayloadSHA256, row.PayloadSize = p.SHA1, p.SHA256, p.Size
		row.DecodedSHA256, row.DecodedSize = p.DecodedSHA256, p.DecodedSize
		row.ETag, row.LastModified = p.ETag, p.LastModified
		for _, member := range m.Members {
			if member.Record == p.Record {
				row.RecordOffset, row.RecordLength = member.Offset, member.Length
			}
		}
	}
	return row
}

func end(placed []warc.Placed) int64 {
	last := placed[len(placed)-1]
	return last.Offset + last.Length
}
