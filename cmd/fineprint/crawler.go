package main

import (
	"context"
	"crypto/x509"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"time"

	"github.com/fineprint-archive/fineprint/archive/catalog"
	"github.com/fineprint-archive/fineprint/crawler"
)

// newCrawler makes the crawler of a run over the host leases and robots cache
// of the catalog; without one it keeps them to itself. anchored is what handshake
// proofs commit to; nil: none are made.
func newCrawler(c *config, db *catalog.DB, owner string, anchored func() ([32]byte, bool), log *slog.Logger) (*crawler.Crawler, error) {
	var proxy *url.URL
	if c.Crawl.Proxy != "" {
		u, err := url.Parse(c.Crawl.Proxy)
		if err != nil || u.Host == "" {
			return nil, usageErrorf("configuration: crawl.proxy is no address; write http://host:port, https://host:port or socks5://host:port")
		}
		proxy = u
	}
	var roots *x509.CertPool
	if c.Crawl.CAFile != "" {
		pool, err := crawler.CAPool(c.Crawl.CAFile)
		if err != nil {
			return nil, usageErrorf("configuration: crawl.ca_file: %w", err)
		}
		roots = pool
	}
	cfg := crawler.Config{
		Wire: crawler.WireConfig{
			Timeout: time.Duration(c.Crawl.Timeout), MaxBody: int64(c.Crawl.MaxBody), Proxy: proxy, RootCAs: roots,
			AllowPrivate: c.Crawl.AllowPrivateNetworks, SpoolDir: c.Spool, Anchor: anchored,
		},
		Operator: c.Operator, Contact: c.Contact, UserAgentSuffix: c.Crawl.UserAgentSuffix, Version: version,
		Delay: time.Duration(c.Crawl.Delay), RetryDelay: time.Duration(c.Crawl.RetryDelay), Requisites: c.Crawl.Requisites, Owner: owner, Logger: log,
	}
	if db != nil {
		cfg.Leases, cfg.Robots = db, db
	}
	v, err := crawler.New(cfg)
	if err != nil {
		return nil, withCode(exitUsage, err)
	}
	return v, nil
}

// checkContact refuses to visit anything but loopback without a contact.
func checkContact(ctx context.Context, c *config, hosts func(context.Context) ([]string, error)) error {
	if c.Contact != "" {
		return nil
	}
	names, err := hosts(ctx)
	if err != nil {
		return err
	}
	for _, host := range names {
		if !isLoopback(host) {
			return usageErrorf("a contact is needed to visit %s: sites must be able to reach whoever crawls them; give --contact you@example.org or set contact in the configuration", host)
		}
	}
	return nil
}

// isLoopback tells whether a host, with or without a port, is this machine.
func isLoopback(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	if host == "localhost" {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.IsLoopback()
}
