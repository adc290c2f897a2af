package main

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/fineprint-archive/fineprint/archive/catalog"
)

// changeLine is a line of `changes` (docs/FORMATS.md).
type changeLine struct {
	ID           *string  `json:"id"`
	Document     string   `json:"document"`
	Service      string   `json:"service"`
	Terms        string   `json:"terms"`
	URL          string   `json:"url"`
	Lang         *string  `json:"lang"`
	From         *string  `json:"from"` // version before
	To           *string  `json:"to"`   // version
	Time         string   `json:"time"`
	Kind         string   `json:"kind"`
	Confirmed    bool     `json:"confirmed"`
	ConfirmedAt  *string  `json:"confirmed_at"`
	AddedWords   *int64   `json:"added_words"`
	RemovedWords *int64   `json:"removed_words"`
	Effective    *string  `json:"effective"`
	Editions     *int64   `json:"editions"` // versions of the document standing on the page; null if it is one text
	Watch        []string `json:"watch"`    // phrases in what was added or removed
	Summary      *string  `json:"summary"`
	Doubt        *string  `json:"doubt"`  // why it was suspect until three looks in a row showed it
	Grade        *string  `json:"grade"`  // of what was not told
	Reason       *string  `json:"reason"` // why it was not
	Looks        int64    `json:"looks"`  // that said so, one after the other
	Last         *string  `json:"last"`   // time of the last of them
	Derived      *string  `json:"derived"`
}

func newChangeLine(c catalog.ChangeRow) changeLine {
	return changeLine{
		ID: &c.ID, Document: c.Document, Service: c.Service, Terms: c.Terms, URL: c.URL, Lang: orNull(c.Lang), From: rfc(c.From), To: rfc(c.Time),
		Time: *rfc(c.Time), Kind: c.Kind, Confirmed: true, ConfirmedAt: rfc(c.Confirmed), AddedWords: &c.AddedWords, RemovedWords: &c.RemovedWords,
		Effective: orNull(c.Effective), Editions: orNull(c.Editions), Watch: c.Phrases(), Summary: &c.Summary, Doubt: orNull(c.Doubt), Looks: 1, Derived: rfc(c.Derived),
	}
}

func newSuppressedLine(r catalog.Reading) changeLine {
	return changeLine{
		Document: r.Document, Service: r.Service, Terms: r.Terms, URL: r.URL, Lang: orNull(r.Lang), Time: *rfc(r.From), Kind: r.Outcome,
		Watch: []string{}, Grade: orNull(r.Grade), Reason: orNull(r.Reason), Looks: r.NTo - r.NFrom + 1, Last: rfc(r.To),
	}
}

func (a *app) changesCommand() *cobra.Command {
	var sel textSelection
	var byTerms, watched bool
	cmd := &cobra.Command{
		Use:   "changes [SOURCE]",
		Short: "List what changed, oldest first; --all also what was not told, and why",
		Long: `List the changes of a document's text (of all documents without one): states
of the text that it never had before, confirmed by a second look, and returns to
an earlier state that stayed. --all adds everything that was not told as a
change, with its reason: states that were not confirmed, that alternate, that
differ only in passages which keep changing, other links, captures that are no
terms. --by-terms shows which language of the same terms moved when.`,
		Example: "  fineprint changes --since 2024-10-01\n  fineprint changes https://x.com/en/tos --all --json\n  fineprint changes --service X --by-terms",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withCatalog(cmd.Context(), func(_ *config, db *catalog.DB) error {
				filter, err := sel.filter(cmd.Context(), db, first(args))
				if err != nil {
					return err
				}
				if byTerms {
					return a.changesByTerms(cmd.Context(), db, filter)
				}
				return a.changes(cmd.Context(), db, filter, sel.all, watched)
			})
		},
	}
	sel.flags(cmd, "also what was not told as a change, with the reason")
	cmd.Flags().BoolVar(&byTerms, "by-terms", false, "by service and terms: which language moved when")
	cmd.Flags().BoolVar(&watched, "watched", false, "only changes that a watch phrase marks")
	return cmd
}

func (a *app) changes(ctx context.Context, db *catalog.DB, filter catalog.TextFilter, all, watched bool) error {
	var lines []changeLine
	limit := filter.Limit
	if watched {
		filter.Limit = 0 // of those that are marked
	}
	for c, err := range db.Changes(ctx, filter) {
		if err != nil {
			return err
		}
		if watched && len(c.Phrases()) == 0 {
			continue
		}
		lines = append(lines, newChangeLine(c))
		if watched && len(lines) == limit {
			break
		}
	}
	changes := len(lines)
	if all {
		for r, err := range db.Suppressed(ctx, filter) {
			if err != nil {
				return err
			}
			lines = append(lines, newSuppressedLine(r))
		}
	}
	slices.SortStableFunc(lines, func(a, b changeLine) int { return strings.Compare(a.Time, b.Time) })
	for _, l := range lines {
		if err := a.printChange(l); err != nil {
			return err
		}
	}
	if a.json {
		return a.printJSON(map[string]int{"changes": changes, "not_told": len(lines) - changes})
	}
	if len(lines) == 0 {
		return a.talkEmpty(ctx, db, filter, "no change")
	}
	if all {
		a.talk("%d changes, %d not told as such", changes, len(lines)-changes)
	}
	return nil
}

