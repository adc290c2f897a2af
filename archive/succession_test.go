package archive_test

import (
	"cmp"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fineprint-archive/fineprint/archive"
	"github.com/fineprint-archive/fineprint/archive/catalog"
	"github.com/fineprint-archive/fineprint/archive/evidence"
	"github.com/fineprint-archive/fineprint/archive/tlog"
)

// entry reads one entry of the log; a negative index counts from its end.
func (b *logBench) entry(t *testing.T, index int64) evidence.Entry {
	t.Helper()
	r := tlog.NewReader(b.store, b.key.Verifier)
	cp, err := r.Checkpoint(t.Context())
	must(t, err)
	if index < 0 {
		index += cp.Size
	}
	leaf, err := r.Entry(t.Context(), cp, index)
	must(t, err)
	e, err := evidence.ParseEntry(leaf)
	must(t, err)
	return e
}

// The last entry of a log names the key of the next, whose first entry holds the
// last checkpoint, whatever step the process died at.
func TestSuccession(t *testing.T) {
	t.Parallel()
	for _, step := range []string{"", "succession-append", "log-stage", "log-lock", "log-tiles", "log-publish", "log-drop", "succession-close", "succession-begin"} {
		t.Run(step, func(t *testing.T) {
			t.Parallel()
			old, next := newLogBench(t), newLogBench(t)
			next.key = logKey(t, 2)
			succeed := func(step func(string)) (tlog.Checkpoint, error) {
				must(t, cmp.Or(old.open(t, nil).Close(), next.open(t, nil).Close())) // repairs
				a := old.open(t, step)
				defer a.Close()
				cp, err := a.Succeed(t.Context(), next.key.Public)
				if err != nil {
					return cp, err
				}
				b := next.open(t, step)
				defer b.Close()
				return cp, b.Continue(t.Context(), cp)
			}
			a := old.open(t, nil)
			old.look(t, a)
			if _, err := a.Succeed(t.Context(), next.key.Public); !errors.Is(err, archive.ErrUnfinished) {
				t.Errorf("Succeed with a look in the spool = %v, want ErrUnfinished", err)
			}
			seal(t, a)
			must(t, a.Close())
			d := &die{step: step}
			d.run(func() {
				_, err := succeed(d.at)
				must(t, err)
			})
			if d.dead == (step == "") {
				t.Fatalf("died: %v", d.dead)
			}
			var last tlog.Checkpoint
			for range 2 {
				var err error
				last, err = succeed(nil)
				must(t, err)
			}
			if e := old.entry(t, -1); e.Type != evidence.TypeSuccession || e.VKey != next.key.Public || e.Origin != "log.example/2" {
				t.Errorf("the last entry of the old log is %+v", e)
			}
			if e := next.entry(t, 0); e.Type != evidence.TypeSuccession || e.Checkpoint != string(last.Raw) || last.Size != 3 {
				t.Errorf("the first entry of the new log is %+v, want the checkpoint of size 3 (%d)", e, last.Size)
			}
			if got := old.kinds(t) + "; " + next.kinds(t); got != "look 1, warcfile, succession; succession" {
				t.Errorf("entries: %s", got)
			}
			old.check(t, 1)

			// The old archive takes nothing more.
			a = old.open(t, nil)
			old.look(t, a)
			if _, err := a.Seal(t.Context()); !errors.Is(err, tlog.ErrClosed) || !strings.Contains(err.Error(), next.key.Public) {
				t.Errorf("Seal behind the end = %v, want ErrClosed with the successor", err)
			}
			must(t, a.Close())
		})
	}
}

// What cannot follow is refused.
func TestSuccessionRefuses(t *testing.T) {
	t.Parallel()
	b, next := newLogBench(t), newLogBench(t)
	next.key = logKey(t, 2)
	a := b.open(t, nil)
	b.look(t, a)
	seal(t, a)
	for name, vkey := range map[string]string{"its own key": b.key.Public, "no key": "log.example/9+1234+x"} {
		if _, err := a.Succeed(t.Context(), vkey); err == nil {
			t.Errorf("Succeed by %s was taken", name)
		}
	}
	cp, err := a.Succeed(t.Context(), next.key.Public)
	must(t, err)
	if _, err := a.Succeed(t.Context(), logKey(t, 3).Public); !errors.Is(err, tlog.ErrClosed) {
		t.Errorf("Succeed by another = %v, want ErrClosed", err)
	}
	must(t, a.Close())
	a = next.open(t, nil)
	next.look(t, a)
	seal(t, a)
	if err := a.Continue(t.Context(), cp); err == nil || !strings.Contains(err.Error(), "a successor is a new archive") {
		t.Errorf("Continue in a log that has begun = %v", err)
	}
	must(t, a.Close())
}

