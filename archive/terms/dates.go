package terms

import (
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/language"
)

// DateKind is what a stated date is the date of.
type DateKind string

// The kinds of stated dates.
const (
	DateEffective DateKind = "effective" // from when the text holds
	DateUpdated   DateKind = "updated"   // when it was last changed
	DatePublished DateKind = "published" // when it was given out
)

// StatedDate is a date that a text states of itself.
type StatedDate struct {
	Kind DateKind `json:"kind"`
	// Date is "2006-01-02", or "2006-01" where no day is stated; "" if its numbers
	// can be read in two ways and the language does not say in which: see Note.
	Date  string `json:"date,omitempty"`
	Block int    `json:"block"` // index into Text.Blocks
	Quote string `json:"quote"` // the words of that block from the phrase to the date, or the other way round
	Note  string `json:"note,omitempty"`
}

// Where dates are looked for. A line of up to dateLine words may stand anywhere
// and begin with a weak phrase such as "Updated"; in longer blocks only a phrase
// such as "last updated" counts, and only near the top, near the end and after a
// heading.
const (
	dateTop  = 30 // blocks
	dateEnd  = 15
	dateLine = 16   // words, as by gradeWords
	dateText = 4000 // bytes of a block
)

// Dates returns the dates that a text states of itself, in its order: phrases such
// as "Effective", "Last updated", "Stand", "Entrée en vigueur", "Última
// actualización", "生效日期", "最終更新日" or "시행일자" with a date right beside them,
// nothing but words such as "on", "of these terms" or "le" between. Dates in
// running text are not stated dates.
//
// 03/04/2024 is 4 March where the language of the text is en-US and 3 April in
// languages that write so; for "en" alone, and where months may come first, it is
// returned without Date, with a Note. Captured is when the text was, zero if that is
// unknown: what says that a text was updated or published long after it is read the
// other way round, whatever the language, since en-US often stands on pages of
// others.
func Dates(t *Text, captured time.Time) []StatedDate {
	var all []StatedDate
	var months map[string]int
	for i := range t.Blocks {
		if !mayStateDate(t, i) {
			continue
		}
		if months == nil {
			months = monthTable()
		}
		all = append(all, blockDates(t, i, months, captured)...)
	}
	return all
}

// mayStateDate reports whether a block is one where a date counts and has a number.
func mayStateDate(t *Text, i int) bool {
	s := t.Blocks[i].Text
	placed := i < dateTop || i >= len(t.Blocks)-dateEnd || t.Blocks[i-1].Kind == Heading || t.Blocks[i].Kind == Heading
	if len(s) > dateText || !placed && len(s) >= 400 {
		return false
	}
	number := strings.ContainsAny(s, "0123456789") || strings.IndexFunc(s, func(r rune) bool {
		return r >= utf8.RuneSelf && (unicode.IsDigit(r) || isHanNumeral(r))
	}) >= 0
	return number && (placed || gradeWords(s) <= dateLine)
}

func blockDates(t *Text, i int, months map[string]int, captured time.Time) []StatedDate {
	a := foldAligned(t.Blocks[i].Text)
	line := gradeWords(t.Blocks[i].Text) <= dateLine
	var all []StatedDate
	least := 0 // what is before is of an earlier date
	for _, d := range findDates(a.s, months) {
		kind, start, ok := phraseBefore(a.s[least:d.start], line)
		start, end := start+least, d.end
		if !ok && line {
			var n int
			kind, n, ok = phraseAfter(a.s[d.end:])
			start, end = d.start, d.end+n
		}
		least = end
		if !ok {
			continue
		}
		s := StatedDate{Kind: kind, Block: i, Quote: a.quote(start, end)}
		s.Date, s.Note = resolveDate(d, kind, t.Lang, captured)
		all = append(all, s)
	}
	return all
}

