package main

import (
	"context"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/fineprint-archive/fineprint/archive/catalog"
	"github.com/fineprint-archive/fineprint/archive/terms"
)

// foundLine is a line of `search` (docs/FORMATS.md).
type foundLine struct {
	Document  string       `json:"document"`
	Service   string       `json:"service"`
	Terms     string       `json:"terms"`
	URL       string       `json:"url"`
	Lang      *string      `json:"lang"`
	FirstSeen string       `json:"first_seen"`
	LastSeen  *string      `json:"last_seen"`
	Gone      *string      `json:"gone"` // null while it stands
	Present   bool         `json:"present"`
	Kind      string       `json:"kind"`
	Block     int          `json:"block"` // of the version in which it was first seen
	Text      string       `json:"text"`
	Hits      []terms.Span `json:"hits"` // bytes of text
}

func newFoundLine(f catalog.Found, q terms.Query) foundLine {
	return foundLine{
		Document: f.Document, Service: f.Service, Terms: f.Terms, URL: f.URL, Lang: orNull(f.Lang), FirstSeen: *rfc(f.FirstSeen), LastSeen: rfc(f.LastSeen),
		Gone: rfc(f.Gone), Present: f.Present(), Kind: f.Kind, Block: f.Block, Text: f.Text, Hits: q.Hits(f.Text),
	}
}

func (a *app) searchCommand() *cobra.Command {
	var (
		sel     textSelection
		present bool
	)
	cmd := &cobra.Command{
		Use:   "search QUERY",
		Short: "Search all versions: when a sentence first appeared, and when it went",
		Long: `Find passages (paragraphs, headings, list items) of all versions of all texts,
by the time at which they were first seen: when each came, when it was last seen,
and when it was gone. A passage that went and came back is found twice.

All words of QUERY must stand in the passage, in any order. "a phrase" in
quotation marks must stand there as it is, daten* finds words that begin so, and
-word excludes. Case and accents make no difference. Chinese, Japanese, Korean
and Thai are found by any part of a text.`,
		Example: "  fineprint search '\"machine learning\" train*'\n  fineprint search 人工智能 --service X --lang zh-CN\n  fineprint search '\"do not sell\" -cookies' --since 2024-01-01 --json",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			q, err := terms.ParseQuery(strings.Join(args, " "))
			if err != nil {
				return usageErrorf("%w", err)
			}
			return a.withCatalog(cmd.Context(), func(_ *config, db *catalog.DB) error {
				return a.search(cmd.Context(), db, q, sel, present)
			})
		},
	}
	f := cmd.Flags()
	f.StringVar(&sel.service, "service", "", "only this service (name or id)")
	f.StringVar(&sel.terms, "terms", "", "only this type of terms")
	f.StringVar(&sel.lang, "lang", "", "only documents in this language")
	f.StringVar(&sel.url, "url", "", "only documents of this address")
	f.StringVar(&sel.since, "since", "", "passages that stood at this `TIME` or later (RFC 3339, date or 14 digits)")
	f.StringVar(&sel.until, "until", "", "passages that stood up to this `TIME`")
	f.BoolVar(&present, "present", false, "only passages that stand today")
	f.IntVar(&sel.limit, "limit", 100, "at most so many, the earliest; 0 for all")
	return cmd
}

// searchFilter turns the flags and a query into a catalog filter.
func (s *textSelection) searchFilter(ctx context.Context, db *catalog.DB, q terms.Query) (catalog.SearchFilter, error) {
	t, err := s.filter(ctx, db, "")
	f := catalog.SearchFilter{Documents: t.Documents, Service: t.Service, Terms: t.Terms, Lang: t.Lang, Since: t.Since, Until: t.Until}
	for _, term := range q {
		f.Query = append(f.Query, catalog.SearchTerm(term))
	}
	return f, err
}

