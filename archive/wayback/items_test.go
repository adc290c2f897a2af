package wayback

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fineprint-archive/fineprint/archive/wayback/waybacktest"
)

// itemsLab is a client and a stand-in with the keys of the tests.
func itemsLab(t *testing.T) (*Items, *waybacktest.Items) {
	t.Helper()
	server, address := waybacktest.StartItems(t, waybacktest.ItemsConfig{Access: testAccess, Secret: testSecret})
	c, err := NewItems(ItemsConfig{S3URL: address, ArchiveURL: address, Keys: Keys{testAccess, testSecret}, UserAgent: testAgent, Stall: 5 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	return c, server
}

// fileOf is a file with these bytes.
func fileOf(name string, data []byte) ItemFile {
	sum := md5.Sum(data)
	return ItemFile{Item: "example-2026-11", Name: name, Size: int64(len(data)), MD5: hex.EncodeToString(sum[:]),
		Open: func(context.Context) (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil },
		Meta: []MetaField{{"mediatype", "web"}, {"collection", "opensource"}, {"subject", "one"}, {"subject", "two"}, {"creator", "条款 Archive"}, {"external_note", "uri(x)"}},
	}
}

// upload asks for the limit and puts a file.
func upload(t *testing.T, c *Items, f ItemFile) error {
	t.Helper()
	if limit, err := c.CheckLimit(t.Context(), f.Item); err != nil || limit.Over {
		t.Fatalf("CheckLimit = %+v, %v", limit, err)
	}
	return c.Put(t.Context(), f)
}

// noBreach wants a client without fault.
func noBreach(t *testing.T, s *waybacktest.Items) {
	t.Helper()
	if diff := cmp.Diff(map[string]int{}, s.Breaches()); diff != "" {
		t.Errorf("breaches (-want +got):\n%s", diff)
	}
}

func TestItemsPut(t *testing.T) {
	t.Parallel()
	c, server := itemsLab(t)
	if m, err := c.Metadata(t.Context(), "example-2026-11"); err != nil || m.Exists {
		t.Errorf("Metadata of no item = %+v, %v", m, err)
	}
	var told []int64
	f := fileOf("a.warc.gz", bytes.Repeat([]byte("legal page "), 100_000))
	f.Progress = func(n int64) { told = append(told, n) }
	f.ItemSize = 5 << 30
	server.Inject(waybacktest.ItemsFault{Kind: waybacktest.ItemsRedirect})
	if err := upload(t, c, f); err != nil {
		t.Fatal(err)
	}
	if err := upload(t, c, fileOf("empty.cdxj", nil)); err != nil {
		t.Fatal(err)
	}
	m, err := c.Metadata(t.Context(), f.Item)
	want := ItemMetadata{Exists: true, MediaType: "web", Collection: []string{"opensource"}, Uploader: "operator@example.org",
		Files: map[string]StoredFile{"a.warc.gz": {f.Size, f.MD5}, "empty.cdxj": {0, "d41d8cd98f00b204e9800998ecf8427e"}}}
	if diff := cmp.Diff(want, m); err != nil || diff != "" {
		t.Errorf("Metadata = %v (-want +got):\n%s", err, diff)
	}
	wantMeta := map[string][]string{"mediatype": {"web"}, "collection": {"opensource"}, "subject": {"one", "two"},
		"creator": {"条款 Archive"}, "external_note": {"uri(x)"}}
	if diff := cmp.Diff(wantMeta, server.Meta(f.Item)); diff != "" {
		t.Errorf("metadata as sent (-want +got):\n%s", diff)
	}
	h := server.Puts()[0].Header
	for key, value := range map[string]string{"X-Archive-Queue-Derive": "0", "X-Archive-Keep-Old-Version": "1", "X-Archive-Size-Hint": "5368709120", "X-Archive-Auto-Make-Bucket": "1"} {
		if h.Get(key) != value {
			t.Errorf("header %s = %q, want %q", key, h.Get(key), value)
		}
	}
	if !slices.IsSorted(told) || len(told) < 2 || told[len(told)-1] != f.Size {
		t.Errorf("progress %v, want growing to %d", told, f.Size)
	}
	noBreach(t, server)
}

func TestItemsFaults(t *testing.T) {
	t.Parallel()
	data := bytes.Repeat([]byte("0123456789abcdef"), 100_000)
	for _, test := range []struct {
		kind    waybacktest.ItemsKind
		class   ItemClass
		passing bool
	}{
		{waybacktest.ItemsSlowDown, ItemSlowDown, true},
		{waybacktest.ItemsSpam, ItemSpam, false},
		{waybacktest.ItemsForbidden, ItemForbidden, false},
		{waybacktest.ItemsBadKeys, ItemKeys, false},
		{waybacktest.ItemsBadBucket, ItemBad, false},
		{waybacktest.ItemsNotFound, ItemNotFound, true},
		{waybacktest.ItemsElsewhere, ItemOutage, true},
		{waybacktest.ItemsHTML, ItemOutage, true},
		{waybacktest.ItemsReset, ItemLost, true},
		{waybacktest.ItemsStall, ItemLost, true},
		{waybacktest.ItemsLost, ItemLost, true},
		{waybacktest.ItemsBadDigest, ItemBadDigest, true},
	} {
		t.Run(string(test.kind), func(t *testing.T) {
			t.Parallel()
			c, server := itemsLab(t)
			if test.kind == waybacktest.ItemsStall {
				c.stall = 50 * time.Millisecond
			}
			server.Inject(waybacktest.ItemsFault{Kind: test.kind, After: 300_000})
			err := upload(t, c, fileOf("a.warc.gz", data))
			fault, ok := errors.AsType[*ItemError](err)
			if !ok || fault.Class != test.class || fault.Class.Passing() != test.passing || fault.Class.Meaning() == "" {
				t.Fatalf("Put = %v, want class %s, passing %v", err, test.class, test.passing)
			}
			if strings.Contains(err.Error(), testSecret) || strings.Contains(err.Error(), testAccess) {
				t.Errorf("the error shows a key: %v", err)
			}
			noBreach(t, server)
		})
	}
}

// A body that is not what was announced never becomes an object; an error of
// the store is told as such.
func TestItemsBody(t *testing.T) {
	t.Parallel()
	data := bytes.Repeat([]byte("x"), 1<<20)
	broken := errors.New("disk is gone")
	for name, body := range map[string]io.Reader{
		"short":   bytes.NewReader(data[:1<<19]),
		"altered": io.MultiReader(bytes.NewReader(data[1:]), strings.NewReader("y")),
		"broken":  io.MultiReader(bytes.NewReader(data[:1<<19]), errReader{broken}),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, server := itemsLab(t)
			f := fileOf("a.warc.gz", data)
			f.Open = func(context.Context) (io.ReadCloser, error) { return io.NopCloser(body), nil }
			err := upload(t, c, f)
			fault, _ := errors.AsType[*ItemError](err)
			if name == "broken" && (fault != nil || !errors.Is(err, broken)) || name != "broken" && (fault == nil || fault.Class != ItemChanged) {
				t.Errorf("Put = %v", err)
			}
			if len(server.Puts()) != 0 {
				t.Errorf("stored %v", server.Puts())
			}
		})
	}
}

