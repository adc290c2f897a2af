package warc

import (
	"errors"
	"fmt"
	"io"
	"strings"
)

// Index reads a WARC to its end and returns a CDXJ line for each capture, in the
// order of the file: response, revisit and resource records of http and https
// addresses that lie in a gzip member of their own or are plain. filename is
// what the lines call the file. A revisit has the status of its own header and
// the media type CDXJRevisit; readers resolve it through digest or address, as
// they do with those of warcio.js and pywb. A record whose address no index can
// carry (no SURT, more than 64 KiB) is left out: Validate names it.
//
// The error is that of the Reader.
func Index(rd *Reader, filename string) ([]CDXJLine, error) {
	rd.unhashed = true
	var lines []CDXJLine
	for rec, err := range rd.Records() {
		if err != nil {
			return nil, fmt.Errorf("index %s: %w", filename, err)
		}
		line, ok, err := indexRecord(rec, nil)
		if err != nil {
			return nil, fmt.Errorf("index %s: %w", filename, err)
		}
		if line.Filename = filename; ok && line.check() == nil {
			lines = append(lines, line)
		}
	}
	return lines, nil
}

// indexRecord makes the line of a record. ok is false if it gets none.
func indexRecord(rec *Record, visit payloadVisitor) (line CDXJLine, ok bool, err error) {
	if line, ok, err = describeRecord(rec, visit); err != nil || !ok {
		return line, false, err
	}
	if err := rec.Finish(); err != nil {
		return line, false, err
	}
	line.Length = rec.Length
	return line, line.Length > 0, nil
}

// payloadVisitor is given the header block of an HTTP message and its payload.
type payloadVisitor func(head []byte, payload io.Reader)

// describeRecord makes the line of a record but for its length, and has visit,
// which may be nil, read the payload on the way.
func describeRecord(rec *Record, visit payloadVisitor) (line CDXJLine, ok bool, err error) {
	typ := rec.Type()
	uri := rec.TargetURI()
	if typ != TypeResponse && typ != TypeRevisit && typ != TypeResource || !CDXJIndexable(uri) {
		return line, false, nil
	}
	line = CDXJLine{URL: uri, Digest: rec.Header.Get(fieldPayload), Offset: rec.Offset, RecordID: rec.ID()}
	var bad error
	line.SURT, bad = SURT(uri)
	if line.Timestamp, err = rec.Date(); err != nil || bad != nil {
		return line, false, nil
	}
	line.MIME = mediaType(rec.Header.Get(fieldContentType))
	if rec.isHTTP() {
		if line.Status, line.MIME, err = describeHTTP(rec, visit); err != nil {
			return line, false, err
		}
	}
	if typ == TypeRevisit {
		line.MIME = CDXJRevisit
	}
	return line, true, nil
}

// describeHTTP returns status and media type of a response. A header block that
// makes no sense has neither; only what ends the reading of the file is an error.
func describeHTTP(rec *Record, visit payloadVisitor) (status int, mime string, err error) {
	head, body, err := rec.head()
	if err == nil {
		status, mime = statusOf(head), mediaType(headValue(head, "Content-Type"))
		if visit != nil {
			visit(head, rec.entityBody(head, body))
		}
		return status, mime, nil
	}
	if _, bad := errors.AsType[*FormatError](err); rec.stream != nil && (bad || rec.stream.rd.src.err != nil) {
		return 0, "", err
	}
	return 0, "", nil
}

// mediaType returns the media type without parameters, lower case.
func mediaType(contentType string) string {
	name, _, _ := strings.Cut(contentType, ";")
	name, _, _ = strings.Cut(name, ",") // a doubled field
	return strings.ToLower(strings.TrimSpace(name))
}
