package archive_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fineprint-archive/fineprint/archive"
	"github.com/fineprint-archive/fineprint/archive/anchor"
	"github.com/fineprint-archive/fineprint/archive/anchor/anchortest"
	"github.com/fineprint-archive/fineprint/archive/evidence"
	"github.com/fineprint-archive/fineprint/archive/store"
	"github.com/fineprint-archive/fineprint/archive/tlog"
	"github.com/fineprint-archive/fineprint/warc"
)

// anchored is an archive with a log, and outside parties on loopback.
type anchored struct {
	*bench
	key     tlog.Key
	arch    *archive.Archive
	tsa     []*anchortest.TSA
	cal     *anchortest.Calendar
	witness *witness
	parties archive.AnchorParties

	mu   sync.Mutex
	step func(string) // guarded by mu: parties are asked side by side
}

// witness is one of ours, with a switch.
type witness struct {
	*anchor.Witness
	url  string
	down bool
	seen int // requests
}

func newAnchored(t *testing.T) *anchored {
	t.Helper()
	dir, err := store.OpenDir(t.TempDir())
	must(t, err)
	e := &anchored{bench: newBench(t, dir)}
	e.key, err = tlog.GenerateKey(rand.Reader, "example.org/log")
	must(t, err)
	for _, name := range []string{"one", "two"} {
		tsa, err := anchortest.NewTSA(anchortest.TSAConfig{Name: name})
		must(t, err)
		t.Cleanup(func() { must(t, tsa.Close()) })
		roots, err := anchor.ParseRoots(tsa.Roots)
		must(t, err)
		e.tsa = append(e.tsa, tsa)
		e.parties.Authorities = append(e.parties.Authorities, anchor.Authority{Name: name, URL: tsa.URL, Roots: roots})
	}
	e.cal = anchortest.NewCalendar(900_000)
	must(t, e.cal.Start())
	t.Cleanup(func() { must(t, e.cal.Close()) })
	e.witness = newWitness(t, e.key.Public)
	e.parties.Policy, err = anchor.ParsePolicy(fmt.Appendf(nil, "log %s\nwitness peer %s %s\nquorum peer\n", e.key.Public, e.witness.VKey(), e.witness.url))
	must(t, err)
	e.parties.Timeout = 20 * time.Second
	e.open(t)
	t.Cleanup(func() { must(t, e.arch.Close()) })
	return e
}

func newWitness(t *testing.T, logKey string) *witness {
	t.Helper()
	key, _, err := anchor.NewWitnessKey(rand.Reader, "witness.example/w1")
	must(t, err)
	w := &witness{}
	w.Witness, err = anchor.NewWitness(anchor.WitnessConfig{Key: key, Dir: t.TempDir(), Logs: []anchor.WitnessLog{{VKey: logKey}}})
	must(t, err)
	t.Cleanup(func() { must(t, w.Witness.Close()) })
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.seen++
		if w.down {
			http.Error(rw, "not now", http.StatusServiceUnavailable)
			return
		}
		w.ServeHTTP(rw, r)
	}))
	t.Cleanup(server.Close)
	w.url = server.URL
	return w
}

func (e *anchored) open(t *testing.T) {
	t.Helper()
	var err error
	e.arch, err = archive.Open(t.Context(), archive.Config{
		Store: e.store, Catalog: e.db, Spool: e.spool, Tool: "test/1",
		Log:  &archive.LogConfig{Mutable: e.mutable(), Signer: e.key.Signer, Verifier: e.key.Verifier, Place: "test"},
		Step: func(name string) { e.at(name) },
	})
	must(t, err)
}

func (e *anchored) at(name string) {
	e.mu.Lock()
	step := e.step
	e.mu.Unlock()
	if step != nil {
		step(name)
	}
}

// onStep calls f, in whatever goroutine, before each step.
func (e *anchored) onStep(f func(name string)) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.step = f
}

