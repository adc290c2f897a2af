package crawler

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Leases is the store of host leases that all workers of an archive share. A
// lease belongs to an owner until it is dropped or its time is up; with it goes
// the time before which the host must not be asked again, which outlives the
// lease. Implementations are safe for concurrent use; what a method did is seen
// by all processes when it returns.
type Leases interface {
	// TakeLease makes owner the holder of the host's lease for ttl, if it is
	// free, expired or owner's already. If another owner holds it, ok is false
	// and err nil. Next is the time before which the host must not be asked
	// (zero if there is none).
	TakeLease(ctx context.Context, host, owner string, ttl time.Duration) (next time.Time, ok bool, err error)
	// RenewLeases prolongs the leases of the hosts in next by ttl from now and
	// stores their times. Leases that are not owner's any more are left alone.
	RenewLeases(ctx context.Context, owner string, ttl time.Duration, next map[string]time.Time) error
	// DropLease frees the host at once, if it is owner's, and stores its time.
	DropLease(ctx context.Context, host, owner string, next time.Time) error
}

// keep starts the keeper of the leases unless it runs. The caller holds mu.
func (h *hostTurns) keep() {
	if h.stop != nil || h.closed {
		return
	}
	stop := make(chan struct{})
	h.stop = stop
	h.keeper.Go(func() { h.beat(stop) })
}

// beat renews all leases every leaseRenew and drops those of idle hosts. It
// ends when none is left.
func (h *hostTurns) beat(stop <-chan struct{}) {
	tick := time.NewTicker(leaseRenew)
	defer tick.Stop()
	for {
		select {
		case <-stop:
			return
		case <-tick.C:
		}
		ctx, cancel := context.WithTimeout(context.Background(), leaseTTL)
		h.renew(ctx)
		h.dropIdle(ctx)
		cancel()
		h.mu.Lock()
		if !h.anyLeased() {
			h.stop = nil
			h.mu.Unlock()
			return
		}
		h.mu.Unlock()
	}
}

// anyLeased reports whether a lease is ours. The caller holds mu.
func (h *hostTurns) anyLeased() bool {
	for _, s := range h.hosts {
		if s.leased {
			return true
		}
	}
	return false
}

// renew prolongs all leases in one call. A lease whose time was up before (the
// machine slept, the store was away) may be another's by now: it is given up
// and asked for again before the next request.
func (h *hostTurns) renew(ctx context.Context) {
	now := time.Now().Round(0)
	next := map[string]time.Time{}
	h.mu.Lock()
	for key, s := range h.hosts {
		if s.leased && now.Sub(s.renewed) >= leaseTTL {
			s.leased = false
		}
		if s.leased {
			next[key] = s.next
		}
	}
	h.mu.Unlock()
	if len(next) == 0 {
		return
	}
	if err := h.leases.RenewLeases(ctx, h.owner, leaseTTL, next); err != nil {
		// It heals at the next beat or, once the leases have run out, by asking
		// for them again.
		h.log.Warn("renew host leases", "hosts", len(next), "err", err)
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for key := range next {
		if s := h.hosts[key]; s != nil && s.leased {
			s.renewed = now
		}
	}
}

// dropIdle gives back the leases of hosts that were not asked for a while.
func (h *hostTurns) dropIdle(ctx context.Context) {
	now := time.Now()
	h.mu.Lock()
	var idle []string
	for key, s := range h.hosts {
		if s.leased && !s.busy && now.Sub(s.idle) >= leaseIdle {
			s.busy = true // nobody takes it again while it is being dropped
			idle = append(idle, key)
		}
	}
	h.mu.Unlock()
	for _, key := range idle {
		if err := h.drop(ctx, key); err != nil {
			// It runs out by itself.
			h.log.Warn("drop host lease", "host", key, "err", err)
		}
	}
}

// drop gives a lease back. The turn is the caller's and is ended.
func (h *hostTurns) drop(ctx context.Context, key string) error {
	h.mu.Lock()
	s := h.hosts[key]
	s.leased = false
	next := s.next
	h.mu.Unlock()
	err := h.leases.DropLease(ctx, key, h.owner, next)
	h.release(s)
	if err != nil {
		return fmt.Errorf("host %s: %w", key, err)
	}
	return nil
}

// close gives all leases back. No turn may be held or asked for any more.
func (h *hostTurns) close(ctx context.Context) error {
	h.mu.Lock()
	h.closed = true
	if h.stop != nil {
		close(h.stop)
		h.stop = nil
	}
	h.mu.Unlock()
	h.keeper.Wait()
	var errs []error
	h.mu.Lock()
	var held []string
	for key, s := range h.hosts {
		if s.leased {
			held = append(held, key)
		}
	}
	h.mu.Unlock()
	for _, key := range held {
		errs = append(errs, h.drop(ctx, key))
	}
	return errors.Join(errs...)
}
