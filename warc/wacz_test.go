package warc

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"iter"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func oneReader(data []byte) iter.Seq2[io.Reader, error] {
	return func(yield func(io.Reader, error) bool) {
		for piece := range slices.Chunk(data, 1000) {
			if !yield(bytes.NewReader(piece), nil) {
				return
			}
		}
	}
}

func writeWACZ(t testing.TB, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	err := WriteWACZ(&b, WACZ{Records: oneReader(data), Title: "Terms & conditions", Software: "fineprint/0.1", Created: began,
		Pages: []Page{{"https://x.example/tos", began, "X 服务条款"}}})
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestWriteWACZ(t *testing.T) {
	data, _ := sample(t)
	file := writeWACZ(t, data)
	if !bytes.Equal(file, writeWACZ(t, data)) {
		t.Error("the same input gave other bytes")
	}
	z := must[*zip.Reader](t)(zip.NewReader(bytes.NewReader(file), int64(len(file))))
	var names []string
	for _, f := range z.File {
		names = append(names, f.Name)
		if f.Method != zip.Store {
			t.Errorf("%s is compressed again", f.Name)
		}
		if !f.Modified.Equal(began.Truncate(time.Second)) {
			t.Errorf("%s is of %v, want %v", f.Name, f.Modified, began)
		}
	}
	want := []string{"archive/data.warc.gz", "indexes/index.cdx", "pages/pages.jsonl", "datapackage.json", "datapackage-digest.json"}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	raw := must[io.ReadCloser](t)(z.File[0].Open())
	if copied := must[[]byte](t)(io.ReadAll(raw)); !bytes.Equal(copied, data) {
		t.Error("the records are not the bytes that came in")
	}
	report, found := checkWACZ(t, file)
	if len(found) > 0 {
		t.Errorf("findings about a good file: %q", found)
	}
	if report.Records != 10 || report.Looks != 2 || report.Errors != 0 {
		t.Errorf("CheckWACZ = %+v", report)
	}
}

func checkWACZ(t testing.TB, file []byte) (Report, []string) {
	t.Helper()
	var found []string
	report, err := CheckWACZ(bytes.NewReader(file), int64(len(file)), func(f Finding) error {
		found = append(found, string(f.Severity)+" "+f.Rule)
		t.Log(f)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(found)
	return report, found
}

func TestWriteWACZErrors(t *testing.T) {
	data, _ := sample(t)
	broken := errors.New("store gone")
	err := WriteWACZ(io.Discard, WACZ{Records: func(yield func(io.Reader, error) bool) {
		_ = yield(bytes.NewReader(data[:100]), nil) && yield(nil, broken)
	}})
	if !errors.Is(err, broken) {
		t.Errorf("WriteWACZ = %v, want the error of its source", err)
	}
	if err := WriteWACZ(io.Discard, WACZ{Records: oneReader(data[:len(data)-9])}); !isCut(err) {
		t.Errorf("WriteWACZ of a cut record = %v, want unexpected EOF", err)
	}
}

// TestCheckWACZFaults makes packages with one fault each.
func TestCheckWACZFaults(t *testing.T) {
	data, ends := sample(t)
	good := writeWACZ(t, data)
	type files = map[string][]byte
	for _, tc := range []struct {
		name   string
		change func(f files)
		want   []string
	}{
		{"nothing", func(files) {}, nil},
		{"record byte", func(f files) { f[waczArchive][ends[0]+60] ^= 4 }, []string{"error digest", "error format"}},
		{"record gone", func(f files) { f[waczArchive] = f[waczArchive][ends[0]:] }, []string{"error digest", "error wacz", "note outside", "note position", "warning order"}},
		{"page changed", func(f files) { f[waczPages] = bytes.Replace(f[waczPages], []byte("/tos"), []byte("/top"), 1) }, []string{"error digest", "warning pages"}},
		{"page without time", func(f files) {
			f[waczPages] = append(f[waczPages], "{\"url\":\"https://x.example/tos\"}\n"...)
			relist(t, f)
		}, []string{"error pages"}},
		{"index of nothing", func(f files) {
			f[waczIndex] = bytes.Replace(f[waczIndex], []byte(`"offset":"`), []byte(`"offset":"9`), 1)
			relist(t, f)
		}, []string{"error index", "warning index"}},
		{"index not CDXJ", func(f files) { f[waczIndex] = []byte("hello\n"); relist(t, f) }, []string{"error index", "warning index"}},
		{"no index", func(f files) { delete(f, waczIndex); relist(t, f) }, []string{"error wacz"}},
		{"no pages", func(f files) { delete(f, waczPages); relist(t, f) }, []string{"error wacz"}},
		{"no WARC", func(f files) { delete(f, waczArchive); relist(t, f) }, []string{"error wacz"}},
		{"listed and gone", func(f files) { delete(f, waczPages) }, []string{"error wacz", "error wacz"}},
		{"unlisted", func(f files) { f["notes.txt"] = []byte("x") }, []string{"error wacz"}},
		{"description changed", func(f files) {
			f[waczPackage] = bytes.Replace(f[waczPackage], []byte("Terms"), []byte("Herms"), 1)
		}, []string{"error digest"}},
		{"no description", func(f files) { delete(f, waczPackage) }, []string{"error wacz"}},
		{"description broken", func(f files) { f[waczPackage] = []byte("{") }, []string{"error wacz"}},
		{"no digest", func(f files) { delete(f, waczDigest) }, []string{"warning wacz"}},
		{"leads out", func(f files) { f["../evil"] = []byte("x") }, []string{"error zip"}},
		{"absolute", func(f files) { f["/etc/passwd"] = []byte("x") }, []string{"error zip"}},
		{"backslash", func(f files) { f[`archive\..\..\x`] = []byte("x") }, []string{"error zip"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := unzip(t, good)
			tc.change(f)
			_, got := checkWACZ(t, rezip(t, f))
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
	if _, found := checkWACZ(t, []byte("not a ZIP")); len(found) != 1 || found[0] != "error zip" {
		t.Errorf("findings about no ZIP: %q", found)
	}
	if _, found := checkWACZ(t, good[:len(good)/2]); len(found) != 1 || found[0] != "error zip" {
		t.Errorf("findings about half a ZIP: %q", found)
	}
	if _, found := checkWACZ(t, bomb(t)); !slices.Contains(found, "error zip") {
		t.Errorf("findings about a bomb: %q", found)
	}
}

// bomb returns a ZIP with a file that says it expands to 8 GiB.
func bomb(t testing.TB) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	w := must[io.Writer](t)(z.CreateRaw(&zip.FileHeader{Name: waczPages, Method: zip.Deflate, UncompressedSize64: 8 << 30, CompressedSize64: 2}))
	if _, err := w.Write([]byte{3, 0}); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func unzip(t testing.TB, file []byte) map[string][]byte {
	t.Helper()
	all := map[string][]byte{}
	for _, f := range must[*zip.Reader](t)(zip.NewReader(bytes.NewReader(file), int64(len(file)))).File {
		all[f.Name] = must[[]byte](t)(io.ReadAll(must[io.ReadCloser](t)(f.Open())))
	}
	return all
}

func rezip(t testing.TB, files map[string][]byte) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for name, data := range files {
		w := must[io.Writer](t)(z.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Store}))
		if _, err := w.Write(data); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// relist puts the digests of a changed package right.
func relist(t testing.TB, files map[string][]byte) {
	t.Helper()
	var d waczDataPackage
	if err := json.Unmarshal(files[waczPackage], &d); err != nil {
		t.Fatal(err)
	}
	d.Resources = slices.DeleteFunc(d.Resources, func(r waczResource) bool { return files[r.Path] == nil })
	for i := range d.Resources {
		r := &d.Resources[i]
		r.Hash, r.Bytes = SumSHA256(files[r.Path]).String(), int64(len(files[r.Path]))
	}
	files[waczPackage] = must[[]byte](t)(jsonLine(d))
	files[waczDigest] = must[[]byte](t)(jsonLine(waczPackageDigest{waczPackage, SumSHA256(files[waczPackage]).String()}))
}

// FuzzWACZ checks any bytes: no panic and no end without an answer.
func FuzzWACZ(f *testing.F) {
	data, _ := sample(f)
	good := writeWACZ(f, data)
	f.Add(good)
	f.Add(good[:len(good)-30])
	f.Add(bomb(f))
	f.Fuzz(func(t *testing.T, file []byte) {
		report, err := CheckWACZ(bytes.NewReader(file), int64(len(file)), func(f Finding) error {
			if strings.ContainsAny(f.String(), "\x00") {
				t.Errorf("finding with a zero byte: %q", f)
			}
			return nil
		})
		if err == nil && report.Records == 0 && report.Errors == 0 {
			t.Errorf("nothing was read and nothing is wrong: %+v", report)
		}
	})
}
