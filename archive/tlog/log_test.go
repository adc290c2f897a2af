package tlog

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/fineprint-archive/fineprint/archive/store"
)

// Batches of many sizes, on each kind of store: every invariant holds after
// each, and proofs of and against every state verify.
func TestAppend(t *testing.T) {
	places := map[string]func(t *testing.T) place{
		"memory": func(*testing.T) place { return memory() },
		"folder": func(t *testing.T) place { return folder(t, t.TempDir()) },
		"S3":     func(t *testing.T) place { return bucket(t) },
	}
	for name, open := range places {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := open(t)
			l := mustOpen(t, config(t, p))
			if cp := checkEmpty(t, p); cp.Size != 0 {
				t.Fatalf("new log has size %d", cp.Size)
			}
			var all [][]byte
			olds := []int64{0}
			batches := []int{1, 1, 253, 1, 1, 255, 256, 1000, 2, 512}
			if name == "S3" {
				batches = []int{1, 254, 2, 600}
			}
			for _, n := range batches {
				batch := leaves(fmt.Sprint(len(all)), n)
				first, cp := mustAppend(t, l, batch)
				if first != int64(len(all)) || cp.Size != first+int64(n) {
					t.Fatalf("Append of %d = %d, size %d; want first %d", n, first, cp.Size, len(all))
				}
				all = append(all, batch...)
				if got := checkAll(t, p, all); !bytes.Equal(got.Raw, cp.Raw) {
					t.Fatalf("published is\n%s\nAppend returned\n%s", got.Raw, cp.Raw)
				}
				checkProofs(t, p, cp, []int64{0, first, cp.Size - 1, cp.Size / 2}, olds)
				olds = append(olds, cp.Size)
			}
			// A new handle goes on.
			l = mustOpen(t, config(t, p))
			more := leaves("more", 77)
			mustAppend(t, l, more)
			checkAll(t, p, append(all, more...))
			for info, err := range p.List(t.Context(), stagingPrefix, "") {
				t.Errorf("left in staging: %s %v", info.Key, err)
			}
		})
	}
}

// checkEmpty is checkAll for an empty log, which tessera's fsck does not take.
func checkEmpty(t *testing.T, p place) Checkpoint {
	t.Helper()
	report, err := Check(t.Context(), NewReader(p, testKey(t, 1).Verifier), CheckOptions{Partial: true})
	if err != nil || len(report.Findings) > 0 || report.Checkpoints != 1 {
		t.Fatalf("Check of an empty log = %+v, %v", report, err)
	}
	return report.Checkpoint
}

func TestAppendLimits(t *testing.T) {
	p := memory()
	l := mustOpen(t, config(t, p))
	largest := bytes.Repeat([]byte("x"), MaxLeaf)
	all := [][]byte{largest, {}, []byte("a"), largest}
	mustAppend(t, l, all)
	checkAll(t, p, all)

	_, _, err := l.Append(t.Context(), [][]byte{nil, append(largest, 'x')})
	if err == nil || !strings.Contains(err.Error(), "entry 1 of the batch has 65536 bytes, at most 65535") {
		t.Errorf("too long a leaf: %v", err)
	}
	var many [][]byte
	for range MaxBatch/MaxLeaf + 1 {
		many = append(many, largest)
	}
	if _, _, err := l.Append(t.Context(), many); err == nil || !strings.Contains(err.Error(), "in parts") {
		t.Errorf("too large a batch: %v", err)
	}
	first, cp, err := l.Append(t.Context(), nil)
	if err != nil || first != 4 || cp.Size != 4 {
		t.Errorf("no leaves: %d, %d, %v", first, cp.Size, err)
	}
	checkAll(t, p, all)
}

// Two handles in one process: the one that saw less reads on by itself.
func TestTwoHandles(t *testing.T) {
	p := memory()
	a, b := mustOpen(t, config(t, p)), mustOpen(t, config(t, p))
	var all [][]byte
	for i, l := range []*Log{a, b, b, a, b} {
		batch := leaves(fmt.Sprint(i), 100)
		mustAppend(t, l, batch)
		all = append(all, batch...)
	}
	if cp, err := a.Refresh(t.Context()); err != nil || cp.Size != 500 || a.Checkpoint().Size != 500 {
		t.Errorf("Refresh = %d, %v", cp.Size, err)
	}
	checkAll(t, p, all)
}

// Both writers have passed the reading of the lock when the second one wins:
// the first loses at "lock" and changes nothing, also with the same leaves.
func TestLost(t *testing.T) {
	for _, same := range []bool{false, true} {
		p := memory()
		winner := mustOpen(t, config(t, p))
		ours, theirs := leaves("ours", 300), leaves("theirs", 20)
		if same {
			theirs = ours
		}
		cfg := config(t, p)
		armed := false
		cfg.Step = func(name string) {
			if name == "lock" && armed {
				armed = false
				mustAppend(t, winner, theirs)
			}
		}
		loser := mustOpen(t, cfg)
		armed = true
		if _, _, err := loser.Append(t.Context(), ours); !errors.Is(err, ErrLost) {
			t.Fatalf("same %v: Append = %v, want ErrLost", same, err)
		}
		checkAll(t, p, theirs)
		for info := range p.List(t.Context(), stagingPrefix, "") {
			t.Errorf("left in staging: %s", info.Key)
		}
		mustAppend(t, loser, ours)
		checkAll(t, p, append(append([][]byte{}, theirs...), ours...))
	}
}

