package anchor

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"filippo.io/torchwood"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const (
	// maxWitnessRequest bounds the body of an add-checkpoint request, in bytes:
	// 63 proof lines and a checkpoint with some dozens of signatures.
	maxWitnessRequest = 16 << 10
	// repeatWithin: the same checkpoint asked for again in this time gets the
	// same cosignature, so that replays cost neither a signature nor a sync.
	repeatWithin = time.Minute
	// maxClockStep: so far the clock may be behind our last cosignature (a small
	// correction). Further, and the witness stops signing.
	maxClockStep = time.Minute
)

// WitnessConfig configures a witness.
type WitnessConfig struct {
	Key  string       // secret key as made by NewWitnessKey
	Dir  string       // folder of its memory, made if needed; never shared, never set back
	Logs []WitnessLog // whose checkpoints it cosigns

	Log *slog.Logger     // nil: silent
	Now func() time.Time // nil: time.Now
}

// WitnessLog is a key of a log that a witness follows. Several keys with the
// same name are of the same log.
type WitnessLog struct {
	VKey   string // verifier key; its name is the log's origin
	PerDay int    // cosignatures of growing trees in 24 hours, 0 for any number; the smallest of several keys counts
}

// Witness cosigns the checkpoints of the logs that it knows, and of each log
// only a growing, consistent tree: it never signs two histories. It is an
// http.Handler for both prefixes of c2sp.org/tlog-witness:
//
//	POST /add-checkpoint           200 cosignature; 400, 403, 404, 409, 413, 422, 429
//	GET  /<hex sha256(origin)>/checkpoint   the last one cosigned; 404
//
// Put it behind http.StripPrefix for other prefixes, and TLS and time limits
// in front of it. It is safe for concurrent use.
type Witness struct {
	cosigner *cosigner
	state    *witnessState
	logs     map[string]*witnessedLog // by origin, fixed
	byHash   map[string]*witnessedLog // by originHash, fixed
	mux      *http.ServeMux
	log      *slog.Logger
	now      func() time.Time
}

// witnessedLog is one log that the witness follows.
type witnessedLog struct {
	origin string
	keys   note.Verifiers
	vkeys  []note.Verifier
	perDay int // 0: any number

	// mu guards the fields below. It is held from the look at last until the
	// next one is durable: two requests for one log pass one after the other.
	mu     sync.Mutex
	last   cosigned
	tokens float64 // cosignatures that may be given at filled
	filled time.Time
}

// NewWitness opens the memory of a witness and locks it for this process
// (ErrWitnessBusy). It refuses to start on a memory that it cannot read or that
// another key wrote. The caller closes the witness after the server that uses it.
func NewWitness(cfg WitnessConfig) (*Witness, error) {
	c, err := parseCosigner(cfg.Key)
	if err != nil {
		return nil, err
	}
	verifier, err := c.verifier()
	if err != nil {
		return nil, fmt.Errorf("witness key: %w", err)
	}
	w := &Witness{cosigner: c, log: cfg.Log, now: cfg.Now, mux: http.NewServeMux()}
	if w.log == nil {
		w.log = slog.New(slog.DiscardHandler)
	}
	if w.now == nil {
		w.now = time.Now
	}
	if w.logs, err = witnessedLogs(cfg.Logs); err != nil {
		return nil, err
	}
	if w.state, err = openWitnessState(cfg.Dir, verifier); err != nil {
		return nil, err
	}
	if err := w.load(); err != nil {
		return nil, errors.Join(err, w.state.close())
	}
	w.mux.HandleFunc("POST /add-checkpoint", w.serveAdd)
	w.mux.HandleFunc("GET /{hash}/checkpoint", w.serveCheckpoint)
	return w, nil
}

func witnessedLogs(configured []WitnessLog) (map[string]*witnessedLog, error) {
	logs := map[string]*witnessedLog{}
	for _, l := range configured {
		v, err := note.NewVerifier(l.VKey)
		if err != nil {
			return nil, fmt.Errorf("witness: log key %q: %w", l.VKey, err)
		}
		if l.PerDay < 0 {
			return nil, fmt.Errorf("witness: log %q: %d cosignatures per day", v.Name(), l.PerDay)
		}
		known := logs[v.Name()]
		if known == nil {
			known = &witnessedLog{origin: v.Name()}
			logs[v.Name()] = known
		}
		known.vkeys = append(known.vkeys, v)
		known.keys = note.VerifierList(known.vkeys...)
		if l.PerDay > 0 && (known.perDay == 0 || l.PerDay < known.perDay) {
			known.perDay = l.PerDay
		}
	}
	if len(logs) == 0 {
		return nil, errors.New("witness: no logs are configured, so there is nothing to cosign")
	}
	return logs, nil
}

