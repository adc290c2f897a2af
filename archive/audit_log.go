package archive

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/fineprint-archive/fineprint/archive/evidence"
	"github.com/fineprint-archive/fineprint/archive/store"
	"github.com/fineprint-archive/fineprint/archive/tlog"
	"github.com/fineprint-archive/fineprint/warc"
)

// auditEntry is what is kept of the entry of a look until its WARC was read.
type auditEntry struct {
	index      int64
	leaf       [sha256.Size]byte // SHA-256 of its bytes
	manifest   recordID
	source     string
	n          int64
	commitment string // of the address, if the source is private
}

// auditGroup gathers the entries of a WARC up to its warcfile entry.
type auditGroup struct {
	entries []auditEntry
	since   bool // one of them is not before Since
}

// tombstone is what a tombstone entry says.
type tombstone struct {
	index   int64
	sha256  warc.Digest
	records map[string]bool
}

// openLog finds out whether the log can be read with the key. A log that has
// other objects than a checkpoint of this key is false only if the key fits one
// of them.
func (a *auditor) openLog(ctx context.Context) error {
	there := false
	for _, err := range a.cfg.Store.List(ctx, "log/", "") {
		if err != nil {
			return fmt.Errorf("list the log: %w", err)
		}
		there = true
		break
	}
	unknown := func(detail string) error {
		a.find(AuditFinding{Kind: AuditUnknownKey, Index: -1, Detail: detail})
		return nil
	}
	switch {
	case !there:
		return unknown("the archive has no log: nothing shows whether a look was altered or left out (the next crawl begins one)")
	case a.cfg.Key == nil:
		return unknown("the archive has a log and its public key was not given: WARCs are checked by themselves alone")
	}
	r := tlog.NewReader(a.cfg.Store, a.cfg.Key)
	cp, err := r.Checkpoint(ctx)
	switch {
	case err == nil:
		a.log, a.newest = r, cp
		return nil
	case errors.Is(err, tlog.ErrWrongKey), isCorrupt(err), errors.Is(err, store.ErrNotExist):
	default:
		return fmt.Errorf("read the checkpoint: %w", err)
	}
	kept := 0 // checkpoints of this key
	for _, err := range r.Checkpoints(ctx) {
		if a.ours(ctx, err) {
			return fmt.Errorf("read checkpoints: %w", err)
		}
		if err == nil {
			kept++
			break
		}
	}
	if kept == 0 && errors.Is(err, tlog.ErrWrongKey) {
		return unknown(fmt.Sprintf("no checkpoint is of the log with the key given (%s+%08x): WARCs are checked by themselves alone", a.cfg.Key.Name(), a.cfg.Key.KeyHash()))
	}
	a.find(AuditFinding{Kind: AuditLog, Object: "log/checkpoint", Index: -1, Detail: "the log cannot be read from it, WARCs are checked by themselves alone: " + err.Error()})
	return nil
}

func isCorrupt(err error) bool {
	_, is := errors.AsType[*tlog.CorruptError](err)
	return is
}

// readWARCs reads the log from its first to its last entry, and every WARC when
// its last entry was met.
func (a *auditor) readWARCs(ctx context.Context) error {
	p, ctx := newPool(ctx, a)
	a.pool = p
	err := a.feed(ctx, p)
	a.pool = nil
	return p.wait(err)
}

// feed hands the WARCs to the pool.
func (a *auditor) feed(ctx context.Context, p *pool) error {
	if a.log == nil {
		for _, key := range sortedKeys(a.warcs) {
			if !a.chosen.takes(key) {
				a.skip()
				continue
			}
			if err := p.send(ctx, &auditJob{w: a.warcs[key]}); err != nil {
				return err
			}
		}
		return nil
	}
	v := &visitor{a: a, p: p}
	report, err := tlog.Check(ctx, a.log, tlog.CheckOptions{
		Visit:    func(e tlog.Entry) error { return v.visit(ctx, e) },
		Progress: func(int64) {},
	})
	if err == nil {
		err = v.flush(ctx)
	}
	if isCorrupt(err) { // the checkpoint was good a moment ago
		a.find(AuditFinding{Kind: AuditLog, Object: "log/checkpoint", Index: -1, Detail: err.Error()})
		err = nil
	}
	if err != nil {
		return err
	}
	a.gaps += report.Checkpoint.Size - v.next
	for _, f := range report.Findings {
		a.find(AuditFinding{Kind: AuditLog, Object: f.Objects[0], Index: -1, Detail: strings.Join(append(f.Objects[1:], f.Problem), ": ")})
	}
	a.count(func(r *AuditReport) {
		r.Checkpoint, r.Checkpoints, r.Entries = report.Checkpoint, int64(report.Checkpoints), report.Entries
	})
	return v.rest(ctx)
}

