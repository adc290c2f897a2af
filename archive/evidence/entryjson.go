package evidence

import (
	"bytes"
	"encoding/json"
)

// marshalCanonical returns v as RFC 8785 has it, provided that the fields of its
// types stand in the order of their keys and its numbers are integers below 2^53.
// encoding/json differs from that form in two characters only: it escapes U+2028
// and U+2029.
func marshalCanonical(v any) ([]byte, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	b := bytes.TrimSuffix(buf.Bytes(), []byte("\n"))
	if !bytes.Contains(b, []byte(`\u202`)) {
		return b, nil
	}
	out := make([]byte, 0, len(b))
	for i := 0; i < len(b); i++ {
		if b[i] != '\\' {
			out = append(out, b[i])
			continue
		}
		switch {
		case bytes.HasPrefix(b[i:], []byte(`\u2028`)):
			out = append(out, "\u2028"...)
			i += 5
		case bytes.HasPrefix(b[i:], []byte(`\u2029`)):
			out = append(out, "\u2029"...)
			i += 5
		default: // an escape of two bytes, or the beginning of a longer one
			out = append(out, b[i], b[i+1])
			i++
		}
	}
	return out, nil
}
