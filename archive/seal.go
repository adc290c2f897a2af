package archive

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/fineprint-archive/fineprint/archive/catalog"
	"github.com/fineprint-archive/fineprint/archive/store"
	"github.com/fineprint-archive/fineprint/warc"
)

// Sealed describes a WARC that is in the store and entered as such.
type Sealed struct {
	Object string `json:"object"`
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
	Looks  int64  `json:"looks"`
}

// Seal closes the open WARC, waits for the looks that still write to it, and
// brings every closed WARC of this spool into the store. It stops at the first
// WARC that cannot be stored; that one and those behind it stay in the spool,
// whole, for the next call. New looks may begin while it works: they go to a new
// WARC.
func (a *Archive) Seal(ctx context.Context) ([]Sealed, error) {
	a.sealing.Lock()
	defer a.sealing.Unlock()
	if err := a.retire(ctx); err != nil {
		return nil, err
	}
	waiting, err := a.cfg.Catalog.WARCs(ctx, catalog.WARCFilter{Spool: a.spool, State: catalog.WARCClosed})
	if err != nil {
		return nil, fmt.Errorf("list closed WARCs: %w", err)
	}
	var done []Sealed
	for _, row := range waiting {
		s, err := a.sealOne(ctx, row)
		if err != nil {
			return done, fmt.Errorf("seal %s: %w; it stays in the spool and is tried again by the next crawl or by `fineprint seal`", row.Name, err)
		}
		done = append(done, s)
	}
	return done, nil
}

// SealIfLarge seals when the open WARC has reached its size.
func (a *Archive) SealIfLarge(ctx context.Context) ([]Sealed, error) {
	a.mu.Lock()
	w := a.open
	a.mu.Unlock()
	if w == nil || w.file.Size() < a.cfg.MaxBytes && !w.full() {
		return nil, nil
	}
	return a.Seal(ctx)
}

// retire takes the open WARC from the workers and closes it. One with a look that
// could not be completed or entered stays open in the spool: the next Open
// mends it, when there is room again.
func (a *Archive) retire(ctx context.Context) error {
	a.mu.Lock()
	w := a.open
	a.open = nil
	a.mu.Unlock()
	if w == nil {
		return nil
	}
	w.looks.Wait()
	if w.half.Load() {
		return w.file.Abandon()
	}
	if err := a.closeWARC(ctx, w.name, w.file); err != nil {
		return err
	}
	a.closed[w.name] = written{w.leaves, w.lines}
	return nil
}

// closeWARC publishes the file under its final name in the spool. A crash
// before the row is closed is mended by recovery, which finds the file.
func (a *Archive) closeWARC(ctx context.Context, name string, file *warc.File) error {
	a.cfg.Step("close")
	sum, err := file.Close()
	if err != nil {
		return fmt.Errorf("close %s: %w", name, err)
	}
	err = a.cfg.Catalog.CloseWARC(ctx, name, sum.Size, sum.SHA256, int64(sum.Records))
	if err != nil {
		return fmt.Errorf("close %s: %w", name, err)
	}
	return nil
}

// sealOne brings one closed WARC into the store. Every step may be repeated.
func (a *Archive) sealOne(ctx context.Context, row catalog.WARCRow) (Sealed, error) {
	name := filepath.Join(a.cfg.Spool, row.Name)
	index, err := a.index(name, row)
	if err != nil {
		return Sealed{}, err
	}
	a.cfg.Step("put")
	if err := a.putWARC(ctx, name, row); err != nil {
		return Sealed{}, err
	}
	if err := putBytes(ctx, a.cfg.Store, sidecarKey(row.Key), index, "text/x-cdxj"); err != nil {
		return Sealed{}, fmt.Errorf("store index: %w", err)
	}
	var entries *pending
	var logged *catalog.Logged
	if a.log != nil {
		if entries, err = a.leavesOfFile(name, row); err != nil {
			return Sealed{}, fmt.Errorf("make log entries: %w", err)
		}
		if logged, err = a.logWARC(ctx, entries); err != nil && !errors.Is(err, errEntered) {
			return Sealed{}, err
		}
	}
	a.cfg.Step("catalog")
	looks, err := a.cfg.Catalog.SealWARC(ctx, row.Name, a.cfg.Now(), logged)
	if err != nil {
		return Sealed{}, fmt.Errorf("enter: %w", err)
	}
	a.cfg.Step("drop-pending")
	if entries != nil {
		if err := a.dropPending(ctx, entries); err != nil {
			return Sealed{}, fmt.Errorf("drop pending log entries: %w", err)
		}
	}
	a.cfg.Step("drop")
	if err := os.Remove(name); err != nil {
		return Sealed{}, fmt.Errorf("drop spool file: %w", err)
	}
	delete(a.closed, row.Name)
	return Sealed{Object: row.Key, Bytes: row.Size, SHA256: row.SHA256.Hex(), Looks: looks}, nil
}

// leavesOfFile makes the log entries of a closed WARC in the spool, from memory
// if this process wrote all of it.
func (a *Archive) leavesOfFile(name string, row catalog.WARCRow) (*pending, error) {
	if w, ok := a.closed[row.Name]; ok {
		return newPending(row, w.leaves)
	}
	s, err := scanFile(name)
	if err != nil {
		return nil, err
	}
	return a.leavesOf(row, s)
}

func (a *Archive) putWARC(ctx context.Context, name string, row catalog.WARCRow) (err error) {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	err = a.cfg.Store.Put(ctx, row.Key, f, row.Size, row.SHA256.Hex(), store.PutOptions{ContentType: "application/warc", Retain: true})
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	return nil
}

// index returns the CDXJ of a closed WARC, from memory if this process wrote all
// of it. That the file still has those bytes Store.Put finds out, which compares
// their SHA-256 with the one taken while they were written.
func (a *Archive) index(name string, row catalog.WARCRow) ([]byte, error) {
	lines := a.closed[row.Name].lines
	if _, ok := a.closed[row.Name]; !ok {
		var err error
		if lines, err = indexFile(name, row); err != nil {
			return nil, fmt.Errorf("read back: %w", err)
		}
	}
	var b bytes.Buffer
	if err := warc.WriteCDXJ(&b, lines); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// indexFile reads a closed WARC from its first to its last byte.
func indexFile(name string, row catalog.WARCRow) (_ []warc.CDXJLine, err error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return warc.Index(warc.NewReader(f), row.Name)
}

// sidecarKey is the key of the index that stands beside a WARC.
func sidecarKey(key string) string { return strings.TrimSuffix(key, ".warc.gz") + ".cdxj" }

// putBytes stores a small object; an equal one that is there already is fine.
func putBytes(ctx context.Context, s store.Store, key string, data []byte, contentType string) error {
	sum := sha256.Sum256(data)
	return s.Put(ctx, key, bytes.NewReader(data), int64(len(data)), hex.EncodeToString(sum[:]), store.PutOptions{ContentType: contentType})
}
