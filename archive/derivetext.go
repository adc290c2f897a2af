package archive

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"

	"github.com/klauspost/compress/flate"

	"github.com/fineprint-archive/fineprint/archive/catalog"
	"github.com/fineprint-archive/fineprint/archive/store"
	"github.com/fineprint-archive/fineprint/archive/terms"
	"github.com/fineprint-archive/fineprint/crawler/declaration"
	"github.com/fineprint-archive/fineprint/warc"
)

// maxPage bounds the body that a text is made of, content codings undone.
const maxPage = 64 << 20

// Reading is a capture that was read: its text, and what it shows beside.
type Reading struct {
	Text    *terms.Text
	Page    *terms.Page
	Verdict terms.Verdict
	// Rules names what made the text: the extractor, and a digest of the declared
	// rules that were followed.
	Rules string
	// Followed are these rules: the declared ones, or none where they matched
	// nothing.
	Followed declaration.Part
	Bytes    int64 // of the body, content codings undone
}

// ReadCapture makes the text of a response by declared rules, and grades it. The
// body is as served, transfer coding removed; c.Size may say how large it will be
// without content codings. What cannot be read is a grade, not an error; so is a
// panic, for one page must not keep all others from being read.
func ReadCapture(ctx context.Context, c terms.Capture, body io.Reader, rules declaration.Part) (r Reading, err error) {
	defer func() {
		if p := recover(); p != nil {
			r, err = unreadable(fmt.Sprintf("a fault of this program that the page brings out: %v", p)), nil
		}
	}()
	data, problem := decodeBody(c.Header, body, c.Size)
	text, page, err := terms.Extract(ctx, terms.Input{
		Body: data, ContentType: c.Header.Get("Content-Type"), Language: c.Header.Get("Content-Language"), URL: c.FinalURL, Rules: rules,
	})
	if err != nil {
		return Reading{}, err
	}
	if text.Lang == "" {
		text.Lang = terms.Language(text, page.Lang)
	}
	c.Size = int64(len(data))
	r = Reading{Text: text, Page: page, Followed: rules, Bytes: c.Size}
	if page.Fallback {
		r.Followed.Select, r.Followed.Remove = nil, nil
	}
	r.Rules = text.Extractor + " " + rulesDigest(r.Followed)
	if problem != "" {
		r.Verdict = terms.Verdict{Grade: terms.GradeUnreadable, Reason: problem}
		return r, nil
	}
	r.Verdict = terms.Assess(c, page, text)
	return r, nil
}

// decodeBody undoes the content codings. A body that is cut off or damaged gives
// what there is and says so.
func decodeBody(h http.Header, body io.Reader, size int64) (data []byte, problem string) {
	decoded, err := warc.Decode(body, h.Get("Content-Encoding"), maxPage)
	if err != nil {
		return nil, err.Error()
	}
	defer decoded.Close() // only read
	var out bytes.Buffer
	out.Grow(int(min(max(size, 0), maxPage)) + bytes.MinRead)
	_, err = out.ReadFrom(decoded)
	if data = out.Bytes(); err != nil {
		return data, fmt.Sprintf("after %d bytes: %v", len(data), err)
	}
	return data, ""
}

// rulesDigest names the rules that make a text of a page.
func rulesDigest(p declaration.Part) string {
	b, err := json.Marshal([]any{p.Select, p.Remove, p.RemoveQueryParams, p.PDF})
	if err != nil {
		panic("rules of strings: " + err.Error())
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:4])
}

// readLook reads the page of a look. A damaged record is a grade.
func readLook(ctx context.Context, s store.Store, db *catalog.DB, look catalog.LookRow, rules declaration.Part) (Reading, error) {
	resp, problem, err := lookResponse(ctx, s, db, look)
	if err != nil {
		return Reading{}, err
	}
	if problem != "" {
		return unreadable(problem), nil
	}
	defer resp.Body.Close() // only read
	return ReadCapture(ctx, terms.Capture{
		Status: look.Status, Header: resp.Header, URL: look.URL, FinalURL: finalURL(look), Truncated: look.Error == "truncated", Size: look.DecodedSize,
	}, resp.Body, rules)
}

// finalURL is the address that answered a look.
func finalURL(look catalog.LookRow) string {
	if look.FinalURL == "" {
		return look.URL
	}
	return look.FinalURL
}

