package declaration

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// tree is where files are read from: a given file system, or the operating
// system's if it has none.
type tree struct{ fsys fs.FS }

func (t tree) stat(name string) (fs.FileInfo, error) {
	if t.fsys == nil {
		return os.Stat(name)
	}
	return fs.Stat(t.fsys, name)
}

func (t tree) readDir(name string) ([]fs.DirEntry, error) {
	if t.fsys == nil {
		return os.ReadDir(name)
	}
	return fs.ReadDir(t.fsys, name)
}

// read returns a file's bytes, at most one more than maxFile.
func (t tree) read(name string) (data []byte, err error) {
	var f fs.File
	if t.fsys == nil {
		f, err = os.Open(name)
	} else {
		f, err = t.fsys.Open(name)
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var b bytes.Buffer
	if info, err := f.Stat(); err == nil {
		b.Grow(int(min(info.Size(), maxFile)) + bytes.MinRead)
	}
	_, err = b.ReadFrom(io.LimitReader(f, maxFile+1))
	return b.Bytes(), err
}

// real returns the name under which a file or folder is known whatever links led
// to it.
func (t tree) real(name string) (string, error) {
	if t.fsys != nil {
		return path.Clean(name), nil
	}
	name, err := filepath.EvalSymlinks(name)
	if err != nil {
		return "", err
	}
	return filepath.Abs(name)
}

func (t tree) join(dir, name string) string {
	if t.fsys != nil {
		return path.Join(dir, name)
	}
	return filepath.Join(dir, name)
}

// found is a file to read.
type found struct {
	path string
	lang string // default of the collection it is from
}

// collector finds the files of a list of paths.
type collector struct {
	tree     tree
	seen     map[string]bool // real names of files and folders
	hits     int             // files met, those seen before included
	files    []found
	problems []Problem
}

func newCollector(opt Options) *collector {
	return &collector{tree: tree{opt.FS}, seen: make(map[string]bool)}
}

func (c *collector) fail(name, message, fix string) {
	c.problems = append(c.problems, Problem{File: name, Severity: SeverityError, Message: message, Fix: fix})
}

// add adds a file, or the files of a folder. The error is that of ctx.
func (c *collector) add(ctx context.Context, name string) error {
	if c.tree.fsys == nil {
		name = filepath.Clean(name)
	}
	info, err := c.tree.stat(name)
	if err != nil {
		c.fail(name, "cannot be opened: "+reason(err), "check the path under declarations:")
		return nil
	}
	real, err := c.tree.real(name)
	if err != nil {
		c.fail(name, "cannot be opened: "+reason(err), "check the path under declarations:")
		return nil
	}
	if !info.IsDir() {
		c.addFile(name, real, "")
		return nil
	}
	hits, problems := c.hits, len(c.problems)
	if err := c.addDir(ctx, name, real, "", nil); err != nil {
		return err
	}
	if c.hits == hits && len(c.problems) == problems {
		c.fail(name, "folder holds no declarations", "put .yaml or .json files into it, or name another folder")
	}
	return nil
}

func (c *collector) addFile(name, real, lang string) {
	c.hits++
	if c.seen[real] {
		return
	}
	c.seen[real] = true
	c.files = append(c.files, found{name, lang})
}

// addDir adds the files of a folder; above are the real names of the folders it
// was reached through.
func (c *collector) addDir(ctx context.Context, dir, real, lang string, above []string) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("read declarations: %w", err)
	}
	if slices.Contains(above, real) {
		c.fail(dir, "symbolic link leads back to a folder above it", "remove the link")
		return nil
	}
	if c.seen[real] {
		c.hits++
		return nil
	}
	c.seen[real] = true
	entries, err := c.tree.readDir(dir)
	if err != nil {
		c.fail(dir, "folder cannot be read: "+reason(err), "make it readable or leave it out")
		return nil
	}
	above = append(above, real)
	if isCollection(entries) {
		name := "declarations"
		return c.addDir(ctx, c.tree.join(dir, name), c.tree.join(real, name), c.collectionLang(dir), above)
	}
	for _, e := range entries {
		if err := c.addEntry(ctx, dir, real, lang, e, above); err != nil {
			return err
		}
	}
	return nil
}

// addEntry adds one entry of a folder.
func (c *collector) addEntry(ctx context.Context, dir, realDir, lang string, e fs.DirEntry, above []string) error {
	if strings.HasPrefix(e.Name(), ".") || e.Name() == "node_modules" {
		return nil
	}
	name, real := c.tree.join(dir, e.Name()), c.tree.join(realDir, e.Name())
	isDir := e.IsDir()
	if e.Type()&fs.ModeSymlink != 0 {
		info, err := c.tree.stat(name)
		if err == nil {
			isDir = info.IsDir()
			real, err = c.tree.real(name)
		}
		if err != nil {
			c.fail(name, "symbolic link leads nowhere: "+reason(err), "remove or mend the link")
			return nil
		}
	}
	switch {
	case isDir:
		return c.addDir(ctx, name, real, lang, above)
	case isYAML(e.Name()) || strings.HasSuffix(e.Name(), ".json"):
		c.addFile(name, real, lang)
	}
	return nil
}

// isCollection reports whether a folder is the top of an Open Terms Archive
// collection: it has a folder named declarations.
func isCollection(entries []fs.DirEntry) bool {
	return slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return e.IsDir() && e.Name() == "declarations" })
}

// collectionLang returns the language of a collection if its metadata.yml names
// exactly one. A missing or odd file names none: languages are optional there.
func (c *collector) collectionLang(dir string) string {
	languages := c.metadataLanguages(dir)
	if len(languages) != 1 {
		return ""
	}
	return languages[0]
}

// metadataLanguages returns the languages that a collection's metadata.yml names.
func (c *collector) metadataLanguages(dir string) []string {
	data, err := c.tree.read(c.tree.join(dir, "metadata.yml"))
	if err != nil || len(data) > maxFile {
		return nil
	}
	var metadata struct{ Languages []string }
	if yaml.Unmarshal(data, &metadata) != nil {
		return nil
	}
	var languages []string
	for _, l := range metadata.Languages {
		if lang, err := parseLang(l); err == nil && lang != "" {
			languages = append(languages, lang)
		}
	}
	return languages
}

// reason returns why a file operation went wrong, without the path, which the
// problem names already.
func reason(err error) string {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err.Error()
	}
	return err.Error()
}
