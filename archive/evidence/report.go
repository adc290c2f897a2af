package evidence

import (
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/fineprint-archive/fineprint/warc"
)

// Verdict is the answer to one claim.
type Verdict string

// The verdicts.
const (
	OK         Verdict = "ok"          // checked and true
	False      Verdict = "false"       // checked and not true
	NotPresent Verdict = "not present" // this bundle has no such part
	Unknown    Verdict = "unknown"     // it is there, and it could not be checked
	NotChecked Verdict = "not checked" // it is there, it is no evidence, and no claim rests on it
)

// Claim is one line of a report.
type Claim struct {
	Name    string  `json:"claim"`           // see docs/FORMATS.md, "Bundle"
	Verdict Verdict `json:"verdict"`         //
	Text    string  `json:"text"`            // what was found
	Trust   string  `json:"trust,omitempty"` // on whose word, of OK
}

// The kinds of files that Verify reads.
const (
	KindBundle = "bundle"
	KindWARC   = "warc"
	KindWACZ   = "wacz"
)

// Report is what Verify found.
type Report struct {
	Kind   string  // a Kind constant
	Claims []Claim // in the order of docs/FORMATS.md

	// The time sandwich of a bundle. After is zero without a handshake proof,
	// Before without a timestamp or cosignature that holds.
	After, Look, Before time.Time

	Findings []warc.Finding // about the records, but for notes; at most maxFindings
	Counts   warc.Report    // of the records
}

// maxFindings bounds the findings that a report keeps.
const maxFindings = 1000

// Exit codes (docs/FORMATS.md, "Exit codes").
const (
	exitTrue       = 0
	exitFalse      = 1
	exitIncomplete = 4
)

// ExitCode is 1 if a claim is false, else 4 if one is unknown, else 0.
func (r *Report) ExitCode() int {
	has := func(v Verdict) bool {
		return slices.ContainsFunc(r.Claims, func(c Claim) bool { return c.Verdict == v })
	}
	switch {
	case has(False):
		return exitFalse
	case has(Unknown):
		return exitIncomplete
	}
	return exitTrue
}

// Verdict returns that of the claim with this name, "" if there is none. Of
// several with one name it is the worst: False, Unknown, NotChecked, NotPresent, OK.
func (r *Report) Verdict(name string) (worst Verdict) {
	order := []Verdict{"", OK, NotPresent, NotChecked, Unknown, False}
	for _, c := range r.Claims {
		if c.Name == name && slices.Index(order, c.Verdict) > slices.Index(order, worst) {
			worst = c.Verdict
		}
	}
	return worst
}

// WriteText prints one line for each claim, for people.
func (r *Report) WriteText(w io.Writer) error {
	for _, c := range r.Claims {
		line := fmt.Sprintf("%-11s  %-11s  %s", c.Verdict, c.Name, oneLine(c.Text))
		if c.Verdict == OK && c.Trust != "" {
			line += " [trusting " + oneLine(c.Trust) + "]"
		}
		if _, err := fmt.Fprintln(w, line); err != nil {
			return err
		}
	}
	return nil
}

func (r *Report) add(name string, v Verdict, trust, format string, args ...any) {
	r.Claims = append(r.Claims, Claim{Name: name, Verdict: v, Text: fmt.Sprintf(format, args...), Trust: trust})
}

// Summary is the last line of a report in JSON: what was read, the exit code, and
// the time sandwich, null where a bound is not known.
type Summary struct {
	Kind    string     `json:"kind"`
	Exit    int        `json:"exit"`
	Records int64      `json:"records"`
	Looks   int64      `json:"looks"`
	Digests int64      `json:"digests"`
	Errors  int64      `json:"errors"`
	After   *time.Time `json:"after"`
	Look    *time.Time `json:"look"`
	Before  *time.Time `json:"before"`
}

// Summary returns the last line of the report.
func (r *Report) Summary() Summary {
	known := func(t time.Time) *time.Time {
		if t.IsZero() {
			return nil
		}
		return &t
	}
	return Summary{r.Kind, r.ExitCode(), r.Counts.Records, r.Counts.Looks, r.Counts.Digests, r.Counts.Errors, known(r.After), known(r.Look), known(r.Before)}
}
