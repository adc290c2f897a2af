package anchor

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/tlog"
)

// maxProofLines is the most hashes that a consistency proof may have in an
// add-checkpoint request (c2sp.org/tlog-witness).
const maxProofLines = 63

// addCheckpoint is the body of an add-checkpoint request:
//
//	old 20852014
//	PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=
//	jrJZDmY8Y7SyJE0MWLpLozkIVMSMZcD5kvuKxPC3swk=
//
//	example.com/behind-the-sofa
//	20852163
//	CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=
//
//	— example.com/behind-the-sofa Az3grlgt…
type addCheckpoint struct {
	old        int64          // tree size that the witness cosigned last
	proof      tlog.TreeProof // from old to the checkpoint's size; empty if old is 0
	checkpoint []byte         // signed
}

// bytes is the body on the wire; parseAddCheckpoint is its inverse.
func (a addCheckpoint) bytes() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "old %d\n", a.old)
	for _, h := range a.proof {
		fmt.Fprintf(&b, "%s\n", h)
	}
	b.WriteByte('\n')
	b.Write(a.checkpoint)
	return b.Bytes()
}

// parseAddCheckpoint reads a request body. It accepts exactly the bytes that
// addCheckpoint.bytes writes; the checkpoint is not looked into.
func parseAddCheckpoint(body []byte) (addCheckpoint, error) {
	head, checkpoint, ok := bytes.Cut(body, []byte("\n\n"))
	if !ok {
		return addCheckpoint{}, errors.New("no blank line before the checkpoint")
	}
	lines := strings.Split(string(head), "\n")
	digits, ok := strings.CutPrefix(lines[0], "old ")
	if !ok {
		return addCheckpoint{}, errors.New(`first line is not "old SIZE"`)
	}
	old, err := parseTreeSize(digits)
	if err != nil {
		return addCheckpoint{}, err
	}
	a := addCheckpoint{old: old, checkpoint: checkpoint}
	if len(lines)-1 > maxProofLines {
		return addCheckpoint{}, fmt.Errorf("proof has %d lines, more than %d", len(lines)-1, maxProofLines)
	}
	for _, line := range lines[1:] {
		h, err := base64.StdEncoding.Strict().DecodeString(line)
		// The second look refuses line breaks, which the decoder passes over.
		if err != nil || len(h) != tlog.HashSize || base64.StdEncoding.EncodeToString(h) != line {
			return addCheckpoint{}, fmt.Errorf("proof line %.80q is no hash in base64", line)
		}
		a.proof = append(a.proof, tlog.Hash(h))
	}
	return a, nil
}

// parseTreeSize reads a size in decimal without sign or leading zeros.
func parseTreeSize(digits string) (int64, error) {
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || n < 0 || strconv.FormatInt(n, 10) != digits {
		return 0, fmt.Errorf("%.40q is no tree size", digits)
	}
	return n, nil
}
