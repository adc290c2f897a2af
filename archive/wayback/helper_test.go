package wayback

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/fineprint-archive/fineprint/archive/wayback/waybacktest"
)

const (
	testAccess = "accessKEYaccess1"
	testSecret = "secretKEYsecret2"
	testAgent  = "fineprint-test/1 (+mailto:operator@example.org)"
)

// network is a network in memory, so that a whole HTTP server and client run in
// a synctest bubble.
type network struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once

	mu     sync.Mutex
	refuse bool
}

func (n *network) Accept() (net.Conn, error) {
	select {
	case c := <-n.conns:
		return c, nil
	case <-n.closed:
		return nil, net.ErrClosed
	}
}

func (n *network) Close() error   { n.once.Do(func() { close(n.closed) }); return nil }
func (n *network) Addr() net.Addr { return &net.TCPAddr{} }

func (n *network) dial(ctx context.Context, netw, addr string) (net.Conn, error) {
	n.mu.Lock()
	refuse := n.refuse
	n.mu.Unlock()
	if refuse {
		return nil, &net.OpError{Op: "dial", Net: netw, Err: errors.New("connection refused")}
	}
	ours, theirs := net.Pipe()
	select {
	case n.conns <- theirs:
		return ours, nil
	case <-n.closed:
		return nil, &net.OpError{Op: "dial", Net: netw, Err: net.ErrClosed}
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (n *network) setRefuse(refuse bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.refuse = refuse
}

// lab is a client and a server, in one bubble. Its log is kept.
type lab struct {
	t      *testing.T
	net    *network
	server *waybacktest.Server
	tr     *http.Transport
	logs   *lockedBuffer
	log    *slog.Logger
	client *Client
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// newLab serves handler, or the stand-in if that is nil.
func newLab(t *testing.T, cfg waybacktest.Config, limits Limits, handler http.Handler) *lab {
	t.Helper()
	cfg.Access, cfg.Secret = testAccess, testSecret
	l := &lab{t: t, net: &network{conns: make(chan net.Conn), closed: make(chan struct{})},
		server: waybacktest.New(cfg), logs: &lockedBuffer{}}
	if handler == nil {
		handler = l.server
	}
	l.log = slog.New(slog.NewJSONHandler(l.logs, &slog.HandlerOptions{Level: slog.LevelDebug}))
	srv := &http.Server{Handler: handler, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, 0)}
	var wg sync.WaitGroup
	wg.Go(func() { srv.Serve(l.net) })
	l.tr = &http.Transport{DialContext: l.net.dial}
	t.Cleanup(func() {
		l.tr.CloseIdleConnections()
		srv.Close()
		wg.Wait()
	})
	l.client = l.newClient(limits)
	return l
}

// newClient returns a client with a pacer of its own, as a new process has.
func (l *lab) newClient(limits Limits) *Client {
	l.t.Helper()
	c, err := New(Config{BaseURL: "http://spn.test", Keys: Keys{testAccess, testSecret}, UserAgent: testAgent,
		Transport: l.tr, Pacer: NewPacer(limits), Logger: l.log})
	if err != nil {
		l.t.Fatal(err)
	}
	return c
}

func (l *lab) worker(c *Client, o Outbox, owner string) *Worker {
	l.t.Helper()
	w, err := NewWorker(WorkerConfig{Client: c, Outbox: o, Owner: owner, Logger: l.log})
	if err != nil {
		l.t.Fatal(err)
	}
	return w
}

var errCrashed = errors.New("crashed")

// memOutbox keeps items in memory by the contract of Outbox. After crash,
// nothing is stored or claimed until revive.
type memOutbox struct {
	mu      sync.Mutex
	items   map[int64]Item
	saves   int
	crashed bool
	// onSave, if set, is called before a save is stored; with crash true the
	// process ends before, or with after also set, right behind storing.
	onSave  func(n int, item Item) (crash, after bool)
	kill    context.CancelFunc
	history map[int64][]State
	submits []submitted
}

// submitted is a submit as Save saw it.
type submitted struct {
	url string
	at  time.Time
}

func newOutbox(urls ...string) *memOutbox {
	o := &memOutbox{items: make(map[int64]Item), history: make(map[int64][]State)}
	for i, u := range urls {
		id := int64(i + 1)
		o.items[id] = Item{ID: id, Source: "s", URL: u, LookN: 1, Cause: "first", Created: time.Now(),
			State: StateWaiting, NextAt: time.Now()}
	}
	return o
}

func (o *memOutbox) Claim(ctx context.Context, work Work, now time.Time, owner string, lease time.Duration) (Item, bool, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.crashed {
		return Item{}, false, errCrashed
	}
	if err := ctx.Err(); err != nil {
		return Item{}, false, err
	}
	var due []Item
	var next time.Time
	for _, item := range o.items {
		if item.Work() != work {
			continue
		}
		at := item.NextAt
		if item.Owner != owner && item.LeaseUntil.After(at) {
			at = item.LeaseUntil
		}
		if at.After(now) {
			if next.IsZero() || at.Before(next) {
				next = at
			}
			continue
		}
		due = append(due, item)
	}
	if len(due) == 0 {
		return Item{NextAt: next}, false, nil
	}
	waiting := map[State]int{StateWaiting: 1}
	item := slices.MinFunc(due, func(a, b Item) int {
		if work == WorkRead {
			return cmp.Or(a.NextAt.Compare(b.NextAt), cmp.Compare(a.ID, b.ID))
		}
		return cmp.Or(cmp.Compare(waiting[a.State], waiting[b.State]), cmp.Compare(a.Priority, b.Priority),
			a.Created.Compare(b.Created), cmp.Compare(a.ID, b.ID))
	})
	item.Owner, item.LeaseUntil = owner, now.Add(lease)
	o.items[item.ID] = item
	return item, true, nil
}

func (o *memOutbox) Submits(ctx context.Context, address string, since time.Time) (ofAddress, all int, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, s := range o.submits {
		if s.at.Before(since) {
			continue
		}
		all++
		if s.url == address {
			ofAddress++
		}
	}
	return ofAddress, all, nil
}

func (o *memOutbox) Save(ctx context.Context, item Item) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.crashed {
		return errCrashed
	}
	if o.items[item.ID].Owner != item.Owner {
		return ErrLeaseLost
	}
	o.saves++
	crash, after := false, false
	if o.onSave != nil {
		crash, after = o.onSave(o.saves, item)
	}
	if !crash || after {
		if item.LeaseUntil.IsZero() {
			item.Owner = ""
		}
		if before := o.items[item.ID].SubmittedAt; item.SubmittedAt.IsZero() {
			o.submits = slices.DeleteFunc(o.submits, func(s submitted) bool { return s.url == item.URL && s.at.Equal(before) })
		} else if !item.SubmittedAt.Equal(before) {
			o.submits = append(o.submits, submitted{item.URL, item.SubmittedAt})
		}
		o.items[item.ID] = item
		if h := o.history[item.ID]; len(h) == 0 || h[len(h)-1] != item.State {
			o.history[item.ID] = append(h, item.State)
		}
	}
	if crash {
		o.crashed = true
		o.kill()
		return errCrashed
	}
	return nil
}

func (o *memOutbox) revive() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.crashed, o.onSave = false, nil
}

func (o *memOutbox) item(id int64) Item {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.items[id]
}

func (o *memOutbox) states() map[State]int {
	o.mu.Lock()
	defer o.mu.Unlock()
	n := make(map[State]int)
	for item := range maps.Values(o.items) {
		n[item.State]++
	}
	return n
}

// drain runs w again and again, as a timer does, until nothing is left.
func drain(t *testing.T, w *Worker) (runs int, total Stats) {
	t.Helper()
	for runs = 1; runs <= 200; runs++ {
		stats, err := w.Run(t.Context(), nil)
		if err != nil {
			t.Fatalf("run %d: %v", runs, err)
		}
		total.Submits += stats.Submits
		total.Repeats += stats.Repeats
		total.Reported += stats.Reported
		total.Unresolved += stats.Unresolved
		if stats.NextAction.IsZero() {
			return runs, total
		}
		time.Sleep(max(time.Until(stats.NextAction), time.Millisecond))
	}
	t.Fatal("200 runs did not empty the outbox")
	return 0, total
}
