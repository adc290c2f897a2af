package terms

import (
	"context"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"github.com/fineprint-archive/fineprint/crawler/declaration"
)

// How much of a page is shown by its Page.
const (
	openingCharacters  = 2000
	noscriptCharacters = 500
)

// extractHTML makes the text of a page.
func extractHTML(ctx context.Context, in Input) (*Text, *Page, error) {
	d := decodeBody(in, true)
	doc, problems := parsePage(d.text)
	h := &htmlPage{in: in, doc: doc, facts: &Page{Charset: d.charset, Mime: "text/html"}}
	h.facts.Problems = append(d.problems, problems...)
	h.list = newPage(doc, h.note)
	h.finish()
	if err := ctx.Err(); err != nil {
		return nil, nil, context.Cause(ctx)
	}
	blocks, err := h.blocks(ctx)
	if err != nil {
		return nil, nil, err
	}
	text := &Text{Extractor: ExtractorVersion, Title: h.facts.Title, Blocks: blocks}
	text.Lang = Language(text, h.facts.Lang)
	return text, h.facts, nil
}

// htmlPage is a page being extracted.
type htmlPage struct {
	in    Input
	doc   *html.Node
	list  *page
	links *links
	facts *Page

	base, refresh, title *string // first ones found
}

// note takes the facts of one element.
func (h *htmlPage) note(n *html.Node) {
	switch n.DataAtom {
	case atom.Html:
		if h.facts.Lang == "" {
			h.facts.Lang = firstOf(attribute(n, "lang"), attribute(n, "xml:lang"))
		}
	case atom.Base:
		if href := attribute(n, "href"); h.base == nil && href != "" {
			h.base = &href
		}
	case atom.Title:
		if h.title == nil && n.Namespace == "" {
			s := content(n)
			h.title = &s
		}
	case atom.Meta:
		if h.refresh == nil && strings.EqualFold(attribute(n, "http-equiv"), "refresh") {
			h.refresh = refreshTarget(attribute(n, "content"))
		}
	case atom.Script:
		h.facts.Scripts++
		h.facts.Code += len(content(n))
	case atom.A:
		if hasAttribute(n, "href") {
			h.facts.Links++
		}
	case atom.Input:
		h.facts.Password = h.facts.Password || strings.EqualFold(attribute(n, "type"), "password")
	case atom.Noscript:
		if utf8.RuneCountInString(h.facts.Noscript) < noscriptCharacters {
			h.facts.Noscript = joinWords(h.facts.Noscript, plainOf(content(n), noscriptCharacters), noscriptCharacters)
		}
	}
}

// finish makes the facts that need the whole page.
func (h *htmlPage) finish() {
	base := ""
	if h.base != nil {
		base = *h.base
	}
	h.links = newLinks(h.in.URL, base, h.in.Rules.RemoveQueryParams)
	if h.title != nil {
		h.facts.Title = joinWords("", *h.title, openingCharacters)
	}
	if h.refresh != nil {
		h.facts.Refresh = h.links.declared(*h.refresh)
	}
	if h.facts.Lang == "" {
		first, _, _ := strings.Cut(h.in.Language, ",")
		h.facts.Lang = strings.TrimSpace(first)
	}
	h.facts.Visible = int(h.list.items[h.list.body].size)
	h.facts.Opening = h.list.opening()
}

// blocks makes the blocks, by declared selectors or by the default rules.
func (h *htmlPage) blocks(ctx context.Context) ([]Block, error) {
	rules := h.in.Rules
	if len(rules.Select)+len(rules.Remove) == 0 {
		return h.defaults(), nil
	}
	if namesAddress(rules.Select) || namesAddress(rules.Remove) {
		h.links.rewriteLinks(h.doc)
	}
	c := &chooser{doc: h.doc, page: h.list}
	if len(rules.Select) == 0 {
		err := c.remove(ctx, rules.Remove)
		h.facts.Problems = append(h.facts.Problems, c.problems...)
		h.list = c.page
		return h.defaults(), err
	}
	return h.declared(ctx, c, rules)
}

// declared makes the blocks of what is selected.
func (h *htmlPage) declared(ctx context.Context, c *chooser, rules declaration.Part) ([]Block, error) {
	if err := c.remove(ctx, rules.Remove); err != nil {
		return nil, err
	}
	all, ok, err := c.pick(ctx, rules.Select)
	h.facts.Problems = append(h.facts.Problems, c.problems...)
	if err != nil {
		return nil, err
	}
	if !ok {
		return h.fallBack(len(rules.Remove) > 0), nil
	}
	b := &builder{page: c.page, links: h.links}
	for _, x := range all {
		b.add(x)
		for i := x.start; i < x.end; i++ {
			c.page.items[i].flag |= flagTaken
		}
	}
	return b.blocks, nil
}

