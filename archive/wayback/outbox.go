package wayback

import (
	"context"
	"errors"
	"slices"
	"time"
)

// State is where an item of the outbox is.
type State string

// The states, see States for what each means.
const (
	StateWaiting    State = "waiting"
	StateSubmitted  State = "submitted"
	StateAccepted   State = "accepted"
	StateUnresolved State = "unresolved"
	StateReported   State = "reported"
	StateIndexed    State = "indexed"
	StateReplayed   State = "replayed"
	StateConfirmed  State = "confirmed"
	StateDivergent  State = "divergent"
	StateRefused    State = "refused"
	StateFailed     State = "failed"
	StateGoneAgain  State = "gone-again"
)

// Work is what a worker does about an item: the two kinds have carriers of their
// own, so that neither keeps the other waiting.
type Work int

// The kinds of work.
const (
	WorkNone   Work = iota // the item has ended
	WorkSubmit             // it is to become a capture
	WorkRead               // its capture is to be read back
)

// StateInfo describes a state for operators and documents.
type StateInfo struct {
	State   State
	Open    bool // the worker still has something to do at NextAt
	Work    Work // what; WorkNone if it is not open
	Meaning string
}

// states is the one table of states.
var states = []StateInfo{
	{StateWaiting, true, WorkSubmit, "to be submitted at next_at, for the first time or again"},
	{StateSubmitted, true, WorkSubmit, "a submit is on its way, or its answer was lost; at next_at looked for in the index, then submitted once more"},
	{StateAccepted, true, WorkSubmit, "the service gave a job id; the job is asked for at next_at"},
	{StateUnresolved, true, WorkSubmit, "the job's end is not known: the capture may exist; at next_at looked for, then submitted again"},
	{StateReported, true, WorkRead, "the service says that it captured the page; the capture was not seen yet"},
	{StateIndexed, true, WorkRead, "the capture is in the index; its replay was not seen yet"},
	{StateReplayed, true, WorkRead, "the capture came back, and was compared with ours"},
	{StateConfirmed, true, WorkRead, "the capture came back more than 24 hours after it was made; looked at again every 30 days"},
	{StateDivergent, false, WorkNone, "the service was shown something else than we were, repeatedly; or its capture came back altered or with another text, and is read back again like others"},
	{StateRefused, false, WorkNone, "the service will never capture this address"},
	{StateFailed, false, WorkNone, "given up after repeated failures; the last error says why"},
	{StateGoneAgain, false, WorkNone, "the service said that it captured the page, and the capture is not there: neither in the index nor as a replay"},
}

// States lists all states in the order of an item's life.
func States() []StateInfo { return slices.Clone(states) }

// Work returns what a worker does about an item in s.
func (s State) Work() Work {
	for i := range states {
		if states[i].State == s {
			return states[i].Work
		}
	}
	return WorkNone
}

// Open tells whether the worker still has something to do for an item in s.
func (s State) Open() bool { return s.Work() != WorkNone }

// Item is one row of the outbox: one look whose page is to be saved.
type Item struct {
	// Written by who creates the row, never by the worker.
	ID      int64
	Source  string
	URL     string
	LookN   int64
	Cause   string // why it is saved: "requested", "changed", "first", …
	Created time.Time
	// Priority orders what waits: 0 is the most important.
	Priority int
	// NeedsBrowser tells that the page's text is made by scripts, so that the
	// Archive should open it with a browser.
	NeedsBrowser bool
	// FinalURL is where redirects led us, "" for nowhere else: the page is captured
	// under that address.
	FinalURL string

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

	SubmittedAt time.Time // of the last submit, set before it is sent; zero if it was refused
	AcceptedAt  time.Time
	ReportedAt  time.Time

	Snapshot    string // 14 digits, UTC: the time in the capture's address
	OriginalURL string // the address captured, after redirects
	HTTPStatus  int    // of the captured page; 0 if not told
	// Receipt is the last answer of the Wayback Machine about this item: valid
	// JSON in UTF-8, verbatim up to 64 KiB (longer answers come without their
	// long lists and with "abridged":true). Nil before the first.
	Receipt []byte

	// What reading back brought; empty before the first look, and where a look did
	// not tell.
	Digest   string // of the payload, as the index has it
	Src      string // the Archive's WARC with the capture
	Facts    string // warc.Facts as JSON
	Grade    string // of the replayed page
	Readback string // id of the last look's manifest
	ReadAt   time.Time
	// The first time that the capture was in the index, was replayed, and was
	// replayed more than 24 hours after it was made.
	IndexedAt, ReplayedAt, ConfirmedAt time.Time
	// Absent counts the looks in a row at which the capture was neither in the
	// index nor replayed; the first of them was at AbsentAt.
	Absent   int
	AbsentAt time.Time

	// The lease. Claim sets it; Save stores it, so that the worker prolongs it by
	// a later LeaseUntil and gives it back by a zero one.
	Owner      string
	LeaseUntil time.Time
}

// Work returns what a worker does about an item: that of its state, but that a
// capture which showed something else than we saw is read back like any other. It
// may turn out to be a text that our own looks meet later.
func (i *Item) Work() Work {
	if i.State == StateDivergent && i.Snapshot != "" {
		return WorkRead
	}
	return i.State.Work()
}

// ErrLeaseLost is what Save returns when the item is leased to another owner by
// now. Nothing was stored, and the caller drops the item.
var ErrLeaseLost = errors.New("the item is leased to another worker")

// Outbox keeps items. The catalog implements it.
//
// All methods are called by several goroutines at once. An error ends the run
// of the worker; what it had in hand is claimed again after its lease.
type Outbox interface {
	// Claim leases the next due item of one kind of work to owner until now+lease,
	// durably, and returns it as stored, with Owner and LeaseUntil set. Due is an
	// item whose state has that work and whose NextAt is not after now, and that
	// has no lease, or one that has ended, or one of the same owner: an owner
	// claims only with empty hands, so such a lease is left over from a crash.
	//
	// Of what is to be submitted, states other than waiting come first, then what
	// is most important, then the oldest; of what is to be read back, the longest
	// due.
	//
	// If nothing is due, ok is false and item.NextAt is the earliest moment at
	// which something will be (leases of others included); zero if never.
	Claim(ctx context.Context, work Work, now time.Time, owner string, lease time.Duration) (item Item, ok bool, err error)

	// Save stores every field below FinalURL, lease included, under item.ID,
	// and returns when that is durable. It returns ErrLeaseLost, and stores
	// nothing, if the row's owner is not item.Owner. With a zero LeaseUntil the
	// owner is cleared as well. A SubmittedAt other than the stored one is one more
	// submit of item.URL, and is counted as such; a zero one says that the last was
	// refused, and is counted no more.
	Save(ctx context.Context, item Item) error

	// Submits returns how many submits were saved since a moment at most two days
	// ago: those of an address, whichever item they were for, and all.
	Submits(ctx context.Context, address string, since time.Time) (ofAddress, all int, err error)
}
