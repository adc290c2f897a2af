package waybacktest

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// origin is a page in each coding.
func origin(address string) Page {
	p := Page{Header: http.Header{"Content-Type": {"text/html"}, "X-Powered-By": {"hands"}}, Body: []byte(words("of " + address))}
	if strings.Contains(address, "gzip") {
		p.Header.Set("Content-Encoding", "gzip")
		p.Body = zip(p.Body)
	}
	p.Chunked = strings.Contains(address, "chunked")
	return p
}

// TestReplayCodings: over a socket, a replay has the content coding and the
// transfer coding of the page, and its SHA-1 is the digest of the index.
func TestReplayCodings(t *testing.T) {
	for _, tt := range []struct {
		name       string
		gzipReplay bool
		coding     string // of the answer
		chunked    bool
	}{
		{"identity", false, "", false}, {"gzip", false, "gzip", false}, {"chunked", false, "", true}, {"chunked-gzip", false, "gzip", true},
		{"identity", true, "gzip", true}, {"gzip", true, "gzip", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s, base := Start(t, Config{TimeScale: 1e6, FetchPage: origin, GzipReplay: tt.gzipReplay})
			address := "https://x.example/" + tt.name
			save(s, address)
			c := waitCapture(t, s)
			req, err := http.NewRequestWithContext(t.Context(), "GET", base+raw(c.Timestamp, address), nil)
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Accept-Encoding", "gzip")
			req.Header.Set("User-Agent", "test")
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			body, err := io.ReadAll(resp.Body)
			if err != nil || resp.StatusCode != 200 {
				t.Fatalf("GET: %d, %v", resp.StatusCode, err)
			}
			if resp.Header.Get("Content-Encoding") != tt.coding || (len(resp.TransferEncoding) > 0) != tt.chunked || (resp.ContentLength < 0) != tt.chunked {
				t.Errorf("coding %q, transfer %v, length %d; want %q, chunked %v", resp.Header.Get("Content-Encoding"),
					resp.TransferEncoding, resp.ContentLength, tt.coding, tt.chunked)
			}
			stored := body
			if tt.gzipReplay && tt.name == "identity" {
				stored = unzip(body)
			}
			if got := digest(stored); got != c.Digest || !bytes.Equal(stored, origin(address).Body) || !strings.Contains(query(t, s, address), got) {
				t.Errorf("digest of the replay = %s, want %s as in the index", got, c.Digest)
			}
			if h := resp.Header; h.Get("X-Archive-Orig-X-Powered-By") != "hands" || h.Get("X-Archive-Orig-Content-Type") != "text/html" ||
				h.Get("Content-Type") != "text/html" || h.Get("X-Powered-By") != "" || !strings.HasPrefix(h.Get("X-Archive-Src"), "spn2-20") ||
				(h.Get("X-Archive-Orig-Transfer-Encoding") == "chunked") != strings.Contains(tt.name, "chunked") {
				t.Errorf("headers = %v", h)
			}
		})
	}
}

// waitCapture waits, at a large TimeScale, until a capture can be seen.
func waitCapture(t *testing.T, s *Server) Capture {
	t.Helper()
	for range 1000 {
		if list := s.Captures(); len(list) > 0 && query(t, s, list[0].URL) != "" {
			return list[0]
		}
		time.Sleep(time.Millisecond)
	}
	t.Fatal("no capture")
	return Capture{}
}

