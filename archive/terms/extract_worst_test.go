package terms

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"testing"
	"time"
)

// hostile pages, of a size that n sets.
var hostilePages = []struct {
	name string
	page func(n int) string
	text string // that must not be lost
}{
	{"nesting", func(n int) string {
		return strings.Repeat("<div>", n) + "<p>deep</p>" + strings.Repeat("</div>", n) + "after"
	}, "deep"},
	{"nested text", func(n int) string { return strings.Repeat("<div>x ", n) + "end" }, "end"},
	{"nested marks", func(n int) string { return strings.Repeat("<b><i>", n) + "end" }, "end"},
	{"nested lists", func(n int) string { return strings.Repeat("<ol><li>", n) + "end" }, "end"},
	{"nested tables", func(n int) string { return strings.Repeat("<table><tr><td>", n) + "end" }, "end"},
	{"attribute", func(n int) string {
		return "<p class='" + strings.Repeat("footer x-", n) + "' id='" + strings.Repeat("y", 20*n) + "'>end"
	}, "end"},
	{"attributes", func(n int) string { return "<p " + strings.Repeat("a b=c ", n) + ">end" }, "end"},
	{"siblings", func(n int) string { return strings.Repeat("<p>one</p>", n) + "end" }, "end"},
	{"unclosed", func(n int) string { return strings.Repeat("<p><b class=x><li><font color=red>", n) + "end" }, "end"},
	{"articles", func(n int) string { return strings.Repeat("<article><nav>a</nav><p>one</article>", n) + "end" }, "end"},
	{"links", func(n int) string { return strings.Repeat("<a href=/x>a</a><br>", n) + "end" }, "end"},
	{"cells", func(n int) string { return "<table><tr>" + strings.Repeat("<td>a", n) + "<tr><td>x<td>end</table>" }, "end"},
	{"combining", func(n int) string { return "<p>end</p><p>a" + strings.Repeat("\u0301", n) }, "end"},
	{"one line", func(n int) string { return "<pre>" + strings.Repeat("word ", n) + "end" }, "end"},
	{"end tags", func(n int) string { return strings.Repeat("<i>", 600) + strings.Repeat("</div></p></x>", n) + "end" }, "end"},
}

// TestExtractHostile checks that no text of a hostile page is lost and that ten times
// the page takes far less than a hundred times as long, in one of a few tries: a
// busy machine passes, what is quadratic does not.
func TestExtractHostile(t *testing.T) {
	const n = 1500
	for _, h := range hostilePages {
		t.Run(h.name, func(t *testing.T) {
			var small, large time.Duration
			for range 5 {
				small, large = extractTime(t, h.page(n), h.text), extractTime(t, h.page(10*n), h.text)
				if large < 40*max(small, time.Millisecond) {
					return
				}
			}
			t.Errorf("%d: %v; %d: %v", n, small, 10*n, large)
		})
	}
}

// extractTime returns how long an extraction takes.
func extractTime(t *testing.T, body, want string) time.Duration {
	t.Helper()
	start := time.Now()
	text, _, err := Extract(t.Context(), Input{Body: []byte(body), ContentType: "text/html; charset=utf-8"})
	took := time.Since(start)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(text.Plain(), want) {
		t.Fatalf("lost %q", want)
	}
	if wrong := checkBlocks(text.Blocks); wrong != "" {
		t.Fatal(wrong)
	}
	return took
}

func TestExtractTooDeep(t *testing.T) {
	text, page, err := Extract(t.Context(), Input{
		Body:        []byte("<title>T</title><h1>Terms</h1>" + strings.Repeat("<div><p>x", 1000) + "<p>deep</p>" + strings.Repeat("</div>", 1000) + "<h2>After</h2><p>last"),
		ContentType: "text/html",
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(page.Problems) != 1 || page.Problems[0].Code != ProblemTooDeep {
		t.Errorf("problems %v", page.Problems)
	}
	if n := strings.Count(text.Plain(), "x"); n != 1000 {
		t.Errorf("%d of 1000 texts", n)
	}
	last := text.Blocks[len(text.Blocks)-2:]
	if page.Title != "T" || text.Blocks[0].Kind != Heading || last[0].Kind != Heading || last[0].Text != "After" || last[1].Text != "last" {
		t.Errorf("title %q, blocks %v … %v", page.Title, text.Blocks[0], last)
	}
}

// TestParseLoose checks that a page that the parser takes has the same words with
// and without it.
func TestParseLoose(t *testing.T) {
	for _, markup := range []string{selectPage, "<p>a<p>b<ul><li>c<li>d</ul><table><tr><td>e<td>f</table>", "<script>x</script><p>a <b>b</b>c<br>d"} {
		words := func(p *page) []string {
			b := &builder{page: p, links: newLinks("", "", nil)}
			b.add(extent{p.body, p.items[p.body].end})
			return strings.Fields((&Text{Blocks: b.blocks}).Plain())
		}
		doc, _ := parsePage([]byte(markup))
		if want, got := words(newPage(doc, nil)), words(newPage(parseLoose([]byte(markup), 1000), nil)); !slices.Equal(want, got) {
			t.Errorf("%s: %v, want %v", markup, got, want)
		}
	}
	p := newPage(parseLoose([]byte(strings.Repeat("<p>x", 50)), 10), nil)
	if n := p.items[p.body].size; n != 50 || len(p.items) > 30 {
		t.Errorf("%d characters in %d items", n, len(p.items))
	}
}

func TestExtractCancelled(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(context.DeadlineExceeded)
	if _, _, err := Extract(ctx, Input{Body: bytes.Repeat([]byte("<p>x"), 10)}); err != context.DeadlineExceeded {
		t.Errorf("error %v", err)
	}
}
