package archive

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/fineprint-archive/fineprint/archive/catalog"
	"github.com/fineprint-archive/fineprint/archive/wayback"
	"github.com/fineprint-archive/fineprint/warc"
)

// BackfillQuery asks the index for the captures of an address.
func BackfillQuery(address string, from, until time.Time) wayback.IndexQuery {
	q := wayback.IndexQuery{URL: address}
	if !from.IsZero() {
		q.From = from.UTC().Format(stampForm)
	}
	if !until.IsZero() {
		q.To = until.Add(-time.Second).UTC().Format(stampForm) // the index' bounds are inclusive
	}
	return q
}

// indexView reads the rows of one answer of an index, which explain each other: a
// revisit row has no status, and takes that of the rows with its digest.
type indexView struct {
	address string
	good    map[string]bool // by body: whether a row that is no revisit has status 200; not there: no such row
}

func newIndexView(address string, list []wayback.IndexRow) *indexView {
	v := &indexView{address: address, good: map[string]bool{}}
	for i := range list {
		if r := &list[i]; !r.Revisit && wayback.SameAddress(address, r.Original) {
			key := bodyKey(r)
			v.good[key] = v.good[key] || r.Status == http.StatusOK
		}
	}
	return v
}

// seen is a capture of the page in the index.
type seen struct {
	key string
	catalog.ImportCapture
}

// capture returns the capture that a row stands for, or the kind of row that
// stands for none of the page: its status, "address" or "revisit".
func (v *indexView) capture(r *wayback.IndexRow) (c seen, kind string) {
	at, err := time.Parse(stampForm, r.Timestamp)
	if err != nil {
		return c, "malformed"
	}
	if !wayback.SameAddress(v.address, r.Original) {
		return c, "address"
	}
	c = seen{bodyKey(r), catalog.ImportCapture{Time: at, Original: r.Original, Digest: rowDigest(r), Revisit: r.Revisit}}
	if r.Revisit {
		if good, known := v.good[c.key]; known && !good {
			return c, "revisit"
		}
		return c, ""
	}
	if r.Status != http.StatusOK {
		return c, statusKind(r.Status)
	}
	return c, ""
}

// statusKind names a status in the estimate.
func statusKind(status int) string {
	if status == 0 {
		return "unknown"
	}
	return strconv.Itoa(status)
}

// bodyKey names a body: the hexadecimal SHA-1 of the index; if it has another
// digest, that one; if it has none, the time of the capture, so that each is taken
// for a body of its own.
func bodyKey(r *wayback.IndexRow) string {
	if !r.Digest.IsZero() {
		return r.Digest.Hex()
	}
	if raw := strings.ToLower(r.RawDigest); strings.HasPrefix(raw, "sha") && len(raw) < 200 {
		return "raw:" + raw
	}
	return "at:" + r.Timestamp
}

// rowDigest is the digest as it is kept until the replay.
func rowDigest(r *wayback.IndexRow) string {
	if !r.Digest.IsZero() {
		return r.Digest.String()
	}
	return r.RawDigest
}

// indexRow is the row of the index that an import was planned by.
func indexRow(row catalog.ImportRow) wayback.IndexRow {
	r := wayback.IndexRow{
		Timestamp: row.Time.UTC().Format(stampForm), Original: row.Original, MIME: row.MIME, Status: row.Status, RawDigest: row.Digest, Revisit: row.Revisit,
	}
	if d, err := warc.ParseDigest(row.Digest); err == nil && d.Algorithm == warc.SHA1 {
		r.Digest, r.RawDigest = d, d.Base32()
	}
	return r
}

// sightings returns when an index saw which body of a page.
func sightings(source, address string, list []wayback.IndexRow) []catalog.Sighting {
	view := newIndexView(address, list)
	var all []catalog.Sighting
	for i := range list {
		if c, kind := view.capture(&list[i]); kind == "" {
			all = append(all, catalog.Sighting{Source: source, Time: c.Time, Key: c.key})
		}
	}
	return all
}
