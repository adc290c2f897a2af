package anchor

import (
	"bytes"
	"encoding/asn1"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// storedToken is a token of testdata/tsa, whose README tells its origin.
type storedToken struct {
	name, time, serial string
	revocation         []RevocationState

	tsr, data, evidence, pem []byte
}

func storedTokens(t testing.TB) []storedToken {
	t.Helper()
	all := []storedToken{
		{name: "one", time: "2020-03-01T12:00:00Z", serial: "654df3b45fda6362", revocation: []RevocationState{RevocationGood, RevocationGood}},
		{name: "openssl", time: "2026-11-22T14:33:33Z", serial: "a18", revocation: []RevocationState{RevocationUnknown}},
	}
	read := func(name string) []byte {
		data, err := os.ReadFile(filepath.Join("testdata", "tsa", name))
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	for i := range all {
		s := &all[i]
		s.tsr, s.evidence, s.pem, s.data = read(s.name+".tsr"), read(s.name+".pem"), read(s.name+".roots.pem"), read("checkpoint")
	}
	return all
}

// TestStoredTokens reads what was stored once: for ever, whatever has expired.
func TestStoredTokens(t *testing.T) {
	t.Parallel()
	for _, s := range storedTokens(t) {
		info, err := VerifyToken(s.tsr, s.data, s.evidence, mustRoots(t, s.pem))
		if err != nil {
			t.Errorf("%s: %v", s.name, err)
			continue
		}
		if got := info.Time.Format(time.RFC3339); got != s.time || info.Serial != s.serial {
			t.Errorf("%s: states %s, serial %s, want %s, %s", s.name, got, info.Serial, s.time, s.serial)
		}
		for i, want := range s.revocation {
			if got := info.Revocation[i].State; got != want {
				t.Errorf("%s: revocation of %s is %s, want %s", s.name, info.Revocation[i].Subject, got, want)
			}
		}
		if err := opensslVerify(t, s.pem, s.tsr, s.data, attime(info.Time)...); err != nil {
			t.Errorf("%s: %v", s.name, err)
		}
	}
}

// TestCheckInfo covers statements that no sane authority signs, and that the
// libraries would pass on.
func TestCheckInfo(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		change func(*tstInfo)
		words  string
	}{
		{"sound", func(*tstInfo) {}, ""},
		{"version", func(i *tstInfo) { i.Version = 2 }, "version 2"},
		{"SHA-1", func(i *tstInfo) { i.Imprint.Hash.Algorithm = asn1.ObjectIdentifier{1, 3, 14, 3, 2, 26} }, "imprint by 1.3.14"},
		{"year 1, which means now to crypto/x509", func(i *tstInfo) { i.Time = time.Time{} }, "year 1"},
		{"far future", func(i *tstInfo) { i.Time = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC) }, "year 9999"},
		{"negative accuracy", func(i *tstInfo) { i.Accuracy.Seconds = -1 }, "accuracy"},
		{"accuracy that overflows", func(i *tstInfo) { i.Accuracy.Seconds = 1 << 62 }, "accuracy"},
		{"milliseconds", func(i *tstInfo) { i.Accuracy.Millis = 1000 }, "accuracy"},
		{"microseconds", func(i *tstInfo) { i.Accuracy.Micros = -1 }, "accuracy"},
	} {
		p, err := parseToken(storedTokens(t)[1].tsr)
		if err != nil {
			t.Fatal(err)
		}
		tc.change(&p.info)
		if err := p.checkInfo(); (err == nil) != (tc.words == "") || err != nil && !strings.Contains(err.Error(), tc.words) {
			t.Errorf("%s: %v, want %q", tc.name, err, tc.words)
		}
	}
}

// FuzzVerifyToken holds that whatever is made of a stored token and its evidence
// either fails or states what the authority signed: the keys are gone, so no
// other token under these roots exists.
func FuzzVerifyToken(f *testing.F) {
	stored := storedTokens(f)
	var roots []Roots
	for _, s := range stored {
		f.Add(s.tsr, s.evidence)
		r, err := ParseRoots(s.pem)
		if err != nil {
			f.Fatal(err)
		}
		roots = append(roots, r)
	}
	f.Add([]byte{0x30, 0x05, 0x30, 0x03, 0x02, 0x01, 0x02}, []byte(nil)) // a refusal
	f.Add(bytes.Repeat([]byte{0x30, 0x80}, 100), []byte(nil))
	trust := MergeRoots(roots...)
	f.Fuzz(func(t *testing.T, tsr, pem []byte) {
		info, err := VerifyToken(tsr, stored[0].data, pem, trust)
		if err != nil {
			return
		}
		for _, s := range stored {
			if info.Time.Format(time.RFC3339) == s.time && info.Serial == s.serial {
				return
			}
		}
		t.Errorf("verified: %+v", info)
	})
}

// FuzzParseEvidence holds that what was read and written reads the same again.
func FuzzParseEvidence(f *testing.F) {
	for _, s := range storedTokens(f) {
		f.Add(s.evidence)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		ev, err := parseEvidence(data)
		if err != nil {
			return
		}
		once := ev.encode()
		again, err := parseEvidence(once)
		if err != nil {
			t.Fatalf("what was written does not read: %v", err)
		}
		if twice := again.encode(); !bytes.Equal(once, twice) {
			t.Errorf("written twice:\n%s\n%s", once, twice)
		}
	})
}

// BenchmarkVerifyToken checks a token with a chain of three, a CRL and an OCSP
// response (P-256): what an audit pays per token.
func BenchmarkVerifyToken(b *testing.B) {
	s := storedTokens(b)[0]
	roots, err := ParseRoots(s.pem)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := VerifyToken(s.tsr, s.data, s.evidence, roots); err != nil {
			b.Fatal(err)
		}
	}
}
