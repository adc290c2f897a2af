package store

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// Report is what a self-test found out about a store, property by property.
type Report struct {
	Store  string  // folder or s3:// address, without credentials
	Checks []Check // in the order they were made
}

// Check is one property of a store.
type Check struct {
	Name     string // constant, such as "create only"
	OK       bool
	Required bool   // without it the store must not be used; otherwise it is good to have
	Found    string // what was seen, one sentence
	Remedy   string // what to do about it, "" when OK
}

// Err returns nil if every required property holds, otherwise one error that
// names each missing one with its remedy.
func (r Report) Err() error {
	var errs []error
	for _, c := range r.Checks {
		if c.Required && !c.OK {
			errs = append(errs, fmt.Errorf("store %s: %s: %s: %s", r.Store, c.Name, c.Found, c.Remedy))
		}
	}
	return errors.Join(errs...)
}

// Add appends a check. It is for implementations of a self-test.
func (r *Report) Add(c Check) { r.Checks = append(r.Checks, c) }

// SelfTest tries in the folder's own corner what the store relies on: that it
// can be written and synced, has hard links that refuse a taken name, and file
// locks that exclude. It leaves nothing behind. The error is about the test
// itself; findings are in the Report.
func (d *Dir) SelfTest(ctx context.Context) (Report, error) {
	r := Report{Store: d.root}
	if err := ctx.Err(); err != nil {
		return r, fmt.Errorf("self-test of %s: %w", d.root, err)
	}
	tmp, err := d.writeTemp(immutableMode, func(w io.Writer) error {
		_, err := io.WriteString(w, "self-test")
		return err
	})
	if err != nil {
		r.Add(Check{Name: "writable", Required: true, Found: classify(d.root, err).Error(),
			Remedy: "give the user of this program the right to write the folder, and free space"})
		return r, nil
	}
	r.Add(Check{Name: "writable", OK: true, Required: true, Found: "a file was written and synced"})
	r.Add(checkLinks(tmp.Name()))
	r.Add(checkLocks(tmp.Name()))
	return r, errors.Join(tmp.Close(), os.Remove(tmp.Name()))
}

// checkLinks: link(2) gives a file a second name, and refuses a taken one.
func checkLinks(path string) Check {
	c := Check{Name: "create only", Required: true,
		Remedy: "use a local filesystem that has hard links (ext4, xfs, btrfs, APFS)"}
	second := filepath.Join(filepath.Dir(path), rand.Text())
	if err := os.Link(path, second); err != nil {
		c.Found = fmt.Sprintf("the filesystem makes no hard link: %v", err)
		return c
	}
	defer os.Remove(second) // a leftover is swept
	if err := os.Link(path, second); !errors.Is(err, fs.ErrExist) {
		c.Found = fmt.Sprintf("a hard link to a taken name gave %v", err)
		return c
	}
	return Check{Name: c.Name, OK: true, Required: true, Found: "a taken name is refused"}
}

// checkLocks: a file that is locked cannot be locked a second time.
func checkLocks(path string) Check {
	c := Check{Name: "compare and swap", Required: true,
		Remedy: "use a local filesystem, or S3-compatible storage when several machines write"}
	f, err := os.Open(path)
	if err != nil {
		c.Found = err.Error()
		return c
	}
	defer f.Close() // read only
	got, err := lockFD(f)
	if err != nil || got {
		c.Found = fmt.Sprintf("a second lock on a locked file gave %v, %v", got, err)
		return c
	}
	return Check{Name: c.Name, OK: true, Required: true, Found: "file locks exclude"}
}
