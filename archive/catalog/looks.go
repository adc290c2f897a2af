package catalog

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/fineprint-archive/fineprint/warc"
)

// LookState says how far a look is on its way into the archive.
type LookState string

// The states of a look, in their order.
const (
	LookBegun   LookState = "begun"   // n is allocated; the look runs, or its process died
	LookSpooled LookState = "spooled" // its manifest is durable in a spool
	LookSealed  LookState = "sealed"  // its WARC file is sealed
)

// LookRow is one look with every fact that its manifest says of it in one line.
// Of a look that has begun only ID, Source, N, URL, Time, Run, Spool, WARC and
// State are known.
type LookRow struct {
	ID             string // record id of the manifest
	Source         string
	N              int64 // from 1, without gaps per source
	URL            string
	AcceptLanguage string
	Vantage        string
	FinalURL       string
	Time           time.Time // start
	Ended          time.Time
	Run            string
	Spool          string // not a fact
	State          LookState

	Result warc.Result
	Error  string // closed list of the crawler
	Detail string // for people
	Status int    // HTTP status, 0 if there was none
	Bytes  warc.BytesState
	SameAs string // id of the earlier record with the same payload

	WARC           string // key of the object that holds it or will; of a begun look the name of its file
	Offset, Length int64  // of the manifest's gzip member
	ManifestSHA256 warc.Digest

	RecordID                   string // of the page's response or revisit record
	RecordOffset, RecordLength int64  // of its gzip member
	MIME                       string
	PayloadSHA1, PayloadSHA256 warc.Digest
	PayloadSize                int64
	DecodedSHA256              warc.Digest
	DecodedSize                int64
	ETag, LastModified         string
	Declaration                warc.Digest // SHA-256 of the canonical declaration
	Documents                  []string    // ids, sorted; read only
	ServiceID, Service         string      // of the first document, or of the first that the filter asks for; read only
	Terms, Lang                string      // likewise
}

// ErrUnknownSource says that a look was begun at a source that is not entered.
var ErrUnknownSource = errors.New("no such source")

// Begin says which look begins.
type Begin struct {
	Source string
	Run    string
	Spool  string // identity of the spool folder
	WARC   string // name of the file that it will be written to
	At     time.Time

	// Known is the source as DueSources returned it, or nil. It saves reading
	// the source again, if nothing happened to it since.
	Known *SourceState

	// ManifestID makes the record id of the manifest when n is known. It may be
	// called more than once; the last answer counts.
	ManifestID func(n int64) string
}

// Begun is what is known when a look has begun.
type Begun struct {
	N    int64
	Prev *warc.Prev // nil for the first finished look of the source
	Last LastPayload
}

// LastPayload is the newest captured page of a source. The zero value says that
// there is none.
type LastPayload struct {
	N             int64 // of the look that captured it
	SHA256        warc.Digest
	Size          int64
	DecodedSHA256 warc.Digest
	RecordID      string
	URL           string    // where redirects had led
	Time          time.Time // of the look
	ETag          string
	LastModified  string
}

const lastColumns = "payload_n, payload_sha256, payload_size, decoded_sha256, payload_record, payload_url, full_at, etag, last_modified"

func (l *LastPayload) dest() []any {
	return []any{&l.N, scanDigest{warc.SHA256, &l.SHA256}, &l.Size, scanDigest{warc.SHA256, &l.DecodedSHA256},
		&l.RecordID, &l.URL, scanTime{&l.Time}, &l.ETag, &l.LastModified}
}

// BeginLook allocates the next number of a source durably and enters the look
// as begun. A crash after it leaves a row that UnfinishedLooks lists.
func (db *DB) BeginLook(ctx context.Context, b Begin) (Begun, error) {
	var begun Begun
	err := db.Write(ctx, func(ctx context.Context, tx *Tx) error {
		var address string
		var err error
		if begun, address, err = allocate(ctx, tx, &b); err != nil {
			return err
		}
		id := b.ManifestID(begun.N)
		if err := checkKey("manifest id", id); err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `INSERT INTO looks (source, n, id, state, spool, run, url, time, warc)
			VALUES ($1, $2, $3, 'begun', $4, $5, $6, $7, $8)`,
			b.Source, begun.N, id, clean(b.Spool), clean(b.Run), address, timeText(b.At), clean(b.WARC))
		return err
	})
	if err != nil {
		return Begun{}, fmt.Errorf("begin look at source %s: %w", b.Source, err)
	}
	return begun, nil
}

