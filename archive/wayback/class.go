package wayback

import (
	"fmt"
	"strings"
	"time"
)

// Class says what an unwelcome answer of Save Page Now means for us. The list
// is closed; Meaning describes each.
type Class string

// The classes. Their consequences stand in the table classes.
const (
	ClassRetry           Class = "retry"
	ClassUnknown         Class = "unknown"
	ClassSlot            Class = "slot"
	ClassTargetThrottled Class = "target-throttled"
	ClassTomorrowURL     Class = "tomorrow-url"
	ClassTomorrowAccount Class = "tomorrow-account"
	ClassHostQuota       Class = "host-quota"
	ClassOperator        Class = "operator"
	ClassDivergent       Class = "divergent"
	ClassPermanent       Class = "permanent"
	ClassKeysRefused     Class = "keys-refused"
	ClassOutage          Class = "outage"
	ClassLost            Class = "lost"
)

// scope says how much of the queue an answer concerns.
type scope int

const (
	scopeItem  scope = iota // this item only
	scopeHost               // every item of the same host
	scopeQueue              // every item
)

// consequence is what the worker does about an answer of a class.
type consequence struct {
	meaning string
	scope   scope
	// attempt tells whether the submit is one of the item's few attempts;
	// otherwise only the number of waits grows, and only Limits.MaxAge ends it.
	attempt bool
	// refused tells that a submit answered so made no job, and does not count in
	// the limits of the day.
	refused bool
	// delays are the waits after the first, second, … attempt (or wait). With
	// attempt set, the item ends in state end when they are used up; otherwise
	// the last one repeats.
	delays []time.Duration
	// tomorrow waits for the next 00:00 UTC instead of delays.
	tomorrow bool
	end      State
}

// classes is the one table of consequences.
var classes = map[Class]consequence{
	ClassRetry: {meaning: "the capture failed for a reason that passes", attempt: true,
		delays: []time.Duration{5 * time.Minute, 15 * time.Minute, time.Hour}, end: StateFailed},
	ClassUnknown: {meaning: "an answer that is in no table; tried again twice", attempt: true,
		delays: []time.Duration{5 * time.Minute, 15 * time.Minute}, end: StateFailed},
	ClassSlot: {meaning: "no free session, or asked too fast; seconds to a minute help", refused: true,
		delays: []time.Duration{20 * time.Second, 40 * time.Second, time.Minute, 5 * time.Minute, 15 * time.Minute}},
	ClassTargetThrottled: {meaning: "the page's own site turns the Archive away for being too fast", scope: scopeHost, refused: true,
		delays: []time.Duration{10 * time.Minute, 30 * time.Minute, time.Hour}},
	ClassTomorrowURL: {meaning: "this address was captured often enough today, by anybody: captures of today exist", refused: true, tomorrow: true},
	ClassTomorrowAccount: {meaning: "the account's daily limit is used up; the queue waits for 00:00 UTC",
		scope: scopeQueue, tomorrow: true, refused: true},
	ClassHostQuota: {meaning: "the daily volume for the page's host is used up", scope: scopeHost, tomorrow: true, refused: true},
	ClassOperator: {meaning: "the Archive refuses our network address; an operator has to write to the Archive",
		scope: scopeQueue, tomorrow: true, refused: true},
	ClassDivergent: {meaning: "the Archive was shown something else than we were (an error, a refusal): evidence in itself",
		attempt: true, delays: []time.Duration{time.Hour, 24 * time.Hour}, end: StateDivergent},
	ClassPermanent: {meaning: "the Archive will never capture this address", attempt: true, end: StateRefused},
	ClassKeysRefused: {meaning: "the keys are wrong, expired or missing; nothing is submitted until they are put right",
		scope: scopeQueue, refused: true},
	ClassOutage: {meaning: "the service does not answer, or not with an answer; everything waits",
		delays: []time.Duration{time.Minute, 5 * time.Minute, 15 * time.Minute, time.Hour}},
	ClassLost: {meaning: "the request went out and the answer did not arrive; the job may exist",
		delays: []time.Duration{30 * time.Second, 5 * time.Minute, 15 * time.Minute, time.Hour}},
}

// Meaning returns one sentence for operators, or "" for a class that is not
// in the list.
func (c Class) Meaning() string { return classes[c].meaning }

