//go:build !race

package archive_test

// raceDetector says that the program under test runs with the race detector.
const raceDetector = false
