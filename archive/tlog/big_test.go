package tlog

import (
	"context"
	"fmt"
	"os"
	"testing"

	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"github.com/transparency-dev/tessera/client"
)

// 100,000 entries in batches of 1,000: tessera's fsck and client accept the
// log, transparency-dev/merkle its proofs, and the cost of a batch does not
// grow. In a folder and over S3, where each batch waits for the disk some 30
// times, it is a tenth of that unless FINEPRINT_TEST_LONG is set.
func TestHundredThousand(t *testing.T) {
	batches := 10
	if os.Getenv("FINEPRINT_TEST_LONG") != "" {
		batches = 100
	}
	inMemory := 100
	if raceDetector {
		inMemory = 10
	}
	usual := func(i int) [][]byte { return leaves(fmt.Sprint("batch", i), 1000) }
	t.Run("memory", func(t *testing.T) {
		t.Parallel()
		bigLog(t, memory(), inMemory, func(i int) [][]byte {
			batch := make([][]byte, 1000)
			for j := range batch {
				batch[j] = fmt.Appendf(nil, "entry %d of batch %d", j, i)
			}
			return batch
		})
	})
	t.Run("folder", func(t *testing.T) {
		t.Parallel()
		bigLog(t, folder(t, t.TempDir()), batches, usual)
	})
	t.Run("S3", func(t *testing.T) {
		t.Parallel()
		bigLog(t, bucket(t), batches, usual)
	})
}

func bigLog(t *testing.T, p place, batches int, batch func(i int) [][]byte) {
	t.Helper()
	c := newCounter(p)
	l := mustOpen(t, config(t, c.at()))
	var early, late int64
	olds := []int64{0}
	for i := range batches {
		c.reset()
		_, cp := mustAppend(t, l, batch(i))
		switch {
		case i > 0 && i <= 4:
			early += c.bytes.Load()
		case i >= batches-4:
			late += c.bytes.Load()
		}
		if writes := c.writes.Load(); writes > 18 {
			t.Errorf("batch %d made %d writes", i, writes)
		}
		if reads := c.reads.Load(); reads > 2 {
			t.Errorf("batch %d made %d reads", i, reads)
		}
		if i%17 == 0 {
			olds = append(olds, cp.Size)
		}
	}
	if float64(late) > 1.2*float64(early) {
		t.Errorf("four batches wrote %d bytes at first and %d at last", early, late)
	}
	cp := checkAll(t, p, nil)
	if cp.Size != int64(batches)*1000 {
		t.Fatalf("log has %d entries", cp.Size)
	}
	checkProofs(t, p, cp, []int64{0, 1, 255, 256, cp.Size / 3, cp.Size - 257, cp.Size - 1}, append(olds, cp.Size))
	checkClient(t, p)
}

// checkClient lets tessera's client follow the log: it fetches the checkpoint
// and proves consistency between states by itself.
func checkClient(t *testing.T, p place) {
	t.Helper()
	ctx := context.Background()
	v := testKey(t, 1).Verifier
	f := fetcher{p.Store}
	cp, _, _, err := client.FetchCheckpoint(ctx, f.ReadCheckpoint, v, v.Name())
	if err != nil {
		t.Fatal(err)
	}
	builder, err := client.NewProofBuilder(ctx, cp.Size, f.ReadTile)
	if err != nil {
		t.Fatal(err)
	}
	r := NewReader(p, v)
	for kept, err := range r.Checkpoints(ctx) {
		if err != nil {
			t.Fatal(err)
		}
		if kept.Size == 0 || kept.Size%7000 != 0 {
			continue
		}
		hashes, err := builder.ConsistencyProof(ctx, uint64(kept.Size), cp.Size)
		if err != nil {
			t.Fatal(err)
		}
		if err := proof.VerifyConsistency(rfc6962.DefaultHasher, uint64(kept.Size), cp.Size, hashes, kept.Root[:], cp.Hash); err != nil {
			t.Errorf("tessera's consistency proof %d to %d: %v", kept.Size, cp.Size, err)
		}
	}
	n := int64(0)
	getSize := func(context.Context) (uint64, error) { return cp.Size, nil }
	for b, err := range client.EntryBundles(ctx, 2, getSize, f.ReadEntryBundle, 0, cp.Size) {
		if err != nil {
			t.Fatal(err)
		}
		hashes, err := hashBundle(b.Data)
		if err != nil {
			t.Fatal(err)
		}
		n += int64(len(hashes))
	}
	if n != int64(cp.Size) {
		t.Errorf("tessera's client read %d entries of %d", n, cp.Size)
	}
}
