package store

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// Memory is a Store in memory, for tests. Create it with NewMemory.
type Memory struct {
	mu      sync.Mutex
	objects map[string]memoryObject // guarded by mu; contents are never changed in place
}

type memoryObject struct {
	data     []byte
	sha256   string
	modified time.Time
	mutable  bool
}

// NewMemory returns an empty store.
func NewMemory() *Memory {
	return &Memory{objects: make(map[string]memoryObject)}
}

// Put implements Store.
func (m *Memory) Put(ctx context.Context, key string, r io.ReadSeeker, size int64, sha256hex string, _ PutOptions) error {
	if err := CheckPut(key, size, sha256hex); err != nil {
		return fmt.Errorf("put: %w", err)
	}
	var b bytes.Buffer
	if err := CopyVerified(ctx, &b, key, r, size, sha256hex); err != nil {
		return fmt.Errorf("put %s: %w", key, err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if o, ok := m.objects[key]; ok {
		if o.sha256 != sha256hex {
			return fmt.Errorf("put %s: %w", key, ErrExists)
		}
		return nil
	}
	m.objects[key] = memoryObject{data: b.Bytes(), sha256: sha256hex, modified: time.Now().UTC()}
	return nil
}

// Get implements Store.
func (m *Memory) Get(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	o, err := m.find(ctx, key)
	if err != nil {
		return nil, fmt.Errorf("get %s: %w", key, err)
	}
	size := int64(len(o.data))
	if offset < 0 || offset > size {
		return nil, fmt.Errorf("get %s: offset %d is outside its %d bytes", key, offset, size)
	}
	end := size
	if length >= 0 {
		end = offset + min(length, size-offset)
	}
	return io.NopCloser(bytes.NewReader(o.data[offset:end])), nil
}

// Stat implements Store.
func (m *Memory) Stat(ctx context.Context, key string) (Info, error) {
	o, err := m.find(ctx, key)
	if err != nil {
		return Info{}, fmt.Errorf("stat %s: %w", key, err)
	}
	return o.info(key), nil
}

// List implements Store.
func (m *Memory) List(ctx context.Context, prefix, after string) iter.Seq2[Info, error] {
	return func(yield func(Info, error) bool) {
		m.mu.Lock()
		objects := maps.Clone(m.objects)
		m.mu.Unlock()
		for _, key := range slices.Sorted(maps.Keys(objects)) {
			if err := ctx.Err(); err != nil {
				yield(Info{}, fmt.Errorf("list %q: %w", prefix, err))
				return
			}
			if !strings.HasPrefix(key, prefix) || key <= after {
				continue
			}
			if !yield(objects[key].info(key), nil) {
				return
			}
		}
	}
}

// Mutable returns the mutable objects.
func (m *Memory) Mutable() Mutable { return memoryMutable{m} }

func (m *Memory) find(ctx context.Context, key string) (memoryObject, error) {
	if err := ctx.Err(); err != nil {
		return memoryObject{}, err
	}
	if err := ValidKey(key); err != nil {
		return memoryObject{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	o, ok := m.objects[key]
	if !ok {
		return memoryObject{}, ErrNotExist
	}
	return o, nil
}

func (o memoryObject) info(key string) Info {
	return Info{Key: key, Size: int64(len(o.data)), SHA256: o.sha256, Modified: o.modified}
}

type memoryMutable struct{ m *Memory }

// Get implements Mutable.
func (mm memoryMutable) Get(ctx context.Context, key string) ([]byte, string, error) {
	o, err := mm.m.find(ctx, key)
	if err == nil && !o.mutable {
		err = ErrImmutable
	}
	if err != nil {
		return nil, "", fmt.Errorf("get %s: %w", key, err)
	}
	return bytes.Clone(o.data), o.sha256, nil
}

// PutIfMatch implements Mutable.
func (mm memoryMutable) PutIfMatch(ctx context.Context, key string, data []byte, tag string) (string, error) {
	if err := ctx.Err(); err != nil {
		return "", fmt.Errorf("put %s: %w", key, err)
	}
	if err := ValidKey(key); err != nil {
		return "", fmt.Errorf("put: %w", err)
	}
	mm.m.mu.Lock()
	defer mm.m.mu.Unlock()
	o, ok := mm.m.objects[key]
	if ok && !o.mutable {
		return "", fmt.Errorf("put %s: %w", key, ErrImmutable)
	}
	if o.sha256 != tag { // "" if there is none
		return "", fmt.Errorf("put %s: %w", key, ErrPrecondition)
	}
	n := memoryObject{data: append([]byte{}, data...), sha256: sum(data), modified: time.Now().UTC(), mutable: true}
	mm.m.objects[key] = n
	return n.sha256, nil
}

// Delete implements Mutable.
func (mm memoryMutable) Delete(ctx context.Context, key, tag string) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("delete %s: %w", key, err)
	}
	if err := ValidKey(key); err != nil {
		return fmt.Errorf("delete: %w", err)
	}
	mm.m.mu.Lock()
	defer mm.m.mu.Unlock()
	o, ok := mm.m.objects[key]
	switch {
	case !ok:
		return fmt.Errorf("delete %s: %w", key, ErrNotExist)
	case !o.mutable:
		return fmt.Errorf("delete %s: %w", key, ErrImmutable)
	case o.sha256 != tag:
		return fmt.Errorf("delete %s: %w", key, ErrPrecondition)
	}
	delete(mm.m.objects, key)
	return nil
}
