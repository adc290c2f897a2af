package catalog

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"time"
)

// TextFilter selects versions, changes and readings; zero fields select all.
type TextFilter struct {
	Documents []string // ids: any of them; nil for all
	Service   string   // id or name
	Terms     string
	Lang      string
	URL       string    // declared address of the document's first source
	Since     time.Time // Time is not before
	Until     time.Time // Time is before
	All       bool      // versions: also those of kind rules
	Newest    bool      // newest first
	Limit     int
}

// where returns the conditions on a table x joined with tracked t.
func (f *TextFilter) where(column string) *where {
	w := new(where)
	w.in("x.document", f.Documents)
	if f.Service != "" {
		w.add("(t.service_id = ? OR t.service = ?)", f.Service, f.Service)
	}
	w.equal("t.terms", f.Terms)
	w.equal("t.lang", f.Lang)
	w.equal("t.url", f.URL)
	if !f.Since.IsZero() {
		w.add(column+" >= ?", timeText(f.Since))
	}
	if !f.Until.IsZero() {
		w.add(column+" < ?", timeText(f.Until))
	}
	return w
}

// tail returns the order of the rows, by time and document.
func (f *TextFilter) tail(columns ...string) string {
	direction, text := "", " ORDER BY "
	if f.Newest {
		direction = " DESC"
	}
	for i, c := range columns {
		if i > 0 {
			text += ", "
		}
		text += c + direction
	}
	if f.Limit > 0 {
		text += fmt.Sprintf(" LIMIT %d", f.Limit)
	}
	return text
}

// Versions returns the versions that the filter selects, by time, document and
// kind. The first error ends the sequence. A connection is in use until then.
func (db *DB) Versions(ctx context.Context, f TextFilter) iter.Seq2[VersionRow, error] {
	w := f.where("x.time")
	if !f.All {
		w.add("x.kind <> ?", "rules")
	}
	return stream(ctx, db, "list versions", func(v *VersionRow) []any {
		return []any{&v.Document, &v.Look, scanTime{&v.Time}, scanTime{&v.LastSeen}, &v.Kind, &v.Text, &v.TextSHA256, &v.Lang, &v.Words, &v.Extractor,
			scanTime{&v.Confirmed}, &v.Parts, &v.Dates, &v.Editions, &v.Service, &v.ServiceID, &v.Terms, &v.DocumentLang, &v.URL}
	}, `SELECT x.document, x.look, x.time, x.last_seen, x.kind, x.text, x.text_sha256, x.lang, x.words, x.extractor, x.confirmed, x.parts, x.dates, x.editions,
		t.service, t.service_id, t.terms, t.lang, t.url FROM versions x JOIN tracked t ON t.document = x.document`+
		w.sql()+f.tail("x.time", "x.document", "x.kind"), w.args...)
}

// Changes returns the confirmed changes that the filter selects, by time, document
// and id.
func (db *DB) Changes(ctx context.Context, f TextFilter) iter.Seq2[ChangeRow, error] {
	w := f.where("x.time")
	return db.changes(ctx, w, f.tail("x.time", "x.document", "x.id"))
}

// Change returns the change with an id, or with one that begins so, and whether
// there is just one.
func (db *DB) Change(ctx context.Context, id string) (c ChangeRow, ok bool, err error) {
	w := new(where)
	w.add("x.id >= ? AND x.id < ?", clean(id), clean(id)+"g")
	n := 0
	for row, err := range db.changes(ctx, w, " ORDER BY x.id LIMIT 2") {
		if err != nil {
			return c, false, err
		}
		c = row
		n++
	}
	return c, n == 1, nil
}

func (db *DB) changes(ctx context.Context, w *where, tail string) iter.Seq2[ChangeRow, error] {
	return stream(ctx, db, "list changes", func(c *ChangeRow) []any {
		return []any{&c.ID, &c.Document, scanTime{&c.Time}, scanTime{&c.From}, &c.FromText, &c.Text, &c.Kind, scanTime{&c.Confirmed},
			&c.AddedWords, &c.RemovedWords, &c.Effective, &c.Editions, &c.Watch, &c.Summary, &c.Doubt, scanTime{&c.Derived},
			&c.Service, &c.ServiceID, &c.Terms, &c.Lang, &c.URL}
	}, `SELECT x.id, x.document, x.time, x.from_time, x.from_text, x.text, x.kind, x.confirmed, x.added_words, x.removed_words, x.effective, x.editions, x.watch,
		x.summary, x.doubt, x.derived, t.service, t.service_id, t.terms, t.lang, t.url FROM changes x JOIN tracked t ON t.document = x.document`+
		w.sql()+tail, w.args...)
}

