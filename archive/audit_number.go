package archive

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"

	"github.com/fineprint-archive/fineprint/archive/evidence"
	"github.com/fineprint-archive/fineprint/warc"
)

// numbering checks that the looks at each source have the numbers 1, 2, 3, …,
// each once, and that each names the look before it. Entries may come in another
// order than their numbers: a spool that was away, or a loss that was declared,
// is entered late. It takes about 120 bytes for each source.
type numbering struct {
	find    func(AuditFinding)
	sources map[string]*numbers
}

// numbers is where the looks at one source stand.
type numbers struct {
	n      int64        // all up to here were met
	last   manifestMark // of the newest look up to n that is not lost
	whole  manifestMark // of the newest one that was not interrupted
	known  bool         // last and whole are: no look of the log is missing before
	later  []numbered   // beyond n, by number
	absent []span       // numbers up to n that were given up as missing
}

// manifestMark stands for the id and the digest of a manifest. The zero value is
// no manifest.
type manifestMark [16]byte

// span is a range of numbers, both ends included.
type span struct{ from, to int64 }

// numbered is what an entry says about numbers.
type numbered struct {
	source      string
	n           int64
	index       int64
	lost        bool
	interrupted bool
	manifest    manifestMark
	prev        manifestMark
	prevID      string
}

// maxLater bounds the looks of one source that wait for an earlier one.
const maxLater = 256

func newNumbering(find func(AuditFinding)) *numbering {
	return &numbering{find: find, sources: map[string]*numbers{}}
}

// numberedLook reads the entry of a look.
func numberedLook(index int64, e *evidence.Entry) numbered {
	l := numbered{source: e.Source, n: e.N, index: index, manifest: markOf(e.Manifest.Record, e.Manifest.SHA256), interrupted: e.Error == interruptedCode}
	if e.Prev != nil {
		l.prev, l.prevID = markOf(e.Prev.Manifest, e.Prev.SHA256), e.Prev.Manifest
	}
	return l
}

// interruptedCode is the error of a look that was found half written.
const interruptedCode = "interrupted"

func markOf(id string, d warc.Digest) (m manifestMark) {
	sum := sha256.Sum256([]byte(d.Sum + id))
	copy(m[:], sum[:])
	return m
}

func (s *numbering) add(l numbered) {
	at := s.sources[l.source]
	if at == nil {
		at = &numbers{known: true}
		s.sources[strings.Clone(l.source)] = at
	}
	switch {
	case l.n <= at.n:
		s.old(at, l)
		return
	case l.n == at.n+1:
		s.next(at, l)
		for len(at.later) > 0 && at.later[0].n == at.n+1 {
			s.next(at, at.later[0])
			at.later = at.later[1:]
		}
		return
	}
	i, twice := slices.BinarySearchFunc(at.later, l.n, func(have numbered, n int64) int { return cmp.Compare(have.n, n) })
	if twice {
		s.twice(l)
		return
	}
	at.later = slices.Insert(at.later, i, l)
	if len(at.later) > maxLater {
		s.skip(at)
	}
}

// next takes the look behind the newest.
func (s *numbering) next(at *numbers, l numbered) {
	at.n = l.n
	if l.lost {
		at.known = false // the next may name its manifest, which is gone with it
		return
	}
	if at.known && l.prev != at.last && l.prev != at.whole {
		s.find(AuditFinding{Kind: AuditNumber, Index: l.index, Source: l.source, N: l.n, Detail: "it does not name the look before it: " + nameOf(l)})
	}
	at.last, at.known = l.manifest, true
	if !l.interrupted {
		at.whole = l.manifest
	}
}

func nameOf(l numbered) string {
	if l.prevID == "" {
		return "it says that there was none"
	}
	return "it names manifest " + l.prevID
}

// old takes a look whose number was passed: it was given up, or stands twice.
func (s *numbering) old(at *numbers, l numbered) {
	for i, gap := range at.absent {
		if l.n < gap.from || l.n > gap.to {
			continue
		}
		rest := make([]span, 0, 2)
		if gap.from < l.n {
			rest = append(rest, span{gap.from, l.n - 1})
		}
		if l.n < gap.to {
			rest = append(rest, span{l.n + 1, gap.to})
		}
		at.absent = slices.Replace(at.absent, i, i+1, rest...)
		return
	}
	s.twice(l)
}

func (s *numbering) twice(l numbered) {
	s.find(AuditFinding{Kind: AuditNumber, Index: l.index, Source: l.source, N: l.n, Detail: "another entry has this number at this source"})
}

// skip gives up the numbers before the first look that waits, and goes on from
// there.
func (s *numbering) skip(at *numbers) {
	at.absent = append(at.absent, span{at.n + 1, at.later[0].n - 1})
	at.n, at.known = at.later[0].n-1, false
	for len(at.later) > 0 && at.later[0].n == at.n+1 {
		s.next(at, at.later[0])
		at.later = at.later[1:]
	}
}

// end names the numbers that no entry has. Where entries cannot be read, these
// may be among them.
func (s *numbering) end(gaps bool) {
	for _, source := range sortedKeys(s.sources) {
		at := s.sources[source]
		for len(at.later) > 0 {
			s.skip(at)
		}
		for _, gap := range at.absent {
			f := AuditFinding{Kind: AuditNumber, Index: -1, Source: source, N: gap.from}
			f.Detail = fmt.Sprintf("the log has no look number %d of it", gap.from)
			if gap.to > gap.from {
				f.Detail = fmt.Sprintf("the log has no looks number %d to %d of it", gap.from, gap.to)
			}
			if gaps {
				f.Kind = AuditUnreadable
				f.Detail += " that can be read"
			}
			s.find(f)
		}
	}
}
