package evidence

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/fineprint-archive/fineprint/archive/tlog"
	"github.com/fineprint-archive/fineprint/warc"
)

const observer = "observer"

// ownWord is what an observer's answer rests on: it came through our recorder.
const ownWord = "the operator's recorder, and the observer's server: ask that address yourself"

// checkObserver shows what the Wayback Machine has of the page: one line for each
// receipt. A capture that disagrees with ours is no false claim: the line says so
// first. False is what contradicts the log, the records or itself.
func (v *verifier) checkObserver() error {
	names := v.bundle.in(dirWayback)
	if len(names) == 0 {
		v.report.add(observer, NotPresent, "", "no second observer: that the site sent these bytes rests on the operator's word")
		return nil
	}
	if v.manifest == nil {
		v.report.add(observer, Unknown, "", "there is no look to compare it with")
		return nil
	}
	w, err := v.openWayback(names)
	if err != nil {
		if isReading(err) {
			return err
		}
		v.report.add(observer, False, "", "%v", err)
		return nil
	}
	for _, k := range w.numbers {
		if err := w.receipt(k); err != nil {
			if isReading(err) {
				return err
			}
			v.report.add(observer, False, "", "%s%d: %v", dirWayback, k, err)
		}
	}
	if strange := w.strange(); strange != "" {
		v.report.add(observer, False, "", "%s", strange)
	}
	return nil
}

// wayback holds the folder of receipts while it is checked.
type wayback struct {
	*verifier
	numbers []int // of the receipts, ascending
	records *io.SectionReader
	c       *contents
	pages   *io.SectionReader // capture.warc.gz
	looks   map[string]bool   // manifests that leaves of the folder name
}

// openWayback checks the form of the folder and that its WARC is sound.
func (v *verifier) openWayback(names []string) (*wayback, error) {
	w := &wayback{verifier: v, looks: map[string]bool{}}
	known := map[string]bool{nameWayback: true, nameWaybackMembers: true}
	for _, name := range names {
		digits, ok := strings.CutSuffix(strings.TrimPrefix(name, dirWayback), suffixReceipt+suffixLeaf)
		k, err := strconv.Atoi(digits)
		if !ok || err != nil || k < 1 || strconv.Itoa(k) != digits {
			continue
		}
		w.numbers = append(w.numbers, k)
		for _, n := range []string{stemReceipt(k), stemReadBack(k)} {
			known[n+suffixLeaf], known[n+suffixProof] = true, true
		}
	}
	for _, name := range names {
		if !known[name] {
			return nil, fmt.Errorf("%s belongs to no receipt", name)
		}
	}
	slices.Sort(w.numbers)
	if len(w.numbers) == 0 || len(w.numbers) > maxReceipts {
		return nil, fmt.Errorf("%s holds %d receipts, want 1 to %d", dirWayback, len(w.numbers), maxReceipts)
	}
	return w, w.openRecords()
}

func (w *wayback) openRecords() (err error) {
	if w.pages, err = w.bundle.section(nameWARC); err != nil {
		return err
	}
	if w.records, err = w.bundle.section(nameWayback); err != nil {
		return err
	}
	first := ""
	counts, err := warc.Check(w.records, warc.ValidateOptions{Extract: true}, func(f warc.Finding) error {
		if f.Severity == warc.SeverityError && first == "" {
			first = f.String()
		}
		return nil
	})
	if err != nil {
		return err
	}
	if counts.Errors > 0 {
		return fmt.Errorf("%s: %d findings are errors: %s", nameWayback, counts.Errors, first)
	}
	if _, err := w.records.Seek(0, io.SeekStart); err != nil {
		return err
	}
	if w.c, err = readContents(w.records); err != nil {
		return fmt.Errorf("%s: %w", nameWayback, err)
	}
	table, err := w.bundle.read(nameWaybackMembers)
	if err == nil && table != nil && !bytes.Equal(table, w.c.table()) {
		err = fmt.Errorf("%s is not what %s holds", nameWaybackMembers, nameWayback)
	}
	return err
}

// strange names a look in the WARC that no leaf of the folder is about.
func (w *wayback) strange() string {
	for _, id := range sortedKeys(w.c.manifests) {
		if !w.looks[id] {
			return fmt.Sprintf("%s holds look %s, which belongs to no receipt", nameWayback, id)
		}
	}
	return ""
}

