// Package evidence is what a stranger is shown: the entry that the log commits
// to, the bundle that a journalist takes away, and the check of both without a
// network and without trust in us.
//
// # Terms
//
// An Entry is one leaf of the log: one line of JSON about a look, a sealed WARC,
// an anchor, a loss, a take-down or a successor. An anchor is an outside party's
// statement about a checkpoint (timestamp token, cosignature); an AnchorList
// names all that is known about one checkpoint. A bundle is a ZIP file about one
// look: its records byte for byte, its leaf and proofs, the anchors, what the
// Wayback Machine has of the page, and papers for people. A Policy says whom the verifier trusts; it never comes from the
// bundle.
//
// # Entries
//
// Leaf bytes are stored and hashed verbatim; verification needs no JSON at all.
// Entry.Encode has the one form, ParseEntry takes nothing else, and typeFields is
// the table of types and fields. All that stands in the entry of a look also
// stands in the WARC, in the manifest, so FromManifest makes the same entry again
// from a WARC alone. So does ReceiptOf with the receipt that follows from a look at
// a web archive. Addresses are the declared one as it is and the final one by
// the rule of RedactFinal; user information never. A private source appears as
// commitments (Entry.Private). docs/FORMATS.md describes all of it byte by byte.
//
// # Bundles
//
//	err := evidence.WriteBundle(w, evidence.Parts{Look: …, Checkpoint: …, WARC: …})
//
//	trust, err := evidence.ParseTrust(policyOrKey)
//	report, err := evidence.VerifyFile(ctx, path, evidence.Policy{Logs: trust, TSARoots: roots})
//	err = report.WriteText(os.Stdout)
//	os.Exit(report.ExitCode())
//
// Verify holds a bundle against the verifier's policy and says one line for each
// claim: ok, false, not present, unknown, not checked. The papers inside are for
// people and prove nothing; texts and redlines are made of the records for readers
// (Derived) and prove nothing either. What a second observer has is compared with
// the page again, and shown as plainly where it differs. verify.sh, in every
// bundle, makes most of the checks with openssl, sha256sum, gunzip and awk. testdata holds bundles with their verdicts
// for whoever writes another verifier.
//
// # What it does not do
//
// It asks nobody, stamps nothing and reads no catalog; a caller brings the parts
// of a bundle. It links no crawler, no SDK and no SQL.
package evidence
