package archive_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/fineprint-archive/fineprint/archive"
	"github.com/fineprint-archive/fineprint/archive/catalog"
	"github.com/fineprint-archive/fineprint/archive/store"
	"github.com/fineprint-archive/fineprint/archive/tlog"
	"github.com/fineprint-archive/fineprint/crawler/declaration"
	"github.com/fineprint-archive/fineprint/warc"
)

// audited is an archive with a log: two sources, three WARCs, captured pages,
// revisits and a failure.
type audited struct {
	root     string
	db       *catalog.DB
	database string
	key      note.Verifier
	vkey     string
	signer   note.Signer
	sources  []declaration.Source
	warcs    []string // keys, in the order in which they were sealed
}

func newAudited(t testing.TB) *audited {
	t.Helper()
	return makeAudited(t, 3, func(b *audited, a *archive.Archive, set *declaration.Set, run int) {
		for i, s := range set.Sources {
			body := fmt.Sprintf("the terms of source %d", i) // unchanged: revisits from the second run on
			if i == 1 {
				body += fmt.Sprintf(" in run %d", run)
			}
			b.capture(t, a, s, set.Canonical(s.ID), body)
		}
	})
}

// makeAudited makes an archive of so many runs, each of which becomes a WARC.
func makeAudited(t testing.TB, runs int, looks func(b *audited, a *archive.Archive, set *declaration.Set, run int)) *audited {
	t.Helper()
	dir := t.TempDir()
	key, err := tlog.GenerateKey(rand.Reader, "example.org/log")
	must(t, err)
	b := &audited{root: filepath.Join(dir, "archive"), database: filepath.Join(dir, "catalog.sqlite"), key: key.Verifier, vkey: key.Public, signer: key.Signer}
	b.db = openCatalog(t, b.database)
	set, err := declaration.FromURLs(strings.NewReader("https://example.org/terms\nhttps://example.org/privacy\n"), declaration.Options{})
	must(t, err)
	b.sources = set.Sources
	var rows []catalog.SourceRow
	for _, s := range set.Sources {
		canonical := set.Canonical(s.ID)
		rows = append(rows, catalog.SourceRow{ID: s.ID, URL: s.URL, Host: "example.org", Canonical: canonical, CanonicalSHA256: warc.SumSHA256(canonical).Hex()})
	}
	_, err = b.db.SyncDeclarations(t.Context(), map[string]string{"a": "1"}, catalog.DeclaredSet{Sources: rows})
	must(t, err)
	a, err := archive.Open(t.Context(), archive.Config{Store: b.store(t), Catalog: b.db, Spool: filepath.Join(dir, "spool"), Tool: "test/1",
		Log: &archive.LogConfig{Mutable: b.store(t).Mutable(), Signer: key.Signer, Verifier: key.Verifier, Place: "a test"}})
	must(t, err)
	for run := range runs {
		looks(b, a, set, run)
		sealed, err := a.Seal(t.Context())
		must(t, err)
		for _, s := range sealed {
			b.warcs = append(b.warcs, s.Object)
		}
	}
	must(t, a.Close())
	return b
}

// capture makes a look that brought a page.
func (b *audited) capture(t testing.TB, a *archive.Archive, source declaration.Source, canonical []byte, text string) {
	t.Helper()
	l, err := a.Begin(t.Context(), source, canonical, nil)
	must(t, err)
	now := time.Now().UTC()
	body := []byte(text)
	head := fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n", len(body))
	ex := &warc.Exchange{
		Kind: warc.KindPage, URI: source.URL, Began: now, Ended: now, Method: "GET",
		Request:  warc.Bytes("GET / HTTP/1.1\r\nHost: example.org\r\nUser-Agent: " + strings.Repeat("x", 300) + "\r\n\r\n"),
		Response: warc.Bytes(head + text), Head: int64(len(head)), Status: 200, MIME: "text/plain",
		PayloadSize: int64(len(body)), PayloadSHA256: warc.SumSHA256(body), PayloadSHA1: warc.SumSHA1(body),
	}
	stored, err := l.Exchange(t.Context(), ex)
	must(t, err)
	m := &warc.Manifest{
		Time: now, Ended: now, Result: warc.Captured, Status: 200,
		Payload:   &warc.Payload{Record: stored.ResponseID, Size: ex.PayloadSize, SHA256: ex.PayloadSHA256, SHA1: ex.PayloadSHA1},
		Exchanges: []warc.ExchangeNote{{Kind: warc.KindPage, Request: stored.RequestID, Response: stored.ResponseID}},
	}
	entered := make(chan error, 1)
	must(t, l.Finish(t.Context(), m, archive.Plan{NextAt: now}, func(_ catalog.LookRow, err error) { entered <- err }))
	a.Flush()
	must(t, <-entered)
}

