package evidence

import (
	"bytes"
	"strings"
	"testing"

	"github.com/fineprint-archive/fineprint/warc"
)

func TestObserved(t *testing.T) {
	w := newWorld(t)
	data := w.bundle(w.observed())
	p := w.observed()
	if !bytes.Equal(w.bundle(p), w.bundle(p)) {
		t.Error("the same parts gave other bytes")
	}
	r := verify(t, data, w.trust())
	if r.ExitCode() != 0 || r.Verdict(observer) != OK {
		t.Errorf("exit %d\n%s", r.ExitCode(), text(r))
	}
	for _, words := range []string{"wayback/1: THE SAME BYTES", "wayback/2: THE SAME BYTES", "https://web.archive.org/web/20241017110500/https://x.example/tos", "index, replay, content computed here"} {
		if !strings.Contains(text(r), words) {
			t.Errorf("the report does not say %q:\n%s", words, text(r))
		}
	}
	f := take(t, data)
	for _, name := range []string{"wayback/1.json", "wayback/1.tlog-proof", "wayback/1.receipt.json", "wayback/1.receipt.tlog-proof", "wayback/2.receipt.json", nameWayback, nameWaybackMembers} {
		if len(f[name]) == 0 || !bytes.Contains(f[nameSums], []byte("  "+name+"\n")) {
			t.Errorf("the bundle has no %s, or does not list it", name)
		}
	}
	for _, name := range []string{nameReadme, nameReport} {
		if !bytes.Contains(f[name], []byte("THE SAME BYTES")) || !bytes.Contains(f[name], []byte("https://web.archive.org/web/20241017110500/")) {
			t.Errorf("%s does not say what the Wayback Machine saw:\n%s", name, f[name])
		}
	}
	if bytes.Contains(f[nameAbsent], []byte("Wayback")) {
		t.Errorf("%s says that it is not there: %s", nameAbsent, f[nameAbsent])
	}
	if n := bytes.Count(f[nameReadme], []byte("\n")); n > 80 {
		t.Errorf("%s has %d lines: more than a page", nameReadme, n)
	}
}

// TestNotObserved has a bundle without receipts.
func TestNotObserved(t *testing.T) {
	w := newWorld(t)
	f := take(t, w.bundle(w.parts(4)))
	for name, words := range map[string]string{
		nameAbsent: "not present: no capture of the Wayback Machine has been read back for this look; run `fineprint wayback submit`",
		nameReadme: "No capture of the Wayback Machine was read back", nameReport: "this bundle has none",
	} {
		if !bytes.Contains(f[name], []byte(words)) {
			t.Errorf("%s does not say %q", name, words)
		}
	}
	if r := verify(t, w.bundle(w.parts(4)), w.trust()); r.Verdict(observer) != NotPresent {
		t.Errorf("claim %s is %q", observer, r.Verdict(observer))
	}
}

// TestDisagreement shows what differs as plainly as what agrees.
func TestDisagreement(t *testing.T) {
	w := newWorld(t)
	other := "<p>Access denied.</p>"
	for _, c := range []struct {
		name   string
		change func(*readBackSpec)
		words  string
	}{
		{"text", func(s *readBackSpec) {
			s.body, s.facts = other, warc.Facts{Content: warc.FactDifferent, Index: warc.FactDifferent, Replay: warc.FactSame, Text: warc.FactDifferent}
		}, "DIFFERENT TEXT"},
		{"gzip", func(s *readBackSpec) {
			s.gzip, s.body, s.facts = true, other, warc.Facts{Content: warc.FactDifferent, Index: warc.FactDifferent, Replay: warc.FactSame, Text: warc.FactVariant}
		}, "ANOTHER TEXT"},
		{"altered", func(s *readBackSpec) {
			s.body, s.index, s.facts = other, changedTerms, warc.Facts{Content: warc.FactDifferent, Index: warc.FactSame, Replay: warc.FactDifferent}
		}, "ALTERED"},
		{"blocked", func(s *readBackSpec) {
			s.body, s.grade, s.facts = other, "blocked", warc.Facts{Content: warc.FactDifferent, Index: warc.FactDifferent, Replay: warc.FactSame}
		}, "graded blocked"},
		{"gone", func(s *readBackSpec) {
			s.replays = hour(9, 0) // another capture came in its place
			s.row, s.facts = "example,x)/tos 20230101000000 x text/html 200 - 1\n", warc.Facts{Index: warc.FactAbsent, Replay: warc.FactAbsent}
		}, "ABSENT"},
	} {
		t.Run(c.name, func(t *testing.T) {
			spec := w.readBack()
			c.change(&spec)
			data := w.bundle(w.observe(w.parts(4), w.makeReadBack(spec)))
			r := verify(t, data, w.trust())
			if r.ExitCode() != 0 || !strings.Contains(text(r), c.words) {
				t.Errorf("exit %d, want 0 and %q\n%s", r.ExitCode(), c.words, text(r))
			}
			f := take(t, data)
			if !bytes.Contains(f[nameReadme], []byte(c.words)) || !bytes.Contains(f[nameReport], []byte("<b>No.</b> ")) {
				t.Errorf("the papers do not say %q", c.words)
			}
		})
	}
}

