package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// bigPages is how many pages a bulky web has. In a WARC they take about 2.6 MB.
const bigPages = 24

// startBulkyWeb serves bigPages pages of 200 KiB, hardly compressible.
func startBulkyWeb(t *testing.T) (declarations string) {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/robots.txt" {
			rw.WriteHeader(http.StatusNotFound)
			return
		}
		sum := sha256.Sum256([]byte(r.URL.Path))
		for range 200 << 10 / (2 * len(sum)) {
			fmt.Fprint(rw, hex.EncodeToString(sum[:]))
			sum = sha256.Sum256(sum[:])
		}
	}))
	t.Cleanup(s.Close)
	var b strings.Builder
	b.WriteString("name: Example\nterms:\n  Terms of Service:\n")
	for i := range bigPages {
		fmt.Fprintf(&b, "    - {url: \"%s/page/%d\", lang: en, id: terms-%d}\n", s.URL, i, i)
	}
	return b.String()
}

// smallDisk mounts a filesystem of a few KiB and returns its folder and how to
// make it large. ok is false where mounting is not allowed.
func smallDisk(t *testing.T, kib int) (folder string, enlarge func(), ok bool) {
	t.Helper()
	folder = t.TempDir()
	if err := mountTmpfs(folder, fmt.Sprintf("size=%dk", kib), false); err != nil {
		t.Logf("no small filesystem can be mounted here (%v): the limit of a file's size stands for it", err)
		return "", nil, false
	}
	t.Cleanup(func() { must(t, unmount(folder)) })
	return folder, func() { must(t, mountTmpfs(folder, "size=64m", true)) }, true
}

// TestFullDisk lets each place run full in the middle of a crawl: the run ends
// with a line that names the place, and after space is made nothing is lost.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		kib  int
		keys []string // of the configuration, to be placed on the small disk
	}{
		{"spool", 900, []string{"spool"}},
		{"archive", 900, []string{"archive"}},
		{"everything", 2200, []string{"archive", "spool", "database"}},
		{"database", 4000, []string{"database"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			if raceDetector && tc.name != "everything" {
				return
			}
			disk, enlarge, ok := smallDisk(t, tc.kib)
			if !ok {
				return
			}
			p := newBulky(t)
			config := p.read(t, "fineprint.yaml")
			for key, name := range map[string]string{"archive": "archive", "spool": "spool", "database": "db/catalog.sqlite"} {
				place := filepath.Join(p.dir, "places", name)
				if slices.Contains(tc.keys, key) {
					place = filepath.Join(disk, name)
				}
				config += fmt.Sprintf("%s: %s\n", key, place)
				must(t, os.Symlink(place, p.path(key)))
			}
			p.write(t, "fineprint.yaml", config)
			if tc.name == "database" {
				p.must(t, []int{exitDone}, "crawl", "--dry-run")
				fill(t, filepath.Join(disk, "ballast"), 96<<10)
			}
			o := p.run(t, "crawl", "--json")
			if o.code != exitFailed || !strings.Contains(o.stderr, "no space left on device") && !strings.Contains(o.stderr, "database or disk is full") {
				t.Fatalf("crawl on a full disk: want exit code 1 and what is full, got %s", o)
			}
			t.Logf("said: %s", lastLine(o.stderr))
			enlarge()
			p.afterFull(t, o)
		})
	}
	// The same where nothing can be mounted: no file may grow beyond a limit.
	t.Run("file size limit", func(t *testing.T) {
		t.Parallel()
		if raceDetector {
			return
		}
		p := newBulky(t)
		cmd := p.command(t, "crawl", "--json")
		sh := p.command(t)
		sh.Path, sh.Args = "/bin/sh", []string{"sh", "-c", `ulimit -f 3000 && exec "$0" "$@"`, cmd.Path, "crawl", "--json"}
		o := finish(t, sh, nil)
		if o.code != exitFailed || !strings.Contains(o.stderr, "file too large") && !strings.Contains(o.stderr, "disk I/O error") {
			t.Fatalf("crawl with a limit of file sizes: want exit code 1 and what is too large, got %s", o)
		}
		p.afterFull(t, o)
	})
}

