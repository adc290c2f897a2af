package declaration

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func drawStrings(t *rapid.T, name string) []string {
	all := rapid.SliceOfN(rapid.String(), 0, 3).Draw(t, name)
	if len(all) == 0 {
		return nil
	}
	return all
}

func drawSelectors(t *rapid.T, name string) []Selector {
	n := rapid.IntRange(0, 3).Draw(t, name)
	var all []Selector
	for range n {
		s := Selector{CSS: rapid.StringN(1, 20, -1).Draw(t, "css")}
		if rapid.Bool().Draw(t, "range") {
			s = Selector{StartBefore: rapid.String().Draw(t, "before"), EndAfter: rapid.String().Draw(t, "after")}
		}
		all = append(all, s)
	}
	return all
}

func drawSource(t *rapid.T) Source {
	s := Source{
		URL:            "https://" + rapid.String().Draw(t, "url"),
		AcceptLanguage: rapid.SampledFrom([]string{"", "en", "zh-CN,zh;q=0.9"}).Draw(t, "language"),
		Vantage:        rapid.SampledFrom([]string{"", "frankfurt-1"}).Draw(t, "vantage"),
		AcceptEncoding: rapid.SampledFrom([]string{"", "br"}).Draw(t, "encoding"),
		IgnoreRobots:   rapid.Bool().Draw(t, "robots"),
		RobotsReason:   rapid.String().Draw(t, "reason"),
		Private:        rapid.Bool().Draw(t, "private"),
		Every:          time.Duration(rapid.Int64Range(0, int64(maxEvery)).Draw(t, "every")),
		FullEvery:      time.Duration(rapid.Int64Range(0, int64(maxEvery)).Draw(t, "full")),
	}
	s.ID = SourceID(s.URL, s.AcceptLanguage, s.Vantage)
	return s
}

func drawDocument(t *rapid.T, source string) Document {
	d := Document{
		ID: rapid.String().Draw(t, "id"), Service: rapid.String().Draw(t, "service"),
		ServiceID: rapid.String().Draw(t, "serviceID"), Terms: rapid.String().Draw(t, "terms"),
		Lang: rapid.SampledFrom([]string{"", "en", "zh-CN"}).Draw(t, "lang"), MovedFrom: rapid.String().Draw(t, "moved"),
	}
	for range rapid.IntRange(1, 3).Draw(t, "parts") {
		p := Part{
			Source: source, Select: drawSelectors(t, "select"), Remove: drawSelectors(t, "remove"),
			RemoveQueryParams: drawStrings(t, "params"), Filters: drawStrings(t, "filters"), PDF: rapid.Bool().Draw(t, "pdf"),
		}
		if rapid.Bool().Draw(t, "declared") {
			b := rapid.Bool().Draw(t, "scripts")
			p.ExecuteClientScripts = &b
		}
		d.Parts = append(d.Parts, p)
	}
	return d
}

// Whatever a source and its documents hold comes back from the canonical line,
// and the line is one line.
func TestCanonicalRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		source := drawSource(t)
		var documents []Document
		seen := make(map[string]bool)
		for range rapid.IntRange(0, 3).Draw(t, "documents") {
			if d := drawDocument(t, source.ID); !seen[d.ID] {
				seen[d.ID] = true
				documents = append(documents, d)
			}
		}
		line := encodeCanonical(source, documents)
		if bytes.ContainsAny(line, "\r\n") {
			t.Fatalf("canonical form is more than a line: %q", line)
		}
		gotSource, gotDocuments, err := ParseCanonical(line)
		if err != nil {
			t.Fatalf("ParseCanonical(%s): %v", line, err)
		}
		if diff := cmp.Diff(source, gotSource); diff != "" {
			t.Fatalf("source (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(documents, gotDocuments); diff != "" {
			t.Fatalf("documents (-want +got):\n%s", diff)
		}
	})
}

// The order of declaration does not reach the canonical line.
func TestCanonicalOrder(t *testing.T) {
	t.Parallel()
	const a, b = "  Imprint: {url: https://x.com/}\n", "  Privacy Policy: {url: https://x.com/}\n"
	one, err := Parse("a.yaml", []byte("name: X\nterms:\n"+a+b), Options{})
	if err != nil {
		t.Fatal(err)
	}
	two, err := Parse("a.yaml", []byte("name: X\nterms:\n"+b+a), Options{})
	if err != nil {
		t.Fatal(err)
	}
	id := one.Sources[0].ID
	if got, want := string(two.Canonical(id)), string(one.Canonical(id)); got != want {
		t.Errorf("canonical line is %s, want %s", got, want)
	}
	if got := two.Documents[0].Terms; got != "Privacy Policy" {
		t.Errorf("Canonical changed the order of the set: first is %s", got)
	}
}

func TestParseCanonicalErrors(t *testing.T) {
	t.Parallel()
	const good = `{"source":{"id":"aba8bffd8eddfd2f","url":"https://x.com/"},"v":1}`
	if _, _, err := ParseCanonical([]byte(good)); err == nil || !strings.Contains(err.Error(), "is not that of its address") {
		t.Errorf("wrong id: %v", err)
	}
	right := strings.Replace(good, "aba8bffd8eddfd2f", SourceID("https://x.com/", "", ""), 1)
	if _, _, err := ParseCanonical([]byte(right)); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct{ line, want string }{
		"empty":        {"", "unexpected end of JSON input"},
		"not JSON":     {"{", "unexpected end of JSON input"},
		"no version":   {"{}", "of version 0: want 1"},
		"newer":        {strings.Replace(right, `"v":1`, `"v":2`, 1), "of version 2: want 1; a newer program may have written it"},
		"unknown key":  {strings.Replace(right, `"v":1`, `"v":1,"w":1`, 1), `unknown field "w"`},
		"line feed":    {right + "\n", "not in canonical form"},
		"space":        {strings.Replace(right, `"v":1`, `"v": 1`, 1), "not in canonical form"},
		"two":          {right + right, "invalid character '{' after top-level value"},
		"bad duration": {strings.Replace(right, `"id"`, `"every":"soon","id"`, 1), "every: time: invalid duration"},
		"long zero":    {strings.Replace(right, `"id"`, `"every":"0s","id"`, 1), "not in canonical form"},
	} {
		if _, _, err := ParseCanonical([]byte(tt.line)); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: error is %v, want %q", name, err, tt.want)
		}
	}
}
