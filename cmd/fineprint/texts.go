package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/fineprint-archive/fineprint/archive"
	"github.com/fineprint-archive/fineprint/archive/catalog"
	"github.com/fineprint-archive/fineprint/archive/terms"
	"github.com/fineprint-archive/fineprint/crawler/declaration"
)

// textSelection is the set of flags that choose versions and changes.
type textSelection struct {
	service, terms, lang, url string
	since, until              string
	all                       bool
	limit                     int
}

func (s *textSelection) flags(cmd *cobra.Command, all string) {
	f := cmd.Flags()
	f.StringVar(&s.service, "service", "", "only this service (name or id)")
	f.StringVar(&s.terms, "terms", "", "only this type of terms")
	f.StringVar(&s.lang, "lang", "", "only this language")
	f.StringVar(&s.url, "url", "", "only documents of this address")
	f.StringVar(&s.since, "since", "", "from this `TIME` on (RFC 3339, date or 14 digits)")
	f.StringVar(&s.until, "until", "", "up to this `TIME`")
	f.BoolVar(&s.all, "all", false, all)
	f.IntVar(&s.limit, "limit", 0, "at most so many, the newest")
}

// resolver finds the ids of the documents that a name stands for.
type resolver func(ctx context.Context, name string) ([]string, error)

// filter turns the flags and an optional SOURCE into a catalog filter.
func (s *textSelection) filter(ctx context.Context, db *catalog.DB, name string) (catalog.TextFilter, error) {
	return s.filterBy(ctx, db.ResolveDocuments, name)
}

func (s *textSelection) filterBy(ctx context.Context, resolve resolver, name string) (catalog.TextFilter, error) {
	if s.limit < 0 {
		return catalog.TextFilter{}, usageErrorf("--limit %d: give a number, 0 for all", s.limit)
	}
	f := catalog.TextFilter{Service: s.service, All: s.all, Limit: s.limit, Newest: s.limit > 0}
	var err error
	if f.Terms, f.Lang, f.Since, f.Until, err = chosen(s.terms, s.lang, s.since, s.until); err != nil {
		return f, err
	}
	for _, name := range []string{name, s.url} {
		if name == "" {
			continue
		}
		ids, err := resolveDocumentsBy(ctx, resolve, name)
		if err != nil {
			return f, err
		}
		f.Documents = append(f.Documents, ids...)
	}
	return f, nil
}

// talkEmpty says why a list is empty: that nothing of its kind was found, or that
// there is no document to find it in, as when the name of a service is misspelt.
func (a *app) talkEmpty(ctx context.Context, db *catalog.DB, f catalog.TextFilter, nothing string) error {
	f.Since, f.Until, f.All, f.Limit, f.Newest = time.Time{}, time.Time{}, true, 1, false
	for _, err := range db.Versions(ctx, f) {
		if err == nil {
			a.talk("%s", nothing)
		}
		return err
	}
	for _, err := range db.Suppressed(ctx, f) { // of a document that never had a good text
		if err == nil {
			a.talk("%s", nothing)
		}
		return err
	}
	a.talk("no document matches; `fineprint versions` lists those whose text is derived, `fineprint derive` takes in new looks")
	return nil
}

// resolveDocuments finds the documents meant by a document id, a source id or an
// address.
func resolveDocuments(ctx context.Context, db *catalog.DB, name string) ([]string, error) {
	return resolveDocumentsBy(ctx, db.ResolveDocuments, name)
}

func resolveDocumentsBy(ctx context.Context, resolve resolver, name string) ([]string, error) {
	ids, err := resolve(ctx, name)
	if err == nil && len(ids) == 0 {
		if address, bad := declaration.Normalize(name); bad == nil && address != name {
			ids, err = resolve(ctx, address)
		}
	}
	if err != nil {
		return nil, err
	}
	if i := strings.LastIndexByte(name, '@'); len(ids) == 0 && i > 0 {
		if known, err := resolve(ctx, name[:i]); err == nil && len(known) > 0 {
			return nil, usageErrorf("%s: %q is no time; give a date, RFC 3339, or 14 digits", name, name[i+1:])
		}
	}
	if len(ids) == 0 {
		return nil, usageErrorf("%q is no document, source or address whose text is derived; `fineprint versions` lists the documents, `fineprint derive` takes in new looks", name)
	}
	return ids, nil
}

