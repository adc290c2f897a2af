package catalog

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// Dialect names the database behind a catalog.
type Dialect string

// The databases.
const (
	SQLite   Dialect = "sqlite"
	Postgres Dialect = "postgres"
)

// Options say how a catalog is opened. The zero value is ready to use.
type Options struct {
	// Logger takes what heals itself, nil discards it.
	Logger *slog.Logger

	// Now is the clock, nil is time.Now. Leases on PostgreSQL go by the
	// server's clock, which all machines share.
	Now func() time.Time
}

// DB is an open catalog. It is safe for concurrent use, also by several
// processes at one database.
type DB struct {
	dialect Dialect
	name    string // of the database, for messages; holds no secret
	secrets []string
	log     *slog.Logger
	now     func() time.Time

	write *sql.DB // one connection on SQLite
	read  *sql.DB // refuses writes on SQLite; the same as write on PostgreSQL
	pool  *pgxpool.Pool

	writeStmts, readStmts stmtCache // SQLite only: pgx caches by itself

	group  group
	server serverClock
}

// Open opens the catalog that dsn names, creates it if need be and brings its
// schema up to date: the path of a SQLite file, or a postgres:// URL. A schema
// newer than this program's is a [*SchemaError]. No error holds a password.
func Open(ctx context.Context, dsn string, opt Options) (*DB, error) {
	db := &DB{log: opt.Logger, now: opt.Now}
	if db.log == nil {
		db.log = slog.New(slog.DiscardHandler)
	}
	if db.now == nil {
		db.now = time.Now
	}
	var err error
	if isPostgres(dsn) {
		err = db.openPostgres(ctx, dsn)
	} else {
		err = db.openSQLite(ctx, dsn)
	}
	if err == nil {
		db.group.start(db)
		err = db.explain(db.migrate(ctx))
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open catalog %s: %w", db.name, db.redact(err)), db.Close())
	}
	return db, nil
}

func isPostgres(dsn string) bool {
	return strings.HasPrefix(dsn, "postgres://") || strings.HasPrefix(dsn, "postgresql://")
}

// Close waits for the writes under way and closes all connections. Later calls
// of any method return an error.
func (db *DB) Close() error {
	db.group.stop()
	var errs []error
	if db.read != nil && db.read != db.write {
		errs = append(errs, db.read.Close())
	}
	if db.write != nil {
		errs = append(errs, db.write.Close())
	}
	if db.pool != nil {
		db.pool.Close()
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("close catalog %s: %w", db.name, db.redact(err))
	}
	return nil
}

// Dialect returns "sqlite" or "postgres".
func (db *DB) Dialect() string { return string(db.dialect) }

// Name returns what is open, for messages: the file, or host and database
// without user and password.
func (db *DB) Name() string { return db.name }

// SQL returns the pool that writes, for a job library that keeps its tables
// beside ours. On SQLite it has one connection: who holds it stops all writes,
// and who asks for it inside a function given to Write waits for ever.
func (db *DB) SQL() *sql.DB { return db.write }

// Pool returns the PostgreSQL connection pool, nil on SQLite.
func (db *DB) Pool() *pgxpool.Pool { return db.pool }

// redact returns err, or an error with the same chain and a message in which
// the secrets of the DSN are masked.
func (db *DB) redact(err error) error {
	if err == nil {
		return nil
	}
	text := err.Error()
	for _, s := range db.secrets {
		text = strings.ReplaceAll(text, s, "xxxxx")
	}
	if text == err.Error() {
		return err
	}
	return &redactedError{text, err}
}

type redactedError struct {
	text string
	err  error
}

func (e *redactedError) Error() string { return e.text }

// Is and As look into the chain; there is no Unwrap, so that nobody prints it.
func (e *redactedError) Is(target error) bool { return errors.Is(e.err, target) }
func (e *redactedError) As(target any) bool   { return errors.As(e.err, target) }

// stmtCache holds the prepared statements of one pool by their text: parsing
// costs more than running most of them. The texts are put together from
// constants of this package and few.
type stmtCache struct {
	mu     sync.Mutex
	stmts  map[string]*sql.Stmt
	wanted []string // used in a transaction, to be prepared after it
}

// get returns a prepared statement, or nil.
func (c *stmtCache) get(text string) *sql.Stmt {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.stmts[text]
}

// open returns the statement for text, prepared by the pool if need be. Of two
// that prepare it at the same time, the first one's stays.
func (c *stmtCache) open(ctx context.Context, pool *sql.DB, text string) (*sql.Stmt, error) {
	if s := c.get(text); s != nil {
		return s, nil
	}
	s, err := pool.PrepareContext(ctx, text)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if first := c.stmts[text]; first != nil {
		return first, s.Close()
	}
	if c.stmts == nil {
		c.stmts = make(map[string]*sql.Stmt)
	}
	c.stmts[text] = s
	return s, nil
}

// want notes a text for prepare.
func (c *stmtCache) want(text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.wanted = append(c.wanted, text)
}

// prepare prepares what was noted. It needs a free connection.
func (c *stmtCache) prepare(ctx context.Context, pool *sql.DB) error {
	c.mu.Lock()
	wanted := c.wanted
	c.wanted = nil
	c.mu.Unlock()
	for _, text := range wanted {
		if _, err := c.open(ctx, pool, text); err != nil {
			return err
		}
	}
	return nil
}
