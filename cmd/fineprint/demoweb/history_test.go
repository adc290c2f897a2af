package demoweb_test

import (
	"bytes"
	"context"
	"image/png"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/PuerkitoBio/goquery"
	"github.com/google/go-cmp/cmp"
	"github.com/temoto/robotstxt"
	"golang.org/x/text/encoding/simplifiedchinese"

	"github.com/fineprint-archive/fineprint/cmd/fineprint/demoweb"
	"github.com/fineprint-archive/fineprint/crawler/declaration"
)

// declared returns the set of the site's declarations.
func declared(t *testing.T, base demoweb.Base) *declaration.Set {
	t.Helper()
	set, err := declaration.Parse("plumvane.yaml", demoweb.Declarations(base), declaration.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range set.Problems {
		t.Errorf("declarations: %s", p)
	}
	return set
}

func TestDeclarations(t *testing.T) {
	site, srv := start(t, demoweb.Before)
	set := declared(t, srv.Base)
	if len(set.Documents) != 13 || len(set.Sources) != 13 {
		t.Errorf("%d documents of %d sources, want 13 of 13", len(set.Documents), len(set.Sources))
	}
	langs := map[string]int{}
	for _, d := range set.Documents {
		langs[d.Lang]++
	}
	if diff := cmp.Diff(map[string]int{"en": 9, "zh-CN": 4}, langs); diff != "" {
		t.Errorf("documents by language (-want +got):\n%s", diff)
	}
	for _, m := range demoweb.Moments() {
		site.Set(m)
		for _, s := range set.Sources {
			if got := get(t, s.URL); got.status == http.StatusNotFound {
				t.Errorf("%s: %s is declared and not there", m, s.URL)
			}
		}
	}
	if byName := declared(t, demoweb.Names()); len(byName.Sources) != 13 || !strings.HasPrefix(byName.Sources[0].URL, "http://"+demoweb.WWW+"/") {
		t.Errorf("by name: %d sources, the first %+v", len(byName.Sources), byName.Sources[0])
	}
}

func TestRobots(t *testing.T) {
	_, srv := start(t, demoweb.Before)
	rules, err := robotstxt.FromBytes(get(t, srv.Base.WWW+"/robots.txt").body)
	if err != nil {
		t.Fatal(err)
	}
	var refused, excepted []string
	for _, s := range declared(t, srv.Base).Sources {
		u, err := url.Parse(s.URL)
		if err != nil {
			t.Fatal(err)
		}
		if rules.TestAgent(u.Path, "fineprint") {
			continue
		}
		if s.IgnoreRobots {
			if s.RobotsReason == "" {
				t.Errorf("%s: no reason", s.URL)
			}
			excepted = append(excepted, u.Path)
			continue
		}
		refused = append(refused, u.Path)
	}
	if !slices.Equal(refused, []string{"/internal/sellers"}) || !slices.Equal(excepted, []string{"/internal/partners"}) {
		t.Errorf("refused %v, excepted %v", refused, excepted)
	}
}

var cssAddress = regexp.MustCompile(`url\("([^"]+)"\)`)

// TestRequisites follows a page to all that it needs.
func TestRequisites(t *testing.T) {
	_, srv := start(t, demoweb.Announced)
	for _, path := range []string{"/en/terms", "/zh-cn/terms", "/zh-cn/privacy"} {
		found := map[string]string{} // path to Content-Type
		var follow func(from, ref string)
		follow = func(from, ref string) {
			base, err := url.Parse(from)
			if err != nil {
				t.Fatal(err)
			}
			u, err := base.Parse(ref)
			if err != nil {
				t.Fatal(err)
			}
			if _, seen := found[u.Path]; seen {
				return
			}
			got := get(t, u.String())
			if got.status != 200 || len(got.body) == 0 {
				t.Errorf("%s names %s: status %d, %d bytes", from, u, got.status, len(got.body))
			}
			if "http://"+u.Host != srv.Base.Static {
				t.Errorf("%s is not on the host of static files", u)
			}
			kind := got.header.Get("Content-Type")
			found[u.Path] = kind
			switch kind {
			case "image/png":
				if _, err := png.Decode(bytes.NewReader(got.body)); err != nil {
					t.Errorf("%s: %v", u, err)
				}
			case "text/css; charset=utf-8":
				for _, m := range cssAddress.FindAllStringSubmatch(string(got.body), -1) {
					follow(u.String(), m[1])
				}
			}
		}
		doc, err := goquery.NewDocumentFromReader(bytes.NewReader(get(t, srv.Base.WWW+path).body))
		if err != nil {
			t.Fatal(err)
		}
		doc.Find("link[href], img[src]").Each(func(_ int, s *goquery.Selection) {
			follow(srv.Base.WWW+path, s.AttrOr("href", s.AttrOr("src", "")))
		})
		if diff := cmp.Diff(map[string]string{
			"/css/legal.css": "text/css; charset=utf-8", "/css/type.css": "text/css; charset=utf-8",
			"/img/paper.png": "image/png", "/img/mark.png": "image/png", "/font/caps.ttf": "font/ttf",
		}, found); diff != "" {
			t.Errorf("%s: what it needs (-want +got):\n%s", path, diff)
		}
	}
}

func TestGB18030(t *testing.T) {
	_, srv := start(t, demoweb.Before)
	got := get(t, srv.Base.WWW+"/zh-cn/privacy")
	if kind := got.header.Get("Content-Type"); kind != "text/html; charset=gb18030" {
		t.Errorf("Content-Type %q", kind)
	}
	text, err := simplifiedchinese.GB18030.NewDecoder().Bytes(got.body)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(text, []byte("梅向隐私政策")) || !bytes.Contains(text, []byte(`<meta charset="gb18030">`)) || bytes.Contains(got.body, []byte("梅向")) {
		t.Errorf("decoded: %.300s", text)
	}
}

// replay asks a site for every declared address twice at each moment, in one
// order, and returns whatever it answers, by request.
func replay(t *testing.T, site *demoweb.Site) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, m := range demoweb.Moments() {
		site.Set(m)
		for i := range 2 {
			for _, s := range declared(t, demoweb.Names()).Sources {
				req := httptest.NewRequestWithContext(t.Context(), http.MethodGet, s.URL, nil)
				req.Header.Set("Accept-Language", s.AcceptLanguage)
				rec := httptest.NewRecorder()
				cut := serveCut(site, rec, req)
				var head bytes.Buffer
				if err := rec.Result().Header.Write(&head); err != nil {
					t.Fatal(err)
				}
				if want := m == demoweb.After && i == 0 && strings.HasSuffix(s.URL, "/en/developers"); cut != want {
					t.Errorf("%s, look %d at %s: cut %t, want %t", m, i+1, s.URL, cut, want)
				}
				key := strings.Join([]string{m.String(), s.URL, s.AcceptLanguage, string(rune('1' + i))}, " ")
				all[key+" head"], all[key+" body"] = head.String(), rec.Body.String()
			}
		}
	}
	return all
}

