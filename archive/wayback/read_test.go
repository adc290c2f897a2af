package wayback

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fineprint-archive/fineprint/warc"
)

const (
	page   = "https://example.org/terms?a=1&b=2"
	stamp  = "20260102030405"
	moment = "Fri, 02 Jan 2026 03:04:05 GMT"
)

// reader is a client without keys of a server on loopback.
func reader(t *testing.T, h http.HandlerFunc) *Client {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "" {
			t.Error("keys were sent")
		}
		h(w, r)
	}))
	t.Cleanup(srv.Close)
	c, err := New(Config{BaseURL: srv.URL, ArchiveURL: srv.URL, UserAgent: testAgent, Timeout: 2 * time.Second,
		Pacer: NewPacer(Limits{TimeScale: 1e6})})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func gzipped(t testing.TB, s string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write([]byte(s)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// want describes an outcome: a class with a code, or none.
func outcome(err error) string {
	if err == nil {
		return ""
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return strings.TrimSpace(string(e.Class) + " " + e.Code)
	}
	return err.Error()
}

func TestReplay(t *testing.T) {
	original := `<` + page + `>; rel="original", <http://x/web/timemap/link/` + page + `>; rel="timemap"`
	capture := func(status int, header ...string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Memento-Datetime", moment)
			w.Header().Set("Link", original)
			w.Header().Set("X-Archive-Src", "spn2-1.warc.gz")
			for i := 0; i < len(header); i += 2 {
				w.Header().Set(header[i], header[i+1])
			}
			w.WriteHeader(status)
			fmt.Fprint(w, "the terms")
		}
	}
	plain := func(status int, body string, header ...string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			for i := 0; i < len(header); i += 2 {
				w.Header().Set(header[i], header[i+1])
			}
			w.WriteHeader(status)
			fmt.Fprint(w, body)
		}
	}
	tests := []struct {
		name   string
		answer http.HandlerFunc
		found  int // status; 0 for not found
		other  string
		err    string
	}{
		{"found", capture(200), 200, "", ""},
		{"captured 404", capture(404), 404, "", ""},
		{"captured 403", capture(403), 403, "", ""},
		{"captured redirect", capture(302, "Location", "/web/"+stamp+"id_/https://example.org/new"), 302, "", ""},
		{"status told apart", capture(200, "X-Ts", "410"), 410, "", ""},
		{"no Link", capture(200, "Link", ""), 200, "", ""},
		{"http for https", capture(200, "Link", `<http://EXAMPLE.org:80/terms?a=1&b=2>; rel="original"`), 200, "", ""},
		{"other moment", capture(200, "Memento-Datetime", "Fri, 02 Jan 2026 03:04:06 GMT"), 0, "20260102030406", ""},
		{"other address", capture(200, "Link", `<https://www.example.org/terms>; rel="original"`), 0, stamp, ""},
		{"moment that is none", capture(200, "Memento-Datetime", "soon"), 0, "", "outage"},
		{"redirect to another", plain(302, "", "Location", "/web/20250101000000id_/"+page), 0, "20250101000000", ""},
		{"redirect with the moment", capture(302, "Location", "/web/20250101000000id_/"+page), 0, "20250101000000", ""},
		{"redirect elsewhere", plain(302, "", "Location", "https://login.example.org/"), 0, "", "outage"},
		{"absent", plain(404, "<html>not archived</html>"), 0, "", ""},
		{"excluded", plain(403, "<p>AdministrativeAccessControlException: Blocked Site Error"), 0, "", "permanent excluded"},
		{"excluded by header", plain(404, "", "X-Archive-Wayback-Runtime-Error", "RobotAccessControlException: no"), 0, "", "permanent excluded"},
		{"turned away", plain(403, "no"), 0, "", "outage forbidden"},
		{"unauthorized", plain(401, "no"), 0, "", "outage forbidden"},
		{"too many", plain(429, ""), 0, "", "slot"},
		{"520", plain(520, "<html>"), 0, "", "outage"},
		{"HTML with 200", plain(200, "<html>Temporarily Offline</html>"), 0, "", "outage"},
		{"text with 200", plain(200, "the terms"), 0, "", "outage"},
		{"truncated", capture(200, "Content-Length", "1000"), 0, "", "lost"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := reader(t, tt.answer)
			got, err := c.Replay(t.Context(), stamp, page+"#top", nil)
			if outcome(err) != tt.err || got.Found != (tt.found != 0) || got.Status != tt.found || got.Other != tt.other {
				t.Errorf("Replay = found %v, status %d, other %q, error %q; want status %d, other %q, error %q",
					got.Found, got.Status, got.Other, outcome(err), tt.found, tt.other, tt.err)
			}
			if got.Found && (string(got.Body) != "the terms" || got.Src != "spn2-1.warc.gz" || Timestamp(got.At) != stamp) {
				t.Errorf("Replay = body %q, src %q, at %v", got.Body, got.Src, got.At)
			}
		})
	}
}

