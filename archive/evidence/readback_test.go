package evidence

import (
	"bytes"
	"compress/gzip"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/fineprint-archive/fineprint/archive/tlog"
	"github.com/fineprint-archive/fineprint/warc"
)

const archiveHost = "web.archive.org"

// readBackSpec says what a look at the Wayback Machine is to be.
type readBackSpec struct {
	n       int64
	at      time.Time
	capture time.Time
	of      *madeLook // our look that it is compared with
	body    string    // that is replayed
	index   string    // body whose digest the index has; "" for that of body
	row     string    // answer of the index; "" for the right one
	facts   warc.Facts
	grade   string
	replays time.Time // that the replay says of itself; zero for capture
	gzip    bool      // the replay comes compressed, and the original was not
	same    *madeLook // earlier look at the same capture, whose record the replay repeats
	tls     *warc.TLS
}

// makeReadBack writes a look at the Wayback Machine into a WARC of its own.
func (w *world) makeReadBack(s readBackSpec) *madeLook {
	t := w.t
	const run = "20241018t000000-00aa11bb"
	dir, name := t.TempDir(), warc.FileName(run, s.at, int(s.n))
	f := must[*warc.File](t)(warc.Create(dir, name))
	l := &madeLook{records: map[string][]byte{}}
	add := func(r *warc.Record) warc.Member {
		at := must[[]warc.Placed](t)(f.Append(must[*warc.Packed](t)(warc.Compress(r))))[0]
		return warc.Member{Record: r.ID(), Type: r.Type(), SHA256: at.SHA256, Offset: at.Offset, Length: at.Length}
	}
	info := must[*warc.Record](t)(warc.WarcinfoRecord(warc.Meta{ID: warc.NewID(w.random), Date: s.at}, warc.Warcinfo{Filename: name, Software: testTool, Run: run}))
	add(info)
	if s.tls != nil {
		add(must[*warc.Record](t)(warc.CertificateChain(warc.Meta{ID: warc.NewID(w.random), Date: s.at}, s.tls.Chain)))
	}
	stamp := s.capture.Format("20060102150405")
	replays := s.capture
	if !s.replays.IsZero() {
		replays = s.replays
	}
	address := "https://" + archiveHost + "/web/" + stamp + "id_/" + testURL
	source := "c0ffee00c0ffee00"
	look := warc.NewLook(source, s.n, w.random)
	body, indexed := []byte(s.body), []byte(s.body)
	if s.index != "" {
		indexed = []byte(s.index)
	}
	digest := warc.SumSHA1(indexed)
	m := &warc.Manifest{Source: source, URL: address, FinalURL: address, Time: s.at, Ended: s.at.Add(time.Second), N: s.n, Result: warc.Captured, Status: 200, Run: run, Tool: testTool,
		TLS: warc.SessionOf(s.tls), Bytes: warc.BytesFirst,
		Memento: &warc.Memento{Purpose: warc.PurposeReadBack, Source: testSource, N: s.of.manifest.N, Look: &warc.Prev{Manifest: s.of.id, SHA256: s.of.sha256}, URL: testURL,
			Time: s.capture, Status: 200, MIME: "text/html", Digest: digest, Src: "live-20241017.warc.gz", Facts: &s.facts, Grade: s.grade}}
	wire, coding := s.body, ""
	if s.gzip {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		must[int](t)(z.Write(body))
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		wire, coding = b.String(), "Content-Encoding: gzip\r\n"
	}
	exchange := func(kind warc.Kind, uri, header, body string, same *madeLook) warc.Stored {
		head := "HTTP/1.1 200 OK\r\n" + header + "\r\n"
		ex := &warc.Exchange{Kind: kind, URI: uri, Began: s.at, Ended: s.at.Add(time.Second), Method: "GET", Status: 200, MIME: "text/html",
			Request: warc.Bytes("GET / HTTP/1.1\r\nHost: " + archiveHost + "\r\n\r\n"), Response: warc.Bytes(head + body), Head: int64(len(head)),
			PayloadSize: int64(len(body)), PayloadSHA256: warc.SumSHA256([]byte(body)), PayloadSHA1: warc.SumSHA1([]byte(body))}
		opt := warc.RecordOptions{WarcinfoID: info.ID()}
		if kind == warc.KindPage {
			ex.TLS = s.tls
		}
		if same != nil {
			opt.Revisit = &warc.Reference{Record: same.manifest.Payload.Record, URI: uri, Date: same.manifest.Time}
			m.SameAs, m.Bytes = &warc.Reference{Record: same.manifest.Payload.Record, WARC: same.entry.WARC}, warc.BytesSame
		}
		records, stored, err := look.Records(ex, opt)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range records {
			m.Members = append(m.Members, add(r))
		}
		return stored
	}
	row := s.row
	if row == "" {
		row = fmt.Sprintf("example,x)/tos %s %s text/html 200 %s 1234\n", stamp, testURL, digest.Base32())
	}
	first := exchange(warc.KindIndex, "https://"+archiveHost+"/cdx/search/cdx?url=x.example%2Ftos", "Content-Type: text/plain\r\n", row, nil)
	page := exchange(warc.KindPage, address, "Content-Type: text/html\r\nMemento-Datetime: "+replays.Format("Mon, 02 Jan 2006 15:04:05 GMT")+"\r\n"+coding, wire, s.same)
	m.Exchanges = []warc.ExchangeNote{
		{Kind: warc.KindIndex, Response: first.ResponseID, Ms: 90, Size: int64(len(row)), SHA256: warc.SumSHA256([]byte(row))},
		{Response: page.ResponseID, Ms: 400},
	}
	m.Payload = &warc.Payload{Record: page.ResponseID, MIME: "text/html", Size: int64(len(wire)), SHA256: warc.SumSHA256([]byte(wire)), SHA1: warc.SumSHA1([]byte(wire)), DecodedSize: int64(len(body)), DecodedSHA256: warc.SumSHA256(body)}
	if m.TLS != nil {
		m.TLS.Version, m.TLS.Cipher, m.TLS.ALPN = "", "", ""
	}
	last := add(must[*warc.Record](t)(warc.ManifestRecord(warc.Meta{Look: look, Date: m.Ended, WarcinfoID: info.ID()}, m)))
	must[warc.Summary](t)(f.Close())
	l.warc = must[[]byte](t)(os.ReadFile(filepath.Join(dir, name)))
	c := must[*contents](t)(readContents(bytes.NewReader(l.warc)))
	for _, at := range c.members {
		l.records[at.record] = l.warc[at.offset : at.offset+at.length]
	}
	l.manifest, l.id, l.sha256, l.member = c.manifests[last.Record].manifest, last.Record, last.SHA256, l.records[last.Record]
	l.entry = must[Entry](t)(FromManifest(l.manifest, l.id, l.sha256, Place{"warc/2024/10/" + name, last.Offset, last.Length}))
	l.extract = l.warc
	return l
}

