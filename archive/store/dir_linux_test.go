package store

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// nobody is a user without rights.
const nobody = 65534

// asNobody runs f in a thread whose file accesses are those of an ordinary
// user, also when the tests run as root.
func asNobody(t *testing.T, f func()) {
	t.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if os.Getuid() == 0 {
		if err := unix.Setfsuid(nobody); err != nil {
			t.Fatal(err)
		}
		defer unix.Setfsuid(0)
	}
	f()
}

// A folder that can only be read is read; writing names the folder and what to do.
func TestDirReadOnly(t *testing.T) {
	d := newDir(t)
	if err := putBytes(d, "a", []byte("x")); err != nil {
		t.Fatal(err)
	}
	tag, err := d.Mutable().PutIfMatch(t.Context(), "m", []byte("x"), "")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Dir(d.root), 0o755); err != nil { // made for its owner only
		t.Fatal(err)
	}
	for _, dir := range []string{d.root, d.path(ownFolder), d.path(tempFolder)} {
		if err := os.Chmod(dir, 0o555); err != nil {
			t.Fatal(err)
		}
		defer os.Chmod(dir, 0o755)
	}
	asNobody(t, func() {
		d, err := OpenDir(d.root)
		if err != nil {
			t.Fatalf("OpenDir of a read-only folder: %v", err)
		}
		if got := read(t, d, "a"); string(got) != "x" {
			t.Errorf("Get(a) = %q, want x", got)
		}
		if got := keys(t, d); len(got) != 2 {
			t.Errorf("List = %q, want a and m", got)
		}
		if err := putBytes(d, "a", []byte("x")); err != nil {
			t.Errorf("Put of what is there: %v", err)
		}
		err = putBytes(d, "b", []byte("x"))
		if !errors.Is(err, ErrReadOnly) || !strings.Contains(err.Error(), d.root) || !strings.Contains(err.Error(), "right to write") {
			t.Errorf("Put error = %v, want ErrReadOnly with the folder and the remedy", err)
		}
		if _, err := d.Mutable().PutIfMatch(t.Context(), "m", []byte("y"), tag); !errors.Is(err, ErrReadOnly) {
			t.Errorf("PutIfMatch error = %v, want ErrReadOnly", err)
		}
		if err := d.Mutable().Delete(t.Context(), "m", tag); !errors.Is(err, ErrReadOnly) {
			t.Errorf("Delete error = %v, want ErrReadOnly", err)
		}
		missing := d.root + "/below"
		if _, err := OpenDir(missing); !errors.Is(err, ErrReadOnly) || !strings.Contains(err.Error(), missing) {
			t.Errorf("OpenDir of a folder that cannot be made: error = %v, want ErrReadOnly that names it", err)
		}
	})
}

// Where the tests may mount (as root), the same as TestDirFull on a filesystem
// that is really full, then made read-only.
func TestDirTmpfs(t *testing.T) {
	folder := t.TempDir()
	if err := unix.Mount("tmpfs", folder, "tmpfs", 0, "size=128k"); err != nil {
		t.Logf("no tmpfs (%v): TestDirFull and TestDirReadOnly cover the rest", err)
		return
	}
	defer func() {
		if err := unix.Unmount(folder, 0); err != nil {
			t.Errorf("unmount: %v", err)
		}
	}()
	d, err := OpenDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	if err := checkFull(d); err != nil {
		t.Error(err)
	}
	if left := temporary(t, folder); len(left) > 0 {
		t.Errorf("temporary files left: %q", left)
	}
	if err := unix.Mount("tmpfs", folder, "tmpfs", unix.MS_REMOUNT|unix.MS_RDONLY, "size=128k"); err != nil {
		t.Fatal(err)
	}
	if err := putBytes(d, "b", []byte("x")); !errors.Is(err, ErrReadOnly) {
		t.Errorf("Put on a read-only filesystem: error = %v, want ErrReadOnly", err)
	}
}