// load reads the last state of every log.
func (w *Witness) load() (err error) {
	w.byHash = map[string]*witnessedLog{}
	for origin, l := range w.logs {
		w.byHash[originHash(origin)] = l
		if l.last, err = w.state.read(origin); err != nil {
			return err
		}
		l.tokens, l.filled = float64(l.perDay), w.now()
		w.log.Info("witness follows log", "origin", origin, "size", l.last.checkpoint.N)
	}
	left, err := w.state.strangers(slices.Collect(maps.Keys(w.logs)))
	for _, hash := range left {
		w.log.Warn("witness remembers a log that is not configured any more", "origin_sha256", hash)
	}
	return err
}

// VKey returns the verifier key of the witness, for policy files.
func (w *Witness) VKey() string { return w.cosigner.vkey() }

// Close gives the folder free. Requests must have ended.
func (w *Witness) Close() error { return w.state.close() }

// ServeHTTP answers the two calls of the protocol.
func (w *Witness) ServeHTTP(rw http.ResponseWriter, r *http.Request) { w.mux.ServeHTTP(rw, r) }

// witnessRefusal is an answer other than 200.
type witnessRefusal struct {
	status     int
	reason     string
	size       int64         // with 409
	retryAfter time.Duration // with 429
}

func (w *Witness) serveAdd(rw http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(rw, r.Body, maxWitnessRequest))
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		w.refuse(rw, &witnessRefusal{status: http.StatusRequestEntityTooLarge, reason: fmt.Sprintf("request has more than %d bytes", maxWitnessRequest)})
		return
	}
	if err != nil {
		w.refuse(rw, &witnessRefusal{status: http.StatusBadRequest, reason: "request ended early"})
		return
	}
	line, no := w.add(body)
	if no != nil {
		w.refuse(rw, no)
		return
	}
	rw.Header().Set("Content-Type", "text/plain; charset=utf-8")
	// A client that went away gets the line when it asks again.
	_, _ = io.WriteString(rw, line)
}

func (w *Witness) refuse(rw http.ResponseWriter, no *witnessRefusal) {
	if no.status == http.StatusConflict {
		rw.Header().Set("Content-Type", "text/x.tlog.size")
		rw.WriteHeader(no.status)
		// As above: the client will ask again.
		_, _ = fmt.Fprintf(rw, "%d\n", no.size)
		return
	}
	if no.retryAfter > 0 {
		rw.Header().Set("Retry-After", strconv.FormatInt(int64(no.retryAfter/time.Second)+1, 10))
	}
	http.Error(rw, no.reason, no.status)
}

func (w *Witness) serveCheckpoint(rw http.ResponseWriter, r *http.Request) {
	l := w.byHash[r.PathValue("hash")]
	if l == nil {
		http.Error(rw, "unknown log", http.StatusNotFound)
		return
	}
	l.mu.Lock()
	signed := l.last.signed
	l.mu.Unlock()
	if signed == nil {
		http.Error(rw, "nothing of this log was cosigned yet", http.StatusNotFound)
		return
	}
	rw.Header().Set("Content-Type", "text/plain; charset=utf-8")
	rw.Header().Set("Cache-Control", "no-cache")
	// A client that went away asks again.
	_, _ = rw.Write(signed)
}

