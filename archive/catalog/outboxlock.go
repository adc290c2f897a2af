package catalog

import (
	"context"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// outboxLockKey is the PostgreSQL advisory lock of the outbox ("fineprin").
const outboxLockKey = 0x66696e657072696e

// LockOutbox makes the caller the only worker of the outbox, among all processes
// at this catalog: the Wayback Machine's limits are for an account, and one
// worker keeps them. ok is false while another process works it. The lock ends
// with release or with the process.
func (db *DB) LockOutbox(ctx context.Context) (release func() error, ok bool, err error) {
	if db.pool == nil {
		return lockFile(db.name + ".outbox-lock")
	}
	conn, err := db.pool.Acquire(ctx)
	if err != nil {
		return nil, false, fmt.Errorf("lock outbox: %w", db.redact(err))
	}
	if err := conn.QueryRow(ctx, "SELECT pg_try_advisory_lock($1)", int64(outboxLockKey)).Scan(&ok); err != nil || !ok {
		conn.Release()
		return nil, false, wrap("lock outbox", db.redact(err))
	}
	return func() error {
		defer conn.Release()
		_, err := conn.Exec(context.WithoutCancel(ctx), "SELECT pg_advisory_unlock($1)", int64(outboxLockKey))
		return wrap("unlock outbox", db.redact(err))
	}, true, nil
}

func lockFile(name string) (release func() error, ok bool, err error) {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, false, fmt.Errorf("lock outbox: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, false, f.Close()
		}
		return nil, false, errors.Join(fmt.Errorf("lock outbox: %w", err), f.Close())
	}
	return f.Close, true, nil
}
