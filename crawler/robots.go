package crawler

import (
	"bytes"
	"net/url"
	"strconv"
	"strings"
	"time"
)

const (
	// robotsToken is the product token that groups of a robots.txt are chosen
	// by, compared without regard to case (RFC 9309, section 2.2.1).
	robotsToken = "fineprint"
	// robotsMaxBytes is how much of a robots.txt is read: RFC 9309, section 2.5,
	// asks for at least 500 KiB. What comes after is not looked at.
	robotsMaxBytes = 500 << 10
	// maxCrawlDelay bounds the Crawl-delay that is honoured. The line is no part
	// of RFC 9309; a longer one would let one host hold a worker for hours.
	maxCrawlDelay = 30 * time.Second
)

// robotsRules are the rules of a robots.txt that hold for us. The zero value
// allows everything. It is read-only and safe for concurrent use.
type robotsRules struct {
	rules []robotsRule
	delay time.Duration // Crawl-delay, at most maxCrawlDelay; 0 if there is none
}

// robotsRule is one Allow or Disallow line.
type robotsRule struct {
	line   string   // as shown to people: "Disallow: /private"
	parts  []string // the pattern between its stars, normalised
	anchor bool     // the pattern ends in $: nothing may follow
	allow  bool
	octets int // length of the normalised pattern, the measure of "most specific"
}

// parseRobots reads a robots.txt for the crawler with the given product token:
// all groups that name the token, or, if none does, all groups for "*", merged
// (RFC 9309, section 2.2.1). It never fails: lines that are no rule are skipped,
// and what is not a robots.txt at all allows everything. Only the first 500 KiB
// count; a line cut there is dropped, since a shortened rule would mean
// something else.
func parseRobots(body []byte, token string) *robotsRules {
	if len(body) > robotsMaxBytes {
		body = body[:robotsMaxBytes]
		if i := bytes.LastIndexAny(body, "\r\n"); i >= 0 {
			body = body[:i]
		}
	}
	p := robotsParser{token: token}
	text := strings.TrimPrefix(string(body), "\ufeff")
	for line := range strings.FieldsFuncSeq(text, func(r rune) bool { return r == '\n' || r == '\r' }) {
		p.line(line)
	}
	if p.named {
		return &p.ours
	}
	return &p.any
}

// robotsParser is the state between two lines.
type robotsParser struct {
	token string
	ours  robotsRules // of the groups that name the token
	any   robotsRules // of the groups for "*"
	named bool        // a group names the token, be it an empty one

	inOurs, inAny bool // what the group at hand holds for
	rulesSeen     bool // the next user-agent line begins another group
}

func (p *robotsParser) line(line string) {
	line, _, _ = strings.Cut(line, "#")
	key, value, ok := strings.Cut(line, ":")
	if !ok {
		// A missing colon is a common slip.
		key, value, ok = strings.Cut(strings.TrimSpace(line), " ")
		if !ok {
			return
		}
	}
	value = strings.TrimSpace(value)
	switch strings.ToLower(strings.TrimSpace(key)) {
	case "user-agent", "useragent", "user agent":
		p.userAgent(value)
	case "allow":
		p.rule("Allow: ", value, true)
	case "disallow", "dissallow", "dissalow", "disalow", "diasllow", "disallaw":
		p.rule("Disallow: ", value, false)
	case "crawl-delay", "crawldelay":
		p.crawlDelay(value)
	}
}

// userAgent opens a group or adds a name to the one just opened. A line of
// another kind in between (Sitemap, Crawl-delay) does not close it: RFC 9309,
// section 2.2.4, forbids that other records disturb the groups.
func (p *robotsParser) userAgent(value string) {
	if p.rulesSeen {
		p.inOurs, p.inAny, p.rulesSeen = false, false, false
	}
	if value == "*" || strings.HasPrefix(value, "* ") {
		p.inAny = true
		return
	}
	if strings.EqualFold(productToken(value), p.token) {
		p.inOurs, p.named = true, true
	}
}

// productToken cuts "fineprint/1.0 (…)" to "fineprint": the token is made of
// letters, "-" and "_" (RFC 9309, section 2.2.1).
func productToken(s string) string {
	for i := range len(s) {
		c := s[i]
		if c|0x20 < 'a' || c|0x20 > 'z' {
			if c != '-' && c != '_' {
				return s[:i]
			}
		}
	}
	return s
}

func (p *robotsParser) rule(name, value string, allow bool) {
	p.rulesSeen = true
	if value == "" || !p.inOurs && !p.inAny {
		return // an empty rule allows what it would forbid: no rule
	}
	r := newRobotsRule(name+strings.ToValidUTF8(value, "\ufffd"), value, allow)
	if p.inOurs {
		p.ours.rules = append(p.ours.rules, r)
	}
	if p.inAny {
		p.any.rules = append(p.any.rules, r)
	}
}

