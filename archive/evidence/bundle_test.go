package evidence

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/fineprint-archive/fineprint/warc"
)

func TestBundle(t *testing.T) {
	w := newWorld(t)
	first := w.bundle(w.parts(4))
	p := w.parts(4)
	if again := w.bundle(p); !bytes.Equal(again, w.bundle(p)) {
		t.Error("the same parts gave other bytes")
	}
	r := verify(t, first, w.trust())
	if r.ExitCode() != 0 || r.Kind != KindBundle {
		t.Errorf("a fresh bundle: %s, exit %d\n%s", r.Kind, r.ExitCode(), text(r))
	}
	for _, name := range []string{"files", "log", "witnesses", "timestamp", "records", "wacz", "tls", "time", "series", "consistency"} {
		if v := r.Verdict(name); v != OK {
			t.Errorf("claim %s is %q", name, v)
		}
	}
	if !r.After.Before(r.Look) || !r.Look.Before(r.Before) {
		t.Errorf("the look of %s is not between %s and %s", r.Look, r.After, r.Before)
	}
	checkNames(t, take(t, first))
	if name, err := p.Name(); name != "b0e2411edd372d3b-20241017110000-4.evidence.zip" {
		t.Errorf("Name() = %q, %v", name, err)
	}
}

// checkNames compares the files with those that docs/FORMATS.md lists.
func checkNames(t *testing.T, f files) {
	t.Helper()
	for _, name := range []string{nameSums, nameReadme, nameReport, nameScript, nameAbsent, nameLeaf, nameProof, namePrev, namePrevProof, nameCheckpoint,
		nameCosigned, nameNewer, nameWARC, nameWACZ, nameMembers, nameDeclaration, nameChain, nameHandshake, nameTLSReadme, nameList, nameOldCheck, nameOldProof,
		namePolicy, nameKey, nameCitation, nameCertificate, nameRun, nameDerived, "text.md", "text.txt", "text.json", "redline.html", "redline.txt", "anchors/one.tsr", "anchors/one.pem", "tls/anchors/one.tsr", "tls/anchors/cosignatures"} {
		if len(f[name]) == 0 {
			t.Errorf("the bundle has no %s", name)
		}
	}
	for _, name := range []string{nameReadme, nameReport, nameCitation, nameCertificate} {
		if at := bytes.Index(f[name], []byte("{{")); at >= 0 {
			t.Errorf("%s: placeholder left: %.40s", name, f[name][at:])
		}
		for _, fact := range []string{testURL, "2024-10-17 11:00:00 UTC"} {
			if !bytes.Contains(f[name], []byte(fact)) {
				t.Errorf("%s does not say %s", name, fact)
			}
		}
	}
	if n := bytes.Count(f[nameReadme], []byte("\n")); n > 80 {
		t.Errorf("%s has %d lines: more than a page", nameReadme, n)
	}
	if !strings.Contains(string(f[nameReport]), "cannot prove") {
		t.Errorf("%s does not say what is not proven", nameReport)
	}
}

// TestPapersEscape has a page's owner choose what the papers print.
func TestPapersEscape(t *testing.T) {
	w := newWorld(t)
	p := w.parts(1)
	p.Document = "<script>alert(1)</script>\nWHAT IT SHOWS: everything {{operator}}"
	p.Operator = "\u202eevil"
	f := take(t, w.bundle(p))
	if bytes.Contains(f[nameReport], []byte("<script>")) {
		t.Error("the report holds a script")
	}
	if bytes.Contains(f[nameReadme], []byte("\nWHAT IT SHOWS: everything")) || bytes.Contains(f[nameReadme], []byte("\u202e")) {
		t.Error("a title forged a line of the README")
	}
}

