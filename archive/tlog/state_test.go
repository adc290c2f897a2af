package tlog

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"filippo.io/torchwood"
	"github.com/fineprint-archive/fineprint/archive/store"
)

// copyFolder copies a store with its file modes, as an operator would.
func copyFolder(t *testing.T, from, to string) {
	t.Helper()
	err := filepath.WalkDir(from, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		fi, err := d.Info()
		if err != nil {
			return err
		}
		target := filepath.Join(to, rel)
		if d.IsDir() {
			return os.MkdirAll(target, 0o755)
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(target, data, fi.Mode())
	})
	if err != nil {
		t.Fatal(err)
	}
}

// A copy is read-only until its source was closed in its favour; then the
// source is.
func TestMove(t *testing.T) {
	src, early, late := t.TempDir(), t.TempDir(), t.TempDir()
	l := mustOpen(t, config(t, folder(t, src)))
	first := leaves("a", 300)
	mustAppend(t, l, first)
	copyFolder(t, src, early)

	there := config(t, folder(t, early))
	there.Place = "new place"
	_, err := Open(t.Context(), there)
	if !errors.Is(err, ErrElsewhere) || !strings.Contains(err.Error(), testPlace) || !strings.Contains(err.Error(), "new place") {
		t.Fatalf("Open of a copy = %v, want ErrElsewhere with both places", err)
	}
	checkAll(t, there.Store, first) // it can be read

	if err := l.Move(t.Context(), "new place"); err != nil {
		t.Fatal(err)
	}
	if _, _, err := l.Append(t.Context(), leaves("b", 1)); !errors.Is(err, ErrElsewhere) || !strings.Contains(err.Error(), "new place") {
		t.Errorf("Append at the source = %v, want ErrElsewhere", err)
	}
	if _, err := Open(t.Context(), l.cfg); !errors.Is(err, ErrElsewhere) {
		t.Errorf("Open at the source = %v, want ErrElsewhere", err)
	}
	if l.Place() != "new place" {
		t.Errorf("Place = %q", l.Place())
	}
	if _, err := Open(t.Context(), there); !errors.Is(err, ErrElsewhere) {
		t.Errorf("Open of the copy made before = %v, want ErrElsewhere", err)
	}
	copyFolder(t, src, late)
	there.Store, there.Mutable = folder(t, late).Store, folder(t, late).mutable
	third := there
	third.Place = "third place"
	if _, err := Open(t.Context(), third); !errors.Is(err, ErrElsewhere) {
		t.Errorf("Open at a third place = %v, want ErrElsewhere", err)
	}
	moved := mustOpen(t, there)
	more := leaves("c", 20)
	mustAppend(t, moved, more)
	checkAll(t, there.Store, append(first, more...))
	if _, err := Open(t.Context(), there); err != nil { // again, as at each start
		t.Error(err)
	}
	// A handle at the old place that wakes up on the moved log.
	here := config(t, place{there.Store, there.Mutable})
	if _, err := Open(t.Context(), here); !errors.Is(err, ErrElsewhere) {
		t.Errorf("Open at the new store as the old place = %v, want ErrElsewhere", err)
	}
	// The new place is gone for good: one says so.
	here.TakeOver = "new place"
	mustAppend(t, mustOpen(t, here), leaves("d", 1))
}

func TestMoveBack(t *testing.T) {
	p := memory()
	l := mustOpen(t, config(t, p))
	for _, to := range []string{"x", "y", testPlace} {
		if err := l.Move(t.Context(), to); err != nil {
			t.Fatal(err)
		}
	}
	mustAppend(t, l, leaves("a", 1))
	if err := l.Move(t.Context(), "two\nlines"); err == nil {
		t.Error("Move to two lines succeeded")
	}
}

func TestClose(t *testing.T) {
	p := memory()
	l, other := mustOpen(t, config(t, p)), mustOpen(t, config(t, p))
	batch := leaves("a", 5)
	mustAppend(t, l, batch)
	const successor = "log.example/terms-2+12345678+AQID"
	if err := l.Close(t.Context(), 4, successor); !errors.Is(err, ErrLost) {
		t.Errorf("Close at a size that the log has left = %v, want ErrLost", err)
	}
	for range 2 {
		if err := l.Close(t.Context(), 5, successor); err != nil {
			t.Fatal(err)
		}
	}
	r := NewReader(p.Store, config(t, p).Verifier)
	if s, err := r.State(t.Context()); err != nil || s.Closed != successor || s.Place != testPlace || s.Moved != "" || s.Checkpoint.Size != 5 {
		t.Errorf("State = %+v, %v, want closed at size 5", s, err)
	}
	for name, l := range map[string]*Log{"closer": l, "other": other, "opened later": mustOpen(t, config(t, p))} {
		if _, _, err := l.Append(t.Context(), leaves("b", 1)); !errors.Is(err, ErrClosed) || !strings.Contains(err.Error(), successor) {
			t.Errorf("%s: Append = %v, want ErrClosed with the successor", name, err)
		}
		if l.Closed() != successor {
			t.Errorf("%s: Closed = %q", name, l.Closed())
		}
	}
	if err := l.Close(t.Context(), 5, "another"); !errors.Is(err, ErrClosed) {
		t.Errorf("Close for another successor = %v, want ErrClosed", err)
	}
	checkAll(t, p, batch)
}

