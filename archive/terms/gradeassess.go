package terms

import "fmt"

// Assess grades a capture by itself, from the most certain sign to the least: the
// headers that challengers send, the status, the address that answered, and what
// the page says. It looks at the body only where there is little of it: the words
// of a long text decide nothing, so that no terms are graded away for speaking of
// captchas, logins or missing pages. p and t may be nil.
//
// The rules for headers follow estimate_snapshot_quality of EDGI's
// web-monitoring-db tools.
func Assess(c Capture, p *Page, t *Text) Verdict {
	f := newGradeFacts(c, p, t)
	for _, rule := range []func(*gradeFacts) Verdict{
		headerRule, statusRule, bodyRule, addressRule,
		challengeRule, vendorRule, redirectRule, missingRule, errorRule,
		consentRule, loginRule, browserRule, emptyRule,
	} {
		if v := rule(f); v.Grade != "" {
			return v
		}
	}
	return Verdict{Grade: GradeTerms}
}

// verdict makes a Verdict with a formatted reason.
func verdict(g Grade, format string, args ...any) Verdict {
	return Verdict{g, fmt.Sprintf(format, args...)}
}

// bodyRule is about bodies that are not whole or not readable.
func bodyRule(f *gradeFacts) Verdict {
	switch {
	case f.c.Truncated:
		return verdict(GradeTruncated, "the body ended after %d bytes, before its end", f.c.Size)
	case f.words > 0:
		return Verdict{}
	case f.c.Size == 0:
		return verdict(GradeEmpty, "status %d with an empty body", f.c.Status)
	}
	for _, problem := range f.p.Problems {
		switch problem.Code {
		case ProblemScanned, ProblemUnreadable:
			return verdict(GradeUnreadable, "%s: %s", problem.Code, problem.Detail)
		}
	}
	return Verdict{}
}

// challengeRule finds tests for robots and refusals with a status of success.
func challengeRule(f *gradeFacts) Verdict {
	if f.prose > shortPage {
		return Verdict{}
	}
	if phrase := f.titleIs(challengeTitles); phrase != "" {
		return verdict(GradeBlocked, "the title says %q and the text has %d words", phrase, f.words)
	}
	if phrase := containsAny(f.shown, challengePhrases); phrase != "" {
		return verdict(GradeBlocked, "a page of %d words says %q", f.seen, phrase)
	}
	if f.prose > hardlyProse/2 || f.legal || f.seen > shortPage {
		return Verdict{}
	}
	if phrase := f.headHas(challengeHints); phrase != "" {
		return verdict(GradeBlocked, "a page of %d words with %d in sentences says %q", f.seen, f.prose, phrase)
	}
	return Verdict{}
}

// missingRule finds pages that do not exist and say so with a status of success.
func missingRule(f *gradeFacts) Verdict {
	if f.prose > hardlyProse {
		return Verdict{}
	}
	phrase := f.titleIs(missingTitles)
	if phrase == "" {
		phrase = containsAny(f.title, missingPhrases)
	}
	if phrase != "" {
		return verdict(GradeSoft404, "the title says %q and the text has %d words in sentences", phrase, f.prose)
	}
	if phrase := f.shortlySays(missingPhrases); phrase != "" {
		return verdict(GradeSoft404, "a page with %d words in sentences says %q", f.prose, phrase)
	}
	return Verdict{}
}

// errorRule finds errors of servers with a status of success.
func errorRule(f *gradeFacts) Verdict {
	if f.prose > hardlyProse {
		return Verdict{}
	}
	if phrase := f.titleIs(errorTitles); phrase != "" {
		return verdict(GradeErrorPage, "the title says %q and the text has %d words in sentences", phrase, f.prose)
	}
	if phrase := f.shortlySays(errorPhrases); phrase != "" {
		return verdict(GradeErrorPage, "a page with %d words in sentences says %q", f.prose, phrase)
	}
	return Verdict{}
}

