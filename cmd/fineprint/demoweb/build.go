package demoweb

import (
	"embed"
	"fmt"
	"net/http"
	"strings"
	"text/template"

	"golang.org/x/text/encoding/simplifiedchinese"
)

// files has the contents: templates of our own making, so that text/template,
// which keeps comments and escapes nothing, is the right one.
//
//go:embed site
var files embed.FS

const (
	cookiesPath = "/cookies"
	htmlType    = "text/html; charset=utf-8"
)

// build returns all pages of a moment.
func build(base Base, m Moment) []*page {
	pages := append(documents(base, m), moved(base, "/legal", "/en/terms"), moved(base, "/community", "/en/community"))
	pages = append(pages, file(WWW, "/robots.txt", "robots.txt", "text/plain; charset=utf-8"),
		file(Static, "/css/legal.css", "static/css/legal.css", "text/css; charset=utf-8"),
		file(Static, "/css/type.css", "static/css/type.css", "text/css; charset=utf-8"),
		file(Static, "/font/caps.ttf", "static/font/caps.ttf", "font/ttf"),
		&page{host: Static, path: "/img/paper.png", contentType: "image/png", body: paper()},
		&page{host: Static, path: "/img/mark.png", contentType: "image/png", body: mark()})
	for _, p := range pages {
		p.finish()
	}
	return pages
}

// finish fills in what follows from the body.
func (p *page) finish() {
	if strings.HasPrefix(p.contentType, "text/") {
		p.gzipped = compress(p.body)
	}
	if p.chinese != nil {
		p.chinese.finish()
	}
}

// documents returns the pages with a text.
func documents(base Base, m Moment) []*page {
	english := func(path, title, name string) *page {
		return document(base, sheet{Lang: "en", Path: "en", Title: title}, path, text(name, m == After))
	}
	chinese := func(path, title, name string) *page {
		return document(base, sheet{Lang: "zh-CN", Path: "zh-cn", Title: title}, path, text(name, m == After))
	}
	terms := english("/en/terms", "Terms of Service - Plumvane", "en/terms.html")
	termsZH := chinese("/zh-cn/terms", "服务条款 - 梅向", "zh-cn/terms.html")
	if m == Announced {
		terms.body = document(base, sheet{Lang: "en", Path: "en", Title: "Terms of Service - Plumvane"}, "", both("en")).body
		termsZH.body = document(base, sheet{Lang: "zh-CN", Path: "zh-cn", Title: "服务条款 - 梅向"}, "", both("zh-cn")).body
	}
	termsZH.chunked = true

	privacy := english("/en/privacy", "Privacy Policy - Plumvane", "en/privacy.html")
	privacy.etag = entityTag(privacy.body)
	community := english("/en/community", "Community Guidelines - Plumvane", "en/community.html")
	community.noise = true
	communityZH := chinese("/zh-cn/community", "社区规范 - 梅向", "zh-cn/community.html")
	cookies := english(cookiesPath, "Cookie Notice - Plumvane", "en/cookies.html")
	cookiesZH := chinese(cookiesPath, "Cookie声明 - 梅向", "zh-cn/cookies.html")
	copyright := english("/en/copyright", "Copyright Claims - Plumvane", "en/copyright.html")
	developers := english("/en/developers", "Developer Terms - Plumvane", "en/developers.html")

	switch m {
	case Announced:
		communityZH = challenge("/zh-cn/community", http.StatusForbidden)
		cookies = challenge(cookiesPath, http.StatusOK)
		copyright.first = unavailable
	case After:
		developers.first = cut
	}
	cookies.chinese = cookiesZH
	return []*page{terms, termsZH, privacy,
		inGB18030(chinese("/zh-cn/privacy", "隐私政策 - 梅向", "zh-cn/privacy.html")),
		community, communityZH, cookies, copyright, developers,
		english("/internal/sellers", "Conditions for Sellers - Plumvane", "en/sellers.html"),
		english("/internal/partners", "Affiliate Agreement - Plumvane", "en/partners.html"),
	}
}

// link is an entry of a page's navigation.
type link struct{ Address, Name string }

// sheet is what site/layout.html is filled with.
type sheet struct {
	Lang, Path, Title, Charset, Static, Body string
	Nav                                      []link
}

// document returns a page of www: a text in the layout, coded in UTF-8.
func document(base Base, s sheet, path, body string) *page {
	s.Charset, s.Static, s.Body = "utf-8", base.Static, body
	s.Nav = []link{{"/en/terms", "Terms"}, {"/en/privacy", "Privacy"}, {"/en/community", "Community"}, {cookiesPath, "Cookies"}, {"/zh-cn/terms", "中文"}}
	if s.Path == "zh-cn" {
		s.Nav = []link{{"/zh-cn/terms", "条款"}, {"/zh-cn/privacy", "隐私"}, {"/zh-cn/community", "社区"}, {cookiesPath, "Cookie"}, {"/en/terms", "English"}}
	}
	return &page{host: WWW, path: path, lang: s.Lang, contentType: htmlType, body: []byte(render("layout.html", s))}
}

// inGB18030 codes a page in GB 18030 and says so in header and text.
func inGB18030(p *page) *page {
	body := strings.Replace(string(p.body), `charset="utf-8"`, `charset="gb18030"`, 1)
	coded, err := simplifiedchinese.GB18030.NewEncoder().String(body)
	if err != nil {
		panic(fmt.Sprintf("demoweb: code %s in GB 18030: %v", p.path, err)) // it has all of Unicode
	}
	p.body, p.contentType = []byte(coded), "text/html; charset=gb18030"
	return p
}

// text returns one of the texts, the new version of it if there is one.
func text(name string, v2 bool) string { return render(name, struct{ V2 bool }{v2}) }

// both returns the two versions of the terms as they stood on one page.
func both(dir string) string {
	return render(dir+"/terms-announced.html", struct{ New, Old string }{text(dir+"/terms.html", true), text(dir+"/terms.html", false)})
}

// moved returns a redirect with a body.
func moved(base Base, path, target string) *page {
	target = base.WWW + target
	return &page{host: WWW, path: path, status: http.StatusMovedPermanently, location: target, contentType: htmlType,
		body: []byte(render("moved.html", struct{ Target string }{target}))}
}

// challenge returns the page of a bot defence. With status 200 nothing but its
// text tells it from the page that was asked for.
func challenge(path string, status int) *page {
	return &page{host: WWW, path: path, status: status, mitigated: status != http.StatusOK, contentType: htmlType,
		body: []byte(render("challenge.html", struct{ Ray string }{fmt.Sprintf("8d3f%010x", len(path)*7919)}))}
}

// troublePage returns a page that says what went wrong.
func troublePage(status int, title, text string) *page {
	return &page{status: status, contentType: htmlType, body: []byte(render("trouble.html", struct{ Title, Text string }{title, text}))}
}

// file returns a page whose body is an embedded file.
func file(host, path, name, contentType string) *page {
	return &page{host: host, path: path, contentType: contentType, body: read(name)}
}

// render fills an embedded template.
func render(name string, data any) string {
	t, err := template.New(name).Option("missingkey=error").Parse(string(read(name)))
	if err != nil {
		panic(fmt.Sprintf("demoweb: %v", err)) // the files are part of the program
	}
	var b strings.Builder
	if err := t.Execute(&b, data); err != nil {
		panic(fmt.Sprintf("demoweb: %v", err))
	}
	return b.String()
}

// read returns an embedded file.
func read(name string) []byte {
	data, err := files.ReadFile("site/" + name)
	if err != nil {
		panic(fmt.Sprintf("demoweb: %v", err))
	}
	return data
}
