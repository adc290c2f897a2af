package terms

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// dated makes a text: a heading begins with "# ", an item with "* ".
func dated(lang string, lines ...string) *Text {
	t := &Text{Lang: lang}
	for _, line := range lines {
		line, heading := strings.CutPrefix(line, "# ")
		kind := Paragraph
		line, item := strings.CutPrefix(line, "* ")
		if heading {
			kind = Heading
		} else if item {
			kind = Item
		}
		t.Blocks = append(t.Blocks, Block{Kind: kind, Text: line})
	}
	return t
}

func TestDates(t *testing.T) {
	for _, c := range []struct {
		lang, line string
		want       string // kind date “quote” note
	}{
		{"en", "Effective: November 15, 2024", "effective 2024-11-15 “Effective: November 15, 2024”"},
		{"en", "EFFECTIVE DATE – Nov. 15th, 2024", "effective 2024-11-15 “EFFECTIVE DATE – Nov. 15th, 2024”"},
		{"en", "These Terms are effective as of 1st of May 2021.", "effective 2021-05-01 “effective as of 1st of May 2021”"},
		{"en", "This policy was last updated on Friday, 3 March 2023 (see below)", "updated 2023-03-03 “last updated on Friday, 3 March 2023”"},
		{"en", "Last update to our Privacy Policy: May 2023", "updated 2023-05 “Last update to our Privacy Policy: May 2023”"},
		{"en", "Last Updated: 2025-03-10", "updated 2025-03-10 “Last Updated: 2025-03-10”"},
		{"en", "Updated 2024/11/15", "updated 2024-11-15 “Updated 2024/11/15”"},
		{"en", "Published on 15-Nov-2024", "published 2024-11-15 “Published on 15-Nov-2024”"},
		{"en", "Effective Date: 11/13/2024", "effective 2024-11-13 “Effective Date: 11/13/2024”"},
		{"en", "Effective Date: 03/04/2024", "effective  “Effective Date: 03/04/2024” 2024-03-04 or 2024-04-03: day and month cannot be told apart"},
		{"en-US", "Effective Date: 03/04/2024", "effective 2024-03-04 “Effective Date: 03/04/2024”"},
		{"en-GB", "Effective Date: 03/04/2024", "effective 2024-04-03 “Effective Date: 03/04/2024”"},
		{"fr-CA", "Mise à jour : 03/04/2024", "updated  “Mise à jour : 03/04/2024” 2024-03-04 or 2024-04-03: day and month cannot be told apart"},
		{"en", "Effective Date: 04/04/2024", "effective 2024-04-04 “Effective Date: 04/04/2024”"},
		{"de", "Stand: Mai 2023", "updated 2023-05 “Stand: Mai 2023”"},
		{"de", "Stand: 18. März 2025", "updated 2025-03-18 “Stand: 18. März 2025”"},
		{"de", "Last updated 15.11.2024", "updated 2024-11-15 “Last updated 15.11.2024”"},
		{"de", "Diese AGB gelten ab dem 01. 07. 2021", "effective 2021-07-01 “gelten ab dem 01. 07. 2021”"},
		{"de", "Diese Fassung tritt am 1. Januar 2024 in Kraft", "effective 2024-01-01 “tritt am 1. Januar 2024”"},
		{"de", "Datum der letzten Überarbeitung: 21. August 2020", "updated 2020-08-21 “letzten Überarbeitung: 21. August 2020”"},
		{"fr", "Date de révision : 26 juillet 2022", "updated 2022-07-26 “Date de révision : 26 juillet 2022”"},
		{"fr", "Révisé : 4 janvier 2022", "updated 2022-01-04 “Révisé : 4 janvier 2022”"},
		{"fr", "À compter du 15 décembre 2022 | Versions archivées", "effective 2022-12-15 “À compter du 15 décembre 2022”"},
		{"fr", "Entrée en vigueur : 1er janvier 2024", "effective 2024-01-01 “Entrée en vigueur : 1er janvier 2024”"},
		{"fr", "Dernière mise à jour le jeudi 8 août 2019", "updated 2019-08-08 “Dernière mise à jour le jeudi 8 août 2019”"},
		{"fr", "Date d’effet : 10 juin 2022", "effective 2022-06-10 “Date d’effet : 10 juin 2022”"},
		{"es", "Última actualización: 15 de noviembre de 2024", "updated 2024-11-15 “Última actualización: 15 de noviembre de 2024”"},
		{"es", "Vigente desde el 5 de enero del 2022", "effective 2022-01-05 “Vigente desde el 5 de enero del 2022”"},
		{"es", "Fecha de entrada en vigor: 03/04/2024", "effective 2024-04-03 “Fecha de entrada en vigor: 03/04/2024”"},
		{"pt", "Última atualização: 2 de março de 2024", "updated 2024-03-02 “Última atualização: 2 de março de 2024”"},
		{"it", "Ultimo aggiornamento: 3 giugno 2022", "updated 2022-06-03 “Ultimo aggiornamento: 3 giugno 2022”"},
		{"nl", "Laatst bijgewerkt op 4 mei 2021", "updated 2021-05-04 “Laatst bijgewerkt op 4 mei 2021”"},
		{"ru", "Последнее обновление: 15 ноября 2024 г.", "updated 2024-11-15 “Последнее обновление: 15 ноября 2024”"},
		{"el", "Τελευταία ενημέρωση 21 Απριλίου 2019", "updated 2019-04-21 “Τελευταία ενημέρωση 21 Απριλίου 2019”"},
		{"zh", "生效日期：2024年11月15日", "effective 2024-11-15 “生效日期：2024年11月15日”"},
		{"zh", "本协议于２０２４年１１月１５日生效", "effective 2024-11-15 “２０２４年１１月１５日生效”"},
		{"zh", "更新日期：二〇二四年十一月二十五日", "updated 2024-11-25 “更新日期：二〇二四年十一月二十五日”"},
		{"zh", "最后更新于 2025 年 6 月 10 日", "updated 2025-06-10 “最后更新于 2025 年 6 月 10 日”"},
		{"zh", "【2023年5月】更新", "updated 2023-05 “2023年5月】更新”"},
		{"ja", "最終更新日：令和6年4月1日", "updated 2024-04-01 “最終更新日：令和6年4月1日”"},
		{"ja", "令和元年5月7日 制定", "published 2019-05-07 “令和元年5月7日 制定”"},
		{"ja", "平成31年4月30日改定", "updated 2019-04-30 “平成31年4月30日改定”"},
		{"ja", "2024年4月1日より施行", "effective 2024-04-01 “2024年4月1日より施行”"},
		{"ko", "시행일자: 2024년 1월 15일", "effective 2024-01-15 “시행일자: 2024년 1월 15일”"},
		{"ko", "이 약관은 2024. 1. 15.부터 시행", "effective 2024-01-15 “2024. 1. 15.부터 시행”"},

		// Near misses.
		{"en", "We were founded on November 15, 2024.", ""},
		{"en", "Effective measures since November 15, 2024", ""},
		{"en", "Last updated by our staff in Berlin on November 15, 2024", ""},
		{"en", "Effective until November 15, 2024", ""},
		{"en", "Last updated: November 31, 2024", ""},
		{"en", "Last updated: 13/13/2024", ""},
		{"en", "Last updated: version 1.2.2024.5", ""},
		{"en", "Last updated 15", ""},
		{"en", "Last updated: 1824-11-15", ""},
		{"en", "Ineffective: November 15, 2024", ""},
		{"zh", "2024年11月15日我们推出了新功能", ""},
		{"fr", "Abonnements souscrits à compter du 15 décembre 2022", ""},
		{"de", "Verletzt (Update) (18. Nov. 2020)", ""},
		{"de", "Der Bestand: 18. März 2025", ""},
	} {
		text := dated(c.lang, "# Title", c.line, "More.")
		got := ""
		for _, d := range Dates(text, time.Time{}) {
			got += strings.TrimSpace(string(d.Kind) + " " + d.Date + " “" + d.Quote + "” " + d.Note)
		}
		if got != c.want {
			t.Errorf("%s %q:\n got %s\nwant %s", c.lang, c.line, got, c.want)
		}
	}
}

