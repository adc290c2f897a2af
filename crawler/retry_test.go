package crawler

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/fineprint-archive/fineprint/warc"
)

func TestRetryDelay(t *testing.T) {
	failed := func(c Code, status int) warc.Manifest {
		transient := transientCode(c)
		if e := ClassifyStatus(status, nil, time.Time{}); c == CodeHTTPStatus && e != nil {
			transient = e.Transient
		}
		return warc.Manifest{Result: warc.Failed, Error: string(c), Status: status, Transient: transient}
	}
	const base = 10 * time.Second
	for _, tc := range []struct {
		name    string
		m       warc.Manifest
		attempt int
		pause   time.Duration
		random  float64
		want    time.Duration
		ok      bool
	}{
		{"first", failed(CodeConnect, 0), 1, 0, 0, base, true},
		{"second", failed(CodeConnect, 0), 2, 0, 0, 4 * base, true},
		{"jitter", failed(CodeConnect, 0), 2, 0, 1, 5 * base, true},
		{"third was the last", failed(CodeConnect, 0), 3, 0, 0, 0, false},
		{"captured", warc.Manifest{Result: warc.Captured}, 1, 0, 0, 0, false},
		{"not modified", warc.Manifest{Result: warc.NotModified}, 1, 0, 0, 0, false},
		{"404", failed(CodeHTTPStatus, 404), 1, 0, 0, 0, false},
		{"500", failed(CodeHTTPStatus, 500), 1, 0, 0, base, true},
		{"501", failed(CodeHTTPStatus, 501), 1, 0, 0, 0, false},
		{"408", failed(CodeHTTPStatus, 408), 1, 0, 0, base, true},
		{"304 unasked", failed(CodeHTTPStatus, 304), 1, 0, 0, 0, false},
		{"robots", failed(CodeRobots, 0), 1, 0, 0, 0, false},
		{"robots unreachable", failed(CodeRobotsUnreachable, 0), 1, 0, 0, base, true},
		{"too large", failed(CodeTooLarge, 200), 1, 0, 0, 0, false},
		{"rate limited", failed(CodeRateLimited, 429), 1, time.Hour, 0, time.Hour, true},
		{"short pause", failed(CodeRateLimited, 429), 1, time.Second, 0, base, true},
		{"absurd pause", failed(CodeRateLimited, 429), 1, 1000 * time.Hour, 0, maxPause, true},
		{"past pause", failed(CodeRateLimited, 429), 1, -time.Hour, 0, base, true},
		{"name that does not exist", warc.Manifest{Result: warc.Failed, Error: string(CodeDNS)}, 1, 0, 0, 0, false},
		{"attempt zero", failed(CodeConnect, 0), 0, 0, 0, 0, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, ok := retryDelay(&tc.m, tc.attempt, base, tc.pause, tc.random)
			if got != tc.want || ok != tc.ok {
				t.Errorf("retryDelay = %s, %v; want %s, %v", got, ok, tc.want, tc.ok)
			}
		})
	}
}

func FuzzRetryAfter(f *testing.F) {
	f.Add("120")
	f.Add("Thu, 17 Oct 2024 00:00:00 GMT")
	f.Add("-1")
	f.Add("99999999999999999999")
	f.Fuzz(func(t *testing.T, value string) {
		now := time.Date(2024, 10, 17, 0, 0, 0, 0, time.UTC)
		until := pauseAfter(http.StatusTooManyRequests, http.Header{"Retry-After": {value}}, now)
		if !until.IsZero() && (!until.After(now) || until.After(now.Add(maxPause))) {
			t.Errorf("Retry-After %q: pause until %s, counted from %s", value, until, now)
		}
		if d := RetryAfter(http.Header{"Retry-After": {value}}, now); d > 0 == until.IsZero() {
			t.Errorf("Retry-After %q is %s, but the pause ends at %s", value, d, until)
		}
		if other := pauseAfter(http.StatusOK, http.Header{"Retry-After": {value}}, now); !other.IsZero() {
			t.Errorf("a pause after status 200: %s", other)
		}
	})
}

