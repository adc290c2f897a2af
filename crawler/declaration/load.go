package declaration

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"runtime"

	"golang.org/x/sync/errgroup"
)

// Load reads files and folders. Of a folder it reads every .yaml, .yml and .json
// file below it, in the order of their names; hidden files and folders and
// node_modules are left out, and of a folder that is an Open Terms Archive
// collection only its declarations are read, in the language that its
// metadata.yml names if it names one alone and opt none. A file reached twice is
// read once.
//
// The set holds all that is right and every problem. The error joins all problems
// of severity error, each "file:line: field: message; fix"; the set is usable
// beside it, for those who go on with the rest. It is nil only with errors that
// are not about declarations (options, no paths, ctx).
func Load(ctx context.Context, paths []string, opt Options) (*Set, error) {
	opt, err := opt.check()
	if err != nil {
		return nil, err
	}
	c, err := collect(ctx, paths, opt)
	if err != nil {
		return nil, err
	}
	files, err := parseAll(ctx, c.tree, c.files, opt)
	if err != nil {
		return nil, err
	}
	set := build(files, c.problems)
	return set, set.failure()
}

// parseAll reads files on all processors, keeping their order.
func parseAll(ctx context.Context, t tree, files []found, opt Options) ([]*parsed, error) {
	all := make([]*parsed, len(files))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(runtime.GOMAXPROCS(0))
	const batch = 64
	for from := 0; from < len(files); from += batch {
		g.Go(func() error {
			for i := from; i < min(from+batch, len(files)); i++ {
				if err := ctx.Err(); err != nil {
					return fmt.Errorf("read declarations: %w", err)
				}
				all[i] = parseFound(t, files[i], opt)
			}
			return nil
		})
	}
	return all, g.Wait()
}

// parseFound reads one file.
func parseFound(t tree, f found, opt Options) *parsed {
	if f.lang != "" && opt.Lang == "" {
		opt.Lang = f.lang
	}
	data, err := t.read(f.path)
	if err != nil {
		w := newWalker(f.path, 0, opt)
		w.fail(0, "file cannot be read: "+reason(err), "make it readable or leave it out")
		return &parsed{file: f.path, problems: w.problems}
	}
	return parseFile(f.path, data, opt)
}

// collect finds the files that paths name.
func collect(ctx context.Context, paths []string, opt Options) (*collector, error) {
	if len(paths) == 0 {
		return nil, errors.New("no declarations named; name files or folders")
	}
	c := newCollector(opt)
	for _, p := range paths {
		if err := c.add(ctx, p); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// Digest returns the SHA-256, in hexadecimal, of everything that Load would read:
// the names and bytes of the files, and the options. Sets loaded under the same
// digest by the same program are equal, so that a caller that remembers it need
// not load again; it takes a small part of the time. It fails where a file or
// folder cannot be read, which Load then explains.
func Digest(ctx context.Context, paths []string, opt Options) (string, error) {
	opt, err := opt.check()
	if err != nil {
		return "", err
	}
	c, err := collect(ctx, paths, opt)
	if err != nil {
		return "", err
	}
	for _, p := range c.problems {
		return "", p
	}
	h := sha256.New()
	fmt.Fprintf(h, "fineprint declarations v1\n%q %q\n", opt.Vantage, opt.Lang)
	for _, f := range c.files {
		if err := ctx.Err(); err != nil {
			return "", fmt.Errorf("read declarations: %w", err)
		}
		data, err := c.tree.read(f.path)
		if err != nil {
			return "", fmt.Errorf("read declarations: %w", err)
		}
		fmt.Fprintf(h, "%q %q %d\n", f.path, f.lang, len(data))
		h.Write(data)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