// AppendAt appends to the size that its caller has seen, and to no other.
func TestAppendAt(t *testing.T) {
	p := memory()
	l, other := mustOpen(t, config(t, p)), mustOpen(t, config(t, p))
	batch := leaves("a", 3)
	if cp, err := l.AppendAt(t.Context(), 0, batch); err != nil || cp.Size != 3 {
		t.Fatalf("AppendAt(0) = size %d, %v", cp.Size, err)
	}
	if _, err := other.AppendAt(t.Context(), 0, leaves("b", 1)); !errors.Is(err, ErrLost) {
		t.Errorf("AppendAt(0) to a log of 3 entries = %v, want ErrLost", err)
	}
	checkAll(t, p, batch)
}

// Moving wins over a batch that was being built meanwhile.
func TestMoveRace(t *testing.T) {
	p := memory()
	mover := mustOpen(t, config(t, p))
	cfg := config(t, p)
	armed := false
	cfg.Step = func(name string) {
		if name == "lock" && armed {
			armed = false
			if err := mover.Move(t.Context(), "elsewhere"); err != nil {
				t.Error(err)
			}
		}
	}
	l := mustOpen(t, cfg)
	armed = true
	if _, _, err := l.Append(t.Context(), leaves("a", 5)); !errors.Is(err, ErrLost) {
		t.Errorf("Append = %v, want ErrLost", err)
	}
	if _, _, err := l.Append(t.Context(), leaves("a", 5)); !errors.Is(err, ErrElsewhere) {
		t.Errorf("Append = %v, want ErrElsewhere", err)
	}
	checkEmpty(t, p)
}

func TestWrongKey(t *testing.T) {
	p := memory()
	mustAppend(t, mustOpen(t, config(t, p)), leaves("a", 5))
	cfg := config(t, p)
	other := testKey(t, 2)
	cfg.Signer, cfg.Verifier = other.Signer, other.Verifier
	_, err := Open(t.Context(), cfg)
	if !errors.Is(err, ErrWrongKey) || !strings.Contains(err.Error(), "give the key file it was made with") {
		t.Errorf("Open with another key = %v, want ErrWrongKey", err)
	}
	origin, err := GenerateKey(bytes.NewReader(make([]byte, 64)), "log.example/other")
	if err != nil {
		t.Fatal(err)
	}
	cfg.Signer, cfg.Verifier = origin.Signer, origin.Verifier
	if _, err := Open(t.Context(), cfg); !errors.Is(err, ErrWrongKey) || !strings.Contains(err.Error(), `origin "log.example/terms"`) {
		t.Errorf("Open with another origin = %v, want ErrWrongKey that names the log's", err)
	}
	if _, err := NewReader(p, other.Verifier).Checkpoint(t.Context()); !errors.Is(err, ErrWrongKey) {
		t.Errorf("Checkpoint with another key = %v, want ErrWrongKey", err)
	}
}

func TestCosign(t *testing.T) {
	p := memory()
	l := mustOpen(t, config(t, p))
	_, cp := mustAppend(t, l, leaves("a", 5))
	w, err := torchwood.NewCosignatureSigner("witness.example", ed25519.NewKeyFromSeed(make([]byte, 32)))
	if err != nil {
		t.Fatal(err)
	}
	line := cosignature(t, w, cp.Raw)
	if ok, err := l.Cosign(t.Context(), cp.Size-1, line); ok || err != nil {
		t.Errorf("Cosign of an old size = %v, %v", ok, err)
	}
	for range 2 {
		if ok, err := l.Cosign(t.Context(), cp.Size, line); !ok || err != nil {
			t.Errorf("Cosign = %v, %v", ok, err)
		}
	}
	r := NewReader(p, testKey(t, 1).Verifier)
	got, err := r.Checkpoint(t.Context())
	if err != nil || string(got.Raw) != string(cp.Raw)+string(line) {
		t.Errorf("public checkpoint = %s, %v", got.Raw, err)
	}
	if kept, err := r.CheckpointAt(t.Context(), 5); err != nil || !bytes.Equal(kept.Raw, cp.Raw) {
		t.Errorf("kept checkpoint = %s, %v", kept.Raw, err)
	}
	policy := torchwood.ThresholdPolicy(2, LogPolicy(r.Verifier()), torchwood.SingleVerifierPolicy(w.Verifier()))
	if _, n, err := OpenCheckpoint(got.Raw, policy); err != nil || len(n.Sigs) != 2 {
		t.Errorf("OpenCheckpoint under a policy with the witness: %v", err)
	}
	if _, n, err := OpenCheckpoint(got.Raw, LogPolicy(r.Verifier())); err != nil || len(n.UnverifiedSigs) != 1 || n.UnverifiedSigs[0].Name != "witness.example" {
		t.Errorf("OpenCheckpoint does not list the unknown signature: %v", err)
	}
	for _, bad := range []string{"x\n", "— witness.example AAAA", "\n", "— witness.example !!\n"} {
		if ok, err := l.Cosign(t.Context(), 5, []byte(bad)); ok || err == nil {
			t.Errorf("Cosign with %q = %v, %v", bad, ok, err)
		}
	}
	// The next batch replaces it, though this Log last saw it without the line.
	mustAppend(t, mustOpen(t, config(t, p)), leaves("b", 5))
	checkAll(t, p, nil)
}

