package archive_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/fineprint-archive/fineprint/archive"
	"github.com/fineprint-archive/fineprint/archive/catalog"
	"github.com/fineprint-archive/fineprint/archive/evidence"
	"github.com/fineprint-archive/fineprint/archive/store"
	"github.com/fineprint-archive/fineprint/archive/tlog"
)

// sealSteps are the steps from the end of a WARC to the end of its seal, in
// their order.
var sealSteps = []string{"close", "put", "pending", "append", "log-stage", "log-lock", "log-tiles", "log-checkpoint", "log-publish",
	"log-drop", "catalog", "drop-pending", "drop"}

// logBench is a bench with a log.
type logBench struct {
	*bench
	mutable store.Mutable
	key     tlog.Key
	place   string
	logger  *slog.Logger
	shown   int64 // size of the largest checkpoint that was public
}

func newLogBench(t *testing.T) *logBench {
	t.Helper()
	m := store.NewMemory()
	return newLogBenchOn(t, m, m.Mutable())
}

func newLogBenchOn(t *testing.T, s store.Store, m store.Mutable) *logBench {
	t.Helper()
	return &logBench{bench: newBench(t, s), mutable: m, key: logKey(t, 1), place: "here"}
}

// logKey returns a key that is the same for each seed.
func logKey(t *testing.T, seed byte) tlog.Key {
	t.Helper()
	key, err := tlog.GenerateKey(bytes.NewReader(bytes.Repeat([]byte{seed}, 64)), fmt.Sprintf("log.example/%d", seed))
	must(t, err)
	return key
}

func (b *logBench) config(step func(string)) archive.Config {
	return archive.Config{Store: b.store, Catalog: b.db, Spool: b.spool, Tool: "test/1", Step: step, Logger: b.logger,
		Log: &archive.LogConfig{Mutable: b.mutable, Signer: b.key.Signer, Verifier: b.key.Verifier, Place: b.place}}
}

// older returns the configuration of a version of the program without a log.
func (b *logBench) older() archive.Config {
	c := b.config(nil)
	c.Log = nil
	return c
}

// fill opens the archive, seals a WARC for each of the numbers with so many
// looks, and closes it.
func (b *logBench) fill(t *testing.T, c archive.Config, looks ...int) {
	t.Helper()
	a, err := archive.Open(t.Context(), c)
	must(t, err)
	for _, n := range looks {
		for range n {
			b.look(t, a)
		}
		seal(t, a)
	}
	must(t, a.Close())
}

// fillAndDie is fill for one WARC by a process that dies at the step of its
// seal.
func (b *logBench) fillAndDie(t *testing.T, step string, looks int) *die {
	t.Helper()
	d := &die{}
	a := b.open(t, d.at)
	for range looks {
		b.look(t, a)
	}
	d.step = step
	d.run(func() { seal(t, a) })
	must(t, a.Close())
	return d
}

func (b *logBench) open(t *testing.T, step func(string)) *archive.Archive {
	t.Helper()
	a, err := archive.Open(t.Context(), b.config(step))
	must(t, err)
	return a
}

// with returns the bench with another spool.
func (b *logBench) with(t *testing.T, spool string) *logBench {
	t.Helper()
	c, own := *b, *b.bench
	own.spool = filepath.Join(t.TempDir(), spool)
	c.bench = &own
	return &c
}

// die is the step of a process that ends when the named step comes for the
// n-th time from now.
type die struct {
	step string
	n    int
	dead bool
}

func (d *die) at(step string) {
	if step != d.step || d.dead {
		return
	}
	if d.n--; d.n <= 0 {
		d.dead = true
		panic(d)
	}
}

// run does work that may end at its step.
func (d *die) run(work func()) {
	defer func() {
		if r := recover(); r != nil && r != any(d) {
			panic(r)
		}
	}()
	work()
}

// seal seals and wants no error.
func seal(t *testing.T, a *archive.Archive) {
	t.Helper()
	_, err := a.Seal(t.Context())
	must(t, err)
}

