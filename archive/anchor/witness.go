package anchor

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"filippo.io/torchwood"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// The kinds of failure of Cosign, found with errors.Is. Each *WitnessError has
// one of them.
var (
	// ErrWitnessUnavailable: no answer, or one that says "not now" (429, 5xx).
	// The same request may be made again later.
	ErrWitnessUnavailable = errors.New("witness unavailable")
	// ErrWitnessUnknownLog: the witness does not follow this log (404); its
	// operator has to be asked.
	ErrWitnessUnknownLog = errors.New("witness does not know this log")
	// ErrWitnessLogKey: the witness knows the origin, and none of the signatures
	// is by a key that it trusts for it (403).
	ErrWitnessLogKey = errors.New("witness does not trust the key of this log")
	// ErrWitnessInconsistent: the checkpoint does not contain the tree that the
	// witness cosigned before (422). If the proof was made from the very log,
	// its history was rewritten. A person must look.
	ErrWitnessInconsistent = errors.New("witness refuses: checkpoint contradicts the tree it cosigned before")
	// ErrWitnessAhead: the witness has cosigned a larger tree of this log (409).
	// Either a newer checkpoint is on its way, or the log was set back.
	ErrWitnessAhead = errors.New("witness has cosigned a larger tree")
	// ErrWitnessRefused: another refusal (any other 4xx); the request is at fault.
	ErrWitnessRefused = errors.New("witness refuses the request")
	// ErrWitnessAnswer: the answer is not what the protocol asks for, or holds
	// no valid cosignature of the key that the policy names.
	ErrWitnessAnswer = errors.New("answer of the witness cannot be used")
)

// maxWitnessAnswer bounds what is read of an answer, in bytes.
const maxWitnessAnswer = 64 << 10

// WitnessError says why a witness did not cosign.
type WitnessError struct {
	Witness string // name in the policy
	URL     string // of the request
	Kind    error  // one of the sentinels
	Status  int    // HTTP status, 0 if there was no answer
	Size    int64  // tree size that the witness has cosigned last, with ErrWitnessAhead
	Err     error  // more about it, or nil
}

