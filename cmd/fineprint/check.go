package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/fineprint-archive/fineprint/archive"
	"github.com/fineprint-archive/fineprint/archive/terms"
	"github.com/fineprint-archive/fineprint/crawler"
	"github.com/fineprint-archive/fineprint/crawler/declaration"
)

func (a *app) checkCommand() *cobra.Command {
	var fetch bool
	var collection string
	cmd := &cobra.Command{
		Use:   "check [SERVICE…]",
		Short: "Validate declarations; with --fetch visit their pages without archiving",
		Long: `Read the declarations and report what is wrong with them: file, line, field
and what to do. --fetch visits each page twice, archives nothing, and shows
status, size, the grade of the page, what its text would be, and whether bytes
and text were the same both times. --collection reads a whole
Open Terms Archive collection and counts what of it can be followed.`,
		Example: "  fineprint check\n  fineprint check --fetch X\n  fineprint check --collection contrib-declarations",
		RunE: func(cmd *cobra.Command, services []string) error {
			if collection != "" {
				return a.checkCollection(cmd.Context(), collection)
			}
			return a.check(cmd.Context(), services, fetch)
		},
	}
	cmd.Flags().BoolVar(&fetch, "fetch", false, "visit each page twice without archiving")
	cmd.Flags().StringVar(&collection, "collection", "", "read the Open Terms Archive collection in `DIR`")
	return cmd
}

func (a *app) check(ctx context.Context, services []string, fetch bool) error {
	c, err := a.config()
	if err != nil {
		return err
	}
	if len(c.Declarations) == 0 {
		return usageErrorf("no declarations are configured; `fineprint init` writes some")
	}
	set, err := declaration.Load(ctx, c.Declarations, declaration.Options{Vantage: c.Crawl.Vantage})
	if err != nil {
		return withCode(exitUsage, err)
	}
	documents := set.Documents
	if len(services) > 0 {
		documents = slices.DeleteFunc(slices.Clone(documents), func(d declaration.Document) bool {
			return !slices.Contains(services, d.Service) && !slices.Contains(services, d.ServiceID)
		})
		if len(documents) == 0 {
			return usageErrorf("no declared service is called %q", services)
		}
	}
	for _, p := range set.Problems {
		a.talk("%s", p)
	}
	if fetch {
		return a.checkFetch(ctx, c, set, documents)
	}
	if a.json {
		for _, d := range documents {
			if err := a.printJSON(map[string]any{"document": d.ID, "service": d.Service, "terms": d.Terms, "lang": orNull(d.Lang), "sources": partSources(d)}); err != nil {
				return err
			}
		}
		return a.printJSON(map[string]int{"services": set.Services, "documents": len(documents), "sources": len(set.Sources), "problems": len(set.Problems)})
	}
	for _, d := range documents {
		fmt.Fprintln(a.stdout, d.ID)
	}
	a.talk("%d services, %d documents, %d sources, %d warnings", set.Services, len(documents), len(set.Sources), len(set.Problems))
	return nil
}

func partSources(d declaration.Document) []string {
	var ids []string
	for _, p := range d.Parts {
		ids = append(ids, p.Source)
	}
	return ids
}

// probed is a line of `check --fetch --json`.
type probed struct {
	Document   string          `json:"document"`
	URL        string          `json:"url"`
	FinalURL   *string         `json:"final_url"`
	Result     string          `json:"result"`
	Error      *string         `json:"error"`
	Status     *int            `json:"status"`
	Size       int64           `json:"size"`
	Stable     bool            `json:"stable"` // both visits brought the same bytes
	Grade      *string         `json:"grade"`  // of the page, by the rules of the document; null without an answer
	Reason     *string         `json:"reason"` // of a grade other than terms
	StableText *bool           `json:"stable_text"`
	Lang       *string         `json:"lang"`
	Words      *int            `json:"words"`
	Problems   []terms.Problem `json:"problems"`
	Text       *string         `json:"text"` // plain
}

func (a *app) checkFetch(ctx context.Context, c *config, set *declaration.Set, documents []declaration.Document) (err error) {
	err = checkContact(ctx, c, func(context.Context) ([]string, error) {
		var hosts []string
		for _, d := range documents {
			for _, p := range d.Parts {
				s, _ := set.Source(p.Source)
				hosts = append(hosts, hostOf(s.URL))
			}
		}
		return hosts, nil
	})
	if err != nil {
		return err
	}
	unarchived := *c
	unarchived.Spool = "" // before the first run there is none, and nothing is kept
	visitor, err := newCrawler(&unarchived, nil, "", nil, a.logger())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, visitor.Close(context.WithoutCancel(ctx))) }()
	pages, failed := 0, 0
	for _, d := range documents {
		for _, p := range d.Parts {
			pages++
			s, _ := set.Source(p.Source)
			first, second, same := visitor.Probe(ctx, s)
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if !probedOK(first) || !probedOK(second) {
				failed++
			}
			if err := a.printProbe(ctx, d, p, s, first, second, same); err != nil {
				return err
			}
		}
	}
	if a.json {
		if err := a.printJSON(map[string]int{"pages": pages, "failed": failed}); err != nil {
			return err
		}
	}
	if failed > 0 {
		return withCode(exitPartly, fmt.Errorf("%d pages could not be fetched", failed))
	}
	return nil
}

