package terms

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/andybalholm/cascadia"
	"golang.org/x/net/html"

	"github.com/fineprint-archive/fineprint/crawler/declaration"
)

// Declared selectors are applied as Open Terms Archive does: all nodes of all CSS
// selectors of remove are found first, then taken out, then the ranges of remove;
// select is matched against what is left, selector by selector in the declared order,
// every match of each. Two things differ. A piece of text that is selected twice,
// also as part of an element around it, stands where it was selected first and is not
// repeated. And what cannot be found is a problem with a fallback, no failure.

// chooser applies declared selectors to a page.
type chooser struct {
	doc      *html.Node
	page     *page
	problems []Problem
}

// remove takes out what the selectors match. The page is listed anew.
func (c *chooser) remove(ctx context.Context, selectors []declaration.Selector) error {
	var gone []extent
	for _, s := range selectors {
		found, err := c.find(ctx, s, "remove")
		if err != nil {
			return err
		}
		gone = append(gone, found...)
	}
	if len(gone) == 0 {
		return nil
	}
	c.detach(gone)
	c.page = newPage(c.doc, nil)
	return nil
}

// detach takes the nodes out that lie within the extents as a whole; elements that
// begin or end outside stay as shells.
func (c *chooser) detach(gone []extent) {
	slices.SortFunc(gone, func(a, b extent) int { return int(a.start) - int(b.start) })
	reach := int32(0) // end of the extents so far, joined
	for _, x := range gone {
		start := max(x.start, reach)
		for i := start; i < x.end; {
			it := &c.page.items[i]
			if it.end > x.end {
				i++
				continue
			}
			if it.node.Parent != nil && it.up >= 0 {
				it.node.Parent.RemoveChild(it.node)
			}
			i = it.end
		}
		reach = max(reach, x.end)
	}
}

// pick returns what the selectors match, in their order. None at all, and a range
// without its ends, make it fall back: ok is false.
func (c *chooser) pick(ctx context.Context, selectors []declaration.Selector) (all []extent, ok bool, err error) {
	ok = true
	for _, s := range selectors {
		found, err := c.find(ctx, s, "select")
		if err != nil {
			return nil, false, err
		}
		if len(found) == 0 && s.IsRange() {
			ok = false
		}
		all = append(all, found...)
	}
	size := int64(0)
	for _, x := range all {
		size += c.page.characters(x)
	}
	return all, ok && size > 0, nil
}

// find returns the extents that one selector matches; where says which list it
// stands in, for the problem if there are none.
func (c *chooser) find(ctx context.Context, s declaration.Selector, where string) ([]extent, error) {
	if s.IsRange() {
		x, problem, err := c.between(ctx, s, where)
		if problem != "" {
			c.problems = append(c.problems, Problem{ProblemRangeNothing, problem})
			return nil, err
		}
		return []extent{x}, err
	}
	found, err := c.match(ctx, s.CSS, false)
	if broken, ok := errors.AsType[*selectorError](err); ok {
		c.problems = append(c.problems, Problem{ProblemSelectNothing, where + " " + broken.Error()})
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if len(found) == 0 && where == "select" {
		c.problems = append(c.problems, Problem{ProblemSelectNothing, fmt.Sprintf("select %q matches nothing", s.CSS)})
	}
	all := make([]extent, len(found))
	for i, at := range found {
		all[i] = extent{at, c.page.items[at].end}
	}
	return all, nil
}

// selectorError says that a CSS selector cannot be read.
type selectorError struct {
	css string
	err error
}

func (e *selectorError) Error() string { return fmt.Sprintf("%q cannot be read: %v", e.css, e.err) }

// match returns where the elements stand that a CSS selector matches, the first one
// only if asked. Selectors such as :nth-child look at all siblings of each element,
// so that hostile pages are slow; ctx ends that.
func (c *chooser) match(ctx context.Context, css string, first bool) ([]int32, error) {
	selector, err := cascadia.ParseGroup(css)
	if err != nil {
		return nil, &selectorError{css, err}
	}
	var found []int32
	for i := range c.page.items {
		if i%1024 == 0 && ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		it := &c.page.items[i]
		if it.node.Type != html.ElementNode || !selector.Match(it.node) {
			continue
		}
		found = append(found, int32(i))
		if first {
			break
		}
	}
	return found, nil
}

// between returns the extent between the first matches of both ends; else the
// problem.
func (c *chooser) between(ctx context.Context, s declaration.Selector, where string) (x extent, problem string, err error) {
	start, problem, err := c.end(ctx, s.StartBefore, s.StartAfter, "start")
	if problem != "" || err != nil {
		return x, where + ": " + problem, err
	}
	end, problem, err := c.end(ctx, s.EndBefore, s.EndAfter, "end")
	if problem != "" || err != nil {
		return x, where + ": " + problem, err
	}
	if end <= start {
		return x, fmt.Sprintf("%s: end %q of the range stands before its start %q", where, s.EndBefore+s.EndAfter, s.StartBefore+s.StartAfter), nil
	}
	return extent{start, end}, "", nil
}

// end returns the index at one end of a range: before an element or behind it.
func (c *chooser) end(ctx context.Context, before, after, name string) (at int32, problem string, err error) {
	css := before + after
	found, err := c.match(ctx, css, true)
	broken, ok := errors.AsType[*selectorError](err)
	switch {
	case ok:
		return 0, name + " of the range " + broken.Error(), nil
	case err != nil:
		return 0, "", err
	case len(found) == 0:
		return 0, fmt.Sprintf("%s %q of the range matches nothing", name, css), nil
	case before != "":
		return found[0], "", nil
	}
	return c.page.items[found[0]].end, "", nil
}

// namesAddress reports whether a selector looks at addresses.
func namesAddress(all []declaration.Selector) bool {
	return slices.ContainsFunc(all, func(s declaration.Selector) bool {
		text := s.CSS + s.StartBefore + s.StartAfter + s.EndBefore + s.EndAfter
		return strings.Contains(text, "href") || strings.Contains(text, "src")
	})
}

// characters counts those of the text in an extent.
func (p *page) characters(x extent) int64 {
	n := int64(0)
	for i := x.start; i < x.end; i++ {
		if p.items[i].node.Type == html.TextNode {
			n += int64(p.items[i].size)
		}
	}
	return n
}