// shortlySays returns the phrase that stands in a first line of the text, or
// anywhere in a page that has less words than a sentence or two.
func (f *gradeFacts) shortlySays(phrases []string) string {
	if phrase := f.headHas(phrases); phrase != "" {
		return phrase
	}
	if f.seen <= hardlyProse {
		return containsAny(f.shown, phrases)
	}
	return ""
}

// loginRule finds forms that ask who one is, and nothing else.
func loginRule(f *gradeFacts) Verdict {
	if f.prose > hardlyProse || f.legal || f.seen > shortPage {
		return Verdict{}
	}
	if phrase := f.titleIs(loginTitles); phrase != "" {
		return verdict(GradeLogin, "the title says %q and the text has %d words", phrase, f.words)
	}
	if !f.p.Password {
		return Verdict{}
	}
	if phrase := containsAny(f.shown, loginPhrases); phrase != "" {
		return verdict(GradeLogin, "a page of %d words has a field for a password and says %q", f.seen, phrase)
	}
	return Verdict{}
}

// consentRule finds walls before the text.
func consentRule(f *gradeFacts) Verdict {
	if f.prose > shortPage {
		return Verdict{}
	}
	if phrase := f.titleIs(consentTitles); phrase != "" {
		return verdict(GradeConsent, "the title says %q and the text has %d words", phrase, f.words)
	}
	if f.legal || f.prose > 2*hardlyProse {
		return Verdict{}
	}
	if phrase := f.headHas(consentPhrases); phrase != "" {
		return verdict(GradeConsent, "a text of %d words begins with %q", f.words, phrase)
	}
	if f.seen > shortPage/2 {
		return Verdict{}
	}
	if phrase := containsAny(f.shown, consentPhrases); phrase != "" {
		return verdict(GradeConsent, "a page of %d words says %q", f.seen, phrase)
	}
	return Verdict{}
}

// redirectRule finds pages that only send on.
func redirectRule(f *gradeFacts) Verdict {
	if f.words > hardlyProse {
		return Verdict{}
	}
	if f.p.Refresh != "" && f.p.Refresh != f.c.FinalURL {
		return verdict(GradeRedirect, "a page of %d words with a meta refresh to %s", f.words, f.p.Refresh)
	}
	if f.seen > hardlyProse {
		return Verdict{}
	}
	phrase := f.titleIs(redirectPhrases)
	if phrase == "" {
		phrase = containsAny(f.shown, redirectPhrases)
	}
	if phrase != "" {
		return verdict(GradeRedirect, "a page of %d words says %q", f.seen, phrase)
	}
	return Verdict{}
}

// browserRule finds shells that scripts fill: nothing but a few words, nothing but
// a menu, or hardly more than the wish for JavaScript.
func browserRule(f *gradeFacts) Verdict {
	if f.p.Scripts == 0 || f.words > 2*hardlyProse {
		return Verdict{}
	}
	if f.words <= hardlyWords && (!f.head || f.words < hardlyWords/2) {
		return verdict(GradeNeedsBrowser, "%d words of text, %d scripts with %d bytes of code", f.words, f.p.Scripts, f.p.Code)
	}
	if unlinked := f.words - f.linked; f.prose == 0 && unlinked <= hardlyWords && !f.head {
		return verdict(GradeNeedsBrowser, "%d of %d words of text are links, %d scripts with %d bytes of code", f.linked, f.words, f.p.Scripts, f.p.Code)
	}
	if f.words > hardlyProse || f.legal {
		return Verdict{}
	}
	phrase := f.shortlySays(browserPhrases)
	if phrase == "" && f.prose == 0 {
		phrase = containsAny(foldPhrase(f.p.Noscript), browserPhrases)
	}
	if phrase != "" {
		return verdict(GradeNeedsBrowser, "%d words of text, %d scripts, and the page says %q", f.words, f.p.Scripts, phrase)
	}
	return Verdict{}
}

func emptyRule(f *gradeFacts) Verdict {
	if f.words > 2 {
		return Verdict{}
	}
	return verdict(GradeEmpty, "%d words of text in %d bytes", f.words, f.c.Size)
}
