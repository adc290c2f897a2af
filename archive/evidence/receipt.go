package evidence

import (
	"net/url"
	"slices"
	"strings"

	"github.com/fineprint-archive/fineprint/warc"
)

// ReceiptOf returns the receipt that follows from the manifest of a look at a web
// archive, with its record id: what the observer has of a page of ours and how it
// compares with our capture. ok is false for a manifest from which none follows:
// of another look, of one that brought no facts, or about a private source.
func ReceiptOf(m *warc.Manifest, id string) (e Entry, ok bool) {
	x := m.Memento
	if x == nil || x.Purpose != warc.PurposeReadBack || x.Look == nil || x.Facts == nil || m.Private {
		return Entry{}, false
	}
	observer := ""
	if u, err := url.Parse(m.URL); err == nil {
		observer = u.Host
	}
	records := []string{id}
	for _, note := range m.Exchanges {
		if note.Response != "" {
			records = append(records, note.Response)
		}
	}
	slices.Sort(records)
	facts := *x.Facts
	return Entry{
		Type: TypeReceipt, Version: EntryVersion, Source: x.Source, Manifest: &Record{x.Look.Manifest, x.Look.SHA256},
		Observer: observer, Capture: strings.Replace(m.URL, "id_/", "/", 1), Time: x.Time.UTC(), PayloadSHA1: x.Digest,
		Records: slices.Compact(records), Facts: &facts,
	}, true
}
