package crawler

import (
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fineprint-archive/fineprint/warc"
)

func TestCSSURLs(t *testing.T) {
	for _, tc := range []struct {
		name, css string
		want      []cssRef
	}{
		{"forms", `a{background:url(a.png)} b{background:url( "b.png" )} c{background:URL('c.png')}`,
			[]cssRef{{"a.png", false}, {"b.png", false}, {"c.png", false}}},
		{"imports", `@import "a.css"; @import url(b.css) screen; @IMPORT url("c.css") layer(x);`,
			[]cssRef{{"a.css", true}, {"b.css", true}, {"c.css", true}}},
		{"fonts", `@font-face{font-family:"X url(no.woff)";src:url(x.woff2)format("woff2"),url(x.woff)}`,
			[]cssRef{{"x.woff2", false}, {"x.woff", false}}},
		{"comments", `/* url(no.png) */ a{b:url(/*in*/yes.png)} /* url(`, []cssRef{{"/*in*/yes.png", false}}},
		{"strings", `a::before{content:"url(no.png)" '@import "no.css"'} b{c:url(yes.png)}`, []cssRef{{"yes.png", false}}},
		{"escapes", `a{b:url(a\20 b\)\.png)} c{d:url("e\
f\"g")}`, []cssRef{{"a b).png", false}, {`ef"g`, false}}},
		{"script of another land", `a{b:url(图片/标志.png)}`, []cssRef{{"图片/标志.png", false}}},
		{"data and fragments", `a{b:url(data:image/png;base64,AAAA);c:url(#svg);d:url()}`, nil},
		{"import without end", `@import ; a{content:"x"} @import`, nil},
		{"not a url", `curl(no.png) @important "no.css"`, nil},
		{"bad url goes on", `a{b:url(x"y);c:url(z.png)}`, []cssRef{{"z.png", false}}},
		{"unclosed", `a{b:url(x.png`, []cssRef{{"x.png", false}}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, cssURLs(tc.css), cmp.AllowUnexported(cssRef{})); diff != "" {
				t.Errorf("cssURLs (-want +got):\n%s", diff)
			}
		})
	}
}

