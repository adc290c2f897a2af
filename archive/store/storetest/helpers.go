package storetest

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/fineprint-archive/fineprint/archive/store"
)

// Sum returns the SHA-256 of data as a Store takes it.
func Sum(data []byte) string {
	h := sha256.Sum256(data)
	return hex.EncodeToString(h[:])
}

// noise returns size bytes that do not compress; equal for equal sizes.
func noise(size int) []byte {
	data := make([]byte, size)
	rand.NewChaCha8([32]byte{byte(size), byte(size >> 8)}).Read(data)
	return data
}

func put(t *testing.T, s store.Store, key string, data []byte) {
	t.Helper()
	if err := s.Put(t.Context(), key, bytes.NewReader(data), int64(len(data)), Sum(data), store.PutOptions{}); err != nil {
		t.Fatalf("Put(%s, %d bytes): %v", key, len(data), err)
	}
}

func get(t *testing.T, s store.Store, key string, offset, length int64) []byte {
	t.Helper()
	rc, err := s.Get(t.Context(), key, offset, length)
	if err != nil {
		t.Fatalf("Get(%s, %d, %d): %v", key, offset, length, err)
	}
	data, err := io.ReadAll(rc)
	if err := errors.Join(err, rc.Close()); err != nil {
		t.Fatalf("read %s from %d: %v", key, offset, err)
	}
	return data
}

func list(t *testing.T, s store.Store, prefix, after string) (keys []string) {
	t.Helper()
	for info, err := range s.List(t.Context(), prefix, after) {
		if err != nil {
			t.Fatalf("List(%q, %q): %v", prefix, after, err)
		}
		keys = append(keys, info.Key)
	}
	return keys
}

func putIf(t *testing.T, m store.Mutable, key, data, tag string) (newTag string) {
	t.Helper()
	newTag, err := m.PutIfMatch(t.Context(), key, []byte(data), tag)
	if err != nil {
		t.Fatalf("PutIfMatch(%s, %q, %q): %v", key, data, tag, err)
	}
	return newTag
}

// checkInfo compares what a store says about an object with what it is. A
// store need not know the SHA-256; clocks may differ by an hour.
func checkInfo(t *testing.T, info store.Info, key string, data []byte) {
	t.Helper()
	if info.Key != key || info.Size != int64(len(data)) || info.SHA256 != "" && info.SHA256 != Sum(data) {
		t.Errorf("information = %+v, want key %s, size %d, SHA-256 %s or none", info, key, len(data), Sum(data))
	}
	if age := time.Since(info.Modified); age.Abs() > time.Hour || info.Modified.Location() != time.UTC {
		t.Errorf("%s: modified %v, want now and in UTC", key, info.Modified)
	}
}

// race runs f for each racer at once and returns what they returned.
func race(f func(i int) error) []error {
	errs := make([]error, racers)
	start := make(chan struct{})
	var wg sync.WaitGroup
	for i := range racers {
		wg.Go(func() {
			<-start
			errs[i] = f(i)
		})
	}
	close(start)
	wg.Wait()
	return errs
}

// soleWinner returns the one racer without an error, checking that there is
// one and that all others got the error lost. It returns -1 after complaining.
func soleWinner(t *testing.T, errs []error, lost error) int {
	t.Helper()
	winner, wins := -1, 0
	for i, err := range errs {
		switch {
		case err == nil:
			winner, wins = i, wins+1
		case !errors.Is(err, lost):
			t.Errorf("racer %d: error = %v, want %v", i, err, lost)
		}
	}
	if wins != 1 {
		t.Errorf("%d of %d racers won, want 1", wins, len(errs))
		return -1
	}
	return winner
}
