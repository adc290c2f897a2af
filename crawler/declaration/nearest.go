package declaration

import (
	"strings"
	"unicode/utf8"
)

// nearest returns the known word closest to a misspelt one, "" if none is close:
// up to a third of its letters may be wrong. Case, spaces, '-' and '_' do not
// count.
func nearest(word string, known []string) string {
	word = plain(word)
	length := utf8.RuneCountInString(word)
	if length > 100 {
		return ""
	}
	best, least := "", max(1, length/3)+1
	for _, k := range known {
		if d := distance(word, plain(k)); d < least {
			best, least = k, d
		}
	}
	return best
}

// plain folds what is easily mistaken.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		if r == ' ' || r == '-' || r == '_' || r == '\u00A0' || r == '\u2011' {
			return -1
		}
		return r
	}, strings.ToLower(s))
}

// distance is the number of letters to insert, delete, replace or swap with their
// neighbour to make one word of another (optimal string alignment).
func distance(a, b string) int {
	ra, rb := []rune(a), []rune(b)
	before, row := make([]int, len(rb)+1), make([]int, len(rb)+1)
	for j := range row {
		row[j] = j
	}
	for i := range ra {
		next := make([]int, len(rb)+1)
		next[0] = i + 1
		for j := range rb {
			cost := 1
			if ra[i] == rb[j] {
				cost = 0
			}
			next[j+1] = min(row[j]+cost, row[j+1]+1, next[j]+1)
			if i > 0 && j > 0 && ra[i] == rb[j-1] && ra[i-1] == rb[j] {
				next[j+1] = min(next[j+1], before[j-1]+1)
			}
		}
		before, row = row, next
	}
	return row[len(rb)]
}
