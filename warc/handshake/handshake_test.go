package handshake

import (
	"bytes"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestServers makes proofs of handshakes with crypto/tls.
func TestServers(t *testing.T) {
	a := newAuthority(t)
	for _, c := range []struct {
		name    string
		key     string
		config  *tls.Config
		version uint16
		scheme  tls.SignatureScheme
		most    int // bytes of the proof
	}{
		{"default", "P-256", &tls.Config{}, tls.VersionTLS13, tls.ECDSAWithP256AndSHA256, 315},
		{"RSA-2048", "RSA-2048", &tls.Config{NextProtos: []string{"h2", "http/1.1"}}, tls.VersionTLS13, tls.PSSWithSHA256, 500},
		{"Ed25519", "Ed25519", &tls.Config{}, tls.VersionTLS13, tls.Ed25519, 315},
		{"P-384 key", "P-384", &tls.Config{}, tls.VersionTLS13, tls.ECDSAWithP384AndSHA384, 355},
		{"P-521 key", "P-521", &tls.Config{}, tls.VersionTLS13, tls.ECDSAWithP521AndSHA512, 400},
		{"P-256 share", "P-256", &tls.Config{CurvePreferences: []tls.CurveID{tls.CurveP256}}, tls.VersionTLS13, tls.ECDSAWithP256AndSHA256, 435},
		{"P-384 share", "P-256", &tls.Config{CurvePreferences: []tls.CurveID{tls.CurveP384}}, tls.VersionTLS13, tls.ECDSAWithP256AndSHA256, 505},
		{"asks for a certificate", "P-256", &tls.Config{ClientAuth: tls.RequestClientCert, ClientCAs: a.roots}, tls.VersionTLS13, tls.ECDSAWithP256AndSHA256, 440},
		{"TLS 1.2 ECDSA", "P-256", &tls.Config{MaxVersion: tls.VersionTLS12}, tls.VersionTLS12, tls.ECDSAWithP256AndSHA256, 305},
		{"TLS 1.2 RSA", "RSA-2048", &tls.Config{MaxVersion: tls.VersionTLS12}, tls.VersionTLS12, tls.PSSWithSHA256, 490},
		{"TLS 1.2 Ed25519", "Ed25519", &tls.Config{MaxVersion: tls.VersionTLS12}, tls.VersionTLS12, tls.Ed25519, 300},
		{"TLS 1.2 CBC", "RSA-2048", &tls.Config{MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA}}, tls.VersionTLS12, tls.PSSWithSHA256, 490},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.config.Certificates = []tls.Certificate{a.issue(t, c.key)}
			s := connect(t, serve(t, c.config), a.clientConfig())
			proof, facts := s.prove(t, a)
			if facts.Version != c.version || facts.Version != s.state.Version || facts.Suite != s.state.CipherSuite || facts.Scheme != c.scheme ||
				facts.Anchor != anchor || facts.ServerName != host || facts.Whole != (c.version == tls.VersionTLS13) {
				t.Errorf("facts = %+v", facts)
			}
			t.Logf("%d bytes", len(proof))
			if len(proof) > c.most {
				t.Errorf("proof of %d bytes, want at most %d", len(proof), c.most)
			}
		})
	}
}

// prove returns the proof of a session and what it shows, and checks that the
// connection goes on and the recorder holds nothing more.
func (s *session) prove(t testing.TB, a *authority) ([]byte, Facts) {
	t.Helper()
	proof, err := s.recorder.Proof()
	if err != nil {
		t.Fatal(err)
	}
	facts, err := Verify(proof, s.chain, VerifyOptions{Host: host, Roots: a.roots, Time: time.Now()})
	if err != nil || facts.Path != nil {
		t.Fatalf("Verify: %v, path: %v", err, facts.Path)
	}
	if !bytes.Equal(facts.PublicKey, s.state.PeerCertificates[0].RawSubjectPublicKeyInfo) {
		t.Error("the public key is another")
	}
	if n, err := s.conn.Read(make([]byte, 1)); n != 1 || err != nil {
		t.Errorf("read behind the handshake: %d bytes, %v", n, err)
	}
	if r := s.recorder; r.client != nil || r.server != nil || r.secret != nil {
		t.Error("the recorder keeps bytes after the handshake")
	}
	if _, err := s.recorder.Proof(); ReasonOf(err) != Failed {
		t.Errorf("a second proof: %v", err)
	}
	return proof, facts
}

// repack returns a proof with other contents.
func repack(t testing.TB, proof []byte, change func(p *proofParts)) []byte {
	t.Helper()
	p, err := parse(proof)
	if err != nil {
		t.Fatal(err)
	}
	parts := &proofParts{p.anchor, p.nonce, p.messages}
	change(parts)
	body := short(parts.messages)
	return pack(t, parts.anchor, parts.nonce, body)
}

