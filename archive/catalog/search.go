package catalog

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// SearchTerm is a part of a search: tokens that stand one after the other in a
// passage. Tokens are folded as those of [Passage] are and hold neither white
// space nor any other ASCII character but a to z and 0 to 9.
type SearchTerm struct {
	Tokens  []string
	Prefix  bool // the last token is the beginning of one
	Exclude bool // it must not occur
}

// SearchFilter selects passages; zero fields select all, but for
// Query.
type SearchFilter struct {
	Query     []SearchTerm // all of them; one at least is not excluded
	Documents []string     // ids: any of them; nil for all
	Service   string       // id or name
	Terms     string
	Lang      string    // of the document
	Since     time.Time // the passage stood then or later
	Until     time.Time // the passage stood before
	Present   bool      // it stands in the version in force
	Limit     int       // at most that many
}

// Found is a passage and one time over which it stood in a document. A passage
// that went and came back is found once for each.
type Found struct {
	Document, Service, ServiceID, Terms, Lang, URL string

	Text      string
	Kind      string    // of its block: heading, paragraph, item, row
	Block     int       // of the version in which it was first seen, from 0
	FirstSeen time.Time // the first look at the first version with it
	LastSeen  time.Time // the last look at the last version with it
	Gone      time.Time // the first look at the first version without it, zero while it stands
}

// Present reports whether the passage stands in the version in force.
func (f *Found) Present() bool { return f.Gone.IsZero() }

func (f *Found) dest() []any {
	return []any{&f.Document, &f.Service, &f.ServiceID, &f.Terms, &f.Lang, &f.URL, &f.Text, &f.Kind, &f.Block,
		scanTime{&f.FirstSeen}, scanTime{&f.LastSeen}, scanTime{&f.Gone}}
}

// Search returns the passages that the filter selects, by the time at which they
// were first seen, then document, block and place in it. Both databases give the same ones
// in the same order.
func (db *DB) Search(ctx context.Context, f SearchFilter) ([]Found, error) {
	walk, err := db.frequent(ctx, &f)
	if err != nil {
		return nil, fmt.Errorf("search: %w", err)
	}
	query, args, err := f.query(db.dialect, walk)
	if err != nil {
		return nil, fmt.Errorf("search: %w", err)
	}
	list, err := collect(ctx, reader{db}, (*Found).dest, query, args...)
	return list, wrap("search", db.explain(db.redact(err)))
}

// Words that are in so many passages, and in so large a part of them, are frequent.
const (
	frequentPassages = 5000
	frequentPart     = 50
)

// frequent reports whether the first of what a filter selects are found sooner by
// walking the passages in their order than by sorting all that match: then every
// fiftieth passage or more does. Where other conditions select few, it is not asked.
func (db *DB) frequent(ctx context.Context, f *SearchFilter) (bool, error) {
	if f.Limit == 0 || len(f.Documents) > 0 || f.Service != "" || f.Terms != "" || f.Lang != "" || !f.Since.IsZero() || !f.Until.IsZero() {
		return false, nil
	}
	match, err := matchText(db.dialect, f.Query)
	if err != nil {
		return false, err
	}
	matches := "passage_tokens MATCH $1"
	if db.dialect == Postgres {
		matches = "tokens @@ $1::text::tsquery"
	}
	var frequent bool
	_, err = one(reader{db}.QueryRow(ctx, fmt.Sprintf(`WITH enough (n) AS (SELECT CASE WHEN m / %[2]d > %[1]d THEN m / %[2]d ELSE %[1]d END FROM (SELECT COALESCE(MAX(id), 0) AS m FROM passages) a)
		SELECT COUNT(*) >= (SELECT n FROM enough) FROM (SELECT 1 FROM passage_tokens WHERE %[3]s LIMIT (SELECT n FROM enough)) b`,
		frequentPassages, frequentPart, matches), match), &frequent)
	return frequent, wrap("count what matches", db.explain(db.redact(err)))
}