func (b *audited) store(t testing.TB) *store.Dir {
	t.Helper()
	dir, err := store.OpenDir(b.root)
	must(t, err)
	return dir
}

// audit runs an audit and returns its findings as "kind object entry source n".
func (b *audited) audit(t testing.TB, change func(*archive.AuditConfig)) (archive.AuditReport, []string) {
	t.Helper()
	cfg := archive.AuditConfig{Store: b.store(t), Key: b.key, Catalog: b.db}
	var found []string
	cfg.Found = func(f archive.AuditFinding) {
		found = append(found, fmt.Sprintf("%s %s %d %s %d: %s", f.Kind, f.Object, f.Index, f.Source, f.N, f.Detail))
	}
	if change != nil {
		change(&cfg)
	}
	report, err := archive.Audit(t.Context(), cfg)
	must(t, err)
	slices.Sort(found)
	return report, found
}

func (b *audited) path(key string) string { return filepath.Join(b.root, filepath.FromSlash(key)) }

// edit replaces the bytes of an object behind the program's back.
func (b *audited) edit(t testing.TB, key string, change func([]byte) []byte) {
	t.Helper()
	data, err := os.ReadFile(b.path(key))
	must(t, err)
	must(t, os.Chmod(b.path(key), 0o644))
	must(t, os.WriteFile(b.path(key), change(bytes.Clone(data)), 0o644))
}

func flip(at int) func([]byte) []byte {
	return func(b []byte) []byte {
		if at < 0 {
			at += len(b)
		}
		b[at] ^= 1
		return b
	}
}

// A sound archive has no findings, with and without its catalog.
func TestAuditSound(t *testing.T) {
	t.Parallel()
	b := newAudited(t)
	for name, change := range map[string]func(*archive.AuditConfig){
		"with catalog":    nil,
		"without catalog": func(c *archive.AuditConfig) { c.Catalog = nil },
		"one worker":      func(c *archive.AuditConfig) { c.Workers = 1 },
	} {
		r, found := b.audit(t, change)
		if len(found) > 0 || r.Verdict() != archive.AuditOK {
			t.Errorf("%s: verdict %s, findings %q", name, r.Verdict(), found)
		}
		if r.Entries != 9 || r.Checkpoint.Size != 9 || r.Checkpoints != 4 || r.Read != 3 || r.Looks != 6 || r.Sources != 2 || r.Records == 0 || r.Bytes == 0 {
			t.Errorf("%s: report %+v", name, r)
		}
		if c := name != "without catalog"; c != (r.Rows == 6) {
			t.Errorf("%s: %d rows compared", name, r.Rows)
		}
	}
}

