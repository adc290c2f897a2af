package archive_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/fineprint-archive/fineprint/archive"
	"github.com/fineprint-archive/fineprint/archive/catalog"
	"github.com/fineprint-archive/fineprint/archive/store"
	"github.com/fineprint-archive/fineprint/archive/store/s3"
	"github.com/fineprint-archive/fineprint/archive/store/storetest/faultproxy"
	"github.com/fineprint-archive/fineprint/archive/store/storetest/s3server"
	"github.com/fineprint-archive/fineprint/crawler/declaration"
	"github.com/fineprint-archive/fineprint/warc"
)

// bench is an archive with one source on a given store.
type bench struct {
	store     store.Store
	db        *catalog.DB
	spool     string
	source    declaration.Source
	canonical []byte
}

func newBench(t *testing.T, s store.Store) *bench {
	t.Helper()
	db := openCatalog(t, filepath.Join(t.TempDir(), "catalog.sqlite"))
	set, err := declaration.FromURLs(strings.NewReader("https://example.org/条款\n"), declaration.Options{})
	must(t, err)
	source := set.Sources[0]
	canonical := set.Canonical(source.ID)
	row := catalog.SourceRow{ID: source.ID, URL: source.URL, Host: "example.org", Canonical: canonical, CanonicalSHA256: warc.SumSHA256(canonical).Hex()}
	_, err = db.SyncDeclarations(t.Context(), map[string]string{"a": "1"}, catalog.DeclaredSet{Sources: []catalog.SourceRow{row}})
	must(t, err)
	return &bench{s, db, filepath.Join(t.TempDir(), "spool"), source, canonical}
}

func (b *bench) open(t *testing.T) *archive.Archive {
	t.Helper()
	a, err := archive.Open(t.Context(), archive.Config{Store: b.store, Catalog: b.db, Spool: b.spool, Tool: "test/1"})
	must(t, err)
	return a
}

// look makes a look that failed before any exchange.
func (b *bench) look(t *testing.T, a *archive.Archive) {
	t.Helper()
	l, err := a.Begin(t.Context(), b.source, b.canonical, nil)
	must(t, err)
	now := time.Now().UTC()
	entered := make(chan error, 1)
	m := &warc.Manifest{Time: now, Ended: now, Result: warc.Failed, Error: "dns"}
	must(t, l.Finish(t.Context(), m, archive.Plan{NextAt: now}, func(_ catalog.LookRow, err error) { entered <- err }))
	a.Flush()
	must(t, <-entered)
}

// check wants k sealed looks, 1 to k, an empty spool, and a catalog that a
// rebuild makes again.
func (b *bench) check(t *testing.T, k int64) {
	t.Helper()
	var n int64
	for row, err := range b.db.Looks(t.Context(), catalog.LookFilter{Unfinished: true}) {
		must(t, err)
		if n++; row.N != n || row.State != catalog.LookSealed {
			t.Errorf("look number %d has n %d and state %s", n, row.N, row.State)
		}
	}
	if n != k {
		t.Errorf("%d looks, want %d", n, k)
	}
	files, err := filepath.Glob(filepath.Join(b.spool, "*.warc.gz*"))
	must(t, err)
	if len(files) > 0 {
		t.Errorf("the spool holds %q", files)
	}
	wantRebuilt(t, b.store, b.db, nil)
}

// wantRebuilt wants a catalog that is made again from the store to have the same
// dump, and returns it.
func wantRebuilt(t *testing.T, s store.Store, db *catalog.DB, key note.Verifier) []byte {
	t.Helper()
	again := openCatalog(t, filepath.Join(t.TempDir(), "again.sqlite"))
	_, err := archive.Rebuild(t.Context(), s, again, key, nil)
	must(t, err)
	var got, want bytes.Buffer
	must(t, again.Dump(t.Context(), &got))
	must(t, db.Dump(t.Context(), &want))
	if !bytes.Equal(got.Bytes(), want.Bytes()) || want.Len() == 0 {
		t.Errorf("rebuilt:\n%s\nlive:\n%s", got.Bytes(), want.Bytes())
	}
	return want.Bytes()
}

// sealThrough lets a seal of one look meet a fault once, which it must get over,
// and that of a second look meet it at every request. It returns the error of
// the latter and what lies in the spool behind it.
func (b *bench) sealThrough(t *testing.T, a *archive.Archive, proxy *faultproxy.Proxy, fault faultproxy.Fault) (left []string, err error) {
	t.Helper()
	b.look(t, a)
	fault.Times = 1
	proxy.Set(fault)
	if _, err := a.Seal(t.Context()); err != nil {
		t.Errorf("Seal with one fault: %v", err)
	}
	b.look(t, a)
	fault.Times = -1
	proxy.Set(fault)
	_, sealErr := a.Seal(t.Context())
	proxy.Set()
	left, err = filepath.Glob(filepath.Join(b.spool, "*.warc.gz"))
	must(t, err)
	return left, sealErr
}

