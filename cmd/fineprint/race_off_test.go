//go:build !race

package main

// raceDetector says that the program under test runs with the race detector.
const raceDetector = false

// raceEnv changes nothing without the race detector.
const raceEnv = "GORACE="
