package main

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
	"golang.org/x/term"

	"github.com/fineprint-archive/fineprint/archive/catalog"
	"github.com/fineprint-archive/fineprint/warc"
)

// progress shows a run while it goes on: a bar on a terminal, else a line now
// and then. Failed looks are told, the first ones. With --json each look is also a line
// of standard output.
type progress struct {
	app   *app
	total int64

	mu     sync.Mutex
	done   map[string]bool // sources with a finished look; nil when nobody counts
	failed int64
	told   int
	bars   *mpb.Progress
	bar    *mpb.Bar
	next   time.Time // of the next plain line
}

const progressEvery = 5 * time.Second

func (a *app) newProgress(total int64) *progress {
	p := &progress{app: a, total: total, next: time.Now().Add(progressEvery)}
	if a.quiet {
		return p
	}
	p.done = map[string]bool{}
	if f, ok := a.stderr.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		p.bars = mpb.New(mpb.WithOutput(f), mpb.WithWidth(48))
		p.bar = p.bars.AddBar(total,
			mpb.PrependDecorators(decor.Name("pages "), decor.CountersNoUnit("%d / %d")),
			mpb.AppendDecorators(decor.Any(func(decor.Statistics) string {
				p.mu.Lock()
				defer p.mu.Unlock()
				return fmt.Sprintf(" %d failed", p.failed)
			})))
	}
	return p
}

// look is told of each finished look.
func (p *progress) look(row catalog.LookRow) {
	if p.app.json {
		p.mu.Lock()
		_ = p.app.printJSON(captureLine(row)) // the summary's write reports a broken pipe
		p.mu.Unlock()
	}
	if p.app.quiet {
		return
	}
	p.mu.Lock()
	if !p.done[row.Source] {
		p.done[row.Source] = true
		if p.bar != nil {
			p.bar.Increment()
		}
	}
	var line string
	if row.Result == warc.Failed {
		p.failed++
		line = p.failure(row)
	} else if p.bar == nil && time.Now().After(p.next) {
		p.next = time.Now().Add(progressEvery)
		line = fmt.Sprintf("%d of %d pages, %d failed looks", len(p.done), p.total, p.failed)
	}
	p.mu.Unlock()
	if line == "" {
		return
	}
	var out io.Writer = p.app.stderr
	if p.bars != nil {
		out = p.bars
	}
	fmt.Fprintln(out, line)
}

// maxTold bounds the failures that are told one by one.
const maxTold = 20

// failure words a failed look; after maxTold of them silence falls, since the
// summary counts them and `captures --failed` lists them. The caller holds mu.
func (p *progress) failure(row catalog.LookRow) string {
	p.told++
	switch {
	case p.told < maxTold:
		return fmt.Sprintf("%s: %s %s", row.Error, row.URL, row.Detail)
	case p.told == maxTold:
		return "more failures: fineprint captures --failed --run " + row.Run
	}
	return ""
}

// finish takes the bar away.
func (p *progress) finish() {
	if p.bar == nil {
		return
	}
	p.bar.Abort(false)
	p.bars.Wait()
}
