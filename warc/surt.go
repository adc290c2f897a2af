package warc

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/net/idna"
)

// surtMaxURL bounds the addresses that SURT takes, in bytes. A longer one does
// not fit into a CDXJ line either (see cdxjMaxLine).
const surtMaxURL = 64 << 10

// surtSpace is the white space cut from both ends of an address.
const surtSpace = " \t\n\v\f\r"

// SURT returns the sort-friendly key under which archives index rawurl:
// "https://www.Example.org:443/Terms/?b=2&a=1#top" becomes
// "org,example)/terms?a=1&b=2". Both schemes, all letter cases and orders of
// parameters share one key, so the key finds captures and never replaces the
// address itself.
//
// The rules are those of the Wayback Machine and pywb (the default
// canonicalisation of internetarchive/surt 0.3.1):
//
//   - white space around the address, line breaks and tabs inside it, user
//     information, the fragment and an empty query are dropped; an address
//     without a scheme is taken as http;
//   - percent escapes are decoded until none is left, then everything outside
//     printable ASCII, the space, "#" and "%" is escaped once; all is lower case;
//   - host: one leading "www.", "www2." and the like dropped, punycode for other
//     scripts, IPv4 in any notation as four decimal numbers, labels reversed;
//     IPv6 without brackets;
//   - the port stays ("localhost:8080)/") unless it is the scheme's own;
//   - path: dot segments and doubled slashes resolved, ASP.NET session ids and
//     one trailing slash dropped;
//   - query: session ids (jsessionid, PHPSESSID, sid, ASPSESSIONID, CFID with
//     CFTOKEN) dropped, parameters sorted by name, then value.
//
// One rule differs: host names are mapped by UTS #46 as browsers do, so ß stays
// a letter of its own where the older IDNA 2003 wrote ss.
//
// Addresses without a host ("urn:…", "dns:…") keep their scheme: "dns:example.org".
// An error is returned for an empty address, one over 64 KiB, an http address
// without a host, and a port that is no number from 0 to 65535; it does not
// quote the address, which may hold a password. The key is ASCII without spaces
// or control characters and at most a few times as long as the address. SURT is
// safe for concurrent use.
func SURT(rawurl string) (string, error) {
	if len(rawurl) > surtMaxURL {
		return "", fmt.Errorf("surt: address of %d bytes: the limit is %d", len(rawurl), surtMaxURL)
	}
	raw := strings.Trim(rawurl, surtSpace)
	if strings.ContainsAny(raw, "\n\r\t") {
		raw = strings.NewReplacer("\n", "", "\r", "", "\t", "").Replace(raw)
	}
	if raw == "" {
		return "", errors.New("surt: empty address")
	}
	u, err := surtSplit(raw)
	if err != nil {
		return "", fmt.Errorf("surt: %w", err)
	}
	return u.key(), nil
}

// surtURL is an address in the parts that the key is made of. The host is
// canonical (surtHost), path and query are as written.
type surtURL struct {
	scheme, host, path, query string
	port                      uint16 // 0: none, or the scheme's own
}

// surtSplit takes an address apart along RFC 3986, appendix B, with the
// repairs for mistyped addresses that the reference implementation makes.
func surtSplit(raw string) (surtURL, error) {
	if surtSchemeLen(raw) == 0 {
		raw = "http://" + raw
	}
	raw = surtLastProtocol(raw)
	n := surtSchemeLen(raw)
	u := surtURL{scheme: strings.ToLower(raw[:n])}
	rest, _, _ := strings.Cut(raw[n+1:], "#")
	rest, u.query, _ = strings.Cut(rest, "?")
	web := u.scheme == "http" || u.scheme == "https"
	if web {
		rest = "//" + strings.TrimLeft(rest, "/") // also http:/host and http:////host
	}
	u.path = rest
	if after, ok := strings.CutPrefix(rest, "//"); ok {
		authority := after
		u.path = ""
		if i := strings.IndexByte(after, '/'); i >= 0 {
			authority, u.path = after[:i], after[i:]
		}
		host, port, err := surtAuthority(authority)
		if err != nil {
			return u, err
		}
		u.host = surtHost(host)
		if port != surtDefaultPort(u.scheme) {
			u.port = port
		}
	}
	if web && u.host == "" {
		return u, errors.New("no host name")
	}
	return u, nil
}

