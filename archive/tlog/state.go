package tlog

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"

	"github.com/fineprint-archive/fineprint/archive/store"
	"golang.org/x/mod/sumdb/note"
)

const maxSignatures = 100 // lines that note.Open reads

// Place returns where the log lives: Config.Place, or after Move the new place.
func (l *Log) Place() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.lock.moved != "" {
		return l.lock.moved
	}
	return l.lock.place
}

// Closed returns what follows this log, "" while it is open.
func (l *Log) Closed() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lock.closed
}

// writable returns nil if this Log may append.
func (l *Log) writable() error {
	switch {
	case l.lock.closed != "":
		return fmt.Errorf("%w: it is continued by %s", ErrClosed, l.lock.closed)
	case l.lock.moved != "":
		return fmt.Errorf("%w: it was moved from %q to %q: write to it there", ErrElsewhere, l.lock.place, l.lock.moved)
	case l.lock.place != l.cfg.Place:
		return fmt.Errorf("%w: it lives at %q, this is %q: move it there first, or say that the other place is gone for good",
			ErrElsewhere, l.lock.place, l.cfg.Place)
	}
	return nil
}

// claim makes Config.Place the place of the log where that is due: after Move,
// or by Config.TakeOver.
func (l *Log) claim(ctx context.Context) error {
	from := l.lock.place
	if l.lock.moved != "" {
		from = l.lock.moved
	}
	here := from == l.cfg.Place
	if here && l.lock.moved == "" {
		return nil
	}
	if !here && (l.cfg.TakeOver == "" || l.cfg.TakeOver != from) {
		return l.writable()
	}
	old := l.lock.place
	if err := l.state(ctx, func(n *lock) { n.place, n.moved = l.cfg.Place, "" }); err != nil {
		return fmt.Errorf("take the log from %q to %q: %w", old, l.cfg.Place, err)
	}
	l.cfg.Logger.Info("log taken to its new place", "from", old, "place", l.cfg.Place)
	return nil
}

// Move closes the log here in favour of newPlace, the Config.Place of a store
// that is about to be made by copying this one, all objects under "log/"
// included. From then on the log may be opened for writing there only. Moving
// to Config.Place itself undoes a move that was not used.
func (l *Log) Move(ctx context.Context, newPlace string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.move(ctx, newPlace); err != nil {
		return fmt.Errorf("move log: %w", err)
	}
	return nil
}

func (l *Log) move(ctx context.Context, newPlace string) error {
	if err := checkValue("place", newPlace); err != nil {
		return err
	}
	if err := l.refresh(ctx); err != nil {
		return err
	}
	if l.lock.place != l.cfg.Place {
		return l.writable()
	}
	if newPlace == l.lock.place {
		newPlace = ""
	}
	if newPlace == l.lock.moved {
		return nil
	}
	return l.state(ctx, func(n *lock) { n.moved = newPlace })
}

// Close ends the log for ever at this size: it takes no further entries. The
// successor, one line of up to 1,000 bytes such as the public key of the next
// log, is told to whoever tries. The last entry that names it is the caller's to
// append before; ErrLost says that the log has grown behind that. Closing again
// with the same successor is nothing. The Log holds no resources: Close is not
// for the end of a program.
func (l *Log) Close(ctx context.Context, size int64, successor string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.close(ctx, size, successor); err != nil {
		return fmt.Errorf("close log: %w", err)
	}
	return nil
}

func (l *Log) close(ctx context.Context, size int64, successor string) error {
	if err := checkValue("successor", successor); err != nil {
		return err
	}
	if err := l.refresh(ctx); err != nil {
		return err
	}
	if l.lock.closed == successor {
		return nil
	}
	if err := l.writable(); err != nil {
		return err
	}
	if l.lock.cp.Size != size {
		return fmt.Errorf("it has grown from %d to %d entries: %w", size, l.lock.cp.Size, ErrLost)
	}
	return l.state(ctx, func(n *lock) { n.closed = successor })
}

// State is what the lock of a log says.
type State struct {
	Checkpoint Checkpoint // newest, published or about to be
	Place      string     // where the log lives
	Moved      string     // the place that it is moving to, else ""
	Closed     string     // what follows it, else ""
}

// State reads the lock without touching anything. A store without a log is
// store.ErrNotExist; a log that only its readers have (a copy of what is
// published) may have none either.
func (r *Reader) State(ctx context.Context) (State, error) {
	data, err := r.read(ctx, lockKey, maxCheckpoint+4*maxValue)
	if err != nil {
		return State{}, err
	}
	l, err := parseLock(data, r.verifier)
	if err != nil {
		return State{}, fmt.Errorf("%s: %w", lockKey, err)
	}
	return State{Checkpoint: l.cp, Place: l.place, Moved: l.moved, Closed: l.closed}, nil
}

// state writes the lock with a change that is no batch. The batch of the
// current lock is finished: refresh came before.
func (l *Log) state(ctx context.Context, change func(*lock)) error {
	next := l.lock
	next.write, next.staging = rand.Text(), ""
	change(&next)
	if err := l.swap(ctx, next); err != nil {
		return err
	}
	l.published = true
	return nil
}

// Cosign adds signature lines (c2sp.org/signed-note, each "— name base64" and
// a newline) to the public checkpoint, if that still has this size; it tells
// whether they stand there now. It is a convenience for readers: who must keep
// cosignatures keeps them elsewhere too, since a newer checkpoint has none at
// first. The lines are not verified here.
func (l *Log) Cosign(ctx context.Context, size int64, lines []byte) (bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	ok, err := l.cosign(ctx, size, lines)
	if err != nil {
		return false, fmt.Errorf("cosign checkpoint %d: %w", size, err)
	}
	return ok, nil
}

func (l *Log) cosign(ctx context.Context, size int64, lines []byte) (bool, error) {
	const attempts = 5
	for n := 1; ; n++ {
		if err := l.readPublic(ctx); err != nil {
			return false, err
		}
		if l.public.Raw == nil || l.public.Size != size {
			return false, nil
		}
		raw, err := addSignatures(l.public.Raw, lines, l.cfg.Verifier)
		if err != nil {
			return false, err
		}
		if bytes.Equal(raw, l.public.Raw) {
			return true, nil
		}
		tag, err := l.write(ctx, publicKey, raw, l.publicTag)
		if err == nil {
			l.public.Raw, l.publicTag = raw, tag
			return true, nil
		}
		if !errors.Is(err, store.ErrPrecondition) || n == attempts {
			return false, err
		}
	}
}

// addSignatures appends the lines that raw has not got yet.
func addSignatures(raw, lines []byte, v note.Verifier) ([]byte, error) {
	out := bytes.Clone(raw)
	for line := range strings.Lines(string(lines)) {
		if !strings.HasPrefix(line, "— ") || !strings.HasSuffix(line, "\n") {
			return nil, fmt.Errorf("%.80q is no signature line", line)
		}
		if !bytes.Contains(out, []byte("\n"+line)) {
			out = append(out, line...)
		}
	}
	if n := bytes.Count(out, []byte("\n— ")); n > maxSignatures {
		return nil, fmt.Errorf("%d signatures are too many, readers take %d", n, maxSignatures)
	}
	if _, err := ParseCheckpoint(out, v); err != nil {
		return nil, fmt.Errorf("with the new lines: %w", err)
	}
	return out, nil
}
