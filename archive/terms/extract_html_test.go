package terms

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fineprint-archive/fineprint/crawler/declaration"
)

// extractText extracts a page at https://example.com/legal/terms.
func extractText(t *testing.T, markup string, rules declaration.Part) (*Text, *Page) {
	t.Helper()
	text, page, err := Extract(t.Context(), Input{
		Body: []byte(markup), ContentType: "text/html; charset=utf-8", URL: "https://example.com/legal/terms", Rules: rules,
	})
	if err != nil {
		t.Fatal(err)
	}
	return text, page
}

// htmlOutline writes blocks a line each: kind and level, marker, text.
func htmlOutline(t *Text) string {
	var b strings.Builder
	for i := range t.Blocks {
		k := &t.Blocks[i]
		b.WriteString(string(k.Kind[0]))
		if k.Level > 0 {
			b.WriteByte('0' + byte(k.Level))
		}
		b.WriteString(" ")
		if k.Marker != "" {
			b.WriteString(k.Marker + " ")
		}
		b.WriteString(k.Text + "\n")
	}
	return b.String()
}

const clause = "<p>We collect what you give us and what your device tells us when you use the service.</p>"

const clauseLine = "p We collect what you give us and what your device tells us when you use the service.\n"

func TestExtractBlocks(t *testing.T) {
	for _, test := range []struct{ name, markup, want string }{
		{"headings", `<h1>Terms</h1><h3>Of  use</h3><div role=heading aria-level=4>Scope</div>`, "h1 Terms\nh3 Of use\nh4 Scope\n"},
		{"heading without end", `<h2>Title<p>` + strings.Repeat("many words ", 60) + `</p>`, "p Title\np " + strings.TrimSpace(strings.Repeat("many words ", 60)) + "\n"},
		{"paragraphs", `<p>One<p>Two<div>Three<div>Four</div>Five</div>six`, "p One\np Two\np Three\np Four\np Five\np six\n"},
		{"br", `<p>Company<br>Street 1<br/><br>Town</p><h2>Long<br>title</h2>`, "p Company\np Street 1\np Town\nh2 Long title\n"},
		{"inline", `<p>Our<span> terms</span>, <b>bold</b><i>er</i>.</p>`, "p Our terms, bolder.\n"},
		{"nested lists", `<ul><li>One<ul><li>Two</li></ul>after</li><li><p>Three</p><p>more</p></ul>`, "i1 One\ni2 Two\np after\ni1 Three\np more\n"},
		{"ordered", `<ol start=3><li>c<li>d</ol><ol type=a><li>x<li value=27>y</ol><ol type=I reversed><li>p<li>q</ol>`,
			"i1 3. c\ni1 4. d\ni1 a. x\ni1 aa. y\ni1 II. p\ni1 I. q\n"},
		{"heading in item", `<ol><li><h3>Scope</h3>All of it</ol>`, "h3 1. Scope\np All of it\n"},
		{"table", `<table><tr><th>Cookie<th>Life<tr><td>id<td>1 <b>day</b><tr><td>empty<td><td>third<tr><td colspan=3>note</table>`,
			"r Cookie | Life\nr id | 1 day\nr empty | | third\np note\n"},
		{"layout table", `<table><tr><td><h2>Terms</h2><p>One<p>Two<td>Side</table>`, "h2 Terms\np One\np Two\np Side\n"},
		{"definitions", `<dl><dt>Service<dd>What we offer.</dl>`, "p Service\np What we offer.\n"},
		{"pre", "<pre>one  line\ntwo\n\nthree</pre>", "p one line\np two\np three\n"},
		{"details", `<details><summary>Who</summary>Us.</details>`, "p Who\np Us.\n"},
		{"hidden", `<div hidden>One</div><div aria-hidden=true>Two</div><div style="display:none">Three</div>`, "p One\np Two\np Three\n"},
		{"white space", "<p>a\u00A0b\u3000c\u2028d\te</p>", "p a b c d e\n"},
		{"invisible", "<p>so\u00ADft\u200B \u2060x\uFEFF</p><p>\u200E\u200D</p><p>\u200DBy using</p>", "p soft x\np By using\n"},
		{"joiners", "<p>می\u200Cخواهیم نام\u200Cه</p><p>👩\u200D💻 ok</p>", "p می\u200Cخواهیم نام\u200Cه\np 👩\u200D💻 ok\n"},
		{"composed", "<p>Datenschutzerkla\u0308rung</p>", "p Datenschutzerklärung\n"},
		{"control", "<p>a\x01b\x7Fc&#x90;d</p>", "p abc\u0090d\n"},
		{"protected address", `<p>Mail <a class="__cf_email__" data-cfemail="422b2c242d02272f232b2e6c2627">[email&#160;protected]</a>.</p>`, "p Mail info@email.de.\n"},
		{"shadow root", `<x-card><template shadowrootmode=open><p>Within</p></template></x-card><template><p>never</p></template>`, "p Within\n"},
		{"never text", `<p>A<script>var x</script><style>p{}</style><svg><title>no</title></svg><iframe>no</iframe></p>`, "p A\n"},
		{"toggle", `<h2><button>Rights</button></h2><div><button aria-expanded=false>How long</button></div><p>Press <button>here</button> to end.</p>` + clause,
			"h2 Rights\np How long\np Press here to end.\n" + clauseLine},
		{"noscript", `<div id=app></div><noscript><h1>Terms</h1><p>Use it well.</p></noscript>`, "h1 Terms\np Use it well.\n"},
		{"long answer box", `<textarea>` + strings.Repeat("These are the terms. ", 20) + "\nSecond line</textarea>", "p " + strings.TrimSpace(strings.Repeat("These are the terms. ", 20)) + "\np Second line\n"},
		{"broken", `<p>One</div></b><table><p>Two<tr><td>Three</p></table><p>Four <b>five <i>six</b> seven</i>`, "p One\np Two\np Three\np Four five six seven\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			text, page := extractText(t, "<body>"+test.markup, declaration.Part{})
			if test.name == "control" {
				test.want = strings.ReplaceAll(test.want, "\u0090", "")
			}
			if diff := cmp.Diff(test.want, htmlOutline(text)); diff != "" {
				t.Errorf("blocks (-want +got):\n%s", diff)
			}
			if len(page.Problems) > 0 {
				t.Errorf("problems %v", page.Problems)
			}
		})
	}
}

