package terms

import (
	"math"
	"strings"
	"unicode/utf8"

	"github.com/ledongthuc/pdf"
)

// pdfMatrix is a transformation [a b c d e f] of PDF 32000-1, section 8.3.4.
type pdfMatrix [6]float64

var pdfIdentity = pdfMatrix{1, 0, 0, 1, 0, 0}

// times applies m first, then n.
func (m pdfMatrix) times(n pdfMatrix) pdfMatrix {
	return pdfMatrix{
		m[0]*n[0] + m[1]*n[2], m[0]*n[1] + m[1]*n[3],
		m[2]*n[0] + m[3]*n[2], m[2]*n[1] + m[3]*n[3],
		m[4]*n[0] + m[5]*n[2] + n[4], m[4]*n[1] + m[5]*n[3] + n[5],
	}
}

// pdfGraphics is the part of the graphics state that says where text stands
// (sections 8.4 and 9.3).
type pdfGraphics struct {
	ctm                               pdfMatrix
	font                              *pdfFont
	size, charSpace, wordSpace, scale float64
	leading, rise                     float64
}

// pdfDrawn collects the text that the contents of one page draw.
type pdfDrawn struct {
	src      *pdfSource
	fonts    map[string]*pdfFont
	sheet    pdfSheet
	top      float64 // y of the upper edge
	g        pdfGraphics
	saved    []pdfGraphics
	text     pdfMatrix // text matrix
	textLine pdfMatrix // text line matrix
	left     int       // bytes of text that may still come
	run      strings.Builder
}

// page draws a page and returns its lines, in the order in which they are drawn.
func (d *pdfDrawn) page(page pdf.Value) pdfSheet {
	box := pdfInherited(page, "MediaBox")
	x0, y0, x1, y1 := box.Index(0).Float64(), box.Index(1).Float64(), box.Index(2).Float64(), box.Index(3).Float64()
	d.sheet.width, d.sheet.height = math.Abs(x1-x0), math.Abs(y1-y0)
	d.top = max(y0, y1)
	d.g = pdfGraphics{ctm: pdfIdentity, scale: 1}
	d.contents(page.Key("Contents"), pdfInherited(page, "Resources"), 0)
	kept := d.sheet.lines[:0]
	for _, l := range d.sheet.lines {
		if l.text = pdfClean(l.text); l.text != "" {
			kept = append(kept, l)
		}
	}
	d.sheet.lines = kept
	return d.sheet
}

// contents runs the operators of a page or a form.
func (d *pdfDrawn) contents(stream, resources pdf.Value, depth int) {
	if stream.IsNull() {
		return
	}
	pdf.Interpret(stream, func(stack *pdf.Stack, op string) {
		d.src.check()
		args := make([]pdf.Value, stack.Len())
		for i := len(args) - 1; i >= 0; i-- {
			args[i] = stack.Pop()
		}
		d.operator(op, args, resources, depth)
	})
}

// number is an operand, 0 if it is missing.
func pdfOperand(args []pdf.Value, i int) float64 {
	if i >= len(args) {
		return 0
	}
	return args[i].Float64()
}

// operator runs one operator: those of PDF 32000-1, annex A, that move or show
// text.
func (d *pdfDrawn) operator(op string, args []pdf.Value, resources pdf.Value, depth int) {
	n := func(i int) float64 { return pdfOperand(args, i) }
	switch op {
	case "q":
		if len(d.saved) < 1000 {
			d.saved = append(d.saved, d.g)
		}
	case "Q":
		if k := len(d.saved) - 1; k >= 0 {
			d.g, d.saved = d.saved[k], d.saved[:k]
		}
	case "cm":
		d.g.ctm = pdfMatrix{n(0), n(1), n(2), n(3), n(4), n(5)}.times(d.g.ctm)
	case "BT":
		d.text, d.textLine = pdfIdentity, pdfIdentity
	case "Tc":
		d.g.charSpace = n(0)
	case "Tw":
		d.g.wordSpace = n(0)
	case "Tz":
		d.g.scale = n(0) / 100
	case "TL":
		d.g.leading = n(0)
	case "Ts":
		d.g.rise = n(0)
	case "Tf":
		if len(args) == 2 {
			d.g.font, d.g.size = d.font(resources, args[0].Name()), n(1)
		}
	case "Tm":
		d.textLine = pdfMatrix{n(0), n(1), n(2), n(3), n(4), n(5)}
		d.text = d.textLine
	case "TD":
		d.g.leading = -n(1)
		d.move(n(0), n(1))
	case "Td":
		d.move(n(0), n(1))
	case "T*":
		d.move(0, -d.g.leading)
	case "Tj", "'", "\"", "TJ":
		d.showAll(op, args)
	case "Do":
		if len(args) == 1 {
			d.form(resources.Key("XObject").Key(args[0].Name()), resources, depth)
		}
	}
}

