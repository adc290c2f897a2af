package archive

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fineprint-archive/fineprint/archive/catalog"
	"github.com/fineprint-archive/fineprint/archive/store"
	"github.com/fineprint-archive/fineprint/archive/tlog"
	"github.com/fineprint-archive/fineprint/warc"
)

// FormatVersion is the version of the archive's layout in the store.
const FormatVersion = 1

// formatKey is the object that names the layout. It is written once.
const formatKey = "archive.json"

// ErrNewer says that the archive was made by a newer version of the program.
var ErrNewer = errors.New("made by a newer version of fineprint")

// ErrSpoolBusy says that another process works on the same spool folder.
var ErrSpoolBusy = errors.New("another fineprint process uses this spool")

// ErrSpool says that the spool folder cannot be used as it is: a person must
// change its permissions or the configuration.
var ErrSpool = errors.New("choose a writable folder on a local disk (spool:)")

// Config tells Open what to work on. Store, Catalog and Spool are required.
type Config struct {
	Store   store.Store
	Catalog *catalog.DB
	Spool   string // folder for the open WARCs, on a local disk

	Operator  string      // for the warcinfo record
	UserAgent string      // for the warcinfo record
	Tool      string      // "fineprint/0.1.0 (revision)"
	Settings  warc.Digest // of the configuration without secrets, for the warcinfo record
	Run       string      // id of this run; "" makes a new one
	MaxBytes  int64       // an open WARC of this size is sealed; default 256 MiB

	Log *LogConfig // nil: looks are not entered in a log

	Logger *slog.Logger
	Now    func() time.Time
	Rand   io.Reader

	// Step, if set, is called before each durable step with its name. Tests
	// stop the process there.
	Step func(name string)
}

// Archive is one archive opened for writing by this process. Its methods may be
// used by many goroutines.
type Archive struct {
	cfg   Config
	spool string // identity of the spool folder, constant over restarts
	lock  *os.File

	mu   sync.Mutex // guards open and its pointers, not the file itself
	open *openWARC

	log    *tlog.Log    // nil if there is none
	reader *tlog.Reader // of the same log

	anchored atomic.Pointer[[sha256.Size]byte] // see AnchoredSum; nil: nothing is anchored

	sealing  sync.Mutex         // one Seal at a time
	closed   map[string]written // closed WARCs that this process wrote, by name; guarded by sealing
	finisher *finisher
}

// Open takes the spool folder for this process (ErrSpoolBusy, ErrSpool), checks
// the archive's version (ErrNewer) and that the catalog knows what the archive
// holds (ErrCatalogBehind) and the log what the catalog knows of it
// (tlog.ErrBehind), and repairs what an earlier process left. The repaired WARCs
// wait for Seal.
func Open(ctx context.Context, cfg Config) (_ *Archive, err error) {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Rand == nil {
		cfg.Rand = rand.Reader
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.MaxBytes == 0 {
		cfg.MaxBytes = 256 << 20
	}
	if cfg.Run == "" {
		cfg.Run = NewRunID(cfg.Now(), cfg.Rand)
	}
	if cfg.Step == nil {
		cfg.Step = func(string) {}
	}
	if err := checkFormat(ctx, cfg.Store, cfg.Now()); err != nil {
		return nil, err
	}
	a := &Archive{cfg: cfg, closed: map[string]written{}}
	if err := a.takeSpool(); err != nil {
		return nil, err
	}
	if err := a.checkCatalog(ctx); err != nil {
		return nil, errors.Join(err, a.lock.Close())
	}
	if err := a.recover(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("recover spool %s: %w", cfg.Spool, err), a.lock.Close())
	}
	if err := a.openLog(ctx); err != nil {
		return nil, errors.Join(err, a.lock.Close())
	}
	if err := a.readAnchored(ctx); err != nil {
		return nil, errors.Join(err, a.lock.Close())
	}
	a.finisher = a.startFinisher()
	return a, nil
}

// Run returns the id of this run.
func (a *Archive) Run() string { return a.cfg.Run }

