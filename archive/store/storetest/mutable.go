package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"testing"

	"github.com/fineprint-archive/fineprint/archive/store"
	"github.com/google/go-cmp/cmp"
)

// TestMutable checks what the comments of store.Mutable promise. open returns
// an empty store and the Mutable over the same keys. without names tests to
// leave out, for a server that is known to break a promise.
func TestMutable(t *testing.T, open func(t *testing.T) (store.Store, store.Mutable), without ...string) {
	for _, tc := range []struct {
		name string
		run  func(*testing.T, store.Store, store.Mutable)
	}{
		{"life of an object", testLife},
		{"made again", testMadeAgain},
		{"stale tags", testStale},
		{"bad keys", testMutableKeys},
		{"one space of keys", testShared},
		{"immutable", testImmutable},
		{"racing creators", testMutableCreators},
		{"racing writers", testMutableWriters},
		{"racing deletes", testMutableDeletes},
		{"counter", testCounter},
		{"cancelled", testMutableCancelled},
	} {
		if slices.Contains(without, tc.name) {
			continue
		}
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			s, m := open(t)
			tc.run(t, s, m)
		})
	}
}

func testLife(t *testing.T, _ store.Store, m store.Mutable) {
	if _, _, err := m.Get(t.Context(), "log/lock"); !errors.Is(err, store.ErrNotExist) {
		t.Fatalf("Get of nothing: error = %v, want ErrNotExist", err)
	}
	tag := ""
	for _, data := range [][]byte{[]byte("one"), {}, noise(100_000), []byte("two")} {
		var err error
		if tag, err = m.PutIfMatch(t.Context(), "log/lock", data, tag); err != nil || tag == "" {
			t.Fatalf("PutIfMatch(%d bytes) = %q, %v", len(data), tag, err)
		}
		got, gotTag, err := m.Get(t.Context(), "log/lock")
		if err != nil || !bytes.Equal(got, data) || gotTag != tag {
			t.Fatalf("Get = %d bytes, %q, %v, want %d bytes, %q", len(got), gotTag, err, len(data), tag)
		}
	}
	if err := m.Delete(t.Context(), "log/lock", tag); err != nil {
		t.Fatalf("Delete: %v", err)
	}
	if _, _, err := m.Get(t.Context(), "log/lock"); !errors.Is(err, store.ErrNotExist) {
		t.Errorf("Get after Delete: error = %v, want ErrNotExist", err)
	}
	if err := m.Delete(t.Context(), "log/lock", tag); !errors.Is(err, store.ErrNotExist) {
		t.Errorf("Delete after Delete: error = %v, want ErrNotExist", err)
	}
	if _, err := m.PutIfMatch(t.Context(), "log/lock", []byte("two"), tag); !errors.Is(err, store.ErrPrecondition) {
		t.Errorf("PutIfMatch of a deleted object: error = %v, want ErrPrecondition", err)
	}
}

func testMadeAgain(t *testing.T, _ store.Store, m store.Mutable) {
	for range 3 {
		tag := putIf(t, m, "pending/a", "lines", "")
		if err := m.Delete(t.Context(), "pending/a", tag); err != nil {
			t.Fatalf("Delete: %v", err)
		}
	}
}

func testStale(t *testing.T, _ store.Store, m store.Mutable) {
	old := putIf(t, m, "a", "one", "")
	now := putIf(t, m, "a", "two", old)
	for name, tag := range map[string]string{"missing": "", "old": old, "invented": "no such tag", "quoted": `"` + now + `"`} {
		if _, err := m.PutIfMatch(t.Context(), "a", []byte("three"), tag); !errors.Is(err, store.ErrPrecondition) {
			t.Errorf("PutIfMatch with a tag that is %s: error = %v, want ErrPrecondition", name, err)
		}
		if err := m.Delete(t.Context(), "a", tag); !errors.Is(err, store.ErrPrecondition) {
			t.Errorf("Delete with a tag that is %s: error = %v, want ErrPrecondition", name, err)
		}
	}
	if _, err := m.PutIfMatch(t.Context(), "b", []byte("x"), now); !errors.Is(err, store.ErrPrecondition) {
		t.Errorf("PutIfMatch of nothing with a tag: error = %v, want ErrPrecondition", err)
	}
	if data, tag, err := m.Get(t.Context(), "a"); err != nil || string(data) != "two" || tag != now {
		t.Errorf("Get = %q, %q, %v, want two, %q", data, tag, err, now)
	}
}

