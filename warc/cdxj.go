package warc

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// cdxjMaxLine bounds a CDXJ line in bytes, without its line end.
const cdxjMaxLine = 64 << 10

// CDXJRevisit is the media type under which indexes list revisit records.
const CDXJRevisit = "warc/revisit"

// The timestamps of index lines: 14 digits, or 17 with milliseconds.
const (
	cdxjTime      = "20060102150405"
	cdxjTimeMilli = "20060102150405.000"
)

// cdxjSpace is the white space of JSON.
const cdxjSpace = " \t\r\n"

// cdxjMaxExtra bounds the unknown keys of one line, so that looking for repeated
// ones stays cheap.
const cdxjMaxExtra = 248

// cdxjKeys are the keys of the JSON block that are fields of CDXJLine.
var cdxjKeys = []string{"url", "mime", "status", "digest", "length", "offset", "filename", "recordId"}

// CDXJLine is one line of a CDXJ index: where the record of one capture lies.
//
//	org,example)/tos 20241115000000 {"url":"https://example.org/tos","mime":"text/html","status":"200","digest":"sha1:…","length":"2269","offset":"283","filename":"data.warc.gz"}
//
// The format is Webrecorder's CDXJ 0.1.0. Values are written as strings and in
// this order, as pywb and warcio.js write them; numbers are read as well.
// Records that are no capture of a web address are not indexed: see
// CDXJIndexable.
type CDXJLine struct {
	SURT      string    // the key that lines are sorted by, see SURT
	Timestamp time.Time // of the capture, UTC; written in whole seconds
	URL       string    // WARC-Target-URI
	MIME      string    // media type without parameters; CDXJRevisit for a revisit; "" if unknown
	Status    int       // of the HTTP response; 0 if unknown
	Digest    string    // WARC-Payload-Digest as in the record ("sha1:…"); pywb leaves the label out; "" if unknown
	Length    int64     // of the record as stored (its gzip member), in bytes
	Offset    int64     // of the record in the file, in bytes
	Filename  string    // of the WARC file
	RecordID  string    // WARC-Record-ID, key "recordId" of our own; "" if unknown

	// Extra holds all other keys with their JSON values, written in the order
	// of their names after the known ones. Nil if there are none.
	Extra map[string]json.RawMessage
}

// CDXJIndexable reports whether captures of uri belong in a CDXJ index: those
// of http and https addresses do, "urn:", "metadata:" and the like do not.
func CDXJIndexable(uri string) bool {
	scheme, _, ok := strings.Cut(uri, "://")
	return ok && (strings.EqualFold(scheme, "http") || strings.EqualFold(scheme, "https"))
}

// MarshalCDXJ returns the line without a line end. All keys that the format
// demands are written; what is unknown is "". The error names the field that
// cannot be written: a key that is empty or not one word, a time outside the
// years 1 to 9999, no address or file name, text that is not UTF-8, a negative
// number, an extra value that is not JSON or takes a known key, more than 248
// extra keys, or a line of more than 64 KiB. It names the record by file and offset; no error of this
// file quotes an address, whose query may hold a secret.
func MarshalCDXJ(l CDXJLine) ([]byte, error) {
	if err := l.check(); err != nil {
		return nil, fmt.Errorf("cdxj line of %s at %d: %w", l.Filename, l.Offset, err)
	}
	b := make([]byte, 0, 256+len(l.SURT)+2*len(l.URL))
	b = append(b, l.SURT...)
	b = append(b, ' ')
	b = l.Timestamp.UTC().AppendFormat(b, cdxjTime)
	b = cdxjAppendPair(append(b, ' '), '{', "url", l.URL)
	b = cdxjAppendPair(b, ',', "mime", l.MIME)
	status := ""
	if l.Status != 0 {
		status = strconv.Itoa(l.Status)
	}
	b = cdxjAppendPair(b, ',', "status", status)
	b = cdxjAppendPair(b, ',', "digest", l.Digest)
	b = cdxjAppendPair(b, ',', "length", strconv.FormatInt(l.Length, 10))
	b = cdxjAppendPair(b, ',', "offset", strconv.FormatInt(l.Offset, 10))
	b = cdxjAppendPair(b, ',', "filename", l.Filename)
	if l.RecordID != "" {
		b = cdxjAppendPair(b, ',', "recordId", l.RecordID)
	}
	for _, key := range slices.Sorted(maps.Keys(l.Extra)) {
		var value bytes.Buffer
		if err := json.Compact(&value, l.Extra[key]); err != nil || !utf8.Valid(value.Bytes()) {
			return nil, fmt.Errorf("cdxj line of %s at %d: value of key %q is not JSON", l.Filename, l.Offset, key)
		}
		b = append(cdxjAppendString(append(b, ','), key), ':')
		b = append(b, value.Bytes()...)
	}
	b = append(b, '}')
	if len(b) > cdxjMaxLine {
		return nil, fmt.Errorf("cdxj line of %s at %d: %d bytes: the limit is %d", l.Filename, l.Offset, len(b), cdxjMaxLine)
	}
	return b, nil
}

