package declaration

import (
	"bytes"
	"fmt"
	"path"
	"path/filepath"
	"strings"
	"unicode/utf8"
)

// maxFile is the longest file read, in bytes.
const maxFile = 16 << 20

// Parse reads one file, whose form follows from its name. The set holds all that
// is right in it and every problem; the error joins the problems of severity
// error.
func Parse(name string, data []byte, opt Options) (*Set, error) {
	opt, err := opt.check()
	if err != nil {
		return nil, err
	}
	set := build([]*parsed{parseFile(name, data, opt)}, nil)
	return set, set.failure()
}

// check returns the options in canonical form.
func (o Options) check() (Options, error) {
	lang, err := parseLang(o.Lang)
	if err != nil {
		return o, fmt.Errorf("default language: %w", err)
	}
	o.Lang = lang
	if err := checkVantage(o.Vantage); err != nil {
		return o, err
	}
	return o, nil
}

// parseFile reads one file.
func parseFile(name string, data []byte, opt Options) *parsed {
	w := newWalker(name, len(data), opt)
	data = bytes.TrimPrefix(data, []byte("\uFEFF"))
	p := &parsed{file: name}
	base := path.Base(filepath.ToSlash(name))
	switch {
	case !utf8.ValidString(name):
		w.file = fmt.Sprintf("%q", name)
		w.fail(0, "file name is not UTF-8", "rename the file")
	case len(data) > maxFile:
		w.fail(0, fmt.Sprintf("file has more than %d MiB", maxFile>>20), "split it into several files")
	case !utf8.Valid(data):
		line, b := firstBadByte(data)
		w.fail(line, fmt.Sprintf("byte 0x%02X is not UTF-8", b), "save the file as UTF-8")
	case len(bytes.TrimSpace(data)) == 0:
		w.fail(0, "file is empty", "write the declaration or delete the file")
	case strings.HasSuffix(base, ".history.json"):
		p = parseHistory(w, strings.TrimSuffix(base, ".history.json"), data)
	case strings.HasSuffix(base, ".json"):
		p = parseOTA(w, strings.TrimSuffix(base, ".json"), data)
	case isYAML(base):
		p = parseYAML(w, data)
	default:
		w.fail(0, "file is neither YAML nor JSON by its name", "name it .yaml, .yml or .json")
	}
	p.problems = w.problems
	return p
}

func isYAML(name string) bool {
	return strings.HasSuffix(name, ".yaml") || strings.HasSuffix(name, ".yml")
}

// firstBadByte returns the line and value of the first byte that is not UTF-8.
func firstBadByte(data []byte) (int, byte) {
	for i := 0; i < len(data); {
		r, size := utf8.DecodeRune(data[i:])
		if r == utf8.RuneError && size == 1 {
			return 1 + bytes.Count(data[:i], []byte("\n")), data[i]
		}
		i += size
	}
	return 0, 0
}
