package terms

import (
	"net/http"
	"strings"
	"testing"
)

// gradePage makes the facts and the text of a page of lines: a heading begins with
// "# ", what only the page shows and the text lacks with "- ".
func gradePage(title string, lines ...string) (*Page, *Text) {
	p, t := &Page{Mime: "text/html", Title: title}, &Text{Title: title}
	var shown []string
	for _, line := range lines {
		kind := Paragraph
		line, heading := strings.CutPrefix(line, "# ")
		if heading {
			kind = Heading
		}
		line, outside := strings.CutPrefix(line, "- ")
		shown = append(shown, line)
		if !outside && line != "" {
			t.Blocks = append(t.Blocks, Block{Kind: kind, Text: line})
		}
	}
	all := strings.TrimSpace(strings.Join(shown, " "))
	p.Visible, p.Opening = len([]rune(all)), firstCharacters(all, 2000)
	return p, t
}

// gradeSentence is a sentence of 24 words.
const gradeSentence = "The operator of this service keeps the data that a member enters for as long as the membership lasts and no longer than that."

func gradeProse(sentences int) string {
	return strings.TrimSpace(strings.Repeat(gradeSentence+" ", sentences))
}

func TestAssessBody(t *testing.T) {
	for _, c := range []struct {
		name  string
		title string
		lines []string
		page  func(*Page)
		want  Grade
		says  string // a part of the reason
	}{
		{name: "terms", title: "Terms of Service", lines: []string{"# Terms of Service", gradeProse(20)}, want: GradeTerms},
		{name: "a short imprint with scripts", title: "Impressum", lines: []string{"# Impressum", "Beispiel GmbH", "Musterweg 1", "20457 Hamburg", "Telefon 040 123456"},
			page: func(p *Page) { p.Scripts = 9 }, want: GradeTerms},
		{name: "an untitled text of a few lines", lines: []string{"Messages posted here stay the property of who wrote them.", "The site asks for no right in them and passes none on to others."}, want: GradeTerms},

		{name: "cloudflare", title: "Just a moment...", lines: []string{"# example.com", "Verifying you are human. This may take a few seconds."}, want: GradeBlocked, says: `title says "just a moment"`},
		{name: "a challenge of the plainest kind", title: "Just a moment...", lines: []string{"# Checking that you are not a robot"}, want: GradeBlocked, says: "just a moment"},
		{name: "attention required", title: "Attention Required! | Cloudflare", lines: []string{"# Sorry, you have been blocked"}, want: GradeBlocked, says: "attention required"},
		{name: "chinese challenge title", title: "请稍候…", lines: []string{"正在进行验证"}, want: GradeBlocked, says: "请稍候"},
		{name: "japanese refusal", title: "Example", lines: []string{"# アクセスが制限されています", "しばらくしてからお試しください。"}, want: GradeBlocked, says: "アクセスが制限されています"},
		{name: "korean", title: "잠시만 기다리십시오…", lines: []string{"사람인지 확인하는 중입니다."}, want: GradeBlocked},
		{name: "akamai", title: "Access Denied", lines: []string{"# Access Denied", "You don't have permission to access this on this server.", "Reference #18.1"}, want: GradeBlocked},
		{name: "imperva", lines: []string{"Request unsuccessful. Incapsula incident ID: 1-2"}, want: GradeBlocked, says: "incapsula"},
		{name: "google", title: "https://www.example.com/", lines: []string{"About this page", "Our systems have detected unusual traffic from your computer network. This page checks that it is really you who sends the requests, and not a robot."}, want: GradeBlocked},
		{name: "a rate limit in French", title: "Example", lines: []string{"# Cette fonction est temporairement bloquée", "- Adresse e-mail Mot de passe"},
			page: func(p *Page) { p.Password = true }, want: GradeBlocked, says: "temporairement"},
		{name: "datadome without words", title: "example.com", page: func(p *Page) { p.Sources = []string{"https://ct.captcha-delivery.com/c.js"}; p.Scripts = 2 }, want: GradeBlocked, says: "DataDome"},
		{name: "a hint in a page without sentences", title: "example.com", lines: []string{"# Bitte bestätigen", "Captcha"}, want: GradeBlocked, says: "captcha"},
		{name: "privacy policy that describes captchas", title: "Privacy", lines: []string{"# Captchas", "We use a captcha to verify you are human.", gradeProse(12)}, want: GradeTerms},
		{name: "short policy that describes captchas", title: "Privacy Policy", lines: []string{"# Privacy Policy", "We use a captcha so that you can prove you are human.", "Nothing else is kept about you by this site or by anyone it works with."}, want: GradeTerms},
		{name: "long list of short lines that quotes a challenge", title: "Messages", lines: append(strings.Split(strings.Repeat("A line of five words\n", 60), "\n"), "Checking your browser before accessing"), want: GradeTerms},
		{name: "long text whose title is a challenge's", title: "Access Denied: a history", lines: []string{gradeProse(20)}, want: GradeTerms},
		{name: "policy with a vendor's frame", title: "Privacy Policy", lines: []string{"# Privacy Policy", "We keep nothing about you."}, page: func(p *Page) { p.Sources = []string{"https://hcaptcha.com/1/api.js"} }, want: GradeTerms},

		{name: "login form", title: "Log in | Example", lines: []string{"# Log in to Example", "Email address", "Password", "Forgot your password?", "New here? Create an account and join thousands of members"},
			page: func(p *Page) { p.Password = true }, want: GradeLogin, says: `"log in"`},
		{name: "login form under another title", title: "Example", lines: []string{"Willkommen zurück", "E-Mail", "Passwort", "Anmelden"}, page: func(p *Page) { p.Password = true }, want: GradeLogin, says: "passwort"},
		{name: "chinese login", title: "登录 - 示例", lines: []string{"手机号", "密码"}, want: GradeLogin},
		{name: "terms of 60 words with a login link", title: "Terms", lines: []string{"- Log in", "# Terms", gradeProse(2), "Email us."}, page: func(p *Page) { p.Password = true }, want: GradeTerms},
		{name: "untitled terms with a login form above", lines: []string{"- Login Password", gradeProse(4)}, page: func(p *Page) { p.Password = true }, want: GradeTerms},

		{name: "consent", title: "Before you continue", lines: []string{"# Before you continue to Example", "We use cookies to keep the service working.", "Accept all", "Reject all"}, want: GradeConsent},
		{name: "consent in German", title: "Example", lines: []string{"# Bevor Sie zu Example weitergehen", "Wir verwenden Cookies", "Alle akzeptieren"}, want: GradeConsent},
		{name: "age", title: "Example", lines: []string{"Are you over 18?", "Yes", "No"}, want: GradeConsent},
		{name: "terms that ask for an age", title: "Terms", lines: []string{"# Terms", "You must be at least 18 to use this.", gradeProse(1)}, want: GradeTerms},

		{name: "not found", title: "Page not found - Example", lines: []string{"# Oh no", "Go home"}, want: GradeSoft404, says: "page not found"},
		{name: "404 in the title", title: "404 | Example", lines: []string{"Nothing."}, want: GradeSoft404},
		{name: "nicht gefunden", title: "Beispiel", lines: []string{"# Seite nicht gefunden", "Zur Startseite"}, want: GradeSoft404},
		{name: "introuvable", title: "Exemple", lines: []string{"Nous n'avons pas trouvé la page que vous recherchez...", "Retour à l'accueil"}, want: GradeSoft404},
		{name: "不存在", title: "示例", lines: []string{"页面不存在", "返回首页"}, want: GradeSoft404},
		{name: "見つかりません", title: "例", lines: []string{"# お探しのページは見つかりませんでした"}, want: GradeSoft404},
		{name: "terms that mention page not found", title: "Terms", lines: []string{"# Errors", "If you see page not found, write to us.", gradeProse(3)}, want: GradeTerms},
		{name: "a text about error 404", title: "Terms for 404 Media", lines: []string{"# Terms for 404 Media", gradeProse(1)}, want: GradeTerms},

		{name: "bad gateway", title: "502 Bad Gateway", lines: []string{"# 502 Bad Gateway", "nginx"}, want: GradeErrorPage},
		{name: "maintenance", title: "Example", lines: []string{"# We'll be back soon", "Example is down for maintenance."}, want: GradeErrorPage},
		{name: "维护", title: "示例", lines: []string{"系统维护中，请稍后再试"}, want: GradeErrorPage, says: "系统维护"},
		{name: "terms that promise maintenance", title: "Terms", lines: []string{"# Scheduled maintenance", gradeProse(3)}, want: GradeTerms},

		{name: "shell", title: "Example", page: func(p *Page) { p.Scripts, p.Code = 3, 900 }, want: GradeNeedsBrowser, says: "3 scripts with 900 bytes"},
		{name: "shell with a menu", title: "Privacy policy | Example", lines: []string{"- Products Pricing Blog About Careers Press Login", "Privacy"}, page: func(p *Page) { p.Scripts = 3 }, want: GradeNeedsBrowser},
		{name: "shell that says so", title: "Example", lines: []string{"Home", "You need to enable JavaScript to run this app.", "This is the best place to meet each other online today"},
			page: func(p *Page) { p.Scripts = 1 }, want: GradeNeedsBrowser, says: "enable javascript"},
		{name: "shell whose only sentence says so", title: "Example", lines: []string{"If you're seeing this message, that means JavaScript has been disabled on your browser, please enable JS to make this app work for you."},
			page: func(p *Page) { p.Scripts = 1 }, want: GradeNeedsBrowser, says: "enable js"},
		{name: "noscript beside terms", title: "Terms", lines: []string{"# Terms", gradeProse(3)}, page: func(p *Page) { p.Scripts, p.Noscript = 1, "Please enable JavaScript" }, want: GradeTerms},

		{name: "meta refresh", title: "Moved", lines: []string{"Click here."}, page: func(p *Page) { p.Refresh = "https://example.com/new" }, want: GradeRedirect, says: "https://example.com/new"},
		{name: "redirecting", title: "Example | Redirecting", lines: []string{"Redirecting"}, page: func(p *Page) { p.Scripts = 2 }, want: GradeRedirect},
		{name: "terms that reload themselves", title: "Terms", lines: []string{gradeProse(4)}, page: func(p *Page) { p.Refresh = "https://example.com/new" }, want: GradeTerms},

		{name: "no text and no scripts", title: "Example", want: GradeEmpty, says: "0 words of text in 9 bytes"},
		{name: "scanned", page: func(p *Page) {
			p.Mime, p.Problems = "application/pdf", []Problem{{ProblemScanned, "3 pages without text"}}
		}, want: GradeUnreadable, says: "3 pages"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, text := gradePage(c.title, c.lines...)
			if c.page != nil {
				c.page(p)
			}
			got := Assess(Capture{Status: 200, URL: "https://example.com/legal/terms", Size: 9}, p, text)
			if got.Grade != c.want || !strings.Contains(got.Reason, c.says) {
				t.Errorf("Assess = %s (%s), want %s (…%s…)", got.Grade, got.Reason, c.want, c.says)
			}
			if (got.Grade == GradeTerms) != (got.Reason == "") {
				t.Errorf("reason %q of grade %s", got.Reason, got.Grade)
			}
		})
	}
}

