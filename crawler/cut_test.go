package crawler

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fineprint-archive/fineprint/warc"
)

// pieces is a connection that hands out its bytes in pieces of varying sizes.
type pieces struct {
	rest []byte
	seed byte
}

func (p *pieces) Read(b []byte) (int, error) {
	if len(p.rest) == 0 {
		return 0, io.EOF
	}
	p.seed = p.seed*5 + 7
	n := min(len(b), len(p.rest), int(p.seed)*int(p.seed)/16+1)
	copy(b, p.rest[:n])
	p.rest = p.rest[n:]
	return n, nil
}

// receiveBytes cuts what a server might have sent.
func receiveBytes(w *Wire, method string, sent []byte, seed byte) (*Recorded, *receiver, error) {
	r := &Recorded{wire: w, spool: newSpool(&w.buffers, w.cfg.SpoolDir)}
	rc := &receiver{w: w, r: r, src: &pieces{sent, seed}, method: method}
	err := rc.receive()
	if serr := r.spool.seal(); err == nil {
		err = serr
	}
	return r, rc, err
}

// FuzzCut holds, for any bytes from a server, that nothing panics, that the
// parts put together are exactly the bytes read, that the payload read again is
// the payload that was hashed and the payload of the WARC record, and that
// wherever net/http understands a whole response as well, it sees the same body.
func FuzzCut(f *testing.F) {
	for _, c := range wireCases() {
		if c.play == nil && len(c.response) < 20<<10 {
			f.Add([]byte(c.interim+c.response+c.surplus+c.fragment), byte(len(c.name)), c.method == http.MethodHead)
		}
	}
	f.Add([]byte("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"+strings.Repeat("0", 20)+" \r\n\r\n"), byte(0), false)
	f.Add([]byte("HTTP/0.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), byte(0), false)
	w := newTestWire(f, WireConfig{MaxBody: 1 << 20, MaxDecoded: 4 << 20})
	f.Fuzz(func(t *testing.T, sent []byte, seed byte, headOnly bool) {
		method := http.MethodGet
		if headOnly {
			method = http.MethodHead
		}
		r, rc, err := receiveBytes(w, method, sent, seed)
		t.Cleanup(r.Close) // also after an error: it always is there
		read := sent[:len(sent)-len(rc.src.(*pieces).rest)]
		got := string(r.Interim) + string(readBlock(t, r.Exchange.Response)) + string(r.Surplus) + string(r.Fragment)
		bounded := len(r.Surplus) == maxSurplus || len(r.Fragment) == maxSurplus || err != nil && Classify(err).Code == CodeTooLarge
		if got != string(read) && !(bounded && strings.HasPrefix(string(read), got)) {
			t.Fatalf("parts %q, read %q", got, read)
		}
		if r.Exchange.Response == nil {
			if err == nil {
				t.Fatal("neither a response nor an error")
			}
			return
		}
		payload, perr := io.ReadAll(r.Payload())
		if perr != nil || int64(len(payload)) != r.PayloadSize {
			t.Fatalf("payload of %d bytes, %v, want %d", len(payload), perr, r.PayloadSize)
		}
		if rc.short {
			r.Truncated = truncation(Classify(err).Code)
		}
		if !headOnly {
			compareRecord(t, r, payload)
		}
		w.decode(t.Context(), r)
		if resp, rerr := r.Response(1 << 20); rerr != nil {
			t.Fatal(rerr)
		} else if body, berr := io.ReadAll(resp.Body); berr == nil && r.PayloadSize > 0 && !r.DecodedSHA256.IsZero() && int64(len(body)) != r.DecodedSize {
			t.Fatalf("decoded %d bytes, then %d", r.DecodedSize, len(body))
		}
		if err == nil {
			compareNetHTTP(t, method, readBlock(t, r.Exchange.Response), r, payload)
		}
	})
}

// compareRecord makes the WARC records of an exchange and holds that their
// readers see the payload that the recorder has seen: its digests stand in
// record and manifest, and a verifier that sees another one calls them false.
func compareRecord(t *testing.T, r *Recorded, payload []byte) {
	t.Helper()
	ex := r.Exchange
	ex.Kind, ex.URI, ex.Method, ex.Request = warc.KindPage, "http://example.org/", http.MethodGet, warc.Bytes("GET / HTTP/1.1\r\n\r\n")
	records, _, err := warc.NewLook("s", 1, nil).Records(&ex, warc.RecordOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, rec := range records {
		if rec.Type() != warc.TypeResponse {
			continue
		}
		body, err := rec.Payload()
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(body)
		if !bytes.Equal(got, payload) || err != nil && ex.Truncated == "" {
			t.Fatalf("the record's payload is %.200q (%d bytes), %v, the recorder has seen %.200q (%d bytes)", got, len(got), err, payload, len(payload))
		}
	}
}

// compareNetHTTP parses a whole response with net/http. What that refuses, or
// what has framing on which it differs on purpose, is no matter.
func compareNetHTTP(t *testing.T, method string, block []byte, r *Recorded, payload []byte) {
	resp, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(block)), &http.Request{Method: method})
	if err != nil {
		return
	}
	if r.framing == framingChunked && len(resp.TransferEncoding) == 0 {
		return // it passes over a name with space before its colon
	}
	if resp.Proto == "HTTP/0.0" {
		return // it takes that for HTTP/1.1
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return
	}
	if resp.StatusCode != r.Status || !bytes.Equal(body, payload) {
		t.Fatalf("net/http sees status %d, body %q, we %d, %q", resp.StatusCode, body, r.Status, payload)
	}
}

func TestHeadEnd(t *testing.T) {
	for in, want := range map[string]int{
		"":                          0,
		"HTTP/1.1 200 OK\r\n":       0,
		"HTTP/1.1 200 OK\r\n\r":     0,
		"HTTP/1.1 200 OK\r\n\r\nx":  19,
		"HTTP/1.1 200 OK\n\nx":      17,
		"HTTP/1.1 200 OK\n\r\nx":    18,
		"HTTP/1.1 200 OK\r\r\n\r\n": 20,
	} {
		// Found at once, and when the bytes come one by one.
		if got := headEnd([]byte(in), 0, 0); got != want {
			t.Errorf("headEnd(%q) = %d, want %d", in, got, want)
		}
		got := 0
		for n, scanned := 1, 0; n <= len(in) && got == 0; n++ {
			got = headEnd([]byte(in[:n]), 0, scanned)
			scanned = n
		}
		if got != want {
			t.Errorf("headEnd(%q) byte by byte = %d, want %d", in, got, want)
		}
	}
}

func TestParseFields(t *testing.T) {
	got := parseFields("a: 1\r\n b\r\nA: 2\nbad line\n folded onto bad\nX y: z\nempty:\n\nafter: end\n")
	want := http.Header{"A": {"1 b", "2"}, "Empty": {""}}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	many := parseFields(strings.Repeat("a: 1\n", 1000) + "b: 2\n")
	if len(many["A"]) != 1000 || many.Get("B") != "2" {
		t.Errorf("%d values of A, B = %q", len(many["A"]), many.Get("B"))
	}
}
