package waybacktest

import (
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
)

// URLKey folds an address to the key under which the index sorts it: the host
// turned round, without scheme, "www." and the scheme's port; all in lower case;
// parameters sorted; no slash at the end ("com,example)/terms?a=1&b=2"). Pages
// of different addresses share a key, so a reader compares the originals.
func URLKey(address string) string {
	u, err := url.Parse(withScheme(address))
	if err != nil {
		return strings.ToLower(address)
	}
	host := strings.ToLower(u.Hostname())
	if name, rest, ok := strings.Cut(host, "."); ok && strings.Trim(strings.TrimPrefix(name, "www"), "0123456789") == "" && strings.HasPrefix(name, "www") {
		host = rest
	}
	if net.ParseIP(host) == nil {
		labels := strings.Split(host, ".")
		slices.Reverse(labels)
		host = strings.Join(labels, ",")
	}
	if port := u.Port(); port != "" && port != "80" && port != "443" {
		host += ":" + port
	}
	p := strings.ToLower(u.EscapedPath())
	if p = strings.TrimSuffix(p, "/"); p == "" {
		p = "/"
	}
	if u.RawQuery == "" {
		return host + ")" + p
	}
	parameters := strings.Split(strings.ToLower(escape(u.RawQuery)), "&")
	slices.Sort(parameters)
	return host + ")" + p + "?" + strings.Join(parameters, "&")
}

// escape escapes the bytes outside ASCII.
func escape(s string) string {
	var b strings.Builder
	for i := range len(s) {
		if s[i] < 0x80 {
			b.WriteByte(s[i])
		} else {
			fmt.Fprintf(&b, "%%%02X", s[i])
		}
	}
	return b.String()
}

// sameAddress tells whether two addresses differ in their escapes only.
func sameAddress(a, b string) bool {
	if a == b {
		return true
	}
	plainA, errA := url.PathUnescape(a)
	plainB, errB := url.PathUnescape(b)
	return errA == nil && errB == nil && plainA == plainB
}

// withScheme makes a whole address of what users type, and of one whose second
// slash was lost on the way.
func withScheme(address string) string {
	for _, scheme := range []string{"http:", "https:"} {
		if rest, ok := strings.CutPrefix(address, scheme); ok {
			return scheme + "//" + strings.TrimLeft(rest, "/")
		}
	}
	return "http://" + address
}
