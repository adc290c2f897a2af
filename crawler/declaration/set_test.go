package declaration

import (
	"errors"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
)

func ids(documents []Document) []string {
	var all []string
	for _, d := range documents {
		all = append(all, d.ID)
	}
	return all
}

func TestFind(t *testing.T) {
	t.Parallel()
	set, err := Parse("x.yaml", []byte(`
name: X
terms:
  Terms of Service:
    - {url: https://x.com/tos, lang: en}
    - {url: https://x.com/tos, lang: zh-CN}
    - {url: https://x.com/de/tos, lang: de, moved_from: https://twitter.com/de/tos}
  Privacy Policy:
    - {url: https://x.com/tos, lang: en}
    - lang: fr
      combine: [{url: https://x.com/fr/1}, {url: https://x.com/fr/2}, {url: https://x.com/fr/1, select: footer}]
`), Options{})
	if err != nil {
		t.Fatal(err)
	}
	all := []string{"x/terms-of-service/en", "x/privacy-policy/en", "x/terms-of-service/zh-cn"}
	for query, want := range map[string][]string{
		"x/terms-of-service/en":                 {"x/terms-of-service/en"},
		"X/Terms-of-Service/zh-CN":              {"x/terms-of-service/zh-cn"},
		"https://x.com/tos":                     all,
		" HTTPS://X.com/a/../tos#top ":          all,
		SourceID("https://x.com/tos", "en", ""): all[:2],
		"https://x.com/fr/2":                    {"x/privacy-policy/fr"},
		"https://x.com/fr/1":                    {"x/privacy-policy/fr"},
		"https://twitter.com/de/tos":            {"x/terms-of-service/de"},
		"https://x.com/de/tos":                  {"x/terms-of-service/de"},
		"https://x.com/other":                   nil,
		"x/terms-of-service":                    nil,
		"":                                      nil,
		"not an address":                        nil,
		strings.Repeat("0", 16):                 nil,
	} {
		if diff := cmp.Diff(want, ids(set.Find(query))); diff != "" {
			t.Errorf("Find(%q) (-want +got):\n%s", query, diff)
		}
	}
	for name, want := range map[string]int{"X": 5, "x": 5, " x ": 5, "y": 0, "": 0} {
		if got := set.DocumentsOfService(name); len(got) != want {
			t.Errorf("DocumentsOfService(%q) = %v, want %d", name, ids(got), want)
		}
	}
	if len(set.Sources) != 5 || set.Services != 1 {
		t.Errorf("%d sources, %d services, want 5 and 1", len(set.Sources), set.Services)
	}
	if _, ok := set.Source("x"); ok {
		t.Error("Source of an unknown id")
	}
	if set.DocumentsOf("x") != nil || set.Canonical("x") != nil {
		t.Error("documents or canonical line of an unknown source")
	}
	checkSet(t, set)
}

func TestFromURLs(t *testing.T) {
	t.Parallel()
	set, err := FromURLs(strings.NewReader("\uFEFF# a list\r\n"+
		"https://x.com/en/tos\ten\r\n"+
		"\n"+
		"  https://x.com/zh-cn/tos\tzh-cn  \n"+
		"https://x.com/en/tos#again\ten\n"+
		"http://localhost:8080/利用規約\n"), Options{Lang: "ja", Vantage: "v"})
	if err != nil {
		t.Fatal(err)
	}
	checkSet(t, set)
	var got []string
	for _, d := range set.Documents {
		s, _ := set.Source(d.Parts[0].Source)
		got = append(got, strings.Join([]string{d.Service, d.Terms, d.Lang, s.URL, s.AcceptLanguage, s.Vantage}, " "))
	}
	want := []string{
		"x.com Page en https://x.com/en/tos en v",
		"x.com Page zh-CN https://x.com/zh-cn/tos zh-CN,zh;q=0.9 v",
		"localhost:8080 Page ja http://localhost:8080/%E5%88%A9%E7%94%A8%E8%A6%8F%E7%B4%84 ja v",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("documents (-want +got):\n%s", diff)
	}
	if id, want := set.Documents[0].ID, "x-com/page-en-tos-"+set.Sources[0].ID+"/en"; id != want {
		t.Errorf("document id is %s, want %s", id, want)
	}
	if set.Services != 2 {
		t.Errorf("%d services, want 2", set.Services)
	}
}

func TestFromURLsErrors(t *testing.T) {
	t.Parallel()
	set, err := FromURLs(strings.NewReader("https://x.com/1\nx.com\nhttps://x.com/2\tklingon\n\xff\nhttps://u:secret@x.com/\n"+
		strings.Repeat("x", 3*maxAddress)), Options{})
	want := `urls:2: address "x.com" does not begin with https:// or http://; write the whole address, such as https://example.org/terms
urls:3: "klingon" is not a language tag; write a BCP 47 tag such as en, zh-CN or pt-BR after the tab
urls:4: line is not UTF-8; save the list as UTF-8
urls:5: address holds a user name or a password; delete what stands before the @: only public pages are declared
urls:6: line is longer than 16384 bytes; write one address a line`
	if err == nil {
		t.Fatal("no error")
	}
	if diff := cmp.Diff(want, err.Error()); diff != "" {
		t.Errorf("error (-want +got):\n%s", diff)
	}
	if len(set.Sources) != 1 {
		t.Errorf("%d sources beside the errors, want 1", len(set.Sources))
	}
	broken := errors.New("broken pipe")
	if _, err := FromURLs(iotest.ErrReader(broken), Options{}); !errors.Is(err, broken) {
		t.Errorf("error of the reader: %v", err)
	}
}
