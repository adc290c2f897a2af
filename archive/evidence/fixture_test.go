package evidence

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	mathrand "math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/fineprint-archive/fineprint/archive/anchor"
	"github.com/fineprint-archive/fineprint/archive/anchor/anchortest"
	"github.com/fineprint-archive/fineprint/archive/store"
	"github.com/fineprint-archive/fineprint/archive/tlog"
	"github.com/fineprint-archive/fineprint/warc"
	"github.com/fineprint-archive/fineprint/warc/handshake"
)

const (
	testOrigin = "log.example/policies"
	testURL    = "https://x.example/tos"
	testHost   = "x.example"
	testSource = "b0e2411edd372d3b"
	testTool   = "fineprint 0.2.0"
)

// hour returns a moment of the day on which all tests play.
func hour(h, m int) time.Time {
	return time.Date(2024, 10, 17, h, m, 0, 0, time.UTC)
}

func must[T any](t testing.TB) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// world is a log with a history of one source, and the outside parties.
type world struct {
	t      testing.TB
	random io.Reader

	key     tlog.Key
	log     *tlog.Log
	reader  *tlog.Reader
	leaves  [][]byte
	w1, w2  *cosigner
	policy  string // C2SP tlog-policy
	tsas    map[string]*anchortest.TSA
	now     time.Time // of the timestamp authorities
	roots   []byte    // of both of them, PEM
	webRoot *x509.CertPool
	webPEM  []byte
	webKey  tls.Certificate

	looks map[int64]*madeLook
	list  AnchorList // about checkpoint first
	text  []byte     // of list
	files []File     // that list names

	first, second, third tlog.Checkpoint
}

// madeLook is a look as it lies in a WARC of the archive.
type madeLook struct {
	manifest *warc.Manifest
	id       string
	sha256   warc.Digest
	entry    Entry
	index    int64
	warc     []byte // the whole file
	extract  []byte // what an export takes of it, without what revisits refer to
	records  map[string][]byte
	member   []byte // of the manifest
}

func newWorld(t testing.TB) *world {
	t.Helper()
	seed := sha256.Sum256([]byte("fineprint evidence vectors"))
	w := &world{t: t, random: mathrand.NewChaCha8(seed), tsas: map[string]*anchortest.TSA{}, looks: map[int64]*madeLook{}}
	w.key = must[tlog.Key](t)(tlog.GenerateKey(w.random, testOrigin))
	w.openLog()
	w.w1, w.w2 = must[*cosigner](t)(newCosigner(w.random, "w1.example/a")), must[*cosigner](t)(newCosigner(w.random, "w2.example/b"))
	w.policy = fmt.Sprintf("log %s\nwitness one %s\nwitness two %s\ngroup both all one two\nquorum both\n", w.key.Public, w.w1.Verifier(), w.w2.Verifier())
	for _, name := range []string{"one", "two"} {
		tsa := must[*anchortest.TSA](t)(anchortest.NewTSA(anchortest.TSAConfig{Name: name, Now: func() time.Time { return w.now }, NotBefore: hour(0, 0), NotAfter: hour(0, 0).AddDate(10, 0, 0), NoCRL: true}))
		t.Cleanup(func() { tsa.Close() })
		w.tsas[name] = tsa
		w.roots = append(w.roots, tsa.Roots...)
	}
	w.certify()
	w.history()
	return w
}

// openLog begins a log under the world's key.
func (w *world) openLog() {
	w.t.Helper()
	mem := store.NewMemory()
	w.log = must[*tlog.Log](w.t)(tlog.Open(w.t.Context(), tlog.Config{Store: mem, Mutable: mem.Mutable(), Signer: w.key.Signer, Verifier: w.key.Verifier, Place: "test"}))
	w.reader = tlog.NewReader(mem, w.key.Verifier)
}

// certify makes the certificate of the site.
func (w *world) certify() {
	key := must[*ecdsa.PrivateKey](w.t)(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	root := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "web root"}, NotBefore: hour(0, 0), NotAfter: hour(0, 0).AddDate(20, 0, 0), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	der := must[[]byte](w.t)(x509.CreateCertificate(rand.Reader, root, root, key.Public(), key))
	ca := must[*x509.Certificate](w.t)(x509.ParseCertificate(der))
	w.webPEM = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	w.webRoot = x509.NewCertPool()
	w.webRoot.AddCert(ca)
	leaf := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: testHost}, DNSNames: []string{testHost}, NotBefore: hour(0, 0), NotAfter: hour(0, 0).AddDate(0, 3, 0), KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	w.webKey = tls.Certificate{Certificate: [][]byte{must[[]byte](w.t)(x509.CreateCertificate(rand.Reader, leaf, ca, key.Public(), key))}, PrivateKey: key}
}