func TestExtractMarks(t *testing.T) {
	text, _ := extractText(t, `<base href="/de/"><p>The <a href="agb?utm_source=x&a=1#s2"><b>Terms</b> of <strong>use</strong></a> <em>apply</em>, <del>not</del> <code>x</code>.</p>
<p><b>Split<br>here</b><a href="#">x</a><a href="javascript:void(0)">y</a> <a href="/cdn-cgi/l/email-protection#422b2c242d02272f232b2e6c2627">mail</a></p>
<p><b>e&#769;</b>&#769; <i>e</i>&#769;</p>`, declaration.Part{})
	want := []Block{
		{Kind: Paragraph, Text: "The Terms of use apply, not x.", Marks: []Mark{
			{4, 16, Link, "https://example.com/de/agb?a=1#s2"}, {4, 9, Strong, ""}, {13, 16, Strong, ""},
			{17, 22, Em, ""}, {24, 27, Del, ""}, {28, 29, Code, ""},
		}},
		{Kind: Paragraph, Text: "Split", Marks: []Mark{{0, 5, Strong, ""}}},
		{Kind: Paragraph, Text: "herexy mail", Marks: []Mark{{0, 4, Strong, ""}, {7, 11, Link, "mailto:info@email.de"}}},
		{Kind: Paragraph, Text: "é\u0301 é"},
	}
	if diff := cmp.Diff(want, text.Blocks); diff != "" {
		t.Errorf("blocks (-want +got):\n%s", diff)
	}
}

