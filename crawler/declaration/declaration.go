package declaration

import (
	"crypto/sha256"
	"encoding/hex"
	"io/fs"
	"strconv"
	"strings"
	"time"
)

// Source is one thing to fetch. Two sources with the same address,
// Accept-Language and vantage are the same source.
type Source struct {
	ID             string // see SourceID
	URL            string // as fetched: normalised by Normalize, without fragment
	AcceptLanguage string // value of the request header, "" sends none
	Vantage        string // name of the place it is fetched from, "" if unnamed
	AcceptEncoding string // value of the request header, "" is the crawler's default (gzip)
	IgnoreRobots   bool   // robots.txt is not obeyed, for RobotsReason
	RobotsReason   string // never empty if IgnoreRobots
	Private        bool   // address and id stay out of the public log

	FullEvery time.Duration // longest time between unconditional fetches, 0 is the configuration's default
	Every     time.Duration // time between looks, 0 is the configuration's default
}

// SourceID returns the id of a source: the first 16 hexadecimal digits of the
// SHA-256 of "fineprint source v1\n", the address, the Accept-Language and the
// vantage, each followed by a line feed. The address must be as Normalize
// returns it.
func SourceID(url, acceptLanguage, vantage string) string {
	sum := sha256.Sum256([]byte("fineprint source v1\n" + url + "\n" + acceptLanguage + "\n" + vantage + "\n"))
	return hex.EncodeToString(sum[:8])
}

// Part is one source of a document and what to keep of its page.
type Part struct {
	Source string // id of the source

	// Select names what to keep, in this order, Remove what to take out first.
	// An empty Select keeps the whole page.
	Select, Remove []Selector

	// RemoveQueryParams are parameters taken out of the addresses of links and
	// images (the built-in filter of Open Terms Archive).
	RemoveQueryParams []string

	// Filters are the names of JavaScript filters that the declaration asks for
	// and that are not run.
	Filters []string

	// ExecuteClientScripts is the declared wish for a browser: true is browser
	// only, false is never, nil is undeclared.
	ExecuteClientScripts *bool

	PDF bool // the address is declared to be, or looks like, a PDF
}

// Selector is either a CSS selector or a range between two CSS selectors. A
// range has exactly one of the two starts and exactly one of the two ends set.
type Selector struct {
	CSS string

	StartBefore, StartAfter string
	EndBefore, EndAfter     string
}

// IsRange reports whether the selector is a range.
func (s Selector) IsRange() bool { return s.CSS == "" }

// Document is what a reader asks for: one terms type of one service in one
// language.
type Document struct {
	ID        string // "service/terms/lang" in slugs, "und" without a language
	Service   string // display name
	ServiceID string // slug
	Terms     string // terms type, in the spelling of TermsTypes if it is one
	Lang      string // BCP 47 in canonical case, "" if undeclared
	Parts     []Part // in reading order, never empty
	MovedFrom string // the address before, "" if it never moved
}

// Severity of a problem.
const (
	SeverityError   = "error"   // the entry is not used
	SeverityWarning = "warning" // the entry is used, with a limit that is named
)

// Codes of the problems that a program may want to count.
const (
	CodeNeedsFilter  = "needs-javascript-filter" // asks for a JavaScript filter, which is not run
	CodeNeedsBrowser = "needs-browser"           // asks for its scripts to be executed
	CodeUnknownTerms = "unknown-terms-type"      // its terms type is not one of TermsTypes
)

// Problem is one finding about a declaration.
type Problem struct {
	File     string // as given to Load or Parse
	Line     int    // from 1, 0 if it concerns the whole file
	Field    string // path of the field, such as "terms.Privacy Policy[0].url"
	Severity string // SeverityError or SeverityWarning
	Source   string // id of the source it concerns, if it concerns one
	Code     string // one of the codes above, or empty
	Message  string // what is wrong
	Fix      string // what to do about it
}

// String returns the problem on one line: "file:line: field: message; fix".
func (p Problem) String() string {
	var b strings.Builder
	b.WriteString(p.File)
	if p.Line > 0 {
		b.WriteByte(':')
		b.WriteString(strconv.Itoa(p.Line))
	}
	if b.Len() > 0 {
		b.WriteString(": ")
	}
	if p.Field != "" {
		b.WriteString(p.Field)
		b.WriteString(": ")
	}
	b.WriteString(p.Message)
	if p.Fix != "" {
		b.WriteString("; ")
		b.WriteString(p.Fix)
	}
	return b.String()
}

// Error returns String, so that a problem can stand in a joined error.
func (p Problem) Error() string { return p.String() }

// Options say how declarations are read. The zero value is ready to use.
type Options struct {
	// Vantage is the name of the place the sources are fetched from, unless an
	// entry names its own.
	Vantage string

	// Lang is the language of files in the form of Open Terms Archive and of
	// address lists, where none is declared.
	Lang string

	// FS holds the files; nil is the operating system's.
	FS fs.FS
}