func cosignature(t *testing.T, w *torchwood.CosignatureSigner, raw []byte) []byte {
	t.Helper()
	text, _, _ := bytes.Cut(raw, []byte("\n\n"))
	sig, err := w.Sign(append(text, '\n'))
	if err != nil {
		t.Fatal(err)
	}
	return signatureLine(w, sig)
}

func TestKeys(t *testing.T) {
	key := testKey(t, 1)
	again, err := ParseKey("\n" + key.Private + "\n")
	if err != nil || again.Public != key.Public || !strings.HasPrefix(key.Public, "log.example/terms+") {
		t.Errorf("ParseKey = %q, %v; want %q", again.Public, err, key.Public)
	}
	if v, err := ParseVerifier(key.Public + "\n"); err != nil || v.KeyHash() != key.Signer.KeyHash() {
		t.Errorf("ParseVerifier: %v", err)
	}
	secret := key.Private[strings.LastIndexByte(key.Private, '+')+1:]
	for _, bad := range []string{
		"", "x", key.Public, key.Private[:len(key.Private)-4], key.Private + "A", strings.Replace(key.Private, "log", "lag", 1),
		"PRIVATE+KEY++00000000+" + secret, "PRIVATE+KEY+" + secret, strings.Replace(key.Private, "+log", "+l og", 1),
	} {
		_, err := ParseKey(bad)
		if err == nil {
			t.Errorf("ParseKey(%q) succeeded", bad)
		} else if strings.Contains(err.Error(), secret[:10]) {
			t.Errorf("the secret stands in the error %q", err)
		}
	}
	if _, err := ParseVerifier(key.Private); err == nil || strings.Contains(err.Error(), secret[:10]) {
		t.Errorf("ParseVerifier of a private key = %v", err)
	}
	for _, origin := range []string{"", "a b", "a+b", "a\x00", "a\xff", strings.Repeat("a", 256)} {
		if _, err := GenerateKey(bytes.NewReader(make([]byte, 64)), origin); err == nil {
			t.Errorf("GenerateKey(%q) succeeded", origin)
		}
	}
	if _, err := GenerateKey(strings.NewReader(""), "a"); !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("GenerateKey without randomness = %v", err)
	}
}

func TestLockFormat(t *testing.T) {
	cp := mustOpen(t, config(t, memory())).Checkpoint()
	v := testKey(t, 1).Verifier
	full := lock{write: "W", place: "here", moved: "there", closed: "next", cp: cp}
	full.staging = stagingKey(cp, "W")
	text := string(full.encode())
	got, err := parseLock([]byte(text), v)
	if err != nil || string(got.encode()) != text || got.moved != "there" || got.closed != "next" {
		t.Errorf("parseLock = %+v, %v", got, err)
	}
	for name, bad := range map[string]string{
		"empty":          "",
		"no place":       strings.Replace(text, "place here\n", "", 1),
		"unknown line":   strings.Replace(text, "place here\n", "place here\npace 1\n", 1),
		"doubled":        strings.Replace(text, "place here\n", "place here\nplace here\n", 1),
		"order":          strings.Replace(text, "moved there\nclosed next\n", "closed next\nmoved there\n", 1),
		"version":        strings.Replace(text, "v1", "v2", 1),
		"other staging":  strings.Replace(text, "-W\n", "-V\n", 1),
		"no checkpoint":  text[:strings.Index(text, "\n\n")+2],
		"cut signature":  text[:len(text)-10],
		"two checkpoint": text + string(cp.Raw),
	} {
		if got, err := parseLock([]byte(bad), v); err == nil {
			t.Errorf("%s: parseLock = %+v", name, got)
		}
	}
}

// The error of a store that is down is not a finding about the log.
func TestUnavailable(t *testing.T) {
	p := memory()
	mustAppend(t, mustOpen(t, config(t, p)), leaves("a", 300))
	ctx, cancel := context.WithCancel(t.Context())
	r := NewReader(p, testKey(t, 1).Verifier)
	cp, err := r.Checkpoint(ctx)
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	if _, err := Check(ctx, r, CheckOptions{}); !errors.Is(err, context.Canceled) {
		t.Errorf("Check = %v", err)
	}
	for _, err := range r.Entries(ctx, cp, 0, 10) {
		if !errors.Is(err, context.Canceled) || isCorrupt(err) {
			t.Errorf("Entries = %v", err)
		}
	}
	if _, err := r.CheckpointAt(t.Context(), 17); !errors.Is(err, store.ErrNotExist) {
		t.Errorf("CheckpointAt = %v", err)
	}
}