func (e *anchored) mutable() store.Mutable { return e.store.(*store.Dir).Mutable() }

// sealLook makes a look and seals it.
func (e *anchored) sealLook(t *testing.T) {
	t.Helper()
	e.look(t, e.arch)
	_, err := e.arch.Seal(t.Context())
	must(t, err)
}

func (e *anchored) anchor(t *testing.T) archive.AnchorReport {
	t.Helper()
	r, err := e.arch.Anchor(t.Context(), e.parties)
	must(t, err)
	return r
}

// states puts a report into one line.
func states(r archive.AnchorReport) string {
	var all []string
	for _, o := range r.Outcomes {
		name := o.Name
		if o.Kind == archive.AnchorCalendar {
			name = "calendar"
		}
		all = append(all, fmt.Sprintf("%d %s %s", o.Size, name, o.State))
	}
	return strings.Join(all, ", ")
}

// list reads an anchor list with all its files.
func (e *anchored) list(t *testing.T, key string) (evidence.AnchorList, map[string][]byte) {
	t.Helper()
	l, err := evidence.ParseAnchorList(e.read(t, key))
	must(t, err)
	files := map[string][]byte{}
	for _, f := range l.Files {
		files[f.Name] = e.read(t, evidence.AnchorKey(l.Size, f.Name))
		if warc.SumSHA256(files[f.Name]) != f.SHA256 {
			t.Errorf("%s is not what %s says", f.Name, key)
		}
	}
	return l, files
}

func (e *anchored) read(t *testing.T, key string) []byte {
	t.Helper()
	r, err := e.store.Get(t.Context(), key, 0, -1)
	must(t, err)
	defer r.Close()
	data, err := io.ReadAll(r)
	must(t, err)
	return data
}

// names lists the objects below a prefix.
func (e *anchored) names(t *testing.T, prefix string) string {
	t.Helper()
	var all []string
	for info, err := range e.store.List(t.Context(), prefix, "") {
		must(t, err)
		all = append(all, strings.TrimPrefix(info.Key, prefix))
	}
	return strings.Join(all, " ")
}

// check wants that every anchor list but those of the newest checkpoint stands in
// the log exactly once, where the catalog says, that nothing else is there, and
// that a rebuild gives the same catalog.
func (e *anchored) check(t *testing.T) {
	t.Helper()
	reader := tlog.NewReader(e.store, e.key.Verifier)
	cp, err := reader.Checkpoint(t.Context())
	must(t, err)
	rows, err := e.db.Anchors(t.Context(), 0, false)
	must(t, err)
	want := map[string]int64{}
	for _, row := range rows {
		if row.Index >= 0 {
			want[row.List] = row.Index
		} else if row.LogFrom < cp.Size {
			t.Errorf("%s was made at size %d and has no entry among %d", row.List, row.LogFrom, cp.Size)
		}
	}
	for leaf, err := range reader.Entries(t.Context(), cp, 0, cp.Size) {
		must(t, err)
		entry, err := evidence.ParseEntry(leaf.Data)
		must(t, err)
		if entry.Type != evidence.TypeAnchor {
			continue
		}
		l, _ := e.list(t, entry.List)
		own, err := l.Anchor()
		must(t, err)
		if line, err := own.Encode(); err != nil || !bytes.Equal(line, leaf.Data) {
			t.Errorf("entry %d is %s, its list gives %s, %v", leaf.Index, leaf.Data, line, err)
		}
		if at, there := want[entry.List]; !there || at != leaf.Index {
			t.Errorf("entry %d is about %s, the catalog has it at %d (%v)", leaf.Index, entry.List, at, there)
		}
		delete(want, entry.List)
	}
	if len(want) > 0 {
		t.Errorf("not in the log: %v", want)
	}
	if live := wantRebuilt(t, e.store, e.db, e.key.Verifier); len(rows) > 0 && !bytes.Contains(live, []byte(`"table":"anchors"`)) {
		t.Errorf("no anchors in\n%s", live)
	}
}

