package declaration

import (
	"context"
	"io/fs"
	"strings"
	"testing"
)

func TestStarter(t *testing.T) {
	t.Parallel()
	set, err := Load(context.Background(), []string{"."}, Options{FS: Starter()})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range set.Problems {
		t.Errorf("problem: %s", p)
	}
	if set.Services < 65 || len(set.Documents) < 165 {
		t.Errorf("starter has %d services and %d documents, want at least 65 and 165", set.Services, len(set.Documents))
	}
	langs := make(map[string]int)
	for _, d := range set.Documents {
		langs[d.Lang]++
	}
	for _, want := range []string{"en", "de", "fr", "ja", "ko", "zh-CN", "ar", "hi", "ru"} {
		if langs[want] == 0 {
			t.Errorf("starter has no document in %s", want)
		}
	}
	for _, s := range set.Sources {
		if !strings.HasPrefix(s.URL, "https://") {
			t.Errorf("address %s is not https", s.URL)
		}
		if s.IgnoreRobots {
			t.Errorf("starter ignores robots.txt of %s", s.URL)
		}
		if s.AcceptLanguage == "" {
			t.Errorf("address %s has no language", s.URL)
		}
	}
	for _, want := range []string{
		"x/terms-of-service/en", "x/terms-of-service/zh-cn", "x/terms-of-service/ja", "x/terms-of-service/de",
		"x/privacy-policy/en", "x/privacy-policy/zh-cn", "x/privacy-policy/ja", "x/privacy-policy/de",
	} {
		if _, ok := set.Document(want); !ok {
			t.Errorf("starter has no document %s", want)
		}
	}
	if got := set.Find("https://x.com/zh-cn/tos"); len(got) != 1 || got[0].ID != "x/terms-of-service/zh-cn" {
		t.Errorf("Find(x.com/zh-cn/tos) = %v", got)
	}
}

// Each starter file is one service, says that it was not verified, and writes its
// addresses as they are fetched.
func TestStarterFiles(t *testing.T) {
	t.Parallel()
	files, err := fs.Glob(Starter(), "*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		data, err := fs.ReadFile(Starter(), name)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(string(data), "# not verified live") {
			t.Errorf("%s does not begin with the comment that it was not verified", name)
		}
		set, err := Parse(name, data, Options{})
		if err != nil {
			t.Errorf("Parse(%s): %v", name, err)
			continue
		}
		if set.Services != 1 {
			t.Errorf("%s has %d services, want 1", name, set.Services)
		}
		for _, s := range set.Sources {
			if !strings.Contains(string(data), s.URL) {
				t.Errorf("%s: address is fetched as %s, written otherwise", name, s.URL)
			}
		}
	}
}
