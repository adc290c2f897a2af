package warc

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// Record ids are UUIDs, in Go values and JSON written "urn:uuid:…", in header
// fields "<urn:uuid:…>".
const uuidPrefix = "urn:uuid:"

// Look hands out the record ids of one look. They are UUIDs of version 8
// (RFC 9562, section 5.8) that share 14 random bytes and end in a 16-bit
// counter; the manifest has number 0. So ids cost little in gzip, and what
// belongs to a look is told from its ids alone.
//
// A Look is used by one goroutine at a time.
type Look struct {
	Source string // id of the source
	N      int64  // number of the look at that source

	prefix [14]byte
	next   int // counter of the next id
}

// maxIDs is the number of ids of a look, the manifest's included.
const maxIDs = 1 << 16

// ErrLookFull says that a look has no record ids left.
var ErrLookFull = errors.New("look has 65,535 records, there are no more ids")

// NewLook begins the ids of look n at a source. Random bytes are read from
// random, or from crypto/rand if it is nil; it panics if they can't be read.
func NewLook(source string, n int64, random io.Reader) *Look {
	l := &Look{Source: source, N: n, next: 1}
	readRandom(random, l.prefix[:])
	l.prefix[6] = l.prefix[6]&0x0f | 0x80 // version 8
	l.prefix[8] = l.prefix[8]&0x3f | 0x80 // variant of RFC 9562
	return l
}

// ResumeLook returns the look of a manifest id: for the manifest that is written
// after a crash. It has no other ids to give.
func ResumeLook(source string, n int64, manifestID string) (*Look, error) {
	u, err := parseUUID(manifestID)
	if err != nil {
		return nil, err
	}
	if u[14] != 0 || u[15] != 0 {
		return nil, fmt.Errorf("record id %s is not that of a manifest", manifestID)
	}
	l := &Look{Source: source, N: n, next: maxIDs}
	copy(l.prefix[:], u[:])
	return l, nil
}

// ManifestOf returns the id of the manifest of the look that the record with
// this id belongs to. It is an error if the id is not one of a look.
func ManifestOf(id string) (string, error) {
	u, err := parseUUID(id)
	if err != nil {
		return "", err
	}
	u[14], u[15] = 0, 0
	return formatUUID(u), nil
}

// ManifestID returns the id of the look's manifest.
func (l *Look) ManifestID() string { return l.id(0) }

// NextID returns an id that was not returned before. It panics when all are
// used; Records returns ErrLookFull before that.
func (l *Look) NextID() string {
	if l.next >= maxIDs {
		panic("warc: " + ErrLookFull.Error())
	}
	l.next++
	return l.id(l.next - 1)
}

func (l *Look) id(counter int) string {
	var u [16]byte
	copy(u[:], l.prefix[:])
	binary.BigEndian.PutUint16(u[14:], uint16(counter))
	return formatUUID(u)
}

// field returns the value of Fineprint-Look.
func (l *Look) field() string { return l.Source + " " + strconv.FormatInt(l.N, 10) }

// NewID returns a random record id (UUID version 4) for a record that belongs
// to no look. Random bytes come from random, or crypto/rand if it is nil; it
// panics if they can't be read.
func NewID(random io.Reader) string {
	var u [16]byte
	readRandom(random, u[:])
	u[6] = u[6]&0x0f | 0x40
	u[8] = u[8]&0x3f | 0x80
	return formatUUID(u)
}

func readRandom(random io.Reader, b []byte) {
	if random == nil {
		random = rand.Reader
	}
	if _, err := io.ReadFull(random, b); err != nil {
		panic(fmt.Sprintf("warc: no random bytes for record ids: %v", err))
	}
}

// parseUUID reads a record id of a look.
func parseUUID(id string) (u [16]byte, err error) {
	digits := strings.ReplaceAll(strings.TrimPrefix(id, uuidPrefix), "-", "")
	b, err := hex.DecodeString(digits)
	if err == nil && len(b) == len(u) {
		copy(u[:], b)
	}
	if formatUUID(u) != id || u[6]>>4 != 8 {
		return u, fmt.Errorf("record id %q is not one of a look", id)
	}
	return u, nil
}

func formatUUID(u [16]byte) string {
	b := make([]byte, 0, len(uuidPrefix)+36)
	b = append(b, uuidPrefix...)
	for i, part := range [][]byte{u[:4], u[4:6], u[6:8], u[8:10], u[10:]} {
		if i > 0 {
			b = append(b, '-')
		}
		b = hex.AppendEncode(b, part)
	}
	return string(b)
}