// TestReplayCodings: the digest of the index fits the body as sent, or, of one that
// was compressed on the way, decoded.
func TestReplayCodings(t *testing.T) {
	stored := gzipped(t, "the terms")
	tests := []struct {
		name, coding  string
		sent          []byte
		body, left    string
		index, absent warc.Digest
	}{
		{"identity", "", []byte("the terms"), "the terms", "", warc.SumSHA1([]byte("the terms")), warc.SumSHA1(stored)},
		{"gzip", "gzip", stored, "the terms", "", warc.SumSHA1(stored), warc.SumSHA1([]byte("x"))},
		{"gzip on the way", "gzip", stored, "the terms", "", warc.SumSHA1([]byte("the terms")), warc.SumSHA1(nil)},
		{"not what the header says", "gzip", []byte("the terms"), "the terms", "gzip", warc.SumSHA1([]byte("the terms")), warc.SumSHA1(stored)},
		{"not known", "secret", []byte("the terms"), "the terms", "secret", warc.SumSHA1([]byte("the terms")), warc.SumSHA1(stored)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := http.Header{}
			if tt.coding != "" {
				h.Set("Content-Encoding", tt.coding)
			}
			a, err := NewAnswered(200, h, tt.sent)
			if err != nil {
				t.Fatal(err)
			}
			if string(a.Body) != tt.body || a.Coding != tt.left || !a.Carries(tt.index) || a.Carries(tt.absent) || a.Carries(warc.Digest{}) {
				t.Errorf("body %q, coding %q, carries %v %v; want %q, %q, true false", a.Body, a.Coding, a.Carries(tt.index), a.Carries(tt.absent), tt.body, tt.left)
			}
		})
	}
}

// TestReplayRequest: what is asked for, byte by byte, and without keys.
func TestReplayRequest(t *testing.T) {
	c := reader(t, func(w http.ResponseWriter, r *http.Request) {
		if want := "/web/" + stamp + "id_/https://example.org/a%2Fb//c?x=%C3%A4&u=http://y/"; r.RequestURI != want {
			t.Errorf("asked for %s, want %s", r.RequestURI, want)
		}
		if r.Header.Get("Accept-Encoding") != "gzip" || r.UserAgent() != testAgent {
			t.Errorf("header %v", r.Header)
		}
		w.WriteHeader(404)
	})
	if _, err := c.Replay(t.Context(), stamp, "https://example.org/a%2Fb//c?x=%C3%A4&u=http://y/#z", nil); err != nil {
		t.Error(err)
	}
}

// failing is a Recorder that always fails.
type failing struct{ err error }

func (f failing) Record(context.Context, *http.Request) (*Answered, error) { return nil, f.err }

