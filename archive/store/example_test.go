package store_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"

	"github.com/fineprint-archive/fineprint/archive/store"
)

// An object is created once. The same bytes again are no error; others are
// refused.
func ExampleStore() {
	ctx := context.Background()
	var s store.Store = store.NewMemory()
	put := func(text string) error {
		sum := sha256.Sum256([]byte(text))
		return s.Put(ctx, "warc/2026/11/a.warc.gz", bytes.NewReader([]byte(text)), int64(len(text)), hex.EncodeToString(sum[:]), store.PutOptions{})
	}
	fmt.Println(put("as served"))
	fmt.Println(put("as served"))
	fmt.Println(errors.Is(put("as changed"), store.ErrExists))

	r, err := s.Get(ctx, "warc/2026/11/a.warc.gz", 3, -1)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer r.Close()
	rest, err := io.ReadAll(r)
	fmt.Println(string(rest), err)
	// Output:
	// <nil>
	// <nil>
	// true
	// served <nil>
}

// Of two writers that read the same state, one wins.
func ExampleMutable() {
	ctx := context.Background()
	m := store.NewMemory().Mutable()
	tag, err := m.PutIfMatch(ctx, "log/lock", []byte("1"), "")
	if err != nil {
		fmt.Println(err)
		return
	}
	_, first := m.PutIfMatch(ctx, "log/lock", []byte("2, written by A"), tag)
	_, second := m.PutIfMatch(ctx, "log/lock", []byte("2, written by B"), tag)
	data, _, err := m.Get(ctx, "log/lock")
	fmt.Println(first, errors.Is(second, store.ErrPrecondition))
	fmt.Println(string(data), err)
	// Output:
	// <nil> true
	// 2, written by A <nil>
}

func ExampleValidKey() {
	fmt.Println(store.ValidKey("warc/2026/11/a.warc.gz"))
	fmt.Println(store.ValidKey("warc/../secret"))
	// Output:
	// <nil>
	// invalid key "warc/../secret": the segment ".." begins with a dot
}