// TestObserverFalse breaks each part of what a receipt rests on.
func TestObserverFalse(t *testing.T) {
	w := newWorld(t)
	whole := w.observed()
	lies := func(change func(*readBackSpec)) func() []byte {
		return func() []byte {
			spec := w.readBack()
			change(&spec)
			return pack(t, w.lean(w.observe(w.parts(4), w.makeReadBack(spec))))
		}
	}
	file := func(name string, f func([]byte) []byte) func() []byte {
		return func() []byte { return w.change(whole, name, f) }
	}
	other := w.readBack()
	other.of = w.looks[1]
	for _, c := range []struct {
		name, says string
		data       func() []byte
	}{
		{"receipt leaf", "says something else than the manifest", file("wayback/1.receipt.json", replace(`"text":"same"`, `"text":"variant"`))},
		{"look leaf", "the leaf says something else than manifest", file("wayback/1.json", replace(`"status":200`, `"status":201`))},
		{"receipt proof", "does not prove that wayback/2.receipt.json", file("wayback/2.receipt.tlog-proof", flipNext("index "))},
		{"look proof", "does not prove that wayback/2.json", file("wayback/2.tlog-proof", flipNext("index "))},
		{"no receipt", "wayback/1.json belongs to no receipt", file("wayback/1.receipt.json", remove)},
		{"no look", "wayback/1.json is missing", file("wayback/1.json", remove)},
		{"no proof", "wayback/2.receipt.tlog-proof is missing", file("wayback/2.receipt.tlog-proof", remove)},
		{"no records", "wayback/records.warc.gz is missing", file(nameWayback, remove)},
		{"cut records", "findings are errors", file(nameWayback, func(b []byte) []byte { return b[:len(b)-20] })},
		{"members", "wayback/members.txt is not what", file(nameWaybackMembers, replace(" metadata ", " response "))},
		{"other look", "about a look that is none of this bundle", func() []byte {
			return pack(t, w.lean(w.observe(w.parts(4), w.makeReadBack(other))))
		}},
		{"strange look", "which belongs to no receipt", func() []byte {
			p := w.observed()
			p.Receipts = p.Receipts[1:]
			return pack(t, w.lean(p))
		}},
		{"not in the log", "is about another checkpoint than consistency.txt", func() []byte {
			p := w.observed()
			p.Receipts[0].Receipt.Proof = w.observed().Receipts[0].Receipt.Proof // of a later state
			return pack(t, w.lean(p))
		}},
		{"index fact", `the comparison "index" is "same"; by the records it is "different"`, lies(func(s *readBackSpec) { s.body = "<p>Nonce 7.</p>" })},
		{"replay fact", `the comparison "replay" is "same"; by the records it is "different"`, lies(func(s *readBackSpec) { s.body, s.index = "<p>Nonce 7.</p>", changedTerms })},
		{"content fact", `the comparison "content" is "different"; by the records it is "same"`, lies(func(s *readBackSpec) { s.facts.Content = warc.FactDifferent })},
		{"index row", "no answer of the index lists a capture", lies(func(s *readBackSpec) { s.row = "x.example 20241017110500 AAAA\n" })},
		{"replay time", "is a capture of 2024-10-17 11:09:00 UTC, the manifest says", lies(func(s *readBackSpec) { s.replays = hour(11, 9) })},
		{"index time", "no answer of the index lists a capture", lies(func(s *readBackSpec) {
			s.row = "x.example 20241017110501 " + warc.SumSHA1([]byte(changedTerms)).Base32() + "\n"
		})},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := verify(t, c.data(), w.trust())
			if r.Verdict(observer) != False || !strings.Contains(text(r), c.says) {
				t.Errorf("claim %s is %q, want false and %q\n%s", observer, r.Verdict(observer), c.says, text(r))
			}
		})
	}
	r := verify(t, w.bundle(whole), Policy{})
	if r.Verdict(observer) != Unknown {
		t.Errorf("of an unknown log the claim is %q\n%s", r.Verdict(observer), text(r))
	}
}

