package tlog

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/fineprint-archive/fineprint/archive/store"
)

// A child is this test binary, executed again, that appends to the log of a
// folder: "race NAME N" appends N batches, each again after ErrLost only, and
// prints the tag of each that succeeded; "die STEP TAG" appends one batch and
// ends the process in front of a step.
const childEnv = "FINEPRINT_TEST_TLOG_CHILD"

func childMain() {
	job := strings.Fields(os.Getenv(childEnv))
	if len(job) == 0 {
		return
	}
	if err := child(job[0], job[1], job[2:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

func child(folder, what string, args []string) error {
	d, err := store.OpenDir(folder)
	if err != nil {
		return err
	}
	key, err := GenerateKey(bytes.NewReader(bytes.Repeat([]byte{1}, 64)), "log.example/terms")
	if err != nil {
		return err
	}
	cfg := Config{Store: d, Mutable: d.Mutable(), Signer: key.Signer, Verifier: key.Verifier, Place: testPlace}
	if what == "die" {
		cfg.Step = func(step string) {
			if step == args[0] {
				os.Exit(deadOnPurpose)
			}
		}
	}
	l, err := Open(context.Background(), cfg)
	if err != nil {
		return err
	}
	if what == "die" {
		_, _, err := l.Append(context.Background(), leaves(args[1], dieBatch))
		return errors.Join(err, errors.New("survived"))
	}
	var n int
	if _, err := fmt.Sscan(args[1], &n); err != nil {
		return err
	}
	// Both begin together: the parent closes our input.
	fmt.Println("ready")
	if _, err := bufio.NewReader(os.Stdin).ReadByte(); err == nil {
		return errors.New("unexpected input")
	}
	for i := range n {
		tag := fmt.Sprintf("%s-%d", args[0], i)
		first, _, err := l.Append(context.Background(), leaves(tag, raceBatch))
		switch {
		case errors.Is(err, ErrLost):
			fmt.Println("lost", tag)
		case err != nil:
			return err
		default:
			fmt.Println("won", tag, first)
		}
	}
	return nil
}

const (
	deadOnPurpose = 77
	dieBatch      = 300
	raceBatch     = 7
)

func startChild(t *testing.T, folder string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+folder+" "+strings.Join(args, " "))
	cmd.Stderr = os.Stderr
	return cmd
}

// Two processes, 200 appends, no waiting for each other: each batch that was
// reported as a success stands in the log once and whole where it was said to
// stand, of the others nothing does.
func TestTwoProcesses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := folder(t, dir)
	mustOpen(t, config(t, p))
	type racer struct {
		cmd *exec.Cmd
		out *bufio.Scanner
		in  interface{ Close() error }
	}
	var racers []racer
	for _, name := range []string{"a", "b"} {
		cmd := startChild(t, dir, "race", name, "100")
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		in, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		r := racer{cmd, bufio.NewScanner(out), in}
		if !r.out.Scan() || r.out.Text() != "ready" {
			t.Fatalf("child says %q", r.out.Text())
		}
		racers = append(racers, r)
	}
	for _, r := range racers {
		r.in.Close()
	}
	won, lost := make(map[string]int64), make(map[string]bool)
	for _, r := range racers {
		for r.out.Scan() {
			var what, tag string
			var first int64
			fmt.Sscan(r.out.Text(), &what, &tag, &first)
			if what == "won" {
				won[tag] = first
			} else {
				lost[tag] = true
			}
		}
		if err := r.cmd.Wait(); err != nil {
			t.Fatal(err)
		}
	}
	if len(won)+len(lost) != 200 || len(won) == 0 {
		t.Fatalf("%d won, %d lost of 200", len(won), len(lost))
	}
	t.Logf("%d won, %d lost", len(won), len(lost))
	cp := checkAll(t, p, nil)
	if cp.Size != int64(len(won)*raceBatch) {
		t.Errorf("log has %d entries, %d batches of %d won", cp.Size, len(won), raceBatch)
	}
	r := NewReader(p, testKey(t, 1).Verifier)
	for tag, first := range won {
		i := 0
		for e, err := range r.Entries(t.Context(), cp, first, first+raceBatch) {
			if want := fmt.Sprintf(`{"id":"%s-%d",`, tag, i); err != nil || !bytes.HasPrefix(e.Data, []byte(want)) {
				t.Fatalf("entry %d = %.30q, %v; want %s", first+int64(i), e.Data, err, want)
			}
			i++
		}
	}
}

// steps are the steps of a batch, and how many entries of it count after a
// crash in front of each, once the log was opened again.
var steps = []struct {
	name  string
	after int
}{{"stage", 0}, {"lock", 0}, {"tiles", dieBatch}, {"checkpoint", dieBatch}, {"publish", dieBatch}, {"drop", dieBatch}}

// A process that ends in front of each step, five times in a row: readers see
// a whole log at once, and after the next opening the batch is there entirely
// or not at all.
func TestDeadProcess(t *testing.T) {
	t.Parallel()
	for _, step := range steps {
		t.Run(step.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			p := folder(t, dir)
			mustAppend(t, mustOpen(t, config(t, p)), leaves("begin", 10))
			published, want := int64(10), int64(10)
			for round := range 5 {
				err := startChild(t, dir, "die", step.name, fmt.Sprint("round", round)).Run()
				if exit, ok := errors.AsType[*exec.ExitError](err); !ok || exit.ExitCode() != deadOnPurpose {
					t.Fatalf("child: %v", err)
				}
				cp := checkAll(t, p, nil)
				if cp.Size < published {
					t.Fatalf("published checkpoint shrank from %d to %d", published, cp.Size)
				}
				want += int64(step.after)
				l := mustOpen(t, config(t, p))
				published = checkAll(t, p, nil).Size
				if published != want || l.Checkpoint().Size != want {
					t.Fatalf("after round %d the log has %d entries, want %d", round, published, want)
				}
			}
			l := mustOpen(t, config(t, p))
			mustAppend(t, l, leaves("end", 1))
			checkAll(t, p, nil)
			left := 0
			for range p.List(t.Context(), stagingPrefix, "") {
				left++
			}
			// What never came to the lock is swept once the log has outgrown it.
			if step.after > 0 && left > 0 || left > 5 {
				t.Errorf("%d objects are left in staging", left)
			}
			mustAppend(t, l, leaves("beyond", dieBatch))
			mustOpen(t, config(t, p))
			for info := range p.List(t.Context(), stagingPrefix, "") {
				t.Errorf("never swept: %s", info.Key)
			}
		})
	}
}

