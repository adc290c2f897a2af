package terms

import (
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// foundDate is a date in a folded string.
type foundDate struct {
	start, end       int
	year, month, day int // day 0: not stated
	// numeric says that day and month are both numbers of up to 12, and their order
	// is that of the language: month then holds the first, day the second.
	numeric bool
}

// findDates returns the dates in a folded string, in order, none within another.
func findDates(s string, months map[string]int) []foundDate {
	var all []foundDate
	scan := &dateScan{months: months}
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		shapes := dateShapes(s[i:], r)
		if shapes == nil || !dateBound(s, i) {
			i += n
			continue
		}
		if d, ok := scan.read(s[i:], shapes); ok {
			d.start, d.end = i, i+d.end
			all = append(all, d)
			i = d.end
			continue
		}
		i += n
		if isWordRune(r) && !isUnspaced(r) { // the rest of the word
			i += len(s[i:]) - len(strings.TrimLeftFunc(s[i:], sameKind(r)))
		}
	}
	return all
}

// sameKind returns a test for letters, or for digits if r is one.
func sameKind(r rune) func(rune) bool {
	if unicode.IsDigit(r) {
		return unicode.IsDigit
	}
	return func(r rune) bool { return unicode.IsLetter(r) && !isUnspaced(r) }
}

// dateBound reports whether a date can begin at i: not within a number or a word.
func dateBound(s string, i int) bool {
	before, _ := utf8.DecodeLastRuneInString(s[:i])
	if !isWordRune(before) || isUnspaced(before) {
		return !strings.HasSuffix(s[:i], ".") || i < 2 || !isASCIIDigit(s[i-2])
	}
	at, _ := utf8.DecodeRuneInString(s[i:])
	return unicode.IsLetter(before) && unicode.IsDigit(at) && before > unicode.MaxLatin1
}

func isASCIIDigit(b byte) bool { return '0' <= b && b <= '9' }

// dateShape reads one shape of dates.
type dateShape func(*dateScan) (foundDate, bool)

var (
	namedShapes  = []dateShape{(*dateScan).monthNameDay}
	numberShapes = []dateShape{(*dateScan).eastAsian, (*dateScan).yearFirst, (*dateScan).dayMonthName, (*dateScan).allNumbers}
)

// dateShapes returns the shapes of dates that can stand where s begins with r.
func dateShapes(s string, r rune) []dateShape {
	switch {
	case unicode.IsDigit(r), isHanNumeral(r):
		return numberShapes
	case unicode.IsLetter(r) && r < 0x3000:
		return namedShapes
	}
	for _, era := range japaneseEras {
		if strings.HasPrefix(s, era.name) {
			return numberShapes
		}
	}
	return nil
}

// dateEnds reports whether what follows a date does not go on with its numbers, as
// the parts of a version do.
func dateEnds(rest string) bool {
	if rest != "" && strings.ContainsRune(".-/", rune(rest[0])) {
		rest = rest[1:]
	}
	return rest == "" || !isASCIIDigit(rest[0])
}

// valid reports whether there is such a day, in a year that a web page can mean.
func (d foundDate) valid() bool {
	if d.year < 1990 || d.year > 2099 || d.month < 1 || d.month > 12 || d.day < 0 {
		return false
	}
	return d.day == 0 || time.Date(d.year, time.Month(d.month), d.day, 0, 0, 0, 0, time.UTC).Day() == d.day
}

func (d foundDate) String() string {
	if d.day == 0 {
		return time.Date(d.year, time.Month(d.month), 1, 0, 0, 0, 0, time.UTC).Format("2006-01")
	}
	return time.Date(d.year, time.Month(d.month), d.day, 0, 0, 0, 0, time.UTC).Format("2006-01-02")
}

// dateScan reads forms of dates from the beginning of a string.
type dateScan struct {
	s      string
	i      int
	months map[string]int
}

// read reads the date that s begins with, by the first shape that fits; end is set
// in bytes.
func (d *dateScan) read(s string, shapes []dateShape) (foundDate, bool) {
	for _, shape := range shapes {
		d.s, d.i = s, 0
		if found, ok := shape(d); ok && found.valid() && dateEnds(s[d.i:]) {
			found.end = d.i
			return found, true
		}
	}
	return foundDate{}, false
}

// number reads up to so many digits, which no other digit follows.
func (d *dateScan) number(least, most int) (int, bool) {
	n := 0
	for d.i+n < len(d.s) && isASCIIDigit(d.s[d.i+n]) {
		n++
	}
	if n < least || n > most {
		return 0, false
	}
	v, err := strconv.Atoi(d.s[d.i : d.i+n])
	d.i += n
	return v, err == nil
}

func (d *dateScan) space() {
	for d.i < len(d.s) && d.s[d.i] == ' ' {
		d.i++
	}
}

// any reads one of the strings, the first that stands there.
func (d *dateScan) any(options ...string) bool {
	for _, o := range options {
		if strings.HasPrefix(d.s[d.i:], o) {
			d.i += len(o)
			return true
		}
	}
	return false
}

// wordEnds reports whether no letter or digit stands here.
func (d *dateScan) wordEnds() bool {
	r, _ := utf8.DecodeRuneInString(d.s[d.i:])
	return !isWordRune(r) || isUnspaced(r) || unicode.Is(unicode.Hangul, r)
}