// serveCut serves one request and reports whether the connection was to be cut.
func serveCut(h http.Handler, w http.ResponseWriter, r *http.Request) (cut bool) {
	defer func() {
		if p := recover(); p != nil {
			if p != http.ErrAbortHandler {
				panic(p)
			}
			cut = true
		}
	}()
	h.ServeHTTP(w, r)
	return false
}

func TestDeterministic(t *testing.T) {
	site := demoweb.New()
	first := replay(t, site)
	if diff := cmp.Diff(first, replay(t, demoweb.New())); diff != "" {
		t.Errorf("two sites differ (-one +other):\n%s", diff)
	}
	if diff := cmp.Diff(first, replay(t, site)); diff != "" {
		t.Errorf("a second round differs (-one +other):\n%s", diff)
	}
}

// TestNoise holds what differs between two looks at an unchanged page.
func TestNoise(t *testing.T) {
	_, srv := start(t, demoweb.Before)
	comment := regexp.MustCompile(`<!-- request [0-9a-f]{16} -->\n$`)
	for _, s := range declared(t, srv.Base).Sources {
		a, b := get(t, s.URL), get(t, s.URL)
		if a.header.Get("Date") == b.header.Get("Date") || a.header.Get("X-Request-Id") == b.header.Get("X-Request-Id") {
			t.Errorf("%s: the header blocks of two looks are the same", s.URL)
		}
		if noisy := !bytes.Equal(a.body, b.body); noisy {
			t.Errorf("%s: bodies differ", s.URL)
		}
	}
	a, b := get(t, srv.Base.WWW+"/en/community").body, get(t, srv.Base.WWW+"/en/community").body
	if bytes.Equal(a, b) || !comment.Match(a) || !bytes.Equal(comment.ReplaceAll(a, nil), comment.ReplaceAll(b, nil)) {
		t.Errorf("/en/community: want a comment that differs and nothing else:\n%.100q\n%.100q", a[len(a)-60:], b[len(b)-60:])
	}
}

// TestUnchangedBetweenMoments: these pages are to give revisits.
func TestUnchangedBetweenMoments(t *testing.T) {
	site, srv := start(t, demoweb.Before)
	seen := map[string][]byte{}
	for _, m := range demoweb.Moments() {
		site.Set(m)
		for _, path := range []string{"/en/privacy", "/zh-cn/privacy", "/legal", "/community", "/internal/partners", "/robots.txt"} {
			got := get(t, srv.Base.WWW+path, "Accept-Encoding", "gzip").body
			if before, ok := seen[path]; ok && !bytes.Equal(before, got) {
				t.Errorf("%s: %s has other bytes than before", m, path)
			}
			seen[path] = got
		}
	}
}

func TestStory(t *testing.T) {
	var moments []demoweb.Moment
	for _, step := range demoweb.Story() {
		moments = append(moments, step.Moment)
		if step.Title == "" || strings.ContainsAny(step.Title, ".\n") {
			t.Errorf("%s: title %q", step.Moment, step.Title)
		}
		if step.Text == "" || strings.Contains(step.Text, "\n") {
			t.Errorf("%s: text %q is not one line", step.Moment, step.Text)
		}
	}
	if diff := cmp.Diff(demoweb.Moments(), moments); diff != "" {
		t.Errorf("moments of the story (-want +got):\n%s", diff)
	}
	if !slices.IsSortedFunc(moments, func(a, b demoweb.Moment) int { return a.Time().Compare(b.Time()) }) {
		t.Errorf("moments %v are not in order of time", moments)
	}
}

func TestContextEndsServer(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	srv, err := demoweb.Start(ctx)
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	for range 2 {
		if err := srv.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	}
	if resp, err := http.Get(srv.Base.WWW + "/en/terms"); err == nil {
		resp.Body.Close()
		t.Error("the server still answers")
	}
	if _, err := demoweb.Start(ctx); err == nil {
		t.Error("Start with a context that is done: no error")
	}
}

func TestConcurrentUse(t *testing.T) {
	site, srv := start(t, demoweb.Before)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for _, path := range []string{"/en/terms", "/en/community", "/zh-cn/terms"} {
				if got := get(t, srv.Base.WWW+path); got.status != 200 {
					t.Errorf("%s: status %d", path, got.status)
				}
			}
		})
	}
	for _, m := range demoweb.Moments() {
		site.Set(m)
	}
	wg.Wait()
}
