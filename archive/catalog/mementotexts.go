package catalog

import (
	"context"
	"fmt"
	"iter"
	"time"

	"github.com/fineprint-archive/fineprint/warc"
)

// Sighting says that a web archive saw a body at a time.
type Sighting struct {
	Source string
	Time   time.Time
	Key    string // names the body: see package archive
}

// ArchivedDocument is a document with imported captures, and what its rows were
// made of.
type ArchivedDocument struct {
	Document, Service, ServiceID, Terms, Lang, URL string

	MadeOf string // the deriver's own
}

// ArchivedReading is what an imported capture says of a part of a document.
type ArchivedReading struct {
	Part          int
	Look          string // manifest id
	Source        string
	URL           string // the archived address
	Key           string
	Time          time.Time // of the capture, by the web archive
	Grade, Reason string
	Replay        warc.Fact // whether the bytes are those of the index
	Text          string    // its name
	Rules         string
}

// ArchivedVersion is a state of a document's text as a web archive saw it. Only
// those of grade terms whose bytes are not other than the index says count.
type ArchivedVersion struct {
	Document      string
	N             int64 // in the order of time, from 1
	Time          time.Time
	LastSeen      time.Time
	Captures      int64 // sightings of it in a row
	Grade, Reason string
	Replay        warc.Fact
	Text          string
	TextSHA256    string // of the plain text, hexadecimal
	Lang          string // as the text shows
	Words         int64
	Extractor     string
	Parts         string // JSON

	Service, ServiceID, Terms, URL string // of the document; read only
	DocumentLang                   string // likewise
}

// ArchivedDerivation is all that the imported captures of a document came to.
type ArchivedDerivation struct {
	Document ArchivedDocument
	Readings []ArchivedReading
	Texts    []TextRow // those that are not stored
	Versions []ArchivedVersion
}

// MementoSources returns the sources with sealed looks at web archives that were
// made for imports, sorted, each with a text that changes with every such look.
func (db *DB) MementoSources(ctx context.Context) (map[string]string, error) {
	state := map[string]string{}
	err := each(ctx, reader{db}, func(scan func(...any) error) error {
		var source, newest string
		var n int64
		err := scan(&source, &n, &newest)
		state[source] = fmt.Sprintf("%d %s", n, newest)
		return err
	}, `SELECT m.source, COUNT(*), MAX(m.made) FROM mementos m JOIN warcs w ON w.key = m.warc
		WHERE w.state = 'sealed' AND m.purpose IN ('import', 'index') GROUP BY m.source`)
	return state, wrap("list sources with mementos", db.explain(db.redact(err)))
}

// DeclarationOf returns the canonical declaration of a source: that of its newest
// sealed look, or what is declared if there was none; nil if neither is known.
func (db *DB) DeclarationOf(ctx context.Context, source string) ([]byte, error) {
	var canonical []byte
	ok, err := one(reader{db}.QueryRow(ctx, `SELECT d.canonical FROM declarations d WHERE d.sha256 = (SELECT l.declaration_sha256 FROM looks l
		WHERE l.source = $1 AND l.state = 'sealed' AND l.declaration_sha256 <> '' ORDER BY l.n DESC LIMIT 1) LIMIT 1`, clean(source)), &canonical)
	if err == nil && !ok {
		_, err = one(reader{db}.QueryRow(ctx, "SELECT canonical FROM sources WHERE id = $1", clean(source)), &canonical)
	}
	return canonical, wrap("look up declaration of source "+source, db.explain(db.redact(err)))
}

// Declared returns the canonical declaration of a source as it is declared now,
// whatever its looks were made by; nil if it is not known.
func (db *DB) Declared(ctx context.Context, source string) ([]byte, error) {
	var canonical []byte
	_, err := one(reader{db}.QueryRow(ctx, "SELECT canonical FROM sources WHERE id = $1", clean(source)), &canonical)
	return canonical, wrap("look up what is declared of source "+source, db.explain(db.redact(err)))
}

