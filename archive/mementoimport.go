package archive

import (
	"context"

	"github.com/fineprint-archive/fineprint/archive/catalog"
	"github.com/fineprint-archive/fineprint/archive/wayback"
	"github.com/fineprint-archive/fineprint/warc"
)

// ImportRequest names a capture of the past that is to be brought in.
type ImportRequest struct {
	Source string // id of our source of the page
	URL    string // its address
	Row    wayback.IndexRow
}

// Import replays one capture and keeps it as what it is: an answer of the Wayback
// Machine. It compares the replay with the index. The row is entered when Import
// returns; a capture that is not there has Facts.Replay "absent". An outage is an
// *wayback.Error, and what came of it is kept.
func (o *Observer) Import(ctx context.Context, want ImportRequest) (catalog.MementoRow, error) {
	at, err := wayback.ParseTimestamp(want.Row.Timestamp)
	if err != nil {
		return catalog.MementoRow{}, err
	}
	memento := &warc.Memento{
		Purpose: warc.PurposeImport, Source: want.Source, URL: want.Row.Original, Time: at,
		Status: want.Row.Status, MIME: want.Row.MIME, Digest: want.Row.Digest,
	}
	l, err := o.begin(ctx, o.cfg.Client.ReplayURL(want.Row.Timestamp, want.Row.Original), memento)
	if err != nil {
		return catalog.MementoRow{}, err
	}
	row := want.Row
	reading := wayback.Reading{At: l.m.Time, Row: &row}
	cause := l.replay(ctx, want.Row.Timestamp, want.Row.Original, &reading)
	if facts := reading.Facts; cause == nil && facts != (warc.Facts{}) {
		memento.Facts = &facts
	}
	memento.Src = reading.Src
	id, err := l.finish(ctx, cause)
	if err != nil {
		return catalog.MementoRow{}, err
	}
	if cause != nil {
		return catalog.MementoRow{}, cause
	}
	return *mementoRow(l.m, id, l.look.w.key), nil
}

// Index asks the index for all captures of a page of ours, oldest first, and keeps
// its answers as a look at the index.
func (o *Observer) Index(ctx context.Context, source string, q wayback.IndexQuery) ([]wayback.IndexRow, error) {
	l, err := o.begin(ctx, o.cfg.Client.IndexURL(q.URL), &warc.Memento{Purpose: warc.PurposeIndex, Source: source, URL: q.URL})
	if err != nil {
		return nil, err
	}
	l.kind = warc.KindIndex
	var rows []wayback.IndexRow
	var cause error
	for row, err := range o.cfg.Client.IndexAll(ctx, q, l) {
		if err != nil {
			cause = l.because(err)
			break
		}
		rows = append(rows, row)
	}
	if _, err := l.finish(ctx, cause); err != nil {
		return nil, err
	}
	return rows, cause
}
