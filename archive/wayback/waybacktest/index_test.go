package waybacktest

import (
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestURLKey(t *testing.T) {
	tests := []struct{ address, want string }{
		{"https://X.example/Terms/?b=2&A=1#x", "example,x)/terms?a=1&b=2"},
		{"http://www.x.example:80", "example,x)/"},
		{"https://www2.x.example:443/", "example,x)/"},
		{"x.example/terms", "example,x)/terms"},
		{"https:/x.example/terms", "example,x)/terms"},
		{"http://x.example:8080/a", "example,x:8080)/a"},
		{"http://127.0.0.1:4000/terms", "127.0.0.1:4000)/terms"},
		{"https://wwwx.example/", "example,wwwx)/"},
		{"https://例え.example/規約?b=شر", "example,例え)/%e8%a6%8f%e7%b4%84?b=%d8%b4%d8%b1"},
		{"https://%E4%BE%8B%E3%81%88.example/%E8%A6%8F%E7%B4%84?b=%D8%B4%D8%B1", "example,例え)/%e8%a6%8f%e7%b4%84?b=%d8%b4%d8%b1"},
	}
	for _, tt := range tests {
		if got := URLKey(tt.address); got != tt.want {
			t.Errorf("URLKey(%q) = %q, want %q", tt.address, got, tt.want)
		}
	}
}

// shelf is a history with everything that the index has to tell apart.
func shelf() *Server {
	s := New(Config{})
	s.AddCapture(
		Capture{URL: terms, Timestamp: "20200101000000", Body: []byte("a")},
		Capture{URL: "http://www.x.example:80/terms", Timestamp: "20200301000000", Body: []byte("a")},
		Capture{URL: terms, Timestamp: "20200301000000", Body: []byte("b"), Status: 404},
		Capture{URL: terms, Timestamp: "20210101000000", Body: []byte("a"), Revisit: true},
		Capture{URL: terms, Timestamp: "20210102000000", Body: []byte("a"), MIME: "application/pdf"},
		Capture{URL: terms, Timestamp: "20220101000000", Digest: "sha-256:beef", Body: []byte("c")},
		Capture{URL: "https://x.example/terms/old", Timestamp: "20200101000000", Body: []byte("d")},
		Capture{URL: "https://sub.x.example/", Timestamp: "20200101000000", Body: []byte("e")},
		Capture{URL: "https://x.example.other/", Timestamp: "20200101000000"},
	)
	return s
}

func TestIndex(t *testing.T) {
	// printf a | openssl sha1 -binary | base32
	if got, want := digest([]byte("a")), "Q336IN72UWT7ZYK5DXOLT2XK5I3XMZ5Y"; got != want {
		t.Fatalf("digest = %s, want %s", got, want)
	}
	tests := []struct {
		name  string
		query []string
		want  []string // timestamps
	}{
		{"all, also of other addresses with the key", nil, []string{"20200101000000", "20200301000000", "20200301000000", "20210101000000", "20210102000000", "20220101000000"}},
		{"from and to are inclusive prefixes", []string{"from=2021", "to=202101"}, []string{"20210101000000", "20210102000000"}},
		{"whole moments", []string{"from=20200301000000", "to=20210101000000"}, []string{"20200301000000", "20200301000000", "20210101000000"}},
		{"filter", []string{"filter=statuscode:200"}, []string{"20200101000000", "20200301000000", "20210102000000", "20220101000000"}},
		{"filter matches the whole field", []string{"filter=statuscode:20"}, nil},
		{"filters are joined", []string{"filter=!statuscode:404", "filter=!mimetype:warc/revisit", "filter=original:https.*"}, []string{"20200101000000", "20210102000000", "20220101000000"}},
		{"collapse neighbours only", []string{"collapse=digest"}, []string{"20200101000000", "20200301000000", "20210101000000", "20220101000000"}},
		{"collapse a part", []string{"collapse=timestamp:4"}, []string{"20200101000000", "20210101000000", "20220101000000"}},
		{"first", []string{"limit=2"}, []string{"20200101000000", "20200301000000"}},
		{"last", []string{"limit=-2"}, []string{"20210102000000", "20220101000000"}},
		{"offset", []string{"offset=4", "limit=1"}, []string{"20210102000000"}},
		{"offset beyond", []string{"offset=40"}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			text := query(t, shelf(), "x.example/terms/", append(tt.query, "fl=timestamp")...)
			if got := strings.Fields(text); strings.Join(got, " ") != strings.Join(tt.want, " ") {
				t.Errorf("timestamps = %v, want %v", got, tt.want)
			}
		})
	}
	t.Run("rows", func(t *testing.T) {
		var rows [][]string
		text := query(t, shelf(), terms, "output=json", "fl=original,mimetype,statuscode,digest")
		if err := json.Unmarshal([]byte(text), &rows); err != nil {
			t.Fatal(err)
		}
		want := [][]string{{"original", "mimetype", "statuscode", "digest"},
			{terms, "text/html", "200", digest([]byte("a"))},
			{"http://www.x.example:80/terms", "text/html", "200", digest([]byte("a"))},
			{terms, "text/html", "404", digest([]byte("b"))},
			{terms, "warc/revisit", "-", digest([]byte("a"))},
			{terms, "application/pdf", "200", digest([]byte("a"))},
			{terms, "text/html", "200", "sha-256:beef"}}
		if diff := cmp.Diff(want, rows); diff != "" {
			t.Errorf("rows (-want +got):\n%s", diff)
		}
	})
	t.Run("line", func(t *testing.T) {
		want := "example,x)/terms 20200101000000 https://x.example/terms text/html 200 " + digest([]byte("a")) + " 400\n"
		if got := query(t, shelf(), terms, "limit=1"); got != want {
			t.Errorf("line = %q, want %q", got, want)
		}
	})
	t.Run("nothing", func(t *testing.T) {
		if got := query(t, shelf(), "https://y.example/", "output=json"); got != "[]\n" {
			t.Errorf("JSON of no rows = %q", got)
		}
	})
}

