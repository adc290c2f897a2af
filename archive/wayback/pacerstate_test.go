package wayback

import (
	"encoding/json"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// TestPacerState: the next process keeps pauses and turns; clocks that are wrong by
// hours hold nothing up for days.
func TestPacerState(t *testing.T) {
	tests := []struct {
		name   string
		shift  time.Duration // of the clock between the two processes
		pause  time.Duration
		wanted time.Duration
	}{
		{"at once", 0, time.Hour, time.Hour},
		{"later", 20 * time.Minute, time.Hour, 40 * time.Minute},
		{"over", 2 * time.Hour, time.Hour, 0},
		{"clock set back", -5 * time.Hour, time.Hour, time.Hour},
		{"clock was wrong by days", 0, 50 * time.Hour, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := NewPacer(Limits{})
				p.Hold(tt.pause, &Error{Op: "index", Class: ClassOutage, Code: "x", HTTPStatus: 503})
				p.outagePause(&Error{Class: ClassOutage})
				b, err := json.Marshal(p.State())
				if err != nil {
					t.Fatal(err)
				}
				var s PacerState
				if err := json.Unmarshal(b, &s); err != nil {
					t.Fatal(err)
				}
				s.SavedAt, s.All.Until = s.SavedAt.Add(-tt.shift), s.All.Until.Add(-tt.shift)
				next := NewPacer(Limits{})
				next.Restore(s)
				if got := max(0, time.Until(next.paused(KindReplay).until)); got != tt.wanted {
					t.Errorf("pause = %v, want %v", got, tt.wanted)
				}
				held, ok := errors.AsType[*HeldError](next.Turn(t.Context(), KindReplay))
				if ok != (tt.wanted > 0) || ok && (held.Cause == nil || held.Cause.Code != "x") {
					t.Errorf("Turn = %v", held)
				}
			})
		})
	}
}

// TestPacerStateTurns: the last turn of the process before counts.
func TestPacerStateTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := NewPacer(Limits{})
		if err := p.Submit(t.Context()); err != nil {
			t.Fatal(err)
		}
		next, start := NewPacer(Limits{}), time.Now()
		next.Restore(p.State())
		if err := next.Submit(t.Context()); err != nil || time.Since(start) != 10*time.Second {
			t.Errorf("Submit = %v after %v, want nil after 10 s", err, time.Since(start))
		}
	})
}

// TestPacerOnChange: told of pauses and of their end, not of requests.
func TestPacerOnChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := NewPacer(Limits{})
		var told []PacerState
		p.OnChange(func(s PacerState) { told = append(told, s) })
		p.Request(t.Context())
		p.fine("index")
		p.judge(&Error{Op: "index", Class: ClassOutage, Code: codeUnreachable})
		p.fine("index")
		p.fine("index")
		if len(told) != 2 || told[0].Trouble != 1 || told[0].All.Code != codeUnreachable || told[1].Trouble != 0 {
			t.Errorf("told %+v, want the pause and the end of the series", told)
		}
	})
}

// TestPacerKinds: each kind has its own spacing, and pauses are shared.
func TestPacerKinds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := NewPacer(Limits{ReplaysPerMinute: 100000})
		for kind, want := range map[Kind]time.Duration{
			KindSubmit: 20 * time.Second, KindIndex: 5 * time.Second, KindReplay: 250 * time.Millisecond, KindOther: 4 * time.Second,
		} {
			start := time.Now()
			for range 3 {
				if err := p.Turn(t.Context(), kind); err != nil {
					t.Fatal(err)
				}
			}
			if got := time.Since(start); got != want {
				t.Errorf("3 of kind %s took %v, want %v", kind, got, want)
			}
		}
		p.judge(&Error{Op: "replay", Class: ClassSlot})
		start := time.Now()
		if err := p.Turn(t.Context(), KindIndex); err != nil || time.Since(start) != time.Minute {
			t.Errorf("Turn after a 429 = %v after %v, want a minute", err, time.Since(start))
		}
	})
}

// TestPacerAccount: slots follow the account, and a used-up day holds submits only.
func TestPacerAccount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := NewPacer(Limits{})
		p.Account(UserStatus{Available: 1, Processing: 0, DailyCaptures: 1, DailyCapturesLimit: 9})
		first, err := p.Slot(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		got := false
		wg.Go(func() { _, err := p.Slot(t.Context()); got = err == nil })
		synctest.Wait()
		if got {
			t.Error("a second slot of one")
		}
		p.Account(UserStatus{Available: 1, Processing: 1, DailyCaptures: 9, DailyCapturesLimit: 9})
		wg.Wait()
		first()
		if _, ok := errors.AsType[*HeldError](p.Submit(t.Context())); !ok || p.Request(t.Context()) != nil {
			t.Error("want submits held and the rest not")
		}
	})
}

// BenchmarkPacerWaiters measures one turn while 10,000 goroutines stand in line.
func BenchmarkPacerWaiters(b *testing.B) {
	const waiters = 10_000
	b.ReportAllocs()
	for b.Loop() {
		p := NewPacer(Limits{TimeScale: 1e15})
		var wg sync.WaitGroup
		for range waiters {
			wg.Go(func() {
				if err := p.Turn(b.Context(), KindIndex); err != nil {
					b.Error(err)
				}
			})
		}
		wg.Wait()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/waiters, "ns/turn")
}
