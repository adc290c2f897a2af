package main

import (
	"context"
	"errors"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/fineprint-archive/fineprint/archive/catalog"
)

// status is what `status --json` prints: one object.
type status struct {
	Archive   string          `json:"archive"`
	Sources   int64           `json:"sources"`
	Due       int64           `json:"due"`
	Late      int64           `json:"late"` // due for more than their own interval
	NextDue   *string         `json:"next_due"`
	Running   []runningLook   `json:"running"`
	Spooled   int64           `json:"spooled"` // looks that wait for a seal
	Stranded  []strandedSpool `json:"stranded_spools"`
	LastRun   *string         `json:"last_run"`
	LastEnded *string         `json:"last_run_ended"` // null while it runs or if it was killed
	Failing   []failingSource `json:"failing"`
	Wayback   *waybackState   `json:"wayback"`
	anchorState
}

type runningLook struct {
	URL   string `json:"url"`
	Since string `json:"since"`
	Run   string `json:"run"`
}

type failingSource struct {
	URL    string `json:"url"`
	Error  string `json:"error"`
	Status *int   `json:"status"`
	Since  string `json:"since"` // of the first failed look in a row
	Looks  int64  `json:"looks"` // failed in a row
}

func (a *app) statusCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "What runs, what is late, what fails since when and why",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			c, db, err := a.openCatalogToRead(cmd.Context())
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, db.Close()) }()
			s, err := readStatus(cmd.Context(), c, db)
			if err != nil {
				return err
			}
			if a.json {
				return a.printJSON(s)
			}
			return s.print(a)
		},
	}
}

func readStatus(ctx context.Context, c *config, db *catalog.DB) (*status, error) {
	counts, err := db.Overview(ctx, time.Now(), time.Duration(c.Crawl.Every))
	if err != nil {
		return nil, err
	}
	s := &status{
		Archive: c.Archive, Sources: counts.Sources, Due: counts.Due, Late: counts.Late, Spooled: counts.Spooled,
		NextDue: timeOrNull(counts.NextDue), Running: []runningLook{}, Failing: []failingSource{},
	}
	runs, err := db.Runs(ctx, 1)
	if err != nil {
		return nil, err
	}
	if len(runs) > 0 {
		s.LastRun, s.LastEnded = timeOrNull(runs[0].Started), timeOrNull(runs[0].Ended)
	}
	for _, l := range counts.Running {
		s.Running = append(s.Running, runningLook{l.URL, l.Time.UTC().Format(time.RFC3339), l.Run})
	}
	for i, f := range counts.Failing {
		s.Failing = append(s.Failing, failingSource{f.URL, f.Error, orNull(f.Status), f.FailingSince.UTC().Format(time.RFC3339), counts.Streaks[i]})
	}
	if s.Stranded, err = strandedSpools(ctx, c, db); err != nil {
		return nil, err
	}
	if s.anchorState, err = readAnchorState(ctx, c, db); err != nil {
		return nil, err
	}
	s.Wayback, err = waybackReport(ctx, c, db)
	return s, err
}

func timeOrNull(t time.Time) *string {
	if t.IsZero() {
		return nil
	}
	text := t.UTC().Format(time.RFC3339)
	return &text
}

// shownFailures bounds the list on the screen; --json has all.
const shownFailures = 15

func (s *status) print(a *app) error {
	t := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "archive\t%s\n", s.Archive)
	fmt.Fprintf(t, "sources\t%d declared, %d due, %d late\n", s.Sources, s.Due, s.Late)
	if s.NextDue != nil && s.Due == 0 {
		fmt.Fprintf(t, "next visit\t%s\n", *s.NextDue)
	}
	switch {
	case s.LastRun == nil:
		fmt.Fprintf(t, "last run\tnone yet: fineprint crawl\n")
	case s.LastEnded == nil:
		fmt.Fprintf(t, "last run\t%s, running or killed\n", *s.LastRun)
	default:
		fmt.Fprintf(t, "last run\t%s to %s\n", *s.LastRun, *s.LastEnded)
	}
	if s.Spooled > 0 {
		fmt.Fprintf(t, "spool\t%d looks wait to be sealed: fineprint seal\n", s.Spooled)
	}
	for _, l := range s.Stranded {
		fmt.Fprintf(t, "spool\t%s; if that is gone for good: %s\n", l, l.Remedy)
	}
	for _, l := range s.Running {
		fmt.Fprintf(t, "visiting\t%s since %s\n", l.URL, l.Since)
	}
	for i, f := range s.Failing {
		if i == shownFailures {
			fmt.Fprintf(t, "failing\tand %d more (--json)\n", len(s.Failing)-i)
			break
		}
		fmt.Fprintf(t, "failing\t%s since %s (%d looks): %s\n", f.Error, f.Since, f.Looks, f.URL)
	}
	if text := s.anchorState.text(); text != "" {
		fmt.Fprintf(t, "log\t%s\n", text)
	}
	switch {
	case s.Wayback.Off != nil:
		fmt.Fprintf(t, "wayback\toff: %s\n", *s.Wayback.Off)
	default:
		fmt.Fprintf(t, "wayback\t%s\n", s.Wayback.short())
	}
	return t.Flush()
}
