package catalog

import (
	"context"
	"fmt"
	"time"

	"github.com/fineprint-archive/fineprint/warc"
)

// Tracked is a document whose looks are derived, and where that stands.
type Tracked struct {
	Document, Service, ServiceID, Terms, Lang, URL string

	Rules  string    // versions of extractor and tracker
	Cursor time.Time // of the newest look that was taken in
	State  []byte    // the deriver's own
}

// Reading is what looks NFrom to NTo of a source, which follow one another, say
// of a document. Grade and Outcome are "" where nothing came that has a text.
type Reading struct {
	Document, Source string
	NFrom, NTo       int64
	From, To         time.Time
	Grade, Outcome   string
	Reason, Text     string
	Problems         string // JSON list, "" for none

	Service, ServiceID, Terms, Lang, URL string // of the document; read only
}

// TextRow is a text of a document, packed by the caller.
type TextRow struct {
	Name string
	Body []byte
}

// VersionRow is a state of a document's text that was in force.
type VersionRow struct {
	Document   string
	Look       string    // "source n" of its first look
	Time       time.Time // of that look
	LastSeen   time.Time
	Kind       string // first, changed, reverted, rules
	Text       string
	TextSHA256 string // of the plain text, hexadecimal
	Lang       string // as the text shows
	Words      int64
	Extractor  string
	Confirmed  time.Time // of the look that confirmed it, zero for none
	Parts      string    // JSON
	Dates      string    // JSON
	Editions   string    // JSON

	Service, ServiceID, Terms, URL string // of the document; read only
	DocumentLang                   string // likewise
}

// ChangeRow is a confirmed change from one version to the next.
type ChangeRow struct {
	ID           string
	Document     string
	Time, From   time.Time // of the two versions
	Text         string    // of the version
	FromText     string    // of the one before, by the same rules
	Kind         string    // changed, reverted
	Confirmed    time.Time
	AddedWords   int64
	RemovedWords int64
	Effective    string // date stated
	Editions     int64  // standing on the page of the version, 0 if it is one text
	Watch        string // JSON list of phrases
	Summary      string
	Doubt        string    // why it was suspect until enough looks showed it, "" if it was not
	Derived      time.Time // when it was found

	Service, ServiceID, Terms, Lang, URL string // of the document; read only
}

// Derivation is what the looks at one document came to, to be entered in one
// transaction.
type Derivation struct {
	Tracked  Tracked
	Again    bool      // the document's rows are made anew: those that are there go
	Readings []Reading // the first of a source goes on where its last row ends, if both say the same
	Texts    []TextRow // new ones
	Drop     []string  // names of texts that may go, unless a version has them
	Versions []VersionRow
	Passages []VersionPassages // of Versions, for the search
	Seen     []Seen
	Changes  []ChangeRow
	Judged   []Judgement // looks whose outcome a later look has decided
	Recheck  []Recheck
	Outbox   []OutboxNew
}

// Seen says when a version was seen last, and the row of kind rules of the same
// version, if Reread is not zero.
type Seen struct{ Version, Reread, At time.Time }

// Repeats reports whether a reading goes on with the row before it, if that says
// the same. One that a later look may decide stands alone.
func (r *Reading) Repeats() bool {
	return r.Outcome == "" || r.Outcome == "unchanged" || r.Outcome == "suspect" && r.Grade != "terms"
}

// Judgement is the outcome of a look that was entered with another one before.
type Judgement struct {
	Source  string
	N       int64
	Outcome string
}

// Recheck brings the next visit of a source forward.
type Recheck struct {
	Source string
	At     time.Time
}

// Intake is a source with looks that are not derived yet, under one declaration.
type Intake struct {
	Source      string
	Declaration warc.Digest
	Canonical   []byte // the declaration
}

