package evidence

import (
	"archive/zip"
	"crypto/sha256"
	"fmt"
	"io"
	"strings"
)

// waczWARC is where WriteWACZ puts the records.
const waczWARC = "archive/data.warc.gz"

// sameWARC reports whether the records in a WACZ are those of the bundle, and no
// others: a replay program shows all that stands in archive/.
func (v *verifier) sameWARC(r *io.SectionReader) (bool, error) {
	z, err := zip.NewReader(r, r.Size())
	if err != nil {
		return false, err
	}
	want, err := v.bundle.section(nameWARC)
	if err != nil {
		return false, err
	}
	same := false
	for _, f := range z.File {
		folder, name, _ := strings.Cut(f.Name, "/")
		if !strings.EqualFold(folder, "archive") || name == "" {
			continue
		}
		if same, err = sameFile(f, want); err != nil || !same {
			return false, err
		}
	}
	if !same {
		return false, fmt.Errorf("no %s", waczWARC)
	}
	return true, nil
}

// sameFile reports whether a file of a WACZ is the one with the records of want.
func sameFile(f *zip.File, want *io.SectionReader) (bool, error) {
	if f.Name != waczWARC || f.UncompressedSize64 != uint64(want.Size()) {
		return false, nil
	}
	in, err := f.Open()
	if err != nil {
		return false, err
	}
	defer in.Close() // only read
	a, b := sha256.New(), sha256.New()
	if _, err := io.Copy(a, in); err != nil {
		return false, err
	}
	if _, err := io.Copy(b, want); err != nil {
		return false, err
	}
	return string(a.Sum(nil)) == string(b.Sum(nil)), nil
}
