//go:build race

package main

// raceDetector says that the program under test runs with the race detector,
// some ten times slower: the tests with many runs make a few of each kind, and
// leave their rounds to a run without it.
const raceDetector = true

// raceEnv is for the programs that the tests start: each would wait a second at
// its end for late races, which are seen at once where they happen.
const raceEnv = "GORACE=atexit_sleep_ms=0"
