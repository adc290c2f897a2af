package archive

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/fineprint-archive/fineprint/archive/catalog"
	"github.com/fineprint-archive/fineprint/archive/evidence"
	"github.com/fineprint-archive/fineprint/warc"
)

// rowSum stands for a set of rows, in whatever order they come: their number and
// the sum of 128 bits of the SHA-256 of each.
type rowSum struct {
	count  int64
	hi, lo uint64
}

// lookFacts are what log and catalog both say of a look. The source is left out:
// that of a private one stands as a commitment in the log.
type lookFacts struct {
	manifest       string
	sha256         warc.Digest
	n              int64
	offset, length int64
	result         warc.Result
	status         int
	index          int64
}

func (s *rowSum) add(f lookFacts) {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %s %d %d %d %s %d %d", f.manifest, f.sha256.Sum, f.n, f.offset, f.length, f.result, f.status, f.index))
	s.count++
	s.hi += binary.BigEndian.Uint64(sum[:])
	s.lo += binary.BigEndian.Uint64(sum[8:])
}

func rowOfEntry(index int64, e *evidence.Entry) lookFacts {
	return lookFacts{e.Manifest.Record, e.Manifest.SHA256, e.N, e.Offset, e.Length, e.Result, e.Status, index}
}

func rowOfSealed(l *catalog.SealedLook) lookFacts {
	return lookFacts{l.ID, l.ManifestSHA256, l.N, l.Offset, l.Length, l.Result, l.Status, l.Index}
}

func rowOfCatalog(l *catalog.LookRow) lookFacts {
	return lookFacts{l.ID, l.ManifestSHA256, l.N, l.Offset, l.Length, l.Result, l.Status, l.Index}
}

// catalogRows sums up the rows of sealed looks while WARCs are read. A sum that
// differs from that of the log, perhaps because a seal came to its end meanwhile,
// says nothing yet: compareLooks reads the rows of that WARC again.
type catalogRows struct {
	size   int64              // of the log when the reading began: later rows are passed over
	have   map[string]*rowSum // by key of the WARC
	count  int64
	err    error
	done   chan struct{}
	cancel context.CancelFunc
}

// readRows begins to read the rows; nil if there is nothing to compare them with.
func (a *auditor) readRows(ctx context.Context) *catalogRows {
	if a.cfg.Catalog == nil || a.log == nil {
		return nil
	}
	ctx, cancel := context.WithCancel(ctx)
	r := &catalogRows{size: a.newest.Size, have: map[string]*rowSum{}, done: make(chan struct{}), cancel: cancel}
	go func() {
		defer close(r.done)
		r.err = a.cfg.Catalog.SealedLooks(ctx, func(l catalog.SealedLook) error {
			if l.Index >= r.size {
				return nil
			}
			if r.have[l.WARC] == nil {
				r.have[strings.Clone(l.WARC)] = &rowSum{}
			}
			r.have[l.WARC].add(rowOfSealed(&l))
			r.count++
			return nil
		})
	}()
	return r
}

// stop ends the reading and waits for it.
func (r *catalogRows) stop() {
	if r != nil {
		r.cancel()
		<-r.done
	}
}

// compareCatalog compares the catalog with log and store. Looks and WARCs that
// were entered since the log was read are passed over.
func (a *auditor) compareCatalog(ctx context.Context) error {
	if a.rows == nil {
		return nil
	}
	if <-a.rows.done; a.rows.err != nil {
		return a.rows.err
	}
	have := a.rows.have
	a.report.Rows = a.rows.count
	states, err := a.compareWARCs(ctx)
	if err != nil {
		return err
	}
	for _, key := range sortedKeys(a.warcs) {
		w := a.warcs[key]
		rows := have[key]
		delete(have, key)
		if rows == nil {
			rows = &rowSum{}
		}
		if w.rows == *rows || states[key] != catalog.WARCSealed {
			continue
		}
		if err := a.compareLooks(ctx, w); err != nil {
			return err
		}
	}
	for _, key := range sortedKeys(have) {
		a.find(AuditFinding{Kind: AuditCatalog, Object: key, Index: -1,
			Detail: fmt.Sprintf("the catalog has %d looks in a WARC that neither log nor store knows", have[key].count)})
	}
	if err := a.compareLost(ctx); err != nil {
		return err
	}
	if err := a.compareMementos(ctx, states); err != nil {
		return err
	}
	return a.compareAnchors(ctx)
}

