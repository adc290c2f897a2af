package main

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/fineprint-archive/fineprint/archive/store"
	"github.com/fineprint-archive/fineprint/archive/tlog"
)

func (a *app) logCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "log",
		Short: "Show the log of every look, publish its key, move it, begin a successor",
		Long: `The log holds one entry for every look, in an order that nobody can change
unseen. docs/OPERATIONS.md, "The log", says what losing each part of it means.`,
		Example: "  fineprint log show\n  fineprint log key > log.pub",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(a.logShowCommand(), a.logKeyCommand(), a.logMoveCommand(), a.logTakeOverCommand(), a.logSucceedCommand())
	for _, c := range cmd.Commands() {
		c.Args = usageArgs(c.Args)
	}
	return cmd
}

// withConfig makes a subcommand's function of one that takes the configuration.
func (a *app) withConfig(run func(ctx context.Context, c *config, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		c, err := a.config()
		if err != nil {
			return err
		}
		return run(cmd.Context(), c, args)
	}
}

func (a *app) logShowCommand() *cobra.Command {
	return &cobra.Command{
		Use: "show", Short: "Origin, public key, place, size and newest checkpoint", Args: cobra.NoArgs,
		RunE: a.withConfig(func(ctx context.Context, c *config, _ []string) error { return a.logShow(ctx, c) }),
	}
}

// logState is what `log show --json` prints: one object.
type logState struct {
	Origin     string  `json:"origin"`
	PublicKey  string  `json:"public_key"`
	Place      *string `json:"place"`    // null in a copy without the lock
	Here       bool    `json:"here"`     // this configuration may write it
	MovedTo    *string `json:"moved_to"` // another place
	ClosedBy   *string `json:"closed_by"`
	Size       int64   `json:"size"`
	Root       string  `json:"root"`       // base64
	Checkpoint string  `json:"checkpoint"` // newest published, the whole note
}

// openLogReader opens the archive's log for reading.
func (a *app) openLogReader(ctx context.Context, c *config) (r *tlog.Reader, vkey string, err error) {
	objects, err := a.readStore(ctx, c)
	if err != nil {
		return nil, "", err
	}
	key, err := a.logVerifier(ctx, c, objects)
	if err != nil {
		return nil, "", err
	}
	if key == nil {
		return nil, "", usageErrorf("the archive %s has no log yet: `fineprint crawl` begins one", c.Archive)
	}
	vkey, err = publicKey(c)
	return tlog.NewReader(objects, key), vkey, err
}

// publicKey returns the public key of the log as text: log.public, or that of
// the private key.
func publicKey(c *config) (string, error) {
	if c.Log.Public != "" {
		return strings.TrimSpace(c.Log.Public), nil
	}
	key, err := readLogKey(c.Log.KeyFile)
	return key.Public, err
}

func (a *app) logShow(ctx context.Context, c *config) error {
	r, vkey, err := a.openLogReader(ctx, c)
	if err != nil {
		return err
	}
	cp, err := r.Checkpoint(ctx)
	if err != nil {
		return logFault(fmt.Errorf("read checkpoint: %w", err))
	}
	s := logState{
		Origin: cp.Origin, PublicKey: vkey, Size: cp.Size, Root: base64.StdEncoding.EncodeToString(cp.Root[:]), Checkpoint: string(cp.Raw),
	}
	state, err := r.State(ctx)
	switch {
	case err == nil:
		s.Place, s.MovedTo, s.ClosedBy = &state.Place, orNull(state.Moved), orNull(state.Closed)
		s.Here = state.Place == logPlace(c) && state.Moved == "" || state.Moved == logPlace(c)
	case !errors.Is(err, store.ErrNotExist):
		return err
	}
	if a.json {
		return a.printJSON(s)
	}
	return s.print(a)
}

func (s logState) print(a *app) error {
	fmt.Fprintf(a.stdout, "origin      %s\npublic key  %s\n", s.Origin, s.PublicKey)
	switch {
	case s.Place == nil:
		fmt.Fprintln(a.stdout, "place       not known: this copy has no lock, so it is read only")
	case s.Here:
		fmt.Fprintf(a.stdout, "place       %s\n", *s.Place)
	default:
		fmt.Fprintf(a.stdout, "place       %s (not here: read only)\n", *s.Place)
	}
	if s.MovedTo != nil {
		fmt.Fprintf(a.stdout, "moved to    %s\n", *s.MovedTo)
	}
	if s.ClosedBy != nil {
		fmt.Fprintf(a.stdout, "closed      continued by %s\n", *s.ClosedBy)
	}
	fmt.Fprintf(a.stdout, "size        %d entries\n", s.Size)
	_, err := fmt.Fprintf(a.stdout, "\n%s", s.Checkpoint)
	return err
}

