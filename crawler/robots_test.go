package crawler

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fineprint-archive/fineprint/warc"
)

func TestRobotsRules(t *testing.T) {
	for _, tc := range []struct {
		name, robots string
		allowed      []string
		disallowed   []string
	}{
		{"empty", "", []string{"/", "/a?b"}, nil},
		{"no robots.txt at all", "<!DOCTYPE html><html><body>Not found: Disallow /", []string{"/"}, nil},
		{"empty disallow", "User-agent: *\nDisallow:\n", []string{"/"}, nil},
		{"all", "User-agent: *\nDisallow: /\n", []string{"/robots.txt"}, []string{"/", "/a"}},
		{"other robots only", "User-agent: otherbot\nDisallow: /\n", []string{"/"}, nil},
		{"rules before any group", "Disallow: /\n", []string{"/"}, nil},
		{"named group beats star", "User-agent: *\nDisallow: /\n\nUser-agent: fineprint\nDisallow: /x\n", []string{"/", "/y"}, []string{"/x"}},
		{"named group, version and case", "User-agent: FinePrint/2.0\nDisallow: /\n", nil, []string{"/"}},
		{"longer token is another", "User-agent: fineprint-images\nDisallow: /\n", []string{"/"}, nil},
		{"empty named group", "User-agent: *\nDisallow: /\n\nUser-agent: fineprint\nDisallow:\n", []string{"/"}, nil},
		{"merged groups", "User-agent: fineprint\nDisallow: /a\n\nUser-agent: b\nDisallow: /c\n\nUser-agent: fineprint\nDisallow: /b\n", []string{"/c"}, []string{"/a", "/b"}},
		{"several names", "User-agent: a\nUser-agent: fineprint\nDisallow: /x\n", nil, []string{"/x"}},
		{"other records do not end the names", "User-agent: fineprint\nCrawl-delay: 3\nSitemap: http://a/\nUser-agent: b\nDisallow: /x\n", nil, []string{"/x"}},
		// RFC 9309, section 5.1 and 5.2.
		{"RFC longest match", "User-agent: *\nAllow: /example/page/\nDisallow: /example/page/disallowed.gif\n",
			[]string{"/example/page/", "/example/page/a.gif"}, []string{"/example/page/disallowed.gif"}},
		{"RFC wildcards", "User-agent: *\nDisallow: *.gif$\nDisallow: /example/\nAllow: /publications/\n",
			[]string{"/publications/", "/a.gif?x", "/a.giff"}, []string{"/a.gif", "/example/x", "/x/y.gif"}},
		{"allow wins a tie", "User-agent: *\nDisallow: /p\nAllow: /p\n", []string{"/p", "/page"}, nil},
		{"longest wins whatever the order", "User-agent: *\nAllow: /p\nDisallow: /\n", []string{"/page"}, []string{"/q"}},
		{"wildcard counts its length", "User-agent: *\nAllow: /page\nDisallow: /*.htm\n", []string{"/page"}, []string{"/page.htm"}},
		{"dollar", "User-agent: *\nDisallow: /$\n", []string{"/a"}, []string{"/"}},
		{"dollar in the middle is a letter", "User-agent: *\nDisallow: /a$b\n", []string{"/a"}, []string{"/a$b"}},
		{"escaped specials", "User-agent: *\nDisallow: /x-%2A.html\nDisallow: /y-%24\n", []string{"/x-a.html", "/y-"}, []string{"/x-*.html", "/y-$"}},
		{"star at the end", "User-agent: *\nDisallow: /fish*\n", []string{"/Fish", "/catfish"}, []string{"/fish", "/fish.html", "/fishheads/a"}},
		{"stars in between", "User-agent: *\nDisallow: /*/fish*.php\n", []string{"/fish.php"}, []string{"/a/fish.php", "/a/b/fishheads/x.php?y"}},
		{"case matters in paths", "User-agent: *\nDisallow: /Terms\n", []string{"/terms"}, []string{"/Terms"}},
		{"query", "User-agent: *\nDisallow: /*?print=\n", []string{"/tos"}, []string{"/tos?print=1"}},
		{"no leading slash", "User-agent: *\nDisallow: private\n", []string{"/private"}, nil},
		// RFC 9309, section 2.2.2.
		{"escaped and plain octets", "User-agent: *\nDisallow: /foo/bar/ツ\nDisallow: /foo/%62%61%7A\n",
			[]string{"/foo/bar/"}, []string{"/foo/bar/%E3%83%84", "/foo/bar/%e3%83%84", "/foo/baz", "/foo/b%61z"}},
		{"an escaped slash is no slash", "User-agent: *\nDisallow: /a/b\n", []string{"/a%2Fb"}, []string{"/a/b"}},
		{"not UTF-8", "User-agent: *\nDisallow: /\xa3\n", []string{"/a"}, []string{"/%A3"}},
		// Forms met in the field.
		{"BOM, CR LF, tabs, comments", "\ufeffUser-agent:\t* # all\r\nDisallow:\t/x # not this\r\n", []string{"/y"}, []string{"/x"}},
		{"CR only", "User-agent: *\rDisallow: /x\r", []string{"/y"}, []string{"/x"}},
		{"lone percent sign", "User-agent: *\nDisallow: /?q=%ab\n", []string{"/?q=%%41B"}, []string{"/?q=%AB"}},
		{"misspelled", "Useragent: *\nDissallow: /x\nuser agent: b\n", nil, []string{"/x"}},
		{"missing colon", "User-agent *\nDisallow /x\n", nil, []string{"/x"}},
		{"star with a tail", "User-agent: * x\nDisallow: /x\n", nil, []string{"/x"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			rules := parseRobots([]byte(tc.robots), robotsToken)
			for want, paths := range map[bool][]string{true: tc.allowed, false: tc.disallowed} {
				for _, p := range paths {
					u, err := url.Parse("https://example.org" + p)
					if err != nil {
						t.Fatal(err)
					}
					if got, line := rules.verdict(u); got != want {
						t.Errorf("%s: allowed = %v by %q, want %v", p, got, line, want)
					}
				}
			}
		})
	}
}

