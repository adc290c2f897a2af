package main

import (
	"context"
	"fmt"
	"io"
	"regexp"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/fineprint-archive/fineprint/archive/catalog"
	"github.com/fineprint-archive/fineprint/archive/terms"
)

// diffFlags are those of `diff`.
type diffFlags struct {
	format  string
	context int
	plain   bool
	out     string
}

func (a *app) diffCommand() *cobra.Command {
	var f diffFlags
	cmd := &cobra.Command{
		Use:   "diff A [B]",
		Short: "Redline of a change, or of any two versions, also of different documents",
		Long: `Show what makes one text of the other. A alone is the id of a change (as
` + "`fineprint changes`" + ` lists them), or a SOURCE, for its newest change. With B, both
are SOURCE@TIME: the version in force at that time; SOURCE alone is the newest.
SOURCE@ia:TIME is the version that the Wayback Machine had seen last at that
time, if it was imported (` + "`fineprint wayback backfill`" + `).

What moved is shown as moved, and a new paragraph that was made from one that
still stands is compared with that one. Formats: text (a redline for terminals,
--plain without colours), html (a page that prints), json (with offsets), unified.`,
		Example: "  fineprint diff 3f2a81c0\n  fineprint diff https://x.com/en/tos@2024-10-16 https://x.com/en/tos@2024-11-16\n  fineprint diff https://x.com/en/tos --format html -o redline.html",
		Args:    cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withCatalog(cmd.Context(), func(_ *config, db *catalog.DB) error {
				return a.diff(cmd.Context(), db, f, args)
			})
		},
	}
	f.flags(cmd)
	return cmd
}

// flags adds the flags of a redline to a command.
func (f *diffFlags) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.format, "format", "text", "text, html, json or unified")
	cmd.Flags().IntVar(&f.context, "context", 2, "unchanged blocks around each change; -1 for all")
	cmd.Flags().BoolVar(&f.plain, "plain", false, "text: no colours, [-removed-] and {+added+}")
	cmd.Flags().StringVarP(&f.out, "output", "o", "-", "write into `FILE` (- for standard output)")
}

// twoTexts are what is compared.
type twoTexts struct {
	header   terms.Header
	old, new *terms.Text
	change   *catalog.ChangeRow // nil for any two versions
}

func (a *app) diff(ctx context.Context, db *catalog.DB, f diffFlags, args []string) error {
	var two twoTexts
	var err error
	if len(args) == 1 {
		two, err = changeTexts(ctx, db, args[0])
	} else {
		two, err = versionTexts(ctx, db, args[0], args[1])
	}
	if err != nil {
		return err
	}
	return a.writeRedline(f, two)
}

// writeRedline writes a redline where the flags say.
func (a *app) writeRedline(f diffFlags, two twoTexts) error {
	write, err := a.redline(f, two)
	if err != nil {
		return err
	}
	if two.change != nil && two.change.Doubt != "" {
		a.talk("%s", doubtful(two.change.Doubt))
	}
	if f.out == "-" {
		return write(a.stdout)
	}
	return writeWhole(f.out, write)
}

// redline returns what writes the redline.
func (a *app) redline(f diffFlags, two twoTexts) (func(io.Writer) error, error) {
	d := terms.Compare(two.old, two.new)
	format := f.format
	if a.json {
		format = "json"
	}
	switch format {
	case "text":
		opt := terms.TerminalOptions{Header: two.header, Context: f.context, Color: !f.plain && f.out == "-" && a.colored(), Width: a.width()}
		return func(w io.Writer) error { return terms.RenderTerminal(w, d, opt) }, nil
	case "html":
		return func(w io.Writer) error {
			return terms.RenderHTML(w, d, terms.HTMLOptions{Header: two.header, Context: f.context})
		}, nil
	case "unified":
		return func(w io.Writer) error {
			return terms.RenderUnified(w, d, terms.UnifiedOptions{Header: two.header, Context: f.context})
		}, nil
	case "json":
		return func(w io.Writer) error { return writeJSONLine(w, diffLine(two, d)) }, nil
	}
	return nil, usageErrorf("--format %q: choose text, html, json or unified", f.format)
}

// diffLine is the JSON of `diff` (docs/FORMATS.md).
func diffLine(two twoTexts, d *terms.Diff) map[string]any {
	line := map[string]any{
		"document": two.header.Document, "from": rfc(two.header.OldTime), "to": rfc(two.header.NewTime),
		"stats": d.Stats(), "summary": d.Summary(400), "diff": d, "change": nil,
	}
	if two.change != nil {
		line["change"], line["summary"] = newChangeLine(*two.change), two.change.Summary
	}
	return line
}

// changeName is what may be the id of a change, or its begin.
var changeName = regexp.MustCompile(`^[0-9a-f]{4,16}$`)

