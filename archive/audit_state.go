package archive

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"github.com/fineprint-archive/fineprint/warc"
)

// auditState is the file in which an audit that is stopped keeps which WARCs it
// found good: a first line about the audit, then a line for each WARC. It
// vouches for nothing but the time that an audit takes: a line counts while the
// object has the size and time of modification, and the log the entry, that it
// had then. When an audit ends the file goes, so that the next one reads all
// again. A nil *auditState keeps nothing.
type auditState struct {
	name string
	good map[string]*keptWARC
	f    *os.File
	w    *bufio.Writer
	left int // lines until the next flush
}

// stateHead is the first line.
type stateHead struct {
	Audit  int       `json:"audit"` // version of the file: 3
	Log    string    `json:"log"`   // name and hash of the key; "" without a log
	Size   int64     `json:"size"`  // of the log when the audit began
	Root   string    `json:"root"`
	Since  time.Time `json:"since"`
	Sample string    `json:"sample"`
	Seed   uint64    `json:"seed"`
	Decode bool      `json:"decode"`
	Begun  time.Time `json:"begun"`
}

// keptWARC is what is kept of a good WARC: what names it, and what other WARCs
// and the summary need of it.
type keptWARC struct {
	Key      string        `json:"key"`
	Size     int64         `json:"size"`
	SHA256   string        `json:"sha256"`
	Modified time.Time     `json:"modified"`
	File     int64         `json:"index"` // of its warcfile entry
	Unpacked int64         `json:"unpacked"`
	Records  int64         `json:"records"`
	Looks    int64         `json:"looks"`
	Bodies   string        `json:"bodies"` // ids of full responses, 16 bytes each, base64
	Declared []warc.Digest `json:"declared"`
	Receipts string        `json:"receipts,omitempty"` // leaves of receipts, 32 bytes each, base64
	Mementos string        `json:"mementos,omitempty"` // of looks at web archives, 48 bytes each, base64: record id of the manifest, sum of the row
}

func (k *keptWARC) result() *warcResult {
	r := &warcResult{size: k.Size, unpacked: k.Unpacked, records: k.Records, looks: k.Looks, declared: k.Declared}
	raw, _ := base64.StdEncoding.DecodeString(k.Bodies) // openState has read it
	for ; len(raw) >= len(recordID{}); raw = raw[len(recordID{}):] {
		r.bodies = append(r.bodies, recordID(raw[:len(recordID{})]))
	}
	raw, _ = base64.StdEncoding.DecodeString(k.Receipts) // likewise
	for ; len(raw) >= sha256.Size; raw = raw[sha256.Size:] {
		r.receipts = append(r.receipts, owed{[sha256.Size]byte(raw[:sha256.Size]), AuditFinding{Object: k.Key}})
	}
	raw, _ = base64.StdEncoding.DecodeString(k.Mementos) // likewise
	for ; len(raw) >= mementoBytes; raw = raw[mementoBytes:] {
		r.mementos = append(r.mementos, mementoSum{recordID(raw[:len(recordID{})]), [sha256.Size]byte(raw[len(recordID{}):mementoBytes])})
	}
	return r
}

// flushEvery is the number of WARCs after which the file is written out: so
// many are read again after a kill.
const flushEvery = 16

// openState reads what an earlier audit left, and goes on with it or begins a
// new file. A file that cannot be written costs the resumption only.
func (a *auditor) openState(ctx context.Context) error {
	if a.cfg.State == "" || a.log == nil {
		return nil
	}
	head, err := a.stateHead(ctx)
	if err != nil {
		return err
	}
	s := &auditState{name: a.cfg.State, good: map[string]*keptWARC{}, left: flushEvery}
	have, goOn, err := s.read(head, a.cfg.Sample.Seed)
	if err == nil && goOn && !a.cfg.Fresh {
		goOn, err = a.continues(ctx, have)
	}
	flags := os.O_WRONLY | os.O_CREATE | os.O_APPEND
	if err != nil || !goOn || a.cfg.Fresh {
		s.good, flags, goOn = map[string]*keptWARC{}, flags|os.O_TRUNC, false
	}
	if a.ours(ctx, err) {
		return err
	}
	if s.f, err = os.OpenFile(s.name, flags, 0o644); err != nil {
		a.cfg.Logger.Warn("the audit cannot be resumed if it is stopped", "err", err)
		return nil
	}
	s.w = bufio.NewWriter(s.f)
	a.state = s
	if goOn {
		a.cfg.Logger.Info("going on with an audit that was stopped", "begun", have.Begun, "warcs", len(s.good))
		a.report.Seed = have.Seed
		a.choose()
		_, err := s.w.WriteString("\n") // behind a line that was cut
		return err
	}
	return s.line(head)
}