func TestIndexMatchType(t *testing.T) {
	tests := []struct {
		address, matchType string
		want               int
	}{
		{"https://x.example/terms", "exact", 6}, {"https://x.example/terms", "prefix", 7}, {"x.example/terms*", "", 7},
		{"x.example", "host", 7}, {"x.example", "domain", 8}, {"*.x.example", "", 8},
	}
	for _, tt := range tests {
		text := query(t, shelf(), tt.address, "fl=urlkey", "matchType="+tt.matchType)
		if got := len(strings.Fields(text)); got != tt.want {
			t.Errorf("rows of %s %s = %d, want %d", tt.matchType, tt.address, got, tt.want)
		}
	}
}

// TestIndexPages: pages that are resumed show every row, one of them twice at
// each joint, whether the key is escaped again or not.
func TestIndexPages(t *testing.T) {
	for _, again := range []bool{true, false} {
		s := New(Config{IndexPerMinute: 1000})
		history(s, 25, 5)
		seen, total, key := map[string]bool{}, 0, ""
		pages := 0
		for {
			pages++
			target := "/cdx/search/cdx?output=json&fl=timestamp&limit=10&showResumeKey=true&url=" + url.QueryEscape(terms)
			if key != "" && again {
				target += "&resumeKey=" + url.QueryEscape(key)
			} else if key != "" {
				target += "&resumeKey=" + key
			}
			var rows [][]string
			if err := json.Unmarshal([]byte(bodyOf(t, get(s, "GET", target))), &rows); err != nil {
				t.Fatal(err)
			}
			rows, key = rows[1:], ""
			if n := len(rows); n > 2 && len(rows[n-2]) == 0 {
				rows, key = rows[:n-2], rows[n-1][0]
			}
			for _, row := range rows {
				seen[row[0]] = true
				total++
			}
			if key == "" {
				break
			}
		}
		if len(seen) != 25 || pages != 3 || total != 27 {
			t.Errorf("%d rows, %d distinct, on %d pages; want 27, 25 on 3", total, len(seen), pages)
		}
		if b := s.Breaches(); len(b) != 0 {
			t.Errorf("breaches = %v", b)
		}
	}
	t.Run("cap", func(t *testing.T) {
		s := New(Config{IndexCap: 7})
		history(s, 8, 8)
		if text := query(t, s, terms, "showResumeKey=true"); !strings.HasSuffix(text, "\n\nexample%2Cx%29%2Fterms+20200107120000%21\n") {
			t.Errorf("answer = %q, want a key behind a blank line", text)
		}
		history := New(Config{IndexCap: 7})
		history.AddCapture(Capture{URL: terms, Timestamp: "20200101000000"})
		if text := query(t, history, terms, "showResumeKey=true"); strings.Count(text, "\n") != 1 {
			t.Errorf("answer = %q, want no key", text)
		}
	})
}

