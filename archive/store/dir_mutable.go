package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// Mutable returns the mutable objects of the folder. A tag is the SHA-256 of
// the content. Writers of all processes on this machine take turns by one
// lock on a file (flock), which a network filesystem may not honour across
// machines: keep the archive of several machines in S3-compatible storage.
func (d *Dir) Mutable() Mutable { return dirMutable{d} }

type dirMutable struct{ d *Dir }

// Get implements Mutable.
func (m dirMutable) Get(ctx context.Context, key string) ([]byte, string, error) {
	if err := ValidKey(key); err != nil {
		return nil, "", fmt.Errorf("get: %w", err)
	}
	if err := ctx.Err(); err != nil {
		return nil, "", fmt.Errorf("get %s: %w", key, err)
	}
	data, err := m.read(key)
	if err != nil {
		return nil, "", fmt.Errorf("get %s: %w", key, err)
	}
	return data, sum(data), nil
}

// read returns the content of a mutable object. Replacement is by rename, so
// the open file is one whole state.
func (m dirMutable) read(key string) (data []byte, err error) {
	f, fi, err := m.d.open(key)
	if err != nil {
		return nil, err
	}
	defer f.Close() // read only
	if immutable(fi) {
		return nil, ErrImmutable
	}
	return io.ReadAll(f)
}

// PutIfMatch implements Mutable.
func (m dirMutable) PutIfMatch(ctx context.Context, key string, data []byte, tag string) (newTag string, err error) {
	if err := ValidKey(key); err != nil {
		return "", fmt.Errorf("put: %w", err)
	}
	unlock, err := m.lock(ctx)
	if err != nil {
		return "", fmt.Errorf("put %s: %w", key, classify(m.d.root, err))
	}
	defer func() { err = errors.Join(err, unlock()) }()
	if err := m.match(key, tag); err != nil {
		return "", fmt.Errorf("put %s: %w", key, err)
	}
	if err := m.replace(key, data); err != nil {
		return "", fmt.Errorf("put %s: %w", key, classify(m.d.root, err))
	}
	return sum(data), nil
}

// match returns nil if the object is in the state tag, "" meaning missing.
func (m dirMutable) match(key, tag string) error {
	data, err := m.read(key)
	switch {
	case errors.Is(err, ErrNotExist) && tag == "":
		return nil
	case errors.Is(err, ErrNotExist):
		return fmt.Errorf("%w: it is gone", ErrPrecondition)
	case err != nil:
		return err
	case sum(data) != tag:
		return ErrPrecondition
	}
	return nil
}

// replace puts data under key in one step and makes it durable.
func (m dirMutable) replace(key string, data []byte) (err error) {
	tmp, err := m.d.writeTemp(mutableMode, func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, tmp.Close()) }()
	path := m.d.path(key)
	err = os.MkdirAll(filepath.Dir(path), folderMode)
	if err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(tmp.Name()))
	}
	m.d.did("renamed")
	return m.d.syncUp(filepath.Dir(path))
}

// Delete implements Mutable.
func (m dirMutable) Delete(ctx context.Context, key, tag string) (err error) {
	if err := ValidKey(key); err != nil {
		return fmt.Errorf("delete: %w", err)
	}
	unlock, err := m.lock(ctx)
	if err != nil {
		return fmt.Errorf("delete %s: %w", key, classify(m.d.root, err))
	}
	defer func() { err = errors.Join(err, unlock()) }()
	data, err := m.read(key)
	if err != nil {
		return fmt.Errorf("delete %s: %w", key, err)
	}
	if sum(data) != tag {
		return fmt.Errorf("delete %s: %w", key, ErrPrecondition)
	}
	path := m.d.path(key)
	if err := os.Remove(path); err != nil {
		return fmt.Errorf("delete %s: %w", key, classify(m.d.root, err))
	}
	if err := syncFolder(filepath.Dir(path)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("delete %s: %w", key, classify(m.d.root, err))
	}
	return nil
}

// lock waits for the turn of this goroutine, then of this process.
func (m dirMutable) lock(ctx context.Context) (unlock func() error, err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	select {
	case <-m.d.turn:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	f, err := m.openLock()
	if err == nil {
		err = lockWait(ctx, f)
		if err != nil {
			err = errors.Join(err, f.Close())
		}
	}
	if err != nil {
		m.d.turn <- struct{}{}
		return nil, err
	}
	return func() error {
		err := f.Close() // gives the lock up
		m.d.turn <- struct{}{}
		return err
	}, nil
}

// openLock opens the lock file. It is never removed: a process that waits on a
// removed file would hold another lock than one that makes it anew.
func (m dirMutable) openLock() (*os.File, error) {
	path := filepath.Join(m.d.root, lockFile)
	if err := os.MkdirAll(filepath.Dir(path), folderMode); err != nil {
		return nil, err
	}
	return os.OpenFile(path, os.O_RDWR|os.O_CREATE, mutableMode)
}
