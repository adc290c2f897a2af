package evidence

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/fineprint-archive/fineprint/warc"
)

// Derived is what a look shows of one document, made for readers: the text of the
// page, and a redline. It is no evidence by itself: anybody can make it again from
// the payloads with the extractor named. Its JSON stands in derived.json.
type Derived struct {
	Document string          `json:"document"`          // id
	Title    string          `json:"title"`             // for people: service, terms type, language
	Grade    string          `json:"grade"`             // what the page shows (docs/FORMATS.md, "grade"); "" where the look brought no page
	Outcome  string          `json:"outcome"`           // what that says of the document (docs/FORMATS.md, "outcome"); "" for nothing
	Reason   string          `json:"reason"`            // of grade or outcome, for people; often ""
	Rules    string          `json:"rules"`             // versions of the rules by which grade and outcome were found; "" if they were not
	Text     *DerivedText    `json:"text"`              // null where there is none
	NoText   string          `json:"no_text,omitempty"` // why there is none
	Redline  *DerivedRedline `json:"redline"`           // null where there is none
	NoLine   string          `json:"no_redline,omitempty"`
}

// DerivedText is the text of a document at a look.
type DerivedText struct {
	Extractor string           `json:"extractor"`
	Made      time.Time        `json:"made"` // when it was extracted for this bundle
	Lang      string           `json:"lang"` // as the text shows, "" if unknown
	Words     int              `json:"words"`
	Captures  []DerivedCapture `json:"captures"` // that it is made of, in reading order
	Files     []DerivedFile    `json:"files"`    // text.md, text.txt, text.json
}

// DerivedCapture names a capture that a text is made of. After a "not modified" it
// is one of an earlier look; of a document that is combined of several pages the
// records of some may be in the archive and not in the bundle.
type DerivedCapture struct {
	Source  string      `json:"source"`
	N       int64       `json:"n"`
	URL     string      `json:"url"`
	Time    time.Time   `json:"time"`
	Record  string      `json:"record"` // id of the one that holds the payload in full
	Payload warc.Digest `json:"payload_sha256"`
}

// Kinds of redlines beside the outcomes of changes.
const (
	RedlineRange       = "range"       // between the two looks of a range
	RedlineUnconfirmed = "unconfirmed" // against the version in force; no second look has shown this text yet
)

// DerivedRedline is what makes the text of an earlier one.
type DerivedRedline struct {
	Kind      string        `json:"kind"` // changed, reverted, or a Redline constant
	From      time.Time     `json:"from"` // of the look that first showed the earlier text; of a range, its first look
	OldSHA256 string        `json:"old_sha256"`
	NewSHA256 string        `json:"new_sha256"` // of the plain texts, hexadecimal
	Summary   string        `json:"summary"`
	Files     []DerivedFile `json:"files"` // redline.html, redline.txt
}

// DerivedFile is a file with its digest. Of a second document the name gets "-2"
// before its ending, and so on.
type DerivedFile struct {
	Name   string `json:"name"`
	SHA256 string `json:"sha256"` // hexadecimal; WriteBundle fills it in
	Data   []byte `json:"-"`
}

// derivedVersion is that of the form of derived.json.
const derivedVersion = 1

// derivedList is derived.json.
type derivedList struct {
	V         int       `json:"v"`
	Note      string    `json:"note"`
	Documents []Derived `json:"documents"`
}

const derivedNote = "Made from the records for readers. No evidence by itself: make it again from the payloads with the extractor named, and compare."

// Begins of the names of derived files, but for derived.json.
const (
	stemText    = "text"
	stemRedline = "redline"
)

// isDerived reports whether a file of a bundle is one that derived.json has to
// list.
func isDerived(name string) bool {
	stem := strings.TrimSuffix(name, path.Ext(name))
	for _, s := range []string{stemText, stemRedline} {
		number, of := strings.CutPrefix(stem, s)
		if of && (number == "" || number[0] == '-') {
			return true
		}
	}
	return false
}

// fileDerived names the files of the derived texts and fills in their digests.
func fileDerived(list []Derived) []Derived {
	named := slices.Clone(list)
	for i := range named {
		d := &named[i]
		if d.Text != nil {
			t := *d.Text
			t.Files = numbered(t.Files, i)
			d.Text = &t
		}
		if d.Redline != nil {
			r := *d.Redline
			r.Files = numbered(r.Files, i)
			d.Redline = &r
		}
	}
	return named
}

func numbered(files []DerivedFile, i int) []DerivedFile {
	files = slices.Clone(files)
	for k := range files {
		f := &files[k]
		if i > 0 {
			ext := path.Ext(f.Name)
			f.Name = strings.TrimSuffix(f.Name, ext) + "-" + strconv.Itoa(i+1) + ext
		}
		f.SHA256 = fmt.Sprintf("%x", sha256.Sum256(f.Data))
	}
	return files
}

// files returns those of the text and of the redline.
func (d *Derived) files() (all []DerivedFile) {
	if d.Text != nil {
		all = append(all, d.Text.Files...)
	}
	if d.Redline != nil {
		all = append(all, d.Redline.Files...)
	}
	return all
}

