package catalog

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// readers is the number of reading connections kept open.
const readers = 4

// openSQLite opens the file at path, in a folder that is made if need be. One
// connection writes, since SQLite has one writer anyway and a queue in this
// process is fairer than its busy loop.
func (db *DB) openSQLite(ctx context.Context, path string) error {
	db.dialect, db.name = SQLite, path
	if path == "" {
		return errors.New("no database is named: give the path of a file or a postgres:// address")
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("make its folder: %w", err)
	}
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return errors.New("it is a folder: give the path of a file in it")
	}
	uri := url.URL{Scheme: "file", Path: path}
	pragmas := []string{
		"busy_timeout(10000)",
		"journal_mode(WAL)",
		"synchronous(FULL)", // a look that is acknowledged survives a power cut
		"foreign_keys(1)",
		"cache_size(-8000)",        // KiB
		"wal_autocheckpoint(4000)", // pages: a page written often is copied once
		"temp_store(2)",            // memory: each statement of many rows makes a small journal
	}
	query := url.Values{"_txlock": {"immediate"}, "_pragma": pragmas, "_error_rc": {"1"}}
	uri.RawQuery = query.Encode()
	if db.write, err = sql.Open("sqlite", uri.String()); err != nil {
		return err
	}
	db.write.SetMaxOpenConns(1)
	if err := db.write.PingContext(ctx); err != nil {
		return db.explain(err)
	}
	query = url.Values{"_pragma": {"busy_timeout(10000)", "query_only(1)"}, "_error_rc": {"1"}}
	uri.RawQuery = query.Encode()
	if db.read, err = sql.Open("sqlite", uri.String()); err != nil {
		return err
	}

	db.read.SetMaxIdleConns(readers) // open ones are not bounded: a reader may read within its loop
	return nil
}

// explain adds the remedy to an error of SQLite that an operator can act on.
func (db *DB) explain(err error) error {
	e, ok := errors.AsType[*sqlite.Error](err)
	if !ok {
		return err
	}
	switch e.Code() & 0xff {
	case sqlite3.SQLITE_NOTADB:
		return fmt.Errorf("%w: it is no SQLite database: name another file, or move it away and rebuild the catalog from the archive", err)
	case sqlite3.SQLITE_CORRUPT:
		return fmt.Errorf("%w: it is damaged: move it away and rebuild the catalog from the archive", err)
	case sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM:
		return fmt.Errorf("%w: the file and its folder must be writable for this user", err)
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return fmt.Errorf("%w: another process holds it for long: look for one that hangs", err)
	case sqlite3.SQLITE_FULL:
		return fmt.Errorf("%w: make room on its disk", err)
	case sqlite3.SQLITE_IOERR:
		return fmt.Errorf("%w: look at the health and the free space of its disk", err)
	}
	return err
}
