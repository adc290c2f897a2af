package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fineprint-archive/fineprint/archive/catalog"
	"github.com/fineprint-archive/fineprint/archive/terms"
)

func TestExcerpt(t *testing.T) {
	long := strings.Repeat("é", 200) + " hit " + strings.Repeat("个", 600)
	for _, c := range []struct{ name, query, text, want string }{
		{"all of a short one", "sell data", "We sell Data.", "We <sell> <Data>."},
		{"cut at both ends", "hit", long, "…" + strings.Repeat("é", 119) + " <hit> " + strings.Repeat("个", 480-124) + "…"},
		{"a hit behind the end is left out", "a", "a" + strings.Repeat(".", 500) + "a", "<a>" + strings.Repeat(".", 479) + "…"},
		{"what steers a terminal", "red", "a \x1b[31mred\u009b", "a \ufffd[31mred\ufffd"},
	} {
		q, err := terms.ParseQuery(c.query)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(c.want, excerpt(c.text, q.Hits(c.text), "<", ">")); diff != "" {
			t.Errorf("%s: %s", c.name, diff)
		}
	}
}

func TestPrintFound(t *testing.T) {
	day := func(n int) time.Time { return time.Date(2024, 10, n, 8, 0, 0, 0, time.UTC) }
	found := []catalog.Found{
		{Document: "x/tos/en", Service: "X", Terms: "Terms of Service", Lang: "en", URL: "https://x.example/tos", Kind: "paragraph", Text: "We sell data.", FirstSeen: day(1), LastSeen: day(2), Gone: day(3)},
		{Document: "y/tos", Service: "Y", Terms: "Terms of Service", URL: "https://y.example/tos", Kind: "item", Block: 4, Text: "sell", FirstSeen: day(2), LastSeen: day(9)},
		{Document: "x/tos/en", Service: "X", Terms: "Terms of Service", Lang: "en", URL: "https://x.example/tos", Kind: "paragraph", Text: "We sell data.", FirstSeen: day(5), LastSeen: day(9)},
	}
	q, err := terms.ParseQuery("sell")
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	a := &app{stdout: &out}
	a.printFound(found, q)
	want := `X, Terms of Service (en)  x/tos/en
  since 2024-10-01 08:00:00, gone 2024-10-03 08:00:00 (last seen 2024-10-02 08:00:00)
    We **sell** data.
  since 2024-10-05 08:00:00, stands (last seen 2024-10-09 08:00:00)
    We **sell** data.

Y, Terms of Service  y/tos
  since 2024-10-02 08:00:00, stands (last seen 2024-10-09 08:00:00)
    **sell**
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Error(diff)
	}
	out.Reset()
	if err := a.printFoundJSON(found[1:2], q, true); err != nil {
		t.Fatal(err)
	}
	want = `{"document":"y/tos","service":"Y","terms":"Terms of Service","url":"https://y.example/tos","lang":null,"first_seen":"2024-10-02T08:00:00Z","last_seen":"2024-10-09T08:00:00Z","gone":null,"present":true,"kind":"item","block":4,"text":"sell","hits":[{"start":0,"end":4}]}
{"documents":1,"more":true,"passages":1}
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Error(diff)
	}
}
