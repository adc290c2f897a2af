package terms

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

// edition makes the lines of one edition; changed paragraphs say something else.
func edition(title, date, clause string, paragraphs, changed int) []string {
	lines := []string{title, date}
	for i := range paragraphs {
		said := "keeps what a member enters for as long as the membership lasts"
		if i < changed {
			said = clause
		}
		lines = append(lines, fmt.Sprintf("Clause %d: the operator of the service %s.", i+1, said))
	}
	return lines
}

func chineseEdition(title, date, clause string, changed int) []string {
	lines := []string{title, date}
	for i := range 12 {
		said := "在会员有效期内保存会员输入的数据，不会超过该期限，也不会提供给第三方"
		if i < changed {
			said = clause
		}
		lines = append(lines, fmt.Sprintf("第%d条 本服务的运营者%s。", i+1, said))
	}
	return lines
}

func TestEditions(t *testing.T) {
	const (
		trained = "may use it for the training of machine learning models"
		newDate = "Effective: November 15, 2024"
		oldDate = "Effective: September 29, 2023"
	)
	now, old := edition("# Terms of Service", newDate, trained, 14, 3), edition("# Terms of Service", oldDate, "", 14, 0)
	other := edition("# Cookie Policy", oldDate, "sets cookies for as long as you allow them in your browser", 14, 14)
	for _, c := range []struct {
		name string
		t    *Text
		want []string // from-to title dates
	}{
		{"one", dated("en", now...), nil},
		{"new above old", dated("en", slices.Concat([]string{"Home"}, now, old)...), []string{"1-17 Terms of Service 2024-11-15", "17-33 Terms of Service 2023-09-29"}},
		{"dates alone, no titles", dated("en", slices.Concat(now[1:], old[1:])...), []string{"0-15 Effective: November 15, 2024 2024-11-15", "15-30 Effective: September 29, 2023 2023-09-29"}},
		{"marked", dated("en", slices.Concat(edition("# Terms", "Last updated: November 15, 2024", trained, 14, 3), edition("# Previous version", oldDate, "", 14, 0))...),
			[]string{"0-16 Terms 2024-11-15", "16-32 Previous version 2023-09-29"}},
		{"chinese", dated("zh", slices.Concat(chineseEdition("# 服务条款", "生效日期：2024年11月15日", "可将其用于训练机器学习模型以及人工智能模型并提供给第三方", 3), chineseEdition("# 服务条款", "生效日期：2023年9月29日", "", 0))...),
			[]string{"0-14 服务条款 2024-11-15", "14-28 服务条款 2023-09-29"}},
		{"two documents", dated("en", slices.Concat(now, other)...), nil},
		{"two regions with the same date", dated("en", slices.Concat(now, edition("# Terms of Service", newDate, trained, 14, 5))...), nil},
		{"two regions with other dates", dated("en", slices.Concat(now, []string{old[0], "# If you live in the European Union"}, old[1:])...), nil},
		{"two regions, both named, below their contents", dated("en", slices.Concat(
			[]string{"Terms", "# If you live outside the European Union, or the United Kingdom, and also if you live in the United States of America or in its territories", "* Use", "* Content"}, now,
			[]string{"Terms", "# If you live in the European Union or the United Kingdom", "* Use", "* Content", "* Liability", "* General", "* Use", "* Content", "* Liability", "* General", "* Changes", "* Contact", "* Changes", "* Contact"}, old)...), nil},
		{"two editions for one region", dated("en", slices.Concat(
			[]string{"If you live in the European Union"}, now, []string{"If you live in the European Union"}, old)...),
			[]string{"0-17 Terms of Service 2024-11-15", "17-34 Terms of Service 2023-09-29"}},
		{"a list of changes", dated("en", slices.Concat(now, []string{oldDate, "We added a clause.", "Effective: May 1, 2022", "We removed one."})...), nil},
		{"a link to the previous version", dated("en", slices.Concat(now, []string{"Previous version", oldDate})...), nil},
	} {
		var got []string
		for _, e := range Editions(c.t, time.Time{}) {
			s := fmt.Sprintf("%d-%d %s", e.From, e.To, e.Title)
			for _, d := range e.Dates {
				s += " " + d.Date
			}
			got = append(got, s)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s:\n got %q\nwant %q", c.name, got, c.want)
		}
	}
}