// Close gives the spool folder back. What is not sealed stays in the spool and
// is repaired by the next Open; call Seal first to leave nothing behind. No look
// may be under way.
func (a *Archive) Close() error {
	a.finisher.stop()
	a.mu.Lock()
	w := a.open
	a.open = nil
	a.mu.Unlock()
	var err error
	if w != nil {
		err = w.file.Abandon()
	}
	return errors.Join(err, a.lock.Close())
}

// NewRunID returns a run id: the time to the second and four random bytes, in
// characters that are safe in file names.
func NewRunID(now time.Time, random io.Reader) string {
	var b [4]byte
	if _, err := io.ReadFull(random, b[:]); err != nil {
		panic(fmt.Sprintf("read randomness: %v", err)) // crypto/rand does not fail
	}
	return now.UTC().Format("20060102t150405") + hex.EncodeToString(b[:])
}

type format struct {
	Format  int       `json:"format"`
	Created time.Time `json:"created"`
}

// checkFormat reads the archive's version, or writes it into a new archive.
func checkFormat(ctx context.Context, s store.Store, now time.Time) error {
	have, err := readFormat(ctx, s)
	if errors.Is(err, store.ErrNotExist) {
		data, err := json.Marshal(format{FormatVersion, now.UTC().Truncate(time.Second)})
		if err != nil {
			return err
		}
		err = putBytes(ctx, s, formatKey, data, "application/json")
		if err == nil {
			return nil
		}
		if !errors.Is(err, store.ErrExists) {
			return fmt.Errorf("write %s: %w", formatKey, err)
		}
		have, err = readFormat(ctx, s)
		if err != nil {
			return fmt.Errorf("read %s: %w", formatKey, err)
		}
	} else if err != nil {
		return fmt.Errorf("read %s: %w", formatKey, err)
	}
	return have.check()
}

// CheckFormat returns ErrNewer if a newer version of the program made the
// archive. It writes nothing; a store without an archive is fine.
func CheckFormat(ctx context.Context, s store.Store) error {
	have, err := readFormat(ctx, s)
	if errors.Is(err, store.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read %s: %w", formatKey, err)
	}
	return have.check()
}

func (f format) check() error {
	if f.Format > FormatVersion {
		return fmt.Errorf("archive format %d, this program reads up to %d: %w; update fineprint", f.Format, FormatVersion, ErrNewer)
	}
	return nil
}

func readFormat(ctx context.Context, s store.Store) (f format, err error) {
	r, err := s.Get(ctx, formatKey, 0, -1)
	if err != nil {
		return f, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	data, err := io.ReadAll(io.LimitReader(r, 64<<10))
	if err != nil {
		return f, err
	}
	if err := json.Unmarshal(data, &f); err != nil || f.Format < 1 {
		return f, fmt.Errorf("object is no archive description: %.80q", data)
	}
	return f, nil
}

// takeSpool locks the spool folder and reads or makes its identity.
func (a *Archive) takeSpool() error {
	if err := os.MkdirAll(a.cfg.Spool, 0o755); err != nil {
		return fmt.Errorf("spool folder: %w; %w", err, ErrSpool)
	}
	lock, err := lockFile(filepath.Join(a.cfg.Spool, "lock"))
	if _, refused := errors.AsType[*os.PathError](err); refused {
		return fmt.Errorf("spool: %w; %w", err, ErrSpool)
	}
	if err != nil {
		return fmt.Errorf("spool %s: %w", a.cfg.Spool, err)
	}
	a.lock = lock
	name := filepath.Join(a.cfg.Spool, "id")
	id, err := os.ReadFile(name)
	if errors.Is(err, os.ErrNotExist) {
		var b [8]byte
		if _, err := io.ReadFull(a.cfg.Rand, b[:]); err != nil {
			return errors.Join(err, lock.Close())
		}
		id = []byte(hex.EncodeToString(b[:]))
		err = writeFileSync(name, id)
	}
	if errors.Is(err, os.ErrPermission) {
		err = fmt.Errorf("%w; %w", err, ErrSpool)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("spool identity: %w", err), lock.Close())
	}
	a.spool = string(id)
	return nil
}