// receipt checks one receipt and what it follows from.
func (w *wayback) receipt(k int) error {
	look, lookProof, err := w.readProven(stemReadBack(k)+suffixLeaf, stemReadBack(k)+suffixProof)
	if err != nil {
		return err
	}
	if look.entry.Type != TypeLook {
		return fmt.Errorf("the leaf is of type %q, want %q", look.entry.Type, TypeLook)
	}
	w.looks[look.entry.Manifest.Record] = true
	receipt, proof, err := w.readProven(stemReceipt(k)+suffixLeaf, stemReceipt(k)+suffixProof)
	if err != nil {
		return err
	}
	m, err := w.ofLeafIn(nameWayback, w.c, look)
	if err != nil {
		return err
	}
	if err := w.follows(m, look, receipt); err != nil {
		return err
	}
	computed, err := w.compare(m, &receipt.entry)
	if err != nil {
		return err
	}
	contact, err := w.contact(m)
	if err != nil {
		return err
	}
	said := w.says(k, m, &receipt.entry, computed, contact)
	if w.newer == nil {
		w.report.add(observer, Unknown, "", "%s; that the log holds it could not be checked", said)
		return nil
	}
	if err := w.inLog(k, look, lookProof, receipt, proof); err != nil {
		return err
	}
	w.report.add(observer, OK, ownWord, "%s", said)
	return nil
}

// inLog checks that the log holds the receipt and the look that it follows from.
func (w *wayback) inLog(k int, look proven, lookProof tlog.Inclusion, receipt proven, proof tlog.Inclusion) error {
	file := nameNewer
	if w.newer == &w.checkpoint {
		file = nameCheckpoint
	}
	return errors.Join(
		holds(proof, *w.newer, file, receipt.leaf, stemReceipt(k)+suffixLeaf, stemReceipt(k)+suffixProof),
		holds(lookProof, *w.newer, file, look.leaf, stemReadBack(k)+suffixLeaf, stemReadBack(k)+suffixProof))
}

// follows checks that the receipt is the one that follows from the manifest, and
// that it is about a look of this bundle.
func (w *wayback) follows(m *warc.Manifest, look, receipt proven) error {
	own, ok := ReceiptOf(m, look.entry.Manifest.Record)
	if !ok {
		return errors.New("no receipt follows from the manifest of the look")
	}
	leaf, err := own.Encode()
	if err != nil {
		return err
	}
	if !bytes.Equal(leaf, receipt.leaf) {
		return fmt.Errorf("the receipt says something else than the manifest of the look, from byte %d on", firstDifference(leaf, receipt.leaf))
	}
	of := receipt.entry.Manifest
	ours := w.contents.manifests[of.Record]
	if !w.leaves()[of.Record] || ours == nil || ours.sha256 != of.SHA256 || ours.manifest.Source != m.Memento.Source || ours.manifest.N != m.Memento.N {
		return errors.New("the receipt is about a look that is none of this bundle")
	}
	if !strings.Contains(m.URL, "/"+m.Memento.Time.UTC().Format("20060102150405")+"id_/") {
		return errors.New("the address that was asked for is not that of the capture's time")
	}
	return nil
}

// compare computes the facts that the bodies show, and holds them against those
// that the receipt states. It returns the names of those computed. That of the
// texts is the archive's word: it rests on an extractor.
func (w *wayback) compare(m *warc.Manifest, e *Entry) (computed []string, err error) {
	theirs, err := bodyOf(w.records, w.c, m)
	if err != nil && !errors.Is(err, errNoBody) {
		return nil, fmt.Errorf("%s: %w", nameWayback, err)
	}
	page := w.contents.manifests[e.Manifest.Record].manifest
	ours, err := bodyOf(w.pages, w.contents, page)
	if err != nil && !errors.Is(err, errNoBody) {
		return nil, fmt.Errorf("%s: %w", nameWARC, err)
	}
	if err := w.answers(m); err != nil {
		return nil, err
	}
	own := warc.CompareBodies(m.Memento.Digest, theirs, ours)
	for _, f := range []struct {
		name        string
		says, found warc.Fact
	}{{"index", e.Facts.Index, own.Index}, {"replay", e.Facts.Replay, own.Replay}, {"content", e.Facts.Content, own.Content}} {
		switch {
		case f.found == "" || f.says != warc.FactSame && f.says != warc.FactDifferent:
		case f.found != f.says:
			return nil, fmt.Errorf("the receipt says that the comparison %q is %q; by the records it is %q", f.name, f.says, f.found)
		default:
			computed = append(computed, f.name)
		}
	}
	return computed, nil
}

