package store

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

const (
	ownFolder  = ".fineprint" // in the root: what a Dir keeps for itself
	tempFolder = ownFolder + "/tmp"
	lockFile   = ownFolder + "/mutable.lock"

	immutableMode = 0o444 // no write bit: how a Dir knows what Store.Put made
	mutableMode   = 0o644
	folderMode    = 0o755

	// A leftover younger than this is not swept: between the creation of a
	// temporary file and its lock another process must not take it for one.
	sweepAge = time.Minute
)

// Dir is a Store in a folder. Each object is a plain file under its key, made
// in these steps; a crash after any of them leaves what is said beside it:
//
//	write a temporary file, checking size and SHA-256   a leftover, swept later
//	sync it                                             likewise
//	link it under its key (fails if the name exists)    the whole object, perhaps not yet durable
//	remove the temporary name                           likewise
//	sync the folder and every folder above it           the whole object, durable
//
// Nothing is ever visible under a key but a whole, verified object. The folder
// must be on one filesystem that has hard links. Objects have mode 0444;
// protection against the owner of the folder is the business of Object Lock
// (package s3) or of the filesystem (chattr +i).
type Dir struct {
	root string

	mu     sync.Mutex
	synced map[string]bool // folders known to be durable up to the root; guarded by mu

	turn chan struct{} // holds one token: at most one goroutine asks for the file lock

	step func(name string) // called after each step of a write; for crash tests, else nil
}

// OpenDir opens the folder path as a store, making it if it is missing, and
// removes what crashed writers left. A folder that cannot be written opens
// well and can be read; writing to it gives ErrReadOnly.
func OpenDir(path string) (*Dir, error) {
	root, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("open store folder %s: %w", path, err)
	}
	if err := os.MkdirAll(root, folderMode); err != nil {
		return nil, fmt.Errorf("open store folder: %w", classify(root, err))
	}
	fi, err := os.Stat(root)
	if err != nil {
		return nil, fmt.Errorf("open store folder: %w", classify(root, err))
	}
	if !fi.IsDir() {
		return nil, fmt.Errorf("open store folder %s: it is not a folder", root)
	}
	d := &Dir{root: root, synced: make(map[string]bool), turn: make(chan struct{}, 1)}
	d.turn <- struct{}{}
	d.sweep(time.Now())
	return d, nil
}

// Root returns the absolute path of the folder.
func (d *Dir) Root() string { return d.root }

// Put implements Store. The body is not read when the object is already there.
func (d *Dir) Put(ctx context.Context, key string, r io.ReadSeeker, size int64, sha256hex string, _ PutOptions) (err error) {
	if err := CheckPut(key, size, sha256hex); err != nil {
		return fmt.Errorf("put: %w", err)
	}
	path := d.path(key)
	if _, err := os.Lstat(path); err == nil {
		return d.settle(ctx, key, size, sha256hex)
	}
	tmp, err := d.writeTemp(immutableMode, func(w io.Writer) error {
		return CopyVerified(ctx, w, key, r, size, sha256hex)
	})
	if err != nil {
		return fmt.Errorf("put %s: %w", key, classify(d.root, err))
	}
	defer func() { // Close also gives up the lock that keeps sweepers away.
		err = errors.Join(err, tmp.Close())
	}()
	linkErr := d.link(tmp.Name(), path)
	d.did("linked")
	// The name is of no use any more, whatever link said; a leftover is swept.
	rmErr := os.Remove(tmp.Name())
	d.did("unlinked")
	if errors.Is(linkErr, fs.ErrExist) {
		return d.settle(ctx, key, size, sha256hex)
	}
	if linkErr != nil {
		return fmt.Errorf("put %s: %w", key, classify(d.root, linkErr))
	}
	if err := d.syncUp(filepath.Dir(path)); err != nil {
		return fmt.Errorf("put %s: %w", key, classify(d.root, err))
	}
	d.did("folder synced")
	if rmErr != nil {
		return fmt.Errorf("put %s: remove the temporary name: %w", key, rmErr)
	}
	return nil
}

// settle decides what a Put means whose key is taken: nothing if the same
// bytes are there (made durable once more, since whoever made them may have
// died before that), ErrExists otherwise.
func (d *Dir) settle(ctx context.Context, key string, size int64, sha256hex string) error {
	path := d.path(key)
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("put %s: compare with the object there: %w", key, classify(d.root, err))
	}
	defer f.Close() // read only
	fi, err := f.Stat()
	if err != nil {
		return fmt.Errorf("put %s: compare with the object there: %w", key, err)
	}
	if fi.IsDir() {
		return fmt.Errorf("put %s: a folder with objects has this name", key)
	}
	if fi.Size() != size {
		return fmt.Errorf("put %s: %w", key, ErrExists)
	}
	h := sha256.New()
	if _, err := io.Copy(h, ctxReader{ctx, f}); err != nil {
		return fmt.Errorf("put %s: compare with the object there: %w", key, err)
	}
	if hex.EncodeToString(h.Sum(nil)) != sha256hex {
		return fmt.Errorf("put %s: %w", key, ErrExists)
	}
	if err := d.syncUp(filepath.Dir(path)); err != nil {
		return fmt.Errorf("put %s: %w", key, classify(d.root, err))
	}
	return nil
}

// Get implements Store.
func (d *Dir) Get(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	if err := ValidKey(key); err != nil {
		return nil, fmt.Errorf("get: %w", err)
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("get %s: %w", key, err)
	}
	f, fi, err := d.open(key)
	if err != nil {
		return nil, fmt.Errorf("get %s: %w", key, err)
	}
	if offset < 0 || offset > fi.Size() {
		f.Close() // read only
		return nil, fmt.Errorf("get %s: offset %d is outside its %d bytes", key, offset, fi.Size())
	}
	n := fi.Size() - offset
	if length >= 0 {
		n = min(n, length)
	}
	return &fileRange{SectionReader: io.NewSectionReader(f, offset, n), f: f}, nil
}

