package archive

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"github.com/fineprint-archive/fineprint/archive/evidence"
	"github.com/fineprint-archive/fineprint/archive/store"
	"github.com/fineprint-archive/fineprint/warc"
)

// recordID is the UUID of a record.
type recordID [16]byte

func parseRecordID(id string) (r recordID, err error) {
	digits := strings.ReplaceAll(strings.TrimPrefix(id, "urn:uuid:"), "-", "")
	if n, err := hex.Decode(r[:], []byte(digits)); err != nil || n != len(r) || len(digits) != 2*len(r) {
		return recordID{}, fmt.Errorf("record id %.60q is not a UUID", id)
	}
	return r, nil
}

func (r recordID) String() string {
	return fmt.Sprintf("urn:uuid:%x-%x-%x-%x-%x", r[:4], r[4:6], r[6:8], r[8:10], r[10:])
}

// warcResult is what reading a WARC brought.
type warcResult struct {
	findings []AuditFinding
	altered  string // how the object differs from its entry, "" if it does not
	sum      [sha256.Size]byte
	size     int64
	unpacked int64
	records  int64
	looks    int64
	gone     int64 // records that tombstones name

	bodies   []recordID // full responses, withdrawn ones included
	declared []warc.Digest
	wants    []want // records of other WARCs that looks refer to
	needs    []need // declarations that are not in this WARC
	receipts []owed // receipts that follow from its manifests
	mementos []mementoSum
}

// owed is a receipt that the log must have.
type owed struct {
	leaf [sha256.Size]byte // SHA-256 of its leaf
	from AuditFinding      // about the look
}

// want is a record that a look refers to.
type want struct {
	record recordID
	object string // key of the WARC in which it lies, "" if the look does not say
	from   AuditFinding
}

// need is a declaration that a look was made under.
type need struct {
	digest warc.Digest
	from   AuditFinding
}

// maxLookFindings bounds the findings about the looks of one WARC.
const maxLookFindings = 100

// warcReading is the state of reading one WARC: it is read once, from its first
// to its last byte, and of its blocks only manifests and declarations are held.
type warcReading struct {
	job      *auditJob
	r        *warcResult
	name     string
	expected map[recordID]*auditEntry // entries whose manifest was not met, by its id
	open     map[recordID][]seenMember
	padding  map[int64]int64 // length of records of no look, by offset; nil unless something was withdrawn
	bodies   map[recordID]bool
	declared map[warc.Digest]bool
	lines    []warc.CDXJLine
	block    []byte // of the manifest at hand
	leaf     []byte // likewise, of its entry
	payload  *payloadReader
}

// seenMember is a record of a look whose manifest was not met.
type seenMember struct {
	id     recordID
	at     warc.Placed
	typ    string
	refers string // the record that a revisit record names
	sums   *payloadSums
}

// readWARC reads a WARC and compares it with its entries and its index. The
// error is about the store; what is false is in the result.
func (a *auditor) readWARC(ctx context.Context, job *auditJob) (*warcResult, error) {
	d := &warcReading{
		job: job, r: &warcResult{}, name: path.Base(job.w.key), expected: make(map[recordID]*auditEntry, len(job.entries)),
		open: map[recordID][]seenMember{}, bodies: map[recordID]bool{}, declared: map[warc.Digest]bool{},
		payload: newPayloadReader(a.cfg.Decode),
	}
	for i := range job.entries {
		d.expected[job.entries[i].manifest] = &job.entries[i]
	}
	if job.withdrawn != nil {
		d.padding = map[int64]int64{}
	}
	fault, err := d.read(ctx, a.cfg.Store)
	switch {
	case a.ours(ctx, err):
		return nil, fmt.Errorf("%s: %w", job.w.key, err)
	case errors.Is(err, store.ErrNotExist):
		d.find(AuditFinding{Kind: AuditWARCMissing, Object: job.w.key, Index: job.file, Detail: "it was there when the audit began and is not any more"})
		return d.r, nil
	case err != nil:
		d.find(AuditFinding{Kind: AuditUnreadable, Object: job.w.key, Index: job.file, Detail: err.Error()})
		return d.r, nil
	}
	if d.altered(fault); d.r.altered != "" {
		return d.r, nil // what stands in it says nothing; see damage
	}
	d.finish()
	if err := d.compareIndex(ctx, a); err != nil {
		return nil, err
	}
	return d.r, nil
}

func (d *warcReading) find(f AuditFinding) { d.r.findings = append(d.r.findings, f) }

