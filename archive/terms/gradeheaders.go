package terms

import (
	"net/http"
	"strings"
)

// challengeHeaders are headers that only a refusal or a test for robots carries,
// whatever the status.
var challengeHeaders = []struct{ header, value, who string }{
	{"X-Amzn-Waf-Action", "challenge", "AWS WAF"},
	{"X-Amzn-Waf-Action", "captcha", "AWS WAF"},
	{"Cf-Mitigated", "challenge", "Cloudflare"},
	{"Cf-Mitigated", "block", "Cloudflare"},
	{"Rimon", "rwc_block", "a filter of NetSTAR"},
	{"X-Vercel-Mitigated", "challenge", "Vercel"},
	{"X-Vercel-Mitigated", "deny", "Vercel"},
}

func headerRule(f *gradeFacts) Verdict {
	for _, h := range challengeHeaders {
		if value := f.c.Header.Get(h.header); strings.EqualFold(strings.TrimSpace(value), h.value) {
			return verdict(GradeBlocked, "header %s: %s (%s)", h.header, value, h.who)
		}
	}
	return Verdict{}
}

// refusals are what answers of services in front of sites look like when the
// service answered itself, with a status of 400 or more.
var refusals = []struct {
	who     string
	because string
	is      func(f *gradeFacts) bool
}{
	{"AWS load balancer", "Server: awselb", func(f *gradeFacts) bool {
		return serverHas(f.c.Header, "awselb/") && (f.c.Status == 429 || f.c.Status == 403 && f.c.Size < 1024)
	}},
	{"Akamai", "Server: AkamaiGHost, a small body, not to be cached", func(f *gradeFacts) bool {
		return serverHas(f.c.Header, "akamaighost") && f.c.Size < 1024 && f.c.Status < 500 && strings.Contains(f.c.Header.Get("Cache-Control"), "no-cache")
	}},
	{"Akamai", "Server-Timing without an origin, a small body", func(f *gradeFacts) bool {
		timing := serverTiming(f.c.Header)
		return f.c.Header.Get("Server") == "" && f.c.Size < 1024 && f.c.Status < 500 &&
			strings.Contains(timing, "ak_p") && strings.Contains(timing, "cdn-cache") && strings.Contains(timing, "edge") && strings.Contains(timing, "origin; dur=0")
	}},
	{"CloudFront", "X-Cache: Error from cloudfront", func(f *gradeFacts) bool {
		return f.c.Status < 500 && serverHas(f.c.Header, "cloudfront") && strings.HasPrefix(strings.ToLower(f.c.Header.Get("X-Cache")), "error")
	}},
	{"Cloudflare", "Server-Timing without an origin, a small body", func(f *gradeFacts) bool {
		timing := serverTiming(f.c.Header)
		return serverHas(f.c.Header, "cloudflare") && f.c.Status < 500 && f.c.Size < 8192 && strings.Contains(f.title, "cloudflare") &&
			strings.Contains(timing, "cforigin;dur=0") && strings.Contains(timing, "cfedge")
	}},
	{"DataDome", "a DataDome header", func(f *gradeFacts) bool {
		return f.c.Header.Get("X-Dd-B") != "" || f.c.Header.Get("X-Datadome") != ""
	}},
	{"Kasada", "a Kasada header", func(f *gradeFacts) bool {
		return f.c.Header.Get("X-Kpsdk-Ct") != "" || f.c.Header.Get("X-Kpsdk-R") != ""
	}},
}

func serverHas(h http.Header, name string) bool {
	return strings.Contains(strings.ToLower(h.Get("Server")), name)
}

// serverTiming returns the header Server-Timing in lower case, all its values.
func serverTiming(h http.Header) string {
	return strings.ToLower(strings.Join(h.Values("Server-Timing"), ","))
}

// statusRule grades everything but 200 and its kin. A page that is not there is no
// refusal, whoever says so.
func statusRule(f *gradeFacts) Verdict {
	status := f.c.Status
	switch {
	case status == 204 || status == 205:
		return verdict(GradeEmpty, "status %d: an answer without a body", status)
	case status == 206:
		return verdict(GradeTruncated, "status 206: part of the body")
	case 300 <= status && status < 400:
		return verdict(GradeRedirect, "status %d, not followed", status)
	case status < 400:
		return Verdict{}
	case status == 404 || status == 410:
		return verdict(GradeErrorPage, "status %d: the page is not there", status)
	case status == 401:
		return verdict(GradeLogin, "status 401: asks to log in")
	}
	for i := range refusals {
		if refusals[i].is(f) {
			return verdict(GradeBlocked, "status %d by %s (%s)", status, refusals[i].who, refusals[i].because)
		}
	}
	if v := challengeRule(f); v.Grade != "" {
		v.Reason = verdict("", "status %d, and %s", status, v.Reason).Reason
		return v
	}
	switch status {
	case 403, 451, 999:
		return verdict(GradeBlocked, "status %d: refused", status)
	case 429:
		return verdict(GradeBlocked, "status 429: too many requests")
	}
	return verdict(GradeErrorPage, "status %d", status)
}

// vendors are addresses of scripts and frames of which a test for robots is made.
var vendors = []struct{ address, who string }{
	{"captcha-delivery.com", "DataDome"},
	{"/_incapsula_resource", "Imperva"},
	{"captcha.px-cdn.net", "HUMAN (PerimeterX)"},
	{"captcha.perimeterx.net", "HUMAN (PerimeterX)"},
	{"/149e9513-01fa-4fb0-aad4-566afd725d1b/", "Kasada"},
	{"challenges.cloudflare.com", "Cloudflare Turnstile"},
	{"/cdn-cgi/challenge-platform/h/b/orchestrate", "Cloudflare"},
	{"/cdn-cgi/challenge-platform/h/g/orchestrate", "Cloudflare"},
	{"hcaptcha.com/", "hCaptcha"},
	{"awswaf.com/", "AWS WAF"},
	{"geetest.com/", "GeeTest"},
	{"validate.perfdrive.com", "Radware"},
}

// vendorRule finds pages that hold a test for robots and no words, or few.
func vendorRule(f *gradeFacts) Verdict {
	if f.words > hardlyProse || f.seen > hardlyProse || f.legal {
		return Verdict{}
	}
	for _, source := range f.p.Sources {
		source = strings.ToLower(source)
		for _, v := range vendors {
			if strings.Contains(source, v.address) {
				return verdict(GradeBlocked, "a page of %d words with a script or frame of %s (%s)", f.seen, v.who, v.address)
			}
		}
	}
	return Verdict{}
}