type errReader struct{ err error }

func (r errReader) Read([]byte) (int, error) { return 0, r.err }

func TestItemsCancel(t *testing.T) {
	t.Parallel()
	c, _ := itemsLab(t)
	ctx, cancel := context.WithCancel(t.Context())
	f := fileOf("a.warc.gz", make([]byte, 8<<20))
	f.Progress = func(n int64) { cancel() }
	if err := c.Put(ctx, f); !errors.Is(err, context.Canceled) {
		t.Errorf("Put = %v, want context.Canceled", err)
	}
	if _, err := c.Metadata(ctx, f.Item); !errors.Is(err, context.Canceled) {
		t.Errorf("Metadata = %v, want context.Canceled", err)
	}
}

// A transport that reads on after the end of its request, as http.Transport may for
// milliseconds, does not get the rest of a stopped PUT.
func TestItemsCancelLate(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	var sent int64
	greedy := roundTripper(func(r *http.Request) (*http.Response, error) {
		if r.Method != http.MethodPut {
			return nil, errors.New("no question is expected")
		}
		n, err := io.Copy(io.Discard, r.Body)
		sent = n
		if err != nil {
			return nil, err
		}
		return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody, Header: http.Header{}, Request: r}, nil
	})
	c, err := NewItems(ItemsConfig{Keys: Keys{testAccess, testSecret}, UserAgent: testAgent, Transport: greedy})
	if err != nil {
		t.Fatal(err)
	}
	f := fileOf("a.warc.gz", make([]byte, 1<<20))
	f.Progress = func(n int64) {
		if n >= f.Size/2 {
			cancel()
		}
	}
	if err := c.Put(ctx, f); !errors.Is(err, context.Canceled) {
		t.Errorf("Put = %v, want context.Canceled", err)
	}
	if sent >= f.Size {
		t.Errorf("all %d bytes were sent after the PUT was stopped at half of them", sent)
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// zeros is a file of n zero bytes that takes no memory.
type zeros struct{ n int64 }

func (z *zeros) Read(p []byte) (int, error) {
	if z.n == 0 {
		return 0, io.EOF
	}
	p = p[:min(int64(len(p)), z.n)]
	clear(p)
	z.n -= int64(len(p))
	return len(p), nil
}

// A file of a gigabyte (64 MiB unless FINEPRINT_TEST_LONG is set) goes through with
// a heap that does not grow with it.
func TestItemsMemory(t *testing.T) {
	size := int64(64 << 20)
	if os.Getenv("FINEPRINT_TEST_LONG") != "" {
		size = 1 << 30
	}
	sum := md5.New()
	if _, err := io.Copy(sum, &zeros{size}); err != nil {
		t.Fatal(err)
	}
	c, server := itemsLab(t)
	runtime.GC()
	var before, now runtime.MemStats
	runtime.ReadMemStats(&before)
	var most uint64
	mark := size / 16
	f := ItemFile{Item: "example-2026-11", Name: "big.warc.gz", Size: size, MD5: hex.EncodeToString(sum.Sum(nil)),
		Open: func(context.Context) (io.ReadCloser, error) { return io.NopCloser(&zeros{size}), nil },
		Progress: func(sent int64) {
			if sent >= mark {
				mark += size / 16
				runtime.ReadMemStats(&now)
				most = max(most, now.HeapAlloc)
			}
		}}
	start := time.Now()
	if err := upload(t, c, f); err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&now)
	grown := int64(most) - int64(before.HeapAlloc)
	t.Logf("%d MiB in %.1f s, heap grew by %d KiB at most, %d KiB allocated in all, client and service",
		size>>20, time.Since(start).Seconds(), grown>>10, (now.TotalAlloc-before.TotalAlloc)>>10)
	if grown > 8<<20 || now.TotalAlloc-before.TotalAlloc > 16<<20 {
		t.Errorf("heap grew by %d bytes, %d were allocated", grown, now.TotalAlloc-before.TotalAlloc)
	}
	if puts := server.Puts(); len(puts) != 1 || puts[0].Size != size || puts[0].MD5 != f.MD5 {
		t.Errorf("stored %+v", puts)
	}
}

