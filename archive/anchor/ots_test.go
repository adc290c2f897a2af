package anchor

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/fineprint-archive/fineprint/archive/anchor/anchortest"
	"github.com/google/go-cmp/cmp"
)

func startCalendar(t *testing.T, first int64) *anchortest.Calendar {
	t.Helper()
	c := anchortest.NewCalendar(first)
	c.Now = func() time.Time { return time.Unix(1_800_000_000, 0) }
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// TestOTS walks the whole way: stamp, pending, upgrade hours later from the
// stored bytes, verify offline.
func TestOTS(t *testing.T) {
	ctx := t.Context()
	one, two := startCalendar(t, 900_000), startCalendar(t, 900_100)
	client := OTSClient{HTTP: http.DefaultClient, Calendars: []string{one.URL, two.URL + "/"}}
	digest := sha256.Sum256([]byte("the checkpoint"))
	p, failed, err := client.Stamp(ctx, digest)
	if err != nil || failed != nil {
		t.Fatal(err, failed)
	}
	// Neighbours in the same block, for a path of some length.
	for i := range 4 {
		if _, _, err := client.Stamp(ctx, sha256.Sum256([]byte{byte(i)})); err != nil {
			t.Fatal(err)
		}
	}
	r, err := p.Verify(digest, OTSVerifyOptions{})
	if err != nil || r.Verified || r.False || len(r.Verdicts) != 2 || r.Verdicts[0].State != OTSPending || len(p.Heights()) != 0 {
		t.Fatalf("pending proof: %+v, %v", r, err)
	}
	if changed, err := client.Upgrade(ctx, p); changed || err != nil {
		t.Errorf("upgrade before the block: changed %v, %v", changed, err)
	}

	height, header := one.Mine()
	p = reparse(t, p)
	if changed, err := client.Upgrade(ctx, p); !changed || err != nil {
		t.Fatalf("upgrade: changed %v, %v", changed, err)
	}
	if changed, err := client.Upgrade(ctx, p); changed || err != nil {
		t.Errorf("second upgrade: changed %v, %v", changed, err)
	}
	two.Mine()
	if changed, err := client.Upgrade(ctx, p); !changed || err != nil {
		t.Errorf("upgrade at the second calendar: changed %v, %v", changed, err)
	}
	p = reparse(t, p)
	if diff := cmp.Diff([]int64{900_000, 900_100}, p.Heights()); diff != "" {
		t.Error(diff)
	}

	fetched, err := FetchBitcoinHeader(ctx, http.DefaultClient, one.URL, height)
	if err != nil || fetched != header {
		t.Errorf("FetchBitcoinHeader = %x, %v", fetched, err)
	}
	parsed, err := ParseBitcoinHeader(fetched.Text())
	if err != nil || parsed != header {
		t.Errorf("header file: %x, %v", parsed, err)
	}
	if _, err := FetchBitcoinHeader(ctx, http.DefaultClient, one.URL, height+7); err == nil {
		t.Error("a header of a block that does not exist")
	}
	checkOTSVerdicts(t, p, digest, parsed)
}

func reparse(t *testing.T, p *OTSProof) *OTSProof {
	t.Helper()
	again, err := ParseOTS(p.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(again.Bytes(), p.Bytes()) {
		t.Fatal("a proof read back is written differently")
	}
	return again
}

// checkOTSVerdicts verifies a proof of block 900000 against sound and broken
// headers.
func checkOTSVerdicts(t *testing.T, p *OTSProof, digest [32]byte, good BitcoinHeader) {
	t.Helper()
	otherRoot, noWork, badBits := good, good, good
	otherRoot[36] ^= 1
	// A nonce that misses the target.
	for noWork[76]++; ; noWork[76]++ {
		if _, err := noWork.Work(); err != nil {
			break
		}
	}
	badBits[75] = 0xff
	for _, test := range []struct {
		name   string
		header BitcoinHeader
		work   int
		want   OTSState
	}{
		{"good", good, anchortest.CalendarWork, OTSVerified},
		{"work of a toy chain", good, 0, OTSWeak},
		{"a little less work", good, anchortest.CalendarWork + 1, OTSWeak},
		{"another Merkle root", otherRoot, 1, OTSMismatch},
		{"no work", noWork, 1, OTSBadWork},
		{"impossible difficulty", badBits, 1, OTSBadWork},
	} {
		r, err := p.Verify(digest, OTSVerifyOptions{Headers: map[int64]BitcoinHeader{900_000: test.header}, MinWork: test.work})
		if err != nil {
			t.Fatal(err)
		}
		states := map[OTSState]int{}
		for _, v := range r.Verdicts {
			states[v.State]++
		}
		if states[test.want] != 1 || states[OTSNoHeader] != 1 || states[OTSPending] != 2 {
			t.Errorf("%s: verdicts %+v", test.name, r.Verdicts)
		}
		if r.Verified != (test.want == OTSVerified) || r.False != (test.want == OTSMismatch || test.want == OTSBadWork) {
			t.Errorf("%s: verified %v, false %v", test.name, r.Verified, r.False)
		}
		if r.Verified && (!r.Time.Equal(time.Unix(1_800_000_000, 0)) || r.Height != 900_000) {
			t.Errorf("%s: time %v, height %d", test.name, r.Time, r.Height)
		}
	}
	if _, err := p.Verify(sha256.Sum256([]byte("another checkpoint")), OTSVerifyOptions{}); err == nil {
		t.Error("a proof of another digest gives no error")
	}
	if !p.Drop(900_000) || len(p.Heights()) != 1 {
		t.Errorf("after Drop: heights %v", p.Heights())
	}
	reparse(t, p)
}

// TestBitcoinHeader knows block 0 and block 125552 of Bitcoin, whose headers
// are printed in its documentation.
func TestBitcoinHeader(t *testing.T) {
	for _, test := range []struct {
		name, header, hash string
		time               string
		work               int
	}{
		{"genesis", "0100000000000000000000000000000000000000000000000000000000000000000000003ba3edfd7a7b12b27ac72c3e67768f617fc81bc3888a51323a9fb8aa4b1e5e4a29ab5f49ffff001d1dac2b7c",
			"000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f", "2009-01-03T18:15:05Z", 32},
		{"125552", "0100000081cd02ab7e569e8bcd9317e2fe99f2de44d49ab2b8851ba4a308000000000000e320b6c2fffc8d750423db8b1eb942ae710e951ed797f7affc8892b0f1fc122bc7f5d74df2b9441a42a14695",
			"00000000000000001e8d6829a8a21adc5d38d0a473b144b6765798e61f98bd1d", "2011-05-21T17:26:31Z", 49},
	} {
		h, err := ParseBitcoinHeader([]byte(test.header + "\n"))
		if err != nil {
			t.Fatal(err)
		}
		work, err := h.Work()
		if err != nil || work != test.work {
			t.Errorf("%s: Work() = %d, %v; want %d", test.name, work, err, test.work)
		}
		if h.Hash() != test.hash || h.Time().Format(time.RFC3339) != test.time {
			t.Errorf("%s: %s at %s", test.name, h.Hash(), h.Time())
		}
	}
	for _, bits := range []uint32{0, 0x01003456, 0x04923456, 0x23000001, 0xff123456, 0x1d800001} {
		if target, err := compactTarget(bits); err == nil {
			t.Errorf("compactTarget(%08x) = %x, want an error", bits, target)
		}
	}
	for _, bad := range []string{"", "00", strings.Repeat("zz", 80), strings.Repeat("00", 81)} {
		if _, err := ParseBitcoinHeader([]byte(bad)); err == nil {
			t.Errorf("ParseBitcoinHeader(%.10q) gives no error", bad)
		}
	}
}

// TestOTSCalendars meets calendars that fail, and proofs that name strangers.
func TestOTSCalendars(t *testing.T) {
	ctx := t.Context()
	good, down := startCalendar(t, 1), startCalendar(t, 1)
	down.SetDown(true)
	digest := sha256.Sum256([]byte("x"))
	client := OTSClient{HTTP: http.DefaultClient, Calendars: []string{good.URL, down.URL}, Trusted: []string{}}
	p, failed, err := client.Stamp(ctx, digest)
	if err != nil || len(failed) != 1 || !strings.Contains(failed[0].Error(), down.URL) {
		t.Fatalf("one calendar down: %v, %v", failed, err)
	}
	client.Calendars = []string{down.URL}
	if _, _, err := client.Stamp(ctx, digest); err == nil {
		t.Error("no calendar took the digest, and no error")
	}
	if _, _, err := (&OTSClient{HTTP: http.DefaultClient}).Stamp(ctx, digest); err == nil {
		t.Error("no calendar configured, and no error")
	}
	// The pending attestation names a calendar that is not ours any more.
	good.Mine()
	if changed, err := client.Upgrade(ctx, p); changed || err == nil || !strings.Contains(err.Error(), good.URL) {
		t.Errorf("upgrade at a stranger: changed %v, %v", changed, err)
	}
	client.Trusted = []string{good.URL}
	good.SetDown(true)
	if changed, err := client.Upgrade(ctx, p); changed || err == nil {
		t.Errorf("upgrade at a calendar that is down: changed %v, %v", changed, err)
	}
	good.SetDown(false)
	if changed, err := client.Upgrade(ctx, p); !changed || err != nil {
		t.Errorf("upgrade: changed %v, %v", changed, err)
	}
	canceled, cancel := context.WithCancel(ctx)
	cancel()
	if _, _, err := client.Stamp(canceled, digest); !errors.Is(err, context.Canceled) {
		t.Errorf("Stamp after cancel: %v", err)
	}
}

// TestOTSAnswers: whatever a calendar answers, the proof stays readable.
func TestOTSAnswers(t *testing.T) {
	pending := string(pendingOTS("https://c.example").payload)
	attestation := "\x00" + otsPendingKind + string(rune(len(pending))) + pending
	for _, test := range []struct{ name, answer string }{
		{"nothing", ""},
		{"a web page", "<html>"},
		{"cut", attestation[:10]},
		{"trailing bytes", attestation + "x"},
		{"too long a message", strings.Repeat("\xf3", 9) + attestation},
		{"a large field", "\xf0\xff\xff\xff\xff\x7f"},
		{"an endless number", "\xf0" + strings.Repeat("\xff", 30)},
		{"unknown operation", "\x67" + attestation},
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte(test.answer)) }))
		client := OTSClient{HTTP: server.Client(), Calendars: []string{server.URL}}
		if p, _, err := client.Stamp(t.Context(), sha256.Sum256(nil)); err == nil {
			t.Errorf("%s: no error, proof %q", test.name, p.Bytes())
		}
		server.Close()
	}
}

