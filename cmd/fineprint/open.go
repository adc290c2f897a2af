package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/fineprint-archive/fineprint/archive"
	"github.com/fineprint-archive/fineprint/archive/catalog"
	"github.com/fineprint-archive/fineprint/archive/store"
	"github.com/fineprint-archive/fineprint/archive/store/s3"
)

// logger writes warnings and errors to standard error; -q leaves errors only.
func (a *app) logger() *slog.Logger {
	level := slog.LevelWarn
	if a.quiet {
		level = slog.LevelError
	}
	if os.Getenv("FINEPRINT_DEBUG") != "" {
		level = slog.LevelDebug
	}
	return slog.New(slog.NewTextHandler(a.stderr, &slog.HandlerOptions{Level: level}))
}

// openStore opens the archive's objects: a folder or a bucket.
func (a *app) openStore(ctx context.Context, c *config) (store.Store, error) {
	if !strings.HasPrefix(c.Archive, "s3://") {
		dir, err := store.OpenDir(c.Archive)
		if err != nil {
			return nil, withCode(exitUsage, fmt.Errorf("archive: %w", err))
		}
		return dir, nil
	}
	cfg, err := s3.ParseURL(c.Archive)
	if err != nil {
		return nil, withCode(exitUsage, fmt.Errorf("archive: %w", err))
	}
	cfg.ObjectLockDays = c.Store.ObjectLockDays
	cfg.Logger = a.logger()
	bucket, err := s3.Open(ctx, cfg)
	if err == nil {
		err = bucket.Check(ctx)
	}
	if err != nil {
		return nil, withCode(exitUsage, fmt.Errorf("archive: %w", err))
	}
	return bucket, nil
}

// openCatalog opens the SQL index, made if it is not there.
func (a *app) openCatalog(ctx context.Context, c *config) (*catalog.DB, error) {
	if !isPostgres(c.Database) {
		if err := os.MkdirAll(filepath.Dir(c.Database), 0o755); err != nil {
			return nil, withCode(exitUsage, fmt.Errorf("database: %w; choose a writable place (database:)", err))
		}
	}
	db, err := catalog.Open(ctx, c.Database, catalog.Options{Logger: a.logger()})
	if err != nil {
		return nil, fmt.Errorf("database: %w", err)
	}
	return db, nil
}

// session is an archive opened for writing.
type session struct {
	cfg   *config
	store store.Store
	db    *catalog.DB
	arch  *archive.Archive
	close func() error
}

// openSession opens store, catalog and spool, and repairs what an earlier
// process left behind.
func (a *app) openSession(ctx context.Context, c *config) (_ *session, err error) {
	s := &session{cfg: c}
	var closers []func() error
	s.close = func() error {
		var errs []error
		for i := len(closers) - 1; i >= 0; i-- {
			errs = append(errs, closers[i]())
		}
		return errors.Join(errs...)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	if s.store, err = a.openStore(ctx, c); err != nil {
		return nil, err
	}
	if s.db, err = a.openCatalog(ctx, c); err != nil {
		return nil, err
	}
	closers = append(closers, s.db.Close)
	s.arch, err = archive.Open(ctx, archive.Config{
		Store: s.store, Catalog: s.db, Spool: c.Spool, Operator: c.Operator, UserAgent: c.agent, Tool: toolVersion(),
		MaxBytes: int64(c.Seal.MaxBytes), WaybackEvery: waybackEvery(c), Logger: a.logger(), Step: a.step,
	})
	if errors.Is(err, archive.ErrNewer) {
		return nil, withCode(exitUsage, err)
	}
	if errors.Is(err, archive.ErrSpoolBusy) {
		return nil, fmt.Errorf("%w; wait for it, or give this one a spool of its own (spool:)", err)
	}
	if err != nil {
		return nil, err
	}
	closers = append(closers, s.arch.Close)
	return s, nil
}
