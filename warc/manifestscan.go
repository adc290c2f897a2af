package warc

import (
	"encoding/base32"
	"encoding/hex"
	"time"
	"unicode/utf8"
)

// scanManifest reads a manifest in the one form in which it is written, key by
// key in their order: what has that form and nothing unusual need not be written
// again to see that it has. ok is false if anything is not as expected; that says
// nothing about the manifest, which parseManifest then judges.
//
// Unusual are escapes other than \" and \\, numbers that are negative or have more
// than 18 digits, and times that are not in UTC.
func scanManifest(b []byte) (m *Manifest, ok bool) {
	s := &manifestScanner{rest: b}
	m = &Manifest{}
	s.open()
	m.Version = int(s.int("v"))
	m.Type = s.text("type")
	m.Source = s.text("source")
	m.URL = s.text("url")
	m.FinalURL = s.mayText("final_url")
	m.AcceptLanguage = s.mayText("accept_language")
	m.Vantage = s.mayText("vantage")
	m.Private = s.mayTrue("private")
	m.Time = s.time("time")
	m.Ended = s.time("ended")
	m.N = s.int("n")
	m.Prev = s.prev()
	m.Result = Result(s.text("result"))
	m.Error = s.mayText("error")
	m.Detail = s.mayText("detail")
	m.Status = int(s.mayInt("status"))
	m.Bytes = BytesState(s.mayText("bytes"))
	m.SameAs = s.reference()
	m.Payload = s.payload()
	m.TLS = s.session()
	m.Robots = s.robots()
	m.Declaration = s.mayDigest("declaration_sha256")
	m.Run = s.text("run")
	m.Tool = s.text("tool")
	m.Exchanges = scanList(s, "exchanges", (*manifestScanner).exchange)
	m.Members = scanList(s, "members", (*manifestScanner).member)
	s.close()
	return m, !s.odd && len(s.rest) == 0 && m.Version == ManifestVersion && m.Type == "look"
}

func (s *manifestScanner) prev() *Prev {
	if !s.key("prev") {
		s.odd = true
		return nil
	}
	if s.literal("null") {
		return nil
	}
	s.open()
	p := &Prev{Manifest: s.text("manifest"), SHA256: s.digest("sha256")}
	s.close()
	return p
}

func (s *manifestScanner) reference() *Reference {
	if !s.key("same_as") {
		return nil
	}
	s.open()
	r := &Reference{Record: s.text("record"), URI: s.mayText("uri"), Date: s.mayTime("date"), WARC: s.mayText("warc")}
	s.close()
	return r
}

func (s *manifestScanner) payload() *Payload {
	if !s.key("payload") {
		return nil
	}
	s.open()
	p := &Payload{
		Record: s.text("record"), MIME: s.mayText("mime"), Size: s.int("size"), SHA256: s.digest("sha256"), SHA1: s.digest("sha1"),
		DecodedSize: s.mayInt("decoded_size"), DecodedSHA256: s.mayDigest("decoded_sha256"), ETag: s.mayText("etag"), LastModified: s.mayText("last_modified"),
	}
	s.close()
	return p
}

func (s *manifestScanner) session() *Session {
	if !s.key("tls") {
		return nil
	}
	s.open()
	t := &Session{
		Version: s.mayText("version"), Cipher: s.mayText("cipher"), ALPN: s.mayText("alpn"), Chain: s.digest("chain"),
		Proof: s.mayDigest("proof"), Anchor: s.mayDigest("anchor"), ProofMissing: s.mayText("proof_missing"), Error: s.mayText("error"),
	}
	s.close()
	return t
}

func (s *manifestScanner) robots() *Robots {
	if !s.key("robots") {
		return nil
	}
	s.open()
	r := &Robots{Policy: s.text("policy"), Reason: s.mayText("reason"), Verdict: s.mayText("verdict"), Rule: s.mayText("rule")}
	s.close()
	return r
}

