package warc

import "io"

// IndexRecord returns the line that Index makes of rec, a record from a Reader
// that nothing was read of yet, and finishes the record. ok is false if it gets
// no line. The error is one of reading.
func IndexRecord(rec *Record, filename string) (line CDXJLine, ok bool, err error) {
	return IndexPayload(rec, filename, nil)
}

// IndexPayload is IndexRecord that hands on what it reads of an HTTP message on
// the way: visit, unless it is nil, is called once at most, with the header block
// and a reader of the payload (see Record.Payload), both valid until it returns.
// It need not read all, and a record that cannot be read to its end is an error
// here whatever it does. It is not called if the header block makes no sense, nor
// for a record that gets no line for its type or address.
func IndexPayload(rec *Record, filename string, visit func(head []byte, payload io.Reader)) (line CDXJLine, ok bool, err error) {
	line, ok, err = indexRecord(rec, visit)
	line.Filename = filename
	return line, err == nil && ok && line.check() == nil, err
}

// IndexWritten returns the line that Index makes of rec, a record whose block can
// still be read, where it was written. ok is false if it gets no line.
func IndexWritten(rec *Record, at Placed, filename string) (line CDXJLine, ok bool, err error) {
	line, ok, err = describeRecord(rec, nil)
	line.Offset, line.Length, line.Filename = at.Offset, at.Length, filename
	return line, err == nil && ok && line.check() == nil, err
}
