package terms

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"sync"
	"unicode"

	"golang.org/x/text/language"
)

// What is looked at for the language of a text: a sample, spread over it evenly.
const (
	languageBlocks     = 40  // of a text
	languageCharacters = 300 // of a block
	// languageLeast is the number of words, or characters of unspaced scripts,
	// without which nothing is said.
	languageLeast = 12
)

// Language returns the language that a text is written in, as a BCP 47 tag such
// as "en", "pt-BR" or "zh-Hans"; "" if that is unknown.
//
// The text decides where it is long enough: scripts by their letters, languages in
// Latin letters by their function words, block by block, and the one with most
// words wins on a mixed page. Declared, the language that the page or its server
// names, adds a region ("pt" and "pt-BR" agree), and decides alone for a short
// text and for languages that are not known here and do not look like one that is.
func Language(t *Text, declared string) string {
	said := canonicalTag(declared)
	s := languageSharesOf(t)
	lang, n := s.top()
	switch {
	case n < languageLeast, 2*n < s.total && said != "":
		return cmp.Or(said, lang)
	case said == "":
		return lang
	}
	base, _, _ := strings.Cut(said, "-")
	found, _, _ := strings.Cut(lang, "-")
	_, known := functionWords[base]
	switch {
	case base == found:
		return agree(said, lang)
	case base == "no" && found == "nb", base == "nn" && (found == "nb" || found == "da"):
		return said
	case !known && functionWords[found] != "" && isLatin(said) && s.function*10 < s.latin*3:
		return said
	}
	return lang
}

// canonicalTag returns a tag in the usual spelling, "" if it is none.
func canonicalTag(declared string) string {
	declared, _, _ = strings.Cut(declared, ",")
	tag, err := language.Parse(strings.TrimSpace(declared))
	if err != nil || tag == language.Und {
		return ""
	}
	return tag.String()
}

// agree returns the declared tag of a language that the text is in, unless it
// names the other script of Chinese.
func agree(said, found string) string {
	if !strings.HasPrefix(found, "zh-") {
		return said
	}
	script, _ := language.Make(said).Script()
	if said == "zh" || "zh-"+script.String() != found {
		return found
	}
	return said
}

// isLatin reports whether a language is usually written in Latin letters.
func isLatin(tag string) bool {
	script, _ := language.Make(tag).Script()
	return script.String() == "Latn"
}

// languageShares says how many words of a text are in which language.
type languageShares struct {
	words    map[string]int // words, or characters of unspaced scripts
	total    int            // of all blocks that showed a language
	latin    int            // words in Latin letters
	function int            // function words of the language of their block
}

// top returns the language with most words.
func (s *languageShares) top() (string, int) {
	best, most := "", 0
	for _, lang := range slices.Sorted(maps.Keys(s.words)) {
		if s.words[lang] > most {
			best, most = lang, s.words[lang]
		}
	}
	return best, most
}

func languageSharesOf(t *Text) *languageShares {
	s := &languageShares{words: map[string]int{}}
	profiles := functionProfiles()
	step := max(1, (len(t.Blocks)+languageBlocks-1)/languageBlocks)
	for i := 0; i < len(t.Blocks); i += step {
		lang, n, hits := blockLanguage(firstCharacters(t.Blocks[i].Text, languageCharacters), profiles)
		if lang == "" {
			continue
		}
		s.words[lang] += n
		s.total += n
		if functionWords[lang] != "" {
			s.latin, s.function = s.latin+n, s.function+hits
		}
	}
	return s
}

// firstCharacters returns the beginning of a string.
func firstCharacters(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for i := range s {
		if n == 0 {
			return s[:i]
		}
		n--
	}
	return s
}

// blockLanguage returns the language of a piece of text, the number of its words
// (characters of unspaced scripts), and how many are function words.
func blockLanguage(s string, profiles map[string][]string) (lang string, n, hits int) {
	scripts, latin := scriptCounts(s)
	best := ""
	for _, name := range slices.Sorted(maps.Keys(scripts)) {
		if best == "" || scripts[name] > scripts[best] {
			best = name
		}
	}
	// Kana are words between Han characters; a fifth of them is Japanese.
	kana := scripts["Hiragana"] + scripts["Katakana"]
	switch {
	case kana > 0 && kana*5 >= scripts["Han"] && kana+scripts["Han"] > latin/4:
		return "ja", kana + scripts["Han"], 0
	case best == "" || latin > 4*scripts[best]:
		return latinLanguage(s, profiles)
	}
	switch n = scripts[best]; best {
	case "Han":
		return chinese(s), n, 0
	case "Hangul":
		return "ko", max(1, n/2), 0
	case "Cyrillic":
		return cyrillic(s), max(1, n/6), 0
	case "Arabic":
		return arabic(s), max(1, n/5), 0
	}
	for _, l := range languageScripts {
		if l.name == best {
			return l.lang, max(1, n/5), 0
		}
	}
	return "", 0, 0
}

// scriptCounts counts letters by script, Latin ones apart.
func scriptCounts(s string) (scripts map[string]int, latin int) {
	scripts = map[string]int{}
	for _, r := range s {
		if r < 0x370 {
			if unicode.IsLetter(r) {
				latin++
			}
			continue
		}
		for i := range languageScripts {
			if unicode.Is(languageScripts[i].table, r) {
				scripts[languageScripts[i].name]++
				break
			}
		}
	}
	return scripts, latin
}

// latinLanguage returns the language with most function words in s: at least two,
// at least an eighth of the words, and more than any other.
func latinLanguage(s string, profiles map[string][]string) (lang string, n, hits int) {
	counts := map[string]int{}
	for _, word := range strings.FieldsFunc(foldPhrase(s), notWord) {
		n++
		for _, l := range profiles[word] {
			counts[l]++
		}
	}
	second := 0
	for _, l := range slices.Sorted(maps.Keys(counts)) {
		switch c := counts[l]; {
		case c > hits:
			lang, second, hits = l, hits, c
		case c > second:
			second = c
		}
	}
	if hits < 2 || hits*8 < n || hits == second {
		return "", 0, 0
	}
	return lang, n, hits
}

func notWord(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsNumber(r) }

// functionProfiles returns the languages of each function word. It is made once.
var functionProfiles = sync.OnceValue(func() map[string][]string {
	profiles := make(map[string][]string, 512)
	for _, lang := range slices.Sorted(maps.Keys(functionWords)) {
		for word := range strings.FieldsSeq(functionWords[lang]) {
			if !slices.Contains(profiles[word], lang) {
				profiles[word] = append(profiles[word], lang)
			}
		}
	}
	return profiles
})

func chinese(s string) string {
	simplified, traditional := containedRunes(s, hanSimplified), containedRunes(s, hanTraditional)
	switch {
	case simplified > traditional:
		return "zh-Hans"
	case traditional > simplified:
		return "zh-Hant"
	}
	return "zh"
}

func cyrillic(s string) string {
	if containedRunes(s, lettersUkrainian) > 0 {
		return "uk"
	}
	return "ru"
}

func arabic(s string) string {
	switch persian := containedRunes(s, lettersPersian); {
	case containedRunes(s, lettersUrdu) > persian/2 && containedRunes(s, lettersUrdu) > 0:
		return "ur"
	case persian > 1:
		return "fa"
	}
	return "ar"
}

// containedRunes counts the characters of s that are in set.
func containedRunes(s, set string) int {
	n := 0
	for _, r := range s {
		if r >= 0x80 && strings.ContainsRune(set, r) {
			n++
		}
	}
	return n
}
