package main

import (
	"archive/zip"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/fineprint-archive/fineprint/archive/catalog"
	"github.com/fineprint-archive/fineprint/archive/terms"
)

// textForms are the forms of a text, by the ending of the file.
var textForms = map[string]func(catalog.VersionRow, *terms.Text) (func(io.Writer) error, error){
	"md": func(v catalog.VersionRow, t *terms.Text) (func(io.Writer) error, error) {
		return showText(v, t, "markdown")
	},
	"txt": func(v catalog.VersionRow, t *terms.Text) (func(io.Writer) error, error) {
		return showText(v, t, "plain")
	},
	"json": func(v catalog.VersionRow, t *terms.Text) (func(io.Writer) error, error) {
		return showText(v, t, "json")
	},
	"html": func(v catalog.VersionRow, t *terms.Text) (func(io.Writer) error, error) {
		return func(w io.Writer) error { return writeTextPage(w, v, t) }, nil
	},
}

// exportText writes versions of texts: the one in force at a time into a file, or
// several into a ZIP.
func (a *app) exportText(ctx context.Context, sel selection, args []string, form, out string) error {
	if sel.run != "" || sel.failed {
		return usageErrorf("export text: --run and --failed choose looks; choose versions by --service, --since, --until …, or all by --all")
	}
	if len(args) == 0 && sel == (selection{}) {
		return usageErrorf("export text: name a SOURCE, or choose versions by --service, --since, --until …, or all by --all")
	}
	zipped := strings.HasSuffix(out, ".zip")
	if form == "" {
		form = strings.TrimPrefix(filepath.Ext(out), ".")
		if _, ok := textForms[form]; !ok {
			form = "md"
		}
	}
	if _, ok := textForms[form]; !ok {
		return usageErrorf("--as %q: choose md, txt, json or html", form)
	}
	return a.withCatalog(ctx, func(_ *config, db *catalog.DB) error {
		versions, err := chosenVersions(ctx, db, sel, args)
		switch {
		case err != nil:
			return err
		case len(versions) == 0:
			return withCode(exitFailed, errors.New("no version matches; `fineprint versions` lists what there is"))
		case zipped:
			return a.exportTexts(ctx, db, versions, form, out)
		case len(versions) > 1:
			return usageErrorf("export text: %d versions go into one file: name it with -o FILE.zip, or one version as SOURCE@TIME", len(versions))
		}
		return a.exportOneText(ctx, db, versions[0], form, out)
	})
}

// chosenVersions returns the versions meant by SOURCE[@TIME] and the flags, by time
// and document.
func chosenVersions(ctx context.Context, db *catalog.DB, sel selection, args []string) ([]catalog.VersionRow, error) {
	name := ""
	if len(args) > 0 {
		var dated bool
		if name, _, dated = cutTime(args[0]); dated {
			v, err := versionAt(ctx, db, args[0])
			return []catalog.VersionRow{v}, err
		}
	}
	texts := textSelection{service: sel.service, terms: sel.terms, lang: sel.lang, url: sel.url, since: sel.since, until: sel.until}
	filter, err := texts.filter(ctx, db, name)
	if err != nil {
		return nil, err
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

func (a *app) exportOneText(ctx context.Context, db *catalog.DB, v catalog.VersionRow, form, out string) error {
	write, err := textWriter(ctx, db, v, form)
	if err != nil {
		return err
	}
	if out == "" || out == "-" {
		return write(a.stdout)
	}
	if err := writeWhole(out, write); err != nil {
		return err
	}
	return a.exported(out, 1)
}

// exported tells of a file of texts.
func (a *app) exported(out string, versions int) error {
	if a.json {
		return a.printJSON(map[string]any{"file": out, "format": "text", "versions": versions})
	}
	if versions == 1 {
		a.talk("wrote one version to %s", out)
		return nil
	}
	a.talk("wrote %d versions to %s", versions, out)
	return nil
}

// textWriter returns what writes the text of a version.
func textWriter(ctx context.Context, db *catalog.DB, v catalog.VersionRow, form string) (func(io.Writer) error, error) {
	text, err := readText(ctx, db, v.Document, v.Text)
	if err != nil {
		return nil, err
	}
	return textForms[form](v, text)
}

// exportTexts writes versions into a ZIP, in the folders and under the names that
// the datasets of Open Terms Archive have, with a table of them. The same versions
// give the same bytes.
func (a *app) exportTexts(ctx context.Context, db *catalog.DB, versions []catalog.VersionRow, form, out string) error {
	names := versionNames(versions, form)
	err := writeWhole(out, func(w io.Writer) error {
		z := zip.NewWriter(w)
		for i, v := range versions {
			write, err := textWriter(ctx, db, v, form)
			if err != nil {
				return err
			}
			if err := addZIP(z, names[i], v.Time, write); err != nil {
				return err
			}
		}
		if err := addZIP(z, "index.csv", versions[len(versions)-1].Time, func(w io.Writer) error { return writeVersionTable(ctx, w, db, versions, names) }); err != nil {
			return err
		}
		return z.Close()
	})
	if err != nil {
		return err
	}
	return a.exported(out, len(versions))
}

func addZIP(z *zip.Writer, name string, at time.Time, write func(io.Writer) error) error {
	f, err := z.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Deflate, Modified: at.UTC().Truncate(time.Second)})
	if err != nil {
		return err
	}
	return write(f)
}

