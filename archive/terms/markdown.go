package terms

import (
	"regexp"
	"strconv"
	"strings"
)

// Markdown returns the text as CommonMark, with tables and strikethrough as GitHub
// has them: a blank line between blocks, but none between the items of one level of
// a list. What a renderer shows is Block.Text, character by character, and the
// marker of an item before it: one that Markdown cannot count by itself, such as
// "b.", stands in the item as text, and a list whose numbers jump is divided by an
// empty comment.
//
// A mark is left out where CommonMark could not read it: emphasis is told by the
// characters around it, so that in scripts without spaces "这是**“重点”**内容" would
// show its asterisks. So are marks inside code, and marks within one of their kind.
// The same text gives the same bytes.
func (t *Text) Markdown() string {
	w := &mdWriter{}
	for i := 0; i < len(t.Blocks); {
		b := &t.Blocks[i]
		if b.Kind == Row {
			n := 1
			for i+n < len(t.Blocks) && t.Blocks[i+n].Kind == Row {
				n++
			}
			w.table(t.Blocks[i : i+n])
			i += n
			continue
		}
		w.block(b)
		i++
	}
	return w.out.String()
}

// mdWriter writes blocks and remembers the list it is in.
type mdWriter struct {
	out  strings.Builder
	list []mdLevel
}

// mdLevel is the last item of one level of the list.
type mdLevel struct {
	offset int    // where its text begins: its children stand there
	number int    // of an ordered item
	kind   string // "-", or what follows the number
}

// mdCountable is a marker that Markdown has too.
var mdCountable = regexp.MustCompile(`^(0|[1-9][0-9]{0,8})([.)])$`)

// block writes any block but a row.
func (w *mdWriter) block(b *Block) {
	if b.Kind == Item {
		w.item(b)
		return
	}
	w.list = nil
	w.gap()
	if b.Kind == Heading {
		w.out.WriteString(strings.Repeat("#", min(max(b.Level, 1), 6)) + " ")
	}
	w.out.WriteString(mdStart(mdInline(b.Text, b.Marks, false)))
	w.out.WriteByte('\n')
}

// gap puts a blank line between blocks.
func (w *mdWriter) gap() {
	if w.out.Len() > 0 {
		w.out.WriteByte('\n')
	}
}

// item writes an item below the last one of the level above it.
func (w *mdWriter) item(b *Block) {
	level := min(max(b.Level, 1)-1, len(w.list))
	indent := 0
	if level > 0 {
		indent = w.list[level-1].offset
	}
	text := mdStart(mdInline(b.Text, b.Marks, false))
	own := mdLevel{kind: "-"}
	marker := "- "
	if m := mdCountable.FindStringSubmatch(b.Marker); m != nil {
		own.number, _ = strconv.Atoi(m[1])
		own.kind = m[2]
		marker = b.Marker + " "
	} else if b.Marker != "" {
		text = mdStart(mdInline(b.Marker, nil, false)) + " " + mdInline(b.Text, b.Marks, false)
	}
	own.offset = indent + len(marker)
	pad := strings.Repeat(" ", indent)
	switch {
	case level >= len(w.list): // a list begins, and only one that counts from 1 may follow a line of text
		w.gap()
	case w.list[level].kind != own.kind:
		w.gap()
	case own.kind != "-" && own.number != w.list[level].number+1:
		w.out.WriteString("\n" + pad + "<!-- -->\n\n")
	}
	w.list = append(w.list[:level], own)
	w.out.WriteString(pad + marker + text + "\n")
}

// table writes rows; the first becomes the head, for a table must have one.
func (w *mdWriter) table(rows []Block) {
	w.list = nil
	w.gap()
	cells := make([][]string, len(rows))
	columns := 1
	for i := range rows {
		cells[i] = mdCells(&rows[i])
		columns = max(columns, len(cells[i]))
	}
	for i, row := range cells {
		for c := range columns {
			w.out.WriteString("| ")
			if c < len(row) && row[c] != "" {
				w.out.WriteString(row[c] + " ")
			}
		}
		w.out.WriteString("|\n")
		if i == 0 {
			w.out.WriteString(strings.Repeat("| --- ", columns) + "|\n")
		}
	}
}

// mdCells divides a row, and the marks that reach over the end of a cell.
func mdCells(b *Block) []string {
	var cells []string
	for start := 0; ; {
		end := len(b.Text)
		next := strings.Index(b.Text[start:], CellSeparator)
		if next >= 0 {
			end = start + next
		}
		var marks []Mark
		for _, m := range b.Marks {
			m.Start, m.End = max(m.Start, start)-start, min(m.End, end)-start
			if m.Start < m.End && (m.Kind != Code || mdCellCode(b.Text[start+m.Start:start+m.End])) {
				marks = append(marks, m)
			}
		}
		cells = append(cells, mdInline(b.Text[start:end], marks, true))
		if next < 0 {
			return cells
		}
		start = end + len(CellSeparator)
	}
}

// mdCellCode says whether code can stand in a cell: a pipe there must follow a
// backslash, and code cannot escape that.
func mdCellCode(s string) bool {
	return !strings.Contains(s, "|") || !strings.Contains(s, `\`)
}

var (
	mdNumbered = regexp.MustCompile(`^([0-9]{1,9})([.)])( |$)`)
	mdEntity   = regexp.MustCompile(`^&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z][a-zA-Z0-9]*);`)
)

// mdStart escapes what would make another block of a line, at its start and, of a
// heading, at its end.
func mdStart(s string) string {
	switch {
	case s == "":
		return s
	case strings.IndexByte("#+-=|", s[0]) >= 0:
		s = `\` + s
	default:
		s = mdNumbered.ReplaceAllString(s, `$1\$2$3`)
	}
	if n := len(s); s[n-1] == '#' && (n < 2 || s[n-2] != '\\') {
		s = s[:n-1] + `\#`
	}
	return s
}