// Underived returns the keys of the sealed WARC files whose looks are not derived
// yet, and the sources of those looks with the declarations in force.
func (db *DB) Underived(ctx context.Context) (keys []string, intake []Intake, err error) {
	err = db.Read(ctx, func(ctx context.Context, q Querier) (err error) {
		if keys, err = collect(ctx, q, column[string], "SELECT key FROM warcs WHERE state = 'sealed' AND derived = 0 ORDER BY key"); err != nil || len(keys) == 0 {
			return err
		}
		intake, err = collect(ctx, q, func(in *Intake) []any {
			return []any{&in.Source, scanDigest{warc.SHA256, &in.Declaration}, &in.Canonical}
		}, `SELECT x.source, x.declaration_sha256, (SELECT d.canonical FROM declarations d WHERE d.sha256 = x.declaration_sha256 LIMIT 1)
			FROM (SELECT DISTINCT l.source, l.declaration_sha256 FROM looks l JOIN warcs w ON w.key = l.warc
				WHERE w.state = 'sealed' AND w.derived = 0 AND l.declaration_sha256 <> '') x
			WHERE EXISTS (SELECT 1 FROM declarations d WHERE d.sha256 = x.declaration_sha256) ORDER BY x.source, x.declaration_sha256`)
		return err
	})
	return keys, intake, wrap("list looks to derive", db.explain(db.redact(err)))
}

// Underive makes all sealed WARC files ones whose looks are to be derived again.
func (db *DB) Underive(ctx context.Context) error {
	return wrap("derive again", db.Write(ctx, func(ctx context.Context, tx *Tx) error {
		_, err := tx.Exec(ctx, "UPDATE warcs SET derived = 0 WHERE derived = 1")
		return err
	}))
}

// MarkDerived notes that the looks in WARC files are derived.
func (db *DB) MarkDerived(ctx context.Context, keys []string) error {
	return wrap("enter derived WARC files", db.Write(ctx, func(ctx context.Context, tx *Tx) error {
		for _, key := range keys {
			if _, err := tx.Exec(ctx, "UPDATE warcs SET derived = 1 WHERE key = $1 AND state = 'sealed'", key); err != nil {
				return err
			}
		}
		return nil
	}))
}

// LooksToDerive returns the sealed looks at sources, by time, source and n: all
// of them, or those alone in WARC files that are not derived yet.
func (db *DB) LooksToDerive(ctx context.Context, sources []string, all bool) ([]LookRow, error) {
	w := new(where)
	w.in("l.source", sources)
	w.add("l.state = ?", string(LookSealed))
	if !all {
		w.add("l.warc IN (SELECT key FROM warcs WHERE state = 'sealed' AND derived = 0)")
	}
	list, err := collect(ctx, reader{db}, (*LookRow).dest, "SELECT "+lookColumns+" FROM looks l JOIN sources s ON s.id = l.source"+w.sql()+" ORDER BY l.time, l.source, l.n", w.args...)
	return list, wrap("list looks to derive", db.explain(db.redact(err)))
}

// FullRecord returns a look whose page is stored in full under an address with a
// payload, in a sealed WARC file, and whether there is one. It need not be a look
// at the same source: another one may have been led to the address.
func (db *DB) FullRecord(ctx context.Context, address string, payload warc.Digest) (LookRow, bool, error) {
	var l LookRow
	ok, err := one(reader{db}.QueryRow(ctx, "SELECT "+lookColumns+` FROM looks l JOIN sources s ON s.id = l.source
		WHERE (l.final_hash = $1 OR l.final_hash = '' AND l.source IN (SELECT id FROM sources WHERE url_hash = $1))
		AND l.payload_sha256 = $2 AND l.same_as = '' AND l.record_length > 0 AND l.state = 'sealed' ORDER BY l.time, l.source, l.n LIMIT 1`,
		hashKey(address), digestText(payload)), l.dest()...)
	return l, ok, wrap("look up a full record", db.explain(db.redact(err)))
}

