package catalog

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/fineprint-archive/fineprint/warc"
)

// ImportState says how far the import of a body has come.
type ImportState string

// The states of an import.
const (
	ImportWaiting ImportState = "waiting"
	ImportDone    ImportState = "done"   // the look that replayed it is finished
	ImportAbsent  ImportState = "absent" // in the index, and replayed by no capture of it
	ImportFailed  ImportState = "failed" // tried too often; the next plan begins anew
)

// ImportRow is a body that a web archive holds of a page, and the capture by
// which it is brought in.
type ImportRow struct {
	Source string
	Key    string // names the body: see package archive
	ImportCapture
	Status   int
	MIME     string
	Others   []ImportCapture // with the same body, to turn to if this one is absent
	State    ImportState
	Attempts int
	NextAt   time.Time
	Error    string // the last one
	Look     string // manifest id of the look that replayed it
}

// ImportCapture names a capture in a web archive.
type ImportCapture struct {
	Time     time.Time `json:"time"`
	Original string    `json:"original"`         // the archived address
	Digest   string    `json:"digest,omitempty"` // as the index has it
	Revisit  bool      `json:"revisit,omitempty"`
}

// ImportPlan is the newest plan of a source: which time it is of, and what was
// found in the index.
type ImportPlan struct {
	Source      string
	From, Until time.Time // zero for no bound
	Planned     time.Time
	Estimate    string // JSON, the caller's
}

const importColumns = "source, key, time, original, digest, status, mime, revisit, others, state, attempts, next_at, last_error, look"

func (i *ImportRow) dest() []any {
	return []any{&i.Source, &i.Key, scanTime{&i.Time}, &i.Original, &i.Digest, &i.Status, &i.MIME, &i.Revisit, scanJSON{&i.Others},
		&i.State, &i.Attempts, scanTime{&i.NextAt}, &i.Error, &i.Look}
}

func (i *ImportRow) args() ([]any, error) {
	others, err := json.Marshal(i.Others)
	return []any{i.Source, i.Key, timeText(i.Time), clean(i.Original), clean(i.Digest), i.Status, clean(i.MIME), truth(i.Revisit), string(others),
		string(i.State), i.Attempts, timeText(i.NextAt), clean(i.Error), i.Look}, errors.Join(err, checkKey("source id", i.Source), checkKey("import key", i.Key))
}

// PlanImports enters a plan and its rows in one transaction. What is entered
// already stays as it is; one that failed, or was absent and is to be asked for
// again, waits anew.
func (db *DB) PlanImports(ctx context.Context, plan ImportPlan, list []ImportRow) error {
	rows := make([][]any, 0, len(list))
	for i := range list {
		args, err := list[i].args()
		if err != nil {
			return fmt.Errorf("plan imports: %w", err)
		}
		rows = append(rows, args)
	}
	err := db.Write(ctx, func(ctx context.Context, tx *Tx) error {
		err := insertRows(ctx, tx, "INSERT INTO imports ("+importColumns+") VALUES ", ` ON CONFLICT (source, key) DO UPDATE SET
			time = excluded.time, original = excluded.original, digest = excluded.digest, status = excluded.status, mime = excluded.mime,
			revisit = excluded.revisit, others = excluded.others, state = excluded.state, attempts = 0, next_at = excluded.next_at, last_error = ''
			WHERE imports.state = 'failed' OR imports.state = 'absent' AND imports.next_at <= excluded.next_at`, distinct(rows, []int{0, 1}, nil))
		if err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `INSERT INTO import_plans (source, from_at, until_at, planned, estimate) VALUES ($1, $2, $3, $4, $5) ON CONFLICT (source) DO UPDATE
			SET from_at = excluded.from_at, until_at = excluded.until_at, planned = excluded.planned, estimate = excluded.estimate`,
			plan.Source, timeText(plan.From), timeText(plan.Until), timeText(plan.Planned), clean(plan.Estimate))
		return err
	})
	return wrap("plan imports of "+plan.Source, err)
}

// ImportPlan returns the newest plan of a source and whether there is one.
func (db *DB) ImportPlan(ctx context.Context, source string) (ImportPlan, bool, error) {
	p := ImportPlan{Source: source}
	ok, err := one(reader{db}.QueryRow(ctx, "SELECT from_at, until_at, planned, estimate FROM import_plans WHERE source = $1", clean(source)),
		scanTime{&p.From}, scanTime{&p.Until}, scanTime{&p.Planned}, &p.Estimate)
	return p, ok, wrap("look up import plan of "+source, db.redact(err))
}

