package wayback

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// TestPacerSpacing: many goroutines, never more than the limit in any minute.
func TestPacerSpacing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := NewPacer(Limits{})
		start := time.Now()
		var mu sync.Mutex
		var turns []time.Duration
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				if err := p.Submit(t.Context()); err != nil {
					t.Error(err)
				}
				mu.Lock()
				defer mu.Unlock()
				turns = append(turns, time.Since(start))
			})
		}
		wg.Wait()
		slices.Sort(turns)
		for i, turn := range turns {
			if want := time.Duration(i) * 10 * time.Second; turn != want {
				t.Errorf("turn %d at %v, want %v", i, turn, want)
			}
		}
	})
}

// TestPacerPause: those who waited for a pause do not pass at its end together.
func TestPacerPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := NewPacer(Limits{})
		start := time.Now()
		var mu sync.Mutex
		var turns []time.Duration
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() {
				if err := p.Submit(t.Context()); err != nil {
					t.Error(err)
				}
				mu.Lock()
				defer mu.Unlock()
				turns = append(turns, time.Since(start))
			})
		}
		synctest.Wait()
		p.Hold(time.Minute, nil)
		wg.Wait()
		slices.Sort(turns)
		if turns[0] != 0 || turns[1] < time.Minute || turns[2]-turns[1] < 10*time.Second {
			t.Errorf("turns at %v, want 0 s, 60 s or later, and 10 s after that", turns)
		}
		p.Hold(time.Minute, nil) // a shorter pause does not shorten a longer one
		p.Hold(time.Second, nil)
		began := time.Now()
		if err := p.Request(t.Context()); err != nil || time.Since(began) < time.Minute {
			t.Errorf("Request = %v after %v, want nil after a minute", err, time.Since(began))
		}
	})
}

func TestPacerHeld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := NewPacer(Limits{})
		cause := &Error{Op: "submit", Class: ClassTomorrowAccount}
		p.judge(cause)
		err := p.Submit(t.Context())
		held, ok := errors.AsType[*HeldError](err)
		if !ok || !held.Until.Equal(time.Date(2000, 1, 2, 0, 0, 0, 0, time.UTC)) || !errors.Is(err, cause) {
			t.Errorf("Submit = %v, want held until the next 00:00 UTC", err)
		}
		if err := p.Request(t.Context()); err != nil {
			t.Errorf("Request = %v, want nil: only submits are held", err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := p.Request(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("Request = %v, want context.Canceled", err)
		}
	})
}

// TestPacerOutages: the pauses of a series of outages.
func TestPacerOutages(t *testing.T) {
	outage := func(status int) *Error { return &Error{Op: "submit", Class: ClassOutage, HTTPStatus: status} }
	unreachable := &Error{Op: "submit", Class: ClassOutage, Code: codeUnreachable}
	lost := &Error{Op: "submit", Class: ClassLost}
	asked := &Error{Op: "submit", Class: ClassOutage, HTTPStatus: 503, RetryAfter: 3 * time.Hour}
	m := time.Minute
	tests := []struct {
		name   string
		errors []*Error
		want   []time.Duration
	}{
		{"5xx", []*Error{outage(502), outage(520), outage(500), outage(503), outage(503)}, []time.Duration{m, 5 * m, 15 * m, 60 * m, 60 * m}},
		{"unreachable", []*Error{unreachable, unreachable, unreachable}, []time.Duration{5 * m, 5 * m, 15 * m}},
		{"HTML with 200", []*Error{outage(200)}, []time.Duration{5 * m}},
		{"lost", []*Error{lost, lost, lost}, []time.Duration{0, m, 5 * m}},
		{"Retry-After", []*Error{asked}, []time.Duration{180 * m}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := NewPacer(Limits{})
				for i, e := range tt.errors {
					p.judge(e)
					p.judge(e) // of another goroutine, in the same outage
					if tt.want[i] == 0 {
						p = NewPacer(Limits{})
						p.judge(e)
					}
					if got := max(0, time.Until(p.paused(KindOther).until)); got != tt.want[i] {
						t.Errorf("pause %d = %v, want %v", i, got, tt.want[i])
					}
					time.Sleep(tt.want[i] + time.Millisecond)
				}
				p.fine("status")
				p.judge(outage(500))
				if got := time.Until(p.paused(KindOther).until); got != m {
					t.Errorf("pause after a good answer = %v, want %v", got, m)
				}
			})
		})
	}
}

func TestPacerSlots(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := NewPacer(Limits{Slots: 2})
		take := func() (func(), error) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			return p.Slot(ctx)
		}
		release, err := take()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := take(); err != nil {
			t.Errorf("second slot: %v", err)
		}
		if _, err := take(); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("third slot of two: %v, want a timeout", err)
		}
		release()
		release()
		if _, err := take(); err != nil {
			t.Errorf("slot after a release: %v", err)
		}
		if _, err := take(); err == nil {
			t.Error("a slot was given back twice")
		}
	})
}

// TestPacerSeen: a restart does not submit sooner than the limit allows.
func TestPacerSeen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := NewPacer(Limits{})
		start := time.Now()
		p.Seen(start.Add(-4 * time.Second))
		p.Seen(start.Add(24 * time.Hour)) // a wrong clock
		p.Seen(time.Time{})
		if err := p.Submit(t.Context()); err != nil || time.Since(start) != 6*time.Second {
			t.Errorf("Submit = %v after %v, want nil after 6 s", err, time.Since(start))
		}
	})
}

func TestTimeScale(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := NewPacer(Limits{TimeScale: 60})
		start := time.Now()
		for range 4 {
			if err := p.Submit(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if took := time.Since(start); took.Round(time.Millisecond) != 500*time.Millisecond {
			t.Errorf("4 submits at 60 times the speed took %v, want 0.5 s", took)
		}
		p.Hold(time.Hour, nil)
		var held *HeldError
		if err := p.Submit(t.Context()); !errors.As(err, &held) || time.Until(held.Until) != time.Minute {
			t.Errorf("Submit = %v, want held for a minute", err)
		}
	})
}

func BenchmarkPacer(b *testing.B) {
	p := NewPacer(Limits{RequestsPerMinute: 1 << 30, TimeScale: 1e9})
	b.ReportAllocs()
	for b.Loop() {
		if err := p.Request(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}
