package tlog

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync"

	"github.com/fineprint-archive/fineprint/archive/store"
	"golang.org/x/mod/sumdb/note"
)

// Config says which log to open for writing. All fields but the last five are
// required.
type Config struct {
	Store    store.Store
	Mutable  store.Mutable // over the same keys
	Signer   note.Signer   // the log's key; its name is the origin
	Verifier note.Verifier // the public half

	// Place names where the store is, one line of up to 1,000 bytes with a
	// meaning for people and the same at each start, such as "folder
	// /srv/archive on host a". It is written into the lock.
	Place string

	// TakeOver is a place that the operator declares gone for good (a folder
	// that was renamed, a lost machine): a log that lives there is taken to
	// Place. Two copies that are both written are a fork.
	TakeOver string

	// Known is a size that the log is known to have had. Open refuses a smaller
	// one, and to create one in its stead, with ErrBehind: the store is another
	// one, or an older copy.
	Known int64

	Logger *slog.Logger      // nil: silent
	Step   func(name string) // called before each step of a batch (stage, lock, tiles, checkpoint, publish, drop); for crash tests
}

// Log appends to a log. Its methods may be called from several goroutines, and
// several processes may have the same log open.
type Log struct {
	cfg    Config
	reader *Reader

	mu        sync.Mutex // held for the whole of each operation; guards all below
	lock      lock       // as last read or written
	tag       string     // of the lock object
	published bool       // every object of lock.cp is written and public
	tail      *tail      // at lock.cp; nil: to be read
	public    Checkpoint // log/checkpoint as last read or written
	publicTag string
}

// Open opens the log of the store for writing, and creates it, with a
// checkpoint of size 0, where there is none. It tests first whether the store
// keeps its conditions (store.Report), and finishes what a crashed writer left.
//
// It refuses a store that fails the test, a log of another origin or key
// (ErrWrongKey), one that lives elsewhere (ErrElsewhere), one whose lock is older
// than its public checkpoint, and one without what it has had (ErrBehind). A closed log opens (for Cosign), but takes
// no entry.
func Open(ctx context.Context, cfg Config) (*Log, error) {
	l := &Log{cfg: cfg}
	if err := l.open(ctx); err != nil {
		return nil, fmt.Errorf("open log: %w", err)
	}
	return l, nil
}

