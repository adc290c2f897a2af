package terms

import (
	"bufio"
	"cmp"
	_ "embed"
	"fmt"
	"html"
	"io"

	"golang.org/x/text/language"
)

// HTMLOptions are those of RenderHTML.
type HTMLOptions struct {
	Header  Header
	Context int // unchanged blocks shown around each change; negative: all
	// Fragment leaves out all but the <section> of the redline, for a page that has
	// its own head and includes RedlineCSS.
	Fragment bool
	// IDPrefix stands before each id, for several redlines on one page. It is letters,
	// digits and hyphens.
	IDPrefix string
	// Brief leaves out unchanged blocks further away instead of folding them, for a
	// feed. Links to an origin that is left out are then no links.
	Brief bool
}

// RedlineCSS is the style of the redline: two colour schemes with a contrast of at
// least 4.5 to 1 (WCAG 2.2, 1.4.3), and print. It styles only what is inside
// .redline.
//
//go:embed redline.css
var RedlineCSS string

// pageCSS is the style of what a whole page has around the redline.
const pageCSS = `:root { color-scheme: light dark; }
body { margin: 0; }
h1 { max-width: 46rem; margin: 0 auto; padding: 1rem 1rem 0; font: bold 1.6rem/1.3 system-ui, sans-serif; }
`

// RenderHTML writes a redline as HTML: a whole page that needs nothing else and can
// be printed, or a part of one.
//
// What was added is <ins> and underlined, what was removed is <del> and struck
// through, each with the words "added:" and "removed:" for those who do not see
// them, and with a mark at the edge of the block: nothing is told by colour alone
// (WCAG 2.2, 1.4.1). Changes have the ids c1, c2, …, blocks of the new text n1, n2,
// … and those of the old one o1, o2, … where they are shown. Unchanged blocks
// further away are in <details>. All text is escaped and in its own language and
// direction; links of the text are told, not made.
func RenderHTML(w io.Writer, d *Diff, o HTMLOptions) error {
	if err := d.check(); err != nil {
		return err
	}
	h := &htmlWriter{w: bufio.NewWriter(w), d: d, o: o, stands: d.stands(&o), origins: d.origins(), excerpts: d.excerpts()}
	if !o.Fragment {
		h.head()
	}
	h.section()
	if !o.Fragment {
		h.print("</main>\n</body>\n</html>\n")
	}
	return h.w.Flush()
}

// htmlWriter writes the parts of a page. Errors are kept by the bufio.Writer until
// Flush.
type htmlWriter struct {
	w      *bufio.Writer
	d      *Diff
	o      HTMLOptions
	stands map[int]bool // old blocks that are shown
	// origins and excerpts are those of the Diff, by change.
	origins  map[*Change]string
	excerpts map[*Change]bool
	changes  int
}

func (h *htmlWriter) print(format string, args ...any) {
	for k, a := range args {
		if s, ok := a.(string); ok {
			args[k] = html.EscapeString(printable(s))
		}
	}
	fmt.Fprintf(h.w, format, args...)
}

// head writes the page up to the redline.
func (h *htmlWriter) head() {
	title := "Redline"
	if h.o.Header.Document != "" {
		title = h.o.Header.Document + ": redline"
	}
	h.print("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n")
	h.print("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>%s</title>\n", title)
	h.w.WriteString("<style>\n" + pageCSS + RedlineCSS + "</style>\n</head>\n<body>\n<main>\n")
	h.print("<h1>%s</h1>\n", title)
}

// section writes the redline.
func (h *htmlWriter) section() {
	old, new := h.o.Header.sides(h.d)
	h.print("<section class=\"redline\" aria-label=\"Redline\">\n<dl>\n<dt>Old</dt><dd>%s</dd>\n<dt>New</dt><dd>%s</dd>\n</dl>\n", old, new)
	h.print("<p class=\"counts\">%s</p>\n", h.d.tally())
	h.print("<div%s>\n", attributes(h.d.New.Lang))
	for _, s := range h.d.stretches(h.o.Context) {
		h.stretch(s)
	}
	h.print("</div>\n</section>\n")
}

// stretch writes blocks of one change.
func (h *htmlWriter) stretch(s stretch) {
	ch := s.change
	if s.folded {
		if h.o.Brief {
			h.print("<p class=\"note\" lang=\"en\" dir=\"ltr\">%d %s</p>\n", s.count, folded(ch.Op))
			return
		}
		h.print("<details>\n<summary lang=\"en\" dir=\"ltr\">%d %s</summary>\n", s.count, folded(ch.Op))
		defer h.print("</details>\n")
	}
	if s.first > 0 && ch.Op != Equal {
		h.print("<div class=\"change %s\">\n", string(ch.Op))
		defer h.print("</div>\n")
	}
	if s.first == 0 && ch.Op != Equal {
		h.changes++
		h.print("<div class=\"change %s\" id=\"%sc%d\">\n", string(ch.Op), h.o.IDPrefix, h.changes)
		if ch.Op == MovedAway {
			for k := range ch.Count {
				h.print("<span id=\"%so%d\"></span>", h.o.IDPrefix, ch.Old+k+1)
			}
		}
		h.notes(ch)
		defer h.print("</div>\n")
	}
	if ch.Op == MovedAway {
		return
	}
	for k := range s.count {
		h.block(ch, s.first+k)
	}
}

