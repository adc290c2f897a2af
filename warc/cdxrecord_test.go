package warc

import (
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
