package archive_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/fineprint-archive/fineprint/archive"
	"github.com/fineprint-archive/fineprint/archive/catalog"
	"github.com/fineprint-archive/fineprint/crawler/declaration"
)

// However many WARCs are read at once, findings and report are the same, and in
// the same order. Those about WARCs come among those that the log gives: the
// archive has both, in several WARCs each.
func TestAuditOrder(t *testing.T) {
	t.Parallel()
	b := makeAudited(t, 8, func(b *audited, a *archive.Archive, set *declaration.Set, run int) {
		for i, s := range set.Sources {
			b.capture(t, a, s, set.Canonical(s.ID), fmt.Sprintf("the terms of source %d", i*run))
		}
	})
	for _, i := range []int{0, 3, 6} {
		b.edit(t, b.warcs[i], func(d []byte) []byte { return flip(len(d) / 2)(d) })
	}
	for _, i := range []int{1, 4} {
		must(t, os.Remove(b.path(b.warcs[i])))
	}
	for _, i := range []int{2, 5, 7} {
		key := b.warcs[i][:len(b.warcs[i])-len(".warc.gz")] + ".cdxj"
		b.edit(t, key, func(d []byte) []byte { return bytes.Replace(d, []byte("example.org"), []byte("example.com"), 1) })
		must(t, os.WriteFile(b.path(key[:len(key)-len("1.cdxj")]+"9.cdxj"), nil, 0o644))
	}
	must(t, b.db.Write(t.Context(), func(ctx context.Context, tx *catalog.Tx) error {
		_, err := tx.Exec(ctx, "DELETE FROM looks WHERE n > 5")
		return err
	}))
	var first []string
	var report archive.AuditReport
	for round := range 3 {
		for _, workers := range []int{1, 2, 8} {
			var found []string
			r, err := archive.Audit(t.Context(), archive.AuditConfig{Store: b.store(t), Key: b.key, Catalog: b.db, Workers: workers, Found: func(f archive.AuditFinding) {
				found = append(found, fmt.Sprintf("%s %s %d %s %d: %s", f.Kind, f.Object, f.Index, f.Source, f.N, f.Detail))
			}})
			must(t, err)
			if first == nil {
				first, report = found, r
				if r.Findings[archive.AuditWARCMissing] != 2 || r.Findings[archive.AuditIndex] != 3 || r.Findings[archive.AuditCatalog] < 3 {
					t.Fatalf("findings %v", r.Findings)
				}
				continue
			}
			if d := cmp.Diff(first, found); d != "" {
				t.Errorf("round %d with %d workers (-before +now):\n%s", round, workers, d)
			}
			if d := cmp.Diff(report, r, cmpopts.IgnoreFields(r, "Elapsed", "Seed")); d != "" {
				t.Errorf("round %d with %d workers: report (-before +now):\n%s", round, workers, d)
			}
		}
	}
}
