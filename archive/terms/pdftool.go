package terms

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"html"
	"io"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// pdfTool is pdftotext of Poppler. Its version is part of what it makes.
type pdfTool struct {
	path    string
	version string
}

// Bounds of one run of pdftotext.
const (
	pdfToolTime   = 60 * time.Second
	pdfToolOutput = 512 << 20 // bytes; a word takes about 100
	// pdfToolLimits bounds the processor time in seconds and the address space in
	// KiB, where a shell can: a few kilobytes of PDF may unfold to any size.
	pdfToolLimits = `ulimit -t 30; ulimit -v 2097152; exec "$0" "$@"`
)

// pdfToolVersion finds the version in what Poppler's pdftotext says of itself.
// That of Xpdf has the same name, but other options.
var pdfToolVersion = regexp.MustCompile(`(?s)^pdftotext version ([0-9][0-9A-Za-z.]*)\s.*Poppler`)

// newPDFTool asks a program for its version. It returns nil if it is not
// Poppler's.
func newPDFTool(ctx context.Context, path string) (*pdfTool, error) {
	ctx, cancel := context.WithTimeout(ctx, pdfToolTime)
	defer cancel()
	out, err := exec.CommandContext(ctx, path, "-v").CombinedOutput()
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if m := pdfToolVersion.FindSubmatch(out); m != nil {
		return &pdfTool{path, string(m[1])}, nil
	}
	if err != nil && len(out) == 0 {
		return nil, fmt.Errorf("ask %s for its version (reinstall poppler-utils, or take it off PATH): %w", path, err)
	}
	return nil, nil
}

// name is the part of a text's extractor. Of a nil tool it is the library's.
func (t *pdfTool) name() string {
	if t == nil {
		return "ledongthuc " + pdfLibraryVersion
	}
	return "pdftotext " + t.version
}

// read runs pdftotext on a file and reads words with their places from it. The
// file goes in by a pipe: nothing a site sent is written to a disk.
func (t *pdfTool) read(ctx context.Context, body []byte) (*pdfFile, error) {
	ctx, cancel := context.WithTimeout(ctx, pdfToolTime)
	defer cancel()
	cmd := t.command(ctx)
	cmd.Stdin = bytes.NewReader(body)
	complaint := &pdfTail{}
	cmd.Stderr = complaint
	cmd.WaitDelay = time.Second
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("run %s: %w", t.path, err)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("run %s: %w", t.path, err)
	}
	file, parseErr := parsePDFWords(io.LimitReader(out, pdfToolOutput))
	if parseErr != nil {
		cancel()
	}
	waitErr := cmd.Wait()
	if parseErr != nil {
		return nil, parseErr
	}
	if waitErr == nil {
		return file, nil
	}
	if ctx.Err() != nil {
		return nil, errPDF(fmt.Sprintf("pdftotext took longer than %s", pdfToolTime))
	}
	if exit, ok := errors.AsType[*exec.ExitError](waitErr); ok {
		return nil, errPDF(fmt.Sprintf("pdftotext: %s%s", exit, complaint))
	}
	return nil, fmt.Errorf("run %s: %w", t.path, waitErr)
}

// command is the run, inside a shell that sets limits if the system has one.
func (t *pdfTool) command(ctx context.Context) *exec.Cmd {
	args := []string{"-q", "-enc", "UTF-8", "-bbox-layout", "-", "-"}
	shell, err := exec.LookPath("sh")
	if err != nil {
		return exec.CommandContext(ctx, t.path, args...)
	}
	return exec.CommandContext(ctx, shell, append([]string{"-c", pdfToolLimits, t.path}, args...)...)
}

// pdfTail keeps the beginning of what a program complains about.
type pdfTail struct{ b []byte }

// Write keeps up to 300 bytes.
func (t *pdfTail) Write(p []byte) (int, error) {
	t.b = append(t.b, p[:min(len(p), 300-len(t.b))]...)
	return len(p), nil
}