func TestRecorderErrors(t *testing.T) {
	c := reader(t, nil)
	full := errors.New("disk full")
	_, err := c.Index(t.Context(), IndexQuery{URL: page}, failing{&KeepError{full}})
	if _, ok := errors.AsType[*Error](err); ok || !errors.Is(err, full) {
		t.Errorf("a full disk = %v, want itself and no word about the Archive", err)
	}
	if _, err = c.Replay(t.Context(), stamp, page, failing{fmt.Errorf("read: %w", ErrTooLong)}); outcome(err) != "permanent too-long" {
		t.Errorf("too long = %v", err)
	}
	if _, err = c.Replay(t.Context(), stamp, page, failing{errors.New("reset")}); outcome(err) != "lost" {
		t.Errorf("reset = %v, want lost", err)
	}
}

// TestNoKeys: reading needs no keys; everything else says so and asks nothing.
func TestNoKeys(t *testing.T) {
	c := reader(t, func(http.ResponseWriter, *http.Request) { t.Error("asked without keys") })
	_, submit := c.Submit(t.Context(), Request{URL: page})
	_, status := c.Status(t.Context(), "spn2-1")
	_, user := c.UserStatus(t.Context())
	_, batch := c.Statuses(t.Context(), []string{"spn2-1"})
	for i, err := range []error{submit, status, user, batch} {
		if !errors.Is(err, ErrNoKeys) || !strings.HasPrefix(outcome(err), "keys-refused") {
			t.Errorf("call %d = %v, want ErrNoKeys", i, err)
		}
	}
}

const columns = `["urlkey","timestamp","original","mimetype","statuscode","digest","length"]`

// row is one of the index, of a moment in January 2026.
func row(second int, original, digest string) string {
	return fmt.Sprintf(`["k","%d","%s","text/html","200","%s","99"]`, 20260101000000+second, original, digest)
}

func TestIndex(t *testing.T) {
	sha := strings.Repeat("A", 32)
	tests := []struct {
		name   string
		status int
		body   string
		rows   int
		err    string
	}{
		{"rows", 200, "[" + columns + "," + row(1, page, sha) + "]", 1, ""},
		{"none", 200, "[]", 0, ""},
		{"empty", 200, "\n", 0, ""},
		{"other columns", 200, `[["digest","x","original","timestamp"],["` + sha + `","1","` + page + `","` + stamp + `"]]`, 1, ""},
		{"a bad row", 200, "[" + columns + `,["k","2026"],["k",7,null,{}],` + row(1, page, sha) + "]", 1, ""},
		{"no columns", 200, "[" + row(1, page, sha) + "]", 0, "outage"},
		{"cut short", 200, "[" + columns + "," + row(1, page, sha), 0, "outage"},
		{"rows behind the key", 200, "[" + columns + `,[],["key"],` + row(1, page, sha) + "]", 0, "outage"},
		{"HTML with 200", 200, "<html>Temporarily Offline</html>", 0, "outage"},
		{"excluded", 403, "org.archive.wayback.exception.RobotAccessControlException: blocked", 0, "permanent excluded"},
		{"excluded with 200", 200, "org.archive.util.io.RuntimeIOException: AdministrativeAccessControlException", 0, "permanent excluded"},
		{"the words in a row", 200, "[" + columns + "," + row(1, "https://example.org/AccessControlException", sha) + "]", 1, ""},
		{"forbidden", 403, "", 0, "outage forbidden"},
		{"bad request", 400, "bad url", 0, "permanent bad-request"},
		{"too many", 429, "", 0, "slot"},
		{"503", 503, "", 0, "outage"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := reader(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Encoding", "gzip")
				w.WriteHeader(tt.status)
				w.Write(gzipped(t, tt.body))
			})
			p, err := c.Index(t.Context(), IndexQuery{URL: page, From: "2026"}, nil)
			if len(p.Rows) != tt.rows || outcome(err) != tt.err {
				t.Errorf("Index = %d rows, %q; want %d, %q", len(p.Rows), outcome(err), tt.rows, tt.err)
			}
		})
	}
}

