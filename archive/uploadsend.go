package archive

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/fineprint-archive/fineprint/archive/catalog"
	"github.com/fineprint-archive/fineprint/archive/wayback"
)

// uploadWaits are the waits after the first, second, … try that the service did
// not take, of one file within one call.
var uploadWaits = []time.Duration{time.Minute, 2 * time.Minute, 5 * time.Minute, 15 * time.Minute, 30 * time.Minute}

// uploadPatience is the longest that one call waits with one file.
const uploadPatience = time.Hour

// send sends what waits, item after item. It ends early when the service says so.
func (u *uploader) send(ctx context.Context, plan []UploadFile) error {
	err := u.settleRefused(ctx)
	if err == nil {
		err = u.declaredPrivate(ctx)
	}
	for i := 0; i < len(plan) && err == nil; {
		n := slices.IndexFunc(plan[i:], func(f UploadFile) bool { return f.Item != plan[i].Item })
		if n < 0 {
			n = len(plan) - i
		}
		err = u.sendItem(ctx, plan[i].Item, plan[i:i+n])
		i += n
	}
	if errors.Is(err, errHeld) {
		return nil
	}
	return err
}

// settleRefused stops before anything is sent while an upload counts as spam, and
// with Again makes what was refused or altered wait again.
func (u *uploader) settleRefused(ctx context.Context) error {
	for _, id := range slices.Sorted(maps.Keys(u.rows)) {
		row := u.rows[id]
		failed := row.State == catalog.UploadAltered || row.State == catalog.UploadRefused && row.Class != classPrivate
		switch {
		case !failed || u.cfg.Again && !u.mine(row.Item):
		case u.cfg.Again:
			row.State, row.NextAt, row.Class, row.Error = catalog.UploadWaiting, u.cfg.Now(), classAgain, ""
			u.cfg.Step("upload-again")
			if err := u.save(ctx, row); err != nil {
				return err
			}
		case row.Class == string(wayback.ItemSpam):
			return u.stop("%s was refused on %s: %s; then `fineprint wayback upload --again`",
				rowID(row.Item, row.Name), row.Began.Format(time.DateOnly), wayback.ItemSpam.Meaning())
		}
	}
	return nil
}

// The classes of rows beside wayback.ItemClass.
const (
	classPrivate = "private" // the WARC holds a look at a private source
	classDamaged = "damaged" // our object is not what was sealed
	classAgain   = "again"   // a person wants it sent again
	classMD5     = "altered" // the item has other bytes
	classGone    = "gone"    // the item had the file and does not list it any more
	classNever   = "never-listed"
)

// sendItem sends the files of one item, then the newest checkpoint of the log if
// any was sent.
func (u *uploader) sendItem(ctx context.Context, item string, files []UploadFile) error {
	files = slices.DeleteFunc(slices.Clone(files), func(f UploadFile) bool { return !u.toSend(f) })
	if _, wanted, err := u.checkpointFor(ctx, item); err != nil || len(files) == 0 && !wanted {
		return err
	}
	meta, err := u.look(ctx, item)
	if err != nil {
		return err
	}
	if meta.Dark {
		return u.stop("item %s was taken from the public: ask the Archive why (info@archive.org), or choose another wayback.item", item)
	}
	if meta.Exists && meta.MediaType != "" && meta.MediaType != "web" {
		u.cfg.Say(fmt.Sprintf("item %s has mediatype %q, which cannot be changed any more; ours have web", item, meta.MediaType))
	}
	if room, err := u.roomForItem(ctx, item, meta); err != nil || !room {
		return err
	}
	u.touch(item)
	u.metadata[item] = meta
	for _, f := range files {
		if !u.toSend(f) {
			continue // the index of a WARC that was refused meanwhile
		}
		if err := u.sendFile(ctx, f); err != nil {
			return err
		}
	}
	f, wanted, err := u.checkpointFor(ctx, item)
	if err != nil || !wanted {
		return err
	}
	return u.sendFile(ctx, f)
}

// toSend tells whether a file waits, by what is known now. An index follows its
// WARC.
func (u *uploader) toSend(f UploadFile) bool {
	row, ok := u.rows[rowID(f.Item, f.Name)]
	if ok && row.State != catalog.UploadWaiting && row.State != catalog.UploadSending {
		return false
	}
	return f.Name == f.WARC || !u.followsRefused(f)
}

