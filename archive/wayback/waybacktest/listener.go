package waybacktest

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"
)

// refusedFor is how long connections are refused, if it is not told.
const refusedFor = 5 * time.Minute

// Start serves s on a loopback port until ctx ends and returns its address,
// for wayback.Config.BaseURL. stop ends it earlier and waits. While the service
// refuses connections, the port is closed.
func (s *Server) Start(ctx context.Context) (address string, stop func(), err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, fmt.Errorf("start Wayback Machine stand-in: %w", err)
	}
	d := &door{listener: l, shut: make(chan struct{})}
	s.mu.Lock()
	s.doors = append(s.doors, d)
	s.mu.Unlock()
	srv := &http.Server{Handler: s, ReadHeaderTimeout: 10 * time.Second}
	var wg sync.WaitGroup
	wg.Go(func() { s.serve(srv, d) })
	shut := sync.OnceFunc(func() {
		close(d.shut)
		srv.Close() // the connections' errors concern their clients
		d.close()
		wg.Wait()
	})
	unhook := context.AfterFunc(ctx, shut)
	return "http://" + l.Addr().String(), func() { unhook(); shut() }, nil
}

// door is a port that can be closed and opened again.
type door struct {
	shut     chan struct{} // closed for good
	mu       sync.Mutex
	listener net.Listener
}

func (d *door) close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.listener.Close() // it is closed, whatever it says
}

// serve serves until the door is shut, again and again.
func (s *Server) serve(srv *http.Server, d *door) {
	address := d.listener.Addr().String()
	for {
		d.mu.Lock()
		l := d.listener
		d.mu.Unlock()
		if srv.Serve(l) == http.ErrServerClosed {
			return
		}
		if !s.reopen(d, address) {
			return
		}
	}
}

// reopen opens a door when connections are not refused any more; false if it was
// shut. It tries until it can: another program may have the port for a moment.
func (s *Server) reopen(d *door, address string) bool {
	for {
		s.mu.Lock()
		left := time.Until(s.refuseUntil)
		s.mu.Unlock()
		if left <= 0 {
			if l, err := net.Listen("tcp", address); err == nil {
				d.mu.Lock()
				defer d.mu.Unlock()
				d.listener = l
				return true
			}
		}
		select {
		case <-d.shut:
			return false
		case <-time.After(max(left, time.Millisecond)):
		}
	}
}

// Refuse refuses all connections for d (scaled), as the service does to an
// address that asked too much: those that are open are cut at their next
// request, new ones are refused by the port of Start, and cut by ServeHTTP.
func (s *Server) Refuse(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refuse(d)
}

// refuse is Refuse. s.mu is held.
func (s *Server) refuse(d time.Duration) {
	s.refuseUntil = time.Now().Add(s.scaled(d))
	s.firstRefused, s.refusals = time.Time{}, 0
	for _, door := range s.doors {
		door.close()
	}
}

// Refusing tells whether connections are refused now. A dialer that a test brings
// along asks it, and then refuses: it counts as an attempt.
func (s *Server) Refusing() bool {
	if !s.refusing() {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	if s.refusals++; s.refusals == 1 {
		s.firstRefused = now
	}
	if s.refusals > 3 || now.Sub(s.firstRefused) > s.scaled(time.Minute) {
		s.breaches["refused"]++
	}
	return true
}

// refusing tells whether connections are refused now.
func (s *Server) refusing() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return time.Now().Before(s.refuseUntil)
}

// checkLoad refuses connections after too many requests of any kind in a
// minute, see Config.RefuseAfter. s.mu is held.
func (s *Server) checkLoad() {
	if s.cfg.RefuseAfter > 0 && s.rate("all") > s.cfg.RefuseAfter {
		s.breaches["all-per-minute"]++
		delay := s.cfg.RefuseFor
		if delay <= 0 {
			delay = refusedFor
		}
		s.refuse(delay)
	}
}

// TB is the part of testing.TB that Start needs.
type TB interface {
	Helper()
	Fatal(args ...any)
	Cleanup(func())
}

// Start serves a new stand-in for the time of a test.
func Start(t TB, cfg Config) (s *Server, address string) {
	t.Helper()
	s = New(cfg)
	address, stop, err := s.Start(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	return s, address
}
