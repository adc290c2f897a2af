package archive

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/fineprint-archive/fineprint/archive/anchor"
	"github.com/fineprint-archive/fineprint/archive/evidence"
	"github.com/fineprint-archive/fineprint/archive/store"
)

// anchorsPendingPrefix is where mutable objects about unfinished anchors stand:
// <size>/files, and <size>/<calendar>.ots for each promise.
const anchorsPendingPrefix = "pending-anchors/"

// markName is the object that says: there may be statements without a list.
const markName = "files"

func pendingAnchorKey(size int64, name string) string {
	return anchorsPendingPrefix + strconv.FormatInt(size, 10) + "/" + name
}

func promiseKey(size int64, stem string) string { return pendingAnchorKey(size, stem+extOTS) }

// waiting is what earlier rounds left to do.
type waiting struct {
	promises []*promise
	marks    map[int64]bool
}

// promise is a calendar's: the proof that it will make of it is asked for later.
type promise struct {
	size int64
	stem string
	kept bool // its proof is stored; the list comes next
}

// waiting lists the objects below pending-anchors/. Names of another kind are
// left alone.
func (x *Anchorer) waiting(ctx context.Context) (*waiting, error) {
	w := &waiting{marks: map[int64]bool{}}
	for info, err := range x.cfg.Store.List(ctx, anchorsPendingPrefix, "") {
		if err != nil {
			return nil, fmt.Errorf("list %s: %w", anchorsPendingPrefix, err)
		}
		digits, name, _ := strings.Cut(strings.TrimPrefix(info.Key, anchorsPendingPrefix), "/")
		size, err := strconv.ParseInt(digits, 10, 64)
		if err != nil || size < 1 {
			continue
		}
		if stem, ok := strings.CutSuffix(name, extOTS); ok {
			w.promises = append(w.promises, &promise{size: size, stem: stem})
		} else if name == markName {
			w.marks[size] = true
		}
	}
	return w, nil
}

// sizes lists the checkpoints that need a new list.
func (w *waiting) sizes() []int64 {
	var sizes []int64
	for size := range w.marks {
		sizes = append(sizes, size)
	}
	for _, p := range w.promises {
		if p.kept {
			sizes = append(sizes, p.size)
		}
	}
	slices.Sort(sizes)
	return slices.Compact(sizes)
}

// mark says that statements about a checkpoint are on their way.
func (x *Anchorer) mark(ctx context.Context, size int64, w *waiting) error {
	if w.marks[size] {
		return nil
	}
	x.cfg.Step("anchor-mark")
	_, err := x.cfg.Mutable.PutIfMatch(ctx, pendingAnchorKey(size, markName), []byte("statements that may have no anchor list yet\n"), "")
	if err != nil && !errors.Is(err, store.ErrPrecondition) { // it is there: another process works on the same
		return fmt.Errorf("note what is under way: %w", err)
	}
	w.marks[size] = true
	return nil
}

// forget removes what waited for the list of a checkpoint.
func (x *Anchorer) forget(ctx context.Context, size int64, w *waiting) error {
	var keys []string
	if w.marks[size] {
		keys = append(keys, pendingAnchorKey(size, markName))
	}
	for _, p := range w.promises {
		if p.size == size && p.kept {
			keys = append(keys, promiseKey(size, p.stem))
		}
	}
	for _, key := range keys {
		x.cfg.Step("anchor-drop")
		_, tag, err := x.cfg.Mutable.Get(ctx, key)
		if err == nil {
			err = x.cfg.Mutable.Delete(ctx, key, tag)
		}
		if err != nil && !errors.Is(err, store.ErrNotExist) && !errors.Is(err, store.ErrPrecondition) { // another process did, or goes on with it
			return fmt.Errorf("drop %s: %w", key, err)
		}
	}
	return nil
}

