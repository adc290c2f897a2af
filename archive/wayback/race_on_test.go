//go:build race

package wayback

// pages is how many are worked at once in the tests of pages_test.go: with the
// race detector each takes five times as long, and races show among fewer.
const pages = 100