func TestReplay(t *testing.T) {
	s := shelf()
	tests := []struct {
		name, target string
		status       int
		location     string // without the base
		body         string
	}{
		{"exact", raw("20200101000000", terms), 200, "", "a"},
		{"a lost slash", "/web/20200101000000id_/https:/x.example/terms", 200, "", "a"},
		{"another form of the address", raw("20200101000000", "http://www.x.example/terms"), 200, "", "a"},
		{"the very address of two", raw("20200301000000", "http://www.x.example:80/terms"), 200, "", "a"},
		{"an error page", raw("20200301000000", terms), 404, "", "b"},
		{"revisit", raw("20210101000000", terms), 200, "", "a"},
		{"closest, before", raw("20200101000001", terms), 302, raw("20200101000000", terms), ""},
		{"closest, after", raw("20300101000000", terms), 302, raw("20220101000000", terms), ""},
		{"part of a moment", "/web/2021id_/" + terms, 302, raw("20210101000000", terms), ""},
		{"as a page", "/web/2022/" + terms, 302, "/web/20220101000000/" + terms, ""},
		{"none", raw("20200101000000", "https://y.example/"), 404, "", "not archived"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			resp := get(s, "GET", "http://web.test"+tt.target)
			location := strings.TrimPrefix(resp.Header.Get("Location"), "http://web.test")
			if body := bodyOf(t, resp); resp.StatusCode != tt.status || location != tt.location || !strings.Contains(body, tt.body) {
				t.Errorf("GET %s = %d to %q, %q; want %d to %q, %q", tt.target, resp.StatusCode, location, body, tt.status, tt.location, tt.body)
			}
			mementoAt, want := resp.Header.Get("Memento-Datetime"), tt.location == "" && tt.name != "none"
			if (mementoAt != "") != want {
				t.Errorf("Memento-Datetime = %q, want one: %v", mementoAt, want)
			}
		})
	}
	resp := get(s, "GET", "http://web.test"+raw("20210101000000", terms))
	want := `<https://x.example/terms>; rel="original", ` +
		`<http://web.test/web/timemap/link/https://x.example/terms>; rel="timemap"; type="application/link-format", ` +
		`<http://web.test/web/https://x.example/terms>; rel="timegate", ` +
		`<http://web.test/web/20200101000000/https://x.example/terms>; rel="first memento"; datetime="Wed, 01 Jan 2020 00:00:00 GMT", ` +
		`<http://web.test/web/20200301000000/https://x.example/terms>; rel="prev memento"; datetime="Sun, 01 Mar 2020 00:00:00 GMT", ` +
		`<http://web.test/web/20210101000000/https://x.example/terms>; rel="memento"; datetime="Fri, 01 Jan 2021 00:00:00 GMT", ` +
		`<http://web.test/web/20210102000000/https://x.example/terms>; rel="next memento"; datetime="Sat, 02 Jan 2021 00:00:00 GMT", ` +
		`<http://web.test/web/20220101000000/https://x.example/terms>; rel="last memento"; datetime="Sat, 01 Jan 2022 00:00:00 GMT"`
	if got := resp.Header.Get("Link"); got != want {
		t.Errorf("Link = %s\nwant %s", got, want)
	}
	if got := resp.Header.Get("Memento-Datetime"); got != "Fri, 01 Jan 2021 00:00:00 GMT" {
		t.Errorf("Memento-Datetime = %s", got)
	}
	if got := resp.Header.Get("X-Archive-Src"); !strings.HasPrefix(got, "archiveteam_") {
		t.Errorf("X-Archive-Src = %s", got)
	}
	if body := bodyOf(t, get(s, "GET", "/web/20200101000000/"+terms)); !strings.Contains(body, "WAYBACK TOOLBAR") || !strings.HasSuffix(body, "a") {
		t.Errorf("the page = %q, want one with a banner", body)
	}
	s.AddCapture(Capture{URL: "https://x.example/z", Timestamp: "20200101000000", Body: zip([]byte("plain")), Header: http.Header{"Content-Encoding": {"gzip"}}})
	resp = get(s, "GET", "/web/20200101000000/https://x.example/z")
	if body := bodyOf(t, resp); resp.Header.Get("Content-Encoding") != "" || !strings.HasSuffix(body, "plain") {
		t.Errorf("the page of a gzip original = %q", body)
	}
	if resp := get(s, "GET", raw("202001010000000", terms)); resp.StatusCode != 404 {
		t.Errorf("a moment of 15 digits: %d, want 404", resp.StatusCode)
	}
	for _, tt := range []struct{ cfg, host, want string }{
		{"", "web.archive.org", "https://web.archive.org"}, {"https://other.test/", "web.archive.org", "https://other.test"},
	} {
		s := New(Config{BaseURL: tt.cfg})
		s.AddCapture(Capture{URL: terms, Timestamp: "20200101000000"})
		resp := get(s, "GET", "http://"+tt.host+"/web/2021id_/"+terms)
		if got := resp.Header.Get("Location"); got != tt.want+raw("20200101000000", terms) {
			t.Errorf("Location = %q, want it at %s", got, tt.want)
		}
	}
}

