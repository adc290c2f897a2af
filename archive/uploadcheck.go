package archive

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/fineprint-archive/fineprint/archive/catalog"
	"github.com/fineprint-archive/fineprint/archive/wayback"
)

// uploadChecks are the times after a PUT at which the item's metadata is read. It
// lists a file after minutes to hours.
var uploadChecks = []time.Duration{10 * time.Minute, time.Hour, 6 * time.Hour, 24 * time.Hour}

// uploadTries is how often a file is sent that never appears in its item.
const uploadTries = 3

// readBack reads the metadata of the items with files that are due, or of all that
// were sent with VerifyOnly.
func (u *uploader) readBack(ctx context.Context) error {
	byItem := map[string][]catalog.UploadRow{}
	for _, id := range slices.Sorted(maps.Keys(u.rows)) {
		if row := u.rows[id]; u.mine(row.Item) && u.toCheck(row) {
			byItem[row.Item] = append(byItem[row.Item], row)
		}
	}
	for _, item := range slices.Sorted(maps.Keys(byItem)) {
		u.touch(item)
		meta, err := u.cfg.Items.Metadata(ctx, item)
		if fault, ok := errors.AsType[*wayback.ItemError](err); ok {
			u.report.Unchecked += int64(len(byItem[item]))
			u.cfg.Say(fmt.Sprintf("%s: %s", item, fault))
			continue // the rows stay due
		}
		if err != nil {
			return err
		}
		for _, row := range byItem[item] {
			if err := u.check(ctx, row, meta); err != nil {
				return err
			}
		}
	}
	return nil
}

// toCheck tells whether a row is to be read back now.
func (u *uploader) toCheck(row catalog.UploadRow) bool {
	switch row.State {
	case catalog.UploadSent:
		return u.cfg.VerifyOnly || !row.NextAt.After(u.cfg.Now())
	case catalog.UploadVerified, catalog.UploadAltered:
		return u.cfg.VerifyOnly
	}
	return false
}

// check holds one row against the metadata of its item.
func (u *uploader) check(ctx context.Context, row catalog.UploadRow, meta wayback.ItemMetadata) error {
	row.Checked = u.cfg.Now()
	there, listed := meta.Files[row.Name]
	switch {
	case meta.Dark:
		return u.lost(ctx, row, "the item was taken from the public")
	case listed && there.Size == row.Size && there.MD5 == row.MD5:
		return u.verified(ctx, row)
	case listed && (there.Size < 0 || there.MD5 == ""):
		return u.absent(ctx, row) // the name is there, what it stands for is not yet
	case listed && row.State == catalog.UploadSent && row.Other == describe(there) && !u.overdue(row):
		return u.absent(ctx, row) // what was there before it was sent again
	case listed:
		return u.altered(ctx, row, there)
	case !row.Verified.IsZero() && row.State != catalog.UploadSent:
		return u.lost(ctx, row, "the item does not list the file any more")
	case row.State == catalog.UploadAltered:
		return nil // neither is it ours now
	}
	return u.absent(ctx, row)
}

// verified enters that the item has our bytes.
func (u *uploader) verified(ctx context.Context, row catalog.UploadRow) error {
	now := u.cfg.Now()
	row.State, row.Class, row.Error, row.Other, row.Checked, row.Verified = catalog.UploadVerified, "", "", "", now, now
	u.cfg.Step("upload-verified")
	return u.save(ctx, row)
}

// altered enters that the item has other bytes, loudly.
func (u *uploader) altered(ctx context.Context, row catalog.UploadRow, there wayback.StoredFile) error {
	row.Other = describe(there)
	row.State, row.Class, row.Checked = catalog.UploadAltered, classMD5, u.cfg.Now()
	row.Error = fmt.Sprintf("archive.org has %s, ours is %s", row.Other, describe(wayback.StoredFile{Size: row.Size, MD5: row.MD5}))
	u.cfg.Say(fmt.Sprintf("ALTERED: %s: %s", row.URL, row.Error))
	u.cfg.Step("upload-altered")
	return u.save(ctx, row)
}

// lost enters that a file which was there is gone.
func (u *uploader) lost(ctx context.Context, row catalog.UploadRow, why string) error {
	row.State, row.Class, row.Error = catalog.UploadAltered, classGone, why
	u.cfg.Say(fmt.Sprintf("GONE: %s: %s", row.URL, why))
	u.cfg.Step("upload-altered")
	return u.save(ctx, row)
}

// overdue tells whether the schedule of read-backs is over.
func (u *uploader) overdue(row catalog.UploadRow) bool {
	return u.cfg.Now().Sub(row.Sent) >= u.scaled(uploadChecks[len(uploadChecks)-1])
}

// absent enters that a file is not listed yet. One that is not after a day, at two
// looks, is sent again by the next call, and refused when that did not help.
func (u *uploader) absent(ctx context.Context, row catalog.UploadRow) error {
	if row.NextAt.After(u.cfg.Now()) {
		return nil // asked for before it was due: nothing new
	}
	row.Checks++
	if row.Checks >= 2 && u.overdue(row) {
		row.State, row.Class, row.Error = catalog.UploadWaiting, classNever, "the item does not list the file a day after it was sent"
		if row.Attempts >= uploadTries {
			row.State = catalog.UploadRefused
			row.Error += fmt.Sprintf(", %d times", row.Attempts)
		}
		u.cfg.Say(fmt.Sprintf("%s: %s", row.URL, row.Error))
		u.cfg.Step("upload-absent")
		return u.save(ctx, row)
	}
	row.NextAt = u.cfg.Now().Add(u.scaled(time.Hour))
	for _, after := range uploadChecks {
		if at := row.Sent.Add(u.scaled(after)); at.After(u.cfg.Now()) {
			row.NextAt = at
			break
		}
	}
	u.cfg.Step("upload-absent")
	return u.save(ctx, row)
}

// describe words size and MD5.
func describe(f wayback.StoredFile) string { return fmt.Sprintf("%d bytes, MD5 %s", f.Size, f.MD5) }