// connect makes a TLS connection that commits to an anchor.
func (w *world) connect(anchor warc.Digest) *warc.TLS { return w.connectTo(testHost, anchor) }

func (w *world) connectTo(host string, anchor warc.Digest) *warc.TLS {
	t := w.t
	l := must[net.Listener](t)(net.Listen("tcp", "127.0.0.1:0"))
	var wg sync.WaitGroup
	defer wg.Wait()
	defer l.Close()
	wg.Go(func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		s := tls.Server(c, &tls.Config{Certificates: []tls.Certificate{w.webKey}})
		if s.Handshake() == nil {
			_, _ = io.Copy(io.Discard, s)
		}
	})
	raw := must[net.Conn](t)(net.Dial("tcp", l.Addr().String()))
	defer raw.Close()
	rec := handshake.NewRecorder([32]byte([]byte(anchor.Sum)))
	// The test's certificate is of another day than today.
	config := &tls.Config{ServerName: host, InsecureSkipVerify: true, MinVersion: tls.VersionTLS13}
	rec.Configure(config)
	c := tls.Client(rec.Conn(raw), config)
	if err := c.HandshakeContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	proof := must[[]byte](t)(rec.Proof())
	return &warc.TLS{Version: "1.3", Cipher: tls.CipherSuiteName(c.ConnectionState().CipherSuite), Chain: w.webKey.Certificate, Proof: proof, Anchor: anchor}
}

// lookSpec says what a look is to be.
type lookSpec struct {
	n      int64
	at     time.Time
	body   string
	tls    *warc.TLS
	same   *madeLook // whose record the response repeats
	failed string
	prev   *madeLook
}

// makeLook writes a look into a WARC of its own.
func (w *world) makeLook(s lookSpec) *madeLook {
	t := w.t
	dir, name := t.TempDir(), warc.FileName("20241017t000000-00aa11bb", s.at, int(s.n))
	f := must[*warc.File](t)(warc.Create(dir, name))
	l := &madeLook{records: map[string][]byte{}}
	var placed []warc.Member
	add := func(r *warc.Record) warc.Member {
		p := must[*warc.Packed](t)(warc.Compress(r))
		at := must[[]warc.Placed](t)(f.Append(p))[0]
		m := warc.Member{Record: r.ID(), Type: r.Type(), SHA256: at.SHA256, Offset: at.Offset, Length: at.Length}
		placed = append(placed, m)
		return m
	}
	meta := func() warc.Meta { return warc.Meta{ID: warc.NewID(w.random), Date: s.at} }
	info := must[*warc.Record](t)(warc.WarcinfoRecord(meta(), warc.Warcinfo{Filename: name, Software: testTool, Run: "20241017t000000-00aa11bb"}))
	add(info)
	declaration := []byte(`{"documents":[],"source":{"id":"` + testSource + `","url":"` + testURL + `"},"v":1}`)
	dm := meta()
	dm.WarcinfoID = info.ID()
	add(must[*warc.Record](t)(warc.DeclarationRecord(dm, declaration)))
	if s.tls != nil {
		add(must[*warc.Record](t)(warc.CertificateChain(meta(), s.tls.Chain)))
	}
	look := warc.NewLook(testSource, s.n, w.random)
	m := &warc.Manifest{Source: testSource, URL: testURL, FinalURL: testURL, Vantage: "de-fra", Time: s.at, Ended: s.at.Add(time.Second), N: s.n,
		Result: warc.Captured, Status: 200, Declaration: warc.SumSHA256(declaration), Run: "20241017t000000-00aa11bb", Tool: testTool, TLS: warc.SessionOf(s.tls)}
	if s.prev != nil {
		m.Prev = &warc.Prev{Manifest: s.prev.id, SHA256: s.prev.sha256}
		m.Bytes = warc.BytesDifferent
	} else {
		m.Bytes = warc.BytesFirst
	}
	w.exchange(look, info.ID(), s, m, add)
	record := must[*warc.Record](t)(warc.ManifestRecord(warc.Meta{Look: look, Date: m.Ended, WarcinfoID: info.ID()}, m))
	last := add(record)
	must[warc.Summary](t)(f.Close())
	l.warc = must[[]byte](t)(os.ReadFile(filepath.Join(dir, name)))
	for _, p := range placed {
		l.records[p.Record] = l.warc[p.Offset : p.Offset+p.Length]
	}
	// As the manifest reads back: MarshalManifest sets version and type.
	rec := must[*contents](t)(readContents(bytes.NewReader(l.warc))).manifests[last.Record]
	l.manifest, l.id, l.sha256, l.member = rec.manifest, last.Record, last.SHA256, l.records[last.Record]
	l.entry = must[Entry](t)(FromManifest(l.manifest, l.id, l.sha256, Place{"warc/2024/10/" + name, last.Offset, last.Length}))
	l.extract = l.warc
	return l
}