func TestAssessCapture(t *testing.T) {
	head := func(pairs ...string) http.Header {
		h := http.Header{}
		for i := 0; i < len(pairs); i += 2 {
			h.Set(pairs[i], pairs[i+1])
		}
		return h
	}
	const declared = "https://example.com/legal/terms"
	for _, c := range []struct {
		name string
		c    Capture
		want Grade
		says string
	}{
		{"unknown status", Capture{Size: 5000}, GradeTerms, ""},
		{"aws waf", Capture{Status: 202, Header: head("X-Amzn-Waf-Action", "challenge"), Size: 5000}, GradeBlocked, "X-Amzn-Waf-Action: challenge (AWS WAF)"},
		{"aws waf captcha", Capture{Status: 405, Header: head("X-Amzn-Waf-Action", "captcha"), Size: 5000}, GradeBlocked, "AWS WAF"},
		{"aws waf counted only", Capture{Status: 200, Header: head("X-Amzn-Waf-Action", "count"), Size: 5000}, GradeTerms, ""},
		{"cloudflare", Capture{Status: 403, Header: head("Cf-Mitigated", "challenge", "Server", "cloudflare"), Size: 5000}, GradeBlocked, "Cf-Mitigated"},
		{"served by cloudflare", Capture{Status: 200, Header: head("Server", "cloudflare", "Cf-Ray", "1"), Size: 5000}, GradeTerms, ""},
		{"rimon", Capture{Status: 200, Header: head("Rimon", "RWC_BLOCK"), Size: 5000}, GradeBlocked, "Rimon"},
		{"load balancer", Capture{Status: 403, Header: head("Server", "awselb/2.0"), Size: 118}, GradeBlocked, "awselb"},
		{"load balancer without a target", Capture{Status: 503, Header: head("Server", "awselb/2.0"), Size: 162}, GradeErrorPage, "status 503"},
		{"akamai", Capture{Status: 400, Header: head("Server", "AkamaiGHost", "Cache-Control", "max-age=0, no-cache"), Size: 300}, GradeBlocked, "Akamai"},
		{"akamai without a server", Capture{Status: 400, Header: head("Server-Timing", "cdn-cache; desc=HIT, edge; dur=1, origin; dur=0, ak_p; desc=1"), Size: 300}, GradeBlocked, "Akamai"},
		{"akamai says not there", Capture{Status: 404, Header: head("Server", "AkamaiGHost", "Cache-Control", "no-cache"), Size: 300}, GradeErrorPage, "status 404"},
		{"cloudfront", Capture{Status: 400, Header: head("Server", "CloudFront", "X-Cache", "Error from cloudfront"), Size: 900}, GradeBlocked, "CloudFront"},
		{"datadome", Capture{Status: 405, Header: head("X-Datadome", "protected"), Size: 900}, GradeBlocked, "DataDome"},
		{"refused", Capture{Status: 403, Size: 5000}, GradeBlocked, "status 403"},
		{"too many", Capture{Status: 429, Size: 5000}, GradeBlocked, "429"},
		{"legal reasons", Capture{Status: 451, Size: 5000}, GradeBlocked, "451"},
		{"log in first", Capture{Status: 401, Size: 5000}, GradeLogin, "401"},
		{"not there", Capture{Status: 410, Size: 5000}, GradeErrorPage, "410"},
		{"broken", Capture{Status: 500, Size: 5000}, GradeErrorPage, "500"},
		{"part", Capture{Status: 206, Size: 5000}, GradeTruncated, "206"},
		{"nothing", Capture{Status: 204}, GradeEmpty, "204"},
		{"elsewhere", Capture{Status: 302}, GradeRedirect, "302"},
		{"cut", Capture{Status: 200, Size: 5000, Truncated: true}, GradeTruncated, "5000 bytes"},

		{"to the start page", Capture{Status: 200, URL: declared, FinalURL: "https://example.com/", Size: 5000}, GradeStartPage, "https://example.com/"},
		{"to the start page of a language", Capture{Status: 200, URL: declared, FinalURL: "https://www.example.com/de-ch/home?utm_source=x", Size: 5000}, GradeStartPage, "/de-ch/"},
		{"to the start page of a legal site", Capture{Status: 200, URL: declared, FinalURL: "https://legal.example.com/", Size: 5000}, GradeTerms, ""},
		{"from one start page to another", Capture{Status: 200, URL: "https://example.com/en/", FinalURL: "https://example.com/", Size: 5000}, GradeTerms, ""},
		{"to another language of the page", Capture{Status: 200, URL: declared, FinalURL: "https://example.com/en/legal/terms", Size: 5000}, GradeTerms, ""},
		{"to a page of one word", Capture{Status: 200, URL: declared, FinalURL: "https://example.com/agb", Size: 5000}, GradeTerms, ""},
		{"to a fragment", Capture{Status: 200, URL: declared, FinalURL: "https://example.com/#/terms", Size: 5000}, GradeTerms, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, text := gradePage("Example", "# Membership", gradeProse(20))
			got := Assess(c.c, p, text)
			if got.Grade != c.want || !strings.Contains(got.Reason, c.says) {
				t.Errorf("Assess = %s (%s), want %s (…%s…)", got.Grade, got.Reason, c.want, c.says)
			}
		})
	}
}