// TestParseOTSLimits: just within a limit is read, just over it is refused for
// that reason.
func TestParseOTSLimits(t *testing.T) {
	attestation := "\x00whatever\x00"
	head := otsMagic + "\x01\x08" + strings.Repeat("d", 32)
	long := func(n int) string {
		return "\xf0" + string([]byte{byte(n)&0x7f | 0x80, byte(n >> 7)}) + strings.Repeat("x", n)
	}
	for _, test := range []struct{ name, stamp, want string }{
		{"deepest", strings.Repeat("\x08", otsMaxDepth) + attestation, ""},
		{"too deep", strings.Repeat("\x08", otsMaxDepth+1) + attestation, "operations in a row"},
		{"most items", strings.Repeat("\xff"+attestation, otsMaxNodes-1) + attestation, ""},
		{"too many items", strings.Repeat("\xff"+attestation, otsMaxNodes) + attestation, "more than 4096 operations"},
		{"longest message", long(otsMaxMessage-32) + attestation, ""},
		{"too long a message", long(otsMaxMessage-31) + attestation, "more than 4096"},
		{"too large", strings.Repeat("\xff"+attestation, otsMaxSize/11) + attestation, "bytes are more than"},
		{"no attestation", "\x08", "ends early"},
		{"more behind", attestation + "x", "follow its end"},
		{"unknown operation", "\x67" + attestation, "operation 0x67"},
		{"calendar with a query", "\x00" + otsPendingKind + "\x04\x03a?b", "not allowed"},
		{"height too large", "\x00" + otsBitcoinKind + "\x05\xff\xff\xff\xff\x7f", "malformed Bitcoin"},
	} {
		p, err := ParseOTS([]byte(head + test.stamp))
		if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("%s: error %v, want %q", test.name, err, test.want)
		}
		if err == nil {
			reparse(t, p)
		}
	}
	for _, bad := range []string{"", "x", otsMagic + "\x02\x08", otsMagic + "\x01\x02", otsMagic + "\x01\x08short"} {
		if _, err := ParseOTS([]byte(bad)); !errors.Is(err, ErrOTSFormat) {
			t.Errorf("ParseOTS(%q): error %v", bad, err)
		}
	}
}

