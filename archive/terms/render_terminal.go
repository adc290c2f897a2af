package terms

import (
	"bufio"
	"fmt"
	"io"
	"strings"
)

// TerminalOptions are those of RenderTerminal.
type TerminalOptions struct {
	Header Header
	// Color shows what was added in green and underlined, what was removed in red and
	// struck through (ECMA-48 SGR). Without it they are {+added+} and [-removed-].
	Color   bool
	Context int // unchanged blocks around each change; negative: all
	Width   int // columns; 80 if 0, not wrapped if negative
}

// RenderTerminal writes a redline for a terminal or a plain file: the new text in
// its order with what was removed where it stood. The first column says what became
// of a block: + added, - removed, ~ edited, > moved here, < moved away, & made from
// an earlier block, = in another form. Control characters of the text, and those
// that reverse the direction of what follows, are shown as U+FFFD, so that it can
// neither command the terminal nor rearrange the redline.
func RenderTerminal(w io.Writer, d *Diff, o TerminalOptions) error {
	if err := d.check(); err != nil {
		return err
	}
	out := bufio.NewWriter(w)
	t := &terminal{w: out, color: o.Color, width: o.Width, origins: d.origins(), excerpts: d.excerpts()}
	if t.width == 0 {
		t.width = 80
	}
	t.header(d, &o.Header)
	for _, s := range d.stretches(o.Context) {
		t.stretch(d, s)
	}
	return out.Flush()
}

// terminal writes lines. Errors are kept by the bufio.Writer until Flush.
type terminal struct {
	w     *bufio.Writer
	color bool
	width int
	// origins and excerpts are those of the Diff, by change.
	origins  map[*Change]string
	excerpts map[*Change]bool
}

// style is how a run of words is shown.
type style byte

const (
	plainStyle style = iota
	addedStyle
	removedStyle
	noteStyle
	headStyle
)

// sgr holds the parameters of ECMA-48 SGR.
var sgr = [...]string{addedStyle: "32;4", removedStyle: "31;9", noteStyle: "2", headStyle: "1"}

// brackets are what stands around a run where there is no colour.
var brackets = [...][2]string{addedStyle: {"{+", "+}"}, removedStyle: {"[-", "-]"}, headStyle: {"", ""}}

// run is words in one style.
type run struct {
	style style
	text  string
}

var signs = map[Op]string{
	Equal: " ", Inserted: "+", Deleted: "-", Edited: "~", Moved: ">", MovedAway: "<", Derived: "&", Formatted: "=",
}

func (t *terminal) header(d *Diff, h *Header) {
	old, new := h.sides(d)
	if h.Document != "" {
		t.lines("", []run{{headStyle, h.Document}})
	}
	t.lines("old ", []run{{plainStyle, old}})
	t.lines("new ", []run{{plainStyle, new}})
	t.lines("    ", []run{{noteStyle, d.tally()}})
	t.w.WriteByte('\n')
}

func (t *terminal) stretch(d *Diff, s stretch) {
	sign := signs[s.change.Op] + " "
	if s.folded {
		t.lines(sign, []run{{noteStyle, fmt.Sprintf("... %d %s", s.count, folded(s.change.Op))}})
		return
	}
	if s.first == 0 {
		for _, note := range []string{t.origins[s.change], moves(s.change), d.forms(s.change)} {
			if note != "" {
				t.lines(sign, []run{{noteStyle, "(" + note + ")"}})
			}
		}
	}
	if s.change.Op == MovedAway {
		return
	}
	for k := range s.count {
		b := d.block(s.change, s.first+k)
		t.lines(sign, append([]run{{plainStyle, lead(b)}}, runs(s.change, b, t.excerpts[s.change])...))
	}
}

// folded names blocks that are not shown.
func folded(op Op) string {
	switch op {
	case Moved:
		return "more blocks moved with them"
	case Derived:
		return "more blocks repeated"
	}
	return "unchanged blocks"
}

// runs returns the words of a block as they are to be shown. One that was split off
// another is shown without what it left there.
func runs(ch *Change, b *Block, split bool) []run {
	switch {
	case ch.Op == Inserted:
		return []run{{addedStyle, b.Text}}
	case ch.Op == Deleted:
		return []run{{removedStyle, b.Text}}
	case ch.Pieces == nil || split:
		return []run{{plainStyle, b.Text}}
	}
	var all []run
	for _, p := range ch.Pieces {
		switch p.Op {
		case Inserted:
			all = append(all, run{addedStyle, p.Text})
		case Deleted:
			all = append(all, run{removedStyle, p.Text})
		default:
			all = append(all, run{plainStyle, b.Text[p.New:p.NewEnd]})
		}
	}
	return all
}

// lines writes runs, wrapped, with sign before the first line and as much space
// before the others.
func (t *terminal) lines(sign string, all []run) {
	l := wrapper{t: t, indent: len(sign), room: t.width - len(sign)}
	t.w.WriteString(sign)
	for _, r := range all {
		if r.text == "" {
			continue
		}
		open, end := t.marks(r.style)
		before, text, after := "", printable(r.text), ""
		if open != "" {
			before, text, after = spaces(text)
		}
		l.all(run{plainStyle, before})
		l.open(run{r.style, open})
		l.all(run{r.style, text})
		l.stick(run{r.style, end})
		l.all(run{plainStyle, after})
	}
	l.flush()
	l.end()
}

// spaces takes the spaces at the ends off a string, which read better outside of
// brackets, unless there is nothing else.
func spaces(s string) (before, text, after string) {
	text = strings.Trim(s, " ")
	if text == "" {
		return "", s, ""
	}
	before, after, _ = strings.Cut(s, text)
	return before, text, after
}

// marks returns what stands around a run without colour.
func (t *terminal) marks(s style) (string, string) {
	if t.color || int(s) >= len(brackets) {
		return "", ""
	}
	return brackets[s][0], brackets[s][1]
}
