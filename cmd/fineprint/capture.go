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

// captureOptions says what a capture leaves beside the archive.
type captureOptions struct {
	out      string // file or folder; "" for the working folder
	noBundle bool
}

// records reports whether out asks for the records alone.
func (o captureOptions) records() bool {
	return strings.HasSuffix(o.out, ".wacz") || strings.HasSuffix(o.out, ".warc.gz")
}

func (o captureOptions) check() error {
	switch {
	case o.out == "" || o.records():
		return nil
	case o.noBundle:
		return usageErrorf("--no-bundle goes with -o FILE.wacz or FILE.warc.gz alone")
	case !isFolder(o.out) && !strings.HasSuffix(o.out, ".zip"):
		return usageErrorf("-o %s: the name ends in .zip (a bundle), .wacz or .warc.gz, or is that of a folder", o.out)
	}
	return nil
}

func (a *app) captureCommand() *cobra.Command {
	var opt captureOptions
	cmd := &cobra.Command{
		Use:   "capture URL",
		Short: "Capture one page now, seal it, and write its bundle",
		Long: `Visit one address, declared or not, seal the capture into the archive, enter it
into the log, and write a bundle into the working folder: all that a stranger
needs to check it (see "fineprint export --help"). -o names another file or
folder; with the name of a WACZ or WARC the records alone are written.`,
		Example: "  fineprint capture https://x.com/en/tos\n  fineprint capture https://x.com/en/tos -o x-tos.wacz",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.capture(cmd.Context(), args[0], opt)
		},
	}
	cmd.Flags().StringVarP(&opt.out, "output", "o", "", "write into this `FILE` (.zip, .wacz, .warc.gz) or folder")
	cmd.Flags().BoolVar(&opt.noBundle, "no-bundle", false, "write no bundle; fineprint export bundle makes one at any time")
	return cmd
}

func (a *app) capture(ctx context.Context, address string, opt captureOptions) error {
	if err := opt.check(); err != nil {
		return err
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
	sum, err := a.captureOne(ctx, s, once, opt)
	return errors.Join(err, s.close(), sumError(sum, err))
}

// captureOne visits the declared sources with the address, or the address as it
// stands if none is declared.
func (a *app) captureOne(ctx context.Context, s *session, once *declaration.Set, opt captureOptions) (*summary, error) {
	set, f, err := a.declaredAt(ctx, s, once)
	if err != nil {
		return nil, err
	}
	ids := f.ids
	if len(ids) == 0 {
		ids = []string{once.Sources[0].ID}
	}
	switch {
	case opt.records():
		s.sealed = func(ctx context.Context, _ *summary) error { return a.exportRun(ctx, s, ids, opt.out) }
	case len(ids) > 1 && !isFolder(opt.out):
		return nil, usageErrorf("-o %s: the address is declared as %d sources, and each gets a bundle: name a folder", opt.out, len(ids))
	case !opt.noBundle:
		s.sealed = func(ctx context.Context, sum *summary) error { return a.bundleRun(ctx, s, ids, opt.out, sum) }
	}
	return a.crawlSession(ctx, s, set, f, nil)
}

// bundleRun writes the bundles of the last looks of this run at some sources.
func (a *app) bundleRun(ctx context.Context, s *session, sources []string, out string, sum *summary) error {
	b, err := a.newBundler(ctx, s.cfg, s.store, s.db)
	if err != nil {
		return err
	}
	for _, id := range sources {
		rows, err := collectLooks(s.db.Looks(ctx, catalog.LookFilter{Source: id, Run: s.arch.Run(), Newest: true, Limit: 1}))
		if err != nil {
			return err
		}
		if len(rows) == 0 {
			continue // the run was stopped, or another one is at this page: the summary says so
		}
		done, err := b.write(ctx, rows[0], nil, out)
		if err != nil {
			return err
		}
		sum.Bundles = append(sum.Bundles, done.File)
	}
	switch len(sum.Bundles) {
	case 0:
		return nil
	case 1:
		sum.Bundle, sum.Bundles = sum.Bundles[0], nil
	default:
		sum.Bundle = sum.Bundles[0]
	}
	return nil
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