// visitor takes the entries of the log, in order, and parses many at once.
type visitor struct {
	a     *auditor
	p     *pool
	next  int64
	chunk []tlog.Entry
}

// chunkSize is the number of entries that are parsed together.
const chunkSize = 512

func (v *visitor) visit(ctx context.Context, e tlog.Entry) error {
	v.chunk = append(v.chunk, e)
	if len(v.chunk) < chunkSize {
		return nil
	}
	return v.flush(ctx)
}

// parsedEntry is an entry or why it is none.
type parsedEntry struct {
	evidence.Entry
	leaf [sha256.Size]byte
	err  error
}

func (v *visitor) flush(ctx context.Context) error {
	parsed := make([]parsedEntry, len(v.chunk))
	parts := runtime.GOMAXPROCS(0)
	var wg sync.WaitGroup
	for part := range parts {
		wg.Go(func() {
			for i := part; i < len(v.chunk); i += parts {
				p := &parsed[i]
				if leaf := v.chunk[i].Data; !v.a.scanned(leaf, &p.Entry) {
					p.Entry, p.err = evidence.ParseEntry(leaf)
				}
				p.leaf = sha256.Sum256(v.chunk[i].Data)
			}
		})
	}
	wg.Wait()
	for i, raw := range v.chunk {
		v.a.gaps += raw.Index - v.next
		v.next = raw.Index + 1
		if err := v.take(ctx, raw.Index, &parsed[i]); err != nil {
			return err
		}
	}
	v.chunk = v.chunk[:0]
	v.a.count(func(r *AuditReport) { r.Entries = v.next })
	return nil
}

// scanned reads the leaf of a look whose WARC will be read, by scanLook.
func (a *auditor) scanned(leaf []byte, e *evidence.Entry) bool {
	if !a.cfg.Since.IsZero() {
		return false
	}
	if scanLook(leaf, e) && a.chosen.takes(e.WARC) {
		return true
	}
	*e = evidence.Entry{}
	return false
}

// take files one entry.
func (v *visitor) take(ctx context.Context, index int64, e *parsedEntry) error {
	a := v.a
	if e.err != nil {
		kind := AuditEntry
		if errors.Is(e.err, warc.ErrNewer) {
			kind = AuditNewer
		}
		a.gaps++ // its number and WARC are not known
		a.find(AuditFinding{Kind: kind, Index: index, Detail: e.err.Error()})
		return nil
	}
	switch e.Type {
	case evidence.TypeLook:
		v.look(index, e)
	case evidence.TypeWARCFile:
		return v.file(ctx, index, &e.Entry)
	case evidence.TypeLost:
		a.count(func(r *AuditReport) { r.Lost++ })
		a.addLost(index, &e.Entry)
		a.numbers.add(numbered{source: e.Source, n: e.N, index: index, lost: true})
	case evidence.TypeTombstone:
		t := tombstone{index: index, sha256: e.SHA256, records: map[string]bool{}}
		for _, id := range e.Records {
			t.records[id] = true
		}
		a.tombstones[e.WARC] = append(a.tombstones[e.WARC], t)
	case evidence.TypeAnchor:
		a.anchors = append(a.anchors, anchorEntry{index: index, list: e.List, sha256: e.ListSHA256, size: e.TreeSize, checkpoint: e.CheckpointSHA256})
	case evidence.TypeReceipt:
		if len(e.Records) > 0 {
			a.receipts[e.leaf] = index
		}
		return a.receipt(ctx, index, &e.Entry)
	}
	return nil
}

