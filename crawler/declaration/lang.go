package declaration

import (
	"fmt"
	"strings"
	"unicode"

	"golang.org/x/text/language"
)

// parseLang checks a BCP 47 language tag (RFC 5646) and returns it in canonical
// case; "" and "und" give "". No subtag is replaced by another: what was
// declared is what is asked for and shown.
func parseLang(s string) (string, error) {
	if s == "" {
		return "", nil
	}
	tag, err := language.Raw.Parse(s)
	if err != nil {
		if _, ok := err.(language.ValueError); ok {
			return "", fmt.Errorf("language %q has an unknown part", s)
		}
		return "", fmt.Errorf("%q is not a language tag", s)
	}
	if tag == language.Und {
		return "", nil
	}
	return tag.String(), nil
}

// acceptLanguage returns the header value that asks for a canonical tag: "en"
// for en, "zh-CN,zh;q=0.9" for zh-CN, "" for "".
func acceptLanguage(lang string) string {
	base, _, found := strings.Cut(lang, "-")
	if !found || len(base) < 2 {
		return lang
	}
	return lang + "," + base + ";q=0.9"
}

// checkHeader reports what is wrong with the value of an Accept-Language or
// Accept-Encoding header. Only the characters of their grammar (RFC 9110,
// section 12.5) are let through, so that no declaration can add a header.
func checkHeader(s string) error {
	if len(s) > 200 {
		return fmt.Errorf("value of %d bytes is too long", len(s))
	}
	for _, r := range s {
		switch {
		case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9':
		case strings.ContainsRune("-,;=.* _", r):
		default:
			return fmt.Errorf("value %q has a character that does not belong in this header", s)
		}
	}
	return nil
}

// checkVantage reports what is wrong with the name of a place.
func checkVantage(s string) error {
	if len(s) > 100 {
		return fmt.Errorf("vantage of %d bytes is longer than 100", len(s))
	}
	for _, r := range s {
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("-_.", r) {
			return fmt.Errorf("vantage %q is not made of letters, digits, '-', '_' and '.'", s)
		}
	}
	return nil
}