// check returns what keeps l from being written or says why what was read is
// no index line.
func (l CDXJLine) check() error {
	for _, s := range []struct{ name, value string }{
		{"key", l.SURT}, {"url", l.URL}, {"mime", l.MIME}, {"digest", l.Digest},
		{"filename", l.Filename}, {"recordId", l.RecordID},
	} {
		if !utf8.ValidString(s.value) {
			return fmt.Errorf("%s is not UTF-8", s.name)
		}
	}
	for key := range l.Extra {
		if slices.Contains(cdxjKeys, key) || !utf8.ValidString(key) {
			return fmt.Errorf("extra key %q is taken or not UTF-8", key)
		}
	}
	year := l.Timestamp.UTC().Year()
	switch {
	case l.SURT == "" || strings.ContainsFunc(l.SURT, func(r rune) bool { return r <= ' ' || r == 0x7f }):
		return errors.New("key is empty or has a space or control character")
	case strings.HasPrefix(l.SURT, "!"):
		return errors.New("key starts with \"!\" like a header line")
	case year < 1 || year > 9999:
		return fmt.Errorf("year %d is outside 1 to 9999", year)
	case len(l.Extra) > cdxjMaxExtra:
		return fmt.Errorf("%d extra keys: the limit is %d", len(l.Extra), cdxjMaxExtra)
	case l.URL == "":
		return errors.New("no url")
	case l.Filename == "":
		return errors.New("no filename")
	case l.Status != 0 && (l.Status < 100 || l.Status > 999):
		return fmt.Errorf("status %d is outside 100 to 999", l.Status)
	case l.Length < 0 || l.Offset < 0:
		return fmt.Errorf("length %d or offset %d is negative", l.Length, l.Offset)
	}
	return nil
}

// cdxjAppendPair appends sep, then the key and value as a JSON member.
func cdxjAppendPair(b []byte, sep byte, key, value string) []byte {
	b = append(b, sep, '"')
	b = append(b, key...)
	b = append(b, '"', ':')
	return cdxjAppendString(b, value)
}

// cdxjAppendString appends s, which is valid UTF-8, as a JSON string. "&", "<"
// and ">" are not escaped, as in other programs' indexes.
func cdxjAppendString(b []byte, s string) []byte {
	plain := !strings.ContainsFunc(s, func(r rune) bool {
		return r < ' ' || r >= 0x7f || r == '"' || r == '\\'
	})
	if plain {
		b = append(b, '"')
		b = append(b, s...)
		return append(b, '"')
	}
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	// Neither the encoding of a string nor a write to a Buffer can fail.
	_ = enc.Encode(s)
	return append(b, bytes.TrimSuffix(buf.Bytes(), []byte("\n"))...)
}

// ParseCDXJ reads one line, with or without its line end. It is strict about
// what makes a line usable: three parts separated by single spaces, a timestamp
// of 14 or 17 digits that is a real moment, one JSON object without repeated keys
// and with at most 248 unknown ones, and url, filename, length and offset in it.
// mime, status and digest may be absent, null, "" or "-". Lines over 64 KiB are
// refused. The key is not
// compared with the address: programs differ, and POST requests have their own.
func ParseCDXJ(line string) (CDXJLine, error) {
	l, err := cdxjParse(line)
	if err != nil {
		return CDXJLine{}, fmt.Errorf("parse cdxj: %w", err)
	}
	return l, nil
}