// String is the complaint on one line, after a colon, "" if there is none.
func (t *pdfTail) String() string {
	if s := pdfClean(strings.ToValidUTF8(string(t.b), "")); s != "" {
		return ": " + s
	}
	return ""
}

// pdfAttr finds the attributes of an element that pdftotext writes.
var pdfAttr = regexp.MustCompile(`([A-Za-z]+)="(-?[0-9.]+)"`)

// parsePDFWords reads what `pdftotext -bbox-layout` writes: an element a line,
// <page width height>, <line> with the <word xMin yMin xMax yMax>…</word> in it.
func parsePDFWords(r io.Reader) (*pdfFile, error) {
	file := &pdfFile{}
	words, lines, size := []pdfLine(nil), 0, 0
	in := bufio.NewScanner(r)
	in.Buffer(make([]byte, 0, 64<<10), pdfMaxText)
	for in.Scan() {
		s := strings.TrimSpace(in.Text())
		switch {
		case strings.HasPrefix(s, "<title>"):
			title, _, _ := strings.Cut(s[len("<title>"):], "</title>")
			file.title = pdfClean(html.UnescapeString(title))
		case strings.HasPrefix(s, "<page "):
			at := pdfAttrs(s)
			file.sheets = append(file.sheets, pdfSheet{width: at["width"], height: at["height"]})
		case strings.HasPrefix(s, "<line "):
			words = words[:0]
		case strings.HasPrefix(s, "<word "):
			tag, text, _ := strings.Cut(s, ">")
			at := pdfAttrs(tag)
			text = html.UnescapeString(strings.TrimSuffix(text, "</word>"))
			words = append(words, pdfLine{x0: at["xMin"], y0: at["yMin"], x1: at["xMax"], y1: at["yMax"], text: text})
			size += len(text) + 1
		case s == "</line>" && len(file.sheets) > 0:
			sheet := &file.sheets[len(file.sheets)-1]
			if l := pdfJoinWords(words); l.text != "" {
				sheet.lines = append(sheet.lines, l)
				lines++
			}
		}
		if len(file.sheets) > pdfMaxPages || lines > pdfMaxLines || size > pdfMaxText {
			return nil, pdfTooLarge()
		}
	}
	if err := in.Err(); err != nil {
		return nil, errPDF("a word longer than any text: " + err.Error())
	}
	return file, nil
}

func pdfTooLarge() error {
	return errPDF(fmt.Sprintf("more than %d pages, %d lines or %d bytes of text", pdfMaxPages, pdfMaxLines, pdfMaxText))
}

// pdfAttrs returns the numbers among the attributes of a tag.
func pdfAttrs(tag string) map[string]float64 {
	at := map[string]float64{}
	for _, m := range pdfAttr.FindAllStringSubmatch(tag, -1) {
		if n, err := strconv.ParseFloat(m[2], 64); err == nil {
			at[m[1]] = n
		}
	}
	return at
}

// pdfJoinWords makes a line of its words. Its height is that of most of its
// characters: a small mark or a large initial does not count.
func pdfJoinWords(words []pdfLine) pdfLine {
	var l pdfLine
	var text strings.Builder
	most := map[float64]int{}
	for i, w := range words {
		if i == 0 {
			l = w
			l.first = w.x1 - w.x0
		} else {
			text.WriteByte(' ')
		}
		text.WriteString(w.text)
		l.x0, l.x1 = min(l.x0, w.x0), max(l.x1, w.x1)
		key := float64(int(10*w.size())) / 10
		most[key] += len(w.text)
		if n := most[key]; n > most[float64(int(10*l.size()))/10] || (n == most[float64(int(10*l.size()))/10] && w.size() > l.size()) {
			l.y0, l.y1 = w.y0, w.y1
		}
	}
	l.text = pdfClean(text.String())
	return l
}
