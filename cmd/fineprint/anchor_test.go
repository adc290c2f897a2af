package main

import (
	"crypto/rand"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/fineprint-archive/fineprint/archive/anchor"
	"github.com/fineprint-archive/fineprint/archive/anchor/anchortest"
	"github.com/fineprint-archive/fineprint/archive/evidence"
	"github.com/fineprint-archive/fineprint/archive/store"
	"github.com/fineprint-archive/fineprint/archive/tlog"
)

func cmdOutside(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: outside KEYFILE")
	}
	key, err := tlog.ParseKey(ts.ReadFile(args[0]))
	ts.Check(err)
	ts.Setenv("LOGKEY", key.Public)
	address, stop, err := startOutside(ts.MkAbs("."), key)
	ts.Defer(func() { ts.Check(stop()) })
	ts.Check(err)
	ts.Setenv("TSA", address)
}

// startOutside starts a timestamp authority and a witness of a log, and writes
// one.pem, other.pem and witness.policy into dir.
func startOutside(dir string, key tlog.Key) (tsaURL string, stop func() error, err error) {
	var stops []func() error
	stop = func() (err error) {
		for _, f := range stops {
			err = errors.Join(err, f())
		}
		return err
	}
	for _, name := range []string{"other", "one"} {
		tsa, err := anchortest.NewTSA(anchortest.TSAConfig{Name: name})
		if err != nil {
			return "", stop, err
		}
		stops, tsaURL = append(stops, tsa.Close), tsa.URL
		if err := os.WriteFile(filepath.Join(dir, name+".pem"), tsa.Roots, 0o644); err != nil {
			return "", stop, err
		}
	}
	secret, public, err := anchor.NewWitnessKey(rand.Reader, "test.example/w1")
	if err != nil {
		return "", stop, err
	}
	w, err := anchor.NewWitness(anchor.WitnessConfig{Key: secret, Dir: filepath.Join(dir, "witness"), Logs: []anchor.WitnessLog{{VKey: key.Public}}})
	if err != nil {
		return "", stop, err
	}
	s := httptest.NewServer(w)
	stops = append(stops, func() error { s.Close(); return w.Close() })
	policy := fmt.Appendf(nil, "log %s\nwitness peer %s %s\nquorum peer\n", key.Public, public, s.URL)
	return tsaURL, stop, os.WriteFile(filepath.Join(dir, "witness.policy"), policy, 0o644)
}

