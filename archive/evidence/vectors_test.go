package evidence

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/cryptotest"
	"time"

	"crypto/x509"

	"github.com/google/go-cmp/cmp"

	"github.com/fineprint-archive/fineprint/archive/anchor"
	"github.com/fineprint-archive/fineprint/archive/anchor/anchortest"
	"github.com/fineprint-archive/fineprint/warc"
)

// vector is a bundle with the verdict that it must get. testdata/README.md
// explains the file made of them.
type vector struct {
	Name    string   `json:"name"`
	About   string   `json:"about"`
	File    string   `json:"file"`
	Policy  string   `json:"policy"`  // policy.txt, log.vkey, or "" for none
	Roots   bool     `json:"roots"`   // whether tsa-roots.pem and tls-roots.pem are trusted
	Exit    int      `json:"exit"`    // of verify
	False   []string `json:"false"`   // claims
	Unknown []string `json:"unknown"` // claims
	Script  int      `json:"script"`  // exit of verify.sh with the same policy and roots
	make    func(w *world) []byte
}

func vectors() []vector {
	good := func(name, about string, f func(*world) []byte) vector {
		return vector{Name: name, About: about, Policy: "policy.txt", Roots: true, make: f}
	}
	bad := func(name, about string, claims []string, script int, f func(*world) []byte) vector {
		return vector{Name: name, About: about, Policy: "policy.txt", Roots: true, Exit: 1, False: claims, Script: script, make: f}
	}
	open := func(name, about string, claims []string, script int, f func(*world) []byte) vector {
		return vector{Name: name, About: about, Policy: "policy.txt", Roots: true, Exit: 4, Unknown: claims, Script: script, make: f}
	}
	full := func(w *world) []byte { return w.bundle(w.parts(4)) }
	of := func(n int64, name string, f func([]byte) []byte) func(*world) []byte {
		return func(w *world) []byte { return w.change(w.parts(n), name, f) }
	}
	list := func(s ...string) []string { return s }
	return []vector{
		good("full", "a changed page over TLS, with everything that a bundle can have", full),
		good("revisit", "a page with the bytes of an earlier look", func(w *world) []byte { return pack(w.t, w.lean(w.parts(3))) }),
		good("failed", "a look that failed: there are no records but the manifest", func(w *world) []byte { return pack(w.t, w.lean(w.parts(2))) }),
		good("range", "a look with every look of its source before it", func(w *world) []byte { return pack(w.t, w.lean(w.between())) }),
		good("private", "a look at a private source, with the salt that opens its commitments", func(w *world) []byte { return pack(w.t, w.lean(w.private())) }),
		{Name: "bare", About: "the first look, in a log that nobody outside anchored; only the key is known", Policy: "log.vkey", make: func(w *world) []byte { return pack(w.t, w.lean(w.bare())) }},

		{Name: "no-policy", About: "full, by a verifier who knows no log: its own copy of the key does not count", File: "full", Roots: true, Exit: 4, Unknown: list("log", "witnesses", "tls", "consistency"), Script: 4},
		{Name: "key-only", About: "full, by a verifier who knows the key of the log and nobody else", File: "full", Policy: "log.vkey", Exit: 4, Unknown: list("witnesses", "timestamp", "tls", "time"), Script: 4},

		bad("sums-changed", "a file is not what SHA256SUMS says", list("files", "records"), 1, func(w *world) []byte {
			all := take(w.t, pack(w.t, w.lean(w.bare())))
			all[nameDeclaration] = append(all[nameDeclaration], ' ')
			return pack(w.t, all)
		}),
		bad("sums-stray", "a file is not listed in SHA256SUMS", list("files"), 1, func(w *world) []byte {
			all := take(w.t, pack(w.t, w.lean(w.bare())))
			all["extra.txt"] = []byte("read me first\n")
			return pack(w.t, all)
		}),
		bad("sums-missing", "a file of SHA256SUMS is not there", list("files"), 1, func(w *world) []byte {
			all := take(w.t, pack(w.t, w.lean(w.bare())))
			delete(all, nameDeclaration)
			return pack(w.t, all)
		}),
		bad("leaf-changed", "one digit of the leaf is another", list("log"), 1, of(2, nameLeaf, replace(`"offset":`, `"offset":1`))),
		bad("proof-changed", "one hash of the inclusion proof is another", list("log"), 1, of(2, nameProof, flipNext("index "))),
		bad("log-signature", "the signature of the log on the checkpoint is wrong", list("log", "timestamp"), 1, of(2, nameCheckpoint, flip("— "+testOrigin))),
		{Name: "log-forged", About: "a log of the same origin under another key", Policy: "log.vkey", Exit: 4, Unknown: list("log"), Script: 4, make: func(w *world) []byte { return pack(w.t, w.lean(w.forged())) }},
		bad("witness-signature", "a cosignature is wrong", list("witnesses"), 1, of(2, nameCosigned, flip("— w2.example/b"))),
		open("witness-quorum", "one of two cosignatures that the policy asks for is not there", list("witnesses"), 4, func(w *world) []byte {
			p := w.parts(2)
			p.Cosigned = append(slices.Clone(p.Checkpoint), w.cosignAt(hour(11, 20), p.Checkpoint, w.w1)...)
			return pack(w.t, w.lean(p))
		}),
		bad("token-other-bytes", "a timestamp of another checkpoint", list("timestamp"), 1, func(w *world) []byte {
			p := w.parts(2)
			p.Anchors = w.stampAt(hour(11, 30), w.third.Raw, "one")
			return pack(w.t, w.lean(p))
		}),
		open("token-rogue", "a timestamp of an authority that is not under the roots", list("timestamp"), 1, func(w *world) []byte {
			p := w.parts(2)
			p.Anchors = w.rogue(anchortest.TSAConfig{Name: "one", Now: func() time.Time { return hour(11, 30) }})
			return pack(w.t, w.lean(p))
		}),
		bad("record-changed", "the response is another one, and says so of itself", list("records"), 1, func(w *world) []byte { return w.swapped(w.bare(), w.altered(false)) }),
		bad("manifest-changed", "all records are others, manifest included", list("records"), 1, func(w *world) []byte { return w.swapped(w.bare(), w.altered(true)) }),
		bad("record-cut", "the WARC ends within a record", list("records"), 1, of(2, nameWARC, func(b []byte) []byte { return b[:len(b)-20] })),
		bad("record-strange", "the WARC holds a look that the bundle does not prove", list("records"), 1, func(w *world) []byte { return w.swapped(w.bare(), w.stranger()) }),
		bad("record-extra", "the WARC holds a response that no look made", list("records"), 1, func(w *world) []byte {
			l := w.looks[1]
			id := l.manifest.Payload.Record
			return w.swapped(w.bare(), slices.Concat(l.extract, w.forgedRecord(l.records[id], id[:len(id)-12], "urn:uuid:00000000-0000-8000-8000-")))
		}),
		bad("range-first", "the response of the first look of a range is another one, and says so of itself", list("records"), 1, func(w *world) []byte {
			l := w.looks[1]
			other := w.forgedRecord(l.records[l.manifest.Payload.Record], "yours", "OURS.")
			return w.swapped(w.between(), slices.Concat(bytes.Replace(l.extract, l.records[l.manifest.Payload.Record], other, 1), w.looks[4].extract))
		}),
		bad("leaf-lies", "the leaf is in the log and says another status than the manifest", list("records"), 0, func(w *world) []byte { return pack(w.t, w.lean(w.liar())) }),
		bad("members-changed", "members.txt is not the table of the WARC", list("records"), 1, of(2, nameMembers, replace(" metadata ", " response "))),
		bad("refers-changed", "the proof of the record that the page repeats is of another look", list("refers"), 1, func(w *world) []byte {
			p := w.parts(3)
			p.Refers[0].Manifest = w.looks[2].member
			return pack(w.t, w.lean(p))
		}),
		bad("refers-record", "the record that the page repeats is another one, and says so of itself", list("records"), 1, func(w *world) []byte { return w.referred("yours", "OURS.") }),
		bad("refers-head", "the record that the page repeats has other headers and the same page", list("refers"), 1, func(w *world) []byte { return w.referred("HTTP/1.1 200 OK", "HTTP/1.1 203 OK") }),
		bad("refers-range", "the record that the first look of a range repeats has other headers and the same page", list("refers"), 1, func(w *world) []byte {
			p := w.parts(4)
			p.Prev, p.Between = nil, []Proven{w.proven(w.looks[3], w.second)}
			p.Refers = w.parts(3).Refers
			same := w.looks[1].records[w.looks[3].manifest.SameAs.Record]
			warcOf := func(first []byte) []byte { return slices.Concat(first, w.looks[3].extract, w.looks[4].extract) }
			return w.swapped(withWARC(p, warcOf(same)), warcOf(w.forgedRecord(same, "HTTP/1.1 200 OK", "HTTP/1.1 203 OK")))
		}),
		open("refers-missing", "nothing shows that the log holds the record that the page repeats", list("refers"), 4, func(w *world) []byte {
			p := w.parts(3)
			p.Refers = nil
			return pack(w.t, w.lean(p))
		}),
		bad("handshake-anchor", "the anchors to which the handshake commits are others", list("tls"), 0, of(4, nameList, replace("one.tsr", "two.tsr"))),
		bad("handshake-token", "a timestamp to which the handshake commits is another", list("tls"), 0, func(w *world) []byte {
			p := w.parts(4)
			c := *p.Committed
			c.Files = append(w.stampAt(hour(7, 0), w.first.Raw, "one"), c.Files[2])
			p.Committed = &c
			return pack(w.t, w.lean(p))
		}),
		bad("handshake-younger", "a later timestamp of the checkpoint stands beside those to which the handshake commits", list("tls"), 0, func(w *world) []byte {
			p := w.parts(4)
			c := *p.Committed
			c.Files = slices.Concat(c.Files, w.stampAt(hour(10, 59), w.first.Raw, "two"))
			p.Committed = &c
			return pack(w.t, w.lean(p))
		}),
		bad("clock", "the look says a later time than those who stamped it", list("time"), 0, func(w *world) []byte { return pack(w.t, w.lean(w.late())) }),
		bad("series-prev", "the look before is not the one that the leaf names", list("series"), 0, func(w *world) []byte {
			p := w.parts(3)
			prev := w.proven(w.looks[1], w.second)
			p.Prev = &prev
			return pack(w.t, w.lean(p))
		}),
		bad("series-gap", "a look of the range is left out", list("series"), 1, func(w *world) []byte {
			p := w.between()
			p.Between = slices.Delete(p.Between, 1, 2)
			return pack(w.t, w.lean(p))
		}),
		bad("consistency", "the newer checkpoint does not continue this one", list("consistency"), 0, of(2, nameNewer, flipNext("old "))),
		bad("wacz", "the package for replay programs holds other records", list("wacz"), 4, func(w *world) []byte {
			p := w.bare()
			all := w.lean(p)
			all[nameWACZ] = take(w.t, w.bundle(w.parts(2)))[nameWACZ]
			return pack(w.t, all)
		}),
		bad("wacz-more", "the package for replay programs holds records of another look besides", list("wacz"), 0, func(w *world) []byte {
			all, other := take(w.t, w.bundle(w.between())), take(w.t, w.bundle(w.parts(2)))
			all[nameWACZ] = w.joined(all[nameWACZ], other[nameWACZ])
			for _, name := range leanWithout {
				if name != nameWACZ {
					delete(all, name)
				}
			}
			return pack(w.t, all)
		}),
		bad("text-changed", "the text of the page is another one than derived.json says", list("text"), 0, of(4, "text.md", replace("train", "please"))),
		bad("text-missing", "derived.json names a redline that is not there", list("text"), 0, of(4, "redline.html", remove)),
		bad("text-stray", "a text that derived.json does not name", list("text"), 4, func(w *world) []byte {
			all := w.lean(w.bare())
			all["text.md"] = []byte("Your posts are yours forever.\n")
			return pack(w.t, all)
		}),
		bad("text-payload", "derived.json says that the text is made of another payload than the one of the look", list("text"), 0, of(4, nameDerived, func(b []byte) []byte {
			at := bytes.Index(b, []byte("sha256:")) + len("sha256:")
			copy(b[at:], "0000")
			return b
		})),
		open("private-closed", "a look at a private source without its salt", list("records"), 0, func(w *world) []byte { return w.change(w.private(), nameSalt, remove) }),
		bad("private-salt", "a look at a private source with another salt", list("records"), 0, func(w *world) []byte {
			return w.change(w.private(), nameSalt, func(b []byte) []byte { return append([]byte("00"), b[2:]...) })
		}),
		bad("zip-path", "a name that leads out of the folder", list("files"), -1, func(w *world) []byte { return w.raw(func(h *zip.FileHeader) { h.Name = "../" + h.Name }) }),
		bad("zip-double", "a name stands twice", list("files"), -1, func(w *world) []byte { return w.raw(func(h *zip.FileHeader) { h.Name = nameLeaf }) }),
		bad("zip-case", "two names differ by case only", list("files"), -1, func(w *world) []byte { return w.raw(func(h *zip.FileHeader) { h.Name = "Leaf.json" }) }),
		bad("zip-link", "a symbolic link", list("files"), -1, func(w *world) []byte { return w.raw(func(h *zip.FileHeader) { h.SetMode(fs.ModeSymlink | 0o777) }) }),
		bad("zip-deflated", "compressed files, which could expand beyond all measure", list("files"), -1, func(w *world) []byte { return w.rawMethod(zip.Deflate, func(*zip.FileHeader) {}) }),
		bad("zip-front", "bytes before the first file", list("files"), -1, func(w *world) []byte { return append([]byte("#!/bin/sh\n"), pack(w.t, w.lean(w.bare()))...) }),
		bad("zip-cut", "the end is not there", list("files"), -1, func(w *world) []byte { b := pack(w.t, w.lean(w.bare())); return b[:len(b)/2] }),

		good("observed", "two receipts: what the Wayback Machine has of the page, an hour and a day and a half later", func(w *world) []byte { return pack(w.t, w.lean(w.observed())) }),
		{Name: "observed-different", About: "a receipt that says that the Wayback Machine was shown another text, which is a true claim", Policy: "log.vkey", make: func(w *world) []byte {
			return pack(w.t, w.lean(w.observeFirst(func(s *readBackSpec) {
				s.body, s.facts = changedTerms, warc.Facts{Content: warc.FactDifferent, Index: warc.FactDifferent, Replay: warc.FactSame, Text: warc.FactDifferent}
			})))
		}},
		bad("observed-receipt", "a receipt is another one than follows from its look", list("observer"), 4, func(w *world) []byte {
			return w.change(w.observeFirst(nil), "wayback/1.receipt.json", replace(`"text":"same"`, `"text":"variant"`))
		}),
		bad("observed-unproven", "a hash of the inclusion proof of a receipt is another", list("observer"), 4, func(w *world) []byte {
			return w.change(w.observeFirst(nil), "wayback/1.receipt.tlog-proof", flipNext("index "))
		}),
		bad("observed-fact", "the log has a receipt that says that the bytes are the same, and the records say otherwise", list("observer"), 4, func(w *world) []byte {
			return pack(w.t, w.lean(w.observeFirst(func(s *readBackSpec) { s.body = changedTerms })))
		}),
		bad("observed-index", "the answer of the index that is kept does not list the capture", list("observer"), 4, func(w *world) []byte {
			return pack(w.t, w.lean(w.observeFirst(func(s *readBackSpec) { s.row = "[]\n" })))
		}),
		bad("observed-other", "a receipt about another look", list("observer"), 4, func(w *world) []byte {
			return pack(w.t, w.lean(w.observeFirst(func(s *readBackSpec) { s.of = w.looks[4] })))
		}),
		bad("observed-records", "a record of the Wayback Machine's answers is cut", list("observer"), 4, func(w *world) []byte {
			return w.change(w.observeFirst(nil), nameWayback, func(b []byte) []byte { return b[:len(b)-20] })
		}),
	}
}

