package archive

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/fineprint-archive/fineprint/archive/catalog"
	"github.com/fineprint-archive/fineprint/archive/evidence"
	"github.com/fineprint-archive/fineprint/archive/store"
	"github.com/fineprint-archive/fineprint/archive/tlog"
	"github.com/fineprint-archive/fineprint/warc"
)

// LogConfig names the transparency log that every sealed WARC is entered in.
type LogConfig struct {
	Mutable  store.Mutable // over the keys of Config.Store
	Signer   note.Signer
	Verifier note.Verifier
	Place    string // see tlog.Config

	// Secret hides private sources in the public log (evidence.SourceSalt): at
	// least 16 bytes, the same for as long as the log lives.
	Secret []byte
}

// openLog opens the log for writing and finishes what earlier processes left
// between the store and the log.
func (a *Archive) openLog(ctx context.Context) error {
	c := a.cfg.Log
	if c == nil {
		return nil
	}
	known, err := a.cfg.Catalog.KnownLog(ctx)
	if err != nil {
		return err
	}
	a.log, err = tlog.Open(ctx, tlog.Config{
		Store: a.cfg.Store, Mutable: c.Mutable, Signer: c.Signer, Verifier: c.Verifier,
		Place: c.Place, Known: known, Logger: a.cfg.Logger,
		Step: func(name string) { a.cfg.Step("log-" + name) },
	})
	if err != nil {
		return fmt.Errorf("open log: %w", err)
	}
	a.reader = tlog.NewReader(a.cfg.Store, c.Verifier)
	if a.log.Closed() != "" {
		return nil // read only; Seal says so when there is something to enter
	}
	if err := a.finishPending(ctx); err != nil {
		return fmt.Errorf("finish pending log entries: %w", err)
	}
	if err := a.enterUnlogged(ctx); err != nil {
		return fmt.Errorf("enter WARCs into the log: %w", err)
	}
	return nil
}

// leaf is the log entry of a look.
type leaf struct {
	offset int64 // of the manifest in the WARC
	look   catalog.LogIndex
	line   []byte
}

// maxLeaves bounds the looks of one WARC: 14 MB of entries, held in memory.
const maxLeaves = 20000

func (a *Archive) leafOf(m *warc.Manifest, id string, at warc.Placed, key string) (leaf, error) {
	e, err := evidence.FromManifest(m, id, at.SHA256, evidence.Place{WARC: key, Offset: at.Offset, Length: at.Length})
	if err == nil && m.Private {
		e, err = e.Private(evidence.SourceSalt(a.cfg.Log.Secret, m.Source))
	}
	if err != nil {
		return leaf{}, err
	}
	line, err := e.Encode()
	return leaf{at.Offset, catalog.LogIndex{Source: m.Source, N: m.N, Manifest: id, Index: -1}, line}, err
}

// leavesOf makes the entries of a WARC from its manifests.
func (a *Archive) leavesOf(row catalog.WARCRow, s *scan) (*pending, error) {
	leaves := make([]leaf, len(s.manifests))
	for i, found := range s.manifests {
		var err error
		if leaves[i], err = a.leafOf(found.m, found.id, found.at, row.Key); err != nil {
			return nil, err
		}
	}
	return newPending(row, leaves)
}

// logWARC brings the entries of a stored WARC into the log, whatever of that was
// done before, and says where they stand. The pending object stays. The entries
// of anchor lists and receipts go with them.
func (a *Archive) logWARC(ctx context.Context, p *pending) (*catalog.Logged, error) {
	a.cfg.Step("pending")
	if err := a.stage(ctx, p); err != nil {
		return nil, fmt.Errorf("stage log entries: %w", err)
	}
	a.cfg.Step("append")
	anchors, err := a.unloggedAnchors(ctx)
	if err != nil {
		return nil, err
	}
	receipts, err := a.unloggedReceipts(ctx, p.name)
	if err != nil {
		return nil, err
	}
	from := min(anchors.from(p.size), receipts.from(p.size))
	indexes, err := a.appendOnce(ctx, from, slices.Concat(p.lines, anchors.lines, receipts.lines))
	if err != nil {
		return nil, fmt.Errorf("append to log: %w", err)
	}
	last := len(p.lines) - 1
	for i := range p.looks {
		p.looks[i].Index = indexes[i]
	}
	rest := indexes[len(p.lines):]
	if err := a.enterAnchors(ctx, anchors, rest[:len(anchors.lines)]); err != nil {
		return nil, err
	}
	if err := a.enterReceipts(ctx, receipts, rest[len(anchors.lines):]); err != nil {
		return nil, err
	}
	return &catalog.Logged{WARC: indexes[last], Looks: p.looks}, nil
}

// appendTries bounds how often a batch is tried against other writers.
const appendTries = 60

