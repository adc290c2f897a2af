package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// helperEnv makes the test binary act as another process on a folder:
// "action\x1ffolder\x1fargument".
const helperEnv = "FINEPRINT_TEST_STORE_HELPER"

func TestMain(m *testing.M) {
	if env, ok := os.LookupEnv(helperEnv); ok {
		if err := helper(strings.Split(env, "\x1f")); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func helper(args []string) error {
	action, folder, arg := args[0], args[1], args[2]
	d, err := OpenDir(folder)
	if err != nil {
		return err
	}
	switch action {
	case "put", "replace": // and die after the step arg
		d.step = func(name string) {
			if name == arg {
				syscall.Kill(os.Getpid(), syscall.SIGKILL)
				select {}
			}
		}
		if action == "replace" {
			return replaceCrashed(d)
		}
		return putCrashed(d)
	case "count": // add arg to a counter, one by one
		n, err := strconv.Atoi(arg)
		if err != nil {
			return err
		}
		return count(d.Mutable(), n)
	case "full":
		return putLimited(d)
	}
	return fmt.Errorf("no action %q", action)
}

// runHelper runs a helper and returns its standard error and how it ended.
func runHelper(t *testing.T, action, folder, arg string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), helperEnv+"="+strings.Join([]string{action, folder, arg}, "\x1f"))
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	err := cmd.Run()
	return stderr.String(), err
}

// crashBody is what the crashing writers write.
func crashBody() []byte { return bytes.Repeat([]byte("evidence\n"), 30_000) }

func putCrashed(d *Dir) error {
	data := crashBody()
	return d.Put(context.Background(), "warc/2026/a.warc.gz", bytes.NewReader(data), int64(len(data)), sum(data), PutOptions{})
}

func replaceCrashed(d *Dir) error {
	_, err := d.Mutable().PutIfMatch(context.Background(), "log/lock", crashBody(), sum([]byte("old")))
	return err
}

func killed(err error) bool {
	exit, ok := errors.AsType[*exec.ExitError](err)
	if !ok {
		return false
	}
	status, ok := exit.Sys().(syscall.WaitStatus)
	return ok && status.Signaled() && status.Signal() == syscall.SIGKILL
}

// A writer killed after any step of a Put leaves nothing visible or all of it;
// the same Put, repeated, completes it; what is left over goes.
func TestDirPutKilled(t *testing.T) {
	steps := []string{"temporary file", "written", "synced", "linked", "unlinked", "folder synced"}
	for i, step := range steps {
		t.Run(step, func(t *testing.T) {
			t.Parallel()
			folder := t.TempDir()
			if out, err := runHelper(t, "put", folder, step); !killed(err) {
				t.Fatalf("helper ended with %v, want it killed: %s", err, out)
			}
			d, err := OpenDir(folder)
			if err != nil {
				t.Fatal(err)
			}
			want := []string{"warc/2026/a.warc.gz"}
			if visible := keys(t, d); i < slices.Index(steps, "linked") && len(visible) > 0 || i >= slices.Index(steps, "linked") && !slices.Equal(visible, want) {
				t.Errorf("after the step %q these are visible: %q", step, visible)
			}
			if err := putCrashed(d); err != nil {
				t.Errorf("the same Put again: %v", err)
			}
			if got := read(t, d, want[0]); !bytes.Equal(got, crashBody()) {
				t.Errorf("the object has %d bytes that differ from those put", len(got))
			}
			checkSwept(t, folder)
		})
	}
}

// A writer killed in the middle of a replacement leaves the old or the new
// content and no lock.
func TestDirReplaceKilled(t *testing.T) {
	steps := []string{"temporary file", "written", "synced", "renamed"}
	for _, step := range steps {
		t.Run(step, func(t *testing.T) {
			t.Parallel()
			folder := t.TempDir()
			d, err := OpenDir(folder)
			if err != nil {
				t.Fatal(err)
			}
			m := d.Mutable()
			if _, err := m.PutIfMatch(t.Context(), "log/lock", []byte("old"), ""); err != nil {
				t.Fatal(err)
			}
			if out, err := runHelper(t, "replace", folder, step); !killed(err) {
				t.Fatalf("helper ended with %v, want it killed: %s", err, out)
			}
			want := []byte("old")
			if step == "renamed" {
				want = crashBody()
			}
			data, tag, err := m.Get(t.Context(), "log/lock")
			if err != nil || !bytes.Equal(data, want) {
				t.Fatalf("Get = %d bytes, %v, want %d bytes", len(data), err, len(want))
			}
			if _, err := m.PutIfMatch(t.Context(), "log/lock", []byte("next"), tag); err != nil {
				t.Errorf("PutIfMatch after the crash: %v", err)
			}
			checkSwept(t, folder)
		})
	}
}

// checkSwept checks that opening the folder later leaves no temporary file.
func checkSwept(t *testing.T, folder string) {
	t.Helper()
	d, err := OpenDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	d.sweep(time.Now().Add(2 * sweepAge))
	if left := temporary(t, folder); len(left) > 0 {
		t.Errorf("temporary files left: %q", left)
	}
}

// Several processes adding to one counter lose no step.
func TestDirProcesses(t *testing.T) {
	const processes, each = 4, 25
	folder := t.TempDir()
	d, err := OpenDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Mutable().PutIfMatch(t.Context(), "counter", []byte("0"), ""); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range processes {
		wg.Go(func() {
			if out, err := runHelper(t, "count", folder, strconv.Itoa(each)); err != nil {
				t.Errorf("helper: %v: %s", err, out)
			}
		})
	}
	wg.Wait()
	if got := string(read(t, d, "counter")); got != strconv.Itoa(processes*each) {
		t.Errorf("counter = %s, want %d", got, processes*each)
	}
}

func count(m Mutable, n int) error {
	ctx := context.Background()
	for n > 0 {
		data, tag, err := m.Get(ctx, "counter")
		if err != nil {
			return err
		}
		v, err := strconv.Atoi(string(data))
		if err != nil {
			return err
		}
		_, err = m.PutIfMatch(ctx, "counter", []byte(strconv.Itoa(v+1)), tag)
		if errors.Is(err, ErrPrecondition) {
			continue
		}
		if err != nil {
			return err
		}
		n--
	}
	return nil
}

func keys(t *testing.T, d *Dir) (all []string) {
	t.Helper()
	for info, err := range d.List(t.Context(), "", "") {
		if err != nil {
			t.Fatalf("List: %v", err)
		}
		all = append(all, info.Key)
	}
	return all
}

func read(t *testing.T, d *Dir, key string) []byte {
	t.Helper()
	rc, err := d.Get(t.Context(), key, 0, -1)
	if err != nil {
		t.Fatalf("Get(%s): %v", key, err)
	}
	data, err := io.ReadAll(rc)
	if err := errors.Join(err, rc.Close()); err != nil {
		t.Fatalf("read %s: %v", key, err)
	}
	return data
}

func temporary(t *testing.T, folder string) []string {
	t.Helper()
	left, err := filepath.Glob(filepath.Join(folder, tempFolder, "*"))
	if err != nil {
		t.Fatal(err)
	}
	return left
}