func probedOK(r crawler.ProbeResult) bool { return r.Error == "" }

func (a *app) printProbe(ctx context.Context, d declaration.Document, part declaration.Part, s declaration.Source, first, second crawler.ProbeResult, same bool) error {
	worst := first
	if probedOK(first) {
		worst = second
	}
	line := probed{
		Document: d.ID, URL: s.URL, FinalURL: orNull(worst.FinalURL), Result: "captured", Error: orNull(string(worst.Error)),
		Status: orNull(worst.Status), Size: worst.Size, Stable: same, Problems: []terms.Problem{},
	}
	if worst.Error != "" {
		line.Result = "failed"
	}
	read, err := readProbe(ctx, s, part, first)
	if err != nil {
		return err
	}
	again, err := readProbe(ctx, s, part, second)
	if err != nil {
		return err
	}
	if read != nil {
		line.addReading(read, again)
	}
	if a.json {
		return a.printJSON(line)
	}
	return a.showProbe(line, worst)
}

// readProbe reads what a probe brought by the rules of a part; nil if nothing came.
func readProbe(ctx context.Context, s declaration.Source, part declaration.Part, r crawler.ProbeResult) (*archive.Reading, error) {
	if r.Response == nil {
		return nil, nil
	}
	resp, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(r.Response)), nil)
	if err != nil {
		return nil, nil // the crawler has said what is wrong with it
	}
	defer resp.Body.Close() // only read
	read, err := archive.ReadCapture(ctx, terms.Capture{
		Status: r.Status, Header: resp.Header, URL: s.URL, FinalURL: r.FinalURL, Truncated: r.Error == crawler.CodeTruncated,
	}, resp.Body, part)
	return &read, err
}

// addReading says what the texts of both visits are.
func (l *probed) addReading(first, second *archive.Reading) {
	words := first.Text.Words()
	l.Grade, l.Reason, l.Lang, l.Words = orNull(string(first.Verdict.Grade)), orNull(first.Verdict.Reason), orNull(first.Text.Lang), &words
	if first.Page.Problems != nil {
		l.Problems = first.Page.Problems
	}
	l.Text = orNull(first.Text.Plain())
	if second != nil {
		same := first.Text.Fingerprints().Words == second.Text.Fingerprints().Words
		l.StableText = &same
	}
}

// showProbe prints a line and the begin of the text.
func (a *app) showProbe(l probed, worst crawler.ProbeResult) error {
	stability := "same bytes twice"
	switch {
	case worst.Error != "":
		stability = fmt.Sprintf("%s %s", worst.Error, worst.Detail)
	case l.Stable:
	case l.StableText != nil && *l.StableText:
		stability = "other bytes, same text at the second visit"
	default:
		stability = "other text at the second visit"
	}
	fmt.Fprintf(a.stdout, "%-40s %3d  %9s  %s  %s\n", l.Document, worst.Status, humanBytes(worst.Size), l.URL, stability)
	if l.Grade == nil {
		return nil
	}
	reason := ""
	if l.Reason != nil {
		reason = ": " + *l.Reason
	}
	fmt.Fprintf(a.stdout, "    %s%s; %d words\n", *l.Grade, reason, *l.Words)
	for _, p := range l.Problems {
		fmt.Fprintf(a.stdout, "    %s: %s\n", p.Code, p.Detail)
	}
	if l.Text == nil {
		return nil
	}
	lines := strings.SplitAfterN(*l.Text, "\n", shownLines+1)
	for _, text := range lines[:min(shownLines, len(lines)-1)] {
		fmt.Fprintf(a.stdout, "    | %.160s\n", strings.TrimSpace(text))
	}
	return nil
}

// shownLines bounds the text that `check --fetch` shows; --json prints all of it.
const shownLines = 5

func (a *app) checkCollection(ctx context.Context, dir string) error {
	set, counts, err := declaration.ReadCollection(ctx, dir, declaration.Options{})
	if err != nil {
		return withCode(exitUsage, err)
	}
	for _, p := range set.Problems {
		a.talk("%s", p)
	}
	if a.json {
		return a.printJSON(counts)
	}
	_, err = fmt.Fprintf(a.stdout, "%+v\n", counts)
	return err
}
