package tlog

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/fineprint-archive/fineprint/archive/store"
)

const (
	selfTestFolder = "selftest/"
	selfTestRacers = 8
)

// selfTest refuses a store on which two writers could both win. A store that
// can test itself (Dir, s3.Bucket) is asked, since it sees the conditions that
// its server really gets; any other is tried through its Mutable.
func selfTest(ctx context.Context, s store.Store, m store.Mutable) error {
	tester, ok := s.(interface {
		SelfTest(context.Context) (store.Report, error)
	})
	var report store.Report
	var err error
	if ok {
		report, err = tester.SelfTest(ctx)
	} else {
		report, err = tryMutable(ctx, m)
	}
	if err == nil {
		err = report.Err()
	}
	if err != nil {
		return fmt.Errorf("the store cannot be shown to keep the log's conditions, so the log is not written: %w", err)
	}
	return nil
}

// tryMutable tests creation, replacement and deletion under conditions on one
// object, which it removes.
func tryMutable(ctx context.Context, m store.Mutable) (store.Report, error) {
	r := store.Report{Store: "(without a test of its own)"}
	key := selfTestFolder + strings.ToLower(rand.Text())
	first, err := m.PutIfMatch(ctx, key, []byte("1"), "")
	if err != nil {
		return r, fmt.Errorf("self-test: %w", err)
	}
	_, again := m.PutIfMatch(ctx, key, []byte("2"), "")
	r.Add(condition("create only", again))
	won, err := race(ctx, m, key, first)
	if err != nil {
		return r, fmt.Errorf("self-test: %w", err)
	}
	c := store.Check{Name: "if-match", OK: won == 1, Required: true,
		Found: fmt.Sprintf("of %d writers with one tag %d succeeded", selfTestRacers, won)}
	if !c.OK {
		c.Remedy = "the store ignores If-Match: use another store, or a version that honours it"
	}
	r.Add(c)
	r.Add(condition("delete if-match", m.Delete(ctx, key, first)))
	_, tag, err := m.Get(ctx, key)
	if errors.Is(err, store.ErrNotExist) {
		return r, nil // the finding says so
	}
	if err == nil {
		err = m.Delete(ctx, key, tag)
	}
	if err != nil {
		return r, fmt.Errorf("self-test: %w", err)
	}
	return r, nil
}

// condition judges the answer to a request that had to be refused.
func condition(name string, err error) store.Check {
	if errors.Is(err, store.ErrPrecondition) {
		return store.Check{Name: name, OK: true, Required: true, Found: "a state that has changed is refused"}
	}
	return store.Check{Name: name, Required: true, Found: fmt.Sprintf("a state that has changed gave %v", err),
		Remedy: "use another store, or a version that honours conditions"}
}

// race counts how many of several writers with the same tag win.
func race(ctx context.Context, m store.Mutable, key, tag string) (won int, err error) {
	errs := make([]error, selfTestRacers)
	var wg sync.WaitGroup
	for i := range errs {
		wg.Go(func() { _, errs[i] = m.PutIfMatch(ctx, key, fmt.Append(nil, "racer ", i), tag) })
	}
	wg.Wait()
	for _, e := range errs {
		if e == nil {
			won++
		} else if !errors.Is(e, store.ErrPrecondition) {
			err = e
		}
	}
	return won, err
}