// Error names the witness, its address and the reason.
func (e *WitnessError) Error() string {
	s := fmt.Sprintf("witness %s (%s): %v", e.Witness, e.URL, e.Kind)
	if errors.Is(e.Kind, ErrWitnessAhead) {
		s += fmt.Sprintf(" (%d entries) than the one shown: a newer checkpoint was published meanwhile, or the log was set back to an older copy", e.Size)
	}
	if e.Status != 0 && e.Status != http.StatusOK {
		s += fmt.Sprintf(", HTTP status %d", e.Status)
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap gives the kind and the cause.
func (e *WitnessError) Unwrap() []error {
	if e.Err == nil {
		return []error{e.Kind}
	}
	return []error{e.Kind, e.Err}
}

// Cosignature is the statement of one witness: at Time, the largest consistent
// tree it had seen of the log was this checkpoint's (c2sp.org/tlog-cosignature).
type Cosignature struct {
	Witness string    // name in the policy
	Line    []byte    // note signature line with its newline, to be added to the checkpoint
	Time    time.Time // by the clock of the witness, UTC, whole seconds
}

// ConsistencyFunc returns the proof (RFC 6962, section 2.1.2) that the tree of
// the checkpoint being cosigned has the tree of size old as a prefix. It is
// called with 0 < old < the checkpoint's size only.
type ConsistencyFunc func(ctx context.Context, old int64) (tlog.TreeProof, error)

// Cosign asks a witness to cosign a signed checkpoint by the add-checkpoint
// call of c2sp.org/tlog-witness. known is the size of the last checkpoint that
// this witness is believed to have cosigned, 0 if nothing is known: a witness
// that knows better says so, and is asked once more with its own size.
//
// The cosignature returned was verified: it is by the key w.VKey over exactly
// this checkpoint. Lines of other keys in the answer are left out. Errors are
// *WitnessError, except those of consistency and of a checkpoint that is none,
// which are ours. Cosign may be repeated; a witness signs the same tree again
// with a newer time. The caller bounds the time by ctx and adds cosignatures
// only to copies of the checkpoint: the signed text is never changed.
func Cosign(ctx context.Context, client *http.Client, w WitnessEndpoint, checkpoint []byte, known int64, consistency ConsistencyFunc) (Cosignature, error) {
	text, _, err := splitCheckpoint(checkpoint)
	if err != nil {
		return Cosignature{}, err
	}
	c, err := torchwood.ParseCheckpoint(text)
	if err != nil {
		return Cosignature{}, fmt.Errorf("read checkpoint: %w", err)
	}
	verifier, err := torchwood.NewCosignatureVerifier(w.VKey)
	if err != nil {
		return Cosignature{}, fmt.Errorf("witness %s: key %q: %w", w.Name, w.VKey, err)
	}
	if err := checkHTTPURL(w.URL); err != nil {
		return Cosignature{}, fmt.Errorf("witness %s: %w", w.Name, err)
	}
	// A memory of more than the checkpoint's size would make the request
	// malformed; let the witness say what it has.
	if known < 0 || known > c.N {
		known = 0
	}
	call := witnessCall{client: client, witness: w, verifier: verifier, text: text, checkpoint: checkpoint, size: c.N, consistency: consistency}
	cosig, err := call.try(ctx, known)
	var e *WitnessError
	if errors.As(err, &e) && e.Kind == errWitnessOther && e.Size <= c.N && e.Size != known {
		cosig, err = call.try(ctx, e.Size)
	}
	if errors.As(err, &e) && e.Kind == errWitnessOther {
		// It moved on between our two requests, or contradicts itself.
		e.Kind = ErrWitnessUnavailable
		if e.Size > c.N {
			e.Kind = ErrWitnessAhead
		}
	}
	return cosig, err
}

// errWitnessOther: the witness has another size than the request said (409).
// Cosign translates it.
var errWitnessOther = errors.New("witness has cosigned a tree of another size")

// witnessCall is one checkpoint on its way to one witness.
type witnessCall struct {
	client      *http.Client
	witness     WitnessEndpoint
	verifier    note.Verifier
	text        string // of the checkpoint, without signatures
	checkpoint  []byte
	size        int64
	consistency ConsistencyFunc
}

// try makes one request that claims the witness has cosigned size old.
func (c *witnessCall) try(ctx context.Context, old int64) (Cosignature, error) {
	request := addCheckpoint{old: old, checkpoint: c.checkpoint}
	// From nothing to anything, and from a tree to itself, the proof is empty.
	if old > 0 && old < c.size {
		proof, err := c.consistency(ctx, old)
		if err != nil {
			return Cosignature{}, fmt.Errorf("consistency proof from %d to %d for witness %s: %w", old, c.size, c.witness.Name, err)
		}
		request.proof = proof
	}
	address := strings.TrimSuffix(c.witness.URL, "/") + "/add-checkpoint"
	status, body, contentType, err := c.post(ctx, address, request.bytes())
	e := &WitnessError{Witness: c.witness.Name, URL: address, Status: status}
	if err != nil {
		e.Kind, e.Err = ErrWitnessUnavailable, err
		return Cosignature{}, e
	}
	if status == http.StatusOK {
		cosig, err := c.open(body)
		if err != nil {
			e.Kind, e.Err = ErrWitnessAnswer, err
			return Cosignature{}, e
		}
		return cosig, nil
	}
	e.Kind, e.Size, e.Err = classifyRefusal(status, body, contentType)
	return Cosignature{}, e
}

func (c *witnessCall) post(ctx context.Context, address string, body []byte) (status int, answer []byte, contentType string, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return 0, nil, "", err
	}
	req.Header.Set("Content-Type", "text/plain; charset=utf-8")
	resp, err := c.client.Do(req)
	if err != nil {
		return 0, nil, "", err
	}
	defer resp.Body.Close()
	answer, err = io.ReadAll(io.LimitReader(resp.Body, maxWitnessAnswer+1))
	if err == nil && len(answer) > maxWitnessAnswer {
		err = fmt.Errorf("answer has more than %d bytes", maxWitnessAnswer)
	}
	return resp.StatusCode, answer, resp.Header.Get("Content-Type"), err
}

// classifyRefusal gives the meaning of a status that is not 200.
func classifyRefusal(status int, body []byte, contentType string) (kind error, size int64, detail error) {
	switch {
	case status == http.StatusConflict:
		digits, ok := strings.CutSuffix(string(body), "\n")
		size, err := parseTreeSize(digits)
		if err != nil || !ok || contentType != "text/x.tlog.size" {
			return ErrWitnessAnswer, 0, fmt.Errorf("conflict without a tree size: %q (%s)", clip(body), contentType)
		}
		return errWitnessOther, size, nil
	case status == http.StatusNotFound:
		kind = ErrWitnessUnknownLog
	case status == http.StatusForbidden:
		kind = ErrWitnessLogKey
	case status == http.StatusUnprocessableEntity:
		kind = ErrWitnessInconsistent
	case status == http.StatusTooManyRequests || status >= 500:
		kind = ErrWitnessUnavailable
	case status >= 400:
		kind = ErrWitnessRefused
	default:
		kind = ErrWitnessAnswer
	}
	if s := clip(body); s != "" {
		detail = fmt.Errorf("it says %q", s)
	}
	return kind, 0, detail
}

// clip is the first line of an answer, short enough for a log.
func clip(body []byte) string {
	line, _, _ := strings.Cut(strings.TrimSpace(string(body[:min(len(body), 200)])), "\n")
	return strings.ToValidUTF8(line, "?")
}

// open finds the cosignature of the expected key in an answer.
func (c *witnessCall) open(answer []byte) (Cosignature, error) {
	lines, err := signatureLines(answer)
	if err != nil {
		return Cosignature{}, err
	}
	valid, invalid, err := openLines(c.text, lines, note.VerifierList(c.verifier))
	if err != nil {
		return Cosignature{}, err
	}
	if len(valid) == 0 && len(invalid) > 0 {
		return Cosignature{}, errors.New("its cosignature is not valid for this checkpoint")
	}
	if len(valid) == 0 {
		return Cosignature{}, fmt.Errorf("no cosignature by %s (%08x) among %d lines", c.verifier.Name(), c.verifier.KeyHash(), len(lines))
	}
	sig := valid[0]
	return Cosignature{
		Witness: c.witness.Name,
		Line:    fmt.Appendf(nil, "— %s %s\n", sig.Name, sig.Base64),
		Time:    cosignatureTime(sig),
	}, nil
}
