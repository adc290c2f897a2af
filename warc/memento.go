package warc

import "time"

// Memento says what a look at a web archive was for: such a look has the archive's
// answers in its records, never the page's own.
type Memento struct {
	Purpose Purpose   `json:"purpose"`
	Source  string    `json:"source"`           // id of our source of the page
	N       int64     `json:"n,omitempty"`      // read-back: number of our look that it is compared with
	Look    *Prev     `json:"look,omitempty"`   // read-back: manifest of that look
	URL     string    `json:"url"`              // the archived address
	Time    time.Time `json:"time,omitzero"`    // of the capture, as the archive has it
	Status  int       `json:"status,omitempty"` // of the page, as the archive's index has it
	MIME    string    `json:"mime,omitempty"`   // likewise
	Digest  Digest    `json:"digest,omitzero"`  // of the entity body, likewise
	Src     string    `json:"src,omitempty"`    // the archive's own WARC: x-archive-src
	Facts   *Facts    `json:"facts,omitempty"`
	Grade   string    `json:"grade,omitempty"` // of the replayed page, if its text was read
	Rules   string    `json:"rules,omitempty"` // by which the texts were made that were compared
}

// Purpose says why a web archive was asked.
type Purpose string

// The purposes.
const (
	PurposeReadBack Purpose = "read-back" // a capture that we asked for is compared with our own
	PurposeImport   Purpose = "import"    // a capture of the past is brought in
	PurposeIndex    Purpose = "index"     // what the archive's index lists
)

// Fact is one answer of a comparison; "" says that it could not be made.
type Fact string

// The answers.
const (
	FactSame      Fact = "same"
	FactVariant   Fact = "variant" // another text, which we saw on the page ourselves
	FactDifferent Fact = "different"
	FactAbsent    Fact = "absent" // asked for, and not there
)

// Facts compare a capture in a web archive with its index and with our own
// capture, from the strictest to the most forgiving. That archives fetch pages
// themselves, and later, makes other bytes usual: only Replay and Text are an
// alarm where they differ.
type Facts struct {
	Content Fact `json:"content,omitempty"` // the bodies without content codings are equal
	Index   Fact `json:"index,omitempty"`   // the index has the digest of our entity body
	Replay  Fact `json:"replay,omitempty"`  // the replayed body has the digest of the index
	Text    Fact `json:"text,omitempty"`    // the texts made of both are equal
}

// Body has the digests of an entity body that are compared; one that is not known
// is zero.
type Body struct {
	SHA1          Digest // as sent, without transfer coding
	SHA256        Digest // likewise
	DecodedSHA1   Digest // without content codings
	DecodedSHA256 Digest // likewise
}

// CompareBodies returns the facts that digests show of a capture in a web archive:
// index is the digest in the archive's index, theirs the replayed body, ours that
// of our look. A comparison that lacks a side stays "".
//
// The index has the digest of the body as the page's server sent it. A replay may
// come compressed where that was not, so either form of it may have that digest.
func CompareBodies(index Digest, theirs, ours Body) Facts {
	f := Facts{
		Index:   compareDigests(index, ours.SHA1),
		Replay:  compareDigests(index, theirs.SHA1),
		Content: compareDigests(theirs.DecodedSHA256, ours.DecodedSHA256),
	}
	if f.Replay == FactDifferent && compareDigests(index, theirs.DecodedSHA1) == FactSame {
		f.Replay = FactSame
	}
	return f
}

func compareDigests(a, b Digest) Fact {
	switch {
	case a.IsZero() || b.IsZero():
		return ""
	case a == b:
		return FactSame
	}
	return FactDifferent
}