func (v *visitor) look(index int64, e *parsedEntry) {
	a := v.a
	a.numbers.add(numberedLook(index, &e.Entry))
	g := a.groups[e.WARC]
	if g == nil {
		g = &auditGroup{}
		a.groups[e.WARC] = g
	}
	id, err := parseRecordID(e.Manifest.Record)
	if err != nil { // ParseEntry has held its form
		a.find(AuditFinding{Kind: AuditEntry, Object: e.WARC, Index: index, Source: e.Source, N: e.N, Detail: err.Error()})
		return
	}
	kept := auditEntry{index: index, leaf: e.leaf, manifest: id, source: e.Source, n: e.N}
	if e.IsPrivate() {
		kept.commitment = e.URL
	}
	g.entries = append(g.entries, kept)
	g.since = g.since || !e.Time.Before(a.cfg.Since)
	w := a.warc(e.WARC)
	if w.first < 0 {
		w.first = index
	}
	w.last = index
	w.rows.add(rowOfEntry(index, &e.Entry))
}

// file ends the group of a WARC. A further warcfile entry of the same object
// must follow a tombstone.
func (v *visitor) file(ctx context.Context, index int64, e *evidence.Entry) error {
	a, w := v.a, v.a.warc(e.WARC)
	claim := warcClaim{size: e.Size, looks: e.Looks}
	copy(claim.sha256[:], e.SHA256.Sum)
	if w.files++; w.files > 1 {
		a.changed(w, index, claim)
		w.file, w.want = index, claim // a job that is under way has its own
		return nil
	}
	w.file, w.want = index, claim
	g := a.groups[e.WARC]
	delete(a.groups, e.WARC)
	if g == nil {
		g = &auditGroup{since: a.cfg.Since.IsZero()}
	}
	return v.send(ctx, w, g)
}

// changed judges a second warcfile entry of one object.
func (a *auditor) changed(w *auditWARC, index int64, now warcClaim) {
	f := AuditFinding{Kind: AuditTombstone, Object: w.key, Index: index}
	sum := warc.Digest{Algorithm: warc.SHA256, Sum: string(now.sha256[:])}
	switch {
	case now == w.want:
		f.Kind, f.Detail = AuditEntry, fmt.Sprintf("it says again what entry %d says", w.file)
	case now.size != w.want.size || now.looks != w.want.looks:
		f.Detail = fmt.Sprintf("it has %d bytes and %d looks, entry %d had %d and %d: a take-down keeps both", now.size, now.looks, w.file, w.want.size, w.want.looks)
	case !slices.ContainsFunc(a.tombstones[w.key], func(t tombstone) bool { return t.index > w.file && t.sha256 == sum }):
		f.Detail = fmt.Sprintf("it replaces entry %d, and no tombstone says why", w.file)
	default:
		return
	}
	a.find(f)
}

// send has a WARC read, if it is chosen.
func (v *visitor) send(ctx context.Context, w *auditWARC, g *auditGroup) error {
	a := v.a
	there, err := a.exists(ctx, w)
	if err != nil {
		return a.unreadable(ctx, w.key, w.file, err)
	}
	if !there {
		w.state = warcBad
		a.missing(w, g.entries)
		return nil
	}
	if w.size == w.want.size && (!g.since || !a.chosen.takes(w.key)) {
		a.skip()
		return nil
	}
	if kept, ok := a.state.found(w); ok {
		return v.p.send(ctx, &auditJob{w: w, kept: kept})
	}
	return v.p.send(ctx, &auditJob{w: w, entries: g.entries, gaps: a.gaps > 0})
}

func (a *auditor) skip() {
	a.count(func(r *AuditReport) { r.Skipped++ })
}

