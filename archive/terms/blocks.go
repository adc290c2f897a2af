package terms

import (
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// What is no heading and no row although marked so.
const (
	// maxHeading: a heading with more characters holds a text, mostly since its end
	// tag is missing.
	maxHeading = 500
	// maxRow: a longer row belongs to a table that arranges the page.
	maxRow = 20_000
)

// builder makes blocks of parts of a page, in one walk. Its stacks are no deeper
// than the page's open elements.
type builder struct {
	page   *page
	links  *links
	blocks []Block

	text   line // of the block being made
	marks  markStack
	frames []frame
	lists  []list
	items  []listItem
	begun  map[int32]begunList // lists that parts were taken of

	joined bool // within a heading or row, which is one block whatever is in it
	cells  int  // seen in the row
	pre    int  // <pre> elements open
}

// frame is an open element that does something when it ends.
type frame struct {
	end   int32 // index behind it
	does  frameKind
	kind  Kind // of the block that it is, if joined
	level int
}

type frameKind uint8

const (
	frameBlock frameKind = iota
	frameJoined
	framePre
	frameList
	frameItem
	frameMark
	frameSpaced
)

// add makes blocks of an extent, without what is left out or taken already. Items of
// lists that begin before it have the level and the number that they have there.
func (b *builder) add(x extent) {
	b.enter(x.start)
	for i := x.start; i < x.end; {
		b.closeUntil(i)
		it := &b.page.items[i]
		switch {
		case it.flag&flagOut != 0:
			i = it.end
		case it.node.Type == html.TextNode:
			if it.flag&flagTaken == 0 {
				b.write(it.node.Data)
			}
			i++
		default:
			i = b.open(i)
		}
	}
	b.closeUntil(int32(len(b.page.items)))
	b.flush()
}

// closeUntil ends the elements that end before i.
func (b *builder) closeUntil(i int32) {
	for n := len(b.frames); n > 0 && b.frames[n-1].end <= i; n = len(b.frames) {
		f := b.frames[n-1]
		b.frames = b.frames[:n-1]
		switch f.does {
		case frameMark:
			b.marks.pop(len(b.text.buf))
			continue
		case frameSpaced:
			b.text.space()
			continue
		case frameJoined:
			b.joined = false
			b.flushAs(f.kind, f.level)
			continue
		case framePre:
			b.pre--
		}
		b.edge()
		switch f.does {
		case frameList:
			b.lists = b.lists[:len(b.lists)-1]
		case frameItem:
			b.items = b.items[:len(b.items)-1]
		}
	}
}

// open begins the element at i and returns the index of what comes next.
func (b *builder) open(i int32) int32 {
	it := &b.page.items[i]
	n := it.node
	if hex := attribute(n, "data-cfemail"); hex != "" {
		if address, ok := decodeEmail(hex); ok {
			b.protected(n, address)
			return it.end
		}
	}
	switch a := n.DataAtom; {
	case a == atom.Br:
		b.edge()
	case it.form&formMark != 0:
		if b.openMark(n) {
			b.push(it, frameMark)
		}
	case it.form&formSpaced != 0:
		b.text.space()
		b.push(it, frameSpaced)
	case it.form&formHeading != 0 || it.size > 0 && hasRole(n, "heading"):
		b.openHeading(it)
	case a == atom.Tr:
		b.openRow(i)
	case (a == atom.Td || a == atom.Th) && b.joined:
		b.openCell()
	case it.form&formList != 0:
		b.edge()
		b.lists = append(b.lists, newList(n))
		b.push(it, frameList)
	case a == atom.Li:
		b.edge()
		b.items = append(b.items, b.newItem(n))
		b.push(it, frameItem)
	case a == atom.Pre || a == atom.Xmp || a == atom.Listing || a == atom.Textarea:
		b.edge()
		b.pre++
		b.push(it, framePre)
	case it.form&formBlock != 0:
		b.edge()
		b.push(it, frameBlock)
	}
	return i + 1
}

func (b *builder) push(it *item, does frameKind) {
	b.frames = append(b.frames, frame{end: it.end, does: does})
}

// join begins an element that is one block.
func (b *builder) join(it *item, kind Kind, level int) {
	b.flush()
	b.joined = true
	b.frames = append(b.frames, frame{it.end, frameJoined, kind, level})
}

func (b *builder) openHeading(it *item) {
	if b.joined || it.size > maxHeading {
		b.edge()
		b.push(it, frameBlock)
		return
	}
	b.join(it, Heading, headingLevel(it.node))
}

// headingLevel returns the level of h1 to h6 or of role=heading, 2 by default.
func headingLevel(n *html.Node) int {
	if s := attribute(n, "aria-level"); len(s) == 1 && s[0] >= '1' && s[0] <= '6' && hasRole(n, "heading") {
		return int(s[0] - '0')
	}
	if len(n.Data) == 2 && n.Data[0] == 'h' && n.Data[1] >= '1' && n.Data[1] <= '6' {
		return int(n.Data[1] - '0')
	}
	return 2
}

// openRow begins a row; one with a single cell that says something, and one of a
// table that arranges the page, is no row.
func (b *builder) openRow(i int32) {
	it := &b.page.items[i]
	if b.joined || it.size > maxRow || b.page.isLayout(i) {
		b.edge()
		b.push(it, frameBlock)
		return
	}
	b.join(it, Row, 0)
	b.cells = 0
}

// isLayout reports whether the row at i arranges the page instead of telling data.
func (p *page) isLayout(i int32) bool {
	for up := p.items[i].up; up >= 0; up = p.items[up].up {
		if n := p.items[up].node; n.DataAtom == atom.Table {
			if p.items[up].flag&flagLayout != 0 || hasRole(n, "presentation") || hasRole(n, "none") {
				return true
			}
			break
		}
	}
	cells := 0
	for c := i + 1; c < p.items[i].end; c = p.items[c].end {
		if p.items[c].size > 0 && p.items[c].flag&flagOut == 0 {
			cells++
		}
	}
	return cells < 2
}

func (b *builder) openCell() {
	if b.cells++; b.cells > 1 {
		b.write(CellSeparator)
	}
}

// edge is where a block begins or ends: within a heading or row it only keeps words
// apart.
func (b *builder) edge() {
	if b.joined {
		b.text.space()
		return
	}
	b.flush()
}

// write adds text as it stands in the page.
func (b *builder) write(s string) {
	for b.pre > 0 && !b.joined {
		before, after, found := strings.Cut(s, "\n")
		if !found {
			break
		}
		b.marks.started(b.text.write(before))
		b.flush()
		s = after
	}
	b.marks.started(b.text.write(s))
}

// protected writes an e-mail address that the page hides from machines.
func (b *builder) protected(n *html.Node, address string) {
	if n.DataAtom == atom.A {
		b.marks.push(Link, "mailto:"+address)
		b.write(address)
		b.marks.pop(len(b.text.buf))
		return
	}
	b.write(address)
}

// openMark begins a mark, unless it would say nothing new.
func (b *builder) openMark(n *html.Node) bool {
	kind, url := Strong, ""
	switch n.DataAtom {
	case atom.Em, atom.I:
		kind = Em
	case atom.Code, atom.Tt, atom.Kbd, atom.Samp:
		kind = Code
	case atom.Del, atom.S, atom.Strike:
		kind = Del
	case atom.A:
		if kind, url = Link, b.links.target(n); url == "" {
			return false
		}
	}
	return b.marks.push(kind, url)
}

// flush ends the block being made.
func (b *builder) flush() {
	if n := len(b.items); n > 0 && !b.items[n-1].used {
		b.flushAs(Item, b.items[n-1].level)
		return
	}
	b.flushAs(Paragraph, 0)
}

func (b *builder) flushAs(kind Kind, level int) {
	text, marks, ok := b.text.end(&b.marks)
	if !ok {
		return
	}
	block := Block{Kind: kind, Level: level, Text: text, Marks: marks}
	if n := len(b.items); n > 0 && kind != Row {
		if !b.items[n-1].used && kind != Paragraph {
			block.Marker = b.items[n-1].marker
		}
		for i := n - 1; i >= 0 && !b.items[i].used; i-- {
			b.items[i].used = true
		}
	}
	b.blocks = append(b.blocks, block)
}
