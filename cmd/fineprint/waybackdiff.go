package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/fineprint-archive/fineprint/archive"
	"github.com/fineprint-archive/fineprint/archive/catalog"
	"github.com/fineprint-archive/fineprint/archive/terms"
	"github.com/fineprint-archive/fineprint/warc"
)

func (a *app) waybackDiffCommand() *cobra.Command {
	var f diffFlags
	cmd := &cobra.Command{
		Use:   "diff SOURCE[@TIME]",
		Short: "Redline of your capture against the Wayback Machine's of the same page",
		Long: `Show what makes the text of the capture that was read back last of the text of
your own look that it was compared with, both made by today's extractor from the
records in the archive. With TIME, the one that was read back last by then.`,
		Example: "  fineprint wayback diff https://x.com/en/tos\n  fineprint wayback diff https://x.com/en/tos --format html -o divergence.html",
		Args:    cobra.ExactArgs(1),
		RunE:    func(cmd *cobra.Command, args []string) error { return a.waybackDiff(cmd.Context(), args[0], f) },
	}
	f.flags(cmd)
	return cmd
}

func (a *app) waybackDiff(ctx context.Context, name string, f diffFlags) (err error) {
	_, db, objects, err := a.openToRead(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	source, by, _ := cutTime(name)
	at, err := parseTime(by, true)
	if err != nil {
		return usageErrorf("%s: %w", name, err)
	}
	m, err := newestReadBack(ctx, db, source, at)
	if err != nil {
		return err
	}
	pairs, err := archive.CompareMemento(ctx, objects, db, m)
	if err != nil {
		return err
	}
	ours, _, err := db.Look(ctx, m.Source, m.N)
	if err != nil {
		return err
	}
	if f.out != "-" && len(pairs) > 1 {
		return usageErrorf("-o %s: the page belongs to %d documents; without -o all are shown", f.out, len(pairs))
	}
	for _, p := range pairs {
		a.talk("%s, look %d of %s (%s)", m.URL, m.N, ours.Time.UTC().Format(time.RFC3339), p.Ours.Verdict.Grade)
		a.talk("%s of the Wayback Machine (%s %s), read back %s", m.Time.UTC().Format(time.RFC3339), p.Theirs.Verdict.Grade, p.Theirs.Verdict.Reason, m.Made.UTC().Format(time.RFC3339))
		two := twoTexts{old: p.Ours.Text, new: p.Theirs.Text, header: terms.Header{
			Document: cmp.Or(p.Document, m.URL) + ": own capture → Wayback Machine", OldTime: ours.Time, NewTime: m.Time,
		}}
		if err := a.writeRedline(f, two); err != nil {
			return err
		}
	}
	return nil
}

// newestReadBack finds the capture of a page that was read back last, at or before a
// time if it is not zero.
func newestReadBack(ctx context.Context, db *catalog.DB, name string, at time.Time) (newest catalog.MementoRow, err error) {
	ids, err := resolveSource(ctx, db, name)
	if err != nil {
		return newest, err
	}
	for _, id := range ids {
		list, err := db.Mementos(ctx, catalog.MementoFilter{Source: id, Purpose: warc.PurposeReadBack, Sealed: true, Newest: true})
		if err != nil {
			return newest, err
		}
		for _, m := range list {
			if m.N > 0 && m.Facts.Replay != "" && m.Facts.Replay != warc.FactAbsent && m.Made.After(newest.Made) && (at.IsZero() || !m.Made.After(at)) {
				newest = m
			}
		}
	}
	if newest.Look == "" {
		return newest, withCode(exitFailed, fmt.Errorf("no capture of %s has been read back yet: `fineprint wayback submit` asks for one, `fineprint wayback status` says how far it is", name))
	}
	return newest, nil
}
