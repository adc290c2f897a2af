package warc

import (
	"bufio"
	"crypto/sha256"
	"encoding"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// OpenSuffix ends the name of a WARC file that is still written.
const OpenSuffix = ".open"

// ErrBroken says that a file takes no more records: an earlier write or sync
// left it in a state that could not be mended. What was synced before is safe;
// Recover makes the file whole again.
var ErrBroken = errors.New("WARC file is broken, no more records can be written to it")

// errClosed is returned for a file that was closed.
var errClosed = errors.New("WARC file is closed")

// FileName returns the name of a published WARC file: run id, time of creation
// in UTC and a serial number within the run. Run ids are unique, so are names.
func FileName(run string, t time.Time, serial int) string {
	return fmt.Sprintf("fineprint-%s-%s-%05d.warc.gz", run, t.UTC().Format("20060102150405"), serial)
}

// FileTime returns the time in a name that FileName made.
func FileTime(name string) (time.Time, error) {
	base, ok := strings.CutSuffix(name, ".warc.gz")
	parts := strings.Split(base, "-")
	if ok && len(parts) >= 4 && parts[0] == "fineprint" {
		if t, err := time.Parse("20060102150405", parts[len(parts)-2]); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("file name %q is not of the form fineprint-<run>-<time>-<serial>.warc.gz", name)
}

// Sum reads a published file from beginning to end and describes it as Close
// did. A file that is not whole records throughout is an error.
func Sum(path string) (_ Summary, err error) {
	f, err := os.Open(path)
	if err != nil {
		return Summary{}, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	h := sha256Pool.get()
	defer sha256Pool.put(h)
	s := Summary{Name: filepath.Base(path)}
	rd := NewReader(io.TeeReader(f, h))
	for _, err := range rd.Records() {
		if err != nil {
			return Summary{}, fmt.Errorf("sum %s: %w", path, err)
		}
		s.Records++
	}
	s.Size, s.SHA256 = rd.Offset(), h.digest()
	return s, nil
}

// File is a WARC file that is being written: gzip members one behind the other
// in <name>.open, which Close publishes as <name>. It may be used from several
// goroutines. A crash at any moment leaves whole members, of which those that
// were synced are safe, and possibly the beginning of one more; Recover cuts
// that off.
type File struct {
	dir, name string

	mu      sync.Mutex // guards all below; held while members are written
	f       *os.File
	size    int64     // end of the last whole member, in bytes
	records int64     // number of members
	sum     hash.Hash // SHA-256 of the first size bytes
	saved   []byte    // state of sum before the members that are being written
	broken  error     // why nothing more can be written; wraps ErrBroken or errClosed

	syncMu sync.Mutex // guards the two below; held during an fsync; taken before mu
	synced int64      // bytes that are durable
	shared int        // callers that the last fsync served beside the one that made it
}

// Placed says where a member lies.
type Placed struct {
	Offset int64  // in the file, in bytes
	Length int64  // of the gzip member, in bytes
	SHA256 Digest // of the decompressed member
}

// Summary describes a published file.
type Summary struct {
	Name    string
	Size    int64 // bytes
	SHA256  Digest
	Records int64
}

// Create begins the file dir/name.open. It is an error (os.ErrExist) if it
// exists or dir/name was published already.
func Create(dir, name string) (*File, error) {
	if _, err := os.Lstat(filepath.Join(dir, name)); err == nil {
		return nil, fmt.Errorf("create WARC file %s: %w", name, os.ErrExist)
	}
	f, err := os.OpenFile(filepath.Join(dir, name+OpenSuffix), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return nil, fmt.Errorf("create WARC file: %w", err)
	}
	if err := syncDir(dir); err != nil {
		return nil, errors.Join(fmt.Errorf("create WARC file %s: %w", name, err), f.Close(), os.Remove(f.Name()))
	}
	return &File{dir: dir, name: name, f: f, sum: sha256.New()}, nil
}

// Name returns the name under which the file will be published.
func (f *File) Name() string { return f.name }

// Size returns the number of bytes of the members written so far.
func (f *File) Size() int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.size
}

// Append writes the members one behind the other and says where they lie. On an
// error (a full disk) none of them is in the file, and it can be tried again;
// only with ErrBroken the file takes no more. What was appended is durable after
// Sync or SyncTo.
func (f *File) Append(members ...*Packed) ([]Placed, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.broken != nil {
		return nil, fmt.Errorf("append to %s: %w", f.name, f.broken)
	}
	if err := f.save(); err != nil {
		return nil, fmt.Errorf("append to %s: %w", f.name, err)
	}
	placed := make([]Placed, 0, len(members))
	end := f.size
	for _, m := range members {
		n, digest, err := f.write(end, m)
		if err != nil {
			return nil, fmt.Errorf("append record %s to %s: %w", m.ID, f.name, errors.Join(err, f.takeBack()))
		}
		placed = append(placed, Placed{end, n, digest})
		end += n
	}
	f.size = end
	f.records += int64(len(members))
	return placed, nil
}

// write writes one member at offset and feeds the running digest of the file.
func (f *File) write(offset int64, m *Packed) (int64, Digest, error) {
	if m.record == nil && m.member == nil {
		return 0, Digest{}, errors.New("it was freed")
	}
	if m.record == nil {
		n, err := f.f.WriteAt(m.member.Bytes(), offset)
		f.sum.Write(m.member.Bytes())
		return int64(n), m.sha256, err
	}
	out := &countingWriter{w: io.MultiWriter(io.NewOffsetWriter(f.f, offset), f.sum)}
	buf := bufio.NewWriterSize(out, 64<<10)
	digest, err := writeMember(buf, m.record)
	if err == nil {
		err = buf.Flush()
	}
	return out.n, digest, err
}

// save keeps the state of the running digest for takeBack.
func (f *File) save() (err error) {
	f.saved, err = f.sum.(encoding.BinaryAppender).AppendBinary(f.saved[:0])
	return err
}

// takeBack cuts off what was written behind the last whole member. If that
// fails, the file is broken.
func (f *File) takeBack() error {
	err := f.f.Truncate(f.size)
	if err == nil {
		err = f.sum.(encoding.BinaryUnmarshaler).UnmarshalBinary(f.saved)
	}
	if err != nil {
		f.broken = fmt.Errorf("%w: %w", ErrBroken, err)
	}
	return f.broken
}

// Sync makes all that was appended before the call durable.
func (f *File) Sync() error { return f.SyncTo(f.Size()) }

// syncGather is how long an fsync waits for more callers, if the one before
// served several: it costs more than a record.
const syncGather = 3 * time.Millisecond

// SyncTo returns when the first size bytes of the file are durable. Goroutines
// that wait at the same time share one fsync.
//
// After a failed fsync nobody knows what is on the disk: the file is broken, and
// only what an earlier call confirmed is safe.
func (f *File) SyncTo(size int64) error {
	f.syncMu.Lock()
	defer f.syncMu.Unlock()
	if f.synced >= size {
		f.shared++
		return nil
	}
	if f.shared > 0 {
		f.shared = 0
		time.Sleep(syncGather)
	}
	f.mu.Lock()
	file, end, broken := f.f, f.size, f.broken
	f.mu.Unlock()
	if broken != nil {
		return fmt.Errorf("sync %s: %w", f.name, broken)
	}
	if size > end {
		return fmt.Errorf("sync %s: %d bytes asked for, it has %d", f.name, size, end)
	}
	if err := file.Sync(); err != nil {
		f.mu.Lock()
		f.broken = fmt.Errorf("%w: sync: %w", ErrBroken, err)
		f.mu.Unlock()
		return fmt.Errorf("sync %s: %w", f.name, err)
	}
	f.synced = end
	return nil
}

// Close syncs the file and publishes it under its name, which must not exist
// (os.ErrExist): a published file is never replaced. If that fails, the file
// stays as <name>.open and OpenExisting takes it up again.
func (f *File) Close() (Summary, error) {
	if err := f.Sync(); err != nil {
		return Summary{}, errors.Join(err, f.end(nil))
	}
	f.mu.Lock()
	s := Summary{Name: f.name, Size: f.size, Records: f.records, SHA256: Digest{SHA256, string(f.sum.Sum(nil))}}
	f.mu.Unlock()
	if err := f.end(f.publish); err != nil {
		return Summary{}, fmt.Errorf("close %s: %w", f.name, err)
	}
	return s, nil
}

// Abandon closes the file and leaves it as it is, <name>.open, for OpenExisting.
func (f *File) Abandon() error { return f.end(nil) }

// Discard closes the file and removes it: for a file that holds nothing worth
// keeping.
func (f *File) Discard() error {
	return f.end(func() error {
		if err := os.Remove(f.openPath()); err != nil {
			return err
		}
		return syncDir(f.dir)
	})
}

// end closes the file; before that it runs step, if there is one. Only the
// first call does something.
func (f *File) end(step func() error) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.f == nil {
		return errClosed
	}
	var err error
	if step != nil {
		err = step()
	}
	err = errors.Join(err, f.f.Close())
	f.f = nil
	f.broken = errClosed
	return err
}

func (f *File) openPath() string { return filepath.Join(f.dir, f.name+OpenSuffix) }

// publish gives the file its name. link(2) fails where rename would replace an
// existing file. A crash between the steps leaves two names for one file, which
// OpenExisting notices.
func (f *File) publish() error {
	info, err := f.f.Stat()
	if err != nil {
		return err
	}
	if info.Size() != f.size {
		return fmt.Errorf("the file has %d bytes, %d were written: another process changed it", info.Size(), f.size)
	}
	if err := os.Link(f.openPath(), filepath.Join(f.dir, f.name)); err != nil {
		return err
	}
	if err := os.Remove(f.openPath()); err != nil {
		return err
	}
	return syncDir(f.dir)
}

// countingWriter counts the bytes written.
type countingWriter struct {
	w io.Writer
	n int64
}

func (c *countingWriter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}

// syncDir makes new, renamed and removed names in dir durable.
func syncDir(dir string) (err error) {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	return d.Sync()
}
