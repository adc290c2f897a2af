// Package terms reads what a legal page says and tells what changed in it. It is
// pure: the same bytes and rules give the same answer on every machine, nothing
// is fetched, and no clock is looked at.
//
// # Terms
//
//   - A text is what a reader of the page finds: a list of blocks, each a
//     heading, a paragraph, a list item or a row of a table.
//   - Extraction makes a text of a payload and the rules of its declaration. It
//     keeps everything a reader can open. Its version is part of every text.
//   - A grade says whether a capture counts as terms at all: challenge, login and
//     error pages with status 200 do not.
//   - An observation is what one look says of a document: a grade, and a text.
//   - A state is a text as a whole. A document alternates between states, and
//     nobody is told of a state it had before as if it were new.
//   - An outcome says what an observation means after those before it: first,
//     unchanged, changed, reverted, known-variant, volatile-only, links-only,
//     suspect, unconfirmed.
//
// # The walk
//
//	Extract  payload, rules        -> Text, Page
//	Assess   capture, Page, Text   -> Verdict
//	Track    observations in order -> outcomes, versions
//	Compare  two texts             -> Diff, of which Apply makes the second again
package terms
