package declaration

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// slug returns the form of a name that stands in ids: NFC, lower case, letters
// and digits of any script kept with the marks that follow them, every run of
// anything else one '-', none at either end. It returns "" for a name without a
// letter or digit. slug(slug(s)) == slug(s).
func slug(s string) string {
	if isSlug(s) {
		return s
	}
	var b strings.Builder
	b.Grow(len(s))
	gap := false
	for _, r := range norm.NFC.String(s) {
		switch {
		case unicode.IsLetter(r) || unicode.IsDigit(r):
			if gap && b.Len() > 0 {
				b.WriteByte('-')
			}
			gap = false
			b.WriteRune(unicode.ToLower(r))
		case unicode.IsMark(r) && !gap && b.Len() > 0:
			b.WriteRune(r)
		default:
			gap = true
		}
	}
	return norm.NFC.String(b.String())
}

// isSlug reports whether s is plain ASCII already in the form of a slug.
func isSlug(s string) bool {
	for i := range len(s) {
		c := s[i]
		switch {
		case 'a' <= c && c <= 'z' || '0' <= c && c <= '9':
		case c == '-' && i > 0 && i < len(s)-1 && s[i-1] != '-':
		default:
			return false
		}
	}
	return s != ""
}

// documentID joins the three parts of a document's id; service and terms are
// slugs, lang is a canonical tag or empty.
func documentID(service, terms, lang string) string {
	if lang == "" {
		lang = "und"
	}
	return service + "/" + terms + "/" + strings.ToLower(lang)
}
