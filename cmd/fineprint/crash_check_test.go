package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fineprint-archive/fineprint/archive/catalog"
	"github.com/fineprint-archive/fineprint/warc"
)

// check checks what must hold whenever the program has sealed, but for
// checkRebuild.
func (l *lane) check(t *testing.T) {
	t.Helper()
	l.total.mu.Lock()
	l.total.checks++
	l.total.mu.Unlock()
	if left := l.spooled(t); len(left) > 0 {
		t.Errorf("sealed, and the spool still holds %q", left)
	}
	manifests := l.checkObjects(t)
	l.checkLooks(t, manifests)
	l.checkLog(t, manifests)
	if t.Failed() {
		t.FailNow() // what follows would only repeat it
	}
}

// lookManifest is a manifest as it stands in the store.
type lookManifest struct {
	*warc.Manifest
	id     string
	sha256 warc.Digest
	object string
}

// checkObjects checks that no object went or changed, that every new WARC is
// without fault, and returns all manifests in the store by source and number.
func (l *lane) checkObjects(t *testing.T) map[string][]lookManifest {
	t.Helper()
	have := l.program.objects(t)
	for key := range l.objects {
		if _, ok := have[key]; !ok {
			t.Errorf("object %s is gone", key)
		}
	}
	manifests := map[string][]lookManifest{}
	for key, data := range have {
		if strings.HasPrefix(key, "pending/") {
			t.Errorf("sealed, and %s is still there", key)
		}
		if mutableObject(key) {
			continue
		}
		sum := sha256.Sum256(data)
		text := hex.EncodeToString(sum[:])
		before, known := l.objects[key]
		if known && before != text {
			t.Errorf("object %s changed", key)
		}
		l.objects[key] = text
		if !strings.HasSuffix(key, ".warc.gz") {
			continue
		}
		if _, ok := have[strings.TrimSuffix(key, ".warc.gz")+".cdxj"]; !ok {
			t.Errorf("%s has no index beside it", key)
		}
		if !known {
			checkWARC(t, key, data)
			l.manifests[key] = manifestsIn(t, key, data)
		}
		for _, m := range l.manifests[key] {
			manifests[m.Source] = append(manifests[m.Source], m)
		}
	}
	return manifests
}

// checkWARC wants no error in a WARC.
func checkWARC(t *testing.T, key string, data []byte) {
	t.Helper()
	report, err := warc.Check(bytes.NewReader(data), warc.ValidateOptions{}, func(f warc.Finding) error {
		if f.Severity != "note" {
			t.Errorf("%s: offset %d: %s: %s %s", key, f.Offset, f.Rule, f.Message, f.RecordID)
		}
		return nil
	})
	if err != nil || report.Errors > 0 {
		t.Errorf("check %s: %+v, %v", key, report, err)
	}
}

func manifestsIn(t *testing.T, key string, data []byte) []lookManifest {
	t.Helper()
	var list []lookManifest
	for rec, err := range warc.NewReader(bytes.NewReader(data)).Records() {
		must(t, err)
		if rec.Header.Get("Content-Type") != warc.MediaManifest {
			continue
		}
		text, err := io.ReadAll(rec.Block())
		must(t, err)
		m, err := warc.ParseManifest(text)
		must(t, err)
		must(t, rec.Finish())
		list = append(list, lookManifest{m, rec.ID(), rec.SHA256, key})
	}
	return list
}

// checkLooks checks that the looks of each source are 1 to k, once each, in the
// store and in the catalog, that each names the one before, that what was
// captured was served, and who stands in the outbox.
func (l *lane) checkLooks(t *testing.T, manifests map[string][]lookManifest) {
	t.Helper()
	ctx := t.Context()
	db := openCatalog(t, l.dsn)
	defer db.Close() // only read
	rows := map[string][]catalog.LookRow{}
	for row, err := range db.Looks(ctx, catalog.LookFilter{Unfinished: true}) {
		must(t, err)
		rows[row.Source] = append(rows[row.Source], row)
	}
	for source, list := range manifests {
		slices.SortFunc(list, func(a, b lookManifest) int { return int(a.N - b.N) })
		slices.SortFunc(rows[source], func(a, b catalog.LookRow) int { return int(a.N - b.N) })
		if len(rows[source]) != len(list) {
			t.Errorf("source %s: %d looks in the catalog, %d manifests in the store", source, len(rows[source]), len(list))
			continue
		}
		for i, m := range list {
			name := fmt.Sprintf("%s %d", m.URL, m.N)
			if m.N != int64(i+1) {
				t.Errorf("%s in %s is the manifest number %d of its source", name, m.object, i+1)
			}
			if i > 0 && (m.Prev == nil || m.Prev.Manifest != list[i-1].id || m.Prev.SHA256 != list[i-1].sha256) {
				t.Errorf("%s does not name the look before it: %+v", name, m.Prev)
			}
			if row := rows[source][i]; row.N != m.N || row.ID != m.id || row.WARC != m.object || row.State != catalog.LookSealed {
				t.Errorf("%s: the catalog says n %d, id %s, object %s, state %s; the store n %d, id %s, object %s", name, row.N, row.ID, row.WARC, row.State, m.N, m.id, m.object)
			}
			// What is read back is the stand-in's, which holds empty pages here.
			if m.Result == warc.Captured && m.Memento == nil && !l.web.servedBody(m.FinalURL, m.Payload.SHA256.Hex()) {
				t.Errorf("%s: %s never served these bytes", name, m.FinalURL)
			}
			if m.Error == "interrupted" {
				l.mended[fmt.Sprintf("%s %d", source, m.N)] = true
			}
		}
		delete(rows, source)
	}
	for source, list := range rows {
		t.Errorf("source %s: %d looks in the catalog and none in the store", source, len(list))
	}
	checkOutbox(ctx, t, db)
}

