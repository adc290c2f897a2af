package evidence

import (
	"archive/zip"
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
)

// Bounds of a bundle. A range of ten years of twice a day has 14,600 files.
const (
	maxFiles = 30_000
	maxSmall = 4 << 20 // bytes of a file that is read into memory
	maxName  = 200     // bytes
)

var nameSegments = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._@+-]*(/[A-Za-z0-9][A-Za-z0-9._@+-]*){0,3}$`)

// fileName reports whether a bundle may hold a file of this name: up to four
// segments of A-Z a-z 0-9 . _ @ + -, each beginning with a letter or digit, so
// that no name leads out of a folder on any system.
func fileName(s string) bool { return len(s) <= maxName && nameSegments.MatchString(s) }

// bundle is a bundle opened for reading. Nothing is trusted that was not
// compared with SHA256SUMS.
type bundle struct {
	files map[string]*zip.File
	names []string // sorted
}

// openBundle reads the directory of a ZIP and refuses what could deceive one
// reader or another, or fill its memory: other compression than none, files that
// overlap, names that lead out of the folder, stand twice or differ by case only,
// links, a local header that says something else than the directory, and bytes
// before the first file. The error says which.
func openBundle(r io.ReaderAt, size int64) (*bundle, error) {
	z, err := zip.NewReader(r, size)
	if err != nil {
		return nil, fmt.Errorf("not a readable ZIP file: %w", err)
	}
	if len(z.File) > maxFiles {
		return nil, fmt.Errorf("%d files, at most %d are read", len(z.File), maxFiles)
	}
	b := &bundle{files: map[string]*zip.File{}}
	folded := map[string]bool{}
	for _, f := range z.File {
		if err := checkZIPFile(f); err != nil {
			return nil, fmt.Errorf("%.200q: %w", f.Name, err)
		}
		lower := strings.ToLower(f.Name)
		if folded[lower] {
			return nil, fmt.Errorf("%q stands twice", f.Name)
		}
		folded[lower] = true
		b.files[f.Name] = f
		b.names = append(b.names, f.Name)
	}
	slices.Sort(b.names)
	return b, checkLayout(r, size, z.File)
}

func checkZIPFile(f *zip.File) error {
	switch {
	case !fileName(f.Name):
		return errors.New("a name that bundles do not have")
	case !f.Mode().IsRegular():
		return errors.New("not a regular file")
	case f.Flags&1 != 0:
		return errors.New("encrypted")
	case f.Method != zip.Store || f.CompressedSize64 != f.UncompressedSize64:
		return errors.New("compressed; bundles are not, use the file as it was written")
	}
	return nil
}

// localHeader is the size in bytes of what stands before a name (APPNOTE 4.3.7).
const localHeader = 30

// checkLayout reads the local headers: files must lie one behind the other from
// the first byte on, each under the name that the directory says, and end within
// the size bytes of the ZIP.
func checkLayout(r io.ReaderAt, size int64, files []*zip.File) error {
	type placed struct {
		f     *zip.File
		start int64
	}
	var all []placed
	for _, f := range files {
		at, err := f.DataOffset()
		if err != nil {
			return fmt.Errorf("%q: %w", f.Name, err)
		}
		all = append(all, placed{f, at})
	}
	slices.SortFunc(all, func(a, b placed) int { return cmp.Compare(a.start, b.start) })
	end := int64(0)
	for _, p := range all {
		name := []byte(p.f.Name)
		if p.start != end+localHeader+int64(len(name)) {
			return fmt.Errorf("%q: does not follow the file before it; use the bundle as it was written", p.f.Name)
		}
		head := make([]byte, localHeader+len(name))
		if _, err := r.ReadAt(head, end); err != nil {
			return fmt.Errorf("%q: %w", p.f.Name, err)
		}
		if !bytes.Equal(head[localHeader:], name) || binary.LittleEndian.Uint32(head) != 0x04034b50 {
			return fmt.Errorf("%q: its local header says something else than the directory", p.f.Name)
		}
		if p.f.UncompressedSize64 > uint64(size-p.start) {
			return fmt.Errorf("%q: %d bytes are more than the file holds", p.f.Name, p.f.UncompressedSize64)
		}
		end = p.start + int64(p.f.UncompressedSize64)
	}
	return nil
}

// has reports whether there is a file of this name.
func (b *bundle) has(name string) bool { return b.files[name] != nil }

// in returns the names in a folder ("anchors/"), without those in folders of it.
func (b *bundle) in(dir string) (names []string) {
	for _, n := range b.names {
		if rest, ok := strings.CutPrefix(n, dir); ok && !strings.Contains(rest, "/") {
			names = append(names, n)
		}
	}
	return names
}

// read returns a file, nil if there is none. More than maxSmall bytes are an
// error.
func (b *bundle) read(name string) (_ []byte, err error) {
	f := b.files[name]
	if f == nil {
		return nil, nil
	}
	if f.UncompressedSize64 > maxSmall {
		return nil, fmt.Errorf("%s: %d bytes, at most %d are read", name, f.UncompressedSize64, maxSmall)
	}
	r, err := f.Open()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	data, err := io.ReadAll(io.LimitReader(r, maxSmall))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return data, nil
}

// open returns a reader of a file that is there.
func (b *bundle) open(name string) (io.ReadCloser, error) { return b.files[name].Open() }

// sum returns the SHA-256 of a file.
func (b *bundle) sum(name string) (sum [sha256.Size]byte, err error) {
	r, err := b.open(name)
	if err != nil {
		return sum, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	h := sha256.New()
	if _, err := io.Copy(h, r); err != nil {
		return sum, err
	}
	h.Sum(sum[:0])
	return sum, nil
}
