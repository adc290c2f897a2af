package warc

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"iter"
	"strings"

	"github.com/klauspost/compress/gzip"
)

// MaxHeader bounds the header of a WARC record, in bytes.
const MaxHeader = 64 << 10

// FormatError says that the bytes at Offset are not a WARC record. A file that
// was cut gives one that wraps io.ErrUnexpectedEOF.
type FormatError struct {
	Offset int64 // where the record begins that could not be read, in bytes of the file
	Reason string
	Err    error // from below, may be nil
}

func (e *FormatError) Error() string {
	if e.Err == nil {
		return fmt.Sprintf("WARC record at %d: %s", e.Offset, e.Reason)
	}
	return fmt.Sprintf("WARC record at %d: %s: %v", e.Offset, e.Reason, e.Err)
}

// Unwrap returns the error from below.
func (e *FormatError) Unwrap() error { return e.Err }

// Problem is a fault of form that does not keep a record from being read.
type Problem struct {
	Rule    string // the name of the rule of Validate
	Message string
}

// Reader reads the records of a WARC file one after the other, gzip members or
// plain. Memory is bounded whatever the file says: a header may have 64 KiB, a
// block is a stream. Bytes are handed on as they are.
//
// A Reader is used by one goroutine at a time.
type Reader struct {
	src      sourceReader
	br       *bufio.Reader // over src
	base     int64         // offset of the first byte of src in the file
	gz       *gzip.Reader  // nil until the first gzip member
	gzbuf    *bufio.Reader // over gz
	member   bool          // gz is inside a member
	begins   int64         // offset of the member
	sum      *hasher
	unhashed bool    // nobody asks for the digests of members
	record   *Record // the one handed out last, nil if it was finished
	header   []byte  // reused
	err      error   // what ended the reading
}

// NewReader returns a reader that reads r from the start of a WARC file.
func NewReader(r io.Reader) *Reader { return newReaderAt(r, 0) }

func newReaderAt(r io.Reader, offset int64) *Reader {
	rd := &Reader{src: sourceReader{r: r}, base: offset, sum: sha256Pool.get()}
	rd.br = bufio.NewReaderSize(&rd.src, 64<<10)
	return rd
}

// ReadRecord reads the one record of which r holds the stored bytes: a gzip
// member or a plain record, cut out of a file at offset.
func ReadRecord(r io.Reader, offset int64) (*Record, error) {
	rec, err := newReaderAt(r, offset).Next()
	if err == io.EOF {
		return nil, &FormatError{offset, "no bytes", io.ErrUnexpectedEOF}
	}
	return rec, err
}

// ReadRecordAt reads the record that lies at offset in a file and takes length
// bytes there, as a CDXJ line or a manifest says.
func ReadRecordAt(r io.ReaderAt, offset, length int64) (*Record, error) {
	return ReadRecord(io.NewSectionReader(r, offset, length), offset)
}

// sourceReader counts the bytes and remembers an error that is not the end.
type sourceReader struct {
	r   io.Reader
	n   int64
	err error
}

func (s *sourceReader) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	s.n += int64(n)
	if err != nil && err != io.EOF {
		s.err = err
	}
	return n, err
}

// Offset returns the position behind all that was consumed: between two records
// the end of the last whole one.
func (rd *Reader) Offset() int64 { return rd.base + rd.src.n - int64(rd.br.Buffered()) }

// Records yields the records one after the other. It ends after the first
// error, if there is one.
func (rd *Reader) Records() iter.Seq2[*Record, error] {
	return func(yield func(*Record, error) bool) {
		for {
			rec, err := rd.Next()
			if err == io.EOF {
				return
			}
			if !yield(rec, err) || err != nil {
				return
			}
		}
	}
}

// Next finishes the record before and returns the next one; io.EOF at the end
// of the file, a *FormatError for bytes that are no record, or an error of the
// source. After an error there are no more records.
func (rd *Reader) Next() (*Record, error) {
	if rd.err == nil && rd.record != nil {
		rd.err = rd.record.Finish()
	}
	if rd.err != nil {
		return nil, rd.err
	}
	rec, err := rd.next()
	if err != nil {
		rd.err = err
		return nil, err
	}
	rd.record = rec
	return rec, nil
}

