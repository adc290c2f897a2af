package anchor

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"filippo.io/torchwood"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// witnessConversation is one history of requests with what every sound witness
// answers. It runs against ours and against torchwood's litewitness; restart
// is called in the middle and gives the witness's new address.
func witnessConversation(t *testing.T, l *testLog, url string, restart func() string) {
	l.grow(0, 1600)
	forked := l.fork().grow(0, 2000, 17)
	expect := func(what string, body []byte, status int, text string) {
		t.Helper()
		got, answer, header := post(t, url, body)
		if got != status || !strings.Contains(answer, text) {
			t.Fatalf("%s: status %d, answer %q; want %d with %q", what, got, answer, status, text)
		}
		if status == http.StatusConflict && header.Get("Content-Type") != "text/x.tlog.size" {
			t.Errorf("%s: Content-Type %q", what, header.Get("Content-Type"))
		}
	}
	expect("first", l.request(0, 400), 200, "— ")
	expect("growing", l.request(400, 800), 200, "— ")
	expect("growing again", l.request(800, 1200), 200, "— ")
	expect("same tree again", l.request(1200, 1200), 200, "— ")
	expect("pretending to be new", l.request(0, 1200), 409, "1200\n")
	expect("stale", l.request(800, 1600), 409, "1200\n")
	expect("smaller tree", l.request(800, 1000), 409, "1200\n")
	url = restart()
	expect("after restart: pretending to be new", l.request(0, 1200), 409, "1200\n")
	expect("entry 17 removed, grown", forked.request(1200, 1600), 422, "")
	expect("entry 17 removed, same size", forked.request(1200, 1200), 422, "")
	expect("entry 17 removed, as if new", forked.request(0, 1600), 409, "1200\n")
	expect("old larger than new", append([]byte("old 1200\n\n"), l.checkpoint(1000)...), 400, "")
	expect("the true history goes on", l.request(1200, 1600), 200, "— ")
	expect("another origin", bytes.ReplaceAll(l.request(1600, 1600), []byte(testOrigin), []byte("other.example/log")), 404, "")
	strange := newTestLog(t).grow(0, 1600)
	expect("another key", strange.request(1600, 1600), 403, "")
	broken := bytes.Replace(l.request(1600, 1600), []byte("\n1600\n"), []byte("\n1599\n"), 1)
	expect("a changed checkpoint", broken, 403, "")
	expect("not a request", []byte("hello\n\n"), 400, "")
	proof := strings.Repeat("CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n", 64)
	expect("64 proof lines", append([]byte("old 1600\n"+proof+"\n"), l.checkpoint(1600)...), 400, "")
}