// contact says who was asked, as far as the connection shows it.
func (w *wayback) contact(m *warc.Manifest) (string, error) {
	if m.TLS == nil || m.TLS.Proof.IsZero() {
		return "", nil
	}
	facts, err := w.handshake(nameWayback, w.c, m)
	switch {
	case err != nil:
		return "", err
	case facts.Path != nil:
		return "; no root of yours vouches for the key that answered", nil
	}
	return "; the holder of the key of " + facts.ServerName + " answered", nil
}

// says puts a receipt into words.
func (w *wayback) says(k int, m *warc.Manifest, e *Entry, computed []string, contact string) string {
	words, _ := agreement(e.Facts, m.Memento.Grade)
	if n := m.Memento.N; n != w.look.entry.N {
		words += fmt.Sprintf(" (at look %d)", n)
	}
	how := "as the log says"
	if len(computed) > 0 {
		how = strings.Join(computed, ", ") + " computed here, the rest as the log says"
	}
	return fmt.Sprintf("%s%d: %s: %s, captured %s, asked for %s (%s: %s)%s", dirWayback, k, words, e.Capture, stamp(e.Time), stamp(m.Time), factWords(e.Facts), how, contact)
}

// answers holds what the manifest says of the capture against the answers: the
// index lists its time with its digest, and the replay is of that time.
func (w *wayback) answers(m *warc.Manifest) error {
	x := m.Memento
	asked, listed := false, false
	for _, note := range m.Exchanges {
		at := w.answer(m, &note)
		if at.typ != warc.TypeResponse && at.typ != warc.TypeRevisit {
			continue
		}
		if note.Kind != warc.KindIndex {
			if err := w.replayed(at, x); err != nil {
				return err
			}
			continue
		}
		found, err := w.lists(at, x)
		if err != nil {
			return err
		}
		asked, listed = true, listed || found
	}
	if asked && !listed && !x.Digest.IsZero() && x.Facts.Index != warc.FactAbsent {
		return fmt.Errorf("no answer of the index lists a capture of %s with digest %s", x.Time.UTC().Format("20060102150405"), x.Digest.Base32())
	}
	return nil
}

// answer returns the record of an exchange: of an index answer the one that holds
// its body in full.
func (w *wayback) answer(m *warc.Manifest, note *warc.ExchangeNote) member {
	at := w.c.byID[note.Response]
	if note.Kind == warc.KindIndex && at.typ == warc.TypeRevisit && note.SameAs != nil {
		return w.c.byID[note.SameAs.Record]
	}
	return at
}

// replayed checks that an answer that names the time of a capture names this one,
// unless the capture was found to be absent.
func (w *wayback) replayed(at member, x *warc.Memento) error {
	rec, err := warc.ReadRecordAt(w.records, at.offset, at.length)
	if err != nil {
		return err
	}
	resp, err := rec.HTTPResponse()
	if err != nil {
		return nil // no HTTP: then it names none
	}
	defer resp.Body.Close()
	if x.Facts.Replay == warc.FactAbsent {
		return nil // that is what the answer shows
	}
	if when, err := http.ParseTime(resp.Header.Get("Memento-Datetime")); err == nil && resp.StatusCode == http.StatusOK && !when.Equal(x.Time.Truncate(time.Second)) {
		return fmt.Errorf("record %s is a capture of %s, the manifest says %s", at.record, stamp(when), stamp(x.Time))
	}
	return nil
}

// maxIndexAnswer bounds an answer of an index, in bytes.
const maxIndexAnswer = 16 << 20

// lists reports whether a line of the index answer has the time and the digest of
// the capture, whatever else its form is.
func (w *wayback) lists(at member, x *warc.Memento) (bool, error) {
	rec, err := warc.ReadRecordAt(w.records, at.offset, at.length)
	if err != nil {
		return false, err
	}
	r, err := rec.Decoded(maxIndexAnswer)
	if err != nil {
		return false, fmt.Errorf("record %s: %w", at.record, err)
	}
	defer r.Close() // only read
	text, err := io.ReadAll(r)
	if err != nil {
		return false, fmt.Errorf("record %s: %w", at.record, err)
	}
	stamp, digest := []byte(x.Time.UTC().Format("20060102150405")), []byte(x.Digest.Base32())
	for line := range bytes.Lines(text) {
		if bytes.Contains(line, stamp) && bytes.Contains(line, digest) {
			return true, nil
		}
	}
	return false, nil
}
