package tlog

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/fineprint-archive/fineprint/archive/store"
	"golang.org/x/sync/errgroup"
)

const parallelPuts = 8

// settle makes sure that the tree of the current lock is whole and public and
// that its tail is known. It is the recovery of every crash: the batch that
// the lock names is taken from staging through the same steps as by its
// writer.
func (l *Log) settle(ctx context.Context) error {
	if err := l.readPublic(ctx); err != nil {
		return err
	}
	cp := l.lock.cp
	if l.public.Size > cp.Size {
		return fmt.Errorf("%s has size %d, older than the public checkpoint of size %d: the store was partly put back to an earlier state: put back the newest %s too",
			lockKey, cp.Size, l.public.Size, lockKey)
	}
	if l.lock.staging != "" {
		data, tag, err := l.cfg.Mutable.Get(ctx, l.lock.staging)
		if err == nil {
			return l.replay(ctx, data, tag)
		}
		if !errors.Is(err, store.ErrNotExist) {
			return err
		}
	}
	if l.public.Raw == nil || l.public.Size < cp.Size {
		if err := l.publishAgain(ctx); err != nil {
			return err
		}
	}
	if l.public.Size == cp.Size && l.public.Root != cp.Root {
		return &CorruptError{Objects: []string{lockKey, publicKey}, Problem: fmt.Sprintf("they show different trees of size %d", cp.Size)}
	}
	if l.tail == nil {
		t, err := l.reader.tail(ctx, cp)
		if err != nil {
			return err
		}
		l.tail = &t
	}
	l.published = true
	return nil
}

// replay does what the writer of the current lock left undone.
func (l *Log) replay(ctx context.Context, data []byte, tag string) error {
	staging, cp := l.lock.staging, l.lock.cp
	s, err := decodeBatch(data)
	if err != nil {
		return corrupt(staging, "%v", err)
	}
	if !bytes.Equal(s.cp, cp.Raw) {
		return &CorruptError{Objects: []string{staging, lockKey}, Problem: "they hold different checkpoints"}
	}
	old := tail{edge: &edge{}}
	if len(s.base) > 0 {
		base, err := ParseCheckpoint(s.base, l.cfg.Verifier)
		if err != nil {
			return corrupt(staging, "%v", err)
		}
		if old, err = l.reader.tail(ctx, base); err != nil {
			return err
		}
	}
	next, objects := old.grow(s.leaves)
	if next.edge.size != cp.Size || next.edge.root() != cp.Root {
		return corrupt(staging, "its entries do not lead to the root of its checkpoint")
	}
	l.cfg.Logger.Info("unfinished batch of the log found, finishing it", "size", cp.Size, "entries", len(s.leaves))
	l.tail = &next
	return l.finish(ctx, objects, staging, tag)
}

// publishAgain publishes a checkpoint that was public before: the one kept
// under its size was written after all tiles.
func (l *Log) publishAgain(ctx context.Context) error {
	cp := l.lock.cp
	kept, err := l.reader.CheckpointAt(ctx, cp.Size)
	if errors.Is(err, store.ErrNotExist) {
		return &CorruptError{Objects: []string{l.lock.staging}, Problem: fmt.Sprintf("it is missing, and its batch up to entry %d is locked but was never published", cp.Size)}
	}
	if err != nil {
		return err
	}
	if kept.Root != cp.Root {
		return &CorruptError{Objects: []string{keptKey(cp.Size), lockKey}, Problem: fmt.Sprintf("they show different trees of size %d", cp.Size)}
	}
	l.cfg.Logger.Warn("the public checkpoint was missing or old, publishing the newest again", "size", cp.Size)
	return l.publish(ctx, cp)
}

// finish writes the objects of a locked batch and makes it public. Every step
// may be repeated, by any process, at any time.
func (l *Log) finish(ctx context.Context, objects []object, staging, stagingTag string) error {
	cp := l.lock.cp
	l.cfg.Step("tiles")
	if err := l.putAll(ctx, objects); err != nil {
		return err
	}
	l.cfg.Step("checkpoint")
	if err := l.put(ctx, object{keptKey(cp.Size), cp.Raw}, "text/plain; charset=utf-8"); err != nil {
		return err
	}
	l.cfg.Step("publish")
	if err := l.publish(ctx, cp); err != nil {
		return err
	}
	l.published = true
	l.cfg.Step("drop")
	if err := l.drop(ctx, staging, stagingTag); err != nil {
		// The batch is in the log and public; sweep removes what is left.
		l.cfg.Logger.Warn("staging was not removed", "object", staging, "err", err)
	}
	return nil
}

// putAll writes tiles, several at a time; their order does not matter, since
// no published checkpoint refers to them yet.
func (l *Log) putAll(ctx context.Context, objects []object) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(parallelPuts)
	for _, o := range objects {
		g.Go(func() error { return l.put(ctx, o, "application/octet-stream") })
	}
	return g.Wait()
}

func (l *Log) put(ctx context.Context, o object, contentType string) error {
	sum := sha256.Sum256(o.data)
	err := l.cfg.Store.Put(ctx, o.key, bytes.NewReader(o.data), int64(len(o.data)), hex.EncodeToString(sum[:]),
		store.PutOptions{ContentType: contentType})
	if errors.Is(err, store.ErrExists) {
		return corrupt(o.key, "it holds other bytes than this log's: it was altered, or another log wrote to this store")
	}
	return err
}

// publish makes cp the public checkpoint unless that has its size or a greater
// one: a slow writer never takes the public view back.
func (l *Log) publish(ctx context.Context, cp Checkpoint) error {
	for {
		if l.public.Raw != nil && l.public.Size >= cp.Size {
			return nil
		}
		tag, err := l.write(ctx, publicKey, cp.Raw, l.publicTag)
		if err == nil {
			l.public, l.publicTag = cp, tag
			return nil
		}
		if !errors.Is(err, store.ErrPrecondition) {
			return fmt.Errorf("publish: %w", err)
		}
		// Someone published or cosigned meanwhile.
		if err := l.readPublic(ctx); err != nil {
			return fmt.Errorf("publish: %w", err)
		}
	}
}

// readPublic reads the public checkpoint; if there is none, public is zero.
func (l *Log) readPublic(ctx context.Context) error {
	data, tag, err := l.cfg.Mutable.Get(ctx, publicKey)
	if errors.Is(err, store.ErrNotExist) {
		l.public, l.publicTag = Checkpoint{}, ""
		return nil
	}
	if err != nil {
		return err
	}
	cp, err := ParseCheckpoint(data, l.cfg.Verifier)
	if err != nil {
		return fmt.Errorf("%s: %w", publicKey, err)
	}
	l.public, l.publicTag = cp, tag
	return nil
}

// drop deletes staging. That someone else did is as well.
func (l *Log) drop(ctx context.Context, key, tag string) error {
	err := l.cfg.Mutable.Delete(ctx, key, tag)
	if errors.Is(err, store.ErrNotExist) || errors.Is(err, store.ErrPrecondition) {
		return nil
	}
	return err
}
