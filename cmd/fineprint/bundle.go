package main

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/fineprint-archive/fineprint/archive"
	"github.com/fineprint-archive/fineprint/archive/catalog"
	"github.com/fineprint-archive/fineprint/archive/evidence"
	"github.com/fineprint-archive/fineprint/archive/store"
	"github.com/fineprint-archive/fineprint/archive/tlog"
)

// bundled describes a bundle that was written (docs/FORMATS.md, "export bundle").
type bundled struct {
	File   string `json:"file"`
	Format string `json:"format"`
	Source string `json:"source"`
	URL    string `json:"url"`
	N      int64  `json:"n"`
	From   *int64 `json:"from"` // number of the first look of the range; null without one
	Time   string `json:"time"`
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
}

// bundler writes bundles of an archive.
type bundler struct {
	app     *app
	cfg     *config
	objects store.Store
	db      *catalog.DB
	log     *tlog.Reader
	key     string // verifier key of the log
	secret  []byte // that hides private sources; nil without the private key
	policy  string // text of the operator's witness policy, "" for none
}

func (a *app) newBundler(ctx context.Context, c *config, objects store.Store, db *catalog.DB) (*bundler, error) {
	v, err := a.logVerifier(ctx, c, objects)
	if err != nil {
		return nil, err
	}
	if v == nil {
		return nil, usageErrorf("the archive has no log yet, so nothing can be proven: `fineprint seal` begins one and enters what is there")
	}
	key, err := publicLogKey(c)
	if err != nil {
		return nil, err
	}
	b := &bundler{app: a, cfg: c, objects: objects, db: db, log: tlog.NewReader(objects, v), key: key}
	switch own, err := readLogKey(c.Log.KeyFile); {
	case err == nil:
		b.secret = privateSecret(own)
	case !errors.Is(err, fs.ErrNotExist):
		return nil, err
	}
	if c.Anchors.WitnessPolicy != "" {
		text, err := readBounded(c.Anchors.WitnessPolicy, maxPolicyFile)
		if err != nil {
			return nil, usageErrorf("anchors.witness_policy: %w", err)
		}
		b.policy = string(text)
	}
	return b, nil
}

// publicLogKey returns the verifier key of the configured log.
func publicLogKey(c *config) (string, error) {
	if c.Log.Public != "" {
		return strings.TrimSpace(c.Log.Public), nil
	}
	key, err := readLogKey(c.Log.KeyFile)
	return key.Public, err
}

// write writes the bundle of a look into out: a file, a folder, "" for the
// working folder, - for standard output.
func (b *bundler) write(ctx context.Context, row catalog.LookRow, from *catalog.LookRow, out string) (_ *bundled, err error) {
	folder := out
	switch {
	case out == "-":
		folder = os.TempDir()
	case !isFolder(out):
		folder = filepath.Dir(out)
	}
	scratch, err := os.CreateTemp(cmp.Or(folder, "."), ".fineprint-*")
	if err != nil {
		return nil, fmt.Errorf("bundle: %w", err)
	}
	defer func() { err = errors.Join(err, scratch.Close(), os.Remove(scratch.Name())) }()
	parts, err := archive.CollectBundle(ctx, archive.BundleRequest{
		Store: b.objects, Catalog: b.db, Log: b.log, Look: row, From: from, Scratch: scratch,
		Secret: b.secret, LogKey: b.key, Policy: b.policy, Operator: b.cfg.Operator, Contact: b.cfg.Contact, Tool: toolVersion(), Created: time.Now(),
		Progress: b.progress(),
	})
	if err != nil {
		return nil, fmt.Errorf("bundle: %w", err)
	}
	done := &bundled{File: out, Format: "bundle", Source: row.Source, URL: row.URL, N: row.N, Time: row.Time.UTC().Format(time.RFC3339)}
	if from != nil {
		done.From = &from.N
	}
	if isFolder(out) {
		name, err := parts.Name()
		if err != nil {
			return nil, err
		}
		done.File = filepath.Join(out, name)
	}
	return done, b.pack(parts, done)
}

// pack writes the file of a bundle, which is whole or absent.
func (b *bundler) pack(parts evidence.Parts, done *bundled) error {
	sum := sha256.New()
	write := func(w io.Writer) error {
		n := &countedWriter{w: io.MultiWriter(w, sum)}
		err := evidence.WriteBundle(n, parts)
		done.Bytes, done.SHA256 = n.n, hex.EncodeToString(sum.Sum(nil))
		return err
	}
	if done.File == "-" {
		return write(b.app.stdout)
	}
	return writeWhole(done.File, write)
}

