package evidence

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fineprint-archive/fineprint/warc"
)

func sampleList() AnchorList {
	return AnchorList{Checkpoint: sum("cp"), Size: 4711, Files: []AnchorFile{
		{"freetsa.tsr", sum("t1")}, {"cosignatures", sum("w")}, {"checkpoint.ots", sum("o")},
	}}
}

func TestAnchorList(t *testing.T) {
	text, err := EncodeAnchorList(sampleList())
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "anchor.list", text)
	got, err := ParseAnchorList(text)
	if err != nil {
		t.Fatal(err)
	}
	want := sampleList()
	want.Files = []AnchorFile{want.Files[2], want.Files[1], want.Files[0]}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("list came back differently (-want +got):\n%s", diff)
	}
	if key := AnchorListKey(4711, text); key != "anchors/4711/"+warc.SumSHA256(text).Hex()[:16]+".list" {
		t.Errorf("AnchorListKey = %s", key)
	}
	e, err := got.Anchor()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.Encode(); err != nil || e.ListSHA256 != warc.SumSHA256(text) {
		t.Errorf("entry of the list: %+v, %v", e, err)
	}
}

func TestAnchorListRefused(t *testing.T) {
	good, err := EncodeAnchorList(sampleList())
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(string(good), "\n")
	for name, text := range map[string]string{
		"empty":          "",
		"head":           strings.Replace(string(good), "v1", "v2", 1),
		"no files":       lines[0] + lines[1],
		"no line end":    strings.TrimSuffix(string(good), "\n"),
		"empty line":     string(good) + "\n",
		"order":          lines[0] + lines[1] + lines[3] + lines[2] + lines[4],
		"twice":          lines[0] + lines[1] + lines[2] + lines[2],
		"one space":      strings.Replace(string(good), "  freetsa", " freetsa", 1),
		"path":           strings.Replace(string(good), "freetsa.tsr", "../freetsa", 1),
		"hidden":         strings.Replace(string(good), "freetsa.tsr", ".freetsa", 1),
		"carriage":       strings.ReplaceAll(string(good), "\n", "\r\n"),
		"upper case":     strings.ToUpper(lines[0]) + lines[1] + lines[2],
		"plus in size":   strings.Replace(string(good), "  4711", "  +4711", 1),
		"zeros in size":  strings.Replace(string(good), "  4711", "  04711", 1),
		"size zero":      strings.Replace(string(good), "  4711", "  0", 1),
		"upper-case sum": strings.Replace(string(good), sum("o").Hex(), strings.ToUpper(sum("o").Hex()), 1),
		"too long":       string(good) + strings.Repeat("a", maxAnchorList),
	} {
		if l, err := ParseAnchorList([]byte(text)); err == nil {
			t.Errorf("%s: ParseAnchorList took it: %+v", name, l)
		}
	}
}

func FuzzAnchorList(f *testing.F) {
	text, err := EncodeAnchorList(sampleList())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Fuzz(func(t *testing.T, b []byte) {
		l, err := ParseAnchorList(b)
		if err != nil {
			return
		}
		again, err := EncodeAnchorList(l)
		if err != nil || !bytes.Equal(again, b) {
			t.Errorf("EncodeAnchorList(ParseAnchorList(%q)) = %q, %v", b, again, err)
		}
	})
}
