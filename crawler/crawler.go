// Package crawler visits sources and hands back what was exchanged, byte for
// byte.
//
// A [Crawler] looks at one source at a time ([Crawler.Visit]): Colly follows the
// redirects and finds what a page needs around it; everything that decides what
// is archived is ours and lies below Colly, in the http.RoundTripper given to
// it. One hop of a page, of a requisite or of a robots.txt goes this way:
//
//	admit       scheme, number of redirects, no loop
//	robots.txt  RFC 9309, of the host at hand, kept for 24 hours
//	turn        one exchange at a time per host over all processes, an interval
//	            between the starts of two requests, Retry-After
//	exchange    [Wire]: one HTTP/1.1 exchange, recorded above TLS
//	sink        [Sink]: the records are durable before anybody reads them
//	copy        a decoded copy for Colly
//
// A look always ends in a manifest: what failed is a fact too, named by a code
// of a closed list ([Codes]). Nothing is retried here: another attempt is
// another look, see [Crawler.RetryDelay].
//
// The package stores nothing and keeps no schedule. What must outlive the
// process (host leases, robots.txt) goes through the interfaces [Leases] and
// [RobotsCache], what was exchanged through [Sink]. It runs no scripts; pages
// that need them are seen as a reader without scripts sees them.
package crawler

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/fineprint-archive/fineprint/warc"
)

// Sink receives every exchange of a look, in the order in which they were made,
// failed ones and those without any bytes included. When Exchange returns nil
// the records of the exchange are durable. The blocks of ex may be read until it
// returns. An error ends the look with the code storage. A sink is used by one
// look, from one goroutine at a time.
type Sink interface {
	Exchange(ctx context.Context, ex *warc.Exchange) (warc.Stored, error)
}

// Ask is what one look is to do beyond fetching the page.
type Ask struct {
	// ETag and LastModified are the validators of an earlier capture. If either
	// is set, the request is conditional and the answer may be 304.
	ETag, LastModified string
	// ValidatorsFor is the address whose response carried the validators (the
	// final address of that look): only it is asked conditionally. Empty means
	// every address of the look.
	ValidatorsFor string
	// AlwaysRequisites asks for page requisites also if the page's bytes are
	// those of an earlier record. Without Config.Requisites it has no effect.
	AlwaysRequisites bool
}

// Budget bounds the page requisites of one look.
type Budget struct {
	Count int   // requests, redirects included; 0 is 80
	Bytes int64 // of bodies as transferred; 0 is 16 MiB
}

// Config is what a Crawler is made from.
type Config struct {
	// Wire says how exchanges are made: limits of time and size, proxy, trusted
	// certificates, private addresses.
	Wire WireConfig

	// Version of the program, for the User-Agent; "" is "dev".
	Version string
	// Contact is an address (mail or web) at which the operator can be
	// reached; it stands in the User-Agent. It may be empty where only
	// loopback is visited.
	Contact string
	// Operator is the name of who runs the crawler, "" if unnamed. It stands in
	// the User-Agent if it is printable ASCII, which is all that fits in there.
	Operator string
	// UserAgentSuffix is added to the User-Agent.
	UserAgentSuffix string

	// Delay is the shortest time between the starts of two requests to a host;
	// up to a quarter is added by chance. 0 means no delay.
	Delay time.Duration
	// MaxWait bounds how long one look waits for hosts, all its requests
	// together; 0 is two minutes. A longer wait ends the look with host-busy or
	// rate-limited: putting it off is for the scheduler, see NextAllowed.
	MaxWait time.Duration
	// RetryDelay is the wait before the second look at a source that failed for
	// a transient reason; 0 is ten seconds.
	RetryDelay time.Duration

	// Requisites says that stylesheets, images and fonts of a page are fetched
	// if the page's bytes changed.
	Requisites bool
	// Budget bounds them.
	Budget Budget

	// Leases excludes other processes from the hosts at work; nil: none exist.
	Leases Leases
	// Owner names this process in the lease store; "" is a random name.
	Owner string
	// Robots keeps robots.txt beyond this process; nil: it is asked for again.
	Robots RobotsCache

	// Logger receives warnings about what heals by itself; nil discards them.
	Logger *slog.Logger
	// Random returns numbers in [0, 1); nil is math/rand.
	Random func() float64
}

// Crawler visits sources. It is safe for concurrent use. Close must be called.
type Crawler struct {
	wires      wires
	userAgent  string
	maxWait    time.Duration
	retryBase  time.Duration
	requisites bool
	budget     Budget
	hosts      *hostTurns
	robots     *robotsBook
	random     func() float64
}

// wires make the exchanges of each kind; they differ in how much they read.
type wires struct {
	page, robots, requisite *Wire
}