// RecordWARC returns the key of a sealed WARC file that holds a payload in full
// under an address, whatever it was fetched for, and the record's id; "" for none.
func (db *DB) RecordWARC(ctx context.Context, address string, payload warc.Digest) (key, id string, err error) {
	_, err = one(reader{db}.QueryRow(ctx, `SELECT w.key, r.id FROM records r JOIN warcs w ON w.name = r.warc
		WHERE r.url_hash = $1 AND r.payload_sha256 = $2 AND w.state = 'sealed' ORDER BY w.key LIMIT 1`, hashKey(address), digestText(payload)), &key, &id)
	return key, id, wrap("look up a full record", db.explain(db.redact(err)))
}

// Tracked returns where the derivation of a document stands, and whether it was
// begun.
func (db *DB) Tracked(ctx context.Context, document string) (Tracked, bool, error) {
	t := Tracked{Document: document}
	ok, err := one(reader{db}.QueryRow(ctx, "SELECT service, service_id, terms, lang, url, rules, cursor, state FROM tracked WHERE document = $1", clean(document)),
		&t.Service, &t.ServiceID, &t.Terms, &t.Lang, &t.URL, &t.Rules, scanTime{&t.Cursor}, &t.State)
	return t, ok, wrap("look up document "+document, db.explain(db.redact(err)))
}

// SourcesRead returns the sources with looks that are taken in for a document.
func (db *DB) SourcesRead(ctx context.Context, document string) ([]string, error) {
	list, err := collect(ctx, reader{db}, column[string], "SELECT DISTINCT source FROM readings WHERE document = $1 ORDER BY source", clean(document))
	return list, wrap("list sources of "+document, db.explain(db.redact(err)))
}

// Derived returns the numbers of looks of a source, from n on, that are taken in
// for a document, as runs from, to.
func (db *DB) Derived(ctx context.Context, document, source string, n int64) (runs [][2]int64, err error) {
	err = each(ctx, reader{db}, func(scan func(...any) error) error {
		var r [2]int64
		err := scan(&r[0], &r[1])
		if n := len(runs); n > 0 && runs[n-1][1] == r[0]-1 {
			runs[n-1][1] = r[1]
			return err
		}
		runs = append(runs, r)
		return err
	}, "SELECT n_from, n_to FROM readings WHERE document = $1 AND source = $2 AND n_to >= $3 ORDER BY n_from", clean(document), source, n)
	return runs, wrap("list looks derived", db.explain(db.redact(err)))
}

// Canonical returns a declaration that a look named; nil if no WARC file holds it.
func (db *DB) Canonical(ctx context.Context, declaration warc.Digest) ([]byte, error) {
	var canonical []byte
	_, err := one(reader{db}.QueryRow(ctx, "SELECT canonical FROM declarations WHERE sha256 = $1 LIMIT 1", digestText(declaration)), &canonical)
	return canonical, wrap("read declaration "+declaration.Hex(), db.explain(db.redact(err)))
}

// Look returns the finished look n at a source and whether there is one.
func (db *DB) Look(ctx context.Context, source string, n int64) (LookRow, bool, error) {
	for l, err := range db.Looks(ctx, LookFilter{Source: source, N: n}) {
		return l, err == nil, err
	}
	return LookRow{}, false, nil
}

// ChangesDerived returns the changes of a document, with their ids, kinds, texts
// and times alone, by time.
func (db *DB) ChangesDerived(ctx context.Context, document string) ([]ChangeRow, error) {
	list, err := collect(ctx, reader{db}, func(c *ChangeRow) []any {
		return []any{&c.ID, &c.Kind, &c.FromText, &c.Text, scanTime{&c.Time}, scanTime{&c.Confirmed}, scanTime{&c.Derived}}
	}, "SELECT id, kind, from_text, text, time, confirmed, derived FROM changes WHERE document = $1 ORDER BY time, id", clean(document))
	return list, wrap("list changes of "+document, db.explain(db.redact(err)))
}

