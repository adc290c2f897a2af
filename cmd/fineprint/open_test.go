package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const onePlace = `archive: archive
declarations: [declarations]
crawl: {delay: 0s, allow_private_networks: true}
`

// A catalog of a newer program is left alone by every command, with exit code 2
// and what to do.
func TestNewerCatalog(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, dsn func(*testing.T) string) {
		name := dsn(t)
		p := newProgram(t, onePlace+"database: "+name+"\n", startWeb(t, 1).declarations())
		p.must(t, []int{exitDone, exitPartly}, "crawl", "-q")
		db := openCatalog(t, name)
		_, err := db.SQL().ExecContext(t.Context(), "UPDATE meta SET value = '99' WHERE key = 'schema'")
		must(t, err)
		must(t, db.Close())
		for _, args := range [][]string{
			{"crawl"}, {"seal"}, {"captures"}, {"status"}, {"wayback", "status"}, {"export", "csv", "--all"}, {"rebuild"},
		} {
			if o := p.must(t, []int{exitUsage}, args...); !strings.Contains(o.stderr, "schema version 99") || !strings.Contains(o.stderr, "use a newer fineprint") {
				t.Errorf("%q does not say what to do: %s", args, o)
			}
		}
		if o := p.must(t, []int{exitUsage}, "doctor", "--contact", "me@example.org"); !strings.Contains(o.stdout, "-> update fineprint") {
			t.Errorf("doctor does not say what to do: %s", o)
		}
	})
}

// Folders that cannot be written are faults of the configuration, found before
// anything is visited.
func TestReadOnlyFolders(t *testing.T) {
	t.Parallel()
	p := newProgram(t, onePlace, startWeb(t, 1).declarations())
	folder := p.path("closed")
	must(t, os.Mkdir(folder, 0o555))
	if os.Getuid() == 0 {
		folder = "/sys/kernel" // modes do not bind root, this filesystem does
		if f, err := os.CreateTemp(folder, ".try-*"); err == nil {
			must(t, f.Close())
			must(t, os.Remove(f.Name()))
			t.Skip("root may write everywhere here")
		}
	}
	for set, remedy := range map[string]string{
		"archive=" + folder:                       "(archive:)",
		"spool=" + folder:                         "(spool:)",
		"spool=" + filepath.Join(folder, "spool"): "(spool:)",
	} {
		for _, command := range []string{"crawl", "capture"} {
			args := []string{"--set", set, command, "-q"}
			if command == "capture" {
				args = append(args, "http://127.0.0.1:1/")
			}
			if o := p.must(t, []int{exitUsage}, args...); !strings.Contains(o.stderr, folder) || !strings.Contains(o.stderr, remedy) {
				t.Errorf("%q does not name the folder and the remedy %s: %s", args, remedy, o)
			}
		}
	}
}
