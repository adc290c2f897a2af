package terms

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Watch finds watch phrases in sentences. It is safe for concurrent use.
//
// Case, diacritics, full-width forms and the number of spaces do not count:
// "maschinelles lernen" finds "Maschinelles  Lernen", "entrainement" finds
// "entraînement". A phrase matches whole words: "train" finds neither "trained"
// nor "constraint"; with an asterisk at its end, "train*", it matches every word
// that begins so. Where words are not divided by spaces (Chinese, Japanese, Thai,
// Lao, Khmer, Burmese) a phrase is found anywhere. Korean puts particles at the
// end of words: write "학습*".
type Watch struct {
	phrases []watchPhrase
}

type watchPhrase struct {
	given  string // as configured
	folded string
	prefix bool
}

// NewWatch returns a Watch for the phrases, of which none may be empty, shorter
// than two letters (one, where a character is a word), the same as another, or
// have an asterisk elsewhere than at its end. The error names the phrase.
func NewWatch(phrases []string) (*Watch, error) {
	w := &Watch{phrases: make([]watchPhrase, 0, len(phrases))}
	seen := map[string]string{}
	for i, given := range phrases {
		p, err := newWatchPhrase(given)
		if err != nil {
			return nil, fmt.Errorf("watch phrase %d %q: %w", i+1, given, err)
		}
		key := fmt.Sprint(p.folded, p.prefix)
		if other, ok := seen[key]; ok {
			return nil, fmt.Errorf("watch phrase %d %q: finds the same as %q: remove one of them", i+1, given, other)
		}
		seen[key] = given
		w.phrases = append(w.phrases, p)
	}
	return w, nil
}

func newWatchPhrase(given string) (watchPhrase, error) {
	if !utf8.ValidString(given) {
		return watchPhrase{}, fmt.Errorf("is no valid UTF-8: save the file as UTF-8")
	}
	p := watchPhrase{given: given}
	p.folded, p.prefix = strings.CutSuffix(foldPhrase(given), "*")
	p.folded = strings.TrimSuffix(p.folded, " ")
	letters, least := 0, 2
	if p.prefix {
		least = 3
	}
	for _, r := range p.folded {
		switch {
		case isUnspaced(r), unicode.Is(unicode.Hangul, r): // a word, or half of one
			letters, least = letters+1, 1
		case unicode.IsLetter(r), unicode.IsNumber(r):
			letters++
		}
	}
	switch {
	case strings.Contains(p.folded, "*"):
		return p, fmt.Errorf("has an asterisk that is not at its end: only word* is understood")
	case letters == 0:
		return p, fmt.Errorf("has no letters: write a word or remove the line")
	case letters < least:
		return p, fmt.Errorf("is too short to mean anything: write at least two letters, three before an asterisk")
	}
	return p, nil
}

// Match returns the phrases found in s, as they were configured and in that
// order, nil if none is. It takes time proportional to the length of s times the
// number of phrases.
func (w *Watch) Match(s string) []string {
	if len(w.phrases) == 0 || s == "" {
		return nil
	}
	folded := foldPhrase(s)
	var found []string
	for i := range w.phrases {
		if w.phrases[i].in(folded) {
			found = append(found, w.phrases[i].given)
		}
	}
	return found
}

// in reports whether the phrase stands in a folded string, at bounds of words.
func (p *watchPhrase) in(s string) bool {
	for from := 0; ; {
		i := strings.Index(s[from:], p.folded)
		if i < 0 {
			return false
		}
		start, end := from+i, from+i+len(p.folded)
		if wordBound(s, start) && (p.prefix || wordBound(s, end)) {
			return true
		}
		_, n := utf8.DecodeRuneInString(s[start:])
		from = start + n
	}
}

// wordBound reports whether a word can begin or end at i: one of the characters
// beside it is no letter or number, or is of an unspaced script.
func wordBound(s string, i int) bool {
	before, _ := utf8.DecodeLastRuneInString(s[:i])
	after, _ := utf8.DecodeRuneInString(s[i:])
	return !isWordRune(before) || !isWordRune(after) || isUnspaced(before) || isUnspaced(after)
}

// isWordRune reports whether r is part of a word of a spaced script. RuneError,
// which stands for the ends of the string, is not.
func isWordRune(r rune) bool {
	return r != utf8.RuneError && (unicode.IsLetter(r) || unicode.IsNumber(r) || unicode.IsMark(r))
}

// DefaultWatch returns the phrases that are watched if none are configured: the
// words in which terms speak of training models with what people write, in
// English, Chinese, Japanese, German, French, Spanish and Korean. "train*" finds
// training of staff as well: a match marks a change, it does not make one.
func DefaultWatch() []string {
	return []string{
		"artificial intelligence", "machine learning", "generative", "AI", "A.I.", "train*",
		"large language model*", "AI model*", "language model*", "fine-tun*", "scrap*", "data mining",
		"人工智能", "机器学习", "训练", "生成式", "大模型", "深度学习",
		"人工智慧", "機器學習", "訓練",
		"人工知能", "機械学習", "学習", "生成AI",
		"künstliche Intelligenz*", "künstlicher Intelligenz*", "künstlichen Intelligenz*", "KI", "KI-Modell*", "KI-System*",
		"maschinelles Lernen", "maschinellen Lernens", "maschinellem Lernen", "trainier*", "Trainingsdaten",
		"intelligence artificielle", "IA", "apprentissage automatique", "apprentissage machine", "entraîn*", "modèles de langage",
		"inteligencia artificial", "aprendizaje automático", "entren*", "generativa", "modelos de lenguaje",
		"인공지능*", "인공 지능*", "머신러닝*", "기계 학습*", "기계학습*", "학습*", "생성형*",
	}
}