// Text returns a text of a document and whether it is there.
func (db *DB) Text(ctx context.Context, document, name string) ([]byte, bool, error) {
	var body []byte
	ok, err := one(reader{db}.QueryRow(ctx, "SELECT body FROM texts WHERE document = $1 AND name = $2", clean(document), name), &body)
	return body, ok, wrap("read a text of "+document, db.explain(db.redact(err)))
}

// EnterDerivations enters what looks came to, in one transaction. Entering the
// same again does nothing.
func (db *DB) EnterDerivations(ctx context.Context, list []Derivation) error {
	if len(list) == 0 {
		return nil
	}
	return wrap(fmt.Sprintf("enter %d derivations", len(list)), db.Write(ctx, func(ctx context.Context, tx *Tx) error {
		for i := range list {
			if err := list[i].enter(ctx, tx); err != nil {
				return fmt.Errorf("%s: %w", list[i].Tracked.Document, err)
			}
		}
		// Apart and last: see insertEach.
		for i := range list {
			if err := enterPassages(ctx, tx, list[i].Tracked.Document, list[i].Passages); err != nil {
				return fmt.Errorf("%s: %w", list[i].Tracked.Document, err)
			}
		}
		return nil
	}))
}

func (d *Derivation) enter(ctx context.Context, tx *Tx) error {
	if d.Again {
		for _, table := range []string{"readings", "texts", "versions", "changes"} {
			if _, err := tx.Exec(ctx, "DELETE FROM "+table+" WHERE document = $1", clean(d.Tracked.Document)); err != nil {
				return err
			}
		}
		if err := deletePassages(ctx, tx, d.Tracked.Document); err != nil {
			return err
		}
	}
	for _, step := range []func(context.Context, *Tx) error{d.enterTracked, d.enterReadings, d.enterJudged, d.enterVersions, d.enterChanges, d.enterTexts, d.enterFollowing} {
		if err := step(ctx, tx); err != nil {
			return err
		}
	}
	return nil
}

func (d *Derivation) enterTracked(ctx context.Context, tx *Tx) error {
	t := &d.Tracked
	_, err := tx.Exec(ctx, `INSERT INTO tracked (document, service, service_id, terms, lang, url, rules, cursor, state)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (document) DO UPDATE SET service = excluded.service, service_id = excluded.service_id,
		terms = excluded.terms, lang = excluded.lang, url = excluded.url, rules = excluded.rules, cursor = excluded.cursor, state = excluded.state`,
		clean(t.Document), clean(t.Service), clean(t.ServiceID), clean(t.Terms), clean(t.Lang), clean(t.URL), clean(t.Rules), timeText(t.Cursor), t.State)
	return err
}

// enterReadings prolongs the last row of a source, or begins another.
func (d *Derivation) enterReadings(ctx context.Context, tx *Tx) error {
	for _, r := range d.Readings {
		n, err := int64(0), error(nil)
		if r.Repeats() {
			n, err = tx.Exec(ctx, `UPDATE readings SET n_to = $4, time_to = $5 WHERE document = $1 AND source = $2 AND n_to = $3 AND n_to < $4
			AND grade = $6 AND outcome = $7 AND reason = $8 AND text = $9 AND problems = $10`,
				clean(r.Document), r.Source, r.NFrom-1, r.NTo, timeText(r.To), r.Grade, r.Outcome, clean(r.Reason), r.Text, clean(r.Problems))
		}
		if err != nil {
			return err
		}
		if n > 0 {
			continue
		}
		_, err = tx.Exec(ctx, `INSERT INTO readings (document, source, n_from, n_to, time_from, time_to, grade, outcome, reason, problems, text)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT (document, source, n_from) DO NOTHING`,
			clean(r.Document), r.Source, r.NFrom, r.NTo, timeText(r.From), timeText(r.To), r.Grade, r.Outcome, clean(r.Reason), clean(r.Problems), r.Text)
		if err != nil {
			return err
		}
	}
	return nil
}

