package terms

import (
	"net/url"
	"strings"

	"golang.org/x/text/language"
)

// Segments of paths and labels of hosts that addresses of these pages have.
var (
	loginSegments = []string{"login", "log-in", "signin", "sign-in", "sign_in", "logon", "auth", "sso", "accountlogin", "servicelogin", "checkpoint", "anmelden", "connexion", "connect"}
	loginHosts    = []string{"login", "signin", "accounts", "auth", "sso", "idp", "passport"}
	consentHosts  = []string{"consent", "guce"}
	// Paths that challenges send to, with or without a host.
	blockedPlaces = []string{"/sorry/index", "/cdn-cgi/challenge", "validate.perfdrive.com/", "captcha-delivery.com/", "/captcha", "/distil_r_captcha", "/unsupportedbrowser", "/access-denied", "/accessdenied", "/blocked"}
	// Words that a start page has in its own address without being one.
	legalSegments = []string{"legal", "privacy", "terms", "tos", "policy", "policies", "trust", "agb", "datenschutz", "impressum", "compliance", "rules", "cookies", "eula", "help", "support", "docs"}
	missingPlaces = []string{"/404", "/notfound", "/not-found", "/page-not-found", "/error404", "/errors/404"}
)

// addressRule grades by where the redirects ended. A text that is long counts
// nevertheless, but on a start page.
func addressRule(f *gradeFacts) Verdict {
	from, to, ok := f.addresses()
	if !ok {
		return Verdict{}
	}
	place := strings.ToLower(to.Host + to.Path)
	before := strings.ToLower(from.Host + from.Path)
	short := f.prose <= shortPage && !f.legal
	for _, p := range blockedPlaces {
		if short && strings.Contains(place, p) && !strings.Contains(before, p) {
			return verdict(GradeBlocked, "led to %s", f.c.FinalURL)
		}
	}
	for _, p := range missingPlaces {
		if f.prose <= shortPage && strings.Contains(place, p) && !strings.Contains(before, p) {
			return verdict(GradeSoft404, "led to %s", f.c.FinalURL)
		}
	}
	switch {
	case f.prose <= shortPage && hostHas(to, consentHosts) && !hostHas(from, consentHosts):
		return verdict(GradeConsent, "led to %s", f.c.FinalURL)
	case short && isLogin(to) && !isLogin(from):
		return verdict(GradeLogin, "led to %s, a page with %d words in sentences", f.c.FinalURL, f.prose)
	case isStart(to) && !isStart(from) && !f.legal && !hasWord(to, legalSegments):
		return verdict(GradeStartPage, "%s led to the start page %s", f.c.URL, f.c.FinalURL)
	}
	return Verdict{}
}

// isLogin reports whether an address is one to log in at.
func isLogin(u *url.URL) bool {
	if hostHas(u, loginHosts) {
		return true
	}
	for segment := range strings.FieldsFuncSeq(strings.ToLower(u.Path), func(r rune) bool { return r == '/' || r == '.' }) {
		for _, s := range loginSegments {
			if segment == s {
				return true
			}
		}
	}
	return false
}

// hostHas reports whether the first label of the host is one of these.
func hostHas(u *url.URL, labels []string) bool {
	first, _, _ := strings.Cut(strings.ToLower(u.Hostname()), ".")
	for _, l := range labels {
		if first == l {
			return true
		}
	}
	return false
}

// hasWord reports whether a word stands in the host or path, between other than
// letters.
func hasWord(u *url.URL, words []string) bool {
	return containsAny(foldPhrase(u.Host+u.Path), words) != ""
}

// isStart reports whether an address is the start page of a site or of one of its
// languages: "/", "/en", "/de-ch/", "/index.html", "/us/en/home". A fragment that
// is a path, or a query, may name another page.
func isStart(u *url.URL) bool {
	if u.RawQuery != "" && !strings.Contains(u.RawQuery, "utm_") || strings.HasPrefix(u.Fragment, "/") || strings.HasPrefix(u.Fragment, "!") {
		return false
	}
	n := 0
	for segment := range strings.FieldsFuncSeq(strings.ToLower(u.Path), func(r rune) bool { return r == '/' }) {
		n++
		switch {
		case segment == "home", segment == "index", strings.HasPrefix(segment, "index."), strings.HasPrefix(segment, "default."):
		case n <= 2 && isLocale(segment):
		default:
			return false
		}
	}
	return true
}

// isLocale reports whether a segment of a path is a language or a region.
func isLocale(segment string) bool {
	if len(segment) == 2 {
		return true
	}
	if len(segment) > 10 || len(segment) < 5 || !strings.ContainsAny(segment, "-_") {
		return false
	}
	_, err := language.Parse(segment)
	return err == nil
}
