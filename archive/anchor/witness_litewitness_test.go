package anchor

import (
	"bufio"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"database/sql"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"filippo.io/torchwood"
	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
	_ "modernc.org/sqlite" // litewitness keeps its logs in SQLite
)

// litewitnessBinary finds torchwood's witness.
func litewitnessBinary(t *testing.T) string {
	t.Helper()
	name, err := exec.LookPath("litewitness")
	if err != nil {
		t.Skip("litewitness is not installed: go install filippo.io/torchwood/cmd/litewitness@latest")
	}
	return name
}

// litewitness is a running process.
type litewitness struct {
	t                 *testing.T
	binary, dir, name string
	fingerprint       string
	vkey, url         string
	cmd               *exec.Cmd
}

// newLitewitness prepares key, agent and database for a log. start runs it.
func newLitewitness(t *testing.T, l *testLog) *litewitness {
	t.Helper()
	w := &litewitness{t: t, binary: litewitnessBinary(t), name: "lite.example/w1"}
	// Paths of Unix sockets are short.
	dir, err := os.MkdirTemp("", "lw")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	w.dir = dir
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := torchwood.NewCosignatureSigner(w.name, key)
	if err != nil {
		t.Fatal(err)
	}
	w.vkey = signer.Verifier().String()
	public, err := ssh.NewPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	w.fingerprint = ssh.FingerprintSHA256(public)
	serveAgent(t, filepath.Join(dir, "agent.sock"), key)
	return w
}

// serveAgent runs an ssh-agent with one key.
func serveAgent(t *testing.T, socket string, key ed25519.PrivateKey) {
	t.Helper()
	keyring := agent.NewKeyring()
	if err := keyring.Add(agent.AddedKey{PrivateKey: key}); err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	t.Cleanup(func() { listener.Close(); <-done })
	go func() {
		defer close(done)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				_ = agent.ServeAgent(keyring, conn)
			}()
		}
	}()
}

// addLog does what witnessctl add-log and add-key do.
func (w *litewitness) addLog(l *testLog) {
	w.t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(w.dir, "lite.db"))
	if err != nil {
		w.t.Fatal(err)
	}
	defer db.Close()
	root := "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=" // of the empty tree
	for _, statement := range []string{
		"INSERT INTO log (origin, tree_size, tree_hash) VALUES ('" + testOrigin + "', 0, '" + root + "')",
		"INSERT INTO key (origin, key) VALUES ('" + testOrigin + "', '" + l.vkey + "')",
	} {
		if _, err := db.Exec(statement); err != nil {
			w.t.Fatal(err)
		}
	}
}

// start runs the process on a free port until stop.
func (w *litewitness) start() string {
	w.t.Helper()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		w.t.Fatal(err)
	}
	address := free.Addr().String()
	free.Close()
	w.url = "http://" + address
	w.cmd = exec.Command(w.binary, "-db", filepath.Join(w.dir, "lite.db"), "-name", w.name,
		"-ssh-agent", filepath.Join(w.dir, "agent.sock"), "-key", w.fingerprint, "-listen", address)
	talk, err := w.cmd.StderrPipe()
	if err != nil {
		w.t.Fatal(err)
	}
	if err := w.cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(w.stop)
	lines := bufio.NewReader(talk)
	var said strings.Builder
	for {
		line, err := lines.ReadString('\n')
		said.WriteString(line)
		if err != nil {
			w.t.Fatalf("litewitness ended: %s", &said)
		}
		if strings.Contains(line, "msg=listening") {
			break
		}
	}
	go io.Copy(io.Discard, lines)
	// The line comes a moment before the socket.
	ctx, cancel := context.WithTimeout(w.t.Context(), 10*time.Second)
	defer cancel()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, w.url, nil)
		if err != nil {
			w.t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(req)
		if err == nil {
			resp.Body.Close()
			return w.url
		}
		if ctx.Err() != nil {
			w.t.Fatalf("litewitness does not listen: %v", err)
		}
	}
}

func (w *litewitness) stop() {
	if w.cmd == nil {
		return
	}
	_ = w.cmd.Process.Kill()
	_ = w.cmd.Wait()
	w.cmd = nil
}

// TestLitewitness holds the same conversation with a witness that is not ours,
// then checks our client and policy against it.
func TestLitewitness(t *testing.T) {
	l := newTestLog(t)
	w := newLitewitness(t, l)
	w.start() // makes the database
	w.stop()
	w.addLog(l)
	witnessConversation(t, l, w.start(), func() string {
		w.stop()
		return w.start()
	})

	l.grow(1600, 1700)
	endpoint := WitnessEndpoint{Name: "lite", VKey: w.vkey, URL: w.url + "/"}
	cosig, err := Cosign(t.Context(), http.DefaultClient, endpoint, l.checkpoint(1700), 0, l.proof(1700))
	if err != nil {
		t.Fatal(err)
	}
	policy := mustPolicy(t, "log "+l.vkey+"\nwitness lite "+w.vkey+" "+w.url+"\nquorum lite\n")
	report, err := VerifyCosignatures(l.checkpoint(1700), cosig.Line, policy)
	if err != nil || !report.OK() || !report.QuorumTime.Equal(cosig.Time) {
		t.Errorf("report %+v, %v", report, err)
	}
	forked := l.fork().grow(0, 1800, 17)
	_, err = Cosign(t.Context(), http.DefaultClient, endpoint, forked.checkpoint(1750), 1700, forked.proof(1750))
	if err == nil || !strings.Contains(err.Error(), ErrWitnessInconsistent.Error()) {
		t.Errorf("a history with one entry removed: error %v", err)
	}
}
