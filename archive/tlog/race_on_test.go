//go:build race

package tlog

// raceDetector says that the tests run with the race detector, some ten times
// slower: what one goroutine does alone is tried on a few cases, and the rest is
// left to a run without it.
const raceDetector = true
