package wayback

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"sync"
	"time"
)

// run is the state of one Run, shared by its carriers.
type run struct {
	*Worker
	until func() bool

	mu     sync.Mutex
	stats  Stats                // mu
	err    error                // mu: the first
	busy   int                  // mu: carriers with an item in hand
	hosts  map[string]time.Time // mu: until when a host's items wait
	open   map[int64]time.Time  // mu: NextAt of the items put back in this run
	next   time.Time            // mu: what the last empty claim told
	held   time.Time            // mu: until when the stopped queue waits
	closed bool                 // mu
	done   chan struct{}        // closed when no new item is to be begun
}

// carry takes one item after another as far as it goes, until the run ends.
func (r *run) carry(ctx context.Context, owner string) {
	for ctx.Err() == nil && !r.until() {
		item, ok, err := r.outbox.Claim(ctx, time.Now(), owner, leaseTime)
		if err != nil {
			r.fail(ctx, err)
			return
		}
		if !ok {
			if !r.rest(ctx, item.NextAt) {
				return
			}
			continue
		}
		if r.ended() && item.State != StateAccepted {
			// The queue has to wait. Jobs come first among the due, so there is none.
			r.fail(ctx, r.putBack(ctx, item))
			return
		}
		r.enter(+1)
		err = r.step(ctx, item)
		r.enter(-1)
		if r.fail(ctx, err) {
			return
		}
	}
}

// rest waits for the next item; false means that none will be due soon.
func (r *run) rest(ctx context.Context, next time.Time) bool {
	if r.ended() {
		return false
	}
	idle := r.empty(next)
	wait, longest := time.Until(next), r.limits.scaled(idlePoll)
	if next.IsZero() || wait > r.limits.scaled(r.limits.Patience) {
		if idle {
			return false
		}
		wait = longest // what others have in hand may come back
	}
	t := time.NewTimer(max(min(wait, longest), 10*time.Millisecond))
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	case <-r.done:
	}
	return true
}

// empty keeps what an empty claim told and returns whether no carrier has an
// item in hand.
func (r *run) empty(next time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.next = next
	return r.busy == 0
}

// enter counts the carriers with an item in hand.
func (r *run) enter(n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.busy += n
}

// ended tells whether no new item is to be begun.
func (r *run) ended() bool {
	select {
	case <-r.done:
		return true
	default:
		return false
	}
}

// count changes the stats.
func (r *run) count(f func(*Stats)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f(&r.stats)
}

// putAside remembers when an item is to be looked at again.
func (r *run) putAside(item Item) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.open, item.ID)
	if item.State.Open() {
		r.open[item.ID] = item.NextAt
	}
}

// finish sets Stats.NextAction: the end of the queue's pause, else what the
// outbox told, else the earliest of the items that this run put back.
func (r *run) finish() {
	r.mu.Lock()
	defer r.mu.Unlock()
	next := r.next
	for _, at := range r.open {
		if next.IsZero() || at.Before(next) {
			next = at
		}
	}
	if r.stats.Stopped != "" && r.held.After(next) {
		next = r.held
	}
	r.stats.NextAction = next
}

// hostPause returns until when items of the address's host wait.
func (r *run) hostPause(address string) time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.hosts[host(address)]
}

// pauseHost makes all items of the address's host wait.
func (r *run) pauseHost(address string, until time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if h := host(address); until.After(r.hosts[h]) {
		r.hosts[h] = until
	}
}

// stop ends the run because the whole queue has to wait.
func (r *run) stop(e *Error, next time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stats.Stopped == "" {
		r.stats.Stopped, r.stats.Reason, r.held = e.Class, e.Error(), next
		r.log.Warn("wayback queue stopped", "class", string(e.Class), "reason", e.Error(), "next", next)
	}
	r.close()
}

// fail ends the run with an error and returns true, but for a lost lease
// (another worker has the item) and for the end of ctx.
func (r *run) fail(ctx context.Context, err error) bool {
	if err == nil || errors.Is(err, ErrLeaseLost) || (ctx.Err() != nil && errors.Is(err, ctx.Err())) {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err == nil {
		r.err = err
	}
	r.close()
	return true
}

// close tells all carriers to begin nothing new. r.mu is held.
func (r *run) close() {
	if !r.closed {
		r.closed = true
		close(r.done)
	}
}

// host returns the host of an address, for pauses.
func host(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return strings.ToLower(u.Host)
}
