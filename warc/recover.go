package warc

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// ErrPublished says that a file was published already: its data lies whole
// under its final name.
var ErrPublished = errors.New("WARC file is published already")

// RecoverReport says what Recover found and did.
type RecoverReport struct {
	Records  int64  // whole records that stay
	GoodSize int64  // bytes that stay
	Dropped  int64  // bytes cut off behind them
	Reason   string // why reading ended there; "" if nothing was cut
	Kept     string // file that the dropped bytes were copied to, "" if there was no need
}

// Recover cuts a file that a crash left behind to its last whole record: every
// gzip member up to there was read to its end with its checksum, and holds a
// record of the length it says. The path must end in OpenSuffix: published files
// are never changed. If whole records follow behind damaged bytes (no crash
// leaves that, a bad disk does), all dropped bytes are first copied to a file
// beside it, which the report names.
func Recover(path string) (report RecoverReport, err error) {
	if !strings.HasSuffix(path, OpenSuffix) {
		return report, fmt.Errorf("recover %s: only files that end in %s are cut", path, OpenSuffix)
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return report, fmt.Errorf("recover: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if report, err = findGood(f); err != nil {
		return report, fmt.Errorf("recover %s: %w", path, err)
	}
	if report.Dropped == 0 {
		return report, nil
	}
	if report.Kept, err = keepDamaged(f, path, report); err != nil {
		return report, fmt.Errorf("recover %s: keep what follows the damage: %w", path, err)
	}
	if err := errors.Join(f.Truncate(report.GoodSize), f.Sync()); err != nil {
		return report, fmt.Errorf("recover %s: %w", path, err)
	}
	return report, nil
}

// findGood reads records until the first that is not whole.
func findGood(f *os.File) (RecoverReport, error) {
	var report RecoverReport
	info, err := f.Stat()
	if err != nil {
		return report, err
	}
	size := info.Size()
	rd := NewReader(io.NewSectionReader(f, 0, size))
	for {
		rec, err := rd.Next()
		if err == nil {
			err = rec.Finish()
		}
		if err == nil && rd.member {
			err = &FormatError{rec.Offset, "its gzip member holds several records", nil}
		}
		if _, bad := errors.AsType[*FormatError](err); bad {
			report.Reason = err.Error()
		} else if err != nil && err != io.EOF {
			return report, err
		}
		if err != nil {
			report.Dropped = size - report.GoodSize
			return report, nil
		}
		report.Records++
		report.GoodSize = rd.Offset()
	}
}

// keepDamaged copies what will be cut to a file of its own, if it holds whole
// records.
func keepDamaged(f *os.File, path string, report RecoverReport) (name string, err error) {
	end := report.GoodSize + report.Dropped
	if !holdsRecord(f, report.GoodSize+1, end) {
		return "", nil
	}
	name = fmt.Sprintf("%s.damaged-%d", strings.TrimSuffix(path, OpenSuffix), report.GoodSize)
	out, err := os.Create(name) // a repeated try begins anew
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	if _, err := copyBuffered(out, io.NewSectionReader(f, report.GoodSize, report.Dropped)); err != nil {
		return "", err
	}
	return name, errors.Join(out.Sync(), syncDir(filepath.Dir(name)))
}

// holdsRecord reports whether a whole gzip member with a record lies between
// from and end.
func holdsRecord(f *os.File, from, end int64) bool {
	const window = 64 << 10
	// ID1, ID2, method deflate, no flags (RFC 1952, section 2.3).
	magic := []byte{0x1f, 0x8b, 8, 0}
	br := bufio.NewReaderSize(io.NewSectionReader(f, from, end-from), window)
	for at := from; ; {
		ahead, err := br.Peek(window)
		step := bytes.Index(ahead, magic)
		if step < 0 && err != nil {
			return false
		}
		if step < 0 {
			step = len(ahead) - len(magic) + 1
		} else if rec, err := ReadRecord(io.NewSectionReader(f, at+int64(step), end-at-int64(step)), 0); err == nil && rec.Finish() == nil {
			return true
		} else {
			step++
		}
		n, _ := br.Discard(step) // what was peeked at
		at += int64(n)
	}
}

// OpenExisting takes up a file that was not closed: it recovers dir/name.open
// and opens it for more records. If publishing it was interrupted after it got
// its name, that is brought to an end and the error is ErrPublished.
func OpenExisting(dir, name string) (*File, RecoverReport, error) {
	path := filepath.Join(dir, name+OpenSuffix)
	if err := finishPublishing(dir, name); err != nil {
		return nil, RecoverReport{}, err
	}
	report, err := Recover(path)
	if err != nil {
		return nil, report, err
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, report, fmt.Errorf("open WARC file: %w", err)
	}
	sum := sha256.New()
	// The sync makes sure that what was read here from memory is on the disk too.
	if _, err = copyBuffered(sum, io.NewSectionReader(f, 0, report.GoodSize)); err == nil {
		err = f.Sync()
	}
	if err != nil {
		return nil, report, fmt.Errorf("open WARC file %s: %w", name, errors.Join(err, f.Close()))
	}
	return &File{dir: dir, name: name, f: f, sum: sum, size: report.GoodSize, synced: report.GoodSize, records: report.Records}, report, nil
}

func finishPublishing(dir, name string) error {
	path := filepath.Join(dir, name+OpenSuffix)
	open, err := os.Lstat(path)
	if err != nil {
		return fmt.Errorf("open WARC file: %w", err)
	}
	final, err := os.Lstat(filepath.Join(dir, name))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("open WARC file: %w", err)
	}
	if !os.SameFile(open, final) {
		return fmt.Errorf("open WARC file %s: another file has its name: %w", path, os.ErrExist)
	}
	if err := errors.Join(os.Remove(path), syncDir(dir)); err != nil {
		return fmt.Errorf("finish publishing %s: %w", name, err)
	}
	return fmt.Errorf("open WARC file %s: %w", name, ErrPublished)
}