func (rd *Reader) next() (*Record, error) {
	rec := &Record{Offset: rd.Offset()}
	s := &reading{rd: rd, rec: rec, from: rd.br}
	rec.stream = s
	if rd.member { // an earlier record of this member was read to its end
		rec.Offset = rd.begins
		s.from, s.gzip = rd.gzbuf, true
		s.problem("gzip-member", "the gzip member holds several records")
		return rec, s.readHeader()
	}
	magic, err := rd.br.Peek(2)
	switch {
	case err == io.EOF && len(magic) == 0:
		return nil, io.EOF
	case err != nil && len(magic) == 0:
		return nil, err
	case bytes.Equal(magic, []byte{0x1f, 0x8b}):
		if err := rd.openMember(); err != nil {
			return nil, s.fail("the gzip member does not begin", err)
		}
		s.from, s.gzip = rd.gzbuf, true
	}
	if err := s.readHeader(); err != nil {
		return nil, err
	}
	return rec, nil
}

func (rd *Reader) openMember() (err error) {
	rd.begins = rd.Offset()
	if rd.gz == nil {
		if rd.gz, err = gzip.NewReader(rd.br); err != nil {
			return err
		}
		rd.gzbuf = bufio.NewReaderSize(rd.gz, 16<<10)
	} else if err = rd.gz.Reset(rd.br); err != nil {
		return err
	}
	rd.gz.Multistream(false)
	rd.gzbuf.Reset(rd.gz)
	rd.member = true
	return nil
}

// reading is the state of a record that is being read.
type reading struct {
	rd       *Reader
	rec      *Record
	from     *bufio.Reader // the decompressed member or the file
	gzip     bool
	size     int64 // of the block
	left     int64 // bytes of the block not read yet
	finished bool
	err      error
	problems []Problem
}

// Problems returns the faults of form found so far; all are known when the
// record is finished.
func (r *Record) Problems() []Problem {
	if r.stream == nil {
		return nil
	}
	return r.stream.problems
}

func (s *reading) problem(rule, format string, args ...any) {
	s.problems = append(s.problems, Problem{rule, fmt.Sprintf(format, args...)})
}

// fail returns err as a *FormatError, unless the source itself failed.
func (s *reading) fail(reason string, err error) error {
	if s.rd.src.err != nil {
		return fmt.Errorf("read WARC record at %d: %w", s.rec.Offset, s.rd.src.err)
	}
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return &FormatError{s.rec.Offset, reason, err}
}

// Read reads the block.
func (s *reading) Read(p []byte) (int, error) {
	if s.err != nil {
		return 0, s.err
	}
	if s.left == 0 || s.finished {
		return 0, io.EOF
	}
	n, err := s.from.Read(p[:min(int64(len(p)), s.left)])
	s.rd.hash(p[:n])
	s.left -= int64(n)
	if err != nil {
		s.err = s.fail("the block is cut", err)
		if n > 0 {
			err = nil
		} else {
			err = s.err
		}
	}
	return n, err
}

func (rd *Reader) hash(p []byte) {
	if !rd.unhashed {
		rd.sum.Write(p)
	}
}

// readHeader reads the header, blank line included.
func (s *reading) readHeader() error {
	s.rd.sum.Reset()
	s.rd.header = s.rd.header[:0]
	for {
		start := len(s.rd.header)
		if err := s.readLine(); err != nil {
			return err
		}
		line := s.rd.header[start:]
		if len(bytes.TrimRight(line, "\r\n")) == 0 {
			break
		}
		if start == 0 && !bytes.HasPrefix(line, []byte("WARC/")) {
			return s.fail(fmt.Sprintf("it begins with %.16q, not with WARC/", line), nil)
		}
	}
	s.rd.hash(s.rd.header)
	if err := s.parseHeader(string(s.rd.header)); err != nil {
		return err
	}
	var err error
	if s.size, err = s.rec.Header.contentLength(); err != nil {
		return s.fail("its length is unknown", err)
	}
	s.left = s.size
	return nil
}

