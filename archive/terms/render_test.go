package terms

import (
	"bytes"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/html"
)

var (
	blockID     = regexp.MustCompile(`^(n-x-)?n[0-9]`)
	sgrSequence = regexp.MustCompile("\x1b\\[[0-9;]*m")
	hunkHead    = regexp.MustCompile(`^@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@`)
)

// checkRenderings checks what must hold of any rendering.
func checkRenderings(t failer, d *Diff) {
	t.Helper()
	checkTerminal(t, d)
	checkUnified(t, d)
	checkHTML(t, d)
}

// render returns what is rendered, twice the same.
func render(t failer, f func(*bytes.Buffer) error) string {
	t.Helper()
	var first, second bytes.Buffer
	for _, b := range []*bytes.Buffer{&first, &second} {
		if err := f(b); err != nil {
			t.Fatal(err)
		}
	}
	if first.String() != second.String() {
		t.Fatal("rendered twice, it differs")
	}
	return first.String()
}

// checkTerminal checks that lines fit, and that nothing of the text commands the
// terminal.
func checkTerminal(t failer, d *Diff) {
	t.Helper()
	out := render(t, func(w *bytes.Buffer) error {
		return RenderTerminal(w, d, TerminalOptions{Color: true, Context: 1, Width: 40})
	})
	out = sgrSequence.ReplaceAllString(out, "")
	for _, l := range strings.Split(out, "\n") {
		if columnsOf(l) > 40 {
			t.Fatalf("line of %d columns: %q", columnsOf(l), l)
		}
	}
	if strings.ContainsFunc(strings.ReplaceAll(out, "\n", ""), func(r rune) bool { return r < ' ' || r == '\u202e' || r >= 0x7f && r < 0xa0 }) {
		t.Fatalf("control characters in %q", out)
	}
}

// checkUnified checks that the hunks make the new plain text of the old one.
func checkUnified(t failer, d *Diff) {
	t.Helper()
	for _, context := range []int{0, 3, -1} {
		out := render(t, func(w *bytes.Buffer) error { return RenderUnified(w, d, UnifiedOptions{Context: context}) })
		if got, want := patch(t, d.OldText.Plain(), out), d.NewText.Plain(); got != want {
			t.Fatalf("context %d: the patch makes %q, want %q:\n%s", context, got, want, out)
		}
	}
}

// patch applies a unified diff, strictly.
func patch(t failer, old, diff string) string {
	t.Helper()
	if diff == "" {
		return old
	}
	lines := strings.SplitAfter(old, "\n")
	var out strings.Builder
	at, left, right := 0, 0, 0
	for k, l := range strings.SplitAfter(diff, "\n") {
		switch {
		case k < 2 || l == "":
		case left == 0 && right == 0:
			m := hunkHead.FindStringSubmatch(l)
			if m == nil {
				t.Fatalf("line %d: %q where a hunk begins", k+1, l)
			}
			number := func(s string, none int) int {
				if n, err := strconv.Atoi(s); err == nil {
					return n
				}
				return none
			}
			left, right = number(m[2], 1), number(m[4], 1)
			start := number(m[1], 0) - 1
			if left == 0 {
				start++
			}
			for ; at < start; at++ {
				out.WriteString(lines[at])
			}
		default:
			if l[0] != '+' {
				if lines[at] != l[1:] {
					t.Fatalf("line %d: %q where the old text has %q", k+1, l, lines[at])
				}
				at, left = at+1, left-1
			}
			if l[0] != '-' {
				out.WriteString(l[1:])
				right--
			}
		}
	}
	return out.String() + strings.Join(lines[at:], "")
}

// checkHTML checks that the page holds the new text without what is removed, in its
// order, that ids are unique and that links lead to them.
func checkHTML(t failer, d *Diff) {
	t.Helper()
	for _, o := range []HTMLOptions{{Context: 1}, {Context: -1, Fragment: true, IDPrefix: "n-x-"}, {Context: 0, Brief: true}} {
		page := render(t, func(w *bytes.Buffer) error { return RenderHTML(w, d, o) })
		doc, err := html.Parse(strings.NewReader(page))
		if err != nil {
			t.Fatal(err)
		}
		p := readPage(t, doc)
		for to := range p.links {
			if !p.ids[to] {
				t.Fatalf("link to #%s, which is not there:\n%s", to, page)
			}
		}
		if o.Brief {
			continue
		}
		var want []string
		for _, b := range d.NewText.Blocks {
			want = append(want, asRead(b.Text))
		}
		if diff := cmp.Diff(want, p.blocks); diff != "" {
			t.Fatalf("blocks of the page (-want +got):\n%s", diff)
		}
	}
}

// asRead is how a text comes back from HTML.
func asRead(s string) string { return strings.TrimSpace(printable(s)) }

// readBack is what a page holds.
type readBack struct {
	blocks     []string
	ids, links map[string]bool
}

