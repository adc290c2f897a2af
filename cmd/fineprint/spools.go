package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/fineprint-archive/fineprint/archive/catalog"
)

// strandedAfter is how long a look may wait in the spool of another machine
// before people are asked whether that machine is still there.
const strandedAfter = time.Hour

// strandedSpool is a spool of another machine that holds looks for long.
type strandedSpool struct {
	Spool  string `json:"spool"`
	Looks  int64  `json:"looks"`
	Since  string `json:"since"`  // when the oldest of them began
	Remedy string `json:"remedy"` // if the spool is gone for good
}

// strandedSpools lists the spools, other than those of this configuration, with
// looks that began more than an hour ago and are not in the archive.
func strandedSpools(ctx context.Context, c *config, db *catalog.DB) ([]strandedSpool, error) {
	own, err := readSpoolID(c.Spool)
	if err != nil {
		return nil, err
	}
	wayback, err := readSpoolID(waybackSpool(c))
	if err != nil {
		return nil, err
	}
	rows, err := db.Spools(ctx)
	if err != nil {
		return nil, err
	}
	stranded := []strandedSpool{}
	for _, r := range rows {
		if r.Spool == own || r.Spool == wayback || time.Since(r.Oldest) < strandedAfter {
			continue
		}
		stranded = append(stranded, strandedSpool{r.Spool, r.Looks, r.Oldest.UTC().Format(time.RFC3339), "fineprint seal --lost " + r.Spool})
	}
	return stranded, nil
}

// readSpoolID returns the identity of a spool folder, "" if it has none yet.
func readSpoolID(folder string) (string, error) {
	id, err := os.ReadFile(filepath.Join(folder, "id"))
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return "", nil // a spool that cannot be used is named by another check
	}
	if err != nil {
		return "", fmt.Errorf("identity of the spool: %w", err)
	}
	return strings.TrimSpace(string(id)), nil
}

func (s strandedSpool) String() string {
	return fmt.Sprintf("%d looks since %s wait in spool %s, which is not this machine's", s.Looks, s.Since, s.Spool)
}

// probeSpools warns of looks that only another machine can bring in.
func probeSpools(ctx context.Context, c *config, db *catalog.DB) []finding {
	stranded, err := strandedSpools(ctx, c, db)
	if err != nil {
		return []finding{{"spools", "error", err.Error(), ""}}
	}
	var out []finding
	for _, s := range stranded {
		out = append(out, finding{"spools", "warning", s.String(), "run `fineprint seal` there; if it is gone for good: " + s.Remedy})
	}
	return out
}