// grew checks that the public checkpoint did not shrink, and returns it.
func (b *logBench) grew(t *testing.T) tlog.Checkpoint {
	t.Helper()
	cp, err := tlog.NewReader(b.store, b.key.Verifier).Checkpoint(t.Context())
	must(t, err)
	if cp.Size < b.shown {
		t.Errorf("the public checkpoint has size %d, it had %d before", cp.Size, b.shown)
	}
	b.shown = cp.Size
	return cp
}

// check wants k looks, each sealed, lost or both as it should be, exactly one
// entry for each, in order; a log without fault; and a catalog that a rebuild
// makes again.
func (b *logBench) check(t *testing.T, k int64) {
	t.Helper()
	must(t, b.open(t, nil).Close()) // sweeps staging
	cp := b.grew(t)
	seen := map[int64]int64{} // index of the entry by number of the look
	files := map[string]int64{}
	report, err := tlog.Check(t.Context(), tlog.NewReader(b.store, b.key.Verifier), tlog.CheckOptions{Partial: true, Visit: func(leaf tlog.Entry) error {
		e, err := evidence.ParseEntry(leaf.Data)
		if err != nil {
			return err
		}
		switch e.Type {
		case evidence.TypeLook, evidence.TypeLost:
			if at, twice := seen[e.N]; twice {
				t.Errorf("look %d has the entries %d and %d", e.N, at, leaf.Index)
			}
			seen[e.N] = leaf.Index
		case evidence.TypeWARCFile:
			if _, twice := files[e.WARC]; twice {
				t.Errorf("%s has two entries", e.WARC)
			}
			files[e.WARC] = leaf.Index
		}
		return nil
	}})
	must(t, err)
	if len(report.Findings) > 0 || report.Checkpoint.Size != cp.Size {
		t.Errorf("log of %d entries: findings %v", report.Checkpoint.Size, report.Findings)
	}
	if int64(len(seen)) != k {
		t.Errorf("%d looks have an entry, want %d", len(seen), k)
	}
	for row, err := range b.db.Looks(t.Context(), catalog.LookFilter{Unfinished: true}) {
		must(t, err)
		if at, ok := seen[row.N]; row.State != catalog.LookSealed || !ok || row.Index != at {
			t.Errorf("look %d: state %s, index %d, want sealed and %d (entry: %v)", row.N, row.State, row.Index, at, ok)
		}
	}
	b.atRest(t)
	b.rebuilds(t)
}

// atRest wants nothing left of a seal: neither spool files nor pending objects,
// nor staging.
func (b *logBench) atRest(t *testing.T) {
	t.Helper()
	left, err := filepath.Glob(filepath.Join(b.spool, "*.warc.gz*"))
	must(t, err)
	for _, prefix := range []string{"pending/", "log/staging/"} {
		left = append(left, b.keys(t, prefix)...)
	}
	if len(left) > 0 {
		t.Errorf("left over: %q", left)
	}
}

func (b *logBench) keys(t *testing.T, prefix string) []string {
	t.Helper()
	var keys []string
	for info, err := range b.store.List(t.Context(), prefix, "") {
		must(t, err)
		keys = append(keys, info.Key)
	}
	return keys
}

// rebuilds wants a rebuilt catalog to have the same dump.
func (b *logBench) rebuilds(t *testing.T) {
	t.Helper()
	wantRebuilt(t, b.store, b.db, b.key.Verifier)
}

// kinds lists the types of all entries, in their order.
func (b *logBench) kinds(t *testing.T) string {
	t.Helper()
	r := tlog.NewReader(b.store, b.key.Verifier)
	cp, err := r.Checkpoint(t.Context())
	must(t, err)
	var kinds []string
	for leaf, err := range r.Entries(t.Context(), cp, 0, cp.Size) {
		must(t, err)
		e, err := evidence.ParseEntry(leaf.Data)
		must(t, err)
		kinds = append(kinds, strings.TrimSpace(fmt.Sprintf("%s %d", e.Type, e.N)))
	}
	return strings.ReplaceAll(strings.Join(kinds, ", "), " 0", "")
}