func TestReplayHeadAndRange(t *testing.T) {
	s := New(Config{})
	s.AddCapture(Capture{URL: terms, Timestamp: "20200101000000", Body: []byte("0123456789")},
		Capture{URL: terms, Timestamp: "20210101000000", Body: []byte("0123456789"), Chunked: true})
	tests := []struct {
		method, ts, value          string
		status                     int
		body, contentRange, length string
	}{
		{"HEAD", "20200101000000", "", 200, "", "", "10"},
		{"HEAD", "20210101000000", "", 200, "", "", ""},
		{"GET", "20210101000000", "", 200, "0123456789", "", ""},
		{"GET", "20200101000000", "bytes=0-0", 206, "0", "bytes 0-0/10", "1"},
		{"GET", "20210101000000", "bytes=8-", 206, "89", "bytes 8-9/10", "2"},
		{"GET", "20200101000000", "bytes=4-400", 206, "456789", "bytes 4-9/10", "6"},
		{"GET", "20200101000000", "bytes=10-", 416, "", "bytes */10", "0"},
		{"GET", "20200101000000", "lines=1", 200, "0123456789", "", "10"},
	}
	for _, tt := range tests {
		resp := get(s, tt.method, raw(tt.ts, terms), "Range: "+tt.value)
		if body := bodyOf(t, resp); resp.StatusCode != tt.status || body != tt.body ||
			resp.Header.Get("Content-Range") != tt.contentRange || resp.Header.Get("Content-Length") != tt.length {
			t.Errorf("%s %s = %d %q, range %q, length %q; want %d %q, %q, %q", tt.method, tt.value, resp.StatusCode, body,
				resp.Header.Get("Content-Range"), resp.Header.Get("Content-Length"), tt.status, tt.body, tt.contentRange, tt.length)
		}
		if resp.Header.Get("Memento-Datetime") == "" {
			t.Errorf("%s %s has no Memento-Datetime", tt.method, tt.value)
		}
	}
}

func TestTimeMap(t *testing.T) {
	s := New(Config{})
	s.AddCapture(Capture{URL: terms, Timestamp: "20200101000000", Body: []byte("a"), Src: "x.warc.gz"},
		Capture{URL: terms, Timestamp: "20210101000000", Body: []byte("b")})
	resp := get(s, "GET", "http://web.test/web/timemap/link/"+terms)
	want := `<https://x.example/terms>; rel="original",
<http://web.test/web/timemap/link/https://x.example/terms>; rel="self"; type="application/link-format"; from="Wed, 01 Jan 2020 00:00:00 GMT"; until="Fri, 01 Jan 2021 00:00:00 GMT",
<http://web.test/web/https://x.example/terms>; rel="timegate",
<http://web.test/web/20200101000000/https://x.example/terms>; rel="first memento"; datetime="Wed, 01 Jan 2020 00:00:00 GMT",
<http://web.test/web/20210101000000/https://x.example/terms>; rel="last memento"; datetime="Fri, 01 Jan 2021 00:00:00 GMT"
`
	if got := bodyOf(t, resp); got != want || resp.Header.Get("Content-Type") != "application/link-format" {
		t.Errorf("TimeMap = %s\nwant %s", got, want)
	}
	want = `[["urlkey","timestamp","original","mimetype","statuscode","digest","redirect","robotflags","length","offset","filename"],` +
		`["example,x)/terms","20200101000000","https://x.example/terms","text/html","200","` + digest([]byte("a")) + `","-","-","400","0","x.warc.gz"],`
	if got := bodyOf(t, get(s, "GET", "/web/timemap/json/"+terms)); !strings.HasPrefix(got, want) {
		t.Errorf("TimeMap = %s\nwant %s…", got, want)
	}
	if got := bodyOf(t, get(s, "GET", "/web/timemap/json?url=y.example")); got != "[]" {
		t.Errorf("TimeMap of nothing = %s", got)
	}
	if resp := get(s, "GET", "/web/timemap/link/https://y.example/"); resp.StatusCode != 404 {
		t.Errorf("TimeMap of nothing: %d, want 404", resp.StatusCode)
	}
}