// A crash in front of each step of the creation of a log, and one during
// recovery from a crash.
func TestCrashTwice(t *testing.T) {
	type crash struct{ step string }
	die := func(cfg Config, step string, do func(Config)) {
		defer func() {
			if c, ok := recover().(crash); !ok || c.step != step {
				t.Errorf("no crash in front of %s", step)
			}
		}()
		cfg.Step = func(name string) {
			if name == step {
				panic(crash{name})
			}
		}
		do(cfg)
	}
	open := func(cfg Config) { Open(t.Context(), cfg) }
	for _, first := range steps {
		p := memory()
		die(config(t, p), first.name, open)
		for _, second := range steps {
			if first.after > 0 && second.after > 0 {
				die(config(t, p), second.name, open) // recovery begins at "tiles"
			}
		}
		mustOpen(t, config(t, p))
		checkEmpty(t, p)
		batch := leaves("a", dieBatch)
		die(config(t, p), "tiles", func(cfg Config) { mustOpen(t, cfg).Append(t.Context(), batch) })
		die(config(t, p), "publish", open)
		l := mustOpen(t, config(t, p))
		checkAll(t, p, batch)
		more := leaves("b", 3)
		mustAppend(t, l, more)
		checkAll(t, p, append(batch, more...))
	}
}

// A handle whose own batch stopped half way finishes it with its next Append.
func TestAppendAfterFailure(t *testing.T) {
	p := memory()
	cfg := config(t, p)
	ctx, cancel := context.WithCancel(t.Context())
	cfg.Step = func(name string) {
		if name == "tiles" && ctx.Err() == nil {
			cancel()
		}
	}
	l, err := Open(t.Context(), config(t, p))
	if err != nil {
		t.Fatal(err)
	}
	l.cfg.Step = cfg.Step
	a, b := leaves("a", 300), leaves("b", 5)
	if _, _, err := l.Append(ctx, a); !errors.Is(err, context.Canceled) {
		t.Fatalf("Append = %v", err)
	}
	if first, _ := mustAppend(t, l, b); first != 300 {
		t.Errorf("next batch begins at %d", first)
	}
	checkAll(t, p, append(a, b...))
}
