package main

import (
	"context"
	"net/http"
	"net/netip"
	"net/url"
	"time"

	"github.com/fineprint-archive/fineprint/archive"
	"github.com/fineprint-archive/fineprint/crawler"
	"github.com/fineprint-archive/fineprint/warc"
)

// waybackTimeout bounds one recorded answer of the Wayback Machine, whose replays
// come slowly.
const waybackTimeout = 2 * time.Minute

// newWaybackWire returns the recording transport for what is read of the Wayback
// Machine. Pages go through crawl.proxy; the Archive is asked directly, or through
// the proxy that the environment names, like every other service. close ends its
// connections.
func newWaybackWire(c *config, anchored func() ([32]byte, bool)) (wire archive.Wire, close func(), err error) {
	base, err := url.Parse(c.Wayback.BaseURL)
	if err != nil {
		return nil, nil, usageErrorf("configuration: wayback.base_url is no address")
	}
	proxy, err := http.ProxyFromEnvironment(&http.Request{URL: base})
	if err != nil {
		return nil, nil, usageErrorf("the proxy that the environment names for %s: %w", base.Host, err)
	}
	w, err := crawler.NewWire(crawler.WireConfig{
		Timeout: waybackTimeout, FirstByteTimeout: waybackTimeout, MaxBody: int64(c.Crawl.MaxBody), Proxy: proxy,
		AllowPrivate: c.Crawl.AllowPrivateNetworks || isPrivateHost(base.Hostname()), SpoolDir: c.Spool, Anchor: anchored, KeepAlive: anchored == nil,
	})
	if err != nil {
		return nil, nil, withCode(exitUsage, err)
	}
	return func(ctx context.Context, req *http.Request) archive.WireExchange {
		return wireExchange{w.Exchange(ctx, req)}
	}, w.Close, nil
}

// isPrivateHost tells whether a configured address names a machine that is not
// public: then it is meant.
func isPrivateHost(host string) bool {
	if isLoopback(host) {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.IsPrivate()
}

// wireExchange is a recorded exchange in the words of package archive.
type wireExchange struct{ *crawler.Recorded }

// Facts returns what is archived of the exchange.
func (x wireExchange) Facts() *warc.Exchange { return &x.Recorded.Exchange }