// allocate takes the next number of the source, and says what came before and
// where the source is.
func allocate(ctx context.Context, tx *Tx, b *Begin) (begun Begun, address string, err error) {
	if k := b.Known; k != nil && k.ID == b.Source {
		n, err := tx.Exec(ctx, "UPDATE sources SET last_n = $2 + 1 WHERE id = $1 AND last_n = $2 AND done_n = $3", k.ID, k.LastN, k.N)
		if err != nil {
			return Begun{}, "", err
		}
		if n == 1 {
			begun = Begun{N: k.LastN + 1, Last: k.Last}
			if k.Manifest != "" {
				begun.Prev = &warc.Prev{Manifest: k.Manifest, SHA256: k.ManifestSHA256}
			}
			return begun, clean(k.URL), nil
		}
	}
	var prev warc.Prev
	dest := append([]any{&begun.N, &address, &prev.Manifest, scanDigest{warc.SHA256, &prev.SHA256}}, begun.Last.dest()...)
	ok, err := one(tx.QueryRow(ctx, `UPDATE sources SET last_n = last_n + 1 WHERE id = $1
		RETURNING last_n, url, manifest, manifest_sha256, `+lastColumns, clean(b.Source)), dest...)
	switch {
	case err != nil:
		return Begun{}, "", err
	case !ok:
		return Begun{}, "", ErrUnknownSource
	}
	if prev.Manifest != "" {
		begun.Prev = &prev
	}
	return begun, address, nil
}

// Finish is everything that becomes true when a look is done.
type Finish struct {
	Look         LookRow // Source, N and ID as begun
	Records      []RecordRow
	Declarations []DeclarationRow // written with this look

	NextAt     time.Time // next visit of the source
	Attempt    int       // how often the source failed in a row, kept for the caller
	Retry      bool      // NextAt is a retry within the look's run: the run still wants the source
	Requisites bool      // requisites were visited in this look

	Outbox *OutboxNew // nil if nobody is told
}

// FinishLook enters in one transaction that a look is done: the look becomes
// spooled, the source gets its next visit, the records can be referred to, and
// who is told stands in the outbox. Finishing a look that is finished does
// nothing; one that never was begun here (its catalog was lost) is entered
// whole, with its source if need be.
func (db *DB) FinishLook(ctx context.Context, f Finish) error {
	return db.FinishLooks(ctx, []Finish{f})
}

// FinishLooks enters several looks in one transaction: all or, with an error,
// none.
func (db *DB) FinishLooks(ctx context.Context, list []Finish) error {
	return db.Write(ctx, func(ctx context.Context, tx *Tx) error {
		for i := range list {
			if err := finishLook(ctx, tx, &list[i]); err != nil {
				return fmt.Errorf("finish look %d at source %s: %w", list[i].Look.N, list[i].Look.Source, err)
			}
		}
		return nil
	})
}

func finishLook(ctx context.Context, tx *Tx, f *Finish) error {
	l := &f.Look
	err := errors.Join(checkKey("source id", l.Source), checkKey("manifest id", l.ID), checkKey("WARC key", l.WARC))
	if err != nil {
		return err
	}
	fresh, err := finishRow(ctx, tx, l)
	if err != nil || !fresh {
		return err
	}
	if err := finishSource(ctx, tx, f); err != nil {
		return err
	}
	if err := insertRecords(ctx, tx, f.Records); err != nil {
		return fmt.Errorf("enter records: %w", err)
	}
	if err := insertDeclarations(ctx, tx, f.Declarations); err != nil {
		return fmt.Errorf("enter declarations: %w", err)
	}
	if f.Outbox == nil {
		return nil
	}
	return wrap("enter into outbox", insertOutbox(ctx, tx, f.Outbox))
}

// lookFacts are the columns that a look gets when it is done.
const lookFacts = `final_url, final_hash, time, ended, result, error, detail, status, bytes, same_as,
	warc, warc_offset, warc_length, manifest_sha256, record_id, record_offset, record_length, mime,
	payload_sha1, payload_sha256, payload_size, decoded_sha256, decoded_size, etag, last_modified, declaration_sha256, run`