func TestWitnessConversation(t *testing.T) {
	l := newTestLog(t)
	dir := t.TempDir()
	w := newTestWitness(t, "witness.example/w1", func(c *WitnessConfig) { c.Dir = dir }, WitnessLog{VKey: l.vkey})
	witnessConversation(t, l, w.URL, func() string {
		w.server.Close()
		if err := w.own.Close(); err != nil {
			t.Fatal(err)
		}
		again, err := NewWitness(WitnessConfig{Key: w.skey, Dir: dir, Logs: []WitnessLog{{VKey: l.vkey}}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { again.Close() })
		server := httptest.NewServer(again)
		t.Cleanup(server.Close)
		return server.URL
	})
}

func TestCosign(t *testing.T) {
	ctx := t.Context()
	l := newTestLog(t).grow(0, 300)
	w := newTestWitness(t, "witness.example/w1", nil, WitnessLog{VKey: l.vkey})

	for _, step := range []struct{ known, size int64 }{
		{0, 0}, {0, 100}, {100, 200},
		{100, 250}, // stale memory: 409, then its own size
		{0, 260},   // no memory
		{999, 260}, // memory of more than there is
		{260, 300},
	} {
		cosig, err := Cosign(ctx, http.DefaultClient, w.WitnessEndpoint, l.checkpoint(step.size), step.known, l.proof(step.size))
		if err != nil {
			t.Fatalf("Cosign(known %d, size %d): %v", step.known, step.size, err)
		}
		if since := time.Since(cosig.Time); since < 0 || since > time.Minute {
			t.Errorf("time %v is %v ago", cosig.Time, since)
		}
		// The word of another implementation: note and torchwood.
		v, err := torchwood.NewCosignatureVerifier(w.VKey)
		if err != nil {
			t.Fatal(err)
		}
		n, err := note.Open(append(l.checkpoint(step.size), cosig.Line...), note.VerifierList(v))
		if err != nil || len(n.Sigs) != 1 {
			t.Errorf("size %d: torchwood refuses the line: %v", step.size, err)
		}
	}

	resp, err := http.Get(w.URL + "/" + originHash(testOrigin) + "/checkpoint")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var served bytes.Buffer
	if _, err := served.ReadFrom(resp.Body); err != nil {
		t.Fatal(err)
	}
	policy := mustPolicy(t, "log "+l.vkey+"\nwitness w "+w.VKey+"\nquorum w\n")
	report, err := VerifyCosignatures(served.Bytes(), nil, policy)
	if err != nil || !report.OK() || report.Checkpoint.N != 300 {
		t.Errorf("checkpoint served: %+v, %v", report, err)
	}
	if _, _, err := torchwood.VerifyCheckpoint(served.Bytes(), policy); err != nil {
		t.Errorf("torchwood refuses the checkpoint served: %v", err)
	}
	if code := status(t, w.URL+"/"+originHash("other")+"/checkpoint"); code != 404 {
		t.Errorf("checkpoint of an unknown log: status %d", code)
	}
}

func status(t *testing.T, url string) int {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	return resp.StatusCode
}

// TestCosignRefusals meets every meaning of a refusal on a real witness.
func TestCosignRefusals(t *testing.T) {
	ctx := t.Context()
	l := newTestLog(t).grow(0, 200)
	forked := l.fork().grow(0, 201, 7)
	w := newTestWitness(t, "witness.example/w1", nil, WitnessLog{VKey: l.vkey})
	if _, err := Cosign(ctx, http.DefaultClient, w.WitnessEndpoint, l.checkpoint(150), 0, l.proof(150)); err != nil {
		t.Fatal(err)
	}
	other := newTestLog(t).grow(0, 10)
	down := httptest.NewServer(nil)
	down.Close()
	for _, test := range []struct {
		name string
		log  *testLog
		size int64
		url  string
		want error
	}{
		{"rewritten", forked, 200, w.URL, ErrWitnessInconsistent},
		{"rewritten, same size", forked, 150, w.URL, ErrWitnessInconsistent},
		{"set back", l, 100, w.URL, ErrWitnessAhead},
		{"unknown key", other, 10, w.URL, ErrWitnessLogKey},
		{"no witness there", l, 200, down.URL, ErrWitnessUnavailable},
		{"another page", l, 200, w.URL + "/elsewhere", ErrWitnessUnknownLog},
	} {
		e := w.WitnessEndpoint
		e.URL = test.url
		_, err := Cosign(ctx, http.DefaultClient, e, test.log.checkpoint(test.size), 0, test.log.proof(test.size))
		if !errors.Is(err, test.want) {
			t.Errorf("%s: error %v, want %v", test.name, err, test.want)
		}
		var we *WitnessError
		if !errors.As(err, &we) || we.Witness != "w" || !strings.HasPrefix(we.URL, test.url) {
			t.Errorf("%s: error %#v does not name the witness", test.name, err)
		}
		if test.want == ErrWitnessAhead && !strings.Contains(err.Error(), "150 entries) than the one shown: a newer checkpoint was published meanwhile, or the log was set back") {
			t.Errorf("%s: %v: does not say what it may mean", test.name, err)
		}
		if test.want == ErrWitnessAhead && we.Size != 150 {
			t.Errorf("%s: size %d, want 150", test.name, we.Size)
		}
	}
	boom := errors.New("a tile is missing")
	_, err := Cosign(ctx, http.DefaultClient, w.WitnessEndpoint, l.checkpoint(200), 150, func(context.Context, int64) (tlog.TreeProof, error) { return nil, boom })
	if !errors.Is(err, boom) {
		t.Errorf("failing proof: error %v", err)
	}
}

// TestCosignAnswers meets witnesses that lie or babble.
func TestCosignAnswers(t *testing.T) {
	l := newTestLog(t).grow(0, 20)
	skey, vkey, err := NewWitnessKey(rand.Reader, "witness.example/w1")
	if err != nil {
		t.Fatal(err)
	}
	c, err := parseCosigner(skey)
	if err != nil {
		t.Fatal(err)
	}
	text, _, _ := splitCheckpoint(l.checkpoint(20))
	earlier, _, _ := splitCheckpoint(l.checkpoint(19))
	strangerKey, _, _ := NewWitnessKey(rand.Reader, "stranger.example/w")
	stranger, _ := parseCosigner(strangerKey)
	now := time.Unix(1_800_000_000, 0)
	for _, test := range []struct {
		name   string
		status int
		kind   string // Content-Type
		answer string
		want   error
	}{
		{"good", 200, "", c.line(text, now), nil},
		{"good among others", 200, "", stranger.line(text, now) + c.line(text, now), nil},
		{"another checkpoint", 200, "", c.line(earlier, now), ErrWitnessAnswer},
		{"without time", 200, "", c.line(text, time.Unix(0, 0)), ErrWitnessAnswer},
		{"a stranger's", 200, "", stranger.line(text, now), ErrWitnessAnswer},
		{"nothing", 200, "", "", ErrWitnessAnswer},
		{"a web page", 200, "", "<html>hello</html>\n", ErrWitnessAnswer},
		{"no newline", 200, "", strings.TrimSuffix(c.line(text, now), "\n"), ErrWitnessAnswer},
		{"too much", 200, "", strings.Repeat(c.line(text, now), 1000), ErrWitnessUnavailable},
		{"too many lines", 200, "", strings.Repeat(c.line(text, now), 101), ErrWitnessAnswer},
		{"conflict without size", 409, "text/plain", "conflict", ErrWitnessAnswer},
		{"conflict with odd size", 409, "text/x.tlog.size", "-4\n", ErrWitnessAnswer},
		{"conflict for ever", 409, "text/x.tlog.size", "5\n", ErrWitnessUnavailable},
		{"conflict with what was said", 409, "text/x.tlog.size", "0\n", ErrWitnessUnavailable},
		{"ahead", 409, "text/x.tlog.size", "21\n", ErrWitnessAhead},
		{"slow down", 429, "", "later", ErrWitnessUnavailable},
		{"broken", 500, "", "oops", ErrWitnessUnavailable},
		{"bad request", 400, "", "no", ErrWitnessRefused},
		{"no content", 204, "", "", ErrWitnessAnswer},
	} {
		t.Run(test.name, func(t *testing.T) {
			requests := 0
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				requests++
				w.Header().Set("Content-Type", test.kind)
				w.WriteHeader(test.status)
				fmt.Fprint(w, test.answer)
			}))
			defer server.Close()
			cosig, err := Cosign(t.Context(), server.Client(), WitnessEndpoint{Name: "w", VKey: vkey, URL: server.URL}, l.checkpoint(20), 0, l.proof(20))
			if !errors.Is(err, test.want) || test.want == nil && string(cosig.Line) != c.line(text, now) {
				t.Errorf("Cosign = %q, %v; want error %v", cosig.Line, err, test.want)
			}
			if requests > 2 {
				t.Errorf("%d requests", requests)
			}
		})
	}
}

