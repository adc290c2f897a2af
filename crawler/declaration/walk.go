package declaration

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// maxText is the longest single value taken, in bytes.
const maxText = 64 << 10

// walker reads one file's tree of nodes by a fixed schema, collecting problems
// instead of stopping at the first. It belongs to one goroutine.
type walker struct {
	file     string
	opt      Options
	problems []Problem
	errors   int    // how many of problems are errors
	path     []step // where the walker stands, for Problem.Field

	// visits counts nodes seen, aliases followed again each time. Without
	// aliases it cannot exceed limit, so that only expansion is bounded by it.
	visits, limit int
	exhausted     bool // too much was expanded or found wrong: nothing more is read
	guesses       int  // how many words were compared with the known ones

	css   map[string]error     // what each selector compiled to
	terms map[string]termsName // what each terms type stands for
	langs map[string]string    // canonical form of each good language tag
}

// termsName is what a terms type was found to stand for.
type termsName struct {
	name  string
	known bool
	fix   string // if it is not known
}

// The most errors that are collected from one file, and the most words of one
// file that are compared with the known ones: a large file that is something else
// entirely ends soon.
const (
	maxErrors  = 1000
	maxGuesses = 1000
)

// step is a key of a mapping or, if key is empty, an index of a list.
type step struct {
	key   string
	index int
}

func newWalker(file string, size int, opt Options) *walker {
	return &walker{
		file: file, opt: opt, limit: 2*size + 100_000,
		css: make(map[string]error), terms: make(map[string]termsName), langs: make(map[string]string),
	}
}

// field returns where the walker stands, such as "terms.Imprint[0].url".
func (w *walker) field() string {
	var b strings.Builder
	for _, s := range w.path {
		switch {
		case s.key == "":
			b.WriteString("[" + strconv.Itoa(s.index) + "]")
		case b.Len() > 0:
			b.WriteString("." + s.key)
		default:
			b.WriteString(s.key)
		}
	}
	return b.String()
}

func (w *walker) push(s step) { w.path = append(w.path, s) }
func (w *walker) pop()        { w.path = w.path[:len(w.path)-1] }

// fail reports an error at a line, warn a warning.
func (w *walker) fail(line int, message, fix string) {
	w.errors++
	w.report(Problem{Line: line, Severity: SeverityError, Message: message, Fix: fix})
	if w.errors == maxErrors {
		w.exhausted = true
		w.report(Problem{
			Line: line, Severity: SeverityError,
			Message: fmt.Sprintf("the rest of the file was not read after %d errors", maxErrors), Fix: "correct these first",
		})
	}
}

func (w *walker) warn(line int, message, fix string) {
	w.report(Problem{Line: line, Severity: SeverityWarning, Message: message, Fix: fix})
}

// report adds a problem of this file and, unless it names one, this field.
func (w *walker) report(p Problem) {
	p.File = w.file
	if p.Field == "" {
		p.Field = w.field()
	}
	w.problems = append(w.problems, p)
}

