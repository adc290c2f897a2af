package terms

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite golden files")

// Texts of the shape of a change of October 2024: a licence; then the amended terms
// above the old ones, on one page; then the old ones taken away.
var (
	englishOld = lines(
		"# Terms of Use",
		"Effective since 1 May 2023",
		"## 1. Who may use the service",
		"You may use the service if you can make a binding contract with us and are at least 13 years old.",
		"## 2. Your content",
		"You keep all rights to what you post, and what you post stays your own.",
		"By posting you give us a worldwide licence to copy, adapt and show your content so that others can see it. You agree that this licence lets us provide and improve the service and pass your content on to other companies.",
		"## 3. Your data",
		"We handle your data as our privacy notice says. We do not sell your data.",
		"## 4. Disputes",
		"Disputes go to the courts of the county of San Example.",
	)
	englishAmended = lines(
		"# Terms of Use",
		"Effective from 15 November 2024",
		"## 1. Who may use the service",
		"You may use the service if you can make a binding contract with us and are at least 13 years old.",
		"## 2. Your content",
		"You keep all rights to what you post, and what you post stays your own.",
		"By posting you give us a worldwide licence to copy, adapt and show your content so that others can see it. You agree that this licence lets us provide and improve the service for use with and training of our machine learning and artificial intelligence models, whether generative or another type, and pass your content on to other companies.",
		"## 3. Your data",
		"We handle your data as our privacy notice says.",
		"## 4. Disputes",
		"Disputes go to the courts of the county of New Example.",
	)
	englishBoth = &Text{Lang: "en", Blocks: append(append(append([]Block{}, englishAmended.Blocks...),
		lines("The terms below apply until 15 November 2024.").Blocks...), englishOld.Blocks...)}

	chineseOld = lines(
		"# 服务条款",
		"自2023年5月1日起生效",
		"## 一、内容",
		"您保留对您发布的内容的所有权利。",
		"您发布内容即授予我们全球性许可，以便我们复制、改编和展示您的内容。您同意该许可包括我们提供、推广和改进服务的权利。",
		"## 二、数据",
		"我们按照隐私声明处理您的数据。我们不出售您的数据。",
	)
	chineseAmended = lines(
		"# 服务条款",
		"自2024年11月15日起生效",
		"## 一、内容",
		"您保留对您发布的内容的所有权利。",
		"您发布内容即授予我们全球性许可，以便我们复制、改编和展示您的内容。您同意该许可包括我们提供、推广和改进服务，用于训练我们的机器学习和人工智能模型的权利。",
		"## 二、数据",
		"我们按照隐私声明处理您的数据。",
	)
	chineseBoth = &Text{Lang: "zh", Blocks: append(append(append([]Block{}, chineseAmended.Blocks...),
		lines("以下条款有效至2024年11月15日。").Blocks...), chineseOld.Blocks...)}
)

// inLang sets the language of a text.
func inLang(lang string, t *Text) *Text {
	t.Lang = lang
	return t
}

