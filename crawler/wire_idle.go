package crawler

import (
	"errors"
	"os"
	"sync"
	"time"
)

// Bounds of the idle connections.
const (
	maxIdle  = 64
	idleTime = 30 * time.Second
)

// idlePool holds at most one idle connection per origin. Safe for concurrent use.
type idlePool struct {
	mu     sync.Mutex
	links  map[string]*link // nil after close
	closed bool
}

// put keeps l for the next exchange with origin; the one kept there before, or
// the oldest one if there are too many, is closed.
func (p *idlePool) put(origin string, l *link) {
	l.since = time.Now()
	p.mu.Lock()
	var out *link
	switch {
	case p.closed:
		out = l
	default:
		if p.links == nil {
			p.links = make(map[string]*link)
		}
		out = p.links[origin]
		p.links[origin] = l
		if len(p.links) > maxIdle {
			out = p.evict()
		}
	}
	p.mu.Unlock()
	if out != nil {
		out.close()
	}
}

// evict removes the connection that has been idle longest. p.mu is held.
func (p *idlePool) evict() *link {
	var oldest string
	for origin, l := range p.links {
		if oldest == "" || l.since.Before(p.links[oldest].since) {
			oldest = origin
		}
	}
	l := p.links[oldest]
	delete(p.links, oldest)
	return l
}

// take returns the idle connection to origin, nil if there is none that can
// still be used.
func (p *idlePool) take(origin string) *link {
	p.mu.Lock()
	l := p.links[origin]
	delete(p.links, origin)
	p.mu.Unlock()
	if l == nil {
		return nil
	}
	if time.Since(l.since) > idleTime || !l.quiet() {
		l.close()
		return nil
	}
	return l
}

// quiet reports whether the connection is open and nothing has come on it since
// the last message ended. Bytes between two messages could pass for a response.
// It does not wait for any.
func (l *link) quiet() bool {
	if !rawQuiet(l.raw) {
		return false
	}
	if l.raw == l.conn {
		return true
	}
	// TLS may hold bytes which it has read already: it looks there first, and
	// the deadline keeps it from waiting for more.
	if l.raw.SetReadDeadline(past) != nil {
		return false
	}
	var one [1]byte
	n, err := l.conn.Read(one[:])
	return n == 0 && errors.Is(err, os.ErrDeadlineExceeded)
}

// close closes all idle connections, and those put later.
func (p *idlePool) close() {
	p.mu.Lock()
	links := p.links
	p.links, p.closed = nil, true
	p.mu.Unlock()
	for _, l := range links {
		l.close()
	}
}