// compareWARCs compares the rows of WARC files and returns their states by key.
func (a *auditor) compareWARCs(ctx context.Context) (map[string]catalog.WARCState, error) {
	rows, err := a.cfg.Catalog.WARCs(ctx, catalog.WARCFilter{})
	if err != nil {
		return nil, err
	}
	unlogged, err := a.cfg.Catalog.UnloggedWARCs(ctx)
	if err != nil {
		return nil, err
	}
	states := make(map[string]catalog.WARCState, len(rows))
	for _, row := range rows {
		states[row.Key] = row.State
		w := a.warcs[row.Key]
		f := AuditFinding{Kind: AuditCatalog, Object: row.Key, Index: -1}
		switch {
		case row.State != catalog.WARCSealed:
			continue
		case w == nil: // sealed since, or gone from everywhere
			w = a.warc(row.Key)
			there, err := a.exists(ctx, w)
			if err != nil {
				return nil, err
			}
			delete(a.warcs, row.Key)
			if there {
				continue
			}
			f.Detail = "the catalog has a row of it, and neither log nor store knows it"
		case w.file >= 0 && (row.Size != w.want.size || row.Looks != w.want.looks || w.files == 1 && row.SHA256.Sum != string(w.want.sha256[:])):
			f.Index = w.file
			f.Detail = fmt.Sprintf("its row says %d bytes, %d looks and SHA-256 %s, its entry another thing", row.Size, row.Looks, row.SHA256.Hex())
		default:
			continue
		}
		a.find(f)
	}
	for _, key := range sortedKeys(a.warcs) {
		w := a.warcs[key]
		state, known := states[key]
		f := AuditFinding{Kind: AuditCatalog, Object: key, Index: w.file, Detail: "the log has an entry of it, and the catalog no row"}
		switch {
		case w.file < 0 || state == catalog.WARCSealed:
			continue
		case known:
			f.Kind, f.Detail = AuditPending, fmt.Sprintf("it is in the log, and the catalog calls it %s; the next crawl or `fineprint seal` finishes it", state)
		}
		a.find(f)
	}
	for _, row := range unlogged {
		if w := a.warcs[row.Key]; w != nil && w.file >= 0 {
			a.find(AuditFinding{Kind: AuditCatalog, Object: row.Key, Index: w.file, Detail: "its row does not say where its entry stands in the log"})
		}
	}
	return states, nil
}

// compareLooks says in what the looks of one WARC differ.
func (a *auditor) compareLooks(ctx context.Context, w *auditWARC) error {
	if a.gaps > 0 {
		a.find(AuditFinding{Kind: AuditUnreadable, Object: w.key, Index: w.file, Detail: "the catalog has other looks in it than the log; entries of it may be among those that cannot be read"})
		return nil
	}
	rows := map[int64]catalog.LookRow{}
	for row, err := range a.cfg.Catalog.Looks(ctx, catalog.LookFilter{WARC: w.key, State: catalog.LookSealed}) {
		if err != nil {
			return err
		}
		f := AuditFinding{Kind: AuditCatalog, Object: w.key, Index: -1, Source: row.Source, N: row.N}
		switch _, twice := rows[row.Index]; {
		case row.Index < 0:
			f.Detail = "its row does not say where its entry stands in the log"
		case twice:
			f.Index, f.Detail = row.Index, "two rows say that this is their entry"
		default:
			rows[row.Index] = row
			continue
		}
		a.find(f)
	}
	if w.first >= 0 {
		for leaf, err := range a.log.Entries(ctx, a.report.Checkpoint, w.first, w.last+1) {
			if err != nil {
				return err
			}
			e, err := evidence.ParseEntry(leaf.Data)
			if err != nil || e.Type != evidence.TypeLook || e.WARC != w.key {
				continue
			}
			a.compareLook(leaf.Index, &e, rows)
			delete(rows, leaf.Index)
		}
	}
	for _, index := range slices.Sorted(maps.Keys(rows)) {
		row := rows[index]
		a.find(AuditFinding{Kind: AuditCatalog, Object: w.key, Index: index, Source: row.Source, N: row.N,
			Detail: "the catalog has a row of this look, and the entry that it names is not that of a look in this WARC"})
	}
	return nil
}

func (a *auditor) compareLook(index int64, e *evidence.Entry, rows map[int64]catalog.LookRow) {
	row, ok := rows[index]
	f := AuditFinding{Kind: AuditCatalog, Object: e.WARC, Index: index, Source: e.Source, N: e.N}
	switch {
	case !ok:
		f.Detail = "the log has this look, and the catalog no row with its index"
	case rowOfCatalog(&row) != rowOfEntry(index, e):
		f.Detail = fmt.Sprintf("its row is that of look %d with manifest %s, or says otherwise than the entry", row.N, row.ID)
	default:
		return
	}
	a.find(f)
}

// compareAnchors compares the rows of anchor lists with the lists of log and
// store.
func (a *auditor) compareAnchors(ctx context.Context) error {
	rows, err := a.cfg.Catalog.Anchors(ctx, 0, false)
	if err != nil {
		return err
	}
	index := map[string]int64{}
	for _, key := range a.lists {
		index[key] = -1
	}
	for _, e := range a.anchors {
		index[e.list] = e.index
	}
	for _, row := range rows {
		logged, ok := index[row.List]
		delete(index, row.List)
		if !ok {
			if _, err := a.cfg.Store.Stat(ctx, row.List); err != nil {
				a.find(AuditFinding{Kind: AuditCatalog, Object: row.List, Index: -1, Detail: "the catalog has a row of this anchor list, and it is not there"})
			}
			continue
		}
		if row.Index < 0 && logged >= 0 {
			a.find(AuditFinding{Kind: AuditPending, Object: row.List, Index: logged, Detail: "the catalog does not say yet where the entry of this anchor list stands"})
		} else if row.Index != logged && row.Index < a.report.Checkpoint.Size {
			a.find(AuditFinding{Kind: AuditCatalog, Object: row.List, Index: logged, Detail: fmt.Sprintf("the catalog says that the entry of this anchor list is %d", row.Index)})
		}
	}
	for _, key := range sortedKeys(index) {
		a.find(AuditFinding{Kind: AuditCatalog, Object: key, Index: index[key], Detail: "the catalog has no row of this anchor list"})
	}
	return nil
}
