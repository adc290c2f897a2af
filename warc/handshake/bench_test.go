package handshake

import "testing"

// BenchmarkBuild measures what a proof costs beside its handshake: opening the
// recorded flight, packing, and verifying the result.
func BenchmarkBuild(b *testing.B) {
	for _, v := range vectors(b) {
		b.Run(v.Name, func(b *testing.B) {
			r := v.recording()
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := Build(r); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(len(v.Proof)), "proof-bytes")
		})
	}
}

// BenchmarkVerify measures the check of a proof without the path to a root.
func BenchmarkVerify(b *testing.B) {
	for _, v := range vectors(b) {
		b.Run(v.Name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Verify(v.Proof, v.Chain, VerifyOptions{Host: v.Host}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
