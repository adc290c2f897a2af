package crawler

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fineprint-archive/fineprint/crawler/declaration"
	"github.com/fineprint-archive/fineprint/warc"
)

// kept is an exchange as a sink read it.
type kept struct {
	warc.Exchange
	request, response string
}

// memorySink keeps exchanges in memory. A payload seen before is a revisit.
type memorySink struct {
	mu    sync.Mutex
	all   []kept
	seen  map[warc.Digest]bool
	fail  func(*warc.Exchange) error // nil: never
	check func(context.Context)      // nil: nothing
}

func (s *memorySink) Exchange(ctx context.Context, ex *warc.Exchange) (warc.Stored, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.check != nil {
		s.check(ctx)
	}
	if s.fail != nil {
		if err := s.fail(ex); err != nil {
			return warc.Stored{}, err
		}
	}
	k := kept{Exchange: *ex}
	st := warc.Stored{}
	n := len(s.all)
	if ex.Request != nil {
		b, err := io.ReadAll(ex.Request.Open())
		if err != nil {
			return st, err
		}
		k.request, st.RequestID = string(b), fmt.Sprintf("q%d", n)
	}
	if ex.Response != nil {
		b, err := io.ReadAll(ex.Response.Open())
		if err != nil {
			return st, err
		}
		k.response, st.ResponseID = string(b), fmt.Sprintf("r%d", n)
		if s.seen == nil {
			s.seen = map[warc.Digest]bool{}
		}
		st.Revisit = s.seen[ex.PayloadSHA256]
		s.seen[ex.PayloadSHA256] = true
	}
	s.all = append(s.all, k)
	return st, nil
}

// uris returns "kind path" of everything kept.
func (s *memorySink) uris(t *testing.T) []string {
	t.Helper()
	var out []string
	for _, k := range s.all {
		u, err := url.Parse(k.URI)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, string(k.Kind)+" "+u.Path)
	}
	return out
}

// website is a server with handlers by exact path; everything else is 404.
type website struct {
	*httptest.Server
	pages map[string]http.HandlerFunc
}

func serve(t *testing.T, pages map[string]http.HandlerFunc) website {
	t.Helper()
	if pages == nil {
		pages = map[string]http.HandlerFunc{}
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if h := pages[r.URL.Path]; h != nil {
			h(w, r)
			return
		}
		http.NotFound(w, r)
	}))
	t.Cleanup(s.Close)
	return website{s, pages}
}

// text answers with a body.
func text(mime, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", mime)
		io.WriteString(w, body)
	}
}

func html(body string) http.HandlerFunc { return text("text/html; charset=utf-8", body) }

func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}

func redirect(to string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", to)
		w.WriteHeader(http.StatusFound)
	}
}

// crawlerFor returns a crawler that may visit loopback.
func crawlerFor(t *testing.T, cfg Config) *Crawler {
	t.Helper()
	cfg.Wire.AllowPrivate = true
	if cfg.RetryDelay == 0 {
		cfg.RetryDelay = time.Millisecond
	}
	c, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(context.Background()); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return c
}

func source(u string) declaration.Source { return declaration.Source{ID: "0123456789abcdef", URL: u} }

// visit looks at an address and checks what holds for every manifest.
func visit(t *testing.T, c *Crawler, s *memorySink, src declaration.Source, ask Ask) warc.Manifest {
	t.Helper()
	m := c.Visit(t.Context(), src, s, ask)
	checkManifest(t, m, s)
	return m
}

