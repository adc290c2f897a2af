package tlog

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"

	"golang.org/x/mod/sumdb/tlog"
)

// MaxBatch is the greatest size of a batch in bytes, each entry with the two
// bytes of its length.
const MaxBatch = 64 << 20

const stagingHeader = "fineprint log staging v1\n"

// object is one immutable object of a batch.
type object struct {
	key  string
	data []byte
}

// batch is one step of the log: from base to cp by leaves.
type batch struct {
	base   Checkpoint // zero (Raw nil) for the creation of a log
	cp     Checkpoint
	leaves [][]byte
}

// checkLeaves returns nil if the entries can be one batch.
func checkLeaves(leaves [][]byte) error {
	total := 0
	for i, leaf := range leaves {
		if len(leaf) > MaxLeaf {
			return fmt.Errorf("entry %d of the batch has %d bytes, at most %d fit into the log", i, len(leaf), MaxLeaf)
		}
		total += 2 + len(leaf)
	}
	if total > MaxBatch {
		return fmt.Errorf("batch of %d entries has %d bytes, at most %d are taken at once: append it in parts", len(leaves), total, MaxBatch)
	}
	return nil
}

// tail is the right edge with the entries of the last, partial bundle: what a
// writer needs of the log so far.
type tail struct {
	edge   *edge
	bundle []byte // width(size, 0) entries behind their lengths
}

// grow continues the tree by leaves and returns the new tail and every object
// that the new tree needs beyond those of the old: the full tiles, then the
// partial ones that changed (c2sp.org/tlog-tiles).
func (t tail) grow(leaves [][]byte) (tail, []object) {
	var objects []object
	old := t.edge.size
	e := t.edge.clone()
	bundle := bytes.Clone(t.bundle)
	full := func(level int, n int64, row []tlog.Hash) {
		objects = append(objects, object{tileKey(level, n, tileWidth), rowBytes(row)})
	}
	for i, h := range leafHashes(leaves) {
		bundle = appendEntry(bundle, leaves[i])
		e.add(h, full)
		if width(e.size, 0) == 0 {
			objects = append(objects, object{tileKey(-1, e.size/tileWidth-1, tileWidth), bundle})
			bundle = nil
		}
	}
	if w := width(e.size, 0); w > 0 && e.size != old {
		objects = append(objects, object{tileKey(-1, e.size/tileWidth, w), bundle})
	}
	for level := range maxLevels {
		w := width(e.size, level)
		if w > 0 && e.size>>(tileHeight*level) != old>>(tileHeight*level) {
			objects = append(objects, object{tileKey(level, e.size>>(tileHeight*(level+1)), w), rowBytes(e.rows[level])})
		}
	}
	return tail{edge: e, bundle: bundle}, objects
}

// zippers lends gzip.Writer values, of about a megabyte each.
var zippers = sync.Pool{New: func() any {
	z, err := gzip.NewWriterLevel(nil, gzip.BestSpeed)
	if err != nil {
		panic(err) // a level of the package itself
	}
	return z
}}

// encode writes the staging object.
func (b batch) encode() ([]byte, error) {
	var out bytes.Buffer
	z := zippers.Get().(*gzip.Writer)
	defer zippers.Put(z)
	z.Reset(&out)
	data := fmt.Appendf(nil, "%sbase %d\ncheckpoint %d\nleaves %d\n\n%s%s", stagingHeader,
		len(b.base.Raw), len(b.cp.Raw), len(b.leaves), b.base.Raw, b.cp.Raw)
	for _, leaf := range b.leaves {
		data = appendEntry(data, leaf)
	}
	if _, err := z.Write(data); err != nil {
		return nil, err
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// stagedBatch is what a staging object says, before any of it is verified.
type stagedBatch struct {
	base, cp []byte
	leaves   [][]byte
}

// decodeBatch reads a staging object.
func decodeBatch(data []byte) (stagedBatch, error) {
	z, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return stagedBatch{}, err
	}
	const limit = MaxBatch + 2*maxCheckpoint + 1<<10
	text, err := io.ReadAll(io.LimitReader(z, limit+1))
	if err != nil {
		return stagedBatch{}, err
	}
	if len(text) > limit {
		return stagedBatch{}, fmt.Errorf("it has more than %d bytes", limit)
	}
	header, body, ok := bytes.Cut(text, []byte("\n\n"))
	var base, cp, leaves int
	format := strings.TrimSuffix(stagingHeader, "\n") + "\nbase %d\ncheckpoint %d\nleaves %d"
	if _, err := fmt.Sscanf(string(header), format, &base, &cp, &leaves); !ok || err != nil ||
		string(header) != fmt.Sprintf(format, base, cp, leaves) {
		return stagedBatch{}, errors.New("its header is not that of format 1 (a newer version of this program may have written it)")
	}
	if base < 0 || cp < 0 || leaves < 0 || base > len(body) || cp > len(body)-base || leaves > len(body) {
		return stagedBatch{}, errors.New("its lengths do not fit")
	}
	s := stagedBatch{base: body[:base:base], cp: body[base : base+cp : base+cp]}
	s.leaves, _, err = splitBundle(body[base+cp:], leaves, false)
	return s, err
}
