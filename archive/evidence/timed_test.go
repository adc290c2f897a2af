package evidence

import (
	"crypto/ed25519"
	"encoding/binary"
	"fmt"
	"io"
	"time"

	"filippo.io/torchwood"
)

// cosigner is a witness with a clock of its own: torchwood's signer takes that of
// the machine.
type cosigner struct {
	*torchwood.CosignatureSigner
	key ed25519.PrivateKey
}

func newCosigner(random io.Reader, name string) (*cosigner, error) {
	seed := make([]byte, ed25519.SeedSize)
	if _, err := io.ReadFull(random, seed); err != nil {
		return nil, err
	}
	key := ed25519.NewKeyFromSeed(seed)
	s, err := torchwood.NewCosignatureSigner(name, key)
	return &cosigner{s, key}, err
}

// timed cosigns at a given time (c2sp.org/tlog-cosignature).
type timed struct {
	*cosigner
	at time.Time
}

// Sign implements note.Signer.
func (s timed) Sign(msg []byte) ([]byte, error) {
	stamp := binary.BigEndian.AppendUint64(nil, uint64(s.at.Unix()))
	return append(stamp, ed25519.Sign(s.key, fmt.Appendf(nil, "cosignature/v1\ntime %d\n%s", s.at.Unix(), msg))...), nil
}
