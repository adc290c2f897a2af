package wayback

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Bounds of what is kept of an answer.
const (
	maxAnswer    = 1 << 20  // bytes of an answer that are read
	maxReceipt   = 64 << 10 // bytes of a receipt
	maxMessage   = 300      // characters of a message
	maxCode      = 64       // characters of a status_ext
	maxJobID     = 256      // bytes
	maxURL       = 8 << 10  // bytes
	maxResources = 1000     // the service's own bound
)

// codePartial marks a success that does not name its capture.
const codePartial = "partial-success"

// Accepted is the answer to a submit that was taken.
type Accepted struct {
	// JobID names the job. It is opaque. It is empty when the service answered
	// that a recent capture exists, without a job to ask for.
	JobID string
	// Message is what the service added, cleaned; usually empty.
	Message string
	// Reused tells that no new capture was started: the job is an earlier one
	// of the same address.
	Reused bool
	// StartsIn is the delay that the service announced; 0 for at once.
	StartsIn time.Duration
	// Receipt is the answer, see Item.Receipt.
	Receipt []byte
}

// JobState is the service's own word for where a job is.
type JobState string

// The states of a job.
const (
	JobPending JobState = "pending"
	JobSuccess JobState = "success"
	JobError   JobState = "error"
)

// Status is what the service says about a job.
type Status struct {
	State       JobState
	JobID       string
	OriginalURL string // the address that was captured, after redirects
	Timestamp   string // 14 digits, UTC: with OriginalURL the name of the capture
	HTTPStatus  int    // of the captured page; 0 if not told
	Duration    time.Duration
	// FirstArchive is told only if the service was allowed to look.
	FirstArchive bool
	Screenshot   string   // address of the picture, if one was asked for
	Resources    []string // addresses captured along with the page
	// OriginalJobID names the job whose capture this one shares; its status has
	// the right timestamp.
	OriginalJobID string

	StatusExt string // set in state error; without the prefix "error:" see classes
	Message   string // cleaned
	Receipt   []byte // the answer, see Item.Receipt
}

// Err returns the classified error of a job in state error, else nil.
func (s Status) Err() *Error {
	if s.State != JobError {
		return nil
	}
	class, code := classify(s.StatusExt, s.Message)
	return &Error{Op: "status", Class: class, Code: code, Message: s.Message, Receipt: s.Receipt}
}

// UserStatus is what the service says about our account. A number that the
// service did not tell is -1.
type UserStatus struct {
	Available          int // free slots; 0 is a state of seconds, not a failure
	Processing         int
	DailyCaptures      int
	DailyCapturesLimit int
	DailyStatusLimit   int
}

// parseSubmit reads the answer to a submit. httpStatus 401 and 403 are handled
// by the caller.
func parseSubmit(httpStatus int, body []byte) (Accepted, *Error) {
	m, ok := parseObject(body)
	if !ok {
		return Accepted{}, notJSON("submit", httpStatus, body)
	}
	jobID, message, receipt := text(m, "job_id"), clean(text(m, "message"), maxMessage), makeReceipt(body, m)
	ext := text(m, "status_ext")
	if strings.EqualFold(text(m, "status"), "error") || ext != "" || jobID == "" {
		if ext == "" && jobID == "" && sameSnapshot(message) {
			return Accepted{Message: message, Reused: true, Receipt: receipt}, nil
		}
		return Accepted{}, bodyError("submit", httpStatus, ext, message, receipt)
	}
	if !usableID(jobID) {
		return Accepted{}, &Error{Op: "submit", Class: ClassUnknown, Code: "job-id", HTTPStatus: httpStatus,
			Message: "the answer's job id is too long or has control characters", Receipt: receipt}
	}
	return Accepted{JobID: jobID, Message: message, Reused: sameSnapshot(message),
		StartsIn: startsIn(message), Receipt: receipt}, nil
}

