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
// a page that failed and was looked at again counts twice.
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
	Changed     int64            `json:"changed"`
	Suspect     *int64           `json:"suspect"` // null until texts are derived
	Errors      map[string]int64 `json:"errors"`
	WARCs       []archive.Sealed `json:"warcs"`
	Wayback     *int64           `json:"wayback_waiting"` // null when submissions are off
	anchorState
	Interrupted bool     `json:"interrupted"`
	Bundle      string   `json:"bundle,omitempty"`  // capture: file of the bundle, the first of several
	Bundles     []string `json:"bundles,omitempty"` // capture: all of them, where the address is declared as several sources
	Elapsed     float64  `json:"elapsed_s"`
}

func (s *summary) add(row catalog.LookRow, retry bool) {
	s.Visits++
	switch row.Result {
	case warc.Captured:
		s.Captured++
	case warc.NotModified:
		s.NotModified++
		s.Unchanged++
	default:
		s.Failed++
		s.Errors[row.Error]++
	}
	if retry {
		s.Retried++
	}
	if row.Result != warc.Captured {
		return
	}
	switch row.Bytes {
	case warc.BytesFirst:
		s.First++
	case warc.BytesSame:
		s.Unchanged++
	case warc.BytesDifferent:
		s.Changed++
	}
}

// print writes the summary for people: one screen.
func (s *summary) print(w io.Writer, c *config) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "run\t%s\t%.1f s\n", s.Run, s.Elapsed)
	fmt.Fprintf(t, "sources\t%d\tvisits %d\n", s.Sources, s.Visits)
	fmt.Fprintf(t, "captured\t%d\tfirst %d, same bytes %d, other bytes %d\n", s.Captured, s.First, s.Unchanged-s.NotModified, s.Changed)
	if s.NotModified > 0 {
		fmt.Fprintf(t, "not modified\t%d\tby the servers' word\n", s.NotModified)
	}
	fmt.Fprintf(t, "failed\t%d\t%s\n", s.Failed, s.failures())
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