func checkManifest(t *testing.T, m warc.Manifest, s *memorySink) {
	t.Helper()
	if m.Version != warc.ManifestVersion || m.Type != "look" || m.Source == "" || m.Time.IsZero() || m.Ended.Before(m.Time) {
		t.Errorf("manifest lacks its frame: %+v", m)
	}
	if (m.Result == warc.Failed) != (m.Error != "") {
		t.Errorf("result %q with error %q", m.Result, m.Error)
	}
	known := m.Error == ""
	for _, i := range Codes() {
		known = known || string(i.Code) == m.Error
	}
	if !known {
		t.Errorf("error %q is not in the closed list", m.Error)
	}
	if m.Result == warc.Captured && (m.Payload == nil || m.Payload.SHA256.IsZero() || m.Status/100 != 2) {
		t.Errorf("captured without a payload: %+v", m)
	}
	ids := map[string]bool{"": true}
	for _, n := range m.Exchanges {
		if !ids[n.Via] {
			t.Errorf("note %+v: via %q was not met before", n, n.Via)
		}
		ids[n.Response] = true
		if (n.Request == "") != (n.URI != "") {
			t.Errorf("note %+v: an address stands there if and only if there is no request record", n)
		}
	}
	if s != nil {
		stored := 0
		for _, n := range m.Exchanges {
			if n.Request != "" || n.Response != "" {
				stored++
			}
		}
		withRecords := 0
		for _, k := range s.all {
			if k.Request != nil || k.Response != nil {
				withRecords++
			}
		}
		if stored > withRecords {
			t.Errorf("%d notes of records, %d exchanges kept", stored, withRecords)
		}
	}
}

func wantError(t *testing.T, m warc.Manifest, code Code) {
	t.Helper()
	if Code(m.Error) != code {
		t.Errorf("error = %q (%s), want %q", m.Error, m.Detail, code)
	}
}

func TestNewRefusesCollyEnvironment(t *testing.T) {
	t.Setenv("COLLY_MAX_BODY_SIZE", "10")
	_, err := New(Config{})
	if err == nil || !strings.Contains(err.Error(), "COLLY_MAX_BODY_SIZE") {
		t.Fatalf("New = %v, want an error that names the variable", err)
	}
}

func TestUserAgent(t *testing.T) {
	for _, tc := range []struct {
		name string
		cfg  Config
		want string // "" is an error
	}{
		{"bare", Config{}, "fineprint/dev (archival crawler of legal pages)"},
		{"full", Config{Version: "1.2", Contact: "ops@example.org", Operator: "Example Archive", UserAgentSuffix: "x/1"},
			"fineprint/1.2 (+ops@example.org; Example Archive; archival crawler of legal pages) x/1"},
		{"operator in another script", Config{Operator: "条款档案", Contact: "https://example.org/bot"},
			"fineprint/dev (+https://example.org/bot; archival crawler of legal pages)"},
		{"parentheses", Config{Operator: "A (B) C"}, "fineprint/dev (A [B] C; archival crawler of legal pages)"},
		{"line break", Config{Contact: "a\r\nX-Evil: 1"}, ""},
		{"suffix in another script", Config{UserAgentSuffix: "条款"}, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c, err := New(tc.cfg)
			if err != nil {
				if tc.want != "" {
					t.Fatal(err)
				}
				return
			}
			if got := c.UserAgent(); got != tc.want {
				t.Errorf("UserAgent = %q, want %q", got, tc.want)
			}
		})
	}
}