func (s *manifestScanner) exchange() ExchangeNote {
	s.open()
	x := ExchangeNote{
		Kind: Kind(s.mayText("kind")), URI: s.mayText("uri"), Request: s.mayText("request"), Response: s.mayText("response"), Via: s.mayText("via"),
		SameAs: s.reference(), Ms: s.int("ms"), Size: s.mayInt("size"), SHA256: s.mayDigest("sha256"), Status: int(s.mayInt("status")),
		Peer: s.mayText("peer"), TLS: s.session(), Truncated: Truncation(s.mayText("truncated")), Error: s.mayText("error"), Detail: s.mayText("detail"),
	}
	s.close()
	return x
}

func (s *manifestScanner) member() Member {
	s.open()
	m := Member{Record: s.text("record"), Type: s.text("type"), SHA256: s.digest("sha256"), Offset: s.int("offset"), Length: s.int("length")}
	s.close()
	return m
}

// manifestScanner takes JSON off the front of rest. After the first thing that is
// not as expected it is odd, and what it returns means nothing. A method whose
// name begins with may returns the zero value if the key is not the next one, and
// finds a zero value odd: it would not have been written.
type manifestScanner struct {
	rest  []byte
	first bool // no key of the object was taken yet
	odd   bool
}

func (s *manifestScanner) open() {
	s.want("{")
	s.first = true
}

func (s *manifestScanner) close() {
	s.want("}")
	s.first = false
}

func (s *manifestScanner) want(text string) {
	if !s.literal(text) {
		s.odd = true
	}
}

func (s *manifestScanner) literal(text string) bool {
	if len(s.rest) < len(text) || string(s.rest[:len(text)]) != text {
		return false
	}
	s.rest = s.rest[len(text):]
	return true
}

// key takes a key with what stands around it, if it is the next one.
func (s *manifestScanner) key(key string) bool {
	at := 1 // behind the comma
	if s.first {
		at = 0
	}
	end := at + 1 + len(key) + 2
	if len(s.rest) < end || s.rest[0] != ',' && !s.first || s.rest[at] != '"' ||
		string(s.rest[at+1:end-2]) != key || s.rest[end-2] != '"' || s.rest[end-1] != ':' {
		return false
	}
	s.rest, s.first = s.rest[end:], false
	return true
}

func (s *manifestScanner) must(key string) {
	if !s.key(key) {
		s.odd = true
	}
}

// scanList takes a list of objects, which is not there if it is empty.
func scanList[T any](s *manifestScanner, key string, one func(*manifestScanner) T) []T {
	if !s.key(key) {
		return nil
	}
	s.want("[")
	list := make([]T, 0, 4)
	for !s.odd {
		list = append(list, one(s))
		if !s.literal(",") {
			break
		}
	}
	s.want("]")
	return list
}

func (s *manifestScanner) text(key string) string {
	s.must(key)
	return s.value()
}

func (s *manifestScanner) mayText(key string) string {
	if !s.key(key) {
		return ""
	}
	v := s.value()
	s.odd = s.odd || v == ""
	return v
}

// value takes a string.
func (s *manifestScanner) value() string {
	if s.odd || len(s.rest) == 0 || s.rest[0] != '"' {
		s.odd = true
		return ""
	}
	var plain []byte // of a string with escapes
	from := 1
	for i := 1; i < len(s.rest); i++ {
		switch c := s.rest[i]; {
		case c == '"':
			part := s.rest[from:i]
			s.rest = s.rest[i+1:]
			if plain == nil {
				return scannedText(part)
			}
			return string(append(plain, part...))
		case c == '\\' && i+1 < len(s.rest) && (s.rest[i+1] == '"' || s.rest[i+1] == '\\'):
			plain = append(plain, s.rest[from:i]...)
			i++
			from = i // the escaped byte
		case c >= utf8.RuneSelf:
			r, size := utf8.DecodeRune(s.rest[i:])
			if size == 1 || r == '\u2028' || r == '\u2029' { // not UTF-8, or written as an escape
				s.odd = true
				return ""
			}
			i += size - 1
		case c == '\\' || c < ' ':
			s.odd = true
			return ""
		}
	}
	s.odd = true
	return ""
}

