package catalog

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/fineprint-archive/fineprint/warc"
)

// LookFilter selects looks; zero fields select all. Looks that have only begun
// are selected by their state alone.
type LookFilter struct {
	Source     string   // id
	N          int64    // number at its source
	Sources    []string // ids: any of them; nil for all
	Document   string   // id
	Service    string   // id or name
	Terms      string
	Lang       string
	URL        string    // declared address, or the one to which redirects led
	Since      time.Time // Time is not before
	Until      time.Time // Time is before
	Run        string
	WARC       string // key
	Spool      string
	State      LookState
	Result     warc.Result
	Failed     bool // result is failed
	Own        bool // not those at web archives
	Unfinished bool // also looks that have only begun, after the others (before them if Newest)
	Newest     bool // newest first
	Limit      int  // at most that many looks
}

const lookColumns = `l.id, l.source, l.n, l.url, l.final_url, l.time, l.ended, l.run, l.spool, l.state,
	l.result, l.error, l.detail, l.status, l.bytes, l.same_as, l.warc, l.warc_offset, l.warc_length, l.manifest_sha256,
	l.record_id, l.record_offset, l.record_length, l.mime, l.payload_sha1, l.payload_sha256, l.payload_size,
	l.decoded_sha256, l.decoded_size, l.etag, l.last_modified, l.declaration_sha256, l.log_index, s.accept_language, s.vantage`

func (l *LookRow) dest() []any {
	return []any{&l.ID, &l.Source, &l.N, &l.URL, &l.FinalURL, scanTime{&l.Time}, scanTime{&l.Ended}, &l.Run, &l.Spool, &l.State,
		&l.Result, &l.Error, &l.Detail, &l.Status, &l.Bytes, &l.SameAs, &l.WARC, &l.Offset, &l.Length, scanDigest{warc.SHA256, &l.ManifestSHA256},
		&l.RecordID, &l.RecordOffset, &l.RecordLength, &l.MIME, scanDigest{warc.SHA1, &l.PayloadSHA1}, scanDigest{warc.SHA256, &l.PayloadSHA256}, &l.PayloadSize,
		scanDigest{warc.SHA256, &l.DecodedSHA256}, &l.DecodedSize, &l.ETag, &l.LastModified, scanDigest{warc.SHA256, &l.Declaration}, &l.Index, &l.AcceptLanguage, &l.Vantage}
}

// document is a document's part of a joined row.
type document struct {
	id, service, serviceID, terms, lang string
	grade, outcome, reason              string // of the look
}

// suits reports whether the filter asks for the document.
func (f *LookFilter) suits(d document) bool {
	return (f.Document == "" || f.Document == d.id) &&
		(f.Service == "" || f.Service == d.serviceID || f.Service == d.service) &&
		(f.Terms == "" || f.Terms == d.terms) &&
		(f.Lang == "" || f.Lang == d.lang)
}

// where returns the conditions of the filter on looks l.
func (f *LookFilter) where() *where {
	w := new(where)
	w.equal("l.source", f.Source)
	if f.N != 0 {
		w.add("l.n = ?", f.N)
	}
	w.in("l.source", f.Sources)
	if f.URL != "" {
		w.add("(l.source IN (SELECT id FROM sources WHERE url_hash = ?) OR l.final_hash = ? AND l.final_hash <> '')", hashKey(f.URL), hashKey(f.URL))
	}
	if f.Document != "" || f.Service != "" || f.Terms != "" || f.Lang != "" {
		var d where
		d.args = w.args
		d.equal("d.id", f.Document)
		if f.Service != "" {
			d.add("(d.service_id = ? OR d.service = ?)", f.Service, f.Service)
		}
		d.equal("d.terms", f.Terms)
		d.equal("d.lang", f.Lang)
		w.args = d.args
		w.add("l.source IN (SELECT sd.source FROM source_documents sd JOIN documents d ON d.id = sd.document" + d.sql() + ")")
	}
	if !f.Since.IsZero() {
		w.add("l.time >= ?", timeText(f.Since))
	}
	if !f.Until.IsZero() {
		w.add("l.time < ?", timeText(f.Until))
	}
	w.equal("l.run", f.Run)
	w.equal("l.warc", f.WARC)
	w.equal("l.spool", f.Spool)
	w.equal("l.result", string(f.Result))
	if f.Failed {
		w.add("l.result = 'failed'")
	}
	w.equal("l.state", string(f.State))
	if f.Own {
		// By their sources: one that was cut off has no memento.
		w.conds = append(w.conds, "l.source NOT IN (SELECT k.source FROM looks k JOIN mementos m ON m.look = k.id)")
	}
	return w
}

// Looks returns the looks that the filter selects, by time, source and n; where
// finished and begun ones are asked for, the begun ones come last (first, if
// Newest), and one that is finished meanwhile may be missing or come twice. It
// holds one look in memory at a time. The first error ends the sequence. A
// connection is in use until then: do not nest many of these.
func (db *DB) Looks(ctx context.Context, f LookFilter) iter.Seq2[LookRow, error] {
	return func(yield func(LookRow, error) bool) {
		var stop error // marks that the caller wants no more
		left := f.Limit
		for _, table := range f.tables() {
			query, args := f.query(table, left)
			err := db.streamLooks(ctx, &f, query, args, func(l LookRow) error {
				left--
				if !yield(l, nil) {
					stop = errors.New("stop")
					return stop
				}
				return nil
			})
			if err != nil && stop == nil {
				yield(LookRow{}, fmt.Errorf("list looks: %w", db.explain(db.redact(err))))
			}
			if err != nil || f.Limit > 0 && left == 0 {
				return
			}
		}
	}
}

