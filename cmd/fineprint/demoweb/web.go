package demoweb

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"sync"
	"time"
)

// Web is a site that listens on loopback.
type Web struct {
	Site *Site
	Base Base // the addresses of the two hosts

	servers []*http.Server
	serving sync.WaitGroup
	cancel  context.CancelFunc

	mu  sync.Mutex
	err error // of serving; guarded by mu
}

// Start makes a new site, at the moment Before, and starts it; see Site.Start.
func Start(ctx context.Context) (*Web, error) { return New().Start(ctx) }

// Start makes the site reachable on two free ports of 127.0.0.1, one for each
// host, and lets its pages name them; the moment begins anew. The server runs
// until Close is called or ctx is done; Close must be called in either case.
func (s *Site) Start(ctx context.Context) (*Web, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("start the demo web: %w", err)
	}
	var listeners []net.Listener
	for range 2 {
		l, err := new(net.ListenConfig).Listen(ctx, "tcp4", "127.0.0.1:0")
		if err != nil {
			for _, open := range listeners {
				err = errors.Join(err, open.Close())
			}
			return nil, fmt.Errorf("start the demo web: %w", err)
		}
		listeners = append(listeners, l)
	}
	w := &Web{Site: s, Base: Base{WWW: "http://" + listeners[0].Addr().String(), Static: "http://" + listeners[1].Addr().String()}}
	s.mu.Lock()
	s.reset(w.Base, s.moment)
	s.mu.Unlock()
	for _, l := range listeners {
		one := &http.Server{Handler: s, ReadHeaderTimeout: 10 * time.Second, ErrorLog: log.New(io.Discard, "", 0)}
		w.servers = append(w.servers, one)
		w.serving.Go(func() { w.serve(one, l) })
	}
	ctx, w.cancel = context.WithCancel(ctx)
	w.serving.Go(func() {
		<-ctx.Done()
		w.shut()
	})
	return w, nil
}

func (w *Web) serve(one *http.Server, l net.Listener) {
	if err := one.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		w.note(err)
	}
}

// shut closes listeners and connections.
func (w *Web) shut() {
	for _, one := range w.servers {
		w.note(one.Close())
	}
}

func (w *Web) note(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.err = errors.Join(w.err, err)
}

// Close ends the server, waits for it, and returns what went wrong while it ran.
func (w *Web) Close() error {
	w.cancel()
	w.serving.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.err
}