// All parties state what they saw; what they say is kept, listed, logged with the
// next batch, and shown with the public checkpoint.
func TestAnchor(t *testing.T) {
	t.Parallel()
	e := newAnchored(t)
	if r := e.anchor(t); r.Size != 0 || len(r.Outcomes) != 0 {
		t.Errorf("anchors of an empty log: %+v", r)
	}
	e.sealLook(t) // entries 0 and 1
	r := e.anchor(t)
	if got := states(r); got != "2 one new, 2 two new, 2 peer new" {
		t.Fatalf("first round: %s %s", got, r.Failures())
	}
	l, files := e.list(t, r.List)
	cp := e.read(t, "log/checkpoints/2")
	if l.Size != 2 || l.Checkpoint != warc.SumSHA256(cp) || len(files) != 5 {
		t.Errorf("list %+v with %d files", l, len(files))
	}
	for i, name := range []string{"one", "two"} {
		if _, err := anchor.VerifyToken(files[name+".tsr"], cp, files[name+".pem"], e.parties.Authorities[i].Roots); err != nil {
			t.Error(err)
		}
	}
	report, err := anchor.VerifyCosignatures(e.read(t, "log/checkpoint"), nil, e.parties.Policy)
	if err != nil || !report.OK() {
		t.Errorf("public checkpoint: %+v, %v", report, err)
	}
	sum, ok := e.arch.AnchoredSum()
	if want := warc.SumSHA256(e.read(t, r.List)); !ok || string(sum[:]) != want.Sum {
		t.Errorf("AnchoredSum = %x, %v, want %s", sum, ok, want.Hex())
	}

	// Nothing is missing, nobody is asked again.
	asked, cosigned := e.tsa[0].Asked(), e.witness.seen
	again := e.anchor(t)
	if got := states(again); got != "2 one present, 2 two present, 2 peer present" || again.List != r.List || e.tsa[0].Asked() != asked || e.witness.seen != cosigned {
		t.Errorf("second round: %s", got)
	}

	// The entry goes with the next batch; the witness is shown the proof at once.
	e.sealLook(t) // 2, 3 and the anchor 4
	if r = e.anchor(t); states(r) != "5 one new, 5 two new, 5 peer new" || e.witness.seen != cosigned+1 {
		t.Errorf("after the next batch: %s, %d requests to the witness", states(r), e.witness.seen-cosigned)
	}
	rows, err := e.db.Anchors(t.Context(), 0, false)
	must(t, err)
	if len(rows) != 2 || rows[0].Index != -1 || rows[1].Index != 4 {
		t.Errorf("anchors in the catalog: %+v", rows)
	}
	e.check(t)
	if left := e.names(t, "pending"); left != "" {
		t.Errorf("left behind: %s", left)
	}
}

// An authority or witness that errs, lies or hangs leaves nothing but a line, and
// is asked again; the others' statements are kept.
func TestAnchorFaults(t *testing.T) {
	t.Parallel()
	for _, fault := range []anchortest.TSAFault{anchortest.Hang, anchortest.Refuse, anchortest.Lie, anchortest.Rogue, anchortest.Garbage, anchortest.WrongNonce} {
		t.Run(string(fault), func(t *testing.T) {
			t.Parallel()
			e := newAnchored(t)
			e.sealLook(t)
			e.tsa[1].SetFault(fault)
			e.witness.down = true
			patience := e.parties.Timeout
			if fault == anchortest.Hang {
				e.parties.Timeout = 500 * time.Millisecond
			}
			r := e.anchor(t)
			if got := states(r); got != "2 one new, 2 two failed, 2 peer failed" {
				t.Fatalf("outcomes: %s", got)
			}
			if text := r.Failures(); !strings.Contains(text, "tsa two: ") || !strings.Contains(text, "witness peer: witness unavailable, HTTP status 503") || strings.Contains(text, "\n") || strings.Count(text, "two: ") != 1 {
				t.Errorf("failures in words: %q", text)
			}
			if _, files := e.list(t, r.List); len(files) != 2 {
				t.Errorf("%d files are listed, want the token of one and its evidence", len(files))
			}
			e.tsa[1].SetFault(anchortest.NoFault)
			e.witness.down, e.parties.Timeout = false, patience
			r = e.anchor(t)
			if got := states(r); got != "2 one present, 2 two new, 2 peer new" {
				t.Errorf("next round: %s %s", got, r.Failures())
			}
			if _, files := e.list(t, r.List); len(files) != 5 {
				t.Errorf("%d files are listed", len(files))
			}
			e.sealLook(t)
			e.check(t)
		})
	}
}