func (l *LookRow) facts() []any {
	final, elsewhere := clean(l.FinalURL), ""
	if final != clean(l.URL) {
		elsewhere = hashKey(final)
	}
	return []any{final, elsewhere, timeText(l.Time), timeText(l.Ended), string(l.Result), clean(l.Error), clean(l.Detail), l.Status,
		string(l.Bytes), clean(l.SameAs), clean(l.WARC), l.Offset, l.Length, digestText(l.ManifestSHA256), clean(l.RecordID),
		l.RecordOffset, l.RecordLength, clean(l.MIME), digestText(l.PayloadSHA1), digestText(l.PayloadSHA256), l.PayloadSize,
		digestText(l.DecodedSHA256), l.DecodedSize, clean(l.ETag), clean(l.LastModified), digestText(l.Declaration), clean(l.Run)}
}

// finishRow completes the row of a look, and reports whether that was still to
// be done.
func finishRow(ctx context.Context, tx *Tx, l *LookRow) (fresh bool, err error) {
	n, err := tx.Exec(ctx, updateLook, append(l.facts(), l.Source, l.N, l.ID)...)
	if err != nil || n == 1 {
		return err == nil, err
	}
	var id string
	ok, err := one(tx.QueryRow(ctx, "SELECT id FROM looks WHERE source = $1 AND n = $2", l.Source, l.N), &id)
	switch {
	case err != nil:
		return false, err
	case ok && id == l.ID:
		return false, nil
	case ok:
		return false, fmt.Errorf("another look has this number: its manifest is %s, not %s", id, l.ID)
	}
	if err := insertLooks(ctx, tx, []LookRow{*l}, LookSpooled); err != nil {
		return false, err
	}
	return true, nil
}

// updateLook sets lookFacts of a begun look.
var updateLook = func() string {
	var b strings.Builder
	b.WriteString("UPDATE looks SET state = 'spooled'")
	names := strings.Split(lookFacts, ",")
	for i, name := range names {
		fmt.Fprintf(&b, ", %s = $%d", strings.TrimSpace(name), i+1)
	}
	fmt.Fprintf(&b, " WHERE source = $%d AND n = $%d AND id = $%d AND state = 'begun'", len(names)+1, len(names)+2, len(names)+3)
	return b.String()
}()

// insertLooks inserts looks that were not begun here, and their sources. Looks
// that are there already are left alone; another look of the same number is an
// error.
func insertLooks(ctx context.Context, tx *Tx, looks []LookRow, state LookState) error {
	sources := make([][]any, 0, len(looks))
	rows := make([][]any, 0, len(looks))
	for i := range looks {
		l := &looks[i]
		address := clean(l.URL)
		sources = append(sources, []any{l.Source, address, hashKey(address), hostOf(address), clean(l.AcceptLanguage), clean(l.Vantage), []byte{}, "", 0, "", l.N})
		rows = append(rows, append([]any{l.Source, l.N, l.ID, string(state), clean(l.Spool), address}, l.facts()...))
	}
	err := insertRows(ctx, tx, `INSERT INTO sources (id, url, url_hash, host, accept_language, vantage, canonical, canonical_sha256, declared, next_at, last_n) VALUES `,
		" ON CONFLICT (id) DO NOTHING", distinct(sources, []int{0}, nil))
	if err != nil {
		return fmt.Errorf("enter sources: %w", err)
	}
	err = insertRows(ctx, tx, "INSERT INTO looks (source, n, id, state, spool, url, "+lookFacts+") VALUES ",
		" ON CONFLICT (source, n) DO NOTHING", rows)
	if err != nil {
		return fmt.Errorf("enter looks: %w", err)
	}
	for i := range looks {
		l := &looks[i]
		var id string
		if err := tx.QueryRow(ctx, "SELECT id FROM looks WHERE source = $1 AND n = $2", l.Source, l.N).Scan(&id); err != nil {
			return err
		}
		if id != l.ID {
			return fmt.Errorf("two looks have number %d at source %s: manifests %s and %s", l.N, l.Source, id, l.ID)
		}
		if _, err := tx.Exec(ctx, "UPDATE sources SET last_n = $2 WHERE id = $1 AND last_n < $2", l.Source, l.N); err != nil {
			return err
		}
	}
	return nil
}

