package terms

import (
	"bytes"
	"encoding/hex"
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// links makes the addresses of a page absolute and comparable.
type links struct {
	base   *url.URL // nil if the page's address cannot be read
	remove []string // declared parameters
}

// newLinks takes the address of a page and that of its <base>, "" if it has none.
func newLinks(page, base string, remove []string) *links {
	l := &links{remove: remove}
	u, err := url.Parse(strings.TrimSpace(page))
	if err == nil && u.IsAbs() {
		l.base = u
	}
	if base == "" {
		return l
	}
	if u, err := url.Parse(strings.TrimSpace(base)); err == nil {
		if l.base != nil {
			u = l.base.ResolveReference(u)
		}
		if u.IsAbs() {
			l.base = u
		}
	}
	return l
}

// target returns where an <a> leads; "" if it leads nowhere a reader could go.
func (l *links) target(n *html.Node) string {
	href := strings.TrimFunc(attribute(n, "href"), isTrimmed)
	if i := strings.Index(href, "/cdn-cgi/l/email-protection"); i >= 0 {
		if address, ok := protectedTarget(n, href[i:]); ok {
			return "mailto:" + address
		}
	}
	return l.absolute(href)
}

func isTrimmed(r rune) bool { return r <= ' ' }

// protectedTarget decodes a link to Cloudflare's e-mail protection, which has the
// address behind the hash or in the element within.
func protectedTarget(n *html.Node, href string) (address string, ok bool) {
	if _, code, found := strings.Cut(href, "#"); found {
		return decodeEmail(code)
	}
	for c := range n.ChildNodes() {
		if c.Type == html.ElementNode {
			return decodeEmail(attribute(c, "data-cfemail"))
		}
	}
	return "", false
}

// absolute returns an address as it is compared: absolute, without tracking
// parameters, scheme and host in small letters, without a slash at the end of a path.
// It is "" for scripts, data and the bare "#".
func (l *links) absolute(href string) string {
	if href == "" || href == "#" {
		return ""
	}
	if strings.ContainsAny(href, "\t\n\r") {
		href = strings.NewReplacer("\t", "", "\n", "", "\r", "").Replace(href)
	}
	u, err := url.Parse(href)
	if err != nil {
		return strings.ToValidUTF8(href, "\uFFFD")
	}
	switch strings.ToLower(u.Scheme) {
	case "javascript", "data", "vbscript", "about", "blob":
		return ""
	case "", "http", "https":
	default:
		return u.String()
	}
	if l.base != nil {
		u = l.base.ResolveReference(u)
	}
	l.canonicalise(u)
	return u.String()
}

func (l *links) canonicalise(u *url.URL) {
	u.Scheme, u.Host = strings.ToLower(u.Scheme), strings.ToLower(u.Host)
	if port := u.Port(); port == "80" && u.Scheme == "http" || port == "443" && u.Scheme == "https" {
		u.Host = strings.TrimSuffix(u.Host, ":"+port)
	}
	if u.RawQuery != "" || u.ForceQuery {
		u.RawQuery, u.ForceQuery = withoutTracking(u.RawQuery, l.remove), false
	}
	if linkShims[u.Host] {
		u.RawQuery = withoutShimToken(u.RawQuery)
	}
	if i := bytes.Index(lowerASCII([]byte(u.Path)), []byte(";jsessionid=")); i >= 0 {
		u.Path, u.RawPath = u.Path[:i], ""
	}
	switch {
	case u.Host == "":
	case u.Path == "":
		u.Path = "/"
	case len(u.Path) > 1 && u.Path[len(u.Path)-1] == '/':
		u.Path = strings.TrimRight(u.Path, "/")
		u.RawPath = strings.TrimRight(u.RawPath, "/")
		if u.Path == "" {
			u.Path, u.RawPath = "/", ""
		}
	}
}

// withoutTracking drops the parameters that follow the reader, not the text, and the
// declared ones.
func withoutTracking(query string, remove []string) string {
	kept := make([]string, 0, 8)
	for part := range strings.SplitSeq(query, "&") {
		key, value, _ := strings.Cut(part, "=")
		if plain, err := url.QueryUnescape(key); err == nil {
			key = plain
		}
		if part != "" && !slices.Contains(remove, key) && !isTracking(key, value) {
			kept = append(kept, part)
		}
	}
	return strings.Join(kept, "&")
}

// linkShims are hosts through which a service leads to other sites. Such a link names
// its target in "u" and is signed anew at every request.
var linkShims = map[string]bool{
	"l.facebook.com": true, "lm.facebook.com": true, "l.instagram.com": true, "l.messenger.com": true, "l.workplace.com": true, "l.threads.com": true, "l.threads.net": true, "l.wl.co": true,
}

// withoutShimToken drops the signature of a link through one of linkShims.
func withoutShimToken(query string) string {
	kept := make([]string, 0, 4)
	for part := range strings.SplitSeq(query, "&") {
		if key, _, _ := strings.Cut(part, "="); key != "h" && key != "e" && key != "s" {
			kept = append(kept, part)
		}
	}
	return strings.Join(kept, "&")
}

// isTracking reports whether a parameter names a campaign, a device or a session.
func isTracking(key, value string) bool {
	key = strings.ToLower(key)
	if strings.HasPrefix(key, "utm_") || strings.HasSuffix(key, "-did") || strings.HasSuffix(key, "_did") {
		return true
	}
	switch key {
	case "gclid", "fbclid", "msclkid", "dclid", "gbraid", "wbraid", "yclid", "twclid", "ttclid", "igshid", "li_fat_id",
		"mc_cid", "mc_eid", "_ga", "_gl", "_hsenc", "_hsmi", "__hstc", "__hssc", "__hsfp", "vero_id", "mkt_tok",
		"phpsessid", "jsessionid", "sessionid", "session_id", "session-id", "sid", "aspsessionid", "cfid", "cftoken", "sessid":
		return true
	}
	return isUUID(value) || len(value) >= 32 && isHex(value)
}

func isUUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for _, i := range [...]int{8, 13, 18, 23} {
		if s[i] != '-' {
			return false
		}
	}
	return isHex(s[:8]) && isHex(s[9:13]) && isHex(s[14:18]) && isHex(s[19:23]) && isHex(s[24:])
}

