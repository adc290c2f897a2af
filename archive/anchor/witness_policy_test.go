package anchor

import (
	"crypto/rand"
	"fmt"
	"strings"
	"testing"
	"time"

	"filippo.io/torchwood"
	"golang.org/x/mod/sumdb/note"
)

// policyKeys are witnesses a, b, c, d for tests, the same in every process.
type policyKeys struct {
	cosigner []*cosigner
	vkey     []string
}

func newPolicyKeys(t testing.TB) policyKeys {
	t.Helper()
	var k policyKeys
	for _, name := range []string{"a", "b", "c", "d"} {
		skey, vkey, err := NewWitnessKey(strings.NewReader(strings.Repeat(name, 32)), name+".example/w")
		if err != nil {
			t.Fatal(err)
		}
		c, err := parseCosigner(skey)
		if err != nil {
			t.Fatal(err)
		}
		k.cosigner, k.vkey = append(k.cosigner, c), append(k.vkey, vkey)
	}
	return k
}

// text fills LOG and A, B, C, D in a policy.
func (k policyKeys) text(l *testLog, s string) string {
	return strings.NewReplacer("LOG", l.vkey, "A ", k.vkey[0]+" ", "B ", k.vkey[1]+" ", "C ", k.vkey[2]+" ", "D ", k.vkey[3]+" ").Replace(s)
}

const groupsPolicy = `# two operators
log LOG https://fineprint.example/
	witness a A https://a.example/
witness b B https://b.example/w
witness c C 
witness d D 
group one 2 a b c
group all-of-them all one d
quorum all-of-them
`

func TestPolicy(t *testing.T) {
	l := newTestLog(t).grow(0, 10)
	k := newPolicyKeys(t)
	p := mustPolicy(t, k.text(l, groupsPolicy))
	// The second opinion, where both know the grammar.
	theirs, err := torchwood.ParsePolicy([]byte(k.text(l, groupsPolicy)))
	if err != nil {
		t.Fatal(err)
	}
	if w := p.Witnesses(); len(w) != 4 || w[1] != (WitnessEndpoint{"b", k.vkey[1], "https://b.example/w"}) || w[2].URL != "" {
		t.Errorf("Witnesses() = %v", w)
	}
	if got := p.Logs(); len(got) != 1 || got[0] != (PolicyLog{testOrigin, l.vkey, "https://fineprint.example/"}) {
		t.Errorf("Logs() = %v", got)
	}
	checkpoint := l.checkpoint(10)
	text, _, err := splitCheckpoint(checkpoint)
	if err != nil {
		t.Fatal(err)
	}
	// Every set of cosigners.
	for set := range 16 {
		var lines strings.Builder
		for i := range 4 {
			if set&(1<<i) != 0 {
				lines.WriteString(k.cosigner[i].line(text, time.Unix(int64(1000+i*100), 0)))
			}
		}
		r, err := VerifyCosignatures(checkpoint, []byte(lines.String()), p)
		if err != nil {
			t.Fatal(err)
		}
		_, _, theirErr := torchwood.VerifyCheckpoint(append(checkpoint[:len(checkpoint):len(checkpoint)], lines.String()...), theirs)
		if r.OK() != (theirErr == nil) || !r.LogSigned || r.Quorum != (r.QuorumError == "") {
			t.Errorf("cosigners %04b: OK %v (%s), torchwood says %v", set, r.OK(), r.QuorumError, theirErr)
		}
		for i, w := range r.Witnesses {
			if w.Cosigned != (set&(1<<i) != 0) || w.Invalid {
				t.Errorf("cosigners %04b: witness %+v", set, w)
			}
		}
		if r.Quorum && !r.QuorumTime.Equal(time.Unix(1300, 0)) {
			t.Errorf("cosigners %04b: quorum at %v, want that of d", set, r.QuorumTime.Unix())
		}
	}
}

func TestParsePolicyRefuses(t *testing.T) {
	l := newTestLog(t)
	k := newPolicyKeys(t)
	renamed := newCosigner("z.example/other", k.cosigner[0].key).vkey()
	for _, test := range []struct{ text, want string }{
		{"", "no quorum line"},
		{"witness a A \n", "no quorum line"},
		{"quorum a\nwitness a A \n", "line 1: quorum: no witness or group"},
		{"witness a A \nquorum a\nquorum a\n", "line 3: a second quorum"},
		{"witness none A \nquorum none\n", "reserved"},
		{"witness a A \nwitness a B \nquorum a\n", `line 2: the name "a" is used twice`},
		{"witness a A \nwitness b A \ngroup g all a b\nquorum g\n", "line 2: key"},
		{"witness a A \nwitness b " + renamed + "\ngroup g all a b\nquorum g\n", "listed twice"},
		{"log LOG\nlog LOG\nquorum none\n", "listed twice"},
		{"witness a A \ngroup g 2 a\nquorum g\n", "threshold"},
		{"witness a A \ngroup g 0 a\nquorum g\n", "threshold"},
		{"witness a A \ngroup g 01 a\nquorum g\n", "threshold"},
		{"witness a A \ngroup g any a a\nquorum g\n", "member of a group already"},
		{"witness a A \nwitness b B \ngroup g any a\ngroup h all a b\nquorum h\n", "member of a group already"},
		{"group g any g\nquorum g\n", `no witness or group "g"`},
		{"group g any\nquorum g\n", "expected"},
		{"witness a LOG\nquorum a\n", "signature type 4"},
		{"log A \nquorum none\n", "log key"},
		{"witness a A ftp://a.example/\nquorum a\n", "no http or https address"},
		{"witness a A https://user:secret@a.example/\nquorum a\n", "credentials"},
		{"witness a A https://a.example/ more\nquorum a\n", "expected"},
		{"trust a\nquorum none\n", `unknown keyword "trust"`},
		{"quorum none # really\n", "expected"},
		{"quorum none\r\n", "control character"},
	} {
		_, err := ParsePolicy([]byte(k.text(l, test.text)))
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("ParsePolicy(%q): error %v, want %q", test.text, err, test.want)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("ParsePolicy(%q): the error holds the password", test.text)
		}
	}
}

