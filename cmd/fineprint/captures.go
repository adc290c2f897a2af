package main

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"iter"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/text/language"

	"github.com/fineprint-archive/fineprint/archive/catalog"
	"github.com/fineprint-archive/fineprint/crawler/declaration"
	"github.com/fineprint-archive/fineprint/warc"
)

// selection is the set of flags that choose looks.
type selection struct {
	service, terms, lang, url, run string
	since, until                   string
	all                            bool
	failed                         bool
	archived                       bool // also looks at web archives
}

func (s *selection) flags(cmd *cobra.Command, all string) {
	f := cmd.Flags()
	f.StringVar(&s.service, "service", "", "only this service (name or id)")
	f.StringVar(&s.terms, "terms", "", "only this type of terms")
	f.StringVar(&s.lang, "lang", "", "only this language")
	f.StringVar(&s.url, "url", "", "only this address")
	f.StringVar(&s.run, "run", "", "only this run")
	f.StringVar(&s.since, "since", "", "looks from this `TIME` on (RFC 3339, date or 14 digits)")
	f.StringVar(&s.until, "until", "", "looks up to this `TIME`")
	f.BoolVar(&s.all, "all", false, all)
	f.BoolVar(&s.failed, "failed", false, "only failed looks")
}

// filter turns the flags and an optional SOURCE into a catalog filter.
func (s *selection) filter(ctx context.Context, db *catalog.DB, source string) (catalog.LookFilter, error) {
	f := catalog.LookFilter{Service: s.service, URL: s.url, Run: s.run, Failed: s.failed, Unfinished: s.all}
	var err error
	if s.url != "" {
		if f.URL, err = declaration.Normalize(s.url); err != nil {
			return f, usageErrorf("--url: %w", err)
		}
	}
	if f.Terms, f.Lang, f.Since, f.Until, err = chosen(s.terms, s.lang, s.since, s.until); err != nil {
		return f, err
	}
	if source == "" {
		return f, nil
	}
	f.Sources, err = resolveSource(ctx, db, source)
	return f, err
}

// chosen reads the flags --terms, --lang, --since and --until: a type of terms by
// its usual name, a language in its usual form, either as given if it is not known.
func chosen(terms, lang, since, until string) (string, string, time.Time, time.Time, error) {
	if known, ok := declaration.TermsType(terms); ok {
		terms = known
	}
	if tag, err := language.Parse(lang); err == nil && lang != "" {
		lang = tag.String()
	}
	from, err := parseTime(since, false)
	if err != nil {
		return terms, lang, from, from, usageErrorf("--since: %w", err)
	}
	to, err := parseTime(until, true)
	if err != nil {
		return terms, lang, from, to, usageErrorf("--until: %w", err)
	}
	return terms, lang, from, to, nil
}

// resolveSource finds the sources meant by a document id, a source id or an
// address.
func resolveSource(ctx context.Context, db *catalog.DB, name string) ([]string, error) {
	ids, err := db.ResolveSource(ctx, name)
	if err != nil {
		return nil, err
	}
	if len(ids) == 0 {
		return nil, usageErrorf("%q is neither a document, a source nor an address of this archive; `fineprint captures` lists what there is", name)
	}
	return ids, nil
}

