package anchortest

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// CalendarWork is the work that Calendar's blocks show, as the binary logarithm
// of the expected hashes. Bitcoin's show more than 2^76: verifiers have to be
// told to take less.
const CalendarWork = 8

// Calendar is an OpenTimestamps calendar with a chain of its own. The leaves of
// a block are the commitments themselves (with Bitcoin, one transaction holds
// the hash of all of them; for a verifier that is only a longer path).
//
//	POST /digest                 takes 1 to 64 bytes, answers with a pending stamp
//	GET  /timestamp/COMMITMENT   404 until the next block, then the Bitcoin stamp
//	GET  /block-height/N         id of a block, as explorers answer (Esplora)
//	GET  /block/ID/header        its header, likewise
//
// The address in pending stamps is the one by which it was called. It is an
// http.Handler, safe for concurrent use; Start puts it on loopback:
//
//	c := anchortest.NewCalendar(900_000)
//	if err := c.Start(); err != nil { … }
//	defer c.Close()
//	ots := anchor.OTSClient{HTTP: http.DefaultClient, Calendars: []string{c.URL}}
//	… ots.Stamp …
//	height, header := c.Mine()
//	… ots.Upgrade …
type Calendar struct {
	URL string           // set by Start
	Now func() time.Time // of digests and blocks; nil: time.Now; set before use

	server  *http.Server // made by Start
	stopped chan struct{}

	mu          sync.Mutex
	first       int64             // height of blocks[0]
	blocks      [][80]byte        // guarded by mu, as all below
	waiting     [][]byte          // commitments for the next block
	stamps      map[string][]byte // by commitment: its stamp in a block
	down        bool
	submissions int
}

// NewCalendar makes a calendar whose first block will have this height.
func NewCalendar(first int64) *Calendar { return &Calendar{first: first} }

// Start listens on a free port of 127.0.0.1 and sets URL. Close ends it.
func (c *Calendar) Start() error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("stand-in calendar: %w", err)
	}
	c.URL = "http://" + l.Addr().String()
	c.server = &http.Server{Handler: c, ReadHeaderTimeout: time.Minute}
	c.stopped = make(chan struct{})
	go func() {
		defer close(c.stopped)
		// It ends by Close; another end shows in the requests that fail.
		_ = c.server.Serve(l)
	}()
	return nil
}

// Close ends the server that Start began.
func (c *Calendar) Close() error {
	err := c.server.Close()
	<-c.stopped
	return err
}

// SetDown makes the calendar answer everything with 503, or stop doing so.
func (c *Calendar) SetDown(down bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.down = down
}

// Submissions tells how many digests were taken.
func (c *Calendar) Submissions() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.submissions
}

// Mine makes a block of all commitments that wait and returns its height and
// header. Without any it makes an empty block.
func (c *Calendar) Mine() (height int64, header [80]byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	height = c.first + int64(len(c.blocks))
	root, paths := merkle(c.waiting)
	if c.stamps == nil {
		c.stamps = map[string][]byte{}
	}
	for i, commitment := range c.waiting {
		c.stamps[string(commitment)] = append(paths[i], bitcoinStamp(height)...)
	}
	c.waiting = nil
	header = c.mine(root)
	c.blocks = append(c.blocks, header)
	return height, header
}

// ServeHTTP answers the calls of a calendar and of an explorer.
func (c *Calendar) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.down {
		http.Error(w, "calendar is down", http.StatusServiceUnavailable)
		return
	}
	part := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	switch {
	case r.Method == http.MethodPost && len(part) == 1 && part[0] == "digest":
		c.submit(w, r)
	case len(part) == 2 && part[0] == "timestamp":
		c.timestamp(w, part[1])
	case len(part) == 2 && part[0] == "block-height":
		c.blockID(w, part[1])
	case len(part) == 3 && part[0] == "block" && part[2] == "header":
		c.header(w, part[1])
	default:
		http.NotFound(w, r)
	}
}

func (c *Calendar) submit(w http.ResponseWriter, r *http.Request) {
	digest, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 64))
	if err != nil || len(digest) == 0 {
		http.Error(w, "a digest has 1 to 64 bytes", http.StatusBadRequest)
		return
	}
	c.submissions++
	// As real calendars do: the time, and a code that makes the commitment
	// unguessable, here derived from digest and calendar.
	at := binary.BigEndian.AppendUint32(nil, uint32(c.time().Unix()))
	code := sha256.Sum256(append([]byte(r.Host+" "), digest...))
	commitment := sha256.Sum256(append(append(bytes.Clone(at), digest...), code[:8]...))
	c.waiting = append(c.waiting, commitment[:])
	uri := "http://" + r.Host
	stamp := operation(0xf1, at)
	stamp = append(stamp, operation(0xf0, code[:8])...)
	stamp = append(stamp, 0x08)
	stamp = append(stamp, attestation("83dfe30d2ef90c8e", field([]byte(uri)))...)
	// A client that went away has no stamp, and will ask again.
	_, _ = w.Write(stamp)
}