func TestItemsLimit(t *testing.T) {
	t.Parallel()
	c, server := itemsLab(t)
	server.Inject(waybacktest.ItemsFault{Kind: waybacktest.ItemsOverLimit})
	got, err := c.CheckLimit(t.Context(), "example-2026-11")
	want := ItemLimit{Over: true, AccountTasks: 3, AccountRation: 75, ItemTasks: 1, ItemRation: 25}
	if got != want || err != nil {
		t.Errorf("CheckLimit = %+v, %v, want %+v", got, err, want)
	}
	c.s3 = "http://127.0.0.1:1" // nobody there: the address with the key is not told
	if _, err := c.CheckLimit(t.Context(), "example-2026-11"); err == nil || strings.Contains(err.Error(), testAccess) {
		t.Errorf("CheckLimit of no service = %v", err)
	}
	server.Inject(waybacktest.ItemsFault{Kind: waybacktest.ItemsDown})
	if _, err := c.Metadata(t.Context(), "example-2026-11"); err == nil {
		t.Error("a page of HTML was taken for metadata")
	}
}

// Keys go to archive.org alone.
func TestItemsRedirectHosts(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		s3, to string
		follow bool
	}{
		{"https://s3.us.archive.org", "https://ia600001.s3dns.us.archive.org/item/a", true},
		{"https://s3.us.archive.org", "/item/b", true},
		{"https://s3.us.archive.org", "http://ia600001.us.archive.org/item/a", false},
		{"https://s3.us.archive.org", "https://us.archive.org.example.com/item/a", false},
		{"https://s3.us.archive.org", "https://evilus.archive.org/item/a", false},
		{"https://s3.us.archive.org", "https://u:p@ia600001.us.archive.org/item/a", false},
		{"https://s3.us.archive.org", "https://127.0.0.1/item/a", false},
		{"https://s3.us.archive.org", "", false},
		{"http://127.0.0.1:9", "http://127.0.0.1:10/item/a", true},
		{"http://127.0.0.1:9", "http://localhost:9/item/a", false},
		{"http://127.0.0.1:9", "ftp://127.0.0.1:9/item/a", false},
	} {
		c, err := NewItems(ItemsConfig{S3URL: test.s3, Keys: Keys{testAccess, testSecret}, UserAgent: testAgent})
		if err != nil {
			t.Fatal(err)
		}
		next, err := c.follow("put a", test.s3+"/item/a", &http.Response{StatusCode: 307, Header: http.Header{"Location": {test.to}}})
		if (err == nil) != test.follow {
			t.Errorf("redirect of %s to %q: %q, %v, want followed %v", test.s3, test.to, next, err, test.follow)
		}
	}
}