// TestAssessMenu: a text of links is a shell where a site works by scripts.
func TestAssessMenu(t *testing.T) {
	p, text := gradePage("Privacy policy | Example", "Products for teams", "About us and our work", "Careers in all our offices", "Press and media kit", "Example Inc.")
	p.Scripts = 4
	if got := Assess(Capture{Size: 9}, p, text); got.Grade != GradeTerms {
		t.Errorf("lines without links: %v, want terms", got)
	}
	for i := range text.Blocks[:4] {
		text.Blocks[i].Marks = []Mark{{End: len(text.Blocks[i].Text), Kind: Link, URL: "https://example.com/"}}
	}
	if got := Assess(Capture{Size: 9}, p, text); got.Grade != GradeNeedsBrowser || !strings.Contains(got.Reason, "17 of 19 words of text are links") {
		t.Errorf("a menu: %v, want needs-browser", got)
	}
	text.Blocks[0].Kind, text.Blocks[0].Text = Heading, "Our policies"
	text.Blocks[0].Marks = nil
	if got := Assess(Capture{Size: 9}, p, text); got.Grade != GradeTerms {
		t.Errorf("a list of policies under its heading: %v, want terms", got)
	}
}

// TestAssessPlaces is about addresses that count only where there is little text.
func TestAssessPlaces(t *testing.T) {
	for _, c := range []struct {
		final string
		want  Grade
	}{
		{"https://example.com/login?next=/legal/terms", GradeLogin},
		{"https://accounts.example.com/v3/begin", GradeLogin},
		{"https://consent.example.com/m?continue=x", GradeConsent},
		{"https://www.example.com/sorry/index?continue=x", GradeBlocked},
		{"https://example.com/errors/404", GradeSoft404},
		{"https://example.com/legal/logins", GradeTerms},
	} {
		capture := Capture{Status: 200, URL: "https://example.com/legal/terms", FinalURL: c.final, Size: 900}
		p, text := gradePage("Example", "# Welcome", "Please go on with one of these", gradeSentence)
		if got := Assess(capture, p, text); got.Grade != c.want {
			t.Errorf("a short page at %s: %s (%s), want %s", c.final, got.Grade, got.Reason, c.want)
		}
		p, text = gradePage("Example", "# Welcome", gradeProse(30))
		if got := Assess(capture, p, text); got.Grade != GradeTerms {
			t.Errorf("a long page at %s: %s (%s), want terms", c.final, got.Grade, got.Reason)
		}
	}
}

