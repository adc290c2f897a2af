package catalog

import (
	"context"
	"errors"
	"fmt"
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
	Memento                    *MementoRow // of a look at a web archive; written, not read
	Index                      int64       // of its entry in the log, from 0; -1 while it has none; read only
	Documents                  []string    // ids, sorted; read only
	ServiceID, Service         string      // of the first document, or of the first that the filter asks for; read only
	Terms, Lang                string      // likewise
	Grade, Outcome, Reason     string      // of its text, for that document; "" until it is derived; read only
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

	// Alone refuses to begin while another look at the source is under way.
	Alone bool

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

// HasLook reports whether the look has a row, begun or finished.
func (db *DB) HasLook(ctx context.Context, source string, n int64) (bool, error) {
	var found int64
	ok, err := one(reader{db}.QueryRow(ctx, `SELECT 1 FROM looks WHERE source = $1 AND n = $2
		UNION ALL SELECT 1 FROM begun WHERE source = $1 AND n = $2`, clean(source), n), &found)
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
		if _, err := one(q.QueryRow(ctx, `SELECT id, manifest_sha256 FROM looks WHERE source = $1 AND n < $2 ORDER BY n DESC LIMIT 1`,
			source, n), &prev.Manifest, scanDigest{warc.SHA256, &prev.SHA256}); err != nil {
			return err
		}
		_, err := one(q.QueryRow(ctx, `SELECT n, payload_sha256, payload_size, decoded_sha256, record_id, CASE WHEN final_url = '' THEN url ELSE final_url END, time, etag, last_modified
			FROM looks WHERE source = $1 AND n < $2 AND result = 'captured' AND payload_sha256 <> '' ORDER BY n DESC LIMIT 1`, source, n), last.dest()...)
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
