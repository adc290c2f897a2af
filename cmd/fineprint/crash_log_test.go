package main

import (
	"strings"
	"testing"

	"github.com/fineprint-archive/fineprint/archive/evidence"
	"github.com/fineprint-archive/fineprint/archive/store"
	"github.com/fineprint-archive/fineprint/archive/tlog"
)

// mutableObject reports whether an object may change or go (docs/FORMATS.md).
func mutableObject(key string) bool {
	return key == "log/lock" || key == "log/checkpoint" || strings.HasPrefix(key, "log/staging/") || strings.HasPrefix(key, "pending/")
}

// logReader reads the log of the archive with the key that the program made.
func (l *lane) logReader(t *testing.T) *tlog.Reader {
	t.Helper()
	key, err := readLogKey(l.path("log.key"))
	must(t, err)
	dir, err := store.OpenDir(l.path("archive"))
	must(t, err)
	return tlog.NewReader(dir, key.Verifier)
}

// grew checks that the public checkpoint did not shrink.
func (l *lane) grew(t *testing.T) {
	t.Helper()
	cp, err := l.logReader(t).Checkpoint(t.Context())
	must(t, err)
	if cp.Size < l.shown {
		t.Errorf("the public checkpoint has size %d, it had %d before", cp.Size, l.shown)
	}
	l.shown = cp.Size
}

// checkLog checks that the log is whole, that each manifest in the store has
// exactly one entry and each WARC one behind those of its looks.
func (l *lane) checkLog(t *testing.T, manifests map[string][]lookManifest) {
	t.Helper()
	l.grew(t)
	waiting := map[string]lookManifest{} // manifests without an entry so far, by id
	for _, list := range manifests {
		for _, m := range list {
			waiting[m.id] = m
		}
	}
	looks := map[string]int64{} // entries of looks so far, by WARC
	files := map[string]bool{}
	visit := func(leaf tlog.Entry) error {
		e, err := evidence.ParseEntry(leaf.Data)
		if err != nil {
			return err
		}
		switch e.Type {
		case evidence.TypeLook:
			m, ok := waiting[e.Manifest.Record]
			if !ok || m.N != e.N || m.Source != e.Source || m.sha256 != e.Manifest.SHA256 || m.object != e.WARC {
				t.Errorf("entry %d: look %d of %s in %s: there is no such look, or it has an entry already", leaf.Index, e.N, e.Source, e.WARC)
			}
			delete(waiting, e.Manifest.Record)
			looks[e.WARC]++
		case evidence.TypeWARCFile:
			if files[e.WARC] || looks[e.WARC] != e.Looks || len(l.manifests[e.WARC]) != int(e.Looks) {
				t.Errorf("entry %d: %s (before: %v) with %d looks, behind %d entries of looks, of %d manifests", leaf.Index, e.WARC, files[e.WARC], e.Looks, looks[e.WARC], len(l.manifests[e.WARC]))
			}
			files[e.WARC] = true
		}
		return nil
	}
	report, err := tlog.Check(t.Context(), l.logReader(t), tlog.CheckOptions{Visit: visit})
	must(t, err)
	if len(report.Findings) > 0 {
		t.Errorf("log of %d entries: %v", report.Entries, report.Findings)
	}
	for id, m := range waiting {
		t.Errorf("look %d of %s, manifest %s in %s, has no entry", m.N, m.URL, id, m.object)
	}
	for key := range l.manifests {
		if !files[key] {
			t.Errorf("%s has no entry", key)
		}
	}
}