// add decides on one request, in the order of c2sp.org/tlog-witness.
func (w *Witness) add(body []byte) (line string, no *witnessRefusal) {
	request, err := parseAddCheckpoint(body)
	if err != nil {
		return "", &witnessRefusal{status: http.StatusBadRequest, reason: err.Error()}
	}
	origin, _, _ := bytes.Cut(request.checkpoint, []byte("\n"))
	l := w.logs[string(origin)]
	if l == nil {
		w.log.Debug("witness was asked about an unknown log", "origin", clip(origin))
		return "", &witnessRefusal{status: http.StatusNotFound, reason: "unknown log"}
	}
	n, err := note.Open(request.checkpoint, l.keys)
	var unknown *note.UnverifiedNoteError
	var wrong *note.InvalidSignatureError
	if errors.As(err, &unknown) || errors.As(err, &wrong) {
		w.log.Warn("witness refused a checkpoint without a valid signature of the log", "origin", l.origin, "err", err)
		return "", &witnessRefusal{status: http.StatusForbidden, reason: "no valid signature by a key of this log"}
	}
	if err != nil {
		return "", &witnessRefusal{status: http.StatusBadRequest, reason: "malformed signed checkpoint"}
	}
	c, err := torchwood.ParseCheckpoint(n.Text)
	if err != nil || c.String() != n.Text {
		return "", &witnessRefusal{status: http.StatusBadRequest, reason: "malformed checkpoint"}
	}
	if request.old > c.N {
		return "", &witnessRefusal{status: http.StatusBadRequest, reason: fmt.Sprintf("old size %d is larger than the checkpoint's %d", request.old, c.N)}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return w.cosign(l, request, n, c)
}

// cosign signs a checkpoint that bears a valid signature of its log if it goes
// on from the last one. l.mu is held.
func (w *Witness) cosign(l *witnessedLog, request addCheckpoint, n *note.Note, c torchwood.Checkpoint) (line string, no *witnessRefusal) {
	if request.old != l.last.checkpoint.N {
		return "", &witnessRefusal{status: http.StatusConflict, size: l.last.checkpoint.N}
	}
	if err := checkGrowth(l.last.checkpoint, c, request.proof); err != nil {
		// Both checkpoints are signed by the log: if the proof is the log's own,
		// they show that it rewrote its history. Keep them where a person looks.
		w.log.Warn("witness refused a checkpoint that contradicts the last one cosigned", "origin", l.origin,
			"err", err, "checkpoint", string(request.checkpoint), "last", string(l.last.signed))
		return "", &witnessRefusal{status: http.StatusUnprocessableEntity, reason: err.Error()}
	}
	now := w.now().UTC().Truncate(time.Second)
	if now.Before(l.last.at) {
		if l.last.at.Sub(now) > maxClockStep {
			w.log.Error("clock is behind the last cosignature: nothing is cosigned until it has caught up or is corrected",
				"origin", l.origin, "now", now, "last", l.last.at)
			return "", &witnessRefusal{status: http.StatusServiceUnavailable, reason: "the clock of this witness is being corrected"}
		}
		now = l.last.at
	}
	if n.Text == l.last.text && now.Sub(l.last.at) < repeatWithin {
		return l.last.line, nil
	}
	if wait := l.take(now, c.N > l.last.checkpoint.N); wait > 0 {
		w.log.Warn("witness refused a log that exceeds its rate", "origin", l.origin, "per_day", l.perDay)
		return "", &witnessRefusal{status: http.StatusTooManyRequests, retryAfter: wait, reason: fmt.Sprintf("this log may have %d cosignatures a day", l.perDay)}
	}
	next := w.sign(n, c, now)
	if err := w.state.write(l.origin, next.signed); err != nil {
		// The file may hold the new state by now. Nobody has its cosignature, so
		// going on from the old one signs no second history.
		w.log.Error("witness could not save its state and withholds the cosignature", "origin", l.origin, "err", err)
		return "", &witnessRefusal{status: http.StatusInternalServerError, reason: "the witness could not save its state"}
	}
	l.last = next
	w.log.Info("cosigned", "origin", l.origin, "old", request.old, "size", c.N)
	return next.line, nil
}

// checkGrowth says whether next goes on from last, which is the empty tree if
// nothing was cosigned yet. The old size claimed is last.N already.
func checkGrowth(last, next torchwood.Checkpoint, proof tlog.TreeProof) error {
	// RFC 6962, section 2.1: the root of the empty tree is the hash of nothing.
	if next.N == 0 && next.Hash != tlog.Hash(sha256.Sum256(nil)) {
		return errors.New("bad root hash of an empty tree")
	}
	// The empty tree is a prefix of every tree: there is nothing to prove.
	if last.N == 0 {
		if len(proof) != 0 {
			return errors.New("bad consistency proof: none is due from size 0")
		}
		return nil
	}
	if next.N == last.N && next.Hash != last.Hash {
		return errors.New("bad consistency proof: another root hash at the same size")
	}
	if err := tlog.CheckTree(proof, next.N, next.Hash, last.N, last.Hash); err != nil {
		return errors.New("bad consistency proof")
	}
	return nil
}

// sign makes the next state: the text, the log's signatures that verified, and
// our cosignature as the last line.
func (w *Witness) sign(n *note.Note, c torchwood.Checkpoint, at time.Time) cosigned {
	var b strings.Builder
	b.WriteString(n.Text + "\n")
	for _, sig := range n.Sigs {
		fmt.Fprintf(&b, "— %s %s\n", sig.Name, sig.Base64)
	}
	line := w.cosigner.line(n.Text, at)
	b.WriteString(line)
	return cosigned{signed: []byte(b.String()), checkpoint: c, text: n.Text, line: line, at: at}
}

// take spends one cosignature of the log's daily number and returns 0, or says
// how long to wait. Fresh cosignatures of the same tree are free: a stranger
// who replays a public checkpoint must not use up the log's number.
func (l *witnessedLog) take(now time.Time, growing bool) time.Duration {
	if l.perDay == 0 || !growing {
		return 0
	}
	perSecond := float64(l.perDay) / (24 * 60 * 60)
	if passed := now.Sub(l.filled).Seconds(); passed > 0 {
		l.tokens = min(float64(l.perDay), l.tokens+passed*perSecond)
		l.filled = now
	}
	if l.tokens < 1 {
		return time.Duration((1 - l.tokens) / perSecond * float64(time.Second))
	}
	l.tokens--
	return 0
}