func TestVisitCaptures(t *testing.T) {
	gb := "<meta charset=gb18030>\xb7\xfe\xce\xf1\xcc\xf5\xbf\xee" // terms of service
	s := serve(t, map[string]http.HandlerFunc{
		"/robots.txt": text("text/plain", "User-agent: *\nDisallow: /private\n"),
		"/tos": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/html; charset=gb18030")
			w.Header().Set("ETag", `"v1"`)
			w.Header().Set("Last-Modified", "Thu, 17 Oct 2024 00:00:00 GMT")
			io.WriteString(w, gb)
		},
	})
	c := crawlerFor(t, Config{Version: "1", Requisites: true})
	sink := &memorySink{}
	src := source(s.URL + "/tos")
	src.AcceptLanguage, src.Vantage, src.AcceptEncoding = "zh-CN", "here", "identity"
	m := visit(t, c, sink, src, Ask{})
	if m.Result != warc.Captured || m.Status != 200 || m.FinalURL != src.URL || m.Vantage != "here" {
		t.Fatalf("manifest = %+v", m)
	}
	if got := strings.Join(sink.uris(t), ", "); got != "robots /robots.txt, page /tos" {
		t.Errorf("exchanges: %s", got)
	}
	page := sink.all[1]
	if !strings.HasSuffix(page.response, "\r\n\r\n"+gb) {
		t.Errorf("stored response is not what was served: %q", page.response)
	}
	for _, line := range []string{"GET /tos HTTP/1.1", "User-Agent: " + c.UserAgent(), "Accept-Language: zh-CN", "Accept-Encoding: identity"} {
		if !strings.Contains(page.request, line+"\r\n") {
			t.Errorf("request lacks %q:\n%s", line, page.request)
		}
	}
	if strings.Contains(page.request, "Referer") {
		t.Errorf("request has a Referer:\n%s", page.request)
	}
	p := m.Payload
	if p.Record != "r1" || p.SHA256 != warc.SumSHA256([]byte(gb)) || p.Size != int64(len(gb)) || p.ETag != `"v1"` || p.LastModified == "" || p.MIME != "text/html" {
		t.Errorf("payload = %+v", p)
	}
	if r := m.Robots; r == nil || r.Policy != "obey" || r.Verdict != "allowed" {
		t.Errorf("robots = %+v", r)
	}
	if m := visit(t, c, sink, source(s.URL+"/private/tos"), Ask{}); Code(m.Error) != CodeRobots || m.Robots.Rule != "Disallow: /private" || m.Robots.Verdict != "disallowed" || len(m.Exchanges) != 0 {
		t.Errorf("disallowed: %+v", m)
	}
}

func TestVisitStatus(t *testing.T) {
	s := serve(t, map[string]http.HandlerFunc{
		"/304": status(304),
		"/204": status(204),
		"/206": status(206),
		"/300": status(300),
		"/302": status(302),
		"/410": func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "gone for good", http.StatusGone) },
		"/500": status(500),
		"/503": status(503),
		"/cut": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			io.WriteString(w, "half")
		},
		"/cond": func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("If-None-Match") == `"v1"` || r.Header.Get("If-Modified-Since") == "Thu, 17 Oct 2024 00:00:00 GMT" {
				w.WriteHeader(304)
				return
			}
			io.WriteString(w, "new")
		},
		"/moved": redirect("/cond"),
	})
	c := crawlerFor(t, Config{})
	etag, since := Ask{ETag: `"v1"`}, Ask{LastModified: "Thu, 17 Oct 2024 00:00:00 GMT"}
	for _, tc := range []struct {
		path   string
		ask    Ask
		result warc.Result
		code   Code
		status int
	}{
		{"/204", Ask{}, warc.Captured, "", 204},
		{"/206", Ask{}, warc.Failed, CodeHTTPStatus, 206},
		{"/300", Ask{}, warc.Failed, CodeHTTPStatus, 300},
		{"/302", Ask{}, warc.Failed, CodeBadRedirect, 302},
		{"/304", Ask{}, warc.Failed, CodeHTTPStatus, 304},
		{"/304", etag, warc.NotModified, "", 304},
		{"/cond", etag, warc.NotModified, "", 304},
		{"/cond", since, warc.NotModified, "", 304},
		{"/cond", Ask{ETag: `"v0"`}, warc.Captured, "", 200},
		{"/cond", Ask{ETag: "\"a\x7fb"}, warc.Captured, "", 200},
		{"/cond", Ask{LastModified: strings.Repeat("x", 3000)}, warc.Captured, "", 200},
		{"/304", Ask{ETag: "\"a\x01b"}, warc.Failed, CodeHTTPStatus, 304},
		{"/moved", etag, warc.NotModified, "", 304},
		{"/moved", Ask{ETag: `"v1"`, ValidatorsFor: s.URL + "/moved"}, warc.Captured, "", 200},
		{"/moved", Ask{ETag: `"v1"`, ValidatorsFor: s.URL + "/cond"}, warc.NotModified, "", 304},
		{"/404", Ask{}, warc.Failed, CodeHTTPStatus, 404},
		{"/410", Ask{}, warc.Failed, CodeHTTPStatus, 410},
		{"/500", Ask{}, warc.Failed, CodeHTTPStatus, 500},
		{"/503", Ask{}, warc.Failed, CodeHTTPStatus, 503},
		{"/cut", Ask{}, warc.Failed, CodeTruncated, 200},
	} {
		t.Run(tc.path[1:], func(t *testing.T) {
			m := visit(t, c, &memorySink{}, source(s.URL+tc.path), tc.ask)
			if m.Result != tc.result || Code(m.Error) != tc.code || m.Status != tc.status {
				t.Errorf("result %s, error %q (%s), status %d; want %s, %q, %d", m.Result, m.Error, m.Detail, m.Status, tc.result, tc.code, tc.status)
			}
			if (m.Payload == nil) != (tc.status == 304) {
				t.Errorf("payload = %+v", m.Payload)
			}
		})
	}
}

