package handshake

import (
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	_ "crypto/sha256" // the hashes of the suites and schemes
	_ "crypto/sha512"
	"crypto/tls"

	"golang.org/x/crypto/chacha20poly1305"
)

// suite is a cipher suite. Those of TLS 1.2 need no more than to be known.
type suite struct {
	version uint16
	hash    crypto.Hash                       // of the transcript
	key     int                               // bytes
	aead    func([]byte) (cipher.AEAD, error) // of the server flight
}

// suites are those of TLS 1.3 that crypto/tls has, and those of TLS 1.2 in which
// the server signs an elliptic curve key exchange.
var suites = map[uint16]suite{
	tls.TLS_AES_128_GCM_SHA256:       {tls.VersionTLS13, crypto.SHA256, 16, newGCM},
	tls.TLS_AES_256_GCM_SHA384:       {tls.VersionTLS13, crypto.SHA384, 32, newGCM},
	tls.TLS_CHACHA20_POLY1305_SHA256: {tls.VersionTLS13, crypto.SHA256, 32, chacha20poly1305.New},

	tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA:          {version: tls.VersionTLS12},
	tls.TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA:          {version: tls.VersionTLS12},
	tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA:            {version: tls.VersionTLS12},
	tls.TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA:            {version: tls.VersionTLS12},
	tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256:       {version: tls.VersionTLS12},
	tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256:         {version: tls.VersionTLS12},
	tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256:       {version: tls.VersionTLS12},
	tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256:         {version: tls.VersionTLS12},
	tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384:       {version: tls.VersionTLS12},
	tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384:         {version: tls.VersionTLS12},
	tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256: {version: tls.VersionTLS12},
	tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256:   {version: tls.VersionTLS12},
}

func newGCM(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}