func TestAssessAgainst(t *testing.T) {
	lines := func(all ...string) *Text {
		text := &Text{}
		for _, s := range all {
			text.Blocks = append(text.Blocks, Block{Kind: Paragraph, Text: s})
		}
		return text
	}
	const (
		german  = "Der Betreiber dieses Dienstes speichert die Daten, die ein Mitglied eingibt, so lange wie die Mitgliedschaft dauert und nicht länger als das, und er gibt sie nicht weiter."
		chinese = "本服务的运营者在会员有效期内保存会员输入的数据，不会超过该期限，也不会将这些数据提供给任何第三方。我们处理这些信息是为了提供服务。"
		taiwan  = "本服務的營運者在會員有效期內保存會員輸入的資料，不會超過該期限，也不會將這些資料提供給任何第三方。我們處理這些資訊是為了提供服務。"
		russian = "Оператор этого сервиса хранит данные, которые вводит участник, только пока действует его членство, и не передает их никому. Мы обрабатываем эти сведения, чтобы оказывать услуги и улучшать их для всех участников."
	)
	good := Verdict{Grade: GradeTerms}
	for _, c := range []struct {
		name    string
		v       Verdict
		t, last *Text
		want    Grade
		says    string
	}{
		{"no last", good, lines(gradeSentence), nil, GradeTerms, ""},
		{"same", good, lines(gradeProse(4)), lines(gradeProse(4)), GradeTerms, ""},
		{"half", good, lines(gradeProse(4)), lines(gradeProse(8)), GradeTerms, ""},
		{"less than half", good, lines(gradeProse(4)), lines(gradeProse(9)), GradeShrunk, "96 words, and the last good text has 216"},
		{"grown", good, lines(gradeProse(90)), lines(gradeProse(9)), GradeTerms, ""},
		{"less than half of a line", good, lines("One."), lines(gradeSentence), GradeTerms, ""},
		{"blocked stays blocked", Verdict{GradeBlocked, "x"}, lines("One."), lines(gradeProse(9)), GradeBlocked, "x"},
		{"english to german", good, lines(german, german), lines(gradeProse(2)), GradeOtherLanguage, "56 of 56 words looked at are de"},
		{"english to chinese", good, lines(chinese, chinese), lines(gradeProse(5)), GradeOtherLanguage, "are zh-Hans"},
		{"simplified to traditional", good, lines(taiwan, taiwan), lines(chinese, chinese), GradeOtherLanguage, "zh-Hant"},
		{"russian to english", good, lines(gradeProse(4)), lines(russian, russian), GradeOtherLanguage, "were ru"},
		{"two languages, one grew", good, lines(gradeProse(2), german, german, german), lines(gradeProse(3), german, german), GradeTerms, ""},
		{"german with an english paragraph more", good, lines(german, german, german, gradeSentence), lines(german, german, german), GradeTerms, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := AssessAgainst(c.v, c.t, c.last)
			if got.Grade != c.want || !strings.Contains(got.Reason, c.says) {
				t.Errorf("AssessAgainst = %s (%s), want %s (…%s…)", got.Grade, got.Reason, c.want, c.says)
			}
		})
	}
}