func isHex(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'f') {
			return false
		}
	}
	return len(s) > 0
}

// decodeEmail decodes an address as Cloudflare's e-mail protection writes it: bytes
// in hexadecimal, the first of which all others are combined with.
func decodeEmail(code string) (address string, ok bool) {
	if len(code) < 4 || len(code) > 2048 {
		return "", false
	}
	raw, err := hex.DecodeString(code)
	if err != nil {
		return "", false
	}
	for i := range raw[1:] {
		raw[i+1] ^= raw[0]
	}
	raw = raw[1:]
	if !utf8.Valid(raw) || !strings.Contains(string(raw), "@") || strings.ContainsFunc(string(raw), isUnprintable) {
		return "", false
	}
	return string(raw), true
}

func isUnprintable(r rune) bool { return !unicode.IsPrint(r) || r == utf8.RuneError }

// rewriteLinks puts the addresses of links and images into the tree as declared
// selectors see them in Open Terms Archive: without the declared parameters, absolute.
func (l *links) rewriteLinks(doc *html.Node) {
	for n := range doc.Descendants() {
		key := ""
		switch n.DataAtom {
		case atom.A:
			key = "href"
		case atom.Img:
			key = "src"
		default:
			continue
		}
		for i := range n.Attr {
			if n.Attr[i].Key == key {
				n.Attr[i].Val = l.declared(n.Attr[i].Val)
			}
		}
	}
}

// declared makes an address absolute and removes the declared parameters only.
func (l *links) declared(address string) string {
	u, err := url.Parse(strings.TrimSpace(address))
	if err != nil || l.base == nil {
		return address
	}
	u = l.base.ResolveReference(u)
	if u.RawQuery != "" && len(l.remove) > 0 {
		var kept []string
		for part := range strings.SplitSeq(u.RawQuery, "&") {
			key, _, _ := strings.Cut(part, "=")
			if plain, err := url.QueryUnescape(key); err == nil {
				key = plain
			}
			if !slices.Contains(l.remove, key) {
				kept = append(kept, part)
			}
		}
		u.RawQuery = strings.Join(kept, "&")
	}
	return u.String()
}
