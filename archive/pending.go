package archive

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/fineprint-archive/fineprint/archive/catalog"
	"github.com/fineprint-archive/fineprint/archive/evidence"
	"github.com/fineprint-archive/fineprint/archive/store"
)

// pendingPrefix is where the leaves of a WARC stand between its upload and their
// append: who died in between leaves the exact bytes behind.
const pendingPrefix = "pending/"

// pendingHead begins a pending object; the size of the log at that moment
// follows. From there on the leaves may be in the log.
const pendingHead = "fineprint pending v1 "

// pending is what is to be appended for one WARC: an entry for each look, in the
// order of the file, and one for the file itself.
type pending struct {
	name  string // of the WARC file
	size  int64  // of the log before
	looks []catalog.LogIndex
	lines [][]byte // of the looks, then of the WARC
	tag   string   // of the object
}

func pendingKey(name string) string { return pendingPrefix + name + ".jsonl" }

// newPending puts the entries of a WARC in the order of the file, that of the
// file itself last.
func newPending(row catalog.WARCRow, leaves []leaf) (*pending, error) {
	p := &pending{name: row.Name}
	slices.SortFunc(leaves, func(a, b leaf) int { return cmp.Compare(a.offset, b.offset) })
	for _, l := range leaves {
		p.lines = append(p.lines, l.line)
		p.looks = append(p.looks, l.look)
	}
	file := evidence.Entry{
		Type: evidence.TypeWARCFile, Version: evidence.EntryVersion,
		WARC: row.Key, Size: row.Size, SHA256: row.SHA256, Looks: int64(len(p.looks)),
	}
	line, err := file.Encode()
	p.lines = append(p.lines, line)
	return p, err
}

// stage writes the pending object, or takes over the one that is there: its
// leaves, which a later version of this program might make otherwise, and its
// size, since what is in the log from there on may be ours.
func (a *Archive) stage(ctx context.Context, p *pending) error {
	key := pendingKey(p.name)
	for {
		data, tag, err := a.cfg.Log.Mutable.Get(ctx, key)
		if err == nil {
			return p.takeOver(key, data, tag)
		}
		if !errors.Is(err, store.ErrNotExist) {
			return err
		}
		cp, err := a.log.Refresh(ctx)
		if err != nil {
			return err
		}
		tag, err = a.cfg.Log.Mutable.PutIfMatch(ctx, key, formatPending(cp.Size, p.lines), "")
		if err == nil {
			p.size, p.tag = cp.Size, tag
			return a.stillMissing(ctx, p)
		}
		if !errors.Is(err, store.ErrPrecondition) {
			return err
		}
		// Another process, or an earlier try of this request, was faster.
	}
}

// errEntered says that another process has entered a WARC meanwhile.
var errEntered = errors.New("its entries are in the log")

// stillMissing returns errEntered, and drops the new pending object, if the
// catalog knows the place of the WARC in the log: another process, which entered
// it too, was through before this object came. It enters the place before it
// drops its own.
func (a *Archive) stillMissing(ctx context.Context, p *pending) error {
	logged, err := a.cfg.Catalog.WARCLogged(ctx, p.name)
	if err != nil || !logged {
		return err
	}
	if err := a.dropPending(ctx, p); err != nil {
		return err
	}
	return errEntered
}

// takeOver makes a pending object that was read the one of p.
func (p *pending) takeOver(key string, data []byte, tag string) error {
	size, lines, err := parsePending(data)
	if err != nil {
		return fmt.Errorf("%s: %w", key, err)
	}
	if len(lines) != len(p.lines) {
		return fmt.Errorf("%s has %d entries and the WARC gives %d: it belongs to another file; move it away and start again", key, len(lines), len(p.lines))
	}
	p.size, p.lines, p.tag = size, lines, tag
	return nil
}

func formatPending(size int64, lines [][]byte) []byte {
	var b bytes.Buffer
	b.WriteString(pendingHead + strconv.FormatInt(size, 10) + "\n")
	for _, line := range lines {
		b.Write(line)
		b.WriteByte('\n')
	}
	return b.Bytes()
}

func parsePending(data []byte) (size int64, lines [][]byte, err error) {
	head, rest, ok := bytes.Cut(data, []byte("\n"))
	digits, ours := strings.CutPrefix(string(head), pendingHead)
	size, err = strconv.ParseInt(digits, 10, 64)
	if !ok || !ours || err != nil || size < 0 || strconv.FormatInt(size, 10) != digits || len(rest) == 0 || rest[len(rest)-1] != '\n' {
		return 0, nil, errors.New("not a pending object of fineprint")
	}
	return size, bytes.Split(rest[:len(rest)-1], []byte("\n")), nil
}

// dropPending removes the pending object of a WARC that is entered.
func (a *Archive) dropPending(ctx context.Context, p *pending) error {
	if p.tag == "" {
		return nil
	}
	err := a.cfg.Log.Mutable.Delete(ctx, pendingKey(p.name), p.tag)
	if errors.Is(err, store.ErrNotExist) {
		return nil
	}
	return err
}

// finishPending completes WARCs whose seal broke off after the upload. Those of
// this spool are left to Seal, those of other spools to their processes.
func (a *Archive) finishPending(ctx context.Context) error {
	var names []string
	for info, err := range a.cfg.Store.List(ctx, pendingPrefix, "") {
		if err != nil {
			return err
		}
		names = append(names, strings.TrimSuffix(strings.TrimPrefix(info.Key, pendingPrefix), ".jsonl"))
	}
	for _, name := range names {
		row, known, err := a.cfg.Catalog.WARC(ctx, name)
		if err != nil {
			return err
		}
		if !known || row.State != catalog.WARCSealed || a.spoolHolds(name) {
			continue
		}
		if err := a.tryEnter(ctx, row); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}