func TestRedirects(t *testing.T) {
	big := strings.Repeat("moved ", 5000)
	pages := map[string]http.HandlerFunc{
		"/end":     html("the end"),
		"/loop":    redirect("/loop2"),
		"/loop2":   redirect("/loop"),
		"/bad":     redirect("http://[::1"),
		"/script":  redirect("javascript:alert(1)"),
		"/mail":    redirect("mailto:a@example.org"),
		"/slashes": redirect(`\end`),
		"/cookie": func(w http.ResponseWriter, r *http.Request) {
			if _, err := r.Cookie("consent"); err != nil {
				http.SetCookie(w, &http.Cookie{Name: "consent", Value: "yes", Path: "/"})
				http.Redirect(w, r, "/cookie", http.StatusFound)
				return
			}
			io.WriteString(w, "welcome")
		},
		"/big": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", "/end")
			w.WriteHeader(http.StatusMovedPermanently)
			io.WriteString(w, big)
		},
		"/secret": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", "http://user:secret@"+r.Host+"/end")
			w.WriteHeader(http.StatusFound)
		},
	}
	for i := range 12 {
		to := fmt.Sprintf("/n%d", i-1)
		if i == 0 {
			to = "/end"
		}
		pages[fmt.Sprintf("/n%d", i)] = redirect(to)
	}
	s := serve(t, pages)
	other := serve(t, map[string]http.HandlerFunc{
		"/robots.txt": text("text/plain", "User-agent: fineprint\nDisallow: /closed\n"),
		"/open":       html("elsewhere"),
		"/closed":     html("never seen"),
	})
	s.pages["/cross"] = redirect(other.URL + "/open")
	s.pages["/forbidden"] = redirect(other.URL + "/closed")
	s.pages["/dead"] = redirect("http://127.0.0.1:1/")
	c := crawlerFor(t, Config{})
	for _, tc := range []struct {
		path  string
		code  Code
		final string
		pages int // page exchanges
	}{
		{"/n9", "", s.URL + "/end", 11},
		{"/n10", CodeRedirectLimit, s.URL + "/n0", 11},
		{"/loop", CodeRedirectLoop, s.URL + "/loop2", 2},
		{"/bad", CodeBadRedirect, s.URL + "/bad", 1},
		{"/script", CodeBadRedirect, s.URL + "/script", 1},
		{"/mail", CodeBadRedirect, s.URL + "/mail", 1},
		{"/slashes", "", s.URL + "/end", 2},
		{"/cookie", "", s.URL + "/cookie", 2},
		{"/big", "", s.URL + "/end", 2},
		{"/secret", "", s.URL + "/end", 2},
		{"/cross", "", other.URL + "/open", 2},
		{"/forbidden", CodeRobots, s.URL + "/forbidden", 1},
		{"/dead", CodeConnect, "http://127.0.0.1:1/", 1},
	} {
		t.Run(tc.path[1:], func(t *testing.T) {
			sink := &memorySink{}
			m := visit(t, c, sink, source(s.URL+tc.path), Ask{})
			wantError(t, m, tc.code)
			if tc.path == "/dead" { // its robots.txt fails first
				if m.Robots.Verdict != "unreachable" {
					t.Errorf("robots = %+v", m.Robots)
				}
				return
			}
			if m.FinalURL != tc.final {
				t.Errorf("final URL = %s, want %s", m.FinalURL, tc.final)
			}
			got, via := 0, ""
			for _, n := range m.Exchanges {
				if n.Kind != warc.KindPage {
					continue
				}
				if n.Via != via {
					t.Errorf("hop %d: via %q, want %q", got, n.Via, via)
				}
				via = n.Response
				got++
			}
			if got != tc.pages {
				t.Errorf("%d page exchanges, want %d", got, tc.pages)
			}
			for _, k := range sink.all {
				if strings.Contains(k.request, "Authorization") || strings.Contains(k.URI, "secret@") {
					t.Errorf("credentials of a Location were used:\n%s", k.request)
				}
				if strings.HasSuffix(k.URI, "/big") && (k.PayloadSHA256 != warc.SumSHA256([]byte(big)) || len(k.response) < len(big)) {
					t.Errorf("body of the redirect is not whole: %d bytes", len(k.response))
				}
			}
		})
	}
}

