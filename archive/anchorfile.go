package archive

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/fineprint-archive/fineprint/archive/anchor"
	"github.com/fineprint-archive/fineprint/archive/catalog"
	"github.com/fineprint-archive/fineprint/archive/evidence"
	"github.com/fineprint-archive/fineprint/archive/store"
	"github.com/fineprint-archive/fineprint/archive/tlog"
	"github.com/fineprint-archive/fineprint/warc"
)

// folder holds the files about one checkpoint, as stored.
type folder struct {
	cp    tlog.Checkpoint
	files map[string][]byte // by name; lists are left out
}

// maxAnchorObjects bounds how many objects about one checkpoint are read.
const maxAnchorObjects = 500

func (x *Anchorer) readFolder(ctx context.Context, cp tlog.Checkpoint) (*folder, error) {
	f := &folder{cp: cp, files: map[string][]byte{}}
	prefix := evidence.AnchorKey(cp.Size, "")
	for info, err := range x.cfg.Store.List(ctx, prefix, "") {
		if err != nil {
			return nil, fmt.Errorf("list %s: %w", prefix, err)
		}
		name := strings.TrimPrefix(info.Key, prefix)
		if strings.HasSuffix(name, extList) || strings.Contains(name, "/") {
			continue
		}
		if len(f.files) == maxAnchorObjects {
			return nil, fmt.Errorf("%s holds more than %d objects", prefix, maxAnchorObjects)
		}
		if f.files[name], err = readObject(ctx, x.cfg.Store, info.Key, maxAnchorFile); err != nil {
			return nil, fmt.Errorf("%s: %w", info.Key, err)
		}
	}
	return f, nil
}

func (f *folder) names() []string { return slices.Sorted(maps.Keys(f.files)) }

// stemIn tells whether a file is one of a party: "NAME.tsr" or "NAME.2.tsr".
func stemIn(name, stem, ext string) bool {
	rest, ok := strings.CutPrefix(name, stem)
	number, of := strings.CutSuffix(rest, ext)
	if !ok || !of {
		return false
	}
	if number == "" {
		return true
	}
	n, err := strconv.Atoi(strings.TrimPrefix(number, "."))
	return err == nil && n > 1 && number == "."+strconv.Itoa(n)
}

// target is the checkpoint of a round with what is known about it.
type target struct {
	*folder
	promised map[string]bool  // stems of calendars that promised a proof
	cosigned map[string]int64 // by stem of a witness: size of an earlier checkpoint that it cosigned
}

func (x *Anchorer) readTarget(ctx context.Context, cp tlog.Checkpoint, w *waiting) (*target, error) {
	f, err := x.readFolder(ctx, cp)
	if err != nil {
		return nil, err
	}
	t := &target{folder: f, promised: map[string]bool{}}
	for _, p := range w.promises {
		if p.size == cp.Size {
			t.promised[p.stem] = true
		}
	}
	t.cosigned, err = x.lastCosigned(ctx, cp.Size)
	return t, err
}

// has returns the time of the party's statement if a sound one is stored.
func (t *target) has(p party) (time.Time, bool) {
	for _, name := range t.names() {
		if !stemIn(name, p.stem, p.ext) {
			continue
		}
		if at, err := p.sound(t.folder, name); err == nil {
			return at, true
		}
	}
	return time.Time{}, false
}

// lastCosigned reads from the newest list which witnesses know the log. It saves
// each of them a request: a witness that knows better says so.
func (x *Anchorer) lastCosigned(ctx context.Context, size int64) (map[string]int64, error) {
	last := map[string]int64{}
	rows, err := x.cfg.Catalog.Anchors(ctx, 1, false)
	if err != nil || len(rows) == 0 || rows[0].Size >= size {
		return last, err
	}
	text, err := readObject(ctx, x.cfg.Store, rows[0].List, maxAnchorFile)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", rows[0].List, err)
	}
	list, err := evidence.ParseAnchorList(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", rows[0].List, err)
	}
	for _, f := range list.Files {
		if stem, ok := strings.CutSuffix(f.Name, extCosignature); ok {
			last[stem] = list.Size
		}
	}
	return last, nil
}

// file is a file to be kept: the end of its name, and its bytes.
type file struct {
	ext  string
	data []byte
}

// maxSiblings bounds how many statements of one party about one checkpoint are
// kept. More than one comes of crashes and races only.
const maxSiblings = 20