// appendOnce appends the lines that are not in the log from size on, and returns
// the index of each. Lines are distinct.
func (a *Archive) appendOnce(ctx context.Context, size int64, lines [][]byte) ([]int64, error) {
	indexes := make([]int64, len(lines))
	at := make(map[string]int, len(lines))
	for i, line := range lines {
		indexes[i] = -1
		at[string(line)] = i
	}
	for try := 0; ; try++ {
		cp, err := a.log.Refresh(ctx)
		if err != nil {
			return nil, err
		}
		for e, err := range a.reader.Entries(ctx, cp, min(size, cp.Size), cp.Size) {
			if err != nil {
				return nil, err
			}
			if i, ours := at[string(e.Data)]; ours {
				indexes[i] = e.Index
			}
		}
		size = cp.Size
		done, err := a.appendMissing(ctx, size, lines, indexes)
		if done || !errors.Is(err, tlog.ErrLost) || try == appendTries {
			return indexes, err
		}
		if err := pause(ctx, time.Duration(try+1)*20*time.Millisecond); err != nil {
			return nil, err
		}
	}
}

// appendMissing appends the lines without an index to a log of this size, in
// batches that the log takes, and fills in their indexes. A log that has grown
// is tlog.ErrLost: the lines may have come into it by another process.
func (a *Archive) appendMissing(ctx context.Context, size int64, lines [][]byte, indexes []int64) (done bool, err error) {
	for i := 0; i < len(lines); {
		var batch [][]byte
		var where []int
		bytes := 0
		for ; i < len(lines) && bytes < tlog.MaxBatch/2; i++ {
			if indexes[i] < 0 {
				batch = append(batch, lines[i])
				where = append(where, i)
				bytes += len(lines[i]) + 2
			}
		}
		if len(batch) == 0 {
			continue
		}
		cp, err := a.log.AppendAt(ctx, size, batch)
		if err != nil {
			return false, err
		}
		for k, line := range where {
			indexes[line] = size + int64(k)
		}
		size = cp.Size
	}
	return true, nil
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// enterUnlogged enters sealed WARCs that have no entry: those of an archive that
// had no log before, and those of which a crash left neither entries nor pending
// object.
func (a *Archive) enterUnlogged(ctx context.Context) error {
	rows, err := a.cfg.Catalog.UnloggedWARCs(ctx)
	if err != nil || len(rows) == 0 {
		return err
	}
	if err := a.findLogged(ctx, rows); err != nil {
		return err
	}
	if rows, err = a.cfg.Catalog.UnloggedWARCs(ctx); err != nil {
		return err
	}
	for i, row := range rows {
		a.cfg.Logger.Info("entering a WARC into the log", "object", row.Key, "done", i, "of", len(rows))
		if err := a.tryEnter(ctx, row); err != nil {
			return fmt.Errorf("%s: %w", row.Name, err)
		}
	}
	return nil
}

// tryEnter is enterStored for the start of a process, which one object that is
// damaged or gone must not prevent: that is said, and tried again at each start.
func (a *Archive) tryEnter(ctx context.Context, row catalog.WARCRow) error {
	err := a.enterStored(ctx, row)
	if _, damage := errors.AsType[*damageError](err); damage || errors.Is(err, store.ErrNotExist) {
		a.cfg.Logger.Error("a WARC cannot be entered into the log: bring its object back from a copy", "object", row.Key, "err", err)
		return nil
	}
	return err
}

// findLogged reads the whole log once for entries that the catalog does not know
// of.
func (a *Archive) findLogged(ctx context.Context, rows []catalog.WARCRow) error {
	cp, err := a.log.Refresh(ctx)
	if err != nil || cp.Size == 0 {
		return err
	}
	wanted := make(map[string]bool, len(rows))
	for _, row := range rows {
		wanted[row.Key] = true
	}
	f := newLogFollower(a.cfg.Catalog, func(key string) bool { return wanted[key] })
	for e, err := range a.reader.Entries(ctx, cp, 0, cp.Size) {
		if err != nil {
			return err
		}
		if err := f.add(ctx, e); err != nil {
			return err
		}
	}
	return f.flush(ctx)
}

// enterStored brings a sealed WARC from the store into the log and notes where
// it stands.
func (a *Archive) enterStored(ctx context.Context, row catalog.WARCRow) error {
	p, err := a.leavesOfObject(ctx, row)
	if err != nil {
		return err
	}
	logged, err := a.logWARC(ctx, p)
	if errors.Is(err, errEntered) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := a.cfg.Catalog.LogWARC(ctx, row.Name, *logged); err != nil {
		return err
	}
	return a.dropPending(ctx, p)
}

// leavesOfObject makes the log entries of a WARC in the store.
func (a *Archive) leavesOfObject(ctx context.Context, row catalog.WARCRow) (_ *pending, err error) {
	r, err := a.cfg.Store.Get(ctx, row.Key, 0, -1)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	s, err := scanWARC(r)
	if err != nil {
		return nil, damaged(ctx, err)
	}
	return a.leavesOf(row, s)
}

// Log returns the open log, nil if the archive has none.
func (a *Archive) Log() *tlog.Log { return a.log }

// Spool returns the identity of the spool folder.
func (a *Archive) Spool() string { return a.spool }
