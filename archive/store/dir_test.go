package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func newDir(t testing.TB) *Dir {
	t.Helper()
	d, err := OpenDir(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func putBytes(d *Dir, key string, data []byte) error {
	return d.Put(context.Background(), key, bytes.NewReader(data), int64(len(data)), sum(data), PutOptions{})
}

func TestOpenDir(t *testing.T) {
	base := t.TempDir()
	deep := filepath.Join(base, "not", "yet", "档案")
	d, err := OpenDir(deep)
	if err != nil {
		t.Fatalf("OpenDir of a missing folder: %v", err)
	}
	if d.Root() != deep {
		t.Errorf("Root = %q, want %q", d.Root(), deep)
	}
	if err := putBytes(d, "a", []byte("x")); err != nil {
		t.Errorf("Put: %v", err)
	}
	file := filepath.Join(deep, "a")
	if _, err := OpenDir(file); err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("OpenDir of a file: error = %v, want one that names it", err)
	}
}

// Objects are plain files under their keys, which nobody writes by accident.
func TestDirFiles(t *testing.T) {
	d := newDir(t)
	if err := putBytes(d, "warc/a.warc.gz", []byte("bytes")); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(d.Root(), "warc", "a.warc.gz")
	fi, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if fi.Mode() != 0o444 {
		t.Errorf("mode = %v, want -r--r--r--", fi.Mode())
	}
	if n := fi.Sys().(*syscall.Stat_t).Nlink; n != 1 {
		t.Errorf("the file has %d names, want 1", n)
	}
	if left := temporary(t, d.Root()); len(left) > 0 {
		t.Errorf("temporary files left: %q", left)
	}
}

// An archive copied without its modes is still recognized by its bytes.
func TestDirPutAgainAfterCopy(t *testing.T) {
	d := newDir(t)
	if err := putBytes(d, "a", []byte("bytes")); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(d.Root(), "a"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := putBytes(d, "a", []byte("bytes")); err != nil {
		t.Errorf("Put again: %v", err)
	}
	if err := putBytes(d, "a", []byte("other")); !errors.Is(err, ErrExists) {
		t.Errorf("Put of other bytes: error = %v, want ErrExists", err)
	}
}

func TestDirNameClash(t *testing.T) {
	d := newDir(t)
	for _, key := range []string{"a", "b/c"} {
		if err := putBytes(d, key, nil); err != nil {
			t.Fatal(err)
		}
	}
	for _, key := range []string{"a/b", "b"} {
		if err := putBytes(d, key, nil); err == nil || errors.Is(err, ErrExists) {
			t.Errorf("Put(%s) error = %v, want one that is not ErrExists", key, err)
		}
		if _, err := d.Mutable().PutIfMatch(t.Context(), key, nil, ""); err == nil {
			t.Errorf("PutIfMatch(%s) gave no error", key)
		}
	}
	if left := temporary(t, d.Root()); len(left) > 0 {
		t.Errorf("temporary files left: %q", left)
	}
}

// A folder that goes away (a disk unmounted) is no empty archive.
func TestDirGone(t *testing.T) {
	d := newDir(t)
	if err := os.RemoveAll(d.Root()); err != nil {
		t.Fatal(err)
	}
	var last error
	for _, err := range d.List(t.Context(), "", "") {
		last = err
	}
	if last == nil || errors.Is(last, ErrNotExist) || !strings.Contains(last.Error(), d.Root()) {
		t.Errorf("List ended with %v, want an error that names the folder", last)
	}
	if _, err := d.Stat(t.Context(), "a"); err == nil || errors.Is(err, ErrNotExist) {
		t.Errorf("Stat error = %v, want one that is not ErrNotExist", err)
	}
}

// Foreign things in the folder are not objects.
func TestDirForeign(t *testing.T) {
	d := newDir(t)
	if err := putBytes(d, "b/c", []byte("x")); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{".DS_Store", "with space", "ü", "b/.hidden"} {
		if err := os.WriteFile(filepath.Join(d.Root(), name), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(filepath.Join(d.Root(), "b"), filepath.Join(d.Root(), "link")); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mkfifo(filepath.Join(d.Root(), "pipe"), 0o644); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(keys(t, d)); got != "[b/c link/c]" {
		t.Errorf("List = %s, want [b/c link/c]", got)
	}
}

// A temporary file is swept when it is old and its writer is gone, not before.
func TestDirSweep(t *testing.T) {
	d := newDir(t)
	tmp, err := d.writeTemp(mutableMode, func(w io.Writer) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	old := time.Now().Add(-2 * sweepAge)
	if err := os.Chtimes(tmp.Name(), old, old); err != nil {
		t.Fatal(err)
	}
	reopen := func() int {
		if _, err := OpenDir(d.Root()); err != nil {
			t.Fatal(err)
		}
		return len(temporary(t, d.Root()))
	}
	if n := reopen(); n != 1 {
		t.Errorf("%d temporary files after a sweep while the writer lives, want 1", n)
	}
	if err := tmp.Close(); err != nil { // as the end of its process would
		t.Fatal(err)
	}
	now := time.Now()
	if err := os.Chtimes(tmp.Name(), now, now); err != nil {
		t.Fatal(err)
	}
	if n := reopen(); n != 1 {
		t.Errorf("%d temporary files after a sweep of a young one, want 1", n)
	}
	if err := os.Chtimes(tmp.Name(), old, old); err != nil {
		t.Fatal(err)
	}
	if n := reopen(); n != 0 {
		t.Errorf("%d temporary files after a sweep of an old one, want 0", n)
	}
}

// Waiting for the file lock of another process ends with the context.
func TestDirLockWait(t *testing.T) {
	d := newDir(t)
	f, err := dirMutable{d}.openLock()
	if err != nil {
		t.Fatal(err)
	}
	if got, err := lockFD(f); !got || err != nil {
		t.Fatalf("lockFD = %v, %v", got, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := d.Mutable().PutIfMatch(ctx, "a", nil, ""); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("PutIfMatch while locked: error = %v, want context.DeadlineExceeded", err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Mutable().PutIfMatch(t.Context(), "a", nil, ""); err != nil {
		t.Errorf("PutIfMatch after the lock is free: %v", err)
	}
}

// A disk that is full leaves nothing behind, and the next Put that fits works.
// Here a limit of the process on the size of files stands in for it, which
// needs no privilege.
func TestDirFull(t *testing.T) {
	folder := t.TempDir()
	if out, err := runHelper(t, "full", folder, ""); err != nil {
		t.Fatalf("helper: %v: %s", err, out)
	}
	if left := temporary(t, folder); len(left) > 0 {
		t.Errorf("temporary files left: %q", left)
	}
}

// putLimited puts an object above the limit, then one below it.
func putLimited(d *Dir) error {
	signal.Ignore(syscall.SIGXFSZ)
	limit := unix.Rlimit{Cur: 64 << 10, Max: 64 << 10}
	if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &limit); err != nil {
		return err
	}
	return checkFull(d)
}

// checkFull expects that 256 KiB do not fit and 1 KiB does.
func checkFull(d *Dir) error {
	large := make([]byte, 256<<10)
	err := putBytes(d, "warc/large", large)
	if !errors.Is(err, ErrNoSpace) || !strings.Contains(err.Error(), d.root) {
		return fmt.Errorf("Put of too much: error = %v, want ErrNoSpace that names %s", err, d.root)
	}
	if _, err := d.Mutable().PutIfMatch(context.Background(), "log/lock", large, ""); !errors.Is(err, ErrNoSpace) {
		return fmt.Errorf("PutIfMatch of too much: error = %v, want ErrNoSpace", err)
	}
	for _, err := range d.List(context.Background(), "", "") {
		return fmt.Errorf("something is there after both, or not listable: %v", err)
	}
	if err := putBytes(d, "warc/small", large[:1<<10]); err != nil {
		return fmt.Errorf("Put of what fits: %w", err)
	}
	return nil
}

func BenchmarkDirPut64KiB(b *testing.B) {
	d := newDir(b)
	data := make([]byte, 64<<10)
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		data[0], data[1], data[2] = byte(i), byte(i>>8), byte(i>>16)
		if err := putBytes(d, fmt.Sprintf("warc/%d/%d", i/1000, i), data); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDirGet64KiB(b *testing.B) {
	d := newDir(b)
	data := make([]byte, 64<<10)
	if err := putBytes(d, "warc/a", data); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		rc, err := d.Get(context.Background(), "warc/a", 0, -1)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, rc); err != nil {
			b.Fatal(err)
		}
		rc.Close()
	}
}

func BenchmarkDirCompareAndSwap(b *testing.B) {
	m := newDir(b).Mutable()
	b.ReportAllocs()
	tag := ""
	for i := 0; b.Loop(); i++ {
		var err error
		if tag, err = m.PutIfMatch(context.Background(), "log/lock", fmt.Append(nil, i), tag); err != nil {
			b.Fatal(err)
		}
	}
}

func TestDirSelfTest(t *testing.T) {
	d := newDir(t)
	r, err := d.SelfTest(t.Context())
	if err != nil || r.Err() != nil || len(r.Checks) != 3 {
		t.Errorf("SelfTest = %+v, %v, want three good checks", r, err)
	}
	if left := temporary(t, d.Root()); len(left) > 0 {
		t.Errorf("temporary files left: %q", left)
	}
	bad := Report{Store: "x", Checks: []Check{{Name: "a", OK: true, Required: true}, {Name: "b"}, {Name: "c", Required: true, Found: "f", Remedy: "r"}}}
	if err := bad.Err(); err == nil || err.Error() != "store x: c: f: r" {
		t.Errorf("Err = %v, want store x: c: f: r", err)
	}
}
