package wayback

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

func TestParseSubmit(t *testing.T) {
	const id = "spn2-0123456789abcdef0123456789abcdef01234567"
	tests := []struct {
		name   string
		status int
		body   string
		want   Accepted // without receipt
		class  Class    // of the error, empty for none
		code   string
	}{
		{"plain", 200, `{"url":"https://x/","job_id":"` + id + `"}`, Accepted{JobID: id}, "", ""},
		{"any form of id", 200, `{"job_id":"日本/../?#"}`, Accepted{JobID: "日本/../?#"}, "", ""},
		{"id as number", 200, `{"job_id":12}`, Accepted{JobID: "12"}, "", ""},
		{"reused", 200, `{"job_id":"` + id + `","message":"The same snapshot had been made 4 minutes ago."}`,
			Accepted{JobID: id, Reused: true, Message: "The same snapshot had been made 4 minutes ago."}, "", ""},
		{"reused without job", 200, `{"job_id":null,"message":"The same snapshot had been made 4 minutes ago."}`,
			Accepted{Reused: true, Message: "The same snapshot had been made 4 minutes ago."}, "", ""},
		{"delayed", 200, `{"job_id":"a","message":"The capture will start in ~10 hours, 3 minutes because"}`,
			Accepted{JobID: "a", StartsIn: 603 * time.Minute, Message: "The capture will start in ~10 hours, 3 minutes because"}, "", ""},
		{"delayed by minutes", 200, `{"job_id":"a","message":"capture will start in 7 minutes"}`,
			Accepted{JobID: "a", StartsIn: 7 * time.Minute, Message: "capture will start in 7 minutes"}, "", ""},
		{"accepted with an error status", 520, `{"job_id":"a"}`, Accepted{JobID: "a"}, "", ""},
		{"error with 200", 200, `{"status":"error","status_ext":"error:blocked-url","message":"no"}`, Accepted{}, ClassPermanent, "blocked-url"},
		{"error beside a job", 200, `{"job_id":"a","status":"error","status_ext":"error:no-access"}`, Accepted{}, ClassDivergent, "no-access"},
		{"status_ext without status", 200, `{"status_ext":"error:celery"}`, Accepted{}, ClassRetry, "celery"},
		{"message alone", 200, `{"message":"You cannot make more than 9 captures per day"}`, Accepted{}, ClassTomorrowAccount, "daily-captures-limit"},
		{"unknown message", 200, `{"message":"?"}`, Accepted{}, ClassUnknown, ""},
		{"empty object", 200, `{}`, Accepted{}, ClassUnknown, ""},
		{"429 with words", 429, `{"message":"slow down"}`, Accepted{}, ClassSlot, ""},
		{"429 with a reason", 429, `{"status_ext":"error:too-many-daily-captures"}`, Accepted{}, ClassTomorrowURL, "too-many-daily-captures"},
		{"429 without JSON", 429, ``, Accepted{}, ClassSlot, ""},
		{"400", 400, `{"message":"url?"}`, Accepted{}, ClassPermanent, "bad-request"},
		{"500 with words", 500, `{"message":"oh"}`, Accepted{}, ClassOutage, ""},
		{"redirect", 302, `moved`, Accepted{}, ClassOutage, ""},
		{"HTML", 200, `<html>Temporarily Offline`, Accepted{}, ClassOutage, ""},
		{"empty", 200, ``, Accepted{}, ClassOutage, ""},
		{"array", 200, `[{"job_id":"a"}]`, Accepted{}, ClassOutage, ""},
		{"null", 200, `null`, Accepted{}, ClassOutage, ""},
		{"two objects", 200, `{"job_id":"a"}{}`, Accepted{}, ClassOutage, ""},
		{"endless id", 200, `{"job_id":"` + strings.Repeat("x", 300) + `"}`, Accepted{}, ClassUnknown, "job-id"},
		{"control character in id", 200, `{"job_id":"a\nb"}`, Accepted{}, ClassUnknown, "job-id"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := parseSubmit(tt.status, []byte(tt.body))
			if tt.class != "" {
				if err == nil || err.Class != tt.class || err.Code != tt.code {
					t.Fatalf("parseSubmit(%s) = %+v, %v, want class %s, code %q", tt.body, got, err, tt.class, tt.code)
				}
				return
			}
			if err != nil {
				t.Fatalf("parseSubmit(%s): %v", tt.body, err)
			}
			if string(got.Receipt) != tt.body {
				t.Errorf("receipt = %s, want the answer", got.Receipt)
			}
			got.Receipt = nil
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestParseStatus(t *testing.T) {
	success := `{"status":"success","job_id":"a","original_url":"https://x.example/条款","timestamp":"20261122103000",
		"duration_sec":16.5,"http_status":200,"first_archive":true,"screenshot":"http://web.archive.org/s",
		"resources":["https://x.example/","https://x.example/a.css"],"outlinks":{"https://y/":"spn2-1"},
		"counters":{"embeds":2},"original_job_id":"b"}`
	got, err := parseStatus(200, []byte(success))
	if err != nil {
		t.Fatal(err)
	}
	if string(got.Receipt) != success {
		t.Errorf("receipt = %s, want the answer", got.Receipt)
	}
	got.Receipt = nil
	want := Status{State: JobSuccess, JobID: "a", OriginalURL: "https://x.example/条款", Timestamp: "20261122103000",
		HTTPStatus: 200, Duration: 16500 * time.Millisecond, FirstArchive: true, Screenshot: "http://web.archive.org/s",
		Resources: []string{"https://x.example/", "https://x.example/a.css"}, OriginalJobID: "b"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}

	tests := []struct {
		name, body string
		state      JobState
		class      Class // of the answer, or of the job
		code       string
	}{
		{"pending", `{"status":"pending","job_id":"a","resources":[]}`, JobPending, "", ""},
		{"pending with size", `{"status":"pending","download_size":1e9}`, JobPending, "", ""},
		{"error", `{"status":"error","status_ext":"error:not-found","message":"x","exception":"e"}`, JobError, ClassDivergent, "not-found"},
		{"error by message", `{"status":"error","message":"Job failed"}`, JobError, ClassRetry, "job-failed"},
		{"error without anything", `{"status":"error"}`, JobError, ClassUnknown, ""},
		{"odd types", `{"status":"success","original_url":"https://x/","timestamp":20261122103000,"http_status":"200","resources":{"a":1},"duration_sec":"x"}`, JobSuccess, "", ""},
		{"path only", `{"status":"success","original_url":"/tos","timestamp":"20261122103000"}`, "", ClassLost, codePartial},
		{"no time", `{"status":"success","original_url":"https://x/"}`, "", ClassLost, codePartial},
		{"short time", `{"status":"success","original_url":"https://x/","timestamp":"2026112210300"}`, "", ClassLost, codePartial},
		{"no status", `{"message":"You need to be logged in to use Save Page Now."}`, "", ClassKeysRefused, "login-required"},
		{"new status", `{"status":"queued"}`, "", ClassUnknown, ""},
		{"array", `[]`, "", ClassOutage, ""},
		{"HTML", `<p>`, "", ClassOutage, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := parseStatus(200, []byte(tt.body))
			if err == nil {
				err = got.Err()
			}
			switch {
			case got.State != tt.state:
				t.Errorf("state = %q, want %q", got.State, tt.state)
			case tt.class == "" && err != nil:
				t.Errorf("error = %v, want none", err)
			case tt.class != "" && (err == nil || err.Class != tt.class || err.Code != tt.code):
				t.Errorf("error = %v, want class %s, code %q", err, tt.class, tt.code)
			}
		})
	}
}

func TestParseStatusBounds(t *testing.T) {
	resources := strings.Repeat(`"https://x.example/`+strings.Repeat("r", 100)+`",`, 3000)
	body := `{"status":"success","original_url":"https://x.example/","timestamp":"20261122103000","resources":[` +
		strings.TrimSuffix(resources, ",") + `]}`
	s, err := parseStatus(200, []byte(body))
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Resources) != maxResources {
		t.Errorf("resources = %d, want %d", len(s.Resources), maxResources)
	}
	var receipt map[string]any
	if err := json.Unmarshal(s.Receipt, &receipt); err != nil || len(s.Receipt) > maxReceipt ||
		receipt["abridged"] != true || receipt["timestamp"] != "20261122103000" {
		t.Errorf("receipt = %.200s, want an abridged one with the timestamp", s.Receipt)
	}
}

func TestClean(t *testing.T) {
	tests := []struct{ in, want string }{
		{"plain", "plain"},
		{"  a\r\n\tb\x00c  ", "a bc"},
		{"\x1b[31mred\x1b[0m", "[31mred[0m"},
		{"abc\u202edef\u200b", "abcdef"},
		{"条款 شروط", "条款 شروط"},
		{"bad \xff byte", "bad \uFFFD byte"},
		{strings.Repeat("界", 400), strings.Repeat("界", 300) + "…"},
		{strings.Repeat("a", 300) + " b", strings.Repeat("a", 300) + "…"},
		{strings.Repeat("a", 299) + " bc", strings.Repeat("a", 299) + "…"},
	}
	for _, tt := range tests {
		if got := clean(tt.in, maxMessage); got != tt.want {
			t.Errorf("clean(%q) = %q, want %q", tt.in, got, tt.want)
		}
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	tests := map[string]time.Duration{
		"": 0, "20": 20 * time.Second, " 7 ": 7 * time.Second, "-5": 0, "x": 0, "1e3": 0,
		"99999999": maxRetryAfter, "99999999999999999999": 0,
		"Sun, 22 Nov 2026 10:02:00 GMT": 2 * time.Minute, "Sun, 22 Nov 2026 09:00:00 GMT": 0,
	}
	for in, want := range tests {
		if got := retryAfter(in, now); got != want {
			t.Errorf("retryAfter(%q) = %v, want %v", in, got, want)
		}
	}
}

// checkReceipt: what is stored is JSON, UTF-8 and bounded.
func checkReceipt(t *testing.T, receipt []byte) {
	t.Helper()
	if receipt != nil && (!json.Valid(receipt) || !utf8.Valid(receipt) || len(receipt) > maxReceipt) {
		t.Errorf("receipt = %d bytes %.200q, want bounded JSON in UTF-8", len(receipt), receipt)
	}
}

// checkLine: what is logged is one clean, bounded line.
func checkLine(t *testing.T, s string, max int) {
	t.Helper()
	if !utf8.ValidString(s) || utf8.RuneCountInString(s) > max+1 || strings.ContainsFunc(s, unicode.IsControl) {
		t.Errorf("%q is not a clean line of at most %d characters", s, max)
	}
}

func FuzzSubmitAnswer(f *testing.F) {
	for _, s := range []string{`{"url":"https://x/","job_id":"spn2-1"}`, `{"job_id":null,"message":"The same snapshot had been made"}`,
		`{"status":"error","status_ext":"error:x","message":"\u0000\u202e"}`, `<html>`, `[]`, "{\"message\":\"\xff\"}"} {
		f.Add(200, []byte(s))
	}
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		a, err := parseSubmit(status, body)
		if err != nil {
			checkReceipt(t, err.Receipt)
			checkLine(t, err.Message, maxMessage)
			checkLine(t, err.Code, maxCode)
			if classes[err.Class].meaning == "" {
				t.Errorf("class %q is not in the table", err.Class)
			}
			if a.JobID != "" {
				t.Error("an error with a job id")
			}
			return
		}
		checkReceipt(t, a.Receipt)
		checkLine(t, a.Message, maxMessage)
		if a.JobID == "" && !a.Reused || a.JobID != "" && !usableID(a.JobID) || a.StartsIn < 0 {
			t.Errorf("accepted %+v without a usable job", a)
		}
		// The same job written by us is read the same.
		again, err := parseSubmit(200, fmt.Appendf(nil, `{"job_id":%s}`, quote(a.JobID)))
		if a.JobID != "" && (err != nil || again.JobID != a.JobID) {
			t.Errorf("job id %q is read again as %q, %v", a.JobID, again.JobID, err)
		}
	})
}