func TestCookiesDoNotCrossLooks(t *testing.T) {
	var mu sync.Mutex
	var got []string
	s := serve(t, map[string]http.HandlerFunc{"/": func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		got = append(got, r.Header.Get("Cookie"))
		mu.Unlock()
		http.SetCookie(w, &http.Cookie{Name: "id", Value: "1"})
	}})
	c := crawlerFor(t, Config{})
	for range 2 {
		visit(t, c, &memorySink{}, source(s.URL+"/"), Ask{})
	}
	for _, cookie := range got {
		if cookie != "" {
			t.Errorf("a cookie of another look was sent: %q", cookie)
		}
	}
	if len(got) < 2 {
		t.Fatalf("%d requests", len(got))
	}
}

func TestSinkErrorEndsTheLook(t *testing.T) {
	s := serve(t, map[string]http.HandlerFunc{"/": redirect("/next"), "/next": html("<img src=a.png>")})
	full := errors.New("disk is full")
	for _, fail := range []string{"/robots.txt", "/", "/next", "/a.png"} {
		c := crawlerFor(t, Config{Requisites: true})
		sink := &memorySink{fail: func(ex *warc.Exchange) error {
			if strings.TrimPrefix(ex.URI, s.URL) == fail {
				return full
			}
			return nil
		}}
		m := visit(t, c, sink, source(s.URL+"/"), Ask{})
		wantError(t, m, CodeStorage)
		if !strings.Contains(m.Detail, full.Error()) {
			t.Errorf("detail = %q", m.Detail)
		}
		for _, k := range sink.all {
			if strings.TrimPrefix(k.URI, s.URL) == fail {
				t.Errorf("%s was kept", fail)
			}
		}
		// The host is free again.
		if m := visit(t, c, &memorySink{}, source(s.URL+"/"), Ask{}); m.Result != warc.Captured {
			t.Errorf("next look: %+v", m)
		}
	}
}

func TestPanicIsAnErrorOfOneLook(t *testing.T) {
	s := serve(t, map[string]http.HandlerFunc{"/": html("<img src=a.png>")})
	for _, at := range []string{"/robots.txt", "/", "/a.png"} {
		c := crawlerFor(t, Config{Requisites: true})
		sink := &memorySink{fail: func(ex *warc.Exchange) error {
			if strings.TrimPrefix(ex.URI, s.URL) == at {
				panic("broken")
			}
			return nil
		}}
		m := visit(t, c, sink, source(s.URL+"/"), Ask{})
		if at != "/a.png" {
			wantError(t, m, CodeInternal)
			if !strings.Contains(m.Detail, "panic: broken (in ") || !strings.Contains(m.Detail, "crawler_test.go:") {
				t.Errorf("detail %q does not say where", m.Detail)
			}
		} else if m.Result != warc.Captured {
			t.Errorf("a panic in a requisite failed the page: %+v", m)
		}
		if m := visit(t, c, &memorySink{}, source(s.URL+"/"), Ask{}); m.Result != warc.Captured {
			t.Errorf("look after the panic: %+v", m)
		}
	}
}

