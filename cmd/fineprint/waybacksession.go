package main

import (
	"context"
	"errors"

	"github.com/fineprint-archive/fineprint/archive"
	"github.com/fineprint-archive/fineprint/archive/catalog"
	"github.com/fineprint-archive/fineprint/archive/wayback"
	"github.com/fineprint-archive/fineprint/crawler/declaration"
)

// waybackSession is an archive opened to keep answers of the Wayback Machine. Its
// spool is not that of crawl, so that neither waits for the other; and it is the
// only process at the catalog that speaks to the Archive.
type waybackSession struct {
	*session
	client   *wayback.Client
	observer *archive.Observer
	end      func() error
}

// waybackSpool is the spool of the wayback commands.
func waybackSpool(c *config) string { return c.Spool + "-wayback" }

// errOthers says that another process speaks to the Archive.
var errOthers = errors.New("another process speaks to the Wayback Machine for this archive, and its limits are for all of them: wait until it has ended")

// openWayback opens the archive for a command that asks the Wayback Machine. It is
// errOthers while another process does.
func (a *app) openWayback(ctx context.Context, c *config) (_ *waybackSession, err error) {
	own := *c
	own.Spool = waybackSpool(c)
	var closers closers
	w := &waybackSession{end: closers.close}
	defer func() {
		if err != nil {
			err = errors.Join(err, w.end())
		}
	}()
	db, err := a.openCatalog(ctx, c)
	if err != nil {
		return nil, err
	}
	closers = append(closers, db.Close)
	release, alone, err := db.LockOutbox(ctx)
	if err != nil {
		return nil, err
	}
	if !alone {
		return nil, errOthers
	}
	closers = append(closers, release)
	if w.session, err = a.openSession(ctx, &own); err != nil {
		return nil, err
	}
	closers = append(closers, w.session.close)
	client, observer, done, err := a.newObserver(ctx, w.session)
	if err != nil {
		return nil, err
	}
	closers = append(closers, func() error { done(); return nil })
	w.client, w.observer = client, observer
	return w, nil
}

// seal brings what was kept into the archive and has the log anchored.
func (w *waybackSession) seal(ctx context.Context, a *app) ([]archive.Sealed, error) {
	ctx = context.WithoutCancel(ctx)
	sealed, err := w.arch.Seal(ctx)
	if err == nil && len(sealed) > 0 {
		_, err = a.anchorRun(ctx, w.session)
	}
	return sealed, err
}

// newObserver makes the client of the Wayback Machine and what keeps its answers in
// an open archive. done ends its connections.
func (a *app) newObserver(ctx context.Context, s *session) (client *wayback.Client, observer *archive.Observer, done func(), err error) {
	if client, err = a.newWaybackClient(ctx, s.cfg, s.db); err != nil {
		return nil, nil, nil, err
	}
	wire, done, err := newWaybackWire(s.cfg, s.arch.AnchoredSum)
	if err != nil {
		return nil, nil, nil, err
	}
	observer, err = archive.NewObserver(archive.ObserverConfig{Archive: s.arch, Client: client, Wire: wire, Logger: a.logger()})
	return client, observer, done, err
}

// syncDeclared enters what is declared now into the catalog: a source that is private
// by now is not told to anybody any more.
func (a *app) syncDeclared(ctx context.Context, s *session) error {
	if len(s.cfg.Declarations) == 0 {
		return nil
	}
	set, err := a.declared(ctx, s.cfg, "")
	if err != nil {
		return err
	}
	return set.sync(ctx, s.db, a.talk)
}

// isPrivate tells whether a source is declared private, or was at its newest look.
func isPrivate(ctx context.Context, db *catalog.DB, source string) (bool, error) {
	looked, err := db.DeclarationOf(ctx, source)
	if err != nil {
		return false, err
	}
	declared, err := db.Declared(ctx, source)
	if err != nil {
		return false, err
	}
	for _, canonical := range [][]byte{looked, declared} {
		if len(canonical) == 0 {
			continue
		}
		if s, _, err := declaration.ParseCanonical(canonical); err == nil && s.Private {
			return true, nil
		}
	}
	return false, nil
}
