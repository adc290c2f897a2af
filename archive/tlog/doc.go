// Package tlog is the transparency log: an append-only list of entries whose
// every state is one signed checkpoint, kept in a store.Store and a
// store.Mutable, with proofs that a stranger checks without us.
//
// # Terms
//
// An entry (leaf) is a run of 0 to 65,535 bytes; the log gives no meaning to
// it. A tree of size n is the Merkle tree of RFC 6962, section 2.1, over the
// first n entries; its root hash stands for all of them in their order. A
// checkpoint (c2sp.org/tlog-checkpoint) is origin, size and root, signed as a
// note (c2sp.org/signed-note) by the log's Ed25519 key, whose name is the
// origin. A cosignature is a further signature line, by a witness. An
// inclusion proof shows that an entry is in the tree of a checkpoint, a
// consistency proof that one tree continues another. A batch is what one
// Append adds.
//
// # Objects
//
// All keys begin with "log/". Tiles are those of c2sp.org/tlog-tiles, so
// "log/" is served as it stands to any client of that protocol.
//
//	checkpoint          Mutable  newest published checkpoint, with cosignatures
//	checkpoints/<size>  Store    each published checkpoint, signed by the log alone:
//	                             the bytes that outside parties stamp
//	tile/<L>/<N>        Store    256 hashes of level 8*L, 8,192 bytes
//	tile/<L>/<N>.p/<W>  Store    its first W hashes, for the checkpoint that needed it
//	tile/entries/<N>    Store    256 entries, each behind its length (uint16, big endian)
//	tile/entries/<N>.p/<W>       its first W entries
//	lock                Mutable  newest signed checkpoint, published or not, and the
//	                             state of the log (below)
//	staging/<size>-<root>-<id>   Mutable, one batch between lock and publication
//
// The lock is text: a first line "fineprint log lock v1", then lines of a name,
// a space and a value, an empty line, and the checkpoint as signed.
//
//	write    a random id, another one in each write: who reads it knows whose it is
//	place    where the log lives (Config.Place)
//	staging  key of the batch that led to this checkpoint; absent after a change of state
//	moved    the place to which the log went; it may be opened there only
//	closed   what follows this log; nothing is appended any more
//
// Staging is gzip over text "fineprint log staging v1", the lines "base",
// "checkpoint" and "leaves" with two lengths in bytes and a count, an empty
// line, the checkpoint before the batch, the one after it, and the new entries
// as in a tile. From these and the right edge of the tree before it every
// object of the batch follows, byte for byte.
//
// # Order of a batch, and what a crash leaves
//
//	stage       staging is written                  nothing: swept at a later Open
//	lock        compare-and-swap of lock            the batch is in the log, not yet public
//	tiles       entry bundles and hash tiles        likewise; readers see the state before
//	checkpoint  checkpoints/<size>                  likewise
//	publish     checkpoint, never to a smaller size the batch is public
//	drop        staging is deleted                  swept at a later Open
//
// Whoever next opens the log or appends finds staging under the key that the
// lock names and does the same steps again, from "tiles" on, before anything
// else. So a tree is always whole before the next one begins, and of two
// writers the slower changes nothing: it fails at "lock", before any shared
// object. All writes after "lock" are idempotent.
//
// # One place
//
// The lock remembers the place of the log. A copy of the store that is opened
// elsewhere for writing is refused (ErrElsewhere), since two copies that both
// grow are a fork, which no excuse mends. Log.Move closes the source in favour
// of a new place; a copy made after that may be opened there. Where the source
// is gone for good, Config.TakeOver says so.
//
// # Example
//
//	key, err := tlog.GenerateKey(rand.Reader, "example.org/policies")
//	log, err := tlog.Open(ctx, tlog.Config{Store: d, Mutable: d.Mutable(), Signer: key.Signer, Verifier: key.Verifier, Place: "folder /srv/archive"})
//	first, cp, err := log.Append(ctx, leaves)
//
//	r := tlog.NewReader(d, key.Verifier)
//	proof, err := r.InclusionProof(ctx, cp, first)
//	in, err := tlog.VerifyInclusion(proof, leaves[0], tlog.LogPolicy(key.Verifier))
//
// # What it does not do
//
// It does not know what entries mean, ask witnesses or time-stampers (package
// anchor does, and hands cosignatures to Log.Cosign), prune partial tiles, or
// notice that a whole store was put back to an earlier state: only outside
// copies of checkpoints show that.
package tlog
