package warc

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// text returns a declaration record with n bytes of content.
func text(t testing.TB, n int) *Record {
	t.Helper()
	return must[*Record](t)(DeclarationRecord(Meta{Date: began}, []byte(terms(n))))
}

// readBack returns what a file holds, finishing every record.
func readBack(t testing.TB, path string) (all []*Record, blocks [][]byte) {
	t.Helper()
	f := must[*os.File](t)(os.Open(path))
	defer f.Close()
	for rec, err := range NewReader(f).Records() {
		if err != nil {
			t.Fatal(err)
		}
		blocks = append(blocks, must[[]byte](t)(io.ReadAll(rec.Block())))
		if err := rec.Finish(); err != nil {
			t.Fatal(err)
		}
		if len(rec.Problems()) > 0 {
			t.Errorf("record at %d: %v", rec.Offset, rec.Problems())
		}
		all = append(all, rec)
	}
	return all, blocks
}

// fileBlock is a Block in a file, as the crawler's are for large bodies.
type fileBlock struct {
	path string
	size int64
}

func (b fileBlock) Size() int64 { return b.size }

func (b fileBlock) Open() io.Reader {
	f, err := os.Open(b.path)
	if err != nil {
		return errReader{err}
	}
	return f // closed by the finalizer, which is enough for a test
}

type errReader struct{ err error }

func (r errReader) Read([]byte) (int, error) { return 0, r.err }

// TestReadBack writes random exchanges and compares every byte that comes back.
func TestReadBack(t *testing.T) {
	dir := t.TempDir()
	serial := 0
	rapid.Check(t, func(rt *rapid.T) {
		serial++
		f := must[*File](t)(Create(dir, FileName("prop", began, serial)))
		type written struct {
			rec    *Record
			placed Placed
		}
		var all []written
		for n := range rapid.IntRange(1, 4).Draw(rt, "looks") {
			l := NewLook("source", int64(n+1), nil)
			body := rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(rt, "body")
			size := rapid.SampledFrom([]int{1, 1, 50, 700, 8000}).Draw(rt, "times")
			head := []string{"HTTP/1.1 200 OK", "Content-Type: text/html"}
			if rapid.Bool().Draw(rt, "coded") {
				head = append(head, "Content-Encoding: br")
			}
			response := message(string(bytes.Repeat(body, size)), head...)
			ex := exchange(t, "https://x.example/"+rapid.StringMatching(`[a-z]{0,9}`).Draw(rt, "path"), response)
			if rapid.Bool().Draw(rt, "on disk") {
				path := filepath.Join(dir, "body")
				if err := os.WriteFile(path, response, 0o600); err != nil {
					rt.Fatal(err)
				}
				ex.Response = fileBlock{path, int64(len(response))}
			}
			records, _, err := l.Records(ex, RecordOptions{})
			if err != nil {
				rt.Fatal(err)
			}
			placed, err := f.Append(pack(t, records...)...)
			if err != nil {
				rt.Fatal(err)
			}
			for i, r := range records {
				all = append(all, written{r, placed[i]})
				if data := plain(t, r); placed[i].SHA256 != SumSHA256(data) {
					rt.Fatalf("Append says %s, the record has %s", placed[i].SHA256, SumSHA256(data))
				}
			}
			// Blocks on disk are overwritten by the next look: keep what was meant.
			records[1].content = response
		}
		summary := must[Summary](t)(f.Close())
		size, sum := fileHash(t, published(f))
		if summary.Size != size || summary.SHA256 != sum || summary.Records != int64(len(all)) {
			rt.Fatalf("Close = %+v, the file has %d bytes and %s", summary, size, sum)
		}
		records, blocks := readBack(t, published(f))
		if len(records) != len(all) {
			rt.Fatalf("read %d records, wrote %d", len(records), len(all))
		}
		file := must[*os.File](t)(os.Open(published(f)))
		defer file.Close()
		for i, rec := range records {
			want := all[i]
			if got := (Placed{rec.Offset, rec.Length, rec.SHA256}); got != want.placed {
				rt.Fatalf("record %d lies at %+v, Append said %+v", i, got, want.placed)
			}
			if diff := cmp.Diff(want.rec.Header, rec.Header); diff != "" {
				rt.Fatalf("header differs: %s", diff)
			}
			if block := must[[]byte](t)(io.ReadAll(want.rec.Block())); !bytes.Equal(block, blocks[i]) {
				rt.Fatalf("block of %s has %d bytes, wrote %d", rec.Type(), len(blocks[i]), len(block))
			}
			alone := must[*Record](t)(ReadRecordAt(file, want.placed.Offset, want.placed.Length))
			if alone.ID() != rec.ID() || alone.Finish() != nil || alone.SHA256 != rec.SHA256 {
				rt.Fatalf("ReadRecordAt(%d) = %s, want %s", want.placed.Offset, alone.ID(), rec.ID())
			}
		}
	})
}

