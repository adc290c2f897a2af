// Package storetest holds the suites that every store must pass, the one in
// memory included. It is imported by tests only.
//
//	func TestDir(t *testing.T) {
//		storetest.TestStore(t, func(t *testing.T) store.Store { ... an empty one ... })
//		storetest.TestMutable(t, func(t *testing.T) (store.Store, store.Mutable) { ... })
//	}
//
// Each test opens a store of its own and runs in parallel with the others.
package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/fineprint-archive/fineprint/archive/store"
	"github.com/google/go-cmp/cmp"
)

// racers is how many writers race for one key.
const racers = 8

// TestStore checks what the comments of store.Store promise. open returns an
// empty store.
func TestStore(t *testing.T, open func(t *testing.T) store.Store) {
	for _, tc := range []struct {
		name string
		run  func(*testing.T, store.Store)
	}{
		{"round trip", testRoundTrip},
		{"ranges", testRanges},
		{"missing", testMissing},
		{"put again", testPutAgain},
		{"wrong bytes", testWrongBytes},
		{"rewound body", testRewound},
		{"bad arguments", testBadArguments},
		{"racing creators", testRacingCreators},
		{"racing equals", testRacingEquals},
		{"list", testList},
		{"list and stop", testListStop},
		{"cancelled", testCancelled},
		{"model", testModel},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			tc.run(t, open(t))
		})
	}
}

func testRoundTrip(t *testing.T, s store.Store) {
	for i, size := range []int{0, 1, 64 << 10, 1<<20 + 1} {
		key := fmt.Sprintf("warc/2026/a+b@c_d-%d.warc.gz", i)
		data := noise(size)
		put(t, s, key, data)
		if got := get(t, s, key, 0, -1); !bytes.Equal(got, data) {
			t.Errorf("Get(%s) = %d bytes that differ from the %d put", key, len(got), size)
		}
		info, err := s.Stat(t.Context(), key)
		if err != nil {
			t.Fatalf("Stat(%s): %v", key, err)
		}
		checkInfo(t, info, key, data)
	}
}

func testRanges(t *testing.T, s store.Store) {
	data := noise(1000)
	put(t, s, "a", data)
	for _, tc := range []struct{ offset, length, from, to int64 }{
		{0, -1, 0, 1000},
		{0, 0, 0, 0},
		{0, 1, 0, 1},
		{10, 20, 10, 30},
		{999, 1, 999, 1000},
		{990, 100, 990, 1000},
		{990, -1, 990, 1000},
		{1000, -1, 0, 0},
		{1000, 5, 0, 0},
		{1000, 0, 0, 0},
		{5, 1 << 62, 5, 1000},
		{0, 1<<63 - 1, 0, 1000},
		{1, 1<<63 - 1, 1, 1000},
	} {
		if got := get(t, s, "a", tc.offset, tc.length); !bytes.Equal(got, data[tc.from:tc.to]) {
			t.Errorf("Get(a, %d, %d) = %d bytes, want bytes %d to %d", tc.offset, tc.length, len(got), tc.from, tc.to)
		}
	}
	for _, offset := range []int64{-1, 1001, 1 << 62} {
		for _, length := range []int64{-1, 0, 1} {
			if rc, err := s.Get(t.Context(), "a", offset, length); err == nil {
				rc.Close()
				t.Errorf("Get(a, %d, %d) gave no error, the object has 1000 bytes", offset, length)
			}
		}
	}
}

func testMissing(t *testing.T, s store.Store) {
	put(t, s, "there", []byte("x"))
	for _, key := range []string{"missing", "no/folder/here", "there/below", "ther"} {
		if rc, err := s.Get(t.Context(), key, 0, -1); !errors.Is(err, store.ErrNotExist) {
			if err == nil {
				rc.Close()
			}
			t.Errorf("Get(%s) error = %v, want ErrNotExist", key, err)
		}
		if _, err := s.Stat(t.Context(), key); !errors.Is(err, store.ErrNotExist) {
			t.Errorf("Stat(%s) error = %v, want ErrNotExist", key, err)
		}
	}
	if keys := list(t, s, "missing", ""); len(keys) != 0 {
		t.Errorf("List(missing) = %q, want nothing", keys)
	}
}

func testPutAgain(t *testing.T, s store.Store) {
	first := noise(5000)
	put(t, s, "log/a", first)
	put(t, s, "log/a", first) // a caller that lost the first answer
	for name, other := range map[string][]byte{
		"same size": noise(5001)[1:], "shorter": first[:10], "longer": append(bytes.Clone(first), 1), "empty": {},
	} {
		err := s.Put(t.Context(), "log/a", bytes.NewReader(other), int64(len(other)), Sum(other), store.PutOptions{})
		if !errors.Is(err, store.ErrExists) {
			t.Errorf("Put of other bytes (%s) error = %v, want ErrExists", name, err)
		}
	}
	if got := get(t, s, "log/a", 0, -1); !bytes.Equal(got, first) {
		t.Error("the object changed")
	}
	if keys := list(t, s, "", ""); !cmp.Equal(keys, []string{"log/a"}) {
		t.Errorf("List = %q, want log/a only", keys)
	}
}

