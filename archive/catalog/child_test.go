package catalog_test

import (
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/fineprint-archive/fineprint/archive/catalog"
)

// child is what the test binary does when it is started as another process.
func child(mode string) {
	db, err := catalog.Open(ctx, os.Getenv("CATALOG_TEST_DSN"), catalog.Options{})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	switch mode {
	case "open":
	case "looks":
		looksUntilKilled(db, os.Getenv("CATALOG_TEST_SOURCES"))
	}
	if err := db.Close(); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	os.Exit(0)
}

// looksUntilKilled begins and finishes looks with all workers at once and
// prints what was acknowledged.
func looksUntilKilled(db *catalog.DB, sources string) {
	lines := make(chan string)
	for source := range strings.SplitSeq(sources, " ") {
		go func() {
			for {
				now := time.Now()
				b, err := db.BeginLook(ctx, catalog.Begin{Source: source, Run: "run1", Spool: "spool1", WARC: "a.warc.gz", At: now, ManifestID: manifestID(source)})
				if err != nil {
					lines <- "error " + err.Error()
					return
				}
				lines <- fmt.Sprintf("begun %s %d", source, b.N)
				l := captured(source, b.N, now, fmt.Sprint(source, b.N))
				err = db.FinishLook(ctx, catalog.Finish{Look: l, Records: []catalog.RecordRow{recordOf(l)}, NextAt: now.Add(time.Hour), Attempt: int(b.N)})
				if err == nil {
					err = db.AddOutbox(ctx, catalog.OutboxNew{Source: source, N: b.N, URL: l.URL, Cause: "different", At: now})
				}
				if err != nil {
					lines <- "error " + err.Error()
					return
				}
				lines <- fmt.Sprintf("finished %s %d", source, b.N)
			}
		}()
	}
	for line := range lines {
		fmt.Println(line)
	}
}
