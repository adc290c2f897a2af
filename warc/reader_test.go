package warc

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
)

// warcRecord writes a plain record with the given line end.
func warcRecord(eol, block string, fields ...string) string {
	lines := append([]string{"WARC/1.0", "WARC-Type: resource", "WARC-Record-ID: <urn:uuid:1>", "WARC-Date: 2024-10-17T08:30:00Z",
		"WARC-Target-URI: <https://x.example/>", "Content-Type: text/plain", fmt.Sprint("Content-Length: ", len(block))}, fields...)
	return strings.Join(lines, eol) + eol + eol + block + eol + eol
}

func gzipAll(t testing.TB, parts ...string) string {
	t.Helper()
	var b bytes.Buffer
	for _, p := range parts {
		w := gzip.NewWriter(&b)
		if _, err := w.Write([]byte(p)); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return b.String()
}

// describe reads everything and says what was found, one line per record.
func describe(r io.Reader) (lines []string) {
	for rec, err := range NewReader(r).Records() {
		if err != nil {
			return append(lines, "error: "+err.Error())
		}
		block, err := io.ReadAll(rec.Block())
		if err == nil {
			err = rec.Finish()
		}
		if err != nil {
			return append(lines, "error: "+err.Error())
		}
		line := fmt.Sprintf("%d+%d %s %s %q", rec.Offset, rec.Length, rec.Version, rec.TargetURI(), block)
		for _, p := range rec.Problems() {
			line += " " + p.Rule
		}
		lines = append(lines, line)
	}
	return lines
}

func TestReaderForms(t *testing.T) {
	crlf, lf := warcRecord("\r\n", "one"), warcRecord("\n", "two")
	folded := warcRecord("\r\n", "x", "X-Note: a", " b", "no colon here")
	gz := gzipAll(t, crlf, crlf)
	both := gzipAll(t, crlf+crlf)
	for _, tc := range []struct {
		name, data string
		want       []string
	}{
		{"empty", "", nil},
		{"plain", crlf + crlf, []string{
			fmt.Sprintf(`0+%d WARC/1.0 https://x.example/ "one"`, len(crlf)),
			fmt.Sprintf(`%d+%d WARC/1.0 https://x.example/ "one"`, len(crlf), len(crlf))}},
		{"line feeds", lf + crlf, []string{
			fmt.Sprintf(`0+%d WARC/1.0 https://x.example/ "two"%s`, len(lf), strings.Repeat(" crlf", 8)+" record-end"),
			fmt.Sprintf(`%d+%d WARC/1.0 https://x.example/ "one"`, len(lf), len(crlf))}},
		{"folded", folded, []string{fmt.Sprintf(`0+%d WARC/1.0 https://x.example/ "x" field-syntax`, len(folded))}},
		{"gzip", gz, []string{
			fmt.Sprintf(`0+%d WARC/1.0 https://x.example/ "one"`, len(gz)/2),
			fmt.Sprintf(`%d+%d WARC/1.0 https://x.example/ "one"`, len(gz)/2, len(gz)/2)}},
		{"one member", both, []string{
			`0+0 WARC/1.0 https://x.example/ "one" gzip-member`,
			fmt.Sprintf(`0+%d WARC/1.0 https://x.example/ "one" gzip-member`, len(both))}},
		{"gzip after plain", crlf + gz[:len(gz)/2], []string{
			fmt.Sprintf(`0+%d WARC/1.0 https://x.example/ "one"`, len(crlf)),
			fmt.Sprintf(`%d+%d WARC/1.0 https://x.example/ "one"`, len(crlf), len(gz)/2)}},
		{"garbage", crlf + "garbage", []string{
			fmt.Sprintf(`0+%d WARC/1.0 https://x.example/ "one"`, len(crlf)),
			fmt.Sprintf(`error: WARC record at %d: the header is cut: unexpected EOF`, len(crlf))}},
		{"another format", "PK\x03\x04\nand so on\n", []string{`error: WARC record at 0: it begins with "PK\x03\x04\n", not with WARC/`}},
		{"length", "WARC/1.1\r\nContent-Length: 1e3\r\n\r\n", []string{`error: WARC record at 0: its length is unknown: Content-Length "1e3" is not a number of bytes`}},
		{"hostile length", "WARC/1.1\r\nContent-Length: 9223372036854775807\r\n\r\nabc", []string{`error: WARC record at 0: the block is cut: unexpected EOF`}},
		{"longer than it says", strings.Replace(crlf, "one", "one more", 1), []string{`error: WARC record at 0: no line end behind the block`}},
		{"junk in the member", gzipAll(t, crlf+"junk"), []string{`error: WARC record at 0: "junk" follows in its gzip member`}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, describe(strings.NewReader(tc.data))); diff != "" {
				t.Errorf("records (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tc.want, describe(iotest.OneByteReader(strings.NewReader(tc.data)))); diff != "" {
				t.Errorf("byte by byte (-want +got):\n%s", diff)
			}
		})
	}
}