// Without a statement a checkpoint stays un-anchored, which the catalog tells,
// until a later one is anchored.
func TestAnchorCover(t *testing.T) {
	t.Parallel()
	e := newAnchored(t)
	cover := func(anchored, warcs int64, old bool) {
		t.Helper()
		c, err := e.db.AnchorCover(t.Context())
		must(t, err)
		if c.Anchored != anchored || c.WARCs != warcs || c.Oldest.IsZero() == old || c.Logged != (anchored+warcs > 0) {
			t.Errorf("AnchorCover = %+v, want %d, %d, %v", c, anchored, warcs, old)
		}
	}
	cover(0, 0, false)
	e.witness.down = true
	e.tsa[0].SetFault(anchortest.ServerError)
	e.tsa[1].SetFault(anchortest.ServerError)
	for n := range int64(2) {
		e.sealLook(t)
		if r := e.anchor(t); r.List != "" || r.Count(archive.AnchorFailed) != 3 {
			t.Errorf("nobody answers: %+v", r)
		}
		cover(0, n+1, true)
	}
	if _, ok := e.arch.AnchoredSum(); ok {
		t.Error("AnchoredSum without anchors")
	}
	e.tsa[0].SetFault(anchortest.NoFault)
	e.anchor(t)
	cover(4, 0, false)
	e.sealLook(t)
	cover(4, 1, true)
	e.check(t)
}

// A calendar's promise waits as a mutable object until its block, is then kept as
// a proof with the header, and listed with the checkpoint it is about.
func TestAnchorCalendar(t *testing.T) {
	t.Parallel()
	e := newAnchored(t)
	e.parties.Authorities, e.parties.Policy = nil, nil
	e.parties.Calendars, e.parties.Explorer, e.parties.MinWork = []string{e.cal.URL}, e.cal.URL, anchortest.CalendarWork
	e.sealLook(t)
	for range 2 {
		if r := e.anchor(t); states(r) != "2 calendar pending" || r.List != "" || e.cal.Submissions() != 1 {
			t.Fatalf("before the block: %s %s, %d submissions", states(r), r.Failures(), e.cal.Submissions())
		}
	}
	if c, err := e.db.AnchorCover(t.Context()); err != nil || c.WARCs != 1 {
		t.Errorf("a promise anchors nothing: %+v, %v", c, err)
	}
	e.sealLook(t)
	e.cal.SetDown(true)
	if r := e.anchor(t); states(r) != "4 calendar failed, 2 calendar failed" {
		t.Errorf("calendar down: %s", states(r))
	}
	e.cal.SetDown(false)
	height, header := e.cal.Mine()
	r := e.anchor(t)
	if states(r) != "4 calendar pending, 2 calendar new" || r.List != "" {
		t.Fatalf("after the block: %s %s", states(r), r.Failures())
	}
	rows, err := e.db.Anchors(t.Context(), 0, false)
	must(t, err)
	if len(rows) != 1 || rows[0].Size != 2 || rows[0].Files != 2 {
		t.Fatalf("anchors: %+v", rows)
	}
	_, files := e.list(t, rows[0].List)
	name := anchor.BitcoinHeaderFile(height)
	if string(files[name]) != string(anchor.BitcoinHeader(header).Text()) {
		t.Errorf("header file %s holds %q", name, files[name])
	}
	if left := e.names(t, "pending-anchors/"); !strings.HasPrefix(left, "4/") || strings.Contains(left, " ") {
		t.Errorf("pending: %s", left)
	}
	e.sealLook(t)
	e.check(t)
}