// upgrade asks for the proof that a calendar promised, and keeps it when it is
// there. The outcome has no state if another process was faster.
func (x *Anchorer) upgrade(ctx, keep context.Context, p *promise) (AnchorOutcome, error) {
	o := AnchorOutcome{Kind: AnchorCalendar, Name: x.calendarName(p.stem), Size: p.size, State: AnchorPending}
	key := promiseKey(p.size, p.stem)
	data, tag, err := x.cfg.Mutable.Get(keep, key)
	if errors.Is(err, store.ErrNotExist) {
		return AnchorOutcome{}, nil
	}
	if err != nil {
		return AnchorOutcome{}, fmt.Errorf("read %s: %w", key, err)
	}
	proof, err := anchor.ParseOTS(data)
	if err != nil {
		o.State, o.Detail = AnchorFailed, oneLine(key+": "+err.Error())
		return o, nil
	}
	c := anchor.OTSClient{HTTP: x.cfg.Parties.HTTP, Calendars: x.cfg.Parties.Calendars}
	_, asked := c.Upgrade(ctx, proof)
	headers, checked := x.headers(ctx, proof)
	if len(proof.Heights()) > 0 && checked == nil {
		if err := x.keepProof(keep, p, proof, headers); err != nil {
			return AnchorOutcome{}, err
		}
		p.kept = true
		o.State, o.Detail = AnchorNew, fmt.Sprintf("Bitcoin block %d", proof.Heights()[0])
		return o, nil
	}
	if err := errors.Join(asked, checked); err != nil {
		o.State, o.Detail = AnchorFailed, oneLine(err.Error())
	}
	if next := proof.Bytes(); string(next) != string(data) {
		_, err := x.cfg.Mutable.PutIfMatch(keep, key, next, tag)
		if err != nil && !errors.Is(err, store.ErrPrecondition) && !errors.Is(err, store.ErrNotExist) { // another process was faster
			return AnchorOutcome{}, fmt.Errorf("write %s: %w", key, err)
		}
	}
	return o, nil
}

// calendarName is the configured address of a stem, or the stem of one that is
// configured no longer.
func (x *Anchorer) calendarName(stem string) string {
	for _, p := range x.parties {
		if p.kind == AnchorCalendar && p.stem == stem {
			return p.name
		}
	}
	return stem
}

// headers fetches the headers of the blocks that a proof names and takes out of
// it what they contradict, so that the calendar is asked again. Without an
// explorer nothing is fetched and nothing checked.
func (x *Anchorer) headers(ctx context.Context, proof *anchor.OTSProof) (map[int64]anchor.BitcoinHeader, error) {
	p := &x.cfg.Parties
	if p.Explorer == "" || len(proof.Heights()) == 0 {
		return nil, nil
	}
	headers := map[int64]anchor.BitcoinHeader{}
	for _, height := range proof.Heights() {
		h, err := anchor.FetchBitcoinHeader(ctx, p.HTTP, p.Explorer, height)
		if err != nil {
			return nil, err
		}
		headers[height] = h
	}
	report, err := proof.Verify(proof.Digest(), anchor.OTSVerifyOptions{Headers: headers, MinWork: p.MinWork})
	if err != nil {
		return nil, err
	}
	for _, v := range report.Verdicts {
		if v.Height >= 0 && v.State != anchor.OTSVerified {
			err = errors.Join(err, fmt.Errorf("block %d (%s): %s", v.Height, v.State, v.Detail))
			proof.Drop(v.Height)
			delete(headers, v.Height)
		}
	}
	if report.Verified {
		err = nil // one good block is enough
	}
	return headers, err
}

// keepProof stores a proof and the headers of its blocks.
func (x *Anchorer) keepProof(ctx context.Context, p *promise, proof *anchor.OTSProof, headers map[int64]anchor.BitcoinHeader) error {
	for height, h := range headers {
		x.cfg.Step("anchor-file")
		key := evidence.AnchorKey(p.size, anchor.BitcoinHeaderFile(height))
		if err := putBytes(ctx, x.cfg.Store, key, h.Text(), mediaOf(extHeader)); err != nil {
			return fmt.Errorf("store %s: %w", key, err)
		}
	}
	return x.keep(ctx, p.size, p.stem, file{extOTS, proof.Bytes()})
}

// soundOTS wants a proof about the checkpoint that leads to a block.
func soundOTS(f *folder, name string) error {
	proof, err := anchor.ParseOTS(f.files[name])
	switch {
	case err != nil:
		return err
	case proof.Digest() != otsDigest(f.cp):
		return errors.New("the proof is not about this checkpoint")
	case len(proof.Heights()) == 0:
		return errors.New("the proof leads to no block")
	}
	return nil
}

// soundHeader wants a header of a block that a proof beside it names.
func soundHeader(f *folder, name string) error {
	if _, err := anchor.ParseBitcoinHeader(f.files[name]); err != nil {
		return err
	}
	for _, other := range f.names() {
		if !strings.HasSuffix(other, extOTS) {
			continue
		}
		proof, err := anchor.ParseOTS(f.files[other])
		if err == nil && slices.ContainsFunc(proof.Heights(), func(h int64) bool { return anchor.BitcoinHeaderFile(h) == name }) {
			return nil
		}
	}
	return errUnlisted // its proof comes, or a crash came between the two
}
