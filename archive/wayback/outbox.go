package wayback

import (
	"context"
	"errors"
	"time"
)

// State is where an item of the outbox is. States that follow (indexed,
// replayed, confirmed, gone-again) belong to the read-back of captures.
type State string

// The states of this step, see States for what each means.
const (
	StateWaiting    State = "waiting"
	StateSubmitting State = "submitting"
	StateAccepted   State = "accepted"
	StateUnresolved State = "unresolved"
	StateReported   State = "reported"
	StateRefused    State = "refused"
	StateFailed     State = "failed"
	StateDivergent  State = "divergent"
)

// StateInfo describes a state for operators and documents.
type StateInfo struct {
	State   State
	Open    bool // the worker still has something to do at NextAt
	Meaning string
}

// States lists all states in the order of an item's life.
func States() []StateInfo {
	return []StateInfo{
		{StateWaiting, true, "to be submitted at next_at, for the first time or again"},
		{StateSubmitting, true, "a submit is on its way, or its answer was lost; submitted once more at next_at"},
		{StateAccepted, true, "the service gave a job id; the job is asked for at next_at"},
		{StateUnresolved, true, "the job's end is not known: the capture may exist; looked at once more at next_at, then submitted again"},
		{StateReported, false, "the service says that it captured the page; the receipt names the capture"},
		{StateRefused, false, "the service will never capture this address"},
		{StateFailed, false, "given up after repeated failures; the last error says why"},
		{StateDivergent, false, "the service was shown something else than we were, repeatedly"},
	}
}

// Open tells whether the worker still has something to do for an item in s.
func (s State) Open() bool {
	for _, info := range States() {
		if info.State == s {
			return info.Open
		}
	}
	return false
}

// Item is one row of the outbox: one look whose page is to be saved.
type Item struct {
	// Written by who creates the row, never by the worker.
	ID      int64
	Source  string
	URL     string
	LookN   int64
	Cause   string // why it is saved: "first", "different" or "checkpoint"
	Created time.Time
	// NeedsBrowser tells that the page's text is made by scripts, so that the
	// Archive should open it with a browser.
	NeedsBrowser bool

	State State
	JobID string // of the last accepted submit; opaque, at most 256 bytes
	// Attempts counts the submits that were answered, or may have been; Waits the
	// answers in a row that told us to come again and are no attempt.
	Attempts int
	Waits    int
	NextAt   time.Time // nothing is done before
	Reused   bool      // the last accepted submit was answered with an earlier job

	LastClass Class  // of the last unwelcome answer, empty after a success
	LastCode  string // its code, at most 64 characters
	LastError string // its words, cleaned, at most a few hundred characters

	SubmittedAt time.Time // of the last submit, set before it is sent
	AcceptedAt  time.Time
	ReportedAt  time.Time

	Snapshot    string // 14 digits, UTC: the time in the capture's address
	OriginalURL string // the address captured, after redirects
	HTTPStatus  int    // of the captured page; 0 if not told
	// Receipt is the last answer of the Wayback Machine about this item: valid
	// JSON in UTF-8, verbatim up to 64 KiB (longer answers come without their
	// long lists and with "abridged":true). Nil before the first.
	Receipt []byte

	// The lease. Claim sets it; Save stores it, so that the worker prolongs it by
	// a later LeaseUntil and gives it back by a zero one.
	Owner      string
	LeaseUntil time.Time
}

// ErrLeaseLost is what Save returns when the item is leased to another owner by
// now. Nothing was stored, and the caller drops the item.
var ErrLeaseLost = errors.New("the item is leased to another worker")

// Outbox keeps items. The catalog implements it.
//
// Both methods are called by several goroutines at once. An error ends the run
// of the worker; what it had in hand is claimed again after its lease.
type Outbox interface {
	// Claim leases the next due item to owner until now+lease, durably, and
	// returns it as stored, with Owner and LeaseUntil set. Due is an item in an
	// open state whose NextAt is not after now, and that has no lease, or one that
	// has ended, or one of the same owner: an owner claims only with empty hands,
	// so such a lease is left over from a crash. Among the due, states other than
	// waiting come first, then the caller's order of importance.
	//
	// If nothing is due, ok is false and item.NextAt is the earliest moment at
	// which something will be (leases of others included); zero if never.
	Claim(ctx context.Context, now time.Time, owner string, lease time.Duration) (item Item, ok bool, err error)

	// Save stores every field below NeedsBrowser, lease included, under item.ID,
	// and returns when that is durable. It returns ErrLeaseLost, and stores
	// nothing, if the row's owner is not item.Owner. With a zero LeaseUntil the
	// owner is cleared as well.
	Save(ctx context.Context, item Item) error
}
