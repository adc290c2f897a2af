package evidence

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/fineprint-archive/fineprint/archive/anchor"
	"github.com/fineprint-archive/fineprint/archive/anchor/anchortest"
	"github.com/fineprint-archive/fineprint/archive/tlog"
	"github.com/fineprint-archive/fineprint/warc"
)

// files is a bundle taken apart.
type files map[string][]byte

// papers are left out of broken vectors, to keep them small.
var leanWithout = []string{nameReadme, nameReport, nameScript, nameCitation, nameCertificate, nameTLSReadme, nameAbsent, nameRun, nameWACZ, namePolicy, nameKey, nameSums}

func take(t testing.TB, data []byte) files {
	t.Helper()
	out := files{}
	for _, f := range must[*zip.Reader](t)(zip.NewReader(bytes.NewReader(data), int64(len(data)))).File {
		r := must[io.ReadCloser](t)(f.Open())
		out[f.Name] = must[[]byte](t)(io.ReadAll(r))
		r.Close()
	}
	return out
}

// lean returns the files of a bundle that a machine checks.
func (w *world) lean(p Parts) files {
	f := take(w.t, w.bundle(p))
	for _, name := range leanWithout {
		delete(f, name)
	}
	return f
}

// pack makes a bundle of files, with a SHA256SUMS of them unless they have one.
func pack(t testing.TB, f files) []byte {
	t.Helper()
	var all []*content
	for _, name := range slices.Sorted(maps.Keys(f)) {
		all = append(all, must[*content](t)(newContent(name, writer(f[name]))))
	}
	if f[nameSums] == nil {
		all = append(all, must[*content](t)(newContent(nameSums, func(w io.Writer) error { return writeSums(w, all) })))
	}
	slices.SortFunc(all, func(a, b *content) int { return strings.Compare(a.name, b.name) })
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, c := range all {
		if err := c.writeTo(z); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func writer(data []byte) func(io.Writer) error {
	return func(w io.Writer) error { _, err := w.Write(data); return err }
}

// change packs the files of a bundle with one of them changed.
func (w *world) change(p Parts, name string, f func([]byte) []byte) []byte {
	w.t.Helper()
	all := w.lean(p)
	before := all[name]
	if before == nil {
		w.t.Fatalf("the bundle has no %s", name)
	}
	after := f(slices.Clone(before))
	if bytes.Equal(before, after) {
		w.t.Fatalf("%s was not changed", name)
	}
	all[name] = after
	if after == nil {
		delete(all, name)
	}
	return pack(w.t, all)
}

func remove([]byte) []byte { return nil }

// flip changes one letter or digit of base64 or hexadecimal near the end of a line
// that begins with prefix.
func flip(prefix string) func([]byte) []byte {
	return func(b []byte) []byte {
		at := bytes.Index(b, []byte(prefix))
		end := at + bytes.IndexByte(b[at:], '\n')
		if b[end-10] == 'A' {
			b[end-10] = 'B'
		} else {
			b[end-10] = 'A'
		}
		return b
	}
}

// flipNext is flip on the line behind the one that begins with prefix.
func flipNext(prefix string) func([]byte) []byte {
	return func(b []byte) []byte {
		at := bytes.Index(b, []byte(prefix))
		at += bytes.IndexByte(b[at:], '\n') + 1
		return append(b[:at:at], flip("")(b[at:])...)
	}
}

func replace(old, new string) func([]byte) []byte {
	return func(b []byte) []byte { return bytes.Replace(b, []byte(old), []byte(new), 1) }
}

// raw packs one file under a name and header that WriteBundle would never write.
func (w *world) raw(change func(*zip.FileHeader)) []byte {
	return w.rawMethod(zip.Store, change)
}

func (w *world) rawMethod(method uint16, change func(*zip.FileHeader)) []byte {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	all := w.lean(w.bare())
	names := slices.Sorted(maps.Keys(all))
	for i, name := range names {
		h := &zip.FileHeader{Name: name, Method: method}
		if i == len(names)-1 {
			change(h)
		}
		f := must[io.Writer](w.t)(z.CreateHeader(h))
		if err := writer(all[name])(f); err != nil {
			w.t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		w.t.Fatal(err)
	}
	return b.Bytes()
}

// bare is a bundle of look 1 that nobody anchored.
func (w *world) bare() Parts {
	p := w.parts(1)
	p.Cosigned, p.Newer, p.Anchors = nil, nil, nil
	return p
}

// private returns the parts of a look at a private source, in a log of its own.
func (w *world) private() Parts {
	salt := SourceSalt([]byte("a secret of the operator"), testSource)
	l := w.makeLook(lookSpec{n: 1, at: hour(14, 0), body: "<p>Members only.</p>"})
	l.entry = must[Entry](w.t)(l.entry.Private(salt))
	p := w.ownLog(l)
	p.Salt = salt
	return p
}

// ownLog appends the entry of a look and returns the parts of a bundle of it.
func (w *world) ownLog(l *madeLook) Parts {
	cp := w.append(l.entry)
	l.index = int64(len(w.leaves) - 1)
	return withWARC(Parts{Look: w.proven(l, cp), Checkpoint: cp.Raw, Anchors: w.stampAt(hour(14, 30), cp.Raw, "one"),
		Cosigned: append(slices.Clone(cp.Raw), w.cosignAt(hour(14, 20), cp.Raw, w.w1, w.w2)...), Tool: testTool, Created: hour(15, 0)}, l.extract)
}

// liar returns a bundle whose leaf says something else than its manifest.
func (w *world) liar() Parts {
	l := w.makeLook(lookSpec{n: 1, at: hour(14, 0), body: "<p>Gone.</p>"})
	l.entry.Status = 404
	return w.ownLog(l)
}

// late returns a bundle of a look whose clock was ahead of those who stamped it.
func (w *world) late() Parts {
	return w.ownLog(w.makeLook(lookSpec{n: 1, at: hour(18, 0), body: "<p>From the future.</p>"}))
}

// forged returns parts of a log of the same origin under another key.
func (w *world) forged() Parts {
	other := *w
	other.leaves, other.looks = nil, map[int64]*madeLook{}
	other.key = must[tlog.Key](w.t)(tlog.GenerateKey(w.random, testOrigin))
	l := w.makeLook(lookSpec{n: 1, at: hour(8, 0), body: "<p>We never said that.</p>"})
	other.openLog()
	cp := other.append(l.entry)
	p := Parts{Look: other.proven(l, cp), Checkpoint: cp.Raw, LogKey: other.key.Public, Tool: testTool, Created: hour(13, 0)}
	return withWARC(p, l.extract)
}

// rogue stamps the checkpoint by an authority of the same names.
func (w *world) rogue(cfg anchortest.TSAConfig) []File {
	cfg.NoCRL = true
	tsa := must[*anchortest.TSA](w.t)(anchortest.NewTSA(cfg))
	defer tsa.Close()
	roots := must[anchor.Roots](w.t)(anchor.ParseRoots(tsa.Roots))
	stamper := &anchor.Stamper{Now: cfg.Now, Rand: w.random}
	tok := must[anchor.Token](w.t)(stamper.Stamp(w.t.Context(), anchor.Authority{Name: "one", URL: tsa.URL, Roots: roots}, w.second.Raw))
	return []File{{"one.tsr", tok.TSR}, {"one.pem", tok.Evidence}}
}

// altered returns the records of look 1 with another body: each record sound by
// itself, and a manifest that says so too if whole is set.
func (w *world) altered(whole bool) []byte {
	good := w.looks[1]
	other := w.makeLook(lookSpec{n: 1, at: hour(8, 0), body: "<p>Your posts are OURS.</p>"})
	if whole {
		return other.extract
	}
	// The other response under the good manifest.
	return slices.Concat(other.extract[:len(other.extract)-len(other.member)], good.member)
}

// forgedRecord returns the gzip member of a record in which one text stands for another of
// the same length, with the digests that fit.
func (w *world) forgedRecord(member []byte, old, new string) []byte {
	w.t.Helper()
	rec := must[[]byte](w.t)(io.ReadAll(must[*gzip.Reader](w.t)(gzip.NewReader(bytes.NewReader(member)))))
	other := bytes.ReplaceAll(rec, []byte(old), []byte(new))
	if len(old) != len(new) || bytes.Equal(rec, other) {
		w.t.Fatalf("%q does not become %q in the record", old, new)
	}
	block := func(b []byte) []byte {
		_, rest, _ := bytes.Cut(b, []byte("\r\n\r\n"))
		return rest[:len(rest)-len("\r\n\r\n")]
	}
	payload := func(b []byte) []byte {
		_, rest, _ := bytes.Cut(block(b), []byte("\r\n\r\n"))
		return rest
	}
	other = bytes.ReplaceAll(other, []byte(warc.SumSHA256(block(rec)).Hex()), []byte(warc.SumSHA256(block(other)).Hex()))
	other = bytes.ReplaceAll(other, []byte(warc.SumSHA1(payload(rec)).Base32()), []byte(warc.SumSHA1(payload(other)).Base32()))
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write(other); err != nil {
		w.t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		w.t.Fatal(err)
	}
	return b.Bytes()
}

// referred returns a bundle of look 3 in which the record of look 1 that it repeats
// has one text for another.
func (w *world) referred(old, new string) []byte {
	l := w.looks[3]
	return w.swapped(w.parts(3), slices.Concat(w.forgedRecord(w.looks[1].records[l.manifest.SameAs.Record], old, new), l.extract))
}

// joined returns a WACZ with the records of another one in a second WARC, and all
// that a WACZ says of itself made to fit.
func (w *world) joined(data, other []byte) []byte {
	all, more := take(w.t, data), take(w.t, other)
	const index, list, second = "indexes/index.cdx", "datapackage.json", "archive/more.warc.gz"
	all[second] = more[waczWARC]
	lines := slices.Collect(bytes.Lines(slices.Concat(all[index], bytes.ReplaceAll(more[index], []byte(`"data.warc.gz"`), []byte(`"more.warc.gz"`)))))
	slices.SortFunc(lines, bytes.Compare)
	all[index] = bytes.Join(lines, nil)
	var about map[string]any
	if err := json.Unmarshal(all[list], &about); err != nil {
		w.t.Fatal(err)
	}
	var resources []map[string]any
	for name, data := range all {
		if folder, file, ok := strings.Cut(name, "/"); ok && folder != "" {
			resources = append(resources, map[string]any{"name": file, "path": name, "hash": warc.SumSHA256(data).String(), "bytes": len(data)})
		}
	}
	slices.SortFunc(resources, func(a, b map[string]any) int { return strings.Compare(a["path"].(string), b["path"].(string)) })
	about["resources"] = resources
	all[list] = must[[]byte](w.t)(json.Marshal(about))
	all["datapackage-digest.json"] = fmt.Appendf(nil, `{"path":%q,"hash":%q}`, list, warc.SumSHA256(all[list]).String())
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		f := must[io.Writer](w.t)(z.CreateHeader(&zip.FileHeader{Name: name}))
		if err := writer(all[name])(f); err != nil {
			w.t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		w.t.Fatal(err)
	}
	return b.Bytes()
}

// stranger returns the records of two looks of which the bundle proves one.
func (w *world) stranger() []byte { return slices.Concat(w.looks[1].extract, w.looks[2].extract) }

// swapped replaces capture.warc.gz and what repeats it.
func (w *world) swapped(p Parts, data []byte) []byte {
	all := w.lean(p)
	c := must[*contents](w.t)(readContents(bytes.NewReader(data)))
	all[nameWARC], all[nameMembers] = data, c.table()
	return pack(w.t, all)
}
