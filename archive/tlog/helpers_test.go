package tlog

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"iter"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fineprint-archive/fineprint/archive/store"
	"github.com/fineprint-archive/fineprint/archive/store/s3"
	"github.com/fineprint-archive/fineprint/archive/store/storetest/s3server"
	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"github.com/transparency-dev/tessera/api"
	"github.com/transparency-dev/tessera/client"
	"github.com/transparency-dev/tessera/fsck"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

func TestMain(m *testing.M) {
	childMain()
	os.Exit(m.Run())
}

const testPlace = "test place"

// place is a store with its mutable objects.
type place struct {
	store.Store
	mutable store.Mutable
}

func memory() place {
	m := store.NewMemory()
	return place{m, m.Mutable()}
}

func folder(t testing.TB, path string) place {
	t.Helper()
	d, err := store.OpenDir(path)
	if err != nil {
		t.Fatal(err)
	}
	return place{d, d.Mutable()}
}

func bucket(t testing.TB) place {
	t.Helper()
	srv := s3server.Start(t, s3server.Options{})
	b, err := s3.Open(t.Context(), s3.Config{
		Bucket: srv.Bucket, Endpoint: srv.Endpoint, Region: srv.Region, Prefix: "p",
		Credentials: srv.Credentials(), Timeout: 20 * time.Second, RetryDelay: time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	return place{b, b.Mutable()}
}

// testKey returns a key that is the same for each seed.
func testKey(t testing.TB, seed byte) Key {
	t.Helper()
	key, err := GenerateKey(bytes.NewReader(bytes.Repeat([]byte{seed}, 64)), "log.example/terms")
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func config(t testing.TB, p place) Config {
	key := testKey(t, 1)
	return Config{Store: p.Store, Mutable: p.mutable, Signer: key.Signer, Verifier: key.Verifier, Place: testPlace}
}

func mustOpen(t testing.TB, cfg Config) *Log {
	t.Helper()
	l, err := Open(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func mustAppend(t testing.TB, l *Log, leaves [][]byte) (int64, Checkpoint) {
	t.Helper()
	first, cp, err := l.Append(context.Background(), leaves)
	if err != nil {
		t.Fatal(err)
	}
	return first, cp
}

// leaves returns n entries of about 700 bytes, as long as those of fineprint.
// tag keeps those of two batches apart.
func leaves(tag string, n int) [][]byte {
	pad := make([]byte, 330)
	out := make([][]byte, n)
	for i := range out {
		if _, err := io.ReadFull(rand.Reader, pad); err != nil {
			panic(err)
		}
		out[i] = fmt.Appendf(nil, `{"id":"%s-%d","pad":"%x"}`, tag, i, pad)
	}
	return out
}

// checkAll verifies every invariant of a log at rest: our own check finds
// nothing, tessera's fsck agrees, and the entries are want (nil: any). It
// returns the newest checkpoint.
func checkAll(t testing.TB, s store.Store, want [][]byte) Checkpoint {
	t.Helper()
	r := NewReader(s, testKey(t, 1).Verifier)
	var got [][]byte
	report, err := Check(context.Background(), r, CheckOptions{Partial: true, Visit: func(e Entry) error {
		if e.Index != int64(len(got)) {
			return fmt.Errorf("entry %d where %d was due", e.Index, len(got))
		}
		got = append(got, e.Data)
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range report.Findings {
		t.Error(f)
	}
	if want != nil && !equalLeaves(got, want) {
		t.Fatalf("log has %d entries that are not the %d appended", len(got), len(want))
	}
	if report.Entries != report.Checkpoint.Size {
		t.Fatalf("checked %d entries of %d", report.Entries, report.Checkpoint.Size)
	}
	checkFsck(t, s)
	return report.Checkpoint
}

func equalLeaves(a, b [][]byte) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if !bytes.Equal(a[i], b[i]) {
			return false
		}
	}
	return true
}

// checkFsck asks tessera's fsck.
func checkFsck(t testing.TB, s store.Store) {
	t.Helper()
	v := testKey(t, 1).Verifier
	err := fsck.New(v.Name(), v, fetcher{s}, hashBundle, fsck.Opts{N: 2}).Check(context.Background())
	if err != nil {
		t.Fatalf("tessera fsck: %v", err)
	}
}

func hashBundle(raw []byte) ([][]byte, error) {
	var b api.EntryBundle
	if err := b.UnmarshalText(raw); err != nil {
		return nil, err
	}
	hashes := make([][]byte, len(b.Entries))
	for i, e := range b.Entries {
		hashes[i] = rfc6962.DefaultHasher.HashLeaf(e)
	}
	return hashes, nil
}

// fetcher serves the objects to tessera exactly as they are; partial tiles
// that are missing are looked for as full ones, as its contract wants.
type fetcher struct{ s store.Store }

func (f fetcher) get(ctx context.Context, key string) ([]byte, error) {
	body, err := f.s.Get(ctx, key, 0, -1)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", os.ErrNotExist, err)
	}
	defer body.Close()
	return io.ReadAll(body)
}

func (f fetcher) ReadCheckpoint(ctx context.Context) ([]byte, error) {
	return f.get(ctx, "log/checkpoint")
}

func (f fetcher) ReadTile(ctx context.Context, l, i uint64, p uint8) ([]byte, error) {
	return f.get(ctx, tileKey(int(l), int64(i), tesseraWidth(p)))
}

func (f fetcher) ReadEntryBundle(ctx context.Context, i uint64, p uint8) ([]byte, error) {
	return f.get(ctx, tileKey(-1, int64(i), tesseraWidth(p)))
}

func tesseraWidth(p uint8) int {
	if p == 0 {
		return tileWidth
	}
	return int(p)
}

// checkProofs lets others judge proofs at cp: transparency-dev/merkle those of
// ours, and ours those of tessera's client.
func checkProofs(t testing.TB, s store.Store, cp Checkpoint, indexes, olds []int64) {
	t.Helper()
	ctx := context.Background()
	v := testKey(t, 1).Verifier
	r := NewReader(s, v)
	builder, err := client.NewProofBuilder(ctx, uint64(cp.Size), fetcher{s}.ReadTile)
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range indexes {
		leaf, err := r.Entry(ctx, cp, i)
		if err != nil {
			t.Fatal(err)
		}
		text, err := r.InclusionProof(ctx, cp, i)
		if err != nil {
			t.Fatal(err)
		}
		got, err := VerifyInclusion(text, leaf, LogPolicy(v))
		if err != nil || got.Index != i || got.Checkpoint.Size != cp.Size {
			t.Fatalf("VerifyInclusion(%d) = %d in %d, %v", i, got.Index, got.Checkpoint.Size, err)
		}
		in, err := ParseInclusion(text)
		if err != nil {
			t.Fatal(err)
		}
		if err := proof.VerifyInclusion(rfc6962.DefaultHasher, uint64(i), uint64(cp.Size), rfc6962.DefaultHasher.HashLeaf(leaf), slicesOf(in.Hashes), cp.Root[:]); err != nil {
			t.Fatalf("merkle: inclusion of %d in %d: %v", i, cp.Size, err)
		}
		theirs, err := builder.InclusionProof(ctx, uint64(i))
		if err != nil {
			t.Fatal(err)
		}
		if !equalLeaves(theirs, slicesOf(in.Hashes)) {
			t.Fatalf("tessera's proof of %d in %d differs from ours", i, cp.Size)
		}
	}
	for _, n := range olds {
		old, err := r.CheckpointAt(ctx, n)
		if err != nil {
			t.Fatal(err)
		}
		text, err := r.ConsistencyProof(ctx, n, cp)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := VerifyConsistency(text, old, LogPolicy(v)); err != nil || got.Root != cp.Root {
			t.Fatalf("VerifyConsistency(%d, %d): %v", n, cp.Size, err)
		}
		c, err := ParseConsistency(text)
		if err != nil {
			t.Fatal(err)
		}
		if err := proof.VerifyConsistency(rfc6962.DefaultHasher, uint64(n), uint64(cp.Size), slicesOf(c.Hashes), old.Root[:], cp.Root[:]); err != nil {
			t.Fatalf("merkle: consistency of %d and %d: %v", n, cp.Size, err)
		}
	}
}

func slicesOf(hashes []tlog.Hash) [][]byte {
	out := make([][]byte, len(hashes))
	for i, h := range hashes {
		out[i] = h[:]
	}
	return out
}

// counter counts what goes through a store.
type counter struct {
	place
	reads, writes, bytes atomic.Int64
}

func newCounter(p place) *counter { return &counter{place: p} }

func (c *counter) at() place { return place{c, countedMutable{c}} }

func (c *counter) reset() { c.reads.Store(0); c.writes.Store(0); c.bytes.Store(0) }

func (c *counter) Put(ctx context.Context, key string, r io.ReadSeeker, size int64, sum string, opt store.PutOptions) error {
	c.writes.Add(1)
	c.bytes.Add(size)
	return c.Store.Put(ctx, key, r, size, sum, opt)
}

func (c *counter) Get(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	c.reads.Add(1)
	return c.Store.Get(ctx, key, offset, length)
}

func (c *counter) List(ctx context.Context, prefix, after string) iter.Seq2[store.Info, error] {
	c.reads.Add(1)
	return c.Store.List(ctx, prefix, after)
}

type countedMutable struct{ c *counter }

func (m countedMutable) Get(ctx context.Context, key string) ([]byte, string, error) {
	m.c.reads.Add(1)
	return m.c.mutable.Get(ctx, key)
}

func (m countedMutable) PutIfMatch(ctx context.Context, key string, data []byte, tag string) (string, error) {
	m.c.writes.Add(1)
	m.c.bytes.Add(int64(len(data)))
	return m.c.mutable.PutIfMatch(ctx, key, data, tag)
}

func (m countedMutable) Delete(ctx context.Context, key, tag string) error {
	m.c.writes.Add(1)
	return m.c.mutable.Delete(ctx, key, tag)
}

// signatureLine writes a signature of c2sp.org/signed-note.
func signatureLine(s note.Signer, sig []byte) []byte {
	b := binary.BigEndian.AppendUint32(nil, s.KeyHash())
	return fmt.Appendf(nil, "— %s %s\n", s.Name(), base64.StdEncoding.EncodeToString(append(b, sig...)))
}