// cdxjParse is ParseCDXJ without the context in its errors.
func cdxjParse(line string) (l CDXJLine, err error) {
	line = strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r")
	if len(line) > cdxjMaxLine {
		return l, fmt.Errorf("%d bytes: the limit is %d", len(line), cdxjMaxLine)
	}
	if !utf8.ValidString(line) {
		return l, errors.New("not UTF-8")
	}
	if strings.ContainsAny(line, "\r\n") {
		return l, errors.New("more than one line")
	}
	key, rest, _ := strings.Cut(line, " ")
	stamp, block, _ := strings.Cut(rest, " ")
	if !strings.HasPrefix(block, "{") {
		return l, errors.New("not a key, a timestamp and a JSON object, separated by single spaces")
	}
	l.SURT = key
	if l.Timestamp, err = cdxjParseTime(stamp); err != nil {
		return l, err
	}
	if err := l.parseBlock(block); err != nil {
		return l, err
	}
	return l, l.check()
}

// cdxjParseTime reads a timestamp of 14 digits, or 17 with milliseconds.
func cdxjParseTime(stamp string) (time.Time, error) {
	if strings.Trim(stamp, "0123456789") == "" {
		switch len(stamp) {
		case len(cdxjTime):
			if t, err := time.Parse(cdxjTime, stamp); err == nil {
				return t, nil
			}
		case len(cdxjTimeMilli) - 1:
			if t, err := time.Parse(cdxjTimeMilli, stamp[:14]+"."+stamp[14:]); err == nil {
				return t, nil
			}
		}
	}
	return time.Time{}, fmt.Errorf("timestamp %.40q is no moment of 14 or 17 digits", stamp)
}

// parseBlock reads the JSON object of a line. Its members are walked one by
// one, since a repeated key would otherwise hide the first one.
func (l *CDXJLine) parseBlock(block string) error {
	var whole json.RawMessage
	if err := json.Unmarshal([]byte(block), &whole); err != nil {
		return fmt.Errorf("json: %w", err)
	}
	seen := make([]string, 0, 2*len(cdxjKeys))
	for rest := block[1:]; ; {
		rest = strings.TrimLeft(rest, cdxjSpace+",")
		if rest[0] == '}' {
			break
		}
		n := cdxjValueLen(rest)
		key, err := cdxjString(rest[:n])
		if err != nil {
			return err
		}
		if slices.Contains(seen, key) {
			return fmt.Errorf("key %q is repeated", key)
		}
		if seen = append(seen, key); len(seen) > cdxjMaxExtra+len(cdxjKeys) {
			return fmt.Errorf("more than %d keys", cdxjMaxExtra+len(cdxjKeys))
		}
		rest = strings.TrimLeft(rest[n:], cdxjSpace+":")
		n = cdxjValueLen(rest)
		if err := l.set(key, rest[:n]); err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
		rest = rest[n:]
	}
	for _, key := range []string{"length", "offset"} {
		if !slices.Contains(seen, key) {
			return fmt.Errorf("no %s", key)
		}
	}
	return nil
}

// cdxjValueLen returns the length of the JSON value at the start of s, which is
// the rest of a valid JSON object.
func cdxjValueLen(s string) int {
	depth, quoted := 0, false
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case quoted && c == '\\':
			i++ // whatever is escaped is no end of the string
			continue
		case c == '"':
			quoted = !quoted
		case quoted:
			continue
		case c == '{' || c == '[':
			depth++
			continue
		case depth == 0 && strings.IndexByte(cdxjSpace+",:}]", c) >= 0:
			return i // after a number or a word
		case c == '}' || c == ']':
			depth--
		default:
			continue
		}
		if depth == 0 && !quoted {
			return i + 1
		}
	}
	return len(s)
}

// set takes over one member of the JSON object.
func (l *CDXJLine) set(key, value string) (err error) {
	var n int64
	switch key {
	case "url":
		l.URL, err = cdxjText(value)
	case "mime":
		l.MIME, err = cdxjText(value)
	case "status":
		n, err = cdxjNumber(value, true)
		l.Status = int(min(n, 1000)) // check refuses more than 999
	case "digest":
		l.Digest, err = cdxjText(value)
	case "length":
		l.Length, err = cdxjNumber(value, false)
	case "offset":
		l.Offset, err = cdxjNumber(value, false)
	case "filename":
		l.Filename, err = cdxjText(value)
	case "recordId":
		l.RecordID, err = cdxjText(value)
	default:
		var compact bytes.Buffer
		if err = json.Compact(&compact, []byte(value)); err == nil {
			if l.Extra == nil {
				l.Extra = make(map[string]json.RawMessage)
			}
			l.Extra[key] = compact.Bytes()
		}
	}
	return err
}