// The lock is gone or older than what was published: the log refuses.
func TestLostLock(t *testing.T) {
	p := memory()
	l := mustOpen(t, config(t, p))
	_, cp := mustAppend(t, l, leaves("a", 10))
	old, _, err := p.mutable.Get(t.Context(), lockKey)
	if err != nil {
		t.Fatal(err)
	}
	mustAppend(t, l, leaves("b", 10))
	_, tag, _ := p.mutable.Get(t.Context(), lockKey)
	if _, err := p.mutable.PutIfMatch(t.Context(), lockKey, old, tag); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), config(t, p)); err == nil || !strings.Contains(err.Error(), "older than the public checkpoint") {
		t.Errorf("Open with an old lock (size %d) = %v", cp.Size, err)
	}
	if _, _, err := l.Append(t.Context(), leaves("c", 1)); err == nil {
		t.Error("Append with an old lock succeeded")
	}
	_, tag, _ = p.mutable.Get(t.Context(), lockKey)
	if err := p.mutable.Delete(t.Context(), lockKey, tag); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), config(t, p)); err == nil || !strings.Contains(err.Error(), "log/lock is missing though the log exists") {
		t.Errorf("Open without a lock = %v", err)
	}
}

// The public checkpoint is put back or lost: it is published again, and never
// gets smaller.
func TestPublicPutBack(t *testing.T) {
	p := memory()
	l := mustOpen(t, config(t, p))
	var all [][]byte
	old, _, err := p.mutable.Get(t.Context(), publicKey)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		batch := leaves(fmt.Sprint(i), 100)
		mustAppend(t, l, batch)
		all = append(all, batch...)
	}
	_, tag, _ := p.mutable.Get(t.Context(), publicKey)
	if _, err := p.mutable.PutIfMatch(t.Context(), publicKey, old, tag); err != nil {
		t.Fatal(err)
	}
	report, err := Check(t.Context(), NewReader(p, testKey(t, 1).Verifier), CheckOptions{})
	if err != nil || len(report.Findings) != 1 || !strings.Contains(report.Findings[0].Error(), "log/checkpoint: it has size 0") {
		t.Errorf("Check with an old public checkpoint: %v, %v", report.Findings, err)
	}
	l = mustOpen(t, config(t, p))
	checkAll(t, p, all)
	_, tag, _ = p.mutable.Get(t.Context(), publicKey)
	if err := p.mutable.Delete(t.Context(), publicKey, tag); err != nil {
		t.Fatal(err)
	}
	mustOpen(t, config(t, p))
	checkAll(t, p, all)
	// A slow writer that publishes an older state changes nothing.
	first, err := NewReader(p, testKey(t, 1).Verifier).CheckpointAt(t.Context(), 100)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.publish(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	l.public, l.publicTag = Checkpoint{}, "" // it has not even read the public one
	if err := l.publish(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	checkAll(t, p, all)
}

// A store that ignores conditions is refused with a remedy.
func TestSelfTest(t *testing.T) {
	p := memory()
	p.mutable = forgetful{p.mutable}
	_, err := Open(t.Context(), config(t, p))
	if err == nil || !strings.Contains(err.Error(), "use another store") || !strings.Contains(err.Error(), "log is not written") {
		t.Errorf("Open on a store without conditions = %v", err)
	}
	for info := range p.List(t.Context(), "", "") {
		t.Errorf("left behind: %s", info.Key)
	}
}

func TestOpenConfig(t *testing.T) {
	p := memory()
	good := config(t, p)
	other := testKey(t, 2)
	for name, change := range map[string]func(*Config){
		"no store":       func(c *Config) { c.Store = nil },
		"no place":       func(c *Config) { c.Place = "" },
		"two-line place": func(c *Config) { c.Place = "a\nb" },
		"other verifier": func(c *Config) { c.Verifier = other.Verifier },
	} {
		cfg := good
		change(&cfg)
		if _, err := Open(t.Context(), cfg); err == nil {
			t.Errorf("%s: Open succeeded", name)
		}
	}
	for info := range p.List(t.Context(), "", "") {
		t.Errorf("a refused Open made %s", info.Key)
	}
	if _, err := NewReader(p, good.Verifier).Checkpoint(t.Context()); !errors.Is(err, store.ErrNotExist) {
		t.Errorf("Checkpoint of no log = %v, want ErrNotExist", err)
	}
}
