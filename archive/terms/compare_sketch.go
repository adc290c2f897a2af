package terms

import (
	"slices"
	"sort"
	"unicode/utf8"

	"github.com/clipperhouse/uax29/v2/words"
)

// sketches tell how alike two blocks are. The sketch of a block is the set of its
// words and of its pairs of neighbouring words (shingles), hashed; of writing
// without spaces between words the pairs alone, since single characters say little.
type sketches struct {
	hashes []uint32 // of all blocks, sorted within each
	at     []int32  // where those of a block begin; one more than there are blocks
	words  []int32  // how many words a block has
}

// maxSketch bounds the hashes of one block: of a longer one the lowest are kept,
// which for two alike blocks are mostly the same ones.
const maxSketch = 4096

// sketch makes those of the blocks that are wanted; the others' are empty.
func sketch(blocks []Block, wanted func(i int) bool) *sketches {
	s := &sketches{at: make([]int32, len(blocks)+1), words: make([]int32, len(blocks))}
	var set []uint32
	for i := range blocks {
		if wanted(i) {
			set, s.words[i] = shingles(set[:0], blocks[i].Text)
			s.hashes = append(s.hashes, set...)
		}
		s.at[i+1] = int32(len(s.hashes))
	}
	return s
}

// of returns the sketch of a block.
func (s *sketches) of(i int) []uint32 { return s.hashes[s.at[i]:s.at[i+1]] }

// shingles appends the sketch of a string to set, sorted and without doubles, and
// counts its words.
func shingles(set []uint32, s string) ([]uint32, int32) {
	n, before := int32(0), uint32(1) // 1: the start
	for it := words.FromString(s); it.Next(); {
		w := it.Value()
		if !isWord(w) {
			continue
		}
		h := foldedHash(w)
		set = append(set, before*31+h)
		if !single(w) {
			set = append(set, h)
		}
		before = h
		n++
		if len(set) >= 4*maxSketch {
			set = lowest(set)
		}
	}
	return lowest(set), n
}

// lowest sorts a set, takes doubles out and keeps the lowest ones.
func lowest(set []uint32) []uint32 {
	slices.Sort(set)
	set = slices.Compact(set)
	return set[:min(len(set), maxSketch)]
}

// single reports whether a word is one character of a script without spaces.
func single(w string) bool {
	return w[0] >= utf8.RuneSelf && utf8.RuneCountInString(w) == 1
}

// foldedHash is FNV-1a, blind to the case of ASCII letters. It only finds
// candidates: what is shown as equal was compared byte by byte.
func foldedHash(w string) uint32 {
	h := uint32(2166136261)
	for i := range len(w) {
		b := w[i]
		if 'A' <= b && b <= 'Z' {
			b |= 0x20
		}
		h = (h ^ uint32(b)) * 16777619
	}
	return h
}

// certain is the likeness of two equal sketches.
const certain = 1000

// likeness is the Dice coefficient of two sketches in thousandths.
func likeness(a, b []uint32) int {
	if len(a)+len(b) == 0 {
		return 0
	}
	shared := 0
	for i, j := 0, 0; i < len(a) && j < len(b); {
		switch {
		case a[i] < b[j]:
			i++
		case a[i] > b[j]:
			j++
		default:
			shared++
			i++
			j++
		}
	}
	return 2 * certain * shared / (len(a) + len(b))
}

// sketchIndex finds the blocks whose sketch has a hash: hash<<32 | block, sorted.
type sketchIndex []uint64

func (s *sketches) index() sketchIndex {
	x := make(sketchIndex, 0, len(s.hashes))
	for i := range len(s.at) - 1 {
		for _, h := range s.of(i) {
			x = append(x, uint64(h)<<32|uint64(i))
		}
	}
	slices.Sort(x)
	return x
}

// maxPostings is how many blocks of a stretch may share a shingle before it is too
// common to tell them apart.
const maxPostings = 50

// in returns the entries of a hash whose blocks are in [a, b); none if they are too
// many.
func (x sketchIndex) in(hash uint32, a, b int) []uint64 {
	low, high := uint64(hash)<<32|uint64(a), uint64(hash)<<32|uint64(b)
	at := sort.Search(len(x), func(k int) bool { return x[k] >= low })
	end := at
	for end < len(x) && x[end] < high {
		end++
		if end-at > maxPostings {
			return nil
		}
	}
	return x[at:end]
}

// candidates finds old blocks that a new block may be made of. It is used by one
// comparison at a time.
type candidates struct {
	index  sketchIndex
	counts []int32 // per old block, zero between calls
	found  []int32
}

// best returns up to k old blocks in [a, b) that share the most rare shingles with a
// sketch, most first, then in their order.
func (c *candidates) best(sketch []uint32, a, b, k int) []int32 {
	c.found = c.found[:0]
	for _, h := range sketch {
		for _, e := range c.index.in(h, a, b) {
			i := int32(uint32(e))
			if c.counts[i] == 0 {
				c.found = append(c.found, i)
			}
			c.counts[i]++
		}
	}
	top := make([]int32, 0, k+1)
	better := func(x, y int32) bool {
		return c.counts[x] > c.counts[y] || c.counts[x] == c.counts[y] && x < y
	}
	for _, i := range c.found {
		at := len(top)
		for at > 0 && better(i, top[at-1]) {
			at--
		}
		if at < k {
			top = slices.Insert(top, at, i)[:min(k, len(top)+1)]
		}
	}
	for _, i := range c.found {
		c.counts[i] = 0
	}
	return top
}
