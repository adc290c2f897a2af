package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// holdWeb is a host that answers no page before release.
type holdWeb struct {
	url  string
	held chan struct{} // closed when a page was asked for
	free chan struct{} // closed by release
	once sync.Once
}

func startHoldWeb(t *testing.T) *holdWeb {
	t.Helper()
	w := &holdWeb{held: make(chan struct{}), free: make(chan struct{})}
	var asked sync.Once
	s := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/robots.txt" {
			rw.WriteHeader(http.StatusNotFound)
			return
		}
		asked.Do(func() { close(w.held) })
		select {
		case <-w.free:
		case <-r.Context().Done():
		}
		fmt.Fprintf(rw, "<p>%s</p>", r.URL.Path)
	}))
	t.Cleanup(s.Close)
	t.Cleanup(w.release) // before Close, which waits for requests
	w.url = s.URL
	return w
}

func (w *holdWeb) release() { w.once.Do(func() { close(w.free) }) }

// awaitHeld returns when the program waits for a page.
func (w *holdWeb) awaitHeld(t *testing.T) {
	t.Helper()
	select {
	case <-w.held:
	case <-time.After(time.Minute):
		t.Fatal("the page was not asked for within a minute")
	}
}

// holdProgram declares two pages of the host.
func holdProgram(t *testing.T, w *holdWeb) *program {
	t.Helper()
	return newProgram(t, "archive: archive\ndeclarations: [declarations]\ncrawl: {delay: 0s, retry_delay: 10ms, allow_private_networks: true}\n", fmt.Sprintf(`name: Example
terms:
  Terms of Service:
    - {url: "%[1]s/terms", lang: en}
  Privacy Policy:
    - {url: "%[1]s/privacy", lang: en}
`, w.url))
}

// start runs the program beside the test. stderr, if not nil, gets a copy.
func (p *program) start(t *testing.T, stderr io.Writer, args ...string) (*exec.Cmd, func() outcome) {
	t.Helper()
	cmd := p.command(t, args...)
	if stderr != nil {
		cmd.Stderr = stderr
	}
	started, ended := make(chan struct{}), make(chan outcome, 1)
	go func() { ended <- finish(t, cmd, func(*os.Process) { close(started) }) }()
	<-started
	return cmd, func() outcome { t.Helper(); return <-ended }
}

// summaryOf returns the last JSON line of an output.
func summaryOf(t *testing.T, o outcome) map[string]any {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(o.stdout), "\n")
	var m map[string]any
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &m); err != nil {
		t.Fatalf("the last line is no summary: %v\n%s", err, o)
	}
	return m
}

// A first interrupt lets the page in flight end, seals it, and leaves the rest
// to the next run, which finds it due: exit code 3.
func TestInterruptOnce(t *testing.T) {
	t.Parallel()
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		t.Run(sig.String(), func(t *testing.T) {
			t.Parallel()
			w := startHoldWeb(t)
			p := holdProgram(t, w)
			stderr := newLineWatch()
			cmd, wait := p.start(t, stderr, "crawl", "--json")
			w.awaitHeld(t)
			must(t, cmd.Process.Signal(sig))
			stderr.await(t, "finishing; once more stops at once")
			w.release()
			o := wait()
			o.want(t, []int{exitPartly}, "crawl, interrupted")
			sum := summaryOf(t, o)
			if warcs, ok := sum["warcs"].([]any); sum["interrupted"] != true || sum["captured"] != 1.0 || sum["deferred"] != 1.0 || !ok || len(warcs) != 1 {
				t.Errorf("summary = %v, want interrupted, one page captured in one WARC, and one left to the next run", sum)
			}
			if left := p.spooled(t); len(left) > 0 {
				t.Errorf("the spool holds %q", left)
			}
			if sum := summaryOf(t, p.must(t, []int{exitDone}, "crawl", "--due", "--json")); sum["captured"] != 1.0 {
				t.Errorf("the next run: summary = %v, want the page that was left", sum)
			}
			p.verifyAll(t)
		})
	}
}

