package archive

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/fineprint-archive/fineprint/archive/catalog"
	"github.com/fineprint-archive/fineprint/archive/store"
	"github.com/fineprint-archive/fineprint/archive/terms"
	"github.com/fineprint-archive/fineprint/crawler/declaration"
	"github.com/fineprint-archive/fineprint/warc"
)

// DerivationVersion is the version of the rules by which texts, versions and
// changes are derived, all parts together. What was derived by another one is
// derived again.
const DerivationVersion = "extract " + terms.ExtractorVersion + ", track " + terms.TrackerVersion

// DeriveConfig tells Derive what to work on. Store and Catalog are required.
type DeriveConfig struct {
	Store   store.Store
	Catalog *catalog.DB

	// Documents are the ids of those to derive; nil for all.
	Documents []string
	// Again derives all looks again, not only those that are new.
	Again bool
	// Watch are the phrases that mark a change, and are never volatile; nil for none.
	Watch *terms.Watch
	// ConfirmAfter brings the next visit of a page forward whose text is new or
	// suspect; 0 leaves it where it is.
	ConfirmAfter time.Duration
	// Submit enters first and changed texts into the outbox, and unchanged ones and
	// pages whose text a browser makes at most every SubmitEvery, if it is not 0.
	// Looks before SubmitSince are left out: a capture of today is no witness of them.
	// So are private sources: they are nobody's business.
	Submit      bool
	SubmitEvery time.Duration
	SubmitSince time.Time

	Workers  int // documents at a time; 0 is one for each processor
	Logger   *slog.Logger
	Now      func() time.Time
	Progress func(done, total int) // told of documents; may be nil

	// Step, if set, is called before each durable step with its name. Tests
	// stop the process there.
	Step func(name string)
}

// DeriveStats counts what Derive made. The outcomes count looks, each once for
// each document that it is a look at.
type DeriveStats struct {
	Documents int              `json:"documents"`
	Redone    int              `json:"redone"` // of them from their first look on
	Looks     int64            `json:"looks"`
	Payloads  int64            `json:"payloads"` // read and extracted
	Bytes     int64            `json:"bytes"`    // of them, content codings undone
	Outcomes  map[string]int64 `json:"outcomes"`
	Grades    map[string]int64 `json:"grades"`
	Versions  int64            `json:"versions"` // new ones
	Changes   int64            `json:"changes"`  // new ones
	Elapsed   float64          `json:"elapsed_s"`

	// News are the new changes, in the order of their documents and times.
	News []catalog.ChangeRow `json:"-"`
	// Unsettled are the sources whose newest text is unconfirmed or suspect, sorted.
	Unsettled []string `json:"-"`
}

// Derive takes in the sealed looks that are not derived yet: it extracts their
// texts, grades them, and finds versions and changes, document by document in the
// order in which the looks were made. A look that arrives late has its document
// redone from the first look on. The result depends on the archive,
// DerivationVersion, the watch phrases and pdftotext alone: not on the order of
// calls, and not on what was derived before.
//
// It may be stopped at any time; the next call goes on. One damaged capture is a
// reading of grade unreadable; a store that does not answer is an error. Of several
// processes at a catalog one derives at a time, and the others wait.
func Derive(ctx context.Context, cfg DeriveConfig) (DeriveStats, error) {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Step == nil {
		cfg.Step = func(string) {}
	}
	if cfg.Workers == 0 {
		cfg.Workers = runtime.GOMAXPROCS(0)
	}
	began := time.Now()
	d := &deriver{cfg: cfg, declarations: map[warc.Digest]parsedDeclaration{}, stats: DeriveStats{Outcomes: map[string]int64{}, Grades: map[string]int64{}}}
	err := d.alone(ctx)
	d.stats.Elapsed = time.Since(began).Seconds()
	slices.SortFunc(d.stats.News, func(a, b catalog.ChangeRow) int { return a.Time.Compare(b.Time) })
	slices.Sort(d.stats.Unsettled)
	d.stats.Unsettled = slices.Compact(d.stats.Unsettled)
	if err != nil {
		return d.stats, fmt.Errorf("derive: %w", err)
	}
	return d.stats, nil
}

// lockEvery is how often a process that waits for another one's derivation looks
// whether it is over.
const lockEvery = 250 * time.Millisecond

// alone runs when no other process derives into the catalog.
func (d *deriver) alone(ctx context.Context) (err error) {
	for {
		release, ok, err := d.cfg.Catalog.LockDerivation(ctx)
		if err != nil {
			return err
		}
		if ok {
			return errors.Join(d.all(ctx), release())
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(lockEvery):
		}
	}
}