func TestTimeGate(t *testing.T) {
	s := shelf()
	for _, tt := range []struct {
		accept, want string
		status       int
	}{
		{"", "20220101000000", 302}, {"Fri, 10 Jan 2020 00:00:00 GMT", "20200101000000", 302},
		{"Sun, 10 Jan 2021 00:00:00 GMT", "20210102000000", 302}, {"yesterday", "", 400},
	} {
		resp := get(s, "GET", "http://web.test/web/"+terms, "Accept-Datetime: "+tt.accept)
		want := ""
		if tt.want != "" {
			want = "http://web.test/web/" + tt.want + "/" + terms
		}
		if got := resp.Header.Get("Location"); resp.StatusCode != tt.status || got != want {
			t.Errorf("TimeGate at %q = %d %q, want %d %q", tt.accept, resp.StatusCode, got, tt.status, want)
		}
		if tt.status == 302 && (resp.Header.Get("Vary") != "accept-datetime" || !strings.Contains(resp.Header.Get("Link"), `rel="original"`)) {
			t.Errorf("TimeGate headers = %v", resp.Header)
		}
	}
	if resp := get(s, "GET", "/web/https://y.example/"); resp.StatusCode != 404 {
		t.Errorf("TimeGate of nothing: %d, want 404", resp.StatusCode)
	}
}

func TestAvailable(t *testing.T) {
	s := shelf()
	for _, tt := range []struct{ query, want string }{
		{"url=x.example/terms", `{"archived_snapshots":{"closest":{"available":true,"status":"200","timestamp":"20220101000000","url":"http://archive.test/web/20220101000000/https://x.example/terms"}},"url":"x.example/terms"}`},
		{"url=x.example/terms&timestamp=2020", `{"archived_snapshots":{"closest":{"available":true,"status":"200","timestamp":"20200101000000","url":"http://archive.test/web/20200101000000/https://x.example/terms"}},"timestamp":"2020","url":"x.example/terms"}`},
		{"url=y.example", `{"archived_snapshots":{},"url":"y.example"}`},
	} {
		if got := bodyOf(t, get(s, "GET", "http://archive.test/wayback/available?"+tt.query)); got != tt.want {
			t.Errorf("available?%s = %s, want %s", tt.query, got, tt.want)
		}
	}
}

// TestLags: a capture of a submit appears in the replay and in the index after
// their lags, and 12 hours later if that was asked for.
func TestLags(t *testing.T) {
	for _, tt := range []struct {
		cfg           Config
		delayed       bool
		replay, index time.Duration // from the submit
	}{
		{Config{}, false, 50 * time.Second, 80 * time.Second},
		{Config{IndexLag: -1, ReplayLag: time.Hour}, false, time.Hour + 20*time.Second, 20 * time.Second},
		{Config{}, true, 12*time.Hour + 50*time.Second, 12*time.Hour + 80*time.Second},
		{Config{TimeScale: 100}, false, 500 * time.Millisecond, 800 * time.Millisecond},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := New(tt.cfg)
			form := map[string][]string{"url": {terms}}
			if tt.delayed {
				form["delay_wb_availability"] = []string{"1"}
			}
			if _, m := ask(s, "POST", "/save", form, keys); m["job_id"] == nil {
				t.Fatalf("submit = %v", m)
			}
			start := time.Now()
			ts := stamp(start.Add(s.scaled(20 * time.Second)))
			for _, at := range []time.Duration{min(tt.replay, tt.index), max(tt.replay, tt.index)} {
				time.Sleep(at - time.Since(start) - 1)
				for range 2 {
					since := time.Since(start)
					if got := get(s, "GET", raw(ts, terms)).StatusCode == 200; got != (since >= tt.replay) {
						t.Errorf("%v after the submit: replay = %v", since, got)
					}
					if got := strings.Contains(query(t, s, terms), ts); got != (since >= tt.index) {
						t.Errorf("%v after the submit: in the index = %v", since, got)
					}
					time.Sleep(time.Nanosecond)
				}
			}
		})
	}
}