// TestDatesPlaces: the same words count or not by where they stand.
func TestDatesPlaces(t *testing.T) {
	filler := strings.Repeat("We keep what you enter for as long as you are a member of this service, and no longer than that, as said above. ", 2)
	page := func(at int, line string) *Text {
		lines := make([]string, 120)
		for i := range lines {
			lines[i] = filler
		}
		lines[at] = line
		return dated("en", lines...)
	}
	const (
		line    = "Updated: May 5, 2024"
		strong  = "This notice was last updated on May 5, 2024. " // and running on
		running = "Where a contract was updated on May 5, 2024, we keep it. "
	)
	for _, c := range []struct {
		name string
		t    *Text
		want int
	}{
		{"a line at the top", page(1, line), 1},
		{"a line in the middle", page(60, line), 1},
		{"a line at the end", page(119, line), 1},
		{"last updated in a paragraph at the top", page(1, strong+filler), 1},
		{"last updated in a paragraph in the middle", page(60, strong+filler), 0},
		{"last updated in a paragraph at the end", page(118, filler+strong), 1},
		{"a weak phrase in a paragraph at the top", page(1, running+filler), 0},
		{"a weak phrase in a paragraph at the end", page(118, running+filler), 0},
		{"a line that is huge", page(1, line+strings.Repeat(" ha", 9000)), 0},
	} {
		if got := Dates(c.t, time.Time{}); len(got) != c.want {
			t.Errorf("%s: %v, want %d", c.name, got, c.want)
		}
	}
	under := page(61, strong+filler)
	under.Blocks[60] = Block{Kind: Heading, Text: "Changes"}
	if got := Dates(under, time.Time{}); len(got) != 1 || got[0].Block != 61 {
		t.Errorf("last updated under a heading: %v", got)
	}
	both := dated("en", "Last updated: May 5, 2024 | Effective: June 1, 2024")
	want := []StatedDate{
		{Kind: DateUpdated, Date: "2024-05-05", Quote: "Last updated: May 5, 2024"},
		{Kind: DateEffective, Date: "2024-06-01", Quote: "Effective: June 1, 2024"},
	}
	if diff := cmp.Diff(want, Dates(both, time.Time{})); diff != "" {
		t.Error(diff)
	}
}