// TestAssessAgainstStart: the address shows something else altogether.
func TestAssessAgainstStart(t *testing.T) {
	_, terms := gradePage("Community guidelines", "# Community guidelines", gradeProse(9))
	_, start := gradePage("Example: meet people", "# Find people near you", strings.Repeat("The app with heart shows you who is near, so that you can meet those that you like and no others. ", 20))
	if got := AssessAgainst(Verdict{Grade: GradeTerms}, start, terms); got.Grade != GradeStartPage {
		t.Errorf("a start page: %v", got)
	}
	if got := AssessAgainst(Verdict{Grade: GradeTerms}, terms, start); got.Grade != GradeTerms {
		t.Errorf("terms after a start page: %v", got)
	}
	start.Blocks[0].Text = "Our new community guidelines"
	if got := AssessAgainst(Verdict{Grade: GradeTerms}, start, terms); got.Grade != GradeTerms {
		t.Errorf("terms written anew: %v", got)
	}
	start.Blocks[0].Text = "Find people near you"
	start.Blocks = append(start.Blocks, terms.Blocks[1])
	if got := AssessAgainst(Verdict{Grade: GradeTerms}, start, terms); got.Grade != GradeTerms {
		t.Errorf("terms with another heading: %v", got)
	}
}

// TestGradeTables: phrases are compared with folded text, so they must be folded.
func TestGradeTables(t *testing.T) {
	for name, list := range map[string][]string{
		"challengeTitles": challengeTitles, "challengePhrases": challengePhrases, "challengeHints": challengeHints,
		"loginTitles": loginTitles, "loginPhrases": loginPhrases, "consentTitles": consentTitles, "consentPhrases": consentPhrases,
		"missingTitles": missingTitles, "missingPhrases": missingPhrases, "errorTitles": errorTitles, "errorPhrases": errorPhrases,
		"redirectPhrases": redirectPhrases, "browserPhrases": browserPhrases, "legalWords": legalWords, "previousPhrases": previousPhrases, "regionPhrases": regionPhrases,
		"dateFollowers": dateFollowers,
	} {
		for _, phrase := range list {
			if folded := foldPhrase(phrase); folded != strings.TrimSpace(phrase) {
				t.Errorf("%s: %q is folded %q", name, phrase, folded)
			}
		}
	}
	for _, list := range [][]datePhrase{phrasesBeforeDate, phrasesAfterDate} {
		for _, p := range list {
			if folded := foldPhrase(p.phrase); folded != p.phrase {
				t.Errorf("date phrase %q is folded %q", p.phrase, folded)
			}
		}
	}
	for lang, words := range functionWords {
		if folded := foldPhrase(words); folded != words {
			t.Errorf("function words of %s: folded %q", lang, folded)
		}
	}
	for month := range monthTable() {
		if folded := foldPhrase(month); folded != month {
			t.Errorf("month %q is folded %q", month, folded)
		}
	}
	for _, g := range Grades() {
		if m := g.Meaning(); m == "" || strings.HasSuffix(m, ".") {
			t.Errorf("meaning of %s: %q", g, m)
		}
	}
	if Grade("good").Meaning() != "" {
		t.Error("an unknown grade has a meaning")
	}
}

