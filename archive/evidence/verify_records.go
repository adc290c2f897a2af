package evidence

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/fineprint-archive/fineprint/warc"
)

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// section returns a reader of a file that lies in the bundle without compression.
func (b *bundle) section(name string) (*io.SectionReader, error) {
	f := b.files[name]
	if f == nil {
		return nil, fmt.Errorf("%s is missing", name)
	}
	r, err := f.OpenRaw()
	if err != nil {
		return nil, err
	}
	s, ok := r.(*io.SectionReader)
	if !ok {
		return nil, fmt.Errorf("%s cannot be read in place", name)
	}
	return s, nil
}

// checkRecords holds the records against the leaf: nothing in them may be other
// than the entry and its manifest say.
func (v *verifier) checkRecords() error {
	const name = "records"
	r, err := v.bundle.section(nameWARC)
	if err != nil {
		v.report.add(name, False, "", "%v", err)
		return nil
	}
	if v.report.Counts, err = warc.Check(r, warc.ValidateOptions{Extract: true}, v.report.finding); err != nil {
		return err
	}
	if v.report.Counts.Errors > 0 {
		v.report.add(name, False, "", "%s: %d findings are errors: %s", nameWARC, v.report.Counts.Errors, v.report.firstError())
		return nil
	}
	if _, err := r.Seek(0, io.SeekStart); err != nil {
		return err
	}
	if v.contents, err = readContents(r); err != nil {
		v.report.add(name, False, "", "%s: %v", nameWARC, err)
		return nil
	}
	if !v.lookOK {
		v.report.add(name, Unknown, "", "sound by themselves; there is no leaf to compare them with")
		return nil
	}
	switch m, err := v.ofLeaf(v.look); {
	case errors.Is(err, errNoSalt):
		v.manifest = m
		v.report.add(name, Unknown, "", "%v", err)
	case err != nil:
		v.report.add(name, False, "", "%v", err)
	default:
		v.manifest = m
		v.recordsClaim()
	}
	return v.checkWACZ()
}

func (v *verifier) recordsClaim() {
	const name = "records"
	if wrong := v.copies(); len(wrong) > 0 {
		v.report.add(name, False, "", "%s", some(wrong))
		return
	}
	v.report.add(name, OK, "nobody: SHA-256", "%d records as the leaf commits to: look %d, %s, %s", len(v.contents.members), v.manifest.N, stamp(v.manifest.Time), outcome(v.manifest))
}

// errNoSalt says that a private look cannot be tied to its leaf.
var errNoSalt = errors.New("the leaf is that of a private source, and " + nameSalt + " is not there to show which")

// ofLeaf returns the manifest that a leaf commits to, if it stands in the WARC
// and the entry made from it is the leaf, byte for byte.
func (v *verifier) ofLeaf(p proven) (*warc.Manifest, error) {
	return v.ofLeafIn(nameWARC, v.contents, p)
}

// ofLeafIn is ofLeaf for the WARC in a file.
func (v *verifier) ofLeafIn(file string, c *contents, p proven) (*warc.Manifest, error) {
	e := p.entry
	found := c.manifests[e.Manifest.Record]
	if found == nil {
		return nil, fmt.Errorf("%s does not hold manifest %s of the leaf", file, e.Manifest.Record)
	}
	if found.sha256 != e.Manifest.SHA256 {
		return nil, fmt.Errorf("manifest %s has %s, the leaf says %s", e.Manifest.Record, found.sha256, e.Manifest.SHA256)
	}
	m := found.manifest
	own, err := FromManifest(m, e.Manifest.Record, found.sha256, Place{e.WARC, e.Offset, e.Length})
	if err != nil {
		return nil, err
	}
	if e.IsPrivate() {
		salt, err := v.salt()
		if err != nil {
			return m, err
		}
		if own, err = own.Private(salt); err != nil {
			return nil, err
		}
	}
	b, err := own.Encode()
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(b, p.leaf) {
		return nil, fmt.Errorf("the leaf says something else than manifest %s, from byte %d on", e.Manifest.Record, firstDifference(b, p.leaf))
	}
	return m, nil
}

func (v *verifier) salt() ([]byte, error) {
	text, err := v.bundle.read(nameSalt)
	if err != nil {
		return nil, err
	}
	if text == nil {
		return nil, errNoSalt
	}
	salt, err := hex.DecodeString(strings.TrimSuffix(string(text), "\n"))
	if err != nil {
		return nil, fmt.Errorf("%s is not hexadecimal", nameSalt)
	}
	return salt, nil
}

// copies compares the files that repeat what the WARC holds.
func (v *verifier) copies() (wrong []string) {
	compare := func(name string, want []byte, ok bool) {
		data, err := v.bundle.read(name)
		switch {
		case err != nil:
			wrong = append(wrong, err.Error())
		case data != nil && (!ok || !bytes.Equal(data, want)):
			wrong = append(wrong, name+" is not what "+nameWARC+" holds")
		}
	}
	compare(nameMembers, v.contents.table(), true)
	declaration, ok := v.contents.blocks[v.manifest.Declaration]
	compare(nameDeclaration, declaration.data, ok)
	if t := v.manifest.TLS; t != nil {
		chain, ok := v.contents.chains[t.Chain]
		compare(nameChain, chain, ok)
		proof, ok := v.contents.blocks[t.Proof]
		compare(nameHandshake, proof.data, ok)
	}
	looks := v.leaves()
	for id := range v.contents.manifests {
		if !looks[id] {
			wrong = append(wrong, fmt.Sprintf("%s holds look %s, which is none of this bundle", nameWARC, id))
		}
	}
	slices.Sort(wrong)
	return wrong
}

