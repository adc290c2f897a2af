package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/fineprint-archive/fineprint/archive"
	"github.com/fineprint-archive/fineprint/archive/catalog"
	"github.com/fineprint-archive/fineprint/archive/store"
)

var exportFormats = []string{"warc", "wacz", "cdxj", "csv", "text", "bundle"}

func (a *app) exportCommand() *cobra.Command {
	var sel selection
	var out, from, form string
	cmd := &cobra.Command{
		Use:   "export warc|wacz|cdxj|csv|text|bundle [SOURCE[@TIME]]",
		Short: "Copy looks, texts and proofs out of the archive",
		Long: `Write the looks at a source, or those that the flags choose, into one file:
warc and wacz with the records byte for byte as they stand in the archive,
those that revisit records refer to included; cdxj the index lines; csv the
list of looks. SOURCE is a document or source id or an address; SOURCE@TIME
is the newest look at or before TIME.

text writes versions of texts: the one in force at TIME as Markdown, or in the
form that --as or the ending of FILE names; with -o FILE.zip all that are chosen,
as SERVICE/TERMS-LANG/TIME.md, with a table index.csv.

bundle writes what a stranger needs to check one look without us: its records,
its entry in the log with the proof, timestamps and cosignatures, its text with
a redline, papers, and a script that verifies all of it. With --from every look
between the two is proven to be there, and the redline is from the first to the
last. The file gets its name from the look unless -o says otherwise.`,
		Example: "  fineprint export wacz https://x.com/en/tos@2024-10-17 -o x.wacz\n  fineprint export csv --service X -o x.csv\n  fineprint export text https://x.com/en/tos -o x-texts.zip\n  fineprint export bundle https://x.com/en/tos@2024-10-18 --from 2024-10-16",
		Args:    cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			if form != "" && args[0] != "text" {
				return usageErrorf("--as goes with text")
			}
			if args[0] == "bundle" {
				return a.exportBundle(cmd.Context(), sel, args[1:], from, out)
			}
			if from != "" {
				return usageErrorf("--from goes with bundle; choose looks by --since")
			}
			if args[0] == "text" {
				return a.exportText(cmd.Context(), sel, args[1:], form, out)
			}
			return a.export(cmd.Context(), sel, args, out)
		},
	}
	sel.flags(cmd, "every look of the archive")
	cmd.Flags().StringVarP(&out, "output", "o", "", "write into `FILE` (- for standard output)")
	cmd.Flags().StringVar(&form, "as", "", "text: `FORM` of each version: md, txt, json or html (default: by the ending of FILE, else md)")
	cmd.Flags().StringVar(&from, "from", "", "bundle: begin a range at this `LOOK` of the source: a time, SOURCE@TIME or first")
	return cmd
}

func (a *app) export(ctx context.Context, sel selection, args []string, out string) (err error) {
	format := args[0]
	if !slices.Contains(exportFormats, format) {
		return usageErrorf("export %q: choose one of %s", format, strings.Join(exportFormats, ", "))
	}
	if len(args) == 1 && sel == (selection{}) {
		return usageErrorf("export %s: name a SOURCE, or choose looks by --service, --since, --until …, or all by --all", format)
	}
	_, db, objects, err := a.openToRead(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	rows, err := a.chosen(ctx, db, sel, args[1:])
	if err != nil {
		return err
	}
	if len(rows) == 0 {
		return withCode(exitFailed, errors.New("no look matches"))
	}
	if out == "" {
		out = "-"
		if format == "warc" || format == "wacz" {
			return usageErrorf("export %s: name a file with -o (or - for standard output)", format)
		}
	}
	if err := a.writeExport(ctx, objects, db, format, rows, out); err != nil {
		return err
	}
	if out != "-" {
		if a.json {
			return a.printJSON(map[string]any{"file": out, "format": format, "looks": len(rows)})
		}
		a.talk("wrote %d looks to %s", len(rows), out)
	}
	return nil
}

// chosen returns the looks meant by SOURCE[@TIME] and the flags.
func (a *app) chosen(ctx context.Context, db *catalog.DB, sel selection, args []string) ([]catalog.LookRow, error) {
	sel.all = false // only finished looks can be copied
	if len(args) == 0 {
		filter, err := sel.filter(ctx, db, "")
		if err != nil {
			return nil, err
		}
		return collectLooks(db.Looks(ctx, filter))
	}
	name, at, dated := cutTime(args[0])
	filter, err := sel.filter(ctx, db, name)
	if err != nil {
		return nil, err
	}
	if !dated {
		return collectLooks(db.Looks(ctx, filter))
	}
	until, err := parseTime(at, true)
	if err != nil {
		return nil, usageErrorf("%s: %w", args[0], err)
	}
	if until.IsZero() {
		until = time.Now().Add(time.Hour)
	}
	var rows []catalog.LookRow
	for _, source := range filter.Sources {
		row, found, err := db.LookAt(ctx, source, until)
		if err != nil {
			return nil, err
		}
		if found {
			rows = append(rows, row)
		}
	}
	return rows, nil
}

// cutTime cuts SOURCE@TIME. An @ inside an address belongs to it unless a time
// follows.
func cutTime(s string) (name, at string, dated bool) {
	i := strings.LastIndexByte(s, '@')
	if i < 0 {
		return s, "", false
	}
	if s[i+1:] != "latest" {
		if _, err := parseTime(s[i+1:], false); err != nil || s[i+1:] == "" {
			return s, "", false
		}
	}
	return s[:i], s[i+1:], true
}

func collectLooks(rows iter.Seq2[catalog.LookRow, error]) ([]catalog.LookRow, error) {
	var list []catalog.LookRow
	for row, err := range rows {
		if err != nil {
			return nil, err
		}
		list = append(list, row)
	}
	return list, nil
}

// writeExport writes looks into a file that is whole or absent.
func (a *app) writeExport(ctx context.Context, objects store.Store, db *catalog.DB, format string, rows []catalog.LookRow, out string) error {
	write := func(w io.Writer) error {
		switch format {
		case "csv":
			return writeCSV(w, func(yield func(catalog.LookRow, error) bool) {
				for _, row := range rows {
					if !yield(row, nil) {
						return
					}
				}
			})
		case "cdxj":
			return archive.ExportCDXJ(ctx, objects, rows, w)
		case "wacz":
			return archive.ExportWACZ(ctx, objects, db, rows, w, toolVersion())
		}
		return archive.ExportWARC(ctx, objects, db, rows, w)
	}
	if out == "-" {
		return write(a.stdout)
	}
	return writeWhole(out, write)
}

// writeWhole writes a file under a temporary name and renames it.
func writeWhole(name string, write func(io.Writer) error) (err error) {
	f, err := os.CreateTemp(filepath.Dir(name), ".fineprint-*")
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	err = write(f)
	if err == nil {
		err = errors.Join(f.Chmod(0o644), f.Sync())
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}