const vectorFile = "vectors.json"

// TestVectors holds Verify to the table, over the files that others use too.
func TestVectors(t *testing.T) {
	if *update {
		writeVectors(t)
	}
	var listed []vector
	if err := json.Unmarshal(must[[]byte](t)(os.ReadFile(filepath.Join("testdata", vectorFile))), &listed); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(table(), listed, cmp.FilterPath(func(p cmp.Path) bool { return p.Last().String() == ".make" }, cmp.Ignore())); diff != "" {
		t.Errorf("%s is not the table of this test; write it with -update (-table +file):\n%s", vectorFile, diff)
	}
	bundles := readVectors(t)
	for _, v := range listed {
		t.Run(v.Name, func(t *testing.T) {
			data, ok := bundles[v.File]
			if !ok {
				t.Fatalf("no file %s", v.File)
			}
			r := verify(t, data, v.policy(t))
			got := vector{Exit: r.ExitCode(), False: claims(r, False), Unknown: claims(r, Unknown)}
			want := vector{Exit: v.Exit, False: v.False, Unknown: v.Unknown}
			if v.Exit == 1 {
				want.Unknown = got.Unknown // what rests on a false claim is its reader's to say
			}
			if diff := cmp.Diff(want, got, cmp.AllowUnexported(vector{}), cmp.FilterPath(func(p cmp.Path) bool { return p.Last().String() == ".make" }, cmp.Ignore())); diff != "" {
				t.Errorf("verdict (-want +got):\n%s%s", diff, text(r))
			}
		})
	}
}