// resolveDocument is resolveDocuments for a command that shows one.
func resolveDocument(ctx context.Context, db *catalog.DB, name string) (string, error) {
	return resolveDocumentBy(ctx, db.ResolveDocuments, name)
}

func resolveDocumentBy(ctx context.Context, resolve resolver, name string) (string, error) {
	ids, err := resolveDocumentsBy(ctx, resolve, name)
	if err != nil {
		return "", err
	}
	if len(ids) > 1 {
		return "", usageErrorf("%q stands for %d documents; name one of them:\n  %s", name, len(ids), strings.Join(ids, "\n  "))
	}
	return ids[0], nil
}

// versionAt finds the version meant by SOURCE[@TIME], or by SOURCE@ia:TIME.
func versionAt(ctx context.Context, db *catalog.DB, spec string) (catalog.VersionRow, error) {
	if name, at, ok := cutArchived(spec); ok {
		return archivedVersionAt(ctx, db, spec, name, at)
	}
	name, at, _ := cutTime(spec)
	document, err := resolveDocument(ctx, db, name)
	if err != nil {
		return catalog.VersionRow{}, err
	}
	until, err := parseTime(at, true)
	if err != nil {
		return catalog.VersionRow{}, usageErrorf("%s: %w", spec, err)
	}
	v, ok, err := db.VersionAt(ctx, document, until, false)
	if err != nil {
		return v, err
	}
	if !ok {
		return v, withCode(exitFailed, fmt.Errorf("%s had no text at that time; `fineprint versions %s` lists what there is", document, document))
	}
	return v, nil
}

// readVersion returns the text of a version.
func readVersion(ctx context.Context, db *catalog.DB, v catalog.VersionRow) (*terms.Text, error) {
	if v.Kind == kindArchived {
		return archive.StoredArchivedText(ctx, db, v.Document, v.Text)
	}
	return readText(ctx, db, v.Document, v.Text)
}

// readText returns a stored text.
func readText(ctx context.Context, db *catalog.DB, document, name string) (*terms.Text, error) {
	return archive.StoredText(ctx, db, document, name)
}

// colored reports whether standard output takes colours: a terminal whose user has
// not said otherwise (no-color.org).
func (a *app) colored() bool {
	f, ok := a.stdout.(*os.File)
	return ok && term.IsTerminal(int(f.Fd())) && os.Getenv("NO_COLOR") == ""
}

// width is the width of the terminal in columns, 0 where there is none.
func (a *app) width() int {
	if f, ok := a.stdout.(*os.File); ok {
		if w, _, err := term.GetSize(int(f.Fd())); err == nil {
			return w
		}
	}
	return 0
}

// stamp prints a time as the lists do.
func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02 15:04:05")
}

// rfc prints a time for programs; null for none.
func rfc(t time.Time) *string {
	if t.IsZero() {
		return nil
	}
	text := t.UTC().Format(time.RFC3339Nano)
	return &text
}

// withCatalog runs a command that only reads the catalog.
func (a *app) withCatalog(ctx context.Context, f func(c *config, db *catalog.DB) error) error {
	c, db, err := a.openCatalogToRead(ctx)
	if err != nil {
		return err
	}
	return errors.Join(f(c, db), db.Close())
}

// watch returns the phrases that mark a change.
func (c *config) watch() (*terms.Watch, error) {
	phrases := c.Changes.Watch
	if phrases == nil {
		phrases = terms.DefaultWatch()
	}
	if len(phrases) == 0 {
		return nil, nil
	}
	w, err := terms.NewWatch(slices.Clone(phrases))
	if err != nil {
		return nil, usageErrorf("changes.watch: %w", err)
	}
	return w, nil
}
