package terms

import (
	"strings"

	"golang.org/x/net/html/atom"
)

// tokenKind is what the classes and the identifier of an element say of it, the
// surest first.
type tokenKind uint8

const (
	tokenNone    tokenKind = iota
	tokenConsent           // of a consent manager
	tokenHidden            // for screen readers only
	tokenFrame             // of general meaning: navigation, sharing, related pages
)

// consentNames begin the classes and identifiers that consent managers give to
// their windows. Those of cookie lists, which stand in policies, are not among them.
var consentNames = [...]string{
	"onetrust-consent", "onetrust-banner", "onetrust-pc", "onetrust-style", "optanon", "ot-sdk-btn", "ot-pc-",
	"didomi", "usercentrics-root", "uc-banner", "uc-overlay", "cookiebot-", "cybotcookiebotdialog", "cybotcookiebotscroll",
	"iubenda-cs", "sp_message", "cmplz-cookiebanner", "cmplz-soft-cookiewall", "cmplz-manage-consent",
	"cookie-banner", "cookiebanner", "cookie-consent", "cookieconsent", "cookie-bar", "cookiebar", "cookie-notice-",
	"cookie-notice", "cookie-popup", "cookie-modal", "cookie-overlay", "cookie-alert", "cookie-message", "cookie-law-info",
	"cookies-banner", "cookies-popup", "cookies-modal", "cookies-notice", "cookies-consent", "cookies-bar", "cookies-eu-banner",
	"cky-consent", "cky-modal", "cky-overlay", "cky-preference", "osano-cm-", "truste_", "truste-consent", "trustarc-banner", "consent_blackbar",
	"qc-cmp", "fc-consent", "axeptio", "tarteaucitron", "klaro-", "av-consent", "av-cookie", "borlabscookie", "borlabs-cookie", "moove_gdpr", "moove-gdpr",
	"evidon", "hs-eu-cookie", "cc-window", "cc-banner", "cc_banner", "ccm--", "cconsent", "consent-banner", "consent-modal",
	"consent-popup", "gdpr-banner", "gdpr-popup", "gdpr-modal", "gdpr-cookie", "gdpr-consent", "js-cookie-banner",
	"js-cookie-consent", "privacy-banner", "cmp-banner", "termly-consent", "t-consentprompt", "shopify-pc__banner",
	"shopify-pc__prefs", "cookie_banner", "cookie_consent", "cookie_notice", "cookie_bar", "popin-cookie", "bandeau-cookie",
}

// isHiddenName reports whether a class is that of text for screen readers only.
func isHiddenName(name []byte) bool {
	switch string(name) {
	case "sr-only", "visually-hidden", "visuallyhidden", "screen-reader-text", "screen-reader-only",
		"screenreader-only", "a11y-hidden", "u-visually-hidden", "is-visually-hidden", "show-for-sr",
		"screenreader", "hidden-visually", "vh-only", "assistive-text", "element-invisible":
		return true
	}
	return false
}

// isFrameName reports whether a class, or a part of one between hyphens, is that of
// what frames a page.
func isFrameName(name []byte) bool {
	switch string(name) {
	case "breadcrumb", "breadcrumbs", "sidebar", "sidenav", "navbar", "topbar", "footer", "sitefooter",
		"masthead", "social-share", "share-buttons", "sharebuttons", "share-links", "share-bar",
		"sharing-buttons", "addtoany", "addthis", "sharethis", "sharedaddy", "social-links", "social-icons",
		"social-media-links", "related-articles", "related-posts", "related-content", "related-links",
		"related-pages", "article-related", "recently-viewed", "recent-articles", "language-picker",
		"language-switcher", "language-selector", "language-select", "lang-switcher", "lang-selector",
		"lang-picker", "locale-picker", "locale-switcher", "country-selector", "country-picker",
		"region-selector", "was-this-helpful", "article-votes", "article-vote", "helpful", "feedback-form",
		"article-feedback", "page-feedback", "newsletter", "skip-link", "skip-links", "skip-to-content",
		"skiplink", "skip-nav", "back-to-top", "backtotop", "scroll-to-top", "return-to-top", "print-button",
		"nav-menu", "main-menu", "mega-menu", "megamenu", "mobile-menu", "site-header", "site-nav",
		"site-footer", "page-footer", "global-nav", "global-header", "global-footer", "main-nav",
		"main-navigation", "mobile-nav", "subnav", "pagination", "cta", "announcement-bar",
		"announcement-banner", "webinar-banner", "promo-bar", "promo-banner", "ai-article-summary",
		"modal-error", "error-modal":
		return true
	}
	return false
}

