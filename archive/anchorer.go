package archive

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/fineprint-archive/fineprint/archive/anchor"
	"github.com/fineprint-archive/fineprint/archive/catalog"
	"github.com/fineprint-archive/fineprint/archive/evidence"
	"github.com/fineprint-archive/fineprint/archive/store"
	"github.com/fineprint-archive/fineprint/archive/tlog"
)

// defaultAnchorTimeout bounds a round: it stands at the end of a crawl.
const defaultAnchorTimeout = time.Minute

// AnchorParties names the outside parties that are asked about checkpoints of the
// log. Nobody is asked who is not named here.
type AnchorParties struct {
	Authorities []anchor.Authority
	Policy      *anchor.Policy // its witnesses with an address are asked; nil: none
	Calendars   []string       // of OpenTimestamps, addresses
	Explorer    string         // of Bitcoin blocks, see anchor.FetchBitcoinHeader; "": proofs are kept without the headers of their blocks

	HTTP      *http.Client  // nil: http.DefaultClient
	UserAgent string        // of every request
	Timeout   time.Duration // of a whole round; default a minute
	MinWork   int           // of a block, see anchor.OTSVerifyOptions
}

// Empty reports whether nobody is named.
func (p *AnchorParties) Empty() bool {
	return len(p.Authorities) == 0 && len(p.Calendars) == 0 && len(p.witnesses()) == 0
}

// Check says what is wrong with the names and addresses of p, if anything. Nobody
// is asked.
func (p AnchorParties) Check() error {
	_, err := NewAnchorer(AnchorerConfig{Parties: p})
	return err
}

// witnesses are those of the policy that can be asked.
func (p *AnchorParties) witnesses() []anchor.WitnessEndpoint {
	if p.Policy == nil {
		return nil
	}
	return slices.DeleteFunc(p.Policy.Witnesses(), func(w anchor.WitnessEndpoint) bool { return w.URL == "" })
}

// AnchorerConfig tells NewAnchorer what to work on. Logger, Now, Log and Step may
// be left out.
type AnchorerConfig struct {
	Parties AnchorParties
	Store   store.Store
	Mutable store.Mutable // over the same keys
	Catalog *catalog.DB
	Reader  *tlog.Reader
	Log     *tlog.Log // whose public checkpoint gets the cosignatures; nil: none does

	Logger *slog.Logger
	Now    func() time.Time
	Step   func(name string) // called before each durable step; for crash tests
}

// Anchorer has outside parties state that they saw the newest checkpoint of the
// log, and keeps what they say.
//
// Each statement becomes an immutable object anchors/<size>/<name>. What is
// there is then named in an anchor list (package evidence), an object too, which
// is entered in the catalog; its entry goes into the log with the next sealed
// WARC. A calendar's promise waits in a mutable object below pending-anchors/
// until it is a proof. The object pending-anchors/<size>/files says that there
// may be statements without a list: it comes before the first of them and goes
// after the list.
//
// A crash at any step leaves what the next Run completes. Several processes may
// run at once: at worst one party is asked twice, and both answers are kept.
type Anchorer struct {
	cfg     AnchorerConfig
	parties []party
	roots   anchor.Roots // of all authorities
	policy  *anchor.Policy
}

// NewAnchorer checks the parties. Errors name the one at fault.
func NewAnchorer(cfg AnchorerConfig) (*Anchorer, error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Step == nil {
		cfg.Step = func(string) {}
	}
	p := &cfg.Parties
	if p.Timeout == 0 {
		p.Timeout = defaultAnchorTimeout
	}
	p.HTTP = withAgent(p.HTTP, p.UserAgent)
	x := &Anchorer{cfg: cfg, policy: p.Policy}
	if x.policy == nil {
		var err error
		if x.policy, err = anchor.ParsePolicy([]byte("quorum none\n")); err != nil {
			return nil, err
		}
	}
	if err := x.addParties(); err != nil {
		return nil, err
	}
	seen := map[string]string{}
	for _, p := range x.parties {
		if other, taken := seen[p.file()]; taken {
			return nil, fmt.Errorf("%s %s and %s would share the file name %s: give one of them another name", p.kind, p.name, other, p.file())
		}
		seen[p.file()] = p.name
	}
	return x, nil
}

// The kinds of parties, and of what stands in outcomes.
const (
	AnchorTSA      = "tsa"      // a timestamp authority
	AnchorWitness  = "witness"  // a witness of the policy
	AnchorCalendar = "calendar" // an OpenTimestamps calendar
	AnchorStored   = "stored"   // an object below anchors/ that is not what its name says
)

// The states of an outcome.
const (
	AnchorNew     = "new"     // the statement was obtained and is kept
	AnchorPresent = "present" // it was there already
	AnchorPending = "pending" // a calendar's promise: no proof yet
	AnchorFailed  = "failed"  // no statement; Detail says why
)