// LooksAtIndex returns the sealed looks at the index of a web archive that were
// made for a source and are not taken in, in the order in which they were made.
func (db *DB) LooksAtIndex(ctx context.Context, source string) ([]LookRow, error) {
	list, err := collect(ctx, reader{db}, (*LookRow).dest, "SELECT "+lookColumns+` FROM mementos m JOIN looks l ON l.id = m.look JOIN sources s ON s.id = l.source
		WHERE m.source = $1 AND m.purpose = 'index' AND l.state = 'sealed' AND NOT EXISTS (SELECT 1 FROM sighted x WHERE x.look = m.look)
		ORDER BY m.made, m.look`, clean(source))
	return list, wrap("list looks at the index", db.explain(db.redact(err)))
}

// LookByID returns the finished look with a manifest and whether there is one.
func (db *DB) LookByID(ctx context.Context, id string) (l LookRow, ok bool, err error) {
	ok, err = one(reader{db}.QueryRow(ctx, "SELECT "+lookColumns+" FROM looks l JOIN sources s ON s.id = l.source WHERE l.id = $1", clean(id)), l.dest()...)
	return l, ok, wrap("look up look", db.explain(db.redact(err)))
}

// EnterSightings enters what a look at the index lists, and that it is taken in.
func (db *DB) EnterSightings(ctx context.Context, look string, list []Sighting) error {
	err := inTurn(list, func(part []Sighting) error {
		rows := make([][]any, len(part))
		for i, s := range part {
			rows[i] = []any{s.Source, timeText(s.Time), clean(s.Key)}
		}
		return db.Write(ctx, func(ctx context.Context, tx *Tx) error {
			return insertRows(ctx, tx, "INSERT INTO sightings (source, time, key) VALUES ", " ON CONFLICT (source, time, key) DO NOTHING", distinct(rows, []int{0, 1, 2}, nil))
		})
	})
	if err == nil && look != "" {
		err = db.Write(ctx, func(ctx context.Context, tx *Tx) error {
			_, err := tx.Exec(ctx, "INSERT INTO sighted (look) VALUES ($1) ON CONFLICT (look) DO NOTHING", look)
			return err
		})
	}
	return wrap("enter sightings", err)
}

// ForgetSightings drops the sightings of a source, to be entered again.
func (db *DB) ForgetSightings(ctx context.Context, source string) error {
	return wrap("forget sightings of "+source, db.Write(ctx, func(ctx context.Context, tx *Tx) error {
		if _, err := tx.Exec(ctx, "DELETE FROM sighted WHERE look IN (SELECT m.look FROM mementos m WHERE m.source = $1)", clean(source)); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, "DELETE FROM sightings WHERE source = $1", clean(source))
		return err
	}))
}

// Sightings returns the sightings of sources by time, source and key.
func (db *DB) Sightings(ctx context.Context, sources []string) iter.Seq2[Sighting, error] {
	w := new(where)
	w.in("source", sources)
	return stream(ctx, db, "list sightings", func(s *Sighting) []any { return []any{&s.Source, scanTime{&s.Time}, &s.Key} },
		"SELECT source, time, key FROM sightings"+w.sql()+" ORDER BY time, source, key", w.args...)
}

// SightedWithoutSHA1 returns the key of the body that a source was seen with at a
// time, if the index gave no SHA-1 of it.
func (db *DB) SightedWithoutSHA1(ctx context.Context, source string, at time.Time) (key string, ok bool, err error) {
	ok, err = one(reader{db}.QueryRow(ctx, "SELECT key FROM sightings WHERE source = $1 AND time = $2 AND key LIKE '%:%' ORDER BY key LIMIT 1", clean(source), timeText(at)), &key)
	return key, ok, wrap("look up sighting", db.explain(db.redact(err)))
}

