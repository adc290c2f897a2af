package archive_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/fineprint-archive/fineprint/archive"
	"github.com/fineprint-archive/fineprint/archive/catalog"
)

// TestAuditLost changes what the catalog says of lost looks: entries 4 and 5 of
// the log, looks 3 and 4.
func TestAuditLost(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, sql string
		want      []string // of findings: kind, entry, number
		verdict   archive.AuditVerdict
	}{
		{"as entered", "", nil, archive.AuditOK},
		{"row gone", "DELETE FROM lost WHERE n = 4", []string{"catalog 5 4"}, archive.AuditFalse},
		{"all rows gone", "DELETE FROM lost", []string{"catalog 4 3", "catalog 5 4"}, archive.AuditFalse},
		{"another run", "UPDATE lost SET run = 'x' WHERE n = 3", []string{"catalog 4 3"}, archive.AuditFalse},
		{"another time", "UPDATE lost SET time = '2001-01-01T00:00:00.000000000Z' WHERE n = 3", []string{"catalog 4 3"}, archive.AuditFalse},
		{"another entry", "UPDATE lost SET log_index = 2 WHERE n = 3", []string{"catalog 4 3"}, archive.AuditFalse},
		{"another number", "UPDATE lost SET n = 7 WHERE n = 4", []string{"catalog 5 7", "catalog 5 4"}, archive.AuditFalse},
		{"a row too many", "INSERT INTO lost (source, n, run, time, log_index) SELECT source, 9, run, time, 0 FROM lost WHERE n = 4",
			[]string{"catalog 0 9"}, archive.AuditFalse},
		{"entered since", "INSERT INTO lost (source, n, run, time, log_index) SELECT source, 9, run, time, 6 FROM lost WHERE n = 4", nil, archive.AuditOK},
		{"not finished", "INSERT INTO begun (id, source, n, url, time, run, spool, warc) SELECT 'urn:uuid:4abc2de3-2f31-8a11-a5f4-00b9e7c20000', source, n, 'https://x.example/', time, run, 'away', '' FROM lost WHERE n = 4; DELETE FROM lost WHERE n = 4",
			[]string{"pending 5 4"}, archive.AuditIncomplete},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			dead, spool := lose(t)
			b := dead.with(t, "new")
			a := b.open(t, nil)
			_, err := a.EnterLost(t.Context(), spool)
			must(t, err)
			must(t, a.Close())
			if tc.sql != "" {
				must(t, b.db.Write(t.Context(), func(ctx context.Context, tx *catalog.Tx) error {
					_, err := tx.Exec(ctx, tc.sql)
					return err
				}))
			}
			var found []string
			report, err := archive.Audit(t.Context(), archive.AuditConfig{Store: b.store, Key: b.key.Verifier, Catalog: b.db, Found: func(f archive.AuditFinding) {
				found = append(found, fmt.Sprintf("%s %d %d: %s", f.Kind, f.Index, f.N, f.Detail))
			}})
			must(t, err)
			if report.Lost != 2 || report.Verdict() != tc.verdict {
				t.Errorf("%d looks lost, verdict %s; want 2 and %s", report.Lost, report.Verdict(), tc.verdict)
			}
			compareFindings(t, found, tc.want)
		})
	}
}
