package catalog_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"testing"

	"github.com/fineprint-archive/fineprint/archive/catalog"
)

// put enters one file name; it stands for any write.
func put(path string) func(context.Context, *catalog.Tx) error {
	return func(ctx context.Context, tx *catalog.Tx) error {
		_, err := tx.Exec(ctx, "INSERT INTO declaration_files (path, sha256) VALUES ($1, 'x')", path)
		return err
	}
}

// A write that fails takes nothing of the others with it, however they were
// grouped.
func TestWriteIsolation(t *testing.T) {
	eachDatabase(t, func(t *testing.T, dsn string) {
		db := open(t, dsn)
		must(t, db.Write(ctx, put("taken")))
		errOwn := errors.New("own error")
		var wg sync.WaitGroup
		errs := make([]error, 60)
		for i := range errs {
			wg.Go(func() {
				switch i % 3 {
				case 0: // the database refuses it
					errs[i] = db.Write(ctx, put("taken"))
				case 1: // the caller gives up halfway
					errs[i] = db.Write(ctx, func(ctx context.Context, tx *catalog.Tx) error {
						if err := put(fmt.Sprint("half", i))(ctx, tx); err != nil {
							return err
						}
						return errOwn
					})
				case 2:
					errs[i] = db.Write(ctx, put(fmt.Sprint("good", i)))
				}
			})
		}
		wg.Wait()
		for i, err := range errs {
			switch i % 3 {
			case 0:
				if err == nil {
					t.Errorf("write %d of a taken key succeeded", i)
				}
			case 1:
				if !errors.Is(err, errOwn) {
					t.Errorf("write %d: %v, want its own error", i, err)
				}
			case 2:
				if err != nil {
					t.Errorf("write %d: %v", i, err)
				}
			}
		}
		files, err := db.DeclarationFiles(ctx)
		must(t, err)
		if len(files) != 21 {
			t.Errorf("%d files are there, want 21: %v", len(files), files)
		}
	})
}

// Writes that wait at one moment share one commit.
func TestWriteGroups(t *testing.T) {
	eachDatabase(t, func(t *testing.T, dsn string) {
		db := open(t, dsn)
		running, release := make(chan struct{}), make(chan struct{})
		var wg sync.WaitGroup
		wg.Go(func() {
			err := db.Write(ctx, func(context.Context, *catalog.Tx) error {
				close(running)
				<-release
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
		<-running
		const n = 20
		var (
			mu    sync.Mutex
			seen  = map[*catalog.Tx]int{}
			began sync.WaitGroup
		)
		for range n {
			began.Add(1)
			wg.Go(func() {
				began.Done()
				err := db.Write(ctx, func(_ context.Context, tx *catalog.Tx) error {
					mu.Lock()
					defer mu.Unlock()
					seen[tx]++
					return nil
				})
				if err != nil {
					t.Error(err)
				}
			})
		}
		began.Wait()
		for catalog.Waiting(db) < n {
			runtime.Gosched()
			// The goroutines have started and are about to queue.
		}
		close(release)
		wg.Wait()
		if len(seen) != 1 {
			t.Errorf("%d writes that waited ran in %d transactions, want 1", n, len(seen))
		}
	})
}

func TestWriteCancelled(t *testing.T) {
	eachDatabase(t, func(t *testing.T, dsn string) {
		db := open(t, dsn)
		running, release := make(chan struct{}), make(chan struct{})
		var wg sync.WaitGroup
		wg.Go(func() {
			if err := db.Write(ctx, func(context.Context, *catalog.Tx) error { close(running); <-release; return nil }); err != nil {
				t.Error(err)
			}
		})
		<-running
		// One that waits is taken out of the queue.
		cancelled, cancel := context.WithCancel(ctx)
		cancel()
		if err := db.Write(cancelled, put("never")); !errors.Is(err, context.Canceled) {
			t.Errorf("Write with a context that has ended: %v, want context.Canceled", err)
		}
		waiting, cancel := context.WithCancel(ctx)
		result := make(chan error)
		go func() { result <- db.Write(waiting, put("never")) }()
		for catalog.Waiting(db) == 0 {
			runtime.Gosched()
		}
		cancel()
		if err := <-result; !errors.Is(err, context.Canceled) {
			t.Errorf("Write whose context ends while it waits: %v, want context.Canceled", err)
		}
		close(release)
		wg.Wait()

		// One that runs alone ends with its context, and leaves nothing.
		alone, cancel := context.WithCancel(ctx)
		err := db.Write(alone, func(ctx context.Context, tx *catalog.Tx) error {
			if err := put("half")(ctx, tx); err != nil {
				return err
			}
			cancel()
			<-ctx.Done()
			return put("other half")(ctx, tx)
		})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("Write whose context ends while it runs: %v, want context.Canceled", err)
		}
		must(t, db.Write(ctx, put("after")))
		files, err := db.DeclarationFiles(ctx)
		must(t, err)
		if len(files) != 1 || files["after"] == "" {
			t.Errorf("files = %v, want only the one written after the cancelled ones", files)
		}
	})
}

func TestRead(t *testing.T) {
	eachDatabase(t, func(t *testing.T, dsn string) {
		db := open(t, dsn)
		must(t, db.Write(ctx, put("one")))
		count := func(q catalog.Querier) (n int) {
			t.Helper()
			must(t, q.QueryRow(ctx, "SELECT COUNT(*) FROM declaration_files").Scan(&n))
			return n
		}
		must(t, db.Read(ctx, func(_ context.Context, q catalog.Querier) error {
			before := count(q)
			must(t, db.Write(ctx, put("two")))
			if after := count(q); before != 1 || after != 1 {
				t.Errorf("Read saw %d and %d rows, want 1 and 1: one view", before, after)
			}
			rows, err := q.Query(ctx, "DELETE FROM declaration_files RETURNING path")
			if err == nil {
				for rows.Next() {
				}
				err = errors.Join(rows.Err(), rows.Close())
			}
			if err == nil {
				t.Error("a write within Read succeeded")
			}
			return nil
		}))
		must(t, db.Read(ctx, func(_ context.Context, q catalog.Querier) error {
			if n := count(q); n != 2 {
				t.Errorf("%d rows afterwards, want 2", n)
			}
			return nil
		}))
	})
}

func TestClosed(t *testing.T) {
	eachDatabase(t, func(t *testing.T, dsn string) {
		db, err := catalog.Open(ctx, dsn, catalog.Options{})
		must(t, err)
		must(t, db.Close())
		if err := db.Write(ctx, put("x")); err == nil {
			t.Error("Write on a closed catalog succeeded")
		}
		if _, err := db.DeclarationFiles(ctx); err == nil {
			t.Error("reading a closed catalog succeeded")
		}
		must(t, db.Close()) // harmless
	})
}