// tokenKind returns what the classes and the identifier of the element at i say.
func (p *page) tokenKind(i int32) tokenKind {
	it := &p.items[i]
	var class, id, test string
	for k := range it.node.Attr {
		switch a := &it.node.Attr[k]; a.Key {
		case "class":
			class = a.Val
		case "id":
			id = a.Val
		case "data-testid":
			test = a.Val
		}
	}
	if class == "" && id == "" && test == "" || it.form&(formHeading|formSection) != 0 {
		return tokenNone
	}
	kind := consentKind(id)
	names := 0
	for name := range strings.FieldsSeq(class) {
		if names++; kind != tokenNone || names > 50 {
			break
		}
		if kind = consentKind(name); kind == tokenNone {
			kind = generalKind(name)
		}
	}
	if kind == tokenNone && test != "" && generalKind(test) == tokenFrame {
		kind = tokenFrame
	}
	if kind != tokenFrame {
		return kind
	}
	if it.node.DataAtom == atom.P || it.node.DataAtom == atom.Span || p.prose(i) >= guardProse {
		return tokenNone
	}
	return kind
}

// consentKind looks a class or identifier up among those of consent managers.
func consentKind(name string) tokenKind {
	if len(name) < 5 || len(name) > 100 {
		return tokenNone
	}
	switch name[0] | 0x20 {
	case 'o', 'd', 'u', 'c', 'i', 's', 't', 'q', 'f', 'a', 'k', 'b', 'm', 'e', 'h', 'g', 'j', 'p':
	default:
		return tokenNone
	}
	for _, start := range consentNames {
		if len(name) >= len(start) && name[0]|0x20 == start[0] && strings.EqualFold(name[:len(start)], start) {
			return tokenConsent
		}
	}
	return tokenNone
}

// generalKind looks a class up among those of general meaning: as a whole, and its
// parts between hyphens and underscores ("c-breadcrumb", "breadcrumb__list").
func generalKind(name string) tokenKind {
	var buf [60]byte
	if len(name) > len(buf) {
		return tokenNone
	}
	low := buf[:len(name)]
	for i := range len(name) {
		c := name[i]
		if c >= 'A' && c <= 'Z' {
			c |= 0x20
		}
		low[i] = c
	}
	if isHiddenName(low) {
		return tokenHidden
	}
	for from := 0; from < len(low); from = nextPart(low, from) {
		for to := from; to < len(low); {
			end := nextPart(low, to)
			part := low[from:end]
			if end < len(low) {
				part = part[:len(part)-1]
			}
			if isFrameName(part) {
				return tokenFrame
			}
			to = end
		}
	}
	return tokenNone
}

// nextPart returns where the part of a class behind the one at i begins.
func nextPart(class []byte, i int) int {
	for ; i < len(class); i++ {
		if class[i] == '-' || class[i] == '_' {
			return i + 1
		}
	}
	return len(class)
}

// prose counts the characters in the element at i that stand outside of links.
func (p *page) prose(i int32) int32 {
	n := int32(0)
	for j := i; j < p.items[i].end; {
		it := &p.items[j]
		switch {
		case it.node.DataAtom == atom.A && it.end > j+1:
			j = it.end
			continue
		case it.end == j+1:
			n += it.size
		}
		if n >= guardProse {
			return n
		}
		j++
	}
	return n
}
