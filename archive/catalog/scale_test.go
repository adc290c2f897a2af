package catalog_test

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/fineprint-archive/fineprint/archive/catalog"
	"github.com/fineprint-archive/fineprint/archive/catalog/pgtest"
)

// many is a set of n sources on n/20 hosts, each with a document.
func many(n int) catalog.DeclaredSet {
	set := catalog.DeclaredSet{Sources: make([]catalog.SourceRow, n), Documents: make([]catalog.DocumentRow, n)}
	for i := range n {
		host := fmt.Sprintf("host%d.example", i/20)
		id := fmt.Sprintf("%016x", i*7919)
		set.Sources[i] = sourceRow(id, fmt.Sprintf("https://%s/legal/%d/terms-of-service", host, i), host)
		set.Documents[i] = catalog.DocumentRow{ID: fmt.Sprintf("service-%d/terms-of-service/en", i), Service: fmt.Sprint("Service ", i), ServiceID: fmt.Sprint("service-", i), Terms: "Terms of Service", Lang: "en", Sources: []string{id}}
	}
	return set
}

// plan returns how the database would run a query.
func plan(t *testing.T, db *catalog.DB, query string, args ...any) string {
	t.Helper()
	explain := "EXPLAIN QUERY PLAN "
	if db.Dialect() == "postgres" {
		explain = "EXPLAIN "
	}
	rows, err := db.SQL().Query(explain+query, args...)
	must(t, err)
	var out []string
	columns, err := rows.Columns()
	must(t, err)
	for rows.Next() {
		cells := make([]any, len(columns))
		for i := range cells {
			cells[i] = new(any)
		}
		must(t, rows.Scan(cells...))
		out = append(out, fmt.Sprint(*cells[len(cells)-1].(*any)))
	}
	must(t, rows.Err())
	must(t, rows.Close())
	return strings.Join(out, "\n")
}

// The questions of a run are answered from an index, however much is declared.
func TestPlans(t *testing.T) {
	eachDatabase(t, func(t *testing.T, dsn string) {
		db := open(t, dsn)
		_, err := db.SyncDeclarations(ctx, nil, many(5000))
		must(t, err)
		if db.Dialect() == "postgres" {
			_, err := db.SQL().Exec("ANALYZE")
			must(t, err)
		}
		for _, q := range catalog.Queries() {
			text := plan(t, db, q.SQL, q.Args...)
			if !strings.Contains(text, q.Index) || strings.Contains(text, "Seq Scan") || strings.Contains(text, "SCAN") {
				t.Errorf("%s does not use index %s:\n%s", q.Name, q.Index, text)
			}
		}
	})
}

// BenchmarkLook measures the catalog's part of a look with 8 workers: lease,
// begin, payload look-up, finish, lease back. CPU is that of the process.
func BenchmarkLook(b *testing.B) {
	for name, dsn := range map[string]func(testing.TB) string{"sqlite": tempFile, "postgres": func(t testing.TB) string { return pgtest.Start(t) }} {
		b.Run(name, func(b *testing.B) {
			db := open(b, dsn(b))
			const sources = 400
			_, err := db.SyncDeclarations(ctx, nil, many(sources))
			must(b, err)
			openWARC(b, db)
			set := many(sources).Sources
			var next atomic.Int64
			before := cpu()
			b.SetParallelism(4) // times the number of cores: 8 on the machine it was made on
			b.ResetTimer()
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					i := next.Add(1)
					source := set[i%sources].ID
					host := fmt.Sprint("h", i%sources)
					if _, _, err := db.TakeLease(ctx, host, "o", time.Minute); err != nil {
						b.Error(err)
					}
					bg, err := db.BeginLook(ctx, catalog.Begin{Source: source, Run: "run1", Spool: "spool1", WARC: "a.warc.gz", At: noon, ManifestID: manifestID(source)})
					if err != nil {
						b.Error(err)
					}
					l := captured(source, bg.N, noon, fmt.Sprint(i))
					if _, _, err := db.FindPayload(ctx, l.FinalURL, l.PayloadSHA256, l.PayloadSize, "a.warc.gz"); err != nil {
						b.Error(err)
					}
					if err := db.FinishLook(ctx, catalog.Finish{Look: l, Records: []catalog.RecordRow{recordOf(l)}, NextAt: noon}); err != nil {
						b.Error(err)
					}
					if err := db.DropLease(ctx, host, "o", noon); err != nil {
						b.Error(err)
					}
				}
			})
			b.ReportMetric(float64(cpu()-before)/float64(b.N)/1e3, "cpu-µs/op")
		})
	}
}

func tempFile(t testing.TB) string { return filepath.Join(t.TempDir(), "catalog.db") }

// cpu returns the CPU time of this process.
func cpu() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkSyncDeclarations measures 100,000 new sources and documents, the
// same set again, and the question of crawl --due afterwards.
func BenchmarkSyncDeclarations(b *testing.B) {
	for name, dsn := range map[string]func(testing.TB) string{"sqlite": tempFile, "postgres": func(t testing.TB) string { return pgtest.Start(t) }} {
		set := many(100_000)
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				db, err := catalog.Open(ctx, dsn(b), catalog.Options{})
				must(b, err)
				began := time.Now()
				_, err = db.SyncDeclarations(ctx, nil, set)
				must(b, err)
				b.ReportMetric(time.Since(began).Seconds(), "s/new")
				began = time.Now()
				_, err = db.SyncDeclarations(ctx, nil, set)
				must(b, err)
				b.ReportMetric(time.Since(began).Seconds(), "s/same")
				began = time.Now()
				_, _, err = db.NothingDue(ctx, noon)
				must(b, err)
				b.ReportMetric(float64(time.Since(began).Microseconds()), "µs/nothing-due")
				began = time.Now()
				_, err = db.Want(ctx, "run1", catalog.SourceFilter{Now: time.Now()})
				must(b, err)
				b.ReportMetric(time.Since(began).Seconds(), "s/want-all")
				began = time.Now()
				_, err = db.DueHosts(ctx, "run1", time.Now())
				must(b, err)
				b.ReportMetric(time.Since(began).Seconds(), "s/due-hosts")
				must(b, db.Close())
			}
		})
	}
}

// BenchmarkWrite measures one small write with 8 callers: the price of a
// durable commit, shared.
func BenchmarkWrite(b *testing.B) {
	db := open(b, tempFile(b))
	b.SetParallelism(4)
	before := cpu()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			err := db.Write(ctx, func(ctx context.Context, tx *catalog.Tx) error {
				_, err := tx.Exec(ctx, "UPDATE meta SET value = $1 WHERE key = 'x'", "y")
				return err
			})
			if err != nil {
				b.Error(err)
			}
		}
	})
	b.ReportMetric(float64(cpu()-before)/float64(b.N)/1e3, "cpu-µs/op")
}
