package demoweb_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/PuerkitoBio/goquery"
	"github.com/google/go-cmp/cmp"

	"github.com/fineprint-archive/fineprint/cmd/fineprint/demoweb"
)

// answer is what a client got. An error of reading the body stands in err.
type answer struct {
	status int
	header http.Header
	coded  []string // transfer codings
	body   []byte
	err    error
}

// start returns a site on loopback at a moment.
func start(t *testing.T, m demoweb.Moment) (*demoweb.Site, *demoweb.Web) {
	t.Helper()
	site := demoweb.New()
	site.Set(m)
	srv, err := site.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := srv.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return site, srv
}

// get asks for an address, follows no redirect and decodes nothing. fields are
// names and values in turn.
func get(t *testing.T, address string, fields ...string) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(fields); i += 2 {
		req.Header.Set(fields[i], fields[i+1])
	}
	return do(t, &http.Transport{DisableCompression: true, DisableKeepAlives: true}, req)
}

func do(t *testing.T, rt *http.Transport, req *http.Request) answer {
	t.Helper()
	defer rt.CloseIdleConnections()
	resp, err := rt.RoundTrip(req)
	if err != nil {
		t.Fatalf("GET %s: %v", req.URL, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return answer{resp.StatusCode, resp.Header, resp.TransferEncoding, body, err}
}

// sentences returns the sentences of a page's main part, one for each heading
// and list item as well.
func sentences(t *testing.T, page []byte, part string) []string {
	t.Helper()
	doc, err := goquery.NewDocumentFromReader(bytes.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	doc.Find(part).Find("h1, h2, p, li").Each(func(_ int, s *goquery.Selection) {
		for _, one := range regexp.MustCompile(`(?:\.\s|。)`).Split(s.Text()+" ", -1) {
			if one = strings.TrimSpace(one); one != "" {
				all = append(all, one)
			}
		}
	})
	if len(all) < 50 {
		t.Fatalf("%s has %d sentences, want the whole terms", part, len(all))
	}
	return all
}

// without returns the elements of a that are not in b.
func without(a, b []string) []string {
	return slices.DeleteFunc(slices.Clone(a), func(s string) bool { return slices.Contains(b, s) })
}

func TestChangeIsOneSentence(t *testing.T) {
	site, srv := start(t, demoweb.Before)
	for _, tt := range []struct{ path, sentence, oldDate, newDate string }{
		{"/en/terms", "You agree that this licence includes the right for us and our partners to use Your Content to train machine learning and artificial intelligence models, whether generative or of another kind, and there is no setting by which you can opt out of this use",
			"Last updated: 29 September 2023", "Last updated: 15 November 2024"},
		{"/zh-cn/terms", "您同意，该许可包括我们和我们的合作伙伴有权使用您的内容训练机器学习和人工智能模型，无论其是生成式还是其他类型，并且没有任何设置可以让您选择退出此项使用",
			"最后更新日期：2023年9月29日", "最后更新日期：2024年11月15日"},
	} {
		site.Set(demoweb.Before)
		v1 := sentences(t, get(t, srv.Base.WWW+tt.path).body, "main")
		site.Set(demoweb.Announced)
		announced := get(t, srv.Base.WWW+tt.path).body
		site.Set(demoweb.After)
		v2 := sentences(t, get(t, srv.Base.WWW+tt.path).body, "main")

		if diff := cmp.Diff([]string{strings.TrimSuffix(tt.newDate, "."), tt.sentence}, trimDots(without(v2, v1))); diff != "" {
			t.Errorf("%s: sentences that came (-want +got):\n%s", tt.path, diff)
		}
		if diff := cmp.Diff([]string{tt.oldDate}, trimDots(without(v1, v2))); diff != "" {
			t.Errorf("%s: sentences that went (-want +got):\n%s", tt.path, diff)
		}
		if len(v2) != len(v1)+1 {
			t.Errorf("%s: %d sentences before, %d after, want one more", tt.path, len(v1), len(v2))
		}
		if diff := cmp.Diff(v2, sentences(t, announced, "#new")); diff != "" {
			t.Errorf("%s: the announced terms are not those that came (-want +got):\n%s", tt.path, diff)
		}
		if diff := cmp.Diff(v1, sentences(t, announced, "#current")); diff != "" {
			t.Errorf("%s: the terms in force are not those that were (-want +got):\n%s", tt.path, diff)
		}
	}
}

func trimDots(all []string) []string {
	for i := range all {
		all[i] = strings.TrimSuffix(all[i], ".")
	}
	return all
}

func TestLengthOfTerms(t *testing.T) {
	_, srv := start(t, demoweb.Before)
	if n := len(strings.Fields(strings.Join(sentences(t, get(t, srv.Base.WWW+"/en/terms").body, "main"), " "))); n < 1200 || n > 1600 {
		t.Errorf("the English terms have %d words", n)
	}
	if n := len([]rune(strings.Join(sentences(t, get(t, srv.Base.WWW+"/zh-cn/terms").body, "main"), ""))); n < 1800 || n > 3000 {
		t.Errorf("the Chinese terms have %d characters", n)
	}
}

// TestAnswers asks for every page at every moment, twice.
func TestAnswers(t *testing.T) {
	site, srv := start(t, demoweb.Before)
	type want struct{ first, second int }
	ok := [3]want{{200, 200}, {200, 200}, {200, 200}}
	moved := [3]want{{301, 301}, {301, 301}, {301, 301}}
	table := []struct {
		path string
		want [3]want
		text string // in the body of each 200
	}{
		{"/robots.txt", ok, "Disallow: /internal/"},
		{"/en/terms", ok, "Your content stays yours"},
		{"/zh-cn/terms", ok, "您的内容归您所有"},
		{"/en/privacy", ok, "Data that you give us"},
		{"/en/community", ok, "Respect the people in the picture"},
		{"/zh-cn/community", [3]want{{200, 200}, {403, 403}, {200, 200}}, "尊重照片中的人"},
		{"/community", moved, ""},
		{"/legal", moved, ""},
		{"/en/copyright", [3]want{{200, 200}, {503, 200}, {200, 200}}, "Copyright Claims"},
		{"/en/developers", ok, "Developer Terms"},
		{"/internal/sellers", ok, "seventy per cent"},
		{"/internal/partners", ok, "Affiliate Agreement"},
		{"/nowhere", [3]want{{404, 404}, {404, 404}, {404, 404}}, ""},
	}
	for _, m := range demoweb.Moments() {
		site.Set(m)
		for _, tt := range table {
			for i, status := range []int{tt.want[m].first, tt.want[m].second} {
				got := get(t, srv.Base.WWW+tt.path)
				if got.status != status {
					t.Errorf("%s, look %d at %s: status %d, want %d", m, i+1, tt.path, got.status, status)
				}
				if got.status == 200 && got.err == nil && !strings.Contains(string(got.body), tt.text) {
					t.Errorf("%s, look %d at %s: no %q in the body", m, i+1, tt.path, tt.text)
				}
				if got.status != 200 && len(got.body) == 0 {
					t.Errorf("%s, look %d at %s: status %d without a body", m, i+1, tt.path, got.status)
				}
			}
		}
	}
}

func TestRedirects(t *testing.T) {
	_, srv := start(t, demoweb.Before)
	for path, target := range map[string]string{"/legal": "/en/terms", "/community": "/en/community"} {
		got := get(t, srv.Base.WWW+path)
		if want := srv.Base.WWW + target; got.header.Get("Location") != want || !strings.Contains(string(got.body), want) {
			t.Errorf("%s: Location %q, body %q, want both to name %s", path, got.header.Get("Location"), got.body, want)
		}
	}
}

func TestChallenges(t *testing.T) {
	site, srv := start(t, demoweb.Announced)
	for _, tt := range []struct {
		path, lang string
		status     int
		challenged bool
	}{
		{"/zh-cn/community", "zh-CN,zh;q=0.9", 403, true},
		{"/cookies", "en", 200, true},
		{"/cookies", "zh-CN,zh;q=0.9", 200, false},
	} {
		got := get(t, srv.Base.WWW+tt.path, "Accept-Language", tt.lang)
		if got.status != tt.status || strings.Contains(string(got.body), "<title>Just a moment...</title>") != tt.challenged {
			t.Errorf("%s in %s: status %d, challenge %t expected, body %.200q", tt.path, tt.lang, got.status, tt.challenged, got.body)
		}
	}
	site.Set(demoweb.After)
	if got := get(t, srv.Base.WWW+"/cookies", "Accept-Language", "en"); !strings.Contains(string(got.body), "Plumvane Cookie Notice") {
		t.Errorf("after the challenge: %.200q", got.body)
	}
}

func TestUnavailableOnce(t *testing.T) {
	_, srv := start(t, demoweb.Announced)
	first, second := get(t, srv.Base.WWW+"/en/copyright"), get(t, srv.Base.WWW+"/en/copyright")
	if first.status != 503 || first.header.Get("Retry-After") != "1" {
		t.Errorf("first: status %d, Retry-After %q, want 503 and 1", first.status, first.header.Get("Retry-After"))
	}
	if second.status != 200 || second.header.Get("Retry-After") != "" {
		t.Errorf("second: status %d, Retry-After %q, want 200 without", second.status, second.header.Get("Retry-After"))
	}
}

func TestCutOnce(t *testing.T) {
	_, srv := start(t, demoweb.After)
	first := get(t, srv.Base.WWW+"/en/developers", "Accept-Encoding", "gzip")
	if !errors.Is(first.err, io.ErrUnexpectedEOF) || len(first.body) == 0 {
		t.Errorf("first: %d bytes, error %v, want some bytes and an unexpected end", len(first.body), first.err)
	}
	second := get(t, srv.Base.WWW+"/en/developers", "Accept-Encoding", "gzip")
	if second.err != nil || !bytes.HasPrefix(second.body, first.body) || len(second.body) <= len(first.body) {
		t.Errorf("second: %d bytes, error %v, want the %d bytes of the first and more", len(second.body), second.err, len(first.body))
	}
}

func TestCodings(t *testing.T) {
	_, srv := start(t, demoweb.Before)
	for _, path := range []string{"/en/terms", "/zh-cn/terms", "/zh-cn/privacy"} {
		plain := get(t, srv.Base.WWW+path)
		for _, refused := range []string{"br", "gzip;q=0", "identity"} {
			if got := get(t, srv.Base.WWW+path, "Accept-Encoding", refused); got.header.Get("Content-Encoding") != "" || !bytes.Equal(got.body, plain.body) {
				t.Errorf("%s with Accept-Encoding %q: coded %q", path, refused, got.header.Get("Content-Encoding"))
			}
		}
		packed := get(t, srv.Base.WWW+path, "Accept-Encoding", "br, gzip;q=0.8")
		if packed.header.Get("Content-Encoding") != "gzip" {
			t.Fatalf("%s: Content-Encoding %q, want gzip", path, packed.header.Get("Content-Encoding"))
		}
		z, err := gzip.NewReader(bytes.NewReader(packed.body))
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		if got, err := io.ReadAll(z); err != nil || !bytes.Equal(got, plain.body) {
			t.Errorf("%s: unpacked %d bytes, error %v, want the %d of the plain answer", path, len(got), err, len(plain.body))
		}
		if chunked := slices.Equal(plain.coded, []string{"chunked"}); chunked != (path == "/zh-cn/terms") {
			t.Errorf("%s: transfer codings %v", path, plain.coded)
		}
	}
}

func TestEntityTag(t *testing.T) {
	_, srv := start(t, demoweb.Before)
	first := get(t, srv.Base.WWW+"/en/privacy")
	tag := first.header.Get("ETag")
	if tag == "" {
		t.Fatal("no ETag")
	}
	if got := get(t, srv.Base.WWW+"/en/privacy", "If-None-Match", tag); got.status != 304 || len(got.body) != 0 || got.header.Get("ETag") != tag {
		t.Errorf("with its tag: status %d, %d bytes, ETag %q", got.status, len(got.body), got.header.Get("ETag"))
	}
	if got := get(t, srv.Base.WWW+"/en/privacy", "If-None-Match", `W/"other"`); got.status != 200 {
		t.Errorf("with another tag: status %d", got.status)
	}
}

// TestByName reaches the site as a proxy: no address of the machine is in it.
func TestByName(t *testing.T) {
	_, srv := start(t, demoweb.Before)
	proxy, err := url.Parse(srv.Base.WWW)
	if err != nil {
		t.Fatal(err)
	}
	for address, status := range map[string]int{
		"http://" + demoweb.WWW + "/en/terms":         200,
		"http://" + demoweb.Static + "/css/legal.css": 200,
		"http://" + demoweb.Static + "/en/terms":      404,
		"http://www.example.org/en/terms":             421,
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
		if err != nil {
			t.Fatal(err)
		}
		got := do(t, &http.Transport{DisableCompression: true, DisableKeepAlives: true, Proxy: http.ProxyURL(proxy)}, req)
		if got.status != status {
			t.Errorf("%s: status %d, want %d", address, got.status, status)
		}
	}
}