// scannedText returns b as a string, without a copy of what is the same in most
// manifests.
func scannedText(b []byte) string {
	switch string(b) {
	case "look":
		return "look"
	case TypeRequest:
		return TypeRequest
	case TypeResponse:
		return TypeResponse
	case TypeRevisit:
		return TypeRevisit
	case TypeMetadata:
		return TypeMetadata
	case string(Captured):
		return string(Captured)
	case string(BytesSame):
		return string(BytesSame)
	}
	return string(b)
}

func (s *manifestScanner) int(key string) int64 {
	s.must(key)
	return s.number()
}

func (s *manifestScanner) mayInt(key string) int64 {
	if !s.key(key) {
		return 0
	}
	n := s.number()
	s.odd = s.odd || n == 0
	return n
}

// number takes a whole number of at most 18 digits.
func (s *manifestScanner) number() (n int64) {
	i := 0
	for i < len(s.rest) && i < 18 && '0' <= s.rest[i] && s.rest[i] <= '9' {
		n = 10*n + int64(s.rest[i]-'0')
		i++
	}
	if i == 0 || i > 1 && s.rest[0] == '0' {
		s.odd = true
	}
	s.rest = s.rest[i:] // what is left of a longer one is odd to whoever comes next
	return n
}

func (s *manifestScanner) mayTrue(key string) bool {
	if !s.key(key) {
		return false
	}
	s.want("true")
	return true
}

func (s *manifestScanner) time(key string) time.Time {
	s.must(key)
	return s.moment()
}

func (s *manifestScanner) mayTime(key string) time.Time {
	if !s.key(key) {
		return time.Time{}
	}
	t := s.moment()
	s.odd = s.odd || t.IsZero()
	return t
}

// moment takes a time in UTC.
func (s *manifestScanner) moment() (t time.Time) {
	end := 1
	for end < len(s.rest) && end < 40 && s.rest[end] != '"' {
		end++
	}
	if end >= len(s.rest) || s.rest[end] != '"' || s.rest[0] != '"' || s.rest[end-1] != 'Z' {
		s.odd = true
		return t
	}
	text := s.rest[1:end]
	s.rest = s.rest[end+1:]
	var own [40]byte
	if t.UnmarshalText(text) != nil || string(t.AppendFormat(own[:0], time.RFC3339Nano)) != string(text) {
		s.odd = true
	}
	return t
}

// digest takes a digest that is always written, "" if it is not known.
func (s *manifestScanner) digest(key string) Digest {
	s.must(key)
	if s.literal(`""`) {
		return Digest{}
	}
	return s.sum()
}

func (s *manifestScanner) mayDigest(key string) Digest {
	if !s.key(key) {
		return Digest{}
	}
	return s.sum()
}

// sum takes a digest in the form of Digest.String.
func (s *manifestScanner) sum() Digest {
	var raw [32]byte
	d := Digest{Algorithm: SHA256}
	n, text := 0, []byte(nil)
	switch {
	case s.literal(`"sha256:`) && len(s.rest) > 64:
		text, s.rest = s.rest[:64], s.rest[64:]
		for _, c := range text {
			s.odd = s.odd || 'A' <= c && c <= 'F'
		}
		n, _ = hex.Decode(raw[:], text)
		s.odd = s.odd || n != 32
	case s.literal(`"sha1:`) && len(s.rest) > 32:
		d.Algorithm = SHA1
		text, s.rest = s.rest[:32], s.rest[32:]
		n, _ = base32.StdEncoding.Decode(raw[:], text)
		s.odd = s.odd || n != 20 || text[31] == '='
	default:
		s.odd = true
	}
	s.want(`"`)
	d.Sum = string(raw[:n])
	return d
}
