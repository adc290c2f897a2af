package wayback

import (
	"context"
	"errors"
	"time"
)

// mayExist tells whether a capture may exist though the item has none that we
// know of: the answer to a submit was lost, or was an error. Errors were seen for
// captures that exist.
func (i *Item) mayExist() bool {
	return i.State == StateSubmitted || i.State == StateWaiting && i.Attempts > 0
}

// again looks for an item's capture in the index, and submits it once more if it
// is not there. Within the hour the service answers with the job that it has.
func (r *run) again(ctx context.Context, item Item) error {
	rows, err := r.captures(ctx, item, r.since(item))
	switch {
	case err != nil:
		return r.giveBack(ctx, item, err)
	case len(rows) > 0:
		return r.link(ctx, item, rows[0])
	}
	if err := r.hold(ctx, item); err != nil { // the search took some of the lease
		return err
	}
	return r.submit(ctx, item)
}

// since returns from when on a capture may be that of the item's last submit. One
// that was answered with an earlier job may be an hour older.
func (r *run) since(item Item) time.Time {
	from := item.SubmittedAt
	if from.IsZero() { // refused, after one that was not
		from = item.Created
	}
	from = from.Add(-r.limits.scaled(clockSlack))
	if item.Reused {
		from = from.Add(-r.limits.scaled(jobWindow))
	}
	return from
}

// forgotten tells whether a job id says nothing any more.
func (r *run) forgotten(item Item) bool {
	return time.Since(item.AcceptedAt) >= r.limits.scaled(jobWindow)
}

// resolve finds out about a job whose end is not known: by its status while the
// id means something, by the index, and by one more submit when the window of the
// job is over, since until then that would be answered with the same job.
func (r *run) resolve(ctx context.Context, item Item) error {
	if item.JobID != "" && item.LastCode != codePartial && !r.forgotten(item) {
		got, err := r.ask(ctx, &item)
		if got == answerEnded || err != nil {
			return err
		}
		if got == answerNone {
			item.State, item.NextAt = StateUnresolved, time.Now().UTC().Add(r.limits.scaled(classes[ClassRetry].delays[0]))
			return r.putBack(ctx, item)
		}
	}
	rows, err := r.captures(ctx, item, r.since(item))
	switch {
	case err != nil:
		return r.giveBack(ctx, item, err)
	case len(rows) > 0:
		return r.link(ctx, item, rows[0])
	case !r.forgotten(item):
		item.State, item.NextAt = StateUnresolved, item.AcceptedAt.Add(r.limits.scaled(jobWindow))
		return r.putBack(ctx, item)
	case item.Attempts >= maxSubmits:
		return r.end(ctx, item, StateFailed)
	}
	if err := r.hold(ctx, item); err != nil {
		return err
	}
	return r.submit(ctx, item)
}

// unresolved puts an item aside whose capture is to be looked for after a while.
func (r *run) unresolved(ctx context.Context, item Item, wait time.Duration) error {
	item.State, item.NextAt = StateUnresolved, time.Now().UTC().Add(r.limits.scaled(wait))
	r.count(func(s *Stats) { s.Unresolved++ })
	return r.putBack(ctx, item)
}

// linkToday is for an address that was captured often enough today: the item gets
// the newest of these captures, or waits for tomorrow. A page that has changed is
// content with a capture from after our look only.
func (r *run) linkToday(ctx context.Context, item Item, e *Error) error {
	item.note(e)
	from := r.limits.Today(time.Now())
	if item.Priority <= priorityChanged {
		from = later(from, item.Created.Add(-r.limits.scaled(clockSlack)))
	}
	rows, err := r.captures(ctx, item, from)
	if err != nil && ctx.Err() != nil {
		return r.giveBack(ctx, item, err)
	}
	if n := len(rows); n > 0 {
		item.Reused = true
		return r.link(ctx, item, rows[n-1])
	}
	now := time.Now().UTC()
	if !item.Created.IsZero() && now.Sub(item.Created) > r.limits.scaled(r.limits.MaxAge) {
		return r.end(ctx, item, StateFailed)
	}
	// That the index did not answer is no reason to ask before tomorrow.
	item.State, item.NextAt = StateWaiting, r.limits.Today(now).Add(r.limits.scaled(24*time.Hour))
	item.Waits++
	r.count(func(s *Stats) { s.Waited++ })
	return r.putBack(ctx, item)
}

// priorityChanged is that of a page whose text is known to be new.
const priorityChanged = 1

// link reports a capture that the index has.
func (r *run) link(ctx context.Context, item Item, row IndexRow) error {
	item.Snapshot, item.OriginalURL, item.HTTPStatus, item.Digest = row.Timestamp, row.Original, row.Status, row.RawDigest
	item.IndexedAt = time.Now().UTC()
	r.count(func(s *Stats) { s.Linked++ })
	return r.report(ctx, item)
}

// report saves an item whose capture has a name.
func (r *run) report(ctx context.Context, item Item) error {
	now := time.Now().UTC()
	item.State, item.ReportedAt, item.Waits = StateReported, now, 0
	item.LastClass, item.LastCode, item.LastError = "", "", ""
	item.Absent, item.AbsentAt = 0, time.Time{}
	item.NextAt = r.nextRead(item, now)
	r.count(func(s *Stats) { s.Reported++ })
	r.log.Info("wayback item", "url", item.URL, "source", item.Source, "state", string(item.State), "snapshot", item.Snapshot)
	return r.putBack(ctx, item)
}

// searcher asks the index for the captures of an address from a moment on, the
// oldest first. Errors are *Error, *HeldError or ctx's.
type searcher func(ctx context.Context, address string, from time.Time) ([]IndexRow, error)

// clientSearch is the searcher that asks the real index, and keeps no answer.
func clientSearch(c *Client) searcher {
	return func(ctx context.Context, address string, from time.Time) ([]IndexRow, error) {
		var rows []IndexRow
		for row, err := range c.IndexAll(ctx, IndexQuery{URL: address, From: from.UTC().Format(stampForm)}, nil) {
			if err != nil {
				return nil, err
			}
			rows = append(rows, row)
		}
		return rows, nil
	}
}

// captures returns the captures of an item's page from a moment on: of the very
// address, or of where redirects led us, and none that the index shows as a redirect or an error. An address
// that the Archive shows to nobody has none.
func (r *run) captures(ctx context.Context, item Item, from time.Time) ([]IndexRow, error) {
	address := item.URL
	if item.FinalURL != "" { // the captures of the address itself are redirects
		address = item.FinalURL
	}
	rows, err := r.search(ctx, address, from)
	if e, ok := errors.AsType[*Error](err); ok && e.Code == CodeExcluded {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	earliest := from.UTC().Format(stampForm)
	var found []IndexRow
	for _, row := range rows {
		page := row.Revisit || row.Status == 0 || row.Status >= 200 && row.Status < 300
		if page && row.Timestamp >= earliest && SameAddress(row.Original, address) {
			found = append(found, row)
		}
	}
	return found, nil
}
