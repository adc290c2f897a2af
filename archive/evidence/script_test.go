package evidence

import (
	"archive/zip"
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// unpack writes the files of a ZIP into a folder, as unzip does.
func unpack(t testing.TB, data []byte) string {
	t.Helper()
	dir := t.TempDir()
	z := must[*zip.Reader](t)(zip.NewReader(bytes.NewReader(data), int64(len(data))))
	for _, f := range z.File {
		path := filepath.Join(dir, filepath.FromSlash(f.Name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		r := must[io.ReadCloser](t)(f.Open())
		if err := os.WriteFile(path, must[[]byte](t)(io.ReadAll(r)), 0o644); err != nil {
			t.Fatal(err)
		}
		r.Close()
	}
	return dir
}

// runScript runs verify.sh of this package in an unpacked bundle and returns its
// output and exit code.
func runScript(t testing.TB, shell, dir string, args ...string) (string, int) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "verify.sh")
	if err := os.WriteFile(path, []byte(script), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), shell, append([]string{"-s", "--"}, args...)...)
	cmd.Dir = dir
	cmd.Stdin = must[*os.File](t)(os.Open(path))
	out, err := cmd.CombinedOutput()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return string(out), exit.ExitCode()
	}
	if err != nil {
		t.Fatal(err)
	}
	return string(out), 0
}

func shells(t testing.TB) []string {
	t.Helper()
	for _, tool := range []string{"dash", "bash", "openssl", "gunzip", "awk", "sha256sum"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("verify.sh is tested with %s, which is not here", tool)
		}
	}
	if v, err := exec.CommandContext(t.Context(), "openssl", "version").Output(); err != nil || !strings.HasPrefix(string(v), "OpenSSL 3") {
		t.Skipf("verify.sh is tested with OpenSSL 3; here is %s (%v)", v, err)
	}
	return []string{"dash", "bash"}
}

// TestScript holds verify.sh to the vectors: it passes on whole bundles and fails
// on each broken one that it can see. FINEPRINT_TEST_LONG runs all of them under both
// shells, which takes half a minute; else the false ones under one of them.
func TestScript(t *testing.T) {
	bundles := readVectors(t)
	long := os.Getenv("FINEPRINT_TEST_LONG") != ""
	for i, shell := range shells(t) {
		for _, v := range table() {
			matters := v.Script == 1 && (len(v.Name)+i)%2 == 0 || v.Name == "full"
			if v.Script < 0 || !long && !matters {
				continue
			}
			t.Run(shell+"/"+v.Name, func(t *testing.T) {
				t.Parallel()
				if out, code := runScript(t, shell, unpack(t, bundles[v.File]), v.args(t)...); code != v.Script {
					t.Errorf("exit %d, want %d\n%s", code, v.Script, out)
				}
			})
		}
	}
}

// args returns the arguments of verify.sh for a vector.
func (v vector) args(t testing.TB) []string {
	t.Helper()
	path := func(name string) string { return must[string](t)(filepath.Abs(filepath.Join("testdata", name))) }
	args := []string{strangerKey}
	if v.Policy != "" {
		args[0] = path(v.Policy)
	}
	if v.Roots {
		args = append(args, path("tsa-roots.pem"))
	}
	return args
}

// strangerKey is the key of a log that no vector is from.
const strangerKey = "other.example/log+cd3a20ae+AUWJvL9xOGOyjDbhxu3XSdzEd7wDfBOjHiyyKdmbISrq"

func TestScriptKey(t *testing.T) {
	key := strings.TrimSpace(string(must[[]byte](t)(os.ReadFile(filepath.Join("testdata", "log.vkey")))))
	dir := unpack(t, readVectors(t)["bare.evidence.zip"])
	if out, code := runScript(t, shells(t)[0], dir, key); code != 0 {
		t.Errorf("with the key itself as argument: exit %d\n%s", code, out)
	}
	if out, code := runScript(t, shells(t)[0], dir); code != 2 {
		t.Errorf("without arguments: exit %d, want 2\n%s", code, out)
	}
}

func TestScriptIsShort(t *testing.T) {
	if n := strings.Count(script, "\n"); n >= 100 {
		t.Errorf("verify.sh has %d lines, want less than 100", n)
	}
}
