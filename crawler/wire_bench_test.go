package crawler

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// page80K is a page of 80 KB of words, sent in gzip.
func page80K() string {
	r := rand.New(rand.NewPCG(1, 2))
	words := make([]string, 1500)
	for i := range words {
		words[i] = strconv.FormatUint(r.Uint64N(36*36*36*36*36*36), 36)
	}
	var b strings.Builder
	for b.Len() < 80<<10 {
		if r.IntN(40) == 0 {
			b.WriteString("</p>\n<p class=\"clause\">")
		}
		b.WriteString(words[min(r.IntN(len(words)), r.IntN(len(words)))] + " ")
	}
	gz := compressed("gzip", b.String())
	return "HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nContent-Encoding: gzip\r\nContent-Length: " +
		strconv.Itoa(len(gz)) + "\r\n\r\n" + gz
}

// serveFast answers every request with the same bytes, itself as cheap as can be.
func serveFast(b *testing.B, answer string, keep bool) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { l.Close() })
	out := []byte(answer)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				var in [4096]byte
				for {
					if n, err := c.Read(in[:]); n == 0 || err != nil {
						return
					}
					if _, err := c.Write(out); err != nil || !keep {
						return
					}
				}
			}()
		}
	}()
	return l.Addr().String()
}

// BenchmarkExchange measures one exchange of an 80 KB page in gzip over loopback,
// read, hashed, decoded, hashed again and handed out; the server runs in the
// same process and is part of the figures.
func BenchmarkExchange(b *testing.B) {
	for _, keep := range []bool{false, true} {
		b.Run(fmt.Sprintf("keep=%v", keep), func(b *testing.B) {
			page := page80K()
			url := "http://" + serveFast(b, page, keep) + "/terms"
			w := newTestWire(b, WireConfig{KeepAlive: keep})
			b.SetBytes(int64(len(page)))
			b.ReportAllocs()
			before := cpuTime(b)
			for b.Loop() {
				r := w.Exchange(b.Context(), newRequest(b, "GET", url))
				if r.Err != nil || r.DecodedSHA256.IsZero() {
					b.Fatal(r.Err, r.Detail)
				}
				resp, err := r.Response(10 << 20)
				if err != nil {
					b.Fatal(err)
				}
				if n, err := io.Copy(io.Discard, resp.Body); n < 80<<10 || err != nil {
					b.Fatal(n, err)
				}
				r.Close()
			}
			b.ReportMetric(float64((cpuTime(b)-before).Microseconds())/float64(b.N), "cpu-µs/op")
		})
	}
}

// cpuTime returns the processor time used by this process.
func cpuTime(t testing.TB) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// TestLargeBody takes in a body of FINEPRINT_TEST_LARGE_BODY bytes (for example
// 1073741824) in constant memory. Without the variable 64 MiB do.
func TestLargeBody(t *testing.T) {
	size := int64(64 << 20)
	if v := os.Getenv("FINEPRINT_TEST_LARGE_BODY"); v != "" {
		if _, err := fmt.Sscan(v, &size); err != nil {
			t.Fatal(err)
		}
	}
	chunk := []byte(strings.Repeat("0123456789abcdef", 1<<12))
	s := startSite(t, func(c *siteConn, path string) {
		fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", size)
		for sent := int64(0); sent < size; {
			n, err := c.Write(chunk[:min(int64(len(chunk)), size-sent)])
			if err != nil {
				return
			}
			sent += int64(n)
		}
		c.over = true
	})
	w := newTestWire(t, WireConfig{Timeout: 5 * time.Minute, MaxBody: size})
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	cpu := cpuTime(t)
	r := w.Exchange(t.Context(), newRequest(t, "GET", "http://"+s.plain+"/"))
	defer r.Close()
	runtime.ReadMemStats(&after)
	if r.Err != nil || r.PayloadSize != size {
		t.Fatalf("%d bytes, %v", r.PayloadSize, r.Err)
	}
	allocated := after.TotalAlloc - before.TotalAlloc
	t.Logf("%d bytes: %d bytes allocated in all, %v of processor time, server included", size, allocated, cpuTime(t)-cpu)
	if allocated > 8<<20 {
		t.Errorf("%d bytes allocated for a body of %d", allocated, size)
	}
}