// A second interrupt stops at once; the next run recovers.
func TestInterruptTwice(t *testing.T) {
	t.Parallel()
	w := startHoldWeb(t)
	p := holdProgram(t, w)
	stderr := newLineWatch()
	cmd, wait := p.start(t, stderr, "crawl", "-q")
	w.awaitHeld(t)
	must(t, cmd.Process.Signal(os.Interrupt))
	stderr.await(t, "finishing; once more stops at once")
	// At once it would count as the same one, sent to the process and its group.
	time.Sleep(sameSignal + 100*time.Millisecond)
	must(t, cmd.Process.Signal(os.Interrupt))
	if o := wait(); o.code != exitFailed {
		t.Errorf("stopped by a second interrupt: exit code %d, want %d", o.code, exitFailed)
	}
	stderr.await(t, "what was captured is in the spool")
	w.release()
	if left := p.spooled(t); len(left) == 0 {
		t.Error("nothing is left in the spool: the second interrupt came too late to test anything")
	}
	p.must(t, []int{exitDone}, "seal")
	if left := p.spooled(t); len(left) > 0 {
		t.Errorf("sealed, and the spool holds %q", left)
	}
	o := p.must(t, []int{exitDone}, "captures", "--json", "--failed")
	if !strings.Contains(o.stdout, `"error":"interrupted"`) {
		t.Errorf("the interrupted look is not listed: %s", o.stdout)
	}
	p.must(t, []int{exitDone}, "crawl", "-q")
	p.verifyAll(t)
}

// lineWatch collects an output and tells when it holds a text.
type lineWatch struct {
	mu   sync.Mutex
	text strings.Builder
	more chan struct{}
}

func newLineWatch() *lineWatch { return &lineWatch{more: make(chan struct{}, 1)} }

func (w *lineWatch) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	select {
	case w.more <- struct{}{}:
	default:
	}
	return w.text.Write(b)
}

func (w *lineWatch) await(t *testing.T, text string) {
	t.Helper()
	limit := time.After(time.Minute)
	for {
		w.mu.Lock()
		have := w.text.String()
		w.mu.Unlock()
		if strings.Contains(have, text) {
			return
		}
		select {
		case <-w.more:
		case <-limit:
			t.Fatalf("%q did not come within a minute: %s", text, have)
		}
	}
}

// Two crawls on one spool: the second is refused and says why, the first goes
// on undisturbed.
func TestSpoolBusy(t *testing.T) {
	t.Parallel()
	w := startHoldWeb(t)
	p := holdProgram(t, w)
	_, wait := p.start(t, nil, "crawl", "--json")
	w.awaitHeld(t)
	for _, command := range []string{"crawl", "seal"} {
		o := p.must(t, []int{exitFailed}, command)
		if !strings.Contains(o.stderr, "another fineprint process uses this spool") || !strings.Contains(o.stderr, "(spool:)") {
			t.Errorf("%s beside a crawl: %s", command, o.stderr)
		}
	}
	// Reading is free, and shows what runs.
	o := p.must(t, []int{exitDone}, "status", "--json")
	if !strings.Contains(o.stdout, `"running":[{"url":"`+w.url) {
		t.Errorf("status beside a crawl names no running look: %s", o.stdout)
	}
	w.release()
	o = wait()
	o.want(t, []int{exitDone}, "crawl, with others beside it")
	if sum := summaryOf(t, o); sum["captured"] != 2.0 {
		t.Errorf("summary = %v, want 2 captured", sum)
	}
}

// verifyAll runs `fineprint verify` on every WARC of the archive.
func (p *program) verifyAll(t *testing.T) {
	t.Helper()
	n := 0
	for key := range p.objects(t) {
		if strings.HasSuffix(key, ".warc.gz") {
			n++
			p.must(t, []int{exitDone}, "verify", p.path("archive/"+key))
		}
	}
	if n == 0 {
		t.Error("the archive holds no WARC")
	}
}
