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

// Finish is everything that becomes true when a look is done.
type Finish struct {
	Look         LookRow // Source, N and ID as begun
	Records      []RecordRow
	Declarations []DeclarationRow // written with this look

	NextAt     time.Time // next visit of the source
	Attempt    int       // how often the source failed in a row, kept for the caller
	Retry      bool      // NextAt is a retry within the look's run: the run still wants the source. Else no run does
	Requisites bool      // requisites were visited in this look
}

// FinishLook does what FinishLooks does, for one look.
func (db *DB) FinishLook(ctx context.Context, f Finish) error {
	return db.FinishLooks(ctx, []Finish{f})
}

// FinishLooks enters in one transaction, in the given order, that looks are
// done: each becomes spooled, its source gets its next visit, and its records can
// be referred to. Finishing a look that is
// finished does nothing; one that never was begun here (its catalog was lost) is
// entered whole, with its source if need be. If another look has the number of
// one of them the error names it, and nothing of the list is done.
func (db *DB) FinishLooks(ctx context.Context, list []Finish) error {
	for i := range list {
		l := &list[i].Look
		if err := errors.Join(checkKey("source id", l.Source), checkKey("manifest id", l.ID), checkKey("WARC key", l.WARC)); err != nil {
			return wrapLook(l, err)
		}
	}
	if len(list) == 0 {
		return nil
	}
	err := db.Write(ctx, func(ctx context.Context, tx *Tx) error { return finishLooks(ctx, tx, list) })
	if len(list) == 1 {
		return wrapLook(&list[0].Look, err)
	}
	return wrap(fmt.Sprintf("finish %d looks", len(list)), err)
}

func wrapLook(l *LookRow, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("finish look %d at source %s: %w", l.N, l.Source, err)
}

// finishLooks is FinishLooks within a transaction.
func finishLooks(ctx context.Context, tx *Tx, list []Finish) error {
	fresh, err := enterLooks(ctx, tx, list)
	if err != nil {
		return err
	}
	var (
		records      []RecordRow
		declarations []DeclarationRow
	)
	for _, f := range fresh {
		if err := finishSource(ctx, tx, f); err != nil {
			return err
		}
		records = append(records, f.Records...)
		declarations = append(declarations, f.Declarations...)
	}
	if err := insertRecords(ctx, tx, records); err != nil {
		return fmt.Errorf("enter records: %w", err)
	}
	if err := insertDeclarations(ctx, tx, declarations); err != nil {
		return fmt.Errorf("enter declarations: %w", err)
	}
	return nil
}

// enterLooks makes rows of looks that were begun or are unknown, and returns
// those that were not finished before.
func enterLooks(ctx context.Context, tx *Tx, list []Finish) (fresh []*Finish, err error) {
	type key struct {
		source string
		n      int64
	}
	var (
		rows    [][]any
		unknown []LookRow
		seen    = make(map[key]string, len(list)) // manifest ids
	)
	name := func(l *LookRow, err error) error {
		if len(list) == 1 {
			return err // the caller names it
		}
		return fmt.Errorf("look %d at source %s: %w", l.N, l.Source, err)
	}
	for i := range list {
		l := &list[i].Look
		id, again := seen[key{l.Source, l.N}]
		if again && id == l.ID {
			continue
		}
		var spool, address string
		begun := false
		if !again {
			begun, err = one(tx.QueryRow(ctx, "DELETE FROM begun WHERE source = $1 AND n = $2 AND id = $3 RETURNING spool, url", l.Source, l.N, l.ID), &spool, &address)
			if err == nil && !begun {
				again, err = one(tx.QueryRow(ctx, `SELECT id FROM looks WHERE source = $1 AND n = $2
					UNION ALL SELECT id FROM begun WHERE source = $1 AND n = $2`, l.Source, l.N), &id)
			}
		}
		switch {
		case err != nil:
			return nil, name(l, err)
		case again && id == l.ID:
			continue
		case again:
			return nil, name(l, fmt.Errorf("another look has this number: its manifest is %s, not %s", id, l.ID))
		case begun:
			rows = append(rows, l.row(LookSpooled, spool, address))
		default:
			unknown = append(unknown, *l)
		}
		seen[key{l.Source, l.N}] = l.ID
		fresh = append(fresh, &list[i])
	}
	if err := insertRows(ctx, tx, insertLook, "", rows); err != nil {
		return nil, fmt.Errorf("enter looks: %w", err)
	}
	for _, f := range fresh {
		if err := insertMementos(ctx, tx, []LookRow{f.Look}); err != nil {
			return nil, err
		}
	}
	return fresh, insertLooks(ctx, tx, unknown, LookSpooled)
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

const insertLook = "INSERT INTO looks (source, n, id, state, spool, url, " + lookFacts + ") VALUES "

// row returns the values of insertLook. spool and address are as stored.
func (l *LookRow) row(state LookState, spool, address string) []any {
	return append([]any{l.Source, l.N, l.ID, string(state), spool, address}, l.facts()...)
}

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
		rows = append(rows, l.row(state, clean(l.Spool), address))
	}
	err := insertRows(ctx, tx, `INSERT INTO sources (id, url, url_hash, host, accept_language, vantage, canonical, canonical_sha256, declared, next_at, last_n) VALUES `,
		" ON CONFLICT (id) DO NOTHING", distinct(sources, []int{0}, nil))
	if err != nil {
		return fmt.Errorf("enter sources: %w", err)
	}
	err = insertRows(ctx, tx, insertLook,
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
	return insertMementos(ctx, tx, looks)
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
	finishSourceSet = `UPDATE sources SET done_n = $2, last_n = CASE WHEN last_n < $2 THEN $2 ELSE last_n END, next_at = $3, attempt = $4,
		wanted_run = CASE WHEN $5 = 1 AND wanted_run = $6 THEN wanted_run ELSE '' END,
		requisites_at = CASE WHEN $7 <> '' THEN $7 ELSE requisites_at END,
		looked_at = $8, result = $9, error = $10, status = $11, manifest = $12, manifest_sha256 = $13,
		failing_since = CASE WHEN $14 = 0 THEN '' WHEN failing_since <> '' THEN failing_since ELSE $8 END`
	finishSourcePayload = `, payload_n = $2, payload_record = $15, payload_sha256 = $16, payload_size = $17,
		decoded_sha256 = $18, payload_url = $19, etag = $20, last_modified = $21, full_at = $8`
	finishSourceWhere = ` WHERE id = $1 AND done_n < $2`
)
