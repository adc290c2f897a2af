package evidence

import (
	"encoding/base32"
	"encoding/hex"
	"strconv"
	"time"

	"github.com/fineprint-archive/fineprint/warc"
)

// appendEntry appends the canonical form (RFC 8785) of an entry that check has
// passed. It is what marshalCanonical gives, which a test holds, at a tenth of
// the time: an audit makes every entry of a log again.
func appendEntry(b []byte, e *Entry) []byte {
	w := entryWriter{b: append(b, '{')}
	w.text("bytes", string(e.Bytes))
	w.text("capture", e.Capture)
	w.text("checkpoint", e.Checkpoint)
	w.digest("checkpoint_sha256", e.CheckpointSHA256)
	w.digest("declaration_sha256", e.DeclarationSHA256)
	w.text("error", e.Error)
	if f := e.Facts; f != nil {
		w.open("facts")
		w.text("content", string(f.Content))
		w.text("index", string(f.Index))
		w.text("replay", string(f.Replay))
		w.text("text", string(f.Text))
		w.close()
	}
	w.text("final_url", e.FinalURL)
	w.int("length", e.Length)
	w.text("list", e.List)
	w.digest("list_sha256", e.ListSHA256)
	w.int("looks", e.Looks)
	if m := e.Manifest; m != nil {
		w.open("manifest")
		w.must("record", m.Record)
		w.digest("sha256", m.SHA256)
		w.close()
	}
	w.int("n", e.N)
	w.text("object", e.Object)
	w.text("observer", e.Observer)
	w.int("offset", e.Offset)
	w.text("origin", e.Origin)
	w.digest("payload_sha1", e.PayloadSHA1)
	w.digest("payload_sha256", e.PayloadSHA256)
	if p := e.Prev; p != nil {
		w.open("prev")
		w.must("manifest", p.Manifest)
		w.digest("sha256", p.SHA256)
		w.close()
	}
	w.text("reason", e.Reason)
	w.list("records", e.Records)
	w.text("result", string(e.Result))
	w.text("run", e.Run)
	if s := e.SameAs; s != nil {
		w.open("same_as")
		w.must("record", s.Record)
		w.text("warc", s.WARC)
		w.close()
	}
	w.digest("sha256", e.SHA256)
	w.int("size", e.Size)
	w.text("source", e.Source)
	w.int("status", int64(e.Status))
	if !e.Time.IsZero() {
		w.key("time")
		w.b = append(e.Time.AppendFormat(append(w.b, '"'), time.RFC3339Nano), '"')
	}
	if t := e.TLS; t != nil {
		w.open("tls")
		w.digest("anchor", t.Anchor)
		w.digest("chain", t.Chain)
		w.digest("handshake", t.Handshake)
		w.close()
	}
	w.text("tool", e.Tool)
	w.int("tree_size", e.TreeSize)
	w.must("type", string(e.Type))
	w.text("url", e.URL)
	w.key("v")
	w.b = strconv.AppendInt(w.b, int64(e.Version), 10)
	w.text("vantage", e.Vantage)
	w.text("vkey", e.VKey)
	w.text("warc", e.WARC)
	return append(w.b, '}')
}

// entryWriter appends the fields of JSON objects. Values that are zero are left
// out, but by must.
type entryWriter struct {
	b []byte
}

func (w *entryWriter) key(key string) {
	if w.b[len(w.b)-1] != '{' {
		w.b = append(w.b, ',')
	}
	w.b = append(append(append(w.b, '"'), key...), '"', ':')
}

func (w *entryWriter) open(key string) {
	w.key(key)
	w.b = append(w.b, '{')
}

func (w *entryWriter) close() { w.b = append(w.b, '}') }

func (w *entryWriter) must(key, value string) {
	w.key(key)
	w.b = appendText(w.b, value)
}

func (w *entryWriter) text(key, value string) {
	if value != "" {
		w.must(key, value)
	}
}

func (w *entryWriter) int(key string, n int64) {
	if n != 0 {
		w.key(key)
		w.b = strconv.AppendInt(w.b, n, 10)
	}
}

func (w *entryWriter) digest(key string, d warc.Digest) {
	if d.IsZero() {
		return
	}
	w.key(key)
	w.b = append(append(append(w.b, '"'), d.Algorithm...), ':')
	if d.Algorithm == warc.SHA1 {
		w.b = base32.StdEncoding.AppendEncode(w.b, []byte(d.Sum))
	} else {
		w.b = hex.AppendEncode(w.b, []byte(d.Sum))
	}
	w.b = append(w.b, '"')
}

func (w *entryWriter) list(key string, values []string) {
	if len(values) == 0 {
		return
	}
	w.key(key)
	for i, v := range values {
		w.b = append(w.b, "[,"[min(i, 1)])
		w.b = appendText(w.b, v)
	}
	w.b = append(w.b, ']')
}

// appendText appends s, which is UTF-8, as a JSON string in which only what must
// be escaped is (RFC 8785, section 3.2.2.2).
func appendText(b []byte, s string) []byte {
	b = append(b, '"')
	from := 0
	for i := range len(s) {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' {
			continue
		}
		b = append(b, s[from:i]...)
		from = i + 1
		switch c {
		case '"', '\\':
			b = append(b, '\\', c)
		case '\b':
			b = append(b, '\\', 'b')
		case '\t':
			b = append(b, '\\', 't')
		case '\n':
			b = append(b, '\\', 'n')
		case '\f':
			b = append(b, '\\', 'f')
		case '\r':
			b = append(b, '\\', 'r')
		default:
			b = append(b, '\\', 'u', '0', '0', "0123456789abcdef"[c>>4], "0123456789abcdef"[c&15])
		}
	}
	return append(append(b, s[from:]...), '"')
}
