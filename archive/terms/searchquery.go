package terms

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// The bounds of a query.
const (
	maxQuery      = 1000 // characters
	maxQueryTerms = 32
)

// QueryTerm is a part of a query: tokens that stand one after the other.
type QueryTerm struct {
	Tokens  []string // as [SearchTokens] makes them, at least one
	Prefix  bool     // the last token is the beginning of one
	Exclude bool     // it must not occur
}

// Query is what is looked for: every term but those excluded, in one passage.
type Query []QueryTerm

// ParseQuery reads a query as people write it:
//
//	machine learning       both words, in any order
//	"machine learning"     the words one after the other
//	daten*                 words that begin so
//	-cookies               not this word; -"a phrase" likewise
//	人工智能               the characters one after the other
//
// There are no other operators: AND, OR and NEAR are words. Signs that no token
// is made of are passed over. It is an error if nothing is left to look for, if a
// quotation mark is not closed, and if the query is longer than 1,000 characters
// or has more than 32 terms.
func ParseQuery(s string) (Query, error) {
	if n := utf8.RuneCountInString(s); n > maxQuery {
		return nil, fmt.Errorf("the query has %d characters, more than %d: look for a shorter part of the text", n, maxQuery)
	}
	var (
		q       Query
		exclude bool
	)
	for rest := skipQuerySpace(s); rest != ""; rest = skipQuerySpace(rest) {
		term, after, err := cutQueryTerm(rest)
		if err != nil {
			return nil, err
		}
		rest = after
		if len(term.Tokens) == 0 {
			continue
		}
		q = append(q, term)
		exclude = exclude || term.Exclude
	}
	switch {
	case len(q) > maxQueryTerms:
		return nil, fmt.Errorf("the query has %d terms, more than %d: put words that stand together between quotation marks", len(q), maxQueryTerms)
	case strings.TrimSpace(s) == "":
		return nil, fmt.Errorf("the query is empty: name a word or a \"phrase\"")
	case len(q) == 0:
		return nil, fmt.Errorf("%q holds no letter and no digit to look for", s)
	case !slices.ContainsFunc(q, func(t QueryTerm) bool { return !t.Exclude }):
		return nil, fmt.Errorf("%q excludes and names nothing that must occur: add a word without \"-\"", s)
	}
	return q, nil
}

func skipQuerySpace(s string) string { return strings.TrimLeftFunc(s, unicode.IsSpace) }

// cutQueryTerm reads the term at the beginning of s.
func cutQueryTerm(s string) (t QueryTerm, rest string, err error) {
	if after, ok := strings.CutPrefix(s, "-"); ok {
		t.Exclude, s = true, after
	}
	body, rest, quoted := cutQuoted(s)
	if quoted && rest == s {
		return t, "", fmt.Errorf("a quotation mark is not closed: %s", s)
	}
	if !quoted {
		end := strings.IndexFunc(s, func(r rune) bool { return unicode.IsSpace(r) || r == '"' })
		if end < 0 {
			end = len(s)
		}
		body, rest = s[:end], s[end:]
		body, t.Prefix = cutStar(body)
	} else if after, ok := strings.CutPrefix(rest, "*"); ok {
		t.Prefix, rest = true, after
	}
	t.Tokens = SearchTokens(body)
	return t, rest, nil
}

// cutStar cuts the sign of a prefix off a word. One after a sign that no token is
// made of begins nothing.
func cutStar(word string) (string, bool) {
	for _, star := range []string{"*", "＊"} {
		if before, ok := strings.CutSuffix(word, star); ok {
			return before, true
		}
	}
	return word, false
}

// cutQuoted returns what stands between the quotation marks at the beginning of
// s, and the rest. An unclosed one leaves rest as s.
func cutQuoted(s string) (body, rest string, quoted bool) {
	opening, n := utf8.DecodeRuneInString(s)
	var closing string
	switch opening {
	case '"', '＂':
		closing = "\"＂"
	case '“', '„':
		closing = "”“"
	case '«':
		closing = "»"
	case '「':
		closing = "」"
	case '『':
		closing = "』"
	default:
		return "", "", false
	}
	end := strings.IndexAny(s[n:], closing)
	if end < 0 {
		return "", s, true
	}
	_, m := utf8.DecodeRuneInString(s[n+end:])
	return s[n : n+end], s[n+end+m:], true
}

// Hits returns the stretches of a text, in bytes, that the query's terms match,
// in order and apart from each other; those that touch or overlap are one.
func (q Query) Hits(s string) []Span {
	var (
		tokens []string
		at     []Span
		all    []Span
	)
	searchTokens(s, func(token string, start, end int) {
		tokens = append(tokens, token)
		at = append(at, Span{start, end})
	})
	for _, term := range q {
		if term.Exclude {
			continue
		}
		n := len(term.Tokens)
		for i := 0; i+n <= len(tokens); i++ {
			if term.matches(tokens[i : i+n]) {
				all = append(all, Span{at[i].Start, at[i+n-1].End})
			}
		}
	}
	slices.SortFunc(all, func(a, b Span) int { return a.Start - b.Start })
	return joinSpans(all)
}

// matches reports whether tokens, as many as the term's, are what it looks for.
func (t *QueryTerm) matches(tokens []string) bool {
	last := len(tokens) - 1
	if !slices.Equal(tokens[:last], t.Tokens[:last]) {
		return false
	}
	return tokens[last] == t.Tokens[last] || t.Prefix && strings.HasPrefix(tokens[last], t.Tokens[last])
}

// joinSpans makes one of sorted spans that touch or overlap.
func joinSpans(all []Span) []Span {
	var joined []Span
	for _, s := range all {
		if n := len(joined); n > 0 && s.Start <= joined[n-1].End {
			joined[n-1].End = max(joined[n-1].End, s.End)
			continue
		}
		joined = append(joined, s)
	}
	return joined
}