// TestAuditBroken breaks an archive in each way. want are beginnings of findings
// that must be there; each finding that is not wanted is an error.
func TestAuditBroken(t *testing.T) {
	t.Parallel()
	sidecar := func(key string) string { return strings.TrimSuffix(key, ".warc.gz") + ".cdxj" }
	for _, tc := range []struct {
		name    string
		do      func(t *testing.T, b *audited)
		want    func(b *audited) []string
		verdict archive.AuditVerdict
	}{
		{"first byte of a WARC", func(t *testing.T, b *audited) { b.edit(t, b.warcs[1], flip(0)) },
			func(b *audited) []string { return []string{"warc " + b.warcs[1] + " 5"} }, archive.AuditFalse},
		{"byte in the middle of a WARC", func(t *testing.T, b *audited) {
			b.edit(t, b.warcs[1], func(d []byte) []byte { return flip(len(d) / 2)(d) })
		}, func(b *audited) []string {
			return []string{"warc " + b.warcs[1] + " 5", "look " + b.warcs[1]}
		}, archive.AuditFalse},
		{"byte in the last manifest", func(t *testing.T, b *audited) { b.edit(t, b.warcs[1], flip(-30)) },
			func(b *audited) []string {
				return []string{"warc " + b.warcs[1] + " 5", "look " + b.warcs[1] + " 4 " + b.sources[1].ID + " 2"}
			}, archive.AuditFalse},
		{"WARC cut", func(t *testing.T, b *audited) {
			b.edit(t, b.warcs[0], func(d []byte) []byte { return d[:len(d)-100] })
		}, func(b *audited) []string {
			return []string{"warc " + b.warcs[0] + " 2", "look " + b.warcs[0] + " 1 " + b.sources[1].ID + " 1"}
		}, archive.AuditFalse},
		{"WARC gone", func(t *testing.T, b *audited) { must(t, os.Remove(b.path(b.warcs[0]))) },
			func(b *audited) []string {
				return []string{"warc-missing " + b.warcs[0] + " 2", "reference " + b.warcs[1], "reference " + b.warcs[2]}
			}, archive.AuditFalse},
		{"WARC too many", func(t *testing.T, b *audited) {
			data, err := os.ReadFile(b.path(b.warcs[0]))
			must(t, err)
			must(t, os.WriteFile(b.path(b.warcs[0] + "x")[:len(b.path(b.warcs[0]))-len("00001.warc.gz")]+"00099.warc.gz", data, 0o644))
		}, func(b *audited) []string {
			return []string{"unlogged " + strings.TrimSuffix(b.warcs[0], "00001.warc.gz") + "00099.warc.gz -1"}
		}, archive.AuditFalse},
		{"stray object", func(t *testing.T, b *audited) { must(t, os.WriteFile(b.path("notes.txt"), nil, 0o644)) },
			func(b *audited) []string { return []string{"stray notes.txt"} }, archive.AuditFalse},
		{"leaf altered", func(t *testing.T, b *audited) {
			b.edit(t, "log/tile/entries/000.p/9", func(d []byte) []byte {
				return bytes.Replace(d, []byte(`"result":"captured"`), []byte(`"result":"failed","`), 1)
			})
		}, nil, archive.AuditFalse},
		{"hash tile altered", func(t *testing.T, b *audited) { b.edit(t, "log/tile/0/000.p/9", flip(40)) }, nil, archive.AuditFalse},
		{"tile gone", func(t *testing.T, b *audited) { must(t, os.Remove(b.path("log/tile/entries/000.p/9"))) }, nil, archive.AuditFalse},
		{"public checkpoint put back", func(t *testing.T, b *audited) {
			old, err := os.ReadFile(b.path("log/checkpoints/6"))
			must(t, err)
			b.edit(t, "log/checkpoint", func([]byte) []byte { return old })
		}, nil, archive.AuditFalse},
		{"kept checkpoint forged", func(t *testing.T, b *audited) {
			b.edit(t, "log/checkpoints/6", func([]byte) []byte { return b.forge(t, 6) })
		}, func(b *audited) []string { return []string{"log log/checkpoints/6"} }, archive.AuditFalse},
		{"public checkpoint forged", func(t *testing.T, b *audited) {
			b.edit(t, "log/checkpoint", func([]byte) []byte { return b.forge(t, 9) })
		}, func(b *audited) []string { return []string{"log log/checkpoint -1"} }, archive.AuditFalse},
		{"index gone", func(t *testing.T, b *audited) { must(t, os.Remove(b.path(sidecar(b.warcs[2])))) },
			func(b *audited) []string { return []string{"index " + sidecar(b.warcs[2]) + " 8"} }, archive.AuditFalse},
		{"index altered", func(t *testing.T, b *audited) { b.edit(t, sidecar(b.warcs[2]), flip(20)) },
			func(b *audited) []string { return []string{"index " + sidecar(b.warcs[2]) + " 8"} }, archive.AuditFalse},
		{"pending left", func(t *testing.T, b *audited) {
			_, err := b.store(t).Mutable().PutIfMatch(context.Background(), "pending/"+filepath.Base(b.warcs[0])+".jsonl", []byte("fineprint pending v1 0\n{}\n"), "")
			must(t, err)
		}, func(b *audited) []string { return []string{"pending pending/" + filepath.Base(b.warcs[0])} }, archive.AuditIncomplete},
		{"catalog row gone", func(t *testing.T, b *audited) {
			b.sql(t, "DELETE FROM looks WHERE source = '"+b.sources[0].ID+"' AND n = 2")
		}, func(b *audited) []string { return []string{"catalog " + b.warcs[1] + " 3 " + b.sources[0].ID + " 2"} }, archive.AuditFalse},
		{"catalog index wrong", func(t *testing.T, b *audited) {
			b.sql(t, "UPDATE looks SET log_index = 7 WHERE source = '"+b.sources[0].ID+"' AND n = 2")
		}, func(b *audited) []string {
			return []string{"catalog " + b.warcs[1] + " 3 " + b.sources[0].ID + " 2", "catalog " + b.warcs[1] + " 7 " + b.sources[0].ID + " 2"}
		}, archive.AuditFalse},
		{"catalog WARC gone", func(t *testing.T, b *audited) {
			b.sql(t, "DELETE FROM looks WHERE warc = '"+b.warcs[1]+"'")
			b.sql(t, "DELETE FROM warcs WHERE key = '"+b.warcs[1]+"'")
		}, func(b *audited) []string { return []string{"catalog " + b.warcs[1] + " 5"} }, archive.AuditFalse},
		{"no key", func(t *testing.T, b *audited) { b.key = nil },
			func(b *audited) []string { return []string{"key  -1"} }, archive.AuditIncomplete},
		{"another key", func(t *testing.T, b *audited) {
			k, err := tlog.GenerateKey(rand.Reader, "example.org/log")
			must(t, err)
			b.key = k.Verifier
		}, func(b *audited) []string { return []string{"key  -1"} }, archive.AuditIncomplete},
		{"no log", func(t *testing.T, b *audited) { must(t, os.RemoveAll(b.path("log"))) },
			func(b *audited) []string { return []string{"key  -1"} }, archive.AuditIncomplete},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			b := newAudited(t)
			tc.do(t, b)
			r, found := b.audit(t, nil)
			if r.Verdict() != tc.verdict {
				t.Errorf("verdict %s, want %s: %q", r.Verdict(), tc.verdict, found)
			}
			if tc.want == nil {
				if r.Findings[archive.AuditLog] == 0 || int64(len(found)) != r.False+r.Open {
					t.Errorf("findings %q", found)
				}
				t.Logf("%s", strings.Join(found, "\n"))
				return
			}
			compareFindings(t, found, tc.want(b))
			t.Logf("%s", strings.Join(found, "\n"))
		})
	}
}

