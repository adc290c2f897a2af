package warc

// IndexRecord returns the line that Index makes of rec, a record from a Reader
// that nothing was read of yet, and finishes the record. ok is false if it gets
// no line. The error is one of reading.
func IndexRecord(rec *Record, filename string) (line CDXJLine, ok bool, err error) {
	line, ok, err = indexRecord(rec)
	line.Filename = filename
	return line, err == nil && ok && line.check() == nil, err
}

// IndexWritten returns the line that Index makes of rec, a record whose block can
// still be read, where it was written. ok is false if it gets no line.
func IndexWritten(rec *Record, at Placed, filename string) (line CDXJLine, ok bool, err error) {
	line, ok, err = describeRecord(rec)
	line.Offset, line.Length, line.Filename = at.Offset, at.Length, filename
	return line, err == nil && ok && line.check() == nil, err
}
