package handshake

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"flag"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "rewrite testdata/vectors.json by new handshakes")

// vector is a recorded handshake with its proof, for other verifiers too. Byte
// strings stand in base64.
type vector struct {
	Name   string    `json:"name"`
	Host   string    `json:"host"`
	Time   time.Time `json:"time"`
	Anchor []byte    `json:"anchor"`
	Nonce  []byte    `json:"nonce"`
	Client []byte    `json:"client"`
	Server []byte    `json:"server"`
	Secret []byte    `json:"secret"`
	Chain  [][]byte  `json:"chain"`
	Root   []byte    `json:"root"`
	Proof  []byte    `json:"proof"`

	Version uint16 `json:"version"`
	Suite   uint16 `json:"suite"`
	Scheme  uint16 `json:"scheme"`
}

func (v *vector) recording() Recording {
	return Recording{Anchor: [32]byte(v.Anchor), Nonce: [32]byte(v.Nonce), Client: v.Client, Server: v.Server, Secret: v.Secret}
}

func (v *vector) options(t testing.TB) VerifyOptions {
	t.Helper()
	root, err := x509.ParseCertificate(v.Root)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(root)
	return VerifyOptions{Host: v.Host, Roots: roots, Time: v.Time}
}

const vectorFile = "testdata/vectors.json"

func vectors(t testing.TB) []vector {
	t.Helper()
	data, err := os.ReadFile(vectorFile)
	if err != nil {
		t.Fatal(err)
	}
	var all []vector
	if err := json.Unmarshal(data, &all); err != nil {
		t.Fatal(err)
	}
	return all
}

// vectorServers are the servers of the vectors: one for each form of a proof.
func vectorServers(t testing.TB, a *authority) map[string]*tls.Config {
	cert := func(kind string) []tls.Certificate { return []tls.Certificate{a.issue(t, kind)} }
	return map[string]*tls.Config{
		"tls13-p256":          {Certificates: cert("P-256"), NextProtos: []string{"http/1.1"}},
		"tls13-rsa-retry":     {Certificates: cert("RSA-2048"), CurvePreferences: []tls.CurveID{tls.CurveP384}},
		"tls13-ed25519-asked": {Certificates: cert("Ed25519"), ClientAuth: tls.RequestClientCert},
		"tls12-p384":          {Certificates: cert("P-384"), MaxVersion: tls.VersionTLS12},
		"tls12-rsa":           {Certificates: cert("RSA-2048"), MaxVersion: tls.VersionTLS12},
	}
}

func writeVectors(t *testing.T) {
	a := newAuthority(t)
	var all []vector
	for name, config := range vectorServers(t, a) {
		s := connect(t, serve(t, config), a.clientConfig())
		r := s.recording()
		proof, chain, err := Build(r)
		if err != nil {
			t.Fatal(err)
		}
		facts, err := Verify(proof, chain, VerifyOptions{})
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, vector{
			Name: name, Host: host, Time: time.Now().UTC().Truncate(time.Second), Anchor: r.Anchor[:], Nonce: r.Nonce[:],
			Client: r.Client, Server: r.Server, Secret: r.Secret, Chain: chain, Root: a.root.Raw, Proof: proof,
			Version: facts.Version, Suite: facts.Suite, Scheme: uint16(facts.Scheme),
		})
	}
	slices.SortFunc(all, func(a, b vector) int {
		if a.Name < b.Name {
			return -1
		}
		return 1
	})
	data, err := json.MarshalIndent(all, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(vectorFile, append(data, '\n'), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestVectors holds that proofs made once verify for ever, and that their
// handshakes are still read.
func TestVectors(t *testing.T) {
	if *update {
		writeVectors(t)
	}
	all := vectors(t)
	if len(all) != 5 {
		t.Fatalf("%d vectors, want 5", len(all))
	}
	for _, v := range all {
		t.Run(v.Name, func(t *testing.T) {
			facts, err := Verify(v.Proof, v.Chain, v.options(t))
			if err != nil || facts.Path != nil {
				t.Fatalf("Verify = %v, path %v", err, facts.Path)
			}
			if facts.Version != v.Version || facts.Suite != v.Suite || uint16(facts.Scheme) != v.Scheme || facts.ServerName != v.Host ||
				facts.Anchor != [32]byte(v.Anchor) || facts.Nonce != [32]byte(v.Nonce) || facts.Whole != (v.Version == tls.VersionTLS13) {
				t.Errorf("facts = %+v", facts)
			}
			proof, chain, err := Build(v.recording())
			if err != nil {
				t.Fatal(err)
			}
			if !slices.EqualFunc(chain, v.Chain, slices.Equal) {
				t.Error("Build found another chain")
			}
			if _, err := Verify(proof, v.Chain, v.options(t)); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestDictionary holds that docs/FORMATS.md prints the dictionary.
func TestDictionary(t *testing.T) {
	text, err := os.ReadFile("../../docs/FORMATS.md")
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256([]byte(dictionary))
	for _, want := range []string{hex.EncodeToString([]byte(dictionary)), hex.EncodeToString(sum[:]), strconv.Itoa(len(dictionary)) + " bytes"} {
		if !strings.Contains(strings.ReplaceAll(string(text), "\n", ""), want) {
			t.Errorf("docs/FORMATS.md does not print %s", want)
		}
	}
}
