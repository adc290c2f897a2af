package catalog

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// SourceRow is what is declared of a source: one thing to fetch.
type SourceRow struct {
	ID              string
	URL             string
	Host            string // under whose lease it is visited
	AcceptLanguage  string
	Vantage         string
	Canonical       []byte // canonical declaration
	CanonicalSHA256 string // hexadecimal
}

// DocumentRow is what a reader asks for, and the sources it is made of.
type DocumentRow struct {
	ID        string
	Service   string // display name
	ServiceID string
	Terms     string
	Lang      string
	Sources   []string // ids in reading order
}

// DeclaredSet is all that is declared.
type DeclaredSet struct {
	Sources   []SourceRow
	Documents []DocumentRow
}

// SyncStats counts what SyncDeclarations found.
type SyncStats struct {
	Sources int // declared now
	Added   int // declared now and not before
	Removed int // declared before and not now
	Changed int // declared differently now
}

const sourceColumns = "id, url, host, accept_language, vantage, canonical, canonical_sha256"

func (s *SourceRow) dest() []any {
	return []any{&s.ID, &s.URL, &s.Host, &s.AcceptLanguage, &s.Vantage, &s.Canonical, &s.CanonicalSHA256}
}

func (s *SourceRow) args(declared int64, next time.Time) []any {
	address := clean(s.URL)
	return []any{s.ID, address, hashKey(address), clean(s.Host), clean(s.AcceptLanguage), clean(s.Vantage), nonNil(s.Canonical), s.CanonicalSHA256, declared, timeText(next)}
}

func (s *SourceRow) check() error {
	if err := checkKey("source id", s.ID); err != nil {
		return fmt.Errorf("source of %.200q: %w", s.URL, err)
	}
	if err := checkKey("host", s.Host); err != nil {
		return fmt.Errorf("source %s: %w", s.ID, err)
	}
	return nil
}

func (d *DocumentRow) check() error {
	for what, s := range map[string]string{"document id": d.ID, "service id of " + d.ID: d.ServiceID} {
		if err := checkKey(what, s); err != nil {
			return err
		}
	}
	return nil
}

// DeclarationFiles returns the SHA-256 of each declaration file as it was at
// the last SyncDeclarations, by path.
func (db *DB) DeclarationFiles(ctx context.Context) (map[string]string, error) {
	files := map[string]string{}
	err := each(ctx, reader{db}, func(scan func(...any) error) error {
		var path, sum string
		if err := scan(&path, &sum); err != nil {
			return err
		}
		files[path] = sum
		return nil
	}, "SELECT path, sha256 FROM declaration_files")
	if err != nil {
		return nil, fmt.Errorf("list declaration files: %w", db.redact(err))
	}
	return files, nil
}

// SyncDeclarations makes the set declared and the files known, in one
// transaction. New sources are due at once. What is declared no longer is
// marked so and kept: its looks stay. Rows that did not change are not written.
func (db *DB) SyncDeclarations(ctx context.Context, files map[string]string, in DeclaredSet) (SyncStats, error) {
	var stats SyncStats
	err := checkSet(in)
	if err == nil {
		err = db.Write(ctx, func(ctx context.Context, tx *Tx) error {
			stats = SyncStats{Sources: len(in.Sources)}
			if err := syncSources(ctx, tx, in.Sources, &stats); err != nil {
				return fmt.Errorf("sources: %w", err)
			}
			if err := syncDocuments(ctx, tx, in.Documents); err != nil {
				return fmt.Errorf("documents: %w", err)
			}
			return wrap("files", syncFiles(ctx, tx, files))
		})
	}
	if err != nil {
		return SyncStats{}, fmt.Errorf("enter declarations: %w", err)
	}
	return stats, nil
}

// checkSet refuses what cannot be entered.
func checkSet(in DeclaredSet) error {
	seen := make(map[string]bool, len(in.Sources))
	for i := range in.Sources {
		s := &in.Sources[i]
		if err := s.check(); err != nil {
			return err
		}
		if seen[s.ID] {
			return fmt.Errorf("source %s (%.200s) stands there twice", s.ID, s.URL)
		}
		seen[s.ID] = true
	}
	documents := make(map[string]bool, len(in.Documents))
	for i := range in.Documents {
		d := &in.Documents[i]
		if err := d.check(); err != nil {
			return err
		}
		if documents[d.ID] {
			return fmt.Errorf("document %s stands there twice", d.ID)
		}
		documents[d.ID] = true
		for _, id := range d.Sources {
			if !seen[id] {
				return fmt.Errorf("document %s is made of source %s, which is not there", d.ID, id)
			}
		}
	}
	return nil
}

