package terms

import (
	"bytes"
	"fmt"
	"mime"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/html"
	"golang.org/x/net/html/charset"
	"golang.org/x/text/encoding"
)

// The character set of a body is found in the order of the HTML Standard, section
// "determining the character encoding": byte order mark, header, declaration in the
// document, then what the bytes look like. Unlike in a browser the bytes have the
// last word: a body that is UTF-8 is never read as anything else.

// prescan is how much of a document is searched for a declaration. The standard
// says 1,024 bytes, and that a parser meeting one later starts again with it.
const prescan = 32 << 10

// decoded is a body as text.
type decoded struct {
	text     []byte // UTF-8, valid, without U+0000 and byte order mark; may alias the body
	charset  string // by the names of the Encoding Standard
	problems []Problem
}

// decodeBody reads a body in its character set. Markup says that the document
// itself is searched for a declaration, as HTML and XML are.
func decodeBody(in Input, markup bool) decoded {
	body := in.Body
	if name, rest := byteOrderMark(body); name != "" {
		return readAs(rest, name)
	}
	if name := guessUTF16(body); name != "" {
		return readAs(body, name)
	}
	said := declaredCharsets(in, markup)
	if utf8.Valid(body) {
		return readUTF8(body, said)
	}
	for i, name := range said {
		if name == "utf-8" {
			continue
		}
		if d := readAs(body, name); len(d.problems) == 0 {
			if i > 0 {
				d.problems = append(d.problems, Problem{ProblemCharset, "says " + said[0] + ", is " + name})
			}
			return d
		}
	}
	return readUndeclared(in, body, said)
}

// readUTF8 reads a body that is valid UTF-8. Only two-byte character sets can yield
// such bytes by chance, in a short text.
func readUTF8(body []byte, said []string) decoded {
	if isEscaped(body) && (len(said) == 0 || said[0] == "iso-2022-jp") {
		return readAs(body, "iso-2022-jp")
	}
	d := decoded{text: withoutNUL(body), charset: "utf-8"}
	if len(said) == 0 || said[0] == "utf-8" {
		return d
	}
	n := multibyte(body, 4)
	if n == 0 {
		d.charset = said[0]
		return d
	}
	if n < 4 && isDoubleByte(said[0]) {
		if other := readAs(body, said[0]); len(other.problems) == 0 {
			return other
		}
	}
	d.problems = []Problem{{ProblemCharset, "says " + said[0] + ", is utf-8"}}
	return d
}

// readUndeclared reads a body that is not valid UTF-8 and that no declaration fits
// without broken characters.
func readUndeclared(in Input, body []byte, said []string) decoded {
	broken, high := brokenUTF8(body)
	guess := guessCharset(body, in.Language)
	if len(said) > 0 && said[0] == "utf-8" && broken*10 <= high {
		guess = "utf-8" // a few broken bytes in a text that is UTF-8 otherwise
	}
	if len(said) == 0 {
		if broken*10 <= high {
			guess = "utf-8"
		}
		return readAs(body, guess)
	}
	best := readAs(body, said[0])
	if guess == said[0] {
		return best
	}
	if other := readAs(body, guess); brokenCharacters(other.text)*2 < brokenCharacters(best.text) {
		other.problems = append([]Problem{{ProblemCharset, "says " + said[0] + ", is " + guess}}, other.problems...)
		return other
	}
	return best
}

// readAs decodes a body in the character set of that name. What is no text in it
// becomes U+FFFD and is reported.
func readAs(body []byte, name string) decoded {
	d := decoded{charset: name}
	if name == "utf-8" {
		d.text = withoutNUL(bytes.ToValidUTF8(body, []byte("\uFFFD")))
	} else {
		e, _ := charset.Lookup(name)
		if e == nil {
			e = encoding.Replacement
		}
		text, err := e.NewDecoder().Bytes(body)
		if err != nil {
			text = bytes.ToValidUTF8(body, []byte("\uFFFD"))
		}
		d.text = withoutNUL(text)
	}
	if n := brokenCharacters(d.text); n > 0 {
		d.problems = []Problem{{ProblemCharset, fmt.Sprintf("%d places are no text in %s", n, name)}}
	}
	return d
}

func brokenCharacters(text []byte) int { return bytes.Count(text, []byte("\uFFFD")) }

// withoutNUL drops U+0000, which stands in no text.
func withoutNUL(text []byte) []byte {
	if bytes.IndexByte(text, 0) < 0 {
		return text
	}
	return bytes.ReplaceAll(text, []byte{0}, nil)
}

// byteOrderMark returns the character set that a body's mark names, and the body
// behind it.
func byteOrderMark(body []byte) (name string, rest []byte) {
	switch {
	case bytes.HasPrefix(body, []byte("\xEF\xBB\xBF")):
		return "utf-8", body[3:]
	case bytes.HasPrefix(body, []byte("\xFE\xFF")):
		return "utf-16be", body[2:]
	case bytes.HasPrefix(body, []byte("\xFF\xFE")):
		return "utf-16le", body[2:]
	}
	return "", body
}

// declaredCharsets returns the character sets that the header and then the document
// name, by the names of the Encoding Standard, without those that do not exist.
func declaredCharsets(in Input, markup bool) []string {
	var said []string
	add := func(label string) {
		e, name := charset.Lookup(label)
		if e == nil || name == "replacement" || len(said) > 0 && said[0] == name {
			return
		}
		said = append(said, name)
	}
	if _, params, err := mime.ParseMediaType(in.ContentType); err == nil {
		add(params["charset"])
	} else if _, label, found := strings.Cut(strings.ToLower(in.ContentType), "charset="); found {
		add(strings.Trim(label, "\"' ;"))
	}
	if !markup {
		return said
	}
	if label := prescanCharset(in.Body[:min(len(in.Body), prescan)]); label != "" {
		// The standard: what could be read as ASCII so far is not UTF-16.
		if e, name := charset.Lookup(label); e != nil && strings.HasPrefix(name, "utf-16") {
			label = "utf-8"
		}
		add(label)
	}
	return said
}

// prescanCharset returns the label that an XML declaration or a <meta> names.
func prescanCharset(head []byte) string {
	if bytes.HasPrefix(head, []byte("<?xml")) {
		declaration, _, _ := bytes.Cut(head, []byte("?>"))
		if _, label, found := bytes.Cut(declaration, []byte("encoding=")); found && len(label) > 1 {
			label, _, _ = bytes.Cut(label[1:], label[:1])
			return string(label)
		}
	}
	z := html.NewTokenizer(bytes.NewReader(head))
	for {
		switch z.Next() {
		case html.ErrorToken:
			return ""
		case html.StartTagToken, html.SelfClosingTagToken:
			name, more := z.TagName()
			switch string(name) {
			case "body":
				return ""
			case "meta":
				if label := metaCharset(z, more); label != "" {
					return label
				}
			}
		}
	}
}

// metaCharset returns the label in the attributes of a <meta>.
func metaCharset(z *html.Tokenizer, more bool) string {
	var label, content string
	isContentType := false
	for more {
		var key, value []byte
		key, value, more = z.TagAttr()
		switch string(key) {
		case "charset":
			label = string(value)
		case "http-equiv":
			isContentType = strings.EqualFold(string(value), "content-type")
		case "content":
			content = strings.ToLower(string(value))
		}
	}
	if label != "" || !isContentType {
		return label
	}
	_, label, _ = strings.Cut(content, "charset")
	label = strings.TrimLeft(label, " \t\n\r\f=\"'")
	if i := strings.IndexAny(label, "\"'; \t\n"); i >= 0 {
		label = label[:i]
	}
	return label
}