// exchange adds the records of the one exchange of a look.
func (w *world) exchange(look *warc.Look, info string, s lookSpec, m *warc.Manifest, add func(*warc.Record) warc.Member) {
	t := w.t
	if s.failed != "" {
		m.Result, m.Error, m.Status, m.Bytes, m.FinalURL = warc.Failed, s.failed, 0, "", ""
		m.Exchanges = []warc.ExchangeNote{{URI: testURL, Ms: 12, Error: s.failed}}
		return
	}
	head := "HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\n\r\n"
	body := []byte(s.body)
	ex := &warc.Exchange{Kind: warc.KindPage, URI: testURL, Began: s.at, Ended: s.at.Add(time.Second), Method: "GET", Status: 200, MIME: "text/html",
		Request: warc.Bytes("GET /tos HTTP/1.1\r\nHost: x.example\r\nUser-Agent: fineprint\r\n\r\n"), Response: warc.Bytes(head + s.body), Head: int64(len(head)),
		PayloadSize: int64(len(body)), PayloadSHA256: warc.SumSHA256(body), PayloadSHA1: warc.SumSHA1(body), TLS: s.tls}
	opt := warc.RecordOptions{WarcinfoID: info}
	if s.same != nil {
		p := s.same.manifest.Payload
		opt.Revisit = &warc.Reference{Record: p.Record, URI: testURL, Date: s.same.manifest.Time}
		m.SameAs = &warc.Reference{Record: p.Record, WARC: s.same.entry.WARC}
		m.Bytes = warc.BytesSame
	}
	records, stored, err := look.Records(ex, opt)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range records {
		m.Members = append(m.Members, add(r))
	}
	m.Payload = &warc.Payload{Record: stored.ResponseID, MIME: "text/html", Size: ex.PayloadSize, SHA256: ex.PayloadSHA256, SHA1: ex.PayloadSHA1, DecodedSize: ex.PayloadSize, DecodedSHA256: ex.PayloadSHA256}
	m.Exchanges = []warc.ExchangeNote{{Response: stored.ResponseID, Ms: 1000}}
	if m.TLS != nil {
		m.TLS.Version, m.TLS.Cipher, m.TLS.ALPN = "", "", ""
	}
}

// append adds entries to the log.
func (w *world) append(entries ...Entry) tlog.Checkpoint {
	w.t.Helper()
	var leaves [][]byte
	for _, e := range entries {
		leaves = append(leaves, must[[]byte](w.t)(e.Encode()))
	}
	return w.appendLeaves(leaves...)
}

func (w *world) appendLeaves(leaves ...[]byte) tlog.Checkpoint {
	w.t.Helper()
	_, cp, err := w.log.Append(w.t.Context(), leaves)
	if err != nil {
		w.t.Fatal(err)
	}
	w.leaves = append(w.leaves, leaves...)
	return cp
}

// stampAt has the authorities stamp bytes.
func (w *world) stampAt(at time.Time, data []byte, names ...string) (files []File) {
	w.t.Helper()
	w.now = at
	for _, name := range names {
		roots := must[anchor.Roots](w.t)(anchor.ParseRoots(w.tsas[name].Roots))
		stamper := &anchor.Stamper{Now: func() time.Time { return at }, Rand: w.random}
		tok := must[anchor.Token](w.t)(stamper.Stamp(w.t.Context(), anchor.Authority{Name: name, URL: w.tsas[name].URL, Roots: roots}, data))
		files = append(files, File{name + ".tsr", tok.TSR}, File{name + ".pem", tok.Evidence})
	}
	return files
}

// cosignAt returns the lines of the witnesses under a checkpoint.
func (w *world) cosignAt(at time.Time, raw []byte, signers ...*cosigner) []byte {
	text, _, _ := strings.Cut(string(raw), "\n\n")
	var lines []byte
	for _, s := range signers {
		signed := must[[]byte](w.t)(note.Sign(&note.Note{Text: text + "\n"}, timed{s, at}))
		_, line, _ := bytes.Cut(signed, []byte("\n\n"))
		lines = append(lines, line...)
	}
	return lines
}

