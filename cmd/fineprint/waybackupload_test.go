package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fineprint-archive/fineprint/archive/wayback/waybacktest"
)

// uploadScale makes ten minutes a fifth of a second.
const uploadScale = 3000

// uploadProgram is a program with a crawled archive, and the stand-in of
// archive.org that its configuration names.
func uploadProgram(t *testing.T) (*program, *waybacktest.Items) {
	t.Helper()
	web := startWeb(t, 1)
	items, address := waybacktest.StartItems(t, waybacktest.ItemsConfig{Access: "test-access-key", Secret: "test-secret-key", TimeScale: uploadScale})
	p := newProgram(t, fmt.Sprintf(`archive: archive
declarations: [declarations]
operator: Example 档案
crawl: {delay: 0s, allow_private_networks: true, requisites: false}
wayback: {item: example-terms, base_url: "http://127.0.0.1:1", s3_url: %q, archive_url: %q, access_key: test-access-key, secret_key: test-secret-key, time_scale: %d}
`, address, address, uploadScale), web.declarations())
	p.must(t, []int{exitDone, exitPartly}, "-q", "crawl")
	return p, items
}

// uploadResult is the last line of `wayback upload --json`.
func (o outcome) uploadResult(t *testing.T) (s uploadSummary) {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(o.stdout), "\n")
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &s); err != nil {
		t.Fatalf("%v: %s", err, o)
	}
	return s
}

func TestWaybackUpload(t *testing.T) {
	t.Parallel()
	p, items := uploadProgram(t)
	upload := []string{"--json", "wayback", "upload"}
	plan := p.must(t, []int{exitDone}, append(upload, "--dry-run")...)
	if s := plan.uploadResult(t); !s.DryRun || s.States["waiting"] != 2 || len(s.Items) != 1 || s.Bytes == 0 || len(items.Puts()) != 0 || strings.Count(plan.stdout, "\n") != 3 {
		t.Errorf("dry run %+v", plan)
	}
	if s := p.must(t, []int{exitDone}, append(upload, "--test", "--dry-run")...).uploadResult(t); !strings.HasPrefix(s.Items[0], "example-terms-test-") {
		t.Errorf("dry run of a trial %+v", s)
	}
	// Killed inside each step that comes before the files are there, it goes on.
	for i, step := range []string{"upload-sending:1", "upload-put:1", "upload-sent:1", "upload-sent:2", "upload-verified:1"} {
		p.env = []string{killEnv + "=" + step}
		if i == 4 {
			p.env = append(p.env, "FINEPRINT_WAYBACK_TIME_SCALE=1000000")
		}
		if o := p.run(t, upload...); !o.killed {
			t.Fatalf("%s: %s", step, o)
		}
	}
	p.env = nil
	var s uploadSummary
	for deadline := time.Now().Add(30 * time.Second); s.States["verified"] != 3; {
		if s = p.must(t, []int{exitDone}, upload...).uploadResult(t); time.Now().After(deadline) {
			t.Fatalf("not verified: %+v", s)
		}
	}
	if s.States["waiting"]+s.States["sent"]+s.States["altered"]+s.States["refused"] != 0 {
		t.Errorf("at the end %+v", s)
	}
	if diff := cmp.Diff(map[string]int{}, items.Breaches()); diff != "" || len(items.Puts()) != 3 {
		t.Errorf("%d puts, breaches (-want +got):\n%s", len(items.Puts()), diff)
	}
	if !strings.HasPrefix(items.Puts()[2].Name, "log-checkpoint-") {
		t.Errorf("last put %+v", items.Puts()[2])
	}
	// What has gone since is loud.
	items.Drop(s.Items[0], items.Puts()[0].Name)
	p.must(t, []int{exitDone}, upload...)
	if o := p.run(t, "wayback", "upload", "--verify"); o.code != exitFailed || !strings.Contains(o.stderr, "GONE: https://archive.org/download/") {
		t.Errorf("verify: %s", o)
	}
}

// A trial says what it is; what the configuration lacks or has wrong is said.
func TestWaybackUploadUsage(t *testing.T) {
	t.Parallel()
	p, items := uploadProgram(t)
	o := p.must(t, []int{exitDone}, "wayback", "upload", "--test")
	for _, put := range items.Puts() {
		if !strings.HasPrefix(put.Item, "example-terms-test-") {
			t.Errorf("put into %s", put.Item)
		}
	}
	if !strings.Contains(o.stderr, "TEST") || len(items.Puts()) != 3 || !strings.Contains(o.stdout, "sent 3 files") {
		t.Errorf("trial: %s", o)
	}
	for _, test := range []struct {
		code int
		word string
		args []string
	}{
		{exitUsage, "off: set wayback.item", []string{"--set", "wayback.item=", "wayback", "upload"}},
		{exitUsage, "wayback.enabled", []string{"--set", "wayback.enabled=false", "wayback", "upload"}},
		{exitUsage, "only A-Z a-z", []string{"--set", "wayback.item=a b", "wayback", "upload"}},
		{exitUsage, "wayback.collection", []string{"--set", "wayback.collection=/", "wayback", "upload"}},
		{exitUsage, "YYYY-MM", []string{"wayback", "upload", "--month", "November"}},
		{exitUsage, "no archive.org keys", []string{"--set", "wayback.access_key=", "--set", "wayback.secret_key=", "wayback", "upload"}},
		{exitFailed, "keys", []string{"--set", "wayback.secret_key=wrong-secret-key", "wayback", "upload"}},
	} {
		o := p.run(t, test.args...)
		if o.code != test.code || !strings.Contains(o.stderr, test.word) || strings.Contains(o.stderr, "wrong-secret-key") {
			t.Errorf("fineprint %q: want %d and %q, got %s", test.args, test.code, test.word, o)
		}
	}
	items.Inject(waybacktest.ItemsFault{Kind: waybacktest.ItemsDown, Times: -1})
	if o := p.run(t, "wayback", "upload", "--test", "--verify"); o.code != exitIncomplete {
		t.Errorf("verify without an answer: %s", o)
	}
}