func TestIndexGzip(t *testing.T) {
	for _, tt := range []struct {
		accept, param string
		want          bool
	}{{"gzip", "", true}, {"deflate, gzip;q=0.5", "", true}, {"gzip;q=0", "", false}, {"", "", false}, {"gzip", "&gzip=false", false}} {
		resp := get(shelf(), "GET", "/cdx/search/cdx?limit=1&url=x.example/terms"+tt.param, "Accept-Encoding: "+tt.accept)
		body := bodyOf(t, resp)
		if got := resp.Header.Get("Content-Encoding") == "gzip"; got != tt.want {
			t.Errorf("gzip with %q%s = %v, want %v", tt.accept, tt.param, got, tt.want)
		} else if got {
			body = string(unzip([]byte(body)))
		}
		if !strings.HasPrefix(body, "example,x)/terms 2020") {
			t.Errorf("body = %q", body)
		}
	}
}

func TestIndexBadQuery(t *testing.T) {
	for _, q := range []string{"", "url=", "url=x&limit=a", "url=x&offset=-", "url=x&filter=digest:("} {
		if resp := get(shelf(), "GET", "/cdx/search/cdx?"+q); resp.StatusCode != 400 {
			t.Errorf("?%s: %d, want 400", q, resp.StatusCode)
		}
	}
}

// FuzzServer: whatever is asked, the answer is whole, and no row is wider than
// asked for.
func FuzzServer(f *testing.F) {
	for _, target := range []string{"/cdx/search/cdx?url=x.example/terms*&output=json&fl=digest,length&collapse=timestamp:3&limit=-2",
		"/cdx/search/cdx?url=*.x.example&resumeKey=example%252Cx%29%2F+2020%21&limit=2&showResumeKey=true&output=json&from=9&to=",
		"/web/2020id_/https://x.example/terms", "/web/20200101000000id_/https://x.example/terms?a=%zz", "/web/timemap/json/x.example/terms",
		"/web/timemap/link", "/web//", "/web/x.example/terms", "/web/20200101000000if_/http:/x.example/terms",
		"/wayback/available?url=x.example/terms&timestamp=zz", "/save/status/x"} {
		f.Add("GET", target, "bytes=0-1")
	}
	f.Add("HEAD", "/web/20200101000000id_/https://x.example/terms", "bytes=9-")
	s := shelf()
	f.Fuzz(func(t *testing.T, method, target, value string) {
		u, err := url.ParseRequestURI(target)
		if err != nil || method != "GET" && method != "HEAD" {
			return
		}
		r := httptest.NewRequest(method, "/", nil)
		r.URL, r.RequestURI = u, target
		r.Header.Set("Range", value)
		r.Header.Set("Accept-Datetime", value)
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		resp := w.Result()
		if n := resp.Header.Get("Content-Length"); method == "GET" && n != "" && n != fmt.Sprint(w.Body.Len()) {
			t.Fatalf("%s: Content-Length %s of %d bytes", target, n, w.Body.Len())
		}
		if u.Path == "/cdx/search/cdx" && u.Query().Get("output") == "json" && resp.StatusCode == 200 {
			var rows [][]string
			if err := json.Unmarshal(w.Body.Bytes(), &rows); method == "GET" && err != nil {
				t.Fatalf("%s: %v", target, err)
			}
		}
	})
}