func TestExtractDefaults(t *testing.T) {
	long := strings.Repeat(clause, 8)
	for _, test := range []struct {
		name, markup   string
		keeps, leaves  []string
		keepsInOutline string
	}{
		{name: "frame", markup: `<header><a href=/>Logo</a></header><nav><a href=/a>Prices</a></nav><main><h1>Terms</h1>` + long + `</main><aside>Newest posts</aside><footer>© 2026 Us</footer>`,
			keeps: []string{"Terms", "We collect"}, leaves: []string{"Logo", "Prices", "Newest", "2026"}},
		{name: "consent", markup: `<div id="onetrust-consent-sdk"><h2>We value your privacy</h2><p>Cookies help us.</p></div><h1>Terms</h1>` + long,
			keeps: []string{"Terms"}, leaves: []string{"value your privacy", "Cookies help"}},
		{name: "large consent window", markup: `<div id="CybotCookiebotDialog">` + strings.Repeat("<p>This cookie counts visits for a partner of ours.</p>", 14) + `</div><h1>Imprint</h1>` + long,
			keeps: []string{"Imprint"}, leaves: []string{"counts visits"}},
		{name: "only a consent window", markup: `<div id="didomi-host"><p>We and our partners store cookies.</p></div><p>Short.</p>`,
			keeps: []string{"our partners", "Short."}},
		{name: "cookie policy of a consent manager", markup: `<h1>Cookies</h1>` + long + `<div id="ot-sdk-cookie-policy"><p>Strictly necessary cookies</p></div>`,
			keeps: []string{"Strictly necessary"}},
		{name: "policy in a dialog", markup: `<div>Shop</div><div role=dialog aria-modal=true><h1>Terms</h1>` + long + `</div>`,
			keeps: []string{"Terms", "We collect"}},
		{name: "section about sharing", markup: long + `<section class="sharing-section" id="share"><h2>Sharing</h2><p>We share data with the police.</p></section>`,
			keeps: []string{"Sharing", "the police"}},
		{name: "class of general meaning", markup: `<div class="c-breadcrumb__list"><a href=/>Home</a></div>` + long + `<div class="was-this-helpful">Was this helpful?</div><div class="footer">` + long + `</div>`,
			keeps: []string{"We collect"}, leaves: []string{"Home", "helpful"}},
		{name: "screen readers", markup: long + `<p><a href="/x">Form<span class="sr-only"> opens a new window</span></a></p>`,
			keeps: []string{"Form"}, leaves: []string{"new window"}},
		{name: "menus without a name", markup: `<div><a href=/a>Prices</a><a href=/b>Jobs</a><a href=/c>Help</a></div><h1>Terms</h1><p>Updated 1 May 2026</p>` + long + `<div><b>Company</b><a href=/d>About</a><a href=/e>Press</a><a href=/f>Blog</a><a href=/g>Careers</a></div>`,
			keeps: []string{"Terms", "1 May 2026"}, leaves: []string{"Prices", "Company", "Press"}},
		{name: "contents and files", markup: `<ul><li><a href="#a">Scope</a><li><a href="#b">Fees</a><li><a href="#c">End</a></ul>` + long + `<div><a href=/1.pdf>Report one</a><a href=/2.pdf>Report two</a><a href=/3.pdf>Report three</a></div>`,
			keeps: []string{"Scope", "Report two"}},
		{name: "list within", markup: long + `<ul><li><a href=/p>Privacy</a><li><a href=/c>Cookies</a><li><a href=/r>Refunds</a></ul>` + clause,
			keeps: []string{"Refunds"}},
		{name: "hidden accordion", markup: `<main>` + clause + `<div class="accordion"><h3><button aria-controls=p1>Rights</button></h3><div id=p1 hidden>You may object.</div></div></main>`,
			keeps: []string{"Rights", "You may object."}},
		{name: "zh", markup: `<nav><a href=/>首页</a></nav><main><h1>隐私政策</h1><p>我们会使用您的信息训练人工智能模型，并且与合作伙伴共享。</p><div hidden>您有权反对。</div></main><footer>版权所有</footer>`,
			keeps: []string{"隐私政策", "训练人工智能", "您有权反对"}, leaves: []string{"首页", "版权所有"}},
		{name: "ja", markup: `<div class="breadcrumb"><a href=/>ホーム</a></div><article><h1>利用規約</h1><p>お客様のデータを機械学習の訓練に使用することがあります。</p><details><summary>詳細</summary>保存期間は一年です。</details></article>`,
			keeps: []string{"利用規約", "機械学習", "保存期間"}, leaves: []string{"ホーム"}},
		{name: "ar", markup: `<html lang=ar dir=rtl><header>القائمة</header><main><h1>شروط الخدمة</h1><p>لا نبيع بياناتك الشخصية لأي طرف ثالث ولا نشاركها مع أحد.</p></main>`,
			keeps: []string{"شروط الخدمة", "لا نبيع بياناتك"}, leaves: []string{"القائمة"}},
		{name: "de", markup: `<main><h1>Datenschutzerklärung</h1><p>Wir löschen Ihre Daten spätestens nach sechs Monaten, § 4 Abs. 2 DSGVO.</p></main><footer>Impressum</footer>`,
			keeps: []string{"Datenschutzerklärung", "§ 4 Abs. 2"}, leaves: []string{"Impressum"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			text, _ := extractText(t, test.markup, declaration.Part{})
			plain := text.Plain()
			for _, s := range test.keeps {
				if !strings.Contains(plain, s) {
					t.Errorf("lacks %q:\n%s", s, plain)
				}
			}
			for _, s := range test.leaves {
				if strings.Contains(plain, s) {
					t.Errorf("has %q:\n%s", s, plain)
				}
			}
		})
	}
}