// TestDatesCaptured: what cannot have been said yet was meant the other way round.
func TestDatesCaptured(t *testing.T) {
	const updated, effective = "Updated: 11/05/2026", "Effective: 11/05/2026"
	for _, c := range []struct {
		lang, line, captured, want string
	}{
		{"en-US", updated, "2026-05-12", "2026-05-11"},
		{"en", updated, "2026-05-12", "2026-05-11"},
		{"en-US", updated, "2026-11-05", "2026-11-05"},
		{"en-US", updated, "2026-10-30", "2026-11-05"}, // put on line before its day
		{"en-US", updated, "2026-12-01", "2026-11-05"},
		{"en", updated, "2026-12-01", ""},
		{"en-US", updated, "2026-01-01", "2026-11-05"}, // neither can be
		{"en-GB", "Updated: 05/11/2026", "2026-05-12", "2026-05-11"},
		{"en-US", effective, "2026-05-12", "2026-11-05"},
		{"en", effective, "2026-05-12", ""},
		{"fr", "Mise à jour : 15 novembre 2026", "2026-05-12", "2026-11-15"}, // as it is written
	} {
		captured, err := time.Parse(time.DateOnly, c.captured)
		if err != nil {
			t.Fatal(err)
		}
		got := Dates(dated(c.lang, "# Title", c.line), captured)
		if len(got) != 1 || got[0].Date != c.want || (got[0].Note == "") != (c.want != "") {
			t.Errorf("%s %q captured %s: %+v, want %q", c.lang, c.line, c.captured, got, c.want)
		}
	}
}

func FuzzDates(f *testing.F) {
	f.Add("Effective: November 15, 2024", "en-US")
	f.Add("最終更新日：令和6年4月1日", "ja")
	f.Add("生效日期：二〇二四年十一月\xff", "zh")
	f.Add("Stand: ①⑤.㋊.２０２４", "de")
	f.Add("updated ŉ May 2024 ﬁ", "")
	f.Fuzz(func(t *testing.T, s, lang string) {
		text := dated(lang, strings.Split(s, "\n")...)
		for _, d := range Dates(text, time.Time{}) {
			if d.Block < 0 || d.Block >= len(text.Blocks) || !strings.Contains(text.Blocks[d.Block].Text, d.Quote) || d.Quote == "" {
				t.Errorf("%q: quote %q of block %d is not in it", s, d.Quote, d.Block)
			}
			if (d.Date == "") == (d.Note == "") || d.Date != "" && len(d.Date) != 10 && len(d.Date) != 7 {
				t.Errorf("%q: date %q, note %q", s, d.Date, d.Note)
			}
		}
		last := 0
		for _, e := range Editions(text, time.Time{}) {
			if e.From < last || e.To <= e.From || e.To > len(text.Blocks) {
				t.Errorf("%q: edition %d to %d after %d", s, e.From, e.To, last)
			}
			last = e.To
		}
	})
}