// parseStatus reads the answer to a question about a job.
func parseStatus(httpStatus int, body []byte) (Status, *Error) {
	m, ok := parseObject(body)
	if !ok {
		return Status{}, notJSON("status", httpStatus, body)
	}
	s := Status{
		State:         JobState(strings.ToLower(text(m, "status"))),
		JobID:         clean(text(m, "job_id"), maxJobID),
		OriginalURL:   bounded(text(m, "original_url")),
		Timestamp:     text(m, "timestamp"),
		HTTPStatus:    int(number(m, "http_status", 0)),
		Duration:      seconds(number(m, "duration_sec", 0)),
		FirstArchive:  string(m["first_archive"]) == "true",
		Screenshot:    bounded(text(m, "screenshot")),
		Resources:     list(m, "resources"),
		OriginalJobID: text(m, "original_job_id"),
		StatusExt:     clean(text(m, "status_ext"), maxCode),
		Message:       clean(text(m, "message"), maxMessage),
		Receipt:       makeReceipt(body, m),
	}
	if !usableID(s.OriginalJobID) {
		s.OriginalJobID = ""
	}
	switch {
	case s.State == JobError || (s.StatusExt != "" && s.State != JobSuccess):
		s.State = JobError
		return s, nil
	case s.State == JobPending:
		return s, nil
	case s.State == JobSuccess && (!digits14.MatchString(s.Timestamp) || !webAddress(s.OriginalURL)):
		// Seen: original_url cut down to its path. What was captured is unknown.
		return Status{}, &Error{Op: "status", Class: ClassLost, Code: codePartial, HTTPStatus: httpStatus,
			Message: "success without a whole address and a 14-digit time", Receipt: s.Receipt}
	case s.State == JobSuccess:
		return s, nil
	}
	return Status{}, bodyError("status", httpStatus, s.StatusExt, s.Message, s.Receipt)
}

// parseUserStatus reads the answer to a question about the account.
func parseUserStatus(httpStatus int, body []byte) (UserStatus, *Error) {
	m, ok := parseObject(body)
	if !ok {
		return UserStatus{}, notJSON("user status", httpStatus, body)
	}
	available := number(m, "available", -1)
	if available < 0 {
		return UserStatus{}, bodyError("user status", httpStatus, text(m, "status_ext"), clean(text(m, "message"), maxMessage), nil)
	}
	return UserStatus{
		Available:          int(available),
		Processing:         int(number(m, "processing", -1)),
		DailyCaptures:      int(number(m, "daily_captures", -1)),
		DailyCapturesLimit: int(number(m, "daily_captures_limit", -1)),
		DailyStatusLimit:   int(number(m, "daily_status_limit", -1)),
	}, nil
}

// notJSON is the error for an answer that is not a JSON object: an outage,
// whatever the status, but for 429.
func notJSON(op string, httpStatus int, body []byte) *Error {
	e := &Error{Op: op, Class: ClassOutage, HTTPStatus: httpStatus, Message: "the answer is not JSON"}
	switch {
	case httpStatus == 429:
		e.Class, e.Message = ClassSlot, "too many requests"
	case len(bytes.TrimSpace(body)) == 0:
		e.Message = "the answer is empty"
	}
	return e
}

// bodyError classifies a JSON answer that is not the wanted one: by its body,
// and only if that says nothing by the HTTP status.
func bodyError(op string, httpStatus int, ext, message string, receipt []byte) *Error {
	class, code := classify(ext, message)
	if class == ClassUnknown {
		switch {
		case httpStatus == 429:
			class = ClassSlot
		case httpStatus == 400:
			class, code = ClassPermanent, "bad-request"
		case httpStatus >= 300:
			class = ClassOutage
		}
	}
	if message == "" {
		message = "an answer without status and message"
	}
	return &Error{Op: op, Class: class, Code: code, Message: message, HTTPStatus: httpStatus, Receipt: receipt}
}

// sameSnapshot tells the message of a submit that was answered with an earlier
// capture: "The same snapshot had been made N minutes ago. …".
func sameSnapshot(message string) bool {
	return strings.Contains(strings.ToLower(message), "same snapshot had been made")
}

var (
	digits14  = regexp.MustCompile(`^[0-9]{14}$`)
	startText = regexp.MustCompile(`(?i)capture will start in ~?(?:(\d{1,3}) hours?)?,? ?(?:(\d{1,4}) minutes?)?`)
)

// startsIn reads the delay out of "…capture will start in H hours, M minutes".
func startsIn(message string) time.Duration {
	m := startText.FindStringSubmatch(message)
	if m == nil {
		return 0
	}
	h, _ := strconv.Atoi(m[1]) // an absent part is 0
	min, _ := strconv.Atoi(m[2])
	return time.Duration(h)*time.Hour + time.Duration(min)*time.Minute
}

