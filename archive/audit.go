package archive

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/fineprint-archive/fineprint/archive/catalog"
	"github.com/fineprint-archive/fineprint/archive/evidence"
	"github.com/fineprint-archive/fineprint/archive/store"
	"github.com/fineprint-archive/fineprint/archive/tlog"
)

// AuditKind says what a finding is about.
type AuditKind string

// The kinds of findings. Those of the first group say that something is false,
// those of the second that something could not be told.
const (
	AuditLog         AuditKind = "log"          // an object of the log is missing or not what the checkpoints commit to
	AuditHistory     AuditKind = "history"      // the log does not go on from a checkpoint that was given
	AuditEntry       AuditKind = "entry"        // a leaf is no entry, or not the one that the WARC gives
	AuditUnlogged    AuditKind = "unlogged"     // a look or a WARC of the store has no entry
	AuditWARCMissing AuditKind = "warc-missing" // the log names a WARC that is not in the store
	AuditWARC        AuditKind = "warc"         // a WARC has not the size or SHA-256 of its entry, or is no WARC
	AuditLook        AuditKind = "look"         // a record of a look is missing or not what manifest or entry commit to
	AuditReference   AuditKind = "reference"    // a record that a look refers to is nowhere
	AuditDeclaration AuditKind = "declaration"  // the declaration of a look is nowhere
	AuditIndex       AuditKind = "index"        // a CDXJ sidecar is missing or not what the WARC gives
	AuditNumber      AuditKind = "number"       // a number of a source is missing, stands twice, or names another look before it
	AuditTombstone   AuditKind = "tombstone"    // a WARC was changed otherwise than its tombstone says
	AuditAnchor      AuditKind = "anchor"       // an anchor list or file is missing or altered, or its statement is false
	AuditReceipt     AuditKind = "receipt"      // an observer's answer is missing or altered
	AuditStray       AuditKind = "stray"        // an object that belongs to nothing
	AuditCatalog     AuditKind = "catalog"      // a row is missing, too many, or says otherwise than log or store

	AuditPending    AuditKind = "pending"    // a seal did not come to its end; the next crawl or `fineprint seal` finishes it
	AuditUnreadable AuditKind = "unreadable" // an object could not be read, by us or now
	AuditUnknownKey AuditKind = "key"        // the key of the log is not known, or the archive has no log
	AuditNewer      AuditKind = "newer"      // made by a newer version of the program
)

// False reports whether a finding of this kind says that something is false.
func (k AuditKind) False() bool {
	switch k {
	case AuditPending, AuditUnreadable, AuditUnknownKey, AuditNewer:
		return false
	}
	return true
}

// AuditFinding is one thing that is false or could not be told.
type AuditFinding struct {
	Kind   AuditKind
	Object string // key; "" if it is about no object
	Index  int64  // of the entry in the log; -1 if it is about none
	Source string // id of the source concerned; "" if it is about none or many
	N      int64  // number of the look there; 0 if it is about none or many
	Detail string // for people
}

// AuditConfig tells Audit what to check and against what. Store is required.
type AuditConfig struct {
	Store   store.Store
	Key     note.Verifier     // of the log; nil: not known
	Catalog *catalog.DB       // compared with log and store; nil: there is none
	Trust   evidence.Policy   // for tokens and cosignatures
	Kept    []tlog.Checkpoint // of the log, by Key: verified, from elsewhere than Store

	Since   time.Time // only WARCs with a look from then on are read; zero: all
	Sample  Sample    // only so many WARCs are read; zero: all
	State   string    // file in which an audit that is stopped keeps what it found good; "" for none
	Fresh   bool      // do not go on with what State says
	Workers int       // WARCs that are read at once; 0: one for each core
	Decode  bool      // also compare what bodies with a content coding decode to: it takes much longer

	Found    func(AuditFinding) // called for each finding, one call at a time; nil: they are only counted
	Progress func(AuditReport)  // called now and then, one call at a time
	Logger   *slog.Logger
}

// AuditReport counts what an audit saw.
type AuditReport struct {
	Checkpoint  tlog.Checkpoint // the newest published
	Entries     int64           // of the log that were read
	Checkpoints int64           // kept ones whose root was computed again
	Continued   int64           // checkpoints of AuditConfig.Kept from which the log goes on
	WARCs       int64           // that the log or the store names
	Read        int64           // WARCs that were read, resumed ones included
	Resumed     int64           // of these found good before this audit was stopped
	Skipped     int64           // WARCs that Since or Sample left out
	Bytes       int64           // of the WARCs read
	Unpacked    int64           // bytes of their records
	Records     int64           // in them
	Looks       int64           // in them
	Sources     int64           // with numbers in the log
	Lost        int64           // looks that the log calls lost
	Withdrawn   int64           // records that tombstones say are gone
	Anchors     int64           // anchor lists
	Tokens      int64           // timestamp tokens that verify
	Cosigned    int64           // anchor lists whose cosignatures meet the policy
	Unknown     int64           // tokens and cosignatures that the trust does not cover, references into WARCs that were not read
	Rows        int64           // looks of the catalog that were compared
	Findings    map[AuditKind]int64
	False       int64 // findings that say that something is false
	Open        int64 // findings that say that something could not be told
	Seed        uint64
	Elapsed     time.Duration
}

// Verdict is what an audit comes to.
type AuditVerdict string

// The verdicts.
const (
	AuditOK         AuditVerdict = "ok"         // all that was checked is true
	AuditFalse      AuditVerdict = "false"      // something is false
	AuditIncomplete AuditVerdict = "incomplete" // nothing is false, and something could not be told
)

