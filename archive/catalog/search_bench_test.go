package catalog_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fineprint-archive/fineprint/archive/catalog"
	"github.com/fineprint-archive/fineprint/archive/catalog/pgtest"
)

// The size of the history that searches are measured on.
const (
	benchDocuments = 200
	benchVersions  = 50 // of each document
	benchBlocks    = 60 // of each version
)

// chinese makes blocks of two-character words that are as unevenly frequent as
// words are: the n-th one is 1/n as frequent as the first.
type chinese struct {
	rnd  *rand.Rand
	zipf *rand.Zipf
}

func newChinese() *chinese {
	rnd := rand.New(rand.NewPCG(3, 4))
	return &chinese{rnd, rand.NewZipf(rnd, 1.01, 1, 7999)}
}

// word returns the n-th most frequent word. About 2,500 characters make them all,
// so each is in several.
func (*chinese) word(n uint64) string {
	return string([]rune{rune(0x4e00 + n*37%2503), rune(0x4e00 + n*n%2477)})
}

func (c *chinese) block() string {
	var b strings.Builder
	for range 15 + c.rnd.IntN(50) {
		b.WriteString(c.word(c.zipf.Uint64()))
	}
	return b.String() + "。"
}

// passage returns a block as it is entered.
func (c *chinese) passage(place int) catalog.Passage {
	p := passages([]string{c.block()})[0]
	p.Block = place
	return p
}

// fillHistory enters 10,000 versions of which each changes one to three blocks,
// and returns how long the passages took.
func fillHistory(b *testing.B, db *catalog.DB) (spent time.Duration) {
	c := newChinese()
	for n := range benchDocuments {
		document := fmt.Sprintf("s%d/tos/zh", n)
		d := catalog.Derivation{Tracked: catalog.Tracked{Document: document, Service: document, ServiceID: document, State: []byte("{}")}}
		now := make([]catalog.Passage, benchBlocks)
		for i := range now {
			now[i] = c.passage(i)
		}
		var all []catalog.VersionPassages
		for v := range benchVersions {
			now = slices.Clone(now)
			for range 1 + c.rnd.IntN(3) {
				i := c.rnd.IntN(len(now))
				now[i] = c.passage(i)
			}
			all = append(all, catalog.VersionPassages{Time: day(v), Passages: now})
			d.Versions = append(d.Versions, catalog.VersionRow{Document: document, Look: fmt.Sprint("s ", v), Time: day(v), LastSeen: day(v), Kind: "changed"})
		}
		must(b, db.EnterDerivations(ctx, []catalog.Derivation{d}))
		began := time.Now()
		must(b, db.Write(ctx, func(ctx context.Context, tx *catalog.Tx) error {
			return catalog.EnterPassages(ctx, tx, document, all)
		}))
		spent += time.Since(began)
	}
	return spent
}

// indexSize returns the bytes on disk of passages and their tokens.
func indexSize(b *testing.B, db *catalog.DB, dsn string) (size int64) {
	if db.Dialect() == "postgres" {
		must(b, db.SQL().QueryRow("SELECT pg_total_relation_size('passages') + pg_total_relation_size('passage_tokens')").Scan(&size))
		return size
	}
	_, err := db.SQL().Exec("PRAGMA wal_checkpoint(TRUNCATE)")
	must(b, err)
	info, err := os.Stat(dsn)
	must(b, err)
	return info.Size()
}

// BenchmarkSearch measures searches for a two-character Chinese word over 10,000
// versions, all of what is found and the first 100: a word that 1 passage in 1,000
// has, one that 1 in 50 has, and the most frequent one.
func BenchmarkSearch(b *testing.B) {
	for name, dsn := range map[string]func(testing.TB) string{"sqlite": tempFile, "postgres": func(t testing.TB) string { return pgtest.Start(t) }} {
		b.Run(name, func(b *testing.B) {
			path := dsn(b)
			db := open(b, path)
			spent := fillHistory(b, db)
			versions := float64(benchDocuments * benchVersions)
			b.Logf("entering a version takes %.0f µs and %.0f bytes", float64(spent.Microseconds())/versions, float64(indexSize(b, db, path))/versions)
			c := newChinese()
			for _, q := range []struct {
				name string
				word string
			}{{"rare", c.word(4001)}, {"usual", c.word(180)}, {"frequent", c.word(0)}} {
				for _, limit := range []int{0, 100} {
					b.Run(fmt.Sprintf("%s/limit=%d", q.name, limit), func(b *testing.B) {
						n := 0
						b.ReportAllocs()
						for b.Loop() {
							n = len(ask(b, db, q.word, catalog.SearchFilter{Limit: limit}))
						}
						b.ReportMetric(float64(n), "found")
					})
				}
			}
		})
	}
}
