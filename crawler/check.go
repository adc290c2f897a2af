package crawler

import (
	"context"

	"github.com/fineprint-archive/fineprint/crawler/declaration"
	"github.com/fineprint-archive/fineprint/warc"
)

// ProbeResult is what a look showed that is not archived.
type ProbeResult struct {
	Result   warc.Result
	Error    Code // "" if the page came
	Detail   string
	Status   int
	FinalURL string
	MIME     string
	Size     int64       // of the body, decoded if it could be
	SHA256   warc.Digest // of the same
	Hops     int         // page exchanges: 1 without redirects
	Robots   *warc.Robots
}

// Probe visits a source twice, without archiving anything and without its
// requisites. Same says that both looks brought the page with equal bytes; it is
// false for many living pages, which differ at every request. The second visit
// is left out if the context ends or the first one did not bring the page.
func (c *Crawler) Probe(ctx context.Context, src declaration.Source) (first, second ProbeResult, same bool) {
	bare := *c
	bare.requisites = false
	first = probed(bare.Visit(ctx, src, discard{}, Ask{}))
	if first.Result != warc.Captured || ctx.Err() != nil {
		return first, second, false
	}
	second = probed(bare.Visit(ctx, src, discard{}, Ask{}))
	same = second.Result == warc.Captured && first.SHA256 == second.SHA256 && first.Size == second.Size
	return first, second, same
}

// discard is a sink that keeps nothing.
type discard struct{}

// Exchange stores nothing.
func (discard) Exchange(context.Context, *warc.Exchange) (warc.Stored, error) {
	return warc.Stored{}, nil
}

func probed(m warc.Manifest) ProbeResult {
	r := ProbeResult{Result: m.Result, Error: Code(m.Error), Detail: m.Detail, Status: m.Status, FinalURL: m.FinalURL, Robots: m.Robots}
	for _, n := range m.Exchanges {
		if n.Kind == warc.KindPage {
			r.Hops++
		}
	}
	if p := m.Payload; p != nil {
		r.MIME, r.Size, r.SHA256 = p.MIME, p.Size, p.SHA256
		if !p.DecodedSHA256.IsZero() {
			r.Size, r.SHA256 = p.DecodedSize, p.DecodedSHA256
		}
	}
	return r
}
