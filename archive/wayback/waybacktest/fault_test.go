package waybacktest

import (
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// fetched is an answer as a client sees it; status 0 if none came, cut if it
// ended early.
type fetched struct {
	status int
	cut    bool
	header http.Header
	body   string
}

func fetch(t *testing.T, address string) fetched {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), "GET", address, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("User-Agent", "test")
	c := http.Client{Transport: &http.Transport{DisableCompression: true, DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := c.Do(req)
	if err != nil {
		return fetched{}
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return fetched{resp.StatusCode, err != nil, resp.Header, string(b)}
}

// TestReadFaults looks at each fault of the read side from outside, over a
// socket: once, and gone at the next request.
func TestReadFaults(t *testing.T) {
	const ts = "20200101000000"
	index, replay := "/cdx/search/cdx?url="+terms, raw(ts, terms)
	good := words("version 0")
	header := func(name, want string) func(fetched) bool {
		return func(f fetched) bool { return f.header.Get(name) == want }
	}
	tests := []struct {
		fault  Fault
		target string
		status int
		body   string // contained
		also   func(fetched) bool
	}{
		{Fault{Kind: TooMany}, index, 429, "Too many", header("Retry-After", "")},
		{Fault{Kind: TooMany, RetryAfter: 90 * time.Second}, replay, 429, "", header("Retry-After", "90")},
		{Fault{Kind: HTTPStatus}, index, 520, "<h1>", header("Content-Type", "text/html; charset=utf-8")},
		{Fault{Kind: HTTPStatus, Status: 503, RetryAfter: time.Minute}, replay, 503, "<h1>", header("Retry-After", "60")},
		{Fault{Kind: StatusAfter, Status: 502}, replay, 502, "<h1>", header("Memento-Datetime", "")},
		{Fault{Kind: HTML}, index, 200, "Temporarily Offline", header("Content-Type", "text/html; charset=utf-8")},
		{Fault{Kind: HTML}, replay, 200, "Temporarily Offline", header("Memento-Datetime", "")},
		{Fault{Kind: Body, Body: "[["}, index, 200, "[[", nil},
		{Fault{Kind: Reset}, index, 0, "", nil},
		{Fault{Kind: Lost}, replay, 0, "", nil},
		{Fault{Kind: Truncated}, index, 200, "example,x)/terms", func(f fetched) bool { return f.cut }},
		{Fault{Kind: Truncated}, replay, 200, "<html>", func(f fetched) bool { return f.cut && f.body != good }},
		{Fault{Kind: Truncated}, "/cdx/search/cdx?url=y.example", 0, "", nil},
		{Fault{Kind: Slow, Delay: time.Second}, replay, 200, good, nil},
		{Fault{Kind: Dripping, Delay: time.Second}, replay, 200, good, func(f fetched) bool { return !f.cut }},
		{Fault{Kind: WrongClock, Delay: 5 * time.Hour}, replay, 200, good, func(f fetched) bool {
			date, err := http.ParseTime(f.header.Get("Date"))
			return err == nil && time.Until(date) > 4*time.Hour && time.Until(date) < 6*time.Hour
		}},
		{Fault{Kind: Missing}, index, 200, "", func(f fetched) bool { return f.body == "" }},
		{Fault{Kind: Missing}, replay, 404, "not archived", nil},
		{Fault{Kind: Missing}, "/web/timemap/link/" + terms, 404, "", nil},
		{Fault{Kind: Missing}, "/web/" + terms, 404, "", nil},
		{Fault{Kind: Missing}, "/wayback/available?url=x.example/terms", 200, `"archived_snapshots":{}`, nil},
		{Fault{Kind: AccessControl}, index, 403, "AdministrativeAccessControlException: Blocked Site Error", nil},
		{Fault{Kind: AccessControl, Status: 200}, index, 200, "RuntimeIOException", nil},
		{Fault{Kind: AccessControl}, replay, 403, "Blocked", header("X-Archive-Wayback-Runtime-Error", "AdministrativeAccessControlException: Blocked Site Error")},
		{Fault{Kind: Redirected}, replay, 302, "", func(f fetched) bool { return strings.HasSuffix(f.header.Get("Location"), raw("20200101120000", terms)) }},
		{Fault{Kind: Redirected, Location: "https://other.test/"}, replay, 302, "", header("Location", "https://other.test/")},
		{Fault{Kind: WrongMemento}, replay, 200, good, header("Memento-Datetime", "Mon, 30 Dec 2019 22:00:00 GMT")},
		{Fault{Kind: AlteredBytes}, replay, 200, "<html>", func(f fetched) bool { return f.body != good && len(f.body) == len(good) }},
		{Fault{Kind: UnknownFields}, "/wayback/available?url=x.example/terms", 200, "zz_new", nil},
	}
	for _, tt := range tests {
		t.Run(string(tt.fault.Kind)+" "+tt.target, func(t *testing.T) {
			t.Parallel()
			s, base := Start(t, Config{TimeScale: 1000})
			s.AddCapture(Capture{URL: terms, Timestamp: ts, Body: []byte(good)})
			history(s, 3, 3)
			before := fetch(t, base+tt.target)
			s.Inject(tt.fault)
			got := fetch(t, base+tt.target)
			if got.status != tt.status || !strings.Contains(got.body, tt.body) || tt.also != nil && !tt.also(got) {
				t.Errorf("answer = %+v, want %d with %q", got, tt.status, tt.body)
			}
			after := fetch(t, base+tt.target)
			before.header.Del("Date")
			after.header.Del("Date")
			if diff := cmp.Diff(before, after, cmp.AllowUnexported(fetched{})); diff != "" {
				t.Errorf("the answer after the fault is not that before it:\n%s", diff)
			}
			if diff := cmp.Diff(map[Kind]int{tt.fault.Kind: 1}, s.Met()); diff != "" {
				t.Errorf("Met (-want +got):\n%s", diff)
			}
		})
	}
}

// seen is what can be learnt of a job and its capture from outside.
type seen struct {
	Status  string // of the job
	Indexed bool
	Replay  int    // status of the raw replay
	Same    bool   // the replay has the origin's bytes
	Bound   bool   // it has the digest of the index
	Words   string // its paragraphs
}

// TestCaptureFaults looks at each fault of a job and its capture from outside,
// soon and a day later.
func TestCaptureFaults(t *testing.T) {
	good := words("The words.")
	fine := seen{"success", true, 200, true, true, "The words. End."}
	is := func(change func(*seen)) seen {
		v := fine
		change(&v)
		return v
	}
	nowhere := func(v *seen) { v.Indexed, v.Replay, v.Same, v.Bound, v.Words = false, 404, false, false, "" }
	ended := func(status string) seen { return is(func(v *seen) { nowhere(v); v.Status = status }) }
	gone := is(nowhere)
	unindexed := is(func(v *seen) { v.Indexed, v.Bound = false, false })
	tests := []struct {
		fault       Fault
		soon, later seen
	}{
		{Fault{}, fine, fine},
		{Fault{Kind: Forgotten}, is(func(v *seen) { v.Status = "pending" }), is(func(v *seen) { v.Status = "pending" })},
		{Fault{Kind: Stuck}, ended("pending"), ended("pending")},
		{Fault{Kind: JobError, Code: "error:celery"}, ended("error:celery"), ended("error:celery")},
		{Fault{Kind: JobErrorCaptured, Code: "error:new"}, is(func(v *seen) { v.Status = "error:new" }), is(func(v *seen) { v.Status = "error:new" })},
		{Fault{Kind: NotIndexed}, unindexed, unindexed},
		{Fault{Kind: NotIndexed, Delay: 10 * time.Hour}, unindexed, fine},
		{Fault{Kind: NotKept}, gone, gone},
		{Fault{Kind: Vanished}, fine, gone},
		{Fault{Kind: AlteredBytes}, is(func(v *seen) { v.Same, v.Bound, v.Words = false, false, "?" }), is(func(v *seen) { v.Same, v.Bound, v.Words = false, false, "?" })},
		{Fault{Kind: AlteredWords}, is(func(v *seen) {
			v.Same, v.Words = false, "The words. Other words stand here: we may change these terms at any time and without telling you. End."
		}),
			is(func(v *seen) {
				v.Same, v.Words = false, "The words. Other words stand here: we may change these terms at any time and without telling you. End."
			})},
		{Fault{Kind: AlteredWords, Body: words("New.")}, is(func(v *seen) { v.Same, v.Words = false, "New. End." }), is(func(v *seen) { v.Same, v.Words = false, "New. End." })},
		{Fault{Kind: AlteredNonce}, is(func(v *seen) { v.Same = false }), is(func(v *seen) { v.Same = false })},
		{Fault{Kind: BlockPage}, is(func(v *seen) {
			v.Same, v.Words = false, "Please enable JavaScript and cookies to continue. Verify that you are human."
		}),
			is(func(v *seen) {
				v.Same, v.Words = false, "Please enable JavaScript and cookies to continue. Verify that you are human."
			})},
		{Fault{Kind: OddDigest}, is(func(v *seen) { v.Bound = false }), is(func(v *seen) { v.Bound = false })},
		{Fault{Kind: WrongTime, Delay: -3 * time.Hour}, fine, fine},
	}
	for _, gzipped := range []bool{false, true} {
		for _, tt := range tests {
			synctest.Test(t, func(t *testing.T) {
				page := Page{Body: []byte(good), Header: http.Header{}}
				if gzipped {
					page = Page{Body: zip(page.Body), Header: http.Header{"Content-Encoding": {"gzip"}, "Content-Length": {"1"}}}
				}
				s := New(Config{FetchPage: func(string) Page { return page }})
				if tt.fault.Kind != "" {
					s.Inject(tt.fault)
				}
				id, _ := save(s, terms)["job_id"].(string)
				time.Sleep(2 * time.Minute)
				_, job := ask(s, "GET", "/save/status/"+id, nil, keys)
				for _, when := range []struct {
					name string
					want seen
				}{{"soon", tt.soon}, {"a day later", tt.later}} {
					if diff := cmp.Diff(when.want, look(t, s, job, page)); diff != "" {
						t.Errorf("%s %s, gzip %v (-want +got):\n%s", tt.fault.Kind, when.name, gzipped, diff)
					}
					time.Sleep(24 * time.Hour)
				}
			})
		}
	}
}

// look asks what can be seen of a job's capture.
func look(t *testing.T, s *Server, job map[string]any, page Page) seen {
	t.Helper()
	var v seen
	if v.Status, _ = job["status"].(string); v.Status == "error" {
		v.Status, _ = job["status_ext"].(string)
	}
	ts, _ := job["timestamp"].(string)
	if list := s.Captures(); ts == "" && len(list) > 0 {
		ts = list[0].Timestamp
	}
	digestInIndex := strings.TrimSpace(query(t, s, terms, "fl=digest", "from="+ts, "to="+ts))
	v.Indexed = digestInIndex != ""
	resp := get(s, "GET", raw(ts+"20000101000000"[len(ts):], terms))
	v.Replay = resp.StatusCode
	if v.Replay != 200 {
		return v
	}
	body := bodyOf(t, resp)
	v.Same, v.Bound = body == string(page.Body), digest([]byte(body)) == digestInIndex
	if resp.Header.Get("Content-Encoding") == "gzip" {
		body = string(unzip([]byte(body)))
	}
	var paragraphs []string
	for part := range strings.SplitSeq(body, "<p>") {
		if text, _, ok := strings.Cut(part, "</p>"); ok {
			paragraphs = append(paragraphs, text)
		}
	}
	v.Words = strings.Join(paragraphs, " ")
	if !v.Same && !v.Bound {
		v.Words = "?" // whatever was left of it
	}
	return v
}

// TestJobFaults: what only the job's answer shows.
func TestJobFaults(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(Config{FetchPage: origin})
		run := func(f Fault) map[string]any {
			t.Helper()
			time.Sleep(2 * time.Hour)
			s.Inject(f)
			id, _ := save(s, terms)["job_id"].(string)
			time.Sleep(2 * time.Minute)
			_, m := ask(s, "GET", "/save/status/"+id, nil, keys)
			return m
		}
		if m := run(Fault{Kind: PartialSuccess}); m["original_url"] != "/terms" {
			t.Errorf("partial success = %v", m)
		}
		if m := run(Fault{Kind: OtherURL, Location: "https://z.example/"}); m["original_url"] != "https://z.example/" || !strings.Contains(query(t, s, "z.example"), " 200 ") {
			t.Errorf("other URL = %v", m)
		}
		if m := run(Fault{Kind: WrongTime, Delay: 3 * time.Hour}); m["timestamp"] != stamp(time.Now().Add(3*time.Hour-100*time.Second)) {
			t.Errorf("wrong time = %v", m)
		}
		if m := run(Fault{Kind: UnknownFields, On: "status"}); m["zz_new"] == nil || m["status"] != "success" {
			t.Errorf("unknown fields = %v", m)
		}
		if m := run(Fault{Kind: Forgotten, On: "status"}); m["status"] != "pending" {
			t.Errorf("forgotten once = %v", m)
		}
		s.SetClock(-time.Hour)
		time.Sleep(2 * time.Hour)
		if m := run(Fault{Kind: UnknownFields, On: "status"}); m["timestamp"] != stamp(time.Now().Add(-time.Hour-100*time.Second)) {
			t.Errorf("status of a service whose clock is an hour late = %v", m)
		}
	})
}

// TestSpoil damages a history that exists.
func TestSpoil(t *testing.T) {
	s := New(Config{})
	history(s, 6, 3)
	stamps := strings.Fields(query(t, s, terms, "fl=timestamp"))
	at := func(i int) string { return bodyOf(t, get(s, "GET", raw(stamps[i], terms))) }
	before := at(2)
	for i, f := range []Fault{{Kind: Vanished}, {Kind: AlteredBytes}, {Kind: AlteredWords}, {Kind: NotIndexed}} {
		if n := s.Spoil(terms, stamps[i], f); n != 1 {
			t.Errorf("Spoil %s = %d captures, want 1", f.Kind, n)
		}
	}
	if got := strings.Fields(query(t, s, terms, "fl=timestamp")); !slices.Equal(got, []string{stamps[1], stamps[2], stamps[4], stamps[5]}) {
		t.Errorf("rows = %v", got)
	}
	if digest([]byte(at(1))) == digestAt(t, s, stamps[1]) || digest([]byte(at(2))) != digestAt(t, s, stamps[2]) || at(2) == before {
		t.Error("altered bytes must miss the index' digest, altered words have one of their own")
	}
	s.AddCapture(Capture{URL: "https://x.example/long", Timestamp: "20200101000000", Body: []byte("1"), Header: http.Header{"Content-Length": {"1"}}})
	s.Spoil("https://x.example/long", "", Fault{Kind: AlteredWords, Body: "123"})
	if resp := get(s, "GET", raw("20200101000000", "https://x.example/long")); resp.Header.Get("X-Archive-Orig-Content-Length") != "3" {
		t.Errorf("headers of altered words = %v", resp.Header)
	}
	if n := s.Spoil(terms, "", Fault{Kind: NotKept}); n != 6 || query(t, s, terms) != "" {
		t.Errorf("Spoil of all = %d", n)
	}
	if n := s.Spoil("https://y.example/", "", Fault{Kind: NotKept}); n != 0 {
		t.Errorf("Spoil of none = %d", n)
	}
}

func digestAt(t *testing.T, s *Server, ts string) string {
	return strings.TrimSpace(query(t, s, terms, "fl=digest", "from="+ts, "to="+ts))
}

// TestInjectFits: a fault waits for a request that it can concern.
func TestInjectFits(t *testing.T) {
	s := New(Config{})
	s.AddCapture(Capture{URL: terms, Timestamp: "20200101000000"})
	s.Inject(Fault{Kind: JobError, Code: "error:x"})
	s.Inject(Fault{Kind: Missing, On: "read", URL: terms})
	s.Inject(Fault{Kind: HTML, On: "replay", URL: "https://y.example/"})
	for _, target := range []string{"/save/status/system", "/cdx/search/cdx?url=https://y.example/", "/web/2020id_/https://z.example/"} {
		get(s, "GET", target)
	}
	if m := s.Met(); len(m) != 0 {
		t.Errorf("met = %v, want none yet", m)
	}
	query(t, s, terms)
	save(s, terms)
	get(s, "GET", "/web/2020id_/https://y.example/")
	if diff := cmp.Diff(map[Kind]int{JobError: 1, Missing: 1, HTML: 1}, s.Met()); diff != "" {
		t.Errorf("Met (-want +got):\n%s", diff)
	}
	kinds := map[Kind]bool{}
	for _, r := range s.Requests() {
		kinds[r.Fault] = true
	}
	if !kinds[JobError] || !kinds[Missing] || !kinds[HTML] || !kinds[""] {
		t.Errorf("faults of the requests = %v", slices.Collect(maps.Keys(kinds)))
	}
}

// TestMix: about as many faults as asked for, the same with the same seed, all
// kinds of the table, none after Heal.
func TestMix(t *testing.T) {
	run := func(seed uint64, rate float64) (kinds []Kind, s *Server) {
		s = New(Config{TimeScale: 1e9})
		s.Mix(seed, rate)
		for range 400 {
			for _, op := range []string{opSubmit, opStatus, opUser, opIndex, opReplay} {
				s.mu.Lock()
				kinds = append(kinds, s.fault(&call{op: op}).Kind)
				s.mu.Unlock()
			}
		}
		return kinds, s
	}
	first, s := run(1, 0.25)
	again, _ := run(1, 0.25)
	other, _ := run(2, 0.25)
	if !slices.Equal(first, again) || slices.Equal(first, other) {
		t.Error("the series is not that of its seed")
	}
	met := 0
	for _, n := range s.Met() {
		met += n
	}
	if met < 400 || met > 600 {
		t.Errorf("%d of 2000 requests met a fault, want about 500", met)
	}
	for _, f := range PassingFaults() {
		if s.Met()[f.Kind] == 0 {
			t.Errorf("%s was never met", f.Kind)
		}
	}
	if s.Heal(); s.fault(&call{op: opIndex}).Kind != "" {
		t.Error("a fault after Heal")
	}
	for _, rate := range []float64{0, 1} {
		kinds, _ := run(1, rate)
		if n := len(slices.DeleteFunc(kinds, func(k Kind) bool { return k == "" })); float64(n) != 2000*rate {
			t.Errorf("%d of 2000 requests met a fault at rate %v", n, rate)
		}
	}
}
