package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/fineprint-archive/fineprint/archive/catalog"
	"github.com/fineprint-archive/fineprint/archive/wayback"
)

func (a *app) waybackStatusCommand() *cobra.Command {
	var state string
	limit := 20
	cmd := &cobra.Command{
		Use:   "status",
		Short: "What waits, what was captured and confirmed, what comes next",
		Long: `Count the captures by state, and say what is left of the account's day, what
waits longest, and what is done next. --state lists the rows of one state, the
newest first.`,
		Example: "  fineprint wayback status\n  fineprint wayback status --state divergent",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return a.waybackStatus(cmd.Context(), state, limit) },
	}
	cmd.Flags().StringVar(&state, "state", "", "list the captures in this `STATE`")
	cmd.Flags().IntVar(&limit, "limit", limit, "list at most `N`; 0 lists all")
	return cmd
}

// waybackState is what the wayback commands print last with --json
// (docs/FORMATS.md).
type waybackState struct {
	Waiting       int64            `json:"waiting"` // not yet accepted by the Archive
	States        map[string]int64 `json:"states"`
	BudgetLeft    *int64           `json:"budget_left"`    // null until the account was asked
	OldestWaiting *string          `json:"oldest_waiting"` // when the oldest that waits was entered
	ReadsDue      int64            `json:"reads_due"`      // captures to be read back now
	Submits       int64            `json:"submits_24h"`
	NextAction    *string          `json:"next_action"`
	Next          *waybackNext     `json:"next"`    // what that is
	Paused        *waybackPause    `json:"paused"`  // what the Archive told us to wait for
	Service       *string          `json:"service"` // what the service says of its troubles
	Off           *string          `json:"off"`     // why nothing is submitted
	Done          *waybackDone     `json:"done,omitempty"`
}

// waybackNext is the next thing to do.
type waybackNext struct {
	URL   string `json:"url"`
	State string `json:"state"`
}

// waybackPause is a pause that the Archive caused.
type waybackPause struct {
	Until  string `json:"until"`
	Class  string `json:"class"`
	Reason string `json:"reason"`

	all bool // it is for every request, not for submits alone
}

// waybackItem is a row of the outbox (docs/FORMATS.md).
type waybackItem struct {
	Source    string          `json:"source"`
	N         int64           `json:"n"`
	URL       string          `json:"url"`
	Cause     string          `json:"cause"`
	State     string          `json:"state"`
	Created   string          `json:"created"`
	Capture   *string         `json:"capture"` // address
	Facts     json.RawMessage `json:"facts"`
	Grade     *string         `json:"grade"`
	Class     *string         `json:"class"`
	Code      *string         `json:"code"`
	Error     *string         `json:"error"`
	Reported  *string         `json:"reported"`
	Confirmed *string         `json:"confirmed"`
	NextAt    *string         `json:"next_at"`
}

func waybackReport(ctx context.Context, c *config, db *catalog.DB) (*waybackState, error) {
	counts, err := db.OutboxStats(ctx)
	if err != nil {
		return nil, err
	}
	s := &waybackState{States: map[string]int64{}, Off: orNull(waybackOff(c)), ReadsDue: counts.ReadsDue, Submits: counts.Submits}
	for _, info := range wayback.States() {
		s.States[string(info.State)] = counts.States[string(info.State)]
	}
	s.Waiting = counts.States[string(wayback.StateWaiting)] + counts.States[string(wayback.StateSubmitted)]
	s.OldestWaiting, s.NextAction = timeOrNull(counts.Oldest), timeOrNull(counts.NextAt)
	if !counts.NextAt.IsZero() {
		s.Next = &waybackNext{counts.Next.URL, counts.Next.State}
	}
	s.Paused, err = waybackPaused(ctx, db)
	return s, err
}

// short is the state in one line: what waits, and what is in each other state.
func (s *waybackState) short() string {
	parts := []string{fmt.Sprintf("%d wait", s.Waiting)}
	for _, info := range wayback.States() {
		if n := s.States[string(info.State)]; n > 0 && info.State != wayback.StateWaiting && info.State != wayback.StateSubmitted {
			parts = append(parts, fmt.Sprintf("%d %s", n, info.State))
		}
	}
	return strings.Join(parts, ", ")
}

// print writes the state for people.
func (s *waybackState) print(a *app) error {
	for _, info := range wayback.States() {
		if n := s.States[string(info.State)]; n > 0 {
			fmt.Fprintf(a.stdout, "%-11s %6d  %s\n", info.State, n, info.Meaning)
		}
	}
	if s.BudgetLeft != nil {
		fmt.Fprintf(a.stdout, "captures left today %d\n", *s.BudgetLeft)
	}
	if s.Service != nil {
		fmt.Fprintf(a.stdout, "the service says    %s\n", *s.Service)
	}
	if s.OldestWaiting != nil {
		fmt.Fprintf(a.stdout, "oldest that waits   %s\n", *s.OldestWaiting)
	}
	if s.Paused != nil {
		fmt.Fprintf(a.stdout, "paused until        %s: %s\n", s.Paused.Until, s.Paused.Reason)
	}
	if s.NextAction != nil {
		fmt.Fprintf(a.stdout, "next action         %s: %s (%s)\n", *s.NextAction, s.Next.URL, s.Next.State)
	}
	if s.Off != nil {
		fmt.Fprintf(a.stdout, "off: %s\n", *s.Off)
	}
	return nil
}