// Each look has one entry, those of a file in its order and that of the file
// behind them.
func TestLogEntries(t *testing.T) {
	t.Parallel()
	b := newLogBench(t)
	b.fill(t, b.config(nil), 3, 1, 0, 2)
	b.check(t, 6)
	want := "look 1, look 2, look 3, warcfile, look 4, warcfile, look 5, look 6, warcfile"
	if got := b.kinds(t); got != want {
		t.Errorf("entries: %s, want %s", got, want)
	}
}

// A process that dies at any step of a seal, and again in the one that mends,
// leaves one entry for each look.
func TestLogCrash(t *testing.T) {
	t.Parallel()
	for i, first := range sealSteps {
		for _, second := range []string{"", first, sealSteps[(i+5)%len(sealSteps)]} {
			t.Run(first+" "+second, func(t *testing.T) {
				t.Parallel()
				b := newLogBench(t)
				b.fill(t, b.config(nil), 1)
				b.grew(t)
				if d := b.fillAndDie(t, first, 2); !d.dead {
					t.Fatalf("step %s never came", first)
				}
				b.grew(t)
				want := int64(4)
				if second != "" {
					b.fillAndDie(t, second, 1)
					b.grew(t)
					want++
				}
				b.fill(t, b.config(nil), 0, 1)
				b.check(t, want)
			})
		}
	}
}

// A process with another spool finishes what one that died left between store
// and log, and may die at each step of that.
func TestLogCrashElsewhere(t *testing.T) {
	t.Parallel()
	for _, step := range []string{"pending", "append", "log-stage", "log-lock", "log-tiles", "log-checkpoint", "log-publish", "log-drop"} {
		t.Run(step, func(t *testing.T) {
			t.Parallel()
			b := newLogBench(t)
			b.fill(t, b.older(), 2)
			d := &die{step: step}
			if strings.HasPrefix(step, "log-") {
				d.n = 2 // the first is the creation of the log
			}
			other := b.with(t, "other")
			d.run(func() {
				a, err := archive.Open(t.Context(), other.config(d.at))
				t.Errorf("Open behind step %s: %v, %v", step, a, err)
			})
			b.grew(t)

			b.fill(t, b.with(t, "third").config(nil), 1)
			b.check(t, 3)
		})
	}
}

// A crash at the creation of the log leaves one that the next process opens.
func TestLogCrashAtCreation(t *testing.T) {
	t.Parallel()
	for _, step := range []string{"log-stage", "log-lock", "log-tiles", "log-checkpoint", "log-publish", "log-drop"} {
		t.Run(step, func(t *testing.T) {
			t.Parallel()
			b := newLogBench(t)
			d := &die{step: step}
			d.run(func() {
				a, err := archive.Open(t.Context(), b.with(t, "dead").config(d.at))
				t.Errorf("Open behind step %s: %v, %v", step, a, err)
			})
			b.fill(t, b.config(nil), 1)
			b.check(t, 1)
		})
	}
}

// An archive that was made without a log is entered when it is first opened with
// one, by two processes at once as well.
func TestLogOfOlderArchive(t *testing.T) {
	t.Parallel()
	b := newLogBench(t)
	b.fill(t, b.older(), 1, 1, 1, 1, 1)
	var wg sync.WaitGroup
	for i := range 3 {
		other := b.with(t, fmt.Sprint("spool", i))
		wg.Go(func() {
			a, err := archive.Open(context.Background(), other.config(nil))
			if err != nil {
				t.Errorf("Open: %v", err)
				return
			}
			if err := a.Close(); err != nil {
				t.Errorf("Close: %v", err)
			}
		})
	}
	wg.Wait()
	b.check(t, 5)
	if size := b.shown; size != 10 {
		t.Errorf("the log has %d entries, want 5 looks and 5 files", size)
	}
}