func testWrongBytes(t *testing.T, s store.Store) {
	data := noise(3000)
	want := Sum(noise(3001))
	err := s.Put(t.Context(), "a", bytes.NewReader(data), 3000, want, store.PutOptions{})
	var de *store.DigestError
	if !errors.As(err, &de) {
		t.Fatalf("Put with a wrong SHA-256: error = %v, want *DigestError", err)
	}
	if diff := cmp.Diff(&store.DigestError{Object: "a", Want: want, Got: Sum(data)}, de); diff != "" {
		t.Errorf("DigestError differs (-want +got):\n%s", diff)
	}
	for _, size := range []int64{0, 2999, 3001} {
		if err := s.Put(t.Context(), "a", bytes.NewReader(data), size, Sum(data), store.PutOptions{}); err == nil {
			t.Errorf("Put of 3000 bytes as %d gave no error", size)
		}
	}
	broken := errors.New("disk broken")
	err = s.Put(t.Context(), "a", failing{bytes.NewReader(data), broken}, 3000, Sum(data), store.PutOptions{})
	if !errors.Is(err, broken) {
		t.Errorf("Put of an unreadable body: error = %v, want it to wrap %q", err, broken)
	}
	if keys := list(t, s, "", ""); len(keys) != 0 {
		t.Errorf("List = %q after refused bodies, want nothing", keys)
	}
	put(t, s, "a", data)
}

// failing is a body whose end cannot be read.
type failing struct {
	*bytes.Reader
	err error
}

func (f failing) Read(p []byte) (int, error) {
	n, err := f.Reader.Read(p)
	if err == io.EOF {
		err = f.err
	}
	return n, err
}

func testRewound(t *testing.T, s store.Store) {
	data := noise(100)
	r := bytes.NewReader(data)
	r.Seek(60, io.SeekStart)
	if err := s.Put(t.Context(), "a", r, 100, Sum(data), store.PutOptions{Retain: true, ContentType: "application/warc"}); err != nil {
		t.Fatalf("Put of a body that stands in its middle: %v", err)
	}
	if got := get(t, s, "a", 0, -1); !bytes.Equal(got, data) {
		t.Error("the object differs from the body")
	}
}

func testBadArguments(t *testing.T, s store.Store) {
	for _, key := range []string{"", "/a", "a/", "a//b", "../a", "a/../b", ".tmp", "a/.b", "ä", "a b", "a\x00", `a\b`, strings.Repeat("a", 256)} {
		if err := s.Put(t.Context(), key, strings.NewReader(""), 0, Sum(nil), store.PutOptions{}); !errors.Is(err, store.ErrKey) {
			t.Errorf("Put(%q) error = %v, want ErrKey", key, err)
		}
		if rc, err := s.Get(t.Context(), key, 0, -1); !errors.Is(err, store.ErrKey) {
			if err == nil {
				rc.Close()
			}
			t.Errorf("Get(%q) error = %v, want ErrKey", key, err)
		}
		if _, err := s.Stat(t.Context(), key); !errors.Is(err, store.ErrKey) {
			t.Errorf("Stat(%q) error = %v, want ErrKey", key, err)
		}
	}
	for _, digest := range []string{"", "00", strings.ToUpper(Sum(nil)), strings.Repeat("g", 64)} {
		if err := s.Put(t.Context(), "a", strings.NewReader(""), 0, digest, store.PutOptions{}); err == nil {
			t.Errorf("Put with SHA-256 %q gave no error", digest)
		}
	}
	if err := s.Put(t.Context(), "a", strings.NewReader(""), -1, Sum(nil), store.PutOptions{}); err == nil {
		t.Error("Put with size -1 gave no error")
	}
	for _, prefix := range []string{"../", "/", "a//", ".", "ä"} {
		if keys := list(t, s, prefix, ""); len(keys) != 0 {
			t.Errorf("List(%q) = %q, want nothing", prefix, keys)
		}
	}
}

func testRacingCreators(t *testing.T, s store.Store) {
	for round := range 4 {
		key := fmt.Sprintf("race/%d", round)
		bodies := make([][]byte, racers)
		errs := race(func(i int) error {
			bodies[i] = fmt.Appendf(noise(20000), "writer %d", i)
			return s.Put(t.Context(), key, bytes.NewReader(bodies[i]), int64(len(bodies[i])), Sum(bodies[i]), store.PutOptions{})
		})
		winner := soleWinner(t, errs, store.ErrExists)
		if got := get(t, s, key, 0, -1); winner >= 0 && !bytes.Equal(got, bodies[winner]) {
			t.Error("the object is not that of the winner")
		}
	}
}

