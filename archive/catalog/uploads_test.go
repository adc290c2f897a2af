package catalog_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fineprint-archive/fineprint/archive/catalog"
	"github.com/fineprint-archive/fineprint/warc"
)

func TestUploads(t *testing.T) {
	eachDatabase(t, func(t *testing.T, dsn string) {
		db := open(t, dsn)
		full := catalog.UploadRow{
			Item: "x-2026-11", Name: "a.warc.gz", WARC: "a.warc.gz", Key: "warc/a.warc.gz", State: catalog.UploadSent, Open: true,
			Attempts: 2, Checks: 1, NextAt: noon.Add(time.Hour), Size: 5 << 32, MD5: "0123", SHA256: warc.SumSHA256([]byte("a")),
			URL: "https://archive.org/download/x-2026-11/a.warc.gz", Class: "lost", Error: "日本\x00語", Other: "1 bytes",
			Created: noon, Began: noon.Add(1), Sent: noon.Add(2), Checked: noon.Add(3), Verified: noon.Add(4),
		}
		waiting := catalog.UploadRow{Item: "x-2026-10", Name: "b.warc.gz", State: catalog.UploadWaiting, Open: true, Created: noon}
		done := catalog.UploadRow{Item: "x-2026-10", Name: "c.warc.gz", State: catalog.UploadVerified, Began: noon.Add(-time.Hour)}
		for _, row := range []catalog.UploadRow{{Item: full.Item, Name: full.Name, State: catalog.UploadWaiting}, full, waiting, done} {
			must(t, db.SaveUpload(ctx, row))
		}
		full.Error = "日本\uFFFD語"
		for _, test := range []struct {
			name   string
			filter catalog.UploadFilter
			want   []catalog.UploadRow
		}{
			{"all", catalog.UploadFilter{}, []catalog.UploadRow{waiting, done, full}},
			{"item", catalog.UploadFilter{Item: "x-2026-11"}, []catalog.UploadRow{full}},
			{"state", catalog.UploadFilter{State: catalog.UploadVerified}, []catalog.UploadRow{done}},
			{"due", catalog.UploadFilter{DueBy: noon}, []catalog.UploadRow{waiting}},
			{"due later", catalog.UploadFilter{DueBy: noon.Add(time.Hour)}, []catalog.UploadRow{waiting, full}},
		} {
			got, err := db.Uploads(ctx, test.filter)
			must(t, err)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("Uploads, %s (-want +got):\n%s", test.name, diff)
			}
		}
		for _, test := range []struct {
			item  string
			since time.Time
			want  int
		}{{"", noon.Add(-2 * time.Hour), 2}, {"", noon, 1}, {"x-2026-11", noon.Add(-2 * time.Hour), 1}, {"", noon.Add(1), 0}} {
			if n, err := db.ItemsBegun(ctx, test.item, test.since); n != test.want || err != nil {
				t.Errorf("ItemsBegun(%q, %s) = %d, %v, want %d", test.item, test.since, n, err, test.want)
			}
		}
		if err := db.SaveUpload(ctx, catalog.UploadRow{Name: "x"}); err == nil {
			t.Error("a row without an item was saved")
		}
		// They are no facts.
		var dump bytes.Buffer
		must(t, db.Dump(ctx, &dump))
		if dump.Len() > 0 {
			t.Errorf("dump holds %s", dump.String())
		}
	})
}

func TestLockUploads(t *testing.T) {
	eachDatabase(t, func(t *testing.T, dsn string) {
		one, two := open(t, dsn), open(t, dsn)
		release, ok, err := one.LockUploads(ctx)
		if !ok || err != nil {
			t.Fatalf("LockUploads = %v, %v", ok, err)
		}
		if _, ok, err := two.LockUploads(ctx); ok || err != nil {
			t.Errorf("second LockUploads = %v, %v, want false", ok, err)
		}
		outbox, ok, err := two.LockOutbox(ctx)
		if !ok || err != nil {
			t.Fatalf("LockOutbox beside it = %v, %v", ok, err)
		}
		must(t, outbox())
		must(t, release())
		release, ok, err = two.LockUploads(ctx)
		if !ok || err != nil {
			t.Fatalf("LockUploads after its end = %v, %v", ok, err)
		}
		must(t, release())
	})
}

func TestEachCanonical(t *testing.T) {
	eachDatabase(t, func(t *testing.T, dsn string) {
		db := open(t, dsn)
		var got, want []string
		for _, s := range declare(t, db, 3) {
			want = append(want, s.ID+" "+string(s.Canonical))
		}
		must(t, db.EachCanonical(ctx, func(source string, canonical []byte) error {
			got = append(got, source+" "+string(canonical))
			return nil
		}))
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("EachCanonical (-want +got):\n%s", diff)
		}
	})
}