// history fills the log.
func (w *world) history() {
	one := w.makeLook(lookSpec{n: 1, at: hour(8, 0), body: "<p>Your posts are yours.</p>"})
	w.looks[1] = one
	other := Entry{Type: TypeWARCFile, WARC: one.entry.WARC, Size: int64(len(one.warc)), SHA256: warc.SumSHA256(one.warc), Looks: 1}
	w.first = w.append(one.entry, other)
	w.files = append(w.stampAt(hour(8, 10), w.first.Raw, "one"), File{"cosignatures", w.cosignAt(hour(8, 5), w.first.Raw, w.w1)})
	w.list = AnchorList{Checkpoint: warc.SumSHA256(w.first.Raw), Size: w.first.Size}
	for _, f := range w.files {
		w.list.Files = append(w.list.Files, AnchorFile{f.Name, warc.SumSHA256(f.Data)})
	}
	w.text = must[[]byte](w.t)(EncodeAnchorList(w.list))

	two := w.makeLook(lookSpec{n: 2, at: hour(9, 0), failed: "dns", prev: one})
	three := w.makeLook(lookSpec{n: 3, at: hour(10, 0), body: "<p>Your posts are yours.</p>", same: one, prev: two})
	four := w.makeLook(lookSpec{n: 4, at: hour(11, 0), body: "<p>Your posts train our models.</p>", prev: three, tls: w.connect(warc.SumSHA256(w.text))})
	w.looks[2], w.looks[3], w.looks[4] = two, three, four
	w.second = w.append(two.entry, three.entry, must[Entry](w.t)(w.list.Anchor()), four.entry)
	w.third = w.append(Entry{Type: TypeLost, Source: testSource, N: 5, Run: "r", Time: hour(12, 0)})
	for _, l := range w.looks {
		leaf := must[[]byte](w.t)(l.entry.Encode())
		l.index = int64(slices.IndexFunc(w.leaves, func(b []byte) bool { return bytes.Equal(b, leaf) }))
	}
}

// proven returns the leaf of a look with its proof under a checkpoint.
func (w *world) proven(l *madeLook, cp tlog.Checkpoint) Proven {
	w.t.Helper()
	return Proven{w.leaves[l.index], must[[]byte](w.t)(w.reader.InclusionProof(w.t.Context(), cp, l.index))}
}

// parts returns what a bundle of look n is made of, with everything.
func (w *world) parts(n int64) Parts {
	w.t.Helper()
	l, cp := w.looks[n], w.second
	p := Parts{
		Look: w.proven(l, cp), Checkpoint: cp.Raw, LogKey: w.key.Public, Policy: w.policy,
		Cosigned: append(slices.Clone(cp.Raw), w.cosignAt(hour(11, 20), cp.Raw, w.w1, w.w2)...),
		Newer:    must[[]byte](w.t)(w.reader.ConsistencyProof(w.t.Context(), cp.Size, w.third)),
		Anchors:  w.stampAt(hour(11, 30), cp.Raw, "one", "two"),
		Document: "X, Terms of Service, en", Operator: "Example Archive", Contact: "archive@example.org", Tool: testTool, Created: hour(13, 0),
	}
	data := l.extract
	if n > 1 {
		prev := w.proven(w.looks[n-1], cp)
		p.Prev = &prev
	}
	if same := l.manifest.SameAs; same != nil {
		from := w.looks[1]
		data = slices.Concat(from.records[same.Record], data)
		p.Refers = []Referred{{w.proven(from, cp), from.member}}
	}
	if n == 4 {
		p.Derived = w.derived(n)
	}
	if l.manifest.TLS != nil {
		p.Committed = &Committed{List: w.text, Checkpoint: w.first.Raw, Files: w.files,
			Consistency: must[[]byte](w.t)(w.reader.ConsistencyProof(w.t.Context(), w.first.Size, cp))}
	}
	return withWARC(p, data)
}

// between returns the parts of a bundle of look 4 from look 1 on.
func (w *world) between() Parts {
	p := w.parts(4)
	p.Prev = nil
	for n := int64(1); n < 4; n++ {
		p.Between = append(p.Between, w.proven(w.looks[n], w.second))
	}
	return withWARC(p, slices.Concat(w.looks[1].extract, w.looks[4].extract))
}

func withWARC(p Parts, data []byte) Parts {
	p.WARC, p.WARCSize = bytes.NewReader(data), int64(len(data))
	return p
}

// trust is the policy of a verifier who knows all parties.
func (w *world) trust() Policy {
	return Policy{Logs: must[*anchor.Policy](w.t)(ParseTrust([]byte(w.policy))), TSARoots: must[anchor.Roots](w.t)(anchor.ParseRoots(w.roots)), WebRoots: w.webRoot}
}

func (w *world) bundle(p Parts) []byte {
	w.t.Helper()
	var b bytes.Buffer
	if err := WriteBundle(&b, p); err != nil {
		w.t.Fatal(err)
	}
	return b.Bytes()
}

func verify(t testing.TB, data []byte, p Policy) *Report {
	t.Helper()
	return must[*Report](t)(Verify(t.Context(), bytes.NewReader(data), int64(len(data)), "x.evidence.zip", p))
}

func text(r *Report) string {
	var b strings.Builder
	if err := r.WriteText(&b); err != nil {
		panic(err)
	}
	return b.String()
}
