package archive

import (
	"bytes"
	"encoding/hex"
	"strconv"
	"time"

	"github.com/fineprint-archive/fineprint/archive/evidence"
	"github.com/fineprint-archive/fineprint/warc"
)

// scanLook reads from the leaf of a look what an audit needs, without the care
// of evidence.ParseEntry: the leaf is compared with the bytes that the manifest
// gives, which holds its form in full. ok is false if the leaf is of another
// type, or anything about it is unusual; then ParseEntry judges it.
func scanLook(leaf []byte, e *evidence.Entry) (ok bool) {
	s := leafScanner{rest: leaf}
	looks, manifest := false, evidence.Record{}
	for key := range s.fields {
		switch string(key) {
		case "error":
			e.Error = s.text()
		case "length":
			e.Length = s.number()
		case "manifest":
			inner := s.object()
			for key := range inner.fields {
				switch string(key) {
				case "record":
					manifest.Record = inner.text()
				case "sha256":
					manifest.SHA256 = inner.digest()
				}
			}
			s.odd = s.odd || inner.odd
		case "n":
			e.N = s.number()
		case "offset":
			e.Offset = s.number()
		case "prev":
			inner := s.object()
			e.Prev = &warc.Prev{}
			for key := range inner.fields {
				switch string(key) {
				case "manifest":
					e.Prev.Manifest = inner.text()
				case "sha256":
					e.Prev.SHA256 = inner.digest()
				}
			}
			s.odd = s.odd || inner.odd
		case "result":
			e.Result = warc.Result(s.text())
		case "source":
			e.Source = s.text()
		case "status":
			e.Status = int(s.number())
		case "time":
			var err error
			e.Time, err = time.Parse(time.RFC3339Nano, s.text())
			s.odd = s.odd || err != nil
		case "type":
			looks = s.text() == string(evidence.TypeLook)
		case "v":
			s.odd = s.odd || s.number() != evidence.EntryVersion
		case "warc":
			e.WARC = s.text()
		}
	}
	e.Type, e.Version, e.Manifest = evidence.TypeLook, evidence.EntryVersion, &manifest
	return !s.odd && looks && len(s.rest) == 0 && e.N > 0 && e.Source != "" && e.WARC != "" && manifest.Record != "" && !e.IsPrivate() && !manifest.SHA256.IsZero()
}

// leafScanner walks a JSON object without white space.
type leafScanner struct {
	rest  []byte
	value []byte // of the field at hand
	odd   bool   // it is not what an entry looks like
}

// fields yields the keys; the value of each is in value.
func (s *leafScanner) fields(yield func([]byte) bool) {
	if len(s.rest) < 2 || s.rest[0] != '{' {
		s.odd = true
		return
	}
	for s.rest[0] != '}' {
		s.rest = s.rest[1:] // "{" or ","
		key := s.cut()
		if s.odd || len(key) < 2 || key[0] != '"' || len(s.rest) == 0 || s.rest[0] != ':' {
			s.odd = true
			return
		}
		s.rest = s.rest[1:]
		s.value = s.cut()
		if s.odd || len(s.rest) == 0 || s.rest[0] != ',' && s.rest[0] != '}' {
			s.odd = true
			return
		}
		if !yield(key[1 : len(key)-1]) {
			return
		}
	}
	s.rest = s.rest[1:]
}

// cut takes one value off the rest: a string, a number, or an object or list
// with all that is in it.
func (s *leafScanner) cut() []byte {
	depth := 0
	for i := 0; i < len(s.rest); i++ {
		switch c := s.rest[i]; {
		case c == '"':
			end := stringEnd(s.rest[i:])
			if end < 0 {
				s.odd = true
				return nil
			}
			i += end
			if depth == 0 {
				return s.take(i + 1)
			}
		case c == '{' || c == '[':
			depth++
		case (c == '}' || c == ']') && depth > 1:
			depth--
		case (c == '}' || c == ']') && depth == 1:
			return s.take(i + 1)
		case depth == 0 && (c == ',' || c == '}' || c == ':'):
			return s.take(i)
		}
	}
	s.odd = true
	return nil
}

func (s *leafScanner) take(n int) []byte {
	v := s.rest[:n]
	s.rest = s.rest[n:]
	return v
}

// stringEnd returns the index of the quote that ends a string, -1 if none does.
func stringEnd(b []byte) int {
	for i := 1; i < len(b); i++ {
		switch b[i] {
		case '\\':
			i++
		case '"':
			return i
		}
	}
	return -1
}

// text returns a string that has no escapes; one that has is odd here.
func (s *leafScanner) text() string {
	v := s.value
	if len(v) < 2 || v[0] != '"' || bytes.IndexByte(v, '\\') >= 0 {
		s.odd = true
		return ""
	}
	return string(v[1 : len(v)-1])
}

func (s *leafScanner) number() int64 {
	n, err := strconv.ParseInt(string(s.value), 10, 64)
	s.odd = s.odd || err != nil
	return n
}

func (s *leafScanner) digest() warc.Digest {
	v := bytes.TrimPrefix(s.value, []byte(`"sha256:`))
	var sum [32]byte
	if len(v) != 65 || len(v) == len(s.value) || v[64] != '"' {
		s.odd = true
		return warc.Digest{}
	}
	if _, err := hex.Decode(sum[:], v[:64]); err != nil {
		s.odd = true
		return warc.Digest{}
	}
	return warc.Digest{Algorithm: warc.SHA256, Sum: string(sum[:])}
}

func (s *leafScanner) object() leafScanner { return leafScanner{rest: s.value} }