// changeTexts finds the texts of a change named by its id, or of the newest change
// of a document.
func changeTexts(ctx context.Context, db *catalog.DB, name string) (twoTexts, error) {
	c, ok := catalog.ChangeRow{}, false
	var err error
	if changeName.MatchString(name) {
		if c, ok, err = db.Change(ctx, name); err != nil {
			return twoTexts{}, err
		}
	}
	if !ok {
		if strings.Contains(name, "@") {
			if _, _, dated := cutTime(name); dated {
				return twoTexts{}, usageErrorf("diff %s: name a second version to compare it with", name)
			}
		}
		if c, err = newestChange(ctx, db, name); err != nil {
			return twoTexts{}, err
		}
	}
	two := twoTexts{change: &c, header: terms.Header{Document: title(c.Service, c.Terms, c.Lang), OldTime: c.From, NewTime: c.Time}}
	if two.old, err = readText(ctx, db, c.Document, c.FromText); err != nil {
		return two, err
	}
	two.new, err = readText(ctx, db, c.Document, c.Text)
	return two, err
}

func newestChange(ctx context.Context, db *catalog.DB, name string) (c catalog.ChangeRow, err error) {
	document, err := resolveDocument(ctx, db, name)
	if err != nil {
		return c, err
	}
	for c, err := range db.Changes(ctx, catalog.TextFilter{Documents: []string{document}, Newest: true, Limit: 1}) {
		return c, err
	}
	return c, withCode(exitFailed, fmt.Errorf("%s has not changed since it is watched", document))
}

// versionTexts finds the texts of two versions.
func versionTexts(ctx context.Context, db *catalog.DB, from, to string) (two twoTexts, err error) {
	old, err := versionAt(ctx, db, from)
	if err != nil {
		return two, err
	}
	new, err := versionAt(ctx, db, to)
	if err != nil {
		return two, err
	}
	two.header = terms.Header{Document: title(new.Service, new.Terms, new.DocumentLang), OldTime: old.Time, NewTime: new.Time}
	if old.Document != new.Document {
		two.header.Document = title(old.Service, old.Terms, old.DocumentLang) + " → " + two.header.Document
	}
	if two.old, err = readVersion(ctx, db, old); err != nil {
		return two, err
	}
	two.new, err = readVersion(ctx, db, new)
	return two, err
}

// title names a document for people.
func title(service, what, lang string) string {
	if lang == "" {
		return service + ", " + what
	}
	return fmt.Sprintf("%s, %s (%s)", service, what, lang)
}

func (a *app) showCommand() *cobra.Command {
	var format, out string
	cmd := &cobra.Command{
		Use:   "show SOURCE[@[ia:]TIME]",
		Short: "Show the text of a document as it was in force at a time",
		Long: `Print the version of a document's text that was in force at TIME, the newest
without one: as Markdown, as plain text (its SHA-256 is the text_sha256 of
` + "`fineprint versions`" + `), or as JSON with its blocks. SOURCE@ia:TIME is the version
that the Wayback Machine had seen last at that time, if it was imported.`,
		Example: "  fineprint show https://x.com/en/tos@2024-10-16\n  fineprint show https://x.com/en/tos@ia:2020\n  fineprint show https://x.com/en/tos --format plain | sha256sum",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withCatalog(cmd.Context(), func(_ *config, db *catalog.DB) error {
				return a.show(cmd.Context(), db, args[0], format, out)
			})
		},
	}
	cmd.Flags().StringVar(&format, "format", "markdown", "markdown, plain or json")
	cmd.Flags().StringVarP(&out, "output", "o", "-", "write into `FILE` (- for standard output)")
	return cmd
}

func (a *app) show(ctx context.Context, db *catalog.DB, spec, format, out string) error {
	v, err := versionAt(ctx, db, spec)
	if err != nil {
		return err
	}
	text, err := readVersion(ctx, db, v)
	if err != nil {
		return err
	}
	if a.json {
		format = "json"
	}
	write, err := showText(v, text, format)
	if err != nil {
		return err
	}
	by := ""
	if v.Kind == kindArchived {
		by = " as archived by the Internet Archive"
	}
	a.talk("%s%s, first seen %s, last seen %s", title(v.Service, v.Terms, v.DocumentLang), by, v.Time.Format(time.RFC3339), v.LastSeen.Format(time.RFC3339))
	if out == "-" {
		return write(a.stdout)
	}
	return writeWhole(out, write)
}

// showText returns what writes a text.
func showText(v catalog.VersionRow, text *terms.Text, format string) (func(io.Writer) error, error) {
	switch format {
	case "markdown":
		return func(w io.Writer) error { _, err := io.WriteString(w, text.Markdown()); return err }, nil
	case "plain":
		return func(w io.Writer) error { _, err := io.WriteString(w, text.Plain()); return err }, nil
	case "json":
		return func(w io.Writer) error {
			return writeJSONLine(w, struct {
				versionLine
				Text *terms.Text `json:"text"`
			}{versionLineOf(v), text})
		}, nil
	}
	return nil, usageErrorf("--format %q: choose markdown, plain or json", format)
}
