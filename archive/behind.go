package archive

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/fineprint-archive/fineprint/archive/catalog"
	"github.com/fineprint-archive/fineprint/archive/store"
	"github.com/fineprint-archive/fineprint/warc"
)

// ErrCatalogBehind says that the store holds WARCs that the catalog does not
// know: it is empty, an older copy, or partly rebuilt. A crawl would give out
// numbers of looks that are taken.
var ErrCatalogBehind = errors.New("the catalog is behind the archive")

// checkCatalog returns ErrCatalogBehind if a sealed WARC is missing from the
// catalog. It must not change anything: the remedy is to take the catalog away.
//
// The whole store is not compared. Looked at are the first WARC, which an empty
// or partly filled catalog lacks, and all from the month before the catalog's
// newest on, where an older copy lacks what was sealed after it was made (a
// WARC is filed under the month in which it was opened, so a machine may seal
// into the month before). That costs two listings: one page of keys, and those
// of usually two months, whatever the size of the archive.
func (a *Archive) checkCatalog(ctx context.Context) error {
	unfinished, err := a.cfg.Catalog.Rebuilding(ctx)
	if err != nil {
		return err
	}
	if unfinished {
		return fmt.Errorf("%w: a rebuild of %s did not come to its end: run `fineprint rebuild` again, it goes on with it", ErrCatalogBehind, a.cfg.Catalog.Name())
	}
	last, err := a.cfg.Catalog.LastWARC(ctx)
	if err != nil {
		return err
	}
	keys, err := firstWARC(ctx, a.cfg.Store)
	if err == nil && last != "" {
		var newest []string
		newest, err = listWARCs(ctx, a.cfg.Store, listFrom(last, a.cfg.Now()))
		keys = append(keys, newest...)
	}
	if err != nil {
		return fmt.Errorf("list WARCs: %w", err)
	}
	// Asked after the listing: rows come before objects, also from other
	// machines that seal meanwhile.
	missing, err := a.missing(ctx, keys)
	if err != nil {
		return err
	}
	switch {
	case missing == "":
		return nil
	case last == "":
		return fmt.Errorf("%w: %s is empty and the archive holds %s: run `fineprint rebuild` first", ErrCatalogBehind, a.cfg.Catalog.Name(), missing)
	}
	return fmt.Errorf("%w: %s does not know %s: move it away and run `fineprint rebuild`", ErrCatalogBehind, a.cfg.Catalog.Name(), missing)
}

// missing returns the first object that the catalog should know as sealed and
// does not, "" if there is none. A WARC whose file is still in this spool is in
// the middle of being sealed; so is one with the row of another spool.
func (a *Archive) missing(ctx context.Context, keys []string) (string, error) {
	known, err := a.cfg.Catalog.KnownWARCs(ctx, keys)
	if err != nil {
		return "", err
	}
	for _, key := range keys {
		if !known[key] && !a.spoolHolds(path.Base(key)) {
			return key, nil
		}
	}
	// An older copy of the catalog may know a WARC as open that was sealed since.
	rows, err := a.cfg.Catalog.WARCs(ctx, catalog.WARCFilter{Spool: a.spool, Unsealed: true})
	if err != nil {
		return "", fmt.Errorf("list open WARCs: %w", err)
	}
	for _, row := range rows {
		if a.spoolHolds(row.Name) || a.spoolHolds(row.Name+warc.OpenSuffix) {
			continue
		}
		_, err := a.cfg.Store.Stat(ctx, row.Key)
		if err == nil {
			return row.Key, nil
		}
		if !errors.Is(err, store.ErrNotExist) {
			return "", fmt.Errorf("look up %s: %w", row.Key, err)
		}
	}
	return "", nil
}

func (a *Archive) spoolHolds(name string) bool {
	_, err := os.Lstat(filepath.Join(a.cfg.Spool, name))
	return err == nil
}

// listFrom returns a key before all WARCs of the month before that of last. A
// key from the future, written by a wrong clock, counts as one of now.
func listFrom(last string, now time.Time) string {
	month := now
	if parts := strings.Split(last, "/"); len(parts) == 4 {
		if m, err := time.Parse("2006/01", parts[1]+"/"+parts[2]); err == nil && m.Before(now) {
			month = m
		}
	}
	first := time.Date(month.Year(), month.Month(), 1, 0, 0, 0, 0, time.UTC)
	return "warc/" + first.AddDate(0, -1, 0).Format("2006/01")
}

// firstWARC returns the key of the first WARC in the store, or nothing.
func firstWARC(ctx context.Context, s store.Store) ([]string, error) {
	for info, err := range s.List(ctx, "warc/", "") {
		if err != nil {
			return nil, err
		}
		if strings.HasSuffix(info.Key, ".warc.gz") {
			return []string{info.Key}, nil
		}
	}
	return nil, nil
}

// listWARCs returns the keys of all WARCs after the given one.
func listWARCs(ctx context.Context, s store.Store, after string) ([]string, error) {
	var keys []string
	for info, err := range s.List(ctx, "warc/", after) {
		if err != nil {
			return nil, err
		}
		if strings.HasSuffix(info.Key, ".warc.gz") {
			keys = append(keys, info.Key)
		}
	}
	return keys, nil
}
