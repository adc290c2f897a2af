// Package anchor has outside parties state that they saw a checkpoint of the
// log, and checks offline what they stated. A log alone proves order; an anchor
// adds a time that does not come from the operator, and a witness who would
// notice a second history.
//
// # Terms
//
// An anchor is an outside party's statement about a checkpoint. Package anchor
// knows three kinds, each over exactly the bytes of log/checkpoints/<size>:
//
//   - a timestamp token of an authority (RFC 3161): these bytes existed at that
//     time. Trust: the authority and its root. See Stamper and VerifyToken.
//   - a cosignature of a witness (C2SP tlog-witness): no other history of this
//     log was shown to it. Trust: the witness. See Cosign, VerifyCosignatures
//     and Witness.
//   - an OpenTimestamps proof: these bytes existed before a Bitcoin block. Trust:
//     the block chain. See OTSClient and OTSProof.
//
// # Timestamp tokens: what is stored
//
// For an authority that the configuration calls NAME, two files:
//
//	NAME.tsr   the complete response (TimeStampResp, DER, RFC 3161 section 2.4.2),
//	           byte for byte as the authority sent it: 1 to 8 kB
//	NAME.pem   evidence, PEM blocks in this order:
//	             CERTIFICATE    the chain: signer first, root last
//	             X509 CRL       per certificate that names no useful OCSP responder
//	             OCSP RESPONSE  per certificate that names one (DER, RFC 6960)
//
// The imprint is SHA-256 of the checkpoint; the request carries a nonce of 63
// bits and asks for the certificates. The root in NAME.pem is there for those who
// look for it in thirty years; it is never trusted because it is there.
//
// # Timestamp tokens: how they are checked
//
// VerifyToken wants all of this:
//
//   - one DER response with status "granted" and one signer, CMS content and
//     signed content type id-ct-TSTInfo, SHA-256 or longer everywhere, the signing
//     certificate attribute naming the signer (RFC 5816), an accuracy of at most a
//     day, no bytes too many;
//   - the imprint is that of the data;
//   - the signature is the signer's, whose certificate has the extended key usage
//     timeStamping alone and critical (RFC 3161 section 2.3) and is no authority;
//   - a path leads to one of the given roots, all of whose certificates were valid
//     at the time stated. Whether they are today does not matter;
//   - no CRL or OCSP response in the evidence, signed by the issuer (or an OCSP
//     responder it entitled), revokes a certificate of the path at or before the
//     time stated, or later without a reason that spares earlier tokens: RFC 3161
//     section 4 spares them after unspecified, affiliationChanged, superseded and
//     cessationOfOperation, if the reason is written down, and never after a
//     compromise of the key.
//
// Evidence that is missing makes the state of a certificate "unknown", not the
// token false. Later CRLs may be appended to NAME.pem at any time. Stamp checks
// the nonce as well; later it says nothing.
//
// By hand, with openssl (any version that has -attime), the time being the one
// that the token states, in seconds since 1970:
//
//	openssl ts -reply -in NAME.tsr -text
//	openssl ts -verify -data CHECKPOINT -in NAME.tsr -CAfile ROOTS.pem -untrusted NAME.pem -attime SECONDS
//
// ROOTS.pem comes from the authority's own site or the verifier's own files,
// never from NAME.pem. Without -attime openssl refuses a chain that has expired
// since.
//
// # Timestamp authorities: roots
//
// This program holds no roots of authorities. A configuration gives, for each,
// a PEM file, or the word "system" for the roots that the machine trusts. A file
// is better: it names whom one trusts, and the verdict does not change with the
// machine. PublicAuthorities has addresses of some public authorities. Take two
// or more under different roots: each can fail, err or be compromised.
//
//	roots, err := anchor.ReadRoots("freetsa.pem")
//	...
//	a := anchor.Authority{Name: "freetsa", URL: "https://freetsa.org/tsr", Roots: roots}
//	s := &anchor.Stamper{HTTP: client, UserAgent: agent}
//	token, err := s.Stamp(ctx, a, checkpoint)
//	...
//	info, err := anchor.VerifyToken(token.TSR, checkpoint, token.Evidence, roots)
//
// # What it does not do
//
// It does not store, schedule or retry: its caller does. Tokens signed with
// RSASSA-PSS, in BER, or "granted with modifications" are refused at stamping.
// A token does not say who asked for it, nor that the checkpoint was not older.
package anchor