func TestRobotsSizeLimit(t *testing.T) {
	filler := strings.Repeat("# nothing of importance\n", robotsMaxBytes/24)
	before := "User-agent: *\nDisallow: /early\n" + filler
	cut := before[:robotsMaxBytes-16] + "\nDisallow: /late/page\n"
	rules := parseRobots([]byte(cut), robotsToken)
	if len(rules.rules) != 1 {
		t.Errorf("%d rules, want the first only: a rule cut short means something else", len(rules.rules))
	}
}

func TestCrawlDelay(t *testing.T) {
	for line, want := range map[string]time.Duration{
		"5": 5 * time.Second, "0.5": 500 * time.Millisecond, "3600": maxCrawlDelay, "1e300": maxCrawlDelay, "inf": maxCrawlDelay,
		"-1": 0, "nan": 0, "soon": 0, "": 0, "0": 0,
	} {
		if got := parseRobots([]byte("User-agent: *\nCrawl-delay: "+line), robotsToken).delay; got != want {
			t.Errorf("Crawl-delay: %s is %s, want %s", line, got, want)
		}
	}
}

// A robots.txt made to be slow is not: 500 KiB of stars against a long address.
func TestRobotsHostilePatterns(t *testing.T) {
	body := "User-agent: *\n" + strings.Repeat("Disallow: /"+strings.Repeat("*a", 500)+"b\n", 500)
	rules := parseRobots([]byte(body), robotsToken)
	u := &url.URL{Scheme: "https", Host: "x", Path: "/" + strings.Repeat("a", 8000)}
	begin := time.Now()
	if allowed, _ := rules.verdict(u); !allowed {
		t.Error("disallowed by a pattern that does not match")
	}
	if d := time.Since(begin); d > 5*time.Second {
		t.Errorf("took %s", d)
	}
}

