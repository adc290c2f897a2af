package catalog_test

import (
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/fineprint-archive/fineprint/archive/catalog"
)

// TestFirstReadsTogether asks a fresh catalog the same question from many
// goroutines at once: the statement is prepared by whoever comes first, and
// nobody may find it missing.
func TestFirstReadsTogether(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "catalog.sqlite")
	for range 12 {
		db, err := catalog.Open(t.Context(), path, catalog.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if err := db.SaveRobots(t.Context(), "https://a.example", nil, 404, time.Now()); err != nil {
			t.Fatal(err)
		}
		var all sync.WaitGroup
		start := make(chan struct{})
		for range 16 {
			all.Go(func() {
				<-start
				if _, status, _, ok, err := db.LoadRobots(t.Context(), "https://a.example"); status != 404 || !ok || err != nil {
					t.Errorf("LoadRobots = %d, %t, %v", status, ok, err)
				}
			})
		}
		close(start)
		all.Wait()
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
