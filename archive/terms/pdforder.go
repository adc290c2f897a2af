package terms

import (
	"cmp"
	"slices"
)

// pdfColumns is the part of a page's lines that may stand beside another line
// before the page counts as one with columns or a table.
const pdfColumns = 0.15

// arrange puts the lines of the page in reading order and joins what stands on one
// line.
func (s *pdfSheet) arrange() {
	beside := 0
	rows := s.rows()
	for _, row := range rows {
		n := 0
		for _, i := range row {
			if !pdfMarkAlone.MatchString(s.lines[i].text) {
				n++
			}
		}
		if n > 1 {
			beside += n
		}
	}
	if float64(beside) > pdfColumns*float64(len(s.lines)) {
		s.attachMarks()
		return
	}
	lines := make([]pdfLine, 0, len(rows))
	for _, row := range rows {
		slices.SortStableFunc(row, func(a, b int) int { return cmp.Compare(s.lines[a].x0, s.lines[b].x0) })
		l := s.lines[row[0]]
		for _, i := range row[1:] {
			l = l.join(s.lines[i])
		}
		lines = append(lines, l)
	}
	s.lines = lines
}

// join puts what stands to the right of a line on it. The height is that of the
// longer one.
func (l pdfLine) join(r pdfLine) pdfLine {
	if len(r.text) > len(l.text) {
		l.y0, l.y1 = r.y0, r.y1
	}
	l.text = pdfClean(l.text + " " + r.text)
	l.x0, l.x1 = min(l.x0, r.x0), max(l.x1, r.x1)
	return l
}

// middle is the height of a line's middle.
func (l *pdfLine) middle() float64 { return (l.y0 + l.y1) / 2 }

// attachMarks puts bullets and numbers that stand alone before the nearest line to
// their right.
func (s *pdfSheet) attachMarks() {
	gone := make([]bool, len(s.lines))
	for _, row := range s.rows() {
		for _, i := range row {
			mark := &s.lines[i]
			if !pdfMarkAlone.MatchString(mark.text) {
				continue
			}
			best := -1
			for _, j := range row {
				if l := &s.lines[j]; j != i && !gone[j] && l.x0 >= mark.x1-1 && l.x0-mark.x1 < 4*l.size() && (best < 0 || l.x0 < s.lines[best].x0) {
					best = j
				}
			}
			if best >= 0 {
				s.lines[best] = mark.join(s.lines[best])
				gone[i] = true
			}
		}
	}
	kept := s.lines[:0]
	for i, l := range s.lines {
		if !gone[i] {
			kept = append(kept, l)
		}
	}
	s.lines = kept
}

// rows groups the lines that stand beside one another, from top to bottom, by their
// places in s.lines.
func (s *pdfSheet) rows() [][]int {
	order := make([]int, len(s.lines))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(s.lines[a].middle(), s.lines[b].middle()) })
	var rows [][]int
	for _, i := range order {
		if n := len(rows) - 1; n >= 0 && s.lines[i].middle()-s.lines[rows[n][0]].middle() < 0.35*s.lines[i].size() {
			rows[n] = append(rows[n], i)
			continue
		}
		rows = append(rows, []int{i})
	}
	return rows
}
