// Command report reads `go test -json` from standard input, prints a line per
// package and the output of what failed, and fails if any test was skipped:
// under .ci/run everything that a test needs is installed.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"strings"
)

type event struct {
	Action, Package, Test, Output string
	Elapsed                       float64
}

func main() {
	output := map[string]*strings.Builder{}
	var passed, failed, skipped int
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var e event
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			fmt.Println(lines.Text())
			continue
		}
		key := e.Package + " " + e.Test
		switch e.Action {
		case "output", "build-output":
			if output[key] == nil {
				output[key] = &strings.Builder{}
			}
			output[key].WriteString(e.Output)
			continue
		case "pass", "fail", "skip":
		default:
			continue
		}
		switch {
		case e.Action == "fail":
			if output[key] != nil {
				fmt.Print(output[key].String())
			}
			if e.Test != "" {
				failed++
			} else {
				fmt.Printf("FAIL %s (%.1fs)\n", e.Package, e.Elapsed)
			}
		case e.Test == "":
			fmt.Printf("ok   %s (%.1fs)\n", e.Package, e.Elapsed)
		case e.Action == "skip":
			skipped++
			fmt.Printf("SKIPPED %s: %s", key, output[key])
		default:
			passed++
		}
		delete(output, key)
	}
	if err := lines.Err(); err != nil {
		fmt.Println("reading the test output:", err)
		os.Exit(1)
	}
	fmt.Printf("%d passed, %d failed, %d skipped\n", passed, failed, skipped)
	if failed > 0 || skipped > 0 || passed == 0 {
		os.Exit(1)
	}
}
