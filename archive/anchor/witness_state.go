package anchor

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"filippo.io/torchwood"
	"golang.org/x/mod/sumdb/note"
)

// ErrWitnessBusy: another process holds the folder of a witness.
var ErrWitnessBusy = errors.New("another witness is running in this folder")

// witnessState is the folder in which a witness remembers:
//
//	lock                            held by the running process
//	<hex sha256(origin)>.checkpoint the last checkpoint cosigned of a log: its
//	                                text, the log's signature and our cosignature
//
// A file is replaced as a whole (temporary file, sync, rename, sync of the
// folder) before the cosignature leaves the house. A crash in between leaves
// the older file, or the newer one whose cosignature nobody has yet: both are
// states from which the witness can go on.
//
// Whoever sets a file back or removes it makes the witness forget, and it may
// then cosign a second history: such a witness needs a new key.
type witnessState struct {
	dir      string
	lock     *os.File
	verifier *torchwood.CosignatureVerifier
}

// cosigned is the content of a state file. The zero value is "never cosigned".
type cosigned struct {
	signed     []byte // the file
	checkpoint torchwood.Checkpoint
	text       string    // of the checkpoint, without signatures
	line       string    // our cosignature
	at         time.Time // of our cosignature
}

// openWitnessState makes the folder if needed and locks it.
func openWitnessState(dir string, verifier *torchwood.CosignatureVerifier) (_ *witnessState, err error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("witness state: %w", err)
	}
	lock, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("witness state: %w", err)
	}
	if err := lockWitnessFile(lock); err != nil {
		return nil, errors.Join(fmt.Errorf("witness state %s: %w", dir, err), lock.Close())
	}
	s := &witnessState{dir: dir, lock: lock, verifier: verifier}
	if err := s.clean(); err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return s, nil
}

// clean removes what a crash left half written. Only the holder of the lock
// writes here, so nothing of anybody else's is hit.
func (s *witnessState) clean() error {
	left, err := filepath.Glob(filepath.Join(s.dir, ".new-*"))
	if err != nil {
		return fmt.Errorf("witness state: %w", err)
	}
	for _, name := range left {
		if err := os.Remove(name); err != nil {
			return fmt.Errorf("witness state: %w", err)
		}
	}
	return nil
}

// originHash names a log in addresses and file names (c2sp.org/tlog-witness).
func originHash(origin string) string {
	sum := sha256.Sum256([]byte(origin))
	return hex.EncodeToString(sum[:])
}

func (s *witnessState) file(origin string) string {
	return filepath.Join(s.dir, originHash(origin)+".checkpoint")
}

// read gives what was cosigned last. Our own cosignature must stand in the
// file and verify: a file that was damaged, or belongs to another key, is an
// error and never "nothing cosigned yet".
func (s *witnessState) read(origin string) (cosigned, error) {
	data, err := os.ReadFile(s.file(origin))
	if errors.Is(err, fs.ErrNotExist) {
		return cosigned{}, nil
	}
	if err != nil {
		return cosigned{}, fmt.Errorf("witness state of log %q: %w", origin, err)
	}
	c, err := parseCosigned(data, s.verifier)
	if err == nil && c.checkpoint.Origin != origin {
		err = fmt.Errorf("it is of log %q", c.checkpoint.Origin)
	}
	if err != nil {
		return cosigned{}, fmt.Errorf("witness state of log %q, file %s: %w; restore the newest copy of this file, or run with a new key in a new folder", origin, s.file(origin), err)
	}
	return c, nil
}

// parseCosigned reads a state file.
func parseCosigned(data []byte, verifier *torchwood.CosignatureVerifier) (cosigned, error) {
	text, lines, err := splitCheckpoint(data)
	if err != nil {
		return cosigned{}, err
	}
	n, err := note.Open(data, note.VerifierList(verifier))
	if err != nil {
		return cosigned{}, fmt.Errorf("no valid cosignature by %s in it: %w", verifier.Name(), err)
	}
	c, err := torchwood.ParseCheckpoint(n.Text)
	if err != nil {
		return cosigned{}, err
	}
	// Written last, by write.
	line := lines[len(lines)-1]
	if want := fmt.Sprintf("— %s %s\n", n.Sigs[0].Name, n.Sigs[0].Base64); line != want {
		return cosigned{}, errors.New("our cosignature is not the last line")
	}
	return cosigned{signed: data, checkpoint: c, text: text, line: line, at: cosignatureTime(n.Sigs[0])}, nil
}

// write makes a state durable.
func (s *witnessState) write(origin string, data []byte) (err error) {
	f, err := os.CreateTemp(s.dir, ".new-*")
	if err != nil {
		return fmt.Errorf("witness state of log %q: %w", origin, err)
	}
	defer func() {
		if err != nil {
			// Best effort: what stays is removed at the next start.
			_ = os.Remove(f.Name())
			err = fmt.Errorf("witness state of log %q: %w", origin, err)
		}
	}()
	_, err = f.Write(data)
	if err == nil {
		err = f.Chmod(0o644)
	}
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), s.file(origin)); err != nil {
		return err
	}
	return syncWitnessFolder(s.dir)
}

func syncWitnessFolder(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// strangers lists the logs in the folder that no longer stand in the
// configuration, by file name.
func (s *witnessState) strangers(origins []string) ([]string, error) {
	names, err := filepath.Glob(filepath.Join(s.dir, "*.checkpoint"))
	if err != nil {
		return nil, fmt.Errorf("witness state: %w", err)
	}
	known := map[string]bool{}
	for _, o := range origins {
		known[s.file(o)] = true
	}
	var left []string
	for _, name := range names {
		if !known[name] {
			left = append(left, strings.TrimSuffix(filepath.Base(name), ".checkpoint"))
		}
	}
	return left, nil
}

func (s *witnessState) close() error { return s.lock.Close() }
