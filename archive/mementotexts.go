package archive

import (
	"context"
	"fmt"

	"github.com/fineprint-archive/fineprint/archive/catalog"
	"github.com/fineprint-archive/fineprint/archive/store"
)

// MementoTexts are the texts of a document in our capture and in that of the
// Wayback Machine which was compared with it.
type MementoTexts struct {
	Document     string // id; "" for a page of no document
	Ours, Theirs Reading
}

// CompareMemento makes the texts of a capture that was read back, and of our look,
// by the declaration of that look: one pair for each document that the page belongs
// to.
func CompareMemento(ctx context.Context, s store.Store, db *catalog.DB, m catalog.MementoRow) ([]MementoTexts, error) {
	ours, ok, err := db.Look(ctx, m.Source, m.N)
	if err == nil && !ok {
		err = fmt.Errorf("look %d at %s: %w", m.N, m.Source, errNoLook)
	}
	if err != nil {
		return nil, err
	}
	parts, err := partsOf(ctx, db, ours)
	if err != nil {
		return nil, err
	}
	var all []MementoTexts
	for _, p := range parts {
		mine, err := readLook(ctx, s, db, ours, p.rules)
		if err != nil {
			return nil, err
		}
		theirs, err := readMemento(ctx, s, db, m, p.rules)
		if err != nil {
			return nil, err
		}
		all = append(all, MementoTexts{p.document, mine, theirs})
	}
	return all, nil
}
