package warc

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// cdxjSample returns a line with every field set.
func cdxjSample() CDXJLine {
	return CDXJLine{
		SURT:      "com,x)/zh-cn/tos?a=1&b=%e6%9d%a1",
		Timestamp: time.Date(2024, 11, 15, 1, 2, 3, 0, time.UTC),
		URL:       "https://x.com/zh-cn/tos?b=条&a=1",
		MIME:      "text/html",
		Status:    200,
		Digest:    "sha1:G7HRM7BGOKSKMSXZAHMUQTTV53QOFSMK",
		Length:    1228,
		Offset:    784,
		Filename:  "fineprint-20241115.warc.gz",
		RecordID:  "<urn:uuid:4b1e3ab5-4c4d-4d4b-9f52-6a1f7c0c8e11>",
		Extra: map[string]json.RawMessage{
			"requestBody": json.RawMessage(`"q=<a>&b"`),
			"method":      json.RawMessage(`"POST"`),
		},
	}
}

func TestMarshalCDXJ(t *testing.T) {
	t.Parallel()
	bare := CDXJLine{SURT: "org,example)/", Timestamp: time.Unix(0, 999e6), URL: "http://example.org/", Filename: "a.warc"}
	tests := []struct {
		name string
		line CDXJLine
		want string
	}{
		{"every field", cdxjSample(), `com,x)/zh-cn/tos?a=1&b=%e6%9d%a1 20241115010203 {"url":"https://x.com/zh-cn/tos?b=条&a=1","mime":"text/html","status":"200","digest":"sha1:G7HRM7BGOKSKMSXZAHMUQTTV53QOFSMK","length":"1228","offset":"784","filename":"fineprint-20241115.warc.gz","recordId":"<urn:uuid:4b1e3ab5-4c4d-4d4b-9f52-6a1f7c0c8e11>","method":"POST","requestBody":"q=<a>&b"}`},
		{"only what is needed", bare, `org,example)/ 19700101000000 {"url":"http://example.org/","mime":"","status":"","digest":"","length":"0","offset":"0","filename":"a.warc"}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := MarshalCDXJ(tt.line)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, string(got)); diff != "" {
				t.Errorf("MarshalCDXJ (-want +got):\n%s", diff)
			}
		})
	}
}

func TestMarshalCDXJErrors(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, want string
		change     func(*CDXJLine)
	}{
		{"no key", "key is empty", func(l *CDXJLine) { l.SURT = "" }},
		{"space in key", "key is empty or has a space", func(l *CDXJLine) { l.SURT = "org,example)/a b" }},
		{"line feed in key", "key is empty or has a space", func(l *CDXJLine) { l.SURT = "org,example)/a\nb" }},
		{"header key", "like a header line", func(l *CDXJLine) { l.SURT = "!meta" }},
		{"year", "year 10000", func(l *CDXJLine) { l.Timestamp = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC) }},
		{"no url", "no url", func(l *CDXJLine) { l.URL = "" }},
		{"url not UTF-8", "url is not UTF-8", func(l *CDXJLine) { l.URL = "http://x/\xff" }},
		{"no filename", "no filename", func(l *CDXJLine) { l.Filename = "" }},
		{"status", "status 99", func(l *CDXJLine) { l.Status = 99 }},
		{"negative length", "negative", func(l *CDXJLine) { l.Length = -1 }},
		{"negative offset", "negative", func(l *CDXJLine) { l.Offset = -1 }},
		{"extra takes a known key", `"url" is taken`, func(l *CDXJLine) { l.Extra = map[string]json.RawMessage{"url": []byte(`"x"`)} }},
		{"extra is not JSON", `"k" is not JSON`, func(l *CDXJLine) { l.Extra = map[string]json.RawMessage{"k": []byte(`}`)} }},
		{"too long", "the limit is 65536", func(l *CDXJLine) { l.URL = "http://x/" + strings.Repeat("a", cdxjMaxLine) }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l := cdxjSample()
			tt.change(&l)
			got, err := MarshalCDXJ(l)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("MarshalCDXJ = %q, %v, want an error with %q", got, err, tt.want)
			}
		})
	}
}

func TestParseCDXJ(t *testing.T) {
	t.Parallel()
	at := func(s string) time.Time {
		ts, err := time.Parse(time.RFC3339Nano, s)
		if err != nil {
			t.Fatal(err)
		}
		return ts
	}
	warcio := CDXJLine{
		SURT: "com,example)/", Timestamp: at("2017-03-06T04:03:48Z"), URL: "http://example.com/",
		MIME: CDXJRevisit, Status: 200, Digest: "G7HRM7BGOKSKMSXZAHMUQTTV53QOFSMK",
		Length: 586, Offset: 2621, Filename: "example.warc.gz",
	}
	tests := []struct {
		name, line string
		want       CDXJLine
	}{
		{"warcio.js, test/testIndexer.test.ts", `com,example)/ 20170306040348 {"url":"http://example.com/","mime":"warc/revisit","status":"200","digest":"G7HRM7BGOKSKMSXZAHMUQTTV53QOFSMK","length":"586","offset":"2621","filename":"example.warc.gz"}`, warcio},
		{"pywb spacing and line end", `com,example)/ 20170306040348 {"url": "http://example.com/", "mime": "warc/revisit", "status": "200", "digest": "G7HRM7BGOKSKMSXZAHMUQTTV53QOFSMK", "length": "586", "offset": "2621", "filename": "example.warc.gz"}` + "\r\n", warcio},
		{"example of CDXJ 0.1.0", `org,example)/index.html 20220106150849300 {"url":"https://example.org/index.html","digest":"sha-256:a8c5ac6f47aa34c5c5183daedc6ebbc7ca1e53fd2ec7db5e98d71bffb163b2ce","mime":"image/png","offset":283,"length":2269,"recordDigest":"sha256:e520b333999144ff38f593f6d76f5333d24895701953b2ea0507ed041d20ca2c","status":200,"filename":"data.warc.gz"}`,
			CDXJLine{
				SURT: "org,example)/index.html", Timestamp: at("2022-01-06T15:08:49.3Z"), URL: "https://example.org/index.html",
				MIME: "image/png", Status: 200, Digest: "sha-256:a8c5ac6f47aa34c5c5183daedc6ebbc7ca1e53fd2ec7db5e98d71bffb163b2ce",
				Length: 2269, Offset: 283, Filename: "data.warc.gz",
				Extra: map[string]json.RawMessage{"recordDigest": []byte(`"sha256:e520b333999144ff38f593f6d76f5333d24895701953b2ea0507ed041d20ca2c"`)},
			}},
		{"warcio.js, a resource without status", `com,example,some:8080)/ 20200405201750 {"url":"http://some.example.com:8080/","mime":"text/plain","digest":"QEF4QP424P5IOPMURMAC4K6KNUTHXQW2","length":"261","offset":"0","filename":"example-resource.warc.gz"}`,
			CDXJLine{
				SURT: "com,example,some:8080)/", Timestamp: at("2020-04-05T20:17:50Z"), URL: "http://some.example.com:8080/",
				MIME: "text/plain", Digest: "QEF4QP424P5IOPMURMAC4K6KNUTHXQW2", Length: 261, Filename: "example-resource.warc.gz",
			}},
		{"unknown values", `a)/ 20200405201750 {"url":"http://a/","mime":null,"status":"-","digest":"-","length":"1","offset":"2","filename":"f","x" : { "b" : [1, "]}\"\\", {}] } , "y":true,"z":-1.5e3 }`,
			CDXJLine{
				SURT: "a)/", Timestamp: at("2020-04-05T20:17:50Z"), URL: "http://a/", Length: 1, Offset: 2, Filename: "f",
				Extra: map[string]json.RawMessage{
					"x": []byte(`{"b":[1,"]}\"\\",{}]}`), "y": []byte("true"), "z": []byte("-1.5e3"),
				},
			}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := ParseCDXJ(tt.line)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("ParseCDXJ (-want +got):\n%s", diff)
			}
		})
	}
}

func TestParseCDXJErrors(t *testing.T) {
	t.Parallel()
	const ok = `"url":"http://a/","length":"1","offset":"2","filename":"f"`
	const head = "a)/ 20200405201750 "
	tests := []struct{ name, line, want string }{
		{"empty", "", "separated by single spaces"},
		{"CDX of eleven fields", "a)/ 20200405201750 http://a/ text/html 200 X - - 1 2 f", "separated by single spaces"},
		{"two spaces", "a)/  20200405201750 {" + ok + "}", "separated by single spaces"},
		{"no key", " 20200405201750 {" + ok + "}", "key is empty"},
		{"tab in key", "a\t)/ 20200405201750 {" + ok + "}", "key is empty or has a space"},
		{"13 digits", "a)/ 2020040520175 {" + ok + "}", "14 or 17 digits"},
		{"no such day", "a)/ 20200230201750 {" + ok + "}", "14 or 17 digits"},
		{"sign in time", "a)/ +0200405201750 {" + ok + "}", "14 or 17 digits"},
		{"not UTF-8", head + `{"url":"http://a/` + "\xff" + `"}`, "not UTF-8"},
		{"line break inside", head + "{" + ok + ",\n" + `"x":1}`, "more than one line"},
		{"too many keys", head + "{" + ok + cdxjManyKeys(1000) + "}", "more than 256 keys"},
		{"too many extra keys", head + "{" + ok + cdxjManyKeys(cdxjMaxExtra+1) + "}", "249 extra keys"},
		{"cut", head + `{"url":"http://a/","len`, "json"},
		{"not closed", head + "{" + ok, "json"},
		{"two objects", head + "{" + ok + "}{}", "after top-level value"},
		{"repeated key", head + "{" + ok + `,"url":"http://b/"}`, `"url" is repeated`},
		{"repeated escaped key", head + "{" + ok + `,"\u0075rl":"http://b/"}`, `"url" is repeated`},
		{"no url", head + `{"length":"1","offset":"2","filename":"f"}`, "no url"},
		{"no filename", head + `{"url":"http://a/","length":"1","offset":"2"}`, "no filename"},
		{"no length", head + `{"url":"http://a/","offset":"2","filename":"f"}`, "no length"},
		{"no offset", head + `{"url":"http://a/","length":"1","filename":"f"}`, "no offset"},
		{"offset is empty", head + `{"url":"http://a/","length":"1","offset":"","filename":"f"}`, "offset:"},
		{"length is a fraction", head + `{"url":"http://a/","length":1.5,"offset":"2","filename":"f"}`, "length:"},
		{"length is negative", head + `{"url":"http://a/","length":"-1","offset":"2","filename":"f"}`, "length:"},
		{"offset beyond 63 bits", head + `{"url":"http://a/","length":"1","offset":"9223372036854775808","filename":"f"}`, "offset:"},
		{"status is a word", head + "{" + ok + `,"status":"ok"}`, "status:"},
		{"status out of range", head + "{" + ok + `,"status":4294967496}`, "status 1000"},
		{"url is a number", head + `{"url":1,"length":"1","offset":"2","filename":"f"}`, "url:"},
		{"too long", head + "{" + ok + `,"x":"` + strings.Repeat("a", cdxjMaxLine) + `"}`, "the limit is 65536"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := ParseCDXJ(tt.line)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("ParseCDXJ = %+v, %v, want an error with %q", got, err, tt.want)
			}
			if diff := cmp.Diff(CDXJLine{}, got); diff != "" {
				t.Errorf("line beside an error (-want +got):\n%s", diff)
			}
		})
	}
}