// pairs are the comparisons that have golden files.
var pairs = []struct {
	name     string
	old, new *Text
}{
	{"english-both", englishOld, englishBoth},
	{"english-after", englishBoth, englishAmended},
	{"english-direct", englishOld, englishAmended},
	{"chinese-both", chineseOld, chineseBoth},
	{"chinese-after", chineseBoth, chineseAmended},
	{"moved", lines("# A", "First comes what we do with your data.", "Second come the duties that you have towards us.",
		"Third comes the law that applies between us and you."),
		lines("# A", "Third comes the law that applies between us and you.", "First comes what we do with your data.",
			"Second come the many duties that you have towards us.")},
	{"table", lines("| Purpose | Legal basis | Kept", "| Accounts | Contract | 2 years", "| Advertising | Consent | 1 year"),
		lines("| Purpose | Legal basis | Kept", "| Accounts | Contract | 5 years", "| Advertising | Legitimate interest | 1 year",
			"| Models | Legitimate interest | 10 years")},
	{"renumbered", lines("1. You pay on time.", "2. You keep your password secret.", "3. You do not resell the service."),
		lines("1. You pay on time.", "2. You are of age.", "3. You keep your password secret.", "4. You do not resell the service.")},
	{"split", lines("We keep the data that you give us. You may close your account at any time."),
		lines("We keep the data that you give us.", "You may close your account at any time.")},
	{"arabic", inLang("ar", lines("# شروط الخدمة", "نحن لا نبيع بياناتك إلى أي طرف ثالث.", "يمكنك إغلاق حسابك في أي وقت.")),
		inLang("ar", lines("# شروط الخدمة", "نحن لا نبيع بياناتك إلى أي طرف ثالث دون موافقتك.", "يمكنك إغلاق حسابك في أي وقت."))},
	{"form", formOld, formNew},
	{"hostile", lines("<script>alert(1)</script> & \"x\"", "Stays \x1b[2J here."),
		lines("<script>alert(2)</script> & \"x\"", "Stays \x1b[2J here.", "\u202e<b>new</b> \u009b31m")},
}

var (
	formOld = &Text{Blocks: []Block{
		{Kind: Paragraph, Text: "Fees"},
		{Kind: Paragraph, Text: "See our privacy notice and the price list.", Marks: []Mark{
			{8, 22, Link, "https://a.example/privacy"}, {31, 41, Link, "https://a.example/prices"}}},
		{Kind: Paragraph, Text: "All sales are final.", Marks: []Mark{{0, 3, Strong, ""}}},
	}}
	formNew = &Text{Blocks: []Block{
		{Kind: Heading, Level: 2, Text: "Fees"},
		{Kind: Paragraph, Text: "See our privacy notice and the price list.", Marks: []Mark{
			{8, 22, Link, "https://b.example/privacy"}, {31, 41, Link, "https://a.example/prices"}}},
		{Kind: Paragraph, Text: "All sales are final."},
	}}
)

func TestGolden(t *testing.T) {
	header := Header{
		Document: "Example terms",
		OldTime:  time.Date(2024, 10, 16, 8, 0, 0, 0, time.UTC),
		NewTime:  time.Date(2024, 10, 17, 8, 0, 0, 0, time.UTC),
	}
	for _, p := range pairs {
		t.Run(p.name, func(t *testing.T) {
			d := checkDiff(t, p.old, p.new)
			checkRenderings(t, d)
			golden(t, p.name+".txt", func(w *bytes.Buffer) error {
				return RenderTerminal(w, d, TerminalOptions{Header: header, Context: 1, Width: 80})
			})
			golden(t, p.name+".ansi", func(w *bytes.Buffer) error {
				return RenderTerminal(w, d, TerminalOptions{Header: header, Context: 1, Width: 80, Color: true})
			})
			golden(t, p.name+".html", func(w *bytes.Buffer) error {
				return RenderHTML(w, d, HTMLOptions{Header: header, Context: 1, Fragment: p.name != "moved"})
			})
			golden(t, p.name+".diff", func(w *bytes.Buffer) error {
				return RenderUnified(w, d, UnifiedOptions{Header: header, Context: 1})
			})
			golden(t, p.name+".json", func(w *bytes.Buffer) error {
				e := json.NewEncoder(w)
				e.SetEscapeHTML(false)
				e.SetIndent("", " ")
				return e.Encode(struct {
					*Diff
					Stats   Stats
					Summary string
					Added   []Passage
					Removed []Passage
				}{d, d.Stats(), d.Summary(160), d.Added(), d.Removed()})
			})
		})
	}
}

// golden compares what is rendered with a file.
func golden(t *testing.T, name string, render func(*bytes.Buffer) error) {
	t.Helper()
	var got bytes.Buffer
	if err := render(&got); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join("testdata", "compare", name)
	if *update {
		if err := os.WriteFile(file, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got.String()); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}
