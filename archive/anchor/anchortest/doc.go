// Package anchortest has stand-ins for the outside parties of package anchor,
// for tests and for the offline demo. They listen on loopback, are made in
// memory and vanish with the process. Nothing here is to be trusted by anybody.
//
// TSA is a timestamp authority by RFC 3161 with a root, an issuing certificate
// authority, a CRL of each and, if asked, an OCSP responder. It makes real
// tokens (openssl accepts them), and on demand every kind of wrong one:
//
//	tsa, err := anchortest.NewTSA(anchortest.TSAConfig{Name: "one"})
//	...
//	defer tsa.Close()
//	roots, err := anchor.ParseRoots(tsa.Roots)
//	a := anchor.Authority{Name: "one", URL: tsa.URL, Roots: roots}
//	tsa.SetFault(anchortest.Hang)
package anchortest
