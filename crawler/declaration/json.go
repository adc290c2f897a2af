package declaration

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"
)

// maxDepth is how deep a JSON file may nest; a declaration nests seven deep.
const maxDepth = 64

// jsonTree reads JSON into nodes with lines, so that both forms are walked alike.
// On error it returns the line too.
func jsonTree(data []byte) (*yaml.Node, int, error) {
	var whole json.RawMessage
	if err := json.Unmarshal(data, &whole); err != nil {
		at := int64(len(data))
		if e, ok := errors.AsType[*json.SyntaxError](err); ok {
			at = min(e.Offset, at)
		}
		return nil, 1 + bytes.Count(data[:at], []byte("\n")), fmt.Errorf("not JSON: %w", err)
	}
	j := &jsonReader{data: data, dec: json.NewDecoder(bytes.NewReader(data)), line: 1}
	j.dec.UseNumber()
	n, err := j.value(0)
	return n, j.line, err
}

// jsonReader turns the tokens of a valid JSON text into nodes.
type jsonReader struct {
	data []byte
	dec  *json.Decoder
	line int // of the last token
	at   int // its end
}

func (j *jsonReader) token() (json.Token, error) {
	t, err := j.dec.Token()
	end := int(j.dec.InputOffset())
	j.line += bytes.Count(j.data[j.at:end], []byte("\n"))
	j.at = end
	return t, err
}

// value reads the next value.
func (j *jsonReader) value(depth int) (*yaml.Node, error) {
	t, err := j.token()
	if err != nil {
		return nil, err
	}
	return j.node(t, depth)
}

// node returns the value that begins with a token.
func (j *jsonReader) node(t json.Token, depth int) (*yaml.Node, error) {
	n := &yaml.Node{Kind: yaml.ScalarNode, Line: j.line}
	switch v := t.(type) {
	case string:
		n.Tag, n.Value = "!!str", v
	case json.Number:
		n.Tag, n.Value = "!!float", v.String()
		if !strings.ContainsAny(n.Value, ".eE") {
			n.Tag = "!!int"
		}
	case bool:
		n.Tag, n.Value = "!!bool", fmt.Sprint(v)
	case nil:
		n.Tag, n.Value = "!!null", "null"
	case json.Delim:
		n.Kind, n.Tag = yaml.SequenceNode, "!!seq"
		if v == '{' {
			n.Kind, n.Tag = yaml.MappingNode, "!!map"
		}
		return n, j.inside(n, depth+1)
	}
	return n, nil
}

// inside reads what stands between two brackets.
func (j *jsonReader) inside(n *yaml.Node, depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("nested more than %d deep", maxDepth)
	}
	for {
		t, err := j.token()
		if err != nil {
			return err
		}
		if d, ok := t.(json.Delim); ok && (d == '}' || d == ']') {
			return nil
		}
		child, err := j.node(t, depth)
		if err != nil {
			return err
		}
		n.Content = append(n.Content, child)
	}
}