func (p *robotsParser) crawlDelay(value string) {
	seconds, err := strconv.ParseFloat(value, 64)
	if err != nil || !(seconds > 0) {
		return
	}
	d := maxCrawlDelay
	if seconds < maxCrawlDelay.Seconds() {
		d = time.Duration(seconds * float64(time.Second))
	}
	if p.inOurs {
		p.ours.delay = max(p.ours.delay, d)
	}
	if p.inAny {
		p.any.delay = max(p.any.delay, d)
	}
}

// newRobotsRule takes a pattern apart: "*" stands for any bytes, "$" at the end
// for the end of the path; a path that holds them is meant by %2A and %24
// (RFC 9309, section 2.2.3).
func newRobotsRule(line, pattern string, allow bool) robotsRule {
	r := robotsRule{line: line, allow: allow}
	pattern, r.anchor = strings.CutSuffix(pattern, "$")
	if r.anchor {
		r.octets++
	}
	r.parts = strings.Split(pattern, "*")
	r.octets += len(r.parts) - 1
	for i, part := range r.parts {
		r.parts[i] = normalizeRobotsPath(part)
		r.octets += len(r.parts[i])
	}
	return r
}

// matches reports whether the pattern matches the whole path or, without an
// anchor, its beginning. Each part is looked for once, from left to right, so
// that no pattern costs more than its length times that of the path.
func (r *robotsRule) matches(path string) bool {
	rest, ok := strings.CutPrefix(path, r.parts[0])
	if !ok {
		return false
	}
	last := len(r.parts) - 1
	if last == 0 {
		return !r.anchor || rest == ""
	}
	for _, part := range r.parts[1:last] {
		i := strings.Index(rest, part)
		if i < 0 {
			return false
		}
		rest = rest[i+len(part):]
	}
	if r.anchor {
		return strings.HasSuffix(rest, r.parts[last])
	}
	return strings.Contains(rest, r.parts[last])
}

// verdict says whether u may be fetched and which line decided ("" if none
// did). The longest matching pattern decides, Allow wins between equals, and
// /robots.txt itself is always allowed (RFC 9309, section 2.2.2).
func (r *robotsRules) verdict(u *url.URL) (allowed bool, line string) {
	path := u.EscapedPath()
	if path == "" {
		path = "/"
	}
	if path == "/robots.txt" {
		return true, ""
	}
	if u.RawQuery != "" || u.ForceQuery {
		path += "?" + u.RawQuery
	}
	path = normalizeRobotsPath(path)
	var best *robotsRule
	for i := range r.rules {
		rule := &r.rules[i]
		if best != nil && (rule.octets < best.octets || rule.octets == best.octets && !rule.allow) {
			continue
		}
		if rule.matches(path) {
			best = rule
		}
	}
	if best == nil {
		return true, ""
	}
	return best.allow, best.line
}

// normalizeRobotsPath writes the octets of a path or pattern in one way, so
// that they compare (RFC 9309, section 2.2.2): everything outside printable
// ASCII, "*" and "$" are escaped, escapes of unreserved characters are resolved,
// all other escapes are upper case. Reserved characters stay as they are,
// escaped or not, as they differ in meaning. So does a percent sign that begins no
// escape, and no escape right behind it is resolved: "%%61b" is not "%ab".
func normalizeRobotsPath(s string) string {
	clean := true
	for i := range len(s) {
		if s[i] == '%' || !isPlain(s[i]) {
			clean = false
			break
		}
	}
	if clean {
		return s
	}
	const digits = "0123456789ABCDEF"
	b := make([]byte, 0, len(s)+16)
	stray := -3 // where the last percent sign stands in b that begins no escape
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c == '%' {
			v, ok := unhexPair(s[i+1:])
			if !ok {
				stray = len(b)
				b = append(b, c)
				continue
			}
			i += 2
			if isUnreserved(v) && len(b)-stray > 2 {
				b = append(b, v)
				continue
			}
			c = v
		} else if isPlain(c) {
			b = append(b, c)
			continue
		}
		b = append(b, '%', digits[c>>4], digits[c&15])
	}
	return string(b)
}

// isPlain reports whether c stands for itself, if it is no percent sign.
func isPlain(c byte) bool { return c > ' ' && c < 0x7f && c != '*' && c != '$' }

// unhexPair returns the value of the two hexadecimal digits s begins with.
func unhexPair(s string) (byte, bool) {
	if len(s) < 2 {
		return 0, false
	}
	v, err := strconv.ParseUint(s[:2], 16, 8)
	return byte(v), err == nil
}

// isUnreserved reports whether c is unreserved in RFC 3986, section 2.3.
func isUnreserved(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("-._~", c) >= 0
}