func TestMatchCalendar(t *testing.T) {
	for _, test := range []struct {
		pattern, calendar string
		want              bool
	}{
		{"https://*.calendar.opentimestamps.org", "https://alice.btc.calendar.opentimestamps.org", true},
		{"https://*.btc.calendar.opentimestamps.org", "https://alice.btc.calendar.opentimestamps.org", true},
		{"https://*.btc.calendar.opentimestamps.org", "https://alice.btc.calendar.opentimestamps.org/", true},
		{"https://*.calendar.eternitywall.com", "http://finney.calendar.eternitywall.com", false},
		{"https://*.calendar.eternitywall.com", "https://finney.calendar.eternitywall.com:8443", false},
		{"https://*.calendar.eternitywall.com", "https://calendar.eternitywall.com", false},
		{"https://*.calendar.eternitywall.com", "https://evilcalendar.eternitywall.com", false},
		{"https://*", "https://evil.example", false},
		{"https://*.calendar.eternitywall.com", "https://evil.example/.calendar.eternitywall.com", false},
		{"http://127.0.0.1:8080/x", "http://127.0.0.1:8080/x/", true},
		{"http://127.0.0.1:8080/x", "http://127.0.0.1:8080/y", false},
		{"http://127.0.0.1:8080", "file:///etc/passwd", false},
	} {
		if got := matchCalendar(test.pattern, test.calendar); got != test.want {
			t.Errorf("matchCalendar(%q, %q) = %v, want %v", test.pattern, test.calendar, got, test.want)
		}
	}
}

