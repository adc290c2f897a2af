package terms

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"
)

const benchSentence = "We <b>share</b> your <a href=\"/data?utm_source=x\">personal data</a> with partners that help us to run the service, as section %d of these terms says. "

// benchPage returns a page of about n bytes, of which code bytes are scripts.
func benchPage(n, code int) []byte {
	var b bytes.Buffer
	b.WriteString(`<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>Terms</title></head><body>
<header class="site-header"><nav><ul><li><a href="/">Home</a></li><li><a href="/about">About</a></li></ul></nav></header>
<div class="page-wrapper" id="app"><div class="container mx-auto px-4">`)
	for b.Len() < code {
		fmt.Fprintf(&b, "<script id=\"s%d\">var state = {%q: %q};</script>\n", b.Len(), "page", strings.Repeat("a<b&&c>d;", 400))
	}
	for i := 0; b.Len() < n; i++ {
		fmt.Fprintf(&b, "<section class=\"terms-section section-%d\"><h2 class=\"title title--large\">Section %d</h2>\n", i, i)
		for range 6 {
			fmt.Fprintf(&b, "<p class=\"body-text\">"+benchSentence+benchSentence+"</p>\n", i, i)
		}
		b.WriteString("<ul><li>first of the things</li><li>second of the things</li></ul></section>\n")
	}
	b.WriteString(`</div></div><footer><p>© 2026</p></footer></body></html>`)
	return b.Bytes()
}

// BenchmarkExtract measures extraction of a page of 1 MB, of a page of which nine
// tenths are scripts, and of Chinese; parse is the share of x/net/html, the floor.
func BenchmarkExtract(b *testing.B) {
	chinese := bytes.ReplaceAll(benchPage(500_000, 0), []byte("personal data"), []byte("个人信息以及我们处理这些信息的方式和目的"))
	for _, bench := range []struct {
		name string
		body []byte
	}{
		{"page", benchPage(1_000_000, 0)},
		{"scripts", benchPage(1_000_000, 900_000)},
		{"chinese", chinese},
	} {
		in := Input{Body: bench.body, ContentType: "text/html; charset=utf-8", URL: "https://example.com/terms"}
		b.Run(bench.name, func(b *testing.B) {
			b.SetBytes(int64(len(bench.body)))
			b.ReportAllocs()
			for b.Loop() {
				if text, _, err := Extract(b.Context(), in); err != nil || len(text.Blocks) == 0 {
					b.Fatal(text, err)
				}
			}
		})
		b.Run(bench.name+"/parse", func(b *testing.B) {
			b.SetBytes(int64(len(bench.body)))
			for b.Loop() {
				if _, err := html.Parse(bytes.NewReader(bench.body)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkDates measures the search for stated dates in a text whose every block
// has numbers.
func BenchmarkDates(b *testing.B) {
	text, _, err := Extract(b.Context(), Input{Body: benchPage(200_000, 0), ContentType: "text/html; charset=utf-8", URL: "https://example.com/terms"})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if found := Dates(text, time.Time{}); len(found) > 0 {
			b.Fatalf("dates in a text without: %v", found)
		}
	}
}
