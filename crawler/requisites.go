package crawler

import (
	"context"
	"net/url"
	"strings"

	"github.com/PuerkitoBio/goquery"
	"github.com/gocolly/colly/v2"

	"github.com/fineprint-archive/fineprint/warc"
)

// maxFound bounds the addresses noted from one page and its stylesheets.
const maxFound = 2000

// requisite is something a page needs to look as it did.
type requisite struct {
	address string
	via     string // record id of the page or stylesheet that names it
	sheets  int    // how deep the stylesheets are nested, 0 if it is not one
}

// collect notes what the page asks for, in the order in which it is worth
// having: stylesheets (with what they ask for), icons, images. Scripts are left
// out: archived pages are shown without running them.
func (v *visitor) collect(e *colly.HTMLElement) {
	var sheets, icons, images []string
	doc := e.DOM
	doc.Find("link[rel][href]").Each(func(_ int, s *goquery.Selection) {
		rel := strings.Fields(strings.ToLower(s.AttrOr("rel", "")))
		for _, r := range rel {
			switch r {
			case "stylesheet":
				sheets = append(sheets, s.AttrOr("href", ""))
				return
			case "icon", "apple-touch-icon":
				icons = append(icons, s.AttrOr("href", ""))
				return
			}
		}
	})
	doc.Find("style").Each(func(_ int, s *goquery.Selection) {
		for _, ref := range cssURLs(s.Text()) {
			if ref.sheet {
				sheets = append(sheets, ref.address)
			} else {
				images = append(images, ref.address)
			}
		}
	})
	doc.Find("[style]").Each(func(_ int, s *goquery.Selection) {
		for _, ref := range cssURLs(s.AttrOr("style", "")) {
			images = append(images, ref.address)
		}
	})
	doc.Find("img, source, video[poster], input[type=image][src], svg image").Each(func(_ int, s *goquery.Selection) {
		images = append(images, imageRefs(s)...)
	})
	for _, group := range []struct {
		refs   []string
		sheets int
	}{{sheets, 1}, {icons, 0}, {images, 0}} {
		for _, ref := range group.refs {
			v.add(absolute(e.Request, ref), v.hops.via, group.sheets)
		}
	}
}

// imageRefs returns the addresses an element shows as images.
func imageRefs(s *goquery.Selection) []string {
	var refs []string
	switch goquery.NodeName(s) {
	case "img", "input":
		refs = append(refs, s.AttrOr("src", ""))
	case "video":
		refs = append(refs, s.AttrOr("poster", ""))
	case "image":
		refs = append(refs, s.AttrOr("href", ""), s.AttrOr("xlink:href", ""))
	case "source":
		if goquery.NodeName(s.Parent()) != "picture" {
			return nil // sound and film
		}
	}
	return append(refs, srcset(s.AttrOr("srcset", ""))...)
}

// srcset returns the addresses of a srcset attribute (HTML, section 4.8.4.2.1):
// candidates are set apart by commas, but commas may stand inside an address.
func srcset(s string) []string {
	var refs []string
	for {
		s = strings.TrimLeft(s, " \t\n\f\r,")
		if s == "" {
			return refs
		}
		end := strings.IndexAny(s, " \t\n\f\r")
		if end < 0 {
			end = len(s)
		}
		ref := s[:end]
		s = s[end:]
		if cut := strings.TrimRight(ref, ","); cut != ref {
			ref = cut // no descriptor: the comma ends the candidate
		} else {
			s = afterDescriptor(s)
		}
		refs = append(refs, ref)
	}
}

// afterDescriptor skips to the comma that ends a candidate; one in parentheses
// does not.
func afterDescriptor(s string) string {
	depth := 0
	for i := range len(s) {
		switch s[i] {
		case '(':
			depth++
		case ')':
			depth--
		case ',':
			if depth <= 0 {
				return s[i+1:]
			}
		}
	}
	return ""
}

// add notes a requisite, once per address. Data and fragments of the page
// itself are none.
func (v *visitor) add(u *url.URL, via string, sheets int) {
	if u == nil || len(v.found) >= maxFound {
		return
	}
	address := u.String()
	if v.page != nil && address == v.page.ex.URI {
		return
	}
	for i := range v.found {
		if v.found[i].address == address {
			return
		}
	}
	v.found = append(v.found, requisite{address, via, sheets})
}

// requisites fetches what was found, one after another, within the budget. A
// failure is noted and does not count against the page; only a failing archive
// or the word to stop ends it.
func (v *visitor) requisites(ctx context.Context) {
	for i := 0; i < len(v.found) && ctx.Err() == nil && v.fatal == nil; i++ {
		if v.spent.Count >= v.c.budget.Count || v.spent.Bytes >= v.c.budget.Bytes {
			break
		}
		v.fetch(ctx, v.found[i])
	}
	if v.fatal != nil && v.fatal.Code == CodeStorage {
		// Our own fault, and the page's records may be all there is.
		v.m.Result, v.m.Error, v.m.Detail = warc.Failed, string(CodeStorage), detail(v.fatal)
	}
}

// fetch gets one requisite through Colly, and notes what a stylesheet asks for.
func (v *visitor) fetch(ctx context.Context, r requisite) {
	v.hops.close()
	v.hops = hops{kind: warc.KindRequisite, via: r.via}
	defer func() {
		if p := recover(); p != nil {
			v.blame(r, panicked(p))
		}
	}()
	col := v.collector(ctx)
	if r.sheets > 0 {
		col.OnResponse(func(resp *colly.Response) {
			for _, ref := range cssURLs(string(resp.Body)) {
				switch {
				case !ref.sheet:
					v.add(absolute(resp.Request, ref.address), v.hops.via, 0)
				case r.sheets < 2: // one level of @import
					v.add(absolute(resp.Request, ref.address), v.hops.via, r.sheets+1)
				}
			}
		})
	}
	if err := col.Visit(r.address); err != nil && !v.hops.blamed {
		v.blame(r, v.visitError(err))
	}
}

// blame notes why a requisite was not fetched, if no exchange says so.
func (v *visitor) blame(r requisite, err *Error) {
	v.m.Exchanges = append(v.m.Exchanges, warc.ExchangeNote{
		Kind: warc.KindRequisite, URI: r.address, Via: r.via, Error: string(err.Code), Detail: detail(err),
	})
}
