package warc

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"
	"time"
)

// Severity says how bad a finding is.
type Severity string

// The severities.
const (
	SeverityError   Severity = "error"   // a claim of the file is false, or a rule of the standard is broken
	SeverityWarning Severity = "warning" // unusual, or a recommendation is not followed
	SeverityNote    Severity = "note"    // can't be checked with this file alone
)

// Finding is one thing that Validate has to say about a file.
type Finding struct {
	Offset   int64  // of the record in the file, in bytes
	RecordID string // "" if it has none
	Severity Severity
	Rule     string // short name of the rule, listed in docs/FORMATS.md
	Message  string
}

// String returns the finding as one line.
func (f Finding) String() string {
	id := f.RecordID
	if id == "" {
		id = "-"
	}
	return fmt.Sprintf("%d %s %s %s: %s", f.Offset, id, f.Severity, f.Rule, f.Message)
}

// ValidateOptions changes what Validate expects.
type ValidateOptions struct {
	// Extract says that the records may have been copied out of other files, as
	// an export does: that they lie elsewhere than their manifests say is one
	// note, not errors.
	Extract bool
}

// Report counts what a check found.
type Report struct {
	Records  int64 `json:"records"`
	Looks    int64 `json:"looks"`   // manifests whose claims were compared
	Digests  int64 `json:"digests"` // digests that were compared with the bytes
	Errors   int64 `json:"errors"`
	Warnings int64 `json:"warnings"`
	Notes    int64 `json:"notes"`
}

// count enters a finding.
func (r *Report) count(f Finding) {
	switch f.Severity {
	case SeverityError:
		r.Errors++
	case SeverityWarning:
		r.Warnings++
	default:
		r.Notes++
	}
}

// Check runs Validate over a WARC, hands every finding to
// found, and counts. It ends with the first error of found or of r.
func Check(r io.Reader, opt ValidateOptions, found func(Finding) error) (Report, error) {
	var report Report
	err := check(r, opt, &report, found)
	return report, err
}

func check(r io.Reader, opt ValidateOptions, report *Report, found func(Finding) error) error {
	v := newValidator(opt)
	v.report = report
	for f, err := range v.run(NewReader(r)) {
		if err != nil {
			return err
		}
		report.count(f)
		if err := found(f); err != nil {
			return err
		}
	}
	return nil
}

// Validate reads a WARC to its end and yields what is wrong with it: form of
// the file and its gzip members, fields by the rules of WARC 1.1, block and
// payload digests, unique ids, references, and whether every manifest tells the
// truth about the records of its look. Findings are about the data; the error,
// which ends it, about reading. Bytes that are no record end it too, with a
// finding of rule "format". Memory grows with the number of records, by about
// 300 bytes each.
func Validate(rd *Reader, opt ValidateOptions) iter.Seq2[Finding, error] {
	return newValidator(opt).run(rd)
}

func newValidator(opt ValidateOptions) *validator {
	return &validator{opt: opt, report: new(Report), seen: map[string]*seenRecord{}, looks: map[string]*seenLook{}, pending: map[string]Finding{}, revisits: map[string]bool{}}
}

func (v *validator) run(rd *Reader) iter.Seq2[Finding, error] {
	return func(yield func(Finding, error) bool) {
		for rec, err := range rd.Records() {
			if err == nil {
				err = v.record(rec)
			}
			if bad, ok := errors.AsType[*FormatError](err); ok {
				v.findings = append(v.findings, Finding{bad.Offset, "", SeverityError, "format", formatReason(bad)})
				break
			}
			if err != nil {
				yield(Finding{}, err)
				return
			}
			if !v.flush(yield) {
				return
			}
		}
		v.end()
		v.flush(yield)
	}
}

func formatReason(e *FormatError) string {
	if e.Err == nil {
		return e.Reason
	}
	return fmt.Sprintf("%s: %v", e.Reason, e.Err)
}

// validator is the state of one validation.
type validator struct {
	opt      ValidateOptions
	report   *Report                // Records, Looks and Digests are counted here
	findings []Finding              // of the record at hand
	moved    bool                   // a member lies elsewhere than its manifest says
	seen     map[string]*seenRecord // by record id
	looks    map[string]*seenLook   // by manifest id
	stray    *Finding               // the first record of an exchange that belongs to no look
	pending  map[string]Finding     // by the id of a record referred to and not seen yet
	revisits map[string]bool        // ids of the records that revisit records refer to
}

// seenRecord is what later records are compared with.
type seenRecord struct {
	typ    string
	placed Placed
	uri    string // of a response
	date   string // of a response, as it stands
	label  string // WARC-Payload-Digest of a response
	body   payloadFacts
}

// payloadFacts is what reading a payload showed.
type payloadFacts struct {
	known        bool
	size         int64
	sha1, sha256 Digest
}

