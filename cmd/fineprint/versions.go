package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/fineprint-archive/fineprint/archive/catalog"
)

// versionLine is a line of `versions` (docs/FORMATS.md).
type versionLine struct {
	Document   string          `json:"document"`
	Service    string          `json:"service"`
	Terms      string          `json:"terms"`
	URL        string          `json:"url"`
	Lang       *string         `json:"lang"`
	Version    string          `json:"version"`  // its time: DOCUMENT@VERSION names it
	Observer   string          `json:"observer"` // own, web.archive.org
	Kind       string          `json:"kind"`
	FirstSeen  string          `json:"first_seen"`
	LastSeen   string          `json:"last_seen"`
	Confirmed  *string         `json:"confirmed"`
	TextSHA256 string          `json:"text_sha256"`
	TextLang   *string         `json:"text_lang"` // as the text shows
	Words      int64           `json:"words"`
	Extractor  string          `json:"extractor"`
	Dates      json.RawMessage `json:"dates"`
	Editions   json.RawMessage `json:"editions"` // of the document, standing on the page; empty if it is one
	Parts      json.RawMessage `json:"captures"` // that it was made from
}

func newVersionLine(v catalog.VersionRow) versionLine {
	return versionLine{
		Document: v.Document, Service: v.Service, Terms: v.Terms, URL: v.URL, Lang: orNull(v.DocumentLang), Version: *rfc(v.Time), Observer: observerOwn, Kind: v.Kind,
		FirstSeen: *rfc(v.Time), LastSeen: *rfc(v.LastSeen), Confirmed: rfc(v.Confirmed), TextSHA256: v.TextSHA256, TextLang: orNull(v.Lang),
		Words: v.Words, Extractor: v.Extractor, Dates: rawJSON(v.Dates), Editions: rawJSON(v.Editions), Parts: rawJSON(v.Parts),
	}
}

// rawJSON is a stored list; an empty one is no null.
func rawJSON(s string) json.RawMessage {
	if s == "" || s == "null" {
		return json.RawMessage("[]")
	}
	return json.RawMessage(s)
}

func (a *app) versionsCommand() *cobra.Command {
	var sel textSelection
	var archived string
	cmd := &cobra.Command{
		Use:   "versions [SOURCE]",
		Short: "List the texts of documents: since when and until when each was seen",
		Long: `List the versions of a document's text (of all documents without one), oldest
first. A version is a state of the text that two looks have shown. SOURCE is a
document or source id or an address.

--archived adds the versions that were imported from the Wayback Machine
(` + "`fineprint wayback backfill`" + `), as it saw them and at its times; --archived=only
lists those alone. They are named SOURCE@ia:TIME.`,
		Example: "  fineprint versions https://x.com/en/tos\n  fineprint versions --service X --lang zh-CN --json\n  fineprint versions --archived https://x.com/en/tos",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withCatalog(cmd.Context(), func(_ *config, db *catalog.DB) error {
				return a.versions(cmd.Context(), db, sel, archived, args)
			})
		},
	}
	sel.flags(cmd, "also versions that are the one before, read by other rules, and archived captures that are no terms")
	cmd.Flags().StringVar(&archived, "archived", "", "also (or `only`) versions as archived by the Internet Archive")
	cmd.Flags().Lookup("archived").NoOptDefVal = "also"
	return cmd
}

func (a *app) versions(ctx context.Context, db *catalog.DB, sel textSelection, archived string, args []string) error {
	if archived != "" {
		return a.versionsArchived(ctx, db, sel, archived, first(args))
	}
	filter, err := sel.filter(ctx, db, first(args))
	if err != nil {
		return err
	}
	n := 0
	t := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
	if !a.json {
		fmt.Fprintln(t, versionsHeader)
	}
	for v, err := range db.Versions(ctx, filter) {
		if err != nil {
			return errors.Join(err, t.Flush())
		}
		n++
		if a.json {
			if err := a.printJSON(newVersionLine(v)); err != nil {
				return err
			}
			continue
		}
		printVersion(t, v)
	}
	if a.json {
		return a.printJSON(map[string]int{"versions": n})
	}
	if err := t.Flush(); err != nil || n > 0 {
		return err
	}
	return a.talkEmpty(ctx, db, filter, "no version")
}

const versionsHeader = "FIRST SEEN\tLAST SEEN\tKIND\tWORDS\tLANG\tTEXT SHA-256\tDOCUMENT"

// printVersion prints a version for people.
func printVersion(w io.Writer, v catalog.VersionRow) {
	fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%s\t%.16s\t%s\n", stamp(v.Time), stamp(v.LastSeen), v.Kind, v.Words, v.Lang, v.TextSHA256, v.Document)
}

// first returns the first argument, "" without one.
func first(args []string) string {
	if len(args) == 0 {
		return ""
	}
	return args[0]
}