// look reads the metadata of an item before something is sent to it.
func (u *uploader) look(ctx context.Context, item string) (meta wayback.ItemMetadata, err error) {
	err = u.patiently(ctx, item, func() error {
		meta, err = u.cfg.Items.Metadata(ctx, item)
		return err
	})
	return meta, err
}

// roomForItem tells whether an item exists, or one more may be made today.
func (u *uploader) roomForItem(ctx context.Context, item string, meta wayback.ItemMetadata) (bool, error) {
	if meta.Exists {
		return true, nil
	}
	for _, row := range u.rows {
		if row.Item == item && !row.Began.IsZero() {
			return true, nil
		}
	}
	n, err := u.cfg.Catalog.ItemsBegun(ctx, item, u.cfg.Now().Add(-u.scaled(24*time.Hour)))
	if err == nil && n >= newItemsPerDay {
		u.report.Held = fmt.Sprintf("%d new items were made in the last 24 hours: more would look like spam; the next ones wait", n)
	}
	return n < newItemsPerDay, err
}

// patiently repeats what fails in a way that passes. Then it is errHeld.
func (u *uploader) patiently(ctx context.Context, what string, do func() error) error {
	var waited time.Duration
	for try := 0; ; try++ {
		err := do()
		fault, ok := errors.AsType[*wayback.ItemError](err)
		switch {
		case !ok:
			return err
		case !fault.Class.Passing():
			return u.stop("%s: %s: %s", what, fault, fault.Class.Meaning())
		case try == len(uploadWaits) || waited+max(uploadWaits[try], fault.RetryAfter) > uploadPatience:
			return u.hold("%s: %s: %s; the rest waits for the next upload", what, fault, fault.Class.Meaning())
		}
		d := max(uploadWaits[try], fault.RetryAfter)
		waited += d
		u.cfg.Say(fmt.Sprintf("%s: %s; trying again in %s", what, fault, d))
		if err := u.cfg.Wait(ctx, u.scaled(d)); err != nil {
			return err
		}
	}
}

// sendFile brings one file into its item, unless it must not go or is there.
func (u *uploader) sendFile(ctx context.Context, f UploadFile) error {
	row, ok := u.rows[rowID(f.Item, f.Name)]
	if !ok {
		row = catalog.UploadRow{Item: f.Item, Name: f.Name, WARC: f.WARC, Key: f.key, State: catalog.UploadWaiting,
			URL: f.URL, Created: u.cfg.Now()}
	}
	if err := u.prepare(ctx, &row); err != nil {
		return err
	}
	if row.State == catalog.UploadRefused {
		u.cfg.Step("upload-refused")
		if row.Class == classDamaged {
			u.cfg.Say(fmt.Sprintf("%s is not sent: %s", row.Key, row.Error))
		}
		return u.save(ctx, row)
	}
	if there, listed := u.metadata[f.Item].Files[f.Name]; listed {
		if done, err := u.found(ctx, row, there); done || err != nil {
			return err
		}
	}
	return u.patiently(ctx, f.Name, func() error { return u.try(ctx, &row) })
}

// found deals with a file of the name that the item has already: ours is not sent
// again, another one is not replaced unless a person wants it.
func (u *uploader) found(ctx context.Context, row catalog.UploadRow, there wayback.StoredFile) (done bool, err error) {
	if there.Size == row.Size && there.MD5 == row.MD5 {
		u.report.Present++
		return true, u.verified(ctx, row)
	}
	if row.Class == classAgain {
		row.Other = describe(there)
		u.rows[rowID(row.Item, row.Name)] = row
		return false, nil
	}
	return true, u.altered(ctx, row, there)
}

// try sends a file once. The row says so before and says what came of it after.
func (u *uploader) try(ctx context.Context, row *catalog.UploadRow) error {
	limit, err := u.cfg.Items.CheckLimit(ctx, row.Item)
	if err != nil {
		return u.note(ctx, row, err)
	}
	if limit.Over {
		return u.note(ctx, row, &wayback.ItemError{Op: "check limit", Class: wayback.ItemSlowDown, Message: limit.Reason})
	}
	now := u.cfg.Now()
	row.State, row.Attempts, row.NextAt = catalog.UploadSending, row.Attempts+1, now
	if row.Began.IsZero() {
		row.Began = now
	}
	u.cfg.Step("upload-sending")
	if err := u.save(ctx, *row); err != nil {
		return err
	}
	u.cfg.Step("upload-put")
	shown := fileOf(*row)
	err = u.cfg.Items.Put(ctx, wayback.ItemFile{
		Item: row.Item, Name: row.Name, Size: row.Size, MD5: row.MD5, Type: mediaType(*row), ItemSize: u.itemSize[row.Item],
		Meta: u.describeItem(row.Item), Progress: func(sent int64) { u.cfg.Progress(shown, sent) },
		Open: func(ctx context.Context) (io.ReadCloser, error) { return u.cfg.Store.Get(ctx, row.Key, 0, -1) },
	})
	if err != nil {
		return u.note(ctx, row, err)
	}
	u.report.Sent++
	u.report.SentBytes += row.Size
	u.cfg.Step("upload-sent")
	now = u.cfg.Now()
	row.State, row.Sent, row.Checks, row.NextAt, row.Class, row.Error = catalog.UploadSent, now, 0, now.Add(u.scaled(uploadChecks[0])), "", ""
	return u.save(ctx, *row)
}