// follow returns the node an alias stands for, nil once too many were followed.
func (w *walker) follow(n *yaml.Node) *yaml.Node {
	if n == nil || w.exhausted {
		return nil
	}
	w.visits++
	if w.visits > w.limit {
		w.exhausted = true
		w.fail(n.Line, "aliases expand to too much", "write the repeated parts out, or use fewer aliases")
		return nil
	}
	if n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

// text returns a string node's value. It reports anything else, as well as an
// empty or overlong value and control characters.
func (w *walker) text(n *yaml.Node) (string, bool) {
	n = w.follow(n)
	switch {
	case n == nil:
		return "", false
	case n.Kind != yaml.ScalarNode || n.Tag != "!!str":
		fix := "write text"
		if n.Kind == yaml.ScalarNode && n.Tag != "!!null" {
			fix = fmt.Sprintf("put it in quotes: %q", n.Value)
		}
		w.fail(n.Line, "want text, got "+describe(n), fix)
		return "", false
	case len(n.Value) > maxText:
		w.fail(n.Line, fmt.Sprintf("value of %d bytes is longer than %d", len(n.Value), maxText), "shorten it")
		return "", false
	}
	s := strings.TrimSpace(n.Value)
	if s == "" {
		w.fail(n.Line, "value is empty", "fill it in or leave the key out")
		return "", false
	}
	if r, bad := badRune(s); bad {
		w.fail(n.Line, fmt.Sprintf("value %q has the character %U", s, r), "remove it")
		return "", false
	}
	return s, true
}

// badRune returns the first character that no value may hold: controls, which
// neither PostgreSQL (U+0000) nor a line of output can bear, and U+FFFD, the
// trace of a broken encoding.
func badRune(s string) (rune, bool) {
	for _, r := range s {
		if r < ' ' || r >= 0x7f && r < 0xa0 || r == utf8.RuneError || r == '\u2028' || r == '\u2029' {
			return r, true
		}
	}
	return 0, false
}

// flag returns a true or false node's value.
func (w *walker) flag(n *yaml.Node) (bool, bool) {
	n = w.follow(n)
	if n == nil {
		return false, false
	}
	if n.Kind == yaml.ScalarNode && n.Tag == "!!bool" {
		v, err := strconv.ParseBool(strings.ToLower(n.Value))
		if err == nil {
			return v, true
		}
	}
	w.fail(n.Line, "want true or false, got "+describe(n), "write true or false without quotes")
	return false, false
}

// list calls each for every item of a list.
func (w *walker) list(n *yaml.Node, each func(*yaml.Node)) {
	for i, item := range n.Content {
		if w.exhausted {
			return
		}
		w.push(step{index: i})
		each(item)
		w.pop()
	}
}

// mapping calls each for every key of a mapping, standing on it. It reports
// other kinds of nodes, keys that are no text, keys given twice and, unless
// known is nil, keys that are not known.
func (w *walker) mapping(n *yaml.Node, known []string, each func(key string, line int, value *yaml.Node)) bool {
	n = w.follow(n)
	if n == nil {
		return false
	}
	if n.Kind != yaml.MappingNode {
		w.fail(n.Line, "want a mapping, got "+describe(n), mappingFix(known))
		return false
	}
	var seen map[string]int
	if len(n.Content) > 32 {
		seen = make(map[string]int, len(n.Content)/2)
	}
	for i := 0; i+1 < len(n.Content) && !w.exhausted; i += 2 {
		key, ok := w.key(n.Content[i])
		if !ok {
			continue
		}
		line := n.Content[i].Line
		if first := earlier(n, i, key, seen); first > 0 {
			w.push(step{key: key})
			w.fail(line, fmt.Sprintf("key given twice, first at line %d", first), "keep one of them")
			w.pop()
			continue
		}
		w.push(step{key: key})
		if known == nil || slices.Contains(known, key) {
			each(key, line, n.Content[i+1])
		} else {
			w.unknownKey(key, line, known)
		}
		w.pop()
	}
	return true
}

// earlier returns the line where the key at index i stood before, 0 if it did
// not. A small mapping is searched, a large one remembered in seen.
func earlier(n *yaml.Node, i int, key string, seen map[string]int) int {
	if seen != nil {
		line := seen[key]
		if line == 0 {
			seen[key] = n.Content[i].Line
		}
		return line
	}
	for j := 0; j < i; j += 2 {
		k := n.Content[j]
		if k.Kind == yaml.AliasNode {
			k = k.Alias
		}
		if strings.TrimSpace(k.Value) == key {
			return n.Content[j].Line
		}
	}
	return 0
}

// key returns the text of a mapping's key.
func (w *walker) key(n *yaml.Node) (string, bool) {
	if n.Kind == yaml.ScalarNode && n.Tag == "!!merge" {
		w.fail(n.Line, "merge keys (<<) are not read", "write the keys out")
		return "", false
	}
	return w.text(n)
}

func (w *walker) unknownKey(key string, line int, known []string) {
	fix := "use one of " + strings.Join(known, ", ")
	if k := w.guess(key, known); k != "" {
		fix = fmt.Sprintf("did you mean %q?", k)
	}
	w.fail(line, "unknown key", fix)
}

// guess returns the known word that was probably meant, "" without one.
func (w *walker) guess(word string, known []string) string {
	w.guesses++
	if w.guesses > maxGuesses {
		return ""
	}
	return nearest(word, known)
}

func mappingFix(known []string) string {
	if known == nil {
		return "write keys and values, or {} for none"
	}
	return "write keys and values, such as " + known[0] + ": …"
}

// describe names what a node is, for messages.
func describe(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	case yaml.AliasNode:
		return "an alias"
	}
	switch n.Tag {
	case "!!null":
		return "nothing"
	case "!!bool":
		return "a truth value"
	case "!!int", "!!float":
		return "a number"
	case "!!timestamp":
		return "a date"
	case "!!str":
		return "text"
	case "!!binary":
		return "binary data"
	}
	return fmt.Sprintf("a value tagged %q", n.Tag)
}
