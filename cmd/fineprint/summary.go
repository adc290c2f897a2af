package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/fineprint-archive/fineprint/archive"
	"github.com/fineprint-archive/fineprint/archive/catalog"
	"github.com/fineprint-archive/fineprint/warc"
)

// summary is what a run says at its end (docs/FORMATS.md). Visits counts looks:
// a page that failed and was looked at again counts twice. First to Suspect count
// looks by what their texts came to, each once for every document that it is a
// look at.
type summary struct {
	Run         string           `json:"run"`
	Sources     int64            `json:"sources"` // asked for
	Visits      int64            `json:"visits"`
	Captured    int64            `json:"captured"`
	NotModified int64            `json:"not_modified"`
	Failed      int64            `json:"failed"`
	Retried     int64            `json:"retried"`   // failed looks that were followed by another
	Unreached   int64            `json:"unreached"` // sources without a capture at the end of the run
	Deferred    int64            `json:"deferred"`  // sources that the run did not come to
	First       int64            `json:"first"`
	Unchanged   int64            `json:"unchanged"`
	Changed     int64            `json:"changed"`     // documents with a confirmed change
	Unconfirmed int64            `json:"unconfirmed"` // new texts that no second look has shown
	Suspect     int64            `json:"suspect"`     // captures that do not count as terms
	Grades      map[string]int64 `json:"grades"`      // of all captures
	Errors      map[string]int64 `json:"errors"`
	WARCs       []archive.Sealed `json:"warcs"`
	Wayback     *int64           `json:"wayback_waiting"` // null when submissions are off
	anchorState
	Interrupted bool     `json:"interrupted"`
	Bundle      string   `json:"bundle,omitempty"`  // capture: file of the bundle, the first of several
	Bundles     []string `json:"bundles,omitempty"` // capture: all of them, where the address is declared as several sources
	Elapsed     float64  `json:"elapsed_s"`

	news []catalog.ChangeRow // confirmed changes
}

// addTexts adds what a derivation found.
func (s *summary) addTexts(d archive.DeriveStats) {
	o := d.Outcomes
	s.First += o["first"]
	s.Unchanged += o["unchanged"] + o["links-only"] + o["volatile-only"] + o["known-variant"]
	s.Changed += int64(len(d.News))
	s.Suspect += o["suspect"]
	// A look that was unconfirmed at first and then confirmed was counted as such.
	s.Unconfirmed = max(0, s.Unconfirmed+o["unconfirmed"]-int64(len(d.News)))
	for grade, n := range d.Grades {
		if grade != "" {
			s.Grades[grade] += n
		}
	}
	s.news = append(s.news, d.News...)
}

func (s *summary) add(row catalog.LookRow, retry bool) {
	s.Visits++
	switch row.Result {
	case warc.Captured:
		s.Captured++
	case warc.NotModified:
		s.NotModified++
	default:
		s.Failed++
		s.Errors[row.Error]++
	}
	if retry {
		s.Retried++
	}
}

// print writes the summary for people: one screen.
func (s *summary) print(w io.Writer, c *config) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "run\t%s\t%.1f s\n", s.Run, s.Elapsed)
	fmt.Fprintf(t, "sources\t%d\tvisits %d\n", s.Sources, s.Visits)
	fmt.Fprintf(t, "captured\t%d\t\n", s.Captured)
	if s.NotModified > 0 {
		fmt.Fprintf(t, "not modified\t%d\tby the servers' word\n", s.NotModified)
	}
	fmt.Fprintf(t, "failed\t%d\t%s\n", s.Failed, s.failures())
	fmt.Fprintf(t, "texts\t%d\tfirst %d, unchanged %d, changed %d, unconfirmed %d, suspect %d\n", s.First+s.Unchanged+s.Changed+s.Unconfirmed+s.Suspect,
		s.First, s.Unchanged, s.Changed, s.Unconfirmed, s.Suspect)
	if text := s.notTerms(); text != "" {
		fmt.Fprintf(t, "no terms\t%d\t%s\n", s.Suspect, text)
	}
	if s.Deferred > 0 {
		fmt.Fprintf(t, "not reached\t%d\tthe next crawl goes on with them\n", s.Deferred)
	}
	for _, sealed := range s.WARCs {
		fmt.Fprintf(t, "sealed\t%s\t%s, %d looks, sha256 %s\n", sealed.Object, humanBytes(sealed.Bytes), sealed.Looks, sealed.SHA256)
	}
	if s.Wayback != nil && *s.Wayback > 0 {
		fmt.Fprintf(t, "wayback\t%d\twait for submission: fineprint wayback submit\n", *s.Wayback)
	}
	if s.configured && s.Unanchored != nil {
		fmt.Fprintf(t, "log\t%s\t\n", s.anchorState.text())
	}
	fmt.Fprintf(t, "archive\t%s\t\n", c.Archive)
	if s.Bundle != "" {
		fmt.Fprintf(t, "bundle\t%s\t\n", s.Bundle)
	}
	for _, name := range s.Bundles[min(1, len(s.Bundles)):] {
		fmt.Fprintf(t, "\t%s\t\n", name)
	}
	t.Flush()
	s.printNews(w)
}

// maxNews bounds the changes that the summary shows.
const maxNews = 10

// printNews shows the confirmed changes.
func (s *summary) printNews(w io.Writer) {
	for i, c := range s.news {
		if i == maxNews {
			fmt.Fprintf(w, "and %d more: fineprint changes\n", len(s.news)-i)
			return
		}
		fmt.Fprintf(w, "changed  %s  (fineprint diff %s)\n  %s\n", title(c.Service, c.Terms, c.Lang), c.ID[:8], c.Summary)
		if c.Doubt != "" {
			fmt.Fprintf(w, "  %s\n", doubtful(c.Doubt))
		}
	}
}

// notTerms counts the grades of captures that are no terms.
func (s *summary) notTerms() string {
	grades := maps.Clone(s.Grades)
	delete(grades, "terms")
	return counts(grades)
}

func (s *summary) failures() string {
	if len(s.Errors) == 0 {
		return ""
	}
	var parts []string
	for _, code := range slices.Sorted(maps.Keys(s.Errors)) {
		parts = append(parts, fmt.Sprintf("%s %d", code, s.Errors[code]))
	}
	text := strings.Join(parts, ", ")
	if s.Retried > 0 {
		text += fmt.Sprintf("; %d looked at again", s.Retried)
	}
	if s.Unreached > 0 {
		text += fmt.Sprintf("; %d pages without a capture", s.Unreached)
	}
	return text
}

// humanBytes prints a size as people read it.
func humanBytes(n int64) string {
	const unit = 1024
	if n < unit {
		return fmt.Sprintf("%d B", n)
	}
	value, exp := float64(n)/unit, 0
	for value >= unit && exp < 4 {
		value /= unit
		exp++
	}
	return fmt.Sprintf("%.1f %ciB", value, "KMGTP"[exp])
}
