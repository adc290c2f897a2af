package archive

import (
	"github.com/fineprint-archive/fineprint/archive/catalog"
	"github.com/fineprint-archive/fineprint/archive/evidence"
	"github.com/fineprint-archive/fineprint/warc"
)

// mementoRow is the catalog's row of a look at a web archive, nil for other looks.
func mementoRow(m *warc.Manifest, id, key string) *catalog.MementoRow {
	x := m.Memento
	if x == nil {
		return nil
	}
	row := &catalog.MementoRow{
		Look: id, Source: x.Source, N: x.N, Purpose: x.Purpose, URL: x.URL, Time: x.Time, Made: m.Time, Status: x.Status, MIME: x.MIME,
		Digest: x.Digest, Src: x.Src, Grade: x.Grade, Rules: x.Rules, WARC: key, Index: -1,
	}
	if x.Facts != nil {
		row.Facts = *x.Facts
	}
	if e, ok := evidence.ReceiptOf(m, id); ok {
		// A manifest whose facts make no entry has been made by hand: it says nothing.
		if leaf, err := e.Encode(); err == nil {
			row.Leaf = leaf
		}
	}
	return row
}