func TestExtractPage(t *testing.T) {
	_, page := extractText(t, `<html lang=de><head><title> Our
terms </title><base href="https://example.com/x/"><meta http-equiv=Refresh content="3; URL='next?a=1'">
<script>var a</script></head><body><noscript><p>Please enable <b>JavaScript</b></p></noscript>
<p>Say <a href=/a>a</a></p><p>what</p><form><input type=Password></form><script src=x></script></body>`, declaration.Part{})
	want := &Page{
		Charset: "utf-8", Mime: "text/html", Title: "Our terms", Lang: "de", Visible: 8, Opening: "Say a what",
		Links: 1, Scripts: 2, Code: 5, Password: true, Refresh: "https://example.com/x/next?a=1", Noscript: "Please enable JavaScript",
	}
	if diff := cmp.Diff(want, page); diff != "" {
		t.Errorf("page (-want +got):\n%s", diff)
	}
}

func TestExtractMedia(t *testing.T) {
	for _, test := range []struct{ contentType, body, mime, problem string }{
		{"text/html", "", "text/html", ""},
		{"", "<p>x", "text/html", ""},
		{"application/octet-stream", "<!DOCTYPE html><p>x", "text/html", ""},
		{"application/pdf", "<html><p>Not found", "text/html", ""},
		{"text/plain", "<p>x", "text/plain", ""},
		{"", "Just words.", "text/plain", ""},
		{"image/png", "\x89PNG", "image/png", ProblemUnreadable},
		{"application/json", `{"a":1}`, "application/json", ProblemUnreadable},
	} {
		_, page, err := Extract(t.Context(), Input{Body: []byte(test.body), ContentType: test.contentType})
		if err != nil {
			t.Fatal(err)
		}
		problem := ""
		if len(page.Problems) > 0 {
			problem = page.Problems[0].Code
		}
		if page.Mime != test.mime || problem != test.problem {
			t.Errorf("%s %q: read as %s, problem %q; want %s, %q", test.contentType, test.body, page.Mime, problem, test.mime, test.problem)
		}
	}
}

func TestCanonicalAddress(t *testing.T) {
	l := newLinks("https://Example.com/legal/terms?x=1", "", []string{"ref"})
	for href, want := range map[string]string{
		"privacy":                     "https://example.com/legal/privacy",
		"/grok/":                      "https://example.com/grok",
		"https://example.com":         "https://example.com/",
		"HTTPS://EXAMPLE.com:443/A":   "https://example.com/A",
		"?a=1&utm_medium=b&ref=c&d=2": "https://example.com/legal/terms?a=1&d=2",
		"/a?openaicom-did=0f&gclid=1": "https://example.com/a",
		"/search?h=1":                 "https://example.com/search?h=1",
		"/a?s=123e4567-e89b-12d3-a456-426614174000#top": "https://example.com/a#top",
		"/a?d=2026-01-01&n=abc":                         "https://example.com/a?d=2026-01-01&n=abc",
		"/a;jsessionid=1F":                              "https://example.com/a",
		"/%E9%FF%C8%BA;JSESSIONID=1F":                   "https://example.com/%E9%FF%C8%BA",
		"#s3":                                           "https://example.com/legal/terms?x=1#s3",
		"mailto:a@b.c":                                  "mailto:a@b.c",
		"tel:+49123":                                    "tel:+49123",
		"javascript:x()":                                "",
		" data:text/html,x":                             "",
		"":                                              "",

		"https://l.facebook.com/l.php?u=https%3A%2F%2Fa.example%2F%3Fh%3D1&h=AT2DSy9tZ&s=1": "https://l.facebook.com/l.php?u=https%3A%2F%2Fa.example%2F%3Fh%3D1",
	} {
		if got := l.absolute(strings.TrimSpace(href)); got != want {
			t.Errorf("absolute(%q) = %q, want %q", href, got, want)
		}
	}
}
