package terms

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"znkr.io/diff"
)

// unit is a sentence of a text: what the tracker compares. Finer than a block, so
// that a date in a long paragraph does not hide what else is new in it.
type unit struct {
	hash string // 16 bytes of SHA-256 in hexadecimal
	text string
}

// units returns the sentences of a text in their order.
func units(t *Text) []unit {
	var all []unit
	for i := range t.Blocks {
		for _, span := range Sentences(t.Blocks[i].Text) {
			s := t.Blocks[i].Text[span.Start:span.End]
			h := sha256.Sum256([]byte(s))
			all = append(all, unit{hex.EncodeToString(h[:16]), s})
		}
	}
	return all
}

// hunk is a place where two texts differ, between two sentences that both have.
type hunk struct {
	before, after string // hashes of these sentences, "" at the ends
	lost, added   []unit
}

// slot names the place.
func (h *hunk) slot() string { return h.before + ":" + h.after }

// content names what the second text has there.
func (h *hunk) content() string {
	sum := sha256.New()
	for _, u := range h.added {
		sum.Write([]byte(u.hash))
	}
	return hex.EncodeToString(sum.Sum(nil)[:16])
}

// quote shows what the second text has there, else what it lacks.
func (h *hunk) quote() string {
	side, mark := h.added, "+"
	if len(side) == 0 {
		side, mark = h.lost, "-"
	}
	if len(side) == 0 {
		return ""
	}
	return mark + "“" + shorten(side[0].text, 120) + "”"
}

// quoteHunks shows the first few.
func quoteHunks(all []hunk) string {
	var parts []string
	for i := range all {
		if i == 3 {
			parts = append(parts, "…")
			break
		}
		parts = append(parts, all[i].quote())
	}
	return strings.Join(parts, " ")
}

// shorten cuts a text to so many characters.
func shorten(s string, n int) string {
	r := []rune(s)
	if len(r) <= n {
		return s
	}
	return string(r[:n-1]) + "…"
}

// compareUnits returns where two texts differ.
func compareUnits(old, text *Text) []hunk {
	a, b := units(old), units(text)
	var all []hunk
	open := -1
	x, y, before := 0, 0, ""
	for _, e := range diff.Edits(unitHashes(a), unitHashes(b)) {
		if e.Op == diff.Match {
			if open >= 0 {
				all[open].after = a[x].hash
				open = -1
			}
			before = a[x].hash
			x, y = x+1, y+1
			continue
		}
		if open < 0 {
			all = append(all, hunk{before: before})
			open = len(all) - 1
		}
		if e.Op == diff.Delete {
			all[open].lost = append(all[open].lost, a[x])
			x++
		} else {
			all[open].added = append(all[open].added, b[y])
			y++
		}
	}
	return all
}

func unitHashes(all []unit) []string {
	s := make([]string, len(all))
	for i := range all {
		s[i] = all[i].hash
	}
	return s
}

// core names what two texts have in common: a state without what rotates in it.
func core(a, b *Text) string {
	in := unitSet(b)
	sum := sha256.New()
	for _, u := range units(a) {
		if in[u.hash] {
			sum.Write([]byte(u.hash))
		}
	}
	return "core:" + hex.EncodeToString(sum.Sum(nil)[:16])
}

// unitsOnlyIn returns the sentences of a that b lacks.
func unitsOnlyIn(a, b *Text) []string {
	in := unitSet(b)
	var all []string
	for _, u := range units(a) {
		if !in[u.hash] {
			all = append(all, u.hash)
		}
	}
	return all
}

func unitSet(t *Text) map[string]bool {
	in := map[string]bool{}
	for _, u := range units(t) {
		in[u.hash] = true
	}
	return in
}

// partOf reports whether a text is for the most part a part of another one: what is
// left when a page no longer shows all of it.
func partOf(a, b *Text) bool {
	in := unitSet(b)
	known, all := 0, units(a)
	for _, u := range all {
		if in[u.hash] {
			known++
		}
	}
	return 10*known >= 8*len(all)
}
