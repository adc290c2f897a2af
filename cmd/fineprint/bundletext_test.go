package main

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// textSite is a site of a few terms whose words a test changes.
type textSite struct {
	*httptest.Server

	mu    sync.Mutex
	pages map[string]string // body by path
}

func startTextSite(t *testing.T) *textSite {
	t.Helper()
	s := &textSite{pages: map[string]string{}}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		body, ok := s.pages[r.URL.Path]
		if !ok {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprintf(w, "<!DOCTYPE html><html><head><title>Example</title></head><body><main>%s</main></body></html>", body)
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *textSite) set(path, body string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pages[path] = body
}

// paragraphs makes a page of some length around one paragraph.
func paragraphs(title, filler, own string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "<h1>%s</h1>", title)
	for i := range 12 {
		fmt.Fprintf(&b, "<p>%d. %s</p>", i+1, filler)
	}
	return b.String() + "<p>" + own + "</p>"
}

const (
	fillerEN = "You may use this service as long as you keep to these terms, and we may end it with a notice of thirty days."
	fillerZH = "只要您遵守本条款，即可使用本服务；我们可以提前三十天通知终止本服务。"
)

func (s *textSite) terms(own string) string   { return paragraphs("Terms of Service", fillerEN, own) }
func (s *textSite) chinese(own string) string { return paragraphs("服务条款", fillerZH, own) }

func (s *textSite) declarations() string {
	return strings.ReplaceAll(`name: Example
terms:
  Terms of Service:
    - {url: SITE/terms, lang: en}
    - {url: SITE/zh, lang: zh-CN}
  Privacy Policy:
    - combine:
        - {url: SITE/part1}
        - {url: SITE/part2}
      lang: en
  Community Guidelines:
    - {url: SITE/login, lang: en}
`, "SITE", s.URL)
}

// derivedIn is derived.json of an unpacked bundle.
type derivedIn struct {
	Documents []struct {
		Document, Grade, Outcome string
		Text                     *struct {
			Extractor string
			Captures  []struct {
				URL string
				N   int64
			}
		}
		NoText  string `json:"no_text"`
		Redline *struct{ Kind string }
		NoLine  string `json:"no_redline"`
	}
}

// texts unpacks a bundle and reads derived.json.
func texts(t *testing.T, file string) (dir string, list derivedIn) {
	t.Helper()
	dir = unpack(t, file)
	text, err := os.ReadFile(filepath.Join(dir, "derived.json"))
	must(t, err)
	must(t, json.Unmarshal(text, &list))
	if len(list.Documents) != 1 {
		t.Fatalf("%d documents in %s", len(list.Documents), text)
	}
	return dir, list
}

func readIn(t *testing.T, dir, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, name))
	must(t, err)
	return string(text)
}