// makeReceipt keeps an answer verbatim if it is short enough and UTF-8, else
// without its long lists (then it has "abridged":true).
func makeReceipt(body []byte, m map[string]json.RawMessage) []byte {
	if len(body) <= maxReceipt && utf8.Valid(body) {
		return bytes.Clone(body)
	}
	short := map[string]any{"abridged": true}
	for key, value := range m {
		if len(key)+len(value) <= 1024 && len(short) < 32 {
			short[key] = value
		}
	}
	b, err := json.Marshal(short)
	if err != nil || !utf8.Valid(b) {
		return []byte(`{"abridged":true}`)
	}
	return b
}

// parseObject reads body as one JSON object and nothing else.
func parseObject(body []byte) (map[string]json.RawMessage, bool) {
	var m map[string]json.RawMessage
	if err := json.Unmarshal(body, &m); err != nil || m == nil {
		return nil, false
	}
	return m, true
}

// text returns the string (or number, as written) at key, else "".
func text(m map[string]json.RawMessage, key string) string {
	raw := m[key]
	if len(raw) == 0 {
		return ""
	}
	var s string
	if raw[0] == '"' && json.Unmarshal(raw, &s) == nil {
		return s
	}
	if raw[0] == '-' || raw[0] >= '0' && raw[0] <= '9' {
		return string(raw)
	}
	return ""
}

// number returns the number at key, also when it is written as a string; absent
// when there is none, or none that fits an int32.
func number(m map[string]json.RawMessage, key string, absent float64) float64 {
	f, err := strconv.ParseFloat(text(m, key), 64)
	if err != nil || !(f >= -1<<31 && f < 1<<31) { // also NaN
		return absent
	}
	return f
}

// list returns at most maxResources strings at key.
func list(m map[string]json.RawMessage, key string) []string {
	var all []json.RawMessage
	if json.Unmarshal(m[key], &all) != nil {
		return nil
	}
	var out []string
	for _, raw := range all[:min(len(all), maxResources)] {
		var s string
		if json.Unmarshal(raw, &s) == nil {
			out = append(out, bounded(s))
		}
	}
	return out
}

// seconds turns the service's number into a duration of at most a day.
func seconds(f float64) time.Duration {
	return time.Duration(max(0, min(f, 86400)) * float64(time.Second))
}

// bounded cuts an address to maxURL bytes, at a whole character.
func bounded(s string) string {
	if len(s) > maxURL {
		s = s[:maxURL]
		for len(s) > 0 && !utf8.ValidString(s[max(0, len(s)-utf8.UTFMax):]) {
			s = s[:len(s)-1]
		}
	}
	return s
}

// usableID tells whether a job id can be stored and asked for. Its form is the
// service's business.
func usableID(id string) bool {
	if id == "" || len(id) > maxJobID || id == "." || id == ".." || !utf8.ValidString(id) {
		return false
	}
	return !strings.ContainsFunc(id, func(r rune) bool { return unicode.IsControl(r) || unicode.IsSpace(r) })
}

// webAddress tells a whole http or https address.
func webAddress(s string) bool {
	rest, ok := strings.CutPrefix(strings.ToLower(s), "http")
	if !ok {
		return false
	}
	rest = strings.TrimPrefix(rest, "s")
	return len(s) <= maxURL && strings.HasPrefix(rest, "://") && len(rest) > len("://") &&
		!strings.ContainsFunc(s, unicode.IsControl)
}

// clean makes the service's words fit for one line of a terminal or log: valid
// UTF-8, spaces for white space, no control characters and no marks that change
// the direction of writing, at most max characters.
func clean(s string, max int) string {
	if len(s) > 16*max { // more than enough for max characters
		s = s[:16*max]
	}
	var b strings.Builder
	n, space := 0, false
	for _, r := range strings.ToValidUTF8(s, "\uFFFD") {
		if unicode.IsSpace(r) {
			space = n > 0
			continue
		}
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) {
			continue
		}
		if n >= max || space && n+1 >= max {
			return b.String() + "…"
		}
		if space {
			b.WriteByte(' ')
			n++
			space = false
		}
		b.WriteRune(r)
		n++
	}
	return b.String()
}