// TestWitnessRace: of requests that race from one state to different trees,
// each cosignature given lies on one line of growth.
func TestWitnessRace(t *testing.T) {
	l := newTestLog(t).grow(0, 100)
	forked := l.fork().grow(0, 101, 60)
	w := newTestWitness(t, "witness.example/w1", nil, WitnessLog{VKey: l.vkey})
	if code, _, _ := post(t, w.URL, l.request(0, 50)); code != 200 {
		t.Fatal(code)
	}
	var mu sync.Mutex
	given := map[string]bool{} // "log size"
	var group sync.WaitGroup
	for i := range 40 {
		group.Go(func() {
			from, name := l, "true"
			if i%2 == 1 {
				from, name = forked, "forked"
			}
			size := int64(61 + i)
			code, _, _ := post(t, w.URL, from.request(50, size))
			mu.Lock()
			defer mu.Unlock()
			switch code {
			case 200:
				given[fmt.Sprint(name, " ", size)] = true
			case 409:
			default:
				t.Errorf("status %d", code)
			}
		})
	}
	group.Wait()
	if len(given) != 1 {
		t.Errorf("cosigned %v from the same state", given)
	}
}

func TestWitnessState(t *testing.T) {
	l := newTestLog(t).grow(0, 100)
	dir := t.TempDir()
	skey, _, err := NewWitnessKey(rand.Reader, "witness.example/w1")
	if err != nil {
		t.Fatal(err)
	}
	cfg := WitnessConfig{Key: skey, Dir: dir, Logs: []WitnessLog{{VKey: l.vkey}}}
	w, err := NewWitness(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := NewWitness(cfg); !errors.Is(err, ErrWitnessBusy) {
		t.Errorf("second witness in the folder: error %v", err)
	}
	if _, no := w.add(l.request(0, 60)); no != nil {
		t.Fatalf("%+v", no)
	}
	file := w.state.file(testOrigin)
	saved, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	// A state that cannot be saved withholds the cosignature; the next request
	// still goes on from the old state.
	w.state.dir = filepath.Join(dir, "gone")
	if line, no := w.add(l.request(60, 70)); no == nil || no.status != 500 || line != "" {
		t.Errorf("unsaved state: line %q, %+v", line, no)
	}
	w.state.dir = dir
	if _, no := w.add(l.request(60, 80)); no != nil {
		t.Errorf("after the disk is back: %+v", no)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, ".new-123"), saved[:20], 0o600); err != nil {
		t.Fatal(err)
	}

	other, _, _ := NewWitnessKey(rand.Reader, "witness.example/w1")
	damaged := bytes.Replace(saved, []byte("\n60\n"), []byte("\n10\n"), 1)
	for _, test := range []struct {
		name string
		key  string
		data []byte
		ok   bool
	}{
		{"as saved", skey, saved, true},
		{"empty", skey, nil, false},
		{"half", skey, saved[:len(saved)/2], false},
		{"a smaller size written in", skey, damaged, false},
		{"without our cosignature", skey, l.checkpoint(60), false},
		{"another key", other, saved, false},
	} {
		if err := os.WriteFile(file, test.data, 0o644); err != nil {
			t.Fatal(err)
		}
		again, err := NewWitness(WitnessConfig{Key: test.key, Dir: dir, Logs: cfg.Logs})
		if (err == nil) != test.ok {
			t.Errorf("%s: NewWitness error %v", test.name, err)
		}
		if err == nil {
			if n := again.logs[testOrigin].last.checkpoint.N; n != 60 {
				t.Errorf("%s: size %d, want 60", test.name, n)
			}
			if err := again.Close(); err != nil {
				t.Error(err)
			}
		} else if !strings.Contains(err.Error(), file) {
			t.Errorf("%s: error %q does not name the file", test.name, err)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, ".new-123")); err == nil {
		t.Error("a half-written file was left")
	}
}