// DropArchived removes all rows of documents.
func (db *DB) DropArchived(ctx context.Context, documents []string) error {
	if len(documents) == 0 {
		return nil
	}
	return wrap("drop archived texts", db.Write(ctx, func(ctx context.Context, tx *Tx) error {
		for _, table := range []string{"archived", "archived_readings", "archived_texts", "archived_versions"} {
			err := inBatches(documents, func(ids []string) error {
				var w where
				w.in("document", ids)
				_, err := tx.Exec(ctx, "DELETE FROM "+table+w.sql(), w.args...)
				return err
			})
			if err != nil {
				return err
			}
		}
		return nil
	}))
}

// ArchivedMadeOf returns what the rows of the documents with imported captures
// were made of.
func (db *DB) ArchivedMadeOf(ctx context.Context) (map[string]string, error) {
	madeOf := map[string]string{}
	err := each(ctx, reader{db}, func(scan func(...any) error) error {
		var document, of string
		err := scan(&document, &of)
		madeOf[document] = of
		return err
	}, "SELECT document, made_of FROM archived")
	return madeOf, wrap("list archived documents", db.explain(db.redact(err)))
}

// ArchivedReadings returns what the imported captures say of a document, by time,
// part and look.
func (db *DB) ArchivedReadings(ctx context.Context, document string) ([]ArchivedReading, error) {
	list, err := collect(ctx, reader{db}, func(r *ArchivedReading) []any {
		return []any{&r.Part, &r.Look, &r.Source, &r.URL, &r.Key, scanTime{&r.Time}, &r.Grade, &r.Reason, &r.Replay, &r.Text, &r.Rules}
	}, "SELECT part, look, source, url, key, time, grade, reason, replay, text, rules FROM archived_readings WHERE document = $1 ORDER BY time, part, look", clean(document))
	return list, wrap("list archived readings of "+document, db.explain(db.redact(err)))
}

// ArchivedText returns a text of a document's imported captures and whether it is
// there.
func (db *DB) ArchivedText(ctx context.Context, document, name string) ([]byte, bool, error) {
	var body []byte
	ok, err := one(reader{db}.QueryRow(ctx, "SELECT body FROM archived_texts WHERE document = $1 AND name = $2", clean(document), name), &body)
	return body, ok, wrap("read an archived text of "+document, db.explain(db.redact(err)))
}

// EnterArchived replaces the rows of a document by what was derived, in one
// transaction. Texts that no reading and no version has any more go.
func (db *DB) EnterArchived(ctx context.Context, d ArchivedDerivation) error {
	return wrap("enter archived texts of "+d.Document.Document, db.Write(ctx, func(ctx context.Context, tx *Tx) error {
		return d.enter(ctx, tx)
	}))
}

func (d *ArchivedDerivation) enter(ctx context.Context, tx *Tx) error {
	id := clean(d.Document.Document)
	for _, table := range []string{"archived", "archived_readings", "archived_versions"} {
		if _, err := tx.Exec(ctx, "DELETE FROM "+table+" WHERE document = $1", id); err != nil {
			return err
		}
	}
	a := d.Document
	if _, err := tx.Exec(ctx, "INSERT INTO archived (document, service, service_id, terms, lang, url, made_of) VALUES ($1, $2, $3, $4, $5, $6, $7)",
		id, clean(a.Service), clean(a.ServiceID), clean(a.Terms), clean(a.Lang), clean(a.URL), a.MadeOf); err != nil {
		return err
	}
	var readings, versions [][]any
	for _, r := range d.Readings {
		readings = append(readings, []any{id, r.Part, r.Look, r.Source, clean(r.URL), clean(r.Key), timeText(r.Time), r.Grade, clean(r.Reason), string(r.Replay), r.Text, r.Rules})
	}
	for _, v := range d.Versions {
		versions = append(versions, []any{id, v.N, timeText(v.Time), timeText(v.LastSeen), v.Captures, v.Grade, clean(v.Reason), string(v.Replay), v.Text, v.TextSHA256,
			clean(v.Lang), v.Words, clean(v.Extractor), clean(v.Parts)})
	}
	if err := insertRows(ctx, tx, "INSERT INTO archived_readings (document, part, look, source, url, key, time, grade, reason, replay, text, rules) VALUES ", "", readings); err != nil {
		return err
	}
	if err := insertRows(ctx, tx, `INSERT INTO archived_versions (document, n, time, last_seen, captures, grade, reason, replay, text, text_sha256,
		lang, words, extractor, parts) VALUES `, "", versions); err != nil {
		return err
	}
	for _, t := range d.Texts {
		if _, err := tx.Exec(ctx, "INSERT INTO archived_texts (document, name, body) VALUES ($1, $2, $3) ON CONFLICT (document, name) DO NOTHING", id, t.Name, t.Body); err != nil {
			return err
		}
	}
	_, err := tx.Exec(ctx, `DELETE FROM archived_texts WHERE document = $1 AND name NOT IN (SELECT text FROM archived_readings WHERE document = $1)
		AND name NOT IN (SELECT text FROM archived_versions WHERE document = $1)`, id)
	return err
}