// Suppressed returns what looks said that was not told as news: every reading but
// those of the version in force, and those with which a version begins. By time,
// document and source.
func (db *DB) Suppressed(ctx context.Context, f TextFilter) iter.Seq2[Reading, error] {
	w := f.where("x.time_from")
	w.conds = append(w.conds, "x.outcome NOT IN ('', 'unchanged', 'first', 'changed', 'reverted')")
	return db.readings(ctx, w, f.tail("x.time_from", "x.document", "x.source", "x.n_from"))
}

func (db *DB) readings(ctx context.Context, w *where, tail string) iter.Seq2[Reading, error] {
	return stream(ctx, db, "list readings", func(r *Reading) []any {
		return []any{&r.Document, &r.Source, &r.NFrom, &r.NTo, scanTime{&r.From}, scanTime{&r.To}, &r.Grade, &r.Outcome, &r.Reason, &r.Problems, &r.Text,
			&r.Service, &r.ServiceID, &r.Terms, &r.Lang, &r.URL}
	}, `SELECT x.document, x.source, x.n_from, x.n_to, x.time_from, x.time_to, x.grade, x.outcome, x.reason, x.problems, x.text,
		t.service, t.service_id, t.terms, t.lang, t.url FROM readings x JOIN tracked t ON t.document = x.document`+w.sql()+tail, w.args...)
}

// stream yields the rows of a query, one in memory at a time.
func stream[T any](ctx context.Context, db *DB, what string, dest func(*T) []any, query string, args ...any) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		stop := errors.New("stop") // marks that the caller wants no more
		err := each(ctx, reader{db}, func(scan func(...any) error) error {
			var row T
			if err := scan(dest(&row)...); err != nil {
				return err
			}
			if !yield(row, nil) {
				return stop
			}
			return nil
		}, query, args...)
		if err != nil && !errors.Is(err, stop) {
			var zero T
			yield(zero, fmt.Errorf("%s: %w", what, db.explain(db.redact(err))))
		}
	}
}

// VersionAt returns the version of a document in force at a time, the newest for
// the zero time, and whether there is one. One of kind rules is the version before
// it, read anew: it is returned only with rules set.
func (db *DB) VersionAt(ctx context.Context, document string, at time.Time, rules bool) (VersionRow, bool, error) {
	f := TextFilter{Documents: []string{document}, All: rules, Newest: true, Limit: 1}
	if !at.IsZero() {
		f.Until = at.Add(time.Nanosecond)
	}
	for v, err := range db.Versions(ctx, f) {
		return v, err == nil, err
	}
	return VersionRow{}, false, nil
}

// ResolveDocuments returns the ids of the derived documents that a name stands for:
// a document id itself, or those that the looks at a source id or an address were
// read for; sorted.
func (db *DB) ResolveDocuments(ctx context.Context, name string) ([]string, error) {
	if _, ok, err := db.Tracked(ctx, name); err != nil || ok {
		return []string{name}, err
	}
	sources, err := db.ResolveSource(ctx, name)
	if err != nil || len(sources) == 0 {
		return nil, err
	}
	w := new(where)
	w.in("source", sources)
	ids, err := collect(ctx, reader{db}, column[string], "SELECT DISTINCT document FROM readings"+w.sql()+" ORDER BY document", w.args...)
	return ids, wrap("look up documents of "+name, db.explain(db.redact(err)))
}

// Phrases returns the watch phrases of a change.
func (c *ChangeRow) Phrases() []string {
	phrases := []string{}
	if c.Watch != "" {
		_ = json.Unmarshal([]byte(c.Watch), &phrases) // written by the deriver; at worst none are shown
	}
	return phrases
}
