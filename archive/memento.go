package archive

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/fineprint-archive/fineprint/archive/catalog"
	"github.com/fineprint-archive/fineprint/archive/wayback"
	"github.com/fineprint-archive/fineprint/crawler/declaration"
	"github.com/fineprint-archive/fineprint/warc"
)

// WireExchange is one exchange as it crossed a connection.
type WireExchange interface {
	// Facts returns what is archived of it, never nil.
	Facts() *warc.Exchange
	// Response returns the answer with its content codings undone, see
	// http.Response; the body is bounded by limit bytes. The error says why there is
	// none, or that it is not whole.
	Response(limit int64) (*http.Response, error)
	Close()
}

// Wire makes exchanges, and follows no redirect. It may be used by several
// goroutines.
type Wire func(context.Context, *http.Request) WireExchange

// ObserverConfig tells NewObserver what to work with. All but Logger and Now are
// required.
type ObserverConfig struct {
	Archive *Archive
	Client  *wayback.Client
	Wire    Wire

	Logger *slog.Logger
	Now    func() time.Time
}

// Observer asks the Wayback Machine what it has of our pages, and keeps its
// answers as looks of their own: numbered per address asked for, with manifest and
// log entry, like any look. They are looks at web.archive.org and never count as
// looks at the page. It may be used by several goroutines.
type Observer struct {
	cfg ObserverConfig

	mu    sync.Mutex      // guards busy
	busy  map[string]bool // addresses that are looked at; several items may have one capture
	freed *sync.Cond
}

// NewObserver returns an observer.
func NewObserver(cfg ObserverConfig) (*Observer, error) {
	if cfg.Archive == nil || cfg.Client == nil || cfg.Wire == nil {
		return nil, errors.New("observer: an archive, a client and a wire are required")
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	o := &Observer{cfg: cfg, busy: map[string]bool{}}
	o.freed = sync.NewCond(&o.mu)
	return o, nil
}

// maxReplay bounds a replayed page, content codings undone.
const maxReplay = maxPage

// mementoLook is one look at the Wayback Machine while it is made. It is a
// wayback.Recorder.
type mementoLook struct {
	*Observer
	look     *Look
	m        *warc.Manifest
	kind     warc.Kind // of the next exchange
	page     int       // index of the note of the page, -1 before
	broken   error     // the archive could not keep an exchange
	replayed *wayback.Replay
}

// take waits until nobody looks at an address.
func (o *Observer) take(address string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for o.busy[address] {
		o.freed.Wait()
	}
	o.busy[address] = true
}

// free lets the next one look at an address.
func (o *Observer) free(address string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.busy, address)
	o.freed.Broadcast()
}

// begin opens a look at an address of the Wayback Machine, after the one that may be
// under way. finish must follow.
func (o *Observer) begin(ctx context.Context, address string, memento *warc.Memento) (_ *mementoLook, err error) {
	o.take(address)
	defer func() {
		if err != nil {
			o.free(address)
		}
	}()
	source := declaration.Source{ID: declaration.SourceID(address, "", ""), URL: address}
	canonical := declaration.CanonicalSource(source)
	row := catalog.SourceRow{ID: source.ID, URL: address, Canonical: canonical}
	a := o.cfg.Archive
	if err := a.cfg.Catalog.EnterSource(ctx, row, o.cfg.Now()); err != nil {
		return nil, err
	}
	look, err := a.Begin(ctx, source, canonical, nil)
	if errors.Is(err, catalog.ErrLookBegun) { // of a process that died, until it is mended
		return nil, &wayback.Error{Op: "read", Class: wayback.ClassSlot, Code: "busy", Message: "another look at " + address + " is under way or has not been mended yet"}
	}
	if err != nil {
		return nil, err
	}
	m := &warc.Manifest{
		Time: o.cfg.Now().UTC(), Memento: memento,
		Robots: &warc.Robots{Policy: "ignore", Reason: "an interface of the Wayback Machine, used within its limits"},
	}
	return &mementoLook{Observer: o, look: look, m: m, page: -1}, nil
}

// Record makes one exchange and keeps it (wayback.Recorder).
func (l *mementoLook) Record(ctx context.Context, req *http.Request) (*wayback.Answered, error) {
	if l.broken != nil {
		return nil, &wayback.KeepError{Err: l.broken}
	}
	x := l.cfg.Wire(ctx, req)
	defer x.Close()
	ex := x.Facts()
	ex.Kind = l.kind
	// Kept also if we were told to stop in between.
	stored, err := l.look.Exchange(context.WithoutCancel(ctx), ex)
	if err != nil {
		l.broken = err
		return nil, &wayback.KeepError{Err: err}
	}
	l.note(ex, stored)
	if ex.Truncated == warc.TruncatedLength || ex.DecodedSize > maxReplay {
		return nil, wayback.ErrTooLong
	}
	resp, err := x.Response(maxReplay)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close() // only read
	var body bytes.Buffer
	if _, err := body.ReadFrom(resp.Body); err != nil {
		return nil, err
	}
	if l.kind == warc.KindPage {
		l.describe(ex, stored, resp.Header)
	}
	return &wayback.Answered{
		Status: resp.StatusCode, Header: resp.Header, Body: body.Bytes(), PayloadSHA1: ex.PayloadSHA1, PayloadSHA256: ex.PayloadSHA256,
		DecodedSHA256: ex.DecodedSHA256, Record: stored.ResponseID,
	}, nil
}