// keep stores files of a party in order, under the first name that is free.
func (x *Anchorer) keep(ctx context.Context, size int64, stem string, files ...file) error {
	for n := 1; n <= maxSiblings; n++ {
		name := stem
		if n > 1 {
			name += "." + strconv.Itoa(n)
		}
		err := x.putAll(ctx, size, name, files)
		if !errors.Is(err, store.ErrExists) {
			return err
		}
	}
	return fmt.Errorf("%s holds %d statements of %s already", evidence.AnchorKey(size, ""), maxSiblings, stem)
}

func (x *Anchorer) putAll(ctx context.Context, size int64, name string, files []file) error {
	for _, f := range files {
		x.cfg.Step("anchor-file")
		key := evidence.AnchorKey(size, name+f.ext)
		if err := putBytes(ctx, x.cfg.Store, key, f.data, mediaOf(f.ext)); err != nil {
			return fmt.Errorf("store %s: %w", key, err)
		}
	}
	return nil
}

func mediaOf(ext string) string {
	switch ext {
	case extToken:
		return "application/timestamp-reply"
	case extEvidence:
		return "application/x-pem-file"
	case extOTS:
		return "application/vnd.opentimestamps.ots"
	}
	return "text/plain; charset=utf-8"
}

// list writes and enters the list of all sound files about a checkpoint. key is
// "" if there is none. Files that are not what their names say are left out and
// returned.
func (x *Anchorer) list(ctx context.Context, cp tlog.Checkpoint) (key string, unsound []AnchorOutcome, err error) {
	f, err := x.readFolder(ctx, cp)
	if err != nil {
		return "", nil, err
	}
	l := evidence.AnchorList{Checkpoint: warc.SumSHA256(cp.Raw), Size: cp.Size}
	for _, name := range f.names() {
		switch err := x.sound(f, name); {
		case err == nil:
			l.Files = append(l.Files, evidence.AnchorFile{Name: name, SHA256: warc.SumSHA256(f.files[name])})
		case !errors.Is(err, errUnlisted):
			unsound = append(unsound, AnchorOutcome{Kind: AnchorStored, Name: evidence.AnchorKey(cp.Size, name), Size: cp.Size, State: AnchorFailed, Detail: oneLine(err.Error())})
		}
	}
	if len(l.Files) == 0 {
		return "", unsound, nil
	}
	text, err := evidence.EncodeAnchorList(l)
	if err != nil {
		return "", unsound, err
	}
	key = evidence.AnchorListKey(cp.Size, text)
	x.cfg.Step("anchor-list")
	if err := putBytes(ctx, x.cfg.Store, key, text, mediaOf(extList)); err != nil {
		return "", unsound, fmt.Errorf("store %s: %w", key, err)
	}
	return key, unsound, x.enter(ctx, anchorRow(key, text, l))
}

// enter enters a list in the catalog. Its log entry cannot stand before the state
// that the log is in now.
func (x *Anchorer) enter(ctx context.Context, row catalog.AnchorRow) error {
	cp, err := x.cfg.Reader.Checkpoint(ctx)
	if err != nil {
		return err
	}
	row.Made, row.LogFrom = x.cfg.Now(), cp.Size
	x.cfg.Step("anchor-catalog")
	return x.cfg.Catalog.EnterAnchor(ctx, row)
}

// errUnlisted: the file is in order and no statement by itself.
var errUnlisted = errors.New("not a statement")

// sound returns nil for a file that belongs into the list. A token of an
// authority that is configured no longer does too: whom to trust is for whoever
// verifies.
func (x *Anchorer) sound(f *folder, name string) error {
	stem, ext := name, ""
	if i := strings.LastIndexByte(name, '.'); i >= 0 {
		stem, ext = name[:i], name[i:]
	}
	switch ext {
	case extToken:
		return x.soundToken(f, stem)
	case extEvidence:
		if f.files[stem+extToken] == nil || x.soundToken(f, stem) != nil {
			return errUnlisted // a crash came between the two, or the token is at fault
		}
		return nil
	case extCosignature:
		report, err := anchor.VerifyCosignatures(f.cp.Raw, f.files[name], x.policy)
		if err != nil {
			return err
		}
		for _, w := range report.Witnesses {
			if w.Invalid {
				return fmt.Errorf("the cosignature of witness %s in it is not valid", w.Name)
			}
		}
		return nil
	case extOTS:
		return soundOTS(f, name)
	case extHeader:
		return soundHeader(f, name)
	}
	return errors.New("no file of this name belongs here")
}

func (x *Anchorer) soundToken(f *folder, stem string) error {
	_, err := anchor.VerifyToken(f.files[stem+extToken], f.cp.Raw, f.files[stem+extEvidence], x.roots)
	if errors.Is(err, anchor.ErrTokenUntrusted) {
		return nil
	}
	return err
}
