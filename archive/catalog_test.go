package archive_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/fineprint-archive/fineprint/archive/catalog"
)

// openCatalog opens a catalog until the end of the test. A file that is not there
// begins as a copy of an empty catalog: to make one takes longer than most tests.
func openCatalog(t testing.TB, dsn string) *catalog.DB {
	t.Helper()
	if _, err := os.Stat(dsn); err != nil && !strings.HasPrefix(dsn, "postgres") {
		empty, err := emptyCatalog()
		must(t, err)
		must(t, os.WriteFile(dsn, empty, 0o600))
	}
	db, err := catalog.Open(context.Background(), dsn, catalog.Options{})
	must(t, err)
	t.Cleanup(func() { must(t, db.Close()) })
	return db
}

// emptyCatalog returns the file of a catalog in which nothing was entered.
var emptyCatalog = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "fineprint-catalog")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir) // what is left lies in the tests' own folder
	name := filepath.Join(dir, "catalog.sqlite")
	db, err := catalog.Open(context.Background(), name, catalog.Options{})
	if err != nil {
		return nil, err
	}
	if err := db.Close(); err != nil {
		return nil, err
	}
	return os.ReadFile(name)
})
