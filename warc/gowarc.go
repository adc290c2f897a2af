package warc

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/nlnwa/gowarc/v2"
)

// This file is the only place that knows gowarc. Its marshaler writes our
// records; its record builder is passed by, because it copies every block,
// computes digests of its own and touches an unguarded global. The marshaler
// takes any implementation of its record interface, so ours hands it header
// fields and block as they are.

// errNotOurs is returned by the parts of gowarc's interfaces that its marshaler
// does not use.
var errNotOurs = errors.New("not supported by records of package warc")

// marshal writes the record in WARC/1.1 form and checks that the block had the
// length that the header says.
func marshal(w io.Writer, r *Record) error {
	size := r.Size()
	block := &gowarcBlock{size: size, counter: countingReader{r: r.content.Open()}}
	if _, _, err := gowarc.NewMarshaler().Marshal(w, &gowarcRecord{header: gowarcHeader(r.Header), block: block}, 0); err != nil {
		return err
	}
	if block.counter.n != size {
		return fmt.Errorf("block of %d bytes says it has %d", block.counter.n, size)
	}
	return nil
}

// gowarcHeader returns the fields with our spelling of their names: gowarc's
// own would turn WARC-Protocol into Warc-Protocol.
func gowarcHeader(h Header) *gowarc.WarcFields {
	fields := make(gowarc.WarcFields, 0, len(h))
	for _, f := range h {
		fields.Add(f.Name, f.Value)
		fields[len(fields)-1].Name = f.Name
	}
	return &fields
}

// recordEnd stands behind every block.
const recordEnd = "\r\n\r\n"

// headerSize returns the bytes that marshal writes before the block.
func headerSize(h Header) int64 {
	n := len(Version) + len("\r\n") + len("\r\n")
	for _, f := range h {
		n += len(f.Name) + len(": ") + len(f.Value) + len("\r\n")
	}
	return int64(n)
}

// countingReader counts the bytes read.
type countingReader struct {
	r io.Reader
	n int64
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

// WriteTo spares the copying buffer.
func (c *countingReader) WriteTo(w io.Writer) (int64, error) {
	n, err := copyBuffered(w, c.r)
	c.n += n
	return n, err
}

type gowarcBlock struct {
	size    int64
	counter countingReader
}

func (b *gowarcBlock) RawBytes() (io.Reader, error) { return &b.counter, nil }
func (b *gowarcBlock) BlockDigest() string          { return "" }
func (b *gowarcBlock) Size() int64                  { return b.size }
func (b *gowarcBlock) IsCached() bool               { return false }
func (b *gowarcBlock) Cache() error                 { return errNotOurs }
func (b *gowarcBlock) Close() error                 { return nil }

type gowarcRecord struct {
	header *gowarc.WarcFields
	block  *gowarcBlock
}

func (r *gowarcRecord) Version() *gowarc.WarcVersion            { return gowarc.V1_1 }
func (r *gowarcRecord) Type() gowarc.RecordType                 { return 0 }
func (r *gowarcRecord) WarcHeader() *gowarc.WarcFields          { return r.header }
func (r *gowarcRecord) Block() gowarc.Block                     { return r.block }
func (r *gowarcRecord) RecordId() string                        { return r.header.GetId(gowarc.WarcRecordID) }
func (r *gowarcRecord) ContentLength() (int64, error)           { return r.block.size, nil }
func (r *gowarcRecord) Date() (time.Time, error)                { return r.header.GetTime(gowarc.WarcDate) }
func (r *gowarcRecord) String() string                          { return "WARC record " + r.RecordId() }
func (r *gowarcRecord) Close() error                            { return nil }
func (r *gowarcRecord) RevisitRef() (*gowarc.RevisitRef, error) { return nil, errNotOurs }
func (r *gowarcRecord) ValidateDigest(*gowarc.Validation) error { return errNotOurs }
func (r *gowarcRecord) ToRevisitRecord(*gowarc.RevisitRef) (gowarc.WarcRecord, error) {
	return nil, errNotOurs
}
func (r *gowarcRecord) CreateRevisitRef(string) (*gowarc.RevisitRef, error) { return nil, errNotOurs }
func (r *gowarcRecord) Merge(...gowarc.WarcRecord) (gowarc.WarcRecord, error) {
	return nil, errNotOurs
}
