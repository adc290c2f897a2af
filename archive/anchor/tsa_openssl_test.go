package anchor

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// opensslConfig is for the authority that openssl itself plays.
const opensslConfig = `
[req]
distinguished_name = dn
prompt = no
[dn]
CN = openssl test root
[root]
basicConstraints = critical, CA:true
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[signer]
basicConstraints = critical, CA:false
keyUsage = critical, digitalSignature
extendedKeyUsage = critical, timeStamping
[tsa]
default_tsa = tsa1
[tsa1]
serial = serial
signer_cert = signer.pem
certs = root.pem
signer_key = signer.key
signer_digest = sha256
default_policy = 1.3.6.1.4.1.32473.2
digests = sha256
accuracy = secs:2, millisecs:500
`

// opensslTSA is an authority made with `openssl ts -reply`.
func opensslTSA(t *testing.T) (Authority, []byte) {
	t.Helper()
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Skip("needs openssl")
	}
	dir := t.TempDir()
	write := func(name string, data []byte) {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	run := func(args ...string) error {
		cmd := exec.CommandContext(t.Context(), "openssl", args...)
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Errorf("openssl %v: %v\n%s", args, err, out)
		}
		return err
	}
	write("openssl.cnf", []byte(opensslConfig))
	write("serial", []byte("0A17\n"))
	for _, args := range [][]string{
		{"req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "root.key", "-out", "root.pem", "-days", "30", "-config", "openssl.cnf", "-extensions", "root"},
		{"req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "signer.key", "-out", "signer.csr", "-subj", "/CN=openssl test signer", "-config", "openssl.cnf"},
		{"x509", "-req", "-in", "signer.csr", "-CA", "root.pem", "-CAkey", "root.key", "-CAcreateserial", "-days", "20", "-out", "signer.pem", "-extfile", "openssl.cnf", "-extensions", "signer"},
	} {
		if err := run(args...); err != nil {
			t.FailNow()
		}
	}
	var one sync.Mutex
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		one.Lock()
		defer one.Unlock()
		query, err := io.ReadAll(r.Body)
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, "query.tsq"), query, 0o600)
		}
		if err != nil || run("ts", "-reply", "-config", "openssl.cnf", "-section", "tsa1", "-queryfile", "query.tsq", "-out", "reply.tsr") != nil {
			http.Error(w, "openssl", http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/timestamp-reply")
		http.ServeFile(w, r, filepath.Join(dir, "reply.tsr"))
	}))
	t.Cleanup(srv.Close)
	root, err := os.ReadFile(filepath.Join(dir, "root.pem"))
	if err != nil {
		t.Fatal(err)
	}
	return Authority{Name: "openssl", URL: srv.URL, Roots: mustRoots(t, root)}, root
}

// TestOpensslAuthority has the other side be openssl, as issuer and as verifier.
func TestOpensslAuthority(t *testing.T) {
	t.Parallel()
	a, root := opensslTSA(t)
	token := mustStamp(t, &Stamper{}, a)
	if err := opensslVerify(t, root, token.TSR, tsaData); err != nil {
		t.Error(err)
	}
	info, err := VerifyToken(token.TSR, tsaData, token.Evidence, a.Roots)
	if err != nil {
		t.Fatal(err)
	}
	if info.Policy != "1.3.6.1.4.1.32473.2" || info.Accuracy != 2500*time.Millisecond || info.Serial != "a18" || info.Signer != "CN=openssl test signer" {
		t.Errorf("info = %+v", info)
	}
	if len(token.Notes) != 1 {
		t.Errorf("notes = %q, want one: no CRL is named", token.Notes)
	}
	altered := append(bytes.Clone(tsaData), ' ')
	if _, err := VerifyToken(token.TSR, altered, nil, a.Roots); err == nil {
		t.Error("altered data: accepted")
	}
	if err := opensslVerify(t, root, token.TSR, altered); err == nil {
		t.Error("altered data: openssl accepted")
	}
}
