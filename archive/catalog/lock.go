package catalog

import (
	"context"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// exclusive is a kind of work that one process at a catalog does at a time.
type exclusive struct {
	name string // of its lock file, and in errors
	key  int64  // of its PostgreSQL advisory lock: arbitrary, and no other program's
}

var (
	outboxWork     = exclusive{"outbox", 0x66696e657072696e}
	derivationWork = exclusive{"derivation", 0x66696e6564657269}
)

// LockOutbox makes the caller the only worker of the outbox, among all processes
// at this catalog: the Wayback Machine's limits are for an account, and one
// worker keeps them. ok is false while another process works it. The lock ends
// with release or with the process.
func (db *DB) LockOutbox(ctx context.Context) (release func() error, ok bool, err error) {
	return db.lock(ctx, outboxWork)
}

// LockDerivation makes the caller the only one that derives, among all processes at
// this catalog, like LockOutbox.
func (db *DB) LockDerivation(ctx context.Context) (release func() error, ok bool, err error) {
	return db.lock(ctx, derivationWork)
}

func (db *DB) lock(ctx context.Context, work exclusive) (release func() error, ok bool, err error) {
	if db.pool == nil {
		release, ok, err = lockFile(db.name + "." + work.name + "-lock")
		return release, ok, wrap("lock "+work.name, err)
	}
	conn, err := db.pool.Acquire(ctx)
	if err != nil {
		return nil, false, fmt.Errorf("lock %s: %w", work.name, db.redact(err))
	}
	if err := conn.QueryRow(ctx, "SELECT pg_try_advisory_lock($1)", work.key).Scan(&ok); err != nil || !ok {
		conn.Release()
		return nil, false, wrap("lock "+work.name, db.redact(err))
	}
	return func() error {
		defer conn.Release()
		_, err := conn.Exec(context.WithoutCancel(ctx), "SELECT pg_advisory_unlock($1)", work.key)
		return wrap("unlock "+work.name, db.redact(err))
	}, true, nil
}

func lockFile(name string) (release func() error, ok bool, err error) {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, false, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, false, f.Close()
		}
		return nil, false, errors.Join(err, f.Close())
	}
	return f.Close, true, nil
}
