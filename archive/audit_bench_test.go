package archive_test

import (
	"fmt"
	"math/rand/v2"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fineprint-archive/fineprint/archive"
	"github.com/fineprint-archive/fineprint/crawler/declaration"
)

// BenchmarkAudit compares an audit with `gunzip -c | sha256sum` over the same
// WARCs, one pipeline for each, in turns: "ratio" is how many times as fast the
// audit is.
func BenchmarkAudit(b *testing.B) {
	for _, tc := range []struct {
		name        string
		looks, size int
		changed     bool
	}{
		{"pages of 60 kB", 200, 60_000, true},
		{"unchanged pages", 1000, 60_000, false},
	} {
		b.Run(tc.name, func(b *testing.B) {
			for _, tool := range []string{"gunzip", "sha256sum"} {
				if _, err := exec.LookPath(tool); err != nil {
					b.Skip(err)
				}
			}
			words := strings.Fields("the parties agree that any notice under these terms shall be given in writing by us or to you")
			page := func(seed int) string {
				var text strings.Builder
				r := rand.New(rand.NewPCG(uint64(seed), 1))
				for text.Len() < tc.size {
					fmt.Fprintf(&text, "<p>%s %s %x ", words[r.IntN(len(words))], words[r.IntN(len(words))], r.Uint32())
				}
				return text.String()
			}
			a := makeAudited(b, 4, func(a *audited, arch *archive.Archive, set *declaration.Set, run int) {
				for i := range tc.looks {
					seed := 0
					if tc.changed {
						seed = run*tc.looks + i
					}
					s := set.Sources[i%2]
					a.capture(b, arch, s, set.Canonical(s.ID), page(seed))
				}
			})
			var ours, theirs, ourCPU, theirCPU time.Duration
			for b.Loop() {
				began, used := time.Now(), cpu(b)
				r, found := a.audit(b, nil)
				ours, ourCPU = ours+time.Since(began), ourCPU+cpu(b)-used
				if len(found) > 0 {
					b.Fatal(found)
				}
				b.SetBytes(r.Bytes)
				began = time.Now()
				for _, key := range a.warcs {
					cmd := exec.CommandContext(b.Context(), "sh", "-c", `gunzip -c "$0" | sha256sum`, a.path(key))
					must(b, cmd.Run())
					theirCPU += cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
				}
				theirs += time.Since(began)
			}
			b.ReportMetric(theirs.Seconds()/ours.Seconds(), "ratio")
			b.ReportMetric(theirCPU.Seconds()/ourCPU.Seconds(), "cpu-ratio")
			b.ReportMetric(ourCPU.Seconds()/float64(b.N*4*tc.looks)*1e6, "cpu-µs/look")
			b.ReportMetric(theirCPU.Seconds()/float64(b.N*4*tc.looks)*1e6, "gunzip-cpu-µs/look")
		})
	}
}

// cpu returns the time that this process has used on all cores.
func cpu(t testing.TB) time.Duration {
	t.Helper()
	var u syscall.Rusage
	must(t, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
