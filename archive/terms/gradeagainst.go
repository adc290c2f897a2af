package terms

import (
	"slices"
	"strings"
)

// leastCompared is the number of words that a text needs before another is called
// shrunk against it, and both need before their languages are compared.
const leastCompared = 40

// AssessAgainst grades a capture that is good by itself against the last good text
// of the same document: another language, another page altogether, or less than
// half of the words. Any other verdict than Terms is returned as it is, as is v if
// last is nil.
//
// A language has flipped if most of the text is in another one than most of the
// last, less than a quarter of it is in the old one, and less than a quarter of
// the last was in the new: a page in two languages that grows in one of them is
// still the same page. The scripts of Chinese count as two languages, as their
// terms are two documents.
func AssessAgainst(v Verdict, t, last *Text) Verdict {
	if v.Grade != GradeTerms || t == nil || last == nil {
		return v
	}
	if f := flippedLanguage(t, last); f.Grade != "" {
		return f
	}
	if nothingLeft(t, last) {
		return verdict(GradeStartPage, "no line of the last good text is left, and neither the title nor a heading names a legal text as before")
	}
	before := textWords(last)
	if now := textWords(t); before >= leastCompared && 2*now < before {
		return verdict(GradeShrunk, "%d words, and the last good text has %d", now, before)
	}
	return v
}

// nothingLeft reports whether a text has no sentence in common with the last one,
// and lost what named it a legal text: sites that take a page away show their
// start page at its address.
func nothingLeft(t, last *Text) bool {
	lines := map[string]bool{}
	for i := range last.Blocks {
		lines[last.Blocks[i].Text] = true
	}
	for i := range t.Blocks {
		if s := t.Blocks[i].Text; lines[s] && gradeWords(s) >= sentenceWords/2 {
			return false
		}
	}
	return namesLegal(last) && !namesLegal(t)
}

// namesLegal reports whether the title or one of the first 100 headings names a legal
// text.
func namesLegal(t *Text) bool {
	if containsAny(foldPhrase(t.Title), legalWords) != "" {
		return true
	}
	headings := 0
	for i := range t.Blocks {
		if t.Blocks[i].Kind != Heading {
			continue
		}
		if containsAny(foldPhrase(firstCharacters(t.Blocks[i].Text, 300)), legalWords) != "" {
			return true
		}
		if headings++; headings == 100 {
			break
		}
	}
	return false
}

func textWords(t *Text) int {
	n := 0
	for i := range t.Blocks {
		n += gradeWords(t.Blocks[i].Text)
	}
	return n
}

func flippedLanguage(t, last *Text) Verdict {
	now, before := languageSharesOf(t), languageSharesOf(last)
	if now.total < leastCompared || before.total < leastCompared {
		return Verdict{}
	}
	lang, n := now.top()
	old, m := before.top()
	switch {
	case lang == old, similarLanguages(lang, old):
		return Verdict{}
	case 2*n < now.total, 4*now.words[old] >= now.total, 4*before.words[lang] >= before.total:
		return Verdict{}
	}
	return verdict(GradeOtherLanguage, "%d of %d words looked at are %s, and %d of %d of the last good text were %s", n, now.total, lang, m, before.total, old)
}

// similarLanguages reports whether two languages are too near to each other to be
// told apart with certainty, or one is not told in full.
func similarLanguages(a, b string) bool {
	if strings.HasPrefix(a, "zh") && strings.HasPrefix(b, "zh") {
		return a == "zh" || b == "zh"
	}
	for _, near := range [][]string{{"da", "nb"}, {"nb", "sv"}, {"es", "ca"}, {"ar", "fa", "ur"}} {
		if slices.Contains(near, a) && slices.Contains(near, b) {
			return true
		}
	}
	return false
}
