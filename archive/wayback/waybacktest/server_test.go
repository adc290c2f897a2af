package waybacktest

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// ask sends a request to s and returns its status and its JSON, if it is that.
func ask(s *Server, method, path string, form url.Values, auth string) (int, map[string]any) {
	r := httptest.NewRequest(method, path, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("User-Agent", "test")
	if auth != "" {
		r.Header.Set("Authorization", auth)
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	var m map[string]any
	if json.Unmarshal(w.Body.Bytes(), &m) != nil {
		var list []any
		if json.Unmarshal(w.Body.Bytes(), &list) == nil {
			m = map[string]any{"list": list}
		}
	}
	return w.Code, m
}

const keys = "LOW access:secret"

func save(s *Server, address string) map[string]any {
	_, m := ask(s, "POST", "/save/", url.Values{"url": {address}}, keys)
	return m
}

func TestServerProtocol(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(Config{Access: "access", Secret: "secret", Fetch: func(address string) (int, []byte) {
			if strings.HasSuffix(address, "/gone") {
				return 404, nil
			}
			return 200, []byte("page of " + address)
		}})
		for _, auth := range []string{"", "LOW access:wrong", "Bearer access:secret", "LOW access"} {
			if code, m := ask(s, "POST", "/save", url.Values{"url": {"https://x.example/"}}, auth); code != 401 || m["job_id"] != nil {
				t.Errorf("submit with %q = %d %v, want 401", auth, code, m)
			}
		}
		first := save(s, "https://x.example/")
		id, _ := first["job_id"].(string)
		if !strings.HasPrefix(id, "spn2-") || len(id) != 45 || first["message"] != nil {
			t.Fatalf("submit = %v, want a new job", first)
		}
		time.Sleep(5 * time.Second)
		if again := save(s, "https://x.example/"); again["job_id"] != id || again["message"] == nil {
			t.Errorf("submit again = %v, want the same job with a message", again)
		}
		gone, _ := save(s, "https://x.example/gone")["job_id"].(string)
		_, user := ask(s, "GET", "/save/status/user?_t=1", nil, keys)
		if user["available"] != 1.0 || user["processing"] != 2.0 || user["daily_captures"] != 2.0 {
			t.Errorf("user status = %v, want 1 free slot of 3", user)
		}
		if _, m := ask(s, "GET", "/save/status/"+id, nil, keys); m["status"] != "pending" {
			t.Errorf("status = %v, want pending", m)
		}
		time.Sleep(30 * time.Second)
		_, m := ask(s, "GET", "/save/status/"+id, nil, keys)
		if m["status"] != "success" || m["original_url"] != "https://x.example/" || m["timestamp"] != "20000101000020" || m["http_status"] != 200.0 {
			t.Errorf("status = %v, want success", m)
		}
		if _, m := ask(s, "POST", "/save/status", url.Values{"job_id": {gone}}, keys); m["status_ext"] != "error:not-found" {
			t.Errorf("status of a missing page = %v, want error:not-found", m)
		}
		if _, m := ask(s, "POST", "/save/status", url.Values{"job_ids": {id + ",spn2-invented"}}, keys); len(m["list"].([]any)) != 2 {
			t.Errorf("status of two = %v", m)
		}
		if code, _ := ask(s, "GET", "/save/status/"+id, nil, ""); code != 401 {
			t.Errorf("status without keys = %d, want 401", code)
		}
		if code, m := ask(s, "GET", "/save/status/system", nil, ""); code != 200 || m["status"] != "ok" {
			t.Errorf("system status = %d %v, want ok", code, m)
		}
		if code, _ := ask(s, "GET", "/elsewhere", nil, ""); code != 404 {
			t.Errorf("another path = %d, want 404", code)
		}
		want := []Capture{{JobID: id, URL: "https://x.example/", Timestamp: "20000101000020", Status: 200, Body: []byte("page of https://x.example/"),
			Header: http.Header{"Content-Type": {"text/html; charset=utf-8"}}, Digest: "MLCHGGYWCMF7WCT6AAWRODI42RL6DXWG",
			Src: "spn2-20000101000000-wwwb-spn22.us.archive.org-8002.warc.gz"}}
		if diff := cmp.Diff(want, s.Captures()); diff != "" {
			t.Errorf("captures (-want +got):\n%s", diff)
		}
		time.Sleep(2 * time.Hour)
		if _, m := ask(s, "GET", "/save/status/"+id, nil, keys); m["status"] != "pending" {
			t.Errorf("status of an old job = %v, want pending for ever", m)
		}
		if m := save(s, "https://x.example/"); m["job_id"] == id {
			t.Errorf("submit after the window = %v, want a new job", m)
		}
		if strings.Contains(fmt.Sprint(s.Requests()), "secret") {
			t.Error("the requests show a key")
		}
		if diff := cmp.Diff(map[string]int{"keys": 5}, s.Breaches()); diff != "" {
			t.Errorf("breaches (-want +got):\n%s", diff)
		}
	})
}