func TestItemName(t *testing.T) {
	t.Parallel()
	month := time.Date(2026, 11, 30, 23, 0, 0, 0, time.FixedZone("", -3*3600)) // December in UTC
	for _, test := range []struct {
		prefix string
		test   bool
		want   string
	}{
		{"example.org-terms", false, "example.org-terms-2026-12"},
		{"example", true, "example-test-2026-12"},
		{"", false, ""},
		{"-x", false, ""},
		{"with space", false, ""},
		{"条款", false, ""},
		{strings.Repeat("x", 93), false, ""},
		{"example-test", false, ""},
	} {
		got, err := ItemName(test.prefix, month, test.test)
		if (err == nil) != (test.want != "") || err == nil && got != test.want {
			t.Errorf("ItemName(%q, %v) = %q, %v, want %q", test.prefix, test.test, got, err, test.want)
		}
		if err != nil && !strings.Contains(err.Error(), "wayback.item") {
			t.Errorf("the error does not name the setting: %v", err)
		}
	}
}

func TestNewItems(t *testing.T) {
	t.Parallel()
	for name, cfg := range map[string]ItemsConfig{
		"no keys":   {UserAgent: testAgent},
		"no agent":  {Keys: Keys{testAccess, testSecret}},
		"s3_url":    {Keys: Keys{testAccess, testSecret}, UserAgent: testAgent, S3URL: "s3.us.archive.org"},
		"user info": {Keys: Keys{testAccess, testSecret}, UserAgent: testAgent, ArchiveURL: "https://a:secretpw@archive.org"},
	} {
		if _, err := NewItems(cfg); err == nil || strings.Contains(err.Error(), "secretpw") {
			t.Errorf("%s: NewItems = %v, want an error", name, err)
		}
	}
}