func testMutableKeys(t *testing.T, _ store.Store, m store.Mutable) {
	for _, key := range []string{"", "/a", "../a", ".fineprint/mutable.lock", "ä"} {
		if _, _, err := m.Get(t.Context(), key); !errors.Is(err, store.ErrKey) {
			t.Errorf("Get(%q) error = %v, want ErrKey", key, err)
		}
		if _, err := m.PutIfMatch(t.Context(), key, nil, ""); !errors.Is(err, store.ErrKey) {
			t.Errorf("PutIfMatch(%q) error = %v, want ErrKey", key, err)
		}
		if err := m.Delete(t.Context(), key, "x"); !errors.Is(err, store.ErrKey) {
			t.Errorf("Delete(%q) error = %v, want ErrKey", key, err)
		}
	}
}

// testShared: what Mutable wrote is listed and read by the Store, too.
func testShared(t *testing.T, s store.Store, m store.Mutable) {
	put(t, s, "warc/a", []byte("bytes"))
	tag := putIf(t, m, "pending/b", "lines", "")
	if diff := cmp.Diff([]string{"pending/b", "warc/a"}, list(t, s, "", "")); diff != "" {
		t.Errorf("List differs (-want +got):\n%s", diff)
	}
	if got := get(t, s, "pending/b", 1, 3); string(got) != "ine" {
		t.Errorf("Get(pending/b, 1, 3) = %q, want ine", got)
	}
	info, err := s.Stat(t.Context(), "pending/b")
	if err != nil {
		t.Fatalf("Stat(pending/b): %v", err)
	}
	checkInfo(t, info, "pending/b", []byte("lines"))
	if err := s.Put(t.Context(), "pending/b", bytes.NewReader([]byte("other")), 5, Sum([]byte("other")), store.PutOptions{}); !errors.Is(err, store.ErrExists) {
		t.Errorf("Put over a mutable object: error = %v, want ErrExists", err)
	}
	if err := m.Delete(t.Context(), "pending/b", tag); err != nil {
		t.Fatalf("Delete: %v", err)
	}
	if diff := cmp.Diff([]string{"warc/a"}, list(t, s, "", "")); diff != "" {
		t.Errorf("List after Delete differs (-want +got):\n%s", diff)
	}
}

// testImmutable: a Mutable never touches what Store.Put made.
func testImmutable(t *testing.T, s store.Store, m store.Mutable) {
	data := []byte("evidence")
	put(t, s, "warc/a", data)
	if _, tag, err := m.Get(t.Context(), "warc/a"); !errors.Is(err, store.ErrImmutable) || tag != "" {
		t.Errorf("Get = %q, %v, want no tag and ErrImmutable", tag, err)
	}
	for _, tag := range []string{"", Sum(data), "x"} {
		if _, err := m.PutIfMatch(t.Context(), "warc/a", []byte("forgery"), tag); !errors.Is(err, store.ErrImmutable) {
			t.Errorf("PutIfMatch with tag %q: error = %v, want ErrImmutable", tag, err)
		}
		if err := m.Delete(t.Context(), "warc/a", tag); !errors.Is(err, store.ErrImmutable) {
			t.Errorf("Delete with tag %q: error = %v, want ErrImmutable", tag, err)
		}
	}
	if got := get(t, s, "warc/a", 0, -1); !bytes.Equal(got, data) {
		t.Errorf("the object became %q", got)
	}
}

