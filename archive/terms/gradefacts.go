package terms

import (
	"net/url"
	"strings"
)

// Limits of the rules. Words are counted by gradeWords.
const (
	// A page is short up to so many visible words. Phrases in the body of a longer
	// one mean nothing: policies speak of captchas, logins and missing pages too.
	shortPage = 250
	// A block is a sentence from so many words on, and a line up to there.
	sentenceWords = 20
	// So many words in sentences are more than an error, a challenge or a form has.
	hardlyProse = 60
	// So many words are what is left of a menu when there is no text.
	hardlyWords = 12
	// Blocks at the beginning that are looked at for a phrase.
	firstBlocks = 12
)

// gradeFacts is what the rules look at, counted and folded once.
type gradeFacts struct {
	c      Capture
	p      *Page
	t      *Text
	title  string   // folded
	parts  []string // of the title, between dividers
	words  int      // of the text
	prose  int      // of these, in sentences
	linked int      // of these, in links
	seen   int      // of the page, hidden, menu and footer included; shortPage+1 if more
	shown  string   // the page folded, "" if it is not short
	heads  []string // first blocks of less than a sentence, folded
	legal  bool     // the title or a heading names a legal text
	head   bool     // a heading does
}

func newGradeFacts(c Capture, p *Page, t *Text) *gradeFacts {
	if p == nil {
		p = &Page{}
	}
	if t == nil {
		t = &Text{}
	}
	f := &gradeFacts{c: c, p: p, t: t, title: foldPhrase(p.Title)}
	if f.c.Status == 0 {
		f.c.Status = 200
	}
	if f.c.FinalURL == "" {
		f.c.FinalURL = c.URL
	}
	f.parts = titleParts(f.title)
	f.countText()
	f.seen = gradeWords(p.Opening)
	if p.Visible > 2000 || f.seen > shortPage {
		f.seen = shortPage + 1
	} else {
		f.shown = foldPhrase(p.Opening)
	}
	f.legal = f.head || containsAny(f.title, legalWords) != ""
	return f
}

// countText counts the words of the text and keeps its first lines. It stops when
// there is more than any rule asks for.
func (f *gradeFacts) countText() {
	for i := range f.t.Blocks {
		b := &f.t.Blocks[i]
		n := gradeWords(b.Text)
		f.words += n
		for _, m := range b.Marks {
			if m.Kind == Link && 0 <= m.Start && m.Start <= m.End && m.End <= len(b.Text) {
				f.linked += gradeWords(b.Text[m.Start:m.End])
			}
		}
		if n >= sentenceWords {
			f.prose += n
		} else if i < firstBlocks {
			line := foldPhrase(b.Text)
			f.heads = append(f.heads, line)
			f.head = f.head || b.Kind == Heading && containsAny(line, legalWords) != ""
		}
		if f.prose > 4*shortPage && i >= firstBlocks {
			return
		}
	}
}

// gradeWords counts words; two characters of an unspaced script make one.
func gradeWords(s string) int {
	spaced, unspaced, inside := 0, 0, false
	for _, r := range s {
		switch {
		case isUnspaced(r):
			unspaced, inside = unspaced+1, false
		case !isWordRune(r):
			inside = false
		case !inside:
			spaced, inside = spaced+1, true
		}
	}
	return spaced + (unspaced+1)/2
}

// titleParts divides a folded title where sites put their name.
func titleParts(title string) []string {
	var parts []string
	for part := range strings.FieldsFuncSeq(title, func(r rune) bool { return strings.ContainsRune("|:·•»›_", r) }) {
		for p := range strings.SplitSeq(part, " - ") {
			if p = strings.Trim(p, " .…!?,-"); p != "" {
				parts = append(parts, p)
			}
		}
	}
	return parts
}

// titleIs returns the phrase that the title, a part of it or its beginning is.
func (f *gradeFacts) titleIs(phrases []string) string {
	whole := strings.Trim(f.title, " .…!?,-")
	for _, phrase := range phrases {
		if whole == phrase {
			return phrase
		}
		for _, part := range f.parts {
			if part == phrase {
				return phrase
			}
		}
	}
	return ""
}

// headHas returns the phrase in one of the first lines of the text.
func (f *gradeFacts) headHas(phrases []string) string {
	for _, line := range f.heads {
		if phrase := containsAny(line, phrases); phrase != "" {
			return phrase
		}
	}
	return ""
}

// containsAny returns the first of the folded phrases that stands in a folded
// string, at bounds of words; "" if none does.
func containsAny(s string, phrases []string) string {
	if s == "" {
		return ""
	}
	for _, phrase := range phrases {
		p := watchPhrase{folded: phrase}
		if p.in(s) {
			return phrase
		}
	}
	return ""
}

// addresses returns the declared and the final address, ok if both can be read
// and they differ.
func (f *gradeFacts) addresses() (declared, final *url.URL, ok bool) {
	declared, err := url.Parse(f.c.URL)
	if err != nil {
		return nil, nil, false
	}
	final, err = url.Parse(f.c.FinalURL)
	if err != nil || f.c.FinalURL == f.c.URL {
		return nil, nil, false
	}
	return declared, final, true
}