func TestIndexRow(t *testing.T) {
	p, err := ParseIndex([]byte("[" + columns + `,
		["k","` + stamp + `","` + page + `","warc/revisit","-","` + strings.Repeat("A", 32) + `","-"],
		["k","` + stamp + `","` + page + `","text/html","200","sha-256:abc","12"],
		["k","` + stamp + `","` + page + `","text/html","404","error",7],[],["k+20260102030405%21"]]`))
	if err != nil || len(p.Rows) != 3 || p.Resume != "k 20260102030405!" || p.Last != stamp {
		t.Fatalf("ParseIndex = %+v, %v", p, err)
	}
	if r := p.Rows[0]; !r.Revisit || r.Status != 0 || r.Digest.Base32() != r.RawDigest || r.Length != 0 {
		t.Errorf("revisit row = %+v", r)
	}
	if r := p.Rows[1]; !r.Digest.IsZero() || r.RawDigest != "sha-256:abc" || r.Length != 12 {
		t.Errorf("row with another digest = %+v", r)
	}
	if r := p.Rows[2]; !r.Digest.IsZero() || r.Status != 404 || r.Length != 7 {
		t.Errorf("row with an error = %+v", r)
	}
	if r := p.Capture(stamp, page); r != &p.Rows[0] {
		t.Errorf("Capture = %+v, want the first with success", r)
	}
	redirect := IndexRow{Timestamp: stamp, Original: strings.Replace(page, "https:", "http:", 1), Status: 301}
	if r := (IndexPage{Rows: []IndexRow{redirect}}).Capture(stamp, page); r != nil {
		t.Errorf("Capture = %+v, want none: the redirect led to the page", r)
	}
	if r := (IndexPage{Rows: []IndexRow{redirect}}).Capture(stamp, redirect.Original); r == nil {
		t.Error("Capture of a redirect itself = nil")
	}
}

// TestIndexAll: pages end in the middle of a moment, repeat rows, and have rows of
// other addresses; the service's key leaves out the rest of the moment.
func TestIndexAll(t *testing.T) {
	www := "https://www.example.org/terms?a=1&b=2"
	var all [][3]string // second, original, digest
	var want []string
	for i := range 40 {
		all = append(all, [3]string{fmt.Sprint(i / 3), page, fmt.Sprint("D", i/6)}, [3]string{fmt.Sprint(i / 3), www, "W"})
		want = append(want, fmt.Sprintf("%d D%d", i/3, i/6))
	}
	slices.SortStableFunc(all, func(a, b [3]string) int {
		return len(a[0])*100 + int(a[0][len(a[0])-1]) - len(b[0])*100 - int(b[0][len(b[0])-1])
	})
	want = slices.Compact(want) // rows that are equal throughout are one
	asked := 0
	c := reader(t, func(w http.ResponseWriter, r *http.Request) {
		asked++
		const size = 10
		out := []string{columns}
		from, key := r.FormValue("from"), r.FormValue("resumeKey")
		for _, a := range all {
			second := 0
			fmt.Sscan(a[0], &second)
			ts := fmt.Sprint(20260101000000 + second)
			if ts < from || key != "" && "k "+ts < key {
				continue
			}
			if out = append(out, row(second, a[1], a[2])); len(out) > size {
				out = append(out, "[]", `["k+`+ts+`%21"]`)
				break
			}
		}
		fmt.Fprint(w, "["+strings.Join(out, ",")+"]")
	})
	var got []string
	for r, err := range c.IndexAll(t.Context(), IndexQuery{URL: page}, nil) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, strings.TrimLeft(strings.TrimPrefix(r.Timestamp, "202601010000"), "0")+" "+r.RawDigest)
	}
	for i := range want {
		want[i] = strings.TrimPrefix(want[i], "0")
	}
	if !slices.Equal(got, want) {
		t.Errorf("IndexAll = %q, want %q", got, want)
	}
	n := 0
	for _, err := range c.IndexAll(t.Context(), IndexQuery{URL: page, CollapseDigest: true}, nil) {
		if n++; err != nil {
			t.Fatal(err)
		}
	}
	if n != 7 || asked < 10 {
		t.Errorf("%d distinct rows in %d questions, want 7 in many", n, asked)
	}
}

