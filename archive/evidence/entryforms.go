package evidence

import (
	"strings"
)

// The forms of text fields. Each function stands for the expression beside it,
// which a test compares it with; expressions themselves cost more than all else
// that is asked of an entry.

// isErrorCode: ^[a-z][a-z0-9-]{0,39}$
func isErrorCode(s string) bool {
	return s != "" && len(s) <= 40 && 'a' <= s[0] && s[0] <= 'z' && consists(s, lowers|digits, "-")
}

// isSourceID: ^([0-9A-Za-z._-]{1,64}|private:[0-9a-f]{64})$
func isSourceID(s string) bool {
	return s != "" && len(s) <= 64 && consists(s, lowers|uppers|digits, "._-") || isCommitment(s)
}

// isCommitment: ^private:[0-9a-f]{64}$
func isCommitment(s string) bool {
	sum, ok := strings.CutPrefix(s, "private:")
	return ok && len(sum) == 64 && consists(sum, hexes, "")
}

// isRecordID: ^urn:uuid:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$
func isRecordID(s string) bool {
	u, ok := strings.CutPrefix(s, "urn:uuid:")
	return ok && len(u) == 36 && u[8] == '-' && u[13] == '-' && u[18] == '-' && u[23] == '-' &&
		consists(u[:8], hexes, "") && consists(u[9:13], hexes, "") && consists(u[14:18], hexes, "") &&
		consists(u[19:23], hexes, "") && consists(u[24:], hexes, "")
}

// hasScheme: ^[A-Za-z][A-Za-z0-9+.-]*:
func hasScheme(s string) bool {
	scheme, _, ok := strings.Cut(s, ":")
	return ok && scheme != "" && consists(scheme[:1], lowers|uppers, "") && consists(scheme, lowers|uppers|digits, "+.-")
}

// class is a set of kinds of characters.
type class byte

const (
	lowers class = 1 << iota
	uppers
	digits
	hexes // 0-9a-f
)

// classes tells the kinds of each byte.
var classes = func() (table [256]class) {
	for kind, all := range map[class]string{
		lowers: "abcdefghijklmnopqrstuvwxyz", uppers: "ABCDEFGHIJKLMNOPQRSTUVWXYZ", digits: "0123456789", hexes: "0123456789abcdef",
	} {
		for i := range len(all) {
			table[all[i]] |= kind
		}
	}
	return table
}()

// consists reports whether s has no bytes but those of the kinds and of more.
func consists(s string, kinds class, more string) bool {
	for i := range len(s) {
		if classes[s[i]]&kinds == 0 && strings.IndexByte(more, s[i]) < 0 {
			return false
		}
	}
	return true
}
