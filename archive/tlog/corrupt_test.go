package tlog

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"
	"testing"

	"github.com/fineprint-archive/fineprint/archive/store"
	"golang.org/x/mod/sumdb/tlog"
)

// overlay is a store in which one object is another one (nil: missing).
type overlay struct {
	store.Store
	key  string
	data []byte
}

func (o overlay) Get(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	if key != o.key {
		return o.Store.Get(ctx, key, offset, length)
	}
	if o.data == nil {
		return nil, store.ErrNotExist
	}
	end := int64(len(o.data))
	if length >= 0 {
		end = min(end, offset+length)
	}
	return io.NopCloser(bytes.NewReader(o.data[offset:end])), nil
}

func content(t testing.TB, s store.Store, key string) []byte {
	t.Helper()
	data, err := NewReader(s, testKey(t, 1).Verifier).read(t.Context(), key, 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// small appends n entries of a few bytes.
func small(t testing.TB, l *Log, n int) {
	t.Helper()
	size := l.Checkpoint().Size
	batch := make([][]byte, n)
	for i := range batch {
		batch[i] = fmt.Appendf(nil, "entry %d", size+int64(i))
	}
	mustAppend(t, l, batch)
}

// Each object that is altered, cut, lengthened or missing is named by Check,
// and no reader ever returns a false entry or a proof from it.
func TestCorrupt(t *testing.T) {
	t.Parallel()
	p := memory()
	l := mustOpen(t, config(t, p))
	for _, n := range []int{100, 65536 + 400, 356} { // three levels of tiles
		small(t, l, n)
	}
	if n := len(checkAll(t, p, nil).Raw); n == 0 {
		t.Fatal("no checkpoint")
	}
	cp := l.Checkpoint()
	keys := []string{
		tileKey(-1, 0, 256), tileKey(-1, 259, lastWidth(cp, 0)), tileKey(-1, 0, 100), tileKey(-1, 257, 256),
		tileKey(0, 0, 256), tileKey(0, 259, lastWidth(cp, 0)), tileKey(0, 0, 100), tileKey(0, 257, 256),
		tileKey(1, 0, 256), tileKey(1, 1, lastWidth(cp, 1)), tileKey(2, 0, lastWidth(cp, 2)),
		keptKey(100), keptKey(cp.Size), publicKey,
	}
	for i, key := range keys {
		if raceDetector && i%5 != 0 {
			continue
		}
		good := content(t, p, key)
		flip := func(i int) []byte { b := bytes.Clone(good); b[i] ^= 1; return b }
		cases := map[string][]byte{"missing": nil, "last byte": flip(len(good) - 1)}
		if i%4 == 0 {
			cases["first byte"], cases["cut"], cases["longer"] = flip(0), good[:len(good)-1], append(bytes.Clone(good), 0)
		}
		if strings.Contains(key, "checkpoint") {
			cases["another"] = content(t, p, keptKey(66036)) // a true checkpoint of another size
		}
		for name, data := range cases {
			bad := overlay{p.Store, key, data}
			checkCorrupt(t, key+", "+name, bad, cp)
		}
	}
}

func lastWidth(cp Checkpoint, level int) int { return width(cp.Size, level) }

func checkCorrupt(t *testing.T, what string, bad overlay, cp Checkpoint) {
	t.Helper()
	r := NewReader(bad, testKey(t, 1).Verifier)
	report, err := Check(t.Context(), r, CheckOptions{Partial: true})
	gone := bad.data == nil && (strings.HasSuffix(bad.key, ".p/100") || bad.key == keptKey(100))
	switch {
	case bad.key == publicKey:
		// Without its public checkpoint nothing is known; one that was put back is.
		if err == nil && (len(report.Findings) == 0 || report.Findings[0].Objects[0] != publicKey) {
			t.Errorf("%s: Check = %v", what, report.Findings)
		}
		return
	case err != nil:
		t.Errorf("%s: Check: %v", what, err)
	case gone && bad.key != keptKey(100):
		if len(report.Findings) > 0 { // the full tile stands for it
			t.Errorf("%s: Check = %v, want nothing", what, report.Findings)
		}
	case len(report.Findings) == 0 || !slices.Contains(report.Findings[0].Objects, bad.key):
		t.Errorf("%s: Check = %v, does not name the object", what, report.Findings)
	}
	// Readers: the truth or an error that names the object.
	for _, i := range []int64{0, 255, 130 * 256, cp.Size - 1, 257*256 + 3} {
		leaf := fmt.Appendf(nil, "entry %d", i)
		if got, err := r.Entry(t.Context(), cp, i); err == nil && !bytes.Equal(got, leaf) {
			t.Errorf("%s: Entry(%d) = %q", what, i, got)
		} else if err != nil && !strings.Contains(err.Error(), bad.key) {
			t.Errorf("%s: Entry(%d): %v", what, i, err)
		}
		proof, err := r.InclusionProof(t.Context(), cp, i)
		if err == nil {
			_, err = VerifyInclusion(proof, leaf, LogPolicy(r.Verifier()))
		} else if !strings.Contains(err.Error(), bad.key) {
			t.Errorf("%s: InclusionProof(%d): %v", what, i, err)
			continue
		} else {
			continue
		}
		if err != nil {
			t.Errorf("%s: InclusionProof(%d) does not verify: %v", what, i, err)
		}
	}
}

// A false bundle does not hide what stands behind it: entries after it are
// still verified, and a second false object is found too.
func TestCorruptTwo(t *testing.T) {
	p := memory()
	l := mustOpen(t, config(t, p))
	small(t, l, 2000)
	a, b := tileKey(-1, 1, 256), tileKey(-1, 5, 256)
	swapped := overlay{overlay{p.Store, a, content(t, p, b)}, b, nil}
	seen := 0
	report, err := Check(t.Context(), NewReader(swapped, testKey(t, 1).Verifier), CheckOptions{Visit: func(Entry) error { seen++; return nil }})
	if err != nil || len(report.Findings) != 2 || report.Findings[0].Objects[0] != a || report.Findings[1].Objects[0] != b {
		t.Fatalf("Check = %v, %v", report.Findings, err)
	}
	if !strings.Contains(report.Findings[0].Problem, "entry 256") || seen != 2000-512 || report.Checkpoints != 2 {
		t.Errorf("first finding %q, %d entries seen, %d checkpoints", report.Findings[0].Problem, seen, report.Checkpoints)
	}
	// With its hash tile gone as well, no later root can be told, and Check says what is false.
	worse := overlay{swapped, tileKey(0, 1, 256), nil}
	report, err = Check(t.Context(), NewReader(worse, testKey(t, 1).Verifier), CheckOptions{})
	if err != nil || len(report.Findings) != 3 {
		t.Errorf("Check = %v, %v", report.Findings, err)
	}
}

// A log whose entries were replaced together with all tiles still contradicts
// the checkpoints that were kept.
func TestRewritten(t *testing.T) {
	p, q := memory(), memory()
	l, forged := mustOpen(t, config(t, p)), mustOpen(t, config(t, q))
	small(t, l, 300)
	small(t, l, 300)
	mustAppend(t, forged, [][]byte{[]byte("another first entry")})
	small(t, forged, 599)
	kept := keptKey(300)
	mixed := overlay{q.Store, kept, content(t, p, kept)}
	r := NewReader(withKey{mixed, kept}, testKey(t, 1).Verifier)
	report, err := Check(t.Context(), r, CheckOptions{})
	if err != nil || len(report.Findings) != 1 || report.Findings[0].Objects[0] != kept {
		t.Errorf("Check = %v, %v; want a finding about %s", report.Findings, err, kept)
	}
	// And no proof leads from the old checkpoint to the new tree.
	old, err := NewReader(p, testKey(t, 1).Verifier).CheckpointAt(t.Context(), 300)
	if err != nil {
		t.Fatal(err)
	}
	proof, err := NewReader(q, testKey(t, 1).Verifier).ConsistencyProof(t.Context(), 300, forged.Checkpoint())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := VerifyConsistency(proof, old, LogPolicy(r.Verifier())); err == nil || !strings.Contains(err.Error(), "does not continue") {
		t.Errorf("VerifyConsistency = %v", err)
	}
}

// withKey lists one key more.
type withKey struct {
	store.Store
	key string
}

func (w withKey) List(ctx context.Context, prefix, after string) iter.Seq2[store.Info, error] {
	return func(yield func(store.Info, error) bool) {
		if strings.HasPrefix(w.key, prefix) && !yield(store.Info{Key: w.key}, nil) {
			return
		}
		w.Store.List(ctx, prefix, after)(yield)
	}
}

// Check can go on where an earlier one ended, and then sees what came since.
func TestCheckFrom(t *testing.T) {
	p := memory()
	l := mustOpen(t, config(t, p))
	small(t, l, 700)
	from := l.Checkpoint()
	small(t, l, 900)
	r := NewReader(p, testKey(t, 1).Verifier)
	next := from.Size
	var done int64
	report, err := Check(t.Context(), r, CheckOptions{From: from, Partial: true, Progress: func(n int64) { done = n }, Visit: func(e Entry) error {
		if e.Index != next || string(e.Data) != fmt.Sprintf("entry %d", next) {
			return fmt.Errorf("entry %d = %q, want %d", e.Index, e.Data, next)
		}
		next++
		return nil
	}})
	if err != nil || len(report.Findings) > 0 || report.Entries != 900 || report.Checkpoints != 2 || done != 1600 {
		t.Errorf("Check = %+v, %v, progress %d", report, err, done)
	}
	for _, key := range []string{tileKey(-1, 5, 256), tileKey(0, 5, 256)} {
		report, err = Check(t.Context(), NewReader(overlay{p.Store, key, nil}, r.Verifier()), CheckOptions{From: from})
		if err != nil || len(report.Findings) != 1 || report.Findings[0].Objects[0] != key {
			t.Errorf("Check without %s = %v, %v", key, report.Findings, err)
		}
	}
	stop := errors.New("enough")
	if _, err := Check(t.Context(), r, CheckOptions{Visit: func(Entry) error { return stop }}); !errors.Is(err, stop) {
		t.Errorf("Check with an error of Visit = %v", err)
	}
}

// A writer does not build on a false edge, nor over objects of another log.
func TestCorruptAppend(t *testing.T) {
	p := memory()
	small(t, mustOpen(t, config(t, p)), 300)
	for _, key := range []string{tileKey(0, 1, 44), tileKey(1, 0, 1), tileKey(-1, 1, 44)} {
		bad := bytes.Clone(content(t, p, key))
		bad[len(bad)-1] ^= 1
		cfg := config(t, p)
		cfg.Store = overlay{p.Store, key, bad}
		if _, err := Open(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), key) {
			t.Errorf("Open with false %s = %v", key, err)
		}
	}
	foreign := tileKey(0, 1, 45)
	data := make([]byte, 45*tlog.HashSize)
	l := mustOpen(t, config(t, p))
	if err := l.put(t.Context(), object{foreign, data}, ""); err != nil {
		t.Fatal(err)
	}
	if _, _, err := l.Append(t.Context(), leaves("a", 1)); err == nil || !strings.Contains(err.Error(), foreign) {
		t.Errorf("Append over a foreign tile = %v", err)
	}
	if cp := checkAll(t, p, nil); cp.Size != 300 {
		t.Errorf("public size %d", cp.Size)
	}
}

// Staging that was altered is not published.
func TestCorruptStaging(t *testing.T) {
	p := memory()
	small(t, mustOpen(t, config(t, p)), 300)
	cfg := config(t, p)
	ctx, cancel := context.WithCancel(t.Context())
	l := mustOpen(t, cfg)
	l.cfg.Step = func(name string) {
		if name == "tiles" {
			cancel()
		}
	}
	if _, _, err := l.Append(ctx, leaves("a", 5)); err == nil {
		t.Fatal("no crash")
	}
	key := l.lock.staging
	data, tag, err := p.mutable.Get(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	other, err := batch{base: Checkpoint{}, cp: l.lock.cp, leaves: leaves("b", 305)}.encode()
	if err != nil {
		t.Fatal(err)
	}
	for name, bad := range map[string][]byte{"empty": {}, "cut": data[:len(data)-9], "other entries": other} {
		if tag, err = p.mutable.PutIfMatch(t.Context(), key, bad, tag); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(t.Context(), config(t, p)); err == nil || !strings.Contains(err.Error(), key) {
			t.Errorf("%s: Open = %v", name, err)
		}
	}
	if err := p.mutable.Delete(t.Context(), key, tag); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), config(t, p)); err == nil || !strings.Contains(err.Error(), key+": it is missing") {
		t.Errorf("without staging: Open = %v", err)
	}
	if _, err := p.mutable.PutIfMatch(t.Context(), key, data, ""); err != nil {
		t.Fatal(err)
	}
	mustOpen(t, config(t, p))
	if cp := checkAll(t, p, nil); cp.Size != 305 {
		t.Errorf("size %d after the true staging came back", cp.Size)
	}
}
