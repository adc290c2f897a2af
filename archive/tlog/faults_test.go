package tlog

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/fineprint-archive/fineprint/archive/store"
)

// forgetful ignores the conditions of its writes.
type forgetful struct{ store.Mutable }

func (f forgetful) PutIfMatch(ctx context.Context, key string, data []byte, tag string) (string, error) {
	_, now, err := f.Mutable.Get(ctx, key)
	if errors.Is(err, store.ErrNotExist) {
		now = ""
	}
	return f.Mutable.PutIfMatch(ctx, key, data, now)
}

func (f forgetful) Delete(ctx context.Context, key, _ string) error {
	_, now, err := f.Mutable.Get(ctx, key)
	if err != nil {
		return err
	}
	return f.Mutable.Delete(ctx, key, now)
}

// faulty lets one write go wrong.
type faulty struct {
	store.Mutable
	key  string // the write to this key
	fail func(write func() (string, error)) (string, error)
}

func (f *faulty) PutIfMatch(ctx context.Context, key string, data []byte, tag string) (string, error) {
	write := func() (string, error) { return f.Mutable.PutIfMatch(ctx, key, data, tag) }
	if key != f.key || f.fail == nil {
		return write()
	}
	fail := f.fail
	f.fail = nil
	return fail(write)
}

// Answers that are lost: what took place counts as a success, what did not is
// repeated, and what cannot be known is no success and no ErrLost.
func TestLostAnswers(t *testing.T) {
	written := func(kind error) func(func() (string, error)) (string, error) {
		return func(write func() (string, error)) (string, error) {
			if _, err := write(); err != nil {
				return "", err
			}
			return "", fmt.Errorf("answer lost: %w", kind)
		}
	}
	never := func(func() (string, error)) (string, error) { return "", store.ErrUnavailable }
	for name, fail := range map[string]func(func() (string, error)) (string, error){
		"written, then 412 on the retry": written(store.ErrPrecondition),
		"written, then no answer":        written(store.ErrUnavailable),
		"not written, no answer":         never,
	} {
		for _, key := range []string{lockKey, publicKey} {
			p := memory()
			f := &faulty{Mutable: p.mutable, key: key}
			p.mutable = f
			l := mustOpen(t, config(t, p))
			batch := leaves(name, 10)
			f.fail = fail
			if _, _, err := l.Append(t.Context(), batch); err != nil {
				t.Errorf("%s, %s: Append = %v", key, name, err)
			}
			checkAll(t, p, batch)
		}
	}

	// Written, answer lost, and another writer finished it and went on.
	p := memory()
	f := &faulty{Mutable: p.mutable, key: lockKey}
	second := mustOpen(t, config(t, p))
	cfg := config(t, p)
	cfg.Mutable = f
	l := mustOpen(t, cfg)
	ours, theirs := leaves("ours", 10), leaves("theirs", 10)
	f.fail = func(write func() (string, error)) (string, error) {
		if _, err := write(); err != nil {
			return "", err
		}
		mustAppend(t, second, theirs)
		return "", store.ErrUnavailable
	}
	_, _, err := l.Append(t.Context(), ours)
	if err == nil || errors.Is(err, ErrLost) || !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("Append with an unknown outcome = %v, want ErrUnavailable and not ErrLost", err)
	}
	checkAll(t, p, append(append([][]byte{}, ours...), theirs...))
	more := leaves("more", 1)
	mustAppend(t, l, more)
	checkAll(t, p, append(append(append([][]byte{}, ours...), theirs...), more...))
}