const upsertSource = `INSERT INTO sources (id, url, url_hash, host, accept_language, vantage, canonical, canonical_sha256, declared, next_at) VALUES `

// syncSources writes what is new or changed, and marks what is gone.
func syncSources(ctx context.Context, tx *Tx, sources []SourceRow, stats *SyncStats) error {
	type known struct {
		declared int64
		hash     string // of everything declared
	}
	before := map[string]known{}
	err := each(ctx, tx, func(scan func(...any) error) error {
		var (
			s        SourceRow
			declared int64
		)
		if err := scan(append(s.dest(), &declared)...); err != nil {
			return err
		}
		before[s.ID] = known{declared, s.hash()}
		return nil
	}, "SELECT "+sourceColumns+", declared FROM sources")
	if err != nil {
		return err
	}
	now := tx.db.now()
	var rows [][]any
	for i := range sources {
		s := &sources[i]
		old, ok := before[s.ID]
		delete(before, s.ID)
		switch {
		case !ok || old.declared == 0:
			stats.Added++
		case old.hash != s.hash():
			stats.Changed++
		default:
			continue
		}
		rows = append(rows, s.args(1, now))
	}
	err = insertRows(ctx, tx, upsertSource, ` ON CONFLICT (id) DO UPDATE SET url = excluded.url, url_hash = excluded.url_hash, host = excluded.host,
		accept_language = excluded.accept_language, vantage = excluded.vantage, canonical = excluded.canonical, canonical_sha256 = excluded.canonical_sha256,
		next_at = CASE WHEN sources.declared = 0 THEN excluded.next_at ELSE sources.next_at END, declared = 1`, rows)
	if err != nil {
		return err
	}
	var gone []string
	for id, old := range before {
		if old.declared == 1 {
			gone = append(gone, id)
		}
	}
	stats.Removed = len(gone)
	return inBatches(gone, func(ids []string) error {
		var w where
		w.in("id", ids)
		_, err := tx.Exec(ctx, "UPDATE sources SET declared = 0, wanted_run = ''"+w.sql(), w.args...)
		return err
	})
}

// hash stands for everything declared of a source, as it is stored.
func (s *SourceRow) hash() string {
	return hashKey(strings.Join([]string{clean(s.URL), clean(s.Host), clean(s.AcceptLanguage), clean(s.Vantage), s.CanonicalSHA256, string(s.Canonical)}, "\x00"))
}

// syncDocuments does for documents what syncSources does for sources.
func syncDocuments(ctx context.Context, tx *Tx, documents []DocumentRow) error {
	before, err := knownDocuments(ctx, tx)
	if err != nil {
		return err
	}
	var rows, parts [][]any
	var stale []string // whose parts are written anew
	for i := range documents {
		d := &documents[i]
		old, ok := before[d.ID]
		delete(before, d.ID)
		if ok && old.declared && old.hash() == d.hash() {
			continue
		}
		rows = append(rows, d.args(1))
		stale = append(stale, d.ID)
		parts = append(parts, d.parts()...)
	}
	if err := insertRows(ctx, tx, upsertDocument, upsertDocumentTail, rows); err != nil {
		return err
	}
	if err := deleteParts(ctx, tx, stale); err != nil {
		return err
	}
	if err := insertRows(ctx, tx, insertPart, "", parts); err != nil {
		return err
	}
	var gone []string
	for id, old := range before {
		if old.declared {
			gone = append(gone, id)
		}
	}
	// Their parts stay, so that old looks still say what they were looks at.
	return inBatches(gone, func(ids []string) error {
		var w where
		w.in("id", ids)
		_, err := tx.Exec(ctx, "UPDATE documents SET declared = 0"+w.sql(), w.args...)
		return err
	})
}

const (
	upsertDocument     = "INSERT INTO documents (id, service, service_id, terms, lang, declared) VALUES "
	upsertDocumentTail = ` ON CONFLICT (id) DO UPDATE SET service = excluded.service, service_id = excluded.service_id,
		terms = excluded.terms, lang = excluded.lang, declared = excluded.declared`
	insertPart = "INSERT INTO source_documents (document, part, source) VALUES "
)

func (d *DocumentRow) args(declared int64) []any {
	return []any{d.ID, clean(d.Service), d.ServiceID, clean(d.Terms), clean(d.Lang), declared}
}

func (d *DocumentRow) parts() [][]any {
	rows := make([][]any, 0, len(d.Sources))
	for i, id := range d.Sources {
		rows = append(rows, []any{d.ID, i, id})
	}
	return rows
}