// read takes every record and the digest of the whole. fault says why a record
// could not be read.
func (d *warcReading) read(ctx context.Context, s store.Store) (fault, err error) {
	body, err := s.Get(ctx, d.job.w.key, 0, -1)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, body.Close()) }()
	hash := sha256.New()
	counted := &countingReader{r: io.TeeReader(ctxReader{ctx, body}, hash)}
	for rec, bad := range warc.NewReader(counted).Records() {
		if bad == nil {
			d.r.records++
			bad = d.record(rec)
		}
		if bad != nil {
			fault = bad
			break
		}
	}
	if bad, ok := errors.AsType[*warc.FormatError](fault); fault != nil && !ok && !errors.Is(fault, errContent) {
		return nil, fault // of the store
	} else if ok {
		fault = bad
	}
	if _, err := io.Copy(io.Discard, counted); err != nil {
		return nil, err
	}
	d.r.size = counted.n
	hash.Sum(d.r.sum[:0])
	return fault, nil
}

// ctxReader ends with the context: a WARC may be large.
type ctxReader struct {
	ctx context.Context
	r   io.Reader
}

func (c ctxReader) Read(p []byte) (int, error) {
	if c.ctx.Err() != nil {
		return 0, context.Cause(c.ctx)
	}
	return c.r.Read(p)
}

// errContent marks what stands in a whole record and makes no sense.
var errContent = errors.New("content")

// altered compares the object with its warcfile entry.
func (d *warcReading) altered(fault error) {
	w := d.job
	switch {
	case w.file >= 0 && d.r.size != w.claim.size:
		d.r.altered = fmt.Sprintf("it has %d bytes, its entry says %d", d.r.size, w.claim.size)
	case w.file >= 0 && d.r.sum != w.claim.sha256:
		d.r.altered = fmt.Sprintf("its SHA-256 is %x, its entry says %x", d.r.sum, w.claim.sha256)
	case fault != nil:
		d.r.altered = "it was stored so"
	default:
		return
	}
	if fault != nil {
		d.r.altered += fmt.Sprintf(" (%v)", fault)
	}
}

func (d *warcReading) record(rec *warc.Record) error {
	media := rec.Header.Get("Content-Type")
	switch {
	case media == warc.MediaManifest:
		return d.manifest(rec)
	case media == warc.MediaDeclaration:
		data, err := readBlock(rec)
		if err != nil {
			return err
		}
		sum := warc.SumSHA256(data)
		d.declared[sum] = true
		d.r.declared = append(d.r.declared, sum)
		return d.other(rec)
	}
	line, ok, err := d.index(rec)
	if err != nil {
		return err
	}
	if ok {
		d.lines = append(d.lines, line)
	}
	manifest := rec.Manifest()
	if manifest == "" || rec.Type() == warc.TypeWarcinfo {
		return d.other(rec)
	}
	if err := d.placed(rec); err != nil {
		return err
	}
	return d.member(rec, manifest)
}

// index makes the line of a record, and reads the payload of a response.
func (d *warcReading) index(rec *warc.Record) (warc.CDXJLine, bool, error) {
	if rec.Type() == warc.TypeResponse {
		return d.response(rec)
	}
	return warc.IndexRecord(rec, d.name)
}

// other takes a record of no look.
func (d *warcReading) other(rec *warc.Record) error {
	if err := d.placed(rec); err != nil {
		return err
	}
	if d.padding != nil {
		d.padding[rec.Offset] = rec.Length
	}
	return nil
}

// placed reads a record to its end.
func (d *warcReading) placed(rec *warc.Record) error {
	if err := rec.Finish(); err != nil {
		return err
	}
	d.r.unpacked += rec.Size()
	return nil
}

func (d *warcReading) member(rec *warc.Record, manifest string) error {
	look, err := parseRecordID(manifest)
	if err != nil {
		return fmt.Errorf("%w: %w", errContent, err)
	}
	id, err := parseRecordID(rec.ID())
	if err != nil {
		return fmt.Errorf("%w: %w", errContent, err)
	}
	m := seenMember{id: id, at: placedOf(rec), typ: rec.Type()}
	switch m.typ {
	case warc.TypeResponse:
		m.sums = d.payload.sums
		d.bodies[id] = true
		d.r.bodies = append(d.r.bodies, id)
	case warc.TypeRevisit:
		m.refers = strings.Trim(rec.Header.Get("WARC-Refers-To"), "<>")
	}
	d.open[look] = append(d.open[look], m)
	if d.padding != nil {
		d.padding[rec.Offset] = rec.Length // a record that no manifest lists may stand for one
	}
	return nil
}