// key puts the canonical parts together.
func (u surtURL) key() string {
	var b strings.Builder
	path := surtUnescape(u.path)
	if u.host == "" {
		b.WriteString(u.scheme)
		b.WriteByte(':')
	} else {
		labels := strings.Split(u.host, ".")
		slices.Reverse(labels)
		b.WriteString(strings.Join(labels, ","))
		if u.port != 0 {
			b.WriteByte(':')
			b.WriteString(strconv.Itoa(int(u.port)))
		}
		b.WriteByte(')')
		path = surtResolveDots(path)
	}
	path = surtEscape(path)
	if strings.Contains(path, ".aspx") {
		path = surtStripSessions(path, surtPathSessions)
	}
	if len(path) > 1 {
		path = strings.TrimSuffix(path, "/")
	}
	b.WriteString(path)
	if q := surtQuery(u.query); q != "" {
		b.WriteByte('?')
		b.WriteString(q)
	}
	return b.String()
}

// surtSchemeLen returns the length of the scheme at the start of raw, without
// its colon; 0 if there is none.
func surtSchemeLen(raw string) int {
	for i := range len(raw) {
		c := raw[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z':
		case i > 0 && ('0' <= c && c <= '9' || c == '+' || c == '-' || c == '.'):
		case c == ':':
			return i
		default:
			return 0
		}
	}
	return 0
}

// surtLastProtocol repairs "http://https://host/" to "https://host/".
func surtLastProtocol(raw string) string {
	web := func(s string) bool {
		return strings.HasPrefix(s, "http://") || strings.HasPrefix(s, "https://")
	}
	for web(raw) {
		_, rest, _ := strings.Cut(raw, "://")
		if !web(rest) {
			break
		}
		raw = rest
	}
	return raw
}

// surtDefaultPort returns the port that a scheme implies, 0 if none is known.
func surtDefaultPort(scheme string) uint16 {
	switch scheme {
	case "http":
		return 80
	case "https":
		return 443
	}
	return 0
}

// surtAuthority splits [user[:password]@]host[:port]; the brackets of an IPv6
// address go. The port is 0 if absent.
func surtAuthority(authority string) (host string, port uint16, err error) {
	authority = strings.TrimRight(authority, ":") // "host:" names no port
	if i := strings.LastIndexByte(authority, '@'); i >= 0 {
		authority = authority[i+1:]
	}
	host, digits, _ := strings.Cut(authority, ":")
	if _, inner, ok := strings.Cut(authority, "["); ok {
		host, digits, _ = strings.Cut(inner, "]")
		_, digits, _ = strings.Cut(digits, ":")
	}
	if digits == "" {
		return host, 0, nil
	}
	n, err := strconv.ParseUint(digits, 10, 16)
	if err != nil {
		return "", 0, errors.New("port is no number from 0 to 65535")
	}
	return host, uint16(n), nil
}

// surtHost returns the canonical host name, labels still in their usual order.
func surtHost(host string) string {
	host = surtUnescape(host)
	if strings.ContainsFunc(host, func(r rune) bool { return r >= 0x80 }) {
		p := idna.New(idna.MapForLookup(), idna.StrictDomainName(false), idna.CheckHyphens(false))
		if ascii, err := p.ToASCII(strings.ToValidUTF8(host, "")); err == nil {
			host = ascii // else the bytes are escaped below
		}
	}
	host = strings.Trim(strings.ReplaceAll(host, "..", "."), ".")
	if v4, ok := surtIPv4(host); ok {
		return v4
	}
	host = surtEscape(host)
	if after, ok := strings.CutPrefix(host, "www"); ok {
		if after, ok = strings.CutPrefix(strings.TrimLeft(after, "0123456789"), "."); ok {
			return after
		}
	}
	return host
}

// surtIPv4 returns the dotted form of an IPv4 address in any notation that
// inet_aton takes, but hexadecimal: one to four numbers, octal with a leading 0,
// the last one filling what is left. A single number is decimal and is cut to
// 32 bits, as the reference implementation does.
func surtIPv4(host string) (string, bool) {
	var addr uint64
	if host != "" && strings.Trim(host, "0123456789") == "" {
		for _, c := range []byte(host) {
			addr = (addr*10 + uint64(c-'0')) & 0xffffffff
		}
		return surtDotted(addr), true
	}
	parts := strings.Split(host, ".")
	if len(parts) > 4 || host == "" || host[0] == '0' && strings.ContainsAny(host, "89") {
		return "", false
	}
	for i, part := range parts {
		base, bits := 10, 8
		if strings.HasPrefix(part, "0") {
			base = 8
		}
		if i == len(parts)-1 {
			bits = 8 * (5 - len(parts))
		}
		n, err := strconv.ParseUint(part, base, bits)
		if err != nil {
			return "", false
		}
		addr = addr<<bits | n
	}
	return surtDotted(addr), true
}

// surtDotted writes the low 32 bits of addr as four decimal numbers.
func surtDotted(addr uint64) string {
	return fmt.Sprintf("%d.%d.%d.%d", byte(addr>>24), byte(addr>>16), byte(addr>>8), byte(addr))
}