// codes maps the service's status_ext, without its prefix "error:", to classes.
// The Archive's own list is incomplete: a code that is not here is ClassUnknown.
var codes = map[string]Class{
	"bad-gateway":              ClassRetry,
	"bandwidth-limit-exceeded": ClassRetry,
	"browsing-timeout":         ClassRetry,
	"cannot-fetch":             ClassRetry,
	"capture-location-error":   ClassRetry,
	"celery":                   ClassRetry,
	"gateway-timeout":          ClassRetry,
	"internal-server-error":    ClassRetry,
	"invalid-server-response":  ClassRetry,
	"job-failed":               ClassRetry,
	"no-browsers-available":    ClassRetry,
	"no-captures":              ClassRetry,
	"protocol-error":           ClassRetry,
	"proxy-error":              ClassRetry,
	"read-timeout":             ClassRetry,
	"service-unavailable":      ClassRetry,
	"soft-time-limit-exceeded": ClassRetry,

	"user-session-limit": ClassSlot,

	"host-paused":       ClassTargetThrottled,
	"too-many-requests": ClassTargetThrottled,

	"too-many-daily-captures": ClassTomorrowURL,

	"daily-captures-limit": ClassTomorrowAccount,
	"max-daily-bandwidth":  ClassTomorrowAccount,

	"max-daily-bandwidth-host": ClassHostQuota,

	"blocked-client-ip":           ClassOperator,
	"max-daily-bandwidth-from-ip": ClassOperator,

	"blocked":                         ClassDivergent,
	"invalid-host-resolution":         ClassDivergent,
	"method-not-allowed":              ClassDivergent,
	"network-authentication-required": ClassDivergent,
	"no-access":                       ClassDivergent,
	"not-found":                       ClassDivergent,
	"too-many-redirects":              ClassDivergent,
	"unauthorized":                    ClassDivergent,

	"bad-request":                ClassPermanent,
	"blocked-url":                ClassPermanent,
	"filesize-limit":             ClassPermanent,
	"ftp-access-denied":          ClassPermanent,
	"http-version-not-supported": ClassPermanent,
	"invalid-url-syntax":         ClassPermanent,
	"not-implemented":            ClassPermanent,

	"login-required": ClassKeysRefused,
}

// messages maps texts that come without status_ext to a code of the table
// codes; all of has must occur, compared in lower case. The codes host-paused,
// daily-captures-limit and login-required are ours: the service names none.
var messages = []struct {
	has  []string
	code string
}{
	{[]string{"limit of active save page now sessions"}, "user-session-limit"},
	{[]string{"cannot make more than", "captures per day"}, "daily-captures-limit"},
	{[]string{"cannot make more than", "per day"}, "daily-captures-limit"},
	{[]string{"host is paused"}, "host-paused"},
	{[]string{"need to be logged in"}, "login-required"},
	{[]string{"already captured", "times today"}, "too-many-daily-captures"},
	{[]string{"job failed"}, "job-failed"},
}

// classify finds the class of an answer by its status_ext, else by its message.
// The returned code is the one found, or the cleaned statusExt.
func classify(statusExt, message string) (Class, string) {
	code := strings.TrimPrefix(strings.ToLower(strings.TrimSpace(statusExt)), "error:")
	if class, ok := codes[code]; ok {
		return class, code
	}
	text := strings.ToLower(message)
next:
	for _, m := range messages {
		for _, part := range m.has {
			if !strings.Contains(text, part) {
				continue next
			}
		}
		return codes[m.code], m.code
	}
	return ClassUnknown, clean(code, maxCode)
}

// Error is an unwelcome answer of Save Page Now, or the lack of one. It holds
// no key and no control characters, and is safe to log and to store.
type Error struct {
	Op      string // "submit", "status", "user status"
	Class   Class
	Code    string // of the table of codes, or the service's own; may be empty
	Message string // the service's or the network's words, cleaned and bounded
	// HTTPStatus is that of the answer; 0 when there was none.
	HTTPStatus int
	// RetryAfter is the wait that the service asked for; 0 when it named none.
	RetryAfter time.Duration
	// Receipt is the answer itself, if it was JSON, bounded (see Item.Receipt).
	Receipt []byte

	cause error // for errors.Is; never printed, since only Message is redacted
}

// Error describes the answer in one line.
func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s", e.Op, e.Class)
	if e.Code != "" {
		fmt.Fprintf(&b, " (%s)", e.Code)
	}
	if e.HTTPStatus != 0 && e.HTTPStatus != 200 {
		fmt.Fprintf(&b, ", HTTP %d", e.HTTPStatus)
	}
	if e.Message != "" {
		b.WriteString(": " + e.Message)
	}
	return b.String()
}

// Unwrap returns the network's error, if any.
func (e *Error) Unwrap() error { return e.cause }