// What an earlier version of the program made for a WARC, and may have appended,
// is not made otherwise by a later one.
func TestLogPendingOfOlderVersion(t *testing.T) {
	t.Parallel()
	for _, step := range []string{"append", "log-tiles"} {
		b := newLogBench(t)
		b.fillAndDie(t, step, 1)
		keys := b.keys(t, "pending/")
		if len(keys) != 1 {
			t.Fatalf("pending behind step %s: %q", step, keys)
		}
		if step == "append" { // nothing is in the log yet
			data, tag, err := b.mutable.Get(t.Context(), keys[0])
			must(t, err)
			_, err = b.mutable.PutIfMatch(t.Context(), keys[0], bytes.Replace(data, []byte("test/1"), []byte("test/0"), 1), tag)
			must(t, err)
		}
		b.fill(t, b.config(nil), 0)
		if got, want := b.entry(t, 0).Tool, map[bool]string{true: "test/0", false: "test/1"}[step == "append"]; got != want {
			t.Errorf("behind step %s the entry was made by %s, want %s", step, got, want)
		}
		b.check(t, 1)
	}
}

// Another process enters the same WARC between the moment at which this one has
// looked for its entries and that at which it appends them.
func TestLogEnteredMeanwhile(t *testing.T) {
	t.Parallel()
	m := &watched{Memory: store.NewMemory()}
	b := newLogBenchOn(t, m, m.Mutable())
	third := b.with(t, "third")
	c := third.open(t, nil)
	b.fill(t, b.older(), 1)

	second := b.with(t, "second")
	entered := false
	enter := func(key string) {
		if entered || !strings.HasPrefix(key, "log/tile/entries/") {
			return
		}
		entered = true
		must(t, second.open(t, nil).Close())
	}
	grown := false
	a := b.open(t, func(step string) {
		if step != "append" || grown {
			return
		}
		grown = true
		third.look(t, c) // so that there is something to look through
		seal(t, c)
		m.watch = enter
	})
	must(t, errors.Join(a.Close(), c.Close()))
	m.watch = nil
	if !entered {
		t.Fatal("the other process never came")
	}
	b.check(t, 2)
}

// A WARC that the catalog calls sealed, with neither pending object nor index:
// its entries are found in the log if they are there, and made if not.
func TestLogWithoutTrace(t *testing.T) {
	t.Parallel()
	b := newLogBench(t)
	b.fill(t, b.config(nil), 1)
	b.fill(t, b.older(), 1) // its entries are never made
	must(t, b.db.Write(t.Context(), func(ctx context.Context, tx *catalog.Tx) error {
		_, err := tx.Exec(ctx, "UPDATE warcs SET log_index = -1")
		if err == nil {
			_, err = tx.Exec(ctx, "UPDATE looks SET log_index = -1")
		}
		return err
	}))
	must(t, b.open(t, nil).Close())
	b.check(t, 2)
	if got := b.kinds(t); got != "look 1, warcfile, look 2, warcfile" {
		t.Errorf("entries: %s", got)
	}
}

// A catalog that was made again knows nothing of a seal that broke off.
func TestLogCrashAndRebuild(t *testing.T) {
	t.Parallel()
	for _, step := range []string{"pending", "append", "log-tiles", "catalog", "drop-pending"} {
		t.Run(step, func(t *testing.T) {
			t.Parallel()
			b := newLogBench(t)
			b.fillAndDie(t, step, 1)
			again := openCatalog(t, filepath.Join(t.TempDir(), "again.sqlite"))
			_, err := archive.Rebuild(t.Context(), b.store, again, b.key.Verifier, nil)
			must(t, err)
			b.db = again
			b.fill(t, b.config(nil), 0)
			b.check(t, 1)
		})
	}
}

