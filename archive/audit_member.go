package archive

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/fineprint-archive/fineprint/archive/store"
	"github.com/fineprint-archive/fineprint/warc"
)

// members compares the records that a manifest lists with those of the file.
func (d *warcReading) members(m *warc.Manifest, seen []seenMember, f AuditFinding) {
	bad := func(format string, args ...any) {
		g := f
		g.Detail = fmt.Sprintf(format, args...)
		d.find(g)
	}
	k := 0 // of seen, which stand in the order of the list
	for _, member := range m.Members {
		if d.withdrawn(member, f) {
			continue
		}
		id, err := parseRecordID(member.Record)
		if err != nil {
			bad("it lists a member: %v", err)
			continue
		}
		if k < len(seen) && seen[k].id != id {
			// Out of order, or missing.
			for i := k; i < len(seen); i++ {
				if seen[i].id == id {
					seen[k], seen[i] = seen[i], seen[k]
				}
			}
		}
		if k == len(seen) || seen[k].id != id {
			bad("its record %s is missing", member.Record)
			continue
		}
		s := seen[k]
		k++
		switch {
		case s.at.SHA256 != member.SHA256:
			bad("its record %s has not the SHA-256 that the manifest lists", member.Record)
		case s.typ != member.Type:
			bad("its record %s is of type %s, the manifest says %s", member.Record, s.typ, member.Type)
		case s.at.Offset != member.Offset || s.at.Length != member.Length:
			bad("its record %s lies at %d+%d, the manifest says %d+%d", member.Record, s.at.Offset, s.at.Length, member.Offset, member.Length)
		}
	}
	for _, s := range seen[k:] {
		bad("its record %s is not in the manifest", s.id)
	}
}

// withdrawn reports whether a tombstone names the record, and wants padding of
// the same length in its place.
func (d *warcReading) withdrawn(m warc.Member, f AuditFinding) bool {
	if !d.job.withdrawn[m.Record] {
		return false
	}
	d.r.gone++
	if id, err := parseRecordID(m.Record); err == nil && m.Type == warc.TypeResponse {
		d.bodies[id] = true
		d.r.bodies = append(d.r.bodies, id)
	}
	if d.padding[m.Offset] != m.Length {
		f.Kind = AuditTombstone
		f.Detail = fmt.Sprintf("no record of %d bytes stands at %d in the place of %s, which was taken out", m.Length, m.Offset, m.Record)
		d.find(f)
	}
	return true
}

// refer gathers the records that a look refers to.
func (d *warcReading) refer(m *warc.Manifest, seen []seenMember, f AuditFinding) {
	named := func(ref *warc.Reference) {
		if ref == nil {
			return
		}
		id, err := parseRecordID(ref.Record)
		if err != nil {
			f.Detail = err.Error()
			d.find(f)
			return
		}
		if (ref.WARC == "" || ref.WARC == d.job.w.key) && d.bodies[id] {
			return
		}
		object := ref.WARC
		if object == "" {
			object = d.job.w.key
		}
		d.r.wants = append(d.r.wants, want{id, object, f})
	}
	named(m.SameAs)
	for i := range m.Exchanges {
		named(m.Exchanges[i].SameAs)
	}
	for _, s := range seen {
		if s.typ != warc.TypeRevisit || s.refers == "" || m.SameAs != nil && m.SameAs.Record == s.refers {
			continue
		}
		other := false
		for i := range m.Exchanges {
			same := m.Exchanges[i].SameAs
			other = other || same != nil && same.Record == s.refers
		}
		if !other {
			g := f
			g.Kind, g.Detail = AuditReference, fmt.Sprintf("its record %s refers to %s, and the manifest does not", s.id, s.refers)
			d.find(g)
		}
	}
}

// finish judges what is left when the whole file was read.
func (d *warcReading) finish() {
	w := d.job.w
	missing := slices.SortedFunc(maps.Keys(d.expected), func(x, y recordID) int { return cmp.Compare(d.expected[x].index, d.expected[y].index) })
	for _, id := range missing {
		e := d.expected[id]
		f := AuditFinding{Kind: AuditLook, Object: w.key, Index: e.index, Source: e.source, N: e.n}
		if d.job.withdrawn[id.String()] {
			d.r.gone++
			d.r.looks++ // of the entry's count
			delete(d.open, id)
			continue
		}
		f.Detail = fmt.Sprintf("its manifest %s is not in the WARC", id)
		d.find(f)
	}
	if d.r.records == 0 {
		d.find(AuditFinding{Kind: AuditWARC, Object: w.key, Index: d.job.file, Detail: "it holds no record"})
	}
	left := slices.SortedFunc(maps.Keys(d.open), func(x, y recordID) int { return cmp.Compare(d.open[x][0].at.Offset, d.open[y][0].at.Offset) })
	for _, id := range left {
		records := d.open[id]
		d.find(AuditFinding{Kind: AuditUnlogged, Object: w.key, Index: -1,
			Detail: fmt.Sprintf("%d records belong to a look without a manifest (%s)", len(records), id)})
	}
	if claim := d.job.claim; d.job.file >= 0 && claim.looks != d.r.looks {
		d.find(AuditFinding{Kind: AuditEntry, Object: w.key, Index: d.job.file,
			Detail: fmt.Sprintf("it says that the WARC holds %d looks, it holds %d", claim.looks, d.r.looks)})
	}
}

// compareIndex compares the CDXJ sidecar with the lines that the WARC gives.
func (d *warcReading) compareIndex(ctx context.Context, a *auditor) error {
	key := sidecarKey(d.job.w.key)
	f := AuditFinding{Kind: AuditIndex, Object: key, Index: d.job.file}
	var own bytes.Buffer
	if err := warc.WriteCDXJ(&own, d.lines); err != nil {
		f.Detail = "no index can be made of the WARC: " + err.Error()
		d.find(f)
		return nil
	}
	stored, err := readObject(ctx, a.cfg.Store, key, int64(own.Len())*2+maxAnchorFile)
	switch {
	case a.ours(ctx, err):
		return fmt.Errorf("%s: %w", key, err)
	case errors.Is(err, store.ErrNotExist):
		f.Detail = "it is missing; `fineprint rebuild` writes it again"
	case err != nil:
		f.Kind, f.Detail = AuditUnreadable, err.Error()
	case bytes.Equal(stored, own.Bytes()), d.job.withdrawn != nil && sameWithout(stored, own.Bytes(), d.job.withdrawn):
		return nil
	default:
		f.Detail = "it is not the index that the WARC gives"
	}
	d.find(f)
	return nil
}

// sameWithout compares indexes but for the lines of records that were taken out:
// an index is never rewritten.
func sameWithout(a, b []byte, records map[string]bool) bool {
	strip := func(text []byte) []byte {
		var out []byte
		for line := range bytes.Lines(text) {
			if l, err := warc.ParseCDXJ(string(line)); err != nil || !records[l.RecordID] {
				out = append(out, line...)
			}
		}
		return out
	}
	return bytes.Equal(strip(a), strip(b))
}