func testRacingEquals(t *testing.T, s store.Store) {
	data := noise(20000)
	errs := race(func(int) error {
		return s.Put(t.Context(), "deep/down/a", bytes.NewReader(data), int64(len(data)), Sum(data), store.PutOptions{})
	})
	if err := errors.Join(errs...); err != nil {
		t.Errorf("equal bytes put at once: %v", err)
	}
	if got := get(t, s, "deep/down/a", 0, -1); !bytes.Equal(got, data) {
		t.Error("the object differs from the bytes put")
	}
}

// The order of the keys is that of their bytes, which is not the order in
// which folders are walked: "-", "." and "+" come before "/".
var listKeys = []string{
	"A", "a+/x", "a-b", "a-b-/1", "a.b/1", "a/b", "a/c.d/1", "a/c/2", "a0", "log/checkpoint",
	"tile/0/000", "tile/0/001", "tile/0/x001/000", "tile/0/x001/000.p/5", "z@z", "z_z",
}

func testList(t *testing.T, s store.Store) {
	for _, i := range rand.Perm(len(listKeys)) {
		put(t, s, listKeys[i], []byte(listKeys[i]))
	}
	for info, err := range s.List(t.Context(), "", "") {
		if err != nil {
			t.Fatalf("List: %v", err)
		}
		checkInfo(t, info, info.Key, []byte(info.Key))
	}
	afters := []string{"", "a", "a-b", "a/", "a/c.d/1", "a0", "tile/0/x001/000.", "~", "ä"}
	for _, prefix := range []string{"", "a", "a-b", "a/c", "a/c/", "tile/0/x", "ti", "zz", "log/checkpoint/"} {
		for _, after := range afters {
			var want []string
			for _, key := range listKeys {
				if strings.HasPrefix(key, prefix) && key > after {
					want = append(want, key)
				}
			}
			if diff := cmp.Diff(want, list(t, s, prefix, after)); diff != "" {
				t.Errorf("List(%q, %q) differs (-want +got):\n%s", prefix, after, diff)
			}
		}
	}
}

func testListStop(t *testing.T, s store.Store) {
	for _, key := range []string{"a", "b/c", "d"} {
		put(t, s, key, nil)
	}
	n := 0
	for range s.List(t.Context(), "", "") {
		if n++; n == 2 {
			break
		}
	}
	if n != 2 {
		t.Errorf("a listing of 3 left after 2 gave %d", n)
	}
}

func testCancelled(t *testing.T, s store.Store) {
	put(t, s, "a", []byte("x"))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Put(ctx, "b", strings.NewReader("x"), 1, Sum([]byte("x")), store.PutOptions{}); !errors.Is(err, context.Canceled) {
		t.Errorf("Put error = %v, want context.Canceled", err)
	}
	if rc, err := s.Get(ctx, "a", 0, -1); !errors.Is(err, context.Canceled) {
		if err == nil {
			rc.Close()
		}
		t.Errorf("Get error = %v, want context.Canceled", err)
	}
	if _, err := s.Stat(ctx, "a"); !errors.Is(err, context.Canceled) {
		t.Errorf("Stat error = %v, want context.Canceled", err)
	}
	var last error
	for _, err := range s.List(ctx, "", "") {
		last = err
	}
	if !errors.Is(last, context.Canceled) {
		t.Errorf("List ended with %v, want context.Canceled", last)
	}
	if keys := list(t, s, "", ""); !cmp.Equal(keys, []string{"a"}) {
		t.Errorf("List = %q, want a only", keys)
	}
}

// testModel does random things to the store and to a map, which must agree.
func testModel(t *testing.T, s store.Store) {
	seed := rand.Uint64()
	rng := rand.New(rand.NewPCG(seed, 0))
	model := make(map[string][]byte)
	for range 60 {
		key := listKeys[rng.IntN(len(listKeys))]
		data := bytes.Repeat([]byte{byte(rng.IntN(3))}, rng.IntN(3))
		old, exists := model[key]
		switch rng.IntN(3) {
		case 0, 1:
			err := s.Put(t.Context(), key, bytes.NewReader(data), int64(len(data)), Sum(data), store.PutOptions{})
			if clash := exists && !bytes.Equal(old, data); clash != errors.Is(err, store.ErrExists) || !clash && err != nil {
				t.Fatalf("seed %d: Put(%s, %x) error = %v; before it held %x (%v)", seed, key, data, err, old, exists)
			}
			if !exists {
				model[key] = data
			}
		case 2:
			info, err := s.Stat(t.Context(), key)
			if exists != (err == nil) || !exists && !errors.Is(err, store.ErrNotExist) {
				t.Fatalf("seed %d: Stat(%s) error = %v, exists is %v", seed, key, err, exists)
			}
			if exists {
				checkInfo(t, info, key, old)
			}
		}
	}
	for _, key := range list(t, s, "", "") {
		if got := get(t, s, key, 0, -1); !bytes.Equal(got, model[key]) {
			t.Errorf("seed %d: Get(%s) = %x, want %x", seed, key, got, model[key])
		}
		delete(model, key)
	}
	if len(model) > 0 {
		t.Errorf("seed %d: not listed: %v", seed, model)
	}
}