// fileRange is a part of an open file.
type fileRange struct {
	*io.SectionReader
	f *os.File
}

func (r *fileRange) Close() error { return r.f.Close() }

// Stat implements Store. SHA256 is empty: a folder keeps the bytes only, and
// hashing them is the caller's choice.
func (d *Dir) Stat(ctx context.Context, key string) (Info, error) {
	if err := ValidKey(key); err != nil {
		return Info{}, fmt.Errorf("stat: %w", err)
	}
	if err := ctx.Err(); err != nil {
		return Info{}, fmt.Errorf("stat %s: %w", key, err)
	}
	f, fi, err := d.open(key)
	if err != nil {
		return Info{}, fmt.Errorf("stat %s: %w", key, err)
	}
	f.Close() // read only
	return Info{Key: key, Size: fi.Size(), Modified: fi.ModTime().UTC()}, nil
}

// open opens the file of an object. Folders are not objects.
func (d *Dir) open(key string) (*os.File, fs.FileInfo, error) {
	f, err := os.Open(d.path(key))
	if notFolder(err) {
		return nil, nil, ErrNotExist // an object has the name of its folder
	}
	if err != nil {
		return nil, nil, classify(d.root, err)
	}
	fi, err := f.Stat()
	if err == nil && !fi.Mode().IsRegular() {
		err = ErrNotExist
	}
	if err != nil {
		f.Close() // read only
		return nil, nil, err
	}
	return f, fi, nil
}

// writeTemp makes a durable temporary file with the bytes that fill writes,
// leaving nothing behind on failure. The file stays open and locked: the lock
// tells sweepers that its writer lives.
func (d *Dir) writeTemp(mode fs.FileMode, fill func(io.Writer) error) (_ *os.File, err error) {
	dir := filepath.Join(d.root, tempFolder)
	if err := os.MkdirAll(dir, folderMode); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(filepath.Join(dir, rand.Text()), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.Close(), os.Remove(f.Name()))
		}
	}()
	if _, err := lockFD(f); err != nil {
		return nil, fmt.Errorf("lock the temporary file: %w", err)
	}
	d.did("temporary file")
	if err := fill(f); err != nil {
		return nil, err
	}
	d.did("written")
	if err := f.Chmod(mode); err != nil {
		return nil, err
	}
	if err := f.Sync(); err != nil {
		return nil, err
	}
	d.did("synced")
	return f, nil
}

// link gives the file tmp the name path, which must be free, making the
// folders above it.
func (d *Dir) link(tmp, path string) error {
	if err := os.MkdirAll(filepath.Dir(path), folderMode); err != nil {
		return err
	}
	return os.Link(tmp, path)
}

// syncUp syncs folder and, once per folder and process, every folder above it
// up to the root: another process may have made one of them and died before
// syncing its parent.
func (d *Dir) syncUp(folder string) error {
	if err := syncFolder(folder); err != nil {
		return err
	}
	d.mu.Lock()
	done := d.synced[folder] || folder == d.root
	d.mu.Unlock()
	if done {
		return nil
	}
	if err := d.syncUp(filepath.Dir(folder)); err != nil {
		return err
	}
	d.mu.Lock()
	d.synced[folder] = true
	d.mu.Unlock()
	return nil
}

// sweep removes temporary files whose writers died. It is best effort: what
// stays costs space, nothing else.
func (d *Dir) sweep(now time.Time) {
	dir := filepath.Join(d.root, tempFolder)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return
	}
	for _, e := range entries {
		fi, err := e.Info()
		if err != nil || !fi.Mode().IsRegular() || now.Sub(fi.ModTime()) < sweepAge {
			continue
		}
		f, err := os.Open(filepath.Join(dir, e.Name()))
		if err != nil {
			continue
		}
		if free, err := lockFD(f); err == nil && free {
			os.Remove(f.Name())
		}
		f.Close()
	}
}

// path returns the file of a valid key.
func (d *Dir) path(key string) string {
	return filepath.Join(d.root, filepath.FromSlash(key))
}

func (d *Dir) did(step string) {
	if d.step != nil {
		d.step(step)
	}
}

// immutable tells whether Store.Put made the file.
func immutable(fi fs.FileInfo) bool { return fi.Mode().Perm()&0o222 == 0 }

// classify gives an error of the filesystem its kind and remedy.
func classify(root string, err error) error {
	linkErr, isLink := errors.AsType[*os.LinkError](err)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, fs.ErrNotExist):
		if _, rootErr := os.Stat(root); rootErr != nil {
			return fmt.Errorf("store folder %s is gone (is its disk mounted?): %w", root, err)
		}
		return ErrNotExist
	case noSpace(err):
		return fmt.Errorf("%w in store folder %s, nothing was stored; free some and repeat: %w", ErrNoSpace, root, err)
	case isLink && linkErr.Op == "link" && noLinks(err):
		return fmt.Errorf("store folder %s must be on one filesystem that has hard links (ext4, xfs, btrfs, APFS): %w", root, err)
	case readOnly(err):
		return fmt.Errorf("%w: store folder %s: give user %d the right to write it, or choose another folder: %w",
			ErrReadOnly, root, os.Getuid(), err)
	}
	return err
}

// ctxReader fails with the context's error once that is done.
type ctxReader struct {
	ctx context.Context
	r   io.Reader
}

func (r ctxReader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(p)
}

// folderOf returns the part of a prefix up to its last slash.
func folderOf(prefix string) string {
	return prefix[:strings.LastIndexByte(prefix, '/')+1]
}