// cdxjText reads a JSON string; null and "-" are "".
func cdxjText(value string) (string, error) {
	if value == "null" {
		return "", nil
	}
	s, err := cdxjString(value)
	if s == "-" {
		s = ""
	}
	return s, err
}

// cdxjString reads a JSON string that is known to be valid JSON.
func cdxjString(value string) (s string, err error) {
	if !strings.HasPrefix(value, `"`) {
		return "", errors.New("not a string")
	}
	if !strings.Contains(value, `\`) {
		return value[1 : len(value)-1], nil
	}
	err = json.Unmarshal([]byte(value), &s)
	return s, err
}

// cdxjNumber reads a whole number of decimal digits, bare or as a JSON string.
// Where it is optional, null, "" and "-" are 0.
func cdxjNumber(value string, optional bool) (int64, error) {
	if strings.HasPrefix(value, `"`) || value == "null" {
		text, err := cdxjText(value)
		if err != nil {
			return 0, err
		}
		value = text
	}
	if optional && value == "" {
		return 0, nil
	}
	n, err := strconv.ParseUint(value, 10, 63)
	if err != nil {
		return 0, fmt.Errorf("%.40q is no whole number that fits 63 bits", value)
	}
	return int64(n), nil
}

// WriteCDXJ writes lines to w in the order of an index, each ended by a line
// feed. The slice is left as it is. If a line cannot be written (MarshalCDXJ)
// nothing is.
func WriteCDXJ(w io.Writer, lines []CDXJLine) error {
	out := make([][]byte, len(lines))
	for i, l := range lines {
		b, err := MarshalCDXJ(l)
		if err != nil {
			return err
		}
		out[i] = b
	}
	slices.SortFunc(out, bytes.Compare)
	bw := bufio.NewWriterSize(w, 64<<10)
	for _, b := range out {
		// The error of a buffered write stays and is returned by Flush.
		_, _ = bw.Write(b)
		_ = bw.WriteByte('\n')
	}
	if err := bw.Flush(); err != nil {
		return fmt.Errorf("write cdxj: %w", err)
	}
	return nil
}

// ReadCDXJ yields the lines of an index in the order of r, in memory for one
// line. Header lines ("!meta …") are passed over. A line that is no index line
// is yielded as an error that names its number, and reading goes on if the
// caller does; an error of r is yielded last. Gzip is the caller's to undo. The
// order of lines is not checked.
func ReadCDXJ(r io.Reader) iter.Seq2[CDXJLine, error] {
	return func(yield func(CDXJLine, error) bool) {
		br := bufio.NewReaderSize(r, cdxjMaxLine+2)
		for n := 1; ; n++ {
			line, err := cdxjReadLine(br)
			if len(line) == 0 && errors.Is(err, io.EOF) {
				return
			}
			if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, bufio.ErrBufferFull) {
				yield(CDXJLine{}, fmt.Errorf("read cdxj: line %d: %w", n, err))
				return
			}
			if bytes.HasPrefix(line, []byte("!")) {
				continue
			}
			l, parseErr := ParseCDXJ(string(line))
			if parseErr != nil {
				parseErr = fmt.Errorf("line %d: %w", n, parseErr)
			}
			if !yield(l, parseErr) {
				return
			}
		}
	}
}

// cdxjReadLine returns the next line of br, valid until the next read. Of a
// line that does not fit it returns the beginning (which ParseCDXJ refuses by
// its length) with bufio.ErrBufferFull, and skips the rest.
func cdxjReadLine(br *bufio.Reader) ([]byte, error) {
	line, err := br.ReadSlice('\n')
	if !errors.Is(err, bufio.ErrBufferFull) {
		return line, err
	}
	line = bytes.Clone(line)
	for errors.Is(err, bufio.ErrBufferFull) {
		_, err = br.ReadSlice('\n')
	}
	if err == nil || errors.Is(err, io.EOF) {
		return line, bufio.ErrBufferFull
	}
	return line, err
}
