package catalog

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Passage is a block of a version's text, as it is searched.
type Passage struct {
	Hash string // tells texts apart: 16 bytes of the text's SHA-256 in hexadecimal
	Text string
	// Tokens are what is searched for, in their order, divided by single spaces
	// and folded by the caller: no ASCII characters but a to z and 0 to 9.
	// PostgreSQL knows the places of the first 16,383 and of the first 255 that
	// are the same; a caller that wants phrases found behind these cuts the block.
	Tokens string
	Kind   string // of the block: heading, paragraph, item, row
	Block  int    // its place in the version, from 0
}

// VersionPassages is what a version of a document says.
type VersionPassages struct {
	Time     time.Time // of the version: first seen
	Passages []Passage
}

// span is a passage of a document while it stands, or that went at the time of
// the version that is entered.
type span struct {
	id        int64
	firstSeen string
	gone      string
	stays     bool
}

// enterPassages enters what versions of a document say, given in the order of
// their times and after those that are there: it writes what came and what went.
// A version that is older than what is there is passed over, so that entering the
// same again does nothing. Of a text that stands twice in a version the first
// place counts.
func enterPassages(ctx context.Context, tx *Tx, document string, versions []VersionPassages) error {
	for i := range versions {
		if err := versions[i].enter(ctx, tx, clean(document)); err != nil {
			return fmt.Errorf("enter passages of %s: %w", versions[i].Time.UTC().Format(time.RFC3339), err)
		}
	}
	return nil
}

// deletePassages removes all passages of a document.
func deletePassages(ctx context.Context, tx *Tx, document string) error {
	var found int64
	if any, err := one(tx.QueryRow(ctx, "SELECT 1 FROM passages WHERE document = $1 LIMIT 1", clean(document)), &found); err != nil || !any {
		return err
	}
	if _, err := tx.Exec(ctx, "DELETE FROM passage_tokens WHERE rowid IN (SELECT id FROM passages WHERE document = $1)", clean(document)); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, "DELETE FROM passages WHERE document = $1", clean(document))
	return err
}

func (v *VersionPassages) enter(ctx context.Context, tx *Tx, document string) error {
	at := timeText(v.Time)
	var later int64
	_, err := one(tx.QueryRow(ctx, "SELECT 1 FROM passages WHERE document = $1 AND gone > $2 LIMIT 1", document, at), &later)
	if err != nil || later != 0 {
		return err
	}
	standing, err := loadSpans(ctx, tx, document, at)
	if err != nil {
		return err
	}
	for _, s := range standing {
		if s.firstSeen > at {
			return nil
		}
	}
	var fresh []*Passage
	for i := range v.Passages {
		p := &v.Passages[i]
		s := standing[p.Hash]
		if s == nil {
			standing[p.Hash] = &span{stays: true}
			fresh = append(fresh, p)
			continue
		}
		s.stays = true
	}
	if err := settleSpans(ctx, tx, standing, at); err != nil {
		return err
	}
	return insertPassages(ctx, tx, document, at, fresh)
}

// loadSpans returns the passages of a document that stand, or went at a time, by
// their hashes.
func loadSpans(ctx context.Context, tx *Tx, document, at string) (map[string]*span, error) {
	all := make(map[string]*span)
	err := each(ctx, tx, func(scan func(...any) error) error {
		var (
			s    span
			hash string
		)
		err := scan(&s.id, &hash, &s.firstSeen, &s.gone)
		all[hash] = &s
		return err
	}, "SELECT id, hash, first_seen, gone FROM passages WHERE document = $1 AND gone IN ('', $2)", document, at)
	return all, err
}

// settleSpans enters what went. Where two versions have the same time, the second
// one takes the place of the first: what only the first had was never there, and
// what only the first had not never went.
func settleSpans(ctx context.Context, tx *Tx, standing map[string]*span, at string) error {
	for _, s := range standing {
		var err error
		switch {
		case s.id == 0 || s.stays == (s.gone == ""):
			continue
		case s.stays:
			_, err = tx.Exec(ctx, "UPDATE passages SET gone = '' WHERE id = $1", s.id)
		case s.firstSeen < at:
			_, err = tx.Exec(ctx, "UPDATE passages SET gone = $2 WHERE id = $1", s.id, at)
		default:
			if _, err = tx.Exec(ctx, "DELETE FROM passage_tokens WHERE rowid = $1", s.id); err == nil {
				_, err = tx.Exec(ctx, "DELETE FROM passages WHERE id = $1", s.id)
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// insertPassages enters passages that came.
func insertPassages(ctx context.Context, tx *Tx, document, at string, fresh []*Passage) error {
	if len(fresh) == 0 {
		return nil
	}
	ids, err := passageIDs(ctx, tx, len(fresh))
	if err != nil {
		return err
	}
	var passages, tokens [][]any
	for i, p := range fresh {
		passages = append(passages, []any{ids[i], document, clean(p.Hash), clean(p.Kind), int64(p.Block), at, clean(p.Text)})
		form := clean(p.Tokens)
		if tx.db.dialect == Postgres {
			form = tsVector(form)
		}
		tokens = append(tokens, []any{ids[i], form})
	}
	if err := insertEach(ctx, tx, "INSERT INTO passages (id, document, hash, kind, block, first_seen, text) VALUES ", passages); err != nil {
		return err
	}
	return insertEach(ctx, tx, "INSERT INTO passage_tokens (rowid, tokens) VALUES ", tokens)
}

// insertEach inserts rows, on SQLite one a statement: before a statement with
// several it makes a savepoint, for which FTS5 writes out and merges what it holds
// in memory.
func insertEach(ctx context.Context, tx *Tx, head string, rows [][]any) error {
	if tx.db.dialect == Postgres {
		return insertRows(ctx, tx, head, "", rows)
	}
	for _, row := range rows {
		if _, err := tx.Exec(ctx, head+tx.db.values(1, len(row)), row...); err != nil {
			return err
		}
	}
	return nil
}

// passageIDs returns n numbers for new rows. On SQLite the transaction is the
// only one that writes; on PostgreSQL a sequence keeps them apart.
func passageIDs(ctx context.Context, tx *Tx, n int) (ids []int64, err error) {
	if tx.db.dialect == Postgres {
		return collect(ctx, tx, column[int64], "SELECT nextval(pg_get_serial_sequence('passages', 'id')) FROM generate_series(1, $1::bigint)", int64(n))
	}
	var last int64
	if _, err := one(tx.QueryRow(ctx, "SELECT COALESCE(MAX(id), 0) FROM passages"), &last); err != nil {
		return nil, err
	}
	for i := range n {
		ids = append(ids, last+1+int64(i))
	}
	return ids, nil
}

// The bounds of a tsvector (PostgreSQL's manual, section 12.11).
const (
	tsPlaces = 16383 // the highest place of a lexeme
	tsSame   = 255   // places of one lexeme
)

// tsVector returns tokens with their places in the text form of a tsvector.
func tsVector(tokens string) string {
	var order []string
	places := make(map[string][]string)
	n := 0
	for token := range strings.FieldsSeq(tokens) {
		n++
		had, known := places[token]
		if !known {
			order = append(order, token)
		}
		if n <= tsPlaces && len(had) < tsSame {
			places[token] = append(had, strconv.Itoa(n))
		} else if !known {
			places[token] = nil
		}
	}
	var b strings.Builder
	quote := strings.NewReplacer("'", "''", `\`, `\\`)
	for i, token := range order {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString("'" + quote.Replace(token) + "'")
		if at := places[token]; at != nil {
			b.WriteString(":" + strings.Join(at, ","))
		}
	}
	return b.String()
}
