// Package handshake makes and checks handshake proofs: evidence that the holder
// of a web server's certificate key answered us after a certain moment.
//
// # What it proves
//
// In every full TLS handshake the server signs something that contains the
// client's random number. Ours is no random number but a commitment:
//
//	ClientHello.random = SHA-256("fineprint handshake v1\n" || anchor || nonce)
//
// anchor is the SHA-256 of a list that names a checkpoint of the log together
// with what outside parties said about it (32 bytes), nonce is random (32
// bytes). Whoever can show such a signature had the list before the handshake,
// so the handshake came after the list. It needs no secret to check.
//
// It proves contact, not content: the keys of a TLS session are known to both
// sides, so nobody can prove with it which bytes came afterwards. It says nothing
// about the time before the list, and of a server behind a content delivery
// network it shows that network's key. With TLS 1.2 the signature covers the two
// random numbers and the key exchange, not the name that was asked for nor the
// cipher suite.
//
// # Format of a proof, version 1
//
// In order, nothing behind it, at most 16,384 bytes:
//
//	offset  bytes  what
//	0       1      version: 01
//	1       32     anchor
//	33      32     nonce
//	65      ...    messages, packed: one raw deflate stream (RFC 1951) with a
//	               preset dictionary
//	...     ...    the rest of the messages as it is: what follows the stream
//
// Together the messages have at most 65,536 bytes. Build leaves the signature at
// their end unpacked, for it does not shrink; a reader takes any division. Any
// deflate stream with the right content is valid.
//
// The dictionary is
//
//	SHA-256("fineprint session v1\n" || nonce) || what docs/FORMATS.md prints
//
// and is part of the version. Its first 32 bytes are what Recorder makes
// legacy_session_id, which both sides repeat in every hello. They are there to
// keep the proof small and prove nothing: a handshake with another id is packed
// and read in the same way, only larger.
//
// The messages are handshake messages as they crossed the connection, header
// (type, 1 byte; length, 3 bytes) included, one behind the other:
//
//	TLS 1.3  ClientHello, ServerHello,
//	         EncryptedExtensions, [CertificateRequest], Certificate, CertificateVerify
//	         after a HelloRetryRequest:
//	         ClientHello, HelloRetryRequest, ClientHello, ServerHello, ... as above
//	TLS 1.2  ClientHello, ServerHello, ServerKeyExchange
//
// with two omissions. The lengths in the messages stay what they were.
//
//   - From each ClientHello the 32 bytes of random are left out, bytes 6 to 37 of
//     the message. A reader puts in the commitment of anchor and nonce: so no
//     proof can have any other.
//   - From the Certificate message of TLS 1.3 the certificates are left out (the
//     field cert_data without its length). A reader puts in those of the chain,
//     which is stored once for many proofs, in their order. Extensions of the
//     certificates (OCSP response, timestamps of transparency logs) stay.
//
// # Checking one
//
// Put in what was left out. Then the signature of the last message must hold
// under the key of the first certificate, over
//
//	TLS 1.3  64 spaces || "TLS 1.3, server CertificateVerify" || 00 || H(messages but the last)
//	TLS 1.2  ClientHello.random || ServerHello.random || ServerKeyExchange up to its signature scheme
//
// H is the hash of the cipher suite; after a HelloRetryRequest it is taken over
// FE 00 00 || length of H(first message) in one byte || H(first message) in place
// of the first message (RFC 8446, sections 4.4.1 and 4.4.3; RFC 5246, section
// 7.4.3). ClientHello must ask for the host (or for none, if it is an address),
// and the certificate must name it.
//
// Known are the suites of TLS 1.3 with AES-GCM and ChaCha20-Poly1305, and those
// of TLS 1.2 with an ephemeral elliptic curve key; the signature schemes ECDSA
// (P-256, P-384, P-521), RSASSA-PSS, Ed25519, and for TLS 1.2 RSASSA-PKCS1 with
// SHA-2.
//
// # Size
//
// Without a stapled OCSP response or timestamps of transparency logs, and with a
// host name of 20 bytes:
//
//	                             P-256  P-384  Ed25519  RSA-2048
//	TLS 1.3                        300    340      300       485
//	HelloRetryRequest to P-256     420    460      420       605
//	HelloRetryRequest to P-384     490    530      490       675
//	TLS 1.2                        285    325      285       470
//
// That takes key shares of 32 bytes: Recorder.Configure asks for X25519 and leaves
// out the post-quantum hybrids of 1.2 kB, whose secrecy public pages do not need.
//
// # What it relies on
//
// That crypto/tls takes ClientHello.random from tls.Config.Rand before anything
// else, and keeps it after a HelloRetryRequest, is true of Go 1.26 and no promise.
// Build compares the random on the wire and gives RandomNotOurs otherwise; a test
// of this package fails with the first Go release that does so.
//
// In the same way legacy_session_id, which plays no part in any key, is what
// crypto/tls takes next. It follows from the nonce, so whoever has the proof knows
// it. A release that made those bytes a private key would let him read what he
// recorded of the connection. Build makes its proof whatever the id is, so that
// test fails unless the id is on the wire. (The keys of crypto/ecdh come from the
// system whatever tls.Config.Rand is, from Go 1.26 on, unless GODEBUG has
// cryptocustomrand=1.)
//
// Of the secrets of a session only SERVER_HANDSHAKE_TRAFFIC_SECRET is looked at,
// and only until the proof is made. Those of the application data are dropped as
// they are reported.
package handshake
