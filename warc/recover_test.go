package warc

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// sample returns the bytes of a small file with every type of record, and the
// ends of its members.
func sample(t testing.TB) (data []byte, ends []int64) {
	t.Helper()
	f := must[*File](t)(Create(t.TempDir(), "sample.warc.gz"))
	warcinfo := must[*Record](t)(WarcinfoRecord(Meta{Date: began, ID: NewID(pinned())}, Warcinfo{Filename: f.Name(), Software: "fineprint"}))
	opt := RecordOptions{WarcinfoID: warcinfo.ID()}
	chain := must[*Record](t)(CertificateChain(Meta{Date: began, WarcinfoID: opt.WarcinfoID}, [][]byte{{1}, {2}}))
	must[[]Placed](t)(f.Append(pack(t, warcinfo, chain)...))
	ex := exchange(t, "https://x.example/tos", message(chunked("terms ", "of service"), "HTTP/1.1 200 OK", "Content-Type: text/html", "Transfer-Encoding: chunked"))
	robots := exchange(t, "https://x.example/robots.txt", message("", "HTTP/1.1 404 Not Found", "Content-Length: 0"))
	first := NewLook("x.tos", 1, nil)
	m := writeLook(t, f, first, []*Exchange{robots, ex}, opt)
	opt.Revisit = &Reference{Record: m.Payload.Record, URI: ex.URI, Date: ex.Began}
	writeLook(t, f, NewLook("x.tos", 2, nil), []*Exchange{ex}, opt)
	must[Summary](t)(f.Close())
	records, _ := readBack(t, published(f))
	for _, r := range records {
		ends = append(ends, r.Offset+r.Length)
	}
	return must[[]byte](t)(os.ReadFile(published(f))), ends
}

// TestRecoverEveryCut cuts a file at each of its bytes, as a crash may, takes it
// up again, and writes on.
func TestRecoverEveryCut(t *testing.T) {
	data, ends := sample(t)
	data, ends = data[:ends[4]], ends[:5]
	dir, step := memoryDir(t)
	more := pack(t, text(t, 10))
	for cut := int64(0); cut <= int64(len(data)); cut += step {
		if err := os.WriteFile(filepath.Join(dir, "a.warc.gz.open"), data[:cut], 0o644); err != nil {
			t.Fatal(err)
		}
		want := RecoverReport{}
		for _, end := range ends {
			if end <= cut {
				want.Records, want.GoodSize = want.Records+1, end
			}
		}
		want.Dropped = cut - want.GoodSize
		f, report, err := OpenExisting(dir, "a.warc.gz")
		if err != nil {
			t.Fatalf("cut at %d: %v", cut, err)
		}
		if (report.Reason != "") != (want.Dropped > 0) {
			t.Errorf("cut at %d: reason %q, %d bytes dropped", cut, report.Reason, want.Dropped)
		}
		report.Reason = ""
		if report != want {
			t.Fatalf("cut at %d: %+v, want %+v", cut, report, want)
		}
		if cut%(97*step) != 0 {
			if err := f.Abandon(); err != nil {
				t.Fatal(err)
			}
			continue
		}
		must[[]Placed](t)(f.Append(more...))
		s := must[Summary](t)(f.Close())
		size, sum := fileHash(t, published(f))
		if s.Size != size || s.SHA256 != sum || s.Records != want.Records+1 {
			t.Fatalf("cut at %d: Close = %+v, the file has %d bytes and %s", cut, s, size, sum)
		}
		if again := must[Summary](t)(Sum(published(f))); again != s {
			t.Fatalf("cut at %d: Sum = %+v, Close = %+v", cut, again, s)
		}
		if err := os.Remove(published(f)); err != nil {
			t.Fatal(err)
		}
	}
}

// memoryDir returns a folder where fsync costs nothing, and step 1; without one
// an ordinary folder and the step in which cuts are tried there.
func memoryDir(t testing.TB) (string, int64) {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "fineprint-test-")
	if err != nil {
		return t.TempDir(), 37
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir, 1
}