// Verdict sums up the findings.
func (r *AuditReport) Verdict() AuditVerdict {
	switch {
	case r.False > 0:
		return AuditFalse
	case r.Open > 0:
		return AuditIncomplete
	}
	return AuditOK
}

// Audit checks an archive with nothing but its objects and the public key of its
// log: the log against itself, every checkpoint it keeps and those that the caller
// kept, every WARC and every look against the log, numbers, references, indexes
// and anchors, and, if there is a catalog, that against both. It writes nothing
// but the state file.
//
// The error is about the audit: it was interrupted, or the store does not
// answer. What is false is in the findings. Memory does not grow with the looks:
// it takes about 300 bytes for a WARC, 120 for a source, 50 for a stored body
// (looks at an unchanged page store none), and the entries of the WARCs at hand.
func Audit(ctx context.Context, cfg AuditConfig) (AuditReport, error) {
	began := time.Now()
	a := newAuditor(cfg)
	err := a.run(ctx)
	a.report.Elapsed = time.Since(began)
	if err != nil {
		err = fmt.Errorf("audit: %w", err)
	}
	return a.report, err
}

// auditor is the state of one Audit.
type auditor struct {
	cfg    AuditConfig
	log    *tlog.Reader // nil if it cannot be read
	state  *auditState
	chosen chooser

	mu     sync.Mutex // guards report, and the calls of Found and Progress
	report AuditReport

	// Of the goroutine that reads the log, then of run.
	warcs      map[string]*auditWARC
	sidecars   map[string]bool // keys of CDXJ objects
	strays     []string
	lists      []string // keys of anchor lists in the store
	groups     map[string]*auditGroup
	tombstones map[string][]tombstone
	anchors    []anchorEntry
	numbers    *numbering
	lost       map[lostKey]lostEntry
	receipts   map[[sha256.Size]byte]int64 // indexes of receipts that name records, by their leaves
	gaps       int64                       // entries of the log that cannot be read

	pool   *pool           // that reads WARCs now, nil at other times
	newest tlog.Checkpoint // of the log when the audit began
	rows   *catalogRows    // being read; nil if none are compared

	refs *references // of the goroutine that takes the results, then of run
}

func newAuditor(cfg AuditConfig) *auditor {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	a := &auditor{
		cfg: cfg, warcs: map[string]*auditWARC{}, sidecars: map[string]bool{}, groups: map[string]*auditGroup{},
		tombstones: map[string][]tombstone{}, lost: map[lostKey]lostEntry{}, receipts: map[[sha256.Size]byte]int64{}, refs: newReferences(),
	}
	a.report.Findings = map[AuditKind]int64{}
	a.report.Seed = cfg.Sample.Seed
	for a.report.Seed == 0 {
		a.report.Seed = rand.Uint64() >> 11 // a whole number for every reader of JSON
	}
	a.numbers = newNumbering(a.find)
	return a
}

func (a *auditor) run(ctx context.Context) error {
	if err := CheckFormat(ctx, a.cfg.Store); err != nil {
		return err
	}
	if err := a.list(ctx); err != nil {
		return err
	}
	if err := a.openLog(ctx); err != nil {
		return err
	}
	if err := a.openState(ctx); err != nil {
		return err
	}
	a.rows = a.readRows(ctx)
	defer a.rows.stop()
	for _, step := range []func(context.Context) error{
		a.checkHistory, a.readWARCs, a.readAgain, a.leftovers, a.checkAnchors, a.compareCatalog,
	} {
		if err := step(ctx); err != nil {
			return errors.Join(err, a.state.close())
		}
	}
	a.numbers.end(a.gaps > 0)
	a.refs.end(a)
	a.report.Sources = int64(len(a.numbers.sources))
	return a.state.remove()
}

// find takes a finding of the goroutine that runs the audit. While WARCs are read
// it goes among their results, so that findings come in the order of the log
// however many are read at once.
func (a *auditor) find(f AuditFinding) {
	if a.pool == nil || !a.pool.found(f) {
		a.tell(f)
	}
}

// tell counts a finding and hands it on.
func (a *auditor) tell(f AuditFinding) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.report.Findings[f.Kind]++
	if f.Kind.False() {
		a.report.False++
	} else {
		a.report.Open++
	}
	if a.cfg.Found != nil {
		a.cfg.Found(f)
	}
}

// count changes the report.
func (a *auditor) count(change func(*AuditReport)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	change(&a.report)
	if a.cfg.Progress != nil {
		a.cfg.Progress(a.report)
	}
}

// ours reports whether an error is about us or the store now, so that the audit
// ends; any other is about one object.
func (a *auditor) ours(ctx context.Context, err error) bool {
	return ctx.Err() != nil || errors.Is(err, store.ErrUnavailable) || errors.Is(err, store.ErrDenied)
}

// unreadable turns an error about one object into a finding, and hands on any
// other.
func (a *auditor) unreadable(ctx context.Context, object string, index int64, err error) error {
	if err == nil || a.ours(ctx, err) {
		return err
	}
	kind := AuditUnreadable
	if errors.Is(err, store.ErrNotExist) && !errors.Is(err, fs.ErrPermission) {
		kind = AuditLog
		if strings.HasPrefix(object, anchorPrefix) {
			kind = AuditAnchor
		}
	}
	a.find(AuditFinding{Kind: kind, Object: object, Index: index, Detail: err.Error()})
	return nil
}
