package terms

import (
	"bytes"
	"compress/zlib"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/text/unicode/norm"
)

// pdfMade builds a PDF of pages with these contents, in Helvetica as /F1 and, as
// /F2, a font with codes of two bytes that stand for themselves in UTF-16. extra are
// objects from number 7 on; trailer is put into the trailer.
func pdfMade(contents []string, trailer string, extra ...string) []byte {
	objects := []string{
		"<< /Type /Catalog /Pages 2 0 R >>", "",
		"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding /FirstChar 32 /LastChar 126 /Widths [" + strings.Repeat("500 ", 95) + "] >>",
		"<< /Type /Font /Subtype /Type0 /BaseFont /Made /Encoding /Identity-H /DescendantFonts [5 0 R] /ToUnicode 6 0 R >>",
		"<< /Type /Font /Subtype /CIDFontType2 /BaseFont /Made /CIDSystemInfo << /Registry (Adobe) /Ordering (Identity) /Supplement 0 >> /DW 1000 /W [0 [500] 1 3 600] >>",
		pdfStream("", "/CIDInit /ProcSet findresource begin 12 dict begin begincmap /CMapName /X def /CMapType 2 def 1 begincodespacerange <0000> <FFFF> endcodespacerange 2 beginbfchar <6761> <6761> <6B3E> <6B3E> endbfchar 1 beginbfrange <4E00> <4EFF> <4E00> endbfrange endcmap end end"),
	}
	objects = append(objects, extra...)
	var kids []string
	for _, c := range contents {
		n := len(objects) + 1
		kids = append(kids, fmt.Sprintf("%d 0 R", n))
		objects = append(objects,
			fmt.Sprintf("<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 800] /Resources << /Font << /F1 3 0 R /F2 4 0 R >> >> /Contents %d 0 R >>", n+1),
			pdfStream("", c))
	}
	objects[1] = fmt.Sprintf("<< /Type /Pages /Count %d /Kids [%s] >>", len(kids), strings.Join(kids, " "))
	var b bytes.Buffer
	b.WriteString("%PDF-1.4\n")
	var at []int
	for i, o := range objects {
		at = append(at, b.Len())
		fmt.Fprintf(&b, "%d 0 obj\n%s\nendobj\n", i+1, o)
	}
	start := b.Len()
	fmt.Fprintf(&b, "xref\n0 %d\n0000000000 65535 f \n", len(objects)+1)
	for _, offset := range at {
		fmt.Fprintf(&b, "%010d 00000 n \n", offset)
	}
	fmt.Fprintf(&b, "trailer\n<< /Size %d /Root 1 0 R %s >>\nstartxref\n%d\n%%%%EOF\n", len(objects)+1, trailer, start)
	return b.Bytes()
}

func pdfStream(dict, data string) string {
	return fmt.Sprintf("<< %s /Length %d >>\nstream\n%s\nendstream", dict, len(data), data)
}

