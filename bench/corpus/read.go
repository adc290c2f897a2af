package main

import (
	"bufio"
	"compress/gzip"
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/fineprint-archive/fineprint/archive/terms"
)

// line is one line of index.jsonl.
type line struct {
	Page       string    `json:"page"`
	Time       time.Time `json:"time"`
	File       string    `json:"file"`
	URL        string    `json:"url"`
	Mime       string    `json:"mime"`
	Changed    *bool     `json:"changed"`
	Recorded   string    `json:"recorded"`
	OracleText string    `json:"oracle_text"`
	OracleFlap string    `json:"oracle_flap"`
}

// version is a line with what we make of its body.
type version struct {
	line
	body    []byte // nil once it was read for visible
	visible string // see shown
	text    *terms.Text
	page    *terms.Page
	verdict terms.Verdict // by itself, and against the last good text before it
	prints  terms.Fingerprints
	oracle  string // "" if there is none
	spent   time.Duration
}

func (v *version) isPDF() bool { return strings.HasPrefix(v.Mime, "application/pdf") }

func (v *version) name() string { return v.Time.UTC().Format("2006-01-02T15:04:05Z") }

// bench is one measurement of a folder.
type bench struct {
	dir     string
	only    string
	workers int
}

// measure reads all pages, some at a time, and adds up what they give.
func (b *bench) measure(ctx context.Context, reviewed string) (*report, error) {
	accepted, err := readReviewed(reviewed)
	if err != nil {
		return nil, err
	}
	pages, err := b.index()
	if err != nil {
		return nil, err
	}
	found := make([]*findings, len(pages))
	next := make(chan int)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wg sync.WaitGroup
	var mu sync.Mutex
	done := 0
	for range b.workers {
		wg.Go(func() {
			for i := range next {
				f, err := b.measurePage(ctx, pages[i])
				if err != nil {
					cancel(err)
					return
				}
				mu.Lock()
				found[i] = f
				done++
				fmt.Fprintf(os.Stderr, "\r%d of %d pages", done, len(pages))
				mu.Unlock()
			}
		})
	}
feed:
	for i := range pages {
		select {
		case next <- i:
		case <-ctx.Done():
			break feed
		}
	}
	close(next)
	wg.Wait()
	fmt.Fprintln(os.Stderr)
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	return newReport(found, accepted), nil
}

// index reads the lines, by page in their order.
func (b *bench) index() ([][]line, error) {
	f, err := os.Open(filepath.Join(b.dir, "index.jsonl"))
	if err != nil {
		return nil, fmt.Errorf("open the index of the corpus: %w", err)
	}
	defer f.Close()
	var pages [][]line
	in := bufio.NewScanner(f)
	in.Buffer(nil, 1<<20)
	for n := 1; in.Scan(); n++ {
		var l line
		if err := json.Unmarshal(in.Bytes(), &l); err != nil {
			return nil, fmt.Errorf("index.jsonl, line %d: %w", n, err)
		}
		if !strings.Contains(l.Page, b.only) {
			continue
		}
		if k := len(pages) - 1; k >= 0 && pages[k][0].Page == l.Page {
			pages[k] = append(pages[k], l)
		} else {
			pages = append(pages, []line{l})
		}
	}
	return pages, in.Err()
}

// measurePage reads the versions of one page and measures them.
func (b *bench) measurePage(ctx context.Context, lines []line) (*findings, error) {
	f := &findings{}
	var all []*version
	var last *terms.Text
	for _, l := range lines {
		v, err := b.read(ctx, l)
		if err != nil {
			return nil, fmt.Errorf("%s at %s: %w", l.Page, l.Time, err)
		}
		v.verdict = terms.AssessAgainst(v.verdict, v.text, last)
		if v.verdict.Grade == terms.GradeTerms {
			last = v.text
		}
		all = append(all, v)
		f.Versions++
		f.Bytes += int64(len(v.body))
		f.spent += v.spent
		f.grade(v)
		f.recall(v)
	}
	for i := 1; i < len(all); i++ {
		f.pair(all[i-1], all[i])
	}
	for looks := range f.Replay {
		if err := f.Replay[looks].replay(all, looks+1); err != nil {
			return nil, err
		}
	}
	return f, nil
}

// read reads one version and extracts its text.
func (b *bench) read(ctx context.Context, l line) (*version, error) {
	body, err := unzip(filepath.Join(b.dir, filepath.FromSlash(l.File)))
	if err != nil {
		return nil, err
	}
	v := &version{line: l, body: body}
	if l.OracleText != "" {
		oracle, err := unzip(filepath.Join(b.dir, filepath.FromSlash(l.OracleText)))
		if err != nil {
			return nil, err
		}
		v.oracle = string(oracle)
	}
	start := time.Now()
	v.text, v.page, err = terms.Extract(ctx, terms.Input{Body: body, ContentType: l.Mime, URL: l.URL})
	v.spent = time.Since(start)
	if err != nil {
		return nil, err
	}
	v.prints = v.text.Fingerprints()
	v.verdict = terms.Assess(terms.Capture{Status: 200, URL: l.URL, FinalURL: l.URL, Size: int64(len(body))}, v.page, v.text)
	return v, nil
}

func unzip(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	data, err := io.ReadAll(z)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return data, nil
}

//go:embed reviewed.txt
var reviewedFindings string

// readReviewed reads the findings that a person has looked at: reasons by page and
// time.
func readReviewed(name string) (map[string]string, error) {
	if name == "" {
		return parseReviewed("reviewed.txt", reviewedFindings)
	}
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("read the reviewed findings: %w", err)
	}
	return parseReviewed(name, string(data))
}

// parseReviewed reads lines of page, time and reason.
func parseReviewed(name, data string) (map[string]string, error) {
	all := map[string]string{}
	for n, s := range strings.Split(data, "\n") {
		if s = strings.TrimSpace(s); s == "" || s[0] == '#' {
			continue
		}
		part := strings.SplitN(s, " ", 3)
		if len(part) != 3 {
			return nil, fmt.Errorf("%s, line %d: want page, time and reason divided by spaces", name, n+1)
		}
		all[part[0]+" "+part[1]] = part[2]
	}
	return all, nil
}
