package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// List implements Store. It holds the names of one folder per level of depth
// in memory. Names that are not keys, such as those that begin with a dot, are
// left out.
func (d *Dir) List(ctx context.Context, prefix, after string) iter.Seq2[Info, error] {
	return func(yield func(Info, error) bool) {
		l := lister{d: d, ctx: ctx, prefix: prefix, after: after, yield: yield}
		// A missing root is a missing disk, not an empty archive.
		if _, err := os.Stat(d.root); err != nil {
			yield(Info{}, fmt.Errorf("list %q: %w", prefix, classify(d.root, err)))
			return
		}
		start := folderOf(prefix)
		if start != "" && keyFault(strings.TrimSuffix(start, "/")) != "" {
			return // no key begins with it
		}
		if err := l.walk(start); err != nil && !errors.Is(err, fs.SkipAll) {
			yield(Info{}, fmt.Errorf("list %q: %w", prefix, classify(d.root, err)))
		}
	}
}

// lister is one listing.
type lister struct {
	d             *Dir
	ctx           context.Context // of the one call this value serves
	prefix, after string
	yield         func(Info, error) bool
}

// walk lists the objects below folder ("" or a path that ends with a slash).
// It returns fs.SkipAll when the receiver wants no more.
func (l *lister) walk(folder string) error {
	if err := l.ctx.Err(); err != nil {
		return err
	}
	entries, err := os.ReadDir(l.d.path(folder))
	if errors.Is(err, fs.ErrNotExist) || notFolder(err) {
		return nil // nothing there, or gone since its parent was read
	}
	if err != nil {
		return err
	}
	names := make([]string, 0, len(entries))
	for _, e := range entries {
		if keyFault(folder+e.Name()) != "" {
			continue
		}
		names = append(names, e.Name())
		if isFolder(l.d.path(folder), e) {
			// Sorted with its slash: "a-b" comes before "a/b".
			names[len(names)-1] += "/"
		}
	}
	slices.SortFunc(names, cmp.Compare[string])
	for _, name := range names {
		if err := l.visit(folder + name); err != nil {
			return err
		}
	}
	return nil
}

// visit lists one object, or all below a path that ends with a slash.
func (l *lister) visit(path string) error {
	if strings.HasSuffix(path, "/") {
		wanted := strings.HasPrefix(path, l.prefix) || strings.HasPrefix(l.prefix, path)
		passed := path < l.after && !strings.HasPrefix(l.after, path)
		if !wanted || passed {
			return nil
		}
		return l.walk(path)
	}
	if !strings.HasPrefix(path, l.prefix) || path <= l.after {
		return nil
	}
	fi, err := os.Stat(l.d.path(path))
	if errors.Is(err, fs.ErrNotExist) {
		return nil // deleted since the folder was read
	}
	if err != nil {
		return err
	}
	if !fi.Mode().IsRegular() {
		return nil
	}
	if !l.yield(Info{Key: path, Size: fi.Size(), Modified: fi.ModTime().UTC()}, nil) {
		return fs.SkipAll
	}
	return nil
}

// isFolder tells whether an entry is a folder, or a link to one: an operator
// may keep a part of the archive elsewhere.
func isFolder(parent string, e fs.DirEntry) bool {
	if e.Type()&fs.ModeSymlink == 0 {
		return e.IsDir()
	}
	fi, err := os.Stat(filepath.Join(parent, e.Name()))
	return err == nil && fi.IsDir()
}
