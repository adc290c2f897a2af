package archive

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/fineprint-archive/fineprint/archive/catalog"
	"github.com/fineprint-archive/fineprint/warc"
)

// scan is what a WARC says about its looks.
type scan struct {
	warcinfo     string
	manifests    []foundManifest
	declarations []catalog.DeclarationRow
	responses    map[string]warc.Reference // full responses by record id
	looks        map[string]*halfLook      // by manifest id, every look that has a record
	records      int64
}

type foundManifest struct {
	id string
	at warc.Placed
	m  *warc.Manifest
}

// halfLook collects the records of a look whose manifest has not been seen.
type halfLook struct {
	source  string
	n       int64
	uri     string
	began   time.Time
	members []warc.Member
	refers  []refers
}

// refers is a revisit record and the record that it refers to, by their ids.
type refers struct{ revisit, full string }

func scanFile(name string) (_ *scan, err error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return scanWARC(f)
}

// scanWARC reads a WARC of ours once. Manifests are held in memory; bodies are
// not.
func scanWARC(r io.Reader) (*scan, error) {
	s := &scan{responses: map[string]warc.Reference{}, looks: map[string]*halfLook{}}
	for rec, err := range warc.NewReader(r).Records() {
		if err != nil {
			return nil, fmt.Errorf("read WARC: %w", err)
		}
		s.records++
		if err := s.add(rec); err != nil {
			return nil, fmt.Errorf("record %s at offset %d: %w", rec.ID(), rec.Offset, err)
		}
	}
	return s, nil
}

func (s *scan) add(rec *warc.Record) error {
	switch mediaType := rec.Header.Get("Content-Type"); {
	case rec.Type() == warc.TypeWarcinfo:
		s.warcinfo = rec.ID()
		return nil
	case mediaType == warc.MediaManifest:
		return s.addManifest(rec)
	case mediaType == warc.MediaDeclaration:
		data, err := readBlock(rec)
		s.declarations = append(s.declarations, catalog.DeclarationRow{SHA256: warc.SumSHA256(data), Canonical: data, RecordID: rec.ID()})
		return err
	}
	return s.addMember(rec)
}

func (s *scan) addManifest(rec *warc.Record) error {
	data, err := readBlock(rec)
	if err != nil {
		return err
	}
	m, err := warc.ParseManifest(data)
	if err != nil {
		return err
	}
	if err := rec.Finish(); err != nil {
		return err
	}
	s.manifests = append(s.manifests, foundManifest{rec.ID(), placedOf(rec), m})
	delete(s.looks, rec.ID())
	return nil
}

// maxSmallBlock bounds the records that are read into memory.
const maxSmallBlock = 16 << 20

func readBlock(rec *warc.Record) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(rec.Block(), maxSmallBlock+1))
	if err == nil && len(data) > maxSmallBlock {
		err = fmt.Errorf("block is larger than %d bytes", maxSmallBlock)
	}
	return data, err
}

func placedOf(rec *warc.Record) warc.Placed {
	return warc.Placed{Offset: rec.Offset, Length: rec.Length, SHA256: rec.SHA256}
}

// addMember files a record under its look, and full responses as targets of
// later revisits.
func (s *scan) addMember(rec *warc.Record) error {
	id := rec.Manifest()
	if id == "" {
		return nil // a certificate chain
	}
	date, err := rec.Date()
	if err != nil {
		return err
	}
	if err := rec.Finish(); err != nil {
		return err
	}
	if rec.Type() == warc.TypeResponse {
		s.responses[rec.ID()] = warc.Reference{Record: rec.ID(), URI: rec.TargetURI(), Date: date}
	}
	h := s.looks[id]
	if h == nil {
		h = &halfLook{uri: rec.TargetURI(), began: date}
		s.looks[id] = h
	}
	if source, n, ok := rec.Look(); ok {
		h.source, h.n = source, n
	}
	if rec.Type() == warc.TypeRevisit {
		h.refers = append(h.refers, refers{rec.ID(), strings.Trim(rec.Header.Get("WARC-Refers-To"), "<>")})
	}
	placed := placedOf(rec)
	h.members = append(h.members, warc.Member{Record: rec.ID(), Type: rec.Type(), SHA256: placed.SHA256, Offset: placed.Offset, Length: placed.Length})
	return nil
}

// recordsOf returns the full responses of a look that later looks may refer to.
func (s *scan) recordsOf(m *warc.Manifest, name string) []catalog.RecordRow {
	var rows []catalog.RecordRow
	for _, note := range m.Exchanges {
		ref, full := s.responses[note.Response]
		sum, size := note.SHA256, note.Size
		if m.Payload != nil && m.Payload.Record == note.Response {
			sum, size = m.Payload.SHA256, m.Payload.Size
		}
		if !full || note.Truncated != "" || size == 0 {
			continue
		}
		rows = append(rows, catalog.RecordRow{URI: ref.URI, SHA256: sum, Size: size, RecordID: ref.Record, Date: ref.Date, WARC: name})
	}
	return rows
}

// halfLooks returns the looks that have records and no manifest.
func (s *scan) halfLooks() map[string]*halfLook { return s.looks }