// TestRevisitAndRedirects: the second capture of equal bytes is a revisit, a
// redirect is followed to its end, and a picture is a capture of its own.
func TestRevisitAndRedirects(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(Config{FetchPage: func(address string) Page {
			switch {
			case strings.HasSuffix(address, "/loop"):
				return Page{Status: 302, Header: http.Header{"Location": {"/loop"}}}
			case strings.Contains(address, "/hop"):
				return Page{Status: 302, Header: http.Header{"Location": {map[string]string{"1": "/hop2", "2": "/hop3", "3": "/terms"}[address[len(address)-1:]]}}}
			case strings.HasSuffix(address, "/old"):
				return Page{Status: 301, Header: http.Header{"Location": {"/terms"}}}
			}
			return Page{Body: []byte("words")}
		}})
		first := saved(t, s, terms)
		time.Sleep(2 * time.Hour)
		second := saved(t, s, terms)
		if first.Revisit || !second.Revisit || first.Digest != second.Digest || first.Timestamp == second.Timestamp {
			t.Errorf("captures = %+v, %+v; want a revisit", first, second)
		}
		if got := bodyOf(t, get(s, "GET", raw(second.Timestamp, terms))); got != "words" {
			t.Errorf("replay of the revisit = %q", got)
		}
		old := "https://x.example/old"
		_, m := ask(s, "POST", "/save", map[string][]string{"url": {old}, "capture_screenshot": {"1"}}, keys)
		time.Sleep(2 * time.Minute)
		_, m = ask(s, "GET", "/save/status/"+m["job_id"].(string), nil, keys)
		ts, _ := m["timestamp"].(string)
		if m["status"] != "success" || m["original_url"] != terms || m["screenshot"] != "http://web.archive.org/screenshot/"+old {
			t.Errorf("status = %v, want success of the redirect's target", m)
		}
		resp := get(s, "GET", "http://web.test"+raw(ts, old))
		if resp.StatusCode != 301 || resp.Header.Get("Location") != "http://web.test"+raw(ts, terms) || resp.Header.Get("Memento-Datetime") == "" {
			t.Errorf("replay of the redirect = %d %v", resp.StatusCode, resp.Header)
		}
		resp = get(s, "GET", raw(ts, "http://web.archive.org/screenshot/"+old))
		if body := bodyOf(t, resp); resp.Header.Get("Content-Type") != "image/png" || !strings.HasPrefix(body, "\x89PNG") {
			t.Errorf("the picture = %d %v", resp.StatusCode, resp.Header)
		}
		hops, _ := save(s, "https://x.example/hop1")["job_id"].(string)
		time.Sleep(time.Minute)
		if _, m := ask(s, "GET", "/save/status/"+hops, nil, keys); m["original_url"] != terms {
			t.Errorf("status of three redirects = %v", m)
		}
		loop, _ := save(s, "https://x.example/loop")["job_id"].(string)
		time.Sleep(time.Minute)
		if _, m := ask(s, "GET", "/save/status/"+loop, nil, keys); m["status_ext"] != "error:too-many-redirects" {
			t.Errorf("status of a loop = %v", m)
		}
	})
}

// TestSameSecond: two captures of an address have two timestamps, whatever the
// TimeScale.
func TestSameSecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(Config{TimeScale: 10_000})
		for range 2 {
			save(s, terms)
			time.Sleep(s.scaled(70 * time.Minute))
		}
		if list := s.Captures(); len(list) != 2 || list[0].Timestamp != "20000101000000" || list[1].Timestamp != "20000101000001" {
			t.Errorf("captures = %v, want two a second apart", list)
		}
	})
}