// TestIndexLoop: a service that always names the same page ends in an error.
func TestIndexLoop(t *testing.T) {
	asked := 0
	c := reader(t, func(w http.ResponseWriter, _ *http.Request) {
		asked++
		fmt.Fprint(w, "["+columns+","+row(1, page, "D")+","+row(2, page, "E")+`,[],["key"]]`)
	})
	n := 0
	var last error
	for _, err := range c.IndexAll(t.Context(), IndexQuery{URL: page}, nil) {
		n, last = n+1, err
	}
	if n != 3 || outcome(last) != "outage resume-loop" || asked > 4 {
		t.Errorf("%d rows, %v, %d questions; want 2 rows and an error", n, last, asked)
	}
}

func TestSameAddress(t *testing.T) {
	tests := []struct {
		a, b string
		want bool
	}{
		{"https://example.org", "http://EXAMPLE.org:80/#top", true},
		{"https://example.org:443/a", "HTTPS://example.org/a", true},
		{"http://example.org/%7eme", "http://example.org/~me", true},
		{"http://example.org/a%2fb", "http://example.org/a%2Fb", true},
		{"http://example.org/a%2fb", "http://example.org/a/b", false},
		{"http://example.org/ä?ö=ß", "http://example.org/%c3%a4?%C3%B6=%C3%9F", true},
		{"http://example.org/", "http://www.example.org/", false},
		{"http://example.org/?a=1&b=2", "http://example.org/?b=2&a=1", false},
		{"http://example.org/A", "http://example.org/a", false},
		{"http://example.org:8080/", "http://example.org/", false},
		{"http://example.org/a?", "http://example.org/a", false},
		{"http://u@example.org/", "http://example.org/", false},
		{"ftp://example.org/", "http://example.org/", false},
		{"nonsense", "nonsense", true},
	}
	for _, tt := range tests {
		if got := SameAddress(tt.a, tt.b); got != tt.want || SameAddress(tt.b, tt.a) != tt.want {
			t.Errorf("SameAddress(%q, %q) = %v, want %v", tt.a, tt.b, got, tt.want)
		}
	}
}

func TestTimeMap(t *testing.T) {
	list := `<` + page + `>; rel="original",
<http://x/web/timemap/link/` + page + `>; rel="self"; type="application/link-format",
<http://x/web/` + page + `>; rel=timegate,
<http://x/web/` + stamp + `/` + page + `>; rel="first last memento"; datetime="` + moment + `",
<http://x/web/20260102030406/` + page + `>; rel="memento"; datetime="` + moment + `",`
	tests := []struct {
		name     string
		status   int
		body     string
		mementos int
		err      string
	}{
		{"list", 200, list, 1, ""},
		{"none", 404, "<html>", 0, ""},
		{"empty", 200, "", 0, ""},
		{"HTML", 200, "<!DOCTYPE html><html>", 0, "outage"},
		{"bare HTML", 200, "<html>", 0, "outage"},
		{"502", 502, "", 0, "outage"},
		{"excluded", 403, "AdministrativeAccessControlException", 0, "permanent excluded"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := reader(t, func(w http.ResponseWriter, r *http.Request) {
				if r.RequestURI != "/web/timemap/link/"+page {
					t.Errorf("asked for %s", r.RequestURI)
				}
				w.WriteHeader(tt.status)
				fmt.Fprint(w, tt.body)
			})
			m, err := c.TimeMap(t.Context(), page, nil)
			if len(m.Mementos) != tt.mementos || outcome(err) != tt.err {
				t.Errorf("TimeMap = %+v, %v", m, err)
			}
			if tt.mementos == 1 && (m.Mementos[0].Timestamp != stamp || m.Mementos[0].Original != page || m.Skipped != 1 || m.TimeGate == "") {
				t.Errorf("TimeMap = %+v", m)
			}
		})
	}
}

