package anchor

import (
	"bytes"
	"testing"
	"time"

	"filippo.io/torchwood"
	"golang.org/x/mod/sumdb/note"
)

// FuzzAddCheckpoint: what the parser takes is written back byte for byte.
func FuzzAddCheckpoint(f *testing.F) {
	l := newSeededLog(f, make([]byte, 32)).grow(0, 20)
	f.Add(l.request(0, 10))
	f.Add(l.request(7, 20))
	f.Add([]byte("old 0\n\n"))
	f.Add([]byte("old 9223372036854775808\n\nx\n"))
	f.Add([]byte("old 1\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\na\n\nb\n"))
	f.Fuzz(func(t *testing.T, body []byte) {
		a, err := parseAddCheckpoint(body)
		if err != nil {
			return
		}
		if got := a.bytes(); !bytes.Equal(got, body) {
			t.Errorf("request %q is written as %q", body, got)
		}
		if len(a.proof) > maxProofLines || a.old < 0 {
			t.Errorf("request %q exceeds the limits", body)
		}
	})
}

// FuzzWitness: whatever is sent, the witness cosigns nothing that its log did
// not sign, and never goes back.
func FuzzWitness(f *testing.F) {
	l := newSeededLog(f, make([]byte, 32)).grow(0, 40)
	skey, _, err := NewWitnessKey(bytes.NewReader(make([]byte, 32)), "witness.example/w1")
	if err != nil {
		f.Fatal(err)
	}
	w, err := NewWitness(WitnessConfig{Key: skey, Dir: f.TempDir(), Logs: []WitnessLog{{VKey: l.vkey}}})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { w.Close() })
	if _, no := w.add(l.request(0, 20)); no != nil {
		f.Fatal(no.reason)
	}
	roots := map[int64]string{}
	for n := range int64(41) {
		text, _, err := splitCheckpoint(l.checkpoint(n))
		if err != nil {
			f.Fatal(err)
		}
		roots[n] = text
	}
	f.Add(l.request(20, 30))
	f.Add(l.request(20, 20))
	f.Add(l.fork().grow(0, 41, 3).request(20, 30))
	f.Fuzz(func(t *testing.T, body []byte) {
		before := w.logs[testOrigin].last.checkpoint.N
		line, no := w.add(body)
		after := w.logs[testOrigin].last.checkpoint
		if after.N < before || (line != "") != (no == nil) {
			t.Fatalf("request %q: size %d after %d, line %q, %+v", body, after.N, before, line, no)
		}
		if roots[after.N] != after.String() {
			t.Fatalf("request %q: cosigned a tree that is not the log's", body)
		}
	})
}

// FuzzCosignatureLines: any lines give the verdict that the note package and
// torchwood give, and a valid line among garbage is found.
func FuzzCosignatureLines(f *testing.F) {
	l := newSeededLog(f, make([]byte, 32)).grow(0, 20)
	k := newPolicyKeys(f)
	policy := mustPolicy(f, k.text(l, "log LOG\nwitness a A \nquorum a\n"))
	checkpoint := l.checkpoint(20)
	text, _, err := splitCheckpoint(checkpoint)
	if err != nil {
		f.Fatal(err)
	}
	good := k.cosigner[0].line(text, time.Unix(1000, 0))
	f.Add([]byte(good))
	f.Add([]byte(k.cosigner[1].line(text, time.Unix(1000, 0))))
	f.Add([]byte("— a.example/w AAAAAAAA\n"))
	f.Add([]byte("— \n\n— x"))
	f.Fuzz(func(t *testing.T, lines []byte) {
		r, err := VerifyCosignatures(checkpoint, lines, policy)
		if err != nil {
			return
		}
		signed := append(bytes.Clone(checkpoint), lines...)
		_, _, theirs := torchwood.VerifyCheckpoint(signed, policy)
		// note.Open gives up at one wrong line, and knows no zero times.
		if theirs == nil && !r.OK() && !r.Witnesses[0].Invalid {
			t.Errorf("lines %q: refused, torchwood accepts", lines)
		}
		if r.OK() && theirs != nil {
			if n, err := note.Open(signed, policy); err == nil {
				t.Errorf("lines %q: accepted, torchwood says %v about %v", lines, theirs, n.Sigs)
			}
		}
		more, err := VerifyCosignatures(checkpoint, append([]byte(good), lines...), policy)
		if err == nil && !more.OK() {
			t.Errorf("lines %q hide a good one", lines)
		}
	})
}

// FuzzParsePolicy: no policy makes the checks panic, and what torchwood and the
// specification both allow is never read as asking for less.
func FuzzParsePolicy(f *testing.F) {
	l := newSeededLog(f, make([]byte, 32)).grow(0, 3)
	k := newPolicyKeys(f)
	f.Add([]byte(k.text(l, groupsPolicy)))
	f.Add([]byte("quorum none\n"))
	checkpoint := l.checkpoint(3)
	text, _, err := splitCheckpoint(checkpoint)
	if err != nil {
		f.Fatal(err)
	}
	line := k.cosigner[0].line(text, time.Unix(1000, 0))
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := ParsePolicy(data)
		if err != nil {
			return
		}
		r, err := VerifyCosignatures(checkpoint, []byte(line), p)
		if err != nil {
			t.Fatal(err)
		}
		theirs, err := torchwood.ParsePolicy(data)
		if err != nil {
			return
		}
		_, _, err = torchwood.VerifyCheckpoint(append(bytes.Clone(checkpoint), line...), theirs)
		if r.OK() && err != nil && len(p.logs) == 1 {
			t.Errorf("policy %q: accepted, torchwood says %v", data, err)
		}
	})
}