// A crash before any durable step of a round, or of the seal that logs its list,
// leaves what the next process completes.
func TestAnchorCrash(t *testing.T) {
	t.Parallel()
	for _, step := range []string{
		"anchor-mark", "anchor-file:1", "anchor-file:2", "anchor-file:3", "anchor-list", "anchor-catalog", "anchor-drop", "anchor-logged", "drop-pending",
		"anchor-file:3 and a seal", "anchor-list and a seal", "anchor-catalog and a seal", // another checkpoint is the newest then
	} {
		t.Run(step, func(t *testing.T) {
			t.Parallel()
			step, more := strings.CutSuffix(step, " and a seal")
			e := newAnchored(t)
			e.parties.Policy, e.parties.Authorities = nil, e.parties.Authorities[:1]
			e.sealLook(t)
			name, number, _ := strings.Cut(step, ":")
			nth, err := strconv.Atoi(number)
			if err != nil {
				nth = 1
			}
			var steps atomic.Int64
			died := make(chan struct{})
			e.onStep(func(at string) {
				if at != name {
					return
				}
				if steps.Add(1) == int64(nth) {
					close(died)
					select {} // the step is never taken
				}
			})
			if name == "anchor-file" && nth == 3 {
				e.parties.Authorities = append(e.parties.Authorities, anchor.Authority{Name: "late", URL: e.tsa[1].URL, Roots: mustRoots(t, e.tsa[1].Roots)})
			}
			go func() {
				if _, err := e.arch.Anchor(context.Background(), e.parties); err == nil {
					e.look(t, e.arch)
					e.arch.Seal(context.Background()) // it does not come back
				}
			}()
			<-died
			e.crash(t)
			if more {
				e.sealLook(t)
			}
			r := e.anchor(t)
			if rows, err := e.db.Anchors(t.Context(), 0, false); err != nil || more && (len(rows) != 2 || rows[1].Size != 2) {
				t.Errorf("lists after the crash: %+v, %v", rows, err)
			}
			if r.List == "" || r.Count(archive.AnchorFailed) > 0 {
				t.Errorf("after the crash: %s %s", states(r), r.Failures())
			}
			_, err = e.arch.Seal(t.Context())
			must(t, err)
			e.anchor(t)
			e.sealLook(t)
			e.check(t)
			if left := e.names(t, "pending"); left != "" {
				t.Errorf("left behind: %s", left)
			}
		})
	}
}

// A process with another spool does not log a list again that one which died
// between log and catalog has logged.
func TestAnchorCrashElsewhere(t *testing.T) {
	t.Parallel()
	e := newAnchored(t)
	e.sealLook(t)
	e.anchor(t)
	died := make(chan struct{})
	e.onStep(func(at string) {
		if at == "anchor-logged" {
			close(died)
			select {} // the step is never taken
		}
	})
	e.look(t, e.arch)
	go e.arch.Seal(context.Background()) // it does not come back
	<-died
	first := e.spool
	e.spool = filepath.Join(t.TempDir(), "other")
	e.onStep(nil)
	e.open(t)
	e.sealLook(t)
	must(t, e.arch.Close())
	e.spool = first
	e.crash(t)
	_, err := e.arch.Seal(t.Context())
	must(t, err)
	e.check(t)
}

