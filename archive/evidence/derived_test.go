package evidence

import (
	"bytes"
	"crypto/x509"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/fineprint-archive/fineprint/warc"
)

// derived is what a program that extracts texts hands over for a look: two
// documents, of which the second shows no text.
func (w *world) derived(n int64) []Derived {
	m := w.looks[n].manifest
	return []Derived{{
		Document: "x/terms-of-service/en", Title: "X, Terms of Service (en)", Grade: "terms", Outcome: "changed", Rules: "extract 1, track 1",
		Text: &DerivedText{
			Extractor: "1", Made: hour(13, 0), Lang: "en", Words: 5,
			Captures: []DerivedCapture{{Source: m.Source, N: m.N, URL: m.URL, Time: m.Time, Record: m.Payload.Record, Payload: m.Payload.SHA256}},
			Files: []DerivedFile{
				{Name: "text.md", Data: []byte("Your posts train our models.\n")},
				{Name: "text.txt", Data: []byte("Your posts train our models.\n")},
				{Name: "text.json", Data: []byte(`{"extractor":"1","blocks":[{"kind":"paragraph","text":"Your posts train our models."}]}` + "\n")},
			},
		},
		Redline: &DerivedRedline{
			Kind: "changed", From: hour(8, 0), OldSHA256: strings.Repeat("0", 64), NewSHA256: strings.Repeat("1", 64), Summary: `1 changed: + "train our models"`,
			Files: []DerivedFile{{Name: "redline.html", Data: []byte("<p>Your posts <del>are yours</del><ins>train our models</ins>.</p>\n")}, {Name: "redline.txt", Data: []byte("~ Your posts [-are yours-]{+train our models+}.\n")}},
		},
	}, {
		Document: "x/terms-of-service/zh-cn", Title: "X, Terms of Service (zh-CN)", Grade: "login", Rules: "extract 1, track 1", NoText: "the page shows no terms (grade login)",
	}}
}

func TestDerived(t *testing.T) {
	w := newWorld(t)
	p := w.parts(4)
	data := w.bundle(p)
	if !bytes.Equal(data, w.bundle(p)) {
		t.Error("the same parts gave other bytes")
	}
	r := verify(t, data, w.trust())
	if v := r.Verdict("text"); v != NotChecked || r.ExitCode() != 0 {
		t.Errorf("claim text is %q, exit %d:\n%s", v, r.ExitCode(), text(r))
	}
	if got := text(r); !strings.Contains(got, "made by extractor 1 of the payload in the records; not checked here") || !strings.Contains(got, "(zh-CN): the page shows no terms") {
		t.Errorf("the report says of the texts:\n%s", got)
	}
	f := take(t, data)
	var list derivedList
	if err := json.Unmarshal(f[nameDerived], &list); err != nil || len(list.Documents) != 2 || list.Documents[1].Text != nil {
		t.Fatalf("%s: %v\n%s", nameDerived, err, f[nameDerived])
	}
	if got, want := list.Documents[0].Text.Files[1].SHA256, warc.SumSHA256(f["text.txt"]).Hex(); got != want {
		t.Errorf("%s says %s of text.txt, want %s", nameDerived, got, want)
	}
	for name, facts := range map[string][]string{
		nameReadme: {"FOR READING, NOT EVIDENCE", "redline.html, redline.txt: what changed against the version since 2024-10-17 08:00:00 UTC", "prove nothing by themselves"},
		nameReport: {"no evidence by itself", "5 words, by extractor 1 on 2024-10-17 13:00:00 UTC", "Timestamp authority: CN=one signer", "2024-10-17 11:30:00 UTC", "Witness: w1.example/a", "2024-10-17 11:20:00 UTC"},
		nameAbsent: {"text of X, Terms of Service (zh-CN): the page shows no terms (grade login)"},
	} {
		for _, fact := range facts {
			if !bytes.Contains(f[name], []byte(fact)) {
				t.Errorf("%s does not say %q:\n%s", name, fact, f[name])
			}
		}
	}
}

// TestSecondText names the files of a second document.
func TestSecondText(t *testing.T) {
	w := newWorld(t)
	p := w.parts(4)
	p.Derived = append(slices.Clone(p.Derived[:1]), p.Derived[0])
	data := w.bundle(p)
	f := take(t, data)
	for _, name := range []string{"text.md", "text-2.md", "text-2.txt", "text-2.json", "redline-2.html", "redline-2.txt"} {
		if f[name] == nil {
			t.Errorf("the bundle has no %s", name)
		}
	}
	if r := verify(t, data, w.trust()); r.ExitCode() != 0 {
		t.Errorf("exit %d:\n%s", r.ExitCode(), text(r))
	}
	p.Derived[1].Text = &DerivedText{Files: []DerivedFile{{Name: "leaf.md", Data: []byte("x")}}}
	if err := WriteBundle(&bytes.Buffer{}, p); err == nil || !strings.Contains(err.Error(), "leaf-2.md") {
		t.Errorf("a text under another name: %v", err)
	}
}