// newAnchoredProgram is a program whose log exists and whose configuration names
// an authority and a witness. It visits an https page, whose address is returned.
func newAnchoredProgram(t *testing.T) (*program, string) {
	t.Helper()
	site := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<p>Terms</p>") }))
	t.Cleanup(site.Close)
	config := "crawl: {delay: 0s, allow_private_networks: true, ca_file: ca.pem}\ndeclarations: [declarations]\n"
	p := newProgram(t, config, "name: A\nterms:\n  Terms:\n    - url: "+site.URL+"/terms\n")
	p.write(t, "ca.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: site.Certificate().Raw})))
	p.must(t, []int{0}, "-q", "crawl")
	address, stop, err := startOutside(p.dir, p.logKey(t))
	t.Cleanup(func() { must(t, stop()) })
	must(t, err)
	p.write(t, "fineprint.yaml", config+"anchors:\n  tsa: [{name: one, url: '"+address+"', roots: one.pem}]\n  witness_policy: witness.policy\n")
	return p, site.URL + "/terms"
}

func (p *program) logKey(t *testing.T) tlog.Key {
	t.Helper()
	text, err := os.ReadFile(p.path("log.key"))
	must(t, err)
	key, err := tlog.ParseKey(string(text))
	must(t, err)
	return key
}

// logEntries returns the entries of the log by type.
func (p *program) logEntries(t *testing.T) map[evidence.Type][]evidence.Entry {
	t.Helper()
	dir, err := store.OpenDir(p.path("archive"))
	must(t, err)
	r := tlog.NewReader(dir, p.logKey(t).Verifier)
	cp, err := r.Checkpoint(t.Context())
	must(t, err)
	all := map[evidence.Type][]evidence.Entry{}
	for leaf, err := range r.Entries(t.Context(), cp, 0, cp.Size) {
		must(t, err)
		e, err := evidence.ParseEntry(leaf.Data)
		must(t, err)
		all[e.Type] = append(all[e.Type], e)
	}
	return all
}

// The connection of a page commits to the newest anchored list: that of the crawl
// before.
func TestAnchorInHandshake(t *testing.T) {
	t.Parallel()
	p, page := newAnchoredProgram(t)
	p.must(t, []int{0}, "-q", "crawl") // nothing was anchored when it began
	p.must(t, []int{0}, "-q", "crawl")
	found := p.logEntries(t)
	looks, lists := found[evidence.TypeLook], found[evidence.TypeAnchor]
	if len(looks) != 3 || len(lists) != 1 {
		t.Fatalf("the log has %d looks and %d anchors, want 3 and 1", len(looks), len(lists))
	}
	for i, look := range looks[:2] {
		if look.TLS == nil || !look.TLS.Anchor.IsZero() || !look.TLS.Handshake.IsZero() {
			t.Errorf("look %d, before any anchor: tls %+v", i+1, look.TLS)
		}
	}
	if tls := looks[2].TLS; tls == nil || tls.Handshake.IsZero() || tls.Anchor != lists[0].ListSHA256 {
		t.Errorf("look 3: tls %+v, want the commitment to list %s", tls, lists[0].ListSHA256.Hex())
	}

	// A stranger who trusts the authority and the witness has the look between two
	// times, from the bundle alone.
	p.must(t, []int{0}, "-q", "capture", page, "-o", "look.zip")
	o := p.must(t, []int{0}, "--json", "verify", "look.zip", "--policy", "witness.policy", "--tsa-roots", "one.pem", "--tls-roots", "ca.pem")
	for _, claim := range []string{"witnesses", "timestamp", "tls", "time"} {
		if !strings.Contains(o.stdout, `"claim":"`+claim+`","verdict":"ok"`) {
			t.Errorf("verify does not find %s ok:\n%s", claim, o.stdout)
		}
	}
}

// The program is killed before each step of a round; what comes after completes
// it, each list stands in the log once, and a rebuild gives the same catalog.
func TestAnchorKilled(t *testing.T) {
	t.Parallel()
	p, _ := newAnchoredProgram(t)
	for _, step := range []string{"anchor-mark", "anchor-file:2", "anchor-file:3", "anchor-list", "anchor-catalog", "anchor-drop", "anchor-logged"} {
		name, number, found := strings.Cut(step, ":")
		if !found {
			number = "1"
		}
		p.env = []string{killEnv + "=" + name + ":" + number}
		if o := p.run(t, "-q", "crawl"); !o.killed {
			t.Fatalf("step %s: not killed: %s", step, o)
		}
		p.env = nil
	}
	p.must(t, []int{0}, "-q", "anchor")
	p.must(t, []int{0}, "-q", "crawl")
	found := p.logEntries(t)
	seen := map[string]bool{}
	for _, e := range found[evidence.TypeAnchor] {
		if seen[e.List] {
			t.Errorf("%s stands in the log twice", e.List)
		}
		seen[e.List] = true
	}
	if n := len(found[evidence.TypeLook]); n != 9 || len(seen) < 3 {
		t.Errorf("%d looks, %d anchors in the log; want 9 and at least 3", n, len(seen))
	}
	for key := range p.objects(t) {
		if strings.HasPrefix(key, "pending") {
			t.Errorf("left behind: %s", key)
		}
	}
	p.must(t, []int{0}, "rebuild", "--database", "again.sqlite")
	if got, want := dump(t, p.path("again.sqlite")), dump(t, p.path("catalog.sqlite")); got != want {
		t.Errorf("rebuilt:\n%s\nlive:\n%s", got, want)
	}
}

// Authorities have a form as text for flags and variables, a public one needs no
// address, and paths are relative to the file.
func TestAnchorsConfig(t *testing.T) {
	t.Parallel()
	p := newProgram(t, "anchors:\n  tsa: [{name: freetsa, roots: a.pem}, {name: own, url: 'https://tsa.example/', roots: system}]\n  witness_policy: w.policy\n  timeout: 5s\n", "")
	c, err := loadConfig(p.path("fineprint.yaml"), nil, nil)
	must(t, err)
	want := tsaList{{Name: "freetsa", URL: "https://freetsa.org/tsr", Roots: p.path("a.pem")}, {Name: "own", URL: "https://tsa.example/", Roots: "system"}}
	if diff := cmp.Diff(want, c.Anchors.TSA); diff != "" || c.Anchors.WitnessPolicy != p.path("w.policy") {
		t.Errorf("of the file: %s, %s", diff, c.Anchors.WitnessPolicy)
	}
	digest := c.digest()
	c, err = loadConfig(p.path("fineprint.yaml"), nil, []string{
		"FINEPRINT_ANCHORS_TSA=freetsa b.pem, own " + filepath.Join(p.dir, "c.pem") + " http://tsa.example/?key=secret", "FINEPRINT_ANCHORS_CALENDARS=https://c.example,https://d.example",
	})
	must(t, err)
	want = tsaList{{Name: "freetsa", URL: "https://freetsa.org/tsr", Roots: p.path("b.pem")}, {Name: "own", URL: "http://tsa.example/?key=secret", Roots: p.path("c.pem")}}
	if diff := cmp.Diff(want, c.Anchors.TSA); diff != "" || len(c.Anchors.Calendars) != 2 {
		t.Errorf("of the environment: %s, %q", diff, c.Anchors.Calendars)
	}
	if c.digest() != digest {
		t.Error("an address that may hold a key is part of the settings' digest")
	}
}