func TestWitnessClockAndRate(t *testing.T) {
	l := newTestLog(t).grow(0, 100)
	now := time.Unix(1_800_000_000, 0)
	w := newTestWitness(t, "witness.example/w1", func(c *WitnessConfig) { c.Now = func() time.Time { return now } },
		WitnessLog{VKey: l.vkey, PerDay: 2})
	v, err := w.own.cosigner.verifier()
	if err != nil {
		t.Fatal(err)
	}
	ask := func(what string, old, size int64, wantStatus int, wantTime time.Time) string {
		t.Helper()
		line, no := w.own.add(l.request(old, size))
		if wantStatus != 200 {
			if no == nil || no.status != wantStatus {
				t.Fatalf("%s: %+v, want status %d", what, no, wantStatus)
			}
			return ""
		}
		if no != nil {
			t.Fatalf("%s: %+v", what, no)
		}
		n, err := note.Open(append(l.checkpoint(size), line...), note.VerifierList(v))
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if at := cosignatureTime(n.Sigs[0]); !at.Equal(wantTime) {
			t.Errorf("%s: time %v, want %v", what, at, wantTime)
		}
		return line
	}
	start := now
	first := ask("first", 0, 10, 200, start)
	now = start.Add(30 * time.Second)
	if again := ask("repeat within a minute", 10, 10, 200, start); again != first {
		t.Error("a repeat gave another line")
	}
	now = start.Add(2 * time.Minute)
	ask("repeat later", 10, 10, 200, now)
	now = start.Add(90 * time.Second)
	ask("clock a little back", 10, 20, 200, start.Add(2*time.Minute))
	now = start.Add(-time.Hour)
	ask("clock far back", 20, 30, 503, now)
	now = start.Add(time.Hour)
	ask("third growth of the day", 20, 30, 429, now)
	if code, _, header := post(t, w.URL, l.request(20, 30)); code != 429 || header.Get("Retry-After") == "" {
		t.Errorf("third growth: status %d, Retry-After %q", code, header.Get("Retry-After"))
	}
	ask("same tree costs nothing", 20, 20, 200, now)
	now = start.Add(13 * time.Hour)
	ask("half a day later", 20, 30, 200, now)
}

