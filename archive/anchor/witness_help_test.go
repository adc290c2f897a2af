package anchor

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"

	"filippo.io/torchwood"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const testOrigin = "fineprint.example/log"

// testLog is a whole log in memory.
type testLog struct {
	t      testing.TB
	signer note.Signer
	vkey   string
	hashes []tlog.Hash // stored hashes
	size   int64
}

func newTestLog(t testing.TB) *testLog {
	t.Helper()
	seed := make([]byte, ed25519.SeedSize)
	if _, err := rand.Read(seed); err != nil {
		t.Fatal(err)
	}
	return newSeededLog(t, seed)
}

// newSeededLog has the same key in every process, as fuzzing needs it: inputs
// made by one are run by others.
func newSeededLog(t testing.TB, seed []byte) *testLog {
	t.Helper()
	key := ed25519.NewKeyFromSeed(seed)
	vkey, err := note.NewEd25519VerifierKey(testOrigin, key.Public().(ed25519.PublicKey))
	if err != nil {
		t.Fatal(err)
	}
	skey := fmt.Sprintf("PRIVATE+KEY+%s+%08x+%s", testOrigin, keyID(testOrigin, algEd25519, key),
		base64.StdEncoding.EncodeToString(append([]byte{algEd25519}, seed...)))
	signer, err := note.NewSigner(skey)
	if err != nil {
		t.Fatal(err)
	}
	return &testLog{t: t, signer: signer, vkey: vkey}
}

// ReadHashes makes testLog a tlog.HashReader.
func (l *testLog) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	var out []tlog.Hash
	for _, i := range indexes {
		if i >= int64(len(l.hashes)) {
			return nil, fmt.Errorf("no hash %d", i)
		}
		out = append(out, l.hashes[i])
	}
	return out, nil
}

// grow appends entries "entry FROM" to "entry TO-1" that are not in skip.
func (l *testLog) grow(from, to int, skip ...int) *testLog {
	l.t.Helper()
	for i := from; i < to; i++ {
		if slices.Contains(skip, i) {
			continue
		}
		hashes, err := tlog.StoredHashes(l.size, fmt.Appendf(nil, "entry %d", i), l)
		if err != nil {
			l.t.Fatal(err)
		}
		l.hashes = append(l.hashes, hashes...)
		l.size++
	}
	return l
}

// fork is another log with the same key and no entries.
func (l *testLog) fork() *testLog {
	return &testLog{t: l.t, signer: l.signer, vkey: l.vkey}
}

// checkpoint signs the tree of a size.
func (l *testLog) checkpoint(size int64) []byte {
	l.t.Helper()
	root, err := tlog.TreeHash(size, l)
	if err != nil {
		l.t.Fatal(err)
	}
	c := torchwood.Checkpoint{Origin: testOrigin, Tree: tlog.Tree{N: size, Hash: root}}
	signed, err := note.Sign(&note.Note{Text: c.String()}, l.signer)
	if err != nil {
		l.t.Fatal(err)
	}
	return signed
}

// proof is the consistency function of the tree of a size.
func (l *testLog) proof(size int64) ConsistencyFunc {
	return func(_ context.Context, old int64) (tlog.TreeProof, error) { return tlog.ProveTree(size, old, l) }
}

// request is an add-checkpoint body.
func (l *testLog) request(old, size int64) []byte {
	l.t.Helper()
	a := addCheckpoint{old: old, checkpoint: l.checkpoint(size)}
	if old > 0 && old < size {
		var err error
		if a.proof, err = tlog.ProveTree(size, old, l); err != nil {
			l.t.Fatal(err)
		}
	}
	return a.bytes()
}

// testWitness is a running witness of ours.
type testWitness struct {
	WitnessEndpoint
	own    *Witness
	skey   string
	server *httptest.Server
}

func newTestWitness(t *testing.T, name string, change func(*WitnessConfig), logs ...WitnessLog) *testWitness {
	t.Helper()
	skey, vkey, err := NewWitnessKey(rand.Reader, name)
	if err != nil {
		t.Fatal(err)
	}
	cfg := WitnessConfig{Key: skey, Dir: t.TempDir(), Logs: logs}
	if change != nil {
		change(&cfg)
	}
	w, err := NewWitness(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	if w.VKey() != vkey {
		t.Fatalf("VKey() = %s, want %s", w.VKey(), vkey)
	}
	server := httptest.NewServer(w)
	t.Cleanup(server.Close)
	return &testWitness{own: w, WitnessEndpoint: WitnessEndpoint{Name: "w", VKey: vkey, URL: server.URL}, skey: skey, server: server}
}

// post sends a raw add-checkpoint request and returns status and body.
func post(t *testing.T, url string, body []byte) (int, string, http.Header) {
	t.Helper()
	resp, err := http.Post(url+"/add-checkpoint", "text/plain", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var b bytes.Buffer
	if _, err := b.ReadFrom(resp.Body); err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, b.String(), resp.Header
}

func mustPolicy(t testing.TB, text string) *Policy {
	t.Helper()
	p, err := ParsePolicy([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return p
}
