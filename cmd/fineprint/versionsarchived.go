package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/fineprint-archive/fineprint/archive/catalog"
)

// The values of observer, and the kind of a version that was imported.
const (
	observerOwn     = "own"
	observerWayback = "web.archive.org"
	kindArchived    = "archived"
)

// archivedMark stands before the time in the name of an imported version.
const archivedMark = "ia:"

// archivedLine is a line of `versions --archived` (docs/FORMATS.md): that of a
// version of our own, and what is known of imported ones alone.
type archivedLine struct {
	versionLine
	Captures int64   `json:"sightings"` // by the web archive, in a row
	Grade    string  `json:"grade"`
	Reason   *string `json:"reason"`
	Replay   *string `json:"replay"` // whether the bytes are those of its index: same, different; null if that could not be compared
}

// versionOf is the form in which an imported version goes the way of the others.
func versionOf(v catalog.ArchivedVersion) catalog.VersionRow {
	return catalog.VersionRow{
		Document: v.Document, Time: v.Time, LastSeen: v.LastSeen, Kind: kindArchived, Text: v.Text, TextSHA256: v.TextSHA256, Lang: v.Lang, Words: v.Words,
		Extractor: v.Extractor, Parts: v.Parts, Service: v.Service, ServiceID: v.ServiceID, Terms: v.Terms, URL: v.URL, DocumentLang: v.DocumentLang,
	}
}

// versionLineOf is newVersionLine for versions of both kinds.
func versionLineOf(v catalog.VersionRow) versionLine {
	line := newVersionLine(v)
	if v.Kind == kindArchived {
		line.Observer = observerWayback
		line.Version = archivedMark + line.Version
	}
	return line
}

func newArchivedLine(v catalog.ArchivedVersion) archivedLine {
	return archivedLine{versionLineOf(versionOf(v)), v.Captures, v.Grade, orNull(v.Reason), orNull(string(v.Replay))}
}

// versionsArchived lists imported versions, alone or among our own ones.
func (a *app) versionsArchived(ctx context.Context, db *catalog.DB, sel textSelection, which, name string) error {
	if which != "also" && which != "only" {
		return usageErrorf("--archived=%s: write --archived, or --archived=only", which)
	}
	own := []catalog.VersionRow{}
	if which == "also" {
		var err error
		if own, err = ownVersions(ctx, db, sel, name); err != nil {
			return err
		}
	}
	filter, err := sel.filterBy(ctx, db.ResolveArchived, name)
	if err != nil && len(own) == 0 {
		return err
	}
	t := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
	if !a.json {
		fmt.Fprintln(t, versionsHeader)
	}
	n := len(own)
	list := func(v catalog.VersionRow) error {
		if a.json {
			return a.printJSON(versionLineOf(v))
		}
		printVersion(t, v)
		return nil
	}
	// Those of our own that come first: both lists are in the same order.
	before := func(v catalog.VersionRow) bool { return filter.Newest == v.Time.After(own[0].Time) }
	if err == nil {
		for v, err := range db.ArchivedVersions(ctx, filter) {
			if err != nil {
				return errors.Join(err, t.Flush())
			}
			for len(own) > 0 && !before(versionOf(v)) {
				if err := list(own[0]); err != nil {
					return err
				}
				own = own[1:]
			}
			n++
			if err := a.printArchived(t, v); err != nil {
				return err
			}
		}
	}
	for _, v := range own {
		if err := list(v); err != nil {
			return err
		}
	}
	if a.json {
		return a.printJSON(map[string]int{"versions": n})
	}
	return t.Flush()
}

// printArchived prints an imported version.
func (a *app) printArchived(t *tabwriter.Writer, v catalog.ArchivedVersion) error {
	if a.json {
		return a.printJSON(newArchivedLine(v))
	}
	row := versionOf(v)
	switch {
	case v.Replay == "different":
		row.Kind += " (altered)"
	case v.Grade != "terms":
		row.Kind += " (" + v.Grade + ")"
	}
	printVersion(t, row)
	return nil
}

// ownVersions lists the versions of our own looks; none if the name stands for a
// document that was imported alone.
func ownVersions(ctx context.Context, db *catalog.DB, sel textSelection, name string) ([]catalog.VersionRow, error) {
	filter, err := sel.filter(ctx, db, name)
	if err != nil {
		known, archivedErr := sel.filterBy(ctx, db.ResolveArchived, name)
		if archivedErr != nil || len(known.Documents) == 0 {
			return nil, err
		}
		return nil, nil
	}
	var list []catalog.VersionRow
	for v, err := range db.Versions(ctx, filter) {
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	return list, nil
}

// cutArchived divides SOURCE@ia:TIME.
func cutArchived(spec string) (name, at string, ok bool) {
	i := strings.LastIndex(spec, "@"+archivedMark)
	if i < 0 {
		return "", "", false
	}
	at = spec[i+1+len(archivedMark):]
	if _, err := parseTime(at, true); err != nil && !slices.Contains([]string{"", "latest"}, at) {
		return "", "", false
	}
	return spec[:i], at, true
}

// archivedVersionAt finds the version meant by SOURCE@ia:TIME.
func archivedVersionAt(ctx context.Context, db *catalog.DB, spec, name, at string) (catalog.VersionRow, error) {
	if _, err := resolveDocumentsBy(ctx, db.ResolveArchived, name); err != nil {
		return catalog.VersionRow{}, usageErrorf("%s: no capture of it was imported from the Wayback Machine; `fineprint wayback backfill %s` does so", spec, name)
	}
	document, err := resolveDocumentBy(ctx, db.ResolveArchived, name)
	if err != nil {
		return catalog.VersionRow{}, err
	}
	until, err := parseTime(at, true)
	if err != nil {
		return catalog.VersionRow{}, usageErrorf("%s: %w", spec, err)
	}
	if _, err := time.Parse(time.RFC3339, at); err != nil && !until.IsZero() {
		until = until.Add(-time.Nanosecond) // the end of a day or second, whose captures are on the second
	}
	v, ok, err := db.ArchivedVersionAt(ctx, document, until)
	if err != nil {
		return catalog.VersionRow{}, err
	}
	if !ok {
		return catalog.VersionRow{}, withCode(exitFailed, fmt.Errorf("the Wayback Machine had no text of %s at that time; `fineprint versions --archived %s` lists what it has", document, document))
	}
	return versionOf(v), nil
}
