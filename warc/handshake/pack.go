package handshake

import (
	"bytes"
	"compress/flate"
	"errors"
	"fmt"
	"io"
	"sync"
)

// packers lends packer values, of 800 kB each.
var packers = sync.Pool{New: func() any {
	w, _ := flate.NewWriter(nil, flate.BestCompression) // the level is a valid one
	return &packer{w: w}
}}

// packer packs the messages of one proof after the other.
type packer struct {
	w   *flate.Writer
	out bytes.Buffer
}

// appendPacked appends the packed form of body, with the dictionary of nonce.
func appendPacked(out []byte, nonce [32]byte, body []byte) ([]byte, error) {
	p := packers.Get().(*packer)
	defer packers.Put(p)
	packed, err := p.pack(presetDictionary(nonce), body)
	return append(out, packed...), err
}

// pack returns body as a raw deflate stream, valid until the next call. A
// flate.Writer keeps the preset dictionary that it was made with, and ours is
// another for each proof: so it is written in front, and what it became is
// dropped. Flush ends that at a byte.
func (p *packer) pack(dictionary, body []byte) ([]byte, error) {
	p.out.Reset()
	p.w.Reset(&p.out)
	_, err := p.w.Write(dictionary)
	err = errors.Join(err, p.w.Flush())
	front := p.out.Len()
	if err == nil {
		_, err = p.w.Write(body)
	}
	err = errors.Join(err, p.w.Close())
	return p.out.Bytes()[front:], err
}

// unpack returns the messages of a proof, without what appendShort left out, from
// what stands behind its nonce.
func unpack(nonce [32]byte, b []byte) ([]byte, error) {
	// A bytes.Reader is read byte by byte, not beyond the end of the stream.
	rest := bytes.NewReader(b)
	body, err := io.ReadAll(io.LimitReader(flate.NewReaderDict(rest, presetDictionary(nonce)), maxMessages+1))
	if err != nil {
		return nil, fmt.Errorf("unpack: %w", err)
	}
	body = append(body, b[len(b)-rest.Len():]...)
	if len(body) > maxMessages {
		return nil, fmt.Errorf("unpack: more than %d bytes", maxMessages)
	}
	return body, nil
}
