//go:build !race

package tlog

// raceDetector says that the tests run with the race detector.
const raceDetector = false
