package terms

import (
	"bytes"
	"fmt"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// Bounds of a page's tree. The parser of x/net/html gives up at 512 open elements;
// what it refuses is built by loose instead, which follows less of the HTML
// Standard and loses no text.
const (
	maxOpen  = 400       // elements open at once
	maxNodes = 4_000_000 // tags; what follows is text of one element
)

// parsePage returns the tree of a page and, if the page goes beyond the bounds, a
// problem. Scripting counts as enabled: what is in <noscript> is one text.
func parsePage(text []byte) (*html.Node, []Problem) {
	if tags := bytes.Count(text, []byte{'<'}); tags > maxNodes {
		doc := parseLoose(text, maxNodes)
		return doc, []Problem{{ProblemTooDeep, fmt.Sprintf("%d tags; those after the first %d are not followed", tags, maxNodes)}}
	}
	doc, err := html.Parse(bytes.NewReader(text))
	if err == nil {
		return doc, nil
	}
	return parseLoose(text, maxNodes), []Problem{{ProblemTooDeep, fmt.Sprintf("%d elements and more are open at once; deeper ones are taken for one", maxOpen)}}
}

// loose builds a tree in time linear in the tokens, whatever they are.
type loose struct {
	html, body *html.Node
	open       []*html.Node      // body first
	counts     map[atom.Atom]int // open elements by name
	over       int               // start tags not followed, as maxOpen are open
	nodes      int
	most       int             // tags to follow
	rest       strings.Builder // text behind those
}

// parseLoose builds the tree of a page from at most most tags.
func parseLoose(text []byte, most int) *html.Node {
	doc := &html.Node{Type: html.DocumentNode}
	l := &loose{
		html:   newElement(html.Token{Data: "html", DataAtom: atom.Html}),
		body:   newElement(html.Token{Data: "body", DataAtom: atom.Body}),
		counts: map[atom.Atom]int{},
		most:   most,
	}
	doc.AppendChild(l.html)
	l.html.AppendChild(l.body)
	l.open = []*html.Node{l.body}
	z := html.NewTokenizer(bytes.NewReader(text))
	for {
		switch z.Next() {
		case html.ErrorToken:
			if l.rest.Len() > 0 {
				l.top().AppendChild(&html.Node{Type: html.TextNode, Data: l.rest.String()})
			}
			return doc
		case html.TextToken:
			l.text(z)
		case html.StartTagToken, html.SelfClosingTagToken:
			if l.nodes++; l.nodes < most {
				l.start(z.Token())
			}
		case html.EndTagToken:
			if l.nodes < most {
				name, _ := z.TagName()
				l.end(atom.Lookup(name))
			}
		}
	}
}

func newElement(t html.Token) *html.Node {
	return &html.Node{Type: html.ElementNode, Data: t.Data, DataAtom: t.DataAtom, Attr: t.Attr}
}

func (l *loose) top() *html.Node { return l.open[len(l.open)-1] }

func (l *loose) text(z *html.Tokenizer) {
	if l.nodes < l.most {
		l.top().AppendChild(&html.Node{Type: html.TextNode, Data: string(z.Text())})
		return
	}
	l.rest.Write(z.Text())
	l.rest.WriteByte(' ')
}

func (l *loose) start(t html.Token) {
	switch t.DataAtom {
	case atom.Html:
		l.html.Attr = append(l.html.Attr, t.Attr...)
		return
	case atom.Body:
		l.body.Attr = append(l.body.Attr, t.Attr...)
		return
	case atom.Head:
		return
	}
	l.imply(t.DataAtom)
	n := newElement(t)
	l.top().AppendChild(n)
	switch {
	case isVoid(t.DataAtom) || t.Type == html.SelfClosingTagToken && t.DataAtom == 0:
	case len(l.open) >= maxOpen:
		switch {
		case isRaw(t.DataAtom):
			l.push(n) // its text is not the page's
		case !endsItself(t.DataAtom):
			l.over++
		}
	default:
		l.push(n)
	}
}

func (l *loose) push(n *html.Node) {
	l.open = append(l.open, n)
	l.counts[n.DataAtom]++
}

// imply closes what the start of an element ends without an end tag.
func (l *loose) imply(a atom.Atom) {
	top := l.top().DataAtom
	switch a {
	case atom.Li, atom.Option, atom.Tr, atom.Td, atom.Th:
		if top == a || top == atom.P && l.parentIs(a) {
			l.end(a)
		}
	case atom.Dt, atom.Dd:
		if top == atom.Dt || top == atom.Dd {
			l.end(top)
		}
	default:
		if top == atom.P && elementForm(a)&formBlock != 0 {
			l.end(atom.P)
		}
	}
}

func (l *loose) parentIs(a atom.Atom) bool {
	return len(l.open) > 1 && l.open[len(l.open)-2].DataAtom == a
}

func (l *loose) end(a atom.Atom) {
	if a == atom.P && l.top().DataAtom == atom.P || isRaw(a) && l.top().DataAtom == a {
		l.pop()
		return
	}
	if l.over > 0 {
		if !isVoid(a) && !endsItself(a) {
			l.over--
		}
		return
	}
	if a == 0 || l.counts[a] == 0 {
		return
	}
	for len(l.open) > 1 {
		found := l.top().DataAtom == a
		l.pop()
		if found {
			return
		}
	}
}

func (l *loose) pop() {
	if len(l.open) > 1 {
		l.counts[l.top().DataAtom]--
		l.open = l.open[:len(l.open)-1]
	}
}

// endsItself reports whether the end tag of an element may be missing.
func endsItself(a atom.Atom) bool {
	switch a {
	case atom.P, atom.Li, atom.Dt, atom.Dd, atom.Tr, atom.Td, atom.Th, atom.Tbody, atom.Thead, atom.Tfoot,
		atom.Option, atom.Optgroup, atom.Colgroup, atom.Caption:
		return true
	}
	return false
}

// isVoid reports whether an element has no end tag.
func isVoid(a atom.Atom) bool {
	switch a {
	case atom.Area, atom.Base, atom.Br, atom.Col, atom.Embed, atom.Hr, atom.Img, atom.Input,
		atom.Link, atom.Meta, atom.Param, atom.Source, atom.Track, atom.Wbr:
		return true
	}
	return false
}

// isRaw reports whether the tokenizer reads what is in an element as text.
func isRaw(a atom.Atom) bool {
	switch a {
	case atom.Iframe, atom.Noembed, atom.Noframes, atom.Noscript, atom.Plaintext, atom.Script,
		atom.Style, atom.Title, atom.Textarea, atom.Xmp:
		return true
	}
	return false
}
