package store_test

import (
	"testing"

	"github.com/fineprint-archive/fineprint/archive/store"
	"github.com/fineprint-archive/fineprint/archive/store/storetest"
)

func TestDir(t *testing.T) {
	storetest.TestStore(t, func(t *testing.T) store.Store { return openDir(t) })
	storetest.TestMutable(t, func(t *testing.T) (store.Store, store.Mutable) {
		d := openDir(t)
		return d, d.Mutable()
	})
}

func TestMemory(t *testing.T) {
	storetest.TestStore(t, func(t *testing.T) store.Store { return store.NewMemory() })
	storetest.TestMutable(t, func(t *testing.T) (store.Store, store.Mutable) {
		m := store.NewMemory()
		return m, m.Mutable()
	})
}

func openDir(t *testing.T) *store.Dir {
	t.Helper()
	d, err := store.OpenDir(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return d
}