// checkOutbox wants one row for each look that showed the first text of a document
// or confirmed another one, and no other.
func checkOutbox(ctx context.Context, t *testing.T, db *catalog.DB) {
	t.Helper()
	have := countLooks(ctx, t, db, "SELECT source, n FROM outbox")
	want := countLooks(ctx, t, db, `SELECT source, n_from FROM readings WHERE outcome = 'first'
		UNION SELECT l.source, l.n FROM changes c JOIN looks l ON l.time = c.confirmed
		WHERE EXISTS (SELECT 1 FROM readings r WHERE r.document = c.document AND r.source = l.source)`)
	if len(want) == 0 {
		t.Error("no document has a text")
	}
	for look, n := range have {
		if want[look] == 0 || n != 1 {
			t.Errorf("look %s has %d outbox rows, and should have some: %v", look, n, want[look] > 0)
		}
	}
	for look := range want {
		if have[look] == 0 {
			t.Errorf("look %s brought a text that is news and has no outbox row", look)
		}
	}
}

// countLooks counts the looks, as "source n", that a query returns.
func countLooks(ctx context.Context, t *testing.T, db *catalog.DB, query string) map[string]int {
	t.Helper()
	found := map[string]int{}
	must(t, db.Read(ctx, func(ctx context.Context, q catalog.Querier) error {
		rows, err := q.Query(ctx, query)
		if err != nil {
			return err
		}
		defer rows.Close() // Err below
		for rows.Next() {
			var source string
			var n int64
			if err := rows.Scan(&source, &n); err != nil {
				return err
			}
			found[fmt.Sprintf("%s %d", source, n)]++
		}
		return rows.Err()
	}))
	return found
}

// checkRebuild makes the catalog again from the store alone and compares. It
// takes more time than all other checks, and what a kill spoiled in the catalog
// stays spoiled: so it follows on every fifth round, and on the last by end.
func (l *lane) checkRebuild(t *testing.T) {
	t.Helper()
	folder, err := os.MkdirTemp(l.dir, "rebuild-")
	must(t, err)
	defer os.RemoveAll(folder)
	file := filepath.Join(folder, "dump")
	l.must(t, []int{exitDone}, "rebuild", "-q", "--database", filepath.Join(folder, "catalog.sqlite"), "--dump", file)
	got, err := os.ReadFile(file)
	must(t, err)
	if want := dump(t, l.dsn); string(got) != want {
		t.Errorf("the dump of a rebuilt catalog differs from that of the live one: %s", firstDifference(string(got), want))
	}
}

// begun lists the looks that a killed run left begun, as "source n", and checks
// that the leases it left end within 10 seconds.
func (l *lane) begun(t *testing.T, at time.Time) []string {
	t.Helper()
	db := openCatalog(t, l.dsn)
	defer db.Close() // only read
	checkLeases(t, db, at.Add(10*time.Second))
	var list []string
	for row, err := range db.Looks(t.Context(), catalog.LookFilter{Unfinished: true}) {
		must(t, err)
		if row.State == catalog.LookBegun {
			list = append(list, fmt.Sprintf("%s %d", row.Source, row.N))
		}
	}
	return list
}

// checkLeases wants no lease of a host to last longer.
func checkLeases(t *testing.T, db *catalog.DB, until time.Time) {
	t.Helper()
	var last string
	err := db.Read(t.Context(), func(ctx context.Context, q catalog.Querier) error {
		return q.QueryRow(ctx, "SELECT COALESCE(MAX(lease_until), '') FROM hosts").Scan(&last)
	})
	must(t, err)
	// Times are stored as RFC 3339 text in UTC with nine digits.
	if limit := until.UTC().Format("2006-01-02T15:04:05.000000000Z"); last > limit {
		t.Errorf("a dead run holds a host until %s, want %s at most", last, limit)
	}
}

// settled checks what became of the looks that were begun when the program was
// killed: all are entered (lane.check has seen them sealed), and those whose
// manifest was not written yet are interrupted.
func (l *lane) settled(t *testing.T, c crash, begun []string) {
	t.Helper()
	interrupted := 0
	for _, look := range begun {
		if l.mended[look] {
			interrupted++
		}
	}
	l.total.mu.Lock()
	l.total.recovered += len(begun) - interrupted
	l.total.mu.Unlock()
	switch c.step {
	case "response", "exchange", "manifest":
		if interrupted == 0 {
			t.Errorf("killed at %s: none of the %d looks that were begun is entered as interrupted", c, len(begun))
		}
	case "transaction":
		if interrupted == len(begun) {
			t.Errorf("killed at %s: a look whose manifest was durable is entered as interrupted: %q", c, begun)
		}
	}
}

// firstDifference shows where two texts part.
func firstDifference(got, want string) string {
	a, b := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return fmt.Sprintf("line %d\n got %s\nwant %s", i+1, a[i], b[i])
		}
	}
	return fmt.Sprintf("%d lines, want %d", len(a), len(b))
}