func FuzzCSSURLs(f *testing.F) {
	f.Add(`@import url("a.css"); a{b:url(c.png)}`)
	f.Add("@import 'x\\\n\\27 y' /* url( */ url(\\)")
	f.Add(`url("`)
	f.Fuzz(func(t *testing.T, css string) {
		total := 0
		for _, ref := range cssURLs(css) {
			if ref.address == "" || strings.TrimSpace(ref.address) != ref.address {
				t.Errorf("address %q", ref.address)
			}
			total += len(ref.address)
		}
		// An escape of one byte can become a rune of three.
		if total > 3*len(css) {
			t.Errorf("%d bytes of addresses from %d of CSS", total, len(css))
		}
		// What was found is found again when written plainly.
		for _, ref := range cssURLs(css) {
			quoted := strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\a `, "\r", `\d `, "\f", `\c `).Replace(ref.address)
			again := cssURLs(`url("` + quoted + `")`)
			if len(again) != 1 || again[0].address != ref.address {
				t.Errorf("%q is read back as %v", ref.address, again)
			}
		}
	})
}

func TestSrcset(t *testing.T) {
	for in, want := range map[string][]string{
		"a.png":                            {"a.png"},
		"a.png 1x, b.png 2x":               {"a.png", "b.png"},
		"a.png,b.png 2x":                   {"a.png,b.png"},
		"a.png, b.png":                     {"a.png", "b.png"},
		" , a,b.png 100w (x, y),c.png 2x,": {"a,b.png", "c.png"},
		"":                                 nil,
		"data:image/png;base64,AA== 1x, b": {"data:image/png;base64,AA==", "b"},
	} {
		if diff := cmp.Diff(want, srcset(in)); diff != "" {
			t.Errorf("srcset(%q) (-want +got):\n%s", in, diff)
		}
	}
}

// requisitePages is a page with everything around it.
func requisitePages() map[string]http.HandlerFunc {
	png := text("image/png", "\x89PNG")
	return map[string]http.HandlerFunc{
		"/tos": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			io.WriteString(z, `<html><head><base href="/static/"><link rel="icon" href=icon.ico>
<link rel="preload stylesheet" href="a.css"><link rel=stylesheet href="missing.css"><link rel="canonical" href="/no">
<script src=no.js></script><style>@import "b.css"; p{background:url(inline.png)}</style></head>
<body style="background:url('body.png')"><img src="a.png" srcset="a.png 1x, a2.png 2x"><img src="data:image/png;base64,AAAA">
<picture><source srcset="pic.webp"><img src=pic.png></picture><video poster=poster.png><source src=no.mp4 srcset=no.png></video>
<img src="http://127.0.0.1:1/dead.png"><img src="/secret/x.png"><img src="a.png#again"><img src="">
<svg><image href="svg.png"/></svg><img src="标志.png"></body></html>`)
			z.Close()
		},
		"/robots.txt":        text("text/plain", "User-agent: *\nDisallow: /secret/\n"),
		"/static/a.css":      text("text/css", `@import "deep.css"; @font-face{src:url(../fonts/f.woff2)} p{background:url(css.png)}`),
		"/static/b.css":      redirect("/static/c.css"),
		"/static/c.css":      text("text/css; charset=utf-8", "p{background:url(c.png)}"),
		"/static/deep.css":   text("text/css", `@import "deeper.css"; p{background:url(deep.png)}`),
		"/static/deeper.css": text("text/css", ""),
		"/fonts/f.woff2":     text("font/woff2", "wOF2"),
		"/static/a.png":      png, "/static/a2.png": png, "/static/pic.png": png, "/static/pic.webp": png, "/static/css.png": png,
		"/static/c.png": png, "/static/deep.png": png, "/static/inline.png": png, "/static/body.png": png, "/static/icon.ico": png,
		"/static/poster.png": png, "/static/svg.png": png, "/static/标志.png": png,
	}
}

func TestRequisites(t *testing.T) {
	s := serve(t, requisitePages())
	c := crawlerFor(t, Config{Requisites: true})
	sink := &memorySink{}
	m := visit(t, c, sink, source(s.URL+"/tos"), Ask{})
	if m.Result != warc.Captured {
		t.Fatalf("manifest = %+v", m)
	}
	got := map[string]int{}
	order := map[string]int{}
	for i, u := range sink.uris(t) {
		got[u]++
		order[u] = i
	}
	want := map[string]int{"robots /robots.txt": 2, "page /tos": 1} // the dead host is asked for its robots.txt
	for path := range requisitePages() {
		if path != "/tos" && path != "/robots.txt" && path != "/static/deeper.css" {
			want["requisite "+path] = 1
		}
	}
	want["requisite /static/missing.css"] = 1
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("exchanges (-want +got):\n%s", diff)
	}
	if order["requisite /static/a.css"] > order["requisite /static/a.png"] {
		t.Error("an image was fetched before the stylesheets")
	}
	blamed := map[string]string{}
	via := map[string]string{}
	for _, n := range m.Exchanges {
		var i int
		if _, err := fmt.Sscanf(n.Request, "q%d", &i); err != nil {
			blamed[n.URI] = n.Error
			continue
		}
		via[sink.all[i].URI] = n.Via
	}
	if diff := cmp.Diff(map[string]string{
		"http://127.0.0.1:1/robots.txt": string(CodeConnect),
		"http://127.0.0.1:1/dead.png":   string(CodeConnect),
		s.URL + "/secret/x.png":         string(CodeRobots),
	}, blamed); diff != "" {
		t.Errorf("notes without an exchange (-want +got):\n%s", diff)
	}
	if p := via[s.URL+"/static/a.css"]; p != m.Payload.Record {
		t.Errorf("stylesheet came via %q, want the page %q", p, m.Payload.Record)
	}
	if m.FinalURL != s.URL+"/tos" || m.Status != 200 {
		t.Errorf("requisites changed the page's facts: %+v", m)
	}
}

func TestRequisitesOnlyWhenBytesChanged(t *testing.T) {
	s := serve(t, requisitePages())
	sink := &memorySink{}
	count := func(c *Crawler, ask Ask) (n int) {
		t.Helper()
		m := visit(t, c, sink, source(s.URL+"/tos"), ask)
		for _, e := range m.Exchanges {
			if e.Kind == warc.KindRequisite {
				n++
			}
		}
		return n
	}
	c := crawlerFor(t, Config{Requisites: true})
	if n := count(c, Ask{}); n == 0 {
		t.Error("first look: no requisites")
	}
	if n := count(c, Ask{}); n != 0 {
		t.Errorf("same bytes: %d requisites", n)
	}
	if n := count(c, Ask{AlwaysRequisites: true}); n == 0 {
		t.Error("asked for: no requisites")
	}
	off := crawlerFor(t, Config{})
	sink.seen = nil
	if n := count(off, Ask{AlwaysRequisites: true}); n != 0 {
		t.Errorf("switched off: %d requisites", n)
	}
}

func TestRequisiteBudget(t *testing.T) {
	big := strings.Repeat("x", 4000)
	var body strings.Builder
	pages := map[string]http.HandlerFunc{}
	for i := range 30 {
		fmt.Fprintf(&body, "<img src=/%d.png>", i)
		pages[fmt.Sprintf("/%d.png", i)] = text("image/png", big)
	}
	pages["/"] = html(body.String())
	s := serve(t, pages)
	for _, tc := range []struct {
		budget Budget
		want   int
	}{
		{Budget{Count: 7}, 7},
		{Budget{Bytes: 10000}, 3},
		{Budget{Bytes: 3000}, 1}, // cut at the limit, and the budget is spent
	} {
		c := crawlerFor(t, Config{Requisites: true, Budget: tc.budget})
		m := visit(t, c, &memorySink{}, source(s.URL+"/"), Ask{})
		n := 0
		for _, e := range m.Exchanges {
			if e.Kind == warc.KindRequisite {
				n++
			}
		}
		if n != tc.want || m.Result != warc.Captured {
			t.Errorf("budget %+v: %d requisites, result %s; want %d", tc.budget, n, m.Result, tc.want)
		}
	}
}

// Requisites wait for their hosts as pages do, and what the look has no time to
// wait for is left out.
func TestRequisitesDoNotWaitForever(t *testing.T) {
	limited := serve(t, map[string]http.HandlerFunc{"/a.png": func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "3600")
		w.WriteHeader(http.StatusTooManyRequests)
	}})
	s := serve(t, map[string]http.HandlerFunc{"/": html("<img src=" + limited.URL + "/a.png><img src=" + limited.URL + "/b.png>")})
	c := crawlerFor(t, Config{Requisites: true})
	m := visit(t, c, &memorySink{}, source(s.URL+"/"), Ask{})
	last := m.Exchanges[len(m.Exchanges)-1]
	if m.Result != warc.Captured || Code(last.Error) != CodeRateLimited || last.URI != limited.URL+"/b.png" {
		t.Errorf("result %s, last note %+v", m.Result, last)
	}
}
