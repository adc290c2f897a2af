package declaration

import (
	"strings"
	"testing"
	"time"
)

func TestNormalize(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ in, want string }{
		"plain":             {"https://x.com/en/tos", "https://x.com/en/tos"},
		"no path":           {"https://x.com", "https://x.com/"},
		"case and port":     {"HTTPS://X.COM:443/A", "https://x.com/A"},
		"other port":        {"http://127.0.0.1:8080/tos", "http://127.0.0.1:8080/tos"},
		"fragment":          {"https://x.com/a?b=c#d", "https://x.com/a?b=c"},
		"empty query":       {"https://x.com/a?", "https://x.com/a?"},
		"dots":              {"https://x.com/a/../b/./c", "https://x.com/b/c"},
		"hidden dots":       {"https://x.com/a/%2e%2e/b", "https://x.com/b"},
		"spaces around":     {"  https://x.com/a ", "https://x.com/a"},
		"space within":      {"https://x.com/a b", "https://x.com/a%20b"},
		"backslash":         {`https://x.com\a`, "https://x.com/a"},
		"chinese path":      {"https://x.com/服务条款", "https://x.com/%E6%9C%8D%E5%8A%A1%E6%9D%A1%E6%AC%BE"},
		"japanese host":     {"https://日本語.jp/利用規約", "https://xn--wgv71a119e.jp/%E5%88%A9%E7%94%A8%E8%A6%8F%E7%B4%84"},
		"escapes stay":      {"https://x.com/%7Ea?b=%2F", "https://x.com/%7Ea?b=%2F"},
		"number as host":    {"http://0x7f.1/", "http://127.0.0.1/"},
		"ipv6":              {"http://[::1]:80/", "http://[::1]/"},
		"at sign in path":   {"https://medium.com/@user/terms", "https://medium.com/@user/terms"},
		"trailing host dot": {"https://x.com./a", "https://x.com./a"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := Normalize(tt.in)
			if err != nil || got != tt.want {
				t.Errorf("Normalize(%q) = %q, %v, want %q", tt.in, got, err, tt.want)
			}
		})
	}
}

func TestNormalizeErrors(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ in, want string }{
		"empty":          {"", "address is empty"},
		"blank":          {" \u3000", "address is empty"},
		"no scheme":      {"x.com/tos", `address "x.com/tos" does not begin with https:// or http://`},
		"host and port":  {"localhost:80/x", `address has the scheme "localhost", not http or https`},
		"other scheme":   {"file:///etc/passwd", `address has the scheme "file", not http or https`},
		"javascript":     {"javascript:alert(1)", `address has the scheme "javascript", not http or https`},
		"no host":        {"https://", `address "https://" has no host`},
		"user":           {"https://me@x.com/", "address holds a user name or a password"},
		"password":       {"https://me:hunter2@x.com/", "address holds a user name or a password"},
		"only password":  {"https://:hunter2@x.com/", "address holds a user name or a password"},
		"line break":     {"https://x.com/a\nb", "address has the control character U+000A at byte 15"},
		"nul":            {"https://x.com/\x00", "address has the control character U+0000 at byte 14"},
		"broken utf-8":   {"https://x.com/\xff", "address has a broken character at byte 14"},
		"bad port":       {"https://x.com:99999/", `"https://x.com:99999/" is not an address`},
		"broken escape":  {"https://x.com/100%zz", `address has the broken escape "%zz"; write %25 for a percent sign`},
		"cut escape":     {"https://x.com/100%", `address has the broken escape "%"; write %25 for a percent sign`},
		"bad host":       {"https://x com/", `"https://x com/" is not an address`},
		"secret, broken": {"https://me:hunter2@x com/", `"…@x com/" is not an address`},
		"too long":       {"https://x.com/" + strings.Repeat("a", maxAddress), "address of 8206 bytes is longer than 8192"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := Normalize(tt.in)
			if err == nil || err.Error() != tt.want {
				t.Errorf("Normalize(%q) = %q, %v, want error %q", tt.in, got, err, tt.want)
			}
			if err != nil && strings.Contains(err.Error(), "hunter2") {
				t.Errorf("Normalize(%q) repeats the password: %v", tt.in, err)
			}
		})
	}
}

// The value comes from `printf 'fineprint source v1\n…' | sha256sum`.
func TestSourceID(t *testing.T) {
	t.Parallel()
	const want = "e01b8af65a97ee9d"
	if got := SourceID("https://x.com/zh-cn/tos", "zh-CN,zh;q=0.9", "frankfurt-1"); got != want {
		t.Errorf("SourceID = %s, want %s", got, want)
	}
}