func FuzzStatusAnswer(f *testing.F) {
	for _, s := range []string{`{"status":"pending","job_id":"a","resources":[]}`,
		`{"status":"success","original_url":"https://x/","timestamp":"20261122103000","http_status":200,"duration_sec":1e308}`,
		`{"status":"error","status_ext":"error:no-access","message":"m"}`, `{"available":3,"daily_captures":-9e99}`, `null`} {
		f.Add(200, []byte(s))
	}
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		if u, err := parseUserStatus(status, body); err == nil && u.Available < 0 {
			t.Errorf("user status %+v without a number of free slots", u)
		}
		s, err := parseStatus(status, body)
		if err == nil {
			err = s.Err()
		}
		if err != nil {
			checkReceipt(t, err.Receipt)
			checkLine(t, err.Message, maxMessage)
			checkLine(t, err.Code, maxCode)
		}
		checkReceipt(t, s.Receipt)
		checkLine(t, s.StatusExt, maxCode)
		if len(s.Resources) > maxResources || s.Duration < 0 {
			t.Errorf("%d resources, %v", len(s.Resources), s.Duration)
		}
		if s.State == JobSuccess && (!digits14.MatchString(s.Timestamp) || !webAddress(s.OriginalURL)) {
			t.Errorf("success %+v does not name a capture", s)
		}
	})
}

func quote(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err) // a string can always be written
	}
	return string(b)
}
