package crawler

import (
	"github.com/fineprint-archive/fineprint/warc"
	"github.com/fineprint-archive/fineprint/warc/handshake"
)

// recorder returns what makes the handshake proof of a new connection, nil if
// there is nothing that it could commit to.
func (w *Wire) recorder() *handshake.Recorder {
	if w.cfg.Anchor == nil {
		return nil
	}
	sum, ok := w.cfg.Anchor()
	if !ok {
		return nil
	}
	return handshake.NewRecorder(sum)
}

// prove notes the handshake proof of a session, or why there is none: that is no
// reason to give up the connection. rec may be nil.
func prove(t *warc.TLS, rec *handshake.Recorder) {
	if rec == nil {
		return
	}
	proof, err := rec.Proof()
	if err != nil {
		t.ProofMissing = string(handshake.ReasonOf(err))
		return
	}
	anchor := rec.Anchor()
	t.Proof, t.Anchor = proof, warc.Digest{Algorithm: warc.SHA256, Sum: string(anchor[:])}
}

// unproven notes that a session which did not come to be has no proof. rec may
// be nil.
func unproven(t *warc.TLS, rec *handshake.Recorder) {
	if rec == nil {
		return
	}
	rec.Stop()
	t.ProofMissing = string(handshake.Failed)
}
