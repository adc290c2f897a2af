package waybacktest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestReadLimits: each limit of the read side is counted at its first breach,
// not before, in the time of the service, and enforced if wanted.
func TestReadLimits(t *testing.T) {
	tests := []struct {
		name   string
		cfg    Config
		target string
		good   int
	}{
		{"index-per-minute", Config{}, "/cdx/search/cdx?url=x.example", 30},
		{"index-per-minute", Config{IndexPerMinute: 3, TimeScale: 50}, "/cdx/search/cdx?url=x.example", 3},
		{"replay-per-minute", Config{}, raw("20200101000000", terms), 600},
		{"replay-per-minute", Config{ReplayPerMinute: 5, Enforce: true}, "/web/" + terms, 5},
		{"status-per-minute", Config{}, "/wayback/available?url=x.example", 60},
		{"status-per-minute", Config{StatusLimit: 2}, "/web/timemap/link/" + terms, 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := New(tt.cfg)
				s.AddCapture(Capture{URL: terms, Timestamp: "20200101000000"})
				pause := s.scaled(time.Minute) / time.Duration(tt.good)
				for range 2 * tt.good { // two minutes at the limit
					get(s, "GET", tt.target)
					time.Sleep(pause)
				}
				if b := s.Breaches(); len(b) != 0 {
					t.Errorf("breaches at the limit = %v, want none", b)
				}
				time.Sleep(s.scaled(time.Minute))
				for range tt.good {
					get(s, "GET", tt.target)
				}
				time.Sleep(s.scaled(time.Minute) - 1)
				resp := get(s, "GET", tt.target)
				if diff := cmp.Diff(map[string]int{tt.name: 1}, s.Breaches()); diff != "" {
					t.Errorf("breaches beyond the limit (-want +got):\n%s", diff)
				}
				if (resp.StatusCode == 429) != tt.cfg.Enforce {
					t.Errorf("answer beyond the limit = %d, enforced: %v", resp.StatusCode, tt.cfg.Enforce)
				}
			})
		})
	}
}

// TestParallelReplays: the fifth at the same time is the first breach.
func TestParallelReplays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(Config{})
		s.AddCapture(Capture{URL: terms, Timestamp: "20200101000000"})
		s.Inject(Fault{Kind: Slow, On: "replay", Delay: time.Second, Times: -1})
		for _, n := range []int{4, 5} {
			var wg sync.WaitGroup
			for range n {
				wg.Go(func() { get(s, "GET", raw("20200101000000", terms)) })
			}
			wg.Wait()
			if got := s.Breaches()["parallel-replays"]; got != n-4 {
				t.Errorf("breaches of %d replays at the same time = %d, want %d", n, got, n-4)
			}
		}
	})
}

func TestMovingLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(Config{Enforce: true})
		s.SetLimits(Limits{Slots: 1, PerDay: 2, DailyStatus: 50, IndexPerMinute: -1})
		save(s, "https://x.example/1")
		if m := save(s, "https://x.example/2"); m["job_id"] != nil {
			t.Errorf("submit beyond the moved slots = %v", m)
		}
		if resp := get(s, "GET", "/cdx/search/cdx?url=x"); resp.StatusCode != 429 {
			t.Errorf("index query with none allowed: %d", resp.StatusCode)
		}
		_, user := ask(s, "GET", "/save/status/user", nil, keys)
		want := map[string]any{"available": 0.0, "processing": 1.0, "daily_captures": 1.0, "daily_captures_limit": 2.0, "daily_status_limit": 50.0}
		if diff := cmp.Diff(want, user); diff != "" {
			t.Errorf("user status (-want +got):\n%s", diff)
		}
		if got := s.Limits(); got.Slots != 1 || got.PerMinute != 7 || got.IndexPerMinute != 0 {
			t.Errorf("Limits = %+v", got)
		}
	})
}

// TestDays: the day of the limits is that of the TimeScale.
func TestDays(t *testing.T) {
	for _, scale := range []float64{1, 600} {
		synctest.Test(t, func(t *testing.T) {
			s := New(Config{TimeScale: scale, PerDay: 1, PerMinute: 99})
			for i := range 3 {
				save(s, fmt.Sprintf("https://x.example/%d", i))
				time.Sleep(s.scaled(24 * time.Hour))
			}
			if b := s.Breaches(); len(b) != 0 {
				t.Errorf("breaches of one a day at scale %v = %v", scale, b)
			}
			save(s, "https://x.example/a")
			save(s, "https://x.example/b")
			if b := s.Breaches()["per-day"]; b != 1 {
				t.Errorf("breaches of two a day at scale %v = %d", scale, b)
			}
		})
	}
}