// seenLook gathers the records of a look until its manifest comes.
type seenLook struct {
	first   Finding // where it began
	records []string
	source  string // what Fineprint-Look of a request says
	n       int64
	named   bool // a request said so: the look is ours
	done    bool
}

func (v *validator) flush(yield func(Finding, error) bool) bool {
	for _, f := range v.findings {
		if !yield(f, nil) {
			return false
		}
	}
	v.findings = v.findings[:0]
	return true
}

// record checks one record. Its error comes from reading.
func (v *validator) record(rec *Record) error {
	report := func(s Severity, rule, format string, args ...any) {
		v.findings = append(v.findings, Finding{rec.Offset, rec.ID(), s, rule, fmt.Sprintf(format, args...)})
	}
	v.report.Records++
	if rec.Version != "WARC/1.1" && rec.Version != "WARC/1.0" {
		report(SeverityWarning, "version", "version line %.40q is neither WARC/1.0 nor WARC/1.1", rec.Version)
	}
	if v.report.Records == 1 && rec.Type() != TypeWarcinfo {
		report(SeverityWarning, "order", "the file does not begin with a warcinfo record")
	}
	if !slices.Contains(allTypes, rec.Type()) {
		report(SeverityWarning, "type", "unknown record type %.80q", rec.Type())
	}
	checkHeader(rec.Type(), rec.Header, func(rule, message string) { report(SeverityError, rule, "%s", message) })

	var manifest *Manifest
	var body payloadFacts
	var err error
	if rec.Header.Get(fieldContentType) == MediaManifest {
		manifest, err = v.manifestBlock(rec, report)
	} else {
		body, err = v.checkDigests(rec, report)
	}
	if err == nil {
		err = rec.Finish()
	}
	if err != nil {
		return err
	}
	for _, p := range rec.Problems() {
		report(SeverityError, p.Rule, "%s", p.Message)
	}
	v.remember(rec, body, report)
	v.references(rec, report)
	v.revisit(rec, report)
	v.look(rec, manifest, report)
	return nil
}

// reporter takes a finding about the record at hand.
type reporter func(s Severity, rule, format string, args ...any)

func (v *validator) remember(rec *Record, body payloadFacts, report reporter) {
	id := rec.ID()
	if _, twice := v.seen[id]; twice {
		report(SeverityError, "unique", "the record id stands in an earlier record too")
		return
	}
	s := &seenRecord{typ: rec.Type(), placed: Placed{rec.Offset, rec.Length, rec.SHA256}, body: body}
	if s.typ == TypeResponse || s.typ == TypeResource {
		s.uri, s.date, s.label = rec.TargetURI(), rec.Header.Get(fieldDate), rec.Header.Get(fieldPayload)
	}
	v.seen[id] = s
	delete(v.pending, id)
}

// references notes ids that the record points to; end says which never came.
func (v *validator) references(rec *Record, report reporter) {
	for _, field := range []string{fieldConcurrentTo, fieldRefersTo, fieldWarcinfoID} {
		for _, value := range rec.Header.Values(field) {
			id := unbracket(value)
			if field == fieldWarcinfoID && v.seen[id] != nil && v.seen[id].typ != TypeWarcinfo {
				report(SeverityError, "reference", "%s names a %s record", field, v.seen[id].typ)
			}
			if _, waiting := v.pending[id]; v.seen[id] == nil && !waiting {
				v.pending[id] = Finding{rec.Offset, rec.ID(), SeverityNote, "outside", fmt.Sprintf("%s names %s, which is not in this file", field, id)}
			}
		}
	}
}

// revisit compares a revisit record with the record that it refers to.
func (v *validator) revisit(rec *Record, report reporter) {
	if rec.Type() != TypeRevisit {
		return
	}
	h := rec.Header
	profile := strings.Replace(h.Get(fieldProfile), "/warc/1.0/", "/warc/1.1/", 1)
	switch profile {
	case ProfileIdenticalPayload:
		if h.Get(fieldPayload) == "" {
			report(SeverityError, "revisit", "identical payload without %s", fieldPayload)
		}
	case ProfileNotModified:
	default:
		report(SeverityWarning, "revisit", "unknown profile %.200q", profile)
	}
	v.revisits[unbracket(h.Get(fieldRefersTo))] = true
	target := v.seen[unbracket(h.Get(fieldRefersTo))]
	if target == nil {
		return
	}
	if uri := unbracket(h.Get(fieldRefersToURI)); target.uri != "" && uri != "" && uri != target.uri {
		report(SeverityError, "revisit", "%s is %.200q, the record it names has %.200q", fieldRefersToURI, uri, target.uri)
	}
	if date := h.Get(fieldRefersToDate); target.date != "" && date != "" && !sameDate(date, target.date) {
		report(SeverityError, "revisit", "%s is %s, the record it names has %s", fieldRefersToDate, date, target.date)
	}
	if label := h.Get(fieldPayload); profile == ProfileIdenticalPayload && target.label != "" && !sameDigest(label, target.label) {
		report(SeverityError, "revisit", "%s is %s, the record it names has %s", fieldPayload, label, target.label)
	}
}

