package wayback

import (
	"fmt"
	"net/url"
	"strings"
	"time"
)

// stampForm is the 14-digit time of web archives, UTC.
const stampForm = "20060102150405"

// Timestamp returns the 14 digits of a time.
func Timestamp(t time.Time) string { return t.UTC().Format(stampForm) }

// ParseTimestamp reads 14 digits that are a time.
func ParseTimestamp(s string) (time.Time, error) {
	if !digits14.MatchString(s) {
		return time.Time{}, fmt.Errorf("timestamp %q: want 14 digits", clean(s, 40))
	}
	t, err := time.Parse(stampForm, s)
	if err != nil {
		return time.Time{}, fmt.Errorf("timestamp %q is not a time", s)
	}
	return t, nil
}

// mementoURL puts an address behind that of an archive, with a timestamp, or with
// "timemap/link", or with nothing. A fragment is left out: it is not archived.
func mementoURL(base, timestamp, flags, address string) string {
	address, _, _ = strings.Cut(address, "#")
	if timestamp != "" {
		timestamp += flags + "/"
	}
	return base + "/web/" + timestamp + address
}

// ReplayURL is the address of a capture at the client's archive as it was stored,
// without banner and rewritten links: https://web.archive.org/web/TIMESTAMPid_/URL.
func (c *Client) ReplayURL(timestamp, address string) string {
	return mementoURL(c.base, timestamp, "id_", address)
}

// IndexURL is the address under which the index answers for a page, without what a
// query adds.
func (c *Client) IndexURL(address string) string {
	return c.base + "/cdx/search/cdx?url=" + url.QueryEscape(address)
}

// ParseReplayURL takes the address of a capture apart: of any form of replay, of
// any archive that has them, or its path alone (as in a Location). ok is false if
// it has no 14 digits or no whole archived address.
func ParseReplayURL(s string) (timestamp, address string, ok bool) {
	_, rest, ok := strings.Cut(s, "/web/")
	if !ok || len(s) > 2*maxURL || len(rest) < len(stampForm) {
		return "", "", false
	}
	timestamp, rest = rest[:len(stampForm)], rest[len(stampForm):]
	if _, err := ParseTimestamp(timestamp); err != nil {
		return "", "", false
	}
	flags, address, ok := strings.Cut(rest, "/")
	if !ok || !flagsText(flags) || !webAddress(address) {
		return "", "", false
	}
	return timestamp, address, true
}

// flagsText tells the two letters and the underscore of a form of replay, or none.
func flagsText(s string) bool {
	return s == "" || len(s) == 3 && s[2] == '_' && 'a' <= s[0] && s[0] <= 'z' && 'a' <= s[1] && s[1] <= 'z'
}

// SameAddress tells whether two addresses are the same for us: but for http and
// https, the default port, letter case of scheme and host, an empty path for "/",
// a fragment, and equivalent escapes (RFC 3986, section 6.2.2). The Archive's
// index folds more to one key (www., the order of a query, session ids, letter
// case of the path): those can be other pages, so they are other addresses here.
// An address that is not a whole http or https address is the same as itself only.
func SameAddress(a, b string) bool {
	if a == b {
		return true
	}
	ka, oka := addressKey(a)
	kb, okb := addressKey(b)
	return oka && okb && ka == kb
}

// addressKey is an address without what does not tell two apart.
func addressKey(s string) (string, bool) {
	if !webAddress(s) {
		return "", false
	}
	u, err := url.Parse(s)
	if err != nil || u.Host == "" {
		return "", false
	}
	host := strings.ToLower(u.Host)
	if port := map[string]string{"http": ":80", "https": ":443"}[u.Scheme]; strings.HasSuffix(host, port) {
		host = strings.TrimSuffix(host, port)
	}
	host = strings.TrimSuffix(host, ":") // RFC 3986, section 6.2.3
	path := u.EscapedPath()
	if path == "" {
		path = "/"
	}
	key := host + evenEscapes(path)
	if u.User != nil {
		key = u.User.String() + "@" + key
	}
	if u.RawQuery != "" || u.ForceQuery {
		key += "?" + evenEscapes(u.RawQuery)
	}
	return key, true
}

// evenEscapes writes each character in one way: as it is if it needs no escape,
// else as one with upper-case digits.
func evenEscapes(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] >= 0x80 || s[i] == ' ' {
			fmt.Fprintf(&b, "%%%02X", s[i])
			continue
		}
		if s[i] != '%' || i+2 >= len(s) {
			b.WriteByte(s[i])
			continue
		}
		c, err := url.PathUnescape(s[i : i+3])
		switch {
		case err != nil:
			b.WriteByte('%')
			continue
		case unreserved(c[0]):
			b.WriteByte(c[0])
		default:
			b.WriteString(strings.ToUpper(s[i : i+3]))
		}
		i += 2
	}
	return b.String()
}

// unreserved tells the characters that never need an escape (RFC 3986, section 2.3).
func unreserved(c byte) bool {
	return c|0x20 >= 'a' && c|0x20 <= 'z' || c >= '0' && c <= '9' || strings.IndexByte("-._~", c) >= 0
}
