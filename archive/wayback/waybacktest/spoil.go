package waybacktest

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// mark applies the faults that concern where a capture can be seen. from is the
// moment from which a delay counts. s.mu is held.
func (s *Server) mark(c *capture, f Fault, from time.Time) {
	switch f.Kind {
	case NotIndexed:
		c.hidden = f.Delay == 0
		c.indexed = c.indexed.Add(s.scaled(f.Delay))
	case NotKept:
		c.lost = true
	case Vanished:
		c.gone = from.Add(s.scaled(f.Delay))
	case AlteredBytes:
		c.altered = true
	}
}

// rewrite applies the faults that concern what a capture holds. The digest is
// that of the new body. s.mu is held. false if
// the fault is of another kind.
func (s *Server) rewrite(c *capture, f Fault) bool {
	s.serial++
	switch f.Kind {
	case AlteredWords:
		if f.Body != "" {
			c.recode(func([]byte) []byte { return []byte(f.Body) })
			return true
		}
		c.recode(func(b []byte) []byte {
			return insert(b, "</p>", "\n<p>Other words stand here: we may change these terms at any time and without telling you.</p>\n")
		})
	case AlteredNonce:
		nonce := fmt.Sprintf("%x", s.serial*7919)
		c.recode(func(b []byte) []byte {
			return append(bytes.Clone(b), "\n<!-- nonce "+nonce+" --><script nonce=\""+nonce+"\"></script>\n"...)
		})
	case BlockPage:
		c.Status, c.Chunked = http.StatusOK, false
		if f.Status != 0 {
			c.Status = f.Status
		}
		c.Header = http.Header{"Content-Type": {"text/html; charset=utf-8"}, "Server": {"cloudflare"}}
		c.Body = []byte("<!DOCTYPE html><html><head><title>Just a moment...</title></head><body><h1>Checking your browser</h1>" +
			"<p>Please enable JavaScript and cookies to continue. Verify that you are human.</p></body></html>")
		if f.Body != "" {
			c.Body = []byte(f.Body)
		}
	case OddDigest:
		c.Digest = "error"
		if f.Body != "" {
			c.Digest = f.Body
		}
	default:
		return false
	}
	return true
}

// recode changes a body under its content coding.
func (c *capture) recode(change func([]byte) []byte) {
	if !strings.EqualFold(c.Header.Get("Content-Encoding"), "gzip") {
		c.Body = change(c.Body)
	} else {
		c.Body = zip(change(unzip(c.Body)))
	}
	if c.Header.Get("Content-Length") != "" {
		c.Header = c.Header.Clone()
		c.Header.Set("Content-Length", strconv.Itoa(len(c.Body)))
	}
}

// insert puts text behind the middle one of the marks in b; at the end if there
// is none.
func insert(b []byte, mark, text string) []byte {
	n := bytes.Count(b, []byte(mark))
	if n == 0 {
		return append(bytes.Clone(b), text...)
	}
	at := 0
	for range (n + 1) / 2 {
		at += bytes.Index(b[at:], []byte(mark)) + len(mark)
	}
	return append(append(bytes.Clone(b[:at]), text...), b[at:]...)
}

// alterBytes changes one byte in the middle of a body, or adds one to an empty
// body.
func alterBytes(b []byte) []byte {
	if len(b) == 0 {
		return []byte{'x'}
	}
	b = bytes.Clone(b)
	b[len(b)/2] ^= 1
	return b
}

// zippers lends gzip.Writer values, of about a megabyte each.
var zippers = sync.Pool{New: func() any { return gzip.NewWriter(nil) }}

// zip and unzip are the content coding gzip; unzip returns what can be read.
func zip(b []byte) []byte {
	var out bytes.Buffer
	w := zippers.Get().(*gzip.Writer)
	defer zippers.Put(w)
	w.Reset(&out)
	w.Write(b) // a Buffer has no errors
	w.Close()
	return out.Bytes()
}

func unzip(b []byte) []byte {
	r, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		return b
	}
	plain, _ := io.ReadAll(r)
	return plain
}

// screenshotURL is where the picture of a page is.
func screenshotURL(address string) string { return "http://web.archive.org/screenshot/" + address }

// picture is a PNG of one white dot.
func picture() []byte {
	b, _ := base64.StdEncoding.DecodeString( // a constant
		"iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8/5+hHgAHggJ/PchI7wAAAABJRU5ErkJggg==")
	return b
}