// TestBundleTexts exports looks with all that can become of a text.
func TestBundleTexts(t *testing.T) {
	t.Parallel()
	site := startTextSite(t)
	site.set("/terms", site.terms("Your posts stay yours, and we do not sell your data."))
	site.set("/zh", site.chinese("您的内容归您所有，我们不会出售您的数据。"))
	site.set("/part1", paragraphs("Privacy, part one", fillerEN, "We collect your name."))
	site.set("/part2", paragraphs("Privacy, part two", fillerEN, "We keep it for a year."))
	site.set("/login", `<h1>Log in</h1><p>Please log in to continue.</p><form><input type="text"><input type="password"></form>`)
	p := newProgram(t, bundleConfig, site.declarations())
	p.must(t, []int{exitDone, exitPartly}, "-q", "crawl")
	site.set("/terms", site.terms("Your posts stay yours, and we may use them to train our models."))
	site.set("/zh", site.chinese("您的内容归您所有，我们可以用它训练人工智能模型。"))
	p.must(t, []int{exitDone, exitPartly}, "-q", "crawl", "--confirm-after", "0s")
	key, checker := p.publicKey(t), buildChecker(t)

	for _, tc := range []struct {
		name, look    string
		args          []string
		redline, line string   // kind; words that redline.txt has
		noText        string   // reason
		captures      []string // paths
	}{
		{"changed", "/terms@latest", nil, "changed", "[-do not sell your data-]{+may use them to train our models+}", "", []string{"/terms"}},
		{"Chinese", "/zh@latest", nil, "changed", "训练人工智能模型", "", []string{"/zh"}},
		{"range", "/zh@latest", []string{"--from", "first"}, "range", "训练人工智能模型", "", []string{"/zh"}},
		{"combined", "/part2@latest", nil, "", "", "", []string{"/part1", "/part2"}},
		{"no terms", "/login@latest", nil, "", "", "the page shows no terms (grade login)", nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			file := p.bundle(t, strings.ReplaceAll(tc.name, " ", "-")+".zip", append(tc.args, site.URL+tc.look)...)
			o := stranger(t).must(t, []int{exitDone}, "--json", "verify", file, "--key", key)
			checkSmall(t, checker, o, "--json", "--key", key, file)
			dir, list := texts(t, file)
			checkScript(t, dir, key, exitDone)
			d := list.Documents[0]
			if tc.noText != "" {
				if d.Text != nil || !strings.HasPrefix(d.NoText, tc.noText) || !strings.Contains(readIn(t, dir, "NOT-PRESENT.txt"), tc.noText) {
					t.Errorf("want no text, because %q: %+v", tc.noText, d)
				}
				return
			}
			if d.Text == nil || d.Text.Extractor == "" || d.Grade != "terms" {
				t.Fatalf("no text: %+v", d)
			}
			var paths []string
			for _, c := range d.Text.Captures {
				paths = append(paths, strings.TrimPrefix(c.URL, site.URL))
			}
			if strings.Join(paths, " ") != strings.Join(tc.captures, " ") {
				t.Errorf("made of %v, want %v", paths, tc.captures)
			}
			if tc.redline == "" {
				if d.Redline != nil || d.NoLine == "" {
					t.Errorf("want no redline and why: %+v", d)
				}
				return
			}
			if d.Redline == nil || d.Redline.Kind != tc.redline {
				t.Fatalf("redline is %+v (%s), want kind %s", d.Redline, d.NoLine, tc.redline)
			}
			if got := strings.ReplaceAll(readIn(t, dir, "redline.txt"), "\n  ", " "); !strings.Contains(strings.Join(strings.Fields(got), " "), tc.line) {
				t.Errorf("redline.txt does not show %q:\n%s", tc.line, got)
			}
			if got := readIn(t, dir, "redline.html"); !strings.Contains(got, "<ins>") {
				t.Errorf("redline.html has no insertion:\n%s", got)
			}
		})
	}

	t.Run("text as shown", func(t *testing.T) {
		dir, _ := texts(t, p.bundle(t, "shown.zip", site.URL+"/zh@latest"))
		for name, format := range map[string]string{"text.md": "markdown", "text.txt": "plain"} {
			if o := p.must(t, []int{exitDone}, "-q", "show", site.URL+"/zh", "--format", format); o.stdout != readIn(t, dir, name) {
				t.Errorf("%s is not what show prints", name)
			}
		}
	})

	t.Run("unconfirmed", func(t *testing.T) {
		site.set("/terms", site.terms("Your posts stay yours, and we may sell them."))
		p.must(t, []int{exitDone}, "-q", "capture", site.URL+"/terms", "-o", "unconfirmed.zip")
		dir, list := texts(t, p.path("unconfirmed.zip"))
		if d := list.Documents[0]; d.Outcome != "unconfirmed" || d.Redline == nil || d.Redline.Kind != "unconfirmed" {
			t.Errorf("outcome %s, redline %+v (%s)", d.Outcome, d.Redline, d.NoLine)
		}
		if !strings.Contains(readIn(t, dir, "README.txt"), "NOT CONFIRMED by a second look") {
			t.Error("README does not say that nobody has confirmed this text")
		}
	})

	t.Run("not derived", func(t *testing.T) {
		db, err := sql.Open("sqlite", p.path("catalog.sqlite"))
		must(t, err)
		_, err = db.ExecContext(t.Context(), "DELETE FROM readings")
		must(t, err)
		must(t, db.Close())
		dir, list := texts(t, p.bundle(t, "underived.zip", site.URL+"/zh@latest"))
		if d := list.Documents[0]; d.Text != nil || !strings.HasPrefix(d.NoText, "no text is derived from this look") {
			t.Errorf("want no text, and why: %+v", d)
		}
		if readme := readIn(t, dir, "README.txt"); !strings.Contains(readme, "There is no text in this bundle") {
			t.Errorf("README does not say that there is no text:\n%s", readme)
		}
	})
}