// imported selects the mementos of a source that brought a body in: their facts say
// so, or the body could not be compared and came whole. Looks that got no answer
// have no facts.
const imported = `FROM mementos WHERE source = $1 AND purpose = 'import' AND facts NOT LIKE '%"replay":"absent"%'
	AND (facts LIKE '%"replay":%' OR EXISTS (SELECT 1 FROM looks l WHERE l.id = mementos.look AND l.result = 'captured'))`

// SettleImports notes which bodies of a source were brought in, by the looks that
// did so, whoever made them: a process that was killed before it could note it,
// or one with another catalog. It returns how many it noted.
func (db *DB) SettleImports(ctx context.Context, source string) (n int64, err error) {
	err = db.Write(ctx, func(ctx context.Context, tx *Tx) error {
		n, err = tx.Exec(ctx, `UPDATE imports SET state = 'done', last_error = '' WHERE source = $1 AND state <> 'done'
			AND (key IN (SELECT digest `+imported+`) OR key LIKE '%:%' AND time IN (SELECT time `+imported+` AND digest = ''))`, clean(source))
		return err
	})
	return n, wrap("settle imports of "+source, err)
}

// ImportedDigests returns the digests of the bodies that were brought in for a
// source, and the times of the captures of those that the index gave no SHA-1 of.
func (db *DB) ImportedDigests(ctx context.Context, source string) (digests map[warc.Digest]bool, times map[time.Time]bool, err error) {
	digests, times = map[warc.Digest]bool{}, map[time.Time]bool{}
	err = each(ctx, reader{db}, func(scan func(...any) error) error {
		var d warc.Digest
		var at time.Time
		err := scan(scanDigest{warc.SHA1, &d}, scanTime{&at})
		if d.IsZero() {
			times[at] = true
		} else {
			digests[d] = true
		}
		return err
	}, "SELECT digest, time "+imported, clean(source))
	return digests, times, wrap("list what was imported of "+source, db.redact(err))
}

// NextImport returns the oldest capture of a source that waits and is due. If
// none is, ok is false and row.NextAt is when one will be, zero if none waits. The
// captures are those of the plan's time.
func (db *DB) NextImport(ctx context.Context, plan ImportPlan, now time.Time) (row ImportRow, ok bool, err error) {
	w := planned(plan)
	w.add("state = ?", string(ImportWaiting))
	at := slices.Clone(w.conds)
	args := slices.Clone(w.args)
	w.add("next_at <= ?", timeText(now))
	ok, err = one(reader{db}.QueryRow(ctx, "SELECT "+importColumns+" FROM imports"+w.sql()+" ORDER BY time, key LIMIT 1", w.args...), row.dest()...)
	if err == nil && !ok {
		row = ImportRow{}
		w.conds, w.args = at, args
		_, err = one(reader{db}.QueryRow(ctx, "SELECT COALESCE(MIN(next_at), '') FROM imports"+w.sql(), w.args...), scanTime{&row.NextAt})
	}
	return row, ok, wrap("look up next import of "+plan.Source, db.redact(err))
}

// planned selects the imports of a plan's time.
func planned(plan ImportPlan) *where {
	w := new(where)
	w.add("source = ?", clean(plan.Source))
	if !plan.From.IsZero() {
		w.add("time >= ?", timeText(plan.From))
	}
	if !plan.Until.IsZero() {
		w.add("time < ?", timeText(plan.Until))
	}
	return w
}

// SaveImport stores a row, durably.
func (db *DB) SaveImport(ctx context.Context, row ImportRow) error {
	args, err := row.args()
	if err != nil {
		return fmt.Errorf("save import: %w", err)
	}
	err = db.Write(ctx, func(ctx context.Context, tx *Tx) error {
		return insertRows(ctx, tx, "INSERT INTO imports ("+importColumns+") VALUES ", ` ON CONFLICT (source, key) DO UPDATE SET
			time = excluded.time, original = excluded.original, digest = excluded.digest, revisit = excluded.revisit, others = excluded.others,
			state = excluded.state, attempts = excluded.attempts, next_at = excluded.next_at, last_error = excluded.last_error, look = excluded.look`, [][]any{args})
	})
	return wrap("save import of "+row.Source, err)
}

// ImportCounts counts the imports of a plan's time by state.
func (db *DB) ImportCounts(ctx context.Context, plan ImportPlan) (map[ImportState]int64, error) {
	counts := map[ImportState]int64{}
	w := planned(plan)
	err := each(ctx, reader{db}, func(scan func(...any) error) error {
		var (
			state ImportState
			n     int64
		)
		err := scan(&state, &n)
		counts[state] = n
		return err
	}, "SELECT state, COUNT(*) FROM imports"+w.sql()+" GROUP BY state", w.args...)
	return counts, wrap("count imports of "+plan.Source, db.redact(err))
}