// TestOTSPython asks the reference implementation what our files say.
func TestOTSPython(t *testing.T) {
	python := findPython(t)
	if got := pythonOTS(t, python, branchedOTS().Bytes()); !strings.Contains(got, "same bytes True") {
		t.Errorf("many branches: python reads %q", got)
	}
	ctx := t.Context()
	calendar := startCalendar(t, 900_000)
	client := OTSClient{HTTP: http.DefaultClient, Calendars: []string{calendar.URL}}
	digest := sha256.Sum256([]byte("the checkpoint"))
	p, _, err := client.Stamp(ctx, digest)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := pythonOTS(t, python, p.Bytes()), "PendingAttestation('"+calendar.URL+"')"; !strings.Contains(got, want) {
		t.Errorf("pending: python reads %q, want %q", got, want)
	}
	_, header := calendar.Mine()
	if _, err := client.Upgrade(ctx, p); err != nil {
		t.Fatal(err)
	}
	got := pythonOTS(t, python, p.Bytes())
	root := BitcoinHeader(header).MerkleRoot()
	for _, want := range []string{
		"digest " + hex.EncodeToString(digest[:]),
		"BitcoinBlockHeaderAttestation(900000) " + hex.EncodeToString(root[:]),
		"same bytes True",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("upgraded: python reads %q, want %q", got, want)
		}
	}
}

