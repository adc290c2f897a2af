package terms

import (
	"bytes"
	"compress/zlib"
	"context"
	"fmt"
	"io"
	"regexp"
	"strconv"
)

// What a file may ask of the library before it is read.
const (
	pdfMaxNumber   = 8 << 20   // objects, columns and entries: it allocates or counts as many
	pdfMaxUnfolded = 256 << 20 // bytes of all streams together
	pdfMaxStream   = 8 << 20   // bytes of a stream that unfolds to more than
	pdfMaxRatio    = 200       // times its size
)

var (
	pdfCounts   = regexp.MustCompile(`/(?:Size|Columns|N|Index|W)[\s\[]*([0-9]+)(?:\s+([0-9]+))?(?:\s+([0-9]+))?`)
	pdfIndirect = regexp.MustCompile(`/(?:Filter|Columns|N|Predictor|DecodeParms)\s+[0-9]+\s+[0-9]+\s+R\b`)
	pdfTwice    = regexp.MustCompile(`/Filter\s*\[[^\]]*/Flate[^\]]*/Flate`)
	pdfEscaped  = regexp.MustCompile(`/[A-Za-z]*#(?:4[1-9a-fA-F]|5[0-9aA]|6[1-9a-fA-F]|7[0-9aA])`)
	pdfSections = regexp.MustCompile(`(?m)^\s*([0-9]{8,})\s+[0-9]+\s*$|^\s*[0-9]+\s+([0-9]{8,})\s*$`)
)

// pdfHarmless looks through a file for what would make the library allocate or
// loop without bound: counts beyond any use, streams that unfold to hundreds of
// times their size, and the spellings that hide these.
func pdfHarmless(ctx context.Context, body []byte) error {
	if len(body) > pdfLibraryBody {
		return errPDF(fmt.Sprintf("larger than %d MiB", pdfLibraryBody>>20))
	}
	unfolded := int64(0)
	for rest := body; len(rest) > 0; {
		outside, stream, after := pdfNextStream(rest)
		if err := pdfOutside(outside); err != nil {
			return err
		}
		n, err := pdfUnfold(stream)
		if err != nil {
			return err
		}
		if unfolded += n; unfolded > pdfMaxUnfolded {
			return errPDF(fmt.Sprintf("unfolds to more than %d MiB", pdfMaxUnfolded>>20))
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		rest = after
	}
	return nil
}

// pdfNextStream divides a file at its next stream.
func pdfNextStream(b []byte) (outside, stream, after []byte) {
	for from := 0; ; {
		i := bytes.Index(b[from:], []byte("stream"))
		if i < 0 {
			return b, nil, nil
		}
		start := from + i + len("stream")
		from = start
		if start < len(b) && (b[start] == '\r' || b[start] == '\n') && !bytes.HasSuffix(b[:start], []byte("endstream")) {
			stream = bytes.TrimLeft(b[start:min(start+2, len(b))], "\r\n")
			body := b[start+min(2, len(b)-start)-len(stream):]
			if end := bytes.Index(body, []byte("endstream")); end >= 0 {
				return b[:start], body[:end], body[end+len("endstream"):]
			}
			return b[:start], body, nil
		}
	}
}

// pdfOutside looks at what stands outside of streams.
func pdfOutside(b []byte) error {
	for _, m := range pdfCounts.FindAllSubmatch(b, -1) {
		for _, digits := range m[1:] {
			if pdfBeyond(digits) {
				return errPDF("counts beyond any use: " + string(m[0][:min(len(m[0]), 60)]))
			}
		}
	}
	for _, m := range pdfSections.FindAllSubmatch(b, -1) {
		if pdfBeyond(m[1]) || pdfBeyond(m[2]) {
			return errPDF("a table of more objects than any file has")
		}
	}
	for _, hidden := range []*regexp.Regexp{pdfIndirect, pdfTwice, pdfEscaped} {
		if m := hidden.Find(b); m != nil {
			return errPDF("hides how large it is: " + string(m[:min(len(m), 60)]))
		}
	}
	return nil
}

func pdfBeyond(digits []byte) bool {
	if len(digits) == 0 {
		return false
	}
	n, err := strconv.Atoi(string(digits))
	return err != nil || n > pdfMaxNumber
}

// pdfUnfold returns to how many bytes a stream unfolds, 0 if it is not compressed.
func pdfUnfold(stream []byte) (int64, error) {
	z, err := zlib.NewReader(bytes.NewReader(stream))
	if err != nil {
		return 0, nil
	}
	n, _ := io.Copy(io.Discard, io.LimitReader(z, pdfMaxUnfolded+1)) // a broken end is the library's to find
	if n > pdfMaxStream && n > pdfMaxRatio*int64(len(stream)) {
		return 0, errPDF("a stream unfolds to hundreds of times its size")
	}
	return n, nil
}
