package wayback

import (
	"context"
	"slices"
	"sync"
)

// slots lets at most a number of holders in, which may change, in the order of
// their calls.
type slots struct {
	mu      sync.Mutex
	most    int             // mu
	taken   int             // mu: may be above most for a while after a resize
	waiting []chan struct{} // mu: closed when the slot is theirs
}

// take waits for a slot. release may be called again.
func (s *slots) take(ctx context.Context) (release func(), err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	mine := make(chan struct{})
	s.waiting = append(s.waiting, mine)
	s.admit()
	s.mu.Unlock()
	select {
	case <-mine:
		return sync.OnceFunc(s.give), nil
	case <-ctx.Done():
		s.leave(mine)
		return nil, ctx.Err()
	}
}

// admit lets in those who wait, as far as there is room. s.mu is held.
func (s *slots) admit() {
	for s.taken < s.most && len(s.waiting) > 0 {
		close(s.waiting[0])
		s.waiting = s.waiting[1:]
		s.taken++
	}
}

// give gives a slot back.
func (s *slots) give() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.taken--
	s.admit()
}

// leave ends a wait; a slot that came in the same moment is given back.
func (s *slots) leave(mine chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := slices.Index(s.waiting, mine); i >= 0 {
		s.waiting = slices.Delete(s.waiting, i, i+1)
		return
	}
	s.taken--
	s.admit()
}

// resize changes the number of slots. Holders keep theirs.
func (s *slots) resize(most int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.most = most
	s.admit()
}
