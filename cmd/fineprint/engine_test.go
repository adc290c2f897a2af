package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
)

// TestStopTellsFew lets many looks fail at once, as a full disk makes them: the
// run says why in a few lines, and how many looks it could not keep.
func TestStopTellsFew(t *testing.T) {
	e := &engine{interrupted: t.Context().Err}
	if err := e.failure(); err != nil || e.stopped() {
		t.Fatalf("failure() = %v, stopped() = %v before anything failed", err, e.stopped())
	}
	full := errors.New("no space left on device")
	for i := range 16 {
		e.stop(fmt.Errorf("look at page %d: %w", i, full))
	}
	err := e.failure()
	if !errors.Is(err, full) || !e.stopped() {
		t.Errorf("failure() = %v, stopped() = %v", err, e.stopped())
	}
	if n := strings.Count(err.Error(), "\n") + 1; n != 3 || !strings.Contains(err.Error(), "look at page 0: ") || !strings.HasSuffix(err.Error(), "14 more looks could not be kept") {
		t.Errorf("failure() has %d lines:\n%v", n, err)
	}
}

// An interrupted run begins no further look at once, without waiting for whoever
// watches over it.
func TestStoppedByInterrupt(t *testing.T) {
	ctx, interrupt := context.WithCancel(t.Context())
	e := &engine{interrupted: ctx.Err}
	if e.stopped() {
		t.Fatal("stopped before the interrupt")
	}
	interrupt()
	if !e.stopped() {
		t.Error("not stopped by the interrupt")
	}
}