func sameDate(a, b string) bool {
	x, errX := time.Parse(time.RFC3339, a)
	y, errY := time.Parse(time.RFC3339, b)
	return errX == nil && errY == nil && x.Equal(y)
}

// sameDigest compares labelled digests whatever their encoding. Digests of
// different or unknown algorithms can't be compared and pass.
func sameDigest(a, b string) bool {
	x, errX := ParseDigest(a)
	y, errY := ParseDigest(b)
	return errX != nil || errY != nil || x.Algorithm != y.Algorithm || x == y
}

// end reports what only the end of the file shows.
func (v *validator) end() {
	var late []Finding
	for id, f := range v.pending {
		if v.looks[id] == nil { // a missing manifest is reported below
			late = append(late, f)
		}
	}
	for id, l := range v.looks {
		// A file with manifests is ours: nothing in it stands outside a look.
		if !l.done && (l.named || v.report.Looks > 0) {
			f := l.first
			f.Severity, f.Rule, f.Message = SeverityError, "manifest", fmt.Sprintf("the look has no manifest (%s)", id)
			if v.opt.Extract && !slices.ContainsFunc(l.records, func(r string) bool { return !v.revisits[r] }) {
				// An export brings the full record behind a revisit record along, and
				// not the look that it was made in.
				f.Severity, f.Rule = SeverityNote, "outside"
			}
			late = append(late, f)
		}
	}
	if v.stray != nil && v.report.Looks > 0 {
		late = append(late, *v.stray)
	}
	slices.SortFunc(late, func(a, b Finding) int {
		if a.Offset != b.Offset {
			return int(min(max(a.Offset-b.Offset, -1), 1))
		}
		return strings.Compare(a.Message, b.Message)
	})
	v.findings = append(v.findings, late...)
}

// checkDigests reads the block and compares it with what the header says of it.
func (v *validator) checkDigests(rec *Record, report reporter) (facts payloadFacts, err error) {
	block := newSums()
	defer block.free()
	src := io.TeeReader(rec.Block(), block)
	if rec.isHTTP() {
		facts, err = v.checkHTTP(rec, src, report)
		if err != nil {
			return facts, err
		}
	}
	if _, err := copyBuffered(io.Discard, src); err != nil {
		return facts, err
	}
	v.compare(block, fieldBlock, rec.Header.Get(fieldBlock), report)
	if !rec.isHTTP() {
		v.compare(block, fieldPayload, rec.Header.Get(fieldPayload), report)
		facts = block.facts()
	}
	return facts, nil
}

// checkHTTP reads the HTTP message of the block.
func (v *validator) checkHTTP(rec *Record, src io.Reader, report reporter) (payloadFacts, error) {
	head, body, err := splitHead(src)
	if err != nil {
		if rec.stream.err != nil {
			return payloadFacts{}, rec.stream.err
		}
		report(SeverityError, "http", "the HTTP message is not whole: %v", err)
		return payloadFacts{}, nil
	}
	isResponse := rec.Type() == TypeResponse || rec.Type() == TypeRevisit
	if isResponse && statusOf(head) == 0 {
		report(SeverityError, "http", "the block does not begin with a status line")
	}
	raw, entity := newSums(), newSums()
	defer raw.free()
	defer entity.free()
	// A revisit keeps the header alone, so its digest can't be checked.
	if rec.Type() == TypeRevisit {
		return payloadFacts{}, nil
	}
	payload := rec.entityBody(head, body)
	chunked := isChunked(head)
	if chunked {
		body = bufio.NewReader(io.TeeReader(body, raw))
		payload = rec.entityBody(head, body)
	}
	_, err = copyBuffered(entity, struct{ io.Reader }{payload})
	if rec.stream.err != nil {
		return payloadFacts{}, rec.stream.err
	}
	whole := rec.Header.Get(fieldTruncated) == ""
	if err != nil && whole {
		report(SeverityError, "http", "the chunked body is damaged: %v", err)
	}
	label := rec.Header.Get(fieldPayload)
	if _, err := copyBuffered(io.Discard, struct{ io.Reader }{body}); err != nil {
		return payloadFacts{}, err
	}
	if chunked && label != "" && !entity.matches(label) && raw.matches(label) {
		report(SeverityWarning, "payload-digest", "%s counts the chunks too; the standard means the entity body", fieldPayload)
		return entity.facts(), nil
	}
	v.compare(entity, fieldPayload, label, report)
	return entity.facts(), nil
}
