package archive

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/fineprint-archive/fineprint/archive/anchor"
	"github.com/fineprint-archive/fineprint/archive/evidence"
	"github.com/fineprint-archive/fineprint/archive/store"
	"github.com/fineprint-archive/fineprint/archive/tlog"
	"github.com/fineprint-archive/fineprint/warc"
)

// anchorEntry is the entry of an anchor list; index is -1 for a list that has no
// entry yet.
type anchorEntry struct {
	index      int64
	list       string
	sha256     warc.Digest
	size       int64
	checkpoint warc.Digest
}

// checkAnchors checks every anchor list that the log names, and those that wait
// for their entry.
func (a *auditor) checkAnchors(ctx context.Context) error {
	named := map[string]bool{}
	for _, e := range a.anchors {
		named[e.list] = true
		if err := a.anchorList(ctx, e); err != nil {
			return err
		}
	}
	for _, key := range a.lists {
		if named[key] {
			continue
		}
		if err := a.anchorList(ctx, anchorEntry{index: -1, list: key}); err != nil {
			return err
		}
	}
	return nil
}

// anchorList checks one list, its checkpoint and its files.
func (a *auditor) anchorList(ctx context.Context, e anchorEntry) error {
	a.count(func(r *AuditReport) { r.Anchors++ })
	bad := func(object, format string, args ...any) error {
		a.find(AuditFinding{Kind: AuditAnchor, Object: object, Index: e.index, Detail: fmt.Sprintf(format, args...)})
		return nil
	}
	text, err := readObject(ctx, a.cfg.Store, e.list, maxAnchorFile)
	switch {
	case errors.Is(err, store.ErrNotExist):
		return bad(e.list, "it is missing")
	case err != nil:
		return a.unreadable(ctx, e.list, e.index, err)
	case e.index >= 0 && warc.SumSHA256(text) != e.sha256:
		return bad(e.list, "it has not the SHA-256 of its entry")
	}
	list, err := evidence.ParseAnchorList(text)
	if err != nil {
		return bad(e.list, "%v", err)
	}
	if key := evidence.AnchorListKey(list.Size, text); key != e.list {
		return bad(e.list, "its content belongs under %s", key)
	}
	if e.index >= 0 && (list.Size != e.size || list.Checkpoint != e.checkpoint) {
		return bad(e.list, "it is about another checkpoint than its entry")
	}
	files, whole, err := a.anchorFiles(ctx, e, list)
	if err != nil || a.log == nil {
		return err
	}
	cp, err := a.log.CheckpointAt(ctx, list.Size)
	switch {
	case errors.Is(err, store.ErrNotExist):
		return bad(e.list, "it is about a checkpoint of size %d, of which there is none", list.Size)
	case isCorrupt(err):
		return nil // a finding about the log already
	case err != nil:
		return a.unreadable(ctx, e.list, e.index, err)
	case warc.SumSHA256(cp.Raw) != list.Checkpoint:
		return bad(e.list, "it is about other bytes than those of the checkpoint of size %d", list.Size)
	}
	return a.statements(e, list, cp, files, whole)
}

// anchorFiles reads the files of a list. whole is false if one of them is
// missing or altered.
func (a *auditor) anchorFiles(ctx context.Context, e anchorEntry, list evidence.AnchorList) (files map[string][]byte, whole bool, err error) {
	files, whole = map[string][]byte{}, true
	for _, f := range list.Files {
		key := evidence.AnchorKey(list.Size, f.Name)
		data, err := readObject(ctx, a.cfg.Store, key, maxAnchorFile)
		finding := AuditFinding{Kind: AuditAnchor, Object: key, Index: e.index}
		switch {
		case errors.Is(err, store.ErrNotExist):
			finding.Detail = "it is missing, and " + e.list + " names it"
		case err != nil:
			if err := a.unreadable(ctx, key, e.index, err); err != nil {
				return nil, false, err
			}
			whole = false
			continue
		case warc.SumSHA256(data) != f.SHA256:
			finding.Detail = "it has not the SHA-256 that " + e.list + " lists"
		default:
			files[f.Name] = data
			continue
		}
		whole = false
		a.find(finding)
	}
	return files, whole, nil
}

// statements checks what the files of a list say of the checkpoint.
func (a *auditor) statements(e anchorEntry, list evidence.AnchorList, cp tlog.Checkpoint, files map[string][]byte, whole bool) error {
	var lines []byte
	for _, name := range sortedKeys(files) {
		key := evidence.AnchorKey(list.Size, name)
		switch {
		case strings.HasSuffix(name, extToken):
			chain := files[strings.TrimSuffix(name, extToken)+extEvidence]
			_, err := anchor.VerifyToken(files[name], cp.Raw, chain, a.cfg.Trust.TSARoots)
			switch {
			case err == nil:
				a.count(func(r *AuditReport) { r.Tokens++ })
			case errors.Is(err, anchor.ErrTokenUntrusted):
				a.count(func(r *AuditReport) { r.Unknown++ })
			default:
				a.find(AuditFinding{Kind: AuditAnchor, Object: key, Index: e.index, Detail: err.Error()})
			}
		case strings.HasSuffix(name, extCosignature):
			lines = append(lines, files[name]...)
		}
	}
	if len(lines) == 0 {
		return nil
	}
	policy := a.cfg.Trust.Logs
	if policy == nil {
		a.count(func(r *AuditReport) { r.Unknown++ })
		return nil
	}
	report, err := anchor.VerifyCosignatures(cp.Raw, lines, policy)
	if err != nil {
		a.find(AuditFinding{Kind: AuditAnchor, Object: e.list, Index: e.index, Detail: "its cosignatures: " + err.Error()})
		return nil
	}
	if i := slices.IndexFunc(report.Witnesses, func(w anchor.WitnessReport) bool { return w.Invalid }); i >= 0 && whole {
		a.find(AuditFinding{Kind: AuditAnchor, Object: e.list, Index: e.index, Detail: "the cosignature of " + report.Witnesses[i].Name + " is wrong"})
		return nil
	}
	a.count(func(r *AuditReport) {
		if report.Quorum && policy.NeedsWitnesses() {
			r.Cosigned++
		} else {
			r.Unknown++
		}
	})
	return nil
}

// receipt checks the stored answer of an observer.
func (a *auditor) receipt(ctx context.Context, index int64, e *evidence.Entry) error {
	if e.Object == "" {
		return nil
	}
	data, err := readObject(ctx, a.cfg.Store, e.Object, maxAnchorFile)
	f := AuditFinding{Kind: AuditReceipt, Object: e.Object, Index: index, Source: e.Source}
	switch {
	case errors.Is(err, store.ErrNotExist):
		f.Detail = "it is missing"
	case err != nil:
		return a.unreadable(ctx, e.Object, index, err)
	case warc.SumSHA256(data) != e.SHA256:
		f.Detail = "it has not the SHA-256 of its entry"
	default:
		return nil
	}
	a.find(f)
	return nil
}