// pdfText is the content stream of lines: size, x, y from above, text.
func pdfText(lines ...any) string {
	var b strings.Builder
	for i := 0; i < len(lines); i += 4 {
		s := strings.NewReplacer(`\`, `\\`, "(", `\(`, ")", `\)`).Replace(lines[i+3].(string))
		fmt.Fprintf(&b, "BT /F1 %v Tf 1 0 0 1 %v %d Tm (%s) Tj ET\n", lines[i], lines[i+1], 800-lines[i+2].(int), s)
	}
	return b.String()
}

// pdfTerms is a document of three pages: headings, paragraphs of several lines, one
// that goes on over the end of a page, a divided word, lists, and running lines.
func pdfTerms() []byte {
	page := func(n int, lines ...any) string {
		lines = append([]any{9, 60, 30, "Example Terms v3"}, lines...)
		return pdfText(append(lines, 9, 280, 780, fmt.Sprintf("Page %d of 3", n))...)
	}
	return pdfMade([]string{
		page(1, 20, 60, 90, "Terms of Service",
			10, 60, 130, "These terms are a contract between you and the company that runs the service, so read it",
			10, 60, 142, "whole before you begin.",
			10, 60, 170, "We keep what you send us as long as your account exists, and delete it afterwards by over-",
			10, 60, 182, "writing it. The last line of a page may stop in the middle of a sentence that continues on",
			10, 60, 194, "the next one as this line of text shows, for a page holds only so many of them, and then a"),
		page(2, 10, 60, 90, "sentence goes on there.",
			10, 60, 130, "1 RIGHTS",
			10, 60, 158, "You may:",
			10, 70, 172, "- read,",
			10, 70, 184, "- overwriting.",
			10, 60, 210, "a) first, an item that is longer than a line of this page is wide, so that it goes on below",
			10, 72, 222, "it, and",
			10, 60, 234, "b) second."),
		page(3, 10, 60, 90, "BT is no operator (here).", 10, 60, 120, "END"),
	}, "")
}

// pdfReaders runs a test with pdftotext and with the library.
func pdfReaders(t *testing.T, test func(t *testing.T, read func(body []byte) (*Text, *Page))) {
	tool, err := findPDFTool(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	with := func(tool *pdfTool) func(t *testing.T) {
		return func(t *testing.T) {
			if tool == nil && strings.HasSuffix(t.Name(), "pdftotext") {
				t.Skip("pdftotext of Poppler is not on PATH: install poppler-utils")
			}
			test(t, func(body []byte) (*Text, *Page) {
				t.Helper()
				text, page, err := extractPDFBy(t.Context(), Input{Body: body}, tool)
				if err != nil {
					t.Fatal(err)
				}
				return text, page
			})
		}
	}
	t.Run("pdftotext", with(tool))
	t.Run("library", with(nil))
}

func TestPDF(t *testing.T) {
	want := []Block{
		{Kind: Paragraph, Text: "Example Terms v3"},
		{Kind: Heading, Level: 1, Text: "Terms of Service"},
		{Kind: Paragraph, Text: "These terms are a contract between you and the company that runs the service, so read it whole before you begin."},
		{Kind: Paragraph, Text: "We keep what you send us as long as your account exists, and delete it afterwards by overwriting it. The last line of a page may stop in the middle of a sentence that continues on the next one as this line of text shows, for a page holds only so many of them, and then a sentence goes on there."},
		{Kind: Heading, Level: 2, Text: "1 RIGHTS"},
		{Kind: Paragraph, Text: "You may:"},
		{Kind: Item, Level: 1, Text: "read,"},
		{Kind: Item, Level: 1, Text: "overwriting."},
		{Kind: Item, Level: 1, Marker: "a)", Text: "first, an item that is longer than a line of this page is wide, so that it goes on below it, and"},
		{Kind: Item, Level: 1, Marker: "b)", Text: "second."},
		{Kind: Paragraph, Text: "BT is no operator (here)."},
		{Kind: Heading, Level: 2, Text: "END"},
	}
	pdfReaders(t, func(t *testing.T, read func([]byte) (*Text, *Page)) {
		text, page := read(pdfTerms())
		if d := cmp.Diff(want, text.Blocks); d != "" {
			t.Errorf("blocks (-want +got):\n%s", d)
		}
		if page.Mime != "application/pdf" || page.Visible < 500 {
			t.Errorf("page = %+v, want a PDF with its characters counted", page)
		}
		again, _ := read(pdfTerms())
		if d := cmp.Diff(text, again); d != "" {
			t.Errorf("another text at the second reading:\n%s", d)
		}
	})
}

func TestPDFCompositeFont(t *testing.T) {
	content := "BT /F2 10 Tf 1 0 0 1 60 700 Tm <4E006761> Tj ET BT /F2 10 Tf 1 0 0 1 60 688 Tm [<6B3E> -20 <4E01>] TJ ET"
	pdfReaders(t, func(t *testing.T, read func([]byte) (*Text, *Page)) {
		text, _ := read(pdfMade([]string{content}, ""))
		if got := strings.Join(strings.Fields(text.Plain()), ""); got != "一条款丁" {
			t.Errorf("text = %q, want 一条款丁", got)
		}
	})
}

func TestPDFExtractorNamesTool(t *testing.T) {
	pdfReaders(t, func(t *testing.T, read func([]byte) (*Text, *Page)) {
		text, page := read(pdfTerms())
		name, low := "pdftotext ", false
		if strings.HasSuffix(t.Name(), "library") {
			name, low = "ledongthuc v0.", true
		}
		if !strings.HasPrefix(text.Extractor, ExtractorVersion+"+"+name) {
			t.Errorf("Extractor = %q, want %s+%s…", text.Extractor, ExtractorVersion, name)
		}
		if got := hasProblem(page, ProblemLowConfidence); got != low {
			t.Errorf("low confidence = %v, want %v", got, low)
		}
	})
}

// Without pdftotext on PATH the library reads.
func TestPDFWithoutTool(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	text, page, err := extractPDF(t.Context(), Input{Body: pdfTerms()})
	if err != nil {
		t.Fatal(err)
	}
	if !hasProblem(page, ProblemLowConfidence) || len(text.Blocks) == 0 {
		t.Errorf("got %d blocks and %v, want a text of low confidence", len(text.Blocks), page.Problems)
	}
}

func hasProblem(p *Page, code string) bool {
	return slices.ContainsFunc(p.Problems, func(q Problem) bool { return q.Code == code })
}

func TestPDFUnreadable(t *testing.T) {
	sound := pdfTerms()
	encrypted := pdfMade([]string{pdfText(10, 60, 100, "secret")},
		"/ID [<00112233445566778899AABBCCDDEEFF> <00112233445566778899AABBCCDDEEFF>] /Encrypt << /Filter /Standard /V 1 /R 2 /O <"+strings.Repeat("28", 32)+"> /U <"+strings.Repeat("00", 32)+"> /P -4 >>")
	for name, c := range map[string]struct {
		body []byte
		code string
	}{
		"no bytes":     {nil, ProblemUnreadable},
		"HTML":         {[]byte("<html>no PDF</html>"), ProblemUnreadable},
		"cut":          {sound[:len(sound)/8], ProblemUnreadable},
		"encrypted":    {encrypted, ProblemUnreadable},
		"without text": {pdfMade([]string{"1 0 0 1 0 0 cm 10 10 100 100 re f"}, ""), ProblemScanned},
	} {
		t.Run(name, func(t *testing.T) {
			pdfReaders(t, func(t *testing.T, read func([]byte) (*Text, *Page)) {
				text, page := read(c.body)
				if len(text.Blocks) > 0 || !hasProblem(page, c.code) {
					t.Errorf("got %d blocks and %v, want none and %s", len(text.Blocks), page.Problems, c.code)
				}
			})
		})
	}
}

func TestPDFCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, tool := range []*pdfTool{nil, {path: "/bin/false"}} {
		if _, _, err := extractPDFBy(ctx, Input{Body: pdfTerms()}, tool); !errors.Is(err, context.Canceled) {
			t.Errorf("extractPDFBy(%v) = %v, want %v", tool, err, context.Canceled)
		}
	}
}

// deflated is n zero bytes as a compressed stream: a thousandth of them.
func deflated(t *testing.T, n int) string {
	var b bytes.Buffer
	w := zlib.NewWriter(&b)
	if _, err := w.Write(make([]byte, n)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// What would make the library allocate or loop without bound is not given to it.
func TestPDFHostile(t *testing.T) {
	sound := string(pdfTerms())
	for name, body := range map[string]string{
		"stream that unfolds":   strings.Replace(sound, "endobj", "endobj\n99 0 obj\n"+pdfStream("/Filter /FlateDecode", deflated(t, 2*pdfMaxStream))+"\nendobj", 1),
		"table of all numbers":  strings.Replace(sound, "xref\n0 ", "xref\n0 4000000000\n0 ", 1),
		"objects without end":   strings.Replace(sound, "/Size ", "/Size 9", 1) + "/Size 99999999",
		"count without end":     sound + "<< /Type /ObjStm /N 9000000000000000000 /First 9 >>",
		"widths":                sound + "<< /W [4000000000 4000000000 1] >>",
		"hidden filter":         sound + "<< /Filter 7 0 R >>",
		"folded twice":          sound + "<< /Filter [/FlateDecode /FlateDecode] >>",
		"hidden name":           sound + "<< /F#69lter /FlateDecode >>",
		"table that goes round": strings.Replace(sound, "/Root", "/Prev "+sound[strings.LastIndex(sound, "startxref")+10:strings.LastIndex(sound, "%%EOF")-1]+" /Root", 1),
	} {
		t.Run(name, func(t *testing.T) {
			text, page, err := extractPDFBy(t.Context(), Input{Body: []byte(body)}, nil)
			if err != nil {
				t.Fatal(err)
			}
			if len(text.Blocks) > 0 || !hasProblem(page, ProblemUnreadable) {
				t.Errorf("got %d blocks and %v, want none and unreadable", len(text.Blocks), page.Problems)
			}
		})
	}
}

// Forms that draw themselves and pages that are their own children end.
func TestPDFCircular(t *testing.T) {
	form := pdfStream("/Type /XObject /Subtype /Form /BBox [0 0 9 9] /Resources << /XObject << /X 7 0 R >> >>", "/X Do /X Do /X Do /X Do")
	body := pdfMade([]string{"/X Do"}, "", form)
	body = bytes.Replace(body, []byte("/Resources << /Font"), []byte("/Resources << /XObject << /X 7 0 R >> /Font"), 1)
	_, page, err := extractPDFBy(t.Context(), Input{Body: pdfAgain(body)}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if !hasProblem(page, ProblemUnreadable) {
		t.Errorf("problems = %v, want unreadable", page.Problems)
	}
}

// pdfAgain writes the table of objects of a file that was edited anew.
func pdfAgain(body []byte) []byte {
	end := bytes.Index(body, []byte("trailer"))
	start := bytes.LastIndex(body[:end], []byte("xref\n0 "))
	var b bytes.Buffer
	b.Write(body[:start])
	n := bytes.Count(body[:start], []byte(" 0 obj\n"))
	fmt.Fprintf(&b, "xref\n0 %d\n0000000000 65535 f \n", n+1)
	for i := range n {
		fmt.Fprintf(&b, "%010d 00000 n \n", bytes.Index(body, fmt.Appendf(nil, "%d 0 obj\n", i+1)))
	}
	trailer, _, _ := bytes.Cut(body[end:], []byte("startxref"))
	fmt.Fprintf(&b, "%sstartxref\n%d\n%%%%EOF\n", trailer, start)
	return b.Bytes()
}

// pdfSoundBlocks checks what every block promises.
func pdfSoundBlocks(t *testing.T, text *Text) {
	t.Helper()
	for _, b := range text.Blocks {
		if b.Text == "" || b.Text != strings.Join(strings.Fields(b.Text), " ") || !norm.NFC.IsNormalString(b.Text) {
			t.Errorf("block %q is not one clean line", b.Text)
		}
	}
}

func FuzzPDFLibrary(f *testing.F) {
	f.Add(pdfTerms())
	f.Add(pdfMade([]string{"BT /F2 10 Tf (\x4e\x00) Tj ET q Q Q BI ID EI"}, ""))
	f.Add([]byte("%PDF-1.4\nxref\n0 1\ntrailer <<>>\nstartxref\n9\n%%EOF"))
	f.Fuzz(func(t *testing.T, body []byte) {
		text, _, err := extractPDFBy(t.Context(), Input{Body: body}, nil)
		if err != nil {
			t.Fatal(err)
		}
		pdfSoundBlocks(t, text)
	})
}

func FuzzPDFWords(f *testing.F) {
	f.Add("<page width=\"600\" height=\"800\">\n<line >\n<word xMin=\"60\" yMin=\"20\" xMax=\"90\" yMax=\"30\">A&amp;B</word>\n<word xMin=\"95\" yMin=\"20\" xMax=\"99\" yMax=\"30\">-</word>\n</line>\n<line >\n<word xMin=\"1\" yMin=\"31\" xMax=\"9\" yMax=\"41\">1.</word>\n</line>\n")
	f.Add("<word>\n</line>\n<page >\n</line>\n<line xMin=\"-9999999999\">\n<word xMin=\"1\">\x00</word>\n</line>")
	f.Fuzz(func(t *testing.T, out string) {
		file, err := parsePDFWords(strings.NewReader(out))
		if err != nil {
			return
		}
		words := 0
		for _, s := range file.sheets {
			words += len(s.lines)
		}
		blocks := pdfBlocks(file.sheets)
		if len(blocks) > words {
			t.Errorf("%d blocks of %d lines", len(blocks), words)
		}
		pdfSoundBlocks(t, &Text{Blocks: blocks})
	})
}
