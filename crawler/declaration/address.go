package declaration

import (
	"errors"
	"fmt"
	neturl "net/url"
	"strings"

	"github.com/nlnwa/whatwg-url/url"
)

// maxAddress is the longest address taken, in bytes.
const maxAddress = 8 << 10

// errUserInfo says that an address holds what may be a secret.
var errUserInfo = errors.New("address holds a user name or a password")

// Normalize returns the address as it is fetched: parsed as a browser does
// (WHATWG URL), serialised again, without fragment. Only http and https are
// taken. The error says what is wrong and never repeats a user name or password
// standing in the address. Normalize(Normalize(s)) == Normalize(s).
func Normalize(raw string) (string, error) {
	if isPlain(raw) {
		return raw, nil
	}
	if err := checkAddress(raw); err != nil {
		return "", err
	}
	s, err := serialise(raw)
	if err != nil {
		return "", err
	}
	if err := checkRequest(s); err != nil {
		return "", err
	}
	if s == raw {
		return s, nil
	}
	again, err := serialise(s)
	if err != nil {
		return "", err
	}
	if again != s {
		return "", fmt.Errorf("address %s has no stable form", redact(raw))
	}
	return s, nil
}

// checkAddress refuses what a browser would let pass silently.
func checkAddress(raw string) error {
	if strings.TrimSpace(raw) == "" {
		return errors.New("address is empty")
	}
	if len(raw) > maxAddress {
		return fmt.Errorf("address of %d bytes is longer than %d", len(raw), maxAddress)
	}
	for i, r := range raw {
		switch {
		case r < ' ' || r == 0x7f:
			return fmt.Errorf("address has the control character %U at byte %d", r, i)
		case r == '\uFFFD':
			return fmt.Errorf("address has a broken character at byte %d", i)
		}
	}
	return nil
}

// checkRequest refuses what browsers take and an HTTP client of Go cannot ask
// for, such as a percent sign that begins no escape.
func checkRequest(s string) error {
	u, err := neturl.Parse(s)
	if err == nil && u.Hostname() != "" {
		return nil
	}
	if escape, ok := errors.AsType[neturl.EscapeError](err); ok {
		return fmt.Errorf("address has the broken escape %q; write %%25 for a percent sign", string(escape))
	}
	return fmt.Errorf("%s is not an address", redact(s))
}

// isPlain reports whether an address is seen at a glance to be normalised
// already, which most are and which takes a tenth of the time of parsing it. It
// errs on the side of no.
func isPlain(raw string) bool {
	rest, found := strings.CutPrefix(raw, "https://")
	if !found || len(raw) > 500 {
		return false
	}
	slash := strings.IndexByte(rest, '/')
	if slash < 0 || !isPlainHost(rest[:slash]) {
		return false
	}
	path, query := rest[slash:], false
	for i := range len(path) {
		c := path[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '_', c == '/', c == '=', c == '&':
		case c == '.' && (query || path[i-1] != '/'):
		case c == '?' && !query:
			query = true
		default:
			return false
		}
	}
	return true
}

// isPlainHost reports whether a host is made of simple lower-case labels, the last
// of letters only, so that it is neither an IP address nor internationalised.
func isPlainHost(host string) bool {
	if len(host) > 100 || strings.Contains(host, "--") {
		return false
	}
	before := byte('.')
	lettersOnly := true
	for i := range len(host) {
		c := host[i]
		switch {
		case 'a' <= c && c <= 'z':
		case '0' <= c && c <= '9':
			lettersOnly = false
		case c == '-' && before != '.':
			lettersOnly = false
		case c == '.' && before != '.' && before != '-':
			lettersOnly = true
		default:
			return false
		}
		before = c
	}
	return lettersOnly && 'a' <= before && before <= 'z'
}

// serialise parses and writes an address.
func serialise(raw string) (string, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return "", explain(raw)
	}
	switch {
	case u.Username() != "" || u.Password() != "":
		return "", errUserInfo
	case u.Scheme() != "http" && u.Scheme() != "https":
		return "", fmt.Errorf("address has the scheme %q, not http or https", u.Scheme())
	case u.Hostname() == "":
		return "", fmt.Errorf("address %s has no host", redact(raw))
	}
	return u.Href(true), nil
}

// explain says why an address cannot be parsed.
func explain(raw string) error {
	raw = strings.TrimSpace(raw)
	scheme, rest, found := strings.Cut(raw, ":")
	switch {
	case !found || strings.ContainsAny(scheme, "./?#@ "):
		return fmt.Errorf("address %s does not begin with https:// or http://", redact(raw))
	case strings.Trim(rest, "/\\") == "":
		return fmt.Errorf("address %s has no host", redact(raw))
	}
	return fmt.Errorf("%s is not an address", redact(raw))
}

// redact quotes an address for a message. Everything up to the last '@' is left
// out, as it may be a secret.
func redact(raw string) string {
	if i := strings.LastIndexByte(raw, '@'); i >= 0 {
		raw = "…" + raw[i:]
	}
	if len(raw) > 200 {
		raw = strings.ToValidUTF8(raw[:200], "") + "…"
	}
	return fmt.Sprintf("%q", raw)
}