// leaves returns the manifests of the looks whose records the WARC may hold: the
// look itself and the first of the range.
func (v *verifier) leaves() map[string]bool {
	looks := map[string]bool{v.look.entry.Manifest.Record: true}
	for _, n := range v.rangeNumbers() {
		leaf, err := v.bundle.read(fmt.Sprintf("%s%d%s", dirBetween, n, suffixLeaf))
		if err != nil {
			continue // checkSeries reports it
		}
		if e, err := ParseEntry(leaf); err == nil && e.Type == TypeLook {
			looks[e.Manifest.Record] = true
			break
		}
	}
	return looks
}

// checkWACZ checks that the package for replay programs holds the same records.
func (v *verifier) checkWACZ() error {
	if !v.bundle.has(nameWACZ) {
		v.report.add("wacz", NotPresent, "", "no %s", nameWACZ)
		return nil
	}
	r, err := v.bundle.section(nameWACZ)
	if err != nil {
		return err
	}
	var first string
	counts, err := warc.CheckWACZ(r, r.Size(), func(f warc.Finding) error {
		if f.Severity == warc.SeverityError && first == "" {
			first = f.String()
		}
		return nil
	})
	if err != nil {
		return err
	}
	if counts.Errors > 0 {
		v.report.add("wacz", False, "", "%s: %d findings are errors: %s", nameWACZ, counts.Errors, first)
		return nil
	}
	same, err := v.sameWARC(r)
	switch {
	case err != nil:
		v.report.add("wacz", False, "", "%s: %v", nameWACZ, err)
	case !same:
		v.report.add("wacz", False, "", "%s holds other records than %s", nameWACZ, nameWARC)
	default:
		v.report.add("wacz", OK, "nobody: SHA-256", "%s holds the records of %s", nameWACZ, nameWARC)
	}
	return nil
}

// checkRefers shows where the records stand that revisit records repeat: those of
// the look, and of the first look of a range.
func (v *verifier) checkRefers() error {
	const name = "refers"
	if v.manifest == nil {
		return nil // checkRecords said why
	}
	wanted := map[string]bool{} // record id: whether it is the page's
	for id := range v.leaves() {
		look := v.contents.manifests[id]
		if look == nil {
			continue
		}
		for _, note := range look.manifest.Exchanges {
			if note.SameAs != nil && !wanted[note.SameAs.Record] {
				wanted[note.SameAs.Record] = false
			}
		}
		if same := look.manifest.SameAs; same != nil {
			wanted[same.Record] = true
		}
	}
	if len(wanted) == 0 {
		v.report.add(name, NotPresent, "", "no look repeats an earlier record")
		return nil
	}
	proven, wrong := v.referred()
	var open []string
	page := true
	for _, id := range sortedKeys(wanted) {
		found, here := v.contents.byID[id]
		manifest, err := warc.ManifestOf(id)
		switch want := proven[id]; {
		case !here:
			wrong = append(wrong, fmt.Sprintf("record %s, which a revisit record repeats, is not there", id))
		case err == nil && v.contents.manifests[manifest] != nil: // a look of this bundle
		case want == warc.Digest{}:
			open = append(open, id)
			page = page && !wanted[id]
		case want != found.sha256:
			wrong = append(wrong, fmt.Sprintf("record %s has %s, the manifest of its look says %s", id, found.sha256, want))
		}
	}
	switch {
	case len(wrong) > 0:
		v.report.add(name, False, "", "%s", some(wrong))
	case !page:
		v.report.add(name, Unknown, "", "the earlier record that the page repeats is there, and nothing shows that the log holds it")
	default:
		v.report.add(name, OK, "the log, as above", "%d earlier records are repeated, %d of them shown to be in the log", len(wanted), len(wanted)-len(open))
	}
	return nil
}

// referred returns the digests of the records of looks in refers/, by the word of
// manifests that leaves of the log commit to.
func (v *verifier) referred() (map[string]warc.Digest, []string) {
	records := map[string]warc.Digest{}
	var wrong []string
	for _, leaf := range v.bundle.in(dirRefers) {
		stem, ok := strings.CutSuffix(leaf, suffixLeaf)
		if !ok {
			continue
		}
		m, err := v.referredManifest(stem)
		if err != nil {
			wrong = append(wrong, err.Error())
			continue
		}
		for _, member := range m.Members {
			records[member.Record] = member.SHA256
		}
	}
	return records, wrong
}

func (v *verifier) referredManifest(stem string) (*warc.Manifest, error) {
	p, err := v.included(stem+suffixLeaf, stem+suffixProof)
	if err != nil {
		return nil, err
	}
	if p.entry.Type != TypeLook {
		return nil, fmt.Errorf("%s%s is no look", stem, suffixLeaf)
	}
	data, err := v.bundle.read(stem + suffixManifest)
	if err == nil && data == nil {
		err = fmt.Errorf("%s%s is missing", stem, suffixManifest)
	}
	if err != nil {
		return nil, err
	}
	c, err := readContents(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("%s%s: %w", stem, suffixManifest, err)
	}
	found := c.manifests[p.entry.Manifest.Record]
	if found == nil || len(c.members) != 1 || found.sha256 != p.entry.Manifest.SHA256 {
		return nil, fmt.Errorf("%s%s is not the manifest that its leaf commits to", stem, suffixManifest)
	}
	return found.manifest, nil
}