// notes writes what the words do not show, with links to where blocks came from or
// went.
func (h *htmlWriter) notes(ch *Change) {
	origin := h.origins[ch]
	if origin == "" && ch.Op == Derived && ch.Pieces != nil {
		origin = "from old " + numbers(ch.Old, ch.Count)
	}
	if h.stands[ch.Old] {
		h.note(origin, fmt.Sprintf("#%so%d", h.o.IDPrefix, ch.Old+1))
	} else {
		h.note(origin, "")
	}
	switch ch.Op {
	case Moved:
		h.note(moves(ch), fmt.Sprintf("#%so%d", h.o.IDPrefix, ch.Old+1))
	case MovedAway:
		h.note(moves(ch), fmt.Sprintf("#%sn%d", h.o.IDPrefix, ch.New+1))
	}
	h.note(h.d.forms(ch), "")
}

// note writes a remark, as a link if there is where to.
func (h *htmlWriter) note(note, to string) {
	switch {
	case note == "":
	case to == "":
		h.print("<p class=\"note\" lang=\"en\" dir=\"ltr\">%s</p>\n", note)
	default:
		h.print("<p class=\"note\" lang=\"en\" dir=\"ltr\"><a href=\"%s\">%s</a></p>\n", to, note)
	}
}

// stands returns the old blocks that can be looked up in the rendering.
func (d *Diff) stands(o *HTMLOptions) map[int]bool {
	all := make(map[int]bool)
	for _, s := range d.stretches(o.Context) {
		if s.folded && o.Brief {
			continue
		}
		switch s.change.Op {
		case Equal, Edited, Formatted, Deleted:
			for n := range s.count {
				all[s.change.Old+s.first+n] = true
			}
		}
	}
	return all
}

// block writes one block.
func (h *htmlWriter) block(ch *Change, k int) {
	b := h.d.block(ch, k)
	tag := "p"
	if b.Kind == Heading {
		tag = fmt.Sprintf("h%d", min(max(b.Level, 1)+1, 6))
	}
	h.print("<%s", tag)
	if ch.Op == Deleted {
		h.print(" id=\"%so%d\"", h.o.IDPrefix, ch.Old+k+1)
		if h.d.Old.Lang != h.d.New.Lang {
			h.print("%s", attributes(h.d.Old.Lang))
		}
	} else {
		h.print(" id=\"%sn%d\"", h.o.IDPrefix, ch.New+k+1)
	}
	if h.d.New.Lang == "" {
		h.print(" dir=\"auto\"")
	}
	if b.Kind == Item {
		h.print(" class=\"item\"")
	}
	h.print(">")
	switch ch.Op {
	case Equal, Edited, Formatted:
		h.print("<span id=\"%so%d\"></span>", h.o.IDPrefix, ch.Old+k+1)
	}
	if b.Kind == Item {
		h.print("%s ", cmp.Or(b.Marker, "•"))
	}
	h.runs(runs(ch, b, h.excerpts[ch]))
	h.print("</%s>\n", tag)
}

// runs writes words.
func (h *htmlWriter) runs(all []run) {
	for _, r := range all {
		switch r.style {
		case addedStyle:
			h.print("<ins><span class=\"said\" lang=\"en\">added: </span>%s</ins>", r.text)
		case removedStyle:
			h.print("<del><span class=\"said\" lang=\"en\">removed: </span>%s</del>", r.text)
		default:
			h.print("%s", r.text)
		}
	}
}

// attributes returns lang and dir of a language.
func attributes(lang string) html5 {
	tag, err := language.Parse(lang)
	if lang == "" || err != nil {
		return ""
	}
	dir := "ltr"
	if script, _ := tag.Script(); rightToLeft[script.String()] {
		dir = "rtl"
	}
	return html5(fmt.Sprintf(" lang=\"%s\" dir=\"%s\"", html.EscapeString(tag.String()), dir))
}

// html5 is markup, as opposed to text.
type html5 string

// rightToLeft holds the scripts of living languages that are written from right to
// left, by ISO 15924.
var rightToLeft = map[string]bool{
	"Adlm": true, "Arab": true, "Hebr": true, "Mand": true, "Nkoo": true, "Rohg": true, "Syrc": true, "Thaa": true,
}