func readPage(t failer, doc *html.Node) *readBack {
	p := &readBack{ids: map[string]bool{}, links: map[string]bool{}}
	for n := range doc.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		if n.Data == "script" || n.Data == "b" {
			t.Fatalf("<%s> in the page", n.Data)
		}
		for _, a := range n.Attr {
			switch {
			case a.Key == "id" && p.ids[a.Val]:
				t.Fatalf("two elements have the id %s", a.Val)
			case a.Key == "id":
				p.ids[a.Val] = true
			case a.Key == "href" && strings.HasPrefix(a.Val, "#"):
				p.links[a.Val[1:]] = true
			case a.Key == "href" || a.Key == "src" || strings.HasPrefix(a.Key, "on"):
				t.Fatalf("attribute %s=%q in the page", a.Key, a.Val)
			}
			if a.Key == "id" && blockID.MatchString(a.Val) {
				p.blocks = append(p.blocks, strings.TrimSpace(stands(n)))
			}
		}
	}
	return p
}

// stands returns the text of a block without what is removed, said or a bullet.
func stands(n *html.Node) string {
	if n.Type == html.TextNode {
		return n.Data
	}
	if n.Data == "del" {
		return ""
	}
	var b strings.Builder
	for _, a := range n.Attr {
		if a.Key == "class" && a.Val == "said" {
			return ""
		}
	}
	for c := range n.ChildNodes() {
		b.WriteString(stands(c))
	}
	for _, a := range n.Attr {
		if a.Key == "class" && a.Val == "item" {
			_, rest, _ := strings.Cut(b.String(), " ")
			return rest
		}
	}
	return b.String()
}

// TestContrast computes the contrast of each colour on its background, WCAG 2.2,
// section 1.4.3.
func TestContrast(t *testing.T) {
	rules := regexp.MustCompile(`\.redline([^{]*)\{([^}]*)\}`).FindAllStringSubmatch(RedlineCSS, -1)
	tested := 0
	for _, r := range rules {
		ink := regexp.MustCompile(`[ ;]color: #([0-9a-f]{6})`).FindStringSubmatch(" " + r[2])
		paper := regexp.MustCompile(`background: #([0-9a-f]{6})`).FindStringSubmatch(r[2])
		if (ink == nil) != (paper == nil) {
			t.Errorf(".redline%s has a colour without background or the reverse", r[1])
			continue
		}
		if ink == nil {
			continue
		}
		tested++
		a, b := luminance(t, ink[1]), luminance(t, paper[1])
		if ratio := (max(a, b) + 0.05) / (min(a, b) + 0.05); ratio < 4.5 {
			t.Errorf(".redline%s: contrast %.2f, want 4.5", r[1], ratio)
		}
	}
	if tested < 14 {
		t.Errorf("tested %d rules with colours, want at least 14", tested)
	}
}

// luminance is the relative luminance of an sRGB colour.
func luminance(t *testing.T, hex string) float64 {
	n, err := strconv.ParseUint(hex, 16, 32)
	if err != nil {
		t.Fatal(err)
	}
	linear := func(shift uint) float64 {
		v := float64(n>>shift&0xff) / 255
		if v <= 0.04045 {
			return v / 12.92
		}
		return math.Pow((v+0.055)/1.055, 2.4)
	}
	return 0.2126*linear(16) + 0.7152*linear(8) + 0.0722*linear(0)
}

func TestRenderWithoutTexts(t *testing.T) {
	d := Compare(lines("a"), lines("b"))
	d.OldText = nil
	for name, f := range map[string]func() error{
		"terminal": func() error { return RenderTerminal(&bytes.Buffer{}, d, TerminalOptions{}) },
		"html":     func() error { return RenderHTML(&bytes.Buffer{}, d, HTMLOptions{}) },
		"unified":  func() error { return RenderUnified(&bytes.Buffer{}, d, UnifiedOptions{}) },
	} {
		if err := f(); err == nil || !strings.Contains(err.Error(), "set OldText and NewText") {
			t.Errorf("%s: error %v", name, err)
		}
	}
	d.OldText = lines("a", "b")
	if err := RenderHTML(&bytes.Buffer{}, d, HTMLOptions{}); err == nil {
		t.Error("RenderHTML took a text of another number of blocks")
	}
}

// failing is a writer that takes so many bytes.
type failing int

func (f *failing) Write(b []byte) (int, error) {
	if *f -= failing(len(b)); *f < 0 {
		return 0, fmt.Errorf("full")
	}
	return len(b), nil
}

func TestRenderErrors(t *testing.T) {
	d := Compare(englishOld, englishBoth)
	for name, f := range map[string]func(*failing) error{
		"terminal": func(w *failing) error { return RenderTerminal(w, d, TerminalOptions{}) },
		"html":     func(w *failing) error { return RenderHTML(w, d, HTMLOptions{}) },
		"unified":  func(w *failing) error { return RenderUnified(w, d, UnifiedOptions{}) },
	} {
		w := failing(100)
		if err := f(&w); err == nil {
			t.Errorf("%s: no error of a writer that is full", name)
		}
	}
}
