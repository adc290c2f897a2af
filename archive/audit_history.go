package archive

import (
	"context"
	"fmt"

	"github.com/fineprint-archive/fineprint/archive/tlog"
)

// checkHistory checks that the log goes on from every checkpoint that the caller
// kept: it holds the same entries, in the same places, before any later ones.
func (a *auditor) checkHistory(ctx context.Context) error {
	for _, old := range a.cfg.Kept {
		if err := a.goesOn(ctx, old); err != nil {
			return err
		}
	}
	return nil
}

func (a *auditor) goesOn(ctx context.Context, old tlog.Checkpoint) error {
	broken := func(format string, args ...any) error {
		a.find(AuditFinding{Kind: AuditHistory, Index: -1,
			Detail: fmt.Sprintf("its key signed the checkpoint of size %d (root %s) that was given, and ", old.Size, old.Root) + fmt.Sprintf(format, args...)})
		return nil
	}
	switch {
	case a.log == nil:
		return broken("no log that goes on from there can be read here")
	case a.newest.Size < old.Size:
		return broken("the log has %d entries now: it is an older copy, or entries were taken out", a.newest.Size)
	}
	text, err := a.log.ConsistencyProof(ctx, old.Size, a.newest)
	if err != nil {
		return a.unreadable(ctx, "log/checkpoint", -1, err)
	}
	proof, err := tlog.ParseConsistency(text)
	if err != nil {
		return err // it was made here
	}
	if tlog.CheckConsistency(proof.Hashes, old, a.newest) != nil {
		return broken("the first %d of %d entries now are others: some were changed, taken out or put in", old.Size, a.newest.Size)
	}
	a.count(func(r *AuditReport) { r.Continued++ })
	return nil
}