func (a *app) waybackStatus(ctx context.Context, state string, limit int) (err error) {
	if state != "" && !slices.ContainsFunc(wayback.States(), func(i wayback.StateInfo) bool { return string(i.State) == state }) {
		return usageErrorf("--state %s: the states are %s", state, stateNames())
	}
	c, db, err := a.openCatalogToRead(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if state != "" {
		if err := a.listOutbox(ctx, c, db, state, limit); err != nil || !a.json {
			return err
		}
	}
	report, err := waybackReport(ctx, c, db)
	if err != nil {
		return err
	}
	if err := a.askService(ctx, c, db, report); err != nil {
		return err
	}
	if a.json {
		return a.printJSON(report)
	}
	return report.print(a)
}

func stateNames() (names []string) {
	for _, info := range wayback.States() {
		names = append(names, string(info.State))
	}
	return names
}

// listOutbox lists the rows of one state.
func (a *app) listOutbox(ctx context.Context, c *config, db *catalog.DB, state string, limit int) error {
	rows, err := db.ListOutbox(ctx, catalog.OutboxFilter{States: []string{state}, Limit: limit})
	if err != nil {
		return err
	}
	for _, r := range rows {
		item := outboxLine(c, r)
		if a.json {
			if err := a.printJSON(item); err != nil {
				return err
			}
			continue
		}
		fmt.Fprintf(a.stdout, "%s  look %d, %s\n", r.URL, r.N, r.Cause)
		if item.Capture != nil {
			fmt.Fprintf(a.stdout, "    %s\n", *item.Capture)
		}
		if r.Facts != "" {
			fmt.Fprintf(a.stdout, "    %s %s\n", r.Facts, r.Grade)
		}
		if r.LastError != "" {
			fmt.Fprintf(a.stdout, "    %s %s: %s\n", r.LastClass, r.LastCode, r.LastError)
		}
	}
	return nil
}

func outboxLine(c *config, r catalog.OutboxRow) waybackItem {
	item := waybackItem{
		Source: r.Source, N: r.N, URL: r.URL, Cause: r.Cause, State: r.State, Created: r.Created.UTC().Format(time.RFC3339),
		Grade: orNull(r.Grade), Class: orNull(r.LastClass), Code: orNull(r.LastCode), Error: orNull(r.LastError),
		Reported: timeOrNull(r.ReportedAt), Confirmed: timeOrNull(r.ConfirmedAt),
	}
	if r.Facts != "" {
		item.Facts = json.RawMessage(r.Facts)
	}
	if r.Snapshot != "" {
		address := c.Wayback.BaseURL + "/web/" + r.Snapshot + "/" + r.OriginalURL
		item.Capture = &address
	}
	if r.Work != catalog.OutboxEnded {
		item.NextAt = timeOrNull(r.NextAt)
	}
	return item
}

// askService asks how the service is and how many captures are left today. No answer
// is no error: the state of the outbox is worth printing without it. While all
// requests have to wait, this one does, too.
func (a *app) askService(ctx context.Context, c *config, db *catalog.DB, s *waybackState) error {
	if s.Off != nil || s.Paused != nil && s.Paused.all {
		return nil
	}
	client, err := a.newWaybackClient(ctx, c, nil)
	if err != nil {
		return nil
	}
	const patience = 5 * time.Second
	ask, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	status, err := client.UserStatus(ask)
	if err != nil {
		a.talk("wayback: the account's limits could not be asked: %v", err)
		if system, err := client.SystemStatus(ask); err == nil { // perhaps it says why
			s.Service = orNull(system.Message)
		}
		return nil
	}
	_, submits, err := db.OutboxSubmits(ctx, "", client.Pacer().Limits().Today(time.Now()))
	if err != nil {
		return err
	}
	s.BudgetLeft = budgetLeft(status, c.Wayback.DailyCaptures, submits)
	return nil
}

// budgetLeft is how many captures are left today, of the account's and of those that
// the configuration allows; nil if the service has not told.
func budgetLeft(u wayback.UserStatus, daily, submits int) *int64 {
	if u.DailyCapturesLimit < 0 || u.DailyCaptures < 0 {
		return nil
	}
	left := u.DailyCapturesLimit - u.DailyCaptures
	if daily > 0 {
		left = min(left, daily-submits)
	}
	n := int64(max(left, 0)) // a limit may be lowered below what is used
	return &n
}

// waybackPaused returns the pause that ends last, as the last process that spoke to
// the Archive left it; nil for none.
func waybackPaused(ctx context.Context, db *catalog.DB) (*waybackPause, error) {
	saved, err := db.LoadPacer(ctx)
	if err != nil || len(saved) == 0 {
		return nil, err
	}
	var state wayback.PacerState
	if json.Unmarshal(saved, &state) != nil {
		return nil, nil // what is no state pauses nothing
	}
	on, now := state.All, time.Now()
	if state.Submits.Until.After(on.Until) {
		on = state.Submits
	}
	if !on.Until.After(now) {
		return nil, nil
	}
	return &waybackPause{on.Until.UTC().Format(time.RFC3339), string(on.Class), on.Message, state.All.Until.After(now)}, nil
}
