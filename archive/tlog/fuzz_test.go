package tlog

import (
	"bytes"
	"testing"

	"filippo.io/torchwood"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// seeded is a log of 300 entries with one cosigned checkpoint, for seeds.
func seeded(f *testing.F) (r *Reader, cp Checkpoint) {
	f.Helper()
	p := memory()
	small(f, mustOpen(f, config(f, p)), 300)
	r = NewReader(p, testKey(f, 1).Verifier)
	cp, err := r.Checkpoint(f.Context())
	if err != nil {
		f.Fatal(err)
	}
	return r, cp
}

// Whatever is accepted is what the key signed: signing text of the same facts
// gives the same bytes, but for further signature lines.
func FuzzCheckpoint(f *testing.F) {
	_, cp := seeded(f)
	f.Add(cp.Raw)
	f.Add(append(bytes.Clone(cp.Raw), "— witness.example AAAAAAAA\n"...))
	f.Add([]byte("log.example/terms\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n\n"))
	key := testKey(f, 1)
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := ParseCheckpoint(data, key.Verifier)
		if err != nil {
			return
		}
		want, err := signCheckpoint(got.Size, got.Root, key.Signer, key.Verifier)
		if err != nil || !bytes.HasPrefix(got.Raw, want.Raw[:bytes.Index(want.Raw, []byte("\n\n"))+2]) {
			t.Errorf("accepted %q, which is not %q (%v)", got.Raw, want.Raw, err)
		}
		if got.Size != cp.Size || got.Root != cp.Root {
			t.Errorf("accepted a state that was never signed: %+v", got)
		}
	})
}

// A proof that is read is written the same again, and verifies for the true
// leaf only.
func FuzzInclusion(f *testing.F) {
	r, cp := seeded(f)
	proof, err := r.InclusionProof(f.Context(), cp, 41)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(proof)
	f.Add(torchwood.FormatProofWithExtraData(0, []byte("extra"), nil, cp.Raw))
	f.Add([]byte("c2sp.org/tlog-proof@v1\nindex 0\n\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		in, err := ParseInclusion(data)
		if err != nil {
			return
		}
		again := torchwood.FormatProof(in.Index, in.Hashes, in.Raw)
		if bytes.Contains(data, []byte("\nextra ")) && in.Extra != nil {
			again = torchwood.FormatProofWithExtraData(in.Index, in.Extra, in.Hashes, in.Raw)
		}
		if !bytes.Equal(again, data) {
			t.Errorf("read %q, written %q", data, again)
		}
		leaf := []byte("entry 41")
		got, err := VerifyInclusion(data, leaf, LogPolicy(r.Verifier()))
		if theirs := torchwood.VerifyProof(LogPolicy(r.Verifier()), tlog.RecordHash(leaf), data); (err == nil) != (theirs == nil) {
			t.Errorf("ours: %v, torchwood: %v", err, theirs)
		}
		if err == nil && got.Index != 41 {
			t.Errorf("entry 41 proven as %d", got.Index)
		}
		if _, err := VerifyInclusion(data, []byte("entry 411"), LogPolicy(r.Verifier())); err == nil {
			t.Error("an entry that is not in the log was proven")
		}
	})
}

func FuzzConsistency(f *testing.F) {
	r, cp := seeded(f)
	for _, old := range []int64{0, 100, 300} {
		proof, err := r.ConsistencyProof(f.Context(), old, cp)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(proof)
	}
	forged := Checkpoint{Origin: cp.Origin, Size: 100, Root: tlog.RecordHash([]byte("another tree"))}
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := ParseConsistency(data)
		if err != nil {
			return
		}
		if again := c.Format(); !bytes.Equal(again, data) {
			t.Errorf("read %q, written %q", data, again)
		}
		if _, err := VerifyConsistency(data, forged, LogPolicy(r.Verifier())); err == nil {
			t.Error("a tree that is not the log's was shown to be continued")
		}
	})
}

// Staging and lock that are read are written the same again.
func FuzzState(f *testing.F) {
	_, cp := seeded(f)
	staged, err := batch{cp: cp, leaves: [][]byte{[]byte("a"), {}}}.encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(staged)
	l := lock{write: "W", place: "here", staging: stagingKey(cp, "W"), moved: "there", cp: cp}
	f.Add(l.encode())
	v := testKey(f, 1).Verifier
	f.Fuzz(func(t *testing.T, data []byte) {
		if l, err := parseLock(data, v); err == nil && !bytes.Equal(l.encode(), data) {
			t.Errorf("lock read %q, written %q", data, l.encode())
		}
		s, err := decodeBatch(data)
		if err != nil {
			return
		}
		again, err := batch{base: Checkpoint{Raw: s.base}, cp: Checkpoint{Raw: s.cp}, leaves: s.leaves}.encode()
		if err != nil {
			t.Fatal(err)
		}
		if got, err := decodeBatch(again); err != nil || !equalLeaves(got.leaves, s.leaves) || !bytes.Equal(got.cp, s.cp) || !bytes.Equal(got.base, s.base) {
			t.Errorf("staging does not survive: %v", err)
		}
	})
}

// A bundle that is cut into entries is made of them; keys never show a secret.
func FuzzBundle(f *testing.F) {
	f.Add(appendEntry(appendEntry(nil, []byte("a")), nil), 2)
	f.Add([]byte{0, 1}, 1)
	f.Fuzz(func(t *testing.T, data []byte, n int) {
		if n < 0 || n > tileWidth {
			return
		}
		entries, raw, err := splitBundle(data, n, true)
		if err != nil {
			return
		}
		var again []byte
		for _, e := range entries {
			again = appendEntry(again, e)
		}
		if len(entries) != n || !bytes.Equal(again, raw) || !bytes.HasPrefix(data, raw) {
			t.Errorf("bundle %x gave %d entries, %x", data, len(entries), again)
		}
	})
}

func FuzzKey(f *testing.F) {
	key := testKey(f, 1)
	f.Add(key.Private)
	f.Add(key.Public)
	f.Fuzz(func(t *testing.T, text string) {
		if v, err := ParseVerifier(text); err == nil {
			if _, ok := v.(interface{ Sign([]byte) ([]byte, error) }); ok {
				t.Error("a public key can sign")
			}
		}
		k, err := ParseKey(text)
		if err != nil {
			return
		}
		signed, err := note.Sign(&note.Note{Text: "x\n"}, k.Signer)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := note.Open(signed, note.VerifierList(k.Verifier)); err != nil {
			t.Errorf("the halves of a key do not fit: %v", err)
		}
		if v, err := ParseVerifier(k.Public); err != nil || v.KeyHash() != k.Signer.KeyHash() {
			t.Errorf("ParseVerifier(%q): %v", k.Public, err)
		}
	})
}
