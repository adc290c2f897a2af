package wayback

import (
	"strings"
	"testing"
)

// TestCodes holds the table against the list of codes in the service's document
// and in reports of its users, class by class.
func TestCodes(t *testing.T) {
	want := map[Class]string{
		ClassRetry: "bad-gateway browsing-timeout cannot-fetch capture-location-error celery gateway-timeout " +
			"internal-server-error invalid-server-response job-failed no-browsers-available no-captures protocol-error " +
			"proxy-error read-timeout service-unavailable soft-time-limit-exceeded bandwidth-limit-exceeded",
		ClassSlot:            "user-session-limit",
		ClassTargetThrottled: "too-many-requests host-paused",
		ClassTomorrowURL:     "too-many-daily-captures",
		ClassTomorrowAccount: "max-daily-bandwidth daily-captures-limit",
		ClassHostQuota:       "max-daily-bandwidth-host",
		ClassOperator:        "max-daily-bandwidth-from-ip blocked-client-ip",
		ClassDivergent: "not-found no-access unauthorized blocked method-not-allowed too-many-redirects " +
			"network-authentication-required invalid-host-resolution",
		ClassPermanent: "invalid-url-syntax blocked-url filesize-limit ftp-access-denied http-version-not-supported " +
			"not-implemented bad-request",
		ClassKeysRefused: "login-required",
	}
	n := 0
	for class, list := range want {
		for _, code := range strings.Fields(list) {
			n++
			for _, ext := range []string{"error:" + code, code, " Error:" + strings.ToUpper(code)} {
				if got, gotCode := classify(ext, "You cannot make more than 5 captures per day"); got != class || gotCode != code {
					t.Errorf("classify(%q) = %s, %s, want %s, %s", ext, got, gotCode, class, code)
				}
			}
		}
	}
	if n != len(codes) {
		t.Errorf("the table has %d codes, want %d", len(codes), n)
	}
}

func TestMessages(t *testing.T) {
	tests := []struct {
		message string
		class   Class
		code    string
	}{
		{"You have already reached the limit of active Save Page Now sessions. Please wait for a minute and then try again.", ClassSlot, "user-session-limit"},
		{"You cannot make more than 30000 captures per day. Please try again tomorrow.", ClassTomorrowAccount, "daily-captures-limit"},
		{"You cannot make more than 10 GB per day", ClassTomorrowAccount, "daily-captures-limit"},
		{"Crawling this host is paused for 10 minutes because it answers HTTP 429.", ClassTargetThrottled, "host-paused"},
		{"You need to be logged in to use Save Page Now.", ClassKeysRefused, "login-required"},
		{"This URL has been already captured 5 times today. Please try again tomorrow.", ClassTomorrowURL, "too-many-daily-captures"},
		{"Job failed", ClassRetry, "job-failed"},
		{"Something else", ClassUnknown, ""},
		{"", ClassUnknown, ""},
	}
	for _, tt := range tests {
		if class, code := classify("", tt.message); class != tt.class || code != tt.code {
			t.Errorf("classify(%q) = %s, %q, want %s, %q", tt.message, class, code, tt.class, tt.code)
		}
	}
	if class, code := classify("error:new-thing", "x"); class != ClassUnknown || code != "new-thing" {
		t.Errorf("classify of an unknown code = %s, %q, want unknown, new-thing", class, code)
	}
	for _, m := range messages {
		if _, ok := codes[m.code]; !ok {
			t.Errorf("message %q leads to code %q, which is not in the table", m.has, m.code)
		}
	}
}

// TestConsequences holds what every class must have so that nothing is tried for
// ever, and nothing at once again.
func TestConsequences(t *testing.T) {
	all := []Class{ClassRetry, ClassUnknown, ClassSlot, ClassTargetThrottled, ClassTomorrowURL, ClassTomorrowAccount,
		ClassHostQuota, ClassOperator, ClassDivergent, ClassPermanent, ClassKeysRefused, ClassOutage, ClassLost}
	if len(all) != len(classes) {
		t.Errorf("the table has %d classes, want %d", len(classes), len(all))
	}
	for _, class := range all {
		c := classes[class]
		if class.Meaning() == "" {
			t.Errorf("%s has no meaning", class)
		}
		if c.attempt && (c.end == "" || c.end.Open()) {
			t.Errorf("%s ends in %q, want a final state", class, c.end)
		}
		if !c.attempt && !c.tomorrow && len(c.delays) == 0 && class != ClassKeysRefused {
			t.Errorf("%s has no delay and would be tried at once", class)
		}
	}
	for class := range codes {
		if classes[codes[class]].meaning == "" {
			t.Errorf("code %s has a class without an entry", class)
		}
	}
}

func TestStates(t *testing.T) {
	for _, info := range States() {
		if info.Meaning == "" || info.State.Open() != info.Open {
			t.Errorf("state %+v: no meaning, or Open differs", info)
		}
	}
	if State("other").Open() {
		t.Error("an unknown state is open")
	}
}