// TestLargeRecord streams a body that is not held in memory, coded and not.
func TestLargeRecord(t *testing.T) {
	for _, coded := range []bool{false, true} {
		t.Run(fmt.Sprint("coded=", coded), func(t *testing.T) {
			f := newFile(t)
			head := "HTTP/1.1 200 OK\r\n\r\n"
			if coded {
				head = "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n"
			}
			body := terms(3 << 20)
			path := filepath.Join(t.TempDir(), "body")
			if err := os.WriteFile(path, []byte(head+body), 0o600); err != nil {
				t.Fatal(err)
			}
			ex := exchange(t, "https://x.example/", message("", "HTTP/1.1 200 OK"))
			ex.Response, ex.Head = fileBlock{path, int64(len(head + body))}, int64(len(head))
			l := NewLook("s", 1, nil)
			writeLook(t, f, l, []*Exchange{ex}, RecordOptions{})
			must[Summary](t)(f.Close())
			_, blocks := readBack(t, published(f))
			if string(blocks[1]) != head+body {
				t.Errorf("the block came back with %d bytes, wrote %d", len(blocks[1]), len(head+body))
			}
		})
	}
}

// TestBlockLies makes sure that a block which is not as long as it says leaves
// nothing in the file.
func TestBlockLies(t *testing.T) {
	f := newFile(t)
	path := filepath.Join(t.TempDir(), "body")
	if err := os.WriteFile(path, bytes.Repeat([]byte("x"), 2<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, size := range []int64{3 << 20, 2<<20 - 1, 5, 2<<20 + 1} {
		rec, err := newRecord(TypeResource, Meta{Date: began}).finish(mediaOctets, fileBlock{path, size})
		if err == nil {
			t.Fatalf("finish took a block of %d bytes that says %d", 2<<20, size)
		}
		_ = rec
	}
	good := must[*Record](t)(newRecord(TypeResource, Meta{Date: began}).finish(mediaOctets, fileBlock{path, 2 << 20}))
	if err := os.Truncate(path, 1<<20); err != nil {
		t.Fatal(err)
	}
	if placed, err := f.Append(append(pack(t, text(t, 10)), pack(t, good)...)...); err == nil {
		t.Fatalf("Append = %v, the block had shrunk", placed)
	}
	if f.Size() != 0 {
		t.Errorf("the file has %d bytes after a failed Append", f.Size())
	}
	must[[]Placed](t)(f.Append(pack(t, text(t, 10))...))
	s := must[Summary](t)(f.Close())
	if _, sum := fileHash(t, published(f)); s.SHA256 != sum || s.Records != 1 {
		t.Errorf("Close = %+v, the file has %s", s, sum)
	}
}

func TestFullDisk(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=64k"); err != nil {
		t.Skipf("mounting a small file system needs privileges: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	f := must[*File](t)(Create(dir, "full.warc.gz"))
	var kept []string
	refused := 0
	for i := range 60 {
		// Two members each, one of them larger than what is left at some point.
		records := []*Record{text(t, 100), must[*Record](t)(DeclarationRecord(Meta{Date: began}, Bytes(random(t, 3000+i*97))))}
		_, err := f.Append(pack(t, records...)...)
		switch {
		case err == nil:
			kept = append(kept, records[0].ID(), records[1].ID())
		case errors.Is(err, syscall.ENOSPC):
			refused++
		default:
			t.Fatalf("Append = %v, want ENOSPC", err)
		}
	}
	if refused == 0 || len(kept) == 0 {
		t.Fatalf("%d records kept, %d batches refused: the disk was not small enough", len(kept), refused)
	}
	s := must[Summary](t)(f.Close())
	records, _ := readBack(t, published(f))
	var got []string
	for _, r := range records {
		got = append(got, r.ID())
	}
	if diff := cmp.Diff(kept, got); diff != "" {
		t.Errorf("records (-appended +read):\n%s", diff)
	}
	if size, sum := fileHash(t, published(f)); s.Size != size || s.SHA256 != sum {
		t.Errorf("Close = %+v, the file has %d bytes and %s", s, size, sum)
	}
}

func random(t testing.TB, n int) []byte {
	t.Helper()
	b := make([]byte, n)
	must[int](t)(io.ReadFull(pinned(), b))
	return b
}

// TestBroken uses a device that neither takes bytes nor can be truncated.
func TestBroken(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skipf("no device that is always full: %v", err)
	}
	f := newFile(t)
	must[[]Placed](t)(f.Append(pack(t, text(t, 10))...))
	if err := f.Sync(); err != nil {
		t.Fatal(err)
	}
	real := f.f
	f.f = full
	if _, err := f.Append(pack(t, text(t, 10))...); !errors.Is(err, syscall.ENOSPC) || !errors.Is(err, ErrBroken) {
		t.Errorf("Append = %v, want ENOSPC and ErrBroken", err)
	}
	f.f = real
	if _, err := f.Append(pack(t, text(t, 10))...); !errors.Is(err, ErrBroken) {
		t.Errorf("Append to a broken file = %v, want ErrBroken", err)
	}
	if err := f.Abandon(); err != nil {
		t.Fatal(err)
	}
	again, report, err := OpenExisting(f.dir, f.name)
	if err != nil || report.Records != 1 {
		t.Fatalf("OpenExisting = %+v, %v", report, err)
	}
	must[Summary](t)(again.Close())
}

func TestPublishNeverReplaces(t *testing.T) {
	dir := t.TempDir()
	f := must[*File](t)(Create(dir, "a.warc.gz"))
	if _, err := Create(dir, "a.warc.gz"); !errors.Is(err, os.ErrExist) {
		t.Errorf("Create of an open file = %v, want ErrExist", err)
	}
	must[[]Placed](t)(f.Append(pack(t, text(t, 10))...))
	if err := os.WriteFile(published(f), []byte("earlier"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Close(); !errors.Is(err, os.ErrExist) {
		t.Errorf("Close over a published file = %v, want ErrExist", err)
	}
	if data := must[[]byte](t)(os.ReadFile(published(f))); string(data) != "earlier" {
		t.Errorf("the published file was replaced by %d bytes", len(data))
	}
	if _, _, err := OpenExisting(dir, "a.warc.gz"); !errors.Is(err, os.ErrExist) {
		t.Errorf("OpenExisting beside another published file = %v, want ErrExist", err)
	}
	if _, err := Create(dir, "a.warc.gz"); !errors.Is(err, os.ErrExist) {
		t.Errorf("Create of a published file = %v, want ErrExist", err)
	}
}

func TestClosedFile(t *testing.T) {
	f := newFile(t)
	must[Summary](t)(f.Close())
	if _, err := f.Append(pack(t, text(t, 1))...); err == nil {
		t.Error("Append after Close = nil")
	}
	if _, err := f.Close(); err == nil {
		t.Error("second Close = nil")
	}
	g := must[*File](t)(Create(f.dir, "g.warc.gz"))
	if err := g.Discard(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(g.openPath()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a discarded file is still there: %v", err)
	}
}

// TestGroupCommit appends and syncs from many goroutines; under -race it also
// shows that a File may be shared.
func TestGroupCommit(t *testing.T) {
	f := newFile(t)
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for range 5 {
				p, err := f.Append(pack(t, text(t, 200))...)
				if err != nil {
					t.Error(err)
					return
				}
				end := p[0].Offset + p[0].Length
				if err := f.SyncTo(end); err != nil {
					t.Error(err)
				}
				f.syncMu.Lock()
				if f.synced < end {
					t.Errorf("SyncTo(%d) returned with %d bytes synced", end, f.synced)
				}
				f.syncMu.Unlock()
			}
		})
	}
	wg.Wait()
	if err := f.SyncTo(f.Size() + 1); err == nil {
		t.Error("SyncTo beyond the end = nil")
	}
	if s := must[Summary](t)(f.Close()); s.Records != 80 {
		t.Errorf("Close = %+v, want 80 records", s)
	}
}

func TestNames(t *testing.T) {
	at := time.Date(2026, 11, 22, 10, 0, 0, 0, time.FixedZone("", 3600))
	name := FileName("20261122t100000-7f3a", at, 12)
	if want := "fineprint-20261122t100000-7f3a-20261122090000-00012.warc.gz"; name != want {
		t.Errorf("FileName = %s, want %s", name, want)
	}
	if got, err := FileTime(name); err != nil || !got.Equal(at) {
		t.Errorf("FileTime = %v, %v, want %v", got, err, at)
	}
	for _, bad := range []string{"", "a.warc.gz", "fineprint-x-00001.warc.gz", name + OpenSuffix} {
		if _, err := FileTime(bad); err == nil {
			t.Errorf("FileTime(%q) = nil error", bad)
		}
	}
}
