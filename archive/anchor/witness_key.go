package anchor

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"filippo.io/torchwood"
)

// Signature types of c2sp.org/signed-note.
const (
	algEd25519     = 0x01
	algCosignature = 0x04 // timestamped Ed25519, c2sp.org/tlog-cosignature
)

// NewWitnessKey makes the key of a witness. name is what cosignature lines will
// bear for ever: an address without scheme, such as "witness.example/w1". skey
// is secret and goes into a file of mode 0600, in the form of c2sp.org's signed
// notes ("PRIVATE+KEY+…", here with signature type 4, so that no log can be
// signed with it by mistake). vkey is for everybody's policy files.
func NewWitnessKey(rand io.Reader, name string) (skey, vkey string, err error) {
	if !validKeyName(name) {
		return "", "", fmt.Errorf("witness name %q: expected an address without scheme, spaces and plus signs, such as witness.example/w1", name)
	}
	seed := make([]byte, ed25519.SeedSize)
	if _, err := io.ReadFull(rand, seed); err != nil {
		return "", "", fmt.Errorf("make witness key: %w", err)
	}
	c := newCosigner(name, ed25519.NewKeyFromSeed(seed))
	secret := base64.StdEncoding.EncodeToString(append([]byte{algCosignature}, seed...))
	return fmt.Sprintf("PRIVATE+KEY+%s+%08x+%s", name, c.hash, secret), c.vkey(), nil
}

// cosigner signs checkpoints as a witness does.
type cosigner struct {
	name string
	hash uint32
	key  ed25519.PrivateKey
}

func newCosigner(name string, key ed25519.PrivateKey) *cosigner {
	return &cosigner{name: name, hash: keyID(name, algCosignature, key), key: key}
}

// parseCosigner reads the secret key of a witness. Keys of signature type 1
// (golang.org/x/mod's note.GenerateKey), which other witness programs use, are
// taken as well. No error holds any part of the key.
func parseCosigner(skey string) (*cosigner, error) {
	parts := strings.SplitN(strings.TrimSpace(skey), "+", 5)
	if len(parts) != 5 || parts[0] != "PRIVATE" || parts[1] != "KEY" {
		return nil, errors.New("witness key: expected PRIVATE+KEY+NAME+HASH+DATA on one line")
	}
	name := parts[2]
	hash, err := strconv.ParseUint(parts[3], 16, 32)
	if err != nil || len(parts[3]) != 8 || !validKeyName(name) {
		return nil, errors.New("witness key: malformed name or hash")
	}
	data, err := base64.StdEncoding.DecodeString(parts[4])
	if err != nil || len(data) != 1+ed25519.SeedSize {
		return nil, errors.New("witness key: malformed key data")
	}
	alg := data[0]
	if alg != algEd25519 && alg != algCosignature {
		return nil, fmt.Errorf("witness key: signature type %d is neither 1 nor 4", alg)
	}
	key := ed25519.NewKeyFromSeed(data[1:])
	if keyID(name, alg, key) != uint32(hash) {
		return nil, errors.New("witness key: the hash does not fit the key: the line was changed")
	}
	return newCosigner(name, key), nil
}

// keyID is the key ID of c2sp.org/signed-note.
func keyID(name string, alg byte, key ed25519.PrivateKey) uint32 {
	h := sha256.New()
	h.Write([]byte(name + "\n"))
	h.Write([]byte{alg})
	h.Write(key.Public().(ed25519.PublicKey))
	return binary.BigEndian.Uint32(h.Sum(nil))
}

func (c *cosigner) vkey() string {
	public := append([]byte{algCosignature}, c.key.Public().(ed25519.PublicKey)...)
	return fmt.Sprintf("%s+%08x+%s", c.name, c.hash, base64.StdEncoding.EncodeToString(public))
}

// verifier is the other half of line.
func (c *cosigner) verifier() (*torchwood.CosignatureVerifier, error) {
	return torchwood.NewCosignatureVerifier(c.vkey())
}

// line makes the cosignature line of a checkpoint's text at a time
// (c2sp.org/tlog-cosignature, Ed25519).
func (c *cosigner) line(text string, at time.Time) string {
	seconds := uint64(at.Unix())
	message := fmt.Sprintf("cosignature/v1\ntime %d\n%s", seconds, text)
	sig := binary.BigEndian.AppendUint32(nil, c.hash)
	sig = binary.BigEndian.AppendUint64(sig, seconds)
	sig = append(sig, ed25519.Sign(c.key, []byte(message))...)
	return fmt.Sprintf("— %s %s\n", c.name, base64.StdEncoding.EncodeToString(sig))
}

// validKeyName is the rule of c2sp.org/signed-note.
func validKeyName(name string) bool {
	return name != "" && utf8.ValidString(name) && !strings.Contains(name, "+") &&
		strings.IndexFunc(name, unicode.IsSpace) < 0
}
