package archive

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/fineprint-archive/fineprint/archive/catalog"
	"github.com/fineprint-archive/fineprint/archive/store"
	"github.com/fineprint-archive/fineprint/archive/tlog"
	"github.com/fineprint-archive/fineprint/archive/wayback"
	"github.com/fineprint-archive/fineprint/warc"
)

// newItemsPerDay is how many items of archive.org are made in 24 hours: accounts
// that made a dozen in an hour were taken for senders of spam.
const newItemsPerDay = 5

// UploadConfig tells Upload what to put where. Store, Catalog, Items, Item and
// Collection are required; Items may be nil for PlanUpload.
type UploadConfig struct {
	Store   store.Store
	Catalog *catalog.DB
	Items   *wayback.Items
	Log     *tlog.Reader // whose newest checkpoint goes along; nil: none does

	Item       string // prefix of the items' names, see wayback.ItemName
	Collection string // of archive.org; wayback.TestCollection is Test
	Test       bool   // into items of their own in wayback.TestCollection
	Month      string // "2026-11": only the WARCs of that month; "" for all
	Again      bool   // what was refused or came altered is sent again, private WARCs excepted
	VerifyOnly bool   // send nothing; read back what was sent, whether due or not

	Operator string // the creator of the items
	Tool     string // "fineprint/0.1.0 (revision)"

	TimeScale float64 // divides all waits and intervals; 0 means 1. For tests
	Logger    *slog.Logger
	Now       func() time.Time
	Wait      func(ctx context.Context, d time.Duration) error // nil: the clock
	Step      func(name string)                                // called before each durable step; for crash tests
	Say       func(line string)                                // what a person should hear at once; nil: nobody
	Progress  func(f UploadFile, sent int64)                   // of the file under way; from another goroutine
	Done      func(f UploadFile)                               // of each file whose state has changed
}

// UploadFile is a file that goes, or went, into an item.
type UploadFile struct {
	Item     string
	Name     string // in the item
	WARC     string // name of the WARC that it is or belongs to; "" for a checkpoint
	State    catalog.UploadState
	Bytes    int64  // 0 for an index that was not read yet
	MD5      string // "" until it was read
	URL      string // where everybody finds it
	Attempts int    // PUTs begun
	Class    string // why it is not further, "" if nothing is amiss: wayback.ItemClass, or private, damaged, again, altered, gone, never-listed
	Error    string // the same in words

	key string // of our object
}

// UploadReport is what came of an Upload.
type UploadReport struct {
	Items     []string                      // that were written to or read back, in order
	Sent      int64                         // files, by this call
	SentBytes int64                         // of them
	Present   int64                         // files that were found there and not sent again
	Unchecked int64                         // files whose item could not be read back
	States    map[catalog.UploadState]int64 // of all files that were asked for, now
	Failed    int64                         // refused files that are not private ones
	NextAt    time.Time                     // when the next read-back is due; zero for none
	Held      string                        // why files wait that could have been sent; "" for none
	Stopped   string                        // what a person has to settle before anything more is sent; "" for nothing
}

// uploader is one call of Upload.
type uploader struct {
	cfg      UploadConfig
	report   UploadReport
	private  map[string]bool                 // sources that are declared private now
	rows     map[string]catalog.UploadRow    // by item and name
	warcs    map[string]catalog.WARCRow      // by name
	itemSize map[string]int64                // bytes of the WARCs of an item
	touched  map[string]bool                 // items in Items
	metadata map[string]wayback.ItemMetadata // of items, as read before sending
}