// TestRules: what is no rate.
func TestRules(t *testing.T) {
	target := raw("20200101000000", terms)
	tests := []struct {
		name string
		good func(s *Server)
		bad  func(s *Server)
	}{
		{"keys-to-reads", func(s *Server) { get(s, "GET", target); ask(s, "GET", "/save/status/system", nil, keys) },
			func(s *Server) { get(s, "GET", target, "Authorization: "+keys) }},
		{"keys", func(s *Server) { ask(s, "GET", "/save/status/user", nil, keys) }, func(s *Server) { ask(s, "GET", "/save/status/user", nil, "") }},
		{"user-agent", func(s *Server) { get(s, "GET", target) }, func(s *Server) { get(s, "GET", target, "User-Agent: ") }},
		{"user-agent", func(s *Server) {}, func(s *Server) { get(s, "GET", target, "User-Agent: Go-http-client/1.1") }},
		{"redirect-followed", func(s *Server) {
			get(s, "GET", "/web/2021id_/"+terms)
			time.Sleep(time.Second) // a paced client, for another reason
			get(s, "GET", target)
		}, func(s *Server) { get(s, "GET", "/web/2021id_/"+terms); get(s, "GET", target) }},
		{"redirect-followed", func(s *Server) {}, func(s *Server) {
			get(s, "GET", "/web/2021id_/"+terms)
			time.Sleep(time.Second)
			get(s, "GET", target, "Referer: http://web.test/web/2021id_/"+terms)
		}},
		{"retry-after", func(s *Server) {
			s.Inject(Fault{Kind: TooMany, On: "index", RetryAfter: time.Minute})
			query429(s)
			query429(s) // on its way already
			time.Sleep(30 * time.Second)
			get(s, "GET", target)
			time.Sleep(31 * time.Second)
			query429(s)
		}, func(s *Server) {
			s.Inject(Fault{Kind: HTTPStatus, Status: 503, On: "index", RetryAfter: time.Minute})
			query429(s)
			time.Sleep(59 * time.Second)
			query429(s)
		}},
		{"polling", func(s *Server) { poll(s, maxLatePolls) }, func(s *Server) { poll(s, maxLatePolls+1) }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := New(Config{})
				s.AddCapture(Capture{URL: terms, Timestamp: "20200101000000"})
				tt.good(s)
				if b := s.Breaches(); len(b) != 0 {
					t.Errorf("breaches of what is allowed = %v", b)
				}
				time.Sleep(time.Hour)
				tt.bad(s)
				if diff := cmp.Diff(map[string]int{tt.name: 1}, s.Breaches()); diff != "" {
					t.Errorf("breaches (-want +got):\n%s", diff)
				}
			})
		})
	}
}

func query429(s *Server) { get(s, "GET", "/cdx/search/cdx?url=x") }

// poll asks n times for a job whose window has ended.
func poll(s *Server, n int) {
	id, _ := save(s, fmt.Sprintf("https://x.example/%d", n))["job_id"].(string)
	time.Sleep(2 * time.Hour)
	for range n {
		ask(s, "GET", "/save/status/"+id, nil, keys)
	}
}

// TestRefuseAfter: after too many requests, none is answered for five minutes,
// and who tries on is counted.
func TestRefuseAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(Config{RefuseAfter: 10})
		try := func() (ok bool) {
			if s.Refusing() { // as a dialer asks
				return false
			}
			defer func() {
				if err, _ := recover().(error); err != nil && !errors.Is(err, http.ErrAbortHandler) {
					panic(err)
				}
			}()
			get(s, "GET", "/web/"+terms)
			return true
		}
		for range 10 {
			try()
		}
		if b := s.Breaches(); len(b) != 0 || s.Refusing() {
			t.Errorf("breaches at the limit = %v", b)
		}
		try()
		for range 2 {
			try()
		}
		if try() || s.Breaches()["refused"] != 0 || s.Breaches()["all-per-minute"] != 1 {
			t.Errorf("breaches beyond the limit = %v, want connections refused", s.Breaches())
		}
		time.Sleep(4 * time.Minute)
		if try() || s.Breaches()["refused"] != 1 {
			t.Errorf("breaches of one who tries on = %v", s.Breaches())
		}
		time.Sleep(time.Minute)
		if !try() || s.Refusing() {
			t.Error("refused after five minutes")
		}
		s.Refuse(5 * time.Minute)
		s.Refusing()
		time.Sleep(time.Minute)
		if s.Refusing(); s.Breaches()["refused"] != 1 {
			t.Errorf("breaches of one who tries again a minute later = %v", s.Breaches())
		}
		time.Sleep(time.Second)
		if s.Refusing(); s.Breaches()["refused"] != 2 {
			t.Errorf("breaches of one who tries again later than that = %v", s.Breaches())
		}
	})
}