// AnchorOutcome is what became of one party.
type AnchorOutcome struct {
	Kind   string    `json:"kind"`
	Name   string    `json:"name"`
	Size   int64     `json:"size"` // entries under the checkpoint
	State  string    `json:"state"`
	Time   time.Time `json:"time,omitzero"` // that the statement gives
	Detail string    `json:"detail"`        // for people, one line; "" if there is nothing to say

	// Contradicts: a witness has cosigned another history, or more of this one than
	// there is. The catalog remembers it until the witness cosigns again.
	Contradicts bool `json:"contradicts"`
}

// AnchorReport is what came of one Run.
type AnchorReport struct {
	Size     int64           // entries under the newest checkpoint; 0: there is none to anchor
	List     string          // key of the newest anchor list about it; "": it is un-anchored
	Outcomes []AnchorOutcome // by size, kind and name
}

// Count returns the number of outcomes in a state.
func (r *AnchorReport) Count(state string) int {
	n := 0
	for _, o := range r.Outcomes {
		if o.State == state {
			n++
		}
	}
	return n
}

// Failures puts what failed into one line, "" if nothing did.
func (r *AnchorReport) Failures() string {
	var all []string
	for _, o := range r.Outcomes {
		if o.State == AnchorFailed {
			all = append(all, o.Kind+" "+o.Name+": "+o.Detail)
		}
	}
	return strings.Join(all, "; ")
}

// Run asks for what is missing about the newest published checkpoint and for the
// proofs of calendars that are pending, of any checkpoint, and keeps what it
// gets. It ends when all have answered or the timeout is over; who has not
// answered then, or not with a sound statement, is a failed outcome and asked
// again by the next Run. An error is about the archive itself: store, log or
// catalog.
func (x *Anchorer) Run(ctx context.Context) (AnchorReport, error) {
	r := AnchorReport{Outcomes: []AnchorOutcome{}}
	cp, err := x.newest(ctx)
	if err != nil {
		return r, fmt.Errorf("anchor: %w", err)
	}
	r.Size = cp.Size
	if cp.Size > 0 {
		err = x.run(ctx, cp, &r)
	}
	slices.SortStableFunc(r.Outcomes, func(a, b AnchorOutcome) int {
		switch {
		case a.Size != b.Size:
			return int(max(-1, min(1, b.Size-a.Size)))
		case a.Kind != b.Kind:
			return strings.Compare(kindOrder(a.Kind), kindOrder(b.Kind))
		}
		return strings.Compare(a.Name, b.Name)
	})
	if err != nil {
		return r, fmt.Errorf("anchor checkpoint %d: %w", cp.Size, err)
	}
	return r, nil
}

func kindOrder(kind string) string {
	if kind == AnchorCalendar || kind == AnchorStored {
		return "z" + kind
	}
	return kind
}

// newest returns the kept checkpoint of the newest published state: the bytes
// that all statements are about. Its size is 0 where there is none.
func (x *Anchorer) newest(ctx context.Context) (tlog.Checkpoint, error) {
	cp, err := x.cfg.Reader.Checkpoint(ctx)
	if errors.Is(err, store.ErrNotExist) {
		return tlog.Checkpoint{}, nil
	}
	if err != nil || cp.Size == 0 {
		return tlog.Checkpoint{}, err
	}
	return x.cfg.Reader.CheckpointAt(ctx, cp.Size)
}

// run is one round about cp.
func (x *Anchorer) run(ctx context.Context, cp tlog.Checkpoint, r *AnchorReport) error {
	// What was obtained is kept, also when the time is up or someone interrupts.
	keep := context.WithoutCancel(ctx)
	w, err := x.waiting(keep)
	if err != nil {
		return err
	}
	t, err := x.readTarget(keep, cp, w)
	if err != nil {
		return err
	}
	asked, cancel := context.WithTimeout(ctx, x.cfg.Parties.Timeout)
	defer cancel()
	if err := x.ask(asked, keep, t, w, r); err != nil {
		return err
	}
	if err := x.remember(keep, r); err != nil {
		return err
	}
	if r.List, err = x.listAll(keep, cp, w, r); err != nil {
		return err
	}
	return x.cosignPublic(keep, cp)
}

