package wayback

import (
	"context"
	"errors"
	"net/url"
	"slices"
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
	alive  map[Work]int         // mu: carriers that have not ended
	busy   map[Work]int         // mu: carriers with an item in hand
	hosts  map[string]time.Time // mu: until when a host's items wait
	open   map[int64]aside      // mu: the items put back in this run
	next   map[Work]time.Time   // mu: what the last empty claim told
	held   map[Work]time.Time   // mu: until when the stopped queue waits
	ghosts []time.Time          // mu: until when a lost submit may yet take a slot
	closed bool                 // mu
	done   chan struct{}        // closed when no new item is to be submitted
	dead   chan struct{}        // closed when err is set
}

// aside is when an item that was put back is to be worked on, and how.
type aside struct {
	at   time.Time
	work Work
}

func newRun(w *Worker, until func() bool) *run {
	return &run{Worker: w, until: until, alive: make(map[Work]int), busy: make(map[Work]int),
		hosts: make(map[string]time.Time), open: make(map[int64]aside), next: make(map[Work]time.Time),
		held: make(map[Work]time.Time), done: make(chan struct{}), dead: make(chan struct{})}
}

// carry takes one item after another as far as it goes, until the run ends.
func (r *run) carry(ctx context.Context, work Work, owner string) {
	defer r.leave(work)
	lease := leaseTime
	if work == WorkRead {
		lease = readLease
	}
	for ctx.Err() == nil && !r.until() {
		if work == WorkRead && r.ended(work) {
			return
		}
		item, ok, err := r.outbox.Claim(ctx, work, time.Now(), owner, lease)
		if err != nil {
			r.fail(ctx, err)
			return
		}
		if !ok {
			if !r.rest(ctx, work, item.NextAt) {
				return
			}
			continue
		}
		if r.ended(work) && item.State != StateAccepted {
			// The queue has to wait. Jobs come first among the due, so there is none.
			r.fail(ctx, r.putBack(ctx, item))
			return
		}
		r.enter(work, +1)
		err = r.step(ctx, work, item)
		r.enter(work, -1)
		if r.fail(ctx, err) {
			return
		}
	}
}

// rest waits for the next item; false means that none will be due soon.
func (r *run) rest(ctx context.Context, work Work, next time.Time) bool {
	if r.ended(work) {
		return false
	}
	idle := r.empty(work, next)
	wait, longest := time.Until(next), r.limits.scaled(idlePoll)
	if next.IsZero() || wait > r.limits.scaled(r.limits.Patience) {
		if idle {
			return false
		}
		wait = longest // what others have in hand may come back
	}
	t := time.NewTimer(max(min(wait, longest), 10*time.Millisecond))
	defer t.Stop()
	over := r.done
	if work == WorkRead {
		over = r.dead
	}
	select {
	case <-t.C:
	case <-ctx.Done():
	case <-over:
	}
	return true
}

// empty keeps what an empty claim told and returns whether no carrier has an
// item in hand that may become work of this kind.
func (r *run) empty(work Work, next time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.next[work] = next
	return r.busy[work] == 0 && (work == WorkSubmit || r.alive[WorkSubmit] == 0)
}

// enter counts the carriers with an item in hand.
func (r *run) enter(work Work, n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.busy[work] += n
}

// leave counts a carrier that ends.
func (r *run) leave(work Work) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.alive[work]--
}

// ended tells whether no new item is to be begun. A queue that waits is no reason
// to read nothing back; a pause of all requests is.
func (r *run) ended(work Work) bool {
	if work == WorkRead {
		r.mu.Lock()
		defer r.mu.Unlock()
		return r.err != nil || r.held[WorkRead].After(time.Now())
	}
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
	if work := item.Work(); work != WorkNone && (work == WorkSubmit || r.reader != nil) {
		r.open[item.ID] = aside{item.NextAt, work}
	}
}

// finish sets Stats.NextAction, for each kind of work: the end of a pause, else
// what the outbox told, else the earliest of the items that this run put back.
func (r *run) finish() {
	r.mu.Lock()
	defer r.mu.Unlock()
	next := r.next
	for _, a := range r.open {
		next[a.work] = earlier(next[a.work], a.at)
	}
	for work, until := range r.held {
		if !next[work].IsZero() && until.After(next[work]) || work == WorkSubmit {
			next[work] = later(next[work], until)
		}
	}
	r.stats.NextAction = earlier(next[WorkSubmit], next[WorkRead])
}

// earlier returns the earlier of two times that are not zero; zero if both are.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// later returns the later of two times.
func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
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

// haunt expects a submit whose answer was lost to take a slot yet.
func (r *run) haunt() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ghosts = append(r.ghosts, time.Now().Add(r.limits.scaled(ghostLife)))
}

// haunted counts the slots that lost submits may take yet.
func (r *run) haunted() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	r.ghosts = slices.DeleteFunc(r.ghosts, func(until time.Time) bool { return until.Before(now) })
	return len(r.ghosts)
}

// stop ends the run because the whole queue has to wait.
func (r *run) stop(e *Error, next time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stats.Stopped == "" {
		r.stats.Stopped, r.stats.Reason, r.held[WorkSubmit] = e.Class, e.Error(), next
		r.log.Warn("wayback queue stopped", "class", string(e.Class), "reason", e.Error(), "next", next)
	}
	r.close()
}

// holdReads reads nothing back for the rest of the run.
func (r *run) holdReads(until time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.held[WorkRead] = later(r.held[WorkRead], until)
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
		close(r.dead)
	}
	r.close()
	return true
}

// close tells the carriers to submit nothing new. r.mu is held.
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