type proofParts struct {
	anchor, nonce [32]byte
	messages      [][]byte
}

// short joins the messages of a parsed proof as they stand in it.
func short(messages [][]byte) []byte {
	var body []byte
	for _, m := range messages {
		if m[0] == typeClientHello {
			m = slices.Concat(m[:randomStart], m[randomEnd:])
		}
		body = append(body, m...)
	}
	return body
}

// TestChanged changes a proof, its chain and what it is held against.
func TestChanged(t *testing.T) {
	for _, v := range vectors(t) {
		for _, c := range []struct {
			name   string
			change func(p *proofParts)
		}{
			{"anchor", func(p *proofParts) { p.anchor[5] ^= 1 }},
			{"nonce", func(p *proofParts) { p.nonce[31] ^= 0x80 }},
			{"server random", func(p *proofParts) { p.messages[1][randomStart] ^= 1 }},
			{"signature", func(p *proofParts) { last := p.messages[len(p.messages)-1]; last[len(last)-3] ^= 4 }},
			{"order", func(p *proofParts) { p.messages[0], p.messages[1] = p.messages[1], p.messages[0] }},
			{"last left out", func(p *proofParts) { p.messages = p.messages[:len(p.messages)-1] }},
			{"last twice", func(p *proofParts) { p.messages = append(p.messages, p.messages[len(p.messages)-1]) }},
			{"first left out", func(p *proofParts) { p.messages = p.messages[1:] }},
			{"none", func(p *proofParts) { p.messages = nil }},
		} {
			if _, err := Verify(repack(t, v.Proof, c.change), v.Chain, v.options(t)); err == nil {
				t.Errorf("%s: Verify took another %s", v.Name, c.name)
			}
		}
		v.changedMessages(t)
		v.changedChain(t)
		v.changedOptions(t)
	}
}

// changedMessages changes each message at its end, in the middle and at its type.
// All are under the signature in TLS 1.3.
func (v *vector) changedMessages(t *testing.T) {
	if v.Version != tls.VersionTLS13 {
		return
	}
	p, err := parse(v.Proof)
	if err != nil {
		t.Fatal(err)
	}
	for i, m := range p.messages {
		for _, at := range []int{0, randomEnd + 5, len(m) - 1} {
			if at >= len(m) {
				continue
			}
			changed := repack(t, v.Proof, func(p *proofParts) { p.messages[i][at] ^= 1 })
			if _, err := Verify(changed, v.Chain, v.options(t)); err == nil {
				t.Errorf("%s: Verify took message %d with another byte %d", v.Name, i, at)
			}
		}
	}
}

func (v *vector) changedChain(t *testing.T) {
	other := newAuthority(t)
	kind := map[string]string{"p256": "P-256", "rsa": "RSA-2048", "ed25519": "Ed25519", "p384": "P-384"}[strings.Split(v.Name, "-")[1]]
	bent := bytes.Clone(v.Chain[1])
	bent[len(bent)-1] ^= 1
	chains := map[string][][]byte{
		"another leaf": {other.issue(t, kind).Certificate[0], v.Chain[1], v.Chain[2]},
		"no leaf":      {v.Chain[1], v.Chain[2]},
		"none":         nil,
		"nonsense":     {[]byte("x")},
	}
	if v.Version == tls.VersionTLS13 { // in TLS 1.2 only the leaf takes part
		chains["leaf only"] = v.Chain[:1]
		chains["one more"] = append(slices.Clone(v.Chain), v.Chain[2])
		chains["bent"] = [][]byte{v.Chain[0], bent, v.Chain[2]}
		chains["order"] = [][]byte{v.Chain[0], v.Chain[2], v.Chain[1]}
	}
	for name, chain := range chains {
		if _, err := Verify(v.Proof, chain, v.options(t)); err == nil {
			t.Errorf("%s: Verify took the chain %q", v.Name, name)
		}
	}
}

