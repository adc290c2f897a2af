package archive

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/fineprint-archive/fineprint/archive/evidence"
	"github.com/fineprint-archive/fineprint/archive/store"
	"github.com/fineprint-archive/fineprint/warc"
)

// references holds which full responses and declarations were met, and which
// were asked for before.
type references struct {
	bodies   map[recordID]bool
	declared map[warc.Digest]bool
	wants    []want
	needs    []need
	receipts map[[sha256.Size]byte]AuditFinding // that follow from manifests, by their leaves, with the look
	mementos map[recordID]seenMemento           // by the manifests of their looks
}

func newReferences() *references {
	return &references{bodies: map[recordID]bool{}, declared: map[warc.Digest]bool{}, receipts: map[[sha256.Size]byte]AuditFinding{}, mementos: map[recordID]seenMemento{}}
}

// take adds the result of one WARC and reports whether all that it refers to was
// met. What was not is asked for again at the end: WARCs of several spools do
// not come in the order in which they were written.
func (r *references) take(key string, res *warcResult) (complete bool) {
	for _, id := range res.bodies {
		r.bodies[id] = true
	}
	for _, d := range res.declared {
		r.declared[d] = true
	}
	for _, owed := range res.receipts {
		r.receipts[owed.leaf] = owed.from
	}
	for _, m := range res.mementos {
		r.mementos[m.look] = seenMemento{key, m.sum}
	}
	complete = true
	for _, w := range res.wants {
		if !r.bodies[w.record] {
			r.wants = append(r.wants, w)
			complete = false
		}
	}
	for _, n := range res.needs {
		if !r.declared[n.digest] {
			r.needs = append(r.needs, n)
			complete = false
		}
	}
	return complete
}

// end names what was asked for and is nowhere. Records of WARCs that were not
// read, or that are damaged, are counted only.
func (r *references) end(a *auditor) {
	unread := a.report.Skipped > 0
	for _, w := range a.warcs {
		unread = unread || w.state != warcGood
	}
	r.endReceipts(a, unread)
	for _, w := range r.wants {
		if r.bodies[w.record] {
			continue
		}
		f := w.from
		f.Kind = AuditReference
		target := a.warcs[w.object]
		switch {
		case target == nil || !target.listed:
			f.Detail = fmt.Sprintf("it has the payload of record %s in %s, which is not in the store", w.record, w.object)
		case target.state != warcGood:
			a.count(func(r *AuditReport) { r.Unknown++ })
			continue
		default:
			f.Detail = fmt.Sprintf("it has the payload of record %s, which is not in %s", w.record, w.object)
		}
		a.find(f)
	}
	for _, n := range r.needs {
		if r.declared[n.digest] {
			continue
		}
		if unread {
			a.count(func(r *AuditReport) { r.Unknown++ })
			continue
		}
		f := n.from
		f.Kind, f.Detail = AuditDeclaration, fmt.Sprintf("its declaration %s is in no WARC", n.digest)
		a.find(f)
	}
}

// endReceipts compares the receipts of the log with those that follow from the
// manifests.
func (r *references) endReceipts(a *auditor, unread bool) {
	if a.log == nil {
		return
	}
	for leaf, from := range r.receipts {
		if _, logged := a.receipts[leaf]; logged || a.gaps > 0 {
			delete(a.receipts, leaf)
			continue
		}
		from.Kind, from.Index, from.Detail = AuditReceipt, -1, "the receipt that follows from its manifest is not in the log"
		a.find(from)
	}
	for _, index := range a.receipts {
		if unread || len(a.tombstones) > 0 { // its manifest may be where we did not look
			a.count(func(r *AuditReport) { r.Unknown++ })
			continue
		}
		a.find(AuditFinding{Kind: AuditReceipt, Index: index, Detail: "it follows from no manifest of the archive"})
	}
}

// take enters what came of a WARC. It runs on one goroutine, in the order of the
// log.
func (a *auditor) take(job *auditJob) error {
	w := job.w
	if k := job.kept; k != nil {
		w.state = warcGood
		a.refs.take(w.key, k.result())
		a.counted(k.result(), true)
		return nil
	}
	r := job.result
	if r.altered != "" && !job.again && a.log != nil {
		w.state = warcAgain
		return nil
	}
	if !job.again || w.state == warcAgain {
		a.counted(r, false)
	}
	w.state = warcBad
	if r.altered != "" {
		if a.log == nil {
			a.tell(AuditFinding{Kind: AuditWARC, Object: w.key, Index: -1, Detail: r.altered})
		}
		return nil // readAgain says which looks that concerns
	}
	for i, f := range r.findings {
		if i == maxLookFindings {
			a.tell(AuditFinding{Kind: f.Kind, Object: w.key, Index: -1, Detail: fmt.Sprintf("and %d findings more in this WARC", len(r.findings)-i)})
			break
		}
		a.tell(f)
	}
	complete := a.refs.take(w.key, r)
	if len(r.findings) > 0 {
		return nil
	}
	w.state = warcGood
	if !complete || job.again {
		return nil
	}
	return a.state.keep(job)
}

func (a *auditor) counted(r *warcResult, resumed bool) {
	a.count(func(t *AuditReport) {
		t.Read++
		if resumed {
			t.Resumed++
		}
		t.Bytes += r.size
		t.Unpacked += r.unpacked
		t.Records += r.records
		t.Looks += r.looks
		t.Withdrawn += r.gone
	})
}