// ask asks everybody at once.
func (x *Anchorer) ask(ctx, keep context.Context, t *target, w *waiting, r *AnchorReport) error {
	var missing []party
	for _, p := range x.parties {
		if at, here := t.has(p); here {
			r.Outcomes = append(r.Outcomes, AnchorOutcome{Kind: p.kind, Name: p.name, Size: t.cp.Size, State: AnchorPresent, Time: at})
		} else if !t.promised[p.stem] || p.kind != AnchorCalendar {
			missing = append(missing, p)
		}
	}
	if slices.ContainsFunc(missing, func(p party) bool { return p.kind != AnchorCalendar }) {
		if err := x.mark(keep, t.cp.Size, w); err != nil {
			return err
		}
	}
	var mu sync.Mutex // guards r, w and errs
	var errs []error
	note := func(o AnchorOutcome, err error) {
		mu.Lock()
		defer mu.Unlock()
		errs = append(errs, err)
		if o.State != "" {
			r.Outcomes = append(r.Outcomes, o)
		}
	}
	var work sync.WaitGroup
	for _, p := range missing {
		work.Go(func() {
			o, err := p.ask(ctx, keep, t)
			o.Kind, o.Name, o.Size = p.kind, p.name, t.cp.Size
			note(o, err)
		})
	}
	upgrades := w.promises
	if len(x.cfg.Parties.Calendars) == 0 {
		upgrades = nil // nobody said that calendars may be asked
	}
	turn := make(chan struct{}, parallelUpgrades)
	for i := range upgrades {
		work.Go(func() {
			turn <- struct{}{}
			defer func() { <-turn }()
			note(x.upgrade(ctx, keep, upgrades[i]))
		})
	}
	work.Wait()
	return errors.Join(errs...)
}

// remember notes in the catalog which witnesses contradict the log.
func (x *Anchorer) remember(ctx context.Context, r *AnchorReport) error {
	for _, o := range r.Outcomes {
		said := ""
		switch {
		case o.Kind != AnchorWitness || o.State == AnchorFailed && !o.Contradicts:
			continue // an outage says nothing
		case o.Contradicts:
			said = o.Detail
		}
		if err := x.cfg.Catalog.NoteWitness(ctx, o.Name, said); err != nil {
			return err
		}
	}
	return nil
}

// parallelUpgrades bounds how many pending proofs are asked after at once.
const parallelUpgrades = 4

// listAll makes the lists of the checkpoints about which something may be
// unlisted, and forgets what waited for that. It returns the list of cp.
func (x *Anchorer) listAll(ctx context.Context, cp tlog.Checkpoint, w *waiting, r *AnchorReport) (list string, err error) {
	sizes := w.sizes()
	if !slices.Contains(sizes, cp.Size) {
		sizes = append(sizes, cp.Size)
	}
	for _, size := range sizes {
		at := cp
		if size != cp.Size {
			if at, err = x.cfg.Reader.CheckpointAt(ctx, size); err != nil {
				return "", err
			}
		}
		key, unsound, err := x.list(ctx, at)
		if err != nil {
			return "", fmt.Errorf("list the anchors of size %d: %w", size, err)
		}
		r.Outcomes = append(r.Outcomes, unsound...)
		if size == cp.Size {
			list = key
		}
		if err := x.forget(ctx, size, w); err != nil {
			return "", err
		}
	}
	return list, nil
}

// cosignPublic adds the cosignatures of a checkpoint to the public one.
func (x *Anchorer) cosignPublic(ctx context.Context, cp tlog.Checkpoint) error {
	if x.cfg.Log == nil {
		return nil
	}
	f, err := x.readFolder(ctx, cp)
	if err != nil {
		return err
	}
	var lines []byte
	for _, name := range f.names() {
		if strings.HasSuffix(name, extCosignature) && x.sound(f, name) == nil {
			lines = append(lines, f.files[name]...)
		}
	}
	if len(lines) == 0 {
		return nil
	}
	_, err = x.cfg.Log.Cosign(ctx, cp.Size, lines)
	return err
}

// entryOf is the log entry of a list that the catalog holds.
func entryOf(row catalog.AnchorRow) evidence.Entry {
	return evidence.Entry{
		Type: evidence.TypeAnchor, Version: evidence.EntryVersion,
		TreeSize: row.Size, CheckpointSHA256: row.Checkpoint, List: row.List, ListSHA256: row.SHA256,
	}
}

// agentTransport sends a User-Agent with each request that has none.
type agentTransport struct {
	base  http.RoundTripper
	agent string
}

// RoundTrip makes agentTransport an http.RoundTripper.
func (t agentTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Header.Get("User-Agent") == "" {
		r = r.Clone(r.Context())
		r.Header.Set("User-Agent", t.agent)
	}
	return t.base.RoundTrip(r)
}

// withAgent returns a copy of a client that sends agent.
func withAgent(c *http.Client, agent string) *http.Client {
	if c == nil {
		c = http.DefaultClient
	}
	if agent == "" {
		return c
	}
	own := *c
	if own.Transport == nil {
		own.Transport = http.DefaultTransport
	}
	own.Transport = agentTransport{own.Transport, agent}
	return &own
}

// otsDigest is what calendars are asked about.
func otsDigest(cp tlog.Checkpoint) [sha256.Size]byte { return sha256.Sum256(cp.Raw) }