// cdxjManyKeys returns n members for a JSON object, each after a comma.
func cdxjManyKeys(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `,"k%d":%d`, i, i)
	}
	return b.String()
}

func TestCDXJIndexable(t *testing.T) {
	t.Parallel()
	for uri, want := range map[string]bool{
		"http://example.org/": true, "HTTPS://例え.jp/規約": true,
		"urn:uuid:1": false, "metadata://gnu.org/software/wget/warc/MANIFEST.txt": false,
		"dns:example.org": false, "http:example.org": false, "": false,
	} {
		if got := CDXJIndexable(uri); got != want {
			t.Errorf("CDXJIndexable(%q) = %v, want %v", uri, got, want)
		}
	}
}

// cdxjShuffled returns lines out of order, with prefixes of each other as keys
// and several captures within one second.
func cdxjShuffled() []CDXJLine {
	at := time.Date(2024, 10, 17, 0, 0, 0, 0, time.UTC)
	var lines []CDXJLine
	for i, key := range []string{"org,example)/b", "org,example,a)/", "org,example)/a!", "org,example)/a", "org,example:8080)/", "org,example)/a", "org,example)/"} {
		for j, offset := range []int64{9, 10, 100, 9} {
			lines = append(lines, CDXJLine{
				SURT: key, Timestamp: at.Add(time.Duration(3-j/2) * time.Second).Add(time.Duration(-j) * time.Millisecond),
				URL: "http://example.org/", Offset: offset, Filename: fmt.Sprintf("%d.warc.gz", 9-i),
			})
		}
	}
	return lines
}