// compareFindings wants each of want to begin one of found, and none too many.
func compareFindings(t *testing.T, found, want []string) {
	t.Helper()
	left := slices.Clone(found)
	for _, w := range want {
		i := slices.IndexFunc(left, func(f string) bool { return strings.HasPrefix(f, w) })
		if i < 0 {
			t.Errorf("no finding %q among\n%s", w, strings.Join(found, "\n"))
			continue
		}
		left = slices.Delete(left, i, i+1)
	}
	if len(left) > 0 {
		t.Errorf("too many findings:\n%s", strings.Join(left, "\n"))
	}
}

// forge signs another tree with another key of the same name.
func (b *audited) forge(t testing.TB, size int64) []byte {
	t.Helper()
	k, err := tlog.GenerateKey(rand.Reader, "example.org/log")
	must(t, err)
	raw, err := note.Sign(&note.Note{Text: fmt.Sprintf("example.org/log\n%d\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n", size)}, k.Signer)
	must(t, err)
	return raw
}

// sql changes the catalog behind the program's back.
func (b *audited) sql(t testing.TB, statement string) {
	t.Helper()
	must(t, b.db.Write(t.Context(), func(ctx context.Context, tx *catalog.Tx) error {
		n, err := tx.Exec(ctx, statement)
		if err == nil && n == 0 {
			err = errors.New("no row")
		}
		return err
	}))
}