// note enters why a try did not succeed and returns the error. After a lost answer
// the row stays as it is: the file may be there.
func (u *uploader) note(ctx context.Context, row *catalog.UploadRow, err error) error {
	fault, ok := errors.AsType[*wayback.ItemError](err)
	if !ok {
		return err
	}
	row.Class, row.Error = string(fault.Class), fault.Error()
	switch fault.Class {
	case wayback.ItemLost:
	case wayback.ItemSpam:
		row.State = catalog.UploadRefused
	case wayback.ItemChanged:
		row.State, row.Class = catalog.UploadRefused, classDamaged
	default:
		row.State = catalog.UploadWaiting
	}
	u.cfg.Step("upload-failed")
	if err := u.save(ctx, *row); err != nil {
		return err
	}
	return err
}

// describeItem is the metadata of a new item.
func (u *uploader) describeItem(item string) []wayback.MetaField {
	month := item[len(item)-len("2026-11"):]
	creator := u.cfg.Operator
	title := "Terms of service and privacy policies, web archive of " + month
	if creator != "" {
		title += ", by " + creator
	}
	description := "WARC files (ISO 28500) of " + month + ": visits to published terms of service and privacy policies, every exchange byte for byte, " +
		"each file with an index (CDXJ). The file names and SHA-256 digests stand in a public append-only log of the archive; " +
		"log-checkpoint files are signed states of it. The pages are the words of their publishers."
	if u.cfg.Test {
		title, description = "TEST: "+title, "A trial upload that may be removed. "+description
	}
	return []wayback.MetaField{
		{Name: "mediatype", Value: "web"}, {Name: "collection", Value: u.cfg.Collection}, {Name: "title", Value: title},
		{Name: "creator", Value: creator}, {Name: "date", Value: month}, {Name: "description", Value: description},
		{Name: "subject", Value: "terms of service"}, {Name: "subject", Value: "privacy policy"}, {Name: "subject", Value: "web archive"}, {Name: "subject", Value: "WARC"},
		{Name: "software", Value: u.cfg.Tool},
	}
}

func mediaType(row catalog.UploadRow) string {
	switch row.Name {
	case row.WARC:
		return "application/warc"
	case sidecarKey(row.WARC):
		return "text/x-cdxj"
	}
	return "text/plain; charset=utf-8"
}

// checkpointFor returns the newest checkpoint of the log as a file of an item, and
// whether it is wanted: WARCs were sent after the item's last one. What stands in
// the log by then, their seals are among it.
func (u *uploader) checkpointFor(ctx context.Context, item string) (f UploadFile, wanted bool, err error) {
	var last, newest time.Time // of the item's checkpoints, of its WARCs
	for _, row := range u.rows {
		switch {
		case row.Item != item:
		case row.WARC == "" && row.Created.After(last):
			last = row.Created
		case row.Name == row.WARC && row.Began.After(newest) && row.State != catalog.UploadRefused:
			newest = row.Began
		}
	}
	if u.cfg.Log == nil || !newest.After(last) {
		return f, false, nil
	}
	cp, err := u.cfg.Log.Checkpoint(ctx)
	if err != nil {
		return f, false, fmt.Errorf("checkpoint for item %s: %w", item, err)
	}
	size := strconv.FormatInt(cp.Size, 10)
	f = UploadFile{Item: item, Name: "log-checkpoint-" + size, State: catalog.UploadWaiting, key: "log/checkpoints/" + size}
	f.URL = publicURL(item, f.Name)
	_, there := u.rows[rowID(item, f.Name)]
	return f, cp.Size > 0 && !there, nil
}
