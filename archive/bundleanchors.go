package archive

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/fineprint-archive/fineprint/archive/catalog"
	"github.com/fineprint-archive/fineprint/archive/evidence"
	"github.com/fineprint-archive/fineprint/warc"
)

// maxAnchorsTried bounds how many anchor lists are read to find a checkpoint with
// a timestamp.
const maxAnchorsTried = 200

// suffixToken ends the names of timestamp tokens in an anchor list.
const suffixToken = ".tsr"

// signatureLine begins a line of a signed note (C2SP signed-note); a file of an
// anchor list that begins so holds cosignatures.
const signatureLine = "— "

// findCheckpoint chooses the checkpoint that the leaves are proven under, and
// returns what outside parties said about it.
func (b *bundler) findCheckpoint(ctx context.Context) ([]evidence.File, error) {
	var err error
	if b.newest, err = b.Log.Checkpoint(ctx); err != nil {
		return nil, err
	}
	need := b.size()
	if b.newest.Size < need {
		return nil, fmt.Errorf("the log is published up to entry %d, and entry %d belongs to the bundle: run `fineprint seal`", b.newest.Size-1, need-1)
	}
	list, err := b.anchorOver(ctx, need)
	if err != nil {
		return nil, err
	}
	if list == nil {
		b.cp, err = b.Log.CheckpointAt(ctx, b.newest.Size)
		return nil, err
	}
	if b.cp, err = b.Log.CheckpointAt(ctx, list.Size); err != nil {
		return nil, err
	}
	if warc.SumSHA256(b.cp.Raw) != list.Checkpoint {
		return nil, fmt.Errorf("anchors of size %d: they are about another checkpoint than log/checkpoints/%d", list.Size, list.Size)
	}
	return b.readAnchors(ctx, *list)
}

// size returns how many entries the checkpoint has to hold.
func (b *bundler) size() int64 {
	last := int64(-1)
	for _, s := range b.series {
		last = max(last, s.Index)
	}
	for _, r := range b.refers {
		last = max(last, r.row.Index)
	}
	return last + 1
}

// anchorOver returns the anchor list of the smallest checkpoint over at least
// need entries that has a timestamp, else any anchor; nil if there is none.
func (b *bundler) anchorOver(ctx context.Context, need int64) (*evidence.AnchorList, error) {
	rows, err := b.Catalog.AnchorsOver(ctx, need, maxAnchorsTried)
	if err != nil {
		return nil, err
	}
	var first *evidence.AnchorList
	for i, row := range rows {
		if i > 0 && rows[i-1].Size == row.Size || row.Size > b.newest.Size {
			continue // an earlier state of the same anchors; or not public yet
		}
		_, list, err := b.readList(ctx, row)
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(list.Files, func(f evidence.AnchorFile) bool { return strings.HasSuffix(f.Name, suffixToken) }) {
			return &list, nil
		}
		if first == nil {
			first = &list
		}
	}
	return first, nil
}

// readList reads an anchor list and holds it against the catalog's digest.
func (b *bundler) readList(ctx context.Context, row catalog.AnchorRow) (text []byte, list evidence.AnchorList, err error) {
	if text, err = readObject(ctx, b.Store, row.List, maxAnchorFile); err != nil {
		return nil, list, err
	}
	if sum := warc.SumSHA256(text); sum != row.SHA256 {
		return nil, list, fmt.Errorf("%s has SHA-256 %s, the catalog says %s", row.List, sum.Hex(), row.SHA256.Hex())
	}
	if list, err = evidence.ParseAnchorList(text); err != nil {
		return nil, list, fmt.Errorf("%s: %w", row.List, err)
	}
	return text, list, nil
}

// readAnchors reads the files that an anchor list names.
func (b *bundler) readAnchors(ctx context.Context, list evidence.AnchorList) ([]evidence.File, error) {
	files := make([]evidence.File, 0, len(list.Files))
	for _, f := range list.Files {
		key := evidence.AnchorKey(list.Size, f.Name)
		data, err := readObject(ctx, b.Store, key, maxAnchorFile)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", key, err)
		}
		if sum := warc.SumSHA256(data); sum != f.SHA256 {
			return nil, fmt.Errorf("%s has SHA-256 %s, its anchor list says %s", key, sum.Hex(), f.SHA256.Hex())
		}
		files = append(files, evidence.File{Name: f.Name, Data: data})
	}
	return files, nil
}

// split returns the checkpoint with all cosignatures that are known of it, nil
// if there are none, and the other anchors.
func (b *bundler) split(anchors []evidence.File) (cosigned []byte, others []evidence.File) {
	have := map[string]bool{}
	for _, line := range lines(b.cp.Raw) {
		have[string(line)] = true
	}
	var added []byte
	add := func(all [][]byte) {
		for _, line := range all {
			if bytes.HasPrefix(line, []byte(signatureLine)) && !have[string(line)] {
				have[string(line)] = true
				added = append(added, line...)
			}
		}
	}
	for _, f := range anchors {
		if bytes.HasPrefix(f.Data, []byte(signatureLine)) {
			add(slices.Collect(bytes.Lines(f.Data)))
			continue
		}
		others = append(others, f)
	}
	if b.newest.Size == b.cp.Size {
		add(lines(b.newest.Raw))
	}
	if added == nil {
		return nil, others
	}
	return slices.Concat(b.cp.Raw, added), others
}

// committed returns what the handshake proof of the look commits to; nil if there
// is no proof, or if its anchors are not known here.
func (b *bundler) committed(ctx context.Context) (*evidence.Committed, error) {
	t := b.manifest.TLS
	if t == nil || t.Proof.IsZero() || t.Anchor.IsZero() {
		return nil, nil
	}
	row, found, err := b.Catalog.AnchorList(ctx, t.Anchor)
	if err != nil || !found {
		return nil, err
	}
	text, list, err := b.readList(ctx, row)
	if err != nil {
		return nil, err
	}
	old, err := b.Log.CheckpointAt(ctx, list.Size)
	if err != nil {
		return nil, err
	}
	c := &evidence.Committed{List: text, Checkpoint: old.Raw}
	if c.Files, err = b.readAnchors(ctx, list); err != nil {
		return nil, err
	}
	if old.Size < b.cp.Size {
		c.Consistency, err = b.Log.ConsistencyProof(ctx, old.Size, b.cp)
	}
	return c, err
}
