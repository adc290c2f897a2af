package anchortest

import (
	"bytes"
	"fmt"
	"io"
	"net/http"

	"github.com/digitorus/timestamp"
)

const replyType = "application/timestamp-reply"

func (t *TSA) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /tsr", t.serveToken)
	mux.HandleFunc("GET /issuing.crl", func(w http.ResponseWriter, _ *http.Request) {
		der, err := t.pki.issuingCRL(t.cfg.Now(), t.revocation())
		send(w, "application/pkix-crl", der, err)
	})
	mux.HandleFunc("GET /root.crl", func(w http.ResponseWriter, _ *http.Request) {
		der, err := t.pki.rootCRL(t.cfg.Now())
		send(w, "application/pkix-crl", der, err)
	})
	mux.HandleFunc("POST /ocsp", func(w http.ResponseWriter, _ *http.Request) {
		der, err := t.pki.ocspResponse(t.cfg.Now(), t.revocation())
		send(w, "application/ocsp-response", der, err)
	})
	return mux
}

func send(w http.ResponseWriter, kind string, body []byte, err error) {
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", kind)
	w.Write(body)
}

func (t *TSA) serveToken(w http.ResponseWriter, r *http.Request) {
	fault := t.receive()
	body, err := io.ReadAll(io.LimitReader(r.Body, 64<<10))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	switch fault {
	case Hang:
		select {
		case <-r.Context().Done():
		case <-t.done:
		}
	case ServerError:
		http.Error(w, "down for maintenance", http.StatusServiceUnavailable)
	case WebPage:
		send(w, "text/html; charset=utf-8", []byte("<!doctype html><title>Welcome</title>"), nil)
	case Redirect:
		http.Redirect(w, r, "/moved", http.StatusFound)
	case Garbage:
		send(w, replyType, bytes.Repeat([]byte{0x30, 0x82, 0xa7, 0x13}, 100), nil)
	case Refuse:
		der, err := timestamp.CreateErrorResponse(timestamp.Rejection, timestamp.TimeNotAvailable)
		send(w, replyType, der, err)
	case Huge:
		der, err := t.Respond(body, NoFault)
		send(w, replyType, append(der, make([]byte, 8<<20)...), err)
	case Endless:
		t.drip(w)
	default:
		der, err := t.Respond(body, fault)
		send(w, replyType, der, err)
	}
}

// drip sends until the client leaves or the authority closes.
func (t *TSA) drip(w http.ResponseWriter) {
	w.Header().Set("Content-Type", replyType)
	chunk := bytes.Repeat([]byte{0x30}, 4096)
	for {
		select {
		case <-t.done:
			return
		default:
		}
		if _, err := w.Write(chunk); err != nil {
			return
		}
	}
}

// Respond returns the response to a DER request as it would be sent, without
// the network. Of the faults only those that concern a token matter.
func (t *TSA) Respond(query []byte, fault TSAFault) ([]byte, error) {
	req, err := timestamp.ParseRequest(query)
	if err != nil {
		return nil, fmt.Errorf("request: %w", err)
	}
	p := t.pki
	if fault == Rogue {
		p = t.rogue
	}
	return p.respond(req, t.cfg.Now(), fault)
}
