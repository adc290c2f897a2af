package terms

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/ledongthuc/pdf"
)

// pdfLibraryVersion is the version of github.com/ledongthuc/pdf in go.mod.
const pdfLibraryVersion = "v0.0.0-20260907135840-6c8c28e0e8a0"

// Bounds of a reading by the library. It cannot be stopped from outside: what it
// reads the file through stops it, and what it would unfold is looked at before
// (see pdfHarmless).
const (
	pdfLibraryTime = 60 * time.Second
	pdfLibraryBody = 64 << 20 // bytes
	pdfLibraryRead = 600      // times the size of the file, and 4 MiB: four times what real files need
	pdfMaxDepth    = 32       // of the page tree, and of forms within forms
)

// pdfSource is the file as the library reads it. It panics with errPDF when the
// time is over or far more was read than a sound file needs: that ends loops in the
// structure of the file.
type pdfSource struct {
	ctx  context.Context
	body *bytes.Reader
	left int64
}

// ReadAt reads from memory.
func (s *pdfSource) ReadAt(p []byte, off int64) (int, error) {
	s.left -= int64(len(p))
	if s.left < 0 {
		panic(errPDF("refers to itself"))
	}
	s.check()
	if off < 0 {
		return 0, io.EOF
	}
	return s.body.ReadAt(p, off)
}

// check ends a reading whose time is over.
func (s *pdfSource) check() {
	if err := s.ctx.Err(); err != nil {
		panic(errPDF(fmt.Sprintf("takes longer than %s to read", pdfLibraryTime)))
	}
}

// readPDFLibrary reads a file by the library. Whatever it stumbles over makes the
// file unreadable.
func readPDFLibrary(ctx context.Context, body []byte) (file *pdfFile, err error) {
	ctx, cancel := context.WithTimeout(ctx, pdfLibraryTime)
	defer cancel()
	if err := pdfHarmless(ctx, body); err != nil {
		return nil, err
	}
	defer func() {
		if x := recover(); x != nil {
			file, err = nil, pdfPanic(x)
		}
	}()
	src := &pdfSource{ctx, bytes.NewReader(body), int64(len(body))*pdfLibraryRead + 4<<20}
	r, err := pdf.NewReader(src, int64(len(body)))
	if err != nil {
		if errors.Is(err, pdf.ErrInvalidPassword) {
			return nil, errPDF("encrypted")
		}
		return nil, errPDF(err.Error())
	}
	file = &pdfFile{title: pdfClean(r.Trailer().Key("Info").Key("Title").Text())}
	var pages []pdf.Value
	pdfPages(r.Trailer().Key("Root").Key("Pages"), 0, &pages)
	if len(pages) == 0 {
		return nil, errPDF("has no pages")
	}
	total := 0
	for _, p := range pages {
		drawn := &pdfDrawn{src: src, fonts: map[string]*pdfFont{}, left: pdfMaxText - total}
		sheet := drawn.page(p)
		for i := range sheet.lines {
			total += len(sheet.lines[i].text) + 1
		}
		file.sheets = append(file.sheets, sheet)
	}
	return file, nil
}

// pdfPanic makes a reason of what the library, or a bound, panicked with.
func pdfPanic(x any) error {
	if e, ok := x.(errPDF); ok {
		return e
	}
	return errPDF(fmt.Sprintf("malformed: %v", x))
}

// pdfPages lists the pages of a page tree in their order.
func pdfPages(node pdf.Value, depth int, pages *[]pdf.Value) {
	kids := node.Key("Kids")
	if kids.Kind() != pdf.Array {
		if node.Kind() == pdf.Dict && node.Key("Type").Name() != "Pages" {
			*pages = append(*pages, node)
		}
		return
	}
	if depth > pdfMaxDepth {
		panic(errPDF("page tree too deep"))
	}
	for i := range kids.Len() {
		if len(*pages) >= pdfMaxPages {
			panic(pdfTooLarge())
		}
		pdfPages(kids.Index(i), depth+1, pages)
	}
}

// pdfInherited finds an attribute of a page that may stand at a node above it.
func pdfInherited(page pdf.Value, key string) pdf.Value {
	for range pdfMaxDepth {
		if v := page.Key(key); !v.IsNull() {
			return v
		}
		page = page.Key("Parent")
	}
	return pdf.Value{}
}
