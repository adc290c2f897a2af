package archive

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/fineprint-archive/fineprint/archive/catalog"
	"github.com/fineprint-archive/fineprint/archive/store"
	"github.com/fineprint-archive/fineprint/archive/wayback"
	"github.com/fineprint-archive/fineprint/crawler/declaration"
	"github.com/fineprint-archive/fineprint/warc"
)

// mementoRules is the version of the rules by which imported captures become
// versions.
const mementoRules = "1"

// deriveMementos takes in what was imported from web archives: it reads the texts
// of the imported captures as those of our own looks are read, and puts them in
// the order in which the web archive saw them. What comes of it stands apart from
// the versions of our own looks, and nobody is told.
//
// The captures of a source belong to the documents that the declaration of its
// newest look names, or that is declared if nobody has looked yet. A document is
// derived when an import, its declaration or the rules are new, and all at once:
// it may be stopped between two documents.
func (d *deriver) deriveMementos(ctx context.Context) error {
	state, err := d.cfg.Catalog.MementoSources(ctx)
	if err != nil || len(state) == 0 {
		return err
	}
	tasks, err := d.archivedTasks(ctx, state)
	if err != nil {
		return err
	}
	madeOf, err := d.cfg.Catalog.ArchivedMadeOf(ctx)
	if err != nil {
		return err
	}
	taken := map[string]bool{}
	for _, t := range tasks {
		if d.cfg.Documents != nil && !slices.Contains(d.cfg.Documents, t.document.ID) {
			continue
		}
		of, err := t.madeOf(state)
		if err != nil {
			return err
		}
		if of == madeOf[t.document.ID] && !d.cfg.Again {
			continue
		}
		if err := d.sight(ctx, t, state, taken); err != nil {
			return fmt.Errorf("%s: %w", t.document.ID, err)
		}
		if err := d.archivedDocument(ctx, t, of); err != nil {
			return fmt.Errorf("%s: %w", t.document.ID, err)
		}
	}
	if d.cfg.Documents != nil {
		return nil
	}
	for _, t := range tasks {
		delete(madeOf, t.document.ID)
	}
	return d.cfg.Catalog.DropArchived(ctx, slices.Sorted(maps.Keys(madeOf)))
}

// archivedTask is a document with imported captures.
type archivedTask struct {
	document declaration.Document
	urls     map[string]string // addresses of the sources with imported captures, by id
}

// archivedTasks lists the documents of sources, by id. Of declarations that differ
// on a document, that of its first part counts.
func (d *deriver) archivedTasks(ctx context.Context, state map[string]string) ([]archivedTask, error) {
	tasks := map[string]*archivedTask{}
	for _, id := range slices.Sorted(maps.Keys(state)) {
		canonical, err := d.cfg.Catalog.DeclarationOf(ctx, id)
		if err != nil {
			return nil, err
		}
		if len(canonical) == 0 {
			continue // known by its captures in the web archive alone
		}
		source, documents, err := declaration.ParseCanonical(canonical)
		if err != nil {
			return nil, fmt.Errorf("declaration of source %s: %w", id, err)
		}
		for _, doc := range documents {
			t := tasks[doc.ID]
			if t == nil {
				t = &archivedTask{document: doc, urls: map[string]string{}}
				tasks[doc.ID] = t
			}
			if doc.Parts[0].Source == id {
				t.document = doc
			}
			t.urls[id] = source.URL
		}
	}
	list := make([]archivedTask, 0, len(tasks))
	for _, id := range slices.Sorted(maps.Keys(tasks)) {
		list = append(list, *tasks[id])
	}
	return list, nil
}

// sources returns the sources of the document that have imported captures, each
// once.
func (t *archivedTask) sources() []string {
	var list []string
	for _, p := range t.document.Parts {
		if t.urls[p.Source] != "" && !slices.Contains(list, p.Source) {
			list = append(list, p.Source)
		}
	}
	return list
}

// url is the address by which the document is listed.
func (t *archivedTask) url() string {
	for _, id := range t.sources() {
		return t.urls[id]
	}
	return ""
}

// madeOf names everything that the rows of the document depend on.
func (t *archivedTask) madeOf(state map[string]string) (string, error) {
	parts := []any{DerivationVersion, mementoRules, t.document}
	for _, id := range t.sources() {
		parts = append(parts, id, t.urls[id], state[id])
	}
	b, err := json.Marshal(parts)
	if err != nil {
		return "", err
	}
	return warc.SumSHA256(b).Hex(), nil
}

// sight takes in what looks at the index list of the sources of a document, and
// that each imported capture was seen. taken holds the sources that were.
func (d *deriver) sight(ctx context.Context, t archivedTask, state map[string]string, taken map[string]bool) error {
	db := d.cfg.Catalog
	for _, source := range t.sources() {
		if taken[source] || state[source] == "" {
			continue
		}
		if d.cfg.Again {
			if err := db.ForgetSightings(ctx, source); err != nil {
				return err
			}
		}
		looks, err := db.LooksAtIndex(ctx, source)
		if err != nil {
			return err
		}
		for _, look := range looks {
			list, err := readIndex(ctx, d.cfg.Store, look)
			if err != nil {
				if list, err = d.withoutIndex(ctx, look, err); err != nil {
					return err
				}
			}
			d.cfg.Step("sight")
			if err := db.EnterSightings(ctx, look.ID, sightings(source, t.urls[source], list)); err != nil {
				return err
			}
		}
		taken[source] = true
	}
	return nil
}

// withoutIndex goes on without the rows of a look whose records cannot be read: the
// imported captures are sightings too, and `derive --again` tries it again. A store
// that does not answer is an error.
func (d *deriver) withoutIndex(ctx context.Context, look catalog.LookRow, err error) ([]wayback.IndexRow, error) {
	_, damage := errors.AsType[*damageError](damaged(ctx, err))
	if !damage && !errors.Is(err, store.ErrNotExist) {
		return nil, err
	}
	d.cfg.Logger.Error("an answer of a web archive's index cannot be read", "object", look.WARC, "url", look.URL, "err", err)
	return nil, nil
}

// readings are what the imported captures of each part of a document say, by the
// key of their bodies.
type readings []map[string]*catalog.ArchivedReading

// archivedDocument derives a document from its first capture on. What earlier
// derivations by the same rules have read is not read again.
func (d *deriver) archivedDocument(ctx context.Context, t archivedTask, of string) error {
	w := &archivedWalk{deriver: d, ctx: ctx, task: t, facts: map[string]textFacts{}, composed: map[string]string{}}
	w.out.Document = catalog.ArchivedDocument{
		Document: t.document.ID, Service: t.document.Service, ServiceID: t.document.ServiceID, Terms: t.document.Terms, Lang: t.document.Lang, URL: t.url(), MadeOf: of,
	}
	byKey, err := w.read()
	if err != nil {
		return err
	}
	if err := w.order(byKey); err != nil {
		return err
	}
	d.cfg.Step("archived")
	return d.cfg.Catalog.EnterArchived(ctx, w.out)
}

// partRules names the rules by which the captures of a part are read.
func partRules(p declaration.Part) string {
	return strings.Join([]string{DerivationVersion, "mementos " + mementoRules, rulesDigest(p)}, ", ")
}
