package crawler

import (
	"net/http"
	"net/url"
	"time"

	"github.com/fineprint-archive/fineprint/warc"
)

const (
	// maxAttempts is the number of looks at one source for one appointment.
	maxAttempts = 3
	// retryFactor is what each wait is longer than the one before.
	retryFactor = 4
	// maxPause bounds the Retry-After that is honoured. A source that is due
	// again sooner than its host would like is asked again after a day.
	maxPause = 24 * time.Hour
)

// RetryDelay says whether a failed look should be tried again and after how
// long, counted from now. Attempt is the number of looks made so far, 1 after
// the first. Only what may pass by itself is tried again, at most three times in
// all; the wait is Config.RetryDelay, then four times that, each with up to a
// quarter more by chance, and never shorter than what the host asked for (at
// most a day). Another attempt is another look. It repeats a GET, which changes
// nothing at the server.
func (c *Crawler) RetryDelay(m *warc.Manifest, attempt int) (time.Duration, bool) {
	return retryDelay(m, attempt, c.retryBase, time.Until(c.pause(m)), c.random())
}

// pause returns the time before which the hosts of a look are not to be asked.
func (c *Crawler) pause(m *warc.Manifest) time.Time {
	var t time.Time
	for _, address := range []string{m.URL, m.FinalURL} {
		t = later(t, c.NextAllowed(address))
	}
	return t
}

// NextAllowed returns the time from which the host of an address may be asked
// again, as far as this process knows: the zero time if that is now. A scheduler
// puts off a source rather than let Visit wait.
func (c *Crawler) NextAllowed(address string) time.Time {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return time.Time{}
	}
	return c.hosts.nextAllowed(HostKey(u))
}

func retryDelay(m *warc.Manifest, attempt int, base, pause time.Duration, random float64) (time.Duration, bool) {
	if m.Result != warc.Failed || attempt < 1 || attempt >= maxAttempts || !m.Transient {
		return 0, false
	}
	d := base
	for range attempt - 1 {
		d *= retryFactor
	}
	d += time.Duration(random * float64(d/4))
	return min(max(d, pause), maxPause), true
}

// pauseAfter returns the time before which a host asked not to be asked again:
// Retry-After of a 429 or 503, seconds or a date (RFC 9110, section 10.2.3), at
// most a day; zero without one.
func pauseAfter(status int, h http.Header, now time.Time) time.Time {
	if status != http.StatusTooManyRequests && status != http.StatusServiceUnavailable {
		return time.Time{}
	}
	d := min(RetryAfter(h, now), maxPause)
	if d <= 0 {
		return time.Time{}
	}
	return now.Add(d)
}
