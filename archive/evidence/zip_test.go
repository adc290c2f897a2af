package evidence

import (
	"bytes"
	"maps"
	"slices"
	"testing"
)

// FuzzZIP: whatever the bytes are, what openBundle takes is safe to unpack and no
// larger than the file.
func FuzzZIP(f *testing.F) {
	f.Add(pack(f, files{nameLeaf: []byte("{}"), "anchors/one.tsr": []byte("x")}))
	f.Add(readVectors(f)["zip-double.evidence.zip"][:400])
	f.Fuzz(func(t *testing.T, data []byte) {
		b, err := openBundle(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			return
		}
		total := uint64(0)
		for name, file := range b.files {
			total += file.UncompressedSize64
			if !fileName(name) {
				t.Errorf("openBundle took the name %q", name)
			}
			if _, err := b.read(name); err == nil && file.UncompressedSize64 > maxSmall {
				t.Errorf("%s: %d bytes were read", name, file.UncompressedSize64)
			}
		}
		if total > uint64(len(data)) {
			t.Errorf("%d bytes hold %d", len(data), total)
		}
	})
}

// FuzzBundle puts bytes anywhere into one file of a bundle and computes SHA256SUMS
// anew, as a forger would: Verify ends, and never finds all true with another leaf,
// nor anything else about the look.
func FuzzBundle(f *testing.F) {
	const receipt = "wayback/1.receipt.json"
	seed := take(f, readVectors(f)["observed-different.evidence.zip"])
	delete(seed, nameSums)
	names := sortedKeys(seed)
	trust := vector{Policy: "log.vkey"}.policy(f)
	want := verify(f, pack(f, seed), trust)
	for i := range names {
		f.Add(uint8(i), uint16(100), []byte("A"), uint8(1))
		f.Add(uint8(i), uint16(0), []byte{}, uint8(9))
	}
	f.Fuzz(func(t *testing.T, which uint8, at uint16, put []byte, over uint8) {
		all := maps.Clone(seed)
		name := names[int(which)%len(names)]
		old := all[name]
		from := min(int(at), len(old))
		all[name] = slices.Concat(old[:from], put, old[min(from+int(over), len(old)):])
		r := verify(t, pack(t, all), trust)
		if r.ExitCode() != 0 {
			return
		}
		if !bytes.Equal(all[nameLeaf], seed[nameLeaf]) || !r.Look.Equal(want.Look) || r.Verdict("records") != OK || r.Verdict("log") != OK ||
			r.Verdict(observer) != OK || !bytes.Equal(all[receipt], seed[receipt]) {
			t.Errorf("%s was changed at %d and all is true:\n%s", name, from, text(r))
		}
	})
}

func FuzzSums(f *testing.F) {
	f.Add([]byte(sum("a").Hex() + "  a\n" + sum("b").Hex() + "  b/c\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := parseSums(data)
		if err == nil && len(s.names) != len(s.sum) {
			t.Errorf("parseSums(%q): %d names, %d digests", data, len(s.names), len(s.sum))
		}
	})
}

func TestFileName(t *testing.T) {
	for name, want := range map[string]bool{
		"leaf.json": true, "tls/anchors/one.tsr": true, "SHA256SUMS": true, "a/b/c/d": true,
		"": false, ".": false, "..": false, "/a": false, "a/": false, "a//b": false, "a/../b": false, ".hidden": false, "a/.b": false,
		`a\b`: false, "c:a": false, "a b": false, "a\x00": false, "é": false, "a/b/c/d/e": false, "-rf": false,
	} {
		if got := fileName(name); got != want {
			t.Errorf("fileName(%q) = %t, want %t", name, got, want)
		}
	}
}
