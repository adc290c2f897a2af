package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/fineprint-archive/fineprint/archive"
)

func (a *app) sealCommand() *cobra.Command {
	var lost string
	var yes bool
	cmd := &cobra.Command{
		Use:   "seal",
		Short: "Repair the spool and bring what it holds into the archive",
		Long: `Repair what an interrupted run left in the spool, enter it, and bring every
closed WARC into the archive; then find out what its texts say. crawl does the
same at its start and its end.

--lost declares that the spool of another machine is gone for good (status
shows such spools): what had reached the archive is sealed, each other look of
it is entered in the log as lost, and nothing waits for it any more.`,
		Example: "  fineprint seal\n  fineprint seal --lost 5f2b9c01d3e4a687",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			c, err := a.config()
			if err != nil {
				return err
			}
			if c.noCatalog() && missing(c.Spool) {
				return noArchive(c.Spool)
			}
			s, err := a.openSession(cmd.Context(), c)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, s.close()) }()
			if lost != "" {
				return a.sealLost(cmd.Context(), s, lost, yes)
			}
			sealed, err := s.arch.Seal(cmd.Context())
			if err == nil {
				var more []archive.Sealed
				more, err = a.sealWayback(cmd.Context(), c)
				sealed = append(sealed, more...)
			}
			var derived archive.DeriveStats
			if err == nil {
				derived, err = a.deriveRun(cmd.Context(), s, &summary{Grades: map[string]int64{}})
			}
			if err == nil {
				_, err = a.anchorRun(cmd.Context(), s)
			}
			if a.json {
				if sealed == nil {
					sealed = []archive.Sealed{}
				}
				return errors.Join(err, a.printJSON(map[string]any{"warcs": sealed, "derived": derived}))
			}
			a.printSealed(sealed)
			if err == nil && len(sealed) == 0 {
				a.talk("the spool is empty")
			}
			return err
		},
	}
	cmd.Flags().StringVar(&lost, "lost", "", "the `SPOOL` with this identity is gone for good")
	cmd.Flags().BoolVar(&yes, "yes", false, "with --lost: do not ask")
	return cmd
}

// sealWayback seals what the wayback commands left in their spool, unless one of
// them is at work.
func (a *app) sealWayback(ctx context.Context, c *config) (sealed []archive.Sealed, err error) {
	own := *c
	own.Spool = waybackSpool(c)
	if missing(own.Spool) {
		return nil, nil
	}
	s, err := a.openSession(ctx, &own)
	if errors.Is(err, archive.ErrSpoolBusy) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	return s.arch.Seal(ctx)
}

func (a *app) printSealed(sealed []archive.Sealed) {
	for _, w := range sealed {
		fmt.Fprintf(a.stdout, "sealed %s, %s, %d looks, sha256 %s\n", w.Object, humanBytes(w.Bytes), w.Looks, w.SHA256)
	}
}

// sealLost declares a spool gone, after a person has seen what that means.
func (a *app) sealLost(ctx context.Context, s *session, spool string, yes bool) error {
	if spool == s.arch.Spool() {
		return usageErrorf("%s is the spool of this very configuration, %s: it is here", spool, s.cfg.Spool)
	}
	if err := a.listLost(ctx, s, spool); err != nil {
		return err
	}
	if !yes {
		if err := a.confirm("Is this spool gone for good, so that nobody can bring it back?"); err != nil {
			return err
		}
	}
	loss, err := s.arch.EnterLost(ctx, spool)
	if a.json {
		return errors.Join(err, a.printJSON(loss))
	}
	a.printSealed(loss.Sealed)
	if err == nil {
		fmt.Fprintf(a.stdout, "%d looks of spool %s entered as lost\n", loss.Looks, spool)
	}
	return err
}

// shownLost bounds the list on the screen.
const shownLost = 20

// listLost shows what a spool holds as far as the catalog knows.
func (a *app) listLost(ctx context.Context, s *session, spool string) error {
	looks, err := s.db.LooksOfSpool(ctx, spool)
	if err != nil {
		return err
	}
	if len(looks) == 0 {
		spools, err := s.db.Spools(ctx)
		if err != nil {
			return err
		}
		var known []string
		for _, k := range spools {
			known = append(known, k.Spool)
		}
		return usageErrorf("no look waits in a spool %q; spools with looks: %q", spool, known)
	}
	a.talk("%d looks are in spool %s alone, unless their WARC has reached the archive:", len(looks), spool)
	for i, l := range looks {
		if i == shownLost {
			a.talk("  and %d more", len(looks)-i)
			break
		}
		a.talk("  look %d of source %s, begun %s, run %s", l.N, l.Source, l.Time.UTC().Format(time.RFC3339), l.Run)
	}
	return nil
}

// confirm asks on a terminal; who has none gives --yes.
func (a *app) confirm(question string) error {
	f, ok := a.stdin.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return usageErrorf("there is no terminal to ask on: give --yes if you are sure")
	}
	fmt.Fprintf(a.stderr, "%s Type yes: ", question)
	answer, err := bufio.NewReader(f).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if strings.TrimSpace(answer) != "yes" {
		return usageErrorf("nothing was changed")
	}
	return nil
}