func (d *Derivation) enterTexts(ctx context.Context, tx *Tx) error {
	for _, t := range d.Texts {
		if _, err := tx.Exec(ctx, "INSERT INTO texts (document, name, body) VALUES ($1, $2, $3) ON CONFLICT (document, name) DO NOTHING",
			clean(d.Tracked.Document), t.Name, t.Body); err != nil {
			return err
		}
	}
	for _, name := range d.Drop {
		_, err := tx.Exec(ctx, `DELETE FROM texts WHERE document = $1 AND name = $2
			AND NOT EXISTS (SELECT 1 FROM versions v WHERE v.document = $1 AND v.text = $2)
			AND NOT EXISTS (SELECT 1 FROM changes c WHERE c.document = $1 AND c.from_text = $2)`, clean(d.Tracked.Document), name)
		if err != nil {
			return err
		}
	}
	return nil
}

func (d *Derivation) enterVersions(ctx context.Context, tx *Tx) error {
	for _, v := range d.Versions {
		_, err := tx.Exec(ctx, `INSERT INTO versions (document, look, time, last_seen, kind, text, text_sha256, lang, words, extractor, confirmed, parts, dates, editions)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) ON CONFLICT (document, time, kind) DO UPDATE SET last_seen = excluded.last_seen, confirmed = excluded.confirmed`,
			clean(v.Document), v.Look, timeText(v.Time), timeText(v.LastSeen), v.Kind, v.Text, v.TextSHA256, clean(v.Lang), v.Words, clean(v.Extractor),
			timeText(v.Confirmed), clean(v.Parts), clean(v.Dates), clean(v.Editions))
		if err != nil {
			return err
		}
	}
	for _, seen := range d.Seen {
		_, err := tx.Exec(ctx, `UPDATE versions SET last_seen = $3 WHERE document = $1 AND last_seen < $3
			AND (time = $2 AND kind <> 'rules' OR time = $4 AND kind = 'rules')`,
			clean(d.Tracked.Document), timeText(seen.Version), timeText(seen.At), timeText(seen.Reread))
		if err != nil {
			return err
		}
	}
	return nil
}

func (d *Derivation) enterChanges(ctx context.Context, tx *Tx) error {
	for _, c := range d.Changes {
		_, err := tx.Exec(ctx, `INSERT INTO changes (id, document, time, from_time, from_text, text, kind, confirmed, added_words, removed_words, effective, editions, watch, summary, doubt, derived)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16) ON CONFLICT (id) DO NOTHING`,
			c.ID, clean(c.Document), timeText(c.Time), timeText(c.From), c.FromText, c.Text, c.Kind, timeText(c.Confirmed), c.AddedWords, c.RemovedWords,
			clean(c.Effective), c.Editions, clean(c.Watch), clean(c.Summary), clean(c.Doubt), timeText(c.Derived))
		if err != nil {
			return err
		}
	}
	return nil
}

// enterJudged changes the outcomes of looks that stand there already.
func (d *Derivation) enterJudged(ctx context.Context, tx *Tx) error {
	for _, j := range d.Judged {
		if _, err := tx.Exec(ctx, "UPDATE readings SET outcome = $4, reason = '' WHERE document = $1 AND source = $2 AND n_from = $3",
			clean(d.Tracked.Document), j.Source, j.N, j.Outcome); err != nil {
			return err
		}
	}
	return nil
}

// enterFollowing enters what is to be done because of the looks.
func (d *Derivation) enterFollowing(ctx context.Context, tx *Tx) error {
	for _, r := range d.Recheck {
		if _, err := tx.Exec(ctx, "UPDATE sources SET next_at = $2 WHERE id = $1 AND next_at > $2", r.Source, timeText(r.At)); err != nil {
			return err
		}
	}
	for i := range d.Outbox {
		if err := insertOutbox(ctx, tx, &d.Outbox[i]); err != nil {
			return fmt.Errorf("enter into outbox: %w", err)
		}
	}
	return nil
}