// hash stands for everything declared of a document, as it is stored.
func (d *DocumentRow) hash() string {
	return hashKey(strings.Join(append([]string{clean(d.Service), d.ServiceID, clean(d.Terms), clean(d.Lang)}, d.Sources...), "\x1f"))
}

type knownDocument struct {
	DocumentRow
	declared bool
}

// knownDocuments returns the stored documents by id.
func knownDocuments(ctx context.Context, q Querier) (map[string]*knownDocument, error) {
	list := map[string]*knownDocument{}
	err := each(ctx, q, func(scan func(...any) error) error {
		var d knownDocument
		var declared int64
		if err := scan(&d.ID, &d.Service, &d.ServiceID, &d.Terms, &d.Lang, &declared); err != nil {
			return err
		}
		d.declared = declared == 1
		list[d.ID] = &d
		return nil
	}, "SELECT id, service, service_id, terms, lang, declared FROM documents")
	if err != nil {
		return nil, err
	}
	return list, each(ctx, q, func(scan func(...any) error) error {
		var document, source string
		if err := scan(&document, &source); err != nil {
			return err
		}
		if d := list[document]; d != nil {
			d.Sources = append(d.Sources, source)
		}
		return nil
	}, "SELECT document, source FROM source_documents ORDER BY document, part")
}

// deleteParts removes the parts of documents.
func deleteParts(ctx context.Context, tx *Tx, documents []string) error {
	return inBatches(documents, func(ids []string) error {
		var w where
		w.in("document", ids)
		_, err := tx.Exec(ctx, "DELETE FROM source_documents"+w.sql(), w.args...)
		return err
	})
}

// syncFiles replaces the list of files.
func syncFiles(ctx context.Context, tx *Tx, files map[string]string) error {
	if _, err := tx.Exec(ctx, "DELETE FROM declaration_files"); err != nil {
		return err
	}
	rows := make([][]any, 0, len(files))
	for path, sum := range files {
		rows = append(rows, []any{clean(path), clean(sum)})
	}
	return insertRows(ctx, tx, "INSERT INTO declaration_files (path, sha256) VALUES ", "", distinct(rows, []int{0}, []int{1}))
}

// inBatches calls f with parts of a sorted list that fit into one statement.
func inBatches(list []string, f func([]string) error) error {
	slices.Sort(list) // one order of locks for all processes
	for batch := range slices.Chunk(list, 200) {
		if err := f(batch); err != nil {
			return err
		}
	}
	return nil
}

// WantListed enters sources that need not be declared (addresses given by hand)
// and marks them as wanted by the run and due now. What is entered or declared
// already stays as it is.
func (db *DB) WantListed(ctx context.Context, run string, in DeclaredSet, now time.Time) error {
	if err := checkSet(in); err != nil {
		return fmt.Errorf("enter listed sources: %w", err)
	}
	err := db.Write(ctx, func(ctx context.Context, tx *Tx) error {
		if err := checkKey("run id", run); err != nil {
			return err
		}
		rows := make([][]any, 0, len(in.Sources))
		ids := make([]string, 0, len(in.Sources))
		for i := range in.Sources {
			rows = append(rows, in.Sources[i].args(0, now))
			ids = append(ids, in.Sources[i].ID)
		}
		// A source that came from a rebuild has no canonical declaration yet.
		if err := insertRows(ctx, tx, upsertSource, ` ON CONFLICT (id) DO UPDATE SET host = excluded.host, canonical = excluded.canonical,
			canonical_sha256 = excluded.canonical_sha256 WHERE sources.declared = 0`, rows); err != nil {
			return err
		}
		for i := range in.Documents {
			d := &in.Documents[i]
			n, err := tx.Exec(ctx, upsertDocument+tx.db.values(1, 6)+" ON CONFLICT (id) DO NOTHING", d.args(0)...)
			if err != nil {
				return err
			}
			if n == 0 {
				continue
			}
			if err := insertRows(ctx, tx, insertPart, "", d.parts()); err != nil {
				return err
			}
		}
		return inBatches(ids, func(ids []string) error {
			var w where
			w.in("id", ids)
			w.args = append(w.args, run, timeText(now))
			_, err := tx.Exec(ctx, fmt.Sprintf("UPDATE sources SET wanted_run = $%d, attempt = 0, next_at = $%d", len(w.args)-1, len(w.args))+w.sql(), w.args...)
			return err
		})
	})
	return wrap("enter listed sources", err)
}
