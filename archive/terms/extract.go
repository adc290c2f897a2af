package terms

import (
	"bytes"
	"context"
	"strings"
	"unicode/utf8"

	"github.com/fineprint-archive/fineprint/crawler/declaration"
)

// ExtractorVersion is the version of the rules of extraction. It changes with
// every change of what Extract makes of any page.
const ExtractorVersion = "3"

// Input is a payload to extract a text from.
type Input struct {
	Body        []byte // with content codings undone
	ContentType string // header of the response, "" if none came
	Language    string // header Content-Language, "" if none came
	URL         string // that answered, absolute: relative links start there
	Rules       declaration.Part
}

// Page is what a page shows beside its text: what a grade is made from.
type Page struct {
	Charset  string // that the body was read in, by the names of the Encoding Standard
	Mime     string // what the body was read as: text/html, application/pdf, text/plain
	Title    string
	Lang     string   // as the page says: of <html lang>, else Content-Language
	Visible  int      // characters of text in the body before anything was left out
	Opening  string   // the first 2,000 characters of it
	Links    int      // <a href>
	Scripts  int      // <script> elements
	Code     int      // bytes in them
	Password bool     // has an <input type=password>
	Sources  []string // src of <script> and <iframe> as written, the first 32
	Refresh  string   // address of <meta http-equiv=refresh>, absolute; "" if there is none
	Noscript string   // the first 500 characters inside <noscript>
	Problems []Problem
	// Fallback says that a declared selector matched nothing, so that the text was
	// made as if none had been declared.
	Fallback bool
}

// Problem is what stood in the way of a declared or normal extraction.
type Problem struct {
	Code   string `json:"code"`   // see the constants Problem…
	Detail string `json:"detail"` // for people: which selector, which character set
}

// Codes of problems.
const (
	ProblemSelectNothing = "select-nothing" // a select matched nothing
	ProblemRangeNothing  = "range-nothing"  // an end of a range matched nothing
	ProblemCharset       = "charset"        // bytes that are no text in the declared character set
	ProblemTooDeep       = "too-deep"       // nested deeper than is followed
	ProblemScanned       = "scanned"        // a PDF without text
	ProblemUnreadable    = "unreadable"     // the format cannot be read
	ProblemLowConfidence = "low-confidence" // text of a PDF without pdftotext
)

// Extract makes the text of a payload. It never fails for what a site sent: what
// cannot be read is an empty text and a Problem. The error is ctx's, or that of an
// outside tool. It is safe for concurrent use and keeps nothing of the body.
//
// An HTML page with declared selectors is treated in the order of Open Terms
// Archive: declared parameters of addresses removed, addresses made absolute, what is
// never text dropped, e-mail addresses decoded, Remove, then Select. Without Select
// the default rules leave out what frames the page.
func Extract(ctx context.Context, in Input) (*Text, *Page, error) {
	if err := ctx.Err(); err != nil {
		return nil, nil, context.Cause(ctx)
	}
	switch kind := mediaOf(in); kind {
	case "text/html":
		return extractHTML(ctx, in)
	case "application/pdf":
		return extractPDF(ctx, in)
	case "text/plain":
		t, p := extractPlainText(in)
		return t, p, nil
	default:
		p := &Page{Mime: kind, Problems: []Problem{{ProblemUnreadable, kind + " is no text that can be read"}}}
		return &Text{Extractor: ExtractorVersion}, p, nil
	}
}

// mediaOf returns what a body is read as. The body decides where the header is
// missing or generic, and between HTML and PDF.
func mediaOf(in Input) string {
	said, _, _ := strings.Cut(strings.ToLower(in.ContentType), ";")
	said = strings.TrimSpace(said)
	head := in.Body[:min(len(in.Body), 1024)]
	isPDF := bytes.Contains(head, []byte("%PDF-"))
	switch said {
	case "text/html", "application/xhtml+xml", "application/xml", "text/xml", "application/pdf":
		if bytes.HasPrefix(bytes.TrimLeft(head, " \t\r\n\f"), []byte("%PDF-")) || said == "application/pdf" && (isPDF || !looksLikeHTML(head)) {
			return "application/pdf"
		}
		return "text/html"
	case "text/plain", "text/markdown", "text/x-markdown":
		return "text/plain"
	case "", "application/octet-stream", "binary/octet-stream", "application/x-download", "unknown/unknown":
	default:
		return said
	}
	switch {
	case isPDF:
		return "application/pdf"
	case looksLikeHTML(head), len(bytes.TrimSpace(head)) == 0:
		return "text/html"
	case utf8.Valid(in.Body) && bytes.IndexByte(head, 0) < 0:
		return "text/plain"
	case said == "":
		return "application/octet-stream"
	}
	return said
}

// looksLikeHTML reports whether a body begins with a tag, or nearly so.
func looksLikeHTML(head []byte) bool {
	head = bytes.TrimPrefix(head, []byte("\xEF\xBB\xBF"))
	head = bytes.ReplaceAll(bytes.TrimLeft(head, " \t\r\n\f"), []byte{0}, nil)
	return bytes.HasPrefix(head, []byte("<")) || bytes.HasPrefix(head, []byte("\xFF\xFE<")) ||
		bytes.HasPrefix(head, []byte("\xFE\xFF<")) || bytes.Contains(lowerASCII(head), []byte("<html"))
}