// begunLooks has the form of table looks.
const begunLooks = `(SELECT source, n, id, 'begun' AS state, spool, run, url, time, '' AS final_url, '' AS final_hash, '' AS ended,
	'' AS result, '' AS error, '' AS detail, 0 AS status, '' AS bytes, '' AS same_as, warc, 0 AS warc_offset, 0 AS warc_length,
	'' AS manifest_sha256, '' AS record_id, 0 AS record_offset, 0 AS record_length, '' AS mime, '' AS payload_sha1, '' AS payload_sha256,
	0 AS payload_size, '' AS decoded_sha256, 0 AS decoded_size, '' AS etag, '' AS last_modified, '' AS declaration_sha256, -1 AS log_index FROM begun)`

// tables returns what the filter selects from, in the order of the sequence.
func (f *LookFilter) tables() []string {
	switch {
	case f.State == LookBegun:
		return []string{begunLooks}
	case f.State != "" || !f.Unfinished:
		return []string{"looks"}
	case f.Newest:
		return []string{begunLooks, "looks"}
	}
	return []string{"looks", begunLooks}
}

// query returns the statement of the filter for one table and up to limit looks,
// 0 for all. It sorts by an index, so that the database need not hold all the
// looks either.
func (f *LookFilter) query(table string, limit int) (string, []any) {
	w := f.where()
	order := " ORDER BY l.time, l.source, l.n"
	if f.Newest {
		order = " ORDER BY l.time DESC, l.source DESC, l.n DESC"
	}
	inner := "SELECT l.* FROM " + table + " l" + w.sql() + order
	if limit > 0 {
		inner += fmt.Sprintf(" LIMIT %d", limit)
	}
	return "SELECT " + lookColumns + `, COALESCE(d.id, ''), COALESCE(d.service, ''), COALESCE(d.service_id, ''), COALESCE(d.terms, ''), COALESCE(d.lang, ''),
			COALESCE(r.grade, ''), COALESCE(r.outcome, ''), COALESCE(r.reason, '')
		FROM (` + inner + `) l JOIN sources s ON s.id = l.source
		LEFT JOIN source_documents sd ON sd.source = l.source
		LEFT JOIN documents d ON d.id = sd.document
		LEFT JOIN readings r ON r.document = d.id AND r.source = l.source AND r.n_to >= l.n
			AND r.n_from = (SELECT MAX(x.n_from) FROM readings x WHERE x.document = d.id AND x.source = l.source AND x.n_from <= l.n)` + order + ", d.id", w.args
}

// streamLooks joins the rows of one look, one for each of its documents.
func (db *DB) streamLooks(ctx context.Context, f *LookFilter, query string, args []any, emit func(LookRow) error) error {
	var look LookRow
	matched := false // look's service, terms and lang are of a document that was asked for
	err := each(ctx, reader{db}, func(scan func(...any) error) error {
		var (
			next LookRow
			d    document
		)
		if err := scan(append(next.dest(), &d.id, &d.service, &d.serviceID, &d.terms, &d.lang, &d.grade, &d.outcome, &d.reason)...); err != nil {
			return err
		}
		if next.Source != look.Source || next.N != look.N {
			if look.Source != "" {
				if err := emit(look); err != nil {
					return err
				}
			}
			look, matched = next, false
		}
		if n := len(look.Documents); d.id == "" || n > 0 && look.Documents[n-1] == d.id {
			return nil // without a document, or twice a part of one
		}
		suits := f.suits(d)
		if len(look.Documents) == 0 || suits && !matched {
			look.Service, look.ServiceID, look.Terms, look.Lang = d.service, d.serviceID, d.terms, d.lang
			look.Grade, look.Outcome, look.Reason = d.grade, d.outcome, d.reason
			matched = suits
		}
		look.Documents = append(look.Documents, d.id)
		return nil
	}, query, args...)
	if err != nil || look.Source == "" {
		return err
	}
	return emit(look)
}

// LookAt returns the newest finished look at a source at or before a time, the
// newest of all for the zero time: the one with the highest number.
func (db *DB) LookAt(ctx context.Context, source string, at time.Time) (LookRow, bool, error) {
	w := where{args: []any{clean(source)}}
	w.add("source = $1")
	if !at.IsZero() {
		w.add("time <= ?", timeText(at))
	}
	var n int64
	ok, err := one(reader{db}.QueryRow(ctx, "SELECT n FROM looks"+w.sql()+" ORDER BY n DESC LIMIT 1", w.args...), &n)
	if err != nil || !ok {
		return LookRow{}, false, wrap("look up look at "+source, db.explain(db.redact(err)))
	}
	for l, err := range db.Looks(ctx, LookFilter{Source: source, N: n}) {
		return l, err == nil, err
	}
	return LookRow{}, false, nil
}

// UnfinishedLooks returns the looks that a process with the spool has begun and
// not finished, by time. While it runs they may be under way; after its death
// they are to be finished as interrupted.
func (db *DB) UnfinishedLooks(ctx context.Context, spool string) ([]LookRow, error) {
	list, err := collect(ctx, reader{db}, (*LookRow).dest, "SELECT "+lookColumns+` FROM `+begunLooks+` l JOIN sources s ON s.id = l.source
		WHERE l.spool = $1 ORDER BY l.time, l.source, l.n`, clean(spool))
	if err != nil {
		return nil, fmt.Errorf("list unfinished looks: %w", db.explain(db.redact(err)))
	}
	return list, nil
}
