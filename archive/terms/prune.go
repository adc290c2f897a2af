package terms

import (
	"slices"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// The default rules, for pages without declared selectors: leave out what frames a
// page everywhere, keep everything that may be its text. A stray menu item is a
// small harm, a missing clause a great one; so every rule has a bound, and hidden
// text (hidden, aria-hidden, display:none, <details>) stays, as a reader can open it.
const (
	// guardNode: an element with this share of the text is never left out (of 100).
	guardNode = 30
	// guardTokens: nor is more than this share of the text in all because of classes
	// and identifiers (of 100).
	guardTokens = 30
	// guardConsent: the windows of consent managers are sure enough to be left out up to
	// this share (of 100), where consentRest characters or more are beside them.
	guardConsent = 70
	consentRest  = 400
	// guardProse: nor, because of a class of general meaning, an element with that
	// many characters outside of links.
	guardProse = 280
	// rootShare: an element that is the root of the text holds this share of what is
	// left (of 100).
	rootShare = 50
	// textareaProse: a <textarea> with that many characters shows terms; a shorter one
	// asks for an answer.
	textareaProse = 200
)

// extent is a part of a page's list: items[start:end].
type extent struct{ start, end int32 }

// prune marks what the default rules leave out and returns the root of the text.
func (p *page) prune() extent {
	total := int64(p.items[p.body].size)
	var candidates []candidate
	for i := p.body; i < p.items[p.body].end; {
		it := &p.items[i]
		if it.node.Type != html.ElementNode || i == p.body || it.flag&flagOut != 0 {
			i = p.skipOut(i)
			continue
		}
		small := int64(it.size)*100 < total*guardNode
		if small && p.isFrame(i) {
			it.flag |= flagOut
			i = it.end
			continue
		}
		kind := p.tokenKind(i)
		if kind == tokenConsent && int64(it.size)*100 < total*guardConsent && total-int64(it.size) >= consentRest {
			it.flag |= flagOut
			i = it.end
			continue
		}
		if small && kind != tokenNone {
			candidates = append(candidates, candidate{i, kind})
			i = it.end
			continue
		}
		i++
	}
	p.pruneTokens(candidates, total)
	root := p.root()
	p.pruneEdges(root)
	return root
}

// skipOut returns the index behind an item that is left out, else the next one.
func (p *page) skipOut(i int32) int32 {
	if p.items[i].flag&flagOut != 0 {
		return p.items[i].end
	}
	return i + 1
}

// candidate is an element that its classes or identifier speak against.
type candidate struct {
	at   int32
	kind tokenKind
}

// pruneTokens leaves out the candidates, the surest and then the smallest first, as
// long as the guards allow.
func (p *page) pruneTokens(candidates []candidate, total int64) {
	slices.SortStableFunc(candidates, func(a, b candidate) int {
		if a.kind != b.kind {
			return int(a.kind) - int(b.kind)
		}
		return int(p.items[a.at].size) - int(p.items[b.at].size)
	})
	sum := int64(0)
	for _, c := range candidates {
		sum += int64(p.items[c.at].size)
		if sum*100 > total*guardTokens {
			return
		}
		p.items[c.at].flag |= flagOut
	}
}

// root returns the smallest main or article with most of what is left, else the body.
func (p *page) root() extent {
	best := extent{p.body, p.items[p.body].end}
	left := p.left(best)
	total := left[len(left)-1]
	least := total + 1
	for i := p.body; i < best.end && i < int32(len(p.items)); i = p.skipOut(i) {
		it := &p.items[i]
		if it.node.Type != html.ElementNode || it.form&formSection == 0 && !hasRole(it.node, "main") {
			continue
		}
		n := left[it.end-p.body] - left[i-p.body]
		if int64(n)*100 >= int64(total)*rootShare && n < least && n > 0 {
			best, least = extent{i, it.end}, n
		}
	}
	return best
}

// left returns for each item of an extent how many characters of text that is not
// left out stand before it, and at the end their number.
func (p *page) left(x extent) []int32 {
	left := make([]int32, x.end-x.start+1)
	n := int32(0)
	for i := x.start; i < x.end; {
		it := &p.items[i]
		next := p.skipOut(i)
		for j := i; j < next; j++ {
			left[j-x.start] = n
		}
		if it.node.Type == html.TextNode && it.flag&flagOut == 0 {
			n += it.size
		}
		i = next
	}
	left[x.end-x.start] = n
	return left
}

// isFrame reports whether the element at i frames the page by its name or role.
func (p *page) isFrame(i int32) bool {
	it := &p.items[i]
	switch it.node.DataAtom {
	case atom.Button:
		return !p.isToggle(i)
	case atom.Textarea:
		return it.size < textareaProse
	case atom.Header:
		return p.isPageHeader(i)
	case atom.Footer:
		return !p.within(i, formSection)
	}
	if it.form&formDropped != 0 {
		return true
	}
	for role := range strings.FieldsSeq(attribute(it.node, "role")) {
		switch strings.ToLower(role) {
		case "dialog", "alertdialog", "navigation", "contentinfo", "search", "banner", "alert",
			"status", "menu", "menubar", "complementary", "toolbar":
			return true
		}
	}
	return false
}

// within reports whether an ancestor of the element at i has the form.
func (p *page) within(i int32, f form) bool {
	for i = p.items[i].up; i >= 0; i = p.items[i].up {
		if p.items[i].form&f != 0 {
			return true
		}
	}
	return false
}

// isPageHeader reports whether a <header> is that of the page: it stands in no
// main, article or section and names nothing.
func (p *page) isPageHeader(i int32) bool {
	for up := p.items[i].up; up >= 0; up = p.items[up].up {
		switch p.items[up].node.DataAtom {
		case atom.Main, atom.Article, atom.Section:
			return false
		}
	}
	return true
}

// isToggle reports whether the button at i is part of the text: it opens something,
// stands in a heading, or within a sentence.
func (p *page) isToggle(i int32) bool {
	n := p.items[i].node
	for _, key := range [...]string{"aria-controls", "aria-expanded", "data-toggle", "data-bs-toggle", "data-target", "data-bs-target"} {
		if hasAttribute(n, key) {
			return true
		}
	}
	if hasRole(n, "tab") || isSentence(n.PrevSibling) || isSentence(n.NextSibling) {
		return true
	}
	up := p.items[i].up
	for range 2 {
		if up < 0 {
			return false
		}
		it := &p.items[up]
		if it.form&formHeading != 0 || hasRole(it.node, "heading") {
			return true
		}
		switch it.node.DataAtom {
		case atom.Summary, atom.Dt, atom.Legend, atom.Caption:
			return true
		}
		up = it.up
	}
	return false
}

// isSentence reports whether a node is text that says something.
func isSentence(n *html.Node) bool {
	return n != nil && n.Type == html.TextNode && countCharacters(n.Data) > 1
}

func hasRole(n *html.Node, role string) bool {
	value := attribute(n, "role")
	return value != "" && hasToken(value, role)
}