// Upload puts sealed WARC files and their indexes into items of archive.org, one
// item for each month, and reads back what is stored of them.
//
// A file goes waiting -> sending (entered before the PUT) -> sent -> verified,
// when the item's public metadata gives our size and MD5; that lists a file
// minutes to hours after it was put, so it is read 10 minutes, 1, 6 and 24 hours
// after. It is altered when the metadata gives others. A PUT that was interrupted
// is repeated whole, the service has no other way; a file that the metadata lists
// with our size and MD5 is never sent again, so that an upload that was stopped,
// or one after a rebuild of the catalog, goes on with the first file missing.
//
// Before it is sent a WARC is read once, for its MD5, and to hold its SHA-256
// against that of its seal: a damaged one is refused. One that holds a look at a
// source that is private, or was then, is refused, too, and so is its index.
//
// Files go one after the other, each after a question whether one would be taken;
// while not, and while the service does not answer, Upload waits, for an hour at
// most with one file, then leaves the rest to the next call (Held). What is taken for spam is
// never sent again, and stops everything, also the next calls, until Again
// (Stopped). The caller holds catalog.LockUploads.
//
// The error is about the archive itself, the configuration, or ctx's.
func Upload(ctx context.Context, cfg UploadConfig) (UploadReport, error) {
	u, err := newUploader(cfg)
	if err != nil {
		return UploadReport{}, err
	}
	plan, err := u.plan(ctx)
	if err != nil {
		return u.report, err
	}
	if !cfg.VerifyOnly {
		if err := u.send(ctx, plan); err != nil {
			return u.report, err
		}
	}
	if err := u.readBack(ctx); err != nil {
		return u.report, err
	}
	return u.report, u.count(ctx)
}

// PlanUpload lists the files of the months asked for, in the order in which they
// are sent, with the state of each. Nobody is asked and nothing is entered. Whether
// a WARC holds private looks is found out only when it is read.
func PlanUpload(ctx context.Context, cfg UploadConfig) ([]UploadFile, error) {
	u, err := newUploader(cfg)
	if err != nil {
		return nil, err
	}
	return u.plan(ctx)
}

func newUploader(cfg UploadConfig) (*uploader, error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Wait == nil {
		cfg.Wait = waitClock
	}
	if cfg.Step == nil {
		cfg.Step = func(string) {}
	}
	if cfg.Say == nil {
		cfg.Say = func(string) {}
	}
	if cfg.Progress == nil {
		cfg.Progress = func(UploadFile, int64) {}
	}
	if cfg.Done == nil {
		cfg.Done = func(UploadFile) {}
	}
	if !(cfg.TimeScale > 0) {
		cfg.TimeScale = 1
	}
	if cfg.Test {
		cfg.Collection = wayback.TestCollection
	}
	cfg.Test = cfg.Collection == wayback.TestCollection
	if err := wayback.CheckCollection(cfg.Collection); err != nil {
		return nil, err
	}
	month := cfg.Now()
	if cfg.Month != "" {
		var err error
		if month, err = time.Parse("2006-01", cfg.Month); err != nil {
			return nil, fmt.Errorf("month %q: want YYYY-MM", cfg.Month)
		}
	}
	if _, err := wayback.ItemName(cfg.Item, month, cfg.Test); err != nil {
		return nil, err
	}
	return &uploader{
		cfg: cfg, report: UploadReport{States: map[catalog.UploadState]int64{}}, rows: map[string]catalog.UploadRow{},
		warcs: map[string]catalog.WARCRow{}, itemSize: map[string]int64{}, touched: map[string]bool{}, metadata: map[string]wayback.ItemMetadata{},
	}, nil
}

