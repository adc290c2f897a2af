package terms

import (
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// Menus often stand in elements without a name, a role or a telling class. Before the
// first sentence and behind the last one of a text, an element that is links to other
// pages and hardly anything else is taken for a menu; between them it may be a list
// that the text speaks of, and stays. So does what names a date, and what offers files.
const (
	// sentenceCharacters: a text outside of links with that many characters is one.
	sentenceCharacters = 60
	// menuLinks: a menu has that many links or more,
	menuLinks = 3
	// menuBefore and menuAfter: and this share of its text is in them (of 100).
	menuBefore, menuAfter = 85, 60
	// guardMenus: more than this share of the text is no menu but an index, all of
	// which stays (of 100).
	guardMenus = 20
)

// pruneEdges leaves menus out at both ends of the root.
func (p *page) pruneEdges(root extent) {
	first, last := p.sentences(root)
	if first < 0 {
		return
	}
	c := p.countEdges(root)
	var menus []int32
	sum := int32(0)
	for i := root.start + 1; i < root.end; {
		it := &p.items[i]
		share := int32(menuAfter)
		if it.end <= first {
			share = menuBefore
		}
		switch {
		case it.flag&flagOut != 0 || it.node.Type != html.ElementNode, it.end > first && i <= last:
			i = p.skipOut(i)
		case it.form&formHeading == 0 && c.isMenu(i-root.start, it.end-root.start, share):
			menus = append(menus, i)
			sum += c[it.end-root.start].all - c[i-root.start].all
			i = it.end
		default:
			i++
		}
	}
	if int64(sum)*100 > int64(c[len(c)-1].all)*guardMenus {
		return
	}
	for _, i := range menus {
		p.items[i].flag |= flagOut
	}
}

// sentences returns the indexes of the first and the last text in the root that is a
// sentence, -1 if there is none.
func (p *page) sentences(root extent) (first, last int32) {
	first, last = -1, -1
	for i := root.start; i < root.end; i = p.skipOut(i) {
		it := &p.items[i]
		if it.node.Type != html.TextNode || it.flag&flagOut != 0 || p.items[it.up].flag&flagLinked != 0 {
			continue
		}
		// Characters beyond ASCII have two bytes or three and say as much more.
		if it.size >= sentenceCharacters || it.size >= sentenceCharacters/3 && len(it.node.Data) >= int(it.size)*2 {
			if first < 0 {
				first = i
			}
			last = i
		}
	}
	return first, last
}

// edgeCounts are sums over what stands before an item of the root and is not left
// out. There is one for each item and one for the end.
type edgeCounts []struct {
	all    int32 // characters
	linked int32 // of them in links and buttons that lead away
	links  int32 // such links and buttons
	stays  int32 // texts outside of links with a digit, main headings, links to files
}

// isMenu reports whether the items from a to b are one, with that share in links.
func (c edgeCounts) isMenu(a, b, share int32) bool {
	from, to := &c[a], &c[b]
	return to.links-from.links >= menuLinks && to.stays == from.stays &&
		int64(to.linked-from.linked)*100 >= int64(to.all-from.all)*int64(share)
}

func (p *page) countEdges(root extent) edgeCounts {
	counts := make(edgeCounts, root.end-root.start+1)
	now := &counts[len(counts)-1] // ends as the sum of all
	until := int32(0)             // end of the link being walked through
	for i := root.start; i < root.end; {
		it := &p.items[i]
		next := p.skipOut(i)
		for j := i; j < next; j++ {
			counts[j-root.start] = *now
		}
		switch {
		case it.flag&flagOut != 0:
		case it.node.Type == html.TextNode:
			now.all += it.size
			if i < until {
				now.linked += it.size
			} else if strings.ContainsAny(it.node.Data, "0123456789") && !strings.Contains(it.node.Data, "©") {
				now.stays++
			}
		case it.node.DataAtom == atom.H1 || i >= until && leadsToFile(it.node):
			now.stays++
		case i >= until && leadsAway(it.node):
			until = it.end
			if it.size > 0 {
				now.links++
			}
		}
		i = next
	}
	return counts
}

// leadsToFile reports whether an element is a link to a document to download.
func leadsToFile(n *html.Node) bool {
	if n.DataAtom != atom.A {
		return false
	}
	path, _, _ := strings.Cut(strings.ToLower(attribute(n, "href")), "?")
	path, _, _ = strings.Cut(path, "#")
	for _, ending := range [...]string{".pdf", ".doc", ".docx", ".odt", ".rtf", ".xls", ".xlsx", ".csv", ".zip"} {
		if strings.HasSuffix(path, ending) {
			return true
		}
	}
	return false
}

// leadsAway reports whether an element is a button, or a link to somewhere else than
// on its own page.
func leadsAway(n *html.Node) bool {
	switch {
	case n.Type != html.ElementNode:
		return false
	case n.DataAtom == atom.A:
		href := attribute(n, "href")
		return href != "" && href[0] != '#'
	case n.DataAtom == atom.Button:
		return true
	}
	return hasRole(n, "button")
}