func (c *Calendar) timestamp(w http.ResponseWriter, digits string) {
	commitment, err := hex.DecodeString(digits)
	stamp, ok := c.stamps[string(commitment)]
	if err != nil || !ok {
		http.Error(w, "Pending confirmation in Bitcoin blockchain", http.StatusNotFound)
		return
	}
	// As above.
	_, _ = w.Write(stamp)
}

func (c *Calendar) blockID(w http.ResponseWriter, digits string) {
	height, err := strconv.ParseInt(digits, 10, 64)
	if i := height - c.first; err == nil && i >= 0 && i < int64(len(c.blocks)) {
		// As above.
		_, _ = io.WriteString(w, blockID(c.blocks[i]))
		return
	}
	http.Error(w, "Block not found", http.StatusNotFound)
}

func (c *Calendar) header(w http.ResponseWriter, id string) {
	for _, b := range c.blocks {
		if blockID(b) == id {
			// As above.
			_, _ = io.WriteString(w, hex.EncodeToString(b[:]))
			return
		}
	}
	http.Error(w, "Block not found", http.StatusNotFound)
}

func (c *Calendar) time() time.Time {
	if c.Now == nil {
		return time.Now()
	}
	return c.Now()
}

// mine finds a nonce for a header over root at difficulty CalendarWork.
func (c *Calendar) mine(root [32]byte) (h [80]byte) {
	// Target 0x00ffff… with 16 significant bits, as nBits can say it.
	binary.LittleEndian.PutUint32(h[0:], 4)
	if n := len(c.blocks); n > 0 {
		copy(h[4:36], doubleHash(c.blocks[n-1][:]))
	}
	copy(h[36:68], root[:])
	binary.LittleEndian.PutUint32(h[68:], uint32(c.time().Unix()))
	binary.LittleEndian.PutUint32(h[72:], 0x2000ffff)
	target := new(big.Int).Lsh(big.NewInt(0xffff), 8*(0x20-3))
	for nonce := uint32(0); ; nonce++ {
		binary.LittleEndian.PutUint32(h[76:], nonce)
		id, _ := new(big.Int).SetString(blockID(h), 16)
		if id.Cmp(target) <= 0 {
			return h
		}
	}
}

// merkle hashes commitments pairwise (double SHA-256, an odd one doubled, as
// Bitcoin does) and gives the operations that lead from each to the root.
func merkle(leaves [][]byte) (root [32]byte, paths [][]byte) {
	if len(leaves) == 0 {
		return sha256.Sum256(nil), nil
	}
	paths = make([][]byte, len(leaves))
	level := make([][]byte, len(leaves))
	members := make([][]int, len(leaves)) // leaves under each hash of level
	for i, l := range leaves {
		level[i], members[i] = l, []int{i}
	}
	for len(level) > 1 {
		var nextLevel [][]byte
		var nextMembers [][]int
		for i := 0; i < len(level); i += 2 {
			j := min(i+1, len(level)-1)
			for _, m := range members[i] {
				paths[m] = append(append(paths[m], operation(0xf0, level[j])...), 0x08, 0x08)
			}
			under := members[i]
			if j != i {
				for _, m := range members[j] {
					paths[m] = append(append(paths[m], operation(0xf1, level[i])...), 0x08, 0x08)
				}
				under = append(under, members[j]...)
			}
			nextLevel = append(nextLevel, doubleHash(append(bytes.Clone(level[i]), level[j]...)))
			nextMembers = append(nextMembers, under)
		}
		level, members = nextLevel, nextMembers
	}
	return [32]byte(level[0]), paths
}

func doubleHash(b []byte) []byte {
	first := sha256.Sum256(b)
	second := sha256.Sum256(first[:])
	return second[:]
}

// blockID is the hash of a header in the order that explorers show.
func blockID(h [80]byte) string {
	sum := doubleHash(h[:])
	for i, j := 0, len(sum)-1; i < j; i, j = i+1, j-1 {
		sum[i], sum[j] = sum[j], sum[i]
	}
	return hex.EncodeToString(sum)
}

func bitcoinStamp(height int64) []byte {
	var n []byte
	for h := height; ; h >>= 7 {
		if h < 0x80 {
			n = append(n, byte(h))
			break
		}
		n = append(n, byte(h)|0x80)
	}
	return attestation("0588960d73d71901", n)
}

// operation writes append (0xf0) or prepend (0xf1).
func operation(tag byte, arg []byte) []byte { return append([]byte{tag}, field(arg)...) }

func attestation(kind string, payload []byte) []byte {
	b, err := hex.DecodeString(kind)
	if err != nil {
		panic(fmt.Sprintf("anchortest: kind %q: %v", kind, err))
	}
	return append(append([]byte{0}, b...), field(payload)...)
}

// field is bytes with their length, which is below 128 wherever it is used.
func field(b []byte) []byte { return append([]byte{byte(len(b))}, b...) }
