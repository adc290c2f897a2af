package main

import (
	"context"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/fineprint-archive/fineprint/archive/catalog"
)

// A machine dies during a crawl and never comes back: another one shows its
// spool after an hour, says the command, and enters what is lost.
func TestLostMachine(t *testing.T) {
	t.Parallel()
	web := startWeb(t, 1)
	p := newProgram(t, `archive: archive
spool: spool
declarations: [declarations]
crawl: {delay: 0s, retry_delay: 50ms, allow_private_networks: true}
`, web.declarations())
	cmd := p.command(t, "crawl", "-q", "--set", "spool=dead")
	cmd.Env = append(cmd.Env, killEnv+"=put:1")
	if o := finish(t, cmd, nil); !o.killed {
		t.Fatalf("the crawl was not killed: %s", o)
	}
	p.must(t, []int{exitPartly}, "crawl", "-q")
	if o := p.must(t, []int{exitDone}, "status"); strings.Contains(o.stdout, "--lost") {
		t.Errorf("status asks at once whether a machine is gone:\n%s", o.stdout)
	}

	db := openCatalog(t, p.path("catalog.sqlite"))
	must(t, db.Write(t.Context(), func(ctx context.Context, tx *catalog.Tx) error {
		_, err := tx.Exec(ctx, "UPDATE looks SET time = $1 WHERE state = 'spooled'", time.Now().Add(-2*time.Hour).UTC().Format("2006-01-02T15:04:05.000000000Z"))
		return err
	}))
	must(t, db.Close())
	o := p.must(t, []int{exitDone}, "status")
	m := regexp.MustCompile(`(\d+) looks since .* wait in spool ([0-9a-f]{16}), .*: (fineprint seal --lost [0-9a-f]{16})`).FindStringSubmatch(o.stdout)
	if m == nil || !strings.HasSuffix(m[3], m[2]) {
		t.Fatalf("status does not show the spool of the dead machine:\n%s", o.stdout)
	}
	looks, spool := m[1], m[2]
	if o := p.run(t, "doctor"); !strings.Contains(o.stdout, m[3]) {
		t.Errorf("doctor does not name the command:\n%s", o.stdout)
	}

	// Without a terminal nothing happens unless --yes says so.
	o = p.must(t, []int{exitUsage}, "seal", "--lost", spool)
	if !strings.Contains(o.stderr, "--yes") || !strings.Contains(o.stderr, looks+" looks are in spool "+spool) {
		t.Errorf("seal --lost without --yes said:\n%s", o.stderr)
	}
	for _, wrong := range []string{"0123456789abcdef", ownSpool(t, p)} {
		if o := p.must(t, []int{exitUsage}, "seal", "--yes", "--lost", wrong); o.stdout != "" {
			t.Errorf("seal --lost %s: %s", wrong, o)
		}
	}
	o = p.must(t, []int{exitDone}, "seal", "--yes", "--lost", spool)
	if want := fmt.Sprintf("%s looks of spool %s entered as lost\n", looks, spool); o.stdout != want {
		t.Errorf("seal --lost printed %q, want %q", o.stdout, want)
	}
	if o := p.must(t, []int{exitDone}, "status"); strings.Contains(o.stdout, "spool ") {
		t.Errorf("status still shows a spool:\n%s", o.stdout)
	}
	dumped := filepath.Join(p.dir, "dump")
	p.must(t, []int{exitDone}, "rebuild", "-q", "--database", "again.sqlite", "--dump", dumped)
	if got := strings.Count(dump(t, p.path("catalog.sqlite")), `{"table":"lost"`); fmt.Sprint(got) != looks {
		t.Errorf("%d lost looks in the catalog, want %s", got, looks)
	}
	if got, want := dump(t, p.path("again.sqlite")), dump(t, p.path("catalog.sqlite")); got != want {
		t.Errorf("rebuilt: %s", firstDifference(got, want))
	}
}

// ownSpool returns the identity of the configured spool.
func ownSpool(t *testing.T, p *program) string {
	t.Helper()
	c, err := loadConfig(p.path("fineprint.yaml"), nil, nil)
	must(t, err)
	id, err := readSpoolID(c.Spool)
	must(t, err)
	return id
}
