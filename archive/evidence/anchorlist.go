package evidence

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/fineprint-archive/fineprint/warc"
)

// anchorListHead is the first line of an anchor list.
const anchorListHead = "fineprint anchor list v1"

// Bounds of an anchor list. 100 files of the longest names take 17 kB.
const (
	maxAnchorList  = 64 << 10
	maxAnchorFiles = 100
)

var anchorName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._@+-]{0,99}$`)

// AnchorList names what outside parties said about one checkpoint: timestamp
// tokens, cosignatures and proofs, each a file of its own. A handshake proof
// commits to the SHA-256 of a list, and with it to all of that.
//
//	fineprint anchor list v1
//	<SHA-256 of the checkpoint's bytes>  <tree size>
//	<SHA-256 of a file>  <name of the file>
//	…
//
// Digests are 64 lower-case hexadecimal digits, two spaces follow, every line
// ends in a line feed. Files stand in byte order of their names, each once.
type AnchorList struct {
	Checkpoint warc.Digest // SHA-256 of the bytes of log/checkpoints/<size>
	Size       int64       // of the tree under it, in entries
	Files      []AnchorFile
}

// AnchorFile names one file of an anchor list. A name has 1 to 100 of
// A-Z a-z 0-9 . _ @ + - and begins with a letter or digit.
type AnchorFile struct {
	Name   string
	SHA256 warc.Digest
}

// EncodeAnchorList returns the text of a list. The files may come in any order.
// A list without files is an error: it would anchor nothing.
func EncodeAnchorList(l AnchorList) ([]byte, error) {
	files := slices.Clone(l.Files)
	slices.SortFunc(files, func(a, b AnchorFile) int { return strings.Compare(a.Name, b.Name) })
	l.Files = files
	if err := l.check(); err != nil {
		return nil, fmt.Errorf("anchor list of size %d: %w", l.Size, err)
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s\n%s  %d\n", anchorListHead, l.Checkpoint.Hex(), l.Size)
	for _, f := range files {
		fmt.Fprintf(&b, "%s  %s\n", f.SHA256.Hex(), f.Name)
	}
	return b.Bytes(), nil
}

func (l AnchorList) check() error {
	if !isSHA256(l.Checkpoint) || l.Size < 1 || l.Size >= maxInt {
		return fmt.Errorf("no checkpoint")
	}
	if len(l.Files) == 0 || len(l.Files) > maxAnchorFiles {
		return fmt.Errorf("%d files, want 1 to %d", len(l.Files), maxAnchorFiles)
	}
	for i, f := range l.Files {
		if !anchorName.MatchString(f.Name) {
			return fmt.Errorf("file name %.120q", f.Name)
		}
		if !isSHA256(f.SHA256) {
			return fmt.Errorf("%s has no SHA-256", f.Name)
		}
		if i > 0 && l.Files[i-1].Name == f.Name {
			return fmt.Errorf("%s stands twice", f.Name)
		}
	}
	return nil
}

// ParseAnchorList reads what EncodeAnchorList wrote, and nothing else.
func ParseAnchorList(text []byte) (AnchorList, error) {
	l, err := parseAnchorList(text)
	if err != nil {
		return AnchorList{}, fmt.Errorf("anchor list: %w", err)
	}
	own, err := EncodeAnchorList(l)
	if err != nil {
		return AnchorList{}, err
	}
	if !bytes.Equal(own, text) {
		return AnchorList{}, fmt.Errorf("anchor list: not in the form it is written in, from byte %d on", firstDifference(own, text))
	}
	return l, nil
}

func parseAnchorList(text []byte) (l AnchorList, err error) {
	if len(text) > maxAnchorList {
		return l, fmt.Errorf("%d bytes, more than %d", len(text), maxAnchorList)
	}
	lines := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	if lines[0] != anchorListHead {
		return l, fmt.Errorf("first line is not %q", anchorListHead)
	}
	for i, line := range lines[1:] {
		digits, rest, ok := strings.Cut(line, "  ")
		sum, err := hex.DecodeString(digits)
		if !ok || err != nil || len(sum) != 32 {
			return l, fmt.Errorf("line %d is not a SHA-256, two spaces and a name", i+2)
		}
		d := warc.Digest{Algorithm: warc.SHA256, Sum: string(sum)}
		if i > 0 {
			l.Files = append(l.Files, AnchorFile{rest, d})
			continue
		}
		l.Checkpoint = d
		if l.Size, err = strconv.ParseInt(rest, 10, 64); err != nil {
			return l, fmt.Errorf("line 2 does not end in the size of the tree")
		}
	}
	return l, nil
}

// AnchorKey returns the key under which a file of the anchors of a checkpoint is
// stored: anchors/<size>/<name>.
func AnchorKey(size int64, name string) string {
	return "anchors/" + strconv.FormatInt(size, 10) + "/" + name
}

// AnchorListKey returns the key of an encoded anchor list: anchors/<size>/<the
// first 16 digits of its SHA-256>.list. Lists of one checkpoint grow as tokens
// come in; each state has its own key.
func AnchorListKey(size int64, text []byte) string {
	return AnchorKey(size, warc.SumSHA256(text).Hex()[:16]+".list")
}

// Anchor returns the entry of an anchor list.
func (l AnchorList) Anchor() (Entry, error) {
	text, err := EncodeAnchorList(l)
	if err != nil {
		return Entry{}, err
	}
	return Entry{
		Type:             TypeAnchor,
		Version:          EntryVersion,
		TreeSize:         l.Size,
		CheckpointSHA256: l.Checkpoint,
		List:             AnchorListKey(l.Size, text),
		ListSHA256:       warc.SumSHA256(text),
	}, nil
}