// move begins another line of text.
func (d *pdfDrawn) move(x, y float64) {
	d.textLine = pdfMatrix{1, 0, 0, 1, x, y}.times(d.textLine)
	d.text = d.textLine
}

// showAll runs the operators that show text.
func (d *pdfDrawn) showAll(op string, args []pdf.Value) {
	if len(args) == 0 {
		return
	}
	switch op {
	case "\"":
		d.g.wordSpace, d.g.charSpace = pdfOperand(args, 0), pdfOperand(args, 1)
		d.move(0, -d.g.leading)
	case "'":
		d.move(0, -d.g.leading)
	}
	last := args[len(args)-1]
	if op != "TJ" {
		d.show(last.RawString())
		return
	}
	for i := range last.Len() {
		v := last.Index(i)
		if v.Kind() == pdf.String {
			d.show(v.RawString())
			continue
		}
		d.text = pdfMatrix{1, 0, 0, 1, -v.Float64() / 1000 * d.g.size * d.g.scale, 0}.times(d.text)
	}
}

// form draws a form within a page.
func (d *pdfDrawn) form(x, resources pdf.Value, depth int) {
	if x.Kind() != pdf.Stream || x.Key("Subtype").Name() != "Form" {
		return
	}
	if depth >= pdfMaxDepth/4 {
		panic(errPDF("forms within forms"))
	}
	g, saved := d.g, d.saved
	if m := x.Key("Matrix"); m.Len() == 6 {
		var own pdfMatrix
		for i := range own {
			own[i] = m.Index(i).Float64()
		}
		d.g.ctm = own.times(d.g.ctm)
	}
	if own := x.Key("Resources"); own.Kind() == pdf.Dict {
		resources = own
	}
	d.contents(x, resources, depth+1)
	d.g, d.saved = g, saved
}

// show draws a string: its glyphs follow one another by their widths.
func (d *pdfDrawn) show(raw string) {
	if d.g.font == nil || raw == "" {
		return
	}
	d.run.Reset()
	before := d.text
	width := 0.0
	for len(raw) > 0 {
		code := raw[:min(d.g.font.bytes, len(raw))]
		raw = raw[len(code):]
		d.src.check()
		s, w := d.g.font.glyph(code)
		d.run.WriteString(s)
		width = w * d.g.size
		step := width + d.g.charSpace
		if code == " " {
			step += d.g.wordSpace
		}
		d.text = pdfMatrix{1, 0, 0, 1, step * d.g.scale, 0}.times(d.text)
	}
	if d.left -= d.run.Len() + 1; d.left < 0 {
		panic(pdfTooLarge())
	}
	d.put(d.run.String(), before, d.text)
}

// put adds a drawn string to the line that it goes on with, or begins another.
func (d *pdfDrawn) put(s string, from, to pdfMatrix) {
	a := pdfMatrix{1, 0, 0, 1, 0, d.g.rise}.times(from).times(d.g.ctm)
	b := to.times(d.g.ctm)
	size := math.Hypot(a[2], a[3]) * math.Abs(d.g.size)
	l := pdfLine{x0: min(a[4], b[4]), x1: max(a[4], b[4]), y0: d.top - a[5] - 0.9*size, y1: d.top - a[5] + 0.25*size, text: s}
	if k := len(d.sheet.lines) - 1; k >= 0 {
		last := &d.sheet.lines[k]
		gap := l.x0 - last.x1
		if math.Abs(l.middle()-last.middle()) < 0.3*max(size, last.size()/1.15) && gap > -0.5*size && gap < 3*size {
			if gap > 0.17*size {
				last.text += " "
			}
			last.text += s
			last.x1 = max(last.x1, l.x1)
			return
		}
	}
	l.first = pdfFirstWord(l)
	if len(d.sheet.lines) >= pdfMaxLines/10 {
		panic(pdfTooLarge())
	}
	d.sheet.lines = append(d.sheet.lines, l)
}

// pdfFirstWord is about the width of a line's first word.
func pdfFirstWord(l pdfLine) float64 {
	word, _, _ := strings.Cut(strings.TrimLeft(l.text, " "), " ")
	all := utf8.RuneCountInString(l.text)
	if all == 0 {
		return 0
	}
	return (l.x1 - l.x0) * float64(utf8.RuneCountInString(word)) / float64(all)
}
