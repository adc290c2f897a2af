package anchor

import (
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestParseRoots(t *testing.T) {
	t.Parallel()
	d := newTestPKI(t).build(t)
	block := func(kind string, der []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	root, leaf := block(pemCertificate, d.ca.Raw), block(pemCertificate, d.leaf.Raw)
	for _, tc := range []struct {
		name, pem, words string
		anchors, helpers int
	}{
		{"one", root, "", 1, 0},
		{"with words around it", "Our root\n" + root + "\nbye\n", "", 1, 0},
		{"and a helper", leaf + root, "", 1, 1},
		{"no root", leaf, "is no root", 0, 0},
		{"nothing", "", "no PEM certificate", 0, 0},
		{"DER", string(d.ca.Raw), "openssl x509", 0, 0},
		{"a key", root + block("EC PRIVATE KEY", []byte{1}), `"EC PRIVATE KEY"`, 0, 0},
		{"broken", block(pemCertificate, d.ca.Raw[1:]), "block 1", 0, 0},
	} {
		r, err := ParseRoots([]byte(tc.pem))
		if len(r.anchors) != tc.anchors || len(r.helpers) != tc.helpers || (err == nil) != (tc.words == "") {
			t.Errorf("%s: %d roots, %d helpers, %v", tc.name, len(r.anchors), len(r.helpers), err)
		}
		if err != nil && !strings.Contains(err.Error(), tc.words) {
			t.Errorf("%s: error %q, want %q in it", tc.name, err, tc.words)
		}
		file := filepath.Join(t.TempDir(), "roots.pem")
		if err := os.WriteFile(file, []byte(tc.pem), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, again := ReadRoots(file); (again == nil) != (err == nil) || again != nil && !strings.Contains(again.Error(), file) {
			t.Errorf("%s: from a file: %v", tc.name, again)
		}
	}
	if _, err := ReadRoots(filepath.Join(t.TempDir(), "missing")); err == nil {
		t.Error("a missing file: no error")
	}
}

func TestAuthorityCheck(t *testing.T) {
	t.Parallel()
	d := newTestPKI(t).build(t)
	for _, tc := range []struct {
		name  string
		a     Authority
		words string
	}{
		{"good", Authority{"free-tsa", "https://tsa.example.org/tsr", d.roots(t)}, ""},
		{"path as a name", Authority{"../x", "https://tsa.example.org/tsr", d.roots(t)}, "name"},
		{"no name", Authority{"", "https://tsa.example.org/tsr", d.roots(t)}, "name"},
		{"no scheme", Authority{"a", "tsa.example.org", d.roots(t)}, "http or https"},
		{"other scheme", Authority{"a", "file:///etc/passwd", d.roots(t)}, "http or https"},
		{"secret in a bad address", Authority{"a", "http://u:secret@h:port/", d.roots(t)}, "http or https"},
		{"no roots", Authority{"a", "https://tsa.example.org/tsr", Roots{}}, "roots: FILE"},
	} {
		err := tc.a.Check()
		if (err == nil) != (tc.words == "") || err != nil && (!strings.Contains(err.Error(), tc.words) || strings.Contains(err.Error(), "secret")) {
			t.Errorf("%s: %v, want %q", tc.name, err, tc.words)
		}
	}
	for _, p := range PublicAuthorities() {
		if err := (Authority{p.Name, p.URL, d.roots(t)}).Check(); err != nil {
			t.Error(err)
		}
	}
}