// TestServerLimits: each limit is counted at its first breach, not before, and
// enforced if wanted.
func TestServerLimits(t *testing.T) {
	page := func(i int) string { return fmt.Sprintf("https://x.example/%d", i) }
	tests := []struct {
		name   string
		cfg    Config
		submit func(s *Server, i int)
		good   int // submits that are within the limit
		answer string
	}{
		{"submits-per-minute", Config{Slots: 99}, func(s *Server, i int) { save(s, page(i)) }, 7, ""},
		{"slots", Config{Enforce: true}, func(s *Server, i int) { save(s, page(i)) }, 3, "sessions"},
		{"per-day", Config{Enforce: true, PerDay: 4}, func(s *Server, i int) { save(s, page(i)); time.Sleep(time.Minute) }, 4, "cannot make more than 4 captures per day"},
		{"per-url-day", Config{Enforce: true}, func(s *Server, i int) { save(s, page(0)); time.Sleep(2 * time.Hour) }, 5, "already captured 5 times today"},
		{"status-per-minute", Config{StatusLimit: 10}, func(s *Server, i int) { ask(s, "GET", "/save/status/user", nil, keys) }, 10, ""},
		{"parameter", Config{}, func(s *Server, i int) {
			ask(s, "POST", "/save", url.Values{"url": {page(i)}, "capture_screenshot": {[]string{"1", "on", "0"}[i]}}, keys)
		}, 2, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := New(tt.cfg)
				for i := range tt.good {
					tt.submit(s, i)
				}
				if b := s.Breaches(); len(b) != 0 {
					t.Errorf("breaches after %d = %v, want none", tt.good, b)
				}
				tt.submit(s, tt.good)
				if b := s.Breaches(); b[tt.name] != 1 {
					t.Errorf("breaches after %d = %v, want one of %s", tt.good+1, b, tt.name)
				}
				if tt.answer != "" {
					address := page(99)
					if tt.name == "per-url-day" {
						address = page(0)
					}
					if m := save(s, address); !strings.Contains(fmt.Sprint(m["message"]), tt.answer) || m["job_id"] != nil {
						t.Errorf("submit beyond the limit = %v, want %q", m, tt.answer)
					}
				}
			})
		})
	}
}

// TestServerFaults looks at each fault from outside, over a socket.
func TestServerFaults(t *testing.T) {
	tests := []struct {
		fault  Fault
		status int // 0: no whole answer
		body   string
		jobs   int
	}{
		{Fault{Kind: TooMany, RetryAfter: 1500 * time.Millisecond}, 429, "Too many", 0},
		{Fault{Kind: HTTPStatus}, 520, "<h1>", 0},
		{Fault{Kind: StatusAfter, Status: 500}, 500, "<h1>", 1},
		{Fault{Kind: HTML}, 200, "Temporarily Offline", 0},
		{Fault{Kind: Body, Body: `{"x":1}`}, 200, `{"x":1}`, 0},
		{Fault{Kind: Reset}, 0, "", 0},
		{Fault{Kind: Lost}, 0, "", 1},
		{Fault{Kind: Truncated}, 0, "", 1},
		{Fault{Kind: Slow, Delay: time.Millisecond}, 200, "spn2-", 1},
		{Fault{Kind: Delayed, Delay: 61 * time.Minute}, 200, "~1 hours, 1 minutes", 1},
	}
	for _, tt := range tests {
		t.Run(string(tt.fault.Kind), func(t *testing.T) {
			t.Parallel()
			s, address := Start(t, Config{PendingFor: time.Nanosecond})
			s.Inject(tt.fault)
			status, body := post(t, address)
			if status != tt.status || !strings.Contains(body, tt.body) {
				t.Errorf("answer = %d %q, want %d with %q", status, body, tt.status, tt.body)
			}
			s.mu.Lock()
			jobs := len(s.jobs)
			s.mu.Unlock()
			if jobs != tt.jobs {
				t.Errorf("jobs = %d, want %d", jobs, tt.jobs)
			}
			if status, body := post(t, address); status != 200 || !strings.Contains(body, "spn2-") {
				t.Errorf("answer after the fault = %d %q, want a job", status, body)
			}
		})
	}
}

// post submits a page; the status is 0 if no whole answer came.
func post(t *testing.T, address string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), "POST", address+"/save", strings.NewReader("url=https%3A%2F%2Fx.example%2F"))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Authorization", keys)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, ""
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, ""
	}
	return resp.StatusCode, string(b)
}

func TestHeal(t *testing.T) {
	s := New(Config{})
	s.Inject(Fault{Kind: HTML, Times: -1})
	if m := save(s, "https://x.example/"); m != nil {
		t.Errorf("submit = %v, want HTML", m)
	}
	s.Heal()
	if m := save(s, "https://x.example/"); m["job_id"] == nil {
		t.Errorf("submit after Heal = %v, want a job", m)
	}
}
