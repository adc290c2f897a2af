package archive

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/fineprint-archive/fineprint/archive/catalog"
	"github.com/fineprint-archive/fineprint/archive/store"
	"github.com/fineprint-archive/fineprint/warc"
)

// ErrUnsealed says that a look still lies in a spool.
var ErrUnsealed = errors.New("look is not sealed yet; run `fineprint seal`")

// ExportWARC writes the records of looks into one WARC, byte for byte as they
// stand in the archive: for each look its members and its manifest, and once
// each the warcinfo records of their files, the certificate chains and
// declarations that the manifests name, and the full records that revisit
// records refer to.
func ExportWARC(ctx context.Context, s store.Store, db *catalog.DB, rows []catalog.LookRow, w io.Writer) error {
	pieces, _, err := planExport(ctx, s, db, rows)
	if err != nil {
		return err
	}
	for r, err := range readPieces(ctx, s, pieces) {
		if err != nil {
			return err
		}
		if _, err := io.Copy(w, r); err != nil {
			return err
		}
	}
	return nil
}

// ExportWACZ packs the same records as ExportWARC into a WACZ with an index and
// a page list, for ReplayWeb.page and others.
func ExportWACZ(ctx context.Context, s store.Store, db *catalog.DB, rows []catalog.LookRow, w io.Writer, software string) error {
	pieces, pages, err := planExport(ctx, s, db, rows)
	if err != nil {
		return err
	}
	return warc.WriteWACZ(w, warc.WACZ{Records: readPieces(ctx, s, pieces), Pages: pages, Software: software, Created: newest(rows)})
}

// ExportCDXJ writes the index lines of the looks' records, sorted. The file
// names and offsets are those of the archive's WARCs.
func ExportCDXJ(ctx context.Context, s store.Store, rows []catalog.LookRow, w io.Writer) error {
	byKey := map[string]map[int64]bool{}
	for _, row := range rows {
		m, err := manifestOf(ctx, s, row)
		if err != nil {
			return err
		}
		if byKey[row.WARC] == nil {
			byKey[row.WARC] = map[int64]bool{}
		}
		for _, member := range m.Members {
			byKey[row.WARC][member.Offset] = true
		}
	}
	var lines []warc.CDXJLine
	for _, key := range slices.Sorted(maps.Keys(byKey)) {
		found, err := indexLines(ctx, s, key, byKey[key])
		if err != nil {
			return fmt.Errorf("index of %s: %w", key, err)
		}
		lines = append(lines, found...)
	}
	return warc.WriteCDXJ(w, lines)
}

func indexLines(ctx context.Context, s store.Store, key string, wanted map[int64]bool) (lines []warc.CDXJLine, err error) {
	r, err := s.Get(ctx, sidecarKey(key), 0, -1)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	for line, err := range warc.ReadCDXJ(r) {
		if err != nil {
			return nil, err
		}
		if wanted[line.Offset] {
			lines = append(lines, line)
		}
	}
	return lines, nil
}

// piece is a gzip member, or several behind one another, of an object.
type piece struct {
	key            string
	offset, length int64
}

// needs is what looks want of one WARC beside their own members.
type needs struct {
	records map[string]bool // by record id
	targets map[string]bool // by target address: chains, declarations
	looks   bool            // a look stands in it: its warcinfo belongs to the export
}

type exportPlan struct {
	s      store.Store
	db     *catalog.DB
	pieces []piece
	needs  map[string]*needs
}

// planExport finds every member that the looks need.
func planExport(ctx context.Context, s store.Store, db *catalog.DB, rows []catalog.LookRow) ([]piece, []warc.Page, error) {
	p := &exportPlan{s: s, db: db, needs: map[string]*needs{}}
	var pages []warc.Page
	for _, row := range rows {
		if err := p.addLook(ctx, row); err != nil {
			return nil, nil, fmt.Errorf("look %d at %s: %w", row.N, row.URL, err)
		}
		if row.Result == warc.Captured {
			address := cmp.Or(row.FinalURL, row.URL)
			pages = append(pages, warc.Page{URL: address, TS: row.Time, Title: pageTitle(row)})
		}
	}
	for _, key := range slices.Sorted(maps.Keys(p.needs)) {
		if err := p.search(ctx, key); err != nil {
			return nil, nil, fmt.Errorf("%s: %w", key, err)
		}
	}
	return joined(p.pieces), pages, nil
}

func pageTitle(row catalog.LookRow) string {
	return strings.TrimSpace(strings.Join([]string{row.Service, row.Terms, row.Lang}, " "))
}

func newest(rows []catalog.LookRow) (t time.Time) {
	for _, row := range rows {
		if row.Ended.After(t) {
			t = row.Ended
		}
	}
	return t
}

func (p *exportPlan) of(key string) *needs {
	if p.needs[key] == nil {
		p.needs[key] = &needs{records: map[string]bool{}, targets: map[string]bool{}}
	}
	return p.needs[key]
}

