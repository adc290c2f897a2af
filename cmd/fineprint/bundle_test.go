package main

import (
	"archive/zip"
	"bytes"
	"crypto/rand"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fineprint-archive/fineprint/archive/tlog"
)

const bundleConfig = `archive: archive
declarations: [declarations]
crawl: {delay: 0s, retry_delay: 20ms, allow_private_networks: true}
`

// stranger is a folder without a configuration.
func stranger(t *testing.T) *program { return &program{dir: t.TempDir()} }

// publicKey returns the verifier key of the program's log.
func (p *program) publicKey(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(p.path("log.key"))
	must(t, err)
	key, err := tlog.ParseKey(string(text))
	must(t, err)
	return key.Public
}

// bundle exports a bundle and returns its path.
func (p *program) bundle(t *testing.T, name string, args ...string) string {
	t.Helper()
	p.must(t, []int{exitDone}, append([]string{"export", "bundle", "-o", name}, args...)...)
	return p.path(name)
}

// claims returns the verdicts of `verify --json` by claim, the worst of each.
func (o outcome) claims(t *testing.T) map[string]string {
	t.Helper()
	order := map[string]int{"ok": 1, "not present": 2, "unknown": 3, "false": 4}
	verdicts := map[string]string{}
	for line := range strings.Lines(o.stdout) {
		var c struct{ Claim, Verdict string }
		must(t, json.Unmarshal([]byte(line), &c))
		if c.Claim != "" && order[c.Verdict] > order[verdicts[c.Claim]] {
			verdicts[c.Claim] = c.Verdict
		}
	}
	return verdicts
}

// unpack unpacks a bundle into a new folder.
func unpack(t *testing.T, name string) string {
	t.Helper()
	z, err := zip.OpenReader(name)
	must(t, err)
	dir := t.TempDir()
	for _, f := range z.File {
		r, err := f.Open()
		must(t, err)
		data, err := io.ReadAll(r)
		must(t, err)
		target := filepath.Join(dir, filepath.FromSlash(f.Name))
		must(t, os.MkdirAll(filepath.Dir(target), 0o755))
		must(t, os.WriteFile(target, data, 0o644))
	}
	must(t, z.Close())
	return dir
}

// TestBundles exports looks of every kind and lets strangers check them: with
// the program, with the small checker, and with a shell.
func TestBundles(t *testing.T) {
	t.Parallel()
	web := startWeb(t, 1)
	p := newProgram(t, bundleConfig, web.declarations())
	for range 4 {
		p.must(t, []int{exitDone, exitPartly}, "-q", "crawl")
		web.next()
	}
	key, host := p.publicKey(t), web.hosts[0]
	checker := buildChecker(t)
	for _, tc := range []struct {
		name, look string
		args       []string
		refers     string // verdict; "" where it hangs on which page brought the stylesheet
		files      []string
	}{
		{"changed", host + "/terms@latest", nil, "", []string{"prev.json", "capture.wacz"}},
		{"not modified", host + "/privacy@latest", nil, "ok", []string{"refers/1.json", "refers/1.manifest.gz"}},
		{"same", host + "/zh/terms@latest", nil, "", nil},
		{"failed", host + "/gone@latest", nil, "", nil},
		{"redirected", host + "/moved@latest", []string{"--from", "first"}, "", []string{"leaves/1.json", "leaves/2.json", "leaves/3.json"}},
		{"range", host + "/terms@latest", []string{"--from", "first"}, "", []string{"leaves/1.json", "leaves/2.tlog-proof", "leaves/3.json"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			file := p.bundle(t, strings.ReplaceAll(tc.name, " ", "-")+".zip", append(tc.args, tc.look)...)
			s := stranger(t)
			o := s.must(t, []int{exitDone}, "--json", "verify", file, "--key", key)
			claims := o.claims(t)
			if claims["log"] != "ok" || claims["records"] != "ok" || claims["series"] != "ok" || tc.refers != "" && claims["refers"] != tc.refers {
				t.Errorf("claims are %v", claims)
			}
			if n := strings.Count(o.stdout, `"kind":"bundle","exit":0`); n != 1 {
				t.Errorf("summary is not the last line: %s", o.stdout)
			}
			checkSmall(t, checker, o, "--json", "--key", key, file)
			dir := unpack(t, file)
			for _, name := range tc.files {
				if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
					t.Error(err)
				}
			}
			checkScript(t, dir, key, exitDone)
		})
	}
}