// hostOf returns the host of an address as a key, with its port if it has one.
func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return clean(strings.ToLower(u.Host))
}

// finishSource enters the next visit of the source and what the look says of
// it. An older look that is entered late changes neither.
func finishSource(ctx context.Context, tx *Tx, f *Finish) error {
	l := &f.Look
	failed := truth(l.Result == warc.Failed)
	requisites := ""
	if f.Requisites {
		requisites = timeText(l.Time)
	}
	args := []any{l.Source, l.N, timeText(f.NextAt), f.Attempt, truth(f.Retry), clean(l.Run), requisites, timeText(l.Time),
		string(l.Result), clean(l.Error), l.Status, l.ID, digestText(l.ManifestSHA256), failed}
	query := finishSourceSet + finishSourceWhere
	if l.Result == warc.Captured && !l.PayloadSHA256.IsZero() {
		query = finishSourceSet + finishSourcePayload + finishSourceWhere
		final := l.FinalURL
		if final == "" {
			final = l.URL
		}
		args = append(args, clean(l.RecordID), digestText(l.PayloadSHA256), l.PayloadSize, digestText(l.DecodedSHA256), clean(final), clean(l.ETag), clean(l.LastModified))
	}
	_, err := tx.Exec(ctx, query, args...)
	return wrap("enter next visit", err)
}

const (
	finishSourceSet = `UPDATE sources SET done_n = $2, next_at = $3, attempt = $4,
		wanted_run = CASE WHEN $5 = 1 OR wanted_run <> $6 THEN wanted_run ELSE '' END,
		requisites_at = CASE WHEN $7 <> '' THEN $7 ELSE requisites_at END,
		looked_at = $8, result = $9, error = $10, status = $11, manifest = $12, manifest_sha256 = $13,
		failing_since = CASE WHEN $14 = 0 THEN '' WHEN failing_since <> '' THEN failing_since ELSE $8 END`
	finishSourcePayload = `, payload_n = $2, payload_record = $15, payload_sha256 = $16, payload_size = $17,
		decoded_sha256 = $18, payload_url = $19, etag = $20, last_modified = $21, full_at = $8`
	finishSourceWhere = ` WHERE id = $1 AND done_n < $2`
)

// HasLook reports whether the look has a row, begun or finished.
func (db *DB) HasLook(ctx context.Context, source string, n int64) (bool, error) {
	var found int64
	ok, err := one(reader{db}.QueryRow(ctx, "SELECT 1 FROM looks WHERE source = $1 AND n = $2", clean(source), n), &found)
	return ok, wrap("look up look", db.redact(err))
}

// SourceBefore returns what a look with number n at the source follows: the
// newest finished look before it, the newest captured page before it, and the
// source. Of a source that is not entered all are zero.
func (db *DB) SourceBefore(ctx context.Context, source string, n int64) (*warc.Prev, LastPayload, SourceRow, error) {
	var (
		prev warc.Prev
		last LastPayload
		row  SourceRow
	)
	err := db.Read(ctx, func(ctx context.Context, q Querier) error {
		if ok, err := one(q.QueryRow(ctx, "SELECT "+sourceColumns+" FROM sources WHERE id = $1", clean(source)), row.dest()...); err != nil || !ok {
			return err
		}
		if _, err := one(q.QueryRow(ctx, `SELECT id, manifest_sha256 FROM looks WHERE source = $1 AND n < $2 AND state <> 'begun' ORDER BY n DESC LIMIT 1`,
			source, n), &prev.Manifest, scanDigest{warc.SHA256, &prev.SHA256}); err != nil {
			return err
		}
		_, err := one(q.QueryRow(ctx, `SELECT n, payload_sha256, payload_size, decoded_sha256, record_id, CASE WHEN final_url = '' THEN url ELSE final_url END, time, etag, last_modified
			FROM looks WHERE source = $1 AND n < $2 AND state <> 'begun' AND result = 'captured' AND payload_sha256 <> '' ORDER BY n DESC LIMIT 1`, source, n), last.dest()...)
		return err
	})
	if err != nil {
		return nil, LastPayload{}, SourceRow{}, fmt.Errorf("look up source %s before look %d: %w", source, n, err)
	}
	if prev.Manifest == "" {
		return nil, last, row, nil
	}
	return &prev, last, row, nil
}
