package catalog

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// errClosed is returned for work on a catalog that was closed.
var errClosed = errors.New("the catalog is closed")

const (
	maxGroup   = 256 // writes in one transaction
	maxRetries = 5   // of a write that failed because of others

	// gather is how long a transaction waits for writes beside its own, if there
	// were others lately: less than a flush of most disks takes, and a flush and
	// the rewriting of shared pages is saved for each.
	gather = 4 * time.Millisecond
)

// Querier reads: outside a transaction, inside one, or inside the one that
// writes. Arguments are strings, []byte and integers; placeholders are $1, $2, …
type Querier interface {
	Query(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRow(ctx context.Context, query string, args ...any) Row
}

// Row is the result of QueryRow.
type Row interface {
	// Scan copies the columns of the first row; without one it returns sql.ErrNoRows.
	Scan(dest ...any) error
}

// errRow is a row that could not be asked for.
type errRow struct{ err error }

func (r errRow) Scan(...any) error { return r.err }

// Tx is a transaction that may write. It ends with the function it was given to.
type Tx struct {
	tx    *sql.Tx
	db    *DB
	stmts map[string]*sql.Stmt // SQLite only: prepared for this transaction
}

// Exec runs a statement and returns the number of rows it changed.
func (tx *Tx) Exec(ctx context.Context, query string, args ...any) (int64, error) {
	res, err := tx.exec(ctx, query, args)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

func (tx *Tx) exec(ctx context.Context, query string, args []any) (sql.Result, error) {
	if tx.db.dialect == Postgres {
		return tx.tx.ExecContext(ctx, query, args...)
	}
	ctx, stmt, err := tx.stmt(ctx, query)
	if err != nil {
		return nil, err
	}
	return stmt.ExecContext(ctx, args...)
}

// Query runs a statement that returns rows; the caller closes them before the
// next statement of the transaction.
func (tx *Tx) Query(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	if tx.db.dialect == Postgres {
		return tx.tx.QueryContext(ctx, query, args...)
	}
	ctx, stmt, err := tx.stmt(ctx, query)
	if err != nil {
		return nil, err
	}
	return stmt.QueryContext(ctx, args...)
}

// QueryRow runs a statement that returns at most one row.
func (tx *Tx) QueryRow(ctx context.Context, query string, args ...any) Row {
	if tx.db.dialect == Postgres {
		return tx.tx.QueryRowContext(ctx, query, args...)
	}
	ctx, stmt, err := tx.stmt(ctx, query)
	if err != nil {
		return errRow{err}
	}
	return stmt.QueryRowContext(ctx, args...)
}

// stmt returns the prepared form of a statement within the transaction. A
// context that can be cancelled costs a goroutine per statement in the SQLite
// driver, whose statements are short: it is looked at here instead.
func (tx *Tx) stmt(ctx context.Context, query string) (context.Context, *sql.Stmt, error) {
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	ctx = context.WithoutCancel(ctx)
	if s := tx.stmts[query]; s != nil {
		return ctx, s, nil
	}
	s, err := tx.prepare(ctx, query)
	if err != nil {
		return nil, nil, err
	}
	if tx.stmts == nil {
		tx.stmts = make(map[string]*sql.Stmt)
	}
	tx.stmts[query] = s
	return ctx, s, nil
}

func (tx *Tx) prepare(ctx context.Context, query string) (*sql.Stmt, error) {
	if s := tx.db.writeStmts.get(query); s != nil {
		return tx.tx.StmtContext(ctx, s), nil
	}
	// The only connection is this transaction's, so the pool cannot prepare now.
	tx.db.writeStmts.want(query)
	return tx.tx.PrepareContext(ctx, query)
}

// Write runs f in a transaction that also holds the functions of other callers
// which wait at the same time, and returns when it is durably committed, or
// with f's error and nothing of f done. f may run more than once, alone or
// with others, so it must not touch anything but the transaction and variables
// that it sets anew each time; it must use the context it is given. A caller
// whose ctx ends before f has begun gets its error; afterwards it waits.
func (db *DB) Write(ctx context.Context, f func(ctx context.Context, tx *Tx) error) error {
	return db.explain(db.redact(db.group.do(ctx, f)))
}

// Read runs f with one consistent view of the catalog.
func (db *DB) Read(ctx context.Context, f func(ctx context.Context, q Querier) error) error {
	opts := &sql.TxOptions{ReadOnly: true}
	if db.dialect == Postgres {
		opts.Isolation = sql.LevelRepeatableRead
	}
	tx, err := db.read.BeginTx(ctx, opts)
	if err != nil {
		return fmt.Errorf("begin reading: %w", db.explain(db.redact(err)))
	}
	defer func() { _ = tx.Rollback() }() // nothing was written
	return db.explain(db.redact(f(ctx, snapshot{tx})))
}

// snapshot is a Querier in a transaction that reads.
type snapshot struct{ tx *sql.Tx }

func (s snapshot) Query(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	return s.tx.QueryContext(ctx, query, args...)
}

func (s snapshot) QueryRow(ctx context.Context, query string, args ...any) Row {
	return s.tx.QueryRowContext(ctx, query, args...)
}

// reader is a Querier outside any transaction, for single statements.
type reader struct{ db *DB }

func (r reader) Query(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	return r.db.read.QueryContext(ctx, query, args...)
}

func (r reader) QueryRow(ctx context.Context, query string, args ...any) Row {
	if r.db.dialect == Postgres {
		return r.db.read.QueryRowContext(ctx, query, args...)
	}
	if err := ctx.Err(); err != nil {
		return errRow{err}
	}
	ctx = context.WithoutCancel(ctx) // see Tx.stmt
	stmt, err := r.db.readStmts.open(ctx, r.db.read, query)
	if err != nil {
		return errRow{err}
	}
	return stmt.QueryRowContext(ctx, args...)
}

// one scans a row that may not exist.
func one(r Row, dest ...any) (bool, error) {
	switch err := r.Scan(dest...); {
	case errors.Is(err, sql.ErrNoRows): // pgx.ErrNoRows is one too
		return false, nil
	case err != nil:
		return false, err
	}
	return true, nil
}

// single runs f in a transaction of its own.
func (db *DB) single(ctx context.Context, f func(context.Context, *Tx) error) error {
	return db.retry(ctx, []*request{{ctx: ctx, f: f}})
}

// retry runs a transaction again that failed because of others.
func (db *DB) retry(ctx context.Context, batch []*request) error {
	for i := 0; ; i++ {
		err := db.run(ctx, batch)
		if err == nil || !transient(err) || i == maxRetries || ctx.Err() != nil {
			return err
		}
		db.log.Debug("transaction runs again", "attempt", i+1, "err", err)
	}
}

// run runs the functions of a batch in one transaction.
func (db *DB) run(ctx context.Context, batch []*request) (err error) {
	begin := ctx
	if db.dialect == SQLite {
		begin = context.WithoutCancel(ctx) // see Tx.stmt
	}
	sqltx, err := db.write.BeginTx(begin, nil)
	if err != nil {
		return fmt.Errorf("begin transaction: %w", err)
	}
	done := false
	defer func() {
		if !done { // also when f panics
			_ = sqltx.Rollback() // the error that led here says more
		}
	}()
	tx := &Tx{tx: sqltx, db: db}
	for _, r := range batch {
		if err := r.f(ctx, tx); err != nil {
			return err
		}
	}
	done = true
	if err := sqltx.Commit(); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	if db.dialect == SQLite {
		// What cannot be prepared now is tried again after its next use.
		_ = db.writeStmts.prepare(begin, db.write)
	}
	return nil
}

// request is a write that waits, runs or is done.
type request struct {
	ctx  context.Context
	f    func(context.Context, *Tx) error
	done chan struct{} // closed when err is set
	err  error
}

// group gathers writes. One goroutine runs them.
type group struct {
	db *DB

	mu     sync.Mutex
	queue  []*request
	closed bool

	wake chan struct{}
	wait sync.WaitGroup
}

// start starts the goroutine that writes.
func (g *group) start(db *DB) {
	g.db, g.wake = db, make(chan struct{}, 1)
	g.wait.Go(g.loop)
}

// stop refuses new writes and waits for those in the queue.
func (g *group) stop() {
	g.mu.Lock()
	first := !g.closed
	g.closed = true
	g.mu.Unlock()
	if first && g.wake != nil {
		g.poke()
	}
	g.wait.Wait()
}

func (g *group) poke() {
	select {
	case g.wake <- struct{}{}:
	default: // a wake-up is already waiting
	}
}

// do puts a write into the queue and waits for its end.
func (g *group) do(ctx context.Context, f func(context.Context, *Tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	r := &request{ctx: ctx, f: f, done: make(chan struct{})}
	g.mu.Lock()
	if g.closed {
		g.mu.Unlock()
		return errClosed
	}
	g.queue = append(g.queue, r)
	g.mu.Unlock()
	g.poke()
	select {
	case <-r.done:
		return r.err
	case <-ctx.Done():
	}
	if g.withdraw(r) {
		return ctx.Err()
	}
	<-r.done // it runs: its variables are in use until it ends
	return r.err
}

// withdraw takes a write out of the queue and reports whether it was there.
func (g *group) withdraw(r *request) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	for i, q := range g.queue {
		if q == r {
			g.queue = append(g.queue[:i], g.queue[i+1:]...)
			return true
		}
	}
	return false
}

// next takes up to maxGroup writes out of the queue.
func (g *group) next() (batch []*request, closed bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	n := min(len(g.queue), maxGroup)
	batch = append(batch, g.queue[:n]...)
	g.queue = append(g.queue[:0], g.queue[n:]...)
	clear(g.queue[len(g.queue):cap(g.queue)]) // lets go of the functions
	return batch, g.closed
}

// loop runs the writes until the catalog is closed.
func (g *group) loop() {
	usual := 0 // writes that came together lately
	for {
		if usual > 1 {
			g.gather(usual)
		}
		batch, closed := g.next()
		switch {
		case len(batch) > 0:
			usual = max(len(batch), usual-1)
			g.commit(batch)
		case closed:
			return
		default:
			<-g.wake
		}
	}
}

// gather waits until as many writes as usual are in the queue, but not long,
// and not if there is none yet.
func (g *group) gather(usual int) {
	timer := time.NewTimer(gather)
	defer timer.Stop()
	for {
		g.mu.Lock()
		n, closed := len(g.queue), g.closed
		g.mu.Unlock()
		if n == 0 || n >= usual || closed {
			return
		}
		select {
		case <-timer.C:
			return
		case <-g.wake:
		}
	}
}

// commit runs a batch and hands out its result. If the transaction fails each
// write is run alone: one that cannot succeed harms no other.
func (g *group) commit(batch []*request) {
	if len(batch) == 1 {
		batch[0].finish(g.db.retry(batch[0].ctx, batch))
		return
	}
	ctx, cancel := together(batch)
	err := g.db.run(ctx, batch)
	cancel()
	if err == nil {
		for _, r := range batch {
			r.finish(nil)
		}
		return
	}
	g.db.log.Debug("writes run one by one", "writes", len(batch), "err", err)
	for _, r := range batch {
		r.finish(g.db.single(r.ctx, r.f))
	}
}

// finish hands the result to the caller.
func (r *request) finish(err error) {
	r.err = err
	close(r.done)
}

// together returns a context that ends when those of all callers have ended:
// one that gives up does not stop the others.
func together(batch []*request) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(batch[0].ctx))
	var left atomic.Int64
	left.Store(int64(len(batch)))
	stops := make([]func() bool, 0, len(batch))
	for _, r := range batch {
		stops = append(stops, context.AfterFunc(r.ctx, func() {
			if left.Add(-1) == 0 {
				cancel()
			}
		}))
	}
	return ctx, func() {
		for _, stop := range stops {
			stop()
		}
		cancel()
	}
}
