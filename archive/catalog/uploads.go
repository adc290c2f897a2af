package catalog

import (
	"context"
	"fmt"
	"time"

	"github.com/fineprint-archive/fineprint/warc"
)

// UploadState says how far a file is on its way into an item of archive.org.
type UploadState string

// The states of an upload, in their order; the last two are ends of their own.
const (
	UploadWaiting  UploadState = "waiting"  // to be sent
	UploadSending  UploadState = "sending"  // a PUT was begun; whether it arrived is not known
	UploadSent     UploadState = "sent"     // the service said that it took the file
	UploadVerified UploadState = "verified" // the item's metadata has our size and MD5
	UploadRefused  UploadState = "refused"  // it is not sent, or not sent again: Class and Error say why
	UploadAltered  UploadState = "altered"  // the item's metadata has another size or MD5
)

// UploadStates lists the states in their order.
func UploadStates() []UploadState {
	return []UploadState{UploadWaiting, UploadSending, UploadSent, UploadVerified, UploadRefused, UploadAltered}
}

// UploadRow is a file that goes into an item of archive.org.
type UploadRow struct {
	Item string
	Name string // of the file in the item
	WARC string // name of the WARC that it is or belongs to
	Key  string // of our object

	State    UploadState
	Open     bool // something is to be done at NextAt
	Attempts int  // PUTs begun
	Checks   int  // read-backs since the last one
	NextAt   time.Time

	Size   int64 // bytes; with MD5 and SHA256 once they are known
	MD5    string
	SHA256 warc.Digest
	URL    string // where the file is for everybody

	Class string // why it is not further, "" if nothing is amiss
	Error string
	Other string // size and MD5 that the item had instead of ours, "" for none

	Created, Began, Sent, Checked, Verified time.Time // see migrations/0006.sql
}

const uploadColumns = `item, name, warc, key, state, open, attempts, checks, next_at, size, md5, sha256, url, class, error, other,
	created, began, sent, checked, verified`

func (u *UploadRow) dest() []any {
	return []any{&u.Item, &u.Name, &u.WARC, &u.Key, &u.State, &u.Open, &u.Attempts, &u.Checks, scanTime{&u.NextAt},
		&u.Size, &u.MD5, scanDigest{warc.SHA256, &u.SHA256}, &u.URL, &u.Class, &u.Error, &u.Other,
		scanTime{&u.Created}, scanTime{&u.Began}, scanTime{&u.Sent}, scanTime{&u.Checked}, scanTime{&u.Verified}}
}

// LockUploads makes the caller the only one that uploads, among all processes at
// this catalog, like LockOutbox.
func (db *DB) LockUploads(ctx context.Context) (release func() error, ok bool, err error) {
	return db.lock(ctx, exclusive{"uploads", 0x66696e65757066c0})
}

// SaveUpload stores a row, new or not, durably: it comes before what it says is
// about to be done.
func (db *DB) SaveUpload(ctx context.Context, u UploadRow) error {
	for what, s := range map[string]string{"item": u.Item, "file name in item " + u.Item: u.Name} {
		if err := checkKey(what, s); err != nil {
			return err
		}
	}
	err := db.Write(ctx, func(ctx context.Context, tx *Tx) error {
		_, err := tx.Exec(ctx, `INSERT INTO uploads (`+uploadColumns+`)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21)
			ON CONFLICT (item, name) DO UPDATE SET warc = excluded.warc, key = excluded.key, state = excluded.state, open = excluded.open,
			attempts = excluded.attempts, checks = excluded.checks, next_at = excluded.next_at, size = excluded.size, md5 = excluded.md5,
			sha256 = excluded.sha256, url = excluded.url, class = excluded.class, error = excluded.error, other = excluded.other,
			created = excluded.created, began = excluded.began, sent = excluded.sent, checked = excluded.checked, verified = excluded.verified`,
			u.Item, u.Name, clean(u.WARC), clean(u.Key), clean(string(u.State)), truth(u.Open), u.Attempts, u.Checks, timeText(u.NextAt),
			u.Size, clean(u.MD5), digestText(u.SHA256), clean(u.URL), clean(u.Class), clean(u.Error), clean(u.Other),
			timeText(u.Created), timeText(u.Began), timeText(u.Sent), timeText(u.Checked), timeText(u.Verified))
		return err
	})
	return wrap(fmt.Sprintf("save upload of %s into %s", u.Name, u.Item), err)
}

// UploadFilter selects uploads; zero fields select all.
type UploadFilter struct {
	Item  string
	State UploadState
	DueBy time.Time // open rows whose NextAt is not later
}

// Uploads returns the rows that the filter selects, by item and name.
func (db *DB) Uploads(ctx context.Context, f UploadFilter) ([]UploadRow, error) {
	var w where
	w.equal("item", f.Item)
	w.equal("state", string(f.State))
	if !f.DueBy.IsZero() {
		w.add("open = 1 AND next_at <= ?", timeText(f.DueBy))
	}
	list, err := collect(ctx, reader{db}, (*UploadRow).dest, "SELECT "+uploadColumns+" FROM uploads"+w.sql()+" ORDER BY item, name", w.args...)
	return list, wrap("list uploads", db.redact(err))
}

// ItemsBegun counts the items whose first PUT came after since, item left out.
func (db *DB) ItemsBegun(ctx context.Context, item string, since time.Time) (n int, err error) {
	_, err = one(reader{db}.QueryRow(ctx, `SELECT COUNT(*) FROM (SELECT item FROM uploads WHERE began <> '' AND item <> $1
		GROUP BY item HAVING MIN(began) > $2) AS young`, clean(item), timeText(since)), &n)
	return n, wrap("count new items", db.redact(err))
}

// EachCanonical calls f for every source with its canonical declaration, in
// order of ids.
func (db *DB) EachCanonical(ctx context.Context, f func(source string, canonical []byte) error) error {
	err := each(ctx, reader{db}, func(scan func(...any) error) error {
		var (
			source    string
			canonical []byte
		)
		if err := scan(&source, &canonical); err != nil {
			return err
		}
		return f(source, canonical)
	}, "SELECT id, canonical FROM sources ORDER BY id")
	return wrap("list declarations", db.redact(err))
}
