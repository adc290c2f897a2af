package terms

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// form is what an element is to a text, as bits.
type form uint16

const (
	formBlock   form = 1 << iota // begins and ends a block
	formNever                    // its content is never text: scripts, styles, metadata
	formHeading                  // h1 to h6
	formSection                  // main, article
	formSpaced                   // inline, but apart from its neighbours
	formMark                     // strong, em, code, del, a
	formList                     // ol, ul, menu
	formDropped                  // of the default rules: left out with its content
)

// elementForm returns the form of an element by its name.
func elementForm(a atom.Atom) form {
	switch a {
	case atom.Script, atom.Style, atom.Template, atom.Head, atom.Title, atom.Noscript, atom.Iframe,
		atom.Svg, atom.Noembed, atom.Noframes, atom.Video, atom.Audio, atom.Canvas, atom.Datalist,
		atom.Meta, atom.Link, atom.Base, atom.Map, atom.Applet:
		return formNever
	case atom.H1, atom.H2, atom.H3, atom.H4, atom.H5, atom.H6:
		return formBlock | formHeading
	case atom.Main, atom.Article:
		return formBlock | formSection
	case atom.Ol, atom.Ul, atom.Menu, atom.Dir:
		return formBlock | formList
	case atom.Nav, atom.Footer, atom.Aside, atom.Dialog:
		return formBlock | formDropped
	case atom.P, atom.Div, atom.Section, atom.Header, atom.Address, atom.Blockquote, atom.Pre,
		atom.Li, atom.Dl, atom.Dt, atom.Dd, atom.Table, atom.Caption, atom.Thead, atom.Tbody,
		atom.Tfoot, atom.Tr, atom.Td, atom.Th, atom.Form, atom.Fieldset, atom.Legend, atom.Figure,
		atom.Figcaption, atom.Details, atom.Summary, atom.Hgroup, atom.Hr, atom.Center, atom.Body,
		atom.Html, atom.Xmp, atom.Listing, atom.Plaintext, atom.Search, atom.Optgroup:
		return formBlock
	case atom.Option, atom.Select, atom.Textarea:
		return formBlock | formDropped
	case atom.Button:
		return formSpaced | formDropped
	case atom.Object, atom.Input:
		return formDropped
	case atom.Label, atom.Img:
		return formSpaced
	case atom.Strong, atom.B, atom.Em, atom.I, atom.Code, atom.Tt, atom.Kbd, atom.Samp, atom.Del,
		atom.S, atom.Strike, atom.A:
		return formMark
	}
	return 0
}

// item is an element or a text of a page.
type item struct {
	node *html.Node
	end  int32 // index of what follows it and its descendants
	up   int32 // index of its parent, -1 of the root
	size int32 // characters of text in it, white space not counted
	form form
	flag itemFlag
}

// itemFlag is what the rules found about an item, as bits.
type itemFlag uint8

const (
	flagOut    itemFlag = 1 << iota // left out, with its descendants
	flagTaken                       // selected already
	flagLayout                      // a table that arranges a page
	flagLinked                      // stands within a link
)

// page is a document as a list of its elements and texts in their order, so that
// every subtree is a stretch of the list and every walk is a loop. Comments and what
// is never text are not in it.
type page struct {
	items []item
	body  int32 // index of <body>, 0 without one
}

// newPage lists what is in a document. Found is called for each element, those
// included that are never text; it may be nil.
func newPage(doc *html.Node, found func(n *html.Node)) *page {
	p := &page{items: make([]item, 0, 1024)}
	var tables []int32
	up := int32(-1)
	for n := doc; n != nil; {
		i := int32(len(p.items))
		descend := false
		switch n.Type {
		case html.TextNode:
			size := countCharacters(n.Data)
			p.items = append(p.items, item{node: n, end: i + 1, up: up, size: size})
		case html.ElementNode, html.DocumentNode:
			if found != nil && n.Type == html.ElementNode {
				found(n)
			}
			form := elementForm(n.DataAtom)
			if n.DataAtom == atom.Template && attribute(n, "shadowrootmode") != "" {
				form = formBlock
			}
			if n.Namespace != "" && n.DataAtom != atom.Svg {
				form &^= formNever
			}
			if form&formNever != 0 {
				if found != nil && n.DataAtom == atom.Head {
					for d := range n.Descendants() {
						if d.Type == html.ElementNode {
							found(d)
						}
					}
				}
				break
			}
			if n.DataAtom == atom.Body && p.body == 0 {
				p.body = i
			}
			if len(tables) > 0 && (form&formHeading != 0 || n.DataAtom == atom.Table) {
				p.items[tables[len(tables)-1]].flag |= flagLayout
			}
			flag := itemFlag(0)
			if up >= 0 {
				flag = p.items[up].flag & flagLinked
			}
			if n.DataAtom == atom.A {
				flag |= flagLinked
			}
			if n.DataAtom == atom.Table {
				tables = append(tables, i)
			}
			p.items = append(p.items, item{node: n, up: up, form: form, flag: flag})
			if n.FirstChild != nil {
				descend = true
			} else {
				p.close(i, &tables)
			}
		}
		if descend {
			up, n = i, n.FirstChild
			continue
		}
		for n != doc && n.NextSibling == nil {
			n = n.Parent
			p.close(up, &tables)
			up = p.items[up].up
		}
		if n == doc {
			break
		}
		n = n.NextSibling
	}
	return p
}

// close ends the element at i, whose descendants are all listed.
func (p *page) close(i int32, tables *[]int32) {
	it := &p.items[i]
	it.end = int32(len(p.items))
	for c := i + 1; c < it.end; c = p.items[c].end {
		it.size += p.items[c].size
	}
	if n := len(*tables); n > 0 && (*tables)[n-1] == i {
		*tables = (*tables)[:n-1]
	}
}

// countCharacters counts the characters of a text, white space not counted.
func countCharacters(s string) int32 {
	n := int32(0)
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c < utf8.RuneSelf:
			if !isSpaceByte(c) {
				n++
			}
		case c >= 0xC0:
			r, _ := utf8.DecodeRuneInString(s[i:])
			if !unicode.IsSpace(r) && !isDroppedRune(r) {
				n++
			}
		}
	}
	return n
}

func isSpaceByte(c byte) bool { return c == ' ' || c >= '\t' && c <= '\r' }

// attribute returns the value of an attribute, "" without it.
func attribute(n *html.Node, key string) string {
	for i := range n.Attr {
		if n.Attr[i].Key == key {
			return n.Attr[i].Val
		}
	}
	return ""
}

// hasAttribute reports whether an element has an attribute, also an empty one.
func hasAttribute(n *html.Node, key string) bool {
	for i := range n.Attr {
		if n.Attr[i].Key == key {
			return true
		}
	}
	return false
}

// hasToken reports whether a list of words holds one, whatever its case.
func hasToken(list, word string) bool {
	for s := range strings.FieldsSeq(list) {
		if strings.EqualFold(s, word) {
			return true
		}
	}
	return false
}
