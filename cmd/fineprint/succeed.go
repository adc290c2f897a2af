package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/fineprint-archive/fineprint/archive/tlog"
)

func (a *app) logSucceedCommand() *cobra.Command {
	var lost bool
	cmd := &cobra.Command{
		Use:   "succeed CONFIG",
		Short: "Close the log for ever and begin another, with a new key or name",
		Long: `Close this archive's log and begin that of a new archive, described by the
configuration file CONFIG: to change the key, the name (log.origin), or after
the key was lost. The last entry of the old log names the new public key, the
first entry of the new log holds the old checkpoint. The old archive stays as
it is, to be read and checked with its own key; looks are numbered from 1 in
the new one. CONFIG names another archive, spool, database and log.key_file;
the new key is made there. The command may be repeated until it succeeds.`,
		Example: "  fineprint log succeed /srv/terms-2/fineprint.yaml",
		Args:    cobra.ExactArgs(1),
		RunE: a.withConfig(func(ctx context.Context, c *config, args []string) error {
			next, err := loadConfig(args[0], nil, nil)
			if err != nil {
				return err
			}
			if err := apart(c, next); err != nil {
				return err
			}
			return a.logSucceed(ctx, c, next, lost)
		}),
	}
	cmd.Flags().BoolVar(&lost, "key-lost", false, "nobody has the private key any more: the old log cannot name its successor (needs log.public)")
	return cmd
}

// apart wants two configurations of which neither touches what is the other's.
func apart(old, next *config) error {
	for _, pair := range []struct{ key, a, b string }{
		{"archive", old.Archive, next.Archive}, {"spool", old.Spool, next.Spool},
		{"database", old.Database, next.Database}, {"log.key_file", old.Log.KeyFile, next.Log.KeyFile},
	} {
		if pair.a == pair.b {
			return usageErrorf("%s names the same %s as the old archive, %s: give the new one its own", next.path, pair.key, pair.a)
		}
	}
	return nil
}

func (a *app) logSucceed(ctx context.Context, c, next *config, lost bool) (err error) {
	// The new archive first: a configuration that does not work must not close
	// the old log.
	begun, err := a.openSession(ctx, next)
	if err != nil {
		return fmt.Errorf("new archive: %w", err)
	}
	defer func() { err = errors.Join(err, begun.close()) }()
	vkey, err := publicKey(next)
	if err != nil {
		return err
	}
	var last tlog.Checkpoint
	if lost {
		last, err = a.lastCheckpoint(ctx, c)
	} else {
		last, err = a.closeLog(ctx, c, begun, vkey)
	}
	if err != nil {
		return fmt.Errorf("old archive: %w", err)
	}
	if err := begun.arch.Continue(ctx, last); err != nil {
		return fmt.Errorf("new archive: %w", err)
	}
	if a.json {
		return a.printJSON(map[string]any{"closed": last.Origin, "size": last.Size, "public_key": vkey})
	}
	_, err = fmt.Fprintf(a.stdout, `%s ends with %d entries; its successor has the public key
%s
Publish it beside the old one, keep the old archive and its public key, and let
timers use %s from now on.
`, last.Origin, last.Size, vkey, next.path)
	return err
}

// closeLog seals what waits in the old archive, names the successor in the last
// entry of its log, and closes it.
func (a *app) closeLog(ctx context.Context, c *config, begun *session, vkey string) (last tlog.Checkpoint, err error) {
	s, err := a.openAny(ctx, c)
	if err != nil {
		return last, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	if size := begun.arch.Log().Checkpoint().Size; size > 0 && s.arch.Log().Closed() != vkey {
		return last, usageErrorf("the archive %s has a log of %d entries already: a successor is a new archive", begun.cfg.Archive, size)
	}
	if s.arch.Log().Closed() == "" {
		if _, err := s.arch.Seal(ctx); err != nil {
			return last, err
		}
	}
	last, err = s.arch.Succeed(ctx, vkey)
	return last, logFault(err)
}

// lastCheckpoint reads how far a log came whose key is lost.
func (a *app) lastCheckpoint(ctx context.Context, c *config) (tlog.Checkpoint, error) {
	if _, err := readLogKey(c.Log.KeyFile); err == nil {
		return tlog.Checkpoint{}, usageErrorf("the key is not lost: it is in %s; leave --key-lost out", c.Log.KeyFile)
	}
	r, _, err := a.openLogReader(ctx, c)
	if err != nil {
		return tlog.Checkpoint{}, err
	}
	cp, err := r.Checkpoint(ctx)
	if err != nil {
		return tlog.Checkpoint{}, logFault(err)
	}
	return r.CheckpointAt(ctx, cp.Size)
}
