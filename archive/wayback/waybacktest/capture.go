package waybacktest

import (
	"cmp"
	"crypto/sha1"
	"encoding/base32"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Page is what an origin answers.
type Page struct {
	Status int         // 0 means 200
	Header http.Header // as sent; Content-Type is text/html if there is none
	// Body is the entity body as sent, in its content coding, without transfer
	// coding.
	Body []byte
	// Chunked tells that it was sent so; the replay is then, too.
	Chunked bool
}

// Capture is one capture: one of a submit ([Server.Captures]), or one of the
// past to be added ([Server.AddCapture]).
type Capture struct {
	JobID     string // empty if it is not of a submit
	URL       string
	Timestamp string // 14 digits
	Status    int    // 0 means 200
	Header    http.Header
	Body      []byte // as sent, see Page.Body
	Chunked   bool
	// Revisit makes it a row "warc/revisit" with status "-". Its replay has the
	// body of another capture with the same digest if it has none of its own.
	Revisit bool
	// Digest overrides the digest of the index ("sha-256…", "error"); otherwise
	// the SHA-1 of Body in base32.
	Digest string
	MIME   string // overrides the index' mimetype, which is Content-Type's
	Src    string // WARC file; one of a large crawl if empty
}

// capture is a capture in the store. All fields are guarded by Server.mu; the
// header and the body are never changed.
type capture struct {
	Capture
	key        string
	at         time.Time // Timestamp
	indexed    time.Time // from then on in the index; zero: always
	replayable time.Time // likewise
	gone       time.Time // from then on nowhere; zero: never
	hidden     bool      // never in the index
	lost       bool      // never anywhere
	altered    bool      // the replay has other bytes
}

// AddCapture adds captures to the history. They are visible at once. It panics
// if a timestamp has not 14 digits: a fault of the test.
func (s *Server) AddCapture(list ...Capture) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range list {
		at, err := time.Parse(stampLayout, c.Timestamp)
		if err != nil {
			panic("waybacktest: capture of " + c.URL + ": " + err.Error())
		}
		if c.Src == "" {
			c.Src = "archiveteam_urls_" + c.Timestamp + "/urls_" + c.Timestamp + ".warc.gz"
		}
		s.store(&capture{Capture: c, at: at})
	}
}

// Spoil lets captures that exist go wrong as a fault of a submit would: all the
// kinds of captures. It concerns all captures of an address if timestamp is
// empty, and returns how many.
func (s *Server) Spoil(address, timestamp string, f Fault) int {
	s.settle()
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, c := range s.captures[URLKey(address)] {
		if c.URL == address && (timestamp == "" || c.Timestamp == timestamp) {
			s.mark(c, f, time.Now())
			if c.Revisit && len(c.Body) == 0 {
				c.Body = s.bodies[c.Digest]
			}
			if s.rewrite(c, f) && f.Kind != OddDigest {
				c.Digest = digest(c.Body)
				s.bodies[c.Digest] = c.Body
			}
			n++
		}
	}
	return n
}

// store completes a capture and puts it into its place. s.mu is held.
func (s *Server) store(c *capture) {
	c.key = URLKey(c.URL)
	if c.Status == 0 {
		c.Status = http.StatusOK
	}
	c.Header = c.Header.Clone()
	if c.Header == nil {
		c.Header = http.Header{}
	}
	if c.Header.Get("Content-Type") == "" {
		c.Header.Set("Content-Type", "text/html; charset=utf-8")
	}
	sum := digest(c.Body)
	if c.Digest == "" {
		c.Digest = sum
	}
	if kept, ok := s.bodies[sum]; ok { // one copy of equal bodies
		c.Body = kept
	} else {
		s.bodies[sum] = slices.Clone(c.Body)
		c.Body = s.bodies[sum]
	}
	list := s.captures[c.key]
	i, _ := slices.BinarySearchFunc(list, c.Timestamp, func(c *capture, ts string) int {
		return cmp.Or(strings.Compare(c.Timestamp, ts), -1) // behind those of the same time
	})
	s.captures[c.key] = slices.Insert(list, i, c)
}

// digest is the base32 SHA-1 that the index shows.
func digest(body []byte) string {
	sum := sha1.Sum(body)
	return base32.StdEncoding.EncodeToString(sum[:])
}

// body returns what the replay of a capture sends. s.mu is held.
func (s *Server) body(c *capture) []byte {
	b := c.Body
	if c.Revisit && len(b) == 0 {
		b = s.bodies[strings.TrimPrefix(c.Digest, "sha1:")]
	}
	if c.altered {
		b = alterBytes(b)
	}
	return b
}

// inIndex and inReplay tell where a capture can be seen.
func (c *capture) inIndex(now time.Time) bool {
	return !c.hidden && !c.lost && !now.Before(c.indexed) && !c.isGone(now)
}

func (c *capture) inReplay(now time.Time) bool {
	return !c.lost && !now.Before(c.replayable) && !c.isGone(now)
}

func (c *capture) isGone(now time.Time) bool { return !c.gone.IsZero() && !now.Before(c.gone) }

// replays returns the captures of an address' key that can be replayed, in
// order of time. s.mu is held.
func (s *Server) replays(address string) []*capture {
	now := time.Now()
	var list []*capture
	for _, c := range s.captures[URLKey(address)] {
		if c.inReplay(now) {
			list = append(list, c)
		}
	}
	return list
}

// The fields of the index, in its order.
var indexFields = []string{"urlkey", "timestamp", "original", "mimetype", "statuscode", "digest", "length"}

// row is a line of the index.
func (c *capture) row() []string {
	mimetype, status := c.MIME, strconv.Itoa(c.Status)
	if mimetype == "" {
		mimetype, _, _ = mime.ParseMediaType(c.Header.Get("Content-Type"))
	}
	if c.Revisit {
		mimetype, status = "warc/revisit", "-"
	}
	if mimetype == "" {
		mimetype = "unk"
	}
	return []string{c.key, c.Timestamp, c.URL, mimetype, status, c.Digest, strconv.Itoa(400 + len(c.Body)/3)}
}

// stampLayout is a time with 14 digits.
const stampLayout = "20060102150405"

// stamp writes a time with 14 digits.
func stamp(t time.Time) string { return t.UTC().Format(stampLayout) }
