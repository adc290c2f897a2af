package archive

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/fineprint-archive/fineprint/archive/catalog"
	"github.com/fineprint-archive/fineprint/warc"
)

// openWARC is the file that looks of this process are written to. Looks of
// several workers interleave in it; each look stays in one file.
type openWARC struct {
	name string // file name, also the last element of the object key
	key  string // of the object that it becomes
	info string // record id of its warcinfo record
	file *warc.File

	looks sync.WaitGroup // looks that may still write to it
	half  atomic.Bool    // a look in it has no manifest, or none that is entered

	mu     sync.Mutex // guards what follows
	chains map[warc.Digest]bool
	leaves []leaf // log entries of the looks in it, if the archive has a log
	lines  []warc.CDXJLine
}

// written is what is known of a closed WARC that this process wrote from its
// beginning.
type written struct {
	leaves []leaf
	lines  []warc.CDXJLine
}

// acquire returns the open WARC with one more look on it, and makes a new one
// when there is none. The caller calls looks.Done on it.
func (a *Archive) acquire(ctx context.Context) (*openWARC, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.open == nil {
		w, err := a.newWARC(ctx)
		if err != nil {
			return nil, err
		}
		a.open = w
	}
	a.open.looks.Add(1)
	return a.open, nil
}

func (a *Archive) newWARC(ctx context.Context) (_ *openWARC, err error) {
	now := a.cfg.Now().UTC()
	serial, err := a.cfg.Catalog.NextSerial(ctx, a.cfg.Run)
	if err != nil {
		return nil, fmt.Errorf("open WARC: %w", err)
	}
	name := warc.FileName(a.cfg.Run, now, serial)
	w := &openWARC{name: name, key: objectKey(name, now), chains: map[warc.Digest]bool{}}
	// The row first: a file without a row would be nobody's after a crash.
	row := catalog.WARCRow{Name: name, Key: w.key, Run: a.cfg.Run, Spool: a.spool, OpenedAt: now}
	if err := a.cfg.Catalog.OpenWARC(ctx, row); err != nil {
		return nil, fmt.Errorf("open WARC: %w", err)
	}
	w.file, err = warc.Create(a.cfg.Spool, name)
	if err != nil {
		return nil, fmt.Errorf("open WARC: %w", err)
	}
	info, err := warc.WarcinfoRecord(warc.Meta{ID: warc.NewID(a.cfg.Rand), Date: now}, warc.Warcinfo{
		Filename: name, Software: a.cfg.Tool, Operator: a.cfg.Operator, UserAgent: a.cfg.UserAgent, Run: a.cfg.Run, Config: a.cfg.Settings,
		Robots: "obeyed (RFC 9309) unless a declaration says ignore with a reason",
	})
	if err != nil {
		return nil, errors.Join(err, w.file.Abandon())
	}
	if _, err := w.append(info); err != nil {
		return nil, errors.Join(err, w.file.Abandon())
	}
	w.info = info.ID()
	return w, nil
}

// objectKey spreads WARCs over folders by month.
func objectKey(name string, opened interface{ Format(string) string }) string {
	return "warc/" + opened.Format("2006/01") + "/" + name
}

// append writes records as one batch, all or nothing, not yet synced. They are
// compressed before the file is locked, so that workers do it side by side.
func (w *openWARC) append(records ...*warc.Record) ([]warc.Placed, error) {
	members := make([]*warc.Packed, len(records))
	for i, r := range records {
		m, err := warc.Compress(r)
		if err != nil {
			return nil, err
		}
		members[i] = m
	}
	placed, err := w.file.Append(members...)
	if err != nil {
		return nil, fmt.Errorf("write %s: %w", w.name, err)
	}
	for i, r := range records {
		line, ok, err := warc.IndexWritten(r, placed[i], w.name)
		if err != nil {
			return nil, fmt.Errorf("index %s: %w", w.name, err)
		}
		if ok {
			w.keepLine(line)
		}
	}
	return placed, nil
}

func (w *openWARC) keepLine(line warc.CDXJLine) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lines = append(w.lines, line)
}

// chainRecord returns the record of a certificate chain if the file does not
// hold it yet, else nil.
func (w *openWARC) chainRecord(chain [][]byte, meta warc.Meta) (*warc.Record, error) {
	if len(chain) == 0 {
		return nil, nil
	}
	if w.holdsChain(warc.ChainDigest(chain)) {
		return nil, nil
	}
	return warc.CertificateChain(meta, chain)
}

// keepLeaf notes the log entry of a look whose manifest was written.
func (w *openWARC) keepLeaf(l leaf) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.leaves = append(w.leaves, l)
}

// full tells whether the file should be sealed for the number of its looks or
// captures: their log entries and index lines are held in memory until then.
func (w *openWARC) full() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.leaves) >= maxLeaves || len(w.lines) >= maxLines
}

// maxLines bounds the index lines of one WARC: some 25 MB in memory.
const maxLines = 60000

func (w *openWARC) holdsChain(digest warc.Digest) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.chains[digest]
}

// keepChain notes a chain that was written. Two looks may write one chain at the
// same moment: twice is no harm.
func (w *openWARC) keepChain(digest warc.Digest) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.chains[digest] = true
}