func (a *auditor) stateHead(ctx context.Context) (stateHead, error) {
	cp, err := a.log.Checkpoint(ctx)
	if err != nil {
		return stateHead{}, err
	}
	return stateHead{
		Audit: 3, Log: fmt.Sprintf("%s+%08x", a.cfg.Key.Name(), a.cfg.Key.KeyHash()), Size: cp.Size, Root: hex.EncodeToString(cp.Root[:]),
		Since: a.cfg.Since, Sample: fmt.Sprint(a.cfg.Sample.WARCs, " ", a.cfg.Sample.Percent), Seed: a.report.Seed, Decode: a.cfg.Decode, Begun: time.Now().UTC(),
	}, nil
}

// continues reports whether today's log goes on from the one that the state
// speaks of. That the tree does is what the audit itself checks.
func (a *auditor) continues(ctx context.Context, have stateHead) (bool, error) {
	cp, err := a.log.CheckpointAt(ctx, have.Size)
	if err != nil {
		if a.ours(ctx, err) {
			return false, err
		}
		return false, nil
	}
	return hex.EncodeToString(cp.Root[:]) == have.Root, nil
}

// read reads the file. goOn is false if there is none, or one of an audit of
// something else.
func (s *auditState) read(now stateHead, seed uint64) (have stateHead, goOn bool, err error) {
	f, err := os.Open(s.name)
	if errors.Is(err, fs.ErrNotExist) {
		return have, false, nil
	}
	if err != nil {
		return have, false, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	r := bufio.NewReader(f)
	line, err := r.ReadBytes('\n')
	if err != nil || json.Unmarshal(line, &have) != nil {
		return have, false, nil
	}
	if have.Audit != now.Audit || have.Log != now.Log || !have.Since.Equal(now.Since) || have.Sample != now.Sample || have.Decode != now.Decode || seed != 0 && have.Seed != seed {
		return have, false, nil
	}
	for {
		line, err := r.ReadBytes('\n')
		if err == io.EOF {
			return have, true, nil // a line that was cut counts for nothing
		}
		if err != nil {
			return have, false, err
		}
		k := new(keptWARC)
		if json.Unmarshal(line, k) != nil || k.Key == "" {
			continue
		}
		if raw, err := base64.StdEncoding.DecodeString(k.Bodies); err == nil && len(raw)%len(recordID{}) == 0 {
			s.good[k.Key] = k
		}
	}
}

// found returns what is kept of a WARC that is still as it was.
func (s *auditState) found(w *auditWARC) (*keptWARC, bool) {
	if s == nil {
		return nil, false
	}
	k := s.good[w.key]
	if k == nil || k.Size != w.size || k.Size != w.want.size || k.SHA256 != hex.EncodeToString(w.want.sha256[:]) || k.File != w.file || !k.Modified.Equal(w.modified) {
		return nil, false
	}
	return k, true
}

// keep notes a good WARC.
func (s *auditState) keep(job *auditJob) error {
	if s == nil || job.file < 0 {
		return nil
	}
	r := job.result
	raw := make([]byte, 0, len(r.bodies)*len(recordID{}))
	for _, id := range r.bodies {
		raw = append(raw, id[:]...)
	}
	var receipts []byte
	for _, r := range r.receipts {
		receipts = append(receipts, r.leaf[:]...)
	}
	var mementos []byte
	for _, m := range r.mementos {
		mementos = append(append(mementos, m.look[:]...), m.sum[:]...)
	}
	return s.line(&keptWARC{
		Key: job.w.key, Size: r.size, SHA256: hex.EncodeToString(r.sum[:]), Modified: job.w.modified, File: job.file, Unpacked: r.unpacked,
		Records: r.records, Looks: r.looks, Bodies: base64.StdEncoding.EncodeToString(raw), Declared: r.declared,
		Receipts: base64.StdEncoding.EncodeToString(receipts), Mementos: base64.StdEncoding.EncodeToString(mementos),
	})
}

func (s *auditState) line(v any) error {
	data, err := json.Marshal(v)
	if err == nil {
		_, err = s.w.Write(append(data, '\n'))
	}
	if s.left--; err == nil && s.left <= 0 {
		s.left, err = flushEvery, s.w.Flush()
	}
	if err != nil {
		return fmt.Errorf("keep state of the audit: %w", err)
	}
	return nil
}

// close keeps the file for another audit.
func (s *auditState) close() error {
	if s == nil {
		return nil
	}
	return errors.Join(s.w.Flush(), s.f.Close())
}

// remove ends the file with its audit.
func (s *auditState) remove() error {
	if s == nil {
		return nil
	}
	return errors.Join(s.f.Close(), os.Remove(s.name))
}
