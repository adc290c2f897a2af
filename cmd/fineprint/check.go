package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

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
status, size and whether both answers were the same. --collection reads a whole
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
	Document string  `json:"document"`
	URL      string  `json:"url"`
	FinalURL *string `json:"final_url"`
	Result   string  `json:"result"`
	Error    *string `json:"error"`
	Status   *int    `json:"status"`
	Size     int64   `json:"size"`
	Stable   bool    `json:"stable"` // both visits brought the same bytes
	Grade    *string `json:"grade"`  // from the derivation of texts on
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
	visitor, err := newCrawler(c, nil, "", nil, a.logger())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, visitor.Close(context.WithoutCancel(ctx))) }()
	failed := 0
	for _, d := range documents {
		for _, p := range d.Parts {
			s, _ := set.Source(p.Source)
			first, second, same := visitor.Probe(ctx, s)
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if !probedOK(first) || !probedOK(second) {
				failed++
			}
			if err := a.printProbe(d, s, first, second, same); err != nil {
				return err
			}
		}
	}
	if failed > 0 {
		return withCode(exitPartly, fmt.Errorf("%d pages could not be fetched", failed))
	}
	return nil
}

func probedOK(r crawler.ProbeResult) bool { return r.Error == "" }

func (a *app) printProbe(d declaration.Document, s declaration.Source, first, second crawler.ProbeResult, same bool) error {
	worst := first
	if probedOK(first) {
		worst = second
	}
	line := probed{
		Document: d.ID, URL: s.URL, FinalURL: orNull(worst.FinalURL), Result: "captured", Error: orNull(string(worst.Error)),
		Status: orNull(worst.Status), Size: worst.Size, Stable: same,
	}
	if worst.Error != "" {
		line.Result = "failed"
	}
	if a.json {
		return a.printJSON(line)
	}
	stability := "same bytes twice"
	if !same {
		stability = "other bytes at the second visit"
	}
	if worst.Error != "" {
		stability = fmt.Sprintf("%s %s", worst.Error, worst.Detail)
	}
	_, err := fmt.Fprintf(a.stdout, "%-40s %3d  %9s  %s  %s\n", d.ID, worst.Status, humanBytes(worst.Size), s.URL, stability)
	return err
}

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
