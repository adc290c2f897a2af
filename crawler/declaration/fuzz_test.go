package declaration

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
)

// addFiles seeds a fuzz target with the files of the archives in testdata whose
// names end in one of the suffixes.
func addFiles(f *testing.F, suffixes ...string) {
	f.Helper()
	archives, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(archives) == 0 {
		f.Fatalf("archives in testdata: %v, %v", archives, err)
	}
	for _, name := range archives {
		a, err := txtar.ParseFile(name)
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range a.Files {
			for _, suffix := range suffixes {
				if strings.HasSuffix(file.Name, suffix) {
					f.Add(file.Data)
				}
			}
		}
	}
}

// checkParsed checks what must hold of every parsed file: its set is sound, and
// there is an error if and only if a problem is one.
func checkParsed(t *testing.T, set *Set, err error) {
	checkSet(t, set)
	failed := false
	for _, p := range set.Problems {
		if p.Message == "" || p.Severity != SeverityError && p.Severity != SeverityWarning {
			t.Errorf("problem without message or severity: %+v", p)
		}
		if strings.ContainsAny(p.String(), "\r\n\x00") {
			t.Errorf("problem is more than a line: %q", p.String())
		}
		failed = failed || p.Severity == SeverityError
	}
	if failed != (err != nil) {
		t.Errorf("error is %v, problems %v", err, set.Problems)
	}
	if err == nil && len(set.Problems) == 0 && set.Services == 0 && len(set.Histories) == 0 {
		t.Error("nothing was read and nothing reported")
	}
}

func FuzzYAML(f *testing.F) {
	addFiles(f, ".yaml", ".yml")
	f.Add([]byte("name: &a X\nterms: {*a : [{url: 'https://x.com/', select: {start_before: a, end_after: b}}]}"))
	f.Fuzz(func(t *testing.T, data []byte) {
		set, err := Parse("fuzz.yaml", data, Options{})
		checkParsed(t, set, err)
	})
}

func FuzzOTA(f *testing.F) {
	addFiles(f, ".json")
	f.Fuzz(func(t *testing.T, data []byte) {
		set, err := Parse("Fuzz 抖音.json", data, Options{Lang: "zh"})
		checkParsed(t, set, err)
		set, err = Parse("Fuzz 抖音.history.json", data, Options{Lang: "zh"})
		checkParsed(t, set, err)
	})
}

func FuzzCanonical(f *testing.F) {
	archives, err := filepath.Glob("testdata/*.txtar")
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range archives {
		a, err := txtar.ParseFile(name)
		if err != nil {
			f.Fatal(err)
		}
		for line := range bytes.Lines(a.Files[len(a.Files)-1].Data) {
			f.Add(bytes.TrimSpace(line))
		}
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		source, documents, err := ParseCanonical(line)
		if err != nil {
			return
		}
		if got := encodeCanonical(source, documents); !bytes.Equal(got, line) {
			t.Errorf("canonical form of what was read is %s, want %s", got, line)
		}
	})
}

func FuzzNormalize(f *testing.F) {
	for _, s := range []string{
		"https://x.com/zh-cn/tos", "HTTP://User@X.com:80/a/../b?c#d", "https://日本語.jp/利用規約?q=あ", "https://[::1]:8080/",
		"https://0x7f.1/", "https://a.b-c.d/e.f/g_h?i=j&k=l.m", "https:\\\\x.com\\a", "https://xn--a/", "https://x.com/.",
		"https://x.com/%2e%2E/%ff?%", "https://a..b/", "https://1.2.3/",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		got, err := Normalize(raw)
		if err != nil {
			return
		}
		if again, err := Normalize(got); err != nil || again != got {
			t.Errorf("Normalize(%q) = %q, but again %q, %v", raw, got, again, err)
		}
		if slow, err := serialise(raw); err != nil || slow != got {
			t.Errorf("Normalize(%q) = %q, but parsed %q, %v", raw, got, slow, err)
		}
		if !strings.HasPrefix(got, "http://") && !strings.HasPrefix(got, "https://") || strings.ContainsAny(got, "# \r\n\t") {
			t.Errorf("Normalize(%q) = %q", raw, got)
		}
		for i := range len(got) {
			if got[i] <= ' ' || got[i] >= 0x7f {
				t.Errorf("Normalize(%q) = %q has byte 0x%02x", raw, got, got[i])
				break
			}
		}
	})
}
