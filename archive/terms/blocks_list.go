package terms

import (
	"strconv"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// list is an open list.
type list struct {
	ordered bool
	next    int // number of its next item
	step    int // 1, or -1 of a reversed list
	style   string
}

// listItem is an open item of a list.
type listItem struct {
	level  int
	marker string
	used   bool // a block was made of it, which bears the marker
}

// newList begins a list as the HTML Standard, section "the ol element", numbers it.
func newList(n *html.Node) list {
	l := list{ordered: n.DataAtom == atom.Ol, next: 1, step: 1, style: attribute(n, "type")}
	if !l.ordered {
		return l
	}
	if hasAttribute(n, "reversed") {
		l.step, l.next = -1, 0
		for c := range n.ChildNodes() {
			if c.DataAtom == atom.Li {
				l.next++
			}
		}
	}
	if start, err := strconv.Atoi(strings.TrimSpace(attribute(n, "start"))); err == nil {
		l.next = start
	}
	return l
}

// begunList is a list as it stands before the child at index at.
type begunList struct {
	list
	at int32
}

// enter opens the lists around the item at i, with their numbers so far.
func (b *builder) enter(i int32) {
	var around []int32 // list, child, list, child, from within
	for child, up := i, b.page.items[i].up; up >= 0; child, up = up, b.page.items[up].up {
		if b.page.items[up].form&formList != 0 {
			around = append(around, up, child)
		}
	}
	for ; len(around) > 0; around = around[:len(around)-2] {
		at, child := around[len(around)-2], around[len(around)-1]
		it := &b.page.items[at]
		l, ok := b.begun[at]
		if !ok || l.at > child {
			l = begunList{newList(it.node), at + 1}
		}
		for ; l.at < child; l.at = b.page.items[l.at].end {
			if n := b.page.items[l.at].node; n.DataAtom == atom.Li {
				l.number(n)
			}
		}
		if b.begun == nil {
			b.begun = map[int32]begunList{}
		}
		b.begun[at] = l
		b.lists = append(b.lists, l.list)
		b.push(it, frameList)
	}
}

// newItem begins an item of the innermost open list.
func (b *builder) newItem(n *html.Node) listItem {
	it := listItem{level: max(1, len(b.lists))}
	if len(b.lists) > 0 {
		it.marker = b.lists[len(b.lists)-1].number(n)
	}
	return it
}

// number returns the marker of the next item and counts it; "" in a list without
// numbers.
func (l *list) number(n *html.Node) string {
	if !l.ordered {
		return ""
	}
	if value, err := strconv.Atoi(strings.TrimSpace(attribute(n, "value"))); err == nil {
		l.next = value
	}
	style := l.style
	if own := attribute(n, "type"); own != "" {
		style = own
	}
	marker := numeral(l.next, style) + "."
	l.next += l.step
	return marker
}

// numeral writes a number as the type of a list asks: 1, a, A, i or I.
func numeral(n int, style string) string {
	switch {
	case n < 1:
	case style == "a":
		return letters(n)
	case style == "A":
		return strings.ToUpper(letters(n))
	case style == "i" && n < 4000:
		return roman(n)
	case style == "I" && n < 4000:
		return strings.ToUpper(roman(n))
	}
	return strconv.Itoa(n)
}

// letters counts a, b, … z, aa, ab.
func letters(n int) string {
	var s []byte
	for ; n > 0; n = (n - 1) / 26 {
		s = append([]byte{'a' + byte((n-1)%26)}, s...)
	}
	return string(s)
}

func roman(n int) string {
	numerals := [...]struct {
		value int
		sign  string
	}{
		{1000, "m"}, {900, "cm"}, {500, "d"}, {400, "cd"}, {100, "c"}, {90, "xc"}, {50, "l"},
		{40, "xl"}, {10, "x"}, {9, "ix"}, {5, "v"}, {4, "iv"}, {1, "i"},
	}
	var s strings.Builder
	for _, r := range numerals {
		for ; n >= r.value; n -= r.value {
			s.WriteString(r.sign)
		}
	}
	return s.String()
}