// ArchivedVersions returns the versions as a web archive saw them that the filter
// selects, by time, document and order; with All also the captures between them
// that do not count.
func (db *DB) ArchivedVersions(ctx context.Context, f TextFilter) iter.Seq2[ArchivedVersion, error] {
	w := f.where("x.time")
	if !f.All {
		w.add("x.grade = ? AND x.replay <> ?", "terms", string(warc.FactDifferent))
	}
	return stream(ctx, db, "list archived versions", func(v *ArchivedVersion) []any {
		return []any{&v.Document, &v.N, scanTime{&v.Time}, scanTime{&v.LastSeen}, &v.Captures, &v.Grade, &v.Reason, &v.Replay, &v.Text, &v.TextSHA256, &v.Lang, &v.Words,
			&v.Extractor, &v.Parts, &v.Service, &v.ServiceID, &v.Terms, &v.DocumentLang, &v.URL}
	}, `SELECT x.document, x.n, x.time, x.last_seen, x.captures, x.grade, x.reason, x.replay, x.text, x.text_sha256, x.lang, x.words, x.extractor, x.parts,
		t.service, t.service_id, t.terms, t.lang, t.url FROM archived_versions x JOIN archived t ON t.document = x.document`+
		w.sql()+f.tail("x.time", "x.document", "x.n"), w.args...)
}

// ArchivedVersionAt returns the newest version that a web archive saw of a
// document at or before a time, the newest of all for the zero time, and whether
// there is one.
func (db *DB) ArchivedVersionAt(ctx context.Context, document string, at time.Time) (ArchivedVersion, bool, error) {
	f := TextFilter{Documents: []string{document}, Newest: true, Limit: 1}
	if !at.IsZero() {
		f.Until = at.Add(time.Nanosecond)
	}
	for v, err := range db.ArchivedVersions(ctx, f) {
		return v, err == nil, err
	}
	return ArchivedVersion{}, false, nil
}

// ResolveArchived returns the ids of the documents with imported captures that a
// name stands for: a document id itself, or those read from the captures of a
// source id or an address; sorted.
func (db *DB) ResolveArchived(ctx context.Context, name string) ([]string, error) {
	ids, err := collect(ctx, reader{db}, column[string], "SELECT document FROM archived WHERE document = $1", clean(name))
	if err != nil || len(ids) > 0 {
		return ids, wrap("look up documents of "+name, db.explain(db.redact(err)))
	}
	sources, err := db.ResolveSource(ctx, name)
	if err != nil || len(sources) == 0 {
		return nil, err
	}
	w := new(where)
	w.in("source", sources)
	ids, err = collect(ctx, reader{db}, column[string], "SELECT DISTINCT document FROM archived_readings"+w.sql()+" ORDER BY document", w.args...)
	return ids, wrap("look up documents of "+name, db.explain(db.redact(err)))
}