// note lists an exchange in the manifest.
func (l *mementoLook) note(ex *warc.Exchange, stored warc.Stored) {
	n := warc.ExchangeNote{
		Kind: ex.Kind, Request: stored.RequestID, Response: stored.ResponseID, Ms: ex.Ended.Sub(ex.Began).Milliseconds(),
		Status: ex.Status, TLS: warc.SessionOf(ex.TLS), Truncated: ex.Truncated, Error: ex.Error, Detail: ex.Detail,
	}
	if stored.RequestID == "" {
		n.URI = ex.URI
	}
	if ex.Response != nil {
		n.Size, n.SHA256 = ex.PayloadSize, ex.PayloadSHA256
	}
	if ex.Peer.IsValid() {
		n.Peer = ex.Peer.String()
	}
	l.m.Exchanges = append(l.m.Exchanges, n)
}

// describe makes an exchange the page of the look.
func (l *mementoLook) describe(ex *warc.Exchange, stored warc.Stored, h http.Header) {
	l.page = len(l.m.Exchanges) - 1
	l.m.Payload = &warc.Payload{
		Record: stored.ResponseID, MIME: ex.MIME, Size: ex.PayloadSize, SHA256: ex.PayloadSHA256, SHA1: ex.PayloadSHA1,
		DecodedSize: ex.DecodedSize, DecodedSHA256: ex.DecodedSHA256, ETag: h.Get("ETag"), LastModified: h.Get("Last-Modified"),
	}
}

// settle says in the manifest how the look ended: of the page if there is one,
// else of the last exchange.
func (l *mementoLook) settle(cause error) {
	m := l.m
	m.Ended = l.cfg.Now().UTC()
	m.Result, m.Error = warc.Failed, "interrupted"
	at := l.page
	if at < 0 {
		at = len(m.Exchanges) - 1
	}
	if at < 0 {
		m.Detail = "nothing was asked"
		if cause != nil {
			m.Detail = cause.Error()
		}
		return
	}
	note := &m.Exchanges[at]
	m.Status, m.Error, m.Detail = note.Status, note.Error, note.Detail
	switch {
	case l.page < 0 && m.Error == "" && m.Memento.Purpose == warc.PurposeIndex && note.Status == http.StatusOK:
		m.Result = warc.Captured
	case l.page >= 0 && m.Error == "" && note.Status == http.StatusOK:
		m.Result = warc.Captured
		m.TLS = note.TLS
		note.Size, note.SHA256, note.TLS = 0, warc.Digest{}, nil
	case m.Error == "":
		m.Error = "http-status"
	}
	if m.Result == warc.Failed {
		m.Payload = nil
		if m.Detail == "" && cause != nil {
			m.Detail = cause.Error()
		}
	}
}

// finish writes the manifest and returns its id when the look is entered.
func (l *mementoLook) finish(ctx context.Context, cause error) (id string, err error) {
	defer l.free(l.look.source.URL)
	if l.broken != nil {
		l.look.Abandon()
		return "", l.broken
	}
	l.settle(cause)
	entered := make(chan error, 1)
	// What came is kept also if we were told to stop.
	err = l.look.Finish(context.WithoutCancel(ctx), l.m, Plan{}, func(_ catalog.LookRow, err error) { entered <- err })
	if err != nil {
		return "", err
	}
	l.cfg.Archive.Flush()
	return l.look.ids.ManifestID(), <-entered
}

// original returns the header fields that the page was served with, as the Wayback
// Machine repeats them (x-archive-orig-*), and the content coding of the replay.
func original(h http.Header) http.Header {
	const prefix = "X-Archive-Orig-"
	out := http.Header{}
	for name, values := range h {
		if rest, ok := strings.CutPrefix(http.CanonicalHeaderKey(name), prefix); ok {
			out[http.CanonicalHeaderKey(rest)] = values
		}
	}
	if out.Get("Content-Type") == "" {
		out.Set("Content-Type", h.Get("Content-Type"))
	}
	out.Del("Content-Encoding") // undone
	out.Del("Transfer-Encoding")
	return out
}

var errNoLook = errors.New("the look that it is compared with is not in the catalog")

// ours returns our look of an outbox item; errNoLook if it is gone.
func (o *Observer) ours(ctx context.Context, source string, n int64) (catalog.LookRow, error) {
	row, ok, err := o.cfg.Archive.cfg.Catalog.Look(ctx, source, n)
	if err == nil && !ok {
		err = fmt.Errorf("look %d at %s: %w", n, source, errNoLook)
	}
	return row, err
}
