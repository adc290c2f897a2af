package handshake

import (
	"crypto"
	"crypto/cipher"
	"crypto/hkdf"
	"encoding/binary"
	"errors"
	"fmt"

	"golang.org/x/crypto/cryptobyte"
)

// Types of records (RFC 8446, section 5.1).
const (
	recordChangeCipherSpec = 20
	recordAlert            = 21
	recordHandshake        = 22
	recordApplication      = 23
)

// maxRecord is the most that a record may hold (RFC 8446, section 5.2).
const maxRecord = 1<<14 + 256

// maxEmpty bounds the records in a row that bring nothing.
const maxEmpty = 32

// flight reads the handshake messages of one direction out of its records.
type flight struct {
	records  cryptobyte.String
	messages []byte // taken out of the records, not read yet
	aead     cipher.AEAD
	iv       []byte
	sequence uint64
}

// next returns the next message, header included.
func (f *flight) next() ([]byte, error) {
	for empty := 0; ; {
		if len(f.messages) >= header {
			n := header + (int(f.messages[1])<<16 | int(f.messages[2])<<8 | int(f.messages[3]))
			if n > MaxFlight {
				return nil, errorf(TooLarge, "handshake message of %d bytes", n)
			}
			if len(f.messages) >= n {
				m := f.messages[:n:n]
				f.messages = f.messages[n:]
				return m, nil
			}
		}
		before := len(f.messages)
		if err := f.record(); err != nil {
			return nil, err
		}
		if len(f.messages) == before {
			if empty++; empty > maxEmpty {
				return nil, errorf(Malformed, "more than %d records without a part of the handshake", maxEmpty)
			}
		}
	}
}

// record takes in one record.
func (f *flight) record() error {
	if f.records.Empty() {
		return errorf(Failed, "the handshake ends early")
	}
	whole := f.records
	var typ uint8
	var body cryptobyte.String
	if !f.records.ReadUint8(&typ) || !f.records.Skip(2) || !f.records.ReadUint16LengthPrefixed(&body) || len(body) > maxRecord {
		return errorf(Malformed, "a TLS record is malformed or incomplete")
	}
	switch {
	case typ == recordChangeCipherSpec:
		return nil // of TLS 1.3, for middleboxes; in TLS 1.2 it comes behind what is read
	case typ == recordAlert:
		return errorf(Failed, "an alert in the handshake")
	case typ == recordHandshake && f.aead == nil && len(body) > 0:
		f.messages = append(f.messages, body...)
		return nil
	case typ == recordApplication && f.aead != nil:
		return f.decrypt(whole[:5], body)
	}
	return errorf(Malformed, "a TLS record of type %d in the handshake", typ)
}

// decrypt takes in an encrypted record (RFC 8446, sections 5.2 to 5.4).
func (f *flight) decrypt(additional, body []byte) error {
	nonce := append([]byte(nil), f.iv...)
	var sequence [8]byte
	binary.BigEndian.PutUint64(sequence[:], f.sequence)
	for i, b := range sequence {
		nonce[len(nonce)-8+i] ^= b
	}
	f.sequence++
	plain, err := f.aead.Open(nil, nonce, body, additional)
	if err != nil {
		return errorf(Malformed, "a TLS record can't be decrypted")
	}
	end := len(plain)
	for end > 0 && plain[end-1] == 0 { // padding
		end--
	}
	if end == 0 {
		return errorf(Malformed, "a TLS record without a type")
	}
	switch plain[end-1] {
	case recordHandshake:
		f.messages = append(f.messages, plain[:end-1]...)
		return nil
	case recordAlert:
		return errorf(Failed, "an alert in the handshake")
	}
	return errorf(Malformed, "an encrypted TLS record of type %d in the handshake", plain[end-1])
}

// use makes the following records encrypted ones under a traffic secret
// (RFC 8446, section 7.3).
func (f *flight) use(s suite, secret []byte) error {
	if len(f.messages) > 0 {
		return errorf(Malformed, "a message goes on behind a change of keys")
	}
	if len(secret) != s.hash.Size() {
		return errorf(Failed, "a handshake secret of %d bytes, want %d", len(secret), s.hash.Size())
	}
	key, err := expandLabel(s.hash, secret, "key", s.key)
	if err == nil {
		f.iv, err = expandLabel(s.hash, secret, "iv", 12)
	}
	if err == nil {
		f.aead, err = s.aead(key)
	}
	if err != nil {
		return &Error{Failed, fmt.Errorf("handshake keys: %w", err)}
	}
	if f.aead.NonceSize() != len(f.iv) {
		return &Error{Failed, errors.New("handshake keys: the nonce has another length")}
	}
	return nil
}

// expandLabel is HKDF-Expand-Label without a context (RFC 8446, section 7.1).
func expandLabel(h crypto.Hash, secret []byte, label string, n int) ([]byte, error) {
	info := []byte{byte(n >> 8), byte(n), byte(len("tls13 ") + len(label))}
	info = append(info, "tls13 "+label...)
	return hkdf.Expand(h.New, secret, string(append(info, 0)), n)
}
