package terms

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
)

// Bounds of the reading of one PDF. What goes beyond is not read at all: half a
// text would look like a change.
const (
	pdfMaxPages = 5000
	pdfMaxLines = 400_000
	pdfMaxText  = 16 << 20 // bytes
)

// pdfLine is a line of text as it stands on a page, in points. y grows downwards.
type pdfLine struct {
	x0, y0, x1, y1 float64
	first          float64 // width of its first word
	text           string
}

// size is the height of the line, close to the size of its font.
func (l *pdfLine) size() float64 { return l.y1 - l.y0 }

// pdfSheet is one page of the file with its lines in reading order.
type pdfSheet struct {
	width, height float64
	lines         []pdfLine
}

// pdfFile is what either reader finds in a PDF.
type pdfFile struct {
	title  string
	sheets []pdfSheet
}

// errPDF says that a file cannot be read, for a reason that lies in the file. It
// becomes a Problem, other errors are ours.
type errPDF string

func (e errPDF) Error() string { return string(e) }

// extractPDF makes the text of a PDF: by pdftotext of Poppler if that is found on
// PATH, else by the library that is linked, from the positions of the glyphs and
// with ProblemLowConfidence. Either way the same rules make paragraphs of lines
// (see pdfBlocks). The error is ctx's, or says why pdftotext could not be run.
func extractPDF(ctx context.Context, in Input) (*Text, *Page, error) {
	tool, err := findPDFTool(ctx)
	if err != nil {
		return nil, nil, err
	}
	return extractPDFBy(ctx, in, tool)
}

// extractPDFBy does the same with the given pdftotext, or the library if tool is
// nil.
func extractPDFBy(ctx context.Context, in Input, tool *pdfTool) (*Text, *Page, error) {
	text := &Text{Extractor: ExtractorVersion + "+" + tool.name()}
	page := &Page{Mime: "application/pdf", Charset: "utf-8", Lang: in.Language}
	var file *pdfFile
	var err error
	if tool != nil {
		file, err = tool.read(ctx, in.Body)
	} else {
		page.Problems = append(page.Problems, Problem{ProblemLowConfidence, "read without pdftotext: words and paragraphs may be joined or divided wrongly"})
		file, err = readPDFLibrary(ctx, in.Body)
	}
	if ctx.Err() != nil {
		return nil, nil, ctx.Err()
	}
	if unreadable, ok := errors.AsType[errPDF](err); ok {
		page.Problems = append(page.Problems, Problem{ProblemUnreadable, string(unreadable)})
		return text, page, nil
	}
	if err != nil {
		return nil, nil, err
	}
	page.Title, text.Title = file.title, file.title
	text.Blocks = pdfBlocks(file.sheets)
	if len(text.Blocks) == 0 {
		page.Problems = append(page.Problems, Problem{ProblemScanned, fmt.Sprintf("%d pages without text", len(file.sheets))})
	}
	showPlain(page, text)
	return text, page, nil
}

// showPlain fills what a page shows of a text that has no markup around it.
func showPlain(p *Page, t *Text) {
	plain := t.Plain()
	for i := range plain {
		if p.Visible == 2000 {
			p.Opening = plain[:i]
		}
		p.Visible++
	}
	if p.Visible <= 2000 {
		p.Opening = plain
	}
}

// pdfClean brings the text of a line into the form of Block.Text. Ligatures become
// letters, for a search finds no "ﬁ", and what a font gives no character for a
// space.
func pdfClean(s string) string {
	return plainClean(strings.ReplaceAll(pdfLigatures.Replace(s), "\uFFFD", " "))
}

// pdfLigatures is Unicode's block Alphabetic Presentation Forms, as far as fonts
// name its Latin glyphs.
var pdfLigatures = strings.NewReplacer("ﬀ", "ff", "ﬁ", "fi", "ﬂ", "fl", "ﬃ", "ffi", "ﬄ", "ffl", "ﬅ", "st", "ﬆ", "st")

// findPDFTool returns the pdftotext of Poppler on PATH, nil if there is none.
func findPDFTool(ctx context.Context) (*pdfTool, error) {
	path, err := exec.LookPath("pdftotext")
	if err != nil {
		return nil, nil
	}
	return newPDFTool(ctx, path)
}