// TestRefuseAnswers: a connection that is open is cut, which breaks no rule.
func TestRefuseAnswers(t *testing.T) {
	s := New(Config{})
	s.Refuse(time.Minute)
	defer func() {
		if got := recover(); got != http.ErrAbortHandler || len(s.Breaches()) != 0 || len(s.Requests()) != 0 {
			t.Errorf("request while refused: %v, breaches %v", got, s.Breaches())
		}
	}()
	get(s, "GET", "/web/"+terms)
}

// TestRefusePort: a stand-in with a port of its own closes it and opens it again.
func TestRefusePort(t *testing.T) {
	t.Parallel()
	s, base := Start(t, Config{TimeScale: 1000}) // 5 minutes: 300 ms
	do := func() error {
		req, err := http.NewRequestWithContext(t.Context(), "GET", base+"/save/status/system", nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return err
		}
		return resp.Body.Close()
	}
	if err := do(); err != nil {
		t.Fatal(err)
	}
	s.Inject(Fault{Kind: Refused})
	if err := do(); err == nil {
		t.Error("the request that met the fault was answered")
	}
	if err := do(); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("request while refused: %v, want a refused connection", err)
	}
	deadline, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for do() != nil {
		if deadline.Err() != nil {
			t.Fatal("the port did not open again")
		}
	}
	if _, err := net.Dial("tcp", strings.TrimPrefix(base, "http://")); err != nil {
		t.Error(err)
	}
}

// TestManyJobs: equal pages are kept once, jobs that have ended are not looked
// at again.
func TestManyJobs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		page := []byte(words(strings.Repeat("the same words ", 20)))
		s := New(Config{Fetch: func(string) (int, []byte) { return 200, page }})
		began := 0
		for i := range 2000 {
			id, _ := save(s, fmt.Sprintf("https://x.example/%d", i))["job_id"].(string)
			time.Sleep(30 * time.Second)
			if _, m := ask(s, "GET", "/save/status/"+id, nil, keys); m["status"] == "success" {
				began++
			}
		}
		if began != 2000 || len(s.Captures()) != 2000 || len(s.bodies) != 1 || len(s.open) != 0 {
			t.Errorf("%d jobs, %d captures, %d bodies, %d open; want 2000, 2000, 1, 0", began, len(s.Captures()), len(s.bodies), len(s.open))
		}
	})
}

// TestConcurrent: all methods at the same time; for the race detector.
func TestConcurrent(t *testing.T) {
	t.Parallel()
	s := New(Config{TimeScale: 1e6, FetchPage: origin})
	s.Mix(1, 0.3, Fault{Kind: HTML}, Fault{Kind: Missing}, Fault{Kind: AlteredWords}, Fault{Kind: TooMany, RetryAfter: time.Second})
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for j := range 50 {
				address := fmt.Sprintf("https://x.example/%d/%d", i, j%10)
				ask(s, "POST", "/save", url.Values{"url": {address}}, keys)
				for _, target := range []string{"/cdx/search/cdx?matchType=host&url=x.example", "/web/2020id_/" + address, "/save/status/user"} {
					s.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", target, nil))
				}
				s.AddCapture(Capture{URL: address, Timestamp: "20200101000000"})
				s.Spoil(address, "", Fault{Kind: AlteredBytes})
				s.SetLimits(Limits{Slots: 3 + j})
				s.SetClock(time.Duration(j) * time.Hour)
				s.Captures()
				s.Breaches()
				s.Requests()
				s.Met()
			}
		})
	}
	wg.Wait()
}
