package archive_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fineprint-archive/fineprint/archive"
	"github.com/fineprint-archive/fineprint/archive/catalog"
	"github.com/fineprint-archive/fineprint/archive/store"
)

// sealed makes a look and seals it.
func (b *bench) sealed(t *testing.T) string {
	t.Helper()
	a := b.open(t)
	b.look(t, a)
	done, err := a.Seal(t.Context())
	must(t, err)
	must(t, a.Close())
	return done[0].Object
}

// refused wants Open to refuse and to leave the spool as it is.
func (b *bench) refused(t *testing.T, remedy string) {
	t.Helper()
	before, err := os.ReadDir(b.spool)
	must(t, err)
	_, err = archive.Open(t.Context(), archive.Config{Store: b.store, Catalog: b.db, Spool: b.spool, Tool: "test/1"})
	if !errors.Is(err, archive.ErrCatalogBehind) || !strings.Contains(err.Error(), remedy) {
		t.Fatalf("Open: %v, want ErrCatalogBehind and %q", err, remedy)
	}
	after, err := os.ReadDir(b.spool)
	must(t, err)
	if len(before) != len(after) {
		t.Errorf("the spool held %v and holds %v", before, after)
	}
}

func newDir(t *testing.T) *store.Dir {
	t.Helper()
	dir, err := store.OpenDir(t.TempDir())
	must(t, err)
	return dir
}

// An empty catalog over a filled archive is refused, and after a rebuild into
// it the numbers go on.
func TestOpenEmptyCatalog(t *testing.T) {
	t.Parallel()
	b := newBench(t, newDir(t))
	b.sealed(t)
	b.db = newBench(t, b.store).db
	b.refused(t, "run `fineprint rebuild` first")
	_, err := archive.Rebuild(t.Context(), b.store, b.db, nil, nil)
	must(t, err)
	b.sealed(t)
	b.check(t, 2)
}

// So is an older copy, whether it knows the newer WARC as open or not at all.
func TestOpenOlderCatalog(t *testing.T) {
	t.Parallel()
	for name, open := range map[string]bool{"unknown": false, "open": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, newDir(t))
			b.sealed(t)
			a := b.open(t)
			if open {
				b.look(t, a)
			}
			// An older copy has what was in it, byte for byte.
			old := filepath.Join(t.TempDir(), "old.sqlite")
			_, err := b.db.SQL().ExecContext(t.Context(), "VACUUM INTO '"+old+"'")
			must(t, err)
			if !open {
				b.look(t, a)
			}
			_, err = a.Seal(t.Context())
			must(t, err)
			must(t, a.Close())
			b.db = openCatalog(t, old)
			b.refused(t, "move it away and run `fineprint rebuild`")
		})
	}
}

// A crash between the object and the transaction is no reason to refuse, also
// when the catalog was lost meanwhile: the spool holds the file.
func TestOpenInTheMiddleOfSealing(t *testing.T) {
	t.Parallel()
	for name, lost := range map[string]bool{"crash": false, "crash and lost catalog": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, newDir(t))
			type stop struct{}
			a, err := archive.Open(t.Context(), archive.Config{Store: b.store, Catalog: b.db, Spool: b.spool, Tool: "test/1", Step: func(step string) {
				if step == "catalog" {
					panic(stop{})
				}
			}})
			must(t, err)
			b.look(t, a)
			func() {
				defer func() {
					if _, ok := recover().(stop); !ok {
						t.Error("Seal did not come to its transaction")
					}
				}()
				_, _ = a.Seal(t.Context())
			}()
			must(t, a.Close())
			if lost {
				b.db = newBench(t, b.store).db
			}
			a = b.open(t)
			_, err = a.Seal(t.Context())
			must(t, err)
			b.look(t, a)
			_, err = a.Seal(t.Context())
			must(t, err)
			must(t, a.Close())
			b.check(t, 2)
		})
	}
}

// A damaged WARC, a thing that is none, and a look with a number that is taken
// do not keep the others out; the catalog is usable afterwards.
func TestRebuildDamaged(t *testing.T) {
	t.Parallel()
	dir := newDir(t)
	b := newBench(t, dir)
	var keys []string
	for range 3 {
		keys = append(keys, b.sealed(t))
	}
	bad := filepath.Join(dir.Root(), filepath.FromSlash(keys[1]))
	data, err := os.ReadFile(bad)
	must(t, err)
	data[len(data)/2] ^= 0x55
	must(t, os.Chmod(bad, 0o644))
	must(t, os.WriteFile(bad, data, 0o644))
	empty := filepath.Dir(keys[0]) + "/nothing.warc.gz"
	must(t, os.WriteFile(filepath.Join(dir.Root(), filepath.FromSlash(empty)), nil, 0o644))

	// Another archive with the same source has look 1 as well.
	other := newBench(t, newDir(t))
	double := other.sealed(t)
	data, err = os.ReadFile(filepath.Join(other.store.(*store.Dir).Root(), filepath.FromSlash(double)))
	must(t, err)
	double = "warc/2999/01/" + filepath.Base(double) // last in the order of keys
	must(t, os.MkdirAll(filepath.Join(dir.Root(), "warc/2999/01"), 0o755))
	must(t, os.WriteFile(filepath.Join(dir.Root(), filepath.FromSlash(double)), data, 0o644))

	b.db = newBench(t, b.store).db
	stats, err := archive.Rebuild(t.Context(), b.store, b.db, nil, nil)
	must(t, err)
	if stats.WARCs != 3 || stats.Looks != 2 || len(stats.Damaged) != 2 || len(stats.Conflicts) != 1 {
		t.Fatalf("Rebuild = %+v, want 3 WARCs with 2 looks, 2 damaged, 1 conflict", stats)
	}
	if stats.Damaged[0].Object != keys[1] || stats.Damaged[1].Object != empty || stats.Damaged[0].Reason == "" {
		t.Errorf("damaged = %+v, want %s and %s", stats.Damaged, keys[1], empty)
	}
	if c := stats.Conflicts[0]; c.Source != b.source.ID || c.N != 1 {
		t.Errorf("conflict = %+v, want look 1", c)
	}
	b.sealed(t)
	must(t, b.open(t).Close())
	var numbers []int64
	for row, err := range b.db.Looks(t.Context(), catalog.LookFilter{}) {
		must(t, err)
		numbers = append(numbers, row.N)
	}
	if len(numbers) != 3 || numbers[0] != 1 || numbers[1] != 3 || numbers[2] != 4 {
		t.Errorf("looks %v, want 1 3 4", numbers)
	}
}

// A rebuild that was stopped leaves a catalog that Open refuses until it has
// come to its end.
func TestRebuildStopped(t *testing.T) {
	t.Parallel()
	b := newBench(t, newDir(t))
	b.sealed(t)
	b.sealed(t)
	b.db = newBench(t, b.store).db
	type stop struct{}
	func() {
		defer func() { _ = recover().(stop) }()
		_, _ = archive.Rebuild(t.Context(), b.store, b.db, nil, func(archive.RebuildStats) { panic(stop{}) })
	}()
	b.refused(t, "run `fineprint rebuild` again")
	_, err := archive.Rebuild(t.Context(), b.store, b.db, nil, nil)
	must(t, err)
	b.sealed(t)
	b.check(t, 3)
}
