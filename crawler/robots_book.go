package crawler

import (
	"context"
	"net/http"
	"net/url"
	"sync"
	"time"
)

const (
	// robotsFresh is how long a robots.txt is used without asking again
	// (RFC 9309, section 2.4).
	robotsFresh = 24 * time.Hour
	// robotsStale is how long an older copy stands in for one that cannot be
	// had now.
	robotsStale = 30 * 24 * time.Hour
	// robotsRedirects is how many redirects are followed to a robots.txt
	// (RFC 9309, section 2.3.1.2). After more there is none.
	robotsRedirects = 5
	// robotsKept bounds the number of origins whose rules are kept in memory.
	robotsKept = 4096
)

// RobotsCache keeps the answers for robots.txt beyond the life of a process, so
// that runs that last a minute ask each host once a day. Implementations are
// safe for concurrent use.
type RobotsCache interface {
	// LoadRobots returns what was saved last for the origin ("https://host" or
	// "https://host:8443"); ok is false if nothing was.
	LoadRobots(ctx context.Context, origin string) (body []byte, status int, fetched time.Time, ok bool, err error)
	// SaveRobots replaces what is kept for the origin. The body has at most
	// 500 KiB; it is empty unless the status is 2xx.
	SaveRobots(ctx context.Context, origin string, body []byte, status int, fetched time.Time) error
}

// robotsFile is the robots.txt of an origin as we go by it.
type robotsFile struct {
	rules *robotsRules
	// unreachable is why there is none, nil if there is one. Then everything
	// is disallowed (RFC 9309, section 2.3.1.4).
	unreachable *Error
	expires     time.Time
}

// robotsAnswer is what came back for a robots.txt.
type robotsAnswer struct {
	status int
	body   []byte // decoded, at most a little over robotsMaxBytes
	err    *Error // the exchange failed: the status says nothing
}

// robotsBook holds the robots.txt of every origin met. It is safe for
// concurrent use; each origin is asked for by one look at a time.
type robotsBook struct {
	cache RobotsCache   // nil: memory only
	retry time.Duration // time before an unreachable robots.txt is tried again

	mu      sync.Mutex
	files   map[string]robotsFile    // guarded by mu
	flights map[string]chan struct{} // closed when the fetch is over; guarded by mu
}

func newRobotsBook(cache RobotsCache, retry time.Duration) *robotsBook {
	return &robotsBook{cache: cache, retry: retry, files: map[string]robotsFile{}, flights: map[string]chan struct{}{}}
}

// file returns the robots.txt of an origin. Fetch asks the origin; its second
// result says that this look cannot ask at all (it was told to stop, the host
// was busy, storage failed): such an error is the look's own, is returned, and
// leaves nothing in the book.
func (b *robotsBook) file(ctx context.Context, origin string, fetch func(context.Context) (robotsAnswer, *Error)) (robotsFile, *Error) {
	for {
		b.mu.Lock()
		if f, ok := b.files[origin]; ok && time.Now().Before(f.expires) {
			b.mu.Unlock()
			return f, nil
		}
		flight, flying := b.flights[origin]
		if !flying {
			flight = make(chan struct{})
			b.flights[origin] = flight
			b.mu.Unlock()
			return b.fly(ctx, origin, flight, fetch)
		}
		b.mu.Unlock()
		select {
		case <-flight:
		case <-ctx.Done():
			return robotsFile{}, Classify(context.Cause(ctx))
		}
	}
}

// fly loads the file for all that wait for the flight.
func (b *robotsBook) fly(ctx context.Context, origin string, flight chan struct{}, fetch func(context.Context) (robotsAnswer, *Error)) (f robotsFile, err *Error) {
	loaded := false
	defer func() { // also when a sink panics
		b.mu.Lock()
		defer b.mu.Unlock()
		delete(b.flights, origin)
		close(flight)
		if loaded {
			b.trim()
			b.files[origin] = f
		}
	}()
	f, err = b.load(ctx, origin, fetch)
	loaded = err == nil
	return f, err
}

// trim makes room for one more file. The caller holds mu.
func (b *robotsBook) trim() {
	for origin := range b.files {
		if len(b.files) < robotsKept {
			return
		}
		delete(b.files, origin)
	}
}

// load takes the file from the cache or asks for it.
func (b *robotsBook) load(ctx context.Context, origin string, fetch func(context.Context) (robotsAnswer, *Error)) (robotsFile, *Error) {
	var old robotsFile
	var age time.Duration
	cached := false
	if b.cache != nil {
		body, status, fetched, ok, err := b.cache.LoadRobots(ctx, origin)
		if err != nil {
			return robotsFile{}, cacheError(ctx, "load", origin, err)
		}
		if cached = ok; ok {
			old = robotsFile{rules: robotsRulesOf(status, body), expires: fetched.Add(robotsFresh)}
			age = time.Since(fetched)
		}
	}
	// A copy from the future comes from a wrong clock and is not trusted.
	if cached && age >= 0 && age < robotsFresh {
		return old, nil
	}
	answer, err := fetch(ctx)
	if err != nil {
		return robotsFile{}, err
	}
	now := time.Now()
	rules := robotsRulesOf(answer.status, answer.body)
	if answer.err == nil && rules == nil {
		answer.err = errorf(CodeRobotsUnreachable, "HTTP status %d", answer.status)
	}
	if answer.err == nil {
		if b.cache != nil {
			if err := b.cache.SaveRobots(context.WithoutCancel(ctx), origin, saved(answer), answer.status, now.UTC()); err != nil {
				return robotsFile{}, cacheError(ctx, "save", origin, err)
			}
		}
		return robotsFile{rules: rules, expires: now.Add(robotsFresh)}, nil
	}
	if cached && age >= 0 && age < robotsStale {
		old.expires = now.Add(b.retry)
		return old, nil
	}
	return robotsFile{unreachable: answer.err, expires: now.Add(b.retry)}, nil
}

// saved returns the part of an answer that is worth keeping.
func saved(a robotsAnswer) []byte {
	if a.status >= 300 {
		return nil
	}
	return a.body[:min(len(a.body), robotsMaxBytes)]
}

func cacheError(ctx context.Context, what, origin string, err error) *Error {
	if ctx.Err() != nil {
		return Classify(context.Cause(ctx))
	}
	return errorf(CodeStorage, "%s robots.txt of %s: %w", what, origin, err)
}

// robotsRulesOf turns an answer into rules, nil if the status means that the
// file is unreachable. 2xx: its rules. 3xx (too many, or leading nowhere) and
// 4xx: there is none, all is allowed (RFC 9309, section 2.3.1.3). 429 is the
// exception: a host that wants fewer requests is not answered with more. 5xx and
// everything else: unreachable.
func robotsRulesOf(status int, body []byte) *robotsRules {
	switch {
	case status >= 200 && status < 300:
		return parseRobots(body, robotsToken)
	case status == http.StatusTooManyRequests:
		return nil
	case status >= 300 && status < 500:
		return &robotsRules{}
	}
	return nil
}

// origin returns scheme, host and port of an address, the scope of a robots.txt
// (RFC 9309, section 2.3).
func origin(u *url.URL) string {
	o := url.URL{Scheme: u.Scheme, Host: u.Host}
	return o.String()
}