func TestWriteCDXJ(t *testing.T) {
	t.Parallel()
	lines := cdxjShuffled()
	before := slices.Clone(lines)
	var out bytes.Buffer
	if err := WriteCDXJ(&out, lines); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, lines); diff != "" {
		t.Errorf("WriteCDXJ changed its argument (-before +after):\n%s", diff)
	}
	text := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
	if len(text) != len(lines) || !slices.IsSorted(text) {
		t.Fatalf("%d lines, sorted by bytes %v; want %d, true:\n%s", len(text), slices.IsSorted(text), len(lines), out.String())
	}
}

func TestWriteCDXJErrors(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	if err := WriteCDXJ(&out, []CDXJLine{cdxjSample(), {}}); err == nil || out.Len() != 0 {
		t.Errorf("WriteCDXJ of a bad line = %v after %d bytes, want an error and nothing written", err, out.Len())
	}
	broken := errors.New("disk full")
	if err := WriteCDXJ(cdxjBrokenWriter{broken}, []CDXJLine{cdxjSample()}); !errors.Is(err, broken) {
		t.Errorf("WriteCDXJ to a broken writer = %v, want %v", err, broken)
	}
}

// cdxjBrokenWriter fails with its error.
type cdxjBrokenWriter struct{ err error }

func (w cdxjBrokenWriter) Write([]byte) (int, error) { return 0, w.err }