// readLine appends a line with its end to the header buffer.
func (s *reading) readLine() error {
	for {
		part, err := s.from.ReadSlice('\n')
		if len(s.rd.header)+len(part) > MaxHeader {
			return s.fail(fmt.Sprintf("the header is longer than %d bytes", MaxHeader), nil)
		}
		s.rd.header = append(s.rd.header, part...)
		switch {
		case err == nil:
			return nil
		case err != bufio.ErrBufferFull:
			return s.fail("the header is cut", err)
		}
	}
}

func (s *reading) parseHeader(text string) error {
	s.rec.Header = make(Header, 0, strings.Count(text, "\n"))
	first := true
	for line := range strings.Lines(text) {
		bare := strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r")
		if len(line)-len(bare) != 2 {
			s.problem("crlf", "header line %.40q does not end in CR LF", bare)
		}
		switch {
		case first:
			s.rec.Version, first = bare, false
		case bare == "":
		case bare[0] == ' ' || bare[0] == '\t': // folded: WARC 1.1, section 4
			if n := len(s.rec.Header); n > 0 {
				s.rec.Header[n-1].Value += " " + strings.Trim(bare, " \t")
			}
		default:
			name, value, ok := strings.Cut(bare, ":")
			if !ok {
				s.problem("field-syntax", "header line %.40q has no colon", bare)
				continue
			}
			s.rec.Header = append(s.rec.Header, Field{strings.Trim(name, " \t"), strings.Trim(value, " \t")})
		}
	}
	return nil
}

// Finish reads what is left of a record from a Reader and checks its gzip member
// to the end; after that Length, SHA256 and Problems are complete. The next call
// of Next does the same.
func (r *Record) Finish() error {
	s := r.stream
	if s == nil || s.finished {
		return nil
	}
	if s.err != nil {
		return s.err
	}
	if _, err := copyBuffered(io.Discard, struct{ io.Reader }{s}); err != nil {
		return err
	}
	if err := s.end(); err != nil {
		s.err = err
		return err
	}
	s.finished = true
	if !s.rd.unhashed {
		r.SHA256 = s.rd.sum.digest()
	}
	if !s.rd.member {
		r.Length = s.rd.Offset() - r.Offset
	}
	s.rd.record = nil
	return nil
}

// end reads the two line ends behind the block, and the end of the gzip member.
func (s *reading) end() error {
	tail, err := s.from.Peek(4)
	if s.rd.src.err != nil {
		return s.fail("", err)
	}
	if string(tail) == "\r\n\r\n" {
		s.consume(4)
	} else if err := s.looseEnd(tail); err != nil {
		return err
	}
	if !s.gzip {
		return nil
	}
	switch _, err := s.from.Peek(1); {
	case err == io.EOF:
		s.rd.member = false
		return nil
	case err != nil:
		return s.fail("the gzip member is damaged", err)
	}
	if next, _ := s.from.Peek(5); string(next) != "WARC/" {
		return s.fail(fmt.Sprintf("%.8q follows in its gzip member", next), nil)
	}
	if len(s.problems) == 0 || s.problems[0].Rule != "gzip-member" {
		s.problem("gzip-member", "the gzip member holds several records")
	}
	return nil
}

// looseEnd takes what stands for CR LF CR LF in files of careless writers.
func (s *reading) looseEnd(tail []byte) error {
	n := 0
	for n < len(tail) && (tail[n] == '\r' || tail[n] == '\n') {
		n++
	}
	if n == 0 {
		return s.fail("no line end behind the block", errCutIfEmpty(tail))
	}
	s.consume(n)
	s.problem("record-end", "%q behind the block, want CR LF CR LF", tail[:n])
	return nil
}

func errCutIfEmpty(tail []byte) error {
	if len(tail) == 0 {
		return io.ErrUnexpectedEOF
	}
	return nil
}

func (s *reading) consume(n int) {
	b, _ := s.from.Peek(n) // n bytes are buffered
	s.rd.hash(b)
	s.from.Discard(n)
}
