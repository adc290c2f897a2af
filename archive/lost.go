package archive

import (
	"context"
	"errors"
	"fmt"

	"github.com/fineprint-archive/fineprint/archive/catalog"
	"github.com/fineprint-archive/fineprint/archive/evidence"
	"github.com/fineprint-archive/fineprint/archive/store"
)

// Loss is what became of a spool that is gone.
type Loss struct {
	Looks  int      `json:"looks"` // entered as lost
	Sealed []Sealed `json:"warcs"` // had reached the store before, and were entered
}

// EnterLost declares that a spool is gone for good, with its machine or its
// disk. WARCs of it that had reached the store are sealed. Each other look gets
// an entry that says it is lost, and its number is never given again. It may be
// repeated, and refuses the spool of this process.
func (a *Archive) EnterLost(ctx context.Context, spool string) (Loss, error) {
	loss := Loss{Sealed: []Sealed{}}
	if spool == a.spool {
		return loss, errors.New("this is the spool of this very process: it is here")
	}
	if a.log == nil {
		return loss, errors.New("the archive has no log to enter the loss in: see `log:` in the configuration")
	}
	a.sealing.Lock()
	defer a.sealing.Unlock()
	var err error
	if loss.Sealed, err = a.sealStored(ctx, spool); err != nil {
		return loss, err
	}
	rows, err := a.cfg.Catalog.LooksOfSpool(ctx, spool)
	if err != nil {
		return loss, err
	}
	if len(rows) > 0 {
		if err := a.enterLost(ctx, rows); err != nil {
			return loss, err
		}
	}
	loss.Looks = len(rows)
	return loss, a.cfg.Catalog.DropSpool(ctx, spool)
}

// enterLost brings looks of which nothing is left into log and catalog.
func (a *Archive) enterLost(ctx context.Context, rows []catalog.LostRow) (err error) {
	lines := make([][]byte, len(rows))
	for i, r := range rows {
		e := evidence.Entry{Type: evidence.TypeLost, Version: evidence.EntryVersion, Source: r.Source, N: r.N, Run: r.Run, Time: r.Time}
		_, _, source, err := a.cfg.Catalog.SourceBefore(ctx, r.Source, r.N)
		if err == nil && declaredPrivate(source.Canonical) {
			e, err = e.Private(evidence.SourceSalt(a.cfg.Log.Secret, r.Source))
			rows[i].As = e.Source
		}
		if err == nil {
			lines[i], err = e.Encode()
		}
		if err != nil {
			return fmt.Errorf("look %d of source %s: %w", r.N, r.Source, err)
		}
	}
	// From the beginning: a crash may have come between log and catalog, and a
	// second entry would be a second loss. Losses are rare.
	a.cfg.Step("lost-append")
	indexes, err := a.appendOnce(ctx, 0, lines)
	if err != nil {
		return err
	}
	for i := range rows {
		rows[i].Index = indexes[i]
	}
	a.cfg.Step("lost-catalog")
	return a.cfg.Catalog.EnterLost(ctx, rows)
}

// sealStored seals the WARCs of a lost spool that are in the store: their
// machine died between the upload and the end of the seal.
func (a *Archive) sealStored(ctx context.Context, spool string) ([]Sealed, error) {
	done := []Sealed{}
	rows, err := a.cfg.Catalog.WARCs(ctx, catalog.WARCFilter{Spool: spool, State: catalog.WARCClosed})
	if err != nil {
		return done, fmt.Errorf("list closed WARCs: %w", err)
	}
	for _, row := range rows {
		info, err := a.cfg.Store.Stat(ctx, row.Key)
		if errors.Is(err, store.ErrNotExist) {
			continue
		}
		if err == nil && info.Size != row.Size {
			err = fmt.Errorf("the store holds %d bytes of it, it had %d", info.Size, row.Size)
		}
		if err == nil {
			err = restoreIndex(ctx, a.cfg.Store, row.Key)
		}
		if err != nil {
			return done, fmt.Errorf("seal %s: %w", row.Key, err)
		}
		looks, err := a.sealFromStore(ctx, row)
		if err != nil {
			return done, fmt.Errorf("seal %s: %w", row.Key, err)
		}
		done = append(done, Sealed{Object: row.Key, Bytes: row.Size, SHA256: row.SHA256.Hex(), Looks: looks})
	}
	return done, nil
}

// sealFromStore goes on with a seal behind the upload.
func (a *Archive) sealFromStore(ctx context.Context, row catalog.WARCRow) (looks int64, err error) {
	p, err := a.leavesOfObject(ctx, row)
	if err != nil {
		return 0, err
	}
	logged, err := a.logWARC(ctx, p)
	if err != nil && !errors.Is(err, errEntered) {
		return 0, err
	}
	if looks, err = a.cfg.Catalog.SealWARC(ctx, row.Name, a.cfg.Now(), logged); err != nil {
		return 0, err
	}
	return looks, a.dropPending(ctx, p)
}
