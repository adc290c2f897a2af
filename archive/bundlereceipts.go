package archive

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/fineprint-archive/fineprint/archive/catalog"
	"github.com/fineprint-archive/fineprint/archive/evidence"
	"github.com/fineprint-archive/fineprint/warc"
)

// maxBundleReceipts bounds the receipts of one look in a bundle.
const maxBundleReceipts = 3

// confirmedAfter is how long after a capture a replay of it confirms it: captures
// that were seen on the first day have been gone on the next.
const confirmedAfter = 24 * time.Hour

// readBackLook is a look at a web archive, with the receipt that follows from it.
type readBackLook struct {
	row     catalog.LookRow
	receipt int64 // index of its entry in the log
}

// findReceipts finds what web archives have of the page of the look, and of that of
// the first one of a range: the newest receipts in the log, and among them one that
// confirms the capture if there is any. They come weeks after the look, so they are
// proven under the newest checkpoint and not under that which bounds the time of
// the look. A receipt that this checkpoint does not hold yet is left for later.
func (b *bundler) findReceipts(ctx context.Context) error {
	if b.manifest.Private {
		return nil
	}
	looks := []catalog.LookRow{b.Look}
	if b.From != nil {
		looks = append(looks, *b.From)
	}
	for _, of := range looks {
		rows, err := b.Catalog.Mementos(ctx, catalog.MementoFilter{Source: of.Source, N: of.N, Purpose: warc.PurposeReadBack, Sealed: true, Newest: true})
		if err != nil {
			return err
		}
		logged := make([]catalog.MementoRow, 0, len(rows))
		for _, row := range rows {
			if row.Index >= 0 && row.Index < b.newest.Size && b.isAbout(row, of) {
				logged = append(logged, row)
			}
		}
		for _, row := range chooseReceipts(logged) {
			look, found, err := b.Catalog.LookInWARC(ctx, row.WARC, row.Look)
			switch {
			case err != nil:
				return err
			case !found:
				return fmt.Errorf("the catalog does not know look %s at %s, from which a receipt follows: `fineprint audit` says more", row.Look, row.URL)
			case look.Index < 0 || look.Index >= b.newest.Size:
				continue
			}
			b.readBacks = append(b.readBacks, readBackLook{look, row.Index})
		}
	}
	return nil
}

// isAbout reports whether the receipt of a memento is about a look: the catalog has
// numbers, the receipt the manifest.
func (b *bundler) isAbout(row catalog.MementoRow, of catalog.LookRow) bool {
	e, err := evidence.ParseEntry(row.Leaf)
	return err == nil && e.Manifest != nil && e.Manifest.Record == of.ID && e.Manifest.SHA256 == of.ManifestSHA256
}

// chooseReceipts takes the first of rows, which come the newest first. If none of
// these confirms its capture, the last of them gives way to the newest that does.
func chooseReceipts(rows []catalog.MementoRow) []catalog.MementoRow {
	if len(rows) <= maxBundleReceipts {
		return rows
	}
	for i, row := range rows {
		if !confirms(row) {
			continue
		}
		if i >= maxBundleReceipts {
			rows[maxBundleReceipts-1] = row
		}
		break
	}
	return rows[:maxBundleReceipts]
}

// confirms reports whether a capture was still replayed, unaltered, a day after it
// was made.
func confirms(row catalog.MementoRow) bool {
	return row.Facts.Replay == warc.FactSame && row.Made.Sub(row.Time) > confirmedAfter
}

// proveReceipts fills in the receipts, and appends the records that they follow
// from to the scratch file, which holds size bytes.
func (b *bundler) proveReceipts(ctx context.Context, p *evidence.Parts, size int64) error {
	if len(b.readBacks) == 0 {
		return nil
	}
	rows := make([]catalog.LookRow, len(b.readBacks))
	for i, r := range b.readBacks {
		rows[i] = r.row
		var part evidence.ReceiptPart
		var err error
		if part.Look, err = b.proveUnder(ctx, b.newest, r.row.Index); err != nil {
			return err
		}
		if part.Receipt, err = b.proveUnder(ctx, b.newest, r.receipt); err != nil {
			return err
		}
		p.Receipts = append(p.Receipts, part)
	}
	n := &countingWriter{w: b.Scratch}
	if err := ExportWARC(ctx, b.Store, b.Catalog, rows, n); err != nil {
		return fmt.Errorf("records of the looks at web archives: %w", err)
	}
	p.Wayback, p.WaybackSize = io.NewSectionReader(b.Scratch, size, n.n), n.n
	return nil
}