type countedWriter struct {
	w io.Writer
	n int64
}

func (c *countedWriter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}

// progress tells of long ranges now and then.
func (b *bundler) progress() func(done, total int) {
	next := time.Now().Add(progressEvery)
	return func(done, total int) {
		if now := time.Now(); now.After(next) {
			next = now.Add(progressEvery)
			b.app.talk("%d of %d entries proven", done, total)
		}
	}
}

// isFolder reports whether a bundle goes into a folder under its own name.
func isFolder(out string) bool {
	if out == "" || strings.HasSuffix(out, "/") {
		return true
	}
	info, err := os.Stat(out)
	return err == nil && info.IsDir()
}

// exportBundle writes the bundle of one look.
func (a *app) exportBundle(ctx context.Context, sel selection, args []string, from, out string) (err error) {
	if len(args) != 1 || sel != (selection{}) {
		return usageErrorf("export bundle: name one look: SOURCE@TIME; a bundle is about one look, or with --from about a range of one source")
	}
	c, db, objects, err := a.openToRead(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	row, err := a.oneLook(ctx, db, args[0])
	if err != nil {
		return err
	}
	var first *catalog.LookRow
	if from != "" {
		if first, err = a.rangeBegin(ctx, db, row, from); err != nil {
			return err
		}
	}
	b, err := a.newBundler(ctx, c, objects, db)
	if err != nil {
		return err
	}
	done, err := b.write(ctx, row, first, out)
	if err != nil {
		return err
	}
	if a.json && out != "-" {
		return a.printJSON(done)
	}
	a.talk("wrote %s: look %d at %s, %s, sha256 %s", done.File, done.N, done.URL, humanBytes(done.Bytes), done.SHA256)
	return nil
}

// oneLook returns the look meant by SOURCE[@TIME], the newest without a time.
func (a *app) oneLook(ctx context.Context, db *catalog.DB, arg string) (catalog.LookRow, error) {
	wanted := arg
	if _, _, dated := cutTime(arg); !dated {
		wanted += "@latest"
	}
	rows, err := a.chosen(ctx, db, selection{}, []string{wanted})
	switch {
	case err != nil:
		return catalog.LookRow{}, err
	case len(rows) == 0:
		return catalog.LookRow{}, withCode(exitFailed, fmt.Errorf("no look at %s; `fineprint captures` lists what there is", arg))
	case len(rows) > 1:
		var ids []string
		for _, row := range rows {
			ids = append(ids, strings.TrimSpace(fmt.Sprintf("%s %s %s", row.Source, row.AcceptLanguage, row.Vantage)))
		}
		return catalog.LookRow{}, usageErrorf("%s means %d sources, and a bundle is about one: name its id instead: %s", arg, len(rows), strings.Join(ids, "; "))
	}
	return rows[0], nil
}

// rangeBegin returns the look at which a range begins: "first", a time, or
// SOURCE@TIME at the same source.
func (a *app) rangeBegin(ctx context.Context, db *catalog.DB, row catalog.LookRow, from string) (*catalog.LookRow, error) {
	begin := catalog.LookRow{}
	if name, _, dated := cutTime(from); dated && name != "" {
		other, err := a.oneLook(ctx, db, from)
		if err != nil {
			return nil, fmt.Errorf("--from: %w", err)
		}
		begin = other
	} else {
		filter := catalog.LookFilter{Source: row.Source, N: 1}
		if from != "first" {
			until, err := parseTime(from, true)
			if err != nil {
				return nil, usageErrorf("--from %q is neither a time, nor SOURCE@TIME, nor the word first", from)
			}
			other, found, err := db.LookAt(ctx, row.Source, until)
			if err != nil {
				return nil, err
			}
			if !found {
				return nil, withCode(exitFailed, fmt.Errorf("--from %s: no look at %s is as old as that; --from first takes all there are", from, row.URL))
			}
			filter.N = other.N
		}
		rows, err := collectLooks(db.Looks(ctx, filter))
		if err != nil {
			return nil, err
		}
		if len(rows) == 0 {
			return nil, withCode(exitFailed, fmt.Errorf("--from %s: the catalog has no such look at %s", from, row.URL))
		}
		begin = rows[0]
	}
	switch {
	case begin.Source != row.Source:
		return nil, usageErrorf("--from %s is a look at another source (%s); a range is of one source", from, begin.URL)
	case begin.N >= row.N:
		return nil, usageErrorf("--from %s is look %d, which is not before look %d; leave --from out for a bundle about one look", from, begin.N, row.N)
	}
	return &begin, nil
}
