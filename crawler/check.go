package crawler

import (
	"context"
	"io"

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

	// Response is the last response of the page as it came, header block and body
	// with its framing; nil if there is none, or it has more than maxProbe bytes.
	Response []byte
}

// maxProbe bounds the response that a probe keeps.
const maxProbe = 64 << 20

// Probe visits a source twice, without archiving anything and without its
// requisites. Same says that both looks brought the page with equal bytes; it is
// false for many living pages, which differ at every request. The second visit
// is left out if the context ends or the first one did not bring the page.
func (c *Crawler) Probe(ctx context.Context, src declaration.Source) (first, second ProbeResult, same bool) {
	bare := *c
	bare.requisites = false
	first = bare.probe(ctx, src)
	if first.Result != warc.Captured || ctx.Err() != nil {
		return first, second, false
	}
	second = bare.probe(ctx, src)
	same = second.Result == warc.Captured && first.SHA256 == second.SHA256 && first.Size == second.Size
	return first, second, same
}

// probe makes one look.
func (c *Crawler) probe(ctx context.Context, src declaration.Source) ProbeResult {
	last := new(lastPage)
	r := probed(c.Visit(ctx, src, last, Ask{}))
	r.Response = last.response
	return r
}

// lastPage is a sink that archives nothing and keeps the last response of a page.
type lastPage struct{ response []byte }

// Exchange keeps the response of a page.
func (p *lastPage) Exchange(_ context.Context, e *warc.Exchange) (_ warc.Stored, err error) {
	if e.Kind != warc.KindPage {
		return warc.Stored{}, nil
	}
	p.response = nil
	if e.Response == nil || e.Response.Size() > maxProbe {
		return warc.Stored{}, nil
	}
	p.response, err = io.ReadAll(e.Response.Open())
	return warc.Stored{}, err
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
