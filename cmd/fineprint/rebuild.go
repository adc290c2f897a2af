package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/fineprint-archive/fineprint/archive"
	"github.com/fineprint-archive/fineprint/archive/catalog"
)

func (a *app) rebuildCommand() *cobra.Command {
	var database, dump string
	cmd := &cobra.Command{
		Use:   "rebuild",
		Short: "Make the catalog again from the WARCs in the archive alone",
		Long: `Read every WARC of the archive and write its facts into a catalog that has
none, then derive texts, versions and changes: after a lost database, or into
another one with --database. Nothing is visited, announced or submitted because of it. A damaged WARC, and a look whose
number an earlier one has, is left out and listed; the exit code is then 1. A
rebuild that was stopped is gone on with when it is started again. --dump writes the canonical form
of the facts, which is the same, byte for byte, for equal archives.`,
		Example: "  fineprint rebuild --database new.sqlite --dump facts.jsonl",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.config()
			if err != nil {
				return err
			}
			if database != "" {
				c.Database = database
			}
			return a.rebuild(cmd.Context(), c, dump)
		},
	}
	cmd.Flags().StringVar(&database, "database", "", "write into this `DATABASE` instead of the configured one")
	cmd.Flags().StringVar(&dump, "dump", "", "then write the canonical dump of the facts to `FILE`")
	return cmd
}

func (a *app) rebuild(ctx context.Context, c *config, dump string) (err error) {
	objects, err := a.openStore(ctx, c)
	if err != nil {
		return err
	}
	db, err := a.openCatalog(ctx, c)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	key, err := a.logVerifier(ctx, c, objects)
	if err != nil {
		return err
	}
	next := time.Now().Add(progressEvery)
	stats, err := archive.Rebuild(ctx, objects, db, key, func(s archive.RebuildStats) {
		if time.Now().After(next) {
			next = time.Now().Add(progressEvery)
			a.talk("%d WARCs, %s, %d looks", s.WARCs, humanBytes(s.Bytes), s.Looks)
		}
	})
	if errors.Is(err, catalog.ErrNotEmpty) {
		return withCode(exitUsage, err)
	}
	if err != nil {
		return asUsage(err)
	}
	derived, err := a.derive(ctx, c, objects, db, archive.DeriveConfig{})
	if err != nil {
		return err
	}
	if dump != "" {
		if err := dumpFacts(ctx, db, dump); err != nil {
			return err
		}
	}
	if err := a.printRebuilt(rebuilt{stats, derived}); err != nil {
		return err
	}
	if damaged, conflicts := len(stats.Damaged), len(stats.Conflicts); damaged+conflicts > 0 {
		return withCode(exitFailed, fmt.Errorf("rebuild: %d objects are damaged and %d looks have the number of another one: they are left out, the rest is in the catalog", damaged, conflicts))
	}
	return nil
}

// rebuilt is the summary of `rebuild` (docs/FORMATS.md).
type rebuilt struct {
	archive.RebuildStats
	Derived archive.DeriveStats `json:"derived"`
}

func (a *app) printRebuilt(stats rebuilt) error {
	if a.json {
		return a.printJSON(stats)
	}
	for _, d := range stats.Damaged {
		fmt.Fprintf(a.stdout, "damaged %s: %s\n", d.Object, d.Reason)
	}
	for _, c := range stats.Conflicts {
		fmt.Fprintf(a.stdout, "conflict: two looks have number %d at source %s: %s is kept, %s is left out\n", c.N, c.Source, c.Kept, c.Out)
	}
	fmt.Fprintf(a.stdout, "rebuilt from %d WARCs (%s): %d records, %d looks, %d log entries, %.1f s\n",
		stats.WARCs, humanBytes(stats.Bytes), stats.Records, stats.Looks, stats.Entries, stats.Elapsed)
	_, err := fmt.Fprintf(a.stdout, "texts of %d documents: %d versions, %d changes, %.1f s\n",
		stats.Derived.Documents, stats.Derived.Versions, stats.Derived.Changes, stats.Derived.Elapsed)
	return err
}

func dumpFacts(ctx context.Context, db *catalog.DB, name string) (err error) {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return db.Dump(ctx, f)
}