func FuzzRobots(f *testing.F) {
	f.Add("User-agent: *\nDisallow: /a*b$\nAllow: /\n", "/a/b")
	f.Add("\ufeffUSER-AGENT: Fineprint\r\nDisallow: /%e3%83%84\r\rCrawl-delay: 1e9", "/ツ?q=%2a")
	f.Add("User-agent: fineprint\nUser-agent: *\nDisallow: *", "/\xff%zz")
	f.Add("User-agent: *\nDisallow: /%%61b", "/%%61b%a%31")
	f.Fuzz(func(t *testing.T, body, path string) {
		rules := parseRobots([]byte(body), robotsToken)
		if rules.delay < 0 || rules.delay > maxCrawlDelay {
			t.Errorf("crawl delay %s", rules.delay)
		}
		u := &url.URL{Scheme: "https", Host: "example.org", Path: "/" + path}
		allowed, line := rules.verdict(u)
		if !allowed && !strings.HasPrefix(line, "Disallow: ") {
			t.Errorf("disallowed by %q", line)
		}
		// The same octets written differently get the same verdict.
		escaped, err := url.Parse("https://example.org" + u.EscapedPath())
		if err != nil {
			t.Fatal(err)
		}
		if again, _ := rules.verdict(escaped); again != allowed {
			t.Errorf("%q is allowed: %v, %q: %v", u.Path, allowed, escaped, again)
		}
		n := normalizeRobotsPath(path)
		if normalizeRobotsPath(n) != n {
			t.Errorf("normalizeRobotsPath is not stable: %q, %q, %q", path, n, normalizeRobotsPath(n))
		}
	})
}

// memoryRobots is a robots cache in memory.
type memoryRobots struct {
	mu    sync.Mutex
	rows  map[string]robotsRow
	loads int
}

type robotsRow struct {
	body    []byte
	status  int
	fetched time.Time
}

func (c *memoryRobots) LoadRobots(_ context.Context, origin string) ([]byte, int, time.Time, bool, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.loads++
	r, ok := c.rows[origin]
	return r.body, r.status, r.fetched, ok, nil
}

func (c *memoryRobots) SaveRobots(_ context.Context, origin string, body []byte, status int, fetched time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.rows == nil {
		c.rows = map[string]robotsRow{}
	}
	c.rows[origin] = robotsRow{body, status, fetched}
	return nil
}

func TestRobotsAnswers(t *testing.T) {
	long := "User-agent: *\nDisallow: /tos\n" + strings.Repeat("# filler\n", 1<<18)
	for _, tc := range []struct {
		name    string
		robots  http.HandlerFunc
		code    Code
		verdict string
	}{
		{"allows", text("text/plain", "User-agent: *\nAllow: /\n"), "", "allowed"},
		{"disallows", text("text/plain", "User-agent: *\nDisallow: /\n"), CodeRobots, "disallowed"},
		{"404", status(404), "", "allowed"},
		{"403", status(403), "", "allowed"},
		{"429", status(429), CodeRobotsUnreachable, "unreachable"},
		{"500", status(500), CodeRobotsUnreachable, "unreachable"},
		{"503", status(503), CodeRobotsUnreachable, "unreachable"},
		{"cut off", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000")
			io.WriteString(w, "User-agent: *\n")
		}, CodeTruncated, "unreachable"},
		{"gzip that is none", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			io.WriteString(w, "User-agent: *\n")
		}, "", ""},
		{"huge", text("text/plain", long), CodeRobots, "disallowed"},
		{"BOM", text("text/plain", "\ufeffUser-agent: *\nDisallow: /\n"), CodeRobots, "disallowed"},
		{"page instead", html("<p>Disallow: /</p>"), "", "allowed"},
		{"redirect", redirect("/r5"), CodeRobots, "disallowed"},
		{"six redirects", redirect("/r6"), "", "allowed"},
		{"redirect to nowhere", redirect("mailto:a@b"), "", "allowed"},
		{"redirect loop", redirect("/robots.txt"), "", "allowed"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			pages := map[string]http.HandlerFunc{
				"/robots.txt": tc.robots,
				"/tos":        html("terms"),
				"/r1":         text("text/plain", "User-agent: *\nDisallow: /tos\n"),
			}
			for i := 2; i <= 6; i++ {
				pages[fmt.Sprintf("/r%d", i)] = redirect(fmt.Sprintf("/r%d", i-1))
			}
			s := serve(t, pages)
			c := crawlerFor(t, Config{Robots: &memoryRobots{}})
			sink := &memorySink{}
			m := visit(t, c, sink, source(s.URL+"/tos"), Ask{})
			if tc.verdict == "" { // unreadable: some failure, and no page
				if m.Result != warc.Failed || m.Robots.Verdict != "unreachable" {
					t.Errorf("manifest = %+v, robots = %+v", m, m.Robots)
				}
				return
			}
			wantError(t, m, tc.code)
			if m.Robots.Verdict != tc.verdict {
				t.Errorf("robots = %+v, want %s", m.Robots, tc.verdict)
			}
			for _, k := range sink.all {
				if tc.code != "" && k.Kind != warc.KindRobots {
					t.Errorf("%s %s was fetched", k.Kind, k.URI)
				}
			}
		})
	}
}