// lose makes an archive with three looks: one sealed, one whose WARC reached the
// store, one in the open WARC; the process is dead.
func lose(t *testing.T) (*logBench, string) {
	t.Helper()
	b := newLogBench(t)
	d := &die{}
	a := b.open(t, d.at)
	b.look(t, a)
	seal(t, a)
	b.look(t, a)
	d.step = "pending"
	d.run(func() { seal(t, a) })
	b.look(t, a)
	if _, err := a.Begin(t.Context(), b.source, b.canonical, nil); err != nil {
		t.Fatal(err)
	}
	id := a.Spool()
	must(t, a.Close())
	return b, id
}

// The looks of a spool that is gone are entered as lost, once, but for those
// whose WARC had reached the store.
func TestLostSpool(t *testing.T) {
	t.Parallel()
	for _, step := range []string{"", "pending", "append", "lost-append", "log-lock", "log-publish", "lost-catalog"} {
		t.Run(step, func(t *testing.T) {
			t.Parallel()
			dead, id := lose(t)
			b := dead.with(t, "new")
			if step != "" {
				a := b.open(t, nil)
				must(t, a.Close())
				d := &die{}
				a = b.open(t, d.at)
				d.step = step
				d.run(func() {
					_, err := a.EnterLost(t.Context(), id)
					must(t, err)
				})
				if !d.dead {
					t.Fatalf("step %s never came", step)
				}
				must(t, a.Close())
			}
			a := b.open(t, nil)
			loss, err := a.EnterLost(t.Context(), id)
			must(t, err)
			if step == "" && (loss.Looks != 2 || len(loss.Sealed) != 1 || loss.Sealed[0].Looks != 1) {
				t.Errorf("EnterLost = %+v, want 2 looks lost and one WARC with one look sealed", loss)
			}
			if loss, err = a.EnterLost(t.Context(), id); err != nil || loss.Looks+len(loss.Sealed) != 0 {
				t.Errorf("EnterLost again = %+v, %v, want nothing", loss, err)
			}
			if spools, err := b.db.Spools(t.Context()); err != nil || len(spools) > 0 {
				t.Errorf("spools that wait: %+v, %v", spools, err)
			}
			b.look(t, a)
			seal(t, a)
			must(t, a.Close())
			b.check(t, 5)
			if got := b.kinds(t); got != "look 1, warcfile, look 2, warcfile, lost 3, lost 4, look 5, warcfile" {
				t.Errorf("entries: %s", got)
			}
			if _, err := b.open(t, nil).EnterLost(t.Context(), a.Spool()); err == nil {
				t.Error("EnterLost took its own spool")
			}
		})
	}
}

// A spool that was declared lost and comes back is sealed as it is: what was kept
// is not thrown away, and the entries say both.
func TestLostSpoolReturns(t *testing.T) {
	t.Parallel()
	dead, id := lose(t)
	b := dead.with(t, "new")
	a := b.open(t, nil)
	_, err := a.EnterLost(t.Context(), id)
	must(t, err)
	must(t, a.Close())
	a = dead.open(t, nil)
	seal(t, a)
	must(t, a.Close())
	if left, err := filepath.Glob(filepath.Join(dead.spool, "*.warc.gz*")); err != nil || len(left) > 0 {
		t.Errorf("the spool that came back holds %q, %v", left, err)
	}
	var numbers []int64
	for row, err := range b.db.Looks(t.Context(), catalog.LookFilter{Unfinished: true}) {
		must(t, err)
		numbers = append(numbers, row.N)
	}
	if got, want := fmt.Sprint(numbers), "[1 2 3]"; got != want {
		t.Errorf("looks in the catalog: %s, want %s", got, want)
	}
	if got, want := b.kinds(t), "look 1, warcfile, look 2, warcfile, lost 3, lost 4, look 3, warcfile"; got != want {
		t.Errorf("entries: %s, want %s", got, want)
	}
	b.rebuilds(t)
	a = b.open(t, nil)
	b.look(t, a)
	seal(t, a)
	must(t, a.Close())
	if got := b.entry(t, -2); got.N != 5 {
		t.Errorf("the next look has number %d, want 5", got.N)
	}
}
