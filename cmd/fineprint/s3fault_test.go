package main

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fineprint-archive/fineprint/archive/store/storetest/faultproxy"
	"github.com/fineprint-archive/fineprint/archive/store/storetest/s3server"
)

// TestS3Faults crawls into a real S3 server behind a proxy that makes uploads
// fail in one way: once, which the run gets over, and until it is healed, which
// ends the run with a clear line, the WARC whole in the spool, and nothing lost
// or doubled by the seal that follows. Silence is tried in package archive,
// where its length can be set.
func TestS3Faults(t *testing.T) {
	t.Parallel()
	srv := s3server.Start(t, s3server.Options{})
	faults := map[string]faultproxy.Fault{
		"cut before": {Kind: faultproxy.CutBefore},
		"cut after":  {Kind: faultproxy.CutAfter},
	}
	for status, code := range map[int]string{500: "InternalError", 503: "SlowDown", 412: "PreconditionFailed", 409: "ConditionalRequestConflict"} {
		faults[fmt.Sprint(status, " before")] = faultproxy.Fault{Kind: faultproxy.Answer, Status: status, Code: code}
		faults[fmt.Sprint(status, " after")] = faultproxy.Fault{Kind: faultproxy.AnswerAfter, Status: status, Code: code}
	}
	for name, fault := range faults {
		if raceDetector && name != "500 before" && name != "cut after" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fault.Method = "PUT"
			for _, path := range []string{".warc.gz", ".cdxj"} {
				fault.Path = path
				testS3Fault(t, srv, fault, strings.HasSuffix(name, "after"))
			}
		})
	}
}

func testS3Fault(t *testing.T, srv *s3server.Server, fault faultproxy.Fault, reached bool) {
	t.Helper()
	proxy := faultproxy.Start(t, srv.Endpoint)
	web := startWeb(t, 1)
	prefix := strings.NewReplacer("/", "-", " ", "-", ".", "-").Replace(t.Name() + fault.Path)
	p := newProgram(t, fmt.Sprintf(`archive: %q
declarations: [declarations]
crawl: {delay: 0s, retry_delay: 10ms, allow_private_networks: true, requisites: false}
`, srv.URLAt(proxy.URL(), prefix)), web.declarations())
	p.env = srv.Env()

	// Once: the run gets over it.
	fault.Times = 1
	proxy.Set(fault)
	o := p.must(t, []int{exitPartly}, "crawl", "-q", "--json") // each host has a page that is gone
	noSecrets(t, srv, o)
	if left := p.spooled(t); len(left) > 0 {
		t.Errorf("%s fails once: the spool holds %q", fault.Path, left)
	}

	// Always: what did not reach the store stays in the spool.
	web.next()
	fault.Times = -1
	proxy.Set(fault)
	o = p.run(t, "crawl", "-q", "--json")
	noSecrets(t, srv, o)
	left := p.spooled(t)
	switch {
	case o.code == exitPartly && reached && len(left) == 0:
		// The answers were lost and the object is there: the store looked.
	case o.code != exitFailed || len(left) != 1:
		t.Errorf("%s always fails: want exit code 1 and one WARC in the spool, got %q and %s", fault.Path, left, o)
	case !strings.Contains(o.stderr, "it stays in the spool and is tried again by the next crawl or by `fineprint seal`"):
		t.Errorf("%s always fails: the line does not say what becomes of the WARC: %s", fault.Path, o.stderr)
	}
	proxy.Set()
	p.must(t, []int{exitDone}, "seal", "-q")
	if left := p.spooled(t); len(left) > 0 {
		t.Errorf("%s is healed: the spool holds %q", fault.Path, left)
	}

	// Nothing is lost or doubled: two looks at each page, in the store and in the
	// catalog, and an archive that verifies.
	looks := p.captures(t)
	if len(looks) != 10 {
		t.Errorf("%s: %d looks, want 10", fault.Path, len(looks))
	}
	for _, c := range looks {
		if !c.Sealed || c.N > 2 {
			t.Errorf("%s: look %d at %s: sealed %v", fault.Path, c.N, c.URL, c.Sealed)
		}
	}
	p.checkRebuilt(t)
	out := filepath.Join(t.TempDir(), "all.warc.gz")
	p.must(t, []int{exitDone}, "export", "warc", "--all", "-o", out)
	p.must(t, []int{exitDone}, "verify", out)
}

// noSecrets wants no key in what the program said.
func noSecrets(t *testing.T, srv *s3server.Server, o outcome) {
	t.Helper()
	for _, secret := range []string{srv.SecretKey, srv.AccessKey} {
		if strings.Contains(o.stdout+o.stderr, secret) {
			t.Errorf("the output holds a key: %s", o)
		}
	}
}