func (v *vector) changedOptions(t *testing.T) {
	for _, name := range []string{"policies.example.org", "example.com", "127.0.0.1", "www." + host} {
		opt := v.options(t)
		opt.Host = name
		if _, err := Verify(v.Proof, v.Chain, opt); err == nil {
			t.Errorf("%s: Verify took it for %s", v.Name, name)
		}
	}
	opt := v.options(t)
	opt.Host = "Policies.EXAMPLE.com."
	if _, err := Verify(v.Proof, v.Chain, opt); err != nil {
		t.Errorf("%s: the same host written otherwise: %v", v.Name, err)
	}
	paths := map[string]func(*VerifyOptions){
		"no roots":    func(o *VerifyOptions) { o.Roots = nil },
		"other roots": func(o *VerifyOptions) { o.Roots = x509.NewCertPool() },
		"too late":    func(o *VerifyOptions) { o.Time = o.Time.AddDate(1, 0, 0) },
		"too early":   func(o *VerifyOptions) { o.Time = o.Time.AddDate(-1, 0, 0) },
		"no time":     func(o *VerifyOptions) { o.Time = time.Time{} },
	}
	for name, change := range paths {
		opt := v.options(t)
		change(&opt)
		facts, err := Verify(v.Proof, v.Chain, opt)
		if err != nil || facts.Path == nil || errors.Is(facts.Path, ErrNotAsked) != (name == "no roots") {
			t.Errorf("%s, %s: %v, path %v", v.Name, name, err, facts.Path)
		}
	}
}

// TestErrSignature holds that a proof with another commitment is told from a
// broken one: another nonce, which is another session id too, leaves the messages
// readable.
func TestErrSignature(t *testing.T) {
	for _, v := range vectors(t) {
		for name, at := range map[string]int{"anchor": 1, "nonce": 33} {
			changed := bytes.Clone(v.Proof)
			changed[at] ^= 1
			if _, err := Verify(changed, v.Chain, v.options(t)); !errors.Is(err, ErrSignature) {
				t.Errorf("%s: another %s: %v, want ErrSignature", v.Name, name, err)
			}
		}
	}
}

// TestForm holds what is no proof.
func TestForm(t *testing.T) {
	v := vectors(t)[3]
	with := func(i int, b byte) []byte { c := bytes.Clone(v.Proof); c[i] = b; return c }
	p, err := parse(v.Proof)
	if err != nil {
		t.Fatal(err)
	}
	body := short(p.messages)
	for name, b := range map[string][]byte{
		"empty":       nil,
		"version 0":   with(0, 0),
		"short":       v.Proof[:60],
		"no messages": v.Proof[:plain],
		"cut":         v.Proof[:len(v.Proof)-1],
		"cut stream":  v.Proof[:plain+20],
		"longer":      append(bytes.Clone(v.Proof), 0),
		"huge":        make([]byte, MaxProof+1),
		"bomb":        pack(t, p.anchor, p.nonce, append(bytes.Clone(body), make([]byte, maxMessages)...)),
		"half":        pack(t, p.anchor, p.nonce, body[:len(body)-1]),
		"more":        pack(t, p.anchor, p.nonce, append(bytes.Clone(body), 0)),
	} {
		if _, err := Verify(b, v.Chain, v.options(t)); err == nil || errors.Is(err, ErrNewer) || errors.Is(err, ErrSignature) {
			t.Errorf("%s: Verify = %v", name, err)
		}
	}
	if _, err := Verify(with(0, 2), v.Chain, v.options(t)); !errors.Is(err, ErrNewer) {
		t.Errorf("version 2: %v, want ErrNewer", err)
	}
}

// TestAddress makes a proof with a host that is an address: no name is sent.
func TestAddress(t *testing.T) {
	a := newAuthority(t)
	config := a.clientConfig()
	config.ServerName = "127.0.0.1"
	s := connect(t, serve(t, &tls.Config{Certificates: []tls.Certificate{a.issue(t, "P-256")}}), config)
	proof, err := s.recorder.Proof()
	if err != nil {
		t.Fatal(err)
	}
	for name, good := range map[string]bool{"127.0.0.1": true, "127.0.0.2": false, host: false} {
		facts, err := Verify(proof, s.chain, VerifyOptions{Host: name, Roots: a.roots, Time: time.Now()})
		if (err == nil) != good || good && (facts.ServerName != "" || facts.Path != nil) {
			t.Errorf("%s: %+v, %v", name, facts, err)
		}
	}
}