func FuzzAssess(f *testing.F) {
	f.Add("Just a moment...", "Checking your browser", "https://example.com/a", "https://example.com/", 200, true)
	f.Add("利用規約", "アクセスが制限されています", "https://example.com/a%zz", "://", 403, false)
	f.Add("", "\xff\x00", "", "", 0, false)
	known := map[Grade]bool{}
	for _, g := range Grades() {
		known[g] = true
	}
	f.Fuzz(func(t *testing.T, title, body, from, to string, status int, password bool) {
		p, text := gradePage(title, strings.Split(body, "\n")...)
		p.Password = password
		v := Assess(Capture{Status: status, URL: from, FinalURL: to, Size: int64(len(body))}, p, text)
		if !known[v.Grade] || (v.Grade == GradeTerms) != (v.Reason == "") {
			t.Errorf("%q: grade %q, reason %q", body, v.Grade, v.Reason)
		}
		if w := AssessAgainst(v, text, text); w != v {
			t.Errorf("against itself: %v, want %v", w, v)
		}
		// A long text at the same address is never graded away for its words.
		if status == 200 && from == to {
			p, text := gradePage(title, append(strings.Split(body, "\n"), gradeProse(15))...)
			if v := Assess(Capture{Status: 200, URL: from, FinalURL: to, Size: 9000}, p, text); v.Grade != GradeTerms {
				t.Errorf("title %q, body %q and a long text: %v", title, body, v)
			}
		}
	})
}