func FuzzItemMetadata(f *testing.F) {
	f.Add([]byte(`{}`))
	f.Add([]byte(`{"files":[{"name":"a.warc.gz","size":"12","md5":"AB"},{"name":"b","size":7}],"metadata":{"mediatype":"web","collection":["a","b"]}}`))
	f.Add([]byte(`{"is_dark":true,"metadata":{"collection":"a"}}`))
	f.Add([]byte(`{"error":"not now"}`))
	f.Add([]byte(`{"files":[{"name":"a","size":"1e3"}],"metadata":null}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		m, err := parseItemMetadata(body)
		if err != nil && m.Exists {
			t.Errorf("an error, and an item: %v", err)
		}
		for name, file := range m.Files {
			if name == "" || file.Size < -1 || file.MD5 != strings.ToLower(file.MD5) {
				t.Errorf("file %q: %+v", name, file)
			}
		}
	})
}

func FuzzItemLimit(f *testing.F) {
	f.Add([]byte(`{"over_limit":0,"detail":{"accesskey_tasks_queued":"3"}}`))
	f.Add([]byte(`{"over_limit":1,"detail":null,"limit_reason":"queue"}`))
	f.Add([]byte(`{"over_limit":true}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		l, ok := parseItemLimit(body)
		if min(l.AccountTasks, l.AccountRation, l.ItemTasks, l.ItemRation) < -1 || !ok && l != (ItemLimit{}) {
			t.Errorf("parseItemLimit = %+v, %v", l, ok)
		}
	})
}

func FuzzItemError(f *testing.F) {
	f.Add(503, []byte(`<?xml version='1.0'?><Error><Code>SlowDown</Code><Message>Your upload appears to be spam</Message></Error>`))
	f.Add(403, []byte(`<Error><Code>InvalidAccessKeyId</Code></Error>`))
	f.Add(502, []byte(`<html>`))
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		code, message := parseErrorXML(body)
		if len([]rune(code)) > maxCode+1 || len([]rune(message)) > maxMessage+1 || strings.ContainsAny(code+message, "\n\x00\x1b") {
			t.Errorf("parseErrorXML = %q, %q", code, message)
		}
		class := itemClass(status, code, body)
		if class.Meaning() == "" || class.Passing() && bytes.Contains(body, []byte("appears to be spam")) {
			t.Errorf("class %q of %q", class, body)
		}
	})
}

func FuzzMetaValue(f *testing.F) {
	f.Add("plain text")
	f.Add("uri(x)")
	f.Add(" 条款\r\nX-Evil: 1")
	f.Fuzz(func(t *testing.T, s string) {
		got := metaValue(s)
		if strings.ContainsFunc(got, func(r rune) bool { return r < ' ' || r > '~' }) {
			t.Errorf("metaValue(%q) = %q, which no header can carry", s, got)
		}
		if inner, ok := strings.CutPrefix(got, "uri("); ok {
			back, err := hexUnescape(strings.TrimSuffix(inner, ")"))
			if err != nil || back != s {
				t.Errorf("metaValue(%q) = %q, which says %q", s, got, back)
			}
		} else if got != s {
			t.Errorf("metaValue(%q) = %q", s, got)
		}
	})
}

// hexUnescape undoes percent-encoding.
func hexUnescape(s string) (string, error) {
	var b []byte
	for i := 0; i < len(s); i++ {
		if s[i] != '%' {
			b = append(b, s[i])
			continue
		}
		c, err := hex.DecodeString(s[i+1 : i+3])
		if err != nil {
			return "", err
		}
		b = append(b, c...)
		i += 2
	}
	return string(b), nil
}
