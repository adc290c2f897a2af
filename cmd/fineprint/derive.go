package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/fineprint-archive/fineprint/archive"
	"github.com/fineprint-archive/fineprint/archive/catalog"
	"github.com/fineprint-archive/fineprint/archive/store"
	"github.com/fineprint-archive/fineprint/archive/terms"
)

func (a *app) deriveCommand() *cobra.Command {
	var again bool
	var extractor string
	cmd := &cobra.Command{
		Use:   "derive [SOURCE…]",
		Short: "Find texts, versions and changes in what was captured",
		Long: `Take in the sealed looks that are not derived yet: extract their texts, grade
them, and find versions and changes. A crawl does so at its end; this is for
archives of an earlier version, after a rebuild, and for a crawl that was cut
short. Stopped, it goes on where it was.

--again derives everything again: all documents, or those named. Rules of
extraction that changed since make other texts, never a change of the policy.
--extractor names the version of these rules that is wanted, today's without it.`,
		Example: "  fineprint derive\n  fineprint derive --again https://x.com/en/tos",
		RunE: func(cmd *cobra.Command, names []string) error {
			if extractor != terms.ExtractorVersion {
				return usageErrorf("--extractor %q: this program has version %s alone", extractor, terms.ExtractorVersion)
			}
			return a.deriveNamed(cmd.Context(), names, again)
		},
	}
	cmd.Flags().BoolVar(&again, "again", false, "derive all looks again, not only new ones")
	cmd.Flags().StringVar(&extractor, "extractor", terms.ExtractorVersion, "`VERSION` of the rules of extraction")
	return cmd
}

func (a *app) deriveNamed(ctx context.Context, names []string, again bool) (err error) {
	c, db, objects, err := a.openToRead(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	var documents []string
	for _, name := range names {
		ids, err := resolveDocuments(ctx, db, name)
		if err != nil {
			return err
		}
		documents = append(documents, ids...)
	}
	work := following(c)
	work.Documents, work.Again = documents, again
	stats, err := a.derive(ctx, c, objects, db, work)
	if a.json {
		return errors.Join(err, a.printJSON(stats))
	}
	printDerived(a, stats)
	return err
}

// deriveGC is by how many percent the heap may grow while texts are derived.
const deriveGC = 400

// derive fills in what every derivation takes from the configuration, and shows
// progress.
func (a *app) derive(ctx context.Context, c *config, objects store.Store, db *catalog.DB, d archive.DeriveConfig) (archive.DeriveStats, error) {
	watch, err := c.watch()
	if err != nil {
		return archive.DeriveStats{}, err
	}
	// Texts are made and forgotten: collecting them less often is a fifth of the
	// processor time for twice the memory, under 200 MB.
	if os.Getenv("GOGC") == "" {
		defer debug.SetGCPercent(debug.SetGCPercent(deriveGC))
	}
	d.Store, d.Catalog, d.Watch, d.Logger, d.Step = objects, db, watch, a.logger(), a.step
	next := time.Now().Add(progressEvery)
	d.Progress = func(done, total int) {
		if time.Now().After(next) {
			next = time.Now().Add(progressEvery)
			a.talk("texts of %d of %d documents", done, total)
		}
	}
	return archive.Derive(ctx, d)
}

func printDerived(a *app, s archive.DeriveStats) {
	fmt.Fprintf(a.stdout, "derived %d looks at %d documents (%d from their first look on), read %d pages, %s, %.1f s\n",
		s.Looks, s.Documents, s.Redone, s.Payloads, humanBytes(s.Bytes), s.Elapsed)
	fmt.Fprintf(a.stdout, "%d new versions, %d changes; looks: %s\n", s.Versions, s.Changes, counts(s.Outcomes))
	for _, c := range s.News {
		fmt.Fprintf(a.stdout, "%s  %s  %s\n", stamp(c.Time), c.Document, c.Summary)
		if c.Doubt != "" {
			fmt.Fprintf(a.stdout, "    %s\n", doubtful(c.Doubt))
		}
	}
}

// counts prints counts by name.
func counts(m map[string]int64) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(m)) {
		parts = append(parts, fmt.Sprintf("%s %d", name, m[name]))
	}
	return strings.Join(parts, ", ")
}