func (a *app) logKeyCommand() *cobra.Command {
	return &cobra.Command{
		Use: "key", Short: "Print the public key of the log, to be published",
		Long: `Print the public key (C2SP signed-note verifier key, one line). Strangers need
it to check bundles and must get it from somewhere else than a bundle: publish
it on your site, in print, with your partners.`,
		Args: cobra.NoArgs,
		RunE: a.withConfig(func(_ context.Context, c *config, _ []string) error {
			vkey, err := publicKey(c)
			if err != nil {
				return usageErrorf("no key of a log is known here: %w; `fineprint crawl` makes one for a new archive", err)
			}
			if a.json {
				return a.printJSON(map[string]string{"public_key": vkey})
			}
			_, err = fmt.Fprintln(a.stdout, vkey)
			return err
		}),
	}
}

func (a *app) logMoveCommand() *cobra.Command {
	var place string
	cmd := &cobra.Command{
		Use: "move ARCHIVE", Short: "Let the log go on in another folder or bucket",
		Long: `Seal what waits, and close the log here in favour of ARCHIVE, a folder or an
s3:// address that is about to become a copy of this archive. From then on
crawl and seal work there only: two copies that are both written would be two
histories. A move that was not used is taken back with log take-over.`,
		Example: "  fineprint log move s3://my-bucket/terms\n" +
			"  fineprint log move /srv/archive --place 'folder /srv/archive on newhost'",
		Args: cobra.ExactArgs(1),
		RunE: a.withConfig(func(ctx context.Context, c *config, args []string) error { return a.logMove(ctx, c, args[0], place) }),
	}
	cmd.Flags().StringVar(&place, "place", "", "`TEXT` that names the new place, where it is a folder of another machine or has log.place set")
	return cmd
}

func (a *app) logMove(ctx context.Context, c *config, to, place string) (err error) {
	next := *c
	next.Archive, next.Log.Place = absArchive(to), place
	if place = logPlace(&next); place == logPlace(c) {
		return usageErrorf("the log is at %q and cannot be moved to the same place", place)
	}
	s, err := a.openSession(ctx, c)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	if _, err := s.arch.Seal(ctx); err != nil {
		return err
	}
	if err := s.arch.Log().Move(ctx, place); err != nil {
		return err
	}
	if a.json {
		return a.printJSON(map[string]string{"from": logPlace(c), "to": place})
	}
	_, err = fmt.Fprintf(a.stdout, `The log is closed here. It goes on at %q, nowhere else. Now:
  1. copy every object of %s to %s, log/ included,
     for folders: rsync -a --exclude .fineprint OLD/ NEW/
  2. set archive: %s in the configuration, and name spool:, database: and
     log.key_file: if they stood beside the old folder by default
  3. fineprint log show, then the next crawl takes the log there
If the move is given up: fineprint log take-over %s
`, place, c.Archive, to, to, shellQuote(place))
	return err
}

// shellQuote quotes a text for a POSIX shell.
func shellQuote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

func (a *app) logTakeOverCommand() *cobra.Command {
	return &cobra.Command{
		Use: "take-over PLACE", Short: "Take the log from a place that is gone for good",
		Long: `Let the log go on here although it lives at PLACE, as log show prints it: after
a folder or host was renamed, a machine was lost and its archive restored from
a copy, or a move was given up. If PLACE still exists and is written, there
will be two histories under one key, which everybody can prove and nobody can
mend: make sure that it does not.`,
		Example: "  fineprint log take-over 'folder /srv/old on host a'",
		Args:    cobra.ExactArgs(1),
		RunE:    a.withConfig(func(ctx context.Context, c *config, args []string) error { return a.logTakeOver(ctx, c, args[0]) }),
	}
}

func (a *app) logTakeOver(ctx context.Context, c *config, from string) error {
	objects, err := a.readStore(ctx, c)
	if err != nil {
		return err
	}
	if _, err := objects.Stat(ctx, "log/checkpoint"); errors.Is(err, store.ErrNotExist) {
		return usageErrorf("the archive %s has no log", c.Archive)
	}
	l, err := a.openLogKey(ctx, c, objects)
	if err != nil {
		return err
	}
	log, err := tlog.Open(ctx, tlog.Config{
		Store: objects, Mutable: l.Mutable, Signer: l.Signer, Verifier: l.Verifier,
		Place: l.Place, TakeOver: from, Logger: a.logger(), Step: a.step,
	})
	if err != nil {
		return logFault(err)
	}
	if a.json {
		return a.printJSON(map[string]any{"place": log.Place(), "size": log.Checkpoint().Size})
	}
	_, err = fmt.Fprintf(a.stdout, "the log of %d entries lives at %q\n", log.Checkpoint().Size, log.Place())
	return err
}

// logFault gives the errors of a log that a person must settle the usage exit
// code and the command to use.
func logFault(err error) error {
	switch {
	case errors.Is(err, tlog.ErrElsewhere):
		return usageErrorf("%w; `fineprint log show` shows its place; if that is gone for good, and only then: `fineprint log take-over PLACE`", err)
	case errors.Is(err, tlog.ErrClosed):
		return usageErrorf("%w; use the configuration of the archive that follows", err)
	case errors.Is(err, tlog.ErrBehind):
		return usageErrorf("%w; is this the archive of the database (archive:, database:), its folder mounted, and no older copy? An archive of its own needs a database of its own", err)
	case errors.Is(err, tlog.ErrWrongKey):
		return withCode(exitUsage, err)
	}
	return err
}