// TestObservedRange has receipts of both ends of a range.
func TestObservedRange(t *testing.T) {
	w := newWorld(t)
	first := w.readBack()
	first.of, first.capture, first.body = w.looks[1], hour(8, 20), "<p>Your posts are yours.</p>"
	second := w.readBack()
	second.n = 2
	data := w.bundle(w.observe(w.between(), w.makeReadBack(first), w.makeReadBack(second)))
	if r := verify(t, data, w.trust()); r.ExitCode() != 0 || !strings.Contains(text(r), "wayback/2: THE SAME BYTES as ours (at look 1)") {
		t.Errorf("exit %d\n%s", r.ExitCode(), text(r))
	}
}

// TestObserverContact has the key of the observer answer, and another one.
func TestObserverContact(t *testing.T) {
	w := newWorld(t)
	anchored := warc.SumSHA256(w.text)
	for _, c := range []struct {
		host, says string
		policy     Policy
		verdict    Verdict
	}{
		{archiveHost, "the holder of the key of web.archive.org answered", w.trust(), OK},
		{testHost, "x.example", w.trust(), False},
	} {
		spec := w.readBack()
		w.becomes(c.host)
		spec.tls = w.connectTo(c.host, anchored)
		r := verify(t, pack(t, w.lean(w.observe(w.parts(4), w.makeReadBack(spec)))), c.policy)
		if r.Verdict(observer) != c.verdict || !strings.Contains(text(r), c.says) {
			t.Errorf("a handshake with %s: %s is %q, want %q and %q\n%s", c.host, observer, r.Verdict(observer), c.verdict, c.says, text(r))
		}
	}
}

func TestCompareBodies(t *testing.T) {
	one, two := warc.SumSHA1([]byte("one")), warc.SumSHA1([]byte("two"))
	a, b := warc.SumSHA256([]byte("a")), warc.SumSHA256([]byte("b"))
	for _, c := range []struct {
		name         string
		index        warc.Digest
		theirs, ours warc.Body
		want         warc.Facts
	}{
		{"all the same", one, warc.Body{SHA1: one, DecodedSHA256: a}, warc.Body{SHA1: one, DecodedSHA256: a}, warc.Facts{Index: warc.FactSame, Replay: warc.FactSame, Content: warc.FactSame}},
		{"compressed on the way", one, warc.Body{SHA1: two, DecodedSHA1: one, DecodedSHA256: a}, warc.Body{SHA1: one, DecodedSHA256: a}, warc.Facts{Index: warc.FactSame, Replay: warc.FactSame, Content: warc.FactSame}},
		{"compressed by one side", one, warc.Body{SHA1: one, DecodedSHA256: a}, warc.Body{SHA1: two, DecodedSHA1: one, DecodedSHA256: a}, warc.Facts{Index: warc.FactDifferent, Replay: warc.FactSame, Content: warc.FactSame}},
		{"altered", one, warc.Body{SHA1: two, DecodedSHA1: two, DecodedSHA256: b}, warc.Body{SHA1: one, DecodedSHA256: a}, warc.Facts{Index: warc.FactSame, Replay: warc.FactDifferent, Content: warc.FactDifferent}},
		{"no index", warc.Digest{}, warc.Body{SHA1: one, DecodedSHA256: a}, warc.Body{SHA1: one, DecodedSHA256: b}, warc.Facts{Content: warc.FactDifferent}},
		{"we have no page", one, warc.Body{SHA1: one}, warc.Body{}, warc.Facts{Replay: warc.FactSame}},
	} {
		if got := warc.CompareBodies(c.index, c.theirs, c.ours); got != c.want {
			t.Errorf("%s: CompareBodies = %+v, want %+v", c.name, got, c.want)
		}
	}
}