// versionNames returns SERVICE/TERMS-LANG/YYYY-MM-DDTHH-MM-SSZ.EXT for each version.
// Documents that would share a folder get their ids behind it, versions of one
// second a number.
func versionNames(versions []catalog.VersionRow, ext string) []string {
	owners := map[string][]string{} // documents of a folder
	folder := func(v catalog.VersionRow) string {
		page := v.Terms
		if v.DocumentLang != "" {
			page += "-" + v.DocumentLang
		}
		return fileSegment(v.Service) + "/" + fileSegment(page)
	}
	for _, v := range versions {
		key := strings.ToLower(folder(v))
		if !slices.Contains(owners[key], v.Document) {
			owners[key] = append(owners[key], v.Document)
		}
	}
	used := map[string]bool{}
	names := make([]string, len(versions))
	for i, v := range versions {
		dir := folder(v)
		if len(owners[strings.ToLower(dir)]) > 1 {
			dir += " (" + fileSegment(v.Document) + ")"
		}
		stem := dir + "/" + v.Time.UTC().Format("2006-01-02T15-04-05Z")
		name := stem
		for n := 2; used[strings.ToLower(name)]; n++ {
			name = stem + "-" + strconv.Itoa(n)
		}
		used[strings.ToLower(name)] = true
		names[i] = name + "." + ext
	}
	return names
}

// fileSegment makes a name that every file system takes as one segment.
func fileSegment(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || strings.ContainsRune(`/\:*?"<>|`, r) {
			return '-'
		}
		return r
	}, s)
	if s = strings.Trim(s, ". "); s == "" {
		return "-"
	}
	return s
}

// writeVersionTable writes index.csv: a line for each version, with the ids of the
// captures that it was made of.
func writeVersionTable(ctx context.Context, w io.Writer, db *catalog.DB, versions []catalog.VersionRow, names []string) error {
	table := csv.NewWriter(w)
	err := table.Write([]string{"file", "document", "service", "terms", "lang", "url", "kind", "first_seen", "last_seen", "confirmed", "words", "text_sha256", "extractor", "captures"})
	for i, v := range versions {
		if err != nil {
			return err
		}
		var captures []string
		if captures, err = captureIDs(ctx, db, v); err != nil {
			return err
		}
		confirmed := ""
		if at := rfc(v.Confirmed); at != nil {
			confirmed = *at
		}
		err = table.Write([]string{names[i], v.Document, v.Service, v.Terms, v.DocumentLang, v.URL, v.Kind, *rfc(v.Time), *rfc(v.LastSeen), confirmed,
			strconv.FormatInt(v.Words, 10), v.TextSHA256, v.Extractor, strings.Join(captures, " ")})
	}
	table.Flush()
	return errors.Join(err, table.Error())
}

// captureIDs returns the ids of the captures that a version was made of.
func captureIDs(ctx context.Context, db *catalog.DB, v catalog.VersionRow) ([]string, error) {
	var parts []struct {
		Source string `json:"source"`
		N      int64  `json:"n"`
	}
	if err := json.Unmarshal(rawJSON(v.Parts), &parts); err != nil {
		return nil, fmt.Errorf("captures of %s at %s: %w", v.Document, v.Time, err)
	}
	ids := make([]string, 0, len(parts))
	for _, p := range parts {
		look, ok, err := db.Look(ctx, p.Source, p.N)
		if err != nil {
			return nil, err
		}
		if ok {
			ids = append(ids, look.ID)
		}
	}
	return ids, nil
}