// manifest checks a whole look.
func (d *warcReading) manifest(rec *warc.Record) error {
	if rec.Size() > warc.MaxManifest {
		return fmt.Errorf("%w: manifest of %d bytes", errContent, rec.Size())
	}
	d.block = slices.Grow(d.block[:0], int(rec.Size()))[:rec.Size()]
	if _, err := io.ReadFull(rec.Block(), d.block); err != nil {
		return err
	}
	if err := d.placed(rec); err != nil {
		return err
	}
	d.r.looks++
	f := AuditFinding{Kind: AuditLook, Object: d.job.w.key, Index: -1}
	id, err := parseRecordID(rec.ID())
	if err != nil {
		f.Detail = fmt.Sprintf("the manifest at %d: %v", rec.Offset, err)
		d.find(f)
		return nil
	}
	entry := d.expected[id]
	delete(d.expected, id)
	if entry != nil {
		f.Index, f.Source, f.N = entry.index, entry.source, entry.n
	}
	m, err := warc.ParseManifest(d.block)
	if err != nil {
		if errors.Is(err, warc.ErrNewer) {
			f.Kind = AuditNewer
		}
		f.Detail = fmt.Sprintf("the manifest %s: %v", rec.ID(), err)
		d.find(f)
		return nil
	}
	f.Source, f.N = m.Source, m.N
	d.entry(rec, m, entry, f)
	members := d.open[id]
	delete(d.open, id)
	d.members(m, members, f)
	d.payloads(m, members, f)
	d.refer(m, members, f)
	if row := mementoRow(m, rec.ID(), d.job.w.key); row != nil {
		if sum, err := row.Sum(); err == nil { // else no catalog has a row of it
			d.r.mementos = append(d.r.mementos, mementoSum{id, sum})
		}
	}
	if e, ok := evidence.ReceiptOf(m, rec.ID()); ok && d.job.file >= 0 {
		leaf, err := e.Encode()
		if err != nil {
			f.Detail = err.Error()
			d.find(f)
			return nil
		}
		d.r.receipts = append(d.r.receipts, owed{sha256.Sum256(leaf), f})
	}
	if !m.Declaration.IsZero() && !d.declared[m.Declaration] {
		d.r.needs = append(d.r.needs, need{m.Declaration, f})
	}
	return nil
}

// entry compares the entry of a look with the one that its manifest gives.
func (d *warcReading) entry(rec *warc.Record, m *warc.Manifest, logged *auditEntry, f AuditFinding) {
	if logged == nil {
		if d.job.file < 0 && d.job.entries == nil {
			return // the log cannot be read
		}
		f.Kind, f.Detail = AuditUnlogged, fmt.Sprintf("the look with manifest %s has no entry", rec.ID())
		if d.job.gaps {
			f.Kind = AuditUnreadable
			f.Detail += " that can be read"
		}
		d.find(f)
		return
	}
	at := evidence.Place{WARC: d.job.w.key, Offset: rec.Offset, Length: rec.Length}
	var err error
	if logged.commitment == "" {
		d.leaf, err = evidence.AppendLeaf(d.leaf[:0], m, rec.ID(), rec.SHA256, at)
	} else {
		d.leaf, err = committedLeaf(m, rec, at, logged)
	}
	switch {
	case err != nil:
		f.Kind, f.Detail = AuditEntry, "its manifest gives no entry: "+err.Error()
	case sha256.Sum256(d.leaf) != logged.leaf:
		f.Kind, f.Detail = AuditEntry, "its manifest gives another entry than the one in the log"
	default:
		return
	}
	d.find(f)
}

// committedLeaf returns the leaf of a look at a private source.
func committedLeaf(m *warc.Manifest, rec *warc.Record, at evidence.Place, logged *auditEntry) ([]byte, error) {
	e, err := evidence.FromManifest(m, rec.ID(), rec.SHA256, at)
	if err != nil {
		return nil, err
	}
	return committed(e, logged).Encode()
}

// committed gives an entry the commitments of the logged one, without whose salt
// they cannot be made again.
func committed(e evidence.Entry, logged *auditEntry) evidence.Entry {
	e.Source, e.URL, e.FinalURL = logged.source, logged.commitment, ""
	e.PayloadSHA1, e.PayloadSHA256, e.DeclarationSHA256 = warc.Digest{}, warc.Digest{}, warc.Digest{}
	if e.TLS != nil {
		t := *e.TLS
		t.Chain = warc.Digest{}
		if e.TLS = &t; t == (evidence.TLS{}) {
			e.TLS = nil
		}
	}
	return e
}
