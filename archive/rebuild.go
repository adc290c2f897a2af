package archive

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/fineprint-archive/fineprint/archive/catalog"
	"github.com/fineprint-archive/fineprint/archive/store"
	"github.com/fineprint-archive/fineprint/archive/tlog"
	"github.com/fineprint-archive/fineprint/warc"
)

// RebuildStats counts what Rebuild read, and lists what it left out.
type RebuildStats struct {
	WARCs     int64              `json:"warcs"`
	Bytes     int64              `json:"bytes"`
	Records   int64              `json:"records"`
	Looks     int64              `json:"looks"`
	Indexes   int64              `json:"indexes_restored"` // CDXJ sidecars that were missing
	Entries   int64              `json:"log_entries"`
	Damaged   []DamagedObject    `json:"damaged"`   // without facts in the catalog
	Conflicts []catalog.Conflict `json:"conflicts"` // looks left out: another one has their number
	Elapsed   float64            `json:"elapsed_s"`
}

// DamagedObject is a WARC that cannot be read as one.
type DamagedObject struct {
	Object string `json:"object"`
	Reason string `json:"reason"`
}

// Rebuild makes the facts of the catalog from the WARCs in the store alone. The
// database must be empty of looks (catalog.ErrNotEmpty), or hold what a Rebuild
// of this archive that did not come to its end left. It reads every WARC once,
// in key order, and holds one WARC's manifests in memory at a time. Nothing is
// announced or submitted because of it: schedule, leases and outbox stay empty.
// progress is called after each WARC.
//
// A damaged WARC, or a look whose number an earlier one has, is no error: it is
// left out and listed in the result. A store that does not answer is one, and
// leaves a catalog that Open refuses until Rebuild has come to its end.
//
// log is the public key of the archive's log, for an archive that has one: where
// its entries stand, the lost looks and the anchors are facts too. With nil they
// are left out.
func Rebuild(ctx context.Context, s store.Store, db *catalog.DB, log note.Verifier, progress func(RebuildStats)) (RebuildStats, error) {
	began := time.Now()
	stats := RebuildStats{Damaged: []DamagedObject{}, Conflicts: []catalog.Conflict{}}
	format, err := readFormat(ctx, s)
	if errors.Is(err, store.ErrNotExist) {
		return stats, fmt.Errorf("no archive here: object %s is missing; check `archive:` in the configuration", formatKey)
	}
	if err != nil {
		return stats, fmt.Errorf("read %s: %w", formatKey, err)
	}
	if err := format.check(); err != nil {
		return stats, err
	}
	if err := db.RebuildBegin(ctx, "created "+format.Created.Format(time.RFC3339)); err != nil {
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
		if err := rebuildOne(ctx, s, db, info.Key, present[sidecarKey(info.Key)], &stats); err != nil {
			return stats, fmt.Errorf("rebuild from %s: %w", info.Key, err)
		}
		stats.Elapsed = time.Since(began).Seconds()
		if progress != nil {
			progress(stats)
		}
	}
	if log != nil {
		if err := rebuildLog(ctx, s, db, log, &stats); err != nil {
			return stats, fmt.Errorf("rebuild from the log: %w", err)
		}
	}
	if err := db.RebuildEnd(ctx); err != nil {
		return stats, err
	}
	stats.Elapsed = time.Since(began).Seconds()
	return stats, nil
}

// rebuildLog enters what the log says: the index of each look and WARC, losses,
// anchors.
func rebuildLog(ctx context.Context, s store.Store, db *catalog.DB, key note.Verifier, stats *RebuildStats) error {
	r := tlog.NewReader(s, key)
	cp, err := r.Checkpoint(ctx)
	if errors.Is(err, store.ErrNotExist) {
		return nil // none was begun
	}
	if err != nil {
		return err
	}
	if err := restoreAnchors(ctx, s, db); err != nil {
		return err
	}
	f := newLogFollower(db, func(string) bool { return true })
	for e, err := range r.Entries(ctx, cp, 0, cp.Size) {
		if err != nil {
			return err
		}
		if err := f.add(ctx, e); err != nil {
			return err
		}
	}
	stats.Entries = cp.Size
	return f.flush(ctx)
}

// rebuildOne enters one WARC, or notes that it is damaged.
func rebuildOne(ctx context.Context, s store.Store, db *catalog.DB, key string, indexed bool, stats *RebuildStats) error {
	facts, err := readFacts(ctx, s, key)
	if damage, ok := errors.AsType[*damageError](err); ok {
		stats.Damaged = append(stats.Damaged, DamagedObject{key, damage.Error()})
		return db.NoteDamaged(ctx, key, damage.Error())
	}
	if err != nil {
		return err
	}
	looks := int64(len(facts.Looks))
	err = db.InsertFacts(ctx, *facts)
	if conflict, ok := errors.AsType[*catalog.ConflictError](err); ok {
		stats.Conflicts = append(stats.Conflicts, conflict.Conflicts...)
		looks -= int64(len(conflict.Conflicts))
		err = nil
	}
	if err != nil {
		return err
	}
	stats.WARCs++
	stats.Bytes += facts.WARC.Size
	stats.Records += facts.WARC.Records
	stats.Looks += looks
	if indexed {
		return nil
	}
	err = restoreIndex(ctx, s, key)
	if damage, ok := errors.AsType[*damageError](err); ok {
		stats.Damaged = append(stats.Damaged, DamagedObject{key, "no index can be made: " + damage.Error()})
		return nil
	}
	if err != nil {
		return fmt.Errorf("restore index: %w", err)
	}
	stats.Indexes++
	return nil
}

// damageError says that an object was read and is no whole WARC of ours.
type damageError struct{ err error }

func (e *damageError) Error() string { return e.err.Error() }
func (e *damageError) Unwrap() error { return e.err }

// damaged tells damage from a store that cannot be read now, or not by us.
func damaged(ctx context.Context, err error) error {
	for _, ours := range []error{ctx.Err(), store.ErrUnavailable, store.ErrDenied, store.ErrNotExist, fs.ErrPermission} {
		if err == nil || ours != nil && errors.Is(err, ours) {
			return err
		}
	}
	return &damageError{err}
}

// readFacts reads a WARC from its first to its last byte. The error is a
// *damageError if that was possible and the bytes are at fault.
func readFacts(ctx context.Context, s store.Store, key string) (_ *catalog.WARCFacts, err error) {
	r, err := s.Get(ctx, key, 0, -1)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	hash := sha256.New()
	counted := &countingReader{r: io.TeeReader(r, hash)}
	scan, err := scanWARC(counted)
	if err == nil {
		_, err = io.Copy(io.Discard, counted)
	}
	if err != nil {
		return nil, damaged(ctx, err)
	}
	if scan.records == 0 {
		return nil, &damageError{errors.New("it holds no record")}
	}
	name := path.Base(key)
	opened, err := warc.FileTime(name)
	if err != nil {
		return nil, &damageError{err}
	}
	facts := &catalog.WARCFacts{
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
	return facts, nil
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
		return damaged(ctx, err)
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
