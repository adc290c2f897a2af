//go:build race

package archive_test

// raceDetector says that the program under test runs with the race detector,
// some ten times slower: the tests with many runs make a few of each kind, and
// leave their rounds to a run without it.
const raceDetector = true
