package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/fineprint-archive/fineprint/archive/catalog"
	"github.com/fineprint-archive/fineprint/crawler"
	"github.com/fineprint-archive/fineprint/crawler/declaration"
	"github.com/fineprint-archive/fineprint/warc"
)

func (a *app) captureCommand() *cobra.Command {
	var out string
	cmd := &cobra.Command{
		Use:   "capture URL",
		Short: "Capture one page now and seal it",
		Long: `Visit one address, declared or not, seal the capture into the archive, and
with -o write it as a WACZ (or WARC, by the file's name) of its own.`,
		Example: "  fineprint capture https://x.com/en/tos -o x-tos.wacz",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.capture(cmd.Context(), args[0], out)
		},
	}
	cmd.Flags().StringVarP(&out, "output", "o", "", "also write the capture into `FILE` (.wacz or .warc.gz)")
	return cmd
}

func (a *app) capture(ctx context.Context, address, out string) error {
	if out != "" && !strings.HasSuffix(out, ".wacz") && !strings.HasSuffix(out, ".warc.gz") {
		return usageErrorf("-o %s: the name ends in .wacz or .warc.gz", out)
	}
	c, err := a.configOrInit()
	if err != nil {
		return err
	}
	once, err := declaration.FromURLs(strings.NewReader(address+"\n"), declaration.Options{Vantage: c.Crawl.Vantage})
	if err != nil {
		return withCode(exitUsage, err)
	}
	if len(once.Sources) != 1 {
		return usageErrorf("%q is not one address", address)
	}
	s, err := a.openSession(ctx, c)
	if err != nil {
		return err
	}
	sum, err := a.captureOne(ctx, s, once, out)
	return errors.Join(err, s.close(), sumError(sum, err))
}

// captureOne visits the declared sources with the address, or the address as it
// stands if none is declared.
func (a *app) captureOne(ctx context.Context, s *session, once *declaration.Set, out string) (*summary, error) {
	set, f, err := a.declaredAt(ctx, s, once)
	if err != nil {
		return nil, err
	}
	sum, err := a.crawlSession(ctx, s, set, f, nil)
	if err != nil || out == "" {
		return sum, err
	}
	ids := f.ids
	if len(ids) == 0 {
		ids = []string{once.Sources[0].ID}
	}
	return sum, a.exportRun(ctx, s, ids, out)
}

func (a *app) declaredAt(ctx context.Context, s *session, once *declaration.Set) (*declaredSet, crawlFlags, error) {
	if len(s.cfg.Declarations) == 0 {
		return &declaredSet{once: once}, crawlFlags{}, nil
	}
	set, err := a.declared(ctx, s.cfg, "")
	if err != nil {
		return nil, crawlFlags{}, err
	}
	if err := set.sync(ctx, s.db, a.talk); err != nil {
		return nil, crawlFlags{}, err
	}
	var f crawlFlags
	for source, err := range s.db.Sources(ctx, catalog.SourceFilter{URLs: []string{once.Sources[0].URL}}) {
		if err != nil {
			return nil, f, err
		}
		if source.Declared {
			f.ids = append(f.ids, source.ID)
		}
	}
	if len(f.ids) == 0 {
		set = &declaredSet{once: once}
	}
	return set, f, nil
}

// exportRun writes the looks of this run at some sources into a file.
func (a *app) exportRun(ctx context.Context, s *session, sources []string, out string) error {
	format := "wacz"
	if strings.HasSuffix(out, ".warc.gz") {
		format = "warc"
	}
	rows, err := collectLooks(s.db.Looks(ctx, catalog.LookFilter{Sources: sources, Run: s.arch.Run()}))
	if err != nil {
		return err
	}
	if len(rows) == 0 {
		return errors.New("nothing was captured")
	}
	if err := a.writeExport(ctx, s.store, s.db, format, rows, out); err != nil {
		return err
	}
	a.talk("wrote %s", out)
	return nil
}

// declaredRows turns declarations into the catalog's rows.
func declaredRows(set *declaration.Set) catalog.DeclaredSet {
	var rows catalog.DeclaredSet
	for _, s := range set.Sources {
		canonical := set.Canonical(s.ID)
		rows.Sources = append(rows.Sources, catalog.SourceRow{
			ID: s.ID, URL: s.URL, Host: hostOf(s.URL), AcceptLanguage: s.AcceptLanguage, Vantage: s.Vantage, Canonical: canonical, CanonicalSHA256: warc.SumSHA256(canonical).Hex(),
		})
	}
	for _, d := range set.Documents {
		row := catalog.DocumentRow{ID: d.ID, Service: d.Service, ServiceID: d.ServiceID, Terms: d.Terms, Lang: d.Lang}
		for _, p := range d.Parts {
			row.Sources = append(row.Sources, p.Source)
		}
		rows.Documents = append(rows.Documents, row)
	}
	return rows
}

// hostOf returns the host that politeness is for.
func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return "" // declarations hold parsed addresses only
	}
	return crawler.HostKey(u)
}

// crawlDry says what a crawl would visit.
func (a *app) crawlDry(ctx context.Context, c *config, set *declaredSet, f crawlFlags, services []string) error {
	db, err := a.openCatalog(ctx, c)
	if err != nil {
		return err
	}
	err = a.listWanted(ctx, db, set, f, services)
	return errors.Join(err, db.Close())
}

func (a *app) listWanted(ctx context.Context, db *catalog.DB, set *declaredSet, f crawlFlags, services []string) error {
	if set.once != nil {
		for _, s := range set.once.Sources {
			if err := a.printWanted(s.ID, s.URL, time.Now()); err != nil {
				return err
			}
		}
		return a.printWantedCount(len(set.once.Sources))
	}
	if err := set.sync(ctx, db, a.talk); err != nil {
		return err
	}
	if err := checkServices(ctx, db, services); err != nil {
		return err
	}
	n := 0
	for s, err := range db.Sources(ctx, catalog.SourceFilter{Services: services, Due: f.due, Now: time.Now()}) {
		if err != nil {
			return err
		}
		if !s.Declared {
			continue
		}
		n++
		if err := a.printWanted(s.ID, s.URL, s.NextAt); err != nil {
			return err
		}
	}
	return a.printWantedCount(n)
}

// printWanted prints a line of `crawl --dry-run`.
func (a *app) printWanted(source, address string, next time.Time) error {
	if a.json {
		return a.printJSON(map[string]string{"source": source, "url": address, "next": next.UTC().Format(time.RFC3339)})
	}
	_, err := fmt.Fprintf(a.stdout, "%s  %s\n", next.UTC().Format("2006-01-02 15:04"), address)
	return err
}

func (a *app) printWantedCount(n int) error {
	if a.json {
		return a.printJSON(map[string]int{"sources": n})
	}
	a.talk("%d pages would be visited", n)
	return nil
}