// crash gives the archive to a new process: the old one keeps its descriptors and
// hangs for ever before its step, so the spool moves to a copy.
func (e *anchored) crash(t *testing.T) {
	t.Helper()
	copied := filepath.Join(t.TempDir(), "spool")
	must(t, os.CopyFS(copied, os.DirFS(e.spool)))
	e.spool = copied
	e.onStep(nil)
	e.open(t)
}

// An object below anchors/ that is not what it says is named, and not listed.
func TestAnchorTampered(t *testing.T) {
	t.Parallel()
	e := newAnchored(t)
	e.sealLook(t)
	first := e.anchor(t)
	name := filepath.Join(e.store.(*store.Dir).Root(), "anchors", "2", "one.tsr")
	data, err := os.ReadFile(name)
	must(t, err)
	data[len(data)-1] ^= 1
	must(t, os.Chmod(name, 0o644))
	must(t, os.WriteFile(name, data, 0o644))
	r := e.anchor(t)
	if got := states(r); got != "2 one new, 2 two present, 2 peer present, 2 anchors/2/one.tsr failed" {
		t.Errorf("with a damaged token: %s", got)
	}
	_, files := e.list(t, r.List)
	if files["one.2.tsr"] == nil || files["one.tsr"] != nil || len(files) != 5 || r.List == first.List {
		t.Errorf("list: %d files", len(files))
	}
}

// Parties that cannot be told apart, or have no address, are refused by name.
func TestAnchorPartiesRefused(t *testing.T) {
	t.Parallel()
	roots := newAnchored(t).parties.Authorities[0].Roots
	a := anchor.Authority{Name: "one", URL: "http://tsa.example/", Roots: roots}
	for name, c := range map[string]struct {
		parties archive.AnchorParties
		want    string
	}{
		"twice":     {archive.AnchorParties{Authorities: []anchor.Authority{a, a}}, "one.tsr"},
		"no roots":  {archive.AnchorParties{Authorities: []anchor.Authority{{Name: "one", URL: a.URL}}}, "timestamp authority one: no root"},
		"calendar":  {archive.AnchorParties{Calendars: []string{"https://me:secret@calendar.example"}}, "calendar 1: expected"},
		"calendars": {archive.AnchorParties{Calendars: []string{"https://c.example", "https://c.example/"}}, "c.example.ots"},
	} {
		if err := c.parties.Check(); err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v, want %q in it", name, err, c.want)
		}
	}
}

func mustRoots(t *testing.T, pem []byte) anchor.Roots {
	t.Helper()
	r, err := anchor.ParseRoots(pem)
	must(t, err)
	return r
}

// openssl accepts the stored tokens, by the command that docs/OPERATIONS.md gives,
// and refuses them for another checkpoint.
func TestAnchorOpenssl(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Skip("openssl is not installed: ", err)
	}
	e := newAnchored(t)
	e.sealLook(t)
	r := e.anchor(t)
	e.sealLook(t)
	root := e.store.(*store.Dir).Root()
	for i, o := range r.Outcomes[:2] {
		roots := filepath.Join(t.TempDir(), "roots.pem")
		must(t, os.WriteFile(roots, e.tsa[i].Roots, 0o600))
		for data, want := range map[string]string{"log/checkpoints/2": "Verification: OK", "log/checkpoints/5": "message imprint mismatch"} {
			cmd := exec.CommandContext(t.Context(), "openssl", "ts", "-verify", "-data", filepath.Join(root, data), "-in", filepath.Join(root, "anchors/2", o.Name+".tsr"),
				"-CAfile", roots, "-untrusted", filepath.Join(root, "anchors/2", o.Name+".pem"), "-attime", strconv.FormatInt(o.Time.Unix(), 10))
			if out, err := cmd.CombinedOutput(); (err == nil) != (want == "Verification: OK") || !bytes.Contains(out, []byte(want)) {
				t.Errorf("openssl ts -verify %s of %s: %v\n%s", o.Name, data, err, out)
			}
		}
	}
}