// TestReasons makes Build refuse.
func TestReasons(t *testing.T) {
	all := vectors(t)
	index := slices.IndexFunc(all, func(v vector) bool { return v.Name == "tls13-p256" })
	old := slices.IndexFunc(all, func(v vector) bool { return v.Name == "tls12-rsa" })
	for _, c := range []struct {
		name   string
		from   int
		change func(r *Recording)
		want   Reason
	}{
		{"another anchor", index, func(r *Recording) { r.Anchor[0] ^= 1 }, RandomNotOurs},
		{"another nonce", old, func(r *Recording) { r.Nonce[0] ^= 1 }, RandomNotOurs},
		{"no secret", index, func(r *Recording) { r.Secret = nil }, Failed},
		{"another secret", index, func(r *Recording) { r.Secret = make([]byte, 32) }, Malformed},
		{"nothing", index, func(r *Recording) { r.Client, r.Server = nil, nil }, Failed},
		{"cut", index, func(r *Recording) { r.Server = r.Server[:len(r.Server)/2] }, Malformed},
		{"plain text", index, func(r *Recording) { r.Server = []byte("HTTP/1.1 400 Bad Request\r\n\r\n") }, Malformed},
		{"an alert", index, func(r *Recording) { r.Server = []byte{recordAlert, 3, 3, 0, 2, 2, 40} }, Failed},
		{"too large", index, func(r *Recording) { r.Server = make([]byte, MaxFlight+1) }, TooLarge},
		{"a huge message", index, func(r *Recording) { r.Server = []byte{recordHandshake, 3, 3, 0, 4, typeServerHello, 0xff, 0xff, 0xff} }, TooLarge},
		{"a suite without a signature", old, func(r *Recording) { r.Server = withSuite(r.Server, tls.TLS_RSA_WITH_AES_128_GCM_SHA256) }, UnsupportedSuite},
		{"an unknown suite", index, func(r *Recording) { r.Server = withSuite(r.Server, 0x1304) }, UnsupportedSuite},
		{"a suite of the other version", old, func(r *Recording) { r.Server = withSuite(r.Server, tls.TLS_AES_128_GCM_SHA256) }, UnsupportedSuite},
		{"another server random", old, func(r *Recording) { r.Server = bytes.Clone(r.Server); r.Server[5+randomStart] ^= 1 }, Failed},
		{"no key exchange", old, func(r *Recording) {
			end := 5 + int(r.Server[3])<<8 + int(r.Server[4]) // ServerHello's record
			r.Server = append(bytes.Clone(r.Server[:end]), recordHandshake, 3, 3, 0, 4, typeServerHelloDone, 0, 0, 0)
		}, NoSignature},
	} {
		r := all[c.from].recording()
		c.change(&r)
		_, _, err := Build(r)
		if _, typed := errors.AsType[*Error](err); !typed || ReasonOf(err) != c.want {
			t.Errorf("%s: Build = %v, want %s", c.name, err, c.want)
		}
	}
}

// withSuite replaces the suite in the ServerHello that begins a flight.
func withSuite(server []byte, suite uint16) []byte {
	c := bytes.Clone(server)
	at := 5 + randomEnd
	at += 1 + int(c[at]) // session id
	c[at], c[at+1] = byte(suite>>8), byte(suite)
	return c
}

// TestSchemes holds which schemes count in which version.
func TestSchemes(t *testing.T) {
	key := keys()["RSA-2048"].Public().(*rsa.PublicKey)
	ec := keys()["P-384"].Public()
	for _, c := range []struct {
		key     any
		version uint16
		scheme  tls.SignatureScheme
		known   bool
	}{
		{key, tls.VersionTLS13, tls.PKCS1WithSHA256, false},
		{key, tls.VersionTLS12, tls.PKCS1WithSHA256, true},
		{key, tls.VersionTLS12, tls.PKCS1WithSHA1, false},
		{ec, tls.VersionTLS12, tls.ECDSAWithSHA1, false},
		{ec, tls.VersionTLS13, tls.ECDSAWithP256AndSHA256, true},
		{key, tls.VersionTLS13, tls.Ed25519, true},
		{nil, tls.VersionTLS13, tls.Ed25519, true},
	} {
		err := checkSignature(c.key, c.version, signature{c.scheme, []byte("x")}, nil)
		if ReasonOf(err) == UnsupportedSuite != !c.known || c.known && !errors.Is(err, ErrSignature) {
			t.Errorf("%v in %#x: %v", c.scheme, c.version, err)
		}
	}
}

// TestCurveBound holds that in TLS 1.3 a scheme names the curve of its key.
func TestCurveBound(t *testing.T) {
	key := keys()["P-384"]
	message := []byte("message")
	h := schemes[tls.ECDSAWithP256AndSHA256].hash
	d := h.New()
	d.Write(message)
	sig, err := key.Sign(nil, d.Sum(nil), h)
	if err != nil {
		t.Fatal(err)
	}
	s := signature{tls.ECDSAWithP256AndSHA256, sig}
	if err := checkSignature(key.Public(), tls.VersionTLS12, s, message); err != nil {
		t.Errorf("TLS 1.2: %v", err)
	}
	if err := checkSignature(key.Public(), tls.VersionTLS13, s, message); !errors.Is(err, ErrSignature) {
		t.Errorf("TLS 1.3: %v, want ErrSignature", err)
	}
}