// fallBack makes the blocks as if nothing had been declared, of the page anew if it
// was changed.
func (h *htmlPage) fallBack(changed bool) []Block {
	h.facts.Fallback = true
	if changed {
		doc, _ := parsePage(decodeBody(h.in, true).text)
		h.doc, h.list = doc, newPage(doc, nil)
	}
	return h.defaults()
}

// defaults makes the blocks by the default rules. A page that says next to nothing
// is searched for what it says to readers without JavaScript.
func (h *htmlPage) defaults() []Block {
	b := &builder{page: h.list, links: h.links}
	b.add(h.list.prune())
	if h.facts.Noscript == "" || h.facts.Visible >= emptyPage {
		return b.blocks
	}
	if more := h.noscript(); len(more) > 0 {
		return append(b.blocks, more...)
	}
	return b.blocks
}

// emptyPage: a page with fewer characters of text may have its text in <noscript>.
const emptyPage = 200

// noscript makes the blocks of what the <noscript> elements of a page hold.
func (h *htmlPage) noscript() []Block {
	var markup strings.Builder
	for n := range h.doc.Descendants() {
		if n.DataAtom == atom.Noscript {
			markup.WriteString(content(n))
			markup.WriteByte('\n')
		}
	}
	doc, _ := parsePage([]byte(markup.String()))
	list := newPage(doc, nil)
	b := &builder{page: list, links: h.links}
	b.add(extent{list.body, list.items[list.body].end})
	return b.blocks
}

// opening returns the beginning of the text of a page.
func (p *page) opening() string {
	var l line
	for i := p.body; i < p.items[p.body].end && len(l.buf) < utf8.UTFMax*openingCharacters; i++ {
		it := &p.items[i]
		if it.form&(formBlock|formSpaced) != 0 || it.node.DataAtom == atom.Br {
			l.space()
		}
		if it.node.Type == html.TextNode {
			l.write(it.node.Data[:min(len(it.node.Data), 1<<16)])
		}
	}
	return firstCharacters(strings.ToValidUTF8(string(l.buf), ""), openingCharacters)
}

// content returns the text that stands directly in an element.
func content(n *html.Node) string {
	if n.FirstChild == nil {
		return ""
	}
	if n.FirstChild == n.LastChild && n.FirstChild.Type == html.TextNode {
		return n.FirstChild.Data
	}
	var s strings.Builder
	for c := range n.ChildNodes() {
		if c.Type == html.TextNode {
			s.WriteString(c.Data)
		}
	}
	return s.String()
}

// plainOf returns the first characters of the text in markup.
func plainOf(markup string, most int) string {
	z := html.NewTokenizer(strings.NewReader(markup))
	var l line
	for len(l.buf) < utf8.UTFMax*most {
		switch z.Next() {
		case html.ErrorToken:
			return firstCharacters(string(l.buf), most)
		case html.TextToken:
			l.write(string(z.Text()))
		default:
			l.space()
		}
	}
	return firstCharacters(string(l.buf), most)
}

// joinWords returns the first characters of both texts with white space collapsed.
func joinWords(a, b string, most int) string {
	var l line
	l.write(a)
	l.space()
	l.write(b)
	return firstCharacters(string(l.buf), most)
}

// refreshTarget returns the address in the content of a <meta http-equiv=refresh>,
// nil without one.
func refreshTarget(value string) *string {
	i := strings.IndexAny(value, ";,")
	if i < 0 {
		return nil
	}
	target := strings.TrimSpace(value[i+1:])
	if len(target) >= 3 && strings.EqualFold(target[:3], "url") {
		if rest := strings.TrimSpace(target[3:]); strings.HasPrefix(rest, "=") {
			target = strings.TrimSpace(rest[1:])
		}
	}
	target = strings.Trim(target, "\"' ")
	if target == "" {
		return nil
	}
	return &target
}

// firstOf returns the first string that is not empty.
func firstOf(all ...string) string {
	if i := slices.IndexFunc(all, func(s string) bool { return s != "" }); i >= 0 {
		return all[i]
	}
	return ""
}