func TestBundleRefused(t *testing.T) {
	w := newWorld(t)
	for name, change := range map[string]func(*Parts){
		"no leaf":        func(p *Parts) { p.Look.Leaf = nil },
		"not a look":     func(p *Parts) { p.Look.Leaf = w.leaves[1] },
		"no proof":       func(p *Parts) { p.Look.Proof = nil },
		"another WARC":   func(p *Parts) { *p = withWARC(*p, w.looks[2].extract) },
		"no WARC":        func(p *Parts) { *p = withWARC(*p, []byte("WARC/1.1 nothing")) },
		"path in a name": func(p *Parts) { p.Anchors = []File{{"../one.tsr", []byte("x")}} },
		"same name":      func(p *Parts) { p.Anchors = append(p.Anchors, p.Anchors[0]) },
		"order":          func(p *Parts) { *p = w.between(); slices.Reverse(p.Between) },
	} {
		p := w.parts(1)
		change(&p)
		if err := WriteBundle(&bytes.Buffer{}, p); err == nil {
			t.Errorf("%s: WriteBundle took it", name)
		}
	}
}

func TestVerifyPlain(t *testing.T) {
	w := newWorld(t)
	f := take(t, w.bundle(w.parts(4)))
	damaged := slices.Clone(f[nameWARC])
	damaged[len(damaged)/2] ^= 0xff
	for _, c := range []struct {
		name, kind string
		data       []byte
		exit       int
	}{
		{"x.warc.gz", KindWARC, f[nameWARC], 0},
		{"own name", KindWARC, w.looks[1].warc, 0},
		{"x.warc.gz", KindWARC, damaged, 1},
		{"x.wacz", KindWACZ, f[nameWACZ], 0},
		{"empty", KindWARC, nil, 1},
		{"x.evidence.zip", KindWACZ, f[nameWACZ], 4},
		{"x.evidence.zip", KindWARC, f[nameWARC], 4},
		{"text", KindWARC, []byte("hello, this is no archive"), 1},
	} {
		r := must[*Report](t)(Verify(t.Context(), bytes.NewReader(c.data), int64(len(c.data)), c.name, Policy{}))
		if r.Kind != c.kind || r.ExitCode() != c.exit {
			t.Errorf("Verify(%s) = %s, exit %d, want %s, %d\n%s", c.name, r.Kind, r.ExitCode(), c.kind, c.exit, text(r))
		}
	}
}

// TestVerifyNoBundle names a log for files that no log can be told of.
func TestVerifyNoBundle(t *testing.T) {
	w := newWorld(t)
	f := take(t, w.bundle(w.parts(4)))
	for _, name := range []string{nameWARC, nameWACZ} {
		r := must[*Report](t)(Verify(t.Context(), bytes.NewReader(f[name]), int64(len(f[name])), name, w.trust()))
		if r.ExitCode() != exitIncomplete || r.Verdict("log") != Unknown || r.Verdict("records") != OK {
			t.Errorf("Verify(%s) with a policy: exit %d\n%s", name, r.ExitCode(), text(r))
		}
	}
}

// TestLostLook has a lost look in the middle of a range.
func TestLostLook(t *testing.T) {
	w := newWorld(t)
	one := w.looks[1]
	lost := Entry{Type: TypeLost, Source: testSource, N: 2, Run: "r", Time: hour(9, 0)}
	three := w.makeLook(lookSpec{n: 3, at: hour(10, 0), body: "<p>b</p>", prev: one})
	w.append(lost)
	cp := w.append(three.entry)
	three.index = int64(len(w.leaves) - 1)
	between := []Proven{w.proven(one, cp), w.proven(&madeLook{index: three.index - 1}, cp)}
	p := Parts{Look: w.proven(three, cp), Between: between, Checkpoint: cp.Raw, Created: hour(13, 0)}
	r := verify(t, w.bundle(withWARC(p, slices.Concat(one.extract, three.extract))), w.trust())
	if r.Verdict("series") != OK {
		t.Errorf("a range with a lost look:\n%s", text(r))
	}
}

// TestPrivateBundle looks for the address and the page in the leaf.
func TestPrivateBundle(t *testing.T) {
	w := newWorld(t)
	p := w.private()
	if bytes.Contains(p.Look.Leaf, []byte("x.example")) || bytes.Contains(p.Look.Leaf, []byte(warc.SumSHA256([]byte("<p>Members only.</p>")).Hex())) {
		t.Errorf("the leaf shows the source: %s", p.Look.Leaf)
	}
}