func TestReadCDXJ(t *testing.T) {
	t.Parallel()
	good, err := MarshalCDXJ(cdxjSample())
	if err != nil {
		t.Fatal(err)
	}
	long := strings.Repeat("x", 3*cdxjMaxLine)
	text := "!meta 0 {\"format\":\"cdxj\"}\n" + string(good) + "\nnonsense\n" + long + "\n" + string(good) + "\r\n\n" + string(good)
	var got []string
	for l, err := range ReadCDXJ(iotest.HalfReader(strings.NewReader(text))) {
		if err != nil {
			got = append(got, strings.SplitN(err.Error(), ":", 2)[0])
			continue
		}
		if diff := cmp.Diff(cdxjSample(), l); diff != "" {
			t.Errorf("line (-want +got):\n%s", diff)
		}
		got = append(got, "good")
	}
	if diff := cmp.Diff([]string{"good", "line 3", "line 4", "good", "line 6", "good"}, got); diff != "" {
		t.Errorf("ReadCDXJ (-want +got):\n%s", diff)
	}
}

func TestReadCDXJStops(t *testing.T) {
	t.Parallel()
	good, err := MarshalCDXJ(cdxjSample())
	if err != nil {
		t.Fatal(err)
	}
	broken := errors.New("connection reset")
	for _, tt := range []struct{ name, text string }{
		{"between lines", string(good) + "\n"},
		{"within a line", string(good) + "\n" + string(good[:40])},
		{"within a long line", string(good) + "\n" + strings.Repeat("x", 2*cdxjMaxLine)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var errs []error
			n := 0
			for _, err := range ReadCDXJ(io.MultiReader(strings.NewReader(tt.text), iotest.ErrReader(broken))) {
				if n++; err != nil {
					errs = append(errs, err)
				}
			}
			if n != 2 || len(errs) != 1 || !errors.Is(errs[0], broken) {
				t.Errorf("%d items, errors %v, want one line and then %v", n, errs, broken)
			}
		})
	}
	n := 0
	for range ReadCDXJ(strings.NewReader(string(good) + "\n" + string(good) + "\n")) {
		n++
		break
	}
	if n != 1 {
		t.Errorf("%d lines after a break, want 1", n)
	}
}