func (l *Log) open(ctx context.Context) error {
	cfg := &l.cfg
	if err := cfg.check(); err != nil {
		return err
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Step == nil {
		cfg.Step = func(string) {}
	}
	if err := selfTest(ctx, cfg.Store, cfg.Mutable); err != nil {
		return err
	}
	l.reader = NewReader(cfg.Store, cfg.Verifier)
	l.mu.Lock()
	defer l.mu.Unlock()
	err := l.refresh(ctx)
	if errors.Is(err, store.ErrNotExist) {
		if err = l.create(ctx); errors.Is(err, ErrLost) {
			err = l.refresh(ctx) // someone else created it
		}
	}
	if err != nil {
		return err
	}
	if err := l.claim(ctx); err != nil {
		return err
	}
	if size := l.lock.cp.Size; size < cfg.Known {
		return fmt.Errorf("%w: it has had %d entries, and %d are in this store", ErrBehind, cfg.Known, size)
	}
	l.sweep(ctx)
	return nil
}

func (cfg Config) check() error {
	if cfg.Store == nil || cfg.Mutable == nil || cfg.Signer == nil || cfg.Verifier == nil {
		return errors.New("store, mutable objects, private and public key are all needed")
	}
	if err := CheckOrigin(cfg.Signer.Name()); err != nil {
		return err
	}
	if cfg.Signer.Name() != cfg.Verifier.Name() || cfg.Signer.KeyHash() != cfg.Verifier.KeyHash() {
		return fmt.Errorf("%w: the private key is %s, the public one %s", ErrWrongKey, keyName(cfg.Signer), keyName(cfg.Verifier))
	}
	return checkValue("place", cfg.Place)
}

// refresh reads the lock and, if it is new to this Log or not yet published,
// finishes its batch. A failure under a lock that has changed meanwhile is no
// finding: the other writer finished first. A store without a log is
// store.ErrNotExist.
func (l *Log) refresh(ctx context.Context) error {
	failed := "" // tag of the lock that could not be settled
	for {
		data, tag, err := l.cfg.Mutable.Get(ctx, lockKey)
		if err != nil {
			return err
		}
		if tag == l.tag && l.published && l.tail != nil {
			return nil
		}
		read, err := parseLock(data, l.cfg.Verifier)
		if errors.Is(err, ErrWrongKey) {
			return fmt.Errorf("the log in this store belongs to another origin or key than the configured %s: give the key file it was made with: %w",
				keyName(l.cfg.Verifier), err)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", lockKey, err)
		}
		l.adopt(read, tag)
		err = l.settle(ctx)
		if err == nil || tag == failed || ctx.Err() != nil {
			return err
		}
		failed = tag
	}
}

// adopt makes a lock that was read the current one.
func (l *Log) adopt(read lock, tag string) {
	if l.lock.cp.Size != read.cp.Size || l.lock.cp.Root != read.cp.Root {
		l.tail = nil
	}
	l.lock, l.tag, l.published = read, tag, false
}

// create makes the log. It is the first batch, of no entries.
func (l *Log) create(ctx context.Context) error {
	_, err := l.reader.Checkpoint(ctx)
	if err == nil {
		return fmt.Errorf("%s is missing though the log exists: put it back from a copy of the store", lockKey)
	}
	if !errors.Is(err, store.ErrNotExist) {
		return err
	}
	if l.cfg.Known > 0 {
		return fmt.Errorf("%w: it has had %d entries, and this store has no log", ErrBehind, l.cfg.Known)
	}
	l.lock, l.tag = lock{place: l.cfg.Place}, ""
	l.tail = &tail{edge: &edge{}}
	if err := l.commit(ctx, nil); err != nil {
		return fmt.Errorf("create it: %w", err)
	}
	l.cfg.Logger.Info("log created", "origin", l.lock.cp.Origin, "place", l.cfg.Place)
	return nil
}

// Checkpoint returns the newest state that this Log knows, published or about
// to be.
func (l *Log) Checkpoint() Checkpoint {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lock.cp
}

// Refresh finds out what other writers did, finishes what one of them left
// unfinished, and returns the newest state.
func (l *Log) Refresh(ctx context.Context) (Checkpoint, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.refresh(ctx); err != nil {
		return Checkpoint{}, fmt.Errorf("read log: %w", err)
	}
	return l.lock.cp, nil
}

// Append adds the leaves as one batch, all or none, and returns the index of
// the first and the checkpoint that covers them, which is then public. A leaf
// has at most MaxLeaf bytes, a batch at most MaxBatch. No leaves are no batch:
// the newest checkpoint is returned.
//
// ErrLost, ErrClosed and ErrElsewhere mean that nothing of the batch is in the
// log; after ErrLost it may be appended again. After any other error it may be
// in the log, and the next operation on the log makes it public: before
// appending it again the caller looks for it (Reader.Entries from the size
// before, after Refresh).
func (l *Log) Append(ctx context.Context, leaves [][]byte) (first int64, cp Checkpoint, err error) {
	return l.append(ctx, -1, leaves)
}

// AppendAt is Append to a log of exactly this size: ErrLost if another writer
// has made it grow since. Who has read all entries below it so appends an entry
// once, whoever else tries the same.
func (l *Log) AppendAt(ctx context.Context, size int64, leaves [][]byte) (Checkpoint, error) {
	_, cp, err := l.append(ctx, size, leaves)
	return cp, err
}

// append appends to a log of the given size, or of any size if that is negative.
func (l *Log) append(ctx context.Context, size int64, leaves [][]byte) (first int64, cp Checkpoint, err error) {
	if err := checkLeaves(leaves); err != nil {
		return 0, Checkpoint{}, fmt.Errorf("append to log: %w", err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.refresh(ctx); err != nil {
		return 0, Checkpoint{}, fmt.Errorf("append to log: %w", err)
	}
	if err := l.writable(); err != nil {
		return 0, Checkpoint{}, fmt.Errorf("append to log: %w", err)
	}
	first = l.lock.cp.Size
	if size >= 0 && size != first {
		return 0, Checkpoint{}, fmt.Errorf("append to log at %d, which has grown to %d: %w", size, first, ErrLost)
	}
	if len(leaves) == 0 {
		return first, l.lock.cp, nil
	}
	if err := l.commit(ctx, leaves); err != nil {
		return 0, Checkpoint{}, fmt.Errorf("append to log at %d: %w", first, err)
	}
	return first, l.lock.cp, nil
}

// commit takes a batch through all steps. Before "lock" nothing counts, so a
// failure there changes nothing; after it the batch is in the log, and a
// failure leaves it to the next refresh.
func (l *Log) commit(ctx context.Context, leaves [][]byte) error {
	next, objects := l.tail.grow(leaves)
	cp, err := signCheckpoint(next.edge.size, next.edge.root(), l.cfg.Signer, l.cfg.Verifier)
	if err != nil {
		return err
	}
	id := rand.Text()
	staging := stagingKey(cp, id)
	data, err := batch{base: l.lock.cp, cp: cp, leaves: leaves}.encode()
	if err != nil {
		return fmt.Errorf("stage: %w", err)
	}

	l.cfg.Step("stage")
	stagingTag, err := l.write(ctx, staging, data, "")
	if err != nil {
		return fmt.Errorf("stage: %w", err)
	}

	l.cfg.Step("lock")
	err = l.swap(ctx, lock{write: id, place: l.lock.place, staging: staging, cp: cp})
	if errors.Is(err, ErrLost) {
		// Ours alone, and never referred to: see stagingKey.
		return errors.Join(err, l.drop(ctx, staging, stagingTag))
	}
	if err != nil {
		return err
	}
	l.tail = &next
	return l.finish(ctx, objects, staging, stagingTag)
}

// swap replaces the lock that was read by next. When it returns nil next is
// the current lock, not yet published. ErrLost: someone else's is.
func (l *Log) swap(ctx context.Context, next lock) error {
	tag, err := l.write(ctx, lockKey, next.encode(), l.tag)
	if errors.Is(err, store.ErrPrecondition) {
		l.published = false // read the lock again before the next use
		return ErrLost
	}
	if err != nil {
		l.published = false
		return fmt.Errorf("lock: %w", err)
	}
	l.lock, l.tag, l.published = next, tag, false
	return nil
}

// write is Mutable.PutIfMatch, repeated until its outcome is certain. A
// refusal counts only if the object does not hold exactly these bytes: a
// repeated request may meet its own first try. The bytes must therefore be
// this writer's own (the lock has an id for that).
func (l *Log) write(ctx context.Context, key string, data []byte, tag string) (string, error) {
	const attempts = 3
	uncertain := false // an earlier try may have taken place, or may yet
	for n := 1; ; n++ {
		newTag, err := l.cfg.Mutable.PutIfMatch(ctx, key, data, tag)
		lost, unavailable := errors.Is(err, store.ErrPrecondition), errors.Is(err, store.ErrUnavailable)
		if !lost && !unavailable {
			return newTag, err
		}
		now, nowTag, readErr := l.cfg.Mutable.Get(ctx, key)
		gone := errors.Is(readErr, store.ErrNotExist)
		switch {
		case readErr == nil && string(now) == string(data):
			return nowTag, nil
		case readErr != nil && !gone:
			return "", fmt.Errorf("whether %s was written is not known: %w", key, errors.Join(err, readErr))
		case lost && !uncertain:
			return "", err
		case lost || nowTag != tag || n == attempts:
			// Our write may have come and been replaced, or still be under way.
			return "", fmt.Errorf("whether %s was written is not known: %w: %w", key, store.ErrUnavailable, err)
		}
		uncertain = true
	}
}

// sweep removes staging that crashed or losing writers left: of batches that
// can no longer win, because the log has grown to their size or beyond. It is
// best effort: what stays costs space only.
func (l *Log) sweep(ctx context.Context) {
	for info, err := range l.cfg.Store.List(ctx, stagingPrefix, "") {
		if err != nil {
			l.cfg.Logger.Warn("leftovers of the log were not listed", "err", err)
			return
		}
		size, _, _ := strings.Cut(strings.TrimPrefix(info.Key, stagingPrefix), "-")
		n, err := strconv.ParseInt(size, 10, 64)
		if err != nil || n > l.lock.cp.Size || info.Key == l.lock.staging && !l.published {
			continue
		}
		_, tag, err := l.cfg.Mutable.Get(ctx, info.Key)
		if err == nil {
			err = l.drop(ctx, info.Key, tag)
		}
		if err != nil && !errors.Is(err, store.ErrNotExist) {
			l.cfg.Logger.Warn("a leftover of the log was not removed", "object", info.Key, "err", err)
			continue
		}
		l.cfg.Logger.Debug("leftover of the log removed", "object", info.Key)
	}
}