func testMutableCreators(t *testing.T, _ store.Store, m store.Mutable) {
	raceRounds(t, m, "create", func(int, string) string { return "" })
}

func testMutableWriters(t *testing.T, _ store.Store, m store.Mutable) {
	raceRounds(t, m, "write", func(_ int, key string) string { return putIf(t, m, key, "start", "") })
}

// raceRounds lets writers race for a key whose state is the tag that prepare
// returns: exactly one wins, and its content stays.
func raceRounds(t *testing.T, m store.Mutable, name string, prepare func(round int, key string) string) {
	for round := range 4 {
		key := fmt.Sprintf("%s/%d", name, round)
		tag := prepare(round, key)
		tags := make([]string, racers)
		errs := race(func(i int) (err error) {
			tags[i], err = m.PutIfMatch(t.Context(), key, fmt.Appendf(nil, "writer %d", i), tag)
			return err
		})
		winner := soleWinner(t, errs, store.ErrPrecondition)
		if winner < 0 {
			continue
		}
		data, now, err := m.Get(t.Context(), key)
		if want := fmt.Sprintf("writer %d", winner); err != nil || string(data) != want || now != tags[winner] {
			t.Errorf("Get = %q, %q, %v, want %q, %q", data, now, err, want, tags[winner])
		}
	}
}

func testMutableDeletes(t *testing.T, _ store.Store, m store.Mutable) {
	tag := putIf(t, m, "a", "x", "")
	errs := race(func(int) error { return m.Delete(t.Context(), "a", tag) })
	for i, err := range errs {
		if err != nil && !errors.Is(err, store.ErrNotExist) && !errors.Is(err, store.ErrPrecondition) {
			t.Errorf("deleter %d: %v", i, err)
		}
	}
	if _, _, err := m.Get(t.Context(), "a"); !errors.Is(err, store.ErrNotExist) {
		t.Errorf("Get after racing deletes: error = %v, want ErrNotExist", err)
	}
}

// testCounter adds up with compare-and-swap; a lost update would show.
func testCounter(t *testing.T, _ store.Store, m store.Mutable) {
	const each = 4
	tag := putIf(t, m, "counter", "0", "")
	errs := race(func(int) error {
		for range each {
			if err := increment(t.Context(), m, "counter"); err != nil {
				return err
			}
		}
		return nil
	})
	if err := errors.Join(errs...); err != nil {
		t.Fatalf("increment: %v", err)
	}
	data, now, err := m.Get(t.Context(), "counter")
	if want := strconv.Itoa(each * racers); err != nil || string(data) != want || now == tag {
		t.Errorf("counter = %q, %v, want %s", data, err, want)
	}
}

func increment(ctx context.Context, m store.Mutable, key string) error {
	for {
		data, tag, err := m.Get(ctx, key)
		if err != nil {
			return err
		}
		n, err := strconv.Atoi(string(data))
		if err != nil {
			return err
		}
		_, err = m.PutIfMatch(ctx, key, []byte(strconv.Itoa(n+1)), tag)
		if !errors.Is(err, store.ErrPrecondition) {
			return err
		}
	}
}

func testMutableCancelled(t *testing.T, _ store.Store, m store.Mutable) {
	tag := putIf(t, m, "a", "x", "")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := m.Get(ctx, "a"); !errors.Is(err, context.Canceled) {
		t.Errorf("Get error = %v, want context.Canceled", err)
	}
	if _, err := m.PutIfMatch(ctx, "a", []byte("y"), tag); !errors.Is(err, context.Canceled) {
		t.Errorf("PutIfMatch error = %v, want context.Canceled", err)
	}
	if err := m.Delete(ctx, "a", tag); !errors.Is(err, context.Canceled) {
		t.Errorf("Delete error = %v, want context.Canceled", err)
	}
	putIf(t, m, "a", "y", tag) // nothing happened, and the lock is free
}
