package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestLoadConfig(t *testing.T) {
	for _, tc := range []struct {
		name, text string
		environ    []string
		sets       []string
		want       string // part of the error; "" for none
		check      func(*config) bool
	}{
		{name: "empty", text: "", check: func(c *config) bool { return c.Crawl.Delay == duration(5*time.Second) && c.Wayback.Enabled }},
		{name: "values", text: "crawl: {delay: 0s, full_every: 7d, max_body: 64MiB}\n", check: func(c *config) bool {
			return c.Crawl.Delay == 0 && c.Crawl.FullEvery == duration(168*time.Hour) && c.Crawl.MaxBody == 64<<20
		}},
		{name: "plain number of bytes", text: "crawl: {max_body: 1048576}\n", check: func(c *config) bool { return c.Crawl.MaxBody == 1<<20 }},
		{name: "variable over file", text: "crawl: {delay: 1s}\n", environ: []string{"FINEPRINT_CRAWL_DELAY=3s"}, check: func(c *config) bool { return c.Crawl.Delay == duration(3*time.Second) }},
		{name: "flag over variable", environ: []string{"FINEPRINT_CRAWL_DELAY=3s"}, sets: []string{"crawl.delay=4s"}, check: func(c *config) bool { return c.Crawl.Delay == duration(4*time.Second) }},
		{name: "unknown key", text: "crawl:\n  dealy: 1s\n", want: "line 2: dealy is not a known key of crawl"},
		{name: "unknown section", text: "crwal: {}\n", want: "line 1: crwal is not a known key of the configuration"},
		{name: "wrong type", text: "crawl:\n  concurrency: many\n", want: "line 2"},
		{name: "wrong duration", text: "crawl: {delay: soon}\n", want: `"soon" is no duration; write 90s, 12h or 7d`},
		{name: "wrong size", text: "crawl: {max_body: big}\n", want: `"big" is no size`},
		{name: "two documents", text: "archive: a\n---\narchive: b\n", want: "more than one YAML document"},
		{name: "no YAML", text: "{", want: "line 1"},
		{name: "robots for all", text: "crawl: {robots: ignore}\n", want: "with a `reason:` in its declaration"},
		{name: "no concurrency", text: "crawl: {concurrency: 0}\n", want: "choose 1 to 1000"},
		{name: "User-Agent injection", text: "contact: \"a@b.example\\r\\nX: y\"\n", want: "User-Agent"},
		{name: "unknown set", sets: []string{"crawl.dealy=1s"}, want: `"crawl.dealy" is not a key`},
		{name: "set without value", sets: []string{"crawl.delay"}, want: "is not KEY=VALUE"},
		{name: "bad variable", environ: []string{"FINEPRINT_CRAWL_CONCURRENCY=x"}, want: "FINEPRINT_CRAWL_CONCURRENCY"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			name := filepath.Join(t.TempDir(), "fineprint.yaml")
			if err := os.WriteFile(name, []byte(tc.text), 0o644); err != nil {
				t.Fatal(err)
			}
			c, err := loadConfig(name, tc.sets, tc.environ)
			if tc.want != "" {
				if err == nil || !strings.Contains(err.Error(), tc.want) || exitCode(err) != exitUsage {
					t.Fatalf("loadConfig = %v (exit code %d), want an error with %q and exit code 2", err, exitCode(err), tc.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if !tc.check(c) {
				t.Errorf("loadConfig = %+v", c)
			}
		})
	}
}

// TestTemplate holds the commented configuration that init writes against the
// code: with every comment taken away it must still load.
func TestTemplate(t *testing.T) {
	var lines []string
	for line := range strings.SplitSeq(string(configTemplate), "\n") {
		trimmed := strings.TrimLeft(line, " ")
		if key, _, ok := strings.Cut(strings.TrimPrefix(trimmed, "#"), ":"); ok && strings.HasPrefix(trimmed, "#") && !strings.Contains(key, " ") && key != "" {
			line = strings.Replace(line, "#", "", 1)
		}
		lines = append(lines, line)
	}
	c := defaultConfig()
	text := strings.Join(lines, "\n")
	if err := parseConfig([]byte(text), "template", &c); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	if c.Contact == "" || c.Crawl.Proxy == "" || c.Crawl.Vantage == "" {
		t.Errorf("the test does not see the commented keys: %+v", c)
	}
}

// FuzzConfig holds that no configuration makes the program panic, and that every
// one that is refused is a usage error.
func FuzzConfig(f *testing.F) {
	f.Add("archive: a\ncrawl: {delay: 0s}\n")
	f.Add(string(configTemplate))
	f.Add("a: &a [*a]\n")
	f.Fuzz(func(t *testing.T, text string) {
		c := defaultConfig()
		err := parseConfig([]byte(text), "fuzz", &c)
		if err == nil {
			c.base = "."
			err = c.resolve()
		}
		if err != nil && exitCode(err) != exitUsage {
			t.Errorf("%q: %v has exit code %d", text, err, exitCode(err))
		}
	})
}