// query returns the statement of the filter. What is found is sorted and cut off
// by its keys alone before the texts are read; with walk it is found in its order.
// Versions of one time have been seen
// last at one time; "~" comes after all times.
func (f *SearchFilter) query(d Dialect, walk bool) (string, []any, error) {
	match, err := matchText(d, f.Query)
	if err != nil {
		return "", nil, err
	}
	const order = " ORDER BY p.first_seen, p.document, p.block, p.id"
	w := f.where(d, match)
	inner := "SELECT p.id FROM passage_tokens x JOIN passages p ON p.id = x.rowid" + w.sql() + order
	if walk {
		inner = f.walk(d, w) + order
	}
	if f.Limit > 0 {
		inner += fmt.Sprintf(" LIMIT %d", f.Limit)
	}
	return `SELECT p.document, t.service, t.service_id, t.terms, t.lang, t.url, p.text, p.kind, p.block, p.first_seen,
		COALESCE((SELECT v.last_seen FROM versions v WHERE v.document = p.document AND v.time < CASE p.gone WHEN '' THEN '~' ELSE p.gone END
			ORDER BY v.time DESC LIMIT 1), ''), p.gone
		FROM (` + inner + ") x JOIN passages p ON p.id = x.id JOIN tracked t ON t.document = p.document" + order, w.args, nil
}

// walk is the statement that looks at one passage after another, in their order.
func (f *SearchFilter) walk(d Dialect, w *where) string {
	match, rest := w.conds[0], where{conds: w.conds[1:]}
	if d == Postgres { // a scalar query of each passage, which no plan takes apart
		rest.conds = append(rest.conds, "(SELECT "+match+" FROM passage_tokens x WHERE x.rowid = p.id)")
		return "SELECT p.id FROM passages p" + rest.sql()
	}
	rest.conds = append(rest.conds, "EXISTS (SELECT 1 FROM passage_tokens x WHERE x.rowid = p.id AND "+match+")")
	return "SELECT p.id FROM passages p INDEXED BY passages_first" + rest.sql()
}

// where returns the conditions of the filter, what is to match first.
func (f *SearchFilter) where(d Dialect, match string) *where {
	w := new(where)
	if d == Postgres {
		w.add("x.tokens @@ ?::text::tsquery", match)
	} else {
		w.add("x.passage_tokens MATCH ?", match)
	}
	w.in("p.document", f.Documents)
	if f.Service != "" || f.Terms != "" || f.Lang != "" {
		t := where{args: w.args}
		if f.Service != "" {
			t.add("(t.service_id = ? OR t.service = ?)", clean(f.Service), clean(f.Service))
		}
		t.equal("t.terms", clean(f.Terms))
		t.equal("t.lang", clean(f.Lang))
		w.args = t.args
		w.add("p.document IN (SELECT t.document FROM tracked t" + t.sql() + ")")
	}
	if !f.Since.IsZero() {
		w.add("(p.gone = '' OR p.gone > ?)", timeText(f.Since))
	}
	if !f.Until.IsZero() {
		w.add("p.first_seen < ?", timeText(f.Until))
	}
	if f.Present {
		w.add("p.gone = ''")
	}
	return w
}

// matchText returns a query in the language of the database's text search:
// FTS5 (SQLite's manual, FTS5, section 3) or tsquery (PostgreSQL's manual,
// section 8.11.2).
func matchText(d Dialect, query []SearchTerm) (string, error) {
	phrase, and, not := ftsPhrase, " AND ", " NOT "
	if d == Postgres {
		phrase, and, not = tsPhrase, " & ", " & !"
	}
	var wanted, unwanted []string
	for _, term := range query {
		if err := term.check(); err != nil {
			return "", err
		}
		if term.Exclude {
			unwanted = append(unwanted, phrase(term))
		} else {
			wanted = append(wanted, phrase(term))
		}
	}
	if len(wanted) == 0 {
		return "", errors.New("the query names nothing that must occur")
	}
	text := "(" + strings.Join(wanted, and) + ")"
	for _, u := range unwanted {
		text += not + u
	}
	return text, nil
}

// check refuses tokens that a database would take for something else.
func (t *SearchTerm) check() error {
	if len(t.Tokens) == 0 {
		return errors.New("a term of the query has no tokens")
	}
	for _, token := range t.Tokens {
		if token == "" || strings.IndexFunc(token, func(r rune) bool { return r < 0x80 && (r < '0' || r > '9') && (r < 'a' || r > 'z') }) >= 0 || clean(token) != token {
			return fmt.Errorf("%q is no token: letters, in lower case, and digits alone are", token)
		}
	}
	return nil
}

// ftsPhrase returns a term as a phrase of FTS5.
func ftsPhrase(t SearchTerm) string {
	s := `"` + strings.Join(t.Tokens, " ") + `"`
	if t.Prefix {
		s += " *"
	}
	return s
}

// tsPhrase returns a term as a phrase of a tsquery.
func tsPhrase(t SearchTerm) string {
	s := "('" + strings.Join(t.Tokens, "' <-> '") + "'"
	if t.Prefix {
		s += ":*"
	}
	return s + ")"
}
