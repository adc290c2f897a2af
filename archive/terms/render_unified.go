package terms

import (
	"bufio"
	"fmt"
	"io"
)

// UnifiedOptions are those of RenderUnified.
type UnifiedOptions struct {
	Header  Header
	Context int // blocks around each change; negative: all
}

// RenderUnified writes what diff -u would of Text.Plain of both texts, each block
// being a line; patch(1) makes the new plain text of the old one. What moved is
// removed in one place and added in the other; form and links do not show. Equal
// texts give nothing.
func RenderUnified(w io.Writer, d *Diff, o UnifiedOptions) error {
	if err := d.check(); err != nil {
		return err
	}
	lines := d.unifiedLines()
	out := bufio.NewWriter(w)
	for start, shown := 0, false; start < len(lines); {
		if lines[start].sign == ' ' {
			start++
			continue
		}
		if !shown {
			old, new := o.Header.sides(d)
			fmt.Fprintf(out, "--- %s\n+++ %s\n", printable(old), printable(new))
			shown = true
		}
		start = writeHunk(out, lines, start, o.Context)
	}
	return out.Flush()
}

// unifiedLine is a block of either text with its sign, and how many blocks of each
// stand before it.
type unifiedLine struct {
	sign     byte
	text     string
	old, new int
}

func (d *Diff) unifiedLines() []unifiedLine {
	var all []unifiedLine
	old, new := 0, 0
	add := func(sign byte, text string) {
		all = append(all, unifiedLine{sign, text, old, new})
		if sign != '+' {
			old++
		}
		if sign != '-' {
			new++
		}
	}
	for k := range d.Changes {
		ch := &d.Changes[k]
		for n := range ch.Count {
			switch ch.Op {
			case Equal, Formatted:
				add(' ', d.NewText.Blocks[ch.New+n].Text)
			case Deleted, MovedAway:
				add('-', d.OldText.Blocks[ch.Old+n].Text)
			case Edited:
				add('-', d.OldText.Blocks[ch.Old+n].Text)
				add('+', d.NewText.Blocks[ch.New+n].Text)
			default:
				add('+', d.NewText.Blocks[ch.New+n].Text)
			}
		}
	}
	return all
}

// writeHunk writes the hunk of the first change at or after a line and returns the
// line after it.
func writeHunk(w io.Writer, lines []unifiedLine, start, context int) int {
	if context < 0 {
		context = len(lines)
	}
	end, quiet := start, 0 // end: after the last changed line
	for k := start; k < len(lines) && quiet <= 2*context; k++ {
		if quiet++; lines[k].sign != ' ' {
			end, quiet = k+1, 0
		}
	}
	first, last := max(start-context, 0), min(end+context, len(lines))
	var old, new int
	for _, l := range lines[first:last] {
		if l.sign != '+' {
			old++
		}
		if l.sign != '-' {
			new++
		}
	}
	fmt.Fprintf(w, "@@ -%s +%s @@\n", lineRange(lines[first].old, old), lineRange(lines[first].new, new))
	for _, l := range lines[first:last] {
		fmt.Fprintf(w, "%c%s\n", l.sign, l.text)
	}
	return last
}

// lineRange is a range as diff -u writes it: of no lines, the line before.
func lineRange(before, count int) string {
	switch count {
	case 0:
		return fmt.Sprintf("%d,0", before)
	case 1:
		return fmt.Sprint(before + 1)
	}
	return fmt.Sprintf("%d,%d", before+1, count)
}