func claims(r *Report, v Verdict) []string {
	var names []string
	for _, c := range r.Claims {
		if c.Verdict == v && !slices.Contains(names, c.Name) {
			names = append(names, c.Name)
		}
	}
	return names
}

// table returns the vectors as the file has them.
func table() []vector {
	all := vectors()
	for i, v := range all {
		if v.File == "" {
			v.File = v.Name
		}
		v.File += ".evidence.zip"
		all[i] = v
	}
	return all
}

// policy returns the trust of the verifier of a vector.
func (v vector) policy(t testing.TB) (p Policy) {
	t.Helper()
	read := func(name string) []byte { return must[[]byte](t)(os.ReadFile(filepath.Join("testdata", name))) }
	if v.Policy != "" {
		p.Logs = must[*anchor.Policy](t)(ParseTrust(read(v.Policy)))
	}
	p.WebRoots = x509.NewCertPool()
	if v.Roots {
		p.TSARoots = must[anchor.Roots](t)(anchor.ParseRoots(read("tsa-roots.pem")))
		p.WebRoots.AppendCertsFromPEM(read("tls-roots.pem"))
	}
	return p
}

func readVectors(t testing.TB) map[string][]byte {
	t.Helper()
	f := must[*os.File](t)(os.Open(filepath.Join("testdata", "bundles.tar.gz")))
	defer f.Close()
	r := tar.NewReader(must[*gzip.Reader](t)(gzip.NewReader(f)))
	all := map[string][]byte{}
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		all[h.Name] = must[[]byte](t)(io.ReadAll(r))
	}
}