// TestPolicyLogs: several logs are alternatives, each for its own origin only.
func TestPolicyLogs(t *testing.T) {
	l, other := newTestLog(t).grow(0, 5), newTestLog(t).grow(0, 5)
	for _, test := range []struct {
		name, text   string
		with         string
		signed, quor bool
	}{
		{"both", "log LOG\nlog OTHER\nquorum none\n", "", true, true},
		{"the other only", "log OTHER\nquorum none\n", "", false, true},
		{"none", "quorum none\n", "", false, true},
		{"none, with a key", "quorum none\n", l.vkey, true, true},
	} {
		text := strings.NewReplacer("LOG", l.vkey, "OTHER", other.vkey).Replace(test.text)
		p := mustPolicy(t, text)
		if test.with != "" {
			var err error
			if p, err = p.WithLog(test.with); err != nil {
				t.Fatal(err)
			}
		}
		r, err := VerifyCosignatures(l.checkpoint(5), nil, p)
		if err != nil || r.LogSigned != test.signed || r.Quorum != test.quor || !r.QuorumTime.IsZero() {
			t.Errorf("%s: %+v, %v", test.name, r, err)
		}
	}
	// A key for one origin does not speak for another.
	skey, vkey, err := note.GenerateKey(rand.Reader, "elsewhere.example/log")
	if err != nil {
		t.Fatal(err)
	}
	signer, err := note.NewSigner(skey)
	if err != nil {
		t.Fatal(err)
	}
	text, _, _ := splitCheckpoint(l.checkpoint(5))
	signed, err := note.Sign(&note.Note{Text: text}, signer)
	if err != nil {
		t.Fatal(err)
	}
	r, err := VerifyCosignatures(signed, nil, mustPolicy(t, "log "+vkey+"\nquorum none\n"))
	if err != nil || r.LogSigned {
		t.Errorf("another log's signature under our origin: %+v, %v", r, err)
	}
}

// TestVerifyCosignatures: what is wrong is said of the witness it concerns.
func TestVerifyCosignatures(t *testing.T) {
	l := newTestLog(t).grow(0, 10)
	k := newPolicyKeys(t)
	p := mustPolicy(t, k.text(l, groupsPolicy))
	checkpoint := l.checkpoint(10)
	text, _, _ := splitCheckpoint(checkpoint)
	earlier, _, _ := splitCheckpoint(l.checkpoint(9))
	at := func(seconds int64) time.Time { return time.Unix(seconds, 0) }
	lines := k.cosigner[0].line(text, at(500)) + k.cosigner[0].line(text, at(400)) + // twice
		k.cosigner[1].line(earlier, at(300)) + // about another tree
		k.cosigner[2].line(text, at(0)) // without time
	r, err := VerifyCosignatures(checkpoint, []byte(lines), p)
	if err != nil {
		t.Fatal(err)
	}
	got := ""
	for _, w := range r.Witnesses {
		got += fmt.Sprintf("%s cosigned=%v invalid=%v %d\n", w.Name, w.Cosigned, w.Invalid, max(w.Time.Unix(), 0))
	}
	want := "a cosigned=true invalid=false 400\nb cosigned=false invalid=true 0\nc cosigned=false invalid=true 0\nd cosigned=false invalid=false 0\n"
	if got != want || r.Quorum || r.OK() {
		t.Errorf("report:\n%swant\n%s", got, want)
	}
	tampered := strings.Replace(string(checkpoint), "\n10\n", "\n11\n", 1)
	if r, err := VerifyCosignatures([]byte(tampered), nil, p); err != nil || r.LogSigned || !r.LogInvalid {
		t.Errorf("a changed checkpoint: %+v, %v", r, err)
	}
	for _, bad := range []string{"", "text\n", "a\n1\nx\n\n— a b\n", strings.Repeat("x", maxCheckpointSize+1)} {
		if _, err := VerifyCosignatures([]byte(bad), nil, p); err == nil {
			t.Errorf("VerifyCosignatures(%.20q) gives no error", bad)
		}
	}
	if _, err := VerifyCosignatures(checkpoint, []byte(strings.Repeat(lines, 40)), p); err == nil {
		t.Error("too many lines give no error")
	}
}
