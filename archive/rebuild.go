package archive

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
	"time"

	"github.com/fineprint-archive/fineprint/archive/catalog"
	"github.com/fineprint-archive/fineprint/archive/store"
	"github.com/fineprint-archive/fineprint/warc"
)

// RebuildStats counts what Rebuild read.
type RebuildStats struct {
	WARCs   int64   `json:"warcs"`
	Bytes   int64   `json:"bytes"`
	Records int64   `json:"records"`
	Looks   int64   `json:"looks"`
	Indexes int64   `json:"indexes_restored"` // CDXJ sidecars that were missing
	Elapsed float64 `json:"elapsed_s"`
}

// Rebuild makes the facts of the catalog from the WARCs in the store alone. The
// database must be empty of looks. It reads every WARC once, in key order, and
// holds one WARC's manifests in memory at a time. Nothing is announced or
// submitted because of it: schedule, leases and outbox stay empty. progress is
// called after each WARC.
func Rebuild(ctx context.Context, s store.Store, db *catalog.DB, progress func(RebuildStats)) (RebuildStats, error) {
	began := time.Now()
	var stats RebuildStats
	format, err := readFormat(ctx, s)
	if errors.Is(err, store.ErrNotExist) {
		return stats, fmt.Errorf("no archive here: object %s is missing; check `archive:` in the configuration", formatKey)
	}
	if err != nil {
		return stats, fmt.Errorf("read %s: %w", formatKey, err)
	}
	if format.Format > FormatVersion {
		return stats, fmt.Errorf("archive format %d, this program reads up to %d: %w; update fineprint", format.Format, FormatVersion, ErrNewer)
	}
	if err := db.RebuildBegin(ctx); err != nil {
		return stats, err
	}
	present := map[string]bool{}
	for info, err := range s.List(ctx, "warc/", "") {
		if err != nil {
			return stats, fmt.Errorf("list WARCs: %w", err)
		}
		present[info.Key] = strings.HasSuffix(info.Key, ".cdxj")
	}
	for info, err := range s.List(ctx, "warc/", "") {
		if err != nil {
			return stats, fmt.Errorf("list WARCs: %w", err)
		}
		if !strings.HasSuffix(info.Key, ".warc.gz") {
			continue
		}
		if err := rebuildWARC(ctx, s, db, info.Key, &stats); err != nil {
			return stats, fmt.Errorf("rebuild from %s: %w", info.Key, err)
		}
		if !present[sidecarKey(info.Key)] {
			if err := restoreIndex(ctx, s, info.Key); err != nil {
				return stats, fmt.Errorf("restore index of %s: %w", info.Key, err)
			}
			stats.Indexes++
		}
		stats.Elapsed = time.Since(began).Seconds()
		if progress != nil {
			progress(stats)
		}
	}
	if err := db.RebuildEnd(ctx); err != nil {
		return stats, err
	}
	stats.Elapsed = time.Since(began).Seconds()
	return stats, nil
}

func rebuildWARC(ctx context.Context, s store.Store, db *catalog.DB, key string, stats *RebuildStats) (err error) {
	r, err := s.Get(ctx, key, 0, -1)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	hash := sha256.New()
	counted := &countingReader{r: io.TeeReader(r, hash)}
	scan, err := scanWARC(counted)
	if err != nil {
		return err
	}
	if _, err := io.Copy(io.Discard, counted); err != nil {
		return err
	}
	name := path.Base(key)
	opened, err := warc.FileTime(name)
	if err != nil {
		return err
	}
	facts := catalog.WARCFacts{
		WARC: catalog.WARCRow{
			Name: name, Key: key, OpenedAt: opened, State: catalog.WARCSealed, Size: counted.n,
			SHA256: warc.Digest{Algorithm: warc.SHA256, Sum: string(hash.Sum(nil))}, Records: scan.records,
			Looks: int64(len(scan.manifests)),
		},
		Declarations: scan.declarations,
	}
	for i := range facts.Declarations {
		facts.Declarations[i].WARC = name
	}
	for _, found := range scan.manifests {
		facts.Looks = append(facts.Looks, lookRow(found.m, found.id, found.at, key))
		facts.Records = append(facts.Records, scan.recordsOf(found.m, name)...)
	}
	if err := db.InsertFacts(ctx, facts); err != nil {
		return err
	}
	stats.WARCs++
	stats.Bytes += counted.n
	stats.Records += scan.records
	stats.Looks += int64(len(scan.manifests))
	return nil
}

// restoreIndex writes the CDXJ sidecar of a WARC from the WARC.
func restoreIndex(ctx context.Context, s store.Store, key string) (err error) {
	r, err := s.Get(ctx, key, 0, -1)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	lines, err := warc.Index(warc.NewReader(r), path.Base(key))
	if err != nil {
		return err
	}
	var b bytes.Buffer
	if err := warc.WriteCDXJ(&b, lines); err != nil {
		return err
	}
	return putBytes(ctx, s, sidecarKey(key), b.Bytes(), "text/x-cdxj")
}

type countingReader struct {
	r io.Reader
	n int64
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}