func (a *app) printChange(l changeLine) error {
	if a.json {
		return a.printJSON(l)
	}
	at, err := time.Parse(time.RFC3339Nano, l.Time)
	if err != nil {
		return err
	}
	name := "-"
	if l.ID != nil {
		name = (*l.ID)[:8]
	}
	fmt.Fprintf(a.stdout, "%s  %-8s  %-13s  %s\n", stamp(at), name, l.Kind, l.Document)
	switch {
	case l.Summary != nil:
		fmt.Fprintf(a.stdout, "    %s\n", *l.Summary)
	case l.Reason != nil:
		fmt.Fprintf(a.stdout, "    %s\n", *l.Reason)
	}
	if l.Doubt != nil {
		fmt.Fprintf(a.stdout, "    %s\n", doubtful(*l.Doubt))
	}
	if l.Effective != nil {
		fmt.Fprintf(a.stdout, "    effective %s\n", *l.Effective)
	}
	if l.Editions != nil {
		fmt.Fprintf(a.stdout, "    %d versions of the text stand on the page\n", *l.Editions)
	}
	if len(l.Watch) > 0 {
		fmt.Fprintf(a.stdout, "    watch: %s\n", strings.Join(l.Watch, ", "))
	}
	return nil
}

// doubtful warns of a change whose looks would not count, had not three in a row
// shown it.
func doubtful(why string) string {
	return "doubtful, though three looks in a row show it: " + why
}

// sameMove is how far apart two languages of the same terms may change and still
// be said to move together.
const sameMove = 14 * 24 * time.Hour

// move is a change of the same terms in one language or several.
type move struct {
	First, Last time.Time
	Changes     []catalog.ChangeRow
}

// languageMoves are the moves of the same terms of a service.
type languageMoves struct {
	Service string           `json:"service"`
	Terms   string           `json:"terms"`
	Langs   []string         `json:"langs"` // of its documents
	Moves   []map[string]any `json:"moves"`
}

func (a *app) changesByTerms(ctx context.Context, db *catalog.DB, filter catalog.TextFilter) error {
	langs := map[string][]string{} // by service and terms
	for v, err := range db.Versions(ctx, catalog.TextFilter{Service: filter.Service, Terms: filter.Terms}) {
		if err != nil {
			return err
		}
		key := v.ServiceID + "\n" + v.Terms
		if !slices.Contains(langs[key], v.DocumentLang) {
			langs[key] = append(langs[key], v.DocumentLang)
		}
	}
	grouped, order, err := groupChanges(db.Changes(ctx, filter))
	if err != nil {
		return err
	}
	for _, key := range order {
		slices.Sort(langs[key])
		if err := a.printMoves(grouped[key], langs[key]); err != nil {
			return err
		}
	}
	if a.json {
		return a.printJSON(map[string]int{"terms": len(order)})
	}
	if len(order) == 0 {
		return a.talkEmpty(ctx, db, filter, "no change")
	}
	return nil
}

// groupChanges divides changes, oldest first, by service and terms.
func groupChanges(changes iter.Seq2[catalog.ChangeRow, error]) (map[string][]catalog.ChangeRow, []string, error) {
	grouped := map[string][]catalog.ChangeRow{}
	var order []string
	for c, err := range changes {
		if err != nil {
			return nil, nil, err
		}
		key := c.ServiceID + "\n" + c.Terms
		if grouped[key] == nil {
			order = append(order, key)
		}
		grouped[key] = append(grouped[key], c)
	}
	slices.Sort(order)
	for _, list := range grouped {
		slices.SortStableFunc(list, func(a, b catalog.ChangeRow) int { return a.Time.Compare(b.Time) })
	}
	return grouped, order, nil
}

// moves divides the changes of the same terms by time: a language that changes
// again begins another move.
func moves(changes []catalog.ChangeRow) []move {
	var all []move
	for _, c := range changes {
		if n := len(all); n > 0 && c.Time.Sub(all[n-1].Last) <= sameMove &&
			!slices.ContainsFunc(all[n-1].Changes, func(o catalog.ChangeRow) bool { return o.Document == c.Document }) {
			all[n-1].Last = c.Time
			all[n-1].Changes = append(all[n-1].Changes, c)
			continue
		}
		all = append(all, move{c.Time, c.Time, []catalog.ChangeRow{c}})
	}
	return all
}

func (a *app) printMoves(changes []catalog.ChangeRow, langs []string) error {
	out := languageMoves{Service: changes[0].Service, Terms: changes[0].Terms, Langs: langs, Moves: []map[string]any{}}
	if !a.json {
		fmt.Fprintf(a.stdout, "%s, %s (%s)\n", out.Service, out.Terms, strings.Join(langs, ", "))
	}
	for _, m := range moves(changes) {
		still := slices.DeleteFunc(slices.Clone(langs), func(lang string) bool {
			return slices.ContainsFunc(m.Changes, func(c catalog.ChangeRow) bool { return c.Lang == lang })
		})
		if a.json {
			var list []map[string]any
			for _, c := range m.Changes {
				list = append(list, map[string]any{"lang": orNull(c.Lang), "document": c.Document, "id": c.ID, "time": rfc(c.Time), "kind": c.Kind, "effective": orNull(c.Effective), "doubt": orNull(c.Doubt), "summary": c.Summary})
			}
			out.Moves = append(out.Moves, map[string]any{"first": rfc(m.First), "last": rfc(m.Last), "changes": list, "unmoved": still})
			continue
		}
		for _, c := range m.Changes {
			fmt.Fprintf(a.stdout, "  %s  %-8s  %s  %s\n", stamp(c.Time), c.Lang, c.ID[:8], c.Summary)
			if c.Doubt != "" {
				fmt.Fprintf(a.stdout, "    %s\n", doubtful(c.Doubt))
			}
		}
		if len(still) > 0 {
			fmt.Fprintf(a.stdout, "  %-19s  did not move with it: %s\n", "", strings.Join(still, ", "))
		}
	}
	if a.json {
		return a.printJSON(out)
	}
	return nil
}
