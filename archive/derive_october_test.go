package archive_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/fineprint-archive/fineprint/archive"
	"github.com/fineprint-archive/fineprint/archive/terms"
)

// The terms of a service before and after a change like that of October 2024, in
// two languages: a licence grows by the training of models, both texts stand on one
// page for a time, and then the old one goes.
const (
	octoberOld = "You keep your rights to any content that you post on or through the Services. By posting content you grant us a worldwide, " +
		"royalty-free licence to use, copy, process, adapt, publish, show and distribute it in any media, now known or later made."
	octoberAI = "You agree that this licence includes the right for us to analyse text and other information that you provide and to use it, " +
		"for example, for the training of our machine learning and artificial intelligence models, whether generative or of another type."
	octoberOldZH = "您对您在本服务上发布的内容保留所有权利。您发布内容,即授予我们一项全球性、免版税的许可,允许我们以任何媒介使用、复制、处理、改编、发布、展示和分发这些内容。"
	octoberAIZH  = "您同意该许可包括我们有权分析您提供的文本和其他信息,并将其用于训练我们的机器学习和人工智能模型,无论是生成式还是其他类型。"
)

// terms2024 are terms of which the paragraph on content is given.
func terms2024(lang, date, content string) string {
	var b strings.Builder
	if lang == "en" {
		fmt.Fprintf(&b, "<h1>Terms of Service</h1><p>%s</p>\n<p>These terms govern your access to and use of our services, websites and apps. By using them you agree to be bound by these terms.</p>\n", date)
		for i := range 5 {
			fmt.Fprintf(&b, "<h2>%d. Rules</h2><p>Rule %[1]d tells what you may do here and what you must leave, and what follows if you do it nonetheless.</p>\n", i+1)
		}
		fmt.Fprintf(&b, "<h2>6. Content</h2><p>%s</p>\n<p>We may end your account at any time, and you may leave.</p>\n", content)
		return b.String()
	}
	fmt.Fprintf(&b, "<h1>服务条款</h1><p>%s</p>\n<p>本条款约束您对我们的服务、网站和应用程序的访问和使用。您使用本服务,即表示您同意受本条款的约束。</p>\n", date)
	for i := range 5 {
		fmt.Fprintf(&b, "<h2>%d. 规则</h2><p>第%[1]d条规则说明您在这里可以做什么、不得做什么,以及如果您仍然这样做会有什么后果。</p>\n", i+1)
	}
	fmt.Fprintf(&b, "<h2>6. 内容</h2><p>%s</p>\n<p>我们可以随时终止您的账户,您也可以随时离开。</p>\n", content)
	return b.String()
}

// TestDeriveOctober2024 follows the terms of two languages through the change.
func TestDeriveOctober2024(t *testing.T) {
	t.Parallel()
	b := newDeriveBench(t, `{name: Example, terms: {Terms of Service: [
  {url: "https://example.org/en/tos", lang: en}, {url: "https://example.org/zh/tos", lang: zh-CN}]}}`)
	html := func(lang string, editions ...string) string {
		return "<!doctype html><html lang=" + lang + "><title>Terms</title><body>" + strings.Join(editions, "<hr>\n") + "</body></html>"
	}
	old := terms2024("en", "Effective: September 29, 2023", octoberOld)
	new := terms2024("en", "Effective: November 15, 2024", octoberOld+" "+octoberAI)
	oldZH := terms2024("zh-CN", "生效日期:2023年9月29日", octoberOldZH)
	newZH := terms2024("zh-CN", "生效日期:2024年11月15日", octoberOldZH+octoberAIZH)
	series := map[string][]string{
		"https://example.org/en/tos": {html("en", old), html("en", old), html("en", new, old), html("en", new, old), html("en", new, old), html("en", new), html("en", new)},
		"https://example.org/zh/tos": {html("zh-CN", oldZH), html("zh-CN", oldZH), html("zh-CN", oldZH), html("zh-CN", newZH, oldZH), html("zh-CN", newZH, oldZH), html("zh-CN", newZH), html("zh-CN", newZH)},
	}
	for i := range 7 {
		for _, address := range []string{"https://example.org/en/tos", "https://example.org/zh/tos"} {
			b.look(t, visit{url: address, hour: float64(24 * i), body: series[address][i]})
		}
	}
	b.derive(t)
	quoted := map[string][]string{"en": {"training of our machine learning"}, "zh-CN": {"训练我们的机器学习"}}
	watched := map[string][]string{"en": {"machine learning", "train*"}, "zh-CN": {"人工智能", "训练"}}
	seen := map[string]int{}
	for _, c := range b.changes(t) {
		seen[c.Lang]++
		day := int(c.Time.Sub(hours(0)).Hours() / 24)
		switch seen[c.Lang] {
		case 1: // the new terms stand above the old ones
			if want := map[string]int{"en": 2, "zh-CN": 3}[c.Lang]; day != want {
				t.Errorf("%s: new terms on day %d, want %d", c.Lang, day, want)
			}
			for _, words := range quoted[c.Lang] {
				if !strings.Contains(c.Summary, words) {
					t.Errorf("%s: summary without %q: %s", c.Lang, words, c.Summary)
				}
			}
			if got := c.Phrases(); !slices.Equal(got, watched[c.Lang]) {
				t.Errorf("%s: watch phrases %q, want %q", c.Lang, got, watched[c.Lang])
			}
			b.redline(t, c.Document, c.FromText, c.Text, map[string]string{"en": octoberAI, "zh-CN": octoberAIZH}[c.Lang])
		case 2: // the old ones go
			if day != 5 || len(c.Phrases()) > 0 || c.AddedWords != 0 {
				t.Errorf("%s: the old terms went on day %d, watch phrases %q, %d words added", c.Lang, day, c.Phrases(), c.AddedWords)
			}
		}
		if c.Effective != "2024-11-15" {
			t.Errorf("%s: effective %q, want 2024-11-15", c.Lang, c.Effective)
		}
	}
	if seen["en"] != 2 || seen["zh-CN"] != 2 {
		t.Errorf("changes by language: %v, want 2 of each; outcomes %s", seen, b.outcomes(t))
	}
	b.check(t)
}

// redline wants the change between two texts to show a sentence as what is new in a
// paragraph that was made from an earlier one.
func (b *deriveBench) redline(t *testing.T, document, from, to, sentence string) {
	t.Helper()
	old, err := archive.StoredText(t.Context(), b.db, document, from)
	must(t, err)
	text, err := archive.StoredText(t.Context(), b.db, document, to)
	must(t, err)
	d := terms.Compare(old, text)
	applied, err := d.Apply(old.Blocks)
	must(t, err)
	if got := (&terms.Text{Blocks: applied}).Plain(); got != text.Plain() {
		t.Errorf("%s: the redline makes of the old text\n%s\nwant\n%s", document, got, text.Plain())
	}
	var out strings.Builder
	must(t, terms.RenderTerminal(&out, d, terms.TerminalOptions{}))
	unspaced := func(s string) string { return strings.Join(strings.Fields(s), "") } // however lines are broken
	if !strings.Contains(unspaced(out.String()), unspaced("{+"+sentence+"+}")) {
		t.Errorf("%s: the redline does not show %q as what is new:\n%s", document, sentence, out.String())
	}
}
