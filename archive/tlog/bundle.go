package tlog

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"

	"golang.org/x/mod/sumdb/tlog"
)

// MaxLeaf is the greatest length of an entry, in bytes: its length is stored in
// 16 bits (c2sp.org/tlog-tiles, entry bundles).
const MaxLeaf = 1<<16 - 1

const maxBundle = tileWidth * (2 + MaxLeaf) // bytes

// nextEntry cuts the first entry from entries that stand behind their lengths.
func nextEntry(data []byte) (entry, rest []byte, err error) {
	if len(data) < 2 {
		return nil, nil, fmt.Errorf("%d bytes are left, too few for a length", len(data))
	}
	n := int(binary.BigEndian.Uint16(data))
	if len(data) < 2+n {
		return nil, nil, fmt.Errorf("an entry of %d bytes is cut after %d", n, len(data)-2)
	}
	return data[2 : 2+n : 2+n], data[2+n:], nil
}

// appendEntry adds an entry behind its length; the caller has checked MaxLeaf.
func appendEntry(data, entry []byte) []byte {
	data = binary.BigEndian.AppendUint16(data, uint16(len(entry)))
	return append(data, entry...)
}

// splitBundle cuts a bundle into exactly want entries that share its memory. A
// bundle with more is cut behind them if more is allowed, refused otherwise.
func splitBundle(data []byte, want int, more bool) (entries [][]byte, raw []byte, err error) {
	entries = make([][]byte, 0, want)
	rest := data
	for len(entries) < want {
		entry, r, err := nextEntry(rest)
		if err != nil {
			return nil, nil, fmt.Errorf("entry %d of the bundle: %w", len(entries), err)
		}
		entries, rest = append(entries, entry), r
	}
	if len(rest) > 0 && !more {
		return nil, nil, fmt.Errorf("%d bytes stand behind its %d entries", len(rest), want)
	}
	return entries, data[:len(data)-len(rest)], nil
}

// leafHashes hashes entries (RFC 6962, section 2.1).
func leafHashes(entries [][]byte) []tlog.Hash {
	hashes := make([]tlog.Hash, len(entries))
	h := sha256.New()
	for i, e := range entries {
		leafHash(h, e, &hashes[i])
	}
	return hashes
}

func leafHash(h hash.Hash, entry []byte, out *tlog.Hash) {
	h.Reset()
	h.Write([]byte{0})
	h.Write(entry)
	h.Sum(out[:0])
}