func TestWitnessRequestBounds(t *testing.T) {
	l := newTestLog(t).grow(0, 10)
	w := newTestWitness(t, "witness.example/w1", nil, WitnessLog{VKey: l.vkey})
	huge := append(l.request(0, 10), bytes.Repeat([]byte("x"), maxWitnessRequest)...)
	if code, _, _ := post(t, w.URL, huge); code != http.StatusRequestEntityTooLarge {
		t.Errorf("huge request: status %d", code)
	}
	if code := status(t, w.URL+"/add-checkpoint"); code != http.StatusMethodNotAllowed {
		t.Errorf("GET add-checkpoint: status %d", code)
	}
	if _, no := w.own.add(append([]byte("old 00\n\n"), l.checkpoint(10)...)); no == nil || no.status != 400 {
		t.Errorf("a size with a leading zero: %+v", no)
	}
	if _, no := w.own.add(append([]byte("old 0\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n"), l.checkpoint(10)...)); no == nil || no.status != 422 {
		t.Errorf("a proof from nothing: %+v", no)
	}
	if _, no := w.own.add(l.request(0, 10)); no != nil {
		t.Fatalf("%+v", no)
	}
	if _, no := w.own.add(l.fork().grow(0, 11, 3).request(10, 10)); no == nil || no.status != 422 || !strings.Contains(no.reason, "same size") {
		t.Errorf("another root at the same size: %+v", no)
	}
	wrongEmpty := torchwood.Checkpoint{Origin: testOrigin}
	signed, err := note.Sign(&note.Note{Text: wrongEmpty.String()}, l.signer)
	if err != nil {
		t.Fatal(err)
	}
	fresh := newTestWitness(t, "witness.example/w2", nil, WitnessLog{VKey: l.vkey})
	if _, no := fresh.own.add(append([]byte("old 0\n\n"), signed...)); no == nil || no.status != 422 {
		t.Errorf("an empty tree with a made-up root: %+v", no)
	}
}

func TestNewWitnessRefuses(t *testing.T) {
	l := newTestLog(t)
	skey, _, _ := NewWitnessKey(rand.Reader, "witness.example/w1")
	for _, test := range []struct {
		name string
		cfg  WitnessConfig
	}{
		{"no key", WitnessConfig{Logs: []WitnessLog{{VKey: l.vkey}}}},
		{"damaged key", WitnessConfig{Key: strings.Replace(skey, "example", "exampel", 1), Logs: []WitnessLog{{VKey: l.vkey}}}},
		{"no logs", WitnessConfig{Key: skey}},
		{"bad log key", WitnessConfig{Key: skey, Logs: []WitnessLog{{VKey: "x"}}}},
		{"bad rate", WitnessConfig{Key: skey, Logs: []WitnessLog{{VKey: l.vkey, PerDay: -1}}}},
	} {
		test.cfg.Dir = t.TempDir()
		w, err := NewWitness(test.cfg)
		if err == nil {
			w.Close()
			t.Errorf("%s: no error", test.name)
		} else if secret := skey[len(skey)-20:]; strings.Contains(err.Error(), secret) {
			t.Errorf("%s: the error holds the key", test.name)
		}
	}
	if _, _, err := NewWitnessKey(rand.Reader, "with space"); err == nil {
		t.Error("a name with a space was taken")
	}
	// Keys of the kind that other witness programs use.
	plain, _, err := note.GenerateKey(rand.Reader, "witness.example/w1")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := parseCosigner(plain); err != nil {
		t.Errorf("key of type 1: %v", err)
	}
}