// writeVectors makes all files of testdata that belong to vectors, from fixed keys
// and clocks.
func writeVectors(t *testing.T) {
	cryptotest.SetGlobalRandom(t, 20241017)
	w := newWorld(t)
	var out bytes.Buffer
	z := must[*gzip.Writer](t)(gzip.NewWriterLevel(&out, gzip.BestCompression))
	tw := tar.NewWriter(z)
	for _, v := range table() {
		if v.make == nil {
			continue
		}
		data := v.make(w)
		if err := tw.WriteHeader(&tar.Header{Name: v.File, Mode: 0o644, Size: int64(len(data)), Format: tar.FormatUSTAR}); err != nil {
			t.Fatal(err)
		}
		if _, err := tw.Write(data); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(tw.Close(), z.Close()); err != nil {
		t.Fatal(err)
	}
	list := must[[]byte](t)(json.MarshalIndent(table(), "", "\t"))
	for name, data := range map[string][]byte{
		"bundles.tar.gz": out.Bytes(), vectorFile: append(list, '\n'),
		"policy.txt": []byte(w.policy), "log.vkey": []byte(w.key.Public + "\n"), "tsa-roots.pem": w.roots, "tls-roots.pem": w.webPEM,
	} {
		if err := os.WriteFile(filepath.Join("testdata", name), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
