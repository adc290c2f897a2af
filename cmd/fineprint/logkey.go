package main

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/mod/sumdb/note"

	"github.com/fineprint-archive/fineprint/archive"
	"github.com/fineprint-archive/fineprint/archive/store"
	"github.com/fineprint-archive/fineprint/archive/tlog"
)

// openLogKey reads the key of the log, or makes one for an archive that has no
// log yet.
func (a *app) openLogKey(ctx context.Context, c *config, s store.Store) (*archive.LogConfig, error) {
	key, err := readLogKey(c.Log.KeyFile)
	if errors.Is(err, fs.ErrNotExist) {
		key, err = a.makeLogKey(ctx, c, s)
	}
	if err != nil {
		return nil, err
	}
	if origin := key.Verifier.Name(); c.Log.Origin != "" && c.Log.Origin != origin {
		return nil, usageErrorf("log.origin is %q and the log is called %q: its name was fixed when it began; take the key out, or begin a successor with `fineprint log succeed`", c.Log.Origin, origin)
	}
	m, ok := s.(interface{ Mutable() store.Mutable })
	if !ok {
		return nil, fmt.Errorf("archive: this kind of store holds no log")
	}
	return &archive.LogConfig{Mutable: m.Mutable(), Signer: key.Signer, Verifier: key.Verifier, Place: logPlace(c), Secret: privateSecret(key)}, nil
}

// privateSecret derives from the log's key what hides private sources in the log.
func privateSecret(key tlog.Key) []byte {
	sum := sha256.Sum256([]byte("fineprint private sources v1\n" + key.Private))
	return sum[:]
}

// logPlace says where the log lives: a copy of the store that stands elsewhere
// is not written.
func logPlace(c *config) string {
	if c.Log.Place != "" {
		return c.Log.Place
	}
	if strings.HasPrefix(c.Archive, "s3://") {
		address, _, _ := strings.Cut(c.Archive, "?")
		return "bucket " + address
	}
	if inContainer() {
		return "folder " + c.Archive + " in a container"
	}
	host, err := os.Hostname()
	if err != nil {
		host = "unknown host"
	}
	return "folder " + c.Archive + " on " + host
}

// inContainer reports whether the host name may be another one at each start.
func inContainer() bool {
	for _, mark := range []string{"/.dockerenv", "/run/.containerenv"} {
		if !missing(mark) {
			return true
		}
	}
	return os.Getenv("KUBERNETES_SERVICE_HOST") != ""
}

// readLogKey reads a private key, which nobody else may read.
func readLogKey(name string) (tlog.Key, error) {
	info, err := os.Stat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return tlog.Key{}, err // the caller may make one
	}
	if err != nil {
		return tlog.Key{}, usageErrorf("log.key_file: %w", err)
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return tlog.Key{}, usageErrorf("log.key_file %s can be read by others (mode %04o): chmod 600 it, and think about a new key", name, mode)
	}
	text, err := readBounded(name, 4<<10)
	if err != nil {
		return tlog.Key{}, usageErrorf("log.key_file: %w", err)
	}
	key, err := tlog.ParseKey(string(text))
	if err != nil {
		return tlog.Key{}, usageErrorf("log.key_file %s: %w", name, err)
	}
	return key, nil
}

// makeLogKey makes the key of a new log. A log that is there already needs its
// own key.
func (a *app) makeLogKey(ctx context.Context, c *config, s store.Store) (key tlog.Key, err error) {
	switch _, err := s.Stat(ctx, "log/checkpoint"); {
	case err == nil:
		return key, usageErrorf("log.key_file %s is missing and the archive has a log: put the key back; if it is lost for ever, docs/OPERATIONS.md says how a successor begins", c.Log.KeyFile)
	case !errors.Is(err, store.ErrNotExist):
		return key, fmt.Errorf("look for a log: %w", err)
	}
	origin := c.Log.Origin
	if origin == "" {
		var b [8]byte
		rand.Read(b[:]) // never fails
		origin = "unnamed.invalid/" + hex.EncodeToString(b[:])
	}
	if err := tlog.CheckOrigin(origin); err != nil {
		return key, usageErrorf("log.origin: %w", err)
	}
	if key, err = tlog.GenerateKey(rand.Reader, origin); err != nil {
		return key, err
	}
	if err := os.MkdirAll(filepath.Dir(c.Log.KeyFile), 0o755); err != nil {
		return key, usageErrorf("log.key_file: %w", err)
	}
	if err := writeSecret(c.Log.KeyFile, key.Private+"\n"); err != nil {
		return key, usageErrorf("log.key_file: %w", err)
	}
	a.talk("made the key of the log %s: %s (keep a copy; public key: %s)", origin, c.Log.KeyFile, key.Public)
	return key, nil
}

// writeSecret creates a file that only this user reads, durably.
func writeSecret(name, text string) (err error) {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if _, err := f.WriteString(text); err != nil {
		return err
	}
	return f.Sync()
}

// logVerifier returns the public key of the archive's log for a command that
// reads it: log.public, or that of the private key. It is nil for an archive
// without a log.
func (a *app) logVerifier(ctx context.Context, c *config, s store.Store) (note.Verifier, error) {
	if c.Log.Public != "" {
		v, err := tlog.ParseVerifier(c.Log.Public)
		if err != nil {
			return nil, usageErrorf("log.public: %w", err)
		}
		return v, nil
	}
	key, err := readLogKey(c.Log.KeyFile)
	if err == nil {
		return key.Verifier, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	switch _, err := s.Stat(ctx, "log/checkpoint"); {
	case err == nil:
		return nil, usageErrorf("the archive has a log and its key is not known here: give its public key with --set log.public=… (log.key_file %s is missing)", c.Log.KeyFile)
	case !errors.Is(err, store.ErrNotExist):
		return nil, fmt.Errorf("look for a log: %w", err)
	}
	return nil, nil
}
