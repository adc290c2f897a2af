package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/fineprint-archive/fineprint/archive/anchor/anchortest"
)

// firstLine hands over the first line of what is written, and keeps the rest.
type firstLine struct {
	mu   sync.Mutex
	text bytes.Buffer
	line chan string
	told bool
}

func (f *firstLine) Write(p []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.text.Write(p)
	if line, _, whole := strings.Cut(f.text.String(), "\n"); whole && !f.told {
		f.told = true
		f.line <- line
	}
	return len(p), nil
}

// String returns what was written so far.
func (f *firstLine) String() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.text.String()
}

// witnessProcess is a running `fineprint witness`.
type witnessProcess struct {
	stderr *firstLine
	URL    string
	VKey   string
}

func startWitness(t *testing.T, p *program, args ...string) *witnessProcess {
	t.Helper()
	// Not of p.command: the context of a test ends before its clean-up.
	cmd := exec.Command("fineprint", append([]string{"--json", "witness", "--listen", "127.0.0.1:0"}, args...)...)
	cmd.Dir, cmd.Env = p.dir, []string{"PATH=" + os.Getenv("PATH"), "HOME=" + p.dir, "TMPDIR=" + p.dir, raceEnv}
	stdout, w := &firstLine{line: make(chan string, 1)}, &witnessProcess{stderr: &firstLine{line: make(chan string, 1)}}
	cmd.Stdout, cmd.Stderr = stdout, w.stderr
	must(t, cmd.Start())
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case line := <-stdout.line:
		var hello struct{ Listen, VKey string }
		must(t, json.Unmarshal([]byte(line), &hello))
		w.URL, w.VKey = "http://"+hello.Listen, hello.VKey
	case err := <-ended:
		t.Fatalf("witness: %v\n%s", err, w.stderr)
	}
	t.Cleanup(func() {
		must(t, cmd.Process.Signal(syscall.SIGTERM))
		if err := <-ended; err != nil {
			t.Errorf("witness did not end cleanly: %v\n%s", err, w.stderr)
		}
	})
	return w
}

// TestWitnessed lets one operator's witness cosign and two authorities stamp
// another's log, and a stranger who trusts them check a bundle of it.
func TestWitnessed(t *testing.T) {
	t.Parallel()
	web := startWeb(t, 1)
	p := newProgram(t, bundleConfig+"anchors: {tsa: [], witness_policy: policy.txt}\n", web.declarations())
	p.write(t, "policy.txt", "quorum none\n")
	p.must(t, []int{exitDone, exitPartly}, "-q", "--set", "anchors.witness_policy=", "crawl") // makes the log and its key
	key := p.publicKey(t)

	other := stranger(t)
	other.write(t, "logs.txt", "# peers\n"+key+" 1000\n")
	w := startWitness(t, other, "--logs", "logs.txt", "--key", "keys/w.key", "--state", "state", "--name", "peer.example/w1")
	if info, err := os.Stat(other.path("keys/w.key")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("key of the witness: %v, %v", info, err)
	}
	policy := "witness peer " + w.VKey + " " + w.URL + "/\nquorum peer\n"
	p.write(t, "policy.txt", policy)
	tsa, err := anchortest.NewTSA(anchortest.TSAConfig{Name: "one"})
	must(t, err)
	t.Cleanup(func() { must(t, tsa.Close()) })
	p.write(t, "roots.pem", string(tsa.Roots))
	tsaFlag := []string{"--set", "anchors.tsa=one roots.pem " + tsa.URL}
	web.next()
	p.must(t, []int{exitDone, exitPartly}, append(tsaFlag, "-q", "crawl")...)
	if !strings.Contains(w.stderr.String(), "cosigned") {
		t.Errorf("the witness tells of no cosignature: %s", w.stderr)
	}
	web.next()
	p.must(t, []int{exitDone, exitPartly}, append(tsaFlag, "-q", "crawl")...)
	file := p.bundle(t, "x.zip", web.hosts[0]+"/terms@latest", "--from", "first")
	var middle struct{ Time string }
	lines := strings.Split(p.must(t, []int{exitDone}, "--json", "captures", web.hosts[0]+"/terms").stdout, "\n")
	must(t, json.Unmarshal([]byte(lines[1]), &middle))
	early := p.bundle(t, "early.zip", web.hosts[0]+"/terms@"+middle.Time)

	s := stranger(t)
	s.write(t, "policy.txt", "log "+key+"\n"+policy)
	s.write(t, "roots.pem", string(tsa.Roots))
	want := map[string]string{"log": "ok", "witnesses": "ok", "timestamp": "ok", "time": "ok", "series": "ok"}
	for _, name := range []string{file, early} {
		o := s.must(t, []int{exitDone}, "--json", "verify", name, "--policy", "policy.txt", "--tsa-roots", "roots.pem")
		for claim, verdict := range want {
			if got := o.claims(t)[claim]; got != verdict {
				t.Errorf("claim %q is %q, want %q: %s", claim, got, verdict, o)
			}
		}
		o = s.must(t, []int{exitIncomplete}, "--json", "verify", name, "--policy", "policy.txt")
		if got := o.claims(t)["timestamp"]; got != "unknown" {
			t.Errorf("without roots the timestamp is %q", got)
		}
	}
	// An older look is proven under the first checkpoint that was stamped after it.
	o := s.must(t, []int{exitDone}, "--json", "verify", early, "--policy", "policy.txt", "--tsa-roots", "roots.pem")
	if got := o.claims(t)["consistency"]; got != "ok" || !strings.Contains(o.stdout, " of 12 of log ") {
		t.Errorf("consistency is %q: %s", got, o)
	}
	o = p.must(t, []int{exitDone}, append(tsaFlag, "verify", file)...)
	if !strings.Contains(o.stdout, "trusted: the log key, the witnesses, the timestamp authorities of this configuration") {
		t.Errorf("it is not said whom the verdict rests on: %s", o)
	}
}