// TestNoText is a bundle of a look that nothing was derived from.
func TestNoText(t *testing.T) {
	w := newWorld(t)
	p := w.parts(4)
	p.Derived = nil
	data := w.bundle(p)
	if r := verify(t, data, w.trust()); r.Verdict("text") != NotPresent || r.ExitCode() != 0 {
		t.Errorf("claim text is %q, exit %d", r.Verdict("text"), r.ExitCode())
	}
	f := take(t, data)
	if f[nameDerived] != nil || !bytes.Contains(f[nameAbsent], []byte("text of the page, redline: nothing was derived")) || !bytes.Contains(f[nameReadme], []byte("There is no text in this bundle")) {
		t.Errorf("README or %s do not say that there is no text:\n%s", nameAbsent, f[nameAbsent])
	}
}

// TestElsewhere is a text of a payload that is not in the bundle, as of a document
// combined of several pages.
func TestElsewhere(t *testing.T) {
	w := newWorld(t)
	p := w.parts(4)
	other := DerivedCapture{Source: "0123456789abcdef", N: 7, URL: "https://x.example/part-2", Time: hour(10, 0), Record: "urn:uuid:00000000-0000-4000-8000-000000000000", Payload: warc.SumSHA256([]byte("elsewhere"))}
	p.Derived[0].Text.Captures = append(p.Derived[0].Text.Captures, other)
	data := w.bundle(p)
	if got := text(verify(t, data, w.trust())); !strings.Contains(got, "some of which are not in this bundle (look 7 at https://x.example/part-2)") {
		t.Errorf("the report does not name the payload that is not here:\n%s", got)
	}
	if readme := take(t, data)[nameReadme]; !bytes.Contains(readme, []byte("not in this bundle: look 7 at https://x.example/part-2")) {
		t.Errorf("README does not name it:\n%s", readme)
	}
}

// TestNewerDerived has a later program's list.
func TestNewerDerived(t *testing.T) {
	w := newWorld(t)
	data := w.change(w.parts(4), nameDerived, replace(`"v": 1`, `"v": 2`))
	if r := verify(t, data, w.trust()); r.Verdict("text") != NotChecked || r.ExitCode() != 0 {
		t.Errorf("claim text is %q, exit %d", r.Verdict("text"), r.ExitCode())
	}
}

// FuzzDerived gives the verifier a list that anybody may have written: it names no
// file that is not there as one that is.
func FuzzDerived(f *testing.F) {
	f.Add([]byte(`{"v":1,"documents":[{"document":"d","text":{"captures":[{"n":1}],"files":[{"name":"text.md","sha256":"00"}]},"redline":null}]}`))
	f.Add([]byte(`{"v":1,"documents":[{"document":"d","text":null,"no_text":"none"}]}`))
	f.Add([]byte(`{"v":2}`))
	f.Add([]byte(`{"documents":[{"text":{}}]}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		data := pack(t, files{nameDerived: raw})
		b, err := openBundle(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			t.Fatal(err)
		}
		v := &verifier{report: &Report{}, bundle: b}
		if err := v.checkText(); err != nil {
			t.Fatal(err)
		}
		if v.report.Verdict("text") == OK || len(v.report.Claims) == 0 {
			t.Errorf("claims are %v", v.report.Claims)
		}
		var list derivedList
		if json.Unmarshal(raw, &list) != nil || list.V > derivedVersion {
			return
		}
		for i := range list.Documents {
			if len(list.Documents[i].files()) > 0 && v.report.Verdict("text") != False {
				t.Errorf("no file is there, and the claims are %v", v.report.Claims)
			}
		}
	})
}

// TestUnvouched has a handshake by a key that no root of the verifier vouches for:
// its time is no bound of the claim time.
func TestUnvouched(t *testing.T) {
	w := newWorld(t)
	p := w.trust()
	p.WebRoots = x509.NewCertPool()
	r := verify(t, w.bundle(w.parts(4)), p)
	if r.Verdict("tls") != Unknown || r.Verdict("time") != OK || !r.After.IsZero() {
		t.Errorf("tls %q, time %q, not before %s", r.Verdict("tls"), r.Verdict("time"), r.After)
	}
	if !strings.Contains(text(r), "rests on the claim tls, which is unknown") {
		t.Errorf("the report does not say on what the lower bound rests:\n%s", text(r))
	}
	p.TSARoots = w.trust().TSARoots
	late := w.parts(4)
	late.Anchors, late.Cosigned = nil, nil
	if r := verify(t, w.bundle(late), p); r.Verdict("time") != Unknown {
		t.Errorf("time is %q, and nothing bounds it", r.Verdict("time"))
	}
}
