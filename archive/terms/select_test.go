package terms

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fineprint-archive/fineprint/crawler/declaration"
)

// selectPage is a page to select from.
const selectPage = `<div class="top"><h1>Terms</h1><p class="date">1 May 2026</p></div>
<div id="content"><h2 id="a">Scope</h2><p>One <span class="note">(note)</span></p>
<ol start="4"><li>Four</li><li id="five">Five <b>bold</b></li><li>Six</li></ol>
<h2 id="b">Fees</h2><p>Two</p><div class="box"><p>Three</p><h2 id="c">End</h2><p>Last</p></div></div>
<ul class="links"><li><a href="/x?ref=1&lang=de">X</a></li><li><a href="https://other.example/y">Y</a></li></ul>
<nav>Menu</nav><script>code</script>`

func css(all ...string) []declaration.Selector {
	var selectors []declaration.Selector
	for _, s := range all {
		selectors = append(selectors, declaration.Selector{CSS: s})
	}
	return selectors
}

func TestExtractDeclared(t *testing.T) {
	type sel = declaration.Selector
	for _, test := range []struct {
		name     string
		rules    declaration.Part
		want     string
		problem  string
		fallback bool
	}{
		{name: "one", rules: declaration.Part{Select: css("#content p")}, want: "p One (note)\np Two\np Three\np Last\n"},
		{name: "declared order", rules: declaration.Part{Select: css("#b", ".date, h1")}, want: "h2 Fees\nh1 Terms\np 1 May 2026\n"},
		{name: "nothing else is pruned", rules: declaration.Part{Select: css("nav")}, want: "p Menu\n"},
		{name: "nested is not repeated", rules: declaration.Part{Select: css(".box", "#c", "h2")}, want: "p Three\nh2 End\np Last\nh2 Scope\nh2 Fees\n"},
		{name: "outer after inner", rules: declaration.Part{Select: css("#c", ".box")}, want: "h2 End\np Three\np Last\n"},
		{name: "lists", rules: declaration.Part{Select: css("ol")}, want: "i1 4. Four\ni1 5. Five bold\ni1 6. Six\n"},
		{name: "items", rules: declaration.Part{Select: css("li")}, want: "i1 4. Four\ni1 5. Five bold\ni1 6. Six\ni1 X\ni1 Y\n"},
		{name: "relations", rules: declaration.Part{Select: css("h1 + p, #content > p:nth-of-type(2), li:not(:first-child) b")}, want: "p 1 May 2026\np bold\np Two\n"},
		{name: "range before and before", rules: declaration.Part{Select: []sel{{StartBefore: "#a", EndBefore: "#b"}}},
			want: "h2 Scope\np One (note)\ni1 4. Four\ni1 5. Five bold\ni1 6. Six\n"},
		{name: "range after and after", rules: declaration.Part{Select: []sel{{StartAfter: "#b", EndAfter: "#c"}}}, want: "p Two\np Three\nh2 End\n"},
		{name: "range from within a list", rules: declaration.Part{Select: []sel{{StartBefore: "#five", EndBefore: "#b"}}}, want: "i1 5. Five bold\ni1 6. Six\n"},
		{name: "remove", rules: declaration.Part{Select: css("#content"), Remove: css(".note", "ol", ".box")}, want: "h2 Scope\np One\nh2 Fees\np Two\n"},
		{name: "remove range", rules: declaration.Part{Select: css("#content"), Remove: []sel{{StartAfter: "#a", EndBefore: "#c"}}}, want: "h2 Scope\nh2 End\np Last\n"},
		{name: "remove before range", rules: declaration.Part{Select: css("#content"), Remove: []sel{{StartBefore: "#a", EndBefore: "#b"}, {CSS: "#a"}, {CSS: "#b"}}},
			want: "p Two\np Three\nh2 End\np Last\n"},
		{name: "removed is not selected", rules: declaration.Part{Select: css("#content p"), Remove: css(".box")}, want: "p One (note)\np Two\n"},
		{name: "position after remove", rules: declaration.Part{Select: css("#content > :first-child"), Remove: css("#a")}, want: "p One (note)\n"},
		{name: "address", rules: declaration.Part{Select: css(`a[href="https://example.com/x?lang=de"]`), RemoveQueryParams: []string{"ref"}}, want: "p X\n"},
		{name: "remove only", rules: declaration.Part{Remove: css("#content", ".links", ".top p")}, want: "h1 Terms\np Menu\n"},
		{name: "one of several matches nothing", rules: declaration.Part{Select: css(".gone", "h1")}, want: "h1 Terms\n", problem: ProblemSelectNothing},
		{name: "nothing", rules: declaration.Part{Select: css(".gone"), Remove: css("h2")}, problem: ProblemSelectNothing, fallback: true},
		{name: "broken", rules: declaration.Part{Select: css("p[")}, problem: ProblemSelectNothing, fallback: true},
		{name: "no text", rules: declaration.Part{Select: css("br, script")}, problem: ProblemSelectNothing, fallback: true},
		{name: "range without start", rules: declaration.Part{Select: []sel{{CSS: "h1"}, {StartBefore: ".gone", EndBefore: "#b"}}}, problem: ProblemRangeNothing, fallback: true},
		{name: "range backwards", rules: declaration.Part{Select: []sel{{StartBefore: "#b", EndBefore: "#a"}}}, problem: ProblemRangeNothing, fallback: true},
		{name: "remove range without end", rules: declaration.Part{Select: css("h1"), Remove: []sel{{StartBefore: "h1", EndAfter: ".gone"}}}, want: "h1 Terms\n", problem: ProblemRangeNothing},
	} {
		t.Run(test.name, func(t *testing.T) {
			text, page := extractText(t, selectPage, test.rules)
			if test.fallback {
				undeclared, _ := extractText(t, selectPage, declaration.Part{})
				test.want = htmlOutline(undeclared)
			}
			if diff := cmp.Diff(test.want, htmlOutline(text)); diff != "" {
				t.Errorf("blocks (-want +got):\n%s", diff)
			}
			problem := ""
			if len(page.Problems) > 0 {
				problem = page.Problems[0].Code
			}
			if problem != test.problem || page.Fallback != test.fallback {
				t.Errorf("problems %v, fallback %v; want %q, %v", page.Problems, page.Fallback, test.problem, test.fallback)
			}
		})
	}
}
