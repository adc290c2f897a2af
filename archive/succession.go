package archive

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/fineprint-archive/fineprint/archive/evidence"
	"github.com/fineprint-archive/fineprint/archive/tlog"
)

// A log has one key and one origin for ever. To change either, the archive is
// closed and another begins: the last entry of the old log names the public key
// of the new one, and the first entry of the new log holds the last checkpoint of
// the old one. Both archives stay whole; the old one is read only.

// ErrUnfinished says that an archive still has looks that are not in its log.
var ErrUnfinished = errors.New("looks are not in the log yet")

// Succeed names the log that follows, by its public key (C2SP signed-note
// vkey), in the last entry of this one, and closes this one for ever. It returns
// the last checkpoint, as it is kept. It refuses with ErrUnfinished while looks
// wait in a spool, in whichever. It may be repeated with the same key.
func (a *Archive) Succeed(ctx context.Context, vkey string) (tlog.Checkpoint, error) {
	if a.log == nil {
		return tlog.Checkpoint{}, errors.New("the archive has no log")
	}
	v, err := tlog.ParseVerifier(vkey)
	if err != nil {
		return tlog.Checkpoint{}, err
	}
	if own := a.reader.Verifier(); own.Name() == v.Name() && own.KeyHash() == v.KeyHash() {
		return tlog.Checkpoint{}, errors.New("this is the key of the log itself: a successor has another key")
	}
	a.sealing.Lock()
	defer a.sealing.Unlock()
	for a.log.Closed() != vkey {
		if err := a.finished(ctx); err != nil {
			return tlog.Checkpoint{}, err
		}
		size, err := a.nameSuccessor(ctx, v.Name(), vkey)
		if err == nil {
			a.cfg.Step("succession-close")
			err = a.log.Close(ctx, size, vkey)
		}
		if err != nil && !errors.Is(err, tlog.ErrLost) {
			return tlog.Checkpoint{}, err
		}
	}
	cp, err := a.log.Refresh(ctx)
	if err != nil {
		return tlog.Checkpoint{}, err
	}
	return a.reader.CheckpointAt(ctx, cp.Size)
}

// finished returns nil if every look of the archive is in the log.
func (a *Archive) finished(ctx context.Context) error {
	spools, err := a.cfg.Catalog.Spools(ctx)
	if err != nil {
		return err
	}
	if len(spools) > 0 {
		s := spools[0]
		return fmt.Errorf("%w: %d lie in spool %s, of %d spools: seal them on the machine that has it, or declare it lost with `fineprint seal --lost %s`",
			ErrUnfinished, s.Looks, s.Spool, len(spools), s.Spool)
	}
	rows, err := a.cfg.Catalog.UnloggedWARCs(ctx)
	if err == nil && len(rows) > 0 {
		err = fmt.Errorf("%w: those of %s, of %d objects that cannot be read: bring them back from a copy", ErrUnfinished, rows[0].Key, len(rows))
	}
	return err
}

// nameSuccessor appends the last entry, unless it is there, and returns the size
// of the log behind it.
func (a *Archive) nameSuccessor(ctx context.Context, origin, vkey string) (size int64, err error) {
	cp, err := a.log.Refresh(ctx)
	if err != nil {
		return 0, err
	}
	if cp.Size > 0 {
		leaf, err := a.reader.Entry(ctx, cp, cp.Size-1)
		if err != nil {
			return 0, err
		}
		last, err := evidence.ParseEntry(leaf)
		if err != nil {
			return 0, fmt.Errorf("log entry %d: %w", cp.Size-1, err)
		}
		if last.Type == evidence.TypeSuccession && last.VKey == vkey {
			return cp.Size, nil
		}
	}
	leaf, err := a.succession(evidence.Entry{Origin: origin, VKey: vkey})
	if err != nil {
		return 0, err
	}
	a.cfg.Step("succession-append")
	cp, err = a.log.AppendAt(ctx, cp.Size, [][]byte{leaf})
	return cp.Size, err
}

func (a *Archive) succession(e evidence.Entry) ([]byte, error) {
	e.Type, e.Time = evidence.TypeSuccession, a.cfg.Now().UTC().Truncate(time.Second)
	return e.Encode()
}

// Continue begins the log of a new archive as the one that follows another: its
// first entry holds the last checkpoint of that. It refuses a log that has begun
// otherwise, and may be repeated.
func (a *Archive) Continue(ctx context.Context, former tlog.Checkpoint) error {
	if a.log == nil {
		return errors.New("the archive has no log")
	}
	for {
		cp, err := a.log.Refresh(ctx)
		if err != nil {
			return err
		}
		if cp.Size > 0 {
			return a.continues(ctx, cp, former)
		}
		leaf, err := a.succession(evidence.Entry{Checkpoint: string(former.Raw)})
		if err != nil {
			return err
		}
		a.cfg.Step("succession-begin")
		if _, err = a.log.AppendAt(ctx, 0, [][]byte{leaf}); !errors.Is(err, tlog.ErrLost) {
			return err
		}
	}
}

// continues returns nil if the first entry of the log holds the checkpoint.
func (a *Archive) continues(ctx context.Context, cp, former tlog.Checkpoint) error {
	leaf, err := a.reader.Entry(ctx, cp, 0)
	if err != nil {
		return err
	}
	first, err := evidence.ParseEntry(leaf)
	if err != nil {
		return fmt.Errorf("log entry 0: %w", err)
	}
	if first.Type != evidence.TypeSuccession || first.Checkpoint != string(former.Raw) {
		return fmt.Errorf("the log %s has begun already, with %d entries, and its first does not hold the checkpoint of %s: a successor is a new archive",
			cp.Origin, cp.Size, former.Origin)
	}
	return nil
}