func newBulky(t *testing.T) *program {
	t.Helper()
	return newProgram(t, `declarations: [declarations]
crawl: {delay: 0s, retry_delay: 10ms, allow_private_networks: true, requisites: false}
`, startBulkyWeb(t))
}

func (p *program) read(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(p.path(name))
	must(t, err)
	return string(data)
}

// fill writes a file that leaves a disk no more than some bytes.
func fill(t *testing.T, name string, leave int64) {
	t.Helper()
	f, err := os.Create(name)
	must(t, err)
	defer f.Close() // Truncate has said what matters
	var size int64
	for chunk := make([]byte, 16<<10); err == nil; {
		var n int
		n, err = f.Write(chunk)
		size += int64(n)
	}
	must(t, f.Truncate(max(0, size-leave)))
}

// afterFull checks, with space again, that a seal completes and that nothing
// that the stopped run had reported is lost.
func (p *program) afterFull(t *testing.T, stopped outcome) {
	t.Helper()
	p.must(t, []int{exitDone}, "seal")
	if left := p.spooled(t); len(left) > 0 {
		t.Errorf("sealed, and the spool holds %q", left)
	}
	entered := p.captures(t)
	for _, line := range strings.Split(stopped.stdout, "\n") {
		var c capture
		if err := json.Unmarshal([]byte(line), &c); err != nil || c.ID == "" {
			continue // the summary
		}
		got, ok := entered[c.ID]
		if !ok || got.Result != c.Result || !got.Sealed || orEmpty(got.PayloadSHA256) != orEmpty(c.PayloadSHA256) {
			t.Errorf("look %d at %s was reported as %s; it is entered as %+v", c.N, c.URL, c.Result, got)
		}
	}
	p.must(t, []int{exitDone}, "crawl")
	last := map[string]capture{}
	numbers := map[string]map[int64]bool{}
	for _, c := range p.captures(t) {
		if numbers[c.Source] == nil {
			numbers[c.Source] = map[int64]bool{}
		}
		numbers[c.Source][c.N] = true
		if c.N > last[c.Source].N {
			last[c.Source] = c
		}
	}
	if len(last) != bigPages {
		t.Errorf("%d sources have looks, want %d", len(last), bigPages)
	}
	for source, c := range last {
		if c.Result != "captured" || len(numbers[source]) != int(c.N) {
			t.Errorf("%s: the newest look is %s and has number %d of %d looks", c.URL, c.Result, c.N, len(numbers[source]))
		}
	}
	p.verifyAll(t)
	p.checkRebuilt(t)
}

// checkRebuilt compares the catalog with one made again from the store.
func (p *program) checkRebuilt(t *testing.T) {
	t.Helper()
	p.must(t, []int{exitDone}, "rebuild", "--database", filepath.Join(t.TempDir(), "again.sqlite"), "--dump", "facts.jsonl")
	c, err := loadConfig(p.path("fineprint.yaml"), nil, nil)
	must(t, err)
	if got, want := p.read(t, "facts.jsonl"), dump(t, c.Database); got != want {
		t.Errorf("the rebuilt catalog differs from the live one: %s", firstDifference(got, want))
	}
}

// captures returns all looks that the program lists, by id.
func (p *program) captures(t *testing.T) map[string]capture {
	t.Helper()
	list := map[string]capture{}
	for line := range strings.Lines(p.must(t, []int{exitDone}, "captures", "--json", "--all").stdout) {
		var c capture
		must(t, json.Unmarshal([]byte(line), &c))
		if c.ID != "" {
			list[c.ID] = c
		}
	}
	return list
}

func orEmpty(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func lastLine(s string) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	return lines[len(lines)-1]
}
