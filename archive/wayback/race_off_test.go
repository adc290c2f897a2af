//go:build !race

package wayback

// pages is how many are worked at once in the tests of pages_test.go.
const pages = 300