// TestRecoverDamage flips a byte in the middle: what follows is kept aside.
func TestRecoverDamage(t *testing.T) {
	data, ends := sample(t)
	path := filepath.Join(t.TempDir(), "a.warc.gz"+OpenSuffix)
	damaged := bytes.Clone(data)
	damaged[ends[1]+40] ^= 0x20
	if err := os.WriteFile(path, damaged, 0o644); err != nil {
		t.Fatal(err)
	}
	report := must[RecoverReport](t)(Recover(path))
	if report.Records != 2 || report.GoodSize != ends[1] || report.Kept == "" {
		t.Fatalf("Recover = %+v, want 2 records and a file with the rest", report)
	}
	if kept := must[[]byte](t)(os.ReadFile(report.Kept)); !bytes.Equal(kept, damaged[ends[1]:]) {
		t.Errorf("%s has %d bytes, %d were dropped", report.Kept, len(kept), report.Dropped)
	}
	if _, err := Recover(report.Kept); err == nil {
		t.Error("Recover cut a file without " + OpenSuffix)
	}
	if report := must[RecoverReport](t)(Recover(path)); report.Dropped != 0 {
		t.Errorf("second Recover = %+v, want nothing to do", report)
	}
}

// TestCrashWhilePublishing stops between the steps of Close.
func TestCrashWhilePublishing(t *testing.T) {
	f := newFile(t)
	must[[]Placed](t)(f.Append(pack(t, text(t, 10))...))
	if err := errors.Join(f.Sync(), os.Link(f.openPath(), published(f)), f.Abandon()); err != nil {
		t.Fatal(err)
	}
	if _, _, err := OpenExisting(f.dir, f.name); !errors.Is(err, ErrPublished) {
		t.Fatalf("OpenExisting after link = %v, want ErrPublished", err)
	}
	if _, err := os.Stat(f.openPath()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%s is still there: %v", f.openPath(), err)
	}
	if s := must[Summary](t)(Sum(published(f))); s.Records != 1 {
		t.Errorf("the published file has %d records, want 1", s.Records)
	}
	if _, _, err := OpenExisting(f.dir, f.name); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("OpenExisting of a published file = %v, want ErrNotExist", err)
	}
}

// FuzzRecover feeds Recover any bytes: it must leave a file that reads without
// an error, keep every whole record in front of the damage, and be done after
// one run.
func FuzzRecover(f *testing.F) {
	data, ends := sample(f)
	f.Add(data)
	f.Add(data[:ends[2]+30])
	f.Add(append(bytes.Clone(data[:ends[1]]), data[ends[2]:]...))
	f.Add([]byte("WARC/1.1\r\nContent-Length: 0\r\n\r\n\r\n\r\n"))
	f.Add([]byte{0x1f, 0x8b})
	f.Fuzz(func(t *testing.T, data []byte) {
		path := filepath.Join(t.TempDir(), "a.warc.gz"+OpenSuffix)
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
		report, err := Recover(path)
		if err != nil {
			t.Fatal(err)
		}
		left := must[[]byte](t)(os.ReadFile(path))
		if !bytes.HasPrefix(data, left) || int64(len(left)) != report.GoodSize || report.GoodSize+report.Dropped != int64(len(data)) {
			t.Fatalf("Recover = %+v, left %d of %d bytes", report, len(left), len(data))
		}
		rd := NewReader(bytes.NewReader(left))
		n := int64(0)
		for _, err := range rd.Records() {
			if err != nil {
				t.Fatalf("what is left does not read: %v", err)
			}
			n++
		}
		if n != report.Records {
			t.Fatalf("%d records are left, the report says %d", n, report.Records)
		}
		if again := must[RecoverReport](t)(Recover(path)); again.Dropped != 0 || again.Records != n {
			t.Fatalf("second run: %+v", again)
		}
	})
}

// TestSumRefusesGarbage makes sure that Sum is no plain checksum.
func TestSumRefusesGarbage(t *testing.T) {
	data, _ := sample(t)
	path := filepath.Join(t.TempDir(), "a.warc.gz")
	if err := os.WriteFile(path, append(data, "x"...), 0o644); err != nil {
		t.Fatal(err)
	}
	_, err := Sum(path)
	if bad, ok := errors.AsType[*FormatError](err); !ok || bad.Offset != int64(len(data)) {
		t.Errorf("Sum = %v, want a format error at %d", err, len(data))
	}
}