// lookResponse returns the response of the page of a look, which the caller
// closes, or the problem with its record.
func lookResponse(ctx context.Context, s store.Store, db *catalog.DB, look catalog.LookRow) (resp *http.Response, problem string, err error) {
	at, err := fullRecord(ctx, s, db, look, finalURL(look))
	if err != nil {
		return nil, "", err
	}
	if at.length == 0 {
		return nil, "the record that the page's revisit record refers to is not in the archive", nil
	}
	r, err := s.Get(ctx, at.key, at.offset, at.length)
	if errors.Is(err, store.ErrNotExist) {
		return nil, at.key + " is missing", nil
	}
	if err != nil {
		return nil, "", err
	}
	member, err := io.ReadAll(r)
	if err = errors.Join(err, r.Close()); err != nil {
		return nil, "", fmt.Errorf("read %s: %w", at.key, err)
	}
	rec, err := warc.ReadRecord(bytes.NewReader(member), at.offset)
	if err != nil {
		return nil, err.Error(), nil
	}
	if resp, err = rec.HTTPResponse(); err != nil {
		return nil, err.Error(), nil
	}
	return resp, "", nil
}

func unreadable(reason string) Reading {
	return Reading{Text: &terms.Text{Extractor: terms.ExtractorVersion}, Page: &terms.Page{}, Verdict: terms.Verdict{Grade: terms.GradeUnreadable, Reason: reason}}
}

// fullRecord returns where the page of a look is stored in full; no length if it
// is not.
func fullRecord(ctx context.Context, s store.Store, db *catalog.DB, look catalog.LookRow, final string) (piece, error) {
	if look.SameAs == "" {
		return piece{look.WARC, look.RecordOffset, look.RecordLength}, nil
	}
	full, ok, err := db.FullRecord(ctx, final, look.PayloadSHA256)
	if err != nil || ok {
		return piece{full.WARC, full.RecordOffset, full.RecordLength}, err
	}
	// Fetched for another page, or on the way to one.
	key, id, err := db.RecordWARC(ctx, final, look.PayloadSHA256)
	if err != nil || key == "" {
		return piece{}, err
	}
	return findRecord(ctx, s, key, id)
}

// findRecord looks for a record in a WARC file.
func findRecord(ctx context.Context, s store.Store, key, id string) (at piece, err error) {
	r, err := s.Get(ctx, key, 0, -1)
	if errors.Is(err, store.ErrNotExist) {
		return piece{}, nil
	}
	if err != nil {
		return piece{}, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	for rec, err := range warc.NewReader(r).Records() {
		if err != nil {
			return piece{}, fmt.Errorf("read %s: %w", key, err)
		}
		if rec.ID() == id {
			err := rec.Finish()
			return piece{key, rec.Offset, rec.Length}, err
		}
	}
	return piece{}, nil
}

// packText and unpackText are the stored form of a text: JSON, raw deflate.
func packText(t *terms.Text) ([]byte, error) {
	b, err := json.Marshal(t)
	if err != nil {
		return nil, err
	}
	return pack(b)
}

func unpackText(b []byte) (*terms.Text, error) {
	plain, err := unpack(b)
	if err != nil {
		return nil, fmt.Errorf("stored text: %w", err)
	}
	t := new(terms.Text)
	if err := json.Unmarshal(plain, t); err != nil {
		return nil, fmt.Errorf("stored text: %w", err)
	}
	return t, nil
}

// packers are flate writers. A new one takes 650 KB, more than most texts.
var packers = sync.Pool{New: func() any {
	w, err := flate.NewWriter(io.Discard, 3)
	if err != nil {
		panic(err) // there is such a level
	}
	return w
}}

func pack(b []byte) ([]byte, error) {
	var out bytes.Buffer
	w := packers.Get().(*flate.Writer)
	defer packers.Put(w)
	w.Reset(&out)
	if _, err := w.Write(b); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

func unpack(b []byte) ([]byte, error) {
	r := flate.NewReader(bytes.NewReader(b))
	plain, err := io.ReadAll(io.LimitReader(r, 4*maxPage))
	return plain, errors.Join(err, r.Close())
}

// StoredText returns a text of a document that a version or a change names.
func StoredText(ctx context.Context, db *catalog.DB, document, name string) (*terms.Text, error) {
	body, ok, err := db.Text(ctx, document, name)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, fmt.Errorf("text %s of %s is not stored; `fineprint derive --again` makes it again", name, document)
	}
	return unpackText(body)
}
