package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/fineprint-archive/fineprint/archive"
	"github.com/fineprint-archive/fineprint/archive/catalog"
	"github.com/fineprint-archive/fineprint/archive/store"
	"github.com/fineprint-archive/fineprint/archive/store/s3"
	"github.com/fineprint-archive/fineprint/archive/tlog"
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

// openCatalog opens the SQL index, made if it is not there. One of a newer
// program is a usage error.
func (a *app) openCatalog(ctx context.Context, c *config) (*catalog.DB, error) {
	if !isPostgres(c.Database) {
		if err := os.MkdirAll(filepath.Dir(c.Database), 0o755); err != nil {
			return nil, withCode(exitUsage, fmt.Errorf("database: %w; choose a writable place (database:)", err))
		}
	}
	db, err := catalog.Open(ctx, c.Database, catalog.Options{Logger: a.logger()})
	if _, newer := errors.AsType[*catalog.SchemaError](err); newer {
		return nil, withCode(exitUsage, fmt.Errorf("database: %w", err))
	}
	if err != nil {
		return nil, fmt.Errorf("database: %w", err)
	}
	return db, nil
}

// missing reports whether there is no file or folder of this name.
func missing(name string) bool {
	_, err := os.Stat(name)
	return errors.Is(err, fs.ErrNotExist)
}

// noCatalog reports whether the configured catalog is a file that is not there.
// Whether a PostgreSQL database is there only its server knows.
func (c *config) noCatalog() bool { return !isPostgres(c.Database) && missing(c.Database) }

// noArchive is the fault of a command that finds nothing to work on.
func noArchive(what string) error {
	return usageErrorf("no archive here: %s does not exist; `fineprint crawl` or `fineprint rebuild` makes one", what)
}

// readCatalog opens the catalog for a command that only reads: nothing is made
// that is not there, and one that a rebuild left half filled is refused. The
// version of an archive in a folder is checked; a bucket is not asked, so that
// what the catalog alone can answer needs no network.
func (a *app) readCatalog(ctx context.Context, c *config) (_ *catalog.DB, err error) {
	if c.noCatalog() {
		return nil, noArchive(c.Database)
	}
	if !strings.HasPrefix(c.Archive, "s3://") && !missing(c.Archive) {
		if _, err := a.readStore(ctx, c); err != nil {
			return nil, err
		}
	}
	db, err := a.openCatalog(ctx, c)
	if err != nil {
		return nil, err
	}
	unfinished, err := db.Rebuilding(ctx)
	if err == nil && unfinished {
		err = usageErrorf("database: a rebuild of %s runs or did not come to its end: run `fineprint rebuild` again", db.Name())
	}
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

// readStore opens the archive's objects for a command that only reads.
func (a *app) readStore(ctx context.Context, c *config) (store.Store, error) {
	if !strings.HasPrefix(c.Archive, "s3://") && missing(c.Archive) {
		return nil, noArchive(c.Archive)
	}
	objects, err := a.openStore(ctx, c)
	if err != nil {
		return nil, err
	}
	return objects, asUsage(archive.CheckFormat(ctx, objects))
}

// openCatalogToRead reads the configuration and opens its catalog for a command
// that only reads, which closes it.
func (a *app) openCatalogToRead(ctx context.Context) (*config, *catalog.DB, error) {
	c, err := a.config()
	if err != nil {
		return nil, nil, err
	}
	db, err := a.readCatalog(ctx, c)
	return c, db, err
}

// openToRead is openCatalogToRead for a command that reads objects as well.
func (a *app) openToRead(ctx context.Context) (*config, *catalog.DB, store.Store, error) {
	c, db, err := a.openCatalogToRead(ctx)
	if err != nil {
		return nil, nil, nil, err
	}
	objects, err := a.readStore(ctx, c)
	if err != nil {
		return nil, nil, nil, errors.Join(err, db.Close())
	}
	return c, db, objects, nil
}

// asUsage gives the usage exit code to what a person must settle first.
func asUsage(err error) error {
	for _, kind := range []error{archive.ErrNewer, archive.ErrCatalogBehind, archive.ErrSpool, store.ErrReadOnly} {
		if errors.Is(err, kind) {
			return withCode(exitUsage, err)
		}
	}
	return err
}

// checkWritable tries to write into an archive that is a folder, before a crawl
// whose looks could not be sealed.
func checkWritable(s store.Store) error {
	dir, ok := s.(*store.Dir)
	if !ok {
		return nil
	}
	f, err := os.CreateTemp(dir.Root(), ".try-*") // no key begins with a dot
	if err == nil {
		return errors.Join(f.Close(), os.Remove(f.Name()))
	}
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS) {
		return usageErrorf("archive: %w; give this user the right to write the folder, or choose another one (archive:)", err)
	}
	return nil // a full disk, say, is met when something is to be stored
}

// session is an archive opened for writing.
type session struct {
	cfg   *config
	store store.Store
	db    *catalog.DB
	arch  *archive.Archive
	close func() error

	noDerive bool // texts are left to `derive`

	parties archive.AnchorParties // whom to ask about the log

	// sealed, if set, is called when a run is sealed and before it is summed up.
	sealed func(context.Context, *summary) error
}

// closers are what was opened, to be closed in the other order.
type closers []func() error

func (c *closers) close() error {
	var errs []error
	for _, f := range slices.Backward(*c) {
		errs = append(errs, f())
	}
	return errors.Join(errs...)
}

// openSession opens store, catalog and spool, and repairs what an earlier
// process left behind. An archive whose log is closed takes nothing more.
func (a *app) openSession(ctx context.Context, c *config) (*session, error) {
	s, err := a.openAny(ctx, c)
	if err != nil {
		return nil, err
	}
	if next := s.arch.Log().Closed(); next != "" {
		err := fmt.Errorf("%w: it is continued by %s", tlog.ErrClosed, next)
		return nil, errors.Join(logFault(err), s.close())
	}
	return s, nil
}

// openAny is openSession, also of an archive whose log is closed.
func (a *app) openAny(ctx context.Context, c *config) (_ *session, err error) {
	parties, err := c.anchorParties()
	if err != nil {
		return nil, err
	}
	var closers closers
	s := &session{cfg: c, parties: parties, close: closers.close}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	if s.store, err = a.openStore(ctx, c); err != nil {
		return nil, err
	}
	if err = checkWritable(s.store); err != nil {
		return nil, err
	}
	if s.db, err = a.openCatalog(ctx, c); err != nil {
		return nil, err
	}
	closers = append(closers, s.db.Close)
	logged, err := a.openLogKey(ctx, c, s.store)
	if err != nil {
		return nil, err
	}
	s.arch, err = archive.Open(ctx, archive.Config{
		Store: s.store, Catalog: s.db, Log: logged, Spool: c.Spool, Operator: c.Operator, UserAgent: c.agent, Tool: toolVersion(), Settings: c.digest(),
		MaxBytes: int64(c.Seal.MaxBytes), Logger: a.logger(), Step: a.step,
	})
	if errors.Is(err, archive.ErrSpoolBusy) {
		return nil, fmt.Errorf("%w; wait for it, or give this one a spool of its own (spool:)", err)
	}
	if err != nil {
		return nil, asUsage(logFault(err))
	}
	closers = append(closers, s.arch.Close)
	return s, nil
}
