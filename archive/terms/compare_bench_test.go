package terms

import (
	"maps"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// prose makes texts of invented words that are as unevenly frequent as those of a
// language. The same seed gives the same text.
type prose struct {
	r     *rand.Rand
	vocab []string
}

func newProse(seed uint64) *prose {
	p := &prose{r: rand.New(rand.NewPCG(seed, seed))}
	syllables := strings.Fields("ta re mi con ser vi ce pro da li on us er pe ga no ti fi ca ment sha all ex qui")
	for range 6000 {
		var b strings.Builder
		for range 1 + p.r.IntN(4) {
			b.WriteString(syllables[p.r.IntN(len(syllables))])
		}
		p.vocab = append(p.vocab, b.String())
	}
	return p
}

func (p *prose) word() string {
	k := int(math.Exp(p.r.Float64()*math.Log(float64(len(p.vocab))))) - 1
	return p.vocab[k]
}

// sentence makes one of n words.
func (p *prose) sentence(n int) string {
	words := make([]string, n)
	for k := range words {
		words[k] = p.word()
	}
	words[0] = strings.ToUpper(words[0][:1]) + words[0][1:]
	return strings.Join(words, " ") + "."
}

// text makes one of about size bytes in paragraphs of some sentences.
func (p *prose) text(size int) *Text {
	t := &Text{}
	for size > 0 {
		var all []string
		for range 1 + p.r.IntN(8) {
			all = append(all, p.sentence(5+p.r.IntN(30)))
		}
		b := Block{Kind: Paragraph, Text: strings.Join(all, " ")}
		size -= len(b.Text)
		t.Blocks = append(t.Blocks, b)
	}
	return t
}

// han makes a text of Chinese characters.
func (p *prose) han(size int) *Text {
	t := &Text{}
	for size > 0 {
		var b strings.Builder
		for range 20 + p.r.IntN(300) {
			if p.r.IntN(12) == 0 {
				b.WriteString("，")
			}
			b.WriteRune(rune(0x4e00 + int(math.Exp(p.r.Float64()*math.Log(3000)))))
		}
		b.WriteString("。")
		size -= b.Len()
		t.Blocks = append(t.Blocks, Block{Kind: Paragraph, Text: b.String()})
	}
	return t
}

// exchanged returns the text with one of n words exchanged.
func (p *prose) exchanged(t *Text, n int) *Text {
	out := &Text{Blocks: append([]Block{}, t.Blocks...)}
	for i := range out.Blocks {
		words := strings.Split(out.Blocks[i].Text, " ")
		for k := range words {
			if p.r.IntN(n) == 0 {
				words[k] = p.word()
			}
		}
		out.Blocks[i].Text = strings.Join(words, " ")
	}
	return out
}

// edited returns the text as an amendment leaves it: some paragraphs added, some
// with a clause more, one gone.
func (p *prose) edited(t *Text) *Text {
	out := &Text{}
	for i, b := range t.Blocks {
		switch {
		case i%40 == 7:
			b.Text += " " + p.sentence(12)
		case i%60 == 11:
			out.Blocks = append(out.Blocks, Block{Kind: Paragraph, Text: p.sentence(60)})
		case i == 100:
			continue
		}
		out.Blocks = append(out.Blocks, b)
	}
	return out
}

func swapped(t *Text) *Text {
	n := len(t.Blocks) / 2
	return &Text{Blocks: append(append([]Block{}, t.Blocks[n:]...), t.Blocks[:n]...)}
}

// blocksOf makes a text of n blocks.
func blocksOf(n int, text func(i int) string) *Text {
	t := &Text{Blocks: make([]Block, n)}
	for i := range t.Blocks {
		t.Blocks[i] = Block{Kind: Paragraph, Text: text(i)}
	}
	return t
}

// oneBlock makes a text of one block.
func oneBlock(s string) *Text { return blocksOf(1, func(int) string { return s }) }

// inOneBlock makes one block of a text.
func inOneBlock(t *Text) *Text {
	return oneBlock(strings.ReplaceAll(strings.TrimSpace(t.Plain()), "\n", " "))
}

// megabyte is the size of the texts compared.
const megabyte = 1 << 20

// worstCases are pairs of texts of about size bytes each.
func worstCases(size int) map[string]func() (old, new *Text) {
	p := newProse(1)
	base := p.text(size)
	digits := func(r *rand.Rand, n int) string {
		b := make([]byte, n)
		for k := range b {
			b[k] = byte('0' + r.IntN(10))
		}
		return string(b)
	}
	return map[string]func() (*Text, *Text){
		"edit":           func() (*Text, *Text) { return base, p.edited(base) },
		"words-1-in-100": func() (*Text, *Text) { return base, p.exchanged(base, 100) },
		"words-1-in-3":   func() (*Text, *Text) { return base, p.exchanged(base, 3) },
		"unrelated":      func() (*Text, *Text) { return base, newProse(2).text(size) },
		"same-words":     func() (*Text, *Text) { return base, p.text(size) },
		"swapped":        func() (*Text, *Text) { return base, swapped(base) },
		"doubled": func() (*Text, *Text) {
			return base, &Text{Blocks: append(append([]Block{}, base.Blocks...), p.exchanged(base, 20).Blocks...)}
		},
		"chinese": func() (*Text, *Text) { return p.han(size), newProse(3).han(size) },
		"equal-blocks": func() (*Text, *Text) {
			s := "aaaaaaaa"
			return blocksOf(size/10, func(int) string { return s }), blocksOf(size/10-1000*size/megabyte, func(int) string { return s })
		},
		"two-blocks": func() (*Text, *Text) {
			two := func(i int) string { return [2]string{"yes", "no"}[p.r.IntN(2)] }
			return blocksOf(size/10, two), blocksOf(size/10, two)
		},
		"like-blocks": func() (*Text, *Text) {
			return blocksOf(size/87, func(i int) string {
					return "We use the cookie " + digits(p.r, 6) + " for one purpose: to serve you well, and no other such purpose."
				}), blocksOf(size/87, func(i int) string {
					return "We use the cookie " + digits(p.r, 6) + " for one purpose: to serve you well, and no other such purpose."
				})
		},
		"short-blocks": func() (*Text, *Text) {
			return blocksOf(size/10, func(int) string { return digits(p.r, 9) }),
				blocksOf(size/10, func(int) string { return digits(p.r, 9) })
		},
		"shuffled-blocks": func() (*Text, *Text) {
			old := blocksOf(size/21, func(int) string { return digits(p.r, 20) })
			new := &Text{Blocks: append([]Block{}, old.Blocks...)}
			p.r.Shuffle(len(new.Blocks), func(i, j int) { new.Blocks[i], new.Blocks[j] = new.Blocks[j], new.Blocks[i] })
			return old, new
		},
		"huge-block":       func() (*Text, *Text) { return inOneBlock(base), inOneBlock(p.exchanged(base, 100)) },
		"huge-block-other": func() (*Text, *Text) { return inOneBlock(base), inOneBlock(p.text(size)) },
		"huge-block-a": func() (*Text, *Text) {
			s := strings.Repeat("a ", size/2)
			return oneBlock(s[:len(s)-1]), oneBlock(s[:len(s)/3] + "b b b " + s[:len(s)/2] + "c")
		},
		"huge-block-two": func() (*Text, *Text) {
			two := func() string {
				var b strings.Builder
				for b.Len() < size {
					b.WriteString([2]string{"a ", "b "}[p.r.IntN(2)])
				}
				return strings.TrimSpace(b.String())
			}
			return oneBlock(two()), oneBlock(two())
		},
		"commas": func() (*Text, *Text) {
			return oneBlock(strings.Repeat(",", size)), oneBlock(strings.Repeat(",", size-1) + "." + strings.Repeat(",", 1000))
		},
		"sentences": func() (*Text, *Text) {
			return oneBlock(strings.Repeat("A. b! ", size/6)), oneBlock(strings.Repeat("b! A. ", size/6))
		},
	}
}

// TestCompareWorstCases checks that the ways out of endless work still give what
// Apply needs.
func TestCompareWorstCases(t *testing.T) {
	for name, texts := range worstCases(1 << 14) {
		t.Run(name, func(t *testing.T) {
			old, new := texts()
			d := checkDiff(t, old, new)
			checkTerminal(t, d)
			if len([]rune(d.Summary(200))) > 220 {
				t.Errorf("Summary(200) = %q", d.Summary(200))
			}
		})
	}
}

// BenchmarkCompare compares texts of a megabyte. MB-heap is the most that one
// comparison had on the heap, garbage included.
func BenchmarkCompare(b *testing.B) {
	cases := worstCases(megabyte)
	for _, name := range slices.Sorted(maps.Keys(cases)) {
		b.Run(name, func(b *testing.B) {
			old, new := cases[name]()
			b.ReportAllocs()
			for b.Loop() {
				Compare(old, new)
			}
			b.ReportMetric(peakHeap(func() { Compare(old, new) }), "MB-heap")
		})
	}
}

// peakHeap returns the most memory in use on the heap while f runs beside what was
// in use before, in megabytes, as seen every millisecond or so with garbage
// collected early.
func peakHeap(f func()) float64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	before, most := m.HeapAlloc, m.HeapAlloc
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	for {
		select {
		case <-done:
			return float64(most-before) / (1 << 20)
		default:
			runtime.ReadMemStats(&m)
			most = max(most, m.HeapAlloc)
			runtime.Gosched()
		}
	}
}