// findPython looks for a Python that has the library: Debian's own may not be
// the first in the path.
func findPython(t *testing.T) string {
	t.Helper()
	for _, python := range []string{"/usr/bin/python3", "python3"} {
		if exec.Command(python, "-c", "import opentimestamps").Run() == nil {
			return python
		}
	}
	t.Skip("python3-opentimestamps is not installed: apt-get install python3-opentimestamps")
	return ""
}

// pythonOTS reads a proof with python-opentimestamps, lists it, and writes it
// back.
func pythonOTS(t *testing.T, python string, data []byte) string {
	t.Helper()
	script := `
import sys
from opentimestamps.core.timestamp import DetachedTimestampFile
from opentimestamps.core.serialize import BytesDeserializationContext, BytesSerializationContext
data = sys.stdin.buffer.read()
f = DetachedTimestampFile.deserialize(BytesDeserializationContext(data))
print("digest", f.file_digest.hex())
for msg, a in f.timestamp.all_attestations():
    print(a, msg.hex())
out = BytesSerializationContext()
f.serialize(out)
print("same bytes", out.getbytes() == data)
`
	cmd := exec.Command(python, "-c", script)
	cmd.Stdin = bytes.NewReader(data)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", python, err, out)
	}
	return string(out)
}

// branchedOTS has nodes with several operations and attestations.
func branchedOTS() *OTSProof {
	p := &OTSProof{digest: sha256.Sum256(nil), root: &otsNode{}}
	p.root.attest(pendingOTS("https://b.example"))
	n := p.root.child(otsTagAppend, "nonce").child(otsTagSHA256, "")
	n.attest(pendingOTS("https://a.example"))
	n.child(otsTagPrepend, "x").child(otsTagSHA256, "").attest(bitcoinOTS(900_000))
	n.child(otsTagReverse, "").child(otsTagHexlify, "").child(otsTagSHA1, "").attest(otsAttestation{kind: "whatever", payload: "?"})
	n.child(otsTagPrepend, "a").child(otsTagSHA256, "").attest(bitcoinOTS(7))
	n.attest(pendingOTS("https://aa.example"))
	n.attest(pendingOTS("https://b.example"))
	n.attest(bitcoinOTS(256))
	n.attest(bitcoinOTS(129))
	return p
}

// FuzzParseOTS: a proof that is read is written in a form that reads the same.
func FuzzParseOTS(f *testing.F) {
	p := branchedOTS()
	f.Add(p.Bytes())
	f.Add([]byte(otsMagic + "\x01\x08"))
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := ParseOTS(data)
		if err != nil {
			if !errors.Is(err, ErrOTSFormat) {
				t.Errorf("error %v is no ErrOTSFormat", err)
			}
			return
		}
		again, err := ParseOTS(p.Bytes())
		if err != nil {
			t.Fatalf("written form of %x: %v", data, err)
		}
		if !bytes.Equal(again.Bytes(), p.Bytes()) {
			t.Errorf("%x is written as %x, then as %x", data, p.Bytes(), again.Bytes())
		}
		if diff := cmp.Diff(p.Attestations(), again.Attestations()); diff != "" {
			t.Errorf("%x: %s", data, diff)
		}
		if len(p.Attestations()) == 0 || len(p.Bytes()) > len(data) {
			t.Errorf("%x has %d attestations, is written in %d bytes", data, len(p.Attestations()), len(p.Bytes()))
		}
		if _, err := p.Verify(p.Digest(), OTSVerifyOptions{}); err != nil {
			t.Error(err)
		}
	})
}