func newWires(cfg WireConfig, budget int64) (w wires, err error) {
	if w.page, err = NewWire(cfg); err != nil {
		return w, err
	}
	cfg.Anchor = nil // handshake proofs are for pages
	cfg.DropDecoded = false
	cfg.MaxBody, cfg.MaxDecoded = min(orDefault(cfg.MaxBody, budget), budget), budget
	if w.requisite, err = NewWire(cfg); err != nil {
		return w, err
	}
	// Room for the framing of what we read of a robots.txt.
	cfg.MaxBody, cfg.MaxDecoded = 2*robotsMaxBytes, 4*robotsMaxBytes
	w.robots, err = NewWire(cfg)
	return w, err
}

// of returns the wire for a kind of exchange.
func (w *wires) of(kind warc.Kind) *Wire {
	switch kind {
	case warc.KindRobots:
		return w.robots
	case warc.KindRequisite:
		return w.requisite
	}
	return w.page
}

// close closes idle connections.
func (w *wires) close() {
	for _, one := range []*Wire{w.page, w.robots, w.requisite} {
		one.Close()
	}
}

// New returns a crawler. It refuses a configuration that cannot be sent in a
// User-Agent, and any environment variable that begins with COLLY_: Colly would
// let it override the settings that keep captures whole.
func New(cfg Config) (*Crawler, error) {
	for _, v := range os.Environ() {
		name, _, _ := strings.Cut(v, "=")
		if strings.HasPrefix(name, "COLLY_") {
			return nil, fmt.Errorf("crawler: the environment variable %s is set, which would change how pages are captured: unset it", name)
		}
	}
	agent, err := userAgent(cfg)
	if err != nil {
		return nil, fmt.Errorf("crawler: %w", err)
	}
	if cfg.Delay < 0 || cfg.MaxWait < 0 || cfg.RetryDelay < 0 || cfg.Budget.Count < 0 || cfg.Budget.Bytes < 0 {
		return nil, errors.New("crawler: a delay or budget is negative")
	}
	cfg.setDefaults()
	cfg.Wire.DropDecoded = !cfg.Requisites // nobody looks into the pages
	w, err := newWires(cfg.Wire, cfg.Budget.Bytes)
	if err != nil {
		return nil, fmt.Errorf("crawler: %w", err)
	}
	return &Crawler{
		wires:      w,
		userAgent:  agent,
		maxWait:    cfg.MaxWait,
		retryBase:  cfg.RetryDelay,
		requisites: cfg.Requisites,
		budget:     cfg.Budget,
		hosts:      newHosts(cfg.Leases, cfg.Owner, cfg.Delay, cfg.Random, cfg.Logger),
		// Before the second look at a source, its robots.txt is asked again.
		robots: newRobotsBook(cfg.Robots, cfg.RetryDelay/2),
		random: cfg.Random,
	}, nil
}

func (cfg *Config) setDefaults() {
	if cfg.MaxWait == 0 {
		cfg.MaxWait = 2 * time.Minute
	}
	if cfg.RetryDelay == 0 {
		cfg.RetryDelay = 10 * time.Second
	}
	if cfg.Budget.Count == 0 {
		cfg.Budget.Count = 80
	}
	if cfg.Budget.Bytes == 0 {
		cfg.Budget.Bytes = 16 << 20
	}
	if cfg.Owner == "" {
		cfg.Owner = uuid.NewString()
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Random == nil {
		cfg.Random = rand.Float64
	}
}

// userAgent returns the truthful User-Agent:
// "fineprint/1.2 (+mail@example.org; Example Archive; archival crawler of legal pages) suffix".
func userAgent(cfg Config) (string, error) {
	version := cfg.Version
	if version == "" {
		version = "dev"
	}
	for _, part := range []struct{ name, text string }{
		{"version", version}, {"contact", cfg.Contact}, {"user_agent_suffix", cfg.UserAgentSuffix},
	} {
		if !printable(part.text) {
			return "", fmt.Errorf("%s %q has a character that the User-Agent cannot carry: use printable ASCII", part.name, part.text)
		}
	}
	var notes []string
	if cfg.Contact != "" {
		notes = append(notes, "+"+cfg.Contact)
	}
	if cfg.Operator != "" && printable(cfg.Operator) {
		notes = append(notes, cfg.Operator)
	}
	notes = append(notes, "archival crawler of legal pages")
	// A parenthesis would end the comment (RFC 9110, section 5.6.5).
	comment := strings.NewReplacer("(", "[", ")", "]", `\`, "/").Replace(strings.Join(notes, "; "))
	return strings.TrimSpace("fineprint/" + strings.ReplaceAll(version, " ", "-") + " (" + comment + ") " + cfg.UserAgentSuffix), nil
}

// printable reports whether s is printable ASCII.
func printable(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' })
}

// UserAgent returns the User-Agent of all requests.
func (c *Crawler) UserAgent() string { return c.userAgent }

// Close gives the host leases back and closes idle connections. No Visit may be
// running.
func (c *Crawler) Close(ctx context.Context) error {
	c.wires.close()
	return c.hosts.close(ctx)
}