// TestCDXJForeign reads an index that warcio.js 2.4.11 (cdx-index, sorted)
// wrote of a WARC that GNU wget 1.21.3 made of a server on loopback, and writes it
// again byte for byte.
func TestCDXJForeign(t *testing.T) {
	t.Parallel()
	file, err := os.ReadFile("testdata/cdxj_warciojs.cdxj")
	if err != nil {
		t.Fatal(err)
	}
	// Where warcio.js has simpler rules, its key and ours.
	differ := map[string]string{
		"localhost:18099)/legal/terms/":                                             "localhost:18099)/legal/terms",
		"localhost:18099)/a%20b/%7euser?q=%41":                                      "localhost:18099)/a%20b/~user?q=a",
		"localhost:18099)/index.php?phpsessid=9682993c8daa2c5497996114facdc805&x=y": "localhost:18099)/index.php?x=y",
	}
	captures := 0
	for text := range strings.Lines(string(file)) {
		text = strings.TrimSuffix(text, "\n")
		l, err := ParseCDXJ(text)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if !CDXJIndexable(l.URL) {
			continue // records of wget's own log
		}
		captures++
		want := l.SURT
		if ours, ok := differ[want]; ok {
			want = ours
		}
		if key, err := SURT(l.URL); err != nil || key != want {
			t.Errorf("SURT(%q) = %q, %v, want %q", l.URL, key, err, want)
		}
		if l.MIME == "" { // warcio.js leaves out what it does not know
			text = strings.Replace(text, `"status"`, `"mime":"","status"`, 1)
		}
		if got, err := MarshalCDXJ(l); err != nil || string(got) != text {
			t.Errorf("MarshalCDXJ(ParseCDXJ(line)) = %s, %v, want %s", got, err, text)
		}
	}
	if captures != 15 {
		t.Errorf("%d captures, want 15", captures)
	}
}

func FuzzCDXJ(f *testing.F) {
	sample, err := MarshalCDXJ(cdxjSample())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(sample))
	f.Add(`org,example)/ 20220106150849300 {"url":"https://example.org/","digest":"sha-256:a8","mime":null,"offset":283,"length":2269,"recordDigest":"x","status":"-","filename":"data.warc.gz"}`)
	f.Add(`a)/ 20200405201750 { "x" : { "b" : [1, "]}\"\\", {}] } , "url":"http://a/","length":1 ,"offset":2,"filename":"f","y":true}`)
	f.Add(`a)/ 20200405201750 {"url":"http://a/\u2028\ud800","length":"1","offset":2,"filename":"é","":{"a":[1,{}]}}`)
	f.Add(`a)/ 20200405201750 {"url":"http://a/","length":"1","offset":"2","filename":"f","url":"http://b/"}`)
	f.Fuzz(func(t *testing.T, line string) {
		first, err := ParseCDXJ(line)
		if err != nil {
			return
		}
		written, err := MarshalCDXJ(first)
		if err != nil {
			// Escapes may make a line up to six times as long, nothing else stands in the way.
			if 6*len(line)+256 > cdxjMaxLine {
				return
			}
			t.Fatalf("MarshalCDXJ(ParseCDXJ(%q)): %v", line, err)
		}
		if bytes.ContainsAny(written, "\r\n") {
			t.Fatalf("MarshalCDXJ = %q, more than one line", written)
		}
		second, err := ParseCDXJ(string(written))
		if err != nil {
			t.Fatalf("ParseCDXJ(%q): %v", written, err)
		}
		first.Timestamp = first.Timestamp.Truncate(time.Second)
		if diff := cmp.Diff(first, second); diff != "" {
			t.Fatalf("parsed, written and parsed %q (-first +second):\n%s", line, diff)
		}
		var got []CDXJLine
		for l, err := range ReadCDXJ(bytes.NewReader(written)) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, l)
		}
		if diff := cmp.Diff([]CDXJLine{second}, got); diff != "" {
			t.Fatalf("ReadCDXJ (-want +got):\n%s", diff)
		}
	})
}

// BenchmarkCDXJ measures one line of about 350 bytes, and an index of 10,000.
func BenchmarkCDXJ(b *testing.B) {
	line, err := MarshalCDXJ(cdxjSample())
	if err != nil {
		b.Fatal(err)
	}
	b.Run("marshal", func(b *testing.B) {
		b.ReportAllocs()
		b.SetBytes(int64(len(line)))
		l := cdxjSample()
		for b.Loop() {
			if _, err := MarshalCDXJ(l); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("parse", func(b *testing.B) {
		b.ReportAllocs()
		b.SetBytes(int64(len(line)))
		text := string(line)
		for b.Loop() {
			if _, err := ParseCDXJ(text); err != nil {
				b.Fatal(err)
			}
		}
	})
	lines := make([]CDXJLine, 10_000)
	for i := range lines {
		lines[i] = cdxjSample()
		lines[i].SURT = fmt.Sprintf("com,x)/%d", i*7919%len(lines))
		lines[i].Extra = nil
	}
	b.Run("write 10000", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := WriteCDXJ(io.Discard, lines); err != nil {
				b.Fatal(err)
			}
		}
	})
}