// phraseBefore finds the phrase that s ends with, connectors left out, and where
// it begins. The longest counts.
func phraseBefore(s string, line bool) (kind DateKind, start int, ok bool) {
	for range 8 {
		trimmed := strings.TrimRightFunc(s, isDatePunctuation)
		if between := s[len(trimmed):]; strings.Contains(between, ")") && strings.Contains(between, "(") {
			return "", 0, false // "(update) (18 Nov. 2020)": a remark, and the date of something else
		}
		s = trimmed
		best := 0
		for i := range phrasesBeforeDate {
			p := &phrasesBeforeDate[i]
			if p.weak && !line || len(p.phrase) <= best || !strings.HasSuffix(s, p.phrase) || !wordBound(s, len(s)-len(p.phrase)) {
				continue
			}
			if openingPhrases[p.phrase] && strings.TrimLeftFunc(s[:len(s)-len(p.phrase)], isDatePunctuation) != "" {
				continue
			}
			kind, start, ok, best = p.kind, len(s)-len(p.phrase), true, len(p.phrase)
		}
		if ok {
			return kind, start, true
		}
		word := lastWord(s)
		if !dateConnectors[word] {
			return "", 0, false
		}
		s = s[:len(s)-len(word)]
	}
	return "", 0, false
}

// isDatePunctuation reports whether a character may stand between a phrase and its
// date.
func isDatePunctuation(r rune) bool {
	return unicode.IsSpace(r) || strings.ContainsRune(":-()[]|,.*_=/«»\"'<>、・;【】〔〕「」~", r)
}

// lastWord returns the word that s ends with, "" if it ends otherwise. A character
// of an unspaced script is a word.
func lastWord(s string) string {
	r, n := utf8.DecodeLastRuneInString(s)
	if isUnspaced(r) {
		for _, particle := range []string{"より", "から", "では", "年月日"} {
			if strings.HasSuffix(s, particle) {
				return particle
			}
		}
		return s[len(s)-n:]
	}
	i := strings.LastIndexFunc(s, func(r rune) bool { return !isWordRune(r) || isUnspaced(r) })
	if i < 0 {
		return s
	}
	_, n = utf8.DecodeRuneInString(s[i:])
	return s[i+n:]
}

// phraseAfter finds the phrase that s begins with, and how far it goes.
func phraseAfter(s string) (kind DateKind, end int, ok bool) {
	rest := s
	for range 4 {
		rest = strings.TrimLeftFunc(rest, isDatePunctuation)
		best := 0
		for i := range phrasesAfterDate {
			p := &phrasesAfterDate[i]
			if len(p.phrase) > best && strings.HasPrefix(rest, p.phrase) {
				kind, best = p.kind, len(p.phrase)
			}
		}
		if best > 0 {
			return kind, len(s) - len(rest) + best, true
		}
		cut := false
		for _, follower := range dateFollowers {
			if rest, cut = strings.CutPrefix(rest, follower); cut {
				break
			}
		}
		if !cut {
			return "", 0, false
		}
	}
	return "", 0, false
}

// dateAhead is how long after a capture a page may say that it was updated: some
// are put on line before the day they name.
const dateAhead = 7 * 24 * time.Hour

// resolveDate writes a date; if neither the time of the capture nor the language
// tells day from month, it returns a note instead.
func resolveDate(d foundDate, kind DateKind, lang string, captured time.Time) (date, note string) {
	if !d.numeric {
		return d.String(), ""
	}
	swapped := d
	swapped.month, swapped.day = d.day, d.month
	order := dateOrder(lang)
	if kind != DateEffective && !captured.IsZero() {
		latest := captured.UTC().Add(dateAhead).Format(time.DateOnly)
		switch monthFirst, dayFirst := d.String() <= latest, swapped.String() <= latest; {
		case monthFirst && !dayFirst:
			order = "md"
		case dayFirst && !monthFirst:
			order = "dm"
		}
	}
	switch order {
	case "md":
		return d.String(), ""
	case "dm":
		return swapped.String(), ""
	}
	return "", fmt.Sprintf("%s or %s: day and month cannot be told apart", d, swapped)
}

// dateOrder returns "md" or "dm" for languages that write month or day first in
// dates that end with the year, "" where both are usual.
func dateOrder(lang string) string {
	tag, err := language.Parse(lang)
	if err != nil {
		return ""
	}
	base, _ := tag.Base()
	region, certain := tag.Region()
	switch {
	case region.String() == "US" && certain == language.Exact:
		return "md"
	case base.String() == "en" && certain != language.Exact, region.String() == "CA", region.String() == "PH":
		return ""
	}
	switch base.String() {
	case "und", "zh", "ja", "ko", "hu", "lt", "mn", "fa":
		return ""
	}
	return "dm"
}
