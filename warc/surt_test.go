package warc

import (
	"bufio"
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// surtVectors returns the address and key pairs of testdata/surt_vectors.txt,
// whose comment lines name the origin of each group.
func surtVectors(tb testing.TB) [][2]string {
	tb.Helper()
	f, err := os.Open("testdata/surt_vectors.txt")
	if err != nil {
		tb.Fatal(err)
	}
	defer f.Close()
	var vectors [][2]string
	sc := bufio.NewScanner(f)
	for n := 1; sc.Scan(); n++ {
		if strings.HasPrefix(sc.Text(), "#") {
			continue
		}
		var v [2]string
		if err := json.Unmarshal(sc.Bytes(), &v); err != nil {
			tb.Fatalf("testdata/surt_vectors.txt:%d: %v", n, err)
		}
		vectors = append(vectors, v)
	}
	if err := sc.Err(); err != nil {
		tb.Fatal(err)
	}
	if len(vectors) < 100 {
		tb.Fatalf("%d vectors in testdata/surt_vectors.txt, want at least 100", len(vectors))
	}
	return vectors
}

func TestSURTVectors(t *testing.T) {
	t.Parallel()
	for _, v := range surtVectors(t) {
		if got, err := SURT(v[0]); err != nil || got != v[1] {
			t.Errorf("SURT(%q) = %q, %v, want %q", v[0], got, err, v[1])
		}
	}
}

// TestSURTDiffers holds the places where we leave the reference implementation
// on purpose.
func TestSURTDiffers(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, url, want string }{
		{"UTS 46 keeps sharp s", "http://straße.de/", "de,xn--strae-oqa)/"},
		{"UTS 46 keeps final sigma", "http://βόλος.com/", "com,xn--nxasmm1c)/"},
		{"port after repaired slashes", "http:///localhost:8080/a", "localhost:8080)/a"},
		{"user after repaired slashes", "http:/u:p@example.org/a", "org,example)/a"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got, err := SURT(tt.url); err != nil || got != tt.want {
				t.Errorf("SURT(%q) = %q, %v, want %q", tt.url, got, err, tt.want)
			}
		})
	}
}

func TestSURTErrors(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, url, want string }{
		{"empty", "", "empty address"},
		{"white space", " \r\n\t", "empty address"},
		{"no host", "http://", "no host name"},
		{"dots as host", "https://.../", "no host name"},
		{"port only", "http://:80/", "no host name"},
		{"port too large", "http://example.org:65536/", "port is no number"},
		{"port not a number", "http://example.org:8o/", "port is no number"},
		{"port with sign", "http://example.org:+80/", "port is no number"},
		{"too long", "http://example.org/" + strings.Repeat("a", surtMaxURL), "the limit is 65536"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := SURT(tt.url)
			if err == nil || !strings.Contains(err.Error(), tt.want) || got != "" {
				t.Errorf("SURT(%.40q) = %q, %v, want an error with %q", tt.url, got, err, tt.want)
			}
		})
	}
}

// TestSURTNoSecret makes sure that an error does not carry the password of an
// address into a log.
func TestSURTNoSecret(t *testing.T) {
	t.Parallel()
	for _, url := range []string{
		"http://user:hunter2@example.org:99999/?token=hunter2",
		"http://user:hunter2/",
	} {
		_, err := SURT(url)
		if err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("SURT(%q): error = %v, want one that does not quote the address", url, err)
		}
	}
}

// surtPlainKey matches keys that read as an address again without any rule
// having to act: no escapes, session ids, empty labels or leading www. (What
// looks like a port of 0 is the end of an IPv6 address.)
var surtPlainKey = regexp.MustCompile(`^[a-z0-9_-]+(,[a-z0-9_-]+)*(:[1-9][0-9]{0,3})?\)/[a-z0-9._~/-]*(\?[a-z0-9._~=&/-]*)?$`)

func FuzzSURT(f *testing.F) {
	for _, v := range surtVectors(f) {
		f.Add(v[0])
	}
	f.Add("http://x/" + strings.Repeat("%25", 50) + strings.Repeat("25", 500))
	f.Add("http://x/?" + strings.Repeat("cfid=", 500))
	f.Add("[00000A:0")
	f.Add("http://x.example/a%3f/")
	f.Fuzz(func(t *testing.T, rawurl string) {
		key, err := SURT(rawurl)
		if err != nil {
			if key != "" {
				t.Fatalf("SURT(%q) = %q and error %v", rawurl, key, err)
			}
			return
		}
		if i := strings.IndexFunc(key, func(r rune) bool { return r <= ' ' || r >= 0x7f || 'A' <= r && r <= 'Z' || r == '#' }); key == "" || i >= 0 {
			t.Fatalf("SURT(%q) = %q: bad byte at %d", rawurl, key, i)
		}
		if limit := 64 + 8*len(rawurl); len(key) > limit {
			t.Fatalf("SURT of %d bytes has %d bytes, more than %d", len(rawurl), len(key), limit)
		}
		if got, err := SURT(" " + strings.Trim(rawurl, surtSpace) + "#fragment "); err != nil || got != key {
			t.Fatalf("SURT(%q with a fragment) = %q, %v, want %q", rawurl, got, err, key)
		}
		again := surtAddress(key)
		if u, err := surtSplit(strings.NewReplacer("\n", "", "\r", "", "\t", "").Replace(strings.Trim(rawurl, surtSpace))); err != nil ||
			again == "" || strings.Contains(surtUnescape(u.path), "?") { // in the key it would begin a query
			return
		}
		if got, err := SURT(again); err != nil || got != key {
			t.Fatalf("SURT(%q) = %q, %v, want the key it was made from, %q", again, got, err, key)
		}
	})
}

// surtAddress returns an address whose key is key, or "" if key is not plain
// enough to tell.
func surtAddress(key string) string {
	host, rest, _ := strings.Cut(key, ")")
	if !surtPlainKey.MatchString(key) || strings.Contains(rest, "id") || strings.Contains(rest, "/..") {
		return ""
	}
	host, port, _ := strings.Cut(host, ":")
	labels := strings.Split(host, ",")
	slices.Reverse(labels)
	if strings.HasPrefix(labels[0], "www") || strings.HasPrefix(key, "https,") || strings.HasPrefix(key, "http,") {
		return ""
	}
	host = strings.Join(labels, ".")
	if v4, ok := surtIPv4(host); ok && v4 != host {
		return ""
	}
	scheme := "http://"
	if port != "" {
		port = ":" + port
		if port == ":80" {
			scheme = "https://"
		}
	}
	return scheme + host + port + rest
}

func BenchmarkSURT(b *testing.B) {
	for _, bb := range []struct{ name, url string }{
		{"plain", "https://x.com/en/tos"},
		{"query", "https://www.example.org:443/Legal/Terms/?lang=zh-CN&b=2&a=1&utm_source=mail#top"},
		{"escaped", "https://example.org/%E6%9C%8D%E5%8A%A1%E6%9D%A1%E6%AC%BE?q=%E6%9D%A1"},
		{"punycode", "http://例え.jp/規約"},
		{"session", "https://example.org/a.aspx?sid=9682993c8daa2c5497996114facdc805&x=y"},
		{"64 KiB of escapes", "http://x/" + strings.Repeat("%25", 100) + strings.Repeat("25", 32000)},
	} {
		b.Run(bb.name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(bb.url)))
			for b.Loop() {
				if _, err := SURT(bb.url); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