func TestReaderChecksum(t *testing.T) {
	gz := []byte(gzipAll(t, warcRecord("\r\n", "one")))
	gz[len(gz)-5] ^= 1
	if got := describe(bytes.NewReader(gz)); len(got) != 1 || !strings.HasPrefix(got[0], "error: WARC record at 0") {
		t.Errorf("a wrong CRC gave %q", got)
	}
}

// TestReaderSource keeps errors of the source apart from errors of the data.
func TestReaderSource(t *testing.T) {
	data, ends := sample(t)
	broken := errors.New("network gone")
	for _, cut := range []int64{0, 5, ends[0], ends[0] + 100} {
		rd := NewReader(io.MultiReader(bytes.NewReader(data[:cut]), errReader{broken}))
		var last error
		for _, err := range rd.Records() {
			last = err
		}
		if _, format := errors.AsType[*FormatError](last); !errors.Is(last, broken) || format {
			t.Errorf("after %d bytes: %v, want the error of the source", cut, last)
		}
	}
}

// TestReaderMemory reads an endless header, an endless line and a large block.
func TestReaderMemory(t *testing.T) {
	endless := func(prefix, repeat string, times int) io.Reader {
		return io.MultiReader(strings.NewReader(prefix), &repeated{[]byte(repeat), times})
	}
	for name, r := range map[string]io.Reader{
		"header":     endless("WARC/1.1\r\n", "X-A: b\r\n", 50<<20/8),
		"line":       endless("WARC/1.1\r\nX: ", "aaaaaaaaaaaaaaaa", 50<<20/16),
		"block":      endless("WARC/1.1\r\nContent-Length: 99999999999\r\n\r\n", strings.Repeat("a", 1<<16), 800),
		"first line": endless("", "a", 50<<20),
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		rec, err := NewReader(r).Next()
		if err == nil {
			err = rec.Finish()
		}
		runtime.ReadMemStats(&after)
		if _, ok := errors.AsType[*FormatError](err); !ok {
			t.Errorf("%s: %v, want a format error", name, err)
		}
		if used := after.TotalAlloc - before.TotalAlloc; used > 1<<20 {
			t.Errorf("%s: %d bytes allocated", name, used)
		}
	}
}

// repeated reads data a number of times.
type repeated struct {
	data  []byte
	times int
}

func (r *repeated) Read(p []byte) (int, error) {
	if r.times <= 0 {
		return 0, io.EOF
	}
	n := 0
	for n+len(r.data) <= len(p) && r.times > 0 {
		n += copy(p[n:], r.data)
		r.times--
	}
	return n, nil
}

func TestReadRecordEmpty(t *testing.T) {
	if _, err := ReadRecordAt(strings.NewReader(""), 100, 50); !isCut(err) {
		t.Errorf("ReadRecordAt behind the end = %v, want unexpected EOF", err)
	}
}

// FuzzReader reads any bytes: no panic, bounded memory, positions that add up,
// and the same records however the bytes arrive.
func FuzzReader(f *testing.F) {
	data, _ := sample(f)
	f.Add(data)
	f.Add(data[:len(data)/2])
	f.Add([]byte(warcRecord("\r\n", "one") + warcRecord("\n", "two")))
	f.Add([]byte(gzipAll(f, warcRecord("\r\n", "one")+warcRecord("\r\n", "two"))))
	f.Add([]byte("WARC/1.1\r\nContent-Length: 99999999999999\r\n\r\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		rd := NewReader(bufio.NewReader(bytes.NewReader(data)))
		end := int64(0)
		for rec, err := range rd.Records() {
			if err != nil {
				break
			}
			if rec.Offset > end || rec.Offset < 0 {
				t.Fatalf("record at %d, the one before ended at %d", rec.Offset, end)
			}
			if payload, err := rec.Payload(); err == nil {
				io.Copy(io.Discard, payload)
			}
			if rec.Finish() != nil {
				break
			}
			end = rd.Offset()
		}
		if rd.Offset() > int64(len(data)) {
			t.Fatalf("offset %d of %d bytes", rd.Offset(), len(data))
		}
		whole, single := describe(bytes.NewReader(data)), describe(iotest.OneByteReader(bytes.NewReader(data)))
		if diff := cmp.Diff(whole, single); diff != "" {
			t.Fatalf("at once and byte by byte differ:\n%s", diff)
		}
	})
}
