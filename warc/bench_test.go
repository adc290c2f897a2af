package warc

import (
	"bytes"
	"fmt"
	"io"
	"testing"

	"github.com/klauspost/compress/gzip"
)

// lookRecords returns the records of one look at a page of 80 KB of gzip-coded
// HTML, as a response or as a revisit, without the manifest.
func lookRecords(tb testing.TB, page string, revisit bool) (*Look, []*Record, *Manifest) {
	l := NewLook("x.tos.en", 41, nil)
	ex := exchange(tb, "https://x.com/en/tos", message(page, browserHead("Content-Encoding: gzip", fmt.Sprint("Content-Length: ", len(page)))...))
	opt := RecordOptions{WarcinfoID: NewID(nil)}
	if revisit {
		opt.Revisit = &Reference{Record: NewLook("x.tos.en", 12, nil).NextID(), URI: ex.URI, Date: began.AddDate(0, -2, 0)}
	}
	records, stored, err := l.Records(ex, opt)
	if err != nil {
		tb.Fatal(err)
	}
	m := &Manifest{Source: l.Source, N: l.N, URL: ex.URI, Time: began, Ended: ex.Ended, Run: "20241017T083000Z-7f3a", Tool: "fineprint 0.1.0",
		Prev:   &Prev{Manifest: NewLook("x.tos.en", 40, nil).ManifestID(), SHA256: SumSHA256([]byte("prev"))},
		Result: Captured, Status: 200, Bytes: BytesSame, SameAs: opt.Revisit, AcceptLanguage: "en", Vantage: "de-fra",
		Payload: &Payload{Record: stored.ResponseID, MIME: ex.MIME, Size: ex.PayloadSize, SHA256: ex.PayloadSHA256, SHA1: ex.PayloadSHA1,
			DecodedSize: 80 << 10, DecodedSHA256: SumSHA256([]byte("decoded")), ETag: `W/"13f7a-k2vT3uQm9xY8bLwZ0a"`},
		TLS:         &Session{Version: "1.3", Cipher: "TLS_AES_128_GCM_SHA256", Chain: SumSHA256([]byte("chain"))},
		Robots:      &Robots{Policy: "obey", Verdict: "allowed"},
		Declaration: SumSHA256([]byte("declaration")),
		Exchanges:   []ExchangeNote{{Kind: KindPage, Request: stored.RequestID, Response: stored.ResponseID, Ms: 87, Status: 200, Peer: "192.0.2.7:443"}}}
	for i, r := range records {
		m.Members = append(m.Members, Member{Record: r.ID(), Type: r.Type(), SHA256: SumSHA256([]byte(r.ID())), Offset: 73648291 + int64(i)*400, Length: 412})
	}
	return l, records, m
}

// BenchmarkLevels reports size and time of one gzip member by level for each
// kind of record.
func BenchmarkLevels(b *testing.B) {
	text := terms(80 << 10)
	l, records, m := lookRecords(b, gzipped(b, text), true)
	manifest := must[*Record](b)(ManifestRecord(Meta{Look: l, Date: began, WarcinfoID: NewID(nil)}, m))
	_, coded, _ := lookRecords(b, gzipped(b, text), false)
	_, uncoded, _ := lookRecords(b, text, false)
	cases := []struct {
		name string
		rec  *Record
	}{{"request", records[0]}, {"revisit", records[1]}, {"manifest", manifest}, {"coded", coded[1]}, {"text", uncoded[1]}}
	for _, c := range cases {
		data := plain(b, c.rec)
		for _, level := range []int{gzip.HuffmanOnly, 1, 2, 3, 4, 5, 6, 7, 8, 9} {
			b.Run(fmt.Sprintf("%s/%d", c.name, level), func(b *testing.B) {
				w, _ := gzip.NewWriterLevel(io.Discard, level)
				var out bytes.Buffer
				for b.Loop() {
					out.Reset()
					w.Reset(&out)
					w.Write(data)
					w.Close()
				}
				b.ReportMetric(float64(out.Len()), "bytes")
				b.ReportMetric(float64(len(data)), "plain")
			})
		}
	}
}

// BenchmarkCodedPage does for a page of 80 KB of HTML, gzip-coded by its server,
// all that package warc does: records, compression, manifest, appending. No fsync.
func BenchmarkCodedPage(b *testing.B) { benchmarkLook(b, gzipped(b, terms(80<<10)), false) }

// BenchmarkTextPage does the same for the page without a content coding.
func BenchmarkTextPage(b *testing.B) { benchmarkLook(b, terms(80<<10), false) }

// BenchmarkUnchangedPage writes a revisit for the coded page.
func BenchmarkUnchangedPage(b *testing.B) { benchmarkLook(b, gzipped(b, terms(80<<10)), true) }

func benchmarkLook(b *testing.B, page string, revisit bool) {
	f := newFile(b)
	l, _, m := lookRecords(b, page, revisit)
	head := browserHead()
	if page[0] != '<' {
		head = browserHead("Content-Encoding: gzip")
	}
	ex := exchange(b, "https://x.com/en/tos", message(page, head...))
	b.ReportAllocs()
	looks := 0
	for b.Loop() {
		records, _, err := NewLook(l.Source, l.N, nil).Records(ex, RecordOptions{Revisit: m.SameAs})
		if err != nil {
			b.Fatal(err)
		}
		manifest, err := ManifestRecord(Meta{Look: l, Date: began}, m)
		if err != nil {
			b.Fatal(err)
		}
		for _, r := range append(records, manifest) {
			p, err := Compress(r)
			if err != nil {
				b.Fatal(err)
			}
			if _, err := f.Append(p); err != nil {
				b.Fatal(err)
			}
			p.Free()
		}
		looks++
	}
	b.ReportMetric(float64(f.Size())/float64(looks), "bytes/look")
}

// BenchmarkRead reads and checks a file of 100 looks at the coded page.
func BenchmarkRead(b *testing.B) {
	f := newFile(b)
	for range 100 {
		_, records, _ := lookRecords(b, gzipped(b, terms(80<<10)), false)
		must[[]Placed](b)(f.Append(pack(b, records...)...))
	}
	size := f.Size()
	b.SetBytes(size)
	b.ReportAllocs()
	for b.Loop() {
		for _, err := range NewReader(io.NewSectionReader(f.f, 0, size)).Records() {
			if err != nil {
				b.Fatal(err)
			}
		}
	}
}

// TestUnchangedSize holds the budget of an unchanged page over TLS with the
// header of a large site: request, revisit and manifest.
func TestUnchangedSize(t *testing.T) {
	l, records, m := lookRecords(t, gzipped(t, terms(80<<10)), true)
	manifest := must[*Record](t)(ManifestRecord(Meta{Look: l, Date: began}, m))
	total := 0
	for _, p := range pack(t, append(records, manifest)...) {
		t.Logf("%s: %d bytes", p.Type, p.member.Len())
		total += p.member.Len()
	}
	if total > 2600 {
		t.Errorf("an unchanged page takes %d bytes", total)
	}
}