func (p *exportPlan) addLook(ctx context.Context, row catalog.LookRow) error {
	m, err := manifestOf(ctx, p.s, row)
	if err != nil {
		return err
	}
	here := p.of(row.WARC)
	here.looks = true
	p.pieces = append(p.pieces, piece{row.WARC, row.Offset, row.Length})
	types := map[string]string{}
	for _, member := range m.Members {
		types[member.Record] = member.Type
		p.pieces = append(p.pieces, piece{row.WARC, member.Offset, member.Length})
	}
	if m.TLS != nil {
		here.targets[warc.ChainURN(m.TLS.Chain)] = true
	}
	for _, note := range m.Exchanges {
		if note.TLS != nil {
			here.targets[warc.ChainURN(note.TLS.Chain)] = true
		}
		if types[note.Response] == warc.TypeRevisit {
			if err := p.addReferred(ctx, row.WARC, m, note); err != nil {
				return err
			}
		}
	}
	return p.addDeclaration(ctx, row.WARC, m)
}

// addReferred wants the full record behind a revisit record.
func (p *exportPlan) addReferred(ctx context.Context, key string, m *warc.Manifest, note warc.ExchangeNote) error {
	ref := note.SameAs
	if ref == nil {
		ref = m.SameAs // of the page
	}
	if ref == nil {
		return fmt.Errorf("manifest does not name what %s refers to", note.Response)
	}
	p.of(cmp.Or(ref.WARC, key)).records[ref.Record] = true
	return nil
}

// addDeclaration wants the declaration from the look's own WARC if it stands
// there, else from another.
func (p *exportPlan) addDeclaration(ctx context.Context, key string, m *warc.Manifest) error {
	names, err := p.db.DeclarationWARCs(ctx, m.Declaration)
	if err != nil || len(names) == 0 {
		return err
	}
	from := names[0]
	if slices.Contains(names, key) {
		from = key
	}
	p.of(from).targets[warc.DigestURN(m.Declaration)] = true
	return nil
}

// search reads one WARC from its start and takes what is needed of it.
func (p *exportPlan) search(ctx context.Context, key string) (err error) {
	want := p.needs[key]
	r, err := p.s.Get(ctx, key, 0, -1)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	missing := len(want.records) + len(want.targets) + 1
	for rec, err := range warc.NewReader(r).Records() {
		if err != nil {
			return err
		}
		target := rec.TargetURI()
		switch {
		case rec.Type() == warc.TypeWarcinfo, want.records[rec.ID()], rec.Type() == warc.TypeResource && want.targets[target]:
		default:
			continue
		}
		if err := rec.Finish(); err != nil {
			return err
		}
		p.pieces = append(p.pieces, piece{key, rec.Offset, rec.Length})
		if rec.Type() == warc.TypeResource {
			delete(want.targets, target)
		}
		if missing--; missing == 0 {
			return nil
		}
	}
	return nil
}

// joined sorts pieces by object and offset, drops those named twice, and joins
// neighbours, so that an export is deterministic and needs few reads.
func joined(pieces []piece) []piece {
	slices.SortFunc(pieces, func(a, b piece) int {
		return cmp.Or(cmp.Compare(a.key, b.key), cmp.Compare(a.offset, b.offset))
	})
	pieces = slices.Compact(pieces)
	var out []piece
	for _, p := range pieces {
		if n := len(out); n > 0 && out[n-1].key == p.key && out[n-1].offset+out[n-1].length == p.offset {
			out[n-1].length += p.length
			continue
		}
		out = append(out, p)
	}
	return out
}

// readPieces yields a reader for each piece; it is closed when the next one is
// asked for.
func readPieces(ctx context.Context, s store.Store, pieces []piece) iter.Seq2[io.Reader, error] {
	return func(yield func(io.Reader, error) bool) {
		for _, p := range pieces {
			r, err := s.Get(ctx, p.key, p.offset, p.length)
			if err != nil {
				yield(nil, fmt.Errorf("read %s: %w", p.key, err))
				return
			}
			more := yield(r, nil)
			if err := r.Close(); err != nil && more {
				yield(nil, fmt.Errorf("read %s: %w", p.key, err))
				return
			}
			if !more {
				return
			}
		}
	}
}

// manifestOf reads the manifest of a sealed look and compares it with the digest
// in the catalog.
func manifestOf(ctx context.Context, s store.Store, row catalog.LookRow) (_ *warc.Manifest, err error) {
	if row.State != catalog.LookSealed {
		return nil, ErrUnsealed
	}
	r, err := s.Get(ctx, row.WARC, row.Offset, row.Length)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	rec, err := warc.ReadRecord(r, row.Offset)
	if err != nil {
		return nil, err
	}
	data, err := readBlock(rec)
	if err != nil {
		return nil, err
	}
	if err := rec.Finish(); err != nil {
		return nil, err
	}
	if rec.SHA256 != row.ManifestSHA256 {
		return nil, fmt.Errorf("manifest in %s at %d has SHA-256 %s, the catalog says %s", path.Base(row.WARC), row.Offset, rec.SHA256.Hex(), row.ManifestSHA256.Hex())
	}
	return warc.ParseManifest(data)
}
