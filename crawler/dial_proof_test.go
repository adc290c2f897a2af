package crawler

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fineprint-archive/fineprint/warc"
	"github.com/fineprint-archive/fineprint/warc/handshake"
)

// listDigest is the digest of an anchored list.
func listDigest() ([32]byte, bool) { return [32]byte{0: 0xa1, 31: 0x1f}, true }

// verifyProof checks the proof of a connection to host.
func verifyProof(t testing.TB, s *warc.TLS, host string, roots *x509.CertPool) {
	t.Helper()
	want, _ := listDigest()
	facts, err := handshake.Verify(s.Proof, s.Chain, handshake.VerifyOptions{Host: host, Roots: roots, Time: time.Now()})
	if err != nil || facts.Path != nil || facts.Anchor != want || s.Anchor.Sum != string(want[:]) || s.ProofMissing != "" {
		t.Fatalf("%+v: Verify = %+v, %v", s, facts, err)
	}
	if len(s.Proof) > 700 {
		t.Errorf("proof of %d bytes", len(s.Proof))
	}
}

// TestProof makes handshake proofs directly and through every kind of proxy.
func TestProof(t *testing.T) {
	const answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
	s := startSite(t, func(c *siteConn, path string) { c.send(answer) })
	ca := newTestCA(t)
	roots := s.roots.Clone()
	roots.AddCert(ca.cert)
	ofProxy := &tls.Config{Certificates: []tls.Certificate{ca.issue(t, leafOptions{})}}
	_, port, err := net.SplitHostPort(s.secure)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, scheme string
		o            proxyOptions
	}{
		{"direct", "", proxyOptions{}},
		{"http proxy", "http", proxyOptions{}},
		{"https proxy", "https", proxyOptions{config: ofProxy}},
		{"socks5 proxy", "socks5", proxyOptions{socks: true}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var asked atomic.Int32
			cfg := WireConfig{RootCAs: roots, Anchor: func() ([32]byte, bool) { asked.Add(1); return listDigest() }}
			if c.scheme != "" {
				cfg.Proxy = startProxy(t, c.o).url(t, c.scheme, "")
			}
			w := newTestWire(t, cfg)
			for _, host := range []string{"127.0.0.1", "localhost"} {
				asked.Store(0)
				r := w.Exchange(t.Context(), newRequest(t, "GET", "https://"+net.JoinHostPort(host, port)+"/"))
				defer r.Close()
				if r.Err != nil || string(readBlock(t, r.Exchange.Response)) != answer {
					t.Fatal(r.Err)
				}
				verifyProof(t, r.TLS, host, roots)
				if asked.Load() != 1 {
					t.Errorf("the anchor was asked for %d times", asked.Load())
				}
			}
			asked.Store(0)
			r := w.Exchange(t.Context(), newRequest(t, "GET", "http://"+s.plain+"/"))
			defer r.Close()
			if r.Err != nil || r.TLS != nil || asked.Load() != 0 {
				t.Errorf("plain http: %v, TLS %+v, anchor asked for %d times", r.Err, r.TLS, asked.Load())
			}
		})
	}
}

// TestProofMissing holds what is said where there is no proof.
func TestProofMissing(t *testing.T) {
	s := startSite(t, func(c *siteConn, path string) { c.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi") })
	none := func() ([32]byte, bool) { return [32]byte{}, false }
	for _, c := range []struct {
		name   string
		anchor func() ([32]byte, bool)
		roots  *x509.CertPool
		want   string
	}{
		{"no anchor function", nil, s.roots, ""},
		{"no anchor", none, s.roots, ""},
		{"refused chain", listDigest, x509.NewCertPool(), string(handshake.Failed)},
	} {
		r := newTestWire(t, WireConfig{RootCAs: c.roots, Anchor: c.anchor}).Exchange(t.Context(), newRequest(t, "GET", "https://"+s.secure+"/"))
		if r.TLS == nil || r.TLS.Proof != nil || !r.TLS.Anchor.IsZero() || r.TLS.ProofMissing != c.want {
			t.Errorf("%s: %v, TLS %+v", c.name, r.Err, r.TLS)
		}
		r.Close()
	}
}

// TestProofOfThePage holds that a look has a proof for each connection that
// carried its page, and for no other, and that the manifest names the page's.
func TestProofOfThePage(t *testing.T) {
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/tos":
			w.Header().Set("Content-Type", "text/html")
			io.WriteString(w, `<link rel=stylesheet href="/a.css">terms`)
		case "/old":
			http.Redirect(w, r, "/tos", http.StatusFound)
		case "/a.css":
			w.Header().Set("Content-Type", "text/css")
			io.WriteString(w, "p{}")
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(s.Close)
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	c := crawlerFor(t, Config{Requisites: true, Wire: WireConfig{RootCAs: roots, Anchor: listDigest}})
	sink := &memorySink{}
	m := visit(t, c, sink, source(s.URL+"/old"), Ask{})
	if m.Result != warc.Captured {
		t.Fatal(m.Error, m.Detail)
	}
	proofs := map[warc.Digest]string{}
	for _, k := range sink.all {
		if (k.TLS.Proof != nil) != (k.Kind == warc.KindPage) || k.TLS.ProofMissing != "" {
			t.Errorf("%s %s: proof of %d bytes, missing %q", k.Kind, k.URI, len(k.TLS.Proof), k.TLS.ProofMissing)
		}
		if k.Kind == warc.KindPage {
			verifyProof(t, k.TLS, "127.0.0.1", roots)
			proofs[warc.SumSHA256(k.TLS.Proof)] = k.URI
		}
	}
	want, _ := listDigest()
	if len(proofs) != 2 || proofs[m.TLS.Proof] != s.URL+"/tos" || m.TLS.Anchor.Sum != string(want[:]) {
		t.Errorf("proofs %v, TLS of the page %+v", proofs, m.TLS)
	}
	if len(m.Exchanges) != 4 {
		t.Fatalf("%d exchanges, want robots.txt, redirect, page, stylesheet", len(m.Exchanges))
	}
	for _, n := range m.Exchanges {
		if n.TLS != nil && proofs[n.TLS.Proof] != s.URL+"/old" {
			t.Errorf("note of a %s repeats the page's session: %+v", n.Kind, n.TLS)
		}
	}
}

// BenchmarkProof measures one exchange with its own TLS 1.3 connection over
// loopback, with the handshake proof and without it; the server runs in the same
// process and is part of the figures. Without the proof the handshake has the
// post-quantum key share, which costs more than the proof. BenchmarkBuild of
// package handshake has the proof alone.
func BenchmarkProof(b *testing.B) {
	s := startSite(b, func(c *siteConn, path string) {
		c.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")
		c.over = true
	})
	for _, anchor := range []func() ([32]byte, bool){nil, listDigest} {
		b.Run(fmt.Sprintf("proof=%v", anchor != nil), func(b *testing.B) {
			w := newTestWire(b, WireConfig{RootCAs: s.roots, Anchor: anchor})
			url := "https://" + s.secure + "/"
			b.ReportAllocs()
			before := cpuTime(b)
			for b.Loop() {
				r := w.Exchange(b.Context(), newRequest(b, "GET", url))
				if r.Err != nil || (r.TLS.Proof != nil) != (anchor != nil) {
					b.Fatal(r.Err, r.TLS)
				}
				r.Close()
			}
			b.ReportMetric(float64((cpuTime(b)-before).Microseconds())/float64(b.N), "cpu-µs/op")
		})
	}
}