// TestSetBack puts an older copy of everything, archive and catalog, in the place
// of the newer one. Nothing in it can tell; the witness can, and everybody is told
// until it cosigns again.
func TestSetBack(t *testing.T) {
	t.Parallel()
	web := startWeb(t, 1)
	p := newProgram(t, bundleConfig+"anchors: {tsa: [], witness_policy: policy.txt}\n", web.declarations())
	p.write(t, "policy.txt", "quorum none\n")
	p.must(t, []int{exitDone, exitPartly}, "-q", "--set", "anchors.witness_policy=", "crawl")
	other := stranger(t)
	other.write(t, "logs.txt", p.publicKey(t)+" 1000\n")
	w := startWitness(t, other, "--logs", "logs.txt", "--key", "w.key", "--state", "state", "--name", "peer.example/w1")
	p.write(t, "policy.txt", "witness peer "+w.VKey+" "+w.URL+"/\nquorum peer\n")
	crawl := func() string {
		web.next()
		return p.must(t, []int{exitDone, exitPartly}, "crawl").stdout
	}
	crawl()
	older := filepath.Join(t.TempDir(), "older")
	must(t, os.CopyFS(older, os.DirFS(p.dir)))
	for range 3 {
		if out := crawl(); strings.Contains(out, "CONTRADICTED") {
			t.Fatalf("a witness contradicts an honest log: %s", out)
		}
	}
	must(t, os.RemoveAll(p.dir))
	must(t, os.CopyFS(p.dir, os.DirFS(older)))
	must(t, os.Chmod(p.path("log.key"), 0o600))
	const told = "CONTRADICTED by witness peer"
	for range 4 { // first there is less than the witness has seen, then other entries
		if out := crawl(); !strings.Contains(out, told) {
			t.Errorf("a log that was set back: %s", out)
		}
	}
	if o := p.must(t, []int{exitDone}, "status"); !strings.Contains(o.stdout, told) {
		t.Errorf("status: %s", o)
	}
	if o := p.must(t, []int{exitFailed}, "doctor", "--contact", "me@example.org"); !strings.Contains(o.stdout, told) {
		t.Errorf("doctor: %s", o)
	}
	var last struct{ Contradicted map[string]string }
	o := p.must(t, []int{exitDone}, "--json", "status")
	must(t, json.Unmarshal([]byte(o.stdout), &last))
	if !strings.Contains(last.Contradicted["peer"], "witness") {
		t.Errorf("status --json: %s", o)
	}
}

// TestWitnessKey holds what a witness refuses to start with.
func TestWitnessKey(t *testing.T) {
	t.Parallel()
	web := startWeb(t, 1)
	p := newProgram(t, bundleConfig, web.declarations())
	p.must(t, []int{exitDone, exitPartly}, "-q", "crawl")
	p.write(t, "logs.txt", p.publicKey(t)+"\n")
	p.write(t, "bad.txt", p.publicKey(t)+" often\n")
	p.write(t, "none.txt", "# nobody\n")
	first := startWitness(t, p, "--logs", "logs.txt")
	for _, tc := range []struct {
		name, want string
		args       []string
	}{
		{"no logs", "name the logs", nil},
		{"no such file", "no such file", []string{"--logs", "nowhere.txt"}},
		{"a word for a number", "line 1: want the public key", []string{"--logs", "bad.txt"}},
		{"an empty list", "it names no log", []string{"--logs", "none.txt"}},
		{"a folder in use", "another witness is running", []string{"--logs", "logs.txt"}},
		{"a new name for an old key", "--name is for a new key", []string{"--logs", "logs.txt", "--name", "x.example/w"}},
		{"a lost memory", "may cosign a second history", []string{"--logs", "logs.txt", "--state", "elsewhere"}},
		{"no address", "--listen", []string{"--logs", "logs.txt", "--key", "k2", "--state", "s2", "--listen", "nowhere"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			o := p.must(t, []int{exitUsage}, append([]string{"witness"}, tc.args...)...)
			if !strings.Contains(o.stderr, tc.want) {
				t.Errorf("want %q in %s", tc.want, o)
			}
		})
	}
	must(t, os.Chmod(p.path("witness.key"), 0o644))
	if o := p.must(t, []int{exitUsage}, "witness", "--logs", "logs.txt"); !strings.Contains(o.stderr, "can be read by others") {
		t.Errorf("a key for all: %s", o)
	}
	if !strings.HasPrefix(first.VKey, "unnamed.invalid/") {
		t.Errorf("name of a witness without one: %s", first.VKey)
	}
}