func (a *app) search(ctx context.Context, db *catalog.DB, q terms.Query, sel textSelection, present bool) error {
	if sel.limit < 0 {
		return usageErrorf("--limit %d: give the number of passages, 0 for all", sel.limit)
	}
	f, err := sel.searchFilter(ctx, db, q)
	if err != nil {
		return err
	}
	f.Present = present
	if sel.limit > 0 {
		f.Limit = sel.limit + 1 // tells whether there are more
	}
	found, err := db.Search(ctx, f)
	if err != nil {
		return err
	}
	more := sel.limit > 0 && len(found) > sel.limit
	if more {
		found = found[:sel.limit]
	}
	if a.json {
		return a.printFoundJSON(found, q, more)
	}
	a.printFound(found, q)
	switch {
	case len(found) == 0:
		in := catalog.TextFilter{Documents: f.Documents, Service: f.Service, Terms: f.Terms, Lang: f.Lang}
		return a.talkEmpty(ctx, db, in, "no passage of any version matches; `fineprint derive` takes in looks that are new")
	case more:
		a.talk("there are more than %d passages: add words, or --limit 0 for all", sel.limit)
	}
	return nil
}

func (a *app) printFoundJSON(found []catalog.Found, q terms.Query, more bool) error {
	documents := map[string]bool{}
	for _, f := range found {
		documents[f.Document] = true
		if err := a.printJSON(newFoundLine(f, q)); err != nil {
			return err
		}
	}
	return a.printJSON(map[string]any{"passages": len(found), "documents": len(documents), "more": more})
}

// printFound prints what was found for people, document by document in the order
// of their first passages.
func (a *app) printFound(found []catalog.Found, q terms.Query) {
	var order []string
	documents := map[string][]catalog.Found{}
	for _, f := range found {
		if documents[f.Document] == nil {
			order = append(order, f.Document)
		}
		documents[f.Document] = append(documents[f.Document], f)
	}
	begin, end := "**", "**"
	if a.colored() {
		begin, end = "\x1b[1m", "\x1b[0m"
	}
	for i, document := range order {
		if i > 0 {
			fmt.Fprintln(a.stdout)
		}
		list := documents[document]
		fmt.Fprintf(a.stdout, "%s  %s\n", title(list[0].Service, list[0].Terms, list[0].Lang), document)
		for _, f := range list {
			fmt.Fprintf(a.stdout, "  %s\n    %s\n", lifetime(f), excerpt(f.Text, q.Hits(f.Text), begin, end))
		}
	}
}

// lifetime says when a passage came and went.
func lifetime(f catalog.Found) string {
	if f.Present() {
		return fmt.Sprintf("since %s, stands (last seen %s)", stamp(f.FirstSeen), stamp(f.LastSeen))
	}
	return fmt.Sprintf("since %s, gone %s (last seen %s)", stamp(f.FirstSeen), stamp(f.Gone), stamp(f.LastSeen))
}

// The characters of an excerpt before its first hit, and in all.
const (
	excerptBefore = 120
	excerptLength = 480
)

// excerpt returns a passage with the hits marked, and what is far before the first
// one and far behind it cut off. Characters that steer a terminal are not printed.
func excerpt(s string, hits []terms.Span, begin, end string) string {
	from := 0
	if len(hits) > 0 {
		from = back(s, hits[0].Start, excerptBefore)
	}
	to := len(s) - len(skip(s[from:], excerptLength))
	var b strings.Builder
	if from > 0 {
		b.WriteString("…")
	}
	at := from
	for _, h := range hits {
		if h.End > to {
			break
		}
		b.WriteString(printable(s[at:h.Start]) + begin + printable(s[h.Start:h.End]) + end)
		at = h.End
	}
	b.WriteString(printable(s[at:to]))
	if to < len(s) {
		b.WriteString("…")
	}
	return b.String()
}

// back returns the place of n characters before a place, 0 if that is near.
func back(s string, at, n int) int {
	for ; n > 0 && at > 0; n-- {
		_, size := utf8.DecodeLastRuneInString(s[:at])
		at -= size
	}
	return at
}

// skip returns what is behind the first n characters.
func skip(s string, n int) string {
	for i := range s {
		if n == 0 {
			return s[i:]
		}
		n--
	}
	return ""
}

// printable replaces control characters.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return utf8.RuneError
		}
		return r
	}, s)
}