// deriver is one call of Derive.
type deriver struct {
	cfg DeriveConfig

	entering sync.Mutex // one batch at a time

	mu    sync.Mutex // guards what follows
	stats DeriveStats
	batch []catalog.Derivation
	size  int // of texts in the batch, in bytes

	declarations map[warc.Digest]parsedDeclaration
}

// maxBatch bounds what is entered in one transaction.
const (
	maxBatch      = 200
	maxBatchBytes = 16 << 20
)

// task is a document with looks to take in.
type task struct {
	document declaration.Document
	url      string
	sources  []string
}

// all takes in our own looks, then what was imported.
func (d *deriver) all(ctx context.Context) error {
	if err := d.run(ctx); err != nil {
		return err
	}
	return d.deriveMementos(ctx)
}

func (d *deriver) run(ctx context.Context) error {
	if d.cfg.Again {
		if err := d.cfg.Catalog.Underive(ctx); err != nil {
			return err
		}
	}
	keys, intake, err := d.cfg.Catalog.Underived(ctx)
	if err != nil || len(keys) == 0 {
		return err
	}
	tasks, err := gatherTasks(intake)
	if err != nil {
		return err
	}
	if d.cfg.Documents != nil {
		tasks = slices.DeleteFunc(tasks, func(t task) bool { return !slices.Contains(d.cfg.Documents, t.document.ID) })
	}
	if err := d.each(ctx, tasks); err != nil {
		return err
	}
	if d.cfg.Documents != nil {
		return nil // the WARCs hold looks of others
	}
	d.cfg.Step("derived")
	return d.cfg.Catalog.MarkDerived(ctx, keys)
}

// gatherTasks lists the documents that the sources' declarations name, as the
// last of them does, by id.
func gatherTasks(intake []catalog.Intake) ([]task, error) {
	at := map[string]int{}
	var tasks []task
	for _, in := range intake {
		source, documents, err := declaration.ParseCanonical(in.Canonical)
		if err != nil {
			return nil, fmt.Errorf("declaration %s of source %s: %w", in.Declaration, in.Source, err)
		}
		for _, doc := range documents {
			i, known := at[doc.ID]
			if !known {
				i = len(tasks)
				at[doc.ID] = i
				tasks = append(tasks, task{document: doc, url: source.URL})
			}
			if !slices.Contains(tasks[i].sources, in.Source) {
				tasks[i].sources = append(tasks[i].sources, in.Source)
			}
		}
	}
	slices.SortFunc(tasks, func(a, b task) int { return strings.Compare(a.document.ID, b.document.ID) })
	return tasks, nil
}

// each works at the documents, several at a time.
func (d *deriver) each(ctx context.Context, tasks []task) error {
	group, working := errgroup.WithContext(ctx)
	group.SetLimit(d.cfg.Workers)
	done := 0
	for _, t := range tasks {
		group.Go(func() error {
			if err := working.Err(); err != nil {
				return err
			}
			if err := d.document(working, t); err != nil {
				return fmt.Errorf("%s: %w", t.document.ID, err)
			}
			d.mu.Lock()
			defer d.mu.Unlock()
			done++
			if d.cfg.Progress != nil {
				d.cfg.Progress(done, len(tasks))
			}
			return nil
		})
	}
	err := group.Wait()
	// What is whole is kept, whatever stopped the others.
	return errors.Join(err, d.flush(context.WithoutCancel(ctx), true))
}

// enter adds a document's derivation to the batch.
func (d *deriver) enter(ctx context.Context, in catalog.Derivation) error {
	d.mu.Lock()
	d.batch = append(d.batch, in)
	for _, t := range in.Texts {
		d.size += len(t.Body)
	}
	d.stats.Changes += int64(len(in.Changes))
	d.stats.Versions += int64(len(in.Versions))
	d.mu.Unlock()
	return d.flush(ctx, false)
}

// flush enters the batch if it is large, or in any case. Batches are entered in the
// order in which they were filled.
func (d *deriver) flush(ctx context.Context, all bool) error {
	d.entering.Lock()
	defer d.entering.Unlock()
	d.mu.Lock()
	if !all && len(d.batch) < maxBatch && d.size < maxBatchBytes {
		d.mu.Unlock()
		return nil
	}
	batch := d.batch
	d.batch, d.size = nil, 0
	d.mu.Unlock()
	if len(batch) > 0 {
		d.cfg.Step("derive")
	}
	return d.cfg.Catalog.EnterDerivations(ctx, batch)
}