// missing names a WARC that is not in the store, and whom that concerns.
func (a *auditor) missing(w *auditWARC, entries []auditEntry) {
	f := AuditFinding{Kind: AuditWARCMissing, Object: w.key, Index: w.file}
	f.Detail = fmt.Sprintf("it is not in the store; it held %d looks", w.want.looks)
	var sources []string
	for _, e := range entries {
		if !slices.Contains(sources, e.source) && len(sources) <= maxSources {
			sources = append(sources, e.source)
		}
	}
	switch {
	case len(sources) == 1:
		f.Source = sources[0]
	case len(sources) > maxSources:
		f.Detail += " at the sources " + strings.Join(sources[:maxSources], ", ") + " and others"
	case len(sources) > 0:
		f.Detail += " at the sources " + strings.Join(sources, ", ")
	}
	a.find(f)
}

// maxSources bounds the sources that one finding names.
const maxSources = 5

// rest reads the WARCs whose warcfile entry is missing or cannot be read.
func (v *visitor) rest(ctx context.Context) error {
	for _, key := range sortedKeys(v.a.groups) {
		g := v.a.groups[key]
		delete(v.a.groups, key)
		w := v.a.warc(key)
		there, err := v.a.exists(ctx, w)
		if err != nil {
			return err
		}
		if !there {
			v.a.missing(w, g.entries)
			w.state = warcBad
			continue
		}
		if err := v.p.send(ctx, &auditJob{w: w, entries: g.entries, gaps: v.a.gaps > 0}); err != nil {
			return err
		}
	}
	return nil
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// auditJob is a WARC that is to be read, or a finding that comes between two.
type auditJob struct {
	finding   *AuditFinding
	w         *auditWARC
	file      int64 // index of its warcfile entry, -1 if it has none
	claim     warcClaim
	entries   []auditEntry    // of its looks, nil if the log cannot be read
	gaps      bool            // entries of it may be among those that cannot be read
	again     bool            // the whole log is known
	withdrawn map[string]bool // ids of the records that tombstones name
	kept      *keptWARC       // it was found good before
	done      chan struct{}
	result    *warcResult
	err       error
}

// pool reads WARCs on several goroutines and takes the results in the order in
// which the WARCs were sent. It holds a few WARCs at a time.
type pool struct {
	a     *auditor
	ended <-chan struct{} // closed when the audit is stopped, or a result could not be taken
	order chan *auditJob
	slots chan struct{}
	g     *errgroup.Group
}

func newPool(ctx context.Context, a *auditor) (*pool, context.Context) {
	workers := a.cfg.Workers
	if workers <= 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	g, ctx := errgroup.WithContext(ctx)
	p := &pool{a: a, ended: ctx.Done(), order: make(chan *auditJob, 2*workers), slots: make(chan struct{}, workers), g: g}
	g.Go(func() error { return p.collect(ctx) })
	return p, ctx
}

func (p *pool) send(ctx context.Context, job *auditJob) error {
	job.done, job.file, job.claim = make(chan struct{}), job.w.file, job.w.want
	select {
	case p.order <- job:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if job.kept != nil {
		close(job.done)
		return nil
	}
	select {
	case p.slots <- struct{}{}:
	case <-ctx.Done():
		close(job.done)
		return context.Cause(ctx)
	}
	p.g.Go(func() error {
		defer close(job.done)
		defer func() { <-p.slots }()
		job.result, job.err = p.a.readWARC(ctx, job)
		return nil
	})
	return nil
}

// found puts a finding behind what was sent. It reports false if the pool ended.
func (p *pool) found(f AuditFinding) bool {
	job := &auditJob{finding: &f, done: make(chan struct{})}
	close(job.done)
	select {
	case p.order <- job:
		return true
	case <-p.ended:
		return false
	}
}

// collect takes results until the order ends.
func (p *pool) collect(ctx context.Context) error {
	for job := range p.order {
		<-job.done
		if job.finding != nil {
			p.a.tell(*job.finding)
			continue
		}
		if job.result != nil || job.kept != nil { // also when the audit was stopped meanwhile
			if err := p.a.take(job); err != nil {
				return err
			}
		}
		if err := errors.Join(job.err, context.Cause(ctx)); err != nil {
			return err
		}
	}
	return nil
}

// wait ends the pool after the last send and returns the first error.
func (p *pool) wait(err error) error {
	close(p.order)
	if failed := p.g.Wait(); failed != nil {
		return failed
	}
	return err
}
