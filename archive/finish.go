package archive

import (
	"context"
	"fmt"
	"time"

	"github.com/fineprint-archive/fineprint/archive/catalog"
)

// Looks are entered in the catalog in batches, by one goroutine: one sync of the
// spool and one transaction serve all looks that ended meanwhile. Until then a
// look is complete in the spool, from where a crash would enter it.
const (
	finishBatch = 128                    // looks of one transaction at most
	finishDelay = 150 * time.Millisecond // that a look waits for others
)

// finished is a look whose manifest is written and not yet entered.
type finished struct {
	w     *openWARC
	end   int64 // of the manifest in the file
	entry catalog.Finish
	done  func(catalog.LookRow, error)
}

// finisher enters finished looks until its channel is closed.
type finisher struct {
	a     *Archive
	looks chan finished
	hurry chan struct{} // somebody waits
	ended chan struct{}
}

func (a *Archive) startFinisher() *finisher {
	f := &finisher{a: a, looks: make(chan finished, finishBatch), hurry: make(chan struct{}, 1), ended: make(chan struct{})}
	go f.run()
	return f
}

// Flush lets looks that were finished be entered without waiting for others.
func (a *Archive) Flush() {
	select {
	case a.finisher.hurry <- struct{}{}:
	default: // it was told already
	}
}

func (f *finisher) stop() {
	close(f.looks)
	<-f.ended
}

func (f *finisher) run() {
	defer close(f.ended)
	for first := range f.looks {
		f.enter(f.gather(first))
	}
}

// gather takes what ended until the batch is full, the delay is over, or
// somebody waits and nothing more is there.
func (f *finisher) gather(first finished) []finished {
	batch := []finished{first}
	timeout := time.NewTimer(finishDelay)
	defer timeout.Stop()
	for len(batch) < finishBatch {
		select {
		case next, open := <-f.looks:
			if !open {
				return batch
			}
			batch = append(batch, next)
		case <-timeout.C:
			return batch
		case <-f.hurry:
			for len(batch) < finishBatch && len(f.looks) > 0 {
				batch = append(batch, <-f.looks)
			}
			return batch
		}
	}
	return batch
}

// enter makes a batch durable and tells who finished each look.
func (f *finisher) enter(batch []finished) {
	ctx := context.Background() // what is written must be entered, whoever was interrupted
	batch = f.sync(batch)
	if len(batch) == 0 {
		return
	}
	f.a.cfg.Step("transaction")
	entries := make([]catalog.Finish, len(batch))
	for i := range batch {
		entries[i] = batch[i].entry
	}
	err := f.a.cfg.Catalog.FinishLooks(ctx, entries)
	for _, look := range batch {
		each := err
		if err != nil && len(batch) > 1 {
			// One bad look must not keep the others out.
			each = f.a.cfg.Catalog.FinishLook(ctx, look.entry)
		}
		if each != nil {
			each = fmt.Errorf("enter look %d of %s: %w", look.entry.Look.N, look.entry.Look.URL, each)
		}
		look.finish(each)
	}
}

// sync makes the manifests durable and returns the looks for which that worked.
func (f *finisher) sync(batch []finished) []finished {
	ends := map[*openWARC]int64{}
	for _, look := range batch {
		ends[look.w] = max(ends[look.w], look.end)
	}
	failed := map[*openWARC]error{}
	for w, end := range ends {
		if err := w.file.SyncTo(end); err != nil {
			failed[w] = fmt.Errorf("sync spool: %w", err)
		}
	}
	good := batch[:0:0]
	for _, look := range batch {
		if err := failed[look.w]; err != nil {
			look.finish(err)
			continue
		}
		good = append(good, look)
	}
	return good
}

// finish tells that the look is entered, or why it is not; a look that is not
// stays begun, and the next Open enters it from the spool.
func (l *finished) finish(err error) {
	if err != nil {
		l.w.half.Store(true)
	}
	l.done(l.entry.Look, err)
	l.w.looks.Done()
}