// staysInSpool reports whether an error says that the store does not answer and
// the one WARC that is left waits for it.
func staysInSpool(err error, left []string) bool {
	return errors.Is(err, store.ErrUnavailable) && strings.Contains(err.Error(), "it stays in the spool") && len(left) == 1
}

// A server that falls silent while a WARC or its index is stored, before or
// after it did its work: once is got over; for good, Seal says so and the WARC
// stays whole for the next Seal, in the same process or another.
func TestSealStalls(t *testing.T) {
	t.Parallel()
	srv := s3server.Start(t, s3server.Options{})
	for name, kind := range map[string]faultproxy.Kind{"before": faultproxy.Stall, "after": faultproxy.StallAfter} {
		for _, path := range []string{".warc.gz", ".cdxj"} {
			t.Run(name+path, func(t *testing.T) {
				t.Parallel()
				proxy := faultproxy.Start(t, srv.Endpoint)
				bucket, err := s3.Open(t.Context(), s3.Config{
					Bucket: srv.Bucket, Prefix: strings.ReplaceAll(name+path, ".", "-"), Endpoint: proxy.URL(), Region: srv.Region,
					Credentials: srv.Credentials(), Attempts: 2, Timeout: 400 * time.Millisecond, RetryDelay: time.Millisecond,
				})
				must(t, err)
				b := newBench(t, bucket)
				a := b.open(t)
				left, err := b.sealThrough(t, a, proxy, faultproxy.Fault{Method: "PUT", Path: path, Kind: kind})
				if kind == faultproxy.Stall && !staysInSpool(err, left) {
					t.Errorf("Seal with a silent server: error %v, spool %q", err, left)
				}
				if err == nil && len(left) > 0 {
					t.Errorf("Seal gave no error and left %q", left)
				}
				must(t, a.Close())
				a = b.open(t)
				_, err = a.Seal(t.Context())
				must(t, err)
				must(t, a.Close())
				b.check(t, 2)
			})
		}
	}
}

// Looks of a process that ended without Seal are sealed by the next one, and a
// look that was begun is entered as interrupted.
func TestOpenRecovers(t *testing.T) {
	t.Parallel()
	dir, err := store.OpenDir(t.TempDir())
	must(t, err)
	b := newBench(t, dir)
	a := b.open(t)
	b.look(t, a)
	_, err = a.Begin(t.Context(), b.source, b.canonical, nil) // and nothing more
	must(t, err)
	must(t, a.Close())
	a = b.open(t)
	sealed, err := a.Seal(t.Context())
	must(t, err)
	if len(sealed) != 1 || sealed[0].Looks != 2 {
		t.Errorf("Seal after a restart = %+v, want one WARC with two looks", sealed)
	}
	b.look(t, a)
	_, err = a.Seal(t.Context())
	must(t, err)
	must(t, a.Close())
	b.check(t, 3)
	var failed []string
	for row, err := range b.db.Looks(t.Context(), catalog.LookFilter{}) {
		must(t, err)
		failed = append(failed, row.Error)
	}
	if got := strings.Join(failed, " "); got != "dns interrupted dns" {
		t.Errorf("errors of the looks are %q", got)
	}
}

// One process per spool, and no archive of a newer version.
func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	dir, err := store.OpenDir(t.TempDir())
	must(t, err)
	b := newBench(t, dir)
	a := b.open(t)
	if _, err := archive.Open(ctx, archive.Config{Store: b.store, Catalog: b.db, Spool: b.spool}); !errors.Is(err, archive.ErrSpoolBusy) {
		t.Errorf("Open of a spool in use: error = %v, want ErrSpoolBusy", err)
	}
	must(t, a.Close())
	must(t, b.open(t).Close()) // it is free again

	newer := t.TempDir()
	must(t, os.WriteFile(filepath.Join(newer, "archive.json"), []byte(`{"format":2,"created":"2030-01-01T00:00:00Z"}`), 0o644))
	dir, err = store.OpenDir(newer)
	must(t, err)
	if _, err := archive.Open(ctx, archive.Config{Store: dir, Catalog: b.db, Spool: b.spool}); !errors.Is(err, archive.ErrNewer) {
		t.Errorf("Open of a newer archive: error = %v, want ErrNewer", err)
	}
	if _, err := archive.Rebuild(ctx, dir, b.db, nil, nil); !errors.Is(err, archive.ErrNewer) {
		t.Errorf("Rebuild of a newer archive: error = %v, want ErrNewer", err)
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
