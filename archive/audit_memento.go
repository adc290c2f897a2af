package archive

import (
	"cmp"
	"context"
	"crypto/sha256"
	"maps"
	"slices"

	"github.com/fineprint-archive/fineprint/archive/catalog"
)

// mementoSum stands for the catalog's row of a look at a web archive.
type mementoSum struct {
	look recordID // of its manifest
	sum  [sha256.Size]byte
}

// mementoBytes is the size of a mementoSum in the state of an audit.
const mementoBytes = len(recordID{}) + sha256.Size

// seenMemento is one that a WARC showed.
type seenMemento struct {
	object string
	sum    [sha256.Size]byte
}

// compareMementos compares the rows of looks at web archives with those that their
// manifests give, and the indexes of receipts with the log. Rows of WARCs that were
// not read whole are passed over.
func (a *auditor) compareMementos(ctx context.Context, states map[string]catalog.WARCState) error {
	rows, err := a.cfg.Catalog.Mementos(ctx, catalog.MementoFilter{})
	if err != nil {
		return err
	}
	left := maps.Clone(a.refs.mementos)
	for i := range rows {
		row := &rows[i]
		f := AuditFinding{Kind: AuditCatalog, Object: row.WARC, Index: -1, Source: row.Source, N: row.N}
		id, err := parseRecordID(row.Look)
		seen, ok := left[id]
		delete(left, id)
		w := a.warcs[row.WARC]
		sum, bad := row.Sum()
		switch {
		case w == nil || w.state != warcGood, !ok && len(a.tombstones[row.WARC]) > 0:
			continue // not read, or taken out
		case err != nil || !ok:
			f.Detail = "the catalog has a row of look " + row.Look + " at a web archive, and the WARC does not hold it"
		case bad != nil || seen.sum != sum || seen.object != row.WARC:
			f.Detail = "the row of look " + row.Look + " at a web archive says otherwise than its manifest"
		default:
			a.compareReceipt(row, f)
			continue
		}
		a.find(f)
	}
	for _, id := range slices.SortedFunc(maps.Keys(left), func(x, y recordID) int { return cmp.Compare(string(x[:]), string(y[:])) }) {
		if key := left[id].object; states[key] == catalog.WARCSealed {
			a.find(AuditFinding{Kind: AuditCatalog, Object: key, Index: -1, Detail: "a look at a web archive has no row of what it showed"})
		}
	}
	return nil
}

// compareReceipt compares the index of a receipt with the log. That the log has it
// at all is the word of endReceipts.
func (a *auditor) compareReceipt(row *catalog.MementoRow, f AuditFinding) {
	index, logged := a.receipts[sha256.Sum256(row.Leaf)]
	switch {
	case len(row.Leaf) == 0 || !logged || index == row.Index:
		return
	case row.Index < 0:
		f.Kind, f.Index, f.Detail = AuditPending, index, "the catalog does not say yet where this receipt stands in the log"
	default:
		f.Index, f.Detail = index, "its row says that the receipt stands elsewhere in the log"
	}
	a.find(f)
}