// surtResolveDots drops "." segments and doubled slashes and lets ".." remove
// the segment before it. A ".." with nothing before it stays, as in the
// reference implementation.
func surtResolveDots(path string) string {
	var kept []string
	for i, seg := range strings.Split(path, "/") {
		switch {
		case i == 0 || seg == ".":
		case seg == ".." && len(kept) > 0:
			kept = kept[:len(kept)-1]
		default:
			kept = append(kept, seg)
		}
	}
	var b strings.Builder
	b.WriteByte('/')
	for i, seg := range kept {
		last := i == len(kept)-1
		b.WriteString(seg)
		if seg != "" && !last {
			b.WriteByte('/')
		}
	}
	return b.String()
}

// surtQuery returns the canonical query, "" if nothing is left of it.
func surtQuery(query string) string {
	q := surtEscape(surtUnescape(query))
	if strings.Contains(q, "sid=") || strings.Contains(q, "sessionid") || strings.Contains(q, "cfid=") {
		q = surtStripSessions(q, surtQuerySessions)
	}
	if len(q) <= 1 {
		return q
	}
	params := strings.Split(q, "&")
	slices.SortStableFunc(params, func(a, b string) int {
		an, av, aHas := strings.Cut(a, "=")
		bn, bv, bHas := strings.Cut(b, "=")
		return cmp.Or(strings.Compare(an, bn), surtBoolCompare(aHas, bHas), strings.Compare(av, bv))
	})
	return strings.Join(params, "&")
}

// surtBoolCompare orders false before true: "a" before "a=".
func surtBoolCompare(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}

// surtPathSessions and surtQuerySessions find session ids in lower-case text.
// The groups around an id are what is kept; each rule is applied once, in order.
var (
	surtPathSessions = []*regexp.Regexp{
		regexp.MustCompile(`^(.*/)\((?:[a-z]\([0-9a-z]{24}\))+\)/([^?]+\.aspx.*)$`),
		regexp.MustCompile(`^(.*/)\([0-9a-z]{24}\)/([^?]+\.aspx.*)$`),
	}
	surtQuerySessions = []*regexp.Regexp{
		regexp.MustCompile(`^(.*)jsessionid=[0-9a-z]{32}(?:&(.*))?$`),
		regexp.MustCompile(`^(.*)phpsessid=[0-9a-z]{32}(?:&(.*))?$`),
		regexp.MustCompile(`^(.*)sid=[0-9a-z]{32}(?:&(.*))?$`),
		regexp.MustCompile(`^(.*)aspsessionid[a-z]{8}=[a-z]{24}(?:&(.*))?$`),
		regexp.MustCompile(`^(.*)cfid=[^&]+&cftoken=[^&]+(?:&(.*))?$`),
	}
)

// surtStripSessions applies rules to s.
func surtStripSessions(s string, rules []*regexp.Regexp) string {
	for _, rule := range rules {
		if m := rule.FindStringSubmatch(s); m != nil {
			s = m[1] + m[2]
		}
	}
	return s
}

// surtUnescape decodes percent escapes until none is left ("%2541" is "A"). A
// decoded byte may complete an escape with its neighbours, so each one is
// looked at together with the two before it; the time is linear.
func surtUnescape(s string) string {
	if !strings.Contains(s, "%") {
		return s
	}
	out := make([]byte, 0, len(s))
	for _, c := range []byte(s) {
		out = append(out, c)
		for n := len(out); n >= 3 && out[n-3] == '%'; n = len(out) {
			hi, okHi := surtHexDigit(out[n-2])
			lo, okLo := surtHexDigit(out[n-1])
			if !okHi || !okLo {
				break
			}
			out = append(out[:n-3], hi<<4|lo)
		}
	}
	return string(out)
}

// surtHexDigit returns the value of a hexadecimal digit.
func surtHexDigit(c byte) (byte, bool) {
	switch {
	case '0' <= c && c <= '9':
		return c - '0', true
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10, true
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10, true
	}
	return 0, false
}

// surtEscape returns s in lower case with every byte outside printable ASCII,
// and the space, "#" and "%", as a percent escape.
func surtEscape(s string) string {
	const hexDigits = "0123456789abcdef"
	var b strings.Builder
	b.Grow(len(s))
	for _, c := range []byte(s) {
		switch {
		case c <= ' ' || c >= 0x7f || c == '#' || c == '%':
			b.WriteByte('%')
			b.WriteByte(hexDigits[c>>4])
			b.WriteByte(hexDigits[c&15])
		case 'A' <= c && c <= 'Z':
			b.WriteByte(c + 'a' - 'A')
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}