// eastAsian reads 2024年11月15日, 2024년 11월 15일, 令和6年4月1日, 二〇二四年十月.
func (d *dateScan) eastAsian() (found foundDate, ok bool) {
	base := 0
	for _, era := range japaneseEras {
		if d.any(era.name) {
			base = era.before
		}
	}
	d.space()
	if base > 0 && d.any("元") {
		found.year, ok = base+1, true
	} else if found.year, ok = d.hanNumber(); ok {
		found.year += base
	}
	if d.space(); !ok || !d.any("年", "년") {
		return found, false
	}
	d.space()
	if found.month, ok = d.hanNumber(); !ok {
		return found, false
	}
	if d.space(); !d.any("月", "월") {
		return found, false
	}
	end := d.i
	d.space()
	if found.day, ok = d.hanNumber(); ok {
		if d.space(); d.any("日", "일", "号") {
			return found, true
		}
	}
	found.day, d.i = 0, end
	return found, true
}

const hanDigits = "〇一二三四五六七八九"

func isHanNumeral(r rune) bool { return r == '十' || r == '〇' || strings.ContainsRune(hanDigits, r) }

// hanNumber reads a number in digits, in Chinese digits in their order (二〇二四),
// or up to 99 in words (二十四).
func (d *dateScan) hanNumber() (int, bool) {
	if d.i < len(d.s) && isASCIIDigit(d.s[d.i]) {
		return d.number(1, 4)
	}
	value, digits, ten := 0, 0, false
	for d.i < len(d.s) && digits < 5 {
		r, n := utf8.DecodeRuneInString(d.s[d.i:])
		at := strings.IndexRune(hanDigits, r) / len("〇")
		switch {
		case r == '十' && !ten && value < 10:
			value, ten = max(value, 1)*10, true
		case !strings.ContainsRune(hanDigits, r):
			return value, digits > 0
		case ten:
			value += at
		default:
			value = value*10 + at
		}
		digits++
		d.i += n
	}
	return value, digits > 0
}

// yearFirst reads 2024-11-15, 2024/11/15, 2024.11.15, 2024. 11. 15. and 2024-11.
func (d *dateScan) yearFirst() (found foundDate, ok bool) {
	if found.year, ok = d.number(4, 4); !ok {
		return found, false
	}
	if d.i >= len(d.s) || !strings.ContainsRune("-/.", rune(d.s[d.i])) {
		return found, false
	}
	divider := d.s[d.i : d.i+1]
	d.i++
	d.space()
	if found.month, ok = d.number(1, 2); !ok {
		return found, false
	}
	end := d.i
	if d.any(divider) {
		if d.space(); d.i < len(d.s) {
			if found.day, ok = d.number(1, 2); ok {
				d.any("t00:00:00z")
				return found, true
			}
		}
	}
	found.day, d.i = 0, end
	return found, divider != "." && d.wordEnds()
}

// dayMonthName reads 15 November 2024, 15. Mai 2023, 1er janvier 2024, 3rd of May
// 2021, 15 de noviembre de 2024, 15-nov-2024.
func (d *dateScan) dayMonthName() (found foundDate, ok bool) {
	if found.day, ok = d.number(1, 2); !ok {
		return found, false
	}
	d.any("st", "nd", "rd", "th", "er", "º", "ª", "o ")
	d.any(".")
	d.divide("of", "de", "of the")
	if found.month, ok = d.monthName(); !ok {
		return found, false
	}
	d.divide("de", "del", "of")
	found.year, ok = d.number(4, 4)
	return found, ok
}

// monthNameDay reads November 15, 2024, Nov. 15th 2024, mayo 15 de 2024 and May
// 2023.
func (d *dateScan) monthNameDay() (found foundDate, ok bool) {
	if found.month, ok = d.monthName(); !ok {
		return found, false
	}
	d.divide("de", "del", "of")
	at := d.i
	if found.year, ok = d.number(4, 4); ok {
		return found, true
	}
	d.i = at
	d.any("the ")
	if found.day, ok = d.number(1, 2); !ok {
		return found, false
	}
	d.any("st", "nd", "rd", "th", "º")
	d.divide("de", "del", "of")
	found.year, ok = d.number(4, 4)
	return found, ok
}

// divide reads what stands between the parts of a date: space, one comma, dot,
// hyphen or slash, one of the words.
func (d *dateScan) divide(words ...string) {
	d.space()
	d.any(",", ".", "-", "/", "、", "، ")
	d.space()
	for _, w := range words {
		if strings.HasPrefix(d.s[d.i:], w+" ") {
			d.i += len(w) + 1
			d.space()
			return
		}
	}
}

// monthName reads a name of a month, whole.
func (d *dateScan) monthName() (int, bool) {
	rest := d.s[d.i:]
	n := len(rest) - len(strings.TrimLeftFunc(rest, unicode.IsLetter))
	m := d.months[rest[:n]]
	d.i += n
	d.any(".")
	return m, m > 0
}

// allNumbers reads 15.11.2024, 15/11/2024 and 11-15-2024.
func (d *dateScan) allNumbers() (found foundDate, ok bool) {
	first, ok := d.number(1, 2)
	if d.space(); !ok || d.i >= len(d.s) || !strings.ContainsRune("-/.", rune(d.s[d.i])) {
		return found, false
	}
	divider := d.s[d.i : d.i+1]
	d.i++
	d.space()
	second, ok := d.number(1, 2)
	if d.space(); !ok || !d.any(divider) {
		return found, false
	}
	d.space()
	if found.year, ok = d.number(4, 4); !ok {
		return found, false
	}
	switch {
	case divider == ".", first > 12:
		found.day, found.month = first, second
	case second > 12:
		found.day, found.month = second, first
	default:
		found.month, found.day, found.numeric = first, second, first != second
	}
	return found, true
}

// monthTable returns the months by name.
func monthTable() map[string]int {
	table := make(map[string]int, 256)
	for i, names := range monthNames {
		for name := range strings.FieldsSeq(names) {
			table[name] = i + 1
		}
	}
	return table
}
