package archive

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/fineprint-archive/fineprint/archive/catalog"
	"github.com/fineprint-archive/fineprint/crawler/declaration"
	"github.com/fineprint-archive/fineprint/warc"
)

// recover repairs the spool that an earlier process left, with the code of
// normal work: files are cut to their last whole record, manifests without a
// complete row are entered, looks without a manifest get one that says
// interrupted, open files are closed. Leases of dead processes are not its
// matter: they run out.
func (a *Archive) recover(ctx context.Context) error {
	begun, err := a.cfg.Catalog.UnfinishedLooks(ctx, a.spool)
	if err != nil {
		return fmt.Errorf("list unfinished looks: %w", err)
	}
	unfinished := map[string]catalog.LookRow{} // by manifest id
	for _, row := range begun {
		unfinished[row.ID] = row
	}
	rows, err := a.cfg.Catalog.WARCs(ctx, catalog.WARCFilter{Spool: a.spool, Unsealed: true})
	if err != nil {
		return fmt.Errorf("list open WARCs: %w", err)
	}
	if rows, err = a.adopt(ctx, rows); err != nil {
		return err
	}
	for _, row := range rows {
		if err := a.recoverWARC(ctx, row, unfinished); err != nil {
			return fmt.Errorf("%s: %w", row.Name, err)
		}
	}
	return a.enterTraceless(ctx, unfinished)
}

