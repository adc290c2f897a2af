// Command corpus measures extraction, grading and tracking on a folder of real
// pages with their history.
//
//	go run ./bench/corpus [--json] [--reviewed FILE] [--only PAGE] DIR
//
// DIR holds index.jsonl, a line for each captured version, sorted by page and
// time, with at least
//
//	page          the page; lines with the same value are its versions
//	time          of the capture, RFC 3339
//	file          of the body below DIR, gzip
//	url, mime     of the response
//	changed       the label: whether another system saw a change since the line
//	              before of the same page; null if that is not known
//	recorded      what that system recorded at this capture, such as change
//	oracle_text   file with the text which that system extracted, Markdown, gzip;
//	              null or absent if there is none
//	oracle_flap   not null if that system's text came and went
//
// It prints, for people or as one JSON object,
//
//   - noise: of the pairs of versions labelled as unchanged, the share whose words
//     we find changed, each listed. Labels that their own text refutes are counted
//     apart: a page that lost words of the text said to be in force did change;
//   - ignored: the pairs labelled as changed whose words we find unchanged, each
//     listed with the reason: whether the page itself, read by other means than
//     extraction, shows what the other system saw;
//   - recall: how much of the other system's text stands in ours, over the texts
//     that the page holds at all;
//   - replay: what the tracker makes of the sequence of versions of each page, with
//     one look at each, and with two;
//   - speed of extraction by the clock, for each worker: give --workers 1 on an
//     idle machine.
//
// Pairs of which one is no good capture by our grade, or whose label stands on a
// text that came and went, are counted apart. It ends with 1 if a bound is broken:
// noise above 1 percent, an ignored change that the page shows and that is not
// listed as reviewed, a mean recall below 0.995, one below 0.95 that is not listed
// so, a state announced twice as new, a state lost. FILE, reviewed.txt here if it
// is not given, has a line for each finding that a person has looked at: page,
// time, reason, divided by spaces. A pair labelled as unchanged stands there only
// if its text did change.
//
// It is no part of `go test`: the pages belong to their services and are not
// published with this program.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
)

func main() {
	os.Exit(run())
}

func run() int {
	asJSON := flag.Bool("json", false, "print one JSON object")
	reviewed := flag.String("reviewed", "", "`file` of findings that a person has looked at, instead of the one built in")
	only := flag.String("only", "", "measure pages whose name has this `part`")
	workers := flag.Int("workers", min(2, runtime.NumCPU()), "pages read at a time")
	flag.Usage = func() {
		fmt.Fprintln(os.Stderr, "usage: go run ./bench/corpus [flags] DIR\nMeasures extraction, grading and tracking on real pages: see the package comment.")
		flag.PrintDefaults()
	}
	flag.Parse()
	if flag.NArg() != 1 {
		flag.Usage()
		return 2
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	b := &bench{dir: flag.Arg(0), only: *only, workers: max(1, *workers)}
	report, err := b.measure(ctx, *reviewed)
	if err != nil {
		fmt.Fprintln(os.Stderr, "corpus:", err)
		return 2
	}
	if *asJSON {
		out := json.NewEncoder(os.Stdout)
		out.SetIndent("", "  ")
		if err := out.Encode(report); err != nil {
			fmt.Fprintln(os.Stderr, "corpus:", err)
			return 2
		}
	} else {
		report.print(os.Stdout)
	}
	if len(report.Broken) > 0 {
		return 1
	}
	return 0
}