func TestInterruptedIsKept(t *testing.T) {
	started := make(chan struct{})
	s := serve(t, map[string]http.HandlerFunc{"/": func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "half")
		http.NewResponseController(w).Flush()
		close(started)
		<-r.Context().Done()
	}})
	c := crawlerFor(t, Config{})
	ctx, cancel := context.WithCancel(t.Context())
	sink := &memorySink{check: func(ctx context.Context) {
		if ctx.Err() != nil {
			t.Error("the sink got a context that has ended")
		}
	}}
	go func() {
		<-started
		// Nobody can see from outside when the crawler has read what was sent.
		time.AfterFunc(50*time.Millisecond, cancel)
	}()
	m := c.Visit(ctx, source(s.URL+"/"), sink, Ask{})
	checkManifest(t, m, sink)
	wantError(t, m, CodeInterrupted)
	last := sink.all[len(sink.all)-1]
	if last.Kind != warc.KindPage || last.Truncated == "" || !strings.Contains(last.response, "half") {
		t.Errorf("kept: %+v", last)
	}
	m = c.Visit(ctx, source(s.URL+"/"), sink, Ask{})
	wantError(t, m, CodeInterrupted)
}

func TestPrivateAddress(t *testing.T) {
	s := serve(t, map[string]http.HandlerFunc{"/": html("inside")})
	c, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	src := source(s.URL + "/")
	sink := &memorySink{}
	wantError(t, visit(t, c, sink, src, Ask{}), CodePrivateAddress)
	src.IgnoreRobots, src.RobotsReason = true, "test"
	m := visit(t, c, sink, src, Ask{})
	wantError(t, m, CodePrivateAddress)
	if m.Robots.Policy != "ignore" || m.Robots.Reason != "test" {
		t.Errorf("robots = %+v", m.Robots)
	}
	for _, k := range sink.all {
		if k.Request != nil {
			t.Errorf("something was sent to %s", k.URI)
		}
	}
}

// A public page may not lead us inside. Behind the proxy stands the rest of the
// world.
func TestPrivateAddressByRedirect(t *testing.T) {
	for _, inside := range []string{"http://127.0.0.1/", "http://10.0.0.1/", "http://[::1]/", "http://0x7f.1/", "http://169.254.169.254/latest"} {
		world := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch {
			case r.URL.Path == "/robots.txt":
				http.NotFound(w, r)
			case r.Host == "public.example":
				w.Header().Set("Location", inside)
				w.WriteHeader(http.StatusFound)
			default:
				t.Errorf("the proxy was asked for %s", r.URL)
			}
		}))
		proxy, err := url.Parse(world.URL)
		if err != nil {
			t.Fatal(err)
		}
		c, err := New(Config{Wire: WireConfig{Proxy: proxy}})
		if err != nil {
			t.Fatal(err)
		}
		m := visit(t, c, &memorySink{}, source("http://public.example/tos"), Ask{})
		wantError(t, m, CodePrivateAddress)
		if m.Result != warc.Failed || m.Status == 200 {
			t.Errorf("manifest = %+v", m)
		}
		world.Close()
	}
}

func TestProbe(t *testing.T) {
	n := 0
	s := serve(t, map[string]http.HandlerFunc{
		"/still": html("<img src=a.png>same"),
		"/moves": func(w http.ResponseWriter, _ *http.Request) { n++; fmt.Fprint(w, n) },
		"/to":    redirect("/still"),
	})
	c := crawlerFor(t, Config{Requisites: true})
	for _, tc := range []struct {
		path string
		same bool
		hops int
	}{{"/still", true, 1}, {"/moves", false, 1}, {"/to", true, 2}, {"/none", false, 1}} {
		first, second, same := c.Probe(t.Context(), source(s.URL+tc.path))
		if same != tc.same || first.Hops != tc.hops {
			t.Errorf("Probe(%s) = %+v, %+v, %v; want same %v, %d hops", tc.path, first, second, same, tc.same, tc.hops)
		}
		if tc.path == "/none" && (first.Error != CodeHTTPStatus || first.Status != 404 || second.Result != "") {
			t.Errorf("Probe(%s) = %+v, %+v", tc.path, first, second)
		}
	}
}