func waitClock(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// scaled turns an interval of the service into one of our clock.
func (u *uploader) scaled(d time.Duration) time.Duration {
	return time.Duration(float64(d) / u.cfg.TimeScale)
}

// plan lists the files of the sealed WARCs of the months asked for: by month, each
// WARC before its index.
func (u *uploader) plan(ctx context.Context) ([]UploadFile, error) {
	rows, err := u.cfg.Catalog.Uploads(ctx, catalog.UploadFilter{})
	if err != nil {
		return nil, err
	}
	for _, row := range rows {
		u.rows[rowID(row.Item, row.Name)] = row
	}
	sealed, err := u.cfg.Catalog.WARCs(ctx, catalog.WARCFilter{State: catalog.WARCSealed})
	if err != nil {
		return nil, err
	}
	var files []UploadFile
	for _, w := range sealed {
		made, err := warc.FileTime(w.Name)
		if err != nil {
			return nil, fmt.Errorf("WARC %s: %w", w.Name, err)
		}
		if u.cfg.Month != "" && made.UTC().Format("2006-01") != u.cfg.Month {
			continue
		}
		item, err := wayback.ItemName(u.cfg.Item, made, u.cfg.Test)
		if err != nil {
			return nil, err
		}
		u.warcs[w.Name] = w
		u.itemSize[item] += w.Size
		files = append(files, u.file(item, w.Name, w.Name, w.Key, w.Size),
			u.file(item, sidecarKey(w.Name), w.Name, sidecarKey(w.Key), 0))
	}
	for _, row := range rows {
		if row.WARC == "" && u.mine(row.Item) { // checkpoints
			files = append(files, fileOf(row))
		}
	}
	slices.SortStableFunc(files, func(a, b UploadFile) int { return strings.Compare(a.Item, b.Item) })
	return files, nil
}

func rowID(item, name string) string { return item + "/" + name }

// file is a file with the state of its row; waiting without one.
func (u *uploader) file(item, name, of, key string, size int64) UploadFile {
	if row, ok := u.rows[rowID(item, name)]; ok {
		return fileOf(row)
	}
	return UploadFile{Item: item, Name: name, WARC: of, State: catalog.UploadWaiting, Bytes: size, URL: publicURL(item, name), key: key}
}

func fileOf(r catalog.UploadRow) UploadFile {
	return UploadFile{Item: r.Item, Name: r.Name, WARC: r.WARC, State: r.State, Bytes: r.Size, MD5: r.MD5, URL: r.URL,
		Attempts: r.Attempts, Class: r.Class, Error: r.Error, key: r.Key}
}

// publicURL is where everybody finds a file of an item.
func publicURL(item, name string) string { return "https://archive.org/download/" + item + "/" + name }

// mine tells whether an item is one of those asked for, of whatever prefix.
func (u *uploader) mine(item string) bool {
	const month = len("-2026-11")
	if len(item) <= month {
		return false
	}
	head, tail := item[:len(item)-month], item[len(item)-month+1:]
	return strings.HasSuffix(head, "-test") == u.cfg.Test && (u.cfg.Month == "" || tail == u.cfg.Month)
}

// save stores a row and remembers it.
func (u *uploader) save(ctx context.Context, row catalog.UploadRow) error {
	row.Open = row.State == catalog.UploadWaiting || row.State == catalog.UploadSending || row.State == catalog.UploadSent
	if err := u.cfg.Catalog.SaveUpload(ctx, row); err != nil {
		return err
	}
	before, known := u.rows[rowID(row.Item, row.Name)]
	u.rows[rowID(row.Item, row.Name)] = row
	if !known || before.State != row.State {
		u.cfg.Done(fileOf(row))
	}
	return nil
}

// touch notes an item for the report.
func (u *uploader) touch(item string) {
	if !u.touched[item] {
		u.touched[item] = true
		u.report.Items = append(u.report.Items, item)
	}
}

// count fills in the states of the files asked for.
func (u *uploader) count(ctx context.Context) error {
	plan, err := u.plan(ctx)
	if err != nil {
		return err
	}
	seen := map[string]bool{}
	for _, f := range plan {
		seen[rowID(f.Item, f.Name)] = true
		if !u.followsRefused(f) {
			u.report.States[f.State]++
		}
	}
	for id, row := range u.rows {
		if !u.mine(row.Item) {
			continue
		}
		if !seen[id] && row.State != catalog.UploadWaiting && row.State != catalog.UploadSending {
			u.report.States[row.State]++ // of another prefix: nothing more is sent there
		}
		if row.State == catalog.UploadRefused && row.Class != classPrivate {
			u.report.Failed++
		}
		if row.State == catalog.UploadSent && (u.report.NextAt.IsZero() || row.NextAt.Before(u.report.NextAt)) {
			u.report.NextAt = row.NextAt
		}
	}
	return nil
}

// followsRefused tells whether a file is the index of a WARC that is not sent.
func (u *uploader) followsRefused(f UploadFile) bool {
	return f.Name != f.WARC && f.State == catalog.UploadWaiting && u.rows[rowID(f.Item, f.WARC)].State == catalog.UploadRefused
}

// errHeld ends sending: the rest waits for another call.
var errHeld = errors.New("held")

// hold notes why the rest waits.
func (u *uploader) hold(format string, args ...any) error {
	u.report.Held = fmt.Sprintf(format, args...)
	return errHeld
}

// stop notes what a person has to settle.
func (u *uploader) stop(format string, args ...any) error {
	u.report.Stopped = fmt.Sprintf(format, args...)
	u.cfg.Say(u.report.Stopped)
	return errHeld
}