// derive adds the texts, redlines and derived.json.
func (pl *plan) derive(data func(string, []byte)) error {
	if len(pl.derived) == 0 {
		return nil
	}
	for i := range pl.derived {
		for _, f := range pl.derived[i].files() {
			if !isDerived(f.Name) {
				return fmt.Errorf("derived file %q: its name begins with %s or %s", f.Name, stemText, stemRedline)
			}
			data(f.Name, append([]byte{}, f.Data...)) // an empty text is a file too
		}
	}
	b, err := json.MarshalIndent(derivedList{derivedVersion, derivedNote, pl.derived}, "", "  ")
	data(nameDerived, append(b, '\n'))
	return err
}

// texts counts the documents that have a text.
func (pl *plan) texts() (n int) {
	for i := range pl.derived {
		if pl.derived[i].Text != nil {
			n++
		}
	}
	return n
}

// checkText names what was derived. That it is what an extractor makes of the
// payload is not checked: nothing in a bundle rests on it. What stands in
// derived.json is: the digests of the files, and the payload of this look.
func (v *verifier) checkText() error {
	const name = "text"
	raw, err := v.bundle.read(nameDerived)
	if err != nil {
		v.report.add(name, False, "", "%v", err)
		return nil
	}
	var list derivedList
	if raw != nil {
		if err := json.Unmarshal(raw, &list); err != nil {
			v.report.add(name, False, "", "%s: %v", nameDerived, err)
			return nil
		}
	}
	if list.V > derivedVersion {
		v.report.add(name, NotChecked, "", "%s is of version %d, newer than this program: not looked at", nameDerived, list.V)
		return nil
	}
	if err := v.derivedFiles(list); err != nil {
		if isReading(err) {
			return err
		}
		v.report.add(name, False, "", "%v", err)
		return nil
	}
	if len(list.Documents) == 0 {
		v.report.add(name, NotPresent, "", "no text of the page is here")
	}
	for i := range list.Documents {
		v.textClaim(&list.Documents[i])
	}
	return nil
}

// textClaim says what is here of one document.
func (v *verifier) textClaim(d *Derived) {
	const name = "text"
	if d.Text == nil {
		v.report.add(name, NotPresent, "", "%s: %s", d.Title, d.NoText)
		return
	}
	what := make([]string, 0, 5)
	for _, f := range d.files() {
		what = append(what, f.Name)
	}
	of := "of the payload in the records"
	if away := d.Text.elsewhere(v.contents); away != "" {
		of = "of payloads, some of which are not in this bundle (" + away + ")"
	}
	v.report.add(name, NotChecked, "", "%s: %s: made by extractor %s %s; not checked here: it is for readers, no evidence", d.Title, strings.Join(what, ", "), d.Text.Extractor, of)
}

// elsewhere names the captures whose payloads are not in the bundle.
func (t *DerivedText) elsewhere(c *contents) string {
	var away []string
	for _, made := range t.Captures {
		if c == nil || c.byID[made.Record].typ == "" {
			away = append(away, fmt.Sprintf("look %d at %s", made.N, made.URL))
		}
	}
	return some(away)
}

// derivedFiles holds the files against derived.json.
func (v *verifier) derivedFiles(list derivedList) error {
	listed := map[string]bool{}
	for i := range list.Documents {
		d := &list.Documents[i]
		for _, f := range d.files() {
			if !isDerived(f.Name) || listed[f.Name] {
				return fmt.Errorf("%s: %.100q is no name of a text, or stands twice", nameDerived, f.Name)
			}
			listed[f.Name] = true
			if err := v.derivedFile(f); err != nil {
				return err
			}
		}
		if err := v.ofLook(d); err != nil {
			return err
		}
	}
	for _, name := range v.bundle.names {
		if isDerived(name) && !listed[name] {
			return fmt.Errorf("%s is not in %s", name, nameDerived)
		}
	}
	return nil
}

func (v *verifier) derivedFile(f DerivedFile) error {
	if !v.bundle.has(f.Name) {
		return fmt.Errorf("%s is in %s and not there", f.Name, nameDerived)
	}
	sum, err := v.bundle.sum(f.Name)
	if err != nil {
		if isReading(err) {
			return err
		}
		return fmt.Errorf("%s: %w", f.Name, err)
	}
	if fmt.Sprintf("%x", sum) != f.SHA256 {
		return fmt.Errorf("%s is not what %s says", f.Name, nameDerived)
	}
	return nil
}

// ofLook checks that a text that names a capture of this look names its payload.
func (v *verifier) ofLook(d *Derived) error {
	if d.Text == nil || v.manifest == nil || v.manifest.Payload == nil {
		return nil
	}
	if len(d.Text.Captures) == 0 {
		return errors.New(nameDerived + ": a text that names no capture")
	}
	for _, c := range d.Text.Captures {
		if c.Source == v.manifest.Source && c.N == v.manifest.N && c.Payload != v.manifest.Payload.SHA256 {
			return fmt.Errorf("%s: the text is made of a payload that is not the one of this look", nameDerived)
		}
	}
	return nil
}