// Two processes with spools of their own seal into one archive at the same time.
func TestLogTwoWriters(t *testing.T) {
	t.Parallel()
	b := newLogBench(t)
	const each = 8
	var wg sync.WaitGroup
	var looking sync.Mutex // the source is visited by one at a time
	for i := range 2 {
		own := b.with(t, fmt.Sprint("spool", i))
		a := own.open(t, nil)
		wg.Go(func() {
			for range each {
				looking.Lock()
				own.look(t, a)
				looking.Unlock()
				if _, err := a.Seal(context.Background()); err != nil {
					t.Errorf("Seal: %v", err)
				}
			}
			if err := a.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	b.check(t, 2*each)
}

// A damaged object is said and keeps nobody from working; brought back, it is
// entered.
func TestLogDamagedObject(t *testing.T) {
	t.Parallel()
	m := &holed{Memory: store.NewMemory()}
	b := newLogBenchOn(t, m, m.Mutable())
	var said bytes.Buffer
	b.logger = slog.New(slog.NewTextHandler(&said, nil))
	b.fill(t, b.older(), 1, 1)
	for _, key := range b.keys(t, "warc/") {
		if strings.HasSuffix(key, ".warc.gz") {
			m.hole = key
			break
		}
	}
	must(t, b.open(t, nil).Close())
	if got := b.kinds(t); got != "look 2, warcfile" {
		t.Errorf("entries with one object damaged: %s", got)
	}
	if !strings.Contains(said.String(), m.hole) || !strings.Contains(said.String(), "level=ERROR") {
		t.Errorf("the log says %q, want the damaged object %s", said.String(), m.hole)
	}
	m.hole = ""
	must(t, b.open(t, nil).Close())
	b.check(t, 2)
	if got := b.kinds(t); got != "look 2, warcfile, look 1, warcfile" {
		t.Errorf("entries: %s", got)
	}
}

// A log is opened in its own place alone, by its own key alone.
func TestLogRefuses(t *testing.T) {
	t.Parallel()
	b := newLogBench(t)
	must(t, b.open(t, nil).Close())
	before := b.keys(t, "")
	elsewhere, stranger := b.with(t, "a"), b.with(t, "b")
	elsewhere.place, stranger.key = "there", logKey(t, 2)
	for _, c := range []struct {
		name string
		b    *logBench
		want error
	}{{"copy", elsewhere, tlog.ErrElsewhere}, {"stranger", stranger, tlog.ErrWrongKey}} {
		if _, err := archive.Open(t.Context(), c.b.config(nil)); !errors.Is(err, c.want) {
			t.Errorf("Open by a %s = %v, want %v", c.name, err, c.want)
		}
	}
	if got := b.keys(t, ""); !slices.Equal(got, before) {
		t.Errorf("refused openings left %q", got)
	}
}

// A store without the log that the catalog knows, or with an older copy of it, is
// refused: going on would be a second history under the same key.
func TestLogBehindCatalog(t *testing.T) {
	t.Parallel()
	dir := newDir(t)
	b := newLogBenchOn(t, dir, dir.Mutable())
	b.fill(t, b.config(nil), 1)
	older := newDir(t)
	must(t, os.CopyFS(older.Root(), os.DirFS(dir.Root())))
	b.fill(t, b.config(nil), 2)
	noLog := newDir(t)
	must(t, os.CopyFS(noLog.Root(), os.DirFS(dir.Root())))
	must(t, os.RemoveAll(filepath.Join(noLog.Root(), "log")))
	checkpoints := func(s *store.Dir) int {
		list, _ := os.ReadDir(filepath.Join(s.Root(), "log", "checkpoints")) // none without a log
		return len(list)
	}
	for name, s := range map[string]*store.Dir{"empty folder": newDir(t), "older copy": older, "copy without a log": noLog} {
		c, before := b.config(nil), checkpoints(s)
		c.Store, c.Log.Mutable = s, s.Mutable()
		if _, err := archive.Open(t.Context(), c); !errors.Is(err, tlog.ErrBehind) {
			t.Errorf("Open of an %s = %v, want ErrBehind", name, err)
		}
		if after := checkpoints(s); after != before {
			t.Errorf("%s: the log had %d checkpoints and has %d", name, before, after)
		}
	}
	b.fill(t, b.config(nil), 1)
}