func TestTimeGate(t *testing.T) {
	c := reader(t, func(w http.ResponseWriter, r *http.Request) {
		if r.RequestURI != "/web/"+page || r.Header.Get("Accept-Datetime") != moment {
			t.Errorf("asked for %s, %v", r.RequestURI, r.Header)
		}
		w.Header().Set("Location", "/web/20250101000000/"+page)
		w.WriteHeader(http.StatusFound)
	})
	at, _ := ParseTimestamp(stamp)
	if g, err := c.TimeGate(t.Context(), page, at, nil); err != nil || !g.Found || g.Timestamp != "20250101000000" || g.Original != page {
		t.Errorf("TimeGate = %+v, %v", g, err)
	}
	for status, want := range map[int]string{404: "", 200: "outage", 302: "outage", 503: "outage"} {
		c := reader(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) })
		if g, err := c.TimeGate(t.Context(), page, time.Time{}, nil); g.Found || outcome(err) != want {
			t.Errorf("TimeGate with %d = %+v, %v; want %q", status, g, err, want)
		}
	}
}

func TestAvailability(t *testing.T) {
	closest := `{"archived_snapshots":{"closest":{"available":true,"url":"http://web.archive.org/web/` + stamp + `/` + page + `","timestamp":"` + stamp + `","status":"404"}}}`
	tests := []struct {
		name, body string
		found      bool
		err        string
	}{
		{"closest", closest, true, ""},
		{"none", `{"url":"x","archived_snapshots":{}}`, false, ""},
		{"not available", strings.Replace(closest, "true", "false", 1), false, ""},
		{"times differ", strings.Replace(closest, `"timestamp":"2026`, `"timestamp":"2025`, 1), false, "outage"},
		{"HTML", "<html>", false, "outage"},
		{"other JSON", `{"a":1}`, false, "outage"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := reader(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, tt.body) })
			got, err := c.Availability(t.Context(), page, time.Time{}, nil)
			if got.Found != tt.found || outcome(err) != tt.err || tt.found && (got.Original != page || got.Status != 404) {
				t.Errorf("Availability = %+v, %v", got, err)
			}
		})
	}
}

func TestSystem(t *testing.T) {
	for body, want := range map[string]System{`{"status":"ok"}`: {OK: true}, `{"status":"busy, expect delays"}`: {Message: "busy, expect delays"}} {
		if got, e := parseSystem(&Answered{Status: 200, Body: []byte(body)}); e != nil || got != want {
			t.Errorf("parseSystem(%s) = %+v, %v", body, got, e)
		}
	}
	if _, e := parseSystem(&Answered{Status: 502}); e == nil || e.Class != ClassOutage {
		t.Errorf("502 = %v, want an outage", e)
	}
}

func TestParseBatch(t *testing.T) {
	one := `{"status":"pending","job_id":"a"}`
	for _, body := range []string{"[" + one + `,{"status":"success","job_id":"b"},7]`, `{"a":{"status":"pending"},"b":{"status":"success"}}`} {
		got, e := parseBatch(200, []byte(body))
		if e != nil || len(got) != 2 || got["a"].Status.State != JobPending || got["b"].Err == nil || got["b"].Err.Code != codePartial {
			t.Errorf("parseBatch(%s) = %+v, %v", body, got, e)
		}
	}
	for body, class := range map[string]Class{"<html>": ClassOutage, `{"message":"You need to be logged in to use Save Page Now."}`: ClassKeysRefused} {
		if _, e := parseBatch(200, []byte(body)); e == nil || e.Class != class {
			t.Errorf("parseBatch(%s) = %v, want %s", body, e, class)
		}
	}
}
