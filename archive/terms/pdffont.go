package terms

import (
	"strings"

	"github.com/ledongthuc/pdf"
)

// pdfFont tells what the codes of a font mean and how wide they are. It asks the
// library once for each code.
type pdfFont struct {
	font    pdf.Font
	bytes   int // of a code
	widths  map[int]float64
	missing float64 // width of codes without one
	known   map[string]string
}

// font returns the font of that name in the resources.
func (d *pdfDrawn) font(resources pdf.Value, name string) *pdfFont {
	v := resources.Key("Font").Key(name)
	if v.Kind() != pdf.Dict {
		return nil
	}
	key := v.String() + " " + name
	if f, ok := d.fonts[key]; ok {
		return f
	}
	f := &pdfFont{font: pdf.Font{V: v}, bytes: 1, widths: map[int]float64{}, known: map[string]string{}, missing: 0.5}
	if v.Key("Subtype").Name() == "Type0" {
		f.bytes = 2
		f.composite(v.Key("DescendantFonts").Index(0))
	} else {
		f.simple(v)
	}
	d.fonts[key] = f
	return f
}

// simple reads the widths of a font with codes of one byte (PDF 32000-1, 9.6.2).
func (f *pdfFont) simple(v pdf.Value) {
	first, widths := int(v.Key("FirstChar").Int64()), v.Key("Widths")
	for i := range min(widths.Len(), 256) {
		f.widths[first+i] = widths.Index(i).Float64() / 1000
	}
	if w := v.Key("FontDescriptor").Key("MissingWidth"); !w.IsNull() {
		f.missing = w.Float64() / 1000
	}
}

// composite reads the widths of a font with codes of two bytes (9.7.4.3).
func (f *pdfFont) composite(v pdf.Value) {
	f.missing = 1
	if w := v.Key("DW"); !w.IsNull() {
		f.missing = w.Float64() / 1000
	}
	all := v.Key("W")
	for i := 0; i+1 < all.Len(); {
		first, second := int(all.Index(i).Int64()), all.Index(i+1)
		if second.Kind() == pdf.Array {
			for j := range min(second.Len(), 1<<16) {
				f.widths[first+j] = second.Index(j).Float64() / 1000
			}
			i += 2
			continue
		}
		w := all.Index(i+2).Float64() / 1000
		for code := first; code <= min(int(second.Int64()), first+1<<16, 1<<16); code++ {
			f.widths[code] = w
		}
		i += 3
	}
}

// glyph returns the text of a code and its width, in sizes of the font.
func (f *pdfFont) glyph(code string) (string, float64) {
	n := 0
	for i := range len(code) {
		n = n<<8 | int(code[i])
	}
	w, ok := f.widths[n]
	if !ok {
		w = f.missing
	}
	s, ok := f.known[code]
	if !ok {
		s = strings.ToValidUTF8(f.font.Encoder().Decode(code), "")
		f.known[code] = s
	}
	return s, w
}
