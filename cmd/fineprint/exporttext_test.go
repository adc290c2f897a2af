package main

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fineprint-archive/fineprint/archive/catalog"
	"github.com/fineprint-archive/fineprint/archive/terms"
)

// TestVersionNames has names that a file system, or a reader of the ZIP, could
// stumble over.
func TestVersionNames(t *testing.T) {
	at := time.Date(2024, 10, 17, 11, 0, 0, 5e8, time.UTC)
	row := func(document, service, what, lang string, at time.Time) catalog.VersionRow {
		return catalog.VersionRow{Document: document, Service: service, Terms: what, DocumentLang: lang, Time: at}
	}
	got := versionNames([]catalog.VersionRow{
		row("x/terms-of-service/en", "X", "Terms of Service", "en", at),
		row("x/terms-of-service/en", "X", "Terms of Service", "en", at.Add(time.Millisecond)),
		row("x/imprint/und", "../X", "Im\x00print: all", "", at),
		row("h/page-a/und", "h.example", "Page", "", at),
		row("h/page-b/und", "H.example", "Page", "", at),
		row("梅向/terms/zh-cn", "梅向", "..", "zh-CN", at),
	}, "md")
	want := []string{
		"X/Terms of Service-en/2024-10-17T11-00-00Z.md",
		"X/Terms of Service-en/2024-10-17T11-00-00Z-2.md",
		"-X/Im-print- all/2024-10-17T11-00-00Z.md",
		"h.example/Page (h-page-a-und)/2024-10-17T11-00-00Z.md",
		"H.example/Page (h-page-b-und)/2024-10-17T11-00-00Z.md",
		"梅向/-zh-CN/2024-10-17T11-00-00Z.md",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
}

// TestTextPage has a page's owner choose what is printed.
func TestTextPage(t *testing.T) {
	text := &terms.Text{Lang: `en" onload="x`, Blocks: []terms.Block{
		{Kind: terms.Heading, Level: 6, Text: "<b>Terms</b>"},
		{Kind: terms.Item, Level: 2, Marker: "b.", Text: "one two three", Marks: []terms.Mark{
			{Start: 0, End: 13, Kind: terms.Strong}, {Start: 4, End: 7, Kind: terms.Link, URL: `https://x.example/?a="b"`}, {Start: 8, End: 13, Kind: terms.Link, URL: "javascript:alert(1)"},
		}},
		{Kind: terms.Paragraph, Text: "私は\"同意\"します"},
	}}
	var out bytes.Buffer
	if err := writeTextPage(&out, catalog.VersionRow{Service: "<X>", Terms: "T", URL: "https://x.example/"}, text); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`<main lang="en&#34; onload=&#34;x" dir="auto">`, `<h6 dir="auto">&lt;b&gt;Terms&lt;/b&gt;</h6>`, "<title>&lt;X&gt;, T</title>", "私は&#34;同意&#34;します",
		`b. <strong>one <a rel="nofollow noreferrer" href="https://x.example/?a=&#34;b&#34;">two</a> three</strong></p>`,
	} {
		if !bytes.Contains(out.Bytes(), []byte(want)) {
			t.Errorf("the page has no %s:\n%s", want, out.String())
		}
	}
	if slices.ContainsFunc([]string{"<X>", "javascript:", "<b>"}, func(s string) bool { return bytes.Contains(out.Bytes(), []byte(s)) }) {
		t.Errorf("the page holds what it must not:\n%s", out.String())
	}
}