// adopt makes rows for spool files that the catalog does not know: after a lost
// catalog the spool still holds facts.
func (a *Archive) adopt(ctx context.Context, rows []catalog.WARCRow) ([]catalog.WARCRow, error) {
	known := map[string]bool{}
	for _, row := range rows {
		known[row.Name] = true
	}
	files, err := os.ReadDir(a.cfg.Spool)
	if err != nil {
		return nil, err
	}
	for _, f := range files {
		name := strings.TrimSuffix(f.Name(), warc.OpenSuffix)
		if !strings.HasSuffix(name, ".warc.gz") || known[name] {
			continue
		}
		known[name] = true
		state, found, err := a.cfg.Catalog.WARC(ctx, name)
		if err != nil {
			return nil, err
		}
		if found && state.State == catalog.WARCSealed {
			// The crash came between the transaction and the removal.
			if err := os.Remove(filepath.Join(a.cfg.Spool, f.Name())); err != nil {
				return nil, err
			}
			continue
		}
		opened, err := warc.FileTime(name)
		if err != nil {
			return nil, fmt.Errorf("spool holds %s, which is not a WARC of fineprint: %w; move it elsewhere", f.Name(), err)
		}
		row := catalog.WARCRow{Name: name, Key: objectKey(name, opened), Run: a.cfg.Run, Spool: a.spool, OpenedAt: opened}
		if err := a.cfg.Catalog.OpenWARC(ctx, row); err != nil {
			return nil, err
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// recoverWARC mends one file and closes it.
func (a *Archive) recoverWARC(ctx context.Context, row catalog.WARCRow, unfinished map[string]catalog.LookRow) error {
	final := filepath.Join(a.cfg.Spool, row.Name)
	if _, err := os.Stat(final); err == nil {
		// Closed before the crash; its looks may still lack their rows. A crash
		// between link and unlink leaves the open name too.
		if err := os.Remove(final + warc.OpenSuffix); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
		if err := a.enterFrom(ctx, row, final, unfinished); err != nil {
			return err
		}
		if row.State == catalog.WARCClosed {
			return nil
		}
		sum, err := warc.Sum(final)
		if err != nil {
			return err
		}
		return a.cfg.Catalog.CloseWARC(ctx, row.Name, sum.Size, sum.SHA256, int64(sum.Records))
	}
	if _, err := os.Stat(final + warc.OpenSuffix); errors.Is(err, os.ErrNotExist) {
		// The row was written and the file was not: nothing was in it.
		return a.cfg.Catalog.DropWARC(ctx, row.Name)
	}
	file, report, err := warc.OpenExisting(a.cfg.Spool, row.Name)
	if err != nil {
		return err
	}
	a.cfg.Logger.Warn("spool repaired", "object", row.Name, "records", report.Records, "dropped_bytes", report.Dropped)
	if report.Records == 0 {
		return errors.Join(file.Discard(), a.cfg.Catalog.DropWARC(ctx, row.Name))
	}
	if err := a.enterFrom(ctx, row, final+warc.OpenSuffix, unfinished); err != nil {
		return errors.Join(err, file.Abandon())
	}
	if report.Records == 1 && !waits(row, unfinished) {
		// Its warcinfo alone: the process died before the first look.
		return errors.Join(file.Discard(), a.cfg.Catalog.DropWARC(ctx, row.Name))
	}
	if err := a.interrupt(ctx, row, file, unfinished); err != nil {
		return errors.Join(err, file.Abandon())
	}
	return a.closeWARC(ctx, row.Name, file)
}

// waits tells whether a look that had begun was to be written into the file.
func waits(row catalog.WARCRow, unfinished map[string]catalog.LookRow) bool {
	for _, look := range unfinished {
		if look.WARC == row.Name {
			return true
		}
	}
	return false
}

// enterFrom enters every manifest of a spool file whose look is unfinished in
// the catalog, and takes those looks from the list.
func (a *Archive) enterFrom(ctx context.Context, row catalog.WARCRow, name string, unfinished map[string]catalog.LookRow) error {
	scan, err := scanFile(name)
	if err != nil {
		return err
	}
	for _, d := range scan.declarations {
		d.WARC = row.Name
		if err := a.cfg.Catalog.StoreDeclaration(ctx, d); err != nil {
			return err
		}
	}
	for _, found := range scan.manifests {
		_, waiting := unfinished[found.id]
		delete(unfinished, found.id)
		if !waiting {
			known, err := a.cfg.Catalog.HasLook(ctx, found.m.Source, found.m.N)
			if err != nil {
				return err
			}
			if known {
				continue
			}
		}
		look := lookRow(found.m, found.id, found.at, row.Key)
		look.Spool = a.spool
		if err := a.enter(ctx, look, lookRows{records: scan.recordsOf(found.m, row.Name), requisites: requisites(found.m)}, Plan{NextAt: a.cfg.Now()}); err != nil {
			return err
		}
	}
	return nil
}

// interrupt writes a manifest for every half look of an open file.
func (a *Archive) interrupt(ctx context.Context, row catalog.WARCRow, file *warc.File, unfinished map[string]catalog.LookRow) error {
	scan, err := scanFile(filepath.Join(a.cfg.Spool, row.Name+warc.OpenSuffix))
	if err != nil {
		return err
	}
	w := &openWARC{name: row.Name, key: row.Key, info: scan.warcinfo, file: file, chains: map[warc.Digest]bool{}}
	half := scan.halfLooks()
	for id, look := range unfinished {
		if look.WARC == row.Name && half[id] == nil {
			half[id] = &halfLook{}
		}
	}
	for _, id := range slices.Sorted(maps.Keys(half)) {
		if row, ok := unfinished[id]; ok {
			half[id].source, half[id].n = row.Source, row.N
		}
		if err := a.interruptOne(ctx, w, scan, id, half[id], unfinished[id]); err != nil {
			return err
		}
		delete(unfinished, id)
	}
	return nil
}

// declaredPrivate reports whether a canonical declaration says that its source is
// private.
func declaredPrivate(canonical []byte) bool {
	source, _, err := declaration.ParseCanonical(canonical)
	return err == nil && source.Private
}

func (a *Archive) interruptOne(ctx context.Context, w *openWARC, s *scan, id string, half *halfLook, row catalog.LookRow) error {
	prev, _, source, err := a.cfg.Catalog.SourceBefore(ctx, half.source, half.n)
	if err != nil {
		return fmt.Errorf("interrupted look %d of %s: %w", half.n, half.source, err)
	}
	began := row.Time
	if began.IsZero() {
		began = half.began
	}
	m := &warc.Manifest{
		Version: warc.ManifestVersion, Type: "look", Source: half.source, URL: source.URL,
		AcceptLanguage: source.AcceptLanguage, Vantage: source.Vantage, Private: declaredPrivate(source.Canonical),
		Time: began, Ended: a.cfg.Now().UTC(), N: half.n, Prev: prev,
		Result: warc.Failed, Error: "interrupted",
		Detail: "the process ended during this look; entered when it started again",
		Run:    a.cfg.Run, Tool: a.cfg.Tool, Members: half.members,
	}
	if m.Exchanges, err = a.noteReferences(ctx, w, s, half.refers); err != nil {
		return err
	}
	if row.Run != "" {
		m.Run = row.Run
	}
	if m.URL == "" {
		m.URL = half.uri
	}
	ids, err := warc.ResumeLook(half.source, half.n, id)
	if err != nil {
		return err
	}
	record, err := warc.ManifestRecord(warc.Meta{Look: ids, Date: m.Ended, WarcinfoID: w.info}, m)
	if err != nil {
		return err
	}
	placed, err := w.append(record)
	if err != nil {
		return err
	}
	if err := w.file.SyncTo(end(placed)); err != nil {
		return err
	}
	return a.enter(ctx, lookRow(m, id, placed[0], w.key), lookRows{}, Plan{NextAt: a.cfg.Now()})
}

// noteReferences names the full records behind the revisit records of a half look,
// as a manifest does.
func (a *Archive) noteReferences(ctx context.Context, w *openWARC, s *scan, list []refers) (notes []warc.ExchangeNote, err error) {
	for _, r := range list {
		same := &warc.Reference{Record: r.full}
		if _, here := s.responses[r.full]; !here {
			manifest, err := warc.ManifestOf(r.full)
			if err != nil {
				return nil, fmt.Errorf("record %s: %w", r.revisit, err)
			}
			full, known, err := a.cfg.Catalog.LookByID(ctx, manifest)
			if err != nil {
				return nil, err
			}
			if known && full.WARC != w.key {
				same.WARC = full.WARC
			}
		}
		notes = append(notes, warc.ExchangeNote{Response: r.revisit, SameAs: same})
	}
	return notes, nil
}

// enterTraceless enters looks that had begun and left no file behind: their
// WARC row and file never came to be. They get a WARC of their own.
func (a *Archive) enterTraceless(ctx context.Context, unfinished map[string]catalog.LookRow) error {
	if len(unfinished) == 0 {
		return nil
	}
	w, err := a.acquire(ctx)
	if err != nil {
		return err
	}
	defer w.looks.Done()
	for _, id := range slices.Sorted(maps.Keys(unfinished)) {
		row := unfinished[id]
		if err := a.interruptOne(ctx, w, &scan{}, id, &halfLook{source: row.Source, n: row.N}, row); err != nil {
			return err
		}
	}
	return nil
}
