package catalog

import (
	"context"
	"fmt"

	"github.com/fineprint-archive/fineprint/warc"
)

// SealedLook is what the catalog says of a sealed look that the log says too.
type SealedLook struct {
	ID             string // record id of the manifest
	ManifestSHA256 warc.Digest
	N              int64
	WARC           string // key of the object
	Offset, Length int64  // of the manifest there, in bytes
	Result         warc.Result
	Status         int
	Index          int64 // of the entry in the log, -1 if it is not known
}

// SealedLooks calls f for every sealed look, in no order, with one look in
// memory at a time: what an audit compares, for a fraction of what Looks costs.
// The first error of f ends it and is returned.
func (db *DB) SealedLooks(ctx context.Context, f func(SealedLook) error) error {
	err := each(ctx, reader{db}, func(scan func(...any) error) error {
		var l SealedLook
		if err := scan(&l.ID, scanDigest{warc.SHA256, &l.ManifestSHA256}, &l.N, &l.WARC, &l.Offset, &l.Length, &l.Result, &l.Status, &l.Index); err != nil {
			return err
		}
		return f(l)
	}, "SELECT id, manifest_sha256, n, warc, warc_offset, warc_length, result, status, log_index FROM looks WHERE state = 'sealed'")
	if err != nil {
		return fmt.Errorf("read sealed looks: %w", db.explain(db.redact(err)))
	}
	return nil
}

// LostLooks lists the looks that were declared lost, by their index in the log.
// Source is what stands for it in the log; As is empty.
func (db *DB) LostLooks(ctx context.Context) ([]LostRow, error) {
	var rows []LostRow
	err := each(ctx, reader{db}, func(scan func(...any) error) error {
		var r LostRow
		err := scan(&r.Source, &r.N, &r.Run, scanTime{&r.Time}, &r.Index)
		rows = append(rows, r)
		return err
	}, "SELECT source, n, run, time, log_index FROM lost ORDER BY log_index, source, n")
	if err != nil {
		return nil, fmt.Errorf("list lost looks: %w", db.explain(db.redact(err)))
	}
	return rows, nil
}