func TestRobotsOfADeadHost(t *testing.T) {
	c := crawlerFor(t, Config{})
	m := visit(t, c, &memorySink{}, source("http://127.0.0.1:1/tos"), Ask{})
	wantError(t, m, CodeConnect)
	if m.Robots.Verdict != "unreachable" || len(m.Exchanges) != 1 || m.Exchanges[0].Kind != warc.KindRobots {
		t.Errorf("manifest = %+v", m)
	}
}

func TestRobotsIgnoredWithReason(t *testing.T) {
	s := serve(t, map[string]http.HandlerFunc{
		"/robots.txt": text("text/plain", "User-agent: *\nDisallow: /\n"),
		"/tos":        html("terms"),
	})
	c := crawlerFor(t, Config{})
	src := source(s.URL + "/tos")
	src.IgnoreRobots, src.RobotsReason = true, "公共合同"
	sink := &memorySink{}
	m := visit(t, c, sink, src, Ask{})
	if m.Result != warc.Captured || m.Robots.Policy != "ignore" || m.Robots.Reason != "公共合同" || len(sink.all) != 1 {
		t.Errorf("manifest = %+v, robots = %+v, exchanges %v", m, m.Robots, sink.uris(t))
	}
}

func TestRobotsAskedOncePerDay(t *testing.T) {
	var asked atomic.Int64
	s := serve(t, map[string]http.HandlerFunc{
		"/robots.txt": func(w http.ResponseWriter, _ *http.Request) { asked.Add(1); io.WriteString(w, "User-agent: *\n") },
		"/tos":        html("terms"),
	})
	cache := &memoryRobots{}
	c := crawlerFor(t, Config{Robots: cache})
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if m := c.Visit(t.Context(), source(s.URL+"/tos"), &memorySink{}, Ask{}); m.Result != warc.Captured {
				t.Errorf("manifest = %+v", m)
			}
		})
	}
	wg.Wait()
	if n := asked.Load(); n != 1 || cache.loads != 1 {
		t.Errorf("8 looks at once: asked %d times, cache read %d times, want 1 and 1", n, cache.loads)
	}
	// Another process, the same cache.
	visit(t, crawlerFor(t, Config{Robots: cache}), &memorySink{}, source(s.URL+"/tos"), Ask{})
	if n := asked.Load(); n != 1 {
		t.Errorf("the next run asked again: %d", n)
	}
	// A day later, or with a wrong clock.
	for _, fetched := range []time.Time{time.Now().Add(-25 * time.Hour), time.Now().Add(time.Hour)} {
		before := asked.Load()
		cache.rows[s.URL] = robotsRow{nil, 200, fetched}
		visit(t, crawlerFor(t, Config{Robots: cache}), &memorySink{}, source(s.URL+"/tos"), Ask{})
		if asked.Load() != before+1 {
			t.Errorf("a copy from %s was used", fetched)
		}
	}
}

func TestRobotsOldCopyStandsIn(t *testing.T) {
	s := serve(t, map[string]http.HandlerFunc{"/robots.txt": status(500), "/tos": html("terms"), "/no": html("no")})
	rules := []byte("User-agent: *\nDisallow: /no\n")
	for _, tc := range []struct {
		age  time.Duration
		path string
		code Code
	}{
		{48 * time.Hour, "/tos", ""},
		{48 * time.Hour, "/no", CodeRobots},
		{40 * 24 * time.Hour, "/tos", CodeRobotsUnreachable},
	} {
		cache := &memoryRobots{rows: map[string]robotsRow{s.URL: {rules, 200, time.Now().Add(-tc.age)}}}
		m := visit(t, crawlerFor(t, Config{Robots: cache}), &memorySink{}, source(s.URL+tc.path), Ask{})
		wantError(t, m, tc.code)
	}
}
