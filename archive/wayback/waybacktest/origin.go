package waybacktest

import (
	"context"
	"io"
	"net/http"
	"slices"
	"time"
)

// FetchFrom returns a Config.FetchPage that asks real servers through transport,
// as the service does: without a browser, with "Accept-Encoding: gzip", following
// nothing by itself. A server that does not answer is a page with status 502. A
// transport of nil is http.DefaultTransport; a test brings one that reaches its
// own servers only.
func FetchFrom(transport http.RoundTripper) func(address string) Page {
	if transport == nil {
		transport = http.DefaultTransport
	}
	return func(address string) Page {
		p, err := fetchPage(transport, address)
		if err != nil {
			return Page{Status: http.StatusBadGateway}
		}
		return p
	}
}

// Bounds of what is fetched; the service's own are 50 s and 2 GB.
const (
	fetchTimeout = 50 * time.Second
	maxPage      = 64 << 20
)

// fetchPage makes one request. The content coding stays, the chunks do not.
func fetchPage(transport http.RoundTripper, address string) (Page, error) {
	ctx, cancel := context.WithTimeout(context.Background(), fetchTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return Page{}, err
	}
	req.Header.Set("User-Agent", "Mozilla/5.0 (compatible; stand-in of archive.org_bot)")
	req.Header.Set("Accept-Encoding", "gzip") // set by us, it stays undecoded
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return Page{}, err
	}
	defer resp.Body.Close() // it was read or given up
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxPage))
	if err != nil {
		return Page{}, err
	}
	return Page{Status: resp.StatusCode, Header: resp.Header, Body: body,
		Chunked: slices.Contains(resp.TransferEncoding, "chunked")}, nil
}
