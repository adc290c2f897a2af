package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
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

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/fineprint-archive/fineprint/archive/catalog"
	"github.com/fineprint-archive/fineprint/archive/catalog/pgtest"
)

// killEnv makes the program kill itself: "put:2" when the durable step named put
// is about to be taken for the second time. The steps are those that package
// archive names in its calls of Config.Step.
const killEnv = "FINEPRINT_TEST_KILL"

// TestMain makes this test binary serve as the program too: the scripts and the
// crash tests run it under the name fineprint.
func TestMain(m *testing.M) {
	testscript.Main(withPostgres{m}, map[string]func(){
		"fineprint": func() {
			a := &app{stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, step: killStep(os.Getenv(killEnv))}
			os.Exit(a.run(context.Background(), os.Args[1:]))
		},
	})
}

// withPostgres keeps one PostgreSQL for all tests of the process.
type withPostgres struct{ m *testing.M }

func (w withPostgres) Run() int {
	// The tests mostly wait: for leases, for retries, for disks.
	flag.Parse()
	parallel := "24"
	if raceDetector {
		parallel = "4"
	}
	if err := flag.Set("test.parallel", parallel); err != nil {
		panic(err)
	}
	stop := pgtest.Keep()
	code := w.m.Run()
	if err := stop(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	return code
}

// killStep returns the hook that kills the process as a value of killEnv says.
func killStep(value string) func(string) {
	name, count, ok := strings.Cut(value, ":")
	if !ok {
		return nil
	}
	left, err := strconv.Atoi(count)
	if err != nil {
		panic(killEnv + "=" + value + ": want STEP:COUNT")
	}
	var mu sync.Mutex
	return func(step string) {
		mu.Lock()
		defer mu.Unlock()
		if step != name {
			return
		}
		if left--; left > 0 {
			return
		}
		if err := syscall.Kill(os.Getpid(), syscall.SIGKILL); err != nil {
			panic(err)
		}
		select {} // the step is never taken
	}
}

// program is the program under test in a folder with its own configuration.
type program struct {
	dir string
	env []string // beside PATH, HOME and TMPDIR
}

// newProgram makes the folder dir/p with a configuration and declarations.
func newProgram(t *testing.T, config, declarations string) *program {
	t.Helper()
	p := &program{dir: t.TempDir()}
	p.write(t, "fineprint.yaml", config)
	if declarations != "" {
		p.write(t, "declarations/web.yaml", declarations)
	}
	return p
}

func (p *program) path(name string) string { return filepath.Join(p.dir, filepath.FromSlash(name)) }

func (p *program) write(t *testing.T, name, text string) {
	t.Helper()
	must(t, os.MkdirAll(filepath.Dir(p.path(name)), 0o755))
	must(t, os.WriteFile(p.path(name), []byte(text), 0o644))
}

// command prepares a run of the program.
func (p *program) command(t *testing.T, args ...string) *exec.Cmd {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, "fineprint", args...)
	cmd.Dir = p.dir
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + p.dir, "TMPDIR=" + p.dir, raceEnv}, p.env...)
	cmd.WaitDelay = 10 * time.Second
	return cmd
}

// outcome is how a run of the program ended.
type outcome struct {
	code           int // -1 if it was killed
	killed         bool
	stdout, stderr string
}

func (o outcome) String() string {
	return fmt.Sprintf("exit code %d, killed %v\nstdout:\n%s\nstderr:\n%s", o.code, o.killed, o.stdout, o.stderr)
}

// run runs the program to its end.
func (p *program) run(t *testing.T, args ...string) outcome {
	t.Helper()
	return p.runWith(t, nil, args...)
}

// runWith runs the program with further variables, and calls started with its
// process as soon as there is one.
func (p *program) runWith(t *testing.T, started func(*os.Process), args ...string) outcome {
	t.Helper()
	return finish(t, p.command(t, args...), started)
}

func finish(t *testing.T, cmd *exec.Cmd, started func(*os.Process)) outcome {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd.Stdout = &stdout
	if watch := cmd.Stderr; watch != nil {
		cmd.Stderr = io.MultiWriter(&stderr, watch)
	} else {
		cmd.Stderr = &stderr
	}
	must(t, cmd.Start())
	if started != nil {
		started(cmd.Process)
	}
	err := cmd.Wait()
	o := outcome{stdout: stdout.String(), stderr: stderr.String()}
	if _, exited := errors.AsType[*exec.ExitError](err); err != nil && !exited {
		t.Fatalf("fineprint %s: %v\n%s", strings.Join(cmd.Args[1:], " "), err, o)
	}
	o.code = cmd.ProcessState.ExitCode()
	status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus)
	o.killed = ok && status.Signaled() && status.Signal() == syscall.SIGKILL
	return o
}

// must runs the program and wants one of the codes.
func (p *program) must(t *testing.T, codes []int, args ...string) outcome {
	t.Helper()
	o := p.run(t, args...)
	o.want(t, codes, args...)
	return o
}

func (o outcome) want(t *testing.T, codes []int, args ...string) {
	t.Helper()
	if !slices.Contains(codes, o.code) {
		t.Fatalf("fineprint %s: want exit code %v, got %s", strings.Join(args, " "), codes, o)
	}
}

// spooled lists what lies in the spool beside its lock and its identity.
func (p *program) spooled(t *testing.T) []string {
	t.Helper()
	var names []string
	files, err := os.ReadDir(p.path("spool"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	for _, f := range files {
		if f.Name() != "lock" && f.Name() != "id" {
			names = append(names, f.Name())
		}
	}
	return names
}

// objects returns the files below the archive folder by key.
func (p *program) objects(t *testing.T) map[string][]byte {
	t.Helper()
	found := map[string][]byte{}
	root, err := filepath.EvalSymlinks(p.path("archive"))
	must(t, err)
	err = filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		key, err := filepath.Rel(root, name)
		if err != nil || strings.HasPrefix(key, ".fineprint") {
			return err
		}
		data, err := os.ReadFile(name)
		found[filepath.ToSlash(key)] = data
		return err
	})
	must(t, err)
	return found
}

// openCatalog opens a database of the program until the end of the test.
func openCatalog(t *testing.T, dsn string) *catalog.DB {
	t.Helper()
	db, err := catalog.Open(t.Context(), dsn, catalog.Options{})
	must(t, err)
	return db
}

// dump returns the canonical form of the facts that a catalog holds.
func dump(t *testing.T, dsn string) string {
	t.Helper()
	db := openCatalog(t, dsn)
	var b bytes.Buffer
	must(t, cmp.Or(db.Dump(t.Context(), &b), db.Close()))
	return b.String()
}

// eachDatabase runs a test on SQLite and on PostgreSQL. dsn makes the address of
// a new database.
func eachDatabase(t *testing.T, test func(t *testing.T, dsn func(*testing.T) string)) {
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		test(t, func(t *testing.T) string { return filepath.Join(t.TempDir(), "catalog.sqlite") })
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		test(t, func(t *testing.T) string { return pgtest.Start(t) })
	})
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
