package archive

import (
	"container/heap"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"path"
	"strings"
	"time"

	"github.com/fineprint-archive/fineprint/archive/store"
)

// auditWARC is what is known of one WARC.
type auditWARC struct {
	key      string
	listed   bool
	size     int64 // of the object
	modified time.Time

	file        int64 // index of its newest warcfile entry, -1 if there is none
	want        warcClaim
	files       int   // its warcfile entries
	first, last int64 // range of the indexes of its looks; first -1: none
	rows        rowSum
	state       warcVerdict
}

// warcClaim is what a warcfile entry says of its object.
type warcClaim struct {
	size, looks int64
	sha256      [sha256.Size]byte
}

// warcVerdict says what came of reading a WARC.
type warcVerdict byte

const (
	warcNotRead warcVerdict = iota
	warcGood
	warcAgain // not what the entry says: it is read again when the whole log is known
	warcBad
)

// Sample says how many WARCs are read. The zero value means all.
type Sample struct {
	WARCs   int64   // that many, chosen by chance
	Percent float64 // or each with this chance, 0 < Percent <= 100
	Seed    uint64  // of the choice; 0: a new one, which the report tells
}

// chooser tells which WARCs are read, by their keys.
type chooser struct {
	seed  uint64
	limit uint64 // of the rank, inclusive
}

// rank is a number that the seed gives to a key.
func (c chooser) rank(key string) uint64 {
	sum := sha256.Sum256(binary.BigEndian.AppendUint64([]byte(key+"\n"), c.seed))
	return binary.BigEndian.Uint64(sum[:])
}

func (c chooser) takes(key string) bool { return c.rank(key) <= c.limit }

// choose makes the chooser of a sample: of a number it takes the lowest ranks.
func (a *auditor) choose() {
	s := a.cfg.Sample
	a.chosen = chooser{seed: a.report.Seed, limit: ^uint64(0)}
	switch {
	case s.WARCs > 0 && s.WARCs < int64(len(a.warcs)):
		lowest := &ranks{}
		for key := range a.warcs {
			if r := a.chosen.rank(key); int64(len(*lowest)) < s.WARCs {
				heap.Push(lowest, r)
			} else if r < (*lowest)[0] {
				(*lowest)[0] = r
				heap.Fix(lowest, 0)
			}
		}
		a.chosen.limit = (*lowest)[0]
	case s.Percent > 0 && s.Percent < 100:
		a.chosen.limit = uint64(s.Percent / 100 * (1 << 63) * 2)
	}
}

// ranks is a heap with the greatest rank first.
type ranks []uint64

func (r ranks) Len() int           { return len(r) }
func (r ranks) Less(i, j int) bool { return r[i] > r[j] }
func (r ranks) Swap(i, j int)      { r[i], r[j] = r[j], r[i] }
func (r *ranks) Push(x any)        { *r = append(*r, x.(uint64)) }
func (r *ranks) Pop() any {
	last := (*r)[len(*r)-1]
	*r = (*r)[:len(*r)-1]
	return last
}

// maxStrays bounds the strays that are named one by one.
const maxStrays = 1000

// list reads the names of all objects. What is stored meanwhile is met by the
// log, which is read after it.
func (a *auditor) list(ctx context.Context) error {
	for info, err := range a.cfg.Store.List(ctx, "", "") {
		if err != nil {
			return fmt.Errorf("list objects: %w", err)
		}
		a.listed(info)
	}
	a.choose()
	a.report.WARCs = int64(len(a.warcs))
	return nil
}

func (a *auditor) listed(info store.Info) {
	key := info.Key
	folder, _, _ := strings.Cut(key, "/")
	switch {
	case folder == "warc" && strings.HasSuffix(key, ".warc.gz"):
		w := a.warc(key)
		w.listed, w.size, w.modified = true, info.Size, info.Modified
	case folder == "warc" && strings.HasSuffix(key, ".cdxj"):
		a.sidecars[key] = true
	case folder == "anchors":
		if strings.HasSuffix(key, ".list") {
			a.lists = append(a.lists, key)
		}
	case key == formatKey, folder == "log", folder == "pending", folder == "pending-anchors", folder == "selftest", folder == "receipts":
	default:
		if len(a.strays) < maxStrays {
			a.strays = append(a.strays, key)
		}
	}
}

// warc returns the WARC of a key, new if it was not met before.
func (a *auditor) warc(key string) *auditWARC {
	w := a.warcs[key]
	if w == nil {
		w = &auditWARC{key: key, file: -1, first: -1, last: -1}
		a.warcs[key] = w
	}
	return w
}

// exists asks for a WARC that was not listed: it may have been stored since.
func (a *auditor) exists(ctx context.Context, w *auditWARC) (bool, error) {
	if w.listed {
		return true, nil
	}
	info, err := a.cfg.Store.Stat(ctx, w.key)
	if errors.Is(err, store.ErrNotExist) || errors.Is(err, store.ErrKey) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	w.listed, w.size, w.modified = true, info.Size, info.Modified
	a.sidecars[sidecarKey(w.key)] = true // asked for when it is compared
	return true, nil
}

// leftovers names what belongs to nothing, and what waits to be finished.
func (a *auditor) leftovers(ctx context.Context) error {
	pending := map[string]bool{}
	for info, err := range a.cfg.Store.List(ctx, pendingPrefix, "") {
		if err != nil {
			return fmt.Errorf("list pending objects: %w", err)
		}
		pending[strings.TrimSuffix(strings.TrimPrefix(info.Key, pendingPrefix), ".jsonl")] = true
		a.find(AuditFinding{Kind: AuditPending, Object: info.Key, Index: -1,
			Detail: "a seal did not come to its end; if no crawl runs now, `fineprint seal` finishes it"})
	}
	for _, key := range a.strays {
		a.find(AuditFinding{Kind: AuditStray, Object: key, Index: -1, Detail: "no part of an archive has such a name"})
	}
	for _, key := range sortedKeys(a.sidecars) {
		if w := a.warcs[strings.TrimSuffix(key, ".cdxj")+".warc.gz"]; w == nil || !w.listed && w.file < 0 {
			a.find(AuditFinding{Kind: AuditStray, Object: key, Index: -1, Detail: "it is the index of a WARC that is not there"})
		}
	}
	if a.log == nil {
		return nil // then no WARC has an entry
	}
	for _, key := range sortedKeys(a.warcs) {
		w := a.warcs[key]
		if w.file >= 0 || pending[path.Base(key)] {
			continue
		}
		a.unlogged(w)
	}
	return nil
}

// unlogged names a WARC without a warcfile entry.
func (a *auditor) unlogged(w *auditWARC) {
	f := AuditFinding{Kind: AuditUnlogged, Object: w.key, Index: w.first, Detail: "the log has no entry of it"}
	if w.first >= 0 {
		f.Detail = "the log has entries of looks in it and none of the WARC itself"
	}
	if a.gaps > 0 {
		f.Kind = AuditUnreadable
		f.Detail += " that can be read"
	}
	a.find(f)
}