func TestLang(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]struct{ tag, accept string }{
		"":           {"", ""},
		"und":        {"", ""},
		"en":         {"en", "en"},
		"zh-cn":      {"zh-CN", "zh-CN,zh;q=0.9"},
		"ZH_hant_tw": {"zh-Hant-TW", "zh-Hant-TW,zh;q=0.9"},
		"pt-br":      {"pt-BR", "pt-BR,pt;q=0.9"},
		"es-419":     {"es-419", "es-419,es;q=0.9"},
		"iw":         {"iw", "iw"}, // not replaced by he
		"no":         {"no", "no"},
		"x-private":  {"x-private", "x-private"},
	} {
		tag, err := parseLang(in)
		if err != nil || tag != want.tag {
			t.Errorf("parseLang(%q) = %q, %v, want %q", in, tag, err, want.tag)
		}
		if got := acceptLanguage(tag); got != want.accept {
			t.Errorf("acceptLanguage(%q) = %q, want %q", tag, got, want.accept)
		}
	}
	for in, want := range map[string]string{
		"english":  `"english" is not a language tag`,
		"e":        `"e" is not a language tag`,
		"en-ZZZZ9": `language "en-ZZZZ9" has an unknown part`,
		"中文":       `"中文" is not a language tag`,
	} {
		if tag, err := parseLang(in); err == nil || err.Error() != want {
			t.Errorf("parseLang(%q) = %q, %v, want error %q", in, tag, err, want)
		}
	}
}

func TestSlug(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"X":                "x",
		"Terms of Service": "terms-of-service",
		"抖音":               "抖音",
		"H-抖音":             "h-抖音",
		"Yahoo! JAPAN":     "yahoo-japan",
		"  a -- b  ":       "a-b",
		"Café":             "café",
		"Cafe\u0301":       "café",
		"ÅNGSTRÖM":         "ångström",
		"メルカリ":             "メルカリ",
		"हिन्दी":           "हिन्दी",
		"شروط الخدمة":      "شروط-الخدمة",
		"AT&T":             "at-t",
		"a/b":              "a-b",
		"-":                "",
		"\u0301":           "",
		"№ 1":              "1",
	} {
		if got := slug(in); got != want {
			t.Errorf("slug(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestParseEvery(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	for in, want := range map[string]time.Duration{
		"12h": 12 * time.Hour, "7d": 7 * day, "1w": 7 * day, "1w2d3h": 9*day + 3*time.Hour,
		"1d12h": 36 * time.Hour, "90m": 90 * time.Minute, "1s": time.Second, "3650d": 3650 * day,
	} {
		if got, err := parseEvery(in); err != nil || got != want {
			t.Errorf("parseEvery(%q) = %v, %v, want %v", in, got, err, want)
		}
	}
	for _, in := range []string{"", "0s", "12", "d", "-1d", "-1h", "1d-1h", "1.5d", "1h2d", "d1", "3651d", "99999d", "1ms", "1 d", "1y"} {
		if got, err := parseEvery(in); err == nil {
			t.Errorf("parseEvery(%q) = %v, want an error", in, got)
		}
	}
}

func TestTermsType(t *testing.T) {
	t.Parallel()
	if n := len(TermsTypes()); n != 44 {
		t.Errorf("%d terms types, want 44", n)
	}
	for in, want := range map[string]string{
		"Terms of Service":            "Terms of Service",
		"terms of service":            "Terms of Service",
		"TOS":                         "Terms of Service",
		"利用規約":                        "Terms of Service",
		"隐私政策":                        "Privacy Policy",
		"cookie-policy":               "Trackers Policy",
		"Anti Corruption Policy":      "Anti-corruption Policy",
		"Content Monetization Policy": "Content Monetisation Policy",
		"Impressum":                   "Imprint",
	} {
		if got, ok := TermsType(in); !ok || got != want {
			t.Errorf("TermsType(%q) = %q, %v, want %q", in, got, ok, want)
		}
	}
	if got, ok := TermsType(" Robot Policy "); ok || got != "Robot Policy" {
		t.Errorf("TermsType of an unknown type = %q, %v", got, ok)
	}
}

// No name or alias may stand for two terms types.
func TestTermsTypesAreDifferent(t *testing.T) {
	t.Parallel()
	owner := make(map[string]string)
	for _, tt := range termsTypes {
		for _, name := range append([]string{tt.name}, tt.aliases...) {
			if other := owner[plain(name)]; other != "" {
				t.Errorf("%q stands for %q and for %q", name, other, tt.name)
			}
			owner[plain(name)] = tt.name
		}
	}
}

func TestNearest(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"ulr": "url", "selct": "select", "full-every": "full_every", "fullEvery": "full_every",
		"acceptLanguage": "accept_language", "xyz": "", "": "", "motives": "",
		strings.Repeat("url", 100): "",
	} {
		if got := nearest(in, entryKeys); got != want {
			t.Errorf("nearest(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestProblemString(t *testing.T) {
	t.Parallel()
	for want, p := range map[string]Problem{
		"a.yaml:3: terms.Imprint[0].url: is wrong; mend it": {File: "a.yaml", Line: 3, Field: "terms.Imprint[0].url", Message: "is wrong", Fix: "mend it"},
		"a.yaml: is empty": {File: "a.yaml", Message: "is empty"},
		"is wrong":         {Message: "is wrong"},
	} {
		if got := p.String(); got != want || p.Error() != want {
			t.Errorf("String() = %q, want %q", got, want)
		}
	}
}