// BenchmarkVisit is a look at an unchanged page of 80 KB (20 KB as sent), with
// the server of the standard library in the same process: robots.txt known, no
// requisites, nothing stored. BenchmarkVisit/wire is the exchange alone.
func BenchmarkVisit(b *testing.B) {
	var page bytes.Buffer
	z := gzip.NewWriter(&page)
	io.WriteString(z, "<!doctype html><title>Terms</title>"+legalText(80_000))
	z.Close()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Content-Encoding", "gzip")
		w.Header().Set("Content-Length", strconv.Itoa(page.Len()))
		w.Write(page.Bytes())
	}))
	defer s.Close()
	c, err := New(Config{Wire: WireConfig{AllowPrivate: true}, Requisites: true})
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close(b.Context())
	b.Run("look", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if m := c.Visit(b.Context(), source(s.URL+"/tos"), unchanged{}, Ask{}); m.Result != warc.Captured {
				b.Fatalf("%+v", m)
			}
		}
	})
	b.Run("wire", func(b *testing.B) {
		b.ReportAllocs()
		l := look{c: c}
		u, err := url.Parse(s.URL + "/tos")
		if err != nil {
			b.Fatal(err)
		}
		for b.Loop() {
			rec := c.wires.page.Exchange(b.Context(), l.plainRequest(u))
			if rec.Err != nil {
				b.Fatal(rec.Err)
			}
			rec.Close()
		}
	})
}

// unchanged is a sink to which everything is old.
type unchanged struct{}

func (unchanged) Exchange(context.Context, *warc.Exchange) (warc.Stored, error) {
	return warc.Stored{RequestID: "q", ResponseID: "r", Revisit: true}, nil
}

func TestTLSOfThePage(t *testing.T) {
	var plain website
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/tos":
			io.WriteString(w, "terms")
		case "/down":
			http.Redirect(w, r, plain.URL+"/tos", http.StatusFound)
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(s.Close)
	plain = serve(t, map[string]http.HandlerFunc{"/tos": html("terms"), "/up": redirect(s.URL + "/tos")})
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	c := crawlerFor(t, Config{Wire: WireConfig{RootCAs: roots}})

	m := visit(t, c, &memorySink{}, source(plain.URL+"/up"), Ask{})
	if m.Result != warc.Captured || m.TLS == nil || m.TLS.Version != "1.3" || m.TLS.Chain != warc.SumSHA256(s.Certificate().Raw) {
		t.Errorf("http to https: %s %s, TLS %+v", m.Error, m.Detail, m.TLS)
	}
	for _, n := range m.Exchanges {
		if n.TLS != nil || n.Detail != "" {
			t.Errorf("note repeats the page's session or has a detail: %+v", n)
		}
	}
	m = visit(t, c, &memorySink{}, source(s.URL+"/down"), Ask{})
	last := m.Exchanges[len(m.Exchanges)-1]
	if m.Result != warc.Captured || m.TLS != nil || !strings.Contains(last.Detail, "https to http") {
		t.Errorf("https to http: %s %s, TLS %+v, note %+v", m.Error, m.Detail, m.TLS, last)
	}
	if first := m.Exchanges[0]; first.TLS == nil {
		t.Errorf("the session of the redirect is lost: %+v", first)
	}
	strangers := crawlerFor(t, Config{Wire: WireConfig{RootCAs: x509.NewCertPool()}})
	m = visit(t, strangers, &memorySink{}, source(s.URL+"/tos"), Ask{})
	wantError(t, m, CodeTLS)
}