func TestRateLimited(t *testing.T) {
	for _, tc := range []struct {
		status int
		header string
		code   Code
		paused bool
	}{
		{429, "600", CodeRateLimited, true},
		{429, time.Now().Add(time.Hour).UTC().Format(http.TimeFormat), CodeRateLimited, true},
		{503, "600", CodeRateLimited, true},
		{429, "", CodeRateLimited, false},
		{503, "", CodeHTTPStatus, false},
		{500, "600", CodeHTTPStatus, false},
		{200, "600", "", false},
	} {
		t.Run(fmt.Sprint(tc.status, tc.header), func(t *testing.T) {
			body := "come back later"
			s := serve(t, map[string]http.HandlerFunc{"/": func(w http.ResponseWriter, _ *http.Request) {
				if tc.header != "" {
					w.Header().Set("Retry-After", tc.header)
				}
				w.WriteHeader(tc.status)
				io.WriteString(w, body)
			}})
			c := crawlerFor(t, Config{})
			m := visit(t, c, &memorySink{}, source(s.URL+"/"), Ask{})
			wantError(t, m, tc.code)
			if m.Payload == nil || m.Payload.SHA256 != warc.SumSHA256([]byte(body)) {
				t.Errorf("payload = %+v", m.Payload)
			}
			if paused := !c.NextAllowed(s.URL).IsZero(); paused != tc.paused {
				t.Errorf("NextAllowed = %s, want a pause: %v", c.NextAllowed(s.URL), tc.paused)
			}
			if !tc.paused {
				return
			}
			if d, ok := c.RetryDelay(&m, 1); !ok || d < 9*time.Minute {
				t.Errorf("RetryDelay = %s, %v; want the host's wish", d, ok)
			}
			// The next look does not wait for it and sends nothing.
			begin := time.Now()
			m = visit(t, c, &memorySink{}, source(s.URL+"/again"), Ask{})
			wantError(t, m, CodeRateLimited)
			if len(m.Exchanges) != 0 || time.Since(begin) > time.Minute {
				t.Errorf("look during the pause: %+v", m)
			}
		})
	}
}

// hostLog is what a host saw.
type hostLog struct {
	mu       sync.Mutex
	starts   []time.Time
	inFlight int
	most     int
}

func (l *hostLog) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	l.mu.Lock()
	l.starts = append(l.starts, time.Now())
	l.inFlight++
	l.most = max(l.most, l.inFlight)
	l.mu.Unlock()
	defer func() {
		l.mu.Lock()
		l.inFlight--
		l.mu.Unlock()
	}()
	if r.URL.Path == "/robots.txt" {
		http.NotFound(w, r)
		return
	}
	time.Sleep(5 * time.Millisecond) // so that two at once would be seen
	io.WriteString(w, r.URL.Path)
}

// Eight visitors, three hosts: measured by the hosts.
func TestPolitenessAsSeenByTheHosts(t *testing.T) {
	const delay = 40 * time.Millisecond
	logs := make([]hostLog, 3)
	var urls []string
	for i := range logs {
		s := httptest.NewServer(&logs[i])
		t.Cleanup(s.Close)
		urls = append(urls, s.URL)
	}
	c := crawlerFor(t, Config{Delay: delay, Leases: &memoryLeases{}})
	var wg sync.WaitGroup
	for v := range 8 {
		wg.Go(func() {
			for i := range 6 {
				u := fmt.Sprintf("%s/%d/%d", urls[(v+i)%len(urls)], v, i)
				if m := c.Visit(t.Context(), source(u), &memorySink{}, Ask{}); m.Result != warc.Captured {
					t.Errorf("%s: %s %s", u, m.Error, m.Detail)
				}
			}
		})
	}
	wg.Wait()
	total := 0
	for i := range logs {
		l := &logs[i]
		total += len(l.starts)
		if l.most > 1 {
			t.Errorf("host %d had %d exchanges in flight", i, l.most)
		}
		// A busy machine lets a host see one request late, and then the next one
		// early; over all of them nothing is gained.
		for j := 1; j < len(l.starts); j++ {
			if d := l.starts[j].Sub(l.starts[j-1]); d < delay/2 {
				t.Errorf("host %d: request %d came %s after the one before, want %s", i, j, d, delay)
			}
		}
		n := len(l.starts) - 1
		if d, want := l.starts[n].Sub(l.starts[0]), time.Duration(n-1)*delay; d < want {
			t.Errorf("host %d: %d requests within %s, want at least %s", i, n+1, d, want)
		}
	}
	if want := 8*6 + 3; total != want {
		t.Errorf("%d requests arrived, want %d: all pages and each robots.txt", total, want)
	}
}