// readAgain reads the WARCs that are not what their first entry says, now that
// all tombstones are known, and says which looks a false one concerns.
func (a *auditor) readAgain(ctx context.Context) error {
	for _, key := range sortedKeys(a.warcs) {
		w := a.warcs[key]
		if w.state != warcAgain && (w.files < 2 || w.state == warcNotRead) {
			continue
		}
		job := &auditJob{w: w, file: w.file, claim: w.want, again: true, gaps: a.gaps > 0}
		for _, t := range a.tombstones[key] {
			for id := range t.records {
				if job.withdrawn == nil {
					job.withdrawn = map[string]bool{}
				}
				job.withdrawn[id] = true
			}
		}
		logged, err := a.entriesOf(ctx, w)
		if err != nil {
			return err
		}
		for _, e := range logged {
			job.entries = append(job.entries, e.auditEntry)
		}
		if job.result, err = a.readWARC(ctx, job); err != nil {
			return err
		}
		if err := a.take(job); err != nil {
			return err
		}
		if job.result.altered != "" {
			if err := a.damage(ctx, job, logged); err != nil {
				return err
			}
		}
	}
	return nil
}

// loggedLook is an entry with where its manifest lies.
type loggedLook struct {
	auditEntry
	sha256         warc.Digest
	offset, length int64
}

// entriesOf reads the entries of the looks of a WARC again.
func (a *auditor) entriesOf(ctx context.Context, w *auditWARC) ([]loggedLook, error) {
	var all []loggedLook
	if w.first < 0 {
		return nil, nil
	}
	for leaf, err := range a.log.Entries(ctx, a.report.Checkpoint, w.first, w.last+1) {
		if isCorrupt(err) {
			return all, nil // it is a finding about the log already
		}
		if err != nil {
			return nil, err
		}
		e, err := evidence.ParseEntry(leaf.Data)
		if err != nil || e.Type != evidence.TypeLook || e.WARC != w.key {
			continue
		}
		id, err := parseRecordID(e.Manifest.Record)
		if err != nil {
			continue
		}
		l := loggedLook{auditEntry{index: leaf.Index, leaf: sha256.Sum256(leaf.Data), manifest: id, source: e.Source, n: e.N}, e.Manifest.SHA256, e.Offset, e.Length}
		if e.IsPrivate() {
			l.commitment = e.URL
		}
		all = append(all, l)
	}
	return all, nil
}

// damage says what is wrong with a WARC and which of its looks that concerns, by
// reading each record where entry and manifest say that it lies.
func (a *auditor) damage(ctx context.Context, job *auditJob, logged []loggedLook) error {
	w := job.w
	f := AuditFinding{Kind: AuditWARC, Object: w.key, Index: w.file, Detail: job.result.altered}
	var hurt []AuditFinding
	for _, l := range logged {
		detail, err := a.hurt(ctx, job, l)
		if err != nil {
			return err
		}
		if detail != "" {
			hurt = append(hurt, AuditFinding{Kind: AuditLook, Object: w.key, Index: l.index, Source: l.source, N: l.n, Detail: detail})
		}
	}
	switch {
	case len(logged) == 0:
	case len(hurt) == 0:
		f.Detail += fmt.Sprintf("; all records of its %d looks are whole", len(logged))
	default:
		f.Detail += fmt.Sprintf("; %d of its %d looks are damaged", len(hurt), len(logged))
	}
	a.find(f)
	for i, h := range hurt {
		if i == maxLookFindings {
			break // the number stands above
		}
		a.find(h)
	}
	return nil
}

// hurt says what of a look is not as it was logged, "" if all is.
func (a *auditor) hurt(ctx context.Context, job *auditJob, l loggedLook) (string, error) {
	id := l.manifest.String()
	if job.withdrawn[id] {
		return "", nil
	}
	data, detail, err := a.recordAt(ctx, job.w, id, l.offset, l.length, l.sha256, true)
	if err != nil || detail != "" {
		return detail, err
	}
	m, err := warc.ParseManifest(data)
	if err != nil {
		return err.Error(), nil
	}
	for _, member := range m.Members {
		if job.withdrawn[member.Record] {
			continue
		}
		if _, detail, err := a.recordAt(ctx, job.w, member.Record, member.Offset, member.Length, member.SHA256, false); err != nil || detail != "" {
			return detail, err
		}
	}
	return "", nil
}

// recordAt reads one record and compares its digest.
func (a *auditor) recordAt(ctx context.Context, w *auditWARC, id string, offset, length int64, sum warc.Digest, block bool) (data []byte, detail string, err error) {
	body, err := a.cfg.Store.Get(ctx, w.key, offset, length)
	if err != nil {
		if a.ours(ctx, err) || errors.Is(err, store.ErrNotExist) {
			return nil, "", err
		}
		return nil, fmt.Sprintf("its record %s cannot be read: %v", id, err), nil // beyond the end
	}
	defer func() { err = errors.Join(err, body.Close()) }()
	rec, bad := warc.ReadRecord(body, offset)
	if bad == nil && block {
		data, bad = rec.ReadBlock(warc.MaxManifest)
	}
	if bad == nil {
		bad = rec.Finish()
	}
	switch {
	case a.ours(ctx, bad):
		return nil, "", bad
	case bad != nil:
		return nil, fmt.Sprintf("its record %s cannot be read: %v", id, bad), nil
	case rec.SHA256 != sum:
		return nil, fmt.Sprintf("its record %s is altered", id), nil
	}
	return data, "", nil
}