// TestBundleVerdicts holds the exit codes against keys and alterations.
func TestBundleVerdicts(t *testing.T) {
	t.Parallel()
	web := startWeb(t, 1)
	p := newProgram(t, bundleConfig, web.declarations())
	p.must(t, []int{exitDone, exitPartly}, "-q", "crawl")
	key := p.publicKey(t)
	file := p.bundle(t, "x.zip", web.hosts[0]+"/terms")
	name, _, _ := strings.Cut(key, "+")
	same, err := tlog.GenerateKey(rand.Reader, name)
	must(t, err)
	other, err := tlog.GenerateKey(rand.Reader, "other.example/log")
	must(t, err)
	s, checker := stranger(t), buildChecker(t)
	s.write(t, "key.txt", key+"\n")
	for _, tc := range []struct {
		name string
		key  string
		want int
	}{
		{"right key", key, exitDone}, {"in a file", s.path("key.txt"), exitDone}, {"no key", "", exitIncomplete},
		{"key of another log", other.Public, exitIncomplete}, {"another key of that name", same.Public, exitIncomplete},
	} {
		t.Run(tc.name, func(t *testing.T) {
			args := []string{"--json", "verify", file}
			small := []string{"--json"}
			if tc.key != "" {
				args, small = append(args, "--key", tc.key), append(small, "--key", tc.key)
			}
			o := s.must(t, []int{tc.want}, args...)
			checkSmall(t, checker, o, append(small, file)...)
			if tc.key != "" {
				checkScript(t, unpack(t, file), tc.key, tc.want)
			}
		})
	}
	t.Run("own configuration", func(t *testing.T) {
		o := p.must(t, []int{exitDone}, "verify", file)
		if !strings.Contains(o.stdout, "trusted: the log key of this configuration (fineprint.yaml)\n") {
			t.Errorf("it is not said whom the verdict rests on: %s", o)
		}
		if o := s.must(t, []int{exitIncomplete}, "verify", file); strings.Contains(o.stdout, "trusted:") {
			t.Errorf("a stranger trusts nobody: %s", o)
		}
	})
	t.Run("altered", func(t *testing.T) {
		data, err := os.ReadFile(file)
		must(t, err)
		for _, part := range []string{`"type":"look"`, "WHAT IT SHOWS", "PK\x01\x02"} {
			at := bytes.Index(data, []byte(part))
			altered := bytes.Clone(data)
			altered[at+1] ^= 1
			must(t, os.WriteFile(s.path("altered.zip"), altered, 0o644))
			s.must(t, []int{exitFailed}, "verify", s.path("altered.zip"), "--key", key)
		}
		must(t, os.WriteFile(s.path("altered.zip"), data[:len(data)/2], 0o644))
		s.must(t, []int{exitFailed}, "verify", s.path("altered.zip"), "--key", key)
	})
}

// TestBundleTooEarly asks for the bundle of a look that is not sealed.
func TestBundleTooEarly(t *testing.T) {
	t.Parallel()
	web := startWeb(t, 1)
	p := newProgram(t, bundleConfig, web.declarations())
	address := web.hosts[0] + "/terms"
	for _, step := range []string{"put", "append"} {
		p.env = []string{killEnv + "=" + step + ":1"}
		if o := p.run(t, "-q", "capture", "--no-bundle", address); !o.killed {
			t.Fatalf("want it killed before %s: %s", step, o)
		}
		p.env = nil
		o := p.must(t, []int{exitFailed}, "export", "bundle", address)
		if !strings.Contains(o.stderr, "run `fineprint seal`") {
			t.Errorf("before %s: the remedy is not told: %s", step, o)
		}
		p.must(t, []int{exitDone}, "-q", "seal")
		p.must(t, []int{exitDone}, "export", "bundle", address, "-o", step+".zip")
		p.must(t, []int{exitDone}, "verify", step+".zip")
	}
}

// checkScript runs the bundle's own script with every shell at hand. No shell
// has a race that the detector would see.
func checkScript(t *testing.T, dir, key string, want int) {
	t.Helper()
	if raceDetector {
		return
	}
	for _, shell := range []string{"sh", "dash", "bash"} {
		for _, tool := range []string{shell, "openssl", "awk", "gunzip"} {
			if _, err := exec.LookPath(tool); err != nil {
				t.Skipf("%s is not installed", tool)
			}
		}
		cmd := exec.Command(shell, "verify.sh", key)
		cmd.Dir = dir
		if o := finish(t, cmd, nil); o.code != want {
			t.Errorf("%s verify.sh: want exit code %d, got %s", shell, want, o)
		}
	}
}

// checkSmall runs the small checker of buildChecker, and wants the exit code and
// the output of the program.
func checkSmall(t *testing.T, checker string, want outcome, args ...string) {
	t.Helper()
	if checker == "" {
		return
	}
	if got := finish(t, exec.Command(checker, args...), nil); got.code != want.code || got.stdout != want.stdout {
		t.Errorf("fineprint-verify says something else: %s", got)
	}
}

// buildChecker builds cmd/fineprint-verify. Its source is read here too, so that
// a cached result of the test is not taken for one of a changed program. With the
// race detector it returns "": the checker would be built without it.
func buildChecker(t *testing.T) string {
	t.Helper()
	if raceDetector {
		return ""
	}
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("the go command is not installed")
	}
	_, err := os.ReadFile(filepath.Join("..", "fineprint-verify", "main.go"))
	must(t, err)
	name := filepath.Join(t.TempDir(), "fineprint-verify")
	if out, err := exec.Command("go", "build", "-o", name, "../fineprint-verify").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return name
}
