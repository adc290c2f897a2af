package warc

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// ErrControl says that the name or value of a header field holds a control
// character. Written out, it could add lines to the header.
var ErrControl = errors.New("control character in a header field")

// Names of the header fields that this package writes, in the spelling of the
// WARC standard, and of its own named fields.
const (
	fieldType         = "WARC-Type"
	fieldRecordID     = "WARC-Record-ID"
	fieldDate         = "WARC-Date"
	fieldTargetURI    = "WARC-Target-URI"
	fieldWarcinfoID   = "WARC-Warcinfo-ID"
	fieldConcurrentTo = "WARC-Concurrent-To"
	fieldIPAddress    = "WARC-IP-Address"
	fieldProtocol     = "WARC-Protocol"
	fieldCipherSuite  = "WARC-Cipher-Suite"
	fieldProfile      = "WARC-Profile"
	fieldRefersTo     = "WARC-Refers-To"
	fieldRefersToURI  = "WARC-Refers-To-Target-URI"
	fieldRefersToDate = "WARC-Refers-To-Date"
	fieldTruncated    = "WARC-Truncated"
	fieldFilename     = "WARC-Filename"
	fieldIdentified   = "WARC-Identified-Payload-Type"
	fieldPayload      = "WARC-Payload-Digest"
	fieldBlock        = "WARC-Block-Digest"
	fieldContentType  = "Content-Type"
	fieldLength       = "Content-Length"

	// FieldLook names the look that a record belongs to: the id of its source,
	// a space and the number of the look.
	FieldLook = "Fineprint-Look"
	// FieldPart says what a metadata record of raw bytes holds: one of the Part
	// values.
	FieldPart = "Fineprint-Part"
)

// Field is one named field of a record header.
type Field struct {
	Name, Value string
}

// Header is the named fields of a record, in order. Names are compared without
// regard to case (WARC 1.1, section 4). A header is not safe for concurrent
// changes.
type Header []Field

// Add appends a field. An empty value adds nothing: the standard knows no
// field without a value.
func (h *Header) Add(name, value string) {
	if value != "" {
		*h = append(*h, Field{name, value})
	}
}

// Get returns the value of the first field of this name, "" if there is none.
func (h Header) Get(name string) string {
	for _, f := range h {
		if strings.EqualFold(f.Name, name) {
			return f.Value
		}
	}
	return ""
}

// Values returns the values of all fields of this name in order.
func (h Header) Values(name string) []string {
	var all []string
	for _, f := range h {
		if strings.EqualFold(f.Name, name) {
			all = append(all, f.Value)
		}
	}
	return all
}

// Check returns an error that names the first field which cannot be written:
// its name is not a token, or its value holds a control character (ErrControl).
func (h Header) Check() error {
	for _, f := range h {
		if !isToken(f.Name) {
			return fmt.Errorf("header field %q: the name is not a token", f.Name)
		}
		if strings.ContainsFunc(f.Value, isControl) {
			return fmt.Errorf("header field %s %q: %w", f.Name, f.Value, ErrControl)
		}
	}
	return nil
}

func isControl(r rune) bool { return r < ' ' || r == 0x7f }

// isToken reports whether s is a token of RFC 7230, section 3.2.6.
func isToken(s string) bool {
	for i := range len(s) {
		c := s[i]
		letter := 'a' <= c|0x20 && c|0x20 <= 'z'
		digit := '0' <= c && c <= '9'
		if !letter && !digit && !strings.ContainsRune("!#$%&'*+-.^_`|~", rune(c)) {
			return false
		}
	}
	return s != ""
}

// FormatDate returns t as WARC-Date carries it: UTC, up to nine decimals,
// trailing zeros left out (WARC 1.1, section 5.4). A time that was read from a
// record is written back the same.
func FormatDate(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }

// ParseDate reads a WARC-Date in UTC, with or without decimals.
func ParseDate(s string) (time.Time, error) {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil || !strings.HasSuffix(s, "Z") {
		return time.Time{}, fmt.Errorf("date %q is not of the form 2006-01-02T15:04:05.999999999Z", s)
	}
	return t.UTC(), nil
}

// bracket returns a record id as header fields carry it, "" for "".
func bracket(id string) string {
	if id == "" {
		return ""
	}
	return "<" + id + ">"
}

// unbracket is the inverse of bracket; it leaves other values alone.
func unbracket(value string) string {
	if inner, ok := strings.CutPrefix(value, "<"); ok {
		return strings.TrimSuffix(inner, ">")
	}
	return value
}

// contentLength reads Content-Length: decimal digits alone, as the standard has it.
func (h Header) contentLength() (int64, error) {
	value := h.Get(fieldLength)
	if value == "" {
		return 0, errors.New("no Content-Length")
	}
	n, err := strconv.ParseUint(value, 10, 63)
	if err != nil {
		return 0, fmt.Errorf("Content-Length %q is not a number of bytes", value)
	}
	return int64(n), nil
}
