package tlog

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"testing"
)

// sizes of the logs that benchmarks work on; FINEPRINT_BENCH_LOG=1000000 adds
// one.
func benchSizes(b *testing.B) []int {
	sizes := []int{1_000, 100_000}
	if s := os.Getenv("FINEPRINT_BENCH_LOG"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil {
			b.Fatal(err)
		}
		sizes = append(sizes, n)
	}
	return sizes
}

// benchLog makes a log of n entries of 700 bytes.
func benchLog(b *testing.B, p place, n int) *Log {
	b.Helper()
	l := mustOpen(b, config(b, p))
	for done := 0; done < n; {
		step := min(n-done, 50_000)
		mustAppend(b, l, benchLeaves(done, step))
		done += step
	}
	return l
}

func benchLeaves(from, n int) [][]byte {
	out := make([][]byte, n)
	for i := range out {
		out[i] = fmt.Appendf(nil, `{"id":%d,"pad":"%x"}`, from+i, bytes.Repeat([]byte{byte(i), byte(from + i>>8)}, 170))
	}
	return out
}

// BenchmarkAppend appends batches of 1,000 entries of about 700 bytes to logs
// of several sizes in a folder, and counts what goes to the store.
func BenchmarkAppend(b *testing.B) {
	for _, size := range benchSizes(b) {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			c := newCounter(folder(b, b.TempDir()))
			benchLog(b, c.at(), size)
			l := mustOpen(b, config(b, c.at()))
			mustAppend(b, l, benchLeaves(0, 1))
			batch := leaves("batch", 1000)
			c.reset()
			n := 0
			for b.Loop() {
				mustAppend(b, l, batch)
				n++
			}
			b.ReportMetric(float64(c.bytes.Load())/float64(n), "stored-bytes/batch")
			b.ReportMetric(float64(c.writes.Load())/float64(n), "writes/batch")
			b.ReportMetric(float64(c.reads.Load())/float64(n), "reads/batch")
		})
	}
}

// BenchmarkOpen opens a log for writing.
func BenchmarkOpen(b *testing.B) {
	for _, size := range benchSizes(b) {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			c := newCounter(folder(b, b.TempDir()))
			benchLog(b, c.at(), size)
			c.reset()
			n := 0
			for b.Loop() {
				mustOpen(b, config(b, c.at()))
				n++
			}
			b.ReportMetric(float64(c.reads.Load())/float64(n), "reads/op")
		})
	}
}

// BenchmarkProof makes inclusion proofs: cold with a new reader each, warm with
// tiles cached.
func BenchmarkProof(b *testing.B) {
	for _, size := range benchSizes(b) {
		p := folder(b, b.TempDir())
		cp := benchLog(b, p, size).Checkpoint()
		v := testKey(b, 1).Verifier
		prove := func(b *testing.B, r *Reader, i int64) {
			text, err := r.InclusionProof(b.Context(), cp, i)
			if err != nil || len(text) == 0 {
				b.Fatal(err)
			}
		}
		b.Run(fmt.Sprintf("%d/cold", size), func(b *testing.B) {
			i := int64(0)
			for b.Loop() {
				prove(b, NewReader(p, v), i)
				i = (i + 7919) % cp.Size
			}
		})
		b.Run(fmt.Sprintf("%d/warm", size), func(b *testing.B) {
			r, i := NewReader(p, v), int64(0)
			for b.Loop() {
				prove(b, r, i)
				i = (i + 7919) % min(cp.Size, 100_000)
			}
		})
	}
}

// BenchmarkCheck verifies a whole log; bytes are those of its entries.
func BenchmarkCheck(b *testing.B) {
	for _, size := range benchSizes(b) {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			p := folder(b, b.TempDir())
			benchLog(b, p, size)
			r := NewReader(p, testKey(b, 1).Verifier)
			for b.Loop() {
				report, err := Check(b.Context(), r, CheckOptions{})
				if err != nil || len(report.Findings) > 0 {
					b.Fatal(report.Findings, err)
				}
				b.SetBytes(report.Bytes)
			}
		})
	}
}