// parseTime reads RFC 3339, a date, or up to 14 digits. upTo takes the end of
// what is meant: of a date, the begin of the next day.
func parseTime(s string, upTo bool) (time.Time, error) {
	if s == "" || s == "latest" {
		return time.Time{}, nil
	}
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		return t.UTC(), nil
	}
	for _, form := range []struct {
		layout string
		step   func(time.Time) time.Time
	}{
		{"2006-01-02", func(t time.Time) time.Time { return t.AddDate(0, 0, 1) }},
		{"2006-01", func(t time.Time) time.Time { return t.AddDate(0, 1, 0) }},
		{"2006", func(t time.Time) time.Time { return t.AddDate(1, 0, 0) }},
		{"20060102150405", func(t time.Time) time.Time { return t.Add(time.Second) }},
		{"20060102", func(t time.Time) time.Time { return t.AddDate(0, 0, 1) }},
	} {
		if t, err := time.Parse(form.layout, s); err == nil {
			if upTo {
				return form.step(t), nil
			}
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is no time; write 2024-10-17, 2024-10-17T08:00:00Z or 20241017080000", s)
}

// capture is a line of `captures` (docs/FORMATS.md). What is not known yet is
// null.
type capture struct {
	ID            string   `json:"id"`
	Source        string   `json:"source"`
	Documents     []string `json:"documents"`
	Service       *string  `json:"service"`
	Terms         *string  `json:"terms"`
	URL           string   `json:"url"`
	FinalURL      *string  `json:"final_url"`
	Lang          *string  `json:"lang"`
	Time          string   `json:"time"`
	N             int64    `json:"n"`
	Run           string   `json:"run"`
	Result        string   `json:"result"`
	Error         *string  `json:"error"`
	Detail        *string  `json:"detail"`
	Status        *int     `json:"status"`
	Bytes         *string  `json:"bytes"`
	Grade         *string  `json:"grade"`   // of its text; null until it is derived, and without one
	Outcome       *string  `json:"outcome"` // likewise
	Reason        *string  `json:"reason"`  // why it is no terms, or no news
	WARC          string   `json:"warc"`    // object; where the look's manifest stands
	Offset        int64    `json:"offset"`
	Length        int64    `json:"length"`
	Record        *string  `json:"record"` // response or revisit record of the page
	RecordOffset  *int64   `json:"record_offset"`
	RecordLength  *int64   `json:"record_length"`
	SameAs        *string  `json:"same_as"`
	MIME          *string  `json:"mime"`
	PayloadSize   *int64   `json:"payload_size"`
	PayloadSHA1   *string  `json:"payload_sha1"`
	PayloadSHA256 *string  `json:"payload_sha256"`
	DecodedSHA256 *string  `json:"decoded_sha256"`
	Sealed        bool     `json:"sealed"`
	Index         *int64   `json:"index"` // of the log entry
}

// captureLine makes the public form of a look.
func captureLine(row catalog.LookRow) capture {
	c := capture{
		ID: row.ID, Source: row.Source, Documents: row.Documents, URL: row.URL, Time: row.Time.UTC().Format(time.RFC3339Nano),
		Service: orNull(row.Service), Terms: orNull(row.Terms), Lang: orNull(row.Lang), FinalURL: orNull(row.FinalURL),
		N: row.N, Run: row.Run, Result: string(row.Result), Error: orNull(row.Error), Detail: orNull(row.Detail),
		Status: orNull(row.Status), Bytes: orNull(string(row.Bytes)), WARC: row.WARC, Offset: row.Offset, Length: row.Length,
		Grade: orNull(row.Grade), Outcome: orNull(row.Outcome), Reason: orNull(row.Reason),
		SameAs: orNull(row.SameAs), MIME: orNull(row.MIME), Sealed: row.State == catalog.LookSealed,
	}
	if c.Documents == nil {
		c.Documents = []string{}
	}
	if row.Index >= 0 {
		c.Index = &row.Index
	}
	if row.RecordID != "" {
		c.Record, c.PayloadSize = &row.RecordID, &row.PayloadSize
		c.RecordOffset, c.RecordLength = &row.RecordOffset, &row.RecordLength
		c.PayloadSHA1, c.PayloadSHA256 = orNull(base32Of(row.PayloadSHA1)), orNull(row.PayloadSHA256.Hex())
		c.DecodedSHA256 = orNull(row.DecodedSHA256.Hex())
	}
	return c
}

// base32Of prints a SHA-1 as the Wayback Machine's index does.
func base32Of(d warc.Digest) string { return d.Base32() }

func orNull[T comparable](v T) *T {
	var zero T
	if v == zero {
		return nil
	}
	return &v
}

func (a *app) capturesCommand() *cobra.Command {
	var sel selection
	cmd := &cobra.Command{
		Use:   "captures [SOURCE]",
		Short: "List looks: what was captured, when, and where it stands",
		Long: `List the looks at a source (all without one), oldest first. SOURCE is a
document or source id or an address. Failed looks are looks too: --failed lists
them alone.`,
		Example: "  fineprint captures --service X --lang zh-CN\n  fineprint captures https://x.com/en/tos --all --json",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			_, db, err := a.openCatalogToRead(cmd.Context())
			if err != nil {
				return err
			}
			return errors.Join(a.captures(cmd.Context(), db, sel, args), db.Close())
		},
	}
	sel.flags(cmd, "also looks that are being made or were not yet recovered")
	cmd.Flags().BoolVar(&sel.archived, "archived", false, "also looks at the Wayback Machine: what was read back and imported")
	return cmd
}

func (a *app) captures(ctx context.Context, db *catalog.DB, sel selection, args []string) error {
	var source string
	if len(args) > 0 {
		source = args[0]
	}
	filter, err := sel.filter(ctx, db, source)
	if err != nil {
		return err
	}
	filter.Own = !sel.archived
	rows := db.Looks(ctx, filter)
	if a.json {
		n := 0
		for row, err := range rows {
			if err != nil {
				return err
			}
			if err := a.printJSON(captureLine(row)); err != nil {
				return err
			}
			n++
		}
		return a.printJSON(map[string]int{"captures": n})
	}
	t := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "TIME\tRESULT\tSTATUS\tBYTES\tGRADE\tTEXT\tSIZE\tSERVICE\tTERMS\tLANG\tADDRESS")
	for row, err := range rows {
		if err != nil {
			return err
		}
		result := string(row.Result)
		if row.Error != "" {
			result = row.Error
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", stamp(row.Time), result,
			number(row.Status), row.Bytes, row.Grade, row.Outcome, humanBytes(row.PayloadSize), row.Service, row.Terms, row.Lang, row.URL)
	}
	return t.Flush()
}

func number(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}

// writeCSV writes looks as comma-separated values, a header line first.
func writeCSV(w io.Writer, rows iter.Seq2[catalog.LookRow, error]) error {
	out := csv.NewWriter(w)
	header := []string{"id", "source", "service", "terms", "lang", "url", "final_url", "time", "n", "result", "error", "status", "bytes", "grade", "outcome",
		"warc", "offset", "length", "record", "record_offset", "record_length", "payload_size", "payload_sha1", "payload_sha256", "decoded_sha256"}
	if err := out.Write(header); err != nil {
		return err
	}
	for row, err := range rows {
		if err != nil {
			return err
		}
		line := []string{row.ID, row.Source, row.Service, row.Terms, row.Lang, row.URL, row.FinalURL, row.Time.UTC().Format(time.RFC3339Nano),
			strconv.FormatInt(row.N, 10), string(row.Result), row.Error, number(row.Status), string(row.Bytes), row.Grade, row.Outcome, row.WARC,
			strconv.FormatInt(row.Offset, 10), strconv.FormatInt(row.Length, 10), row.RecordID,
			strconv.FormatInt(row.RecordOffset, 10), strconv.FormatInt(row.RecordLength, 10), strconv.FormatInt(row.PayloadSize, 10),
			base32Of(row.PayloadSHA1), row.PayloadSHA256.Hex(), row.DecodedSHA256.Hex()}
		if err := out.Write(line); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}
