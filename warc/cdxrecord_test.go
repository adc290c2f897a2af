package warc

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestIndexWritten checks that the lines made while a file is written are those
// that Index makes of the file.
func TestIndexWritten(t *testing.T) {
	f := newFile(t)
	l := NewLook("0123456789abcdef", 1, nil)
	body := gzipped(t, "<p>条款</p>")
	page := exchange(t, "https://example.org/en/tos?b=2&a=1", message(body, "HTTP/1.1 200 OK", "Content-Type: Text/HTML; charset=utf-8", "Content-Encoding: gzip"))
	again := exchange(t, "https://example.org/en/tos?b=2&a=1", message(body, "HTTP/1.1 200 OK", "Content-Type: text/html"))
	odd := exchange(t, "https://example.org/%zz", message("x", "HTTP/1.1 999 Oh", "Content-Type: a, b"))
	mail := exchange(t, "ftp://example.org/x", message("x", "HTTP/1.1 200 OK"))
	var written []CDXJLine
	endless := exchange(t, "https://example.org/endless", message("x", "HTTP/1.1 200 OK", "Content-Type: text/html"))
	endless.Response = Bytes("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n")
	endless.Head = endless.Response.Size()
	for _, ex := range []*Exchange{page, again, odd, mail, endless} {
		var opt RecordOptions
		if ex == again {
			opt.Revisit = &Reference{Record: "urn:uuid:00000000-0000-4000-8000-000000000001", URI: ex.URI, Date: began}
		}
		records, _, err := l.Records(ex, opt)
		if err != nil {
			t.Fatal(err)
		}
		placed := must[[]Placed](t)(f.Append(pack(t, records...)...))
		for i, r := range records {
			line, ok, err := IndexWritten(r, placed[i], f.Name())
			if err != nil {
				t.Fatal(err)
			}
			if ok {
				written = append(written, line)
			}
		}
	}
	dir := f.dir
	must[Summary](t)(f.Close())
	file := must[*os.File](t)(os.Open(filepath.Join(dir, f.Name())))
	defer file.Close()
	read := must[[]CDXJLine](t)(Index(NewReader(file), f.Name()))
	if d := cmp.Diff(read, written); d != "" || len(read) < 3 {
		t.Errorf("%d lines (-read +written):\n%s", len(read), d)
	}
}

// TestIndexPayload checks what the visitor gets, and that the line is the same
// whether it reads all, a part or nothing.
func TestIndexPayload(t *testing.T) {
	f := newFile(t)
	l := NewLook("0123456789abcdef", 1, nil)
	chunked := exchange(t, "https://example.org/a", Bytes("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"))
	mail := exchange(t, "ftp://example.org/x", message("x", "HTTP/1.1 200 OK"))
	endless := exchange(t, "https://example.org/endless", message("x", "HTTP/1.1 200 OK"))
	endless.Response = Bytes("HTTP/1.1 200 OK\r\n")
	endless.Head = endless.Response.Size()
	for _, ex := range []*Exchange{chunked, mail, endless} {
		records, _, err := l.Records(ex, RecordOptions{})
		if err != nil {
			t.Fatal(err)
		}
		must[[]Placed](t)(f.Append(pack(t, records...)...))
	}
	dir := f.dir
	must[Summary](t)(f.Close())
	for _, limit := range []int64{0, 2, 1 << 20} {
		file := must[*os.File](t)(os.Open(filepath.Join(dir, f.Name())))
		defer file.Close()
		var lines []CDXJLine
		var visits []string
		for rec, err := range NewReader(file).Records() {
			if err != nil {
				t.Fatal(err)
			}
			if rec.Type() != TypeResponse {
				continue
			}
			line, ok, err := IndexPayload(rec, f.Name(), func(head []byte, payload io.Reader) {
				part := must[[]byte](t)(io.ReadAll(io.LimitReader(payload, limit)))
				visits = append(visits, fmt.Sprintf("%d %s", len(head), part))
			})
			if err != nil {
				t.Fatal(err)
			}
			if ok {
				lines = append(lines, line)
			}
		}
		file2 := must[*os.File](t)(os.Open(filepath.Join(dir, f.Name())))
		defer file2.Close()
		want := must[[]CDXJLine](t)(Index(NewReader(file2), f.Name()))
		if d := cmp.Diff(want, lines); d != "" || len(lines) != 2 {
			t.Errorf("%d lines with a visitor that reads %d bytes (-want +got):\n%s", len(lines), limit, d)
		}
		if d := cmp.Diff([]string{"72 " + "abcde"[:min(limit, 5)]}, visits); d != "" {
			t.Errorf("visits (-want +got):\n%s", d)
		}
	}
}
