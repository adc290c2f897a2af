package tlog

import (
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/mod/sumdb/note"
)

const (
	maxOrigin  = 255 // bytes
	algEd25519 = 1   // c2sp.org/signed-note, signature types
	keyPrefix  = "PRIVATE+KEY+"
)

// Key is the key of a log. Its name is the origin, fixed for ever.
type Key struct {
	Signer   note.Signer
	Verifier note.Verifier
	Private  string // one line without newline, for a file of mode 0600; secret
	Public   string // verifier key (vkey), one line without newline
}

// GenerateKey makes a new Ed25519 key for the origin, with 32 bytes from rand.
func GenerateKey(rand io.Reader, origin string) (Key, error) {
	if err := CheckOrigin(origin); err != nil {
		return Key{}, err
	}
	private, _, err := note.GenerateKey(rand, origin)
	if err != nil {
		return Key{}, fmt.Errorf("generate log key: %w", err)
	}
	return ParseKey(private)
}

// CheckOrigin returns nil for a text that can be the origin of a log: 1 to 255
// bytes of printable UTF-8 without spaces and plus signs. It should be an
// address without its scheme, of a domain that the operator keeps
// (c2sp.org/tlog-tiles).
func CheckOrigin(origin string) error {
	switch {
	case origin == "" || len(origin) > maxOrigin:
		return fmt.Errorf("log origin has %d bytes, 1 to %d are allowed", len(origin), maxOrigin)
	case !utf8.ValidString(origin) || strings.Contains(origin, "+") ||
		strings.ContainsFunc(origin, func(r rune) bool { return unicode.IsSpace(r) || !unicode.IsPrint(r) }):
		return fmt.Errorf("log origin %q has a space, a plus sign or an unprintable character", origin)
	}
	return nil
}

// ParseKey reads a private key as GenerateKey wrote it; white space around it
// is ignored. No error repeats any of the text.
func ParseKey(text string) (Key, error) {
	text = strings.TrimSpace(text)
	rest, ok := strings.CutPrefix(text, keyPrefix)
	parts := strings.Split(rest, "+")
	if !ok || len(parts) < 3 {
		return Key{}, errors.New(`log key is malformed: want one line "PRIVATE+KEY+origin+hash+key"`)
	}
	if err := CheckOrigin(parts[0]); err != nil {
		return Key{}, errors.New("log key is malformed: its origin is not valid")
	}
	signer, err := note.NewSigner(text)
	if err != nil {
		return Key{}, errors.New("log key is malformed: its hash or key does not fit")
	}
	// The signer was accepted: what is behind the second plus is base64 of an
	// algorithm byte and a seed.
	raw, err := base64.StdEncoding.DecodeString(strings.Join(parts[2:], "+"))
	if err != nil || len(raw) != 1+ed25519.SeedSize || raw[0] != algEd25519 {
		return Key{}, errors.New("log key is malformed: it is no Ed25519 key")
	}
	public := ed25519.NewKeyFromSeed(raw[1:]).Public().(ed25519.PublicKey)
	vkey, err := note.NewEd25519VerifierKey(signer.Name(), public)
	if err != nil {
		return Key{}, fmt.Errorf("log key: %w", err)
	}
	verifier, err := ParseVerifier(vkey)
	if err != nil {
		return Key{}, err
	}
	return Key{Signer: signer, Verifier: verifier, Private: text, Public: vkey}, nil
}

// ParseVerifier reads a public key (vkey, c2sp.org/signed-note): one line
// "origin+hash+key"; white space around it is ignored.
func ParseVerifier(text string) (note.Verifier, error) {
	text = strings.TrimSpace(text)
	if strings.HasPrefix(text, "PRIVATE") {
		return nil, errors.New("this is a private log key where the public one belongs: keep it secret")
	}
	origin, _, _ := strings.Cut(text, "+")
	if err := CheckOrigin(origin); err != nil {
		return nil, fmt.Errorf("public log key: %w", err)
	}
	v, err := note.NewVerifier(text)
	if err != nil {
		return nil, fmt.Errorf(`public log key of %q is malformed (want "origin+hash+key" on one line): %w`, origin, err)
	}
	return v, nil
}

// keyName shows a key as people compare it: name and hash.
func keyName(k interface {
	Name() string
	KeyHash() uint32
}) string {
	return fmt.Sprintf("%s+%08x", k.Name(), k.KeyHash())
}