// same are the facts of a capture of the very page.
func same() warc.Facts {
	return warc.Facts{Content: warc.FactSame, Index: warc.FactSame, Replay: warc.FactSame, Text: warc.FactSame}
}

const changedTerms = "<p>Your posts train our models.</p>" // of look 4

// readBack returns what a usual look at the capture of look 4 is.
func (w *world) readBack() readBackSpec {
	return readBackSpec{n: 1, at: hour(12, 30), capture: hour(11, 5), of: w.looks[4], body: changedTerms, facts: same(), grade: "terms"}
}

// observe appends looks at the Wayback Machine and their receipts to the log, and
// returns the parts p with them, the newest first.
func (w *world) observe(p Parts, looks ...*madeLook) Parts {
	w.t.Helper()
	var entries []Entry
	for _, l := range looks {
		entries = append(entries, l.entry)
	}
	for _, l := range looks {
		receipt, ok := ReceiptOf(l.manifest, l.id)
		if !ok {
			w.t.Fatal("no receipt follows from the look")
		}
		entries = append(entries, receipt)
	}
	return w.withReceipts(p, w.append(entries...), looks...)
}

// withReceipts is observe for entries that the log ends with.
func (w *world) withReceipts(p Parts, cp tlog.Checkpoint, looks ...*madeLook) Parts {
	w.t.Helper()
	first := int64(len(w.leaves) - 2*len(looks))
	at := func(i int64) Proven { return w.proven(&madeLook{index: first + i}, cp) }
	p.Receipts = nil
	var data []byte
	for i, l := range looks {
		p.Receipts = append(p.Receipts, ReceiptPart{Receipt: at(int64(i + len(looks))), Look: at(int64(i))})
		data = append(data, l.extract...)
	}
	slices.Reverse(p.Receipts)
	p.Wayback, p.WaybackSize = bytes.NewReader(data), int64(len(data))
	old := must[tlog.Checkpoint](w.t)(w.reader.CheckpointAt(w.t.Context(), w.second.Size))
	p.Newer = must[[]byte](w.t)(w.reader.ConsistencyProof(w.t.Context(), old.Size, cp))
	return p
}

// observed returns the parts of look 4 with two looks at its capture: soon, and a
// day and a half later, when the replay was the same.
func (w *world) observed() Parts {
	soon := w.makeReadBack(w.readBack())
	spec := w.readBack()
	spec.n, spec.at, spec.same = 2, hour(23, 59).AddDate(0, 0, 1), soon
	return w.observe(w.parts(4), soon, w.makeReadBack(spec))
}

// becomes lets the server of connectTo be another host, under the same root.
func (w *world) becomes(host string) {
	key := w.webKey.PrivateKey.(*ecdsa.PrivateKey)
	pool, _ := pem.Decode(w.webPEM)
	ca := must[*x509.Certificate](w.t)(x509.ParseCertificate(pool.Bytes))
	leaf := &x509.Certificate{SerialNumber: big.NewInt(3), Subject: pkix.Name{CommonName: host}, DNSNames: []string{host}, NotBefore: hour(0, 0), NotAfter: hour(0, 0).AddDate(0, 3, 0),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	w.webKey = tls.Certificate{Certificate: [][]byte{must[[]byte](w.t)(x509.CreateCertificate(rand.Reader, leaf, ca, key.Public(), key))}, PrivateKey: key}
}

// observeFirst returns a bundle of look 1 that nobody anchored, with one receipt.
func (w *world) observeFirst(change func(*readBackSpec)) Parts {
	spec := w.readBack()
	spec.of, spec.capture, spec.body = w.looks[1], hour(8, 20), "<p>Your posts are yours.</p>"
	if change != nil {
		change(&spec)
	}
	return w.observe(w.bare(), w.makeReadBack(spec))
}
